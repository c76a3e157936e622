/*
 * What SIGHUP may change while sockets stay open: access keys, the keys of tokens, allowed origins, rates, the endpoints of routes, what alarms' webhooks
 * are signed with and where they may go. All of it lies in one immutable object, made whole before anybody sees it, so that a request meets the old
 * settings or the new ones and never half of each.
 *
 * Io threads read it for every message, so they take no lock and count no reference: each notes the object that it goes by in its own struct, and takes a
 * newer one over at the begin of a turn. The main thread frees a replaced object at a later reload, when no thread has it noted any more (what is left, at the
 * end). The note is written before the pointer is read a second time; whoever sees the same pointer twice has noted it in time (a hazard pointer).
 *
 * Thresholds of the performance monitor are numbers that stand alone, and are put where they are read (operations.c); a completion may meet one of them a
 * moment before the others.
 *
 * An endpoint that has been asked answers to the call that asked it: the call keeps the address. Everything else of a configuration (APIs, routes, tables,
 * how somebody signs in, limits of messages) takes a restart.
 */
#include "gateway/alarms.h"
#include "gateway/monitor.h"

#include <errno.h>
#include <stdlib.h>

#define POLICY_BYTES_MAX (64 << 20)
#define RETIRED_KEEP_MS (10 * MINUTE_MS) /* a request under way may still name its key */

/* ---- the keys of tokens ---- */

static int read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    char block[4096];
    size_t got;
    if (!file)
        return ERR_IO;
    while ((got = fread(block, 1, sizeof(block), file)) > 0)
        buf_add(out, block, got);
    int code = ferror(file) ? ERR_IO : out->failed ? ERR_TOO_LARGE : 0;
    fclose(file);
    return code;
}

static int keys_from_file(const struct gw_api_config *config, struct jwt_keys **out, struct err *err)
{
    struct buf pem;
    buf_init(&pem, JWT_PEM_MAX);
    int code = read_file(config->jwt.pem_file, &pem);
    if (code)
        err_set(err, code, "API %.*s: cannot read the key file %s: %s", TEXT_FMT(config->name), config->jwt.pem_file, strerror(errno));
    else
        code = jwt_keys_from_pem(buf_text(&pem), out, err);
    buf_fini(&pem);
    return code;
}

static int keys_compile(const struct gw_api_config *config, struct jwt_keys **out, struct err *err)
{
    if (config->auth != WEIR_JWT || config->jwt.jwks_url.len)
        return 0;
    if (config->jwt.pem_file)
        return keys_from_file(config, out, err);
    if (!config->jwt.secret.len)
        return err_set(err, ERR_MISSING, "API %.*s: authorisation by token needs a secret, a key file or a JWKS URL", TEXT_FMT(config->name));
    int code = jwt_keys_from_secret(config->jwt.secret, out, err);
    if (!code && jwt_keys_weak(*out))
        log_warn("gateway", "%.*s: the token secret is shorter than 32 bytes", TEXT_FMT(config->name));
    return code;
}

/* ---- one object ---- */

static void policy_destroy(struct gw_policy *policy)
{
    for (size_t i = 0; i < policy->api_count; i++)
        jwt_keys_unref(policy->api[i].keys);
    arena_fini(&policy->arena);
    free(policy);
}

static int copy_text(struct arena *arena, struct text *text)
{
    if (!text->len)
        return 0;
    *text = arena_copy(arena, *text);
    return text->data ? 0 : ERR_MEMORY;
}

/* Origins and rates, whose texts may lie in a configuration that is about to go. */
static int copy_rules(struct arena *arena, struct gw_policy_api *api, const struct text *origins, size_t count, const struct gw_limits *limits)
{
    api->origins = arena_array(arena, count + 1, sizeof(*api->origins));
    if (!api->origins)
        return ERR_MEMORY;
    api->origin_count = count;
    api->limits = *limits;
    int code = 0;
    for (size_t i = 0; i < count && !code; i++) {
        api->origins[i] = origins[i];
        code = copy_text(arena, &api->origins[i]);
    }
    for (size_t i = 0; i < limits->actions && !code; i++)
        code = copy_text(arena, &api->limits.action[i].action);
    api->limited = limits->connection.rate > 0 || limits->user.rate > 0 || limits->address.rate > 0 || limits->actions > 0 || limits->ban_after > 0;
    return code;
}

static int copy_keys(struct gw_policy *policy, const struct gateway_config *config)
{
    policy->keys = arena_array(&policy->arena, config->key_count + 1, sizeof(*policy->keys));
    if (!policy->keys)
        return ERR_MEMORY;
    policy->key_count = config->key_count;
    int code = 0;
    for (size_t i = 0; i < config->key_count && !code; i++) {
        policy->keys[i] = config->keys[i];
        code = copy_text(&policy->arena, &policy->keys[i].id);
        if (!code)
            code = copy_text(&policy->arena, &policy->keys[i].secret);
        if (!code)
            code = gw_access_copy(&policy->arena, config->keys[i].access, &policy->keys[i].access);
    }
    return code;
}

static const struct gw_api_config *api_named(const struct gateway_config *config, struct text name)
{
    for (size_t i = 0; i < config->api_count; i++)
        if (text_equal(config->apis[i].name, name))
            return &config->apis[i];
    return NULL;
}

/* ---- endpoints of routes ---- */

static const struct gw_route_config *route_named(const struct gw_api_config *config, struct text key)
{
    for (size_t i = 0; i < config->route_count; i++)
        if (text_equal(config->routes[i].key, key))
            return &config->routes[i];
    return NULL;
}

static bool has_route(const struct gw_api *api, struct text key)
{
    for (size_t i = 0; i < api->route_count; i++)
        if (text_equal(api->routes[i].key, key))
            return true;
    return false;
}

/* Routes that come or go are a matter of a restart: those that went keep what they have. */
static struct gw_target target_in(const struct gw_api *api, size_t at, const struct gw_api_config *given, const struct gw_policy_api *kept)
{
    const struct gw_route *route = &api->routes[at];
    const struct gw_route_config *config = given ? route_named(given, route->key) : NULL;
    if (config && config->url.len)
        return (struct gw_target){config->url, config->timeout_ms ? config->timeout_ms : 29000, config->attempts ? config->attempts : 1};
    if (!kept)
        return (struct gw_target){route->url, route->timeout_ms, route->attempts};
    log_warn("gateway", "%.*s: the endpoint of %.*s is not in the new configuration; taking a route away takes a restart", TEXT_FMT(api->config->name), TEXT_FMT(route->key));
    return kept->target[at];
}

static int copy_targets(struct arena *arena, struct gw_policy_api *out, const struct gw_api *api, const struct gw_api_config *given, const struct gw_policy_api *kept)
{
    int code = 0;
    out->target = arena_zalloc(arena, (api->route_count + 1) * sizeof(*out->target));
    if (!out->target)
        return ERR_MEMORY;
    out->target_count = api->route_count;
    for (size_t i = 0; i < api->route_count && !code; i++) {
        if (!api->routes[i].url.len)
            continue;
        out->target[i] = target_in(api, i, given, kept);
        code = copy_text(arena, &out->target[i].url);
    }
    for (size_t i = 0; kept && given && i < given->route_count; i++)
        if (!has_route(api, given->routes[i].key))
            log_warn("gateway", "%.*s: the route %.*s is new in the configuration; it takes a restart", TEXT_FMT(api->config->name), TEXT_FMT(given->routes[i].key));
    return code;
}

const struct gw_target *gw_target_of(const struct gw_io *io, const struct gw_route *route)
{
    const struct gw_policy_api *policy = gw_policy_of(io, route->api);
    return &policy->target[route - route->api->routes];
}

/* ---- where alarms and applications may send to ---- */

static int add_webhooks(struct gw_policy *policy, const struct gateway_config *config, const struct gw_api_config *api, const struct weir_alarm *alarm)
{
    const char *const *lists[] = {alarm->alarm_actions, alarm->ok_actions, alarm->insufficient_data_actions};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < WEIR_ALARM_ACTIONS_MAX && lists[i][k]; k++) {
            struct text url = gw_alarm_text(&policy->arena, config->environment, api, lists[i][k]);
            if (!url.data)
                return ERR_MEMORY;
            if (text_starts(url, TEXT("http")))
                policy->webhooks[policy->webhook_count++] = url;
        }
    return 0;
}

static size_t alarms_of(const struct weir_app *app)
{
    size_t count = 0;
    while (app && app->alarms && app->alarms[count].name)
        count++;
    return count;
}

static int copy_outgoing(struct gw_policy *policy, const struct gateway_config *config)
{
    size_t alarms = config->alarm_count;
    int code = 0;
    policy->outgoing = config->outgoing;
    policy->outgoing.allow = arena_array(&policy->arena, config->outgoing.count + 1, sizeof(*policy->outgoing.allow));
    for (size_t i = 0; i < config->outgoing.count && policy->outgoing.allow && !code; i++) {
        policy->outgoing.allow[i] = config->outgoing.allow[i];
        code = copy_text(&policy->arena, &policy->outgoing.allow[i]);
    }
    for (size_t i = 0; i < config->api_count; i++)
        alarms += config->apis[i].alarm_count + alarms_of(config->apis[i].app);
    policy->webhooks = arena_array(&policy->arena, alarms * 3 * WEIR_ALARM_ACTIONS_MAX + 1, sizeof(*policy->webhooks));
    if (!policy->outgoing.allow || !policy->webhooks)
        return ERR_MEMORY;
    for (size_t i = 0; i < config->alarm_count && !code; i++)
        code = add_webhooks(policy, config, NULL, &config->alarms[i]);
    for (size_t i = 0; i < config->api_count && !code; i++) {
        const struct gw_api_config *api = &config->apis[i];
        for (size_t k = 0; k < api->alarm_count && !code; k++)
            code = add_webhooks(policy, config, api, &api->alarms[k]);
        for (size_t k = 0; k < alarms_of(api->app) && !code; k++)
            code = add_webhooks(policy, config, api, &api->app->alarms[k]);
    }
    policy->alarm_secret = config->alarm_secret;
    return code ? code : copy_text(&policy->arena, &policy->alarm_secret);
}

bool gw_outgoing_allowed(const struct gw_io *io, struct text url, bool alarm)
{
    const struct gw_policy *policy = io->policy;
    for (size_t i = 0; alarm && i < policy->webhook_count; i++)
        if (text_equal(policy->webhooks[i], url))
            return true;
    if (policy->outgoing.given)
        return gw_outgoing_listed(&policy->outgoing, url);
    return !alarm || policy->admin_open;
}

/* `old`: NULL for the first; it answers for APIs that the new configuration does not name. */
static int api_rules(struct gw_policy *policy, size_t at, const struct gw_api *api, const struct gateway_config *config, const struct gw_policy *old, struct err *err)
{
    const struct gw_api_config *given = api_named(config, api->config->name);
    struct gw_policy_api *out = &policy->api[at];
    out->name = api->config->name;
    if (!given) {
        const struct gw_policy_api *kept = &old->api[at];
        if (!api->is_console)
            log_warn("gateway", "%.*s is not in the new configuration; unmounting it takes a restart", TEXT_FMT(out->name));
        out->keys = kept->keys ? jwt_keys_ref(kept->keys) : NULL;
        int code = copy_rules(&policy->arena, out, kept->origins, kept->origin_count, &kept->limits);
        return code ? code : copy_targets(&policy->arena, out, api, NULL, kept);
    }
    int code = copy_rules(&policy->arena, out, given->origins, given->origin_count, &given->limits);
    if (!code)
        code = copy_targets(&policy->arena, out, api, given, old ? &old->api[at] : NULL);
    if (code)
        return err_set(err, code, "out of memory");
    if (given->auth != api->config->auth)
        return err_set(err, ERR_INVALID, "API %.*s: another way to sign in takes a restart", TEXT_FMT(out->name));
    return keys_compile(given, &out->keys, err);
}

static int policy_create(struct gateway *gateway, const struct gateway_config *config, const struct gw_policy *old, struct gw_policy **out, struct err *err)
{
    struct gw_policy *policy = calloc(1, sizeof(*policy));
    if (!policy)
        return err_set(err, ERR_MEMORY, "out of memory");
    arena_init(&policy->arena, 4096, POLICY_BYTES_MAX);
    policy->admin_open = config->admin_open;
    policy->api = arena_array(&policy->arena, gateway->api_count + 1, sizeof(*policy->api));
    int code = policy->api ? copy_keys(policy, config) : ERR_MEMORY;
    if (!code)
        code = copy_outgoing(policy, config);
    if (code)
        err_set(err, code, "out of memory");
    else
        memset(policy->api, 0, (gateway->api_count + 1) * sizeof(*policy->api));
    for (size_t i = 0; i < gateway->api_count && !code; i++) {
        policy->api_count = i + 1;
        code = api_rules(policy, i, &gateway->apis[i], config, old, err);
    }
    if (code)
        policy_destroy(policy);
    else
        *out = policy;
    return code;
}

/* ---- publishing ---- */

int gw_policy_init(struct gateway *gateway, struct err *err)
{
    return policy_create(gateway, &gateway->config, NULL, &gateway->policy, err);
}

void gw_policy_fini(struct gateway *gateway)
{
    while (gateway->retired) {
        struct gw_policy *policy = gateway->retired;
        gateway->retired = policy->next;
        policy_destroy(policy);
    }
    if (gateway->policy)
        policy_destroy(gateway->policy);
    gateway->policy = NULL;
}

void gw_policy_take(struct gw_io *io)
{
    struct gw_policy *policy = __atomic_load_n(&io->gateway->policy, __ATOMIC_ACQUIRE);
    while (policy != io->policy) {
        __atomic_store_n(&io->policy, policy, __ATOMIC_SEQ_CST);
        policy = __atomic_load_n(&io->gateway->policy, __ATOMIC_SEQ_CST);
    }
}

static bool in_use(const struct gateway *gateway, const struct gw_policy *policy)
{
    for (unsigned i = 0; gateway->io && i <= gateway->io_count; i++)
        if (__atomic_load_n(&gateway->io[i].policy, __ATOMIC_SEQ_CST) == policy)
            return true;
    return false;
}

static void sweep_retired(struct gateway *gateway)
{
    struct gw_policy **link = &gateway->retired;
    while (*link) {
        struct gw_policy *policy = *link;
        if (in_use(gateway, policy) || clock_mono_ms() - policy->retired_ms < RETIRED_KEEP_MS) {
            link = &policy->next;
            continue;
        }
        *link = policy->next;
        policy_destroy(policy);
    }
}

int gateway_reload(struct gateway *gateway, const struct gateway_config *config, struct err *err)
{
    struct gw_policy *fresh = NULL;
    int code = 0;
    for (size_t i = 0; i < gateway->api_count && !code; i++) {
        const struct gw_api_config *given = api_named(config, gateway->apis[i].config->name);
        code = given ? gw_operations_check(&gateway->apis[i], given, err) : 0;
    }
    if (!code)
        code = policy_create(gateway, config, gateway->policy, &fresh, err);
    if (code)
        return code;
    for (size_t i = 0; i < gateway->api_count; i++) {
        const struct gw_api_config *given = api_named(config, gateway->apis[i].config->name);
        if (given)
            gw_operations_reload(&gateway->apis[i], given);
    }
    for (size_t i = 0; i < config->api_count; i++)
        if (!map_get(&gateway->by_name, config->apis[i].name))
            log_warn("gateway", "%.*s is new in the configuration; mounting it takes a restart", TEXT_FMT(config->apis[i].name));
    struct gw_policy *old = __atomic_exchange_n(&gateway->policy, fresh, __ATOMIC_SEQ_CST);
    old->retired_ms = clock_mono_ms();
    old->next = gateway->retired;
    gateway->retired = old;
    for (unsigned i = 0; i <= gateway->io_count; i++)
        loop_wake(gateway->io[i].loop);
    sweep_retired(gateway);
    return 0;
}

/* ---- origins ---- */

static bool is_loopback_origin(struct text origin)
{
    static const char *const hosts[] = {"http://localhost", "https://localhost", "http://127.0.0.1", "https://127.0.0.1", "http://[::1]", "https://[::1]"};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        size_t len = strlen(hosts[i]);
        if (text_starts(origin, text_of(hosts[i])) && (origin.len == len || origin.data[len] == ':'))
            return true;
    }
    return false;
}

bool gw_origin_allowed(const struct gw_io *io, const struct gw_api *api, struct text origin)
{
    const struct gw_policy_api *policy = gw_policy_of(io, api);
    if (!origin.data)
        return true; /* no browser */
    for (size_t i = 0; i < policy->origin_count; i++)
        if (text_is(policy->origins[i], "*") || text_equal_nocase(policy->origins[i], origin))
            return true;
    return policy->origin_count == 0 && is_loopback_origin(origin);
}
