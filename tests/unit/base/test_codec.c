/* Codecs: RFC vectors, every refusal, all lengths; UTF-8: every class of valid and invalid text, split at every point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"

typedef int codec_function(struct buf *out, struct text in);

static void assert_codec(codec_function *f, const char *in, const char *expected)
{
    struct buf out;
    buf_init(&out, 1000);
    buf_add_char(&out, '>');
    int code = f(&out, text_of(in));
    if (expected) {
        assert_int_equal(code, 0);
        assert_true(text_is(text_make(out.data + 1, out.len - 1), expected));
    } else {
        if (code != ERR_SYNTAX)
            fail_msg("accepted: %s", in);
        assert_int_equal(out.len, 1);
    }
    buf_fini(&out);
}

static void test_base64_vectors(void **state)
{
    (void)state;
    static const char *const pairs[][3] = {{"", "", ""}, {"f", "Zg==", "Zg"}, {"fo", "Zm8=", "Zm8"}, {"foo", "Zm9v", "Zm9v"},
                                           {"foob", "Zm9vYg==", "Zm9vYg"}, {"fooba", "Zm9vYmE=", "Zm9vYmE"}, {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
                                           {"\xfb\xff\xfe", "+//+", "-__-"}};
    for (int i = 0; i < 8; i++) {
        assert_codec(base64_encode, pairs[i][0], pairs[i][1]);
        assert_codec(base64_decode, pairs[i][1], pairs[i][0]);
        assert_codec(base64url_encode, pairs[i][0], pairs[i][2]);
        assert_codec(base64url_decode, pairs[i][2], pairs[i][0]);
    }
}

static void test_base64_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm8", "Zm8==", "====", "=", "Zg=a", "Z=g=", "Zm9v\n",
                                      "Zm 9", "-__-", "Zm9v====", "Zg==Zg=="};
    static const char *const bad_url[] = {"Z", "Zg==", "Zh", "Zm9", "Zm8=", "+//+", "Zm9vZ", " Zg", "Zm9v="};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_codec(base64_decode, bad[i], NULL);
    for (size_t i = 0; i < sizeof(bad_url) / sizeof(*bad_url); i++)
        assert_codec(base64url_decode, bad_url[i], NULL);
}

static void test_hex(void **state)
{
    (void)state;
    assert_codec(hex_encode, "\x01\xab\xff", "01abff");
    assert_codec(hex_decode, "01ABff", "\x01\xab\xff");
    assert_codec(hex_decode, "0", NULL);
    assert_codec(hex_decode, "0g", NULL);
    assert_codec(hex_decode, " 1", NULL);
}

static int encode_path(struct buf *out, struct text in)
{
    return percent_encode(out, in, true);
}
static int encode_all(struct buf *out, struct text in)
{
    return percent_encode(out, in, false);
}
static int decode_path(struct buf *out, struct text in)
{
    return percent_decode(out, in, false);
}
static int decode_query(struct buf *out, struct text in)
{
    return percent_decode(out, in, true);
}

static void test_percent(void **state)
{
    (void)state;
    assert_codec(encode_all, "aZ09-._~/ \xc3\xa9%", "aZ09-._~%2F%20%C3%A9%25");
    assert_codec(encode_path, "/a b/", "/a%20b/");
    assert_codec(decode_path, "a%2fb+c%20", "a/b+c ");
    assert_codec(decode_query, "a+b%2B", "a b+");
    assert_codec(decode_path, "%", NULL);
    assert_codec(decode_path, "a%2", NULL);
    assert_codec(decode_path, "a%g0", NULL);
    assert_codec(decode_path, "%%20", NULL);
}

/* All lengths and limits: an encoder needs exactly its own length, and decoding gives the bytes back. */
static void round_trip(codec_function *encode, codec_function *decode)
{
    unsigned char bytes[300];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 89 + 7);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        struct buf encoded, decoded, tight;
        buf_init(&encoded, 4096);
        buf_init(&decoded, len);
        assert_int_equal(encode(&encoded, text_make(bytes, len)), 0);
        assert_int_equal(decode(&decoded, buf_text(&encoded)), 0); /* fits its limit exactly */
        assert_false(decoded.failed);
        assert_true(text_equal(buf_text(&decoded), text_make(bytes, len)));
        if (len) {
            buf_init(&tight, encoded.len - 1);
            assert_int_equal(encode(&tight, text_make(bytes, len)), ERR_TOO_LARGE);
            assert_int_equal(tight.len, 0);
            buf_fini(&tight);
            buf_init(&tight, len - 1);
            assert_int_equal(decode(&tight, buf_text(&encoded)), ERR_TOO_LARGE);
            buf_fini(&tight);
        }
        buf_fini(&encoded);
        buf_fini(&decoded);
    }
}

static void test_round_trips(void **state)
{
    (void)state;
    round_trip(base64_encode, base64_decode);
    round_trip(base64url_encode, base64url_decode);
    round_trip(hex_encode, hex_decode);
    round_trip(encode_all, decode_path);
    round_trip(encode_all, decode_query);
}

/* ---- UTF-8 ---- */

static bool feed_all(struct text bytes, size_t split, size_t step)
{
    uint32_t now = 0;
    size_t at = split;
    if (!utf8_feed(&now, bytes.data, split))
        return false;
    while (at < bytes.len) {
        size_t n = bytes.len - at < step ? bytes.len - at : step;
        if (!utf8_feed(&now, bytes.data + at, n))
            return false;
        at += n;
    }
    return now == 0;
}

static void assert_utf8(struct text bytes, bool valid)
{
    /* The same bytes alone, and within long texts that take the vector path. */
    static const size_t fronts[] = {0, 1, 62, 63, 64, 65, 130}, backs[] = {0, 1, 2, 70};
    char text[400];
    for (int f = 0; f < 7; f++)
        for (int b = 0; b < 4; b++) {
            size_t n = fronts[f];
            memset(text, 'a', sizeof(text));
            memcpy(text + n, bytes.data, bytes.len);
            struct text whole = text_make(text, n + bytes.len + backs[b]);
            assert_int_equal(utf8_valid(whole), valid);
            assert_int_equal(feed_all(whole, 0, 1), valid);
            for (size_t split = 0; split <= whole.len; split++)
                assert_int_equal(feed_all(whole, split, whole.len), valid);
        }
}

static void test_utf8_vectors(void **state)
{
    (void)state;
    static const char *const valid[] = {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xe1\x80\x80", "\xec\xbf\xbf", "\xed\x80\x80",
                                        "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf1\x80\x80\x80", "\xf3\xbf\xbf\xbf",
                                        "\xf4\x8f\xbf\xbf", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xef\xbb\xbf"};
    static const char *const invalid[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x7f", "\xc2\xc0", "\xe0\x9f\xbf", "\xe0\x80\x80",
                                          "\xe1\x80", "\xe1", "\xe1\x80\x7f", "\xe1\x80\xc0", "\xed\xa0\x80", "\xed\xbf\xbf", "\xed\xa0\x80\xed\xb0\x80",
                                          "\xf0\x8f\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x90", "\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
                                          "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xfe", "\xff", "\xc2\x80\x80", "\xf0\x90\x80\x80\x80",
                                          "\xf1\x80\x80", "\xf1\x80\x80\x80\xf1"};
    for (size_t i = 0; i < sizeof(valid) / sizeof(*valid); i++)
        assert_utf8(text_of(valid[i]), true);
    for (size_t i = 0; i < sizeof(invalid) / sizeof(*invalid); i++)
        assert_utf8(text_of(invalid[i]), false);
    assert_utf8(TEXT("a\0b"), true);
}

static void test_utf8_every_code_point(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x120000; code++) {
        unsigned char c[4];
        size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
        for (size_t i = n; i-- > 1;)
            c[i] = (unsigned char)(0x80 | (code >> (6 * (n - 1 - i)) & 0x3f));
        c[0] = (unsigned char)(lead[n] | code >> (6 * (n - 1)));
        bool valid = code < 0x110000 && !(code >= 0xd800 && code < 0xe000);
        if (utf8_valid(text_make(c, n)) != valid)
            fail_msg("U+%04X", code);
    }
}

static void test_utf8_fails_early(void **state)
{
    (void)state;
    uint32_t now = 0;
    assert_true(utf8_feed(&now, "\xed", 1));
    assert_int_not_equal(now, 0);
    assert_false(utf8_feed(&now, "\xa0", 1)); /* a surrogate, known at its second byte */
    assert_false(utf8_feed(&now, "a", 1));    /* and it stays refused */
    assert_false(utf8_feed(&now, "", 0));
    now = 0;
    assert_true(utf8_feed(&now, "\xf4\x8f", 2));
    assert_true(utf8_feed(&now, NULL, 0));
    assert_true(utf8_feed(&now, "\xbf\xbf", 2));
    assert_int_equal(now, 0);
    assert_true(utf8_valid(TEXT_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_vectors), cmocka_unit_test(test_base64_refused),        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_percent),        cmocka_unit_test(test_round_trips),           cmocka_unit_test(test_utf8_vectors),
        cmocka_unit_test(test_utf8_every_code_point), cmocka_unit_test(test_utf8_fails_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
