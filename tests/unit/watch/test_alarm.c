/*
 * Alarms as items, in a tick over real tables: what a put leaves, the bounds of alarms and of their history, transitions with their actions, composite alarms and suppressors in the same
 * call, a call that fails leaves nothing of it; and a metric alarm judged on a snapshot of what was put.
 */
#include "tick/fixture.h"

#include "watch/alarm.h"
#include "watch/seal.h"

#define T0 INT64_C(1800000000000) /* a whole hour */

static struct {
    struct watch_alarm_house house;
    int acted;                /* actions carried out */
    char last[256];           /* the last one's text */
    struct {
        char name[64], config[1024];
        bool composite;
    } put;
    struct watch_alarm_change change;
    const char *name;
    size_t repeat;
    struct watch_judgement judgement;
    char reason[2048];
    enum watch_alarm_state state;
    char suppressed[32];
    size_t events;
    char summary[256];
    struct err err;
    int code;                 /* what the call answers at its end */
    double value[8];
} asked;

static int act(void *context, struct tick *tick, struct arena *arena, struct watch_alarm_act *what)
{
    (void)context;
    (void)tick;
    (void)arena;
    asked.acted++;
    snprintf(asked.last, sizeof(asked.last), "%.*s", TEXT_FMT(what->action));
    assert_true(what->payload.len > 100);
    what->outcome = WATCH_ALARM_DONE;
    return 0;
}

static int run(struct fixture *f, int (*body)(struct tick *, struct test_call *))
{
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    call.effects = 0;
    call.body = body;
    arena_fini(&call.arena);
    arena_init(&call.arena, 4096, 64 << 20);
    memset(&asked.err, 0, sizeof(asked.err));
    int code = perform(f, &call);
    call_fini(&call);
    return code;
}

static int do_define(struct tick *tick, struct test_call *call)
{
    (void)call;
    return watch_alarm_define(tick, &asked.err);
}

static struct fixture *open_it(void)
{
    clock_freeze(T0);
    struct fixture *f = fixture_new();
    assert_int_equal(watch_house_create((struct watch_house **)&f->extra, 0), 0);
    watch_house_hooks(f->extra, &f->config);
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    memset(&asked, 0, sizeof(asked));
    asked.house = (struct watch_alarm_house){.region = TEXT("us-east-1"), .account = TEXT("123456789012"), .act = act};
    assert_int_equal(run(f, do_define), 0);
    return f;
}

static void close_it(struct fixture *f)
{
    struct watch_house *house = f->extra;
    fixture_close(f);
    watch_house_destroy(house);
    clock_freeze(-1);
}

static int do_put(struct tick *tick, struct test_call *call)
{
    const struct json *json;
    struct attr *config;
    struct watch_alarm_spec spec = {.name = text_of(asked.put.name), .composite = asked.put.composite, .enabled = true};
    int code = json_parse(call->call.arena, text_of(asked.put.config), 0, &json, &asked.err);
    if (!code)
        code = item_from_plain(call->call.arena, json, &config, &asked.err);
    spec.config = config;
    if (!code)
        code = watch_alarm_put(&asked.house, tick, call->call.arena, &spec, &asked.err);
    return code ? code : asked.code;
}

static int put(struct fixture *f, const char *name, bool composite, const char *config)
{
    snprintf(asked.put.name, sizeof(asked.put.name), "%s", name);
    snprintf(asked.put.config, sizeof(asked.put.config), "%s", config);
    asked.put.composite = composite;
    return run(f, do_put);
}

#define METRIC                                                                                                                                                             \
    "{\"Namespace\":\"ns\",\"MetricName\":\"m\",\"Dimensions\":[],\"Statistic\":\"Sum\",\"Period\":60,\"EvaluationPeriods\":2,\"DatapointsToAlarm\":1,\"Threshold\":10,"            \
    "\"ComparisonOperator\":\"GreaterThanThreshold\",\"AlarmActions\":[\"x:1\",\"x:2\"],\"OKActions\":[\"x:ok\"],\"InsufficientDataActions\":[]}"

static int do_set(struct tick *tick, struct test_call *call)
{
    int code = 0;
    for (size_t i = 0; i < (asked.repeat ? asked.repeat : 1) && !code; i++) {
        code = watch_alarm_set_state(&asked.house, tick, call->call.arena, &asked.change);
        if (asked.repeat)
            asked.change.state = asked.change.state == WATCH_ALARM_OK ? WATCH_ALARM_ALARM : WATCH_ALARM_OK;
    }
    return code ? code : asked.code;
}

static int set(struct fixture *f, const char *name, enum watch_alarm_state state)
{
    asked.change = (struct watch_alarm_change){.name = text_of(name), .state = state, .reason = TEXT("a test"), .reason_data = TEXT("")};
    return run(f, do_set);
}

static int do_get(struct tick *tick, struct test_call *call)
{
    struct watch_alarm alarm;
    int code = watch_alarm_get(tick_view(tick), call->call.arena, text_of(asked.name), &alarm);
    if (code)
        return code;
    asked.state = alarm.state;
    snprintf(asked.reason, sizeof(asked.reason), "%.*s", TEXT_FMT(alarm.reason));
    snprintf(asked.suppressed, sizeof(asked.suppressed), "%.*s", TEXT_FMT(alarm.suppressed));
    return 0;
}

static enum watch_alarm_state state_of(struct fixture *f, const char *name)
{
    asked.name = name;
    assert_int_equal(run(f, do_get), 0);
    return asked.state;
}

static int on_event(void *context, struct text id, const struct watch_alarm_event *event)
{
    (void)context;
    (void)id;
    if (!asked.events++)
        snprintf(asked.summary, sizeof(asked.summary), "%.*s", TEXT_FMT(event->summary));
    return 0;
}

static int do_events(struct tick *tick, struct test_call *call)
{
    (void)call;
    asked.events = 0;
    return watch_alarm_event_each(tick_view(tick), text_of(asked.name), TEXT_NONE, false, on_event, NULL);
}

static size_t events_of(struct fixture *f, const char *name)
{
    asked.name = name;
    assert_int_equal(run(f, do_events), 0);
    return asked.events;
}

/* ---- transitions ---- */

static void test_transitions(void **state)
{
    struct fixture *f = open_it();
    (void)state;
    assert_int_equal(put(f, "a", false, METRIC), 0);
    assert_int_equal(state_of(f, "a"), WATCH_ALARM_INSUFFICIENT);
    assert_string_equal(asked.reason, "Unchecked: Initial alarm creation");
    assert_int_equal(set(f, "a", WATCH_ALARM_ALARM), 0);
    assert_int_equal(asked.acted, 2);
    assert_string_equal(asked.last, "x:2");
    assert_int_equal(set(f, "a", WATCH_ALARM_ALARM), 0); /* no transition */
    assert_int_equal(asked.acted, 2);
    assert_int_equal(events_of(f, "a"), 4); /* created, in ALARM, two actions */
    assert_string_equal(asked.summary, "Successfully executed action x:2");
    assert_int_equal(put(f, "a", false, METRIC), 0); /* the state stays */
    assert_int_equal(state_of(f, "a"), WATCH_ALARM_ALARM);
    /* A call that fails has not been: neither the state nor the events. */
    asked.code = ERR_CONDITION;
    assert_int_equal(set(f, "a", WATCH_ALARM_OK), ERR_CONDITION);
    asked.code = 0;
    assert_int_equal(state_of(f, "a"), WATCH_ALARM_ALARM);
    assert_int_equal(events_of(f, "a"), 5);
    assert_int_equal(set(f, "nobody", WATCH_ALARM_OK), ERR_NOT_FOUND);
    close_it(f);
}

static void test_composites(void **state)
{
    struct fixture *f = open_it();
    (void)state;
    put(f, "a", false, METRIC);
    put(f, "b", false, METRIC);
    assert_int_equal(put(f, "c", true, "{\"AlarmRule\":\"ALARM(a) AND OK(b)\",\"AlarmActions\":[\"x:c\"]}"), 0);
    assert_int_equal(put(f, "d", true, "{\"AlarmRule\":\"NOT ALARM(c)\"}"), 0);
    assert_int_equal(state_of(f, "d"), WATCH_ALARM_ALARM);
    set(f, "b", WATCH_ALARM_OK);
    set(f, "a", WATCH_ALARM_ALARM);
    assert_int_equal(state_of(f, "c"), WATCH_ALARM_ALARM);
    assert_string_equal(asked.last, "x:c");
    assert_int_equal(state_of(f, "d"), WATCH_ALARM_OK);
    assert_int_equal(put(f, "c", true, "{\"AlarmRule\":\"ALARM(d)\"}"), ERR_INVALID); /* d names c */
    assert_int_equal(put(f, "e", true, "{\"AlarmRule\":\"ALARM(nobody)\"}"), ERR_NOT_FOUND);
    assert_int_equal(put(f, "e", true, "{\"AlarmRule\":\"ALARM(\"}"), ERR_INVALID);
    assert_int_equal(state_of(f, "c"), WATCH_ALARM_ALARM);
    close_it(f);
}

static int do_release(struct tick *tick, struct test_call *call)
{
    return watch_alarm_release(&asked.house, tick, call->call.arena, TEXT("c"));
}

static void test_suppressors(void **state)
{
    struct fixture *f = open_it();
    (void)state;
    put(f, "a", false, METRIC);
    put(f, "q", false, METRIC);
    put(f, "c", true, "{\"AlarmRule\":\"ALARM(a)\",\"AlarmActions\":[\"x:c\"],\"ActionsSuppressor\":\"q\",\"ActionsSuppressorWaitPeriod\":60,\"ActionsSuppressorExtensionPeriod\":30}");
    set(f, "a", WATCH_ALARM_ALARM);
    state_of(f, "c");
    assert_string_equal(asked.suppressed, "WaitPeriod");
    assert_string_equal(asked.last, "x:2"); /* a's own */
    assert_int_equal(run(f, do_release), 0); /* too early */
    state_of(f, "c");
    assert_string_equal(asked.suppressed, "WaitPeriod");
    set(f, "q", WATCH_ALARM_ALARM);
    state_of(f, "c");
    assert_string_equal(asked.suppressed, "Alarm");
    set(f, "q", WATCH_ALARM_OK);
    state_of(f, "c");
    assert_string_equal(asked.suppressed, "ExtensionPeriod");
    clock_freeze(T0 + 31000);
    tick_wake(f->tick);
    assert_int_equal(run(f, do_release), 0);
    state_of(f, "c");
    assert_string_equal(asked.suppressed, "");
    assert_string_equal(asked.last, "x:c");
    close_it(f);
}

/* ---- bounds ---- */

static void test_history_bound(void **state)
{
    struct fixture *f = open_it();
    (void)state;
    put(f, "a", false, "{\"Namespace\":\"ns\",\"MetricName\":\"m\",\"Statistic\":\"Sum\",\"Period\":60,\"EvaluationPeriods\":1,\"Threshold\":1,\"ComparisonOperator\":\"GreaterThanThreshold\"}");
    put(f, "b", false, METRIC);
    asked.repeat = 100;
    for (int i = 0; i < 6; i++)
        assert_int_equal(set(f, "a", WATCH_ALARM_ALARM), 0);
    asked.repeat = 0;
    assert_int_equal(events_of(f, "a"), WATCH_ALARM_HISTORY_MAX);
    assert_int_equal(events_of(f, "b"), 1);
    close_it(f);
}

static int do_sweep(struct tick *tick, struct test_call *call)
{
    return watch_alarm_event_sweep(tick, call->call.arena, 3);
}

static void test_history_ends(void **state)
{
    struct fixture *f = open_it();
    (void)state;
    put(f, "a", false, METRIC);
    set(f, "a", WATCH_ALARM_OK);
    set(f, "a", WATCH_ALARM_ALARM);
    size_t all = events_of(f, "a");
    clock_freeze(T0 + WATCH_ALARM_HISTORY_MS - 1000);
    tick_wake(f->tick);
    assert_int_equal(run(f, do_sweep), 0);
    assert_int_equal(events_of(f, "a"), all);
    clock_freeze(T0 + WATCH_ALARM_HISTORY_MS + 1000);
    tick_wake(f->tick);
    assert_int_equal(run(f, do_sweep), 0); /* a slice */
    assert_int_equal(events_of(f, "a"), all - 3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(run(f, do_sweep), 0);
    assert_int_equal(events_of(f, "a"), 0);
    close_it(f);
}

static int do_fill(struct tick *tick, struct test_call *call)
{
    int code = 0;
    for (int i = 0; i < 250 && !code; i++) {
        struct arena_mark mark = arena_mark(call->call.arena);
        snprintf(asked.put.name, sizeof(asked.put.name), "n%06zu", asked.repeat++);
        code = do_put(tick, call);
        arena_rewind(call->call.arena, mark);
    }
    return code;
}

static void test_alarm_bound(void **state)
{
    struct fixture *f = open_it();
    (void)state;
    snprintf(asked.put.config, sizeof(asked.put.config), "%s", METRIC);
    asked.put.composite = false;
    for (int i = 0; i < WATCH_ALARMS_MAX / 250; i++)
        assert_int_equal(run(f, do_fill), 0);
    assert_int_equal(put(f, "one too many", false, METRIC), ERR_FULL);
    assert_int_equal(put(f, "n000000", false, METRIC), 0); /* changing one is no new one */
    close_it(f);
}

/* ---- judging ---- */

static int do_point(struct tick *tick, struct test_call *call)
{
    struct watch_point point = {.name = {.space = TEXT("ns"), .name = TEXT("m")}, .time_ms = asked.change.revision, .value = asked.value, .values = 1};
    return watch_metric_put(tick, call->call.arena, &point, &asked.err);
}

static int do_judge(struct tick *tick, struct test_call *call)
{
    struct watch_alarm alarm;
    int code = watch_alarm_get(tick_view(tick), call->call.arena, text_of(asked.name), &alarm);
    if (!code)
        code = watch_alarm_judge(tick_view(tick), call->call.arena, &alarm, clock_wall_ms(), &asked.judgement);
    snprintf(asked.reason, sizeof(asked.reason), "%.*s", TEXT_FMT(asked.judgement.reason));
    return code;
}

static void point(struct fixture *f, int64_t at_ms, double value)
{
    asked.change.revision = at_ms;
    asked.value[0] = value;
    assert_int_equal(run(f, do_point), 0);
}

static void test_judging(void **state)
{
    struct fixture *f = open_it();
    (void)state;
    assert_int_equal(put(f, "a", false, METRIC), 0);
    asked.name = "a";
    point(f, T0, 6);
    point(f, T0 + 1000, 5);
    assert_int_equal(run(f, do_judge), 0); /* its minute is not over */
    assert_int_equal(asked.judgement.state, WATCH_ALARM_INSUFFICIENT);
    clock_freeze(T0 + 125000);
    tick_wake(f->tick);
    assert_int_equal(run(f, do_judge), 0);
    assert_false(asked.judgement.keep);
    assert_int_equal(asked.judgement.state, WATCH_ALARM_ALARM);
    assert_non_null(strstr(asked.reason, "[11.0 (15/01/27 08:00:00)]"));
    point(f, T0 + 61000, 1);
    point(f, T0 + 121000, 1);
    clock_freeze(T0 + 185000); /* the newest two of the evaluation range are fine */
    tick_wake(f->tick);
    assert_int_equal(run(f, do_judge), 0);
    assert_int_equal(asked.judgement.state, WATCH_ALARM_OK);
    /* Metric math over the same points: two sums of a minute, one of them above. */
    assert_int_equal(put(f, "math", false, "{\"EvaluationPeriods\":3,\"DatapointsToAlarm\":1,\"Threshold\":20,\"ComparisonOperator\":\"GreaterThanThreshold\",\"Metrics\":["
                                           "{\"Id\":\"e\",\"Expression\":\"m * 2\"},{\"Id\":\"m\",\"ReturnData\":false,\"MetricStat\":{\"Metric\":{\"Namespace\":\"ns\",\"MetricName\":\"m\"},"
                                           "\"Period\":60,\"Stat\":\"Sum\"}}]}"), 0);
    asked.name = "math";
    assert_int_equal(run(f, do_judge), 0);
    assert_int_equal(asked.judgement.state, WATCH_ALARM_ALARM);
    assert_non_null(strstr(asked.reason, "22.0"));
    /* An expression that leads back to itself has no data. */
    assert_int_equal(put(f, "circle", false, "{\"EvaluationPeriods\":1,\"Threshold\":20,\"ComparisonOperator\":\"GreaterThanThreshold\",\"Metrics\":[{\"Id\":\"e\",\"Expression\":\"f\"},"
                                             "{\"Id\":\"f\",\"ReturnData\":false,\"Expression\":\"e\",\"Period\":60}]}"), 0);
    asked.name = "circle";
    assert_int_equal(run(f, do_judge), 0);
    assert_int_equal(asked.judgement.state, WATCH_ALARM_INSUFFICIENT);
    close_it(f);
}

static void test_names(void **state)
{
    (void)state;
    assert_true(text_is(watch_alarm_of_arn(TEXT("arn:aws:cloudwatch:us-east-1:123456789012:alarm:a:b")), "a:b"));
    assert_true(text_is(watch_alarm_of_arn(TEXT("plain")), "plain"));
    assert_true(text_is(watch_alarm_of_arn(TEXT("arn:aws:sns:us-east-1:1:topic")), "arn:aws:sns:us-east-1:1:topic"));
    assert_true(text_is(watch_alarm_of_arn(TEXT("arn:aws:cloudwatch:r:1:dashboard:d")), "arn:aws:cloudwatch:r:1:dashboard:d"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_transitions), cmocka_unit_test(test_composites), cmocka_unit_test(test_suppressors), cmocka_unit_test(test_history_bound),
        cmocka_unit_test(test_history_ends), cmocka_unit_test(test_alarm_bound), cmocka_unit_test(test_judging), cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
