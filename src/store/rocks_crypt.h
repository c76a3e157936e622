/* RocksDB's files through AES-256. The one place for it; rocks.c hooks it up. */
#ifndef WEIR_STORE_ROCKS_CRYPT_H
#define WEIR_STORE_ROCKS_CRYPT_H

#include <rocksdb/c.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/cipher.h"

struct rocks_crypt;

/* The key is copied. NULL: it cannot be had. */
struct rocks_crypt *rocks_crypt_create(const unsigned char key[CIPHER_KEY_BYTES]);
/* All files of a database that is opened with these options are encrypted, and it keeps no info log. `crypt` must outlive the database. */
void rocks_crypt_use(const struct rocks_crypt *crypt, rocksdb_options_t *options);
/* NULL is allowed. */
void rocks_crypt_destroy(struct rocks_crypt *crypt);

#ifdef __cplusplus
}
#endif
#endif
