/*
 * Who waits on an io thread for commits that concern a subject (a stream of records): he is called when there is something, and nobody polls.
 *
 * What a tick touches is noted at staging as the tick's sequence, in a small table of hashes: a note too many (an undone call, two subjects of one hash) makes somebody
 * look in vain, one too few does not happen, since notes only grow and the look goes by what is durable. The committing thread wakes the io threads with
 * followers once per commit that touched anything; each looks through its own.
 */
#ifndef WEIR_GATEWAY_FOLLOW_H
#define WEIR_GATEWAY_FOLLOW_H

#include "gateway/host.h"

/* Embed it; zero it. Everything on its io thread. */
struct gw_follower {
    struct list link;
    struct gw_io *io;
    uint64_t subject;
    uint64_t seen; /* the subject has been looked at up to this sequence: the owner's to move on */
    /* From the loop. May end this follower, and no other. */
    void (*on_change)(struct gw_follower *follower);
};
/* Begins behind nothing: the owner looks once by himself. */
void gw_follow_begin(struct gw_io *io, struct gw_follower *follower, uint64_t subject);
void gw_follow_end(struct gw_follower *follower);
size_t gw_follow_count(const struct gw_io *io);

/* In the tick: this tick changes the subject. */
void gw_follow_touch(const struct tick *tick, uint64_t subject);

/* ---- for the gateway ---- */
int gw_follow_io_begin(struct gw_io *io);
void gw_follow_durable(struct gateway *gateway); /* committing thread */

#endif
