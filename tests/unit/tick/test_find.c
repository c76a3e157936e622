/* Where a time lies in the journal: never behind a record of that time or later, and at most a mark's distance before the first. */
#include "tick/fixture.h"

#define START INT64_C(1760000000000)

static uint64_t found;
static int64_t wanted_ms;

static int look(struct tick *tick, struct test_call *call)
{
    return tick_find_time(tick_view(tick), call->call.arena, wanted_ms, &found);
}

static uint64_t at_time(struct fixture *f, int64_t time_ms)
{
    struct test_call call;
    wanted_ms = time_ms;
    call_init(&call, f, 1, NULL, 0);
    call.body = look;
    assert_int_equal(perform(f, &call), 0);
    call_fini(&call);
    return found;
}

static void finds(void **state)
{
    (void)state;
    enum { HOURS = 30 };
    uint64_t sequence[HOURS];
    clock_freeze(START);
    struct fixture *f = fixture_open();
    assert_int_equal(at_time(f, START - 1), 0);
    for (int i = 0; i < HOURS; i++) {
        clock_freeze(START + (i + 1) * HOUR_MS);
        tick_wake(f->tick);
        assert_int_equal(add_to(f, "a", 1), 0);
        sequence[i] = tick_durable(f->tick);
    }
    for (int i = 1; i < HOURS; i++) {
        int64_t time_ms = START + (i + 1) * HOUR_MS;
        /* all below is older than the time asked for or as old; every record is an hour from the next, so each has a mark */
        assert_int_equal(at_time(f, time_ms), sequence[i]);
        assert_int_equal(at_time(f, time_ms - 1), sequence[i - 1]);
        assert_int_equal(at_time(f, time_ms + HOUR_MS / 2), sequence[i]);
    }
    assert_int_equal(at_time(f, INT64_MAX), sequence[HOURS - 1]);
    fixture_close(f);
    clock_freeze(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
