/* Tables and registries that a configuration declares: they become the same struct weir_table that a compiled-in application writes. */
#include "main/read.h"

#include "base/clock.h"

#define IN(type, field) offsetof(struct type, field)
#define ATTRIBUTE_MAX 255 /* bytes of a key attribute's name */

/* "userId S" */
static void read_attribute(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct weir_attribute *out = field;
    if (!expect_text(r, value, key->name))
        return;
    ptrdiff_t space = text_find(value->text, ' ', 0);
    struct text name = space < 0 ? value->text : text_make(value->text.data, (size_t)space);
    struct text type = space < 0 ? TEXT("S") : text_trim(text_make(value->text.data + space, value->text.len - (size_t)space));
    const char *at = type.len == 1 ? strchr("SNB", type.data[0]) : NULL;
    if (!at || !name.len || name.len > ATTRIBUTE_MAX) {
        problem(r, value, "'%s' is an attribute's name and its type S, N or B, such as 'score N'", key->name);
        return;
    }
    out->name = arena_copy(r->arena, name).data;
    out->type = *at == 'S' ? WEIR_S : *at == 'N' ? WEIR_N : WEIR_B;
}

/* "userId S", or a list of them. */
static void read_attributes(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct weir_attribute *out = field;
    if (value->kind != DOC_SEQUENCE) {
        read_attribute(r, key, value, out);
        return;
    }
    if (!value->count || value->count > WEIR_INDEX_KEYS_MAX) {
        problem(r, value, "'%s' takes 1 to %d attributes", key->name, WEIR_INDEX_KEYS_MAX);
        return;
    }
    for (const struct doc *node = value->first; node; node = node->next)
        read_attribute(r, key, node, out++);
}

struct index_form {
    struct weir_attribute hash[WEIR_INDEX_KEYS_MAX], range[WEIR_INDEX_KEYS_MAX];
    bool counted;
};
const struct key index_keys[] = {
    {"hash", "attribute and type, or a list", "its hash key", read_attributes, IN(index_form, hash), 0, 0, NULL, NULL},
    {"range", "attribute and type, or a list", "its range key", read_attributes, IN(index_form, range), 0, 0, NULL, NULL},
    {"counted", "true or false", "ranks in O(log n) (default false)", read_flag, IN(index_form, counted), 0, 0, NULL, NULL},
    {0},
};

static bool is_table_name(struct text name, bool braces)
{
    size_t good = strspn(name.data, braces ? "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-{}"
                                           : "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    return good == name.len && name.len >= 3 && name.len <= 255;
}

/* {env} and {stage} are all that may stand in braces. */
static bool braces_known(struct text name)
{
    for (size_t at = 0; at < name.len; at++) {
        struct text rest = text_make(name.data + at, name.len - at);
        if (rest.data[0] == '}')
            return false;
        if (rest.data[0] != '{')
            continue;
        if (!text_starts(rest, TEXT("{env}")) && !text_starts(rest, TEXT("{stage}")))
            return false;
        at += rest.data[1] == 'e' ? 4 : 6;
    }
    return true;
}

bool expect_table_name(struct reader *r, const struct doc *node)
{
    bool good = is_table_name(node->text, true) && braces_known(node->text);
    if (!good)
        problem(r, node, "a table's name is 3 to 255 letters, digits, '-', '_' and '.'; {env} and {stage} are replaced");
    return good;
}

static void check_twice(struct reader *r, const struct doc *node, const struct index_form *form)
{
    const char *seen[2 * WEIR_INDEX_KEYS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < 2 * WEIR_INDEX_KEYS_MAX; i++) {
        const char *name = i < WEIR_INDEX_KEYS_MAX ? form->hash[i].name : form->range[i - WEIR_INDEX_KEYS_MAX].name;
        for (size_t k = 0; name && k < n; k++)
            if (strcmp(seen[k], name) == 0)
                problem(r, node->key, "the index '%.*s' names the attribute '%s' twice", TEXT_FMT(node->key->text), name);
        if (name)
            seen[n++] = name;
    }
}

static void read_index(struct reader *r, const struct doc *node, struct weir_table *table, size_t at)
{
    struct index_form form = {0};
    if (!expect_mapping(r, node, "an index"))
        return;
    if (!is_table_name(node->key->text, false))
        problem(r, node->key, "an index's name is 3 to 255 letters, digits, '-', '_' and '.'");
    read_keys(r, node, index_keys, &form);
    if (!doc_get(node, "hash"))
        problem(r, node->key, "the index '%.*s' needs a 'hash'", TEXT_FMT(node->key->text));
    struct weir_index *index = &table->index[at];
    *index = (struct weir_index){
        .name = node->key->text.data,
        .hash = form.hash[0].name,
        .hash_type = form.hash[0].type,
        .range = form.range[0].name,
        .range_type = form.range[0].type,
        .counted = form.counted,
    };
    memcpy(index->more_hash, form.hash + 1, sizeof(index->more_hash));
    memcpy(index->more_range, form.range + 1, sizeof(index->more_range));
    check_twice(r, node, &form);
}

static void read_indexes(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct weir_table *table = field;
    size_t count = 0;
    if (!expect_mapping(r, value, key->name))
        return;
    if (value->count >= WEIR_INDEXES_MAX) {
        problem(r, value, "a table has at most %d indexes", WEIR_INDEXES_MAX - 1);
        return;
    }
    for (const struct doc *node = value->first; node; node = node->next) {
        for (size_t i = 0; i < count; i++)
            if (text_is(node->key->text, table->index[i].name))
                problem(r, node->key, "the index '%.*s' is declared twice", TEXT_FMT(node->key->text));
        read_index(r, node, table, count++);
    }
}

struct table_form {
    struct weir_attribute hash, range;
    struct weir_table table;
};
const struct key table_keys[] = {
    {"hash", "attribute and type", "the hash key, such as 'userId S'", read_attribute, IN(table_form, hash), 0, 0, NULL, NULL},
    {"range", "attribute and type", "the range key", read_attribute, IN(table_form, range), 0, 0, NULL, NULL},
    {"ttl", "attribute", "holds the expiry time in epoch seconds", read_string, IN(table_form, table.ttl), 1, ATTRIBUTE_MAX, NULL, NULL},
    {"changes", "true or false", "keep a change stream (default false)", read_flag, IN(table_form, table.changes), 0, 0, NULL, NULL},
    {"recovery", "number", "days: it can be restored to any moment of them, 1 to 35 (default: as it is switched over the wire)", read_u32, IN(table_form, table.recovery_days), 1, 35, NULL, NULL},
    {"indexes", "names with keys and values", "secondary indexes", read_indexes, IN(table_form, table), 0, 0, index_keys, NULL},
    {0},
};

static struct weir_table *read_table(struct reader *r, const struct doc *node)
{
    struct table_form *form = arena_zalloc(r->arena, sizeof(*form));
    if (!form || !expect_mapping(r, node, "a table"))
        return NULL;
    struct text name = node->key->text;
    expect_table_name(r, node->key);
    read_keys(r, node, table_keys, form);
    if (!doc_get(node, "hash"))
        problem(r, node->key, "the table '%.*s' needs a 'hash'", TEXT_FMT(name));
    form->table.name = name.data;
    form->table.hash = form->hash.name;
    form->table.hash_type = form->hash.type;
    form->table.range = form->range.name;
    form->table.range_type = form->range.type;
    return &form->table;
}

static struct weir_table *find_table(const struct gw_api_config *api, struct text name)
{
    for (size_t i = 0; i < api->table_count; i++)
        if (text_is(name, api->tables[i]->name))
            return api->tables[i];
    return NULL;
}

void read_tables(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_api_config *api = field;
    if (!expect_mapping(r, value, key->name))
        return;
    if (value->count > CONFIG_TABLES_MAX) {
        problem(r, value, "an API has at most %d tables", CONFIG_TABLES_MAX);
        return;
    }
    api->tables = arena_array(r->arena, value->count + 1, sizeof(*api->tables));
    for (const struct doc *node = value->first; node && api->tables; node = node->next) {
        if (find_table(api, node->key->text))
            problem(r, node->key, "the table '%.*s' is declared twice", TEXT_FMT(node->key->text));
        struct weir_table *table = read_table(r, node);
        if (table)
            api->tables[api->table_count++] = table;
    }
}

/* ---- the registry of connections ---- */

struct registry_form {
    struct text table;
    struct weir_registry registry;
};
const struct key registry_keys[] = {
    {"table", "name", "one of this API's tables, with the hash key 'connectionId S'", read_text, IN(registry_form, table), 3, 255, NULL, NULL},
    {"lifetime", "duration", "the row's ttl, renewed while the socket lives (default 2h)", read_duration, IN(registry_form, registry.lifetime), 60000, 30 * DAY_MS, NULL, NULL},
    {"metadata", "true or false", "address and user agent too (default false)", read_flag, IN(registry_form, registry.metadata), 0, 0, NULL, NULL},
    {"identity", "true or false", "who it is and the rooms too (default false)", read_flag, IN(registry_form, registry.identity), 0, 0, NULL, NULL},
    {0},
};

void read_registry(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_api_config *api = field;
    struct registry_form form = {.registry.lifetime = 2 * HOUR_MS};
    if (!expect_mapping(r, value, key->name))
        return;
    read_keys(r, value, registry_keys, &form);
    if (!form.table.len) {
        problem(r, value, "'registry' needs a 'table'");
        return;
    }
    struct weir_table *table = find_table(api, form.table);
    if (!table)
        problem(r, doc_get(value, "table"), "'%.*s' is not one of this API's tables", TEXT_FMT(form.table));
    else if (!table->hash || strcmp(table->hash, "connectionId") != 0 || table->hash_type != WEIR_S || table->range)
        problem(r, doc_get(value, "table"), "a registry's table has the hash key 'connectionId S' and no range key");
    else {
        api->registry = form.registry;
        api->registry.table = table;
    }
}
