/* Order, all or nothing, credit, effects and ids: what a connection may rely on. */
#include "tick/fixture.h"

enum { MANY = 300 };

static void calls_of_a_lane_run_and_answer_in_order(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct tick_lane lane = {0};
    static struct test_call call[MANY];
    for (int i = 0; i < MANY; i++) {
        call_init(&call[i], f, i + 1, "lane", 1);
        call[i].call.lane = &lane;
        submit(f, &call[i]);
        if (i % 7 == 0)
            kick(f);
    }
    kick(f);
    until(f, f->log[0].done == MANY);
    assert_int_equal(f->log[0].len, 2 * MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(call[i].seen, i); /* each saw the writes of all before it */
        assert_int_equal(f->log[0].event[2 * i].what, 'e');
        assert_int_equal(f->log[0].event[2 * i].number, i + 1);
        assert_int_equal(f->log[0].event[2 * i + 1].what, 'd');
        assert_int_equal(f->log[0].event[2 * i + 1].number, i + 1);
        call_fini(&call[i]);
    }
    assert_int_equal(value_of(f, "lane"), MANY);
    fixture_close(f);
}

static int emit_to_all_then_fail(struct tick *tick, struct test_call *call)
{
    struct effect *effect = effect_new(call->fixture, 77, FIXTURE_SINKS);
    assert_int_equal(tick_emit(tick, TICK_ALL_SINKS, effect, 5), 0);
    return ERR_CONDITION;
}

static void a_failed_call_leaves_nothing_but_its_error(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct test_call good, bad;
    call_init(&good, f, 1, "a", 1);
    call_init(&bad, f, 2, "a", 100);
    bad.body = emit_to_all_then_fail;
    bad.call.on_undone = call_undone;
    submit(f, &good);
    submit(f, &bad);
    kick(f);
    until(f, good.done && bad.done);
    assert_int_equal(good.call.code, 0);
    assert_int_equal(bad.call.code, ERR_CONDITION);
    assert_int_equal(atomic_load(&f->dropped), 1 + FIXTURE_SINKS); /* its own effect, and the one to all: once per sink */
    assert_int_equal(f->log[0].len, 4); /* e1 d1, then the error answer and d2 */
    assert_int_equal(f->log[0].event[2].number, -2);
    assert_int_equal(f->log[1].len, 0);
    assert_int_equal(value_of(f, "a"), 1);
    call_fini(&good);
    call_fini(&bad);
    fixture_close(f);
}

static int emit_to_all(struct tick *tick, struct test_call *call)
{
    return tick_emit(tick, TICK_ALL_SINKS, effect_new(call->fixture, 50, FIXTURE_SINKS), 5);
}

static void one_effect_reaches_every_sink(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    call.call.source = 1;
    call.body = emit_to_all;
    assert_int_equal(perform(f, &call), 0);
    for (int i = 0; i < FIXTURE_SINKS; i++)
        assert_int_equal(f->log[i].event[i == 1].number, 50);
    assert_int_equal(f->log[1].len, 3);
    call_fini(&call);
    fixture_close(f);
}

static void credit_ends_and_comes_back(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    f->config.credit_max = 4;
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    struct test_call call[5];
    for (int i = 0; i < 5; i++)
        call_init(&call[i], f, i + 1, NULL, 0);
    for (int i = 0; i < 4; i++)
        submit(f, &call[i]);
    assert_int_equal(tick_credit(f->tick, 0), 0);
    assert_int_equal(tick_submit(f->tick, &call[4].call), ERR_FULL);
    assert_int_equal(tick_credit(f->tick, 1), 4);
    struct tick_stats stats;
    tick_stats_read(f->tick, &stats);
    assert_int_equal(stats.waiting, 4);
    kick(f);
    until(f, f->log[0].done == 4);
    assert_int_equal(tick_credit(f->tick, 0), 4);
    assert_int_equal(perform(f, &call[4]), 0);
    for (int i = 0; i < 5; i++)
        call_fini(&call[i]);
    fixture_close(f);
}

static void a_sink_that_is_behind_stops_admission_until_it_drains(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    f->config.sink_bytes_max = 1000;
    f->config.calls_max = 1;
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    static struct test_call call[100];
    for (int i = 0; i < 100; i++) {
        call_init(&call[i], f, i + 1, NULL, 0);
        call[i].effect_bytes = 600;
        submit(f, &call[i]);
    }
    kick(f);
    struct tick_stats stats;
    until_plain((tick_stats_read(f->tick, &stats), stats.calls >= 2));
    usleep(20000); /* it would run the rest by now, if it did not stop */
    tick_stats_read(f->tick, &stats);
    assert_true(stats.calls < 20); /* the bound and one turn of a source, not a hundred */
    until(f, f->log[0].done == 100);
    for (int i = 0; i < 100; i++)
        call_fini(&call[i]);
    fixture_close(f);
}

#define IDS 4
static char seen_ids[3 * IDS][TICK_ID_TEXT + 1];

static int take_ids(struct tick *tick, struct test_call *call)
{
    for (int i = 0; i < IDS; i++)
        tick_id(tick, seen_ids[(call->number - 1) * IDS + i]);
    return 0;
}

static void ids_are_unique_and_sorted_while_the_clock_stands(void **state)
{
    (void)state;
    clock_freeze(1700000000000);
    struct fixture *f = fixture_open();
    for (int n = 1; n <= 3; n++) {
        struct test_call call;
        call_init(&call, f, n, NULL, 0);
        call.body = take_ids;
        assert_int_equal(perform(f, &call), 0);
        call_fini(&call);
        if (n == 2)
            fixture_restart(f); /* the counter begins again, the journal's epoch does not */
    }
    for (int i = 0; i < 3 * IDS; i++) {
        assert_int_equal(strlen(seen_ids[i]), TICK_ID_TEXT);
        assert_int_equal(strspn(seen_ids[i], "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), TICK_ID_TEXT);
        assert_true(i == 0 || strcmp(seen_ids[i - 1], seen_ids[i]) < 0);
        assert_int_equal(tick_id_is_own(f->tick, text_of(seen_ids[i])), i >= 2 * IDS); /* of this run */
    }
    assert_false(tick_id_is_own(f->tick, TEXT("")));
    assert_false(tick_id_is_own(f->tick, TEXT("no id of ours, and 26 long")));
    fixture_close(f);
    clock_freeze(-1);
}

static int note_time(struct tick *tick, struct test_call *call)
{
    call->seen = tick_now_ms(tick);
    return 0;
}

static void time_never_goes_back_over_a_restart(void **state)
{
    (void)state;
    clock_freeze(1700000000000);
    struct fixture *f = fixture_open();
    assert_int_equal(add_to(f, "t", 1), 0);
    clock_freeze(1600000000000);
    fixture_restart(f);
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    call.body = note_time;
    assert_int_equal(perform(f, &call), 0);
    assert_true(call.seen >= 1700000000000);
    call_fini(&call);
    fixture_close(f);
    clock_freeze(-1);
}

static int stage_much(struct tick *tick, struct test_call *call)
{
    static char value[300 * 1024];
    (void)call;
    memset(value, 'v', sizeof(value));
    for (int i = 0; i < 50; i++) {
        char key[16];
        int len = snprintf(key, sizeof(key), "big%d", i);
        int rc = store_raw_put(tick_stage(tick), 255, text_make(key, (size_t)len), text_make(value, sizeof(value)));
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void a_call_that_stages_too_much_is_undone(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct test_call call;
    call_init(&call, f, 1, "much", 1);
    call.body = stage_much;
    assert_int_equal(perform(f, &call), ERR_TOO_LARGE);
    assert_int_equal(value_of(f, "much"), 0);
    assert_int_equal(add_to(f, "much", 1), 0);
    call_fini(&call);
    fixture_close(f);
}

static void stopping_finishes_what_was_admitted(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    static struct test_call call[MANY];
    for (int i = 0; i < MANY; i++) {
        call_init(&call[i], f, i + 1, "stop", 1);
        call[i].call.source = (uint16_t)(i % FIXTURE_SINKS);
        submit(f, &call[i]);
    }
    tick_stop(f->tick);
    assert_int_equal(tick_submit(f->tick, &call[0].call), ERR_CLOSED);
    drain(f);
    for (int i = 0; i < MANY; i++) {
        assert_true(call[i].done);
        assert_int_equal(call[i].call.code, 0);
        call_fini(&call[i]);
    }
    fixture_restart(f);
    assert_int_equal(value_of(f, "stop"), MANY);
    fixture_close(f);
}

static void undelivered_effects_are_dropped_at_the_end(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct test_call call;
    struct tick_stats stats;
    call_init(&call, f, 1, NULL, 0);
    call.call.source = 2;
    call.body = emit_to_all;
    submit(f, &call);
    kick(f);
    until_plain((tick_stats_read(f->tick, &stats), stats.ticks >= 2));
    tick_stop(f->tick);
    while (tick_drain(f->tick, 2) > 0) /* the call comes back; the other sinks are gone already */
        ;
    assert_true(call.done);
    tick_destroy(f->tick);
    f->tick = NULL;
    assert_int_equal(atomic_load(&f->dropped), FIXTURE_SINKS - 1);
    call_fini(&call);
    fixture_close(f);
}

static atomic_int position;
static int note_position(struct tick *tick, struct test_call *call)
{
    (void)tick;
    call->seen = atomic_fetch_add(&position, 1);
    return 0;
}

static void a_loud_source_does_not_starve_a_quiet_one(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    static struct test_call loud[MANY];
    struct test_call quiet;
    disk_hold(&f->disk, true);
    call_init(&loud[0], f, 1, "loud", 1);
    submit(f, &loud[0]);
    kick(f);
    until_plain(atomic_load(&f->disk.waiting) == 1); /* the state thread commits: all of the following pile up */
    for (int i = 1; i < MANY; i++) {
        call_init(&loud[i], f, i + 1, NULL, 0);
        loud[i].body = note_position;
        submit(f, &loud[i]);
    }
    call_init(&quiet, f, 1, NULL, 0);
    quiet.call.source = 1;
    quiet.body = note_position;
    submit(f, &quiet);
    kick(f);
    disk_hold(&f->disk, false);
    until(f, quiet.done && f->log[0].done == MANY);
    assert_true(quiet.seen < 20); /* a turn of the loud one, not its whole queue */
    for (int i = 0; i < MANY; i++)
        call_fini(&loud[i]);
    call_fini(&quiet);
    fixture_close(f);
}

static int write_many(struct tick *tick, struct test_call *call)
{
    for (int i = 0; i < 3000; i++) {
        char key[16];
        snprintf(key, sizeof(key), "cold%d", i);
        int rc = value_write(tick_view(tick), call->fixture->table, key, i + 1, 0, call->call.arena);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* After a restart the cache is empty: the call is undone, and runs again with the disk allowed. What it had emitted before does not count. */
static void a_cold_block_makes_the_call_run_again(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct test_call many;
    call_init(&many, f, 1, NULL, 0);
    many.body = write_many;
    assert_int_equal(perform(f, &many), 0);
    call_fini(&many);
    fixture_restart(f); /* closing has flushed */
    int64_t before = counter_read(COUNTER_tick_cold_restarts);
    struct test_call call;
    call_init(&call, f, 1, "cold1777", 100);
    size_t delivered = f->log[0].len;
    assert_int_equal(perform(f, &call), 0);
    assert_int_equal(counter_read(COUNTER_tick_cold_restarts), before + 1);
    assert_int_equal(call.call.runs, 2);
    assert_int_equal(call.seen, 1778);
    assert_int_equal(f->log[0].len, delivered + 2); /* one effect, one end */
    assert_int_equal(value_of(f, "cold1777"), 1878);
    assert_int_equal(counter_read(COUNTER_tick_cold_restarts), before + 1); /* it is warm now */
    call_fini(&call);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_a_lane_run_and_answer_in_order),
        cmocka_unit_test(a_failed_call_leaves_nothing_but_its_error),
        cmocka_unit_test(one_effect_reaches_every_sink),
        cmocka_unit_test(credit_ends_and_comes_back),
        cmocka_unit_test(a_sink_that_is_behind_stops_admission_until_it_drains),
        cmocka_unit_test(ids_are_unique_and_sorted_while_the_clock_stands),
        cmocka_unit_test(time_never_goes_back_over_a_restart),
        cmocka_unit_test(a_call_that_stages_too_much_is_undone),
        cmocka_unit_test(a_loud_source_does_not_starve_a_quiet_one),
        cmocka_unit_test(a_cold_block_makes_the_call_run_again),
        cmocka_unit_test(stopping_finishes_what_was_admitted),
        cmocka_unit_test(undelivered_effects_are_dropped_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
