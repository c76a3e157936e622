/* The text form of connection ids: one spelling each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/server.h"

static void sample_round_trips(void **state)
{
    (void)state;
    struct net_id id;
    char text[NET_ID_TEXT + 1];
    assert_int_equal(net_id_parse(TEXT("BFaT_fALIAMCKug="), &id), 0);
    assert_int_equal(net_id_io(&id), 4);
    net_id_format(&id, text);
    assert_string_equal(text, "BFaT_fALIAMCKug=");
}

static void every_bit_counts(void **state)
{
    (void)state;
    for (int bit = 0; bit < 8 * NET_ID_BYTES; bit++) {
        struct net_id id = {{0}}, back;
        char text[NET_ID_TEXT + 1];
        id.byte[bit / 8] = (uint8_t)(0x80 >> bit % 8);
        net_id_format(&id, text);
        assert_int_equal(net_id_parse(text_of(text), &back), 0);
        assert_memory_equal(&id, &back, sizeof(id));
    }
}

static void loose_forms_are_refused(void **state)
{
    (void)state;
    static const char *bad[] = {"", "=", "BFaT_fALIAMCKug", "BFaT_fALIAMCKug==", "BFaT_fALIAMCKuh=", "BFaT_fALIAMCKu==", "BFaT/fALIAMCKug=",
        "BFaT+fALIAMCKug=", "BFaT fALIAMCKug=", "BFaT_fALIAMCKugA", "FaT_fALIAMCKug="};
    struct net_id id;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(net_id_parse(text_of(bad[i]), &id), ERR_SYNTAX);
    assert_int_equal(net_id_parse(text_make("BFaT_fA\0IAMCKug=", 16), &id), ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_round_trips),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(loose_forms_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
