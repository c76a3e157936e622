/*
 * Escapes, resolved by our own rules: a lone surrogate is refused here, while libraries differ (U+FFFD, CESU-8, an error),
 * and a text that two readers understand differently is a hole between a check and its use.
 */
#include "base/json_lex.h"

#include "base/err.h"

/* Four hexadecimal digits, or -1. */
static int32_t hex4(const char *at, const char *end)
{
    int32_t value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static char *put_utf8(char *to, int32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* Behind "\u": reads one escape or a pair. Never writes more bytes than it reads. */
static int unescape_unicode(const char **at, const char *end, char **to)
{
    int32_t code = hex4(*at, end);
    if (code < 0 || (code >= 0xdc00 && code <= 0xdfff))
        return ERR_SYNTAX;
    *at += 4;
    if (code >= 0xd800 && code <= 0xdbff) {
        int32_t low = end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u' ? hex4(*at + 2, end) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return ERR_SYNTAX;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        *at += 6;
    }
    *to = put_utf8(*to, code);
    return 0;
}

static int unescape_short(char c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return -1;
    }
}

int json_unescape(struct arena *arena, struct text inside, struct text *out)
{
    const char *at = inside.data, *end = at + inside.len;
    char *start = arena_alloc(arena, inside.len); /* the result is never longer */
    char *to = start;
    if (!start)
        return ERR_MEMORY;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        size_t run = (size_t)((escape ? escape : end) - at);
        memcpy(to, at, run);
        to += run;
        at += run;
        if (at == end)
            break;
        if (end - at < 2)
            return ERR_SYNTAX;
        char kind = at[1];
        at += 2;
        if (kind == 'u') {
            if (unescape_unicode(&at, end, &to))
                return ERR_SYNTAX;
            continue;
        }
        int c = unescape_short(kind);
        if (c < 0)
            return ERR_SYNTAX;
        *to++ = (char)c;
    }
    *out = text_make(start, (size_t)(to - start));
    return 0;
}
