/* A server in this process with small event handlers, and a blocking client that speaks raw bytes to it. Included by one test program each. */
#ifndef WEIR_TEST_SERVER_FIXTURE_H
#define WEIR_TEST_SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counter.h"
#include "net/server.h"

#define UNUSED __attribute__((unused))

/* ---- waiting for a condition: for a minute, which only a failure takes ---- */

static UNUSED void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        for (int waited = 0; !(condition) && waited < 60000; waited++)                                                 \
            nap();                                                                                                     \
        assert_true(condition);                                                                                        \
    } while (0)

/* ---- the server ---- */

struct fixture {
    struct net_server *server;
    struct net_config config;
    struct net_events events;
    struct net_ws_config ws;
    struct net_io *io;
    /* what the handlers saw */
    atomic_int requests, messages, closes, gones;
    atomic_int end, code;
    char reason[128], path[256], body[4096], address[46];
    size_t body_len;
    struct net_id last_id;      /* of the last request */
    atomic_bool pause_next;     /* the next message pauses */
    /* runs on the io thread */
    pthread_mutex_t lock;
    pthread_cond_t done;
    void (*job)(struct fixture *f, void *arg);
    void *job_arg;
};

static UNUSED int fixture_inbox(void *context)
{
    struct fixture *f = context;
    int ran = 0;
    pthread_mutex_lock(&f->lock);
    if (f->job != NULL) {
        f->job(f, f->job_arg);
        f->job = NULL;
        ran = 1;
        pthread_cond_broadcast(&f->done);
    }
    pthread_mutex_unlock(&f->lock);
    return ran;
}

static UNUSED void fixture_run(struct fixture *f, void (*job)(struct fixture *, void *), void *arg)
{
    pthread_mutex_lock(&f->lock);
    f->job = job;
    f->job_arg = arg;
    net_server_wake(f->server);
    while (f->job != NULL)
        pthread_cond_wait(&f->done, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

static UNUSED void on_io_start(void *context, struct net_io *io)
{
    struct fixture *f = context;
    if (net_io_index(io) == 0) {
        f->io = io;
        loop_inbox_add(net_io_loop(io), fixture_inbox, f);
    }
}

/* /ws: accepted at once; /later: left pending; /refuse: 403; the rest answers with the body. */
static UNUSED void on_request(void *context, struct net_conn *conn, const struct http_request *request, struct text body)
{
    struct fixture *f = context;
    pthread_mutex_lock(&f->lock); /* several io threads may come here */
    snprintf(f->path, sizeof(f->path), "%.*s", TEXT_FMT(request->path));
    f->body_len = body.len;
    if (body.len <= sizeof(f->body) && body.len != 0)
        memcpy(f->body, body.data, body.len);
    net_conn_address(conn, f->address);
    f->last_id = *net_conn_id(conn);
    pthread_mutex_unlock(&f->lock);
    if (text_is(request->path, "/ws")) {
        if (net_ws_accept(conn, &f->ws, TEXT_NONE, TEXT_NONE) != 0)
            net_http_respond(conn, 400, TEXT_NONE, TEXT("no upgrade"), NET_HTTP_CLOSE);
    } else if (text_is(request->path, "/refuse"))
        net_http_respond(conn, 403, TEXT_NONE, TEXT("no"), 0);
    else if (!text_is(request->path, "/later"))
        net_http_respond(conn, 200, TEXT("Content-Type: text/plain\r\n"), body, 0);
    atomic_fetch_add(&f->requests, 1);
}

/* Echo, but for a few words. */
static UNUSED enum ws_verdict on_message(void *context, struct net_conn *conn, bool binary, char *data, size_t len)
{
    struct fixture *f = context;
    struct text message = text_make(data, len);
    atomic_fetch_add(&f->messages, 1);
    if (text_is(message, "close"))
        net_ws_close(conn, NET_END_SERVER, 4000, TEXT("as you wish"));
    else if (text_is(message, "abort"))
        net_conn_abort(conn);
    else if (!text_is(message, "quiet"))
        net_ws_send(conn, binary ? WS_BINARY : WS_TEXT, data, len);
    return atomic_exchange(&f->pause_next, false) ? WS_PAUSE : WS_GO_ON;
}

static UNUSED void on_close(void *context, struct net_conn *conn, enum net_end how, int code, struct text reason)
{
    struct fixture *f = context;
    (void)conn;
    pthread_mutex_lock(&f->lock);
    snprintf(f->reason, sizeof(f->reason), "%.*s", TEXT_FMT(reason));
    pthread_mutex_unlock(&f->lock);
    f->end = how;
    f->code = code;
    atomic_fetch_add(&f->closes, 1);
}

static UNUSED void on_gone(void *context, struct net_conn *conn)
{
    struct fixture *f = context;
    (void)conn;
    atomic_fetch_add(&f->gones, 1);
}

static UNUSED void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    f->end = -1;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->done, NULL);
    f->config = (struct net_config){.address = "127.0.0.1", .io_threads = 1};
    f->events = (struct net_events){f, on_request, NULL, on_message, on_close, on_gone, on_io_start, NULL};
    f->ws = (struct net_ws_config){.limits = {.message_max = 1 << 20, .require_mask = true}, .queue_bytes_max = 1 << 20,
        .queue_messages_max = 4096};
}

static UNUSED void fixture_start(struct fixture *f)
{
    struct err err = {0};
    if (net_server_create(&f->server, &f->config, &f->events, &err) != 0 || net_server_start(f->server, &err) != 0)
        fail_msg("%s", err.text);
}

/* Everything is closed and given back. */
static UNUSED void assert_all_closed(void)
{
    WAIT_FOR(counter_read(COUNTER_net_connections) == 0);
    assert_int_equal(counter_read(COUNTER_ws_connections), 0);
    assert_int_equal(counter_read(COUNTER_net_buffers), 0);
    assert_int_equal(counter_read(COUNTER_net_queue_bytes), 0);
}

static UNUSED void fixture_stop(struct fixture *f)
{
    assert_all_closed();
    net_server_stop(f->server);
    net_server_destroy(f->server);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->done);
}

static UNUSED void fixture_advance(struct fixture *f, int64_t ms)
{
    clock_advance(ms);
    net_server_wake(f->server);
}

/* ---- the client ---- */

static UNUSED int client_open_with(struct fixture *f, int receive_buffer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(net_server_port(f->server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timeval limit = {.tv_sec = 60};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (receive_buffer != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static UNUSED int client_open(struct fixture *f)
{
    return client_open_with(f, 0);
}

static UNUSED void client_send(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len != 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        assert_true(sent > 0);
        at += sent;
        len -= (size_t)sent;
    }
}

static UNUSED void client_say(int fd, const char *text)
{
    client_send(fd, text, strlen(text));
}

static UNUSED void client_read(int fd, void *out, size_t len)
{
    char *at = out;
    while (len != 0) {
        ssize_t got = recv(fd, at, len, 0);
        assert_true(got > 0);
        at += got;
        len -= (size_t)got;
    }
}

static UNUSED void assert_eof(int fd)
{
    char rest;
    ssize_t got = recv(fd, &rest, 1, 0);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
}

/* A head up to its empty line, as a string. */
static UNUSED void client_head(int fd, char *out, size_t size)
{
    size_t len = 0;
    while (len < 4 || memcmp(out + len - 4, "\r\n\r\n", 4) != 0) {
        assert_true(len + 1 < size);
        client_read(fd, out + len, 1);
        len++;
    }
    out[len] = '\0';
}

/* Reads an answer; returns its status, the body as a string in out. */
static UNUSED int client_answer(int fd, char *out, size_t size)
{
    char head[4096];
    client_head(fd, head, sizeof(head));
    char *length = strstr(head, "Content-Length: ");
    size_t len = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    assert_true(len < size);
    client_read(fd, out, len);
    out[len] = '\0';
    return atoi(head + 9);
}

#define HANDSHAKE(path)                                                                                                \
    "GET " path " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"    \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static UNUSED int ws_open_with(struct fixture *f, int receive_buffer)
{
    char head[2048];
    int fd = client_open_with(f, receive_buffer);
    client_say(fd, HANDSHAKE("/ws"));
    client_head(fd, head, sizeof(head));
    assert_non_null(strstr(head, "HTTP/1.1 101 "));
    assert_non_null(strstr(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    return fd;
}

static UNUSED int ws_open(struct fixture *f)
{
    return ws_open_with(f, 0);
}

/* Writes a masked frame to out; returns its size. */
static UNUSED size_t ws_encode(char *out, int first, const void *data, size_t len)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t *at = (uint8_t *)out;
    *at++ = (uint8_t)first;
    if (len < 126) {
        *at++ = (uint8_t)(0x80 | len);
    } else if (len < 65536) {
        *at++ = 0x80 | 126;
        *at++ = (uint8_t)(len >> 8);
        *at++ = (uint8_t)len;
    } else {
        *at++ = 0x80 | 127;
        for (int i = 7; i >= 0; i--)
            *at++ = (uint8_t)((uint64_t)len >> 8 * i);
    }
    memcpy(at, mask, 4);
    at += 4;
    for (size_t i = 0; i < len; i++)
        *at++ = ((const uint8_t *)data)[i] ^ mask[i % 4];
    return (size_t)((char *)at - out);
}

static UNUSED void ws_send_frame(int fd, int first, const void *data, size_t len)
{
    char *frame = malloc(len + 14);
    client_send(fd, frame, ws_encode(frame, first, data, len));
    free(frame);
}

static UNUSED void ws_say(int fd, const char *text)
{
    ws_send_frame(fd, 0x81, text, strlen(text));
}

/* One frame; returns its first byte. out is terminated. */
static UNUSED int ws_read(int fd, char *out, size_t size, size_t *len)
{
    uint8_t head[10];
    client_read(fd, head, 2);
    assert_false(head[1] & 0x80);
    uint64_t n = head[1];
    if (n == 126) {
        client_read(fd, head + 2, 2);
        n = (uint64_t)head[2] << 8 | head[3];
    } else if (n == 127) {
        client_read(fd, head + 2, 8);
        n = 0;
        for (int i = 0; i < 8; i++)
            n = n << 8 | head[2 + i];
    }
    assert_true(n < size);
    client_read(fd, out, (size_t)n);
    out[n] = '\0';
    if (len != NULL)
        *len = (size_t)n;
    return head[0];
}

static UNUSED void ws_expect(int fd, const char *text)
{
    char out[4096];
    assert_int_equal(ws_read(fd, out, sizeof(out), NULL), 0x81);
    assert_string_equal(out, text);
}

/* A close frame with this code, then the end. */
static UNUSED void ws_expect_close(int fd, int code)
{
    char out[256];
    size_t len;
    assert_int_equal(ws_read(fd, out, sizeof(out), &len), 0x88);
    if (code == 1005)
        assert_int_equal(len, 0);
    else
        assert_int_equal((uint8_t)out[0] << 8 | (uint8_t)out[1], code);
}

static UNUSED void ws_shut(int fd)
{
    ws_send_frame(fd, 0x88, "\x03\xe8", 2);
    ws_expect_close(fd, 1000);
    assert_eof(fd);
    close(fd);
}

#endif
