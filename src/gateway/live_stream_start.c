/*
 * Consumers as they are declared, by an application or by a configuration, and where they begin.
 *
 * A position is a raw row, api NUL name NUL table -> (sequence, number). The name of a native consumer is its route, so an application's consumer keeps its
 * place whatever else about it is changed; one whose target is an endpoint has a name of its own, so that the address may change.
 *
 * A new consumer's position is written before the tick begins, with the tables. The services' thread, which the consumers live on, begins behind the tick and
 * beside the sockets: what deferred calls and the first clients write before it looks would not be the consumer's.
 */
#include "gateway/live_stream.h"
#include "base/cursor.h"
#include "gateway/records.h"
#include "store/key.h"

#include <stdlib.h>

static struct text keep(struct text text)
{
    char *copy = malloc(text.len + 1);
    if (!copy)
        return TEXT_NONE;
    if (text.len)
        memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    return text_make(copy, text.len);
}

/* ---- what is declared ---- */

static const struct gw_route *handler_of(const struct live_consumer *c, struct text key)
{
    const struct gw_route *route = key.len && key.data[0] == '@' ? map_get(&c->api->by_key, key) : NULL;
    return route && route->handler ? route : NULL;
}

static int take_target(struct live_consumer *c, struct text route, struct text url, struct err *err)
{
    struct text api = c->api->config->name;
    if (!route.len == !url.len)
        return err_set(err, ERR_INVALID, "API %.*s: a stream has a route or a url", TEXT_FMT(api));
    c->url = url;
    c->route = (struct gw_route *)handler_of(c, route);
    if (route.len && !c->route)
        return err_set(err, ERR_INVALID, "API %.*s: a stream's route %.*s is no handler of the form @name", TEXT_FMT(api), TEXT_FMT(route));
    return 0;
}

static int take_failure(struct live_consumer *c, struct text route, struct text table, struct err *err)
{
    struct text api = c->api->config->name;
    c->on_failure = (struct gw_route *)handler_of(c, route);
    if (route.len && !c->on_failure)
        return err_set(err, ERR_INVALID, "API %.*s: a stream's route %.*s is no handler of the form @name", TEXT_FMT(api), TEXT_FMT(route));
    if (table.len)
        c->failures = gw_name_replaced(c->live->gateway, c->api, table);
    return table.len && !c->failures.data ? err_set(err, ERR_MEMORY, "out of memory") : 0;
}

static int take_source(struct live_consumer *c, struct text table, struct text stream, struct err *err)
{
    struct text api = c->api->config->name;
    struct arena arena;
    if (!table.len == !stream.len)
        return err_set(err, ERR_INVALID, "API %.*s: a stream has a table or a Kinesis stream", TEXT_FMT(api));
    struct text name = gw_name_replaced(c->live->gateway, c->api, table.len ? table : stream);
    if (table.len) {
        c->table = name;
        return name.data ? 0 : err_set(err, ERR_MEMORY, "out of memory");
    }
    c->stream = name;
    if (name.data && !gw_stream_name_valid(name))
        return err_set(err, ERR_INVALID, "API %.*s: the name of a Kinesis stream is 1 to %d letters, digits, '_', '.' and '-', not '%.*s'", TEXT_FMT(api),
            GW_STREAM_NAME_MAX, TEXT_FMT(name));
    arena_init(&arena, 512, 4096);
    struct text behind = name.data ? gw_records_table_name(&arena, name) : TEXT_NONE;
    c->table = behind.data ? keep(behind) : TEXT_NONE;
    arena_fini(&arena);
    return c->table.data ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static int take_bounds(struct live_consumer *c, uint32_t batch_max, int64_t timeout_ms, struct err *err)
{
    struct text api = c->api->config->name;
    if (batch_max > STREAM_BATCH_LIMIT || c->window_ms < 0)
        return err_set(err, ERR_INVALID, "API %.*s: a stream's batch has at most %d records, and its window is not negative", TEXT_FMT(api), STREAM_BATCH_LIMIT);
    if (timeout_ms < 0 || timeout_ms > STREAM_TIMEOUT_LIMIT_MS)
        return err_set(err, ERR_INVALID, "API %.*s: a stream's timeout is at most 5 minutes", TEXT_FMT(api));
    c->batch_max = batch_max ? batch_max : STREAM_BATCH_MAX;
    c->timeout_ms = timeout_ms ? timeout_ms : c->url.len ? STREAM_TIMEOUT_MS : 0;
    c->limit = c->batch_max;
    c->record = calloc(c->batch_max, sizeof(*c->record));
    return c->record ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static int compile_app(struct live_consumer *c, const struct weir_stream *decl, struct err *err)
{
    const struct weir_registry *registry = &c->api->config->registry;
    struct text api = c->api->config->name;
    if (decl->table && !decl->table->changes)
        return err_set(err, ERR_INVALID, "API %.*s: the table %s of a stream keeps no changes", TEXT_FMT(api), decl->table->name);
    const struct weir_table *lost = decl->failures;
    if (lost && (lost == registry->table || strcmp(lost->hash, "id") != 0 || lost->hash_type != WEIR_S || lost->range))
        return err_set(err, ERR_INVALID, "API %.*s: the table %s for failures has the hash key id (S) and no range key", TEXT_FMT(api),
            decl->failures->name);
    c->window_ms = c->api->config->stream_window_ms >= 0 ? c->api->config->stream_window_ms : decl->window_ms;
    c->retries = decl->retries > 0 ? decl->retries : decl->retries < 0 ? 0 : STREAM_RETRIES;
    c->bisect = decl->bisect;
    c->from_start = decl->start == WEIR_TRIM_HORIZON;
    int code = take_target(c, text_of(decl->route), TEXT_NONE, err);
    if (!code)
        code = take_source(c, decl->table ? text_of(decl->table->name) : TEXT_NONE, decl->kinesis ? text_of(decl->kinesis->name) : TEXT_NONE, err);
    if (!code)
        code = take_failure(c, text_of(decl->on_failure), decl->failures ? text_of(decl->failures->name) : TEXT_NONE, err);
    if (!code)
        code = take_bounds(c, decl->batch_max, decl->timeout_ms, err);
    c->name = keep(text_of(decl->route));
    return code;
}

static int compile_declared(struct live_consumer *c, const struct gw_stream_config *decl, struct err *err)
{
    bool route = decl->on_failure.len && decl->on_failure.data[0] == '@';
    c->window_ms = decl->window_ms;
    c->retries = decl->retries;
    c->bisect = decl->bisect;
    c->from_start = decl->from_start;
    int code = take_target(c, decl->route, decl->url, err);
    if (!code)
        code = take_source(c, decl->table, decl->kinesis, err);
    if (!code)
        code = take_failure(c, route ? decl->on_failure : TEXT_NONE, route ? TEXT_NONE : decl->on_failure, err);
    if (!code)
        code = take_bounds(c, decl->batch_max, decl->timeout_ms, err);
    c->name = keep(decl->name.len ? decl->name : decl->route.len ? decl->route : c->stream.len ? c->stream : c->table);
    return code;
}

/* Their positions are told apart by API, name and source, their failed records by API and name. */
static int check_name(const struct gw_live *live, const struct live_consumer *c, struct err *err)
{
    if (!c->name.data)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (const struct live_consumer *other = live->consumers; other < c; other++)
        if (other->api == c->api && text_equal(other->name, c->name) && (c->url.len || other->url.len || text_equal(other->table, c->table)))
            return err_set(err, ERR_DUPLICATE, "API %.*s: two streams are named %.*s", TEXT_FMT(c->api->config->name), TEXT_FMT(c->name));
    return 0;
}

static bool is_declared(const struct weir_stream *s)
{
    return s && (s->table || s->kinesis);
}

static int compile_api(struct gw_live *live, struct gw_api *api, struct err *err)
{
    const struct gw_api_config *config = api->config;
    const struct weir_stream *s = config->app ? config->app->streams : NULL;
    int code = 0;
    for (size_t i = 0; !code && (is_declared(s) || i < config->stream_count);) {
        struct live_consumer *c = &live->consumers[live->consumer_count++];
        *c = (struct live_consumer){.live = live, .api = api};
        buf_init(&c->text, STREAM_JSON_MAX);
        code = is_declared(s) ? compile_app(c, s++, err) : compile_declared(c, &config->streams[i++], err);
        if (!code)
            code = check_name(live, c, err);
    }
    return code;
}

int live_consumers_compile(struct gw_live *live, struct err *err)
{
    struct gateway *gateway = live->gateway;
    size_t count = 0;
    int code = 0;
    for (size_t i = 0; i < gateway->api_count; i++) {
        const struct weir_app *app = gateway->apis[i].config->app;
        count += gateway->apis[i].config->stream_count;
        for (const struct weir_stream *s = app ? app->streams : NULL; is_declared(s); s++)
            count++;
    }
    live->consumers = calloc(count + 1, sizeof(*live->consumers));
    if (!live->consumers)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < gateway->api_count && !code; i++)
        code = compile_api(live, &gateway->apis[i], err);
    return code;
}

void live_consumer_fini(struct live_consumer *c)
{
    feed_close(c->feed);
    buf_fini(&c->text);
    free((char *)c->name.data);
    free((char *)c->table.data);
    free((char *)c->stream.data);
    free((char *)c->failures.data);
    free((char *)c->key.data);
    free(c->record);
}

/* ---- where it begins ---- */

void live_consumer_key(struct buf *key, struct text api, struct text name)
{
    buf_add_text(key, api);
    buf_add_char(key, 0);
    buf_add_text(key, name);
    buf_add_char(key, 0);
}

static int make_key(struct live_consumer *c)
{
    struct buf key;
    buf_init(&key, 4096);
    live_consumer_key(&key, c->api->config->name, c->name);
    buf_add_text(&key, c->table);
    if (!key.failed)
        c->key = buf_text(&key);
    else
        buf_fini(&key);
    return c->key.data ? 0 : ERR_MEMORY;
}

/* The place before the first record that the journal has. */
static uint64_t before_first(const struct live_consumer *c)
{
    uint64_t first = journal_first(c->live->gateway->config.journal);
    return first ? first - 1 : 0;
}

static int define_place(struct live_consumer *c, struct tick *tick, struct arena *arena)
{
    struct text value;
    struct buf row;
    int code = c->key.data ? 0 : make_key(c);
    if (!code)
        code = store_raw_get(tick_view(tick), STORE_SPACE_STREAMS, c->key, arena, &value);
    if (code != ERR_NOT_FOUND)
        return code;
    buf_init(&row, 16);
    buf_add_be64(&row, c->from_start ? before_first(c) : tick_durable(tick));
    buf_add_be32(&row, FEED_ALL);
    code = row.failed ? ERR_MEMORY : store_raw_put(tick_stage(tick), STORE_SPACE_STREAMS, c->key, buf_text(&row));
    buf_fini(&row);
    return code;
}

int live_consumers_define(struct gw_live *live, struct tick *tick, struct arena *arena)
{
    int code = 0;
    for (size_t i = 0; i < live->consumer_count && !code; i++)
        code = define_place(&live->consumers[i], tick, arena);
    if (!code && live->consumer_count)
        tick_keep_from(tick, TICK_KEEP_CONSUMERS, 0); /* until the services' thread knows the oldest place */
    return code;
}

static bool stored_position(struct live_consumer *c, struct feed_position *out)
{
    struct store *store = c->live->gateway->config.store;
    unsigned reader = c->live->io->index;
    struct arena arena;
    struct text value;
    struct store_view view = {.store = store, .snapshot = store_snapshot_acquire(store, reader), .now_s = clock_wall_ms() / 1000};
    arena_init(&arena, 1024, 1 << 20);
    bool found = store_raw_get(&view, STORE_SPACE_STREAMS, c->key, &arena, &value) == 0 && value.len == 12;
    if (found) {
        struct cursor at = cursor_of(value);
        out->sequence = cursor_be64(&at);
        out->number = cursor_be32(&at);
    }
    arena_fini(&arena);
    store_snapshot_release(store, reader);
    return found;
}

void live_consumer_place(struct live_consumer *c)
{
    c->stored_ms = clock_mono_ms();
    if (!stored_position(c, &c->stored)) {
        log_error("stream", "%.*s %.*s: its position cannot be read; it begins with the oldest change that there is", TEXT_FMT(c->api->config->name), TEXT_FMT(c->name));
        c->stored = (struct feed_position){before_first(c), FEED_ALL};
    }
    c->behind = c->end = c->stored;
}
