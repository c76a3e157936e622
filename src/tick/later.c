/*
 * Deferred calls: durable rows in the order of their due times. Only the earliest due time is in memory.
 *
 *   STORE_SPACE_DEFERRED   due(be64) id(26)  ->  version attempt(be32) attempts(be32) backoff_ms(be64) name(varint length) payload
 *   STORE_SPACE_CALLS      id(26)            ->  due(be64), only for those that were put off after a failure
 *
 * The row's deletion is staged before the call runs, in the same save point: it commits with the call's writes, or neither does. A failure undoes both, and the row
 * moves to a later time. Whatever the crash, the row is there until its effect is.
 *
 * Deleted rows of a queue pile up at its head until RocksDB compacts them away, so a scan does not begin at the head but at the earliest time that is
 * still possible.
 *
 * An id carries its first due time, so a cancellation finds the row without an index; only a moved row needs one.
 */
#include "tick/inside.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include <stdlib.h>

enum { DUE_KEY = 8 + TICK_ID_TEXT, ROW_VERSION = 1, ROW_FIXED = 32 };
#define DELAY_MAX_MS (INT64_C(10000) * DAY_MS) /* fits an id's 48 bits of time for some thousand years */
#define BACKOFF_MAX_MS DAY_MS
#define SLICE_BYTES ((size_t)4 << 20)

struct row {
    int64_t due_ms;
    struct text id;
    uint32_t attempt, attempts;
    int64_t backoff_ms;
    struct text name, payload;
};

struct due_call {
    struct tick_call call;
    struct row row;
};

static void key_put_due(char key[8], int64_t due_ms)
{
    uint64_t due = (uint64_t)due_ms;
    for (int i = 7; i >= 0; i--, due >>= 8)
        key[i] = (char)(due & 0xFF);
}

static void key_make(char key[DUE_KEY], int64_t due_ms, struct text id)
{
    key_put_due(key, due_ms);
    memcpy(key + 8, id.data, TICK_ID_TEXT);
}

static void note_due(struct tick *tick, int64_t due_ms)
{
    if (due_ms < tick->later_next_ms)
        tick->later_next_ms = due_ms;
    if (due_ms < tick->later_from_ms)
        tick->later_from_ms = due_ms;
}

static int row_put(struct tick *tick, const struct row *row)
{
    char key[DUE_KEY];
    struct buf value;
    key_make(key, row->due_ms, row->id);
    buf_init(&value, ROW_FIXED + TICK_LATER_NAME_MAX + TICK_LATER_PAYLOAD_MAX);
    buf_add_u8(&value, ROW_VERSION);
    buf_add_be32(&value, row->attempt);
    buf_add_be32(&value, row->attempts);
    buf_add_be64(&value, (uint64_t)row->backoff_ms);
    buf_add_bytes(&value, row->name);
    buf_add_text(&value, row->payload);
    int rc = value.failed ? ERR_MEMORY : store_raw_put(tick->current->stage, STORE_SPACE_DEFERRED, text_make(key, sizeof(key)), buf_text(&value));
    buf_fini(&value);
    if (rc == 0)
        note_due(tick, row->due_ms);
    return rc;
}

static int row_delete(struct tick *tick, int64_t due_ms, struct text id, bool moved)
{
    char key[DUE_KEY];
    key_make(key, due_ms, id);
    int rc = store_raw_delete(tick->current->stage, STORE_SPACE_DEFERRED, text_make(key, sizeof(key)));
    if (rc == 0 && moved)
        rc = store_raw_delete(tick->current->stage, STORE_SPACE_CALLS, id);
    return rc;
}

static int row_parse(struct text key, struct text value, struct row *row)
{
    struct cursor k = cursor_of(key), v = cursor_of(value);
    row->due_ms = (int64_t)cursor_be64(&k);
    row->id = cursor_take(&k, TICK_ID_TEXT);
    uint8_t version = cursor_u8(&v);
    row->attempt = cursor_be32(&v);
    row->attempts = cursor_be32(&v);
    row->backoff_ms = (int64_t)cursor_be64(&v);
    row->name = cursor_bytes(&v);
    row->payload = cursor_take(&v, cursor_left(&v));
    return k.failed || v.failed || version != ROW_VERSION ? ERR_CORRUPT : 0;
}

/* ---- asking and cancelling: inside run() ---- */

int tick_later(struct tick *tick, int64_t delay_ms, struct text name, struct text payload, unsigned attempts, int64_t backoff_ms, char id[TICK_ID_TEXT + 1])
{
    ASSERT(tick->running);
    char own[TICK_ID_TEXT + 1];
    char *text = id ? id : own;
    if (name.len > TICK_LATER_NAME_MAX || payload.len > TICK_LATER_PAYLOAD_MAX)
        return ERR_TOO_LARGE;
    int64_t delay = delay_ms < 0 ? 0 : delay_ms > DELAY_MAX_MS ? DELAY_MAX_MS : delay_ms;
    struct row row = {.due_ms = tick_now_ms(tick) + delay, .attempts = attempts ? attempts : 1, .name = name, .payload = payload,
        .backoff_ms = backoff_ms < 0 ? 0 : backoff_ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : backoff_ms};
    tick_id_at(tick, row.due_ms, text);
    row.id = text_make(text, TICK_ID_TEXT);
    return row_put(tick, &row);
}

static int find_due(struct tick *tick, struct text id, int64_t *due_ms, bool *moved)
{
    char key[DUE_KEY];
    struct text value;
    key_make(key, *due_ms, id);
    *moved = false;
    int rc = store_raw_get(&tick->view, STORE_SPACE_DEFERRED, text_make(key, sizeof(key)), &tick->arena, &value);
    if (rc != ERR_NOT_FOUND)
        return rc;
    rc = store_raw_get(&tick->view, STORE_SPACE_CALLS, id, &tick->arena, &value);
    if (rc != 0)
        return rc;
    struct cursor c = cursor_of(value);
    *due_ms = (int64_t)cursor_be64(&c);
    *moved = true;
    return c.failed ? ERR_CORRUPT : 0;
}

int tick_later_cancel(struct tick *tick, struct text id)
{
    ASSERT(tick->running);
    int64_t due_ms;
    bool moved;
    int rc = tick_id_time(id, &due_ms);
    if (rc != 0)
        return rc;
    struct arena_mark mark = arena_mark(&tick->arena);
    rc = find_due(tick, id, &due_ms, &moved);
    arena_rewind(&tick->arena, mark);
    return rc != 0 ? rc : row_delete(tick, due_ms, id, moved);
}

/* ---- running what is due ---- */

struct slice {
    struct tick *tick;
    struct due_call call[TICK_SLICE];
    size_t count;
    size_t bytes;
    int64_t next_ms; /* of the first row that is not in the slice */
};

enum { SLICE_END = 1 };

static int slice_add(void *context, struct text key, struct text value)
{
    struct slice *slice = context;
    struct tick *tick = slice->tick;
    struct row row;
    if (row_parse(key, value, &row) != 0) {
        log_error("tick", "a deferred call cannot be read and is skipped");
        return 0;
    }
    if (row.due_ms > tick->current->time_ms || slice->count == TICK_SLICE || slice->bytes > SLICE_BYTES) {
        slice->next_ms = row.due_ms;
        return SLICE_END;
    }
    row.id = arena_copy(&tick->arena, row.id);
    row.name = arena_copy(&tick->arena, row.name);
    row.payload = arena_copy(&tick->arena, row.payload);
    if (!row.id.data || !row.name.data || !row.payload.data)
        return ERR_MEMORY;
    slice->bytes += key.len + value.len;
    slice->call[slice->count++].row = row;
    return 0;
}

static int run_due(struct tick *tick, struct tick_call *call)
{
    struct row *row = &((struct due_call *)call)->row;
    int rc = row_delete(tick, row->due_ms, row->id, row->attempt > 0);
    return rc != 0 ? rc : tick->config.on_deferred(tick->config.context, tick, call, row->name, row->payload);
}

static int64_t backoff(const struct row *row)
{
    int64_t delay = row->backoff_ms;
    for (uint32_t i = 0; i < row->attempt && delay < BACKOFF_MAX_MS; i++)
        delay *= 2;
    return delay < BACKOFF_MAX_MS ? delay : BACKOFF_MAX_MS;
}

static int move_row(struct tick *tick, struct row *row)
{
    int rc = row_delete(tick, row->due_ms, row->id, false);
    struct row moved = *row;
    char due[8];
    moved.due_ms = tick_now_ms(tick) + backoff(row);
    moved.attempt++;
    if (rc == 0)
        rc = row_put(tick, &moved);
    key_put_due(due, moved.due_ms);
    return rc != 0 ? rc : store_raw_put(tick->current->stage, STORE_SPACE_CALLS, row->id, text_make(due, sizeof(due)));
}

/* Runs as a call of its own after the failed one. */
static int run_failed(struct tick *tick, struct tick_call *call)
{
    struct due_call *due = (struct due_call *)call;
    struct row *row = &due->row;
    if (row->attempt + 1 < row->attempts) {
        counter_add(COUNTER_tick_deferred_retries, 1);
        return move_row(tick, row);
    }
    int rc = row_delete(tick, row->due_ms, row->id, row->attempt > 0);
    log_warn("tick", "deferred call \"%.*s\" is given up after %u attempts", TEXT_FMT(row->name), row->attempts);
    if (rc == 0 && tick->config.on_deferred_dead)
        tick->config.on_deferred_dead(tick->config.context, row->name, row->payload, call->code);
    return rc;
}

static void run_one(struct tick *tick, struct due_call *due)
{
    due->call = (struct tick_call){.source = TICK_NOBODY, .run = run_due};
    counter_add(COUNTER_tick_deferred_due, 1);
    int code = call_own(tick, &due->call);
    call_count(tick);
    if (code >= 0)
        return;
    struct tick_call *call = &due->call;
    *call = (struct tick_call){.source = TICK_NOBODY, .run = run_failed, .code = code};
    if (call_own(tick, call) >= 0)
        return;
    log_error("tick", "a deferred call cannot be put off: %s", err_text(call->code));
    note_due(tick, due->row.due_ms); /* the row stays, and is due again with the next slice */
}

static struct slice *slice_find(struct tick *tick)
{
    struct slice *slice = arena_zalloc(&tick->arena, sizeof(*slice));
    if (!slice)
        return NULL;
    slice->tick = tick;
    slice->next_ms = INT64_MAX;
    tick->view.cache_only = false;
    char from[8];
    key_put_due(from, tick->later_from_ms);
    int rc = store_raw_scan(&tick->view, STORE_SPACE_DEFERRED, text_make(from, sizeof(from)), &tick->arena, slice_add, slice);
    if (rc >= 0)
        return slice;
    log_error("tick", "the deferred calls cannot be read: %s", err_text(rc));
    return NULL;
}

void later_run(struct tick *tick)
{
    if (!tick->config.on_deferred || tick_wall_ms(tick) < tick->later_next_ms)
        return;
    bool fresh = !tick->current->begun;
    batch_begin(tick);
    if (tick->current->refuse || tick->current->time_ms < tick->later_next_ms)
        goto out;
    struct slice *slice = slice_find(tick);
    if (!slice) {
        tick->later_next_ms = tick->current->time_ms + SECOND_MS;
        goto out;
    }
    tick->later_next_ms = tick->later_from_ms = slice->next_ms; /* what the calls below ask for lowers them again */
    for (size_t i = 0; i < slice->count; i++)
        run_one(tick, &slice->call[i]);
out:
    arena_reset(&tick->arena);
    if (fresh && tick->current->runs == 0)
        batch_reset(tick->current);
}
