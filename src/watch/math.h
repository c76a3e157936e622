/*
 * CloudWatch's metric math: expressions over time series, as GetMetricData, alarms and dashboards have them.
 *
 *   operators   + - * / ^ and unary -, == != < <= > >=, AND OR (&& ||)
 *   values      numbers, ids of other queries, [arrays], "texts" in the places where a function wants one
 *   functions   ABS ANOMALY_DETECTION_BAND AVG CEIL DATAPOINT_COUNT DATE DAY DIFF DIFF_TIME EPOCH FILL FIRST FLOOR HOUR IF INSIGHT_RULE_METRIC LAST LOG LOG10 MAX METRICS
 *               METRIC_COUNT MIN MINUTE MONTH PERIOD RATE REMOVE_EMPTY RUNNING_SUM SEARCH SLICE SORT STDDEV SUM TIME_SERIES YEAR
 *
 * An operation of two series has a value where both have one; of a series and a scalar, at each of the series' points; of an array, for each of its elements. What is not a
 * finite number (a division by zero) is no point. Everything lives in the arena of the environment, which bounds what an expression may use; an expression has at most
 * MATH_TEXT_MAX bytes and MATH_NODES_MAX parts, and nests MATH_DEPTH_MAX deep. Any thread.
 */
#ifndef WEIR_WATCH_MATH_H
#define WEIR_WATCH_MATH_H

#include "base/arena.h"
#include "base/err.h"

#define MATH_TEXT_MAX 2048
#define MATH_DEPTH_MAX 48
#define MATH_NODES_MAX 512 /* numbers, ids, operators and functions of one expression; a chain of operators is as deep as it is long */
#define MATH_LIST_MAX 1000 /* elements of an array */

struct watch_data_source; /* data.h: what a series was read from; here it is passed on alone */
/* Plain values. Points in the order of time. */
struct math_series {
    struct text id, label;
    const struct watch_data_source *source; /* NULL: computed of nothing that was read */
    int64_t period_s;
    size_t count;
    const int64_t *time_s;
    const double *value;
};
enum math_type { MATH_SCALAR, MATH_SERIES, MATH_LIST };
struct math_value {
    enum math_type type;
    double scalar;                   /* NaN: it has none */
    struct math_series series;
    const struct math_value *item;   /* of a list: scalars and series */
    size_t items;
};

struct math_expr;
/* 0, ERR_SYNTAX or ERR_TOO_LARGE with a sentence that tells the place, ERR_MEMORY. */
int math_parse(struct arena *arena, struct text text, const struct math_expr **out, struct err *err);
/* The ids that it names, each time it does; stops when `visit` answers non-zero, which is returned. METRICS() names them all: visited as an empty text. */
int math_ids(const struct math_expr *expr, int (*visit)(void *context, struct text id), void *context);

struct math_env {
    struct arena *arena;
    int64_t start_s, end_s, period_s; /* the range that is asked for: TIME_SERIES and FILL go by it */
    void *context;
    /* 0 with the value of an id, ERR_NOT_FOUND, and others, which are passed on. */
    int (*find)(void *context, struct text id, struct math_value *value);
    /* METRICS("filter"): a list of the metrics among the queries whose ids hold the text. */
    int (*metrics)(void *context, struct text filter, struct math_value *list);
    /* SEARCH('..', 'stat', period; 0: the range's). NULL: not here. */
    int (*search)(void *context, struct text what, struct text stat, int64_t period_s, struct math_value *list);
    /* ANOMALY_DETECTION_BAND(what, width): a list of two, the upper bound first. Fails with a sentence. NULL: not here. */
    int (*band)(void *context, const struct math_expr *what, double width, struct math_value *list, struct err *err);
    /* INSIGHT_RULE_METRIC('rule', 'metric'): a series. Fails with a sentence. NULL: not here. */
    int (*rule)(void *context, struct text rule, struct text metric, struct math_value *series, struct err *err);
};
/* 0; ERR_INVALID, ERR_TYPE, ERR_NOT_FOUND with a sentence; ERR_MEMORY; what a callback answered. */
int math_evaluate(const struct math_expr *expr, const struct math_env *env, struct math_value *out, struct err *err);

#endif
