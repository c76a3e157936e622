/*
 * A growable byte buffer with a limit. A failed append leaves it unchanged and sets `failed`, so a long chain of
 * appends is checked once at its end. One thread.
 */
#ifndef WEIR_BASE_BUF_H
#define WEIR_BASE_BUF_H

#include "base/text.h"

struct buf {
    char *data;
    size_t len, cap;
    size_t limit; /* bytes; the buffer never holds more */
    bool failed;
};

void buf_init(struct buf *buf, size_t limit);
void buf_fini(struct buf *buf);
/* Forgets the content, keeps the memory, clears `failed`. */
void buf_clear(struct buf *buf);
/* Room for `more` bytes beyond len: 0, ERR_TOO_LARGE or ERR_MEMORY. */
int buf_reserve(struct buf *buf, size_t more);
static inline int buf_add(struct buf *buf, const void *data, size_t len)
{
    int code = len > buf->cap - buf->len ? buf_reserve(buf, len) : 0;
    if (code || !len)
        return code;
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    return 0;
}
static inline int buf_add_text(struct buf *buf, struct text text)
{
    return buf_add(buf, text.data, text.len);
}
static inline int buf_add_char(struct buf *buf, char c)
{
    int code = buf->len == buf->cap ? buf_reserve(buf, 1) : 0;
    if (!code)
        buf->data[buf->len++] = c;
    return code;
}
int buf_add_format(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
int buf_add_i64(struct buf *buf, int64_t value); /* decimal text */
int buf_add_u64(struct buf *buf, uint64_t value);
/* Binary, for keys and records. */
static inline int buf_add_u8(struct buf *buf, uint8_t v)
{
    return buf_add_char(buf, (char)v);
}
int buf_add_be16(struct buf *buf, uint16_t v);
int buf_add_be32(struct buf *buf, uint32_t v);
int buf_add_be64(struct buf *buf, uint64_t v);
int buf_add_varint_long(struct buf *buf, uint64_t v);
static inline int buf_add_varint(struct buf *buf, uint64_t v) /* LEB128, 1..10 bytes */
{
    return v < 0x80 ? buf_add_u8(buf, (uint8_t)v) : buf_add_varint_long(buf, v);
}
int buf_add_bytes(struct buf *buf, struct text bytes);    /* varint length, then the bytes */
/* Removes `n` bytes at the front (moves the rest). */
void buf_consume(struct buf *buf, size_t n);
static inline struct text buf_text(const struct buf *buf)
{
    return (struct text){buf->data, buf->len};
}

#endif
