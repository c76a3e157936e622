/*
 * What a widget shows: computed from a view, for a range of time, as JSON (docs/dashboards.md has its form). A metric widget's series are also handed over as they are, so that
 * whoever follows the widget can tell what has changed since the last look.
 *
 * Everything blocks (it reads the disk) and lives in the arena that is given; it belongs on a worker. Bounds: the constants below, and the arena's limit.
 */
#ifndef WEIR_WATCH_WIDGET_H
#define WEIR_WATCH_WIDGET_H

#include "watch/dashboard.h"

#define WIDGET_SERIES_MAX 100            /* shown; further ones are left out, with a message */
#define WIDGET_POINTS_MAX 1440           /* of a series: the period is widened until it fits */
#define WIDGET_ROWS_MAX 1000             /* of a log widget */
#define WIDGET_QUERY_MS 5000             /* a log query, all its groups together; then what was read counts */
#define WIDGET_QUERY_BYTES ((size_t)512 << 20)
#define WIDGET_JSON_MAX ((size_t)8 << 20)
#define WIDGET_MEMORY_MAX ((size_t)64 << 20) /* for the arena */
#define WIDGET_RANGE_MS (3 * INT64_C(3600000)) /* when nothing names one */

struct widget_range {
    int64_t start_ms, end_ms;
    bool moving;          /* the end is relative to now */
    int64_t period_s;     /* asked for with the range; 0: the widget's own */
    bool automatic;       /* the range decides, whatever the widget says */
};
/* What stands in the request; texts empty and period 0: nothing. `body`: the widget's dashboard, or NULL. */
struct widget_wish {
    struct text start, end, period; /* period: seconds in digits, or "auto" */
    const struct dashboard_body *body;
    const struct json *widget;
    int64_t now_ms;
};
/* 0 or ERR_INVALID with a sentence. */
int widget_range_resolve(const struct widget_wish *wish, struct widget_range *range, struct err *err);
/* The period for a range: `asked` (0: by the range alone), at least what is still kept of the range's start, and at most WIDGET_POINTS_MAX points. */
int64_t widget_period(const struct widget_range *range, int64_t asked_s, int64_t now_ms);

struct widget_series {
    struct text id, label, color, stat;
    bool right;
    int unit;             /* -1: none, or several */
    int64_t period_s;
    size_t count;
    const int64_t *time_s;
    const double *value;
};
struct widget_figures {
    struct widget_series series[WIDGET_SERIES_MAX];
    size_t count;
    int64_t period_s;     /* the finest of them */
    uint64_t told;        /* of the messages beside them: another number, other messages */
};
struct widget_ask {
    struct store_view *view;
    struct arena *arena;
    const struct json *widget;
    struct widget_range range;
    struct text account, region;
    int64_t now_ms;
    const int *stop;      /* atomic; not 0: a log query ends with what it has. NULL: it is not asked */
};
/* Appends the data to `out`. `figures` (may be NULL) gets a metric widget's series. 0; ERR_INVALID with a sentence (it is no widget); ERR_TOO_LARGE, ERR_MEMORY, ERR_CORRUPT. What
   cannot be evaluated within a widget is said in its data and is no failure. */
int widget_compute(const struct widget_ask *ask, struct widget_figures *figures, struct buf *out, struct err *err);

/* ---- for these files alone ---- */
#define WIDGET_MESSAGES_MAX 10
struct widget_messages {
    struct text text[WIDGET_MESSAGES_MAX];
    size_t count;
};
void widget_message(struct widget_messages *messages, struct arena *arena, const char *format, ...) __attribute__((format(printf, 3, 4)));
struct text widget_text(const struct json *object, const char *name);
/* The series of a metric widget. */
int widget_metrics_read(const struct widget_ask *ask, const struct json *properties, struct widget_figures *figures, struct widget_messages *messages);
/* Members of the data, between its braces. */
int widget_log_write(const struct widget_ask *ask, const struct json *properties, struct json_writer *w);
int widget_alarm_write(const struct widget_ask *ask, const struct json *properties, struct json_writer *w);

#endif
