/* Arena: limits, alignment, save points, recycling. Buffer and cursor: limits, whole appends, checked reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"

static void test_arena_limit(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64, 1024);
    assert_null(arena.chunk);
    size_t got = 0;
    for (void *p; (p = arena_alloc(&arena, 24)); got++) {
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, 0xaa, 24);
    }
    assert_int_equal(got, 1024 / 32);
    assert_int_equal(arena.used, 1024);
    assert_int_equal(arena.high, 1024);
    assert_null(arena_alloc(&arena, 1));
    assert_int_equal(arena.used, 1024);
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 1024)); /* the whole limit at once, beyond the kept chunk */
    assert_null(arena_alloc(&arena, 0));
    arena_reset(&arena);
    assert_null(arena_alloc(&arena, 1025));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 15));
    assert_null(arena_array(&arena, SIZE_MAX / 2, 3));
    assert_non_null(arena_array(&arena, 4, 8));
    arena_fini(&arena);
    assert_null(arena.chunk);
}

static void test_arena_reset_keeps_first(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 256, 1 << 20);
    void *first = arena_alloc(&arena, 16);
    for (int i = 0; i < 1000; i++)
        assert_non_null(arena_alloc(&arena, 100));
    size_t high = arena.high;
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 16), first);
    assert_int_equal(arena.used, 16);
    assert_int_equal(arena.high, high);
    arena_fini(&arena);
    arena_init(&arena, 64, 128);
    char *zeros = arena_zalloc(&arena, 40);
    for (int i = 0; i < 40; i++)
        assert_int_equal(zeros[i], 0);
    arena_fini(&arena);
}

static void test_arena_rewind(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64, 1 << 16);
    struct arena_mark empty = arena_mark(&arena);
    char *kept = arena_alloc(&arena, 32);
    memset(kept, 'k', 32);
    struct arena_mark mark = arena_mark(&arena);
    void *next = arena_alloc(&arena, 32);
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&arena, 200));
    arena_rewind(&arena, mark);
    assert_int_equal(arena.used, 32);
    assert_ptr_equal(arena_alloc(&arena, 32), next);
    for (int i = 0; i < 32; i++)
        assert_int_equal(kept[i], 'k');
    arena_rewind(&arena, empty);
    assert_int_equal(arena.used, 0);
    assert_ptr_equal(arena_alloc(&arena, 32), kept);
    arena_fini(&arena);
}

static void test_arena_text(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64, 160);
    struct text copy = arena_copy(&arena, TEXT("hello"));
    assert_string_equal(copy.data, "hello");
    assert_int_equal(copy.len, 5);
    struct text none = arena_copy(&arena, TEXT_NONE);
    assert_non_null(none.data);
    assert_int_equal(none.len, 0);
    struct text made = arena_format(&arena, "%d-%s", 42, "x");
    assert_string_equal(made.data, "42-x");
    assert_int_equal(made.len, 4);
    assert_null(arena_format(&arena, "%0200d", 1).data);
    assert_null(arena_copy(&arena, text_make(copy.data, SIZE_MAX)).data);
    arena_fini(&arena);
}

static void test_buf_limit(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(buf_add_char(&buf, (char)i), 0);
    assert_false(buf.failed);
    assert_int_equal(buf_add_char(&buf, 'x'), ERR_TOO_LARGE);
    assert_true(buf.failed);
    assert_int_equal(buf.len, 100);
    assert_int_equal(buf_reserve(&buf, SIZE_MAX), ERR_TOO_LARGE);
    for (int i = 0; i < 100; i++)
        assert_int_equal(buf.data[i], i);
    buf_consume(&buf, 40);
    assert_int_equal(buf.len, 60);
    assert_int_equal(buf.data[0], 40);
    assert_int_equal(buf_add(&buf, "0123456789012345678901234567890123456789x", 41), ERR_TOO_LARGE);
    assert_int_equal(buf.len, 60);
    buf_consume(&buf, 1000);
    assert_int_equal(buf.len, 0);
    buf_clear(&buf);
    assert_false(buf.failed);
    buf_fini(&buf);
    assert_null(buf.data);
}

static void test_buf_text_forms(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 5000);
    buf_add_i64(&buf, INT64_MIN);
    buf_add_char(&buf, ' ');
    buf_add_u64(&buf, UINT64_MAX);
    buf_add_char(&buf, ' ');
    buf_add_i64(&buf, 0);
    buf_add_format(&buf, " %s=%d", "a", 5);
    assert_true(text_is(buf_text(&buf), "-9223372036854775808 18446744073709551615 0 a=5"));
    buf_clear(&buf);
    assert_int_equal(buf_add_format(&buf, "%05000d", 7), 0); /* exactly the limit: no room for a NUL is asked for */
    assert_int_equal(buf.len, 5000);
    assert_int_equal(buf.data[4999], '7');
    assert_int_equal(buf_add_format(&buf, "x"), ERR_TOO_LARGE);
    buf_fini(&buf);
}

static const uint64_t varints[] = {0, 1, 127, 128, 300, 16383, 16384, UINT32_MAX, INT64_MAX, UINT64_MAX};

static void add_record(struct buf *buf)
{
    buf_add_u8(buf, 0xfe);
    buf_add_be16(buf, 0x0102);
    buf_add_be32(buf, 0x03040506);
    buf_add_be64(buf, UINT64_C(0x0708090a0b0c0d0e));
    for (size_t i = 0; i < sizeof(varints) / sizeof(*varints); i++)
        buf_add_varint(buf, varints[i]);
    buf_add_bytes(buf, TEXT("body"));
    buf_add_bytes(buf, TEXT_NONE);
}

static bool read_record(struct cursor *c)
{
    bool same = cursor_u8(c) == 0xfe;
    same &= cursor_be16(c) == 0x0102;
    same &= cursor_be32(c) == 0x03040506;
    same &= cursor_be64(c) == UINT64_C(0x0708090a0b0c0d0e);
    for (size_t i = 0; i < sizeof(varints) / sizeof(*varints); i++)
        same &= cursor_varint(c) == varints[i];
    same &= text_is(cursor_bytes(c), "body");
    same &= cursor_bytes(c).len == 0;
    return same;
}

static void test_cursor_round_trip(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    add_record(&buf);
    assert_memory_equal(buf.data, "\xfe\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x00\x01\x7f\x80\x01", 20);
    struct cursor c = cursor_of(buf_text(&buf));
    assert_true(read_record(&c));
    assert_false(c.failed);
    assert_int_equal(cursor_left(&c), 0);
    for (size_t len = 0; len < buf.len; len++) { /* every truncation is noticed, and nothing behind it is read */
        char *exact = malloc(len ? len : 1);
        memcpy(exact, buf.data, len);
        c = cursor_of(text_make(exact, len));
        read_record(&c);
        assert_true(c.failed);
        assert_int_equal(cursor_left(&c), 0);
        assert_int_equal(cursor_u8(&c), 0);
        assert_null(cursor_take(&c, 0).data);
        free(exact);
    }
    buf_fini(&buf);
}

static void test_buf_bytes_is_whole(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 4);
    assert_int_equal(buf_add_bytes(&buf, TEXT("abcd")), ERR_TOO_LARGE);
    assert_int_equal(buf.len, 0);
    assert_int_equal(buf_add_bytes(&buf, TEXT("abc")), 0);
    buf_fini(&buf);
}

static void assert_varint_refused(struct text bytes)
{
    struct cursor c = cursor_of(bytes);
    assert_int_equal(cursor_varint(&c), 0);
    assert_true(c.failed);
}

static void test_varint_refusals(void **state)
{
    (void)state;
    assert_varint_refused(TEXT("\x80"));
    assert_varint_refused(TEXT("\x80\x00"));                                     /* overlong zero */
    assert_varint_refused(TEXT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));     /* 65 bits */
    assert_varint_refused(TEXT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00")); /* 11 bytes */
    struct cursor c = cursor_of(TEXT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    assert_true(cursor_varint(&c) == UINT64_MAX);
    c = cursor_of(TEXT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    assert_null(cursor_bytes(&c).data);
    assert_true(c.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_limit),     cmocka_unit_test(test_arena_reset_keeps_first),
        cmocka_unit_test(test_arena_rewind),    cmocka_unit_test(test_arena_text),
        cmocka_unit_test(test_buf_limit),       cmocka_unit_test(test_buf_text_forms),
        cmocka_unit_test(test_cursor_round_trip), cmocka_unit_test(test_buf_bytes_is_whole),
        cmocka_unit_test(test_varint_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
