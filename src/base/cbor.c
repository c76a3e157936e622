/*
 * CBOR to the JSON tree and back. A tree of its own for CBOR would have meant a second set of accessors under every operation, for one wire; the
 * few things that JSON cannot say (bytes, times) are said by base64 text and numbers, as the JSON protocol of the same service does.
 *
 * Reading is one recursive walk. Every length is compared with the bytes that are left before anything is allocated for it, so a head that claims
 * 2^60 elements costs nothing; each node stands for at least one byte of input, and the arena's limit bounds the rest.
 * A chain of tags counts as depth, since it is the other way to nest.
 */
#include "base/cbor.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"
#include "base/json_lex.h" /* JSON_NUMBER_MAX */

enum major { MAJOR_UNSIGNED, MAJOR_NEGATIVE, MAJOR_BYTES, MAJOR_TEXT, MAJOR_ARRAY, MAJOR_MAP, MAJOR_TAG, MAJOR_OTHER };
enum { TAG_DATE_TEXT, TAG_EPOCH, TAG_BIGNUM, TAG_NEGATIVE_BIGNUM, TAG_DECIMAL };
enum { INFO_HALF = 25, INFO_SINGLE = 26, INFO_DOUBLE = 27, INFO_INDEFINITE = 31 };
enum { SIMPLE_FALSE = 20, SIMPLE_TRUE, SIMPLE_NULL, SIMPLE_UNDEFINED };
#define CBOR_BREAK 0xff
#define BIGNUM_BYTES_MAX 212 /* 2^1696 has 511 digits: with a sign JSON_NUMBER_MAX */

struct reader {
    struct arena *arena;
    const unsigned char *at, *end;
    const char *why; /* of a refusal, when the code does not say it */
};

struct head {
    enum major major;
    unsigned info;
    uint64_t value; /* the argument; 0 when indefinite */
};

static int read_value(struct reader *r, int depth, struct json *node);

static int refuse(struct reader *r, int code, const char *why)
{
    r->why = why;
    return code;
}

/* ---- heads ---- */

static int read_argument(struct reader *r, struct head *head)
{
    if (head->info < 24) {
        head->value = head->info;
        return 0;
    }
    if (head->info > INFO_DOUBLE)
        return refuse(r, ERR_SYNTAX, "a reserved length is used");
    size_t size = (size_t)1 << (head->info - 24);
    if ((size_t)(r->end - r->at) < size)
        return ERR_TRUNCATED;
    head->value = 0;
    for (size_t i = 0; i < size; i++)
        head->value = head->value << 8 | *r->at++;
    return 0;
}

static int read_head(struct reader *r, struct head *head)
{
    if (r->at == r->end)
        return ERR_TRUNCATED;
    unsigned char first = *r->at++;
    *head = (struct head){.major = first >> 5, .info = first & 31};
    if (head->info != INFO_INDEFINITE)
        return read_argument(r, head);
    if (first == CBOR_BREAK)
        return refuse(r, ERR_SYNTAX, "a break stands where none may");
    if (head->major < MAJOR_BYTES || head->major == MAJOR_TAG)
        return refuse(r, ERR_SYNTAX, "an indefinite length stands where none may");
    return 0;
}

static bool at_break(const struct reader *r)
{
    return r->at < r->end && *r->at == CBOR_BREAK;
}

/* ---- numbers ---- */

static int set_number(struct reader *r, struct json *node, const char *digits, size_t len)
{
    if (len > JSON_NUMBER_MAX)
        return refuse(r, ERR_TOO_LARGE, "a number is too long");
    struct text copy = arena_copy(r->arena, text_make(digits, len));
    if (!copy.data)
        return ERR_MEMORY;
    node->type = JSON_NUMBER;
    node->text = node->raw = copy;
    return 0;
}

static int set_integer(struct reader *r, struct json *node, uint64_t value, bool negative)
{
    char digits[32];
    int len;
    if (!negative)
        len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    else if (value == UINT64_MAX) /* -1 - value needs a 65th bit */
        len = snprintf(digits, sizeof(digits), "-18446744073709551616");
    else
        len = snprintf(digits, sizeof(digits), "-%llu", (unsigned long long)value + 1);
    return set_number(r, node, digits, (size_t)len);
}

/* Up to three decimals, which most numbers and all times of AWS's have: what %.15g would write, without its long arithmetic. 0: it has more. */
static size_t plain_digits(double value, char *out)
{
    double magnitude = fabs(value);
    if (!(magnitude >= 0.001 && magnitude < 1e12))
        return 0;
    uint64_t thousandths = (uint64_t)(magnitude * 1000 + 0.5);
    if ((double)thousandths / 1000 != magnitude) /* both are exact, so this is the number that the digits stand for */
        return 0;
    char *at = out;
    *at = '-';
    at = text_put_u64(at + (value < 0), thousandths / 1000);
    unsigned rest = (unsigned)(thousandths % 1000);
    if (rest)
        *at++ = '.';
    for (unsigned unit = 100; rest; unit /= 10) {
        *at++ = (char)('0' + rest / unit);
        rest %= unit;
    }
    return (size_t)(at - out);
}

/* Up to 15 digits always read back, with trailing zeros cut by %g; subnormal numbers hold fewer. */
static int set_double(struct reader *r, struct json *node, double value)
{
    char digits[40];
    int len = 0;
    if (!isfinite(value))
        return refuse(r, ERR_TYPE, "a number is not finite");
    size_t plain = plain_digits(value, digits);
    if (plain)
        return set_number(r, node, digits, plain);
    for (int precision = fabs(value) < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
        len = snprintf(digits, sizeof(digits), "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    return set_number(r, node, digits, (size_t)len);
}

/* RFC 8949 appendix D. */
static double half_to_double(uint64_t half)
{
    int exponent = half >> 10 & 31, mantissa = half & 1023;
    double value;
    if (exponent == 0)
        value = ldexp(mantissa, -24);
    else if (exponent != 31)
        value = ldexp(mantissa + 1024, exponent - 25);
    else
        value = mantissa == 0 ? INFINITY : NAN;
    return half & 0x8000 ? -value : value;
}

static double single_to_double(uint64_t bits)
{
    uint32_t word = (uint32_t)bits;
    float value;
    memcpy(&value, &word, sizeof(value));
    return value;
}

static double bits_to_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* The big-endian number divided by ten in place; the remainder. */
static unsigned divide_by_ten(unsigned char *bytes, size_t len)
{
    unsigned rest = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned step = rest << 8 | bytes[i];
        bytes[i] = (unsigned char)(step / 10);
        rest = step % 10;
    }
    return rest;
}

/* -1 - n is the number whose magnitude is n + 1. The byte in front takes the carry. */
static void add_one(unsigned char *bytes, size_t len)
{
    while (len-- > 0 && ++bytes[len] == 0)
        ;
}

static int set_bignum(struct reader *r, struct json *node, struct text bytes, bool negative)
{
    unsigned char number[BIGNUM_BYTES_MAX + 1] = {0};
    char digits[JSON_NUMBER_MAX + 8];
    size_t at = sizeof(digits), first = 0;
    while (bytes.len != 0 && bytes.data[0] == 0)
        bytes = text_make(bytes.data + 1, bytes.len - 1);
    if (bytes.len > BIGNUM_BYTES_MAX)
        return refuse(r, ERR_TOO_LARGE, "a bignum is too long");
    if (bytes.len != 0)
        memcpy(number + sizeof(number) - bytes.len, bytes.data, bytes.len);
    if (negative)
        add_one(number, sizeof(number));
    do {
        digits[--at] = (char)('0' + divide_by_ten(number + first, sizeof(number) - first));
        while (first < sizeof(number) && number[first] == 0)
            first++;
    } while (first < sizeof(number));
    if (negative)
        digits[--at] = '-';
    return set_number(r, node, digits + at, sizeof(digits) - at);
}

static bool is_whole(const struct json *number)
{
    for (size_t i = 0; i < number->text.len; i++)
        if (number->text.data[i] == '.' || (number->text.data[i] | 0x20) == 'e')
            return false;
    return number->type == JSON_NUMBER;
}

static int set_decimal(struct reader *r, struct json *node)
{
    char digits[2 * JSON_NUMBER_MAX + 8];
    const struct json *exponent = node->first, *mantissa = exponent ? exponent->next : NULL;
    if (node->type != JSON_ARRAY || node->count != 2 || !is_whole(exponent) || !is_whole(mantissa))
        return refuse(r, ERR_TYPE, "a decimal fraction is not a pair of integers");
    int len = snprintf(digits, sizeof(digits), "%.*se%.*s", TEXT_FMT(mantissa->text), TEXT_FMT(exponent->text));
    node->first = NULL;
    node->count = 0;
    return set_number(r, node, digits, (size_t)len);
}

/* ---- strings ---- */

/* One definite string's bytes, where they stand. */
static int take_bytes(struct reader *r, uint64_t len, bool text, struct text *out)
{
    if (len > (uint64_t)(r->end - r->at))
        return ERR_TRUNCATED;
    *out = text_make(r->at, (size_t)len);
    if (text && !utf8_valid(*out))
        return refuse(r, ERR_SYNTAX, "a text is not UTF-8");
    r->at += len;
    return 0;
}

static int take_chunk(struct reader *r, enum major major, struct text *out)
{
    struct head head;
    int code = read_head(r, &head);
    if (code)
        return code;
    if (head.major != major || head.info == INFO_INDEFINITE)
        return refuse(r, ERR_SYNTAX, "a chunk of a string is not a definite string of its kind");
    return take_bytes(r, head.value, major == MAJOR_TEXT, out);
}

/* The chunks up to the break; twice over the same bytes, so that the whole is allocated once and at its true size. */
static int walk_chunks(struct reader *r, enum major major, char *into, size_t *total)
{
    *total = 0;
    while (!at_break(r)) {
        struct text chunk;
        int code = take_chunk(r, major, &chunk);
        if (code)
            return code;
        if (into && chunk.len)
            memcpy(into + *total, chunk.data, chunk.len);
        *total += chunk.len;
    }
    r->at++;
    return 0;
}

static int read_string(struct reader *r, const struct head *head, struct text *out)
{
    const unsigned char *start = r->at;
    size_t total;
    if (head->info != INFO_INDEFINITE)
        return take_bytes(r, head->value, head->major == MAJOR_TEXT, out);
    int code = walk_chunks(r, head->major, NULL, &total);
    if (code)
        return code;
    char *joined = arena_alloc(r->arena, total);
    if (!joined)
        return ERR_MEMORY;
    r->at = start;
    *out = text_make(joined, total);
    return walk_chunks(r, head->major, joined, &total);
}

static int set_base64(struct reader *r, struct json *node, struct text bytes)
{
    struct buf encoded;
    size_t size = (bytes.len + 2) / 3 * 4;
    char *room = arena_alloc(r->arena, size);
    if (!room)
        return ERR_MEMORY;
    buf_init(&encoded, size);
    int code = size ? base64_encode(&encoded, bytes) : 0;
    if (code == 0 && size)
        memcpy(room, encoded.data, size);
    buf_fini(&encoded);
    node->type = JSON_STRING;
    node->text = text_make(room, size);
    return code;
}

/* ---- containers ---- */

/* Is there another element? `left` counts down those of a definite length. */
static bool more_elements(struct reader *r, const struct head *head, uint64_t *left)
{
    if (head->info != INFO_INDEFINITE)
        return (*left)-- != 0;
    if (!at_break(r))
        return true;
    r->at++;
    return false;
}

static int read_key(struct reader *r, struct text *name)
{
    struct head head;
    int code = read_head(r, &head);
    if (code)
        return code;
    if (head.major != MAJOR_TEXT)
        return refuse(r, ERR_TYPE, "a key of a map is not text");
    return read_string(r, &head, name);
}

static int read_container(struct reader *r, const struct head *head, int depth, struct json *node)
{
    struct json **link = &node->first;
    uint64_t left = head->value;
    bool map = head->major == MAJOR_MAP;
    node->type = map ? JSON_OBJECT : JSON_ARRAY;
    if (left > (uint64_t)(r->end - r->at) / (map ? 2 : 1))
        return ERR_TRUNCATED;
    while (more_elements(r, head, &left)) {
        struct json *child = arena_zalloc(r->arena, sizeof(*child));
        if (!child)
            return ERR_MEMORY;
        int code = map ? read_key(r, &child->name) : 0;
        if (code == 0)
            code = read_value(r, depth, child);
        if (code)
            return code;
        *link = child;
        link = &child->next;
        node->count++;
    }
    return 0;
}

/* ---- tags ---- */

static int read_bignum(struct reader *r, bool negative, struct json *node)
{
    struct head head;
    struct text bytes;
    int code = read_head(r, &head);
    if (code == 0 && head.major != MAJOR_BYTES)
        code = refuse(r, ERR_TYPE, "a bignum is not a byte string");
    if (code == 0)
        code = read_string(r, &head, &bytes);
    return code ? code : set_bignum(r, node, bytes, negative);
}

static int read_tagged(struct reader *r, uint64_t tag, int depth, struct json *node)
{
    if (tag == TAG_BIGNUM || tag == TAG_NEGATIVE_BIGNUM)
        return read_bignum(r, tag == TAG_NEGATIVE_BIGNUM, node);
    int code = read_value(r, depth, node);
    if (code)
        return code;
    if (tag == TAG_DATE_TEXT && node->type != JSON_STRING)
        return refuse(r, ERR_TYPE, "a date (tag 0) is not text");
    if (tag == TAG_EPOCH && node->type != JSON_NUMBER)
        return refuse(r, ERR_TYPE, "a time (tag 1) is not a number");
    return tag == TAG_DECIMAL ? set_decimal(r, node) : 0;
}

/* ---- values ---- */

static int set_literal(struct json *node, enum json_type type, const char *raw)
{
    node->type = type;
    node->raw = text_of(raw);
    return 0;
}

static int set_simple(struct reader *r, const struct head *head, struct json *node)
{
    if (head->info == 24 && head->value < 32)
        return refuse(r, ERR_SYNTAX, "a simple value is written in two ways");
    switch (head->value) {
    case SIMPLE_FALSE:
        return set_literal(node, JSON_FALSE, "false");
    case SIMPLE_TRUE:
        return set_literal(node, JSON_TRUE, "true");
    case SIMPLE_NULL:
    case SIMPLE_UNDEFINED:
        return set_literal(node, JSON_NULL, "null");
    default:
        return refuse(r, ERR_TYPE, "a simple value has no meaning here");
    }
}

static int read_other(struct reader *r, const struct head *head, struct json *node)
{
    switch (head->info) {
    case INFO_HALF:
        return set_double(r, node, half_to_double(head->value));
    case INFO_SINGLE:
        return set_double(r, node, single_to_double(head->value));
    case INFO_DOUBLE:
        return set_double(r, node, bits_to_double(head->value));
    default:
        return set_simple(r, head, node);
    }
}

/* `depth` is the number of containers and tags around the value. */
static int read_value(struct reader *r, int depth, struct json *node)
{
    struct head head;
    struct text bytes;
    int code = read_head(r, &head);
    if (code)
        return code;
    switch (head.major) {
    case MAJOR_UNSIGNED:
    case MAJOR_NEGATIVE:
        return set_integer(r, node, head.value, head.major == MAJOR_NEGATIVE);
    case MAJOR_BYTES:
        code = read_string(r, &head, &bytes);
        return code ? code : set_base64(r, node, bytes);
    case MAJOR_TEXT:
        node->type = JSON_STRING;
        return read_string(r, &head, &node->text);
    case MAJOR_OTHER:
        return read_other(r, &head, node);
    default:
        break;
    }
    if (depth >= JSON_DEPTH_MAX)
        return ERR_TOO_DEEP;
    return head.major == MAJOR_TAG ? read_tagged(r, head.value, depth + 1, node) : read_container(r, &head, depth + 1, node);
}

int cbor_parse(struct arena *arena, struct text bytes, const struct json **out, struct err *err)
{
    const unsigned char *start = (const unsigned char *)bytes.data;
    struct reader r = {.arena = arena, .at = start, .end = start + bytes.len};
    struct json *root = arena_zalloc(arena, sizeof(*root));
    int code = root ? read_value(&r, 0, root) : ERR_MEMORY;
    if (code == 0 && r.at != r.end)
        code = refuse(&r, ERR_SYNTAX, "bytes follow the value");
    if (code)
        return err_set(err, code, "the body is not valid CBOR near byte %zu: %s", (size_t)(r.at - start), r.why ? r.why : err_text(code));
    *out = root;
    return 0;
}
