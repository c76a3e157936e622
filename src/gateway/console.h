/*
 * The console: what a page shows of the server, over HTTP and live over a WebSocket (docs/dashboards.md is the protocol). An API of the gateway's own, "@console", which no
 * configuration lists.
 *
 *   console.c          io threads   the API, who is let in, messages handed on
 *   console_http.c     io threads   /@dashboards, /@widgets
 *   console_feed.c     services     pages, their streams, the sources that streams share, and when each is looked at again
 *   console_stats.c    services     connections and the server's own state, once a second
 *   console_widget.c   worker       a widget computed, and what has changed of it since the last time
 *   console_tail.c     worker       log groups and their newest events
 *   dashboards.c       tick         the hidden table, and the dashboards that applications and the configuration declare
 *
 * A message is handed to the services' thread (GW_EFFECT_CONSOLE). There a stream is what one page asked for under one id, and a source is what it shows: equal requests share one.
 * A source is looked at when it is due, on the console's own worker thread, so that a query of seconds keeps neither a table's readers nor the services waiting; the result is
 * compared with the last one, and only what changed goes out. Without streams there are no sources, and nothing is done.
 */
#ifndef WEIR_GATEWAY_CONSOLE_H
#define WEIR_GATEWAY_CONSOLE_H

#include "gateway/internal.h"
#include "loop/worker.h"
#include "watch/widget.h"

#define CONSOLE_NAME "@console"
#define CONSOLE_PAGES_MAX 32
#define CONSOLE_STREAMS_MAX 64           /* of one page */
#define CONSOLE_SOURCES_MAX 256
#define CONSOLE_ID_MAX 64                /* bytes of a stream's id */
#define CONSOLE_MESSAGE_MAX (256u << 10) /* bytes from a page */
#define CONSOLE_QUEUE_MAX ((size_t)24 << 20) /* bytes to a page that does not read */
#define CONSOLE_HTTP_MAX 8               /* widgets computed for HTTP requests at a time */
#define CONSOLE_JOBS_MAX 4               /* handed to the worker ahead */
#define CONSOLE_LOOK_MS 250              /* how often it is asked what is due */
#define CONSOLE_KEPT_MAX ((size_t)64 << 20) /* bytes of the last looks of all sources; FULL above */
#define CONSOLE_LEISURE 20               /* a source waits at least so many times as long as its last look took */

#define CONSOLE_GROUPS_MAX 10            /* named by one tail */
#define CONSOLE_TAILED_MAX 50            /* followed by it, prefixes included */
#define CONSOLE_LISTED_MAX 1000          /* names of log groups in one answer */
#define CONSOLE_TAIL_FIRST 50
#define CONSOLE_TAIL_EVENTS 500          /* a second */
#define CONSOLE_TAIL_MESSAGE ((size_t)8 << 10)
#define CONSOLE_TAIL_BACK_MS (7 * DAY_MS) /* how far the first look goes */
#define CONSOLE_TAIL_LATE_MS (2 * MINUTE_MS) /* how old an event may be when it comes */
#define CONSOLE_TAIL_MS 500              /* of one look, and bytes read: */
#define CONSOLE_TAIL_BYTES ((size_t)32 << 20)

/* ---- widgets (console_widget.c) ---- */

/* A wish, as a request says it. Texts borrow it. */
struct console_wish {
    struct text dashboard; /* empty: `widget` */
    int64_t index;
    const struct json *widget;
    struct text start, end, period;
};
/* From a message or a body. 0, or ERR_INVALID with a sentence. */
int console_wish_read(const struct json *message, struct arena *arena, struct console_wish *wish, struct err *err);

/* What came of a look; its own heap memory. */
struct console_shown {
    int code;                      /* 0, or an ERR_* with err */
    struct err err;
    struct arena arena;            /* holds the figures */
    struct buf json;               /* the whole data; a tail: the events, a list */
    enum dashboard_type type;
    struct widget_figures *figures; /* of a metric widget; NULL: none */
    struct widget_range range;
    uint64_t head;                 /* what a change of means that all is told anew */
    int64_t period_s;
    int64_t took_ms;
    uint64_t sequence;             /* of the snapshot it was read from */
    int64_t dropped;
    bool first;
};
struct console_shown *console_shown_create(void); /* NULL without memory */
void console_shown_destroy(struct console_shown *shown); /* NULL passes */
size_t console_shown_bytes(const struct console_shown *shown); /* NULL: 0 */
/* On a worker. `stop`: atomic; ends a log query early. */
void console_widget_look(struct store_view *view, const struct console_wish *wish, struct text account, struct text region, const int *stop, struct console_shown *shown);
/* What has changed: 0 nothing, 1 the points in `out` ({"start":..,"end":..,"series":[..]}), 2 everything. */
int console_widget_diff(const struct console_shown *before, const struct console_shown *now, struct buf *out);
/* How long until the next look; 0: never. */
int64_t console_widget_pause_ms(const struct console_wish *wish, const struct console_shown *shown);

/* ---- tails (console_tail.c) ---- */

struct console_tail {
    struct text group[CONSOLE_GROUPS_MAX]; /* a '*' at the end: all that begin so */
    size_t groups;
    struct text filter;
    uint64_t after;                /* the sequence up to which events were told */
    bool begun;
    bool resumed;                  /* `after` is what the page says: the next look reaches back as far as a first one */
};
int console_tail_read(const struct json *message, struct arena *arena, struct console_tail *tail, struct err *err);
void console_tail_look(struct store_view *view, const struct console_tail *tail, struct console_shown *shown);
void console_groups_look(struct store_view *view, struct text prefix, struct console_shown *shown);

/* ---- the server (console_stats.c) ---- */

struct console_traffic {
    uint64_t in, out;
};
/* Appends the message's members behind "id". `seen`: by API, and one more for all. */
void console_stats_write(struct gateway *gateway, struct console_traffic *seen, struct json_writer *w);

/* ---- the services' side (console_feed.c) ---- */

struct gw_console {
    struct gateway *gateway;
    struct gw_api_config config;   /* of the API */
    struct gw_api_config *apis;    /* the gateway's, with it */
    struct gw_io *io;              /* the services'; NULL until they run */
    struct worker_pool *pool;
    int stopping;                  /* atomic */
    unsigned open;                 /* atomic: pages */
    unsigned http;                 /* atomic: widgets under way for HTTP */
    struct map pages;              /* by connection id */
    struct map sources;            /* by key */
    struct list due;               /* all sources */
    unsigned running;
    size_t kept;                   /* bytes of the last looks of all sources */
    struct loop_timer look;
    struct console_traffic *seen;
    int64_t begun_ms;              /* wall */
};
/* services' thread: a message of a page, or its end (empty text). */
void gw_console_apply(struct gw_io *io, struct gw_effect *effect);

#endif
