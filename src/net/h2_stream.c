/*
 * Requests of an HTTP/2 connection: their bodies, their turn, the bytes of their answers. No frames here; what must become a frame is asked of h2.c.
 *
 * Memory. A stream's window lets 64 KiB of a body come unasked. What is larger needs a grant: the sum of granted bodies of a connection is bounded, the
 * oldest wait first, and one may always come, so bodies wait by flow control instead of failing and cannot block each other. The connection's own window is given
 * back at once: it would otherwise let one waiting body stop all others.
 *
 * Answers lie here until the peer's windows take them. While more than H2_BACKLOG_MAX of them lie, complete requests are parked: who does not read his answers
 * gets no further work done. What is already at work may still answer, so the bound is the backlog and one answer for each of the 128 streams.
 */
#include "net/h2.h"

#include "base/assert.h"
#include "base/counter.h"
#include "base/json.h" /* JSON_PADDING */

#include <stdlib.h>

/* ---- begin and end ---- */

static struct net_conn *request_create(struct h2_stream *stream)
{
    struct net_conn *parent = stream->session->conn;
    struct net_conn *conn = io_conn_alloc(parent->io);
    if (conn == NULL)
        return NULL;
    conn->io = parent->io;
    conn->source.fd = -1;
    conn->h2 = conn->h2_request = true;
    conn->secure = parent->secure;
    conn->stream_h2 = stream;
    conn->peer = parent->peer;
    conn->client = parent->client;
    conn->connected_ms = parent->connected_ms;
    conn->connected_wall_ms = parent->connected_wall_ms;
    conn->heard_ms = conn->message_ms = loop_now_ms(parent->io->loop);
    loop_timer_init(&conn->timer, conn_timer_due);
    out_queue_init(&conn->out);
    if (io_slot_take(parent->io, conn) != 0) {
        io_conn_free(parent->io, conn);
        return NULL;
    }
    conn->state = CONN_BODY;
    return conn;
}

struct h2_stream *h2_stream_create(struct h2_session *session, int32_t id)
{
    struct h2_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL)
        return NULL;
    stream->session = session;
    stream->id = id;
    loop_timer_init(&stream->unheard, h2_unheard);
    stream->conn = request_create(stream);
    if (stream->conn == NULL) {
        free(stream);
        return NULL;
    }
    buf_init(&stream->head, HTTP_HEAD_MAX + 256);
    list_add_tail(&session->streams, &stream->link);
    session->stream_count++;
    counter_add(COUNTER_net_buffers, 1);
    counter_add(COUNTER_h2_streams, 1);
    return stream;
}

static void grant_next(struct h2_session *session);

/* The request's bytes are needed no longer: the next body may come. */
static void release(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    buf_fini(&stream->head);
    buf_fini(&stream->body);
    if (stream->parked) {
        stream->parked = false;
        session->parked--;
    }
    if (stream->reserved == 0)
        return;
    session->reserved -= stream->reserved;
    stream->reserved = 0;
    grant_next(session);
}

void h2_stream_destroy(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    size_t rest = stream->answer.len - stream->answer_at;
    list_remove(&stream->link);
    loop_timer_stop(session->conn->io->loop, &stream->unheard);
    session->stream_count--;
    if (stream->conn != NULL)
        conn_end(stream->conn);
    release(stream);
    session->unsent -= stream->pouring ? 0 : rest;
    counter_add(COUNTER_net_queue_bytes, -(int64_t)rest);
    counter_add(COUNTER_net_buffers, -1);
    counter_add(COUNTER_h2_streams, -1);
    buf_fini(&stream->answer);
    free(stream);
}

static void request_destroy(void *object)
{
    struct net_conn *conn = object;
    io_conn_free(conn->io, conn);
}

/* What conn_end does, for a connection without a socket. */
void h2_request_ended(struct net_conn *conn)
{
    struct h2_stream *stream = conn->stream_h2;
    bool answered = conn->state == CONN_LINGER;
    conn->state = CONN_DEAD;
    conn_tell(conn, NET_END_CLIENT, 0, TEXT_NONE);
    loop_timer_stop(conn->io->loop, &conn->timer);
    io_slot_leave(conn->io, conn);
    loop_defer(conn->io->loop, request_destroy, conn);
    stream->conn = NULL;
    conn->stream_h2 = NULL;
    if (!answered)
        h2_reset(stream);
}

/* ---- handing over ---- */

static void hand_over(struct h2_stream *stream)
{
    struct net_conn *conn = stream->conn;
    struct http_request *request = &conn->io->request;
    /* Out of the stream's hands: the answer may be given within, and the body is not needed after. */
    struct buf head = stream->head, body = stream->body;
    memset(&stream->head, 0, sizeof(head));
    memset(&stream->body, 0, sizeof(body));
    int size = http_request_parse(head.data, head.len, request, NULL);
    ASSERT(size > 0 && (size_t)size == head.len); /* it was parsed when it came */
    loop_timer_stop(conn->io->loop, &conn->timer);
    if (body.len == 0)
        request->gzip = request->deflate = false; /* nothing was encoded */
    http_conn_complete(conn, request, stream->body_max, &body);
    buf_fini(&head);
    buf_fini(&body);
    release(stream);
}

void h2_stream_complete(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    if (stream->conn == NULL || stream->conn->state != CONN_BODY || stream->complete)
        return;
    stream->complete = true;
    if (session->unsent <= H2_BACKLOG_MAX && session->parked == 0) {
        hand_over(stream);
        return;
    }
    stream->parked = true;
    session->parked++;
}

static struct h2_stream *first_parked(struct h2_session *session)
{
    for (struct list *node = session->streams.next; node != &session->streams; node = node->next) {
        struct h2_stream *stream = LIST_ENTRY(node, struct h2_stream, link);
        if (stream->parked)
            return stream;
    }
    return NULL;
}

void h2_streams_go_on(struct h2_session *session)
{
    while (session->parked != 0 && session->unsent <= H2_BACKLOG_MAX) {
        struct h2_stream *stream = first_parked(session);
        ASSERT(stream != NULL && stream->conn != NULL);
        stream->parked = false;
        session->parked--;
        hand_over(stream);
    }
}

void h2_stream_begin(struct h2_stream *stream, bool ended)
{
    struct net_conn *conn = stream->conn;
    struct http_request *request = &conn->io->request;
    const char *reason = "the request is not well formed";
    conn->head_only = h2_head_is_head(&stream->session->head);
    int status = h2_head_format(&stream->session->head, &stream->head, &reason);
    int size = status != 0 ? -status : http_request_parse(stream->head.data, stream->head.len, request, &reason);
    if (size <= 0) {
        http_conn_refuse(conn, size < 0 ? -size : 400, reason);
        return;
    }
    counter_add(COUNTER_http_requests, 1);
    stream->body_max = http_conn_body_limit(conn, request);
    buf_init(&stream->body, stream->body_max > SIZE_MAX - JSON_PADDING ? SIZE_MAX : stream->body_max + JSON_PADDING);
    if (request->content_length > 0 && (uint64_t)request->content_length > stream->body_max) {
        http_conn_refuse(conn, 413, "the request body is too large");
    } else if (ended) {
        h2_stream_complete(stream);
    } else {
        stream->withheld = 0;
        conn_since(conn);
        if (request->expect_continue)
            h2_continue(stream);
    }
}

/* ---- bodies ---- */

static void grant(struct h2_stream *stream, size_t want)
{
    stream->granted = true;
    stream->reserved = want;
    stream->session->reserved += want;
    h2_widen_window(stream);
    h2_give_window(stream, stream->withheld);
    stream->withheld = 0;
    conn_since(stream->conn); /* until now it was we who did not listen */
}

/* How much a body may come to. The head is parsed again, for it is needed seldom: once for each large body. */
static size_t wanted(struct h2_stream *stream)
{
    struct http_request *request = &stream->conn->io->request;
    int size = http_request_parse(stream->head.data, stream->head.len, request, NULL);
    return size > 0 && request->content_length > 0 ? (size_t)request->content_length : stream->body_max;
}

static void try_grant(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    size_t want = wanted(stream);
    if (session->reserved == 0 || (want <= H2_GRANTS_MAX && session->reserved <= H2_GRANTS_MAX - want))
        grant(stream, want);
}

static bool wants_grant(const struct h2_stream *stream)
{
    return stream->conn != NULL && stream->conn->state == CONN_BODY && !stream->complete && !stream->granted && stream->body.len > H2_SMALL_BODY;
}

static void grant_next(struct h2_session *session)
{
    for (struct list *node = session->streams.next; node != &session->streams; node = node->next) {
        struct h2_stream *stream = LIST_ENTRY(node, struct h2_stream, link);
        if (!wants_grant(stream))
            continue;
        try_grant(stream);
        if (!stream->granted)
            return; /* in their order, or the large would wait for ever */
    }
}

bool h2_body_waits(const struct net_conn *conn)
{
    return conn->stream_h2->complete || wants_grant(conn->stream_h2);
}

void h2_stream_data(struct h2_stream *stream, const void *data, size_t len)
{
    struct net_conn *conn = stream->conn;
    if (conn == NULL || conn->state != CONN_BODY || stream->complete)
        return; /* answered before it was heard out */
    if (len > stream->body_max - stream->body.len || buf_add(&stream->body, data, len) != 0) {
        bool large = len > stream->body_max - stream->body.len;
        http_conn_refuse(conn, large ? 413 : 503, large ? "the request body is too large" : "there is no memory for the request body");
        release(stream);
        return;
    }
    if (stream->granted) {
        h2_give_window(stream, len);
        return;
    }
    stream->withheld += len;
    if (wants_grant(stream))
        try_grant(stream);
}

/* ---- answers ---- */

size_t h2_stream_read(struct h2_stream *stream, void *out, size_t len, bool *end)
{
    size_t left = stream->answer.len - stream->answer_at;
    size_t n = left < len ? left : len;
    if (n != 0)
        memcpy(out, stream->answer.data + stream->answer_at, n);
    stream->answer_at += n;
    counter_add(COUNTER_net_queue_bytes, -(int64_t)n);
    *end = n == left && !stream->pouring;
    if (!stream->pouring) {
        stream->session->unsent -= n;
        return n;
    }
    if (n != 0 && n == left && stream->conn != NULL) {
        size_t limit = stream->answer.limit;
        buf_fini(&stream->answer); /* an answer that says something now and then keeps no memory */
        buf_init(&stream->answer, limit);
        stream->answer_at = 0;
        stream->room = true;
        conn_note(stream->conn);
    }
    stream->deferred = n == 0;
    return n;
}

/* ---- answers in pieces ---- */

int h2_pour_send(struct net_conn *conn, struct text piece)
{
    struct h2_stream *stream = conn->stream_h2;
    size_t queued = stream->answer.len - stream->answer_at;
    if (queued != 0 && queued + piece.len > stream->pour.queue_max)
        return ERR_FULL;
    if (stream->answer_at != 0) {
        buf_consume(&stream->answer, stream->answer_at);
        stream->answer_at = 0;
    }
    if (buf_add_text(&stream->answer, piece) != 0) {
        conn_doom(conn, NET_END_LOST);
        return ERR_MEMORY;
    }
    counter_add(COUNTER_net_queue_bytes, (int64_t)piece.len);
    if (stream->deferred)
        h2_resume(stream);
    return 0;
}

void h2_pour_end(struct net_conn *conn)
{
    struct h2_stream *stream = conn->stream_h2;
    struct h2_session *session = stream->session;
    size_t rest = stream->answer.len - stream->answer_at;
    stream->pouring = false; /* what is left is an answer like others */
    session->unsent += rest;
    if (session->unsent == rest)
        conn_since(session->conn);
    conn->state = CONN_LINGER;
    conn_note(conn);
    h2_resume(stream);
}
