/*
 * The ring between two threads: bounds and order on one thread, then millions of entries across two.
 */
#include "loop/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void *entry(uintptr_t n)
{
    return (void *)(n + 1);
}

static void full_and_empty(void **state)
{
    (void)state;
    const size_t asked[] = {1, 2, 3, 5, 8, 1000};
    const size_t given[] = {1, 2, 4, 8, 8, 1024};
    for (size_t c = 0; c < sizeof(asked) / sizeof(asked[0]); c++) {
        struct ring *ring = ring_create(asked[c]);
        assert_non_null(ring);
        assert_null(ring_pop(ring));
        assert_int_equal(ring_space(ring), given[c]);
        for (size_t i = 0; i < given[c]; i++) {
            assert_int_equal(ring_count(ring), i);
            assert_true(ring_push(ring, entry(i)));
        }
        assert_false(ring_push(ring, entry(999)));
        assert_int_equal(ring_space(ring), 0);
        assert_int_equal(ring_count(ring), given[c]);
        for (size_t i = 0; i < given[c]; i++)
            assert_ptr_equal(ring_pop(ring), entry(i));
        assert_null(ring_pop(ring));
        assert_int_equal(ring_count(ring), 0);
        ring_destroy(ring);
    }
}

static void order_over_many_rounds(void **state)
{
    (void)state;
    struct ring *ring = ring_create(8);
    uintptr_t in = 0, out = 0;
    for (int round = 0; round < 10000; round++) {
        for (int i = 0; i < round % 9; i++)
            if (ring_push(ring, entry(in)))
                in++;
        for (int i = 0; i < (round * 7) % 9; i++) {
            void *got = ring_pop(ring);
            if (got != NULL)
                assert_ptr_equal(got, entry(out++));
        }
        assert_int_equal(ring_count(ring), in - out);
        assert_int_equal(ring_space(ring), 8 - (in - out));
    }
    assert_true(in > 10000);
    ring_destroy(ring);
}

struct crossing {
    struct ring *ring;
    uintptr_t entries;
    uint64_t *payload; /* written by the producer before the push, read by the consumer after the pop */
    size_t payload_mask;
};

static void *produce(void *argument)
{
    struct crossing *c = argument;
    for (uintptr_t n = 0; n < c->entries; n++) {
        while (ring_space(c->ring) == 0)
            sched_yield();
        c->payload[n & c->payload_mask] = n * 3;
        if (!ring_push(c->ring, entry(n)))
            return c; /* there was space, and only this thread fills it */
    }
    return NULL;
}

static void cross(size_t capacity, uintptr_t entries)
{
    static uint64_t payload[4096];
    struct crossing c = {ring_create(capacity), entries, payload, 2 * capacity - 1};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, &c), 0);
    for (uintptr_t n = 0; n < entries;) {
        void *got = ring_pop(c.ring);
        if (got == NULL) {
            sched_yield();
            continue;
        }
        /* The slots of the payload are twice the ring's, so the producer cannot have come around. */
        if (got != entry(n) || payload[n & c.payload_mask] != n * 3)
            fail_msg("entry %zu is wrong", (size_t)n);
        n++;
    }
    void *failed;
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_null(ring_pop(c.ring));
    ring_destroy(c.ring);
}

static void two_threads(void **state)
{
    (void)state;
    cross(1024, 4000000);
    cross(64, 500000);
    cross(1, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_and_empty),
        cmocka_unit_test(order_over_many_rounds),
        cmocka_unit_test(two_threads),
    };
    return cmocka_run_group_tests_name("loop ring", tests, NULL, NULL);
}
