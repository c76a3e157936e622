/*
 * HTTP/2 (RFC 9113) on a connection: with prior knowledge on the plain port, by ALPN inside TLS. Nobody outside src/net sees it. Each request is a
 * struct net_conn of its own, without a socket but with an id, so the gateway answers it, remembers it and finds it as it does an HTTP/1.1
 * connection whose answer is due; it goes (on_gone) when it is answered or reset.
 *
 * Ownership: the connection owns the session (conn_extra), the session its streams, a stream its request (until it is answered or gone)
 * and the answer's bytes. nghttp2 is seen in h2.c alone. Everything runs on the io thread.
 */
#ifndef WEIR_NET_H2_H
#define WEIR_NET_H2_H

#include "net/conn.h"
#include "net/h2_head.h"

enum {
    H2_STREAMS_MAX = 128,                 /* requests of one connection at a time; SETTINGS_MAX_CONCURRENT_STREAMS */
    H2_WINDOW = 65535,                    /* bytes of a body that may come before it has a grant */
    H2_WINDOW_GRANTED = 1024 * 1024,      /* ... on the way, once it has */
    H2_WINDOW_CONNECTION = 4 * 1024 * 1024,
    H2_SMALL_BODY = 32 * 1024,            /* bytes; smaller bodies need no grant */
    H2_GRANTS_MAX = 32 * 1024 * 1024,     /* bytes of bodies that are let come at a time; one may be larger */
    H2_BACKLOG_MAX = 256 * 1024,          /* bytes of unsent answers above which no further request is begun */
    H2_OUT_MAX = 128 * 1024,              /* bytes of frames made ahead of the socket */
    H2_FLUSHES_MAX = 8,                   /* of one connection in one turn: fairness */
    H2_ANSWER_FIELDS_MAX = 128,           /* of one answer */
    H2_ANSWER_HEAD_MAX = 60 * 1024,       /* bytes of them */
    H2_NOISE_MAX = 512,                   /* resets, pings, settings and frames that say nothing: at once */
    H2_NOISE_PER_SECOND = 64,             /* ... and for ever; above it GOAWAY with ENHANCE_YOUR_CALM */
};

struct nghttp2_session;
struct h2_session;

/* A request and its answer. */
struct h2_stream {
    struct list link; /* in the session, in order of arrival */
    struct h2_session *session;
    struct net_conn *conn; /* NULL once it is answered, reset or refused */
    int32_t id;
    bool complete;         /* the whole request is there; not handed over yet when `parked` */
    bool parked;           /* it waits for answers to leave */
    bool granted;          /* its body may come whole */
    bool closed;           /* nghttp2 knows it no longer */
    size_t withheld;       /* bytes that came without a grant: their window was not given back */
    size_t reserved;       /* bytes of the session's grants */
    size_t body_max;       /* bytes */
    struct buf head, body; /* of the request; the head as HTTP/1.1 text */
    struct buf answer;     /* the body of the answer */
    size_t answer_at;      /* bytes of it that are in frames */
    bool pouring;          /* the answer comes in pieces, and more may come: its bytes are not the session's `unsent` */
    bool deferred;         /* ... nghttp2 has found it empty, and waits to be told */
    bool room;             /* ... all of it is in frames: on_room is owed */
    struct net_pour pour;
    struct loop_timer unheard; /* the answer is out, the request is not in: when to stop waiting for it */
};

struct h2_session {
    struct nghttp2_session *h2;
    struct net_conn *conn;
    struct list streams;
    unsigned stream_count, parked;
    size_t reserved;       /* bytes granted to bodies */
    size_t unsent;         /* bytes of answers that are not in frames yet */
    struct h2_head head;   /* of the header block that is arriving */
    int64_t head_ms;       /* monotonic: since when; 0: none is */
    int64_t noise, noise_ms; /* the budget that is left, and when it was computed; in thousandths */
    bool last;             /* GOAWAY is queued: no further requests */
    bool broken;           /* it ends as soon as that is out */
};

/* ---- for the connection ---- */
int h2_start(struct net_conn *conn); /* the preface was seen, and is not taken. 0 or ERR_MEMORY */
size_t h2_feed(struct net_conn *conn, const char *data, size_t len);
void h2_settle(struct net_conn *conn);      /* of both kinds: the connection, or a request */
void h2_ended(struct net_conn *conn);       /* conn_end of a connection */
void h2_request_ended(struct net_conn *conn); /* conn_end of a request: does all of it */
void h2_session_destroy(struct h2_session *session); /* NULL is nothing */
void h2_eof(struct net_conn *conn);         /* the peer sends no more */
void h2_drain(struct net_conn *conn);       /* no further requests after those that are here */
int64_t h2_deadline(const struct net_conn *conn);
void h2_expired(struct net_conn *conn);
bool h2_body_waits(const struct net_conn *conn); /* it is we who do not let the body come */
int h2_respond(struct net_conn *conn, int status, struct text headers, struct text body);
int h2_pour_begin(struct net_conn *conn, int status, struct text headers, const struct net_pour *pour);
int h2_pour_send(struct net_conn *conn, struct text piece);
void h2_pour_end(struct net_conn *conn);

/* ---- h2_stream.c, for h2.c ---- */
/* A request whose header block is complete (in session->head); `ended`: there is no body. NULL without memory. */
struct h2_stream *h2_stream_create(struct h2_session *session, int32_t id);
void h2_stream_destroy(struct h2_stream *stream); /* ends its request */
void h2_stream_begin(struct h2_stream *stream, bool ended);
void h2_stream_data(struct h2_stream *stream, const void *data, size_t len);
void h2_stream_complete(struct h2_stream *stream);
void h2_streams_go_on(struct h2_session *session); /* answers have left: parked requests */
/* The next bytes of the answer; returns how many. */
size_t h2_stream_read(struct h2_stream *stream, void *out, size_t len, bool *end);

/* ---- h2.c, for h2_stream.c ---- */
void h2_give_window(struct h2_stream *stream, size_t bytes);
void h2_widen_window(struct h2_stream *stream);
void h2_continue(struct h2_stream *stream); /* 100 */
void h2_reset(struct h2_stream *stream);
void h2_resume(struct h2_stream *stream); /* a deferred answer has something to say again */
void h2_unheard(struct loop *loop, struct loop_timer *timer); /* a stream's timer */

#endif
