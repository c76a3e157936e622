/* Dynamic labels: each value, no value, and what stays as it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "watch/label.h"

#include <string.h>

static const int64_t times[] = {1768464000, 1768464060, 1768464120}; /* 2026-01-15T08:00:00Z */
static const double values[] = {2.5, -1, 1000000};
static const struct watch_dimension dimension = {{"Handler", 7}, {"message", 7}};
static const struct watch_data_source source = {{{"space", 5}, {"Name", 4}, &dimension, 1}, {"p99", 3}};
static const struct math_series full = {.source = &source, .period_s = 60, .count = 3, .time_s = times, .value = values}, none = {.period_s = 300};

static const char *format(const char *text, const struct math_series *series, int offset_min)
{
    static char out[WATCH_LABEL_MAX + 1];
    struct arena arena;
    struct watch_label label = {.text = text_of(text), .plain = TEXT("plain"), .series = series, .region = TEXT("r"), .account = TEXT("1"), .now_ms = (times[2] + 3605) * 1000, .offset_min = offset_min};
    arena_init(&arena, 1024, 1 << 20);
    struct text made = watch_label_format(&arena, &label);
    assert_true(made.len <= WATCH_LABEL_MAX);
    memcpy(out, made.data, made.len);
    out[made.len] = 0;
    arena_fini(&arena);
    return out;
}

static void forms(void **state)
{
    static const struct {
        const char *text, *full, *none;
    } known[] = {{"", "plain", "plain"}, {"x", "x", "x"}, {"[${LABEL}]", "[plain]", "[plain]"}, {"${MIN} ${MAX} ${AVG} ${SUM}", "-1 1000000 333333.833 1000001.5", "-- -- -- --"},
        {"${FIRST} ${LAST} ${DATAPOINT_COUNT}", "2.5 1000000 3", "-- -- 0"}, {"${MIN_MAX_RANGE} ${FIRST_LAST_RANGE}", "1000001 999997.5", "-- --"},
        {"${MIN_MAX_TIME_RANGE} ${FIRST_LAST_TIME_RANGE}", "1m 2m", "-- --"}, {"${MIN_TIME}", "2026-01-15T08:01:00Z", "--"}, {"${LAST_TIME_RELATIVE} ${FIRST_TIME_RELATIVE}", "1h5s 1h2m5s", "-- --"},
        {"${PROP('MetricName')} ${PROP(\"Stat\")} ${PROP('Period')}", "Name p99 60", "-- -- 300"}, {"${PROP('Dim.Handler')}${PROP('Dim.x')}", "message--", "----"},
        {"${PROP('Region')}${PROP('AccountId')}", "r1", "r1"}, {"${PROP('x')}${PROP()}${PROP('}", "${PROP('x')}${PROP()}${PROP('}", "${PROP('x')}${PROP()}${PROP('}"},
        {"${min} ${MIN_} $MIN ${MIN", "${min} ${MIN_} $MIN ${MIN", "${min} ${MIN_} $MIN ${MIN"}, {"$${MIN}", "$-1", "$--"}};
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_string_equal(format(known[i].text, &full, 0), known[i].full);
        assert_string_equal(format(known[i].text, &none, 0), known[i].none);
    }
    assert_string_equal(format("${FIRST_TIME}", &full, 330), "2026-01-15T13:30:00+05:30");
    assert_string_equal(format("${FIRST_TIME}", &full, -480), "2026-01-15T00:00:00-08:00");
}

static void zones(void **state)
{
    static const char *const bad[] = {"", "0100", "+1:00", "+01000", "+010", "+1560", "+1500", "UTC", "+0a00"};
    int offset = 0;
    (void)state;
    assert_int_equal(watch_label_timezone(TEXT("+0130"), &offset), 0);
    assert_int_equal(offset, 90);
    assert_int_equal(watch_label_timezone(TEXT("-0700"), &offset), 0);
    assert_int_equal(offset, -420);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(watch_label_timezone(text_of(bad[i]), &offset), ERR_SYNTAX);
}

static void bounds(void **state)
{
    static char text[8192];
    (void)state;
    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    const char *made = format(text, &full, 0);
    assert_int_equal(strlen(made), WATCH_LABEL_MAX);
    text[1] = 'x';
    memmove(text, text + 1, sizeof(text) - 1);
    made = format(text, &full, 0);
    assert_int_equal(strlen(made), WATCH_LABEL_MAX - 1); /* a character is not cut in two */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forms), cmocka_unit_test(zones), cmocka_unit_test(bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
