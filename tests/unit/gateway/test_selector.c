/* Route selection expressions in all forms of API Gateway's guide, and the way from a message to its route. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/internal.h"

static void handler(struct weir_call *call)
{
    (void)call;
}

#define ROUTE(k) {.key = {k, sizeof(k) - 1}, .handler = handler, .route_class = WEIR_PURE}

static struct gw_route_config routes[] = {ROUTE("send"), ROUTE("a/b"), ROUTE("v1-send"), ROUTE("7"), ROUTE("true"), ROUTE("x"), ROUTE("$default"),
    ROUTE("$connect"), ROUTE("$disconnect"), ROUTE("@later"), ROUTE("GET /x"), ROUTE("[1,2]"), ROUTE("/"), ROUTE("$/b")};

static struct gateway *gateway_with(const char *expression, size_t from, size_t count)
{
    static struct gw_api_config api;
    struct gateway_config config = {.apis = &api, .api_count = 1, .environment = TEXT("dev")};
    struct gateway *gateway = NULL;
    struct err err = {0};
    api = (struct gw_api_config){.name = TEXT("paper"), .route_selection = text_of(expression), .stages = {TEXT("prod")}, .stage_count = 1, .routes = routes + from, .route_count = count};
    assert_int_equal(gateway_create(&gateway, &config, &err), 0);
    return gateway;
}

static const char *selected(const char *expression, const char *message)
{
    static char name[64];
    struct gateway *gateway = gateway_with(expression, 0, sizeof(routes) / sizeof(routes[0]));
    struct arena arena;
    struct text key;
    const struct json *root = NULL;
    arena_init(&arena, 4096, 1 << 20);
    if (json_parse(&arena, text_of(message), JSON_COPY, &root, NULL))
        root = NULL;
    const struct gw_route *route = gw_route_select(&gateway->apis[0], root, &arena, &key);
    snprintf(name, sizeof(name), "%.*s", route ? (int)route->key.len : 4, route ? route->key.data : "none");
    arena_fini(&arena);
    gateway_destroy(gateway);
    return name;
}

static void forms(void **state)
{
    static const struct {
        const char *expression, *message, *route;
    } row[] = {
        {"", "{\"action\":\"send\"}", "send"}, /* the default expression */
        {"$request.body.action", "{\"action\":\"send\"}", "send"},
        {"$request.body.action", "{\"action\":\"nothing\"}", "$default"},
        {"$request.body.action", "{}", "$default"},
        {"$request.body.action", "no json", "$default"},
        {"$request.body.action", "[\"send\"]", "$default"},
        {"$request.body.type", "{\"type\":\"x\",\"action\":\"send\"}", "x"},
        {"$request.body.a.b", "{\"a\":{\"b\":\"send\"}}", "send"},
        {"$request.body.a.b", "{\"a\":\"send\"}", "$default"},
        {"${request.body.action}", "{\"action\":\"send\"}", "send"},
        {"${request.body.a}/${request.body.b}", "{\"a\":\"a\",\"b\":\"b\"}", "a/b"},
        {"${request.body.a}/${request.body.b}", "{\"a\":\"a\"}", "$default"},
        {"${request.body.a}/${request.body.b}", "{}", "/"}, /* what is missing is empty */
        {"v1-${request.body.action}", "{\"action\":\"send\"}", "v1-send"},
        {"send", "{\"action\":\"x\"}", "send"}, /* static text */
        {"\\$default", "{\"action\":\"send\"}", "$default"},
        {"\\$/${request.body.b}", "{\"b\":\"b\"}", "$default"}, /* clients do not choose routes that begin with $ */
        {"$request.body.action", "{\"action\":7}", "7"}, /* stringified */
        {"$request.body.action", "{\"action\":true}", "true"},
        {"$request.body.action", "{\"action\":[1,2]}", "[1,2]"},
        {"$request.body.action", "{\"action\":\"$connect\"}", "$default"},
        {"$request.body.action", "{\"action\":\"$disconnect\"}", "$default"},
        {"$request.body.action", "{\"action\":\"@later\"}", "$default"},
        {"$request.body.action", "{\"action\":\"GET /x\"}", "$default"}, /* a REST route is no message's */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        const char *got = selected(row[i].expression, row[i].message);
        if (strcmp(got, row[i].route) != 0)
            fail_msg("%s on %s: %s, not %s", row[i].expression, row[i].message, got, row[i].route);
    }
}

static void without_default(void **state)
{
    struct gateway *gateway = gateway_with("", 0, 6);
    struct arena arena;
    struct text key;
    const struct json *root = NULL;
    (void)state;
    arena_init(&arena, 4096, 1 << 20);
    assert_null(gw_route_select(&gateway->apis[0], NULL, &arena, &key));
    assert_int_equal(json_parse(&arena, TEXT("{\"action\":\"else\"}"), JSON_COPY, &root, NULL), 0);
    assert_null(gw_route_select(&gateway->apis[0], root, &arena, &key));
    assert_true(text_is(key, "else"));
    arena_fini(&arena);
    gateway_destroy(gateway);
}

static int create(struct gw_api_config *api, size_t count, struct err *err)
{
    struct gateway_config config = {.apis = api, .api_count = count};
    struct gateway *gateway = NULL;
    int code = gateway_create(&gateway, &config, err);
    if (!code)
        gateway_destroy(gateway);
    return code;
}

static void refused_declarations(void **state)
{
    static const char *const wrong[] = {"$request.header.x", "${request.body.a", "$request.body.", "${context.stage}", "${request.body.}",
        "${request.body.a}${request.body.b}${request.body.c}${request.body.d}${request.body.e}${request.body.f}${request.body.g}${request.body.h}${request.body.i}"};
    struct err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct gw_api_config api = {.name = TEXT("paper"), .route_selection = text_of(wrong[i]), .stages = {TEXT("prod")}, .stage_count = 1};
        assert_true(create(&api, 1, &err) < 0);
        assert_non_null(strstr(err.text, "paper"));
    }
    struct gw_route_config twice[] = {ROUTE("a"), ROUTE("a")}, nothing[] = {{.key = TEXT("a")}}, late[] = {{.key = TEXT("a"), .url = TEXT("http://x/"), .timeout_ms = 30000}};
    struct gw_api_config api = {.name = TEXT("paper"), .stages = {TEXT("prod")}, .stage_count = 1, .routes = twice, .route_count = 2};
    assert_int_equal(create(&api, 1, &err), ERR_DUPLICATE);
    api.routes = nothing;
    api.route_count = 1;
    assert_int_equal(create(&api, 1, &err), ERR_INVALID);
    api.routes = late;
    assert_int_equal(create(&api, 1, &err), ERR_INVALID);
    api.route_count = 0;
    struct gw_api_config both[] = {api, api};
    assert_int_equal(create(both, 2, &err), ERR_DUPLICATE);
    api.auth = WEIR_JWT;
    assert_int_equal(create(&api, 1, &err), ERR_MISSING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(without_default),
        cmocka_unit_test(refused_declarations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
