/*
 * The gateway: APIs side by side, their routes, connections, rooms, identities, limits and the management API, on top of the
 * network core and the tick. main fills the configuration and owns the order of start and stop. Nothing here allocates per message
 * but from recycled calls.
 */
#ifndef WEIR_GATEWAY_GATEWAY_H
#define WEIR_GATEWAY_GATEWAY_H

#include "gateway/outgoing.h"
#include "base/text.h"
#include "gateway/access.h"
#include "net/server.h"
#include "tick/feed.h"
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
    struct text function;                       /* the function that it is, in log groups and metrics; "{env}" and "{stage}" are replaced. Empty: the application's, or none */
};

/* A consumer that a configuration declares. Names may hold {env} and {stage}. */
struct gw_stream_config {
    struct text name;                 /* of its position; empty: the route, or the source */
    struct text table, kinesis;       /* the source: one of them */
    struct text route, url;           /* the target: one of them */
    uint32_t batch_max;               /* records, 1..1000 */
    int64_t window_ms;
    int retries;                      /* 0: none */
    int64_t timeout_ms;               /* 0: the handler's is unlimited, the endpoint's 30 s */
    bool bisect;
    bool from_start;                  /* TRIM_HORIZON */
    struct text on_failure;           /* "@route" or a table; empty: neither */
};

/* Who may follow a table, as a configuration says it: whoever `who` is about follows the rows that `where` is true of. All but ANYONE are said of a proven
   identity. */
enum gw_live_who { GW_LIVE_ANYONE, GW_LIVE_AUTHENTICATED, GW_LIVE_ROLE, GW_LIVE_GROUP };
enum gw_live_value { GW_LIVE_USER_ID, GW_LIVE_USER_NAME, GW_LIVE_USER_EMAIL, GW_LIVE_USER_ROLE, GW_LIVE_USER_GROUPS };
#define GW_LIVE_WHERE_MAX 4
struct gw_live_config {
    struct text table;                /* its name may hold {env} and {stage}; it need not be there */
    struct text index;                /* only the entries of this index; empty: the table and all of them */
    enum gw_live_who who;
    struct text which;                /* the role, the group */
    struct {
        struct text attribute;
        enum gw_live_value value;     /* what the attribute is, as a string; GROUPS: one of them, which the request names */
    } where[GW_LIVE_WHERE_MAX];
    size_t wheres;
    uint32_t ranks;                   /* only as ranks, so many entries at most; 0: the table, and ranks of any size */
};

/* Thresholds of an operation of the performance monitor, instead of the application's own. */
#define GW_OPERATION_KEPT INT64_C(-1) /* as the application says */
struct gw_operation_config {
    struct text name;                 /* of a declared operation, or a route key */
    int64_t duration_max_ms;          /* 0: none */
    int64_t memory_max;               /* bytes; 0: none */
    double error_rate_max;            /* a fraction; 0: none; negative: as the application says */
};

#define GW_HOSTS_MAX 8
#define GW_HOST_NAME_MAX 253 /* bytes */

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
    struct gw_stream_config *streams; /* beside those of the application */
    size_t stream_count;
    struct weir_kinesis *kinesis;     /* likewise */
    size_t kinesis_count;
    struct gw_live_config *live;      /* likewise */
    size_t live_count;
    bool logs_off;                    /* its lines go into no log group */
    struct text *settings;            /* values in the order of app->settings; data NULL: not given. NULL: none is */
    struct gw_operation_config *operations; /* thresholds of the performance monitor */
    size_t operation_count;
    struct weir_alarm *alarms;        /* beside those of the application; one of the same name stands for it */
    size_t alarm_count;
    struct text hosts[GW_HOSTS_MAX];  /* names of its own, in lower case: there the path begins with the stage, or with what the API itself serves */
    size_t host_count;
    struct text performance_space;    /* namespace of its metrics; empty: the application's, else GW_PERFORMANCE_SPACE */
};

struct gw_key { /* an access key for SigV4 */
    struct text id, secret;
    const struct gw_access *access; /* what it may do; NULL: everything */
};

struct gw_io;
/* A wire above the gateway (host.h): true when the request is its own (answered now or later). io thread. */
typedef bool gw_wire_fn(void *context, struct gw_io *io, struct net_conn *conn, const struct http_request *request, struct text body);

/* How the wires above name a table's stream and its changes; for events to endpoints. */
#define GW_STREAM_SEQUENCE_SIZE 48
struct gw_stream_seen {
    int64_t label_ms;       /* when it was switched on: its label */
    const char *view;       /* StreamViewType; static */
    bool after, before;     /* images that it shows */
};
struct gw_stream_names {
    /* The stream of a table that goes on: 0, ERR_NOT_FOUND, or a store's error. */
    int (*find)(struct store_view *view, struct arena *arena, const struct store_table *table, struct gw_stream_seen *seen);
    void (*sequence)(struct feed_position place, char out[GW_STREAM_SEQUENCE_SIZE]);
    void (*event_id)(uint32_t table_id, struct feed_position place, char out[33]);
};

/* A dashboard that an application or the configuration declares; {env} and its like are replaced already. */
struct gw_dashboard_config {
    struct text name, body;
};

struct cost_prices; /* watch/cost.h */
/* Where figures, log events and traces are exported to (otlp.h). */
#define GW_OTLP_HEADERS_MAX 16
struct gw_otlp_config {
    struct text endpoint;   /* http(s)://host:port[/path]; /v1/metrics and so on are added. Empty: nowhere */
    struct {
        struct text name, value;
    } header[GW_OTLP_HEADERS_MAX];
    size_t headers;
    int64_t interval_ms;
    bool metrics_off, logs_off, traces_off;
};

struct gateway_config {
    const struct gw_otlp_config *otlp; /* NULL: nothing is exported */
    gw_wire_fn *wire;       /* NULL: none */
    void *wire_context;
    const struct gw_stream_names *stream_names; /* NULL: names of the gateway's own */
    struct worker_pool *workers; /* for gw_work_offload; may be NULL: then it answers ERR_FULL */
    struct gw_api_config *apis;
    size_t api_count;
    struct text environment, region, account;
    struct gw_dashboard_config *dashboards;
    size_t dashboard_count;
    struct gw_key *keys;
    size_t key_count;
    bool admin_open;        /* loopback with the development keys: @rooms, @users, @broadcast and listings answer without a signature */
    const char *data_folder; /* for its free space; NULL: not told */
    bool figures_off;       /* weir's own figures (figure_table.h) are not kept */
    bool log_applications;  /* lines of applications below WARN go to standard error, too */
    bool driven_clock;      /* POST /@clock?advance_ms=N, for tests */
    struct text public_url; /* host[:port] for domainName in events; empty: from the Host header */
    struct store *store;
    struct journal *journal;
    struct jobs *jobs;       /* tick/job.h: backups and restores; NULL: there are none */
    uint64_t series_max;     /* metrics there may be; 0: WATCH_SERIES_MAX (watch/series.h) */
    struct weir_alarm *alarms; /* of the server */
    size_t alarm_count;
    struct text alarm_secret;  /* webhooks of alarms are signed with it; empty: they are not */
    struct watch_queries *queries; /* watch/query_jobs.h: log queries; NULL: there are none */
    const struct cost_prices *cost_prices; /* watch/cost.h; NULL: the documents' */
    uint64_t cost_memory;    /* bytes of a function, for GET /@cost; 0: 512 MiB */
    struct gw_outgoing outgoing; /* gateway/outgoing.h */
    const struct lineage *lineage; /* gateway/lineage.h: the data folder's; NULL: positions do not say their history */
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
