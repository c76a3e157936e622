/* One behaviour a test: definitions, change records, volatile rows, raw rows, backfills, cold reads, errors,
 * damage. */
#include "fixture.h"

#include "store/key.h"
#include "store/rocks.h"

static struct store_table_decl users(void)
{
    return (struct store_table_decl){.name = TEXT("users-dev"),
        .hash = TEXT("userId"),
        .hash_type = ATTR_STRING,
        .ttl = TEXT("ttl"),
        .changes = true};
}

static const struct store_table *define(struct fixture *f, const struct store_table_decl *decl)
{
    const struct store_table *table = NULL;
    struct err err = {0};
    int rc = store_table_define(f->stage, decl, &table, &err);
    if (rc)
        fail_msg("define: %s %s", err_name(rc), err.text);
    return table;
}

static struct attr *user(struct fixture *f, const char *id, int64_t score)
{
    struct attr *item = item_create(&f->arena);
    item_set_string(&f->arena, item, TEXT("userId"), arena_copy(&f->arena, text_of(id)));
    item_set_i64(&f->arena, item, TEXT("score"), score);
    return item;
}

static int put(struct fixture *f, const struct store_table *table, const struct attr *item)
{
    return store_put(&f->view, table, item, 0, &f->arena, NULL, NULL);
}

static int get(struct fixture *f, const struct store_table *table, const char *id, const struct attr **item)
{
    return store_get(&f->view, table, user(f, id, 0), &f->arena, item);
}

static int count_query(struct fixture *f, const struct store_table *table, const struct store_index *index,
    const struct attr *hash)
{
    struct store_query q = {.table = table, .index = index, .hash = {hash}};
    struct store_cursor *cursor;
    const struct attr *item;
    int n = 0, rc = store_query_open(&f->view, &q, &f->arena, &cursor, NULL);
    if (rc)
        return rc;
    while (!(rc = store_cursor_next(cursor, &f->arena, &item)))
        n++;
    store_cursor_close(cursor);
    return rc == ERR_NOT_FOUND ? n : rc;
}

static int opened(void **state)
{
    static struct fixture f;
    fixture_open(&f);
    *state = &f;
    return 0;
}
static int closed(void **state)
{
    fixture_close(*state);
    return 0;
}

static void test_define(void **state)
{
    struct fixture *f = *state;
    struct store_table_decl decl = users();
    const struct store_table *table, *again;
    struct store_save save = store_stage_save(f->stage);
    define(f, &decl);
    store_stage_rollback(f->stage, save);
    assert_true(store_stage_empty(f->stage));
    table = define(f, &decl);
    assert_null(store_table_find(f->store, TEXT("users-dev"))); /* not yet committed */
    assert_int_equal(put(f, table, user(f, "ann", 1)), 0);      /* but usable */
    fixture_commit(f);
    assert_ptr_equal(store_table_find(f->store, TEXT("users-dev")), table);
    assert_int_equal(store_table_count(table), 1);
    again = define(f, &decl);
    assert_ptr_equal(again, table);
    assert_true(store_stage_empty(f->stage));

    decl.hash = TEXT("other");
    assert_int_equal(store_table_define(f->stage, &decl, &again, NULL), ERR_INVALID);
    decl = users();
    decl.name = TEXT("ab");
    assert_int_equal(store_table_define(f->stage, &decl, &again, NULL), ERR_INVALID);
    decl.name = TEXT("with space");
    assert_int_equal(store_table_define(f->stage, &decl, &again, NULL), ERR_INVALID);

    decl = users();
    decl.name = TEXT("another");
    define(f, &decl);
    fixture_commit(f);
    const struct store_table *first = store_table_next(f->store, NULL);
    assert_true(text_is(store_table_name(first), "another"));
    assert_ptr_equal(store_table_next(f->store, first), table);
    assert_null(store_table_next(f->store, table));

    fixture_detach(f);
    fixture_attach(f);
    table = store_table_find(f->store, TEXT("users-dev"));
    assert_non_null(table);
    assert_int_equal(store_table_count(table), 1);
    assert_true(text_is(store_table_decl(table)->ttl, "ttl"));
}

static void test_changes(void **state)
{
    struct fixture *f = *state;
    struct store_table_decl decl = users();
    const struct store_table *table = define(f, &decl);
    struct store_change_reader reader;
    struct store_change change;
    struct attr *image;
    fixture_commit(f);
    put(f, table, user(f, "ann", 1));
    put(f, table, user(f, "bob", 1));
    fixture_commit(f);
    put(f, table, user(f, "ann", 2));
    put(f, table, user(f, "ann", 3)); /* the image of 2 is in no row */
    put(f, table, user(f, "bob", 1)); /* changes nothing */
    put(f, table, user(f, "cid", 9));
    store_delete(&f->view, table, user(f, "cid", 0), 0, &f->arena, NULL, NULL);
    store_delete(&f->view, table, user(f, "bob", 0), STORE_BY_SERVICE, &f->arena, NULL, NULL);
    fixture_commit(f);
    static const struct {
        char event;
        const char *id;
        int64_t before, after;
        bool by_service;
    } want[] = {{'M', "ann", 1, 2, false}, {'M', "ann", 2, 3, false}, {'I', "cid", 0, 9, false},
        {'R', "cid", 9, 0, false}, {'R', "bob", 1, 0, true}};
    assert_int_equal(store_change_begin(&reader, buf_text(&f->record)), 0);
    for (uint32_t i = 0; i < 5; i++) {
        int64_t score = 0;
        assert_int_equal(store_change_next(&reader, &change), 0);
        assert_int_equal(change.event, want[i].event);
        assert_int_equal(change.number, i);
        assert_int_equal(change.by_service, want[i].by_service);
        assert_int_equal(change.time_ms, 1700000000123);
        assert_int_equal(change.table_id, store_table_id(table));
        assert_true(text_is(change.table, "users-dev"));
        assert_int_equal(item_decode(&f->arena, change.keys, &image), 0);
        assert_int_equal(image->count, 1);
        assert_true(text_is(item_get_str(image, "userId")->text, want[i].id));
        assert_int_equal(change.before.len > 0, want[i].before > 0);
        assert_int_equal(change.after.len > 0, want[i].after > 0);
        if (change.before.len) {
            assert_int_equal(item_decode(&f->arena, change.before, &image), 0);
            attr_to_i64(item_get_str(image, "score"), &score);
            assert_int_equal(score, want[i].before);
        }
        if (change.after.len) {
            assert_int_equal(item_decode(&f->arena, change.after, &image), 0);
            attr_to_i64(item_get_str(image, "score"), &score);
            assert_int_equal(score, want[i].after);
        }
    }
    assert_int_equal(store_change_next(&reader, &change), ERR_NOT_FOUND);
    for (size_t cut = 0; cut < f->record.len; cut++) { /* every beginning of a record is survived */
        struct text part = text_make(f->record.data, cut);
        if (store_change_begin(&reader, part) == 0)
            while (store_change_next(&reader, &change) == 0)
                ;
    }
}

static void test_expired_overwrite(void **state)
{
    struct fixture *f = *state;
    struct store_table_decl decl = users();
    const struct store_table *table = define(f, &decl);
    struct store_change_reader reader;
    struct store_change change;
    const struct attr *old = NULL, *item;
    struct attr *due = user(f, "ann", 1);
    item_set_i64(&f->arena, due, TEXT("ttl"), f->view.now_s + 10);
    put(f, table, due);
    fixture_commit(f);
    assert_int_equal(get(f, table, "ann", &item), 0);
    f->view.now_s += 10;
    assert_int_equal(get(f, table, "ann", &item), ERR_NOT_FOUND);
    assert_int_equal(
        store_delete(&f->view, table, due, STORE_IF_PRESENT, &f->arena, NULL, NULL), ERR_NOT_FOUND);
    assert_int_equal(
        store_put(&f->view, table, user(f, "ann", 2), STORE_IF_ABSENT, &f->arena, &old, NULL), 0);
    assert_null(old);
    fixture_commit(f);
    assert_int_equal(store_table_count(table), 1);
    assert_int_equal(store_change_begin(&reader, buf_text(&f->record)), 0);
    assert_int_equal(store_change_next(&reader, &change), 0);
    assert_true(change.event == 'R' && change.by_service);
    assert_int_equal(store_change_next(&reader, &change), 0);
    assert_true(change.event == 'I' && !change.by_service);
    assert_int_equal(store_expire(&f->view, 10, &f->arena), 0);

    struct attr *odd = user(f, "eve", 1); /* no number, or far in the past: data */
    item_set_string(&f->arena, odd, TEXT("ttl"), TEXT("5"));
    put(f, table, odd);
    struct attr *ancient = user(f, "fay", 1);
    item_set_i64(&f->arena, ancient, TEXT("ttl"), 5);
    put(f, table, ancient);
    assert_int_equal(get(f, table, "eve", &item), 0);
    assert_int_equal(get(f, table, "fay", &item), 0);
    assert_int_equal(store_expire(&f->view, 10, &f->arena), 0);
    assert_true(store_next_expiry(&f->view) == INT64_MAX);
    verify_clean(f->store);
}

static void test_expiry_slices(void **state)
{
    struct fixture *f = *state;
    struct store_table_decl decl = users();
    const struct store_table *table = define(f, &decl);
    char id[16];
    for (int i = 0; i < 25; i++) {
        snprintf(id, sizeof(id), "u%02d", i);
        struct attr *item = user(f, id, i);
        item_set_i64(&f->arena, item, TEXT("ttl"), f->view.now_s + i + 1);
        put(f, table, item);
    }
    fixture_commit(f);
    assert_true(store_next_expiry(&f->view) == f->view.now_s + 1);
    f->view.now_s += 20;
    int total = 0, n;
    while ((n = store_expire(&f->view, 6, &f->arena)) > 0) {
        assert_true(n <= 6);
        total += n;
        fixture_commit(f);
    }
    assert_int_equal(n, 0);
    assert_int_equal(total, 20);
    assert_int_equal(store_table_count(table), 5);
    assert_true(store_next_expiry(&f->view) == f->view.now_s + 1);
    verify_clean(f->store);
}

static void test_volatile(void **state)
{
    struct fixture *f = *state;
    struct store_table_decl decl = users();
    const struct attr *item;
    struct err err;
    decl.volatile_rows = true;
    assert_int_equal(store_table_define(f->stage, &decl, NULL, &err), ERR_INVALID); /* no change records */
    decl.changes = false;
    decl.indexes = 1;
    decl.index[0] =
        (struct store_index_decl){.name = TEXT("ByScore"), .key = {.part = {{TEXT("score"), ATTR_NUMBER}}, .hashes = 1}};
    const struct store_table *table = define(f, &decl);
    fixture_commit(f);
    uint64_t sequence = f->sequence;
    struct attr *live = user(f, "conn", 4);
    item_set_i64(&f->arena, live, TEXT("ttl"), f->view.now_s + 100);
    put(f, table, live);
    assert_false(store_stage_durable(f->stage));
    assert_false(store_stage_empty(f->stage));
    fixture_commit(f);
    assert_int_equal(f->record.len, 0);
    assert_int_equal(store_applied(f->store), sequence);
    assert_int_equal(store_table_count(table), 1);
    assert_int_equal(get(f, table, "conn", &item), 0);
    assert_true(store_next_expiry(&f->view) == f->view.now_s + 100);
    fixture_detach(f); /* an orderly close flushes them */
    fixture_attach(f);
    table = store_table_find(f->store, TEXT("users-dev"));
    assert_int_equal(get(f, table, "conn", &item), ERR_NOT_FOUND);
    assert_int_equal(store_table_count(table), 0);
    assert_true(store_next_expiry(&f->view) == INT64_MAX);
    put(f, table, user(f, "conn", 4));
    fixture_commit(f);
    assert_int_equal(store_table_count(table), 1);
    verify_clean(f->store);
}

static int visit_three(void *context, struct text key, struct text value)
{
    struct buf *seen = context;
    buf_add_text(seen, key);
    buf_add_char(seen, '=');
    buf_add_text(seen, value);
    buf_add_char(seen, ' ');
    return seen->len > 100 ? 7 : 0;
}

static void test_raw(void **state)
{
    struct fixture *f = *state;
    struct text value;
    struct buf seen;
    buf_init(&seen, 1000);
    store_raw_put(f->stage, STORE_SPACE_TEST, TEXT("b"), TEXT("2"));
    store_raw_put(f->stage, STORE_SPACE_TEST, TEXT("d"), TEXT("4"));
    store_raw_put(f->stage, STORE_SPACE_SETTINGS, TEXT("x"), TEXT("9"));
    fixture_commit(f);
    struct store_save save = store_stage_save(f->stage);
    store_raw_put(f->stage, STORE_SPACE_TEST, TEXT("e"), TEXT("5"));
    store_stage_rollback(f->stage, save);
    store_raw_put(f->stage, STORE_SPACE_TEST, TEXT("a"), TEXT("1"));
    store_raw_put(f->stage, STORE_SPACE_TEST, TEXT("c"), TEXT(""));
    store_raw_delete(f->stage, STORE_SPACE_TEST, TEXT("d"));
    assert_int_equal(store_raw_scan(&f->view, STORE_SPACE_TEST, TEXT_NONE, &f->arena, visit_three, &seen), 0);
    assert_true(text_is(buf_text(&seen), "a=1 b=2 c= "));
    buf_clear(&seen);
    assert_int_equal(store_raw_scan(&f->view, STORE_SPACE_TEST, TEXT("b"), &f->arena, visit_three, &seen), 0);
    assert_true(text_is(buf_text(&seen), "b=2 c= "));
    buf_clear(&seen);
    assert_int_equal(store_raw_scan_back(&f->view, STORE_SPACE_TEST, TEXT("c"), &f->arena, visit_three, &seen), 0);
    assert_true(text_is(buf_text(&seen), "b=2 a=1 "));
    buf_clear(&seen);
    assert_int_equal(store_raw_scan_back(&f->view, STORE_SPACE_TEST, TEXT("z"), &f->arena, visit_three, &seen), 0);
    assert_true(text_is(buf_text(&seen), "c= b=2 a=1 "));
    buf_clear(&seen);
    buf_add(&seen, (char[100]){0}, 100);
    assert_int_equal(
        store_raw_scan(&f->view, STORE_SPACE_SETTINGS, TEXT_NONE, &f->arena, visit_three, &seen), 7);
    assert_int_equal(store_raw_get(&f->view, STORE_SPACE_SETTINGS, TEXT("x"), &f->arena, &value), 0);
    assert_true(text_is(value, "9"));
    assert_int_equal(store_raw_get(&f->view, STORE_SPACE_TEST, TEXT("d"), &f->arena, &value), ERR_NOT_FOUND);
    buf_fini(&seen);
}

/* Indexes, an ordered count and a ttl added over existing items, while these change; across a restart; then
 * dropped. */
static void test_backfill(void **state)
{
    struct fixture *f = *state;
    struct store_table_decl decl = {.name = TEXT("games"),
        .hash = TEXT("userId"),
        .hash_type = ATTR_STRING,
        .range = TEXT("score"),
        .range_type = ATTR_NUMBER};
    const struct store_table *table = define(f, &decl);
    uint64_t count = 0, seed = 5;
    char id[16];
    for (int i = 0; i < 500; i++) {
        snprintf(id, sizeof(id), "u%d", i % 10);
        struct attr *item = user(f, id, i);
        item_set_string(&f->arena, item, TEXT("mode"), i % 2 ? TEXT("solo") : TEXT("team"));
        item_set_i64(&f->arena, item, TEXT("ends"), f->view.now_s + (i < 100 ? 50 : 5000));
        put(f, table, item);
    }
    fixture_commit(f);
    decl.counted = true;
    decl.ttl = TEXT("ends");
    decl.indexes = 1;
    decl.index[0] = (struct store_index_decl){.name = TEXT("ByMode"),
        .key = {.part = {{TEXT("mode"), ATTR_STRING}, {TEXT("score"), ATTR_NUMBER}}, .hashes = 1, .ranges = 1},
        .counted = true};
    assert_ptr_equal(define(f, &decl), table);
    fixture_commit(f);
    const struct store_index *index = store_index_find(table, TEXT("ByMode"));
    struct attr *solo = user(f, "u1", 0);
    item_set_string(&f->arena, solo, TEXT("mode"), TEXT("solo"));
    const struct attr *mode = item_get_str(solo, "mode");
    assert_int_equal(count_query(f, table, index, mode), ERR_AGAIN);
    assert_int_equal(store_rank_count(&f->view, table, index, &mode, &count), ERR_AGAIN);
    int slices = 0, solos = 250;
    while (store_backfill(&f->view, 60, &f->arena) > 0) {
        if (++slices == 4) { /* rolled back: nothing is lost */
            store_stage_reset(f->stage);
            continue;
        }
        int64_t score = (int64_t)(random_next(&seed) % 100) + 1000;
        snprintf(id, sizeof(id), "u%d", slices % 10);
        struct attr *item = user(f, id, score); /* before and behind the progress */
        item_set_string(&f->arena, item, TEXT("mode"), TEXT("solo"));
        const struct attr *old;
        assert_int_equal(store_put(&f->view, table, item, 0, &f->arena, &old, NULL), 0);
        solos += !old;
        snprintf(id, sizeof(id), "u%d", 2 * slices % 10 + 1);
        assert_int_equal(store_delete(&f->view, table, user(f, id, slices * 10 + 2 * slices % 10 + 1), 0,
                             &f->arena, &old, NULL),
            0);
        solos -= old != NULL;
        fixture_commit(f);
        verify_clean(f->store);
        if (slices == 9) {
            fixture_detach(f);
            fixture_attach(f);
            table = store_table_find(f->store, TEXT("games"));
            index = store_index_find(table, TEXT("ByMode"));
            assert_false(store_index_ready(index));
        }
    }
    assert_true(slices > 20); /* three parts of nine slices */
    fixture_commit(f);
    assert_true(store_index_ready(index));
    assert_int_equal(count_query(f, table, index, mode), solos);
    assert_int_equal(store_rank_count(&f->view, table, index, &mode, &count), 0);
    assert_int_equal(count, solos);
    verify_clean(f->store);
    int64_t before = store_table_count(table);
    f->view.now_s += 60;
    int swept = store_expire(&f->view, 1000, &f->arena);
    assert_true(swept > 80 && swept <= 100);
    fixture_commit(f);
    assert_int_equal(store_table_count(table), before - swept);
    verify_clean(f->store);

    decl.indexes = 0;
    decl.counted = false;
    define(f, &decl);
    fixture_commit(f);
    assert_null(store_index_find(table, TEXT("ByMode")));
    while (store_backfill(&f->view, 100, &f->arena) > 0)
        fixture_commit(f);
    decl.counted = true; /* again: the old counts must not shine through */
    define(f, &decl);
    do
        fixture_commit(f);
    while (store_backfill(&f->view, 100, &f->arena) > 0);
    verify_clean(f->store);
}

static void test_drop(void **state)
{
    struct fixture *f = *state;
    struct store_table_decl decl = users();
    const struct store_table *table, *second;
    const struct attr *item;
    struct buf dropping;
    struct err err;
    char id[16];
    decl.indexes = 1;
    decl.index[0] = (struct store_index_decl){
        .name = TEXT("ByScore"), .key = {.part = {{TEXT("score"), ATTR_NUMBER}}, .hashes = 1}, .counted = true};
    buf_init(&dropping, 1 << 20);
    table = define(f, &decl);
    for (int i = 0; i < 50; i++) {
        snprintf(id, sizeof(id), "u%d", i);
        struct attr *user_item = user(f, id, i);
        item_set_i64(&f->arena, user_item, TEXT("ttl"), f->view.now_s + 5);
        put(f, table, user_item);
    }
    fixture_commit(f);
    struct store_save save = store_stage_save(f->stage);
    assert_int_equal(store_table_drop(f->stage, table, &err), 0);
    assert_int_equal(get(f, table, "u1", &item), ERR_NOT_FOUND);
    store_stage_rollback(f->stage, save);
    assert_int_equal(get(f, table, "u1", &item), 0);

    assert_int_equal(store_table_drop(f->stage, table, &err), 0);
    assert_int_equal(store_table_drop(f->stage, table, &err), ERR_NOT_FOUND);
    assert_int_equal(put(f, table, user(f, "u1", 1)), ERR_NOT_FOUND);
    second = define(f, &decl); /* of the same name, in the same tick */
    assert_ptr_not_equal(second, table);
    assert_int_equal(put(f, second, user(f, "u1", 1)), 0);
    fixture_commit(f);
    assert_ptr_equal(store_table_find(f->store, TEXT("users-dev")), second);
    assert_int_equal(store_table_count(second), 1);
    assert_int_equal(count_query(f, second, NULL, NULL), 1);
    assert_int_equal(store_table_drop(f->stage, second, &err), 0);
    fixture_commit(f);
    assert_null(store_table_find(f->store, TEXT("users-dev")));

    fixture_detach(f);
    fixture_attach(f);
    assert_null(store_table_find(f->store, TEXT("users-dev")));
    table = define(f, &decl); /* a number of its own, though the debris is still there */
    assert_int_equal(store_table_id(table), 3);
    fixture_commit(f);
    assert_int_equal(count_query(f, table, NULL, NULL), 0);
    while (store_backfill(&f->view, 20, &f->arena) > 0)
        fixture_commit(f);
    f->view.now_s += 10;
    assert_int_equal(store_expire(&f->view, 100, &f->arena), 0); /* rows without a table */
    fixture_commit(f);
    assert_true(store_next_expiry(&f->view) == INT64_MAX);
    verify_clean(f->store);

    put(f, table, user(f, "u2", 1)); /* and by replaying */
    fixture_commit(f);
    assert_int_equal(store_table_drop(f->stage, table, &err), 0);
    fixture_commit(f);
    buf_add_text(&dropping, buf_text(&f->record));
    define(f, &decl);
    fixture_commit(f);
    assert_int_equal(store_replay(f->store, ++f->sequence, buf_text(&dropping), &err), 0);
    assert_non_null(store_table_find(f->store, TEXT("users-dev"))); /* number 3 is gone already, 4 stays */
    buf_fini(&dropping);
}

static void test_cold(void **state)
{
    struct fixture *f = *state;
    struct store_table_decl decl = users();
    const struct store_table *table = define(f, &decl);
    const struct attr *item;
    struct store_cursor *cursor;
    struct store_query q = {.table = table};
    for (int i = 0; i < 2000; i++) {
        char id[16];
        snprintf(id, sizeof(id), "user%05d", i);
        put(f, table, user(f, id, i));
    }
    fixture_commit(f);
    assert_int_equal(store_flush(f->store, true, NULL), 0);
    assert_int_equal(store_flushed(f->store), f->sequence);
    fixture_detach(f);
    fixture_attach(f);
    q.table = table = store_table_find(f->store, TEXT("users-dev"));
    f->view.cache_only = true;
    assert_int_equal(get(f, table, "user00700", &item), ERR_COLD);
    assert_int_equal(store_put(&f->view, table, user(f, "user00700", 1), 0, &f->arena, NULL, NULL), ERR_COLD);
    assert_true(store_stage_empty(f->stage));
    assert_int_equal(store_query_open(&f->view, &q, &f->arena, &cursor, NULL), 0);
    int rc;
    while (!(rc = store_cursor_next(cursor, &f->arena, &item)))
        ; /* opening has warmed the block with the catalogue, and the first items with it */
    store_cursor_close(cursor);
    assert_int_equal(rc, ERR_COLD);
    f->view.cache_only = false;
    assert_int_equal(get(f, table, "user00700", &item), 0);
    f->view.cache_only = true;
    assert_int_equal(get(f, table, "user00700", &item), 0);
    assert_int_equal(store_put(&f->view, table, user(f, "user00700", 1), 0, &f->arena, NULL, NULL), 0);
}

static void test_checks(void **state)
{
    struct fixture *f = *state;
    struct store_table_decl decl = users();
    struct err err;
    decl.indexes = 1;
    decl.index[0] = (struct store_index_decl){.name = TEXT("ByName"),
        .key = {.part = {{TEXT("name"), ATTR_STRING}}, .hashes = 1},
        .projection = STORE_PROJECT_INCLUDE,
        .include = {TEXT("score")},
        .includes = 1};
    const struct store_table *table = define(f, &decl);
    struct attr *item = item_create(&f->arena);
    assert_int_equal(store_put(&f->view, table, item, 0, &f->arena, NULL, &err), ERR_TYPE);
    item_set_i64(&f->arena, item, TEXT("userId"), 5);
    assert_int_equal(store_put(&f->view, table, item, 0, &f->arena, NULL, &err), ERR_TYPE);
    item_set_string(&f->arena, item, TEXT("userId"), TEXT(""));
    assert_int_equal(store_put(&f->view, table, item, 0, &f->arena, NULL, &err), ERR_INVALID);
    char *large = arena_alloc(&f->arena, 2049);
    memset(large, 'k', 2049);
    item_set_string(&f->arena, item, TEXT("userId"), text_make(large, 2049));
    assert_int_equal(store_put(&f->view, table, item, 0, &f->arena, NULL, &err), ERR_TOO_LARGE);
    item_set_string(&f->arena, item, TEXT("userId"), text_make(large, 2048));
    item_set_i64(&f->arena, item, TEXT("name"), 5);
    assert_int_equal(store_put(&f->view, table, item, 0, &f->arena, NULL, &err), ERR_TYPE);
    item_set_string(&f->arena, item, TEXT("name"), TEXT("n"));
    item_set_i64(&f->arena, item, TEXT("score"), 1);
    item_set_i64(&f->arena, item, TEXT("hidden"), 1);
    assert_int_equal(
        store_put(&f->view, table, item, STORE_IF_PRESENT, &f->arena, NULL, &err), ERR_NOT_FOUND);
    assert_int_equal(store_put(&f->view, table, item, STORE_IF_ABSENT, &f->arena, NULL, &err), 0);
    assert_int_equal(store_put(&f->view, table, item, STORE_IF_ABSENT, &f->arena, NULL, &err), ERR_EXISTS);

    struct store_query q = {
        .table = table, .index = store_index_find(table, TEXT("ByName")), .hash = {item_get_str(item, "name")}};
    struct store_cursor *cursor;
    const struct attr *got;
    assert_int_equal(store_query_open(&f->view, &q, &f->arena, &cursor, &err), 0);
    assert_int_equal(store_cursor_next(cursor, &f->arena, &got), 0);
    assert_int_equal(got->count, 3); /* both keys and the included attribute */
    assert_null(item_get_str(got, "hidden"));
    store_cursor_close(cursor);
    q.op = STORE_RANGE_EQ;
    q.low = q.hash[0];
    assert_int_equal(
        store_query_open(&f->view, &q, &f->arena, &cursor, &err), ERR_INVALID); /* no range key */
    q.op = STORE_RANGE_ALL;
    q.after = item_create(&f->arena);
    assert_int_equal(store_query_open(&f->view, &q, &f->arena, &cursor, &err), ERR_INVALID);
}

static void test_prefix_query(void **state)
{
    struct fixture *f = *state;
    struct store_table_decl decl = {.name = TEXT("files"),
        .hash = TEXT("h"),
        .hash_type = ATTR_STRING,
        .range = TEXT("r"),
        .range_type = ATTR_BINARY};
    const struct store_table *table = define(f, &decl);
    static const struct text names[] = {
        {"a", 1}, {"a\0", 2}, {"a\0b", 3}, {"a\xFF", 2}, {"a\xFF\xFF", 3}, {"b", 1}};
    static const struct text prefixes[] = {{"a", 1}, {"a\0", 2}, {"a\xFF", 2}, {"", 0}, {"c", 1}};
    static const int want[] = {5, 2, 2, 6, 0};
    struct attr key = {.type = ATTR_BINARY};
    for (int i = 0; i < 6; i++) {
        struct attr *item = item_create(&f->arena);
        item_set_string(&f->arena, item, TEXT("h"), TEXT("x"));
        item_set_string(&f->arena, item, TEXT("r"), names[i])->type = ATTR_BINARY;
        assert_int_equal(put(f, table, item), 0);
        if (i == 2)
            fixture_commit(f);
    }
    for (int i = 0; i < 5; i++) {
        struct attr hash = {.type = ATTR_STRING, .text = TEXT("x")};
        struct store_query q = {.table = table, .hash = {&hash}, .op = STORE_RANGE_PREFIX, .low = &key};
        struct store_cursor *cursor;
        const struct attr *item;
        int n = 0;
        key.text = prefixes[i];
        assert_int_equal(store_query_open(&f->view, &q, &f->arena, &cursor, NULL), 0);
        while (!store_cursor_next(cursor, &f->arena, &item))
            n++;
        assert_int_equal(n, want[i]);
        store_cursor_close(cursor);
    }
}

static int bad_row(struct rocks *rocks, struct text key, struct text value)
{
    struct rocks_batch *batch = rocks_batch_create();
    struct err err;
    rocks_batch_put(batch, key, value);
    int rc = rocks_write(rocks, batch, &err);
    rocks_batch_destroy(batch);
    return rc;
}

/* The verifier can fail; a newer format is refused. */
static void test_damage(void **state)
{
    struct fixture *f = *state;
    struct store_table_decl decl = users();
    struct store_report report;
    struct rocks *rocks;
    struct err err;
    const struct store_table *table = define(f, &decl);
    put(f, table, user(f, "ann", 1));
    fixture_commit(f);
    fixture_detach(f);
    assert_int_equal(rocks_open(&rocks, f->folder, 0, 0, NULL, &err), 0);
    assert_int_equal(bad_row(rocks, text_make("i\0\0\0\1bob\0\1", 10), TEXT("garbage")), 0);
    rocks_close(rocks);
    fixture_attach(f);
    assert_int_equal(store_verify(f->store, &report), 0);
    assert_int_equal(report.damaged, 2); /* the item, and the number of items */
    assert_int_equal(report.items, 2);
    assert_true(report.first[0]);
    fixture_detach(f);

    assert_int_equal(rocks_open(&rocks, f->folder, 0, 0, NULL, &err), 0);
    assert_int_equal(bad_row(rocks, TEXT("f"), text_make("\0\0\0\0\0\0\0\11", 8)), 0);
    rocks_close(rocks);
    struct store *store;
    assert_int_equal(store_open(&store, &(struct store_config){.folder = f->folder}, &err), ERR_VERSION);
    folder_remove(f->folder);
    fixture_attach(f);
}

static void test_snapshot_view(void **state)
{
    struct fixture *f = *state;
    struct store_table_decl decl = users();
    const struct store_table *table = define(f, &decl);
    const struct attr *item;
    fixture_commit(f);
    put(f, table, user(f, "ann", 1));
    fixture_commit(f);
    const struct store_snapshot *old = store_snapshot_acquire(f->store, 3);
    assert_int_equal(store_snapshot_sequence(old), f->sequence);
    struct store_view view = {.store = f->store, .snapshot = old, .now_s = f->view.now_s};
    put(f, table, user(f, "bob", 1));
    fixture_commit(f);
    assert_int_equal(store_get(&view, table, user(f, "bob", 0), &f->arena, &item), ERR_NOT_FOUND);
    assert_int_equal(store_get(&view, table, user(f, "ann", 0), &f->arena, &item), 0);
    store_snapshot_release(f->store, 3);
    view.snapshot = store_snapshot_acquire(f->store, 3);
    assert_int_equal(store_get(&view, table, user(f, "bob", 0), &f->arena, &item), 0);
    store_snapshot_release(f->store, 3);
}

/* A write behind a read is spared the look-up only while what was read still holds: its old item, its change record and the numbers are those of the row as it is. */
static void test_seen(void **state)
{
    struct fixture *f = *state;
    struct store_table_decl decl = users();
    const struct store_table *table = define(f, &decl);
    const struct attr *item, *old;
    struct store_seen seen = {.stage = NULL}, absent = {.stage = NULL};
    fixture_commit(f);
    put(f, table, user(f, "ann", 1));
    fixture_commit(f);
    assert_int_equal(store_get_seen(&f->view, table, user(f, "ann", 0), &f->arena, &item, &seen), 0);
    assert_int_equal(store_get_seen(&f->view, table, user(f, "bob", 0), &f->arena, &item, &absent), ERR_NOT_FOUND);
    /* Of another row. */
    assert_int_equal(store_put_seen(&f->view, table, user(f, "bob", 5), 0, &f->arena, &seen, &old, NULL), 0);
    assert_null(old);
    /* Something was staged since: what `absent` says of bob is over. */
    assert_int_equal(store_put_seen(&f->view, table, user(f, "bob", 6), STORE_IF_ABSENT, &f->arena, &absent, &old, NULL), ERR_EXISTS);
    assert_int_equal(store_delete_seen(&f->view, table, user(f, "bob", 0), 0, &f->arena, &absent, &old, NULL), 0);
    assert_non_null(old);
    /* A roll-back is a change like any other, and leads to no number of writes that was there before. */
    struct store_save save = store_stage_save(f->stage);
    put(f, table, user(f, "ann", 2));
    assert_int_equal(store_get_seen(&f->view, table, user(f, "ann", 0), &f->arena, &item, &seen), 0);
    store_stage_rollback(f->stage, save);
    assert_int_equal(store_put_seen(&f->view, table, user(f, "ann", 3), 0, &f->arena, &seen, &old, NULL), 0);
    assert_true(attr_equal(old, user(f, "ann", 1)));
    /* And it is believed when it holds. */
    assert_int_equal(store_get_seen(&f->view, table, user(f, "ann", 0), &f->arena, &item, &seen), 0);
    uint64_t before = f->view.items;
    assert_int_equal(store_put_seen(&f->view, table, user(f, "ann", 4), STORE_IF_PRESENT, &f->arena, &seen, &old, NULL), 0);
    assert_int_equal(f->view.items, before);
    assert_ptr_equal(old, item);
    /* The next tick's stage begins with other numbers. */
    fixture_commit(f);
    assert_int_equal(store_put_seen(&f->view, table, user(f, "ann", 9), 0, &f->arena, &seen, &old, NULL), 0);
    assert_true(attr_equal(old, user(f, "ann", 4)));
    fixture_commit(f);
    verify_clean(f->store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
    const struct CMUnitTest tests[] = {TEST(test_define), TEST(test_changes), TEST(test_expired_overwrite),
        TEST(test_expiry_slices), TEST(test_volatile), TEST(test_raw), TEST(test_backfill), TEST(test_drop),
        TEST(test_cold), TEST(test_checks), TEST(test_prefix_query), TEST(test_damage),
        TEST(test_snapshot_view), TEST(test_seen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
