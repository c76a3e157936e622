/* Sketches and statistics against exact computations: few values, and distributions of latencies as they look in life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "watch/statistic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MANY 40000

static struct arena arena;

static int open_arena(void **state)
{
    (void)state;
    arena_init(&arena, 4096, 64 << 20);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static double uniform(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return ((double)(*seed >> 11) + 0.5) / 0x1p53;
}

static double normal(uint64_t *seed)
{
    return sqrt(-2 * log(uniform(seed))) * cos(2 * M_PI * uniform(seed));
}

/* A log-normal body; a slow mode (a cold cache); a Pareto tail; and whole milliseconds, as clients measure. */
static double latency(int shape, uint64_t *seed)
{
    double body = exp(1.2 + 0.5 * normal(seed));
    switch (shape) {
    case 0:
        return body;
    case 1:
        return uniform(seed) < 0.9 ? body : 80 + 10 * normal(seed) * 0.3 + body;
    case 2:
        return 0.2 / pow(uniform(seed), 1 / 1.3);
    default:
        return floor(body * 4) + 1;
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double evaluate(const char *name, const struct watch_summary *summary)
{
    struct statistic statistic;
    double value = NAN;
    assert_int_equal(statistic_parse(text_of(name), &statistic), 0);
    return statistic_evaluate(&statistic, summary, &value) ? value : NAN;
}

static void near(double got, double exact, double error)
{
    if (!(fabs(got - exact) <= fabs(exact) * error + 1e-12))
        fail_msg("%.17g is not within %g of %.17g", got, error, exact);
}

static void test_latencies(void **state)
{
    static const double shares[] = {0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999};
    static double value[MANY];
    (void)state;
    for (int shape = 0; shape < 4; shape++) {
        uint64_t seed = 11 + (uint64_t)shape;
        struct watch_summary part[7], whole;
        double sum = 0;
        watch_summary_init(&whole, &arena);
        for (int p = 0; p < 7; p++)
            watch_summary_init(&part[p], &arena);
        for (int i = 0; i < MANY; i++) {
            value[i] = latency(shape, &seed);
            sum += value[i];
            assert_int_equal(watch_summary_add(&part[i % 7], value[i], 1), 0);
        }
        for (int p = 0; p < 7; p++)
            assert_int_equal(watch_summary_merge(&whole, &part[p]), 0);
        qsort(value, MANY, sizeof(value[0]), compare);
        assert_true(whole.values.coarse && whole.values.count <= SKETCH_BUCKETS_MAX);
        near(evaluate("SampleCount", &whole), MANY, 0);
        near(evaluate("Sum", &whole), sum, 1e-9);
        near(evaluate("Minimum", &whole), value[0], 0);
        near(evaluate("Maximum", &whole), value[MANY - 1], 0);
        for (size_t s = 0; s < sizeof(shares) / sizeof(shares[0]); s++) {
            char name[32];
            snprintf(name, sizeof(name), "p%g", shares[s] * 100);
            near(evaluate(name, &whole), value[(size_t)ceil(shares[s] * MANY - 1e-6) - 1], SKETCH_ERROR + 1e-9);
        }
        double trimmed = 0, inner = 0;
        for (int i = 0; i < MANY * 9 / 10; i++)
            trimmed += value[i];
        for (int i = MANY / 4; i < MANY * 3 / 4; i++)
            inner += value[i];
        near(evaluate("tm90", &whole), trimmed / (MANY * 9 / 10), SKETCH_ERROR);
        near(evaluate("ts90", &whole), trimmed, SKETCH_ERROR);
        near(evaluate("tc90", &whole), MANY * 9 / 10, 1e-9);
        near(evaluate("wm90", &whole), (trimmed + value[MANY * 9 / 10 - 1] * MANY / 10) / MANY, SKETCH_ERROR);
        near(evaluate("IQM", &whole), inner / (MANY / 2), SKETCH_ERROR);
    }
}

/* What a row holds after many puts is what it would hold after one: through bytes, value by value. */
static void test_bytes(void **state)
{
    uint64_t seed = 5;
    struct watch_summary whole, row, one;
    struct buf bytes;
    (void)state;
    watch_summary_init(&whole, &arena);
    watch_summary_init(&row, &arena);
    watch_summary_init(&one, &arena);
    buf_init(&bytes, WATCH_SUMMARY_BYTES_MAX);
    for (int i = 0; i < 3000; i++) {
        double value = i % 11 == 0 ? 0 : i % 7 == 0 ? -latency(0, &seed) : latency(2, &seed) * (i % 13 == 0 ? 0x1p350 : 1e-9);
        double weight = i % 5 == 0 ? 2.5 : i % 3 + 1;
        watch_summary_add(&whole, value, weight);
        watch_summary_clear(&one);
        watch_summary_add(&one, value, weight);
        watch_summary_merge(&row, &one);
        buf_clear(&bytes);
        watch_summary_encode(&bytes, &row);
        assert_false(bytes.failed);
        assert_int_equal(watch_summary_decode(buf_text(&bytes), &row), 0);
    }
    assert_int_equal(row.values.count, whole.values.count);
    for (size_t i = 0; i < row.values.count; i++) {
        assert_true(row.values.entry[i].value == whole.values.entry[i].value);
        near(row.values.entry[i].weight, whole.values.entry[i].weight, 1e-12);
    }
    assert_true(row.count == whole.count && row.min == whole.min && row.max == whole.max);
    for (size_t i = 0; i < bytes.len; i++)
        assert_int_not_equal(watch_summary_decode(text_make(bytes.data, i), &row), 0);
    buf_fini(&bytes);
}

static void test_bounds(void **state)
{
    struct sketch sketch;
    struct buf bytes;
    (void)state;
    sketch_init(&sketch, &arena);
    for (int i = 0; i < 200000; i++) /* far more buckets than there may be */
        assert_int_equal(sketch_add(&sketch, pow(2, (i * 7919 % 200000) / 300.0 - 330), 1), 0);
    assert_int_equal(sketch.count, SKETCH_BUCKETS_MAX);
    near(sketch_weight(&sketch), 200000, 0);
    near(sketch_quantile(&sketch, 0.999), pow(2, 199800 / 300.0 - 330), 0.02); /* the high end has kept its accuracy */
    buf_init(&bytes, SKETCH_BYTES_MAX);
    sketch_encode(&bytes, &sketch);
    assert_false(bytes.failed);
    buf_fini(&bytes);
    sketch_clear(&sketch);
    assert_int_equal(sketch_add(&sketch, SKETCH_VALUE_MAX, 1), 0);
    assert_int_equal(sketch_add(&sketch, -SKETCH_VALUE_MAX, 1), 0);
    assert_int_equal(sketch_add(&sketch, 1e-300, 1), 0);
    assert_int_equal(sketch.count, 3);
    assert_true(sketch.entry[1].value == 0);
}

static void test_few_values(void **state)
{
    static const struct {
        const char *name;
        double value;
    } known[] = {{"SampleCount", 10}, {"Sum", 55}, {"Average", 5.5}, {"Minimum", 1}, {"Maximum", 10}, {"p0", 1}, {"p10", 1}, {"p50", 5}, {"p90", 9}, {"p99.99", 10},
        {"p100", 10}, {"tm90", 5}, {"tc90", 9}, {"ts90", 45}, {"wm90", 5.4}, {"TM(10%:90%)", 5.5}, {"TM(20%:)", 6.5}, {"TM(:20%)", 1.5}, {"TC(2:5)", 3}, {"TS(2:5)", 12},
        {"TM(2:5)", 4}, {"WM(2:5)", (2 + 2 + 3 + 4 + 5 * 6) / 10.0}, {"PR(:3)", 30}, {"PR(3:)", 70}, {"PR(3:5)", 20}, {"TC(:)", NAN}, {"IQM", 5.5}, {"WM(10%:90%)", 5.5}};
    struct watch_summary summary;
    (void)state;
    watch_summary_init(&summary, &arena);
    for (int i = 10; i > 0; i--)
        watch_summary_add(&summary, i, 1);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct statistic statistic;
        if (isnan(known[i].value))
            assert_int_equal(statistic_parse(text_of(known[i].name), &statistic), ERR_SYNTAX);
        else if (fabs(evaluate(known[i].name, &summary) - known[i].value) > 1e-9)
            fail_msg("%s: %g, not %g", known[i].name, evaluate(known[i].name, &summary), known[i].value);
    }
    watch_summary_clear(&summary);
    watch_summary_add(&summary, 42, 1);
    assert_true(evaluate("IQM", &summary) == 42 && evaluate("p1", &summary) == 42 && evaluate("tm99", &summary) == 42);
}

static void test_names(void **state)
{
    static const char *const good[] = {"p99", "P99.9", "p99.0123456789", "tm(1:2)", "TM(1%:99%)", "PR(:0.5)", "PR(-1:)", "IQM", "iqm", "TS(80%:)", "wm0", "p100"};
    static const char *const wrong[] = {"", "p", "p101", "p-1", "p1.", "p99.01234567891", "p(1:2)", "average", "AVERAGE", "TM", "TM()", "TM(:)", "TM(5:1)", "TM(1%:2)", "TM(1:2",
        "PR(1%:2%)", "pr50", "tm50%", "TM(101%:)", "x99", "TM(1:2:3)", "p5 ", "p1e1"};
    struct statistic statistic;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (statistic_parse(text_of(good[i]), &statistic))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (!statistic_parse(text_of(wrong[i]), &statistic))
            fail_msg("%s", wrong[i]);
}

static void test_sets(void **state)
{
    struct watch_summary summary;
    (void)state;
    watch_summary_init(&summary, &arena);
    watch_summary_add_set(&summary, 1, 7, 7, 7);
    watch_summary_add_set(&summary, 3, 15, 5, 5);
    assert_true(evaluate("p50", &summary) == 5 && evaluate("p99", &summary) == 7 && evaluate("Average", &summary) == 5.5);
    watch_summary_add_set(&summary, 10, 30, 1, 9);
    assert_true(isnan(evaluate("p50", &summary)) && isnan(evaluate("tm90", &summary)));
    assert_true(evaluate("SampleCount", &summary) == 14 && evaluate("Sum", &summary) == 52 && evaluate("Minimum", &summary) == 1 && evaluate("Maximum", &summary) == 9);
    watch_summary_clear(&summary);
    watch_summary_add(&summary, -1, 1);
    watch_summary_add(&summary, 5, 1);
    assert_true(isnan(evaluate("p99", &summary)) && evaluate("Minimum", &summary) == -1); /* as CloudWatch documents */
    watch_summary_clear(&summary);
    assert_true(isnan(evaluate("Sum", &summary)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_latencies, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_bytes, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_bounds, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(test_few_values, open_arena, close_arena),
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup_teardown(test_sets, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
