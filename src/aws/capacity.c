/*
 * What operations would cost on AWS: nothing is limited by it, but programs read it, and tests assert on it. A read unit is 4 KB (half of it when eventually
 * consistent), a write unit 1 KB of the larger of old and new item; an index write costs apart, by what the index projects, and nothing
 * when nothing of that changed.
 */
#include "aws/ddb.h"

#define READ_UNIT 4096
#define WRITE_UNIT 1024

double ddb_read_units(size_t bytes, bool consistent)
{
    size_t units = bytes ? (bytes + READ_UNIT - 1) / READ_UNIT : 1;
    return consistent ? (double)units : (double)units / 2;
}

double ddb_write_units(size_t bytes)
{
    return bytes ? (double)((bytes + WRITE_UNIT - 1) / WRITE_UNIT) : 1;
}

enum ddb_return_capacity ddb_return_capacity(const struct aws_call *call)
{
    struct text given = aws_param_text(call->in, "ReturnConsumedCapacity");
    return text_is(given, "TOTAL") ? DDB_CAPACITY_TOTAL : text_is(given, "INDEXES") ? DDB_CAPACITY_INDEXES : DDB_CAPACITY_NONE;
}

static bool projects(const struct store_table *table, const struct store_index_decl *index, struct text name)
{
    if (index->projection == STORE_PROJECT_ALL || store_key_has(store_key_of(table, NULL), name) || store_key_has(&index->key, name))
        return true;
    for (size_t i = 0; i < index->includes; i++)
        if (text_equal(index->include[i], name))
            return true;
    return false;
}

static size_t member_size(const struct attr *member)
{
    struct attr alone = *member, map = {.type = ATTR_MAP, .count = 1, .first = &alone, .last = &alone};
    alone.next = NULL;
    return item_size(&map);
}

size_t ddb_projected_size(const struct store_table *table, const struct store_index_decl *index, const struct attr *item)
{
    size_t size = 0;
    if (index->projection == STORE_PROJECT_ALL)
        return item_size(item);
    for (const struct attr *at = item->first; at; at = at->next)
        if (projects(table, index, at->name))
            size += member_size(at);
    return size;
}

bool ddb_has_entry(const struct store_index_decl *index, const struct attr *item)
{
    for (size_t i = 0; i < store_key_parts(&index->key); i++)
        if (!item || !item_get(item, index->key.part[i].name))
            return false;
    return true;
}

static bool same_member(const struct attr *a, const struct attr *b, struct text name)
{
    const struct attr *x = item_get(a, name), *y = item_get(b, name);
    return x == y || (x && y && attr_equal(x, y));
}

static bool same_entry_key(const struct store_index_decl *index, const struct attr *before, const struct attr *after)
{
    for (size_t i = 0; i < store_key_parts(&index->key); i++)
        if (!same_member(before, after, index->key.part[i].name))
            return false;
    return true;
}

static bool same_projection(const struct store_table *table, const struct store_index_decl *index, const struct attr *before, const struct attr *after)
{
    for (const struct attr *at = before->first; at; at = at->next)
        if (projects(table, index, at->name) && !same_member(before, after, at->name))
            return false;
    for (const struct attr *at = after->first; at; at = at->next)
        if (projects(table, index, at->name) && !item_get(before, at->name))
            return false;
    return true;
}

static double index_units(const struct store_table *table, const struct store_index_decl *index, const struct attr *before, const struct attr *after)
{
    bool had = ddb_has_entry(index, before), has = ddb_has_entry(index, after);
    size_t old = had ? ddb_projected_size(table, index, before) : 0, new = has ? ddb_projected_size(table, index, after) : 0;
    if (!had && !has)
        return 0;
    if (!had || !has)
        return ddb_write_units(had ? old : new);
    if (!same_entry_key(index, before, after))
        return ddb_write_units(old) + ddb_write_units(new);
    return same_projection(table, index, before, after) ? 0 : ddb_write_units(old > new ? old : new);
}

void ddb_capacity_write(struct ddb_capacity *capacity, const struct attr *before, const struct attr *after, double factor)
{
    const struct store_table_decl *decl = store_table_decl(capacity->table);
    size_t old = before ? item_size(before) : 0, new = after ? item_size(after) : 0;
    capacity->writes += factor * ddb_write_units(old > new ? old : new);
    for (size_t i = 0; i < decl->indexes; i++)
        capacity->index[i] += factor * index_units(capacity->table, &decl->index[i], before, after);
}

static void write_units(struct json_writer *w, const char *name, double units)
{
    json_name(w, name);
    json_double(w, units);
}

static void write_indexes(struct aws_call *call, const struct ddb_capacity *capacity, const char *name, bool want, const bool *local)
{
    const struct store_table_decl *decl = store_table_decl(capacity->table);
    bool any = false;
    for (size_t i = 0; i < decl->indexes; i++) {
        if (capacity->index[i] == 0 || local[i] != want)
            continue;
        if (!any) {
            json_name(&call->w, name);
            json_begin_object(&call->w);
        }
        any = true;
        json_name_text(&call->w, decl->index[i].name);
        json_begin_object(&call->w);
        write_units(&call->w, "CapacityUnits", capacity->index[i]);
        json_end_object(&call->w);
    }
    if (any)
        json_end_object(&call->w);
}

void ddb_capacity_json(struct aws_call *call, const struct ddb_capacity *capacity, bool indexes, bool is_transaction, const bool *local)
{
    struct json_writer *w = &call->w;
    double table = capacity->reads + capacity->writes, all = table;
    for (size_t i = 0; i < store_table_decl(capacity->table)->indexes; i++)
        all += capacity->index[i];
    json_begin_object(w);
    json_name(w, "TableName");
    json_text(w, store_table_name(capacity->table));
    write_units(w, "CapacityUnits", all);
    if (is_transaction)
        write_units(w, capacity->writes > 0 ? "WriteCapacityUnits" : "ReadCapacityUnits", all);
    if (indexes) {
        json_name(w, "Table");
        json_begin_object(w);
        write_units(w, "CapacityUnits", table);
        if (is_transaction)
            write_units(w, capacity->writes > 0 ? "WriteCapacityUnits" : "ReadCapacityUnits", table);
        json_end_object(w);
        write_indexes(call, capacity, "LocalSecondaryIndexes", true, local);
        write_indexes(call, capacity, "GlobalSecondaryIndexes", false, local);
    }
    json_end_object(w);
}

/* There is no limit on a collection here, so its size is not counted: the estimate is the smallest that AWS answers. */
void ddb_collection_json(struct aws_call *call, const struct store_table *table, const struct attr *key)
{
    struct json_writer *w = &call->w;
    struct text hash = store_table_decl(table)->hash;
    json_begin_object(w);
    json_name(w, "ItemCollectionKey");
    json_begin_object(w);
    json_name_text(w, hash);
    attr_to_wire(w, item_get(key, hash));
    json_end_object(w);
    json_name(w, "SizeEstimateRangeGB");
    json_begin_array(w);
    json_i64(w, 0);
    json_i64(w, 1);
    json_end_array(w);
    json_end_object(w);
}
