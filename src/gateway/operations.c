/*
 * Operations from their declarations: the application's own, one for each route that none of them names, and around the verification of tokens. All of an API's lie in one
 * array, and each has a number among those of the gateway, under which every thread keeps its gauge.
 */
#include "gateway/monitor.h"

#include <stdlib.h>

/* The document's thresholds for the verification of a token, for every API that has tokens; an application may declare its own. */
static const char *const token_errors[] = {"MISSING_TOKEN", "TOKEN_EXPIRED", "INVALID_TOKEN", NULL};
static const struct weir_figure token_figures[] = {
    {.name = "verificationAttemptsPerMinute", .kind = WEIR_FIGURE_COUNT},
    {.name = "successRate", .kind = WEIR_FIGURE_SUCCESS},
    {.name = "errorTypes", .kind = WEIR_FIGURE_COUNT, .dimension = "ErrorType", .by = "error", .values = token_errors},
    {0},
};
static const struct weir_operation token_operation = {
    .name = GW_TOKEN_OPERATION,
    .duration_max_ms = 3000,
    .memory_max = (size_t)20 << 20,
    .error_rate_max = 0.10,
    .figures = token_figures,
};

static const struct weir_operation *declared(const struct gw_api *api)
{
    static const struct weir_operation none = {0};
    const struct weir_app *app = api->config->app;
    return app && app->operations ? app->operations : &none;
}

static size_t values_of(const struct weir_figure *figure)
{
    size_t count = 0;
    while (figure->dimension && figure->values && figure->values[count])
        count++;
    return figure->dimension ? count : 1;
}

static int figures_check(struct gw_operation *operation, struct err *err)
{
    const struct weir_figure *figure = operation->decl->figures;
    for (; figure && figure->name; figure++) {
        size_t values = values_of(figure);
        bool unit = !figure->unit || watch_unit_find(text_of(figure->unit)) >= 0;
        bool whole = unit && (!figure->dimension || figure->by) && (figure->kind != WEIR_FIGURE_FIELD || figure->field) && (!figure->when || figure->is);
        if (!whole || !values || values > WEIR_FIGURE_VALUES_MAX)
            return err_set(err, ERR_INVALID, "API %.*s: the figure %s of the operation %.*s is not whole", TEXT_FMT(operation->api->config->name), figure->name,
                TEXT_FMT(operation->name));
        operation->figures++;
        operation->places += (uint32_t)values;
    }
    return 0;
}

static struct gw_operation *find(struct gw_api *api, struct text name)
{
    for (uint32_t i = 0; i < api->operation_count; i++)
        if (text_equal(api->operations[i].name, name))
            return &api->operations[i];
    return NULL;
}

struct gw_operation *gw_operation_find(struct gw_api *api, const char *name)
{
    struct gw_operation *found = find(api, text_of(name));
    return found && found->declared ? found : NULL; /* a route's own is the gateway's to count */
}

static bool has_threshold(const struct watch_thresholds *thresholds)
{
    return thresholds->duration_ms || thresholds->memory || thresholds->error_rate > 0;
}

static struct gw_operation *add(struct gw_api *api, struct text name, const struct weir_operation *decl)
{
    struct gw_operation *operation = &api->operations[api->operation_count++];
    *operation = (struct gw_operation){.name = name, .api = api, .index = api->gateway->operation_count++, .decl = decl, .declared = decl != NULL};
    return operation;
}

static int add_declared(struct gw_api *api, const struct weir_operation *decl, struct err *err)
{
    struct text api_name = api->config->name, name = text_of(decl->name);
    if (!name.len || name.len > WATCH_DIMENSION_VALUE_MAX || find(api, name))
        return err_set(err, ERR_INVALID, "API %.*s: the operation %s is declared twice, or its name is too long", TEXT_FMT(api_name), decl->name);
    struct gw_operation *operation = add(api, name, decl);
    for (size_t i = 0; decl->routes && decl->routes[i]; i++) {
        struct gw_route *route = NULL;
        for (size_t k = 0; k < api->route_count && !route; k++)
            route = text_is(api->routes[k].key, decl->routes[i]) ? &api->routes[k] : NULL;
        if (!route || route->operation)
            return err_set(err, ERR_INVALID, "API %.*s: the operation %s names the route %s, which %s", TEXT_FMT(api_name), decl->name, decl->routes[i],
                route ? "another one names" : "is not declared");
        route->operation = operation;
    }
    return figures_check(operation, err);
}

/* Names may be as long as a route key; a dimension's value has 1,024 bytes, which is more. */
static int add_routes(struct gw_api *api, struct err *err)
{
    for (size_t i = 0; i < api->route_count; i++) {
        struct gw_route *route = &api->routes[i];
        if (route->operation)
            continue;
        if (find(api, route->key))
            return err_set(err, ERR_INVALID, "API %.*s: an operation and a route are both named %.*s", TEXT_FMT(api->config->name), TEXT_FMT(route->key));
        route->operation = add(api, route->key, NULL);
    }
    return 0;
}

/* ---- thresholds ---- */

struct watch_thresholds gw_operation_thresholds(const struct gw_operation *operation)
{
    struct watch_thresholds now;
    now.duration_ms = __atomic_load_n(&operation->thresholds.duration_ms, __ATOMIC_RELAXED);
    now.memory = __atomic_load_n(&operation->thresholds.memory, __ATOMIC_RELAXED);
    __atomic_load(&operation->thresholds.error_rate, &now.error_rate, __ATOMIC_RELAXED);
    return now;
}

static void thresholds_set(struct gw_operation *operation, struct watch_thresholds fresh)
{
    __atomic_store_n(&operation->thresholds.duration_ms, fresh.duration_ms, __ATOMIC_RELAXED);
    __atomic_store_n(&operation->thresholds.memory, fresh.memory, __ATOMIC_RELAXED);
    __atomic_store(&operation->thresholds.error_rate, &fresh.error_rate, __ATOMIC_RELAXED);
    __atomic_store_n(&operation->judged, has_threshold(&fresh), __ATOMIC_RELAXED);
}

static const struct gw_operation_config *config_of(const struct gw_api_config *config, struct text name)
{
    for (size_t i = 0; i < config->operation_count; i++)
        if (text_equal(config->operations[i].name, name))
            return &config->operations[i];
    return NULL;
}

/* What the application declares, and over it what the configuration says. */
static struct watch_thresholds thresholds_of(const struct gw_operation *operation, const struct gw_api_config *api)
{
    const struct gw_operation_config *config = config_of(api, operation->name);
    struct watch_thresholds out = {0};
    if (operation->decl)
        out = (struct watch_thresholds){operation->decl->duration_max_ms, operation->decl->memory_max, operation->decl->error_rate_max};
    if (config && config->duration_max_ms >= 0)
        out.duration_ms = config->duration_max_ms;
    if (config && config->memory_max >= 0)
        out.memory = (size_t)config->memory_max;
    if (config && config->error_rate_max >= 0)
        out.error_rate = config->error_rate_max;
    return out;
}

int gw_operations_check(struct gw_api *api, const struct gw_api_config *config, struct err *err)
{
    for (size_t i = 0; i < config->operation_count; i++)
        if (!find(api, config->operations[i].name))
            return err_set(err, ERR_INVALID, "API %.*s has no operation and no route of its own named %.*s", TEXT_FMT(api->config->name), TEXT_FMT(config->operations[i].name));
    return 0;
}

void gw_operations_reload(struct gw_api *api, const struct gw_api_config *config)
{
    for (uint32_t i = 0; i < api->operation_count; i++)
        thresholds_set(&api->operations[i], thresholds_of(&api->operations[i], config));
}

/* A route that is named in the configuration is looked at call by call, like a declared operation. */
static int apply(struct gw_api *api, struct err *err)
{
    int code = gw_operations_check(api, api->config, err);
    for (uint32_t i = 0; i < api->operation_count && !code; i++)
        api->operations[i].declared = api->operations[i].declared || config_of(api->config, api->operations[i].name);
    if (!code)
        gw_operations_reload(api, api->config);
    return code;
}

int gw_operations_compile(struct gw_api *api, struct err *err)
{
    const struct weir_operation *decl = declared(api);
    size_t most = api->route_count + 1;
    int code = 0;
    while (decl[most - api->route_count - 1].name)
        most++;
    if (most > GW_OPERATIONS_MAX)
        return err_set(err, ERR_TOO_LARGE, "API %.*s: routes and operations are more than %d", TEXT_FMT(api->config->name), GW_OPERATIONS_MAX);
    api->operations = calloc(most, sizeof(*api->operations));
    if (!api->operations)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (; !code && decl->name; decl++)
        code = add_declared(api, decl, err);
    if (!code && api->config->auth == WEIR_JWT && !find(api, TEXT(GW_TOKEN_OPERATION)))
        code = add_declared(api, &token_operation, err);
    if (!code && api->config->auth == WEIR_JWT)
        api->token_operation = find(api, TEXT(GW_TOKEN_OPERATION));
    if (!code)
        code = add_routes(api, err);
    if (!code)
        code = apply(api, err);
    return code;
}

void gw_operations_free(struct gw_api *api)
{
    free(api->operations);
    api->operations = NULL;
    api->operation_count = 0;
}

void gw_gauges_free(struct gw_gauge *gauges, unsigned count)
{
    for (unsigned i = 0; gauges && i < count; i++)
        free(gauges[i].further);
    free(gauges);
}

void gw_operation_share(struct gateway *gateway, const struct gw_operation *operation, struct watch_share *share)
{
    int64_t now_ms = clock_mono_ms();
    for (unsigned i = 0; i <= gateway->io_count + 1; i++) {
        struct gw_gauge **place = i <= gateway->io_count ? &gateway->io[i].gauges : &gateway->gauges;
        const struct gw_gauge *gauges = __atomic_load_n(place, __ATOMIC_ACQUIRE);
        if (gauges)
            watch_window_sum(&gauges[operation->index].window, now_ms, share);
    }
}
