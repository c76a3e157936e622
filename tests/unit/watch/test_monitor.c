/* The monitor's arithmetic: what lies at a threshold and beyond it, windows while time goes round their slots, rates that say something, gates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "watch/monitor.h"

#include <pthread.h>
#include <string.h>

#define SLOT WATCH_WINDOW_SLOT_MS

static unsigned judge(const struct watch_thresholds *thresholds, int64_t duration_ns, size_t memory)
{
    return watch_thresholds_judge(thresholds, &(struct watch_completion){.duration_ns = duration_ns, .memory = memory, .failed = true});
}

static void at_a_threshold_is_not_beyond_it(void **state)
{
    const struct watch_thresholds both = {.duration_ms = 5000, .memory = 1000, .error_rate = 0.01}, none = {0}, memory = {.memory = 1};
    (void)state;
    assert_int_equal(judge(&both, INT64_C(5000000000), 1000), 0);
    assert_int_equal(judge(&both, INT64_C(5000000001), 1000), 1u << WATCH_FIGURE_DURATION);
    assert_int_equal(judge(&both, 0, 1001), 1u << WATCH_FIGURE_MEMORY);
    assert_int_equal(judge(&both, INT64_MAX, SIZE_MAX), 1u << WATCH_FIGURE_DURATION | 1u << WATCH_FIGURE_MEMORY);
    assert_int_equal(judge(&none, INT64_MAX, SIZE_MAX), 0);
    assert_int_equal(judge(&memory, INT64_MAX, 2), 1u << WATCH_FIGURE_MEMORY);
    assert_string_equal(watch_figure_names[WATCH_FIGURE_DURATION], "HandlerDuration");
    assert_string_equal(watch_figure_units[WATCH_FIGURE_ERROR_RATE], "Percent");
}

static struct watch_share share_at(const struct watch_window *window, int64_t now_ms)
{
    struct watch_share share = {0};
    watch_window_sum(window, now_ms, &share);
    return share;
}

static void a_window_forgets_after_five_minutes(void **state)
{
    static struct watch_window window;
    const int64_t start = 1000 * SLOT;
    (void)state;
    memset(&window, 0, sizeof(window));
    assert_int_equal(share_at(&window, start).count, 0);
    assert_int_equal(share_at(&window, 0).count, 0);
    for (int i = 0; i < 30; i++)
        watch_window_add(&window, start + i, i % 3 == 0);
    assert_int_equal(share_at(&window, start + 29).count, 30);
    assert_int_equal(share_at(&window, start + 29).failed, 10);
    assert_int_equal(share_at(&window, start + 11 * SLOT - 1).count, 30); /* the last moment of its tenth successor */
    assert_int_equal(share_at(&window, start + 11 * SLOT).count, 0);
    assert_int_equal(share_at(&window, start - 1).count, 0);              /* a reader whose clock is behind */
    watch_window_add(&window, start + 5 * SLOT, true);
    assert_int_equal(share_at(&window, start + 10 * SLOT).count, 31);
    assert_int_equal(share_at(&window, start + 11 * SLOT).count, 1);
    watch_window_add(&window, start + 11 * SLOT, false);                  /* into the slot that the first thirty had */
    assert_int_equal(share_at(&window, start + 11 * SLOT).count, 2);
    assert_int_equal(share_at(&window, start + 11 * SLOT).failed, 1);
}

/* Each half minute has one completion, for hours: never more than eleven are in the window, and after a pause of any length the old ones are gone. */
static void slots_go_round(void **state)
{
    static struct watch_window window;
    int64_t now_ms = 7;
    (void)state;
    memset(&window, 0, sizeof(window));
    for (int i = 0; i < 1000; i++, now_ms += SLOT) {
        watch_window_add(&window, now_ms, i % 2);
        assert_int_equal(share_at(&window, now_ms).count, i < WATCH_WINDOW_SLOTS ? i + 1 : WATCH_WINDOW_SLOTS);
    }
    for (int pause = 1; pause < 40; pause++) {
        now_ms += pause * SLOT * WATCH_WINDOW_SLOTS;
        assert_int_equal(share_at(&window, now_ms).count, 0);
        watch_window_add(&window, now_ms, true);
        assert_int_equal(share_at(&window, now_ms).count, 1);
        assert_int_equal(share_at(&window, now_ms).failed, 1);
    }
}

static double exceeds(uint64_t count, uint64_t failed, double rate)
{
    return watch_share_exceeds(&(struct watch_share){count, failed}, rate);
}

static void a_rate_needs_completions(void **state)
{
    (void)state;
    assert_true(exceeds(0, 0, 0.05) < 0);
    assert_true(exceeds(WATCH_WINDOW_LEAST - 1, WATCH_WINDOW_LEAST - 1, 0.05) < 0);
    assert_true(exceeds(WATCH_WINDOW_LEAST, 1, 0.05) < 0); /* at the threshold */
    assert_true(exceeds(WATCH_WINDOW_LEAST, 2, 0.05) == 0.1);
    assert_true(exceeds(1000, 1000, 1) < 0);
    assert_true(exceeds(1000, 1000, 0.99) == 1);
    assert_true(exceeds(1000, 1000, 0) < 0);               /* no threshold */
}

static void a_gate_counts_what_it_keeps_back(void **state)
{
    struct watch_gate gate = {0};
    uint32_t kept_back = 99;
    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_true(watch_gate_pass(&gate, 5 + i, 10, &kept_back));
        assert_int_equal(kept_back, 0);
    }
    for (int i = 0; i < 7; i++)
        assert_false(watch_gate_pass(&gate, 5 + WATCH_GATE_MS - 1, 10, &kept_back));
    assert_true(watch_gate_pass(&gate, 5 + WATCH_GATE_MS, 10, &kept_back));
    assert_int_equal(kept_back, 7);
    assert_true(watch_gate_pass(&gate, 5 + WATCH_GATE_MS, 10, &kept_back));
    assert_int_equal(kept_back, 0);
    struct watch_gate early = {0};                         /* a clock that begins with 0 */
    assert_true(watch_gate_pass(&early, 0, 1, &kept_back));
    assert_false(watch_gate_pass(&early, 0, 1, &kept_back));
}

#define THREADS 4
#define TRIES 20000
static struct watch_gate shared;

static void *knock(void *context)
{
    uint32_t *passed = context, kept_back;
    for (int i = 0; i < TRIES; i++)
        *passed += watch_gate_pass(&shared, 1, 10, &kept_back);
    return NULL;
}

static void a_gate_is_shared(void **state)
{
    pthread_t thread[THREADS];
    uint32_t passed[THREADS] = {0}, sum = 0, kept_back = 0;
    (void)state;
    assert_true(watch_gate_pass(&shared, 1, 10, &kept_back));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, knock, &passed[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        sum += passed[i];
    }
    assert_int_equal(sum, 9);
    assert_true(watch_gate_pass(&shared, 1 + WATCH_GATE_MS, 10, &kept_back));
    assert_int_equal(kept_back, THREADS * TRIES - 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(at_a_threshold_is_not_beyond_it), cmocka_unit_test(a_window_forgets_after_five_minutes), cmocka_unit_test(slots_go_round),
        cmocka_unit_test(a_rate_needs_completions), cmocka_unit_test(a_gate_counts_what_it_keeps_back), cmocka_unit_test(a_gate_is_shared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
