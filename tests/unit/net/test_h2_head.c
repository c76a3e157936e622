/* The head of an HTTP/2 request as HTTP/1.1 text: what it becomes, what cannot be written, limits; and the lines of an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/h2_head.h"
#include "net/http_parse.h"

static struct h2_head head;
static struct buf out;
static const char *reason;

static int setup(void **state)
{
    (void)state;
    h2_head_init(&head);
    buf_init(&out, HTTP_HEAD_MAX + 256);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    h2_head_fini(&head);
    buf_fini(&out);
    return 0;
}

/* Pairs up to NULL. */
static int format(const char *const *fields)
{
    h2_head_clear(&head);
    buf_clear(&out);
    for (; *fields; fields += 2)
        assert_true(h2_head_field(&head, text_of(fields[0]), text_of(fields[1])));
    return h2_head_format(&head, &out, &reason);
}
#define FORMAT(...) format((const char *const[]){__VA_ARGS__, NULL})

static void expect(const char *text)
{
    assert_int_equal(out.len, strlen(text));
    assert_memory_equal(out.data, text, out.len);
}

static void requests(void **state)
{
    (void)state;
    assert_int_equal(FORMAT(":method", "GET", ":scheme", "http", ":path", "/a?b=c", ":authority", "h:1", "x", "y"), 0);
    expect("GET /a?b=c HTTP/1.1\r\nhost: h:1\r\nx: y\r\n\r\n");
    assert_false(h2_head_is_head(&head));
    assert_int_equal(FORMAT(":method", "HEAD", ":path", "/", "host", "only"), 0);
    expect("HEAD / HTTP/1.1\r\nhost: only\r\n\r\n");
    assert_true(h2_head_is_head(&head));
    assert_int_equal(FORMAT(":method", "GET", ":path", "/", ":authority", "A", "host", "a"), 0);
    expect("GET / HTTP/1.1\r\nhost: A\r\n\r\n");
    assert_int_equal(FORMAT(":method", "OPTIONS", ":path", "*", ":authority", "a"), 0);
    expect("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_int_equal(FORMAT(":method", "GET", ":path", "/", ":authority", "a", "cookie", "a=1", "x", "", "cookie", "b=2"), 0);
    expect("GET / HTTP/1.1\r\nhost: a\r\nx: \r\ncookie: a=1; b=2\r\n\r\n");
}

static void refusals(void **state)
{
    (void)state;
    assert_int_equal(FORMAT(":method", "CONNECT", ":authority", "a:1"), 405);
    assert_non_null(strstr(reason, "HTTP/1.1"));
    assert_int_equal(FORMAT(":path", "/", ":authority", "a"), 400);
    assert_int_equal(FORMAT(":method", "GET", ":authority", "a"), 400);
    assert_int_equal(FORMAT(":method", "GET", ":path", "http://other/", ":authority", "a"), 400);
    assert_int_equal(FORMAT(":method", "GET", ":path", "/", ":authority", "a", "host", "b"), 400);
    assert_int_equal(FORMAT(":method", "GET", ":path", "/ HTTP/1.1", ":authority", "a"), 400);
    assert_int_equal(FORMAT(":method", "GET", ":path", "/\r\nx: y", ":authority", "a"), 400);
    assert_int_equal(FORMAT(":method", "GET\r\n", ":path", "/", ":authority", "a"), 400);
    assert_int_equal(FORMAT(":method", "GET", ":path", "/", ":path", "/b", ":authority", "a"), 400);
    assert_int_equal(FORMAT(":method", "GET", ":path", "/", ":authority", "a", ":protocol", "websocket"), 400);
    assert_int_equal(FORMAT(":method", "GET", ":path", "/", ":authority", "a", "x", "a\r\nb: c"), 400);
    assert_int_equal(FORMAT(":method", "GET", ":path", "/", ":authority", "a", "x", "a\nb"), 400);
    assert_int_equal(FORMAT(":method", "GET", ":path", "/", ":authority", "a", "x: y\r\nz", "a"), 400);
    assert_int_equal(FORMAT(":method", "GET", ":path", "/", ":authority", "a", "X", "a"), 400);
    assert_int_equal(FORMAT(":method", "GET", ":path", "/", ":authority", "a", "", "a"), 400);
    assert_int_equal(FORMAT(":method", "GET", ":path", "/", ":authority", "a", "host", "a", "host", "a"), 400);
    static const char *const names[] = {"connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        assert_int_equal(FORMAT(":method", "POST", ":path", "/", ":authority", "a", names[i], "chunked"), 400);
    assert_int_equal(out.len, 0);
}

static void limits(void **state)
{
    (void)state;
    static char large[HTTP_HEAD_MAX];
    memset(large, 'x', sizeof(large));
    assert_int_equal(FORMAT(":method", "GET", ":path", "/", ":authority", "a"), 0);
    assert_true(h2_head_field(&head, TEXT("x"), text_make(large, sizeof(large))));
    assert_int_equal(h2_head_format(&head, &out, &reason), 431);
    for (int i = 0; i < 2; i++)
        assert_true(h2_head_field(&head, TEXT("x"), text_make(large, sizeof(large))));
    assert_false(h2_head_field(&head, TEXT("x"), text_make(large, sizeof(large))));
    h2_head_clear(&head);
    size_t fields = 0;
    while (h2_head_field(&head, TEXT(""), TEXT_NONE)) /* also fields of no bytes come to an end */
        fields++;
    assert_in_range(fields, 1000, H2_HEAD_HOPELESS);
}

static void answers(void **state)
{
    (void)state;
    struct text lines = TEXT("Content-Type: a/b\r\nConnection: close\r\nX-A:1\r\nno colon\r\n: nameless\r\nTransfer-Encoding: chunked\r\nset-Cookie:  c=d \r\nlast: x");
    char lower[256];
    struct text name, value;
    size_t at = 0;
    static const char *const expected[] = {"content-type", "a/b", "x-a", "1", "set-cookie", "c=d", "last", "x"};
    for (size_t i = 0; i < 8; i += 2) {
        assert_true(h2_answer_next(lines, &at, lower, &name, &value));
        assert_true(text_is(name, expected[i]));
        assert_true(text_is(value, expected[i + 1]));
    }
    assert_false(h2_answer_next(lines, &at, lower, &name, &value));
    at = 0;
    assert_false(h2_answer_next(TEXT_NONE, &at, lower, &name, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(limits, setup, teardown),
        cmocka_unit_test_setup_teardown(answers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
