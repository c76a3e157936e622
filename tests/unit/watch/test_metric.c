/* Rows of metrics in the tick: puts, reads, the roll-up under a driven clock and across restarts, against a model that keeps every data point. */
#include "tick/fixture.h"

#include "store/key.h"
#include "watch/cache.h"
#include "watch/seal.h"

#include <math.h>

#define T0 INT64_C(1800000000000) /* a whole hour */
#define POINTS 4000

static const struct watch_dimension dimensions[] = {{{"Handler", 7}, {"connection", 10}}, {{"Environment", 11}, {"dev", 3}}}, reversed[] = {{{"Environment", 11}, {"dev", 3}},
                                                   {{"Handler", 7}, {"connection", 10}}};

static struct {
    struct watch_point point;
    struct watch_query query;
    double value[64];
    const char *name;
    int code;        /* what the call answers at its end */
    size_t repeat;
    struct err err;
    /* read */
    struct {
        int64_t start_s;
        unsigned unit;
        double count, sum, min, max;
    } seen[20000];
    size_t count;
    size_t rows[WATCH_LEVELS];
} asked;

static struct watch_house *house;

static int run(struct fixture *f, int (*body)(struct tick *, struct test_call *))
{
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    call.effects = 0;
    call.body = body;
    arena_fini(&call.arena);
    arena_init(&call.arena, 4096, 64 << 20);
    int code = perform(f, &call);
    call_fini(&call);
    return code;
}

static int do_put(struct tick *tick, struct test_call *call)
{
    int code = 0;
    memset(&asked.err, 0, sizeof(asked.err));
    for (size_t i = 0; i < (asked.repeat ? asked.repeat : 1) && !code; i++)
        code = watch_metric_put(tick, call->call.arena, &asked.point, &asked.err);
    return code ? code : asked.code;
}

static int put(struct fixture *f, const char *name, int64_t time_ms, double value, bool high)
{
    asked.value[0] = value;
    asked.point = (struct watch_point){.name = {.space = TEXT("ns"), .name = text_of(name), .dimension = dimensions, .dimensions = 2}, .time_ms = time_ms,
        .unit = WATCH_UNIT_COUNT, .high = high, .value = asked.value, .values = 1};
    return run(f, do_put);
}

static int on_period(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    (void)context;
    asked.seen[asked.count].start_s = start_s;
    asked.seen[asked.count].unit = unit;
    asked.seen[asked.count].count = summary->count;
    asked.seen[asked.count].sum = summary->sum;
    asked.seen[asked.count].min = summary->min;
    asked.seen[asked.count++].max = summary->max;
    return 0;
}

static int do_read(struct tick *tick, struct test_call *call)
{
    asked.count = 0;
    return watch_metric_read(tick_view(tick), call->call.arena, &asked.query, on_period, NULL);
}

/* Answers how many periods hold something. */
static size_t read_periods(struct fixture *f, const char *name, int64_t from_ms, int64_t to_ms, int64_t period_s)
{
    asked.query = (struct watch_query){.name = {.space = TEXT("ns"), .name = text_of(name), .dimension = reversed, .dimensions = 2}, .start_s = from_ms / 1000,
        .end_s = to_ms / 1000, .period_s = period_s, .unit = -1, .now_ms = clock_wall_ms()};
    assert_int_equal(run(f, do_read), 0);
    return asked.count;
}

static int on_any_row(void *context, struct text key, struct text value)
{
    struct watch_row_key row;
    (void)context;
    (void)value;
    assert_int_equal(watch_row_key_parse(key, &row), 0);
    asked.rows[row.level]++;
    return 0;
}

static int do_count(struct tick *tick, struct test_call *call)
{
    memset(asked.rows, 0, sizeof(asked.rows));
    return store_raw_scan(tick_view(tick), STORE_SPACE_METRICS, TEXT(""), call->call.arena, on_any_row, NULL);
}

static int on_deferred(void *context, struct tick *tick, struct tick_call *call, struct text name, struct text payload)
{
    (void)context;
    assert_true(text_is(name, WATCH_SWEEP));
    return watch_sweep(tick, call->arena, payload);
}

static struct fixture *open_at(int64_t now_ms)
{
    clock_freeze(now_ms);
    memset(&asked, 0, sizeof(asked));
    struct fixture *f = fixture_new();
    f->config.on_deferred = on_deferred;
    assert_int_equal(watch_house_create(&house, 0), 0);
    watch_house_hooks(house, &f->config);
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    return f;
}

static void restart(struct fixture *f)
{
    fixture_restart(f);
    watch_unseal(house); /* a new process remembers nothing */
}

static void close_it(struct fixture *f)
{
    fixture_close(f);
    watch_house_destroy(house);
    clock_freeze(-1);
}

/* The clock goes on, and the sweep with it, until the condition holds. */
#define roll_until(f, condition)                                                                                                           \
    do {                                                                                                                                   \
        int left = 60000;                                                                                                                  \
        for (; left > 0; left--) {                                                                                                         \
            tick_wake((f)->tick);                                                                                                          \
            assert_int_equal(run(f, do_count), 0);                                                                                         \
            if (condition)                                                                                                                 \
                break;                                                                                                                     \
            usleep(1000);                                                                                                                  \
        }                                                                                                                                  \
        assert_true(left > 0);                                                                                                             \
    } while (0)

/* ---- putting and reading ---- */

static void test_one_metric(void **state)
{
    struct fixture *f = open_at(T0);
    (void)state;
    assert_int_equal(put(f, "m", T0 - 1000, 3, true), 0);
    assert_int_equal(put(f, "m", T0 - 1000 + 999, 5, true), 0); /* the same second */
    assert_int_equal(put(f, "m", T0 - 61000, 7, false), 0);
    assert_int_equal(read_periods(f, "m", T0 - HOUR_MS, T0, 60), 2);
    assert_true(asked.seen[0].start_s == T0 / 1000 - 120 && asked.seen[0].sum == 7);
    assert_true(asked.seen[1].start_s == T0 / 1000 - 60 && asked.seen[1].count == 2 && asked.seen[1].sum == 8 && asked.seen[1].unit == 0);
    assert_int_equal(read_periods(f, "m", T0 - HOUR_MS, T0, 1), 1); /* what is kept by the minute is no second's */
    assert_int_equal(read_periods(f, "m", T0 - HOUR_MS, T0 - 60000, 60), 1); /* the end is exclusive */
    assert_int_equal(read_periods(f, "m", T0 - HOUR_MS, T0, 3600), 1);
    assert_true(asked.seen[0].sum == 15 && asked.seen[0].min == 3 && asked.seen[0].max == 7);
    assert_int_equal(read_periods(f, "other", T0 - HOUR_MS, T0, 60), 0);
    restart(f);
    assert_int_equal(read_periods(f, "m", T0 - HOUR_MS, T0, 3600), 1);
    assert_true(asked.seen[0].sum == 15);
    close_it(f);
}

static void test_units(void **state)
{
    struct fixture *f = open_at(T0);
    (void)state;
    assert_int_equal(put(f, "m", T0, 3, false), 0);
    asked.point.unit = WATCH_UNIT_NONE;
    assert_int_equal(run(f, do_put), 0);
    read_periods(f, "m", T0, T0 + 60000, 60);
    assert_true(asked.count == 1 && asked.seen[0].sum == 6);
    asked.query.by_unit = true;
    assert_int_equal(run(f, do_read), 0);
    assert_true(asked.count == 2 && asked.seen[0].unit == WATCH_UNIT_NONE && asked.seen[1].unit == WATCH_UNIT_COUNT && asked.seen[1].sum == 3);
    asked.query.unit = WATCH_UNIT_COUNT;
    assert_int_equal(run(f, do_read), 0);
    assert_true(asked.count == 1 && asked.seen[0].unit == WATCH_UNIT_COUNT);
    asked.query.unit = 5;
    assert_int_equal(run(f, do_read), 0);
    assert_int_equal(asked.count, 0);
    for (int i = 0; i < WATCH_UNITS; i++)
        assert_int_equal(watch_unit_find(text_of(watch_unit_names[i])), i);
    close_it(f);
}

static void test_undone(void **state)
{
    struct fixture *f = open_at(T0);
    (void)state;
    asked.code = ERR_CONDITION;
    assert_int_equal(put(f, "m", T0, 3, false), ERR_CONDITION);
    asked.code = 0;
    assert_int_equal(read_periods(f, "m", T0, T0 + 60000, 60), 0);
    assert_int_equal(run(f, do_count), 0);
    assert_int_equal(asked.rows[1], 0);
    asked.repeat = 1000; /* of one tick: one row */
    assert_int_equal(put(f, "m", T0, 3, false), 0);
    assert_int_equal(run(f, do_count), 0);
    assert_int_equal(asked.rows[1], 1);
    read_periods(f, "m", T0, T0 + 60000, 60);
    assert_true(asked.seen[0].count == 1000 && asked.seen[0].sum == 3000);
    close_it(f);
}

/* Large rows under many calls: a note is as large as what it will stage, once in a tick, so that the tick's bound on bytes holds. */
enum { LARGE_ROWS = 900, LARGE_VALUES = 2000, LARGE_CALLS = 40 };

static int do_put_rows(struct tick *tick, struct test_call *call)
{
    char name[32];
    double value[LARGE_VALUES];
    struct err err;
    size_t values = call->number ? 1 : LARGE_VALUES;
    int code = 0;
    for (int i = 0; i < LARGE_ROWS && !code; i++) {
        for (size_t k = 0; k < values; k++)
            value[k] = ldexp(1 + (double)(k % 64) / 64, (int)(k / 64));
        snprintf(name, sizeof(name), "large%d", i);
        if (!call->number && i / 90 != call->add)
            continue;
        struct watch_point point = {.name = {.space = TEXT("ns"), .name = text_of(name), .dimension = dimensions, .dimensions = 2}, .time_ms = T0, .value = value, .values = values};
        code = watch_metric_put(tick, call->call.arena, &point, &err);
    }
    return code;
}

static int do_charge(struct tick *tick, struct test_call *call)
{
    struct watch_name name = {.space = TEXT("ns"), .name = TEXT("large899"), .dimension = dimensions, .dimensions = 2}; /* the last: it is still there */
    struct watch_row_key key = {.start_s = T0 / 1000, .level = 1}, other = {.start_s = T0 / 1000 + 60, .level = 1};
    assert_int_equal(watch_series_touch(tick, call->call.arena, &name, &key.series, NULL, NULL), 0);
    other.series = key.series;
    assert_true(watch_cache_row_charge(house->cache, &key, tick_sequence(tick)) > 2000);
    assert_int_equal(watch_cache_row_charge(house->cache, &key, tick_sequence(tick)), 0);
    assert_true(watch_cache_row_charge(house->cache, &key, tick_sequence(tick) + 1) > 2000);
    assert_int_equal(watch_cache_row_charge(house->cache, &other, tick_sequence(tick)), WATCH_CACHE_CHARGE_MAX / 2); /* the rows fill more than half of the cache */
    return 0;
}

static void test_large_rows(void **state)
{
    static struct test_call call[LARGE_CALLS];
    struct fixture *f = open_at(T0);
    (void)state;
    for (int i = 0; i < 10; i++) {
        call_init(&call[0], f, 0, NULL, 0);
        call[0].effects = 0;
        call[0].add = i;
        call[0].body = do_put_rows;
        assert_int_equal(perform(f, &call[0]), 0);
        call_fini(&call[0]);
    }
    assert_int_equal(run(f, do_charge), 0);
    disk_hold(&f->disk, true);
    for (int i = 0; i < LARGE_CALLS; i++) {
        call_init(&call[i], f, i + 1, NULL, 0);
        call[i].effects = 0;
        call[i].body = do_put_rows;
        submit(f, &call[i]);
        kick(f);
        if (i == 0)
            until(f, atomic_load(&f->disk.waiting) > 0);
    }
    disk_hold(&f->disk, false);
    for (int i = 0; i < LARGE_CALLS; i++) {
        until(f, call[i].done);
        assert_int_equal(call[i].call.code, 0);
        call_fini(&call[i]);
    }
    asked.query = (struct watch_query){.name = {.space = TEXT("ns"), .name = TEXT("large7"), .dimension = reversed, .dimensions = 2}, .start_s = T0 / 1000, .end_s = T0 / 1000 + 60,
        .period_s = 60, .unit = -1, .now_ms = T0};
    assert_int_equal(run(f, do_read), 0);
    assert_true(asked.count == 1 && asked.seen[0].count == LARGE_VALUES + LARGE_CALLS);
    close_it(f);
}

static void test_refusals(void **state)
{
    struct fixture *f = open_at(T0);
    (void)state;
    assert_int_equal(put(f, "m", T0 + 4 * HOUR_MS, 1, false), ERR_INVALID);
    assert_int_equal(put(f, "m", T0 - 15 * DAY_MS, 1, false), ERR_INVALID);
    assert_int_equal(put(f, "m", T0 - 14 * DAY_MS, 1, false), 0);
    assert_int_equal(put(f, "m", T0 + 2 * HOUR_MS, 1, false), 0);
    assert_int_equal(put(f, "m", T0, NAN, false), ERR_INVALID);
    assert_int_equal(put(f, "m", T0, INFINITY, false), ERR_INVALID);
    assert_int_equal(put(f, "m", T0, 0x1p361, false), ERR_INVALID);
    assert_int_equal(put(f, "m", T0, -0x1p360, false), 0);
    assert_int_equal(put(f, "", T0, 1, false), ERR_INVALID);
    assert_true(asked.err.text[0]);
    close_it(f);
}

static void test_series_limit(void **state)
{
    struct fixture *f = open_at(T0);
    char name[16];
    int64_t refused = counter_read(COUNTER_watch_series_refused);
    (void)state;
    watch_cache_series_limit(house->cache, 20);
    for (int i = 0; i < 25; i++) {
        snprintf(name, sizeof(name), "m%d", i);
        assert_int_equal(put(f, name, T0, 1, false), i < 20 ? 0 : ERR_FULL);
    }
    assert_int_equal(counter_read(COUNTER_watch_series_refused) - refused, 5);
    assert_int_equal(put(f, "m0", T0, 1, false), 0); /* what is there goes on */
    restart(f);
    assert_int_equal(put(f, "m20", T0, 1, false), ERR_FULL);
    /* A year and a half later nothing of them is kept, and they are gone. */
    clock_freeze(T0 + 460 * DAY_MS);
    roll_until(f, asked.rows[0] + asked.rows[1] + asked.rows[2] + asked.rows[3] == 0);
    int code = ERR_FULL;
    for (int left = 60000; left > 0 && code; left--) {
        code = put(f, "m20", T0 + 460 * DAY_MS, 1, false);
        usleep(code ? 1000 : 0);
    }
    assert_int_equal(code, 0);
    close_it(f);
}

/* ---- the roll-up ---- */

struct kept {
    int64_t time_ms;
    double value;
};
static struct kept kept[POINTS];
static size_t kept_count;

static uint64_t any(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed >> 11;
}

/* Every whole period of the range, by the hour, holds exactly the model's points. */
static void check_hours(struct fixture *f, int64_t from_ms, int64_t to_ms)
{
    read_periods(f, "m", from_ms, to_ms, 3600);
    size_t at = 0;
    for (int64_t hour = from_ms / 1000 / 3600 * 3600; hour < to_ms / 1000; hour += 3600) {
        double count = 0, sum = 0;
        for (size_t i = 0; i < kept_count; i++)
            if (kept[i].time_ms / 1000 / 3600 * 3600 == hour) {
                count++;
                sum += kept[i].value;
            }
        if (!count)
            continue;
        assert_true(at < asked.count);
        assert_true(asked.seen[at].start_s == hour);
        assert_true(asked.seen[at].count == count && asked.seen[at].sum == sum);
        at++;
    }
    assert_int_equal(at, asked.count);
}

static void keep(struct fixture *f, int64_t time_ms, bool high, uint64_t *seed)
{
    double value = (double)(any(seed) % 1000);
    assert_int_equal(put(f, "m", time_ms, value, high), 0);
    assert_true(kept_count < POINTS);
    kept[kept_count++] = (struct kept){time_ms, value};
}

static void test_roll_up(void **state)
{
    struct fixture *f = open_at(T0);
    uint64_t seed = 3;
    (void)state;
    kept_count = 0;
    for (int i = 0; i < 1200; i++)
        keep(f, T0 - (int64_t)(any(&seed) % (2 * HOUR_MS)), true, &seed);
    for (int i = 0; i < 300; i++)
        keep(f, T0 - (int64_t)(any(&seed) % (14 * DAY_MS)), i % 2, &seed);
    check_hours(f, T0 - 14 * DAY_MS, T0 + HOUR_MS);
    assert_int_equal(run(f, do_count), 0);
    assert_true(asked.rows[0] > 1000 && asked.rows[1] > 250 && asked.rows[2] == 0);
    /* Seconds become minutes. What a query sees depends on the age alone: before the sweep has run it is already so. */
    int64_t now = T0 + 4 * HOUR_MS;
    clock_freeze(now);
    assert_int_equal(read_periods(f, "m", T0 - 3 * HOUR_MS, T0, 1), 0);
    check_hours(f, T0 - 14 * DAY_MS, T0 + HOUR_MS);
    roll_until(f, asked.rows[0] == 0);
    check_hours(f, T0 - 14 * DAY_MS, T0 + HOUR_MS);
    restart(f); /* the journal is replayed: nothing twice */
    check_hours(f, T0 - 14 * DAY_MS, T0 + HOUR_MS);
    /* Points that come late go where they would be by now. */
    for (int i = 0; i < 50; i++)
        keep(f, T0 - (int64_t)(any(&seed) % (2 * HOUR_MS)), true, &seed);
    assert_int_equal(run(f, do_count), 0);
    assert_int_equal(asked.rows[0], 0);
    check_hours(f, T0 - 14 * DAY_MS, T0 + HOUR_MS);
    /* Minutes become fives, fives become hours. */
    clock_freeze(now = T0 + 16 * DAY_MS);
    assert_int_equal(read_periods(f, "m", T0 - HOUR_MS, T0, 60), 0);
    assert_true(read_periods(f, "m", T0 - HOUR_MS, T0, 300) >= 11);
    roll_until(f, asked.rows[1] == 0);
    assert_true(asked.rows[2] > 20);
    check_hours(f, T0 - 14 * DAY_MS, T0 + HOUR_MS);
    clock_freeze(now = T0 + 65 * DAY_MS);
    roll_until(f, asked.rows[2] == 0);
    check_hours(f, T0 - 14 * DAY_MS, T0 + HOUR_MS);
    assert_int_equal(read_periods(f, "m", T0 - HOUR_MS, T0, 300), 0);
    restart(f);
    check_hours(f, T0 - 14 * DAY_MS, T0 + HOUR_MS);
    /* And then they end. */
    clock_freeze(T0 + 457 * DAY_MS);
    assert_int_equal(read_periods(f, "m", T0 - 14 * DAY_MS, T0 + HOUR_MS, 3600), 0);
    roll_until(f, asked.rows[3] == 0);
    close_it(f);
}

/* The sweep while points go on coming, the server stopped in the middle of it again and again. */
static void test_roll_up_restarts(void **state)
{
    int64_t now = T0;
    struct fixture *f = open_at(now);
    uint64_t seed = 9;
    (void)state;
    kept_count = 0;
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 150; i++)
            keep(f, now - (int64_t)(any(&seed) % (any(&seed) % 3 ? 3 * HOUR_MS : 13 * DAY_MS)), any(&seed) % 2, &seed);
        now += (int64_t)(any(&seed) % (round % 4 == 3 ? 5 * DAY_MS : 6 * HOUR_MS));
        clock_freeze(now);
        tick_wake(f->tick);
        check_hours(f, now - 40 * DAY_MS, now + HOUR_MS);
        restart(f);
        check_hours(f, now - 40 * DAY_MS, now + HOUR_MS);
    }
    clock_freeze(now += 4 * HOUR_MS);
    roll_until(f, asked.rows[0] == 0);
    check_hours(f, now - 40 * DAY_MS, now + HOUR_MS);
    close_it(f);
}

/* ---- names ---- */

static void test_levels(void **state)
{
    int64_t now = T0 / 1000;
    (void)state;
    assert_int_equal(watch_level_now(now, 0, now), 0);
    assert_int_equal(watch_level_now(now - 3 * 3600, 0, now), 0); /* its minute is not over by then */
    assert_int_equal(watch_level_now(now - 3 * 3600 - 60, 0, now), 1);
    assert_int_equal(watch_level_now(now - 15 * 86400 - 300, 0, now), 2);
    assert_int_equal(watch_level_now(now - 63 * 86400 - 3600, 1, now), 3);
    assert_int_equal(watch_level_now(now - 455 * 86400 - 3600, 3, now), WATCH_LEVELS);
    assert_int_equal(watch_level_now(now, 3, now), 3);
    static const int64_t good[] = {1, 5, 10, 20, 30, 60, 120, 3600, 86400}, wrong[] = {0, -60, 2, 15, 59, 61, 90};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(watch_period_is_valid(good[i]));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(watch_period_is_valid(wrong[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_metric), cmocka_unit_test(test_units), cmocka_unit_test(test_undone), cmocka_unit_test(test_large_rows), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_series_limit), cmocka_unit_test(test_roll_up), cmocka_unit_test(test_roll_up_restarts), cmocka_unit_test(test_levels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
