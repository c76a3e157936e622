/*
 * The words of a query. Two things depend on the place: a slash divides, or begins a regular expression where the parser says so; and digits followed by letters are a
 * period (5m). Comments run from # to the end of the line. A name may hold letters, digits, _ @ $ ? and dots (a hyphen is a minus); anything else stands in backticks.
 */
#include "watch/query_inside.h"

#include <stdarg.h>
#include <stdio.h>

static size_t characters(struct text source, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes && i < source.len; i++)
        n += ((unsigned char)source.data[i] & 0xC0) != 0x80;
    return n;
}

int query_error(struct query_lexer *lexer, size_t start, size_t end, const char *format, ...)
{
    struct watch_query_error *error = lexer->error;
    size_t line = 1, begin = 0;
    va_list args;
    for (size_t i = 0; i < start && i < lexer->source.len; i++)
        if (lexer->source.data[i] == '\n') {
            line++;
            begin = i + 1;
        }
    error->start = characters(lexer->source, start);
    error->end = characters(lexer->source, end > start ? end : start);
    va_start(args, format);
    int len = vsnprintf(error->text, sizeof(error->text) - 60, format, args);
    va_end(args);
    if (len < 0 || (size_t)len > sizeof(error->text) - 61)
        len = (int)strlen(error->text);
    while (len > 0 && ((unsigned char)error->text[len - 1] & 0x80)) /* what was quoted and cut may end inside a character */
        if (((unsigned char)error->text[--len] & 0xC0) == 0xC0)
            break;
    snprintf(error->text + len, sizeof(error->text) - (size_t)len, " at line %zu and position %zu", line,
        error->start - characters(lexer->source, begin) + 1);
    return ERR_SYNTAX;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_name(char c)
{
    return is_letter(c) || is_digit(c) || c == '_' || c == '@' || c == '$' || c == '.' || c == '?' || ((unsigned char)c & 0x80);
}

static void skip(struct query_lexer *lexer)
{
    while (lexer->at < lexer->source.len) {
        char c = lexer->source.data[lexer->at];
        if (c == '#')
            while (lexer->at < lexer->source.len && lexer->source.data[lexer->at] != '\n')
                lexer->at++;
        else if (is_space(c))
            lexer->at++;
        else
            return;
    }
}

/* What one escaped character means, or 0: the backslash stands for itself. */
static char unescape(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case '\\':
    case '"':
    case '\'':
    case '/':
    case '`':
        return c;
    default:
        return 0;
    }
}

/* From behind the opening mark to the closing one. A regular expression keeps its escapes but that of the slash. */
static int quoted(struct query_lexer *lexer, struct query_token *token, char mark)
{
    struct text source = lexer->source;
    size_t len = 0, at = lexer->at + 1, end = at;
    while (end < source.len && source.data[end] != mark)
        end += source.data[end] == '\\' && mark != '`' ? 2 : 1;
    if (end >= source.len)
        return query_error(lexer, lexer->at, source.len, mark == '/' ? "the regular expression has no end" : "the quoted text has no end");
    char *out = arena_alloc(lexer->arena, end - at + 1);
    if (!out)
        return ERR_MEMORY;
    for (; at < end; at++) {
        char c = source.data[at];
        if (c == '\\' && mark != '`') {
            char next = source.data[at + 1], meant = mark == '/' ? (next == '/' ? '/' : 0) : unescape(next);
            at++;
            if (meant) {
                out[len++] = meant;
                continue;
            }
            out[len++] = c;
            c = next;
        }
        out[len++] = c;
    }
    token->text = text_make(out, len);
    lexer->at = at + 1;
    return 0;
}

static int number(struct query_lexer *lexer, struct query_token *token)
{
    struct text source = lexer->source;
    size_t at = lexer->at, digits;
    while (at < source.len && is_digit(source.data[at]))
        at++;
    digits = at;
    if (at < source.len && is_letter(source.data[at]) && !((source.data[at] | 0x20) == 'e' && at + 1 < source.len && (is_digit(source.data[at + 1]) || source.data[at + 1] == '-'))) {
        while (at < source.len && is_letter(source.data[at]))
            at++;
        token->kind = TOKEN_PERIOD;
        struct text unit = text_make(source.data + digits, at - digits), count = text_make(source.data + lexer->at, digits - lexer->at);
        if (!query_period_parse(count, unit, &token->period))
            return query_error(lexer, lexer->at, at, "%.*s is not a period", (int)(at - lexer->at), source.data + lexer->at);
        lexer->at = at;
        return 0;
    }
    if (at + 1 < source.len && source.data[at] == '.' && is_digit(source.data[at + 1]))
        for (at++; at < source.len && is_digit(source.data[at]);)
            at++;
    if (at + 1 < source.len && (source.data[at] | 0x20) == 'e' && (is_digit(source.data[at + 1]) || source.data[at + 1] == '-'))
        for (at += 2; at < source.len && is_digit(source.data[at]);)
            at++;
    token->kind = TOKEN_NUMBER;
    token->text = text_make(source.data + lexer->at, at - lexer->at);
    lexer->at = at;
    return 0;
}

static int sign(struct query_lexer *lexer, struct query_token *token)
{
    static const char *const two[] = {"!=", "<=", ">=", "=~"};
    struct text rest = text_make(lexer->source.data + lexer->at, lexer->source.len - lexer->at);
    size_t len = 0;
    for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++)
        if (text_starts(rest, text_of(two[i])))
            len = 2;
    if (!len && memchr("|,()[]=<>+-*/%^", rest.data[0], 15))
        len = 1;
    if (!len)
        return query_error(lexer, lexer->at, lexer->at + 1, "unexpected symbol found %.1s", rest.data);
    token->kind = TOKEN_SIGN;
    token->text = text_make(rest.data, len);
    lexer->at += len;
    return 0;
}

static int lex_one(struct query_lexer *lexer, bool regex, struct query_token *token)
{
    struct text source = lexer->source;
    if (lexer->at == source.len)
        return 0;
    char c = source.data[lexer->at];
    if (c == '"' || c == '\'' || c == '`' || (c == '/' && regex)) {
        token->kind = c == '`' ? TOKEN_QUOTED_NAME : c == '/' ? TOKEN_REGEX : TOKEN_TEXT;
        return quoted(lexer, token, c);
    }
    if (is_digit(c))
        return number(lexer, token);
    if (!is_name(c) || c == '.')
        return sign(lexer, token);
    size_t at = lexer->at;
    while (at < source.len && is_name(source.data[at]))
        at++;
    while (source.data[at - 1] == '.') /* the end of a sentence is not the name's */
        at--;
    token->kind = TOKEN_NAME;
    token->text = text_make(source.data + lexer->at, at - lexer->at);
    lexer->at = at;
    return 0;
}

int query_lex(struct query_lexer *lexer, bool regex, struct query_token *token)
{
    skip(lexer);
    *token = (struct query_token){.kind = TOKEN_END, .start = lexer->at};
    int code = lex_one(lexer, regex, token);
    token->end = lexer->at;
    return code;
}

bool query_lex_call(const struct query_lexer *lexer)
{
    struct query_lexer ahead = *lexer;
    skip(&ahead);
    return ahead.at < ahead.source.len && ahead.source.data[ahead.at] == '(';
}
