/*
 * The receiving side of one WebSocket connection: bytes in, messages and control frames out. It owns no socket. An unfragmented
 * message that lies whole in the caller's buffer is unmasked and handed over in place (no copy, no state). Only a partial frame, a
 * fragmented or a compressed message makes it take a buffer, which it gives back when the message is through: an idle connection holds nothing.
 * UTF-8 is checked as the bytes arrive (RFC 6455 8.1), sizes before memory is taken. One thread.
 */
#ifndef WEIR_NET_WS_STREAM_H
#define WEIR_NET_WS_STREAM_H

#include "base/err.h"
#include "net/ws_frame.h"

struct ws_deflate; /* net/ws_deflate.h */
struct ws_partial; /* private */

/* What holds for all connections of an API. Borrowed, immutable. */
struct ws_limits {
    uint64_t message_max; /* bytes, after inflation: violation closes with 1009 */
    uint64_t frame_max;   /* bytes of one frame's payload on the wire; 0: as message_max */
    bool refuse_binary;   /* a binary message closes with 1003, as AWS does */
    bool require_mask;    /* a server: true */
};

struct ws_stream {
    struct ws_partial *partial;  /* NULL when between messages */
    struct ws_deflate *deflate;  /* NULL when not negotiated; owned */
};

enum ws_verdict { WS_GO_ON = 0, WS_PAUSE = 1, WS_STOP = 2 };
/* The data is writable, borrowed for the call, followed by at least JSON_PADDING readable bytes. WS_PAUSE: stop after this message and report
   what was consumed (back-pressure). WS_STOP: the connection was closed inside the callback; the stream must not be touched again. */
struct ws_events {
    enum ws_verdict (*on_message)(void *context, bool binary, char *data, size_t len);
    /* ping, pong, close. For WS_CLOSE: code (1005 when none) and reason already validated; data = reason. */
    enum ws_verdict (*on_control)(void *context, enum ws_opcode opcode, int close_code, char *data, size_t len);
};

void ws_stream_init(struct ws_stream *stream, struct ws_deflate *deflate); /* takes deflate */
void ws_stream_fini(struct ws_stream *stream);
/*
 * Feeds `len` bytes; the buffer has JSON_PADDING writable bytes behind them (the callee may clobber and restore).
 * Returns 0 or a close code (1002, 1003, 1007, 1009, 1011 without memory) after which the stream is dead. *consumed tells how many bytes
 * were taken: all, unless a callback paused. After WS_STOP it returns 0 and *stopped is true.
 */
int ws_stream_feed(struct ws_stream *stream, const struct ws_limits *limits, char *data, size_t len,
    const struct ws_events *events, void *context, size_t *consumed, bool *stopped);
/* Heap bytes held now (partial buffers, inflaters). */
size_t ws_stream_memory(const struct ws_stream *stream);

#endif
