/*
 * A consumer's part of a tick: its position, and what it gives up. Both commit with the handler's writes, so a batch is either done or begun again, and what is
 * given up is behind the position in the same moment in which it is kept elsewhere.
 *
 * Each record that is given up is a row of its own, for the listing; when a table was declared for failures, it is an item there too. An item that the table does
 * not take (another key, or larger than an item may be) is left out and said in the log: the row stands.
 */
#include "gateway/live_stream.h"
#include "store/key.h"

static int store_position(struct weir_call *call, const struct live_consumer *c)
{
    struct buf value;
    buf_init(&value, 16);
    buf_add_be64(&value, c->mark.sequence);
    buf_add_be32(&value, c->mark.number);
    int code = value.failed ? ERR_MEMORY : store_raw_put(tick_stage(call->tick), STORE_SPACE_STREAMS, c->key, buf_text(&value));
    buf_fini(&value);
    return code;
}

static int store_row(struct weir_call *call, const struct live_consumer *c, uint32_t i)
{
    struct buf key, value;
    buf_init(&key, 4096);
    buf_init(&value, STREAM_JSON_MAX + 4096);
    live_consumer_key(&key, c->api->config->name, c->name);
    buf_add_be64(&key, c->record[i].at.sequence);
    buf_add_be32(&key, c->record[i].at.number);
    buf_add_text(&value, TEXT("{\"error\":"));
    json_escape(&value, text_of(c->error));
    buf_add_text(&value, TEXT(",\"message\":"));
    json_escape(&value, text_of(c->message));
    buf_add_format(&value, ",\"attempts\":%d,\"givenUp\":%lld,\"record\":", c->attempts, (long long)call->now_ms);
    buf_add_text(&value, live_record_text(c, i));
    buf_add_char(&value, '}');
    int code = key.failed || value.failed ? ERR_TOO_LARGE : store_raw_put(tick_stage(call->tick), STORE_SPACE_FAILED, buf_text(&key), buf_text(&value));
    buf_fini(&key);
    buf_fini(&value);
    return code;
}

/* ---- the table for failures ---- */

static const struct attr *failure_item(struct weir_call *call, const struct live_consumer *c, uint32_t i)
{
    struct arena *arena = &call->arena;
    struct attr *item = item_create(arena);
    struct feed_position at = c->record[i].at;
    char time[CLOCK_ISO_SIZE];
    clock_format_iso(call->now_ms, time);
    struct text id = arena_format(arena, "%.*s/%.*s/%llu.%u", TEXT_FMT(c->api->config->name), TEXT_FMT(c->name), (unsigned long long)at.sequence, at.number);
    bool made = item && id.data && item_set_string(arena, item, TEXT("id"), id) && item_set_string(arena, item, TEXT("at"), arena_copy(arena, text_of(time))) &&
        item_set_string(arena, item, TEXT("api"), c->api->config->name) && item_set_string(arena, item, TEXT("consumer"), c->name) &&
        item_set_string(arena, item, TEXT("error"), arena_copy(arena, text_of(c->error))) &&
        item_set_string(arena, item, TEXT("message"), arena_copy(arena, text_of(c->message))) && item_set_i64(arena, item, TEXT("attempts"), c->attempts) &&
        item_set_string(arena, item, TEXT("record"), live_record_text(c, i));
    return made ? item : NULL;
}

static bool is_the_items_fault(int code)
{
    return code == ERR_TOO_LARGE || code == ERR_TYPE || code == ERR_INVALID || code == ERR_NOT_FOUND || code == ERR_MISSING;
}

static int store_item(struct weir_call *call, const struct live_consumer *c, uint32_t i)
{
    const struct store_table *table = store_table_find(call->gateway->config.store, c->failures);
    const struct attr *item = failure_item(call, c, i);
    struct err err = {0};
    if (!item)
        return ERR_MEMORY;
    int code = table ? store_put(call->view, table, item, 0, &call->arena, NULL, &err) : err_set(&err, ERR_NOT_FOUND, "there is no such table");
    if (!is_the_items_fault(code))
        return code;
    log_error("stream", "%.*s %.*s: the table %.*s does not take a record that was given up: %s", TEXT_FMT(c->api->config->name), TEXT_FMT(c->name),
        TEXT_FMT(c->failures), err.code ? err.text : err_text(code));
    return 0;
}

/* In the tick; the consumer stands still while its call is under way. */
int gw_stream_run(struct weir_call *call)
{
    struct live_consumer *c = call->consumer;
    int code = store_position(call, c);
    for (uint32_t i = 0; c->job == JOB_GIVE_UP && i < c->upto && !code; i++) {
        code = store_row(call, c, i);
        if (!code && c->failures.len)
            code = store_item(call, c, i);
    }
    c->began_ns = clock_mono_ns();
    return code;
}

int gw_stream_over(struct weir_call *call)
{
    const struct live_consumer *c = call->consumer;
    int64_t took_ms = (clock_mono_ns() - c->began_ns) / 1000000;
    if (c->job != JOB_RUN || !c->timeout_ms || took_ms <= c->timeout_ms)
        return 0;
    gw_call_fail(call, ERR_TIMEOUT, "TIMEOUT", NULL, "the handler took %lld ms for %u records; it may take %lld ms", (long long)took_ms, c->count,
        (long long)c->timeout_ms);
    return ERR_TIMEOUT;
}
