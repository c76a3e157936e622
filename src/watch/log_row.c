/*
 * Groups, streams and chunks as rows. Groups and streams have ids besides their names, and events lie below the ids: what is deleted is gone with one row, its events follow
 * in slices, and they never meet those of a successor of the same name.
 *
 *   STORE_SPACE_LOGS
 *   'z'                                        ->  next id(be64) groups(be32)
 *   'g' name                                   ->  version id(be64) created(be64) retention streams filters class flags(varints) tags x (key bytes, value bytes),
 *                                                  subscriptions(varint) KMS key(bytes); older rows end before these
 *   's' group(be64) name                       ->  version id(be64) created first last ingested(be64) puts, then what packing knows
 *   'i' group stream(be64)                     ->  the stream's name
 *   'm' group name                             ->  a metric filter, JSON (log_metric.c)
 *   'u' group name                             ->  a subscription filter, JSON (log_subscribe.c)
 *   'o' sequence(be64) number(be32)            ->  a delivery (log_subscribe.c)
 *   'a' kind name                              ->  what belongs to no group, JSON (log_setting.c)
 *   'b' group                                  ->  bytes its chunks take(be64)
 *   STORE_SPACE_LOG_CHUNKS
 *   't' group stream sequence(be64) bucket(be16)  ->  a tail: a block, plain or packed
 *   'c' group stream chunk(be64)                  ->  a chunk: a packed block
 *   'x' group class min(be64) stream chunk        ->  version max(be64) events raw stored(varints): where it lies in the time of its group
 *   'y' group stream class min(be64) chunk        ->  the same, in that of its stream
 *
 * A chunk belongs to a class by its span: below 1 s, 16 s, 256 s and so on. In a class, all that overlaps a range begins at most the class's span before it. So a reader finds
 * what overlaps any range with a seek per class, whether a stream writes a chunk in a second or in a week.
 */
#include "watch/log_inside.h"

enum { ROW_VERSION = 1, FLAG_SWEEPING = 1, FLAG_GUARDED = 2 };
#define GROUP_ROW_MAX (64u << 10)

/* ---- keys ---- */

static void key_add(struct log_key *key, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        key->bytes[key->len++] = (char)(value >> (8 * i) & 0xff);
}

void log_key_begin(struct log_key *key, char kind, uint64_t group)
{
    key->bytes[0] = kind;
    key->len = 1;
    key_add(key, group, 8);
}

void log_key_add64(struct log_key *key, uint64_t value)
{
    key_add(key, value, 8);
}

void log_key_add16(struct log_key *key, uint32_t value)
{
    key_add(key, value, 2);
}

void log_key_add8(struct log_key *key, uint8_t value)
{
    key_add(key, value, 1);
}

int64_t log_class_span(uint8_t class)
{
    return INT64_C(1000) << (4 * class);
}

uint8_t log_class_of(int64_t span_ms)
{
    uint8_t class = 0;
    while (class < LOG_CLASSES - 1 && span_ms >= log_class_span(class))
        class++;
    return class;
}

struct log_key log_index_key(uint64_t group, bool by_stream, const struct log_ref *ref)
{
    struct log_key key;
    log_key_begin(&key, by_stream ? 'y' : 'x', group);
    if (by_stream)
        log_key_add64(&key, ref->stream);
    log_key_add8(&key, ref->class);
    log_key_add64(&key, (uint64_t)ref->min_ms);
    if (!by_stream)
        log_key_add64(&key, ref->stream);
    log_key_add64(&key, ref->chunk);
    return key;
}

struct log_key log_chunk_key(uint64_t group, uint64_t stream, uint64_t chunk)
{
    struct log_key key;
    log_key_begin(&key, 'c', group);
    log_key_add64(&key, stream);
    log_key_add64(&key, chunk);
    return key;
}

struct log_key log_tail_key(uint64_t group, uint64_t stream, uint64_t sequence, uint32_t bucket)
{
    struct log_key key;
    log_key_begin(&key, 't', group);
    log_key_add64(&key, stream);
    log_key_add64(&key, sequence);
    log_key_add16(&key, bucket);
    return key;
}

int log_ref_parse(struct text key, struct text value, struct log_ref *ref)
{
    struct cursor k = cursor_of(key), v = cursor_of(value);
    char kind = (char)cursor_u8(&k);
    cursor_be64(&k); /* the group */
    *ref = (struct log_ref){0};
    if (kind == 'y')
        ref->stream = cursor_be64(&k);
    ref->class = cursor_u8(&k);
    ref->min_ms = (int64_t)cursor_be64(&k);
    if (kind == 'x')
        ref->stream = cursor_be64(&k);
    ref->chunk = cursor_be64(&k);
    uint8_t version = cursor_u8(&v);
    ref->max_ms = (int64_t)cursor_be64(&v);
    ref->events = (uint32_t)cursor_varint(&v);
    ref->raw = (uint32_t)cursor_varint(&v);
    ref->stored = (uint32_t)cursor_varint(&v);
    return k.failed || v.failed || version != ROW_VERSION || ref->class >= LOG_CLASSES ? ERR_CORRUPT : 0;
}

/* ---- raw rows ---- */

static int put_row(struct tick *tick, uint8_t space, struct text key, struct buf *row)
{
    int code = row->failed ? ERR_MEMORY : store_raw_put(tick_stage(tick), space, key, buf_text(row));
    buf_fini(row);
    return code;
}

int log_chunk_put(struct tick *tick, uint64_t group, const struct log_ref *ref, struct text block)
{
    struct log_key chunk = log_chunk_key(group, ref->stream, ref->chunk);
    int code = store_raw_put(tick_stage(tick), STORE_SPACE_LOG_CHUNKS, log_key_text(&chunk), block);
    for (int by_stream = 0; by_stream < 2 && !code; by_stream++) {
        struct log_key key = log_index_key(group, by_stream, ref);
        struct buf row;
        buf_init(&row, 64);
        buf_add_u8(&row, ROW_VERSION);
        buf_add_be64(&row, (uint64_t)ref->max_ms);
        buf_add_varint(&row, ref->events);
        buf_add_varint(&row, ref->raw);
        buf_add_varint(&row, ref->stored);
        code = put_row(tick, STORE_SPACE_LOG_CHUNKS, log_key_text(&key), &row);
    }
    return code;
}

int log_chunk_delete(struct tick *tick, uint64_t group, const struct log_ref *ref)
{
    struct log_key key[3] = {log_chunk_key(group, ref->stream, ref->chunk), log_index_key(group, false, ref), log_index_key(group, true, ref)};
    int code = 0;
    for (int i = 0; i < 3 && !code; i++)
        code = store_raw_delete(tick_stage(tick), STORE_SPACE_LOG_CHUNKS, log_key_text(&key[i]));
    return code;
}

static int read_bytes(struct store_view *view, struct arena *arena, uint64_t group, int64_t *bytes)
{
    struct log_key key;
    struct text value;
    log_key_begin(&key, 'b', group);
    *bytes = 0;
    int code = store_raw_get(view, STORE_SPACE_LOGS, log_key_text(&key), arena, &value);
    if (code)
        return code == ERR_NOT_FOUND ? 0 : code;
    struct cursor c = cursor_of(value);
    *bytes = (int64_t)cursor_be64(&c);
    return c.failed ? ERR_CORRUPT : 0;
}

int log_bytes_add(struct tick *tick, struct arena *arena, uint64_t group, int64_t bytes)
{
    struct log_key key;
    struct buf row;
    int64_t before;
    int code = read_bytes(tick_view(tick), arena, group, &before);
    if (code)
        return code;
    log_key_begin(&key, 'b', group);
    buf_init(&row, 8);
    buf_add_be64(&row, before + bytes > 0 ? (uint64_t)(before + bytes) : 0);
    return put_row(tick, STORE_SPACE_LOGS, log_key_text(&key), &row);
}

int watch_log_group_bytes(struct store_view *view, struct arena *arena, const struct watch_log_group *group, int64_t *bytes)
{
    return read_bytes(view, arena, group->id, bytes);
}

/* ---- groups ---- */

static struct text name_key(char out[WATCH_LOG_NAME_MAX + 16], char kind, const uint64_t *group, struct text name)
{
    struct log_key key;
    if (group)
        log_key_begin(&key, kind, *group);
    else
        key = (struct log_key){{kind}, 1};
    size_t len = name.len > WATCH_LOG_NAME_MAX ? WATCH_LOG_NAME_MAX : name.len;
    memcpy(out, key.bytes, key.len);
    if (len)
        memcpy(out + key.len, name.data, len);
    return text_make(out, key.len + len);
}

static int decode_group(struct arena *arena, struct text name, struct text value, struct watch_log_group *group)
{
    struct cursor c = cursor_of(value);
    uint8_t version = cursor_u8(&c);
    *group = (struct watch_log_group){.name = name, .id = cursor_be64(&c)};
    group->created_ms = (int64_t)cursor_be64(&c);
    group->retention_days = (uint32_t)cursor_varint(&c);
    group->streams = (uint32_t)cursor_varint(&c);
    group->filters = (uint32_t)cursor_varint(&c);
    group->log_class = (enum watch_log_class)cursor_varint(&c);
    uint64_t flags = cursor_varint(&c);
    group->sweeping = flags & FLAG_SWEEPING;
    group->guarded = flags & FLAG_GUARDED;
    uint64_t tags = cursor_varint(&c);
    if (c.failed || version != ROW_VERSION || tags > WATCH_LOG_TAGS_MAX)
        return ERR_CORRUPT;
    group->tag = arena_array(arena, WATCH_LOG_TAGS_MAX, sizeof(*group->tag));
    if (!group->tag)
        return ERR_MEMORY;
    for (group->tags = 0; group->tags < tags; group->tags++) {
        group->tag[group->tags].key = cursor_bytes(&c);
        group->tag[group->tags].value = cursor_bytes(&c);
    }
    if (!c.failed && cursor_left(&c)) {
        group->subscriptions = (uint32_t)cursor_varint(&c);
        group->kms_key = cursor_bytes(&c);
    }
    return c.failed ? ERR_CORRUPT : 0;
}

int watch_log_group_get(struct store_view *view, struct arena *arena, struct text name, struct watch_log_group *group)
{
    char key[WATCH_LOG_NAME_MAX + 16];
    struct text value;
    if (!watch_log_group_name_valid(name))
        return ERR_NOT_FOUND;
    int code = store_raw_get(view, STORE_SPACE_LOGS, name_key(key, 'g', NULL, name), arena, &value);
    return code ? code : decode_group(arena, name, value, group);
}

static int group_row(struct tick *tick, const struct watch_log_group *group)
{
    char key[WATCH_LOG_NAME_MAX + 16];
    struct buf row;
    buf_init(&row, GROUP_ROW_MAX);
    buf_add_u8(&row, ROW_VERSION);
    buf_add_be64(&row, group->id);
    buf_add_be64(&row, (uint64_t)group->created_ms);
    buf_add_varint(&row, group->retention_days);
    buf_add_varint(&row, group->streams);
    buf_add_varint(&row, group->filters);
    buf_add_varint(&row, (uint64_t)group->log_class);
    buf_add_varint(&row, (group->sweeping ? FLAG_SWEEPING : 0u) | (group->guarded ? FLAG_GUARDED : 0u));
    buf_add_varint(&row, group->tags);
    for (uint32_t i = 0; i < group->tags; i++) {
        buf_add_bytes(&row, group->tag[i].key);
        buf_add_bytes(&row, group->tag[i].value);
    }
    buf_add_varint(&row, group->subscriptions);
    buf_add_bytes(&row, group->kms_key);
    log_cache_changed(tick);
    return put_row(tick, STORE_SPACE_LOGS, name_key(key, 'g', NULL, group->name), &row);
}

int watch_log_group_put(struct tick *tick, struct watch_log_group *group)
{
    int code = 0;
    if (group->retention_days && !group->sweeping) {
        group->sweeping = true;
        code = log_expire_later(tick, group, 0);
    }
    return code ? code : group_row(tick, group);
}

/* The next id, and how many groups there are. */
static int take_id(struct tick *tick, struct arena *arena, int groups, uint64_t *id)
{
    struct text value;
    struct buf row;
    uint64_t next = 1;
    uint32_t count = 0;
    int code = store_raw_get(tick_view(tick), STORE_SPACE_LOGS, TEXT("z"), arena, &value);
    if (code && code != ERR_NOT_FOUND)
        return code;
    if (!code) {
        struct cursor c = cursor_of(value);
        next = cursor_be64(&c);
        count = cursor_be32(&c);
        if (c.failed)
            return ERR_CORRUPT;
    }
    if (groups > 0 && count >= WATCH_LOG_GROUPS_MAX)
        return ERR_FULL;
    *id = next;
    buf_init(&row, 16);
    buf_add_be64(&row, next + 1);
    buf_add_be32(&row, groups < 0 && !count ? 0 : (uint32_t)((int64_t)count + groups));
    return put_row(tick, STORE_SPACE_LOGS, TEXT("z"), &row);
}

int watch_log_group_create(struct tick *tick, struct arena *arena, struct watch_log_group *group)
{
    struct watch_log_group there;
    if (!watch_log_group_name_valid(group->name))
        return ERR_INVALID;
    int code = watch_log_group_get(tick_view(tick), arena, group->name, &there);
    if (code != ERR_NOT_FOUND)
        return code ? code : ERR_EXISTS;
    group->created_ms = tick_now_ms(tick);
    group->streams = group->filters = group->subscriptions = 0;
    group->sweeping = false;
    code = take_id(tick, arena, 1, &group->id);
    return code ? code : watch_log_group_put(tick, group);
}

int watch_log_group_delete(struct tick *tick, struct arena *arena, const struct watch_log_group *group)
{
    char key[WATCH_LOG_NAME_MAX + 16];
    uint64_t unused;
    log_cache_changed(tick);
    log_filters_changed(tick, group->id);
    int code = take_id(tick, arena, -1, &unused);
    if (!code)
        code = store_raw_delete(tick_stage(tick), STORE_SPACE_LOGS, name_key(key, 'g', NULL, group->name));
    return code ? code : log_purge_later(tick, group->id, 0);
}

struct each {
    struct arena *arena;
    struct text start; /* of the keys: kind, group, prefix of names */
    size_t skip;       /* bytes before the name */
    int (*group)(void *, const struct watch_log_group *);
    int (*stream)(void *, const struct watch_log_stream *);
    int (*row)(void *, struct text, struct text);
    void *context;
};

static int decode_stream(struct text name, struct text value, struct watch_log_stream *stream);

static int on_named(void *context, struct text key, struct text value)
{
    struct each *each = context;
    struct watch_log_group group;
    struct watch_log_stream stream;
    if (!text_starts(key, each->start))
        return LOG_DONE;
    struct text name = text_make(key.data + each->skip, key.len - each->skip);
    int code = each->group ? decode_group(each->arena, name, value, &group) : each->stream ? decode_stream(name, value, &stream) : 0;
    if (code)
        return code;
    code = each->group ? each->group(each->context, &group) : each->stream ? each->stream(each->context, &stream) : each->row(each->context, name, value);
    return code > 0 ? LOG_DONE : code;
}

static int each_named(struct store_view *view, struct each *each, char kind, const uint64_t *group, struct text prefix, struct text from)
{
    char start[WATCH_LOG_NAME_MAX + 16], first[WATCH_LOG_NAME_MAX + 16];
    if (prefix.len > WATCH_LOG_NAME_MAX)
        return 0;
    each->start = name_key(start, kind, group, prefix);
    each->skip = each->start.len - prefix.len;
    struct text begin = text_compare(from, prefix) > 0 ? from : prefix;
    int code = store_raw_scan(view, STORE_SPACE_LOGS, name_key(first, kind, group, begin), each->arena, on_named, each);
    return code == LOG_DONE ? 0 : code;
}

int watch_log_group_each(struct store_view *view, struct arena *arena, struct text prefix, struct text from,
    int (*visit)(void *context, const struct watch_log_group *group), void *context)
{
    struct each each = {.arena = arena, .group = visit, .context = context};
    return each_named(view, &each, 'g', NULL, prefix, from);
}

/* ---- streams ---- */

static int decode_stream(struct text name, struct text value, struct watch_log_stream *stream)
{
    struct cursor c = cursor_of(value);
    uint8_t version = cursor_u8(&c);
    *stream = (struct watch_log_stream){.name = name, .id = cursor_be64(&c)};
    stream->created_ms = (int64_t)cursor_be64(&c);
    stream->first_ms = (int64_t)cursor_be64(&c);
    stream->last_ms = (int64_t)cursor_be64(&c);
    stream->ingested_ms = (int64_t)cursor_be64(&c);
    stream->puts = cursor_varint(&c);
    stream->tail_sequence = cursor_varint(&c);
    stream->tail_bucket = (uint32_t)cursor_varint(&c);
    stream->tail_rows = (uint32_t)cursor_varint(&c);
    stream->tail_bytes = cursor_varint(&c);
    stream->pack_asked = cursor_u8(&c);
    stream->next_chunk = cursor_varint(&c);
    stream->open_bytes = cursor_varint(&c);
    stream->open_class = cursor_u8(&c);
    stream->open_min_ms = (int64_t)cursor_varint(&c);
    stream->open_chunk = cursor_varint(&c);
    stream->tail_from = cursor_left(&c) ? cursor_varint(&c) : 0; /* older rows end before it */
    return c.failed || version != ROW_VERSION ? ERR_CORRUPT : 0;
}

int log_stream_write(struct tick *tick, uint64_t group, const struct watch_log_stream *stream)
{
    char key[WATCH_LOG_NAME_MAX + 16];
    struct buf row;
    buf_init(&row, 256);
    buf_add_u8(&row, ROW_VERSION);
    buf_add_be64(&row, stream->id);
    buf_add_be64(&row, (uint64_t)stream->created_ms);
    buf_add_be64(&row, (uint64_t)stream->first_ms);
    buf_add_be64(&row, (uint64_t)stream->last_ms);
    buf_add_be64(&row, (uint64_t)stream->ingested_ms);
    buf_add_varint(&row, stream->puts);
    buf_add_varint(&row, stream->tail_sequence);
    buf_add_varint(&row, stream->tail_bucket);
    buf_add_varint(&row, stream->tail_rows);
    buf_add_varint(&row, stream->tail_bytes);
    buf_add_u8(&row, stream->pack_asked);
    buf_add_varint(&row, stream->next_chunk);
    buf_add_varint(&row, stream->open_bytes);
    buf_add_u8(&row, stream->open_class);
    buf_add_varint(&row, (uint64_t)stream->open_min_ms);
    buf_add_varint(&row, stream->open_chunk);
    buf_add_varint(&row, stream->tail_from);
    return put_row(tick, STORE_SPACE_LOGS, name_key(key, 's', &group, stream->name), &row);
}

int log_stream_put(struct tick *tick, uint64_t group, const struct watch_log_stream *stream)
{
    log_cache_changed(tick);
    return log_stream_write(tick, group, stream);
}

int watch_log_stream_get(struct store_view *view, struct arena *arena, const struct watch_log_group *group, struct text name, struct watch_log_stream *stream)
{
    char key[WATCH_LOG_NAME_MAX + 16];
    struct text value;
    if (!watch_log_stream_name_valid(name))
        return ERR_NOT_FOUND;
    int code = store_raw_get(view, STORE_SPACE_LOGS, name_key(key, 's', &group->id, name), arena, &value);
    return code ? code : decode_stream(name, value, stream);
}

int watch_log_stream_each(struct store_view *view, struct arena *arena, const struct watch_log_group *group, struct text prefix, struct text from,
    int (*visit)(void *context, const struct watch_log_stream *stream), void *context)
{
    struct each each = {.arena = arena, .stream = visit, .context = context};
    return each_named(view, &each, 's', &group->id, prefix, from);
}

int log_stream_name(struct store_view *view, struct arena *arena, uint64_t group, uint64_t stream, struct text *name)
{
    struct log_key key;
    log_key_begin(&key, 'i', group);
    log_key_add64(&key, stream);
    return store_raw_get(view, STORE_SPACE_LOGS, log_key_text(&key), arena, name);
}

int watch_log_stream_create(struct tick *tick, struct arena *arena, struct watch_log_group *group, struct text name, struct watch_log_stream *stream)
{
    struct log_key key;
    if (!watch_log_stream_name_valid(name))
        return ERR_INVALID;
    int code = watch_log_stream_get(tick_view(tick), arena, group, name, stream);
    if (code != ERR_NOT_FOUND)
        return code ? code : ERR_EXISTS;
    if (group->streams >= WATCH_LOG_STREAMS_MAX)
        return ERR_FULL;
    *stream = (struct watch_log_stream){.name = name, .created_ms = tick_now_ms(tick), .first_ms = -1, .last_ms = -1, .ingested_ms = -1, .next_chunk = 1};
    code = take_id(tick, arena, 0, &stream->id);
    if (code)
        return code;
    log_key_begin(&key, 'i', group->id);
    log_key_add64(&key, stream->id);
    code = store_raw_put(tick_stage(tick), STORE_SPACE_LOGS, log_key_text(&key), name);
    group->streams++;
    if (!code)
        code = log_stream_put(tick, group->id, stream);
    return code ? code : watch_log_group_put(tick, group);
}

int watch_log_stream_delete(struct tick *tick, struct arena *arena, struct watch_log_group *group, const struct watch_log_stream *stream)
{
    char key[WATCH_LOG_NAME_MAX + 16];
    struct log_key id;
    (void)arena;
    log_cache_changed(tick);
    int code = store_raw_delete(tick_stage(tick), STORE_SPACE_LOGS, name_key(key, 's', &group->id, stream->name));
    log_key_begin(&id, 'i', group->id);
    log_key_add64(&id, stream->id);
    if (!code)
        code = store_raw_delete(tick_stage(tick), STORE_SPACE_LOGS, log_key_text(&id));
    group->streams -= group->streams > 0;
    if (!code)
        code = watch_log_group_put(tick, group);
    return code ? code : log_purge_later(tick, group->id, stream->id);
}

/* ---- metric filters and subscription filters ---- */

struct filters { /* those of one kind */
    char kind;
    uint32_t max, *count;
};

static int filter_put(struct tick *tick, struct arena *arena, struct watch_log_group *group, const struct filters *filters, struct text name, struct text value)
{
    char space[WATCH_LOG_NAME_MAX + 16];
    struct text key = name_key(space, filters->kind, &group->id, name), there;
    int code = store_raw_get(tick_view(tick), STORE_SPACE_LOGS, key, arena, &there);
    if (code && code != ERR_NOT_FOUND)
        return code;
    if (code == ERR_NOT_FOUND && *filters->count >= filters->max)
        return ERR_FULL;
    *filters->count += code == ERR_NOT_FOUND;
    log_filters_changed(tick, group->id);
    code = store_raw_put(tick_stage(tick), STORE_SPACE_LOGS, key, value);
    return code ? code : watch_log_group_put(tick, group);
}

static int filter_delete(struct tick *tick, struct arena *arena, struct watch_log_group *group, const struct filters *filters, struct text name)
{
    char space[WATCH_LOG_NAME_MAX + 16];
    struct text key = name_key(space, filters->kind, &group->id, name), there;
    int code = store_raw_get(tick_view(tick), STORE_SPACE_LOGS, key, arena, &there);
    if (!code)
        code = store_raw_delete(tick_stage(tick), STORE_SPACE_LOGS, key);
    if (code)
        return code;
    *filters->count -= *filters->count > 0;
    log_filters_changed(tick, group->id);
    return watch_log_group_put(tick, group);
}

int watch_log_filter_put(struct tick *tick, struct arena *arena, struct watch_log_group *group, struct text name, struct text value)
{
    return filter_put(tick, arena, group, &(struct filters){'m', WATCH_LOG_FILTERS_MAX, &group->filters}, name, value);
}

int watch_log_filter_delete(struct tick *tick, struct arena *arena, struct watch_log_group *group, struct text name)
{
    return filter_delete(tick, arena, group, &(struct filters){'m', 0, &group->filters}, name);
}

int watch_log_filter_each(struct store_view *view, struct arena *arena, const struct watch_log_group *group, struct text prefix, struct text from,
    int (*visit)(void *context, struct text name, struct text value), void *context)
{
    struct each each = {.arena = arena, .row = visit, .context = context};
    return each_named(view, &each, 'm', &group->id, prefix, from);
}

int watch_log_subscription_put(struct tick *tick, struct arena *arena, struct watch_log_group *group, struct text name, struct text value)
{
    return filter_put(tick, arena, group, &(struct filters){'u', WATCH_LOG_SUBSCRIPTIONS_MAX, &group->subscriptions}, name, value);
}

int watch_log_subscription_delete(struct tick *tick, struct arena *arena, struct watch_log_group *group, struct text name)
{
    return filter_delete(tick, arena, group, &(struct filters){'u', 0, &group->subscriptions}, name);
}

int watch_log_subscription_each(struct store_view *view, struct arena *arena, const struct watch_log_group *group, struct text prefix, struct text from,
    int (*visit)(void *context, struct text name, struct text value), void *context)
{
    struct each each = {.arena = arena, .row = visit, .context = context};
    return each_named(view, &each, 'u', &group->id, prefix, from);
}
