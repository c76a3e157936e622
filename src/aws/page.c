/*
 * A page of a Query or Scan, written into the answer as it is read: one item at a time is in memory, whatever the page holds.
 *
 * On the io thread a page may take IO_ITEMS or IO_BYTES; a longer one moves to a worker and begins again there. A parallel scan's segments are the hash of
 * the hash key modulo their number: stable whatever is written meanwhile; each segment reads past the items of the others, and gives up a page without a
 * find after SKIP_ITEMS of them, with the place to go on from.
 */
#include "aws/page.h"

#define IO_ITEMS 128
#define IO_BYTES (64u << 10)
#define SKIP_ITEMS 50000

struct walk {
    struct aws_call *call;
    struct ddb_page *page;
    struct store_view *view;
    bool is_local, fetches, counts; /* fetches: the whole item behind a local index's entry */
    int64_t count, scanned, skipped;
    size_t bytes;
};

/* ---- what an index allows ---- */

static bool index_has(const struct ddb_page *page, struct text name)
{
    const struct store_index_decl *index = store_index_decl(page->index);
    if (index->projection == STORE_PROJECT_ALL || store_key_has(store_key_of(page->table, NULL), name) || store_key_has(&index->key, name))
        return true;
    for (size_t i = 0; i < index->includes; i++)
        if (text_equal(index->include[i], name))
            return true;
    return false;
}

/* The first attribute that the request reads and the index does not hold; empty when there is none. */
static struct text index_lacks(const struct ddb_page *page)
{
    struct text name;
    for (size_t i = 0; page->projection && (name = expr_projection_name(page->projection, i)).len; i++)
        if (!index_has(page, name))
            return name;
    for (size_t i = 0; page->filter && (name = expr_condition_name(page->filter, i)).len; i++)
        if (!index_has(page, name))
            return name;
    return TEXT_NONE;
}

static int check_index(struct walk *walk)
{
    struct ddb_page *page = walk->page;
    const struct store_index_decl *index = store_index_decl(page->index);
    struct ddb_meta *meta = arena_alloc(walk->call->arena, sizeof(*meta));
    if (!meta)
        return aws_no_memory(walk->call);
    int code = ddb_meta_get(walk->view, walk->call->arena, store_table_name(page->table), meta);
    if (code)
        return aws_store_fail(walk->call, code, NULL);
    walk->is_local = ddb_meta_is_local(meta, index->name);
    struct text lacking = index_lacks(page);
    bool all = page->select == DDB_SELECT_ALL && index->projection != STORE_PROJECT_ALL;
    if (walk->is_local) {
        walk->fetches = all || lacking.len;
        return 0;
    }
    if (page->consistent)
        return aws_fail(walk->call, AWS_VALIDATION, "Consistent reads are not supported on global secondary indexes");
    if (all)
        return aws_fail(walk->call, AWS_VALIDATION,
            "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index %.*s because its projection type is not ALL",
            TEXT_FMT(index->name));
    if (lacking.len)
        return aws_fail(walk->call, AWS_VALIDATION, "One or more parameter values were invalid: Global secondary index %.*s does not project [%.*s]",
            TEXT_FMT(index->name), TEXT_FMT(lacking));
    return 0;
}

/* ---- segments ---- */

static bool in_segment(const struct ddb_page *page, const struct attr *item)
{
    const struct attr *hash = item_get(item, store_table_decl(page->table)->hash);
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    if (!page->segments || !hash)
        return true;
    for (size_t i = 0; i < hash->text.len; i++)
        h = (h ^ (unsigned char)hash->text.data[i]) * UINT64_C(0x100000001b3);
    h ^= h >> 32; /* the low bits of FNV alone are poor */
    return (int64_t)(h % (uint64_t)page->segments) == page->segment;
}

/* ---- one item ---- */

static int whole_item(struct walk *walk, const struct attr **item)
{
    int code = store_get(walk->view, walk->page->table, *item, walk->call->arena, item);
    return code && code != ERR_NOT_FOUND ? aws_store_fail(walk->call, code, NULL) : 0;
}

static int take_item(struct walk *walk, const struct attr *item)
{
    struct ddb_page *page = walk->page;
    const struct attr *shown;
    walk->scanned++;
    walk->bytes += item_size(item);
    int code = walk->fetches ? whole_item(walk, &item) : 0;
    if (code)
        return code;
    if (page->filter && !expr_condition_eval(page->filter, item))
        return 0;
    walk->count++;
    if (walk->counts)
        return 0;
    if (expr_projection_apply(page->projection, item, walk->call->arena, &shown))
        return aws_no_memory(walk->call);
    item_to_wire(&walk->call->w, shown);
    return 0;
}

/* The attributes of a key but for those of `but` (may be NULL). */
static void write_key(struct json_writer *w, const struct attr *item, const struct store_key *key, const struct store_key *but)
{
    for (size_t i = 0; i < store_key_parts(key); i++) {
        const struct attr *value = item_get(item, key->part[i].name);
        if (!value || (but && store_key_has(but, key->part[i].name)))
            continue;
        json_name_text(w, key->part[i].name);
        attr_to_wire(w, value);
    }
}

static void write_last_key(struct walk *walk, const struct attr *item)
{
    struct json_writer *w = &walk->call->w;
    const struct store_key *table = store_key_of(walk->page->table, NULL);
    json_name(w, "LastEvaluatedKey");
    json_begin_object(w);
    write_key(w, item, table, NULL);
    if (walk->page->index)
        write_key(w, item, &store_index_decl(walk->page->index)->key, table);
    json_end_object(w);
}

static bool is_full(const struct walk *walk)
{
    return (walk->page->limit && walk->scanned >= walk->page->limit) || walk->bytes >= DDB_PAGE_BYTES || walk->skipped >= SKIP_ITEMS;
}

static bool is_too_long(const struct walk *walk)
{
    return walk->view->cache_only && (walk->scanned > IO_ITEMS || walk->bytes > IO_BYTES);
}

/* ---- the page ---- */

static void write_capacity(struct walk *walk)
{
    struct ddb_page *page = walk->page;
    struct ddb_capacity capacity = {.table = page->table};
    bool local[STORE_INDEXES_MAX] = {false};
    double units = ddb_read_units(walk->bytes, page->consistent);
    enum ddb_return_capacity wanted = ddb_return_capacity(walk->call);
    aws_used(walk->call, page->table, units, 0);
    walk->call->returned = (int64_t)walk->count;
    if (!wanted)
        return;
    if (!page->index)
        capacity.reads = units;
    for (size_t i = 0; page->index && i < store_table_decl(page->table)->indexes; i++)
        if (text_equal(store_table_decl(page->table)->index[i].name, store_index_decl(page->index)->name)) {
            capacity.index[i] = units;
            local[i] = walk->is_local;
        }
    json_name(&walk->call->w, "ConsumedCapacity");
    ddb_capacity_json(walk->call, &capacity, wanted == DDB_CAPACITY_INDEXES, false, local);
}

/* Reads until the page is full; `item` is then the last one examined, NULL when the end was reached. */
static int read_items(struct walk *walk, struct store_cursor *cursor, const struct attr **last)
{
    struct arena *arena = walk->call->arena;
    struct arena_mark mark = arena_mark(arena);
    const struct attr *item;
    *last = NULL;
    for (;;) {
        arena_rewind(arena, mark);
        int code = store_cursor_next(cursor, arena, &item);
        if (code == ERR_NOT_FOUND)
            return 0;
        if (code)
            return aws_store_fail(walk->call, code, NULL);
        if (in_segment(walk->page, item))
            code = take_item(walk, item);
        else
            walk->skipped++;
        if (code)
            return code;
        if (is_too_long(walk))
            return ERR_COLD;
        if (is_full(walk)) {
            *last = item;
            return 0;
        }
    }
}

static int open_cursor(struct walk *walk, struct store_cursor **cursor)
{
    struct ddb_page *page = walk->page;
    struct err err = {0};
    struct store_query query = {.table = page->table, .index = page->index, .backward = page->backward, .after = page->after};
    if (page->is_query) {
        memcpy(query.hash, page->range.hash, sizeof(query.hash));
        memcpy(query.equal, page->range.equal, sizeof(query.equal));
        query.equals = page->range.equals;
        query.op = page->range.op;
        query.low = page->range.low;
        query.high = page->range.high;
    }
    int code = store_query_open(walk->view, &query, walk->call->arena, cursor, &err);
    if (code == ERR_AGAIN)
        return aws_fail(walk->call, AWS_VALIDATION, "Cannot read from backfilling global secondary index: %.*s", TEXT_FMT(store_index_decl(page->index)->name));
    return code ? aws_store_fail(walk->call, code, &err) : 0;
}

/* One range after the other until the page is full. While one is read, the page's range and start are its own. */
static int read_ranges(struct walk *walk, const struct attr **last)
{
    struct ddb_page *page = walk->page;
    const struct attr *after = page->after;
    struct store_cursor *cursor;
    size_t at = page->first;
    int code;
    do {
        if (page->ranges)
            page->range = page->each[at];
        page->after = at == page->first ? after : NULL;
        code = open_cursor(walk, &cursor);
        if (code)
            break;
        code = read_items(walk, cursor, last);
        store_cursor_close(cursor);
    } while (!code && !*last && ++at < page->ranges);
    page->after = after;
    return code;
}

static void write_counts(struct walk *walk, const struct attr *last)
{
    json_name(&walk->call->w, "Count");
    json_i64(&walk->call->w, walk->count);
    json_name(&walk->call->w, "ScannedCount");
    json_i64(&walk->call->w, walk->scanned);
    if (last)
        write_last_key(walk, last);
}

int ddb_page_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)tick;
    return ddb_page_run(call, view, call->state);
}

int ddb_page_run(struct aws_call *call, struct store_view *view, struct ddb_page *page)
{
    struct json_writer *w = &call->w;
    struct walk walk = {.call = call, .page = page, .view = view};
    const struct attr *last = NULL;
    walk.counts = page->select == DDB_SELECT_COUNT;
    int code = page->index ? check_index(&walk) : 0;
    if (code)
        return code;
    json_begin_object(w);
    if (!walk.counts) {
        json_name(w, "Items");
        json_begin_array(w);
    }
    code = read_ranges(&walk, &last);
    if (code)
        return code;
    if (!walk.counts)
        json_end_array(w);
    if (!page->more)
        write_counts(&walk, last);
    else if (last)
        code = page->more(call, page, last);
    if (code)
        return code;
    write_capacity(&walk);
    json_end_object(w);
    return 0;
}
