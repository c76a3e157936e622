/*
 * Outgoing HTTP: webhooks, JWKS, HTTP integrations. One pool, one thread of its own inside, libcurl's multi interface behind it.
 * http and https only, certificates always checked, no redirects, no proxies from the environment, no credentials in URLs;
 * connections are reused.
 */
#ifndef WEIR_NET_FETCH_H
#define WEIR_NET_FETCH_H

#include "base/err.h"
#include "base/text.h"

#define FETCH_URL_MAX 8192            /* bytes */
#define FETCH_HEADERS_MAX 64          /* fields of a request */
#define FETCH_HEADER_BYTES_MAX 65536  /* of a request, and of a response */
#define FETCH_METHOD_MAX 16           /* bytes */

struct fetch_pool;

/* 0 = the default in brackets. */
struct fetch_options {
    uint32_t in_flight_max; /* requests on the wire at once [64] */
    uint32_t queue_max;     /* requests waiting beyond those [1024] */
    size_t body_max;        /* bytes of a request body [8 MiB] */
    size_t response_max;    /* bytes; the most that a request may ask for [8 MiB] */
    uint32_t timeout_max_ms;/* the most, and what a request without a timeout gets [30,000] */
    bool link_local;        /* link-local addresses may be reached, where clouds keep what a machine may do; else such a connection is not made: ERR_IO */
    const char *ca_file;    /* PEM of trusted authorities instead of the system's; copied; NULL = the system's */
};

struct fetch_header {
    struct text name, value;
};

/* Everything is copied by fetch_start. */
struct fetch_request {
    struct text method; /* empty = GET */
    struct text url;    /* absolute, http: or https: */
    const struct fetch_header *headers;
    size_t header_count;
    struct text body;
    uint32_t timeout_ms; /* from fetch_start to the last byte, waiting included; 0 = timeout_max_ms */
    size_t response_max; /* bytes of the response body; 0 = the pool's */
};

/* Valid during the callback. */
struct fetch_response {
    int error;           /* 0: an HTTP answer came, whatever its status. Else ERR_TIMEOUT, ERR_TOO_LARGE, ERR_IO (no connection,
                            TLS refused, broken answer), ERR_INVALID (URL), ERR_CLOSED (the pool ends), ERR_MEMORY */
    int status;          /* 0 when error is set before a status came */
    struct text headers; /* "name: value" lines ending in '\n', names as received; see fetch_response_header */
    struct text body;
    const char *message; /* a sentence when error is set */
    int64_t elapsed_ms;  /* since fetch_start */
    bool unsent;         /* error is set, and no connection was made: nobody has seen the request */
};

/* Called exactly once for each request that fetch_start took, on the pool's thread: hand over and return. It may call
   fetch_start. */
typedef void fetch_done_fn(void *ctx, const struct fetch_response *response);

/* 0, ERR_MEMORY, ERR_IO. */
int fetch_pool_create(const struct fetch_options *options, struct fetch_pool **out, struct err *err);
/* Ends the thread; requests still open are completed with ERR_CLOSED before this returns. Not from a callback; no other thread
   may call fetch_start any more. */
void fetch_pool_destroy(struct fetch_pool *pool);
/* 0, ERR_FULL (queue_max), ERR_INVALID (method, URL or a header is not well formed), ERR_TOO_LARGE, ERR_CLOSED, ERR_MEMORY.
   Any thread, no lock, never blocks. */
int fetch_start(struct fetch_pool *pool, const struct fetch_request *request, fetch_done_fn *done, void *ctx);
/* Makes the thread look at its timers now (after clock_advance). Any thread. */
void fetch_wakeup(struct fetch_pool *pool);
/* The first value of a field, trimmed; empty text when absent. The name in any case. */
struct text fetch_response_header(const struct fetch_response *response, struct text name);
/* "https://host:port" of a URL, as it stands in it: the key for a breaker. Empty when it is not http(s). */
struct text fetch_origin(struct text url);

#endif
