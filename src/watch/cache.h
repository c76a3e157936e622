/*
 * What the state thread remembers of metrics, so that a put costs a look-up in memory and a note: which series have which numbers, and the rows that are being filled.
 *
 *   series   flat name (series.h) -> id and `seen`. Only what a committed or kept call has written is in it: the call that makes a series does not enter it, for it may still be
 *            undone; the next one finds the row and does. When it is full it is emptied: what is used comes back
 *   rows     row key -> summary, as the tables and the stages have it. Filled at the seal alone; the least recently used ones go when there are too many. Whoever stages such a
 *            row elsewhere (the roll-up) forgets it here first
 *
 * A refused tick takes back what its calls have staged: then all is forgotten (watch_unseal). State thread only.
 */
#ifndef WEIR_WATCH_CACHE_H
#define WEIR_WATCH_CACHE_H

#include "base/list.h"
#include "watch/metric.h"

#define WATCH_CACHE_SERIES 131072              /* entries, */
#define WATCH_CACHE_SERIES_BYTES ((size_t)32 << 20) /* and their bytes; then it is emptied */
#define WATCH_CACHE_ROWS 16384                 /* rows that outlive the tick, */
#define WATCH_CACHE_ROWS_BYTES ((size_t)32 << 20)   /* and the bytes of their values */

struct watch_cache;

/* 0 or ERR_MEMORY. */
int watch_cache_create(struct watch_cache **out, uint64_t series_max);
void watch_cache_destroy(struct watch_cache *cache); /* NULL passes */
void watch_cache_forget(struct watch_cache *cache);

/* ---- series ---- */
uint64_t watch_cache_series_max(const struct watch_cache *cache);
void watch_cache_series_limit(struct watch_cache *cache, uint64_t series_max); /* while no call runs */
/* May the log name a namespace now? Once a minute. */
bool watch_cache_may_tell(struct watch_cache *cache, int64_t now_ms);
/* False: not known, or seen longer ago than WATCH_SEEN_MS. */
bool watch_cache_series_find(struct watch_cache *cache, const struct watch_name *name, int64_t now_ms, uint64_t *id);
/* The running call has staged a row of a series. */
void watch_cache_series_wrote(struct watch_cache *cache, const struct tick *tick);
/* The row was read. Does nothing when the running call may have written it itself. */
void watch_cache_series_note(struct watch_cache *cache, const struct tick *tick, const struct watch_name *name, const struct watch_series *series);
/* Some series is gone. */
void watch_cache_series_forget(struct watch_cache *cache);

/* ---- rows ---- */
/* At the seal: adds to a row, which is read when it is not remembered. 0, ERR_CORRUPT, ERR_MEMORY, ERR_IO. */
int watch_cache_row_add(struct watch_cache *cache, struct tick *tick, struct arena *arena, const struct watch_row_key *key, const struct watch_summary *summary);
/* The same for one value. */
int watch_cache_row_value(struct watch_cache *cache, struct tick *tick, struct arena *arena, const struct watch_row_key *key, double value, double weight);
/* Stages the rows that were added to. 0 or ERR_MEMORY. */
int watch_cache_rows_stage(struct watch_cache *cache, struct tick *tick);
/* In a call: what a tick with this sequence will stage for the row, as far as is known; 0 when it was told to an earlier put of the tick. So that a tick of few notes cannot become a
   record of too many bytes. */
#define WATCH_CACHE_CHARGE_MAX 8192u
size_t watch_cache_row_charge(struct watch_cache *cache, const struct watch_row_key *key, uint64_t sequence);
/* Somebody else stages this row. */
void watch_cache_row_forget(struct watch_cache *cache, const struct watch_row_key *key);

#endif
