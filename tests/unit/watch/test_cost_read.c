/* A bill's amounts from figures in the tables: which ones, whose, of which period, and what is done where they cannot be summed. */
#include "tick/fixture.h"

#include "watch/cost_read.h"
#include "watch/metric.h"
#include "watch/seal.h"

#include <math.h>

#define T0 INT64_C(1800000000000) /* a whole hour */

static struct watch_house *house;
static struct {
    struct watch_point point;
    struct watch_dimension dimension[2];
    double value;
    struct cost_question question;
    struct cost_usage usage, nobody;
    bool partial;
} asked;

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

static int do_put(struct tick *tick, struct test_call *call)
{
    struct err err = {0};
    return watch_metric_put(tick, call->call.arena, &asked.point, &err);
}

static void put_both(struct fixture *f, const char *space, const char *name, const char *dimension, const char *value, const char *more, int64_t time_ms, double amount)
{
    asked.value = amount;
    asked.dimension[0] = (struct watch_dimension){text_of(dimension), text_of(value)};
    asked.dimension[1] = (struct watch_dimension){TEXT("Stage"), text_of(more ? more : "")};
    asked.point = (struct watch_point){.name = {.space = text_of(space), .name = text_of(name), .dimension = asked.dimension, .dimensions = more ? 2 : 1},
        .time_ms = time_ms, .unit = WATCH_UNIT_NONE, .value = &asked.value, .values = 1};
    assert_int_equal(run(f, do_put), 0);
}

static void put(struct fixture *f, const char *space, const char *name, const char *dimension, const char *value, int64_t time_ms, double amount)
{
    put_both(f, space, name, dimension, value, NULL, time_ms, amount);
}

/* "ours" is ours, "hidden" is left out, everything else is nobody's. */
static struct cost_usage *owner(void *context, enum cost_owner what, struct text name)
{
    (void)context;
    (void)what;
    return text_is(name, "ours") ? &asked.usage : text_is(name, "hidden") ? NULL : &asked.nobody;
}

static int do_read(struct tick *tick, struct test_call *call)
{
    (void)call;
    asked.usage = asked.nobody = (struct cost_usage){{0}};
    return cost_read(tick_view(tick), &asked.question, &asked.partial);
}

static void read_from(struct fixture *f, int64_t from_ms, int64_t to_ms)
{
    asked.question = (struct cost_question){.from_ms = from_ms, .to_ms = to_ms, .now_ms = clock_wall_ms(), .memory_mb = 512, .owner = owner};
    assert_int_equal(run(f, do_read), 0);
    assert_false(asked.partial);
}

static struct fixture *open_at(int64_t now_ms)
{
    clock_freeze(now_ms);
    memset(&asked, 0, sizeof(asked));
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

#define is(kind, expected) assert_true(fabs(asked.usage.of[COST_##kind] - (expected)) <= 1e-9 * (1 + fabs((double)(expected))))

static void test_sums(void **state)
{
    struct fixture *f = open_at(T0);
    (void)state;
    for (int i = 0; i < 3; i++) {
        int64_t at = T0 - i * 10 * MINUTE_MS;
        put(f, "AWS/ApiGateway", "MessageCount", "ApiId", "ours", at, 10);
        put_both(f, "AWS/ApiGateway", "MessageCount", "ApiId", "ours", "prod", at, 10); /* the same messages, by stage */
        put(f, "Weir", "MessagesOut", "ApiId", "ours", at, 7);
        put(f, "Weir", "ConnectionMinutes", "ApiId", "ours", at, 2.5);
        put(f, "AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", "ours", at, 3);
        put(f, "AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", "ours", at, 0.5);
        put(f, "AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", "hidden", at, 100);
        put(f, "AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", "else", at, 4);
        put(f, "AWS/Logs", "IncomingBytes", "LogGroupName", "ours", at, COST_GB);
    }
    read_from(f, T0 - HOUR_MS, T0 + 1);
    is(MESSAGES, 51);
    is(CONNECTION_MINUTES, 7.5);
    is(WRITES, 9);
    is(READS, 1.5);
    is(LOGS, 3);
    assert_true(asked.nobody.of[COST_READS] == 12 && asked.nobody.of[COST_MESSAGES] == 0);
    read_from(f, T0 - 10 * MINUTE_MS, T0); /* the end is exclusive */
    is(MESSAGES, 17);
    read_from(f, T0 + MINUTE_MS, T0 + HOUR_MS);
    is(MESSAGES, 0);
    close_it(f);
}

/* A millisecond for each run, at least; times the memory. */
static void test_functions(void **state)
{
    struct fixture *f = open_at(T0);
    (void)state;
    for (int i = 0; i < 4; i++) {
        put(f, "AWS/Lambda", "Invocations", "FunctionName", "ours", T0, 1);
        put(f, "AWS/Lambda", "Duration", "FunctionName", "ours", T0, 0.01);
    }
    read_from(f, T0 - HOUR_MS, T0 + 1);
    is(INVOCATIONS, 4);
    is(GB_SECONDS, 0.004 / 2);
    put(f, "AWS/Lambda", "Duration", "FunctionName", "ours", T0, 10000);
    read_from(f, T0 - HOUR_MS, T0 + 1);
    is(GB_SECONDS, 10.00004 / 2);
    close_it(f);
}

/* The mean, for as long as it was told: two GB for half of a month are one GB-month, however often they were looked at. */
static void test_levels(void **state)
{
    struct fixture *f = open_at(T0);
    (void)state;
    for (int day = 0; day < 10; day++)
        put(f, "AWS/DynamoDB", "TableSizeBytes", "TableName", "ours", T0 - day * DAY_MS, day % 2 ? COST_GB : 3 * COST_GB);
    read_from(f, T0 - 10 * DAY_MS, T0 + 1);
    double months = (9 * (double)DAY_MS + 1) / (double)COST_MONTH_MS; /* until `to` */
    is(STORAGE, 2 * months);
    close_it(f);
}

/* Old figures are kept by the hour: a long period finds old and new ones, each once. */
static void test_old_and_new(void **state)
{
    struct fixture *f = open_at(T0);
    (void)state;
    put(f, "Weir", "ConnectionMinutes", "ApiId", "ours", T0, 1);
    for (int age = 0; age < 4; age++) {
        static const int64_t ages[] = {0, 20, 70, 300}; /* days */
        clock_freeze(T0 + ages[age] * DAY_MS + HOUR_MS);
        read_from(f, T0 - DAY_MS, clock_wall_ms());
        is(CONNECTION_MINUTES, 1);
    }
    put(f, "Weir", "ConnectionMinutes", "ApiId", "ours", clock_wall_ms(), 2);
    read_from(f, T0 - DAY_MS, clock_wall_ms() + 1);
    is(CONNECTION_MINUTES, 3);
    close_it(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sums), cmocka_unit_test(test_functions), cmocka_unit_test(test_levels), cmocka_unit_test(test_old_and_new)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
