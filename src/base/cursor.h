/* Reading binary from a borrowed run of bytes, with every read checked. After a failed read `failed` stays set and
   all later reads answer zero or TEXT_NONE, so a decoder checks once. */
#ifndef WEIR_BASE_CURSOR_H
#define WEIR_BASE_CURSOR_H

#include "base/text.h"

struct cursor {
    const unsigned char *at, *end;
    bool failed;
};

static inline struct cursor cursor_of(struct text bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.data;
    return (struct cursor){p, p + bytes.len, false};
}
static inline size_t cursor_left(const struct cursor *c)
{
    return c->failed ? 0 : (size_t)(c->end - c->at);
}
static inline uint8_t cursor_u8(struct cursor *c)
{
    if (c->failed || c->at == c->end) {
        c->failed = true;
        return 0;
    }
    return *c->at++;
}
uint16_t cursor_be16(struct cursor *c);
uint32_t cursor_be32(struct cursor *c);
uint64_t cursor_be64(struct cursor *c);
uint64_t cursor_varint(struct cursor *c);      /* refuses more than 10 bytes, overlong final bytes and overflow */
struct text cursor_take(struct cursor *c, size_t n);
struct text cursor_bytes_long(struct cursor *c);
/* A varint length, then that many bytes; borrows. */
static inline struct text cursor_bytes(struct cursor *c)
{
    if (c->failed || c->at == c->end || *c->at >= 0x80 || *c->at > c->end - c->at - 1)
        return cursor_bytes_long(c);
    struct text bytes = text_make(c->at + 1, *c->at);
    c->at += 1 + bytes.len;
    return bytes;
}

#endif
