/*
 * Tallies: figures that one thread gathers in its own memory and hands over once a second.
 *
 * What a program measures of itself comes a hundred thousand times a second, and nobody was promised a single one of these values. So they do not travel one by one: a thread
 * adds to a sketch of its own (no lock, no allocation once the place is made), and once a second what was gathered since becomes one call of the tick, which adds it to the
 * rows of its metrics (metric.h) like any other put. A crash loses the last second.
 *
 * A tally belongs to one thread. Its bound is WATCH_TALLY_PLACES: a place beyond it is place 0, which counts (watch_tally_dropped) and keeps nothing. The values of a second take
 * at most WATCH_TALLY_BYTES: what finds no room there is in the sum, the count, the minimum and the maximum, but the period has no percentiles then.
 */
#ifndef WEIR_WATCH_TALLY_H
#define WEIR_WATCH_TALLY_H

#include "watch/metric.h"

#define WATCH_TALLY_PLACES 16384 /* series that one thread gathers */
#define WATCH_TALLY_BYTES ((size_t)16 << 20)

struct watch_tally;
struct watch_gathered; /* what was taken: heap memory of its own, may go to another thread */

/* 0 or ERR_MEMORY. */
int watch_tally_create(struct watch_tally **out);
void watch_tally_destroy(struct watch_tally *tally); /* NULL passes */
/* The place of a series; the same one for the same name (dimensions in the same order), unit and `high`, for the tally's life: ask once and keep it where the value arises, or ask
   each time (a hash of its bytes). The name is copied; it is at most WATCH_FLAT_MAX bytes and valid (watch_name_check). 0: it is not, no room, or no memory. `high`: kept by the
   second, else by the minute. */
unsigned watch_tally_place(struct watch_tally *tally, const struct watch_name *name, unsigned unit, bool high);
/* Adds a value, `weight` times (> 0). Place 0 drops it, and so does what is no number. About 10 ns. */
void watch_tally_add(struct watch_tally *tally, unsigned place, double value, double weight);
/* What was added since the last time; NULL: nothing (or no memory: it stays and is taken the next time). */
struct watch_gathered *watch_tally_take(struct watch_tally *tally);
/* Series in it. */
size_t watch_gathered_count(const struct watch_gathered *gathered);
/* State thread, inside a call, at the tick's time: adds it to the metrics. A series beyond the limit is left out and counted, everything else is kept; while the disk is full
   it is dropped. May be run again. `gathered` is borrowed until the call is done (tick_sink.on_done, or tick_run_now has returned). 0, ERR_COLD, ERR_MEMORY, ERR_CORRUPT, and
   ERR_DISK_FULL from the tick when it would have made a series. */
int watch_gathered_put(struct tick *tick, struct arena *arena, const struct watch_gathered *gathered);
void watch_gathered_destroy(struct watch_gathered *gathered); /* NULL passes */

#endif
