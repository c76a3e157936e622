/* The model behind bands: its middle and its spread, and how little outliers move it. And bands in the judgement of an alarm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "watch/alarm.h"
#include "watch/anomaly.h"

#include <math.h>
#include <string.h>

static struct anomaly_fit fit_of(const double *value, size_t count)
{
    double copy[64];
    struct anomaly_fit fit = {0};
    memcpy(copy, value, count * sizeof(*value));
    anomaly_fit(copy, count, &fit);
    return fit;
}

static void models(void **state)
{
    const double odd[] = {5, 1, 3, 2, 4}, even[] = {4, 1, 2, 3}, same[] = {7, 7, 7}, one[] = {9}, mostly[] = {7, 7, 7, 7, 12};
    (void)state;
    struct anomaly_fit fit = fit_of(odd, 5);
    assert_true(fit.center == 3 && fabs(fit.spread - 1.4826) < 1e-12);
    fit = fit_of(even, 4);
    assert_true(fit.center == 2.5 && fabs(fit.spread - 1.4826) < 1e-12);
    fit = fit_of(same, 3);
    assert_true(fit.center == 7 && fit.spread == 0);
    fit = fit_of(one, 1);
    assert_true(fit.center == 9 && fit.spread == 0);
    fit = fit_of(mostly, 5); /* more than half are equal: the mean deviation instead */
    assert_true(fit.center == 7 && fabs(fit.spread - 1.2533) < 1e-12);
}

static void outliers(void **state)
{
    double value[40];
    (void)state;
    for (size_t i = 0; i < 40; i++)
        value[i] = 100 + (double)(i % 5);
    struct anomaly_fit plain = fit_of(value, 40);
    for (size_t i = 0; i < 40; i += 3)
        value[i] = 1e9; /* a third of them */
    struct anomaly_fit disturbed = fit_of(value, 40);
    assert_true(fabs(disturbed.center - plain.center) <= 2 && disturbed.spread <= 3 * plain.spread);
}

static void judged(void **state)
{
    static const enum watch_compare compares[] = {WATCH_OUTSIDE, WATCH_BELOW, WATCH_ABOVE};
    static const bool expected[3][3] = {{true, false, true}, {true, false, false}, {false, false, true}};
    const double value[] = {1, 5, 9}, lower[] = {4, 5, 4}, upper[] = {6, 5, 6};
    struct watch_basis basis = {.value = value, .lower = lower, .upper = upper, .count = 3};
    (void)state;
    for (size_t c = 0; c < 3; c++) {
        struct watch_terms terms = {.compare = compares[c], .periods = 3, .datapoints = 1};
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(watch_breaches(&terms, &basis, i), expected[c][i]);
    }
    struct watch_terms terms = {.compare = WATCH_OUTSIDE, .periods = 3, .datapoints = 2};
    struct watch_decision decision = watch_alarm_decide(&terms, &basis);
    assert_true(!decision.keep && decision.state == WATCH_ALARM_ALARM);
    struct arena arena;
    struct watch_judgement judgement = {.state = WATCH_ALARM_ALARM};
    struct watch_told told = {.period_s = 60, .end_s = 1768464180};
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(watch_alarm_tell(&arena, &terms, &basis, &told, WATCH_ALARM_OK, &judgement), 0);
    assert_string_equal(judgement.reason.data, "Thresholds Crossed: 2 out of the last 3 datapoints [9.0 (15/01/26 08:02:00), 5.0 (15/01/26 08:01:00), 1.0 (15/01/26 08:00:00)] were less than the "
        "lower thresholds [4.0, 5.0, 4.0] or greater than the upper thresholds [6.0, 5.0, 6.0] (minimum 2 datapoints for OK -> ALARM transition).");
    assert_non_null(strstr(judgement.reason_data.data, "\"recentDatapoints\":[1.0,5.0,9.0],\"recentLowerThresholds\":[4.0,5.0,4.0],\"recentUpperThresholds\":[6.0,5.0,6.0]"));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(models), cmocka_unit_test(outliers), cmocka_unit_test(judged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
