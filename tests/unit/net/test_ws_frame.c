/* Headers of every length, every refusal at its earliest byte, and the mask at every length and offset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "net/ws_frame.h"

static void test_known_headers(void **state)
{
    (void)state;
    struct ws_header h;
    /* RFC 6455 5.7 */
    assert_int_equal(ws_header_parse("\x81\x05", 2, false, &h), 2);
    assert_true(h.fin && !h.masked && !h.rsv1 && h.opcode == WS_TEXT && h.length == 5);
    assert_int_equal(ws_header_parse("\x81\x85\x37\xfa\x21\x3d\x7f", 7, false, &h), 6);
    assert_true(h.masked && h.size == 6);
    assert_memory_equal(h.mask, "\x37\xfa\x21\x3d", 4);
    assert_int_equal(ws_header_parse("\x82\x7e\x01\x00", 4, false, &h), 4);
    assert_int_equal(h.length, 256);
    assert_int_equal(ws_header_parse("\x82\x7f\0\0\0\0\0\x01\0\0", 10, false, &h), 10);
    assert_int_equal(h.length, 65536);
    assert_int_equal(ws_header_parse("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" "abcd", 14, false, &h), 14);
    assert_true(h.length == INT64_MAX);
}

static void test_all_first_bytes(void **state)
{
    (void)state;
    struct ws_header h;
    for (int deflate = 0; deflate < 2; deflate++)
        for (int byte = 0; byte < 256; byte++) {
            int opcode = byte & 15;
            bool known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
            bool rsv1 = byte & 0x40;
            bool good = known && !(byte & 0x30) && (!rsv1 || (deflate && (opcode == 1 || opcode == 2))) &&
                        (opcode < 8 || (byte & 0x80));
            char data[2] = {(char)byte, 0};
            assert_int_equal(ws_header_parse(data, 2, deflate, &h), good ? 2 : -1002);
            assert_int_equal(ws_header_parse(data, 1, deflate, &h), good ? 0 : -1002);
        }
}

static void test_refused_lengths(void **state)
{
    (void)state;
    struct ws_header h;
    assert_int_equal(ws_header_parse("\x89\x7d", 2, false, &h), 2);
    assert_int_equal(ws_header_parse("\x89\x7e", 2, false, &h), -1002);
    assert_int_equal(ws_header_parse("\x88\xff", 2, false, &h), -1002);
    assert_int_equal(ws_header_parse("\x81\x7e\0\x7d", 4, false, &h), -1002);         /* 125 in 16 bits */
    assert_int_equal(ws_header_parse("\x81\x7f\0\0\0\0\0\0\xff\xff", 10, false, &h), -1002); /* 65535 in 64 bits */
    assert_int_equal(ws_header_parse("\x81\x7f\x80\0\0\0\0\0\0\0", 10, false, &h), -1002);
}

static void test_format_reads_back(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, UINT64_C(1) << 32, INT64_MAX};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        uint8_t out[WS_SERVER_HEADER_MAX];
        size_t size = ws_header_format(out, WS_BINARY, true, true, lengths[i]);
        assert_int_equal(size, lengths[i] < 126 ? 2 : lengths[i] < 65536 ? 4 : 10);
        struct ws_header h;
        for (size_t n = 0; n < size; n++)
            assert_int_equal(ws_header_parse(out, n, true, &h), 0);
        assert_int_equal(ws_header_parse(out, size, true, &h), (int)size);
        assert_true(h.fin && h.rsv1 && h.opcode == WS_BINARY && h.length == lengths[i] && h.size == size);
    }
}

static void test_mask_everywhere(void **state)
{
    (void)state;
    static const uint8_t mask[4] = {0x81, 0x02, 0xf3, 0x44};
    for (size_t len = 0; len <= 200; len++)
        for (uint64_t offset = 0; offset < 8; offset++)
            for (size_t shift = 0; shift < 3; shift++) {
                uint8_t *block = malloc(len + shift + 1), *data = block + shift;
                data[len] = 0x5a;
                for (size_t i = 0; i < len; i++)
                    data[i] = (uint8_t)(i * 7) ^ mask[(offset + i) & 3];
                ws_unmask(data, len, mask, offset);
                for (size_t i = 0; i < len; i++)
                    assert_int_equal(data[i], (uint8_t)(i * 7));
                assert_int_equal(data[len], 0x5a); /* the next frame is not touched */
                free(block);
            }
}

static void test_ascii_is_seen(void **state)
{
    (void)state;
    static const uint8_t mask[4] = {0x80, 0xff, 0x00, 0xc3};
    for (size_t len = 0; len <= 150; len++)
        for (size_t high = 0; high <= len; high++) { /* high == len: none */
            uint8_t data[150];
            memset(data, 'a', len);
            if (high < len)
                data[high] = 0x80;
            for (size_t i = 0; i < len; i++)
                data[i] ^= mask[i & 3];
            assert_int_equal(ws_unmask_ascii(data, len, mask, 0), high == len);
        }
}

static void test_close_codes(void **state)
{
    (void)state;
    for (int code = -1; code < 66000; code++) {
        bool good = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
        assert_int_equal(ws_close_code_valid(code), good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_headers),
        cmocka_unit_test(test_all_first_bytes),
        cmocka_unit_test(test_refused_lengths),
        cmocka_unit_test(test_format_reads_back),
        cmocka_unit_test(test_mask_everywhere),
        cmocka_unit_test(test_ascii_is_seen),
        cmocka_unit_test(test_close_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
