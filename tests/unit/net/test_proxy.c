/* PROXY protocol headers at every prefix, and the walk through X-Forwarded-For. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "net/http_parse.h"

static char source[46];
static uint16_t port;

static int parse(const char *data, size_t len)
{
    char *block = malloc(len ? len : 1);
    memcpy(block, data, len);
    int rc = proxy_header_parse(block, len, source, &port);
    free(block);
    return rc;
}

static void good_bytes(const char *data, size_t len, const char *address, int from_port)
{
    for (size_t n = 0; n < len; n++) {
        assert_int_equal(parse(data, n), 0);
        assert_int_equal(source[0], 0);
    }
    struct buf more;
    buf_init(&more, 10000);
    buf_add(&more, data, len);
    buf_add_text(&more, TEXT("GET / HTTP/1.1\r\n"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(parse(more.data, i ? more.len : len), (int)len);
        assert_string_equal(source, address);
        assert_int_equal(port, from_port);
    }
    buf_fini(&more);
}

static void bad_bytes(const char *data, size_t len)
{
    bool refused = false;
    for (size_t n = 0; n <= len; n++) {
        int rc = parse(data, n);
        assert_true(rc == 0 || rc == -1);
        assert_false(refused && rc == 0);
        refused = rc < 0;
    }
    if (!refused)
        print_error("header: %s\n", data);
    assert_true(refused);
    assert_int_equal(source[0], 0);
}

#define GOOD(header, address, from_port) good_bytes(header, sizeof(header) - 1, address, from_port)
#define BAD(header) bad_bytes(header, sizeof(header) - 1)

static void test_version_1(void **state)
{
    (void)state;
    GOOD("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "192.168.0.1", 56324);
    GOOD("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255", 65535);
    GOOD("PROXY TCP6 2001:db8::1 ::1 1 0\r\n", "2001:db8::1", 1);
    GOOD("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
    GOOD("PROXY UNKNOWN\r\n", "", 0);
    GOOD("PROXY UNKNOWN ffff:: anything 1 2\r\n", "", 0);
    BAD("PROXY TCP4 192.168.0.1 192.168.0.11 56324\r\n");
    BAD("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 5\r\n");
    BAD("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 \r\n");
    BAD("PROXY TCP4 192.168.0.256 192.168.0.11 56324 443\r\n");
    BAD("PROXY TCP4 ::1 ::1 56324 443\r\n");
    BAD("PROXY TCP6 1.2.3.4 1.2.3.4 56324 443\r\n");
    BAD("PROXY TCP4 1.2.3.4  1.2.3.4 56324 443\r\n");
    BAD("PROXY TCP4 1.2.3.4 1.2.3.4 65536 443\r\n");
    BAD("PROXY TCP4 1.2.3.4 1.2.3.4 01 443\r\n");
    BAD("PROXY TCP4 1.2.3.4 1.2.3.4 -1 443\r\n");
    BAD("PROXY UDP4 1.2.3.4 1.2.3.4 1 443\r\n");
    BAD("PROXY TCP4 1.2.3.4 1.2.3.4 1 443\n");
    BAD("PROXY\r\n");
    BAD("PROXY \r\n");
    BAD("POST / HTTP/1.1\r\n");
    BAD("GET / HTTP/1.1\r\n");
    BAD("PROXY UNKNOWN                                                                                                      ");
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static void test_version_2(void **state)
{
    (void)state;
    GOOD(SIGNATURE "\x21\x11\x00\x0c" "\x01\x02\x03\x04\x05\x06\x07\x08\x1f\x90\x01\xbb", "1.2.3.4", 8080);
    GOOD(SIGNATURE "\x21\x11\x00\x11" "\x01\x02\x03\x04\x05\x06\x07\x08\x1f\x90\x01\xbb" "\x04\x00\x02zz", "1.2.3.4", 8080);
    GOOD(SIGNATURE "\x21\x21\x00\x24" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
                   "\x00\x50\x01\xbb", "2001:db8::1", 80);
    GOOD(SIGNATURE "\x20\x00\x00\x00", "", 0);
    GOOD(SIGNATURE "\x20\x11\x00\x0c" "\x01\x02\x03\x04\x05\x06\x07\x08\x1f\x90\x01\xbb", "", 0); /* LOCAL */
    GOOD(SIGNATURE "\x21\x00\x00\x03" "abc", "", 0);                                              /* UNSPEC */
    BAD(SIGNATURE "\x11\x11\x00\x0c");                     /* version 1 */
    BAD(SIGNATURE "\x22\x11\x00\x0c");                     /* an unknown command */
    BAD(SIGNATURE "\x21\x11\x00\x0b" "12345678901");       /* too short for its addresses */
    BAD(SIGNATURE "\x21\x21\x00\x0c" "123456789012");
    BAD(SIGNATURE "\x21\x41\x00\x0c" "123456789012");      /* an unknown family */
    BAD(SIGNATURE "\x21\x11\xff\xff");                     /* more than we accept */
    BAD("\r\n\r\n\0\r\nQUIZ\n");
    BAD("\r\n\r\nGET");
}

static bool trusted(void *context, struct text address)
{
    (void)context;
    return text_starts(address, TEXT("10.")) || text_is(address, "::1");
}

static void client(const char *forwarded, const char *peer, const char *expected)
{
    struct text got = forwarded_client(text_of(forwarded), text_of(peer), trusted, NULL);
    if (!text_is(got, expected))
        print_error("forwarded: %s\n", forwarded ? forwarded : "-");
    assert_true(text_is(got, expected));
}

static void test_forwarded(void **state)
{
    (void)state;
    client(NULL, "10.0.0.1", "10.0.0.1");
    client("", "10.0.0.1", "10.0.0.1");
    client("1.2.3.4", "10.0.0.1", "1.2.3.4");
    client("1.2.3.4", "9.9.9.9", "9.9.9.9"); /* a stranger's word */
    client("6.6.6.6, 1.2.3.4", "10.0.0.1", "1.2.3.4"); /* what the client itself claims is not believed */
    client("6.6.6.6, 1.2.3.4, 10.0.0.7 ,10.0.0.8", "10.0.0.1", "1.2.3.4");
    client("10.0.0.3,10.0.0.2", "10.0.0.1", "10.0.0.3");
    client("1.2.3.4:5555", "10.0.0.1", "1.2.3.4");
    client("[2001:db8::7]:443", "::1", "2001:db8::7");
    client("2001:db8::7", "::1", "2001:db8::7");
    client("[2001:db8::7", "::1", "::1");
    client("1.2.3.4, unknown", "10.0.0.1", "10.0.0.1");
    client("1.2.3.4, garbage, 10.0.0.2", "10.0.0.1", "10.0.0.2");
    client("1.2.3.4,,10.0.0.2", "10.0.0.1", "10.0.0.2");
    struct text got = forwarded_client(TEXT("1.2.3.4"), TEXT("10.0.0.1"), NULL, NULL);
    assert_true(text_is(got, "10.0.0.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_version_2),
        cmocka_unit_test(test_forwarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
