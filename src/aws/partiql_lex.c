/*
 * The words of PartiQL. Keywords are known in any case; every other name keeps its letters, since attribute names do. '...' is a string and "..." a name, each
 * with its quote doubled inside; -- and slash-star are comments, as the language has them.
 */
#include "aws/partiql.h"

#include "base/assert.h"

struct lexer {
    struct text text;
    size_t at;
    struct partiql_token *token;
    size_t count;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '$';
}

static char at_offset(const struct lexer *l, size_t offset)
{
    return l->at + offset < l->text.len ? l->text.data[l->at + offset] : 0;
}

static void add(struct lexer *l, enum partiql_token_type type, size_t len)
{
    l->token[l->count++] = (struct partiql_token){.type = (uint8_t)type, .at = (uint16_t)l->at, .len = (uint16_t)len};
    l->at += len;
}

/* ---- what is passed over ---- */

static bool skip_line(struct lexer *l)
{
    if (at_offset(l, 0) != '-' || at_offset(l, 1) != '-')
        return false;
    while (l->at < l->text.len && l->text.data[l->at] != '\n')
        l->at++;
    return true;
}

/* False also for a comment without an end: its first byte is then no word. */
static bool skip_block(struct lexer *l)
{
    if (at_offset(l, 0) != '/' || at_offset(l, 1) != '*')
        return false;
    for (size_t i = l->at + 2; i + 1 < l->text.len; i++)
        if (l->text.data[i] == '*' && l->text.data[i + 1] == '/') {
            l->at = i + 2;
            return true;
        }
    return false;
}

static void skip(struct lexer *l)
{
    for (;;) {
        while (l->at < l->text.len && memchr(" \t\r\n\f\v", l->text.data[l->at], 6))
            l->at++;
        if (!skip_line(l) && !skip_block(l))
            return;
    }
}

/* ---- words ---- */

static void lex_quoted(struct lexer *l, char quote, enum partiql_token_type type)
{
    for (size_t i = l->at + 1; i < l->text.len; i++) {
        if (l->text.data[i] != quote)
            continue;
        if (i + 1 < l->text.len && l->text.data[i + 1] == quote) {
            i++;
            continue;
        }
        add(l, type, i + 1 - l->at);
        return;
    }
    add(l, PARTIQL_BAD, l->text.len - l->at);
}

static enum partiql_keyword keyword_of(struct text word)
{
    static const struct text keyword[] = {
#define X(word) TEXT(#word),
        PARTIQL_KEYWORDS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(keyword) / sizeof(keyword[0]); i++)
        if (text_equal_nocase(word, keyword[i]))
            return (enum partiql_keyword)(i + 1);
    return PARTIQL_NO_KEYWORD;
}

static void lex_name(struct lexer *l)
{
    size_t len = 1;
    while (is_name(at_offset(l, len)))
        len++;
    enum partiql_keyword keyword = keyword_of(text_make(l->text.data + l->at, len));
    add(l, keyword ? PARTIQL_KEYWORD : PARTIQL_NAME, len);
    l->token[l->count - 1].keyword = (uint8_t)keyword;
}

static size_t digits(const struct lexer *l, size_t from)
{
    while (is_digit(at_offset(l, from)))
        from++;
    return from;
}

static void lex_number(struct lexer *l)
{
    size_t len = digits(l, 0);
    if (at_offset(l, len) == '.' && is_digit(at_offset(l, len + 1)))
        len = digits(l, len + 1);
    if (at_offset(l, len) == 'e' || at_offset(l, len) == 'E') {
        size_t sign = at_offset(l, len + 1) == '+' || at_offset(l, len + 1) == '-';
        if (is_digit(at_offset(l, len + 1 + sign)))
            len = digits(l, len + 1 + sign);
    }
    bool ends = !is_name(at_offset(l, len));
    while (is_name(at_offset(l, len)))
        len++;
    add(l, ends ? PARTIQL_NUMBER : PARTIQL_BAD, len);
}

/* The bytes of one character that begins no word. */
static void lex_bad(struct lexer *l)
{
    size_t len = 1;
    while (((unsigned char)at_offset(l, len) & 0xC0) == 0x80)
        len++;
    add(l, PARTIQL_BAD, len);
}

static void lex_sign(struct lexer *l)
{
    static const struct {
        struct text sign;
        enum partiql_token_type type;
    } signs[] = { /* longer ones first */
        {TEXT("<<"), PARTIQL_OPEN_SET}, {TEXT(">>"), PARTIQL_CLOSE_SET}, {TEXT("<>"), PARTIQL_NE}, {TEXT("!="), PARTIQL_NE}, {TEXT("<="), PARTIQL_LE},
        {TEXT(">="), PARTIQL_GE}, {TEXT("<"), PARTIQL_LT}, {TEXT(">"), PARTIQL_GT}, {TEXT("="), PARTIQL_EQ}, {TEXT("("), PARTIQL_OPEN},
        {TEXT(")"), PARTIQL_CLOSE}, {TEXT("["), PARTIQL_OPEN_LIST}, {TEXT("]"), PARTIQL_CLOSE_LIST}, {TEXT("{"), PARTIQL_OPEN_MAP},
        {TEXT("}"), PARTIQL_CLOSE_MAP}, {TEXT(","), PARTIQL_COMMA}, {TEXT("."), PARTIQL_DOT}, {TEXT(":"), PARTIQL_COLON}, {TEXT(";"), PARTIQL_SEMICOLON},
        {TEXT("*"), PARTIQL_STAR}, {TEXT("+"), PARTIQL_PLUS}, {TEXT("-"), PARTIQL_MINUS}, {TEXT("?"), PARTIQL_PARAMETER},
    };
    struct text rest = text_make(l->text.data + l->at, l->text.len - l->at);
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (text_starts(rest, signs[i].sign)) {
            add(l, signs[i].type, signs[i].sign.len);
            return;
        }
    lex_bad(l);
}

static void lex_one(struct lexer *l)
{
    char c = l->text.data[l->at];
    if (c == '\'')
        lex_quoted(l, c, PARTIQL_STRING);
    else if (c == '"')
        lex_quoted(l, c, PARTIQL_QUOTED);
    else if (is_digit(c))
        lex_number(l);
    else if (is_name(c))
        lex_name(l);
    else
        lex_sign(l);
}

const struct partiql_token *partiql_lex(struct arena *arena, struct text statement, size_t *count)
{
    struct lexer l = {.text = statement};
    ASSERT(statement.len <= PARTIQL_TEXT_MAX);
    l.token = arena_array(arena, statement.len + 1, sizeof(*l.token)); /* every word has a byte */
    if (!l.token)
        return NULL;
    for (skip(&l); l.at < statement.len; skip(&l))
        lex_one(&l);
    add(&l, PARTIQL_END, 0);
    *count = l.count;
    return l.token;
}

struct text partiql_unquote(struct arena *arena, struct text word)
{
    char quote = word.data[0];
    struct text inside = text_make(word.data + 1, word.len - 2);
    if (text_find(inside, quote, 0) < 0)
        return inside;
    char *out = arena_alloc(arena, inside.len);
    size_t len = 0;
    for (size_t i = 0; out && i < inside.len; i++) {
        out[len++] = inside.data[i];
        i += inside.data[i] == quote; /* of two, the second is passed over */
    }
    return out ? text_make(out, len) : TEXT_NONE;
}
