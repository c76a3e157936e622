/* The feed: every change once and in order, from any position, never ahead of what is durable and published; what is forgotten is said. */
#include "tick/fixture.h"

#include "tick/feed.h"

static void open_at(struct fixture *f, struct feed **feed, uint64_t sequence, uint32_t number)
{
    struct err err = {0};
    must(feed_open(feed, f->tick, f->journal, (struct feed_position){sequence, number}, &err), &err);
}

/* The next change; its record's end is passed over. Answers 0 or the code. */
static int next(struct feed *feed, uint64_t *sequence, struct store_change *change)
{
    struct err err = {0};
    int rc;
    while ((rc = feed_next(feed, sequence, change, &err)) == FEED_END)
        ;
    return rc;
}

static int64_t number_in(struct text encoded)
{
    struct arena arena;
    struct attr *item = NULL;
    int64_t value = -1;
    arena_init(&arena, 1024, 1 << 20);
    assert_int_equal(item_decode(&arena, encoded, &item), 0);
    assert_int_equal(attr_to_i64(item_get(item, TEXT("n")), &value), 0);
    arena_fini(&arena);
    return value;
}

/* Three items in one call: three changes of one record. */
static int put_three(struct tick *tick, struct test_call *call)
{
    static const char *const keys[] = {"x", "y", "z"};
    for (int i = 0; i < 3; i++) {
        int rc = value_write(tick_view(tick), call->table, keys[i], call->number + i, 0, call->call.arena);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void three(struct fixture *f, int number)
{
    struct test_call call;
    call_init(&call, f, number, NULL, 0);
    call.body = put_three;
    assert_int_equal(perform(f, &call), 0);
    call_fini(&call);
}

static void test_order(void **state)
{
    struct fixture *f = fixture_open();
    struct feed *feed;
    struct store_change change;
    uint64_t sequence, before = tick_durable(f->tick), last = 0;
    (void)state;
    for (int i = 0; i < 50; i++)
        assert_int_equal(add_to(f, i % 2 ? "a" : "b", 1), 0);
    open_at(f, &feed, before, FEED_ALL);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(next(feed, &sequence, &change), 0);
        assert_true(sequence > last);
        last = sequence;
        assert_true(text_equal(change.table, TEXT("items")));
        assert_int_equal(change.event, i < 2 ? 'I' : 'M');
        assert_int_equal(number_in(change.after), i / 2 + 1);
    }
    assert_int_equal(next(feed, &sequence, &change), ERR_AGAIN);
    assert_int_equal(next(feed, &sequence, &change), ERR_AGAIN);
    assert_int_equal(add_to(f, "a", 100), 0);
    assert_int_equal(next(feed, &sequence, &change), 0);
    assert_int_equal(number_in(change.after), 125);
    assert_int_equal(number_in(change.before), 25);
    feed_close(feed);
    fixture_close(f);
    (void)state;
}

static void test_positions(void **state)
{
    struct fixture *f = fixture_open();
    struct feed *feed;
    struct store_change change;
    uint64_t sequence, before = tick_durable(f->tick);
    struct err err = {0};
    (void)state;
    three(f, 10);
    three(f, 20);
    /* Cut anywhere, each cursor takes up where the position says. */
    for (uint32_t cut = 0; cut < 6; cut++) {
        struct feed_position at = {before, FEED_ALL};
        open_at(f, &feed, before, FEED_ALL);
        for (uint32_t i = 0; i < cut; i++) {
            assert_int_equal(next(feed, &sequence, &change), 0);
            assert_int_equal(change.number, i % 3);
            at = feed_position(feed);
            assert_int_equal(at.number, i % 3);
        }
        feed_close(feed);
        open_at(f, &feed, at.sequence, at.number);
        for (uint32_t i = cut; i < 6; i++) {
            assert_int_equal(next(feed, &sequence, &change), 0);
            assert_int_equal(number_in(change.after), (i < 3 ? 10 : 20) + (int)i % 3);
        }
        assert_int_equal(next(feed, &sequence, &change), ERR_AGAIN);
        assert_int_equal(feed_position(feed).number, FEED_ALL);
        assert_int_equal(feed_position(feed).sequence, tick_durable(f->tick));
        feed_close(feed);
    }
    /* A number behind the record's last one, and the end of a record, are the same. */
    open_at(f, &feed, before + 1, 99);
    assert_int_equal(next(feed, &sequence, &change), 0);
    assert_int_equal(sequence, before + 2);
    feed_close(feed);
    assert_int_equal(feed_open(&feed, f->tick, f->journal, (struct feed_position){before + 3, 0}, &err), ERR_INVALID);
    assert_null(feed);
    fixture_close(f);
}

static void test_record_ends(void **state)
{
    struct fixture *f = fixture_open();
    struct feed *feed;
    struct store_change change;
    struct err err = {0};
    uint64_t sequence, before = tick_durable(f->tick);
    (void)state;
    three(f, 1);
    open_at(f, &feed, before, FEED_ALL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(feed_next(feed, &sequence, &change, &err), 0);
    assert_int_equal(feed_next(feed, &sequence, &change, &err), FEED_END);
    assert_int_equal(feed_next(feed, &sequence, &change, &err), ERR_AGAIN);
    feed_close(feed);
    fixture_close(f);
}

static int64_t submitted;

static int raise_submitted(struct tick *tick, struct test_call *call)
{
    (void)tick;
    (void)call;
    submitted++;
    return 0;
}

/* What is not durable is not shown, however long its fsync takes. */
static void test_durable_only(void **state)
{
    struct fixture *f = fixture_open();
    struct feed *feed;
    struct store_change change;
    struct test_call call;
    uint64_t sequence;
    (void)state;
    open_at(f, &feed, tick_durable(f->tick), FEED_ALL);
    disk_hold(&f->disk, true);
    call_init(&call, f, 1, "slow", 5);
    call.body = raise_submitted;
    submit(f, &call);
    kick(f);
    until_plain(atomic_load(&f->disk.waiting) > 0);
    assert_int_equal(next(feed, &sequence, &change), ERR_AGAIN);
    assert_true(submitted > 0);
    disk_hold(&f->disk, false);
    until(f, call.done);
    assert_int_equal(next(feed, &sequence, &change), 0);
    assert_int_equal(number_in(change.after), 5);
    /* Whoever reads a snapshot now meets it there: the published one is never older than the feed. */
    assert_true(store_snapshot_sequence(store_snapshot_acquire(f->store, 40)) >= sequence);
    store_snapshot_release(f->store, 40);
    call_fini(&call);
    feed_close(feed);
    fixture_close(f);
}

static void test_restart(void **state)
{
    struct fixture *f = fixture_open();
    struct feed *feed;
    struct store_change change;
    uint64_t sequence, before = tick_durable(f->tick);
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(add_to(f, "a", 1), 0);
    fixture_restart(f);
    assert_int_equal(add_to(f, "a", 1), 0);
    open_at(f, &feed, before, FEED_ALL);
    for (int i = 1; i <= 6; i++) {
        assert_int_equal(next(feed, &sequence, &change), 0);
        assert_int_equal(number_in(change.after), i);
    }
    assert_int_equal(next(feed, &sequence, &change), ERR_AGAIN);
    feed_close(feed);
    fixture_close(f);
}

static void test_forgotten(void **state)
{
    struct fixture *f = fixture_new();
    struct feed *feed = NULL, *inside;
    struct store_change change;
    struct err err = {0};
    uint64_t sequence;
    (void)state;
    fixture_open_data(f, (struct journal_config){.segment_bytes = 8 << 10, .foreground = true});
    fixture_start(f);
    uint64_t before = tick_durable(f->tick);
    open_at(f, &inside, before, FEED_ALL);
    for (int i = 0; i < 300; i++)
        assert_int_equal(add_to(f, "a", 1), 0);
    uint64_t below = tick_durable(f->tick) - 10;
    assert_int_equal(journal_truncate(f->journal, below), 0); /* the committer is idle */
    uint64_t first = journal_first(f->journal);
    assert_true(first > before + 1 && first <= below);
    assert_int_equal(next(inside, &sequence, &change), ERR_NOT_FOUND); /* it had not begun */
    assert_int_equal(feed_open(&feed, f->tick, f->journal, (struct feed_position){first - 2, FEED_ALL}, &err), ERR_NOT_FOUND);
    assert_null(feed);
    open_at(f, &feed, first - 1, FEED_ALL);
    assert_int_equal(next(feed, &sequence, &change), 0);
    assert_int_equal(sequence, first);
    feed_close(feed);
    feed_close(inside);
    fixture_close(f);
}

/* A follower on another thread takes each change once while writers go on. */
struct follower {
    struct fixture *f;
    uint64_t from;
    int wanted;
    int64_t sum;
    atomic_bool done;
};
static atomic_int durable_calls;

static void count_durable(void *context)
{
    (void)context;
    atomic_fetch_add(&durable_calls, 1);
}

static void *follow(void *context)
{
    struct follower *follower = context;
    struct feed *feed;
    struct store_change change;
    uint64_t sequence;
    open_at(follower->f, &feed, follower->from, FEED_ALL);
    for (int i = 0; i < follower->wanted;) {
        int rc = next(feed, &sequence, &change);
        if (rc == ERR_AGAIN)
            continue;
        assert_int_equal(rc, 0);
        follower->sum += number_in(change.after);
        i++;
    }
    feed_close(feed);
    atomic_store(&follower->done, true);
    return NULL;
}

static void test_threads(void **state)
{
    struct fixture *f = fixture_new();
    (void)state;
    f->config.on_durable = count_durable;
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    struct follower follower = {.f = f, .from = tick_durable(f->tick), .wanted = 300};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, follow, &follower), 0);
    int before = atomic_load(&durable_calls);
    for (int i = 0; i < 300; i++)
        assert_int_equal(add_to(f, "a", 1), 0);
    until(f, atomic_load(&follower.done));
    pthread_join(thread, NULL);
    assert_int_equal(follower.sum, 300 * 301 / 2);
    assert_int_equal(atomic_load(&durable_calls) - before, 300); /* one for each record, none for what wrote nothing */
    assert_int_equal(value_of(f, "a"), 300);
    assert_int_equal(atomic_load(&durable_calls) - before, 300);
    fixture_close(f);
}

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        uint64_t sequence;
        uint32_t number;
    } good[] = {{"0", 0, FEED_ALL}, {"12", 12, FEED_ALL}, {"12.0", 12, 0}, {"12.34", 12, 34}, {"12.4294967295", 12, FEED_ALL}, {"18446744073709551614", UINT64_MAX - 1, FEED_ALL}};
    static const char *const bad[] = {"", ".", "1.", ".1", "a", "1.a", "-1", "1.-1", " 1", "1 ", "1.2.3", "1.4294967296", "18446744073709551615", "1e3", "0x1"};
    struct feed_position at;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(feed_position_parse(text_of(good[i].text), &at), 0);
        assert_true(at.sequence == good[i].sequence && at.number == good[i].number);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(feed_position_parse(text_of(bad[i]), &at), ERR_SYNTAX);
    assert_true(feed_compare((struct feed_position){1, 5}, (struct feed_position){1, FEED_ALL}) < 0);
    assert_true(feed_compare((struct feed_position){2, 0}, (struct feed_position){1, FEED_ALL}) > 0);
    assert_true(feed_compare((struct feed_position){2, 1}, (struct feed_position){2, 1}) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order), cmocka_unit_test(test_positions), cmocka_unit_test(test_record_ends), cmocka_unit_test(test_durable_only),
        cmocka_unit_test(test_restart), cmocka_unit_test(test_forgotten), cmocka_unit_test(test_threads), cmocka_unit_test(test_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
