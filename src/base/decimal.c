/*
 * Decimal digits, one per byte, because the numbers are written and read as decimal text far more often than they are
 * added, and because a double or a binary big integer would have to be converted back without losing the 38th digit.
 *
 * The key form: a class byte (negative, zero, positive), then for numbers other than zero the exponent in excess form, pairs of digits as
 * 1..100, and 0 as the end. A shorter number of the same front ends with 0, which is below every pair, so memcmp sees 1.2 < 1.23 and
 * no key begins another one. For negative numbers all bytes behind the class byte are complemented, which reverses the order.
 */
#include "base/decimal.h"

#include <stdlib.h>

#define EXPONENT_MIN (-129) /* 1E-130 = 0.1 * 10^-129 */
#define EXPONENT_MAX 126    /* 9.99E125 = 0.999 * 10^126 */
#define EXPONENT_TEXT_MAX 100000 /* where reading an exponent stops to count: out of range for sure */

#define KEY_NEGATIVE 0x3f
#define KEY_ZERO 0x80
#define KEY_POSITIVE 0xc1

/*
 * From `n` digits, the first of which stands just behind the point of 0.ddd * 10^exponent. Leading and trailing zeros are
 * taken off. ERR_TOO_LARGE when too many digits are left or the magnitude is out of range.
 */
static int decimal_normalise(bool negative, const uint8_t *digit, size_t n, int64_t exponent, struct decimal *out)
{
    while (n && digit[0] == 0) {
        digit++;
        n--;
        exponent--;
    }
    while (n && digit[n - 1] == 0)
        n--;
    if (n == 0) {
        *out = (struct decimal){0};
        return 0;
    }
    if (n > DECIMAL_DIGITS || exponent < EXPONENT_MIN || exponent > EXPONENT_MAX)
        return ERR_TOO_LARGE;
    *out = (struct decimal){.negative = negative, .count = (uint8_t)n, .exponent = (int16_t)exponent};
    memcpy(out->digit, digit, n);
    return 0;
}

/* ---- text ---- */

struct reading {
    uint8_t digit[DECIMAL_DIGITS]; /* from the first digit that is not zero */
    size_t count, zeros;           /* digits kept; zeros seen behind them that count only if another digit follows */
    int64_t exponent;
    bool digits_seen, overflow;
};

static void reading_digit(struct reading *r, uint8_t d, bool behind_point)
{
    r->digits_seen = true;
    if (r->count == 0 && d == 0) {
        r->exponent -= behind_point;
        return;
    }
    r->exponent += !behind_point;
    if (d == 0) {
        r->zeros++;
        return;
    }
    if (r->zeros >= DECIMAL_DIGITS - r->count) {
        r->overflow = true;
        return;
    }
    memset(r->digit + r->count, 0, r->zeros);
    r->count += r->zeros;
    r->zeros = 0;
    r->digit[r->count++] = d;
}

static const char *read_digits(struct reading *r, const char *at, const char *end, bool behind_point)
{
    r->digits_seen = false;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        reading_digit(r, (uint8_t)(*at - '0'), behind_point);
    return at;
}

/* Behind the 'e'. NULL for a syntax error. */
static const char *read_exponent(struct reading *r, const char *at, const char *end)
{
    bool negative = at < end && *at == '-';
    int64_t exponent = 0;
    if (at < end && (*at == '+' || *at == '-'))
        at++;
    if (at == end)
        return NULL;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return NULL;
        if (exponent < EXPONENT_TEXT_MAX)
            exponent = exponent * 10 + (*at - '0');
        else
            r->overflow = r->count > 0;
    }
    r->exponent += negative ? -exponent : exponent;
    return at;
}

/* [-] digits [. digits], at most 38 of them: what nearly every number looks like, in one short loop. False: it takes the long way. */
static bool read_plain(struct text text, bool *negative, uint8_t digit[DECIMAL_DIGITS], size_t *count, size_t *before_point)
{
    const char *at = text.data, *end = at + text.len;
    size_t n = 0, point = SIZE_MAX;
    *negative = at < end && *at == '-';
    for (at += *negative; at < end; at++) {
        unsigned d = (unsigned)(unsigned char)*at - '0';
        if (d < 10 && n < DECIMAL_DIGITS)
            digit[n++] = (uint8_t)d;
        else if (*at == '.' && point == SIZE_MAX)
            point = n;
        else
            return false;
    }
    *count = n;
    *before_point = point == SIZE_MAX ? n : point;
    return *before_point > 0 && point != n; /* a digit in front, and one behind the point */
}

int decimal_parse(struct text text, struct decimal *out)
{
    uint8_t digit[DECIMAL_DIGITS];
    size_t count, before_point;
    bool plain_negative;
    if (read_plain(text, &plain_negative, digit, &count, &before_point))
        return decimal_normalise(plain_negative, digit, count, (int64_t)before_point, out);
    struct reading r = {.count = 0};
    const char *at = text.data, *end = at + text.len;
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '+' || *at == '-'))
        at++;
    at = read_digits(&r, at, end, false);
    if (!r.digits_seen)
        return ERR_SYNTAX;
    if (at < end && *at == '.') {
        at = read_digits(&r, at + 1, end, true);
        if (!r.digits_seen)
            return ERR_SYNTAX;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at = read_exponent(&r, at + 1, end);
        if (!at)
            return ERR_SYNTAX;
    }
    if (at != end)
        return ERR_SYNTAX;
    if (r.overflow)
        return ERR_TOO_LARGE;
    return decimal_normalise(negative, r.digit, r.count, r.exponent, out);
}

static char *put_digits(char *to, const struct decimal *d, int from, int until)
{
    for (int i = from; i < until; i++)
        *to++ = i >= 0 && i < d->count ? (char)('0' + d->digit[i]) : '0';
    return to;
}

size_t decimal_format(const struct decimal *d, char *out)
{
    char *to = out;
    if (d->count == 0) {
        *to = '0';
        return 1;
    }
    if (d->negative)
        *to++ = '-';
    if (d->exponent > 0)
        to = put_digits(to, d, 0, d->exponent);
    else
        *to++ = '0';
    if (d->count > d->exponent) {
        *to++ = '.';
        to = put_digits(to, d, d->exponent, d->count); /* negative indices are the zeros behind the point */
    }
    return (size_t)(to - out);
}

/* ---- conversions ---- */

void decimal_from_i64(int64_t value, struct decimal *out)
{
    uint8_t digit[20];
    size_t at = sizeof(digit);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    for (; rest; rest /= 10)
        digit[--at] = (uint8_t)(rest % 10);
    size_t n = sizeof(digit) - at;
    decimal_normalise(value < 0, digit + at, n, (int64_t)n, out);
}

int decimal_to_i64(const struct decimal *d, int64_t *out)
{
    uint64_t value = 0;
    if (d->count > d->exponent && d->count > 0)
        return ERR_TOO_LARGE; /* digits behind the point */
    for (int i = 0; i < (d->count ? d->exponent : 0); i++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, i < d->count ? d->digit[i] : 0, &value))
            return ERR_TOO_LARGE;
    if (value > (uint64_t)INT64_MAX + d->negative)
        return ERR_TOO_LARGE;
    *out = d->negative ? (int64_t)(0 - value) : (int64_t)value;
    return 0;
}

/* Up to 15 digits and 22 places either way: both factors are exact doubles, so one rounding gives the nearest one (Clinger 1990). */
#define EXACT_DIGITS 15
#define EXACT_PLACES 22

static double exact_double(const struct decimal *d, int places)
{
    static const double power[EXACT_PLACES + 1] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
        1e19, 1e20, 1e21, 1e22};
    uint64_t integer = 0;
    for (int i = 0; i < d->count; i++)
        integer = integer * 10 + d->digit[i];
    double value = places < 0 ? (double)integer / power[-places] : (double)integer * power[places];
    return d->negative ? -value : value;
}

double decimal_to_double(const struct decimal *d)
{
    char text[DECIMAL_DIGITS + 16];
    char *to = text;
    if (d->count == 0)
        return 0;
    if (d->count <= EXACT_DIGITS && abs(d->exponent - d->count) <= EXACT_PLACES)
        return exact_double(d, d->exponent - d->count);
    if (d->negative)
        *to++ = '-';
    to = put_digits(to, d, 0, d->count);
    /* An integer and an exponent: no decimal point, which would depend on the locale. */
    int exponent = d->exponent - d->count;
    *to++ = 'e';
    *to++ = exponent < 0 ? '-' : '+';
    exponent = abs(exponent);
    for (int unit = 100; unit; unit /= 10)
        *to++ = (char)('0' + exponent / unit % 10);
    *to = 0;
    return strtod(text, NULL);
}

/* ---- order and sums ---- */

static int compare_magnitude(const struct decimal *a, const struct decimal *b)
{
    if (a->count == 0 || b->count == 0)
        return (a->count > 0) - (b->count > 0);
    if (a->exponent != b->exponent)
        return a->exponent < b->exponent ? -1 : 1;
    int order = memcmp(a->digit, b->digit, a->count < b->count ? a->count : b->count);
    if (order)
        return order < 0 ? -1 : 1;
    return (a->count > b->count) - (a->count < b->count);
}

int decimal_compare(const struct decimal *a, const struct decimal *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    return a->negative ? -compare_magnitude(a, b) : compare_magnitude(a, b);
}

/* All places that any number of the range can have, and one for the carry. */
#define PLACES (1 + (EXPONENT_MAX - EXPONENT_MIN) + DECIMAL_DIGITS)

/* big + sign * small by magnitude, big >= small, both not zero. */
static int add_magnitudes(bool negative, const struct decimal *big, const struct decimal *small, int sign, struct decimal *out)
{
    int8_t sum[PLACES + 1];
    uint8_t digit[PLACES + 1];
    int top = big->exponent + 1; /* sum[0] takes the carry, sum[i] has the weight 10^(top - 1 - i) */
    int lowest = big->exponent - big->count < small->exponent - small->count ? big->exponent - big->count
                                                                              : small->exponent - small->count;
    int n = top - lowest;
    memset(sum, 0, (size_t)n);
    for (int i = 0; i < big->count; i++)
        sum[1 + i] = (int8_t)big->digit[i];
    for (int i = 0; i < small->count; i++)
        sum[top - small->exponent + i] = (int8_t)(sum[top - small->exponent + i] + sign * small->digit[i]);
    int carry = 0;
    for (int i = n - 1; i >= 0; i--) {
        int place = sum[i] + carry;
        carry = place < 0 ? -1 : place > 9 ? 1 : 0;
        digit[i] = (uint8_t)(place - 10 * carry);
    }
    return decimal_normalise(negative, digit, (size_t)n, top, out);
}

int decimal_add(const struct decimal *a, const struct decimal *b, struct decimal *out)
{
    if (a->count == 0 || b->count == 0) {
        *out = a->count ? *a : *b;
        return 0;
    }
    bool a_is_big = compare_magnitude(a, b) >= 0;
    const struct decimal *big = a_is_big ? a : b, *small = a_is_big ? b : a;
    return add_magnitudes(big->negative, big, small, a->negative == b->negative ? 1 : -1, out);
}

int decimal_subtract(const struct decimal *a, const struct decimal *b, struct decimal *out)
{
    struct decimal minus = *b;
    minus.negative = b->count && !b->negative;
    return decimal_add(a, &minus, out);
}

/* ---- keys ---- */

int decimal_key_add(struct buf *out, const struct decimal *d)
{
    uint8_t key[DECIMAL_KEY_MAX];
    size_t n = 0;
    if (d->count == 0)
        return buf_add_u8(out, KEY_ZERO);
    uint8_t flip = d->negative ? 0xff : 0;
    key[n++] = d->negative ? KEY_NEGATIVE : KEY_POSITIVE;
    key[n++] = (uint8_t)(d->exponent - EXPONENT_MIN) ^ flip;
    for (int i = 0; i < d->count; i += 2) {
        int pair = d->digit[i] * 10 + (i + 1 < d->count ? d->digit[i + 1] : 0);
        key[n++] = (uint8_t)(pair + 1) ^ flip;
    }
    key[n++] = flip;
    return buf_add(out, key, n);
}

/* Only what decimal_key_add writes is accepted: one number, one key. */
int decimal_key_parse(struct text bytes, struct decimal *out, size_t *used)
{
    const uint8_t *key = (const uint8_t *)bytes.data;
    struct decimal d = {0};
    size_t at = 2;
    if (bytes.len >= 1 && key[0] == KEY_ZERO) {
        *out = d;
        *used = 1;
        return 0;
    }
    if (bytes.len < 4 || (key[0] != KEY_NEGATIVE && key[0] != KEY_POSITIVE))
        return ERR_CORRUPT;
    d.negative = key[0] == KEY_NEGATIVE;
    uint8_t flip = d.negative ? 0xff : 0;
    d.exponent = (int16_t)((key[1] ^ flip) + EXPONENT_MIN);
    for (; at < bytes.len && (key[at] ^ flip) != 0; at++) {
        int pair = (key[at] ^ flip) - 1;
        if (pair > 99 || d.count + 2 > DECIMAL_DIGITS)
            return ERR_CORRUPT;
        d.digit[d.count++] = (uint8_t)(pair / 10);
        d.digit[d.count++] = (uint8_t)(pair % 10);
    }
    if (at == bytes.len || d.count == 0 || d.digit[0] == 0)
        return ERR_CORRUPT;
    if (d.digit[d.count - 1] == 0)
        d.count--;
    if (d.digit[d.count - 1] == 0)
        return ERR_CORRUPT; /* a pair of zeros at the end */
    *out = d;
    *used = at + 1;
    return 0;
}
