/*
 * Data points by notes against a simple model: many calls to a tick, some undone, some run again for a cold block, some refused because the disk is full in the middle of it; restarts,
 * late points, and the roll-up in between. Whatever was answered with 0 is there exactly once, and nothing else is.
 */
#include "tick/fixture.h"

#include "store/key.h"
#include "watch/cache.h"
#include "watch/seal.h"

#include <math.h>

#define T0 INT64_C(1800000000000) /* a whole hour */
enum { SERIES = 48, CALLS = 48, POINTS = 6, VALUES = 4, HOURS = 24 * 120, ROUNDS = 60 };
#define FIRST_HOUR (T0 / 3600000 - 24 * 20)

struct figures {
    double count, sum, min, max;
};
static struct figures model[SERIES][HOURS], seen[HOURS];

struct given {
    struct watch_point point;
    struct watch_dimension dimension[2];
    char name[8];
    unsigned series;
    double value[VALUES], weight[VALUES];
};
struct put_call {
    struct test_call call;
    struct given given[POINTS];
    size_t count;
    bool cold, fills;
};

static struct watch_house *house;
static uint64_t seed;
static int64_t now;
static uint64_t reached; /* series so far */

/* The disk's space is looked at again when a second has passed. */
static void set_full(struct fixture *f, bool full)
{
    atomic_store(&f->disk.full, full);
    clock_freeze(now += 2000);
}

static uint64_t any(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (seed >> 11) % below;
}

/* ---- the model ---- */

static void model_add(unsigned series, int64_t time_ms, double count, double sum, double min, double max)
{
    struct figures *hour = &model[series][time_ms / HOUR_MS - FIRST_HOUR];
    if (count <= 0)
        return;
    hour->min = hour->count > 0 && hour->min < min ? hour->min : min;
    hour->max = hour->count > 0 && hour->max > max ? hour->max : max;
    hour->count += count;
    hour->sum += sum;
}

static void model_take(const struct given *given)
{
    const struct watch_point *point = &given->point;
    if (point->set)
        model_add(given->series, point->time_ms, point->count, point->sum, point->min, point->max);
    for (size_t i = 0; i < point->values && !point->set; i++) {
        double weight = point->weight ? point->weight[i] : 1;
        model_add(given->series, point->time_ms, weight, weight * point->value[i], point->value[i], point->value[i]);
    }
}

/* ---- calls ---- */

static int do_put(struct tick *tick, struct test_call *base)
{
    struct put_call *call = (struct put_call *)base;
    struct err err = {0};
    int code = 0;
    for (size_t i = 0; i < call->count && !code; i++)
        code = watch_metric_put(tick, base->call.arena, &call->given[i].point, &err);
    if (call->fills && !atomic_load(&base->fixture->disk.full)) {
        set_full(base->fixture, true);
        until_plain(tick_writable(tick) == ERR_DISK_FULL);
    }
    return !code && call->cold && base->call.runs < 2 ? ERR_COLD : code;
}

/* Few moments, so that points of every age meet in the same rows. New series come with the rounds, also in calls and ticks that are undone, and several times in one call. */
static void make_point(struct given *given, const struct given *before, int64_t now_ms)
{
    static const int64_t ages[] = {1000, 90 * 60000, 4 * HOUR_MS, 13 * DAY_MS};
    struct watch_point *point = &given->point;
    int64_t time_ms = now_ms - (int64_t)any((uint64_t)ages[any(4)]);
    time_ms -= any(3) ? time_ms % (30 * 60000) : 0;
    time_ms = time_ms < now_ms - 13 * DAY_MS ? now_ms : time_ms;
    given->series = before && any(3) == 0 ? before->series : (unsigned)any(any(2) ? 4 : reached);
    snprintf(given->name, sizeof(given->name), "m%u", given->series);
    bool turned = any(2);
    given->dimension[turned] = (struct watch_dimension){TEXT("User"), TEXT("u1")};
    given->dimension[!turned] = (struct watch_dimension){TEXT("Api"), TEXT("a")};
    *point = (struct watch_point){.name = {.space = TEXT("model"), .name = text_of(given->name), .dimension = given->dimension, .dimensions = 2},
        .time_ms = time_ms, .unit = any(3) ? WATCH_UNIT_COUNT : WATCH_UNIT_NONE, .high = any(2), .value = given->value, .values = 1 + any(VALUES)};
    for (size_t i = 0; i < VALUES; i++) {
        given->value[i] = (double)any(300) - 20;
        given->weight[i] = (double)any(4);
    }
    if (any(3) == 0)
        point->weight = given->weight;
    if (any(5) == 0) {
        point->set = true;
        point->count = 1 + (double)any(5);
        point->min = (double)any(100);
        point->max = point->min + (double)any(100);
        point->sum = point->count == 1 ? point->min : point->min * point->count;
        point->max = point->count == 1 ? point->min : point->max;
    }
}

static void make_call(struct fixture *f, struct put_call *call)
{
    call_init(&call->call, f, 1, NULL, 0);
    call->call.effects = 0;
    call->call.body = do_put;
    call->call.call.source = (uint16_t)any(FIXTURE_SINKS);
    call->call.answer = any(5) == 0 ? ERR_CONDITION : 0;
    call->cold = any(6) == 0;
    call->count = 1 + any(POINTS);
    for (size_t i = 0; i < call->count; i++)
        make_point(&call->given[i], i ? &call->given[i - 1] : NULL, clock_wall_ms());
}

static bool all_done(const struct put_call *call, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!call[i].call.done)
            return false;
    return true;
}

/* Many calls at once, in as few ticks as it happens; `full`: the disk has no room for the later ones. */
static size_t put_many(struct fixture *f, bool full)
{
    static struct put_call call[CALLS];
    size_t count = 1 + any(CALLS), refused = 0;
    for (size_t i = 0; i < count; i++) {
        memset(&call[i], 0, sizeof(call[i]));
        make_call(f, &call[i]);
    }
    disk_hold(&f->disk, full); /* the first one is on its way to the disk while the others gather, and the last of them finds the disk full */
    for (size_t i = 0; i < count; i++) {
        call[i].fills = full && i == count - 1;
        submit(f, &call[i].call);
        kick(f);
        if (i == 0 && full)
            until(f, atomic_load(&f->disk.waiting) > 0 || call[0].call.done);
    }
    disk_hold(&f->disk, false);
    until(f, all_done(call, count));
    if (full)
        set_full(f, false);
    until(f, tick_writable(f->tick) == 0);
    for (size_t i = 0; i < count; i++) {
        int code = call[i].call.call.code;
        assert_true(code == 0 || code == ERR_CONDITION || (full && code == ERR_DISK_FULL));
        refused += code == ERR_DISK_FULL;
        for (size_t k = 0; k < call[i].count && !code; k++)
            model_take(&call[i].given[k]);
        call_fini(&call[i].call);
    }
    return refused;
}

/* ---- reading ---- */

static unsigned asked;

static int on_period(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    (void)context;
    (void)unit;
    seen[start_s / 3600 - FIRST_HOUR] = (struct figures){summary->count, summary->sum, summary->min, summary->max};
    return 0;
}

static int do_read(struct tick *tick, struct test_call *call)
{
    static const struct watch_dimension dimension[] = {{{"Api", 3}, {"a", 1}}, {{"User", 4}, {"u1", 2}}};
    char name[8];
    snprintf(name, sizeof(name), "m%u", asked);
    struct watch_query query = {.name = {.space = TEXT("model"), .name = text_of(name), .dimension = dimension, .dimensions = 2}, .start_s = FIRST_HOUR * 3600,
        .end_s = (FIRST_HOUR + HOURS) * 3600, .period_s = 3600, .unit = -1, .now_ms = tick_now_ms(tick)};
    memset(seen, 0, sizeof(seen));
    return watch_metric_read(tick_view(tick), call->call.arena, &query, on_period, NULL);
}

static void check(struct fixture *f, unsigned series)
{
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    call.effects = 0;
    call.body = do_read;
    asked = series;
    assert_int_equal(perform(f, &call), 0);
    call_fini(&call);
    for (size_t i = 0; i < HOURS; i++)
        if (memcmp(&seen[i], &model[series][i], sizeof(seen[i])))
            fail_msg("series %u, hour %zu: %g values of the sum %g, and there should be %g of %g", series, i, seen[i].count, seen[i].sum, model[series][i].count, model[series][i].sum);
}

static int on_deferred(void *context, struct tick *tick, struct tick_call *call, struct text name, struct text payload)
{
    (void)context;
    assert_true(text_is(name, WATCH_SWEEP));
    return watch_sweep(tick, call->arena, payload);
}

static void restart(struct fixture *f)
{
    fixture_stop(f);
    watch_house_destroy(house);
    assert_int_equal(watch_house_create(&house, 0), 0);
    watch_house_hooks(house, &f->config);
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
}

static void run_model(uint64_t first_seed)
{
    int64_t rolled = counter_read(COUNTER_watch_rows_rolled), cold = counter_read(COUNTER_tick_cold_restarts);
    size_t refused = 0;
    seed = first_seed;
    now = T0;
    memset(model, 0, sizeof(model));
    clock_freeze(now);
    struct fixture *f = fixture_new();
    f->config.on_deferred = on_deferred;
    assert_int_equal(watch_house_create(&house, 0), 0);
    watch_house_hooks(house, &f->config);
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    for (int round = 0; round < ROUNDS; round++) {
        reached = 4 + (uint64_t)round * (SERIES - 4) / ROUNDS;
        refused += put_many(f, any(3) == 0);
        if (any(4) == 0)
            clock_freeze(now += (int64_t)any((uint64_t)(any(4) ? 4 * HOUR_MS : 4 * DAY_MS)));
        tick_wake(f->tick); /* the roll-up goes on while the next points come */
        if (any(6) == 0)
            restart(f);
        for (unsigned series = 0; series < SERIES; series++)
            check(f, series);
    }
    restart(f);
    for (unsigned series = 0; series < SERIES; series++)
        check(f, series);
    assert_true(counter_read(COUNTER_watch_rows_rolled) > rolled);
    assert_true(counter_read(COUNTER_tick_cold_restarts) > cold);
    assert_true(refused > 0);
    fixture_close(f);
    watch_house_destroy(house);
    clock_freeze(-1);
}

static void points_are_there_exactly_once(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 4; i++)
        run_model(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(points_are_there_exactly_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
