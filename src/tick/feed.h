/*
 * The feed: all changes of all tables, in the order in which they were committed, for those who follow. It is read from the journal's
 * records, so it is not stored a second time: stream consumers, live tables and the stream wires are cursors over the same order.
 *
 * A position is (sequence, number): everything up to and including that change has been taken. A cursor never shows what is not durable, nor what
 * the published snapshot does not hold yet: who reads a snapshot of sequence S and then follows from (S, all) meets every change once.
 *
 * One thread at a time per cursor; any number of cursors. The tick wakes whoever is to follow by tick_config.on_durable.
 */
#ifndef WEIR_TICK_FEED_H
#define WEIR_TICK_FEED_H

#include "tick/tick.h"

#define FEED_ALL UINT32_MAX /* as a number: the whole record */

/* Plain value. */
struct feed_position {
    uint64_t sequence;
    uint32_t number; /* FEED_ALL: all of the record's changes */
};
/* <0, 0, >0 */
int feed_compare(struct feed_position a, struct feed_position b);
/* "123.4", or "123" for the whole record. 0, ERR_SYNTAX. */
int feed_position_parse(struct text text, struct feed_position *out);

struct feed;
/* A cursor behind `after`. ERR_NOT_FOUND: the journal does not reach back so far any more; ERR_INVALID: `after` lies ahead of what is durable (another data
   folder's, perhaps); ERR_MEMORY. Tick and journal must outlive it. */
int feed_open(struct feed **out, struct tick *tick, struct journal *journal, struct feed_position after, struct err *err);
void feed_close(struct feed *feed); /* NULL is allowed */
/* One step: 0 with the next change (its texts are borrowed until the next step; *sequence is its record's); FEED_END when a record has been taken whole, also
   one without changes; ERR_AGAIN at the durable end; ERR_NOT_FOUND: the journal has forgotten it meanwhile; ERR_CORRUPT, ERR_IO, ERR_MEMORY. */
#define FEED_END 1
int feed_next(struct feed *feed, uint64_t *sequence, struct store_change *change, struct err *err);
/* What has been taken. */
struct feed_position feed_position(const struct feed *feed);

#endif
