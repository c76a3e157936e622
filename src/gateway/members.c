/*
 * Dense arrays of connections in order of arrival, and the walk over them that a broadcast is. A member that leaves becomes a hole; when a
 * quarter are holes the array is packed and each survivor is told its new place.
 */
#include "gateway/internal.h"

#include <stdlib.h>

void gw_members_add(struct gw_members *members, struct gw_conn *conn, uint32_t *at)
{
    if (members->count == members->cap) {
        uint32_t cap = members->cap ? members->cap * 2 : 4;
        struct gw_conn **grown = realloc(members->conn, cap * sizeof(*grown));
        if (!grown) {
            *at = UINT32_MAX;
            return;
        }
        members->conn = grown;
        members->cap = cap;
    }
    *at = members->count;
    members->conn[members->count++] = conn;
}

bool gw_members_sparse(const struct gw_members *members)
{
    return members->dead > 8 && members->dead * 4 > members->count;
}

/* The position of a connection in an array is kept in the connection, so packing tells each survivor its new place. */
static void members_pack(struct gw_members *members, uint32_t *(*place)(struct gw_conn *conn))
{
    uint32_t to = 0;
    for (uint32_t from = 0; from < members->count; from++) {
        struct gw_conn *conn = members->conn[from];
        if (!conn)
            continue;
        *place(conn) = to;
        members->conn[to++] = conn;
    }
    members->count = to;
    members->dead = 0;
}

void gw_members_remove(struct gw_members *members, uint32_t at, uint32_t *(*place)(struct gw_conn *conn))
{
    ASSERT(at < members->count && members->conn[at]);
    members->conn[at] = NULL;
    members->dead++;
    if (gw_members_sparse(members))
        members_pack(members, place);
}

/* One walk with one frame. A member that is closed meanwhile stays in the array until its on_close, which comes after this turn. */
void gw_members_send(struct gw_members *members, const struct gw_conn *but, struct net_frame *frame, uint64_t key, struct gw_sums *sums)
{
    struct gw_sums here = {0};
    const struct gw_conn *first = NULL; /* all are of one API */
    for (uint32_t i = 0; i < members->count; i++) {
        struct gw_conn *conn = members->conn[i];
        if (!conn || conn == but)
            continue;
        first = conn;
        int code = net_ws_send_frame(conn->net, frame, key);
        if (code == 0)
            here.delivered++;
        else if (code == ERR_GONE)
            here.gone++;
        else
            here.dropped++;
    }
    counter_add(COUNTER_gw_deliveries, here.delivered * frame->messages);
    if (first)
        gw_meter_broadcast(first->io, first->api, &here);
    if (sums) {
        sums->delivered += here.delivered;
        sums->dropped += here.dropped;
        sums->gone += here.gone;
    }
}

/* Keys of rooms and users carry the API's index in front: APIs are isolated from each other. */
struct text gw_scoped_key(char *out, struct gw_api *api, struct text name)
{
    memcpy(out, &api->index, sizeof(api->index));
    if (name.len)
        memcpy(out + sizeof(api->index), name.data, name.len);
    return text_make(out, sizeof(api->index) + name.len);
}
