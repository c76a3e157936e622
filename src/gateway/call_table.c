/*
 * Tables: the store under a budget.
 *
 * All calls of a tick wait for the one that runs, so a handler may touch 1,000 items or 1 MB; more fails the call (LIMIT) instead of stalling everybody. What
 * is expensive to read is kept as an aggregate. A cold block fails the call silently (ERR_COLD): it is undone and runs again when the block is warm. Cursors are
 * registered in the call and closed when the handler returns, at the latest.
 */
#include "gateway/call.h"

struct weir_cursor {
    struct weir_call *call;
    const struct store_table *table;
    size_t bytes;                /* that it has read */
    struct store_cursor *cursor; /* NULL: at its end */
};

static const struct store_table *table_of(struct weir_call *call, const struct weir_table *table)
{
    if (call->failed)
        return NULL;
    if (!call->view) {
        gw_call_fail(call, ERR_INTERNAL, "INTERNAL", NULL, "a route of the class WEIR_PURE has no tables");
        return NULL;
    }
    const struct store_table *found = gw_table(call->gateway, table);
    if (!found)
        gw_call_fail(call, ERR_INTERNAL, "INTERNAL", NULL, "the table %s is not declared by the application", table->name);
    return found;
}

/* Counts an item against the budget. */
static bool touch(struct weir_call *call, const struct attr *item)
{
    call->touched_items++;
    call->touched_bytes += item ? item_size(item) : 0;
    if (call->touched_items <= WEIR_TOUCH_ITEMS && call->touched_bytes <= WEIR_TOUCH_BYTES)
        return true;
    gw_call_fail(call, ERR_FULL, "LIMIT", NULL, "one message may touch %d items and %d bytes", WEIR_TOUCH_ITEMS, WEIR_TOUCH_BYTES);
    return false;
}

static void wrote(struct weir_call *call, const struct store_table *table)
{
    if (!store_table_decl(table)->volatile_rows)
        call->wrote = true;
}

/* ---- writing ---- */

static bool set_expiry(struct weir_call *call, const struct weir_table *table, struct weir_item *item)
{
    if (!item->expires)
        return true;
    if (!table->ttl) {
        gw_call_fail(call, ERR_INTERNAL, "INTERNAL", NULL, "the table %s has no ttl attribute", table->name);
        return false;
    }
    if (!item_set_i64(&call->arena, item->map, text_of(table->ttl), (weir_now(call) + item->expires_in_ms) / 1000))
        gw_call_no_memory(call);
    return !call->failed;
}

static void put(struct weir_call *call, const struct weir_table *table, struct weir_item *item, unsigned flags)
{
    struct err err = {0};
    size_t before = call->touched_bytes;
    const struct store_table *to = table_of(call, table);
    if (!to || !gw_call_in_tick(call, "weir_put") || !item->map || !set_expiry(call, table, item) || !touch(call, item->map))
        return;
    if (!gw_call_kept(call, store_put(call->view, to, item->map, flags, &call->arena, NULL, &err), &err))
        return;
    wrote(call, to);
    gw_call_used(call, to, 0, gw_write_units(call->touched_bytes - before));
}

void weir_put(struct weir_call *call, const struct weir_table *table, struct weir_item *item)
{
    put(call, table, item, 0);
}

void weir_put_new(struct weir_call *call, const struct weir_table *table, struct weir_item *item)
{
    put(call, table, item, STORE_FRESH);
}

void weir_delete(struct weir_call *call, const struct weir_table *table, const struct weir_item *key)
{
    struct err err = {0};
    const struct store_table *from = table_of(call, table);
    if (!from || !gw_call_in_tick(call, "weir_delete") || !key->map || !touch(call, key->map))
        return;
    int code = store_delete(call->view, from, key->map, 0, &call->arena, NULL, &err);
    gw_call_used(call, from, 0, gw_write_units(0));
    if (code != ERR_NOT_FOUND && gw_call_kept(call, code, &err))
        wrote(call, from);
}

/* ---- reading ---- */

const struct weir_item *weir_get(struct weir_call *call, const struct weir_table *table, const struct weir_item *key)
{
    const struct attr *item = NULL;
    const struct store_table *from = table_of(call, table);
    if (!from || !key->map)
        return NULL;
    int code = store_get(call->view, from, key->map, &call->arena, &item);
    size_t before = call->touched_bytes;
    bool known = code != ERR_NOT_FOUND;
    if (known && !gw_call_kept(call, code, NULL))
        return NULL;
    bool fits = touch(call, known ? item : NULL);
    gw_call_used(call, from, gw_read_units(call->touched_bytes - before, call->tick != NULL), 0);
    return known && fits ? gw_call_item(call, item) : NULL;
}

/* ---- queries ---- */

static const struct attr *value_of(const struct weir_item *item, const struct store_key_part *part)
{
    return item && item->map ? item_get(item->map, part->name) : NULL;
}

static bool translate_hash(struct weir_call *call, const struct weir_query *query, const struct store_key *key, struct store_query *out)
{
    for (size_t i = 0; query->key && i < key->hashes; i++) {
        out->hash[i] = value_of(query->key, &key->part[i]);
        if (out->hash[i])
            continue;
        gw_call_fail(call, ERR_INTERNAL, "INTERNAL", NULL, "a query's key lacks the attribute %.*s", TEXT_FMT(key->part[i].name));
        return false;
    }
    return true;
}

/* Of a key with several range attributes those that the query's key binds come first; a single one is bound by low and high alone. */
static void translate_range(const struct weir_query *query, const struct store_key *key, struct store_query *out)
{
    const struct store_key_part *range = &key->part[key->hashes];
    size_t bound = out->op == STORE_RANGE_ALL ? key->ranges : key->ranges ? key->ranges - 1 : 0;
    while (key->ranges > 1 && out->equals < bound && (out->equal[out->equals] = value_of(query->key, &range[out->equals])))
        out->equals++;
    if (out->op == STORE_RANGE_ALL || out->equals >= key->ranges)
        return;
    out->low = value_of(query->low, &range[out->equals]);
    out->high = value_of(query->high, &range[out->equals]);
}

/* The public query in the store's words. */
static bool translate(struct weir_call *call, const struct weir_query *query, struct store_query *out)
{
    *out = (struct store_query){.table = table_of(call, query->table), .op = (enum store_range_op)query->range, .backward = query->backward, .keys_only = query->keys_only};
    if (!out->table)
        return false;
    if (query->index) {
        out->index = store_index_find(out->table, text_of(query->index));
        if (!out->index) {
            gw_call_fail(call, ERR_INTERNAL, "INTERNAL", NULL, "the table %s has no index %s", query->table->name, query->index);
            return false;
        }
    }
    const struct store_key *key = store_key_of(out->table, out->index);
    if (!translate_hash(call, query, key, out))
        return false;
    translate_range(query, key, out);
    out->after = query->after ? query->after->map : NULL;
    return true;
}

_Static_assert((int)WEIR_ALL == (int)STORE_RANGE_ALL && (int)WEIR_EQ == (int)STORE_RANGE_EQ && (int)WEIR_LT == (int)STORE_RANGE_LT &&
    (int)WEIR_LE == (int)STORE_RANGE_LE && (int)WEIR_GT == (int)STORE_RANGE_GT && (int)WEIR_GE == (int)STORE_RANGE_GE &&
    (int)WEIR_BETWEEN == (int)STORE_RANGE_BETWEEN && (int)WEIR_PREFIX == (int)STORE_RANGE_PREFIX, "the public ranges are the store's");

/* A cursor with a place in the call, or NULL and a failed call. */
static struct weir_cursor *cursor_make(struct weir_call *call)
{
    if (call->cursors == sizeof(call->cursor) / sizeof(call->cursor[0])) {
        gw_call_fail(call, ERR_FULL, "LIMIT", NULL, "a handler may keep %zu queries open", call->cursors);
        return NULL;
    }
    struct weir_cursor *cursor = arena_zalloc(&call->arena, sizeof(*cursor));
    if (!cursor)
        return gw_call_no_memory(call);
    cursor->call = call;
    return cursor;
}

static struct weir_cursor *cursor_opened(struct weir_cursor *cursor, int code, const struct err *err)
{
    struct weir_call *call = cursor->call;
    if (code == ERR_NOT_FOUND)
        return cursor; /* a rank beyond the last: at its end */
    if (!gw_call_kept(call, code, err))
        return NULL;
    call->cursor[call->cursors++] = cursor->cursor;
    return cursor;
}

struct weir_cursor *weir_query(struct weir_call *call, const struct weir_query *query)
{
    struct store_query q;
    struct err err = {0};
    struct weir_cursor *cursor = translate(call, query, &q) ? cursor_make(call) : NULL;
    if (!cursor)
        return NULL;
    cursor->table = q.table;
    gw_call_used(call, q.table, gw_read_units(0, call->tick != NULL), 0);
    return cursor_opened(cursor, store_query_open(call->view, &q, &call->arena, &cursor->cursor, &err), &err);
}

static void cursor_close(struct weir_cursor *cursor)
{
    struct weir_call *call = cursor->call;
    for (size_t i = 0; i < call->cursors; i++)
        if (call->cursor[i] == cursor->cursor)
            call->cursor[i] = call->cursor[--call->cursors];
    store_cursor_close(cursor->cursor);
    cursor->cursor = NULL;
}

/* A page is counted as a whole: 4 KB of small items are one unit. */
static void count_read(struct weir_cursor *cursor, size_t bytes)
{
    bool consistent = cursor->call->tick != NULL;
    double before = gw_read_units(cursor->bytes, consistent);
    cursor->bytes += bytes;
    gw_call_used(cursor->call, cursor->table, gw_read_units(cursor->bytes, consistent) - before, 0);
}

const struct weir_item *weir_next(struct weir_cursor *cursor)
{
    const struct attr *item = NULL;
    if (!cursor || !cursor->cursor || cursor->call->failed)
        return NULL;
    struct weir_call *call = cursor->call;
    int code = store_cursor_next(cursor->cursor, &call->arena, &item);
    if (code == ERR_NOT_FOUND) {
        cursor_close(cursor);
        return NULL;
    }
    size_t before = call->touched_bytes;
    if (!gw_call_kept(call, code, NULL) || !touch(call, item))
        return NULL;
    count_read(cursor, call->touched_bytes - before);
    return gw_call_item(call, item);
}

/* ---- ranks ---- */

uint64_t weir_rank_count(struct weir_call *call, const struct weir_query *query)
{
    struct store_query q;
    uint64_t count = 0;
    if (!translate(call, query, &q) || !touch(call, NULL))
        return 0;
    return gw_call_kept(call, store_rank_count(call->view, q.table, q.index, q.hash, &count), NULL) ? count : 0;
}

bool weir_rank_of(struct weir_call *call, const struct weir_query *query, const struct weir_item *item, uint64_t *rank)
{
    struct store_query q;
    if (!translate(call, query, &q) || !item || !item->map || !touch(call, NULL))
        return false;
    int code = store_rank_of(call->view, q.table, q.index, item->map, q.backward, rank);
    return code != ERR_NOT_FOUND && gw_call_kept(call, code, NULL);
}

struct weir_cursor *weir_rank_seek(struct weir_call *call, const struct weir_query *query, uint64_t rank)
{
    struct store_query q;
    struct err err = {0};
    struct weir_cursor *cursor = translate(call, query, &q) ? cursor_make(call) : NULL;
    if (!cursor)
        return NULL;
    q.equals = 0; /* ranks are among all entries of the hash, whatever else the key holds */
    cursor->table = q.table;
    gw_call_used(call, q.table, gw_read_units(0, call->tick != NULL), 0);
    return cursor_opened(cursor, store_rank_seek(call->view, &q, rank, &call->arena, &cursor->cursor, &err), &err);
}
