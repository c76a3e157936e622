/* Bounds while a query runs: each is crossed, the run goes on, and the totals say so. And large results: what two halves make is what the whole makes. */
#include "query_fixture.h"

#include <math.h>

struct feeding {
    struct watch_query *query;
    struct watch_query_run *run[2];
};

static void begin(struct feeding *feeding, const char *text)
{
    feeding->query = compiled(text);
    for (int i = 0; i < 2; i++)
        assert_int_equal(watch_query_run_create(feeding->query, NOW, &feeding->run[i]), 0);
}

static void feed(struct feeding *feeding, size_t n, const char *message)
{
    struct sample sample = {(int64_t)n, message};
    struct watch_query_event event = event_of(&sample, n);
    assert_int_equal(watch_query_feed(feeding->run[n % 2], &event), 0);
}

static char *end(struct feeding *feeding, const char **partial)
{
    struct rows rows = {.with_ptr = false};
    buf_init(&rows.out, 64 << 20);
    assert_int_equal(watch_query_merge(feeding->run[0], feeding->run[1]), 0);
    watch_query_run_destroy(feeding->run[1]);
    assert_int_equal(watch_query_finish(feeding->run[0]), 0);
    *partial = watch_query_totals(feeding->run[0]).partial;
    assert_int_equal(watch_query_rows(feeding->run[0], rows_add, &rows), 0);
    watch_query_run_destroy(feeding->run[0]);
    watch_query_destroy(feeding->query);
    buf_add_char(&rows.out, 0);
    return rows.out.data;
}

static void test_groups(void **state)
{
    (void)state;
    struct feeding feeding;
    const char *partial;
    char message[64];
    begin(&feeding, "stats count(*) as n by id | stats count(*) as groups, sum(n) as events");
    for (size_t i = 0; i < WATCH_QUERY_GROUPS_MAX; i++) {
        snprintf(message, sizeof(message), "{\"id\":%zu}", i);
        feed(&feeding, i, message);
    }
    char *rows = end(&feeding, &partial);
    assert_string_equal(rows, "groups=100000|events=100000\n");
    assert_null(partial);
    free(rows);

    begin(&feeding, "stats count(*) as n by id | stats count(*) as groups");
    for (size_t i = 0; i < WATCH_QUERY_GROUPS_MAX + 10; i++) {
        snprintf(message, sizeof(message), "{\"id\":%zu}", i);
        feed(&feeding, i, message);
    }
    rows = end(&feeding, &partial);
    assert_string_equal(rows, "groups=100000\n");
    assert_non_null(partial);
    free(rows);
}

static void test_held_rows(void **state)
{
    (void)state;
    struct feeding feeding;
    const char *partial;
    begin(&feeding, "sort @timestamp asc | filter 1 = 1 | stats count(*) as n, max(@timestamp) as t");
    for (size_t i = 0; i < 100001; i++)
        feed(&feeding, i, "x");
    char *rows = end(&feeding, &partial);
    assert_string_equal(rows, "n=100000|t=2025-11-21 00:01:39.999\n");
    assert_non_null(partial);
    free(rows);
}

/* Rows of a megabyte: fewer are kept than the limit. */
static void test_held_bytes(void **state)
{
    (void)state;
    struct feeding feeding;
    const char *partial;
    char *message = malloc((1 << 20) + 1);
    memset(message, 'x', 1 << 20);
    message[1 << 20] = 0;
    begin(&feeding, "fields @message | sort @timestamp desc | display @timestamp");
    for (size_t i = 0; i < 250; i++)
        feed(&feeding, i, message);
    char *rows = end(&feeding, &partial);
    size_t count = 0;
    for (const char *at = rows; *at; at++)
        count += *at == '\n';
    assert_in_range(count, 150, 200);
    assert_non_null(partial);
    assert_memory_equal(rows, "@timestamp=2025-11-21 00:00:00.249\n", 34);
    free(rows);
    free(message);
}

/* A pattern that would take ages gives up on the event. */
static void test_regex_steps(void **state)
{
    (void)state;
    struct feeding feeding;
    const char *partial;
    begin(&feeding, "filter @message like /^(a+)+$/ | display @timestamp");
    feed(&feeding, 0, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
    feed(&feeding, 1, "aaaa");
    char *rows = end(&feeding, &partial);
    assert_string_equal(rows, "@timestamp=2025-11-21 00:00:00.001\n");
    assert_non_null(partial);
    free(rows);
}

/* Not UTF-8, and zero bytes. */
static void test_odd_bytes(void **state)
{
    (void)state;
    struct watch_query *query = compiled("filter @message like /b.?c/ or x = 1 | fields strlen(@message) as n, substr(@message, 1, 1) as s");
    struct watch_query_run *run;
    struct watch_query_event event = {.message = text_make("\xff\x00" "bc\xc3", 5)};
    assert_int_equal(watch_query_run_create(query, NOW, &run), 0);
    assert_int_equal(watch_query_feed(run, &event), 0);
    event.message = text_make("{\"x\":1}\x80", 8);
    assert_int_equal(watch_query_feed(run, &event), 0);
    assert_int_equal(watch_query_finish(run), 0);
    assert_int_equal(watch_query_totals(run).matched, 2);
    watch_query_run_destroy(run);
    watch_query_destroy(query);
}

/* 20,000 values in two halves: counts are exact, the estimates within what docs/insights.md says. */
static void test_accuracy(void **state)
{
    (void)state;
    struct feeding feeding;
    const char *partial;
    char message[64];
    double n, distinct, half, deviation, sum;
    begin(&feeding, "stats count(*) as n, count_distinct(v) as d, pct(v, 50) as h, stddev(v) as s, sum(v) as t");
    for (size_t i = 0; i < 20000; i++) {
        snprintf(message, sizeof(message), "{\"v\":%zu}", i * 7919 % 20000);
        feed(&feeding, i, message);
    }
    char *rows = end(&feeding, &partial);
    assert_int_equal(sscanf(rows, "n=%lf|d=%lf|h=%lf|s=%lf|t=%lf", &n, &distinct, &half, &deviation, &sum), 5);
    assert_true(n == 20000 && sum == 199990000);
    assert_true(fabs(distinct - 20000) < 0.05 * 20000);
    assert_true(fabs(half - 10000) < 0.01 * 10000);
    assert_true(fabs(deviation - 5773.5026) < 0.001);
    free(rows);

    begin(&feeding, "stats count_distinct(v) as d"); /* few: exactly */
    for (size_t i = 0; i < 8000; i++) {
        snprintf(message, sizeof(message), "{\"v\":%zu}", i % 4000);
        feed(&feeding, i, message);
    }
    rows = end(&feeding, &partial);
    assert_string_equal(rows, "d=4000\n");
    free(rows);
}

static void test_limit(void **state)
{
    (void)state;
    struct feeding feeding;
    const char *partial;
    size_t count = 0;
    begin(&feeding, "fields @timestamp");
    for (size_t i = 0; i < 15000; i++)
        feed(&feeding, i, "x");
    char *rows = end(&feeding, &partial);
    for (const char *at = rows; *at; at++)
        count += *at == '\n';
    assert_int_equal(count, WATCH_QUERY_LIMIT_MAX);
    assert_null(partial);
    assert_memory_equal(rows, "@timestamp=2025-11-21 00:00:14.999\n", 34);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups), cmocka_unit_test(test_held_rows), cmocka_unit_test(test_held_bytes), cmocka_unit_test(test_regex_steps), cmocka_unit_test(test_odd_bytes),
        cmocka_unit_test(test_accuracy), cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
