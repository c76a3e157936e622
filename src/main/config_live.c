/*
 * Who may follow which table, and which of its rows: what a compiled-in application says in its declaration, for everybody else. A table is named and need not be one
 * that is declared here, nor be there yet.
 *
 *   live:
 *     - {table: news, who: anyone}
 *     - {table: "orders-{env}", where: {customerId: $userId}}
 *     - {table: scores, index: ByScore, ranks: 100, who: authenticated}
 *
 * Whatever could be read by more people than its author thought of is a problem: a row says who, or which rows, and `who: anyone` has no `where`.
 */
#include "main/read.h"

#define IN(type, field) offsetof(struct type, field)
#define LIVE_MAX 64 /* of one API */

static void read_who(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_live_config *live = field;
    static const struct {
        struct text start;
        enum gw_live_who who;
    } prefixed[] = {{{"role:", 5}, GW_LIVE_ROLE}, {{"group:", 6}, GW_LIVE_GROUP}};
    if (!expect_text(r, value, key->name))
        return;
    for (size_t i = 0; i < 2; i++)
        if (text_starts(value->text, prefixed[i].start) && value->text.len > prefixed[i].start.len) {
            live->who = prefixed[i].who;
            live->which = text_make(value->text.data + prefixed[i].start.len, value->text.len - prefixed[i].start.len);
            return;
        }
    if (text_is(value->text, "authenticated"))
        live->who = GW_LIVE_AUTHENTICATED;
    else if (text_is(value->text, "anyone"))
        live->who = GW_LIVE_ANYONE;
    else
        problem(r, value, "'%s' is %s, not '%.80s'", key->name, key->form, value->text.data);
}

static const char *const value_words[] = {"$userId", "$userName", "$userEmail", "$userRole", "$userGroups", NULL};

/* The order of the words is that of enum gw_live_value. */
static void read_where(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_live_config *live = field;
    if (!expect_mapping(r, value, key->name))
        return;
    if (!value->count || value->count > GW_LIVE_WHERE_MAX) {
        problem(r, value, "'%s' has 1 to %d attributes", key->name, GW_LIVE_WHERE_MAX);
        return;
    }
    for (const struct doc *node = value->first; node; node = node->next) {
        char hint[80];
        int word = 0;
        if (!expect_text(r, node, node->key->text.data))
            continue;
        while (value_words[word] && !text_is(node->text, value_words[word]))
            word++;
        if (value_words[word]) {
            live->where[live->wheres].attribute = node->key->text;
            live->where[live->wheres++].value = (enum gw_live_value)word;
            continue;
        }
        suggest(node->text, value_words, hint, sizeof(hint));
        problem(r, node, "an attribute is what the identity says: $userId, $userName, $userEmail, $userRole or $userGroups, not '%.80s'%s", node->text.data, hint);
    }
}

static void read_table_name(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    if (!expect_text(r, value, key->name) || !expect_table_name(r, value))
        return;
    if (text_starts(value->text, TEXT("weir.")))
        problem(r, value, "table names that begin with weir. are kept for weir itself");
    else
        *(struct text *)field = value->text;
}

#define LIVE(field) IN(gw_live_config, field)
const struct key live_keys[] = {
    {"table", "name", "which table, declared or made over the wire, now or later; {env} and {stage} are replaced", read_table_name, LIVE(table), 3, 255, NULL, NULL},
    {"who", "anyone, authenticated, role:NAME or group:NAME", "who may follow it (default, with 'where': authenticated)", read_who, 0, 0, 0, NULL, NULL},
    {"where", "attributes with $userId, $userName, $userEmail, $userRole or $userGroups", "only rows whose attribute is what the caller's proven identity says",
        read_where, 0, 0, 0, NULL, NULL},
    {"index", "name", "only entries of this index (default: the table and all its indexes)", read_text, LIVE(index), 3, 255, NULL, NULL},
    {"ranks", "number", "only as ranks, and at most so many entries, 1 to 1000 (default: the table, and ranks of any size)", read_u32, LIVE(ranks), 1, 1000, NULL, NULL},
    {0},
};

/* ---- what belongs together ---- */

static const struct weir_table *find_table(const struct gw_api_config *api, struct text name)
{
    for (size_t i = 0; i < api->table_count; i++)
        if (text_is(name, api->tables[i]->name))
            return api->tables[i];
    return NULL;
}

static bool has_index(const struct weir_table *table, struct text name)
{
    for (size_t i = 0; i < WEIR_INDEXES_MAX && table->index[i].name; i++)
        if (text_is(name, table->index[i].name))
            return true;
    return false;
}

static void check_row(struct reader *r, const struct doc *node, const struct gw_api_config *api, const struct gw_live_config *live)
{
    const struct weir_table *table = find_table(api, live->table);
    const struct doc *who = doc_get(node, "who"), *where = doc_get(node, "where");
    if (!doc_get(node, "table"))
        problem(r, node, "a live table needs a 'table'");
    if (!who && !where)
        problem(r, node, "a live table says 'who' may follow it, or 'where' its rows are the caller's own");
    if (who && where && live->who == GW_LIVE_ANYONE)
        problem(r, who, "'where' is said of a proven identity, so 'who' is not anyone");
    if (live->who != GW_LIVE_ANYONE && api->auth != WEIR_JWT && api->auth != WEIR_IAM)
        problem(r, who ? who : where ? where : node, "only 'auth: jwt' and 'auth: iam' prove who somebody is: nobody could follow this table");
    if (table && table == api->registry.table)
        problem(r, doc_get(node, "table"), "the rows of connections are in no journal, so they cannot be followed");
    if (table && live->index.len && !has_index(table, live->index))
        problem(r, doc_get(node, "index"), "the table '%.*s' has no index '%.*s'", TEXT_FMT(live->table), TEXT_FMT(live->index));
}

void read_live(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_api_config *api = field;
    if (value->kind != DOC_SEQUENCE || value->count > LIVE_MAX) {
        problem(r, value, "'%s' is a list of at most %d rules, each with a table and who may follow it", key->name, LIVE_MAX);
        return;
    }
    api->live = arena_zalloc(r->arena, (value->count + 1) * sizeof(*api->live));
    for (const struct doc *node = value->first; node && api->live; node = node->next) {
        struct gw_live_config *live = &api->live[api->live_count];
        live->who = GW_LIVE_AUTHENTICATED;
        if (!expect_mapping(r, node, "a live table"))
            continue;
        read_keys(r, node, live_keys, live);
        check_row(r, node, api, live);
        api->live_count++;
    }
}

void check_live(struct reader *r, const struct doc *at, const struct gw_api_config *api)
{
    if (api->live_count && api->ws.slow != NET_SLOW_DISCONNECT)
        problem(r, at, "'%.*s' has live tables, whose messages may not be dropped: leave 'slowReaders' at disconnect", TEXT_FMT(api->name));
}
