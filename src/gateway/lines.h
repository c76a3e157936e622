/*
 * Lines of logs: where the lines of a route go, and how those get there that no tick of their own carries.
 *
 * A line is a JSON event in the group /weir/<api>/<route> and, when the application declares a function for the route, in /aws/lambda/<function> as well; in each the stream of the
 * day (docs/logs.md). What a call of the tick says is part of it: undone with it, on the disk with it (gw_lines_put). All other lines, those of routes outside the tick, of connections
 * and of failures, were promised to nobody: the io thread gathers them and once a second, or at LINES_HAND_BYTES, hands them over by a call of the tick's own. So a connection
 * costs no fsync, and a crash loses the last second of them.
 *
 * A line is never worth a call: what finds no room (GW_LINES_BYTES_MAX of a thread, a stream whose packing has not kept up, a group too many) is dropped, counted and said once
 * a minute.
 */
#ifndef WEIR_GATEWAY_LINES_H
#define WEIR_GATEWAY_LINES_H

#include "base/text.h"
#include "tick/tick.h"

#include <stdbool.h>

#define GW_LINES_BYTES_MAX ((size_t)1 << 20)   /* gathered by one thread, and as much on its way */
#define GW_LINES_HAND_BYTES ((size_t)256 << 10)
#define GW_LINES_PER_CALL 1024                 /* what a handler says beyond is dropped */
#define GW_LINE_MESSAGE_MAX 8192               /* bytes of a message; the rest is cut off */
#define GW_LINE_FIELDS_MAX ((size_t)48 << 10)  /* bytes of the fields; more are left out, and the line says so ("truncated") */
#define GW_LINE_MAX ((size_t)128 << 10)        /* bytes of a line: the above with escapes */
#define GW_LINE_REFUSALS 10                    /* lines a second and route about refused input; the rest is counted in the next one */
#define GW_LINE_FAILURES 100                   /* the same about failures */

struct gateway;
struct gw_api;
struct gw_conn;
struct gw_io;
struct gw_meter;
struct gw_route;
struct net_conn;
struct weir_call;

/* Where the lines of a route go. Immutable but for the counts. */
struct gw_lines {
    struct gw_api *api;
    struct text route;           /* as lines name it: the route's key */
    struct text group;           /* /weir/<api>/<route> */
    struct text function;        /* the declared function, else <api>-<route> */
    struct text function_group;  /* /aws/lambda/<function>; no text when none is declared */
    struct gw_line_meters {      /* state thread: AWS/Logs of a group, found at its first line */
        struct gw_meter *events, *bytes;
    } meters[2];                 /* of the group, of the function's */
    struct {                     /* of refusals, of failures; any thread, relaxed: the bound is meant, not the digit */
        int64_t second;
        uint32_t told, kept_back;
    } rate[2];
};

/* After the routes are compiled: names, {env} and {stage} replaced. ERR_INVALID with a sentence (a function names no route, or its name is no name), ERR_MEMORY. */
int gw_lines_define(struct gw_api *api, struct err *err);
void gw_lines_undefine(struct gw_api *api);
/* Those of the call's route; of $connect and $disconnect also when they are not declared; else $default's. */
struct gw_lines *gw_lines_of(const struct weir_call *call);
/* The function that a route is: declared, or <api>-<route> with $connect as connect. Any thread. */
struct text gw_route_function(const struct gw_route *route);

/* In the tick: into both groups. `index`: of the line within the call. 0 also when it was dropped; ERR_COLD, ERR_MEMORY, ERR_CORRUPT: answer them from run(). */
int gw_lines_put(struct tick *tick, struct arena *arena, struct gw_lines *lines, struct text event, int64_t time_ms, uint32_t index);
/* io thread (the services' too): gathers a line. */
void gw_lines_add(struct gw_io *io, struct gw_lines *lines, struct text event);
/* Any thread that is no io thread: the services gather it within a second. */
void gw_lines_hand(struct gateway *gateway, struct gw_lines *lines, struct text event);
void gw_lines_second(struct gw_io *io);     /* its thread, once a second */
void gw_lines_end(struct gateway *gateway); /* the threads have ended, the tick is still there: what was gathered is put */
void gw_lines_io_fini(struct gw_io *io);
void gw_lines_dropped(int64_t count);
/* May another refusal (or failure) of this route be told now? How many were kept back since the last one. */
bool gw_lines_may_tell(struct gw_lines *lines, bool failure, uint32_t *kept_back);

/* ---- call_log.c: what a line says ---- */
/* enum weir_level. `fields`: a JSON object's text, compact, or no text. Part of the call (the header's weir_log_event). */
void gw_line_event(struct weir_call *call, int level, struct text message, struct text fields);
/* On the call's io thread, outside its handler: gathered now. `io` NULL: on another thread. */
void gw_line_now(struct gw_io *io, struct weir_call *call, int level, struct text message, struct text fields);
/* The same of what a monitor has captured: a connectionId and a correlationId among the fields win over the call's. */
void gw_line_captured(struct gw_io *io, struct weir_call *call, int level, struct text message, struct text fields);
/* The call has failed (client_error is set): a line about it, of the level ERROR when the fault is not the client's. On its io thread, or in the tick's on_undone with call->tick set. */
void gw_line_failure(struct weir_call *call);
/* io thread: a connection's metadata, and its end. `origin` may be empty. */
void gw_line_connected(struct gw_io *io, struct gw_conn *conn, struct text request_id, struct text origin);
/* io thread: a message that selects no route. */
void gw_line_unrouted(struct gw_io *io, struct weir_call *call, struct text key);
/* A handshake that was refused before there was a connection. */
void gw_line_refused(struct gw_io *io, struct net_conn *net, struct gw_api *api, uint8_t stage, const char *code, const char *why);
void gw_line_disconnected(struct gw_io *io, struct gw_conn *conn, int code, struct text reason);

/* ---- correlation ids ---- */
#define GW_CORRELATION_MAX 128
/* 1 to GW_CORRELATION_MAX printable ASCII characters: it travels in headers. */
bool gw_correlation_clean(struct text id);
/* The one that the message itself gave; no text: none, or one that is not clean. */
struct text gw_correlation_given(struct weir_call *call);
struct text gw_correlation(struct weir_call *call);
/* A deferred payload with its correlation id before it, in the arena; rows without one (of earlier versions, too) begin with JSON. data NULL without memory. */
struct text gw_correlation_wrap(struct arena *arena, struct text id, struct text payload);
struct text gw_correlation_unwrap(struct text *payload); /* leaves the payload alone; answers the id */

#endif
