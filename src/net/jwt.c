/*
 * Verification of one token. The order is the defence: the size, the shape, the header, the key, the signature, and only
 * then the claims; nothing of the payload is parsed before the signature over it is good, so a stranger reaches no more code
 * than base64url and one small JSON object.
 *
 * Why not a library: the four that Debian carries were measured to accept an unknown `crit` header (RFC 7515 section 4.1.11
 * demands refusal), one of them also a public key used as an HMAC secret. What is needed here is small, and its whole rule
 * book fits one screen: see refused_members and the checks below.
 *
 * Reasons are static sentences. They go to logs and to clients, so no byte of a token may ever be in one.
 */
#include "net/jwt.h"

#include <math.h>

#include "base/codec.h"
#include "net/jwt_keys.h"

#define DATE_MAX 253402300799.0 /* the end of the year 9999, seconds: a date in milliseconds by mistake never passes */
#define SKEW_MAX 86400          /* seconds */

static int refuse(struct jwt_result *result, const char *reason)
{
    result->reason = reason;
    return ERR_INVALID_TOKEN;
}

/* ---- the compact form ---- */

struct jwt_parts {
    struct text header, payload, signature; /* base64url */
    struct text message;                    /* what is signed: header '.' payload */
};

static int parts_split(struct text token, struct jwt_parts *parts, struct jwt_result *result)
{
    ptrdiff_t first = text_find(token, '.', 0);
    ptrdiff_t second = first < 0 ? -1 : text_find(token, '.', (size_t)first + 1);
    if (second < 0)
        return refuse(result, "the token does not have three parts");
    if (text_find(token, '.', (size_t)second + 1) >= 0)
        return refuse(result, "the token has more than three parts; encrypted tokens are not supported");
    parts->header = text_make(token.data, (size_t)first);
    parts->payload = text_make(token.data + first + 1, (size_t)(second - first - 1));
    parts->signature = text_make(token.data + second + 1, token.len - (size_t)second - 1);
    parts->message = text_make(token.data, (size_t)second);
    if (!parts->header.len || !parts->payload.len)
        return refuse(result, "a part of the token is empty");
    return 0;
}

/* A part that must be a JSON object without repeated names; the tree borrows the arena alone. */
static int part_parse(struct text part, struct arena *arena, const struct json **root, struct jwt_result *result)
{
    struct buf bytes;
    buf_init(&bytes, JWT_TOKEN_MAX);
    int code = base64url_decode(&bytes, part);
    if (!code)
        code = json_parse(arena, buf_text(&bytes), JSON_REFUSE_DUPLICATES | JSON_COPY, root, NULL);
    buf_fini(&bytes);
    switch (code) {
    case 0:
        return (*root)->type == JSON_OBJECT ? 0 : refuse(result, "a part of the token is not a JSON object");
    case ERR_MEMORY:
        return ERR_MEMORY;
    case ERR_DUPLICATE:
        return refuse(result, "a member of the token appears twice");
    default:
        return refuse(result, "a part of the token is not base64url of JSON");
    }
}

/* ---- the header ---- */

static const struct {
    const char *name;
    enum jwt_alg alg;
} algorithms[] = {{"HS256", JWT_HS256}, {"RS256", JWT_RS256}, {"ES256", JWT_ES256}, {"EdDSA", JWT_EDDSA}};

/* Members that would let the sender choose the key or the form of the token. */
static const struct {
    const char *name, *reason;
} refused_members[] = {
    {"jwk", "a token must not bring its own key (jwk)"},
    {"jku", "a token must not name the place of its key (jku)"},
    {"x5c", "a token must not bring its own certificate (x5c)"},
    {"x5u", "a token must not name the place of its certificate (x5u)"},
    {"crit", "the token demands an extension (crit)"},
    {"b64", "the token demands an unencoded payload (b64)"},
    {"zip", "compressed tokens are not supported (zip)"},
    {"enc", "encrypted tokens are not supported (enc)"},
};

static int header_alg(const struct json *alg, struct jwt_result *result)
{
    if (!json_is(alg, JSON_STRING))
        return refuse(result, "the token names no algorithm");
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        if (text_is(alg->text, algorithms[i].name)) {
            result->alg = algorithms[i].alg;
            return 0;
        }
    }
    if (text_equal_nocase(alg->text, TEXT("none")))
        return refuse(result, "unsigned tokens are refused");
    return refuse(result, "the token's algorithm is not supported");
}

/* RFC 8725 section 3.11: a token that says it is for another use is not for this one. */
static bool type_suits(const struct json *typ)
{
    if (!typ)
        return true;
    if (typ->type != JSON_STRING)
        return false;
    struct text type = typ->text;
    struct text prefix = TEXT("application/");
    if (type.len > prefix.len && text_equal_nocase(text_make(type.data, prefix.len), prefix))
        type = text_make(type.data + prefix.len, type.len - prefix.len);
    return text_equal_nocase(type, TEXT("JWT")) || text_equal_nocase(type, TEXT("at+jwt"));
}

static int header_check(const struct json *header, struct jwt_result *result)
{
    for (size_t i = 0; i < sizeof(refused_members) / sizeof(refused_members[0]); i++)
        if (json_get_str(header, refused_members[i].name))
            return refuse(result, refused_members[i].reason);
    if (!type_suits(json_get_str(header, "typ")))
        return refuse(result, "the token is of another type (typ)");
    const struct json *kid = json_get_str(header, "kid");
    if (kid && (kid->type != JSON_STRING || kid->text.len > JWT_KID_MAX))
        return refuse(result, "the token's key id is not a text of acceptable length");
    if (kid)
        result->kid = kid->text;
    return header_alg(json_get_str(header, "alg"), result);
}

static int key_choose(const struct jwt_keys *keys, const struct jwt_key **key, struct jwt_result *result)
{
    if (!keys)
        return refuse(result, "no key is configured");
    switch (jwt_keys_find(keys, result->kid, result->alg, key)) {
    case JWT_FOUND:
        return 0;
    case JWT_UNKNOWN_KID:
        result->unknown_key = true;
        return refuse(result, "the token names a key that is not known");
    case JWT_OTHER_ALG:
        return refuse(result, "the token's algorithm is not the one of its key");
    case JWT_NO_ALG:
        return refuse(result, "no key is configured for the token's algorithm");
    case JWT_AMBIGUOUS:
        break;
    }
    return refuse(result, "the token names no key and several could be meant");
}

static int signature_check(const struct jwt_keys *keys, const struct jwt_parts *parts, struct jwt_result *result)
{
    const struct jwt_key *key = NULL;
    struct buf signature;
    int code = key_choose(keys, &key, result);
    if (code)
        return code;
    buf_init(&signature, JWT_TOKEN_MAX);
    code = base64url_decode(&signature, parts->signature);
    bool good = !code && signature.len && jwt_key_check(key, parts->message, buf_text(&signature));
    buf_fini(&signature);
    if (code == ERR_MEMORY)
        return ERR_MEMORY;
    return good ? 0 : refuse(result, "the signature does not match");
}

/* ---- the claims ---- */

/* NumericDate (RFC 7519 section 2), fractions dropped. False when it is there but is no date. */
static bool claim_date(const struct json *claims, const char *name, bool *has, int64_t *seconds)
{
    const struct json *claim = json_get_str(claims, name);
    double value;
    *has = claim != NULL;
    if (!claim)
        return true;
    if (claim->type != JSON_NUMBER || json_to_double(claim, &value) || !(value >= 0 && value <= DATE_MAX))
        return false;
    *seconds = (int64_t)floor(value);
    return true;
}

static int64_t policy_skew(const struct jwt_policy *policy)
{
    return policy->skew_s < 0 ? 0 : policy->skew_s > SKEW_MAX ? SKEW_MAX : policy->skew_s;
}

static int times_check(const struct json *claims, const struct jwt_policy *policy, struct jwt_result *result)
{
    int64_t skew = policy_skew(policy), now = result->now, not_before = 0;
    bool has_not_before;

    if (!claim_date(claims, "exp", &result->has_exp, &result->exp) ||
        !claim_date(claims, "nbf", &has_not_before, &not_before) ||
        !claim_date(claims, "iat", &result->has_iat, &result->iat))
        return refuse(result, "a date of the token is not a number of seconds");
    if (!result->has_exp && !policy->exp_optional)
        return refuse(result, "the token does not say when it expires");
    if (result->has_exp && now >= result->exp + skew) {
        result->reason = "the token has expired";
        return ERR_TOKEN_EXPIRED;
    }
    if (has_not_before && now < not_before - skew)
        return refuse(result, "the token is not valid yet");
    if (result->has_iat && now < result->iat - skew)
        return refuse(result, "the token was issued in the future");
    return 0;
}

static bool audience_listed(const struct jwt_policy *policy, struct text audience)
{
    for (size_t i = 0; i < policy->audience_count; i++)
        if (text_equal(policy->audiences[i], audience))
            return true;
    return false;
}

/* -1: the claim has the wrong type; else whether one of its texts is listed. */
static int audience_match(const struct jwt_policy *policy, const struct json *aud)
{
    int match = 0;
    if (aud->type == JSON_STRING)
        return audience_listed(policy, aud->text);
    if (aud->type != JSON_ARRAY)
        return -1;
    for (const struct json *one = aud->first; one; one = one->next) {
        if (one->type != JSON_STRING)
            return -1;
        match |= audience_listed(policy, one->text);
    }
    return match;
}

static int audience_check(const struct json *claims, const struct jwt_policy *policy, struct jwt_result *result)
{
    const struct json *aud = json_get_str(claims, "aud");
    const struct json *client = json_get_str(claims, "client_id");
    int match = aud ? audience_match(policy, aud) : 0;

    if (match < 0)
        return refuse(result, "the token's audience is not a text or a list of texts");
    if (!aud && json_is(client, JSON_STRING))
        match = audience_listed(policy, client->text);
    if (policy->audience_count && !match)
        return refuse(result, "the token is for another audience");
    return 0;
}

static int parties_check(const struct json *claims, const struct jwt_policy *policy, struct jwt_result *result)
{
    const struct json *iss = json_get_str(claims, "iss");
    const struct json *sub = json_get_str(claims, "sub");

    if ((iss && iss->type != JSON_STRING) || (sub && sub->type != JSON_STRING))
        return refuse(result, "the token's issuer or subject is not a text");
    if (policy->issuer.len && !(iss && text_equal(iss->text, policy->issuer)))
        return refuse(result, "the token is from another issuer");
    return audience_check(claims, policy, result);
}

/* Who it is from and for comes before its time, so that TOKEN_EXPIRED is only said to the holder of a token that was ours. */
static int claims_check(struct text payload, const struct jwt_policy *policy, struct arena *arena,
                        struct jwt_result *result)
{
    const struct json *claims = NULL;
    int code = part_parse(payload, arena, &claims, result);
    if (!code)
        code = parties_check(claims, policy, result);
    if (!code)
        code = times_check(claims, policy, result);
    if (!code)
        result->claims = claims;
    return code;
}

int jwt_verify(const struct jwt_keys *keys, struct text token, const struct jwt_policy *policy, int64_t now_ms,
               struct arena *arena, struct jwt_result *result)
{
    struct jwt_parts parts;
    const struct json *header = NULL;

    *result = (struct jwt_result){.reason = "", .now = now_ms / 1000};
    if (!token.len) {
        result->reason = "a token is required";
        return ERR_MISSING_TOKEN;
    }
    if (token.len > JWT_TOKEN_MAX)
        return refuse(result, "the token is too long");
    int code = parts_split(token, &parts, result);
    if (!code)
        code = part_parse(parts.header, arena, &header, result);
    if (!code)
        code = header_check(header, result);
    if (!code)
        code = signature_check(keys, &parts, result);
    if (!code)
        code = claims_check(parts.payload, policy, arena, result);
    if (code == ERR_MEMORY)
        result->reason = "out of memory";
    return code;
}
