/*
 * What of metrics and logs is done at the end of a tick: its notes (tick_note) become rows.
 *
 * The notes of a tick are those of all its calls that were kept, in order. Metrics are added up by row, so a thousand data points of one metric are one row; lines are added
 * to the block of their stream (log_seal.c). What was read or made for that is remembered for the next tick: the row of this minute is not decoded again for each tick.
 *
 * A house of a tick is its seal_context: made once beside the tick, on the state thread only from then on. Everything in it may be forgotten at any time; the rows are the truth.
 * Reads within the tick do not see its notes: a data point, or a line, is there when the call that put it is answered.
 */
#ifndef WEIR_WATCH_SEAL_H
#define WEIR_WATCH_SEAL_H

#include "tick/tick.h"

/* Whose note it is (tick_note's kind). */
enum watch_note_kind {
    WATCH_NOTE_METRIC = 1, /* metric.c: a struct of its own */
    WATCH_NOTE_LOG = 2     /* log_seal.c: a struct of its own; further kinds of logs from 2 to 15 are handed to it too */
};

struct watch_cache; /* cache.h: series and rows of metrics */
struct watch_house {
    struct watch_cache *cache;
    bool sealing;
    /* log_seal.c's own, filled on first use; NULL before. */
    void *logs;
    void (*logs_forget)(void *logs); /* at unseal: what it remembers of rows is wrong. May be NULL */
    void (*logs_destroy)(void *logs);
};

/* `series_max`: how many series there may be; 0: WATCH_SERIES_MAX. 0 or ERR_MEMORY. */
int watch_house_create(struct watch_house **out, uint64_t series_max);
void watch_house_destroy(struct watch_house *house); /* after tick_destroy; NULL passes */
/* Sets on_seal, on_unseal and seal_context. */
void watch_house_hooks(struct watch_house *house, struct tick_config *config);
/* State thread. The house that watch_house_hooks gave to this tick. */
struct watch_house *watch_house_of(const struct tick *tick);

/* tick_config.on_seal: first the lines (whose metric filters may put data points), then the metrics. */
int watch_seal(void *house, struct tick *tick, const struct tick_note *first);
void watch_unseal(void *house);
/* log_seal.c. Looks at the notes of its kinds. May read the disk; may put metrics (watch_metric_put works at the seal, too); stages rows. Negative undoes the tick. */
int watch_log_seal(struct tick *tick, const struct tick_note *first);

#endif
