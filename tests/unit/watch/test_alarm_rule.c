/* The language of composite alarms: precedence, names in all spellings, what is refused and where, its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "watch/alarm.h"

#include <stdio.h>

static int state_of(void *context, struct text name, enum watch_alarm_state *state)
{
    (void)context;
    if (text_is(name, "gone"))
        return ERR_NOT_FOUND;
    *state = name.data[0] == 'a' ? WATCH_ALARM_ALARM : name.data[0] == 'i' ? WATCH_ALARM_INSUFFICIENT : WATCH_ALARM_OK;
    return 0;
}

static int evaluate(const char *text, struct err *err)
{
    struct arena arena;
    const struct watch_rule *rule;
    bool truth = false;
    arena_init(&arena, 1024, 1 << 20);
    int code = watch_rule_parse(&arena, text_of(text), &rule, err);
    if (!code)
        code = watch_rule_evaluate(rule, state_of, NULL, &truth);
    arena_fini(&arena);
    return code ? code : truth;
}

static const struct {
    const char *text;
    int truth;
} cases[] = {
    {"TRUE", 1}, {"FALSE", 0}, {"NOT FALSE", 1}, {"NOT NOT TRUE", 1}, {"ALARM(a1)", 1}, {"ALARM(o1)", 0}, {"OK(o1)", 1}, {"INSUFFICIENT_DATA(i)", 1},
    {"ALARM(\"a b (c) \\\"d\\\" \\\\\")", 1}, {"ALARM( a name )", 1}, {"ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:a1)", 1},
    {"ALARM(\"arn:aws:cloudwatch:us-east-1:123456789012:alarm:o:1\")", 0}, {"ALARM(gone)", 0}, {"OK(gone) OR INSUFFICIENT_DATA(gone)", 0},
    /* NOT before AND before OR */
    {"TRUE OR FALSE AND FALSE", 1}, {"(TRUE OR FALSE) AND FALSE", 0}, {"NOT TRUE OR TRUE", 1}, {"NOT (TRUE OR TRUE)", 0}, {"FALSE AND FALSE OR TRUE", 1},
    {"ALARM(a1) AND NOT OK(i) OR INSUFFICIENT_DATA(o)", 1}, {"\n(ALARM(a)\tAND\r\nOK(o))", 1},
    {"AT_LEAST(2, ALARM, (a1, a2, o1))", 1}, {"AT_LEAST(2,ALARM,(a1,o1,\"o, 2\"))", 0}, {"AT_LEAST(1, OK, (gone, a1))", 0}, {"AT_LEAST(2, NOT OK, (a1, i, o))", 1},
    {"AT_LEAST(60%, ALARM, (a1, a2, o))", 1}, {"AT_LEAST(67%, ALARM, (a1, a2, o))", 0}, {"NOT AT_LEAST(100%, INSUFFICIENT_DATA, (i, i2)) OR FALSE", 0},
};

static void truths(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = {0};
        int got = evaluate(cases[i].text, &err);
        if (got != cases[i].truth)
            fail_msg("%s: %d (%s)", cases[i].text, got, err.text);
    }
}

static void refused(void **state)
{
    static const char *const bad[] = {"", "()", "ALARM", "ALARM()", "ALARM(a", "ALARM(\"a)", "alarm(a)", "TRUE AND", "AND TRUE", "TRUE TRUE", "TRUEX", "(TRUE", "TRUE)", "NOT", "ALARM(a) XOR OK(a)",
        "ALARM(\"\")", "ALARM(a)(b)", "AT_LEAST(0, ALARM, (a))", "AT_LEAST(2, ALARM, (a))", "AT_LEAST(1, ALARM, ())", "AT_LEAST(1, ALARM, (a)", "AT_LEAST(1, (a))", "AT_LEAST(x, OK, (a))",
        "AT_LEAST(101%, OK, (a))", "AT_LEAST(1 ALARM, (a))"};
    struct err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (evaluate(bad[i], &err) != ERR_SYNTAX)
            fail_msg("%s", bad[i]);
    assert_int_equal(evaluate("()", &err), ERR_SYNTAX);
    assert_string_equal(err.text, "Error in AlarmRule [Unsupported token ')' at char 1]");
    assert_int_equal(evaluate("ALARM(a) NAND OK(b)", &err), ERR_SYNTAX);
    assert_string_equal(err.text, "Error in AlarmRule [Unsupported token 'NAND' at char 9]");
}

static char *repeat(const char *before, const char *part, const char *between, const char *after, int times)
{
    static char text[64 << 10];
    size_t at = (size_t)snprintf(text, sizeof(text), "%s", before);
    for (int i = 0; i < times; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? between : "", part);
    snprintf(text + at, sizeof(text) - at, "%s", after);
    return text;
}

static void bounds(void **state)
{
    struct err err = {0};
    (void)state;
    assert_int_equal(evaluate(repeat("", "ALARM(a)", " AND ", "", WATCH_RULE_ALARMS_MAX), &err), 1);
    assert_int_equal(evaluate(repeat("", "ALARM(a)", " AND ", "", WATCH_RULE_ALARMS_MAX + 1), &err), ERR_TOO_LARGE);
    assert_int_equal(evaluate(repeat("", "TRUE", " OR ", "", WATCH_RULE_ELEMENTS_MAX / 2), &err), 1);
    assert_int_equal(evaluate(repeat("", "TRUE", " OR ", "", WATCH_RULE_ELEMENTS_MAX), &err), ERR_TOO_LARGE);
    assert_int_equal(evaluate(repeat("", "NOT", " ", " TRUE", WATCH_RULE_DEPTH_MAX), &err), 1);
    assert_int_equal(evaluate(repeat("", "NOT", " ", " TRUE", WATCH_RULE_DEPTH_MAX + 1), &err), ERR_TOO_DEEP);
    assert_int_equal(evaluate(repeat("", "(", "", "TRUE", 5000), &err), ERR_TOO_DEEP);
    assert_int_equal(evaluate(repeat("TRUE", " ", "", "", WATCH_RULE_TEXT_MAX), &err), ERR_TOO_LARGE);
    assert_int_equal(evaluate(repeat("ALARM(", "a", "", ")", WATCH_ALARM_NAME_MAX), &err), 1);
    assert_int_equal(evaluate(repeat("ALARM(", "a", "", ")", WATCH_ALARM_NAME_MAX + 1), &err), ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(truths), cmocka_unit_test(refused), cmocka_unit_test(bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
