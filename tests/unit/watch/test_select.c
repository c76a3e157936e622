/* Metrics Insights: what a query says, which metrics it means, and where it is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "watch/select.h"

#include <stdio.h>

static struct arena arena;

static int parse(const char *text, const struct watch_select **out, struct err *err)
{
    arena_reset(&arena);
    return watch_select_parse(&arena, text_of(text), out, err);
}

static void whole(void **state)
{
    const struct watch_select *s;
    struct err err = {0};
    (void)state;
    assert_int_equal(parse("select sum(\"My.Metric\") From SCHEMA(\"AWS/X\", a, \"b c\") WHERE a = 'it\\'s' and \"b c\"!='' group by a,\"b c\" Order By Count() desc limit 7", &s, &err), 0);
    assert_int_equal(s->function, SELECT_SUM);
    assert_true(text_is(s->metric, "My.Metric") && text_is(s->space, "AWS/X") && s->schema);
    assert_int_equal(s->dimensions, 2);
    assert_true(text_is(s->dimension[0], "a") && text_is(s->dimension[1], "b c"));
    assert_int_equal(s->wheres, 2);
    assert_true(text_is(s->where[0].value, "it's") && !s->where[0].differs && text_is(s->where[1].value, "") && s->where[1].differs);
    assert_int_equal(s->groups, 2);
    assert_true(s->ordered && s->descending && s->order == SELECT_COUNT && s->limit == 7);
    assert_int_equal(parse("SELECT AVG(m) FROM n", &s, &err), 0);
    assert_true(!s->schema && !s->ordered && !s->groups && !s->wheres && s->limit == SELECT_LIMIT_MAX);
    assert_int_equal(parse("SELECT AVG(m) FROM n ORDER BY MIN()", &s, &err), 0);
    assert_true(s->ordered && !s->descending && s->order == SELECT_MIN);
}

static void is_one(void **state)
{
    (void)state;
    assert_true(watch_select_is(TEXT(" \n select x")));
    assert_false(watch_select_is(TEXT("SELECTED + 1")));
    assert_false(watch_select_is(TEXT("SELECT(m1)")));
    assert_false(watch_select_is(TEXT("m1")));
}

static void wrong(void **state)
{
    static const char *const bad[] = {"", "SELECT", "SELECT AVG", "SELECT AVG()", "SELECT AVG(a, b) FROM n", "SELECT AVG(a)", "SELECT AVG(a) FROM", "SELECT AVG(a) FROM WHERE a = 'b'", "SELECT AVG(a) FROM a/b",
        "SELECT AVG(\"a) FROM n", "SELECT AVG(\"\") FROM n", "SELECT AVG(a) FROM SCHEMA", "SELECT AVG(a) FROM SCHEMA()", "SELECT AVG(a) FROM SCHEMA(n, )", "SELECT AVG(a) FROM n WHERE", "SELECT AVG(a) FROM n WHERE b",
        "SELECT AVG(a) FROM n WHERE b = c", "SELECT AVG(a) FROM n WHERE b = 'c", "SELECT AVG(a) FROM n WHERE b = 'c' AND", "SELECT AVG(a) FROM n WHERE b < 'c'", "SELECT AVG(a) FROM n GROUP a", "SELECT AVG(a) FROM n GROUP BY",
        "SELECT AVG(a) FROM n ORDER BY a", "SELECT AVG(a) FROM n ORDER BY MAX", "SELECT AVG(a) FROM n LIMIT 0", "SELECT AVG(a) FROM n LIMIT 501", "SELECT AVG(a) FROM n LIMIT x", "SELECT AVG(a) FROM n LIMIT 5 GROUP BY b",
        "SELECT AVG(LIMIT) FROM n"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct watch_select *s;
        struct err err = {0};
        if (parse(bad[i], &s, &err) != ERR_SYNTAX || !err.text[0] || s)
            fail_msg("%s: %s", bad[i], err.text);
    }
    char text[SELECT_TEXT_MAX + 2];
    const struct watch_select *s;
    struct err err = {0};
    memset(text, ' ', sizeof(text));
    assert_int_equal(watch_select_parse(&arena, text_make(text, sizeof(text)), &s, &err), ERR_TOO_LARGE);
}

static void matches(void **state)
{
    static const struct watch_dimension dimension[] = {{{"a", 1}, {"1", 1}}, {{"b", 1}, {"2", 1}}};
    static const struct watch_name name = {{"n", 1}, {"m", 1}, dimension, 2}, plain = {{"n", 1}, {"m", 1}, dimension, 0};
    static const struct {
        const char *text;
        bool name, plain;
    } known[] = {{"SELECT MAX(m) FROM n", true, true}, {"SELECT MAX(m) FROM N", false, false}, {"SELECT MAX(x) FROM n", false, false}, {"SELECT MAX(m) FROM SCHEMA(n)", false, true},
        {"SELECT MAX(m) FROM SCHEMA(n, b, a)", true, false}, {"SELECT MAX(m) FROM SCHEMA(n, a)", false, false}, {"SELECT MAX(m) FROM n WHERE a = '1'", true, false},
        {"SELECT MAX(m) FROM n WHERE a = '1' AND b = '3'", false, false}, {"SELECT MAX(m) FROM n WHERE a != '3'", true, true}, {"SELECT MAX(m) FROM n WHERE b != '2'", false, true}};
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const struct watch_select *s;
        assert_int_equal(parse(known[i].text, &s, NULL), 0);
        if (watch_select_matches(s, &name) != known[i].name || watch_select_matches(s, &plain) != known[i].plain)
            fail_msg("%s", known[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole), cmocka_unit_test(is_one), cmocka_unit_test(wrong), cmocka_unit_test(matches)};
    arena_init(&arena, 4096, 1 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&arena);
    return failed;
}
