/* The documents' prices and worked examples, as they write them: CO-1 to CO-7, X-11. Reports go through JSON and come back; amounts from outside are checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "watch/cost.h"
#include <math.h>
#include <string.h>

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-9 * (1 + fabs(b));
}

static void assert_money(double dollars, const char *expected)
{
    char text[COST_MONEY_SIZE];
    cost_money(dollars, text);
    assert_string_equal(text, expected);
}

/* One unit of each price. */
static void test_prices(void **state)
{
    (void)state;
    static const struct {
        enum cost_kind kind;
        double amount, dollars;
    } rows[] = {
        {COST_MESSAGES, 1e6, 1.00}, {COST_CONNECTION_MINUTES, 1e6, 0.25},                  /* CO-1 */
        {COST_INVOCATIONS, 1e6, 0.20}, {COST_GB_SECONDS, 1, 0.0000166667},                 /* CO-2 */
        {COST_WRITES, 1e6, 1.25}, {COST_READS, 1e6, 0.25}, {COST_STORAGE, 1, 0.25},        /* CO-3 */
        {COST_LOGS, 1, 0.30}, {COST_LOG_ARCHIVE, 1, 0.03},                                 /* CO-4 */
    };
    struct cost_prices prices;
    cost_prices_init(&prices);
    assert_int_equal(sizeof(rows) / sizeof(rows[0]), COST_KINDS);
    for (size_t i = 0; i < COST_KINDS; i++) {
        struct cost_usage usage = {{0}};
        usage.of[rows[i].kind] = rows[i].amount;
        assert_true(near(cost_line(&prices, &usage, rows[i].kind), rows[i].dollars));
        assert_true(near(cost_sum(&prices, &usage, true), rows[i].dollars));
    }
}

/* The table of CO-5, line by line as it is printed there. */
static void test_co_5(void **state)
{
    (void)state;
    struct cost_prices prices;
    cost_prices_init(&prices);
    const struct cost_example *example = cost_example_find(TEXT("co-5"));
    assert_non_null(example);
    const struct cost_usage *usage = &example->usage;
    assert_money(cost_line(&prices, usage, COST_WRITES), "1.25");
    assert_money(cost_line(&prices, usage, COST_READS), "0.13");
    assert_money(cost_line(&prices, usage, COST_MESSAGES), "0.50");
    assert_money(cost_line(&prices, usage, COST_INVOCATIONS), "0.20");
    assert_money(cost_line(&prices, usage, COST_LOGS), "1.50");
    assert_money(cost_sum(&prices, usage, true), "3.58");
    assert_money(cost_sum(&prices, usage, false), "3.58"); /* it has no connection minutes to leave out */
    struct cost_usage omitted = *usage;
    assert_int_equal(example->omitted, COST_CONNECTION_MINUTES);
    omitted.of[example->omitted] = example->omitted_amount;
    assert_money(cost_line(&prices, &omitted, COST_CONNECTION_MINUTES), "10.80");
    assert_money(cost_sum(&prices, &omitted, true), "14.38");
    assert_money(cost_sum(&prices, &omitted, false), "3.58");
}

/* CO-7: within the range, and X-11's 43.2 million minutes for 10.80 among it. */
static void test_co_7(void **state)
{
    (void)state;
    struct cost_prices prices;
    cost_prices_init(&prices);
    const struct cost_example *example = cost_example_find(TEXT("CO-7"));
    assert_non_null(example);
    assert_true(near(example->usage.of[COST_CONNECTION_MINUTES], 43.2e6));
    assert_true(near(example->usage.of[COST_MESSAGES], 7.2e6));
    assert_money(cost_line(&prices, &example->usage, COST_CONNECTION_MINUTES), "10.80");
    assert_money(cost_line(&prices, &example->usage, COST_MESSAGES), "7.20");
    assert_money(cost_line(&prices, &example->usage, COST_INVOCATIONS), "1.44");
    double sum = cost_sum(&prices, &example->usage, true);
    assert_money(sum, "19.44");
    assert_true(sum >= example->least && sum <= example->most);
    assert_money(cost_sum(&prices, &example->usage, false), "8.64");
    assert_true(!example->omitted_amount);
}

/* CO-6: 0.50 to 2.00 dollars a day. What a message costs there at least is known (a message, a request, a write), so the claim is a number of messages. */
static void test_co_6(void **state)
{
    (void)state;
    struct cost_prices prices;
    cost_prices_init(&prices);
    struct cost_usage day = {{[COST_MESSAGES] = 204000, [COST_INVOCATIONS] = 204000, [COST_WRITES] = 204000}};
    assert_money(cost_sum(&prices, &day, true), "0.50");
    for (int kind = 0; kind < COST_KINDS; kind++)
        day.of[kind] *= 4;
    assert_money(cost_sum(&prices, &day, true), "2.00");
}

static void test_money(void **state)
{
    (void)state;
    assert_money(0, "0.00");
    assert_money(0.125, "0.13"); /* half up, though it is a tie in binary */
    assert_money(1.005, "1.01"); /* and though this one is a little less than the half there */
    assert_money(1.0049, "1.00");
    assert_money(3.575, "3.58");
    assert_money(0.01, "0.01");
    assert_money(0.0025, "0.0025");
    assert_money(0.00000125, "0.0000013");
    assert_money(1e-12, "0.000000000");
    assert_money(1234567.891, "1234567.89");
    assert_money(NAN, "nan");
    assert_money(1e300, "1e+300");
}

static void test_report_there_and_back(void **state)
{
    (void)state;
    struct cost_application applications[] = {
        {TEXT("chat"), {{[COST_MESSAGES] = 12, [COST_CONNECTION_MINUTES] = 1e6, [COST_GB_SECONDS] = 0.5}}}, {TEXT(""), {{[COST_WRITES] = 2e6}}}};
    struct cost_report report = {.from_ms = INT64_C(1700000000000), .to_ms = INT64_C(1700086400000), .application = applications, .applications = 2, .partial = true}, back;
    cost_prices_init(&report.prices);
    report.prices.of[COST_WRITES] = 1.5;
    struct buf text;
    struct json_writer w;
    struct arena arena;
    const struct json *root;
    buf_init(&text, 1 << 16);
    arena_init(&arena, 4096, 1 << 20);
    json_writer_init(&w, &text);
    cost_report_write(&report, &w);
    assert_int_equal(json_parse(&arena, buf_text(&text), 0, &root, NULL), 0);
    double value;
    assert_int_equal(json_to_double(json_get_str(root, "cost"), &value), 0);
    assert_true(near(value, 12e-6 + 0.25 + 0.5 * 0.0000166667 + 3.0));
    assert_int_equal(json_to_double(json_get_str(root, "withoutConnectionMinutes"), &value), 0);
    assert_true(near(value, 12e-6 + 0.5 * 0.0000166667 + 3.0));
    assert_int_equal(json_to_double(json_path(root, TEXT("services.2.cost")), &value), 0);
    assert_true(near(value, 3.0));
    assert_int_equal(cost_report_read(root, &arena, &back), 0);
    assert_true(back.from_ms == report.from_ms && back.to_ms == report.to_ms && back.partial && back.applications == 2);
    assert_true(text_is(back.application[0].name, "chat") && near(back.application[0].usage.of[COST_GB_SECONDS], 0.5));
    assert_true(near(back.prices.of[COST_WRITES], 1.5));
    buf_fini(&text);
    arena_fini(&arena);
}

static void test_what_is_no_report(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}", "[]", "null", "{\"services\":[],\"applications\":{}}", "{\"services\":[],\"applications\":[{}]}",
        "{\"services\":[],\"applications\":[{\"name\":\"a\",\"usage\":{\"messages\":-1}}]}", "{\"services\":[],\"applications\":[],\"from\":\"soon\"}",
        "{\"services\":[{\"lines\":[{\"name\":\"messages\",\"price\":\"1\"}]}],\"applications\":[]}"};
    struct arena arena;
    const struct json *root;
    struct cost_report report;
    arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(json_parse(&arena, text_of(texts[i]), 0, &root, NULL), 0);
        assert_int_equal(cost_report_read(root, &arena, &report), ERR_INVALID);
    }
    arena_fini(&arena);
}

static void test_amounts(void **state)
{
    (void)state;
    struct arena arena;
    const struct json *root;
    struct cost_usage usage;
    struct err err;
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(json_parse(&arena, TEXT("{\"messages\":5e5,\"logGb\":5.5}"), 0, &root, NULL), 0);
    assert_int_equal(cost_usage_read(root, &usage, &err), 0);
    assert_true(near(usage.of[COST_MESSAGES], 500000) && near(usage.of[COST_LOGS], 5.5) && usage.of[COST_WRITES] == 0);
    static const char *const wrong[] = {"{\"massages\":1}", "{\"messages\":\"1\"}", "{\"messages\":-1}", "{\"messages\":1e300}", "[1]"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(json_parse(&arena, text_of(wrong[i]), 0, &root, NULL), 0);
        assert_int_equal(cost_usage_read(root, &usage, &err), ERR_INVALID);
        assert_true(err.text[0]);
    }
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prices),
        cmocka_unit_test(test_co_5),
        cmocka_unit_test(test_co_7),
        cmocka_unit_test(test_co_6),
        cmocka_unit_test(test_money),
        cmocka_unit_test(test_report_there_and_back),
        cmocka_unit_test(test_what_is_no_report),
        cmocka_unit_test(test_amounts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
