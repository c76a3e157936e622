/*
 * The seal of a tick, for log lines: what its calls have put becomes one row of each stream, and the stream's own row is written once.
 *
 * A note holds a put: where it goes by names and by ids, its place among the calls, its events. The names find the rows, and the ids say whether they are still the same ones:
 * a later call of the tick may have deleted the group, or made another one of that name, and then the note's events are gone with what they were put into.
 *
 * Places are made of the call that put, not of the seal, so an event's id is the one that its call could have told.
 */
#include "watch/log_inside.h"

#include "watch/seal.h"

#define PACK_ROWS 256                  /* tails of a stream that are packed at once rather than soon */
#define TAIL_KEPT ((size_t)256 << 10)  /* bytes of the tail's buffer that are kept between two seals */

struct log_note {
    uint64_t group, stream; /* ids; the two are the key of struct open */
    struct log_note *next;  /* of the same stream, at the seal */
    int64_t now_ms;
    uint32_t call, first, count;
    uint16_t group_len, stream_len;
    char bytes[];           /* the names, then events: time(8) length(4) message */
};
#define NOTE_EVENT 12

struct open { /* a stream that the tick has written to */
    struct open *next;
    struct log_note *first, *last;
};

/* ---- in the call ---- */

int log_note(struct tick *tick, const struct watch_log_put *put, uint64_t group, uint64_t stream)
{
    size_t size = sizeof(struct log_note) + put->group.len + put->stream.len;
    for (size_t i = 0; i < put->count; i++)
        size += NOTE_EVENT + put->event[i].message.len;
    struct log_note *note = tick_note(tick, WATCH_NOTE_LOG, size);
    if (!note)
        return ERR_MEMORY;
    *note = (struct log_note){.group = group, .stream = stream, .now_ms = tick_now_ms(tick), .call = tick_call_number(tick), .first = put->first_index,
        .count = (uint32_t)put->count, .group_len = (uint16_t)put->group.len, .stream_len = (uint16_t)put->stream.len};
    char *at = text_put(text_put(note->bytes, put->group), put->stream);
    for (size_t i = 0; i < put->count; i++) {
        const struct watch_log_event *event = &put->event[i];
        uint32_t len = (uint32_t)event->message.len;
        memcpy(at, &event->place.time_ms, 8);
        memcpy(at + 8, &len, 4);
        at = text_put(at + NOTE_EVENT, event->message);
    }
    return 0;
}

/* ---- at the seal ---- */

static struct text note_group(const struct log_note *note)
{
    return text_make(note->bytes, note->group_len);
}

static struct text note_stream(const struct log_note *note)
{
    return text_make(note->bytes + note->group_len, note->stream_len);
}

/* The next event of a note; *at begins as NULL. */
static void note_event(const struct log_note *note, const char **at, uint32_t number, uint64_t sequence, struct watch_log_event *event)
{
    const char *from = *at ? *at : note->bytes + note->group_len + note->stream_len;
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
    struct watch_log_group group;
    struct watch_log_stream stream;
    uint64_t sequence;
};

static int tail_write(struct seal *seal)
{
    struct watch_log_stream *stream = &seal->stream;
    struct buf *tail = &seal->house->tail;
    struct log_key key = log_tail_key(seal->group.id, stream->id, seal->sequence, stream->tail_bucket);
    if (stream->tail_bucket > UINT16_MAX)
        return ERR_FULL;
    log_block_seal(tail);
    stream->tail_rows++;
    stream->tail_bytes += tail->len;
    int code = store_raw_put(tick_stage(seal->tick), STORE_SPACE_LOG_CHUNKS, log_key_text(&key), buf_text(tail));
    buf_clear(tail);
    return code;
}

static int add_event(struct seal *seal, const struct watch_log_event *event)
{
    struct watch_log_stream *stream = &seal->stream;
    int code = 0;
    if (log_block_size(&seal->house->tail) >= LOG_BLOCK_TARGET) {
        code = tail_write(seal);
        stream->tail_bucket++;
    }
    if (stream->first_ms < 0 || event->place.time_ms < stream->first_ms)
        stream->first_ms = event->place.time_ms;
    if (event->place.time_ms > stream->last_ms)
        stream->last_ms = event->place.time_ms;
    return code ? code : log_block_add(&seal->house->tail, event);
}

static int add_notes(struct seal *seal, const struct log_note *note)
{
    struct watch_log_event event;
    int code = 0;
    for (; note && !code; note = note->next) {
        const char *at = NULL;
        for (uint32_t i = 0; i < note->count && !code; i++) {
            note_event(note, &at, i, seal->sequence, &event);
            code = add_event(seal, &event);
        }
        seal->stream.puts++;
        seal->stream.ingested_ms = note->now_ms;
    }
    return code || !seal->house->tail.len ? code : tail_write(seal);
}

static int filter_notes(struct seal *seal, const struct log_note *note)
{
    struct arena *arena = &seal->house->arena;
    int code = 0;
    for (; note && !code; note = note->next) {
        struct arena_mark mark = arena_mark(arena);
        struct watch_log_event *event = arena_array(arena, note->count, sizeof(*event));
        const char *at = NULL;
        for (uint32_t i = 0; i < note->count && event; i++)
            note_event(note, &at, i, seal->sequence, &event[i]);
        code = event ? log_metrics_put(seal->tick, seal->house, &seal->group, event, note->count) : ERR_MEMORY;
        arena_rewind(arena, mark);
    }
    return code;
}

/* ERR_NOT_FOUND: they are not the ones any more that the note was put into. */
static int find_rows(struct seal *seal, const struct log_note *note)
{
    struct store_view *view = tick_view(seal->tick);
    struct arena *arena = &seal->house->arena;
    const struct log_cached *cached = log_cache_find(seal->house, note_group(note), note_stream(note));
    if (cached && cached->group == note->group && cached->stream.id == note->stream) {
        seal->group = (struct watch_log_group){.name = note_group(note), .id = cached->group, .filters = cached->filters};
        seal->stream = cached->stream;
        seal->stream.name = note_stream(note);
        return 0;
    }
    int code = watch_log_group_get(view, arena, note_group(note), &seal->group);
    if (!code && seal->group.id != note->group)
        code = ERR_NOT_FOUND;
    if (!code)
        code = watch_log_stream_get(view, arena, &seal->group, note_stream(note), &seal->stream);
    return !code && seal->stream.id != note->stream ? ERR_NOT_FOUND : code;
}

static int seal_stream(struct tick *tick, struct log_house *house, const struct open *open)
{
    struct seal seal = {.tick = tick, .house = house, .sequence = tick_sequence(tick)};
    int code = find_rows(&seal, open->first);
    if (code)
        return code == ERR_NOT_FOUND ? 0 : code;
    seal.stream.tail_sequence = seal.sequence;
    seal.stream.tail_bucket = 0;
    buf_clear(&house->tail);
    code = add_notes(&seal, open->first);
    bool now = seal.stream.tail_bytes >= LOG_BLOCK_TARGET || seal.stream.tail_rows >= PACK_ROWS;
    if (!code)
        code = log_pack_later(tick, &seal.group, &seal.stream, now);
    if (!code)
        code = log_stream_write(tick, seal.group.id, &seal.stream);
    if (!code)
        log_cache_keep(house, &seal.group, &seal.stream);
    return code || !seal.group.filters ? code : filter_notes(&seal, open->first);
}

/* The notes of each stream in a list of their own, in their order. */
static int sort_notes(struct log_house *house, const struct tick_note *first, struct open **streams)
{
    struct open *last = NULL;
    *streams = NULL;
    for (const struct tick_note *at = first; at; at = at->next) {
        if (at->kind != WATCH_NOTE_LOG)
            continue;
        struct log_note *note = (struct log_note *)(uintptr_t)at->data; /* the link is the seal's to set */
        struct text key = text_make((const char *)note, 16);
        struct open *open = map_get(&house->open, key);
        note->next = NULL;
        if (open) {
            open->last->next = note;
            open->last = note;
            continue;
        }
        open = arena_alloc(&house->arena, sizeof(*open));
        if (!open || map_put(&house->open, key, open, NULL))
            return ERR_MEMORY;
        *open = (struct open){NULL, note, note};
        if (last)
            last->next = open;
        else
            *streams = open;
        last = open;
    }
    return 0;
}

static void tidy(struct log_house *house, const struct open *streams)
{
    for (; streams; streams = streams->next)
        map_delete(&house->open, text_make((const char *)streams->first, 16));
    arena_reset(&house->arena);
    if (house->tail.cap > TAIL_KEPT) {
        buf_fini(&house->tail);
        buf_init(&house->tail, LOG_BLOCK_HEADER + LOG_BLOCK_MAX);
    }
}

int watch_log_seal(struct tick *tick, const struct tick_note *first)
{
    struct log_house *house = log_house_of(tick);
    struct open *streams = NULL;
    if (!house)
        return ERR_MEMORY;
    int code = sort_notes(house, first, &streams);
    for (const struct open *open = streams; open && !code; open = open->next)
        code = seal_stream(tick, house, open);
    tidy(house, streams);
    return code;
}
