/*
 * What moves under readers: a ttl attribute that is another one than when the index entries were written, and a table that is dropped by a call which is then
 * undone. Found by tests/crash/replay_model.c.
 */
#include "fixture.h"

static struct store_table_decl declare(const char *ttl)
{
    struct store_table_decl decl = {.name = TEXT("moves"), .hash = TEXT("id"), .hash_type = ATTR_STRING, .ttl = text_of(ttl), .indexes = 2};
    decl.index[0] = (struct store_index_decl){.name = TEXT("Keys"), .key = {.part = {{TEXT("team"), ATTR_STRING}}, .hashes = 1}, .projection = STORE_PROJECT_KEYS};
    decl.index[1] = (struct store_index_decl){.name = TEXT("All"), .key = {.part = {{TEXT("team"), ATTR_STRING}}, .hashes = 1}, .counted = true};
    return decl;
}

static const struct store_table *define(struct fixture *f, const char *ttl)
{
    struct store_table_decl decl = declare(ttl);
    const struct store_table *table;
    struct err err = {0};
    assert_int_equal(store_table_define(f->stage, &decl, &table, &err), 0);
    fixture_commit(f);
    return table;
}

static struct attr *item(struct fixture *f, const char *id, int64_t first, int64_t second)
{
    struct attr *made = item_create(&f->arena);
    item_set_string(&f->arena, made, TEXT("id"), text_of(id));
    item_set_string(&f->arena, made, TEXT("team"), TEXT("red"));
    if (first)
        item_set_i64(&f->arena, made, TEXT("first"), f->view.now_s + first);
    if (second)
        item_set_i64(&f->arena, made, TEXT("second"), f->view.now_s + second);
    return made;
}

static void put(struct fixture *f, const struct store_table *table, struct attr *made)
{
    assert_int_equal(store_put(&f->view, table, made, 0, &f->arena, NULL, NULL), 0);
}

/* The ids that a query shows, in order. */
static void expect(struct fixture *f, const struct store_table *table, const char *index, bool keys_only, const char *ids)
{
    struct store_query query = {.table = table, .index = index ? store_index_find(table, text_of(index)) : NULL, .keys_only = keys_only};
    struct store_cursor *cursor;
    const struct attr *got;
    char seen[64] = "";
    assert_int_equal(store_query_open(&f->view, &query, &f->arena, &cursor, NULL), 0);
    while (store_cursor_next(cursor, &f->arena, &got) == 0) {
        struct text id = item_get(got, TEXT("id"))->text;
        snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%.*s ", TEXT_FMT(id));
        if (index && strcmp(index, "Keys") == 0)
            assert_int_equal(got->count, 2);
    }
    store_cursor_close(cursor);
    assert_string_equal(seen, ids);
}

static void expect_everywhere(struct fixture *f, const struct store_table *table, const char *ids)
{
    expect(f, table, NULL, false, ids);
    expect(f, table, "Keys", false, ids);
    expect(f, table, "All", false, ids);
    expect(f, table, "All", true, ids);
}

static void fill(struct fixture *f)
{
    while (store_backfill(&f->view, 2, &f->arena) > 0)
        fixture_commit(f);
    fixture_commit(f);
}

/* Entries carry the due time of their item, so that a query need not fetch it. They must not go by an attribute that counts no more. */
static void test_ttl_moves(void **state)
{
    struct fixture *f = *state;
    const struct store_table *table = define(f, "first");
    put(f, table, item(f, "a", 10, 1000));
    put(f, table, item(f, "b", 1000, 10));
    put(f, table, item(f, "c", 0, 10));
    put(f, table, item(f, "d", 10, 0));
    put(f, table, item(f, "e", 0, 0));
    fixture_commit(f);
    f->view.now_s += 20;
    expect_everywhere(f, table, "b c e ");
    define(f, "");
    expect_everywhere(f, table, "a b c d e ");
    fill(f);
    expect_everywhere(f, table, "a b c d e ");
    define(f, "second");
    expect_everywhere(f, table, "a d e "); /* before the fill */
    assert_true(store_backfill(&f->view, 2, &f->arena) > 0);
    fixture_commit(f);
    expect_everywhere(f, table, "a d e "); /* in the midst of it */
    fill(f);
    expect_everywhere(f, table, "a d e ");
    assert_int_equal(store_expire(&f->view, 10, &f->arena), 2);
    fixture_commit(f);
    expect_everywhere(f, table, "a d e ");
    verify_clean(f->store);
}

static int read_one(struct fixture *f, const struct store_table *table)
{
    struct store_view view = {.store = f->store, .snapshot = store_snapshot_acquire(f->store, 1), .now_s = f->view.now_s};
    struct store_query query = {.table = table};
    struct store_cursor *cursor;
    const struct attr *got, *team = item_get(item(f, "a", 0, 0), TEXT("team"));
    uint64_t count;
    struct err err = {0};
    int rc = store_get(&view, table, item(f, "a", 0, 0), &f->arena, &got);
    int opened = store_query_open(&view, &query, &f->arena, &cursor, &err);
    assert_int_equal(opened, rc);
    assert_int_equal(store_rank_count(&view, table, store_index_find(table, TEXT("All")), &team, &count), rc);
    if (opened == 0)
        store_cursor_close(cursor);
    store_snapshot_release(f->store, 1);
    return rc;
}

/* A drop that is staged while the stage before it is applied, and then undone: the number of items is right, and readers of snapshots have noticed nothing. */
static void test_drop_undone(void **state)
{
    struct fixture *f = *state;
    const struct store_table *table = define(f, "");
    struct store_stage *next;
    struct err err = {0};
    put(f, table, item(f, "a", 0, 0));
    fixture_commit(f);
    put(f, table, item(f, "b", 0, 0));
    assert_int_equal(store_stage_create(f->store, &next), 0);
    buf_clear(&f->record);
    assert_int_equal(store_stage_seal(f->stage, 1, &f->record), 0);
    store_stage_follow(next, f->stage);
    struct store_save save = store_stage_save(next);
    assert_int_equal(store_table_drop(next, table, &err), 0);
    assert_int_equal(read_one(f, table), 0);
    assert_int_equal(store_stage_apply(f->stage, ++f->sequence, &err), 0);
    assert_int_equal(store_snapshot_publish(f->store), 0);
    assert_int_equal(read_one(f, table), 0);
    store_stage_rollback(next, save);
    store_stage_unfollow(next);
    store_stage_destroy(next);
    store_stage_reset(f->stage);
    assert_int_equal(store_table_count(table), 2);
    assert_int_equal(read_one(f, table), 0);
    assert_int_equal(store_table_drop(f->stage, table, &err), 0);
    assert_int_equal(read_one(f, table), 0);
    fixture_commit(f);
    assert_int_equal(read_one(f, table), ERR_NOT_FOUND);
    verify_clean(f->store);
}

static int opened(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    assert_non_null(*state);
    fixture_open(*state);
    return 0;
}

static int closed(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ttl_moves, opened, closed),
        cmocka_unit_test_setup_teardown(test_drop_undone, opened, closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
