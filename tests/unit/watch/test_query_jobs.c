/* Queries that run on their own, over a real store: what comes out, the bound on those that are active, stopping, groups that go away, and an end in the middle of it all. */
#include "tick/fixture.h"

#include "base/clock.h"
#include "watch/query_jobs.h"
#include "watch/seal.h"
#include <time.h>

#define T0 INT64_C(1763683200000)
#define GROUP TEXT("/aws/lambda/riddle-rush")
#define EVENTS 3000

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

static int on_deferred(void *context, struct tick *tick, struct tick_call *call, struct text name, struct text payload)
{
    (void)context;
    (void)call;
    return watch_log_deferred(tick, name, payload);
}

/* Lines that a pattern of nested repetitions never gets through. */
static int body_put(struct tick *tick, struct test_call *call)
{
    struct watch_log_event *event = arena_array(call->call.arena, EVENTS, sizeof(*event));
    for (size_t i = 0; i < EVENTS; i++) {
        event[i] = (struct watch_log_event){.place = {.time_ms = T0 - (int64_t)i * 1000}};
        event[i].message = arena_format(call->call.arena, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa {\"n\":%zu}", i);
    }
    struct watch_log_put put = {.group = GROUP, .stream = TEXT("s"), .event = event, .count = EVENTS, .flags = WATCH_LOG_CREATE};
    return watch_log_put(tick, call->call.arena, &put);
}

static int body_delete(struct tick *tick, struct test_call *call)
{
    struct watch_log_group group;
    int code = watch_log_group_get(tick_view(tick), call->call.arena, GROUP, &group);
    return code ? code : watch_log_group_delete(tick, call->call.arena, &group);
}

static struct fixture *open_logs(struct watch_queries **queries)
{
    struct err err;
    struct fixture *f = fixture_new();
    clock_freeze(T0);
    f->config.on_deferred = on_deferred;
    assert_int_equal(watch_house_create((struct watch_house **)&f->extra, 0), 0);
    watch_house_hooks(f->extra, &f->config);
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    assert_int_equal(run(f, body_put), 0);
    assert_int_equal(watch_queries_create(queries, f->store, TEXT("123456789012"), &err), 0);
    return f;
}

static void close_logs(struct fixture *f)
{
    struct watch_house *house = f->extra;
    fixture_close(f);
    watch_house_destroy(house);
}

static int begin(struct watch_queries *queries, const char *text, const char *id)
{
    struct watch_query_error error;
    struct text group = GROUP;
    struct watch_query_ask ask = {.text = text_of(text), .group = &group, .groups = 1, .from_ms = 0, .to_ms = T0 + 1};
    assert_int_equal(watch_query_compile(ask.text, 0, &ask.query, &error), 0);
    int code = watch_queries_start(queries, &ask, id);
    if (code)
        watch_query_destroy(ask.query);
    return code;
}

struct copy {
    enum watch_query_status status;
    struct watch_query_totals totals;
    char rows[1000];
    size_t seen;
};

static int on_seen(void *context, const struct watch_query_seen *seen)
{
    struct copy *copy = context;
    copy->status = seen->status;
    copy->totals = seen->totals;
    size_t len = seen->rows.len < sizeof(copy->rows) - 1 ? seen->rows.len : sizeof(copy->rows) - 1;
    if (len)
        memcpy(copy->rows, seen->rows.data, len);
    copy->rows[len] = 0;
    copy->seen++;
    return 0;
}

static struct copy wait_for(struct watch_queries *queries, const char *id)
{
    struct copy copy = {.seen = 0};
    struct timespec pause = {.tv_nsec = 2000000};
    for (int i = 0; i < 30000; i++) {
        assert_int_equal(watch_queries_look(queries, text_of(id), on_seen, &copy), 0);
        if (copy.status != WATCH_QUERY_SCHEDULED && copy.status != WATCH_QUERY_RUNNING)
            return copy;
        nanosleep(&pause, NULL); /* until it has ended */
    }
    fail_msg("the query does not end");
    return copy;
}

static void test_results(void **state)
{
    (void)state;
    struct watch_queries *queries;
    struct fixture *f = open_logs(&queries);
    assert_int_equal(begin(queries, "stats count(*) as c, sum(n) as s, min(@timestamp) as t", "1"), 0);
    struct copy copy = wait_for(queries, "1");
    assert_int_equal(copy.status, WATCH_QUERY_COMPLETE);
    assert_string_equal(copy.rows, "[[{\"field\":\"c\",\"value\":\"3000\"},{\"field\":\"s\",\"value\":\"4498500\"},{\"field\":\"t\",\"value\":\"2025-11-20 23:10:01.000\"}]]");
    assert_int_equal(copy.totals.scanned, EVENTS);
    assert_int_equal(copy.totals.matched, EVENTS);
    assert_null(copy.totals.partial);
    assert_int_equal(begin(queries, "filter n = 7 | fields n, @log", "2"), 0);
    copy = wait_for(queries, "2");
    assert_non_null(strstr(copy.rows, "{\"field\":\"@log\",\"value\":\"123456789012:/aws/lambda/riddle-rush\"}"));
    assert_int_equal(watch_queries_look(queries, TEXT("3"), on_seen, &copy), ERR_NOT_FOUND);
    assert_int_equal(watch_queries_stop(queries, TEXT("3")), ERR_NOT_FOUND);
    assert_int_equal(watch_queries_stop(queries, TEXT("2")), ERR_CONDITION);
    copy.seen = 0;
    assert_int_equal(watch_queries_each(queries, on_seen, &copy), 0);
    assert_int_equal(copy.seen, 2);
    assert_int_equal(run(f, body_delete), 0);
    assert_int_equal(begin(queries, "stats count(*)", "4"), 0); /* the group is gone */
    copy = wait_for(queries, "4");
    assert_int_equal(copy.status, WATCH_QUERY_COMPLETE);
    assert_string_equal(copy.rows, "[]");
    watch_queries_destroy(queries);
    close_logs(f);
}

#define SLOW "filter @message like /^(a+)+$/ or @message like /^(a*)*$/ | stats count(*)"

static void test_active_and_stop(void **state)
{
    (void)state;
    struct watch_queries *queries;
    struct fixture *f = open_logs(&queries);
    char id[WATCH_QUERY_ID_SIZE] = {0};
    for (int i = 0; i < WATCH_QUERIES_ACTIVE_MAX; i++) {
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(begin(queries, SLOW, id), 0);
    }
    assert_int_equal(begin(queries, SLOW, "one too many"), ERR_FULL);
    for (int i = 0; i < WATCH_QUERIES_ACTIVE_MAX; i++) {
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(watch_queries_stop(queries, text_of(id)), 0);
        assert_int_equal(watch_queries_stop(queries, text_of(id)), ERR_CONDITION);
    }
    for (int i = 0; i < WATCH_QUERIES_ACTIVE_MAX; i++) {
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(wait_for(queries, id).status, WATCH_QUERY_CANCELLED);
    }
    assert_int_equal(begin(queries, "stats count(*) as c", "after"), 0);
    assert_string_equal(wait_for(queries, "after").rows, "[[{\"field\":\"c\",\"value\":\"3000\"}]]");
    watch_queries_destroy(queries);
    close_logs(f);
}

/* The oldest of those that have ended are forgotten. */
static void test_kept(void **state)
{
    (void)state;
    struct watch_queries *queries;
    struct fixture *f = open_logs(&queries);
    char id[WATCH_QUERY_ID_SIZE] = {0};
    struct copy copy = {.seen = 0};
    for (int i = 0; i <= WATCH_QUERIES_KEPT_MAX; i++) {
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(begin(queries, "fields n | limit 1", id), 0);
        if (i % 20 == 19)
            wait_for(queries, id);
    }
    wait_for(queries, id);
    assert_int_equal(watch_queries_look(queries, TEXT("0"), on_seen, &copy), ERR_NOT_FOUND);
    copy.seen = 0;
    assert_int_equal(watch_queries_each(queries, on_seen, &copy), 0);
    assert_int_equal(copy.seen, WATCH_QUERIES_KEPT_MAX);
    watch_queries_destroy(queries);
    close_logs(f);
}

/* The server ends while queries run: it does not wait for them. */
static void test_end(void **state)
{
    (void)state;
    struct watch_queries *queries;
    struct fixture *f = open_logs(&queries);
    assert_int_equal(begin(queries, SLOW, "a"), 0);
    assert_int_equal(begin(queries, SLOW, "b"), 0);
    watch_queries_destroy(queries);
    close_logs(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results), cmocka_unit_test(test_active_and_stop), cmocka_unit_test(test_kept), cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
