/* Makes keys and tokens for the tests of the verifier: everything that the verifier itself must never be able to make. */
#ifndef WEIR_TEST_JWT_MAKE_H
#define WEIR_TEST_JWT_MAKE_H

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/codec.h"

/* A terminated string; free it. */
static inline char *make_b64(const void *bytes, size_t len)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    base64url_encode(&out, text_make(bytes, len));
    buf_add_char(&out, 0);
    return out.data;
}

static inline char *make_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    PEM_write_bio_PUBKEY(bio, key);
    long len = BIO_get_mem_data(bio, &data);
    char *pem = strndup(data, (size_t)len);
    BIO_free(bio);
    return pem;
}

static inline char *make_number(EVP_PKEY *key, const char *name, int width)
{
    unsigned char bytes[1100];
    BIGNUM *n = NULL;
    EVP_PKEY_get_bn_param(key, name, &n);
    int len = width ? BN_bn2binpad(n, bytes, width) : BN_bn2bin(n, bytes);
    BN_free(n);
    return make_b64(bytes, (size_t)len);
}

/* {"kty":...} with `more` (",\"kid\":\"a\"") appended. */
static inline char *make_jwk(EVP_PKEY *key, const char *more)
{
    char *jwk = NULL, *a = NULL, *b = NULL;
    if (EVP_PKEY_is_a(key, "RSA")) {
        a = make_number(key, OSSL_PKEY_PARAM_RSA_N, 0);
        b = make_number(key, OSSL_PKEY_PARAM_RSA_E, 0);
        jwk = asprintf(&jwk, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", a, b, more) < 0 ? NULL : jwk;
    } else if (EVP_PKEY_is_a(key, "EC")) {
        a = make_number(key, OSSL_PKEY_PARAM_EC_PUB_X, 32);
        b = make_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
        jwk = asprintf(&jwk, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"%s}", a, b, more) < 0 ? NULL : jwk;
    } else {
        unsigned char raw[32];
        size_t len = sizeof(raw);
        EVP_PKEY_get_raw_public_key(key, raw, &len);
        a = make_b64(raw, len);
        jwk = asprintf(&jwk, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"%s}", a, more) < 0 ? NULL : jwk;
    }
    free(a);
    free(b);
    return jwk;
}

/* Signs with whatever key; `secret` when key is NULL. */
static inline size_t make_signature(EVP_PKEY *key, const char *secret, const char *message, unsigned char *out, size_t size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct text own = text_of(secret);
    EVP_PKEY *mac = NULL;
    if (!key)
        mac = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, (const unsigned char *)own.data, own.len);
    bool eddsa = key && EVP_PKEY_is_a(key, "ED25519");
    size_t len = size;
    EVP_DigestSignInit(ctx, NULL, eddsa ? NULL : EVP_sha256(), NULL, key ? key : mac);
    if (EVP_DigestSign(ctx, out, &len, (const unsigned char *)message, strlen(message)) != 1)
        len = 0;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(mac);
    if (key && EVP_PKEY_is_a(key, "EC")) {
        const unsigned char *at = out;
        ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
        unsigned char raw[64];
        BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32);
        memcpy(out, raw, 64);
        ECDSA_SIG_free(pair);
        len = 64;
    }
    return len;
}

/* A compact token over any header and payload text; free it. */
static inline char *make_token(EVP_PKEY *key, const char *secret, const char *header, const char *payload)
{
    unsigned char signature[1100];
    char *h = make_b64(header, strlen(header)), *p = make_b64(payload, strlen(payload)), *message = NULL, *token = NULL;
    if (asprintf(&message, "%s.%s", h, p) < 0)
        abort();
    char *s = make_b64(signature, make_signature(key, secret, message, signature, sizeof(signature)));
    if (asprintf(&token, "%s.%s", message, s) < 0)
        abort();
    free(h);
    free(p);
    free(s);
    free(message);
    return token;
}

#endif
