/* Filter patterns against tables: what matches, what does not, what is refused, what is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "watch/pattern.h"
#include "watch/pattern_regex.h"

#include <stdio.h>
#include <stdlib.h>

#define APACHE "127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] \"GET /index.html HTTP/1.0\" 404 1534"
#define TRAIL                                                                                                                             \
    "{\"eventType\":\"UpdateTrail\",\"sourceIPAddress\":\"111.111.111.111\",\"arrayKey\":[\"value\",\"another value\"],"                       \
    "\"objectList\":[{\"name\":\"a\",\"id\":1},{\"name\":\"b\",\"id\":2}],\"SomeObject\":null,\"ThisFlag\":true,\"n\":-12.5e1,\"text\":\"400\"}"
#define USERS                                                                                                                             \
    "{\"user\":{\"id\":1,\"email\":\"John.Stiles@example.com\"},\"users\":[{\"id\":2,\"email\":\"John.Doe@example.com\"},{\"id\":3,"           \
    "\"email\":\"Jane.Doe@example.com\"}],\"actions\":[\"GET\",\"PUT\",\"DELETE\"],\"coordinates\":[[0,1,2],[4,5,6],[7,8,9]]}"

static int match(const char *pattern, const char *message)
{
    struct arena arena, scratch;
    struct watch_pattern *parsed;
    struct err err = {0};
    arena_init(&arena, 4096, 1 << 20);
    arena_init(&scratch, 4096, 4 << 20);
    int code = watch_pattern_parse(&arena, text_of(pattern), &parsed, &err);
    if (code)
        fail_msg("%s: %s", pattern, err.text);
    int answer = watch_pattern_match(parsed, text_of(message), &scratch);
    assert_int_equal(scratch.used, 0);
    arena_fini(&arena);
    arena_fini(&scratch);
    return answer;
}

static const struct {
    const char *pattern, *message;
    int holds;
} table[] = {
    {"", "anything", 1}, {"   ", "anything", 1}, {"\" \"", "any thing", 1}, {"\" \"", "anything", 0},
    {"ERROR", "[ERROR] A fatal exception has occurred", 1}, {"ERROR", "Exiting with ERRORCODE: -1", 1}, {"ERROR", "error", 0},
    {"\"ERROR\" - \"Exiting\"", "Exiting with ERRORCODE: -1", 0}, {"ERROR -Exiting", "[ERROR] stays", 1},
    {"ERROR Exception", "[ERROR] Caught IllegalArgumentException", 1}, {"ERROR Exception", "[ERROR] Caught", 0},
    {"Failed to process the request", "[WARN] the request to process Failed", 1}, {"\"Failed to process\"", "Failed  to process", 0},
    {"?ERROR ?WARN", "WARN message", 1}, {"?ERROR ?WARN", "INFO message", 0}, {"ERROR WARN", "ERROR message", 0}, {"ERROR -WARN", "ERROR WARN", 0},
    {"?ERROR ?WARN INFO", "INFO message", 1}, {"?ERROR ?WARN INFO", "WARN message", 0}, {"-WARN", "INFO", 1},
    {"\"a \\\"b\\\" c\"", "x a \"b\" c", 1}, {"%AUTHORIZED%", "[ERROR 401] UNAUTHORIZED REQUEST", 1}, {"%[Ee]rror|[Ff]ail%", "a fail", 1},
    {"%^ab+c?d{2,3}$%", "abbdd", 1}, {"%^ab+c?d{2,3}$%", "abcdddd", 0}, {"%^ab+c?d{2,3}$%", "xabdd", 0}, {"%\\d{1,3}\\.\\d{1,3}%", "at 10.200 ms", 1},
    {"%\\d{1,3}\\.\\d{1,3}%", "at 10 200", 0}, {"%[^0-9]x%", "1x", 0}, {"%[^0-9]x%", "ax", 1}, {"%\\x41B%", "AB", 1}, {"%a.c%", "abc", 1}, {"%$%", "abc", 1}, {"%^$%", "", 1},
    {"%^$%", "a", 0}, {"-%\\d%", "no digits", 1}, {"%a*%", "", 1}, {"%[a-c]{3}%", "xxcab", 1}, {"%[a-c]{3}%", "xxcaxb", 0}, {"%a|^b%", "xb", 0}, {"%a|^b%", "bx", 1},
    /* fields */
    {"[ip, user, username, timestamp, request, status_code, bytes]", APACHE, 1}, {"[ip, user, username, timestamp, request, status_code]", APACHE, 0},
    {"[..., status_code, bytes]", APACHE, 1}, {"[ip, user, ..., status_code, bytes]", APACHE, 1}, {"[ip, user, ...]", APACHE, 1}, {"[...]", APACHE, 1},
    {"[ip, user, username, timestamp, request, status_code, bytes > 1000]", APACHE, 1}, {"[ip, user, username, timestamp, request, status_code = 200, bytes]", APACHE, 0},
    {"[ip, user, username, timestamp, request, status_code = 4*, bytes]", APACHE, 1}, {"[ip, user, username, timestamp, request = *html*, status_code = 4*, bytes]", APACHE, 1},
    {"[ip, user, username, timestamp, request, status_code = 4* && bytes > 1000]", APACHE, -1},
    {"[..., status_code = 403 || status_code = 404, bytes]", APACHE, 1}, {"[..., request=*.html*, status_code=4*,]", APACHE, 1},
    {"[..., s = 4* && s != 404, b]", APACHE, 0}, {"[..., r = %GET.*html%, s, b]", APACHE, 1}, {"[..., s=404, b<=1534]", APACHE, 1}, {"[..., s=404, b<1534]", APACHE, 0},
    {"[w1=ERROR, w2]", "ERROR message", 1}, {"[w1=ERROR || w1=WARN, w2]", "WARN message", 1}, {"[w1!=ERROR&&w1!=WARN, w2]", "WARN message", 0},
    {"[a, b]", "  x   y  ", 1}, {"[a=\"\\\"q\"]", "\"q", 1}, {"[a, b, ..., c]", "1 2", 0}, {"[a = %^1$%]", "1", 1}, {"[(a = 1 || a = 2)]", "1", -1},
    /* JSON */
    {"{ $.eventType = \"UpdateTrail\" }", TRAIL, 1}, {"{$.eventType=UpdateTrail}", TRAIL, 1}, {"{ $.sourceIPAddress != 123.123.* }", TRAIL, 1},
    {"{ $.sourceIPAddress != 111.111.* }", TRAIL, 0}, {"{ $.arrayKey[0] = \"value\" }", TRAIL, 1}, {"{ $.arrayKey[1] = \"value\" }", TRAIL, 0},
    {"{ $.objectList[1].id = 2 }", TRAIL, 1}, {"{ $.objectList[2].id = 2 }", TRAIL, 0}, {"{ $.SomeObject IS NULL }", TRAIL, 1}, {"{ $.eventType IS NULL }", TRAIL, 0},
    {"{ $.SomeOtherObject NOT EXISTS }", TRAIL, 1}, {"{ $.SomeObject NOT EXISTS }", TRAIL, 0}, {"{ $.SomeObject EXISTS }", TRAIL, 1}, {"{ $.ThisFlag IS TRUE }", TRAIL, 1},
    {"{ $.ThisFlag IS FALSE }", TRAIL, 0}, {"{ $.ThisFlag = true }", TRAIL, 1}, {"{ $.n = -125 }", TRAIL, 1}, {"{ $.n < -1e2 }", TRAIL, 1}, {"{ $.n >= +0 }", TRAIL, 0},
    {"{ $.text = 400 }", TRAIL, 1}, {"{ $.eventType = * }", TRAIL, 1}, {"{ $.none = * }", TRAIL, 0}, {"{ $.none != x }", TRAIL, 0}, {"{ $.arrayKey = x }", TRAIL, 0},
    {"{ $.arrayKey != x }", TRAIL, 0}, {"{ $.eventType = *Trail }", TRAIL, 1}, {"{ $.eventType = Up*Trail }", TRAIL, 0}, {"{ $.eventType = %^Upd.*l$% }", TRAIL, 1},
    {"{ $.eventType != %^Upd% }", TRAIL, 0}, {"{ $.objectList[*].id = 2 }", TRAIL, 1}, {"{ $.objectList[*].id = 3 }", TRAIL, 0}, {"{ $.*[1].name = b }", TRAIL, 1},
    {"{ $.['eventType'] = UpdateTrail }", TRAIL, -1}, {"{ $['eventType'] = UpdateTrail }", TRAIL, 1},
    {"{ ($.user.id = 1) && ($.users[0].email = \"John.Doe@example.com\") }", USERS, 1}, {"{ ($.user.id = 2 && $.users[0].email = \"nonmatch\") || $.actions[2] = \"GET\" }", USERS, 0},
    {"{ $.user.email = \"John.Stiles@example.com\" || $.coordinates[0][1] = nonmatch && $.actions[2] = nomatch }", USERS, 1},
    {"{ ($.user.email = \"John.Stiles@example.com\" || $.coordinates[0][1] = nonmatch) && $.actions[2] = nomatch }", USERS, 0},
    {"{ $.a = 1 }", "not json", 0}, {"{ $.a = 1 }", "{\"a\":1", 0}, {"{ $.a = 1 }", "{\"a\":1}", 1}, {"{ $[0] = 1 }", "[1]", 1}, {"{ $.a = \"} && (\" }", "{\"a\":\"} && (\"}", 1},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct arena arena;
        struct watch_pattern *parsed;
        struct err err = {0};
        if (table[i].holds < 0) {
            arena_init(&arena, 4096, 1 << 20);
            assert_int_equal(watch_pattern_parse(&arena, text_of(table[i].pattern), &parsed, &err), ERR_SYNTAX);
            arena_fini(&arena);
        } else if (match(table[i].pattern, table[i].message) != table[i].holds) {
            fail_msg("%s on %s should be %d", table[i].pattern, table[i].message, table[i].holds);
        }
    }
}

static void test_refused(void **state)
{
    static const char *const wrong[] = {"foo-bar", "a.b", "\"open", "%open", "%(a)%", "%a!%", "%*%", "%a{2%", "%a{3,2}%", "%[z-a]%", "%\\q%", "-", "?", "{", "{}", "{ $.a }", "{ $.a = }",
        "{ a = 1 }", "{ $.a = 1", "{ $.a = 1 } x", "{ ($.a = 1 }", "{ $.a[x] = 1 }", "{ $. = 1 }", "{ $.a IS 1 }", "{ $.a NOT 1 }", "{ $.a < x }", "{ $.a = 1 && }", "[", "[a", "[a,, b",
        "[..., ...]", "[a = 1 && b = 2]", "[a ~ 1]", "{ $.a = %a% || $.b = %b% || $.c = %c% }", "%a{300}%", "%[%"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct arena arena;
        struct watch_pattern *parsed;
        struct err err = {0};
        arena_init(&arena, 4096, 1 << 20);
        if (!watch_pattern_parse(&arena, text_of(wrong[i]), &parsed, &err))
            fail_msg("%s is taken", wrong[i]);
        assert_true(strncmp(err.text, "Invalid", 7) == 0);
        arena_fini(&arena);
    }
    struct arena arena;
    struct watch_pattern *parsed;
    struct err err = {0};
    char deep[1025];
    memset(deep, '(', sizeof(deep));
    deep[0] = '{';
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(watch_pattern_parse(&arena, text_make(deep, 1024), &parsed, &err), ERR_TOO_LARGE);
    memset(deep, 'a', sizeof(deep));
    assert_int_equal(watch_pattern_parse(&arena, text_make(deep, 1024), &parsed, &err), 0);
    assert_int_equal(watch_pattern_parse(&arena, text_make(deep, 1025), &parsed, &err), ERR_TOO_LARGE);
    arena_fini(&arena);
}

struct named {
    char text[1024];
};

static int note(void *context, struct text name, struct text value)
{
    struct named *named = context;
    size_t len = strlen(named->text);
    snprintf(named->text + len, sizeof(named->text) - len, "%.*s=%.*s;", TEXT_FMT(name), TEXT_FMT(value));
    return 0;
}

static void check_named(const char *pattern, const char *message, const char *wanted)
{
    struct arena arena, scratch;
    struct watch_pattern *parsed;
    struct err err = {0};
    struct named named = {{0}};
    arena_init(&arena, 4096, 1 << 20);
    arena_init(&scratch, 4096, 4 << 20);
    assert_int_equal(watch_pattern_parse(&arena, text_of(pattern), &parsed, &err), 0);
    assert_int_equal(watch_pattern_extract(parsed, text_of(message), &scratch, note, &named), 0);
    assert_string_equal(named.text, wanted);
    arena_fini(&arena);
    arena_fini(&scratch);
}

static void test_named(void **state)
{
    (void)state;
    check_named("[..., request=*.html*, status_code=4*,]", APACHE, "$1=127.0.0.1;$2=-;$3=frank;$4=10/Oct/2000:13:25:15 -0700;$request=GET /index.html HTTP/1.0;$status_code=404;$7=1534;");
    check_named("[ip, user, ...]", "1 2 3 4", "$ip=1;$user=2;$3=3;$4=4;");
    check_named("{ $.eventType = * && ($.n < 0 || $.eventType = x) }", TRAIL, "$.eventType=UpdateTrail;$.n=-12.5e1;");
    check_named("ERROR", "ERROR", "");
}

static void test_select(void **state)
{
    struct arena arena;
    struct watch_pattern *json, *fields;
    struct err err = {0};
    struct text value;
    (void)state;
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(watch_pattern_parse(&arena, TEXT("{ $.n < 0 }"), &json, &err), 0);
    assert_int_equal(watch_pattern_select(json, TEXT("$.objectList[1].name"), text_of(TRAIL), &arena, &value), 0);
    assert_true(text_is(value, "b"));
    assert_int_equal(watch_pattern_select(json, TEXT("$.nothing"), text_of(TRAIL), &arena, &value), ERR_NOT_FOUND);
    assert_int_equal(watch_pattern_select(json, TEXT("$.a b"), text_of(TRAIL), &arena, &value), ERR_SYNTAX);
    assert_int_equal(watch_pattern_select(json, TEXT("n"), text_of(TRAIL), &arena, &value), ERR_SYNTAX);
    assert_int_equal(watch_pattern_parse(&arena, TEXT("[..., status, bytes]"), &fields, &err), 0);
    assert_int_equal(watch_pattern_select(fields, TEXT("$bytes"), text_of(APACHE), &arena, &value), 0);
    assert_true(text_is(value, "1534"));
    assert_int_equal(watch_pattern_select(fields, TEXT("$other"), text_of(APACHE), &arena, &value), ERR_NOT_FOUND);
    arena_fini(&arena);
}

/* An expression that makes backtracking matchers take for ever. */
static void test_regex_time(void **state)
{
    struct arena arena;
    struct pattern_regex *regex;
    struct err err = {0};
    size_t len = 1 << 18;
    char *text = malloc(len);
    (void)state;
    memset(text, 'a', len);
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(pattern_regex_parse(&arena, TEXT("a*a*a*a*a*a*a*a*a?a?a?a?a?a?a?a?a{20}b"), &regex, &err), 0);
    assert_false(pattern_regex_match(regex, text_make(text, len)));
    text[len - 1] = 'b';
    assert_true(pattern_regex_match(regex, text_make(text, len)));
    arena_fini(&arena);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_refused), cmocka_unit_test(test_named), cmocka_unit_test(test_select),
        cmocka_unit_test(test_regex_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
