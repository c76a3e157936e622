/* WebSocket over real sockets: handshake, messages, control frames, the close handshake, heartbeats and limits, pause, drain. */
#include "server_fixture.h"

static struct fixture f;
static char out[1 << 16];

static int setup(void **state)
{
    (void)state;
    fixture_init(&f);
    return 0;
}

static void echo(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = ws_open(&f);
    WAIT_FOR(counter_read(COUNTER_net_buffers) == 0); /* an idle connection owns nothing */
    for (size_t len = 0; len < 70000; len = len * 3 + 1) {
        char *message = malloc(len + 1), *back = malloc(len + 1);
        size_t got;
        memset(message, 'm', len + 1);
        ws_send_frame(fd, 0x82, message, len);
        assert_int_equal(ws_read(fd, back, len + 1, &got), 0x82);
        assert_int_equal(got, len);
        assert_memory_equal(back, message, len);
        free(message);
        free(back);
    }
    ws_shut(fd);
    WAIT_FOR(f.closes == 1);
    assert_int_equal(f.end, NET_END_CLIENT);
    assert_int_equal(f.code, 1000);
    assert_int_equal(f.gones, 0);
    fixture_stop(&f);
}

static void handshakes_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {"POST /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400},
        {"GET /ws HTTP/1.0\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400},
        {"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 426},
        {"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 426},
        {"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n", 400},
        {"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n\r\n", 400},
        {"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n\r\n", 400},
        {"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 426},
        {"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400},
        {"GET /refuse HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 403},
    };
    fixture_start(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = client_open(&f);
        client_say(fd, cases[i].request);
        client_head(fd, out, sizeof(out));
        if (atoi(out + 9) != cases[i].status)
            fail_msg("%s answered %s", cases[i].request, out);
        if (cases[i].status == 426)
            assert_non_null(strstr(out, "Sec-WebSocket-Version: 13\r\n"));
        close(fd);
    }
    WAIT_FOR(f.gones == sizeof(cases) / sizeof(cases[0]));
    fixture_stop(&f);
}

static void accept_later(struct fixture *fx, void *arg)
{
    struct net_conn *conn = net_io_find(fx->io, &fx->last_id);
    int *result = arg;
    *result = conn != NULL ? net_ws_accept(conn, &fx->ws, TEXT("chat"), TEXT("X-Extra: yes\r\n")) : ERR_GONE;
    if (*result == 0)
        net_ws_send(conn, WS_TEXT, "hi", 2);
}

static void an_upgrade_may_wait(void **state)
{
    (void)state;
    int result = 1;
    fixture_start(&f);
    int fd = client_open(&f);
    client_say(fd, HANDSHAKE("/later"));
    ws_say(fd, "early");
    WAIT_FOR(f.requests == 1);
    assert_int_equal(f.messages, 0);
    fixture_run(&f, accept_later, &result);
    assert_int_equal(result, 0);
    client_head(fd, out, sizeof(out));
    assert_non_null(strstr(out, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert_non_null(strstr(out, "Sec-WebSocket-Protocol: chat\r\n"));
    assert_non_null(strstr(out, "X-Extra: yes\r\n"));
    ws_expect(fd, "hi");
    ws_expect(fd, "early");
    ws_shut(fd);
    fd = client_open(&f);
    client_say(fd, HANDSHAKE("/later"));
    WAIT_FOR(f.requests == 2);
    close(fd);
    WAIT_FOR(f.gones == 1);
    fixture_run(&f, accept_later, &result);
    assert_int_equal(result, ERR_GONE);
    fixture_stop(&f);
}

static void a_whole_session_byte_by_byte(void **state)
{
    (void)state;
    char session[2048], frame[512];
    fixture_start(&f);
    int fd = client_open(&f);
    size_t len = (size_t)sprintf(session, "%s", HANDSHAKE("/ws"));
    memset(frame, 'x', 300);
    len += ws_encode(session + len, 0x81, "one", 3);
    len += ws_encode(session + len, 0x01, "tw", 2);
    len += ws_encode(session + len, 0x89, "ping", 4);
    len += ws_encode(session + len, 0x80, "o", 1);
    len += ws_encode(session + len, 0x82, frame, 300);
    len += ws_encode(session + len, 0x88, "\x0f\xa1" "bye", 5);
    for (size_t i = 0; i < len; i++)
        client_send(fd, session + i, 1);
    client_head(fd, out, sizeof(out));
    ws_expect(fd, "one");
    assert_int_equal(ws_read(fd, out, sizeof(out), NULL), 0x8a);
    assert_string_equal(out, "ping");
    ws_expect(fd, "two");
    assert_int_equal(ws_read(fd, out, sizeof(out), NULL), 0x82);
    ws_expect_close(fd, 4001);
    assert_eof(fd);
    close(fd);
    WAIT_FOR(f.closes == 1);
    assert_int_equal(f.code, 4001);
    assert_string_equal(f.reason, "bye");
    fixture_stop(&f);
}

static void many_in_one_write(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_open(&f);
    size_t size = 64 << 10, len = 0;
    char *batch = malloc(size);
    len = (size_t)sprintf(batch, "%s", HANDSHAKE("/ws"));
    int count = 0;
    while (len + 32 < size) {
        char word[16];
        len += ws_encode(batch + len, 0x81, word, (size_t)sprintf(word, "m%d", count++));
    }
    client_send(fd, batch, len);
    client_head(fd, out, sizeof(out));
    for (int i = 0; i < count; i++) {
        char word[16];
        sprintf(word, "m%d", i);
        ws_expect(fd, word);
    }
    free(batch);
    ws_shut(fd);
    fixture_stop(&f);
}

static void violations_close_with_their_code(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        int code;
    } cases[] = {
        {"\x81\x01x", 3, 1002},                     /* not masked */
        {"\x83\x80\0\0\0\0", 6, 1002},              /* opcode 3 */
        {"\xc1\x80\0\0\0\0", 6, 1002},              /* RSV1 without an extension */
        {"\x80\x80\0\0\0\0", 6, 1002},              /* continuation of nothing */
        {"\x09\x80\0\0\0\0", 6, 1002},              /* fragmented ping */
        {"\x81\x81\0\0\0\0\xff", 7, 1007},          /* not UTF-8 */
        {"\x88\x81\0\0\0\0x", 7, 1002},             /* half a code */
        {"\x88\x82\0\0\0\0\x03\xed", 8, 1002},      /* 1005 on the wire */
        {"\x81\xff\0\0\0\0\0\x20\0\0\0\0\0\0", 14, 1009},
    };
    fixture_start(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = ws_open(&f);
        ws_say(fd, "before");
        client_send(fd, cases[i].bytes, cases[i].len);
        ws_expect(fd, "before");
        ws_expect_close(fd, cases[i].code);
        assert_eof(fd);
        close(fd);
        WAIT_FOR(f.closes == (int)i + 1);
        assert_int_equal(f.end, NET_END_PROTOCOL);
        assert_int_equal(f.code, cases[i].code);
    }
    fixture_stop(&f);
}

static void the_server_closes(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = ws_open(&f);
    ws_say(fd, "close");
    ws_say(fd, "ignored");
    ws_expect_close(fd, 4000);
    assert_int_equal(f.closes, 0);
    ws_send_frame(fd, 0x88, "\x0f\xa0", 2);
    assert_eof(fd);
    close(fd);
    WAIT_FOR(f.closes == 1);
    assert_int_equal(f.end, NET_END_SERVER);
    assert_int_equal(f.code, 4000);
    assert_string_equal(f.reason, "as you wish");
    assert_int_equal(f.messages, 1);

    fd = ws_open(&f);
    ws_say(fd, "close"); /* and the peer never answers */
    ws_expect_close(fd, 4000);
    fixture_advance(&f, 3000);
    WAIT_FOR(f.closes == 2);
    assert_int_equal(f.code, 4000);
    assert_eof(fd);
    close(fd);

    fd = ws_open(&f);
    ws_say(fd, "abort");
    assert_eof(fd);
    close(fd);
    WAIT_FOR(f.closes == 3);
    assert_int_equal(f.code, 1006);
    fixture_stop(&f);
}

/* The peer breaks the rules while its answer is awaited: no second close frame, and no reset while it still talks. */
static void nonsense_behind_our_close_frame(void **state)
{
    (void)state;
    char rest;
    fixture_start(&f);
    int fd = ws_open(&f);
    ws_say(fd, "close");
    ws_expect_close(fd, 4000);
    client_send(fd, "\x81\x01x", 3); /* not masked */
    assert_int_equal(recv(fd, &rest, 1, 0), 0);
    memset(out, 'x', sizeof(out));
    for (int i = 0; i < 64; i++)
        client_send(fd, out, sizeof(out));
    shutdown(fd, SHUT_WR);
    assert_int_equal(recv(fd, &rest, 1, 0), 0);
    close(fd);
    WAIT_FOR(f.closes == 1);
    assert_int_equal(f.end, NET_END_SERVER);
    assert_int_equal(f.code, 4000);
    assert_string_equal(f.reason, "as you wish");
    fixture_stop(&f);
}

static void the_peer_vanishes(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = ws_open(&f);
    close(fd);
    WAIT_FOR(f.closes == 1);
    assert_int_equal(f.end, NET_END_LOST);
    assert_int_equal(f.code, 1006);
    fd = ws_open(&f);
    struct linger hard = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd); /* a reset */
    WAIT_FOR(f.closes == 2);
    assert_int_equal(f.end, NET_END_LOST);
    fixture_stop(&f);
}

static void close_without_a_code(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = ws_open(&f);
    ws_send_frame(fd, 0x88, "", 0);
    ws_expect_close(fd, 1005);
    assert_eof(fd);
    close(fd);
    WAIT_FOR(f.closes == 1);
    assert_int_equal(f.code, 1005);
    fixture_stop(&f);
}

static void each_ping_has_its_pong(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = ws_open(&f);
    char batch[4096], word[16];
    size_t len = 0;
    for (int i = 0; i < 100; i++)
        len += ws_encode(batch + len, 0x89, word, (size_t)sprintf(word, "%d", i));
    client_send(fd, batch, len);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(ws_read(fd, out, sizeof(out), NULL), 0x8a);
        assert_int_equal(atoi(out), i);
    }
    ws_shut(fd);
    fixture_stop(&f);
}

static void a_ping_flood_costs_no_memory(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = ws_open_with(&f, 4096);
    char batch[1 << 14], payload[125];
    size_t len = 0;
    int64_t sent_total = 0;
    memset(payload, 'p', sizeof(payload));
    while (len + 140 < sizeof(batch))
        len += ws_encode(batch + len, 0x89, payload, sizeof(payload));
    /* Our receive buffer fills, then its send buffer; it goes on reading pings and must not keep their pongs. */
    int64_t accepted = counter_read(COUNTER_net_bytes_in);
    while (sent_total < ((int64_t)32 << 20)) {
        client_send(fd, batch, len);
        sent_total += (int64_t)len;
    }
    WAIT_FOR(counter_read(COUNTER_net_bytes_in) - accepted >= sent_total);
    WAIT_FOR(counter_read(COUNTER_net_queue_bytes) > 0);
    assert_true(counter_read(COUNTER_net_queue_bytes) < 64 * 1024);
    ws_send_frame(fd, 0x89, "last", 4);
    do
        assert_int_equal(ws_read(fd, out, sizeof(out), NULL), 0x8a);
    while (strcmp(out, "last") != 0);
    ws_shut(fd);
    fixture_stop(&f);
}

static void heartbeats(void **state)
{
    (void)state;
    f.ws.ping_every_ms = 10000;
    f.ws.pong_within_ms = 5000;
    fixture_start(&f);
    int fd = ws_open(&f);
    WAIT_FOR(counter_read(COUNTER_net_buffers) == 0);
    fixture_advance(&f, 10100);
    assert_int_equal(ws_read(fd, out, sizeof(out), NULL), 0x89);
    ws_send_frame(fd, 0x8a, "", 0);
    ws_say(fd, "here"); /* its echo tells that the pong was seen */
    ws_expect(fd, "here");
    fixture_advance(&f, 10100);
    assert_int_equal(ws_read(fd, out, sizeof(out), NULL), 0x89);
    fixture_advance(&f, 5100);
    assert_eof(fd);
    close(fd);
    WAIT_FOR(f.closes == 1);
    assert_int_equal(f.end, NET_END_TIMEOUT);
    assert_int_equal(f.code, 1006);
    fixture_stop(&f);
}

static void idle_and_life(void **state)
{
    (void)state;
    f.ws.idle_max_ms = 600000;
    f.ws.life_max_ms = 7200000;
    fixture_start(&f);
    int idle = ws_open(&f), busy = ws_open(&f);
    for (int i = 0; i < 13; i++) {
        fixture_advance(&f, 590000);
        ws_say(busy, "still here");
        if (i < 12)
            ws_expect(busy, "still here");
        if (i == 1) {
            ws_expect_close(idle, 1001);
            ws_send_frame(idle, 0x88, "\x03\xe9", 2);
            assert_eof(idle);
            close(idle);
        }
    }
    int first = ws_read(busy, out, sizeof(out), NULL);
    if (first == 0x81)
        first = ws_read(busy, out, sizeof(out), NULL);
    assert_int_equal(first, 0x88);
    assert_string_equal(out + 2, "Going away");
    close(busy);
    WAIT_FOR(f.closes == 2);
    assert_int_equal(f.end, NET_END_TIMEOUT);
    assert_int_equal(f.code, 1001);
    fixture_stop(&f);
}

static void resume(struct fixture *fx, void *arg)
{
    uint32_t at = 0;
    struct net_conn *conn = net_io_next(fx->io, &at);
    (void)arg;
    assert_non_null(conn);
    assert_null(net_io_next(fx->io, &at));
    net_conn_resume(conn);
}

static void pause_holds_and_resume_goes_on(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = ws_open(&f);
    char batch[256];
    size_t len = ws_encode(batch, 0x81, "one", 3);
    len += ws_encode(batch + len, 0x81, "two", 3);
    len += ws_encode(batch + len, 0x81, "three", 5);
    f.pause_next = true;
    client_send(fd, batch, len - 2); /* the third is cut */
    ws_expect(fd, "one");
    client_send(fd, batch + len - 2, 2);
    assert_int_equal(f.messages, 1);
    f.pause_next = true;
    fixture_run(&f, resume, NULL);
    ws_expect(fd, "two");
    assert_int_equal(f.messages, 2);
    fixture_run(&f, resume, NULL);
    ws_expect(fd, "three");
    /* Paused, the peer's reset is noticed all the same. */
    f.pause_next = true;
    ws_say(fd, "four");
    ws_expect(fd, "four");
    ws_say(fd, "unread");
    struct linger hard = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
    WAIT_FOR(f.closes == 1);
    assert_int_equal(f.messages, 4);
    fixture_stop(&f);
}

static void deflate(void **state)
{
    (void)state;
    f.ws.deflate = (struct ws_deflate_config){.enabled = true, .server_max_window_bits = 15, .client_max_window_bits = 15, .level = 6, .threshold = 64};
    fixture_start(&f);
    int fd = client_open(&f);
    client_say(fd, "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    client_head(fd, out, sizeof(out));
    assert_non_null(strstr(out, "Sec-WebSocket-Extensions: permessage-deflate"));
    char message[1000];
    size_t len;
    memset(message, 'd', sizeof(message));
    ws_send_frame(fd, 0x81, message, sizeof(message));
    assert_int_equal(ws_read(fd, out, sizeof(out), &len), 0xc1);
    assert_true(len < 100);
    ws_say(fd, "short");
    ws_expect(fd, "short");
    ws_send_frame(fd, 0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7); /* RFC 7692 7.2.3.1 */
    ws_expect(fd, "Hello");
    ws_shut(fd);
    fixture_stop(&f);
}

static void broadcast(struct fixture *fx, void *arg)
{
    struct net_frame *frame = net_frame_create(WS_TEXT, arg, strlen(arg)), *pair[2] = {frame, frame};
    struct net_frame *joined = net_frame_join(pair, 2);
    uint32_t at = 0;
    struct net_conn *conn;
    assert_int_equal(joined->messages, 2);
    while ((conn = net_io_next(fx->io, &at)) != NULL)
        assert_int_equal(net_ws_send_frame(conn, joined, 0), 0);
    assert_int_equal(joined->refs, 1); /* all went out at once */
    net_frame_unref(joined);
    net_frame_unref(frame);
}

static void a_broadcast_reaches_all(void **state)
{
    (void)state;
    int fds[50];
    fixture_start(&f);
    for (int i = 0; i < 50; i++)
        fds[i] = ws_open(&f);
    fixture_run(&f, broadcast, "news");
    for (int i = 0; i < 50; i++) {
        ws_expect(fds[i], "news");
        ws_expect(fds[i], "news");
        ws_shut(fds[i]);
    }
    WAIT_FOR(f.closes == 50);
    fixture_stop(&f);
}

static void drain(void **state)
{
    (void)state;
    fixture_start(&f);
    int ws = ws_open(&f), idle = client_open(&f), pending = client_open(&f);
    client_say(idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(client_answer(idle, out, sizeof(out)), 200);
    client_say(pending, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(f.requests == 3);
    assert_false(net_server_drained(f.server));
    net_server_drain(f.server, 5000);
    assert_int_equal(ws_read(ws, out, sizeof(out), NULL), 0x88);
    assert_int_equal((uint8_t)out[0] << 8 | (uint8_t)out[1], 1001);
    assert_memory_equal(out + 2, "retry in ", 9);
    ws_send_frame(ws, 0x88, "\x03\xe9", 2);
    assert_eof(ws);
    assert_eof(idle);
    WAIT_FOR(f.closes == 1);
    assert_int_equal(f.end, NET_END_DRAIN);
    assert_false(net_server_drained(f.server));
    close(pending);
    close(ws);
    close(idle);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(net_server_port(f.server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
    close(fd);
    /* The pending request holds the drain until it is answered; its client has gone, which the answer finds out. */
    net_server_stop(f.server);
    assert_true(net_server_drained(f.server));
    fixture_stop(&f);
}

static void stop_tells_everyone(void **state)
{
    (void)state;
    f.config.io_threads = 3;
    fixture_start(&f);
    int fds[30];
    for (int i = 0; i < 30; i++)
        fds[i] = ws_open(&f);
    net_server_stop(f.server);
    assert_int_equal(f.closes, 30);
    for (int i = 0; i < 30; i++) {
        assert_eof(fds[i]);
        close(fds[i]);
    }
    fixture_stop(&f);
}

static void ten_thousand_connects(void **state)
{
    (void)state;
    fixture_start(&f);
    int64_t before = counter_read(COUNTER_ws_connects);
    struct linger hard = {1, 0};
    for (int i = 0; i < 10000; i++) {
        int fd = client_open(&f);
        client_say(fd, HANDSHAKE("/ws"));
        client_read(fd, out, 12);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)); /* no port waits */
        close(fd);
    }
    WAIT_FOR(f.closes == 10000);
    assert_int_equal(counter_read(COUNTER_ws_connects) - before, 10000);
    fixture_stop(&f);
}

static void too_many_connections(void **state)
{
    (void)state;
    f.config.connections_max = 2;
    fixture_start(&f);
    int a = ws_open(&f), b = ws_open(&f), c = client_open(&f);
    client_head(c, out, sizeof(out));
    assert_int_equal(atoi(out + 9), 503);
    assert_eof(c);
    close(c);
    ws_shut(a);
    WAIT_FOR(counter_read(COUNTER_net_connections) == 1);
    a = ws_open(&f);
    ws_shut(a);
    ws_shut(b);
    fixture_stop(&f);
}

static void the_accept_rate(void **state)
{
    (void)state;
    f.config.accept_rate_max = 100; /* a burst of a tenth of a second: 11 */
    fixture_start(&f);
    int fds[12];
    clock_freeze(clock_wall_ms());
    int64_t before = counter_read(COUNTER_net_accepts);
    for (int i = 0; i < 12; i++)
        fds[i] = client_open(&f);
    WAIT_FOR(counter_read(COUNTER_net_accepts) - before == 11);
    clock_freeze(clock_wall_ms() + 100);
    net_server_wake(f.server);
    WAIT_FOR(counter_read(COUNTER_net_accepts) - before == 12);
    clock_freeze(-1);
    for (int i = 0; i < 12; i++)
        close(fds[i]);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(echo, setup),
        cmocka_unit_test_setup(handshakes_that_are_refused, setup),
        cmocka_unit_test_setup(an_upgrade_may_wait, setup),
        cmocka_unit_test_setup(a_whole_session_byte_by_byte, setup),
        cmocka_unit_test_setup(many_in_one_write, setup),
        cmocka_unit_test_setup(violations_close_with_their_code, setup),
        cmocka_unit_test_setup(the_server_closes, setup),
        cmocka_unit_test_setup(nonsense_behind_our_close_frame, setup),
        cmocka_unit_test_setup(the_peer_vanishes, setup),
        cmocka_unit_test_setup(close_without_a_code, setup),
        cmocka_unit_test_setup(each_ping_has_its_pong, setup),
        cmocka_unit_test_setup(a_ping_flood_costs_no_memory, setup),
        cmocka_unit_test_setup(heartbeats, setup),
        cmocka_unit_test_setup(idle_and_life, setup),
        cmocka_unit_test_setup(pause_holds_and_resume_goes_on, setup),
        cmocka_unit_test_setup(deflate, setup),
        cmocka_unit_test_setup(a_broadcast_reaches_all, setup),
        cmocka_unit_test_setup(drain, setup),
        cmocka_unit_test_setup(stop_tells_everyone, setup),
        cmocka_unit_test_setup(too_many_connections, setup),
        cmocka_unit_test_setup(ten_thousand_connects, setup),
        cmocka_unit_test_setup(the_accept_rate, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
