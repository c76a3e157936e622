/* Outgoing HTTP against servers of this test: threads with blocking sockets on 127.0.0.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above */
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/counter.h"
#include "net/fetch.h"
#include "net/tls.h"
#include "tls_make.h"

#define CONNECTIONS_MAX 64
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- the server ---- */

struct server {
    int fd, port;
    struct tls_context *tls; /* NULL = plain */
    atomic_int accepted, requests;
    atomic_bool release; /* lets /hold answer */
    pthread_t acceptor, threads[CONNECTIONS_MAX];
    int connections[CONNECTIONS_MAX];
};
struct peer {
    struct server *server;
    int fd;
    struct tls_session *tls;
};

static long peer_read(struct peer *p, char *out, size_t size)
{
    return p->tls ? tls_session_read(p->tls, out, size) : recv(p->fd, out, size, 0);
}

static void peer_write(struct peer *p, const char *data, size_t len)
{
    while (len) {
        long n = p->tls ? tls_session_write(p->tls, data, len) : send(p->fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

static void answer(struct peer *p, const char *status, const char *headers, const char *body, size_t len)
{
    char head[512];
    int n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, headers, len);
    peer_write(p, head, (size_t)n);
    peer_write(p, body, len);
}

/* False: the connection ends. */
static bool serve(struct peer *p, const char *request, size_t len)
{
    const char *path = strchr(request, ' ') + 1;
#define PATH(s) (strncmp(path, s, strlen(s)) == 0)
    if (PATH("/hold"))
        while (!atomic_load(&p->server->release))
            poll(NULL, 0, 1);
    if (PATH("/echo") || PATH("/hold")) {
        if (strncmp(request, "HEAD", 4) == 0) {
            peer_write(p, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 38);
            return true;
        }
        answer(p, "200 OK", "Content-Type:  text/plain \r\nX-Empty:\r\n", request, len);
    } else if (PATH("/redirect")) {
        answer(p, "302 Found", "Location: /echo\r\n", "moved", 5);
    } else if (PATH("/continue")) {
        peer_write(p, "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n", 38);
        answer(p, "503 Service Unavailable", "Retry-After: 7\r\n", "busy", 4);
    } else if (PATH("/chunked")) {
        static const char chunks[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        peer_write(p, chunks, sizeof(chunks) - 1);
    } else if (PATH("/large")) { /* no length given: the limit must be met on the way */
        static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        peer_write(p, head, sizeof(head) - 1);
        for (int i = 0; i < 100; i++)
            peer_write(p, "64\r\n0123456789012345678901234567890123456789012345678901234567890123456789"
                          "012345678901234567890123456789\r\n", 106);
        peer_write(p, "0\r\n\r\n", 5);
    } else if (PATH("/declared")) {
        peer_write(p, "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", 46);
    } else if (PATH("/headers")) {
        char line[1100];
        int n = snprintf(line, sizeof(line), "X-A: %01000d\r\n", 0);
        peer_write(p, "HTTP/1.1 200 OK\r\n", 17);
        for (int i = 0; i < 80; i++)
            peer_write(p, line, (size_t)n);
        peer_write(p, "Content-Length: 0\r\n\r\n", 21);
    } else if (PATH("/rubbish")) {
        peer_write(p, "this is not HTTP\r\n\r\n", 20);
        return false;
    } else if (PATH("/cut")) {
        peer_write(p, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 42);
        return false;
    } else {
        return false; /* closed without a word */
    }
    return true;
}

static size_t body_length(const char *head)
{
    const char *field = strcasestr(head, "\r\ncontent-length:");
    return field ? strtoul(field + 17, NULL, 10) : 0;
}

static void *peer_run(void *arg)
{
    struct peer *p = arg;
    char *request = calloc(1, 1 << 20);
    size_t len = 0;
    for (;;) {
        long n = peer_read(p, request + len, (1 << 20) - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
        request[len] = 0;
        char *end = strstr(request, "\r\n\r\n");
        if (!end || len < (size_t)(end - request) + 4 + body_length(request))
            continue;
        atomic_fetch_add(&p->server->requests, 1);
        if (!serve(p, request, len))
            break;
        len = 0;
    }
    tls_session_destroy(p->tls);
    shutdown(p->fd, SHUT_RDWR);
    free(request);
    free(p);
    return NULL;
}

static void *accept_run(void *arg)
{
    struct server *s = arg;
    for (;;) {
        int fd = accept(s->fd, NULL, NULL), at = atomic_load(&s->accepted);
        if (fd < 0 || at == CONNECTIONS_MAX)
            return NULL;
        struct peer *p = calloc(1, sizeof(*p));
        *p = (struct peer){s, fd, NULL};
        if (s->tls && tls_session_create(s->tls, fd, TEXT_NONE, &p->tls))
            abort();
        s->connections[at] = fd;
        if (pthread_create(&s->threads[at], NULL, peer_run, p))
            abort();
        atomic_fetch_add(&s->accepted, 1);
    }
}

static void server_start(struct server *s, struct tls_context *tls)
{
    memset(s, 0, sizeof(*s));
    s->tls = tls;
    s->fd = listen_make(&s->port);
    assert_true(s->fd >= 0);
    assert_int_equal(pthread_create(&s->acceptor, NULL, accept_run, s), 0);
}

static void server_stop(struct server *s)
{
    atomic_store(&s->release, true);
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    close(s->fd);
    for (int i = 0; i < atomic_load(&s->accepted); i++) {
        shutdown(s->connections[i], SHUT_RDWR);
        pthread_join(s->threads[i], NULL);
        close(s->connections[i]);
    }
}

/* ---- answers ---- */

struct outcome {
    pthread_mutex_t lock;
    pthread_cond_t came;
    int count; /* callbacks */
    int error, status;
    char body[8192], type[64], empty[8], retry[16], early[16];
    size_t body_len;
    bool has_message;
    struct fetch_pool *chain; /* starts the next one from inside the callback */
    const struct fetch_request *next;
    int next_code;
};
#define OUTCOME {.lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER}

static void copy_header(const struct fetch_response *response, const char *name, char *out, size_t size)
{
    struct text value = fetch_response_header(response, text_of(name));
    snprintf(out, size, "%.*s", TEXT_FMT(value));
}

static void on_done(void *ctx, const struct fetch_response *response)
{
    struct outcome *o = ctx;
    pthread_mutex_lock(&o->lock);
    o->error = response->error;
    o->status = response->status;
    o->body_len = response->body.len;
    o->has_message = response->message != NULL;
    snprintf(o->body, sizeof(o->body), "%.*s", TEXT_FMT(response->body));
    copy_header(response, "content-type", o->type, sizeof(o->type));
    copy_header(response, "x-empty", o->empty, sizeof(o->empty));
    copy_header(response, "retry-after", o->retry, sizeof(o->retry));
    copy_header(response, "X-EARLY", o->early, sizeof(o->early));
    if (o->chain) {
        struct fetch_pool *pool = o->chain;
        o->chain = NULL;
        o->next_code = fetch_start(pool, o->next, on_done, o);
    }
    o->count++;
    pthread_cond_broadcast(&o->came);
    pthread_mutex_unlock(&o->lock);
}

static void wait_count(struct outcome *o, int count)
{
    pthread_mutex_lock(&o->lock);
    while (o->count < count)
        pthread_cond_wait(&o->came, &o->lock); /* the test's time-out ends it if nothing comes */
    pthread_mutex_unlock(&o->lock);
}

static struct server server;
static struct fetch_pool *pool;
static char url_text[256];

static struct text url(const char *path)
{
    snprintf(url_text, sizeof(url_text), "%s://127.0.0.1:%d%s", server.tls ? "https" : "http", server.port, path);
    return text_of(url_text);
}

static void get(const char *path, struct outcome *o)
{
    struct fetch_request request = {.url = url(path)};
    int before = o->count;
    assert_int_equal(fetch_start(pool, &request, on_done, o), 0);
    wait_count(o, before + 1);
}

static int setup(void **state)
{
    (void)state;
    struct fetch_options options = {.in_flight_max = 2, .queue_max = 3, .body_max = 100000, .response_max = 100000};
    server_start(&server, NULL);
    return fetch_pool_create(&options, &pool, NULL);
}

static int teardown(void **state)
{
    (void)state;
    fetch_pool_destroy(pool);
    pool = NULL;
    server_stop(&server);
    assert_int_equal(counter_read(COUNTER_fetch_in_flight), 0);
    return 0;
}

/* ---- what goes out and what comes back ---- */

static void test_get(void **state)
{
    struct outcome o = OUTCOME;
    (void)state;
    get("/echo?a=1", &o);
    assert_int_equal(o.error, 0);
    assert_int_equal(o.status, 200);
    assert_false(o.has_message);
    assert_string_equal(o.type, "text/plain");
    assert_string_equal(o.empty, "");
    assert_true(strncmp(o.body, "GET /echo?a=1 HTTP/1.1\r\n", 24) == 0);
    assert_non_null(strstr(o.body, "User-Agent: weir/"));
    assert_null(strcasestr(o.body, "content-length"));
}

static void test_methods_and_headers(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE", "GET"};
    struct fetch_header headers[] = {{TEXT("Content-Type"), TEXT("application/json")}, {TEXT("X-Empty"), TEXT("")},
                                     {TEXT("X-Spaces"), TEXT("  a b  ")}};
    struct outcome o = OUTCOME;
    int count = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        char first[64];
        struct fetch_request request = {text_of(methods[i]), url("/echo"), headers, 3, TEXT("{\"a\":1}"), 0, 0};
        assert_int_equal(fetch_start(pool, &request, on_done, &o), 0);
        wait_count(&o, ++count);
        snprintf(first, sizeof(first), "%s /echo HTTP/1.1\r\n", methods[i]);
        assert_true(strncmp(o.body, first, strlen(first)) == 0);
        assert_non_null(strstr(o.body, "Content-Type: application/json\r\n"));
        assert_non_null(strstr(o.body, "X-Empty:\r\n"));
        assert_non_null(strstr(o.body, "X-Spaces: a b\r\n"));
        assert_non_null(strstr(o.body, "Content-Length: 7\r\n"));
        assert_non_null(strstr(o.body, "\r\n\r\n{\"a\":1}"));
    }
    struct fetch_request empty = {.method = TEXT("POST"), .url = url("/echo")};
    assert_int_equal(fetch_start(pool, &empty, on_done, &o), 0);
    wait_count(&o, ++count);
    assert_non_null(strstr(o.body, "Content-Length: 0\r\n"));
    assert_null(strcasestr(o.body, "content-type"));
    struct fetch_request remove = {.method = TEXT("DELETE"), .url = url("/echo")};
    assert_int_equal(fetch_start(pool, &remove, on_done, &o), 0);
    wait_count(&o, ++count);
    assert_true(strncmp(o.body, "DELETE ", 7) == 0);
    struct fetch_request head = {.method = TEXT("HEAD"), .url = url("/echo")};
    assert_int_equal(fetch_start(pool, &head, on_done, &o), 0);
    wait_count(&o, ++count);
    assert_int_equal(o.status, 200);
    assert_int_equal(o.body_len, 0);
}

static void test_statuses(void **state)
{
    struct outcome o = OUTCOME;
    (void)state;
    get("/redirect", &o); /* reported, not followed */
    assert_int_equal(o.error, 0);
    assert_int_equal(o.status, 302);
    assert_string_equal(o.body, "moved");
    get("/continue", &o); /* what came before the real head is forgotten */
    assert_int_equal(o.status, 503);
    assert_string_equal(o.retry, "7");
    assert_string_equal(o.early, "");
    get("/chunked", &o);
    assert_string_equal(o.body, "abcde");
    assert_int_equal(server.requests, 3);
}

static void test_connections_are_reused(void **state)
{
    struct outcome o = OUTCOME;
    (void)state;
    for (int i = 0; i < 10; i++)
        get("/echo", &o);
    assert_int_equal(server.requests, 10);
    assert_int_equal(server.accepted, 1);
}

/* ---- failures ---- */

static void test_failures(void **state)
{
    static const char *const paths[] = {"/nothing", "/rubbish", "/cut"};
    struct outcome o = OUTCOME;
    int64_t before = counter_read(COUNTER_fetch_failures);
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        get(paths[i], &o);
        assert_int_equal(o.error, ERR_IO);
        assert_true(o.has_message);
    }
    int port = 0, fd = listen_make(&port); /* a port where nobody listens any more */
    char nobody[64];
    close(fd);
    snprintf(nobody, sizeof(nobody), "http://127.0.0.1:%d/", port);
    struct fetch_request request = {.url = text_of(nobody)};
    assert_int_equal(fetch_start(pool, &request, on_done, &o), 0);
    wait_count(&o, (int)COUNT(paths) + 1);
    assert_int_equal(o.error, ERR_IO);
    assert_int_equal(o.status, 0);
    assert_int_equal(counter_read(COUNTER_fetch_failures) - before, COUNT(paths) + 1);
}

static void test_answer_limits(void **state)
{
    struct outcome o = OUTCOME;
    (void)state;
    get("/large", &o);
    assert_int_equal(o.error, 0);
    assert_int_equal(o.body_len, 10000);
    const size_t limits[] = {10000, 9999, 1};
    for (size_t i = 0; i < COUNT(limits); i++) {
        struct fetch_request request = {.url = url("/large"), .response_max = limits[i]};
        assert_int_equal(fetch_start(pool, &request, on_done, &o), 0);
        wait_count(&o, (int)i + 2);
        assert_int_equal(o.error, i ? ERR_TOO_LARGE : 0);
        assert_true(o.body_len <= limits[i]);
    }
    get("/declared", &o);
    assert_int_equal(o.error, ERR_TOO_LARGE);
    get("/headers", &o);
    assert_int_equal(o.error, ERR_TOO_LARGE);
}

static void test_timeouts(void **state)
{
    struct outcome o = OUTCOME;
    struct fetch_request request = {.url = url("/hold"), .timeout_ms = 50};
    (void)state;
    for (int i = 0; i < 5; i++) /* two on the wire, three in the line: all in time */
        assert_int_equal(fetch_start(pool, &request, on_done, &o), 0);
    wait_count(&o, 5);
    assert_int_equal(o.error, ERR_TIMEOUT);
    atomic_store(&server.release, true);
    get("/echo", &o);
    assert_int_equal(o.error, 0);
}

/* ---- bounds and ends ---- */

static void test_full(void **state)
{
    struct outcome o = OUTCOME;
    struct fetch_request request = {.url = url("/hold")};
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(fetch_start(pool, &request, on_done, &o), 0);
    assert_int_equal(fetch_start(pool, &request, on_done, &o), ERR_FULL);
    while (atomic_load(&server.requests) < 2)
        poll(NULL, 0, 1);
    assert_true(atomic_load(&server.accepted) <= 2); /* no more than in_flight_max reached the wire */
    fetch_wakeup(pool);
    atomic_store(&server.release, true);
    wait_count(&o, 5);
    assert_int_equal(o.status, 200);
    assert_int_equal(o.count, 5);
    get("/echo", &o);
    assert_int_equal(o.error, 0);
}

static void test_start_in_callback(void **state)
{
    struct outcome o = OUTCOME;
    struct fetch_request request = {.url = url("/echo")};
    (void)state;
    o.chain = pool;
    o.next = &request;
    assert_int_equal(fetch_start(pool, &request, on_done, &o), 0);
    wait_count(&o, 2);
    assert_int_equal(o.next_code, 0);
    assert_int_equal(o.error, 0);
}

static void test_destroy_completes_all(void **state)
{
    struct outcome o = OUTCOME;
    struct fetch_request request = {.url = url("/hold")};
    struct fetch_options options = {.in_flight_max = 1, .queue_max = 3};
    struct fetch_pool *mine;
    (void)state;
    assert_int_equal(fetch_pool_create(&options, &mine, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(fetch_start(mine, &request, on_done, &o), 0);
    o.chain = mine; /* a callback during the end gets a clean refusal */
    o.next = &request;
    fetch_pool_destroy(mine);
    assert_int_equal(o.count, 4);
    assert_int_equal(o.error, ERR_CLOSED);
    assert_int_equal(o.next_code, ERR_CLOSED);
    fetch_pool_destroy(NULL);
}

#define STARTERS 3
#define STARTS 40

static void *start_often(void *arg)
{
    struct fetch_request request = {.url = text_of(url_text)};
    long taken = 0;
    for (int i = 0; i < STARTS; i++)
        taken += fetch_start(pool, &request, on_done, arg) == 0;
    return (void *)taken;
}

/* Each accepted request is answered once, whoever started it. */
static void test_many_starters(void **state)
{
    struct outcome o = OUTCOME;
    pthread_t threads[STARTERS];
    int taken = 0;
    (void)state;
    url("/echo");
    for (int i = 0; i < STARTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, start_often, &o), 0);
    for (int i = 0; i < STARTERS; i++) {
        void *n;
        pthread_join(threads[i], &n);
        taken += (int)(long)n;
    }
    assert_true(taken >= 5);
    wait_count(&o, taken);
    fetch_pool_destroy(pool);
    pool = NULL;
    assert_int_equal(o.count, taken);
    assert_int_equal(atomic_load(&server.requests), taken);
}

static void test_refused_requests(void **state)
{
    static const char *const urls[] = {"", "127.0.0.1", "ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/",
                                       "http://", "https:///x", "http://user:password@127.0.0.1/", "http://a b/",
                                       "http://127.0.0.1/\r\nX: y", "http://127.0.0.1/\x7f", "HTTPX://a/"};
    static const struct fetch_header bad[] = {{TEXT("X"), TEXT("a\r\nY: b")}, {TEXT("X\n"), TEXT("a")},
                                              {TEXT(""), TEXT("a")},          {TEXT("X Y"), TEXT("a")},
                                              {TEXT("X"), {"a\0b", 3}},       {TEXT("Content-Length"), TEXT("5")},
                                              {TEXT("transfer-encoding"), TEXT("chunked")}};
    struct outcome o = OUTCOME;
    struct fetch_header many[FETCH_HEADERS_MAX + 1];
    char long_url[FETCH_URL_MAX + 2];
    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct fetch_request request = {.url = text_of(urls[i])};
        assert_int_equal(fetch_start(pool, &request, on_done, &o), ERR_INVALID);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct fetch_request request = {.url = url("/echo"), .headers = &bad[i], .header_count = 1};
        assert_int_equal(fetch_start(pool, &request, on_done, &o), ERR_INVALID);
    }
    struct fetch_request request = {.method = TEXT("GE T"), .url = url("/echo")};
    assert_int_equal(fetch_start(pool, &request, on_done, &o), ERR_INVALID);
    request.method = TEXT("CONNECT");
    assert_int_equal(fetch_start(pool, &request, on_done, &o), ERR_INVALID);
    request.method = TEXT("HEAD");
    request.body = TEXT("x");
    assert_int_equal(fetch_start(pool, &request, on_done, &o), ERR_INVALID);
    request.method = TEXT("ABCDEFGHIJKLMNOPQ");
    assert_int_equal(fetch_start(pool, &request, on_done, &o), ERR_TOO_LARGE);
    char *body = calloc(1, 100001);
    request.method = TEXT("POST");
    request.body = text_make(body, 100001);
    assert_int_equal(fetch_start(pool, &request, on_done, &o), ERR_TOO_LARGE);
    free(body);
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = (struct fetch_header){TEXT("X"), TEXT("y")};
    request = (struct fetch_request){.url = url("/echo"), .headers = many, .header_count = COUNT(many)};
    assert_int_equal(fetch_start(pool, &request, on_done, &o), ERR_TOO_LARGE);
    memset(long_url, 'a', sizeof(long_url));
    memcpy(long_url, "http://", 7);
    request = (struct fetch_request){.url = text_make(long_url, FETCH_URL_MAX + 1)};
    assert_int_equal(fetch_start(pool, &request, on_done, &o), ERR_TOO_LARGE);
    assert_int_equal(o.count, 0);
    for (int i = 0; i < 5; i++) /* and no refusal holds a place */
        get("/echo", &o);
    assert_int_equal(server.requests, 5);
}

static void test_origin(void **state)
{
    (void)state;
    assert_true(text_is(fetch_origin(TEXT("https://a.b:8443/x?y#z")), "https://a.b:8443"));
    assert_true(text_is(fetch_origin(TEXT("http://a?x/y")), "http://a"));
    assert_true(text_is(fetch_origin(TEXT("HTTP://a")), "HTTP://a"));
    assert_int_equal(fetch_origin(TEXT("ftp://a/")).len, 0);
}

/* An environment that names a proxy, and a proxy that would answer, are not used. */
static void test_no_proxy(void **state)
{
    struct outcome o = OUTCOME;
    struct server proxy;
    char value[64];
    (void)state;
    server_start(&proxy, NULL);
    snprintf(value, sizeof(value), "http://127.0.0.1:%d", proxy.port);
    setenv("http_proxy", value, 1);
    setenv("ALL_PROXY", value, 1);
    get("/echo", &o);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    assert_int_equal(o.status, 200);
    assert_int_equal(proxy.accepted, 0);
    server_stop(&proxy);
}

static void test_https(void **state)
{
    struct made_certificate made;
    struct tls_context *context;
    struct outcome o = OUTCOME;
    (void)state;
    assert_int_equal(certificate_make(&made, "localhost"), 0);
    struct tls_options tls = {made.certificate, made.key, false};
    assert_int_equal(tls_context_create(&tls, &context, NULL), 0);
    server_start(&server, context);
    struct fetch_options trusting = {.ca_file = made.certificate}, strict = {0};
    assert_int_equal(fetch_pool_create(&trusting, &pool, NULL), 0);
    get("/echo", &o);
    assert_int_equal(o.error, 0);
    assert_int_equal(o.status, 200);
    get("/echo", &o);
    assert_int_equal(server.accepted, 1);
    fetch_pool_destroy(pool);
    assert_int_equal(fetch_pool_create(&strict, &pool, NULL), 0); /* the system does not know this authority */
    get("/echo", &o);
    assert_int_equal(o.error, ERR_IO);
    assert_int_equal(o.status, 0);
    fetch_pool_destroy(pool);
    pool = NULL;
    server_stop(&server);
    assert_int_equal(server.requests, 2);
    tls_context_destroy(context);
    certificate_remove(&made);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_get),           CASE(test_methods_and_headers), CASE(test_statuses),
        CASE(test_connections_are_reused), CASE(test_failures),   CASE(test_answer_limits),
        CASE(test_timeouts),      CASE(test_full),                CASE(test_start_in_callback),
        CASE(test_destroy_completes_all), CASE(test_many_starters), CASE(test_refused_requests),
        CASE(test_no_proxy),      cmocka_unit_test(test_origin),  cmocka_unit_test(test_https),
    };
    return cmocka_run_group_tests_name("net/fetch", tests, NULL, NULL);
}
