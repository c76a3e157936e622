/*
 * The tokens of JSON inside a text whose strings are known to be closed and to be UTF-8 without control characters
 * (simdjson's first stage has seen to that). Private to json_simd.cc and json_lex.c; usable from C and C++.
 */
#ifndef WEIR_BASE_JSON_LEX_H
#define WEIR_BASE_JSON_LEX_H

#include "base/arena.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define JSON_NUMBER_MAX 512 /* bytes of one number; the largest double in plain digits has 309 */

static inline const char *json_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* From behind the opening quote to the closing quote, or NULL when there is none before `end`. */
static inline const char *json_scan_string(const char *at, const char *end, bool *escaped)
{
    *escaped = false;
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        unsigned hits = (unsigned)_mm_movemask_epi8(
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
        if (!hits) {
            at += 16;
            continue;
        }
        at += __builtin_ctz(hits);
        if (*at == '"')
            return at;
        *escaped = true;
        at += 2;
    }
#endif
    while (at < end) {
        if (*at == '"')
            return at;
        if (*at == '\\') {
            *escaped = true;
            at++;
        }
        at++;
    }
    return NULL;
}

/* RFC 8259 section 6. The end of the number that starts at `at`, or NULL. What follows is the caller's to check. */
static inline const char *json_scan_number(const char *at, const char *end)
{
    const char *start = at;
#define JSON_DIGIT(p) ((p) < end && (unsigned char)(*(p) - '0') <= 9)
    if (at < end && *at == '-')
        at++;
    if (!JSON_DIGIT(at))
        return NULL;
    if (*at++ != '0')
        while (JSON_DIGIT(at))
            at++;
    if (at < end && *at == '.') {
        at++;
        if (!JSON_DIGIT(at))
            return NULL;
        while (JSON_DIGIT(at))
            at++;
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        if (!JSON_DIGIT(at))
            return NULL;
        while (JSON_DIGIT(at))
            at++;
    }
#undef JSON_DIGIT
    return at - start <= JSON_NUMBER_MAX ? at : NULL;
}

#ifdef __cplusplus
extern "C" {
#endif
/* Resolves the escapes of a string's inside into the arena: 0, ERR_SYNTAX (unknown escape, lone surrogate), ERR_MEMORY. */
int json_unescape(struct arena *arena, struct text inside, struct text *out);
#ifdef __cplusplus
}
#endif

#endif
