/*
 * Frames, by nghttp2. This file feeds it what was received, takes what it wants to send, and turns its callbacks into requests (h2_stream.c). The
 * library keeps the rules of the protocol: pseudo-header fields, lengths, windows, states, HPACK. Ours are the bounds.
 *
 * When. Bytes are fed as they are read; what must be sent is taken when the connection settles, so a turn's frames leave in one send, as everywhere in
 * the core. Frames are made only H2_OUT_MAX ahead of the socket; the rest lies as answers, where it is counted.
 *
 * Re-entrance. nghttp2 calls back from nghttp2_session_mem_recv (reading) and nghttp2_session_mem_send (settling): both are the loop's. So a request may be
 * handed over, and end, inside a callback; a connection never ends there, it is doomed or broken off and settles later.
 *
 * Floods. A peer that opens and resets (CVE-2023-44487), pings, changes settings, or sends frames without content (CVE-2024-27316) costs us more than itself.
 * Each such frame takes one from a budget that refills with time; without budget the connection ends with ENHANCE_YOUR_CALM. nghttp2 has limits of its own for some of
 * these; they differ between its versions, and this one does not.
 */
#include "net/h2.h"

#include "base/counter.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- bounds ---- */

static void give_up(struct h2_session *session, uint32_t code)
{
    if (session->broken)
        return;
    session->last = session->broken = true;
    nghttp2_session_terminate_session(session->h2, code);
    conn_note(session->conn);
}

/* A frame that costs us more than it brings. */
static void noise(struct h2_session *session)
{
    int64_t now = loop_now_ms(session->conn->io->loop);
    session->noise += (now - session->noise_ms) * H2_NOISE_PER_SECOND;
    session->noise_ms = now;
    if (session->noise > (int64_t)H2_NOISE_MAX * 1000)
        session->noise = (int64_t)H2_NOISE_MAX * 1000;
    session->noise -= 1000;
    if (session->noise >= 0 || session->broken)
        return;
    counter_add(COUNTER_h2_floods, 1);
    give_up(session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static bool is_noise(const nghttp2_frame_hd *hd)
{
    switch (hd->type) {
    case NGHTTP2_DATA:
        return hd->length == 0 && !(hd->flags & NGHTTP2_FLAG_END_STREAM);
    case NGHTTP2_HEADERS:
    case NGHTTP2_WINDOW_UPDATE: /* as many as there are answers to be read */
    case NGHTTP2_GOAWAY:
        return false;
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PING:
        return !(hd->flags & NGHTTP2_FLAG_ACK);
    default: /* RST_STREAM, PRIORITY, CONTINUATION, what is not known */
        return true;
    }
}

/* ---- callbacks: frames in ---- */

static int on_begin_frame(nghttp2_session *h2, const nghttp2_frame_hd *hd, void *context)
{
    (void)h2;
    if (is_noise(hd))
        noise(context);
    if (hd->type == NGHTTP2_RST_STREAM)
        counter_add(COUNTER_h2_resets, 1);
    return 0;
}

static bool is_request(const nghttp2_frame *frame)
{
    return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *context)
{
    struct h2_session *session = context;
    (void)h2;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    h2_head_clear(&session->head);
    session->head_ms = loop_now_ms(session->conn->io->loop);
    conn_timer_touch(session->conn);
    return 0;
}

/* Of trailers only the size matters. */
static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len,
    uint8_t flags, void *context)
{
    struct h2_session *session = context;
    (void)h2, (void)flags, (void)frame;
    if (!h2_head_field(&session->head, text_make(name, name_len), text_make(value, value_len))) {
        counter_add(COUNTER_h2_floods, 1);
        give_up(session, NGHTTP2_ENHANCE_YOUR_CALM);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return 0;
}

static void begin_request(struct h2_session *session, const nghttp2_frame *frame)
{
    int32_t id = frame->hd.stream_id;
    struct h2_stream *stream = session->last ? NULL : h2_stream_create(session, id);
    if (stream == NULL) {
        nghttp2_submit_rst_stream(session->h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
        return;
    }
    session->conn->served = true;
    nghttp2_session_set_stream_user_data(session->h2, id, stream);
    h2_stream_begin(stream, (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *context)
{
    struct h2_session *session = context;
    if (frame->hd.type == NGHTTP2_HEADERS)
        session->head_ms = 0;
    if (is_request(frame)) {
        begin_request(session, frame);
    } else if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        struct h2_stream *stream = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
        if (stream != NULL)
            h2_stream_complete(stream);
    }
    return 0;
}

static int on_invalid_frame(nghttp2_session *h2, const nghttp2_frame *frame, int code, void *context)
{
    struct h2_session *session = context;
    (void)h2, (void)code;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        session->head_ms = 0;
        counter_add(COUNTER_http_bad_requests, 1);
    }
    noise(session);
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *context)
{
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(h2, id);
    (void)flags, (void)context;
    nghttp2_session_consume_connection(h2, len);
    if (stream != NULL)
        h2_stream_data(stream, data, len);
    return 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t id, uint32_t code, void *context)
{
    struct h2_session *session = context;
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(h2, id);
    (void)code;
    if (stream == NULL)
        return 0;
    nghttp2_session_set_stream_user_data(h2, id, NULL);
    stream->closed = true;
    h2_stream_destroy(stream);
    if (session->stream_count == 0)
        conn_since(session->conn); /* idle from here */
    return 0;
}

/* ---- callbacks: frames out ---- */

static ssize_t on_read_answer(nghttp2_session *h2, int32_t id, uint8_t *out, size_t len, uint32_t *flags, nghttp2_data_source *source, void *context)
{
    bool end;
    (void)h2, (void)id, (void)context;
    size_t n = h2_stream_read(source->ptr, out, len, &end);
    if (n == 0 && !end)
        return NGHTTP2_ERR_DEFERRED;
    if (end)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

/* The answer is out; a body that nobody waited for need not come (RFC 9113 8.1). It is told a moment later: clients that find the answer and
   RST_STREAM in one read (Node, curl) forget the answer. Meanwhile the windows bound what still comes. */
static int on_frame_sent(nghttp2_session *h2, const nghttp2_frame *frame, void *context)
{
    struct h2_session *session = context;
    bool answer = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (!answer || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) || nghttp2_session_get_stream_remote_close(h2, frame->hd.stream_id) != 0)
        return 0;
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    struct net_io *io = session->conn->io;
    if (stream != NULL)
        loop_timer_set(io->loop, &stream->unheard, loop_now_ms(io->loop) + io->server->config.close_timeout_ms);
    return 0;
}

void h2_unheard(struct loop *loop, struct loop_timer *timer)
{
    struct h2_stream *stream = LIST_ENTRY(timer, struct h2_stream, unheard);
    (void)loop;
    nghttp2_submit_rst_stream(stream->session->h2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
    conn_note(stream->session->conn);
}

static int on_frame_not_sent(nghttp2_session *h2, const nghttp2_frame *frame, int code, void *context)
{
    (void)context, (void)code;
    if (frame->hd.type == NGHTTP2_HEADERS)
        nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_INTERNAL_ERROR);
    return 0;
}

/* ---- the session ---- */

static int session_new(struct h2_session *session)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int rc = nghttp2_session_callbacks_new(&callbacks);
    if (rc == 0)
        rc = nghttp2_option_new(&option);
    if (rc == 0) {
        nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
        nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_sent);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1);
        rc = nghttp2_session_server_new2(&session->h2, callbacks, session, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return rc;
}

static int session_greet(struct h2_session *session)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEAD_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    int rc = nghttp2_submit_settings(session->h2, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(*settings));
    return rc != 0 ? rc : nghttp2_session_set_local_window_size(session->h2, NGHTTP2_FLAG_NONE, 0, H2_WINDOW_CONNECTION);
}

void h2_session_destroy(struct h2_session *session)
{
    if (session == NULL)
        return;
    while (!list_empty(&session->streams))
        h2_stream_destroy(LIST_ENTRY(session->streams.next, struct h2_stream, link));
    nghttp2_session_del(session->h2);
    h2_head_fini(&session->head);
    counter_add(COUNTER_h2_connections, -1);
    free(session);
}

int h2_start(struct net_conn *conn)
{
    struct conn_extra *extra = conn_extra_get(conn);
    struct h2_session *session = extra != NULL ? calloc(1, sizeof(*session)) : NULL;
    if (session == NULL)
        return ERR_MEMORY;
    session->conn = conn;
    session->noise = (int64_t)H2_NOISE_MAX * 1000;
    session->noise_ms = loop_now_ms(conn->io->loop);
    list_init(&session->streams);
    h2_head_init(&session->head);
    counter_add(COUNTER_h2_connections, 1);
    if (session_new(session) != 0 || session_greet(session) != 0) {
        h2_session_destroy(session);
        return ERR_MEMORY;
    }
    extra->h2 = session;
    conn->h2 = true;
    conn->state = CONN_H2;
    conn_since(conn);
    conn_note(conn);
    return 0;
}

/* The library cannot go on. Frames in the queue are whole, so a last one may follow them. */
static void break_off(struct net_conn *conn, int code)
{
    unsigned char goodbye[] = {0, 0, 8, NGHTTP2_GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NGHTTP2_PROTOCOL_ERROR};
    int32_t last = nghttp2_session_get_last_proc_stream_id(conn->extra->h2->h2);
    for (int i = 0; i < 4; i++)
        goodbye[9 + i] = (unsigned char)((uint32_t)last >> (24 - 8 * i));
    if (code == NGHTTP2_ERR_FLOODED) {
        counter_add(COUNTER_h2_floods, 1);
        goodbye[16] = NGHTTP2_ENHANCE_YOUR_CALM;
    } else if (code == NGHTTP2_ERR_NOMEM) {
        goodbye[16] = NGHTTP2_INTERNAL_ERROR;
    }
    http_conn_queue(conn, goodbye, sizeof(goodbye));
    conn->extra->h2->last = conn->extra->h2->broken = true;
    conn_linger(conn);
}

size_t h2_feed(struct net_conn *conn, const char *data, size_t len)
{
    struct h2_session *session = conn->extra->h2;
    ssize_t used = nghttp2_session_mem_recv(session->h2, (const uint8_t *)data, len);
    if (used < 0)
        break_off(conn, (int)used);
    conn_note(conn);
    return len;
}

/* ---- settling ---- */

static void request_settle(struct net_conn *conn)
{
    struct h2_stream *stream = conn->stream_h2;
    if (conn->state == CONN_POUR && !conn->doomed && stream->room) {
        stream->room = false;
        if (stream->answer.len == 0 && stream->pour.on_room != NULL)
            stream->pour.on_room(stream->pour.context, conn);
    }
    if (conn->doomed || conn->state == CONN_LINGER)
        conn_end(conn);
}

/* Frames for the socket, a bounded stretch ahead of it. */
static void make_frames(struct net_conn *conn, struct h2_session *session)
{
    const uint8_t *data;
    while (conn->out.bytes < H2_OUT_MAX && !conn->doomed) {
        ssize_t len = nghttp2_session_mem_send(session->h2, &data);
        if (len == 0)
            return;
        if (len < 0)
            conn_doom(conn, NET_END_LOST);
        else
            http_conn_queue(conn, data, (size_t)len);
    }
}

static bool finished(const struct h2_session *session)
{
    return !nghttp2_session_want_read(session->h2) && !nghttp2_session_want_write(session->h2);
}

static void finish(struct net_conn *conn)
{
    struct h2_session *session = conn->extra->h2;
    conn->extra->h2 = NULL;
    h2_session_destroy(session);
    conn_linger(conn);
}

static void session_settle(struct net_conn *conn)
{
    struct h2_session *session = conn->extra->h2;
    for (int flushes = 0; !conn->blocked && !conn->doomed; flushes++) {
        if (flushes == H2_FLUSHES_MAX) {
            conn->blocked = true; /* as if: the loop comes back when it has looked at the others */
            return;
        }
        h2_streams_go_on(session);
        make_frames(conn, session);
        if (conn->out.bytes == 0)
            break;
        conn_flush(conn);
        if (conn->out.bytes != 0)
            return;
    }
    if (conn->doomed || conn->blocked)
        return;
    if (finished(session))
        finish(conn);
    else if (conn->eof && session->stream_count == 0)
        conn_doom(conn, NET_END_CLIENT);
}

void h2_settle(struct net_conn *conn)
{
    if (conn->h2_request) {
        request_settle(conn);
        return;
    }
    if (conn->state == CONN_H2) {
        session_settle(conn);
    } else if (conn->state == CONN_LINGER && conn->extra != NULL && conn->extra->h2 != NULL) { /* broken off */
        struct h2_session *session = conn->extra->h2;
        conn->extra->h2 = NULL;
        h2_session_destroy(session);
    }
}

/* ---- the life of the connection ---- */

void h2_ended(struct net_conn *conn)
{
    struct h2_session *session = conn->extra != NULL ? conn->extra->h2 : NULL;
    if (session == NULL)
        return;
    conn->extra->h2 = NULL;
    h2_session_destroy(session);
}

void h2_eof(struct net_conn *conn)
{
    struct list *streams = &conn->extra->h2->streams;
    for (struct list *node = streams->next; node != streams; node = node->next) { /* who listens for minutes does not close his side first */
        struct h2_stream *stream = LIST_ENTRY(node, struct h2_stream, link);
        if (stream->conn != NULL && stream->conn->state == CONN_POUR)
            conn_doom(stream->conn, NET_END_CLIENT);
    }
    conn_note(conn); /* it ends when nobody waits for an answer any more */
}

void h2_drain(struct net_conn *conn)
{
    struct h2_session *session = conn->extra->h2;
    conn->last = true;
    if (session->last)
        return;
    session->last = true;
    nghttp2_submit_goaway(session->h2, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session->h2), NGHTTP2_NO_ERROR, NULL, 0);
    conn_note(conn);
}

int64_t h2_deadline(const struct net_conn *conn)
{
    const struct net_config *config = &conn->io->server->config;
    const struct h2_session *session = conn->extra->h2;
    int64_t due = 0;
    if (conn->out.bytes != 0 || session->unsent != 0)
        due = conn->since_ms + config->body_timeout_ms; /* since the last byte went out */
    else if (session->stream_count == 0)
        due = conn->since_ms + config->keep_alive_ms;
    if (session->head_ms != 0 && (due == 0 || session->head_ms + config->head_timeout_ms < due))
        due = session->head_ms + config->head_timeout_ms;
    return due;
}

void h2_expired(struct net_conn *conn)
{
    struct h2_session *session = conn->extra->h2;
    if (session->stream_count != 0 || session->head_ms != 0 || conn->out.bytes != 0 || session->broken) {
        conn_doom(conn, NET_END_TIMEOUT);
        return;
    }
    give_up(session, NGHTTP2_NO_ERROR);
}

/* ---- what h2_stream.c asks for ---- */

void h2_give_window(struct h2_stream *stream, size_t bytes)
{
    if (bytes != 0)
        nghttp2_session_consume_stream(stream->session->h2, stream->id, bytes);
}

void h2_widen_window(struct h2_stream *stream)
{
    nghttp2_session_set_local_window_size(stream->session->h2, NGHTTP2_FLAG_NONE, stream->id, H2_WINDOW_GRANTED);
}

static nghttp2_nv pair(const char *name, struct text value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value.data, strlen(name), value.len, NGHTTP2_NV_FLAG_NONE};
}

void h2_continue(struct h2_stream *stream)
{
    nghttp2_nv status = pair(":status", TEXT("100"));
    nghttp2_submit_headers(stream->session->h2, NGHTTP2_FLAG_NONE, stream->id, NULL, &status, 1, NULL);
}

void h2_reset(struct h2_stream *stream)
{
    if (stream->closed)
        return;
    nghttp2_submit_rst_stream(stream->session->h2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
    conn_note(stream->session->conn);
}

void h2_resume(struct h2_stream *stream)
{
    stream->deferred = false;
    if (!stream->closed)
        nghttp2_session_resume_data(stream->session->h2, stream->id); /* an error: nothing was deferred */
    conn_note(stream->session->conn);
}

/* ---- answers ---- */

/* Our fields, then the caller's. Returns their number, or ERR_TOO_LARGE. */
static int answer_fields(nghttp2_nv *nv, const char *status, const char *date, const char *length, struct text headers, char *lower)
{
    struct text name, value;
    int count = 0;
    nv[count++] = pair(":status", text_of(status));
    nv[count++] = pair("date", text_of(date));
    if (length[0] != '\0')
        nv[count++] = pair("content-length", text_of(length));
    for (size_t at = 0; h2_answer_next(headers, &at, lower, &name, &value); lower += name.len) {
        if (count == H2_ANSWER_FIELDS_MAX)
            return ERR_TOO_LARGE;
        nv[count++] = (nghttp2_nv){(uint8_t *)(uintptr_t)name.data, (uint8_t *)(uintptr_t)value.data, name.len, value.len, NGHTTP2_NV_FLAG_NONE};
    }
    return count;
}

static int submit(struct h2_stream *stream, int status, struct text headers, size_t content)
{
    nghttp2_nv nv[H2_ANSWER_FIELDS_MAX];
    char number[16], length[24] = "";
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = on_read_answer};
    snprintf(number, sizeof(number), "%d", status);
    if (status >= 200 && status != 204 && status != 304 && content != HTTP_CONTENT_OPEN) /* RFC 9110 8.6 */
        snprintf(length, sizeof(length), "%zu", content);
    char *lower = malloc(headers.len + 1);
    if (lower == NULL)
        return ERR_MEMORY;
    int count = answer_fields(nv, number, io_date(stream->session->conn->io), length, headers, lower);
    int rc = count < 0 ? count : nghttp2_submit_response(stream->session->h2, stream->id, nv, (size_t)count, stream->answer.len != 0 || stream->pouring ? &provider : NULL);
    free(lower); /* the fields were copied */
    return rc == NGHTTP2_ERR_NOMEM ? ERR_MEMORY : rc < 0 && count >= 0 ? ERR_GONE : rc;
}

int h2_respond(struct net_conn *conn, int status, struct text headers, struct text body)
{
    struct h2_stream *stream = conn->stream_h2;
    struct h2_session *session = stream->session;
    size_t content = body.len;
    if (conn->head_only || status == 204 || status == 304)
        body.len = 0;
    buf_init(&stream->answer, body.len);
    int rc = headers.len > H2_ANSWER_HEAD_MAX || body.len > OUT_MESSAGE_MAX / 2 ? ERR_TOO_LARGE : buf_add_text(&stream->answer, body);
    if (rc == 0)
        rc = submit(stream, status, headers, content);
    if (rc != 0) {
        buf_fini(&stream->answer);
        conn_doom(conn, NET_END_LOST); /* a reset; else the peer would wait for ever */
        return rc;
    }
    session->unsent += body.len;
    counter_add(COUNTER_net_queue_bytes, (int64_t)body.len);
    http_conn_count_status(status);
    if (session->unsent == body.len)
        conn_since(session->conn); /* the clock of answers that do not move starts with the first */
    conn->state = CONN_LINGER; /* it goes when it settles; the stream stays until the answer is out */
    conn_note(conn);
    conn_note(session->conn);
    return 0;
}

int h2_pour_begin(struct net_conn *conn, int status, struct text headers, const struct net_pour *pour)
{
    struct h2_stream *stream = conn->stream_h2;
    if (headers.len > H2_ANSWER_HEAD_MAX)
        return ERR_TOO_LARGE;
    buf_init(&stream->answer, OUT_MESSAGE_MAX);
    stream->pouring = true;
    stream->pour = *pour;
    int rc = submit(stream, status, headers, HTTP_CONTENT_OPEN);
    if (rc != 0) {
        stream->pouring = false;
        conn_doom(conn, NET_END_LOST); /* a reset; else the peer would wait for ever */
        return rc;
    }
    http_conn_count_status(status);
    conn->state = CONN_POUR;
    conn_note(stream->session->conn);
    return 0;
}
