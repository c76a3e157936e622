/* TLS beside plain on one port: sessions, pipelining, a slow reader, a failed handshake. */
#include "server_fixture.h"

#include <openssl/ssl.h>

#include "net/tls.h"
#include "tls_make.h"

static struct fixture f;
static struct made_certificate made;
static struct tls_context *context;
static SSL_CTX *client_context;

static int setup(void **state)
{
    (void)state;
    fixture_init(&f);
    f.config.tls = context;
    return 0;
}

static int group_setup(void **state)
{
    (void)state;
    struct err err;
    if (certificate_make(&made, "weir") != 0)
        return -1;
    client_context = SSL_CTX_new(TLS_client_method());
    return tls_context_create(&(struct tls_options){made.certificate, made.key, false}, &context, &err);
}

static int group_teardown(void **state)
{
    (void)state;
    SSL_CTX_free(client_context);
    tls_context_destroy(context);
    certificate_remove(&made);
    return 0;
}

static SSL *tls_open(int *fd, int receive_buffer)
{
    *fd = client_open_with(&f, receive_buffer);
    SSL *ssl = SSL_new(client_context);
    SSL_set_fd(ssl, *fd);
    assert_int_equal(SSL_connect(ssl), 1);
    return ssl;
}

static void tls_shut(SSL *ssl, int fd)
{
    SSL_free(ssl);
    close(fd);
}

static void tls_send(SSL *ssl, const void *data, size_t len)
{
    assert_int_equal(SSL_write(ssl, data, (int)len), (int)len);
}

static void tls_read(SSL *ssl, void *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        int got = SSL_read(ssl, (char *)out + at, (int)(len - at));
        assert_true(got > 0);
        at += (size_t)got;
    }
}

static void tls_handshake(SSL *ssl)
{
    char head[1024];
    size_t len = 0;
    tls_send(ssl, HANDSHAKE("/ws"), strlen(HANDSHAKE("/ws")));
    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0)
        tls_read(ssl, head + len++, 1);
    assert_memory_equal(head, "HTTP/1.1 101 ", 13);
}

static void plain_and_tls_side_by_side(void **state)
{
    (void)state;
    int fd;
    char frame[64], back[16];
    fixture_start(&f);
    int plain = ws_open(&f);
    SSL *ssl = tls_open(&fd, 0);
    tls_handshake(ssl);
    ws_say(plain, "plain");
    ws_expect(plain, "plain");
    tls_send(ssl, frame, ws_encode(frame, 0x81, "safe", 4));
    tls_read(ssl, back, 6);
    assert_memory_equal(back, "\x81\x04safe", 6);
    tls_send(ssl, frame, ws_encode(frame, 0x88, "\x03\xe8", 2));
    tls_read(ssl, back, 4);
    assert_memory_equal(back, "\x88\x02\x03\xe8", 4);
    assert_int_equal(SSL_read(ssl, back, 1), 0);
    assert_int_equal(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN); /* a close_notify, not a cut */
    tls_shut(ssl, fd);
    ws_shut(plain);
    WAIT_FOR(f.closes == 2);
    fixture_stop(&f);
}

static void large_echo(void **state)
{
    (void)state;
    int fd;
    size_t size = 700000;
    char *message = malloc(size), *frame = malloc(size + 14), *back = malloc(size + 10);
    for (size_t i = 0; i < size; i++)
        message[i] = (char)(i * 31 >> 3);
    fixture_start(&f);
    SSL *ssl = tls_open(&fd, 0);
    tls_handshake(ssl);
    for (int i = 0; i < 3; i++) {
        tls_send(ssl, frame, ws_encode(frame, 0x82, message, size));
        tls_read(ssl, back, size + 10);
        assert_memory_equal(back + 10, message, size);
    }
    tls_shut(ssl, fd);
    free(message);
    free(frame);
    free(back);
    fixture_stop(&f);
}

static void burst(struct fixture *fx, void *arg)
{
    uint32_t at = 0;
    struct net_conn *conn = net_io_next(fx->io, &at);
    int *count = arg;
    for (int i = 0; i < *count; i++) {
        char message[1000];
        memset(message, 'x', sizeof(message));
        message[sprintf(message, "%d ", i)] = 'x';
        assert_int_equal(net_ws_send(conn, WS_TEXT, message, sizeof(message)), 0);
    }
}

static void drop_oldest(void **state)
{
    (void)state;
    int fd, count = 20000, last = -1, got = 0;
    char back[1004];
    f.ws.slow = NET_SLOW_DROP_OLDEST;
    f.ws.queue_bytes_max = 40000;
    fixture_start(&f);
    SSL *ssl = tls_open(&fd, 4096);
    tls_handshake(ssl);
    WAIT_FOR(counter_read(COUNTER_ws_connections) == 1);
    int64_t dropped = counter_read(COUNTER_ws_slow_dropped);
    fixture_run(&f, burst, &count);
    dropped = counter_read(COUNTER_ws_slow_dropped) - dropped;
    assert_true(dropped > 0);
    while (last != count - 1) {
        tls_read(ssl, back, 1004);
        assert_memory_equal(back, "\x81\x7e\x03\xe8", 4);
        assert_true(atoi(back + 4) > last);
        last = atoi(back + 4);
        got++;
    }
    assert_int_equal(got + dropped, count);
    tls_shut(ssl, fd);
    fixture_stop(&f);
}

static void resume(struct fixture *fx, void *arg)
{
    uint32_t at = 0;
    (void)arg;
    net_conn_resume(net_io_next(fx->io, &at));
}

static void pause_with_records_waiting(void **state)
{
    (void)state;
    int fd;
    char batch[4096], word[16], back[16];
    size_t len = 0;
    fixture_start(&f);
    SSL *ssl = tls_open(&fd, 0);
    tls_handshake(ssl);
    f.pause_next = true;
    for (int i = 0; i < 100; i++)
        len += ws_encode(batch + len, 0x81, word, (size_t)sprintf(word, "%03d", i));
    for (size_t at = 0; at < len; at += 50)
        tls_send(ssl, batch + at, len - at < 50 ? len - at : 50);
    tls_read(ssl, back, 5);
    assert_int_equal(f.messages, 1);
    fixture_run(&f, resume, NULL);
    for (int i = 1; i < 100; i++) {
        tls_read(ssl, back, 5);
        back[5] = '\0';
        assert_int_equal(atoi(back + 2), i);
    }
    tls_shut(ssl, fd);
    fixture_stop(&f);
}

static void broken_handshakes(void **state)
{
    (void)state;
    fixture_start(&f);
    int64_t failed = counter_read(COUNTER_net_tls_failures);
    int fd = client_open(&f);
    client_send(fd, "\x16\x03\x01\x00\x05hello", 10);
    char rest[64];
    while (recv(fd, rest, sizeof(rest), 0) > 0)
        ;
    close(fd);
    WAIT_FOR(counter_read(COUNTER_net_tls_failures) - failed == 1);
    fd = client_open(&f);
    client_send(fd, "\x16\x03\x01", 3); /* and never more */
    WAIT_FOR(counter_read(COUNTER_net_buffers) == 1);
    fixture_advance(&f, 11000);
    assert_eof(fd);
    close(fd);
    fixture_stop(&f);
    fixture_init(&f); /* without TLS */
    fixture_start(&f);
    fd = client_open(&f);
    client_send(fd, "\x16\x03\x01\x00\x05hello", 10);
    assert_eof(fd);
    close(fd);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(plain_and_tls_side_by_side, setup),
        cmocka_unit_test_setup(large_echo, setup),
        cmocka_unit_test_setup(drop_oldest, setup),
        cmocka_unit_test_setup(pause_with_records_waiting, setup),
        cmocka_unit_test_setup(broken_handshakes, setup),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
