/* Meters: runs of equal values, sets of dimensions, what a second hands over, and their bound. */
#include "gateway/meter.h"

#include "base/counter.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static struct watch_tally *tally;
static struct gw_meters *meters;

static int begin(void **state)
{
    (void)state;
    assert_int_equal(watch_tally_create(&tally), 0);
    meters = gw_meters_create(tally);
    assert_non_null(meters);
    return 0;
}

static int end(void **state)
{
    (void)state;
    gw_meters_destroy(meters);
    watch_tally_destroy(tally);
    return 0;
}

/* How many series have something new. */
static size_t taken(void)
{
    gw_meters_gather(meters);
    struct watch_gathered *gathered = watch_tally_take(tally);
    size_t count = gathered ? watch_gathered_count(gathered) : 0;
    watch_gathered_destroy(gathered);
    return count;
}

static void one_meter_stands_for_its_sets(void **state)
{
    (void)state;
    struct gw_meter *meter = gw_meter_of(meters, GW_FIGURE_MESSAGE_COUNT, TEXT("echo"), TEXT("prod"), TEXT("$default"));
    assert_int_equal(meter->places, 3);
    assert_ptr_equal(meter, gw_meter_of(meters, GW_FIGURE_MESSAGE_COUNT, TEXT("echo"), TEXT("prod"), TEXT("$default")));
    assert_ptr_not_equal(meter, gw_meter_of(meters, GW_FIGURE_MESSAGE_COUNT, TEXT("echo"), TEXT("prod"), TEXT("other")));
    assert_ptr_not_equal(meter, gw_meter_of(meters, GW_FIGURE_CLIENT_ERROR, TEXT("echo"), TEXT("prod"), TEXT("$default")));
    assert_int_equal(taken(), 0);
    gw_meter_add(meter, 1, 1);
    assert_int_equal(taken(), 3);
    assert_int_equal(taken(), 0); /* once */
}

static void a_run_is_one_value_with_a_weight(void **state)
{
    (void)state;
    struct gw_meter *meter = gw_meter_of(meters, GW_FIGURE_ACTIVE, TEXT("echo"), TEXT_NONE, TEXT_NONE);
    for (int i = 0; i < 1000; i++)
        gw_meter_add(meter, 1, 1);
    assert_true(meter->value == 1 && meter->weight == 1000);
    gw_meter_add(meter, 2, 3);
    assert_true(meter->value == 2 && meter->weight == 3); /* the run of ones is in the tally */
    gw_meter_add(meter, 0, 1);
    assert_true(meter->value == 0 && meter->weight == 1);
    assert_int_equal(taken(), 1);
    assert_true(meter->weight == 0);
    gw_meter_add(meter, 0, 1); /* the same value as before the second ended */
    assert_int_equal(taken(), 1);
}

static void a_weight_of_zero_is_nothing(void **state)
{
    (void)state;
    gw_figure_add(meters, GW_FIGURE_STALE, TEXT("echo"), TEXT_NONE, 1, 0);
    assert_int_equal(taken(), 0);
    gw_figure_add(NULL, GW_FIGURE_STALE, TEXT("echo"), TEXT_NONE, 1, 1); /* figures are off */
    gw_meter_add(gw_meter_of(NULL, GW_FIGURE_STALE, TEXT("echo"), TEXT_NONE, TEXT_NONE), 1, 1);
    assert_int_equal(taken(), 0);
}

static void names_are_cut_not_confused(void **state)
{
    (void)state;
    char name[2000];
    memset(name, 'x', sizeof(name));
    struct gw_meter *meter = gw_meter_of(meters, GW_FIGURE_ABUSE, text_make(name, sizeof(name)), TEXT("Ban"), TEXT_NONE);
    assert_ptr_not_equal(meter, gw_meter_of(meters, GW_FIGURE_ABUSE, text_make(name, sizeof(name)), TEXT("LimitHit"), TEXT_NONE));
    gw_meter_add(meter, 1, 1);
    assert_int_equal(taken(), 2);
}

static void beyond_the_bound_nothing_is_kept(void **state)
{
    (void)state;
    char name[32];
    int64_t before = counter_read(COUNTER_gw_meters_refused);
    for (int i = 0; i < GW_METERS_MAX + 10; i++) {
        int len = snprintf(name, sizeof(name), "table-%d", i);
        gw_figure_add(meters, GW_FIGURE_TTL_DELETED, text_make(name, (size_t)len), TEXT_NONE, 1, 1);
    }
    assert_int_equal(counter_read(COUNTER_gw_meters_refused) - before, 10);
    assert_int_equal(taken(), GW_METERS_MAX);
}

/* Each unit is one of CloudWatch's, each set is one of the dimensions. */
static void the_table_is_sound(void **state)
{
    (void)state;
    for (int i = 0; i < GW_FIGURES; i++) {
        const struct gw_figure_row *row = &gw_figure_rows[i];
        unsigned dims = row->dims[0] ? 1 : 0;
        for (const char *at = row->dims; *at; at++)
            dims += *at == ',';
        assert_true(dims <= GW_FIGURE_DIMS);
        assert_true(watch_unit_find(text_of(row->unit)) >= 0);
        assert_true(row->sets && row->sets < 2u << dims);
        assert_true(row->help[0]);
        for (int k = 0; k < i; k++)
            assert_false(strcmp(row->name, gw_figure_rows[k].name) == 0 && strcmp(row->space, gw_figure_rows[k].space) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_meter_stands_for_its_sets, begin, end),
        cmocka_unit_test_setup_teardown(a_run_is_one_value_with_a_weight, begin, end),
        cmocka_unit_test_setup_teardown(a_weight_of_zero_is_nothing, begin, end),
        cmocka_unit_test_setup_teardown(names_are_cut_not_confused, begin, end),
        cmocka_unit_test_setup_teardown(beyond_the_bound_nothing_is_kept, begin, end),
        cmocka_unit_test(the_table_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
