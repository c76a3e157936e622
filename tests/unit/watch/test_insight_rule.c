/* Rules of Contributor Insights: definitions that are none, and events that contribute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "watch/insight.h"

#include <stdio.h>
#include <string.h>

static struct arena arena;

static int match(const char *contribution, const char *rest, const char *message, char out[256])
{
    static char definition[INSIGHT_DEFINITION_MAX];
    struct insight_rule rule;
    struct err err = {0};
    struct text key[INSIGHT_KEYS_MAX];
    double value = 0;
    snprintf(definition, sizeof(definition), "{\"Schema\":{\"Name\":\"CloudWatchLogRule\",\"Version\":1},\"LogGroupNames\":[\"g\"],\"Contribution\":%s,%s}", contribution, rest);
    int code = insight_rule_parse(&arena, text_of(definition), &rule, &err);
    if (code)
        fail_msg("%s: %s", definition, err.text);
    code = insight_rule_match(&rule, text_of(message), &arena, key, &value);
    size_t at = 0;
    for (size_t i = 0; code == 1 && i < rule.keys; i++)
        at += (size_t)snprintf(out + at, 256 - at, "%.*s/", TEXT_FMT(key[i]));
    if (code == 1)
        snprintf(out + at, 256 - at, "%g", value);
    return code;
}

#define COUNT_JSON "\"LogFormat\":\"JSON\",\"AggregateOn\":\"Count\""
#define SUM_JSON "\"LogFormat\":\"JSON\",\"AggregateOn\":\"Sum\""
#define COUNT_CLF "\"LogFormat\":\"CLF\",\"Fields\":{\"4\":\"Date\",\"6\":\"Status\"},\"AggregateOn\":\"Count\""

static void events(void **state)
{
    static const struct {
        const char *contribution, *rest, *message, *out;
    } known[] = {
        {"{\"Keys\":[\"$.a\"]}", COUNT_JSON, "{\"a\":\"x\"}", "x/1"}, {"{\"Keys\":[\"$.a\"]}", COUNT_JSON, "{\"b\":\"x\"}", NULL}, {"{\"Keys\":[\"$.a\"]}", COUNT_JSON, "text", NULL},
        {"{\"Keys\":[\"$.a\"]}", COUNT_JSON, "{\"a\":null}", NULL}, {"{\"Keys\":[\"$.a\"]}", COUNT_JSON, "{\"a\":{\"b\":1}}", NULL}, {"{\"Keys\":[\"$.a\"]}", COUNT_JSON, "[1]", NULL},
        {"{\"Keys\":[\"$.a.b\",\"$.c[1].d\"]}", COUNT_JSON, "{\"a\":{\"b\":true},\"c\":[0,{\"d\":1.50}]}", "true/1.50/1"}, {"{\"Keys\":[\"$.c[2]\"]}", COUNT_JSON, "{\"c\":[1,2]}", NULL},
        {"{\"Keys\":[\"$.a\"],\"ValueOf\":\"$.v\"}", SUM_JSON, "{\"a\":1,\"v\":\"2.5\"}", "1/2.5"}, {"{\"Keys\":[\"$.a\"],\"ValueOf\":\"$.v\"}", SUM_JSON, "{\"a\":1,\"v\":\"two\"}", NULL},
        {"{\"Keys\":[\"$.a\"],\"ValueOf\":\"$.v\"}", SUM_JSON, "{\"a\":1}", NULL}, {"{\"Keys\":[\"$.a\"],\"ValueOf\":\"$.v\"}", SUM_JSON, "{\"a\":1,\"v\":\"1e999\"}", NULL},
        {"{\"Keys\":[\"$.a\"],\"Filters\":[{\"Match\":\"$.a\",\"In\":[\"x\",\"y\"]}]}", COUNT_JSON, "{\"a\":\"y\"}", "y/1"},
        {"{\"Keys\":[\"$.a\"],\"Filters\":[{\"Match\":\"$.b\",\"NotIn\":[\"x\"]}]}", COUNT_JSON, "{\"a\":\"y\"}", NULL},
        {"{\"Keys\":[\"$.a\"],\"Filters\":[{\"Match\":\"$.b\",\"GreaterThan\":3},{\"Match\":\"$.b\",\"LessThan\":5}]}", COUNT_JSON, "{\"a\":\"y\",\"b\":4}", "y/1"},
        {"{\"Keys\":[\"$.a\"],\"Filters\":[{\"Match\":\"$.b\",\"GreaterThan\":3},{\"Match\":\"$.b\",\"LessThan\":5}]}", COUNT_JSON, "{\"a\":\"y\",\"b\":5}", NULL},
        {"{\"Keys\":[\"1\",\"5\",\"Status\"]}", COUNT_CLF, "10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 2326", "10.0.0.1/GET / HTTP/1.0/200/1"},
        {"{\"Keys\":[\"Date\"]}", COUNT_CLF, "a - - [open", "open/1"}, {"{\"Keys\":[\"Date\"]}", COUNT_CLF, "a b", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        char out[256] = "";
        int code = match(known[i].contribution, known[i].rest, known[i].message, out);
        if (code != (known[i].out ? 1 : 0) || (known[i].out && strcmp(out, known[i].out) != 0))
            fail_msg("%s on %s: %d %s", known[i].contribution, known[i].message, code, out);
        arena_reset(&arena);
    }
}

static void wrong(void **state)
{
    static const char *const good = "{\"Schema\":{\"Name\":\"CloudWatchLogRule\",\"Version\":1},\"LogGroupNames\":[\"g\"],\"LogFormat\":\"JSON\",\"Contribution\":{\"Keys\":[\"$.a\"]},\"AggregateOn\":\"Count\"}";
    static const struct {
        const char *from, *to;
    } changes[] = {{"CloudWatchLogRule", "x"}, {"\"Version\":1", "\"Version\":2"}, {"[\"g\"]", "[]"}, {"[\"g\"]", "[1]"}, {"JSON", "json"}, {"$.a", "$"}, {"$.a", "$."}, {"$.a", "a.b"}, {"$.a", "$.a[x]"}, {"$.a", "$.a[1"},
        {"[\"$.a\"]", "\"$.a\""}, {"[\"$.a\"]", "[\"$.a\",\"$.b\",\"$.c\",\"$.d\",\"$.e\"]"}, {"Count", "Mean"}, {"[\"$.a\"]}", "[\"$.a\"],\"ValueOf\":\"$.v\"}"},
        {"[\"$.a\"]}", "[\"$.a\"],\"Filters\":[{\"Match\":\"$.a\"}]}"}, {"[\"$.a\"]}", "[\"$.a\"],\"Filters\":[{\"Match\":\"$.a\",\"In\":[]}]}"}, {"[\"$.a\"]}", "[\"$.a\"],\"Filters\":[{\"Match\":\"$.a\",\"EqualTo\":\"1\"}]}"},
        {"[\"$.a\"]}", "[\"$.a\"],\"Filters\":[{\"Match\":\"$.a\",\"IsPresent\":1}]}"}, {"[\"$.a\"]}", "[\"$.a\"],\"Filters\":{}}"}};
    struct insight_rule rule;
    (void)state;
    assert_int_equal(insight_rule_parse(&arena, text_of(good), &rule, NULL), 0);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        char text[1024];
        struct err err = {0};
        const char *at = strstr(good, changes[i].from);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, changes[i].to, at + strlen(changes[i].from));
        if (insight_rule_parse(&arena, text_of(text), &rule, &err) != ERR_INVALID || !err.text[0])
            fail_msg("%s", text);
        arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(events), cmocka_unit_test(wrong)};
    arena_init(&arena, 4096, 1 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&arena);
    return failed;
}
