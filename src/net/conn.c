/*
 * The life of a connection: its socket, its reading and writing, its end. What the bytes mean is the business of conn_input.c and
 * the two files behind it.
 *
 * Reading is one recv per readiness into the thread's large buffer, from which frames are handled in place; so an idle connection owns no
 * buffer and a loud one cannot starve the others. Writing is corked: whatever a turn produces for a connection leaves in one send when it
 * is settled. A socket that took less than it was offered is full, and is asked for LOOP_WRITE without trying again.
 *
 * Ends. conn_end is the only place where a socket is closed, and it is called from the loop alone. Functions that the gateway calls, and
 * everything below the callbacks, say conn_doom; the connection then ends when it is settled, before the turn is over. Its memory goes after the
 * turn (loop_defer), so a pointer that is still on the list of noted connections stays readable.
 */
#include "net/h2.h"

#include "base/assert.h"
#include "base/counter.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- memory beside the record ---- */

struct conn_extra *conn_extra_get(struct net_conn *conn)
{
    if (conn->extra == NULL) {
        conn->extra = calloc(1, sizeof(*conn->extra));
        if (conn->extra == NULL)
            return NULL;
        buf_init(&conn->extra->held, 2 * NET_READ_MAX);
    }
    return conn->extra;
}

static void extra_free(struct net_conn *conn)
{
    struct conn_extra *extra = conn->extra;
    if (extra == NULL)
        return;
    tls_session_destroy(extra->tls);
    h2_session_destroy(extra->h2);
    buf_fini(&extra->held);
    buf_fini(&extra->head);
    buf_fini(&extra->body);
    buf_fini(&extra->offers);
    free(extra);
    conn->extra = NULL;
}

void conn_extra_trim(struct net_conn *conn)
{
    struct conn_extra *extra = conn->extra;
    if (extra == NULL || extra->held.len != 0)
        return;
    buf_fini(&extra->held);
    bool needed = extra->tls != NULL || extra->h2 != NULL || extra->pong_late || conn->state == CONN_BODY || conn->state == CONN_PENDING ||
        conn->state == CONN_POUR || conn->state == CONN_CLOSING;
    if (!needed)
        extra_free(conn);
}

void conn_account(struct net_conn *conn)
{
    uint32_t buffers = conn->out.segments + (conn->extra != NULL) + (conn->stream.partial != NULL);
    if (conn->out.bytes != conn->counted_bytes) {
        counter_add(COUNTER_net_queue_bytes, (int64_t)conn->out.bytes - conn->counted_bytes);
        conn->counted_bytes = conn->out.bytes;
    }
    if (buffers != conn->counted_buffers) {
        counter_add(COUNTER_net_buffers, (int64_t)buffers - conn->counted_buffers);
        conn->counted_buffers = buffers;
    }
}

/* ---- begin and end ---- */

int conn_create(struct net_io *io, int fd, const struct address *peer)
{
    struct net_conn *conn = io_conn_alloc(io);
    if (conn == NULL) {
        close(fd);
        return ERR_MEMORY;
    }
    conn->io = io;
    conn->source.fd = fd;
    conn->source.on_ready = conn_ready;
    loop_timer_init(&conn->timer, conn_timer_due);
    out_queue_init(&conn->out);
    int rc = io_slot_take(io, conn);
    if (rc == 0 && (rc = loop_add(io->loop, &conn->source, LOOP_READ)) != 0)
        io_slot_leave(io, conn);
    if (rc != 0) {
        close(fd);
        io_conn_free(io, conn);
        return rc;
    }
    conn->state = CONN_SNIFF;
    conn->peer = conn->client = *peer;
    conn->proxy = io->server->config.proxy_protocol && io_is_trusted(io, peer);
    conn->connected_ms = conn->heard_ms = conn->message_ms = loop_now_ms(io->loop);
    conn->connected_wall_ms = clock_wall_ms();
    __atomic_store_n(&io->open, io->open + 1, __ATOMIC_RELAXED);
    counter_add(COUNTER_net_connections, 1);
    conn_since(conn);
    return 0;
}

static void conn_destroy(void *object)
{
    struct net_conn *conn = object;
    io_conn_free(conn->io, conn);
}

void conn_tell(struct net_conn *conn, enum net_end end, int code, struct text reason)
{
    const struct net_events *events = &conn->io->server->events;
    if (conn->told)
        return;
    conn->told = true;
    if (!conn->was_ws) {
        if (events->on_gone != NULL)
            events->on_gone(events->context, conn);
        return;
    }
    io_order_leave(conn->io, conn);
    counter_add(COUNTER_ws_connections, -1);
    events->on_close(events->context, conn, end, code, reason);
}

void conn_end(struct net_conn *conn)
{
    struct net_io *io = conn->io;
    ASSERT(conn->state != CONN_DEAD);
    if (conn->state == CONN_POUR)
        pour_gone(conn);
    if (conn->h2_request) {
        h2_request_ended(conn);
        return;
    }
    if (conn->h2)
        h2_ended(conn);
    if (conn->state == CONN_OPEN && conn->close_code == 0) {
        conn->end = NET_END_LOST;
        conn->close_code = WS_CLOSE_ABNORMAL;
    }
    conn->state = CONN_DEAD;
    conn_tell(conn, conn->end, conn->close_code,
        conn->extra != NULL ? text_make(conn->extra->reason, conn->extra->reason_len) : TEXT_NONE);
    loop_timer_stop(io->loop, &conn->timer);
    loop_remove(io->loop, &conn->source);
    out_queue_clear(&io->pool, &conn->out);
    ws_stream_fini(&conn->stream);
    extra_free(conn);
    conn_account(conn);
    close(conn->source.fd);
    io_slot_leave(io, conn);
    __atomic_store_n(&io->open, io->open - 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&io->server->open, 1, __ATOMIC_RELAXED);
    counter_add(COUNTER_net_connections, -1);
    loop_defer(io->loop, conn_destroy, conn);
}

void conn_doom(struct net_conn *conn, enum net_end end)
{
    if (conn->doomed || conn->state == CONN_DEAD)
        return;
    conn->doomed = true;
    if (conn->state == CONN_OPEN) {
        conn->end = (uint8_t)end;
        conn->close_code = WS_CLOSE_ABNORMAL;
    }
    conn_note(conn);
}

void conn_linger(struct net_conn *conn)
{
    if (conn->state == CONN_LINGER)
        return;
    conn->state = CONN_LINGER;
    conn->paused = false;
    if (conn->extra != NULL)
        conn->extra->held.len = 0;
    conn_since(conn);
    conn_note(conn);
}

/* ---- writing ---- */

static void flush_failed(struct net_conn *conn)
{
    out_queue_clear(&conn->io->pool, &conn->out);
    conn_doom(conn, NET_END_LOST);
}

/* Returns true when there may be more to send. */
static bool flush_plain(struct net_conn *conn)
{
    struct iovec iov[NET_IOV_MAX];
    unsigned pieces = out_queue_iov(&conn->out, iov, NET_IOV_MAX);
    size_t offered = 0;
    ssize_t sent;
    for (unsigned i = 0; i < pieces; i++)
        offered += iov[i].iov_len;
    if (pieces == 1) {
        sent = send(conn->source.fd, iov[0].iov_base, offered, MSG_NOSIGNAL);
    } else {
        struct msghdr message = {.msg_iov = iov, .msg_iovlen = pieces};
        sent = sendmsg(conn->source.fd, &message, MSG_NOSIGNAL);
    }
    if (sent < 0 && errno == EINTR)
        return true;
    if (sent < 0 && errno != EAGAIN && errno != ENOBUFS) {
        flush_failed(conn);
        return false;
    }
    if (sent > 0) {
        counter_add(COUNTER_net_bytes_out, sent);
        out_queue_sent(&conn->io->pool, &conn->out, (size_t)sent);
    }
    conn->blocked = sent < (ssize_t)offered;
    return !conn->blocked && conn->out.bytes != 0;
}

static bool flush_tls(struct net_conn *conn)
{
    struct iovec iov;
    out_queue_iov(&conn->out, &iov, 1);
    long sent = tls_session_write(conn->extra->tls, iov.iov_base, iov.iov_len);
    if (sent > 0) {
        out_queue_sent(&conn->io->pool, &conn->out, (size_t)sent); /* tls.c counts the bytes on the wire */
        return conn->out.bytes != 0;
    }
    if (sent != TLS_WANT_WRITE && sent != TLS_WANT_READ) {
        flush_failed(conn);
        return false;
    }
    out_queue_offered(&conn->out, iov.iov_len);
    conn->blocked = sent == TLS_WANT_WRITE; /* else the next bytes that come make it go on */
    return false;
}

void conn_flush(struct net_conn *conn)
{
    uint32_t before = conn->out.bytes;
    while (conn->out.bytes != 0 && (conn->secure ? flush_tls(conn) : flush_plain(conn)))
        ;
    if (conn->out.bytes == 0 && conn->extra == NULL && conn->counted_buffers == 0)
        return; /* the common case: all is out and nothing was counted */
    if (conn->blocked) {
        if (!conn->secure)
            out_queue_trim(&conn->io->pool, &conn->out);
        conn_want(conn);
    }
    if (conn->out.bytes < before && !conn->was_ws)
        conn_since(conn); /* an answer that moves is not stuck */
    ws_conn_progress(conn);
    conn_account(conn);
}

static void conn_writable(struct net_conn *conn)
{
    conn->blocked = false;
    conn_flush(conn);
    if (!conn->blocked)
        conn->look = true;
    conn_note(conn);
}

/* ---- reading ---- */

static void conn_eof(struct net_conn *conn)
{
    conn->eof = true;
    switch (conn->state) {
    case CONN_OPEN:
    case CONN_CLOSING:
        conn_end(conn);
        return;
    case CONN_PENDING:
        if (conn->upgrade) /* nobody is left to talk to; who asked for a page may still read it */
            conn_end(conn);
        break;
    case CONN_POUR: /* who listens for minutes does not close his side first */
        conn_end(conn);
        return;
    case CONN_LINGER:
        conn_note(conn);
        break;
    case CONN_H2:
        h2_eof(conn);
        break;
    default:
        if (conn->out.bytes == 0)
            conn_end(conn);
        else
            conn_linger(conn);
    }
    if (conn->state != CONN_DEAD)
        conn_want(conn);
}

static void conn_heard(struct net_conn *conn)
{
    conn->heard_ms = loop_now_ms(conn->io->loop);
    conn->ping_ms = 0;
}

static void conn_read_plain(struct net_conn *conn)
{
    char *buffer = conn->io->buffer;
    ssize_t got = recv(conn->source.fd, buffer, NET_READ_MAX, 0);
    if (got > 0) {
        counter_add(COUNTER_net_bytes_in, got);
        conn_heard(conn);
        conn_received(conn, buffer, (size_t)got);
    } else if (got == 0) {
        conn_eof(conn);
    } else if (errno != EAGAIN && errno != EINTR) {
        conn_end(conn);
    }
}

void conn_read_tls(struct net_conn *conn)
{
    struct tls_session *tls = conn->extra->tls;
    char *buffer = conn->io->buffer;
    for (int reads = 1; conn->state != CONN_DEAD && !conn->eof && !conn_stalled(conn); reads++) {
        long got = tls_session_read(tls, buffer, NET_READ_MAX);
        if (!conn->secure_done && tls_session_ready(tls)) {
            conn->secure_done = true;
            conn_since(conn);
        }
        if (got > 0) {
            conn_heard(conn);
            conn_received(conn, buffer, (size_t)got);
            if (tls_session_pending(tls) == 0 && got < NET_READ_MAX && reads >= NET_TLS_READS)
                break;
            continue;
        }
        if (got == TLS_CLOSED)
            conn_eof(conn);
        else if (got == TLS_FAILED)
            conn_doom(conn, NET_END_LOST);
        else if (got == TLS_WANT_WRITE)
            conn->blocked = true;
        break;
    }
    if (conn->state != CONN_DEAD && conn->out.bytes != 0)
        conn_note(conn);
}

void conn_ready(struct loop *loop, struct loop_source *source, uint32_t events)
{
    struct net_conn *conn = (struct net_conn *)source; /* its first member */
    (void)loop;
    if (conn->io->noted_count >= NET_SETTLE_BATCH)
        io_settle(conn->io);
    if (conn->state != CONN_DEAD && (events & LOOP_READ)) {
        if (conn->secure)
            conn_read_tls(conn);
        else
            conn_read_plain(conn);
    } else if (conn->state != CONN_DEAD && (events & LOOP_HANGUP)) {
        conn_end(conn);
    }
    if (conn->state != CONN_DEAD && (events & LOOP_WRITE))
        conn_writable(conn);
    if (conn->out.bytes >= NET_CORK_MAX && !conn->blocked && !conn->doomed)
        conn_flush(conn);
    if (conn->state != CONN_DEAD && !conn->noted)
        conn_want(conn);
}

void conn_want(struct net_conn *conn)
{
    uint32_t events = 0;
    if (conn->state == CONN_DEAD)
        return;
    if (!conn->eof && !conn_stalled(conn))
        events |= LOOP_READ;
    if (conn->blocked)
        events |= LOOP_WRITE;
    if (events != conn->source.events && loop_change(conn->io->loop, &conn->source, events) != 0)
        conn_doom(conn, NET_END_LOST);
}

/* ---- settling ---- */

void conn_note(struct net_conn *conn)
{
    struct net_io *io = conn->io;
    if (conn->noted || conn->state == CONN_DEAD)
        return;
    conn->noted = true;
    conn->noted_next = NULL;
    if (io->noted_first == NULL)
        io->noted_first = conn;
    else
        io->noted_last->noted_next = conn;
    io->noted_last = conn;
    io->noted_count++;
    if (!io->settling)
        loop_finish_ask(io->loop, &io->finish);
}

/* Everything is said: our FIN, once what is queued is out. */
static void settle_linger(struct net_conn *conn)
{
    ws_stream_fini(&conn->stream);
    if (conn->out.bytes != 0)
        return;
    if (!conn->fin) {
        if (conn->secure && conn->secure_done && tls_session_shutdown(conn->extra->tls) == TLS_WANT_WRITE) {
            conn->blocked = true;
            return;
        }
        conn->fin = true;
        conn_since(conn);
        if (!conn->eof)
            shutdown(conn->source.fd, SHUT_WR);
    }
    if (conn->eof)
        conn->doomed = true;
}

void conn_settle(struct net_conn *conn)
{
    if (conn->state == CONN_DEAD)
        return;
    if (conn->look && !conn->doomed && !conn_stalled(conn))
        conn_look(conn);
    if (conn->h2)
        h2_settle(conn);
    if (conn->state == CONN_DEAD || conn->h2_request)
        return;
    if (conn->state == CONN_POUR && !conn->doomed)
        pour_settle(conn);
    if (conn->out.bytes != 0 && !conn->blocked && !conn->doomed)
        conn_flush(conn);
    if (conn->state == CONN_LINGER && !conn->doomed)
        settle_linger(conn);
    if (conn->doomed) {
        conn_end(conn);
        return;
    }
    if (conn->extra != NULL)
        conn_extra_trim(conn);
    conn_want(conn);
    conn_account(conn);
}

/* ---- what the gateway asks and tells ---- */

const struct net_id *net_conn_id(const struct net_conn *conn)
{
    return &conn->id;
}

struct net_io *net_conn_io(const struct net_conn *conn)
{
    return conn->io;
}

void *net_conn_user(const struct net_conn *conn)
{
    return conn->user;
}

void net_conn_set_user(struct net_conn *conn, void *user)
{
    conn->user = user;
}

struct text net_conn_address(const struct net_conn *conn, char out[46])
{
    return address_format(&conn->client, out);
}

bool net_conn_tls(const struct net_conn *conn)
{
    return conn->secure;
}

int64_t net_conn_connected_ms(const struct net_conn *conn)
{
    return conn->connected_wall_ms;
}

int64_t net_conn_active_ms(const struct net_conn *conn)
{
    return conn->connected_wall_ms + (conn->message_ms - conn->connected_ms);
}

size_t net_conn_queued(const struct net_conn *conn)
{
    return conn->out.bytes;
}

bool net_conn_is_ws(const struct net_conn *conn)
{
    return conn->state == CONN_OPEN && !conn->doomed;
}

void net_conn_resume(struct net_conn *conn)
{
    if (!conn->paused || conn->state != CONN_OPEN)
        return;
    conn->paused = false;
    conn->look = true;
    conn_note(conn);
}

void net_conn_abort(struct net_conn *conn)
{
    conn_doom(conn, NET_END_SERVER);
}
