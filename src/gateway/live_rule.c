/*
 * Who may follow what. An application says so in its declaration, a configuration below `live`; both become the same rules, in the order in which they stand.
 *
 * A rule names a table, which need not be there: it holds as soon as one of that name is, whoever made it. It says about whom it is (anyone, whoever has a proven
 * identity, a role, a group) and which rows they follow: those whose attributes are what the identity says. The second is no check of a request but conditions
 * of the subscription, so a row that changes hands leaves it.
 *
 * Rules are immutable while the server runs. What they rest on is not: a token may be renewed on an open socket, and then say less. So a subscription remembers what its
 * rule read of the identity, as a number, and ends when that is another one.
 *
 * A table keeps its changes for followers from the first subscription on, in the same commit, whatever its declaration or its stream say then or later: tables that are
 * never followed cost nothing, and whoever makes tables over the wire need not know. The commit's number is kept with the table. A client that comes back with an older
 * position (the table was made anew meanwhile) begins with a snapshot.
 */
#include "gateway/destinations.h"
#include "gateway/live.h"
#include "base/hash.h"

#include <stdlib.h>

#define QUEUE_BYTES_LEAST ((size_t)1 << 20) /* a page must fit */
#define QUEUE_MESSAGES_LEAST 2048

/* ---- what the identity says ---- */

struct text live_rule_value(const struct gw_identity *identity, enum gw_live_value value)
{
    switch (value) {
    case GW_LIVE_USER_ID:
        return identity->user_id;
    case GW_LIVE_USER_NAME:
        return identity->name;
    case GW_LIVE_USER_EMAIL:
        return identity->email;
    case GW_LIVE_USER_ROLE:
        return identity->role;
    case GW_LIVE_USER_GROUPS:
        break;
    }
    return TEXT_NONE;
}

static bool in_group(const struct gw_identity *identity, struct text group)
{
    for (size_t i = 0; i < identity->group_count; i++)
        if (text_equal(identity->groups[i], group))
            return true;
    return false;
}

static bool is_about(const struct gw_live_config *is, const struct gw_identity *identity)
{
    if (is->who == GW_LIVE_ANYONE && !is->wheres)
        return true;
    if (!identity || !identity->proven)
        return false;
    if (is->who == GW_LIVE_ROLE)
        return text_equal(identity->role, is->which);
    return is->who != GW_LIVE_GROUP || in_group(identity, is->which);
}

static uint64_t mix(uint64_t proof, struct text text)
{
    return (proof ^ hash_bytes(text)) * UINT64_C(0x9E3779B97F4A7C15);
}

uint64_t live_rule_proof(const struct live_rule *rule, const struct gw_identity *identity)
{
    uint64_t proof = 1;
    if (!is_about(&rule->is, identity))
        return 0;
    for (size_t i = 0; i < rule->is.wheres; i++) {
        enum gw_live_value value = rule->is.where[i].value;
        struct text text = live_rule_value(identity, value);
        if (value != GW_LIVE_USER_GROUPS ? !text.len : !identity->group_count)
            return 0; /* an empty value is nobody's */
        proof = mix(proof, text);
        for (size_t k = 0; value == GW_LIVE_USER_GROUPS && k < identity->group_count; k++)
            proof = mix(proof, identity->groups[k]);
    }
    return proof ? proof : 1;
}

/* ---- which rule ---- */

static const char *what_differs(const struct live_rule *rule, const struct live_wish *wish, char *why, size_t size)
{
    const struct gw_live_config *is = &rule->is;
    if (is->index.len && !text_equal(is->index, wish->index)) {
        snprintf(why, size, "only the index '%.*s' may be followed", TEXT_FMT(is->index));
        return "index";
    }
    if (is->ranks && !wish->ranks) {
        snprintf(why, size, "only ranks of this table may be followed");
        return "table";
    }
    if (is->ranks && wish->top > is->ranks) {
        snprintf(why, size, "at most the first %u may be followed", is->ranks);
        return "top";
    }
    return NULL;
}

const struct live_rule *live_rule_find(const struct gw_api *api, const struct gw_identity *identity, const struct live_wish *wish, const char **field, char *why,
    size_t why_size)
{
    const struct live_rule *best = NULL;
    size_t least = SIZE_MAX;
    snprintf(why, why_size, "there is no such table, or it is not yours to follow");
    *field = "table";
    for (size_t i = 0; i < api->rule_count; i++) {
        const struct live_rule *rule = &api->rules[i];
        size_t conditions = rule->is.wheres * 2 + !live_rule_is_for_all(rule);
        if (!text_equal(rule->is.table, wish->table) || conditions >= least || !live_rule_proof(rule, identity))
            continue;
        const char *differs = what_differs(rule, wish, why, why_size);
        if (differs) {
            *field = differs;
            continue;
        }
        best = rule;
        least = conditions;
    }
    return best;
}

/* ---- tables ---- */

bool live_table_is_followed(const struct store_table *table)
{
    return store_table_decl(table)->changes || store_table_followed_since(table);
}

int live_table_follow(struct tick *tick, const struct store_table *table, struct err *err)
{
    return store_table_followed_since(table) ? 0 : store_table_set_followed(tick_stage(tick), table, tick_sequence(tick), err);
}

static bool has_rule(const struct gateway *gateway, struct text table)
{
    for (size_t i = 0; i < gateway->api_count; i++)
        for (size_t k = 0; k < gateway->apis[i].rule_count; k++)
            if (text_equal(gateway->apis[i].rules[k].is.table, table))
                return true;
    return false;
}

static bool has_destination(struct tick *tick, const struct store_table *table)
{
    struct arena arena;
    arena_init(&arena, 1024, 1 << 20);
    bool any = gw_destination_is_any(tick_view(tick), &arena, store_table_id(table));
    arena_fini(&arena);
    return any;
}

int gw_live_define(struct gateway *gateway, struct tick *tick, struct err *err)
{
    struct store *store = tick_view(tick)->store;
    int code = 0;
    tick_keep_from(tick, TICK_KEEP_DESTINATIONS, 0); /* until the services' thread knows how far they are */
    for (const struct store_table *table = store_table_next(store, NULL); table && !code; table = store_table_next(store, table))
        if (store_table_followed_since(table) && !has_rule(gateway, store_table_name(table)) && !has_destination(tick, table))
            code = store_table_set_followed(tick_stage(tick), table, 0, err);
    return code;
}

/* ---- at start ---- */

static int no_memory(struct err *err)
{
    return err_set(err, ERR_MEMORY, "out of memory");
}

static int take_app(struct gw_api *api, const struct weir_live *live, struct live_rule *rule, struct err *err)
{
    struct text name = api->config->name;
    if (!live->table->changes)
        return err_set(err, ERR_INVALID, "API %.*s: the live table %s keeps no changes", TEXT_FMT(name), live->table->name);
    if (live->rule == WEIR_LIVE_OWN && !live->owner)
        return err_set(err, ERR_INVALID, "API %.*s: the live table %s: own rows need the attribute that names the owner", TEXT_FMT(name), live->table->name);
    rule->is.table = text_of(live->table->name);
    rule->is.who = live->rule == WEIR_LIVE_ANYONE ? GW_LIVE_ANYONE : live->rule == WEIR_LIVE_ADMINS ? GW_LIVE_ROLE : GW_LIVE_AUTHENTICATED;
    if (live->rule == WEIR_LIVE_ADMINS)
        rule->is.which = TEXT("admin");
    if (live->rule == WEIR_LIVE_OWN) {
        rule->is.wheres = 1;
        rule->is.where[0].attribute = text_of(live->owner);
        rule->is.where[0].value = GW_LIVE_USER_ID;
    }
    return 0;
}

/* Nothing of what a subscriber was sent may be taken back from its queue. */
static int check_queue(const struct gw_api *api, struct err *err)
{
    const struct net_ws_config *ws = &api->config->ws;
    if (ws->slow != NET_SLOW_DISCONNECT)
        return err_set(err, ERR_INVALID, "API %.*s: it has live tables, so messages of slow readers are not dropped: slowReaders is 'disconnect'",
            TEXT_FMT(api->config->name));
    if ((ws->queue_bytes_max && ws->queue_bytes_max < QUEUE_BYTES_LEAST) || (ws->queue_messages_max && ws->queue_messages_max < QUEUE_MESSAGES_LEAST))
        return err_set(err, ERR_INVALID, "API %.*s: it has live tables, which need queues of at least %zu bytes and %d messages", TEXT_FMT(api->config->name),
            QUEUE_BYTES_LEAST, QUEUE_MESSAGES_LEAST);
    return 0;
}

static int rule_keep(struct gw_api *api, struct live_rule rule, struct err *err)
{
    rule.is.table = gw_name_replaced(api->gateway, api, rule.is.table);
    if (!rule.is.table.data)
        return no_memory(err);
    api->rules[api->rule_count++] = rule;
    return 0;
}

int live_rules_compile(struct gw_api *api, struct err *err)
{
    const struct gw_api_config *config = api->config;
    const struct weir_live *first = config->app ? config->app->live : NULL;
    size_t count = config->live_count;
    int code = 0;
    for (const struct weir_live *live = first; live && live->table; live++)
        count++;
    api->rules = count ? calloc(count, sizeof(*api->rules)) : NULL;
    if (count && !api->rules)
        return no_memory(err);
    for (const struct weir_live *live = first; !code && live && live->table; live++) {
        struct live_rule rule = {0};
        code = take_app(api, live, &rule, err);
        if (!code)
            code = rule_keep(api, rule, err);
    }
    for (size_t i = 0; !code && i < config->live_count; i++)
        code = rule_keep(api, (struct live_rule){.is = config->live[i]}, err);
    return code || !count ? code : check_queue(api, err);
}

void gw_live_rules_free(struct gw_api *api)
{
    for (size_t i = 0; i < api->rule_count; i++)
        free((char *)api->rules[i].is.table.data);
    free(api->rules);
}
