/*
 * The figures of metrics: put, read, rolled up.
 *
 * A put is part of a call of the tick like any other write: undone with it, durable when it is acknowledged. It goes into the row of its series, period and unit: the call
 * finds the series and leaves a note, and at the end of the tick all notes of a row are added to it together (seal.h). So a thousand puts of one metric in one tick journal
 * one row, and a put costs its call a look-up in memory. Reads within the same tick do not see it yet.
 *
 *   STORE_SPACE_METRICS   series (be64) start (be64, epoch seconds) level (1) unit (1)   a summary (statistic.h)
 *
 * A row of level l stands for WATCH_LEVEL_S[l] seconds from its start. Every data point is in exactly one row: rolling up moves it, in one call that adds it to the coarser
 * row and deletes the finer one. So a crash between two calls loses and doubles nothing, a point that comes late simply goes into the row where it would be by now, and a
 * reader adds up what it finds: what a query answers depends on the age of the data alone, not on whether the roll-up has run.
 *
 *   level                    0      1      2       3
 *   seconds                  1      60     300     3600
 *   kept                     3 h    15 d   63 d    455 d     then it is part of the next level, which is CloudWatch's retention
 *
 * A period shows the rows that divide it: a query by 60 s finds nothing that is older than 15 days, as with CloudWatch.
 */
#ifndef WEIR_WATCH_METRIC_H
#define WEIR_WATCH_METRIC_H

#include "watch/series.h"
#include "watch/statistic.h"

#define WATCH_LEVELS 4
extern const int64_t WATCH_LEVEL_S[WATCH_LEVELS]; /* seconds of a row */
extern const int64_t WATCH_KEPT_S[WATCH_LEVELS];  /* seconds that rows of a level are kept as such */
#define WATCH_PAST_MS (14 * INT64_C(86400000))    /* how old a data point may be, */
#define WATCH_FUTURE_MS (2 * INT64_C(3600000))    /* and how far ahead */

/* CloudWatch's units by their numbers in rows: never renumber. */
#define WATCH_UNITS 27
#define WATCH_UNIT_NONE 0
#define WATCH_UNIT_COUNT 14
extern const char *const watch_unit_names[WATCH_UNITS];
/* -1 when there is none of that name. */
int watch_unit_find(struct text name);

/* ---- putting ---- */
struct watch_point {
    struct watch_name name;
    int64_t time_ms;          /* WATCH_PAST_MS before to WATCH_FUTURE_MS after the tick's time */
    unsigned unit;
    bool high;                /* kept by the second (StorageResolution 1), else by the minute */
    const double *value;      /* `values` of them, |v| <= SKETCH_VALUE_MAX, */
    const double *weight;     /* how often each came, >= 0; NULL: once */
    size_t values;
    bool set;                 /* figures instead of values: */
    double count, sum, min, max;
};
/*
 * State thread, inside a call. Borrows the point. 0; ERR_INVALID with a sentence (name, time, a number that is none), ERR_FULL (one series too many), ERR_COLD,
 * ERR_MEMORY, ERR_CORRUPT: answer them from run().
 */
int watch_metric_put(struct tick *tick, struct arena *arena, const struct watch_point *point, struct err *err);

/* Figures that were added up before, at the tick's time. Nobody was promised them: while the disk is full they are dropped (tally.h). */
struct watch_figures {
    struct watch_name name;
    unsigned unit;
    bool high;
    struct watch_summary summary;
};
/* As watch_metric_put. Borrows the figures until the call is done, for the end of the tick looks at them. */
int watch_metric_put_figures(struct tick *tick, struct arena *arena, const struct watch_figures *figures, struct err *err);

/* ---- reading ---- */
struct watch_query {
    struct watch_name name;
    int64_t start_s, end_s;   /* epoch seconds; the start is taken down to its period's, the end is exclusive */
    int64_t period_s;         /* 1, 5, 10, 20, 30 or a multiple of 60 */
    int unit;                 /* -1: all units, as one unless by_unit */
    bool by_unit;
    bool figures;             /* count, sum, min and max are enough: the values are left out */
    int64_t now_ms;           /* what is kept at which level */
    uint64_t *rows;           /* rows that may still be read, counted down; NULL: WATCH_ROWS_MAX of this query's own */
};
#define WATCH_ROWS_MAX UINT64_C(2000000)
/*
 * Any view, any thread. Hands over the periods that hold something in the order of time; the summary lives for the visit only. `visit` answers 0 to go on; its
 * answer is returned. 0 also when there is no such metric. ERR_FULL: the rows ran out, what was handed over is whole. ERR_COLD, ERR_CORRUPT, ERR_MEMORY.
 */
int watch_metric_read(struct store_view *view, struct arena *arena, const struct watch_query *query,
    int (*visit)(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary), void *context);
bool watch_period_is_valid(int64_t period_s);

/* ---- the roll-up: a deferred call of the tick ---- */
#define WATCH_SWEEP "@watch/sweep"
#define WATCH_SWEEP_EVERY_MS (5 * INT64_C(60000))
/* State thread, in a deferred call of that name. The first series asks for it by itself; each slice asks for its successor, until no series is left. */
int watch_sweep(struct tick *tick, struct arena *arena, struct text payload);

/* ---- for this module alone ---- */
#define WATCH_ROW_KEY 18
struct watch_row_key {
    uint64_t series;
    int64_t start_s;
    unsigned level, unit;
};
struct text watch_row_key_format(char out[WATCH_ROW_KEY], const struct watch_row_key *key);
int watch_row_key_parse(struct text bytes, struct watch_row_key *key);
/* At which level data of that start is kept now, when it was kept at `level`: WATCH_LEVELS when it is kept no more. */
unsigned watch_level_now(int64_t start_s, unsigned level, int64_t now_s);
/* Adds a summary to a row, at once: the roll-up's way. State thread, inside a call. */
int watch_row_add(struct tick *tick, struct arena *arena, const struct watch_row_key *key, const struct watch_summary *summary);
int watch_sweep_begin(struct tick *tick);

#endif
