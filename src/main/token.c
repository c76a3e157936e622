/* `weir token`: a token that an API of this configuration accepts, for development and tests. Only the token goes to standard output. */
#include "main/command.h"
#include "main/config.h"
#include "main/sign.h"

#include "base/clock.h"
#include <stdio.h>

static const struct option_row options[] = {
    {"api", "NAME", "the API, by its mount name"},
    {"user", "ID", "who it is for (the claim sub)"},
    {"role", "ROLE", "user or admin, or what the application knows"},
    {"name", "NAME", "the user's name"},
    {"email", "ADDRESS", "the user's mail address"},
    {"groups", "A,B", "groups, separated by commas"},
    {"ttl", "TIME", "how long it is valid (default 1h, at most 365d)"},
    {"config", "FILE", "the configuration that the server runs with"},
    {"data", "DIR", "the server's data folder, for the development secret (default ./data)"},
    {NULL, NULL, NULL},
};

static int fail(int exit_code, const char *text)
{
    fprintf(stderr, "weir token: %s\n", text);
    return exit_code;
}

static int no_such_api(const struct config *config, const char *name)
{
    fprintf(stderr, "weir token: no API '%s' is mounted; there are:", name);
    for (size_t i = 0; i < config->api_count; i++)
        fprintf(stderr, " %.*s", TEXT_FMT(config->apis[i].gateway.name));
    fputc('\n', stderr);
    return EXIT_FAILED;
}

static int sign(const struct arguments *arguments, struct config *config, const struct config_api *api, int64_t life_ms)
{
    struct sign_claims claims = {
        .user = argument(arguments, "user"),
        .role = argument(arguments, "role"),
        .name = argument(arguments, "name"),
        .email = argument(arguments, "email"),
        .groups = argument(arguments, "groups"),
        .issuer = api->gateway.jwt.issuer,
        .audience = api->gateway.jwt.audience,
        .life_ms = life_ms,
    };
    struct err err = {0};
    struct buf token;
    if (api->gateway.auth != WEIR_JWT)
        return fail(EXIT_FAILED, "this API does not take tokens");
    if (!api->gateway.jwt.secret.len && !api->development_secret)
        return fail(EXIT_FAILED, "this API's tokens are signed by their issuer (a PEM file or a JWKS URL): weir has no key to sign with");
    if (api->development_secret && config_key(config, true, &err))
        return fail(key_exit(err.code), err.text);
    if (config_secret(config, &err))
        return fail(EXIT_FAILED, err.text);
    buf_init(&token, 16384);
    int code = sign_token(api->gateway.jwt.secret, &claims, &token, &err);
    if (!code)
        printf("%.*s\n", TEXT_FMT(buf_text(&token)));
    buf_fini(&token);
    return code ? fail(EXIT_FAILED, err.text) : EXIT_OK;
}

static int with_config(const struct arguments *arguments, struct config *config)
{
    const char *path = argument(arguments, "config"), *data = argument(arguments, "data"), *life = argument(arguments, "ttl");
    const char *name = argument(arguments, "api");
    int64_t life_ms = HOUR_MS;
    struct err err = {0};
    if (!name || !argument(arguments, "user"))
        return fail(EXIT_USAGE, "--api and --user are needed. See: weir token --help");
    if (life && (!duration_parse(life, &life_ms) || life_ms < SECOND_MS || life_ms > 365 * DAY_MS))
        return fail(EXIT_USAGE, "--ttl is a time from 1s to 365d, such as 1h or 30m");
    if (path && config_load(config, path, 0, &err)) {
        config_problems_print(config, path, stderr);
        return fail(EXIT_CONFIG, err.text);
    }
    if (data)
        config->data = data;
    if (config_finish(config, &err))
        return fail(EXIT_CONFIG, err.text);
    const struct config_api *api = config_api_find(config, text_of(name));
    return api ? sign(arguments, config, api, life_ms) : no_such_api(config, name);
}

static int run(const struct arguments *arguments)
{
    static struct config config;
    config_init(&config);
    int code = with_config(arguments, &config);
    config_fini(&config);
    return code;
}

const struct command command_token = {
    .name = "token",
    .words = "",
    .summary = "prints a token that an API accepts",
    .options = options,
    .run = run,
};
