/*
 * What a wire above the gateway (src/aws) stands on: a request that arrived on an io thread, an answer that leaves from it, and between them
 * a run in the tick, a read on the durable snapshot, or both. The gateway keeps its own structs to itself.
 *
 * A wire is a function that main hands to the gateway (gateway_config.wire): it is asked first for every HTTP request that is not below an API's mount, and says
 * whether the request is its own.
 */
#ifndef WEIR_GATEWAY_HOST_H
#define WEIR_GATEWAY_HOST_H

#include "gateway/gateway.h"
#include "gateway/meter.h"

struct gw_io;

/* One request under way. Made on the io thread, lent to the tick by gw_work_submit, given back with `done`. The arena lives as long. */
struct gw_work {
    struct arena *arena;
    struct gateway *gateway;
    const struct gw_key *key;  /* who signed; NULL when unsigned requests are allowed and this one was */
    void *user;                /* the wire's own */
    /* State thread. Reads and writes through tick_view(tick) and store_*. 0 keeps the writes, negative undoes them. May run again from the start: it must reset
       what it left in `user`. */
    int (*run)(struct gw_work *work, struct tick *tick);
    /* io thread, after the commit (code 0) or after the undo (negative). `conn` is NULL when the client has left. Must answer it. */
    void (*done)(struct gw_work *work, struct net_conn *conn, int code);
};

/* io thread. Takes a request whose answer comes later (or now); NULL without memory (already answered with 500). */
struct gw_work *gw_work_take(struct gw_io *io, struct net_conn *conn);
/* The same without a request: the thread's own work, whose done() gets no `conn`. Also the services' thread. NULL without memory. */
struct gw_work *gw_work_own(struct gw_io *io);
/* io thread. Through the tick; done() follows on this thread. Takes the work. */
void gw_work_submit(struct gw_work *work);
/* io thread. Without the tick: calls done() now and gives the work back. */
void gw_work_finish(struct gw_work *work, int code);
/* On a worker, for what may block (scan pages): `job` runs there with a snapshot view that reads the disk, then done() on the io thread. Takes the work.
   0 or ERR_FULL (answer "busy"; the work is still the caller's). */
int gw_work_offload(struct gw_work *work, int (*job)(struct gw_work *work, struct store_view *view));
/* io thread: a view of the durable snapshot, from the cache alone (ERR_COLD then: offload). Until gw_view_end. */
void gw_view_begin(struct gw_io *io, struct store_view *view);
void gw_view_end(struct gw_io *io);
struct store *gw_io_store(struct gw_io *io);
/* Any thread. */
struct tick *gw_work_tick(const struct gw_work *work);
/* io thread: what the thread counts in (meter.h); NULL when figures are off, which every function of meter.h takes. */
struct gw_meters *gw_work_meters(const struct gw_work *work);
/* SigV4 of a request: 0 and the key, or the HTTP status with AWS's error name in *type. With development keys an unsigned request is refused too: AWS clients
   always sign. */
int gw_work_authorise(struct gw_io *io, const struct http_request *request, struct text body, const char *service, const struct gw_key **key,
    const char **type, struct err *err);
/* io thread. May this request administer the server: signed with a key that may do execute-api:ACTION, or from loopback with the development keys. False: it has been answered. */
bool gw_admin_allowed(struct gw_io *io, struct net_conn *conn, const char *action, const struct http_request *request, struct text body);

#endif
