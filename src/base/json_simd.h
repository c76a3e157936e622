/*
 * The only door to simdjson, in C. Nothing of the library shows; json.c and codec.c are its only callers.
 */
#ifndef WEIR_BASE_JSON_SIMD_H
#define WEIR_BASE_JSON_SIMD_H

#include "base/json.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Walks the whole `text` and leaves its tree in the arena; the tree borrows `text`. With JSON_PADDED the bytes are walked where
 * they are, else in a padded copy that the thread keeps for its next call. JSON_COPY is the caller's business.
 * Errors as json_parse; *at is then the offset of the value, name or byte where the walk stopped.
 * Any thread: each has a parser of its own.
 */
int json_simd_walk(struct arena *arena, struct text text, unsigned flags, struct json **root, size_t *at);

/* Well-formed UTF-8, with the widest instructions the processor has. No padding needed. Any thread. */
bool json_simd_utf8(const char *data, size_t len);

#ifdef __cplusplus
}
#endif

#endif
