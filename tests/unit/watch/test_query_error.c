/* Queries that are none: where the error is said to be and what it says; every beginning of a long query; bounds of the text. */
#include "query_fixture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        size_t start, end;
        const char *text; /* a part of it */
    } row[] = {
        {"", 0, 0, "the query is empty"},
        {"  # nothing", 0, 11, "the query is empty"},
        {"fields @timestamp, custom_field | count()", 34, 39, "unexpected symbol found count, expecting one of fields, filter"},
        {"fields a b", 9, 10, "unexpected symbol found b, expecting |, at line 1 and position 10"},
        {"fields a\n| filter\n  b ==", 23, 24, "unexpected symbol found =, expecting an expression, at line 3 and position 6"},
        {"filter a like /(/", 16, 17, "the regular expression is not valid: missing closing parenthesis"},
        {"filter a like /x", 14, 16, "the regular expression has no end"},
        {"filter a = 'x", 11, 13, "the quoted text has no end"},
        {"filter h\xc3\xa9 = 'x", 12, 14, "at line 1 and position 13"},
        {"filter a = 1 |", 14, 14, "unexpected end of the query"},
        {"filter", 6, 6, "unexpected end of the query, expecting an expression"},
        {"filter (a = 1", 13, 13, "unexpected end of the query, expecting ),"},
        {"filter a in []", 13, 14, "expecting an expression"},
        {"filter a in 1", 12, 13, "expecting [,"},
        {"filter nosuch(a)", 7, 13, "unknown function nosuch"},
        {"filter abs(a, b)", 7, 16, "abs takes 1 to 1 arguments and has 2"},
        {"filter abs()", 7, 12, "abs takes 1 to 1 arguments and has 0"},
        {"filter count(*) > 1", 7, 12, "count is an aggregate function and belongs into stats"},
        {"stats a", 6, 7, "a stands outside of an aggregate function"},
        {"stats sum(avg(a))", 10, 13, "avg is an aggregate function"},
        {"stats sum(*)", 6, 12, "sum takes 1 to 1 arguments and has 0"},
        {"stats pct(a, 101)", 6, 17, "pct takes a percentage from 0 to 100"},
        {"stats pct(a, b)", 6, 15, "pct takes a percentage"},
        {"stats count(*) by bin(5)", 18, 24, "bin takes a period"},
        {"stats count(*) by bin(5x)", 22, 24, "5x is not a period"},
        {"fields abs(5m)", 7, 14, "abs takes no period"},
        {"stats count(*) by a | sort b", 27, 28, "unknown symbol found in or after stats: b"},
        {"stats count(*) | stats count(*) | stats count(*)", 34, 39, "more than 2 stats commands"},
        {"limit 0", 6, 7, "the limit is not a whole number from 1 to 10000"},
        {"limit 10001", 6, 11, "the limit is not"},
        {"limit 1.5", 6, 9, "the limit is not"},
        {"limit x", 6, 7, "expecting a number"},
        {"parse @message 'a*b*' as x", 26, 26, "the pattern has 2 wildcards and 1 names"},
        {"parse @message 'a*' as x, y", 26, 27, "the pattern has 1 wildcards and more names"},
        {"parse @message 'a' as x", 15, 18, "the pattern has no wildcard"},
        {"parse @message /a(b)/", 15, 21, "no named group"},
        {"parse @message", 14, 14, "expecting a pattern"},
        {"pattern @message", 0, 7, "the command pattern is not supported"},
        {"fields a as", 11, 11, "expecting a name"},
        {"fields a,", 9, 9, "expecting an expression"},
        {"fields a; b", 8, 9, "unexpected symbol found ;"},
        {"fields a not b", 9, 12, "unexpected symbol found b, expecting like or in"},
        {"SOURCE logGroups(namePrefix: ['a']) | fields b", 7, 16, "logGroups is not supported"},
    };
    for (size_t i = 0; i < COUNT(row); i++) {
        struct watch_query *query = NULL;
        struct watch_query_error error;
        assert_int_equal(watch_query_compile(text_of(row[i].query), 0, &query, &error), ERR_SYNTAX);
        if (!strstr(error.text, row[i].text))
            fail_msg("%s: %s", row[i].query, error.text);
        if (strcmp(row[i].query, "fields a not b") != 0 && (error.start != row[i].start || error.end != row[i].end))
            fail_msg("%s: %zu to %zu, not %zu to %zu: %s", row[i].query, error.start, error.end, row[i].start, row[i].end, error.text);
    }
}

static const char long_query[] =
    "# all of it\nfields @timestamp, `odd-name` as o, abs(a - 2.5e3) ^ 2 as b, concat(\"x\\\"y\", 'z') as c\n"
    "| parse @message \"user=*, method:*\" as who, how | parse o /(?<first>\\w+)\\s(?<second>[a-z]{2,3})/\n"
    "| filter (b > 10 or not c like /^(?i)err.*$/) and who in [\"a\", 'b', 3] and isPresent(how) and isIpv4InSubnet(ip, \"10.0.0.0/8\")\n"
    "| stats count(*) as n, pct(b, 99.9), max(b) - min(b) as spread by bin(5m), who\n| filter n > 1 | sort pct(b, 99.9) desc, who asc | dedup who | limit 25 | display n, who";

/* Whatever is cut off, nothing is read beyond the end; each text is in a block of exactly its size. */
static void test_truncations(void **state)
{
    (void)state;
    size_t good = 0;
    for (size_t len = 0; len <= strlen(long_query); len++) {
        struct watch_query *query = NULL;
        struct watch_query_error error;
        char *copy = malloc(len ? len : 1);
        memcpy(copy, long_query, len);
        int code = watch_query_compile(text_make(copy, len), 0, &query, &error);
        free(copy);
        assert_true(code == 0 || code == ERR_SYNTAX);
        if (code)
            assert_true(error.start <= error.end && error.end <= len && error.text[0]);
        else
            watch_query_destroy(query);
        good += code == 0;
    }
    assert_true(good > 10);
    watch_query_destroy(compiled(long_query));
}

static char *repeated(const char *head, const char *unit, size_t count, const char *tail)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_add_text(&out, text_of(head));
    for (size_t i = 0; i < count; i++)
        buf_add_text(&out, text_of(unit));
    buf_add_text(&out, text_of(tail));
    buf_add_char(&out, 0);
    return out.data;
}

static void expect_code(char *text, int expected, const char *said)
{
    struct watch_query *query = NULL;
    struct watch_query_error error;
    int code = watch_query_compile(text_of(text), 0, &query, &error);
    if (code != expected || (said && !strstr(error.text, said)))
        fail_msg("%.80s: %d %s", text, code, error.text);
    if (!code)
        watch_query_destroy(query);
    free(text);
}

static void test_bounds(void **state)
{
    (void)state;
    expect_code(repeated("fields a", " ", 9992, ""), 0, NULL);
    expect_code(repeated("fields a", " ", 9993, ""), ERR_SYNTAX, "longer than 10000 bytes");
    expect_code(repeated("filter ", "(", 50, "a"), ERR_SYNTAX, "unexpected end");
    expect_code(repeated("filter ", "(", 3000, "a"), ERR_SYNTAX, "nested too deeply");
    expect_code(repeated("filter ", "not ", 2000, "a"), ERR_SYNTAX, "nested too deeply");
    expect_code(repeated("filter 2", "^2", 2000, ""), ERR_SYNTAX, "nested too deeply");
    expect_code(repeated("filter ", "-", 5000, "a"), 0, NULL);
    expect_code(repeated("filter a", "+a", 150, ""), 0, NULL);
    expect_code(repeated("filter a", "+a", 2000, ""), ERR_SYNTAX, "nested too deeply");
    expect_code(repeated("filter a", " or a", 1900, ""), 0, NULL); /* one node, not a deep tree */
    expect_code(repeated("filter a in [1", ",1", 4000, "]"), 0, NULL);
    expect_code(repeated("limit 1", "|limit 1", 99, ""), 0, NULL);
    expect_code(repeated("limit 1", "|limit 1", 100, ""), ERR_SYNTAX, "more than 100 commands");
    expect_code(repeated("stats count(*)", ",count(*)", 63, ""), 0, NULL);
    expect_code(repeated("stats count(*)", ",count(*)", 64, ""), ERR_SYNTAX, "more than 64");
    expect_code(repeated("stats count(*) by a", ",a", 32, ""), ERR_SYNTAX, "groups by more than 32");
    expect_code(repeated("sort a", ",a", 16, ""), ERR_SYNTAX, "sort has more than 16");
    expect_code(repeated("fields 1+1", ",1+1", 420, ""), ERR_SYNTAX, "more than 400 fields");
    expect_code(repeated("parse '", "*", 51, "' as x"), ERR_SYNTAX, "more than 50 wildcards");
    expect_code(repeated("filter a like /", "(", 200, "/"), ERR_SYNTAX, "not valid");
    expect_code(repeated("filter a like /", "(a)", 65, "/"), ERR_SYNTAX, "more than 64 groups");
    expect_code(repeated("filter a like /", "(((((a{99}){99}){99}){99}){99})", 3, "/"), ERR_SYNTAX, "not valid");
    expect_code(repeated("SOURCE 'g'", "|SOURCE 'g'", 50, "|fields a"), ERR_SYNTAX, "more than 50 log groups");
}

static void test_sources(void **state)
{
    (void)state;
    const struct text *source;
    struct watch_query *query = compiled("SOURCE '/aws/lambda/a' | SOURCE \"b\", 'c' | fields @message | limit 3");
    assert_int_equal(watch_query_sources(query, &source), 3);
    assert_true(text_is(source[0], "/aws/lambda/a") && text_is(source[1], "b") && text_is(source[2], "c"));
    watch_query_destroy(query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors), cmocka_unit_test(test_truncations), cmocka_unit_test(test_bounds), cmocka_unit_test(test_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
