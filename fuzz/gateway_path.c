/*
 * Paths as they come from a client: API, stage and rest; REST patterns (the second line) against the rest; the address of the management API within any prefix. Every
 * part lies within the path it was cut from. The files under test are part of this program.
 */
#include "gateway/http.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gw_api_config apis[] = {
    {.name = {"one", 3}, .stages = {{"prod", 4}, {"dev", 3}}, .stage_count = 2},
    {.name = {"a", 1}, .stages = {{"b", 1}}, .stage_count = 1},
};
static struct gateway *gateway;

static bool lies_in(struct text part, struct text whole)
{
    return part.len == 0 || (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void check_pattern(struct text pattern, struct text path)
{
    struct gw_header params[GW_PATH_PARAMS_MAX];
    size_t count = 0;
    if (pattern.len == 0 || pattern.data[0] != '/') /* no route is declared so */
        return;
    bool matches = path_matches(pattern, path, params, &count);
    ASSERT(count <= GW_PATH_PARAMS_MAX);
    for (size_t i = 0; matches && i < count; i++)
        ASSERT(params[i].value.len && lies_in(params[i].value, path) && lies_in(params[i].name, pattern));
    if (matches && count == 0 && path.len == pattern.len)
        ASSERT(text_equal(pattern, path) || text_find(pattern, '{', 0) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gateway_config config = {.apis = apis, .api_count = 2};
    struct err err = {0};
    if (!gateway)
        ASSERT(gateway_create(&gateway, &config, &err) == 0);
    struct text input = text_make((const char *)data, size);
    ptrdiff_t line = text_find(input, '\n', 0);
    struct text path = text_make(input.data, line < 0 ? size : (size_t)line), rest = TEXT_NONE;
    struct text pattern = line < 0 ? TEXT("/items/{id}") : text_make(input.data + line + 1, size - (size_t)line - 1);
    uint8_t stage = 0;
    struct gw_api *api = gw_path_api(gateway, path, &stage, &rest);
    if (api) {
        ASSERT(stage < api->config->stage_count);
        ASSERT(lies_in(rest, path) && (rest.len == 0 || rest.data[0] == '/'));
        check_pattern(pattern, rest);
    }
    check_pattern(pattern, path);
    host_is_local(path);
    return 0;
}
