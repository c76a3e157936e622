/*
 * Sources, hooks and the order of a turn.
 */
#include "base/clock.h"
#include "loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct loop *loop;
static char trace[256]; /* one letter for each thing that happened */

static void note(char c)
{
    size_t len = strlen(trace);
    assert_true(len + 1 < sizeof(trace));
    trace[len] = c;
}

static int setup(void **state)
{
    (void)state;
    memset(trace, 0, sizeof(trace));
    return loop_create(&loop, NULL);
}

static int teardown(void **state)
{
    (void)state;
    loop_destroy(loop);
    return 0;
}

/* A source over an eventfd, readable from the start. */
struct bell {
    struct loop_source source;
    uint32_t seen; /* events of the last call */
    int calls;
    bool added;
};

static void on_bell(struct loop *of, struct loop_source *source, uint32_t events)
{
    struct bell *bell = LIST_ENTRY(source, struct bell, source);
    assert_ptr_equal(of, loop);
    assert_true(bell->added);
    bell->seen = events;
    bell->calls++;
}

static void bell_open(struct bell *bell)
{
    *bell = (struct bell){{eventfd(1, EFD_NONBLOCK), 0, on_bell}, 0, 0, false};
    assert_true(bell->source.fd >= 0);
}

static void bell_add(struct bell *bell, uint32_t events)
{
    assert_int_equal(loop_add(loop, &bell->source, events), 0);
    bell->added = true;
}

static void bell_remove(struct bell *bell)
{
    loop_remove(loop, &bell->source);
    bell->added = false;
}

static void readiness_is_what_was_asked_for(void **state)
{
    (void)state;
    struct bell bell;
    bell_open(&bell);
    bell_add(&bell, LOOP_READ | LOOP_WRITE);
    assert_int_equal(loop_turn(loop, 0), 1);
    assert_int_equal(bell.seen, LOOP_READ | LOOP_WRITE);
    assert_int_equal(loop_change(loop, &bell.source, LOOP_WRITE), 0);
    assert_int_equal(loop_turn(loop, 0), 1);
    assert_int_equal(bell.seen, LOOP_WRITE);
    assert_int_equal(loop_change(loop, &bell.source, 0), 0);
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_int_equal(loop_change(loop, &bell.source, LOOP_READ), 0);
    uint64_t value;
    assert_int_equal(read(bell.source.fd, &value, sizeof(value)), sizeof(value));
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_int_equal(bell.calls, 2);
    bell_remove(&bell);
    close(bell.source.fd);
}

static void a_hang_up_is_always_told(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct bell bell = {{pair[0], 0, on_bell}, 0, 0, false};
    bell_add(&bell, 0);
    assert_int_equal(loop_turn(loop, 0), 0);
    close(pair[1]);
    assert_int_equal(loop_turn(loop, 0), 1);
    assert_int_equal(bell.seen, LOOP_HANGUP);
    bell_remove(&bell);
    close(pair[0]);
}

static void failures_leave_the_source_alone(void **state)
{
    (void)state;
    struct bell bell;
    bell_open(&bell);
    assert_int_equal(loop_change(loop, &bell.source, LOOP_READ), ERR_NOT_FOUND);
    assert_int_equal(bell.source.events, 0);
    bell_add(&bell, LOOP_READ);
    assert_int_equal(loop_add(loop, &bell.source, LOOP_WRITE), ERR_EXISTS);
    assert_int_equal(bell.source.events, LOOP_READ);
    bell_remove(&bell);
    bell_remove(&bell); /* twice is once */
    close(bell.source.fd);
    FILE *file = tmpfile();
    assert_non_null(file);
    struct loop_source regular = {fileno(file), 0, on_bell};
    assert_int_equal(loop_add(loop, &regular, LOOP_READ), ERR_UNSUPPORTED);
    fclose(file);
    struct loop_source closed = {-1, 0, on_bell};
    assert_int_equal(loop_add(loop, &closed, LOOP_READ), ERR_IO);
}

/* ---- removal while the turn is under way ---- */
enum { CROWD = 64 };
static struct bell crowd[CROWD];
static int crowd_calls;

static void on_crowd_remove_all(struct loop *of, struct loop_source *source, uint32_t events)
{
    (void)of;
    (void)source;
    (void)events;
    crowd_calls++;
    for (int i = 0; i < CROWD; i++)
        bell_remove(&crowd[i]);
}

static void the_first_removes_all(void **state)
{
    (void)state;
    crowd_calls = 0;
    for (int i = 0; i < CROWD; i++) {
        bell_open(&crowd[i]);
        crowd[i].source.on_ready = on_crowd_remove_all;
        bell_add(&crowd[i], LOOP_READ);
    }
    assert_int_equal(loop_turn(loop, 0), 1);
    assert_int_equal(crowd_calls, 1);
    assert_int_equal(loop_turn(loop, 0), 0);
    for (int i = 0; i < CROWD; i++)
        close(crowd[i].source.fd);
}

static uint32_t random_state;
static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % bound;
}

static uint64_t added_in_turn[CROWD];

static void on_crowd_shuffle(struct loop *of, struct loop_source *source, uint32_t events)
{
    struct bell *bell = LIST_ENTRY(source, struct bell, source);
    (void)of;
    assert_int_equal(events, LOOP_READ);
    assert_true(bell->added);
    /* readiness from before a removal is not delivered to what was added after it */
    assert_true(added_in_turn[bell - crowd] < loop_turn_number(loop));
    bell->calls++;
    for (int i = 0; i < 4; i++) {
        int other = (int)random_below(CROWD);
        if (crowd[other].added) {
            bell_remove(&crowd[other]);
        } else {
            bell_add(&crowd[other], LOOP_READ);
            added_in_turn[other] = loop_turn_number(loop);
        }
    }
}

static void random_adding_and_removing(void **state)
{
    (void)state;
    random_state = 5;
    for (int i = 0; i < CROWD; i++) {
        bell_open(&crowd[i]);
        crowd[i].source.on_ready = on_crowd_shuffle;
        bell_add(&crowd[i], LOOP_READ);
        added_in_turn[i] = 0;
    }
    for (int turn = 0; turn < 2000; turn++) {
        loop_turn(loop, 0);
        if (!crowd[0].added) { /* never all gone */
            bell_add(&crowd[0], LOOP_READ);
            added_in_turn[0] = loop_turn_number(loop);
        }
    }
    for (int i = 0; i < CROWD; i++) {
        assert_true(crowd[i].calls > 100);
        bell_remove(&crowd[i]);
        close(crowd[i].source.fd);
    }
}

static void destroy_bell(void *object)
{
    struct bell *bell = object;
    close(bell->source.fd);
    memset(bell, 0xee, sizeof(*bell));
    free(bell);
    crowd_calls++;
}

static struct bell *heap[CROWD];
static void on_heap_kill_neighbour(struct loop *of, struct loop_source *source, uint32_t events)
{
    (void)events;
    (void)source;
    for (int i = 0; i < CROWD; i++) {
        if (heap[i] == NULL)
            continue;
        loop_remove(of, &heap[i]->source);
        loop_defer(of, destroy_bell, heap[i]);
        heap[i] = NULL;
        return;
    }
}

static void removed_memory_lives_to_the_end_of_the_turn(void **state)
{
    (void)state;
    crowd_calls = 0;
    for (int i = 0; i < CROWD; i++) {
        heap[i] = malloc(sizeof(struct bell));
        assert_non_null(heap[i]);
        bell_open(heap[i]);
        heap[i]->source.on_ready = on_heap_kill_neighbour;
        bell_add(heap[i], LOOP_READ);
    }
    for (int turn = 0; crowd_calls < CROWD; turn++) {
        assert_true(turn < CROWD);
        loop_turn(loop, 0);
    }
    assert_int_equal(loop_turn(loop, 0), 0);
}

/* A callback that stops asking for something ends its delivery in this very turn. */
static struct bell quiet_a, quiet_b;
static void on_quiet(struct loop *of, struct loop_source *source, uint32_t events)
{
    struct bell *bell = LIST_ENTRY(source, struct bell, source);
    struct bell *other = bell == &quiet_a ? &quiet_b : &quiet_a;
    (void)events;
    bell->calls++;
    assert_int_equal(loop_change(of, &other->source, 0), 0);
}

static void a_change_holds_at_once(void **state)
{
    (void)state;
    bell_open(&quiet_a);
    bell_open(&quiet_b);
    quiet_a.source.on_ready = quiet_b.source.on_ready = on_quiet;
    bell_add(&quiet_a, LOOP_READ);
    bell_add(&quiet_b, LOOP_READ);
    assert_int_equal(loop_turn(loop, 0), 1);
    assert_int_equal(quiet_a.calls + quiet_b.calls, 1);
    bell_remove(&quiet_a);
    bell_remove(&quiet_b);
    close(quiet_a.source.fd);
    close(quiet_b.source.fd);
}

static void more_than_one_wait_can_carry(void **state)
{
    (void)state;
    enum { MANY = 1500 };
    struct bell *many = calloc(MANY, sizeof(*many));
    assert_non_null(many);
    int opened = 0;
    for (; opened < MANY; opened++) { /* eventfds of one counter would do, but sources have a descriptor each */
        int fd = opened == 0 ? eventfd(1, EFD_NONBLOCK) : dup(many[0].source.fd);
        assert_true(fd >= 0);
        many[opened] = (struct bell){{fd, 0, on_bell}, 0, 0, false};
        bell_add(&many[opened], LOOP_READ);
    }
    assert_int_equal(loop_turn(loop, 0), 1024);
    loop_turn(loop, 0);
    for (int i = 0; i < MANY; i++)
        assert_true(many[i].calls > 0);
    for (int i = 0; i < MANY; i++) {
        bell_remove(&many[i]);
        close(many[i].source.fd);
    }
    free(many);
}

/* ---- the order of a turn ---- */
static int inbox_left;
static int drain_noted(void *context)
{
    note(*(const char *)context);
    return inbox_left > 0 ? inbox_left-- : 0;
}
static void destroy_noted(void *object)
{
    note(*(const char *)object);
}
static struct loop_finish finish_a, finish_b, finish_c;
static struct loop_timer noted_timer;
static bool ask_again;

static void on_finish(struct loop *of, struct loop_finish *finish)
{
    assert_false(loop_finish_asked(finish));
    note(finish == &finish_a ? 'a' : finish == &finish_b ? 'b' : 'c');
    if (ask_again) {
        ask_again = false;
        loop_finish_ask(of, finish);
    }
}
static void on_noted_timer(struct loop *of, struct loop_timer *timer)
{
    (void)timer;
    note('t');
    loop_finish_ask(of, &finish_b);
    loop_finish_ask(of, &finish_a);
}
static void on_noted_source(struct loop *of, struct loop_source *source, uint32_t events)
{
    (void)events;
    note('s');
    loop_defer(of, destroy_noted, "x");
    loop_defer(of, destroy_noted, "y");
    loop_finish_ask(of, &finish_a);
    loop_finish_ask(of, &finish_c);
    loop_finish_ask(of, &finish_a);
    loop_remove(of, source);
}

static void a_turn_has_an_order(void **state)
{
    (void)state;
    static char first = '1', second = '2';
    struct bell bell;
    bell_open(&bell);
    bell.source.on_ready = on_noted_source;
    bell_add(&bell, LOOP_READ);
    loop_finish_init(&finish_a, on_finish);
    loop_finish_init(&finish_b, on_finish);
    loop_finish_init(&finish_c, on_finish);
    loop_timer_init(&noted_timer, on_noted_timer);
    loop_timer_set(loop, &noted_timer, loop_now_ms(loop));
    assert_int_equal(loop_inbox_add(loop, drain_noted, &first), 0);
    assert_int_equal(loop_inbox_add(loop, drain_noted, &second), 0);
    inbox_left = 0;
    assert_int_equal(loop_turn(loop, 0), 1);
    assert_string_equal(trace, "s12tacbxy");
    close(bell.source.fd);
}

static void finish_hooks_run_once_and_may_ask_again(void **state)
{
    (void)state;
    loop_finish_init(&finish_a, on_finish);
    loop_finish_init(&finish_b, on_finish);
    loop_finish_init(&finish_c, on_finish);
    loop_finish_ask(loop, &finish_c);
    loop_finish_ask(loop, &finish_a);
    loop_finish_ask(loop, &finish_b);
    assert_true(loop_finish_asked(&finish_a));
    loop_finish_cancel(&finish_a);
    loop_finish_cancel(&finish_a);
    assert_false(loop_finish_asked(&finish_a));
    ask_again = true;
    loop_turn(loop, -1); /* does not wait: there is something to finish */
    assert_string_equal(trace, "cb");
    assert_true(loop_finish_asked(&finish_c));
    loop_turn(loop, -1);
    assert_string_equal(trace, "cbc");
    loop_turn(loop, 0);
    assert_string_equal(trace, "cbc");
}

static struct loop_finish *victim;
static void on_finish_cancel(struct loop *of, struct loop_finish *finish)
{
    (void)of;
    (void)finish;
    note('k');
    loop_finish_cancel(victim);
}

static void a_finish_hook_may_cancel_the_next(void **state)
{
    (void)state;
    loop_finish_init(&finish_a, on_finish_cancel);
    loop_finish_init(&finish_b, on_finish);
    loop_finish_init(&finish_c, on_finish);
    victim = &finish_b;
    loop_finish_ask(loop, &finish_a);
    loop_finish_ask(loop, &finish_b);
    loop_finish_ask(loop, &finish_c);
    loop_turn(loop, 0);
    assert_string_equal(trace, "kc");
}

static void destroy_nested(void *object)
{
    note('n');
    loop_defer(loop, destroy_noted, object);
}

static void deferred_calls_nest_grow_and_survive_the_end(void **state)
{
    (void)state;
    loop_defer(loop, destroy_nested, "i");
    loop_defer(loop, destroy_noted, "j");
    loop_turn(loop, -1); /* does not wait */
    assert_string_equal(trace, "nji");
    crowd_calls = 0;
    for (int i = 0; i < 5000; i++) {
        struct bell *bell = malloc(sizeof(*bell));
        assert_non_null(bell);
        bell->source.fd = -1;
        loop_defer(loop, destroy_bell, bell);
    }
    loop_destroy(loop); /* not forgotten, not leaked */
    assert_int_equal(crowd_calls, 5000);
    assert_int_equal(loop_create(&loop, NULL), 0);
}

static void a_busy_inbox_keeps_the_loop_awake(void **state)
{
    (void)state;
    static char name = 'i';
    assert_int_equal(loop_inbox_add(loop, drain_noted, &name), 0);
    inbox_left = 3;
    /* Each turn takes one entry and none may sleep. The first is found while falling asleep. */
    int64_t start_ms = clock_mono_ms();
    while (inbox_left > 0)
        loop_turn(loop, 60000);
    loop_turn(loop, 60000);
    assert_true(clock_mono_ms() - start_ms < 60000);
}

static void inboxes_are_bounded(void **state)
{
    (void)state;
    static char name = 'i';
    for (int i = 0; i < 16; i++)
        assert_int_equal(loop_inbox_add(loop, drain_noted, &name), 0);
    assert_int_equal(loop_inbox_add(loop, drain_noted, &name), ERR_FULL);
    inbox_left = 0;
    loop_turn(loop, 0);
    assert_string_equal(trace, "iiiiiiiiiiiiiiii");
}

static void the_time_stands_within_a_turn(void **state)
{
    (void)state;
    clock_freeze(5000000);
    loop_turn(loop, 0);
    assert_int_equal(loop_now_ms(loop), 5000000);
    uint64_t turn = loop_turn_number(loop);
    clock_freeze(6000000);
    assert_int_equal(loop_now_ms(loop), 5000000);
    loop_turn(loop, 0);
    assert_int_equal(loop_now_ms(loop), 6000000);
    assert_int_equal(loop_turn_number(loop), turn + 1);
    clock_freeze(-1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(readiness_is_what_was_asked_for),
        TEST(a_hang_up_is_always_told),
        TEST(failures_leave_the_source_alone),
        TEST(the_first_removes_all),
        TEST(random_adding_and_removing),
        TEST(removed_memory_lives_to_the_end_of_the_turn),
        TEST(a_change_holds_at_once),
        TEST(more_than_one_wait_can_carry),
        TEST(a_turn_has_an_order),
        TEST(finish_hooks_run_once_and_may_ask_again),
        TEST(a_finish_hook_may_cancel_the_next),
        TEST(deferred_calls_nest_grow_and_survive_the_end),
        TEST(a_busy_inbox_keeps_the_loop_awake),
        TEST(inboxes_are_bounded),
        TEST(the_time_stands_within_a_turn),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
