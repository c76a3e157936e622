/* Bodies in gzip, zlib's format and raw deflate: whole, truncated at every byte, with rubbish behind, and as bombs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <zlib.h>

#include "net/inflate_body.h"

enum { GZIP = 31, ZLIB = 15, RAW = -15 };

static struct buf packed, out;

static void pack(int window, const void *data, size_t len)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t bound = deflateBound(&z, len);
    assert_int_equal(buf_reserve(&packed, bound), 0);
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)len;
    z.next_out = (Bytef *)packed.data + packed.len;
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    packed.len += bound - z.avail_out;
    deflateEnd(&z);
}

/* The first `len` bytes in a block of their own. */
static int inflate_front(bool gzip, size_t len)
{
    char *copy = malloc(len ? len : 1);
    memcpy(copy, packed.data, len);
    buf_clear(&out);
    int rc = inflate_body(gzip, text_make(copy, len), &out);
    free(copy);
    return rc;
}

static const char body[] = "{\"action\":\"updateLeaderboard\",\"action2\":\"updateLeaderboard\"}";

static void test_formats(void **state)
{
    (void)state;
    static const int windows[] = {GZIP, ZLIB, RAW};
    for (int i = 0; i < 3; i++) {
        buf_clear(&packed);
        pack(windows[i], body, sizeof(body) - 1);
        assert_int_equal(inflate_front(windows[i] == GZIP, packed.len), 0);
        assert_true(text_is(buf_text(&out), body));
        for (size_t len = 0; len < packed.len; len++) {
            assert_true(inflate_front(windows[i] == GZIP, len) < 0);
            assert_int_equal(out.len, 0);
        }
        buf_add_char(&packed, '!');
        assert_int_equal(inflate_front(windows[i] == GZIP, packed.len), windows[i] == GZIP ? ERR_TRUNCATED : ERR_SYNTAX);
    }
    buf_clear(&packed);
    pack(GZIP, body, sizeof(body) - 1);
    packed.data[packed.len - 6] ^= 1; /* the checksum */
    assert_int_equal(inflate_front(true, packed.len), ERR_SYNTAX);
    assert_int_equal(out.len, 0);
}

static void test_members(void **state)
{
    (void)state;
    buf_clear(&packed);
    pack(GZIP, "one ", 4);
    pack(GZIP, "", 0);
    pack(GZIP, "two", 3);
    assert_int_equal(inflate_front(true, packed.len), 0);
    assert_true(text_is(buf_text(&out), "one two"));
}

static void test_bomb(void **state)
{
    (void)state;
    size_t size = 4 << 20;
    char *zeros = calloc(1, size);
    buf_clear(&packed);
    pack(GZIP, zeros, size);
    struct buf small;
    for (size_t limit = size - 1; limit <= size; limit++) {
        buf_init(&small, limit + 5);
        buf_add_text(&small, TEXT("kept "));
        int rc = inflate_body(true, buf_text(&packed), &small);
        assert_int_equal(rc, limit < size ? ERR_TOO_LARGE : 0);
        assert_int_equal(small.len, 5 + (rc ? 0 : size));
        assert_memory_equal(small.data, "kept ", 5);
        buf_fini(&small);
    }
    free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_bomb),
    };
    buf_init(&packed, 1 << 24);
    buf_init(&out, 1 << 24);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_fini(&packed);
    buf_fini(&out);
    return failed;
}
