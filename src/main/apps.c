/*
 * The compiled-in applications, and what their declarations mean as APIs.
 *
 * The list is the program's: its main() hands it to weir_main(). The library has none of its own, so a unit test or a fuzzer that is linked with it mounts nothing
 * unless it says so, and an application outside this repository needs no row in any file of it.
 */
#include "main/apps.h"

#include "base/clock.h"

static const struct weir_app *const *compiled_in; /* ends with NULL; NULL: none */

void apps_set(const struct weir_app *const *apps)
{
    compiled_in = apps;
}

const struct weir_app *apps_at(size_t at)
{
    for (size_t i = 0; compiled_in && compiled_in[i]; i++)
        if (i == at)
            return compiled_in[i];
    return NULL;
}

static bool names_equal(struct text given, const char *name)
{
    size_t len = strlen(name);
    if (given.len != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (given.data[i] != name[i] && !(given.data[i] == '-' && name[i] == '_'))
            return false;
    return true;
}

const struct weir_app *apps_find(struct text name)
{
    const struct weir_app *app;
    for (size_t i = 0; (app = apps_at(i)); i++)
        if (names_equal(name, app->name))
            return app;
    return NULL;
}

struct text apps_mount(const struct weir_app *app, struct arena *arena)
{
    struct text mount = arena_copy(arena, text_of(app->name));
    for (size_t i = 0; i < mount.len; i++)
        if (mount.data[i] == '_')
            ((char *)mount.data)[i] = '-';
    return mount;
}

/* ---- limits ---- */

#define OPEN_MESSAGE_MAX (UINT64_C(1) << 20)
#define AWS_MESSAGE_MAX (UINT64_C(128) << 10)
#define AWS_FRAME_MAX (UINT64_C(32) << 10)
#define QUEUE_BYTES_MIN ((size_t)1 << 20)
#define QUEUE_MESSAGES 4096

void apps_limits(enum weir_limits limits, struct net_ws_config *ws)
{
    bool aws = limits == WEIR_AWS;
    *ws = (struct net_ws_config){
        .limits = {.message_max = aws ? AWS_MESSAGE_MAX : OPEN_MESSAGE_MAX, .frame_max = aws ? AWS_FRAME_MAX : 0, .refuse_binary = aws, .require_mask = true},
        .deflate = {.enabled = true, .server_max_window_bits = 15, .client_max_window_bits = 15, .level = 1, .threshold = 1024},
        .slow = NET_SLOW_DISCONNECT,
        .ping_every_ms = aws ? 0 : 25 * SECOND_MS,
        .pong_within_ms = aws ? 0 : 20 * SECOND_MS,
        .idle_max_ms = aws ? 10 * MINUTE_MS : 0,
        .life_max_ms = aws ? 2 * HOUR_MS : 0,
    };
}

void apps_queue(struct net_ws_config *ws)
{
    size_t two = (size_t)ws->limits.message_max * 2; /* a reader that is one message behind is not slow */
    if (!ws->queue_bytes_max)
        ws->queue_bytes_max = two > QUEUE_BYTES_MIN ? two : QUEUE_BYTES_MIN;
    if (!ws->queue_messages_max)
        ws->queue_messages_max = QUEUE_MESSAGES;
}

/* ---- declarations ---- */

static int add_routes(const struct weir_app *app, struct arena *arena, struct gw_api_config *api)
{
    size_t count = 0;
    while (app->routes && app->routes[count].key)
        count++;
    api->routes = arena_array(arena, count + 1, sizeof(*api->routes));
    if (!api->routes)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        api->routes[i] = (struct gw_route_config){
            .key = text_of(app->routes[i].key), .handler = app->routes[i].handler, .route_class = app->routes[i].route_class};
    api->route_count = count;
    return 0;
}

static int add_tables(const struct weir_app *app, struct arena *arena, struct gw_api_config *api)
{
    size_t count = 0;
    while (app->tables && app->tables[count])
        count++;
    api->tables = arena_array(arena, count + 1, sizeof(*api->tables));
    if (!api->tables)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        api->tables[i] = app->tables[i];
    api->table_count = count;
    return 0;
}

static int add_stages(const struct weir_app *app, struct gw_api_config *api)
{
    const size_t max = sizeof(api->stages) / sizeof(api->stages[0]);
    for (size_t i = 0; app->stages && app->stages[i]; i++) {
        if (i == max)
            return ERR_TOO_LARGE;
        api->stages[api->stage_count++] = text_of(app->stages[i]);
    }
    if (!api->stage_count)
        api->stages[api->stage_count++] = TEXT("prod");
    return 0;
}

int apps_api(const struct weir_app *app, struct arena *arena, struct gw_api_config *api)
{
    *api = (struct gw_api_config){
        .name = apps_mount(app, arena),
        .description = text_of(app->description),
        .app = app,
        .auth = app->auth,
        .auth_in_band = app->auth_in_band,
        .route_selection = text_of(app->route_key ? app->route_key : "$request.body.action"),
        .jwt = {.skew_s = 60},
        .registry = app->registry,
        .envelope_events = app->envelope_events,
        .type_routes = app->type_routes,
        .workflow_envelope = app->workflow_envelope,
        .retain_rooms = app->retain_rooms,
        .stream_window_ms = -1,
    };
    apps_limits(app->limits, &api->ws);
    if (app->message_max)
        api->ws.limits.message_max = app->message_max;
    if (!api->name.data)
        return ERR_MEMORY;
    int code = add_routes(app, arena, api);
    if (!code)
        code = add_tables(app, arena, api);
    return code ? code : add_stages(app, api);
}
