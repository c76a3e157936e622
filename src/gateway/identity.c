/*
 * Who somebody is: claims become an identity, shared by a connection and the calls under way, so it is reference counted. Signatures of
 * requests (SigV4) are checked here too. Tokens and secrets never reach a log or an answer.
 */
#include "gateway/internal.h"
#include "gateway/monitor.h"

#include <stdlib.h>

struct gw_identity *gw_identity_ref(struct gw_identity *identity)
{
    if (identity)
        __atomic_add_fetch(&identity->refs, 1, __ATOMIC_RELAXED);
    return identity;
}

void gw_identity_unref(struct gw_identity *identity)
{
    if (!identity || __atomic_sub_fetch(&identity->refs, 1, __ATOMIC_ACQ_REL))
        return;
    free(identity->groups);
    free(identity);
}

static struct text place(char **at, struct text text)
{
    char *start = *at;
    if (text.len)
        memcpy(start, text.data, text.len);
    *at += text.len;
    return text_make(start, text.len);
}

struct gw_identity *gw_identity_create(struct text user_id, struct text name, struct text email, struct text role, const struct text *groups, size_t count)
{
    size_t bytes = user_id.len + name.len + email.len + role.len;
    for (size_t i = 0; i < count; i++)
        bytes += groups[i].len;
    struct gw_identity *identity = calloc(1, sizeof(*identity) + bytes + 1);
    struct text *copies = count ? calloc(count, sizeof(*copies)) : NULL;
    if (!identity || (count && !copies)) {
        free(identity);
        free(copies);
        return NULL;
    }
    char *at = identity->bytes;
    identity->refs = 1;
    identity->user_id = place(&at, user_id);
    identity->name = place(&at, name);
    identity->email = place(&at, email);
    identity->role = place(&at, role);
    identity->admin = text_is(role, "admin");
    identity->groups = copies;
    identity->group_count = count;
    for (size_t i = 0; i < count; i++)
        copies[i] = place(&at, groups[i]);
    return identity;
}

static bool is_revoked(struct gw_io *io, struct gw_api *api, struct text user, int64_t issued_ms)
{
    char key[1024 + sizeof(api->index)];
    if (user.len == 0 || user.len > 1024)
        return false;
    struct gw_revoked *revoked = map_get(&io->revoked, gw_scoped_key(key, api, user));
    return revoked && issued_ms < revoked->until_ms;
}

bool gw_identity_revoked(struct gw_io *io, struct gw_api *api, const struct gw_identity *identity)
{
    return is_revoked(io, api, identity->user_id, identity->issued_ms);
}

static int verify(struct gw_api *api, const struct gw_io *io, struct text token, int64_t now_ms, struct arena *arena, struct jwt_result *result)
{
    const struct gw_jwt *config = &api->config->jwt;
    struct jwt_policy policy = {
        .issuer = config->issuer,
        .audiences = &config->audience,
        .audience_count = config->audience.len ? 1 : 0,
        .skew_s = config->skew_s,
    };
    if (api->jwks)
        return jwks_verify(api->jwks, token, &policy, now_ms, arena, result);
    return jwt_verify(gw_policy_of(io, api)->keys, token, &policy, now_ms, arena, result);
}

int gw_identity_from_token(struct gw_api *api, struct gw_io *io, struct text token, struct gw_identity **out, int64_t *exp_s, int64_t *now_s, struct err *err)
{
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    struct jwt_result result = {0};
    struct jwt_identity claims = {0};
    const char *reason = NULL;
    int64_t began_ns = clock_mono_ns();
    int code = verify(api, io, token, clock_wall_ms(), &arena, &result);
    *exp_s = result.exp;
    *now_s = result.now;
    if (code == ERR_MISSING_TOKEN)
        err_set(err, code, "a token is required: ?token=, an Authorization header, or a subprotocol");
    else if (code == ERR_TOKEN_EXPIRED)
        err_set(err, code, "the token has expired");
    else if (code == ERR_AGAIN)
        err_set(err, code, "the issuer's keys could not be fetched yet; try again");
    else if (code)
        err_set(err, code, "%s", result.reason ? result.reason : err_text(code));
    if (!code && (code = jwt_identity_from_claims(result.claims, &arena, &claims, &reason)))
        err_set(err, code, "%s", reason ? reason : err_text(code));
    if (!code && is_revoked(io, api, claims.user_id, result.has_iat ? result.iat * 1000 : 0))
        code = err_set(err, ERR_INVALID_TOKEN, "the token has been revoked");
    if (!code) {
        *out = gw_identity_create(claims.user_id, claims.user_name, claims.user_email, claims.user_role, claims.groups, claims.group_count);
        if (*out) {
            (*out)->proven = true;
            (*out)->expires_ms = result.has_exp ? (result.exp + api->config->jwt.skew_s) * 1000 : 0;
            (*out)->issued_ms = result.has_iat ? result.iat * 1000 : 0;
        } else {
            code = err_set(err, ERR_MEMORY, "out of memory");
        }
    }
    gw_monitor_token(io, api, &(struct gw_token_seen){
        .began_ns = began_ns,
        .memory = arena.high,
        .length = token.len,
        .code = code,
        .message = code ? err->text : NULL,
        .exp_s = code == ERR_TOKEN_EXPIRED ? result.exp : 0,
        .now_s = result.now,
        .identity = code ? NULL : *out,
    });
    arena_fini(&arena);
    if (code) {
        counter_add(COUNTER_gw_auth_failures, 1);
        gw_meter_api(io, GW_FIGURE_AUTH_FAILURES, api, 1, 1);
        gw_meter_abuse(io, api, "RejectedToken");
    }
    return code;
}

int gw_check_signature(struct gw_io *io, const struct http_request *request, struct text body, const char *service, const char **type, const void **policy, struct err *err)
{
    struct sigv4_header header[HTTP_HEADERS_MAX];
    for (size_t i = 0; i < request->headers; i++)
        header[i] = (struct sigv4_header){request->header[i].name, request->header[i].value};
    struct sigv4_request asked = {request->method, request->target, header, request->headers, body, request->wire_hashed ? request->wire_sha256 : NULL};
    struct sigv4_identity who = {0};
    enum sigv4_status status = sigv4_verify(io->sigv4, &asked, clock_wall_ms(), &who);
    static const char *const names[] = {"", "MissingAuthenticationTokenException", "UnrecognizedClientException",
        "IncompleteSignatureException", "InvalidSignatureException", "InvalidSignatureException"};
    *policy = who.policy;
    if (status == SIGV4_OK && service && !text_is(who.service, service)) {
        *type = "InvalidSignatureException";
        err_set(err, ERR_FORBIDDEN, "Credential should be scoped to correct service: '%s'.", service);
        return 403;
    }
    if (status == SIGV4_OK)
        return 0;
    *type = names[status];
    err_set(err, ERR_FORBIDDEN, "%s", who.reason ? who.reason : "the signature does not match");
    counter_add(COUNTER_gw_auth_failures, 1);
    return 403;
}

static void resource_of(struct gw_io *io, const struct gw_api *api, struct text stage, struct text method, struct text path, struct buf *out)
{
    const struct gateway_config *config = &io->gateway->config;
    buf_add_format(out, "arn:aws:execute-api:%.*s:%.*s:%.*s/", TEXT_FMT(config->region), TEXT_FMT(config->account), TEXT_FMT(api ? api->config->name : TEXT("*")));
    if (api)
        buf_add_format(out, "%.*s/", TEXT_FMT(stage.len ? stage : api->config->stages[0]));
    buf_add_format(out, "%.*s%s%.*s", TEXT_FMT(method), method.len && path.len && path.data[0] != '/' ? "/" : "", TEXT_FMT(path));
}

int gw_authorise(struct gw_io *io, struct gw_api *api, struct text stage, const char *action, const struct http_request *request, struct text path, struct text body,
    const struct gw_key **key, const char **type, struct err *err)
{
    const void *found = NULL;
    int status = gw_check_signature(io, request, body, "execute-api", type, &found, err);
    *key = found;
    if (status) {
        gw_meter_api(io, GW_FIGURE_AUTH_FAILURES, api, 1, 1);
        gw_meter_abuse(io, api, "RejectedToken");
    }
    if (status || !(*key)->access)
        return status;
    char full[64];
    struct buf resource;
    snprintf(full, sizeof(full), "execute-api:%s", action);
    buf_init(&resource, HTTP_TARGET_MAX * 2);
    resource_of(io, api, stage, text_is(path, "$connect") ? TEXT_NONE : request->method, path, &resource);
    bool may = !resource.failed && gw_access_verdict((*key)->access, text_of(full), buf_text(&resource)) == GW_MAY;
    if (!may) {
        *type = "AccessDeniedException";
        err_set(err, ERR_FORBIDDEN, "User: arn:aws:iam::%.*s:user/%.*s is not authorized to perform: %s on resource: %.*s", TEXT_FMT(io->gateway->config.account),
            TEXT_FMT((*key)->id), full, TEXT_FMT(buf_text(&resource)));
        counter_add(COUNTER_gw_auth_failures, 1);
        gw_meter_api(io, GW_FIGURE_AUTH_FAILURES, api, 1, 1);
        gw_meter_abuse(io, api, "RejectedToken");
    }
    buf_fini(&resource);
    return may ? 0 : 403;
}
