/*
 * Algorithms are fetched once, and a thread keeps its two contexts: OpenSSL 3 looks an algorithm up by name through a lock otherwise, and that costs more than
 * encrypting a block of 4 KB. Setting another key on a context that has its algorithm is only the key schedule. The contexts go with their thread.
 * RocksDB's threads end behind main, when its static objects do: OpenSSL must not have cleaned up before them, hence no exit handler. Random
 * bytes come from base/hash.h, the kernel's: OpenSSL would keep two generators for each thread that asks.
 */
#include "base/cipher.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>

#define CHUNK (1u << 30) /* OpenSSL counts in int */

static EVP_CIPHER *gcm, *ctr;
static EVP_KDF *hkdf;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static pthread_key_t contexts_key;
static bool ready;

struct contexts {
    EVP_CIPHER_CTX *gcm, *ctr;
};

static void contexts_free(void *value)
{
    struct contexts *contexts = value;
    EVP_CIPHER_CTX_free(contexts->gcm);
    EVP_CIPHER_CTX_free(contexts->ctr);
    free(contexts);
}

static void fetch(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    ctr = EVP_CIPHER_fetch(NULL, "AES-256-CTR", NULL);
    hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    ready = gcm && ctr && hkdf && pthread_key_create(&contexts_key, contexts_free) == 0;
}

static struct contexts *contexts_make(void)
{
    struct contexts *contexts = calloc(1, sizeof(*contexts));
    if (!contexts)
        return NULL;
    contexts->gcm = EVP_CIPHER_CTX_new();
    contexts->ctr = EVP_CIPHER_CTX_new();
    if (contexts->gcm && contexts->ctr && EVP_CipherInit_ex2(contexts->gcm, gcm, NULL, NULL, 1, NULL) == 1 &&
        EVP_CipherInit_ex2(contexts->ctr, ctr, NULL, NULL, 1, NULL) == 1 && pthread_setspecific(contexts_key, contexts) == 0)
        return contexts;
    contexts_free(contexts);
    return NULL;
}

/* NULL without memory. */
static struct contexts *contexts_get(void)
{
    pthread_once(&fetched, fetch);
    if (!ready)
        return NULL;
    struct contexts *contexts = pthread_getspecific(contexts_key);
    return contexts ? contexts : contexts_make();
}

void cipher_forget(void *bytes, size_t len)
{
    OPENSSL_cleanse(bytes, len);
}

int cipher_derive(const unsigned char key[CIPHER_KEY_BYTES], const char *label, struct text salt, unsigned char *out, size_t len)
{
    pthread_once(&fetched, fetch);
    EVP_KDF_CTX *context = ready ? EVP_KDF_CTX_new(hkdf) : NULL;
    if (!context)
        return ERR_INTERNAL;
    OSSL_PARAM params[5], *p = params;
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key, CIPHER_KEY_BYTES);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)label, strlen(label));
    if (salt.len)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt.data, salt.len);
    *p = OSSL_PARAM_construct_end();
    bool ok = EVP_KDF_derive(context, out, len, params) == 1;
    EVP_KDF_CTX_free(context);
    return ok ? 0 : ERR_INTERNAL;
}

/* Sets key and nonce, and takes in what is authenticated only. NULL: it failed. */
static EVP_CIPHER_CTX *gcm_begin(const unsigned char *key, const unsigned char *nonce, struct text about, size_t len, bool seal)
{
    struct contexts *contexts = contexts_get();
    int done;
    if (!contexts || len > CHUNK || about.len > CHUNK || EVP_CipherInit_ex2(contexts->gcm, NULL, key, nonce, seal, NULL) != 1)
        return NULL;
    if (about.len && EVP_CipherUpdate(contexts->gcm, NULL, &done, (const unsigned char *)about.data, (int)about.len) != 1)
        return NULL;
    return contexts->gcm;
}

int cipher_seal(const unsigned char key[CIPHER_KEY_BYTES], const unsigned char nonce[CIPHER_NONCE_BYTES], struct text about, char *data, size_t len,
    unsigned char tag[CIPHER_TAG_BYTES])
{
    EVP_CIPHER_CTX *context = gcm_begin(key, nonce, about, len, true);
    unsigned char *bytes = (unsigned char *)data, rest[16];
    int done;
    bool ok = context && (!len || EVP_CipherUpdate(context, bytes, &done, bytes, (int)len) == 1) && EVP_CipherFinal_ex(context, rest, &done) == 1 &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CIPHER_TAG_BYTES, tag) == 1;
    return ok ? 0 : ERR_INTERNAL;
}

int cipher_open(const unsigned char key[CIPHER_KEY_BYTES], const unsigned char nonce[CIPHER_NONCE_BYTES], struct text about, char *data, size_t len,
    const unsigned char tag[CIPHER_TAG_BYTES])
{
    EVP_CIPHER_CTX *context = gcm_begin(key, nonce, about, len, false);
    unsigned char *bytes = (unsigned char *)data, rest[16];
    int done;
    bool ok = context && (!len || EVP_CipherUpdate(context, bytes, &done, bytes, (int)len) == 1) &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, CIPHER_TAG_BYTES, (void *)tag) == 1;
    if (!ok)
        return ERR_INTERNAL;
    return EVP_CipherFinal_ex(context, rest, &done) == 1 ? 0 : ERR_CORRUPT;
}

int cipher_stream(const unsigned char key[CIPHER_KEY_BYTES], uint64_t offset, char *data, size_t len)
{
    struct contexts *contexts = contexts_get();
    unsigned char counter[16] = {0}, skipped[16] = {0}, *at = (unsigned char *)data;
    int done;
    for (int i = 0; i < 8; i++)
        counter[15 - i] = (unsigned char)(offset / 16 >> (8 * i));
    if (!contexts || EVP_CipherInit_ex2(contexts->ctr, NULL, key, counter, 1, NULL) != 1)
        return ERR_INTERNAL;
    /* The stream goes on where the last call ended, so the part of a block before the offset is drawn and dropped. */
    if (offset % 16 && EVP_CipherUpdate(contexts->ctr, skipped, &done, skipped, (int)(offset % 16)) != 1)
        return ERR_INTERNAL;
    while (len) {
        size_t part = len < CHUNK ? len : CHUNK;
        if (EVP_CipherUpdate(contexts->ctr, at, &done, at, (int)part) != 1)
            return ERR_INTERNAL;
        at += part;
        len -= part;
    }
    return 0;
}
