/*
 * Ranks: the first entries of an index as a live view. A topic whose specification says `top` has a board, kept up by the same rounds over the feed that other topics
 * take their frames from. Services' thread.
 */
#ifndef WEIR_GATEWAY_LIVE_RANKS_H
#define WEIR_GATEWAY_LIVE_RANKS_H

#include "gateway/live_board.h"
#include "gateway/live_topic.h"

struct live_kept { /* a message that was announced */
    struct feed_position to;
    struct net_frame *frame;
};
struct live_ranks {
    struct live_topic *topic;
    struct board board;
    bool ready;               /* it has been read once; what is shown is the index at some sequence */
    bool stalled;             /* the top is not known: changes are let pass until it has been read anew */
    int failed;               /* it cannot be read: why. Its subscribers are told */
    struct feed_position at;  /* the board holds what was committed up to here; a round skips what is older */
    struct feed_position from, to; /* of the changes that are not told yet */
    bool untold;
    size_t counted;           /* bytes of the board in the sum of all */
    struct live_load *load;   /* under way */
    int64_t load_again_ms;    /* monotonic: a failed load is not repeated before */
    struct live_kept kept[LIVE_RANKS_KEPT]; /* a ring */
    uint32_t kept_first, kept_count;
    size_t kept_bytes;
    struct feed_position kept_from; /* whatever was announced behind this is kept */
    struct net_frame *snapshot;     /* of what is shown; NULL: to be made */
    uint64_t snapshot_sequence;
};

/* No board more is begun. */
bool live_ranks_full(const struct gw_live *live);
/* NULL without memory, or when they are full. */
struct live_ranks *live_ranks_make(struct gw_live *live, struct live_topic *topic);
void live_ranks_end(struct gw_live *live, struct live_ranks *ranks);
/* A change of the table. Frames go to the topic's collection. True: something is to be announced in this round. */
bool live_ranks_change(struct gw_live *live, struct live_ranks *ranks, uint64_t sequence, const struct store_change *change, const struct attr *before,
    const struct attr *after);
/* The end of a round: what was conflated becomes a frame. *to: up to where the round's frames go; less when some of it is still to be told. */
void live_ranks_flush(struct gw_live *live, struct live_ranks *ranks, struct feed_position *to);
/* Answers a pull; false: it must wait. */
bool live_ranks_pull(struct gw_live *live, struct live_ranks *ranks, struct live_message *message);
/* Changes may have been missed: it is read anew, and what has changed is told. */
void live_ranks_lost(struct gw_live *live, struct live_ranks *ranks);
/* Once a second: a reading that could not be done is tried again. */
void live_ranks_second(struct gw_live *live, struct live_ranks *ranks);
/* Another table has the name. */
void live_ranks_reset(struct gw_live *live, struct live_ranks *ranks);
/* live_feed.c: announces what a topic has collected outside a round. */
void live_topic_announce(struct gw_live *live, struct live_topic *topic, struct feed_position to);

/* Its subscriptions end, with this error. */
void live_topic_refuse(struct gw_live *live, struct live_topic *topic, int code);

/* live_load.c: begins to read the board anew, unless that is under way. */
void live_load_begin(struct gw_live *live, struct live_ranks *ranks);
void live_load_forget(struct live_ranks *ranks); /* nobody waits for it any more */
void live_load_loaded(struct gw_live *live, struct live_load *load);
void live_load_start_waiting(struct gw_live *live);
void live_load_end_all(struct gw_live *live);
/* live_ranks.c: a board that holds what was committed up to `at` takes the place of the ranks' own. Takes it. */
void live_ranks_loaded(struct gw_live *live, struct live_ranks *ranks, struct board *board, struct feed_position at, int code);
/* One change on a board. 0, ERR_AGAIN: its top is not known any more; ERR_MEMORY, ERR_NOT_FOUND (the index is gone). */
int live_board_change(const struct live_spec *spec, struct gw_live *live, struct board *board, const struct store_change *change, const struct attr *before,
    const struct attr *after, bool *moved);

#endif
