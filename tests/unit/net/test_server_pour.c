/* Answers in pieces, over real sockets: chunks, HTTP/1.0, HTTP/2 with its windows; a slow reader is asked no faster than he reads; ends from either side. */
#include "server_fixture.h"

#include <nghttp2/nghttp2.h>

#define PIECE ((size_t)16 << 10)

static struct fixture f;
static atomic_int rooms, gone, sent, most; /* pieces; bytes that were queued at the most */
static int pieces;                         /* that an answer has */
static struct net_conn *poured;
static char piece[PIECE];

static int setup(void **state)
{
    (void)state;
    fixture_init(&f);
    rooms = gone = sent = most = 0;
    poured = NULL;
    memset(piece, 'p', sizeof(piece));
    return 0;
}

static void go_on(struct net_conn *conn)
{
    while (sent < pieces) {
        snprintf(piece, sizeof(piece), "%d ", (int)sent);
        int code = net_pour_send(conn, text_make(piece, PIECE));
        if (net_pour_queued(conn) > (size_t)most)
            most = (int)net_pour_queued(conn);
        if (code == ERR_FULL)
            return;
        assert_int_equal(code, 0);
        sent++;
    }
    poured = NULL;
    net_pour_end(conn);
    assert_int_equal(net_pour_send(conn, TEXT("late")), ERR_GONE);
}

static void on_room(void *context, struct net_conn *conn)
{
    (void)context;
    rooms++;
    go_on(conn);
}

static void on_left(void *context, struct net_conn *conn)
{
    (void)context, (void)conn;
    poured = NULL;
    gone++;
}

/* /pour: as many pieces as there are; /wait: a first word, the rest when it is said. */
static void on_ask(void *context, struct net_conn *conn, const struct http_request *request, struct text body)
{
    static const struct net_pour all = {.queue_max = 4 * PIECE, .on_room = on_room, .on_gone = on_left}, wait = {.queue_max = 1000, .on_gone = on_left};
    bool pour = text_is(request->path, "/pour");
    if (!pour && !text_is(request->path, "/wait")) {
        on_request(context, conn, request, body);
        return;
    }
    atomic_fetch_add(&f.requests, 1);
    int code = net_pour_begin(conn, 200, TEXT("Content-Type: text/plain\r\n"), pour ? &all : &wait);
    if (text_is(request->method, "HEAD")) {
        assert_int_equal(code, ERR_INVALID);
        net_http_respond(conn, 200, TEXT_NONE, TEXT_NONE, 0);
        return;
    }
    assert_int_equal(code, 0);
    assert_int_equal(net_pour_begin(conn, 200, TEXT_NONE, &all), ERR_GONE);
    poured = conn;
    if (pour)
        go_on(conn);
    else
        assert_int_equal(net_pour_send(conn, TEXT("hello")), 0);
}

static void start(int count)
{
    pieces = count;
    f.events.on_request = on_ask;
    fixture_start(&f);
}

/* One chunk; its size. */
static size_t read_chunk(int fd, char *out, size_t size)
{
    char line[32];
    size_t at = 0;
    do
        client_read(fd, line + at++, 1);
    while (line[at - 1] != '\n' && at < sizeof(line) - 1);
    line[at] = 0;
    size_t len = strtoul(line, NULL, 16);
    assert_true(len + 2 <= size);
    client_read(fd, out, len + 2);
    assert_memory_equal(out + len, "\r\n", 2);
    return len;
}

static void expect_chunks(int fd, int count)
{
    static char out[PIECE + 2];
    for (int i = 0; i < count; i++) {
        assert_int_equal(read_chunk(fd, out, sizeof(out)), PIECE);
        assert_int_equal(atoi(out), i);
    }
    assert_int_equal(read_chunk(fd, out, sizeof(out)), 0);
}

static void chunks(void **state)
{
    char head[4096];
    (void)state;
    start(500);
    int fd = client_open(&f);
    client_say(fd, "GET /pour HTTP/1.1\r\nHost: x\r\n\r\nGET /refuse HTTP/1.1\r\nHost: x\r\n\r\n");
    client_head(fd, head, sizeof(head));
    assert_non_null(strstr(head, "Transfer-Encoding: chunked\r\n"));
    assert_null(strstr(head, "Content-Length"));
    expect_chunks(fd, 500);
    assert_true(most <= (int)(4 * PIECE + 100));
    assert_int_equal(client_answer(fd, head, sizeof(head)), 403); /* the pipelined one waited for its turn */
    client_say(fd, "HEAD /pour HTTP/1.1\r\nHost: x\r\n\r\n");
    client_head(fd, head, sizeof(head));
    close(fd);
    assert_int_equal(gone, 0);
    fixture_stop(&f);
}

static void slow_reader(void **state)
{
    char head[4096];
    (void)state;
    start(2000);
    int fd = client_open_with(&f, 4096);
    client_say(fd, "GET /pour HTTP/1.1\r\nHost: x\r\n\r\n");
    client_head(fd, head, sizeof(head));
    WAIT_FOR(sent > 20);
    assert_true(sent < 2000); /* 32 MB are more than the sockets hold */
    expect_chunks(fd, 2000);
    assert_true(most <= (int)(4 * PIECE + 100));
    close(fd);
    fixture_stop(&f);
}

static void old_client(void **state)
{
    static char out[PIECE];
    char head[4096];
    (void)state;
    start(3);
    int fd = client_open(&f);
    client_say(fd, "GET /pour HTTP/1.0\r\n\r\n");
    client_head(fd, head, sizeof(head));
    assert_null(strstr(head, "chunked"));
    assert_non_null(strstr(head, "Connection: close\r\n"));
    for (int i = 0; i < 3; i++)
        client_read(fd, out, PIECE);
    assert_eof(fd);
    close(fd);
    fixture_stop(&f);
}

static void say(struct fixture *fx, void *arg)
{
    (void)fx;
    assert_int_equal(net_pour_send(poured, text_of(arg)), 0);
}

static void peer_leaves(void **state)
{
    char out[4096];
    (void)state;
    start(0);
    int fd = client_open(&f);
    client_say(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    client_head(fd, out, sizeof(out));
    assert_int_equal(read_chunk(fd, out, sizeof(out)), 5);
    fixture_advance(&f, 3600 * 1000); /* silence is no reason to end */
    fixture_run(&f, say, "again");
    assert_int_equal(read_chunk(fd, out, sizeof(out)), 5);
    assert_memory_equal(out, "again", 5);
    assert_int_equal(gone, 0);
    close(fd);
    WAIT_FOR(gone == 1);
    fixture_stop(&f);
    assert_int_equal(gone, 1);
}

static void nothing(struct fixture *fx, void *arg)
{
    (void)fx, (void)arg;
}

/* More than the sockets hold lies there, and nobody reads. */
static void fill_whole(struct fixture *fx, void *arg)
{
    static char large[64 << 20];
    (void)fx, (void)arg;
    assert_int_equal(net_pour_send(poured, text_make(large, sizeof(large))), 0);
    assert_int_equal(net_pour_send(poured, TEXT("more")), ERR_FULL);
}

static void stalled(void **state)
{
    char out[4096];
    (void)state;
    start(0);
    int fd = client_open_with(&f, 4096);
    client_say(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    client_head(fd, out, sizeof(out));
    read_chunk(fd, out, sizeof(out));
    fixture_run(&f, fill_whole, NULL);
    fixture_advance(&f, NET_POUR_STALL_MS - 10000);
    fixture_run(&f, nothing, NULL);
    assert_int_equal(gone, 0);
    fixture_advance(&f, NET_POUR_STALL_MS);
    WAIT_FOR(gone == 1);
    close(fd);
    fixture_stop(&f);
}

static void drained(void **state)
{
    char out[4096];
    (void)state;
    start(0);
    int fd = client_open(&f);
    client_say(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    client_head(fd, out, sizeof(out));
    assert_int_equal(read_chunk(fd, out, sizeof(out)), 5);
    net_server_drain(f.server, 0);
    assert_int_equal(read_chunk(fd, out, sizeof(out)), 0); /* an end, not a cut */
    assert_eof(fd);
    assert_int_equal(gone, 1);
    close(fd);
    fixture_stop(&f);
}

/* ---- HTTP/2 ---- */

struct h2_client {
    int fd;
    nghttp2_session *h2;
    int32_t stream;
    int status, ended, error; /* of the stream */
    size_t bytes, unread;     /* of its body; not acknowledged to the server */
    bool lazy;                /* gives no windows back */
    char first[64];
};

static int on_h2_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
    void *context)
{
    struct h2_client *c = context;
    (void)h2, (void)flags;
    if (frame->hd.stream_id == c->stream && name_len == 7 && memcmp(name, ":status", 7) == 0)
        c->status = atoi((const char *)value);
    (void)value_len;
    return 0;
}

static int on_h2_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *context)
{
    struct h2_client *c = context;
    (void)flags;
    for (size_t i = 0; i < len && c->bytes + i < sizeof(c->first); i++)
        c->first[c->bytes + i] = (char)data[i];
    c->bytes += len;
    nghttp2_session_consume_connection(h2, len);
    if (c->lazy)
        c->unread += len;
    else
        nghttp2_session_consume_stream(h2, id, len);
    return 0;
}

static int on_h2_close(nghttp2_session *h2, int32_t id, uint32_t code, void *context)
{
    struct h2_client *c = context;
    (void)h2, (void)id;
    c->ended = 1;
    c->error = (int)code;
    return 0;
}

static void h2_write(struct h2_client *c)
{
    const uint8_t *data;
    ssize_t len;
    while ((len = nghttp2_session_mem_send(c->h2, &data)) > 0)
        client_send(c->fd, data, (size_t)len);
}

/* Takes what comes until `until` bytes of the body are there, or the stream ends. */
static void h2_take(struct h2_client *c, size_t until)
{
    static uint8_t in[1 << 16];
    h2_write(c);
    while (c->bytes < until && !c->ended) {
        ssize_t got = recv(c->fd, in, sizeof(in), 0);
        assert_true(got > 0);
        assert_int_equal(nghttp2_session_mem_recv(c->h2, in, (size_t)got), got);
        h2_write(c);
    }
}

static void h2_open(struct h2_client *c)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    *c = (struct h2_client){.fd = client_open(&f)};
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_h2_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_h2_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_h2_close);
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_session_client_new2(&c->h2, callbacks, c, option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    nghttp2_submit_settings(c->h2, 0, NULL, 0);
}

#define NV(name, value) {(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, sizeof(name) - 1, strlen(value), 0}

static void h2_ask(struct h2_client *c, const char *path)
{
    const nghttp2_nv nv[] = {NV(":method", "GET"), NV(":scheme", "http"), NV(":path", path), NV(":authority", "x")};
    c->status = c->ended = c->error = 0;
    c->bytes = 0;
    c->stream = nghttp2_submit_request(c->h2, NULL, nv, 4, NULL, NULL);
    h2_write(c);
}

static void h2_shut(struct h2_client *c)
{
    nghttp2_session_del(c->h2);
    close(c->fd);
}

static void h2_pieces(void **state)
{
    struct h2_client c;
    (void)state;
    start(500);
    h2_open(&c);
    h2_ask(&c, "/pour");
    h2_take(&c, SIZE_MAX);
    assert_int_equal(c.status, 200);
    assert_int_equal(c.bytes, 500 * PIECE);
    assert_int_equal(c.error, 0);
    assert_true(most <= (int)(4 * PIECE));
    assert_int_equal(gone, 0);
    h2_shut(&c);
    fixture_stop(&f);
}

/* The stream's window is shut: its owner is not asked, and other requests of the connection are answered. */
static void h2_slow(void **state)
{
    struct h2_client c;
    (void)state;
    start(100);
    h2_open(&c);
    c.lazy = true;
    h2_ask(&c, "/pour");
    h2_take(&c, 65535);
    int32_t slow = c.stream;
    int was = sent;
    assert_true(was < 20);
    c.lazy = false;
    h2_ask(&c, "/refuse");
    h2_take(&c, SIZE_MAX);
    assert_int_equal(c.status, 403);
    assert_int_equal(sent, was);
    fixture_advance(&f, NET_POUR_STALL_MS * 3); /* with the others read, nobody minds */
    c.stream = slow;
    c.ended = 0;
    c.bytes = 65535;
    nghttp2_session_consume_stream(c.h2, slow, c.unread);
    h2_take(&c, SIZE_MAX);
    assert_int_equal(c.bytes, 100 * PIECE);
    h2_shut(&c);
    fixture_stop(&f);
}

static void h2_reset_by_peer(void **state)
{
    struct h2_client c;
    (void)state;
    start(0);
    h2_open(&c);
    h2_ask(&c, "/wait");
    h2_take(&c, 5);
    assert_memory_equal(c.first, "hello", 5);
    fixture_run(&f, say, "again");
    h2_take(&c, 10);
    assert_memory_equal(c.first, "helloagain", 10);
    nghttp2_submit_rst_stream(c.h2, 0, c.stream, NGHTTP2_CANCEL);
    h2_write(&c);
    WAIT_FOR(gone == 1);
    h2_ask(&c, "/refuse"); /* the connection lives */
    h2_take(&c, SIZE_MAX);
    assert_int_equal(c.status, 403);
    h2_shut(&c);
    fixture_stop(&f);
    assert_int_equal(gone, 1);
}

static void h2_drained(void **state)
{
    struct h2_client c;
    (void)state;
    start(0);
    h2_open(&c);
    h2_ask(&c, "/wait");
    h2_take(&c, 5);
    net_server_drain(f.server, 0);
    h2_take(&c, SIZE_MAX);
    assert_int_equal(c.bytes, 5);
    assert_int_equal(c.error, 0);
    assert_int_equal(gone, 1);
    h2_shut(&c);
    fixture_stop(&f);
}

static void h2_connection_lost(void **state)
{
    struct h2_client c;
    (void)state;
    start(0);
    h2_open(&c);
    h2_ask(&c, "/wait");
    h2_take(&c, 5);
    h2_shut(&c);
    WAIT_FOR(gone == 1);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(chunks, setup),
        cmocka_unit_test_setup(slow_reader, setup),
        cmocka_unit_test_setup(old_client, setup),
        cmocka_unit_test_setup(peer_leaves, setup),
        cmocka_unit_test_setup(stalled, setup),
        cmocka_unit_test_setup(drained, setup),
        cmocka_unit_test_setup(h2_pieces, setup),
        cmocka_unit_test_setup(h2_slow, setup),
        cmocka_unit_test_setup(h2_reset_by_peer, setup),
        cmocka_unit_test_setup(h2_drained, setup),
        cmocka_unit_test_setup(h2_connection_lost, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
