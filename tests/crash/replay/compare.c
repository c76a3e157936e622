/*
 * The comparison knows how values are ordered (numbers by value, strings and binaries by their bytes), not how they are encoded. So an error in the encoding of keys
 * shows as a wrong order.
 */
#include "compare.h"

#include "base/text.h"

#include <unistd.h>

struct world {
    struct store_view *view;
    const struct store_table *table;
    const struct store_index *index; /* NULL: the table itself */
    const struct store_key *key, *primary;
    const struct attr **item; /* those with an entry, in its order */
    size_t count;
    bool settled;
    const char *what;
    struct arena arena;
};

static const char *place(const struct world *w)
{
    static char text[600];
    struct text index = w->index ? store_index_decl(w->index)->name : TEXT("the items");
    snprintf(text, sizeof(text), "%s: %.*s, %.*s", w->what, TEXT_FMT(store_table_name(w->table)), TEXT_FMT(index));
    return text;
}

/* ---- the order ---- */

static int compare_values(const struct attr *a, const struct attr *b)
{
    if (a->type != ATTR_NUMBER)
        return text_compare(a->text, b->text);
    char one[64], two[64];
    snprintf(one, sizeof(one), "%.*s", TEXT_FMT(a->text));
    snprintf(two, sizeof(two), "%.*s", TEXT_FMT(b->text));
    double x = strtod(one, NULL), y = strtod(two, NULL); /* the model's numbers are small halves */
    return x < y ? -1 : x > y;
}

static int compare_parts(const struct store_key *key, size_t parts, const struct attr *a, const struct attr *b)
{
    int order = 0;
    for (size_t i = 0; i < parts && !order; i++)
        order = compare_values(item_get(a, key->part[i].name), item_get(b, key->part[i].name));
    return order;
}

static int compare_items(const void *a, const void *b, void *context)
{
    const struct world *w = context;
    const struct attr *one = *(const struct attr *const *)a, *two = *(const struct attr *const *)b;
    int order = compare_parts(w->key, store_key_parts(w->key), one, two);
    return order ? order : compare_parts(w->primary, store_key_parts(w->primary), one, two);
}

static bool has_entry(const struct store_key *key, const struct attr *item)
{
    for (size_t i = 0; i < store_key_parts(key); i++) {
        const struct attr *value = item_get(item, key->part[i].name);
        if (!value || value->type != key->part[i].type)
            return false;
    }
    return true;
}

static void choose(struct world *w, const struct store_index *index, struct expected all)
{
    w->index = index;
    w->key = store_key_of(w->table, index);
    w->primary = store_key_of(w->table, NULL);
    w->item = arena_array(&w->arena, all.count + 1, sizeof(*w->item));
    w->count = 0;
    CHECK(w->item, "memory");
    for (size_t i = 0; i < all.count; i++)
        if (has_entry(w->key, all.item[i]))
            w->item[w->count++] = all.item[i];
    qsort_r(w->item, w->count, sizeof(*w->item), compare_items, w);
}

/* ---- what is seen of an item ---- */

static bool is_seen(const struct world *w, struct text name)
{
    const struct store_index_decl *decl = w->index ? store_index_decl(w->index) : NULL;
    if (!decl || decl->projection == STORE_PROJECT_ALL || store_key_has(w->key, name) || store_key_has(w->primary, name))
        return true;
    for (size_t i = 0; i < decl->includes; i++)
        if (text_equal(decl->include[i], name))
            return true;
    return false;
}

static void expect_item(const struct world *w, const struct attr *got, const struct attr *want)
{
    uint32_t seen = 0;
    for (const struct attr *at = want->first; at; at = at->next) {
        if (!is_seen(w, at->name))
            continue;
        const struct attr *same = item_get(got, at->name);
        CHECK(same && attr_equal(same, at), "%s: attribute %.*s differs", place(w), TEXT_FMT(at->name));
        seen++;
    }
    CHECK(got->count == seen, "%s: %u attributes instead of %u", place(w), got->count, seen);
}

/* The cursor gives item[from], and so on up to item[to - 1], or the other way round; then it ends. */
static void expect_run(struct world *w, struct store_cursor *cursor, size_t from, size_t to, bool backward)
{
    const struct attr *item;
    struct arena_mark mark = arena_mark(&w->arena);
    int rc;
    for (size_t i = 0; i < to - from; i++) {
        rc = store_cursor_next(cursor, &w->arena, &item);
        CHECK(rc == 0, "%s: %s after %zu of %zu", place(w), err_name(rc), i, to - from);
        expect_item(w, item, w->item[backward ? to - 1 - i : from + i]);
        arena_rewind(&w->arena, mark);
    }
    rc = store_cursor_next(cursor, &w->arena, &item);
    CHECK(rc == ERR_NOT_FOUND, "%s: more than %zu entries (%s)", place(w), to - from, err_name(rc));
    store_cursor_close(cursor);
}

/* ---- the ways to read ---- */

/* False: the index is still being filled. */
static bool scan(struct world *w, bool backward)
{
    struct store_query query = {.table = w->table, .index = w->index, .backward = backward};
    struct store_cursor *cursor;
    struct err err = {0};
    int rc = store_query_open(w->view, &query, &w->arena, &cursor, &err);
    if (rc == ERR_AGAIN && !w->settled)
        return false;
    CHECK(rc == 0, "%s: %s", place(w), err.text);
    expect_run(w, cursor, 0, w->count, backward);
    return true;
}

static void hash_of(const struct world *w, size_t at, const struct attr *hash[STORE_INDEX_KEYS_MAX])
{
    for (size_t i = 0; i < w->key->hashes; i++)
        hash[i] = item_get(w->item[at], w->key->part[i].name);
}

/* The entries from..to-1 share their hash: all of them, then those from the middle's first range attribute on. */
static void query_group(struct world *w, size_t from, size_t to, bool backward)
{
    struct store_query query = {.table = w->table, .index = w->index, .backward = backward};
    struct store_cursor *cursor;
    struct err err = {0};
    hash_of(w, from, query.hash);
    CHECK(store_query_open(w->view, &query, &w->arena, &cursor, &err) == 0, "%s: %s", place(w), err.text);
    expect_run(w, cursor, from, to, backward);
    if (!w->key->ranges)
        return;
    struct text name = w->key->part[w->key->hashes].name;
    size_t middle = from + (to - from) / 2;
    query.op = STORE_RANGE_GE;
    query.low = item_get(w->item[middle], name);
    while (middle > from && compare_values(item_get(w->item[middle - 1], name), query.low) == 0)
        middle--;
    CHECK(store_query_open(w->view, &query, &w->arena, &cursor, &err) == 0, "%s: %s", place(w), err.text);
    expect_run(w, cursor, middle, to, backward);
}

static void rank_group(struct world *w, size_t from, size_t to, bool backward)
{
    const struct attr *hash[STORE_INDEX_KEYS_MAX] = {NULL};
    uint64_t count = 0, rank = 0;
    struct err err = {0};
    hash_of(w, from, hash);
    CHECK(store_rank_count(w->view, w->table, w->index, hash, &count) == 0 && count == to - from, "%s: %llu entries counted, %zu there", place(w), (unsigned long long)count,
        to - from);
    for (size_t i = from; i < to; i++) {
        uint64_t wanted = backward ? to - 1 - i : i - from;
        int rc = store_rank_of(w->view, w->table, w->index, w->item[i], backward, &rank);
        CHECK(rc == 0 && rank == wanted, "%s: rank %llu instead of %llu (%s)", place(w), (unsigned long long)rank, (unsigned long long)wanted, err_name(rc));
    }
    struct store_query query = {.table = w->table, .index = w->index, .backward = backward};
    struct store_cursor *cursor;
    memcpy(query.hash, hash, sizeof(hash));
    size_t skip = (to - from) / 3;
    CHECK(store_rank_seek(w->view, &query, skip, &w->arena, &cursor, &err) == 0, "%s: %s", place(w), err.text);
    expect_run(w, cursor, backward ? from : from + skip, backward ? to - skip : to, backward);
}

static void groups(struct world *w)
{
    bool counted = w->index ? store_index_decl(w->index)->counted : store_table_decl(w->table)->counted;
    for (size_t from = 0, to; from < w->count; from = to) {
        for (to = from + 1; to < w->count && compare_parts(w->key, w->key->hashes, w->item[from], w->item[to]) == 0; to++)
            ;
        query_group(w, from, to, (from + to) % 2);
        if (counted && w->settled)
            rank_group(w, from, to, to % 2);
    }
}

static void get_each(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct attr *item;
        struct arena_mark mark = arena_mark(&w->arena);
        int rc = store_get(w->view, w->table, w->item[i], &w->arena, &item);
        CHECK(rc == 0, "%s: item %zu: %s", place(w), i, err_name(rc));
        expect_item(w, item, w->item[i]);
        arena_rewind(&w->arena, mark);
    }
}

/* The number of items is exact at any time, expired ones that are not swept yet included: held against the rows, unless a sweep commits meanwhile. */
static void count_rows(const struct world *w)
{
    struct store_view all = *w->view;
    struct store_query query = {.table = w->table};
    struct store_cursor *cursor;
    struct arena arena;
    const struct attr *item;
    int64_t rows = 0, count = store_table_count(w->table);
    if (store_applied(all.store) != store_snapshot_sequence(all.snapshot))
        return;
    all.now_s = -1;
    arena_init(&arena, 64 << 10, 64 << 20);
    CHECK(store_query_open(&all, &query, &arena, &cursor, NULL) == 0, "%s: the rows cannot be read", w->what);
    while (store_cursor_next(cursor, &arena, &item) == 0)
        rows++;
    store_cursor_close(cursor);
    arena_fini(&arena);
    CHECK(rows == count, "%s: %.*s counts %lld items, there are %lld", w->what, TEXT_FMT(store_table_name(w->table)), (long long)count, (long long)rows);
}

void compare_table(struct store_view *view, const struct store_table *table, struct expected expected, bool settled, const char *what)
{
    const struct store_table_decl *decl = store_table_decl(table);
    struct world w = {.view = view, .table = table, .settled = settled, .what = what};
    /* A snapshot has the number of its last record, and rows of volatile tables make none: whether it was taken before or after the end of a fill cannot be seen. */
    size_t indexes = decl->volatile_rows && !settled ? 0 : decl->indexes;
    arena_init(&w.arena, 64 << 10, 256 << 20);
    for (size_t i = 0; i <= indexes; i++) {
        choose(&w, i ? store_index_find(table, decl->index[i - 1].name) : NULL, expected);
        if (scan(&w, false) && scan(&w, true))
            groups(&w);
        if (!i)
            get_each(&w);
        arena_reset(&w.arena);
    }
    count_rows(&w);
    if (settled)
        CHECK(store_table_count(table) == (int64_t)expected.count, "%s: %.*s counts %lld items, there are %zu", what, TEXT_FMT(store_table_name(table)),
            (long long)store_table_count(table), expected.count);
    arena_fini(&w.arena);
}

struct expected model_items(struct arena *arena, const struct model *model, enum table_name table, int64_t now_s)
{
    struct expected all = {.item = arena_array(arena, SLOTS, sizeof(*all.item))};
    CHECK(all.item, "memory");
    for (int i = 0; i < SLOTS; i++) {
        const struct slot *slot = &model->table[table].slot[i];
        if (model_visible(&model->table[table], slot, now_s))
            all.item[all.count++] = item_of_slot(arena, table, i, slot);
    }
    return all;
}
