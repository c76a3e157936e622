/*
 * Thresholds of the performance monitor, instead of those that an application declares, or for routes that have none.
 *
 *   operations:
 *     chat_message_processing: {durationMax: 3s, memoryMax: 30MB, errorRateMax: 5%}
 *     ping: {durationMax: 50ms}
 *
 * A name is that of a declared operation, or the key of a route that none of them stands around. An error rate is a fraction (0.05) or per cent (5%), since the documents write it
 * either way.
 */
#include "main/read.h"

#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>

#define OPERATION(field) offsetof(struct gw_operation_config, field)
#define OPERATIONS_MAX 256 /* of one API */
#define TOKEN_OPERATION "authentication_jwt_verification"

static void read_share(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    char *end = NULL;
    if (!expect_text(r, value, key->name))
        return;
    bool digits = value->text.len && strspn(value->text.data, "0123456789.") + (value->text.data[value->text.len - 1] == '%') == value->text.len;
    double share = digits ? strtod(value->text.data, &end) : -1;
    if (digits && *end == '%') {
        share /= 100;
        end++;
    }
    if (digits && !*end && share >= 0 && share <= 1)
        *(double *)field = share;
    else
        problem(r, value, "'%s' takes a fraction such as 0.05, or per cent such as 5%%, not '%.80s'", key->name, value->text.data);
}

const struct key operation_keys[] = {
    {"durationMax", "duration", "a completion that takes longer is a breach; 0: none is (default: as the application says)", read_duration, OPERATION(duration_max_ms), 0, DAY_MS, NULL, NULL},
    {"memoryMax", "size", "a completion that needs more is a breach; 0: none is (default: as the application says)", read_size, OPERATION(memory_max), 0, INT64_C(1) << 40, NULL, NULL},
    {"errorRateMax", "fraction or per cent", "failed completions of five minutes; 0: not looked at (default: as the application says)", read_share, OPERATION(error_rate_max), 0, 0, NULL, NULL},
    {0},
};

void read_operations(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_api_config *api = field;
    if (!expect_mapping(r, value, key->name))
        return;
    if (value->count > OPERATIONS_MAX) {
        problem(r, value, "'%s' has at most %d", key->name, OPERATIONS_MAX);
        return;
    }
    api->operation_count = 0;
    api->operations = arena_array(r->arena, value->count + 1, sizeof(*api->operations));
    for (const struct doc *node = value->first; node && api->operations; node = node->next) {
        struct gw_operation_config *operation = &api->operations[api->operation_count];
        if (!expect_mapping(r, node, "an operation"))
            continue;
        *operation = (struct gw_operation_config){.name = node->key->text, .duration_max_ms = GW_OPERATION_KEPT, .memory_max = GW_OPERATION_KEPT, .error_rate_max = -1};
        read_keys(r, node, key->inside, operation);
        api->operation_count++;
    }
}

/* ---- what belongs together ---- */

static bool is_around(const struct weir_operation *operation, struct text route)
{
    for (size_t i = 0; operation->routes && operation->routes[i]; i++)
        if (text_is(route, operation->routes[i]))
            return true;
    return false;
}

static size_t names_of(const struct gw_api_config *api, const char **names, size_t max)
{
    static const struct weir_operation none = {0};
    const struct weir_operation *all = api->app && api->app->operations ? api->app->operations : &none;
    size_t count = 0;
    for (const struct weir_operation *operation = all; operation->name && count < max; operation++)
        names[count++] = operation->name;
    if (api->auth == WEIR_JWT && count < max)
        names[count++] = TOKEN_OPERATION;
    for (size_t i = 0; i < api->route_count && count < max; i++) {
        bool named = false;
        for (const struct weir_operation *operation = all; operation->name && !named; operation++)
            named = is_around(operation, api->routes[i].key);
        if (!named)
            names[count++] = api->routes[i].key.data;
    }
    return count;
}

void check_operations(struct reader *r, const struct doc *at, const struct gw_api_config *api)
{
    size_t max = CONFIG_ROUTES_MAX + OPERATIONS_MAX;
    const char **names = api->operation_count ? arena_array(r->arena, max + 1, sizeof(*names)) : NULL;
    if (!names)
        return;
    names[names_of(api, names, max)] = NULL;
    for (size_t i = 0; i < api->operation_count; i++) {
        bool known = false;
        char hint[80];
        for (size_t k = 0; names[k] && !known; k++)
            known = text_is(api->operations[i].name, names[k]);
        if (known)
            continue;
        suggest(api->operations[i].name, names, hint, sizeof(hint));
        problem(r, at, "'%.*s' has no operation and no route of its own '%.*s'%s", TEXT_FMT(api->name), TEXT_FMT(api->operations[i].name), hint);
    }
}
