/* What the journal keeps: age, bytes, consumers, and never less than the tables need. */
#include "tick/fixture.h"

static int put_large(struct tick *tick, struct test_call *call)
{
    static char value[200 * 1024];
    memset(value, 'a' + call->number % 26, sizeof(value));
    return store_raw_put(tick_stage(tick), 255, TEXT("large"), text_make(value, sizeof(value)));
}

static void write_mib(struct fixture *f, int mib)
{
    for (int i = 0; i < mib * 5 + 1; i++) {
        struct test_call call;
        call_init(&call, f, i, NULL, 0);
        call.body = put_large;
        assert_int_equal(perform(f, &call), 0);
        call_fini(&call);
    }
}

static struct fixture *open_with(int64_t retention_ms, uint64_t retention_bytes)
{
    struct fixture *f = fixture_new();
    f->config.retention_ms = retention_ms;
    f->config.retention_bytes = retention_bytes;
    fixture_open_data(f, (struct journal_config){.segment_bytes = 1 << 20});
    fixture_start(f);
    return f;
}

static void flush_tables(struct fixture *f)
{
    struct err err = {0};
    must(store_flush(f->store, true, &err), &err);
}

/* A second passes, so that the housekeeping looks again; something is written, so that it has a reason to. */
static void pass_time(struct fixture *f, int64_t ms)
{
    clock_advance(ms);
    tick_wake(f->tick);
    assert_int_equal(add_to(f, "tick", 1), 0);
    clock_advance(1100);
    tick_wake(f->tick);
    value_of(f, "tick");
}

static void old_records_are_forgotten(void **state)
{
    (void)state;
    struct fixture *f = open_with(HOUR_MS, 0);
    write_mib(f, 6);
    flush_tables(f);
    pass_time(f, 0);
    assert_int_equal(journal_first(f->journal), 1); /* all of it is young */
    pass_time(f, 2 * HOUR_MS);
    until(f, (pass_time(f, 0), journal_first(f->journal) > 20));
    assert_true(journal_first(f->journal) <= store_flushed(f->store) + 1);
    fixture_restart(f);
    assert_true(value_of(f, "tick") > 0);
    fixture_close(f);
}

static void the_byte_bound_counts_over_restarts(void **state)
{
    (void)state;
    struct fixture *f = open_with(DAY_MS, 4 << 20);
    write_mib(f, 3);
    flush_tables(f);
    pass_time(f, 0);
    assert_int_equal(journal_first(f->journal), 1);
    fixture_restart(f);
    write_mib(f, 5);
    flush_tables(f);
    until(f, (pass_time(f, 0), journal_first(f->journal) > 5));
    uint64_t kept = journal_last(f->journal) - journal_first(f->journal);
    assert_true(kept >= 20); /* about 4 MiB of 200 KiB each stay */
    fixture_close(f);
}

static void what_a_consumer_needs_stays(void **state)
{
    (void)state;
    struct fixture *f = open_with(HOUR_MS, 2 << 20);
    tick_keep_from(f->tick, TICK_KEEP_CONSUMERS, 3);
    write_mib(f, 6);
    flush_tables(f);
    pass_time(f, 2 * HOUR_MS);
    pass_time(f, 0);
    pass_time(f, 0);
    assert_true(journal_first(f->journal) <= 3);
    tick_keep_from(f->tick, TICK_KEEP_CONSUMERS, UINT64_MAX);
    until(f, (pass_time(f, 0), journal_first(f->journal) > 10));
    fixture_close(f);
}

static void what_the_tables_have_not_flushed_stays(void **state)
{
    (void)state;
    struct fixture *f = open_with(HOUR_MS, 1 << 20);
    write_mib(f, 3); /* less than the tables' write buffer: in memory alone */
    uint64_t flushed = store_flushed(f->store);
    pass_time(f, 2 * HOUR_MS);
    pass_time(f, 0);
    assert_true(journal_first(f->journal) <= flushed + 1);
    fixture_close(f);
}

/* Each keeper has a place of its own; the lowest counts. */
static void keepers_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct fixture *f = open_with(HOUR_MS, 2 << 20);
    tick_keep_from(f->tick, TICK_KEEP_JOBS, 3);
    tick_keep_from(f->tick, TICK_KEEP_CONSUMERS, 12);
    write_mib(f, 6);
    flush_tables(f);
    pass_time(f, 2 * HOUR_MS);
    pass_time(f, 0);
    assert_true(journal_first(f->journal) <= 3);
    tick_keep_from(f->tick, TICK_KEEP_JOBS, UINT64_MAX);
    until(f, (pass_time(f, 0), journal_first(f->journal) > 3));
    assert_true(journal_first(f->journal) <= 12);
    fixture_close(f);
}

/* Recovery makes the retention longer and larger while it is asked for, no shorter and no smaller; its bound of bytes shows in a counter and in the window. */
static void what_recovery_wants_stays(void **state)
{
    (void)state;
    struct fixture *f = open_with(HOUR_MS, 1 << 20);
    tick_retain(f->tick, 35 * DAY_MS, 64 << 20);
    assert_true(tick_journal_since_ms(f->tick) == INT64_MIN);
    int64_t began_ms = clock_wall_ms(), cuts = counter_read(COUNTER_recovery_cuts);
    write_mib(f, 4);
    flush_tables(f);
    pass_time(f, 34 * DAY_MS);
    pass_time(f, 0);
    assert_int_equal(journal_first(f->journal), 1);
    assert_int_equal(counter_read(COUNTER_recovery_cuts), cuts);
    tick_retain(f->tick, 35 * DAY_MS, 2 << 20); /* the bytes are too few for the days */
    until(f, (pass_time(f, 0), journal_first(f->journal) > 3));
    assert_true(counter_read(COUNTER_recovery_cuts) > cuts);
    assert_true(tick_journal_since_ms(f->tick) >= began_ms);
    fixture_close(f);
}

static int back_to_real_time(void **state)
{
    (void)state;
    clock_freeze(-1);
    return 0;
}

static int freeze(void **state)
{
    (void)state;
    clock_freeze(1700000000000);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(old_records_are_forgotten, freeze, back_to_real_time),
        cmocka_unit_test_setup_teardown(the_byte_bound_counts_over_restarts, freeze, back_to_real_time),
        cmocka_unit_test_setup_teardown(what_a_consumer_needs_stays, freeze, back_to_real_time),
        cmocka_unit_test_setup_teardown(what_the_tables_have_not_flushed_stays, freeze, back_to_real_time),
        cmocka_unit_test_setup_teardown(keepers_do_not_disturb_each_other, freeze, back_to_real_time),
        cmocka_unit_test_setup_teardown(what_recovery_wants_stays, freeze, back_to_real_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
