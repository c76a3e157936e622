/* permessage-deflate (RFC 7692) over zlib: negotiation, inflation with a bound, deflation of outgoing messages. One thread. */
#ifndef WEIR_NET_WS_DEFLATE_H
#define WEIR_NET_WS_DEFLATE_H

#include "base/buf.h"
#include "base/err.h"

struct ws_deflate;
struct ws_deflate_config {
    bool enabled;
    bool server_no_context_takeover; /* ask for it always */
    bool client_no_context_takeover;
    uint8_t server_max_window_bits;  /* 9..15 */
    uint8_t client_max_window_bits;
    uint8_t level;                   /* zlib 1..9 */
    uint32_t threshold;              /* bytes; smaller outgoing messages are sent plain */
};
/* The agreed parameters. */
struct ws_deflate_params {
    bool server_no_context_takeover, client_no_context_takeover;
    uint8_t server_max_window_bits, client_max_window_bits;
};

/* Parses all offers of the request's Sec-WebSocket-Extensions (values joined with ", "), picks the first acceptable one: 1 agreed
   (and the response header's value is appended to `answer`), 0 none. Malformed offers are skipped. */
int ws_deflate_negotiate(const struct ws_deflate_config *config, struct text offers, struct ws_deflate_params *params, struct buf *answer);
int ws_deflate_create(struct ws_deflate **out, const struct ws_deflate_config *config, const struct ws_deflate_params *params);
void ws_deflate_destroy(struct ws_deflate *deflate);
/* Appends the inflated bytes of one frame's payload to out (out->limit bounds a bomb): 0, ERR_TOO_LARGE, ERR_SYNTAX, ERR_MEMORY. `last`: the message's final frame. */
int ws_deflate_inflate(struct ws_deflate *deflate, const void *data, size_t len, bool last, struct buf *out);
/* Room that is enough for the compressed payload of `len` bytes in every window: zlib asks for up to an eighth and a sixty-fourth more before it begins. */
static inline size_t ws_deflate_bound(size_t len)
{
    return len + len / 4 + 1024;
}
/* Appends the compressed payload of a whole message: 0, ERR_TOO_LARGE when out->limit leaves less than ws_deflate_bound may need, ERR_MEMORY; the window is
   unmoved then. ERR_INTERNAL. */
int ws_deflate_deflate(struct ws_deflate *deflate, const void *data, size_t len, struct buf *out);
/* True when the message should be compressed (size at or above the threshold). */
bool ws_deflate_wants(const struct ws_deflate *deflate, size_t len);
size_t ws_deflate_memory(const struct ws_deflate *deflate);

#endif
