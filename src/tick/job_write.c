/*
 * What all jobs need: a view of the present, and writing into the table that is filled. Items are gathered into slices; a slice is one call of the tick, small enough
 * that nobody waits for it, and as large as one fsync should carry.
 */
#include "tick/job_inside.h"

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"

#define PROGRESS_MS 10000

void job_view_begin(struct jobs *jobs, struct store_view *view, int64_t now_s)
{
    *view = (struct store_view){.store = jobs->store, .snapshot = store_snapshot_acquire(jobs->store, STORE_READER_JOBS), .now_s = now_s};
}

void job_view_end(struct jobs *jobs)
{
    store_snapshot_release(jobs->store, STORE_READER_JOBS);
}

static int slice_item(struct job_run *run, struct tick *tick, struct arena *arena, struct text bytes, bool gone)
{
    struct attr *item = NULL;
    struct arena_mark mark = arena_mark(arena);
    int code = item_decode(arena, bytes, &item);
    if (!code)
        code = gone ? store_delete(tick_view(tick), run->target, item, STORE_BY_SERVICE, arena, NULL, &run->err)
                    : store_put(tick_view(tick), run->target, item, STORE_LOOSE, arena, NULL, &run->err);
    arena_rewind(arena, mark);
    return code;
}

static int slice_body(struct tick *tick, struct arena *arena, void *context)
{
    struct job_run *run = context;
    int code = 0;
    for (unsigned i = 0; i < run->slice.rows && !code; i++)
        code = slice_item(run, tick, arena, text_make(run->slice.bytes.data + run->slice.row[i].at, run->slice.row[i].len), run->slice.row[i].gone);
    return code;
}

/* Reads what the slice replaces, so that the call finds it in the block cache: one that met a cold block for each of its items would begin as often. */
static void slice_warm(struct job_run *run)
{
    struct jobs *jobs = run->jobs;
    struct store_view view = {.store = jobs->store, .snapshot = store_snapshot_acquire(jobs->store, STORE_READER_WARM), .now_s = clock_wall_ms() / 1000};
    const struct attr *found;
    struct attr *item = NULL;
    for (unsigned i = 0; i < run->slice.rows; i++) {
        if (item_decode(&jobs->call_arena, text_make(run->slice.bytes.data + run->slice.row[i].at, run->slice.row[i].len), &item) == 0)
            store_get(&view, run->target, item, &jobs->call_arena, &found);
        arena_reset(&jobs->call_arena);
    }
    store_snapshot_release(jobs->store, STORE_READER_WARM);
}

int job_write_rest(struct job_run *run)
{
    if (!run->slice.rows)
        return 0;
    slice_warm(run);
    int code = jobs_call(run->jobs, slice_body, run);
    if (code == ERR_NOT_FOUND)
        code = err_set(&run->err, ERR_GONE, "the table was deleted");
    if (!code)
        counter_add(COUNTER_jobs_items, run->slice.rows);
    buf_clear(&run->slice.bytes);
    run->slice.rows = 0;
    return code;
}

int job_write(struct job_run *run, struct text bytes, bool gone)
{
    struct job_slice *slice = &run->slice;
    bool full = slice->rows == JOB_SLICE_ITEMS || (slice->rows && slice->bytes.len + bytes.len > JOB_SLICE_BYTES);
    int code = full ? job_write_rest(run) : 0;
    if (code)
        return code;
    slice->row[slice->rows].at = (uint32_t)slice->bytes.len;
    slice->row[slice->rows].len = (uint32_t)bytes.len;
    slice->row[slice->rows].gone = gone;
    if (buf_add_text(&slice->bytes, bytes))
        return err_set(&run->err, ERR_MEMORY, "out of memory");
    slice->rows++;
    return 0;
}

void job_progress(struct job_run *run, const char *what)
{
    int64_t now = clock_mono_ms();
    if (now - run->jobs->said_ms < PROGRESS_MS)
        return;
    run->jobs->said_ms = now;
    log_info("job", "%s: %s, %llu items", run->job.id, what, (unsigned long long)run->job.items);
}
