/*
 * DynamoDB numbers: up to 38 significant digits, 1E-130 .. 9.99..E125 in magnitude, exact. Text form is
 * normalised ("1.50" -> "1.5", "1E2" -> "100", "-0" -> "0"). The key form is 1 to 22 bytes whose memcmp order is the numeric
 * order and in which no encoding is a prefix of another one.
 */
#ifndef WEIR_BASE_DECIMAL_H
#define WEIR_BASE_DECIMAL_H

#include "base/buf.h"
#include "base/err.h"

#define DECIMAL_DIGITS 38
#define DECIMAL_TEXT_MAX 180 /* bytes of the longest normalised text */
#define DECIMAL_KEY_MAX 24   /* bytes of the longest key form */

struct decimal {
    bool negative;
    uint8_t count;                   /* significant digits, 0 for zero; no leading or trailing zero digit */
    int16_t exponent;                /* value = 0.d1d2d3... * 10^exponent */
    uint8_t digit[DECIMAL_DIGITS];   /* 0..9 */
};

/* Grammar: [+-] digits [. digits] [eE [+-] digits]; no spaces. ERR_SYNTAX, ERR_TOO_LARGE (digits or magnitude). */
int decimal_parse(struct text text, struct decimal *out);
void decimal_from_i64(int64_t value, struct decimal *out);
/* ERR_TOO_LARGE when it is no integer in range. */
int decimal_to_i64(const struct decimal *d, int64_t *out);
double decimal_to_double(const struct decimal *d);
/* Normalised text, plain notation as DynamoDB answers it; `out` has DECIMAL_TEXT_MAX bytes; returns its length. */
size_t decimal_format(const struct decimal *d, char *out);
int decimal_compare(const struct decimal *a, const struct decimal *b);
/* Exact sum or difference; ERR_TOO_LARGE when it needs more than 38 digits or leaves the range. */
int decimal_add(const struct decimal *a, const struct decimal *b, struct decimal *out);
int decimal_subtract(const struct decimal *a, const struct decimal *b, struct decimal *out);
/* Sortable bytes appended to out / read back (ERR_CORRUPT). `used` tells the bytes consumed. */
int decimal_key_add(struct buf *out, const struct decimal *d);
int decimal_key_parse(struct text bytes, struct decimal *out, size_t *used);

#endif
