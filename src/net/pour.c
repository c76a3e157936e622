/*
 * Answers in pieces: a body that is made while it is sent. It exists beside net_http_respond and not beneath it, since a whole answer is one append to the queue and never
 * asks for more; this one has an owner, who is told when the peer has taken what there was (so that he reads on no faster than the peer does) and when the peer has gone.
 *
 * The owner's record lies in what a connection has only for a while (conn_extra), or in the stream of an HTTP/2 request. Callbacks come from the loop alone, as
 * everywhere in the core: on_room when the connection settles, on_gone when it ends. Who is asked for more in a turn again and again must not keep the thread: after
 * POUR_ROUNDS a socket is taken for full, and the loop comes back to it when it has looked at the others.
 */
#include "net/h2.h"

#include <stdio.h>

enum { POUR_ROUNDS = 4, CHUNK_HEAD = 20 };

int net_pour_begin(struct net_conn *conn, int status, struct text headers, const struct net_pour *pour)
{
    char head[HTTP_HEAD_ROOM];
    if (conn->state != CONN_PENDING || conn->doomed)
        return ERR_GONE;
    if (conn->head_only || conn->upgrade || status < 200 || status == 204 || status == 304)
        return ERR_INVALID;
    if (conn->h2_request)
        return h2_pour_begin(conn, status, headers, pour);
    if (headers.len > OUT_MESSAGE_MAX / 4)
        return ERR_TOO_LARGE;
    struct conn_extra *extra = conn_extra_get(conn);
    bool closing = conn->old_http || !conn->keep_alive || conn->eof || conn->last;
    size_t head_len = http_conn_format_head(conn, status, conn->old_http ? HTTP_CONTENT_OPEN : HTTP_CONTENT_CHUNKED, closing, head);
    char *at = extra != NULL ? out_queue_append(&conn->io->pool, &conn->out, OUT_RAW, head_len + headers.len + 2, 0) : NULL;
    if (at == NULL) {
        conn_doom(conn, NET_END_LOST);
        return ERR_MEMORY;
    }
    memcpy(at, head, head_len);
    if (headers.len != 0)
        memcpy(at + head_len, headers.data, headers.len);
    memcpy(at + head_len + headers.len, "\r\n", 2);
    http_conn_count_status(status);
    extra->pour = *pour;
    extra->pour_sent = false;
    conn->keep_alive = !closing;
    conn->state = CONN_POUR;
    conn_since(conn);
    conn_note(conn);
    return 0;
}

int net_pour_send(struct net_conn *conn, struct text piece)
{
    char head[CHUNK_HEAD];
    if (conn->state != CONN_POUR || conn->doomed)
        return ERR_GONE;
    if (piece.len == 0)
        return 0; /* an empty chunk would be the end */
    if (piece.len > OUT_MESSAGE_MAX / 2)
        return ERR_FULL;
    if (conn->h2_request)
        return h2_pour_send(conn, piece);
    struct conn_extra *extra = conn->extra;
    extra->pour_sent = true;
    if (conn->out.bytes != 0 && conn->out.bytes + piece.len > extra->pour.queue_max)
        return ERR_FULL;
    size_t head_len = conn->old_http ? 0 : (size_t)snprintf(head, sizeof(head), "%zx\r\n", piece.len), tail = conn->old_http ? 0 : 2;
    if (conn->out.bytes == 0)
        conn_since(conn);
    char *at = out_queue_append(&conn->io->pool, &conn->out, OUT_RAW, head_len + piece.len + tail, 0);
    if (at == NULL) {
        conn_doom(conn, NET_END_LOST);
        return ERR_MEMORY;
    }
    memcpy(at, head, head_len);
    memcpy(at + head_len, piece.data, piece.len);
    memcpy(at + head_len + piece.len, "\r\n", tail);
    conn_note(conn);
    return 0;
}

void net_pour_end(struct net_conn *conn)
{
    if (conn->state != CONN_POUR || conn->doomed)
        return;
    if (conn->h2_request) {
        h2_pour_end(conn);
        return;
    }
    bool closing = !conn->keep_alive || conn->eof || conn->last;
    if (conn->old_http || http_conn_queue(conn, "0\r\n\r\n", 5))
        http_conn_answered(conn, closing);
}

size_t net_pour_queued(const struct net_conn *conn)
{
    if (conn->h2_request)
        return conn->stream_h2 != NULL ? conn->stream_h2->answer.len - conn->stream_h2->answer_at : 0;
    return conn->out.bytes;
}

/* ---- for the core ---- */

void pour_settle(struct net_conn *conn)
{
    for (int round = 0; conn->state == CONN_POUR && !conn->doomed; round++) {
        if (conn->out.bytes != 0 && !conn->blocked)
            conn_flush(conn);
        if (conn->out.bytes != 0 || conn->doomed || !conn->extra->pour_sent)
            return;
        if (round == POUR_ROUNDS) {
            conn->blocked = true; /* as if */
            return;
        }
        conn->extra->pour_sent = false;
        if (conn->extra->pour.on_room != NULL)
            conn->extra->pour.on_room(conn->extra->pour.context, conn);
    }
}

void pour_gone(struct net_conn *conn)
{
    const struct net_pour *pour = conn->h2_request ? &conn->stream_h2->pour : &conn->extra->pour;
    if (pour->on_gone != NULL)
        pour->on_gone(pour->context, conn);
}

void pour_drain(struct net_conn *conn)
{
    if (conn->doomed)
        return;
    pour_gone(conn);
    net_pour_end(conn);
}
