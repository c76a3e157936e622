/* The clock: calendar against timegm, formats, strict parsing, the test clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"

static void test_formats(void **state)
{
    (void)state;
    char iso[CLOCK_ISO_SIZE], clf[32], http[32];
    clock_format_iso(INT64_C(1737109800000), iso);
    assert_string_equal(iso, "2025-01-17T10:30:00.000Z");
    clock_format_iso(-1, iso);
    assert_string_equal(iso, "1969-12-31T23:59:59.999Z");
    clock_format_clf(INT64_C(1731332746000), clf);
    assert_string_equal(clf, "11/Nov/2024:13:45:46 +0000");
    clock_format_http(INT64_C(784111777000), http);
    assert_string_equal(http, "Sun, 06 Nov 1994 08:49:37 GMT"); /* the example of RFC 9110 */
    clock_format_iso(INT64_MAX, iso);
    assert_string_equal(iso, "9999-12-31T23:59:59.999Z");
    clock_format_iso(INT64_MIN, iso);
    assert_string_equal(iso, "0000-01-01T00:00:00.000Z");
    clock_format_http(INT64_MIN, http);
    assert_string_equal(http, "Sat, 01 Jan 0000 00:00:00 GMT");
}

static void test_calendar(void **state)
{
    (void)state;
    for (int64_t day = -80000; day < 200000; day += 13) {
        int64_t ms = day * DAY_MS + (day * 7919 % 86400 + 86400) % 86400 * SECOND_MS + 123, back;
        time_t seconds = (time_t)((ms - 123) / 1000);
        struct tm tm;
        char expected[64], iso[CLOCK_ISO_SIZE], http[32];
        gmtime_r(&seconds, &tm);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.123Z", &tm);
        clock_format_iso(ms, iso);
        assert_string_equal(iso, expected);
        assert_int_equal(clock_parse_iso(iso, strlen(iso), &back), 0);
        assert_true(back == ms);
        strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        clock_format_http(ms, http);
        assert_string_equal(http, expected);
    }
}

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"1970-01-01T00:00:00Z", 0}, {"1970-01-01t00:00:00z", 0}, {"1970-01-01T00:00:00.1Z", 100}, {"1970-01-01T00:00:00.123999Z", 123},
                {"1970-01-01T01:30:00+01:30", 0}, {"1969-12-31T23:00:00-01:00", 0}, {"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
                {"1990-12-31T23:59:60Z", INT64_C(662688000000)}, {"1970-01-01T00:00:00-00:00", 0}};
    static const char *const bad[] = {"", "1970", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z", "1970-13-01T00:00:00Z",
                                      "1970-00-01T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "1970-01-32T00:00:00Z",
                                      "1970-01-00T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1970-01-01T00:00:61Z",
                                      "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00+1:00", "1970-01-01T00:00:00+0100", "1970-01-01T00:00:00+24:00",
                                      "1970-01-01T00:00:00Zx", " 1970-01-01T00:00:00Z", "+970-01-01T00:00:00Z", "1970-01-01T00:00:0aZ"};
    int64_t ms;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_int_equal(clock_parse_iso(good[i].text, strlen(good[i].text), &ms), 0);
        assert_true(ms == good[i].ms);
        for (size_t cut = 0; cut < strlen(good[i].text); cut++)
            assert_int_equal(clock_parse_iso(good[i].text, cut, &ms), -1);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (clock_parse_iso(bad[i], strlen(bad[i]), &ms) != -1)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(clock_parse_iso("1970-01-01T00:00:00\0", 20, &ms), -1);
}

static void test_driving(void **state)
{
    (void)state;
    clock_freeze(1000000);
    assert_true(clock_wall_ms() == 1000000 && clock_mono_ms() == 1000000);
    assert_true(clock_wall_ns() == INT64_C(1000000000000));
    clock_advance(5);
    assert_true(clock_wall_ms() == 1000005 && clock_mono_ms() == 1000005);
    clock_freeze(-1);
    int64_t wall = clock_wall_ms(), mono = clock_mono_ms();
    assert_true(llabs(wall - (int64_t)time(NULL) * 1000) < MINUTE_MS);
    clock_advance(2 * HOUR_MS);
    assert_in_range(clock_wall_ms() - wall, 2 * HOUR_MS, 2 * HOUR_MS + MINUTE_MS);
    assert_in_range(clock_mono_ms() - mono, 2 * HOUR_MS, 2 * HOUR_MS + MINUTE_MS);
}

static void test_begin(void **state)
{
    (void)state;
    int64_t mono = clock_mono_ms();
    clock_begin(INT64_C(1577836800000)); /* 2020, before now */
    assert_in_range(clock_wall_ms() - INT64_C(1577836800000), 0, MINUTE_MS);
    assert_in_range(clock_mono_ms() - mono, 0, MINUTE_MS);
    clock_advance(DAY_MS);
    assert_in_range(clock_wall_ms() - INT64_C(1577836800000), DAY_MS, DAY_MS + MINUTE_MS);
    clock_freeze(5);
    assert_true(clock_wall_ms() == 5);
    clock_freeze(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_driving),
        cmocka_unit_test(test_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
