/*
 * Metric data queries: metrics, expressions over them (math.h) and Metrics Insights queries (select.h), evaluated together on demand. GetMetricData, metric widgets and alarms
 * over several queries are this with different tempers: what is wrong with a query is a state and a sentence of that query, and what to do about it is the caller's.
 *
 *   data.c evaluation · data_read.c metrics and SEARCH · data_select.c Metrics Insights · data_band.c ANOMALY_DETECTION_BAND
 *
 * A query is read or evaluated when it is wanted, once. Everything blocks (it reads the disk) and lives in the arena that is given; any thread that owns the view.
 */
#ifndef WEIR_WATCH_DATA_H
#define WEIR_WATCH_DATA_H

#include "watch/math.h"
#include "watch/metric.h"

#define WATCH_DATA_DEPTH_MAX 10          /* expressions that refer to expressions */
#define WATCH_DATA_SEARCH_MAX 500        /* series that one SEARCH reads */
#define WATCH_DATA_PERIOD 300            /* seconds, of an expression when no metric has a period */
#define WATCH_SELECT_SERIES_MAX 500      /* of a Metrics Insights query's answer, */
#define WATCH_SELECT_METRICS_MAX 10000   /* metrics that it adds up, */
#define WATCH_SELECT_POINTS_MAX 1000000  /* and points of all its groups */

/* What a series was read from. Lives as long as the series. */
struct watch_data_source {
    struct watch_name name;
    struct text stat;
};
struct watch_select;
enum watch_data_state { WATCH_DATA_NEW, WATCH_DATA_ASKED, WATCH_DATA_READY, WATCH_DATA_FAILED };
struct watch_data_query {
    /* what is asked; the texts are borrowed */
    struct text id;                  /* empty: nobody refers to it */
    struct text expression;          /* empty: a metric */
    struct watch_name name;          /* of a metric, with */
    struct text stat;
    struct statistic statistic;
    int unit;                        /* wanted; -1: any */
    int64_t period_s;                /* of an expression 0: the finest of the metrics */
    bool returned;                   /* for the caller */
    /* what it became */
    const struct math_expr *expr;    /* of an expression that is metric math, */
    const struct watch_select *select; /* or of one that is not */
    enum watch_data_state state;
    bool partial;                    /* there is more to read than may be read; what is there is whole up to its last period */
    int seen;                        /* the unit of the data, with `units`; -1: none or several */
    struct math_value value;
    struct text why, blamed;         /* FAILED: a sentence, and the id of the query that it is about */
};
struct watch_data {
    struct store_view *view;
    struct arena *arena;
    struct watch_data_query *query;
    size_t count;
    int64_t start_s, end_s, now_ms;
    uint64_t rows;                   /* that may still be read, by all queries together */
    bool whole;                      /* a metric is one point, that of the whole range */
    bool units;                      /* note which units the data has */
    bool no_search;                  /* for an alarm: SEARCH is refused, and no rule reads logs for long */
    int64_t (*widen)(void *context, int64_t period_s); /* NULL, or the period that a SEARCH shall have instead of its own */
    void *context;
    /* private */
    unsigned depth;
    struct watch_data_query *at;     /* the expression that is evaluated */
    bool in_band;
};

/* Parses an expression. 0; ERR_SYNTAX, ERR_TOO_LARGE with a sentence; ERR_MEMORY. A query without one passes. */
int watch_data_parse(struct arena *arena, struct watch_data_query *query, struct err *err);
/*
 * Makes a query READY or FAILED, with those that it refers to. One that is not parsed is parsed. 0 in both cases; negative: nothing can be read at all (ERR_MEMORY, ERR_CORRUPT,
 * ERR_COLD, ERR_IO).
 */
int watch_data_ready(struct watch_data *data, struct watch_data_query *query);
/* [a-z][a-zA-Z0-9_]* */
bool watch_data_id_valid(struct text id);
/* The period of an expression that has none. */
int64_t watch_data_finest(const struct watch_data *data);
/* "Calls connect": the metric's name and the values of its dimensions; an empty name is left out. data NULL without memory. */
struct text watch_data_label(struct arena *arena, const struct watch_name *name, struct text first);

/* ---- for these files alone ---- */
/* Notes why a query fails. Answers ERR_INVALID. */
int watch_data_fail(struct watch_data *data, struct watch_data_query *query, const char *format, ...) __attribute__((format(printf, 3, 4)));
int watch_data_evaluate(struct watch_data *data, struct watch_data_query *query, const struct math_expr *expr, struct math_value *out, struct err *err);
/* data_read.c */
int watch_data_read(struct watch_data *data, struct watch_data_query *query);
int watch_data_search(struct watch_data *data, struct text what, struct text stat, int64_t period_s, struct math_value *list);
/* data_select.c */
int watch_data_select(struct watch_data *data, struct watch_data_query *query);
/* data_band.c */
int watch_data_band(struct watch_data *data, const struct math_expr *what, double width, struct math_value *list, struct err *err);

#endif
