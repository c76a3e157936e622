/*
 * A route selection expression (the first line) over a message (the rest). What compiles selects a declared route that clients may choose, $default, or none; the
 * choice does not depend on how often it is made.
 */
#include "gateway/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void handler(struct weir_call *call)
{
    (void)call;
}

#define ROUTE(k) {.key = {k, sizeof(k) - 1}, .handler = handler, .route_class = WEIR_PURE}

static struct gw_route_config routes[] = {ROUTE("send"), ROUTE("a/b"), ROUTE("7"), ROUTE("$default"), ROUTE("$connect"), ROUTE("$disconnect"), ROUTE("@later"), ROUTE("GET /x")};

static void select_one(struct gateway *gateway, struct text message)
{
    struct gw_api *api = &gateway->apis[0];
    struct arena arena;
    struct text key, again;
    const struct json *root = NULL;
    arena_init(&arena, 4096, 16 << 20);
    if (json_parse(&arena, message, JSON_COPY, &root, NULL))
        root = NULL;
    const struct gw_route *route = gw_route_select(api, root, &arena, &key);
    ASSERT(route); /* $default is declared */
    ASSERT(!route->rest_path.len && route->key.data[0] != '@' && route != api->on_connect && route != api->on_disconnect);
    ASSERT(route == api->on_default || text_equal(route->key, key));
    ASSERT(gw_route_select(api, root, &arena, &again) == route && text_equal(key, again));
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = text_make((const char *)data, size);
    ptrdiff_t line = text_find(input, '\n', 0);
    size_t split = line < 0 ? size : (size_t)line;
    struct gw_api_config api = {.name = TEXT("paper"), .route_selection = text_make(input.data, split), .stages = {TEXT("prod")}, .stage_count = 1,
        .routes = routes, .route_count = sizeof(routes) / sizeof(routes[0])};
    struct gateway_config config = {.apis = &api, .api_count = 1};
    struct gateway *gateway = NULL;
    struct err err = {0};
    if (gateway_create(&gateway, &config, &err)) {
        ASSERT(err.code && err.text[0]);
        return 0;
    }
    ASSERT(gateway->apis[0].selectors <= sizeof(gateway->apis[0].selector) / sizeof(gateway->apis[0].selector[0]));
    select_one(gateway, line < 0 ? TEXT("") : text_make(input.data + split + 1, size - split - 1));
    gateway_destroy(gateway);
    return 0;
}
