/*
 * Effects: what a call sends to connections. They are made by handlers (in the tick or on an io thread), travel to io threads through
 * the tick's blocks or the rings between io threads, and are carried out here. One object serves all threads of a broadcast, so it is reference counted and
 * never changed once sent.
 */
#include "gateway/internal.h"

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
    return conn && conn->state == GW_OPEN ? conn : NULL;
}

static void post(struct gw_io *io, struct gw_effect *effect)
{
    struct gw_conn *conn = effect_conn(io, effect);
    if (!conn) {
        counter_add(COUNTER_gw_posts_gone, 1);
        return;
    }
    for (struct gw_membership *m = conn->rooms; m; m = m->next)
        gw_room_flush(io, m->room); /* what was published before the post arrives before it */
    net_ws_send_frame(conn->net, effect->frame, effect->key);
}

static void revoke_remember(struct gw_io *io, struct gw_effect *effect)
{
    char key[1024 + sizeof(effect->api->index)];
    if (effect->text.len > 1024)
        return;
    struct text scoped = gw_scoped_key(key, effect->api, effect->text);
    struct gw_revoked *known = map_get(&io->revoked, scoped);
    if (!known) {
        known = calloc(1, sizeof(*known) + scoped.len);
        if (!known)
            return;
        memcpy(known->bytes, scoped.data, scoped.len);
        known->key = text_make(known->bytes, scoped.len);
        if (map_put(&io->revoked, known->key, known, NULL)) {
            free(known);
            return;
        }
    }
    if (effect->until_ms > known->until_ms)
        known->until_ms = effect->until_ms;
}

static void revoke(struct gw_io *io, struct gw_effect *effect)
{
    revoke_remember(io, effect);
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
        gw_user_send(io, effect->api, effect->text, effect->frame, NULL, NULL);
        break;
    case GW_EFFECT_BROADCAST:
        gw_broadcast_send(io, effect->api, effect->frame, NULL, NULL);
        break;
    case GW_EFFECT_JOIN:
        if ((conn = effect_conn(io, effect)))
            gw_room_join(io, conn, effect->text);
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
        gw_ask_apply(io, effect->ask);
        break;
    case GW_EFFECT_ANSWER:
        if (effect->call)
            gw_endpoint_done(io, effect->call, effect->answer);
        else
            gw_durable_answered(io, effect->answer);
        break;
    case GW_EFFECT_FETCH:
        gw_fetch_begin(io->gateway, effect->text);
        break;
    case GW_EFFECT_LOG:
        log_info("app", "%.*s", TEXT_FMT(effect->text));
        break;
    }
}
