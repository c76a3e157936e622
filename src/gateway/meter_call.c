/*
 * What calls, connections and requests count as: the one place where the gateway's events become figures (figure_table.h).
 *
 * A call is counted once, when it is given back (gw_call_give): it is on its own thread then, its answer is on its way, and whatever became of it is known. What a handler
 * consumed of tables is kept in the call until then, and forgotten when it runs again. Events without a call (a refused handshake, a lost socket) are counted where they happen.
 *
 * The short way of pure routes (dispatch.c) is too quick to look at the clock for each message: one in QUICK_EVERY is timed and stands for those since the last one.
 */
#include "gateway/internal.h"
#include "gateway/lines.h"
#include "gateway/meter.h"
#include "gateway/otlp.h"

#include <stdlib.h>

#define QUICK_EVERY 64 /* a power of two */

struct gw_route_meters {
    const struct gw_route *route;
    uint8_t stage;
    bool placed;
    struct gw_meter *messages, *latency, *invocations, *duration;
    uint32_t quick, untimed;   /* messages of the short way: of this second; since the last one that was timed, or the second's flush */
    uint32_t unseen;           /* those that the monitor has not heard of */
    double quick_ms;           /* the last one that was timed */
    struct gw_route_meters *next; /* with quick ones */
};
struct gw_table_meters {
    uint32_t table_id;
    struct gw_meter *reads, *writes;
};
#define TABLE_SLOTS 256 /* a power of two: tables by id; two that share a slot take turns */

struct gw_call_meters {
    struct gw_meters *meters;
    struct gw_route_meters **route; /* by API: routes by stages */
    struct gw_route_meters *quick;
    struct gw_table_meters table[TABLE_SLOTS];
    struct gw_wire_seen { uint64_t messages_out, bytes_out, bytes_in; } *seen; /* by API */
    int64_t *open; /* by API, atomic: its connections, for the sampler */
    struct own_times {
        uint64_t count[GW_TIMES + 1], sum_us; /* atomic */
    } *times; /* by API */
};

/* ---- life ---- */

static size_t cells(const struct gw_api *api)
{
    return (api->route_count + 1) * api->config->stage_count;
}

struct gw_call_meters *gw_call_meters_create(struct gateway *gateway, struct watch_tally *tally)
{
    struct gw_call_meters *own = calloc(1, sizeof(*own));
    if (!own)
        return NULL;
    own->meters = gw_meters_create(tally);
    own->route = calloc(gateway->api_count + 1, sizeof(*own->route));
    own->seen = calloc(gateway->api_count + 1, sizeof(*own->seen));
    own->open = calloc(gateway->api_count + 1, sizeof(*own->open));
    own->times = calloc(gateway->api_count + 1, sizeof(*own->times));
    bool good = own->meters && own->route && own->seen && own->open && own->times;
    for (size_t i = 0; good && i < gateway->api_count; i++) {
        own->route[i] = calloc(cells(&gateway->apis[i]), sizeof(**own->route));
        good = own->route[i] != NULL;
    }
    if (good)
        return own;
    gw_call_meters_destroy(gateway, own);
    return NULL;
}

void gw_call_meters_destroy(struct gateway *gateway, struct gw_call_meters *own)
{
    if (!own)
        return;
    for (size_t i = 0; own->route && i < gateway->api_count; i++)
        free(own->route[i]);
    free(own->route);
    free(own->seen);
    free(own->open);
    free(own->times);
    gw_meters_destroy(own->meters);
    free(own);
}

struct gw_meters *gw_io_meters(struct gw_io *io)
{
    return io->call_meters ? io->call_meters->meters : NULL;
}

/* Of the thread that runs the call. */
static struct gw_call_meters *of_call(const struct weir_call *call)
{
    struct gateway *gateway = call->gateway;
    if (!call->tick)
        return call->io ? call->io->call_meters : NULL;
    if (gateway->state_meters)
        gw_tally_state(gateway); /* it holds something now */
    return gateway->state_meters;
}

/* ---- routes ---- */

static struct gw_meter *by_function(struct gw_meters *meters, enum gw_figure figure, const struct gw_route *route)
{
    return gw_meter_of(meters, figure, gw_route_function(route), TEXT_NONE, TEXT_NONE);
}

static struct gw_meter *by_route(struct gw_meters *meters, enum gw_figure figure, const struct gw_api *api, uint8_t stage, const struct gw_route *route)
{
    return gw_meter_of(meters, figure, api->id, api->config->stages[stage], route ? route->key : TEXT("-"));
}

/* NULL: the route is no WebSocket or REST route of an API (it cannot be). */
static struct gw_route_meters *route_meters(struct gw_call_meters *own, const struct gw_route *route, uint8_t stage)
{
    const struct gw_api *api = route->api;
    size_t at = (size_t)(route - api->routes);
    ASSERT(at < api->route_count && stage < api->config->stage_count);
    struct gw_route_meters *found = &own->route[api->index][at * api->config->stage_count + stage];
    if (!found->placed) {
        found->placed = true;
        found->route = route;
        found->stage = stage;
        found->messages = by_route(own->meters, GW_FIGURE_MESSAGE_COUNT, api, stage, route);
        found->latency = by_route(own->meters, GW_FIGURE_INTEGRATION_LATENCY, api, stage, route);
        found->invocations = by_function(own->meters, GW_FIGURE_INVOCATIONS, route);
        found->duration = by_function(own->meters, GW_FIGURE_DURATION, route);
    }
    return found;
}

/* The caller's fault: what an HTTP API would answer with 4xx. */
static bool is_callers(int code)
{
    switch (err_class_of(code)) {
    case ERR_CLASS_INPUT:
    case ERR_CLASS_LIMIT:
        return true;
    case ERR_CLASS_STATE:
        return code != ERR_TIMEOUT && code != ERR_AGAIN && code != ERR_CLOSED && code != ERR_COLD && code != ERR_UNSUPPORTED;
    default:
        return false;
    }
}

static void count_failure(struct gw_meters *meters, const struct weir_call *call, int code)
{
    const struct gw_route *route = call->route;
    gw_meter_add(by_route(meters, GW_FIGURE_INTEGRATION_ERROR, route->api, call->stage, route), 1, 1);
    if (is_callers(code))
        return;
    gw_meter_add(by_function(meters, GW_FIGURE_ERRORS, route), 1, 1);
    enum err_class class = err_class_of(code);
    if (class == ERR_CLASS_RESOURCE || class == ERR_CLASS_STATE)
        gw_meter_add(by_route(meters, GW_FIGURE_EXECUTION_ERROR, route->api, call->stage, route), 1, 1);
}

static void count_used(struct gw_call_meters *own, const struct weir_call *call)
{
    for (unsigned i = 0; i < call->used_count; i++) {
        const struct gw_used *used = &call->used[i];
        uint32_t id = store_table_id(used->table);
        struct gw_table_meters *found = &own->table[id & (TABLE_SLOTS - 1)];
        if (found->table_id != id || !found->reads) {
            struct text name = store_table_name(used->table);
            *found = (struct gw_table_meters){id, gw_meter_of(own->meters, GW_FIGURE_READ_UNITS, name, TEXT_NONE, TEXT_NONE),
                gw_meter_of(own->meters, GW_FIGURE_WRITE_UNITS, name, TEXT_NONE, TEXT_NONE)};
        }
        if (used->reads > 0)
            gw_meter_add(found->reads, used->reads, 1);
        if (used->writes > 0)
            gw_meter_add(found->writes, used->writes, 1);
    }
}

unsigned gw_times_bucket(uint64_t us)
{
    unsigned bits = us > 1 ? 64 - (unsigned)__builtin_clzll(us - 1) : 0; /* us <= 2^bits */
    return bits <= GW_TIMES_FIRST ? 0 : bits - GW_TIMES_FIRST < GW_TIMES ? bits - GW_TIMES_FIRST : GW_TIMES;
}

static void add_time(struct gw_call_meters *own, const struct gw_api *api, double ms, uint64_t count)
{
    struct own_times *times = &own->times[api->index];
    uint64_t us = ms > 0 ? (uint64_t)(ms * 1000) : 0;
    net_ws_count(&times->count[gw_times_bucket(us)], count);
    net_ws_count(&times->sum_us, us * count);
}

static void add_times(const struct gw_call_meters *own, const struct gw_api *api, struct gw_times *out)
{
    for (unsigned i = 0; own && i <= GW_TIMES; i++)
        out->count[i] += __atomic_load_n(&own->times[api->index].count[i], __ATOMIC_RELAXED);
    if (own)
        out->sum_us += (double)__atomic_load_n(&own->times[api->index].sum_us, __ATOMIC_RELAXED);
}

void gw_api_times(struct gateway *gateway, const struct gw_api *api, struct gw_times *out)
{
    *out = (struct gw_times){0};
    for (unsigned i = 0; i <= gateway->io_count; i++)
        add_times(gateway->io[i].call_meters, api, out);
    add_times(gateway->state_meters, api, out);
}

static void count_run(struct gw_call_meters *own, const struct weir_call *call)
{
    struct gw_route_meters *route = route_meters(own, call->route, call->stage);
    double duration = (double)call->handler_ns / 1e6;
    double latency = call->arrived_ns ? (double)(clock_mono_ns() - call->arrived_ns) / 1e6 : duration;
    if (call->kind == GW_CALL_MESSAGE)
        gw_meter_add(route->messages, 1, 1);
    gw_meter_add(route->latency, latency, 1);
    add_time(own, call->route->api, latency, 1);
    gw_meter_add(route->invocations, 1, 1);
    gw_meter_add(route->duration, duration, 1);
    int code = call->handler_code ? call->handler_code : call->failed;
    if (code)
        count_failure(own->meters, call, code);
    if (call->used_count)
        count_used(own, call);
}

static void count_span(struct gw_io *io, const struct weir_call *call)
{
    struct gw_spans *spans = io ? io->spans : call->gateway->state_spans;
    if (spans)
        gw_spans_add(spans, call, call->handler_code ? call->handler_code : call->failed);
}

void gw_meter_call(struct gw_io *io, struct weir_call *call)
{
    if (call->route && call->handler_ns > 0)
        count_span(io, call);
    struct gw_call_meters *own = io ? io->call_meters : call->gateway->state_meters;
    if (own && call->route && call->handler_ns > 0 && !call->route->api->is_console) {
        if (!io)
            gw_tally_state(call->gateway);
        count_run(own, call);
    }
    call->handler_ns = 0; /* once */
}

/* ---- the short way ---- */

static void quick_flush(struct gw_call_meters *own, struct gw_route_meters *route)
{
    gw_meter_add(route->messages, 1, route->quick);
    gw_meter_add(route->invocations, 1, route->quick);
    if (route->untimed) {
        gw_meter_add(route->latency, route->quick_ms, route->untimed);
        gw_meter_add(route->duration, route->quick_ms, route->untimed);
        add_time(own, route->route->api, route->quick_ms, route->untimed);
    }
    route->quick = route->untimed = 0;
}

bool gw_meter_quick(struct gw_io *io, const struct gw_route *route, uint8_t stage)
{
    struct gw_call_meters *own = io->call_meters;
    if (!own || route->api->is_console)
        return false;
    struct gw_route_meters *found = &own->route[route->api->index][(size_t)(route - route->api->routes) * route->api->config->stage_count + stage];
    if (__builtin_expect(++found->quick == 1, 0)) {
        found = route_meters(own, route, stage);
        found->next = own->quick;
        own->quick = found;
    }
    found->untimed++;
    found->unseen++;
    return (found->quick & (QUICK_EVERY - 1)) == 1;
}

uint32_t gw_meter_quick_timed(struct gw_io *io, const struct gw_route *route, uint8_t stage, int64_t ns)
{
    struct gw_route_meters *found = route_meters(io->call_meters, route, stage);
    found->quick_ms = (double)ns / 1e6;
    gw_meter_add(found->latency, found->quick_ms, found->untimed);
    gw_meter_add(found->duration, found->quick_ms, found->untimed);
    add_time(io->call_meters, route->api, found->quick_ms, found->untimed);
    found->untimed = 0;
    uint32_t unseen = found->unseen;
    found->unseen = 0;
    return unseen;
}

/* ---- events ---- */

void gw_meter_api(struct gw_io *io, enum gw_figure figure, const struct gw_api *api, double value, double weight)
{
    if (api && !api->is_console) /* who looks is no traffic */
        gw_figure_add(gw_io_meters(io), figure, api->id, TEXT_NONE, value, weight);
}

static void count_abuse(struct gw_meters *meters, const struct gw_api *api, const char *kind)
{
    if (api)
        gw_figure_add(meters, GW_FIGURE_ABUSE, api->id, text_of(kind), 1, 1);
}

void gw_meter_abuse(struct gw_io *io, const struct gw_api *api, const char *kind)
{
    count_abuse(gw_io_meters(io), api, kind);
}

void gw_meter_call_abuse(struct weir_call *call, const char *kind)
{
    struct gw_call_meters *own = of_call(call);
    count_abuse(own ? own->meters : NULL, call->api, kind);
}

void gw_meter_call_stale(struct weir_call *call)
{
    struct gw_call_meters *own = of_call(call);
    gw_figure_add(own ? own->meters : NULL, GW_FIGURE_STALE, call->api->id, TEXT_NONE, 1, 1);
}

void gw_meter_refused(struct gw_io *io, const struct gw_api *api, uint8_t stage, const struct gw_route *route, bool handshake)
{
    struct gw_meters *meters = gw_io_meters(io);
    if (!meters || api->is_console)
        return;
    struct text key = route ? route->key : handshake ? TEXT("$connect") : TEXT("-");
    gw_meter_add(gw_meter_of(meters, GW_FIGURE_CLIENT_ERROR, api->id, api->config->stages[stage], key), 1, 1);
    if (handshake)
        gw_meter_api(io, GW_FIGURE_CONNECTION_ERRORS, api, 1, 1);
}

void gw_meter_throttled(struct gw_io *io, const struct gw_route *route)
{
    struct gw_meters *meters = gw_io_meters(io);
    if (meters && route)
        gw_meter_add(by_function(meters, GW_FIGURE_THROTTLES, route), 1, 1);
}

void gw_meter_connected(struct gw_io *io, const struct gw_api *api, uint8_t stage)
{
    struct gw_meters *meters = gw_io_meters(io);
    if (meters && !api->is_console)
        gw_meter_add(gw_meter_of(meters, GW_FIGURE_CONNECT_COUNT, api->id, api->config->stages[stage], TEXT("$connect")), 1, 1);
}

void gw_meter_closed(struct gw_io *io, const struct gw_api *api, enum net_end how)
{
    if (how == NET_END_PROTOCOL) {
        gw_meter_api(io, GW_FIGURE_PROTOCOL_ERRORS, api, 1, 1);
        gw_meter_abuse(io, api, "MalformedFrame");
    }
    if (how == NET_END_PROTOCOL || how == NET_END_LOST || how == NET_END_SLOW)
        gw_meter_api(io, GW_FIGURE_CONNECTION_ERRORS, api, 1, 1);
}

void gw_meter_limited(struct gw_io *io, const struct gw_api *api, bool banned)
{
    gw_meter_api(io, GW_FIGURE_RATE_LIMITED, api, 1, 1);
    gw_meter_abuse(io, api, banned ? "Ban" : "LimitHit");
}

void gw_meter_broadcast(struct gw_io *io, const struct gw_api *api, const struct gw_sums *sums)
{
    gw_meter_api(io, GW_FIGURE_BROADCAST_SUCCESS, api, 100, (double)sums->delivered);
    gw_meter_api(io, GW_FIGURE_BROADCAST_SUCCESS, api, 0, (double)(sums->dropped + sums->gone));
    gw_meter_api(io, GW_FIGURE_STALE, api, 1, (double)sums->gone);
}

void gw_meter_rest(struct gw_io *io, const struct gw_api *api, int status, int64_t arrived_ns)
{
    gw_meter_api(io, GW_FIGURE_REST_COUNT, api, 1, 1);
    gw_meter_api(io, GW_FIGURE_REST_4XX, api, status / 100 == 4, 1);
    gw_meter_api(io, GW_FIGURE_REST_5XX, api, status / 100 == 5, 1);
    if (arrived_ns)
        gw_meter_api(io, GW_FIGURE_REST_LATENCY, api, (double)(clock_mono_ns() - arrived_ns) / 1e6, 1);
}

void gw_meter_iterator_age(struct gw_io *io, const struct gw_api *api, const struct gw_route *route, struct text consumer, int64_t age_ms)
{
    char name[512];
    struct gw_meters *meters = gw_io_meters(io);
    if (!meters)
        return;
    int len = snprintf(name, sizeof(name), "%.*s-%.*s", TEXT_FMT(api->config->name), TEXT_FMT(consumer));
    struct text function = text_make(name, len < (int)sizeof(name) ? (size_t)len : sizeof(name) - 1);
    if (route)
        function = gw_route_function(route);
    gw_figure_add(meters, GW_FIGURE_ITERATOR_AGE, function, TEXT_NONE, age_ms > 0 ? (double)age_ms : 0, 1);
}

/* ---- what a handler used of a table ---- */

void gw_call_used(struct weir_call *call, const struct store_table *table, double reads, double writes)
{
    unsigned i = 0;
    while (i < call->used_count && call->used[i].table != table)
        i++;
    if (i == GW_USED_MAX)
        i--; /* of many tables the last ones count as one */
    if (i == call->used_count)
        call->used[call->used_count++] = (struct gw_used){.table = table};
    call->used[i].reads += reads;
    call->used[i].writes += writes;
}

double gw_read_units(size_t bytes, bool consistent)
{
    double units = bytes ? (double)((bytes + 4095) / 4096) : 1;
    return consistent ? units : units / 2;
}

double gw_write_units(size_t bytes)
{
    return bytes ? (double)((bytes + 1023) / 1024) : 1;
}

/* ---- once a second ---- */

static void count_wire(struct gw_io *io, struct gw_api *api)
{
    const struct net_ws_totals *now = &api->totals[io->index];
    struct gw_wire_seen *seen = &io->call_meters->seen[api->index];
    gw_meter_api(io, GW_FIGURE_MESSAGES_OUT, api, 1, (double)(now->messages_out - seen->messages_out));
    if (now->bytes_out != seen->bytes_out)
        gw_meter_api(io, GW_FIGURE_BYTES_OUT, api, (double)(now->bytes_out - seen->bytes_out), 1);
    if (now->bytes_in != seen->bytes_in)
        gw_meter_api(io, GW_FIGURE_BYTES_IN, api, (double)(now->bytes_in - seen->bytes_in), 1);
    *seen = (struct gw_wire_seen){now->messages_out, now->bytes_out, now->bytes_in};
}

void gw_call_meters_second(struct gw_io *io)
{
    struct gw_call_meters *own = io->call_meters;
    if (!own)
        return;
    for (; own->quick; own->quick = own->quick->next)
        quick_flush(own, own->quick);
    for (size_t i = 0; i < io->gateway->api_count && io->index < io->gateway->io_count; i++) {
        const struct gw_members *open = &io->members[i];
        __atomic_store_n(&own->open[i], (int64_t)open->count - open->dead, __ATOMIC_RELAXED);
        count_wire(io, &io->gateway->apis[i]);
    }
    gw_meters_gather(own->meters);
}

struct gw_meters *gw_state_meters(struct gateway *gateway)
{
    return gateway->state_meters ? gateway->state_meters->meters : NULL;
}

void gw_state_meters_gather(struct gateway *gateway)
{
    if (gateway->state_meters)
        gw_meters_gather(gateway->state_meters->meters);
}

int64_t gw_api_open(struct gateway *gateway, const struct gw_api *api)
{
    int64_t open = 0;
    for (unsigned i = 0; i < gateway->io_count; i++)
        if (gateway->io[i].call_meters)
            open += __atomic_load_n(&gateway->io[i].call_meters->open[api->index], __ATOMIC_RELAXED);
    return open;
}
