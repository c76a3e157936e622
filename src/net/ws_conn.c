/*
 * WebSocket on a connection: the handshake (RFC 6455 4.2), messages both ways, control frames, the close handshake.
 *
 * Sending. net_ws_send writes header and payload back to back into the connection's chunk and leaves the rest to the end of the turn. The bound is looked at
 * before anything is encoded: a compressed message shares its window with those behind it and can no more be dropped once it is made. At
 * the bound the queue is flushed first, because a turn may well produce more than a bound while the socket is ready to take it all; only when the
 * socket is full does the policy of the API act. One message may pass the bound when nothing else waits, else a message larger than the bound could never be sent.
 *
 * A shared frame goes to the socket directly when nothing waits: in a broadcast's walk each member costs one send and no copy.
 *
 * Closing. Whoever begins, the server's FIN comes first (RFC 6455 7.1.1) and then the peer's is awaited, because closing a socket with
 * unread bytes resets it, and the reset overtakes the close frame.
 */
#include "net/conn.h"

#include "base/assert.h"
#include "base/counter.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sys/socket.h>

/* ---- control frames ---- */

static bool queue_control(struct net_conn *conn, enum ws_opcode opcode, const void *data, size_t len)
{
    uint8_t header[WS_SERVER_HEADER_MAX];
    size_t size = ws_header_format(header, opcode, true, false, len);
    char *at = out_queue_append(&conn->io->pool, &conn->out, OUT_FRAMES, size + len, 0);
    if (at == NULL) {
        conn_doom(conn, NET_END_LOST);
        return false;
    }
    memcpy(at, header, size);
    if (len != 0)
        memcpy(at + size, data, len);
    conn_note(conn);
    return true;
}

static void queue_close(struct net_conn *conn, int code, struct text reason)
{
    char payload[WS_CONTROL_MAX];
    if (code == WS_CLOSE_NO_STATUS) {
        queue_control(conn, WS_CLOSE, NULL, 0);
        return;
    }
    payload[0] = (char)(code >> 8);
    payload[1] = (char)code;
    if (reason.len != 0)
        memcpy(payload + 2, reason.data, reason.len);
    queue_control(conn, WS_CLOSE, payload, 2 + reason.len);
}

/* Each ping gets its pong while the socket takes them. When it does not, only the newest further ping is answered (RFC 6455 5.5.3). */
static void answer_ping(struct net_conn *conn, const char *data, size_t len)
{
    if (conn->out.controls >= NET_CONTROLS_MAX && !conn->blocked)
        conn_flush(conn);
    if (conn->doomed)
        return;
    if (conn->out.controls < NET_CONTROLS_MAX) {
        queue_control(conn, WS_PONG, data, len);
        return;
    }
    struct conn_extra *extra = conn_extra_get(conn);
    if (extra == NULL)
        return;
    extra->pong_late = true;
    extra->pong_len = (uint8_t)len;
    memcpy(extra->pong, data, len);
}

void ws_conn_progress(struct net_conn *conn)
{
    struct conn_extra *extra = conn->extra;
    if (extra == NULL || !extra->pong_late || conn->out.controls >= NET_CONTROLS_MAX)
        return;
    extra->pong_late = false;
    if (conn->state == CONN_OPEN && !conn->doomed)
        queue_control(conn, WS_PONG, extra->pong, extra->pong_len);
    if (conn->blocked)
        return;
    conn_flush(conn);
}

void ws_conn_ping(struct net_conn *conn)
{
    conn->ping_ms = loop_now_ms(conn->io->loop);
    if (conn->out.controls >= NET_CONTROLS_MAX)
        return; /* the answer to what waits will do as well */
    if (queue_control(conn, WS_PING, NULL, 0))
        counter_add(COUNTER_ws_pings_sent, 1);
}

/* ---- receiving ---- */

static enum ws_verdict on_message(void *context, bool binary, char *data, size_t len)
{
    struct net_conn *conn = context;
    struct net_io *io = conn->io;
    const struct net_events *events = &io->server->events;
    if (conn->state != CONN_OPEN)
        return WS_GO_ON; /* after our close frame only the peer's is of interest */
    io->messages_in++;
    conn->message_ms = conn->heard_ms;
    enum ws_verdict verdict = events->on_message(events->context, conn, binary, data, len);
    if (conn->doomed)
        return WS_STOP;
    if (conn->state != CONN_OPEN || verdict == WS_GO_ON)
        return WS_GO_ON;
    if (verdict == WS_PAUSE) {
        conn->paused = true;
        return WS_PAUSE;
    }
    conn_doom(conn, NET_END_SERVER);
    return WS_STOP;
}

/* The peer has answered our close frame, well or badly. */
static void close_answered(struct net_conn *conn)
{
    const struct conn_extra *extra = conn->extra;
    conn_linger(conn);
    conn_tell(
        conn, conn->end, conn->close_code, extra != NULL ? text_make(extra->reason, extra->reason_len) : TEXT_NONE);
}

static enum ws_verdict on_close_frame(struct net_conn *conn, int code, struct text reason)
{
    if (conn->state == CONN_OPEN) {
        queue_close(conn, code, TEXT_NONE);
        conn_linger(conn);
        conn_tell(conn, NET_END_CLIENT, code, reason);
    } else {
        close_answered(conn);
    }
    return WS_STOP;
}

static enum ws_verdict on_control(void *context, enum ws_opcode opcode, int close_code, char *data, size_t len)
{
    struct net_conn *conn = context;
    if (opcode == WS_CLOSE)
        return on_close_frame(conn, close_code, text_make(data, len));
    if (opcode == WS_PING && conn->state == CONN_OPEN)
        answer_ping(conn, data, len);
    return conn->doomed ? WS_STOP : WS_GO_ON;
}

static struct text violation_text(int code)
{
    switch (code) {
    case WS_CLOSE_UNSUPPORTED:
        return TEXT("binary messages are not accepted");
    case WS_CLOSE_INVALID_DATA:
        return TEXT("invalid data");
    case WS_CLOSE_TOO_LARGE:
        return TEXT("message too big");
    case WS_CLOSE_INTERNAL:
        return TEXT("internal error");
    default:
        return TEXT("protocol error");
    }
}

static void ws_violated(struct net_conn *conn, int code)
{
    counter_add(code == WS_CLOSE_TOO_LARGE ? COUNTER_ws_too_large : COUNTER_ws_protocol_errors, 1);
    struct text reason = violation_text(code);
    if (conn->state == CONN_OPEN) {
        queue_close(conn, code, reason);
        conn_linger(conn);
        conn_tell(conn, code == WS_CLOSE_INTERNAL ? NET_END_SERVER : NET_END_PROTOCOL, code, reason);
    } else {
        close_answered(conn); /* ours is out already, and a hard end would reset it away with what the peer still sends */
    }
}

size_t ws_conn_feed(struct net_conn *conn, char *data, size_t len)
{
    static const struct ws_events events = {on_message, on_control};
    size_t consumed = 0;
    bool stopped = false;
    conn->io->messages_in = 0;
    int code = ws_stream_feed(&conn->stream, &conn->ws->limits, data, len, &events, conn, &consumed, &stopped);
    counter_add(COUNTER_ws_messages_in, conn->io->messages_in);
    if (code != 0)
        ws_violated(conn, code);
    return code != 0 || stopped ? len : consumed;
}

/* ---- handshake ---- */

static bool key_valid(struct text key)
{
    unsigned char raw[18];
    if (key.len != 24 || key.data[22] != '=' || key.data[23] != '=')
        return false;
    if (EVP_DecodeBlock(raw, (const unsigned char *)key.data, 24) != 18)
        return false;
    static const char last[] = "AQgw"; /* 16 bytes leave four zero bits in the last digit */
    return memchr(last, key.data[21], 4) != NULL && text_find(text_make(key.data, 22), '=', 0) < 0;
}

/* The value of a field that may stand only once (RFC 6455 11.3.1 and 11.3.5); data NULL otherwise. */
static struct text single_header(const struct http_request *request, const char *name)
{
    size_t at = 0;
    struct text value = http_header_next(request, name, &at);
    return http_header_next(request, name, &at).data == NULL ? value : TEXT_NONE;
}

bool ws_conn_upgrade_valid(struct net_conn *conn, const struct http_request *request)
{
    int status = 400;
    const char *reason = NULL;
    struct text key = single_header(request, "Sec-WebSocket-Key");
    if (!text_is(request->method, "GET"))
        reason = "a WebSocket handshake is a GET";
    else if (request->minor < 1)
        reason = "a WebSocket handshake needs HTTP/1.1";
    else if (request->content_length > 0 || request->chunked)
        reason = "a WebSocket handshake has no body";
    else if (!text_is(single_header(request, "Sec-WebSocket-Version"), "13")) {
        status = 426;
        reason = "only version 13 of WebSocket is spoken here";
    } else if (!key_valid(key))
        reason = "Sec-WebSocket-Key must be 16 bytes in base64";
    if (reason == NULL)
        return true;
    counter_add(COUNTER_ws_refused, 1);
    http_conn_refuse(conn, status, reason);
    return false;
}

/* All offers as one list. */
static int collect_offers(const struct http_request *request, struct buf *out)
{
    size_t at = 0;
    struct text value;
    while ((value = http_header_next(request, "Sec-WebSocket-Extensions", &at)).data != NULL) {
        if (out->len != 0)
            buf_add(out, ", ", 2);
        buf_add_text(out, value);
    }
    return out->failed ? ERR_MEMORY : 0;
}

int ws_conn_upgrade_keep(struct net_conn *conn, const struct http_request *request)
{
    struct conn_extra *extra = conn_extra_get(conn);
    if (extra == NULL)
        return ERR_MEMORY;
    memcpy(extra->key, http_header_get(request, "Sec-WebSocket-Key").data, sizeof(extra->key));
    buf_init(&extra->offers, 2 * HTTP_HEAD_MAX);
    return collect_offers(request, &extra->offers);
}

static void accept_hash(const char key[24], char out[29])
{
    unsigned char hash[SHA_DIGEST_LENGTH];
    char input[60];
    memcpy(input, key, 24);
    memcpy(input + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    SHA1((const unsigned char *)input, sizeof(input), hash);
    EVP_EncodeBlock((unsigned char *)out, hash, sizeof(hash));
}

/* Appends the answer's value to `answer` when an offer is taken. */
static int negotiate(struct net_conn *conn, const struct net_ws_config *config, struct buf *answer)
{
    struct net_io *io = conn->io;
    struct ws_deflate *deflate = NULL;
    struct ws_deflate_params params;
    struct text offers;
    ws_stream_init(&conn->stream, NULL);
    if (!config->deflate.enabled)
        return 0;
    if (io->requesting == conn) {
        buf_clear(&io->scratch);
        io->scratch.limit = 2 * HTTP_HEAD_MAX;
        if (collect_offers(&io->request, &io->scratch) != 0)
            return ERR_MEMORY;
        offers = buf_text(&io->scratch);
    } else {
        offers = buf_text(&conn->extra->offers);
    }
    if (offers.len == 0 || ws_deflate_negotiate(&config->deflate, offers, &params, answer) != 1)
        return 0;
    if (ws_deflate_create(&deflate, &config->deflate, &params) != 0) {
        buf_clear(answer); /* without memory for it: without compression */
        return 0;
    }
    ws_stream_init(&conn->stream, deflate);
    conn->out.keep_compressed = !params.server_no_context_takeover;
    return 0;
}

static char *put(char *at, struct text text)
{
    if (text.len != 0)
        memcpy(at, text.data, text.len);
    return at + text.len;
}

static int queue_101(struct net_conn *conn, const char *key, struct text extension, struct text subprotocol, struct text extra)
{
    static const struct text head = {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
        sizeof("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ") - 1};
    static const struct text protocol = {"Sec-WebSocket-Protocol: ", 24}, extensions = {"Sec-WebSocket-Extensions: ", 26};
    static const struct text line = {"\r\n", 2};
    char hash[29];
    size_t len = head.len + 28 + 2 + 2 + extra.len;
    len += subprotocol.len != 0 ? protocol.len + subprotocol.len + 2 : 0;
    len += extension.len != 0 ? extensions.len + extension.len + 2 : 0;
    char *at = out_queue_append(&conn->io->pool, &conn->out, OUT_RAW, len, 0);
    if (at == NULL)
        return ERR_MEMORY;
    accept_hash(key, hash);
    at = put(put(put(at, head), text_make(hash, 28)), line);
    if (subprotocol.len != 0)
        at = put(put(put(at, protocol), subprotocol), line);
    if (extension.len != 0)
        at = put(put(put(at, extensions), extension), line);
    put(put(at, extra), line);
    return 0;
}

static void ws_opened(struct net_conn *conn, const struct net_ws_config *config)
{
    conn->state = CONN_OPEN;
    conn->was_ws = true;
    conn->ws = config;
    conn->message_ms = conn->heard_ms = loop_now_ms(conn->io->loop);
    conn->ping_ms = 0;
    counter_add(COUNTER_ws_connects, 1);
    counter_add(COUNTER_ws_connections, 1);
    if (conn->extra != NULL) {
        buf_fini(&conn->extra->offers);
        conn->look = conn->extra->held.len != 0;
    }
    loop_timer_stop(conn->io->loop, &conn->timer);
    conn_since(conn);
    conn_note(conn);
}

int net_ws_accept(struct net_conn *conn, const struct net_ws_config *config, struct text subprotocol, struct text extra)
{
    struct net_io *io = conn->io;
    struct buf answer;
    if (conn->state != CONN_PENDING || !conn->upgrade || conn->doomed)
        return ERR_GONE;
    if (extra.len > HTTP_HEAD_MAX || subprotocol.len > HTTP_HEAD_MAX)
        return ERR_TOO_LARGE;
    buf_init(&answer, 1024);
    const char *key = io->requesting == conn ? http_header_get(&io->request, "Sec-WebSocket-Key").data : conn->extra->key;
    int rc = negotiate(conn, config, &answer);
    if (rc == 0)
        rc = io_order_add(io, conn);
    if (rc == 0 && (rc = queue_101(conn, key, buf_text(&answer), subprotocol, extra)) != 0)
        io_order_leave(io, conn);
    buf_fini(&answer);
    if (rc != 0) {
        conn_doom(conn, NET_END_LOST);
        return rc;
    }
    ws_opened(conn, config);
    if (io->draining)
        net_ws_close(conn, NET_END_DRAIN, WS_CLOSE_GOING_AWAY, TEXT("retry"));
    return 0;
}

/* ---- sending ---- */

static inline bool queue_fits(const struct net_conn *conn, size_t len, uint32_t messages)
{
    const struct out_queue *out = &conn->out;
    return (out->bytes + len <= conn->ws->queue_bytes_max && out->messages + messages <= conn->ws->queue_messages_max) ||
        out->bytes == 0;
}

static void slow_disconnect(struct net_conn *conn)
{
    uint32_t dropped;
    while ((dropped = out_queue_drop_oldest(&conn->io->pool, &conn->out, NULL)) != 0)
        counter_add(COUNTER_ws_slow_dropped, dropped);
    counter_add(COUNTER_ws_slow_closed, 1);
    net_ws_close(conn, NET_END_SLOW, WS_CLOSE_TRY_LATER, TEXT("too slow"));
}

static bool drop_until_fits(struct net_conn *conn, size_t len, uint32_t messages, const struct net_frame *except)
{
    while (!queue_fits(conn, len, messages)) {
        uint32_t dropped = out_queue_drop_oldest(&conn->io->pool, &conn->out, except);
        if (dropped == 0)
            return false;
        counter_add(COUNTER_ws_slow_dropped, dropped);
    }
    return true;
}

/* The bound is met. 0: there is room now; 1: the frame has taken its predecessor's place; ERR_FULL or ERR_GONE. */
static int make_room(struct net_conn *conn, size_t len, uint32_t messages, struct net_frame *frame, uint64_t key)
{
    if (!conn->blocked)
        conn_flush(conn);
    if (conn->doomed)
        return ERR_GONE;
    if (queue_fits(conn, len, messages))
        return 0;
    if (conn->ws->slow == NET_SLOW_DISCONNECT) {
        slow_disconnect(conn);
        return ERR_FULL;
    }
    conn_note(conn); /* the gauges */
    if (conn->ws->slow == NET_SLOW_LATEST && key != 0) {
        uint32_t replaced = out_queue_replace(&conn->io->pool, &conn->out, frame, key);
        if (replaced != 0) {
            counter_add(COUNTER_ws_slow_replaced, replaced);
            drop_until_fits(conn, 0, 0, frame);
            return 1;
        }
    }
    if (drop_until_fits(conn, len, messages, NULL))
        return 0;
    counter_add(COUNTER_ws_slow_dropped, messages);
    return ERR_FULL;
}

static inline size_t header_put(char *at, unsigned first, size_t len)
{
    uint8_t *head = (uint8_t *)at;
    head[0] = (uint8_t)first;
    if (len < 126) {
        head[1] = (uint8_t)len;
        return 2;
    }
    if (len < 65536) {
        head[1] = 126;
        head[2] = (uint8_t)(len >> 8);
        head[3] = (uint8_t)len;
        return 4;
    }
    head[1] = 127;
    for (int i = 0; i < 8; i++)
        head[2 + i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
    return 10;
}

static inline size_t header_size(size_t len)
{
    return len < 126 ? 2 : len < 65536 ? 4 : 10;
}

static inline void count_out(struct net_conn *conn, uint32_t messages, size_t bytes)
{
    struct net_ws_totals *totals = conn->ws->totals;
    counter_add(COUNTER_ws_messages_out, messages);
    if (totals == NULL)
        return;
    net_ws_count(&totals[conn->io->index].messages_out, messages);
    net_ws_count(&totals[conn->io->index].bytes_out, bytes);
}

/* first: the frame's first byte. There is room. */
static int queue_message(struct net_conn *conn, unsigned first, const void *data, size_t len)
{
    char *at = out_queue_append(&conn->io->pool, &conn->out, OUT_FRAMES, header_size(len) + len, 1);
    if (at == NULL)
        return ERR_MEMORY;
    at += header_put(at, first, len);
    if (len != 0)
        memcpy(at, data, len);
    count_out(conn, 1, header_size(len) + len);
    if (!conn->noted)
        conn_note(conn);
    return 0;
}

static int send_compressed(struct net_conn *conn, enum ws_opcode opcode, const void *data, size_t len)
{
    struct buf *scratch = &conn->io->scratch;
    buf_clear(scratch);
    scratch->limit = ws_deflate_bound(len);
    int rc = ws_deflate_deflate(conn->stream.deflate, data, len, scratch);
    if (rc == 0)
        rc = queue_message(conn, 0xc0u | opcode, scratch->data, scratch->len);
    if (rc != 0)
        conn_doom(conn, NET_END_SERVER); /* the window has moved and the peer's has not */
    if (scratch->cap > NET_READ_MAX)
        buf_fini(scratch);
    return rc;
}

int net_ws_send(struct net_conn *conn, enum ws_opcode opcode, const void *data, size_t len)
{
    ASSERT(opcode == WS_TEXT || opcode == WS_BINARY);
    if (conn->state != CONN_OPEN || conn->doomed)
        return ERR_GONE;
    if (len > OUT_MESSAGE_MAX / 2)
        return ERR_TOO_LARGE;
    if (!queue_fits(conn, len + WS_SERVER_HEADER_MAX, 1)) {
        int rc = make_room(conn, len + WS_SERVER_HEADER_MAX, 1, NULL, 0);
        if (rc != 0)
            return rc;
    }
    if (conn->stream.deflate != NULL && ws_deflate_wants(conn->stream.deflate, len))
        return send_compressed(conn, opcode, data, len);
    return queue_message(conn, 0x80u | opcode, data, len);
}

static int queue_frame(struct net_conn *conn, struct net_frame *frame, size_t sent, uint64_t key)
{
    if (out_queue_append_frame(&conn->io->pool, &conn->out, frame, sent, key) != 0)
        return ERR_MEMORY;
    count_out(conn, frame->messages, frame->len);
    conn_note(conn);
    return 0;
}

/* Straight to the socket. */
static int send_frame_now(struct net_conn *conn, struct net_frame *frame, uint64_t key)
{
    ssize_t sent = send(conn->source.fd, frame->data, frame->len, MSG_NOSIGNAL);
    if (sent == (ssize_t)frame->len) {
        counter_add(COUNTER_net_bytes_out, sent);
        count_out(conn, frame->messages, frame->len);
        return 0;
    }
    if (sent < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
        conn_doom(conn, NET_END_LOST);
        return ERR_GONE;
    }
    conn->blocked = true;
    if (sent > 0)
        counter_add(COUNTER_net_bytes_out, sent);
    int rc = queue_frame(conn, frame, sent > 0 ? (size_t)sent : 0, key);
    if (rc != 0)
        conn_doom(conn, NET_END_LOST); /* half a frame is out */
    return rc;
}

int net_ws_send_frame(struct net_conn *conn, struct net_frame *frame, uint64_t key)
{
    if (conn->state != CONN_OPEN || conn->doomed)
        return ERR_GONE;
    if (conn->out.bytes == 0 && !conn->blocked && !conn->secure)
        return send_frame_now(conn, frame, key);
    if (!queue_fits(conn, frame->len, frame->messages)) {
        int rc = make_room(conn, frame->len, frame->messages, frame, key);
        if (rc == 1) {
            count_out(conn, frame->messages, frame->len);
            return 0;
        }
        if (rc != 0)
            return rc;
    }
    return queue_frame(conn, frame, 0, key);
}

/* ---- closing ---- */

/* At most 123 bytes, and no half characters. */
static struct text reason_cut(struct text reason)
{
    size_t len = reason.len;
    if (len > WS_CONTROL_MAX - 2) {
        len = WS_CONTROL_MAX - 2;
        while (len > 0 && ((unsigned char)reason.data[len] & 0xc0) == 0x80)
            len--;
    }
    return text_make(reason.data, len);
}

void net_ws_close(struct net_conn *conn, enum net_end how, int code, struct text reason)
{
    if (conn->state != CONN_OPEN || conn->doomed)
        return;
    if (code == WS_CLOSE_ABNORMAL) {
        conn_doom(conn, how);
        return;
    }
    reason = reason_cut(reason);
    queue_close(conn, code, reason);
    conn->end = (uint8_t)how;
    conn->close_code = (uint16_t)code;
    struct conn_extra *extra = conn_extra_get(conn);
    if (extra != NULL && code != WS_CLOSE_NO_STATUS) {
        extra->reason_len = (uint8_t)reason.len;
        if (reason.len != 0)
            memcpy(extra->reason, reason.data, reason.len);
    }
    if (conn->doomed)
        return;
    conn->state = CONN_CLOSING;
    conn->paused = false;
    conn->look = true;
    conn_since(conn);
    conn_note(conn);
}
