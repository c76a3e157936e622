/*
 * What figures mean for an alarm. The tables are those of the Amazon CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data": every row, for each of the four
 * treatments, and the examples of its section "Avoiding premature transitions to alarm state".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "watch/alarm.h"

#include <math.h>

#define KEEP 99

static const struct row {
    const char *points; /* oldest first: 0 within the threshold, X breaching, - missing */
    unsigned m, n;
    int missing, ignore, breaching, not_breaching;
} rows[] = {
    /* the first table: 3 of 3, five points are retrieved */
    {"0-X-X", 3, 3, WATCH_ALARM_OK, WATCH_ALARM_OK, WATCH_ALARM_OK, WATCH_ALARM_OK},
    {"0----", 3, 3, WATCH_ALARM_OK, WATCH_ALARM_OK, WATCH_ALARM_OK, WATCH_ALARM_OK},
    {"-----", 3, 3, WATCH_ALARM_INSUFFICIENT, KEEP, WATCH_ALARM_ALARM, WATCH_ALARM_OK},
    {"0XX-X", 3, 3, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM},
    {"--X--", 3, 3, WATCH_ALARM_ALARM, KEEP, WATCH_ALARM_ALARM, WATCH_ALARM_OK},
    /* the second: 2 of 3 */
    {"0-X-X", 2, 3, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM},
    {"00X0X", 2, 3, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM},
    {"0-X--", 2, 3, WATCH_ALARM_OK, WATCH_ALARM_OK, WATCH_ALARM_ALARM, WATCH_ALARM_OK},
    {"----0", 2, 3, WATCH_ALARM_OK, WATCH_ALARM_OK, WATCH_ALARM_ALARM, WATCH_ALARM_OK},
    {"---X-", 2, 3, WATCH_ALARM_ALARM, KEEP, WATCH_ALARM_ALARM, WATCH_ALARM_OK},
    /* premature: "the alarm does not go immediately into ALARM state" */
    {"----X", 3, 3, WATCH_ALARM_INSUFFICIENT, KEEP, WATCH_ALARM_ALARM, WATCH_ALARM_OK},
    {"---X-", 3, 3, WATCH_ALARM_INSUFFICIENT, KEEP, WATCH_ALARM_ALARM, WATCH_ALARM_OK},
    {"---X0", 3, 3, WATCH_ALARM_OK, WATCH_ALARM_OK, WATCH_ALARM_OK, WATCH_ALARM_OK},
    {"--X-0", 3, 3, WATCH_ALARM_OK, WATCH_ALARM_OK, WATCH_ALARM_OK, WATCH_ALARM_OK},
    {"X----", 3, 3, WATCH_ALARM_ALARM, KEEP, WATCH_ALARM_ALARM, WATCH_ALARM_OK},
    {"----X", 2, 3, WATCH_ALARM_INSUFFICIENT, KEEP, WATCH_ALARM_ALARM, WATCH_ALARM_OK},
    /* nothing missing */
    {"XXX00", 3, 3, WATCH_ALARM_OK, WATCH_ALARM_OK, WATCH_ALARM_OK, WATCH_ALARM_OK},
    {"00XXX", 3, 3, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM},
    {"0X0", 1, 3, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM},
    /* as many as M breach: whatever is missing decides nothing */
    {"--X-X", 2, 3, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM},
    /* 1 of 1: the newest real point decides, however old */
    {"X--", 1, 1, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM, WATCH_ALARM_ALARM},
    {"X-0", 1, 1, WATCH_ALARM_OK, WATCH_ALARM_OK, WATCH_ALARM_OK, WATCH_ALARM_OK},
    {"---", 1, 1, WATCH_ALARM_INSUFFICIENT, KEEP, WATCH_ALARM_ALARM, WATCH_ALARM_OK},
};

static size_t points_of(const char *text, double *value)
{
    size_t count = 0;
    for (; text[count]; count++)
        value[count] = text[count] == 'X' ? 10 : text[count] == '0' ? 1 : NAN;
    return count;
}

static void the_guides_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const int expected[] = {rows[i].missing, rows[i].ignore, rows[i].breaching, rows[i].not_breaching};
        for (int missing = 0; missing < 4; missing++) {
            double value[16];
            struct watch_terms terms = {.compare = WATCH_GREATER, .missing = (enum watch_missing)missing, .threshold = 5, .periods = rows[i].n, .datapoints = rows[i].m};
            struct watch_basis basis = {.value = value, .count = points_of(rows[i].points, value)};
            struct watch_decision decision = watch_alarm_decide(&terms, &basis);
            int got = decision.keep ? KEEP : (int)decision.state;
            if (got != expected[missing])
                fail_msg("%s, %u of %u, treatment %d: %d instead of %d", rows[i].points, rows[i].m, rows[i].n, missing, got, expected[missing]);
        }
    }
}

static void comparisons(void **state)
{
    (void)state;
    struct watch_terms terms = {.threshold = 5};
    static const bool below[] = {false, false, true, true}, equal[] = {false, true, false, true}, above[] = {true, true, false, false};
    const double values[] = {4.9, 5, 5.1};
    struct watch_basis basis = {.value = values, .count = 3};
    for (int i = 0; i < 4; i++) {
        terms.compare = (enum watch_compare)i;
        assert_int_equal(watch_breaches(&terms, &basis, 0), below[i]);
        assert_int_equal(watch_breaches(&terms, &basis, 1), equal[i]);
        assert_int_equal(watch_breaches(&terms, &basis, 2), above[i]);
    }
}

/* The same as the documentation says it in prose, over all patterns of seven points: what is real decides when there is enough of it. */
static void enough_real_points_decide(void **state)
{
    (void)state;
    for (unsigned pattern = 0; pattern < 2187; pattern++) {
        double value[7];
        unsigned p = pattern, real = 0, breaching = 0;
        for (int i = 0; i < 7; i++, p /= 3)
            value[i] = p % 3 == 0 ? NAN : p % 3 == 1 ? 1 : 10;
        for (int i = 6; i >= 0 && real < 5; i--) {
            real += !isnan(value[i]);
            breaching += value[i] == 10;
        }
        for (unsigned m = 1; m <= 5; m++)
            for (int missing = 0; missing < 4 && real == 5; missing++) {
                struct watch_terms terms = {.compare = WATCH_GREATER, .missing = (enum watch_missing)missing, .threshold = 5, .periods = 5, .datapoints = m};
                struct watch_basis basis = {.value = value, .count = 7};
                struct watch_decision decision = watch_alarm_decide(&terms, &basis);
                assert_false(decision.keep);
                assert_int_equal(decision.state, breaching >= m ? WATCH_ALARM_ALARM : WATCH_ALARM_OK);
            }
    }
}

static const char *told(const char *points, struct watch_terms terms, enum watch_alarm_state before, const char **data)
{
    static struct arena arena;
    double value[16], samples[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct watch_basis basis = {.value = value, .samples = samples, .count = points_of(points, value)};
    struct watch_told about = {.statistic = "Sum", .period_s = 60, .end_s = 1708170720, .now_ms = INT64_C(1708170731123)};
    struct watch_decision decision = watch_alarm_decide(&terms, &basis);
    struct watch_judgement judgement = {.state = decision.state};
    arena_fini(&arena);
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(watch_alarm_tell(&arena, &terms, &basis, &about, before, &judgement), 0);
    if (data)
        *data = judgement.reason_data.data;
    return judgement.reason.data;
}

/* The first is a reason that CloudWatch itself gave. */
static void reasons(void **state)
{
    (void)state;
    const char *data;
    struct watch_terms less = {.compare = WATCH_LESS, .threshold = 10, .periods = 1, .datapoints = 1};
    struct watch_terms more = {.compare = WATCH_GREATER_EQUAL, .threshold = 104857600, .periods = 3, .datapoints = 2};
    assert_string_equal(told("0", less, WATCH_ALARM_OK, &data), "Threshold Crossed: 1 out of the last 1 datapoints [1.0 (17/02/24 11:51:00)] was less than the threshold (10.0) "
                                                                "(minimum 1 datapoint for OK -> ALARM transition).");
    assert_string_equal(data, "{\"version\":\"1.0\",\"queryDate\":\"2024-02-17T11:52:11.123+0000\",\"startDate\":\"2024-02-17T11:51:00.000+0000\",\"statistic\":\"Sum\",\"period\":60,"
                              "\"recentDatapoints\":[1.0],\"threshold\":10.0,\"evaluatedDatapoints\":[{\"timestamp\":\"2024-02-17T11:51:00.000+0000\",\"sampleCount\":1.0,\"value\":1.0}]}");
    assert_string_equal(told("000", more, WATCH_ALARM_ALARM, NULL),
        "Threshold Crossed: 3 out of the last 3 datapoints [1.0 (17/02/24 11:51:00), 1.0 (17/02/24 11:50:00), 1.0 (17/02/24 11:49:00)] were not greater than or equal to the threshold "
        "(1.048576E8) (minimum 2 datapoints for ALARM -> OK transition).");
    assert_string_equal(told("---", less, WATCH_ALARM_OK, NULL), "Insufficient Data: 1 datapoint was unknown.");
    less.missing = WATCH_BREACHING;
    assert_string_equal(told("---", less, WATCH_ALARM_OK, NULL), "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [Breaching].");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_guides_tables), cmocka_unit_test(comparisons), cmocka_unit_test(enough_real_points_decide), cmocka_unit_test(reasons)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
