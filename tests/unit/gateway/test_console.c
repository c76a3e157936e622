/* What is told of a widget that was looked at twice: nothing, the points that are new, or everything. And the requests of pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/console.h"

#define MINUTE 60

struct line {
    int64_t time_s[32];
    double value[32];
    size_t count;
};

static struct console_shown *shown(const struct line *line, size_t lines, int64_t start_s, int64_t end_s)
{
    struct console_shown *made = console_shown_create();
    assert_non_null(made);
    made->type = DASHBOARD_METRIC;
    made->period_s = MINUTE;
    made->range = (struct widget_range){.start_ms = start_s * 1000, .end_ms = end_s * 1000, .moving = true};
    made->figures = arena_zalloc(&made->arena, sizeof(*made->figures));
    assert_non_null(made->figures);
    made->figures->count = lines;
    for (size_t i = 0; i < lines; i++)
        made->figures->series[i] = (struct widget_series){.count = line[i].count, .time_s = line[i].time_s, .value = line[i].value};
    return made;
}

static struct line line_of(int64_t first_s, size_t count, double base)
{
    struct line line = {.count = count};
    for (size_t i = 0; i < count; i++) {
        line.time_s[i] = first_s + (int64_t)i * MINUTE;
        line.value[i] = base + (double)i;
    }
    return line;
}

static int diff(struct console_shown *before, struct console_shown *now, char *text, size_t size)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    int code = console_widget_diff(before, now, &out);
    snprintf(text, size, "%.*s", TEXT_FMT(buf_text(&out)));
    buf_fini(&out);
    console_shown_destroy(before);
    console_shown_destroy(now);
    return code;
}

static void test_points(void **state)
{
    (void)state;
    char text[2000];
    struct line old[2] = {line_of(600, 20, 1), line_of(600, 20, 100)}, now[2] = {old[0], old[1]};
    assert_int_equal(diff(shown(old, 2, 600, 1800), shown(now, 2, 605, 1805), text, sizeof(text)), 0); /* only the time */

    now[1].value[19] = 7; /* the newest period has grown, and another one begins */
    now[1].time_s[20] = 1800;
    now[1].value[20] = 0.5;
    now[1].count = 21;
    assert_int_equal(diff(shown(old, 2, 600, 1800), shown(now, 2, 665, 1865), text, sizeof(text)), 1);
    assert_string_equal(text, "{\"start\":660000,\"end\":1865000,\"series\":[{\"index\":1,\"points\":[[1740000,7],[1800000,0.5]]}]}");

    struct line slid = line_of(660, 20, 2); /* the oldest has slid out of the range, which is no loss */
    assert_int_equal(diff(shown(old, 1, 600, 1800), shown(&slid, 1, 660, 1860), text, sizeof(text)), 1);
    assert_string_equal(text, "{\"start\":660000,\"end\":1860000,\"series\":[{\"index\":0,\"points\":[[1800000,21]]}]}");

    struct line late = old[0]; /* a point that came late, in the middle */
    struct line gap = old[0];
    memmove(&gap.time_s[5], &gap.time_s[6], 14 * sizeof(gap.time_s[0]));
    memmove(&gap.value[5], &gap.value[6], 14 * sizeof(gap.value[0]));
    gap.count = 19;
    assert_int_equal(diff(shown(&gap, 1, 600, 1800), shown(&late, 1, 600, 1800), text, sizeof(text)), 1);
    assert_string_equal(text, "{\"start\":600000,\"end\":1800000,\"series\":[{\"index\":0,\"points\":[[900000,6]]}]}");
    assert_int_equal(diff(shown(&late, 1, 600, 1800), shown(&gap, 1, 600, 1800), text, sizeof(text)), 2); /* one that is gone */
}

static void test_everything(void **state)
{
    (void)state;
    char text[4000];
    struct line one[2] = {line_of(600, 20, 1), line_of(600, 20, 2)}, other = line_of(600, 20, 500);
    assert_int_equal(diff(shown(one, 1, 600, 1800), shown(one, 2, 600, 1800), text, sizeof(text)), 2);   /* another series */
    assert_int_equal(diff(shown(one, 1, 600, 1800), shown(&other, 1, 600, 1800), text, sizeof(text)), 2); /* nearly all points */
    struct console_shown *changed = shown(one, 1, 600, 1800), *failed = shown(one, 1, 600, 1800);
    changed->head = 5;
    failed->code = ERR_MEMORY;
    assert_int_equal(diff(shown(one, 1, 600, 1800), changed, text, sizeof(text)), 2);
    assert_int_equal(diff(failed, shown(one, 1, 600, 1800), text, sizeof(text)), 2);
}

static struct console_shown *texts(enum dashboard_type type, const char *json)
{
    struct console_shown *made = console_shown_create();
    assert_non_null(made);
    made->type = type;
    buf_add_text(&made->json, text_of(json));
    return made;
}

static void test_texts(void **state)
{
    (void)state;
    char text[100];
    assert_int_equal(diff(texts(DASHBOARD_TEXT, "{\"a\":1}"), texts(DASHBOARD_TEXT, "{\"a\":1}"), text, sizeof(text)), 0);
    assert_int_equal(diff(texts(DASHBOARD_TEXT, "{\"a\":1}"), texts(DASHBOARD_TEXT, "{\"a\":2}"), text, sizeof(text)), 2);
    assert_int_equal(diff(texts(DASHBOARD_LOG, "{\"end\":1,\"fields\":[1]}"), texts(DASHBOARD_LOG, "{\"end\":2,\"fields\":[1]}"), text, sizeof(text)), 0);
    assert_int_equal(diff(texts(DASHBOARD_LOG, "{\"end\":1,\"fields\":[1]}"), texts(DASHBOARD_LOG, "{\"end\":2,\"fields\":[2]}"), text, sizeof(text)), 2);
    assert_int_equal(diff(texts(DASHBOARD_LOG, "{}"), texts(DASHBOARD_ALARM, "{}"), text, sizeof(text)), 2);
}

static void test_requests(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        int code;
    } cases[] = {
        {"{\"dashboard\":\"a\",\"index\":3,\"start\":\"-PT1H\",\"period\":60}", 0},
        {"{\"dashboard\":\"a\",\"index\":0,\"start\":1700000000000,\"end\":null}", 0},
        {"{\"widget\":{\"type\":\"text\",\"properties\":{\"markdown\":\"x\"}}}", 0},
        {"{}", ERR_INVALID},
        {"{\"dashboard\":\"a\"}", ERR_INVALID},
        {"{\"dashboard\":\"a b\",\"index\":0}", ERR_INVALID},
        {"{\"dashboard\":5,\"index\":0}", ERR_INVALID},
        {"{\"dashboard\":\"a\",\"index\":500}", ERR_INVALID},
        {"{\"dashboard\":\"a\",\"index\":\"0\"}", ERR_INVALID},
        {"{\"dashboard\":\"a\",\"index\":0,\"start\":{}}", ERR_INVALID},
        {"{\"widget\":5}", ERR_INVALID},
        {"{\"widget\":{\"type\":\"text\",\"properties\":{}}}", ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        struct console_wish wish;
        struct err err = {0};
        const struct json *message;
        arena_init(&arena, 4096, 1 << 20);
        assert_int_equal(json_parse(&arena, text_of(cases[i].message), 0, &message, NULL), 0);
        assert_int_equal(console_wish_read(message, &arena, &wish, &err), cases[i].code);
        assert_true(!cases[i].code == !err.text[0]);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_points), cmocka_unit_test(test_everything), cmocka_unit_test(test_texts), cmocka_unit_test(test_requests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
