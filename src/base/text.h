/* A borrowed run of bytes. It never owns; it is passed by value. `data` may be NULL only when `len` is 0. */
#ifndef WEIR_BASE_TEXT_H
#define WEIR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *data;
    size_t len; /* bytes */
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})
#define TEXT_NONE ((struct text){NULL, 0})
/* For "%.*s". */
#define TEXT_FMT(t) (int)(t).len, (t).data

static inline struct text text_of(const char *s)
{
    return (struct text){s, s ? strlen(s) : 0};
}
static inline struct text text_make(const void *data, size_t len)
{
    return (struct text){(const char *)data, len};
}
static inline bool text_equal(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || (a.data[0] == b.data[0] && memcmp(a.data, b.data, a.len) == 0));
}
static inline bool text_is(struct text a, const char *s)
{
    return text_equal(a, text_of(s));
}
static inline bool text_starts(struct text a, struct text prefix)
{
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.data, prefix.data, prefix.len) == 0);
}
/* Writes the bytes where there is room for them and answers the place behind: for small heads, where printf would cost more than all the rest. */
static inline char *text_put(char *at, struct text bytes)
{
    if (bytes.len)
        memcpy(at, bytes.data, bytes.len);
    return at + bytes.len;
}
#define TEXT_U64_MAX 20 /* bytes of a number in decimal */
char *text_put_u64(char *at, uint64_t value);
/* ASCII case is ignored, as for HTTP field names. */
bool text_equal_nocase(struct text a, struct text b);
/* memcmp order, a shorter prefix first: <0, 0, >0. */
int text_compare(struct text a, struct text b);
/* Index of the first `c` at or after `from`, or -1. */
ptrdiff_t text_find(struct text a, char c, size_t from);
/* Spaces and tabs removed at both ends. */
struct text text_trim(struct text a);
/* Strict decimal without sign, spaces or overflow: 0, ERR_SYNTAX or ERR_TOO_LARGE (above `max`). */
int text_to_u64(struct text a, uint64_t max, uint64_t *out);
/* The same with an optional leading '-'. */
int text_to_i64(struct text a, int64_t *out);
/* Same bytes in both, in a time that depends on the lengths alone (RFC 2104 use: secrets). */
bool text_equal_secret(struct text a, struct text b);

#endif
