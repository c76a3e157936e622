/*
 * HTTP/1.1 on a connection: heads and bodies in, answers out. Requests of one connection are handed over one at a time: the next head is
 * not even parsed before the answer is queued, so pipelined answers keep their order without bookkeeping, and a client that does not
 * read its answers is not read either.
 *
 * A request whose body lies whole in the buffer (nearly all of them) is handed over in place. Otherwise the head is kept as bytes and parsed again when the body
 * is complete: a parsed head is three kilobytes of pointers into a buffer that is long gone, and parsing is cheaper than keeping.
 *
 * What cannot be understood ends the connection after the answer: where the next request begins is unknown then (RFC 9112 9.3).
 */
#include "net/h2.h"

#include "base/assert.h"
#include "base/counter.h"
#include "base/json.h" /* JSON_PADDING */
#include "net/inflate_body.h"

#include <openssl/sha.h>
#include <stdio.h>

/* ---- answers ---- */

bool http_conn_queue(struct net_conn *conn, const void *data, size_t len)
{
    char *at = out_queue_append(&conn->io->pool, &conn->out, OUT_RAW, len, 0);
    if (at == NULL) {
        conn_doom(conn, NET_END_LOST);
        return false;
    }
    memcpy(at, data, len);
    conn_note(conn);
    return true;
}

static const char *connection_line(const struct net_conn *conn, bool closing)
{
    if (closing)
        return "Connection: close\r\n";
    return conn->old_http ? "Connection: keep-alive\r\n" : "";
}

void http_conn_count_status(int status)
{
    if (status >= 500)
        counter_add(COUNTER_http_responses_5xx, 1);
    else if (status >= 400)
        counter_add(COUNTER_http_responses_4xx, 1);
}

size_t http_conn_format_head(struct net_conn *conn, int status, size_t content, bool closing, char out[HTTP_HEAD_ROOM])
{
    char *at = text_put(out, TEXT("HTTP/1.1 "));
    at = text_put_u64(at, (uint64_t)status);
    at = text_put(at, TEXT(" "));
    at = text_put(at, text_of(http_status_text(status)));
    at = text_put(at, TEXT("\r\nDate: "));
    at = text_put(at, text_of(io_date(conn->io)));
    at = text_put(at, TEXT("\r\n"));
    if (content == HTTP_CONTENT_CHUNKED) {
        at = text_put(at, TEXT("Transfer-Encoding: chunked\r\n"));
    } else if (content != HTTP_CONTENT_OPEN && status >= 200 && status != 204 && status != 304) { /* RFC 9110 8.6 */
        at = text_put(at, TEXT("Content-Length: "));
        at = text_put_u64(at, content);
        at = text_put(at, TEXT("\r\n"));
    }
    at = text_put(at, text_of(connection_line(conn, closing)));
    ASSERT(at - out < HTTP_HEAD_ROOM);
    return (size_t)(at - out);
}

void http_conn_answered(struct net_conn *conn, bool closing)
{
    conn->upgrade = false;
    conn->served = true;
    conn->begun = false;
    if (closing) {
        conn_linger(conn);
        return;
    }
    conn->state = CONN_HEAD;
    if (conn->io->requesting != conn)
        conn->look = true; /* pipelined requests may be held */
    conn_since(conn);
    conn_note(conn);
}

int net_http_respond(struct net_conn *conn, int status, struct text headers, struct text body, unsigned flags)
{
    char head[HTTP_HEAD_ROOM];
    if (conn->state != CONN_PENDING || conn->doomed)
        return ERR_GONE;
    bool closing = (flags & NET_HTTP_CLOSE) || !conn->keep_alive || conn->eof || conn->last || conn->upgrade;
    if (flags & NET_HTTP_NO_BODY)
        body.len = 0;
    if (conn->h2_request)
        return h2_respond(conn, status, headers, body);
    size_t head_len = http_conn_format_head(conn, status, body.len, closing, head);
    if (conn->head_only || status == 204 || status == 304)
        body.len = 0;
    if (headers.len > OUT_MESSAGE_MAX / 4 || body.len > OUT_MESSAGE_MAX / 2)
        return ERR_TOO_LARGE;
    char *at = out_queue_append(&conn->io->pool, &conn->out, OUT_RAW, head_len + headers.len + 2 + body.len, 0);
    if (at == NULL) {
        conn_doom(conn, NET_END_LOST);
        return ERR_MEMORY;
    }
    memcpy(at, head, head_len);
    at += head_len;
    if (headers.len != 0)
        memcpy(at, headers.data, headers.len);
    at += headers.len;
    memcpy(at, "\r\n", 2);
    if (body.len != 0)
        memcpy(at + 2, body.data, body.len);
    http_conn_count_status(status);
    if (conn->upgrade)
        counter_add(COUNTER_ws_refused, 1);
    http_conn_answered(conn, closing);
    return 0;
}

void http_conn_refuse(struct net_conn *conn, int status, const char *reason)
{
    char body[256];
    int len = snprintf(body, sizeof(body), "{\"message\":\"%s\"}\n", reason);
    counter_add(COUNTER_http_bad_requests, 1);
    conn->state = CONN_PENDING;
    conn->upgrade = conn->old_http = false;
    struct text headers = status == 426 ? TEXT("Content-Type: application/json\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n")
                                        : TEXT("Content-Type: application/json\r\n");
    net_http_respond(conn, status, headers, text_make(body, (size_t)len), NET_HTTP_CLOSE);
}

/* ---- handing over ---- */

static bool address_trusted(void *context, struct text text)
{
    struct address address;
    return address_parse(text, &address) == 0 && io_is_trusted(context, &address);
}

/* Several X-Forwarded-For fields are one list (RFC 9110 5.3). */
static void find_client(struct net_conn *conn, const struct http_request *request)
{
    struct net_io *io = conn->io;
    char peer[ADDRESS_TEXT];
    size_t at = 0;
    struct text value;
    if (!io_is_trusted(io, &conn->peer))
        return;
    buf_clear(&io->scratch);
    io->scratch.limit = HTTP_HEAD_MAX * 2;
    while ((value = http_header_next(request, "X-Forwarded-For", &at)).data != NULL) {
        if (io->scratch.len != 0)
            buf_add(&io->scratch, ", ", 2);
        buf_add_text(&io->scratch, value);
    }
    if (io->scratch.len == 0 || io->scratch.failed)
        return;
    struct text client = forwarded_client(buf_text(&io->scratch), address_format(&conn->client, peer), address_trusted, io);
    struct address address;
    if (address_parse(client, &address) == 0)
        conn->client = address;
}

/* `request` is io->request. */
static void http_dispatch(struct net_conn *conn, const struct http_request *request, struct text body)
{
    struct net_io *io = conn->io;
    const struct net_events *events = &io->server->events;
    conn->state = CONN_PENDING;
    conn->begun = false;
    conn->keep_alive = request->keep_alive;
    conn->old_http = request->minor == 0;
    conn->upgrade = request->upgrade_websocket;
    if (io->server->trusted_count != 0)
        find_client(conn, request);
    if (conn->upgrade && !ws_conn_upgrade_valid(conn, request))
        return;
    io->requesting = conn;
    events->on_request(events->context, conn, request, body);
    io->requesting = NULL;
    if (conn->state == CONN_PENDING && conn->upgrade && ws_conn_upgrade_keep(conn, request) != 0)
        conn_doom(conn, NET_END_LOST);
}

/* ---- heads ---- */

size_t http_conn_body_limit(struct net_conn *conn, const struct http_request *request)
{
    const struct net_server *server = conn->io->server;
    return server->events.on_body_limit != NULL ? server->events.on_body_limit(server->events.context, conn, request)
                                                : server->config.body_max;
}

/* A request with a body. Returns the bytes taken. */
static size_t http_begin_body(struct net_conn *conn, const struct http_request *request, char *data, size_t len, size_t head)
{
    size_t limit = http_conn_body_limit(conn, request);
    uint64_t length = request->content_length > 0 ? (uint64_t)request->content_length : 0;
    if (!request->chunked && length > limit) {
        http_conn_refuse(conn, 413, "the request body is too large");
        return len;
    }
    if (!request->chunked && !request->gzip && !request->deflate && len - head >= length) {
        http_dispatch(conn, request, text_make(data + head, (size_t)length));
        return head + (size_t)length;
    }
    struct conn_extra *extra = conn_extra_get(conn);
    if (extra == NULL) {
        conn_doom(conn, NET_END_LOST);
        return len;
    }
    buf_init(&extra->head, HTTP_HEAD_MAX);
    buf_init(&extra->body, limit > SIZE_MAX - JSON_PADDING ? SIZE_MAX : limit + JSON_PADDING);
    if (buf_add(&extra->head, data, head) != 0) {
        conn_doom(conn, NET_END_LOST);
        return len;
    }
    extra->body_left = length;
    extra->body_max = limit;
    conn->chunked = request->chunked;
    http_chunked_init(&extra->chunked);
    conn->state = CONN_BODY;
    conn_since(conn);
    if (request->expect_continue && request->minor > 0 && len == head)
        http_conn_queue(conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    return head;
}

/* Answers that are not read stop the reading of requests. */
static bool backlog_full(struct net_conn *conn)
{
    if (conn->out.bytes > NET_HTTP_BACKLOG_MAX && !conn->blocked)
        conn_flush(conn);
    return conn->blocked || conn->doomed;
}

size_t http_conn_head(struct net_conn *conn, char *data, size_t len)
{
    struct http_request *request = &conn->io->request;
    const char *reason = "the request is not well formed";
    size_t seen = conn->extra != NULL ? conn->extra->held_seen : 0;
    if (backlog_full(conn))
        return 0;
    if (conn->served && !conn->begun && len >= 2 && data[0] == '\r' && data[1] == '\n')
        return 2; /* RFC 9112 2.2: old clients end a body with an empty line */
    if (!conn->begun) {
        conn->begun = true;
        conn_since(conn);
    }
    if (seen != 0 && seen < len && len <= HTTP_HEAD_MAX && memchr(data + seen, '\n', len - seen) == NULL)
        return 0; /* no line has ended since the last look: a byte at a time costs no parse at a time */
    int size = http_request_parse(data, len, request, &reason);
    conn->head_only = text_is(request->method, "HEAD"); /* a refusal of it has no body either */
    if (size == 0 && len > HTTP_HEAD_MAX)
        size = -431;
    if (size < 0) {
        http_conn_refuse(conn, -size, reason);
        return len;
    }
    if (size == 0)
        return 0;
    counter_add(COUNTER_http_requests, 1);
    if (request->content_length > 0 || request->chunked)
        return http_begin_body(conn, request, data, len, (size_t)size);
    http_dispatch(conn, request, TEXT_NONE);
    return (size_t)size;
}

/* ---- bodies ---- */

static int body_append(struct net_conn *conn, struct text run)
{
    struct conn_extra *extra = conn->extra;
    if (run.len > extra->body_max - extra->body.len)
        return 413;
    return buf_add_text(&extra->body, run) == 0 ? 0 : 503;
}

/* Returns 0 or an HTTP status. */
static int body_take(struct net_conn *conn, const char *data, size_t len, size_t *used, bool *done)
{
    struct conn_extra *extra = conn->extra;
    if (!conn->chunked) {
        *used = len < extra->body_left ? len : (size_t)extra->body_left;
        extra->body_left -= *used;
        *done = extra->body_left == 0;
        return body_append(conn, text_make(data, *used));
    }
    while (*used < len && !*done) {
        struct text run = TEXT_NONE;
        ptrdiff_t taken = http_chunked_feed(&extra->chunked, data + *used, len - *used, &run, done);
        if (taken < 0)
            return (int)-taken;
        int status = body_append(conn, run);
        if (status != 0)
            return status;
        if (taken == 0)
            break;
        *used += (size_t)taken;
    }
    return 0;
}

/* Content-Encoding is taken off. Returns 0 or an HTTP status. */
static int body_inflate(const struct http_request *request, size_t limit, struct buf *body)
{
    struct buf plain;
    if (!request->gzip && !request->deflate)
        return 0;
    buf_init(&plain, limit);
    int rc = inflate_body(request->gzip, buf_text(body), &plain);
    buf_fini(body);
    plain.limit = limit > SIZE_MAX - JSON_PADDING ? SIZE_MAX : limit + JSON_PADDING;
    *body = plain;
    return rc == 0 ? 0 : rc == ERR_TOO_LARGE ? 413 : rc == ERR_MEMORY ? 503 : 400;
}

static bool is_signed(const struct http_request *request)
{
    return http_header_get(request, "authorization").data != NULL || http_query_get(request->query, "X-Amz-Signature").data != NULL;
}

/* A signature covers the bytes that travelled, and they are gone once they are inflated. */
static void body_hash(struct http_request *request, const struct buf *body)
{
    if (!(request->gzip || request->deflate) || !is_signed(request))
        return;
    SHA256((const unsigned char *)(body->len != 0 ? body->data : ""), body->len, request->wire_sha256);
    request->wire_hashed = true;
}

void http_conn_complete(struct net_conn *conn, struct http_request *request, size_t limit, struct buf *body)
{
    body_hash(request, body);
    int status = body_inflate(request, limit, body);
    if (status == 0 && buf_reserve(body, JSON_PADDING) != 0)
        status = 503;
    if (status != 0)
        http_conn_refuse(conn, status, status == 413 ? "the request body is too large" : "the request body cannot be decoded");
    else
        http_dispatch(conn, request, buf_text(body));
}

static void body_done(struct net_conn *conn)
{
    struct http_request *request = &conn->io->request;
    size_t limit = conn->extra->body_max;
    /* Out of the connection's hands: on_request may answer, close, or begin anew. */
    struct buf head = conn->extra->head, body = conn->extra->body;
    memset(&conn->extra->head, 0, sizeof(head));
    memset(&conn->extra->body, 0, sizeof(body));
    int size = http_request_parse(head.data, head.len, request, NULL);
    ASSERT(size > 0 && (size_t)size == head.len); /* it was parsed when it came */
    http_conn_complete(conn, request, limit, &body);
    buf_fini(&head);
    buf_fini(&body);
}

size_t http_conn_body(struct net_conn *conn, char *data, size_t len)
{
    size_t used = 0;
    bool done = false;
    int status = body_take(conn, data, len, &used, &done);
    if (status != 0) {
        buf_fini(&conn->extra->body);
        http_conn_refuse(conn, status, status == 413 ? "the request body is too large" : "the request body is not well formed");
        return len;
    }
    if (done)
        body_done(conn);
    return used;
}
