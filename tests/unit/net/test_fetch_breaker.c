/* The circuit breaker: closed, open, half open, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above */
#include <cmocka.h>

#include "base/counter.h"
#include "net/fetch_breaker.h"

static void test_opens_after_failures_in_a_row(void **state)
{
    struct breaker b;
    (void)state;
    breaker_init(&b, 3, 1000);
    for (int i = 0; i < 5; i++) {
        breaker_failure(&b, 10);
        breaker_failure(&b, 10);
        assert_true(breaker_allow(&b, 10));
        breaker_success(&b); /* a success between them starts the count again */
    }
    breaker_failure(&b, 10);
    breaker_failure(&b, 10);
    breaker_failure(&b, 10);
    int64_t refused = counter_read(COUNTER_fetch_circuit_open);
    assert_false(breaker_allow(&b, 10));
    assert_false(breaker_allow(&b, 1009));
    assert_int_equal(counter_read(COUNTER_fetch_circuit_open) - refused, 2);
    assert_int_equal(breaker_wait_ms(&b, 10), 1000);
    assert_int_equal(breaker_wait_ms(&b, 1010), 0);
}

static void test_one_probe(void **state)
{
    struct breaker b;
    (void)state;
    breaker_init(&b, 1, 1000);
    breaker_failure(&b, 0);
    assert_true(breaker_allow(&b, 1000));
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_false(breaker_allow(&b, 1000));
    assert_false(breaker_allow(&b, 1999));
    breaker_failure(&b, 1500); /* the probe failed: the whole time again */
    assert_false(breaker_allow(&b, 2499));
    assert_true(breaker_allow(&b, 2500));
    breaker_success(&b);
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_true(breaker_allow(&b, 2500));
    assert_true(breaker_allow(&b, 2500));
}

static void test_lost_probe(void **state)
{
    struct breaker b;
    (void)state;
    breaker_init(&b, 1, 1000);
    breaker_failure(&b, 0);
    assert_true(breaker_allow(&b, 1000)); /* never answered */
    assert_false(breaker_allow(&b, 1999));
    assert_true(breaker_allow(&b, 2000));
}

/* Answers to requests from before it opened neither close it nor prolong it. */
static void test_late_answers(void **state)
{
    struct breaker b;
    (void)state;
    breaker_init(&b, 1, 1000);
    breaker_failure(&b, 0);
    breaker_success(&b);
    assert_false(breaker_allow(&b, 500));
    breaker_failure(&b, 900);
    assert_true(breaker_allow(&b, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens_after_failures_in_a_row),
        cmocka_unit_test(test_one_probe),
        cmocka_unit_test(test_lost_probe),
        cmocka_unit_test(test_late_answers),
    };
    return cmocka_run_group_tests_name("net/fetch_breaker", tests, NULL, NULL);
}
