/* Addresses and ranges of addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/address.h"

static void addresses_round_trip(void **state)
{
    (void)state;
    static const char *same[] = {"1.2.3.4", "255.255.255.255", "::1", "2001:db8::7", "::"};
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        struct address address;
        char out[ADDRESS_TEXT];
        assert_int_equal(address_parse(text_of(same[i]), &address), 0);
        assert_true(text_is(address_format(&address, out), same[i]));
    }
}

static void spellings_meet(void **state)
{
    (void)state;
    struct address a, b;
    assert_int_equal(address_parse(TEXT("::ffff:10.0.0.1"), &a), 0);
    assert_int_equal(address_parse(TEXT("10.0.0.1"), &b), 0);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(address_parse(TEXT("[::1]"), &a), 0);
    assert_int_equal(address_parse(TEXT("::1"), &b), 0);
    assert_memory_equal(&a, &b, sizeof(a));
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const char *bad[] = {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "example.org", "::1%lo", "1.2.3.4:80", "[]", ":::"};
    struct address address;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(address_parse(text_of(bad[i]), &address), ERR_SYNTAX);
    static const char *ranges[] = {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "fd00::1/8", "::/129", "/8"};
    struct address_range range;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        assert_int_equal(address_range_parse(text_of(ranges[i]), &range), ERR_SYNTAX);
}

static bool inside(const char *range_text, const char *address_text)
{
    struct address_range range;
    struct address address;
    assert_int_equal(address_range_parse(text_of(range_text), &range), 0);
    assert_int_equal(address_parse(text_of(address_text), &address), 0);
    return address_in_range(&address, &range);
}

static void ranges_hold_their_own(void **state)
{
    (void)state;
    assert_true(inside("10.0.0.0/8", "10.255.0.1"));
    assert_false(inside("10.0.0.0/8", "11.0.0.1"));
    assert_true(inside("172.16.0.0/12", "172.31.255.255"));
    assert_false(inside("172.16.0.0/12", "172.32.0.0"));
    assert_true(inside("127.0.0.1", "127.0.0.1"));
    assert_false(inside("127.0.0.1", "127.0.0.2"));
    assert_true(inside("0.0.0.0/0", "8.8.8.8"));
    assert_false(inside("0.0.0.0/0", "::1"));
    assert_true(inside("fc00::/7", "fd12::1"));
    assert_true(inside("::/0", "::1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_round_trip),
        cmocka_unit_test(spellings_meet),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(ranges_hold_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
