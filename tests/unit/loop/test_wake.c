/*
 * Waking a loop from another thread. A lost wake-up would leave a loop asleep for ever; here every wait is given ten
 * seconds, and one that uses them up fails the test.
 */
#include "base/clock.h"
#include "loop/loop.h"
#include "loop/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <cmocka.h>

enum { PATIENCE_MS = 60000, ROUNDS = 10000 };

/* ---- tokens that hop between two loops, each hop a push and a wake-up ---- */
struct token {
    int hops_left;
};

struct end {
    struct loop *loop;
    struct ring *in, *out;
    struct loop *other;
    atomic_int *alive; /* tokens that still hop; shared by both ends */
    uint32_t seed;
};

static void pause_a_little(struct end *end)
{
    end->seed = end->seed * 1664525 + 1013904223;
    for (volatile uint32_t i = 0; i < (end->seed >> 16) % 2000; i++)
        ;
}

static void pass_on(struct end *end, struct token *token)
{
    if (token->hops_left-- > 0)
        assert_true(ring_push(end->out, token));
    else
        atomic_fetch_sub(end->alive, 1);
    loop_wake(end->other);
}

static int drain(void *context)
{
    struct end *end = context;
    int handled = 0;
    struct token *token;
    while ((token = ring_pop(end->in)) != NULL) {
        handled++;
        pause_a_little(end);
        pass_on(end, token);
    }
    return handled;
}

/* Returns NULL, or the end that was left asleep. */
static void *run_end(void *argument)
{
    struct end *end = argument;
    while (atomic_load(end->alive) > 0) {
        int64_t start_ms = clock_mono_ms();
        loop_turn(end->loop, PATIENCE_MS);
        if (clock_mono_ms() - start_ms >= PATIENCE_MS)
            return end;
    }
    return NULL;
}

static void no_wake_up_is_lost_between_rings(void **state)
{
    (void)state;
    for (int count = 1; count <= 3; count++) {
        struct token tokens[3];
        atomic_int alive = count;
        struct end a = {.alive = &alive, .seed = 1}, b = {.alive = &alive, .seed = 2};
        assert_int_equal(loop_create(&a.loop, NULL), 0);
        assert_int_equal(loop_create(&b.loop, NULL), 0);
        a.in = b.out = ring_create(4);
        b.in = a.out = ring_create(4);
        a.other = b.loop;
        b.other = a.loop;
        assert_int_equal(loop_inbox_add(a.loop, drain, &a), 0);
        assert_int_equal(loop_inbox_add(b.loop, drain, &b), 0);
        for (int t = 0; t < count; t++) {
            tokens[t].hops_left = ROUNDS;
            pass_on(&a, &tokens[t]);
        }
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, run_end, &b), 0);
        void *asleep_a = run_end(&a), *asleep_b;
        pthread_join(thread, &asleep_b);
        assert_null(asleep_a);
        assert_null(asleep_b);
        loop_destroy(a.loop);
        loop_destroy(b.loop);
        ring_destroy(a.in);
        ring_destroy(b.in);
    }
}

/* ---- a bare wake-up: the next wait returns ---- */
struct bell {
    struct loop *loop;
    atomic_int rung;
    atomic_int heard;
    bool lost;
};

static void *listen(void *argument)
{
    struct bell *bell = argument;
    for (int heard = 0; heard < ROUNDS; heard++) {
        while (atomic_load(&bell->rung) == heard) {
            int64_t start_ms = clock_mono_ms();
            loop_turn(bell->loop, PATIENCE_MS);
            if (clock_mono_ms() - start_ms >= PATIENCE_MS)
                bell->lost = true;
        }
        atomic_store(&bell->heard, heard + 1);
    }
    return NULL;
}

static void the_next_wait_returns(void **state)
{
    (void)state;
    struct bell bell = {0};
    struct end noise = {.seed = 3};
    assert_int_equal(loop_create(&bell.loop, NULL), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, listen, &bell), 0);
    for (int i = 1; i <= ROUNDS; i++) {
        pause_a_little(&noise);
        atomic_store(&bell.rung, i);
        loop_wake(bell.loop);
        while (atomic_load(&bell.heard) < i)
            sched_yield();
    }
    pthread_join(thread, NULL);
    assert_false(bell.lost);
    loop_destroy(bell.loop);
}

static void a_wake_up_before_the_wait_counts(void **state)
{
    (void)state;
    struct loop *loop;
    assert_int_equal(loop_create(&loop, NULL), 0);
    for (int i = 0; i < 3; i++) {
        loop_wake(loop);
        loop_wake(loop);
        int64_t start_ms = clock_mono_ms();
        assert_int_equal(loop_turn(loop, PATIENCE_MS), 0);
        assert_true(clock_mono_ms() - start_ms < PATIENCE_MS);
    }
    loop_destroy(loop);
}

/* ---- loop_stop from a thread and from a signal handler ---- */
static void *run_loop(void *argument)
{
    loop_run(argument);
    return NULL;
}

static void stop_ends_run(void **state)
{
    (void)state;
    struct loop *loop;
    assert_int_equal(loop_create(&loop, NULL), 0);
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, run_loop, loop), 0);
        for (volatile int spin = 0; spin < i * 500; spin++)
            ;
        loop_stop(loop); /* before it runs, while it runs, while it sleeps */
        pthread_join(thread, NULL);
    }
    loop_destroy(loop);
}

static struct loop *signalled;
static void on_signal(int number)
{
    (void)number;
    loop_stop(signalled);
}

static void on_due(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    (void)timer;
    raise(SIGUSR1);
}

static void a_signal_handler_may_stop_it(void **state)
{
    (void)state;
    assert_int_equal(loop_create(&signalled, NULL), 0);
    struct sigaction action = {.sa_handler = on_signal}, before;
    sigaction(SIGUSR1, &action, &before);
    struct loop_timer timer;
    loop_timer_init(&timer, on_due);
    loop_timer_set(signalled, &timer, loop_now_ms(signalled) + 5);
    loop_run(signalled);
    assert_false(loop_timer_is_set(&timer));
    sigaction(SIGUSR1, &before, NULL);
    loop_destroy(signalled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wake_up_before_the_wait_counts),
        cmocka_unit_test(no_wake_up_is_lost_between_rings),
        cmocka_unit_test(the_next_wait_returns),
        cmocka_unit_test(stop_ends_run),
        cmocka_unit_test(a_signal_handler_may_stop_it),
    };
    return cmocka_run_group_tests_name("loop wake-ups", tests, NULL, NULL);
}
