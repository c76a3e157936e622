/*
 * What the files of the gateway share. Reading order: api.c (declarations compiled), io.c (per io thread: calls, mail, the end of a turn), connect.c (handshake,
 * registry, end), identity.c, dispatch.c (a message's way to its handler), members.c, room.c, user.c (who hears what), effect.c, http.c (addresses), page.c (what a browser gets at /), manage.c (@connections,
 * @rooms, @users), endpoint.c (routes to HTTP endpoints), service.c (durable requests), limit.c (token buckets), policy.c (what a reload may change), registry.c, host.c (what the wires
 * above stand on), lines.c, call_log.c (lines of logs: lines.h), records*.c (streams of records: records.h), live_*.c (live tables and stream consumers), cost.c (bills), meter*.c, sampler.c, figures.c
 * (weir's own figures: meter.h), metrics.c (/metrics), otlp*.c (export: otlp.h), call_*.c (the public header's functions).
 *
 * Who owns what, on which thread:
 *   struct gateway, gw_api, gw_route   immutable after gateway_start (gw_policy is swapped on reload); any thread
 *   struct gw_io, gw_conn, gw_room     one io thread
 *   struct weir_call                   taken from its io's pool; lent to the tick between tick_submit and on_done
 *   struct gw_effect                   made on any thread, consumed on each io thread it was sent to; reference counted
 */
#ifndef WEIR_GATEWAY_INTERNAL_H
#define WEIR_GATEWAY_INTERNAL_H

#include "base/arena.h"
#include "base/assert.h"
#include "base/counter.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "gateway/gateway.h"
#include "gateway/figures.h"
#include "gateway/host.h"
#include "gateway/lines.h"
#include "gateway/meter.h"
#include "loop/ring.h"
#include "net/fetch.h"
#include "net/jwks.h"
#include "net/jwt.h"
#include "net/sigv4.h"

#include <pthread.h>
#include <stdio.h>

#define GW_ROOM_NAME_MAX 256        /* bytes */
#define GW_ROOMS_PER_CONNECTION 256
#define GW_OUTSTANDING_MAX 64       /* tick calls under way per connection; then its socket is not read */
#define GW_CALL_ARENA_FIRST 4096    /* bytes of a recycled call's first chunk */
#define GW_CALL_ARENA_LIMIT (64 << 20)
#define GW_REVOKED_MAX 100000       /* users with a revocation, per io thread and kept; 429 above */
#define GW_PATH_PARAMS_MAX 8        /* {names} in a REST route */
#define GW_MAIL_RING 65536          /* entries of a ring between io threads */

#define GW_LINES_OWN 3

struct gw_api;
struct gw_io;
struct gw_conn;
struct gw_room;

/* ---- declarations, compiled (api.c) ---- */
struct gw_route {
    struct text key;
    void (*handler)(struct weir_call *call);
    enum weir_class route_class;
    struct text url;        /* an HTTP endpoint instead of a handler */
    int64_t timeout_ms;
    unsigned attempts;
    bool has_response;
    struct text rest_method; /* REST: "POST"; empty for WebSocket routes */
    struct text rest_path;   /* "/tournaments/{id}/start" */
    struct gw_api *api;
    struct gw_operation *operation; /* what the monitor counts it as (monitor.h) */
    struct gw_lines *lines;  /* where its log lines go (lines.h) */
};
/* One piece of a route selection expression: static text or a path below $request.body. */
struct gw_selector_part {
    struct text literal;
    struct text path; /* "action", "a.b"; empty: literal */
};
struct gw_api {
    const struct gw_api_config *config;
    struct gateway *gateway;
    uint32_t index;
    struct text id;              /* apiId in events: the name */
    struct gw_route *routes;
    size_t route_count;
    struct map by_key;           /* WebSocket and @ routes */
    struct gw_route *on_connect, *on_disconnect, *on_default; /* NULL when not declared */
    struct gw_selector_part selector[8];
    size_t selectors;            /* 1 with a path and no literal: the fast case */
    bool copies;                 /* some route is not pure: messages are copied into the call */
    bool needs_json;             /* some WebSocket route beside $default exists */
    struct jwks *jwks;           /* NULL: the keys of tokens are the policy's */
    struct live_rule *rules;     /* who may follow what (live_rule.c) */
    size_t rule_count;
    bool has_registry;
    bool is_console;             /* the gateway's own (console.h): not an application */
    struct text metric_space;            /* of weir_metric; its own memory */
    struct gw_operation *operations;     /* monitor.h */
    uint32_t operation_count;
    struct gw_operation *token_operation; /* around the verification of tokens; NULL without tokens */
    struct net_ws_config ws;     /* the configuration's, counted in: */
    struct net_ws_totals *totals; /* by io thread */
    struct gw_lines *lines;      /* of all routes (lines.h), */
    struct gw_lines *own_lines[GW_LINES_OWN]; /* and what is said of connects, of disconnects, and of what has no route */
    struct arena lines_arena;
    bool short_default;          /* a pure $default and no tokens: a message that selects no route may take the short way (dispatch.c) */
};
/* A declared table and what stands behind it. */
struct gw_table {
    const struct weir_table *decl;
    const struct store_table *table;
    struct text name; /* with {env} and {stage} replaced */
};
struct gateway {
    struct gateway_config config;
    struct gw_table *tables;
    size_t table_count;
    struct gw_api *apis;
    size_t api_count;
    struct map by_name;
    struct map by_host;          /* of APIs with names of their own */
    struct net_server *server;
    struct tick *tick;
    struct gw_io *io;            /* io_count + 1: the last is the services' */
    unsigned io_count;
    struct tick_sink *sinks;
    struct fetch_pool *fetch;
    struct gw_service *service;
    unsigned worker_readers;     /* atomic: reader slots given to workers */
    pthread_mutex_t worked_lock; /* workers take turns in the services' ring of an io thread */
    struct weir_call *deferred;  /* the state thread's own call for what is due */
    struct gw_live *live;        /* the services' thread; live_feed.c */
    struct gw_console *console;  /* console.h */
    bool ended;                  /* the threads have ended: what is left is given back */
    struct gw_policy *policy;    /* atomic: keys, origins and rates in force (policy.c) */
    struct gw_policy *retired;   /* replaced, and perhaps still read by an io thread; main thread */
    unsigned operation_count;    /* of all APIs */
    struct gw_gauge *gauges;     /* the state thread's, by operation (monitor.h) */
    unsigned fetches;            /* atomic: durable requests that are not answered */
    size_t fetch_bytes;          /* atomic: of their rows */
    struct gw_figures *figures;  /* figures.c */
    struct gw_handed *handed;    /* atomic: lines of threads that gather none (lines.c) */
    size_t handed_bytes;         /* atomic */
    int64_t log_day;             /* state thread: the day of */
    char log_stream[40];         /* the log stream of weir's own lines */
    int64_t delivery_told_ms;    /* state thread: when a lost delivery was last told (log_deliver.c) */
    struct gw_sampler *sampler;  /* sampler.c */
    struct gw_otlp *otlp;        /* otlp.c; NULL: nothing is exported */
    struct gw_spans *state_spans; /* the state thread's */
    struct gw_call_meters *state_meters; /* the state thread's (meter_call.c); NULL: figures are off */
    struct gw_alarms *alarms;    /* alarms.h */
    struct watch_house *house;   /* watch/seal.h: the tick's seal_context; state thread */
    struct gw_destinations *destinations; /* destinations.h; the services' thread */
    uint64_t followed;           /* atomic: bit per io thread that has followers (follow.c) */
    uint64_t follow_told;        /* committing thread: up to where they have been woken */
    unsigned bills;              /* atomic: 1 while a report of cost.c is being made */
};

/* ---- identity ---- */
struct gw_identity {
    uint32_t refs;               /* atomic: calls under way share it with the connection */
    bool proven;                 /* token or signature; else claimed */
    bool admin;
    int64_t expires_ms;          /* wall; 0: never */
    int64_t issued_ms;           /* wall; for revocation */
    struct text user_id, name, email, role;
    struct text *groups;
    size_t group_count;
    char bytes[];                /* the texts */
};
struct gw_identity *gw_identity_ref(struct gw_identity *identity); /* NULL passes through */
bool gw_identity_revoked(struct gw_io *io, struct gw_api *api, const struct gw_identity *identity);
void gw_identity_unref(struct gw_identity *identity);

/* ---- connections (io thread) ---- */
enum gw_conn_state { GW_CONNECTING, GW_OPEN, GW_CLOSING };
struct gw_membership {
    struct gw_membership *next;
    struct gw_room *room;
    uint32_t at; /* index in the room's array */
};
/* What a client said of itself. Thousands of connections say the same, so equal ones share it: an idle connection is to stay below 512 bytes. */
struct gw_about {
    uint32_t refs;      /* connections of this io thread */
    struct text key;    /* user agent and domain, with a NUL between */
    struct text user_agent, domain; /* "" when none */
    char bytes[];
};
struct gw_conn {
    struct net_conn *net;
    struct gw_api *api;
    struct gw_io *io;
    struct gw_identity *identity;     /* NULL: nobody */
    struct gw_membership *rooms;
    struct live_entry *live;          /* subscriptions to live tables (live_conn.c) */
    struct gw_about *about;
    char *correlation;                /* its correlation id, terminated; NULL: its client gave none */
    struct gw_buckets *buckets;       /* NULL without limits */
    struct gw_expiry *expiry;         /* timer for a token's end; NULL */
    struct tick_lane lane;
    uint32_t member_at;               /* index in the io's array of the API's connections */
    uint32_t user_at;                 /* index in the user's array */
    uint16_t outstanding;             /* calls under way (tick or endpoint) */
    uint16_t room_count;
    uint8_t state;
    uint8_t stage;
    bool paused;                      /* reading was stopped for back-pressure */
    bool blocked;                     /* an endpoint call is under way: later frames wait in `held` */
    bool starved;                     /* listed in the io's `starved` */
    bool registered;                  /* has a registry row */
    int64_t renew_at_ms;              /* wall; when the registry row's ttl is written again */
    struct weir_call *held_first, *held_last;
    uint32_t held;                    /* calls in that list; bounded by GW_OUTSTANDING_MAX */
};

/* Dense arrays in order of arrival; a leaving member leaves NULL, compacted when a quarter is dead. */
struct gw_members {
    struct gw_conn **conn;
    uint32_t count, dead, cap;
};
struct gw_room {
    struct text name;                 /* without the API; points into key */
    struct gw_api *api;
    struct gw_members members;
    struct gw_membership **back;      /* membership of members.conn[i] */
    struct gw_room *dirty_next;       /* on the io's list of rooms with frames of this turn */
    struct net_frame **pending;
    uint32_t pending_count, pending_cap;
    size_t pending_bytes;
    bool dirty;
    struct text key;                  /* api index (4 bytes), name */
    char bytes[];
};
struct gw_user {
    struct gw_members members;
    struct text key;                  /* api index (4 bytes), user id */
    char bytes[];
};

/* ---- effects: what travels to an io thread ---- */
enum gw_effect_kind {
    GW_EFFECT_POST,      /* frame to one connection */
    GW_EFFECT_PUBLISH,   /* frame to a room */
    GW_EFFECT_USER,      /* frame to all connections of a user */
    GW_EFFECT_BROADCAST, /* frame to all connections of an API */
    GW_EFFECT_JOIN,      /* connection, room */
    GW_EFFECT_LEAVE,
    GW_EFFECT_CLOSE,     /* connection: code, text */
    GW_EFFECT_REVOKE,    /* all connections of a user: close; tokens issued before `until` are refused */
    GW_EFFECT_ASK,       /* a question of the management API: `ask` is answered on the io thread, then returned */
    GW_EFFECT_ANSWER,    /* an endpoint's answer, from the fetch thread to the thread that asked */
    GW_EFFECT_WORKED,    /* a worker has done its part of a wire's request */
    GW_EFFECT_FETCH,     /* services: start the durable request named by text */
    GW_EFFECT_LIVE,      /* live tables: a struct live_message in text (live.h) */
    GW_EFFECT_CONSOLE,   /* services: a message of the console's page `target`, or its end (no text) */
    GW_EFFECT_LOG,       /* a line for standard error, of the level `code` */
    GW_EFFECT_LINE       /* a log event in text, to be gathered for `lines` */
};
/* One question put to io threads on behalf of an HTTP request; each fills its part, the last one answers. */
struct gw_ask {
    uint32_t waiting;                 /* atomic: io threads that have not answered */
    unsigned origin;                  /* io thread of the HTTP connection */
    struct net_id http;               /* the waiting HTTP connection */
    int64_t delivered, dropped, gone; /* atomic sums */
    int64_t rows;                     /* atomic: rows of a listing so far */
    bool home;                        /* all have answered, and it is on its way to `origin` */
    int status;                       /* of a single-connection question: 200, 204, 410, 429 ... */
    struct gw_api *api;
    void (*fill)(struct gw_ask *ask, struct gw_io *io);    /* on each io thread asked */
    void (*answer)(struct gw_ask *ask, struct gw_io *io);  /* on the origin, when all have answered; frees it */
    struct net_id target;
    struct text name;                 /* room, user, filter */
    struct net_frame *frame;
    uint64_t key;
    int64_t number;                   /* a limit, a code */
    struct buf *part;                 /* one buffer per io thread (io_count of them) for listings */
    struct arena arena;
};
/* What an HTTP endpoint answered; plain heap memory. */
struct gw_answer {
    int error;               /* 0 or ERR_* (no answer came) */
    int status;
    struct text body;        /* in bytes */
    struct durable *durable; /* services: the request it belongs to */
    struct live_consumer *consumer; /* services: the consumer whose batch it answers */
    struct otlp_machine *otlp; /* services: the export whose request it answers */
    uint32_t serial;         /* which of its batches */
    bool unsent;             /* nobody has seen the request */
    char bytes[];
};
struct gw_effect {
    uint32_t refs;                    /* atomic; one per io thread it goes to */
    enum gw_effect_kind kind;
    struct net_id target;
    bool but_target;                  /* USER: all but the target */
    struct gw_api *api;
    struct net_frame *frame;          /* one reference of its own */
    uint64_t key;                     /* supersede key for NET_SLOW_LATEST */
    int code;
    int64_t until_ms;
    struct gw_ask *ask;
    struct weir_call *call;           /* ANSWER: NULL for the services */
    struct gw_answer *answer;
    struct gw_effect *next;           /* in the list of the call that made it, before it is sent */
    unsigned to;                      /* there: its io thread, or TICK_ALL_SINKS */
    struct gw_lines *lines;           /* LINE */
    struct text text;                 /* room, user, reason; in bytes */
    char bytes[];
};
/* NULL without memory. refs = 1. The frame's reference is taken. */
struct gw_effect *gw_effect_create(enum gw_effect_kind kind, struct gw_api *api, struct text text, struct net_frame *frame);
void gw_effect_unref(struct gw_effect *effect);
/* Revocations are rows too: a restart does not forget them. */
int gw_revoke_store(struct weir_call *call);   /* in the tick: call->ask names user and time */
void gw_revoked_load(struct gw_io *io);        /* when an io thread starts */
/* io thread: carries it out, without consuming the reference. */
void gw_effect_apply(struct gw_io *io, struct gw_effect *effect);

/* A user whose tokens issued before until_ms are refused. */
struct gw_revoked {
    int64_t until_ms; /* wall */
    struct text key;
    char bytes[];
};

/* ---- per io thread ---- */
struct gw_io {
    struct gateway *gateway;
    struct net_io *net;
    struct loop *loop;
    unsigned index;
    struct map rooms, users;
    struct gw_members *members;       /* one per API: all open connections */
    struct gw_room *dirty, *dirty_last; /* rooms with frames of this turn, in the order of their first one */
    struct loop_finish finish;        /* flushes dirty rooms, kicks the tick and other io threads */
    bool kick_tick;
    uint64_t kick_io;                 /* bit per io thread with new mail */
    struct ring **mail;               /* mail[i]: effects from io thread i (and from the services) */
    struct weir_call *free_calls;
    struct weir_call *resident;       /* for the short way: never leaves the thread */
    uint32_t free_count;
    struct weir_call *waiting_first, *waiting_last; /* no tick credit yet; bounded by pausing their sockets */
    struct loop_timer second;         /* once a second: registry renewals, buckets, bans */
    struct map addresses;             /* limit.c: buckets and bans by address */
    struct map user_buckets;
    struct list bucket_age;           /* oldest first, bounded */
    struct map revoked;               /* user → until_ms */
    struct sigv4 *sigv4;
    struct map circuits;              /* by origin */
    struct map abouts;                /* what clients say of themselves, shared by equal text */
    struct live_io *live;             /* live_conn.c; NULL until the first subscription */
    struct gw_effect *stuck;          /* questions for which a ring had no room; sent again every turn */
    bool credit_lacking;              /* some calls found no tick credit, and less than a quarter of it is back */
    size_t credit_max;                /* tick credit when nothing is under way */
    struct net_id *starved;           /* sockets that are not read until credit is back */
    uint32_t starved_count, starved_cap;
    struct gw_policy *policy;         /* what this thread goes by; taken over from the gateway at the begin of a turn */
    struct gw_gauge *gauges;          /* by operation (monitor.h); NULL until the first completion */
    struct watch_tally *tally;        /* what this thread measures (figures.h) */
    bool flushing;                    /* the call with its last second is under way */
    struct gw_gather *gather;         /* log lines on their way (lines.c); NULL until the first one */
    struct gw_call_meters *call_meters; /* meter_call.c; NULL: figures are off */
    struct gw_spans *spans;           /* otlp_trace.c; NULL: traces are not exported */
    struct list followers;            /* follow.c */
    size_t follower_count;
    uint64_t follow_seen;             /* what was touched up to here has been looked at */
};
struct gw_io *gw_io_of(struct net_conn *conn);
int gw_io_begin(struct gw_io *io);
void gw_io_release_all(struct gateway *gateway);
/* Sends an effect to one io thread (applied at once when it is this one) or, with TICK_ALL_SINKS, to all. Takes one reference. */
void gw_io_send(struct gw_io *io, unsigned target, struct gw_effect *effect);

/* ---- calls ---- */
/* The registry's own work within CONNECT, DISCONNECT and RENEW calls (registry.c; in the tick). */
struct weir_call;
int gw_registry_put(struct weir_call *call);
int gw_registry_delete(struct weir_call *call);
int gw_registry_renew(struct weir_call *call);
/* Writes a connection's row anew, by a call of its own; its io thread. Without memory the row stays as it was until it is renewed. */
void gw_registry_rewrite(struct gw_io *io, struct gw_conn *conn);
/* Adds or removes a room in the row's list. */
int gw_registry_room(struct weir_call *call, struct text room, bool join);
/* Renews the rows that are due; from the once-a-second timer, in slices. */
void gw_registry_second(struct gw_io *io);
/* `name` with {env} and {stage} replaced, in memory of its own (free .data). No text without memory. */
struct text gw_name_replaced(struct gateway *gateway, struct gw_api *api, struct text name);
/* The table behind a declaration. */
const struct store_table *gw_table(struct gateway *gateway, const struct weir_table *table);

enum gw_call_kind { GW_CALL_MESSAGE, GW_CALL_CONNECT, GW_CALL_DISCONNECT, GW_CALL_REST, GW_CALL_DEFERRED, GW_CALL_RENEW, GW_CALL_RETAIN, GW_CALL_REVOKE, GW_CALL_WORK, GW_CALL_STREAM };
struct gw_header { /* a header or query parameter of $connect and REST, kept in the call's arena */
    struct text name, value;
};
struct gw_reply {
    struct gw_reply *next;
    struct text text; /* in the call's body or arena */
    bool binary;
};
struct gw_context { /* a member of an error */
    struct gw_context *next;
    const char *name;                 /* static */
    struct text text;                 /* data NULL: the number */
    int64_t number;
};
/* What a handler's reads and writes of a table came to, in DynamoDB's units. */
struct gw_used {
    const struct store_table *table;
    double reads, writes;
};
#define GW_USED_MAX 8 /* tables of a call that are told apart */
struct weir_call {
    struct tick_call base;
    struct arena arena;               /* kept through recycling; not zeroed */
    /* What messages use: zeroed by gw_call_take. */
    struct gateway *gateway;
    struct gw_api *api;
    struct gw_io *io;                 /* owner of the memory; NULL in deferred calls */
    struct tick *tick;                /* set while it runs in the tick */
    struct store_view *view;          /* what it reads from; NULL in pure calls */
    const struct gw_route *route;     /* NULL: none (registry work alone) */
    enum gw_call_kind kind;
    uint8_t stage;
    bool has_conn;                    /* a WebSocket connection stands behind it */
    bool binary;
    bool parsed;                      /* root was looked for */
    bool parsed_late;                 /* root was made while the handler ran: forgotten when it runs again */
    bool client_error;                /* err_code and err_text below were set */
    bool wrote;                       /* staged something durable */
    bool ready;                       /* the answer is made; the call only keeps its place in the lane */
    struct net_id conn_id;            /* valid unless kind is DEFERRED */
    int failed;                       /* 0, or the negative code of the first failure */
    int status;                       /* $connect and REST; 0: by the outcome */
    uint32_t doc_count;
    struct gw_conn *conn;             /* io thread only: never touched while in the tick */
    struct gw_identity *identity;     /* a reference */
    const struct gw_about *about;     /* borrowed: lives while the call is outstanding */
    int64_t connected_ms;             /* wall */
    int64_t now_ms;                   /* the tick's time; 0 outside until asked for */
    struct text address;              /* the client's, in address_text */
    struct text correlation;          /* carried: the connection's, or that of the call which deferred this one; no text: none */
    uint32_t lines;                   /* log lines said so far */
    struct text body;
    const struct json *root;          /* parsed body, NULL when it is no JSON object */
    struct gw_reply reply;            /* the first answer; text.data NULL: none */
    struct gw_reply *reply_last;
    struct weir_json *docs;           /* JSON being written (call_json.c); given back when the handler has returned */
    struct gw_effect *sent_first, *sent_last; /* effects of a call outside the tick, kept back until its handler has succeeded */
    size_t touched_items, touched_bytes;
    size_t cursors;
    struct weir_call *next;           /* free, held or waiting lists */
    int64_t token_exp_s, token_now_s; /* told with TOKEN_EXPIRED; exp 0: not */
    int64_t retry_after_ms;           /* told with RATE_LIMITED; 0: not */
    struct gw_context *context;       /* told with any failure, the newest first; in the arena */
    unsigned context_count;
    unsigned monitor_count;
    struct weir_monitor *monitors;    /* those that the handler asked for, the newest first; in the arena */
    int64_t arrived_ns;               /* monotonic: when the message was here; 0: the monitor leaves this call out */
    size_t high;                      /* most bytes of the arena, as far as arena.high began anew since */
    size_t doc_bytes;                 /* JSON documents of its handler */
    struct text asked;                /* the endpoint's address, while it is asked and when it has answered */
    int64_t handler_ns;               /* how long the handler ran; 0: it did not. While an endpoint is asked: since when, negative */
    int handler_code;                 /* what an endpoint's answer counts as; 0: `failed` counts */
    unsigned used_count;              /* of `used` */
    struct gw_measured *measured;     /* data points of a call outside the tick (call_metric.c) */
    /* What only other kinds of calls use: zero in every recycled call (gw_call_give), so that a message does not pay for it. */
    char cold[1];
    int close_code;
    int close_how;                    /* DISCONNECT: enum net_end */
    struct text close_reason;
    struct text method, path;         /* REST */
    struct gw_header *headers, *query, *params;
    size_t header_count, query_count, param_count;
    struct text subprotocol;          /* $connect: to be accepted */
    struct text subprotocol_offered;  /* $connect: accepted when the route names none */
    struct live_consumer *consumer;   /* STREAM */
    struct gw_ask *ask;               /* RETAIN: the publish that follows the commit */
    struct gw_work work;              /* WORK: a wire's request (host.c) */
    bool alarm;                       /* DEFERRED: a webhook of an alarm is answered */
    bool own;                         /* WORK of the thread's own: nobody waits for it */
    int (*job)(struct gw_work *work, struct store_view *view);
    struct worker_job worker_job;
    int job_code;
    unsigned reader;                  /* the reader slot of its worker; 0: the worker's own */
    /* never zeroed: */
    char tail[1];
    char address_text[46];
    char request_id[17];              /* made on first use; "" before */
    struct store_cursor *cursor[8];   /* closed when the handler returns */
    struct gw_used used[GW_USED_MAX];
    char err_code[48], err_field[64], err_text[236];
};
/* From the io's pool, zeroed up to `tail` but for the arena. NULL without memory. */
struct weir_call *gw_call_take(struct gw_io *io, struct gw_api *api);
/* Back to the pool: unrefs identity, resets the arena. */
void gw_call_give(struct weir_call *call);
void gw_call_docs_give(struct weir_call *call); /* call_json.c: takes back the JSON documents, which live outside the arena */
/* Outside the tick: sends, or forgets, the effects that the handler made. gw_call_handle does it. */
void gw_call_flush_effects(struct weir_call *call);
void gw_call_drop_effects(struct weir_call *call);
/* The handler has ended outside the tick: its data points go to the tally, or are forgotten when it has failed (call_metric.c). */
void gw_call_flush_measured(struct weir_call *call);
/* The name under which weir_later's deferred calls reach gw_on_deferred: "<api>/<route key>", as in "riddle-rush/@remind"; a route key begins with '@'. */
#define GW_DEFERRED_SEPARATOR '/'
/* Runs the handler with its bookkeeping (now, cursors, reply reset). In the tick or on the io thread. 0 or the failure's code. */
int gw_call_handle(struct weir_call *call);
/* The HTTP status that an error's code is. */
int gw_call_status_of(int code);
/* The family's error frame (or the envelope's) becomes the only answer. REST: {"message","error"}. */
void gw_call_error_reply(struct weir_call *call);
/* Sets a failure unless one stands. */
void gw_call_fail(struct weir_call *call, int code, const char *name, const char *field, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Keeps `message` (JSON text) as the room's newest, with the tick's sequence (call_send.c; in the tick). 0 or a store error. */
int gw_room_retain(struct weir_call *call, struct text room, struct text message);
/* Splits and decodes the query into the call's arena: 0, ERR_MEMORY, ERR_SYNTAX. */
int gw_call_keep_query(struct weir_call *call, struct text query);
/* A setting of the application: its value, else its default; no text when there is neither (setting.c). */
struct text gw_setting(const struct gw_api_config *config, struct text name);
/* Looks a field up: top level, then "data". NULL when absent. Parses on first use. */
const struct json *gw_call_field(struct weir_call *call, struct text name);
/* Sends an effect out of a call: emitted in the tick, else sent by its io. Takes the reference. `target` an io thread or TICK_ALL_SINKS. */
int gw_call_effect(struct weir_call *call, unsigned target, struct gw_effect *effect);
/* Appends an answer; copied into the arena unless it lies in the call's body. */
void gw_call_reply(struct weir_call *call, struct text bytes, bool binary);
/* io thread: queues the answers to the connection. */
void gw_call_send_replies(struct weir_call *call, struct net_conn *net);
/* Formats the request id on first use. */
struct text gw_call_request_id(struct weir_call *call);

/* ---- connect.c ---- */
void gw_on_upgrade(struct gw_io *io, struct net_conn *conn, struct gw_api *api, uint8_t stage, const struct http_request *request);
/* After the $connect call: accept or refuse. */
void gw_connect_done(struct gw_io *io, struct weir_call *call);
void gw_on_close(struct gw_io *io, struct gw_conn *conn, enum net_end how, int code, struct text reason);
/* In-band authentication; writes its answer. */
void gw_auth_in_band(struct gw_io *io, struct gw_conn *conn, struct weir_call *call, struct text token);
/* Verifies a token for an API: 0 with an identity (one reference), or ERR_MISSING_TOKEN, ERR_TOKEN_EXPIRED (exp, now in seconds), ERR_INVALID_TOKEN. */
int gw_identity_from_token(struct gw_api *api, struct gw_io *io, struct text token, struct gw_identity **out, int64_t *exp_s, int64_t *now_s, struct err *err);
struct gw_identity *gw_identity_create(struct text user_id, struct text name, struct text email, struct text role, const struct text *groups, size_t count);
/* SigV4 of an AWS or management request, or of an upgrade: 0 or the HTTP status to refuse with; *type gets AWS's error name; *policy the struct gw_key.
   service NULL: any. */
int gw_check_signature(struct gw_io *io, const struct http_request *request, struct text body, const char *service, const char **type, const void **policy, struct err *err);
/* The same for the APIs' own addresses, and then what the key may do: `action` is "Invoke" or "ManageConnections" of execute-api, the resource
   API/STAGE/METHOD/PATH (api NULL, an address that names none: '*' stands for it; stage empty: the first). 0 and the key, or the status to refuse with. */
int gw_authorise(struct gw_io *io, struct gw_api *api, struct text stage, const char *action, const struct http_request *request, struct text path, struct text body,
    const struct gw_key **key, const char **type, struct err *err);
void gw_conn_release(struct gw_conn *conn); /* frees it when closed and nothing is outstanding */

/* ---- host.c ---- */
void gw_work_done(struct gw_io *io, struct weir_call *call); /* back from the tick or a worker; gives the call back */
void gw_host_init(struct gateway *gateway);

/* As gw_work_offload, on another pool, whose one thread has this reader slot. */
int gw_work_offload_on(struct gw_work *work, struct worker_pool *pool, unsigned reader, int (*job)(struct gw_work *work, struct store_view *view));
void gw_work_drop(struct gw_work *work); /* gives it back; done() is not called */

/* ---- console*.c, dashboards.c (console.h) ---- */
int gw_console_create(struct gateway *gateway, struct err *err); /* adds its API to the configuration, so before APIs are compiled */
void gw_console_destroy(struct gateway *gateway);
int gw_console_start(struct gateway *gateway, struct err *err);  /* before the threads: its worker */
void gw_console_begin(struct gw_io *io);                         /* on the services' thread, when it starts */
void gw_console_stop(struct gateway *gateway);                   /* when that has ended: ends its worker */
void gw_console_end(struct gateway *gateway);                    /* when all rings are empty */
void gw_console_apply(struct gw_io *io, struct gw_effect *effect);
/* May this upgrade open a console? False: it has been refused. */
bool gw_console_admit(struct gw_io *io, struct net_conn *net, const struct http_request *request);
/* /@dashboards and /@widgets: false when the request is for something else. */
bool gw_console_http(struct gw_io *io, struct net_conn *conn, const struct http_request *request, struct text body);
/* The page that asks is the server's own: its origin is the host that it asks. */
bool gw_origin_is_own(const struct http_request *request);
/* With development keys only local names are answered (http.c). False: it has been refused. */
bool gw_host_allowed(struct gw_io *io, struct net_conn *conn, const struct http_request *request);
/* In the tick: the hidden table of dashboards; then, when that is committed, the declared ones. */
int gw_dashboards_define(struct gateway *gateway, struct tick *tick, struct err *err);
int gw_dashboards_put(struct gateway *gateway, struct tick *tick, struct arena *arena, struct err *err);

/* ---- dispatch.c ---- */
enum ws_verdict gw_on_message(struct gw_io *io, struct gw_conn *conn, bool binary, char *data, size_t len);
/* The route of a message (route key text written to `key`), or NULL. */
const struct gw_route *gw_route_select(struct gw_api *api, const struct json *root, struct arena *arena, struct text *key);
/* Submits a prepared call to the tick, or queues it when there is no credit. */
void gw_submit(struct gw_io *io, struct weir_call *call);
/* After the threads have ended: gives back a call that will not run, or one whose end nobody hears. */
void gw_call_abandon(struct weir_call *call);
void gw_waiting_abandon(struct gw_io *io);
void gw_mail_abandon(struct gw_io *io);
void gw_on_done(void *context, struct tick_call *base);
/* The call's answer is made: sends it in its turn, behind what is under way in the lane. Takes the call. */
void gw_call_answer(struct gw_io *io, struct gw_conn *conn, struct weir_call *call);
void gw_conn_hold(struct gw_conn *conn, struct weir_call *call);
void gw_conn_drop_held(struct gw_conn *conn); /* closed: what was not begun is not begun any more */
/* Runs what waited behind a finished call. */
void gw_conn_continue(struct gw_io *io, struct gw_conn *conn);
/* {"message": "Forbidden", "connectionId":"..","requestId":".."} as API Gateway spells it. */
void gw_aws_error_frame(struct gw_conn *conn, const char *message, const char *request_id);
void gw_request_id_make(char out[17]);
int gw_tick_run(struct tick *tick, struct tick_call *base);
void gw_tick_undone(struct tick *tick, struct tick_call *base, int code);

/* ---- members.c ---- */
void gw_members_add(struct gw_members *members, struct gw_conn *conn, uint32_t *at); /* *at UINT32_MAX without memory */
bool gw_members_sparse(const struct gw_members *members);
/* Leaves a hole; packs when there are many, telling each survivor its place through `place`. */
void gw_members_remove(struct gw_members *members, uint32_t at, uint32_t *(*place)(struct gw_conn *conn));
/* What became of a publish, in connections. */
struct gw_sums {
    int64_t delivered; /* queued to a live socket */
    int64_t dropped;   /* refused or left out: the reader is too slow */
    int64_t gone;      /* closing already */
};
void gw_members_send(struct gw_members *members, const struct gw_conn *but, struct net_frame *frame, uint64_t key, struct gw_sums *sums); /* but, sums: may be NULL */
/* API index and name in `out` (4 + name.len bytes): APIs are isolated from each other. */
struct text gw_scoped_key(char *out, struct gw_api *api, struct text name);

/* ---- room.c, user.c ---- */
int gw_room_join(struct gw_io *io, struct gw_conn *conn, struct text room);  /* 0, ERR_TOO_LARGE (name), ERR_FULL */
void gw_room_leave(struct gw_io *io, struct gw_conn *conn, struct text room);
void gw_room_leave_all(struct gw_io *io, struct gw_conn *conn);
struct gw_room *gw_room_find(struct gw_io *io, struct gw_api *api, struct text room);
/* Queues a frame for the end of the turn; takes no reference. Returns the number of members. */
uint32_t gw_room_publish(struct gw_io *io, struct gw_api *api, struct text room, struct net_frame *frame);
void gw_room_flush(struct gw_io *io, struct gw_room *room);
void gw_rooms_flush(struct gw_io *io); /* all dirty rooms */
/* Sends now; counts. */
void gw_user_send(struct gw_io *io, struct gw_api *api, struct text user, const struct gw_conn *but, struct net_frame *frame, uint64_t key, struct gw_sums *sums);
void gw_broadcast_send(struct gw_io *io, struct gw_api *api, struct net_frame *frame, uint64_t key, struct gw_sums *sums);
void gw_expiry_destroy(struct gw_conn *conn);
int gw_conn_enlist(struct gw_io *io, struct gw_conn *conn); /* into the API's and the user's arrays, after the 101 */
void gw_conn_delist(struct gw_io *io, struct gw_conn *conn);
int gw_conn_set_identity(struct gw_io *io, struct gw_conn *conn, struct gw_identity *identity); /* takes the reference; moves the user entry, sets the expiry timer */

/* ---- http.c: every HTTP request that is not an upgrade to a WebSocket API ---- */
void gw_on_request(struct gw_io *io, struct net_conn *conn, const struct http_request *request, struct text body);
/* The page and its files (page.c): false when the request is for something else. */
bool gw_page(struct net_conn *conn, const struct http_request *request);
/* Splits "/<api>[/<stage>]/rest": the API or NULL; *stage index, *rest the remainder beginning with '/' or empty. */
struct gw_api *gw_path_api(struct gateway *gateway, struct text path, uint8_t *stage, struct text *rest);
/* The API whose own name the Host header gives, or NULL. */
struct gw_api *gw_host_api(struct gateway *gateway, struct text host);
/* The API of a request: by its own host and a stage, else by the path. With `alone` also by the host alone, which then has the whole path. */
struct gw_api *gw_request_api(struct gateway *gateway, const struct http_request *request, bool alone, uint8_t *stage, struct text *rest);
void gw_http_json(struct net_conn *conn, int status, struct text body);
/* 429 with Retry-After and retryAfter. */
void gw_http_limited(struct net_conn *conn, const char *message, int64_t retry_ms);
/* {"message":..,"error":..}, and for an expired token (exp_s not 0) its end and the time, in seconds. */
void gw_http_refuse(struct net_conn *conn, int status, const char *error, const char *message, int64_t exp_s, int64_t now_s);
void gw_http_error(struct net_conn *conn, int status, const char *error, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Answers a REST call that came back from the tick (or ran here). */
void gw_rest_answer(struct gw_io *io, struct weir_call *call);

/* ---- manage.c ---- */
/* True when the path was one of @connections, @rooms, @users, @broadcast (and was answered, now or later). */
bool gw_manage(struct gw_io *io, struct net_conn *conn, struct gw_api *api, struct text rest, const struct http_request *request, struct text body);
void gw_ask_apply(struct gw_io *io, struct gw_effect *effect);
void gw_ask_destroy(struct gw_ask *ask, unsigned parts);
void gw_retain_done(struct gw_io *io, struct weir_call *call); /* the message is kept: now it goes out */

/* ---- endpoint.c: routes whose target is an HTTP endpoint ---- */
/* Sends the call's event; its answer comes to gw_endpoint_done on the same io thread. 0 or ERR_FULL, ERR_AGAIN (circuit open). Takes the call on success. */
int gw_endpoint_send(struct gw_io *io, struct weir_call *call);
/* The event in the shape that API Gateway sends to its functions, appended to out. */
void gw_event_json(struct weir_call *call, struct buf *out);
void gw_endpoint_done(struct gw_io *io, struct weir_call *call, struct gw_answer *answer); /* takes both */
/* Circuit breakers by origin. */
bool gw_circuit_allow(struct gw_io *io, struct text url);
void gw_circuit_note(struct gw_io *io, struct text url, bool ok);
struct gw_circuit *gw_circuit_of(struct gw_io *io, struct text url);

/* ---- service.c: the services' thread: durable requests, answers of fetches back to their threads, JWKS ---- */
int gw_service_start(struct gateway *gateway, struct err *err);
void gw_service_stop(struct gateway *gateway);
void gw_service_wake(struct gateway *gateway);
void gw_jwks_fetch(void *api, struct jwks *jwks); /* starts the fetch of an API's JWKS; its outcome goes to jwks_update */
void gw_fetch_begin(struct gateway *gateway, struct text row); /* services' thread: starts the durable request (its id, then its row) */
int gw_fetch_stage(struct weir_call *call, const struct weir_fetch *fetch); /* the row and the effect */
/* Fetch thread: hands an answer to an io thread (with its call) or to the services. Takes the answer. 0, ERR_MEMORY, ERR_FULL. */
int gw_answer_send(struct gateway *gateway, unsigned target, struct weir_call *call, struct gw_answer *answer, struct gw_effect *effect);
void gw_durable_answered(struct gw_io *io, struct gw_answer *answer);
void gw_answer_prepare(struct weir_call *call);
void gw_answer_settled(struct gw_io *io, struct weir_call *call);
void gw_on_deferred_dead(void *context, struct text name, struct text payload, int code);
int gw_on_deferred(void *context, struct tick *tick, struct tick_call *call, struct text name, struct text payload);

/* ---- live_*.c: live tables and stream consumers (live.h) ---- */
void gw_live_rules_free(struct gw_api *api);
/* Before the first call, in the tick: tables that nobody may follow any more are not kept for followers. */
int gw_live_define(struct gateway *gateway, struct tick *tick, struct err *err);
#define GW_LIVE_ROUTES 3
int gw_live_routes(struct gw_api *api, struct err *err);      /* adds subscribe and unsubscribe when there are rules for live tables */
int gw_live_create(struct gateway *gateway, struct err *err); /* before the threads */
void gw_live_begin(struct gw_io *io);                         /* on the services' thread, when it starts */
void gw_live_end(struct gateway *gateway);                    /* after the threads */
void gw_live_io_end(struct gw_io *io);                        /* likewise */
void gw_live_durable(struct gateway *gateway);                /* committing thread: there is something to follow */
void gw_live_apply(struct gw_io *io, struct gw_effect *effect);
void gw_live_leave_all(struct gw_io *io, struct gw_conn *conn);
bool gw_has_history(const struct gw_api *api);                /* its rooms keep their newest messages (live_room.c) */
int gw_history_add(struct weir_call *call, struct text room, struct text *message); /* in the tick: keeps it, with its position */
int gw_history_publish(struct weir_call *call);               /* in the tick: RETAIN's part of it */
void gw_history_resume(struct weir_call *call);               /* the route */
int gw_stream_run(struct weir_call *call);                    /* in the tick: the position, and the records that are given up */
int gw_stream_over(struct weir_call *call);                   /* in the tick, when the handler has succeeded: ERR_TIMEOUT when it took too long */
void gw_stream_done(struct gw_io *io, struct weir_call *call);
void gw_stream_answered(struct gw_io *io, struct gw_answer *answer); /* an endpoint's answer to a batch; takes it */
void gw_streams_metrics(struct gateway *gateway, struct buf *out); /* each consumer's, as Prometheus' text */
/* GET /<api>/@streams, GET and DELETE /<api>/@streams/<route>/failed. Already authorised. */
void gw_streams_http(struct gw_io *io, struct net_conn *conn, struct gw_api *api, struct text name, const struct http_request *request);

/* ---- meter_call.c: what counts as which of weir's own figures (figure_table.h) ---- */
/* One thread's: an io thread's, the services', the state thread's. NULL without memory. */
struct gw_call_meters *gw_call_meters_create(struct gateway *gateway, struct watch_tally *tally);
void gw_call_meters_destroy(struct gateway *gateway, struct gw_call_meters *own); /* NULL passes */
struct gw_meters *gw_io_meters(struct gw_io *io);                 /* NULL: figures are off */
struct gw_meters *gw_state_meters(struct gateway *gateway);       /* the state thread's; NULL: figures are off */
/* The call has ended, on the thread that gives it back. io NULL: the state thread. Once; a call that ran no handler does not count. */
void gw_meter_call(struct gw_io *io, struct weir_call *call);
/* The short way: counts a message; true: this one is to be timed, and told with gw_meter_quick_timed. */
bool gw_meter_quick(struct gw_io *io, const struct gw_route *route, uint8_t stage);
/* Answers for how many messages it stands: since the last one that was timed. */
uint32_t gw_meter_quick_timed(struct gw_io *io, const struct gw_route *route, uint8_t stage, int64_t ns);
/* io thread. api NULL: not counted. */
void gw_meter_api(struct gw_io *io, enum gw_figure figure, const struct gw_api *api, double value, double weight);
void gw_meter_abuse(struct gw_io *io, const struct gw_api *api, const char *kind);
void gw_meter_refused(struct gw_io *io, const struct gw_api *api, uint8_t stage, const struct gw_route *route, bool handshake);
void gw_meter_throttled(struct gw_io *io, const struct gw_route *route); /* NULL: not counted */
void gw_meter_connected(struct gw_io *io, const struct gw_api *api, uint8_t stage);
void gw_meter_closed(struct gw_io *io, const struct gw_api *api, enum net_end how);
void gw_meter_limited(struct gw_io *io, const struct gw_api *api, bool banned);
void gw_meter_broadcast(struct gw_io *io, const struct gw_api *api, const struct gw_sums *sums);
void gw_meter_rest(struct gw_io *io, const struct gw_api *api, int status, int64_t arrived_ns);
void gw_meter_iterator_age(struct gw_io *io, const struct gw_api *api, const struct gw_route *route, struct text consumer, int64_t age_ms);
/* Within a call, on whatever thread runs it. */
void gw_meter_call_abuse(struct weir_call *call, const char *kind);
void gw_meter_call_stale(struct weir_call *call);
void gw_call_used(struct weir_call *call, const struct store_table *table, double reads, double writes);
/* What bytes of an item cost (DynamoDB): 4 KB a read, half when eventually consistent; 1 KB a write. */
double gw_read_units(size_t bytes, bool consistent);
double gw_write_units(size_t bytes);
void gw_call_meters_second(struct gw_io *io);          /* its thread: what was counted goes into its tally */
void gw_state_meters_gather(struct gateway *gateway);  /* state thread */
int64_t gw_api_open(struct gateway *gateway, const struct gw_api *api); /* connections, a second old at most; any thread */
/* How long an API's calls took since the start: bucket i holds what took up to 2^(i + GW_TIMES_FIRST) microseconds, the last one everything longer. */
#define GW_TIMES_FIRST 5
#define GW_TIMES 21 /* up to 33 s */
struct gw_times {
    uint64_t count[GW_TIMES + 1];
    double sum_us;
};
unsigned gw_times_bucket(uint64_t us);
void gw_api_times(struct gateway *gateway, const struct gw_api *api, struct gw_times *out); /* any thread */

/* ---- metrics.c ---- */
void gw_metrics(struct gw_io *io, struct net_conn *conn); /* answers /metrics */

/* ---- sampler.c: what is looked at, not counted; services' thread ---- */
int gw_sampler_create(struct gateway *gateway);
void gw_sampler_destroy(struct gateway *gateway);
void gw_sampler_second(struct gw_io *io);
double gw_resident_bytes(void); /* of the process; 0 when it cannot be told. Any thread */

/* ---- limit.c ---- */
enum gw_verdict { GW_ALLOW, GW_REFUSE, GW_CLOSE, GW_BAN };
/* A message of a connection: graded (the essay in limit.c). `action` may be empty. *retry_ms: when the next one would pass. */
enum gw_verdict gw_limit_message(struct gw_io *io, struct gw_conn *conn, struct text action, int64_t *retry_ms);
/* A handshake or HTTP request of an address. GW_CLOSE is not answered. */
enum gw_verdict gw_limit_address(struct gw_io *io, struct gw_api *api, struct text address, bool connecting, int64_t *retry_ms);
void gw_limit_second(struct gw_io *io);
void gw_limit_fini(struct gw_io *io);
void gw_buckets_destroy(struct gw_buckets *buckets);

/* ---- policy.c: what a reload may change, in one immutable object ---- */
struct gw_target { /* the endpoint of a route */
    struct text url;
    int64_t timeout_ms;
    unsigned attempts;
};
struct gw_policy_api {
    struct text name;
    struct text *origins;    /* "*" for all; none: loopback origins */
    size_t origin_count;
    struct gw_limits limits;
    bool limited;            /* messages are counted */
    struct jwt_keys *keys;   /* from secret or PEM; NULL with a JWKS or without tokens */
    struct gw_target *target; /* by the number of the route; of those without an endpoint nothing is said */
    size_t target_count;
};
struct gw_policy {
    struct arena arena;      /* holds all texts and arrays */
    struct gw_policy *next;  /* retired list */
    int64_t retired_ms;      /* monotonic */
    struct gw_policy_api *api; /* by gw_api.index */
    size_t api_count;
    struct gw_key *keys;
    size_t key_count;
    bool admin_open;
    struct text alarm_secret;
    struct gw_outgoing outgoing;
    struct text *webhooks;   /* what declared alarms name */
    size_t webhook_count;
};
/* The first one, from the gateway's own configuration. ERR_* with a sentence. */
int gw_policy_init(struct gateway *gateway, struct err *err);
void gw_policy_fini(struct gateway *gateway);
/* io thread, at the begin of a turn: takes over what is in force. */
void gw_policy_take(struct gw_io *io);
static inline const struct gw_policy_api *gw_policy_of(const struct gw_io *io, const struct gw_api *api)
{
    return &io->policy->api[api->index];
}
/* Where the route's events go now. io thread. */
const struct gw_target *gw_target_of(const struct gw_io *io, const struct gw_route *route);
/* May a webhook of an alarm, or a request of an application, go there? The services' thread. */
bool gw_outgoing_allowed(const struct gw_io *io, struct text url, bool alarm);
/* No Origin, or one that the API allows. */
bool gw_origin_allowed(const struct gw_io *io, const struct gw_api *api, struct text origin);

#endif
