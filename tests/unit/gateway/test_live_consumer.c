/*
 * Consumers and live tables where the wires cannot reach: a handler that takes too long, a table that goes while it is followed, an application's Kinesis stream, and
 * what a wire holds when the program ends.
 */
#include "gateway/house.h"

#include "gateway/live_stream.h"
#include "gateway/records.h"
#include "tick/inside.h"

static struct house house;
static atomic_int counted, slow_runs, done_code, spoiled;
static char last_record[512];

static struct weir_table things = {.name = "things-{env}", .hash = "id", .changes = true};
static struct weir_table failures = {.name = "failures-{env}", .hash = "id"};
static struct weir_table *tables[] = {&things, &failures};
static const struct weir_kinesis clicks = {.name = "clicks-{env}", .shards = 2, .retention = 48 * WEIR_HOUR};

static void on_put(struct weir_call *call)
{
    struct weir_item *item = weir_item(call);
    weir_item_text(item, "id", weir_in_text(call, "id", 1, 64));
    weir_put(call, &things, item);
    weir_ack(call);
}

/* The clock is the test's: a handler that is slow moves it. */
static void on_things(struct weir_call *call)
{
    const struct weir_value *records = weir_in_value(call, "records", true);
    for (size_t i = 0; i < weir_value_count(records); i++) {
        struct weir_text id = WEIR_STR("");
        weir_value_text(weir_value_get(weir_value_get(weir_value_at(records, i), "keys"), "id"), &id);
        if (weir_text_is(id, "slow")) {
            atomic_fetch_add(&slow_runs, 1);
            clock_advance(61000);
        } else {
            atomic_fetch_add(&counted, 1);
        }
    }
}

static void on_spoiled(struct weir_call *call)
{
    (void)call;
    atomic_fetch_add(&spoiled, 1);
}

static void on_click(struct weir_call *call)
{
    struct weir_text stream = WEIR_STR("clicks-dev");
    struct gw_record record = {.key = TEXT("who"), .data = text_in(weir_in_text(call, "data", 1, 400))};
    struct err err = {0};
    int code = gw_records_put(call->tick, &call->arena, text_in(stream), &record, 1, 0, &err);
    if (code)
        gw_call_fail(call, code, err_name(code), NULL, "%s", err.text);
    weir_ack(call);
}

static void on_clicks(struct weir_call *call)
{
    const struct weir_value *records = weir_in_value(call, "records", true), *record = weir_value_at(records, 0), *json = weir_record_json(call, record);
    struct weir_text page = WEIR_STR("no JSON");
    weir_value_text(weir_value_get(json, "page"), &page);
    if (weir_failed(call))
        return;
    snprintf(last_record, sizeof(last_record), "%.*s %zu %.*s %.*s", WEIR_TEXT(weir_record_key(record)), weir_record_sequence(record).len,
        WEIR_TEXT(weir_record_data(call, record)), WEIR_TEXT(page));
    assert_true(llabs(weir_record_arrival(record) - weir_now(call)) < 60000);
    atomic_fetch_add(&counted, (int)weir_value_count(records));
}

/* ---- a table that goes ---- */

static void staged(struct weir_call *call, int code)
{
    if (code)
        gw_call_fail(call, code, err_name(code), NULL, "%s", err_text(code));
    weir_ack(call);
}

static const struct store_table *named(struct weir_call *call)
{
    return store_table_find(call->gateway->config.store, TEXT("things-dev"));
}

static void on_drop(struct weir_call *call)
{
    staged(call, store_table_drop(tick_stage(call->tick), named(call), NULL));
}

static int define(struct weir_call *call, bool changes)
{
    const struct store_table *table;
    struct store_table_decl decl = {.name = TEXT("things-dev"), .hash = TEXT("id"), .hash_type = ATTR_STRING, .changes = changes};
    return store_table_define(tick_stage(call->tick), &decl, &table, NULL);
}

static void on_make(struct weir_call *call)
{
    staged(call, define(call, true));
}

static void on_late_put(struct weir_call *call)
{
    struct weir_item *item = weir_item(call);
    weir_item_text(item, "id", WEIR_STR("late"));
    weir_put(call, &things, item);
}

static void on_later(struct weir_call *call)
{
    weir_later(call, 60000, "@late", NULL);
    weir_ack(call);
}

static void on_hush(struct weir_call *call)
{
    staged(call, define(call, false));
}

static void on_write(struct weir_call *call)
{
    struct attr *item = item_create(&call->arena);
    item_set_string(&call->arena, item, TEXT("id"), text_in(weir_in_text(call, "id", 1, 64)));
    staged(call, store_put(call->view, named(call), item, 0, &call->arena, NULL, NULL));
}

static struct gw_route_config routes[] = {
    {.key = {"put", 3}, .handler = on_put},
    {.key = {"click", 5}, .handler = on_click},
    {.key = {"drop", 4}, .handler = on_drop},
    {.key = {"make", 4}, .handler = on_make},
    {.key = {"hush", 4}, .handler = on_hush},
    {.key = {"write", 5}, .handler = on_write},
    {.key = {"@things", 7}, .handler = on_things},
    {.key = {"@clicks", 7}, .handler = on_clicks},
    {.key = {"@spoiled", 8}, .handler = on_spoiled},
    {.key = {"later", 5}, .handler = on_later},
    {.key = {"@late", 5}, .handler = on_late_put},
};

static const struct weir_app app = {
    .name = "app",
    .streams = (const struct weir_stream[]){
        {.table = &things, .route = "@things", .retries = 2, .bisect = true, .timeout_ms = 60000, .failures = &failures, .on_failure = "@spoiled"},
        {.kinesis = &clicks, .route = "@clicks", .start = WEIR_TRIM_HORIZON},
        {0},
    },
    .live = (const struct weir_live[]){{.table = &things, .rule = WEIR_LIVE_ANYONE}, {0}},
    .kinesis = (const struct weir_kinesis *const[]){&clicks, NULL},
};

static int setup(void **state)
{
    (void)state;
    counted = slow_runs = spoiled = 0;
    last_record[0] = 0;
    house_init(&house, routes, sizeof(routes) / sizeof(routes[0]), tables, 2);
    house.api.app = &app;
    house.api.stream_window_ms = -1;
    house.api.ws.queue_messages_max = 4096;
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

static void say(int fd, const char *message, const char *expected)
{
    char out[4096];
    ws_say(fd, message);
    assert_int_equal(ws_read(fd, out, sizeof(out), NULL), 0x81);
    if (!strstr(out, expected))
        fail_msg("%s: %s", message, out);
}

static void hear(int fd, const char *expected)
{
    char out[4096];
    assert_int_equal(ws_read(fd, out, sizeof(out), NULL), 0x81);
    if (!strstr(out, expected))
        fail_msg("expected %s: %s", expected, out);
}

static void a_handler_that_takes_too_long_has_failed(void **state)
{
    char out[8192];
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"put\",\"id\":\"a\"}", "ack");
    say(fd, "{\"action\":\"put\",\"id\":\"slow\"}", "ack");
    say(fd, "{\"action\":\"put\",\"id\":\"b\"}", "ack");
    HOUSE_UNTIL(&house, house_rows(&house, STORE_SPACE_FAILED) == 1);
    HOUSE_UNTIL(&house, counter_read(COUNTER_stream_records) == 2);
    assert_int_equal(house_rows(&house, STORE_SPACE_FAILED), 1);
    assert_int_equal(spoiled, 1);
    assert_true(slow_runs >= 3); /* alone 1 + 2 times, and before that with others, perhaps */
    assert_int_equal(house_request(&house, "GET", "/app/@streams/things/failed", "", "", out, sizeof(out)), 200);
    assert_non_null(strstr(out, "\"error\":\"TIMEOUT\""));
    assert_non_null(strstr(out, "\"attempts\":3"));
    assert_non_null(strstr(out, "{\"id\":\"slow\"}"));
    const struct store_table *table = store_table_find(house.store, TEXT("failures-dev"));
    WAIT_FOR(store_table_count(table) == 1);
    ws_shut(fd);
}

static void wait_for_late(struct house *h)
{
    assert_int_equal(atomic_load(&h->tick->keep.from[TICK_KEEP_CONSUMERS]), 0); /* the journal waits for who has not looked yet */
    WAIT_FOR(store_table_count(store_table_find(h->store, TEXT("things-dev"))) == 1);
}

/* A deferred call that is due runs before the services' thread has looked where consumers stand; what it writes is also a new consumer's. */
static void a_new_consumer_begins_with_the_tick(void **state)
{
    static const struct weir_app without = {.name = "app"};
    (void)state;
    house_stop(&house);
    house_fini(&house);
    house_init(&house, routes, sizeof(routes) / sizeof(routes[0]), tables, 2);
    house.api.app = &without;
    house_start(&house);
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"later\"}", "ack");
    close(fd);
    house_stop(&house);
    house.api.app = &app;
    house.api.stream_window_ms = -1;
    clock_advance(61000);
    house.ticking = wait_for_late;
    house_start(&house);
    house.ticking = NULL;
    WAIT_FOR(counted == 1);
}

static void a_stream_of_records_reaches_its_handler(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"click\",\"data\":\"{\\\"page\\\":\\\"home\\\"}\"}", "ack");
    WAIT_FOR(counted == 1);
    assert_string_equal(last_record, "who 56 {\"page\":\"home\"} home");
    close(fd);
    house_stop(&house);
    house_start(&house);
    fd = house_socket(&house);
    say(fd, "{\"action\":\"click\",\"data\":\"bytes\"}", "ack");
    WAIT_FOR(counted == 2); /* not the first one again */
    assert_string_equal(last_record, "who 56 bytes no JSON");
    struct gw_stream stream;
    struct arena arena;
    struct store_view view = {.store = house.store, .snapshot = store_snapshot_acquire(house.store, STORE_READERS_MAX - 1), .now_s = clock_wall_ms() / 1000};
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(gw_stream_get(&view, &arena, TEXT("clicks-dev"), &stream), 0);
    assert_int_equal(stream.retention_h, 48);
    assert_int_equal(stream.open_count, 2);
    arena_fini(&arena);
    store_snapshot_release(house.store, STORE_READERS_MAX - 1);
    ws_shut(fd);
}

static void who_follows_a_table_hears_that_it_goes(void **state)
{
    (void)state;
    int fd = house_socket(&house), writer = house_socket(&house);
    say(writer, "{\"action\":\"put\",\"id\":\"a\"}", "ack");
    say(fd, "{\"action\":\"subscribe\",\"table\":\"things-dev\"}", "subscribed");
    hear(fd, "\"items\":[{\"id\":\"a\"}]");
    say(fd, "{\"action\":\"subscribe\",\"ranks\":{\"table\":\"things-dev\",\"key\":{\"id\":\"a\"},\"top\":3}}", "subscribed");
    hear(fd, "\"items\":[{\"id\":\"a\"}]");
    say(writer, "{\"action\":\"drop\"}", "ack");
    hear(fd, "{\"type\":\"dropped\",\"subscription\":\"");
    hear(fd, "\"table\":\"things-dev\",\"reason\":\"the table was dropped\"}");
    WAIT_FOR(counter_read(COUNTER_live_subscriptions) == 0);
    say(fd, "{\"action\":\"subscribe\",\"table\":\"things-dev\"}", "\"error\":\"NOT_FOUND\",\"field\":\"table\"");
    say(writer, "{\"action\":\"make\"}", "ack");
    say(writer, "{\"action\":\"write\",\"id\":\"b\"}", "ack");
    say(fd, "{\"action\":\"subscribe\",\"table\":\"things-dev\"}", "subscribed");
    hear(fd, "\"items\":[{\"id\":\"b\"}]");
    say(writer, "{\"action\":\"write\",\"id\":\"c\"}", "ack");
    hear(fd, "\"event\":\"INSERT\",\"key\":{\"id\":\"c\"}");
    say(writer, "{\"action\":\"hush\"}", "ack"); /* the declaration's; they are kept for the follower */
    say(writer, "{\"action\":\"write\",\"id\":\"d\"}", "ack");
    hear(fd, "\"event\":\"INSERT\",\"key\":{\"id\":\"d\"}");
    ws_shut(fd);
    ws_shut(writer);
}

/* The fsync is held, so that both are one tick's, or follow each other at once: then the follower never sees the time between. */
static void another_table_of_the_name_is_begun_anew(void **state)
{
    char out[4096];
    (void)state;
    int fd = house_socket(&house), writer = house_socket(&house);
    say(writer, "{\"action\":\"put\",\"id\":\"old\"}", "ack");
    say(fd, "{\"action\":\"subscribe\",\"table\":\"things-dev\"}", "subscribed");
    hear(fd, "\"items\":[{\"id\":\"old\"}]");
    say(fd, "{\"action\":\"subscribe\",\"ranks\":{\"table\":\"things-dev\",\"key\":{\"id\":\"old\"},\"top\":3}}", "subscribed");
    hear(fd, "\"items\":[{\"id\":\"old\"}]");
    int wanted = 0;
    ws_say(writer, "{\"action\":\"drop\"}");
    ws_say(writer, "{\"action\":\"make\"}");
    hear(writer, "ack");
    hear(writer, "ack");
    say(writer, "{\"action\":\"write\",\"id\":\"new\"}", "ack");
    for (int i = 0; i < 6 && wanted < 2; i++) {
        ws_read(fd, out, sizeof(out), NULL);
        if (strstr(out, "\"dropped\""))
            wanted++; /* it looked in between: that is the end of this one */
        else if (strstr(out, "\"snapshot\""))
            wanted++;
        else
            assert_non_null(strstr(out, "\"reason\":\"the table was made anew\""));
    }
    assert_int_equal(wanted, 2);
    close(fd);
    ws_shut(writer);
}

/* ---- the end ---- */

static void on_work_done(struct gw_work *work, struct net_conn *conn, int code)
{
    assert_null(conn);
    free(work->user);
    done_code = code;
}

static void what_a_wire_holds_is_given_back(void **state)
{
    (void)state;
    setup(state);
    tick_stop(house.tick);
    net_server_stop(house.net);
    gateway_stop(house.gateway);
    struct gw_io *io = &house.gateway->io[0];
    struct weir_call *call = gw_call_take(io, &house.gateway->apis[0]);
    call->kind = GW_CALL_WORK;
    call->work = (struct gw_work){.arena = &call->arena, .gateway = house.gateway, .user = malloc(16), .done = on_work_done};
    gw_call_abandon(call); /* the sanitizers see what is not given back */
    assert_int_equal(done_code, ERR_CLOSED);
    tick_destroy(house.tick);
    worker_pool_destroy(house.workers);
    net_server_destroy(house.net);
    gateway_destroy(house.gateway);
    journal_close(house.journal);
    store_close(house.store);
    house_fini(&house);
}

/* ---- declarations ---- */

static struct weir_table silent = {.name = "silent", .hash = "id"};
static struct weir_table ranged = {.name = "ranged", .hash = "id", .range = "n"};
static const struct weir_kinesis odd = {.name = "no/name"};

static void refuse(const struct weir_stream *stream, struct gw_stream_config *declared, const char *expected)
{
    struct weir_app strange = {.name = "app", .streams = stream};
    struct gateway *gateway = NULL;
    struct err err = {0};
    struct gw_api_config api = {.name = TEXT("app"), .app = &strange, .stages = {TEXT("prod")}, .stage_count = 1, .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]), .stream_window_ms = -1, .streams = declared, .stream_count = declared != NULL};
    struct gateway_config config = {.apis = &api, .api_count = 1, .environment = TEXT("dev")};
    assert_true(gateway_create(&gateway, &config, &err) < 0);
    if (!strstr(err.text, expected))
        fail_msg("expected %s: %s", expected, err.text);
}

static void declarations_are_checked(void **state)
{
    (void)state;
    refuse((struct weir_stream[]){{.table = &things, .route = "put"}, {0}}, NULL, "put is no handler of the form @name");
    refuse((struct weir_stream[]){{.table = &things, .route = "@nobody"}, {0}}, NULL, "@nobody is no handler");
    refuse((struct weir_stream[]){{.table = &things}, {0}}, NULL, "a route or a url");
    refuse((struct weir_stream[]){{.table = &silent, .route = "@things"}, {0}}, NULL, "keeps no changes");
    refuse((struct weir_stream[]){{.table = &things, .kinesis = &clicks, .route = "@things"}, {0}}, NULL, "a table or a Kinesis stream");
    refuse((struct weir_stream[]){{.kinesis = &odd, .route = "@things"}, {0}}, NULL, "the name of a Kinesis stream");
    refuse((struct weir_stream[]){{.table = &things, .route = "@things", .batch_max = 1001}, {0}}, NULL, "at most 1000 records");
    refuse((struct weir_stream[]){{.table = &things, .route = "@things", .window_ms = -1}, {0}}, NULL, "not negative");
    refuse((struct weir_stream[]){{.table = &things, .route = "@things", .timeout_ms = 300001}, {0}}, NULL, "at most 5 minutes");
    refuse((struct weir_stream[]){{.table = &things, .route = "@things", .on_failure = "@nobody"}, {0}}, NULL, "@nobody is no handler");
    refuse((struct weir_stream[]){{.table = &things, .route = "@things", .failures = &ranged}, {0}}, NULL, "the hash key id (S) and no range key");
    refuse((struct weir_stream[]){{.table = &things, .route = "@things"}, {.table = &things, .route = "@things"}, {0}}, NULL, "two streams are named @things");
    refuse((struct weir_stream[]){{.table = &things, .route = "@things"}, {0}},
        &(struct gw_stream_config){.name = TEXT("@things"), .table = TEXT("things-{env}"), .url = TEXT("http://h/"), .retries = 3}, "two streams are named @things");
}

/* ---- what an endpoint answers ---- */

static int failure(const char *body)
{
    struct live_record records[3];
    struct live_consumer c = {.record = records, .count = 3};
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    buf_init(&c.text, 1024);
    for (uint32_t i = 0; i < 3; i++) {
        records[i] = (struct live_record){.id_from = (uint32_t)c.text.len, .id_len = 3};
        buf_add_format(&c.text, "10%u", i);
    }
    int first = live_answer_failure(&c, &arena, text_of(body));
    buf_fini(&c.text);
    arena_fini(&arena);
    return first;
}

static void answers_name_what_failed(void **state)
{
    (void)state;
    const char *none[] = {"", "ok", "[]", "null", "{}", "{\"batchItemFailures\":null}", "{\"batchItemFailures\":[]}", "{\"other\":[{\"itemIdentifier\":\"100\"}]}"};
    const char *wrong[] = {"{\"batchItemFailures\":{}}", "{\"batchItemFailures\":\"100\"}", "{\"batchItemFailures\":[{\"itemIdentifier\":\"\"}]}", "{\"batchItemFailures\":[{}]}",
        "{\"batchItemFailures\":[{\"itemIdentifier\":null}]}", "{\"batchItemFailures\":[{\"itemIdentifier\":100}]}", "{\"batchItemFailures\":[\"100\"]}",
        "{\"batchItemFailures\":[{\"itemIdentifier\":\"101\"},{\"itemIdentifier\":\"9\"}]}"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(failure(none[i]), -1);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(failure(wrong[i]), -2);
    assert_int_equal(failure("{\"batchItemFailures\":[{\"itemIdentifier\":\"102\"},{\"itemIdentifier\":\"101\"}]}"), 1);
    assert_int_equal(failure("{\"batchItemFailures\":[{\"itemIdentifier\":\"100\"}]}"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_handler_that_takes_too_long_has_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_consumer_begins_with_the_tick, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_of_records_reaches_its_handler, setup, teardown),
        cmocka_unit_test_setup_teardown(who_follows_a_table_hears_that_it_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(another_table_of_the_name_is_begun_anew, setup, teardown),
        cmocka_unit_test(what_a_wire_holds_is_given_back),
        cmocka_unit_test(declarations_are_checked),
        cmocka_unit_test(answers_name_what_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
