/*
 * The gateway: APIs side by side, their routes, connections, rooms, identities, limits and the management API, on top of the
 * network core and the tick. main fills the configuration and owns the order of start and stop. Nothing here allocates per message
 * but from recycled calls.
 */
#ifndef WEIR_GATEWAY_GATEWAY_H
#define WEIR_GATEWAY_GATEWAY_H

#include "base/text.h"
#include "gateway/access.h"
#include "net/server.h"
#include "tick/tick.h"
#include <weir/weir.h>

struct gateway;

/* A token bucket: `rate` tokens a second, at most `burst`. rate 0: off. */
struct gw_rate {
    double rate;
    double burst;
};
#define GW_ACTION_RATES_MAX 16
struct gw_limits {
    struct gw_rate connection, user, address, connects; /* messages, messages, messages and requests; connects: handshakes by address */
    struct {
        struct text action;
        struct gw_rate rate; /* per connection */
    } action[GW_ACTION_RATES_MAX];
    size_t actions;
    uint32_t ban_after;   /* refusals within a minute from one address; 0: never */
    int64_t ban_ms;
};

/* Where tokens are verified against. One of secret, pem_file, jwks_url. */
struct gw_jwt {
    struct text secret;      /* HS256 */
    const char *pem_file;    /* RS256, ES256 */
    struct text jwks_url;
    struct text issuer;      /* empty: not checked */
    struct text audience;    /* aud or client_id; empty: not checked */
    int64_t skew_s;          /* default 60 */
};

struct gw_route_config {
    struct text key;                            /* as weir_route.key */
    void (*handler)(struct weir_call *call);    /* or: */
    struct text url;                            /* an HTTP endpoint: the event goes there as JSON, its answer comes back */
    int64_t timeout_ms;                         /* 50..29000; default 29000 */
    unsigned attempts;                          /* default 1 for messages (a handler may not be idempotent), up to 5 */
    enum weir_class route_class;
    bool has_response;                          /* the endpoint's answer is sent to the client (route response) */
};

/* One API. All pointers live as long as the gateway. */
struct gw_api_config {
    struct text name;                 /* the mount: "riddle-rush" */
    struct text description;
    const struct weir_app *app;       /* NULL when declared in a configuration alone */
    enum weir_auth auth;
    bool auth_in_band;
    struct text route_selection;
    struct text stages[8];
    size_t stage_count;               /* >= 1; the first is meant when the path has none */
    struct net_ws_config ws;
    struct gw_jwt jwt;
    struct text *origins;             /* allowed Origins, "*" for all; none: loopback origins */
    size_t origin_count;
    struct gw_limits limits;
    struct gw_route_config *routes;
    size_t route_count;
    struct weir_table **tables;       /* names resolved */
    size_t table_count;
    struct weir_registry registry;
    bool envelope_events, workflow_envelope, retain_rooms;
    int64_t stream_window_ms;         /* of the application's consumers; negative: as it declares */
    bool type_routes;                 /* a message whose route key is empty is routed by its "type" */
};

struct gw_key { /* an access key for SigV4 */
    struct text id, secret;
    const struct gw_access *access; /* what it may do; NULL: everything */
};

struct gw_io;
/* A wire above the gateway (host.h): true when the request is its own (answered now or later). io thread. */
typedef bool gw_wire_fn(void *context, struct gw_io *io, struct net_conn *conn, const struct http_request *request, struct text body);

struct gateway_config {
    gw_wire_fn *wire;       /* NULL: none */
    void *wire_context;
    struct worker_pool *workers; /* for gw_work_offload; may be NULL: then it answers ERR_FULL */
    struct gw_api_config *apis;
    size_t api_count;
    struct text environment, region, account;
    struct gw_key *keys;
    size_t key_count;
    bool admin_open;        /* loopback with the development keys: @rooms, @users, @broadcast and listings answer without a signature */
    bool driven_clock;      /* POST /@clock?advance_ms=N, for tests */
    struct text public_url; /* host[:port] for domainName in events; empty: from the Host header */
    struct store *store;
    struct journal *journal;
};

/* Compiles routes and keys; ERR_INVALID with a sentence that names API and route. */
int gateway_create(struct gateway **out, const struct gateway_config *config, struct err *err);
/* Defines all tables (before tick_start), through tick_run_now. */
int gateway_define_tables(struct gateway *gateway, struct tick *tick, struct err *err);
/* What main hands to the network core and to the tick. */
void gateway_net_events(struct gateway *gateway, struct net_events *events);
/* After net_server_create, before tick_create: the sinks of the io threads and one more for services (fetch), whose thread starts with gateway_start. The
   array is the gateway's. */
int gateway_sinks(struct gateway *gateway, struct net_server *server, struct tick_sink **sinks, unsigned *count, struct err *err);
void gateway_tick_hooks(struct gateway *gateway, struct tick_config *config);
int gateway_start(struct gateway *gateway, struct net_server *server, struct tick *tick, struct err *err);
/* SIGHUP: takes access keys, token keys, origins and rates (limits) of the same APIs over, also for open sockets. Main thread; `config` may go afterwards.
   ERR_*: nothing has changed. */
int gateway_reload(struct gateway *gateway, const struct gateway_config *config, struct err *err);
/* After the tick and the io threads have ended (tick_stop, net_server_stop), before they are destroyed: gives back what their rings still hold. */
void gateway_stop(struct gateway *gateway);
void gateway_destroy(struct gateway *gateway);

#endif
