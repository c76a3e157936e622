/*
 * SHA-256 and HMAC for signatures. The one-shot functions of OpenSSL 3 look their algorithm up by name on each call, which costs as
 * much as the hashing of a small request; so a verifier keeps one context and starts it again. HMAC is two hashes (RFC 2104); OpenSSL's
 * own makes and frees contexts inside at every message, and took longer over that than over the hashing.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "net/sigv4_canonical.h"

#define BLOCK 64 /* bytes that SHA-256 takes at a time */

struct sigv4_hash {
    EVP_MD *md;
    EVP_MD_CTX *digest;
};

struct sigv4_hash *sigv4_hash_create(void)
{
    struct sigv4_hash *hash = calloc(1, sizeof(*hash));
    if (!hash)
        return NULL;
    hash->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    hash->digest = EVP_MD_CTX_new();
    if (hash->md && hash->digest)
        return hash;
    sigv4_hash_destroy(hash);
    return NULL;
}

void sigv4_hash_destroy(struct sigv4_hash *hash)
{
    if (!hash)
        return;
    EVP_MD_CTX_free(hash->digest);
    EVP_MD_free(hash->md);
    free(hash);
}

/* The hash of two pieces, one behind the other. */
static bool hash_pair(struct sigv4_hash *hash, struct text first, struct text second, unsigned char out[SIGV4_HASH_SIZE])
{
    unsigned len = 0;
    return EVP_DigestInit_ex2(hash->digest, hash->md, NULL) == 1 &&
           EVP_DigestUpdate(hash->digest, first.data, first.len) == 1 &&
           (second.len == 0 || EVP_DigestUpdate(hash->digest, second.data, second.len) == 1) &&
           EVP_DigestFinal_ex(hash->digest, out, &len) == 1 && len == SIGV4_HASH_SIZE;
}

bool sigv4_sha256(struct sigv4_hash *hash, struct text bytes, unsigned char out[SIGV4_HASH_SIZE])
{
    return hash_pair(hash, bytes, TEXT_NONE, out);
}

static void pad_with(unsigned char block[BLOCK], unsigned char was, unsigned char now)
{
    for (size_t i = 0; i < BLOCK; i++)
        block[i] ^= was ^ now;
}

bool sigv4_hmac(struct sigv4_hash *hash, struct text key, struct text bytes, unsigned char out[SIGV4_HASH_SIZE])
{
    unsigned char block[BLOCK] = {0}, inner[SIGV4_HASH_SIZE];
    const struct text padded = text_make((const char *)block, BLOCK);
    bool made = true;
    if (key.len > BLOCK)
        made = sigv4_sha256(hash, key, block);
    else if (key.len)
        memcpy(block, key.data, key.len);
    pad_with(block, 0, 0x36);
    made = made && hash_pair(hash, padded, bytes, inner);
    pad_with(block, 0x36, 0x5c);
    made = made && hash_pair(hash, padded, text_make((const char *)inner, sizeof(inner)), out);
    sigv4_wipe(block, sizeof(block));
    sigv4_wipe(inner, sizeof(inner));
    return made;
}

void sigv4_wipe(void *secret, size_t len)
{
    OPENSSL_cleanse(secret, len);
}
