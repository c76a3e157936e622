/* The journal's cipher: struct journal_cipher by AES-256-GCM. */
#ifndef WEIR_JOURNAL_CIPHER_H
#define WEIR_JOURNAL_CIPHER_H

#include "base/cipher.h"
#include "journal/journal.h"

#define JOURNAL_CIPHER_GCM 1 /* the id in the segments' headers */

struct journal_gcm;

/* A cipher from a key of its own (copied). ERR_MEMORY. */
int journal_gcm_create(struct journal_gcm **out, const unsigned char key[CIPHER_KEY_BYTES]);
/* NULL is allowed. Only when no journal uses it any more. */
void journal_gcm_destroy(struct journal_gcm *gcm);
/* Valid as long as `gcm`; NULL for NULL, which is a plain journal. */
const struct journal_cipher *journal_gcm_cipher(const struct journal_gcm *gcm);

#endif
