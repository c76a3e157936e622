/*
 * What received bytes mean, state by state, and where they wait when nobody can take them now.
 *
 * The usual path copies nothing: the thread's read buffer goes to the layer of the state, which takes all of it. What is left (a partial head, what came
 * after a request that is not answered yet, what came after WS_PAUSE) is held in a buffer of the connection. Reading stops while something is held that cannot be
 * taken, so the hold is bounded by one read beside a partial head.
 *
 * The first bytes decide: a PROXY header where one is due, 0x16 is a TLS record, "PRI * HTTP/2.0" is HTTP/2 with prior knowledge, the rest
 * HTTP/1. Inside TLS the same question is asked again for the decrypted bytes.
 */
#include "net/h2.h"

#include "base/counter.h"
#include "base/json.h" /* JSON_PADDING */

#include <stdlib.h>
#include <sys/socket.h>

bool conn_stalled(const struct net_conn *conn)
{
    if (conn->doomed)
        return true;
    switch (conn->state) {
    case CONN_OPEN:
        return conn->paused;
    case CONN_PENDING:
    case CONN_POUR:
        return conn->extra != NULL && conn->extra->held.len != 0;
    case CONN_HEAD:
    case CONN_H2: /* a peer that takes nothing is not heard: each of its frames may ask for one of ours */
        return conn->blocked && conn->out.bytes != 0;
    default:
        return false;
    }
}

/* ---- the first bytes ---- */

static const char h2_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static size_t start_tls(struct net_conn *conn, const char *data, size_t len)
{
    struct tls_context *context = conn->io->server->config.tls;
    struct conn_extra *extra = context != NULL ? conn_extra_get(conn) : NULL;
    if (extra == NULL || tls_session_create(context, conn->source.fd, text_make(data, len), &extra->tls) != 0) {
        conn_doom(conn, NET_END_LOST);
        return len;
    }
    conn->secure = true;
    conn->look = true; /* the whole hello may be in the prefix, and the socket never become readable */
    conn_since(conn);
    conn_note(conn);
    return len;
}

/* The answer is for people who mistyped an address; whatever else was sent is not looked at. It fits into the buffer of a socket that has sent nothing yet. */
static size_t refuse_plain(struct net_conn *conn, size_t len)
{
    static const char answer[] = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.2\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 32\r\n\r\nThis address speaks TLS: https:\n";
    counter_add(COUNTER_net_plain_refused, 1);
    if (send(conn->source.fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        /* Then it is only closed. */
    }
    conn_doom(conn, NET_END_LOST);
    return len;
}

static size_t start_proxy(struct net_conn *conn, const char *data, size_t len)
{
    char source[46] = "";
    uint16_t port;
    int size = proxy_header_parse(data, len, source, &port);
    if (size < 0 || (source[0] != '\0' && address_parse(text_of(source), &conn->client) != 0)) {
        conn_doom(conn, NET_END_LOST);
        return len;
    }
    if (size > 0)
        conn->proxy = false;
    return (size_t)size;
}

static size_t conn_sniff(struct net_conn *conn, const char *data, size_t len)
{
    size_t common = len < sizeof(h2_preface) - 1 ? len : sizeof(h2_preface) - 1;
    if (conn->proxy)
        return start_proxy(conn, data, len);
    if (data[0] == 0x16 && !conn->secure)
        return start_tls(conn, data, len);
    if (conn->io->server->config.tls_only && !conn->secure)
        return refuse_plain(conn, len);
    if (memcmp(data, h2_preface, common) == 0) {
        if (common == sizeof(h2_preface) - 1 && h2_start(conn) != 0)
            conn_doom(conn, NET_END_LOST);
        return 0;
    }
    conn->state = CONN_HEAD;
    return 0;
}

/* ---- all bytes ---- */

static size_t conn_step(struct net_conn *conn, char *data, size_t len)
{
    switch (conn->state) {
    case CONN_SNIFF:
        return conn_sniff(conn, data, len);
    case CONN_HEAD:
        return http_conn_head(conn, data, len);
    case CONN_BODY:
        return http_conn_body(conn, data, len);
    case CONN_H2:
        return h2_feed(conn, data, len);
    case CONN_OPEN:
    case CONN_CLOSING:
        return ws_conn_feed(conn, data, len);
    case CONN_PENDING:
    case CONN_POUR:
        return 0;
    default:
        return len; /* nobody listens any more */
    }
}

/* Returns the bytes taken; less than len when the rest must wait. */
static size_t conn_process(struct net_conn *conn, char *data, size_t len)
{
    size_t used = 0;
    while (used < len) {
        if (conn->doomed)
            return len;
        if (conn->paused && conn->state == CONN_OPEN)
            return used;
        uint8_t state = conn->state;
        size_t taken = conn_step(conn, data + used, len - used);
        if (taken == 0 && conn->state == state)
            return used;
        used += taken;
        if (taken != 0 && conn->extra != NULL)
            conn->extra->held_seen = 0;
    }
    return used;
}

static void conn_hold(struct net_conn *conn, const char *data, size_t len)
{
    struct conn_extra *extra = conn_extra_get(conn);
    if (extra == NULL || buf_reserve(&extra->held, len + JSON_PADDING) != 0 || buf_add(&extra->held, data, len) != 0) {
        conn_doom(conn, NET_END_LOST);
        return;
    }
    if (conn->state == CONN_HEAD)
        extra->held_seen = extra->held.len;
}

static void conn_process_held(struct net_conn *conn)
{
    /* Out of the connection's hands, so that what is called may hold, free or trim as it likes. */
    struct buf held = conn->extra->held;
    buf_init(&conn->extra->held, held.limit);
    size_t used = conn_process(conn, held.data, held.len);
    struct conn_extra *extra = used < held.len ? conn_extra_get(conn) : NULL;
    if (extra == NULL) {
        buf_fini(&held);
        return;
    }
    if (used != 0)
        buf_consume(&held, used);
    extra->held = held;
    if (conn->state == CONN_HEAD && !conn_stalled(conn))
        extra->held_seen = held.len;
}

void conn_received(struct net_conn *conn, char *data, size_t len)
{
    if (conn->extra != NULL && conn->extra->held.len != 0) {
        size_t seen = conn->extra->held_seen;
        conn_hold(conn, data, len);
        conn->extra->held_seen = seen;
        if (!conn->doomed)
            conn_process_held(conn);
    } else {
        size_t used = conn_process(conn, data, len);
        if (used < len)
            conn_hold(conn, data + used, len - used);
    }
    if (conn->stream.partial != NULL || conn->extra != NULL || conn->counted_buffers != 0) {
        conn_extra_trim(conn);
        conn_account(conn);
    }
}

void conn_look(struct net_conn *conn)
{
    conn->look = false;
    if (conn->extra != NULL && conn->extra->held.len != 0)
        conn_process_held(conn);
    if (conn->secure && conn->state != CONN_DEAD && !conn->doomed && !conn->eof)
        conn_read_tls(conn);
}
