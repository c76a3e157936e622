/* Bodies of dashboards: what is taken, what is refused and how that is said, the shorthand of metrics, times, and the periods of ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "watch/widget.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW_MS INT64_C(1800000000000)

static struct arena arena;

static int judge(const char *text, struct dashboard_body *body)
{
    arena_fini(&arena);
    arena_init(&arena, 4096, 64 << 20);
    return dashboard_body_parse(&arena, text_of(text), body);
}

/* The first message, as "E /path text". */
static const char *first(const struct dashboard_body *body)
{
    static char line[600];
    if (!body->messages)
        return "";
    const struct dashboard_message *message = &body->message[0];
    snprintf(line, sizeof(line), "%c %.*s %.*s", message->error ? 'E' : 'W', TEXT_FMT(message->path), TEXT_FMT(message->text));
    return line;
}

#define WIDGET(type, properties) "{\"widgets\":[{\"type\":\"" type "\",\"x\":0,\"y\":0,\"width\":6,\"height\":6,\"properties\":" properties "}]}"
#define METRICS(metrics) WIDGET("metric", "{\"region\":\"us-east-1\",\"metrics\":" metrics "}")

static void test_taken(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"widgets\":[]}",
        "{\"start\":\"-PT6H\",\"end\":\"-PT1H\",\"periodOverride\":\"auto\",\"widgets\":[],\"variables\":[]}",
        WIDGET("text", "{\"markdown\":\"# Hello\",\"background\":\"transparent\"}"),
        METRICS("[[\"AWS/EC2\",\"CPUUtilization\",\"InstanceId\",\"i-1\"],[\"...\",\"i-2\",{\"stat\":\"p99\",\"period\":60,\"color\":\"#1f77b4\",\"yAxis\":\"right\"}]]"),
        METRICS("[[{\"expression\":\"SEARCH('{AWS/EC2} CPU', 'Average', 300)\",\"id\":\"e1\",\"label\":\"all\"}]]"),
        WIDGET("metric", "{\"region\":\"us-east-1\",\"annotations\":{\"alarms\":[\"arn:aws:cloudwatch:us-east-1:1:alarm:a\"]}}"),
        WIDGET("log", "{\"region\":\"us-east-1\",\"query\":\"SOURCE 'a' | fields @message | limit 20\",\"view\":\"table\"}"),
        WIDGET("alarm", "{\"alarms\":[\"arn:aws:cloudwatch:us-east-1:1:alarm:a\"],\"title\":\"Alarms\"}"),
        WIDGET("explorer", "{\"metrics\":[{\"metricName\":\"CPUUtilization\"}]}"),
        WIDGET("custom", "{\"endpoint\":\"arn:aws:lambda:us-east-1:1:function:f\",\"params\":{\"a\":1}}"),
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct dashboard_body body;
        int code = judge(bodies[i], &body);
        if (code || body.messages)
            print_error("%s: %d %s\n", bodies[i], code, first(&body));
        assert_int_equal(code, 0);
        assert_int_equal(body.messages, 0);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body, *message;
    } cases[] = {
        {"{}", "E  Should have required property 'widgets'"},
        {"{\"widgets\":{}}", "E /widgets Should be array"},
        {"{\"widgets\":[5]}", "E /widgets/0 Should be object"},
        {"{\"widgets\":[{\"properties\":{}}]}", "E /widgets/0 Should have required property 'type'"},
        {"{\"widgets\":[{\"type\":\"graph\",\"properties\":{}}]}", "E /widgets/0/type Should be equal to one of the allowed values"},
        {"{\"widgets\":[{\"type\":\"text\"}]}", "E /widgets/0 Should have required property 'properties'"},
        {"{\"widgets\":[{\"type\":\"text\",\"x\":24,\"y\":0,\"properties\":{\"markdown\":\"\"}}]}", "E /widgets/0/x Should be <= 23"},
        {"{\"widgets\":[{\"type\":\"text\",\"x\":-1,\"y\":0,\"properties\":{\"markdown\":\"\"}}]}", "E /widgets/0/x Should be >= 0"},
        {"{\"widgets\":[{\"type\":\"text\",\"x\":1,\"properties\":{\"markdown\":\"\"}}]}", "E /widgets/0 Should have property y when property x is present"},
        {"{\"widgets\":[{\"type\":\"text\",\"width\":25,\"properties\":{\"markdown\":\"\"}}]}", "E /widgets/0/width Should be <= 24"},
        {"{\"widgets\":[{\"type\":\"text\",\"height\":1.5,\"properties\":{\"markdown\":\"\"}}]}", "E /widgets/0/height Should be integer"},
        {WIDGET("text", "{}"), "E /widgets/0/properties Should have required property 'markdown'"},
        {WIDGET("text", "{\"markdown\":5}"), "E /widgets/0/properties/markdown Should be string"},
        {WIDGET("metric", "{\"region\":\"a\"}"), "E /widgets/0/properties Should have required property 'metrics'"},
        {WIDGET("metric", "{\"region\":\"a\",\"metrics\":[],\"view\":\"round\"}"), "E /widgets/0/properties/view Should be equal to one of the allowed values"},
        {METRICS("[5]"), "E /widgets/0/properties/metrics/0 Should be array"},
        {METRICS("[[]]"), "E /widgets/0/properties/metrics/0 Should NOT have less than 1 items"},
        {METRICS("[[\"A\",5]]"), "E /widgets/0/properties/metrics/0/1 Should be string"},
        {METRICS("[[{\"label\":\"x\"}]]"), "E /widgets/0/properties/metrics/0/0 Should have required property 'expression'"},
        {METRICS("[[\"A\",\"B\",{\"color\":\"red\"}]]"), "E /widgets/0/properties/metrics/0/2/color Should match pattern \"^#[A-Fa-f0-9]{6}$\""},
        {METRICS("[[\"A\",\"B\",{\"id\":\"M1\"}]]"), "E /widgets/0/properties/metrics/0/2/id Should match pattern \"^[a-z][a-zA-Z0-9_]*$\""},
        {METRICS("[[\"A\",\"B\",{\"yAxis\":\"up\"}]]"), "E /widgets/0/properties/metrics/0/2/yAxis Should be equal to one of the allowed values"},
        {METRICS("[[\"A\",\"B\",{\"period\":7}]]"), "E /widgets/0/properties/metrics/0/2/period Should be 1, 5, 10, 20, 30 or a multiple of 60"},
        {WIDGET("log", "{\"region\":\"a\"}"), "E /widgets/0/properties Should have required property 'query'"},
        {WIDGET("alarm", "{\"alarms\":[]}"), "E /widgets/0/properties/alarms Should NOT have less than 1 items"},
        {WIDGET("alarm", "{\"alarms\":[1]}"), "E /widgets/0/properties/alarms/0 Should be string"},
        {WIDGET("custom", "{}"), "E /widgets/0/properties Should have required property 'endpoint'"},
        {"{\"widgets\":[],\"start\":\"yesterday\"}", "E /start Should be a time such as \"-PT3H\" or \"2018-12-17T06:00:00.000Z\""},
        {"{\"widgets\":[],\"end\":\"-PT1H\"}", "E  Should have required property 'start'"},
        {"{\"widgets\":[],\"periodOverride\":\"no\"}", "E /periodOverride Should be equal to one of the allowed values"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dashboard_body body;
        assert_int_equal(judge(cases[i].body, &body), ERR_INVALID);
        assert_string_equal(first(&body), cases[i].message);
    }
    struct dashboard_body body;
    assert_int_equal(judge("[]", &body), ERR_SYNTAX);
    assert_int_equal(judge("{\"widgets\":[", &body), ERR_SYNTAX);
    assert_int_equal(judge("", &body), ERR_SYNTAX);
}

static void test_warnings(void **state)
{
    (void)state;
    static const struct {
        const char *body, *message;
    } cases[] = {
        {"{\"widgets\":[],\"colour\":1}", "W /colour Should NOT have additional properties"},
        {WIDGET("metric", "{\"metrics\":[[\"A\",\"B\"]]}"), "W /widgets/0/properties Should have required property 'region'"},
        {WIDGET("log", "{\"region\":\"a\",\"query\":\"fields | | x\"}"), NULL},
        {METRICS("[[{\"expression\":\"m1 +\",\"id\":\"e1\"}]]"), NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dashboard_body body;
        assert_int_equal(judge(cases[i].body, &body), 0);
        assert_int_equal(body.warnings, 1);
        assert_int_equal(body.messages, 1);
        if (cases[i].message)
            assert_string_equal(first(&body), cases[i].message);
    }
    struct dashboard_body body; /* errors stand first, and both are counted beyond what is told */
    assert_int_equal(judge("{\"colour\":1,\"widgets\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}", &body), ERR_INVALID);
    assert_int_equal(body.errors, 25);
    assert_int_equal(body.warnings, 1);
    assert_int_equal(body.messages, DASHBOARD_MESSAGES_MAX);
    assert_true(body.message[0].error);
}

static void repeat(struct buf *out, const char *what, size_t times)
{
    for (size_t i = 0; i < times; i++)
        buf_add_format(out, "%s%s", i ? "," : "", what);
}

static void test_limits(void **state)
{
    (void)state;
    struct dashboard_body body;
    for (size_t over = 0; over < 2; over++) {
        struct buf out;
        buf_init(&out, 4 << 20);
        buf_add_text(&out, TEXT("{\"widgets\":["));
        repeat(&out, "{\"type\":\"text\",\"properties\":{\"markdown\":\"\"}}", DASHBOARD_WIDGETS_MAX + over);
        buf_add_text(&out, TEXT("]}"));
        buf_add_char(&out, 0);
        assert_int_equal(judge(out.data, &body), over ? ERR_INVALID : 0);
        buf_clear(&out);
        buf_add_text(&out, TEXT("{\"widgets\":[{\"type\":\"metric\",\"properties\":{\"region\":\"a\",\"metrics\":["));
        repeat(&out, "[\"A\",\"B\"]", DASHBOARD_METRICS_MAX + over);
        buf_add_text(&out, TEXT("]}}]}"));
        buf_add_char(&out, 0);
        assert_int_equal(judge(out.data, &body), over ? ERR_INVALID : 0);
        buf_fini(&out);
    }
    char *large = malloc(DASHBOARD_BODY_MAX + 1);
    assert_non_null(large);
    memset(large, ' ', DASHBOARD_BODY_MAX + 1);
    memcpy(large, "{\"widgets\":[]}", 14);
    arena_fini(&arena);
    arena_init(&arena, 4096, 64 << 20);
    assert_int_equal(dashboard_body_parse(&arena, text_make(large, DASHBOARD_BODY_MAX), &body), 0);
    assert_int_equal(dashboard_body_parse(&arena, text_make(large, DASHBOARD_BODY_MAX + 1), &body), ERR_TOO_LARGE);
    free(large);
}

/* ---- the shorthand ---- */

static int on_metric(void *context, const struct dashboard_metric *metric)
{
    struct buf *out = context;
    if (metric->expression.len) {
        buf_add_format(out, "=%.*s\n", TEXT_FMT(metric->expression));
        return 0;
    }
    buf_add_format(out, "%.*s %.*s", TEXT_FMT(metric->name.space), TEXT_FMT(metric->name.name));
    for (size_t i = 0; i < metric->name.dimensions; i++)
        buf_add_format(out, " %.*s=%.*s", TEXT_FMT(metric->name.dimension[i].name), TEXT_FMT(metric->name.dimension[i].value));
    buf_add_text(out, metric->options ? TEXT(" {}\n") : TEXT("\n"));
    return 0;
}

static int expand(const char *metrics, char *text, size_t size)
{
    const struct json *json;
    struct buf out;
    arena_fini(&arena);
    arena_init(&arena, 4096, 1 << 20);
    buf_init(&out, 4096);
    assert_int_equal(json_parse(&arena, text_of(metrics), 0, &json, NULL), 0);
    int code = dashboard_metrics_each(&arena, json, on_metric, &out);
    snprintf(text, size, "%.*s", TEXT_FMT(buf_text(&out)));
    buf_fini(&out);
    return code;
}

static void test_shorthand(void **state)
{
    (void)state;
    char text[1000];
    assert_int_equal(expand("[[\"AWS/EC2\",\"CPU\",\"Id\",\"i-1\",\"Az\",\"a\"],[\".\",\"Disk\",\".\",\"i-2\",\".\",\".\"],[\"...\",\"b\",{\"stat\":\"Sum\"}],[\"...\",\"i-3\",\".\",\"c\"],[\"...\"],"
                            "[{\"expression\":\"m1*2\"}],[\"...\",\"d\"],[\"X\",\"Y\"],[\".\",\"Z\"]]", text, sizeof(text)), 0);
    assert_string_equal(text,
        "AWS/EC2 CPU Id=i-1 Az=a\nAWS/EC2 Disk Id=i-2 Az=a\nAWS/EC2 Disk Id=i-2 Az=b {}\nAWS/EC2 Disk Id=i-3 Az=c\nAWS/EC2 Disk Id=i-3 Az=c\n=m1*2\n"
        "AWS/EC2 Disk Id=i-3 Az=d\nX Y\nX Z\n");
    static const char *const wrong[] = {"[[\"...\"]]", "[[\".\",\"a\"]]", "[[\"A\"]]", "[[\"A\",\"B\",\"C\"]]", "[[\"A\",\"B\"],[\"...\",\"C\",\"D\",\"E\"]]", "[[\"A\",\"B\"],[\".\",\".\",\".\",\".\"]]", "[5]"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(expand(wrong[i], text, sizeof(text)), ERR_INVALID);
}

/* ---- times and periods ---- */

static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* -1: none */
    } ago[] = {{"-PT3H", 3 * HOUR_MS}, {"-PT90M", 90 * MINUTE_MS}, {"-P7D", 7 * DAY_MS}, {"-P1W", 7 * DAY_MS}, {"-P1DT12H30M5S", DAY_MS + 12 * HOUR_MS + 30 * MINUTE_MS + 5 * SECOND_MS},
        {"-P1M", 30 * DAY_MS}, {"-P1Y", 365 * DAY_MS}, {"-PT0H", 0}, {"PT3H", -1}, {"-P", -1}, {"-PT", -1}, {"-P3H", -1}, {"-PT3D", -1}, {"-PT3", -1}, {"-PTH", -1}, {"-PT3H3H", -1},
        {"-PT5M3H", -1}, {"-P1DT", -1}, {"-P99999999999Y", -1}, {"-P1003Y", -1}, {"", -1}};
    for (size_t i = 0; i < sizeof(ago) / sizeof(ago[0]); i++) {
        int64_t ms = 0;
        assert_int_equal(dashboard_ago_parse(text_of(ago[i].text), &ms), ago[i].ms < 0 ? ERR_SYNTAX : 0);
        if (ago[i].ms >= 0)
            assert_int_equal(ms, ago[i].ms);
    }
    int64_t ms;
    bool relative;
    assert_int_equal(dashboard_time_parse(TEXT("-PT1H"), NOW_MS, &ms, &relative), 0);
    assert_true(relative && ms == NOW_MS - HOUR_MS);
    assert_int_equal(dashboard_time_parse(TEXT("2025-01-17T10:30:00Z"), NOW_MS, &ms, &relative), 0);
    assert_true(!relative && ms == INT64_C(1737109800000));
    assert_int_equal(dashboard_time_parse(TEXT("1737109800000"), NOW_MS, &ms, &relative), 0);
    assert_true(!relative && ms == INT64_C(1737109800000));
    assert_int_equal(dashboard_time_parse(TEXT("soon"), NOW_MS, &ms, &relative), ERR_SYNTAX);
    assert_int_equal(dashboard_time_parse(TEXT("-5"), NOW_MS, &ms, &relative), ERR_SYNTAX);
}

static int64_t period(int64_t ago_ms, int64_t length_ms, int64_t asked_s, int64_t wanted_s, bool automatic)
{
    struct widget_range range = {.start_ms = NOW_MS - ago_ms, .end_ms = NOW_MS - ago_ms + length_ms, .period_s = wanted_s, .automatic = automatic};
    return widget_period(&range, asked_s, NOW_MS);
}

static void test_periods(void **state)
{
    (void)state;
    assert_int_equal(period(3 * HOUR_MS, 3 * HOUR_MS, 0, 0, false), 60);        /* auto, by the range */
    assert_int_equal(period(4 * HOUR_MS, 4 * HOUR_MS, 0, 0, false), 300);
    assert_int_equal(period(5 * DAY_MS, 5 * DAY_MS, 0, 0, false), 300);
    assert_int_equal(period(15 * DAY_MS, 15 * DAY_MS, 0, 0, false), 900);       /* 1,440 points */
    assert_int_equal(period(30 * DAY_MS, 30 * DAY_MS, 0, 0, false), 3600);
    assert_int_equal(period(3 * HOUR_MS, 3 * HOUR_MS, 300, 0, false), 300);     /* the widget's own */
    assert_int_equal(period(3 * HOUR_MS, 3 * HOUR_MS, 300, 0, true), 60);       /* the dashboard overrides it */
    assert_int_equal(period(3 * HOUR_MS, 3 * HOUR_MS, 300, 10, false), 10);     /* the request wins */
    assert_int_equal(period(3 * HOUR_MS, 3 * HOUR_MS, 1, 0, false), 10);        /* 10,800 points are too many */
    assert_int_equal(period(10 * MINUTE_MS, 10 * MINUTE_MS, 1, 0, false), 1);
    assert_int_equal(period(4 * HOUR_MS, 10 * MINUTE_MS, 1, 0, false), 60);     /* kept by the minute by now */
    assert_int_equal(period(20 * DAY_MS, HOUR_MS, 60, 0, false), 300);
    assert_int_equal(period(20 * DAY_MS, HOUR_MS, 420, 0, false), 600);
    assert_int_equal(period(100 * DAY_MS, DAY_MS, 60, 0, false), 3600);
    assert_true(period(365 * DAY_MS * 40, 365 * DAY_MS * 40, 60, 0, false) * WIDGET_POINTS_MAX >= 365 * 40 * 86400);
}

static int resolve(const char *body_text, const char *start, const char *end, const char *asked, struct widget_range *range)
{
    struct dashboard_body body;
    struct err err = {0};
    assert_int_equal(judge(body_text, &body), 0);
    struct widget_wish wish = {.start = text_of(start), .end = text_of(end), .period = text_of(asked), .body = &body, .widget = dashboard_body_widget(&body, 0), .now_ms = NOW_MS};
    int code = widget_range_resolve(&wish, range, &err);
    assert_true(!code == !err.text[0]);
    return code;
}

static void test_ranges(void **state)
{
    (void)state;
#define TIMED(own, shared) "{" shared "\"widgets\":[{\"type\":\"metric\",\"properties\":{" own "\"region\":\"a\",\"metrics\":[[\"A\",\"B\"]]}}]}"
    struct widget_range range;
    assert_int_equal(resolve(TIMED("", ""), "", "", "", &range), 0);
    assert_true(range.end_ms == NOW_MS && range.start_ms == NOW_MS - 3 * HOUR_MS && range.moving && !range.automatic);
    assert_int_equal(resolve(TIMED("", "\"start\":\"-PT6H\",\"periodOverride\":\"auto\","), "", "", "", &range), 0);
    assert_true(range.start_ms == NOW_MS - 6 * HOUR_MS && range.automatic);
    assert_int_equal(resolve(TIMED("\"start\":\"-P1D\",\"end\":\"-PT12H\",", "\"start\":\"-PT6H\","), "", "", "", &range), 0);
    assert_true(range.start_ms == NOW_MS - DAY_MS && range.end_ms == NOW_MS - 12 * HOUR_MS && range.moving);
    assert_int_equal(resolve(TIMED("\"start\":\"-P1D\",\"end\":\"-PT12H\",", ""), "-PT5M", "", "10", &range), 0);
    assert_true(range.start_ms == NOW_MS - 5 * MINUTE_MS && range.end_ms == NOW_MS && range.period_s == 10);
    assert_int_equal(resolve(TIMED("", ""), "2025-01-17T10:30:00Z", "2025-01-17T11:30:00Z", "auto", &range), 0);
    assert_true(!range.moving && range.automatic && range.end_ms - range.start_ms == HOUR_MS);
    assert_int_equal(resolve(TIMED("", ""), "-PT1H", "-PT2H", "", &range), ERR_INVALID);
    assert_int_equal(resolve(TIMED("", ""), "x", "", "", &range), ERR_INVALID);
    assert_int_equal(resolve(TIMED("", ""), "", "x", "", &range), ERR_INVALID);
    assert_int_equal(resolve(TIMED("", ""), "", "", "7", &range), ERR_INVALID);
}

static void test_names(void **state)
{
    (void)state;
    char long_name[DASHBOARD_NAME_MAX + 2];
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = 0;
    assert_true(dashboard_name_valid(TEXT("riddle-rush-dashboard_1")));
    assert_true(dashboard_name_valid(text_make(long_name, DASHBOARD_NAME_MAX)));
    assert_false(dashboard_name_valid(text_of(long_name)));
    assert_false(dashboard_name_valid(TEXT("")));
    assert_false(dashboard_name_valid(TEXT("a b")));
    assert_false(dashboard_name_valid(TEXT("a.b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_taken), cmocka_unit_test(test_refused), cmocka_unit_test(test_warnings), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_shorthand), cmocka_unit_test(test_times), cmocka_unit_test(test_periods), cmocka_unit_test(test_ranges), cmocka_unit_test(test_names)};
    arena_init(&arena, 4096, 64 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&arena);
    return failed;
}
