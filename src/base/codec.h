/* Text encodings of bytes, and UTF-8. Strict: what is not canonical is refused. Any thread. */
#ifndef WEIR_BASE_CODEC_H
#define WEIR_BASE_CODEC_H

#include "base/buf.h"
#include "base/err.h"

/* RFC 4648 section 4 with padding; ERR_SYNTAX for a loose encoding (bad padding, stray bits, other characters). */
int base64_encode(struct buf *out, struct text bytes);
int base64_decode(struct buf *out, struct text encoded);
/* Section 5 without padding (JWT, RFC 7515). */
int base64url_encode(struct buf *out, struct text bytes);
int base64url_decode(struct buf *out, struct text encoded);
int hex_encode(struct buf *out, struct text bytes); /* lower case */
int hex_decode(struct buf *out, struct text encoded);
/* RFC 3986 percent-encoding: all but unreserved (and '/' when keep_slash). */
int percent_encode(struct buf *out, struct text bytes, bool keep_slash);
/* plus_is_space for query strings; ERR_SYNTAX for a broken escape. */
int percent_decode(struct buf *out, struct text encoded, bool plus_is_space);

/* The whole text is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool utf8_valid(struct text bytes);
/* Streaming validation across fragments: start with 0; answers false as soon as the bytes can no longer become valid;
   at the end of the message the state must be 0 again. */
bool utf8_feed(uint32_t *state, const void *bytes, size_t len);

#endif
