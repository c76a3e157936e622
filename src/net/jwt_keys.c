/*
 * Key sets. A key carries its algorithm from the moment it is read: the type of the key decides it (RSA is RS256, P-256 is
 * ES256, Ed25519 is EdDSA, a secret is HS256), and a token can only name the algorithm that its key has. That is the whole
 * defence against algorithm confusion: a public key never becomes an HMAC secret, because nothing here can turn one
 * into the other.
 *
 * What makes checking fast is prepared when the set is built: parsed keys, and for secrets an HMAC context that is already
 * keyed, which a verification duplicates. Neither changes afterwards, so a set is shared by threads without a lock; OpenSSL
 * documents both uses (EVP_PKEY verification, duplication of a context) as safe on an object that nobody writes.
 *
 * A JWKS is published by somebody else. RFC 7517 section 5 lets a reader ignore keys that it does not understand, so an
 * issuer may add a key of a new type without locking its users out; a key that is understood and bad (short RSA, a point off
 * the curve, private members) is ignored in the same way, since trusting the rest of the set is no more dangerous.
 */
#include "net/jwt_keys.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/codec.h"

#define P256_COORDINATE 32
#define ES256_SIGNATURE (2 * P256_COORDINATE)
#define ES256_DER_MAX 80 /* two integers of 33 bytes and their headers are 72 */
#define ED25519_KEY 32
#define JWT_KEY_NUMBER_MAX (JWT_RSA_BITS_MAX / 8 + 1) /* bytes of a decoded JWK member; one spare for a leading zero */

struct jwt_key {
    enum jwt_alg alg;
    char *kid; /* owned; NULL = no name */
    size_t kid_len;
    EVP_PKEY *pkey;   /* RS256, ES256, EdDSA */
    EVP_MAC_CTX *mac; /* HS256: keyed, never used itself, only duplicated */
};

struct jwt_keys {
    atomic_int refs;
    size_t count;
    bool weak;
    struct jwt_key key[JWT_KEYS_MAX];
};

/* ---- the set ---- */

static struct jwt_keys *keys_new(void)
{
    struct jwt_keys *keys = calloc(1, sizeof(*keys));
    if (keys)
        atomic_init(&keys->refs, 1);
    return keys;
}

struct jwt_keys *jwt_keys_ref(struct jwt_keys *keys)
{
    int before = atomic_fetch_add_explicit(&keys->refs, 1, memory_order_relaxed);
    ASSERT(before > 0);
    return keys;
}

void jwt_keys_unref(struct jwt_keys *keys)
{
    if (!keys || atomic_fetch_sub_explicit(&keys->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < keys->count; i++) {
        free(keys->key[i].kid);
        EVP_PKEY_free(keys->key[i].pkey);
        EVP_MAC_CTX_free(keys->key[i].mac);
    }
    free(keys);
}

size_t jwt_keys_count(const struct jwt_keys *keys)
{
    return keys->count;
}

bool jwt_keys_weak(const struct jwt_keys *keys)
{
    return keys->weak;
}

static struct text key_kid(const struct jwt_key *key)
{
    return text_make(key->kid, key->kid_len);
}

/* A key of the token's name decides alone; only nameless keys, or all when the token names none, compete otherwise. */
enum jwt_find jwt_keys_find(const struct jwt_keys *keys, struct text kid, enum jwt_alg alg, const struct jwt_key **out)
{
    const struct jwt_key *only = NULL;
    size_t candidates = 0;
    bool named = false, same_name = false;

    for (size_t i = 0; i < keys->count; i++) {
        const struct jwt_key *key = &keys->key[i];
        named |= key->kid_len > 0;
        if (kid.len && key->kid_len) {
            if (!text_equal(kid, key_kid(key)))
                continue;
            same_name = true;
            if (key->alg == alg) {
                *out = key;
                return JWT_FOUND;
            }
        } else if (key->alg == alg) {
            only = key;
            candidates++;
        }
    }
    if (same_name)
        return JWT_OTHER_ALG;
    if (candidates > 1)
        return JWT_AMBIGUOUS;
    if (candidates == 0)
        return kid.len && named ? JWT_UNKNOWN_KID : JWT_NO_ALG;
    *out = only;
    return JWT_FOUND;
}

/* ---- from a secret ---- */

static EVP_MAC_CTX *hmac_keyed(struct text secret)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END};

    if (ctx && EVP_MAC_init(ctx, (const unsigned char *)secret.data, secret.len, parameters) != 1) {
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }
    EVP_MAC_free(mac);
    return ctx;
}

int jwt_keys_from_secret(struct text secret, struct jwt_keys **out, struct err *err)
{
    if (secret.len == 0)
        return err_set(err, ERR_INVALID, "the JWT secret is empty");
    if (secret.len > JWT_SECRET_MAX)
        return err_set(err, ERR_TOO_LARGE, "the JWT secret is longer than %d bytes", JWT_SECRET_MAX);
    struct jwt_keys *keys = keys_new();
    if (!keys)
        return err_set(err, ERR_MEMORY, "no memory for a key set");
    keys->key[0].alg = JWT_HS256;
    keys->key[0].mac = hmac_keyed(secret);
    keys->count = 1;
    keys->weak = secret.len < JWT_SECRET_STRONG;
    if (!keys->key[0].mac) {
        jwt_keys_unref(keys);
        ERR_clear_error();
        return err_set(err, ERR_MEMORY, "no HMAC context");
    }
    *out = keys;
    return 0;
}

/* ---- judging a public key ---- */

/* An exponent of 1 would make every message its own signature; a huge one only burns time. */
static bool rsa_usable(EVP_PKEY *pkey)
{
    BIGNUM *n = NULL, *e = NULL;
    int bits = EVP_PKEY_get_bits(pkey);
    bool usable = bits >= JWT_RSA_BITS_MIN && bits <= JWT_RSA_BITS_MAX &&
                  EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
                  EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_odd(n) && BN_is_odd(e) &&
                  !BN_is_one(e) && BN_num_bits(e) <= 33;
    BN_free(n);
    BN_free(e);
    return usable;
}

static bool ec_usable(EVP_PKEY *pkey)
{
    char group[32];
    size_t len = 0;
    if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) != 1 || strcmp(group, SN_X9_62_prime256v1) != 0)
        return false;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool usable = ctx && EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return usable;
}

/* The algorithm that this key is for, or JWT_ALG_NONE when it is not to be used. RSA keys that are restricted to PSS are
   another type, and so are all curves but P-256 and Ed25519. */
static enum jwt_alg key_alg(EVP_PKEY *pkey)
{
    if (EVP_PKEY_is_a(pkey, "RSA"))
        return rsa_usable(pkey) ? JWT_RS256 : JWT_ALG_NONE;
    if (EVP_PKEY_is_a(pkey, "EC"))
        return ec_usable(pkey) ? JWT_ES256 : JWT_ALG_NONE;
    if (EVP_PKEY_is_a(pkey, "ED25519"))
        return JWT_EDDSA;
    return JWT_ALG_NONE;
}

/* Takes pkey (freed on failure too). 0, ERR_INVALID, ERR_TOO_LARGE, ERR_MEMORY. */
static int keys_add(struct jwt_keys *keys, EVP_PKEY *pkey, struct text kid)
{
    enum jwt_alg alg = key_alg(pkey);
    int code = alg == JWT_ALG_NONE ? ERR_INVALID : keys->count == JWT_KEYS_MAX ? ERR_TOO_LARGE : 0;
    struct jwt_key *key = &keys->key[keys->count];

    if (!code && kid.len) {
        key->kid = malloc(kid.len);
        if (key->kid)
            memcpy(key->kid, kid.data, kid.len);
        else
            code = ERR_MEMORY;
    }
    if (code) {
        EVP_PKEY_free(pkey);
        return code;
    }
    key->kid_len = kid.len;
    key->alg = alg;
    key->pkey = pkey;
    keys->count++;
    return 0;
}

/* ---- from PEM ---- */

/* Without it OpenSSL would ask the terminal for the password of an encrypted block. */
static int no_password(char *out, int size, int writing, void *ctx)
{
    (void)out, (void)size, (void)writing, (void)ctx;
    return -1;
}

static EVP_PKEY *pem_public_key(struct text pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    if (!bio)
        return NULL;
    EVP_PKEY *pkey = PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
    if (!pkey) {
        (void)BIO_reset(bio);
        X509 *certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL);
        pkey = certificate ? X509_get_pubkey(certificate) : NULL;
        X509_free(certificate);
    }
    BIO_free(bio);
    return pkey;
}

int jwt_keys_from_pem(struct text pem, struct jwt_keys **out, struct err *err)
{
    if (pem.len > JWT_PEM_MAX)
        return err_set(err, ERR_TOO_LARGE, "the PEM text is longer than %d bytes", JWT_PEM_MAX);
    if (memmem(pem.data, pem.len, "PRIVATE KEY-----", 16))
        return err_set(err, ERR_INVALID, "a private key was given where a public key or a certificate is expected");
    struct jwt_keys *keys = keys_new();
    if (!keys)
        return err_set(err, ERR_MEMORY, "no memory for a key set");

    EVP_PKEY *pkey = pem.len ? pem_public_key(pem) : NULL;
    int code = ERR_INVALID;
    if (!pkey)
        err_set(err, code, "no public key or certificate in PEM form");
    else if ((code = keys_add(keys, pkey, TEXT_NONE)))
        err_set(err, code, "the key cannot be used: RSA with %d to %d bits, EC P-256 or Ed25519 is needed",
                JWT_RSA_BITS_MIN, JWT_RSA_BITS_MAX);
    ERR_clear_error();
    if (code) {
        jwt_keys_unref(keys);
        return code;
    }
    *out = keys;
    return 0;
}

/* ---- from a JWKS ---- */

/* A base64url member, decoded into `out` (cleared first). False when absent, loose or too long. */
static bool jwk_bytes(const struct json *jwk, const char *name, struct buf *out)
{
    const struct json *member = json_get_str(jwk, name);
    buf_clear(out);
    return json_is(member, JSON_STRING) && member->text.len <= 2 * JWT_KEY_NUMBER_MAX &&
           base64url_decode(out, member->text) == 0 && out->len > 0;
}

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM_BLD *builder)
{
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;
    if (!parameters || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(parameters);
    return pkey;
}

static EVP_PKEY *jwk_rsa(const struct json *jwk, struct buf *scratch)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *n = NULL, *e = NULL;
    EVP_PKEY *pkey = NULL;

    if (jwk_bytes(jwk, "n", scratch))
        n = BN_bin2bn((const unsigned char *)scratch->data, (int)scratch->len, NULL);
    if (jwk_bytes(jwk, "e", scratch))
        e = BN_bin2bn((const unsigned char *)scratch->data, (int)scratch->len, NULL);
    if (builder && n && e && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        pkey = pkey_from("RSA", builder);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return pkey;
}

static EVP_PKEY *jwk_ec(const struct json *jwk, struct buf *scratch)
{
    unsigned char point[1 + 2 * P256_COORDINATE] = {POINT_CONVERSION_UNCOMPRESSED};
    const struct json *curve = json_get_str(jwk, "crv");

    if (!json_is(curve, JSON_STRING) || !text_is(curve->text, "P-256"))
        return NULL;
    if (!jwk_bytes(jwk, "x", scratch) || scratch->len != P256_COORDINATE) /* RFC 7518 section 6.2.1.2: full length */
        return NULL;
    memcpy(point + 1, scratch->data, P256_COORDINATE);
    if (!jwk_bytes(jwk, "y", scratch) || scratch->len != P256_COORDINATE)
        return NULL;
    memcpy(point + 1 + P256_COORDINATE, scratch->data, P256_COORDINATE);

    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    if (builder &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1)
        pkey = pkey_from("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return pkey;
}

static EVP_PKEY *jwk_okp(const struct json *jwk, struct buf *scratch)
{
    const struct json *curve = json_get_str(jwk, "crv");
    if (!json_is(curve, JSON_STRING) || !text_is(curve->text, "Ed25519") || !jwk_bytes(jwk, "x", scratch) ||
        scratch->len != ED25519_KEY)
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)scratch->data, scratch->len);
}

static const struct jwk_type {
    const char *kty, *alg;
    EVP_PKEY *(*read)(const struct json *jwk, struct buf *scratch);
} jwk_types[] = {{"RSA", "RS256", jwk_rsa}, {"EC", "ES256", jwk_ec}, {"OKP", "EdDSA", jwk_okp}};

static bool member_allows(const struct json *jwk, const char *name, const char *value)
{
    const struct json *member = json_get_str(jwk, name);
    return !member || (member->type == JSON_STRING && text_is(member->text, value));
}

/* key_ops, when there, must hold "verify" (RFC 7517 section 4.3). */
static bool operations_allow(const struct json *jwk)
{
    const struct json *operations = json_get_str(jwk, "key_ops");
    if (!operations)
        return true;
    if (operations->type != JSON_ARRAY)
        return false;
    for (const struct json *one = operations->first; one; one = one->next)
        if (one->type == JSON_STRING && text_is(one->text, "verify"))
            return true;
    return false;
}

/* 0 also when the key is skipped; ERR_TOO_LARGE, ERR_MEMORY. */
static int keys_add_jwk(struct jwt_keys *keys, const struct json *jwk, struct buf *scratch)
{
    const struct json *kty = json_get_str(jwk, "kty");
    const struct json *kid = json_get_str(jwk, "kid");

    if (!json_is(kty, JSON_STRING) || json_get_str(jwk, "d") || !member_allows(jwk, "use", "sig") ||
        !operations_allow(jwk))
        return 0;
    if (kid && (kid->type != JSON_STRING || kid->text.len > JWT_KID_MAX))
        return 0;
    for (size_t i = 0; i < sizeof(jwk_types) / sizeof(jwk_types[0]); i++) {
        if (!text_is(kty->text, jwk_types[i].kty) || !member_allows(jwk, "alg", jwk_types[i].alg))
            continue;
        EVP_PKEY *pkey = jwk_types[i].read(jwk, scratch);
        int code = pkey ? keys_add(keys, pkey, kid ? kid->text : TEXT_NONE) : 0;
        return code == ERR_INVALID ? 0 : code;
    }
    return 0;
}

static int keys_add_jwks(struct jwt_keys *keys, const struct json *root, struct err *err)
{
    const struct json *list = json_get_str(root, "keys");
    struct buf scratch;
    int code = 0;

    if (!json_is(list, JSON_ARRAY))
        return err_set(err, ERR_INVALID, "a JWKS is an object with an array named keys");
    buf_init(&scratch, 4 * JWT_KEY_NUMBER_MAX);
    for (const struct json *jwk = list->first; jwk && !code; jwk = jwk->next)
        code = keys_add_jwk(keys, jwk, &scratch);
    buf_fini(&scratch);
    if (code)
        return err_set(err, code, "the JWKS holds more than %d keys, or memory ran out", JWT_KEYS_MAX);
    if (!keys->count)
        return err_set(err, ERR_INVALID, "the JWKS holds no key that can verify RS256, ES256 or EdDSA");
    return 0;
}

int jwt_keys_from_jwks(struct text json, struct jwt_keys **out, struct err *err)
{
    const struct json *root;
    struct arena arena;

    if (json.len > JWT_JWKS_MAX)
        return err_set(err, ERR_TOO_LARGE, "the JWKS is longer than %d bytes", JWT_JWKS_MAX);
    struct jwt_keys *keys = keys_new();
    if (!keys)
        return err_set(err, ERR_MEMORY, "no memory for a key set");
    arena_init(&arena, 16 * 1024, 64 * JWT_JWKS_MAX); /* a node is larger than the two bytes that can make one */
    int code = json_parse(&arena, json, JSON_REFUSE_DUPLICATES, &root, err);
    if (!code)
        code = keys_add_jwks(keys, root, err);
    arena_fini(&arena);
    ERR_clear_error();
    if (code) {
        jwt_keys_unref(keys);
        return code;
    }
    *out = keys;
    return 0;
}

/* ---- checking ---- */

static bool check_hmac(const struct jwt_key *key, struct text message, struct text signature)
{
    unsigned char mac[JWT_HMAC_SIZE];
    size_t len = 0;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(key->mac);
    bool made = ctx && EVP_MAC_update(ctx, (const unsigned char *)message.data, message.len) == 1 &&
                EVP_MAC_final(ctx, mac, &len, sizeof(mac)) == 1;
    EVP_MAC_CTX_free(ctx);
    return made && text_equal_secret(text_make(mac, len), signature);
}

static bool check_digest(const struct jwt_key *key, const EVP_MD *md, struct text message, const unsigned char *signature,
                         size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && EVP_DigestVerifyInit(ctx, NULL, md, NULL, key->pkey) == 1 &&
                EVP_DigestVerify(ctx, signature, len, (const unsigned char *)message.data, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

/* JOSE carries r and s as two fixed halves (RFC 7518 section 3.4), OpenSSL wants DER. */
static bool check_es256(const struct jwt_key *key, struct text message, struct text signature)
{
    unsigned char der[ES256_DER_MAX], *end = der;
    const unsigned char *raw = (const unsigned char *)signature.data;
    if (signature.len != ES256_SIGNATURE)
        return false;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, P256_COORDINATE, NULL);
    BIGNUM *s = BN_bin2bn(raw + P256_COORDINATE, P256_COORDINATE, NULL);
    bool good = false;
    if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL; /* owned by the pair now */
        int len = i2d_ECDSA_SIG(pair, NULL);
        if (len > 0 && len <= ES256_DER_MAX && i2d_ECDSA_SIG(pair, &end) == len)
            good = check_digest(key, EVP_sha256(), message, der, (size_t)len);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return good;
}

bool jwt_key_check(const struct jwt_key *key, struct text message, struct text signature)
{
    const unsigned char *raw = (const unsigned char *)signature.data;
    bool good = false;
    switch (key->alg) {
    case JWT_HS256:
        good = check_hmac(key, message, signature);
        break;
    case JWT_RS256:
        good = check_digest(key, EVP_sha256(), message, raw, signature.len);
        break;
    case JWT_ES256:
        good = check_es256(key, message, signature);
        break;
    case JWT_EDDSA:
        good = check_digest(key, NULL, message, raw, signature.len);
        break;
    case JWT_ALG_NONE:
        break;
    }
    if (!good)
        ERR_clear_error(); /* the queue is per thread; TLS on the same thread must not find our leftovers */
    return good;
}

bool jwt_hmac(struct text secret, struct text message, unsigned char out[JWT_HMAC_SIZE])
{
    unsigned len = 0;
    return HMAC(EVP_sha256(), secret.data, (int)secret.len, (const unsigned char *)message.data, message.len, out,
                &len) != NULL &&
           len == JWT_HMAC_SIZE;
}
