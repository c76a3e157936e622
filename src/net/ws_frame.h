/* The WebSocket frame header (RFC 6455 section 5.2) and masking (5.3), as pure functions over bytes. Any thread. */
#ifndef WEIR_NET_WS_FRAME_H
#define WEIR_NET_WS_FRAME_H

#include "base/text.h"

enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

/* Close codes (RFC 6455 7.4.1, IANA registry), and ours in 4000..4999. */
enum ws_close {
    WS_CLOSE_NORMAL = 1000, WS_CLOSE_GOING_AWAY = 1001, WS_CLOSE_PROTOCOL = 1002, WS_CLOSE_UNSUPPORTED = 1003,
    WS_CLOSE_NO_STATUS = 1005, WS_CLOSE_ABNORMAL = 1006, WS_CLOSE_INVALID_DATA = 1007, WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_LARGE = 1009, WS_CLOSE_EXTENSION = 1010, WS_CLOSE_INTERNAL = 1011, WS_CLOSE_RESTART = 1012,
    WS_CLOSE_TRY_LATER = 1013, WS_CLOSE_UNAUTHENTICATED = 4401
};

#define WS_HEADER_MAX 14       /* bytes, with a mask */
#define WS_SERVER_HEADER_MAX 10
#define WS_CONTROL_MAX 125     /* bytes of a control frame's payload */

struct ws_header {
    uint8_t opcode;
    bool fin, rsv1, masked;
    uint8_t mask[4];
    uint64_t length; /* payload bytes */
    uint8_t size;    /* header bytes */
};

/* >0: header bytes; 0: more bytes are needed; <0: minus the close code (reserved bits, bad opcode, long or fragmented control frame,
   non-minimal length, length above 2^63-1). rsv1 is allowed only when `deflate` and on a first data frame. */
int ws_header_parse(const void *data, size_t len, bool deflate, struct ws_header *header);
/* Writes an unmasked header (a server's) and returns its size: 2, 4 or 10. */
size_t ws_header_format(uint8_t out[WS_SERVER_HEADER_MAX], enum ws_opcode opcode, bool fin, bool rsv1, uint64_t length);
/* XORs in place; `offset` is the position of data[0] within the payload. */
void ws_unmask(void *data, size_t len, const uint8_t mask[4], uint64_t offset);
/* The same, and tells whether every byte is ASCII afterwards: then the text needs no further UTF-8 check. */
bool ws_unmask_ascii(void *data, size_t len, const uint8_t mask[4], uint64_t offset);
/* May a peer send this close code? (1000-1003, 1007-1014, 3000-4999) */
bool ws_close_code_valid(int code);

#endif
