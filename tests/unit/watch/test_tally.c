/* Tallies: what is gathered and handed over is what the values would have made one by one, in every form that a place takes; the bounds; and the way into the rows. */
#include "tick/fixture.h"

#include "watch/cache.h"
#include "watch/seal.h"
#include "watch/tally.h"

#include <math.h>

#define T0 INT64_C(1800000000000)

static struct watch_house *house;
static struct watch_summary wanted;
static struct arena memory;
static size_t periods;

static struct watch_name name_of(const char *name)
{
    return (struct watch_name){.space = TEXT("tally"), .name = text_of(name)};
}

/* ---- into the rows ---- */

static struct fixture *open_it(void)
{
    clock_freeze(T0);
    struct fixture *f = fixture_new();
    assert_int_equal(watch_house_create(&house, 0), 0);
    watch_house_hooks(house, &f->config);
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    return f;
}

static void close_it(struct fixture *f)
{
    fixture_close(f);
    watch_house_destroy(house);
    clock_freeze(-1);
}

static const struct watch_gathered *putting;

static int do_put(struct tick *tick, struct test_call *call)
{
    return watch_gathered_put(tick, call->call.arena, putting);
}

static int run(struct fixture *f, int (*body)(struct tick *, struct test_call *))
{
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    call.effects = 0;
    call.body = body;
    int code = perform(f, &call);
    call_fini(&call);
    return code;
}

static int put_all(struct fixture *f, struct watch_tally *tally)
{
    struct watch_gathered *gathered = watch_tally_take(tally);
    assert_non_null(gathered);
    putting = gathered;
    int code = run(f, do_put);
    watch_gathered_destroy(gathered);
    return code;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fabs(b);
}

/* The very sketch that the values make one by one. */
static int on_period(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    (void)context;
    (void)start_s;
    assert_int_equal(unit, WATCH_UNIT_COUNT);
    assert_true(summary->count == wanted.count && near(summary->sum, wanted.sum));
    assert_true(summary->min == wanted.min && summary->max == wanted.max && summary->unknown == wanted.unknown);
    assert_int_equal(summary->values.count, wanted.values.count);
    assert_int_equal(summary->values.coarse, wanted.values.coarse);
    for (size_t i = 0; i < wanted.values.count; i++)
        assert_true(summary->values.entry[i].value == wanted.values.entry[i].value && near(summary->values.entry[i].weight, wanted.values.entry[i].weight));
    periods++;
    return 0;
}

static const char *asked;
static int do_read(struct tick *tick, struct test_call *call)
{
    struct watch_query query = {.name = name_of(asked), .start_s = T0 / 1000 - 3600, .end_s = T0 / 1000 + 3600, .period_s = 60, .unit = -1, .by_unit = true, .now_ms = T0};
    periods = 0;
    return watch_metric_read(tick_view(tick), call->call.arena, &query, on_period, NULL);
}

/* ---- values ---- */

static uint64_t seed;
static uint64_t any(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (seed >> 11) % below;
}

static double value_of_kind(int kind)
{
    switch (kind) {
    case 0: return 1;                                             /* a counter */
    case 1: return any(2) ? 100 : 0;                              /* a rate */
    case 2: return (double)any(40) - 20;                          /* a list */
    case 3: return (double)any(100000) / 7;                       /* latencies */
    case 4: return ldexp(1 + (double)any(64) / 64, (int)any(8) * 9); /* some hundred buckets */
    case 5: return any(3) ? 0x1p-370 : -0.0;                      /* zeros */
    default: return (any(2) ? -1 : 1) * ldexp(1 + (double)any(64) / 64, (int)any(60) - 30); /* thousands of buckets: the lowest are put together */
    }
}

static void values_of_every_kind(void **state)
{
    static const char *const names[] = {"counter", "rate", "list", "latency", "wide", "zero"};
    struct fixture *f = open_it();
    struct watch_tally *tally;
    (void)state;
    seed = 5;
    assert_int_equal(watch_tally_create(&tally), 0);
    for (int turn = 0; turn < 2; turn++)
        for (int kind = 0; kind < 6; kind++) {
            struct watch_name name = name_of(names[kind]);
            unsigned place = watch_tally_place(tally, &name, WATCH_UNIT_COUNT, false);
            assert_true(place > 0 && place == watch_tally_place(tally, &name, WATCH_UNIT_COUNT, false));
            if (turn == 0) {
                assert_int_equal(place, kind + 1);
                arena_init(&memory, 4096, 16 << 20);
                watch_summary_init(&wanted, &memory);
            }
            size_t count = kind == 4 ? 20000 : 3000;
            if (turn == 1)
                continue;
            for (size_t i = 0; i < count; i++) {
                double value = value_of_kind(kind), weight = any(4) ? 1 : 0.5 + (double)any(3);
                watch_tally_add(tally, place, value, weight);
                assert_int_equal(watch_summary_add(&wanted, value, weight), 0);
            }
            assert_int_equal(put_all(f, tally), 0);
            assert_null(watch_tally_take(tally));
            asked = names[kind];
            assert_int_equal(run(f, do_read), 0);
            assert_int_equal(periods, 1);
            arena_fini(&memory);
        }
    watch_tally_destroy(tally);
    close_it(f);
}

/* More buckets than a sketch has: the figures and the high end hold. */
static void values_without_end(void **state)
{
    struct watch_tally *tally;
    struct fixture *f = open_it();
    (void)state;
    seed = 7;
    assert_int_equal(watch_tally_create(&tally), 0);
    struct watch_name name = name_of("everything");
    unsigned place = watch_tally_place(tally, &name, WATCH_UNIT_COUNT, true);
    for (int i = 0; i < 200000; i++)
        watch_tally_add(tally, place, value_of_kind(6), 1);
    struct watch_gathered *gathered = watch_tally_take(tally);
    assert_int_equal(watch_gathered_count(gathered), 1);
    putting = gathered;
    assert_int_equal(run(f, do_put), 0);
    watch_gathered_destroy(gathered);
    watch_tally_destroy(tally);
    close_it(f);
}

static void places_are_told_apart(void **state)
{
    struct watch_tally *tally;
    static const struct watch_dimension one[] = {{{"A", 1}, {"x", 1}}}, other[] = {{{"A", 1}, {"y", 1}}}, wrong[] = {{{"A", 1}, {"", 0}}};
    struct watch_name plain = name_of("m"), with = name_of("m"), without = name_of("m"), bad = name_of("m");
    (void)state;
    assert_int_equal(watch_tally_create(&tally), 0);
    with.dimension = one;
    without.dimension = other;
    bad.dimension = wrong;
    with.dimensions = without.dimensions = bad.dimensions = 1;
    unsigned place[5] = {watch_tally_place(tally, &plain, 0, false), watch_tally_place(tally, &plain, 1, false), watch_tally_place(tally, &plain, 0, true),
        watch_tally_place(tally, &with, 0, false), watch_tally_place(tally, &without, 0, false)};
    for (int i = 0; i < 5; i++)
        for (int k = 0; k <= i; k++)
            assert_true(place[i] && (i == k || place[i] != place[k]));
    assert_int_equal(watch_tally_place(tally, &bad, 0, false), 0);
    assert_int_equal(watch_tally_place(tally, &plain, WATCH_UNITS, false), 0);
    int64_t dropped = counter_read(COUNTER_watch_tally_dropped);
    watch_tally_add(tally, 0, 1, 1);
    watch_tally_add(tally, place[0], NAN, 1);
    watch_tally_add(tally, place[0], 1, 0);
    assert_int_equal(counter_read(COUNTER_watch_tally_dropped) - dropped, 3);
    assert_null(watch_tally_take(tally));
    /* Only what was touched is handed over. */
    watch_tally_add(tally, place[3], 1, 1);
    watch_tally_add(tally, place[1], 2, 1);
    watch_tally_add(tally, place[3], 3, 1);
    struct watch_gathered *gathered = watch_tally_take(tally);
    assert_int_equal(watch_gathered_count(gathered), 2);
    watch_gathered_destroy(gathered);
    watch_tally_destroy(tally);
}

static void places_have_a_bound(void **state)
{
    struct watch_tally *tally;
    char text[16];
    (void)state;
    assert_int_equal(watch_tally_create(&tally), 0);
    for (int i = 0; i < WATCH_TALLY_PLACES + 10; i++) {
        snprintf(text, sizeof(text), "m%d", i);
        struct watch_name name = name_of(text);
        unsigned place = watch_tally_place(tally, &name, 0, false);
        assert_int_equal(place, i < WATCH_TALLY_PLACES ? i + 1 : 0);
        for (int k = 0; k < 70; k++) /* their values have one too: the figures stay right */
            watch_tally_add(tally, place, k, 1);
    }
    struct watch_gathered *gathered = watch_tally_take(tally);
    assert_int_equal(watch_gathered_count(gathered), WATCH_TALLY_PLACES);
    watch_gathered_destroy(gathered);
    watch_tally_destroy(tally);
}

static void a_series_too_many_is_left_out(void **state)
{
    struct watch_tally *tally;
    struct fixture *f = open_it();
    int64_t refused = counter_read(COUNTER_watch_series_refused);
    (void)state;
    assert_int_equal(watch_tally_create(&tally), 0);
    watch_cache_series_limit(house->cache, 2);
    for (const char *const *at = (const char *const[]){"a", "b", "c", "d", NULL}; *at; at++) {
        struct watch_name name = name_of(*at);
        watch_tally_add(tally, watch_tally_place(tally, &name, WATCH_UNIT_COUNT, false), 1, 1);
    }
    assert_int_equal(put_all(f, tally), 0);
    assert_int_equal(counter_read(COUNTER_watch_series_refused) - refused, 2);
    arena_init(&memory, 4096, 1 << 20);
    watch_summary_init(&wanted, &memory);
    watch_summary_add(&wanted, 1, 1);
    for (const char *const *at = (const char *const[]){"a", "b", "c", NULL}; *at; at++) {
        asked = *at;
        assert_int_equal(run(f, do_read), 0);
        assert_int_equal(periods, **at < 'c');
    }
    arena_fini(&memory);
    watch_tally_destroy(tally);
    close_it(f);
}

static void a_full_disk_drops_them(void **state)
{
    struct watch_tally *tally;
    struct fixture *f = open_it();
    struct watch_name name = name_of("m");
    (void)state;
    assert_int_equal(watch_tally_create(&tally), 0);
    unsigned place = watch_tally_place(tally, &name, WATCH_UNIT_COUNT, false);
    watch_tally_add(tally, place, 1, 1);
    assert_int_equal(put_all(f, tally), 0);
    atomic_store(&f->disk.full, true);
    clock_freeze(T0 + 2000); /* its space is looked at again when a second has passed */
    until(f, tick_writable(f->tick) != 0);
    watch_tally_add(tally, place, 5, 1);
    assert_int_equal(put_all(f, tally), 0); /* loose: the call is kept, the values are not */
    atomic_store(&f->disk.full, false);
    clock_freeze(T0 + 4000);
    until(f, tick_writable(f->tick) == 0);
    arena_init(&memory, 4096, 1 << 20);
    watch_summary_init(&wanted, &memory);
    watch_summary_add(&wanted, 1, 1);
    asked = "m";
    assert_int_equal(run(f, do_read), 0);
    assert_int_equal(periods, 1);
    arena_fini(&memory);
    watch_tally_destroy(tally);
    close_it(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_of_every_kind), cmocka_unit_test(values_without_end), cmocka_unit_test(places_are_told_apart),
        cmocka_unit_test(places_have_a_bound), cmocka_unit_test(a_series_too_many_is_left_out), cmocka_unit_test(a_full_disk_drops_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
