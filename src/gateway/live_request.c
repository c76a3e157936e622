/*
 * subscribe and unsubscribe. They are routes of the class WEIR_TICK that weir adds to an API which has rules for live tables: so they keep their place in the
 * connection's lane, and what the client wrote before it subscribed is in its snapshot.
 *
 *   {"action":"subscribe","table":T, "key":{..}?, "index":I?, "filter":{..}?, "conflate":true?, "after":"12.0"?, "requestId":..?}
 *   {"action":"subscribe","ranks":{"table":T, "index":I?, "key":{..}, "top":N, "backward":true?}, "conflate":true?, "after":"12.0"?, "requestId":..?}
 *
 * Nothing is readable unless a rule says so (live_rule.c). What a rule says of rows becomes conditions of the subscription: whatever else a user asks for, the set holds
 * own rows alone.
 */
#include "gateway/live.h"
#include "gateway/live_board.h"

#define HISTORY_MAX 10000 /* messages of a room */

/* ---- the specification ---- */

static void add_cond(struct weir_call *call, struct live_spec *spec, struct live_cond cond)
{
    if (spec->conds == LIVE_CONDS_MAX)
        gw_call_fail(call, ERR_TOO_LARGE, "TOO_LARGE", "filter", "a subscription has at most %d conditions", LIVE_CONDS_MAX);
    else
        spec->cond[spec->conds++] = cond;
}

/* A member of the message, or of its "ranks". */
static const struct weir_value *member(struct weir_call *call, const struct weir_value *ranks, const char *field)
{
    const struct json *json = ranks ? json_in(weir_value_get(ranks, field)) : gw_call_field(call, text_of(field));
    return json && json->type == JSON_NULL ? NULL : json_out(json);
}

static struct weir_text name_member(struct weir_call *call, const struct weir_value *ranks, const char *field, bool required)
{
    struct weir_text text = WEIR_STR("");
    const struct weir_value *value = member(call, ranks, field);
    if (!value && required)
        gw_call_fail(call, ERR_MISSING, "MISSING", field, "%s is required", field);
    else if (value && !weir_value_text(value, &text))
        gw_call_fail(call, ERR_TYPE, "TYPE", field, "%s is a text", field);
    else if (value && (!text.len || text.len > 255))
        gw_call_fail(call, ERR_INVALID, "INVALID", field, "%s has 1 to 255 bytes", field);
    return text;
}

static const struct attr *plain_object(struct weir_call *call, const struct weir_value *ranks, const char *field)
{
    const struct json *json = json_in(member(call, ranks, field));
    struct attr *item = NULL;
    if (json && json->type != JSON_OBJECT)
        gw_call_fail(call, ERR_TYPE, "TYPE", field, "%s is an object", field);
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

static void read_key(struct weir_call *call, struct live_spec *spec, const struct store_table *table, const struct weir_value *ranks)
{
    const struct store_index *index = NULL;
    struct weir_text name = name_member(call, ranks, "index", false);
    if (name.len && !call->failed) {
        index = store_index_find(table, text_in(name));
        if (!index) {
            gw_call_fail(call, ERR_NOT_FOUND, "NOT_FOUND", "index", "the table has no such index");
            return;
        }
        if (!store_index_ready(index)) {
            gw_call_fail(call, ERR_AGAIN, err_name(ERR_AGAIN), "index", "the index is being filled");
            return;
        }
        spec->index = text_in(name);
    }
    const struct store_key *of = store_key_of(table, index);
    const struct attr *key = plain_object(call, ranks, "key");
    if (call->failed)
        return;
    if (!key && (spec->index.len || ranks))
        gw_call_fail(call, ERR_MISSING, "MISSING", "key", "with %s comes the key of the entries that are followed", ranks ? "ranks" : "an index");
    size_t given = 0, parts = store_key_parts(of); /* the leading ones */
    while (key && given < parts && key_part(call, spec, key, of->part[given].name, of->part[given].type, given < of->hashes))
        given++;
    if (!key || call->failed)
        return;
    spec->keys = (uint8_t)given;
    if (!call->failed && key->count > spec->keys)
        gw_call_fail(call, ERR_INVALID, "INVALID", "key", "the key holds other attributes than those of the %s", spec->index.len ? "index" : "table");
    for (size_t i = given; spec->index.len && i < parts && !call->failed; i++)
        add_cond(call, spec, (struct live_cond){.name = of->part[i].name, .type = LIVE_PRESENT}); /* without it an item is not in the index */
}

/* The filter, in the order of names. */
static void read_filter(struct weir_call *call, struct live_spec *spec)
{
    const struct attr *filter = plain_object(call, NULL, "filter");
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
    else if (!live_position_holds(call, message->from))
        message->from = (struct feed_position){LIVE_ELSEWHERE, FEED_ALL};
}

bool live_position_holds(struct weir_call *call, struct feed_position at)
{
    const struct lineage *lineage = call->gateway->config.lineage;
    struct weir_text history = weir_in_text_or(call, "history", 64, WEIR_STR(""));
    return call->failed || !lineage || lineage_reaches(lineage, text_in(history), at.sequence);
}

void live_member_history(struct weir_call *call, struct weir_json *json)
{
    if (call->gateway->config.lineage)
        weir_member(json, "history", weir_text_of(lineage_id(call->gateway->config.lineage)));
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

/* How many of them, and from which end. */
static void read_top(struct weir_call *call, struct live_spec *spec, const struct store_table *table, const struct weir_value *ranks)
{
    const struct store_index *index = spec->index.len ? store_index_find(table, spec->index) : NULL;
    const struct json *top = json_in(member(call, ranks, "top")), *backward = json_in(member(call, ranks, "backward"));
    int64_t count = 0;
    if (call->failed)
        return;
    if (!top || json_to_i64(top, &count) || count < 1 || count > BOARD_TOP_MAX)
        gw_call_fail(call, ERR_INVALID, "INVALID", "top", "top is a number from 1 to %d", BOARD_TOP_MAX);
    else if (backward && backward->type != JSON_TRUE && backward->type != JSON_FALSE)
        gw_call_fail(call, ERR_TYPE, "TYPE", "backward", "backward is true or false");
    else if (spec->keys != store_key_of(table, index)->hashes)
        gw_call_fail(call, ERR_INVALID, "INVALID", "key", "ranks are those of the entries with one hash key");
    else if (weir_has(call, "filter"))
        gw_call_fail(call, ERR_INVALID, "INVALID", "filter", "ranks have no filter");
    spec->top = (uint16_t)count;
    spec->backward = json_is(backward, JSON_TRUE);
}

/* ---- the rule's conditions ---- */

static const struct live_cond *key_cond(const struct live_spec *spec, struct text name)
{
    for (unsigned i = 0; i < spec->keys; i++)
        if (text_equal(spec->cond[i].name, name))
            return &spec->cond[i];
    return NULL;
}

/* Rows whose attribute is what the identity says. The top of what is left of an index may lie anywhere, so of ranks the key must say it. */
static void add_own(struct weir_call *call, struct live_spec *spec, const struct gw_live_config *rule)
{
    for (size_t i = 0; i < rule->wheres && !call->failed; i++) {
        struct text name = rule->where[i].attribute;
        if (key_cond(spec, name) || (rule->where[i].value == GW_LIVE_USER_GROUPS && !spec->top))
            continue;
        if (spec->top)
            gw_call_fail(call, ERR_FORBIDDEN, "FORBIDDEN", "key", "only own rows may be followed, so the key names '%.*s'", TEXT_FMT(name));
        else
            add_cond(call, spec, (struct live_cond){.name = name, .text = live_rule_value(call->identity, rule->where[i].value), .type = ATTR_STRING});
    }
}

static bool is_own(const struct gw_identity *identity, enum gw_live_value value, struct text text)
{
    if (value != GW_LIVE_USER_GROUPS)
        return text_equal(text, live_rule_value(identity, value));
    for (size_t i = 0; i < identity->group_count; i++)
        if (text_equal(text, identity->groups[i]))
            return true;
    return false;
}

/* A key or filter that names somebody else's is refused: an empty set for ever would only puzzle. Which of the own groups, the request must say. */
static void check_own(struct weir_call *call, const struct live_spec *spec, const struct gw_live_config *rule)
{
    for (size_t i = 0; i < rule->wheres && !call->failed; i++) {
        struct text name = rule->where[i].attribute;
        bool named = false;
        for (unsigned k = 0; k < spec->conds && !call->failed; k++) {
            const struct live_cond *cond = &spec->cond[k];
            if (!text_equal(cond->name, name) || cond->type == LIVE_PRESENT)
                continue;
            named = true;
            if (cond->type == ATTR_BOOL || !is_own(call->identity, rule->where[i].value, cond->text))
                gw_call_fail(call, ERR_FORBIDDEN, "FORBIDDEN", k < spec->keys ? "key" : "filter", "these rows belong to another user");
        }
        if (!named && !call->failed)
            gw_call_fail(call, ERR_FORBIDDEN, "FORBIDDEN", "key", "the key or the filter names one of the own groups as '%.*s'", TEXT_FMT(name));
    }
}

/* ---- subscribe ---- */

static void read_spec(struct weir_call *call, struct live_spec *spec, const struct store_table *table, const struct gw_live_config *rule, const struct weir_value *ranks)
{
    spec->conflate = weir_in_bool_or(call, "conflate", false);
    read_key(call, spec, table, ranks);
    if (ranks)
        read_top(call, spec, table, ranks);
    if (!call->failed)
        add_own(call, spec, rule);
    if (!ranks)
        read_filter(call, spec);
    check_own(call, spec, rule);
}

static const struct live_rule *find_rule(struct weir_call *call, struct text table, const struct weir_value *ranks)
{
    struct live_wish wish = {.table = table, .index = text_in(name_member(call, ranks, "index", false)), .ranks = ranks != NULL};
    const struct json *top = ranks ? json_in(member(call, ranks, "top")) : NULL;
    const char *field;
    char why[400];
    if (top && json_to_i64(top, &wish.top))
        wish.top = 0; /* said when the request is read */
    const struct live_rule *rule = call->failed ? NULL : live_rule_find(call->api, call->identity, &wish, &field, why, sizeof(why));
    if (!rule && !call->failed)
        gw_call_fail(call, ERR_FORBIDDEN, "FORBIDDEN", field, "%s", why);
    return rule;
}

/* A table that is being restored is not there yet; rows that mirror sockets are in no journal. */
static const struct store_table *find_table(struct weir_call *call, struct text name)
{
    const struct store_table *table = store_table_find(call->gateway->config.store, name);
    if (table && !store_table_filling(table) && !store_table_decl(table)->volatile_rows)
        return table;
    gw_call_fail(call, ERR_NOT_FOUND, "NOT_FOUND", "table", "the table is not there");
    return NULL;
}

static void follow(struct weir_call *call, const struct store_table *table)
{
    struct err err = {0};
    int code = live_table_follow(call->tick, table, &err);
    if (code)
        gw_call_fail(call, code, err_name(code), NULL, "%s", err.code ? err.text : err_text(code));
}

static void subscribe(struct weir_call *call)
{
    struct live_message message = {.kind = LIVE_SUBSCRIBE};
    struct live_spec spec = {.api = call->api->index};
    struct buf bytes;
    const struct weir_value *ranks = weir_in_object(call, "ranks", false);
    struct weir_text name = name_member(call, ranks, "table", true);
    const struct live_rule *rule = call->failed ? NULL : find_rule(call, text_in(name), ranks);
    const struct store_table *table = rule ? find_table(call, text_in(name)) : NULL;
    if (!table)
        return;
    spec.table = text_in(name);
    read_spec(call, &spec, table, &rule->is, ranks);
    read_after(call, &message);
    message.rule = (uint32_t)(rule - call->api->rules);
    message.proof = live_rule_proof(rule, call->identity);
    buf_init(&bytes, LIVE_SPEC_MAX);
    if (!call->failed && live_spec_encode(&bytes, &spec))
        gw_call_fail(call, ERR_TOO_LARGE, "TOO_LARGE", NULL, "the key and the filter are larger than %d bytes", LIVE_SPEC_MAX);
    if (!call->failed)
        follow(call, table);
    if (!call->failed) {
        message.id = live_spec_id(buf_text(&bytes));
        struct weir_json *json = answer_of(call, "subscribed", message.id);
        weir_member(json, "table", name);
        live_member_history(call, json);
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
    int code = live_rules_compile(api, err);
    if (!code && api->rule_count)
        code = add_route(api, TEXT("subscribe"), subscribe, err);
    if (!code && api->rule_count)
        code = add_route(api, TEXT("unsubscribe"), unsubscribe, err);
    if (!code && gw_has_history(api)) {
        code = app->room_history.messages > HISTORY_MAX || app->room_history.lifetime < 0
            ? err_set(err, ERR_INVALID, "API %.*s: a room keeps at most %d messages, and its lifetime is not negative", TEXT_FMT(api->config->name), HISTORY_MAX)
            : add_route(api, TEXT("resume"), gw_history_resume, err);
    }
    return code;
}
