/*
 * The life of sockets in a whole server: order within a lane, back-pressure when the tick has no credit, $connect and $disconnect with their rows, who may ask for what,
 * and a reload of the configuration under open sockets.
 */
#include "gateway/house.h"

static struct house house;
static struct backend backend;
static atomic_int connects, disconnects, ticks, last_code;
static atomic_bool connect_waits, disconnect_fails;

static struct weir_table things = {.name = "things-{env}", .hash = "id", .hash_type = WEIR_S};
static struct weir_table live = {.name = "live-{env}", .hash = "connectionId", .hash_type = WEIR_S, .ttl = "ttl"};
static struct weir_table *tables[] = {&things};

static void put(struct weir_call *call, const char *id)
{
    struct weir_item *item = weir_item(call);
    weir_item_text(item, "id", weir_text_of(id));
    weir_put(call, &things, item);
}

static void on_connect(struct weir_call *call)
{
    while (connect_waits)
        nap();
    if (weir_query_param(call, "no").len) {
        put(call, "refused"); /* must not stay */
        weir_refuse(call, 418, "TEAPOT", "no sockets here");
        return;
    }
    atomic_fetch_add(&connects, 1);
}

static void on_disconnect(struct weir_call *call)
{
    put(call, "half done");
    if (disconnect_fails)
        weir_fail(call, "NO", NULL, "as told");
    atomic_store(&last_code, weir_disconnect_code(call));
    atomic_fetch_add(&disconnects, 1);
}

static void reply_number(struct weir_call *call, int64_t number)
{
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member_integer(json, "n", number);
    weir_end(json);
    weir_reply(call, json);
}

static void on_tick(struct weir_call *call)
{
    struct weir_text number = weir_in_text_or(call, "n", 20, WEIR_STR(""));
    struct weir_json *json = weir_json(call);
    put(call, "tick");
    weir_object(json);
    weir_member(json, "tick", number);
    weir_end(json);
    weir_reply(call, json);
    atomic_fetch_add(&ticks, 1);
}

static void on_pure(struct weir_call *call)
{
    weir_reply_bytes(call, WEIR_STR("pure"), false);
}

static void on_rows(struct weir_call *call)
{
    const struct weir_table *table = weir_text_is(weir_in_text(call, "table", 1, 20), "live") ? &live : &things;
    struct weir_query query = {.table = table};
    struct weir_cursor *cursor = weir_query(call, &query);
    int64_t count = 0;
    while (cursor && weir_next(cursor))
        count++;
    reply_number(call, count);
}

static void on_join(struct weir_call *call)
{
    char name[32];
    int64_t count = weir_in_integer(call, "count", 1, 1000);
    for (int64_t i = 0; i < count && !weir_failed(call); i++) {
        snprintf(name, sizeof(name), "room%lld", (long long)i);
        weir_join(call, weir_text_of(name));
    }
    weir_ack(call);
}

static void on_rest(struct weir_call *call)
{
    reply_number(call, 7);
}

static char hook[64];
static struct gw_route_config routes[] = {
    {.key = {"$connect", 8}, .handler = on_connect},
    {.key = {"$disconnect", 11}, .handler = on_disconnect},
    {.key = {"tick", 4}, .handler = on_tick},
    {.key = {"pure", 4}, .handler = on_pure, .route_class = WEIR_PURE},
    {.key = {"rows", 4}, .handler = on_rows},
    {.key = {"join", 4}, .handler = on_join},
    {.key = {"POST /rest", 10}, .handler = on_rest},
    {.key = {"hook", 4}, .has_response = true},
};
#define HOOK 7

static int setup_with(bool registry, size_t credit)
{
    connects = disconnects = ticks = last_code = 0;
    connect_waits = disconnect_fails = false;
    backend_start(&backend);
    strcpy(hook, backend.url);
    routes[HOOK].url = text_of(hook);
    house_init(&house, routes, sizeof(routes) / sizeof(routes[0]), tables, 1);
    house.credit_max = credit;
    house.io_threads = credit ? 1 : 2;
    if (registry)
        house.api.registry = (struct weir_registry){.table = &live, .lifetime = 3600000, .metadata = true, .identity = true};
    house_start(&house);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(true, 0);
}

static int setup_poor(void **state)
{
    (void)state;
    return setup_with(false, 8);
}

static int teardown(void **state)
{
    (void)state;
    house_stop(&house);
    backend_stop(&backend);
    house_fini(&house);
    return 0;
}

static void expect_part(int fd, const char *expected)
{
    char out[4096];
    ws_read(fd, out, sizeof(out), NULL);
    if (!strstr(out, expected))
        fail_msg("\"%s\" is not in %s", expected, out);
}

static void say(int fd, const char *message, const char *expected)
{
    ws_say(fd, message);
    expect_part(fd, expected);
}

static int64_t rows_of(int fd, const char *table)
{
    char out[256], message[96];
    snprintf(message, sizeof(message), "{\"action\":\"rows\",\"table\":\"%s\"}", table);
    ws_say(fd, message);
    ws_read(fd, out, sizeof(out), NULL);
    assert_memory_equal(out, "{\"n\":", 5);
    return atoll(out + 5);
}

static void all_kinds_of_answers_keep_their_order(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    house.held = true;
    ws_say(fd, "{\"action\":\"tick\",\"n\":\"1\"}");
    ws_say(fd, "{\"action\":\"nowhere\"}");
    ws_say(fd, "{\"action\":\"pure\"}");
    ws_say(fd, "{\"action\":\"hook\"}");
    ws_say(fd, "not json");
    ws_say(fd, "{\"action\":\"tick\",\"n\":\"2\"}");
    ws_say(fd, "{\"action\":\"pure\"}");
    WAIT_FOR(ticks >= 1);
    house.held = false;
    expect_part(fd, "{\"tick\":\"1\"}");
    expect_part(fd, "\"Forbidden\"");
    expect_part(fd, "pure");
    expect_part(fd, "fine");
    expect_part(fd, "\"Forbidden\"");
    expect_part(fd, "{\"tick\":\"2\"}");
    expect_part(fd, "pure");
    ws_shut(fd);
}

/* While a backend thinks, everything behind it waits; what waits is bounded, also when it needs no backend and no tick. */
static void a_flood_behind_a_backend_is_not_read(void **state)
{
    enum { MANY = 2000 };
    (void)state;
    backend.mood = BACKEND_SILENT;
    int fd = house_socket(&house);
    ws_say(fd, "{\"action\":\"hook\"}");
    WAIT_FOR(backend.asked == 1);
    int64_t missed = counter_read(COUNTER_gw_routes_missed);
    for (int i = 0; i < MANY; i++)
        ws_say(fd, "nowhere");
    WAIT_FOR(counter_read(COUNTER_gw_routes_missed) - missed >= GW_OUTSTANDING_MAX);
    for (int i = 0; i < 20; i++, nap())
        assert_int_equal(counter_read(COUNTER_gw_routes_missed) - missed, GW_OUTSTANDING_MAX);
    backend.mood = BACKEND_DIES;
    backend_drop(&backend);
    expect_part(fd, "Internal server error");
    for (int i = 0; i < MANY; i++)
        expect_part(fd, "\"Forbidden\"");
    ws_shut(fd);
}

static void sockets_without_credit_are_read_again(void **state)
{
    enum { SOCKETS = 24, EACH = 40 };
    int fd[SOCKETS];
    char message[64], expected[64];
    int64_t before = counter_read(COUNTER_gw_credit_waits);
    (void)state;
    for (int i = 0; i < SOCKETS; i++)
        fd[i] = house_socket(&house);
    house.held = true;
    for (int i = 0; i < SOCKETS; i++)
        for (int k = 0; k < EACH; k++) {
            snprintf(message, sizeof(message), "{\"action\":\"%s\",\"n\":\"%d\"}", k % 4 == 3 ? "pure" : "tick", k);
            ws_say(fd[i], message);
        }
    WAIT_FOR(counter_read(COUNTER_gw_credit_waits) > before);
    house.held = false;
    for (int i = 0; i < SOCKETS; i++)
        for (int k = 0; k < EACH; k++) {
            snprintf(expected, sizeof(expected), k % 4 == 3 ? "pure" : "{\"tick\":\"%d\"}", k);
            expect_part(fd[i], expected);
        }
    for (int i = 0; i < SOCKETS; i++)
        ws_shut(fd[i]);
}

static void a_refused_connect_leaves_nothing(void **state)
{
    int status = 0;
    (void)state;
    assert_int_equal(house_socket_with(&house, "/app?no=1", "", &status), -1);
    assert_int_equal(status, 418);
    assert_int_equal(house_socket_with(&house, "/app?no=%ff", "", &status), -1);
    assert_int_equal(status, 400);
    int fd = house_socket(&house);
    assert_int_equal(rows_of(fd, "things"), 0);
    assert_int_equal(rows_of(fd, "live"), 1);
    ws_shut(fd);
    WAIT_FOR(disconnects == 1);
    assert_int_equal(last_code, 1000);
}

static void a_peer_that_leaves_during_connect(void **state)
{
    (void)state;
    connect_waits = true;
    int fd = client_open(&house.client);
    client_say(fd, HANDSHAKE("/app"));
    WAIT_FOR(counter_read(COUNTER_tick_calls_waiting) == 1);
    close(fd);
    WAIT_FOR(counter_read(COUNTER_net_connections) == 0);
    connect_waits = false;
    WAIT_FOR(connects == 1 && disconnects == 1); /* what $connect did is taken back */
    assert_int_equal(last_code, 1006);
    fd = house_socket(&house);
    assert_int_equal(rows_of(fd, "live"), 1);
    ws_shut(fd);
}

static void a_disconnect_that_fails_is_undone_and_its_row_goes(void **state)
{
    (void)state;
    disconnect_fails = true;
    int fd = house_socket(&house);
    close(fd);
    WAIT_FOR(disconnects >= 1);
    WAIT_FOR(counter_read(COUNTER_tick_calls_waiting) == 0);
    fd = house_socket(&house);
    assert_int_equal(rows_of(fd, "things"), 0);
    WAIT_FOR(rows_of(fd, "live") == 1);
    disconnect_fails = false;
    ws_shut(fd);
}

static void a_full_disk_refuses_writes_and_loses_no_row(void **state)
{
    char out[512];
    (void)state;
    int fd = house_socket(&house), leaves = house_socket(&house);
    house.full = true;
    WAIT_FOR(tick_writable(house.tick) == ERR_DISK_FULL);
    say(fd, "{\"action\":\"tick\"}", "DISK_FULL");
    assert_int_equal(rows_of(fd, "live"), 2); /* the registry costs no journal: sockets come and go */
    assert_int_equal(house_request(&house, "GET", "/healthz", "", "", out, sizeof(out)), 503);
    assert_int_equal(house_request(&house, "DELETE", "/app/@users/ada", "", "", out, sizeof(out)), 503); /* not durable, not said */
    assert_int_equal(house_request(&house, "POST", "/app/rest", "", "{}", out, sizeof(out)), 200);
    close(leaves); /* its $disconnect writes, which is refused; the row goes all the same */
    WAIT_FOR(rows_of(fd, "live") == 1);
    assert_int_equal(rows_of(fd, "things"), 0);
    house.full = false;
    WAIT_FOR(tick_writable(house.tick) == 0);
    say(fd, "{\"action\":\"tick\"}", "{\"tick\":");
    ws_shut(fd);
}

static void a_row_lives_as_long_as_its_socket(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    for (int i = 0; i < 6; i++) { /* renewed in time */
        house_advance(&house, 31 * MINUTE_MS);
        WAIT_FOR(rows_of(fd, "live") == 1);
    }
    say(fd, "{\"action\":\"join\",\"count\":2}", "\"ack\"");
    house_advance(&house, 48 * HOUR_MS); /* a clock that jumps beyond a lifetime: written anew */
    WAIT_FOR(rows_of(fd, "live") == 1);
    house_advance(&house, 40 * MINUTE_MS);
    WAIT_FOR(rows_of(fd, "live") == 1);
    ws_shut(fd);
    WAIT_FOR(disconnects == 1);
    fd = house_socket(&house);
    assert_int_equal(rows_of(fd, "live"), 1);
    ws_shut(fd);
}

static void too_many_rooms_close_the_socket(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"join\",\"count\":256}", "\"ack\"");
    ws_say(fd, "{\"action\":\"join\",\"count\":257}");
    char out[256];
    int first;
    while ((first = ws_read(fd, out, sizeof(out), NULL)) != 0x88)
        ;
    assert_int_equal((uint8_t)out[0] << 8 | (uint8_t)out[1], 1008);
    close(fd);
}

static void pages_and_proxies_do_not_administer(void **state)
{
    static const char *const from[] = {"Origin: http://localhost:3000\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n", "X-Forwarded-For: 192.0.2.1\r\n", "Forwarded: for=192.0.2.1\r\n"};
    char out[512];
    (void)state;
    assert_int_equal(house_request(&house, "POST", "/app/@broadcast", "", "x", out, sizeof(out)), 200);
    for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
        assert_int_equal(house_request(&house, "POST", "/app/@broadcast", from[i], "x", out, sizeof(out)), 403);
        assert_non_null(strstr(out, "message"));
    }
    assert_int_equal(house_request(&house, "POST", "/@clock?advance_ms=1", "Origin: http://localhost\r\n", "", out, sizeof(out)), 403);
    assert_int_equal(house_request(&house, "POST", "/app/rest", "Origin: http://evil.example\r\n", "{}", out, sizeof(out)), 403);
    assert_int_equal(house_request(&house, "POST", "/app/rest", "Origin: http://localhost:3000\r\n", "{}", out, sizeof(out)), 200);
    assert_int_equal(house_request(&house, "POST", "/app/rest", "", "{}", out, sizeof(out)), 200);
}

static int open_from(const char *origin)
{
    char extra[128];
    int status = 0;
    snprintf(extra, sizeof(extra), "Origin: %s\r\n", origin);
    int fd = house_socket_with(&house, "/app", extra, &status);
    if (fd >= 0)
        ws_shut(fd);
    return status;
}

static void a_reload_takes_origins_rates_and_keys(void **state)
{
    char text[64];
    struct err err = {0};
    (void)state;
    int fd = house_socket(&house);
    assert_int_equal(open_from("https://shop.example"), 403);
    assert_int_equal(open_from("http://localhost"), 101);
    for (int round = 0; round < 20; round++) { /* what is replaced may go: the texts of each round are overwritten */
        struct text origins[] = {text_make(text, (size_t)snprintf(text, sizeof(text), "https://shop%d.example", round))};
        struct gw_api_config api = house.api;
        struct gateway_config config = house.config;
        config.apis = &api;
        api.origins = origins;
        api.origin_count = 1;
        api.limits.action[0].action = TEXT("pure");
        api.limits.action[0].rate = (struct gw_rate){0.001, 1};
        api.limits.actions = round == 19;
        config.admin_open = round != 19;
        must(gateway_reload(house.gateway, &config, &err), &err);
        memset(text, 'x', sizeof(text));
    }
    WAIT_FOR(open_from("https://shop19.example") == 101);
    assert_int_equal(open_from("https://shop18.example"), 403);
    assert_int_equal(open_from("http://localhost"), 403);
    say(fd, "{\"action\":\"pure\"}", "pure"); /* the open socket goes on, by the new rates */
    char out[512];
    ws_say(fd, "{\"action\":\"pure\"}");
    ws_read(fd, out, sizeof(out), NULL);
    assert_non_null(strstr(out, "\"RATE_LIMITED\""));
    assert_non_null(strstr(out, "\"retryAfter\":"));
    assert_int_equal(house_request(&house, "GET", "/app/@connections", "", "", out, sizeof(out)), 403); /* keys are asked for now */
    /* What is not right changes nothing. */
    struct gw_api_config api = house.api;
    struct gateway_config config = house.config;
    config.apis = &api;
    api.auth = WEIR_JWT;
    assert_true(gateway_reload(house.gateway, &config, &err) < 0);
    assert_int_equal(open_from("https://shop19.example"), 101);
    ws_shut(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(all_kinds_of_answers_keep_their_order),
        T(a_flood_behind_a_backend_is_not_read),
        cmocka_unit_test_setup_teardown(sockets_without_credit_are_read_again, setup_poor, teardown),
        T(a_refused_connect_leaves_nothing),
        T(a_peer_that_leaves_during_connect),
        T(a_disconnect_that_fails_is_undone_and_its_row_goes),
        T(a_full_disk_refuses_writes_and_loses_no_row),
        T(a_row_lives_as_long_as_its_socket),
        T(too_many_rooms_close_the_socket),
        T(pages_and_proxies_do_not_administer),
        T(a_reload_takes_origins_rates_and_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
