/* Metric math and searches: a table of expressions over known series with their values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "watch/math.h"
#include "watch/search.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* a: all five minutes; b: the second and the fourth; e: none. 1736938200 is Wednesday, 15 January 2025, 10:50. */
#define T0 INT64_C(1736938200)
static const int64_t times_a[] = {T0, T0 + 60, T0 + 120, T0 + 180, T0 + 240}, times_b[] = {T0 + 60, T0 + 180};
static const double values_a[] = {1, 2, 3, 4, 10}, values_b[] = {10, 0};
static const struct math_value a = {.type = MATH_SERIES, .series = {.period_s = 60, .count = 5, .time_s = times_a, .value = values_a}},
                               b = {.type = MATH_SERIES, .series = {.period_s = 60, .count = 2, .time_s = times_b, .value = values_b}},
                               e = {.type = MATH_SERIES, .series = {.period_s = 60}};
static struct math_value all[3];

static int find(void *context, struct text id, struct math_value *value)
{
    (void)context;
    *value = text_is(id, "a") ? a : text_is(id, "b") ? b : e;
    return text_is(id, "a") || text_is(id, "b") || text_is(id, "e") ? 0 : ERR_NOT_FOUND;
}

static int metrics(void *context, struct text filter, struct math_value *list)
{
    (void)context;
    all[0] = a;
    all[1] = b;
    all[2] = e;
    *list = (struct math_value){.type = MATH_LIST, .item = all, .items = filter.len ? 1 : 3};
    return 0;
}

static void add_value(char *out, size_t size, const struct math_value *value)
{
    size_t at = strlen(out);
    if (value->type == MATH_SCALAR) {
        snprintf(out + at, size - at, "%.6g", value->scalar);
        return;
    }
    for (size_t i = 0; value->type == MATH_SERIES && i < value->series.count; i++) {
        at = strlen(out);
        snprintf(out + at, size - at, "%s%lld=%.6g", i ? " " : "", (long long)(value->series.time_s[i] - T0) / 60, value->series.value[i]);
    }
    for (size_t i = 0; value->type == MATH_LIST && i < value->items; i++) {
        strcat(out, i ? "; " : "");
        add_value(out, size, &value->item[i]);
    }
}

static const char *evaluate(const char *text)
{
    static char out[1024];
    struct arena arena;
    struct err err = {0};
    const struct math_expr *expr;
    struct math_value value;
    arena_init(&arena, 4096, 16 << 20);
    struct math_env env = {.arena = &arena, .start_s = T0, .end_s = T0 + 300, .period_s = 60, .find = find, .metrics = metrics};
    int code = math_parse(&arena, text_of(text), &expr, &err);
    if (!code)
        code = math_evaluate(expr, &env, &value, &err);
    out[0] = 0;
    if (code)
        snprintf(out, sizeof(out), "%s", err_name(code));
    else
        add_value(out, sizeof(out), &value);
    arena_fini(&arena);
    return out;
}

static void test_expressions(void **state)
{
    static const char *const known[][2] = {
        {"1 + 2 * 3 ^ 2 - -4", "23"}, {"2 ^ 3 ^ 2", "512"}, {"-2 ^ 2", "-4"}, {"(1 + 2) * 3", "9"}, {"1 / 0", "nan"}, {"1e3 + .5", "1000.5"},
        {"1 < 2 AND 2 >= 2 OR 0", "1"}, {"1 == 2 || 3 != 3", "0"}, {"a", "0=1 1=2 2=3 3=4 4=10"}, {"a * 2", "0=2 1=4 2=6 3=8 4=20"}, {"10 / a", "0=10 1=5 2=3.33333 3=2.5 4=1"},
        {"a + b", "1=12 3=4"}, {"a / b", "1=0.2"}, {"a > 2", "0=0 1=0 2=1 3=1 4=1"}, {"a > 2 AND b", "1=0 3=0"}, {"[a, b] + 1", "0=2 1=3 2=4 3=5 4=11; 1=11 3=1"},
        {"AVG(a)", "4"}, {"SUM(a)", "20"}, {"MIN(a)", "1"}, {"MAX(a)", "10"}, {"STDDEV(a)", "3.16228"}, {"SUM([a, b])", "0=1 1=12 2=3 3=4 4=10"},
        {"MAX([a, 5])", "0=5 1=5 2=5 3=5 4=10"}, {"MAX([1, 7, 3])", "7"}, {"AVG(METRICS())", "0=1 1=6 2=3 3=2 4=10"}, {"METRIC_COUNT(METRICS())", "3"},
        {"SUM(METRICS(\"a\"))", "0=1 1=2 2=3 3=4 4=10"}, {"DATAPOINT_COUNT(a)", "5"}, {"DATAPOINT_COUNT(e)", "0"}, {"DIFF(a)", "1=1 2=1 3=1 4=6"}, {"DIFF_TIME(b)", "3=120"},
        {"RATE(b)", "3=-0.0833333"}, {"RUNNING_SUM(a)", "0=1 1=3 2=6 3=10 4=20"}, {"ABS(0 - b)", "1=10 3=0"}, {"CEIL(a / 3)", "0=1 1=1 2=1 3=2 4=4"},
        {"FLOOR(a / 3)", "0=0 1=0 2=1 3=1 4=3"}, {"LOG10(b)", "1=1"}, {"LOG(1)", "0"}, {"FILL(b, 7)", "0=7 1=10 2=7 3=0 4=7"}, {"FILL(b, REPEAT)", "1=10 2=10 3=0 4=0"},
        {"FILL(b, LINEAR)", "1=10 2=5 3=0"}, {"FILL(b, a)", "0=1 1=10 2=3 3=0 4=10"}, {"FILL(e, 0)", "0=0 1=0 2=0 3=0 4=0"}, {"IF(a > 2, a, 0)", "0=0 1=0 2=3 3=4 4=10"},
        {"IF(a > 2, a)", "2=3 3=4 4=10"}, {"IF(1, a, b)", "0=1 1=2 2=3 3=4 4=10"}, {"IF(FILL(b, 0), 1, -1)", "0=-1 1=1 2=-1 3=-1 4=-1"}, {"PERIOD(a)", "60"},
        {"TIME_SERIES(3)", "0=3 1=3 2=3 3=3 4=3"}, {"REMOVE_EMPTY([e, b])", "1=10 3=0"}, {"SLICE([a, b, e], 1, 2)", "1=10 3=0"}, {"SLICE([a, b], 1)", "1=10 3=0"},
        {"FIRST([b, a])", "1=10 3=0"}, {"LAST([a, b])", "1=10 3=0"}, {"SORT([a, b], MIN, ASC)", "1=10 3=0; 0=1 1=2 2=3 3=4 4=10"}, {"SORT(METRICS(), SUM, DESC, 1)", "0=1 1=2 2=3 3=4 4=10"},
        {"HOUR(b)", "1=10 3=10"}, {"MINUTE(b)", "1=51 3=53"}, {"DAY(b)", "1=3 3=3"}, {"DATE(b)", "1=15 3=15"}, {"MONTH(b)", "1=1 3=1"}, {"YEAR(b)", "1=2025 3=2025"},
        {"EPOCH(b) - 1736938200", "1=60 3=180"},
        /* what is wrong */
        {"", "SYNTAX"}, {"1 +", "SYNTAX"}, {"(1", "SYNTAX"}, {"[1, 2", "SYNTAX"}, {"NOPE(a)", "SYNTAX"}, {"AVG(a, b)", "SYNTAX"}, {"AVG()", "SYNTAX"}, {"a b", "SYNTAX"},
        {"'x", "SYNTAX"}, {"1..2", "SYNTAX"}, {"'x' + 1", "TYPE"}, {"DIFF(1)", "TYPE"}, {"SLICE(a, 1)", "TYPE"}, {"SORT([a], 3, ASC)", "TYPE"}, {"zz + 1", "NOT_FOUND"},
        {"[a, b] + [a]", "INVALID"}, {"SEARCH('x', 'Sum', 60)", "INVALID"}, {"FILL(a, [b])", "TYPE"}, {"ANOMALY_DETECTION_BAND(a)", "INVALID"}, {"INSIGHT_RULE_METRIC('r', 'm')", "INVALID"}, {"INSIGHT_RULE_METRIC(a + 1, 'm')", "TYPE"},
        {"ANOMALY_DETECTION_BAND()", "SYNTAX"}, {"IF([a], 1, 2)", "TYPE"}};
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(evaluate(known[i][0]), known[i][1]) != 0)
            fail_msg("%s: %s, not %s", known[i][0], evaluate(known[i][0]), known[i][1]);
}

static void test_bounds(void **state)
{
    char text[MATH_TEXT_MAX + 2];
    (void)state;
    memset(text, '(', sizeof(text));
    text[MATH_TEXT_MAX] = 0;
    assert_string_equal(evaluate(text), "TOO_LARGE"); /* too deep */
    memset(text, '-', MATH_TEXT_MAX);
    assert_string_equal(evaluate(text), "TOO_LARGE");
    for (size_t i = 0; i < MATH_TEXT_MAX; i++)
        text[i] = i % 2 ? '+' : '1';
    text[MATH_TEXT_MAX - 1] = 0;
    assert_string_equal(evaluate(text), "TOO_LARGE"); /* too many parts */
    text[401] = 0;
    assert_string_equal(evaluate(text), "201");
    memset(text, '1', MATH_TEXT_MAX + 1);
    text[MATH_TEXT_MAX + 1] = 0;
    assert_string_equal(evaluate(text), "TOO_LARGE"); /* too long */
}

static void test_search(void **state)
{
    static const struct watch_dimension dimension[] = {{{"Handler", 7}, {"connection", 10}}, {{"Environment", 11}, {"dev", 3}}};
    static const struct watch_name name = {{"WebSocket/Performance", 21}, {"HandlerDuration", 15}, dimension, 2};
    static const struct {
        const char *text;
        int matches; /* -1: not well formed */
    } known[] = {{"", 1}, {"duration", 1}, {"Duration connection", 1}, {"Duration nothing", 0}, {"nothing OR dev", 1}, {"nothing OR dev AND other", 0}, {"\"dev\"", 1}, {"\"de\"", 0},
        {"MetricName=\"HandlerDuration\"", 1}, {"MetricName=\"Handler\"", 0}, {"MetricName=Handler", 1}, {"Handler=connection Environment=\"dev\"", 1},
        {"Handler=(message OR connection)", 1}, {"Environment=(\"prod\" OR \"test\")", 0}, {"NOT prod", 1}, {"-dev", 0}, {"(dev AND NOT prod) OR nothing", 1},
        {"Namespace=\"WebSocket/Performance\" dev", 1}, {"{WebSocket/Performance,Environment,Handler} dev", 1}, {"{WebSocket/Performance, \"Handler\"} dev", 0},
        {"{Other,Handler,Environment}", 0}, {"{\"WebSocket/Performance\",Handler,Environment}", 1}, {"{", -1}, {"{a", -1}, {"(dev", -1}, {"\"dev", -1}, {"a OR", -1}, {"dev)", -1},
        {"Handler=", -1}, {"NOT", -1}};
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct arena arena;
        struct err err = {0};
        const struct watch_search *search;
        arena_init(&arena, 4096, 1 << 20);
        int code = watch_search_parse(&arena, text_of(known[i].text), &search, &err);
        if (code != (known[i].matches < 0 ? ERR_SYNTAX : 0) || (!code && watch_search_matches(search, &name) != (known[i].matches == 1)))
            fail_msg("%s: %d %s", known[i].text, code, err.text);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_expressions), cmocka_unit_test(test_bounds), cmocka_unit_test(test_search)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
