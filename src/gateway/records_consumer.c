/*
 * Consumers of streams of records, in the sense of enhanced fan-out: a name below a stream, and which of its shards it is subscribed to. A consumer is told from
 * another one of its name by the place of its registration, as streams are. A subscription is a row too, not a thing in memory: whoever subscribes writes it in the tick, so
 * two who do so at the same moment on two threads have an order, and the one who was before finds in his next snapshot that he has been replaced.
 *
 *   'c' stream id(16) name                         ->  version id(16) created(be64) tags(varint) x (key bytes, value bytes)
 *   'u' stream id(16) consumer id(16) shard(be32)  ->  version serial(16) at(be64)
 */
#include "gateway/records_inside.h"

#include "gateway/follow.h"

enum { ROW_VERSION = 1, KEY_MAX = 17 + GW_STREAM_NAME_MAX, SUBSCRIPTION_KEY = 37 };
#define CONSUMER_ROW_MAX (64u << 10)

static void put_be(char *out, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        out[i] = (char)(value & 0xff);
}

static char *put_position(char *out, struct gw_position position)
{
    put_be(out, position.sequence, 8);
    put_be(out + 8, position.call, 4);
    put_be(out + 12, position.index, 4);
    return out + 16;
}

struct text records_prefix(char out[RECORDS_PREFIX_KEY], char kind, struct gw_position id)
{
    out[0] = kind;
    put_position(out + 1, id);
    return text_make(out, RECORDS_PREFIX_KEY);
}

static struct text consumer_key(char out[KEY_MAX], struct gw_position stream, struct text name)
{
    out[0] = 'c';
    char *at = put_position(out + 1, stream);
    if (name.len)
        memcpy(at, name.data, name.len);
    return text_make(out, 17 + name.len);
}

static struct text subscription_key(char out[SUBSCRIPTION_KEY], struct gw_position stream, struct gw_position consumer, uint32_t shard)
{
    out[0] = 'u';
    put_be(put_position(put_position(out + 1, stream), consumer), shard, 4);
    return text_make(out, SUBSCRIPTION_KEY);
}

uint64_t gw_stream_subject(struct gw_position id)
{
    return id.sequence * 1000003 + id.call * 101 + id.index;
}

/* ---- consumers ---- */

/* Borrows `value`. */
static int decode(struct arena *arena, struct text name, struct text value, struct gw_stream_consumer *consumer)
{
    struct cursor c = cursor_of(value);
    if (cursor_u8(&c) != ROW_VERSION)
        return ERR_CORRUPT;
    *consumer = (struct gw_stream_consumer){.name = name, .id = records_position_take(&c)};
    consumer->created_ms = (int64_t)cursor_be64(&c);
    uint64_t count = cursor_varint(&c);
    if (c.failed || count > GW_STREAM_TAGS_MAX)
        return ERR_CORRUPT;
    consumer->tag = arena_array(arena, count + 1, sizeof(*consumer->tag));
    if (!consumer->tag)
        return ERR_MEMORY;
    consumer->tags = (uint32_t)count;
    for (uint64_t i = 0; i < count; i++) {
        consumer->tag[i].key = cursor_bytes(&c);
        consumer->tag[i].value = cursor_bytes(&c);
    }
    return c.failed ? ERR_CORRUPT : 0;
}

int gw_consumer_get(struct store_view *view, struct arena *arena, const struct gw_stream *stream, struct text name, struct gw_stream_consumer *consumer)
{
    char key[KEY_MAX];
    struct text value;
    if (!gw_stream_name_valid(name))
        return ERR_NOT_FOUND;
    int code = store_raw_get(view, STORE_SPACE_RECORDS, consumer_key(key, stream->id, name), arena, &value);
    return code ? code : decode(arena, name, value, consumer);
}

struct each {
    struct arena *arena;
    struct text prefix, after;
    int (*visit)(void *context, const struct gw_stream_consumer *consumer);
    void *context;
};

static int on_consumer(void *context, struct text key, struct text value)
{
    struct each *each = context;
    struct gw_stream_consumer consumer;
    if (!text_starts(key, each->prefix))
        return RECORDS_DONE;
    struct text name = text_make(key.data + each->prefix.len, key.len - each->prefix.len);
    if (each->after.len && text_compare(name, each->after) <= 0)
        return 0;
    int code = decode(each->arena, name, value, &consumer);
    return code ? code : each->visit(each->context, &consumer);
}

int gw_consumer_each(struct store_view *view, struct arena *arena, const struct gw_stream *stream, struct text after,
    int (*visit)(void *context, const struct gw_stream_consumer *consumer), void *context)
{
    char prefix[RECORDS_PREFIX_KEY], key[KEY_MAX];
    struct each each = {.arena = arena, .prefix = records_prefix(prefix, 'c', stream->id), .after = after, .visit = visit, .context = context};
    if (after.len > GW_STREAM_NAME_MAX)
        each.after = after = text_make(after.data, GW_STREAM_NAME_MAX);
    int code = store_raw_scan(view, STORE_SPACE_RECORDS, consumer_key(key, stream->id, after), arena, on_consumer, &each);
    return code == RECORDS_DONE ? 0 : code;
}

static int count_one(void *context, const struct gw_stream_consumer *consumer)
{
    (void)consumer;
    ++*(uint32_t *)context;
    return 0;
}

int gw_consumer_count(struct store_view *view, struct arena *arena, const struct gw_stream *stream, uint32_t *count)
{
    struct arena_mark mark = arena_mark(arena);
    *count = 0;
    int code = gw_consumer_each(view, arena, stream, TEXT_NONE, count_one, count);
    arena_rewind(arena, mark);
    return code;
}

int gw_consumer_put(struct tick *tick, const struct gw_stream *stream, const struct gw_stream_consumer *consumer)
{
    char key[KEY_MAX];
    struct buf row;
    buf_init(&row, CONSUMER_ROW_MAX);
    buf_add_u8(&row, ROW_VERSION);
    records_position_add(&row, consumer->id);
    buf_add_be64(&row, (uint64_t)consumer->created_ms);
    buf_add_varint(&row, consumer->tags);
    for (uint32_t i = 0; i < consumer->tags; i++) {
        buf_add_bytes(&row, consumer->tag[i].key);
        buf_add_bytes(&row, consumer->tag[i].value);
    }
    int code = row.failed ? ERR_MEMORY : store_raw_put(tick_stage(tick), STORE_SPACE_RECORDS, consumer_key(key, stream->id, consumer->name), buf_text(&row));
    buf_fini(&row);
    return code;
}

int gw_consumer_create(struct tick *tick, struct arena *arena, const struct gw_stream *stream, struct gw_stream_consumer *consumer)
{
    struct gw_stream_consumer found;
    uint32_t count;
    int code = gw_consumer_get(tick_view(tick), arena, stream, consumer->name, &found);
    if (code != ERR_NOT_FOUND)
        return code ? code : ERR_EXISTS;
    code = gw_consumer_count(tick_view(tick), arena, stream, &count);
    if (code || count >= GW_STREAM_CONSUMERS_MAX)
        return code ? code : ERR_FULL;
    consumer->id = (struct gw_position){tick_sequence(tick), tick_call_number(tick), 0};
    consumer->created_ms = tick_now_ms(tick);
    return gw_consumer_put(tick, stream, consumer);
}

int gw_consumer_delete(struct tick *tick, const struct gw_stream *stream, const struct gw_stream_consumer *consumer)
{
    char key[KEY_MAX], rows[SUBSCRIPTION_KEY];
    struct text first = subscription_key(rows, stream->id, consumer->id, 0);
    int code = store_raw_delete(tick_stage(tick), STORE_SPACE_RECORDS, consumer_key(key, stream->id, consumer->name));
    gw_follow_touch(tick, gw_stream_subject(stream->id));
    return code ? code : records_purge_later(tick, text_make(first.data, first.len - 4));
}

/* ---- subscriptions ---- */

int gw_subscription_get(struct store_view *view, struct arena *arena, const struct gw_stream *stream, const struct gw_stream_consumer *consumer, uint32_t shard,
    struct gw_subscription *subscription)
{
    char key[SUBSCRIPTION_KEY];
    struct text value;
    int code = store_raw_get(view, STORE_SPACE_RECORDS, subscription_key(key, stream->id, consumer->id, shard), arena, &value);
    if (code)
        return code;
    struct cursor c = cursor_of(value);
    if (cursor_u8(&c) != ROW_VERSION)
        return ERR_CORRUPT;
    subscription->serial = records_position_take(&c);
    subscription->at_ms = (int64_t)cursor_be64(&c);
    return c.failed ? ERR_CORRUPT : 0;
}

int gw_subscription_begin(struct tick *tick, const struct gw_stream *stream, const struct gw_stream_consumer *consumer, uint32_t shard, struct gw_subscription *subscription)
{
    char key[SUBSCRIPTION_KEY];
    struct buf row;
    *subscription = (struct gw_subscription){{tick_sequence(tick), tick_call_number(tick), 0}, tick_now_ms(tick)};
    buf_init(&row, 64);
    buf_add_u8(&row, ROW_VERSION);
    records_position_add(&row, subscription->serial);
    buf_add_be64(&row, (uint64_t)subscription->at_ms);
    int code = row.failed ? ERR_MEMORY : store_raw_put(tick_stage(tick), STORE_SPACE_RECORDS, subscription_key(key, stream->id, consumer->id, shard), buf_text(&row));
    buf_fini(&row);
    gw_follow_touch(tick, gw_stream_subject(stream->id));
    return code;
}
