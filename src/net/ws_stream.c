/*
 * Bytes in, messages out. Three paths, from the common to the rare:
 *
 *  1. A short, whole, masked, unfragmented, plain frame while nothing is pending: ws_stream_feed itself does it, with the header
 *     parsed inline, unmasked and delivered in place. This is the path of nearly every message of nearly every client.
 *  2. Any other frame that lies whole in the buffer and needs no memory (long ones, control frames between fragments): frame_in_place.
 *  3. Everything else keeps a struct ws_partial: the bytes of a cut header, a frame that is still arriving, a fragmented
 *     or compressed message. It is freed when the message is through.
 *
 * Who frees what. A callback may end the connection (WS_STOP) and with it this stream. So before a callback is called nothing
 * that it is given belongs to the stream any more: a finished message is detached from it and freed here afterwards, a
 * control payload that had to be collected is copied to the stack. After WS_STOP the stream is not touched.
 *
 * Memory. A frame's claimed length is compared with the limits before anything is taken, and even an allowed length is believed
 * only AHEAD_MAX bytes beyond what has arrived: ten thousand peers that each announce a megabyte and send nothing cost
 * 64 KiB each at the most, and only after their first payload byte.
 *
 * A stream that has failed or has received a close frame points at `dead`, a mark without memory: what follows is swallowed.
 *
 * To add a frame type: opcode_known in ws_frame.c, then control_deliver or frame_begin here.
 */
#include "net/ws_stream.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/json.h" /* JSON_PADDING */
#include "net/ws_deflate.h"

#define AHEAD_MAX 65536  /* bytes reserved beyond those that have arrived */
#define SHORT_HEADER 6   /* bytes: length below 126, with a mask */
#define DEFLATE_SLACK 1024 /* bytes; with an eighth more, what deflate may add to data it cannot shrink */

struct ws_partial {
    struct buf message;     /* the message so far, inflated */
    struct ws_header frame; /* valid while in_frame */
    uint64_t done;          /* payload bytes of the frame that were taken */
    uint32_t utf8;          /* state of utf8_feed over the message */
    bool in_frame;          /* a frame is still arriving; its header is through */
    bool in_message;        /* a data message has begun */
    bool binary, compressed;
    uint8_t cut;            /* bytes of a header that is still arriving */
    uint8_t header[WS_HEADER_MAX];
    char control[WS_CONTROL_MAX];
};

static struct ws_partial dead;

/* One call of ws_stream_feed. */
struct feed {
    struct ws_stream *stream;
    const struct ws_limits *limits;
    const struct ws_events *events;
    void *context;
    char *at, *end;
    enum ws_verdict verdict;
};

void ws_stream_init(struct ws_stream *stream, struct ws_deflate *deflate)
{
    stream->partial = NULL;
    stream->deflate = deflate;
}

static void partial_release(struct ws_stream *stream)
{
    struct ws_partial *partial = stream->partial;
    stream->partial = NULL;
    if (!partial || partial == &dead)
        return;
    buf_fini(&partial->message);
    free(partial);
}

void ws_stream_fini(struct ws_stream *stream)
{
    partial_release(stream);
    if (stream->deflate)
        ws_deflate_destroy(stream->deflate);
    stream->deflate = NULL;
}

size_t ws_stream_memory(const struct ws_stream *stream)
{
    size_t bytes = stream->deflate ? ws_deflate_memory(stream->deflate) : 0;
    if (stream->partial && stream->partial != &dead)
        bytes += sizeof(*stream->partial) + stream->partial->message.cap;
    return bytes;
}

static void stream_kill(struct ws_stream *stream)
{
    partial_release(stream);
    stream->partial = &dead;
}

/* message_max as a size, with room for the padding behind it. */
static size_t message_limit(const struct ws_limits *limits)
{
    return limits->message_max > SIZE_MAX - JSON_PADDING ? SIZE_MAX - JSON_PADDING : (size_t)limits->message_max;
}

static struct ws_partial *partial_get(struct feed *f)
{
    struct ws_partial *partial = f->stream->partial;
    if (partial)
        return partial;
    partial = calloc(1, sizeof(*partial));
    if (!partial)
        return NULL;
    buf_init(&partial->message, message_limit(f->limits));
    f->stream->partial = partial;
    return partial;
}

static bool is_control(uint8_t opcode)
{
    return opcode & 0x08;
}

/* ---- handing over ---- */

/* 5.5.1 and 7.4: nothing, or a code with an optional reason in UTF-8. The stream is dead before the callback runs. */
static int close_deliver(struct feed *f, char *data, size_t len)
{
    int code = WS_CLOSE_NO_STATUS;
    if (len == 1)
        return WS_CLOSE_PROTOCOL;
    if (len >= 2) {
        code = (uint8_t)data[0] << 8 | (uint8_t)data[1];
        if (!ws_close_code_valid(code))
            return WS_CLOSE_PROTOCOL;
        data += 2;
        len -= 2;
        if (!utf8_valid(text_make(data, len)))
            return WS_CLOSE_INVALID_DATA;
    }
    stream_kill(f->stream);
    f->at = f->end;
    f->verdict = f->events->on_control(f->context, WS_CLOSE, code, data, len);
    return 0;
}

static int control_deliver(struct feed *f, enum ws_opcode opcode, char *data, size_t len)
{
    if (opcode == WS_CLOSE)
        return close_deliver(f, data, len);
    f->verdict = f->events->on_control(f->context, opcode, 0, data, len);
    return 0;
}

/* The collected message leaves the stream, is handed over with its padding, and freed. */
static int message_deliver(struct feed *f)
{
    struct ws_partial *partial = f->stream->partial;
    if (!partial->binary && partial->utf8)
        return WS_CLOSE_INVALID_DATA; /* it ends inside a character */
    partial->message.limit = message_limit(f->limits) + JSON_PADDING;
    if (buf_reserve(&partial->message, JSON_PADDING))
        return WS_CLOSE_INTERNAL;
    struct buf message = partial->message;
    memset(message.data + message.len, 0, JSON_PADDING);
    bool binary = partial->binary;
    f->stream->partial = NULL;
    free(partial);
    f->verdict = f->events->on_message(f->context, binary, message.data, message.len);
    buf_fini(&message);
    return 0;
}

/* ---- frames ---- */

/* What a header may say, given the message in progress and the limits (5.1, 5.4, 10.4). */
static int frame_check(const struct feed *f, const struct ws_header *header)
{
    const struct ws_partial *partial = f->stream->partial;
    const struct ws_limits *limits = f->limits;
    if (limits->require_mask && !header->masked)
        return WS_CLOSE_PROTOCOL;
    if (is_control(header->opcode))
        return 0;
    bool in_message = partial && partial->in_message;
    if (in_message != (header->opcode == WS_CONTINUATION))
        return WS_CLOSE_PROTOCOL;
    if (header->opcode == WS_BINARY && limits->refuse_binary)
        return WS_CLOSE_UNSUPPORTED;
    if (limits->frame_max && header->length > limits->frame_max)
        return WS_CLOSE_TOO_LARGE;

    uint64_t room = message_limit(limits);
    bool compressed = in_message ? partial->compressed : header->rsv1;
    if (compressed && room < INT64_MAX / 2)
        room += room / 8 + DEFLATE_SLACK; /* the inflated size is bounded by message_inflate */
    else if (in_message && !compressed)
        room -= partial->message.len;
    return header->length > room ? WS_CLOSE_TOO_LARGE : 0;
}

/* A frame that lies whole in the buffer and needs no memory. */
static int frame_in_place(struct feed *f, const struct ws_header *header)
{
    char *data = f->at;
    size_t len = (size_t)header->length;
    f->at += len;
    bool ascii = ws_unmask_ascii(data, len, header->mask, 0);
    if (is_control(header->opcode))
        return control_deliver(f, header->opcode, data, len);
    if (header->opcode == WS_TEXT && !ascii && !utf8_valid(text_make(data, len)))
        return WS_CLOSE_INVALID_DATA;
    f->verdict = f->events->on_message(f->context, header->opcode == WS_BINARY, data, len);
    return 0;
}

static int utf8_take(struct ws_partial *partial, const char *data, size_t len, bool ascii)
{
    if (partial->binary || (ascii && !partial->utf8))
        return 0;
    return utf8_feed(&partial->utf8, data, len) ? 0 : WS_CLOSE_INVALID_DATA;
}

/* Plain payload is appended; memory follows what has arrived, not what was announced. */
static int message_append(struct feed *f, const char *data, size_t len, bool ascii)
{
    struct ws_partial *partial = f->stream->partial;
    struct buf *message = &partial->message;
    if (!len)
        return 0;
    int code = utf8_take(partial, data, len, ascii);
    if (code)
        return code;
    if (message->cap - message->len < len + JSON_PADDING) {
        uint64_t expected = partial->frame.length - partial->done;
        size_t ahead = expected - len < AHEAD_MAX ? (size_t)expected : len + AHEAD_MAX;
        message->limit = message_limit(f->limits) + JSON_PADDING;
        if (buf_reserve(message, ahead + JSON_PADDING))
            return WS_CLOSE_INTERNAL;
    }
    memcpy(message->data + message->len, data, len);
    message->len += len;
    return 0;
}

static int message_inflate(struct feed *f, const char *data, size_t len, bool last)
{
    struct ws_partial *partial = f->stream->partial;
    struct buf *message = &partial->message;
    size_t before = message->len;
    message->limit = message_limit(f->limits);
    switch (ws_deflate_inflate(f->stream->deflate, data, len, last, message)) {
    case 0:
        return message->len > before ? utf8_take(partial, message->data + before, message->len - before, false) : 0;
    case ERR_TOO_LARGE:
        return WS_CLOSE_TOO_LARGE;
    case ERR_MEMORY:
        return WS_CLOSE_INTERNAL;
    default:
        return WS_CLOSE_INVALID_DATA;
    }
}

/* The frame is through. */
static int frame_end(struct feed *f)
{
    struct ws_partial *partial = f->stream->partial;
    struct ws_header frame = partial->frame;
    partial->in_frame = false;
    if (!is_control(frame.opcode))
        return frame.fin ? message_deliver(f) : 0;
    char control[WS_CONTROL_MAX + JSON_PADDING] = {0};
    memcpy(control, partial->control, (size_t)frame.length);
    if (!partial->in_message)
        partial_release(f->stream);
    return control_deliver(f, frame.opcode, control, (size_t)frame.length);
}

/* Takes what has arrived of the current frame's payload. */
static int frame_payload(struct feed *f)
{
    struct ws_partial *partial = f->stream->partial;
    const struct ws_header *frame = &partial->frame;
    uint64_t left = frame->length - partial->done;
    size_t len = (size_t)(f->end - f->at);
    if (len > left)
        len = (size_t)left;
    char *data = f->at;
    f->at += len;
    bool ascii = ws_unmask_ascii(data, len, frame->mask, partial->done);
    int code = 0;
    if (is_control(frame->opcode))
        memcpy(partial->control + partial->done, data, len);
    else if (partial->compressed)
        code = message_inflate(f, data, len, frame->fin && len == left);
    else
        code = message_append(f, data, len, ascii);
    if (code)
        return code;
    partial->done += len;
    return len == left ? frame_end(f) : 0;
}

static int frame_begin(struct feed *f, const struct ws_header *header)
{
    struct ws_partial *partial = partial_get(f);
    if (!partial)
        return WS_CLOSE_INTERNAL;
    partial->frame = *header;
    partial->done = 0;
    partial->in_frame = true;
    if (header->opcode == WS_TEXT || header->opcode == WS_BINARY) {
        partial->in_message = true;
        partial->binary = header->opcode == WS_BINARY;
        partial->compressed = header->rsv1;
        partial->utf8 = 0;
    }
    return frame_payload(f);
}

/* ---- headers ---- */

/* Completes a header that was cut by the end of an earlier buffer. As ws_header_parse. */
static int header_resume(struct feed *f, struct ws_header *header)
{
    struct ws_partial *partial = f->stream->partial;
    int size = 0;
    while (size == 0 && f->at < f->end) {
        partial->header[partial->cut++] = (uint8_t)*f->at++;
        size = ws_header_parse(partial->header, partial->cut, f->stream->deflate, header);
    }
    if (size > 0) {
        partial->cut = 0;
        if (!partial->in_message)
            partial_release(f->stream);
    }
    return size;
}

/* Parses a header at the buffer's position, or keeps the piece of it that is there. As ws_header_parse; -1011 without memory. */
static int header_next(struct feed *f, struct ws_header *header)
{
    size_t left = (size_t)(f->end - f->at);
    int size = ws_header_parse(f->at, left, f->stream->deflate, header);
    if (size > 0)
        f->at += size;
    if (size != 0)
        return size;
    struct ws_partial *partial = partial_get(f);
    if (!partial)
        return -WS_CLOSE_INTERNAL;
    memcpy(partial->header, f->at, left);
    partial->cut = (uint8_t)left;
    f->at = f->end;
    return 0;
}

static int feed_slow(struct feed *f)
{
    struct ws_partial *partial = f->stream->partial;
    if (partial && partial->in_frame)
        return frame_payload(f);
    struct ws_header header;
    int size = partial && partial->cut ? header_resume(f, &header) : header_next(f, &header);
    if (size <= 0)
        return -size;
    int code = frame_check(f, &header);
    if (code)
        return code;
    bool whole = (uint64_t)(f->end - f->at) >= header.length;
    bool single = header.opcode != WS_CONTINUATION && header.fin && !header.rsv1;
    return whole && single ? frame_in_place(f, &header) : frame_begin(f, &header);
}

int ws_stream_feed(struct ws_stream *stream, const struct ws_limits *limits, char *data, size_t len,
    const struct ws_events *events, void *context, size_t *consumed, bool *stopped)
{
    struct feed f = {stream, limits, events, context, data, data + len, WS_GO_ON};
    uint64_t frame_max = limits->message_max;
    if (limits->frame_max && limits->frame_max < frame_max)
        frame_max = limits->frame_max;
    const bool refuse_binary = limits->refuse_binary;
    int code = 0;

    while (f.at < f.end && f.verdict == WS_GO_ON) {
        if (!stream->partial && f.end - f.at >= SHORT_HEADER) {
            const uint8_t *head = (const uint8_t *)f.at;
            size_t size = head[1] & 0x7f;
            bool binary = head[0] == (0x80 | WS_BINARY);
            if ((binary ? !refuse_binary : head[0] == (0x80 | WS_TEXT)) && (head[1] & 0x80) && size < 126 &&
                size <= frame_max && (size_t)(f.end - f.at) >= SHORT_HEADER + size) {
                char *payload = f.at + SHORT_HEADER;
                bool ascii = ws_unmask_ascii(payload, size, head + 2, 0);
                f.at = payload + size;
                if (!binary && !ascii && !utf8_valid(text_make(payload, size))) {
                    code = WS_CLOSE_INVALID_DATA;
                    break;
                }
                f.verdict = events->on_message(context, binary, payload, size);
                continue;
            }
        }
        if (stream->partial == &dead) {
            f.at = f.end;
            break;
        }
        code = feed_slow(&f);
        if (code)
            break;
    }
    *stopped = f.verdict == WS_STOP;
    *consumed = (size_t)(f.at - data);
    if (code)
        stream_kill(stream);
    return code;
}
