/*
 * What a thread does of a query: it plans it, takes a slice of it, ends it. A slice is scanned on a snapshot of its own into a run of its own; when the last slice is done the runs
 * are merged and the rows written down as JSON. Nothing here looks at the list of queries.
 */
#include "watch/query_jobs_inside.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- planning ---- */

struct span {
    int64_t first_ms, last_ms;
    size_t streams;
};

static int on_stream(void *context, const struct watch_log_stream *stream)
{
    struct span *span = context;
    if (++span->streams > STREAMS_LOOKED_AT)
        return 1;
    if (stream->first_ms >= 0 && (span->first_ms < 0 || stream->first_ms < span->first_ms))
        span->first_ms = stream->first_ms;
    if (stream->last_ms > span->last_ms)
        span->last_ms = stream->last_ms;
    return 0;
}

static int plan_group(struct job *job, struct store_view *view, struct arena *arena, uint32_t index)
{
    struct watch_log_group group;
    struct span span = {.first_ms = -1, .last_ms = -1};
    int64_t from = job->from_ms, to = job->to_ms;
    int code = watch_log_group_get(view, arena, job->group[index], &group);
    if (code)
        return code == ERR_NOT_FOUND ? 0 : code; /* deleted since */
    code = watch_log_stream_each(view, arena, &group, TEXT_NONE, TEXT_NONE, on_stream, &span);
    if (code < 0)
        return code;
    if (!code) {
        from = span.first_ms > from ? span.first_ms : from;
        to = span.last_ms + 1 < to ? span.last_ms + 1 : to;
    }
    if (from >= to)
        return 0;
    int64_t count = (to - from) / SLICE_MIN_MS + 1, step;
    if (count > SLICES_MAX)
        count = SLICES_MAX;
    step = (to - from) / count + 1;
    for (; from < to; from += step)
        job->slice[job->slices++] = (struct slice){index, from, to - from > step ? from + step : to};
    return 0;
}

static void view_begin(struct watch_queries *queries, unsigned thread, struct store_view *view)
{
    *view = (struct store_view){.store = queries->store, .snapshot = store_snapshot_acquire(queries->store, STORE_READER_QUERY + thread), .now_s = clock_wall_ms() / 1000};
}

static void view_end(struct watch_queries *queries, unsigned thread)
{
    store_snapshot_release(queries->store, STORE_READER_QUERY + thread);
}

int query_job_plan(struct watch_queries *queries, struct job *job, unsigned thread)
{
    struct store_view view;
    struct arena arena;
    int code = 0;
    job->slice = calloc(job->groups * (SLICES_MAX + 1), sizeof(*job->slice));
    if (!job->slice)
        return ERR_MEMORY;
    arena_init(&arena, 16 << 10, PLAN_MEMORY);
    view_begin(queries, thread, &view);
    for (uint32_t i = 0; i < job->groups && !code; i++) {
        code = plan_group(job, &view, &arena, i);
        arena_reset(&arena);
    }
    view_end(queries, thread);
    arena_fini(&arena);
    return code;
}

/* ---- a slice ---- */

struct scanning {
    struct job *job;
    struct watch_query_run *run;
    struct watch_query_event event;
};

static int on_event(void *context, const struct watch_log_event *event)
{
    struct scanning *scanning = context;
    if (__atomic_load_n(&scanning->job->stop, __ATOMIC_RELAXED))
        return 1;
    scanning->event.place = event->place;
    scanning->event.ingested_ms = event->ingested_ms;
    scanning->event.message = event->message;
    scanning->event.stream = event->stream;
    return watch_query_feed(scanning->run, &scanning->event);
}

int64_t query_job_left_ms(const struct job *job)
{
    int64_t left = job->started_ms + WATCH_QUERIES_TIME_MAX_MS - clock_mono_ms();
    return left > 0 ? left : 1;
}

/* *read: bytes of text that it took. */
int query_job_slice(struct watch_queries *queries, struct job *job, const struct slice *slice, unsigned thread, uint64_t *read)
{
    struct store_view view;
    struct watch_log_group group;
    struct arena arena;
    int code = job->run[thread] ? 0 : watch_query_run_create(job->query, clock_wall_ms(), &job->run[thread]);
    if (code)
        return code;
    arena_init(&arena, 4096, PLAN_MEMORY);
    view_begin(queries, thread, &view);
    code = watch_log_group_get(&view, &arena, job->group[slice->group], &group);
    if (!code) {
        struct scanning scanning = {.job = job, .run = job->run[thread], .event = {.group = group.id, .log = job->log[slice->group]}};
        struct watch_log_scan scan = {.group = &group, .from_ms = slice->from_ms, .to_ms = slice->to_ms, .now_ms = clock_wall_ms(), .order = WATCH_LOG_ANY, .visit = on_event,
            .context = &scanning, .read_max = WATCH_QUERIES_READ_MAX, .time_max_ms = query_job_left_ms(job)};
        code = watch_log_scan(&view, &scan);
        *read = scan.bytes_read;
        if (code >= 0 && !scan.at_end && !__atomic_load_n(&job->stop, __ATOMIC_RELAXED))
            __atomic_store_n(&job->stop, WATCH_QUERY_TIMEOUT, __ATOMIC_RELAXED);
    }
    view_end(queries, thread);
    arena_fini(&arena);
    return code == ERR_NOT_FOUND || code > 0 ? 0 : code;
}

/* ---- the end of a query ---- */

struct writing {
    struct json_writer w;
    struct buf out;
    size_t good; /* bytes up to the last whole row */
};

static int write_row(void *context, const struct watch_query_cell *cell, size_t count)
{
    struct writing *writing = context;
    json_begin_array(&writing->w);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(&writing->w);
        json_name(&writing->w, "field");
        json_text(&writing->w, cell[i].field);
        json_name(&writing->w, "value");
        json_text(&writing->w, cell[i].value);
        json_end_object(&writing->w);
    }
    json_end_array(&writing->w);
    if (writing->out.failed)
        return 1;
    writing->good = writing->out.len;
    return 0;
}

static int write_rows(struct job *job, struct watch_query_run *run)
{
    struct writing writing;
    buf_init(&writing.out, WATCH_QUERIES_RESULT_MAX);
    json_writer_init(&writing.w, &writing.out);
    json_begin_array(&writing.w);
    writing.good = writing.out.len;
    int code = watch_query_rows(run, write_row, &writing);
    if (code > 0)
        job->totals.partial = PARTIAL_ROWS;
    writing.out.failed = false;
    writing.out.len = writing.good;
    writing.out.limit++;
    if (code >= 0)
        code = buf_add_char(&writing.out, ']');
    job->rows = writing.out;
    return code;
}

int query_job_finish(struct job *job)
{
    struct watch_query_run *run = job->run[0];
    int code = 0;
    for (unsigned i = 1; i < THREADS && !code; i++) {
        if (!job->run[i])
            continue;
        if (run)
            code = watch_query_merge(run, job->run[i]);
        else
            run = job->run[i];
    }
    if (!run) { /* there was nothing to read */
        code = watch_query_run_create(job->query, clock_wall_ms(), &job->run[0]);
        run = job->run[0];
    }
    if (!code)
        code = watch_query_finish(run);
    if (code)
        return code;
    const char *why = job->totals.partial;
    job->totals = watch_query_totals(run);
    if (why)
        job->totals.partial = why;
    return write_rows(job, run);
}
