/*
 * Subscription filters beneath the wire: what matches is a delivery in the commit of the event, in order, cut into bounded pieces, kept over a restart and over a destination that
 * does not take it yet; and what waits is bounded.
 */
#include "tick/fixture.h"

#include "store/key.h"
#include "watch/log_inside.h"
#include "watch/seal.h"

#define T0 INT64_C(1800000000000)
#define GROUP TEXT("/app")
#define STREAM TEXT("s")
#define TAKEN_MAX 4096

static bool held;        /* nobody takes deliveries */
static size_t deliveries, events, bytes;
static char first[TAKEN_MAX]; /* the first characters of the messages that were taken */
static char last_id[WATCH_LOG_ID_TEXT + 1];
static const char *wrong; /* what a delivery was not as it should be: the state thread cannot end a test */

static void expect(bool holds, const char *what)
{
    if (!holds && !wrong)
        wrong = what;
}

static int take(struct tick *tick, struct text payload)
{
    struct watch_log_delivery delivery;
    struct watch_log_event event;
    struct arena arena;
    size_t taken = 0, size = 0;
    char id[WATCH_LOG_ID_TEXT + 1];
    arena_init(&arena, 4096, 16 << 20);
    int code = watch_log_delivery_take(tick, &arena, payload, &delivery);
    if (!code) {
        expect(text_is(delivery.filter, "f") && text_is(delivery.destination, "there") && delivery.by_stream, "the filter");
        expect(text_equal(delivery.group, GROUP) && text_equal(delivery.stream, STREAM), "the names");
        while (!(code = watch_log_delivery_next(&delivery, &event))) {
            expect(events + taken < TAKEN_MAX, "how many there are");
            first[(events + taken++) % TAKEN_MAX] = event.message.data[0];
            size += event.message.len;
            watch_log_id_format(&event.place, id);
            expect(strcmp(id, last_id) > 0, "the order");
            memcpy(last_id, id, sizeof(id));
        }
        expect(code == ERR_NOT_FOUND, "the end");
        expect(taken == 1 || size <= WATCH_LOG_DELIVERY_BYTES, "the size");
        code = 0;
        deliveries++;
        events += taken;
        bytes += size;
    }
    arena_fini(&arena);
    return code;
}

static int on_deferred(void *context, struct tick *tick, struct tick_call *call, struct text name, struct text payload)
{
    (void)context;
    (void)call;
    if (text_is(name, WATCH_LOG_DELIVER))
        return held ? ERR_CONDITION : take(tick, payload);
    return watch_log_deferred(tick, name, payload);
}

static void open_data(struct fixture *f)
{
    assert_int_equal(watch_house_create((struct watch_house **)&f->extra, 0), 0);
    watch_house_hooks(f->extra, &f->config);
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
}

static struct fixture *open_logs(void)
{
    struct fixture *f = fixture_new();
    clock_freeze(T0);
    held = false;
    deliveries = events = bytes = 0;
    wrong = NULL;
    memset(last_id, 0, sizeof(last_id));
    f->config.on_deferred = on_deferred;
    open_data(f);
    return f;
}

static void close_logs(struct fixture *f)
{
    struct watch_house *house = f->extra;
    fixture_close(f);
    watch_house_destroy(house);
    if (wrong)
        fail_msg("a delivery is wrong: %s", wrong);
}

static void restart(struct fixture *f)
{
    struct watch_house *house = f->extra;
    fixture_stop(f);
    watch_house_destroy(house);
    open_data(f);
}

static const struct watch_log_event *putting;
static size_t putting_count;
static const char *pattern;

static int body_put(struct tick *tick, struct test_call *call)
{
    struct watch_log_put put = {.group = GROUP, .stream = STREAM, .event = putting, .count = putting_count, .flags = WATCH_LOG_CREATE};
    return watch_log_put(tick, &call->arena, &put);
}

static int body_filter(struct tick *tick, struct test_call *call)
{
    struct watch_log_group group = {.name = GROUP};
    int code = watch_log_group_get(tick_view(tick), &call->arena, GROUP, &group);
    if (code == ERR_NOT_FOUND)
        code = watch_log_group_create(tick, &call->arena, &group);
    struct text row = arena_format(&call->arena, "{\"filterPattern\":\"%s\",\"destinationArn\":\"there\",\"distribution\":\"ByLogStream\"}", pattern);
    return code ? code : watch_log_subscription_put(tick, &call->arena, &group, TEXT("f"), row);
}

static int do_call(struct fixture *f, int (*body)(struct tick *, struct test_call *))
{
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    call.effects = 0;
    call.body = body;
    int code = perform(f, &call);
    call_fini(&call);
    return code;
}

static int put(struct fixture *f, const struct watch_log_event *event, size_t count)
{
    putting = event;
    putting_count = count;
    return do_call(f, body_put);
}

static void subscribe(struct fixture *f, const char *to)
{
    pattern = to;
    assert_int_equal(do_call(f, body_filter), 0);
}

static char large[3][200 << 10];

static void test_pieces(void **state)
{
    struct fixture *f = open_logs();
    struct watch_log_event event[5];
    (void)state;
    subscribe(f, "?A ?B ?C ?small");
    for (int i = 0; i < 3; i++) {
        memset(large[i], 'x', sizeof(large[i]));
        memcpy(large[i], i == 0 ? "A " : i == 1 ? "B " : "C ", 2);
        event[i] = (struct watch_log_event){.place = {.time_ms = T0 + i}, .message = text_make(large[i], sizeof(large[i]))};
    }
    event[3] = (struct watch_log_event){.place = {.time_ms = T0 + 3}, .message = TEXT("nothing")};
    event[4] = (struct watch_log_event){.place = {.time_ms = T0 + 4}, .message = TEXT("small")};
    assert_int_equal(put(f, event, 5), 0);
    until(f, events == 4);
    assert_memory_equal(first, "ABCs", 4);
    assert_int_equal(deliveries, 3); /* two of them are too much for one */
    assert_int_equal(put(f, &event[3], 1), 0);
    subscribe(f, "nothing");
    clock_freeze(T0 + 1000);
    for (int i = 0; i < 5; i++)
        event[i].place.time_ms += 500;
    assert_int_equal(put(f, event, 5), 0);
    until(f, events == 5);
    assert_int_equal(first[4], 'n');
    close_logs(f);
}

/* Nobody takes them for a while, also not before a restart: none is lost, and they come in order. */
static void test_held(void **state)
{
    struct fixture *f = open_logs();
    (void)state;
    subscribe(f, "");
    held = true;
    for (int i = 0; i < 5; i++) {
        char text[2] = {(char)('a' + i), 0};
        struct watch_log_event event = {.place = {.time_ms = T0 + i}, .message = text_of(text)};
        assert_int_equal(put(f, &event, 1), 0);
    }
    restart(f);
    assert_int_equal(events, 0);
    held = false;
    clock_freeze(T0 + DAY_MS);
    tick_wake(f->tick);
    until(f, events == 5);
    assert_memory_equal(first, "abcde", 5);
    close_logs(f);
}

static char megabyte[WATCH_LOG_MESSAGE_MAX - WATCH_LOG_EVENT_COST];

static void test_bound(void **state)
{
    struct fixture *f = open_logs();
    struct watch_log_event event = {.place = {.time_ms = T0}, .message = text_make(megabyte, sizeof(megabyte))};
    size_t taken = 0;
    int code = 0;
    (void)state;
    memset(megabyte, 'm', sizeof(megabyte));
    subscribe(f, "");
    held = true;
    while (!code && taken < 200) {
        code = put(f, &event, 1);
        taken += !code;
    }
    assert_int_equal(code, ERR_FULL);
    assert_true(taken * sizeof(megabyte) <= WATCH_LOG_DELIVERIES_MAX + 2 * sizeof(megabyte));
    assert_true(taken > 32);
    held = false;
    clock_freeze(T0 + DAY_MS);
    tick_wake(f->tick);
    until(f, events == taken);
    assert_int_equal(put(f, &event, 1), 0);
    close_logs(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces), cmocka_unit_test(test_held), cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
