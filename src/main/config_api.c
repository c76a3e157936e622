/*
 * Applications and APIs. What may be set for a compiled-in application (access, limits, origins) is one list of rows, shared with the APIs that are declared here;
 * what only a declaration has (routes, tables) comes after it.
 */
#include "main/read.h"

#include "base/clock.h"
#include "main/apps.h"
#include <stdio.h>
#include <stdlib.h>

#define IN(type, field) offsetof(struct type, field)
#define API(field) offsetof(struct gw_api_config, field)

/* ---- limits ---- */

static const char *const limit_words[] = {"open", "aws", NULL};

static void read_limit_set(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    static const struct key row = {.name = "limits", .form = "open, aws, or keys and values", .words = limit_words};
    struct net_ws_config fresh, *ws = field;
    int set = -1;
    (void)key;
    read_word(r, &row, value, &set);
    if (set < 0)
        return;
    apps_limits(set ? WEIR_AWS : WEIR_OPEN, &fresh);
    fresh.queue_bytes_max = ws->queue_bytes_max;
    fresh.queue_messages_max = ws->queue_messages_max;
    fresh.slow = ws->slow;
    fresh.deflate = ws->deflate;
    *ws = fresh;
}

static const struct key limits_keys[] = {
    {"base", "open or aws", "the set to begin with", read_limit_set, 0, 0, 0, NULL, limit_words},
    {"messageMax", "size", "a message at most (open 1MB, aws 128KB)", read_size, IN(net_ws_config, limits.message_max), 125, 64 << 20, NULL, NULL},
    {"frameMax", "size", "a frame at most (open: as messageMax, aws 32KB)", read_size, IN(net_ws_config, limits.frame_max), 125, 64 << 20, NULL, NULL},
    {"binary", "true or false", "binary messages are taken; else closed with 1003 (open true, aws false)", read_flag_not, IN(net_ws_config, limits.refuse_binary), 0, 0, NULL, NULL},
    {"idle", "duration", "without a message for so long: closed; 0: never (open 0, aws 10m)", read_duration, IN(net_ws_config, idle_max_ms), 0, 30 * DAY_MS, NULL, NULL},
    {"life", "duration", "open for so long: closed; 0: never (open 0, aws 2h)", read_duration, IN(net_ws_config, life_max_ms), 0, 30 * DAY_MS, NULL, NULL},
    {"ping", "duration", "a ping when nothing came for so long; 0: none (open 25s, aws 0)", read_duration, IN(net_ws_config, ping_every_ms), 0, HOUR_MS, NULL, NULL},
    {"pong", "duration", "an answer must come within (open 20s)", read_duration, IN(net_ws_config, pong_within_ms), 100, HOUR_MS, NULL, NULL},
    {0},
};

static void read_limits(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct net_ws_config *ws = field;
    if (value->kind == DOC_MAPPING)
        read_keys(r, value, key->inside, ws);
    else
        read_limit_set(r, key, value, ws);
    if (ws->ping_every_ms && !ws->pong_within_ms)
        ws->pong_within_ms = 20 * SECOND_MS;
}

/* ---- compression ---- */

static const struct key compression_keys[] = {
    {"threshold", "number", "bytes; smaller messages are sent plain (default 1024)", read_u32, IN(ws_deflate_config, threshold), 0, 1 << 30, NULL, NULL},
    {"level", "number", "zlib's, 1 to 9 (default 1)", read_u8, IN(ws_deflate_config, level), 1, 9, NULL, NULL},
    {"windowBits", "number", "of our side, 9 to 15 (default 15)", read_u8, IN(ws_deflate_config, server_max_window_bits), 9, 15, NULL, NULL},
    {"contextTakeover", "true or false", "keep the window between messages; false saves memory (default true)", read_flag_not, IN(ws_deflate_config, server_no_context_takeover), 0, 0, NULL, NULL},
    {0},
};

static void read_compression(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct ws_deflate_config *deflate = field;
    if (value->kind == DOC_MAPPING) {
        read_keys(r, value, key->inside, deflate);
        deflate->enabled = true;
    } else {
        read_flag(r, key, value, &deflate->enabled);
    }
}

/* ---- tokens ---- */

static const struct key jwt_keys[] = {
    {"secret", "text", "HS256: the shared secret", read_secret, IN(gw_jwt, secret), 1, CONFIG_SECRET_MAX, NULL, NULL},
    {"secretFile", "path", "or a file with it", read_secret_file, IN(gw_jwt, secret), 0, 0, NULL, NULL},
    {"secretEnv", "variable", "or an environment variable with it", read_secret_env, IN(gw_jwt, secret), 0, 0, NULL, NULL},
    {"pemFile", "path", "RS256, ES256, EdDSA: a public key or certificate", read_file, IN(gw_jwt, pem_file), 0, 0, NULL, NULL},
    {"jwksUrl", "address", "or where the issuer publishes its keys", read_url, IN(gw_jwt, jwks_url), 0, 0, NULL, NULL},
    {"issuer", "text", "what iss must be (default: anything)", read_text, IN(gw_jwt, issuer), 1, 1024, NULL, NULL},
    {"audience", "text", "what aud or client_id must be (default: anything)", read_text, IN(gw_jwt, audience), 1, 1024, NULL, NULL},
    {"skew", "duration", "the clocks may differ by (default 60s)", read_seconds, IN(gw_jwt, skew_s), 0, 600000, NULL, NULL},
    {0},
};

static void read_jwt(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_jwt *jwt = field;
    if (!expect_mapping(r, value, key->name))
        return;
    r->names_secret = false;
    read_keys(r, value, key->inside, jwt);
    if ((jwt->secret.len > 0) + (jwt->pem_file != NULL) + (jwt->jwks_url.len > 0) > 1)
        problem(r, value, "'jwt' has one of a secret, 'pemFile' and 'jwksUrl'");
}

/* ---- origins, stages ---- */

/* "https://game.example", with a port when it is not the usual one, without a path. */
static bool is_origin(struct text origin)
{
    if (text_is(origin, "*") || text_is(origin, "null"))
        return true;
    const char *colons = strstr(origin.data, "://");
    return colons && colons > origin.data && colons[3] && !strpbrk(colons + 3, "/?#@ \t*");
}

static void add_origin(struct reader *r, const struct doc *node, struct gw_api_config *api)
{
    if (!expect_text(r, node, "an origin"))
        return;
    if (is_origin(node->text))
        api->origins[api->origin_count++] = node->text;
    else
        problem(r, node, "'%.80s' is not an origin: https://host or https://host:port without a path, or *", node->text.data);
}

static void read_origins(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_api_config *api = field;
    if (value->kind == DOC_MAPPING || value->count > CONFIG_ORIGINS_MAX) {
        problem(r, value, "'%s' takes %s, at most %d", key->name, key->form, CONFIG_ORIGINS_MAX);
        return;
    }
    api->origin_count = 0;
    api->origins = arena_array(r->arena, value->count + 1, sizeof(*api->origins));
    if (api->origins && value->kind == DOC_SCALAR)
        add_origin(r, value, api);
    for (const struct doc *node = value->kind == DOC_SEQUENCE ? value->first : NULL; node && api->origins; node = node->next)
        add_origin(r, node, api);
}

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

static bool is_segment(struct text name)
{
    return name.len >= 1 && name.len <= 64 && strspn(name.data, NAME_CHARACTERS) == name.len;
}

static void read_stages(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_api_config *api = field;
    const size_t max = sizeof(api->stages) / sizeof(api->stages[0]);
    if (value->kind != DOC_SEQUENCE || !value->count || value->count > max) {
        problem(r, value, "'%s' takes %s", key->name, key->form);
        return;
    }
    api->stage_count = 0;
    for (const struct doc *node = value->first; node; node = node->next) {
        if (!expect_text(r, node, "a stage"))
            continue;
        if (is_segment(node->text))
            api->stages[api->stage_count++] = node->text;
        else
            problem(r, node, "a stage is 1 to 64 letters, digits, '-', '_' and '.', not '%.80s'", node->text.data);
    }
    if (!api->stage_count)
        api->stages[api->stage_count++] = TEXT("prod");
}

/* A name as the Host header gives it, without a port. It is kept in lower case. */
static void add_host(struct reader *r, const struct doc *node, struct gw_api_config *api)
{
    if (!expect_text(r, node, "a host"))
        return;
    struct text host = arena_copy(r->arena, node->text);
    char *bytes = (char *)host.data;
    if (!bytes || host.len > GW_HOST_NAME_MAX || strspn(bytes, NAME_CHARACTERS) != host.len) {
        problem(r, node, "a host is a name such as game.example.com, without a port, not '%.80s'", node->text.data);
        return;
    }
    for (size_t i = 0; i < host.len; i++)
        bytes[i] = bytes[i] >= 'A' && bytes[i] <= 'Z' ? (char)(bytes[i] + 32) : bytes[i];
    for (size_t a = 0; a < r->config->api_count; a++)
        for (size_t i = 0; i < r->config->apis[a].gateway.host_count; i++)
            if (text_equal(r->config->apis[a].gateway.hosts[i], host))
                problem(r, node, "the host '%.80s' is given twice", bytes);
    api->hosts[api->host_count++] = host;
}

static void read_hosts(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_api_config *api = field;
    if (value->kind == DOC_MAPPING || value->count > GW_HOSTS_MAX) {
        problem(r, value, "'%s' takes %s", key->name, key->form);
        return;
    }
    api->host_count = 0;
    if (value->kind == DOC_SCALAR)
        add_host(r, value, api);
    for (const struct doc *node = value->kind == DOC_SEQUENCE ? value->first : NULL; node; node = node->next)
        add_host(r, node, api);
}

/* ---- rates ---- */

static bool take_number(const char **at, double *out)
{
    size_t digits = strspn(*at, "0123456789");
    size_t dot = (*at)[digits] == '.' ? 1 + strspn(*at + digits + 1, "0123456789") : 0;
    if (!digits || digits > 9 || dot > 7)
        return false;
    *out = strtod(*at, NULL);
    *at += digits + dot;
    return true;
}

/* "20/s", "100/m burst 20" */
static bool rate_parse(const char *text, struct gw_rate *out)
{
    double number, burst;
    if (!take_number(&text, &number) || text[0] != '/' || !text[1])
        return false;
    double per = text[1] == 's' ? 1 : text[1] == 'm' ? 60 : text[1] == 'h' ? 3600 : 0;
    text += 2;
    if (per == 0 || number <= 0)
        return false;
    burst = number / per < 1 ? 1 : number / per;
    if (strncmp(text, " burst ", 7) == 0) {
        text += 7;
        if (!take_number(&text, &burst) || burst < 1)
            return false;
    }
    *out = (struct gw_rate){number / per, burst};
    return *text == 0;
}

static void read_rate(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_rate rate;
    if (!expect_text(r, value, key->name))
        return;
    if (rate_parse(value->text.data, &rate))
        *(struct gw_rate *)field = rate;
    else
        problem(r, value, "'%s' takes a rate such as '20/s' or '100/m burst 20', not '%.80s'", key->name, value->text.data);
}

static void read_actions(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_limits *limits = field;
    if (!expect_mapping(r, value, key->name))
        return;
    if (value->count > GW_ACTION_RATES_MAX) {
        problem(r, value, "'actions' has at most %d rates", GW_ACTION_RATES_MAX);
        return;
    }
    limits->actions = 0;
    for (const struct doc *node = value->first; node; node = node->next) {
        struct key row = {.name = node->key->text.data};
        limits->action[limits->actions].action = node->key->text;
        read_rate(r, &row, node, &limits->action[limits->actions].rate);
        limits->actions++;
    }
}

static const struct key rate_keys[] = {
    {"connection", "rate", "messages of one connection, such as '20/s burst 40'", read_rate, IN(gw_limits, connection), 0, 0, NULL, NULL},
    {"user", "rate", "messages of one user", read_rate, IN(gw_limits, user), 0, 0, NULL, NULL},
    {"address", "rate", "messages and requests of one address", read_rate, IN(gw_limits, address), 0, 0, NULL, NULL},
    {"connects", "rate", "handshakes of one address", read_rate, IN(gw_limits, connects), 0, 0, NULL, NULL},
    {"actions", "actions with rates", "messages of one connection with this action", read_actions, 0, 0, 0, NULL, NULL},
    {0},
};

static const struct key ban_keys[] = {
    {"after", "number", "refusals within a minute", read_u32, IN(gw_limits, ban_after), 1, 1000000, NULL, NULL},
    {"for", "duration", "how long the address is refused", read_duration, IN(gw_limits, ban_ms), 1000, 30 * DAY_MS, NULL, NULL},
    {0},
};

static void read_ban(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_limits *limits = field;
    read_inside(r, key, value, field);
    if (!limits->ban_after || !limits->ban_ms)
        problem(r, value, "'ban' has 'after' and 'for'");
}

/* ---- routes ---- */

/* As gw_lines_define will judge it. */
static void read_function(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    if (!expect_text(r, value, key->name))
        return;
    if (value->text.len < 1 || value->text.len > 256 || strspn(value->text.data, NAME_CHARACTERS "/#{}") != value->text.len)
        problem(r, value, "'%s' is a name of 1 to 256 letters, digits and . - _ / #, with {env} and {stage} in it", key->name);
    else
        read_text(r, key, value, field);
}

static const struct key route_keys[] = {
    {"url", "address", "where the event goes, by POST", read_url, IN(gw_route_config, url), 0, 0, NULL, NULL},
    {"timeout", "duration", "50ms to 29s (default 29s)", read_duration, IN(gw_route_config, timeout_ms), 50, 29000, NULL, NULL},
    {"attempts", "number", "1 to 5 (default 1)", read_u32, IN(gw_route_config, attempts), 1, 5, NULL, NULL},
    {"response", "true or false", "the answer goes back to the client (default true)", read_flag, IN(gw_route_config, has_response), 0, 0, NULL, NULL},
    {"function", "name", "its lines are in the log group /aws/lambda/<name>, too; {env} and {stage} are replaced (default: none)", read_function, IN(gw_route_config, function), 1, 256,
        NULL, NULL},
    {0},
};

static bool is_rest_key(struct text key)
{
    size_t method = strspn(key.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return method > 0 && key.data[method] == ' ' && key.data[method + 1] == '/';
}

static void check_route_key(struct reader *r, const struct doc *key)
{
    static const char *const special[] = {"$connect", "$disconnect", "$default", NULL};
    struct text text = key->text;
    char hint[80];
    if (!text.len || text.len > 512)
        problem(r, key, "a route's key is 1 to 512 bytes");
    else if (text.data[0] == '@')
        problem(r, key, "'%.80s': routes that begin with @ belong to compiled-in applications", text.data);
    else if (text.data[0] == '$' && !text_is(text, special[0]) && !text_is(text, special[1]) && !text_is(text, special[2])) {
        suggest(text, special, hint, sizeof(hint));
        problem(r, key, "'%.80s' is none of $connect, $disconnect and $default%s", text.data, hint);
    } else if (text_find(text, ' ', 0) > 0 && !is_rest_key(text) && strchr(text.data, '/'))
        problem(r, key, "'%.80s' looks like a REST route, which is 'METHOD /path'", text.data);
}

static void read_route(struct reader *r, const struct doc *node, struct gw_route_config *route)
{
    *route = (struct gw_route_config){.key = node->key->text, .timeout_ms = 29000, .attempts = 1, .has_response = true};
    check_route_key(r, node->key);
    if (node->kind == DOC_SCALAR) {
        read_url(r, &route_keys[0], node, &route->url);
        return;
    }
    if (!expect_mapping(r, node, "a route"))
        return;
    read_keys(r, node, route_keys, route);
    if (!route->url.len && !doc_get(node, "url"))
        problem(r, node->key, "the route '%.80s' needs a 'url'", node->key->text.data);
}

static void read_routes(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_api_config *api = field;
    if (!expect_mapping(r, value, key->name))
        return;
    if (value->count > CONFIG_ROUTES_MAX) {
        problem(r, value, "an API has at most %d routes", CONFIG_ROUTES_MAX);
        return;
    }
    api->routes = arena_array(r->arena, value->count + 1, sizeof(*api->routes));
    for (const struct doc *node = value->first; node && api->routes; node = node->next) {
        for (size_t i = 0; i < api->route_count; i++)
            if (text_equal(api->routes[i].key, node->key->text))
                problem(r, node->key, "the route '%.80s' is declared twice", node->key->text.data);
        read_route(r, node, &api->routes[api->route_count++]);
    }
}

static void read_selection(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    if (!expect_text(r, value, key->name))
        return;
    if (strstr(value->text.data, "request.body.") && strchr(value->text.data, '$'))
        read_text(r, key, value, field);
    else
        problem(r, value, "'%s' is an expression such as $request.body.action or ${request.body.type}/x", key->name);
}

static const char *const envelope_words[] = {"plain", "event", "workflow", NULL};

static void read_envelope(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_api_config *api = field;
    int word = 0;
    read_word(r, key, value, &word);
    api->envelope_events = word == 1;
    api->workflow_envelope = word == 2;
}

/* ---- the rows ---- */

static const char *const auth_words[] = {"none", "claimed", "jwt", "iam", NULL};
static const char *const slow_words[] = {"disconnect", "drop-oldest", "latest", NULL};

/* What may be set for both kinds. limits stands first: it replaces what the others refine. */
#define SETTINGS                                                                                                                                                      \
    {"limits", "open, aws, or keys and values", "sizes and times of connections (default open)", read_limits, API(ws), 0, 0, limits_keys, limit_words},               \
        {"auth", "none, claimed, jwt or iam", "who may connect (default none)", read_word, API(auth), 0, 0, NULL, auth_words},                                        \
        {"authInBand", "true or false", "with jwt: the token may come as the first message (default false)", read_flag, API(auth_in_band), 0, 0, NULL, NULL},         \
        {"jwt", "keys and values", "what tokens are checked against; without a key: the development secret", read_jwt, API(jwt), 0, 0, jwt_keys, NULL},               \
        {"stages", "list of 1 to 8 names", "the first is meant when the path has none (default [prod])", read_stages, 0, 0, 0, NULL, NULL},                           \
        {"hosts", "a name, or a list of 1 to 8", "names of its own: there the path needs no API's name, /<stage> or nothing (default: none)", read_hosts, 0, 0, 0, NULL, NULL},    \
        {"origins", "an origin, a list of origins, or *", "whose pages may connect (default: pages of loopback)", read_origins, 0, 0, 0, NULL, NULL},                  \
        {"slowReaders", "disconnect, drop-oldest or latest", "what happens when a connection's queue is full (default disconnect)", read_word, API(ws.slow), 0, 0,    \
            NULL, slow_words},                                                                                                                                        \
        {"queueBytes", "size", "a connection's output queue (default 1MB, at least two messages)", read_size, API(ws.queue_bytes_max), 1024, 1 << 30, NULL, NULL},     \
        {"queueMessages", "number", "the same in messages (default 4096)", read_u32, API(ws.queue_messages_max), 1, 1000000, NULL, NULL},                             \
        {"compression", "true, false, or keys and values", "permessage-deflate (default true)", read_compression, API(ws.deflate), 0, 0, compression_keys, NULL},      \
        {"rates", "keys and values", "token buckets (default: off)", read_inside, API(limits), 0, 0, rate_keys, NULL},                                                \
        {"ban", "keys and values", "after repeated refusals (default: off)", read_ban, API(limits), 0, 0, ban_keys, NULL},                                            \
        {"logs", "true or false", "lines go into log groups: its routes', connections', failures' (default true)", read_flag_not, API(logs_off), 0, 0, NULL, NULL},                                            \
        {"alarms", "list", "alarms, made when the server starts (docs/alarms.md)", read_api_alarms, 0, 0, 0, alarm_keys, NULL},                                          \
        {"operations", "names with keys and values", "thresholds of the performance monitor: of an operation, or of a route", read_operations, 0, 0, 0, operation_keys, NULL}, \
        {"performanceNamespace", "text", "of the monitor's metrics (default WebSocket/Performance)", read_text, API(performance_space), 1, 255, NULL, NULL}

/* They stand last: tables and routes are known by then. */
#define CONSUMERS                                                                                                                                                     \
    {"kinesis", "names with keys and values", "Kinesis streams, made when they are missing; {env} and {stage} are replaced", read_kinesis, 0, 0, 0, kinesis_keys, NULL}, \
        {"streams", "list", "consumers of tables' changes and of Kinesis streams", read_streams, 0, 0, 0, stream_keys, NULL},                                         \
        {"live", "list", "who may follow which table over a socket; nobody else may", read_live, 0, 0, 0, live_keys, NULL}

const struct key app_keys[] = {
    SETTINGS,
    {"streamWindow", "duration", "how long a batch of changes that is not full waits; 0: not at all (default: as the application says)", read_duration, API(stream_window_ms), 0,
        5 * MINUTE_MS, NULL, NULL},
    CONSUMERS,
    {0},
};
const struct key api_keys[] = {
    SETTINGS,
    {"description", "text", "for people", read_text, API(description), 1, 1024, NULL, NULL},
    {"routeSelection", "expression", "what chooses the route (default $request.body.action)", read_selection, API(route_selection), 1, 512, NULL, NULL},
    {"envelope", "plain, event or workflow", "the shape of ?event= pushes (default plain)", read_envelope, 0, 0, 0, NULL, envelope_words},
    {"retainRooms", "true or false", "keep the newest message of each room (default false)", read_flag, API(retain_rooms), 0, 0, NULL, NULL},
    {"tables", "names with keys and values", "tables; {env} and {stage} in a name are replaced", read_tables, 0, 0, 0, table_keys, NULL},
    {"registry", "keys and values", "a row for each live connection", read_registry, 0, 0, 0, registry_keys, NULL},
    {"routes", "keys with an address, or with keys and values", "$connect, $disconnect, $default, an action, or 'METHOD /path'", read_routes, 0, 0, 0, route_keys, NULL},
    CONSUMERS,
    {0},
};

/* ---- apps and apis ---- */

static struct config_api *api_add(struct reader *r, const struct doc *at, struct text name)
{
    struct config *config = r->config;
    if (!config->apis)
        config->apis = arena_zalloc(r->arena, CONFIG_APIS_MAX * sizeof(*config->apis));
    if (!config->apis || config->api_count == CONFIG_APIS_MAX) {
        problem(r, at, "at most %d APIs are mounted", CONFIG_APIS_MAX);
        return NULL;
    }
    if (config_api_find(config, name)) {
        problem(r, at, "'%.*s' is mounted twice", TEXT_FMT(name));
        return NULL;
    }
    return &config->apis[config->api_count++];
}

static void check_api(struct reader *r, const struct doc *at, const struct gw_api_config *api)
{
    bool keyed = api->jwt.secret.len || api->jwt.pem_file || api->jwt.jwks_url.len;
    if (api->auth_in_band && api->auth != WEIR_JWT)
        problem(r, at, "'authInBand' needs 'auth: jwt'");
    if (keyed && api->auth != WEIR_JWT)
        problem(r, at, "'jwt' is given, but 'auth' is not jwt: tokens would not be looked at");
    if (api->auth == WEIR_JWT && !keyed)
        problem_add(r, at, true, "tokens of '%.*s' are checked against the development secret; give 'jwt' a key for production", TEXT_FMT(api->name));
    check_live(r, at, api);
    check_operations(r, at, api);
    if (api->ws.limits.frame_max > api->ws.limits.message_max)
        problem(r, at, "'frameMax' is larger than 'messageMax'");
    if (api->ws.queue_bytes_max && api->ws.queue_bytes_max < api->ws.limits.message_max)
        problem(r, at, "'queueBytes' must hold at least one message of 'messageMax'");
}

static void mount_app(struct reader *r, const struct doc *name, const struct doc *settings)
{
    const struct weir_app *app = apps_find(name->text), *other;
    const char *names[CONFIG_APIS_MAX + 1];
    char hint[80];
    size_t count = 0;
    if (!app) {
        for (; count < CONFIG_APIS_MAX && (other = apps_at(count)); count++)
            names[count] = apps_mount(other, r->arena).data;
        names[count] = NULL;
        suggest(name->text, names, hint, sizeof(hint));
        problem(r, name, "no application '%.80s' is compiled in%s", name->text.data, hint);
        return;
    }
    struct text mount = apps_mount(app, r->arena);
    struct config_api *api = mount.data ? api_add(r, name, mount) : NULL;
    if (!api)
        return;
    if (apps_api(app, r->arena, &api->gateway))
        problem(r, name, "the application '%.80s' cannot be mounted", name->text.data);
    if (!settings || doc_is_null(settings) || !expect_mapping(r, settings, name->text.data))
        return;
    const struct key *keys = setting_keys(r, app, app_keys, &api->gateway);
    if (keys)
        read_keys(r, settings, keys, &api->gateway);
    setting_check(r, name, &api->gateway);
    check_api(r, name, &api->gateway);
}

static void mount_all(struct reader *r)
{
    const struct weir_app *app;
    for (size_t i = 0; (app = apps_at(i)); i++) {
        struct doc name = {.line = 1, .column = 1, .text = text_of(app->name)};
        mount_app(r, &name, NULL);
    }
}

void read_apps(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    (void)field;
    r->config->names_apis = true;
    if (value->kind == DOC_SCALAR) {
        if (text_is(value->text, "all"))
            mount_all(r);
        else
            problem(r, value, "'%s' is %s", key->name, key->form);
        return;
    }
    for (const struct doc *node = value->first; node; node = node->next) {
        if (value->kind == DOC_MAPPING)
            mount_app(r, node->key, node);
        else if (expect_text(r, node, "an application"))
            mount_app(r, node, NULL);
    }
}

static void check_name(struct reader *r, const struct doc *key)
{
    static const char *const reserved[] = {"healthz", "metrics", "v2", "service", "2015-03-31", NULL};
    if (!is_segment(key->text))
        problem(r, key, "an API's name is 1 to 64 letters, digits, '-', '_' and '.'");
    for (int i = 0; reserved[i]; i++)
        if (text_is(key->text, reserved[i]))
            problem(r, key, "'%s' is reserved", reserved[i]);
}

static void read_api(struct reader *r, const struct doc *node)
{
    if (!expect_mapping(r, node, "an API"))
        return;
    check_name(r, node->key);
    struct config_api *api = api_add(r, node->key, node->key->text);
    if (!api)
        return;
    api->gateway = (struct gw_api_config){.name = node->key->text, .stage_count = 1, .stages = {TEXT("prod")}, .jwt = {.skew_s = 60}};
    apps_limits(WEIR_OPEN, &api->gateway.ws);
    read_keys(r, node, api_keys, &api->gateway);
    if (!api->gateway.route_count && !doc_get(node, "routes") && !doc_get(node, "streams") && !doc_get(node, "live"))
        problem(r, node->key, "the API '%.80s' needs 'routes'", node->key->text.data);
    check_api(r, node->key, &api->gateway);
}

void read_apis(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    (void)field;
    r->config->names_apis = true;
    if (!expect_mapping(r, value, key->name))
        return;
    for (const struct doc *node = value->first; node; node = node->next)
        read_api(r, node);
}
