/*
 * What each io thread has of the gateway: recycled calls, the rings from the other threads, the end of a turn, the once-a-second
 * work. And the seams to the network core and the tick: the functions that they call.
 *
 * The end of a turn does, in this order: walk the rooms that were published to, wake the tick if calls were submitted, wake the io
 * threads that got mail. So each of them is woken once per turn, however much happened in it.
 */
#include "gateway/alarms.h"
#include "gateway/destinations.h"
#include "gateway/follow.h"
#include "gateway/internal.h"
#include "gateway/monitor.h"
#include "gateway/otlp.h"
#include "watch/seal.h"

#include <stdlib.h>

#define FREE_CALLS_MAX 1024 /* recycled calls kept per io thread */

/* ---- calls ---- */

struct weir_call *gw_call_take(struct gw_io *io, struct gw_api *api)
{
    struct weir_call *call = io->free_calls;
    if (call) {
        io->free_calls = call->next;
        io->free_count--;
    } else {
        call = malloc(sizeof(*call));
        if (!call)
            return NULL;
        arena_init(&call->arena, GW_CALL_ARENA_FIRST, GW_CALL_ARENA_LIMIT);
        memset(call->cold, 0, offsetof(struct weir_call, tail) - offsetof(struct weir_call, cold));
    }
    memset(&call->base, 0, sizeof(call->base));
    memset(&call->gateway, 0, offsetof(struct weir_call, cold) - offsetof(struct weir_call, gateway));
    call->request_id[0] = 0;
    call->gateway = io->gateway;
    call->api = api;
    call->io = io;
    return call;
}

void gw_call_give(struct weir_call *call)
{
    struct gw_io *io = call->io;
    gw_meter_call(io, call);
    if (call->arrived_ns && !io->gateway->ended)
        gw_monitor_end(io, call);
    gw_identity_unref(call->identity);
    call->identity = NULL;
    if (call->docs)
        gw_call_docs_give(call);
    if (io->free_count >= FREE_CALLS_MAX) {
        arena_fini(&call->arena);
        free(call);
        return;
    }
    arena_reset(&call->arena);
    call->arena.high = 0;
    if (call->kind != GW_CALL_MESSAGE)
        memset(call->cold, 0, offsetof(struct weir_call, tail) - offsetof(struct weir_call, cold));
    call->next = io->free_calls;
    io->free_calls = call;
    io->free_count++;
}

struct text gw_call_request_id(struct weir_call *call)
{
    if (!call->request_id[0])
        gw_request_id_make(call->request_id);
    return text_make(call->request_id, 16);
}

void gw_call_send_replies(struct weir_call *call, struct net_conn *net)
{
    for (struct gw_reply *reply = &call->reply; reply && reply->text.data; reply = reply->next)
        net_ws_send(net, reply->binary ? WS_BINARY : WS_TEXT, reply->text.data, reply->text.len);
}

/* ---- mail between io threads ---- */

void gw_io_send(struct gw_io *io, unsigned target, struct gw_effect *effect)
{
    struct gateway *gateway = io->gateway;
    if (target == TICK_ALL_SINKS) {
        __atomic_add_fetch(&effect->refs, gateway->io_count - 1, __ATOMIC_RELAXED);
        for (unsigned i = 0; i < gateway->io_count; i++)
            gw_io_send(io, i, effect);
        return;
    }
    if (target == io->index) {
        gw_effect_apply(io, effect);
        gw_effect_unref(effect);
        return;
    }
    ASSERT(target <= gateway->io_count);
    if (!ring_push(gateway->io[target].mail[io->index], effect)) {
        if (effect->kind == GW_EFFECT_ASK) { /* somebody waits for the answer; there are no more of them than HTTP connections */
            effect->to = target;
            effect->next = io->stuck;
            io->stuck = effect;
            return;
        }
        counter_add(COUNTER_gw_mail_dropped, 1);
        gw_effect_unref(effect);
        return;
    }
    io->kick_io |= UINT64_C(1) << target;
    loop_finish_ask(io->loop, &io->finish);
}

static int drain_mail(void *context)
{
    struct gw_io *io = context;
    int count = 0;
    gw_policy_take(io);
    for (unsigned from = 0; from <= io->gateway->io_count; from++) {
        struct gw_effect *effect;
        while ((effect = ring_pop(io->mail[from]))) {
            gw_effect_apply(io, effect);
            gw_effect_unref(effect);
            count++;
        }
    }
    return count;
}

static int drain_tick(void *context)
{
    struct gw_io *io = context;
    return tick_drain(io->gateway->tick, io->index);
}

static void deliver(void *context, void *effect)
{
    struct gw_io *io = context;
    if (!io->gateway->ended)
        gw_effect_apply(io, effect);
    gw_effect_unref(effect);
}

static void mail_drop(struct gw_io *io, struct gw_effect *effect)
{
    if (effect->kind == GW_EFFECT_ANSWER)
        free(effect->answer);
    if ((effect->kind == GW_EFFECT_ANSWER || effect->kind == GW_EFFECT_WORKED) && effect->call)
        gw_call_abandon(effect->call);
    if (effect->kind == GW_EFFECT_ASK && (effect->ask->home || __atomic_sub_fetch(&effect->ask->waiting, 1, __ATOMIC_ACQ_REL) == 0))
        gw_ask_destroy(effect->ask, io->gateway->io_count);
    gw_effect_unref(effect);
}

void gw_mail_abandon(struct gw_io *io)
{
    struct gw_effect *effect;
    while ((effect = io->stuck)) {
        io->stuck = effect->next;
        mail_drop(io, effect);
    }
    for (unsigned from = 0; io->mail && from <= io->gateway->io_count; from++)
        while (io->mail[from] && (effect = ring_pop(io->mail[from])))
            mail_drop(io, effect);
}

static void on_durable(void *context)
{
    gw_live_durable(context);
    gw_follow_durable(context);
    gw_destinations_durable(context);
}

static void drop(void *effect)
{
    gw_effect_unref(effect);
}

static void send_stuck(struct gw_io *io)
{
    struct gw_effect *effect = io->stuck;
    io->stuck = NULL;
    while (effect) {
        struct gw_effect *next = effect->next;
        effect->next = NULL;
        gw_io_send(io, effect->to, effect);
        effect = next;
    }
}

static void on_finish(struct loop *loop, struct loop_finish *finish)
{
    struct gw_io *io = LIST_ENTRY(finish, struct gw_io, finish);
    (void)loop;
    gw_rooms_flush(io);
    send_stuck(io);
    if (io->kick_tick) {
        io->kick_tick = false;
        tick_kick(io->gateway->tick, io->index);
    }
    while (io->kick_io) {
        unsigned target = (unsigned)__builtin_ctzll(io->kick_io);
        io->kick_io &= io->kick_io - 1;
        if (target == io->gateway->io_count)
            gw_service_wake(io->gateway);
        else
            loop_wake(io->gateway->io[target].loop);
    }
}

static void on_second(struct loop *loop, struct loop_timer *timer)
{
    struct gw_io *io = LIST_ENTRY(timer, struct gw_io, second);
    loop_timer_set(loop, timer, loop_now_ms(loop) + SECOND_MS);
    if (io->stuck)
        loop_finish_ask(loop, &io->finish);
    gw_limit_second(io);
    gw_registry_second(io);
    gw_figures_second(io);
    gw_lines_second(io);
    for (size_t i = 0; i < io->gateway->api_count; i++)
        if (io->index == 0 && io->gateway->apis[i].jwks)
            jwks_want_refresh(io->gateway->apis[i].jwks, false, clock_wall_ms());
}

/* ---- one io thread's life ---- */

struct gw_io *gw_io_of(struct net_conn *conn)
{
    return net_io_user(net_conn_io(conn));
}

static bool lookup_key(void *context, struct text access_key, struct sigv4_credential *out)
{
    const struct gw_policy *policy = ((const struct gw_io *)context)->policy;
    for (size_t i = 0; i < policy->key_count; i++) {
        if (text_equal(policy->keys[i].id, access_key)) {
            *out = (struct sigv4_credential){.secret = policy->keys[i].secret, .policy = &policy->keys[i]};
            return true;
        }
    }
    return false;
}

static int io_init(struct gw_io *io, struct gateway *gateway, unsigned index)
{
    io->gateway = gateway;
    io->index = index;
    io->policy = gateway->policy;
    map_init(&io->rooms);
    map_init(&io->users);
    map_init(&io->addresses);
    map_init(&io->user_buckets);
    map_init(&io->revoked);
    map_init(&io->circuits);
    map_init(&io->abouts);
    list_init(&io->bucket_age);
    io->members = calloc(gateway->api_count + 1, sizeof(*io->members));
    io->mail = calloc(gateway->io_count + 1, sizeof(*io->mail));
    if (!io->members || !io->mail || sigv4_create(lookup_key, io, &io->sigv4))
        return ERR_MEMORY;
    for (unsigned from = 0; from <= gateway->io_count; from++)
        if (!(io->mail[from] = ring_create(from == index && index < gateway->io_count ? 2 : GW_MAIL_RING)))
            return ERR_MEMORY;
    return 0;
}

static void free_values(struct map *map)
{
    size_t at = 0;
    void *value;
    while ((value = map_next(map, &at)))
        free(value);
    map_fini(map);
}

static void io_fini(struct gw_io *io)
{
    gw_mail_abandon(io); /* what workers brought since */
    gw_live_io_end(io);
    gw_lines_io_fini(io);
    if (io->resident)
        gw_call_give(io->resident);
    while (io->free_calls) {
        struct weir_call *call = io->free_calls;
        io->free_calls = call->next;
        arena_fini(&call->arena);
        free(call);
    }
    for (unsigned from = 0; io->mail && from <= io->gateway->io_count; from++)
        ring_destroy(io->mail[from]);
    for (size_t i = 0; io->members && i < io->gateway->api_count; i++)
        free(io->members[i].conn);
    free(io->members);
    free(io->mail);
    gw_gauges_free(io->gauges, io->gateway->operation_count);
    io->gauges = NULL;
    sigv4_destroy(io->sigv4);
    map_fini(&io->rooms);
    map_fini(&io->users);
    gw_limit_fini(io);
    free_values(&io->revoked);
    free_values(&io->circuits);
    free_values(&io->abouts);
}

int gateway_sinks(struct gateway *gateway, struct net_server *server, struct tick_sink **sinks, unsigned *count, struct err *err)
{
    gateway->io_count = (unsigned)net_server_threads(server);
    gateway->io = calloc(gateway->io_count + 1, sizeof(*gateway->io));
    gateway->sinks = calloc(gateway->io_count + 1, sizeof(*gateway->sinks));
    if (!gateway->io || !gateway->sinks)
        return err_set(err, ERR_MEMORY, "no memory for the gateway's threads");
    for (unsigned i = 0; i <= gateway->io_count; i++) {
        struct gw_io *io = &gateway->io[i];
        if (io_init(io, gateway, i))
            return err_set(err, ERR_MEMORY, "no memory for the gateway's threads");
        if (i < gateway->io_count) {
            io->net = net_server_io(server, i);
            io->loop = net_io_loop(io->net);
            net_io_set_user(io->net, io);
        } else {
            int code = loop_create(&io->loop, err);
            if (code)
                return code;
        }
        gateway->sinks[i] = (struct tick_sink){.context = io, .loop = io->loop, .deliver = deliver, .on_done = gw_on_done};
    }
    *sinks = gateway->sinks;
    *count = gateway->io_count + 1;
    for (size_t i = 0; i < gateway->api_count; i++) {
        struct gw_api *api = &gateway->apis[i];
        api->ws.totals = api->totals = aligned_alloc(64, (gateway->io_count + 1) * sizeof(*api->totals));
        if (!api->totals)
            return err_set(err, ERR_MEMORY, "no memory for the gateway's threads");
        memset(api->totals, 0, (gateway->io_count + 1) * sizeof(*api->totals));
    }
    return gw_figures_create(gateway) ? err_set(err, ERR_MEMORY, "no memory for the gateway's threads") : 0;
}

void gw_io_release_all(struct gateway *gateway)
{
    gw_destinations_end(gateway);
    gw_live_end(gateway);
    gw_figures_destroy(gateway);
    for (unsigned i = 0; gateway->io && i <= gateway->io_count; i++) {
        io_fini(&gateway->io[i]);
        if (i == gateway->io_count && gateway->io[i].loop)
            loop_destroy(gateway->io[i].loop);
    }
    gw_alarms_end(gateway); /* what workers brought last was its own */
    gw_otlp_destroy(gateway); /* likewise */
    free(gateway->io);
    free(gateway->sinks);
    gateway->io = NULL;
}

/* Also for the services' thread, on it. */
int gw_io_begin(struct gw_io *io)
{
    loop_finish_init(&io->finish, on_finish);
    int code = loop_inbox_add(io->loop, drain_mail, io);
    if (!code)
        code = loop_inbox_add(io->loop, drain_tick, io);
    if (!code)
        code = gw_follow_io_begin(io);
    if (!code && io->index == io->gateway->io_count) {
        gw_live_begin(io);
        gw_destinations_begin(io);
        gw_console_begin(io);
        gw_alarms_begin(io);
        gw_figures_begin(io);
    }
    return code;
}

/* ---- the network core's callbacks ---- */

static void on_io_start(void *context, struct net_io *net)
{
    struct gateway *gateway = context;
    struct gw_io *io = &gateway->io[net_io_index(net)];
    if (gw_io_begin(io))
        log_error("gateway", "io thread %u cannot watch its rings", io->index);
    gw_revoked_load(io);
    io->resident = gw_call_take(io, NULL);
    ASSERT(io->resident);
    loop_timer_init(&io->second, on_second);
    loop_timer_set(io->loop, &io->second, clock_mono_ms() + SECOND_MS);
}

static void on_request(void *context, struct net_conn *net, const struct http_request *request, struct text body)
{
    (void)context;
    struct gw_io *io = gw_io_of(net);
    uint8_t stage = 0;
    struct text rest;
    if (request->upgrade_websocket) {
        struct gw_api *api = gw_request_api(io->gateway, request, true, &stage, &rest);
        if (api && (rest.len == 0 || text_is(rest, "/"))) {
            gw_on_upgrade(io, net, api, stage, request);
            return;
        }
        gw_http_error(net, 403, "FORBIDDEN", "No API is mounted here. The path of a socket is /<api> or /<api>/<stage>.");
        return;
    }
    gw_on_request(io, net, request, body);
}

static enum ws_verdict on_message(void *context, struct net_conn *net, bool binary, char *data, size_t len)
{
    (void)context;
    struct gw_conn *conn = net_conn_user(net);
    return gw_on_message(conn->io, conn, binary, data, len);
}

static void on_close(void *context, struct net_conn *net, enum net_end how, int code, struct text reason)
{
    (void)context;
    struct gw_conn *conn = net_conn_user(net);
    if (conn)
        gw_on_close(conn->io, conn, how, code, reason);
}

static void on_gone(void *context, struct net_conn *net)
{
    (void)context;
    struct gw_conn *conn = net_conn_user(net);
    if (!conn)
        return;
    net_conn_set_user(net, NULL);
    conn->net = NULL;
    conn->state = GW_CLOSING;
    gw_conn_release(conn); /* a $connect call that is under way finds nobody, and takes back what it wrote (connect.c) */
}

void gateway_net_events(struct gateway *gateway, struct net_events *events)
{
    *events = (struct net_events){
        .context = gateway,
        .on_request = on_request,
        .on_message = on_message,
        .on_close = on_close,
        .on_gone = on_gone,
        .on_io_start = on_io_start,
    };
}

void gateway_tick_hooks(struct gateway *gateway, struct tick_config *config)
{
    config->context = gateway;
    config->effect_drop = drop;
    config->on_durable = on_durable;
    config->on_deferred = gw_on_deferred;
    config->on_deferred_dead = gw_on_deferred_dead;
    watch_house_hooks(gateway->house, config);
}
