/*
 * A table as it was at a time T, by undoing.
 *
 * Let S be the sequence of a snapshot. An item that differs between T and S was changed by a record in between; the first such record holds it as it was at T.
 * So the table at T is the snapshot, overridden by the BEFORE image of the first change of each key in (T, S].
 *
 * The journal is walked from its newest segment back. Within a segment the records are read forward and each key's first old image is gathered, up to a bound of
 * memory (a longer segment is cut into stretches, the newest of which is applied first); then those are applied, and the older stretch overrides them. So the
 * oldest image has the last word, with memory for one stretch.
 *
 * Beginning anew after a crash, with a later snapshot S', over what was written before: every key whose state at T differs from what the first attempt may have
 * left has a change in (T, S'], and is overridden; the others are put over themselves. So the result is the same.
 */
#include "tick/job_inside.h"

#include "base/clock.h"
#include "base/map.h"
#include <stdlib.h>

#define STRETCHES_MAX 4096 /* of one segment; more than its bytes can fill */

struct rewind {
    struct job_run *run;
    const struct job_images *images;
    uint64_t snapshot;   /* S */
    struct map first;    /* key -> struct image, of a stretch */
    struct arena arena;  /* their bytes */
    bool reached;        /* a record of T or earlier was met: nothing older matters */
    int64_t expiry_s;    /* the second by which items had expired at T; -1: none had */
};

struct image {
    struct text key, before; /* before.len 0: there was no item */
};

/* ---- the snapshot ---- */

static int copy_snapshot(struct rewind *r)
{
    struct job_run *run = r->run;
    struct store_query query = {.table = run->source};
    struct store_cursor *cursor;
    struct store_view view;
    const struct attr *item;
    struct buf bytes;
    struct arena own;
    arena_init(&own, 64 << 10, JOB_ARENA_LIMIT);
    buf_init(&bytes, 2 * ITEM_BYTES_MAX);
    job_view_begin(run->jobs, &view, r->expiry_s); /* what had expired by then was not there */
    r->snapshot = store_snapshot_sequence(view.snapshot);
    int code = store_query_open(&view, &query, &own, &cursor, &run->err);
    struct arena_mark mark = arena_mark(&own);
    bool opened = !code;
    while (!code && (code = store_cursor_next(cursor, &own, &item)) == 0) {
        buf_clear(&bytes);
        code = item_encode(&bytes, item);
        if (!code)
            code = r->images->take(r->images->context, buf_text(&bytes), false);
        arena_rewind(&own, mark);
        job_progress(run, "copying");
    }
    if (opened)
        store_cursor_close(cursor);
    job_view_end(run->jobs);
    buf_fini(&bytes);
    arena_fini(&own);
    return code == ERR_NOT_FOUND ? 0 : code;
}

/* ---- a stretch ---- */

static void stretch_clear(struct rewind *r)
{
    map_fini(&r->first);
    map_init(&r->first);
    arena_reset(&r->arena);
}

static int note_first(struct rewind *r, const struct store_change *change)
{
    if (map_get(&r->first, change->keys))
        return 0;
    struct image *image = arena_zalloc(&r->arena, sizeof(*image));
    if (!image)
        return ERR_MEMORY;
    image->key = arena_copy(&r->arena, change->keys);
    if (change->before.len)
        image->before = arena_copy(&r->arena, change->before);
    if (!image->key.data || (change->before.len && !image->before.data))
        return ERR_MEMORY;
    return map_put(&r->first, image->key, image, NULL);
}

static int read_record(struct rewind *r, struct text bytes)
{
    struct store_change_reader reader;
    struct store_change change;
    struct tick_record record;
    int code = tick_record_parse(bytes, &record);
    if (code)
        return code;
    if (record.time_ms <= r->run->job.time_ms) {
        r->reached = true;
        return 0;
    }
    code = store_change_begin(&reader, record.store);
    while (!code && (code = store_change_next(&reader, &change)) == 0)
        if (change.table_id == r->run->job.source_id)
            code = note_first(r, &change);
    return code == ERR_NOT_FOUND ? 0 : code;
}

/* Gathers from `from` up to and including `to`, or until the bound is met; *next is the first that was not read. A record is taken whole. */
static int gather(struct rewind *r, uint64_t from, uint64_t to, uint64_t *next)
{
    struct job_run *run = r->run;
    struct journal_reader *reader = NULL;
    struct text bytes;
    stretch_clear(r);
    int code = journal_reader_open(run->jobs->journal, from, &reader, &run->err);
    *next = from;
    while (!code && *next <= to && r->arena.used < run->jobs->stretch_bytes) {
        uint64_t sequence;
        code = journal_reader_next(reader, &sequence, &bytes, &run->err);
        if (!code)
            code = read_record(r, bytes);
        if (!code && jobs_stopping(run->jobs))
            code = ERR_CLOSED;
        ++*next;
    }
    journal_reader_close(reader);
    job_progress(run, "undoing");
    return code;
}

/* An item that had expired by T was not there, whether it had been swept or not. */
static int apply_one(struct rewind *r, const struct image *image)
{
    struct attr *item = NULL;
    bool gone = !image->before.len;
    struct arena *arena = &r->run->jobs->call_arena;
    if (!gone && r->expiry_s >= 0) {
        int code = item_decode(arena, image->before, &item);
        gone = !code && store_item_expired(r->run->source, item, r->expiry_s);
        arena_reset(arena);
        if (code)
            return code;
    }
    return r->images->take(r->images->context, gone ? image->key : image->before, gone);
}

static int apply(struct rewind *r)
{
    const struct image *image;
    int code = 0;
    for (size_t at = 0; !code && (image = map_next(&r->first, &at)) != NULL;)
        code = apply_one(r, image);
    return code;
}

/* ---- a segment ---- */

/* Records from `from` to `to`, of one segment. The newest stretch is the last that is gathered, so it can be applied at once; the older ones are read again. */
static int undo_segment(struct rewind *r, uint64_t from, uint64_t to, uint64_t *start)
{
    size_t count = 1;
    uint64_t next;
    start[0] = from;
    int code = gather(r, from, to, &next);
    while (!code && next <= to) {
        if (count == STRETCHES_MAX)
            return err_set(&r->run->err, ERR_TOO_LARGE, "a segment of the journal has too many changes");
        start[count++] = next;
        code = gather(r, next, to, &next);
    }
    if (!code)
        code = apply(r);
    while (!code && --count > 0) {
        code = gather(r, start[count - 1], start[count] - 1, &next);
        if (!code)
            code = apply(r);
    }
    return code;
}

static int undo(struct rewind *r)
{
    struct journal *journal = r->run->jobs->journal;
    uint64_t *start = malloc(STRETCHES_MAX * sizeof(*start));
    uint64_t at = r->snapshot;
    int code = start ? 0 : ERR_MEMORY;
    while (!code && at > 0 && !r->reached) {
        uint64_t first = journal_segment_first(journal, at);
        if (!first)
            break;
        code = undo_segment(r, first, at, start);
        at = first - 1;
    }
    free(start);
    if (!code && !r->reached && tick_journal_since_ms(r->run->jobs->tick) > r->run->job.time_ms)
        code = err_set(&r->run->err, ERR_NOT_FOUND, "the journal does not reach back to that time any more");
    return code;
}

int job_rewind_walk(struct job_run *run, const struct job_images *images)
{
    struct rewind r = {.run = run, .images = images, .expiry_s = -1};
    /* Time to live that was turned on later had no say at T: what it has deleted since comes back. */
    if (run->job.time_ms >= store_table_ttl_since(run->source))
        r.expiry_s = run->job.time_ms / 1000;
    map_init(&r.first);
    arena_init(&r.arena, 1 << 20, JOB_REWIND_BYTES + 2 * (size_t)JOURNAL_RECORD_MAX);
    int code = copy_snapshot(&r);
    if (!code)
        code = undo(&r);
    map_fini(&r.first);
    arena_fini(&r.arena);
    return code;
}

static int to_target(void *context, struct text bytes, bool gone)
{
    struct job_run *run = context;
    run->job.items += !gone;
    return job_write(run, bytes, gone);
}

int job_rewind_run(struct job_run *run)
{
    struct job_images images = {to_target, run};
    if (!run->source)
        return err_set(&run->err, ERR_INVALID, "the table that was to be restored was deleted");
    return job_rewind_walk(run, &images);
}
