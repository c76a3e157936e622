/* Decimals: text and key forms are canonical, and sums undo themselves where they fit. The input is two texts split by a space, or a key. */
#include <stdint.h>

#include "base/assert.h"
#include "base/decimal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct decimal *a, const struct decimal *b)
{
    return a->negative == b->negative && a->count == b->count && a->exponent == b->exponent &&
           memcmp(a->digit, b->digit, DECIMAL_DIGITS) == 0;
}

static void check_forms(const struct decimal *d)
{
    char text[DECIMAL_TEXT_MAX];
    struct decimal back;
    struct buf key;
    size_t used;
    ASSERT(decimal_parse(text_make(text, decimal_format(d, text)), &back) == 0 && same(d, &back));
    buf_init(&key, DECIMAL_KEY_MAX);
    ASSERT(decimal_key_add(&key, d) == 0);
    ASSERT(decimal_key_parse(buf_text(&key), &back, &used) == 0 && used == key.len && same(d, &back));
    buf_fini(&key);
}

static void check_sum(const struct decimal *a, const struct decimal *b)
{
    struct decimal sum, back;
    struct decimal swapped;
    int code = decimal_add(a, b, &sum);
    ASSERT(decimal_add(b, a, &swapped) == code);
    if (code)
        return;
    check_forms(&sum);
    ASSERT(same(&sum, &swapped));
    ASSERT(decimal_subtract(&sum, b, &back) == 0 && same(&back, a));
    ASSERT(decimal_compare(a, b) == -decimal_compare(b, a));
}

static void check_key(struct text bytes)
{
    struct decimal d;
    struct buf again;
    size_t used;
    if (decimal_key_parse(bytes, &d, &used))
        return;
    buf_init(&again, DECIMAL_KEY_MAX);
    ASSERT(decimal_key_add(&again, &d) == 0);
    ASSERT(text_equal(buf_text(&again), text_make(bytes.data, used)));
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = text_make(data, size);
    ptrdiff_t space = text_find(input, ' ', 0);
    struct decimal a, b;
    check_key(input);
    if (space < 0)
        space = (ptrdiff_t)size;
    bool has_a = decimal_parse(text_make(data, (size_t)space), &a) == 0;
    if (has_a)
        check_forms(&a);
    if (has_a && (size_t)space < size && decimal_parse(text_make(data + space + 1, size - (size_t)space - 1), &b) == 0)
        check_sum(&a, &b);
    return 0;
}
