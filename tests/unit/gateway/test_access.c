/* What an access key may do: patterns, verdicts, copies (SE-1). */
#include "gateway/access.h"

#include "base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#define T(s) text_of(s)
#define ORDERS "arn:aws:dynamodb:us-east-1:123456789012:table/orders"

static void patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool nocase, match;
    } cases[] = {
        {"", "", false, true}, {"", "a", false, false}, {"*", "", false, true}, {"*", "anything:at/all", false, true}, {"a", "a", false, true},
        {"a", "A", false, false}, {"a", "A", true, true}, {"?", "", false, false}, {"?", "x", false, true}, {"a?c", "abc", false, true},
        {"a*c", "ac", false, true}, {"a*c", "abcbc", false, true}, {"a*c", "abcb", false, false}, {"*a*b*c*", "xxaxxbxxcxx", false, true},
        {"*a*b*c*", "xxaxxcxxbxx", false, false}, {"**", "x", false, true}, {"dynamodb:Put*", "DynamoDB:PutItem", true, true},
        {"dynamodb:Put*", "dynamodb:GetItem", true, false}, {"table/orders", "table/orders/index/i", false, false},
        {"*aaaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (gw_access_match(T(cases[i].pattern), T(cases[i].text), cases[i].nocase) != cases[i].match)
            fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].text);
}

static void stars_cost_little(void **state)
{
    char pattern[512], text[4096];
    (void)state;
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = i % 2 ? 'a' : '*';
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = 'b';
    assert_false(gw_access_match(text_make(pattern, sizeof(pattern)), text_make(text, sizeof(text)), false));
}

static struct gw_access two_statements(struct text *actions, struct text *resources, struct text *denied)
{
    struct gw_access access = {.statements = 2};
    access.statement[0] = (struct gw_statement){GW_STATEMENT_ALLOW, actions, resources, 2, 2};
    access.statement[1] = (struct gw_statement){GW_STATEMENT_DENY, denied, NULL, 1, 0};
    return access;
}

static void verdicts(void **state)
{
    struct text actions[] = {TEXT("dynamodb:*Item"), TEXT("dynamodb:Query")}, resources[] = {TEXT("table/orders*"), TEXT("arn:aws:dynamodb:*:*:table/users")};
    struct text denied[] = {TEXT("dynamodb:DeleteItem")};
    struct gw_access access = two_statements(actions, resources, denied), nothing = {.statements = 0};
    (void)state;
    assert_int_equal(gw_access_verdict(NULL, TEXT("dynamodb:DeleteTable"), T(ORDERS)), GW_MAY);
    assert_int_equal(gw_access_verdict(&nothing, TEXT("dynamodb:GetItem"), T(ORDERS)), GW_MAY_NOT);
    assert_int_equal(gw_access_verdict(&access, TEXT("dynamodb:GetItem"), T(ORDERS)), GW_MAY);
    assert_int_equal(gw_access_verdict(&access, TEXT("dynamodb:getitem"), T(ORDERS)), GW_MAY);
    assert_int_equal(gw_access_verdict(&access, TEXT("dynamodb:Query"), T(ORDERS "/index/byTime")), GW_MAY);
    assert_int_equal(gw_access_verdict(&access, TEXT("dynamodb:GetItem"), TEXT("arn:aws:dynamodb:us-east-1:123456789012:table/users")), GW_MAY);
    assert_int_equal(gw_access_verdict(&access, TEXT("dynamodb:GetItem"), TEXT("arn:aws:dynamodb:us-east-1:123456789012:table/users2")), GW_MAY_NOT);
    assert_int_equal(gw_access_verdict(&access, TEXT("dynamodb:Scan"), T(ORDERS)), GW_MAY_NOT);
    assert_int_equal(gw_access_verdict(&access, TEXT("dynamodb:DeleteItem"), T(ORDERS)), GW_MAY_EXPLICIT);
    assert_int_equal(gw_access_verdict(&access, TEXT("dynamodb:ListTables"), TEXT("*")), GW_MAY_NOT);
}

static void a_copy_borrows_nothing(void **state)
{
    char action[] = "dynamodb:GetItem", resource[] = "table/orders", deny[] = "dynamodb:Scan";
    struct text actions[] = {T(action), T(action)}, resources[] = {T(resource), T(resource)}, denied[] = {T(deny)};
    struct gw_access access = two_statements(actions, resources, denied);
    const struct gw_access *copy;
    struct arena arena, small;
    (void)state;
    arena_init(&arena, 4096, 1 << 20);
    arena_init(&small, 1024, 1024);
    assert_int_equal(gw_access_copy(&small, &access, &copy), ERR_MEMORY);
    assert_null(copy);
    assert_int_equal(gw_access_copy(&arena, NULL, &copy), 0);
    assert_null(copy);
    assert_int_equal(gw_access_copy(&arena, &access, &copy), 0);
    memset(action, 'x', sizeof(action) - 1);
    memset(resource, 'x', sizeof(resource) - 1);
    memset(deny, 'x', sizeof(deny) - 1);
    assert_int_equal(gw_access_verdict(copy, TEXT("dynamodb:GetItem"), T(ORDERS)), GW_MAY);
    assert_int_equal(gw_access_verdict(copy, TEXT("dynamodb:Scan"), T(ORDERS)), GW_MAY_EXPLICIT);
    arena_fini(&small);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns),
        cmocka_unit_test(stars_cost_little),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(a_copy_borrows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
