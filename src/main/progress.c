/* A terminal gets one line that changes five times a second; a file or a journal of a supervisor gets a line each second, which is what can be read there. */
#include "main/progress.h"

#include "base/clock.h"
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define TERMINAL_MS 200
#define LINE_MS 1000

void progress_begin(struct progress *progress)
{
    int64_t now = clock_mono_ms();
    *progress = (struct progress){.began_ms = now, .said_ms = now, .terminal = isatty(STDERR_FILENO)};
}

bool progress_due(const struct progress *progress)
{
    return clock_mono_ms() - progress->said_ms >= (progress->terminal ? TERMINAL_MS : LINE_MS);
}

void progress_say(struct progress *progress, const char *format, ...)
{
    va_list arguments;
    progress->said_ms = clock_mono_ms();
    if (progress->terminal)
        fputs("\r\033[K", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    progress->open = progress->terminal;
    if (!progress->terminal)
        fputc('\n', stderr);
    fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->open)
        fputc('\n', stderr);
    progress->open = false;
}

int64_t progress_elapsed_ms(const struct progress *progress)
{
    return clock_mono_ms() - progress->began_ms;
}

const char *progress_count(uint64_t number, char out[PROGRESS_TEXT])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number), at = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

const char *progress_bytes(uint64_t bytes, char out[PROGRESS_TEXT])
{
    static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes / 1024;
    int i = 0;
    if (bytes < 1024) {
        snprintf(out, PROGRESS_TEXT, "%u bytes", (unsigned)bytes);
        return out;
    }
    for (; value >= 1024 && i < 5; i++)
        value /= 1024;
    snprintf(out, PROGRESS_TEXT, "%.1f %s", value, unit[i]);
    return out;
}

const char *progress_time(int64_t ms, char out[PROGRESS_TEXT])
{
    int64_t s = (ms + 999) / 1000;
    if (s < 120)
        snprintf(out, PROGRESS_TEXT, "%d s", (int)s);
    else if (s < 7200)
        snprintf(out, PROGRESS_TEXT, "%d min %d s", (int)(s / 60), (int)(s % 60));
    else
        snprintf(out, PROGRESS_TEXT, "%lld h %d min", (long long)(s / 3600), (int)(s / 60 % 60));
    return out;
}
