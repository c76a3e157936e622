/*
 * weir_metric in a whole server: part of its call in the tick, gathered and written within a second elsewhere, left out when it is one series too many, told when it is wrong; and the
 * tallies of the threads, whose last second an orderly stop puts.
 */
#include "gateway/house.h"

#include "watch/cache.h"
#include "watch/seal.h"

static struct house house;

static double number_of(struct weir_call *call)
{
    return (double)weir_in_integer(call, "v", 0, 1000000);
}

static void measure(struct weir_call *call)
{
    struct weir_text name = weir_in_text_or(call, "name", 300, WEIR_STR("m")), unit = weir_in_text_or(call, "unit", 40, WEIR_STR("Count"));
    char text[41];
    snprintf(text, sizeof(text), "%.*s", WEIR_TEXT(unit));
    struct weir_metric metric = {.name = name, .value = number_of(call), .unit = text, .dimension = {{"Mode", WEIR_STR("a")}, {"Api", WEIR_STR("x")}}};
    if (weir_in_bool_or(call, "high", false))
        metric.high = true;
    weir_metric(call, &metric);
    weir_measure(call, "short", 1, "Count", NULL, WEIR_STR(""));
    if (weir_in_bool_or(call, "fails", false))
        weir_fail(call, "NO", NULL, "as told");
    weir_reply_bytes(call, WEIR_STR("done"), false);
}

static struct gw_route_config routes[] = {
    {.key = {"tick", 4}, .handler = measure},
    {.key = {"read", 4}, .handler = measure, .route_class = WEIR_READ},
    {.key = {"pure", 4}, .handler = measure, .route_class = WEIR_PURE},
};

static int setup(void **state)
{
    (void)state;
    house_init(&house, routes, sizeof(routes) / sizeof(routes[0]), NULL, 0);
    house.config.figures_off = true;
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

static struct watch_summary seen;

static int on_period(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    (void)context;
    (void)start_s;
    (void)unit;
    seen.count += summary->count;
    seen.sum += summary->sum;
    return 0;
}

static const struct watch_dimension mode[] = {{{"Mode", 4}, {"a", 1}}, {{"Api", 3}, {"x", 1}}};

/* Values of a metric, as anybody reads it. */
static double count_in(struct store *store, const char *space, const char *name, size_t dimensions)
{
    struct arena arena;
    struct store_view view = {.store = store, .snapshot = store_snapshot_acquire(store, STORE_READERS_MAX - 1), .now_s = clock_wall_ms() / 1000};
    struct watch_query query = {.name = {.space = text_of(space), .name = text_of(name), .dimension = mode, .dimensions = dimensions}, .start_s = clock_wall_ms() / 1000 - 3600,
        .end_s = clock_wall_ms() / 1000 + 3600, .period_s = 60, .unit = -1, .now_ms = clock_wall_ms()};
    seen = (struct watch_summary){0};
    arena_init(&arena, 4096, 16 << 20);
    assert_int_equal(watch_metric_read(&view, &arena, &query, on_period, NULL), 0);
    arena_fini(&arena);
    store_snapshot_release(store, STORE_READERS_MAX - 1);
    return seen.count;
}

static double count_of(const char *name)
{
    return count_in(house.store, "app-dev", name, 2);
}

static void say(int fd, const char *message, const char *expected)
{
    char out[4096];
    ws_say(fd, message);
    ws_read(fd, out, sizeof(out), NULL);
    if (!strstr(out, expected))
        fail_msg("\"%s\" is not in %s", expected, out);
}

/* ---- tests ---- */

static void in_the_tick_it_is_part_of_the_call(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"tick\",\"v\":7}", "done");
    assert_true(count_of("m") == 1 && seen.sum == 7); /* it is there when the answer is */
    assert_true(count_in(house.store, "app-dev", "short", 0) == 1);
    say(fd, "{\"action\":\"tick\",\"v\":7,\"fails\":true}", "\"NO\"");
    say(fd, "{\"action\":\"tick\",\"v\":5}", "done");
    assert_true(count_of("m") == 2 && seen.sum == 12);
    ws_shut(fd);
}

static void elsewhere_it_is_gathered(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"read\",\"v\":3,\"name\":\"r\"}", "done");
    say(fd, "{\"action\":\"pure\",\"v\":4,\"name\":\"p\"}", "done");
    say(fd, "{\"action\":\"read\",\"v\":3,\"name\":\"r\",\"fails\":true}", "\"NO\"");
    say(fd, "{\"action\":\"pure\",\"v\":4,\"name\":\"p\",\"fails\":true}", "\"NO\"");
    house_advance(&house, 1100);
    WAIT_FOR(count_of("p") > 0);
    assert_true(count_of("r") == 1 && seen.sum == 3);
    assert_true(count_of("p") == 1 && seen.sum == 4);
    say(fd, "{\"action\":\"pure\",\"v\":6,\"name\":\"p\"}", "done");
    house_advance(&house, 1100);
    WAIT_FOR(count_of("p") == 2);
    assert_true(seen.sum == 10);
    ws_shut(fd);
}

static void a_wrong_one_fails_its_call(void **state)
{
    static const char *const classes[] = {"tick", "read", "pure"};
    char message[512], name[300];
    (void)state;
    int fd = house_socket(&house);
    memset(name, 'n', sizeof(name));
    name[256] = 0;
    for (int i = 0; i < 3; i++) {
        snprintf(message, sizeof(message), "{\"action\":\"%s\",\"v\":1,\"unit\":\"Parsecs\"}", classes[i]);
        say(fd, message, "\"INTERNAL\"");
        snprintf(message, sizeof(message), "{\"action\":\"%s\",\"v\":1,\"name\":\"%s\"}", classes[i], name);
        say(fd, message, "1 to 255 bytes");
    }
    assert_true(count_in(house.store, "app-dev", "short", 0) == 0);
    ws_shut(fd);
}

static void a_series_too_many_is_left_out(void **state)
{
    (void)state;
    int64_t refused = counter_read(COUNTER_watch_series_refused);
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"tick\",\"v\":1,\"name\":\"first\"}", "done");
    watch_cache_series_limit(house.gateway->house->cache, 2); /* no call runs; the program's own may have come since, too */
    say(fd, "{\"action\":\"tick\",\"v\":1,\"name\":\"second\"}", "done");
    say(fd, "{\"action\":\"pure\",\"v\":1,\"name\":\"third\"}", "done");
    house_advance(&house, 1100);
    WAIT_FOR(counter_read(COUNTER_watch_series_refused) - refused >= 2);
    assert_true(count_of("first") == 1 && count_of("second") == 0 && count_of("third") == 0);
    WAIT_FOR(count_in(house.store, "app-dev", "short", 0) == 3);
    ws_shut(fd);
}

/* Any thread gathers; the state thread's figures go with the first io thread's. */
static int add_in_tick(struct tick *tick, struct tick_call *call)
{
    static const struct watch_name name = {.space = {"own", 3}, .name = {"state", 5}};
    (void)tick;
    (void)call;
    struct watch_tally *tally = gw_tally_state(house.gateway);
    watch_tally_add(tally, watch_tally_place(tally, &name, WATCH_UNIT_COUNT, false), 2, 1);
    return 0;
}

static void an_orderly_stop_puts_what_was_gathered(void **state)
{
    static const struct watch_name name = {.space = {"own", 3}, .name = {"services", 8}};
    struct tick_call call = {.run = add_in_tick};
    struct err err = {0};
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"pure\",\"v\":1,\"name\":\"last\"}", "done");
    ws_shut(fd);
    WAIT_FOR(counter_read(COUNTER_ws_connections) == 0);
    tick_stop(house.tick); /* as house_stop does */
    net_server_stop(house.net);
    must(tick_run_now(house.tick, &call, &err), &err);
    struct watch_tally *services = gw_tally(&house.gateway->io[house.gateway->io_count]);
    watch_tally_add(services, watch_tally_place(services, &name, WATCH_UNIT_COUNT, false), 3, 1);
    gateway_stop(house.gateway);
    assert_true(count_of("last") == 1);
    assert_true(count_in(house.store, "own", "services", 0) == 1 && seen.sum == 3);
    assert_true(count_in(house.store, "own", "state", 0) == 1 && seen.sum == 2);
    tick_destroy(house.tick);
    worker_pool_destroy(house.workers);
    net_server_destroy(house.net);
    gateway_destroy(house.gateway);
    journal_close(house.journal);
    store_close(house.store);
    house_fini(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_the_tick_it_is_part_of_the_call, setup, teardown),
        cmocka_unit_test_setup_teardown(elsewhere_it_is_gathered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_one_fails_its_call, setup, teardown),
        cmocka_unit_test_setup_teardown(a_series_too_many_is_left_out, setup, teardown),
        cmocka_unit_test_setup(an_orderly_stop_puts_what_was_gathered, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
