/*
 * Export by OTLP/HTTP in JSON: figures, log events and traces go to a collector. docs/otlp.md says what becomes what.
 *
 *   otlp_metric.c   rows of metrics as data points     a worker, which may read the disk
 *   otlp_log.c      events of log groups as records     likewise
 *   otlp_trace.c    completed calls as spans            from a bounded ring of each thread
 *   otlp.c          when, where to, what if not          the services' thread
 *
 * Figures and events are read from what is kept anyway: where the export stands is a moment, so a collector that is away makes no queue; the export goes on where it stood, or, when
 * that is more than GW_OTLP_BEHIND_MS ago, from there, and counts that it gave up the rest. Spans are kept nowhere else: a full ring drops the newest, counted. Nothing ever waits for a
 * collector.
 */
#ifndef WEIR_GATEWAY_OTLP_H
#define WEIR_GATEWAY_OTLP_H

#include "base/clock.h"
#include "base/json.h"
#include "gateway/gateway.h"
#include "watch/metric.h"

#define GW_OTLP_BODY_MAX ((size_t)4 << 20)            /* bytes of one request */
#define GW_OTLP_BODY_FULL (GW_OTLP_BODY_MAX / 4 * 3)  /* no further series or event is begun above */
#define GW_OTLP_BEHIND_MS (HOUR_MS)
#define GW_OTLP_SPANS 2048                            /* of one thread that wait for the next export */
#define GW_OTLP_LATE_MS (MINUTE_MS)                   /* an event older than that when it arrives is not exported */
#define GW_OTLP_BUCKETS 160                           /* of an exponential histogram */

enum gw_otlp_signal { GW_OTLP_METRICS, GW_OTLP_LOGS, GW_OTLP_TRACES, GW_OTLP_SIGNALS };

/* ---- values in OTLP's JSON (otlp_json.c): numbers of 64 bits are strings ---- */
void gw_otlp_resource(struct json_writer *w, struct text environment);              /* member "resource" of an open object */
void gw_otlp_attribute(struct json_writer *w, const char *key, struct text value);  /* an entry of an open array */
void gw_otlp_attribute_i64(struct json_writer *w, const char *key, int64_t value);
void gw_otlp_u64(struct json_writer *w, const char *name, uint64_t value);
/* "Milliseconds" as UCUM has it. */
const char *gw_otlp_unit(const char *unit);
/* The data points of one figure: "sum", "gauge" or "exponentialHistogram" as its kind says, or "summary" when the values are not known. begin opens the metric's object and its points. */
enum gw_otlp_form { GW_OTLP_SUM, GW_OTLP_GAUGE, GW_OTLP_HISTOGRAM, GW_OTLP_SUMMARY };
enum gw_otlp_form gw_otlp_form_of(const struct watch_name *name, const struct watch_summary *summary);
void gw_otlp_metric_begin(struct json_writer *w, struct text name, unsigned unit, enum gw_otlp_form form);
void gw_otlp_metric_end(struct json_writer *w, enum gw_otlp_form form);
void gw_otlp_point(struct json_writer *w, const struct watch_name *name, enum gw_otlp_form form, int64_t start_s, int64_t period_s, const struct watch_summary *summary);

/* ---- what is read (a worker) ---- */
/* One request's worth. `body` has been initialised; it stays empty when there is nothing. */
struct gw_otlp_page {
    const struct gateway_config *config;
    int64_t from_ms, to_ms;  /* (from, to]: of metrics whole minutes */
    int64_t now_ms;
    struct buf body;
    struct buf place;        /* where the next page goes on within the window; empty: at its beginning. Set anew */
    bool more;               /* there is another page in the window */
    uint64_t count;          /* points, events */
};
int gw_otlp_read_metrics(struct store_view *view, struct gw_otlp_page *page);
int gw_otlp_read_logs(struct store_view *view, struct gw_otlp_page *page);

/* ---- traces ---- */
struct gw_spans;
struct gw_io;
struct weir_call;
struct gw_spans *gw_spans_create(void); /* NULL without memory */
void gw_spans_destroy(struct gw_spans *spans);
/* The thread of the ring: a call has ended. */
void gw_spans_add(struct gw_spans *spans, const struct weir_call *call, int code);
/* Services' thread: takes what is there, as entries of an open array. How many. */
size_t gw_spans_take(struct gw_spans *spans, struct json_writer *w);
bool gw_spans_empty(const struct gw_spans *spans);
/* "00-<32 hex>-<16 hex>-<2 hex>" (W3C Trace Context): trace and parent. False: it is none. */
bool gw_traceparent_parse(struct text text, unsigned char trace[16], unsigned char parent[8]);

/* ---- otlp.c: services' thread ---- */
int gw_otlp_create(struct gateway *gateway, struct err *err); /* nothing without an endpoint */
void gw_otlp_destroy(struct gateway *gateway);
void gw_otlp_begin(struct gw_io *io);
struct gw_answer;
void gw_otlp_answered(struct gw_io *io, struct gw_answer *answer); /* takes it */

#endif
