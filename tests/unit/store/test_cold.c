/*
 * Cold rows: a reader that may not touch the disk answers ERR_COLD and notes what it lacked; warming exactly that lets it get further. Every test closes and
 * opens the tables first, which leaves all rows on the disk and none in the cache.
 */
#include "store/fixture.h"

enum { ROWS = 2000, GROUPS = 4, FILLER = 400, ROUNDS_MAX = 64 };

struct cold_fixture {
    struct fixture base;
    const struct store_table *table;
    const struct store_index *index;
    struct store_cold cold;
    size_t rounds;
};

static struct attr *key_of(struct fixture *f, int i)
{
    struct attr *key = item_create(&f->arena);
    item_set_string(&f->arena, key, TEXT("id"), arena_format(&f->arena, "id%06d", (i * 7919) % ROWS)); /* neighbours in the index are strangers in the table */
    return key;
}

static struct attr *row_of(struct fixture *f, int i, int64_t value)
{
    char filler[FILLER];
    struct attr *item = key_of(f, i);
    for (int k = 0; k < FILLER; k++)
        filler[k] = (char)('a' + (i * 17 + k * k * 31) % 26);
    item_set_string(&f->arena, item, TEXT("group"), arena_format(&f->arena, "g%d", i % GROUPS));
    item_set_i64(&f->arena, item, TEXT("n"), value);
    item_set_string(&f->arena, item, TEXT("filler"), arena_copy(&f->arena, text_make(filler, FILLER)));
    return item;
}

static void fill(struct fixture *f)
{
    struct store_table_decl decl = {.name = TEXT("rows"), .hash = TEXT("id"), .hash_type = ATTR_STRING, .indexes = 1,
        .index = {{.name = TEXT("by_group"), .key = {.part = {{TEXT("group"), ATTR_STRING}, {TEXT("n"), ATTR_NUMBER}}, .hashes = 1, .ranges = 1}, .counted = true}}};
    const struct store_table *table;
    assert_int_equal(store_table_define(f->stage, &decl, &table, NULL), 0);
    for (int i = 0; i < ROWS; i++) {
        struct arena_mark mark = arena_mark(&f->arena);
        assert_int_equal(store_put(&f->view, table, row_of(f, i, i), 0, &f->arena, NULL, NULL), 0);
        arena_rewind(&f->arena, mark);
    }
    fixture_commit(f);
}

static int opened(void **state)
{
    struct cold_fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    fixture_open(&f->base);
    fill(&f->base);
    fixture_detach(&f->base);
    fixture_attach(&f->base);
    f->table = store_table_find(f->base.store, TEXT("rows"));
    assert_non_null(f->table);
    f->index = store_index_find(f->table, TEXT("by_group"));
    store_cold_init(&f->cold);
    f->base.view.cache_only = true;
    f->base.view.cold = &f->cold;
    *state = f;
    return 0;
}

static int closed(void **state)
{
    struct cold_fixture *f = *state;
    store_cold_fini(&f->cold);
    fixture_close(&f->base);
    free(f);
    return 0;
}

/* Runs `body` as the tick does: again after each warming, for twice as many rows. */
static int run_warming(struct cold_fixture *f, int (*body)(struct cold_fixture *f))
{
    size_t rows = 64;
    int rc = body(f);
    for (f->rounds = 0; rc == ERR_COLD && f->rounds < ROUNDS_MAX; f->rounds++, rows *= 2) {
        assert_true(f->cold.count > 0 && f->cold.count <= STORE_COLD_ROWS);
        assert_int_equal(store_warm(f->base.store, &f->cold, rows), 0);
        store_cold_clear(&f->cold);
        rc = body(f);
    }
    return rc;
}

/* ---- tests ---- */

static void a_cold_item_is_noted_and_warmed(void **state)
{
    struct cold_fixture *f = *state;
    struct fixture *base = &f->base;
    const struct attr *item;
    int64_t n;
    assert_int_equal(store_get(&base->view, f->table, key_of(base, 1234), &base->arena, &item), ERR_COLD);
    assert_int_equal(f->cold.count, 1);
    assert_int_equal(f->cold.row[0].kind, STORE_COLD_GET);
    assert_int_equal(store_warm(base->store, &f->cold, 1), 0);
    assert_int_equal(store_get(&base->view, f->table, key_of(base, 1234), &base->arena, &item), 0);
    assert_int_equal(attr_to_i64(item_get_str(item, "n"), &n), 0);
    assert_int_equal(n, 1234);
    assert_int_equal(f->cold.count, 1); /* a hit adds nothing */
    store_cold_clear(&f->cold);
    assert_int_equal(f->cold.count, 0);
}

static void without_a_list_nothing_is_noted(void **state)
{
    struct cold_fixture *f = *state;
    struct fixture *base = &f->base;
    const struct attr *item;
    base->view.cold = NULL;
    assert_int_equal(store_get(&base->view, f->table, key_of(base, 3), &base->arena, &item), ERR_COLD);
    base->view.cold = &f->cold;
    base->view.cache_only = false;
    assert_int_equal(store_get(&base->view, f->table, key_of(base, 3), &base->arena, &item), 0);
    assert_int_equal(f->cold.count, 0);
}

static int walk(struct cold_fixture *f, const struct store_query *query, int want)
{
    struct fixture *base = &f->base;
    struct arena_mark mark = arena_mark(&base->arena);
    struct store_cursor *cursor;
    const struct attr *item;
    int n = 0, rc = store_query_open(&base->view, query, &base->arena, &cursor, NULL);
    assert_int_equal(rc, 0);
    while ((rc = store_cursor_next(cursor, &base->arena, &item)) == 0)
        n++;
    if (rc == ERR_COLD)
        assert_int_equal(store_cursor_next(cursor, &base->arena, &item), ERR_COLD); /* it is over */
    store_cursor_close(cursor);
    arena_rewind(&base->arena, mark);
    assert_true(rc == ERR_COLD || n == want);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int scan_on(struct cold_fixture *f)
{
    return walk(f, &(struct store_query){.table = f->table}, ROWS);
}

static int scan_back(struct cold_fixture *f)
{
    return walk(f, &(struct store_query){.table = f->table, .backward = true}, ROWS);
}

static int query_group(struct cold_fixture *f, bool backward)
{
    struct attr hash = {.type = ATTR_STRING, .text = TEXT("g2")};
    return walk(f, &(struct store_query){.table = f->table, .index = f->index, .hash = {&hash}, .backward = backward}, ROWS / GROUPS);
}

static int query_on(struct cold_fixture *f)
{
    return query_group(f, false);
}

static int query_back(struct cold_fixture *f)
{
    return query_group(f, true);
}

static void a_scan_gets_twice_as_far_in_each_round(void **state)
{
    struct cold_fixture *f = *state;
    assert_int_equal(run_warming(f, scan_on), 0);
    assert_true(f->rounds > 1 && f->rounds <= 8); /* 64 + 128 + ... rows */
    assert_int_equal(scan_on(f), 0);
}

static void so_does_a_scan_backwards(void **state)
{
    struct cold_fixture *f = *state;
    assert_int_equal(run_warming(f, scan_back), 0);
    assert_true(f->rounds > 1 && f->rounds <= 8);
}

/* 500 items, each in a block of its own, more or less: one by one they would take 500 rounds. */
static void an_index_query_notes_the_items_ahead(void **state)
{
    struct cold_fixture *f = *state;
    assert_int_equal(run_warming(f, query_on), 0);
    assert_true(f->rounds > 1 && f->rounds <= 14);
    assert_int_equal(query_back(f), 0); /* all of it is warm now */
}

static void so_does_one_backwards(void **state)
{
    struct cold_fixture *f = *state;
    assert_int_equal(run_warming(f, query_back), 0);
    assert_true(f->rounds > 1 && f->rounds <= 14);
}

static int put_one(struct cold_fixture *f)
{
    struct fixture *base = &f->base;
    struct store_save save = store_stage_save(base->stage);
    const struct attr *old;
    struct err err = {0};
    int64_t n;
    int rc = store_put(&base->view, f->table, row_of(base, 555, 100000), 0, &base->arena, &old, &err);
    if (rc) {
        assert_true(store_stage_empty(base->stage));
        store_stage_rollback(base->stage, save);
        return rc;
    }
    assert_int_equal(attr_to_i64(item_get_str(old, "n"), &n), 0);
    assert_int_equal(n, 555);
    return 0;
}

static int rank_one(struct cold_fixture *f)
{
    uint64_t rank = 0;
    int rc = store_rank_of(&f->base.view, f->table, f->index, row_of(&f->base, 1000, 1000), false, &rank);
    if (!rc)
        assert_int_equal(rank, 1000 / GROUPS);
    return rc;
}

static void a_put_with_a_counted_index_gets_warm(void **state)
{
    struct cold_fixture *f = *state;
    assert_int_equal(run_warming(f, rank_one), 0);
    assert_true(f->rounds >= 1 && f->rounds <= 8);
    assert_int_equal(run_warming(f, put_one), 0);
    assert_true(f->rounds <= 8);
    f->base.view.cache_only = false;
    fixture_commit(&f->base);
    verify_clean(f->base.store);
}

static void a_snapshot_view_notes_too(void **state)
{
    struct cold_fixture *f = *state;
    struct store_view view = {.store = f->base.store, .snapshot = store_snapshot_acquire(f->base.store, 1), .cache_only = true, .cold = &f->cold};
    const struct attr *item;
    assert_int_equal(store_get(&view, f->table, key_of(&f->base, 77), &f->base.arena, &item), ERR_COLD);
    assert_int_equal(store_warm(f->base.store, &f->cold, 64), 0);
    assert_int_equal(store_get(&view, f->table, key_of(&f->base, 77), &f->base.arena, &item), 0);
    store_snapshot_release(f->base.store, 1);
}

static void the_list_is_bounded(void **state)
{
    struct cold_fixture *f = *state;
    const struct attr *item;
    int cold = 0;
    for (int i = 0; i < 3 * STORE_COLD_ROWS; i++)
        cold += store_get(&f->base.view, f->table, key_of(&f->base, i * 9), &f->base.arena, &item) == ERR_COLD;
    assert_true(cold > STORE_COLD_ROWS); /* a few may lie in a block that opening has read */
    assert_int_equal(f->cold.count, STORE_COLD_ROWS);
    assert_int_equal(store_warm(f->base.store, &f->cold, 64), 0);
    for (int i = 0; i < STORE_COLD_ROWS; i++)
        assert_int_equal(store_get(&f->base.view, f->table, key_of(&f->base, i * 9), &f->base.arena, &item), 0);
    assert_int_equal(f->cold.count, STORE_COLD_ROWS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
    const struct CMUnitTest tests[] = {TEST(a_cold_item_is_noted_and_warmed), TEST(without_a_list_nothing_is_noted), TEST(a_scan_gets_twice_as_far_in_each_round),
        TEST(so_does_a_scan_backwards), TEST(an_index_query_notes_the_items_ahead), TEST(so_does_one_backwards), TEST(a_put_with_a_counted_index_gets_warm),
        TEST(a_snapshot_view_notes_too), TEST(the_list_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
