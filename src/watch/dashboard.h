/*
 * Dashboards: CloudWatch's bodies, read and judged, and where they are kept.
 *
 * A dashboard is an item of the table DASHBOARD_TABLE, which the wires of tables do not show. So it is durable when it is acknowledged, is part of backups, and whoever may
 * administer the server follows the table live. The body is kept as it came; what is wrong with it is told in the words of AWS's validation, each with its place
 * ("/widgets/3/properties/metrics/0").
 *
 * An error refuses the body; a warning is told, and the dashboard is stored: it may not draw what its author meant. Functions that take a tick: inside run(), on the state
 * thread; those that take a view: any thread that owns one.
 */
#ifndef WEIR_WATCH_DASHBOARD_H
#define WEIR_WATCH_DASHBOARD_H

#include "base/json.h"
#include "tick/tick.h"
#include "watch/series.h"

#define DASHBOARD_TABLE "weir.dashboards"
#define DASHBOARD_NAME_MAX 255
#define DASHBOARD_BODY_MAX ((size_t)512 << 10) /* bytes */
#define DASHBOARD_WIDGETS_MAX 500
#define DASHBOARD_METRICS_MAX 500              /* of one widget */
#define DASHBOARD_ALL_METRICS_MAX 2500         /* of one dashboard */
#define DASHBOARD_ALARMS_MAX 100               /* of one widget */
#define DASHBOARD_VARIABLES_MAX 25
#define DASHBOARD_MESSAGES_MAX 20              /* told; the rest is counted */
#define DASHBOARDS_MAX 5000                    /* kept */

/* ---- bodies ---- */

struct dashboard_message {
    bool error;
    struct text path, text;
};
struct dashboard_body {
    const struct json *root;
    size_t widgets;
    bool automatic;       /* periodOverride "auto": the time range decides */
    struct text start, end; /* as they stand; empty: not given */
    struct dashboard_message message[DASHBOARD_MESSAGES_MAX]; /* errors first */
    size_t messages, errors, warnings; /* the latter two counted in full */
};
/* Reads and judges a body. 0 (there may be warnings); ERR_SYNTAX: it is no JSON object; ERR_INVALID: it has errors; ERR_TOO_LARGE; ERR_MEMORY. The result borrows the
   arena and the text. */
int dashboard_body_parse(struct arena *arena, struct text text, struct dashboard_body *out);
/* The same for one widget, as errors of a body that holds it alone. */
int dashboard_widget_check(struct arena *arena, const struct json *widget, struct dashboard_body *out);
/* Reads a body that was judged when it was put: no messages. The same results, ERR_INVALID aside. */
int dashboard_body_open(struct arena *arena, struct text text, struct dashboard_body *out);
/* The widget at an index, NULL when there is none. */
const struct json *dashboard_body_widget(const struct dashboard_body *body, size_t index);

enum dashboard_type { DASHBOARD_METRIC, DASHBOARD_TEXT, DASHBOARD_LOG, DASHBOARD_ALARM, DASHBOARD_EXPLORER, DASHBOARD_CUSTOM, DASHBOARD_TYPES };
extern const char *const dashboard_type_names[DASHBOARD_TYPES];
/* -1: none of these. */
int dashboard_type_find(struct text name);

/* An entry of a widget's "metrics", with "." and "..." filled in from the metric above it. Borrows the body; the dimensions live in the arena. */
struct dashboard_metric {
    struct watch_name name;     /* of a metric */
    struct text expression;     /* empty: a metric */
    const struct json *options; /* stat, period, label, id, color, yAxis, visible, region; NULL: none */
};
/* In order; `visit` answers 0 to go on. 0, what `visit` answered, ERR_INVALID (an entry that is none; the body's validation says which), ERR_MEMORY. */
int dashboard_metrics_each(struct arena *arena, const struct json *metrics, int (*visit)(void *context, const struct dashboard_metric *metric), void *context);

/* ---- times ---- */

/* "-PT3H", "-P7D", "-P1W", "-PT90M", "-P1DT12H", months of 30 days: milliseconds back. 0 or ERR_SYNTAX. */
int dashboard_ago_parse(struct text text, int64_t *ms);
/* The same, or ISO 8601, or epoch milliseconds in digits; an answer relative to now says so. */
int dashboard_time_parse(struct text text, int64_t now_ms, int64_t *ms, bool *relative);

/* ---- keeping ---- */

struct dashboard {
    struct text name, body;
    int64_t modified_ms, size; /* size: bytes of the body */
    struct text declared;      /* digest of the declaration that made it; empty: none */
};
bool dashboard_name_valid(struct text name);
/* Before the first call, in the tick: the table, when it is not there. */
int dashboard_define(struct tick *tick, struct err *err);
/* Sets modified_ms and size. ERR_FULL with a sentence, ERR_COLD, ERR_MEMORY. */
int dashboard_put(struct tick *tick, struct arena *arena, struct dashboard *dashboard, struct err *err);
/* ERR_NOT_FOUND, ERR_COLD, ERR_CORRUPT, ERR_MEMORY. The texts live in the arena. */
int dashboard_get(struct store_view *view, struct arena *arena, struct text name, struct dashboard *out);
/* ERR_NOT_FOUND; the rest as above. */
int dashboard_delete(struct tick *tick, struct arena *arena, struct text name);
/* Those whose names begin with `prefix`, in no order, until `visit` answers non-zero (returned). Texts live for the visit. */
int dashboard_each(struct store_view *view, struct text prefix, int (*visit)(void *context, const struct dashboard *dashboard), void *context);
/* Their names in order, in the arena. */
struct dashboard_names {
    struct dashboard *item; /* without bodies */
    size_t count;
};
int dashboard_list(struct store_view *view, struct arena *arena, struct text prefix, struct dashboard_names *out);
/* "arn:aws:cloudwatch::<account>:dashboard/<name>", in the arena; data NULL without memory. */
struct text dashboard_arn(struct arena *arena, struct text account, struct text name);

#endif
