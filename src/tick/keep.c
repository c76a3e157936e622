/*
 * What the journal keeps, and when the tables are flushed.
 *
 * The journal knows sequences, retention speaks of hours and bytes. So every MiB, and every ten minutes of writing, a mark is noted: this sequence, at that time, after
 * so many bytes. Marks are rows, staged into the tick they mark: they cost nothing of their own, and a restart finds them without reading the journal.
 *
 * The journal is never truncated above what the tables have flushed (a crash replays from there), and the tables are asked to flush when too much is in their
 * memory alone, which bounds the time of a restart.
 */
#include "tick/inside.h"

#include "base/clock.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>

enum { MARK_KEY = 8, MARK_VALUE = 16, DELETES_MAX = 64 /* rows of forgotten marks deleted in one tick */ };

static void put_be64(char *at, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        at[i] = (char)(value & 0xFF);
}

static int load_mark(void *context, struct text key, struct text value)
{
    struct keep *keep = context;
    struct cursor k = cursor_of(key), v = cursor_of(value);
    struct keep_mark mark = {.sequence = cursor_be64(&k)};
    mark.time_ms = (int64_t)cursor_be64(&v);
    mark.bytes = cursor_be64(&v);
    if (k.failed || v.failed)
        return ERR_CORRUPT;
    if (keep->marks == KEEP_MARKS_MAX)
        return 0;
    keep->mark[keep->marks++] = mark;
    return 0;
}

int keep_load(struct tick *tick, struct err *err)
{
    struct keep *keep = &tick->keep;
    keep->mark = calloc(KEEP_MARKS_MAX, sizeof(*keep->mark));
    if (!keep->mark)
        return err_set(err, ERR_MEMORY, "no memory for the journal's marks");
    atomic_init(&keep->from, UINT64_MAX);
    tick->view.cache_only = false;
    int rc = store_raw_scan(&tick->view, TICK_SPACE_MARKS, TEXT_NONE, &tick->arena, load_mark, keep);
    arena_reset(&tick->arena);
    if (rc != 0)
        return err_set(err, rc, "the journal's marks cannot be read: %s", err_text(rc));
    if (keep->marks > 0)
        keep->bytes = keep->mark[keep->marks - 1].bytes;
    keep->flushed = store_flushed(tick->config.store);
    return 0;
}

void keep_fini(struct tick *tick)
{
    free(tick->keep.mark);
}

static bool mark_due(const struct tick *tick)
{
    const struct keep *keep = &tick->keep;
    if (keep->marks == 0)
        return true;
    const struct keep_mark *last = &keep->mark[keep->marks - 1];
    return keep->marks < KEEP_MARKS_MAX && (keep->bytes - last->bytes >= KEEP_MARK_BYTES ||
                                               tick->current->time_ms - last->time_ms >= KEEP_MARK_MS);
}

static int stage_mark(struct tick *tick)
{
    char key[MARK_KEY], value[MARK_VALUE];
    put_be64(key, tick->current->sequence);
    put_be64(value, (uint64_t)tick->current->time_ms);
    put_be64(value + 8, tick->keep.bytes);
    return store_raw_put(tick->current->stage, TICK_SPACE_MARKS, text_make(key, sizeof(key)), text_make(value, sizeof(value)));
}

bool keep_stage(struct tick *tick)
{
    struct keep *keep = &tick->keep;
    keep->deleting = 0;
    while (keep->deleting < keep->forgotten && keep->deleting < DELETES_MAX) {
        char key[MARK_KEY];
        put_be64(key, keep->mark[keep->deleting].sequence);
        if (store_raw_delete(tick->current->stage, TICK_SPACE_MARKS, text_make(key, sizeof(key))) != 0)
            break;
        keep->deleting++;
    }
    return mark_due(tick) && stage_mark(tick) == 0;
}

void keep_note(struct tick *tick, bool mark, uint64_t sequence, int64_t time_ms, size_t bytes)
{
    struct keep *keep = &tick->keep;
    memmove(keep->mark, keep->mark + keep->deleting, (keep->marks - keep->deleting) * sizeof(*keep->mark));
    keep->marks -= keep->deleting;
    keep->forgotten -= keep->deleting;
    keep->deleting = 0;
    if (mark)
        keep->mark[keep->marks++] = (struct keep_mark){sequence, time_ms, keep->bytes};
    keep->bytes += bytes;
}

/* The bytes that were appended up to about that sequence. */
static uint64_t bytes_at(const struct keep *keep, uint64_t sequence)
{
    uint64_t bytes = keep->marks > 0 ? keep->mark[0].bytes : 0;
    for (size_t i = 0; i < keep->marks && keep->mark[i].sequence <= sequence; i++)
        bytes = keep->mark[i].bytes;
    return bytes;
}

static void flush_if_much(struct tick *tick)
{
    struct keep *keep = &tick->keep;
    uint64_t flushed = store_flushed(tick->config.store);
    if (flushed > keep->flushed)
        keep->flush_asked = 0;
    keep->flushed = flushed;
    uint64_t since = keep->flush_asked ? keep->flush_asked : bytes_at(keep, flushed);
    if (keep->bytes - since <= KEEP_FLUSH_BYTES)
        return;
    struct err err = {0};
    keep->flush_asked = keep->bytes;
    if (store_flush(tick->config.store, false, &err) != 0)
        log_warn("tick", "the tables cannot be flushed: %s", err.text);
}

/* The first sequence that retention wants to keep. */
static uint64_t retained_from(const struct tick *tick)
{
    const struct keep *keep = &tick->keep;
    int64_t oldest_ms = clock_wall_ms() - tick->config.retention_ms;
    uint64_t from = 0;
    for (size_t i = 0; i < keep->marks; i++) {
        const struct keep_mark *mark = &keep->mark[i];
        /* What is below a mark is older than it. */
        bool beyond_bytes = i > 0 && keep->bytes - keep->mark[i - 1].bytes > tick->config.retention_bytes;
        if (mark->time_ms <= oldest_ms || beyond_bytes)
            from = mark->sequence;
    }
    return from;
}

static void forget_marks(struct tick *tick)
{
    struct keep *keep = &tick->keep;
    uint64_t first = journal_first(tick->config.journal);
    while (keep->forgotten + 1 < keep->marks && keep->mark[keep->forgotten + 1].sequence <= first)
        keep->forgotten++;
}

void keep_house(struct tick *tick)
{
    struct keep *keep = &tick->keep;
    flush_if_much(tick);
    uint64_t below = retained_from(tick);
    uint64_t asked = atomic_load_explicit(&keep->from, memory_order_relaxed);
    if (below > asked)
        below = asked;
    if (below > keep->flushed)
        below = keep->flushed;
    if (below <= journal_first(tick->config.journal))
        return;
    journal_truncate(tick->config.journal, below);
    forget_marks(tick);
}

void tick_keep_from(struct tick *tick, uint64_t sequence)
{
    atomic_store_explicit(&tick->keep.from, sequence, memory_order_relaxed);
}
