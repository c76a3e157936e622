/* The claims that the gateway maps to an identity (net/jwt.h lists them), in their first spelling. */
#include "main/sign.h"

#include "base/clock.h"
#include "base/json.h"
#include "net/jwt.h"

static void member(struct json_writer *w, const char *name, const char *value)
{
    if (!value)
        return;
    json_name(w, name);
    json_str(w, value);
}

static void member_text(struct json_writer *w, const char *name, struct text value)
{
    if (!value.len)
        return;
    json_name(w, name);
    json_text(w, value);
}

static void write_groups(struct json_writer *w, const char *groups)
{
    struct text left = text_of(groups);
    if (!left.len)
        return;
    json_name(w, "groups");
    json_begin_array(w);
    while (left.len) {
        ptrdiff_t comma = text_find(left, ',', 0);
        size_t len = comma < 0 ? left.len : (size_t)comma;
        struct text group = text_trim(text_make(left.data, len));
        if (group.len)
            json_text(w, group);
        left = comma < 0 ? TEXT_NONE : text_make(left.data + len + 1, left.len - len - 1);
    }
    json_end_array(w);
}

int sign_token(struct text secret, const struct sign_claims *claims, struct buf *out, struct err *err)
{
    struct buf json;
    struct json_writer w;
    int64_t now_s = clock_wall_ms() / 1000;
    buf_init(&json, JWT_TOKEN_MAX);
    json_writer_init(&w, &json);
    json_begin_object(&w);
    member(&w, "sub", claims->user);
    member(&w, "role", claims->role);
    member(&w, "name", claims->name);
    member(&w, "email", claims->email);
    write_groups(&w, claims->groups);
    member_text(&w, "iss", claims->issuer);
    member_text(&w, "aud", claims->audience);
    json_name(&w, "iat");
    json_i64(&w, now_s);
    json_name(&w, "exp");
    json_i64(&w, now_s + claims->life_ms / 1000);
    json_end_object(&w);
    int code = json.failed ? ERR_TOO_LARGE : jwt_sign_hs256(secret, buf_text(&json), out);
    buf_fini(&json);
    return code ? err_set(err, code, "the token cannot be made: %s", err_text(code)) : 0;
}
