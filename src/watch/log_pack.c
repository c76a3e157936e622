/*
 * Packing: the tails of a stream become chunks, in one deferred call that writes the chunks and deletes the tails. So a crash loses and doubles nothing, and readers never see
 * an event twice or not at all.
 *
 * What a tick brings in one piece, 16 KiB and more, the seal writes as a chunk at once (log_seal.c); packing is for the rest. A stream is packed as soon as its tails hold a chunk's
 * worth, otherwise some minutes after its first one: lines that come slowly wait for each other. The last chunk stays open while it is small: the next packing takes its events
 * along. A stream that writes a line a minute so ends with full chunks too.
 *
 *   payload   version, group id(be64), stream id(be64), group name(varint length, bytes), stream name
 */
#include "watch/log_inside.h"

#include "base/clock.h"
#include "base/counter.h"
#include <stdlib.h>

enum { PAYLOAD_VERSION = 1 };
#define WAIT_MS (5 * MINUTE_MS)
#define SLICE_BYTES ((size_t)128 << 10) /* of tails that one call packs: a millisecond or two of the state thread */
#define SLICE_ROWS 512
#define OPEN_BYTES ((uint64_t)48 << 10) /* of text; a chunk below may still grow */
#define OPEN_SPAN_MS DAY_MS             /* unless it is to hold events so far apart */
#define OPEN_SMALL ((uint64_t)4 << 10)  /* and is more than this */
#define SPAN_MAX_MS (100 * DAY_MS)      /* of a chunk */
#define ATTEMPTS UINT32_MAX             /* a full disk puts it off, nothing ends it */

int log_pack_later(struct tick *tick, const struct watch_log_group *group, struct watch_log_stream *stream, bool now)
{
    struct buf payload;
    uint8_t asked = now ? LOG_PACK_NOW : LOG_PACK_LATER;
    if (stream->pack_asked >= asked)
        return 0;
    stream->pack_asked = asked;
    buf_init(&payload, 64 + 2 * WATCH_LOG_NAME_MAX);
    buf_add_u8(&payload, PAYLOAD_VERSION);
    buf_add_be64(&payload, group->id);
    buf_add_be64(&payload, stream->id);
    buf_add_bytes(&payload, group->name);
    buf_add_text(&payload, stream->name);
    int code = payload.failed ? ERR_MEMORY : tick_later(tick, now ? 0 : WAIT_MS, TEXT(LOG_PACK), buf_text(&payload), ATTEMPTS, SECOND_MS, NULL);
    buf_fini(&payload);
    return code;
}

struct pack {
    struct tick *tick;
    struct arena *arena;
    const struct watch_log_group *group;
    struct watch_log_stream *stream;
    struct watch_log_event *event;
    size_t count, cap, bytes, rows;
    struct text prefix;
    int64_t freed;      /* bytes of the open chunk that was taken along */
    struct log_packer *packer;
    struct log_space *space;
    struct buf plain, packed;
};

/* ---- taking ---- */

size_t log_tail_size(size_t raw)
{
    return LOG_BLOCK_HEADER + raw;
}

/* Events borrow `bytes`, or the arena when the block was packed. *size: what a tail of them counts. */
static int take_events(struct pack *pack, struct text bytes, size_t *size)
{
    struct log_block block;
    struct log_reader reader;
    int code = log_block_open(bytes, &block);
    if (code)
        return code;
    *size = log_tail_size(block.raw);
    if (pack->count + block.count > pack->cap) {
        size_t cap = (pack->count + block.count) * 2;
        struct watch_log_event *grown = arena_array(pack->arena, cap, sizeof(*grown));
        if (!grown)
            return ERR_MEMORY;
        if (pack->count)
            memcpy(grown, pack->event, pack->count * sizeof(*grown));
        pack->event = grown;
        pack->cap = cap;
    }
    code = log_reader_begin(&reader, &block, pack->space);
    while (!code) {
        struct watch_log_event *event = &pack->event[pack->count];
        code = log_reader_next(&reader, event);
        if (code)
            break;
        if (block.packed)
            event->message = arena_copy(pack->arena, event->message);
        if (!event->message.data)
            code = ERR_MEMORY;
        pack->count++;
    }
    return code == ERR_NOT_FOUND ? 0 : code;
}

static int on_tail(void *context, struct text key, struct text value)
{
    struct pack *pack = context;
    struct watch_log_stream *stream = pack->stream;
    if (!text_starts(key, pack->prefix) || pack->bytes >= SLICE_BYTES || pack->rows == SLICE_ROWS)
        return LOG_DONE;
    struct cursor c = cursor_of(text_make(key.data + pack->prefix.len, key.len - pack->prefix.len));
    size_t size = 0;
    int code = take_events(pack, value, &size);
    if (!code)
        code = store_raw_delete(tick_stage(pack->tick), STORE_SPACE_LOG_CHUNKS, key);
    pack->rows++;
    pack->bytes += size;
    stream->tail_from = cursor_be64(&c);
    stream->tail_rows -= stream->tail_rows > 0;
    stream->tail_bytes -= size < stream->tail_bytes ? size : stream->tail_bytes;
    return code || stream->tail_rows ? code : LOG_DONE; /* looking for more would walk over the graves of the next stream's */
}

/* The open chunk goes on growing, unless it would span more than a day for some old lines. */
static int take_open(struct pack *pack)
{
    struct watch_log_stream *stream = pack->stream;
    struct log_ref ref = {.stream = stream->id, .chunk = stream->open_chunk, .min_ms = stream->open_min_ms, .class = stream->open_class};
    struct text bytes;
    struct log_block block;
    if (!stream->open_bytes || !pack->count)
        return 0;
    struct log_key key = log_chunk_key(pack->group->id, stream->id, stream->open_chunk);
    int code = store_raw_get(tick_view(pack->tick), STORE_SPACE_LOG_CHUNKS, log_key_text(&key), pack->arena, &bytes);
    if (code == ERR_NOT_FOUND) { /* retention was faster */
        stream->open_bytes = 0;
        return 0;
    }
    if (!code)
        code = log_block_open(bytes, &block);
    if (code)
        return code;
    int64_t first = block.min_ms, last = block.max_ms;
    for (size_t i = 0; i < pack->count; i++) {
        first = pack->event[i].place.time_ms < first ? pack->event[i].place.time_ms : first;
        last = pack->event[i].place.time_ms > last ? pack->event[i].place.time_ms : last;
    }
    stream->open_bytes = 0;
    if (last - first > OPEN_SPAN_MS && block.raw > OPEN_SMALL)
        return 0;
    size_t size;
    pack->freed = (int64_t)bytes.len;
    code = take_events(pack, bytes, &size);
    return code ? code : log_chunk_delete(pack->tick, pack->group->id, &ref);
}

/* ---- writing ---- */

static int by_place(const void *a, const void *b)
{
    return watch_log_place_compare(&((const struct watch_log_event *)a)->place, &((const struct watch_log_event *)b)->place);
}

static int write_chunk(struct pack *pack, size_t from, size_t to, int64_t *stored)
{
    struct watch_log_stream *stream = pack->stream;
    const struct watch_log_event *first = &pack->event[from], *last = &pack->event[to - 1];
    struct log_ref ref = {.stream = stream->id, .chunk = stream->next_chunk++, .min_ms = first->place.time_ms, .max_ms = last->place.time_ms,
        .events = (uint32_t)(to - from), .raw = (uint32_t)log_block_size(&pack->plain), .class = log_class_of(last->place.time_ms - first->place.time_ms)};
    int code = log_block_pack(pack->packer, &pack->plain, &pack->packed);
    if (code)
        return code;
    ref.stored = (uint32_t)pack->packed.len;
    *stored += ref.stored;
    bool open = ref.raw < OPEN_BYTES && to == pack->count;
    if (open) {
        stream->open_bytes = ref.raw;
        stream->open_chunk = ref.chunk;
        stream->open_min_ms = ref.min_ms;
        stream->open_class = ref.class;
    }
    counter_add(COUNTER_logs_chunks_packed, 1);
    return log_chunk_put(pack->tick, pack->group->id, &ref, buf_text(&pack->packed));
}

static int write_chunks(struct pack *pack, int64_t *stored)
{
    size_t from = 0;
    int code = 0;
    qsort(pack->event, pack->count, sizeof(*pack->event), by_place);
    for (size_t i = 0; i < pack->count && !code; i++) {
        code = log_block_add(&pack->plain, &pack->event[i]);
        bool last = i + 1 == pack->count;
        bool cut = last || log_block_size(&pack->plain) >= LOG_BLOCK_TARGET || pack->event[i + 1].place.time_ms - pack->event[from].place.time_ms > SPAN_MAX_MS;
        if (code || !cut)
            continue;
        code = write_chunk(pack, from, i + 1, stored);
        from = i + 1;
        buf_clear(&pack->plain);
    }
    return code;
}

static int pack_slice(struct pack *pack)
{
    struct log_key prefix;
    int64_t stored = 0;
    log_key_begin(&prefix, 't', pack->group->id);
    log_key_add64(&prefix, pack->stream->id);
    pack->prefix = log_key_text(&prefix);
    struct log_key from = log_tail_key(pack->group->id, pack->stream->id, pack->stream->tail_from, 0); /* not over the graves of all those that were packed before */
    int code = store_raw_scan(tick_view(pack->tick), STORE_SPACE_LOG_CHUNKS, log_key_text(&from), pack->arena, on_tail, pack);
    code = code == LOG_DONE ? 0 : code;
    if (!code)
        code = take_open(pack);
    if (!code && pack->count)
        code = write_chunks(pack, &stored);
    return code || stored == pack->freed ? code : log_bytes_add(pack->tick, pack->arena, pack->group->id, stored - pack->freed);
}

static bool payload_parse(struct text payload, uint64_t *group, uint64_t *stream, struct text *group_name, struct text *stream_name)
{
    struct cursor c = cursor_of(payload);
    uint8_t version = cursor_u8(&c);
    *group = cursor_be64(&c);
    *stream = cursor_be64(&c);
    *group_name = cursor_bytes(&c);
    *stream_name = cursor_take(&c, cursor_left(&c));
    return !c.failed && version == PAYLOAD_VERSION;
}

int log_pack(struct tick *tick, struct arena *arena, struct text payload)
{
    struct watch_log_group group;
    struct watch_log_stream stream;
    struct text group_name, stream_name;
    uint64_t group_id, stream_id;
    if (!payload_parse(payload, &group_id, &stream_id, &group_name, &stream_name))
        return ERR_CORRUPT;
    int code = watch_log_group_get(tick_view(tick), arena, group_name, &group);
    if (!code)
        code = group.id == group_id ? watch_log_stream_get(tick_view(tick), arena, &group, stream_name, &stream) : ERR_NOT_FOUND;
    if (code || stream.id != stream_id)
        return code == ERR_NOT_FOUND || !code ? 0 : code; /* deleted: the purge takes its tails */
    struct log_house *house = log_house_of(tick);
    if (!house)
        return ERR_MEMORY;
    struct pack pack = {.tick = tick, .arena = arena, .group = &group, .stream = &stream, .packer = &house->packer, .space = &house->space};
    buf_init(&pack.plain, LOG_BLOCK_HEADER + LOG_BLOCK_MAX);
    buf_init(&pack.packed, LOG_PACKED_MAX);
    code = pack_slice(&pack);
    buf_fini(&pack.plain);
    buf_fini(&pack.packed);
    stream.pack_asked = LOG_PACK_NONE;
    if (!code && stream.tail_rows)
        code = log_pack_later(tick, &group, &stream, stream.tail_bytes >= LOG_BLOCK_TARGET || stream.tail_rows > SLICE_ROWS / 2);
    if (!code)
        code = log_stream_write(tick, group.id, &stream);
    log_cache_packed(tick, group.name, stream.name);
    return code;
}
