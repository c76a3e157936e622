/*
 * Users and everybody: the connections of a user, those of an API, and what an identity brings along: a place in the user's array and a timer that
 * closes the socket when its token ends.
 */
#include "gateway/internal.h"

#include <stdlib.h>

static uint32_t *place_in_api(struct gw_conn *conn)
{
    return &conn->member_at;
}

static uint32_t *place_in_user(struct gw_conn *conn)
{
    return &conn->user_at;
}

static struct gw_user *user_find(struct gw_io *io, struct gw_api *api, struct text user)
{
    char key[sizeof(api->index) + 1024];
    if (user.len == 0 || user.len > 1024)
        return NULL;
    return map_get(&io->users, gw_scoped_key(key, api, user));
}

static void user_free_when_empty(struct gw_io *io, struct gw_user *user)
{
    if (user->members.count != user->members.dead)
        return;
    map_delete(&io->users, user->key);
    free(user->members.conn);
    free(user);
}

static int user_enlist(struct gw_io *io, struct gw_conn *conn)
{
    struct text id = conn->identity->user_id;
    if (id.len == 0 || id.len > 1024)
        return 0;
    struct gw_user *user = user_find(io, conn->api, id);
    if (!user) {
        user = calloc(1, sizeof(*user) + sizeof(conn->api->index) + id.len);
        if (!user)
            return ERR_MEMORY;
        user->key = gw_scoped_key(user->bytes, conn->api, id);
        if (map_put(&io->users, user->key, user, NULL)) {
            free(user);
            return ERR_MEMORY;
        }
    }
    gw_members_add(&user->members, conn, &conn->user_at);
    if (conn->user_at != UINT32_MAX)
        return 0;
    user_free_when_empty(io, user);
    return ERR_MEMORY;
}

static void user_delist(struct gw_io *io, struct gw_conn *conn)
{
    if (conn->user_at == UINT32_MAX)
        return;
    struct gw_user *user = user_find(io, conn->api, conn->identity->user_id);
    ASSERT(user);
    gw_members_remove(&user->members, conn->user_at, place_in_user);
    conn->user_at = UINT32_MAX;
    user_free_when_empty(io, user);
}

int gw_conn_enlist(struct gw_io *io, struct gw_conn *conn)
{
    gw_members_add(&io->members[conn->api->index], conn, &conn->member_at);
    if (conn->member_at == UINT32_MAX)
        return ERR_MEMORY;
    return conn->identity ? user_enlist(io, conn) : 0;
}

void gw_conn_delist(struct gw_io *io, struct gw_conn *conn)
{
    if (conn->member_at != UINT32_MAX)
        gw_members_remove(&io->members[conn->api->index], conn->member_at, place_in_api);
    conn->member_at = UINT32_MAX;
    if (conn->identity)
        user_delist(io, conn);
}

#define LOOK_AGAIN_MS MINUTE_MS  /* timers run on the monotonic clock, tokens end on the wall clock: when that jumps, it is seen within */
#define AUTH_WITHIN_MS MINUTE_MS /* a socket that may open without a token must send one within */

/* Closes the socket when its token ends; a renewed token moves the timer. */
struct gw_expiry {
    struct loop_timer timer;
    struct gw_conn *conn;
};

static void on_expiry(struct loop *loop, struct loop_timer *timer)
{
    struct gw_expiry *expiry = LIST_ENTRY(timer, struct gw_expiry, timer);
    struct gw_identity *identity = expiry->conn->identity;
    int64_t left = identity ? identity->expires_ms - clock_wall_ms() : 0;
    if (left > 0) {
        loop_timer_set(loop, timer, loop_now_ms(loop) + (left < LOOK_AGAIN_MS ? left : LOOK_AGAIN_MS));
        return;
    }
    if (expiry->conn->net)
        net_ws_close(expiry->conn->net, NET_END_SERVER, WS_CLOSE_UNAUTHENTICATED, identity ? TEXT("TOKEN_EXPIRED") : TEXT("UNAUTHENTICATED"));
}

static int expiry_set(struct gw_io *io, struct gw_conn *conn)
{
    bool awaited = !conn->identity && conn->api->config->auth == WEIR_JWT;
    if (!awaited && (!conn->identity || !conn->identity->expires_ms)) {
        if (conn->expiry)
            loop_timer_stop(io->loop, &conn->expiry->timer);
        return 0;
    }
    if (!conn->expiry) {
        conn->expiry = calloc(1, sizeof(*conn->expiry));
        if (!conn->expiry)
            return ERR_MEMORY;
        conn->expiry->conn = conn;
        loop_timer_init(&conn->expiry->timer, on_expiry);
    }
    int64_t left = awaited ? AUTH_WITHIN_MS : conn->identity->expires_ms - clock_wall_ms();
    if (!awaited && left > LOOK_AGAIN_MS)
        left = LOOK_AGAIN_MS;
    loop_timer_set(io->loop, &conn->expiry->timer, clock_mono_ms() + (left > 0 ? left : 0));
    return 0;
}

void gw_expiry_destroy(struct gw_conn *conn)
{
    if (!conn->expiry)
        return;
    loop_timer_stop(conn->io->loop, &conn->expiry->timer);
    free(conn->expiry);
    conn->expiry = NULL;
}

int gw_conn_set_identity(struct gw_io *io, struct gw_conn *conn, struct gw_identity *identity)
{
    bool listed = conn->member_at != UINT32_MAX;
    if (conn->identity && listed)
        user_delist(io, conn);
    gw_identity_unref(conn->identity);
    conn->identity = identity;
    conn->user_at = UINT32_MAX;
    int code = expiry_set(io, conn);
    if (!code && identity && listed)
        code = user_enlist(io, conn);
    return code;
}

void gw_user_send(struct gw_io *io, struct gw_api *api, struct text user, const struct gw_conn *but, struct net_frame *frame, uint64_t key, struct gw_sums *sums)
{
    struct gw_user *found = user_find(io, api, user);
    if (!found)
        return;
    gw_rooms_flush(io);
    gw_members_send(&found->members, but, frame, key, sums);
}

void gw_broadcast_send(struct gw_io *io, struct gw_api *api, struct net_frame *frame, uint64_t key, struct gw_sums *sums)
{
    gw_rooms_flush(io);
    gw_members_send(&io->members[api->index], NULL, frame, key, sums);
}
