/* Beginnings of addresses: what they allow, and what only looks like it. */
#include "gateway/outgoing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *url, *prefix;
        bool begins;
    } cases[] = {
        {"https://hooks.example/a", "https://hooks.example", true},
        {"https://hooks.example", "https://hooks.example", true},
        {"https://hooks.example?x=1", "https://hooks.example", true},
        {"https://hooks.example#x", "https://hooks.example", true},
        {"https://hooks.example.evil/a", "https://hooks.example", false},
        {"https://hooks.example:8443/a", "https://hooks.example", false},
        {"https://hooks.example@evil/a", "https://hooks.example", false},
        {"http://hooks.example/a", "https://hooks.example", false},
        {"https://hooks.example/team/a", "https://hooks.example/team/", true},
        {"https://hooks.example/team", "https://hooks.example/team/", false},
        {"https://hooks.example/team/a", "https://hooks.example/team", true},
        {"https://hooks.example/teams", "https://hooks.example/team", false},
        {"https://hooks.example/team/../admin", "https://hooks.example/team/", false},
        {"https://hooks.example/team/..", "https://hooks.example/team/", false},
        {"https://hooks.example/team/./a", "https://hooks.example/team/", false},
        {"https://hooks.example/team/%2e%2E/a", "https://hooks.example/team/", false},
        {"https://hooks.example/team/.%2e/a", "https://hooks.example/team/", false},
        {"https://hooks.example/team/..?x", "https://hooks.example/team/", false},
        {"https://hooks.example/team\\..\\a", "https://hooks.example/team", false},
        {"https://hooks.example/team/.hidden/..a", "https://hooks.example/team/", true},
        {"https://hooks.example/a", "", false},
        {"", "https://hooks.example", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (gw_outgoing_begins(text_of(cases[i].url), text_of(cases[i].prefix)) != cases[i].begins)
            fail_msg("'%s' and '%s'", cases[i].url, cases[i].prefix);
}

static void a_list(void **state)
{
    struct text allow[] = {TEXT("https://a.example/"), TEXT("http://10.0.0.7:9000")};
    struct gw_outgoing outgoing = {.allow = allow, .count = 2, .given = true};
    (void)state;
    assert_true(gw_outgoing_listed(&outgoing, TEXT("https://a.example/x")));
    assert_true(gw_outgoing_listed(&outgoing, TEXT("http://10.0.0.7:9000/x")));
    assert_false(gw_outgoing_listed(&outgoing, TEXT("http://10.0.0.7:90001/x")));
    outgoing.count = 0;
    assert_false(gw_outgoing_listed(&outgoing, TEXT("https://a.example/x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(prefixes), cmocka_unit_test(a_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
