/*
 * What an application is told and tells: its settings, what an error was about, JSON from elsewhere, messages to the other sockets of a user; and requests with a
 * secret that is on no disk.
 */
#include "gateway/house.h"

static struct house house;
static struct backend backend;
static atomic_int answered;
static char answer_seen[512];

static const struct weir_setting declared[] = {
    {"bot", WEIR_SETTING_WORD, "", "echo", NULL, 0, 0},
    {"bot.timeout", WEIR_SETTING_DURATION, "", "20000", NULL, 0, 0},
    {"bot.key", WEIR_SETTING_ENV, "", NULL, NULL, 0, 0},
    {0},
};
static const struct weir_app app = {.name = "app", .settings = declared};
static struct text values[3];

static void on_settings(struct weir_call *call)
{
    static const char *const names[] = {"bot", "bot.timeout", "bot.key", "other"};
    struct weir_json *json = weir_json(call);
    weir_array(json);
    for (int i = 0; i < 4; i++) {
        weir_string(json, weir_setting(call, names[i]));
        weir_integer(json, weir_setting_integer(call, names[i]));
    }
    weir_end(json);
    weir_reply(call, json);
}

static void on_fail(struct weir_call *call)
{
    char longest[600];
    memset(longest, 'x', sizeof(longest));
    weir_context(call, "first", weir_in_text(call, "text", 1, 64));
    weir_context_integer(call, "second", -7);
    weir_context(call, "long", (struct weir_text){longest, sizeof(longest)});
    weir_context(call, "unclean", WEIR_STR("a\x01z"));
    weir_fail(call, "NO", "text", "never");
    for (int i = 0; i < 12; i++)
        weir_context_integer(call, "more", i);
}

static void on_parse(struct weir_call *call)
{
    struct weir_text text = WEIR_STR("none");
    const struct weir_value *value = weir_parse(call, weir_in_text(call, "json", 0, 1000));
    bool is_text = weir_value_text(weir_value_get(value, "m"), &text);
    struct weir_json *json = weir_json(call);
    weir_array(json);
    weir_boolean(json, value != NULL);
    weir_boolean(json, is_text);
    weir_string(json, text);
    weir_end(json);
    weir_reply(call, json);
}

static void on_others(struct weir_call *call)
{
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member(json, "for", WEIR_STR("the others"));
    weir_end(json);
    weir_send_others(call, weir_user_id(call), json);
    weir_ack(call);
}

static void on_ask(struct weir_call *call)
{
    weir_fetch(call, &(struct weir_fetch){.url = weir_text_of(backend.url), .then = "@answer", .bearer = "bot.key", .answer_max = (size_t)weir_in_integer(call, "max", 0, 1000)});
    weir_ack(call);
}

/* A row as it was written before it had a bearer and a bound. */
static void on_ask_old(struct weir_call *call)
{
    char id[TICK_ID_TEXT + 1];
    struct buf row;
    tick_id(call->tick, id);
    buf_init(&row, 4096);
    buf_add_bytes(&row, TEXT("app"));
    buf_add_bytes(&row, TEXT("POST"));
    buf_add_bytes(&row, text_of(backend.url));
    buf_add_bytes(&row, TEXT(""));
    buf_add_bytes(&row, TEXT("{}"));
    buf_add_bytes(&row, TEXT("@answer"));
    buf_add_bytes(&row, TEXT(""));
    buf_add_varint(&row, 29000);
    buf_add_varint(&row, 1);
    assert_int_equal(store_raw_put(tick_stage(call->tick), STORE_SPACE_FETCH, text_make(id, TICK_ID_TEXT), buf_text(&row)), 0);
    call->wrote = true;
    buf_fini(&row);
    weir_ack(call);
}

static void on_answer(struct weir_call *call)
{
    struct weir_text body = weir_body(call);
    snprintf(answer_seen, sizeof(answer_seen), "%.*s", WEIR_TEXT(body));
    atomic_fetch_add(&answered, 1);
}

static struct gw_route_config routes[] = {
    {.key = {"settings", 8}, .handler = on_settings, .route_class = WEIR_PURE},
    {.key = {"fail", 4}, .handler = on_fail},
    {.key = {"POST /fail", 10}, .handler = on_fail, .route_class = WEIR_PURE},
    {.key = {"parse", 5}, .handler = on_parse, .route_class = WEIR_PURE},
    {.key = {"others", 6}, .handler = on_others},
    {.key = {"others-pure", 11}, .handler = on_others, .route_class = WEIR_PURE},
    {.key = {"ask", 3}, .handler = on_ask},
    {.key = {"askOld", 6}, .handler = on_ask_old},
    {.key = {"@answer", 7}, .handler = on_answer},
};

static int setup(void **state)
{
    (void)state;
    answered = 0;
    memset(values, 0, sizeof(values));
    backend_start(&backend);
    house_init(&house, routes, sizeof(routes) / sizeof(routes[0]), NULL, 0);
    house.api.app = &app;
    house.api.auth = WEIR_CLAIMED;
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

static void say(int fd, const char *message, const char *expected)
{
    ws_say(fd, message);
    ws_expect(fd, expected);
}

static void a_setting_has_its_value_or_its_default(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"settings\"}", "[\"echo\",0,\"20000\",20000,\"\",0,\"\",0]");
    ws_shut(fd);
    house_stop(&house);
    house.api.settings = values;
    values[1] = TEXT("5");
    values[2] = TEXT("sk-1");
    house_start(&house);
    fd = house_socket(&house);
    say(fd, "{\"action\":\"settings\"}", "[\"echo\",0,\"5\",5,\"sk-1\",0,\"\",0]");
    assert_true(text_is(text_make(weir_settings_get((const struct weir_settings *)&house.api, "bot.key").data, 4), "sk-1"));
    ws_shut(fd);
}

static void an_error_tells_what_it_was_about(void **state)
{
    char out[2048];
    (void)state;
    int fd = house_socket(&house);
    const char *about = "\"first\":\"t\",\"second\":-7,\"more\":0,\"more\":1,\"more\":2,\"more\":3,\"more\":4,\"more\":5}";
    ws_say(fd, "{\"action\":\"fail\",\"text\":\"t\"}");
    ws_read(fd, out, sizeof(out), NULL);
    assert_non_null(strstr(out, "\"error\":\"NO\""));
    assert_non_null(strstr(out, about));
    assert_int_equal(house_request(&house, "POST", "/app/fail", "", "{\"text\":\"t\"}", out, sizeof(out)), 400);
    assert_non_null(strstr(out, about));
    ws_shut(fd);
}

static void json_from_elsewhere(void **state)
{
    (void)state;
    int fd = house_socket(&house);
    say(fd, "{\"action\":\"parse\",\"json\":\"{\\\"m\\\":\\\"x\\\"}\"}", "[true,true,\"x\"]");
    say(fd, "{\"action\":\"parse\",\"json\":\"{\\\"m\\\":1}\"}", "[true,false,\"none\"]");
    say(fd, "{\"action\":\"parse\",\"json\":\"{\\\"m\\\":\\\"x\"}", "[false,false,\"none\"]");
    say(fd, "{\"action\":\"parse\",\"json\":\"\"}", "[false,false,\"none\"]");
    ws_shut(fd);
}

/* Over both io threads, from the tick and from the connection's own thread. */
static void the_others_of_a_user(void **state)
{
    (void)state;
    int fd[4], stranger = house_socket_with(&house, "/app?userId=bob", "", NULL);
    for (int i = 0; i < 4; i++)
        fd[i] = house_socket_with(&house, "/app?userId=ada", "", NULL);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 4; i++) {
            char out[256];
            ws_say(fd[i], round ? "{\"action\":\"others-pure\"}" : "{\"action\":\"others\"}");
            ws_read(fd[i], out, sizeof(out), NULL);
            assert_non_null(strstr(out, "\"ack\""));
            for (int k = 0; k < 4; k++)
                if (k != i)
                    ws_expect(fd[k], "{\"for\":\"the others\"}");
        }
    say(stranger, "{\"action\":\"settings\"}", "[\"echo\",0,\"20000\",20000,\"\",0,\"\",0]");
    for (int i = 0; i < 4; i++)
        ws_shut(fd[i]);
    ws_shut(stranger);
}

static void an_answer_beyond_its_bound_is_an_error(void **state)
{
    char out[256];
    (void)state;
    int fd = house_socket(&house);
    ws_say(fd, "{\"action\":\"ask\",\"max\":3}"); /* the backend says "fine" */
    ws_read(fd, out, sizeof(out), NULL);
    for (int i = 0; i < 3 && !answered; i++)
        WAIT_FOR((house_advance(&house, 1000), answered == 1));
    assert_string_equal(answer_seen, "{\"error\":\"TOO_LARGE\",\"context\":null}");
    ws_say(fd, "{\"action\":\"ask\",\"max\":4}");
    ws_read(fd, out, sizeof(out), NULL);
    WAIT_FOR(answered == 2);
    assert_string_equal(answer_seen, "{\"status\":200,\"body\":\"fine\",\"context\":null}");
    ws_shut(fd);
}

static int look_for_secret(void *context, struct text key, struct text value)
{
    (void)key;
    *(bool *)context = *(bool *)context || memmem(value.data, value.len, "sk-1", 4);
    return 0;
}

static void a_secret_is_sent_and_not_stored(void **state)
{
    char out[256];
    (void)state;
    house_stop(&house);
    house.api.settings = values;
    values[2] = TEXT("sk-1");
    house_start(&house);
    backend.mood = BACKEND_SILENT;
    int fd = house_socket(&house);
    ws_say(fd, "{\"action\":\"ask\",\"max\":0}");
    ws_read(fd, out, sizeof(out), NULL);
    WAIT_FOR(backend.asked == 1);
    WAIT_FOR(house_rows(&house, STORE_SPACE_FETCH) == 1);
    bool seen = false;
    struct arena arena;
    struct store_view view = {.store = house.store, .snapshot = store_snapshot_acquire(house.store, STORE_READERS_MAX - 1)};
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(store_raw_scan(&view, STORE_SPACE_FETCH, TEXT(""), &arena, look_for_secret, &seen), 0);
    arena_fini(&arena);
    store_snapshot_release(house.store, STORE_READERS_MAX - 1);
    assert_false(seen);
    assert_string_equal(backend.authorization, "Bearer sk-1");
    close(fd);
}

static void a_row_of_an_older_version_is_sent(void **state)
{
    char out[256];
    (void)state;
    int fd = house_socket(&house);
    ws_say(fd, "{\"action\":\"askOld\"}");
    ws_read(fd, out, sizeof(out), NULL);
    close(fd);
    house_stop(&house);
    house_start(&house);
    WAIT_FOR(answered == 1);
    WAIT_FOR(house_rows(&house, STORE_SPACE_FETCH) == 0);
    assert_int_equal(backend.asked, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_setting_has_its_value_or_its_default),
        T(an_error_tells_what_it_was_about),
        T(json_from_elsewhere),
        T(the_others_of_a_user),
        T(an_answer_beyond_its_bound_is_an_error),
        T(a_secret_is_sent_and_not_stored),
        T(a_row_of_an_older_version_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
