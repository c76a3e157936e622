/*
 * What outlives a call: durable requests, deferred calls, retained messages, revocations. The server is stopped in between and started again on its folder; what was
 * promised happens, once. And routes to backends that are silent, die or fail.
 */
#include "gateway/house.h"

static struct house house;
static struct backend backend;
static atomic_int answered, reminded;
static int64_t request_ms; /* real time: libcurl's clock is its own */
static char answer_seen[512];

static struct weir_table things = {.name = "things-{env}", .hash = "id", .hash_type = WEIR_S};
static struct weir_table *tables[] = {&things};

static void count_up(struct weir_call *call, const char *id)
{
    struct weir_item *key = weir_item(call), *item = weir_item(call);
    weir_item_text(key, "id", weir_text_of(id));
    const struct weir_item *old = weir_get(call, &things, key);
    weir_item_text(item, "id", weir_text_of(id));
    weir_item_integer(item, "n", old ? weir_get_integer(old, "n", 0) + 1 : 1);
    weir_put(call, &things, item);
}

static void on_ask(struct weir_call *call)
{
    struct weir_fetch fetch = {.url = weir_text_of(backend.url), .body = WEIR_STR("{}"), .then = "@answer", .context = WEIR_STR("{\"k\":1}"), .attempts = 2, .timeout_ms = request_ms};
    weir_fetch(call, &fetch);
    weir_ack(call);
}

static void on_answer(struct weir_call *call)
{
    count_up(call, "answers");
    if (weir_failed(call))
        return;
    struct weir_text body = weir_body(call);
    snprintf(answer_seen, sizeof(answer_seen), "%.*s", WEIR_TEXT(body));
    atomic_fetch_add(&answered, 1);
}

static void on_fail(struct weir_call *call)
{
    weir_fail(call, "NO", NULL, "never");
}

static void on_ask_fail(struct weir_call *call)
{
    struct weir_fetch fetch = {.url = weir_text_of(backend.url), .then = "@fail"};
    weir_fetch(call, &fetch);
    weir_ack(call);
}

static void on_later(struct weir_call *call)
{
    weir_later(call, 60000, "@remind", NULL);
    weir_ack(call);
}

static void on_later_ask(struct weir_call *call)
{
    weir_later(call, 60000, "@ask", NULL);
    weir_ack(call);
}

static void on_remind(struct weir_call *call)
{
    count_up(call, "reminders");
    if (!weir_failed(call))
        atomic_fetch_add(&reminded, 1);
}

static void on_count(struct weir_call *call)
{
    struct weir_item *key = weir_item(call);
    weir_item_text(key, "id", weir_in_text(call, "id", 1, 64));
    const struct weir_item *item = weir_get(call, &things, key);
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member_integer(json, "n", item ? weir_get_integer(item, "n", 0) : 0);
    weir_end(json);
    weir_reply(call, json);
}

static void on_last(struct weir_call *call)
{
    uint64_t sequence;
    struct weir_text last = weir_room_last(call, WEIR_STR("r"), &sequence);
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_name(json, "last");
    weir_raw(json, last);
    weir_name(json, "known");
    weir_boolean(json, sequence > 0);
    weir_end(json);
    weir_reply(call, json);
}

static void on_join(struct weir_call *call)
{
    weir_join(call, WEIR_STR("r"));
    weir_ack(call);
}

enum { HOOK = 11 };
static char hook[64];
static struct gw_route_config routes[] = {
    {.key = {"ask", 3}, .handler = on_ask},
    {.key = {"askFail", 7}, .handler = on_ask_fail},
    {.key = {"@answer", 7}, .handler = on_answer},
    {.key = {"@fail", 5}, .handler = on_fail},
    {.key = {"later", 5}, .handler = on_later},
    {.key = {"@remind", 7}, .handler = on_remind},
    {.key = {"@ask", 4}, .handler = on_ask},
    {.key = {"laterAsk", 8}, .handler = on_later_ask},
    {.key = {"count", 5}, .handler = on_count, .route_class = WEIR_READ},
    {.key = {"last", 4}, .handler = on_last, .route_class = WEIR_READ},
    {.key = {"join", 4}, .handler = on_join},
    [HOOK] = {.key = {"hook", 4}, .url = {hook, 0}, .has_response = true},
};

static int setup(void **state)
{
    (void)state;
    answered = reminded = 0;
    request_ms = 29000;
    routes[HOOK].timeout_ms = 29000;
    backend_start(&backend);
    strcpy(hook, backend.url);
    routes[HOOK].url = text_of(hook);
    house_init(&house, routes, sizeof(routes) / sizeof(routes[0]), tables, 1);
    house.api.retain_rooms = true;
    house.io_threads = 2;
    house_start(&house);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    house_stop(&house);
    backend_stop(&backend);
    house_fini(&house);
    return 0;
}

static void restart(void)
{
    house_stop(&house);
    house_start(&house);
}

static void say(int fd, const char *message, const char *expected)
{
    char out[4096];
    ws_say(fd, message);
    ws_read(fd, out, sizeof(out), NULL);
    if (!strstr(out, expected))
        fail_msg("%s: %s", message, out);
}

static void an_answer_is_a_call_and_takes_the_row_along(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"ask\"}", "\"ack\"");
    WAIT_FOR(answered == 1);
    WAIT_FOR(house_rows(&house, STORE_SPACE_FETCH) == 0);
    assert_string_equal(answer_seen, "{\"status\":200,\"body\":\"fine\",\"context\":{\"k\":1}}");
    say(fd, "{\"action\":\"count\",\"id\":\"answers\"}", "{\"n\":1}");
    assert_int_equal(house.gateway->fetches, 0);
    assert_int_equal(house.gateway->fetch_bytes, 0);
    ws_shut(fd);
}

static void a_request_without_an_answer_is_sent_again_after_a_restart(void **state)
{
    (void)state;
    backend.mood = BACKEND_SILENT;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"ask\"}", "\"ack\"");
    WAIT_FOR(backend.asked == 1);
    assert_int_equal(house_rows(&house, STORE_SPACE_FETCH), 1);
    close(fd);
    restart();
    WAIT_FOR(backend.asked == 2);
    assert_int_equal(answered, 0);
    backend.mood = BACKEND_ANSWERS;
    restart();
    WAIT_FOR(answered == 1);
    WAIT_FOR(house_rows(&house, STORE_SPACE_FETCH) == 0);
    restart();
    fd = house_socket(&house);
    say(fd, "{\"action\":\"count\",\"id\":\"answers\"}", "{\"n\":1}");
    assert_int_equal(backend.asked, 3);
    assert_int_equal(answered, 1);
    ws_shut(fd);
}

static void wait_for_row(struct house *h)
{
    WAIT_FOR(house_rows(h, STORE_SPACE_FETCH) == 1);
}

/* A deferred call that is due runs before the services have looked for what an earlier run left. */
static void a_request_of_this_run_is_not_taken_for_one_that_was_left(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"laterAsk\"}", "\"ack\"");
    close(fd);
    house_stop(&house);
    clock_advance(61000);
    house.ticking = wait_for_row;
    house_start(&house);
    house.ticking = NULL;
    WAIT_FOR(answered == 1);
    WAIT_FOR(house_rows(&house, STORE_SPACE_FETCH) == 0);
    fd = house_socket(&house);
    say(fd, "{\"action\":\"count\",\"id\":\"answers\"}", "{\"n\":1}");
    assert_int_equal(backend.asked, 1);
    ws_shut(fd);
}

static void attempts_end_and_the_route_hears_it(void **state)
{
    (void)state;
    backend.mood = BACKEND_FAILS;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"ask\"}", "\"ack\"");
    WAIT_FOR(backend.asked >= 1); /* the second attempt comes after a second of real time, too: a slow machine may see both at once */
    HOUSE_UNTIL(&house, backend.asked == 2);
    WAIT_FOR(answered == 1);
    assert_string_equal(answer_seen, "{\"status\":500,\"body\":\"no\",\"context\":{\"k\":1}}");
    WAIT_FOR(house_rows(&house, STORE_SPACE_FETCH) == 0);
    ws_shut(fd);
}

static void a_route_that_fails_does_not_ask_for_ever(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"askFail\"}", "\"ack\"");
    WAIT_FOR(backend.asked == 1);
    WAIT_FOR(house_rows(&house, STORE_SPACE_FETCH) == 0);
    restart();
    close(fd);
    fd = house_socket(&house);
    say(fd, "{\"action\":\"count\",\"id\":\"x\"}", "{\"n\":0}");
    assert_int_equal(backend.asked, 1);
    ws_shut(fd);
}

static void an_answer_waits_for_the_disk(void **state)
{
    char out[512];
    (void)state;
    request_ms = 100;
    backend.mood = BACKEND_SILENT;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"ask\"}", "\"ack\"");
    WAIT_FOR(backend.asked >= 1);
    house.full = true;
    WAIT_FOR(tick_writable(house.tick) == ERR_DISK_FULL);
    say(fd, "{\"action\":\"later\"}", "DISK_FULL");
    say(fd, "{\"action\":\"count\",\"id\":\"answers\"}", "{\"n\":0}"); /* reads go on */
    assert_int_equal(house_request(&house, "GET", "/healthz", "", "", out, sizeof(out)), 503);
    backend.mood = BACKEND_ANSWERS;
    HOUSE_UNTIL(&house, backend.asked == 2); /* the first attempt times out */
    assert_int_equal(backend.asked, 2);
    for (int i = 0; i < 20; i++)
        house_advance(&house, 1000);
    say(fd, "{\"action\":\"count\",\"id\":\"answers\"}", "{\"n\":0}");
    assert_int_equal(house_rows(&house, STORE_SPACE_FETCH), 1);
    house.full = false;
    HOUSE_UNTIL(&house, house_rows(&house, STORE_SPACE_FETCH) == 0);
    say(fd, "{\"action\":\"count\",\"id\":\"answers\"}", "{\"n\":1}");
    WAIT_FOR(house_request(&house, "GET", "/healthz", "", "", out, sizeof(out)) == 200);
    ws_shut(fd);
}

static int find_name(void *context, struct text key, struct text value)
{
    const char **name = context;
    (void)key;
    return memmem(value.data, value.len, *name, strlen(*name)) != NULL;
}

static bool is_deferred(const char *name)
{
    struct arena arena;
    struct store_view view = {.store = house.store, .snapshot = store_snapshot_acquire(house.store, STORE_READERS_MAX - 1), .now_s = clock_wall_ms() / 1000};
    arena_init(&arena, 4096, 16 << 20);
    int found = store_raw_scan(&view, STORE_SPACE_DEFERRED, TEXT(""), &arena, find_name, &name);
    arena_fini(&arena);
    store_snapshot_release(house.store, STORE_READERS_MAX - 1);
    return found > 0;
}

static void a_deferred_call_runs_once_also_after_a_restart(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"later\"}", "\"ack\"");
    close(fd);
    house_advance(&house, 30000);
    restart();
    assert_int_equal(reminded, 0);
    house_advance(&house, 31000);
    WAIT_FOR(reminded == 1);
    WAIT_FOR(!is_deferred("app/@remind"));
    restart();
    house_advance(&house, 3600000);
    fd = house_socket(&house);
    say(fd, "{\"action\":\"count\",\"id\":\"reminders\"}", "{\"n\":1}");
    assert_int_equal(reminded, 1);
    ws_shut(fd);
}

static void the_newest_message_of_a_room_is_kept(void **state)
{
    char out[512];
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"last\"}", "{\"last\":null,\"known\":false}");
    say(fd, "{\"action\":\"join\"}", "\"ack\"");
    assert_int_equal(house_request(&house, "POST", "/app/@rooms/r", "", "{\"v\":1}", out, sizeof(out)), 200);
    assert_string_equal(out, "{\"delivered\":1,\"dropped\":0,\"gone\":0}");
    ws_expect(fd, "{\"v\":1}");
    assert_int_equal(house_request(&house, "POST", "/app/@rooms/r", "", "{\"v\":2}", out, sizeof(out)), 200);
    ws_expect(fd, "{\"v\":2}");
    close(fd);
    restart();
    fd = house_socket(&house);
    say(fd, "{\"action\":\"last\"}", "{\"last\":{\"v\":2},\"known\":true}");
    ws_shut(fd);
}

static void a_backend_that_dies_costs_an_answer_and_opens_the_circuit(void **state)
{
    (void)state;
    backend.mood = BACKEND_DIES;
    int fd = house_socket(&house);
    for (int i = 0; i < 5; i++)
        say(fd, "{\"action\":\"hook\"}", "{\"message\": \"Internal server error\", \"connectionId\":\"");
    assert_true(backend.asked >= 5);
    int asked = backend.asked;
    backend.mood = BACKEND_ANSWERS;
    say(fd, "{\"action\":\"hook\"}", "Internal server error"); /* at once, and nobody is asked */
    assert_int_equal(backend.asked, asked);
    house_advance(&house, 10001);
    say(fd, "{\"action\":\"hook\"}", "fine");
    say(fd, "{\"action\":\"hook\"}", "fine");
    ws_shut(fd);
}

static void a_silent_backend_is_late(void **state)
{
    char out[512];
    (void)state;
    routes[HOOK].timeout_ms = 2000; /* of real time */
    house_stop(&house);
    house_start(&house);
    backend.mood = BACKEND_SILENT;
    int fd = house_socket(&house);
    ws_say(fd, "{\"action\":\"hook\"}");
    ws_say(fd, "{\"action\":\"count\",\"id\":\"x\"}"); /* its lane waits */
    WAIT_FOR(backend.asked == 1);
    int other = house_socket(&house);
    say(other, "{\"action\":\"count\",\"id\":\"x\"}", "{\"n\":0}"); /* nobody else does */
    ws_read(fd, out, sizeof(out), NULL);
    assert_non_null(strstr(out, "{\"message\": \"Endpoint request timed out\""));
    ws_expect(fd, "{\"n\":0}");
    ws_shut(fd);
    ws_shut(other);
}

static void stopping_with_requests_under_way_leaves_nothing(void **state)
{
    (void)state;
    backend.mood = BACKEND_SILENT;
    int fd[8];
    for (int i = 0; i < 8; i++) {
        fd[i] = house_socket(&house);
        ws_say(fd[i], "{\"action\":\"hook\"}");
        ws_say(fd[i], "{\"action\":\"count\",\"id\":\"x\"}");
    }
    WAIT_FOR(backend.asked == 8);
    restart(); /* the sanitizers look for what is lost */
    for (int i = 0; i < 8; i++)
        close(fd[i]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_answer_is_a_call_and_takes_the_row_along),
        T(a_request_without_an_answer_is_sent_again_after_a_restart),
        T(a_request_of_this_run_is_not_taken_for_one_that_was_left),
        T(attempts_end_and_the_route_hears_it),
        T(a_route_that_fails_does_not_ask_for_ever),
        T(an_answer_waits_for_the_disk),
        T(a_deferred_call_runs_once_also_after_a_restart),
        T(the_newest_message_of_a_room_is_kept),
        T(a_backend_that_dies_costs_an_answer_and_opens_the_circuit),
        T(a_silent_backend_is_late),
        T(stopping_with_requests_under_way_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
