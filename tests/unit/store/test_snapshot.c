/*
 * Readers on other threads while the committer applies: each snapshot must be one moment. A tick moves an
 * amount between two accounts and bumps a third row, so the sum never changes within a snapshot and its
 * sequence tells the bump. Made for the thread sanitizer as well.
 */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { READERS = 3, ACCOUNTS = 8, TICKS = 1500, SUM = 8000 };

struct reader {
    struct store *store;
    const struct store_table *table;
    unsigned number;
    atomic_bool *stop;
    uint64_t rounds;
    const char *failure;
};

static struct attr *account(struct arena *a, int n, int64_t amount)
{
    struct attr *item = item_create(a);
    item_set_string(a, item, TEXT("id"), arena_format(a, "account%d", n));
    item_set_i64(a, item, TEXT("amount"), amount);
    return item;
}

static const char *read_once(struct reader *r, struct arena *arena, uint64_t *last)
{
    struct store_view view = {
        .store = r->store, .snapshot = store_snapshot_acquire(r->store, r->number), .now_s = 1};
    struct store_query q = {.table = r->table};
    struct store_cursor *cursor;
    const struct attr *item;
    const char *failure = NULL;
    int64_t sum = 0, amount, bump = -1;
    int n = 0, rc = store_query_open(&view, &q, arena, &cursor, NULL);
    uint64_t sequence = store_snapshot_sequence(view.snapshot);
    while (!rc && !(rc = store_cursor_next(cursor, arena, &item))) {
        attr_to_i64(item_get_str(item, "amount"), &amount);
        if (text_is(item_get_str(item, "id")->text, "bump"))
            bump = amount;
        else
            sum += amount, n++;
    }
    if (rc != ERR_NOT_FOUND)
        failure = "the scan ended early";
    else if (n != ACCOUNTS || sum != SUM)
        failure = "the sum has changed within a snapshot";
    else if (bump != (int64_t)sequence)
        failure = "the snapshot's sequence and its data disagree";
    else if (sequence < *last)
        failure = "the snapshots went back";
    *last = sequence;
    store_cursor_close(cursor);
    store_snapshot_release(r->store, r->number);
    return failure;
}

static void *read_on(void *argument)
{
    struct reader *r = argument;
    struct arena arena;
    uint64_t last = 0;
    arena_init(&arena, 16 << 10, 16 << 20);
    while (!atomic_load(r->stop) && !r->failure) {
        r->failure = read_once(r, &arena, &last);
        r->rounds++;
        arena_reset(&arena);
    }
    arena_fini(&arena);
    return NULL;
}

static void put(struct fixture *f, const struct store_table *table, struct attr *item)
{
    assert_int_equal(store_put(&f->view, table, item, 0, &f->arena, NULL, NULL), 0);
}

static void bump(struct fixture *f, const struct store_table *table)
{
    struct attr *item = account(&f->arena, 0, (int64_t)f->sequence + 1);
    item_set_string(&f->arena, item, TEXT("id"), TEXT("bump"));
    put(f, table, item);
}

static void move(struct fixture *f, const struct store_table *table, uint64_t *seed)
{
    const struct attr *a, *b;
    int64_t x, y;
    int from = (int)(random_next(seed) % ACCOUNTS), to = (from + 1) % ACCOUNTS;
    assert_int_equal(store_get(&f->view, table, account(&f->arena, from, 0), &f->arena, &a), 0);
    assert_int_equal(store_get(&f->view, table, account(&f->arena, to, 0), &f->arena, &b), 0);
    attr_to_i64(item_get_str(a, "amount"), &x);
    attr_to_i64(item_get_str(b, "amount"), &y);
    put(f, table, account(&f->arena, from, x - 7));
    put(f, table, account(&f->arena, to, y + 7));
    bump(f, table);
}

static void test_readers(void **state)
{
    (void)state;
    struct fixture f;
    struct reader reader[READERS];
    pthread_t thread[READERS];
    atomic_bool stop = false;
    uint64_t seed = 11, rounds = 0;
    struct store_table_decl d = {.name = TEXT("accounts"), .hash = TEXT("id"), .hash_type = ATTR_STRING};
    const struct store_table *table;
    fixture_open(&f);
    assert_int_equal(store_table_define(f.stage, &d, &table, NULL), 0);
    for (int n = 0; n < ACCOUNTS; n++)
        put(&f, table, account(&f.arena, n, SUM / ACCOUNTS));
    bump(&f, table);
    fixture_commit(&f);
    for (unsigned i = 0; i < READERS; i++) {
        reader[i] = (struct reader){.store = f.store, .table = table, .number = i * 20, .stop = &stop};
        assert_int_equal(pthread_create(&thread[i], NULL, read_on, &reader[i]), 0);
    }
    for (int k = 0; k < TICKS; k++) {
        move(&f, table, &seed);
        fixture_commit(&f);
        arena_reset(&f.arena);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(thread[i], NULL);
        if (reader[i].failure)
            fail_msg("reader %d: %s", i, reader[i].failure);
        rounds += reader[i].rounds;
    }
    assert_true(rounds >= READERS);
    fixture_close(&f);
}

static bool is_exact(struct fixture *f, const struct store_table *table)
{
    struct store_view view = {.store = f->store, .snapshot = store_snapshot_acquire(f->store, 0), .now_s = 2};
    struct store_query query = {.table = table};
    struct store_cursor *cursor;
    assert_int_equal(store_query_open(&view, &query, &f->arena, &cursor, NULL), 0);
    bool exact = store_cursor_is_exact(cursor);
    store_cursor_close(cursor);
    store_snapshot_release(f->store, 0);
    return exact;
}

/* Between the moment at which a declaration is applied and that at which its snapshot is published, readers have the declaration of one commit and the rows of another. */
static void test_declaration_of_the_snapshot(void **state)
{
    (void)state;
    struct fixture f;
    struct store_table_decl d = {.name = TEXT("accounts"), .hash = TEXT("id"), .hash_type = ATTR_STRING};
    const struct store_table *table;
    fixture_open(&f);
    assert_int_equal(store_table_define(f.stage, &d, &table, NULL), 0);
    put(&f, table, account(&f.arena, 0, 1));
    fixture_commit(&f);
    assert_true(is_exact(&f, table));
    put(&f, table, account(&f.arena, 1, 1));
    fixture_commit(&f);
    assert_true(is_exact(&f, table));

    d.ttl = TEXT("amount");
    assert_int_equal(store_table_define(f.stage, &d, NULL, NULL), 0);
    assert_true(is_exact(&f, table)); /* staged */
    buf_clear(&f.record);
    assert_int_equal(store_stage_seal(f.stage, 1700000000123, &f.record), 0);
    assert_true(is_exact(&f, table)); /* sealed */
    assert_int_equal(store_stage_apply(f.stage, ++f.sequence, NULL), 0);
    assert_false(is_exact(&f, table));
    assert_int_equal(store_snapshot_publish(f.store), 0);
    store_stage_reset(f.stage);
    assert_true(is_exact(&f, table));

    fixture_detach(&f);
    fixture_attach(&f);
    assert_int_equal(store_snapshot_publish(f.store), 0);
    assert_true(is_exact(&f, store_table_find(f.store, TEXT("accounts"))));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_readers), cmocka_unit_test(test_declaration_of_the_snapshot)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
