/* What a call says of who makes it (AU-9). */
#include "gateway/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

static void groups(void **state)
{
    struct text names[] = {TEXT("red"), TEXT("blue team")};
    struct weir_call *call = calloc(1, sizeof(*call));
    (void)state;
    assert_non_null(call);
    assert_false(weir_in_group(call, "red")); /* nobody is known */
    call->identity = gw_identity_create(TEXT("ada"), TEXT_NONE, TEXT_NONE, TEXT("user"), names, 2);
    assert_non_null(call->identity);
    assert_true(weir_in_group(call, "red"));
    assert_true(weir_in_group(call, "blue team"));
    assert_false(weir_in_group(call, "blue"));
    assert_false(weir_in_group(call, "Red"));
    assert_false(weir_in_group(call, ""));
    gw_identity_unref(call->identity);
    call->identity = gw_identity_create(TEXT("bob"), TEXT_NONE, TEXT_NONE, TEXT("admin"), NULL, 0);
    assert_non_null(call->identity);
    assert_true(call->identity->admin);
    assert_false(weir_in_group(call, "admin")); /* a role is no group */
    gw_identity_unref(call->identity);
    free(call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(groups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
