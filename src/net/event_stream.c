/*
 * Event stream messages, written in place: room for the prelude is left, the payload is written by whoever has it straight into the buffer, and the lengths and sums are
 * filled in at the end. So an event of a megabyte of JSON is not copied to be framed.
 */
#include "net/event_stream.h"

#include "base/err.h"

#include <zlib.h>

enum { PRELUDE = 12, SUM = 4, VALUE_STRING = 7 };

static void put_be32(char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(value >> (24 - 8 * i));
}

static void add_header(struct buf *out, struct text name, struct text value)
{
    if (name.len > UINT8_MAX || value.len > INT16_MAX) {
        out->failed = true;
        return;
    }
    buf_add_u8(out, (uint8_t)name.len);
    buf_add_text(out, name);
    buf_add_u8(out, VALUE_STRING);
    buf_add_be16(out, (uint16_t)value.len);
    buf_add_text(out, value);
}

void event_stream_begin(struct buf *out, enum event_stream_kind kind, struct text type, struct text content_type, struct event_stream_message *message)
{
    static const char room[PRELUDE];
    message->start = out->len;
    buf_add(out, room, PRELUDE);
    bool event = kind == EVENT_STREAM_EVENT;
    add_header(out, event ? TEXT(":event-type") : TEXT(":exception-type"), type);
    add_header(out, TEXT(":content-type"), content_type);
    add_header(out, TEXT(":message-type"), event ? TEXT("event") : TEXT("exception"));
    message->payload = out->len;
}

int event_stream_end(struct buf *out, const struct event_stream_message *message)
{
    size_t headers = message->payload - message->start - PRELUDE, payload = out->len - message->payload;
    bool large = headers > EVENT_STREAM_HEADERS_MAX || payload > EVENT_STREAM_PAYLOAD_MAX;
    int code = large ? ERR_TOO_LARGE : out->failed ? ERR_MEMORY : buf_reserve(out, SUM);
    if (code) {
        out->len = message->start;
        out->failed = false;
        return code;
    }
    char *at = out->data + message->start;
    size_t total = out->len - message->start + SUM;
    put_be32(at, (uint32_t)total);
    put_be32(at + 4, (uint32_t)headers);
    put_be32(at + 8, (uint32_t)crc32(0, (const Bytef *)at, 8));
    return buf_add_be32(out, (uint32_t)crc32(0, (const Bytef *)at, (uInt)(total - SUM)));
}

int event_stream_add(struct buf *out, enum event_stream_kind kind, struct text type, struct text content_type, struct text payload)
{
    struct event_stream_message message;
    event_stream_begin(out, kind, type, content_type, &message);
    buf_add_text(out, payload);
    return event_stream_end(out, &message);
}
