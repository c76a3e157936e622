/*
 * The console's API. It is an API like any other (lanes, limits, a queue that closes a page which does not read), with two things of its own: who comes in is who may administer
 * the server, and its handlers do nothing but hand on what they were told, since what a page asks for outlives its message.
 */
#include "gateway/console.h"

#include <stdlib.h>

/* ---- who is let in ---- */

/* A page's own origin is http(s)://<the host that it asks>. */
bool gw_origin_is_own(const struct http_request *request)
{
    struct text origin = http_header_get(request, "origin"), host = request->host;
    size_t scheme = text_starts(origin, TEXT("https://")) ? 8 : text_starts(origin, TEXT("http://")) ? 7 : 0;
    return scheme && host.len && text_equal_nocase(text_make(origin.data + scheme, origin.len - scheme), host);
}

bool gw_console_admit(struct gw_io *io, struct net_conn *net, const struct http_request *request)
{
    if (http_header_get(request, "origin").data && !gw_origin_is_own(request)) {
        counter_add(COUNTER_gw_origin_refused, 1);
        gw_meter_abuse(io, &io->gateway->apis[io->gateway->api_count - 1], "RefusedOrigin");
        gw_http_refuse(net, 403, "ORIGIN_REFUSED", "The console is open to its own page alone.", 0, 0);
        return false;
    }
    return gw_host_allowed(io, net, request) && gw_admin_allowed(io, net, "ManageConnections", request, TEXT(""));
}

/* ---- messages ---- */

static struct gw_console *console_of(struct weir_call *call)
{
    return call->gateway->console;
}

static void on_connect(struct weir_call *call)
{
    if (__atomic_add_fetch(&console_of(call)->open, 1, __ATOMIC_RELAXED) <= CONSOLE_PAGES_MAX)
        return;
    __atomic_sub_fetch(&console_of(call)->open, 1, __ATOMIC_RELAXED);
    weir_refuse(call, 503, "FULL", "%d consoles are open already", CONSOLE_PAGES_MAX);
}

static void hand_on(struct weir_call *call, struct text text)
{
    struct gw_effect *effect = gw_effect_create(GW_EFFECT_CONSOLE, call->api, text, NULL);
    if (effect)
        effect->target = call->conn_id;
    gw_call_effect(call, call->gateway->io_count, effect);
}

static void on_disconnect(struct weir_call *call)
{
    __atomic_sub_fetch(&console_of(call)->open, 1, __ATOMIC_RELAXED);
    hand_on(call, TEXT_NONE);
}

static void on_request(struct weir_call *call)
{
    hand_on(call, call->body);
}

static void on_ping(struct weir_call *call)
{
    weir_reply_bytes(call, WEIR_STR("{\"type\":\"pong\"}"), false);
}

static void on_default(struct weir_call *call)
{
    weir_reply_bytes(call, WEIR_STR("{\"type\":\"error\",\"error\":\"INVALID\",\"message\":\"A message is a JSON object with an action: widget, tail, groups, connections, subscribe, "
                                    "unsubscribe, stop or ping.\"}"), false);
}

/* ---- the API ---- */

/* The end goes through the tick, behind everything that the page had there: so it is the last that the services' thread hears of it. */
#define ROUTE(name, function, which) {.key = {name, sizeof(name) - 1}, .handler = function, .route_class = which}
static struct gw_route_config routes[] = {
    ROUTE("$connect", on_connect, WEIR_PURE), ROUTE("$disconnect", on_disconnect, WEIR_TICK), ROUTE("widget", on_request, WEIR_PURE), ROUTE("tail", on_request, WEIR_PURE),
    ROUTE("groups", on_request, WEIR_PURE), ROUTE("connections", on_request, WEIR_PURE), ROUTE("stop", on_request, WEIR_PURE), ROUTE("ping", on_ping, WEIR_PURE),
    ROUTE("$default", on_default, WEIR_PURE),
};
/* The hidden tables that a page follows. */
static struct gw_live_config followed[] = {
    {.table = {"weir.alarms", 11}, .who = GW_LIVE_ANYONE},
    {.table = {DASHBOARD_TABLE, sizeof(DASHBOARD_TABLE) - 1}, .who = GW_LIVE_ANYONE},
};

static void fill_config(struct gw_api_config *api)
{
    *api = (struct gw_api_config){
        .name = TEXT(CONSOLE_NAME),
        .description = TEXT("what a page shows of the server"),
        .auth = WEIR_NONE, /* gw_console_admit has asked before */
        .stages = {TEXT("prod")},
        .stage_count = 1,
        .ws = {
            .limits = {.message_max = CONSOLE_MESSAGE_MAX, .refuse_binary = true, .require_mask = true},
            .deflate = {.enabled = true, .server_max_window_bits = 15, .client_max_window_bits = 15, .level = 1, .threshold = 1024},
            .slow = NET_SLOW_DISCONNECT,
            .queue_bytes_max = CONSOLE_QUEUE_MAX,
            .queue_messages_max = 8192,
            .ping_every_ms = 25 * SECOND_MS,
            .pong_within_ms = 20 * SECOND_MS,
        },
        .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .live = followed,
        .live_count = sizeof(followed) / sizeof(followed[0]),
    };
}

int gw_console_create(struct gateway *gateway, struct err *err)
{
    struct gw_console *console = calloc(1, sizeof(*console));
    size_t count = gateway->config.api_count;
    if (!console)
        return err_set(err, ERR_MEMORY, "out of memory");
    gateway->console = console;
    console->gateway = gateway;
    console->begun_ms = clock_wall_ms();
    map_init(&console->pages);
    map_init(&console->sources);
    list_init(&console->due);
    console->apis = calloc(count + 1, sizeof(*console->apis));
    console->seen = calloc(count + 1, sizeof(*console->seen));
    if (!console->apis || !console->seen)
        return err_set(err, ERR_MEMORY, "out of memory");
    if (count)
        memcpy(console->apis, gateway->config.apis, count * sizeof(*console->apis));
    fill_config(&console->apis[count]);
    gateway->config.apis = console->apis;
    gateway->config.api_count = count + 1;
    return 0;
}

void gw_console_destroy(struct gateway *gateway)
{
    struct gw_console *console = gateway->console;
    if (!console)
        return;
    if (console->pool) /* it was started, and nothing else */
        worker_pool_destroy(console->pool);
    map_fini(&console->pages);
    map_fini(&console->sources);
    free(console->apis);
    free(console->seen);
    free(console);
    gateway->console = NULL;
}
