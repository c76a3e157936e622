/* What `make run` shows. It is asked for (--banner) and never part of the log. */
#include "main/banner.h"

#include "base/clock.h"
#include "main/sign.h"
#include <stdio.h>

#define TOKEN_LIFE_MS DAY_MS

static const char *auth_word(enum weir_auth auth)
{
    static const char *const words[] = {"anyone", "?userId=", "token", "signature"};
    return words[auth];
}

static void print_api(const struct config_api *api, const char *host)
{
    const struct gw_api_config *gateway = &api->gateway;
    fprintf(stderr, "  ws://%s/%-16.*s %-10s %.*s\n", host, TEXT_FMT(gateway->name), auth_word(gateway->auth), TEXT_FMT(gateway->description));
}

static void print_token(const struct config_api *api, const char *host, const char *user, const char *role)
{
    struct sign_claims claims = {.user = user, .role = role, .issuer = api->gateway.jwt.issuer, .audience = api->gateway.jwt.audience, .life_ms = TOKEN_LIFE_MS};
    struct buf token;
    struct err err;
    buf_init(&token, 8192);
    if (sign_token(api->gateway.jwt.secret, &claims, &token, &err) == 0)
        fprintf(stderr, "\n%s, role %s (for a day):\n  npx wscat -c 'ws://%s/%.*s?token=%.*s'\n", user, role, host, TEXT_FMT(api->gateway.name),
            TEXT_FMT(buf_text(&token)));
    buf_fini(&token);
}

void banner_print(const struct config *config, uint16_t port)
{
    char host[64];
    bool v6 = strchr(config->address, ':') != NULL;
    const struct config_api *signs = NULL;
    snprintf(host, sizeof(host), "%s%s%s:%u", v6 ? "[" : "", config->address, v6 ? "]" : "", port);
    fprintf(stderr, "\nweir %s is listening, data in %s\n\n", WEIR_VERSION, config->data);
    for (size_t i = 0; i < config->api_count; i++) {
        print_api(&config->apis[i], host);
        if (!signs && config->apis[i].development_secret)
            signs = &config->apis[i];
    }
    fprintf(stderr, "  http://%s/healthz, http://%s/metrics\n", host, host);
    for (size_t i = 0; i < config->gateway.dashboard_count; i++)
        fprintf(stderr, "  http://%s/#dashboards/%.*s\n", host, TEXT_FMT(config->gateway.dashboards[i].name));
    if (config->api_count)
        fprintf(stderr, "\nA first conversation:\n  npx wscat -c ws://%s/%.*s\n", host, TEXT_FMT(config->apis[0].gateway.name));
    if (signs) {
        print_token(signs, host, "ada", "user");
        print_token(signs, host, "grace", "admin");
        fprintf(stderr, "\nThe same tokens open every API above that takes one; more: weir token --api %.*s --user ID\n", TEXT_FMT(signs->gateway.name));
    }
    fprintf(stderr, "\nCtrl-C stops.\n\n");
}
