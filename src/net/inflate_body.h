/* Decompression of whole HTTP bodies (Content-Encoding, RFC 9110 8.4.1) over zlib. Any thread. */
#ifndef WEIR_NET_INFLATE_BODY_H
#define WEIR_NET_INFLATE_BODY_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Appends the inflated body to out; out->limit bounds a bomb. `gzip`: RFC 1952, several members allowed; else "deflate", which is
 * zlib's format (RFC 1950), with the raw deflate accepted that some clients send under that name. 0, ERR_TOO_LARGE, ERR_SYNTAX (also for
 * bytes behind the end), ERR_TRUNCATED, ERR_MEMORY; on failure out holds what it held before.
 */
int inflate_body(bool gzip, struct text in, struct buf *out);

#endif
