/* TLS sessions against OpenSSL's own client, over a socket pair: the client blocks in a thread, the server is driven here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/counter.h"
#include "net/tls.h"
#include "tls_make.h"

#define WAIT_MS 60000

static struct made_certificate made;
static struct tls_context *context;

static int setup(void **state)
{
    (void)state;
    struct err err;
    if (certificate_make(&made, "first"))
        return -1;
    struct tls_options options = {made.certificate, made.key, true};
    return tls_context_create(&options, &context, &err);
}

static int teardown(void **state)
{
    (void)state;
    tls_context_destroy(context);
    certificate_remove(&made);
    return 0;
}

/* ---- the client ---- */

struct client {
    int fd;
    int version;          /* 0 = any */
    const char *alpn;     /* wire form, or NULL */
    const char *ciphers;  /* TLS 1.2 list, or NULL */
    SSL_SESSION *resume;
    size_t send, receive; /* bytes of payload */
    bool abrupt;          /* no close_notify */
    bool renegotiate;
    atomic_bool *gate;    /* nothing is sent or read before it opens */
    /* results */
    bool connected, resumed, echoed, closed_cleanly, renegotiated;
    char alpn_got[16], name[64];
    SSL_SESSION *session;
    pthread_t thread;
};

static void client_talk(struct client *c, SSL *ssl)
{
    char *out = malloc(c->send + 1), *in = calloc(1, c->receive + 1);
    memset(out, 'x', c->send);
    size_t sent = 0, got = 0;
    while (sent < c->send) {
        int n = SSL_write(ssl, out + sent, (int)(c->send - sent));
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    while (got < c->receive) {
        int n = SSL_read(ssl, in + got, (int)(c->receive - got));
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    size_t same = 0;
    while (same < got && in[same] == 'x')
        same++;
    c->echoed = sent == c->send && got == c->receive && same == got;
    free(out);
    free(in);
}

static void *client_run(void *arg)
{
    struct client *c = arg;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl;
    if (c->version) {
        SSL_CTX_set_min_proto_version(ctx, c->version);
        SSL_CTX_set_max_proto_version(ctx, c->version);
        SSL_CTX_set_security_level(ctx, 0);
    }
    if (c->ciphers)
        SSL_CTX_set_cipher_list(ctx, c->ciphers);
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, c->fd);
    if (c->alpn)
        SSL_set_alpn_protos(ssl, (const unsigned char *)c->alpn, (unsigned)strlen(c->alpn));
    if (c->resume)
        SSL_set_session(ssl, c->resume);
    c->connected = SSL_connect(ssl) == 1;
    if (c->connected) {
        const unsigned char *alpn;
        unsigned len;
        SSL_get0_alpn_selected(ssl, &alpn, &len);
        memcpy(c->alpn_got, alpn ? (const char *)alpn : "", len);
        X509 *peer = SSL_get1_peer_certificate(ssl);
        if (peer)
            X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, c->name, sizeof(c->name));
        X509_free(peer);
        while (c->gate && !atomic_load(c->gate))
            poll(NULL, 0, 1);
        client_talk(c, ssl);
        c->resumed = SSL_session_reused(ssl) == 1;
        c->session = SSL_get1_session(ssl);
        if (c->renegotiate)
            c->renegotiated = SSL_renegotiate(ssl) == 1 && SSL_do_handshake(ssl) == 1;
        if (!c->abrupt) {
            if (SSL_shutdown(ssl) == 0) {
                char byte;
                int n = SSL_read(ssl, &byte, 1);
                c->closed_cleanly = n <= 0 && SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN;
            }
        }
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    ERR_clear_error();
    close(c->fd);
    return NULL;
}

/* Starts the client; answers the server's end, non-blocking. */
static int client_start(struct client *c)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    c->fd = fds[1];
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(pthread_create(&c->thread, NULL, client_run, c), 0);
    return fds[0];
}

static void wait_for(int fd, int want)
{
    struct pollfd p = {fd, want == TLS_WANT_READ ? POLLIN : POLLOUT, 0};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

/* ---- the server ---- */

static int serve_handshake(struct tls_session *session, int fd)
{
    for (;;) {
        int result = tls_session_handshake(session);
        if (result != TLS_WANT_READ && result != TLS_WANT_WRITE)
            return result;
        wait_for(fd, result);
    }
}

static void serve_write(struct tls_session *session, int fd, const char *data, size_t len)
{
    while (len) {
        long n = tls_session_write(session, data, len);
        if (n > 0) {
            data += n;
            len -= (size_t)n;
            continue;
        }
        assert_true(n == TLS_WANT_READ || n == TLS_WANT_WRITE);
        wait_for(fd, (int)n);
    }
}

/* Echoes until the client ends; answers how it ended. The read buffer is smaller than a record, so that bytes stay pending. */
static long serve_echo(struct tls_session *session, int fd, size_t *echoed)
{
    char buffer[1000];
    *echoed = 0;
    for (;;) {
        long n = tls_session_read(session, buffer, sizeof(buffer));
        if (n == TLS_WANT_READ || n == TLS_WANT_WRITE) {
            assert_int_equal(tls_session_pending(session), 0);
            wait_for(fd, (int)n);
            continue;
        }
        if (n < 0)
            return n;
        *echoed += (size_t)n;
        serve_write(session, fd, buffer, (size_t)n);
    }
}

static long exchange(struct client *c, struct text prefix, int *handshake)
{
    struct tls_session *session;
    size_t echoed = 0;
    long end = 0;
    int fd = client_start(c);
    if (prefix.len == 1) { /* the sniffed first byte */
        char first;
        wait_for(fd, TLS_WANT_READ);
        assert_int_equal(recv(fd, &first, 1, 0), 1);
        assert_int_equal(first, 0x16);
        assert_int_equal(tls_session_create(context, fd, text_make(&first, 1), &session), 0);
        assert_int_equal(tls_session_pending(session), 1);
    } else {
        assert_int_equal(tls_session_create(context, fd, prefix, &session), 0);
    }
    *handshake = serve_handshake(session, fd);
    assert_int_equal(tls_session_ready(session), *handshake == 0);
    if (*handshake == 0) {
        end = serve_echo(session, fd, &echoed);
        assert_int_equal(tls_session_shutdown(session), 0);
        assert_int_equal(echoed, c->send);
    }
    tls_session_destroy(session);
    close(fd);
    pthread_join(c->thread, NULL);
    return end;
}

static void test_both_versions(void **state)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct client c = {.version = versions[i], .send = 300000, .receive = 300000};
        int64_t before = counter_read(COUNTER_net_tls_handshakes);
        int handshake;
        assert_int_equal(exchange(&c, TEXT_NONE, &handshake), TLS_CLOSED);
        assert_int_equal(handshake, 0);
        assert_true(c.connected && c.echoed && c.closed_cleanly);
        assert_string_equal(c.name, "first");
        assert_int_equal(counter_read(COUNTER_net_tls_handshakes) - before, 1);
        SSL_SESSION_free(c.session);
    }
}

static void test_sniffed_byte(void **state)
{
    struct client c = {.send = 10, .receive = 10};
    int handshake;
    (void)state;
    assert_int_equal(exchange(&c, TEXT("?"), &handshake), TLS_CLOSED);
    assert_true(c.echoed);
    SSL_SESSION_free(c.session);
}

static void test_refused(void **state)
{
    struct client old = {.version = TLS1_1_VERSION, .ciphers = "ALL:@SECLEVEL=0"};
    struct client weak = {.version = TLS1_2_VERSION, .ciphers = "AES128-SHA:AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA"};
    struct client other = {.alpn = "\x05proto"};
    struct client *all[] = {&old, &weak, &other};
    int64_t before = counter_read(COUNTER_net_tls_failures);
    (void)state;
    for (int i = 0; i < 3; i++) {
        int handshake;
        exchange(all[i], TEXT_NONE, &handshake);
        assert_int_equal(handshake, TLS_FAILED);
        assert_false(all[i]->connected);
    }
    assert_int_equal(counter_read(COUNTER_net_tls_failures) - before, 3);
}

static void test_not_tls(void **state)
{
    struct tls_session *session;
    int fds[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(tls_session_create(context, fds[0], TEXT("GET / HTTP/1.1\r\n\r\n"), &session), 0);
    assert_int_equal(tls_session_handshake(session), TLS_FAILED);
    assert_int_equal(tls_session_shutdown(session), 0);
    tls_session_destroy(session);
    assert_int_equal(tls_session_create(context, fds[0], TEXT_NONE, &session), 0);
    assert_int_equal(tls_session_handshake(session), TLS_WANT_READ);
    close(fds[1]);
    assert_int_equal(tls_session_handshake(session), TLS_CLOSED);
    tls_session_destroy(session);
    char *large = calloc(1, TLS_PREFIX_MAX + 1);
    assert_int_equal(tls_session_create(context, fds[0], text_make(large, TLS_PREFIX_MAX + 1), &session), ERR_TOO_LARGE);
    free(large);
    close(fds[0]);
}

static void test_alpn(void **state)
{
    static const struct {
        const char *offered, *chosen;
    } cases[] = {{"\x08http/1.1", "http/1.1"}, {"\x08http/1.1\x02h2", "h2"}, {"\x05proto\x02h2", "h2"}, {NULL, ""}};
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct client c = {.alpn = cases[i].offered, .send = 1, .receive = 1};
        int handshake;
        exchange(&c, TEXT_NONE, &handshake);
        assert_int_equal(handshake, 0);
        assert_string_equal(c.alpn_got, cases[i].chosen);
        SSL_SESSION_free(c.session);
    }
    struct tls_options plain = {made.certificate, made.key, false};
    struct tls_context *with_h2 = context;
    struct client c = {.alpn = "\x02h2\x08http/1.1", .send = 1, .receive = 1};
    int handshake;
    assert_int_equal(tls_context_create(&plain, &context, NULL), 0);
    exchange(&c, TEXT_NONE, &handshake);
    assert_string_equal(c.alpn_got, "http/1.1");
    SSL_SESSION_free(c.session);
    tls_context_destroy(context);
    context = with_h2;
}

static void test_tickets(void **state)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct client first = {.version = versions[i], .send = 1, .receive = 1}, second = first;
        int handshake;
        exchange(&first, TEXT_NONE, &handshake);
        assert_false(first.resumed);
        second.resume = first.session;
        exchange(&second, TEXT_NONE, &handshake);
        assert_true(second.resumed && second.echoed);
        SSL_SESSION_free(first.session);
        SSL_SESSION_free(second.session);
    }
}

static void test_abrupt_end(void **state)
{
    struct client c = {.send = 100, .receive = 100, .abrupt = true};
    int handshake;
    (void)state;
    assert_int_equal(exchange(&c, TEXT_NONE, &handshake), TLS_CLOSED);
    assert_true(c.echoed);
    SSL_SESSION_free(c.session);
}

static void test_no_renegotiation(void **state)
{
    struct client c = {.version = TLS1_2_VERSION, .send = 1, .receive = 1, .renegotiate = true, .abrupt = true};
    int handshake;
    (void)state;
    long end = exchange(&c, TEXT_NONE, &handshake);
    assert_true(end == TLS_CLOSED || end == TLS_FAILED);
    assert_false(c.renegotiated);
    SSL_SESSION_free(c.session);
}

/* A peer that vanished must not raise SIGPIPE, which would end this test. */
static void test_write_to_the_gone(void **state)
{
    struct client c = {.abrupt = true};
    struct tls_session *session;
    char data[4096] = {0};
    long n = 1;
    (void)state;
    signal(SIGPIPE, SIG_DFL);
    int fd = client_start(&c);
    assert_int_equal(tls_session_create(context, fd, TEXT_NONE, &session), 0);
    assert_int_equal(serve_handshake(session, fd), 0);
    pthread_join(c.thread, NULL);
    for (int i = 0; i < 1000 && n > 0; i++)
        n = tls_session_write(session, data, sizeof(data));
    assert_int_equal(n, TLS_CLOSED);
    tls_session_destroy(session);
    close(fd);
    SSL_SESSION_free(c.session);
}

/* A slow reader: it reads nothing until a write had to wait; the write goes on from another address. */
static void test_want_write(void **state)
{
    atomic_bool gate = false;
    struct client c = {.receive = 4000000, .gate = &gate};
    struct tls_session *session;
    (void)state;
    int fd = client_start(&c);
    assert_int_equal(tls_session_create(context, fd, TEXT_NONE, &session), 0);
    assert_int_equal(serve_handshake(session, fd), 0);
    int waits = 0;
    for (size_t left = c.receive; left;) {
        char *chunk = malloc(65536);
        memset(chunk, 'x', 65536);
        long n = tls_session_write(session, chunk, left < 65536 ? left : 65536);
        free(chunk);
        if (n > 0) {
            left -= (size_t)n;
            continue;
        }
        assert_int_equal(n, TLS_WANT_WRITE);
        waits++;
        atomic_store(&gate, true);
        wait_for(fd, TLS_WANT_WRITE);
    }
    assert_true(waits > 0);
    assert_int_equal(tls_session_shutdown(session), 0);
    tls_session_destroy(session);
    shutdown(fd, SHUT_WR);
    pthread_join(c.thread, NULL);
    assert_true(c.echoed);
    close(fd);
    SSL_SESSION_free(c.session);
}

static void test_reload(void **state)
{
    struct client before = {.send = 1, .receive = 1}, after = before, still = before;
    struct err err = {0};
    int handshake;
    (void)state;
    exchange(&before, TEXT_NONE, &handshake);
    assert_string_equal(before.name, "first");

    FILE *file = fopen(made.certificate, "w"); /* a renewal that went wrong */
    fputs("not a certificate", file);
    fclose(file);
    assert_int_equal(tls_context_reload(context, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, made.certificate));
    exchange(&still, TEXT_NONE, &handshake);
    assert_string_equal(still.name, "first");

    assert_int_equal(certificate_write(&made, "second"), 0);
    struct tls_session *running; /* begun before the reload, and it outlives the context's old certificate */
    struct client old = {.send = 1, .receive = 1};
    int fd = client_start(&old);
    size_t echoed;
    assert_int_equal(tls_session_create(context, fd, TEXT_NONE, &running), 0);
    assert_int_equal(tls_context_reload(context, &err), 0);
    assert_int_equal(serve_handshake(running, fd), 0);
    assert_int_equal(serve_echo(running, fd, &echoed), TLS_CLOSED);
    tls_session_shutdown(running);
    tls_session_destroy(running);
    close(fd);
    pthread_join(old.thread, NULL);
    assert_string_equal(old.name, "first");
    exchange(&after, TEXT_NONE, &handshake);
    assert_string_equal(after.name, "second");
    SSL_SESSION *sessions[] = {before.session, still.session, old.session, after.session};
    for (int i = 0; i < 4; i++)
        SSL_SESSION_free(sessions[i]);
}

static void test_bad_files(void **state)
{
    struct made_certificate other;
    struct tls_context *none = NULL;
    struct err err = {0};
    (void)state;
    assert_int_equal(certificate_make(&other, "other"), 0);
    struct tls_options missing = {"/tmp/weir-no-such-file", made.key, false};
    struct tls_options swapped = {made.key, made.certificate, false};
    struct tls_options foreign = {made.certificate, other.key, false};
    assert_int_equal(tls_context_create(&missing, &none, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "/tmp/weir-no-such-file"));
    assert_int_equal(tls_context_create(&swapped, &none, &err), ERR_INVALID);
    assert_int_equal(tls_context_create(&foreign, &none, &err), ERR_INVALID);
    assert_null(none);
    tls_context_destroy(NULL);
    certificate_remove(&other);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* the client's side is OpenSSL's own socket code */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_both_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sniffed_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alpn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tickets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abrupt_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_renegotiation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_want_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_to_the_gone, setup, teardown),
    };
    return cmocka_run_group_tests_name("net/tls", tests, NULL, NULL);
}
