/*
 * The performance monitor in a whole server: around every route by itself, the monitors of handlers, what is counted when a run is undone, thresholds and their breaches with figure
 * and line, captured members, the bounds, the listing, and declarations that are refused. PM-1 … PM-13, X-5, X-9.
 */
#include "gateway/house.h"

#include "gateway/call.h"
#include "gateway/monitor.h"
#include "watch/log.h"

#define SPACE GW_PERFORMANCE_SPACE
#define MUCH 50000 /* bytes */

static struct house house;

/* ---- handlers ---- */

static bool says(struct weir_call *call, const char *how)
{
    return weir_text_is(weir_in_text_or(call, "how", 20, WEIR_STR("")), how);
}

static void finish(struct weir_call *call)
{
    if (weir_in_bool_or(call, "fails", false))
        weir_fail(call, "NO", NULL, "as told");
    weir_reply_bytes(call, WEIR_STR("done"), false);
}

static void plain(struct weir_call *call)
{
    if (says(call, "much"))
        arena_alloc(&call->arena, MUCH);
    finish(call);
}

static void capture_many(struct weir_monitor *monitor)
{
    static char text[WEIR_MONITOR_TEXT_MAX + 1];
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z", "aa", "bb", "cc"};
    memset(text, 'x', sizeof(text));
    weir_monitor_text(monitor, "tooLong", (struct weir_text){text, sizeof(text)});
    weir_monitor_text(monitor, "unclean", WEIR_STR("a\x01"));
    weir_monitor_text(monitor, "longest", (struct weir_text){text, sizeof(text) - 1});
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        weir_monitor_integer(monitor, names[i], (int64_t)i);
    weir_monitor_boolean(monitor, "oneTooMany", true);
}

static void own(struct weir_call *call)
{
    int count = says(call, "many") ? WEIR_MONITORS_MAX + 2 : 1;
    for (int i = 0; i < count; i++) {
        struct weir_monitor *monitor = weir_monitor_start(call, "work");
        weir_monitor_text(monitor, "kind", weir_in_text_or(call, "kind", 20, WEIR_STR("a")));
        weir_monitor_integer(monitor, "size", 7);
        if (says(call, "late"))
            weir_monitor_since(monitor, weir_now(call) - 5000);
        if (says(call, "much"))
            arena_alloc(&call->arena, MUCH);
        if (says(call, "fields"))
            capture_many(monitor);
        if (says(call, "forget"))
            weir_monitor_forget(monitor);
        if (says(call, "fields"))
            weir_monitor_since(monitor, weir_now(call) - 5000);
        if (!says(call, "open"))
            weir_monitor_complete(monitor, !says(call, "bad"));
        weir_monitor_complete(monitor, false); /* the first word counts */
    }
    finish(call);
}

static atomic_int runs;

/* The first run finds a cold block, so the call runs again in the tick. */
static void cold(struct weir_call *call)
{
    weir_monitor_complete(weir_monitor_start(call, "work"), true);
    arena_alloc(&call->arena, call->tick ? 16 : MUCH);
    if (atomic_fetch_add(&runs, 1) == 0)
        gw_call_kept(call, ERR_COLD, NULL);
    finish(call);
}

static void nobody(struct weir_call *call)
{
    weir_monitor_start(call, "nobody");
    finish(call);
}

static struct gw_route_config routes[] = {
    {.key = {"tick", 4}, .handler = plain},
    {.key = {"read", 4}, .handler = plain, .route_class = WEIR_READ},
    {.key = {"pure", 4}, .handler = plain, .route_class = WEIR_PURE},
    {.key = {"GET /rest", 9}, .handler = plain, .route_class = WEIR_PURE},
    {.key = {"own", 3}, .handler = own},
    {.key = {"cold", 4}, .handler = cold, .route_class = WEIR_READ},
    {.key = {"nobody", 6}, .handler = nobody},
    {.key = {"talk", 4}, .handler = plain},
    {.key = {"$default", 8}, .handler = plain, .route_class = WEIR_PURE},
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

/* ---- declarations ---- */

static const char *const kinds[] = {"a", "b", NULL};
static const struct weir_figure of_work[] = {
    {.name = "worked", .kind = WEIR_FIGURE_COUNT},
    {.name = "sizes", .kind = WEIR_FIGURE_FIELD, .field = "size", .unit = "Bytes"},
    {.name = "missing", .kind = WEIR_FIGURE_FIELD, .field = "nothing"},
    {.name = "kinds", .kind = WEIR_FIGURE_COUNT, .dimension = "Kind", .by = "kind", .values = kinds},
    {.name = "good", .kind = WEIR_FIGURE_SUCCESS, .when = "kind", .is = "a"},
    {.name = "took", .kind = WEIR_FIGURE_DURATION},
    {0},
};
static const struct weir_capture of_talk[] = {
    {"messageType", "type", WEIR_CAPTURE_TEXT, "action"},
    {"hasToken", "token", WEIR_CAPTURE_PRESENT, NULL},
    {"messageLength", "message", WEIR_CAPTURE_LENGTH, NULL},
    {0},
};
static const struct weir_figure lengths[] = {{.name = "lengths", .kind = WEIR_FIGURE_FIELD, .field = "messageLength"}, {0}};
static const struct weir_operation operations[] = {
    {.name = "work", .duration_max_ms = 4000, .memory_max = MUCH / 2, .error_rate_max = 0.5, .figures = of_work},
    {.name = "talking", .routes = (const char *const[]){"talk", NULL}, .memory_max = MUCH / 2, .captures = of_talk, .figures = lengths},
    {0},
};
static const struct weir_app app = {.name = "app", .operations = operations};

static int setup(void **state)
{
    static struct gw_operation_config thresholds[] = {{.name = {"$default", 8}, .duration_max_ms = GW_OPERATION_KEPT, .memory_max = MUCH / 2, .error_rate_max = -1}};
    (void)state;
    house_init(&house, routes, ROUTES, NULL, 0);
    house.api.app = &app;
    house.api.operations = thresholds;
    house.api.operation_count = 1;
    house_start(&house);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    house_stop(&house);
    house_fini(&house);
    return 0;
}

/* ---- what is durable ---- */

static struct seen {
    double count, sum, max;
    unsigned unit;
} seen;

static int on_period(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    (void)context;
    (void)start_s;
    seen.count += summary->count;
    seen.sum += summary->sum;
    seen.max = summary->max > seen.max ? summary->max : seen.max;
    seen.unit = unit;
    return 0;
}

static double count_by(const char *metric, const char *handler, const char *name, const char *value, const char *further, const char *of)
{
    struct arena arena;
    struct store_view view = {.store = house.store, .snapshot = store_snapshot_acquire(house.store, STORE_READERS_MAX - 1), .now_s = clock_wall_ms() / 1000};
    struct watch_dimension dimension[3] = {{TEXT("Handler"), text_of(handler)}, {text_of(name), text_of(value)}, {text_of(further), text_of(of)}};
    struct watch_query query = {.name = {.space = TEXT(SPACE), .name = text_of(metric), .dimension = dimension, .dimensions = further ? 3 : name ? 2 : 1},
        .start_s = clock_wall_ms() / 1000 - 3600, .end_s = clock_wall_ms() / 1000 + 3600, .period_s = 60, .unit = -1, .by_unit = true, .now_ms = clock_wall_ms()};
    seen = (struct seen){0};
    arena_init(&arena, 4096, 16 << 20);
    assert_int_equal(watch_metric_read(&view, &arena, &query, on_period, NULL), 0);
    arena_fini(&arena);
    store_snapshot_release(house.store, STORE_READERS_MAX - 1);
    return seen.count;
}

static double count_of(const char *metric, const char *handler)
{
    return count_by(metric, handler, NULL, NULL, NULL, NULL);
}

/* A completion is counted after its answer has left, and put within a second. */
static void until(const char *metric, const char *handler, double count)
{
    HOUSE_UNTIL(&house, count_of(metric, handler) >= count);
    if (count_of(metric, handler) != count)
        fail_msg("%s of %s: %g instead of %g", metric, handler, seen.count, count);
}

static double breaches(const char *handler, const char *figure)
{
    double count = count_by("ThresholdBreaches", handler, "ApiId", "app", "Figure", figure);
    assert_true(count_by("ThresholdBreaches", handler, "Environment", "dev", "Figure", figure) == count);
    return count;
}

static int lines;
static char line[4096];

static int on_event(void *context, const struct watch_log_event *event)
{
    char text[sizeof(line)];
    snprintf(text, sizeof(text), "%.*s", TEXT_FMT(event->message));
    if (!strstr(text, context))
        return 0;
    lines++;
    memcpy(line, text, sizeof(line));
    return 0;
}

static int lines_with(const char *name, const char *word)
{
    struct arena arena;
    struct watch_log_group group;
    struct store_view view = {.store = house.store, .snapshot = store_snapshot_acquire(house.store, STORE_READERS_MAX - 1), .now_s = clock_wall_ms() / 1000};
    arena_init(&arena, 4096, 1 << 20);
    lines = 0;
    if (watch_log_group_get(&view, &arena, text_of(name), &group) == 0) {
        char wanted[100];
        snprintf(wanted, sizeof(wanted), "%s", word);
        struct watch_log_scan scan = {.group = &group, .to_ms = INT64_MAX, .now_ms = clock_wall_ms(), .order = WATCH_LOG_FORWARD, .events_max = 10000, .bytes_max = 16 << 20,
            .visit = on_event, .context = wanted};
        assert_int_equal(watch_log_scan(&view, &scan), 0);
    }
    arena_fini(&arena);
    store_snapshot_release(house.store, STORE_READERS_MAX - 1);
    return lines;
}

static void until_lines(const char *group, const char *word, int count)
{
    HOUSE_UNTIL(&house, lines_with(group, word) >= count);
    assert_int_equal(lines_with(group, word), count);
}

static void has(const char *part)
{
    if (!strstr(line, part))
        fail_msg("%s is not in %s", part, line);
}

static void say(int fd, const char *message, const char *expected)
{
    static char out[65536];
    ws_say(fd, message);
    size_t len = 0;
    ws_read(fd, out, sizeof(out), &len);
    if (!strstr(out, expected))
        fail_msg("\"%s\" is not in %s", expected, out);
}

/* ---- around routes ---- */

static void every_route_is_watched(void **state)
{
    static const char *const names[] = {"tick", "read", "pure"};
    char message[100], out[1000];
    (void)state;
    int fd = house_socket(&house);
    for (int i = 0; i < 3; i++) {
        snprintf(message, sizeof(message), "{\"action\":\"%s\"}", names[i]);
        for (int k = 0; k < 3; k++)
            say(fd, message, "done");
        snprintf(message, sizeof(message), "{\"action\":\"%s\",\"fails\":true}", names[i]);
        say(fd, message, "\"NO\"");
    }
    for (int i = 0; i < 3; i++) {
        until("ErrorRate", names[i], 4);
        assert_true(seen.sum == 100); /* one of four: 25 per cent */
        assert_string_equal(watch_unit_names[seen.unit], "Percent");
        assert_true(count_by("ErrorRate", names[i], "Environment", "dev", NULL, NULL) == 4);
        assert_true(count_by("ErrorRate", names[i], "ApiId", "app", NULL, NULL) == 4);
        assert_true(count_of("MemoryUsage", names[i]) == 4 && seen.sum > 0 && seen.max < MUCH);
        assert_string_equal(watch_unit_names[seen.unit], "Bytes");
        assert_true(count_of("HandlerDuration", names[i]) == 4 && seen.sum > 0 && seen.max < 10000);
        assert_string_equal(watch_unit_names[seen.unit], "Milliseconds");
    }
    say(fd, "{\"action\":\"tick\",\"how\":\"much\"}", "done");
    until("MemoryUsage", "tick", 5);
    assert_true(seen.max >= MUCH && seen.max < 2 * MUCH);
    assert_int_equal(house_request(&house, "GET", "/app/rest", "", "", out, sizeof(out)), 200);
    until("HandlerDuration", "GET /rest", 1);
    ws_shut(fd);
}

/* A threshold of the configuration, on a route that is otherwise only sampled. */
static void a_watched_default_tells_every_call(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    for (int i = 0; i < 100; i++)
        say(fd, "any", "done");
    until("HandlerDuration", "$default", 100);
    assert_true(breaches("$default", "MemoryUsage") == 0);
    say(fd, "{\"how\":\"much\"}", "done"); /* an object selects a route: the long way */
    until("HandlerDuration", "$default", 101);
    assert_true(breaches("$default", "MemoryUsage") == 1);
    ws_shut(fd);
}

/* ---- monitors of handlers ---- */

static void a_handler_completes_its_own(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"own\"}", "done");
    say(fd, "{\"action\":\"own\",\"how\":\"bad\",\"kind\":\"b\"}", "done");
    say(fd, "{\"action\":\"own\",\"how\":\"open\",\"kind\":\"c\"}", "done");
    say(fd, "{\"action\":\"own\",\"how\":\"forget\"}", "done");
    until("ErrorRate", "own", 4);
    assert_true(seen.sum == 0);
    assert_true(count_of("ErrorRate", "work") == 3);
    assert_true(seen.sum == 200); /* `bad`; and the one that was completed as not successful when `open` came to its end */
    assert_true(count_of("worked", "work") == 3);
    assert_true(count_of("sizes", "work") == 3 && seen.sum == 21);
    assert_string_equal(watch_unit_names[seen.unit], "Bytes");
    assert_true(count_of("missing", "work") == 0);
    assert_true(count_by("kinds", "work", "Kind", "a", NULL, NULL) == 1);
    assert_true(count_by("kinds", "work", "Kind", "b", NULL, NULL) == 1);
    assert_true(count_by("kinds", "work", "Kind", "c", NULL, NULL) == 0);
    assert_true(count_of("good", "work") == 1 && seen.sum == 100);
    assert_true(count_of("took", "work") == 3);
    say(fd, "{\"action\":\"own\",\"fails\":true}", "\"NO\""); /* undone, though its monitor was completed */
    say(fd, "{\"action\":\"own\",\"how\":\"forget\",\"fails\":true}", "\"NO\""); /* nobody will complete it later */
    until("ErrorRate", "work", 5);
    assert_true(seen.sum == 400);
    say(fd, "{\"action\":\"own\",\"how\":\"many\"}", "done");
    until("ErrorRate", "own", 7);
    assert_true(count_of("ErrorRate", "work") == 5 + WEIR_MONITORS_MAX);
    say(fd, "{\"action\":\"nobody\"}", "the operation nobody is not declared");
    ws_shut(fd);
}

static void a_run_that_was_undone_is_counted_once(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    atomic_store(&runs, 0);
    say(fd, "{\"action\":\"cold\"}", "done");
    assert_int_equal(atomic_load(&runs), 2);
    until("HandlerDuration", "cold", 1);
    assert_true(count_of("ErrorRate", "work") == 1 && seen.sum == 0);
    assert_true(count_of("MemoryUsage", "cold") == 1 && seen.max >= MUCH); /* the first run needed that much */
    ws_shut(fd);
}

/* ---- thresholds ---- */

static void a_breach_is_counted_and_told(void **state)
{
    (void)state;
    int fd = house_socket_with(&house, "/app", "x-correlation-id: trace-1\r\n", NULL);
    say(fd, "{\"action\":\"own\"}", "done");
    say(fd, "{\"action\":\"own\",\"how\":\"late\"}", "done");
    until("HandlerDuration", "work", 2);
    assert_true(seen.max >= 4900 && seen.max < 60000);
    assert_true(breaches("work", "HandlerDuration") == 1 && seen.sum == 1);
    assert_true(breaches("work", "MemoryUsage") == 0);
    until_lines("/weir/app/own", "threshold exceeded", 1);
    has("\"level\":\"WARN\",\"message\":\"Performance threshold exceeded\"");
    has("\"operation\":\"work\"");
    has("\"figure\":\"HandlerDuration\"");
    has("\"threshold\":4000");
    has("\"unit\":\"Milliseconds\"");
    has("\"kind\":\"a\"");
    has("\"size\":7");
    has("\"correlationId\":\"trace-1\"");
    has("\"connectionId\":\"");
    say(fd, "{\"action\":\"own\",\"how\":\"much\"}", "done");
    until("HandlerDuration", "work", 3);
    assert_true(breaches("work", "MemoryUsage") == 1);
    until_lines("/weir/app/own", "threshold exceeded", 2);
    has("\"figure\":\"MemoryUsage\"");
    for (int i = 0; i < 20; i++)
        say(fd, "{\"action\":\"own\",\"how\":\"late\"}", "done");
    until("HandlerDuration", "work", 23);
    assert_true(breaches("work", "HandlerDuration") == 21);
    assert_true(lines_with("/weir/app/own", "threshold exceeded") <= GW_MONITOR_LINES * 2); /* a minute may have begun in between */
    ws_shut(fd);
}

static void a_rate_is_judged_over_many(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    for (int i = 0; i < WATCH_WINDOW_LEAST - 1; i++)
        say(fd, "{\"action\":\"own\",\"how\":\"bad\"}", "done");
    until("ErrorRate", "work", WATCH_WINDOW_LEAST - 1);
    assert_true(breaches("work", "ErrorRate") == 0);
    say(fd, "{\"action\":\"own\",\"how\":\"bad\"}", "done");
    until("ErrorRate", "work", WATCH_WINDOW_LEAST);
    assert_true(breaches("work", "ErrorRate") == 1);
    until_lines("/weir/app/own", "threshold exceeded", 1);
    has("\"figure\":\"ErrorRate\"");
    has("\"value\":100");
    has("\"threshold\":50");
    has("\"unit\":\"Percent\"");
    ws_shut(fd);
}

/* ---- what is captured ---- */

static void members_are_captured(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"talk\",\"message\":\"h\xc3\xa4\xf0\x9f\x98\x80\",\"token\":\"t\",\"how\":\"much\",\"correlationId\":\"c-9\"}", "done");
    until("lengths", "talking", 1);
    assert_true(seen.sum == 4); /* as JavaScript counts */
    assert_true(count_of("HandlerDuration", "talk") == 0);
    until_lines("/weir/app/talk", "threshold exceeded", 1);
    has("\"operation\":\"talking\"");
    has("\"messageType\":\"talk\"");
    has("\"hasToken\":true");
    has("\"messageLength\":4");
    has("\"eventType\":\"MESSAGE\"");
    has("\"correlationId\":\"c-9\"");
    say(fd, "{\"action\":\"own\",\"how\":\"fields\"}", "done");
    until_lines("/weir/app/own", "threshold exceeded", 1);
    has("\"longest\":\"xxx");
    has("\"cc\":28"); /* with kind, size and longest WEIR_MONITOR_FIELDS_MAX */
    assert_null(strstr(line, "tooLong"));
    assert_null(strstr(line, "unclean"));
    assert_null(strstr(line, "oneTooMany"));
    ws_shut(fd);
}

/* ---- the listing ---- */

static void it_is_listed(void **state)
{
    static char out[65536];
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"own\",\"how\":\"late\"}", "done");
    say(fd, "{\"action\":\"own\",\"how\":\"bad\",\"kind\":\"b\"}", "done");
    until("HandlerDuration", "work", 2);
    assert_int_equal(house_request(&house, "GET", "/app/@performance", "", "", out, sizeof(out)), 200);
    snprintf(line, sizeof(line), "%.4000s", out);
    has("{\"api\":\"app\",\"environment\":\"dev\",\"namespace\":\"" SPACE "\",\"time\":\"");
    has("{\"operation\":\"work\",\"routes\":[],\"thresholds\":{\"duration\":4000,\"memoryUsage\":25000,\"errorRate\":0.5},\"windows\":{\"1m\":{\"seconds\":");
    has("\"count\":2,\"durationP50\":");
    has("\"errorRate\":0.5,\"breaches\":{\"HandlerDuration\":1,\"MemoryUsage\":0,\"ErrorRate\":0},\"businessMetrics\":{\"worked\":");
    has("\"sizes\":7,\"missing\":0,\"kinds\":{\"a\":1,\"b\":1},\"good\":1,\"took\":");
    assert_non_null(strstr(out, "{\"operation\":\"talking\",\"routes\":[\"talk\"],\"thresholds\":{\"memoryUsage\":25000}"));
    assert_non_null(strstr(out, "{\"operation\":\"pure\",\"routes\":[\"pure\"],\"thresholds\":{},\"windows\":{\"1m\":{"));
    assert_int_equal(house_request(&house, "POST", "/app/@performance", "", "", out, sizeof(out)), 405);
    ws_shut(fd);
}

/* ---- endpoints ---- */

/* What its endpoint answers is the failure of $connect, which its client only sees as a status. A $disconnect has no client any more: it ended, with a warning. */
static void an_endpoint_fails(void **state)
{
    static struct backend backend;
    static struct gw_route_config both[] = {{.key = {"$connect", 8}, .timeout_ms = 5000, .attempts = 1}, {.key = {"$disconnect", 11}, .timeout_ms = 5000, .attempts = 1}};
    static struct gw_operation_config threshold[] = {{.name = {"$disconnect", 11}, .duration_max_ms = 100000, .memory_max = GW_OPERATION_KEPT, .error_rate_max = -1}};
    int status = 0;
    (void)state;
    backend_start(&backend);
    both[0].url = both[1].url = text_of(backend.url);
    house_init(&house, both, 2, NULL, 0);
    house.api.operations = threshold;
    house.api.operation_count = 1;
    house_start(&house);
    int fd = house_socket(&house);
    until("ErrorRate", "$connect", 1);
    assert_true(seen.sum == 0);
    backend.mood = BACKEND_FAILS;
    ws_shut(fd);
    until("ErrorRate", "$disconnect", 1);
    assert_true(seen.sum == 0);
    until_lines("/weir/app/disconnect", "completed with a warning", 1);
    has("\"operation\":\"$disconnect\"");
    has("\"success\":true");
    has("\"warning\":\"cleanup_failed\"");
    has("\"errorMessage\":\"the endpoint has not answered well\"");
    assert_int_equal(house_socket_with(&house, "/app", "", &status), -1);
    until("ErrorRate", "$connect", 2);
    assert_true(seen.sum == 100);
    house_stop(&house);
    house_fini(&house);
    backend_stop(&backend);
}

/* ---- declarations ---- */

static void refuse(const struct weir_operation *declared, struct gw_operation_config *config, const char *expected)
{
    const struct weir_app strange = {.name = "app", .operations = declared};
    struct gateway *gateway = NULL;
    struct err err = {0};
    struct gw_api_config api = {.name = TEXT("app"), .app = &strange, .stages = {TEXT("prod")}, .stage_count = 1, .routes = routes, .route_count = ROUTES, .stream_window_ms = -1,
        .operations = config, .operation_count = config != NULL};
    struct gateway_config all = {.apis = &api, .api_count = 1, .environment = TEXT("dev")};
    assert_true(gateway_create(&gateway, &all, &err) < 0);
    if (!strstr(err.text, expected))
        fail_msg("expected %s: %s", expected, err.text);
}

#define FIGURE(...) ((struct weir_operation[]){{.name = "x", .figures = (struct weir_figure[]){{.name = "y", __VA_ARGS__}, {0}}}, {0}})

static void declarations_are_checked(void **state)
{
    static char name[WATCH_DIMENSION_VALUE_MAX + 2];
    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    refuse((struct weir_operation[]){{.name = "x"}, {.name = "x"}, {0}}, NULL, "declared twice");
    refuse((struct weir_operation[]){{.name = name}, {0}}, NULL, "API app: the operation nnnn"); /* the sentence is cut */
    refuse((struct weir_operation[]){{.name = ""}, {0}}, NULL, "its name");
    refuse((struct weir_operation[]){{.name = "x", .routes = (const char *const[]){"none", NULL}}, {0}}, NULL, "is not declared");
    refuse((struct weir_operation[]){{.name = "x", .routes = (const char *const[]){"tick", NULL}}, {.name = "y", .routes = (const char *const[]){"tick", NULL}}, {0}}, NULL, "another one names");
    refuse((struct weir_operation[]){{.name = "tick"}, {0}}, NULL, "an operation and a route are both named tick");
    refuse(FIGURE(.kind = WEIR_FIGURE_FIELD), NULL, "the figure y of the operation x is not whole");
    refuse(FIGURE(.unit = "Parsecs"), NULL, "is not whole");
    refuse(FIGURE(.dimension = "D", .by = "d"), NULL, "is not whole");
    refuse(FIGURE(.dimension = "D", .values = kinds), NULL, "is not whole");
    refuse(FIGURE(.when = "kind"), NULL, "is not whole");
    refuse(NULL, (struct gw_operation_config[]){{.name = TEXT("nowhere")}}, "has no operation and no route of its own named nowhere");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(every_route_is_watched), TEST(a_watched_default_tells_every_call), TEST(a_handler_completes_its_own), TEST(a_run_that_was_undone_is_counted_once),
        TEST(a_breach_is_counted_and_told), TEST(a_rate_is_judged_over_many), TEST(members_are_captured), TEST(it_is_listed), cmocka_unit_test(an_endpoint_fails),
        cmocka_unit_test(declarations_are_checked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
