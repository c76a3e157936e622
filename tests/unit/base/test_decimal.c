/*
 * Decimals against an independent model: fixed-point integers in base 10 with every place of the range, added and compared by
 * schoolbook rules. Seeded by a constant, so a failure repeats.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/decimal.h"

static uint64_t seed = 20240607;

static uint32_t rnd(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(seed >> 33) % below;
}

/* ---- the model: sign and 320 places, place i has the weight 10^(i - 180) ---- */
#define MODEL 320
#define ONE 180
struct model {
    int sign; /* -1, 0, 1 */
    int place[MODEL];
};

static struct model model_of(const struct decimal *d)
{
    struct model m = {.sign = d->count == 0 ? 0 : d->negative ? -1 : 1};
    for (int i = 0; i < d->count; i++)
        m.place[ONE + d->exponent - 1 - i] = d->digit[i];
    return m;
}

static int model_magnitude(const struct model *a, const struct model *b)
{
    for (int i = MODEL - 1; i >= 0; i--)
        if (a->place[i] != b->place[i])
            return a->place[i] < b->place[i] ? -1 : 1;
    return 0;
}

static int model_compare(const struct model *a, const struct model *b)
{
    if (a->sign != b->sign)
        return a->sign < b->sign ? -1 : 1;
    return a->sign < 0 ? -model_magnitude(a, b) : model_magnitude(a, b);
}

static struct model model_add(const struct model *a, const struct model *b)
{
    const struct model *big = model_magnitude(a, b) >= 0 ? a : b, *small = big == a ? b : a;
    int factor = a->sign * b->sign < 0 ? -1 : 1, carry = 0;
    struct model sum = {.sign = 0};
    for (int i = 0; i < MODEL; i++) {
        int v = big->place[i] + factor * small->place[i] + carry;
        carry = v < 0 ? -1 : v / 10;
        sum.place[i] = v - 10 * carry;
        if (sum.place[i])
            sum.sign = big->sign;
    }
    return sum;
}

/* Would DynamoDB hold it? */
static bool model_fits(const struct model *m)
{
    int low = -1, high = -1;
    for (int i = 0; i < MODEL; i++)
        if (m->place[i]) {
            low = low < 0 ? i : low;
            high = i;
        }
    return m->sign == 0 || (high - low < 38 && high >= ONE - 130 && high <= ONE + 125);
}

/* ---- random numbers: all magnitudes, and clusters where the arithmetic is interesting ---- */
static struct decimal random_decimal(void)
{
    static const int spans[] = {2, 10, 40, 256};
    struct decimal d = {0};
    if (rnd(50) == 0)
        return d;
    int digits = rnd(3) ? 1 + (int)rnd(38) : 1 + (int)rnd(4), nines = rnd(5) == 0;
    int span = spans[rnd(4)];
    d.negative = rnd(2);
    d.exponent = (int16_t)(span == 256 ? (int)rnd(256) - 129 : (int)rnd((uint32_t)span) - span / 2);
    for (int i = 0; i < digits; i++)
        d.digit[d.count++] = (uint8_t)(nines ? 9 : rnd(10));
    if (d.digit[0] == 0)
        d.digit[0] = 1;
    while (d.digit[d.count - 1] == 0)
        d.count--;
    return d;
}

static struct text text_form(const struct decimal *d, char *out)
{
    return text_make(out, decimal_format(d, out));
}

static void assert_same(const struct decimal *a, const struct decimal *b)
{
    assert_int_equal(a->negative, b->negative);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->exponent, b->exponent);
    assert_memory_equal(a->digit, b->digit, DECIMAL_DIGITS);
}

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"0", "0"}, {"-0", "0"}, {"0.000", "0"}, {"0e999999999999", "0"}, {"1.50", "1.5"}, {"1E2", "100"}, {"+7", "7"}, {"007", "7"},
        {"1e-2", "0.01"}, {"-12.340e1", "-123.4"}, {"0.00120", "0.0012"}, {"100.001", "100.001"}, {"1000000", "1000000"},
        {"12345678901234567890123456789012345678", "12345678901234567890123456789012345678"},
        {"1234567890123456789012345678901234567800000", "1234567890123456789012345678901234567800000"},
        {"0.00000000000000000000000000000000000000000000000001e50", "1"},
        {"100000000000000000000000000000000000000000000000000e-50", "1"},
        {"5.00000000000000000000000000000000000000000000000000000000000", "5"}, {"10.0e1", "100"}, {"0.5e1", "5"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct decimal d;
        char out[DECIMAL_TEXT_MAX];
        assert_int_equal(decimal_parse(text_of(cases[i].in), &d), 0);
        if (!text_is(text_form(&d, out), cases[i].out))
            fail_msg("%s became %.*s", cases[i].in, TEXT_FMT(text_form(&d, out)));
    }
}

static void test_text_refused(void **state)
{
    (void)state;
    static const char *const syntax[] = {"", "+", "-", ".", ".5", "5.", "1.e1", "e1", "1e", "1e+", "1 ", " 1", "1,0", "0x1", "1.2.3",
                                         "1e1.0", "--1", "+-1", "NaN", "Infinity", "1e5x", "1e99999999999999999999999x"};
    static const char *const large[] = {"1E126", "9.9e126", "1E-131", "1e999999999999999999999999", "-1e-99999999999999999999999",
                                        "123456789012345678901234567890123456789", "0.123456789012345678901234567890123456789",
                                        "100000000000000000000000000000000000001"};
    struct decimal d;
    for (size_t i = 0; i < sizeof(syntax) / sizeof(*syntax); i++)
        if (decimal_parse(text_of(syntax[i]), &d) != ERR_SYNTAX)
            fail_msg("%s", syntax[i]);
    for (size_t i = 0; i < sizeof(large) / sizeof(*large); i++)
        if (decimal_parse(text_of(large[i]), &d) != ERR_TOO_LARGE)
            fail_msg("%s", large[i]);
}

static void test_range_ends(void **state)
{
    (void)state;
    static const char *const ends[] = {"1E-130", "-1E-130", "9.9999999999999999999999999999999999999E125",
                                       "-9.9999999999999999999999999999999999999E+125", "1.2345678901234567890123456789012345678E-130"};
    for (size_t i = 0; i < 5; i++) {
        struct decimal d, again;
        char out[DECIMAL_TEXT_MAX];
        assert_int_equal(decimal_parse(text_of(ends[i]), &d), 0);
        struct text text = text_form(&d, out);
        assert_true(text.len <= DECIMAL_TEXT_MAX);
        assert_int_equal(decimal_parse(text, &again), 0);
        assert_same(&d, &again);
    }
}

static void test_integers(void **state)
{
    (void)state;
    static const int64_t values[] = {0, 1, -1, 10, -100, 1234567890, INT64_MAX, INT64_MIN, INT64_MAX - 7};
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        struct decimal d;
        int64_t back = 5;
        char expected[32], out[DECIMAL_TEXT_MAX];
        decimal_from_i64(values[i], &d);
        snprintf(expected, sizeof(expected), "%lld", (long long)values[i]);
        assert_true(text_is(text_form(&d, out), expected));
        assert_int_equal(decimal_to_i64(&d, &back), 0);
        assert_true(back == values[i]);
    }
    static const char *const refused[] = {"9223372036854775808", "-9223372036854775809", "1.5", "1e100", "0.1"};
    for (size_t i = 0; i < 5; i++) {
        struct decimal d;
        int64_t back;
        assert_int_equal(decimal_parse(text_of(refused[i]), &d), 0);
        assert_int_equal(decimal_to_i64(&d, &back), ERR_TOO_LARGE);
    }
}

static void test_doubles(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct decimal d = random_decimal();
        char out[DECIMAL_TEXT_MAX + 1];
        out[decimal_format(&d, out)] = 0;
        assert_true(decimal_to_double(&d) == strtod(out, NULL));
    }
}

/* Plain text has a way of its own through the parser; with "e0" behind it the same number takes the general one. Doubles are the C library's nearest. */
static void test_plain_text(void **state)
{
    (void)state;
    for (int round = 0; round < 200000; round++) {
        char plain[64], general[72];
        size_t n = 0, before = rnd(21), behind = rnd(3) ? 0 : 1 + rnd(20);
        if (rnd(3) == 0)
            plain[n++] = '-';
        for (size_t i = 0; i < before; i++)
            plain[n++] = (char)('0' + (rnd(4) ? rnd(10) : 0));
        if (behind || rnd(50) == 0)
            plain[n++] = '.';
        for (size_t i = 0; i < behind; i++)
            plain[n++] = (char)('0' + (rnd(4) ? rnd(10) : 0));
        plain[n] = 0;
        snprintf(general, sizeof(general), "%se0", plain);
        struct decimal a, b;
        int rc = decimal_parse(text_make(plain, n), &a);
        assert_int_equal(rc, decimal_parse(text_of(general), &b));
        if (rc)
            continue;
        assert_same(&a, &b);
        assert_true(decimal_to_double(&a) == strtod(plain, NULL));
    }
}

static void test_random_round_trips(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct decimal d = random_decimal(), again;
        char out[DECIMAL_TEXT_MAX];
        assert_int_equal(decimal_parse(text_form(&d, out), &again), 0);
        assert_same(&d, &again);
    }
}

static void test_random_sums(void **state)
{
    (void)state;
    int fitted = 0, refused = 0;
    for (int i = 0; i < 20000; i++) {
        struct decimal a = random_decimal(), b = random_decimal(), sum;
        struct model ma = model_of(&a), mb = model_of(&b);
        for (int minus = 0; minus < 2; minus++) {
            mb.sign = minus ? -mb.sign : mb.sign;
            struct model expected = model_add(&ma, &mb);
            int code = minus ? decimal_subtract(&a, &b, &sum) : decimal_add(&a, &b, &sum);
            assert_int_equal(code, model_fits(&expected) ? 0 : ERR_TOO_LARGE);
            fitted += code == 0;
            refused += code != 0;
            if (code)
                continue;
            struct model got = model_of(&sum);
            assert_int_equal(got.sign, expected.sign);
            assert_memory_equal(got.place, expected.place, sizeof(got.place));
            assert_true(sum.count == 0 || (sum.digit[0] && sum.digit[sum.count - 1]));
        }
    }
    assert_true(fitted > 1000 && refused > 1000); /* both sides were met */
}

static void test_sum_in_place(void **state)
{
    (void)state;
    struct decimal a, one;
    decimal_from_i64(999999, &a);
    decimal_from_i64(1, &one);
    assert_int_equal(decimal_add(&a, &one, &a), 0); /* the result may be an operand */
    char out[DECIMAL_TEXT_MAX];
    assert_true(text_is(text_form(&a, out), "1000000"));
    assert_int_equal(decimal_subtract(&a, &a, &a), 0);
    assert_true(text_is(text_form(&a, out), "0"));
    assert_false(a.negative);
}

static void test_random_order(void **state)
{
    (void)state;
    struct buf ka, kb;
    buf_init(&ka, 64);
    buf_init(&kb, 64);
    for (int i = 0; i < 40000; i++) {
        struct decimal a = random_decimal(), b = random_decimal(), back;
        if (rnd(4) == 0) { /* neighbours: the same number with other last digits */
            b = a;
            if (b.count && b.count < DECIMAL_DIGITS && rnd(2))
                b.digit[b.count++] = (uint8_t)(1 + rnd(9));
            else if (b.count > 1)
                b.digit[b.count - 1] = (uint8_t)(1 + rnd(9));
        }
        struct model ma = model_of(&a), mb = model_of(&b);
        int order = model_compare(&ma, &mb);
        assert_int_equal(decimal_compare(&a, &b), order);
        buf_clear(&ka);
        buf_clear(&kb);
        assert_int_equal(decimal_key_add(&ka, &a), 0);
        assert_int_equal(decimal_key_add(&kb, &b), 0);
        assert_true(ka.len <= 22 && ka.len <= DECIMAL_KEY_MAX);
        int bytes = text_compare(buf_text(&ka), buf_text(&kb));
        assert_int_equal((bytes > 0) - (bytes < 0), order);
        if (order)
            assert_false(text_starts(buf_text(&ka), buf_text(&kb)) || text_starts(buf_text(&kb), buf_text(&ka)));
        size_t used, len = ka.len;
        for (size_t cut = 0; cut < len; cut++)
            assert_int_equal(decimal_key_parse(text_make(ka.data, cut), &back, &used), ERR_CORRUPT);
        buf_add_text(&ka, buf_text(&kb)); /* what follows a key does not matter */
        assert_int_equal(decimal_key_parse(buf_text(&ka), &back, &used), 0);
        assert_int_equal(used, len);
        assert_same(&a, &back);
    }
    buf_fini(&ka);
    buf_fini(&kb);
}

static void test_key_refused(void **state)
{
    (void)state;
    static const struct text bad[] = {
        {"", 0}, {"\x00", 1}, {"\xff\x80\x15\x00", 4},         /* nothing, unknown classes */
        {"\x3f\x00", 2}, {"\xc1\x80\x00", 3}, {"\xc1\x80\x02", 3}, /* cut, no pair, no end */
        {"\xc1\x80\x01\x02\x00", 5}, {"\xc1\x80\x05\x00", 4},      /* a leading zero digit */
        {"\xc1\x80\x15\x01\x00", 5},                              /* a pair of zeros at the end */
        {"\xc1\x80\x65\x00", 4}, {"\x3f\x80\x9a\xff", 4},           /* pairs above 99 */
        {"\xc1\x80\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x15\x00", 23}}; /* 40 digits */
    struct decimal d;
    size_t used;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(decimal_key_parse(bad[i], &d, &used), ERR_CORRUPT);
    assert_int_equal(decimal_key_parse(TEXT("\xc1\x80\x64\x00"), &d, &used), 0);
    assert_int_equal(d.digit[0] * 10 + d.digit[1], 99);
    assert_int_equal(used, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),         cmocka_unit_test(test_text_refused),       cmocka_unit_test(test_range_ends),
        cmocka_unit_test(test_integers),     cmocka_unit_test(test_doubles),            cmocka_unit_test(test_random_round_trips),
        cmocka_unit_test(test_random_sums),  cmocka_unit_test(test_sum_in_place),       cmocka_unit_test(test_random_order),
        cmocka_unit_test(test_key_refused),  cmocka_unit_test(test_plain_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
