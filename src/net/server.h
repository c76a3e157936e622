/*
 * The network core: listeners, connections, HTTP/1.1, HTTP/2 and WebSocket on one port, TLS beside plain (the first bytes tell), with a
 * bounded output queue per connection. It knows nothing of APIs, routes or rooms: a struct net_events of function pointers, filled by
 * the gateway, decides.
 *
 * Threads: every io thread runs one loop with its own listener (SO_REUSEPORT) and owns its connections for life; nothing here is
 * shared but the immutable configuration. All functions below run on the connection's io thread unless they say otherwise.
 *
 * HTTP/2: each request is a struct net_conn of its own, without a socket but with an id, from its body's arrival until it is answered or reset; then on_gone.
 * Above this header nobody needs to know (h2.h).
 *
 * Memory: an idle plain WebSocket connection costs its struct net_conn (<= 256 bytes) and what the gateway hangs on `user`. Reads go
 * through one large buffer per thread; a connection holds memory only for a partial frame, a backlog of output, TLS or deflate.
 *
 * Callbacks come from the loop alone: no function below makes one or ends a connection inside the call. A send that fails, a policy at the bound, net_ws_close and
 * net_conn_abort only note what is to be done; on_close follows before the turn is over (or when the peer has answered). So a walk over members may
 * send to each without one vanishing meanwhile. After on_close or on_gone the core does not touch `user`, and net_io_find answers NULL.
 *
 * Output: net_ws_send and friends append to the connection's chunk and ask for one flush at the end of the loop turn: one write per connection
 * per turn. What the socket does not take stays queued, bounded by `queue_bytes_max` and `queue_messages_max`; at the bound the policy acts.
 */
#ifndef WEIR_NET_SERVER_H
#define WEIR_NET_SERVER_H

#include "base/clock.h"
#include "loop/loop.h"
#include "net/http_parse.h"
#include "net/ws_deflate.h"
#include "net/ws_stream.h"

struct net_server;
struct net_io;   /* one per io thread */
struct net_conn;
struct tls_context;

/* Names a connection from any thread and after its end. Ids are never reused within 2^24 generations of a slot plus 32 random bits. */
#define NET_ID_BYTES 11
#define NET_ID_TEXT 16 /* base64url of 11 bytes with '=': "BFaT_fALIAMCKug=" */
struct net_id {
    uint8_t byte[NET_ID_BYTES]; /* io thread (1), slot (3), generation (3), random (4) */
};
void net_id_format(const struct net_id *id, char out[NET_ID_TEXT + 1]);
/* 0 or ERR_SYNTAX for anything that is not 16 characters of canonical base64url with one '='. The id may still name nobody. */
int net_id_parse(struct text text, struct net_id *id);
static inline unsigned net_id_io(const struct net_id *id)
{
    return id->byte[0];
}

/* How a WebSocket connection ended. */
enum net_end { NET_END_CLIENT, NET_END_SERVER, NET_END_LOST, NET_END_TIMEOUT, NET_END_PROTOCOL, NET_END_SLOW, NET_END_DRAIN };

struct net_events {
    void *context;
    /* A whole request with its body (already unchunked and unzipped; at most `body_max` bytes, JSON_PADDING readable bytes follow it). Texts are borrowed for the call. Answer now or later with
       net_http_respond or, when request->upgrade_websocket, net_ws_accept. Until then no further request of the connection is read (pipelined ones wait). */
    void (*on_request)(void *context, struct net_conn *conn, const struct http_request *request, struct text body);
    /* Called after the head of a request with a body: the largest body accepted for it (413 above), bytes. NULL: config.body_max. */
    size_t (*on_body_limit)(void *context, struct net_conn *conn, const struct http_request *request);
    /* A message; data as promised in ws_stream.h. WS_PAUSE stops reading the socket until net_conn_resume. */
    enum ws_verdict (*on_message)(void *context, struct net_conn *conn, bool binary, char *data, size_t len);
    /* Once per accepted WebSocket connection, the last callback: code and reason as the peer or we gave them (1005 none, 1006 lost). */
    void (*on_close)(void *context, struct net_conn *conn, enum net_end how, int code, struct text reason);
    /* A connection that was never a WebSocket, or whose upgrade was not accepted, ends; `user` may need freeing. May be NULL. */
    void (*on_gone)(void *context, struct net_conn *conn);
    /* Called when an io thread starts and before it ends, on it (rings, readers). May be NULL. */
    void (*on_io_start)(void *context, struct net_io *io);
    void (*on_io_stop)(void *context, struct net_io *io);
};

struct net_config {
    const char *address;           /* "127.0.0.1", "::1", "0.0.0.0" */
    uint16_t port;                 /* 0 picks one */
    int io_threads;                /* 1..64 */
    int backlog;                   /* 4096 */
    uint32_t accept_rate_max;      /* sockets a second over all threads; 0: no limit. Above it sockets wait in the backlog */
    uint32_t connections_max;      /* per process; 0: as the descriptor limit allows, less a reserve */
    size_t body_max;               /* bytes of an HTTP body; default 16 MiB */
    int64_t head_timeout_ms;       /* a whole request head: slow-loris bound; default 10 s */
    int64_t body_timeout_ms;       /* 60 s */
    int64_t keep_alive_ms;         /* idle HTTP connection; 75 s */
    int64_t handshake_timeout_ms;  /* TLS; 10 s */
    int64_t close_timeout_ms;      /* waiting for the peer's close frame; 2 s */
    struct text *trusted_proxies;  /* addresses or CIDR; X-Forwarded-For and PROXY protocol only from them */
    size_t trusted_count;
    bool proxy_protocol;           /* expected on connections from trusted addresses */
    struct tls_context *tls;       /* NULL: no TLS */
    bool tls_only;                 /* whoever begins in plain is told so and closed */
};

/* ---- server (main thread) ---- */
int net_server_create(struct net_server **out, const struct net_config *config, const struct net_events *events, struct err *err);
int net_server_start(struct net_server *server, struct err *err);          /* listens, starts the threads */
uint16_t net_server_port(const struct net_server *server);
/* Stops accepting, closes WebSocket connections with 1001 and "retry in N ms" (jittered over spread_ms), finishes HTTP requests in flight. Any thread. */
void net_server_drain(struct net_server *server, int64_t spread_ms);
/* After net_server_drain: ends what is still open without waiting for the peers. on_close and on_gone are called as ever, so what follows from them still happens. Any thread. */
void net_server_cut(struct net_server *server);
/* No connection is left. Any thread. */
bool net_server_drained(const struct net_server *server);
void net_server_stop(struct net_server *server); /* ends the threads; open sockets are closed hard */
void net_server_destroy(struct net_server *server);
/* Every io thread looks at its timers and inboxes: after clock_advance, in tests. Any thread. */
void net_server_wake(struct net_server *server);
int net_server_threads(const struct net_server *server);
struct net_io *net_server_io(struct net_server *server, unsigned index);

/* ---- io thread ---- */
struct loop *net_io_loop(struct net_io *io);
unsigned net_io_index(const struct net_io *io);
void *net_io_user(const struct net_io *io);
void net_io_set_user(struct net_io *io, void *user);
struct net_conn *net_io_find(struct net_io *io, const struct net_id *id); /* NULL when gone. Only accepted or pending ones of this thread */
/* Iterates over live WebSocket connections in accept order: *slot from 0; NULL at the end. A walk is of one turn: positions move between turns. */
struct net_conn *net_io_next(struct net_io *io, uint32_t *slot);
size_t net_io_connections(const struct net_io *io); /* open sockets of the thread, of every kind. Any thread */

/* ---- connection ---- */
const struct net_id *net_conn_id(const struct net_conn *conn);
struct net_io *net_conn_io(const struct net_conn *conn);
void *net_conn_user(const struct net_conn *conn);
void net_conn_set_user(struct net_conn *conn, void *user);
/* The peer's address as text (behind trusted proxies the client's): IPv4 or IPv6, written to out (46 bytes). */
struct text net_conn_address(const struct net_conn *conn, char out[46]);
bool net_conn_tls(const struct net_conn *conn);
int64_t net_conn_connected_ms(const struct net_conn *conn); /* wall clock, ms */
int64_t net_conn_active_ms(const struct net_conn *conn);    /* wall clock of the last message received */
size_t net_conn_queued(const struct net_conn *conn);        /* bytes in the output queue */
bool net_conn_is_ws(const struct net_conn *conn);           /* accepted and not closing */
/* Reading again after WS_PAUSE; data that was already received is processed in this call's turn. */
void net_conn_resume(struct net_conn *conn);

enum net_slow { NET_SLOW_DISCONNECT, NET_SLOW_DROP_OLDEST, NET_SLOW_LATEST };

/* What holds for the WebSocket connections of an API. Borrowed for their life, immutable. */
/* What the connections of one configuration sent and received, counted by each io thread for itself (net_ws_count); any thread reads, atomically. */
struct net_ws_totals {
    _Alignas(64) uint64_t messages_out; /* queued to sockets, as WebSocket frames: */
    uint64_t bytes_out;                 /* headers included */
    uint64_t messages_in, bytes_in;     /* the owner's to count */
};
static inline void net_ws_count(uint64_t *total, uint64_t more)
{
    __atomic_store_n(total, __atomic_load_n(total, __ATOMIC_RELAXED) + more, __ATOMIC_RELAXED);
}
struct net_ws_config {
    struct ws_limits limits;
    struct ws_deflate_config deflate;
    size_t queue_bytes_max;       /* default 1 MiB */
    uint32_t queue_messages_max;  /* default 4096 */
    enum net_slow slow;           /* what happens at the bound */
    int64_t ping_every_ms;        /* heartbeat: a ping when nothing came for so long; 0: none */
    int64_t pong_within_ms;       /* no answer of any kind within: the connection is lost (1006) */
    int64_t idle_max_ms;          /* no message for so long: 1001 "Going away"; 0: none */
    int64_t life_max_ms;          /* 1001 "Going away"; 0: none */
    struct net_ws_totals *totals; /* one per io thread, by its index; NULL: not counted */
};

/* Finishes the handshake: 101 with the accepted subprotocol (TEXT_NONE: none) and permessage-deflate when both want it. extra: further header lines
   ("Name: value\r\n"...), may be empty. 0, or ERR_GONE when the peer left meanwhile. */
int net_ws_accept(struct net_conn *conn, const struct net_ws_config *config, struct text subprotocol, struct text extra);
/* Answers an HTTP request (also a refused upgrade). `headers`: complete header lines or empty; Content-Length, Date, Connection are added. HEAD sends no body. */
enum net_http_flags { NET_HTTP_CLOSE = 1, NET_HTTP_NO_BODY = 2 };
int net_http_respond(struct net_conn *conn, int status, struct text headers, struct text body, unsigned flags);

/* ---- answers in pieces: a body whose end is not known yet (pour.c). HTTP/1.1 in chunks, HTTP/1.0 until the connection ends, HTTP/2 in DATA frames. Trailers are not sent.
   `queue_max` bounds what waits for the peer; one piece is always taken when nothing does. A peer that takes nothing for NET_POUR_STALL_MS is let go. ---- */
#define NET_POUR_STALL_MS INT64_C(300000)
struct net_pour {
    void *context;
    size_t queue_max; /* bytes; at most OUT_MESSAGE_MAX */
    /* All that was sent has left. From the loop; may send, and end the answer. It can come several times in a turn: who could always send more waits for another one. May be NULL. */
    void (*on_room)(void *context, struct net_conn *conn);
    /* Once, unless net_pour_end came before: the peer has left, or we are going down and the answer has been ended. */
    void (*on_gone)(void *context, struct net_conn *conn);
};
/* Instead of net_http_respond, for a request that is not HEAD: status and header lines, as there. Copies `pour`. 0; ERR_GONE, ERR_INVALID (HEAD, or a status without a body), ERR_TOO_LARGE,
   ERR_MEMORY: nothing was begun, and on_gone does not come. */
int net_pour_begin(struct net_conn *conn, int status, struct text headers, const struct net_pour *pour);
/* Copies. 0, ERR_GONE, ERR_MEMORY; ERR_FULL: not taken, on_room tells when. */
int net_pour_send(struct net_conn *conn, struct text piece);
/* The body is complete; what is queued still leaves. `conn` is not the caller's any more. */
void net_pour_end(struct net_conn *conn);
size_t net_pour_queued(const struct net_conn *conn); /* bytes */

/* An encoded WebSocket frame (or several, concatenated), shared by many connections. Reference counted with atomics; any thread may create,
   ref and unref. */
struct net_frame {
    uint32_t refs;
    uint32_t messages; /* messages inside */
    size_t len;        /* bytes on the wire */
    char data[];
};
/* One reference for the caller. NULL without memory. */
struct net_frame *net_frame_create(enum ws_opcode opcode, const void *data, size_t len);
/* Several frames in one, in order. */
struct net_frame *net_frame_join(struct net_frame *const *frames, size_t count);
struct net_frame *net_frame_ref(struct net_frame *frame);
void net_frame_unref(struct net_frame *frame);

/* Queues a message; the data is copied (or compressed). 0, ERR_GONE (closing), ERR_FULL (the bound was met and this message was not queued; with
   NET_SLOW_DISCONNECT the connection is being closed with 1013). */
int net_ws_send(struct net_conn *conn, enum ws_opcode opcode, const void *data, size_t len);
/* The same for a shared frame; sends it at once when nothing is queued or corked for the connection in this turn (a broadcast's walk), else keeps a reference.
   `key` (0: none) names what the message supersedes under NET_SLOW_LATEST. Connections with deflate get the plain frame: legal and shared. */
int net_ws_send_frame(struct net_conn *conn, struct net_frame *frame, uint64_t key);
/* Close handshake: a close frame after what is queued, then the peer's, then the end; on_close tells (NET_END_SERVER unless `how` says else). */
void net_ws_close(struct net_conn *conn, enum net_end how, int code, struct text reason);
/* Ends it without ceremony after this turn. */
void net_conn_abort(struct net_conn *conn);

#endif
