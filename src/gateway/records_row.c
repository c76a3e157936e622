/*
 * Streams and shards as rows. The stream's row holds its open shards, sorted by where they begin: a put reads one row and halves its way to the shard, however many
 * closed ones there are. Shards have rows of their own below the stream's id, not its name: those of a stream that was deleted never meet those of its successor.
 *
 *   's' name                          ->  version id(16) created(be64) retention(varint) flags metrics(varint) next(varint) kept(varint)
 *                                         shards(varint) x (number(be32) start(16))  tags(varint) x (key bytes, value bytes)
 *                                         encryption's key(bytes) record KiB(varint) scaling to(varint)   (rows of before end in front of these)
 *   'h' id(16) shard(be32)            ->  version start(16) end(16) parent+1(varint) adjacent+1(varint) first(16) flags last(16) created(be64) closed(be64)
 *   id, first, last = tick sequence(be64) call(be32) index(be32)
 */
#include "gateway/records_inside.h"

#include "base/cursor.h"
#include "gateway/follow.h"

enum { ROW_VERSION = 1, FLAG_ON_DEMAND = 1, FLAG_CLOSED = 1 };
#define STREAM_ROW_MAX (256u << 10)

/* ---- pieces ---- */

static void add_hash(struct buf *out, gw_hash_key key)
{
    buf_add_be64(out, (uint64_t)(key >> 64));
    buf_add_be64(out, (uint64_t)key);
}

static gw_hash_key take_hash(struct cursor *c)
{
    gw_hash_key high = cursor_be64(c);
    return high << 64 | cursor_be64(c);
}

void records_position_add(struct buf *out, struct gw_position position)
{
    buf_add_be64(out, position.sequence);
    buf_add_be32(out, position.call);
    buf_add_be32(out, position.index);
}

struct gw_position records_position_take(struct cursor *c)
{
    struct gw_position position = {.sequence = cursor_be64(c)};
    position.call = cursor_be32(c);
    position.index = cursor_be32(c);
    return position;
}

static struct text stream_key(char *out, struct text name)
{
    out[0] = 's';
    if (name.len)
        memcpy(out + 1, name.data, name.len);
    return text_make(out, name.len + 1);
}

static void put_be(char *out, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        out[i] = (char)(value & 0xff);
}

struct text records_shard_key(char out[RECORDS_SHARD_KEY], struct gw_position id, uint32_t shard)
{
    out[0] = 'h';
    put_be(out + 1, id.sequence, 8);
    put_be(out + 9, id.call, 4);
    put_be(out + 13, id.index, 4);
    put_be(out + 17, shard, 4);
    return text_make(out, RECORDS_SHARD_KEY);
}

/* ---- streams ---- */

static int decode_open(struct arena *arena, struct cursor *c, struct gw_stream *stream)
{
    uint64_t count = cursor_varint(c);
    if (c->failed || !count || count > cursor_left(c) / 20)
        return ERR_CORRUPT;
    stream->open = arena_array(arena, count, sizeof(*stream->open));
    if (!stream->open)
        return ERR_MEMORY;
    stream->open_count = (uint32_t)count;
    for (uint64_t i = 0; i < count; i++) {
        stream->open[i].shard = cursor_be32(c);
        stream->open[i].start = take_hash(c);
    }
    return 0;
}

static int decode_tags(struct arena *arena, struct cursor *c, struct gw_stream *stream)
{
    uint64_t count = cursor_varint(c);
    if (c->failed || count > GW_STREAM_TAGS_MAX)
        return ERR_CORRUPT;
    stream->tag = arena_array(arena, count + 1, sizeof(*stream->tag));
    if (!stream->tag)
        return ERR_MEMORY;
    stream->tags = (uint32_t)count;
    for (uint64_t i = 0; i < count; i++) {
        stream->tag[i].key = cursor_bytes(c);
        stream->tag[i].value = cursor_bytes(c);
    }
    return c->failed ? ERR_CORRUPT : 0;
}

/* Borrows `value` for the tags. */
static int decode_stream(struct arena *arena, struct text name, struct text value, struct gw_stream *stream)
{
    struct cursor c = cursor_of(value);
    if (cursor_u8(&c) != ROW_VERSION)
        return ERR_CORRUPT;
    *stream = (struct gw_stream){.name = name, .id = records_position_take(&c)};
    stream->created_ms = (int64_t)cursor_be64(&c);
    stream->retention_h = (int64_t)cursor_varint(&c);
    stream->on_demand = cursor_u8(&c) & FLAG_ON_DEMAND;
    stream->metrics = (uint32_t)cursor_varint(&c);
    stream->next_shard = (uint32_t)cursor_varint(&c);
    stream->kept_shards = (uint32_t)cursor_varint(&c);
    int code = decode_open(arena, &c, stream);
    if (!code)
        code = decode_tags(arena, &c, stream);
    stream->record_kib = GW_RECORD_KIB_MIN;
    if (!code && cursor_left(&c)) {
        stream->key = cursor_bytes(&c);
        stream->record_kib = (uint32_t)cursor_varint(&c);
        stream->scaling_to = (uint32_t)cursor_varint(&c);
    }
    return code ? code : c.failed ? ERR_CORRUPT : 0;
}

int gw_stream_get(struct store_view *view, struct arena *arena, struct text name, struct gw_stream *stream)
{
    char key[GW_STREAM_NAME_MAX + 1];
    struct text value;
    if (!gw_stream_name_valid(name))
        return ERR_NOT_FOUND;
    int code = store_raw_get(view, STORE_SPACE_RECORDS, stream_key(key, name), arena, &value);
    return code ? code : decode_stream(arena, name, value, stream);
}

int gw_stream_put(struct tick *tick, const struct gw_stream *stream)
{
    char key[GW_STREAM_NAME_MAX + 1];
    struct buf row;
    buf_init(&row, STREAM_ROW_MAX);
    buf_add_u8(&row, ROW_VERSION);
    records_position_add(&row, stream->id);
    buf_add_be64(&row, (uint64_t)stream->created_ms);
    buf_add_varint(&row, (uint64_t)stream->retention_h);
    buf_add_u8(&row, stream->on_demand ? FLAG_ON_DEMAND : 0);
    buf_add_varint(&row, stream->metrics);
    buf_add_varint(&row, stream->next_shard);
    buf_add_varint(&row, stream->kept_shards);
    buf_add_varint(&row, stream->open_count);
    for (uint32_t i = 0; i < stream->open_count; i++) {
        buf_add_be32(&row, stream->open[i].shard);
        add_hash(&row, stream->open[i].start);
    }
    buf_add_varint(&row, stream->tags);
    for (uint32_t i = 0; i < stream->tags; i++) {
        buf_add_bytes(&row, stream->tag[i].key);
        buf_add_bytes(&row, stream->tag[i].value);
    }
    buf_add_bytes(&row, stream->key);
    buf_add_varint(&row, stream->record_kib);
    buf_add_varint(&row, stream->scaling_to);
    gw_follow_touch(tick, gw_stream_subject(stream->id));
    int code = row.failed ? ERR_MEMORY : store_raw_put(tick_stage(tick), STORE_SPACE_RECORDS, stream_key(key, stream->name), buf_text(&row));
    buf_fini(&row);
    return code;
}

int records_stream_forget(struct tick *tick, const struct gw_stream *stream)
{
    char key[GW_STREAM_NAME_MAX + 1];
    gw_follow_touch(tick, gw_stream_subject(stream->id));
    return store_raw_delete(tick_stage(tick), STORE_SPACE_RECORDS, stream_key(key, stream->name));
}

struct each_stream {
    struct arena *arena;
    struct text after;
    int (*visit)(void *context, const struct gw_stream *stream);
    void *context;
};

static int on_stream(void *context, struct text key, struct text value)
{
    struct each_stream *each = context;
    struct gw_stream stream;
    if (!key.len || key.data[0] != 's')
        return RECORDS_DONE;
    struct text name = text_make(key.data + 1, key.len - 1);
    if (each->after.len && text_compare(name, each->after) <= 0)
        return 0;
    int code = decode_stream(each->arena, name, value, &stream);
    return code ? code : each->visit(each->context, &stream);
}

int gw_stream_each(struct store_view *view, struct arena *arena, struct text after, int (*visit)(void *context, const struct gw_stream *stream), void *context)
{
    char key[GW_STREAM_NAME_MAX + 1];
    struct each_stream each = {arena, after, visit, context};
    if (after.len > GW_STREAM_NAME_MAX)
        each.after = after = text_make(after.data, GW_STREAM_NAME_MAX);
    int code = store_raw_scan(view, STORE_SPACE_RECORDS, stream_key(key, after), arena, on_stream, &each);
    return code == RECORDS_DONE ? 0 : code;
}

static int add_totals(void *context, const struct gw_stream *stream)
{
    struct gw_stream_totals *totals = context;
    totals->streams++;
    totals->on_demand += stream->on_demand;
    totals->shards += stream->open_count;
    return 0;
}

int gw_stream_totals(struct store_view *view, struct arena *arena, struct gw_stream_totals *totals)
{
    struct arena_mark mark = arena_mark(arena);
    *totals = (struct gw_stream_totals){0};
    int code = gw_stream_each(view, arena, TEXT_NONE, add_totals, totals);
    arena_rewind(arena, mark);
    return code;
}

/* ---- shards ---- */

static int decode_shard(uint32_t number, struct text value, struct gw_shard *shard)
{
    struct cursor c = cursor_of(value);
    if (cursor_u8(&c) != ROW_VERSION)
        return ERR_CORRUPT;
    *shard = (struct gw_shard){.number = number, .start = take_hash(&c)};
    shard->end = take_hash(&c);
    shard->parent = (int64_t)cursor_varint(&c) - 1;
    shard->adjacent = (int64_t)cursor_varint(&c) - 1;
    shard->first = records_position_take(&c);
    shard->closed = cursor_u8(&c) & FLAG_CLOSED;
    shard->last = records_position_take(&c);
    shard->created_ms = (int64_t)cursor_be64(&c);
    shard->closed_ms = (int64_t)cursor_be64(&c);
    return c.failed ? ERR_CORRUPT : 0;
}

int gw_shard_get(struct store_view *view, struct arena *arena, const struct gw_stream *stream, uint32_t number, struct gw_shard *shard)
{
    char key[RECORDS_SHARD_KEY];
    struct text value;
    int code = store_raw_get(view, STORE_SPACE_RECORDS, records_shard_key(key, stream->id, number), arena, &value);
    return code ? code : decode_shard(number, value, shard);
}

int records_shard_put(struct tick *tick, const struct gw_stream *stream, const struct gw_shard *shard)
{
    char key[RECORDS_SHARD_KEY];
    struct buf row;
    buf_init(&row, 256);
    buf_add_u8(&row, ROW_VERSION);
    add_hash(&row, shard->start);
    add_hash(&row, shard->end);
    buf_add_varint(&row, (uint64_t)(shard->parent + 1));
    buf_add_varint(&row, (uint64_t)(shard->adjacent + 1));
    records_position_add(&row, shard->first);
    buf_add_u8(&row, shard->closed ? FLAG_CLOSED : 0);
    records_position_add(&row, shard->last);
    buf_add_be64(&row, (uint64_t)shard->created_ms);
    buf_add_be64(&row, (uint64_t)shard->closed_ms);
    int code = row.failed ? ERR_MEMORY : store_raw_put(tick_stage(tick), STORE_SPACE_RECORDS, records_shard_key(key, stream->id, shard->number), buf_text(&row));
    buf_fini(&row);
    return code;
}

struct each_shard {
    char prefix[RECORDS_SHARD_KEY];
    int (*visit)(void *context, const struct gw_shard *shard);
    void *context;
};

static int on_shard(void *context, struct text key, struct text value)
{
    struct each_shard *each = context;
    struct gw_shard shard;
    if (key.len != RECORDS_SHARD_KEY || memcmp(key.data, each->prefix, RECORDS_SHARD_KEY - 4) != 0)
        return RECORDS_DONE;
    struct cursor c = cursor_of(text_make(key.data + RECORDS_SHARD_KEY - 4, 4));
    int code = decode_shard(cursor_be32(&c), value, &shard);
    return code ? code : each->visit(each->context, &shard);
}

int gw_shard_each(struct store_view *view, struct arena *arena, const struct gw_stream *stream, uint32_t from,
    int (*visit)(void *context, const struct gw_shard *shard), void *context)
{
    struct each_shard each = {.visit = visit, .context = context};
    struct text key = records_shard_key(each.prefix, stream->id, from);
    int code = store_raw_scan(view, STORE_SPACE_RECORDS, key, arena, on_shard, &each);
    return code == RECORDS_DONE ? 0 : code;
}
