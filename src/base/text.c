/*
 * Borrowed runs of bytes instead of C strings: what comes from a socket is not terminated, may hold NUL, and is
 * sliced many times before it is copied once. Numbers are read strictly, without strtol's spaces, signs and locale.
 */
#include "base/text.h"

#include "base/err.h"

static inline unsigned char ascii_lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

bool text_equal_nocase(struct text a, struct text b)
{
    if (a.len != b.len)
        return false;
    size_t same = 0; /* mostly both are written alike */
    while (a.len - same >= 8 && memcmp(a.data + same, b.data + same, 8) == 0)
        same += 8;
    for (size_t i = same; i < a.len; i++)
        if (a.data[i] != b.data[i] && ascii_lower((unsigned char)a.data[i]) != ascii_lower((unsigned char)b.data[i]))
            return false;
    return true;
}

int text_compare(struct text a, struct text b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    if (order)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

ptrdiff_t text_find(struct text a, char c, size_t from)
{
    if (from >= a.len)
        return -1;
    const char *hit = memchr(a.data + from, c, a.len - from);
    return hit ? hit - a.data : -1;
}

struct text text_trim(struct text a)
{
    while (a.len && (a.data[0] == ' ' || a.data[0] == '\t')) {
        a.data++;
        a.len--;
    }
    while (a.len && (a.data[a.len - 1] == ' ' || a.data[a.len - 1] == '\t'))
        a.len--;
    return a;
}

int text_to_u64(struct text a, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    bool overflow = false;
    if (a.len == 0)
        return ERR_SYNTAX;
    for (size_t i = 0; i < a.len; i++) {
        unsigned digit = (unsigned char)a.data[i] - '0';
        if (digit > 9)
            return ERR_SYNTAX;
        overflow |= __builtin_mul_overflow(value, 10, &value);
        overflow |= __builtin_add_overflow(value, digit, &value);
    }
    if (overflow || value > max)
        return ERR_TOO_LARGE;
    *out = value;
    return 0;
}

int text_to_i64(struct text a, int64_t *out)
{
    bool negative = a.len && a.data[0] == '-';
    uint64_t value;
    if (negative) {
        a.data++;
        a.len--;
    }
    int code = text_to_u64(a, (uint64_t)INT64_MAX + negative, &value);
    if (code == 0)
        *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return code;
}

bool text_equal_secret(struct text a, struct text b)
{
    if (a.len != b.len)
        return false;
    uint64_t difference = 0, x, y;
    size_t at = 0;
    for (; a.len - at >= sizeof(x); at += sizeof(x)) {
        memcpy(&x, a.data + at, sizeof(x));
        memcpy(&y, b.data + at, sizeof(y));
        difference |= x ^ y;
        __asm__("" : "+r"(difference)); /* the compiler must not leave the loop early */
    }
    for (; at < a.len; at++) {
        difference |= (unsigned char)(a.data[at] ^ b.data[at]);
        __asm__("" : "+r"(difference));
    }
    return difference == 0;
}

char *text_put_u64(char *at, uint64_t value)
{
    char digits[TEXT_U64_MAX];
    char *first = digits + sizeof(digits);
    do {
        *--first = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return text_put(at, text_make(first, (size_t)(digits + sizeof(digits) - first)));
}
