/* HTTP/1.1 over real sockets: order, bodies, limits, refusals, deadlines. */
#include "server_fixture.h"

static struct fixture f;
static char out[1 << 16];

static int setup(void **state)
{
    (void)state;
    fixture_init(&f);
    return 0;
}

static void get_and_keep_alive(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_open(&f);
    for (int i = 0; i < 3; i++) {
        client_say(fd, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
        assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
        assert_string_equal(out, "hello");
    }
    client_say(fd, "GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
    assert_eof(fd);
    close(fd);
    fixture_stop(&f);
}

static void date_length_and_head(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_open(&f);
    client_say(fd, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /c HTTP/1.0\r\n\r\n");
    client_head(fd, out, sizeof(out));
    assert_non_null(strstr(out, "\r\nDate: "));
    assert_non_null(strstr(out, "\r\nContent-Length: 0\r\n"));
    assert_null(strstr(out, "Connection"));
    client_head(fd, out, sizeof(out));
    assert_non_null(strstr(out, "Connection: keep-alive\r\n"));
    client_head(fd, out, sizeof(out));
    assert_non_null(strstr(out, "Connection: close\r\n"));
    assert_eof(fd);
    close(fd);
    fixture_stop(&f);
}

static void pipelined_answers_keep_their_order(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_open(&f);
    char request[128];
    for (int i = 0; i < 500; i++) {
        int len = snprintf(request, sizeof(request), "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n%03d", i);
        client_send(fd, request, (size_t)len);
    }
    for (int i = 0; i < 500; i++) {
        assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
        assert_int_equal(atoi(out), i);
    }
    close(fd);
    fixture_stop(&f);
}

static void answer_later(struct fixture *fx, void *arg)
{
    struct net_conn *conn = net_io_find(fx->io, &fx->last_id);
    assert_non_null(conn);
    assert_int_equal(net_http_respond(conn, 200, TEXT_NONE, text_of(arg), 0), 0);
    assert_int_equal(net_http_respond(conn, 200, TEXT_NONE, text_of(arg), 0), ERR_GONE);
}

static void the_next_request_waits_for_the_answer(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_open(&f);
    client_say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\nPOST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nnow");
    WAIT_FOR(f.requests == 1);
    fixture_run(&f, answer_later, "first");
    assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
    assert_string_equal(out, "first");
    assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
    assert_string_equal(out, "now");
    close(fd);
    fixture_stop(&f);
}

static void early_data_of_a_pending_request_is_bounded(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_open(&f);
    char *junk = calloc(1, 1 << 20);
    client_say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(f.requests == 1);
    size_t total = 0;
    ssize_t sent;
    while ((sent = send(fd, junk, 1 << 20, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0 && total < ((size_t)64 << 20))
        total += (size_t)sent;
    assert_true(total < ((size_t)64 << 20)); /* the socket filled: nobody reads on */
    fixture_run(&f, answer_later, "done");
    assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
    assert_int_equal(client_answer(fd, out, sizeof(out)), 400); /* zeros are no request */
    free(junk);
    close(fd);
    fixture_stop(&f);
}

static void a_half_closed_client_still_gets_its_answer(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_open(&f);
    client_say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(f.requests == 1);
    shutdown(fd, SHUT_WR);
    fixture_run(&f, answer_later, "still");
    assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
    assert_string_equal(out, "still");
    assert_eof(fd);
    close(fd);
    fixture_stop(&f);
}

static void chunked_bodies_in_every_cut(void **state)
{
    (void)state;
    static const char request[] = "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: v\r\n\r\n";
    fixture_start(&f);
    int fd = client_open(&f);
    for (size_t cut = 1; cut < sizeof(request) - 1; cut++) {
        client_send(fd, request, cut);
        client_send(fd, request + cut, sizeof(request) - 1 - cut);
        assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
        assert_string_equal(out, "hello world");
    }
    for (size_t i = 0; i < sizeof(request) - 1; i++)
        client_send(fd, request + i, 1);
    assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
    assert_string_equal(out, "hello world");
    close(fd);
    fixture_stop(&f);
}

static void a_body_larger_than_a_read(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_open(&f);
    size_t size = 1 << 20;
    char *body = malloc(size), *back = malloc(size + 1), head[128];
    for (size_t i = 0; i < size; i++)
        body[i] = (char)('a' + i % 26);
    int len = snprintf(head, sizeof(head), "POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", size);
    client_send(fd, head, (size_t)len);
    client_send(fd, body, size);
    assert_int_equal(client_answer(fd, back, size + 1), 200);
    assert_memory_equal(back, body, size);
    free(body);
    free(back);
    close(fd);
    fixture_stop(&f);
}

static void expect_continue(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_open(&f);
    client_say(fd, "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    client_head(fd, out, sizeof(out));
    assert_string_equal(out, "HTTP/1.1 100 Continue\r\n\r\n");
    client_say(fd, "ok");
    assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
    assert_string_equal(out, "ok");
    close(fd);
    fixture_stop(&f);
}

static void gzip_bodies(void **state)
{
    (void)state;
    static const unsigned char zipped[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0, 0};
    fixture_start(&f);
    int fd = client_open(&f);
    char head[256];
    int len = snprintf(head, sizeof(head), "POST /z HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", sizeof(zipped));
    client_send(fd, head, (size_t)len);
    client_send(fd, zipped, sizeof(zipped));
    assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
    assert_string_equal(out, "hello");
    client_say(fd, "POST /z HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope");
    assert_int_equal(client_answer(fd, out, sizeof(out)), 400);
    assert_eof(fd);
    close(fd);
    fixture_stop(&f);
}

static size_t no_body(void *context, struct net_conn *conn, const struct http_request *request)
{
    (void)context;
    (void)conn;
    return text_is(request->path, "/small") ? 4 : 1 << 20;
}

/* RFC 9110 9.3.2 holds for refusals too; what comes from the next request on has its body again. */
static void a_refused_head_has_no_body(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "HEAD / HTTP/1.1\r\n\r\n",
        "HEAD /small HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        "HEAD / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HEAD / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    };
    f.events.on_body_limit = no_body;
    fixture_start(&f);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        int fd = client_open(&f);
        client_say(fd, requests[i]);
        client_head(fd, out, sizeof(out));
        assert_memory_equal(out, "HTTP/1.1 4", 10);
        assert_eof(fd);
        close(fd);
    }
    int fd = client_open(&f);
    client_say(fd, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n");
    client_head(fd, out, sizeof(out));
    assert_int_equal(client_answer(fd, out, sizeof(out)), 400);
    assert_non_null(strstr(out, "message"));
    close(fd);
    fixture_stop(&f);
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: x\n\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 413},
        {"POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", 413},
        {"POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 413},
        {"GET / HTTP/2.5\r\nHost: x\r\n\r\n", 505},
    };
    f.events.on_body_limit = no_body;
    fixture_start(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = client_open(&f);
        client_say(fd, cases[i].request);
        int status = client_answer(fd, out, sizeof(out));
        if (status != cases[i].status)
            fail_msg("%s answered %d", cases[i].request, status);
        assert_eof(fd);
        close(fd);
    }
    assert_int_equal(f.requests, 0);
    int fd = client_open(&f);
    char *target = malloc(40000);
    memset(target, 'a', 40000);
    memcpy(target, "GET /", 5);
    client_send(fd, target, 40000);
    assert_int_equal(client_answer(fd, out, sizeof(out)), 414);
    close(fd);
    fd = client_open(&f);
    client_say(fd, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
    memset(target, 'a', 40000);
    client_send(fd, target, 40000);
    assert_int_equal(client_answer(fd, out, sizeof(out)), 431);
    close(fd);
    free(target);
    fixture_stop(&f);
}

static void deadlines(void **state)
{
    (void)state;
    fixture_start(&f);
    int silent = client_open(&f), slow_head = client_open(&f), slow_body = client_open(&f), idle = client_open(&f);
    client_say(slow_head, "GET / HTT");
    client_say(slow_body, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe");
    client_say(idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(client_answer(idle, out, sizeof(out)), 200);
    WAIT_FOR(counter_read(COUNTER_net_connections) == 4 && counter_read(COUNTER_http_requests) >= 2);
    WAIT_FOR(counter_read(COUNTER_net_buffers) == 2);
    fixture_advance(&f, 11000);
    assert_eof(silent);
    assert_int_equal(client_answer(slow_head, out, sizeof(out)), 408);
    assert_eof(slow_head);
    close(silent);
    close(slow_head);
    fixture_advance(&f, 50000);
    assert_int_equal(client_answer(slow_body, out, sizeof(out)), 408);
    assert_eof(slow_body);
    close(slow_body);
    client_say(idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(client_answer(idle, out, sizeof(out)), 200);
    fixture_advance(&f, 76000);
    assert_eof(idle);
    close(idle);
    fixture_stop(&f);
}

static void a_client_that_reads_nothing_is_not_read(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_open_with(&f, 4096);
    size_t size = 64 << 10, count = 0;
    char *request = malloc(size + 128);
    int head = sprintf(request, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", size);
    memset(request + head, 'x', size);
    ssize_t sent = 0;
    size_t at = 0;
    for (;;) {
        sent = send(fd, request + at, size + (size_t)head - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && counter_read(COUNTER_net_queue_bytes) != 0) {
            /* full: is it for good? */
            int64_t seen = counter_read(COUNTER_net_bytes_in);
            for (int i = 0; i < 50; i++)
                nap();
            if (seen == counter_read(COUNTER_net_bytes_in))
                break;
        }
        if (sent > 0 && (at += (size_t)sent) == size + (size_t)head) {
            at = 0;
            count++;
        }
        assert_true(count < 4096);
    }
    assert_true(counter_read(COUNTER_net_queue_bytes) < (1 << 20));
    for (size_t i = 0; i < count; i++) {
        char *back = malloc(size + 1);
        assert_int_equal(client_answer(fd, back, size + 1), 200);
        free(back);
    }
    free(request);
    close(fd);
    fixture_stop(&f);
}

static void proxies(void **state)
{
    (void)state;
    struct text trusted[] = {TEXT("127.0.0.0/8"), TEXT("10.0.0.0/8")};
    f.config.trusted_proxies = trusted;
    f.config.trusted_count = 2;
    fixture_start(&f);
    int fd = client_open(&f);
    client_say(fd, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6, 8.8.8.8, 10.1.1.1\r\n\r\n");
    assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
    assert_string_equal(f.address, "8.8.8.8");
    close(fd);
    fixture_stop(&f);

    fixture_init(&f);
    f.config.trusted_proxies = trusted;
    f.config.trusted_count = 1;
    f.config.proxy_protocol = true;
    fixture_start(&f);
    static const char v1[] = "PROXY TCP4 9.8.7.6 127.0.0.1 4711 80\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n";
    fd = client_open(&f);
    for (size_t i = 0; i < sizeof(v1) - 1; i++)
        client_send(fd, v1 + i, 1);
    assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
    assert_string_equal(f.address, "9.8.7.6");
    close(fd);
    static const char v2[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x05\x06\x07\x08\x7f\0\0\x01\x10\x20\0\x50GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    fd = client_open(&f);
    client_send(fd, v2, sizeof(v2) - 1);
    assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
    assert_string_equal(f.address, "5.6.7.8");
    close(fd);
    fd = client_open(&f);
    client_say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); /* no header where one is due */
    assert_eof(fd);
    close(fd);
    fixture_stop(&f);
}

static void nobody_is_trusted_unasked(void **state)
{
    (void)state;
    fixture_start(&f);
    int fd = client_open(&f);
    client_say(fd, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n");
    assert_int_equal(client_answer(fd, out, sizeof(out)), 200);
    assert_string_equal(f.address, "127.0.0.1");
    close(fd);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(get_and_keep_alive, setup),
        cmocka_unit_test_setup(date_length_and_head, setup),
        cmocka_unit_test_setup(pipelined_answers_keep_their_order, setup),
        cmocka_unit_test_setup(the_next_request_waits_for_the_answer, setup),
        cmocka_unit_test_setup(early_data_of_a_pending_request_is_bounded, setup),
        cmocka_unit_test_setup(a_half_closed_client_still_gets_its_answer, setup),
        cmocka_unit_test_setup(chunked_bodies_in_every_cut, setup),
        cmocka_unit_test_setup(a_body_larger_than_a_read, setup),
        cmocka_unit_test_setup(expect_continue, setup),
        cmocka_unit_test_setup(gzip_bodies, setup),
        cmocka_unit_test_setup(a_refused_head_has_no_body, setup),
        cmocka_unit_test_setup(refusals, setup),
        cmocka_unit_test_setup(deadlines, setup),
        cmocka_unit_test_setup(a_client_that_reads_nothing_is_not_read, setup),
        cmocka_unit_test_setup(proxies, setup),
        cmocka_unit_test_setup(nobody_is_trusted_unasked, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
