/*
 * The one growable buffer. Growth doubles but never passes the limit, so a peer that sends for ever meets an error code and
 * not the kernel's out-of-memory killer. An append either happens as a whole or not at all; the `failed` flag
 * spares the writers a check after each of a hundred appends.
 */
#include "base/buf.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

#define BUF_FIRST 64 /* bytes of the first allocation */

void buf_init(struct buf *buf, size_t limit)
{
    *buf = (struct buf){.limit = limit};
}

void buf_fini(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){.limit = buf->limit};
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

static int buf_fail(struct buf *buf, int code)
{
    buf->failed = true;
    return code;
}

static int buf_grow(struct buf *buf, size_t need)
{
    size_t cap = buf->cap > SIZE_MAX / 2 ? need : buf->cap * 2;
    if (cap < BUF_FIRST)
        cap = BUF_FIRST;
    if (cap < need)
        cap = need;
    if (cap > buf->limit)
        cap = buf->limit;
    char *data = realloc(buf->data, cap);
    if (!data)
        return buf_fail(buf, ERR_MEMORY);
    buf->data = data;
    buf->cap = cap;
    return 0;
}

int buf_reserve(struct buf *buf, size_t more)
{
    if (more <= buf->cap - buf->len)
        return 0;
    if (buf->len > buf->limit || more > buf->limit - buf->len)
        return buf_fail(buf, ERR_TOO_LARGE);
    return buf_grow(buf, buf->len + more);
}

int buf_add_format(struct buf *buf, const char *format, ...)
{
    char small[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(small, sizeof(small), format, args);
    int code = ERR_INVALID;
    if (len < 0) {
        buf_fail(buf, code);
    } else if ((size_t)len < sizeof(small)) {
        code = buf_add(buf, small, (size_t)len);
    } else {
        /* vsnprintf writes a NUL after the text, which needs room outside the buffer's limit. */
        char *large = malloc((size_t)len + 1);
        code = large ? 0 : buf_fail(buf, ERR_MEMORY);
        if (large) {
            vsnprintf(large, (size_t)len + 1, format, again);
            code = buf_add(buf, large, (size_t)len);
        }
        free(large);
    }
    va_end(again);
    va_end(args);
    return code;
}

int buf_add_u64(struct buf *buf, uint64_t value)
{
    char digits[TEXT_U64_MAX];
    return buf_add(buf, digits, (size_t)(text_put_u64(digits, value) - digits));
}

int buf_add_i64(struct buf *buf, int64_t value)
{
    char digits[TEXT_U64_MAX + 1] = "-";
    char *first = digits + (value < 0);
    return buf_add(buf, digits, (size_t)(text_put_u64(first, value < 0 ? 0 - (uint64_t)value : (uint64_t)value) - digits));
}

int buf_add_be16(struct buf *buf, uint16_t v)
{
    v = __builtin_bswap16(v);
    return buf_add(buf, &v, sizeof(v));
}

int buf_add_be32(struct buf *buf, uint32_t v)
{
    v = __builtin_bswap32(v);
    return buf_add(buf, &v, sizeof(v));
}

int buf_add_be64(struct buf *buf, uint64_t v)
{
    v = __builtin_bswap64(v);
    return buf_add(buf, &v, sizeof(v));
}

int buf_add_varint_long(struct buf *buf, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    while (v >= 0x80) {
        bytes[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    bytes[n++] = (uint8_t)v;
    return buf_add(buf, bytes, n);
}

int buf_add_bytes(struct buf *buf, struct text bytes)
{
    size_t before = buf->len;
    int code = bytes.len < 0x80 ? buf_add_u8(buf, (uint8_t)bytes.len) : buf_add_varint(buf, bytes.len);
    if (code == 0)
        code = buf_add_text(buf, bytes);
    if (code)
        buf->len = before;
    return code;
}

void buf_consume(struct buf *buf, size_t n)
{
    if (n >= buf->len) {
        buf->len = 0;
        return;
    }
    if (n) {
        memmove(buf->data, buf->data + n, buf->len - n);
        buf->len -= n;
    }
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the byte-order conversions above assume a little-endian machine"
#endif
