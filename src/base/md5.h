/* MD5, for formats that ask for it (manifests, HTTP's Content-MD5); never for secrets. One thread for each. */
#ifndef WEIR_BASE_MD5_H
#define WEIR_BASE_MD5_H

#include "base/buf.h"

#define MD5_BYTES 16

struct md5;

/* NULL without memory. */
struct md5 *md5_create(void);
void md5_add(struct md5 *md5, const void *bytes, size_t len);
/* The digest of what was added; only md5_destroy may follow. */
void md5_end(struct md5 *md5, unsigned char out[MD5_BYTES]);
void md5_destroy(struct md5 *md5); /* NULL is allowed */

#endif
