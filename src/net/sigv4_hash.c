/*
 * SHA-256 and HMAC for signatures. The one-shot functions of OpenSSL 3 look their algorithm up by name on each call, which costs as
 * much as the hashing of a small request; so a verifier keeps one context of each and starts them again.
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "net/sigv4_canonical.h"

struct sigv4_hash {
    EVP_MD *md;
    EVP_MD_CTX *digest;
    EVP_MAC_CTX *mac;
};

static EVP_MAC_CTX *mac_new(void)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END};
    EVP_MAC_free(mac);
    if (ctx && EVP_MAC_CTX_set_params(ctx, parameters) != 1) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

struct sigv4_hash *sigv4_hash_create(void)
{
    struct sigv4_hash *hash = calloc(1, sizeof(*hash));
    if (!hash)
        return NULL;
    hash->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    hash->digest = EVP_MD_CTX_new();
    hash->mac = mac_new();
    if (hash->md && hash->digest && hash->mac)
        return hash;
    sigv4_hash_destroy(hash);
    return NULL;
}

void sigv4_hash_destroy(struct sigv4_hash *hash)
{
    if (!hash)
        return;
    EVP_MAC_CTX_free(hash->mac);
    EVP_MD_CTX_free(hash->digest);
    EVP_MD_free(hash->md);
    free(hash);
}

bool sigv4_sha256(struct sigv4_hash *hash, struct text bytes, unsigned char out[SIGV4_HASH_SIZE])
{
    unsigned len = 0;
    return EVP_DigestInit_ex2(hash->digest, hash->md, NULL) == 1 &&
           EVP_DigestUpdate(hash->digest, bytes.data, bytes.len) == 1 &&
           EVP_DigestFinal_ex(hash->digest, out, &len) == 1 && len == SIGV4_HASH_SIZE;
}

bool sigv4_hmac(struct sigv4_hash *hash, struct text key, struct text bytes, unsigned char out[SIGV4_HASH_SIZE])
{
    size_t len = 0;
    return EVP_MAC_init(hash->mac, (const unsigned char *)key.data, key.len, NULL) == 1 &&
           EVP_MAC_update(hash->mac, (const unsigned char *)bytes.data, bytes.len) == 1 &&
           EVP_MAC_final(hash->mac, out, &len, SIGV4_HASH_SIZE) == 1 && len == SIGV4_HASH_SIZE;
}

void sigv4_wipe(void *secret, size_t len)
{
    OPENSSL_cleanse(secret, len);
}
