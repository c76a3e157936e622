/*
 * A consumer of a table's changes, as live_stream.c runs it and live_stream_http.c shows it. It belongs to the services' thread; while its call is under way it stands
 * still, and the state thread reads it. What is marked atomic is shown to io threads.
 */
#ifndef WEIR_GATEWAY_LIVE_STREAM_H
#define WEIR_GATEWAY_LIVE_STREAM_H

#include "gateway/live.h"

enum consumer_state { GATHERING, FLYING, WAITING /* to submit */, RESTING /* to gather */ };
enum consumer_job { JOB_RUN, JOB_PLACE, JOB_GIVE_UP };

struct live_record { /* one record in the batch's text */
    struct feed_position at;
    uint32_t from, len;
};
struct live_consumer {
    struct gw_live *live;
    struct gw_api *api;
    const struct weir_stream *decl;
    struct gw_route *route, *on_failure;
    struct text table;     /* name; known when the thread begins */
    struct text key;       /* of its position's row; allocated */
    uint32_t batch_max;
    int64_t window_ms;
    int retries;
    struct feed *feed;
    struct feed_position stored; /* durable */
    int64_t stored_ms;           /* monotonic: since when */
    struct feed_position behind; /* the batch begins behind it */
    struct feed_position end;    /* and ends here */
    struct feed_position bad;    /* where the batch that failed ended: until there, small batches without a window */
    struct buf text;             /* the records, with commas between */
    struct live_record *record;
    uint32_t count, limit;
    int64_t first_ms;      /* monotonic: when the batch began */
    int64_t oldest_ms;     /* wall: commit of its first record */
    enum consumer_state state;
    enum consumer_job job;
    bool with_route;       /* GIVE_UP: on_failure runs too */
    int attempts;          /* failures of this batch that count */
    int64_t backoff_ms;
    struct loop_timer timer;
    char error[48], message[236];
    int64_t shown_sequence, shown_age_ms, shown_given_up; /* atomic: for the listing */
};

/* The rows of a consumer begin with this: api NUL route NUL. */
void live_consumer_key(struct buf *key, struct text api, struct text route);

#endif
