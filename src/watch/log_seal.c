/*
 * The seal of a tick, for log lines: what its calls have put becomes rows of streams, and each stream's own row is written once.
 *
 * A note holds a put: where it goes by names and by ids, its place among the calls, its events. The names find the rows, and the ids say whether they are still the same ones:
 * a later call of the tick may have deleted the group, or made another one of that name, and then the note's events are gone with what they were put into.
 *
 * A line of a route goes to two streams, the route's and its function's. So notes are sorted by where they go, the events of those with the same targets are one block, and that
 * block is made and compressed once, for both. A block of some size (DIRECT_BYTES) is a chunk at once: it has nothing to gain from packing, and under load nothing is written twice.
 * A smaller one is a tail, compressed all the same: it goes through the journal and the tables' memory, and is deleted there again.
 *
 * Places are made of the call that put, not of the seal, so an event's id is the one that its call could have told.
 */
#include "watch/log_inside.h"

#include "base/counter.h"
#include "watch/seal.h"

#define PACK_ROWS 256                      /* tails of a stream that are packed at once rather than soon */
#define TAIL_KEPT ((size_t)256 << 10)      /* bytes of a buffer that are kept between two seals */
#define DIRECT_BYTES ((size_t)16 << 10)    /* of text: enough for a chunk, */
#define DIRECT_SPAN_MS INT64_C(60000)      /* unless its events lie so far apart that they had better be sorted with others */
#define COMPRESS_BYTES ((size_t)192)       /* of text; less has nothing to repeat */

struct log_note {
    struct log_target target[LOG_TARGETS]; /* the key of struct open */
    struct log_note *next;                 /* of the same targets, at the seal */
    int64_t now_ms;
    uint32_t call, first, count;
    uint16_t stream_len, group_len[LOG_TARGETS];
    char bytes[];                          /* the names, then events: time(8) length(4) message */
};
#define NOTE_EVENT 12
#define NOTE_KEY sizeof(((struct log_note *)0)->target)

struct touched { /* a stream that the tick has written to */
    struct touched *next;
    struct log_target key;
    struct watch_log_group group;
    struct watch_log_stream stream;
    int64_t stored; /* bytes of chunks that were made at once */
    bool gone;      /* what was put into it was deleted by a later call */
};

struct open { /* what goes to the same streams */
    struct open *next;
    struct log_note *first, *last;
    struct touched *to[LOG_TARGETS]; /* NULL: none, or gone */
};

/* ---- in the call ---- */

int log_note(struct tick *tick, const struct watch_log_put *put, const struct log_target target[LOG_TARGETS])
{
    size_t size = sizeof(struct log_note) + put->stream.len + put->group.len + put->also.len;
    for (size_t i = 0; i < put->count; i++)
        size += NOTE_EVENT + put->event[i].message.len;
    struct log_note *note = tick_note(tick, WATCH_NOTE_LOG, size);
    if (!note)
        return ERR_MEMORY;
    *note = (struct log_note){.target = {target[0], target[1]}, .now_ms = tick_now_ms(tick), .call = tick_call_number(tick), .first = put->first_index,
        .count = (uint32_t)put->count, .stream_len = (uint16_t)put->stream.len, .group_len = {(uint16_t)put->group.len, (uint16_t)put->also.len}};
    char *at = text_put(text_put(text_put(note->bytes, put->stream), put->group), put->also);
    for (size_t i = 0; i < put->count; i++) {
        const struct watch_log_event *event = &put->event[i];
        uint32_t len = (uint32_t)event->message.len;
        memcpy(at, &event->place.time_ms, 8);
        memcpy(at + 8, &len, 4);
        at = text_put(at + NOTE_EVENT, event->message);
    }
    return 0;
}

/* ---- notes, at the seal ---- */

static struct text note_stream(const struct log_note *note)
{
    return text_make(note->bytes, note->stream_len);
}

static struct text note_group(const struct log_note *note, int target)
{
    return text_make(note->bytes + note->stream_len + (target ? note->group_len[0] : 0), note->group_len[target]);
}

/* The next event of a note; *at begins as NULL. */
static void note_event(const struct log_note *note, const char **at, uint32_t number, uint64_t sequence, struct watch_log_event *event)
{
    const char *from = *at ? *at : note->bytes + note->stream_len + note->group_len[0] + note->group_len[1];
    uint32_t len;
    *event = (struct watch_log_event){.ingested_ms = note->now_ms, .place = {.sequence = sequence, .call = note->call, .index = note->first + number}};
    memcpy(&event->place.time_ms, from, 8);
    memcpy(&len, from + 8, 4);
    event->message = text_make(from + NOTE_EVENT, len);
    *at = from + NOTE_EVENT + len;
}

struct seal {
    struct tick *tick;
    struct log_house *house;
    uint64_t sequence;
    struct touched *touched; /* all of them, newest first */
    struct open *open;       /* whose notes are being written */
};

/* ---- a block and its streams ---- */

static int write_tail(struct seal *seal, struct touched *to, size_t raw, struct text bytes)
{
    struct watch_log_stream *stream = &to->stream;
    if (stream->tail_bucket > UINT16_MAX)
        return ERR_FULL;
    struct log_key key = log_tail_key(to->group.id, stream->id, seal->sequence, stream->tail_bucket++);
    stream->tail_rows++;
    stream->tail_bytes += log_tail_size(raw);
    return store_raw_put(tick_stage(seal->tick), STORE_SPACE_LOG_CHUNKS, log_key_text(&key), bytes);
}

static int write_chunk(struct seal *seal, struct touched *to, struct log_ref ref, struct text bytes)
{
    ref.stream = to->stream.id;
    ref.chunk = to->stream.next_chunk++;
    to->stored += ref.stored;
    counter_add(COUNTER_logs_chunks_packed, 1);
    return log_chunk_put(seal->tick, to->group.id, &ref, bytes);
}

/* The block under construction, into both streams. */
static int write_block(struct seal *seal)
{
    struct buf *tail = &seal->house->tail, *bytes = tail;
    size_t raw = log_block_size(tail);
    int64_t min_ms, max_ms, span_ms = log_block_span(tail, &min_ms, &max_ms);
    bool chunk = raw >= DIRECT_BYTES && span_ms <= DIRECT_SPAN_MS;
    int code = 0;
    if (raw >= COMPRESS_BYTES)
        code = log_block_pack(&seal->house->packer, tail, bytes = &seal->house->packed);
    if (!chunk && (bytes == tail || bytes->len >= tail->len))
        log_block_seal(bytes = tail);
    struct log_ref ref = {.min_ms = min_ms, .max_ms = max_ms, .events = log_block_count(tail), .raw = (uint32_t)raw, .stored = (uint32_t)bytes->len, .class = log_class_of(span_ms)};
    for (int i = 0; i < LOG_TARGETS && !code; i++) {
        struct touched *to = seal->open->to[i];
        if (!to)
            continue;
        if (to->stream.first_ms < 0 || min_ms < to->stream.first_ms)
            to->stream.first_ms = min_ms;
        if (max_ms > to->stream.last_ms)
            to->stream.last_ms = max_ms;
        code = chunk ? write_chunk(seal, to, ref, buf_text(bytes)) : write_tail(seal, to, raw, buf_text(bytes));
    }
    buf_clear(tail);
    return code;
}

static int write_notes(struct seal *seal)
{
    struct buf *tail = &seal->house->tail;
    struct watch_log_event event;
    int code = 0;
    buf_clear(tail);
    for (const struct log_note *note = seal->open->first; note && !code; note = note->next) {
        const char *at = NULL;
        for (uint32_t i = 0; i < note->count && !code; i++) {
            note_event(note, &at, i, seal->sequence, &event);
            if (log_block_size(tail) >= LOG_BLOCK_TARGET)
                code = write_block(seal);
            if (!code)
                code = log_block_add(tail, &event);
        }
        for (int i = 0; i < LOG_TARGETS; i++)
            if (seal->open->to[i]) {
                seal->open->to[i]->stream.puts++;
                seal->open->to[i]->stream.ingested_ms = note->now_ms;
            }
    }
    return code || !tail->len ? code : write_block(seal);
}

/* ---- who watches the groups ---- */

/* Here each batch of new events of a group passes, with its places, in the tick that stores it: one call for each put. */
static int tell(struct seal *seal, const struct touched *to, const struct watch_log_event *event, size_t count)
{
    int code = to->group.filters ? log_metrics_put(seal->tick, seal->house, &to->group, event, count) : 0;
    if (!code && to->group.subscriptions)
        code = log_subscriptions_put(seal->tick, seal->house, &to->group, to->stream.name, event, count);
    return code;
}

static int tell_notes(struct seal *seal, const struct open *open, const struct touched *to)
{
    struct arena *arena = &seal->house->arena;
    int code = 0;
    for (const struct log_note *note = open->first; note && !code; note = note->next) {
        struct arena_mark mark = arena_mark(arena);
        struct watch_log_event *event = arena_array(arena, note->count, sizeof(*event));
        const char *at = NULL;
        for (uint32_t i = 0; i < note->count && event; i++)
            note_event(note, &at, i, seal->sequence, &event[i]);
        code = event ? tell(seal, to, event, note->count) : ERR_MEMORY;
        arena_rewind(arena, mark);
    }
    return code;
}

static int tell_all(struct seal *seal, const struct open *first)
{
    int code = 0;
    for (const struct open *open = first; open && !code; open = open->next)
        for (int i = 0; i < LOG_TARGETS && !code; i++)
            if (open->to[i] && (open->to[i]->group.filters || open->to[i]->group.subscriptions))
                code = tell_notes(seal, open, open->to[i]);
    return code;
}

/* ---- streams ---- */

/* ERR_NOT_FOUND: they are not the ones any more that the note was put into. */
static int find_rows(struct seal *seal, const struct log_note *note, int target, struct touched *to)
{
    struct store_view *view = tick_view(seal->tick);
    struct arena *arena = &seal->house->arena;
    struct text group = note_group(note, target), stream = note_stream(note);
    const struct log_cached *cached = log_cache_find(seal->house, group, stream);
    int code = 0;
    if (cached && cached->group == to->key.group && cached->stream.id == to->key.stream) {
        to->group = (struct watch_log_group){.name = group, .id = cached->group, .filters = cached->filters, .subscriptions = cached->subscriptions};
        to->stream = cached->stream;
        to->stream.name = stream;
        if (!cached->packed)
            return 0;
    } else {
        code = watch_log_group_get(view, arena, group, &to->group);
        if (!code && to->group.id != to->key.group)
            code = ERR_NOT_FOUND;
    }
    if (!code)
        code = watch_log_stream_get(view, arena, &to->group, stream, &to->stream);
    return !code && to->stream.id != to->key.stream ? ERR_NOT_FOUND : code;
}

static int touch(struct seal *seal, const struct log_note *note, int target, struct touched **out)
{
    struct log_house *house = seal->house;
    struct touched *to = map_get(&house->touched, text_make((const char *)&note->target[target], sizeof(note->target[target])));
    *out = NULL;
    if (to) {
        *out = to->gone ? NULL : to;
        return 0;
    }
    to = arena_zalloc(&house->arena, sizeof(*to));
    if (!to)
        return ERR_MEMORY;
    to->key = note->target[target];
    int code = find_rows(seal, note, target, to);
    to->gone = code == ERR_NOT_FOUND;
    if (code && !to->gone)
        return code;
    code = map_put(&house->touched, text_make((const char *)&to->key, sizeof(to->key)), to, NULL);
    if (code)
        return code;
    to->stream.tail_sequence = seal->sequence;
    to->stream.tail_bucket = 0;
    if (to->stream.tail_from > seal->sequence)
        to->stream.tail_from = 0; /* the tables are older than their sequences: they were restored */
    to->next = seal->touched;
    seal->touched = to;
    *out = to->gone ? NULL : to;
    return 0;
}

static int end_stream(struct seal *seal, struct touched *to)
{
    struct watch_log_stream *stream = &to->stream;
    bool now = stream->tail_bytes >= LOG_BLOCK_TARGET || stream->tail_rows >= PACK_ROWS;
    int code = stream->tail_rows ? log_pack_later(seal->tick, &to->group, stream, now) : 0;
    if (!code && to->stored)
        code = log_bytes_add(seal->tick, &seal->house->arena, to->group.id, to->stored);
    if (!code)
        code = log_stream_write(seal->tick, to->group.id, stream);
    if (!code)
        log_cache_keep(seal->house, &to->group, stream);
    return code;
}

/* ---- the seal ---- */

/* The notes with the same targets in a list of their own, in their order. */
static int sort_notes(struct log_house *house, const struct tick_note *first, struct open **all)
{
    struct open *last = NULL, *recent = NULL;
    *all = NULL;
    for (const struct tick_note *at = first; at; at = at->next) {
        if (at->kind != WATCH_NOTE_LOG)
            continue;
        struct log_note *note = (struct log_note *)(uintptr_t)at->data; /* the link is the seal's to set */
        struct text key = text_make((const char *)note->target, NOTE_KEY);
        struct open *open = recent && !memcmp(recent->first->target, note->target, NOTE_KEY) ? recent : map_get(&house->open, key);
        note->next = NULL;
        recent = open;
        if (open) {
            open->last->next = note;
            open->last = note;
            continue;
        }
        open = arena_zalloc(&house->arena, sizeof(*open));
        if (!open || map_put(&house->open, key, open, NULL))
            return ERR_MEMORY;
        open->first = open->last = note;
        if (last)
            last->next = open;
        else
            *all = open;
        last = recent = open;
    }
    return 0;
}

static void tidy_buf(struct buf *buf)
{
    size_t limit = buf->limit;
    if (buf->cap <= TAIL_KEPT)
        return;
    buf_fini(buf);
    buf_init(buf, limit);
}

static void tidy(struct log_house *house, const struct open *open, const struct touched *touched)
{
    for (; open; open = open->next)
        map_delete(&house->open, text_make((const char *)open->first->target, NOTE_KEY));
    for (; touched; touched = touched->next)
        map_delete(&house->touched, text_make((const char *)&touched->key, sizeof(touched->key)));
    arena_reset(&house->arena);
    tidy_buf(&house->tail);
    tidy_buf(&house->packed);
    tidy_buf(&house->space.text);
}

static int seal_open(struct seal *seal, struct open *open)
{
    int code = 0;
    for (int i = 0; i < LOG_TARGETS && !code; i++)
        if (open->first->target[i].group)
            code = touch(seal, open->first, i, &open->to[i]);
    seal->open = open;
    return code || (!open->to[0] && !open->to[1]) ? code : write_notes(seal);
}

int watch_log_seal(struct tick *tick, const struct tick_note *first)
{
    struct log_house *house = log_house_of(tick);
    struct open *all = NULL;
    if (!house)
        return ERR_MEMORY;
    struct seal seal = {.tick = tick, .house = house, .sequence = tick_sequence(tick)};
    int code = sort_notes(house, first, &all);
    for (struct open *open = all; open && !code; open = open->next)
        code = seal_open(&seal, open);
    for (struct touched *to = seal.touched; to && !code; to = to->next)
        code = to->gone ? 0 : end_stream(&seal, to);
    if (!code)
        code = tell_all(&seal, all);
    tidy(house, all, seal.touched);
    return code;
}
