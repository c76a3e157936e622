/*
 * The HTTP/2 edge of a connection: any bytes after the preface, through a socket and the loop, in pieces whose size the first byte gives. Requests are answered
 * at once, later, never, or aborted, by their path. Whatever comes, each request is told to be gone once, and nothing is left when the connection is.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/counter.h"
#include "net/conn.h"

#define LATER_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct net_server server;
static struct net_io io;
static struct net_id later[LATER_MAX];
static unsigned later_count;
static int64_t begun, gone;

static void on_request(void *context, struct net_conn *conn, const struct http_request *request, struct text body)
{
    (void)context;
    ASSERT(net_io_find(&io, net_conn_id(conn)) == conn);
    ASSERT(request->headers <= HTTP_HEADERS_MAX && request->path.len != 0 && !request->chunked && !request->upgrade_websocket);
    ASSERT(body.len <= server.config.body_max);
    net_conn_set_user(conn, &begun);
    begun++;
    if (text_is(request->path, "/later") && later_count < LATER_MAX)
        later[later_count++] = *net_conn_id(conn);
    else if (text_is(request->path, "/abort"))
        net_conn_abort(conn);
    else if (!text_is(request->path, "/never"))
        ASSERT(net_http_respond(conn, request->query.len ? 204 : 200, TEXT("Content-Type: a/b\r\nConnection: close\r\n"), body, 0) == 0);
}

static void on_gone(void *context, struct net_conn *conn)
{
    (void)context;
    if (net_conn_user(conn) != NULL)
        gone++;
}

static void set_up(void)
{
    struct err err;
    server.config = (struct net_config){.io_threads = 1, .body_max = 100000, .head_timeout_ms = 10000, .body_timeout_ms = 60000, .keep_alive_ms = 75000,
        .handshake_timeout_ms = 10000, .close_timeout_ms = 2000};
    server.events = (struct net_events){.on_request = on_request, .on_gone = on_gone};
    ASSERT(io_init(&io, &server, 0, &err) == 0);
}

static void turn(int fd)
{
    char sink[65536];
    loop_turn(io.loop, 0);
    while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
        ;
}

static void answer_later(void)
{
    for (unsigned i = 0; i < later_count; i++) {
        struct net_conn *conn = net_io_find(&io, &later[i]);
        if (conn != NULL)
            net_http_respond(conn, 200, TEXT_NONE, TEXT("at last"), 0);
    }
    later_count = 0;
}

static void feed(int fd, const uint8_t *data, size_t size, size_t step)
{
    while (size != 0) {
        size_t piece = size < step ? size : step;
        ssize_t sent = send(fd, data, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        turn(fd);
        if (sent < 0)
            return;
        data += sent;
        size -= (size_t)sent;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    struct address peer = {0};
    int pair[2];
    if (io.loop == NULL)
        set_up();
    if (size == 0)
        return 0;
    begun = gone = later_count = 0;
    server.open = 1;
    ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    ASSERT(conn_create(&io, pair[0], &peer) == 0);
    feed(pair[1], (const uint8_t *)preface, sizeof(preface) - 1, sizeof(preface));
    feed(pair[1], data + 1, size - 1, data[0] == 0 ? 4096 : data[0]);
    answer_later();
    turn(pair[1]);
    shutdown(pair[1], SHUT_WR);
    turn(pair[1]);
    close(pair[1]); /* also requests that nobody answers end with their connection */
    for (int i = 0; i < 4 && server.open != 0; i++)
        loop_turn(io.loop, 0);
    ASSERT(server.open == 0 && begun == gone);
    ASSERT(counter_read(COUNTER_h2_connections) == 0 && counter_read(COUNTER_h2_streams) == 0);
    ASSERT(counter_read(COUNTER_net_buffers) == 0 && counter_read(COUNTER_net_queue_bytes) == 0);
    return 0;
}
