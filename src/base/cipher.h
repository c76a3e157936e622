/*
 * Encryption at rest, the primitives: AES-256-GCM for what is sealed whole, AES-256-CTR for files that are read anywhere, HKDF-SHA256 for one key for
 * each use. OpenSSL's, behind cipher.c; random bytes are in base/hash.h. docs/encryption.md says which key is used for what. Any thread.
 */
#ifndef WEIR_BASE_CIPHER_H
#define WEIR_BASE_CIPHER_H

#include "base/err.h"
#include "base/text.h"

#define CIPHER_KEY_BYTES 32
#define CIPHER_NONCE_BYTES 12
#define CIPHER_TAG_BYTES 16

/* HKDF-SHA256 (RFC 5869): `len` bytes (at most 255 * 32) from the key, for the use that `label` names and the instance that `salt` names. 0 or ERR_INTERNAL. */
int cipher_derive(const unsigned char key[CIPHER_KEY_BYTES], const char *label, struct text salt, unsigned char *out, size_t len);
/* AES-256-GCM (SP 800-38D) in place; `about` is authenticated and not stored; len up to 2^30. A nonce is used once with a key. 0 or ERR_INTERNAL. */
int cipher_seal(const unsigned char key[CIPHER_KEY_BYTES], const unsigned char nonce[CIPHER_NONCE_BYTES], struct text about, char *data, size_t len,
    unsigned char tag[CIPHER_TAG_BYTES]);
/* The reverse: 0, or ERR_CORRUPT when anything is not what was sealed (the data is then worthless), ERR_INTERNAL. */
int cipher_open(const unsigned char key[CIPHER_KEY_BYTES], const unsigned char nonce[CIPHER_NONCE_BYTES], struct text about, char *data, size_t len,
    const unsigned char tag[CIPHER_TAG_BYTES]);
/* AES-256-CTR in place, there and back: the key stream begins with the block number 0 (all 16 bytes zero) at offset 0, and `data` stands at `offset`
   of it. A key is used for one file. 0 or ERR_INTERNAL. */
int cipher_stream(const unsigned char key[CIPHER_KEY_BYTES], uint64_t offset, char *data, size_t len);
/* Overwrites secrets; the compiler does not leave it out. */
void cipher_forget(void *bytes, size_t len);

#endif
