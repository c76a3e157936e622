/*
 * Strict codecs: each value has exactly one encoding that is accepted. Loose base64 (stray bits, missing padding) would let
 * one signature, key or cursor have many spellings, which is how checks on the encoded form are passed by.
 *
 * UTF-8: whole texts go through simdjson's vector validation; fragments run through a small automaton whose state tells how
 * many bytes the open character still needs and the range of the next one, so a sequence is refused at its first wrong byte.
 */
#include "base/codec.h"

#include "base/json_simd.h"

/* ---- base64 ---- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int encode64(struct buf *out, struct text bytes, const char *digits, bool padded)
{
    if (bytes.len > SIZE_MAX / 4 * 3 - 3)
        return ERR_TOO_LARGE;
    int code = buf_reserve(out, (bytes.len + 2) / 3 * 4);
    if (code)
        return code;
    const unsigned char *at = (const unsigned char *)bytes.data;
    char *to = out->data + out->len;
    size_t left = bytes.len;
    for (; left >= 3; left -= 3, at += 3) {
        uint32_t v = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
        *to++ = digits[v >> 18];
        *to++ = digits[v >> 12 & 63];
        *to++ = digits[v >> 6 & 63];
        *to++ = digits[v & 63];
    }
    if (left) {
        uint32_t v = (uint32_t)at[0] << 16 | (left == 2 ? (uint32_t)at[1] << 8 : 0);
        *to++ = digits[v >> 18];
        *to++ = digits[v >> 12 & 63];
        if (left == 2)
            *to++ = digits[v >> 6 & 63];
        if (padded) {
            *to++ = '=';
            if (left == 1)
                *to++ = '=';
        }
    }
    if (to)
        out->len = (size_t)(to - out->data);
    return 0;
}

/* 0..63, or 64 and above. */
static inline unsigned value64(unsigned char c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    return c == (url ? '_' : '/') ? 63 : 64;
}

/* `encoded` without its padding. The output is grown only at the end, so a refusal leaves it unchanged. */
static int decode64(struct buf *out, struct text encoded, bool url)
{
    if (encoded.len % 4 == 1)
        return ERR_SYNTAX;
    int code = buf_reserve(out, encoded.len / 4 * 3 + 2);
    if (code == ERR_TOO_LARGE && encoded.len / 4 * 3 + (encoded.len % 4 ? encoded.len % 4 - 1 : 0) <= out->limit - out->len) {
        out->failed = false; /* the slack of two bytes passed the limit, not the content */
        code = buf_reserve(out, encoded.len / 4 * 3 + (encoded.len % 4 ? encoded.len % 4 - 1 : 0));
    }
    if (code)
        return code;
    size_t len = out->len;
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < encoded.len; i++) {
        unsigned v = value64((unsigned char)encoded.data[i], url);
        if (v > 63)
            return ERR_SYNTAX;
        bits = bits << 6 | v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out->data[len++] = (char)(bits >> have);
        }
    }
    if (bits & ((1u << have) - 1))
        return ERR_SYNTAX; /* stray bits behind the last byte */
    out->len = len;
    return 0;
}

int base64_encode(struct buf *out, struct text bytes)
{
    return encode64(out, bytes, base64_digits, true);
}

int base64_decode(struct buf *out, struct text encoded)
{
    if (encoded.len % 4)
        return ERR_SYNTAX;
    for (int i = 0; i < 2 && encoded.len && encoded.data[encoded.len - 1] == '='; i++)
        encoded.len--;
    return decode64(out, encoded, false);
}

int base64url_encode(struct buf *out, struct text bytes)
{
    return encode64(out, bytes, base64url_digits, false);
}

int base64url_decode(struct buf *out, struct text encoded)
{
    return decode64(out, encoded, true);
}

/* ---- hexadecimal and percent-encoding ---- */

static inline int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_encode(struct buf *out, struct text bytes)
{
    static const char digits[] = "0123456789abcdef";
    if (bytes.len > SIZE_MAX / 2)
        return ERR_TOO_LARGE;
    int code = buf_reserve(out, bytes.len * 2);
    if (code)
        return code;
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.data[i];
        out->data[out->len++] = digits[c >> 4];
        out->data[out->len++] = digits[c & 15];
    }
    return 0;
}

int hex_decode(struct buf *out, struct text encoded)
{
    if (encoded.len % 2)
        return ERR_SYNTAX;
    int code = buf_reserve(out, encoded.len / 2);
    if (code)
        return code;
    size_t len = out->len;
    for (size_t i = 0; i < encoded.len; i += 2) {
        int high = hex_value(encoded.data[i]), low = hex_value(encoded.data[i + 1]);
        if (high < 0 || low < 0)
            return ERR_SYNTAX;
        out->data[len++] = (char)(high << 4 | low);
    }
    out->len = len;
    return 0;
}

static inline bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

int percent_encode(struct buf *out, struct text bytes, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF"; /* upper case, as SigV4 wants it */
    size_t escapes = 0;
    for (size_t i = 0; i < bytes.len; i++)
        escapes += !(is_unreserved((unsigned char)bytes.data[i]) || (keep_slash && bytes.data[i] == '/'));
    int code = buf_reserve(out, bytes.len + 2 * escapes);
    if (code)
        return code;
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.data[i];
        if (is_unreserved(c) || (keep_slash && c == '/')) {
            out->data[out->len++] = (char)c;
            continue;
        }
        out->data[out->len++] = '%';
        out->data[out->len++] = digits[c >> 4];
        out->data[out->len++] = digits[c & 15];
    }
    return 0;
}

int percent_decode(struct buf *out, struct text encoded, bool plus_is_space)
{
    size_t escapes = 0;
    for (size_t i = 0; i < encoded.len; i++) {
        if (encoded.data[i] != '%')
            continue;
        if (encoded.len - i < 3 || hex_value(encoded.data[i + 1]) < 0 || hex_value(encoded.data[i + 2]) < 0)
            return ERR_SYNTAX;
        escapes++;
        i += 2;
    }
    int code = buf_reserve(out, encoded.len - 2 * escapes);
    if (code)
        return code;
    for (size_t i = 0; i < encoded.len; i++) {
        char c = encoded.data[i];
        if (c == '%') {
            c = (char)(hex_value(encoded.data[i + 1]) << 4 | hex_value(encoded.data[i + 2]));
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out->data[out->len++] = c;
    }
    return 0;
}

/* ---- UTF-8 ---- */

#define UTF8_REFUSED UINT32_MAX
#define UTF8_BULK 64 /* bytes from which the vector validation pays */

/* State of an open character: how many bytes it needs, and the range of the next one. 0 between characters. */
static inline uint32_t utf8_open(uint32_t need, uint32_t low, uint32_t high)
{
    return need | low << 8 | high << 16;
}

static inline uint32_t utf8_step(uint32_t state, unsigned char c)
{
    if (state) {
        uint32_t need = state & 0xff;
        if (c < (state >> 8 & 0xff) || c > (state >> 16 & 0xff))
            return UTF8_REFUSED;
        return need == 1 ? 0 : utf8_open(need - 1, 0x80, 0xbf);
    }
    if (c < 0x80)
        return 0;
    if (c < 0xc2 || c > 0xf4)
        return UTF8_REFUSED; /* a continuation without a start, an overlong form, above U+10FFFF */
    if (c < 0xe0)
        return utf8_open(1, 0x80, 0xbf);
    if (c < 0xf0) /* E0: no overlong forms; ED: no surrogates */
        return utf8_open(2, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf);
    return utf8_open(3, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf);
}

/* Length of the longest front part that ends between two characters, if the text is valid. */
static size_t utf8_whole(const unsigned char *at, size_t len)
{
    for (size_t back = 1; back <= 3 && back < len; back++)
        if ((at[len - back] & 0xc0) != 0x80)
            return at[len - back] < 0x80 ? len - back + 1 : len - back;
    return len - 4; /* four-byte characters at most: their start is here, or the text is invalid */
}

bool utf8_feed(uint32_t *state, const void *bytes, size_t len)
{
    const unsigned char *at = bytes, *end = at + len;
    uint32_t now = *state;
    if (now == UTF8_REFUSED)
        return false;
    while (now && at < end)
        if ((now = utf8_step(now, *at++)) == UTF8_REFUSED)
            goto refused;
    if (end - at >= UTF8_BULK) {
        size_t whole = utf8_whole(at, (size_t)(end - at));
        if (!json_simd_utf8((const char *)at, whole)) {
            now = UTF8_REFUSED;
            goto refused;
        }
        at += whole;
    }
    while (at < end)
        if ((now = utf8_step(now, *at++)) == UTF8_REFUSED)
            goto refused;
refused:
    *state = now;
    return now != UTF8_REFUSED;
}

bool utf8_valid(struct text bytes)
{
    uint32_t state = 0;
    if (bytes.len >= UTF8_BULK)
        return json_simd_utf8(bytes.data, bytes.len);
    return utf8_feed(&state, bytes.data, bytes.len) && state == 0;
}
