/*
 * Lexing happens in one go, before parsing: AWS's syntax errors quote the token before and the token after
 * the one that does not fit, and an array makes both easy to find. Nearly every expression fits an array on the
 * stack, from which its tokens are copied; a longer one is read twice, first to count, so that the array is exact.
 */
#include "store/expr_lex.h"

#define FEW 128 /* tokens: read in one pass */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t word_end(struct text text, size_t at)
{
    while (at < text.len && (is_letter(text.data[at]) || is_digit(text.data[at])))
        at++;
    return at;
}

static enum expr_token_type word_type(struct text word)
{
    static const struct {
        struct text word;
        enum expr_token_type type;
    } keyword[] = {
        {TEXT("AND"), TOKEN_AND},
        {TEXT("OR"), TOKEN_OR},
        {TEXT("NOT"), TOKEN_NOT},
        {TEXT("BETWEEN"), TOKEN_BETWEEN},
        {TEXT("IN"), TOKEN_IN},
        {TEXT("SET"), TOKEN_SET},
        {TEXT("REMOVE"), TOKEN_REMOVE},
        {TEXT("ADD"), TOKEN_ADD},
        {TEXT("DELETE"), TOKEN_DELETE},
    };
    for (size_t i = 0; i < sizeof(keyword) / sizeof(keyword[0]); i++)
        if (word.len == keyword[i].word.len && (word.data[0] & 0xDF) == keyword[i].word.data[0] && text_equal_nocase(word, keyword[i].word))
            return keyword[i].type;
    return TOKEN_NAME;
}

static enum expr_token_type punctuation(char c)
{
    switch (c) {
    case '=':
        return TOKEN_EQ;
    case '<':
        return TOKEN_LT;
    case '>':
        return TOKEN_GT;
    case '(':
        return TOKEN_OPEN;
    case ')':
        return TOKEN_CLOSE;
    case '[':
        return TOKEN_OPEN_INDEX;
    case ']':
        return TOKEN_CLOSE_INDEX;
    case ',':
        return TOKEN_COMMA;
    case '.':
        return TOKEN_DOT;
    case '+':
        return TOKEN_PLUS;
    case '-':
        return TOKEN_MINUS;
    default:
        return TOKEN_BAD;
    }
}

/* A byte that begins no token; the bytes of one UTF-8 character stay together, because the sentence will
 * quote them. */
static size_t bad_end(struct text text, size_t at)
{
    at++;
    while (at < text.len && ((unsigned char)text.data[at] & 0xC0) == 0x80)
        at++;
    return at;
}

static size_t integer_end(struct text text, size_t at)
{
    if (text.data[at] == '0') /* no leading zeros: "01" is two tokens */
        return at + 1;
    while (at < text.len && is_digit(text.data[at]))
        at++;
    return at;
}

static size_t symbol_end(struct text text, size_t at, enum expr_token_type *type)
{
    char c = text.data[at], follows = at + 1 < text.len ? text.data[at + 1] : 0;
    *type = punctuation(c);
    if (c == '<' && (follows == '>' || follows == '=')) {
        *type = follows == '>' ? TOKEN_NE : TOKEN_LE;
        return at + 2;
    }
    if (c == '>' && follows == '=') {
        *type = TOKEN_GE;
        return at + 2;
    }
    return *type == TOKEN_BAD ? bad_end(text, at) : at + 1;
}

/* The end of the token at `at`, which is no space. */
static size_t token_end(struct text text, size_t at, enum expr_token_type *type)
{
    char c = text.data[at];
    size_t end;
    if (is_letter(c)) {
        end = word_end(text, at);
        *type = word_type(text_make(text.data + at, end - at));
        return end;
    }
    if (c == '#' || c == ':') {
        end = word_end(text, at + 1);
        *type = end == at + 1 ? TOKEN_BAD : c == '#' ? TOKEN_NAME_ALIAS : TOKEN_VALUE_ALIAS;
        return end;
    }
    if (is_digit(c)) {
        *type = TOKEN_INTEGER;
        return integer_end(text, at);
    }
    return symbol_end(text, at, type);
}

/* The number of tokens; the first `room` of them in `token`. */
static size_t scan(struct text text, struct expr_token *token, size_t room)
{
    size_t count = 0, at = 0;
    while (at < text.len) {
        enum expr_token_type type;
        char c = text.data[at];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            at++;
            continue;
        }
        size_t end = token_end(text, at, &type);
        if (count < room)
            token[count] = (struct expr_token){(uint16_t)type, (uint16_t)at, (uint16_t)(end - at)};
        count++;
        at = end;
    }
    if (count < room)
        token[count] = (struct expr_token){TOKEN_END, (uint16_t)text.len, 0};
    return count + 1;
}

const struct expr_token *expr_lex(struct arena *arena, struct text text, size_t *count)
{
    struct expr_token few[FEW];
    *count = scan(text, few, FEW);
    struct expr_token *token = arena_array(arena, *count, sizeof(*token));
    if (token && *count <= FEW)
        memcpy(token, few, *count * sizeof(*token));
    else if (token)
        scan(text, token, *count);
    return token;
}
