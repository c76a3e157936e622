/*
 * Lines of logs over a whole server: which groups they are in, what they say, which of them go with their call and which are gathered; what is dropped, what is kept back; and
 * correlation ids on their way through deferred calls. LG-1, LG-8, LG-9.
 */
#include "gateway/house.h"

#include "gateway/lines.h"
#include "watch/log.h"

static struct house house;
static atomic_int later_ran;

static struct weir_table things = {.name = "things-{env}", .hash = "id", .hash_type = WEIR_S};
static struct weir_table *tables[] = {&things};

static void on_say(struct weir_call *call)
{
    struct weir_json *fields = weir_json(call);
    weir_object(fields);
    weir_member(fields, "word", weir_in_text(call, "word", 1, 100));
    weir_member(fields, "level", WEIR_STR("mine"));     /* reserved */
    weir_member(fields, "requestId", WEIR_STR("mine")); /* reserved */
    weir_member(fields, "userId", WEIR_STR("said"));
    weir_name(fields, "deep");
    weir_object(fields);
    weir_member(fields, "level", WEIR_STR("}\"]"));
    weir_end(fields);
    weir_end(fields);
    weir_log_event(call, WEIR_INFO, "said \"it\"\n", fields);
    weir_log(call, "twice");
    if (weir_has(call, "fail"))
        weir_fail(call, "NO", "fail", "it is not wanted");
    if (weir_has(call, "break"))
        weir_fail(call, "INTERNAL", NULL, "it broke");
    weir_ack(call);
}

static void on_later(struct weir_call *call)
{
    weir_later(call, 1000, "@remind", NULL);
    weir_log(call, "deferred");
    weir_ack(call);
}

static void on_remind(struct weir_call *call)
{
    assert_true(weir_text_is(weir_body(call), "null"));
    weir_log(call, "reminded");
    atomic_fetch_add(&later_ran, 1);
}

static void on_glance(struct weir_call *call)
{
    weir_log(call, "glanced");
    weir_ack(call);
}

static void on_much(struct weir_call *call)
{
    for (int i = 0; i < GW_LINES_PER_CALL + 10; i++)
        weir_log(call, "line %d", i);
    weir_ack(call);
}

static void on_long(struct weir_call *call)
{
    static char text[GW_LINE_FIELDS_MAX + 100];
    memset(text, 'x', sizeof(text));
    struct weir_json *fields = weir_json(call);
    weir_object(fields);
    weir_member(fields, "text", (struct weir_text){text, sizeof(text)});
    weir_end(fields);
    text[9000] = 0;
    weir_log_event(call, WEIR_INFO, text, fields);
    weir_ack(call);
}

static struct gw_route_config routes[] = {
    {.key = {"say", 3}, .handler = on_say, .function = {"speak-{env}", 11}},
    {.key = {"later", 5}, .handler = on_later},
    {.key = {"@remind", 7}, .handler = on_remind},
    {.key = {"glance", 6}, .handler = on_glance, .route_class = WEIR_READ},
    {.key = {"much", 4}, .handler = on_much},
    {.key = {"long", 4}, .handler = on_long},
    {.key = {"GET /a/{id}", 11}, .handler = on_glance, .route_class = WEIR_PURE},
};

/* ---- reading ---- */

struct found {
    int count;
    char text[256][2048];
};
static struct found found;

static int on_event(void *context, const struct watch_log_event *event)
{
    struct found *f = context;
    if (f->count < 256)
        snprintf(f->text[f->count], sizeof(f->text[0]), "%.*s", TEXT_FMT(event->message));
    f->count++;
    return 0;
}

/* The events of a group in their order; how many. */
static int events_of(const char *name)
{
    struct arena arena;
    struct watch_log_group group;
    struct store_view view = {.store = house.store, .snapshot = store_snapshot_acquire(house.store, STORE_READERS_MAX - 1), .now_s = clock_wall_ms() / 1000};
    arena_init(&arena, 4096, 1 << 20);
    found.count = 0;
    int code = watch_log_group_get(&view, &arena, text_of(name), &group);
    assert_true(code == 0 || code == ERR_NOT_FOUND);
    if (!code) {
        struct watch_log_scan scan = {.group = &group, .to_ms = INT64_MAX, .now_ms = clock_wall_ms(), .order = WATCH_LOG_FORWARD, .events_max = 10000, .bytes_max = 16 << 20,
            .visit = on_event, .context = &found};
        assert_int_equal(group.retention_days, 7);
        assert_int_equal(watch_log_scan(&view, &scan), 0);
    }
    arena_fini(&arena);
    store_snapshot_release(house.store, STORE_READERS_MAX - 1);
    return found.count;
}

/* Lines that are gathered: as soon as a second has passed. */
static void until_events(const char *group, int count)
{
    HOUSE_UNTIL(&house, events_of(group) >= count);
    assert_int_equal(events_of(group), count);
}

static bool has(int at, const char *part)
{
    return strstr(found.text[at], part) != NULL;
}

static void ask(int fd, const char *message, char *answer, size_t size)
{
    size_t len = 0;
    ws_say(fd, message);
    assert_int_equal(ws_read(fd, answer, size, &len), 0x81);
}

static void start_house(void)
{
    house_init(&house, routes, sizeof(routes) / sizeof(routes[0]), tables, 1);
    house.api.auth = WEIR_CLAIMED;
    house_start(&house);
}

static void stop_house(void)
{
    house_stop(&house);
    house_fini(&house);
}

/* ---- tests ---- */

static void test_line(void **state)
{
    char answer[2048];
    (void)state;
    start_house();
    int fd = house_socket_with(&house, "/app?userId=claimed", "x-correlation-id: trace-1\r\n", NULL);
    ask(fd, "{\"action\":\"say\",\"word\":\"tea\\u0001\"}", answer, sizeof(answer));
    assert_non_null(strstr(answer, "error"));
    ask(fd, "{\"action\":\"say\",\"word\":\"tea \\\"} ,\"}", answer, sizeof(answer));
    assert_non_null(strstr(answer, "ack"));
    assert_int_equal(events_of("/aws/lambda/speak-dev"), 2); /* at once: they came with their call */
    assert_int_equal(events_of("/weir/app/say"), 2);
    assert_true(has(0, "{\"timestamp\":\"2"));
    assert_true(has(0, "\"level\":\"INFO\",\"message\":\"said \\\"it\\\"\\n\",\"word\":\"tea \\\"} ,\",\"deep\":{\"level\":\"}\\\"]\"},\"api\":\"app\",\"stage\":\"prod\",\"route\":\"say\",\"requestId\":\""));
    assert_true(has(0, "\"correlationId\":\"trace-1\",\"userId\":\"said\"}"));
    assert_true(has(0, "\"connectionId\":\""));
    assert_false(has(0, "mine"));
    assert_true(has(1, "\"message\":\"twice\""));
    assert_true(has(1, "\"userId\":\"claimed\"}"));
    ask(fd, "{\"action\":\"say\",\"word\":\"x\",\"correlationId\":\"own one\"}", answer, sizeof(answer));
    assert_int_equal(events_of("/weir/app/say"), 4);
    assert_true(has(3, "\"correlationId\":\"own one\""));
    ask(fd, "{\"action\":\"say\",\"word\":\"x\",\"correlationId\":\"a\\r\\nb: c\"}", answer, sizeof(answer));
    assert_int_equal(events_of("/weir/app/say"), 6);
    assert_true(has(5, "\"correlationId\":\"trace-1\""));
    ws_shut(fd);
    stop_house();
}

static void test_undone_and_failures(void **state)
{
    char answer[2048];
    (void)state;
    start_house();
    int fd = house_socket(&house);
    ask(fd, "{\"action\":\"say\",\"word\":\"x\",\"fail\":1,\"correlationId\":\"c-7\"}", answer, sizeof(answer));
    assert_non_null(strstr(answer, "\"correlationId\":\"c-7\""));
    ask(fd, "{\"action\":\"say\",\"word\":\"x\",\"break\":1}", answer, sizeof(answer));
    assert_null(strstr(answer, "correlationId"));
    until_events("/weir/app/say", 2); /* about the failures, and nothing of what the calls said */
    assert_true(has(0, "\"level\":\"WARN\",\"message\":\"it is not wanted\",\"code\":\"NO\",\"field\":\"fail\""));
    assert_true(has(0, "\"correlationId\":\"c-7\""));
    assert_true(has(1, "\"level\":\"ERROR\",\"message\":\"it broke\",\"code\":\"INTERNAL\""));
    assert_int_equal(events_of("/aws/lambda/speak-dev"), 2);
    ask(fd, "{\"action\":\"nowhere\"}", answer, sizeof(answer));
    until_events("/weir/app/default", 1);
    assert_true(has(0, "\"level\":\"WARN\",\"message\":\"the message selects no route\",\"code\":\"NO_ROUTE\",\"routeKey\":\"nowhere\""));
    for (int i = 0; i < 200; i++) /* at once, on a slow machine, too: so many of them in one second */
        ws_say(fd, "{\"action\":\"say\"}");
    for (int i = 0; i < 200; i++)
        ws_read(fd, answer, sizeof(answer), NULL);
    house_advance(&house, 3000);
    ask(fd, "{\"action\":\"say\"}", answer, sizeof(answer));
    HOUSE_UNTIL(&house, events_of("/weir/app/say") && has(found.count - 1, "keptBack"));
    assert_true(has(found.count - 1, "\"keptBack\":"));
    assert_true(found.count < 2 + 200 / 2);
    ws_shut(fd);
    stop_house();
}

static void test_gathered(void **state)
{
    char answer[2048];
    (void)state;
    start_house();
    int fd = house_socket_with(&house, "/app/prod?userId=ann&correlationId=q%2d1", "User-Agent: unit\r\nOrigin: http://localhost:1\r\n", NULL);
    ask(fd, "{\"action\":\"glance\"}", answer, sizeof(answer));
    uint64_t before;
    int asked = 0;
    do { /* what was gathered before may be put in between, but not each time */
        before = tick_durable(house.tick);
        assert_int_equal(house_request(&house, "GET", "/app/a/7", "x-correlation-id: rest-1\r\n", "", answer, sizeof(answer)), 200);
        asked++;
    } while (tick_durable(house.tick) != before && asked < 50);
    assert_int_equal(tick_durable(house.tick), before); /* no tick of their own */
    until_events("/weir/app/glance", 1);
    assert_true(has(0, "\"message\":\"glanced\"") && has(0, "\"correlationId\":\"q-1\""));
    until_events("/weir/app/GET_/a/_id_", asked);
    assert_true(has(0, "\"correlationId\":\"rest-1\""));
    assert_false(has(0, "connectionId"));
    until_events("/weir/app/connect", 1);
    assert_true(has(0, "\"message\":\"Connected\",\"ip\":\"127.0.0.1\",\"userAgent\":\"unit\",\"origin\":\"http://localhost:1\",\"api\":\"app\",\"stage\":\"prod\",\"route\":\"$connect\""));
    assert_true(has(0, "\"userId\":\"ann\""));
    ws_shut(fd);
    until_events("/weir/app/disconnect", 1);
    assert_true(has(0, "\"message\":\"Disconnected\",\"code\":1"));
    assert_true(has(0, "\"connectionDuration\":"));
    fd = house_socket(&house); /* its line is still gathered when the server stops */
    ws_shut(fd);
    house_stop(&house);
    house_start(&house);
    assert_int_equal(events_of("/weir/app/connect"), 2);
    stop_house();
}

static void test_deferred(void **state)
{
    char answer[2048];
    (void)state;
    start_house();
    int fd = house_socket(&house);
    atomic_store(&later_ran, 0);
    ask(fd, "{\"action\":\"later\",\"correlationId\":\"chain\"}", answer, sizeof(answer));
    ask(fd, "{\"action\":\"later\"}", answer, sizeof(answer));
    ws_shut(fd);
    house_stop(&house); /* the id is in the row */
    house_start(&house);
    HOUSE_UNTIL(&house, atomic_load(&later_ran) >= 2);
    until_events("/weir/app/_remind", 2);
    assert_true(has(0, "\"message\":\"reminded\"") && has(0, "\"correlationId\":\"chain\""));
    char id[64];
    const char *at = strstr(found.text[1], "\"correlationId\":\"");
    assert_non_null(at);
    snprintf(id, sizeof(id), "\"requestId\":\"%.16s\"", at + 17); /* the request id of the first call */
    assert_int_equal(events_of("/weir/app/later"), 2);
    assert_true(has(1, id));
    stop_house();
}

static void test_bounds(void **state)
{
    char answer[2048];
    (void)state;
    start_house();
    int fd = house_socket(&house);
    int64_t dropped = counter_read(COUNTER_logs_lines_dropped);
    ask(fd, "{\"action\":\"much\"}", answer, sizeof(answer));
    assert_non_null(strstr(answer, "ack"));
    assert_int_equal(counter_read(COUNTER_logs_lines_dropped) - dropped, 10);
    assert_int_equal(events_of("/weir/app/much"), GW_LINES_PER_CALL);
    ask(fd, "{\"action\":\"long\"}", answer, sizeof(answer));
    assert_non_null(strstr(answer, "ack"));
    assert_int_equal(events_of("/weir/app/long"), 1);
    assert_int_equal(strspn(strstr(found.text[0], "message\":\"") + 10, "x"), 2048 - 1 - (strstr(found.text[0], "message\":\"") + 10 - found.text[0])); /* cut by this test alone */
    ws_shut(fd);
    stop_house();
}

static void test_off(void **state)
{
    char answer[2048];
    (void)state;
    house_init(&house, routes, sizeof(routes) / sizeof(routes[0]), tables, 1);
    house.api.logs_off = true;
    house_start(&house);
    int fd = house_socket(&house);
    ask(fd, "{\"action\":\"say\",\"word\":\"x\"}", answer, sizeof(answer));
    ask(fd, "{\"action\":\"say\"}", answer, sizeof(answer));
    ws_shut(fd);
    house_stop(&house);
    house_start(&house);
    assert_int_equal(events_of("/weir/app/say") + events_of("/weir/app/connect"), 0);
    stop_house();
}

static void test_envelope(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, 4096, 1 << 20);
    struct text wrapped = gw_correlation_wrap(&arena, TEXT("id"), TEXT("{\"a\":1}"));
    assert_true(text_is(gw_correlation_unwrap(&wrapped), "id"));
    assert_true(text_is(wrapped, "{\"a\":1}"));
    static const char *const old[] = {"null", "{}", "", "\"x\"", "\x01", "\x01\x05" "ab"};
    for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++) { /* of an earlier version, or broken: left alone */
        struct text payload = text_of(old[i]);
        assert_int_equal(gw_correlation_unwrap(&payload).len, 0);
        assert_true(text_is(payload, old[i]));
    }
    assert_false(gw_correlation_clean(TEXT("a\nb")));
    assert_false(gw_correlation_clean(TEXT(" a")));
    assert_false(gw_correlation_clean(TEXT("\xc3\xa4")));
    assert_true(gw_correlation_clean(TEXT("Root=1-67891233-abcdef012345678912345678")));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_envelope), cmocka_unit_test(test_line), cmocka_unit_test(test_undone_and_failures), cmocka_unit_test(test_gathered),
        cmocka_unit_test(test_deferred), cmocka_unit_test(test_bounds), cmocka_unit_test(test_off)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
