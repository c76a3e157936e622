/*
 * The store against a model that is nothing but an array: random puts, deletes, queries, ranks, expiry, save
 * points, stages in flight and reopening. WEIR_SEED chooses another walk, WEIR_STEPS its length.
 */
#include "fixture.h"

#ifndef STEPS
#define STEPS 100000
#endif

enum { HASHES = 5, RANGES = 40, SLOTS = HASHES * RANGES, OWNERS = 3 };

struct slot {
    bool present;
    int owner; /* -1: lacks the index's attributes */
    int score;
    int64_t ttl; /* 0: none */
    int payload;
};

struct model {
    struct slot slot[SLOTS];
};

struct world {
    struct fixture f;
    struct store_stage *spare; /* the stage in flight, or the next one */
    bool flying, applied;      /* the flight has been sealed; and applied */
    uint64_t flight_sequence;
    const struct store_table *table;
    const struct store_index *by_owner, *by_kind;
    struct model now;
    uint64_t seed;
};

static uint64_t roll(struct world *w, uint64_t n)
{
    return random_next(&w->seed) % n;
}

static const char *const hashes[HASHES] = {"a", "a\x01", "ab", "b", "\xc3\xa9"};
static const int ranges_step = 7; /* -140, -133, ...: numbers of several lengths and both signs */

static int range_value(int r)
{
    return (r - 20) * ranges_step;
}

static void key_make(struct world *w, struct attr *item, int i)
{
    item_set_string(&w->f.arena, item, TEXT("id"), text_of(hashes[i / RANGES]));
    item_set_i64(&w->f.arena, item, TEXT("n"), range_value(i % RANGES));
}

static struct attr *item_make(struct world *w, int i, const struct slot *s)
{
    struct arena *a = &w->f.arena;
    struct attr *item = item_create(a);
    key_make(w, item, i);
    if (s->owner >= 0) {
        item_set_string(a, item, TEXT("owner"), arena_format(a, "o%d", s->owner));
        item_set_i64(a, item, TEXT("score"), s->score);
        item_set_string(a, item, TEXT("kind"), s->score % 2 ? TEXT("odd") : TEXT("even"));
    }
    if (s->ttl)
        item_set_i64(a, item, TEXT("ttl"), s->ttl);
    item_set_i64(a, item, TEXT("payload"), s->payload);
    return item;
}

static bool visible(const struct world *w, const struct slot *s)
{
    return s->present && !(s->ttl && s->ttl <= w->f.view.now_s);
}

static void expect_item(struct world *w, int i, const struct attr *got)
{
    if (!attr_equal(got, item_make(w, i, &w->now.slot[i])))
        fail_msg("item %d differs", i);
}

static const struct store_table_decl *declaration(void)
{
    static struct store_table_decl d;
    d = (struct store_table_decl){.name = TEXT("model-table"),
        .hash = TEXT("id"),
        .hash_type = ATTR_STRING,
        .range = TEXT("n"),
        .range_type = ATTR_NUMBER,
        .ttl = TEXT("ttl"),
        .changes = true,
        .counted = true,
        .indexes = 2};
    d.index[0] = (struct store_index_decl){.name = TEXT("ByOwner"),
        .key = {.part = {{TEXT("owner"), ATTR_STRING}, {TEXT("score"), ATTR_NUMBER}}, .hashes = 1, .ranges = 1},
        .counted = true};
    d.index[1] = (struct store_index_decl){.name = TEXT("ByKind"),
        .key = {.part = {{TEXT("kind"), ATTR_STRING}}, .hashes = 1},
        .projection = STORE_PROJECT_KEYS};
    return &d;
}

static void attach(struct world *w)
{
    struct err err = {0};
    if (store_table_define(w->f.stage, declaration(), &w->table, &err))
        fail_msg("define: %s", err.text);
    w->by_owner = store_index_find(w->table, TEXT("ByOwner"));
    w->by_kind = store_index_find(w->table, TEXT("ByKind"));
    assert_non_null(w->by_owner);
    assert_int_equal(store_stage_create(w->f.store, &w->spare), 0);
}

/* ---- steps that write ---- */

static void step_put(struct world *w)
{
    int i = (int)roll(w, SLOTS);
    struct slot s = {.present = true,
        .owner = (int)roll(w, OWNERS + 1) - 1,
        .score = (int)roll(w, 30) - 10,
        .payload = (int)roll(w, 3)};
    const struct attr *old = NULL;
    struct err err = {0};
    static const unsigned choices[] = {0, 0, STORE_IF_ABSENT, STORE_IF_PRESENT};
    unsigned flags = choices[roll(w, 4)];
    if (roll(w, 3) == 0)
        s.ttl = w->f.view.now_s - 5 + (int64_t)roll(w, 60);
    struct slot *was = &w->now.slot[i];
    bool there = visible(w, was);
    int expected = (flags & STORE_IF_ABSENT) && there     ? ERR_EXISTS
                   : (flags & STORE_IF_PRESENT) && !there ? ERR_NOT_FOUND
                                                          : 0;
    int rc = store_put(&w->f.view, w->table, item_make(w, i, &s), flags, &w->f.arena, &old, &err);
    if (rc != expected)
        fail_msg("put: %s instead of %s: %s", err_name(rc), err_name(expected), err.text);
    assert_int_equal(old != NULL, there);
    if (old)
        expect_item(w, i, old);
    if (!rc)
        *was = s;
}

static void step_delete(struct world *w)
{
    int i = (int)roll(w, SLOTS);
    const struct attr *old = NULL;
    struct err err;
    struct attr *key = item_create(&w->f.arena);
    key_make(w, key, i);
    assert_int_equal(store_delete(&w->f.view, w->table, key, 0, &w->f.arena, &old, &err), 0);
    assert_int_equal(old != NULL, visible(w, &w->now.slot[i]));
    if (old) {
        expect_item(w, i, old);
        w->now.slot[i].present = false;
    }
}

static void step_expire(struct world *w)
{
    int due = 0;
    w->f.view.now_s += (int64_t)roll(w, 4);
    for (int i = 0; i < SLOTS; i++)
        due += w->now.slot[i].present && !visible(w, &w->now.slot[i]);
    if (roll(w, 3))
        return;
    int64_t next = store_next_expiry(&w->f.view);
    assert_int_equal(next <= w->f.view.now_s, due > 0);
    assert_int_equal(store_expire(&w->f.view, 100000, &w->f.arena), due);
    for (int i = 0; i < SLOTS; i++)
        if (!visible(w, &w->now.slot[i]))
            w->now.slot[i].present = false;
}

/* ---- steps that read ---- */

static void step_get(struct world *w)
{
    int i = (int)roll(w, SLOTS);
    const struct attr *item = NULL;
    struct attr *key = item_create(&w->f.arena);
    key_make(w, key, i);
    int rc = store_get(&w->f.view, w->table, key, &w->f.arena, &item);
    assert_int_equal(rc, visible(w, &w->now.slot[i]) ? 0 : ERR_NOT_FOUND);
    if (!rc)
        expect_item(w, i, item);
}

static bool in_range(enum store_range_op op, int64_t v, int64_t low, int64_t high)
{
    switch (op) {
    case STORE_RANGE_EQ:
        return v == low;
    case STORE_RANGE_LT:
        return v < low;
    case STORE_RANGE_LE:
        return v <= low;
    case STORE_RANGE_GT:
        return v > low;
    case STORE_RANGE_GE:
        return v >= low;
    case STORE_RANGE_BETWEEN:
        return v >= low && v <= high;
    default:
        return true;
    }
}

static struct attr *number_attr(struct world *w, int64_t v)
{
    return item_set_i64(&w->f.arena, item_create(&w->f.arena), TEXT("v"), v);
}
static struct attr *string_attr(struct world *w, struct text v)
{
    return item_set_string(&w->f.arena, item_create(&w->f.arena), TEXT("v"), v);
}

/* Runs the cursor to its end and compares it with the slots in `want`. */
static void expect_cursor(
    struct world *w, struct store_cursor *cursor, const int *want, int n, const char *what)
{
    const struct attr *item;
    for (int k = 0; k < n; k++) {
        int rc = store_cursor_next(cursor, &w->f.arena, &item);
        if (rc)
            fail_msg("%s: %s after %d of %d", what, err_name(rc), k, n);
        expect_item(w, want[k], item);
    }
    assert_int_equal(store_cursor_next(cursor, &w->f.arena, &item), ERR_NOT_FOUND);
    store_cursor_close(cursor);
}

static void reverse(int *list, int n)
{
    for (int i = 0; i < n / 2; i++) {
        int keep = list[i];
        list[i] = list[n - 1 - i];
        list[n - 1 - i] = keep;
    }
}

static void step_query_table(struct world *w)
{
    int hash = (int)roll(w, HASHES), want[SLOTS], n = 0;
    enum store_range_op op = (enum store_range_op)roll(w, STORE_RANGE_PREFIX);
    int64_t low = range_value((int)roll(w, RANGES)) + (int64_t)roll(w, 3) - 1,
            high = low + (int64_t)roll(w, 100) - 10;
    int after = roll(w, 3) ? -1 : (int)roll(w, RANGES);
    struct err err = {0};
    struct store_query q = {.table = w->table,
        .hash = {string_attr(w, text_of(hashes[hash]))},
        .op = op,
        .low = number_attr(w, low),
        .high = number_attr(w, high),
        .backward = roll(w, 2)};
    if (after >= 0) {
        struct attr *start = item_create(&w->f.arena);
        key_make(w, start, hash * RANGES + after);
        q.after = start;
    }
    for (int r = 0; r < RANGES; r++) {
        bool behind = after < 0 || (q.backward ? r < after : r > after);
        if (behind && visible(w, &w->now.slot[hash * RANGES + r]) && in_range(op, range_value(r), low, high))
            want[n++] = hash * RANGES + r;
    }
    if (q.backward)
        reverse(want, n);
    struct store_cursor *cursor;
    int rc = store_query_open(&w->f.view, &q, &w->f.arena, &cursor, &err);
    if (rc)
        fail_msg("query: %s", err.text);
    expect_cursor(w, cursor, want, n, "table query");
}

/* The entries of an owner in index order: score, id, n. Expired ones too when `all`. */
static int owner_order(const struct world *w, int owner, bool all, int *list)
{
    int n = 0;
    for (int score = -10; score < 20; score++)
        for (int i = 0; i < SLOTS; i++) {
            const struct slot *s = &w->now.slot[i];
            if (s->present && s->owner == owner && s->score == score && (all || visible(w, s)))
                list[n++] = i;
        }
    return n;
}

static void step_query_index(struct world *w)
{
    int owner = (int)roll(w, OWNERS), want[SLOTS], kept = 0, n = owner_order(w, owner, false, want);
    enum store_range_op op = (enum store_range_op)roll(w, STORE_RANGE_PREFIX);
    int64_t low = (int64_t)roll(w, 32) - 11, high = low + (int64_t)roll(w, 12) - 2;
    struct err err = {0};
    struct store_query q = {.table = w->table,
        .index = w->by_owner,
        .hash = {string_attr(w, arena_format(&w->f.arena, "o%d", owner))},
        .op = op,
        .low = number_attr(w, low),
        .high = number_attr(w, high),
        .backward = roll(w, 2)};
    for (int k = 0; k < n; k++)
        if (in_range(op, w->now.slot[want[k]].score, low, high))
            want[kept++] = want[k];
    if (q.backward)
        reverse(want, kept);
    int skip = 0;
    if (kept > 1 && roll(w, 2)) {
        skip = (int)roll(w, (uint64_t)kept);
        q.after = item_make(w, want[skip], &w->now.slot[want[skip]]);
        skip++;
    }
    struct store_cursor *cursor;
    int rc = store_query_open(&w->f.view, &q, &w->f.arena, &cursor, &err);
    if (rc)
        fail_msg("index query: %s", err.text);
    expect_cursor(w, cursor, want + skip, kept - skip, "index query");
}

static void step_query_keys(struct world *w)
{
    struct store_query q = {.table = w->table, .index = w->by_kind, .hash = {string_attr(w, TEXT("odd"))}};
    struct store_cursor *cursor;
    const struct attr *item;
    assert_int_equal(store_query_open(&w->f.view, &q, &w->f.arena, &cursor, NULL), 0);
    for (int i = 0; i < SLOTS; i++) {
        const struct slot *s = &w->now.slot[i];
        if (!visible(w, s) || s->owner < 0 || s->score % 2 == 0)
            continue;
        assert_int_equal(store_cursor_next(cursor, &w->f.arena, &item), 0);
        assert_int_equal(item->count, 3);
        assert_true(text_is(item_get_str(item, "kind")->text, "odd"));
        assert_true(text_is(item_get_str(item, "id")->text, hashes[i / RANGES]));
        int64_t n;
        assert_int_equal(attr_to_i64(item_get_str(item, "n"), &n), 0);
        assert_int_equal(n, range_value(i % RANGES));
    }
    assert_int_equal(store_cursor_next(cursor, &w->f.arena, &item), ERR_NOT_FOUND);
    store_cursor_close(cursor);
}

static void step_scan(struct world *w)
{
    int want[SLOTS], n = 0;
    struct store_query q = {.table = w->table, .backward = roll(w, 2)};
    for (int i = 0; i < SLOTS; i++)
        if (visible(w, &w->now.slot[i]))
            want[n++] = i;
    if (q.backward)
        reverse(want, n);
    struct store_cursor *cursor;
    assert_int_equal(store_query_open(&w->f.view, &q, &w->f.arena, &cursor, NULL), 0);
    expect_cursor(w, cursor, want, n, "scan");
}

static void step_rank(struct world *w)
{
    int owner = (int)roll(w, OWNERS), list[SLOTS], n = owner_order(w, owner, true, list);
    const struct attr *hash = string_attr(w, arena_format(&w->f.arena, "o%d", owner));
    uint64_t count = 99999, rank;
    bool backward = roll(w, 2);
    assert_int_equal(store_rank_count(&w->f.view, w->table, w->by_owner, &hash, &count), 0);
    assert_int_equal(count, n);
    if (n) {
        int k = (int)roll(w, (uint64_t)n);
        assert_int_equal(store_rank_of(&w->f.view, w->table, w->by_owner,
                             item_make(w, list[k], &w->now.slot[list[k]]), backward, &rank),
            0);
        assert_int_equal(rank, backward ? n - 1 - k : k);
    }
    if (backward)
        reverse(list, n);
    struct store_query q = {.table = w->table, .index = w->by_owner, .hash = {hash}, .backward = backward};
    int from = (int)roll(w, (uint64_t)n + 2), want[SLOTS], kept = 0;
    for (int k = from; k < n; k++)
        if (visible(w, &w->now.slot[list[k]]))
            want[kept++] = list[k];
    struct store_cursor *cursor;
    assert_int_equal(store_rank_seek(&w->f.view, &q, (uint64_t)from, &w->f.arena, &cursor, NULL), 0);
    expect_cursor(w, cursor, want, kept, "rank");
}

static void step_rank_table(struct world *w)
{
    int hash = (int)roll(w, HASHES), i = hash * RANGES + (int)roll(w, RANGES), total = 0, before = 0;
    uint64_t count = 0, rank;
    for (int r = 0; r < RANGES; r++) {
        total += w->now.slot[hash * RANGES + r].present;
        before += w->now.slot[hash * RANGES + r].present && hash * RANGES + r < i;
    }
    const struct attr *value = string_attr(w, text_of(hashes[hash]));
    assert_int_equal(store_rank_count(&w->f.view, w->table, NULL, &value, &count), 0);
    assert_int_equal(count, total);
    struct attr *key = item_create(&w->f.arena);
    key_make(w, key, i);
    int rc = store_rank_of(&w->f.view, w->table, NULL, key, false, &rank);
    assert_int_equal(rc, w->now.slot[i].present ? 0 : ERR_NOT_FOUND);
    if (!rc)
        assert_int_equal(rank, before);
}

/* A cursor stays right while the handler deletes what it reads. */
static void step_delete_while_reading(struct world *w)
{
    int hash = (int)roll(w, HASHES);
    struct store_query q = {
        .table = w->table, .hash = {string_attr(w, text_of(hashes[hash]))}, .backward = roll(w, 2)};
    struct store_cursor *cursor;
    const struct attr *item;
    assert_int_equal(store_query_open(&w->f.view, &q, &w->f.arena, &cursor, NULL), 0);
    for (int k = 0; k < RANGES; k++) {
        int r = q.backward ? RANGES - 1 - k : k, i = hash * RANGES + r;
        if (!visible(w, &w->now.slot[i]))
            continue;
        assert_int_equal(store_cursor_next(cursor, &w->f.arena, &item), 0);
        expect_item(w, i, item);
        if (roll(w, 3) == 0) {
            assert_int_equal(store_delete(&w->f.view, w->table, item, 0, &w->f.arena, NULL, NULL), 0);
            w->now.slot[i].present = false;
        }
        int ahead = q.backward ? r - 2 : r + 2;
        if (roll(w, 4) == 0 && ahead >= 0 && ahead < RANGES) { /* and write ahead of it */
            struct slot s = {.present = true, .owner = -1};
            assert_int_equal(store_put(&w->f.view, w->table, item_make(w, hash * RANGES + ahead, &s), 0,
                                 &w->f.arena, NULL, NULL),
                0);
            w->now.slot[hash * RANGES + ahead] = s;
        }
    }
    assert_int_equal(store_cursor_next(cursor, &w->f.arena, &item), ERR_NOT_FOUND);
    store_cursor_close(cursor);
}

/* ---- committing ---- */

static void land(struct world *w)
{
    struct err err;
    if (!w->flying)
        return;
    if (!w->applied)
        assert_int_equal(store_stage_apply(w->spare, w->flight_sequence, &err), 0);
    store_stage_unfollow(w->f.stage);
    store_stage_reset(w->spare);
    assert_int_equal(store_snapshot_publish(w->f.store), 0);
    w->flying = false;
}

static void take_off(struct world *w)
{
    land(w);
    buf_clear(&w->f.record);
    bool durable = store_stage_durable(w->f.stage);
    assert_int_equal(store_stage_seal(w->f.stage, 1, &w->f.record), 0);
    w->flight_sequence = durable ? ++w->f.sequence : 0;
    struct store_stage *flight = w->f.stage;
    w->f.stage = w->f.view.stage = w->spare;
    w->spare = flight;
    store_stage_follow(w->f.stage, flight);
    w->flying = true;
    w->applied = false;
}

/* The flight may be applied at any moment, without the reader noticing. */
static void touch_down(struct world *w)
{
    struct err err;
    if (!w->flying || w->applied)
        return;
    assert_int_equal(store_stage_apply(w->spare, w->flight_sequence, &err), 0);
    w->applied = true;
}

static void settle(struct world *w)
{
    take_off(w);
    land(w);
    int64_t present = 0;
    for (int i = 0; i < SLOTS; i++)
        present += w->now.slot[i].present;
    assert_int_equal(store_table_count(w->table), present);
}

static void reopen(struct world *w)
{
    int64_t now_s = w->f.view.now_s;
    settle(w);
    verify_clean(w->f.store);
    store_stage_destroy(w->spare);
    fixture_detach(&w->f);
    fixture_attach(&w->f);
    w->f.view.now_s = now_s;
    attach(w);
    assert_true(store_stage_empty(w->f.stage)); /* the definition has not changed */
}

static void step_write(struct world *w)
{
    uint64_t dice = roll(w, 20);
    if (dice < 13)
        step_put(w);
    else if (dice < 18)
        step_delete(w);
    else if (dice < 19)
        step_expire(w);
    else
        step_delete_while_reading(w);
}

static void step_rollback(struct world *w)
{
    static struct model keep;
    int64_t now_s = w->f.view.now_s;
    keep = w->now;
    struct store_save save = store_stage_save(w->f.stage);
    bool empty = store_stage_empty(w->f.stage);
    for (uint64_t k = roll(w, 12); k; k--)
        step_write(w);
    store_stage_rollback(w->f.stage, save);
    assert_int_equal(store_stage_empty(w->f.stage), empty);
    w->now = keep;
    w->f.view.now_s = now_s;
}

static void step_read(struct world *w)
{
    static void (*const steps[])(struct world *) = {step_get, step_get, step_query_table, step_query_table,
        step_query_index, step_query_index, step_query_keys, step_scan, step_rank, step_rank,
        step_rank_table};
    steps[roll(w, sizeof(steps) / sizeof(steps[0]))](w);
}

static long setting(const char *name, long otherwise)
{
    const char *value = getenv(name);
    return value ? atol(value) : otherwise;
}

static void test_model(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof(w));
    w.seed = (uint64_t)setting("WEIR_SEED", 20251120);
    long steps = setting("WEIR_STEPS", STEPS);
    fixture_open(&w.f);
    attach(&w);
    settle(&w);
    for (long k = 0; k < steps; k++) {
        arena_reset(&w.f.arena);
        uint64_t dice = roll(&w, 100);
        if (dice < 55)
            step_write(&w);
        else if (dice < 90)
            step_read(&w);
        else if (dice < 94)
            step_rollback(&w);
        else if (dice < 97)
            take_off(&w);
        else if (dice < 99)
            touch_down(&w);
        else
            land(&w);
        if (k % 10000 == 9999)
            reopen(&w);
        else if (k % 5000 == 4999)
            assert_int_equal(store_flush(w.f.store, true, NULL), 0);
    }
    settle(&w);
    verify_clean(w.f.store);
    store_stage_destroy(w.spare);
    fixture_close(&w.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
