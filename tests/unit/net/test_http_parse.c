/* Request heads: each good one at every prefix (0 until it is whole) and with bytes behind; each bad one whole and at every prefix
   (never accepted, refused with its status as soon as it can be). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "net/http_parse.h"

static struct http_request req;

/* In a heap block of exactly this size. The block is kept: the request borrows it. */
static int parse(const char *data, size_t len)
{
    static char *block;
    free(block);
    block = malloc(len ? len : 1);
    memcpy(block, data, len);
    const char *reason = NULL;
    int rc = http_request_parse(block, len, &req, &reason);
    assert_int_equal(rc < 0, reason != NULL);
    return rc;
}

static void good_bytes(const char *data, size_t len)
{
    for (size_t n = 0; n < len; n++)
        assert_int_equal(parse(data, n), 0);
    struct buf more;
    buf_init(&more, 100000);
    buf_add(&more, data, len);
    buf_add_text(&more, TEXT("\0 body \r\n\r\n"));
    assert_int_equal(parse(more.data, more.len), (int)len);
    buf_fini(&more);
    assert_int_equal(parse(data, len), (int)len);
}

static void good(const char *head)
{
    good_bytes(head, strlen(head));
}

static void bad_bytes(int status, const char *data, size_t len)
{
    int rc = parse(data, len);
    if (rc != -status)
        print_error("head: %s\n", data);
    assert_int_equal(rc, -status);
    bool refused = false;
    for (size_t n = 0; n <= len; n++) {
        rc = parse(data, n);
        assert_true(rc == 0 || rc == -status);
        assert_false(refused && rc == 0); /* more bytes do not heal it */
        refused = rc != 0;
    }
}

static void bad(int status, const char *head)
{
    bad_bytes(status, head, strlen(head));
}

static void same(struct text t, const char *expected)
{
    assert_int_equal(t.len, strlen(expected));
    assert_memory_equal(t.data, expected, t.len);
}

static void test_simple(void **state)
{
    (void)state;
    good("GET /a/b%20c?x=1&y= HTTP/1.1\r\nHost: example.com:8080\r\nX-Empty:\r\nX-Tab:\t v \t w \t\r\n\r\n");
    same(req.method, "GET");
    same(req.target, "/a/b%20c?x=1&y=");
    same(req.path, "/a/b%20c");
    same(req.query, "x=1&y=");
    same(req.host, "example.com:8080");
    assert_int_equal(req.minor, 1);
    assert_int_equal(req.headers, 3);
    assert_true(req.content_length == -1 && !req.chunked && req.keep_alive && !req.upgrade_websocket);
    same(http_header_get(&req, "x-tab"), "v \t w");
    same(http_header_get(&req, "X-EMPTY"), "");
    assert_null(http_header_get(&req, "X-None").data);
    good("\r\n\r\nPOST / HTTP/1.1\r\nHost:\r\nContent-Length: 12\r\n\r\n");
    assert_int_equal(req.content_length, 12);
    good("GET / HTTP/1.0\r\n\r\n");
    assert_true(req.minor == 0 && !req.keep_alive);
    good("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert_true(req.keep_alive);
    good("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, CLOSE\r\n\r\n");
    assert_false(req.keep_alive);
    good("GET / HTTP/1.7\r\nHost: a\r\nX: \x80\xff\r\n\r\n");
    assert_int_equal(req.minor, 1);
    good("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    same(req.path, "*");
}

static void test_upgrade(void **state)
{
    (void)state;
    good("GET /echo?userId=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    assert_true(req.upgrade_websocket);
    good("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nUpgrade: foo,websocket\r\nConnection: x\r\nConnection: upgrade\r\n\r\n");
    assert_true(req.upgrade_websocket);
    good("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n");
    assert_false(req.upgrade_websocket);
    good("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websockets\r\n\r\n");
    assert_false(req.upgrade_websocket);
    good("GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_false(req.upgrade_websocket);
}

static void test_targets(void **state)
{
    (void)state;
    good("GET http://example.org:80/x/y?z HTTP/1.1\r\nHost: other\r\n\r\n");
    same(req.path, "/x/y");
    same(req.query, "z");
    same(req.host, "example.org:80");
    good("GET WSS://example.org HTTP/1.1\r\nHost: other\r\n\r\n");
    same(req.path, "/");
    good("GET http://example.org?q HTTP/1.1\r\nHost: other\r\n\r\n");
    same(req.path, "/");
    same(req.query, "q");
    good("GET //double?? HTTP/1.1\r\nHost: a\r\n\r\n");
    same(req.path, "//double");
    same(req.query, "?");
    bad(400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n");
    bad(400, "GET path HTTP/1.1\r\nHost: a\r\n\r\n");
    bad(400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n");
    bad(400, "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n");
    bad(400, "GET http://user@host/ HTTP/1.1\r\nHost: a\r\n\r\n");
    bad(400, "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n");
    bad(400, "GET /\xc3\xbc HTTP/1.1\r\nHost: a\r\n\r\n");
    bad(400, "GET /\t HTTP/1.1\r\nHost: a\r\n\r\n");
    bad(400, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void test_request_lines(void **state)
{
    (void)state;
    bad(400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    bad(400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n");
    bad(400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n");
    bad(400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n");
    bad(400, "GET /\r\nHost: a\r\n\r\n");
    bad(400, "GET\r\n\r\n");
    bad(400, "GE\x01T / HTTP/1.1\r\n\r\n");
    bad(400, "GET / http/1.1\r\nHost: a\r\n\r\n");
    bad(400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n");
    bad(400, "GET / HTTP/1\r\nHost: a\r\n\r\n");
    bad(505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n");
    bad(505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n");
    bad(400, "GET / HTTP/1.1\nHost: a\n\n");
    bad(400, "GET / HTTP/1.1\rHost: a\r\n\r\n");
    bad(400, "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    bad(400, "\x16\x03\x01\x02\x00");
    bad(400, "AVERYLONGMETHODNAMETHATNOONEKNOWSATALL / HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void test_fields(void **state)
{
    (void)state;
    bad(400, "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\tfolded\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a\r\n: v\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a\r\nX\xc3: a\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a\r\n\n");
    static const char nul[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    bad_bytes(400, nul, sizeof(nul) - 1);
}

static void test_hosts(void **state)
{
    (void)state;
    good("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n");
    good("GET / HTTP/1.1\r\nHost: a_b-c.example.\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    bad(400, "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a:x\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n");
    bad(400, "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n");
}

/* The shapes that request smuggling uses. */
static void test_smuggling(void **state)
{
    (void)state;
    good("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n");
    assert_true(req.chunked && req.content_length == -1);
    bad(400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
    bad(400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n");
    bad(400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n");
    bad(400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n");
    bad(400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n");
    bad(400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n");
    bad(400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n");
    bad(400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n");
    bad(400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n");
    bad(400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n");
    bad(400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n");
    good("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n");
    bad(400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n");
    bad(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
    bad(400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n");
    bad(501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n");
    bad(501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n");
    bad(501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n");
    bad(501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n");
    bad(400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0b" "chunked\r\n\r\n");
}

static void test_derived(void **state)
{
    (void)state;
    good("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Encoding: GZip\r\nAccept-Encoding: br, gzip;q=0.5\r\n\r\n");
    assert_true(req.expect_continue && req.gzip && !req.deflate && req.accept_gzip);
    good("POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: deflate\r\nAccept-Encoding: gzip;q=0.0, *\r\n\r\n");
    assert_true(req.deflate && !req.gzip && !req.accept_gzip && !req.expect_continue);
    good("POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Encoding: gzip, gzip\r\nAccept-Encoding: xgzip\r\n\r\n");
    assert_true(!req.expect_continue && !req.gzip && !req.accept_gzip);
    good("GET / HTTP/1.1\r\nHost: a\r\nCookie: a\r\ncookie: b\r\nX: y\r\nCOOKIE: c\r\n\r\n");
    size_t at = 0;
    same(http_header_next(&req, "cookie", &at), "a");
    same(http_header_next(&req, "cookie", &at), "b");
    same(http_header_next(&req, "cookie", &at), "c");
    assert_null(http_header_next(&req, "cookie", &at).data);
}

static void test_limits(void **state)
{
    (void)state;
    struct buf head;
    buf_init(&head, 100000);
    for (int over = 0; over < 2; over++) { /* the number of fields */
        buf_clear(&head);
        buf_add_text(&head, TEXT("GET / HTTP/1.1\r\nHost: a\r\n"));
        for (int i = 1; i < HTTP_HEADERS_MAX + over; i++)
            buf_add_format(&head, "X-%d: %d\r\n", i, i);
        buf_add_text(&head, TEXT("\r\n"));
        assert_int_equal(parse(head.data, head.len), over ? -431 : (int)head.len);
    }
    for (int over = 0; over < 2; over++) { /* the bytes of the head */
        buf_clear(&head);
        buf_add_text(&head, TEXT("GET / HTTP/1.1\r\nHost: a\r\nX: "));
        while (head.len < (size_t)(HTTP_HEAD_MAX - 4 + over))
            buf_add_char(&head, 'x');
        buf_add_text(&head, TEXT("\r\n\r\n"));
        assert_int_equal(parse(head.data, head.len), over ? -431 : HTTP_HEAD_MAX);
        assert_int_equal(parse(head.data, HTTP_HEAD_MAX - 1), 0);
        buf_add_text(&head, TEXT("body"));
        assert_int_equal(parse(head.data, head.len), over ? -431 : HTTP_HEAD_MAX);
    }
    for (int over = 0; over < 2; over++) { /* the bytes of the target */
        buf_clear(&head);
        buf_add_text(&head, TEXT("GET /"));
        for (int i = 1; i < HTTP_TARGET_MAX + over; i++)
            buf_add_char(&head, 'x');
        buf_add_text(&head, TEXT(" HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_int_equal(parse(head.data, head.len), over ? -414 : (int)head.len);
    }
    buf_clear(&head);
    buf_add_text(&head, TEXT("GET /"));
    while (head.len < HTTP_TARGET_MAX + 200)
        buf_add_char(&head, 'x');
    assert_int_equal(parse(head.data, head.len), -414); /* before its line has ended */
    buf_fini(&head);
}

static void test_lists_and_queries(void **state)
{
    (void)state;
    assert_true(http_list_has(TEXT("a, b ,\tc"), "B"));
    assert_true(http_list_has(TEXT(",,c"), "c"));
    assert_false(http_list_has(TEXT("ab, bc"), "b"));
    assert_false(http_list_has(TEXT_NONE, "b"));
    same(http_query_get(TEXT("a=1&b=2&b=3&c&d="), "a"), "1");
    same(http_query_get(TEXT("a=1&b=2=x&b=3&c&d="), "b"), "2=x");
    same(http_query_get(TEXT("a=1&c&d="), "c"), "");
    assert_non_null(http_query_get(TEXT("a=1&c&d="), "d").data);
    assert_null(http_query_get(TEXT("aa=1&ba=2"), "a").data);
    assert_null(http_query_get(TEXT_NONE, "a").data);
    assert_string_equal(http_status_text(200), "OK");
    assert_string_equal(http_status_text(431), "Request Header Fields Too Large");
    assert_string_equal(http_status_text(299), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_request_lines),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_smuggling),
        cmocka_unit_test(test_derived),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_lists_and_queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
