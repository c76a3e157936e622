/*
 * Chunked bodies (RFC 9112 7.1), a byte machine for the framing and whole runs for the content. As strict as the head: CR LF
 * only, no space around the size, no more than 15 hex digits (a size is then below 2^60 and never overflows). Extensions are skipped and
 * trailers are checked and dropped: nobody here reads them, and a field that arrives behind the body must not change its meaning.
 */
#include "net/http_parse.h"

#define SIZE_DIGITS_MAX 15
#define LINE_MAX_BYTES 1024     /* of a chunk line with its extensions: 400 above */
#define TRAILERS_MAX 8192       /* bytes of all trailers: 431 above */

enum chunked_state {
    CHUNKED_SIZE,       /* hex digits */
    CHUNKED_EXTENSION,  /* up to CR */
    CHUNKED_SIZE_LF,
    CHUNKED_DATA,
    CHUNKED_DATA_CR,
    CHUNKED_DATA_LF,
    CHUNKED_TRAILER,    /* the first byte of a trailer line, or the CR of the end */
    CHUNKED_NAME,
    CHUNKED_VALUE,
    CHUNKED_VALUE_LF,
    CHUNKED_END_LF,
    CHUNKED_DONE,
    CHUNKED_BROKEN
};

void http_chunked_init(struct http_chunked *chunked)
{
    *chunked = (struct http_chunked){.state = CHUNKED_SIZE};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool value_char(char c)
{
    return (unsigned char)c >= 0x20 ? c != 0x7f : c == '\t';
}

static bool name_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Goes to `next` when the byte is the one that must come. */
static int expect(struct http_chunked *c, char byte, char wanted, enum chunked_state next)
{
    if (byte != wanted)
        return -400;
    c->state = (uint8_t)next;
    c->line = 0;
    return 0;
}

static int step_size(struct http_chunked *c, char byte)
{
    int digit = hex_digit(byte);
    if (digit >= 0) {
        if (c->line > SIZE_DIGITS_MAX)
            return -400;
        c->left = c->left << 4 | (unsigned)digit;
        return 0;
    }
    if (c->line == 1) /* not a single digit */
        return -400;
    if (byte == ';')
        c->state = CHUNKED_EXTENSION;
    else if (byte == '\r')
        c->state = CHUNKED_SIZE_LF;
    else
        return -400;
    return 0;
}

/* A text up to CR. */
static int step_text(struct http_chunked *c, char byte, enum chunked_state next)
{
    if (byte == '\r')
        c->state = (uint8_t)next;
    else if (!value_char(byte))
        return -400;
    return 0;
}

static int step_trailer(struct http_chunked *c, char byte)
{
    if (byte == '\r' && c->state == CHUNKED_TRAILER)
        c->state = CHUNKED_END_LF;
    else if (byte == ':' && c->state == CHUNKED_NAME)
        c->state = CHUNKED_VALUE;
    else if (name_char(byte))
        c->state = CHUNKED_NAME;
    else
        return -400;
    return 0;
}

/* One byte of framing: 0 or minus a status. */
static int step(struct http_chunked *c, char byte)
{
    c->line++;
    if (c->state < CHUNKED_TRAILER && c->line > LINE_MAX_BYTES)
        return -400;
    if (c->state >= CHUNKED_TRAILER && c->state < CHUNKED_DONE && ++c->trailers > TRAILERS_MAX)
        return -431;
    switch (c->state) {
    case CHUNKED_SIZE:
        return step_size(c, byte);
    case CHUNKED_EXTENSION:
        return step_text(c, byte, CHUNKED_SIZE_LF);
    case CHUNKED_SIZE_LF:
        return expect(c, byte, '\n', c->left ? CHUNKED_DATA : CHUNKED_TRAILER);
    case CHUNKED_DATA_CR:
        return expect(c, byte, '\r', CHUNKED_DATA_LF);
    case CHUNKED_DATA_LF:
        return expect(c, byte, '\n', CHUNKED_SIZE);
    case CHUNKED_TRAILER:
    case CHUNKED_NAME:
        return step_trailer(c, byte);
    case CHUNKED_VALUE:
        return step_text(c, byte, CHUNKED_VALUE_LF);
    case CHUNKED_VALUE_LF:
        return expect(c, byte, '\n', CHUNKED_TRAILER);
    case CHUNKED_END_LF:
        return expect(c, byte, '\n', CHUNKED_DONE);
    default:
        return -400;
    }
}

ptrdiff_t http_chunked_feed(struct http_chunked *chunked, const char *data, size_t len, struct text *body, bool *done)
{
    size_t at = 0;
    *body = TEXT_NONE;
    while (at < len && chunked->state != CHUNKED_DATA && chunked->state != CHUNKED_DONE) {
        int err = step(chunked, data[at++]);
        if (err) {
            chunked->state = CHUNKED_BROKEN;
            return err;
        }
    }
    if (chunked->state == CHUNKED_DATA && at < len) {
        size_t size = chunked->left < len - at ? (size_t)chunked->left : len - at;
        *body = text_make(data + at, size);
        at += size;
        chunked->left -= size;
        if (!chunked->left)
            chunked->state = CHUNKED_DATA_CR;
    }
    *done = chunked->state == CHUNKED_DONE;
    return (ptrdiff_t)at;
}
