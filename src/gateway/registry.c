/*
 * The registry: a row per live connection, kept by the gateway itself in the application's own table, with the attributes, lifetimes and indexes
 * of its document. The rows mirror sockets, so they cost no fsync, and start-up purges them. A row's `ttl` is renewed at half its lifetime while the
 * socket lives: expiry is for orphans, never for the living. When the clock jumps beyond a lifetime the row is gone before it could be renewed: then it is
 * written anew, from what the connection knows.
 */
#include "gateway/internal.h"

#include <stdlib.h>

#define RENEW_SLICE 64     /* rows renewed by one call */
#define REWRITE_SLICE 256  /* rows written anew in one second, per API and thread */

static const struct store_table *registry_table(const struct weir_call *call)
{
    return gw_table(call->gateway, call->api->config->registry.table);
}

static void set_text(struct arena *arena, struct attr *item, const char *name, struct text value)
{
    if (value.len)
        item_set_string(arena, item, text_of(name), value);
}

/* Does an index of the table gather all rows under the constant `kind`? */
static bool has_kind_index(const struct weir_table *table)
{
    for (size_t i = 0; i < WEIR_INDEXES_MAX && table->index[i].name; i++)
        if (strcmp(table->index[i].hash, "kind") == 0)
            return true;
    return false;
}

static struct attr *row_key(struct weir_call *call, const struct net_id *id)
{
    char text[NET_ID_TEXT + 1];
    struct attr *item = item_create(&call->arena);
    net_id_format(id, text);
    if (item)
        item_set_string(&call->arena, item, TEXT("connectionId"), arena_copy(&call->arena, text_of(text)));
    return item;
}

int gw_registry_put(struct weir_call *call)
{
    const struct weir_registry *registry = &call->api->config->registry;
    struct arena *arena = &call->arena;
    struct attr *row = row_key(call, &call->conn_id);
    if (!row)
        return ERR_MEMORY;
    char iso[CLOCK_ISO_SIZE];
    clock_format_iso(call->kind == GW_CALL_RENEW ? call->connected_ms : call->now_ms, iso);
    item_set_string(arena, row, TEXT("connectedAt"), arena_copy(arena, text_of(iso)));
    if (registry->table->ttl)
        item_set_i64(arena, row, text_of(registry->table->ttl), (call->now_ms + registry->lifetime) / 1000);
    if (has_kind_index(registry->table))
        item_set_string(arena, row, TEXT("kind"), TEXT("connection"));
    if (registry->metadata) {
        set_text(arena, row, "ip", call->address);
        set_text(arena, row, "userAgent", call->about->user_agent);
    }
    if (call->identity) {
        set_text(arena, row, "userId", call->identity->user_id);
        if (!call->identity->proven)
            item_set_bool(arena, row, TEXT("claimed"), true);
    }
    if (registry->identity && call->identity) {
        set_text(arena, row, "userRole", call->identity->role);
        set_text(arena, row, "userName", call->identity->name);
        set_text(arena, row, "userEmail", call->identity->email);
    }
    struct attr *rooms = registry->identity ? item_set_container(arena, row, TEXT("rooms"), ATTR_LIST) : NULL;
    for (size_t i = 0; rooms && call->kind == GW_CALL_RENEW && i < call->param_count; i++)
        item_append(arena, rooms, ATTR_STRING, call->params[i].name);
    return store_put(call->view, registry_table(call), row, 0, arena, NULL, NULL);
}

int gw_registry_delete(struct weir_call *call)
{
    struct attr *key = row_key(call, &call->conn_id);
    if (!key)
        return ERR_MEMORY;
    int code = store_delete(call->view, registry_table(call), key, 0, &call->arena, NULL, NULL);
    return code == ERR_NOT_FOUND ? 0 : code;
}

static int renew_one(struct weir_call *call, const struct net_id *id)
{
    const struct weir_registry *registry = &call->api->config->registry;
    const struct attr *old = NULL;
    struct attr *key = row_key(call, id);
    if (!key)
        return ERR_MEMORY;
    int code = store_get(call->view, registry_table(call), key, &call->arena, &old);
    if (code == ERR_NOT_FOUND)
        return 0; /* its $disconnect is on its way */
    if (code)
        return code;
    struct attr *row = item_create(&call->arena);
    for (const struct attr *a = old->first; a && row; a = a->next)
        item_set_copy(&call->arena, row, a->name, a);
    if (!row)
        return ERR_MEMORY;
    item_set_i64(&call->arena, row, text_of(registry->table->ttl), (call->now_ms + registry->lifetime) / 1000);
    return store_put(call->view, registry_table(call), row, 0, &call->arena, NULL, NULL);
}

/* The body of a RENEW call is the ids, one after the other; or it has a connection, whose row is written anew. */
int gw_registry_renew(struct weir_call *call)
{
    if (call->has_conn)
        return gw_registry_put(call);
    for (size_t at = 0; at + sizeof(struct net_id) <= call->body.len; at += sizeof(struct net_id)) {
        struct net_id id;
        memcpy(&id, call->body.data + at, sizeof(id));
        int code = renew_one(call, &id);
        if (code)
            return code;
    }
    return 0;
}

int gw_registry_room(struct weir_call *call, struct text room, bool join)
{
    const struct attr *old = NULL;
    struct attr *key = row_key(call, &call->conn_id);
    if (!key)
        return ERR_MEMORY;
    int code = store_get(call->view, registry_table(call), key, &call->arena, &old);
    if (code)
        return code == ERR_NOT_FOUND ? 0 : code;
    struct attr *row = item_create(&call->arena);
    for (const struct attr *a = old->first; a && row; a = a->next)
        if (!text_is(a->name, "rooms"))
            item_set_copy(&call->arena, row, a->name, a);
    struct attr *rooms = row ? item_set_container(&call->arena, row, TEXT("rooms"), ATTR_LIST) : NULL;
    if (!rooms)
        return ERR_MEMORY;
    const struct attr *before = item_get_str(old, "rooms");
    for (const struct attr *r = before ? before->first : NULL; r; r = r->next)
        if (!text_equal(r->text, room))
            item_append(&call->arena, rooms, ATTR_STRING, r->text);
    if (join)
        item_append(&call->arena, rooms, ATTR_STRING, arena_copy(&call->arena, room));
    return store_put(call->view, registry_table(call), row, 0, &call->arena, NULL, NULL);
}

void gw_registry_rewrite(struct gw_io *io, struct gw_conn *conn)
{
    struct weir_call *call = gw_call_take(io, conn->api);
    struct gw_header *rooms = call ? arena_array(&call->arena, conn->room_count + 1u, sizeof(*rooms)) : NULL;
    if (!rooms) {
        if (call)
            gw_call_give(call);
        return; /* the next second tries again */
    }
    for (struct gw_membership *m = conn->rooms; m; m = m->next)
        rooms[call->param_count++].name = arena_copy(&call->arena, m->room->name);
    call->params = rooms;
    call->kind = GW_CALL_RENEW;
    call->has_conn = true;
    call->conn = conn;
    call->conn_id = *net_conn_id(conn->net);
    call->about = conn->about;
    call->connected_ms = net_conn_connected_ms(conn->net);
    call->stage = conn->stage;
    call->identity = gw_identity_ref(conn->identity);
    conn->renew_at_ms = clock_wall_ms() + conn->api->config->registry.lifetime / 2;
    gw_submit(io, call);
}

static void renew_api(struct gw_io *io, struct gw_api *api, int64_t now_ms)
{
    struct gw_members *all = &io->members[api->index];
    struct weir_call *call = NULL;
    struct net_id *ids = NULL;
    size_t count = 0, rewritten = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        struct gw_conn *conn = all->conn[i];
        if (!conn || !conn->registered || conn->renew_at_ms > now_ms)
            continue;
        if (conn->renew_at_ms + api->config->registry.lifetime / 2 - SECOND_MS <= now_ms) {
            if (rewritten++ < REWRITE_SLICE)
                gw_registry_rewrite(io, conn);
            continue;
        }
        if (!call) {
            call = gw_call_take(io, api);
            ids = call ? arena_array(&call->arena, RENEW_SLICE, sizeof(*ids)) : NULL;
            if (!ids)
                break;
        }
        conn->renew_at_ms = now_ms + api->config->registry.lifetime / 2;
        ids[count++] = *net_conn_id(conn->net);
        if (count == RENEW_SLICE)
            break; /* the rest follows in the next seconds; half a lifetime is long */
    }
    if (!count) {
        if (call)
            gw_call_give(call);
        return;
    }
    call->kind = GW_CALL_RENEW;
    call->body = text_make(ids, count * sizeof(*ids));
    gw_submit(io, call);
}

void gw_registry_second(struct gw_io *io)
{
    int64_t now_ms = clock_wall_ms();
    for (size_t i = 0; i < io->gateway->api_count; i++) {
        struct gw_api *api = &io->gateway->apis[i];
        if (api->has_registry && api->config->registry.table->ttl)
            renew_api(io, api, now_ms);
    }
}
