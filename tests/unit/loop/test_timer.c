/*
 * Timers against a model: an array of due times that is looked through in full. The clock is frozen and moved by
 * hand, from nothing to 35 days at a time.
 */
#include "base/clock.h"
#include "loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

enum { TIMERS = 400 };
#define START_MS INT64_C(1700000000000)

struct model_timer {
    struct loop_timer timer;
    int64_t due_ms; /* 0: not set */
    uint64_t set_in_turn;
    int fired;
};

static struct model_timer timers[TIMERS];
static struct loop *loop;
static int64_t now_ms;
static int64_t last_now_ms; /* of the turn before */
static int64_t last_tick;   /* of the timer that fired before in this turn */
static int fired_total;
static bool back_and_forth; /* the clock also goes back: the order is free then */
static uint64_t seed;

static uint32_t random_below(uint32_t bound)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % bound;
}

static int64_t random_distance(void)
{
    switch (random_below(8)) {
    case 0:
        return (int64_t)random_below(40) - 20;
    case 1:
        return random_below(20);
    case 2:
        return random_below(600);
    case 3:
        return random_below(40000);
    case 4:
        return random_below(3 * HOUR_MS);
    case 5:
        return random_below(2 * DAY_MS);
    case 6:
        return (int64_t)random_below(40) * DAY_MS + random_below(DAY_MS);
    default:
        return (int64_t)random_below(10000) * DAY_MS;
    }
}

static void model_set(struct model_timer *t)
{
    t->due_ms = now_ms + random_distance();
    t->set_in_turn = loop_turn_number(loop);
    loop_timer_set(loop, &t->timer, t->due_ms);
    assert_true(loop_timer_is_set(&t->timer));
}

static void model_stop(struct model_timer *t)
{
    t->due_ms = 0;
    loop_timer_stop(loop, &t->timer);
    assert_false(loop_timer_is_set(&t->timer));
}

static void on_due(struct loop *of, struct loop_timer *timer)
{
    struct model_timer *t = LIST_ENTRY(&timer->link, struct model_timer, timer.link);
    assert_ptr_equal(of, loop);
    assert_int_equal(loop_now_ms(loop), now_ms);
    assert_true(t->due_ms != 0);
    assert_true(t->due_ms <= now_ms);
    assert_false(loop_timer_is_set(timer));
    if (t->due_ms > last_now_ms && !back_and_forth) {
        assert_true(t->due_ms / 8 >= last_tick);
        last_tick = t->due_ms / 8;
    }
    t->due_ms = 0;
    t->fired++;
    fired_total++;
    if (random_below(3) == 0)
        model_set(t);
    if (random_below(8) == 0)
        model_stop(&timers[random_below(TIMERS)]);
    if (random_below(8) == 0)
        model_set(&timers[random_below(TIMERS)]);
}

static void move_to(int64_t ms)
{
    last_now_ms = now_ms;
    now_ms = ms;
    clock_freeze(now_ms);
}

static void model_turn(int64_t step_ms)
{
    move_to(now_ms + step_ms);
    last_tick = 0;
    loop_turn(loop, 0);
    for (int i = 0; i < TIMERS; i++) {
        assert_int_equal(loop_timer_is_set(&timers[i].timer), timers[i].due_ms != 0);
        if (timers[i].due_ms != 0 && timers[i].due_ms <= now_ms)
            assert_true(timers[i].set_in_turn == loop_turn_number(loop)); /* it fires in the next turn */
    }
}

static int setup(void **state)
{
    (void)state;
    move_to(START_MS);
    last_now_ms = 0;
    fired_total = 0;
    back_and_forth = false;
    seed = 42;
    for (int i = 0; i < TIMERS; i++) {
        timers[i] = (struct model_timer){0};
        loop_timer_init(&timers[i].timer, on_due);
    }
    return loop_create(&loop, NULL);
}

static int teardown(void **state)
{
    (void)state;
    loop_destroy(loop);
    clock_freeze(-1);
    return 0;
}

static int64_t random_step(void)
{
    switch (random_below(40)) {
    case 0:
        return 2 * HOUR_MS;
    case 1:
        return 35 * DAY_MS;
    case 2:
        return random_below(DAY_MS);
    case 3:
    case 4:
        return random_below(60000);
    case 5:
    case 6:
    case 7:
        return 0;
    default:
        return random_below(24);
    }
}

static void random_operations_match_the_model(void **state)
{
    (void)state;
    for (int i = 0; i < 60000; i++) {
        uint32_t what = random_below(10);
        struct model_timer *t = &timers[random_below(TIMERS)];
        if (what < 4)
            model_set(t);
        else if (what == 4)
            model_stop(t);
        else
            model_turn(random_step());
    }
    assert_true(fired_total > 5000);
}

static void random_operations_while_the_clock_goes_back(void **state)
{
    (void)state;
    back_and_forth = true;
    for (int i = 0; i < 60000; i++) {
        uint32_t what = random_below(10);
        struct model_timer *t = &timers[random_below(TIMERS)];
        if (what < 4)
            model_set(t);
        else if (what == 4)
            model_stop(t);
        else
            model_turn(random_below(4) == 0 && now_ms > START_MS ? -random_step() : random_step());
    }
    assert_true(fired_total > 5000);
}

static int plain_count;
static void on_plain(struct loop *of, struct loop_timer *timer)
{
    (void)of;
    (void)timer;
    plain_count++;
}

static void each_millisecond_is_exact(void **state)
{
    (void)state;
    struct loop_timer each[200];
    plain_count = 0;
    for (int i = 0; i < 200; i++) {
        loop_timer_init(&each[i], on_plain);
        loop_timer_set(loop, &each[i], now_ms + 1 + i);
    }
    for (int i = 0; i < 200; i++) {
        assert_true(loop_timer_is_set(&each[i]));
        move_to(now_ms + 1);
        loop_turn(loop, 0);
        assert_int_equal(plain_count, i + 1);
        assert_false(loop_timer_is_set(&each[i]));
    }
}

static void jumps_do_not_walk_empty_slots(void **state)
{
    (void)state;
    struct loop_timer far;
    loop_timer_init(&far, on_plain);
    plain_count = 0;
    /* 2,000 jumps over 378 million ticks each: only a wheel that skips empty slots gets to the end. */
    for (int i = 1; i <= 2000; i++) {
        loop_timer_set(loop, &far, now_ms + 35 * DAY_MS);
        move_to(now_ms + 35 * DAY_MS - 1);
        loop_turn(loop, 0);
        assert_int_equal(plain_count, i - 1);
        move_to(now_ms + 1);
        loop_turn(loop, 0);
        assert_int_equal(plain_count, i);
        assert_false(loop_timer_is_set(&far));
    }
}

static void extremes_are_kept(void **state)
{
    (void)state;
    struct loop_timer never, zero, negative;
    loop_timer_init(&never, on_plain);
    loop_timer_init(&zero, on_plain);
    loop_timer_init(&negative, on_plain);
    plain_count = 0;
    loop_timer_set(loop, &never, INT64_MAX);
    loop_timer_set(loop, &zero, 0);
    loop_timer_set(loop, &negative, INT64_MIN);
    loop_turn(loop, 0);
    assert_int_equal(plain_count, 2);
    move_to(now_ms + 50000 * DAY_MS);
    loop_turn(loop, 0);
    assert_int_equal(plain_count, 2);
    assert_true(loop_timer_is_set(&never));
    loop_timer_stop(loop, &never);
    loop_timer_stop(loop, &never);
    assert_false(loop_timer_is_set(&never));
}

static void a_clock_that_goes_back_loses_nothing(void **state)
{
    (void)state;
    struct loop_timer some[50];
    plain_count = 0;
    for (int i = 0; i < 50; i++) {
        loop_timer_init(&some[i], on_plain);
        loop_timer_set(loop, &some[i], now_ms + (int64_t)i * i * i * 50 + 1);
    }
    move_to(now_ms - 20 * DAY_MS);
    loop_turn(loop, 0);
    assert_int_equal(plain_count, 0);
    move_to(now_ms + 20 * DAY_MS);
    loop_turn(loop, 0);
    assert_int_equal(plain_count, 0);
    move_to(now_ms + 1);
    loop_turn(loop, 0);
    assert_int_equal(plain_count, 1);
    move_to(now_ms + 1 * DAY_MS);
    loop_turn(loop, 0);
    assert_int_equal(plain_count, 50);
}

static void crowded_slots_fire_whole(void **state)
{
    (void)state;
    enum { CROWD = 5000 };
    struct loop_timer *crowd = calloc(CROWD, sizeof(*crowd));
    assert_non_null(crowd);
    plain_count = 0;
    int64_t base = (now_ms / 8 + 10) * 8;
    for (int i = 0; i < CROWD; i++) {
        loop_timer_init(&crowd[i], on_plain);
        loop_timer_set(loop, &crowd[i], base + i % 8);
    }
    for (int ms = 0; ms < 8; ms++) {
        move_to(base + ms);
        loop_turn(loop, 0);
        assert_int_equal(plain_count, CROWD / 8 * (ms + 1));
    }
    free(crowd);
}

/* ---- the real clock: the wait ends with the timer, neither early nor by spinning ---- */
static void the_wait_ends_with_the_timer(void **state)
{
    (void)state;
    struct loop *real;
    clock_freeze(-1);
    assert_int_equal(loop_create(&real, NULL), 0);
    struct loop_timer timer;
    loop_timer_init(&timer, on_plain);
    plain_count = 0;
    int64_t due_ms = loop_now_ms(real) + 150;
    loop_timer_set(real, &timer, due_ms);
    int turns = 0;
    while (plain_count == 0) {
        loop_turn(real, -1);
        turns++;
        assert_true(turns < 50);
    }
    assert_true(clock_mono_ms() >= due_ms);
    loop_destroy(real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_operations_match_the_model, setup, teardown),
        cmocka_unit_test_setup_teardown(random_operations_while_the_clock_goes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(each_millisecond_is_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(jumps_do_not_walk_empty_slots, setup, teardown),
        cmocka_unit_test_setup_teardown(extremes_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_clock_that_goes_back_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(crowded_slots_fire_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(the_wait_ends_with_the_timer, setup, teardown),
    };
    return cmocka_run_group_tests_name("loop timers", tests, NULL, NULL);
}
