/*
 * One line, one write(2): lines of several threads never mix, and nothing is lost in a buffer when the process dies.
 * A warning inside a loop over a thousand sockets must not become the load itself, so each call site (told by its format
 * string, which is a constant) has LOG_BURST lines a second; the first line of a later second says how many were dropped.
 * The table of call sites takes no lock: a slot is claimed once by compare-and-swap, its state is one word.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/json.h"

#define LOG_SITES 512        /* call sites with a limit of their own; later ones share by hash */
#define LOG_PROBES 8
#define LOG_MESSAGE_MAX 2048 /* bytes of a message; longer ones are cut */
#define LOG_LINE_MAX (8 * LOG_MESSAGE_MAX)

struct log_site {
    const char *format;
    uint64_t state; /* second in the upper half, lines asked for within it in the lower half */
};

static struct log_site sites[LOG_SITES];
static int log_lowest = LOG_INFO;

void log_level_set(enum log_level level)
{
    __atomic_store_n(&log_lowest, (int)level, __ATOMIC_RELAXED);
}

static struct log_site *site_of(const char *format)
{
    uint64_t hash = (uintptr_t)format * UINT64_C(0x9e3779b97f4a7c15) >> 32;
    for (unsigned i = 0; i < LOG_PROBES; i++) {
        struct log_site *site = &sites[(hash + i) % LOG_SITES];
        const char *owner = __atomic_load_n(&site->format, __ATOMIC_RELAXED);
        if (owner == format)
            return site;
        if (!owner && (__atomic_compare_exchange_n(&site->format, &owner, format, false, __ATOMIC_RELAXED,
                                                   __ATOMIC_RELAXED) ||
                       owner == format))
            return site;
    }
    return &sites[hash % LOG_SITES];
}

/* May this line be written? *dropped is the number of lines lost in the last second that had any. */
static bool site_admit(struct log_site *site, uint32_t *dropped)
{
    uint64_t second = (uint64_t)(clock_mono_ms() / SECOND_MS) & UINT32_MAX;
    uint64_t old = __atomic_load_n(&site->state, __ATOMIC_RELAXED), new;
    uint32_t lines;
    do {
        bool same = old >> 32 == second;
        uint32_t before = (uint32_t)old;
        *dropped = !same && before > LOG_BURST ? before - LOG_BURST : 0;
        lines = same ? before + (before < UINT32_MAX) : 1;
        new = second << 32 | lines;
    } while (!__atomic_compare_exchange_n(&site->state, &old, new, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return lines <= LOG_BURST;
}

static void line_write(const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(STDERR_FILENO, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* there is nobody to tell */
        data += n;
        len -= (size_t)n;
    }
}

void log_write(enum log_level level, const char *module, const char *format, ...)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    if ((int)level < __atomic_load_n(&log_lowest, __ATOMIC_RELAXED))
        return;
    int saved = errno; /* a caller may log between a failure and its reading of errno, and %m must work */
    uint32_t dropped;
    if (!site_admit(site_of(format), &dropped)) {
        counter_add(COUNTER_log_lines_dropped, 1);
        return;
    }
    char message[LOG_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    errno = saved;
    int len = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (len < 0)
        len = 0;
    if ((size_t)len >= sizeof(message))
        len = sizeof(message) - 1;

    char time[CLOCK_ISO_SIZE];
    clock_format_iso(clock_wall_ms(), time);
    struct buf line;
    struct json_writer w;
    buf_init(&line, LOG_LINE_MAX);
    json_writer_init(&w, &line);
    json_begin_object(&w);
    json_name(&w, "time");
    json_str(&w, time);
    json_name(&w, "level");
    json_str(&w, names[level]);
    json_name(&w, "module");
    json_str(&w, module);
    json_name(&w, "message");
    json_text(&w, text_make(message, (size_t)len));
    if (dropped) {
        json_name(&w, "dropped");
        json_u64(&w, dropped);
    }
    json_end_object(&w);
    buf_add_char(&line, '\n');
    if (!line.failed) {
        line_write(line.data, line.len);
        counter_add(COUNTER_log_lines, 1);
    }
    buf_fini(&line);
    errno = saved;
}
