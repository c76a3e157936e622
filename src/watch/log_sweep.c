/*
 * What retention has passed over, and what lay below a deleted group or stream, goes in slices by deferred calls that ask for their successors: no thread, no memory, and a
 * crash only delays it. Reads show none of it meanwhile: they go by the retention in force, and by the ids that are still named.
 *
 *   expire payload   version, group id(be64), class, place in the index of the class(bytes), group name
 *   purge payload    version, group id(be64), stream id(be64; 0: the whole group)
 */
#include "watch/log_inside.h"

#include "base/clock.h"
#include "base/counter.h"

enum { PAYLOAD_VERSION = 1 };
#define SLICE_ROWS 256
#define EXPIRE_EVERY_MS HOUR_MS
#define ATTEMPTS UINT32_MAX
#define DEFERRED_ARENA ((size_t)32 << 20)

/* ---- retention ---- */

struct expire {
    struct tick *tick;
    struct arena *arena;
    uint64_t id;
    uint8_t class;
    struct text from; /* the next key to look at; empty: the class's beginning */
    struct text name;
    struct text prefix;
    int64_t horizon_ms;
    struct log_ref gone[SLICE_ROWS];
    size_t count, looked;
    struct text next;
    int64_t bytes;
};

static int expire_ask(struct tick *tick, const struct expire *expire, int64_t delay_ms)
{
    struct buf payload;
    buf_init(&payload, 64 + LOG_KEY_MAX + WATCH_LOG_NAME_MAX);
    buf_add_u8(&payload, PAYLOAD_VERSION);
    buf_add_be64(&payload, expire->id);
    buf_add_u8(&payload, expire->class);
    buf_add_bytes(&payload, expire->from);
    buf_add_text(&payload, expire->name);
    int code = payload.failed ? ERR_MEMORY : tick_later(tick, delay_ms, TEXT(LOG_EXPIRE), buf_text(&payload), ATTEMPTS, MINUTE_MS, NULL);
    buf_fini(&payload);
    return code;
}

int log_expire_later(struct tick *tick, const struct watch_log_group *group, int64_t delay_ms)
{
    struct expire expire = {.id = group->id, .name = group->name};
    return expire_ask(tick, &expire, delay_ms);
}

static int on_chunk(void *context, struct text key, struct text value)
{
    struct expire *expire = context;
    struct log_ref ref;
    if (!text_starts(key, expire->prefix))
        return LOG_DONE;
    int code = log_ref_parse(key, value, &ref);
    if (code)
        return code;
    if (ref.min_ms >= expire->horizon_ms)
        return LOG_DONE;
    if (expire->looked++ == SLICE_ROWS) {
        expire->next = key;
        return LOG_DONE;
    }
    if (ref.max_ms < expire->horizon_ms)
        expire->gone[expire->count++] = ref;
    return 0;
}

static int expire_slice(struct expire *expire)
{
    struct log_key prefix;
    log_key_begin(&prefix, 'x', expire->id);
    log_key_add8(&prefix, expire->class);
    expire->prefix = log_key_text(&prefix);
    int code = store_raw_scan(tick_view(expire->tick), STORE_SPACE_LOG_CHUNKS, expire->from.len ? expire->from : expire->prefix, expire->arena, on_chunk, expire);
    code = code == LOG_DONE ? 0 : code;
    for (size_t i = 0; i < expire->count && !code; i++) {
        code = log_chunk_delete(expire->tick, expire->id, &expire->gone[i]);
        expire->bytes += expire->gone[i].stored;
        counter_add(COUNTER_logs_events_expired, expire->gone[i].events);
    }
    return code || !expire->bytes ? code : log_bytes_add(expire->tick, expire->arena, expire->id, -expire->bytes);
}

int log_expire(struct tick *tick, struct arena *arena, struct text payload)
{
    struct expire *expire = arena_zalloc(arena, sizeof(*expire));
    struct watch_log_group group;
    struct cursor c = cursor_of(payload);
    if (!expire)
        return ERR_MEMORY;
    uint8_t version = cursor_u8(&c);
    expire->tick = tick;
    expire->arena = arena;
    expire->id = cursor_be64(&c);
    expire->class = cursor_u8(&c);
    expire->from = cursor_bytes(&c);
    expire->name = cursor_take(&c, cursor_left(&c));
    if (c.failed || version != PAYLOAD_VERSION)
        return ERR_CORRUPT;
    int code = watch_log_group_get(tick_view(tick), arena, expire->name, &group);
    if (code || group.id != expire->id)
        return code == ERR_NOT_FOUND || !code ? 0 : code;
    if (!group.retention_days) {
        group.sweeping = false;
        return watch_log_group_put(tick, &group);
    }
    expire->horizon_ms = watch_log_horizon_ms(&group, tick_now_ms(tick));
    code = expire->class < LOG_CLASSES ? expire_slice(expire) : 0;
    if (code)
        return code;
    expire->from = expire->next;
    if (!expire->next.len)
        expire->class++;
    if (expire->class < LOG_CLASSES)
        return expire_ask(tick, expire, 0);
    expire->class = 0;
    return expire_ask(tick, expire, EXPIRE_EVERY_MS);
}

/* ---- what was deleted ---- */

int log_purge_later(struct tick *tick, uint64_t group, uint64_t stream)
{
    struct buf payload;
    buf_init(&payload, 64);
    buf_add_u8(&payload, PAYLOAD_VERSION);
    buf_add_be64(&payload, group);
    buf_add_be64(&payload, stream);
    int code = payload.failed ? ERR_MEMORY : tick_later(tick, 0, TEXT(LOG_PURGE), buf_text(&payload), ATTEMPTS, MINUTE_MS, NULL);
    buf_fini(&payload);
    return code;
}

struct purge {
    struct tick *tick;
    struct arena *arena;
    struct text prefix;
    uint8_t space;
    size_t rows, bytes;
    int64_t freed;
    uint64_t group;
    bool chunks;
};

/* Rows may be deleted below the walk's feet: it reads through the stage. */
static int on_row(void *context, struct text key, struct text value)
{
    struct purge *purge = context;
    struct log_ref ref;
    if (!text_starts(key, purge->prefix) || purge->rows >= SLICE_ROWS || purge->bytes >= ((size_t)4 << 20))
        return LOG_DONE;
    purge->rows++;
    purge->bytes += value.len;
    if (!purge->chunks)
        return store_raw_delete(tick_stage(purge->tick), purge->space, key);
    int code = log_ref_parse(key, value, &ref);
    purge->freed += ref.stored;
    return code ? code : log_chunk_delete(purge->tick, purge->group, &ref);
}

static int purge_rows(struct purge *purge, uint8_t space, struct log_key prefix, bool chunks)
{
    purge->prefix = log_key_text(&prefix);
    purge->space = space;
    purge->chunks = chunks;
    int code = store_raw_scan(tick_view(purge->tick), space, purge->prefix, purge->arena, on_row, purge);
    return code == LOG_DONE ? 0 : code;
}

static int purge_stream(struct purge *purge, uint64_t stream)
{
    struct log_key key;
    log_key_begin(&key, 't', purge->group);
    log_key_add64(&key, stream);
    int code = purge_rows(purge, STORE_SPACE_LOG_CHUNKS, key, false);
    log_key_begin(&key, 'y', purge->group);
    log_key_add64(&key, stream);
    if (!code)
        code = purge_rows(purge, STORE_SPACE_LOG_CHUNKS, key, true);
    return code || !purge->freed ? code : log_bytes_add(purge->tick, purge->arena, purge->group, -purge->freed);
}

static int purge_group(struct purge *purge)
{
    struct log_key key;
    int code = 0;
    for (const char *kind = "smui"; *kind && !code; kind++) {
        log_key_begin(&key, *kind, purge->group);
        code = purge_rows(purge, STORE_SPACE_LOGS, key, false);
    }
    log_key_begin(&key, 't', purge->group);
    if (!code)
        code = purge_rows(purge, STORE_SPACE_LOG_CHUNKS, key, false);
    log_key_begin(&key, 'x', purge->group);
    if (!code)
        code = purge_rows(purge, STORE_SPACE_LOG_CHUNKS, key, true);
    log_key_begin(&key, 'b', purge->group);
    return code ? code : store_raw_delete(tick_stage(purge->tick), STORE_SPACE_LOGS, log_key_text(&key));
}

int log_purge(struct tick *tick, struct arena *arena, struct text payload)
{
    struct purge purge = {.tick = tick, .arena = arena};
    struct cursor c = cursor_of(payload);
    uint8_t version = cursor_u8(&c);
    purge.group = cursor_be64(&c);
    uint64_t stream = cursor_be64(&c);
    if (c.failed || version != PAYLOAD_VERSION)
        return ERR_CORRUPT;
    int code = stream ? purge_stream(&purge, stream) : purge_group(&purge);
    return code || !purge.rows ? code : log_purge_later(tick, purge.group, stream);
}

/* In an arena of its own: many of them are due in one tick, and together they would not fit into its. */
int watch_log_deferred(struct tick *tick, struct text name, struct text payload)
{
    struct arena arena;
    arena_init(&arena, 64 << 10, DEFERRED_ARENA);
    int code = text_is(name, LOG_PACK)     ? log_pack(tick, &arena, payload)
               : text_is(name, LOG_EXPIRE) ? log_expire(tick, &arena, payload)
               : text_is(name, LOG_PURGE)  ? log_purge(tick, &arena, payload)
                                           : ERR_NOT_FOUND;
    arena_fini(&arena);
    return code;
}
