/*
 * Ordered counts against a sorted array: 200,000 entries (a million under WEIR_SOAK=1), put in random order,
 * then clusters of neighbours deleted so that blocks empty out, then put again. Rank and entry at a rank are
 * compared everywhere; the verifier recounts every block.
 */
#include "fixture.h"

#include "base/clock.h"

struct entry {
    int64_t score;
    uint32_t id;
    bool present;
};

static struct fixture f;
static const struct store_table *table;
static const struct store_index *ranking;
static struct entry *entries; /* in index order */
static size_t entry_count;
static uint64_t seed = 7;

static int by_order(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void define(void)
{
    struct store_table_decl d = {
        .name = TEXT("leaderboard"), .hash = TEXT("id"), .hash_type = ATTR_STRING, .indexes = 1};
    struct err err = {0};
    d.index[0] = (struct store_index_decl){.name = TEXT("Ranking"),
        .key = {.part = {{TEXT("mode"), ATTR_STRING}, {TEXT("score"), ATTR_NUMBER}}, .hashes = 1, .ranges = 1},
        .counted = true};
    if (store_table_define(f.stage, &d, &table, &err))
        fail_msg("%s", err.text);
    ranking = store_index_find(table, TEXT("Ranking"));
}

static struct attr *item_of(const struct entry *e)
{
    struct attr *item = item_create(&f.arena);
    item_set_string(&f.arena, item, TEXT("id"), arena_format(&f.arena, "p%08u", e->id));
    item_set_string(&f.arena, item, TEXT("mode"), TEXT("classic"));
    item_set_i64(&f.arena, item, TEXT("score"), e->score);
    return item;
}

static const struct attr *mode(void)
{
    return item_set_string(&f.arena, item_create(&f.arena), TEXT("mode"), TEXT("classic"));
}

static void turn(size_t *changes)
{
    if (++*changes % 1000 == 0) {
        fixture_commit(&f);
        arena_reset(&f.arena);
    }
}

static void put_all(const size_t *order, size_t n)
{
    size_t changes = 0;
    for (size_t k = 0; k < n; k++) {
        struct entry *e = &entries[order[k]];
        if (e->present)
            continue;
        assert_int_equal(store_put(&f.view, table, item_of(e), STORE_FRESH, &f.arena, NULL, NULL), 0);
        e->present = true;
        turn(&changes);
    }
    fixture_commit(&f);
}

static void delete_range(size_t from, size_t n)
{
    size_t changes = 0;
    for (size_t k = from; k < from + n && k < entry_count; k++) {
        if (!entries[k].present)
            continue;
        assert_int_equal(
            store_delete(&f.view, table, item_of(&entries[k]), STORE_IF_PRESENT, &f.arena, NULL, NULL), 0);
        entries[k].present = false;
        turn(&changes);
    }
    fixture_commit(&f);
}

/* Every `step`-th entry: its rank in both directions, and the entry at that rank. */
static void compare(size_t step)
{
    uint64_t total = 0, count = 0, rank = 0, position = 0;
    for (size_t k = 0; k < entry_count; k++)
        total += entries[k].present;
    const struct attr *hash = mode();
    assert_int_equal(store_rank_count(&f.view, table, ranking, &hash, &count), 0);
    assert_int_equal(count, total);
    for (size_t k = 0; k < entry_count; k++) {
        if (!entries[k].present)
            continue;
        if (position % step == 0 || position + 1 == total) {
            struct attr *item = item_of(&entries[k]);
            struct store_query q = {
                .table = table, .index = ranking, .hash = {mode()}, .backward = position & 1};
            struct store_cursor *cursor;
            const struct attr *got;
            assert_int_equal(store_rank_of(&f.view, table, ranking, item, q.backward, &rank), 0);
            assert_int_equal(rank, q.backward ? total - 1 - position : position);
            assert_int_equal(store_rank_seek(&f.view, &q, rank, &f.arena, &cursor, NULL), 0);
            assert_int_equal(store_cursor_next(cursor, &f.arena, &got), 0);
            assert_true(attr_equal(got, item));
            store_cursor_close(cursor);
            arena_reset(&f.arena);
        }
        position++;
    }
    if (!total) {
        struct store_query q = {.table = table, .index = ranking, .hash = {mode()}};
        struct store_cursor *cursor;
        const struct attr *got;
        assert_int_equal(store_rank_seek(&f.view, &q, 0, &f.arena, &cursor, NULL), 0);
        assert_int_equal(store_cursor_next(cursor, &f.arena, &got), ERR_NOT_FOUND);
        store_cursor_close(cursor);
    }
}

static void measure(void)
{
    enum { ROUNDS = 2000 };
    uint64_t rank;
    int64_t start = clock_mono_ns();
    for (int k = 0; k < ROUNDS; k++) {
        assert_int_equal(store_rank_of(&f.view, table, ranking,
                             item_of(&entries[random_next(&seed) % entry_count]), true, &rank),
            0);
        arena_reset(&f.arena);
    }
    printf("rank among %zu: %.1f us\n", entry_count, (double)(clock_mono_ns() - start) / 1e3 / ROUNDS);
}

static void test_ranks(void **state)
{
    (void)state;
    const char *soak = getenv("WEIR_SOAK");
    entry_count = soak && *soak == '1' ? 1000000 : 200000;
    entries = calloc(entry_count, sizeof(*entries));
    size_t *order = calloc(entry_count, sizeof(*order));
    for (size_t k = 0; k < entry_count; k++) {
        entries[k] = (struct entry){.score = (int64_t)(random_next(&seed) % 50000), .id = (uint32_t)k};
        order[k] = k;
    }
    qsort(entries, entry_count, sizeof(*entries), by_order);
    for (size_t k = entry_count - 1; k > 0; k--) {
        size_t other = random_next(&seed) % (k + 1), keep = order[k];
        order[k] = order[other];
        order[other] = keep;
    }
    fixture_open(&f);
    define();
    int64_t start = clock_mono_ns();
    put_all(order, entry_count);
    printf("put: %.1f us each\n", (double)(clock_mono_ns() - start) / 1e3 / (double)entry_count);
    compare(97);
    measure();
    verify_clean(f.store);
    for (int k = 0; k < 40; k++) /* clusters: whole blocks and their parents go */
        delete_range(random_next(&seed) % entry_count, entry_count / 60);
    compare(61);
    verify_clean(f.store);
    put_all(order, entry_count / 2); /* back into the gaps */
    compare(61);
    verify_clean(f.store);
    fixture_detach(&f);
    fixture_attach(&f);
    table = store_table_find(f.store, TEXT("leaderboard"));
    ranking = store_index_find(table, TEXT("Ranking"));
    compare(997);
    delete_range(0, entry_count);
    compare(1);
    verify_clean(f.store);
    put_all(order, 300);
    compare(1);
    verify_clean(f.store);
    fixture_close(&f);
    free(entries);
    free(order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ranks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
