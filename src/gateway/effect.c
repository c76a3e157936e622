/*
 * Effects: what a call sends to connections. They are made by handlers (in the tick or on an io thread), travel to io threads through
 * the tick's blocks or the rings between io threads, and are carried out here. One object serves all threads of a broadcast, so it is reference counted and
 * never changed once sent.
 */
#include "gateway/internal.h"
#include "gateway/otlp.h"
#include "base/cursor.h"
#include "store/key.h"

#include <stdlib.h>

struct gw_effect *gw_effect_create(enum gw_effect_kind kind, struct gw_api *api, struct text text, struct net_frame *frame)
{
    struct gw_effect *effect = calloc(1, sizeof(*effect) + text.len + 1);
    if (!effect) {
        if (frame)
            net_frame_unref(frame);
        return NULL;
    }
    effect->refs = 1;
    effect->kind = kind;
    effect->api = api;
    effect->frame = frame;
    if (text.len)
        memcpy(effect->bytes, text.data, text.len);
    effect->text = text_make(effect->bytes, text.len);
    return effect;
}

void gw_effect_unref(struct gw_effect *effect)
{
    if (__atomic_sub_fetch(&effect->refs, 1, __ATOMIC_ACQ_REL))
        return;
    if (effect->frame)
        net_frame_unref(effect->frame);
    free(effect);
}

static struct gw_conn *effect_conn(struct gw_io *io, const struct gw_effect *effect)
{
    if (net_id_io(&effect->target) != io->index)
        return NULL;
    struct net_conn *net = net_io_find(io->net, &effect->target);
    struct gw_conn *conn = net && net_conn_is_ws(net) ? net_conn_user(net) : NULL;
    return conn && conn->state == GW_OPEN && conn->api == effect->api ? conn : NULL; /* APIs are isolated from each other */
}

static void post(struct gw_io *io, struct gw_effect *effect)
{
    struct gw_conn *conn = effect_conn(io, effect);
    if (!conn) {
        counter_add(COUNTER_gw_posts_gone, 1);
        gw_meter_api(io, GW_FIGURE_STALE, effect->api, 1, 1);
        return;
    }
    for (struct gw_membership *m = conn->rooms; m; m = m->next)
        gw_room_flush(io, m->room); /* what was published before the post arrives before it */
    net_ws_send_frame(conn->net, effect->frame, effect->key);
}

static void revoke_remember(struct gw_io *io, struct gw_api *api, struct text user, int64_t until_ms)
{
    char key[1024 + sizeof(api->index)];
    if (user.len > 1024)
        return;
    struct text scoped = gw_scoped_key(key, api, user);
    struct gw_revoked *known = map_get(&io->revoked, scoped);
    if (!known) {
        known = io->revoked.count < GW_REVOKED_MAX ? calloc(1, sizeof(*known) + scoped.len) : NULL;
        if (!known) {
            log_error("gateway", "a revocation cannot be kept in memory");
            return;
        }
        memcpy(known->bytes, scoped.data, scoped.len);
        known->key = text_make(known->bytes, scoped.len);
        if (map_put(&io->revoked, known->key, known, NULL)) {
            free(known);
            return;
        }
    }
    if (until_ms > known->until_ms)
        known->until_ms = until_ms;
}

/* Row: API name, NUL, user -> until, milliseconds (be64). */
int gw_revoke_store(struct weir_call *call)
{
    struct buf key, value;
    buf_init(&key, 4096);
    buf_init(&value, 8);
    buf_add_text(&key, call->api->config->name);
    buf_add_char(&key, 0);
    buf_add_text(&key, call->ask->name);
    buf_add_be64(&value, (uint64_t)call->ask->number);
    int code = key.failed || value.failed ? ERR_TOO_LARGE : store_raw_put(tick_stage(call->tick), STORE_SPACE_IDENTITY, buf_text(&key), buf_text(&value));
    buf_fini(&key);
    buf_fini(&value);
    return code;
}

static int visit_revoked(void *context, struct text key, struct text value)
{
    struct gw_io *io = context;
    ptrdiff_t nul = text_find(key, 0, 0);
    struct gw_api *api = nul > 0 ? map_get(&io->gateway->by_name, text_make(key.data, (size_t)nul)) : NULL;
    struct cursor c = cursor_of(value);
    int64_t until_ms = (int64_t)cursor_be64(&c);
    if (api && !c.failed)
        revoke_remember(io, api, text_make(key.data + nul + 1, key.len - (size_t)nul - 1), until_ms);
    return 0;
}

void gw_revoked_load(struct gw_io *io)
{
    struct store *store = io->gateway->config.store;
    struct arena arena;
    struct store_view view = {.store = store, .snapshot = store_snapshot_acquire(store, io->index), .now_s = clock_wall_ms() / 1000};
    arena_init(&arena, 4096, 64 << 20);
    if (store_raw_scan(&view, STORE_SPACE_IDENTITY, TEXT(""), &arena, visit_revoked, io))
        log_error("gateway", "the revocations cannot be read");
    arena_fini(&arena);
    store_snapshot_release(store, io->index);
}

static void revoke(struct gw_io *io, struct gw_effect *effect)
{
    revoke_remember(io, effect->api, effect->text, effect->until_ms);
    struct gw_members *all = &io->members[effect->api->index];
    for (uint32_t i = 0; i < all->count; i++) {
        struct gw_conn *conn = all->conn[i];
        if (conn && conn->identity && text_equal(conn->identity->user_id, effect->text))
            net_ws_close(conn->net, NET_END_SERVER, WS_CLOSE_UNAUTHENTICATED, TEXT("REVOKED"));
    }
}

void gw_effect_apply(struct gw_io *io, struct gw_effect *effect)
{
    struct gw_conn *conn;
    switch (effect->kind) {
    case GW_EFFECT_POST:
        post(io, effect);
        break;
    case GW_EFFECT_PUBLISH:
        gw_room_publish(io, effect->api, effect->text, effect->frame);
        break;
    case GW_EFFECT_USER:
        gw_user_send(io, effect->api, effect->text, effect->but_target ? effect_conn(io, effect) : NULL, effect->frame, effect->key, NULL);
        break;
    case GW_EFFECT_BROADCAST:
        gw_broadcast_send(io, effect->api, effect->frame, effect->key, NULL);
        break;
    case GW_EFFECT_JOIN:
        if ((conn = effect_conn(io, effect)) && gw_room_join(io, conn, effect->text)) {
            /* The handler has answered by now. A client that believes itself in a room and is not would wait for ever, so it is told the hard way. */
            log_warn("gateway", "%.*s: a connection is in %d rooms already, or memory is short: it is closed", TEXT_FMT(effect->api->config->name), GW_ROOMS_PER_CONNECTION);
            net_ws_close(conn->net, NET_END_SERVER, WS_CLOSE_POLICY, TEXT("too many rooms"));
        }
        break;
    case GW_EFFECT_LEAVE:
        if ((conn = effect_conn(io, effect)))
            gw_room_leave(io, conn, effect->text);
        break;
    case GW_EFFECT_CLOSE:
        if ((conn = effect_conn(io, effect)))
            net_ws_close(conn->net, NET_END_SERVER, effect->code, effect->text);
        break;
    case GW_EFFECT_REVOKE:
        revoke(io, effect);
        break;
    case GW_EFFECT_ASK:
        gw_ask_apply(io, effect);
        break;
    case GW_EFFECT_ANSWER:
        if (effect->call)
            gw_endpoint_done(io, effect->call, effect->answer);
        else if (effect->answer->consumer)
            gw_stream_answered(io, effect->answer);
        else if (effect->answer->otlp)
            gw_otlp_answered(io, effect->answer);
        else
            gw_durable_answered(io, effect->answer);
        break;
    case GW_EFFECT_WORKED:
        gw_work_done(io, effect->call);
        break;
    case GW_EFFECT_FETCH:
        gw_fetch_begin(io->gateway, effect->text);
        break;
    case GW_EFFECT_LIVE:
        gw_live_apply(io, effect);
        break;
    case GW_EFFECT_CONSOLE:
        gw_console_apply(io, effect);
        break;
    case GW_EFFECT_LOG:
        if (effect->code >= WEIR_WARN)
            log_write(effect->code == WEIR_WARN ? LOG_WARN : LOG_ERROR, "app", "%.*s", TEXT_FMT(effect->text));
        else
            log_info("app", "%.*s", TEXT_FMT(effect->text));
        break;
    case GW_EFFECT_LINE:
        gw_lines_add(io, effect->lines, effect->text);
        break;
    }
}
