/*
 * subscribe and unsubscribe. They are routes of the class WEIR_TICK that weir adds to an API which declares live tables: so they keep their place in the
 * connection's lane, and what the client wrote before it subscribed is in its snapshot.
 *
 *   {"action":"subscribe","table":T, "key":{..}?, "index":I?, "filter":{..}?, "conflate":true?, "after":"12.0"?, "requestId":..?}
 *
 * Nothing is readable unless the application says so, per table: by anyone, by administrators, or by the owner of a row. The owner's rule is no check of the
 * request but a condition of the subscription: whatever else a user asks for, the set holds own rows alone, and a row that changes hands leaves it.
 * Owners and administrators are those of a proven identity; a claimed one is nobody here.
 */
#include "gateway/live.h"

#define HISTORY_MAX 10000 /* messages of a room */

/* ---- who may ---- */

static const struct weir_live *live_list(const struct weir_call *call)
{
    static const struct weir_live none[1];
    return call->api->config->app && call->api->config->app->live ? call->api->config->app->live : none;
}

/* The most that the caller is allowed; NULL: nothing, and nothing is said about why. */
static const struct weir_live *rule_of(struct weir_call *call, struct text name)
{
    const struct weir_live *best = NULL;
    bool proven = call->identity && call->identity->proven, admin = proven && call->identity->admin;
    for (const struct weir_live *live = live_list(call); live->table; live++) {
        const struct store_table *table = gw_table(call->gateway, live->table);
        if (!table || !text_equal(store_table_name(table), name))
            continue;
        if (live->rule == WEIR_LIVE_ANYONE)
            return live;
        if (live->rule == WEIR_LIVE_ADMINS && admin)
            best = live;
        if (live->rule == WEIR_LIVE_OWN && proven && call->identity->user_id.len && !best)
            best = live;
    }
    return best;
}

/* ---- the specification ---- */

static void add_cond(struct weir_call *call, struct live_spec *spec, struct live_cond cond)
{
    if (spec->conds == LIVE_CONDS_MAX)
        gw_call_fail(call, ERR_TOO_LARGE, "TOO_LARGE", "filter", "a subscription has at most %d conditions", LIVE_CONDS_MAX);
    else
        spec->cond[spec->conds++] = cond;
}

static const struct attr *plain_object(struct weir_call *call, const char *field)
{
    const struct json *json = json_in(weir_in_object(call, field, false));
    struct attr *item = NULL;
    struct err err = {0};
    if (!json || call->failed)
        return NULL;
    int code = item_from_plain(&call->arena, json, &item, &err);
    if (code)
        gw_call_fail(call, code, err_name(code), field, "%s", err.code ? err.text : err_text(code));
    return code ? NULL : item;
}

static bool key_part(struct weir_call *call, struct live_spec *spec, const struct attr *key, struct text name, enum attr_type type, bool required)
{
    const struct attr *value = item_get(key, name);
    struct live_cond cond;
    if (!value && !required)
        return false;
    if (!value)
        gw_call_fail(call, ERR_MISSING, "MISSING", "key", "the key needs '%.*s'", TEXT_FMT(name));
    else if (value->type != type || !live_cond_of(value, &cond))
        gw_call_fail(call, ERR_TYPE, "TYPE", "key", "'%.*s' is a %s", TEXT_FMT(name), type == ATTR_NUMBER ? "number" : type == ATTR_STRING ? "string" : "binary value, which cannot be followed by key");
    else
        add_cond(call, spec, cond);
    return !call->failed;
}

static void read_key(struct weir_call *call, struct live_spec *spec, const struct store_table *table)
{
    const struct store_table_decl *decl = store_table_decl(table);
    struct text hash = decl->hash, range = decl->range;
    enum attr_type hash_type = decl->hash_type, range_type = decl->range_type;
    struct weir_text name = weir_in_text_or(call, "index", 255, WEIR_STR(""));
    if (name.len && !call->failed) {
        const struct store_index *index = store_index_find(table, text_in(name));
        if (!index) {
            gw_call_fail(call, ERR_NOT_FOUND, "NOT_FOUND", "index", "the table has no such index");
            return;
        }
        const struct store_index_decl *of = store_index_decl(index);
        hash = of->hash;
        range = of->range;
        hash_type = of->hash_type;
        range_type = of->range_type;
        spec->index = text_in(name);
    }
    const struct attr *key = plain_object(call, "key");
    if (call->failed)
        return;
    if (!key && spec->index.len)
        gw_call_fail(call, ERR_MISSING, "MISSING", "key", "with an index comes the key of the entries that are followed");
    if (!key || !key_part(call, spec, key, hash, hash_type, true))
        return;
    spec->keys = 1;
    bool ranged = range.len && key_part(call, spec, key, range, range_type, false);
    spec->keys += ranged;
    if (!call->failed && key->count > spec->keys)
        gw_call_fail(call, ERR_INVALID, "INVALID", "key", "the key holds other attributes than those of the %s", spec->index.len ? "index" : "table");
    if (spec->index.len && range.len && !ranged)
        add_cond(call, spec, (struct live_cond){.name = range, .type = LIVE_PRESENT}); /* without it an item is not in the index */
}

/* A key or filter that names another owner is refused: an empty set for ever would only puzzle. */
static void check_owner(struct weir_call *call, const struct live_spec *spec, const char *owner)
{
    for (unsigned i = 0; i < spec->conds && !call->failed; i++)
        if (text_is(spec->cond[i].name, owner) && !text_equal(spec->cond[i].text, call->identity->user_id))
            gw_call_fail(call, ERR_FORBIDDEN, "FORBIDDEN", i < spec->keys ? "key" : "filter", "these rows belong to another user");
}

/* The filter, in the order of names. */
static void read_filter(struct weir_call *call, struct live_spec *spec)
{
    const struct attr *filter = plain_object(call, "filter");
    unsigned first = spec->conds;
    if (!filter)
        return;
    if (filter->count > LIVE_FILTERS_MAX) {
        gw_call_fail(call, ERR_TOO_LARGE, "TOO_LARGE", "filter", "a filter has at most %d attributes", LIVE_FILTERS_MAX);
        return;
    }
    for (const struct attr *value = filter->first; value && !call->failed; value = value->next) {
        struct live_cond cond;
        if (!live_cond_of(value, &cond)) {
            gw_call_fail(call, ERR_TYPE, "TYPE", "filter", "'%.*s' is compared with a string, a number or a boolean", TEXT_FMT(value->name));
            return;
        }
        add_cond(call, spec, cond);
        for (unsigned i = spec->conds - 1; !call->failed && i > first && text_compare(spec->cond[i].name, spec->cond[i - 1].name) < 0; i--) {
            struct live_cond swap = spec->cond[i];
            spec->cond[i] = spec->cond[i - 1];
            spec->cond[i - 1] = swap;
        }
    }
}

static void read_after(struct weir_call *call, struct live_message *message)
{
    const struct json *value = json_in(weir_in_value(call, "after", false));
    message->fresh = !value || value->type == JSON_NULL;
    message->given = !message->fresh;
    if (message->fresh)
        return;
    if ((value->type != JSON_STRING && value->type != JSON_NUMBER) || feed_position_parse(value->text, &message->from))
        gw_call_fail(call, ERR_INVALID, "INVALID", "after", "after is the last position: \"<sequence>.<number>\", or \"<sequence>\" of a snapshot");
}

/* ---- the routes ---- */

static void send(struct weir_call *call, struct live_message *message, struct text spec, struct weir_json *answer)
{
    struct text body;
    if (call->failed || !gw_call_json_text(call, answer, &body))
        return;
    message->conn = call->conn_id;
    message->io = net_id_io(&call->conn_id);
    struct net_frame *frame = net_frame_create(WS_TEXT, body.data, body.len);
    struct gw_effect *effect = frame ? live_effect(message, spec, frame) : NULL;
    if (effect)
        effect->target = call->conn_id;
    gw_call_effect(call, message->io, effect);
}

static struct weir_json *answer_of(struct weir_call *call, const char *type, uint64_t id)
{
    char hex[20];
    snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)id);
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member(json, "type", weir_text_of(type));
    weir_member(json, "subscription", weir_text_of(hex));
    weir_member_request(json);
    return json;
}

static void subscribe(struct weir_call *call)
{
    struct live_message message = {.kind = LIVE_SUBSCRIBE};
    struct live_spec spec = {.api = call->api->index};
    struct buf bytes;
    struct weir_text name = weir_in_text(call, "table", 1, 255);
    if (call->failed)
        return;
    const struct weir_live *rule = rule_of(call, text_in(name));
    if (!rule) {
        gw_call_fail(call, ERR_FORBIDDEN, "FORBIDDEN", "table", "there is no such table, or it is not yours to follow");
        return;
    }
    spec.table = text_in(name);
    spec.conflate = weir_in_bool_or(call, "conflate", false);
    read_key(call, &spec, gw_table(call->gateway, rule->table));
    if (rule->rule == WEIR_LIVE_OWN && !call->failed)
        add_cond(call, &spec, (struct live_cond){.name = text_of(rule->owner), .text = call->identity->user_id, .type = ATTR_STRING});
    read_filter(call, &spec);
    if (rule->rule == WEIR_LIVE_OWN)
        check_owner(call, &spec, rule->owner);
    read_after(call, &message);
    message.needs_admin = rule->rule == WEIR_LIVE_ADMINS;
    buf_init(&bytes, LIVE_SPEC_MAX);
    if (!call->failed && live_spec_encode(&bytes, &spec))
        gw_call_fail(call, ERR_TOO_LARGE, "TOO_LARGE", NULL, "the key and the filter are larger than %d bytes", LIVE_SPEC_MAX);
    if (!call->failed) {
        message.id = live_spec_id(buf_text(&bytes));
        struct weir_json *json = answer_of(call, "subscribed", message.id);
        weir_member(json, "table", name);
        weir_end(json);
        send(call, &message, buf_text(&bytes), json);
    }
    buf_fini(&bytes);
}

static bool parse_hex(struct text text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        *out = *out << 4 | (unsigned)digit;
    }
    return text.len == 16;
}

static void unsubscribe(struct weir_call *call)
{
    struct live_message message = {.kind = LIVE_UNSUBSCRIBE};
    struct weir_text id = weir_in_text(call, "subscription", 16, 16);
    if (call->failed)
        return;
    if (!parse_hex(text_in(id), &message.id)) {
        gw_call_fail(call, ERR_INVALID, "INVALID", "subscription", "a subscription is named as its answer named it");
        return;
    }
    struct weir_json *json = answer_of(call, "unsubscribed", message.id);
    weir_end(json);
    send(call, &message, TEXT_NONE, json);
}

/* ---- at start ---- */

/* Nothing of what a subscriber was sent may be taken back from its queue, and a page must fit. */
#define QUEUE_BYTES_LEAST ((size_t)1 << 20)
#define QUEUE_MESSAGES_LEAST 2048

static int check(struct gw_api *api, struct err *err)
{
    const struct net_ws_config *ws = &api->config->ws;
    if (ws->slow != NET_SLOW_DISCONNECT)
        return err_set(err, ERR_INVALID, "API %.*s: it has live tables, so messages of slow readers are not dropped: slowReaders is 'disconnect'", TEXT_FMT(api->config->name));
    if ((ws->queue_bytes_max && ws->queue_bytes_max < QUEUE_BYTES_LEAST) || (ws->queue_messages_max && ws->queue_messages_max < QUEUE_MESSAGES_LEAST))
        return err_set(err, ERR_INVALID, "API %.*s: it has live tables, which need queues of at least %zu bytes and %d messages", TEXT_FMT(api->config->name),
            QUEUE_BYTES_LEAST, QUEUE_MESSAGES_LEAST);
    for (const struct weir_live *live = api->config->app->live; live->table; live++) {
        if (!live->table->changes)
            return err_set(err, ERR_INVALID, "API %.*s: the live table %s keeps no changes", TEXT_FMT(api->config->name), live->table->name);
        if (live->rule == WEIR_LIVE_OWN && !live->owner)
            return err_set(err, ERR_INVALID, "API %.*s: the live table %s: own rows need the attribute that names the owner", TEXT_FMT(api->config->name), live->table->name);
    }
    return 0;
}

static int add_route(struct gw_api *api, struct text key, void (*handler)(struct weir_call *call), struct err *err)
{
    if (map_get(&api->by_key, key))
        return 0; /* the application's own */
    struct gw_route *route = &api->routes[api->route_count++];
    *route = (struct gw_route){.key = key, .handler = handler, .route_class = WEIR_TICK, .attempts = 1, .api = api};
    api->copies = true;
    api->needs_json = true;
    return map_put(&api->by_key, route->key, route, NULL) ? err_set(err, ERR_MEMORY, "out of memory") : 0;
}

int gw_live_routes(struct gw_api *api, struct err *err)
{
    const struct weir_app *app = api->config->app;
    int code = 0;
    if (app && app->live) {
        code = add_route(api, TEXT("subscribe"), subscribe, err);
        if (!code)
            code = add_route(api, TEXT("unsubscribe"), unsubscribe, err);
        if (!code)
            code = check(api, err);
    }
    if (!code && gw_has_history(api)) {
        code = app->room_history.messages > HISTORY_MAX || app->room_history.lifetime < 0
            ? err_set(err, ERR_INVALID, "API %.*s: a room keeps at most %d messages, and its lifetime is not negative", TEXT_FMT(api->config->name), HISTORY_MAX)
            : add_route(api, TEXT("resume"), gw_history_resume, err);
    }
    return code;
}
