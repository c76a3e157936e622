/*
 * Indexes whose keys have several attributes: random items beside a model in plain arrays. Values are numbered in their order, so the model compares numbers
 * where the store compares bytes; strings and binaries that are prefixes of each other, and such with zeros, are among them.
 */
#include "store/fixture.h"
#include "store/internal.h"

#define SLOTS 120
#define HASHES 3
#define RANGES 4
#define PARTS (HASHES + RANGES)
#define VALUES 4
#define ABSENT (-1)

struct value {
    enum attr_type type;
    struct text text[VALUES]; /* ascending */
};
static const struct value values[PARTS] = {
    {ATTR_STRING, {{"a", 1}, {"a\0", 2}, {"ab", 2}, {"b", 1}}},
    {ATTR_NUMBER, {{"-7", 2}, {"0", 1}, {"0.5", 3}, {"12", 2}}},
    {ATTR_BINARY, {{"\0", 1}, {"\0\0", 2}, {"\0\xFF", 2}, {"\xFF", 1}}},
    {ATTR_STRING, {{"final", 5}, {"group", 5}, {"group\0a", 7}, {"groups", 6}}},
    {ATTR_NUMBER, {{"-100", 4}, {"-1", 2}, {"3", 1}, {"30", 2}}},
    {ATTR_BINARY, {{"\x01", 1}, {"\x01\x01", 2}, {"\x01\xFF", 2}, {"\x02", 1}}},
    {ATTR_STRING, {{"x", 1}, {"x\x01", 2}, {"y", 1}, {"z", 1}}},
};
static const struct text names[PARTS] = {TEXT("h0"), TEXT("h1"), TEXT("h2"), TEXT("r0"), TEXT("r1"), TEXT("r2"), TEXT("r3")};

struct slot {
    bool present;
    int value[PARTS];
};
struct world {
    struct fixture f;
    const struct store_table *table;
    const struct store_index *index;
    struct slot slot[SLOTS];
    uint64_t seed;
};

static uint64_t roll(struct world *w, uint64_t below)
{
    return random_next(&w->seed) % below;
}

/* ---- the table ---- */

static struct store_table_decl bare(void)
{
    return (struct store_table_decl){.name = TEXT("matches"), .hash = TEXT("id"), .hash_type = ATTR_STRING, .changes = true};
}

static struct store_table_decl indexed(void)
{
    struct store_table_decl d = bare();
    struct store_index_decl *index = &d.index[d.indexes++];
    *index = (struct store_index_decl){.name = TEXT("Bracket"), .key = {.hashes = HASHES, .ranges = RANGES}, .counted = true};
    for (int i = 0; i < PARTS; i++)
        index->key.part[i] = (struct store_key_part){names[i], values[i].type};
    return d;
}

static void attach(struct world *w, const struct store_table_decl *decl)
{
    struct err err = {0};
    if (store_table_define(w->f.stage, decl, &w->table, &err))
        fail_msg("define: %s", err.text);
    w->index = store_index_find(w->table, TEXT("Bracket"));
}

static void restart(struct world *w, const struct store_table_decl *decl)
{
    fixture_commit(&w->f);
    assert_int_equal(store_flush(w->f.store, true, NULL), 0);
    fixture_detach(&w->f);
    fixture_attach(&w->f);
    attach(w, decl);
}

static int opened(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    w->seed = 20251119;
    fixture_open(&w->f);
    *state = w;
    return 0;
}

static int closed(void **state)
{
    struct world *w = *state;
    fixture_close(&w->f);
    free(w);
    return 0;
}

static struct attr *attr_of(struct world *w, int part, int value)
{
    struct attr *attr = arena_zalloc(&w->f.arena, sizeof(*attr));
    *attr = (struct attr){.type = values[part].type, .text = values[part].text[value]};
    return attr;
}

static struct attr *item_of(struct world *w, int i)
{
    struct attr *item = item_create(&w->f.arena);
    item_set_string(&w->f.arena, item, TEXT("id"), arena_format(&w->f.arena, "m%03d", i));
    for (int part = 0; w->slot[i].present && part < PARTS; part++)
        if (w->slot[i].value[part] != ABSENT)
            item_set_string(&w->f.arena, item, names[part], values[part].text[w->slot[i].value[part]])->type = values[part].type;
    return item;
}

/* Puts, changes or deletes one: mostly of two hash tuples, so that they hold many entries. */
static void step(struct world *w)
{
    int i = (int)roll(w, SLOTS);
    struct slot *slot = &w->slot[i];
    if (!roll(w, 6)) {
        assert_int_equal(store_delete(&w->f.view, w->table, item_of(w, i), 0, &w->f.arena, NULL, NULL), 0);
        slot->present = false;
        return;
    }
    for (int part = 0; part < PARTS; part++)
        if (!slot->present || roll(w, 2))
            slot->value[part] = roll(w, 40) ? (int)roll(w, part < HASHES ? part == 0 ? 2 : 1 : VALUES) : ABSENT;
    slot->present = true;
    assert_int_equal(store_put(&w->f.view, w->table, item_of(w, i), 0, &w->f.arena, NULL, NULL), 0);
}

/* ---- the model ---- */

struct question {
    int hash[HASHES], equal[RANGES], equals;
    enum store_range_op op;
    int low, high;
};

static struct question ask(struct world *w)
{
    struct question q = {.equals = (int)roll(w, RANGES + 1)};
    for (int i = 0; i < HASHES; i++)
        q.hash[i] = (int)roll(w, i == 0 ? 3 : 1 + !roll(w, 8));
    for (int i = 0; i < q.equals; i++)
        q.equal[i] = (int)roll(w, VALUES);
    q.op = q.equals == RANGES ? STORE_RANGE_ALL : (enum store_range_op)roll(w, STORE_RANGE_PREFIX + 1);
    if (q.op == STORE_RANGE_PREFIX && values[HASHES + q.equals].type == ATTR_NUMBER)
        q.op = STORE_RANGE_GE;
    q.low = (int)roll(w, VALUES);
    q.high = (int)roll(w, VALUES);
    return q;
}

static bool op_holds(const struct question *q, int part, int value)
{
    switch (q->op) {
    case STORE_RANGE_EQ:
        return value == q->low;
    case STORE_RANGE_LT:
        return value < q->low;
    case STORE_RANGE_LE:
        return value <= q->low;
    case STORE_RANGE_GT:
        return value > q->low;
    case STORE_RANGE_GE:
        return value >= q->low;
    case STORE_RANGE_BETWEEN:
        return value >= q->low && value <= q->high;
    case STORE_RANGE_PREFIX:
        return text_starts(values[part].text[value], values[part].text[q->low]);
    default:
        return true;
    }
}

static bool has_entry(const struct slot *slot)
{
    for (int i = 0; i < PARTS; i++)
        if (!slot->present || slot->value[i] == ABSENT)
            return false;
    return true;
}

static bool holds(const struct question *q, const struct slot *slot)
{
    if (!has_entry(slot))
        return false;
    for (int i = 0; i < HASHES; i++)
        if (slot->value[i] != q->hash[i])
            return false;
    for (int i = 0; i < q->equals; i++)
        if (slot->value[HASHES + i] != q->equal[i])
            return false;
    int part = HASHES + q->equals;
    return part == PARTS || op_holds(q, part, slot->value[part]);
}

static const struct slot *sorting;
static int by_ranges(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    for (int i = HASHES; i < PARTS; i++)
        if (sorting[x].value[i] != sorting[y].value[i])
            return sorting[x].value[i] - sorting[y].value[i];
    return x - y;
}

static int expected(const struct world *w, const struct question *q, bool backward, int *list)
{
    int n = 0;
    for (int i = 0; i < SLOTS; i++)
        if (holds(q, &w->slot[i]))
            list[n++] = i;
    sorting = w->slot;
    qsort(list, (size_t)n, sizeof(int), by_ranges);
    for (int i = 0; backward && i < n / 2; i++) {
        int swap = list[i];
        list[i] = list[n - 1 - i];
        list[n - 1 - i] = swap;
    }
    return n;
}

/* ---- questions ---- */

static struct store_query query_of(struct world *w, const struct question *q)
{
    struct store_query query = {.table = w->table, .index = w->index, .op = q->op, .equals = (size_t)q->equals};
    for (int i = 0; i < HASHES; i++)
        query.hash[i] = attr_of(w, i, q->hash[i]);
    for (int i = 0; i < q->equals; i++)
        query.equal[i] = attr_of(w, HASHES + i, q->equal[i]);
    if (q->op != STORE_RANGE_ALL) {
        query.low = attr_of(w, HASHES + q->equals, q->low);
        query.high = attr_of(w, HASHES + q->equals, q->high);
    }
    return query;
}

/* Pages of `page` items, each from the last one's keys on. */
static void expect_pages(struct world *w, struct store_view *view, struct store_query query, const int *list, int n, int page)
{
    int at = 0;
    for (;;) {
        struct store_cursor *cursor;
        const struct attr *item = NULL, *last = NULL;
        struct err err = {0};
        int got = 0, rc = store_query_open(view, &query, &w->f.arena, &cursor, &err);
        if (rc)
            fail_msg("query: %s", err.text);
        while (got < page && !(rc = store_cursor_next(cursor, &w->f.arena, &item))) {
            assert_true(at < n);
            const struct attr *whole = item_of(w, list[at]);
            assert_true(attr_equal(item, whole));
            last = item;
            at++;
            got++;
        }
        store_cursor_close(cursor);
        if (rc) {
            assert_int_equal(rc, ERR_NOT_FOUND);
            break;
        }
        query.after = last;
    }
    assert_int_equal(at, n);
}

static void check_ranks(struct world *w, const struct question *q)
{
    struct question all = {.hash = {q->hash[0], q->hash[1], q->hash[2]}, .op = STORE_RANGE_ALL};
    struct store_query query = query_of(w, &all);
    int list[SLOTS], n = expected(w, &all, false, list);
    uint64_t count, rank;
    assert_int_equal(store_rank_count(&w->f.view, w->table, w->index, query.hash, &count), 0);
    assert_int_equal(count, n);
    if (!n)
        return;
    int at = (int)roll(w, (uint64_t)n);
    assert_int_equal(store_rank_of(&w->f.view, w->table, w->index, item_of(w, list[at]), false, &rank), 0);
    assert_int_equal(rank, at);
    struct store_cursor *cursor;
    const struct attr *item;
    assert_int_equal(store_rank_seek(&w->f.view, &query, (uint64_t)at, &w->f.arena, &cursor, NULL), 0);
    assert_int_equal(store_cursor_next(cursor, &w->f.arena, &item), 0);
    assert_true(attr_equal(item, item_of(w, list[at])));
    store_cursor_close(cursor);
}

static void check(struct world *w, struct store_view *view)
{
    struct question q = ask(w);
    struct store_query query = query_of(w, &q);
    int list[SLOTS], n;
    query.backward = roll(w, 2);
    n = expected(w, &q, query.backward, list);
    expect_pages(w, view, query, list, n, 1 + (int)roll(w, 9));
    check_ranks(w, &q);
    arena_reset(&w->f.arena);
}

/* A walk over the whole index: every entry, however it is hashed. */
static void check_scan(struct world *w)
{
    struct store_query query = {.table = w->table, .index = w->index, .keys_only = true};
    struct store_cursor *cursor;
    const struct attr *item;
    int entries = 0, got = 0;
    for (int i = 0; i < SLOTS; i++)
        entries += has_entry(&w->slot[i]);
    assert_int_equal(store_query_open(&w->f.view, &query, &w->f.arena, &cursor, NULL), 0);
    while (!store_cursor_next(cursor, &w->f.arena, &item)) {
        int i = atoi(item_get(item, TEXT("id"))->text.data + 1);
        assert_int_equal(item->count, PARTS + 1);
        assert_true(attr_equal(item, item_of(w, i)));
        got++;
    }
    store_cursor_close(cursor);
    assert_int_equal(got, entries);
    arena_reset(&w->f.arena);
}

/* ---- tests ---- */

static void test_model(void **state)
{
    struct world *w = *state;
    struct store_table_decl decl = indexed();
    attach(w, &decl);
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 25; i++) {
            struct store_save save = store_stage_save(w->f.stage);
            struct slot before[SLOTS];
            memcpy(before, w->slot, sizeof(before));
            step(w);
            if (!roll(w, 8)) {
                store_stage_rollback(w->f.stage, save);
                memcpy(w->slot, before, sizeof(before));
            }
        }
        for (int i = 0; i < 15; i++)
            check(w, &w->f.view);
        check_scan(w);
        if (round % 3 == 0)
            fixture_commit(&w->f);
        if (round % 20 == 19) {
            verify_clean(w->f.store);
            restart(w, &decl);
        }
    }
    fixture_commit(&w->f);
    struct store_view reader = {.store = w->f.store, .snapshot = store_snapshot_acquire(w->f.store, 0), .now_s = w->f.view.now_s};
    for (int i = 0; i < 100; i++)
        check(w, &reader);
    store_snapshot_release(w->f.store, 0);
    verify_clean(w->f.store);
}

/* The index comes when the items are there, and is filled while they change. */
static void test_backfill(void **state)
{
    struct world *w = *state;
    struct store_table_decl without = bare(), with = indexed();
    attach(w, &without);
    for (int i = 0; i < 400; i++)
        step(w);
    fixture_commit(&w->f);
    attach(w, &with);
    fixture_commit(&w->f);
    assert_false(store_index_ready(w->index));
    struct question q = {.op = STORE_RANGE_ALL};
    struct store_query query = query_of(w, &q);
    struct store_cursor *cursor;
    assert_int_equal(store_query_open(&w->f.view, &query, &w->f.arena, &cursor, NULL), ERR_AGAIN);
    for (int slice = 0; store_backfill(&w->f.view, 7, &w->f.arena) > 0; slice++) {
        for (int i = 0; i < 5; i++)
            step(w);
        fixture_commit(&w->f);
        verify_clean(w->f.store);
        if (slice == 5)
            restart(w, &with);
    }
    fixture_commit(&w->f);
    assert_true(store_index_ready(w->index));
    for (int i = 0; i < 200; i++)
        check(w, &w->f.view);
    check_scan(w);
    verify_clean(w->f.store);
}

static int put(struct world *w, const struct attr *item, struct err *err)
{
    return store_put(&w->f.view, w->table, item, 0, &w->f.arena, NULL, err);
}

static void test_items_are_checked(void **state)
{
    struct world *w = *state;
    struct store_table_decl decl = indexed();
    struct err err = {0};
    static char large[2049];
    memset(large, 'k', sizeof(large));
    attach(w, &decl);
    w->slot[0] = (struct slot){.present = true};
    struct attr *item = item_of(w, 0);
    item_set_i64(&w->f.arena, item, TEXT("r3"), 4);
    assert_int_equal(put(w, item, &err), ERR_TYPE);
    assert_non_null(strstr(err.text, "Type mismatch for Index Key r3 IndexName: Bracket"));
    item_set_string(&w->f.arena, item, TEXT("r3"), TEXT(""));
    assert_int_equal(put(w, item, &err), ERR_INVALID);
    item_set_string(&w->f.arena, item, TEXT("r3"), text_make(large, 1024 - 5 - 1)); /* with "final" and one byte of r2 */
    assert_int_equal(put(w, item, &err), 0);
    item_set_string(&w->f.arena, item, TEXT("r3"), text_make(large, 1024 - 5));
    assert_int_equal(put(w, item, &err), ERR_TOO_LARGE);
    item_set_string(&w->f.arena, item, TEXT("r3"), TEXT("x"));
    item_set_string(&w->f.arena, item, TEXT("h0"), text_make(large, 2048 - 1));
    assert_int_equal(put(w, item, &err), 0);
    item_set_string(&w->f.arena, item, TEXT("h0"), text_make(large, 2048));
    assert_int_equal(put(w, item, &err), ERR_TOO_LARGE);
    fixture_commit(&w->f);
    verify_clean(w->f.store);
}

static void test_questions_are_checked(void **state)
{
    struct world *w = *state;
    struct store_table_decl decl = indexed();
    struct store_cursor *cursor;
    struct err err = {0};
    attach(w, &decl);
    struct question q = {.op = STORE_RANGE_ALL};
    struct store_query query = query_of(w, &q);
    query.hash[2] = NULL;
    assert_int_equal(store_query_open(&w->f.view, &query, &w->f.arena, &cursor, &err), ERR_TYPE); /* a hash attribute is missing */
    query = query_of(w, &(struct question){.equals = RANGES, .op = STORE_RANGE_ALL});
    query.op = STORE_RANGE_EQ;
    query.low = query.equal[0];
    assert_int_equal(store_query_open(&w->f.view, &query, &w->f.arena, &cursor, &err), ERR_INVALID); /* more than the key has */
    query = query_of(w, &(struct question){.equals = 1, .op = STORE_RANGE_ALL});
    query.hash[0] = NULL;
    assert_int_equal(store_query_open(&w->f.view, &query, &w->f.arena, &cursor, &err), ERR_INVALID); /* of a scan */
    query = query_of(w, &(struct question){.equals = 1, .op = STORE_RANGE_EQ});
    query.low = query.equal[0];
    assert_int_equal(store_query_open(&w->f.view, &query, &w->f.arena, &cursor, &err), ERR_TYPE); /* r1 is a number */
    query.op = STORE_RANGE_PREFIX;
    query.low = attr_of(w, 4, 0);
    assert_int_equal(store_query_open(&w->f.view, &query, &w->f.arena, &cursor, &err), ERR_TYPE);
    static char large[2049];
    struct attr half = {.type = ATTR_STRING, .text = text_make(large, 2048)}, tail = {.type = ATTR_BINARY, .text = text_make(large, 1020)};
    memset(large, 'k', sizeof(large));
    query = query_of(w, &q);
    query.hash[0] = &half;
    assert_int_equal(store_query_open(&w->f.view, &query, &w->f.arena, &cursor, &err), ERR_TOO_LARGE);
    query = query_of(w, &(struct question){.equals = 2, .op = STORE_RANGE_LT});
    query.low = &tail; /* with "final": 1025 */
    assert_int_equal(store_query_open(&w->f.view, &query, &w->f.arena, &cursor, &err), ERR_TOO_LARGE);
    tail.text.len--;
    assert_int_equal(store_query_open(&w->f.view, &query, &w->f.arena, &cursor, &err), 0);
    store_cursor_close(cursor);
    struct attr *start = item_create(&w->f.arena);
    item_set_string(&w->f.arena, start, TEXT("id"), TEXT("m000"));
    query = query_of(w, &q);
    query.after = start;
    assert_int_equal(store_query_open(&w->f.view, &query, &w->f.arena, &cursor, &err), ERR_INVALID);
}

static void test_declarations_are_checked(void **state)
{
    struct world *w = *state;
    struct store_table_decl decl = indexed();
    struct store_key *key = &decl.index[0].key;
    struct err err = {0};
    key->part[6].name = TEXT("h1");
    assert_int_equal(store_table_define(w->f.stage, &decl, NULL, &err), ERR_INVALID);
    key->part[6].name = TEXT_NONE;
    assert_int_equal(store_table_define(w->f.stage, &decl, NULL, &err), ERR_INVALID);
    key->part[6] = (struct store_key_part){TEXT("r3"), ATTR_BOOL};
    assert_int_equal(store_table_define(w->f.stage, &decl, NULL, &err), ERR_INVALID);
    key->part[6].type = ATTR_STRING;
    key->hashes = 0;
    assert_int_equal(store_table_define(w->f.stage, &decl, NULL, &err), ERR_INVALID);
    key->hashes = STORE_INDEX_KEYS_MAX + 1;
    key->ranges = 1;
    assert_int_equal(store_table_define(w->f.stage, &decl, NULL, &err), ERR_INVALID);
    key->hashes = HASHES;
    key->ranges = STORE_INDEX_KEYS_MAX + 1;
    assert_int_equal(store_table_define(w->f.stage, &decl, NULL, &err), ERR_INVALID);
    key->ranges = RANGES;
    assert_int_equal(store_table_define(w->f.stage, &decl, &w->table, &err), 0);
    fixture_commit(&w->f);
    /* The same parts, otherwise divided, are another index. */
    const struct store_index *first = store_index_find(w->table, TEXT("Bracket"));
    key->hashes++;
    key->ranges--;
    assert_int_equal(store_table_define(w->f.stage, &decl, &w->table, &err), 0);
    assert_ptr_not_equal(store_index_find(w->table, TEXT("Bracket")), first);
}

/* ---- folders of before ---- */

/*
 * A journal record as it was written when indexes had one hash and one range attribute: the table games-old (userId S, at N) with the indexes
 * ByMode (mode S, score N; counted) and ByTown (town B; with score and note), and three items.
 */
static const char old_record[] =
    "010000018bcfe5687b0d0105630000000004000000020105630000000159010967616d65732d6f6c6406757365724964"
    "03026174020374746c01000300000200010642794d6f6465046d6f6465030573636f7265020001000002064279546f77"
    "6e04746f776e0400000200020573636f7265046e6f7465010e69000000016164610001c1820b00290104067573657249"
    "640303616461026174020131046d6f64650304736f6c6f0573636f726502023230010e69000000016164610001c18215"
    "00330105067573657249640303616461026174020132046d6f64650304736f6c6f0573636f72650202313004746f776e"
    "0403556c6d010b6900000001626f62000180330105067573657249640303626f62026174020130046d6f64650304736f"
    "6c6f0573636f72650202333004746f776e0403556c6d010d6b000000010001736f6c6f000103010103010e6b00000001"
    "0001736f6c6f00010102030301056e00000001080000000000000003011a78000000010001736f6c6f0001c1830b0061"
    "64610001c182150000011a78000000010001736f6c6f0001c18315006164610001c1820b000001177800000001000173"
    "6f6c6f0001c1831f00626f6200018000011578000000010002556c6d00016164610001c1821500000112780000000100"
    "02556c6d0001626f620001800001010967616d65732d6f6c6403004900140102067573657249640303626f6202617402"
    "013000028202004900140102067573657249640303616461026174020131000287010049001401020675736572496403"
    "036164610261740201320002c101";

static struct text old_bytes(struct arena *arena)
{
    size_t n = (sizeof(old_record) - 1) / 2;
    char *bytes = arena_alloc(arena, n);
    for (size_t i = 0; i < n; i++) {
        unsigned byte;
        assert_int_equal(sscanf(old_record + 2 * i, "%2x", &byte), 1);
        bytes[i] = (char)byte;
    }
    return text_make(bytes, n);
}

static int count_entries(struct world *w, const char *name, enum attr_type type, struct text hash)
{
    struct attr value = {.type = type, .text = hash};
    struct store_query query = {.table = w->table, .index = store_index_find(w->table, text_of(name)), .hash = {&value}};
    struct store_cursor *cursor;
    const struct attr *item;
    int n = 0;
    assert_non_null(query.index);
    assert_int_equal(store_query_open(&w->f.view, &query, &w->f.arena, &cursor, NULL), 0);
    while (!store_cursor_next(cursor, &w->f.arena, &item))
        n++;
    store_cursor_close(cursor);
    return n;
}

static void check_old(struct world *w)
{
    w->table = store_table_find(w->f.store, TEXT("games-old"));
    assert_non_null(w->table);
    const struct store_table_decl *decl = store_table_decl(w->table);
    const struct store_key *key = &decl->index[0].key;
    assert_true(decl->indexes >= 2 && decl->index[1].includes == 2);
    assert_int_equal(key->hashes, 1);
    assert_int_equal(key->ranges, 1);
    assert_true(text_is(key->part[1].name, "score") && key->part[1].type == ATTR_NUMBER);
    assert_int_equal(decl->index[1].key.ranges, 0);
    assert_int_equal(count_entries(w, "ByMode", ATTR_STRING, TEXT("solo")), 3);
    assert_int_equal(count_entries(w, "ByTown", ATTR_BINARY, TEXT("Ulm")), 2);
    verify_clean(w->f.store);
}

static void test_old_folder(void **state)
{
    struct world *w = *state;
    assert_int_equal(store_replay(w->f.store, 1, old_bytes(&w->f.arena), NULL), 0);
    check_old(w);
    assert_int_equal(store_flush(w->f.store, true, NULL), 0);
    fixture_detach(&w->f);
    fixture_attach(&w->f); /* the row as it was, now read from RocksDB */
    check_old(w);
    /* An index of several attributes beside the old ones: they stay what they are. */
    struct store_table_decl decl = *store_table_decl(w->table);
    const struct store_index *old = store_index_find(w->table, TEXT("ByMode"));
    decl.index[decl.indexes++] = (struct store_index_decl){.name = TEXT("ByBoth"),
        .key = {.part = {{TEXT("mode"), ATTR_STRING}, {TEXT("town"), ATTR_BINARY}, {TEXT("score"), ATTR_NUMBER}}, .hashes = 2, .ranges = 1}};
    assert_int_equal(store_table_define(w->f.stage, &decl, &w->table, NULL), 0);
    assert_ptr_equal(store_index_find(w->table, TEXT("ByMode")), old);
    while (store_backfill(&w->f.view, 100, &w->f.arena) > 0)
        fixture_commit(&w->f);
    fixture_commit(&w->f);
    assert_int_equal(store_flush(w->f.store, true, NULL), 0);
    fixture_detach(&w->f);
    fixture_attach(&w->f);
    check_old(w);
    struct attr mode = {.type = ATTR_STRING, .text = TEXT("solo")}, town = {.type = ATTR_BINARY, .text = TEXT("Ulm")};
    struct store_query query = {.table = w->table, .index = store_index_find(w->table, TEXT("ByBoth")), .hash = {&mode, &town}};
    struct store_cursor *cursor;
    const struct attr *item;
    assert_int_equal(store_query_open(&w->f.view, &query, &w->f.arena, &cursor, NULL), 0);
    assert_int_equal(store_cursor_next(cursor, &w->f.arena, &item), 0);
    assert_true(text_is(item_get(item, TEXT("score"))->text, "10"));
    assert_int_equal(store_cursor_next(cursor, &w->f.arena, &item), 0);
    assert_int_equal(store_cursor_next(cursor, &w->f.arena, &item), ERR_NOT_FOUND);
    store_cursor_close(cursor);
}

/* A row that is cut short or turned over must not be taken for a definition. */
static void test_damaged_rows(void **state)
{
    struct world *w = *state;
    struct store_table_decl decl = indexed();
    attach(w, &decl);
    struct buf row;
    buf_init(&row, 4096);
    assert_int_equal(catalogue_encode(&row, catalogue_newest(w->table)), 0);
    fixture_commit(&w->f);
    struct text whole = arena_copy(&w->f.arena, buf_text(&row));
    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(catalogue_load(w->f.store, 77, text_make(whole.data, len)), ERR_CORRUPT);
    static const unsigned char counts[] = {0, STORE_INDEX_KEYS_MAX + 1, 255};
    const char *at = memmem(whole.data, whole.len, "Bracket", 7);
    assert_non_null(at);
    for (size_t i = 0; i < sizeof(counts); i++) {
        char *copy = arena_alloc(&w->f.arena, whole.len);
        memcpy(copy, whole.data, whole.len);
        copy[at - whole.data + 7] = (char)counts[i];
        assert_int_equal(catalogue_load(w->f.store, 77, text_make(copy, whole.len)), ERR_CORRUPT);
    }
    buf_fini(&row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_model, opened, closed),
        cmocka_unit_test_setup_teardown(test_backfill, opened, closed),
        cmocka_unit_test_setup_teardown(test_items_are_checked, opened, closed),
        cmocka_unit_test_setup_teardown(test_questions_are_checked, opened, closed),
        cmocka_unit_test_setup_teardown(test_declarations_are_checked, opened, closed),
        cmocka_unit_test_setup_teardown(test_old_folder, opened, closed),
        cmocka_unit_test_setup_teardown(test_damaged_rows, opened, closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
