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

#include "base/assert.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>

enum { MARK_KEY = 8, MARK_VALUE = 16, DELETES_MAX = 64 /* rows of forgotten marks deleted in one tick */ };

static void put_be64(char *at, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        at[i] = (char)(value & 0xFF);
}

/* What retention asks for now, with what tick_retain wants. */
static int64_t wanted_ms(const struct tick *tick)
{
    int64_t ms = atomic_load_explicit(&tick->keep.wanted_ms, memory_order_relaxed);
    return ms > tick->config.retention_ms ? ms : tick->config.retention_ms;
}

static uint64_t wanted_bytes(const struct tick *tick)
{
    uint64_t bytes = atomic_load_explicit(&tick->keep.wanted_bytes, memory_order_relaxed);
    return bytes > tick->config.retention_bytes ? bytes : tick->config.retention_bytes;
}

/* Marks stand farther apart when more is kept, so that there is room for them all. */
static uint64_t mark_bytes(const struct tick *tick)
{
    uint64_t step = wanted_bytes(tick) / (KEEP_MARKS_MAX / 2);
    return step > KEEP_MARK_BYTES ? step : KEEP_MARK_BYTES;
}

/* The first mark that is not forgotten lies at or behind the oldest record, so what was forgotten is not younger than it. */
static void note_since(struct tick *tick)
{
    struct keep *keep = &tick->keep;
    uint64_t first = journal_first(tick->config.journal);
    int64_t since_ms = first <= 1 ? INT64_MIN : tick->last_time_ms;
    for (size_t i = 0; first > 1 && i < keep->marks; i++)
        if (keep->mark[i].sequence >= first) {
            since_ms = keep->mark[i].time_ms;
            break;
        }
    atomic_store_explicit(&keep->since_ms, since_ms, memory_order_relaxed);
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
    for (int i = 0; i < TICK_KEEPERS; i++)
        atomic_init(&keep->from[i], UINT64_MAX);
    tick->view.cache_only = false;
    int rc = store_raw_scan(&tick->view, TICK_SPACE_MARKS, TEXT_NONE, &tick->arena, load_mark, keep);
    arena_reset(&tick->arena);
    if (rc != 0)
        return err_set(err, rc, "the journal's marks cannot be read: %s", err_text(rc));
    if (keep->marks > 0)
        keep->bytes = keep->mark[keep->marks - 1].bytes;
    keep->flushed = store_flushed(tick->config.store);
    note_since(tick);
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
    return keep->marks < KEEP_MARKS_MAX && (keep->bytes - last->bytes >= mark_bytes(tick) ||
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

/* Recovery wants more time than the bound of bytes leaves: the window shrinks, and it is said once until it fits again. */
static void note_cut(struct tick *tick, uint64_t by_time, uint64_t by_bytes)
{
    struct keep *keep = &tick->keep;
    bool cut = atomic_load_explicit(&keep->wanted_ms, memory_order_relaxed) > 0 && by_bytes > by_time && by_bytes > journal_first(tick->config.journal);
    if (cut)
        counter_add(COUNTER_recovery_cuts, 1);
    if (cut && !keep->cut)
        log_warn("tick", "the journal reaches recovery.bytes: what is older is forgotten, and tables cannot be restored to times as early as their recovery period says");
    if (cut || by_bytes <= by_time)
        keep->cut = cut;
}

/* The first sequence that retention wants to keep. */
static uint64_t retained_from(struct tick *tick)
{
    const struct keep *keep = &tick->keep;
    int64_t oldest_ms = clock_wall_ms() - wanted_ms(tick);
    uint64_t by_time = 0, by_bytes = 0, bytes = wanted_bytes(tick);
    for (size_t i = 0; i < keep->marks; i++) {
        const struct keep_mark *mark = &keep->mark[i];
        /* What is below a mark is older than it. */
        if (mark->time_ms <= oldest_ms)
            by_time = mark->sequence;
        if (i > 0 && keep->bytes - keep->mark[i - 1].bytes > bytes)
            by_bytes = mark->sequence;
    }
    note_cut(tick, by_time, by_bytes);
    return by_time > by_bytes ? by_time : by_bytes;
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
    for (int i = 0; i < TICK_KEEPERS; i++) {
        uint64_t asked = atomic_load_explicit(&keep->from[i], memory_order_relaxed);
        below = below > asked ? asked : below;
    }
    if (below > keep->flushed)
        below = keep->flushed;
    if (below <= journal_first(tick->config.journal))
        return;
    journal_truncate(tick->config.journal, below);
    forget_marks(tick);
    note_since(tick);
}

void tick_keep_from(struct tick *tick, enum tick_keeper keeper, uint64_t sequence)
{
    ASSERT((unsigned)keeper < TICK_KEEPERS);
    atomic_store_explicit(&tick->keep.from[keeper], sequence, memory_order_relaxed);
}

void tick_retain(struct tick *tick, int64_t ms, uint64_t bytes)
{
    atomic_store_explicit(&tick->keep.wanted_bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&tick->keep.wanted_ms, ms, memory_order_relaxed);
}

int64_t tick_journal_since_ms(const struct tick *tick)
{
    return atomic_load_explicit(&tick->keep.since_ms, memory_order_relaxed);
}
