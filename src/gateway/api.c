/*
 * Declarations compiled: route keys into a map, the route selection expression into parts; table names with their
 * environment. Everything here is immutable once the threads run, so they read it without a lock.
 */
#include "gateway/alarms.h"
#include "gateway/destinations.h"
#include "gateway/internal.h"
#include "gateway/live.h"
#include "watch/seal.h"
#include "gateway/monitor.h"
#include "gateway/records.h"

#include <stdlib.h>

/* ---- route selection expressions: $request.body.action, ${request.body.a}/${request.body.b}, text ---- */

static int selector_add(struct gw_api *api, struct text literal, struct text path, struct err *err)
{
    if (api->selectors == sizeof(api->selector) / sizeof(api->selector[0]))
        return err_set(err, ERR_TOO_LARGE, "API %.*s: the route selection expression has too many parts", TEXT_FMT(api->config->name));
    api->selector[api->selectors++] = (struct gw_selector_part){literal, path};
    return 0;
}

static int selector_path(struct gw_api *api, struct text expression, struct err *err)
{
    static const struct text prefix = {"request.body.", 13};
    if (!text_starts(expression, prefix) || expression.len == prefix.len)
        return err_set(err, ERR_INVALID, "API %.*s: a route selection expression reads request.body.<path>, not '%.*s'", TEXT_FMT(api->config->name), TEXT_FMT(expression));
    return selector_add(api, TEXT_NONE, text_make(expression.data + prefix.len, expression.len - prefix.len), err);
}

static int selector_compile(struct gw_api *api, struct err *err)
{
    struct text e = api->config->route_selection;
    if (e.len == 0)
        e = TEXT("$request.body.action");
    if (text_starts(e, TEXT("$request.")))
        return selector_path(api, text_make(e.data + 1, e.len - 1), err);
    size_t at = 0, from = 0;
    int code = 0;
    while (at < e.len && !code) {
        if (e.data[at] == '\\' && at + 1 < e.len) { /* "\$default": the text itself */
            if (at > from)
                code = selector_add(api, text_make(e.data + from, at - from), TEXT_NONE, err);
            from = at + 1;
            at += 2;
        } else if (e.data[at] == '$' && at + 1 < e.len && e.data[at + 1] == '{') {
            ptrdiff_t end = text_find(e, '}', at);
            if (end < 0)
                return err_set(err, ERR_SYNTAX, "API %.*s: '${' without '}' in the route selection expression", TEXT_FMT(api->config->name));
            if (at > from)
                code = selector_add(api, text_make(e.data + from, at - from), TEXT_NONE, err);
            if (!code)
                code = selector_path(api, text_make(e.data + at + 2, (size_t)end - at - 2), err);
            at = from = (size_t)end + 1;
        } else {
            at++;
        }
    }
    if (!code && at > from)
        code = selector_add(api, text_make(e.data + from, at - from), TEXT_NONE, err);
    return code;
}

/* ---- routes ---- */

static bool is_rest(struct text key)
{
    ptrdiff_t space = text_find(key, ' ', 0);
    return space > 0 && (size_t)space + 1 < key.len && key.data[space + 1] == '/';
}

static int route_compile(struct gw_api *api, struct gw_route *route, const struct gw_route_config *config, struct err *err)
{
    *route = (struct gw_route){
        .key = config->key,
        .handler = config->handler,
        .route_class = config->route_class,
        .url = config->url,
        .timeout_ms = config->timeout_ms ? config->timeout_ms : 29000,
        .attempts = config->attempts ? config->attempts : 1,
        .has_response = config->has_response,
        .api = api,
    };
    struct text name = api->config->name;
    if (!config->key.len)
        return err_set(err, ERR_MISSING, "API %.*s: a route has no key", TEXT_FMT(name));
    if (!config->handler == !config->url.len)
        return err_set(err, ERR_INVALID, "API %.*s: route %.*s needs a handler or a url", TEXT_FMT(name), TEXT_FMT(config->key));
    if (route->timeout_ms < 50 || route->timeout_ms > 29000)
        return err_set(err, ERR_INVALID, "API %.*s: route %.*s: the timeout is between 50 ms and 29 s", TEXT_FMT(name), TEXT_FMT(config->key));
    if (is_rest(config->key)) {
        size_t space = (size_t)text_find(config->key, ' ', 0);
        route->rest_method = text_make(config->key.data, space);
        route->rest_path = text_make(config->key.data + space + 1, config->key.len - space - 1);
        return 0;
    }
    struct gw_route *old = NULL;
    if (map_put(&api->by_key, route->key, route, (void **)&old))
        return err_set(err, ERR_MEMORY, "out of memory");
    if (old)
        return err_set(err, ERR_DUPLICATE, "API %.*s: route %.*s is declared twice", TEXT_FMT(name), TEXT_FMT(config->key));
    return 0;
}

static int routes_compile(struct gw_api *api, struct err *err)
{
    const struct gw_api_config *config = api->config;
    api->routes = calloc(config->route_count + 1 + GW_LIVE_ROUTES, sizeof(*api->routes));
    if (!api->routes)
        return err_set(err, ERR_MEMORY, "out of memory");
    api->route_count = config->route_count;
    for (size_t i = 0; i < config->route_count; i++) {
        int code = route_compile(api, &api->routes[i], &config->routes[i], err);
        if (code)
            return code;
        struct text key = config->routes[i].key;
        if (config->routes[i].url.len || config->routes[i].route_class != WEIR_PURE)
            api->copies = true;
        if (key.data[0] != '$' && key.data[0] != '@' && !api->routes[i].rest_path.len)
            api->needs_json = true;
    }
    int live = gw_live_routes(api, err);
    if (live)
        return live;
    api->on_connect = map_get(&api->by_key, TEXT("$connect"));
    api->on_disconnect = map_get(&api->by_key, TEXT("$disconnect"));
    api->on_default = map_get(&api->by_key, TEXT("$default"));
    api->short_default = api->on_default && api->on_default->handler && api->on_default->route_class == WEIR_PURE && config->auth != WEIR_JWT;
    if (config->auth == WEIR_JWT)
        api->needs_json = true; /* in-band renewal */
    return 0;
}

static int metric_space_make(struct gw_api *api, struct err *err)
{
    char name[WATCH_NAMESPACE_MAX + 1];
    const struct weir_app *app = api->config->app;
    int len = app && app->metrics ? snprintf(name, sizeof(name), "%s", app->metrics) : snprintf(name, sizeof(name), "%.*s-{env}", TEXT_FMT(api->config->name));
    api->metric_space = gw_name_replaced(api->gateway, api, text_make(name, (size_t)len < sizeof(name) ? (size_t)len : sizeof(name) - 1));
    if (!api->metric_space.data)
        return err_set(err, ERR_MEMORY, "out of memory");
    return api->metric_space.len <= WATCH_NAMESPACE_MAX ? 0 : err_set(err, ERR_INVALID, "API %.*s: the namespace of its metrics is too long", TEXT_FMT(api->config->name));
}

static int api_compile(struct gateway *gateway, struct gw_api *api, const struct gw_api_config *config, struct err *err)
{
    api->config = config;
    api->gateway = gateway;
    api->id = config->name;
    map_init(&api->by_key);
    api->has_registry = config->registry.table != NULL;
    ASSERT(config->stage_count >= 1);
    api->ws = config->ws;
    struct gw_api *old = NULL;
    if (map_put(&gateway->by_name, config->name, api, (void **)&old))
        return err_set(err, ERR_MEMORY, "out of memory");
    if (old)
        return err_set(err, ERR_DUPLICATE, "two APIs are named %.*s", TEXT_FMT(config->name));
    int code = metric_space_make(api, err);
    for (size_t i = 0; i < config->host_count && !code; i++) {
        void *other = NULL;
        code = map_put(&gateway->by_host, config->hosts[i], api, &other) ? err_set(err, ERR_MEMORY, "out of memory") : 0;
        if (!code && other)
            code = err_set(err, ERR_DUPLICATE, "two APIs have the host %.*s", TEXT_FMT(config->hosts[i]));
    }
    if (!code)
        code = selector_compile(api, err);
    if (!code)
        code = routes_compile(api, err);
    if (!code)
        code = gw_operations_compile(api, err);
    if (!code)
        code = gw_lines_define(api, err);
    if (!code && config->auth == WEIR_JWT && config->jwt.jwks_url.len)
        code = jwks_create(NULL, gw_jwks_fetch, api, &api->jwks);
    return code;
}

int gateway_create(struct gateway **out, const struct gateway_config *config, struct err *err)
{
    struct gateway *gateway = calloc(1, sizeof(*gateway));
    if (!gateway)
        return err_set(err, ERR_MEMORY, "out of memory");
    gateway->config = *config;
    map_init(&gateway->by_name);
    map_init(&gateway->by_host);
    gw_host_init(gateway);
    int console = gw_console_create(gateway, err);
    config = &gateway->config; /* with the console's API behind the others */
    gateway->apis = calloc(config->api_count + 1, sizeof(*gateway->apis));
    gateway->deferred = calloc(1, sizeof(*gateway->deferred));
    bool made = gateway->apis && gateway->deferred && watch_house_create(&gateway->house, config->series_max) == 0;
    int code = console ? console : made ? 0 : err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < config->api_count && !code; i++) {
        gateway->apis[i].index = (uint32_t)i;
        gateway->apis[i].is_console = i + 1 == config->api_count;
        gateway->api_count = i + 1;
        code = api_compile(gateway, &gateway->apis[i], &config->apis[i], err);
    }
    if (!code)
        code = gw_live_create(gateway, err);
    if (!code && gw_destinations_create(gateway))
        code = err_set(err, ERR_MEMORY, "out of memory");
    if (!code)
        code = gw_alarms_create(gateway, err);
    if (!code)
        code = gw_policy_init(gateway, err);
    if (code) {
        gateway_destroy(gateway);
        return code;
    }
    *out = gateway;
    return 0;
}

void gateway_destroy(struct gateway *gateway)
{
    if (!gateway)
        return;
    gw_io_release_all(gateway);
    gw_policy_fini(gateway);
    for (size_t i = 0; i < gateway->api_count; i++) {
        struct gw_api *api = &gateway->apis[i];
        free(api->routes);
        free(api->totals);
        gw_live_rules_free(api);
        gw_lines_undefine(api);
        gw_operations_free(api);
        free((char *)api->metric_space.data);
        map_fini(&api->by_key);
        if (api->jwks)
            jwks_destroy(api->jwks);
    }
    for (size_t i = 0; i < gateway->table_count; i++)
        free((char *)gateway->tables[i].name.data);
    free(gateway->tables);
    gw_gauges_free(gateway->gauges, gateway->operation_count);
    free(gateway->deferred);
    free(gateway->apis);
    gw_console_destroy(gateway);
    watch_house_destroy(gateway->house);
    map_fini(&gateway->by_name);
    map_fini(&gateway->by_host);
    free(gateway);
}

/* ---- tables ---- */

const struct store_table *gw_table(struct gateway *gateway, const struct weir_table *table)
{
    for (size_t i = 0; i < gateway->table_count; i++)
        if (gateway->tables[i].decl == table)
            return gateway->tables[i].table;
    return NULL;
}

static enum attr_type attr_of(enum weir_type type)
{
    return type == WEIR_N ? ATTR_NUMBER : type == WEIR_B ? ATTR_BINARY : ATTR_STRING;
}

static void add_replaced(struct buf *out, struct text name, struct text environment, struct text stage)
{
    for (size_t at = 0; at < name.len;) {
        struct text rest = text_make(name.data + at, name.len - at);
        if (text_starts(rest, TEXT("{env}"))) {
            buf_add_text(out, environment);
            at += 5;
        } else if (text_starts(rest, TEXT("{stage}"))) {
            buf_add_text(out, stage);
            at += 7;
        } else {
            buf_add_char(out, name.data[at++]);
        }
    }
}

static void index_key(const struct weir_index *index, struct store_key *key)
{
    *key = (struct store_key){.part = {{text_of(index->hash), attr_of(index->hash_type)}}, .hashes = 1};
    for (size_t i = 0; i < WEIR_INDEX_KEYS_MAX - 1 && index->more_hash[i].name; i++)
        key->part[key->hashes++] = (struct store_key_part){text_of(index->more_hash[i].name), attr_of(index->more_hash[i].type)};
    if (!index->range)
        return;
    struct store_key_part *range = &key->part[key->hashes];
    range[key->ranges++] = (struct store_key_part){text_of(index->range), attr_of(index->range_type)};
    for (size_t i = 0; i < WEIR_INDEX_KEYS_MAX - 1 && index->more_range[i].name; i++)
        range[key->ranges++] = (struct store_key_part){text_of(index->more_range[i].name), attr_of(index->more_range[i].type)};
}

static void table_decl(const struct weir_table *table, struct text name, bool volatile_rows, struct store_table_decl *decl)
{
    *decl = (struct store_table_decl){
        .name = name,
        .hash = text_of(table->hash),
        .hash_type = attr_of(table->hash_type),
        .range = text_of(table->range),
        .range_type = attr_of(table->range_type),
        .ttl = text_of(table->ttl),
        .changes = table->changes,
        .volatile_rows = volatile_rows,
    };
    for (size_t i = 0; i < WEIR_INDEXES_MAX && table->index[i].name; i++) {
        const struct weir_index *index = &table->index[i];
        struct store_index_decl *out = &decl->index[decl->indexes++];
        *out = (struct store_index_decl){.name = text_of(index->name), .projection = STORE_PROJECT_ALL, .counted = index->counted};
        index_key(index, &out->key);
    }
}

struct text gw_name_replaced(struct gateway *gateway, struct gw_api *api, struct text name)
{
    struct buf out;
    buf_init(&out, 1024);
    add_replaced(&out, name, gateway->config.environment, api->config->stages[0]);
    if (out.failed) {
        buf_fini(&out);
        return TEXT_NONE;
    }
    return buf_text(&out);
}

struct define_call {
    struct tick_call base;
    struct gateway *gateway;
    struct tick *tick;
    struct err err;
};

/* Switched on, it stays as it is; a declared period counts from now on. */
static int define_recovery(struct define_call *define, const struct weir_table *decl, const struct store_table *table)
{
    struct store_recovery recovery = store_table_recovery(table);
    if (!decl->recovery_days || recovery.days == decl->recovery_days)
        return 0;
    if (!recovery.days)
        recovery.since_ms = tick_now_ms(define->tick);
    recovery.days = decl->recovery_days;
    return store_table_set_recovery(tick_stage(define->tick), table, recovery, &define->err);
}

static int define_one(struct define_call *define, struct gw_api *api, const struct weir_table *table, bool volatile_rows)
{
    struct gateway *gateway = define->gateway;
    struct store_table_decl decl;
    struct buf name;
    for (size_t i = 0; i < gateway->table_count; i++)
        if (gateway->tables[i].decl == table)
            return 0;
    struct gw_table *grown = realloc(gateway->tables, (gateway->table_count + 1) * sizeof(*grown));
    if (!grown)
        return ERR_MEMORY;
    gateway->tables = grown;
    buf_init(&name, 256);
    add_replaced(&name, text_of(table->name), gateway->config.environment, api->config->stages[0]);
    struct gw_table *slot = &gateway->tables[gateway->table_count];
    *slot = (struct gw_table){.decl = table, .name = buf_text(&name)}; /* the buffer's memory is the name's */
    gateway->table_count++;
    table_decl(table, slot->name, volatile_rows, &decl);
    int code = store_table_define(tick_stage(define->tick), &decl, &slot->table, &define->err);
    return code ? code : define_recovery(define, table, slot->table);
}

/* A stream that is there keeps its shards and its retention: they may have been changed over the wire. */
static int define_stream(struct define_call *define, struct gw_api *api, const struct weir_kinesis *decl)
{
    struct text name = gw_name_replaced(define->gateway, api, text_of(decl->name));
    int64_t hours = decl->retention ? decl->retention / HOUR_MS : GW_RETENTION_MIN_H;
    struct gw_stream stream;
    if (!name.data)
        return ERR_MEMORY;
    int code = gw_stream_get(tick_view(define->tick), define->base.arena, name, &stream);
    bool made = code == ERR_NOT_FOUND;
    if (hours < GW_RETENTION_MIN_H || hours > GW_RETENTION_MAX_H)
        code = err_set(&define->err, ERR_INVALID, "API %.*s: the Kinesis stream %.*s: its retention is 24 hours to 365 days", TEXT_FMT(api->config->name), TEXT_FMT(name));
    else if (made)
        code = gw_records_define(define->tick, define->base.arena, name, decl->shards ? decl->shards : 1, &define->err);
    if (!code && made)
        code = gw_stream_get(tick_view(define->tick), define->base.arena, name, &stream);
    if (!code && made && stream.retention_h != hours) {
        stream.retention_h = hours;
        code = gw_stream_put(define->tick, &stream);
    }
    free((char *)name.data);
    return code;
}

static int define_streams(struct define_call *define, struct gw_api *api)
{
    const struct weir_app *app = api->config->app;
    int code = 0;
    for (size_t i = 0; !code && app && app->kinesis && app->kinesis[i]; i++)
        code = define_stream(define, api, app->kinesis[i]);
    for (size_t i = 0; !code && i < api->config->kinesis_count; i++)
        code = define_stream(define, api, &api->config->kinesis[i]);
    return code;
}

static int define_run(struct tick *tick, struct tick_call *base)
{
    struct define_call *define = (struct define_call *)base;
    struct gateway *gateway = define->gateway;
    define->tick = tick;
    int code = 0;
    for (size_t i = 0; i < gateway->api_count && !code; i++) {
        struct gw_api *api = &gateway->apis[i];
        if (api->config->registry.table)
            code = define_one(define, api, api->config->registry.table, true);
        for (size_t t = 0; t < api->config->table_count && !code; t++)
            code = define_one(define, api, api->config->tables[t], false);
        if (!code)
            code = define_streams(define, api);
    }
    if (!code)
        code = gw_alarms_define_table(tick, &define->err);
    if (!code)
        code = gw_dashboards_define(gateway, tick, &define->err);
    if (!code)
        code = gw_live_define(gateway, tick, &define->err);
    return code ? code : live_consumers_define(gateway->live, tick, define->base.arena);
}

/* In a call of their own: their tables are known by then. */
static int alarms_run(struct tick *tick, struct tick_call *base)
{
    struct define_call *define = (struct define_call *)base;
    int code = gw_alarms_define(define->gateway, tick, base->arena, &define->err);
    return code ? code : gw_dashboards_put(define->gateway, tick, base->arena, &define->err);
}

int gateway_define_tables(struct gateway *gateway, struct tick *tick, struct err *err)
{
    struct arena arena;
    arena_init(&arena, 4096, 1 << 24);
    struct define_call define = {.base = {.run = define_run, .arena = &arena}, .gateway = gateway};
    int code = tick_run_now(tick, &define.base, err);
    if (!code) {
        arena_reset(&arena);
        define.base.run = alarms_run;
        code = tick_run_now(tick, &define.base, err);
    }
    if (code && define.err.code)
        *err = define.err;
    arena_fini(&arena);
    return code;
}
