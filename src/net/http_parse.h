/*
 * A strict HTTP/1.1 request parser (RFC 9112) over bytes. It allocates nothing: names and values point into the input. What could
 * be read in two ways is refused (request smuggling): both Content-Length and Transfer-Encoding, repeated or differing Content-Length, any
 * Transfer-Encoding but a single "chunked", obs-fold, space before the colon, bare CR or LF, control characters, a missing or repeated
 * Host in HTTP/1.1. Any thread.
 */
#ifndef WEIR_NET_HTTP_PARSE_H
#define WEIR_NET_HTTP_PARSE_H

#include "base/err.h"
#include "base/text.h"

#define HTTP_HEADERS_MAX 96       /* fields of a request: 431 above */
#define HTTP_HEAD_MAX 32768       /* bytes of request line and fields: 431 above */
#define HTTP_TARGET_MAX 8192      /* bytes: 414 above */

struct http_header {
    struct text name, value; /* name as sent; value trimmed */
};
struct http_request {
    struct text method, target; /* target as on the wire */
    struct text path, query;    /* split at '?', still encoded; absolute-form is reduced to its path */
    int minor;                  /* HTTP/1.minor: 0 or 1 */
    struct http_header header[HTTP_HEADERS_MAX];
    size_t headers;
    /* derived */
    struct text host;
    int64_t content_length;     /* -1: none */
    bool chunked, keep_alive, expect_continue;
    bool upgrade_websocket;     /* Connection has "upgrade" and Upgrade has "websocket" */
    bool gzip, deflate;         /* Content-Encoding of the body */
    bool accept_gzip;
    bool wire_hashed;               /* the body was compressed and the request is signed: wire_sha256 is the hash of what travelled */
    unsigned char wire_sha256[32];
};

/* Parses the head. >0: bytes of the head, blank line included; 0: more bytes are needed; <0: minus the HTTP status to answer with
   (400, 405 not here, 414, 431, 501 unknown transfer coding, 505 version). *reason (may be NULL) gets a static sentence. */
int http_request_parse(const char *data, size_t len, struct http_request *request, const char **reason);
/* First field of that name (case ignored); data NULL when absent. */
struct text http_header_get(const struct http_request *request, const char *name);
/* Next field of the name after *at (start with 0); data NULL at the end. */
struct text http_header_next(const struct http_request *request, const char *name, size_t *at);
/* Is `token` an element of a comma list (case ignored)? */
bool http_list_has(struct text list, const char *token);
/* Query parameter by name, still percent-encoded, first one; data NULL when absent. */
struct text http_query_get(struct text query, const char *name);

/* Chunked bodies, streaming: feed bytes, receive body bytes in place. */
struct http_chunked {
    uint8_t state;
    uint64_t left;     /* bytes left of the current chunk */
    uint32_t line;     /* bytes of the current chunk or trailer line */
    uint32_t trailers; /* bytes of trailers so far */
};
void http_chunked_init(struct http_chunked *chunked);
/* Consumes input; a run of body bytes is reported in *body (borrowing the input, may be empty). Returns bytes consumed (>0), 0 when more input is needed,
   <0 minus an HTTP status. *done is set when the last chunk and its trailers are through. Call again until all is consumed or done. */
ptrdiff_t http_chunked_feed(struct http_chunked *chunked, const char *data, size_t len, struct text *body, bool *done);

/* "OK" for 200. */
const char *http_status_text(int status);

/* PROXY protocol v1 and v2 (HAProxy's proxy-protocol.txt). >0 header bytes (source address in `source`, "1.2.3.4" or IPv6 text, 46 bytes; port), 0 more
   needed, <0 not a valid header. LOCAL / UNKNOWN leave source empty. */
int proxy_header_parse(const char *data, size_t len, char source[46], uint16_t *port);
/* The client's address behind trusted proxies: walks X-Forwarded-For from the right over trusted addresses. `trusted` answers for one address. */
struct text forwarded_client(struct text forwarded_for, struct text peer, bool (*trusted)(void *context, struct text address), void *context);

#endif
