/* Inside the pool: one request, from its check and copy on the caller's thread to its answer. No libcurl here. */
#ifndef WEIR_NET_FETCH_JOB_H
#define WEIR_NET_FETCH_JOB_H

#include "base/buf.h"
#include "net/fetch.h"

struct fetch_job {
    struct fetch_job *next; /* in the inbox, the waiting line, or the pool's in-flight list */
    struct fetch_job *previous;
    fetch_done_fn *done;
    void *ctx;
    int64_t started_ms, deadline_ms; /* monotonic */
    size_t response_max;
    const char *method, *url;        /* NUL-terminated, in `memory` */
    struct text body;                /* in `memory` */
    const char **headers;            /* "name: value" as libcurl wants them, in `memory` */
    size_t header_count;
    bool has_content_type, has_expect, is_get, is_head;
    struct buf response_headers, response_body;
    bool too_large;                  /* the answer crossed a limit */
    bool unsent;                     /* no connection was made */
    void *easy, *header_list;        /* libcurl's, while in flight */
    char memory[];
};

/* The limits of the pool that a request is held against. */
struct fetch_limits {
    size_t body_max, response_max;
    uint32_t timeout_max_ms;
};

/* Checks and copies. 0, ERR_INVALID, ERR_TOO_LARGE, ERR_MEMORY. */
int fetch_job_create(const struct fetch_request *request, const struct fetch_limits *limits, fetch_done_fn *done,
                     void *ctx, struct fetch_job **out);
void fetch_job_destroy(struct fetch_job *job);
/* One line of the answer's head as it arrives, CRLF included; a status line forgets what came before (100 Continue).
   False when FETCH_HEADER_BYTES_MAX is crossed. */
bool fetch_job_header_line(struct fetch_job *job, struct text line);

#endif
