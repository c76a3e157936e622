/* Chunked bodies: whole, byte by byte, split at every point; bytes behind the end are left to the next request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "net/http_parse.h"

/* Feeds in two pieces of which the second goes in steps. Returns the bytes consumed or minus a status; -1: not done. */
static ptrdiff_t run(const char *data, size_t len, size_t first, size_t step, struct buf *body)
{
    struct http_chunked chunked;
    http_chunked_init(&chunked);
    buf_clear(body);
    bool done = false;
    for (size_t at = 0; at < len && !done;) {
        size_t size = at < first ? first - at : step;
        if (size > len - at)
            size = len - at;
        char *block = malloc(size);
        memcpy(block, data + at, size);
        size_t used = 0;
        while (used < size && !done) {
            struct text run_of_body;
            ptrdiff_t rc = http_chunked_feed(&chunked, block + used, size - used, &run_of_body, &done);
            if (rc < 0) {
                assert_int_equal(http_chunked_feed(&chunked, "0", 1, &run_of_body, &done), -400); /* it stays broken */
                free(block);
                return rc;
            }
            assert_in_range(rc, 1, size - used);
            buf_add_text(body, run_of_body);
            used += (size_t)rc;
        }
        free(block);
        at += used;
        if (done) {
            struct text none;
            assert_int_equal(http_chunked_feed(&chunked, "x", 1, &none, &done), 0);
            assert_true(done);
            return (ptrdiff_t)at;
        }
    }
    return -1;
}

static void check_bytes(const char *data, size_t len, ptrdiff_t result, const char *expected)
{
    struct buf body;
    buf_init(&body, 1 << 20);
    for (size_t first = 0; first <= len; first++)
        for (int way = 0; way < 3; way++) {
            ptrdiff_t rc = run(data, len, first, (size_t[]){1, 3, SIZE_MAX}[way], &body);
            if (rc != result)
                print_error("body: %s\n", data);
            assert_int_equal(rc, result);
            if (expected)
                assert_true(text_is(buf_text(&body), expected));
        }
    buf_fini(&body);
}

static void good(const char *data, const char *expected)
{
    size_t len = strlen(data);
    check_bytes(data, len, (ptrdiff_t)len, expected);
    char more[400];
    int size = snprintf(more, sizeof(more), "%sGET / HTTP/1.1", data);
    check_bytes(more, (size_t)size, (ptrdiff_t)len, expected);
    check_bytes(data, len - 1, -1, NULL);
}

static void bad(const char *data)
{
    check_bytes(data, strlen(data), -400, NULL);
}

static void test_good(void **state)
{
    (void)state;
    good("0\r\n\r\n", "");
    good("5\r\nhello\r\n0\r\n\r\n", "hello");
    good("5\r\nhello\r\n00b\r\n, the world\r\n0\r\n\r\n", "hello, the world");
    good("1\r\na\r\nA\r\n0123456789\r\na\r\n9876543210\r\n0\r\n\r\n", "a01234567899876543210");
    good("4;name=value;x=\"quoted; text\"\r\n\r\n\r\n\r\n0;end\r\n\r\n", "\r\n\r\n");
    good("1\r\na\r\n0\r\nX-Trailer: value\r\nEmpty:\r\n\r\n", "a");
}

static void test_bad(void **state)
{
    (void)state;
    bad("\r\nhello");
    bad("g\r\n");
    bad(" 5\r\nhello");
    bad("5 \r\nhello");
    bad("-5\r\n");
    bad("0x5\r\n");
    bad(";ext\r\n");
    bad("5\nhello");
    bad("5\rhello");
    bad("5;a\nhello");
    bad("5;a\x01\r\n");
    bad("5\r\nhelloX\r\n");
    bad("5\r\nhello\n0\r\n\r\n");
    bad("5\r\nhello\r0");
    bad("5\r\nhello6\r\n");
    bad("0000000000000005\r\n");
    bad("ffffffffffffffff\r\n");
    bad("10000000000000000\r\n");
    bad("0\r\n folded\r\n\r\n");
    bad("0\r\nno colon\r\n\r\n");
    bad("0\r\n: x\r\n\r\n");
    bad("0\r\nX: a\nb\r\n\r\n");
    bad("0\r\n\n");
    bad("0\r\n\rX");
}

static void test_limits(void **state)
{
    (void)state;
    struct buf data, body;
    buf_init(&data, 1 << 20);
    buf_init(&body, 1 << 20);
    for (int over = 0; over < 2; over++) { /* an endless extension */
        buf_clear(&data);
        buf_add_text(&data, TEXT("0;"));
        for (int i = 0; i < (over ? 1100 : 1000); i++)
            buf_add_char(&data, 'e');
        buf_add_text(&data, TEXT("\r\n\r\n"));
        assert_int_equal(run(data.data, data.len, 0, 100, &body), over ? -400 : (ptrdiff_t)data.len);
    }
    for (int over = 0; over < 2; over++) { /* endless trailers */
        buf_clear(&data);
        buf_add_text(&data, TEXT("0\r\n"));
        for (int i = 0; i < (over ? 1100 : 1000); i++)
            buf_add_text(&data, TEXT("X: abc\r\n"));
        buf_add_text(&data, TEXT("\r\n"));
        assert_int_equal(run(data.data, data.len, 0, 100, &body), over ? -431 : (ptrdiff_t)data.len);
    }
    /* The largest size is a number, not a promise: nothing is allocated for it. */
    assert_int_equal(run("fffffffffffffff\r\nabc", 20, 0, 20, &body), -1);
    assert_true(text_is(buf_text(&body), "abc"));
    buf_fini(&data);
    buf_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
