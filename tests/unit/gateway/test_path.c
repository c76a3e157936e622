/* Addresses: API, stage and the rest of a path; REST patterns with their parameters; which Host is local. The file under test is part of this program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/http.c"

static void handler(struct weir_call *call)
{
    (void)call;
}

#define ROUTE(k) {.key = {k, sizeof(k) - 1}, .handler = handler, .route_class = WEIR_PURE}

static struct gw_route_config routes[] = {ROUTE("GET /"), ROUTE("GET /items"), ROUTE("POST /items"), ROUTE("GET /items/{id}"), ROUTE("POST /tournaments/{id}/start"),
    ROUTE("ANY /any/{a}/{b}"), ROUTE("GET /items/special")};
static struct gw_api_config apis[] = {
    {.name = {"one", 3}, .stages = {{"prod", 4}, {"dev", 3}}, .stage_count = 2, .routes = routes, .route_count = sizeof(routes) / sizeof(routes[0])},
    {.name = {"one-more", 8}, .stages = {{"v1", 2}}, .stage_count = 1},
};
static struct gateway *house;

static int setup(void **state)
{
    struct gateway_config config = {.apis = apis, .api_count = 2};
    struct err err = {0};
    (void)state;
    return gateway_create(&house, &config, &err);
}

static int teardown(void **state)
{
    (void)state;
    gateway_destroy(house);
    return 0;
}

static void mounts_and_stages(void **state)
{
    static const struct {
        const char *path, *api;
        unsigned stage;
        const char *rest;
    } row[] = {
        {"/one", "one", 0, ""}, {"/one/", "one", 0, "/"}, {"/one/prod", "one", 0, ""}, {"/one/dev", "one", 1, ""}, {"/one/dev/", "one", 1, "/"},
        {"/one/dev/items", "one", 1, "/items"}, {"/one/items", "one", 0, "/items"}, {"/one/develop", "one", 0, "/develop"}, {"/one-more/v1/x", "one-more", 0, "/x"},
        {"/one/@connections/a", "one", 0, "/@connections/a"}, {"/one/dev/prod", "one", 1, "/prod"},
        {"/", NULL, 0, ""}, {"", NULL, 0, ""}, {"one", NULL, 0, ""}, {"//one", NULL, 0, ""}, {"/ONE", NULL, 0, ""}, {"/one-", NULL, 0, ""}, {"/on", NULL, 0, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct text rest = TEXT_NONE;
        uint8_t stage = 0;
        struct gw_api *api = gw_path_api(house, text_of(row[i].path), &stage, &rest);
        if (!row[i].api) {
            assert_null(api);
            continue;
        }
        assert_non_null(api);
        assert_true(text_is(api->id, row[i].api));
        assert_int_equal(stage, row[i].stage);
        if (!text_is(rest, row[i].rest))
            fail_msg("%s: the rest is %.*s", row[i].path, TEXT_FMT(rest));
    }
}

static void rest_patterns(void **state)
{
    static const struct {
        const char *method, *path, *route, *params;
    } row[] = {
        {"GET", "/", "GET /", ""}, {"GET", "/items", "GET /items", ""}, {"GET", "/items/", "GET /items", ""}, {"POST", "/items", "POST /items", ""},
        {"GET", "/items/7", "GET /items/{id}", "id=7;"}, {"GET", "/items/special", "GET /items/{id}", "id=special;"}, /* in order of declaration */
        {"POST", "/tournaments/t-1/start", "POST /tournaments/{id}/start", "id=t-1;"}, {"DELETE", "/any/1/2", "ANY /any/{a}/{b}", "a=1;b=2;"},
        {"GET", "/items/7/8", NULL, ""}, {"GET", "/tournaments//start", NULL, ""}, {"GET", "/itemsx", NULL, ""}, {"GET", "/any/1", NULL, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct gw_header params[GW_PATH_PARAMS_MAX];
        char shown[128] = "";
        size_t count = 0, len = 0;
        bool known = false;
        const struct gw_route *route = rest_route(&house->apis[0], text_of(row[i].method), text_of(row[i].path), params, &count, &known);
        if (!row[i].route) {
            assert_null(route);
            continue;
        }
        if (!route)
            fail_msg("%s %s has no route", row[i].method, row[i].path);
        assert_true(text_is(route->key, row[i].route));
        for (size_t p = 0; p < count; p++)
            len += (size_t)snprintf(shown + len, sizeof(shown) - len, "%.*s=%.*s;", TEXT_FMT(params[p].name), TEXT_FMT(params[p].value));
        assert_string_equal(shown, row[i].params);
    }
}

static void another_method_is_405(void **state)
{
    struct gw_header params[GW_PATH_PARAMS_MAX];
    size_t count;
    bool known = false;
    (void)state;
    assert_null(rest_route(&house->apis[0], TEXT("DELETE"), TEXT("/items"), params, &count, &known));
    assert_true(known);
    assert_null(rest_route(&house->apis[0], TEXT("DELETE"), TEXT("/nowhere"), params, &count, &known));
    assert_false(known);
}

static void parameters_are_bounded(void **state)
{
    struct gw_header params[GW_PATH_PARAMS_MAX];
    size_t count;
    (void)state;
    assert_true(path_matches(TEXT("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}"), TEXT("/1/2/3/4/5/6/7/8"), params, &count));
    assert_int_equal(count, GW_PATH_PARAMS_MAX);
    assert_false(path_matches(TEXT("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}"), TEXT("/1/2/3/4/5/6/7/8/9"), params, &count));
}

static void hosts(void **state)
{
    static const char *const local[] = {"localhost", "localhost:8080", "LocalHost:1", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:80"};
    static const char *const other[] = {"localhost.evil.example", "127.0.0.1.evil.example", "evil.example", "127.0.0.2", "[::1].evil", "localhostx"};
    (void)state;
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
        assert_true(host_is_local(text_of(local[i])));
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        assert_false(host_is_local(text_of(other[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mounts_and_stages),
        cmocka_unit_test(rest_patterns),
        cmocka_unit_test(another_method_is_405),
        cmocka_unit_test(parameters_are_bounded),
        cmocka_unit_test(hosts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
