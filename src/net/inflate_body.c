/*
 * Bodies of requests are inflated whole: the parser behind needs them whole, and their size is bounded on both sides (the body
 * limit on the wire, out->limit here). The output grows by doubling from four times the input, never to what a header claims: gzip's own size
 * field is at the end of the file and written by the peer.
 */
#include "net/inflate_body.h"

#include <zlib.h>

#define ROOM_MIN 1024      /* bytes of output asked for at a time */
#define ROOM_MAX 262144
#define GZIP_WINDOW 31     /* zlib: 15 bits, gzip wrapper */
#define ZLIB_WINDOW 15
#define RAW_WINDOW (-15)
#define INPUT_MAX (1u << 30) /* zlib counts in unsigned int */

/* RFC 1950: method 8, and the first two bytes a multiple of 31. */
static bool has_zlib_header(struct text in)
{
    if (in.len < 2)
        return false;
    unsigned head = (unsigned)(uint8_t)in.data[0] << 8 | (uint8_t)in.data[1];
    return (head >> 8 & 0x0f) == 8 && head % 31 == 0;
}

/* *room is 0 at the limit. 0 or ERR_MEMORY. */
static int body_room(struct buf *out, size_t input, size_t *room)
{
    size_t most = out->len < out->limit ? out->limit - out->len : 0;
    if (out->cap == out->len && most) {
        size_t want = input > ROOM_MAX / 4 ? ROOM_MAX : input * 4;
        if (want < ROOM_MIN)
            want = ROOM_MIN;
        if (buf_reserve(out, want < most ? want : most))
            return ERR_MEMORY;
    }
    *room = out->cap - out->len < most ? out->cap - out->len : most;
    return 0;
}

/* One call of inflate: 0, 1 at the end of the stream, or an error. */
static int body_step(z_stream *z, struct buf *out)
{
    size_t room;
    int err = body_room(out, z->avail_in, &room);
    if (err)
        return err;
    /* At the limit one spare byte tells "exactly full" from "there is more". */
    Bytef spare;
    uInt offered = room ? (uInt)(room < INPUT_MAX ? room : INPUT_MAX) : 1;
    z->next_out = room ? (Bytef *)out->data + out->len : &spare;
    z->avail_out = offered;
    int rc = inflate(z, Z_NO_FLUSH);
    uInt made = offered - z->avail_out;
    if (!room && made)
        return ERR_TOO_LARGE;
    out->len += made;
    if (rc == Z_STREAM_END)
        return 1;
    if (rc == Z_MEM_ERROR)
        return ERR_MEMORY;
    if (rc != Z_OK && rc != Z_BUF_ERROR)
        return ERR_SYNTAX;
    return z->avail_out ? ERR_TRUNCATED : 0; /* room is left, so it wants input that is not there */
}

static int body_inflate(z_stream *z, bool gzip, struct buf *out)
{
    for (;;) {
        int rc = body_step(z, out);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        if (!z->avail_in)
            return 0;
        if (!gzip || inflateReset(z) != Z_OK)
            return ERR_SYNTAX;
    }
}

int inflate_body(bool gzip, struct text in, struct buf *out)
{
    if (in.len > INPUT_MAX)
        return ERR_TOO_LARGE;
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.data, .avail_in = (uInt)in.len};
    int window = gzip ? GZIP_WINDOW : has_zlib_header(in) ? ZLIB_WINDOW : RAW_WINDOW;
    if (inflateInit2(&z, window) != Z_OK)
        return ERR_MEMORY;
    size_t before = out->len;
    int err = body_inflate(&z, gzip, out);
    if (err)
        out->len = before;
    inflateEnd(&z);
    return err;
}
