/*
 * Declared dashboards, put at start.
 *
 * What somebody changes over the wire is theirs and stays. What the declaration's author changes is to arrive, too. So an item remembers the digest of the declaration that it
 * was made from (dashboard.h: `declared`), and PutDashboard leaves that digest as it is: when the declaration is another one than the item says, it is put; else nothing happens.
 */
#include "gateway/internal.h"
#include "base/md5.h"
#include "watch/dashboard.h"

#define JUDGE_MEMORY ((size_t)64 << 20)

int gw_dashboards_define(struct gateway *gateway, struct tick *tick, struct err *err)
{
    (void)gateway;
    return dashboard_define(tick, err);
}

static int digest_of(const struct gw_dashboard_config *config, char out[33])
{
    unsigned char sum[MD5_BYTES];
    struct md5 *md5 = md5_create();
    if (!md5)
        return ERR_MEMORY;
    md5_add(md5, config->name.data, config->name.len);
    md5_add(md5, "", 1);
    md5_add(md5, config->body.data, config->body.len);
    md5_end(md5, sum);
    md5_destroy(md5);
    for (size_t i = 0; i < sizeof(sum); i++)
        snprintf(out + 2 * i, 3, "%02x", sum[i]);
    return 0;
}

/* A declaration that PutDashboard would refuse is a mistake of whoever starts the server, who is told. */
static int judge(const struct gw_dashboard_config *config, struct err *err)
{
    struct dashboard_body body;
    struct arena arena;
    if (!dashboard_name_valid(config->name))
        return err_set(err, ERR_INVALID, "dashboard '%.*s': a name is 1 to %d letters, digits, '_' and '-'", TEXT_FMT(config->name), DASHBOARD_NAME_MAX);
    arena_init(&arena, 64 << 10, JUDGE_MEMORY);
    int code = dashboard_body_parse(&arena, config->body, &body);
    if (code == ERR_INVALID)
        err_set(err, code, "dashboard %.*s: %.*s: %.*s", TEXT_FMT(config->name), TEXT_FMT(body.message[0].path), TEXT_FMT(body.message[0].text));
    else if (code)
        err_set(err, ERR_INVALID, "dashboard %.*s: the body is %s", TEXT_FMT(config->name), code == ERR_SYNTAX ? "no JSON object" : "too large");
    for (size_t i = 0; !code && i < body.messages; i++)
        log_warn("gateway", "dashboard %.*s: %.*s: %.*s", TEXT_FMT(config->name), TEXT_FMT(body.message[i].path), TEXT_FMT(body.message[i].text));
    arena_fini(&arena);
    return code ? ERR_INVALID : 0;
}

static int put_one(struct tick *tick, struct arena *arena, const struct gw_dashboard_config *config, struct err *err)
{
    char digest[33];
    struct dashboard old, fresh = {.name = config->name, .body = config->body};
    int code = digest_of(config, digest);
    if (!code)
        code = dashboard_get(tick_view(tick), arena, config->name, &old);
    if (code && code != ERR_NOT_FOUND)
        return code;
    if (!code && text_is(old.declared, digest))
        return 0;
    fresh.declared = text_of(digest);
    code = judge(config, err);
    return code ? code : dashboard_put(tick, arena, &fresh, err);
}

int gw_dashboards_put(struct gateway *gateway, struct tick *tick, struct arena *arena, struct err *err)
{
    int code = 0;
    for (size_t i = 0; i < gateway->config.dashboard_count && !code; i++)
        code = put_one(tick, arena, &gateway->config.dashboards[i], err);
    return code;
}
