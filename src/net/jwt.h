/*
 * JSON Web Tokens: a strict verifier (RFC 7515, 7517, 7519, 8725). One algorithm per key, decided by the key and never by
 * the token: HS256, RS256, ES256 (P-256) and EdDSA (Ed25519). Everything loose is refused: docs/decisions/0005-jwt-verifier.md.
 */
#ifndef WEIR_NET_JWT_H
#define WEIR_NET_JWT_H

#include "base/json.h"

#define JWT_TOKEN_MAX 8192        /* bytes; a longer token is ERR_INVALID_TOKEN before anything of it is read */
#define JWT_KEYS_MAX 64           /* usable keys in one set */
#define JWT_JWKS_MAX (256 * 1024) /* bytes of a JWKS document */
#define JWT_PEM_MAX (64 * 1024)   /* bytes of a PEM text */
#define JWT_SECRET_MAX 4096       /* bytes of an HMAC secret */
#define JWT_SECRET_STRONG 32      /* bytes; RFC 7518 section 3.2 wants no shorter one: jwt_keys_weak() tells */
#define JWT_KID_MAX 256           /* bytes of a key id */
#define JWT_RSA_BITS_MIN 2048
#define JWT_RSA_BITS_MAX 8192     /* a larger modulus only burns time */
#define JWT_CLAIM_MAX 256         /* bytes of one mapped identity claim */

enum jwt_alg { JWT_ALG_NONE, JWT_HS256, JWT_RS256, JWT_ES256, JWT_EDDSA };

/* ---- keys ---- */

/* An immutable, reference-counted set of keys. Any number of threads verify against one set at the same time. */
struct jwt_keys;

/* Each answers 0 and a set that the caller owns (one reference), or ERR_INVALID, ERR_TOO_LARGE, ERR_MEMORY and, for the JWKS,
   ERR_SYNTAX or ERR_DUPLICATE; err may be NULL and never quotes key material. The input is only borrowed. */
int jwt_keys_from_secret(struct text secret, struct jwt_keys **out, struct err *err);
/* The first public key or certificate of the text. Private keys are refused: a verifier has no business with one. */
int jwt_keys_from_pem(struct text pem, struct jwt_keys **out, struct err *err);
/* RFC 7517. Keys that this verifier cannot use (other types, other algorithms, weak RSA, use != sig, private members) are
   skipped, as section 5 asks; a set without any usable key is ERR_INVALID. Symmetric keys in a JWKS are never used. */
int jwt_keys_from_jwks(struct text json, struct jwt_keys **out, struct err *err);
struct jwt_keys *jwt_keys_ref(struct jwt_keys *keys);
void jwt_keys_unref(struct jwt_keys *keys); /* NULL is fine */
size_t jwt_keys_count(const struct jwt_keys *keys);
/* An HMAC secret shorter than JWT_SECRET_STRONG is in the set: worth a warning at start-up. */
bool jwt_keys_weak(const struct jwt_keys *keys);

/* ---- verification ---- */

/* What a token must satisfy beside its signature. All zero: exp required, any issuer, any audience, no skew. */
struct jwt_policy {
    struct text issuer;           /* exact `iss`; empty = any */
    const struct text *audiences; /* one of them must be in `aud`, or be `client_id` when the token has no `aud` (Cognito) */
    size_t audience_count;        /* 0 = any */
    int64_t skew_s;               /* seconds of clock difference allowed for exp, nbf and iat */
    bool exp_optional;            /* a token without `exp` is taken */
};

/* Filled by jwt_verify as far as it came; all zero before. The texts and the tree live in the caller's arena. */
struct jwt_result {
    const struct json *claims; /* the payload object; only when jwt_verify answered 0 */
    enum jwt_alg alg;
    struct text kid;           /* of the token's header; empty when absent */
    bool unknown_key;          /* the header names a `kid` that the set does not have: a JWKS may be due for a refresh */
    bool has_exp, has_iat;
    int64_t exp, iat;          /* seconds; of a token whose signature is good */
    int64_t now;               /* seconds, as compared */
    const char *reason;        /* static sentence, never NULL, never a byte of the token */
};

/*
 * 0, ERR_MISSING_TOKEN (empty), ERR_TOKEN_EXPIRED (the signature is good; exp and now are set), ERR_INVALID_TOKEN (reason),
 * ERR_MEMORY (the arena's limit: give it 1 MiB, the tree of the most crowded 8 KiB fits). now_ms: wall clock, milliseconds.
 * keys may be NULL (nothing is trusted). Any thread.
 */
int jwt_verify(const struct jwt_keys *keys, struct text token, const struct jwt_policy *policy, int64_t now_ms,
               struct arena *arena, struct jwt_result *result);

/* ---- identity ---- */

/* What an application sees of a user. The texts borrow the claims or the arena; empty = not given. */
struct jwt_identity {
    struct text user_id;    /* sub | userId | user_id | id (the last three may be integers) */
    struct text user_name;  /* name | username | cognito:username | preferred_username | userName */
    struct text user_email; /* email | userEmail */
    struct text user_role;  /* role | userRole; else "admin" when the groups hold it, else "user" */
    const struct text *groups; /* groups | cognito:groups: an array of strings, or one string */
    size_t group_count;
};

/* 0, ERR_INVALID_TOKEN (a mapped claim is too long, has control characters or the wrong type; *reason is a static sentence),
   ERR_MEMORY. A token without any user id is fine here: user_id stays empty. */
int jwt_identity_from_claims(const struct json *claims, struct arena *arena, struct jwt_identity *out,
                             const char **reason);

/* ---- signing: `weir token` and tests ---- */

/* Appends a compact HS256 token over the claims (JSON text of an object; checked). 0, ERR_INVALID, ERR_SYNTAX, ERR_TOO_LARGE,
   ERR_MEMORY. */
int jwt_sign_hs256(struct text secret, struct text claims_json, struct buf *out);

#endif
