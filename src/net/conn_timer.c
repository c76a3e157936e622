/*
 * Deadlines. A connection has one timer for whatever deadline comes next: the handshake, a request head, a body, keep-alive, a heartbeat, the idle
 * and life limits, the close handshake. Messages never move it: they only note their time, and when the timer fires the deadline is computed anew
 * and, if it lies ahead, the timer is set again. So a busy connection pays for its timer once per heartbeat interval, not once per message.
 */
#include "net/h2.h"

#include "base/counter.h"

static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 || b < a ? b : a;
}

static int64_t open_deadline(const struct net_conn *conn)
{
    const struct net_ws_config *ws = conn->ws;
    int64_t due = 0;
    if (conn->ping_ms != 0 && ws->pong_within_ms > 0)
        due = conn->ping_ms + ws->pong_within_ms;
    else if (ws->ping_every_ms > 0)
        due = (conn->ping_ms != 0 ? conn->ping_ms : conn->heard_ms) + ws->ping_every_ms;
    if (ws->idle_max_ms > 0)
        due = earlier(due, conn->message_ms + ws->idle_max_ms);
    if (ws->life_max_ms > 0)
        due = earlier(due, conn->since_ms + ws->life_max_ms);
    return due;
}

/* Monotonic ms; 0: none. */
static int64_t conn_deadline(const struct net_conn *conn)
{
    const struct net_config *config = &conn->io->server->config;
    switch (conn->state) {
    case CONN_SNIFF:
        return conn->since_ms + (conn->secure && !conn->secure_done ? config->handshake_timeout_ms : config->head_timeout_ms);
    case CONN_HEAD:
        if (conn->out.bytes != 0)
            return conn->since_ms + config->body_timeout_ms;
        return conn->since_ms + (conn->begun || !conn->served ? config->head_timeout_ms : config->keep_alive_ms);
    case CONN_BODY:
        return conn->since_ms + config->body_timeout_ms;
    case CONN_H2:
        return h2_deadline(conn);
    case CONN_POUR:
        return conn->out.bytes != 0 ? conn->since_ms + NET_POUR_STALL_MS : 0;
    case CONN_OPEN:
        return open_deadline(conn);
    case CONN_CLOSING:
        return conn->since_ms + config->close_timeout_ms;
    case CONN_LINGER:
        return conn->since_ms + (conn->out.bytes != 0 && !conn->was_ws ? config->body_timeout_ms : config->close_timeout_ms);
    default:
        return 0;
    }
}

void conn_timer_touch(struct net_conn *conn)
{
    int64_t due = conn_deadline(conn);
    /* A timer that fires too early looks again, so it is only moved to come nearer. */
    if (due != 0 && (!loop_timer_is_set(&conn->timer) || due < conn->timer.due_ms))
        loop_timer_set(conn->io->loop, &conn->timer, due);
}

void conn_since(struct net_conn *conn)
{
    conn->since_ms = loop_now_ms(conn->io->loop);
    conn_timer_touch(conn);
}

static void open_expired(struct net_conn *conn, int64_t now)
{
    const struct net_ws_config *ws = conn->ws;
    if (ws->life_max_ms > 0 && now >= conn->since_ms + ws->life_max_ms) {
        counter_add(COUNTER_ws_lifetime_ends, 1);
        net_ws_close(conn, NET_END_TIMEOUT, WS_CLOSE_GOING_AWAY, TEXT("Going away"));
    } else if (ws->idle_max_ms > 0 && now >= conn->message_ms + ws->idle_max_ms) {
        counter_add(COUNTER_ws_idle_timeouts, 1);
        net_ws_close(conn, NET_END_TIMEOUT, WS_CLOSE_GOING_AWAY, TEXT("Going away"));
    } else if (conn->paused) {
        conn->heard_ms = now; /* it is we who do not listen */
        conn->ping_ms = 0;
    } else if (conn->ping_ms != 0 && ws->pong_within_ms > 0) {
        counter_add(COUNTER_ws_heartbeat_timeouts, 1);
        conn_doom(conn, NET_END_TIMEOUT);
    } else {
        ws_conn_ping(conn);
    }
}

static void conn_expired(struct net_conn *conn, int64_t now)
{
    switch (conn->state) {
    case CONN_OPEN:
        open_expired(conn, now);
        break;
    case CONN_BODY:
        if (conn->h2_request && h2_body_waits(conn))
            conn_since(conn);
        else
            http_conn_refuse(conn, 408, "the request body did not arrive in time");
        break;
    case CONN_H2:
        h2_expired(conn);
        break;
    case CONN_HEAD:
        if (conn->begun && conn->out.bytes == 0) {
            http_conn_refuse(conn, 408, "the request head did not arrive in time");
            break;
        }
        conn_doom(conn, NET_END_TIMEOUT);
        break;
    case CONN_SNIFF:
        if (conn->secure && !conn->secure_done)
            counter_add(COUNTER_net_tls_failures, 1); /* the other ways to fail are counted in tls.c */
        conn_doom(conn, NET_END_TIMEOUT);
        break;
    default:
        conn_doom(conn, NET_END_TIMEOUT);
    }
}

void conn_timer_due(struct loop *loop, struct loop_timer *timer)
{
    struct net_conn *conn = LIST_ENTRY(timer, struct net_conn, timer);
    int64_t now = loop_now_ms(loop), due = conn_deadline(conn);
    if (due != 0 && now >= due)
        conn_expired(conn, now);
    conn_timer_touch(conn);
}
