/*
 * A consumer of a table's changes or of a Kinesis stream's records, as the files live_stream*.c share it. It belongs to the services' thread; while its call is under
 * way it stands still, and the state thread reads it. What is marked atomic is shown to io threads.
 *
 *   live_stream.c         gathering, failing, giving up: the life of a batch
 *   live_stream_start.c   declarations compiled, positions found
 *   live_stream_event.c   a record as JSON, in the two shapes
 *   live_stream_send.c    batches to HTTP endpoints
 *   live_stream_tick.c    in the tick: the position, and what is given up
 *   live_stream_http.c    where they stand, and what they gave up
 */
#ifndef WEIR_GATEWAY_LIVE_STREAM_H
#define WEIR_GATEWAY_LIVE_STREAM_H

#include "gateway/live.h"

#define STREAM_BATCH_MAX 100                     /* records, when nothing else is declared */
#define STREAM_BATCH_LIMIT 1000
#define STREAM_BATCH_BYTES ((size_t)1 << 20)     /* JSON; a batch is closed when it holds so much */
#define STREAM_JSON_MAX ((size_t)24 << 20)
#define STREAM_RETRIES 3
#define STREAM_TIMEOUT_MS (30 * SECOND_MS)       /* of an endpoint, when nothing else is declared */
#define STREAM_TIMEOUT_LIMIT_MS (5 * MINUTE_MS)
#define STREAM_AWAY_MS DAY_MS                    /* an endpoint that cannot be reached is waited for until the oldest record is so old; then it counts as failing */

/* SENDING: an endpoint has the batch. */
enum consumer_state { GATHERING, FLYING, SENDING, WAITING /* to go on with its job */, RESTING /* to gather */ };
/* RUN: the batch. TAKEN: an endpoint has taken it, its place is stored. PLACE: a place alone. GIVE_UP: what failed is kept elsewhere. */
enum consumer_job { JOB_RUN, JOB_TAKEN, JOB_PLACE, JOB_GIVE_UP };

struct live_record { /* one record in the batch's text */
    struct feed_position at;
    uint32_t from, len;
    uint32_t id_from, id_len; /* an endpoint's name for it: its sequence number */
};
struct live_consumer {
    struct gw_live *live;
    struct gw_api *api;
    struct text name;      /* allocated, as the following texts */
    struct text table;     /* whose changes; of a Kinesis stream the table behind it */
    struct text stream;    /* the Kinesis stream; empty: a table is followed */
    struct text failures;  /* a table; empty: none */
    struct text key;       /* of its position's row; made when that is defined */
    struct gw_route *route, *on_failure;
    struct text url;       /* instead of a route; the declaration's */
    uint32_t batch_max;
    int64_t window_ms, timeout_ms;
    int retries;
    bool bisect, from_start;
    struct feed *feed;
    struct feed_position stored; /* durable */
    int64_t stored_ms;           /* monotonic: since when */
    struct feed_position behind; /* the batch begins behind it */
    struct feed_position end;    /* and ends here */
    struct feed_position mark;   /* the job under way is to store this one */
    struct feed_position bad;    /* where the batch that failed ended: until there, small batches without a window */
    struct buf text;             /* the records, with commas between */
    struct live_record *record;
    uint32_t count, limit;
    uint32_t upto;         /* the job is about the first so many records */
    int64_t first_ms;      /* monotonic: when the batch began */
    int64_t oldest_ms;     /* wall: commit of its first record */
    enum consumer_state state;
    enum consumer_job job;
    bool with_route;       /* GIVE_UP: on_failure runs too */
    bool named;            /* the endpoint has named its first record as the one that failed */
    int attempts;          /* failures of this batch that count */
    int64_t backoff_ms;
    uint32_t serial;       /* of the newest batch that was sent */
    struct gw_stream_seen seen; /* an endpoint's: how its source is named */
    int64_t seen_ms;            /* monotonic: when that was looked up; 0: never */
    int64_t began_ns;      /* state thread: the handler's begin */
    struct loop_timer timer;
    char error[48], message[236];
    int64_t shown_sequence, shown_age_ms, shown_given_up; /* atomic: for the listing */
};

/* The rows of a consumer begin with this: api NUL name NUL. */
void live_consumer_key(struct buf *key, struct text api, struct text name);

/* live_stream.c */
/* A call of the tick about the first `upto` records of the batch. */
void live_consumer_submit(struct live_consumer *c, enum consumer_job job, uint32_t upto);
void live_consumer_failed(struct live_consumer *c, const char *error, const char *message); /* it counts */
void live_consumer_wait(struct live_consumer *c, int64_t ms); /* then its job again */
void live_consumer_back_off(struct live_consumer *c);

/* live_stream_start.c */
int live_consumers_compile(struct gw_live *live, struct err *err);
void live_consumer_place(struct live_consumer *c); /* reads where it stands */
void live_consumer_fini(struct live_consumer *c);

/* live_stream_event.c: 0 or what keeps the record from being written; it is written whole or not at all. */
int live_record_add(struct live_consumer *c, uint64_t sequence, const struct store_change *change);
/* The first `upto` records as a handler's or an endpoint's body, in the arena; with_error: for on_failure. data NULL: too large. */
struct text live_batch_body(struct live_consumer *c, struct arena *arena, uint32_t upto, bool with_error);
struct text live_record_text(const struct live_consumer *c, uint32_t i);
struct text live_record_id(const struct live_consumer *c, uint32_t i);

/* live_stream_send.c */
void live_batch_send(struct live_consumer *c);
void live_batch_overdue(struct live_consumer *c); /* its timer, while it is SENDING */
/* The index of the first record that the answer names as failed: -1 none, -2 what it names is no record of the batch. */
int live_answer_failure(const struct live_consumer *c, struct arena *arena, struct text body);

#endif
