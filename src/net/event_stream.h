/*
 * Messages of application/vnd.amazon.eventstream: how AWS's services speak in one answer for minutes (Kinesis' SubscribeToShard, Logs' StartLiveTail). A message is
 * a prelude (lengths, and a sum of them), headers, a payload, and a sum of everything; sums are CRC-32 (IEEE). All header values here are strings.
 * The rule: "Amazon event stream encoding" in the Smithy specification, and AWS's pages on it. Any thread.
 */
#ifndef WEIR_NET_EVENT_STREAM_H
#define WEIR_NET_EVENT_STREAM_H

#include "base/buf.h"

#define EVENT_STREAM_TYPE "application/vnd.amazon.eventstream"
#define EVENT_STREAM_HEADERS_MAX ((size_t)128 << 10) /* bytes of a message's headers */
#define EVENT_STREAM_PAYLOAD_MAX ((size_t)24 << 20)  /* bytes of a payload: what clients take at the most */

enum event_stream_kind {
    EVENT_STREAM_EVENT,    /* :event-type, :content-type, :message-type event */
    EVENT_STREAM_EXCEPTION /* :exception-type, :content-type, :message-type exception: a modelled one; the stream ends behind it */
};
struct event_stream_message { /* where one begins in its buffer; private */
    size_t start, payload;
};
/* Begins a message at the end of `out`; its payload is appended to `out` by the caller, then it is ended. `type`: "initial-response", or the name of a member of the
   operation's stream. The buffer's failure is looked at once, at the end. */
void event_stream_begin(struct buf *out, enum event_stream_kind kind, struct text type, struct text content_type, struct event_stream_message *message);
/* 0; ERR_TOO_LARGE (headers or payload) or ERR_MEMORY: the message is taken out of the buffer again, and `failed` cleared. */
int event_stream_end(struct buf *out, const struct event_stream_message *message);
/* Both, with the payload at hand. */
int event_stream_add(struct buf *out, enum event_stream_kind kind, struct text type, struct text content_type, struct text payload);

#endif
