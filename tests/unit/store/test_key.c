/* Row keys: their byte order is DynamoDB's order of the tuples, and they read back. */
#include "fixture.h"

#include "store/key.h"

static struct arena arena;
static uint64_t seed = 3;

static struct attr value_random(enum attr_type type)
{
    struct attr value = {.type = type};
    if (type == ATTR_NUMBER) {
        char text[DECIMAL_TEXT_MAX];
        struct decimal d;
        char digits[64];
        int n = 1 + (int)(random_next(&seed) % 6);
        size_t len = random_next(&seed) % 2 ? 1 : 0;
        digits[0] = '-';
        for (int i = 0; i < n; i++)
            digits[len++] = (char)('0' + random_next(&seed) % 10);
        len += (size_t)snprintf(digits + len, sizeof(digits) - len, "e%d", (int)(random_next(&seed) % 9) - 4);
        assert_int_equal(decimal_parse(text_make(digits, len), &d), 0);
        value.text = arena_copy(&arena, text_make(text, decimal_format(&d, text)));
        return value;
    }
    char bytes[5];
    static const char alphabet[] = {0, 1, 2, 'a', 'b', (char)0xC3, (char)0xFE, (char)0xFF};
    size_t len = 1 + random_next(&seed) % sizeof(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = alphabet[random_next(&seed) % sizeof(alphabet)];
    value.text = arena_copy(&arena, text_make(bytes, len));
    return value;
}

static int value_order(const struct attr *a, const struct attr *b)
{
    struct decimal x, y;
    if (a->type != ATTR_NUMBER)
        return text_compare(a->text, b->text);
    decimal_parse(a->text, &x);
    decimal_parse(b->text, &y);
    return decimal_compare(&x, &y);
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void add(struct buf *key, const struct attr *value)
{
    assert_int_equal(key_add_component(key, value->type, value, TEXT("k"), 2048, NULL), 0);
}

static void test_order(void **state)
{
    (void)state;
    static const enum attr_type types[] = {ATTR_STRING, ATTR_NUMBER, ATTR_BINARY};
    struct buf x, y;
    buf_init(&x, KEY_BYTES_MAX);
    buf_init(&y, KEY_BYTES_MAX);
    for (int round = 0; round < 200000; round++) {
        enum attr_type first = types[random_next(&seed) % 3], second = types[random_next(&seed) % 3];
        struct attr a[2] = {value_random(first), value_random(second)},
                    b[2] = {value_random(first), value_random(second)};
        if (random_next(&seed) % 3 == 0)
            b[0] = a[0];
        buf_clear(&x);
        buf_clear(&y);
        for (int i = 0; i < 2; i++) {
            add(&x, &a[i]);
            add(&y, &b[i]);
        }
        int want = value_order(&a[0], &b[0]);
        if (!want)
            want = value_order(&a[1], &b[1]);
        assert_int_equal(sign(text_compare(buf_text(&x), buf_text(&y))), sign(want));

        struct cursor c = cursor_of(buf_text(&x));
        struct text back;
        assert_int_equal(key_skip(&c, first), 0);
        assert_int_equal(key_read(&c, second, &arena, &back), 0);
        assert_true(text_equal(back, a[1].text));
        assert_int_equal(cursor_left(&c), 0);
        arena_reset(&arena);
    }
    buf_fini(&x);
    buf_fini(&y);
}

/* What lies between a prefix and its successor is exactly what begins with it. */
static void test_prefix(void **state)
{
    (void)state;
    struct buf low, high, key;
    buf_init(&low, KEY_BYTES_MAX);
    buf_init(&high, KEY_BYTES_MAX);
    buf_init(&key, KEY_BYTES_MAX);
    for (int round = 0; round < 100000; round++) {
        struct attr prefix = value_random(ATTR_BINARY), value = value_random(ATTR_BINARY);
        buf_clear(&low);
        buf_clear(&high);
        buf_clear(&key);
        buf_add_char(&low, 'i');
        key_add_partial(&low, prefix.text);
        buf_add_text(&high, buf_text(&low));
        assert_true(key_successor(&high));
        buf_add_char(&key, 'i');
        add(&key, &value);
        bool inside = text_compare(buf_text(&key), buf_text(&low)) >= 0 &&
                      text_compare(buf_text(&key), buf_text(&high)) < 0;
        assert_int_equal(inside, text_starts(value.text, prefix.text));
        arena_reset(&arena);
    }
    buf_clear(&key);
    buf_add(&key, "\xFF\xFF", 2);
    assert_false(key_successor(&key));
    buf_fini(&low);
    buf_fini(&high);
    buf_fini(&key);
}

static void test_refused(void **state)
{
    (void)state;
    struct buf key;
    struct err err;
    struct attr empty = {.type = ATTR_STRING, .text = TEXT("")},
                number = {.type = ATTR_NUMBER, .text = TEXT("1")};
    struct attr large = {
        .type = ATTR_BINARY, .text = arena_copy(&arena, text_make(arena_zalloc(&arena, 2049), 2049))};
    buf_init(&key, KEY_BYTES_MAX);
    assert_int_equal(key_add_component(&key, ATTR_STRING, NULL, TEXT("k"), 10, &err), ERR_TYPE);
    assert_int_equal(key_add_component(&key, ATTR_STRING, &number, TEXT("k"), 10, &err), ERR_TYPE);
    assert_int_equal(key_add_component(&key, ATTR_STRING, &empty, TEXT("k"), 10, &err), ERR_INVALID);
    assert_int_equal(key_add_component(&key, ATTR_BINARY, &large, TEXT("k"), 2048, &err), ERR_TOO_LARGE);
    large.text.len--;
    assert_int_equal(key_add_component(&key, ATTR_BINARY, &large, TEXT("k"), 2048, &err), 0);
    for (size_t cut = 0; cut < key.len; cut++) { /* every beginning is damaged */
        struct cursor c = cursor_of(text_make(key.data, cut));
        struct text text;
        assert_int_equal(key_read(&c, ATTR_BINARY, &arena, &text), ERR_CORRUPT);
    }
    struct text text;
    struct cursor c = cursor_of(text_make("a\0\x02", 3));
    assert_int_equal(key_read(&c, ATTR_STRING, &arena, &text), ERR_CORRUPT);
    buf_fini(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order), cmocka_unit_test(test_prefix), cmocka_unit_test(test_refused)};
    arena_init(&arena, 64 << 10, 16 << 20);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&arena);
    return rc;
}
