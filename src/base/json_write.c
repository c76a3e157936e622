/*
 * Writing. No tree is built to be printed: a message is written straight into its output buffer. Strings are copied in runs between
 * the few bytes that need an escape; what is not UTF-8 (the gateway refuses it at the door, so it can only come from a native
 * handler's own bytes) becomes U+FFFD, so that no reader can choke on an answer of ours.
 */
#include "base/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/codec.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define COMMA_LEVELS 64 /* levels with a bit of their own in `comma` */

void json_writer_init(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){.out = out};
}

/* Below the 64 levels of the bit set the last byte tells: a value never ends with an opening bracket. */
static bool comma_due(const struct json_writer *w)
{
    if (w->depth == 0)
        return false;
    if (w->depth < COMMA_LEVELS)
        return w->comma >> w->depth & 1;
    char last = w->out->len ? w->out->data[w->out->len - 1] : '[';
    return last != '[' && last != '{';
}

/* Before each name, and each value that has no name. */
static void begin_item(struct json_writer *w)
{
    if (w->after_name) {
        w->after_name = false;
        return;
    }
    if (comma_due(w))
        buf_add_char(w->out, ',');
    else if (w->depth < COMMA_LEVELS)
        w->comma |= UINT64_C(1) << w->depth;
}

static void begin_container(struct json_writer *w, char open)
{
    begin_item(w);
    buf_add_char(w->out, open);
    w->depth++;
    if (w->depth < COMMA_LEVELS)
        w->comma &= ~(UINT64_C(1) << w->depth);
}

static void end_container(struct json_writer *w, char close)
{
    ASSERT(w->depth > 0 && !w->after_name);
    buf_add_char(w->out, close);
    w->depth--;
}

void json_begin_object(struct json_writer *w)
{
    begin_container(w, '{');
}

void json_end_object(struct json_writer *w)
{
    end_container(w, '}');
}

void json_begin_array(struct json_writer *w)
{
    begin_container(w, '[');
}

void json_end_array(struct json_writer *w)
{
    end_container(w, ']');
}

/* ---- strings ---- */

static inline bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

/* The first byte at or after `at` that needs an escape, or `end`. */
static const char *skip_plain(const char *at, const char *end)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
        special = _mm_or_si128(special, _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
        int hits = _mm_movemask_epi8(special);
        if (hits)
            return at + __builtin_ctz((unsigned)hits);
    }
#endif
    while (at < end && is_plain((unsigned char)*at))
        at++;
    return at;
}

static void add_escape(struct buf *out, unsigned char c)
{
    static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};
    static const char digits[] = "0123456789abcdef";
    char escape[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
    if (letters[c]) { /* c is a control character, a quote or a backslash: inside the table */
        escape[1] = letters[c];
        buf_add(out, escape, 2);
    } else {
        buf_add(out, escape, 6);
    }
}

static void add_escaped(struct buf *out, struct text value)
{
    const char *at = value.data, *end = at + value.len;
    while (at < end) {
        const char *stop = skip_plain(at, end);
        buf_add(out, at, (size_t)(stop - at));
        at = stop;
        if (at < end)
            add_escape(out, (unsigned char)*at++);
    }
}

/* Well-formed stretches as they are, one U+FFFD for each byte outside them. */
static void add_repaired(struct buf *out, struct text value)
{
    size_t from = 0;
    while (from < value.len) {
        uint32_t state = 0;
        size_t good = from; /* end of the last whole character */
        size_t at = from;
        while (at < value.len && utf8_feed(&state, value.data + at, 1)) {
            at++;
            if (state == 0)
                good = at;
        }
        add_escaped(out, text_make(value.data + from, good - from));
        if (good < value.len) {
            buf_add_text(out, TEXT("\xef\xbf\xbd"));
            good++;
        }
        from = good;
    }
}

#define SWAR(byte) (UINT64_C(0x0101010101010101) * (byte))

/* No byte of eight needs an escape or is not ASCII. A borrow may only make a plain byte look special when a special one stands below it. */
static inline bool word_is_plain(uint64_t w)
{
    uint64_t quote = w ^ SWAR('"'), backslash = w ^ SWAR('\\');
    uint64_t special = (w - SWAR(0x20)) | (quote - SWAR(1)) | (backslash - SWAR(1)) | w;
    return (special & SWAR(0x80)) == 0;
}

static inline bool copy_word(char *to, const char *from)
{
    uint64_t word;
    memcpy(&word, from, 8);
    memcpy(to, &word, 8);
    return word_is_plain(word);
}

/* Fewer than eight bytes, as most names have: a first and a last piece that may overlap. */
static inline bool copy_short(char *to, const char *from, size_t len)
{
    uint64_t word = SWAR(' ');
    if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, from, 4);
        memcpy(&last, from + len - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + len - 4, &last, 4);
        word = first | (uint64_t)last << 32;
    } else if (len >= 2) {
        uint16_t first, last;
        memcpy(&first, from, 2);
        memcpy(&last, from + len - 2, 2);
        memcpy(to, &first, 2);
        memcpy(to + len - 2, &last, 2);
        word = (word & UINT64_C(0xffffffff00000000)) | first | (uint32_t)last << 16;
    } else if (len) {
        to[0] = from[0];
        word = (word & ~UINT64_C(0xff)) | (unsigned char)from[0];
    }
    return word_is_plain(word);
}

/* Copies in one pass what is plain ASCII, which nearly every string is; false as soon as something is not (what was written then counts for nothing). The
   last piece overlaps the one before. */
static bool copy_plain(char *to, const char *from, size_t len)
{
    size_t at = 0;
    if (len < 8)
        return copy_short(to, from, len);
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(0x20);
    for (; len - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(from + at));
        _mm_storeu_si128((__m128i *)(to + at), bytes);
        __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
        special = _mm_or_si128(special, _mm_cmplt_epi8(bytes, space)); /* signed: bytes from 0x80 on are below it too */
        if (_mm_movemask_epi8(special))
            return false;
    }
#endif
    for (; len - at >= 8; at += 8)
        if (!copy_word(to + at, from + at))
            return false;
    return at == len || copy_word(to + len - 8, from + len - 8);
}

/* The general way: with escapes and repairs. */
static int escape_slowly(struct buf *out, struct text value)
{
    size_t before = out->len;
    bool failed_before = out->failed;
    out->failed = false;
    if (value.len <= SIZE_MAX - 2)
        buf_reserve(out, value.len + 2);
    buf_add_char(out, '"');
    if (utf8_valid(value))
        add_escaped(out, value);
    else
        add_repaired(out, value);
    buf_add_char(out, '"');
    if (out->failed) {
        out->len = before;
        return ERR_TOO_LARGE;
    }
    out->failed = failed_before;
    return 0;
}

/* open "value" close with one look for room, when nothing in the value needs more than a copy; else false and nothing is added. */
static inline bool add_plain(struct buf *out, struct text open, struct text value, struct text close)
{
    size_t frame = open.len + close.len + 2;
    if (value.len > SIZE_MAX - frame || (value.len + frame > out->cap - out->len && buf_reserve(out, value.len + frame)))
        return false;
    char *to = out->data + out->len;
    memcpy(to, open.data, open.len);
    to += open.len;
    *to++ = '"';
    if (!copy_plain(to, value.data, value.len))
        return false;
    to += value.len;
    *to++ = '"';
    memcpy(to, close.data, close.len);
    out->len += value.len + frame;
    return true;
}

int json_escape(struct buf *out, struct text value)
{
    return add_plain(out, TEXT(""), value, TEXT("")) ? 0 : escape_slowly(out, value);
}

void json_text(struct json_writer *w, struct text value)
{
    begin_item(w);
    json_escape(w->out, value);
}

void json_wrapped_text(struct json_writer *w, struct text open, struct text value, struct text close)
{
    begin_item(w);
    if (add_plain(w->out, open, value, close))
        return;
    buf_add_text(w->out, open);
    escape_slowly(w->out, value);
    buf_add_text(w->out, close);
}

void json_str(struct json_writer *w, const char *value)
{
    json_text(w, text_of(value));
}

void json_name_text(struct json_writer *w, struct text name)
{
    ASSERT(w->depth > 0 && !w->after_name);
    begin_item(w);
    if (!add_plain(w->out, TEXT(""), name, TEXT(":"))) {
        escape_slowly(w->out, name);
        buf_add_char(w->out, ':');
    }
    w->after_name = true;
}

void json_name(struct json_writer *w, const char *name)
{
    json_name_text(w, text_of(name));
}

/* ---- the other values ---- */

void json_i64(struct json_writer *w, int64_t value)
{
    begin_item(w);
    buf_add_i64(w->out, value);
}

void json_u64(struct json_writer *w, uint64_t value)
{
    begin_item(w);
    buf_add_u64(w->out, value);
}

void json_double(struct json_writer *w, double value)
{
    char digits[64];
    if (!isfinite(value)) {
        json_null(w);
        return;
    }
    /* Up to 15 digits always read back, with trailing zeros cut by %g; subnormal numbers hold fewer. */
    for (int precision = fabs(value) < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
        snprintf(digits, sizeof(digits), "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    json_raw(w, text_of(digits));
}

void json_bool(struct json_writer *w, bool value)
{
    json_raw(w, value ? TEXT("true") : TEXT("false"));
}

void json_null(struct json_writer *w)
{
    json_raw(w, TEXT("null"));
}

void json_raw(struct json_writer *w, struct text json)
{
    begin_item(w);
    buf_add_text(w->out, json);
}

void json_number_text(struct json_writer *w, struct text digits)
{
    json_raw(w, digits);
}

static void write_container(struct json_writer *w, const struct json *value)
{
    bool is_object = value->type == JSON_OBJECT;
    begin_container(w, is_object ? '{' : '[');
    for (const struct json *child = value->first; child; child = child->next) {
        if (is_object)
            json_name_text(w, child->name);
        json_value(w, child); /* as deep as json_parse allowed: JSON_DEPTH_MAX */
    }
    end_container(w, is_object ? '}' : ']');
}

void json_value(struct json_writer *w, const struct json *value)
{
    switch (value ? value->type : JSON_NULL) {
    case JSON_NULL:
        json_null(w);
        break;
    case JSON_FALSE:
        json_bool(w, false);
        break;
    case JSON_TRUE:
        json_bool(w, true);
        break;
    case JSON_NUMBER:
        json_number_text(w, value->text);
        break;
    case JSON_STRING:
        json_text(w, value->text);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        write_container(w, value);
        break;
    }
}
