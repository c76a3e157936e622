/*
 * The performance monitor around calls. Declarations become operations (struct gw_operation), one or none for each route; what completes is counted by the thread on which
 * the call ends, in that thread's own tally and windows, so the automatic part costs two looks at the clock and a few additions (bench/monitor.c).
 *
 * A route's own monitor needs no memory: the call itself is it. gw_call_give ends it, wherever the call was given up, answered or undone. Monitors that handlers start lie in the
 * call's arena; they are counted at the same moment, because a handler may run again, and what an undone run completed never was.
 *
 * docs/performance.md says what is measured; the arithmetic is watch/monitor.h.
 */
#ifndef WEIR_GATEWAY_MONITOR_H
#define WEIR_GATEWAY_MONITOR_H

#include "gateway/internal.h"
#include "watch/monitor.h"
#include "watch/tally.h"

#define GW_PERFORMANCE_SPACE "WebSocket/Performance"
#define GW_TOKEN_OPERATION "authentication_jwt_verification"
#define GW_OPERATIONS_MAX 2048    /* of one API: its routes, at most, and those it declares */
#define GW_MONITOR_LINES 10       /* of an operation: breaches told a minute, and as many failures and warnings */
#define GW_BREACH_FIGURE "Figure" /* the dimension of ThresholdBreaches */

/* The dimensions of the three figures, beside one another: CloudWatch does not add up over dimensions, and the documents ask for both of the first two. */
enum gw_dimensions { GW_BY_HANDLER, GW_BY_ENVIRONMENT, GW_BY_API, GW_DIMENSIONS };

/* Immutable once the threads run, but for the gates. */
struct gw_operation {
    struct text name;
    struct gw_api *api;
    uint32_t index;                     /* among all operations of the gateway */
    bool declared;                      /* else it is a route's own */
    bool judged;                        /* it has a threshold; atomic: a reload may change it */
    struct watch_thresholds thresholds; /* likewise: gw_operation_thresholds */
    const struct weir_operation *decl;  /* NULL: a route's own */
    uint32_t figures;                   /* of decl */
    uint32_t places;                    /* of the figures: one for each value of a figure's second dimension */
    struct watch_gate breaches, failures, rates;
};

/* What one thread keeps of an operation. */
struct gw_gauge {
    bool placed;
    unsigned place[WATCH_FIGURES][GW_DIMENSIONS];
    unsigned *further;                  /* [place of the figures][by handler, by API] */
    struct watch_window window;
};

/* A captured member. */
enum gw_field_kind { GW_FIELD_TEXT, GW_FIELD_INTEGER, GW_FIELD_BOOLEAN };
struct gw_field {
    struct gw_field *next;
    const char *name;
    enum gw_field_kind kind;
    struct text text;
    int64_t number;
};
struct weir_monitor {
    struct weir_monitor *next;          /* the call's, newest first */
    struct weir_call *call;             /* NULL: one that keeps nothing */
    struct gw_operation *operation;     /* NULL: the one around the route */
    struct gw_field *fields;            /* newest first */
    unsigned field_count;
    int64_t began_ns, ended_ns;         /* monotonic; ended 0: open */
    int64_t since_ms;                   /* wall; 0: began_ns counts */
    size_t used, high;                  /* the arena when it began, and its most since */
    bool success;
    bool forgotten;                     /* a later call counts it, unless this one is undone */
};

/* ---- operations.c ---- */
/* When the routes are compiled. ERR_INVALID with a sentence; ERR_MEMORY. */
int gw_operations_compile(struct gw_api *api, struct err *err);
void gw_operations_free(struct gw_api *api);
/* As they are now; each of the three by itself, since a reload may be under way. Any thread. */
struct watch_thresholds gw_operation_thresholds(const struct gw_operation *operation);
/* The thresholds of a configuration that was read anew. ERR_INVALID with a sentence: it names what is not there (asked before anything changes). Main thread. */
int gw_operations_check(struct gw_api *api, const struct gw_api_config *config, struct err *err);
void gw_operations_reload(struct gw_api *api, const struct gw_api_config *config);
/* A declared one; NULL: there is none. */
struct gw_operation *gw_operation_find(struct gw_api *api, const char *name);

/* ---- monitor.c ---- */
/* The thread that owns the call, once: what it and its monitors came to. `io` NULL: the state thread. */
void gw_monitor_end(struct gw_io *io, struct weir_call *call);
/* The same of a call that stands for so many alike (the short way, dispatch.c). */
void gw_monitor_end_many(struct gw_io *io, struct weir_call *call, uint32_t weight);
/* Is each call of the route to be told? False: a sample will do, nothing is judged and no figure of its own is counted. */
static inline bool gw_monitor_wants_all(const struct gw_route *route)
{
    return route->operation && (route->operation->declared || __atomic_load_n(&route->operation->judged, __ATOMIC_RELAXED));
}
/* A handler that runs again begins anew. */
void gw_monitor_reset(struct weir_call *call);
/* $disconnect failed: the connection has ended all the same, with a warning. */
void gw_monitor_cleanup(struct gw_io *io, struct weir_call *call);
/* A token was looked at, of a handshake, a message or a request: `code` 0 or the refusal. */
struct gw_token_seen {
    int64_t began_ns;
    size_t memory;
    size_t length;                      /* bytes of the token */
    int code;
    const char *message;                /* with code */
    int64_t exp_s, now_s;               /* exp 0: not known */
    const struct gw_identity *identity; /* NULL with code */
};
void gw_monitor_token(struct gw_io *io, struct gw_api *api, const struct gw_token_seen *seen);
/* Gives back what a thread keeps. */
void gw_gauges_free(struct gw_gauge *gauges, unsigned count);
/* The failed part of all threads' last five minutes. */
void gw_operation_share(struct gateway *gateway, const struct gw_operation *operation, struct watch_share *share);

/* ---- for these files alone ---- */
/* 0, or the code of its failure. */
int gw_call_outcome(const struct weir_call *call);
/* One completion on its way to the figures and the log. */
struct gw_completion {
    struct gateway *gateway;
    struct gw_io *io;                   /* NULL: the state thread */
    struct gw_operation *operation;
    struct weir_call *call;             /* NULL: a token of a handshake or of a REST request */
    const struct gw_field *fields;      /* captured, newest first */
    struct watch_completion figures;
    uint32_t weight;                    /* alike; 0: one */
};
/* monitor_count.c: into the tally and the window; breaches become lines. */
void gw_completion_count(struct gw_completion *completion);
/* monitor_line.c */
/* What was captured under that name: by the handler, from the message, or known of the call. False: nothing. */
bool gw_completion_field(const struct gw_completion *completion, const char *name, struct gw_field *out);
/* The line of a breach. `kept_back`: as many were not told. */
void gw_breach_line(const struct gw_completion *completion, enum watch_figure figure, double value, double threshold, uint32_t kept_back);
void gw_failure_line(const struct gw_completion *completion, uint32_t kept_back);
void gw_warning_line(const struct gw_completion *completion, uint32_t kept_back);

/* ---- performance.c ---- */
/* GET /<api>/@performance. Already authorised. */
void gw_performance_http(struct gw_io *io, struct net_conn *conn, struct gw_api *api, const struct http_request *request);

#endif
