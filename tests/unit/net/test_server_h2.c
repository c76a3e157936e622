/* HTTP/2 over real sockets, frame by frame: requests and answers, every split of the bytes, windows, bounds, floods, deadlines, draining. */
#include "server_fixture.h"

#include <nghttp2/nghttp2.h>

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    fixture_init(&f);
    return 0;
}

/* ---- frames out ---- */

struct script {
    unsigned char data[1 << 16];
    size_t len;
};
static struct script script;

static void add(const void *data, size_t len)
{
    assert_true(len <= sizeof(script.data) - script.len);
    memcpy(script.data + script.len, data, len);
    script.len += len;
}

static void add_frame(int type, int flags, uint32_t id, const void *payload, size_t len)
{
    unsigned char head[9] = {(unsigned char)(len >> 16), (unsigned char)(len >> 8), (unsigned char)len, (unsigned char)type, (unsigned char)flags,
        (unsigned char)(id >> 24), (unsigned char)(id >> 16), (unsigned char)(id >> 8), (unsigned char)id};
    add(head, sizeof(head));
    add(payload, len);
}

static void begin(void)
{
    script.len = 0;
    add(PREFACE, 24);
    add_frame(SETTINGS, 0, 0, "", 0);
}

/* A literal field without indexing; names and values under 127 bytes. */
static size_t field(unsigned char *at, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    at[0] = 0;
    at[1] = (unsigned char)name_len;
    memcpy(at + 2, name, name_len);
    at[2 + name_len] = (unsigned char)value_len;
    memcpy(at + 3 + name_len, value, value_len);
    return 3 + name_len + value_len;
}

static size_t block(unsigned char *at, const char *method, const char *path, const char *const *more)
{
    size_t len = field(at, ":method", method);
    len += field(at + len, ":scheme", "http");
    len += field(at + len, ":path", path);
    len += field(at + len, ":authority", "localhost");
    for (; more && *more; more += 2)
        len += field(at + len, more[0], more[1]);
    return len;
}

static void add_request(uint32_t id, const char *method, const char *path, bool end, const char *const *more)
{
    unsigned char fields[4096];
    add_frame(HEADERS, END_HEADERS | (end ? END_STREAM : 0), id, fields, block(fields, method, path, more));
}

static void add_window(uint32_t id, uint32_t more)
{
    unsigned char payload[4] = {(unsigned char)(more >> 24), (unsigned char)(more >> 16), (unsigned char)(more >> 8), (unsigned char)more};
    add_frame(WINDOW_UPDATE, 0, id, payload, 4);
}

static void add_reset(uint32_t id)
{
    add_frame(RST_STREAM, 0, id, "\0\0\0\x08", 4);
}

static void send_script(int fd)
{
    client_send(fd, script.data, script.len);
    script.len = 0;
}

/* ---- frames in ---- */

struct frame {
    int type, flags;
    uint32_t id;
    size_t len;
    unsigned char payload[1 << 15];
};
static struct frame in;
static nghttp2_hd_inflater *inflater;
static char fields[8192]; /* of the last HEADERS: "name: value\n"... */

static uint32_t word(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void inflate_fields(void)
{
    size_t at = 0, used = 0;
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, in.payload + at, in.len - at, 1);
        assert_true(n >= 0);
        at += (size_t)n;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            used += (size_t)snprintf(fields + used, sizeof(fields) - used, "%.*s: %.*s\n", (int)nv.namelen, nv.name, (int)nv.valuelen, nv.value);
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    nghttp2_hd_inflate_end_headers(inflater);
}

/* false at the end of the connection. */
static bool read_frame(int fd)
{
    unsigned char head[9];
    ssize_t got = recv(fd, head, 1, 0);
    if (got == 0 || (got < 0 && errno == ECONNRESET))
        return false;
    assert_int_equal(got, 1);
    client_read(fd, head + 1, 8);
    in.len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    in.type = head[3];
    in.flags = head[4];
    in.id = word(head + 5);
    assert_true(in.len <= sizeof(in.payload));
    client_read(fd, in.payload, in.len);
    if (in.type == HEADERS)
        inflate_fields();
    return true;
}

static void expect_frame(int fd, int type)
{
    do
        assert_true(read_frame(fd));
    while (in.type != type && (in.type == SETTINGS || in.type == WINDOW_UPDATE || in.type == PING));
    assert_int_equal(in.type, type);
}

static int client_begin(void)
{
    int fd = client_open(&f);
    nghttp2_hd_inflate_new(&inflater);
    begin();
    return fd;
}

/* With a reset: who merely says no more may still wait for his answers. */
static void client_end(int fd)
{
    struct linger hard = {1, 0};
    nghttp2_hd_inflate_del(inflater);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
}

static void expect_status(int fd, uint32_t id, int status)
{
    char line[32];
    snprintf(line, sizeof(line), ":status: %d\n", status);
    expect_frame(fd, HEADERS);
    assert_int_equal(in.id, id);
    if (strncmp(fields, line, strlen(line)) != 0)
        fail_msg("expected %d: %s", status, fields);
}

static void expect_body(int fd, uint32_t id, const char *text)
{
    expect_frame(fd, DATA);
    assert_int_equal(in.id, id);
    assert_int_equal(in.len, strlen(text));
    assert_memory_equal(in.payload, text, in.len);
    assert_int_equal(in.flags, END_STREAM);
}

static void expect_goaway(int fd, uint32_t code)
{
    do
        assert_true(read_frame(fd));
    while (in.type != GOAWAY);
    assert_int_equal(word(in.payload + 4), code);
    while (read_frame(fd))
        ;
}

/* ---- requests and answers ---- */

static const char *const five[] = {"content-length", "5", NULL};

static void add_dialogue(void)
{
    begin();
    add_request(1, "GET", "/a", true, NULL);
    add_request(3, "POST", "/b", false, five);
    add_frame(DATA, 0, 3, "he", 2);
    add_frame(DATA, END_STREAM, 3, "llo", 3);
    add_request(5, "HEAD", "/c", true, NULL);
}

/* Answers of several streams come in any order. */
static void expect_dialogue(int fd)
{
    unsigned ended = 0, seen = 0;
    while (ended != 7) {
        assert_true(read_frame(fd));
        if (in.type != HEADERS && in.type != DATA)
            continue;
        assert_true(in.id == 1 || in.id == 3 || in.id == 5);
        if (in.type == HEADERS) {
            assert_non_null(strstr(fields, ":status: 200\n"));
            assert_non_null(strstr(fields, "\ndate: "));
            assert_non_null(strstr(fields, in.id == 3 ? "\ncontent-length: 5\n" : "\ncontent-length: 0\n"));
            assert_non_null(strstr(fields, "\ncontent-type: text/plain\n"));
            seen |= 1u << in.id / 2;
        } else {
            assert_int_equal(in.id, 3);
            assert_int_equal(in.len, 5);
            assert_memory_equal(in.payload, "hello", 5);
        }
        if (in.flags & END_STREAM)
            ended |= 1u << in.id / 2;
    }
    assert_int_equal(seen, 7);
}

static void every_split_is_the_same(void **state)
{
    (void)state;
    fixture_start(&f);
    add_dialogue();
    struct script whole = script;
    for (size_t split = 0; split <= whole.len; split++) {
        int fd = client_begin();
        client_send(fd, whole.data, split);
        client_send(fd, whole.data + split, whole.len - split);
        expect_dialogue(fd);
        client_end(fd);
    }
    int fd = client_begin();
    for (size_t i = 0; i < whole.len; i++)
        client_send(fd, whole.data + i, 1);
    expect_dialogue(fd);
    client_end(fd);
    fixture_stop(&f);
    assert_int_equal(counter_read(COUNTER_h2_connections), 0);
    assert_int_equal(counter_read(COUNTER_h2_streams), 0);
}

static void answer_later(struct fixture *fx, void *arg)
{
    struct net_conn *conn = net_io_find(fx->io, &fx->last_id);
    assert_non_null(conn);
    assert_int_equal(net_http_respond(conn, 200, TEXT("X-Late: yes\r\n"), text_of(arg), 0), 0);
    assert_int_equal(net_http_respond(conn, 200, TEXT_NONE, text_of(arg), 0), ERR_GONE);
}

static void answers_come_as_they_are_ready(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_begin();
    add_request(1, "GET", "/a", true, NULL);
    add_request(3, "GET", "/later", true, NULL);
    send_script(fd);
    expect_status(fd, 1, 200);
    WAIT_FOR(f.requests == 2);
    struct net_id pending = f.last_id;
    add_request(5, "POST", "/b", false, NULL);
    add_frame(DATA, END_STREAM, 5, "x", 1);
    send_script(fd);
    expect_status(fd, 5, 200);
    expect_body(fd, 5, "x");
    f.last_id = pending;
    fixture_run(&f, answer_later, "at last");
    expect_status(fd, 3, 200);
    assert_non_null(strstr(fields, "x-late: yes\n"));
    expect_body(fd, 3, "at last");
    client_end(fd);
    fixture_stop(&f);
    assert_int_equal(f.gones, 4); /* three requests and their connection */
}

static void abort_pending(struct fixture *fx, void *arg)
{
    (void)arg;
    net_conn_abort(net_io_find(fx->io, &fx->last_id));
}

static void must_be_gone(struct fixture *fx, void *arg)
{
    (void)arg;
    assert_null(net_io_find(fx->io, &fx->last_id));
}

static void a_reset_request_is_gone(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_begin();
    add_request(1, "GET", "/later", true, NULL);
    send_script(fd);
    WAIT_FOR(f.requests == 1);
    add_reset(1);
    send_script(fd);
    WAIT_FOR(f.gones == 1);
    fixture_run(&f, must_be_gone, NULL);
    add_request(3, "GET", "/later", true, NULL); /* and the other way round */
    send_script(fd);
    WAIT_FOR(f.requests == 2);
    fixture_run(&f, abort_pending, NULL);
    expect_frame(fd, RST_STREAM);
    assert_int_equal(in.id, 3);
    assert_int_equal(f.gones, 2);
    add_request(5, "GET", "/later", true, NULL); /* the connection takes its requests along */
    send_script(fd);
    WAIT_FOR(f.requests == 3);
    client_end(fd);
    WAIT_FOR(f.gones == 4); /* and itself */
    fixture_stop(&f);
}

static void refusals(void **state)
{
    (void)state;
    f.config.body_max = 100;
    fixture_start(&f);
    int fd = client_begin();
    add_request(1, "POST", "/a", false, (const char *const[]){"content-length", "101", NULL});
    send_script(fd);
    expect_status(fd, 1, 413);
    expect_frame(fd, DATA);
    fixture_advance(&f, 2100);
    expect_frame(fd, RST_STREAM);
    assert_int_equal(word(in.payload), 0); /* NO_ERROR: the body need not come */
    char body[101] = {0};
    add_request(3, "POST", "/a", false, NULL);
    add_frame(DATA, 0, 3, body, 101);
    send_script(fd);
    expect_status(fd, 3, 413);
    expect_frame(fd, DATA);
    fixture_advance(&f, 2100);
    expect_frame(fd, RST_STREAM);
    add_request(5, "GET", "/a", true, (const char *const[]){"host", "elsewhere", NULL});
    send_script(fd);
    expect_status(fd, 5, 400);
    expect_frame(fd, DATA);
    unsigned char connect[64];
    size_t len = field(connect, ":method", "CONNECT");
    len += field(connect + len, ":authority", "a:1");
    add_frame(HEADERS, END_HEADERS, 7, connect, len);
    send_script(fd);
    expect_status(fd, 7, 405);
    expect_frame(fd, DATA);
    fixture_advance(&f, 2100);
    expect_frame(fd, RST_STREAM);
    add_request(9, "GET", "/ws", true, (const char *const[]){"sec-websocket-version", "13", NULL}); /* no upgrade is asked for, and none can be */
    send_script(fd);
    expect_status(fd, 9, 400);
    expect_frame(fd, DATA);
    static const char *const bad[][3] = {{"connection", "close", NULL}, {"transfer-encoding", "chunked", NULL}, {"X-Upper", "1", NULL},
        {":late", "1", NULL}, {"upgrade", "websocket", NULL}, {"te", "gzip", NULL}, {"x", "a\r\nb: c", NULL}};
    for (uint32_t i = 0; i < 7; i++) {
        add_request(11 + 2 * i, "GET", "/a", true, bad[i]);
        send_script(fd);
        expect_frame(fd, RST_STREAM);
        assert_int_equal(in.id, 11 + 2 * i);
        assert_int_equal(word(in.payload), 1); /* PROTOCOL_ERROR */
    }
    add_request(101, "POST", "/a", false, five); /* a body that is not as long as was said */
    add_frame(DATA, END_STREAM, 101, "long", 4);
    send_script(fd);
    expect_frame(fd, RST_STREAM);
    assert_int_equal(in.id, 101);
    add_request(103, "GET", "/a", true, NULL);
    send_script(fd);
    expect_status(fd, 103, 200);
    client_end(fd);
    fixture_stop(&f);
    assert_int_equal(f.requests, 2); /* /ws, and the last */
}

static void continue_is_said(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_begin();
    add_request(1, "POST", "/a", false, (const char *const[]){"expect", "100-continue", NULL});
    send_script(fd);
    expect_status(fd, 1, 100);
    add_frame(DATA, END_STREAM, 1, "x", 1);
    send_script(fd);
    expect_status(fd, 1, 200);
    expect_body(fd, 1, "x");
    client_end(fd);
    fixture_stop(&f);
}

/* ---- bounds ---- */

static void floods_end_the_connection(void **state)
{
    (void)state;
    static const char zeros[8];
    fixture_start(&f);
    int64_t before = counter_read(COUNTER_h2_floods);
    for (int kind = 0; kind < 4; kind++) {
        int fd = client_begin();
        for (uint32_t i = 0; i <= 600; i++) {
            if (kind == 0)
                add_frame(PING, 0, 0, zeros, 8);
            else if (kind == 1)
                add_frame(SETTINGS, 0, 0, "", 0);
            else if (kind == 2)
                add_frame(PRIORITY, 0, 1, "\0\0\0\0\0", 5);
            else {
                add_request(2 * i + 1, "GET", "/later", true, NULL);
                add_reset(2 * i + 1);
            }
            if (script.len > sizeof(script.data) - 4096)
                send_script(fd);
        }
        send_script(fd);
        expect_goaway(fd, NGHTTP2_ENHANCE_YOUR_CALM);
        client_end(fd);
        WAIT_FOR(counter_read(COUNTER_h2_floods) == before + kind + 1);
    }
    fixture_stop(&f);
    assert_int_equal(f.gones, f.requests + 4);
}

static void the_budget_refills(void **state)
{
    (void)state;
    static const char zeros[8];
    fixture_start(&f);
    int fd = client_begin();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 400; i++)
            add_frame(PING, 0, 0, zeros, 8);
        send_script(fd);
        for (int i = 0; i < 400; i++) {
            do
                assert_true(read_frame(fd));
            while (in.type != PING);
        }
        fixture_advance(&f, 10000);
    }
    client_end(fd);
    fixture_stop(&f);
}

/* A header block without an end: neither small frames nor large blocks go on for ever. */
static void endless_header_blocks(void **state)
{
    (void)state;
    fixture_start(&f);
    for (int kind = 0; kind < 2; kind++) {
        int fd = client_begin();
        unsigned char fields_out[512], large[16384];
        add_frame(HEADERS, END_STREAM, 1, fields_out, block(fields_out, "GET", "/a", NULL));
        for (int i = 0; i < 1000; i++) {
            size_t len = 0;
            while (kind == 1 && len < 16000)
                len += field(large + len, "x", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
            add_frame(CONTINUATION, 0, 1, large, len);
            if (send(fd, script.data, script.len, MSG_NOSIGNAL) < 0)
                break;
            script.len = 0;
        }
        WAIT_FOR(counter_read(COUNTER_h2_connections) == 0);
        client_end(fd);
    }
    fixture_stop(&f);
    assert_int_equal(f.requests, 0);
}

static void large_heads(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_begin();
    unsigned char large[40000];
    size_t len = block(large, "GET", "/a", NULL);
    while (len < 39000)
        len += field(large + len, "x", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
    add_frame(HEADERS, END_STREAM, 1, large, 16384);
    add_frame(CONTINUATION, 0, 1, large + 16384, 16384);
    add_frame(CONTINUATION, END_HEADERS, 1, large + 32768, len - 32768);
    add_request(3, "GET", "/a", true, NULL);
    send_script(fd);
    expect_status(fd, 1, 431);
    expect_status(fd, 3, 200);
    client_end(fd);
    fixture_stop(&f);
}

static void too_many_streams(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_begin();
    for (uint32_t i = 0; i < 129; i++)
        add_request(2 * i + 1, "GET", "/later", true, NULL);
    send_script(fd);
    expect_frame(fd, RST_STREAM);
    assert_int_equal(in.id, 257);
    assert_int_equal(word(in.payload), NGHTTP2_REFUSED_STREAM);
    assert_int_equal(f.requests, 128);
    client_end(fd);
    fixture_stop(&f);
}

/* ---- windows ---- */

static void send_body(int fd, uint32_t id, size_t len, bool end)
{
    static unsigned char piece[16384];
    while (len != 0) {
        size_t n = len < sizeof(piece) ? len : sizeof(piece);
        len -= n;
        add_frame(DATA, end && len == 0 ? END_STREAM : 0, id, piece, n);
        send_script(fd);
    }
}

/* Sends as the windows of the server allow. */
static void upload(int fd, uint32_t id, size_t len)
{
    int64_t stream = 65535, connection = 65535;
    while (len != 0) {
        int64_t room = stream < connection ? stream : connection;
        size_t n = (size_t)room < len ? (size_t)room : len;
        if (n > 16384)
            n = 16384;
        if (n != 0) {
            send_body(fd, id, n, n == len);
            stream -= (int64_t)n;
            connection -= (int64_t)n;
            len -= n;
            continue;
        }
        assert_true(read_frame(fd));
        if (in.type == WINDOW_UPDATE)
            *(in.id == 0 ? &connection : &stream) += word(in.payload);
        else
            assert_int_equal(in.type, SETTINGS);
    }
}

static void large_bodies_both_ways(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    fixture_start(&f);
    int fd = client_begin();
    add_window(0, 8 << 20);
    add_request(1, "POST", "/echo", false, NULL);
    add_window(1, 8 << 20);
    send_script(fd);
    upload(fd, 1, SIZE);
    expect_status(fd, 1, 200);
    size_t got = 0;
    while (got < SIZE) {
        expect_frame(fd, DATA);
        got += in.len;
    }
    assert_int_equal(got, SIZE);
    assert_int_equal(in.flags, END_STREAM);
    client_end(fd);
    fixture_stop(&f);
}

/* A large body waits while another has the grant, and comes when that one is gone. */
static void large_bodies_wait_for_each_other(void **state)
{
    (void)state;
    static const char *const length[] = {"content-length", "20971520", NULL};
    f.config.body_max = 24 << 20;
    fixture_start(&f);
    int fd = client_begin();
    add_request(1, "POST", "/a", false, length);
    add_request(3, "POST", "/b", false, length);
    send_script(fd);
    send_body(fd, 1, 40000, false);
    do
        assert_true(read_frame(fd));
    while (in.type != WINDOW_UPDATE || in.id != 1);
    send_body(fd, 3, 65535, false);
    add_frame(PING, 0, 0, "whenseen", 8);
    send_script(fd);
    do {
        assert_true(read_frame(fd));
        assert_true(in.type != WINDOW_UPDATE || in.id != 3);
    } while (in.type != PING);
    fixture_advance(&f, 45000); /* waiting is not the sender's fault */
    add_reset(1);
    send_script(fd);
    do
        assert_true(read_frame(fd));
    while (in.type != WINDOW_UPDATE || in.id != 3);
    fixture_advance(&f, 45000);
    fixture_advance(&f, 20000); /* now it is */
    expect_status(fd, 3, 408);
    client_end(fd);
    fixture_stop(&f);
}

/* Who does not read his answers gets no further work done, and is not kept for ever. */
static void slow_readers(void **state)
{
    (void)state;
    enum { SIZE = 60000, REQUESTS = 20 };
    fixture_start(&f);
    int fd = client_begin();
    add_window(0, 1 << 24);
    add_frame(SETTINGS, 0, 0, "\0\4\0\0\0\0", 6); /* no window for streams */
    send_script(fd);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        add_request(2 * i + 1, "POST", "/echo", false, NULL);
        send_script(fd);
        upload(fd, 2 * i + 1, SIZE);
    }
    WAIT_FOR(f.requests >= 5);
    add_frame(PING, 0, 0, "whenseen", 8);
    send_script(fd);
    do
        assert_true(read_frame(fd));
    while (in.type != PING || !(in.flags & ACK));
    assert_int_equal(f.requests, 5); /* 256 KiB are exceeded with the fifth */
    for (uint32_t i = 0; i < REQUESTS; i++)
        add_window(2 * i + 1, SIZE);
    send_script(fd);
    size_t got = 0;
    while (got < (size_t)SIZE * REQUESTS) {
        assert_true(read_frame(fd));
        if (in.type == DATA)
            got += in.len;
    }
    assert_int_equal(f.requests, REQUESTS);
    add_request(99, "POST", "/echo", false, NULL);
    add_frame(DATA, END_STREAM, 99, "x", 1);
    send_script(fd);
    expect_status(fd, 99, 200);
    fixture_advance(&f, 61000);
    while (read_frame(fd))
        ;
    client_end(fd);
    fixture_stop(&f);
}

/* ---- deadlines and the end ---- */

static void deadlines(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_begin(); /* idle */
    add_request(1, "GET", "/a", true, NULL);
    send_script(fd);
    expect_status(fd, 1, 200);
    fixture_advance(&f, 70000);
    add_request(3, "GET", "/a", true, NULL);
    send_script(fd);
    expect_status(fd, 3, 200);
    fixture_advance(&f, 76000);
    expect_goaway(fd, 0);
    client_end(fd);

    fd = client_begin(); /* half a head */
    unsigned char part[512];
    add_frame(HEADERS, END_STREAM, 1, part, block(part, "GET", "/a", NULL));
    send_script(fd);
    assert_true(read_frame(fd));
    WAIT_FOR(counter_read(COUNTER_h2_connections) == 1);
    add_frame(CONTINUATION, 0, 1, "", 0);
    send_script(fd);
    fixture_advance(&f, 5000);
    fixture_advance(&f, 6000);
    while (read_frame(fd))
        ;
    client_end(fd);

    fd = client_begin(); /* half a body */
    add_request(1, "POST", "/a", false, NULL);
    add_frame(DATA, 0, 1, "x", 1);
    add_frame(PING, 0, 0, "whenseen", 8);
    send_script(fd);
    do
        assert_true(read_frame(fd));
    while (in.type != PING);
    fixture_advance(&f, 61000);
    expect_status(fd, 1, 408);
    client_end(fd);

    fd = client_begin(); /* half a preface */
    client_send(fd, PREFACE, 20);
    WAIT_FOR(counter_read(COUNTER_net_connections) == 1);
    fixture_advance(&f, 11000);
    assert_eof(fd);
    client_end(fd);
    fixture_stop(&f);
}

static void draining_finishes_what_is_pending(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_begin();
    add_request(1, "GET", "/later", true, NULL);
    send_script(fd);
    WAIT_FOR(f.requests == 1);
    net_server_drain(f.server, 0);
    do
        assert_true(read_frame(fd));
    while (in.type != GOAWAY);
    assert_int_equal(word(in.payload), 1);
    assert_int_equal(word(in.payload + 4), 0);
    add_request(3, "GET", "/a", true, NULL);
    send_script(fd);
    fixture_run(&f, answer_later, "in time");
    expect_status(fd, 1, 200);
    expect_body(fd, 1, "in time");
    while (read_frame(fd))
        assert_int_not_equal(in.type, HEADERS);
    client_end(fd);
    WAIT_FOR(net_server_drained(f.server));
    fixture_stop(&f);
}

static void broken_frames(void **state)
{
    (void)state;
    fixture_start(&f);
    static const struct {
        const char *bytes;
        size_t len;
    } broken[] = {
        {"\0\0\1\0\0\0\0\0\1x", 10},                /* DATA on an idle stream */
        {"\0\0\0\4\0\0\0\0\1", 9},                  /* SETTINGS with a stream */
        {"\0\0\5\4\0\0\0\0\0xxxxx", 14},            /* SETTINGS of an odd length */
        {"\xff\xff\xff\0\0\0\0\0\1", 9},            /* larger than was agreed */
        {"\0\0\4\x08\0\0\0\0\0\0\0\0\0", 13},       /* WINDOW_UPDATE of nothing */
        {"\0\0\1\1\4\0\0\0\1\xff", 10},             /* HPACK that is none */
        {"\0\0\0\x09\4\0\0\0\1", 9},                /* CONTINUATION of nothing */
        {"\0\0\4\3\0\0\0\0\1\0\0\0\0", 13},         /* RST_STREAM of an idle stream */
        {"\0\0\4\5\4\0\0\0\1\0\0\0\2", 13},         /* PUSH_PROMISE from a client */
        {"GET / HTTP/1.1\r\n\r\n", 18},
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        int fd = client_begin();
        add(broken[i].bytes, broken[i].len);
        send_script(fd);
        bool told = false;
        while (read_frame(fd))
            told |= in.type == GOAWAY && word(in.payload + 4) != 0;
        if (!told)
            fail_msg("case %zu: no GOAWAY", i);
        client_end(fd);
    }
    fixture_stop(&f);
}

static void answer_too_large(struct fixture *fx, void *arg)
{
    struct buf lines;
    (void)arg;
    buf_init(&lines, 1 << 20);
    for (int i = 0; i < 200; i++)
        buf_add_format(&lines, "X-%d: y\r\n", i);
    assert_int_equal(net_http_respond(net_io_find(fx->io, &fx->last_id), 200, buf_text(&lines), TEXT_NONE, 0), ERR_TOO_LARGE);
    buf_fini(&lines);
}

static void an_answer_that_cannot_be_said_is_a_reset(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_begin();
    add_request(1, "GET", "/later", true, NULL);
    send_script(fd);
    WAIT_FOR(f.requests == 1);
    fixture_run(&f, answer_too_large, NULL);
    expect_frame(fd, RST_STREAM);
    client_end(fd);
    fixture_stop(&f);
}

static void half_close_still_gets_its_answer(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_begin();
    add_request(1, "GET", "/later", true, NULL);
    send_script(fd);
    shutdown(fd, SHUT_WR);
    WAIT_FOR(f.requests == 1);
    fixture_run(&f, answer_later, "still");
    expect_status(fd, 1, 200);
    expect_body(fd, 1, "still");
    assert_false(read_frame(fd));
    client_end(fd);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_split_is_the_same, setup),
        cmocka_unit_test_setup(answers_come_as_they_are_ready, setup),
        cmocka_unit_test_setup(a_reset_request_is_gone, setup),
        cmocka_unit_test_setup(refusals, setup),
        cmocka_unit_test_setup(continue_is_said, setup),
        cmocka_unit_test_setup(floods_end_the_connection, setup),
        cmocka_unit_test_setup(the_budget_refills, setup),
        cmocka_unit_test_setup(endless_header_blocks, setup),
        cmocka_unit_test_setup(large_heads, setup),
        cmocka_unit_test_setup(too_many_streams, setup),
        cmocka_unit_test_setup(large_bodies_both_ways, setup),
        cmocka_unit_test_setup(large_bodies_wait_for_each_other, setup),
        cmocka_unit_test_setup(slow_readers, setup),
        cmocka_unit_test_setup(deadlines, setup),
        cmocka_unit_test_setup(draining_finishes_what_is_pending, setup),
        cmocka_unit_test_setup(broken_frames, setup),
        cmocka_unit_test_setup(an_answer_that_cannot_be_said_is_a_reset, setup),
        cmocka_unit_test_setup(half_close_still_gets_its_answer, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
