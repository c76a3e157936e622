/*
 * Rooms: who hears what, per io thread.
 *
 * A publish is one effect per io thread. The thread does not walk the members at once: it notes the frame at the room and walks at the end of
 * the loop turn, so that sixteen publishers cost one walk and each member one write. To keep the order that a connection sees, a room with noted frames is
 * flushed before somebody joins or leaves it, and before a post to one of its members. What is noted is bounded: beyond it the walk comes at once.
 *
 * Members stand in dense arrays in order of arrival: sockets are then visited in the order in which their memory was made, which at
 * 10,000 members is worth a tenth of the walk. A member that leaves becomes a hole; when a quarter are holes the array is packed, order kept.
 */
#include "gateway/internal.h"

#include <stdlib.h>

#define ROOM_PENDING_MAX 256              /* frames noted at a room */
#define ROOM_PENDING_BYTES (64 * 1024)    /* of them together: what is joined to one write counts as one message in a reader's queue */

/* ---- rooms ---- */

struct gw_room *gw_room_find(struct gw_io *io, struct gw_api *api, struct text room)
{
    char key[sizeof(api->index) + GW_ROOM_NAME_MAX];
    if (room.len > GW_ROOM_NAME_MAX)
        return NULL;
    return map_get(&io->rooms, gw_scoped_key(key, api, room));
}

static struct gw_room *room_make(struct gw_io *io, struct gw_api *api, struct text name)
{
    struct gw_room *room = calloc(1, sizeof(*room) + sizeof(api->index) + name.len);
    if (!room)
        return NULL;
    room->api = api;
    room->key = gw_scoped_key(room->bytes, api, name);
    room->name = text_make(room->bytes + sizeof(api->index), name.len);
    if (map_put(&io->rooms, room->key, room, NULL)) {
        free(room);
        return NULL;
    }
    counter_add(COUNTER_gw_rooms, 1);
    return room;
}

static void room_free_when_empty(struct gw_io *io, struct gw_room *room)
{
    if (room->members.count != room->members.dead || room->dirty)
        return;
    map_delete(&io->rooms, room->key);
    free(room->members.conn);
    free(room->back);
    free(room->pending);
    free(room);
    counter_add(COUNTER_gw_rooms, -1);
}

static int room_append(struct gw_room *room, struct gw_conn *conn, struct gw_membership *membership)
{
    uint32_t cap = room->members.cap;
    gw_members_add(&room->members, conn, &membership->at);
    if (membership->at == UINT32_MAX)
        return ERR_MEMORY;
    if (room->members.cap != cap || !room->back) {
        struct gw_membership **grown = realloc(room->back, room->members.cap * sizeof(*grown));
        if (!grown) {
            room->members.count--;
            return ERR_MEMORY;
        }
        room->back = grown;
    }
    room->back[membership->at] = membership;
    return 0;
}

static void room_pack(struct gw_room *room)
{
    uint32_t to = 0;
    for (uint32_t from = 0; from < room->members.count; from++) {
        if (!room->members.conn[from])
            continue;
        room->members.conn[to] = room->members.conn[from];
        room->back[to] = room->back[from];
        room->back[to]->at = to;
        to++;
    }
    room->members.count = to;
    room->members.dead = 0;
}

static struct gw_membership **membership_of(struct gw_conn *conn, const struct gw_room *room)
{
    struct gw_membership **link = &conn->rooms;
    while (*link && (*link)->room != room)
        link = &(*link)->next;
    return link;
}

int gw_room_join(struct gw_io *io, struct gw_conn *conn, struct text name)
{
    if (name.len == 0 || name.len > GW_ROOM_NAME_MAX)
        return ERR_TOO_LARGE;
    struct gw_room *room = gw_room_find(io, conn->api, name);
    if (room && *membership_of(conn, room))
        return 0;
    if (conn->room_count >= GW_ROOMS_PER_CONNECTION)
        return ERR_FULL;
    if (!room && !(room = room_make(io, conn->api, name)))
        return ERR_MEMORY;
    gw_room_flush(io, room);
    struct gw_membership *membership = malloc(sizeof(*membership));
    if (!membership || room_append(room, conn, membership)) {
        free(membership);
        room_free_when_empty(io, room);
        return ERR_MEMORY;
    }
    membership->room = room;
    membership->next = conn->rooms;
    conn->rooms = membership;
    conn->room_count++;
    counter_add(COUNTER_gw_room_members, 1);
    return 0;
}

static void membership_end(struct gw_io *io, struct gw_conn *conn, struct gw_membership **link)
{
    struct gw_membership *membership = *link;
    struct gw_room *room = membership->room;
    *link = membership->next;
    room->members.conn[membership->at] = NULL;
    room->members.dead++;
    free(membership);
    conn->room_count--;
    counter_add(COUNTER_gw_room_members, -1);
    if (gw_members_sparse(&room->members))
        room_pack(room);
    room_free_when_empty(io, room);
}

void gw_room_leave(struct gw_io *io, struct gw_conn *conn, struct text name)
{
    struct gw_room *room = gw_room_find(io, conn->api, name);
    if (!room)
        return;
    struct gw_membership **link = membership_of(conn, room);
    if (!*link)
        return;
    gw_room_flush(io, room);
    membership_end(io, conn, link);
}

void gw_room_leave_all(struct gw_io *io, struct gw_conn *conn)
{
    while (conn->rooms)
        membership_end(io, conn, &conn->rooms);
}

static int room_note(struct gw_room *room, struct net_frame *frame)
{
    if (room->pending_count == room->pending_cap) {
        uint32_t cap = room->pending_cap ? room->pending_cap * 2 : 8;
        struct net_frame **grown = realloc(room->pending, cap * sizeof(*grown));
        if (!grown)
            return ERR_MEMORY;
        room->pending = grown;
        room->pending_cap = cap;
    }
    room->pending[room->pending_count++] = net_frame_ref(frame);
    room->pending_bytes += frame->len;
    return 0;
}

uint32_t gw_room_publish(struct gw_io *io, struct gw_api *api, struct text name, struct net_frame *frame)
{
    struct gw_room *room = gw_room_find(io, api, name);
    if (!room)
        return 0;
    if (room->pending_count == ROOM_PENDING_MAX || (room->pending_count && room->pending_bytes + frame->len > ROOM_PENDING_BYTES))
        gw_room_flush(io, room);
    if (room_note(room, frame)) {
        gw_room_flush(io, room);
        gw_members_send(&room->members, NULL, frame, 0, NULL);
        return room->members.count - room->members.dead;
    }
    if (!room->dirty) {
        room->dirty = true;
        room->dirty_next = NULL;
        if (io->dirty)
            io->dirty_last->dirty_next = room;
        else
            io->dirty = room;
        io->dirty_last = room;
        loop_finish_ask(io->loop, &io->finish);
    }
    return room->members.count - room->members.dead;
}

void gw_room_flush(struct gw_io *io, struct gw_room *room)
{
    if (!room->pending_count)
        return;
    uint32_t count = room->pending_count;
    room->pending_count = 0;
    room->pending_bytes = 0;
    (void)io;
    /* Joined frames go out as one write; under memory pressure, or with one frame only, each goes by itself. */
    struct net_frame *joined = count > 1 ? net_frame_join(room->pending, count) : NULL;
    if (joined) {
        gw_members_send(&room->members, NULL, joined, 0, NULL);
        net_frame_unref(joined);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!joined)
            gw_members_send(&room->members, NULL, room->pending[i], 0, NULL);
        net_frame_unref(room->pending[i]);
    }
}

void gw_rooms_flush(struct gw_io *io)
{
    while (io->dirty) {
        struct gw_room *room = io->dirty;
        io->dirty = room->dirty_next;
        gw_room_flush(io, room);
        room->dirty = false;
        room_free_when_empty(io, room);
    }
}
