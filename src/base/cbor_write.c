/*
 * A finished JSON answer as CBOR. The answer is built as JSON first, whichever wire asked, so that an operation has one way to answer; only
 * here it matters that a member was bytes or a time, and the caller's hints say by name which ones are.
 */
#include "base/cbor.h"

#include <math.h>
#include <stdlib.h>

#include "base/codec.h"
#include "base/json_lex.h" /* JSON_NUMBER_MAX */

enum major { MAJOR_UNSIGNED, MAJOR_NEGATIVE, MAJOR_BYTES, MAJOR_TEXT, MAJOR_ARRAY, MAJOR_MAP, MAJOR_TAG };
enum { TAG_EPOCH = 1, TAG_BIGNUM = 2, TAG_NEGATIVE_BIGNUM = 3 };
enum { CBOR_FALSE = 0xf4, CBOR_TRUE = 0xf5, CBOR_NULL = 0xf6, CBOR_DOUBLE = 0xfb };
#define BIGNUM_BYTES_MAX 216 /* 512 digits need 213 */
#define TWO_63 9223372036854775808.0

enum dress { DRESS_NONE, DRESS_BLOB, DRESS_TIME };

static int write_value(struct buf *out, const struct json *value, enum dress dress, const struct cbor_hints *hints);

/* ---- heads ---- */

static void add_head(struct buf *out, enum major major, uint64_t value)
{
    unsigned char first = (unsigned char)(major << 5);
    if (value < 24) {
        buf_add_u8(out, first | (unsigned char)value);
    } else if (value <= UINT8_MAX) {
        buf_add_u8(out, first | 24);
        buf_add_u8(out, (uint8_t)value);
    } else if (value <= UINT16_MAX) {
        buf_add_u8(out, first | 25);
        buf_add_be16(out, (uint16_t)value);
    } else if (value <= UINT32_MAX) {
        buf_add_u8(out, first | 26);
        buf_add_be32(out, (uint32_t)value);
    } else {
        buf_add_u8(out, first | 27);
        buf_add_be64(out, value);
    }
}

static void add_string(struct buf *out, enum major major, struct text bytes)
{
    add_head(out, major, bytes.len);
    buf_add_text(out, bytes);
}

/* ---- numbers ---- */

static void add_integer(struct buf *out, int64_t value)
{
    if (value < 0)
        add_head(out, MAJOR_NEGATIVE, (uint64_t)-(value + 1));
    else
        add_head(out, MAJOR_UNSIGNED, (uint64_t)value);
}

static void add_double(struct buf *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    buf_add_u8(out, CBOR_DOUBLE);
    buf_add_be64(out, bits);
}

/* number = number * 10 + digit, big-endian. */
static void push_digit(unsigned char *number, size_t len, unsigned digit)
{
    unsigned carry = digit;
    while (len-- > 0) {
        carry += number[len] * 10u;
        number[len] = (unsigned char)carry;
        carry >>= 8;
    }
}

static void subtract_one(unsigned char *number, size_t len)
{
    while (len-- > 0 && number[len]-- == 0)
        ;
}

/* Digits alone, perhaps with a sign; not zero. Shortest: a plain integer when 64 bits hold it, else a bignum. */
static void add_digits(struct buf *out, struct text digits)
{
    unsigned char number[BIGNUM_BYTES_MAX] = {0};
    bool negative = digits.data[0] == '-';
    size_t first = 0;
    for (size_t i = negative; i < digits.len; i++)
        push_digit(number, sizeof(number), (unsigned)(digits.data[i] - '0'));
    if (negative)
        subtract_one(number, sizeof(number));
    while (first < sizeof(number) && number[first] == 0)
        first++;
    if (sizeof(number) - first <= 8) {
        uint64_t value = 0;
        for (size_t i = first; i < sizeof(number); i++)
            value = value << 8 | number[i];
        add_head(out, negative ? MAJOR_NEGATIVE : MAJOR_UNSIGNED, value);
        return;
    }
    add_head(out, MAJOR_TAG, negative ? TAG_NEGATIVE_BIGNUM : TAG_BIGNUM);
    add_string(out, MAJOR_BYTES, text_make(number + first, sizeof(number) - first));
}

static bool is_digits(struct text text)
{
    size_t from = text.len != 0 && text.data[0] == '-';
    for (size_t i = from; i < text.len; i++)
        if ((unsigned char)(text.data[i] - '0') > 9)
            return false;
    return text.len > from && text.data[from] != '0'; /* zero has a short way of its own; "-0" is a double */
}

static int add_number(struct buf *out, const struct json *value)
{
    double number;
    int64_t integer;
    if (value->text.len <= 18 && text_to_i64(value->text, &integer) == 0 && (integer != 0 || value->text.data[0] != '-')) {
        add_integer(out, integer);
        return 0;
    }
    if (value->text.len <= JSON_NUMBER_MAX && is_digits(value->text)) {
        add_digits(out, value->text);
        return 0;
    }
    int code = json_to_double(value, &number);
    if (code)
        return code;
    if (number == floor(number) && fabs(number) < TWO_63 && !(number == 0 && signbit(number)))
        add_integer(out, (int64_t)number); /* "5.0", "1e3" */
    else
        add_double(out, number);
    return 0;
}

static int add_time(struct buf *out, const struct json *value, bool in_ms)
{
    double seconds;
    add_head(out, MAJOR_TAG, TAG_EPOCH);
    if (!in_ms)
        return add_number(out, value);
    int code = json_to_double(value, &seconds);
    if (code == 0 && fabs(seconds * 1000) >= TWO_63)
        code = ERR_INVALID;
    if (code == 0)
        add_integer(out, llround(seconds * 1000));
    return code;
}

/* ---- the rest ---- */

static int add_blob(struct buf *out, struct text encoded)
{
    struct buf bytes;
    buf_init(&bytes, encoded.len);
    int code = base64_decode(&bytes, encoded);
    if (code == 0)
        add_string(out, MAJOR_BYTES, buf_text(&bytes));
    buf_fini(&bytes);
    return code;
}

static bool listed(const char *const *names, struct text name)
{
    for (; names && *names; names++)
        if (text_is(name, *names))
            return true;
    return false;
}

static enum dress dress_of(const struct cbor_hints *hints, struct text name)
{
    if (!hints)
        return DRESS_NONE;
    return listed(hints->blobs, name) ? DRESS_BLOB : listed(hints->times, name) ? DRESS_TIME : DRESS_NONE;
}

/* As deep as the parsers allowed: JSON_DEPTH_MAX. */
static int write_container(struct buf *out, const struct json *value, enum dress dress, const struct cbor_hints *hints)
{
    bool map = value->type == JSON_OBJECT;
    add_head(out, map ? MAJOR_MAP : MAJOR_ARRAY, value->count);
    for (const struct json *child = value->first; child; child = child->next) {
        if (map)
            add_string(out, MAJOR_TEXT, child->name);
        int code = write_value(out, child, map ? dress_of(hints, child->name) : dress, hints);
        if (code)
            return code;
    }
    return 0;
}

static int write_value(struct buf *out, const struct json *value, enum dress dress, const struct cbor_hints *hints)
{
    switch (value ? value->type : JSON_NULL) {
    case JSON_NULL:
        buf_add_u8(out, CBOR_NULL);
        return 0;
    case JSON_FALSE:
        buf_add_u8(out, CBOR_FALSE);
        return 0;
    case JSON_TRUE:
        buf_add_u8(out, CBOR_TRUE);
        return 0;
    case JSON_NUMBER:
        return dress == DRESS_TIME ? add_time(out, value, hints->times_in_ms) : add_number(out, value);
    case JSON_STRING:
        if (dress == DRESS_BLOB)
            return add_blob(out, value->text);
        add_string(out, MAJOR_TEXT, value->text);
        return 0;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return write_container(out, value, dress, hints);
    }
    return ERR_INTERNAL;
}

int cbor_from_json(struct buf *out, const struct json *tree, const struct cbor_hints *hints)
{
    size_t before = out->len;
    bool failed_before = out->failed;
    out->failed = false;
    int code = write_value(out, tree, DRESS_NONE, hints);
    if (code == 0 && out->failed)
        code = ERR_TOO_LARGE;
    out->failed = failed_before;
    if (code)
        out->len = before;
    return code;
}
