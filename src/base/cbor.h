/*
 * CBOR (RFC 8949), as the second spelling of what JSON says: SDKs that speak CBOR (Kinesis of the JS and Java SDKs) send the same members in
 * another dress. Reading gives the tree of base/json.h, so an operation does not know which of the two its client spoke; writing takes
 * a finished JSON answer and dresses it. Any thread.
 */
#ifndef WEIR_BASE_CBOR_H
#define WEIR_BASE_CBOR_H

#include "base/json.h"

/*
 * Decodes exactly one item and checks all of it: lengths, breaks, UTF-8, depth (JSON_DEPTH_MAX levels of arrays, maps and tags), trailing bytes.
 * What becomes of it:
 *   integers       their digits, all 65 bits of them; bignums (tags 2 and 3) as well, up to JSON_NUMBER_MAX characters
 *   floats         half, single, double: the shortest digits that read back as the same double; not finite is ERR_TYPE
 *   tag 4          [exponent, mantissa]: mantissa "e" exponent
 *   tag 1, tag 0   the number; the text. Every other tag is skipped
 *   byte strings   base64 text (RFC 4648 4), as a JSON client would have sent it
 *   undefined      null; other simple values are ERR_TYPE
 *   map keys       text only, else ERR_TYPE; a repeated key stands twice and the last one wins in json_get
 * `raw` is empty but for numbers and literals, since no JSON text stood in the input. Texts borrow the input or the arena: both must live as long as the tree.
 * No length of the input is believed before so many bytes are there; the nodes are bounded by the arena's limit.
 * 0, ERR_SYNTAX, ERR_TRUNCATED, ERR_TOO_DEEP, ERR_TOO_LARGE (a number), ERR_TYPE, ERR_MEMORY; err may be NULL and tells the offset.
 */
int cbor_parse(struct arena *arena, struct text bytes, const struct json **out, struct err *err);

/* What JSON cannot say. Lists of member names, NULL-terminated, either may be NULL; a name counts wherever it stands, and for the elements of an array under it. */
struct cbor_hints {
    const char *const *blobs; /* base64 text becomes a byte string */
    const char *const *times; /* a number of epoch seconds goes under tag 1 */
    bool times_in_ms;         /* ... as integer milliseconds, which is what the SDKs of Kinesis read there */
};

/*
 * Appends the tree as CBOR: definite lengths, shortest heads, whole numbers as integers (bignums beyond 64 bits), others as doubles. `hints` may be
 * NULL. 0, ERR_SYNTAX (a blob that is not base64), ERR_INVALID (a number that no double holds, a time out of range), ERR_TOO_LARGE or ERR_MEMORY
 * (the buffer); on failure `out` holds what it held before.
 */
int cbor_from_json(struct buf *out, const struct json *tree, const struct cbor_hints *hints);

#endif
