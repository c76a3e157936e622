/*
 * Reading: tails and chunks as one, in the order of events.
 *
 * A page is the first so many events behind a place. They are chosen, not merged: every block that might hold some is read once, what lies behind the place and matches goes
 * into a selection that keeps the first ones, and the reading ends when the selection is full and no block that was not read can hold anything before its last event. So memory
 * is bounded by the page, however many streams were written at the same time, and no order among blocks is needed but the walk's.
 *
 * When a page has read as much as it may, it ends before the first moment of what it has not read; the next page goes on there. It may be empty.
 */
#include "watch/log_inside.h"

#include "base/clock.h"
#include "base/map.h"
#include <stdlib.h>

#define ARENA_LIMIT ((size_t)256 << 20)

struct name { /* of a stream; data NULL: it was deleted */
    char id[8];
    struct text name;
};

struct select {
    struct watch_log_event *event;
    size_t count, cap, bytes;
    struct arena arena[2]; /* of the messages; the other one takes what is kept */
    int in;
    bool cut;              /* something was dropped: nothing from `bound` on is wanted any more */
    bool more;             /* full, and blocks are left that were not read */
    struct watch_log_place bound;
};

struct scan {
    struct store_view *view;
    struct watch_log_scan *ask;
    struct arena arena;
    struct log_space space;
    struct map names;
    struct select select;
    int64_t from_ms, to_ms, end_ms; /* end_ms: of the monotonic clock */
    uint64_t tail_bytes; /* read in tails: each page reads them all, so they do not count */
    bool backward, stopped;
};

/* ---- streams ---- */

static int stream_name(struct scan *scan, uint64_t stream, struct text *out)
{
    char id[8];
    memcpy(id, &stream, 8);
    struct name *name = map_get(&scan->names, text_make(id, 8));
    if (name) {
        *out = name->name;
        return 0;
    }
    name = arena_zalloc(&scan->arena, sizeof(*name));
    if (!name)
        return ERR_MEMORY;
    memcpy(name->id, id, 8);
    int code = log_stream_name(scan->view, &scan->arena, scan->ask->group->id, stream, &name->name);
    if (code && code != ERR_NOT_FOUND)
        return code;
    if (code)
        name->name = TEXT_NONE;
    *out = name->name;
    return map_put(&scan->names, text_make(name->id, 8), name, NULL);
}

static bool stream_wanted(const struct watch_log_scan *ask, uint64_t stream)
{
    size_t low = 0, high = ask->streams;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ask->stream[middle] == stream)
            return true;
        if (ask->stream[middle] < stream)
            low = middle + 1;
        else
            high = middle;
    }
    return !ask->some;
}

/* ---- the selection ---- */

static bool before(const struct scan *scan, const struct watch_log_place *a, const struct watch_log_place *b)
{
    int order = watch_log_place_compare(a, b);
    return scan->backward ? order > 0 : order < 0;
}

static int by_place(const void *a, const void *b)
{
    return watch_log_place_compare(&((const struct watch_log_event *)a)->place, &((const struct watch_log_event *)b)->place);
}

static int by_place_down(const void *a, const void *b)
{
    return by_place(b, a);
}

static void select_sort(struct scan *scan)
{
    if (scan->select.count)
        qsort(scan->select.event, scan->select.count, sizeof(*scan->select.event), scan->backward ? by_place_down : by_place);
}

/* How many of the sorted events a page takes, and their bytes. */
static size_t page_of(const struct scan *scan, size_t *bytes)
{
    const struct watch_log_scan *ask = scan->ask;
    size_t n = 0;
    *bytes = 0;
    while (n < scan->select.count && (!ask->events_max || n < ask->events_max)) {
        size_t cost = scan->select.event[n].message.len + WATCH_LOG_EVENT_COST;
        if (n && ask->bytes_max && *bytes + cost > ask->bytes_max)
            break;
        *bytes += cost;
        n++;
    }
    return n;
}

/* Keeps what a page takes, in the other arena. */
static int select_shrink(struct scan *scan)
{
    struct select *select = &scan->select;
    struct arena *to = &select->arena[!select->in];
    size_t bytes;
    select_sort(scan);
    size_t keep = page_of(scan, &bytes);
    if (keep == select->count)
        return 0;
    select->cut = true;
    select->bound = select->event[keep].place;
    for (size_t i = 0; i < keep; i++) {
        select->event[i].message = arena_copy(to, select->event[i].message);
        if (!select->event[i].message.data)
            return ERR_MEMORY;
    }
    arena_fini(&select->arena[select->in]);
    arena_init(&select->arena[select->in], 64 << 10, ARENA_LIMIT);
    select->in = !select->in;
    select->count = keep;
    select->bytes = bytes;
    return 0;
}

static int select_add(struct scan *scan, const struct watch_log_event *event)
{
    struct select *select = &scan->select;
    const struct watch_log_scan *ask = scan->ask;
    if (select->count == select->cap) {
        size_t cap = select->cap ? select->cap * 2 : 256;
        struct watch_log_event *grown = realloc(select->event, cap * sizeof(*grown));
        if (!grown)
            return ERR_MEMORY;
        select->event = grown;
        select->cap = cap;
    }
    struct watch_log_event *mine = &select->event[select->count];
    *mine = *event;
    mine->message = arena_copy(&select->arena[select->in], event->message);
    if (!mine->message.data)
        return ERR_MEMORY;
    select->count++;
    select->bytes += event->message.len + WATCH_LOG_EVENT_COST;
    bool full = (ask->bytes_max && select->bytes > 2 * ask->bytes_max) || (ask->events_max && select->count > 2 * ask->events_max);
    return full ? select_shrink(scan) : 0;
}

static bool select_is_full(const struct scan *scan)
{
    const struct watch_log_scan *ask = scan->ask;
    return (ask->bytes_max && scan->select.bytes >= ask->bytes_max) || (ask->events_max && scan->select.count >= ask->events_max);
}

/* ---- blocks ---- */

static int take_event(struct scan *scan, const struct watch_log_event *event)
{
    struct watch_log_scan *ask = scan->ask;
    if (event->place.time_ms < scan->from_ms || event->place.time_ms >= scan->to_ms)
        return 0;
    if (ask->order != WATCH_LOG_ANY) {
        if (ask->after_set && !before(scan, &ask->after, &event->place))
            return 0;
        if (scan->select.cut && !before(scan, &event->place, &scan->select.bound))
            return 0;
    }
    ask->events_read++;
    int code = ask->match ? ask->match(ask->context, event) : 1;
    if (code <= 0)
        return code;
    if (ask->order != WATCH_LOG_ANY)
        return select_add(scan, event);
    if ((ask->events_max && ask->visited == ask->events_max) || (ask->bytes_max && ask->visited && ask->matched_bytes >= ask->bytes_max)) {
        scan->stopped = true;
        return LOG_DONE;
    }
    ask->visited++;
    ask->matched_bytes += event->message.len + WATCH_LOG_EVENT_COST;
    return ask->visit(ask->context, event);
}

/* 0, or what ends the scan. */
static int take_block(struct scan *scan, uint64_t stream, struct text bytes)
{
    struct log_block block;
    struct log_reader reader;
    struct watch_log_event event;
    struct text name;
    int code = log_block_open(bytes, &block);
    if (code || block.max_ms < scan->from_ms || block.min_ms >= scan->to_ms)
        return code;
    code = stream_name(scan, stream, &name);
    if (code || !name.data)
        return code;
    code = log_reader_begin(&reader, &block, &scan->space);
    scan->ask->bytes_read += code ? 0 : block.raw;
    while (!code) {
        code = log_reader_next(&reader, &event);
        event.stream = name;
        if (!code)
            code = take_event(scan, &event);
    }
    return code == ERR_NOT_FOUND ? 0 : code;
}

static bool is_spent(const struct scan *scan)
{
    const struct watch_log_scan *ask = scan->ask;
    return (ask->read_max && ask->bytes_read - scan->tail_bytes >= ask->read_max) || (ask->time_max_ms && clock_mono_ms() >= scan->end_ms);
}

/* ---- tails ---- */

struct tails {
    struct scan *scan;
    struct text prefix;
    int result;
};

static int on_tail(void *context, struct text key, struct text value)
{
    struct tails *tails = context;
    struct scan *scan = tails->scan;
    if (!text_starts(key, tails->prefix))
        return LOG_DONE;
    struct cursor c = cursor_of(text_make(key.data + 9, key.len - 9));
    uint64_t stream = cursor_be64(&c);
    tails->result = stream_wanted(scan->ask, stream) ? take_block(scan, stream, value) : 0;
    return tails->result ? LOG_DONE : 0;
}

/* Their values are copied into an arena of their own, which forgets them row by row. */
struct tail_scan {
    struct tails tails;
    struct arena *arena;
    struct arena_mark mark;
};

static int on_tail_row(void *context, struct text key, struct text value)
{
    struct tail_scan *each = context;
    int code = on_tail(&each->tails, key, value);
    arena_rewind(each->arena, each->mark);
    return code;
}

static int take_tails_of(struct scan *scan, const uint64_t *stream)
{
    struct arena rows;
    struct log_key key;
    log_key_begin(&key, 't', scan->ask->group->id);
    if (stream)
        log_key_add64(&key, *stream);
    arena_init(&rows, 64 << 10, 4 * LOG_BLOCK_MAX);
    struct tail_scan each = {.tails = {.scan = scan, .prefix = log_key_text(&key)}, .arena = &rows, .mark = arena_mark(&rows)};
    int code = store_raw_scan(scan->view, STORE_SPACE_LOG_CHUNKS, log_key_text(&key), &rows, on_tail_row, &each);
    arena_fini(&rows);
    return code == LOG_DONE ? each.tails.result : code;
}

static int take_tails(struct scan *scan)
{
    const struct watch_log_scan *ask = scan->ask;
    if (!ask->some || ask->streams > LOG_WALK_STREAMS)
        return take_tails_of(scan, NULL);
    int code = 0;
    for (size_t i = 0; i < ask->streams && !code; i++)
        code = take_tails_of(scan, &ask->stream[i]);
    return code;
}

/* ---- chunks ---- */

static int take_chunk(struct scan *scan, const struct log_ref *ref)
{
    struct arena_mark mark;
    struct log_key key = log_chunk_key(scan->ask->group->id, ref->stream, ref->chunk);
    struct text bytes, name;
    if (!stream_wanted(scan->ask, ref->stream))
        return 0;
    int code = stream_name(scan, ref->stream, &name); /* first: it stays in the arena */
    if (code || !name.data)
        return code;
    mark = arena_mark(&scan->arena);
    code = store_raw_get(scan->view, STORE_SPACE_LOG_CHUNKS, log_key_text(&key), &scan->arena, &bytes);
    if (!code)
        code = take_block(scan, ref->stream, bytes);
    else if (code == ERR_NOT_FOUND)
        code = ERR_CORRUPT;
    arena_rewind(&scan->arena, mark);
    return code;
}

/* Nothing that is not walked yet can come before the last event that is kept. */
static bool is_settled(struct scan *scan, int64_t bound_ms)
{
    struct select *select = &scan->select;
    if (!select_is_full(scan))
        return false;
    const struct watch_log_place *last = &select->event[0].place;
    for (size_t i = 1; i < select->count; i++)
        if (before(scan, last, &select->event[i].place))
            last = &select->event[i].place;
    return scan->backward ? bound_ms < last->time_ms : bound_ms > last->time_ms;
}

/* May the page end at the bound: is it beyond the place where it began? */
static bool may_stop(const struct scan *scan, int64_t bound_ms)
{
    const struct watch_log_scan *ask = scan->ask;
    int64_t begin = ask->after_set ? ask->after.time_ms : scan->backward ? scan->to_ms : scan->from_ms;
    if (ask->after_set && !scan->backward && ask->after.sequence == UINT64_MAX)
        begin++; /* it stands behind all events of its moment */
    return scan->backward ? bound_ms < begin : bound_ms > begin;
}

/* *stop: everything before (backward: from) bound_ms was read, the rest not. */
static int take_chunks(struct scan *scan, bool *stop, int64_t *bound_ms)
{
    struct watch_log_scan *ask = scan->ask;
    struct log_walk *walk;
    struct log_ref ref;
    size_t streams = ask->some ? ask->streams : 0;
    scan->tail_bytes = ask->bytes_read;
    int code = log_walk_begin(scan->view, &scan->arena, ask->group->id, ask->stream, streams, scan->from_ms, scan->to_ms, scan->backward, &walk);
    *stop = false;
    while (!code) {
        bool more;
        code = log_walk_bound(walk, &more, bound_ms);
        if (code || !more)
            return code;
        if (ask->order != WATCH_LOG_ANY && is_settled(scan, *bound_ms)) {
            scan->select.more = true;
            return 0;
        }
        if (is_spent(scan) && (ask->order == WATCH_LOG_ANY || may_stop(scan, *bound_ms))) {
            *stop = true;
            scan->stopped = true;
            return 0;
        }
        code = log_walk_next(walk, &ref);
        if (!code)
            code = take_chunk(scan, &ref);
    }
    return code == ERR_NOT_FOUND ? 0 : code;
}

/* ---- pages ---- */

/* Nothing of what lies on the far side of the bound was read: the page ends there. */
static void end_at(struct scan *scan, int64_t bound_ms)
{
    struct select *select = &scan->select;
    size_t kept = 0;
    for (size_t i = 0; i < select->count; i++) {
        int64_t at = select->event[i].place.time_ms;
        if (scan->backward ? at >= bound_ms : at < bound_ms)
            select->event[kept++] = select->event[i];
    }
    if (kept < select->count)
        select->cut = false; /* what was cut off lies behind what goes now */
    select->count = kept;
}

static void set_next(struct scan *scan, bool stop, int64_t bound_ms, size_t taken)
{
    struct watch_log_scan *ask = scan->ask;
    if (taken < scan->select.count || scan->select.cut || scan->select.more) {
        ask->next = scan->select.event[taken - 1].place;
        ask->at_end = false;
    } else if (stop) {
        ask->next = scan->backward ? (struct watch_log_place){.time_ms = bound_ms} : (struct watch_log_place){bound_ms - 1, UINT64_MAX, UINT32_MAX, UINT32_MAX};
        ask->at_end = false;
    } else {
        ask->at_end = true;
        if (taken)
            ask->next = scan->select.event[taken - 1].place;
        else if (ask->after_set)
            ask->next = ask->after;
        else
            ask->next = scan->backward ? (struct watch_log_place){.time_ms = scan->to_ms} : (struct watch_log_place){.time_ms = scan->from_ms};
    }
}

static int page(struct scan *scan)
{
    struct watch_log_scan *ask = scan->ask;
    bool stop = false;
    int64_t bound = 0;
    int code = take_tails(scan);
    if (!code)
        code = take_chunks(scan, &stop, &bound);
    if (code)
        return code;
    if (stop)
        end_at(scan, bound);
    select_sort(scan);
    size_t taken = page_of(scan, &ask->matched_bytes);
    set_next(scan, stop, bound, taken);
    for (size_t i = 0; i < taken && code >= 0; i++)
        code = ask->visit(ask->context, &scan->select.event[i]);
    ask->visited = taken;
    return code < 0 ? code : 0;
}

static int aggregate(struct scan *scan)
{
    bool stop;
    int64_t bound;
    int code = take_tails(scan);
    if (!code)
        code = take_chunks(scan, &stop, &bound);
    scan->ask->at_end = !code && !scan->stopped;
    return scan->stopped && code > 0 ? 0 : code;
}

static void bounds(struct scan *scan)
{
    struct watch_log_scan *ask = scan->ask;
    int64_t horizon = watch_log_horizon_ms(ask->group, ask->now_ms);
    scan->from_ms = ask->from_ms > horizon ? ask->from_ms : horizon;
    scan->to_ms = ask->to_ms > 0 ? ask->to_ms : 0;
    if (!ask->after_set || ask->order == WATCH_LOG_ANY)
        return;
    if (scan->backward && ask->after.time_ms < scan->to_ms - 1)
        scan->to_ms = ask->after.time_ms + 1;
    if (!scan->backward && ask->after.time_ms > scan->from_ms)
        scan->from_ms = ask->after.time_ms;
}

int watch_log_scan(struct store_view *view, struct watch_log_scan *ask)
{
    struct scan scan = {.view = view, .ask = ask, .backward = ask->order == WATCH_LOG_BACKWARD};
    ask->visited = ask->matched_bytes = 0;
    ask->events_read = ask->bytes_read = 0;
    ask->at_end = true;
    ask->next = ask->after;
    scan.end_ms = clock_mono_ms() + ask->time_max_ms;
    bounds(&scan);
    arena_init(&scan.arena, 64 << 10, ARENA_LIMIT);
    arena_init(&scan.select.arena[0], 64 << 10, ARENA_LIMIT);
    arena_init(&scan.select.arena[1], 64 << 10, ARENA_LIMIT);
    log_space_init(&scan.space);
    map_init(&scan.names);
    int code = 0;
    if (!ask->some || ask->streams)
        code = ask->order == WATCH_LOG_ANY ? aggregate(&scan) : page(&scan);
    map_fini(&scan.names);
    log_space_fini(&scan.space);
    free(scan.select.event);
    for (int i = 0; i < 2; i++)
        arena_fini(&scan.select.arena[i]);
    arena_fini(&scan.arena);
    return code;
}
