/*
 * The reading half of buf.h's binary appends. Stored records and keys are decoded from bytes that a disk may have
 * changed, so each read is checked; the sticky flag keeps the decoders as plain as the encoders.
 */
#include "base/cursor.h"

#include "base/buf.h"

/* The next n bytes, or NULL; a failed cursor stays where it is. */
static const unsigned char *cursor_step(struct cursor *c, size_t n)
{
    if (c->failed || n > (size_t)(c->end - c->at)) {
        c->failed = true;
        return NULL;
    }
    const unsigned char *at = c->at;
    c->at += n;
    return at;
}

static uint64_t cursor_be(struct cursor *c, size_t n)
{
    const unsigned char *at = cursor_step(c, n);
    uint64_t value = 0;
    if (at)
        for (size_t i = 0; i < n; i++)
            value = value << 8 | at[i];
    return value;
}

uint16_t cursor_be16(struct cursor *c)
{
    return (uint16_t)cursor_be(c, 2);
}

uint32_t cursor_be32(struct cursor *c)
{
    return (uint32_t)cursor_be(c, 4);
}

uint64_t cursor_be64(struct cursor *c)
{
    return cursor_be(c, 8);
}

uint64_t cursor_varint(struct cursor *c)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte = cursor_u8(c);
        if (c->failed)
            return 0;
        if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0))
            break; /* more than 64 bits, or a final byte that adds nothing: not what buf_add_varint writes */
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    c->failed = true;
    return 0;
}

struct text cursor_take(struct cursor *c, size_t n)
{
    const unsigned char *at = cursor_step(c, n);
    return at || (n == 0 && !c->failed) ? text_make(at, n) : TEXT_NONE;
}

struct text cursor_bytes_long(struct cursor *c)
{
    uint64_t n = cursor_varint(c);
    if (c->failed || n > cursor_left(c)) {
        c->failed = true;
        return TEXT_NONE;
    }
    return cursor_take(c, (size_t)n);
}
