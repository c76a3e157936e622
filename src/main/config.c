/*
 * The defaults and what follows from them. Order: config_init, then the file (config_read.c), then the command line (serve.c writes the fields),
 * then config_finish, config_safe and, only when the program is about to serve or to sign a token, config_key and config_secret: the check
 * of a configuration touches no folder.
 */
#include "main/config.h"

#include "base/clock.h"
#include "main/apps.h"
#include "main/secret.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int default_threads(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (cores > CONFIG_IO_THREADS_MAX)
        cores = CONFIG_IO_THREADS_MAX;
    return cores > 2 ? (int)cores - 1 : 1; /* a core is left to the state thread */
}

void config_init(struct config *config)
{
    *config = (struct config){
        .address = "127.0.0.1",
        .port = 8080,
        .data = "./data",
        .io_threads = default_threads(),
        .body_max = 16 << 20,
        .drain_ms = 10 * SECOND_MS,
        .otlp = {.interval_ms = 10 * SECOND_MS},
        .spread_ms = 5 * SECOND_MS,
        .environment = TEXT("dev"),
        .region = TEXT("us-east-1"),
        .account = TEXT("123456789012"),
    };
    cost_prices_init(&config->cost_prices);
    arena_init(&config->arena, 16 << 10, CONFIG_ARENA_MAX);
}

void config_fini(struct config *config)
{
    arena_fini(&config->arena);
    cipher_forget(&config->encryption, sizeof(config->encryption));
    cipher_forget(&config->data_key, sizeof(config->data_key));
}

/* ---- where to listen ---- */

static bool is_numeric(const char *address)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, address, bytes) == 1 || inet_pton(AF_INET6, address, bytes) == 1;
}

/* "[::1]:80" and "127.0.0.1:80" in two. */
static bool split_port(struct text text, struct text *host, struct text *port)
{
    if (text.len && text.data[0] == '[') {
        ptrdiff_t end = text_find(text, ']', 0);
        if (end < 0 || (size_t)end + 1 >= text.len || text.data[end + 1] != ':')
            return false;
        *host = text_make(text.data + 1, (size_t)end - 1);
        *port = text_make(text.data + end + 2, text.len - (size_t)end - 2);
        return true;
    }
    ptrdiff_t colon = text_find(text, ':', 0);
    *host = colon < 0 ? TEXT("127.0.0.1") : text_make(text.data, (size_t)colon);
    *port = colon < 0 ? text : text_make(text.data + colon + 1, text.len - (size_t)colon - 1);
    return true;
}

int config_listen(struct config *config, const char *text, struct err *err)
{
    struct text host, port;
    uint64_t number;
    if (!split_port(text_of(text), &host, &port) || text_to_u64(port, 65535, &number))
        return err_set(err, ERR_INVALID, "'%s' is not ADDRESS:PORT", text);
    if (text_is(host, "localhost"))
        host = TEXT("127.0.0.1");
    struct text address = arena_copy(&config->arena, host);
    if (!address.data)
        return err_set(err, ERR_MEMORY, "out of memory");
    if (!is_numeric(address.data))
        return err_set(err, ERR_INVALID, "'%s': the address is an IPv4 address, an IPv6 address in brackets, or localhost", text);
    config->address = address.data;
    config->port = (uint16_t)number;
    return 0;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* ---- finishing ---- */

static int mount_all(struct config *config)
{
    const struct weir_app *app;
    config->apis = arena_zalloc(&config->arena, CONFIG_APIS_MAX * sizeof(*config->apis));
    if (!config->apis)
        return ERR_MEMORY;
    for (size_t i = 0; (app = apps_at(i)) && config->api_count < CONFIG_APIS_MAX; i++) {
        int code = apps_api(app, &config->arena, &config->apis[config->api_count++].gateway);
        if (code)
            return code;
    }
    return 0;
}

/* Containers are given keys as variables. A file's keys come first. */
static int keys_from_environment(struct config *config, struct err *err)
{
    const char *id = getenv("WEIR_ACCESS_KEY_ID"), *secret = getenv("WEIR_SECRET_ACCESS_KEY");
    static struct gw_key development;
    if (config->key_count)
        return 0;
    config->keys = arena_alloc(&config->arena, sizeof(*config->keys));
    if (!config->keys)
        return err_set(err, ERR_MEMORY, "out of memory");
    if (!id != !secret)
        return err_set(err, ERR_INVALID, "WEIR_ACCESS_KEY_ID and WEIR_SECRET_ACCESS_KEY are set together or not at all");
    development = (struct gw_key){TEXT("test"), TEXT("test"), NULL};
    config->development_keys = !id || !*id;
    config->keys[0] = config->development_keys ? development : (struct gw_key){text_of(id), text_of(secret), NULL};
    config->key_count = 1;
    return 0;
}

int config_finish(struct config *config, struct err *err)
{
    int code = config->names_apis ? 0 : mount_all(config);
    if (code)
        return err_set(err, code, "the applications cannot be mounted: %s", err_text(code));
    code = keys_from_environment(config, err);
    if (code)
        return code;
    struct gw_api_config *flat = arena_array(&config->arena, config->api_count + 1, sizeof(*flat));
    if (!flat)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < config->api_count; i++) {
        struct gw_api_config *api = &config->apis[i].gateway;
        apps_queue(&api->ws);
        config->apis[i].development_secret = api->auth == WEIR_JWT && !api->jwt.secret.len && !api->jwt.pem_file && !api->jwt.jwks_url.len;
        flat[i] = *api;
    }
    config->gateway = (struct gateway_config){
        .apis = flat,
        .api_count = config->api_count,
        .environment = config->environment,
        .region = config->region,
        .account = config->account,
        .keys = config->keys,
        .key_count = config->key_count,
        .admin_open = config->development_keys && is_loopback(config->address),
        .driven_clock = config->driven_clock,
        .alarms = config->alarms,
        .alarm_count = config->alarm_count,
        .alarm_secret = config->alarm_secret,
        .outgoing = config->outgoing,
        .log_applications = config->log_applications,
        .public_url = config->public_url,
        .data_folder = config->data,
        .figures_off = config->figures_off,
        .otlp = &config->otlp,
        .cost_prices = &config->cost_prices,
        .cost_memory = config->cost_memory,
        .series_max = (uint64_t)config->series_max,
    };
    return config_dashboards(config, &config->gateway) ? err_set(err, ERR_MEMORY, "out of memory") : 0;
}

int config_safe(const struct config *config, struct err *err)
{
    if (!config->development_keys || config->allow_open || is_loopback(config->address))
        return 0;
    return err_set(err, ERR_FORBIDDEN,
        "%s can be reached from other machines, and the only key is the well-known test/test. Set keys in the configuration or "
        "WEIR_ACCESS_KEY_ID and WEIR_SECRET_ACCESS_KEY, listen on 127.0.0.1, or say --allow-open",
        config->address);
}

int config_key(struct config *config, bool create, struct err *err)
{
    if (config->names_encryption && !config->encryption.set) /* it was a warning: the file was read where its secrets are not */
        return err_set(err, ERR_MISSING, "the encryption key that the configuration names cannot be read here");
    int code = config->encryption.set ? 0 : key_environment(&config->encryption, err);
    return code ? code : key_open(config->data, &config->encryption, create, &config->data_key, err);
}

int config_secret(struct config *config, struct err *err)
{
    struct text secret = TEXT_NONE;
    for (size_t i = 0; i < config->api_count; i++) {
        if (!config->apis[i].development_secret)
            continue;
        int code = secret.len ? 0 : secret_development(config->data, &config->data_key, &config->arena, &secret, err);
        if (code)
            return code;
        config->apis[i].gateway.jwt.secret = secret;
        config->gateway.apis[i].jwt.secret = secret;
    }
    return 0;
}

struct config_api *config_api_find(struct config *config, struct text name)
{
    for (size_t i = 0; i < config->api_count; i++)
        if (text_equal(config->apis[i].gateway.name, name))
            return &config->apis[i];
    return NULL;
}

void config_problems_print(const struct config *config, const char *path, void *stream)
{
    for (size_t i = 0; i < config->problems; i++) {
        const struct config_problem *problem = &config->problem[i];
        fprintf(stream, "%s:", path);
        if (problem->line)
            fprintf(stream, "%u:%u:", problem->line, problem->column);
        fprintf(stream, " %s%s\n", problem->warning ? "warning: " : "", problem->text);
    }
    if (config->problems == CONFIG_PROBLEMS_MAX)
        fprintf(stream, "%s: further problems are not shown\n", path);
}
