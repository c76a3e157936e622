/*
 * From claims to the identity that applications see, and the signer for development tokens.
 *
 * Issuers disagree about names (`sub`, `userId`, `user_id`; Cognito's prefixes), so the first of a list that is present
 * counts. What is mapped here ends up in table keys, room names and other people's messages; hence the bound on length and
 * the refusal of control characters, although the token itself is genuine.
 */
#include "base/codec.h"
#include "net/jwt.h"
#include "net/jwt_keys.h"

#define CLAIM_NAMES_MAX 6

static const char *const names_user_id[CLAIM_NAMES_MAX] = {"sub", "userId", "user_id", "id"};
static const char *const names_user_name[CLAIM_NAMES_MAX] = {"name", "username", "cognito:username",
                                                             "preferred_username", "userName"};
static const char *const names_user_email[CLAIM_NAMES_MAX] = {"email", "userEmail"};
static const char *const names_user_role[CLAIM_NAMES_MAX] = {"role", "userRole"};
static const char *const names_groups[CLAIM_NAMES_MAX] = {"groups", "cognito:groups"};

static bool text_presentable(struct text value)
{
    if (value.len > JWT_CLAIM_MAX)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (c < 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

/* The first claim of the list that is there and is not null. */
static const struct json *claim_first(const struct json *claims, const char *const names[CLAIM_NAMES_MAX])
{
    for (int i = 0; i < CLAIM_NAMES_MAX && names[i]; i++) {
        const struct json *claim = json_get_str(claims, names[i]);
        if (claim && claim->type != JSON_NULL)
            return claim;
    }
    return NULL;
}

/* Integers are taken for ids alone: home-made tokens carry {"id": 42}. */
static bool claim_text(const struct json *claims, const char *const names[CLAIM_NAMES_MAX], bool integers,
                       struct text *out)
{
    const struct json *claim = claim_first(claims, names);
    int64_t number;
    if (!claim)
        return true;
    if (claim->type != JSON_STRING && !(integers && claim->type == JSON_NUMBER && !text_to_i64(claim->text, &number)))
        return false;
    *out = claim->text;
    return text_presentable(*out);
}

static int claim_groups(const struct json *claims, struct arena *arena, struct jwt_identity *out)
{
    const struct json *claim = claim_first(claims, names_groups);
    if (!claim)
        return 0;
    if (claim->type != JSON_ARRAY && claim->type != JSON_STRING)
        return ERR_INVALID_TOKEN;
    size_t count = claim->type == JSON_ARRAY ? claim->count : 1;
    if (!count)
        return 0;
    struct text *groups = arena_array(arena, count, sizeof(*groups));
    if (!groups)
        return ERR_MEMORY;
    const struct json *one = claim->type == JSON_ARRAY ? claim->first : claim;
    for (size_t i = 0; i < count; i++, one = one->next) {
        if (one->type != JSON_STRING || !text_presentable(one->text))
            return ERR_INVALID_TOKEN;
        groups[i] = one->text;
    }
    out->groups = groups;
    out->group_count = count;
    return 0;
}

/* An explicit role counts; groups speak only where no role does. */
static struct text role_default(const struct jwt_identity *identity)
{
    for (size_t i = 0; i < identity->group_count; i++)
        if (text_is(identity->groups[i], "admin"))
            return TEXT("admin");
    return TEXT("user");
}

int jwt_identity_from_claims(const struct json *claims, struct arena *arena, struct jwt_identity *out,
                             const char **reason)
{
    struct jwt_identity identity = {0};
    int code = ERR_INVALID_TOKEN;

    *reason = "";
    if (!claim_text(claims, names_user_id, true, &identity.user_id))
        *reason = "the token's user id is not a text that can be used";
    else if (!claim_text(claims, names_user_name, false, &identity.user_name))
        *reason = "the token's user name is not a text that can be used";
    else if (!claim_text(claims, names_user_email, false, &identity.user_email))
        *reason = "the token's email is not a text that can be used";
    else if (!claim_text(claims, names_user_role, false, &identity.user_role))
        *reason = "the token's role is not a text that can be used";
    else if ((code = claim_groups(claims, arena, &identity)))
        *reason = code == ERR_MEMORY ? "out of memory" : "the token's groups are not texts that can be used";
    if (code)
        return code;
    if (!identity.user_role.len)
        identity.user_role = role_default(&identity);
    *out = identity;
    return 0;
}

/* ---- signing ---- */

static int claims_valid(struct text claims_json)
{
    const struct json *root;
    struct arena arena;
    arena_init(&arena, 4096, 64 * JWT_TOKEN_MAX);
    int code = json_parse(&arena, claims_json, JSON_REFUSE_DUPLICATES, &root, NULL);
    if (!code && root->type != JSON_OBJECT)
        code = ERR_INVALID;
    arena_fini(&arena);
    return code;
}

int jwt_sign_hs256(struct text secret, struct text claims_json, struct buf *out)
{
    unsigned char mac[JWT_HMAC_SIZE];
    size_t start = out->len;

    if (!secret.len || secret.len > JWT_SECRET_MAX)
        return ERR_INVALID;
    if (claims_json.len > JWT_TOKEN_MAX)
        return ERR_TOO_LARGE;
    int code = claims_valid(claims_json);
    if (!code)
        code = base64url_encode(out, TEXT("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"));
    if (!code)
        code = buf_add_char(out, '.');
    if (!code)
        code = base64url_encode(out, claims_json);
    if (!code && !jwt_hmac(secret, text_make(out->data + start, out->len - start), mac))
        code = ERR_MEMORY;
    if (!code)
        code = buf_add_char(out, '.');
    if (!code)
        code = base64url_encode(out, text_make(mac, sizeof(mac)));
    if (!code && out->len - start > JWT_TOKEN_MAX)
        code = ERR_TOO_LARGE;
    if (code)
        out->len = start;
    return code;
}
