/*
 * Inside the network core: the record of a connection, the io thread that owns it, and the functions by which conn.c, http_conn.c,
 * ws_conn.c, conn_timer.c and io.c meet. Nobody outside includes this. Everything runs on the io thread.
 *
 * The rule that keeps re-entrance away: no function that the gateway calls ends a connection or calls a callback. It
 * notes what is to be done and puts the connection on the io's list (conn_note); conn_settle does it at the end of the turn. Callbacks are
 * made from the loop alone (readiness, timers, settling), so the gateway may walk its members and send to each without one vanishing meanwhile.
 *
 * A connection's way:
 *   SNIFF -> HEAD -> (BODY) -> PENDING -> HEAD ... or -> OPEN -> (CLOSING) -> LINGER -> DEAD
 *   SNIFF -> H2 -> LINGER -> DEAD, and each request of it BODY -> PENDING -> LINGER -> DEAD
 * and from PENDING by way of POUR where the answer comes in pieces.
 */
#ifndef WEIR_NET_CONN_H
#define WEIR_NET_CONN_H

#include "base/buf.h"
#include "net/address.h"
#include "net/out_queue.h"
#include "net/server.h"
#include "net/tls.h"

#include <pthread.h>

enum {
    NET_READ_MAX = 256 * 1024,      /* bytes of one read, and of received data that waits */
    NET_HTTP_BACKLOG_MAX = 64 * 1024, /* bytes of unsent answers above which no further pipelined request is begun */
    NET_CONTROLS_MAX = 16,          /* pongs queued to a socket that does not take them; later ones are coalesced */
    NET_SETTLE_BATCH = 32,          /* connections with corked output before it is flushed within the turn: the chunks stay in the cache */
    NET_CORK_MAX = 8 * 1024,        /* bytes of output after a read that go at once: more would not make the send cheaper, but leave the cache */
    NET_IOV_MAX = 64,
    NET_TLS_READS = 16,             /* records read in one turn of one connection: fairness */
};

enum conn_state {
    CONN_SNIFF,   /* the first bytes: PROXY header, TLS record, HTTP/2 preface or HTTP/1 */
    CONN_HEAD,    /* a request head, or idle between two requests */
    CONN_BODY,
    CONN_H2,      /* HTTP/2: each request is a net_conn of its own, in CONN_BODY, CONN_PENDING, then CONN_LINGER (h2.h) */
    CONN_PENDING, /* the request is handed over and not answered */
    CONN_POUR,    /* the answer comes in pieces (pour.c), and has not ended */
    CONN_OPEN,    /* WebSocket */
    CONN_CLOSING, /* our close frame is queued or sent, the peer's is awaited */
    CONN_LINGER,  /* the last bytes are on their way, then our FIN, then the peer's */
    CONN_DEAD     /* closed; the memory goes after the turn */
};

struct h2_session;
struct h2_stream;

/* What only some connections need, or only for a while. */
struct conn_extra {
    struct tls_session *tls;
    struct h2_session *h2;
    struct buf held;   /* received, waits to be looked at; followed by JSON_PADDING bytes of room */
    size_t held_seen;  /* bytes of it already searched for the end of a head */
    struct buf head;   /* the head of the request whose body is arriving */
    struct buf body;
    struct buf offers; /* Sec-WebSocket-Extensions of a pending upgrade */
    char key[24];      /* its Sec-WebSocket-Key */
    struct http_chunked chunked;
    uint64_t body_left; /* of Content-Length */
    size_t body_max;
    uint8_t reason_len, pong_len;
    bool pong_late; /* the newest ping that met a full queue still waits for its pong */
    char reason[WS_CONTROL_MAX], pong[WS_CONTROL_MAX];
    struct net_pour pour; /* in CONN_POUR */
    bool pour_sent;       /* on_room is owed when the queue is empty */
};

struct net_conn {
    /* the first cache line: all that a broadcast's walk touches */
    struct loop_source source;
    struct net_io *io;
    uint8_t state;
    bool noted : 1;       /* on the io's list */
    bool blocked : 1;     /* the socket takes no more; LOOP_WRITE is asked for */
    bool paused : 1;      /* WS_PAUSE */
    bool look : 1;        /* received data waits and may be processed */
    bool doomed : 1;      /* ends when it settles */
    bool eof : 1;         /* the peer sends no more */
    bool fin : 1;         /* we send no more */
    bool was_ws : 1;      /* on_close is owed, or paid */
    bool told : 1;        /* on_close or on_gone has been called */
    bool upgrade : 1;     /* the pending request is a valid upgrade */
    bool keep_alive : 1;  /* of the pending request */
    bool head_only : 1;   /* of the pending request: HEAD */
    bool old_http : 1;    /* of the pending request: HTTP/1.0 */
    bool chunked : 1;     /* of the arriving body */
    bool proxy : 1;       /* a PROXY header is due */
    bool begun : 1;       /* bytes of a request head have come */
    bool served : 1;      /* a request has been answered: idle time is keep-alive time */
    bool secure : 1;      /* TLS */
    bool secure_done : 1; /* its handshake is finished */
    bool last : 1;        /* draining: no further request after this one */
    bool h2 : 1;          /* HTTP/2: a connection, or a request of one */
    bool h2_request : 1;  /* a request: no socket, no output of its own */
    uint8_t end; /* enum net_end, once it is known */
    uint16_t close_code;
    struct out_queue out;
    /* touched by each message */
    void *user;
    union {
        const struct net_ws_config *ws; /* of a WebSocket */
        struct h2_stream *stream_h2;    /* of a request of HTTP/2 */
    };
    struct ws_stream stream;
    int64_t heard_ms;   /* monotonic: anything came */
    int64_t message_ms; /* monotonic: a message came */
    int64_t ping_ms;    /* monotonic: an unanswered ping went out; 0: none */
    struct net_conn *noted_next;
    /* touched seldom */
    uint32_t slot, order; /* in the io's tables */
    uint32_t counted_bytes, counted_buffers; /* what the gauges hold for this connection */
    struct conn_extra *extra;
    struct loop_timer timer; /* the next deadline of whatever kind */
    int64_t since_ms;        /* monotonic: the state's clock */
    int64_t connected_ms;    /* monotonic */
    int64_t connected_wall_ms;
    struct address peer, client; /* client: behind trusted proxies */
    struct net_id id;
};
_Static_assert(offsetof(struct net_conn, user) == 64, "the walk of a broadcast stays within one cache line");
_Static_assert(sizeof(struct net_conn) <= 256, "idle connections are counted in hundreds of thousands");

struct io_slot {
    struct net_conn *conn;
    uint32_t generation; /* 24 bits */
    uint32_t next_free;
};

struct net_io {
    _Alignas(64) struct loop *loop; /* threads share no cache line */
    struct net_server *server;
    unsigned index;
    void *user;
    char *buffer; /* NET_READ_MAX + JSON_PADDING */
    struct out_pool pool;
    struct net_conn *noted_first, *noted_last;
    unsigned noted_count;
    bool settling;
    struct loop_finish finish;
    struct net_conn *requesting; /* its request is in `request` right now */
    uint32_t messages_in;        /* of the read under way */
    struct http_request request;
    struct buf scratch;
    /* slots of ids, and WebSocket connections in accept order */
    struct io_slot *slots;
    uint32_t slots_len, slots_cap, slots_free;
    struct net_conn **order;
    uint32_t order_len, order_cap, order_live;
    struct net_conn *conn_free; /* linked by noted_next */
    uint32_t conn_free_count;
    void *slabs;
    size_t open; /* sockets; written here, read by any thread */
    uint8_t random[1024];
    size_t random_left;
    int64_t date_second;
    char date[32];
    /* accepting */
    struct loop_source listener;
    struct loop_timer accept_timer;
    int reserve_fd;
    /* draining */
    bool draining, drain_done, cut;
    uint32_t drain_slot;
    pthread_t thread;
    bool thread_started;
};

struct net_server {
    struct net_config config;
    struct net_events events;
    struct address_range *trusted;
    size_t trusted_count;
    char address[64];
    uint16_t port;
    uint32_t connections_max;
    uint32_t open;            /* atomic: sockets of all threads */
    int64_t accept_ns;        /* atomic: the theoretical arrival time of the accept rate (GCRA) */
    int64_t drain_spread_ms;
    int drain;                /* atomic: 1 after net_server_drain, 2 after net_server_cut */
    struct net_io *io;
    int threads;
    bool started;
};

/* ---- io.c ---- */
int io_init(struct net_io *io, struct net_server *server, unsigned index, struct err *err);
void io_fini(struct net_io *io);
void *io_main(void *io);
int io_accept_start(struct net_io *io, int listen_fd);
bool io_is_trusted(const struct net_io *io, const struct address *address);
struct net_conn *io_conn_alloc(struct net_io *io);
void io_conn_free(struct net_io *io, struct net_conn *conn);
int io_slot_take(struct net_io *io, struct net_conn *conn);
void io_slot_leave(struct net_io *io, struct net_conn *conn);
int io_order_add(struct net_io *io, struct net_conn *conn);
void io_order_leave(struct net_io *io, struct net_conn *conn);
void io_settle(struct net_io *io);
const char *io_date(struct net_io *io);

/* ---- conn.c ---- */
/* Takes fd (closes it on failure). */
int conn_create(struct net_io *io, int fd, const struct address *peer);
struct conn_extra *conn_extra_get(struct net_conn *conn); /* NULL without memory */
void conn_extra_trim(struct net_conn *conn);              /* frees it when nothing needs it */
void conn_note(struct net_conn *conn);                    /* settle it at the end of the turn */
void conn_settle(struct net_conn *conn);
void conn_flush(struct net_conn *conn);
void conn_doom(struct net_conn *conn, enum net_end end);  /* it ends when it settles */
void conn_tell(struct net_conn *conn, enum net_end end, int code, struct text reason); /* on_close, once */
void conn_end(struct net_conn *conn);                     /* now; only from the loop */
void conn_linger(struct net_conn *conn);                  /* after what is queued: FIN, then wait for the peer's */
void conn_account(struct net_conn *conn);                 /* brings the gauges up to date */
void conn_read_tls(struct net_conn *conn);
void conn_want(struct net_conn *conn);                    /* asks the loop for what the state needs */
void conn_ready(struct loop *loop, struct loop_source *source, uint32_t events);

/* ---- conn_input.c ---- */
/* The bytes that were received; `data` has JSON_PADDING bytes of room behind them. */
void conn_received(struct net_conn *conn, char *data, size_t len);
void conn_look(struct net_conn *conn); /* at what is held */
bool conn_stalled(const struct net_conn *conn); /* reading makes no sense now */

/* ---- conn_timer.c ---- */
void conn_timer_due(struct loop *loop, struct loop_timer *timer);
void conn_timer_touch(struct net_conn *conn); /* a deadline may have come nearer */
void conn_since(struct net_conn *conn);       /* the state's clock starts now */

/* ---- http_conn.c ---- */
/* Bytes taken; 0: more are needed, or the state changed without taking any. */
size_t http_conn_head(struct net_conn *conn, char *data, size_t len);
size_t http_conn_body(struct net_conn *conn, char *data, size_t len);
void http_conn_refuse(struct net_conn *conn, int status, const char *reason); /* answers and closes */
bool http_conn_queue(struct net_conn *conn, const void *data, size_t len);    /* raw bytes */
size_t http_conn_body_limit(struct net_conn *conn, const struct http_request *request);
/* A request (io->request) is here with its body as it came, without room behind it: takes Content-Encoding off and hands it over, or refuses it. */
void http_conn_complete(struct net_conn *conn, struct http_request *request, size_t limit, struct buf *body);
void http_conn_count_status(int status);
enum { HTTP_HEAD_ROOM = 384 }; /* bytes: more than the status line and our own header lines ever have (none is longer than 64) */
#define HTTP_CONTENT_CHUNKED SIZE_MAX       /* as the length of a body */
#define HTTP_CONTENT_OPEN (SIZE_MAX - 1)    /* ... it ends with the connection */
size_t http_conn_format_head(struct net_conn *conn, int status, size_t content, bool closing, char out[HTTP_HEAD_ROOM]); /* returns its length */
void http_conn_answered(struct net_conn *conn, bool closing); /* the answer is queued: what comes next on this connection */

/* ---- pour.c ---- */
void pour_settle(struct net_conn *conn); /* in CONN_POUR, without HTTP/2: what is queued leaves, and more is asked for */
void pour_gone(struct net_conn *conn);   /* it ends before the answer has */
void pour_drain(struct net_conn *conn);  /* ends the answer, since we are going down */

/* ---- ws_conn.c ---- */
size_t ws_conn_feed(struct net_conn *conn, char *data, size_t len);
/* Checks the handshake of RFC 6455 4.2.1; answers the refusal itself and returns false. */
bool ws_conn_upgrade_valid(struct net_conn *conn, const struct http_request *request);
/* The request was not answered within on_request: keeps what the 101 needs. */
int ws_conn_upgrade_keep(struct net_conn *conn, const struct http_request *request);
void ws_conn_progress(struct net_conn *conn); /* the queue moved: a late pong may go */
void ws_conn_ping(struct net_conn *conn);

#endif
