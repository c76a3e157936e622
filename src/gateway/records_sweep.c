/*
 * The sweep: what retention has passed over is deleted, a slice at a time, by a deferred call that asks for its successor. So it survives a crash, needs no thread,
 * and goes by the retention in force when it runs: a stream whose retention was lengthened keeps what it has, which the due times of ordinary expiry could not do. The call
 * also removes closed shards that are empty, and the shards' rows of a stream that was deleted.
 *
 * Deletions make no change records: consumers know retention, and the old images would only fill the journal again.
 *
 *   payload   1, id(16), next shard(be32), place in it(16), earliest due time so far(be64), stream name
 *             2, what the keys of rows begin with that are to go (consumers and subscriptions of what was deleted)
 *             3, id(16), stream name: the next steps of UpdateShardCount
 */
#include "gateway/records_inside.h"

#include "base/clock.h"
#include "base/counter.h"

enum { PAYLOAD_VERSION = 1, PAYLOAD_PURGE = 2, PAYLOAD_SCALE = 3 };
#define SLICE_RECORDS 64
#define SLICE_BYTES ((size_t)1 << 19)
#define SLICE_SHARDS 8
#define PURGE_ROWS 128
#define WAIT_MIN_MS MINUTE_MS
#define WAIT_MAX_MS HOUR_MS
#define ATTEMPTS UINT32_MAX /* a full disk puts it off, nothing ends it */

struct sweep {
    struct gw_position id;
    struct text name;
    uint32_t next;
    struct gw_position from; /* in shard `next`: what lies before is deleted already, and its tombstones are not walked again */
    int64_t due_ms;      /* of the earliest record that was left */
    int64_t horizon_ms;
    struct tick *tick;
    struct arena *arena;
    struct gw_stream *stream;
    const struct store_table *table;
    size_t records, bytes, shards;
    uint32_t emptied[SLICE_SHARDS]; /* closed, past and empty: their rows go */
    size_t emptied_count;
};

static int ask_again(struct tick *tick, const struct sweep *sweep, int64_t delay_ms)
{
    struct buf payload;
    buf_init(&payload, 64 + GW_STREAM_NAME_MAX);
    buf_add_u8(&payload, PAYLOAD_VERSION);
    records_position_add(&payload, sweep->id);
    buf_add_be32(&payload, sweep->next);
    records_position_add(&payload, sweep->from);
    buf_add_be64(&payload, (uint64_t)sweep->due_ms);
    buf_add_text(&payload, sweep->name);
    int code = payload.failed ? ERR_MEMORY : tick_later(tick, delay_ms, TEXT(GW_RECORDS_SWEEP), buf_text(&payload), ATTEMPTS, MINUTE_MS, NULL);
    buf_fini(&payload);
    return code;
}

int records_sweep_later(struct tick *tick, const struct gw_stream *stream, int64_t delay_ms)
{
    struct sweep sweep = {.id = stream->id, .name = stream->name, .due_ms = INT64_MAX};
    return ask_again(tick, &sweep, delay_ms);
}

static bool payload_parse(struct text payload, struct sweep *sweep)
{
    struct cursor c = cursor_of(payload);
    if (cursor_u8(&c) != PAYLOAD_VERSION)
        return false;
    sweep->id = records_position_take(&c);
    sweep->next = cursor_be32(&c);
    sweep->from = records_position_take(&c);
    sweep->due_ms = (int64_t)cursor_be64(&c);
    sweep->name = cursor_take(&c, cursor_left(&c));
    return !c.failed;
}

/* ---- a stream that is gone ---- */

struct purge {
    struct text prefix, key[PURGE_ROWS];
    size_t count;
};

static int note_row(void *context, struct text key, struct text value)
{
    struct purge *purge = context;
    (void)value;
    if (!text_starts(key, purge->prefix) || purge->count == PURGE_ROWS)
        return RECORDS_DONE;
    purge->key[purge->count++] = key;
    return 0;
}

/* A slice of the rows that begin with the prefix. `more`: there may be others. */
static int purge_slice(struct tick *tick, struct arena *arena, struct text prefix, struct text first, bool *more)
{
    struct purge *purge = arena_zalloc(arena, sizeof(*purge));
    if (!purge)
        return ERR_MEMORY;
    purge->prefix = prefix;
    int code = store_raw_scan(tick_view(tick), STORE_SPACE_RECORDS, first, arena, note_row, purge);
    code = code == RECORDS_DONE ? 0 : code;
    for (size_t i = 0; i < purge->count && !code; i++)
        code = store_raw_delete(tick_stage(tick), STORE_SPACE_RECORDS, purge->key[i]);
    *more = purge->count == PURGE_ROWS;
    return code;
}

static int purge_rows(struct sweep *sweep)
{
    char from[RECORDS_SHARD_KEY];
    bool more = false;
    struct text first = records_shard_key(from, sweep->id, 0);
    int code = purge_slice(sweep->tick, sweep->arena, text_make(from, RECORDS_SHARD_KEY - 4), first, &more);
    return code || !more ? code : ask_again(sweep->tick, sweep, 0);
}

int records_purge_later(struct tick *tick, struct text prefix)
{
    struct buf payload;
    buf_init(&payload, 64);
    buf_add_u8(&payload, PAYLOAD_PURGE);
    buf_add_text(&payload, prefix);
    int code = payload.failed ? ERR_MEMORY : tick_later(tick, 0, TEXT(GW_RECORDS_SWEEP), buf_text(&payload), ATTEMPTS, MINUTE_MS, NULL);
    buf_fini(&payload);
    return code;
}

static int purge(struct tick *tick, struct arena *arena, struct text prefix)
{
    bool more = false;
    int code = prefix.len < RECORDS_PREFIX_KEY ? ERR_CORRUPT : purge_slice(tick, arena, prefix, prefix, &more);
    return code || !more ? code : records_purge_later(tick, prefix);
}

/* ---- a stream that is being scaled ---- */

int records_scale_later(struct tick *tick, const struct gw_stream *stream)
{
    struct buf payload;
    buf_init(&payload, 64 + GW_STREAM_NAME_MAX);
    buf_add_u8(&payload, PAYLOAD_SCALE);
    records_position_add(&payload, stream->id);
    buf_add_text(&payload, stream->name);
    int code = payload.failed ? ERR_MEMORY : tick_later(tick, 0, TEXT(GW_RECORDS_SWEEP), buf_text(&payload), ATTEMPTS, MINUTE_MS, NULL);
    buf_fini(&payload);
    return code;
}

static int scale(struct tick *tick, struct arena *arena, struct text payload)
{
    struct cursor c = cursor_of(payload);
    struct gw_position id = records_position_take(&c);
    struct gw_stream stream;
    int code = c.failed ? ERR_CORRUPT : gw_stream_get(tick_view(tick), arena, cursor_take(&c, cursor_left(&c)), &stream);
    if (code == ERR_NOT_FOUND || (!code && gw_position_compare(stream.id, id) != 0))
        return 0; /* deleted meanwhile */
    return code ? code : records_scale_on(tick, arena, &stream);
}

/* ---- records ---- */

static bool is_sated(const struct sweep *sweep)
{
    return sweep->records >= SLICE_RECORDS || sweep->bytes >= SLICE_BYTES;
}

static int remove_record(struct sweep *sweep, const struct attr *item)
{
    struct store_view *view = tick_view(sweep->tick);
    struct arena_mark mark = arena_mark(sweep->arena);
    const struct attr *data = item_get_str(item, GW_RECORD_DATA), *sequence = item_get_str(item, GW_RECORD_SEQUENCE);
    uint32_t shard;
    if (sequence)
        gw_position_parse(sequence->text, &sweep->from, &shard);
    sweep->records++;
    sweep->bytes += data ? data->text.len : 0;
    int code = store_delete(view, sweep->table, item, STORE_BY_SERVICE | STORE_QUIET, sweep->arena, NULL, NULL);
    arena_rewind(sweep->arena, mark);
    return code;
}

/* Deletes from the shard's beginning. `empty`: nothing is left. */
static int sweep_records(struct sweep *sweep, struct store_cursor *cursor, bool *empty)
{
    int code = 0;
    *empty = false;
    while (!code && !is_sated(sweep)) {
        const struct attr *item;
        int64_t at_ms;
        struct arena_mark mark = arena_mark(sweep->arena);
        code = store_cursor_next(cursor, sweep->arena, &item);
        if (code == ERR_NOT_FOUND) {
            *empty = true;
            return 0;
        }
        bool due = !code && (attr_to_i64(item_get_str(item, GW_RECORD_AT), &at_ms) || at_ms < sweep->horizon_ms);
        if (!code && !due) {
            int64_t due_ms = at_ms + sweep->stream->retention_h * HOUR_MS;
            sweep->due_ms = due_ms < sweep->due_ms ? due_ms : sweep->due_ms;
            return 0;
        }
        if (!code)
            code = remove_record(sweep, item);
        arena_rewind(sweep->arena, mark);
    }
    return code;
}

static int on_shard(void *context, const struct gw_shard *shard)
{
    struct sweep *sweep = context;
    char name[GW_SHARD_TEXT + 1], place[GW_SEQUENCE_TEXT + 1];
    struct store_cursor *cursor;
    bool empty;
    if (is_sated(sweep) || sweep->shards++ == SLICE_SHARDS)
        return RECORDS_DONE;
    if (sweep->next != shard->number)
        sweep->from = (struct gw_position){0};
    sweep->next = shard->number;
    gw_position_format(sweep->from, 0, place);
    gw_shard_format(shard->number, name);
    struct attr hash = {.type = ATTR_STRING, .text = text_make(name, GW_SHARD_TEXT)}, low = {.type = ATTR_STRING, .text = text_make(place, GW_SEQUENCE_TEXT)};
    struct store_query query = {.table = sweep->table, .hash = {&hash}, .op = STORE_RANGE_GE, .low = &low};
    int code = store_query_open(tick_view(sweep->tick), &query, sweep->arena, &cursor, NULL);
    if (code)
        return code;
    code = sweep_records(sweep, cursor, &empty);
    store_cursor_close(cursor);
    if (!code && empty && shard->closed && shard->closed_ms < sweep->horizon_ms)
        sweep->emptied[sweep->emptied_count++] = shard->number;
    if (!code && !is_sated(sweep)) { /* done with this one */
        sweep->next = shard->number + 1;
        sweep->from = (struct gw_position){0};
    }
    return code;
}

static int forget_emptied(struct sweep *sweep)
{
    int code = 0;
    for (size_t i = 0; i < sweep->emptied_count && !code; i++) {
        char key[RECORDS_SHARD_KEY];
        code = store_raw_delete(tick_stage(sweep->tick), STORE_SPACE_RECORDS, records_shard_key(key, sweep->id, sweep->emptied[i]));
        sweep->stream->kept_shards--;
    }
    return code || !sweep->emptied_count ? code : gw_stream_put(sweep->tick, sweep->stream);
}

static int64_t wait_ms(const struct sweep *sweep, int64_t now_ms)
{
    int64_t wait = sweep->due_ms > now_ms ? sweep->due_ms - now_ms : 0;
    return wait < WAIT_MIN_MS ? WAIT_MIN_MS : wait > WAIT_MAX_MS ? WAIT_MAX_MS : wait;
}

static int sweep_slice(struct sweep *sweep)
{
    int code = gw_shard_each(tick_view(sweep->tick), sweep->arena, sweep->stream, sweep->next, on_shard, sweep);
    if (code)
        return code;
    bool more = is_sated(sweep) || sweep->shards > SLICE_SHARDS;
    code = forget_emptied(sweep);
    counter_add(COUNTER_records_expired, (int64_t)sweep->records);
    if (code || more)
        return code ? code : ask_again(sweep->tick, sweep, 0);
    int64_t wait = wait_ms(sweep, tick_now_ms(sweep->tick));
    sweep->next = 0;
    sweep->from = (struct gw_position){0};
    sweep->due_ms = INT64_MAX;
    return ask_again(sweep->tick, sweep, wait);
}

int gw_records_sweep(struct tick *tick, struct arena *arena, struct text payload)
{
    struct sweep *sweep = arena_zalloc(arena, sizeof(*sweep));
    struct gw_stream stream;
    if (!sweep)
        return ERR_MEMORY;
    if (payload.len && payload.data[0] == PAYLOAD_PURGE)
        return purge(tick, arena, text_make(payload.data + 1, payload.len - 1));
    if (payload.len && payload.data[0] == PAYLOAD_SCALE)
        return scale(tick, arena, text_make(payload.data + 1, payload.len - 1));
    sweep->tick = tick;
    sweep->arena = arena;
    sweep->stream = &stream;
    if (!payload_parse(payload, sweep))
        return ERR_CORRUPT;
    int code = gw_stream_get(tick_view(tick), arena, sweep->name, &stream);
    if (code == ERR_NOT_FOUND || (!code && gw_position_compare(stream.id, sweep->id) != 0))
        return purge_rows(sweep);
    if (code)
        return code;
    sweep->table = records_table(tick_view(tick)->store, sweep->name);
    if (!sweep->table)
        return ask_again(tick, sweep, WAIT_MIN_MS);
    sweep->horizon_ms = gw_stream_horizon_ms(&stream, tick_now_ms(tick));
    return sweep_slice(sweep);
}
