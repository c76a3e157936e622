/*
 * Expressions: text to a tree of nodes. From loose to tight: or; and; not; comparison, like, in; + -; * / %; ^; a sign.
 */
#include "watch/query_inside.h"

#include <stdlib.h>

#define NEST_MAX 120 /* of the parser: parentheses and calls count twice */

static int parse_or(struct query_parser *p, struct query_node **out);

int query_next(struct query_parser *p, bool regex)
{
    p->end = p->token.end;
    return query_lex(&p->lexer, regex, &p->token);
}

bool query_is_sign(const struct query_parser *p, const char *sign)
{
    return p->token.kind == TOKEN_SIGN && text_is(p->token.text, sign);
}

bool query_is_word(const struct query_parser *p, const char *word)
{
    return p->token.kind == TOKEN_NAME && text_equal_nocase(p->token.text, text_of(word));
}

int query_unexpected(struct query_parser *p, const char *expected)
{
    struct text source = p->lexer.source;
    if (p->token.kind == TOKEN_END)
        return query_error(&p->lexer, p->token.start, p->token.end, "unexpected end of the query, expecting %s,", expected);
    size_t len = p->token.end - p->token.start;
    return query_error(&p->lexer, p->token.start, p->token.end, "unexpected symbol found %.*s, expecting %s,", (int)(len > 60 ? 60 : len),
        source.data + p->token.start, expected);
}

int query_expect_sign(struct query_parser *p, const char *sign, bool regex)
{
    return query_is_sign(p, sign) ? query_next(p, regex) : query_unexpected(p, sign);
}

struct query_node *query_node_make(struct query_parser *p, enum query_op op, size_t args)
{
    struct query_node *node = arena_zalloc(&p->query->arena, sizeof(*node));
    if (!node || (args && !(node->args = arena_array(&p->query->arena, args, sizeof(*node->args)))))
        return NULL;
    node->op = op;
    node->count = args;
    return node;
}

/* The depth of a node whose arguments are set. */
int query_node_settle(struct query_parser *p, struct query_node *node)
{
    for (size_t i = 0; i < node->count; i++)
        if (node->args[i]->depth + 1 > node->depth)
            node->depth = (uint16_t)(node->args[i]->depth + 1);
    return node->depth > WATCH_QUERY_DEPTH_MAX ? query_error(&p->lexer, p->token.start, p->token.end, "the expression is nested too deeply") : 0;
}

static int binary(struct query_parser *p, enum query_op op, struct query_node *left, struct query_node *right, struct query_node **out)
{
    struct query_node *node = query_node_make(p, op, 2);
    if (!node)
        return ERR_MEMORY;
    node->args[0] = left;
    node->args[1] = right;
    *out = node;
    return query_node_settle(p, node);
}

int query_node_unary(struct query_parser *p, enum query_op op, struct query_node *inner, struct query_node **out)
{
    struct query_node *node = query_node_make(p, op, 1);
    if (!node)
        return ERR_MEMORY;
    node->args[0] = inner;
    *out = node;
    return query_node_settle(p, node);
}

int query_parse_literal(struct query_parser *p, struct query_value value, struct query_node **out)
{
    struct query_node *node = query_node_make(p, OP_LITERAL, 0);
    if (!node)
        return ERR_MEMORY;
    node->value = value;
    *out = node;
    return query_next(p, false);
}

/* ---- operators ---- */

static int parse_primary(struct query_parser *p, struct query_node **out)
{
    struct query_token token = p->token;
    double number;
    int code;
    switch (token.kind) {
    case TOKEN_TEXT:
        return query_parse_literal(p, query_text(token.text), out);
    case TOKEN_NUMBER:
        if (!query_parse_number(token.text, &number))
            return query_error(&p->lexer, token.start, token.end, "the number is too large");
        return query_parse_literal(p, (struct query_value){QUERY_NUMBER, number, token.text}, out);
    case TOKEN_QUOTED_NAME:
        return query_parse_name(p, out);
    case TOKEN_NAME:
        if (!query_lex_call(&p->lexer))
            return query_parse_name(p, out);
        code = query_next(p, false);
        return code ? code : query_parse_call(p, token, out);
    default:
        break;
    }
    if (!query_is_sign(p, "("))
        return query_unexpected(p, "an expression");
    code = query_next(p, false);
    if (!code)
        code = parse_or(p, out);
    return code ? code : query_expect_sign(p, ")", false);
}

static int parse_signed(struct query_parser *p, struct query_node **out)
{
    size_t minus = 0;
    int code = 0;
    while (!code && (query_is_sign(p, "-") || query_is_sign(p, "+"))) {
        minus += query_is_sign(p, "-");
        code = query_next(p, false);
    }
    if (!code)
        code = parse_primary(p, out);
    return !code && minus % 2 ? query_node_unary(p, OP_NEGATE, *out, out) : code;
}

/* To the right: 2 ^ 3 ^ 2 is 2 ^ 9. */
static int parse_power(struct query_parser *p, struct query_node **out)
{
    struct query_node *right;
    if (++p->depth > NEST_MAX)
        return query_error(&p->lexer, p->token.start, p->token.end, "the expression is nested too deeply");
    int code = parse_signed(p, out);
    if (!code && query_is_sign(p, "^")) {
        code = query_next(p, false);
        if (!code)
            code = parse_power(p, &right);
        if (!code)
            code = binary(p, OP_POW, *out, right, out);
    }
    p->depth--;
    return code;
}

struct level {
    const char *sign;
    enum query_op op;
};

static int parse_left(struct query_parser *p, const struct level *level, size_t count, int (*tighter)(struct query_parser *, struct query_node **), struct query_node **out)
{
    int code = tighter(p, out);
    for (size_t i = 0; !code && i < count;) {
        struct query_node *right;
        if (!query_is_sign(p, level[i].sign)) {
            i++;
            continue;
        }
        code = query_next(p, false);
        if (!code)
            code = tighter(p, &right);
        if (!code)
            code = binary(p, level[i].op, *out, right, out);
        i = 0;
    }
    return code;
}

static int parse_product(struct query_parser *p, struct query_node **out)
{
    static const struct level level[] = {{"*", OP_MUL}, {"/", OP_DIV}, {"%", OP_MOD}};
    return parse_left(p, level, 3, parse_power, out);
}

static int parse_sum(struct query_parser *p, struct query_node **out)
{
    static const struct level level[] = {{"+", OP_ADD}, {"-", OP_SUB}};
    return parse_left(p, level, 2, parse_product, out);
}

int query_pattern_keep(struct query_parser *p, struct query_pattern *pattern)
{
    if (p->query->patterns == sizeof(p->query->pattern) / sizeof(p->query->pattern[0])) {
        query_pattern_free(pattern);
        return query_error(&p->lexer, p->token.start, p->token.end, "the query has too many patterns");
    }
    p->query->pattern[p->query->patterns++] = pattern;
    return 0;
}

/* like "text", like /regex/, =~ /regex/; the operator was read with a regular expression allowed. */
static int parse_match(struct query_parser *p, struct query_node *left, struct query_node **out)
{
    struct query_token token = p->token;
    struct query_pattern *pattern;
    struct err error;
    size_t where = 0;
    int code;
    if (token.kind != TOKEN_REGEX && token.kind != TOKEN_TEXT) { /* a substring that is known for each event only */
        struct query_node *right;
        code = parse_sum(p, &right);
        return code ? code : binary(p, OP_CONTAINS, left, right, out);
    }
    pattern = token.kind == TOKEN_TEXT ? query_pattern_literal(token.text) : query_pattern_regex(token.text, &error, &where);
    if (!pattern && token.kind == TOKEN_REGEX && error.code != ERR_MEMORY)
        return query_error(&p->lexer, token.start + 1 + where, token.end, "the regular expression is not valid: %s,", error.text);
    code = pattern ? query_pattern_keep(p, pattern) : ERR_MEMORY;
    if (!code)
        code = query_node_unary(p, OP_MATCH, left, out);
    if (code)
        return code;
    (*out)->pattern = pattern;
    return query_next(p, false);
}

static int parse_in(struct query_parser *p, struct query_node *left, struct query_node **out)
{
    struct query_node **list = NULL;
    size_t count = 0, room = 0;
    int code = query_expect_sign(p, "[", false);
    while (!code) {
        if (count == room) {
            size_t more = room ? room * 2 : 16;
            struct query_node **grown = arena_array(&p->query->arena, more, sizeof(*grown));
            if (!grown)
                return ERR_MEMORY;
            if (count)
                memcpy(grown, list, count * sizeof(*grown));
            list = grown;
            room = more;
            if (!count)
                list[count++] = left;
        }
        code = parse_sum(p, &list[count]);
        count += !code;
        if (code || query_is_sign(p, "]"))
            break;
        code = query_expect_sign(p, ",", false);
    }
    if (!code)
        code = query_expect_sign(p, "]", false);
    struct query_node *node = code ? NULL : query_node_make(p, OP_IN, 0);
    if (!node)
        return code ? code : ERR_MEMORY;
    node->args = list;
    node->count = count;
    *out = node;
    return query_node_settle(p, node);
}

static int parse_comparison(struct query_parser *p, struct query_node **out)
{
    static const struct level level[] = {{"=", OP_EQ}, {"!=", OP_NE}, {"<", OP_LT}, {"<=", OP_LE}, {">", OP_GT}, {">=", OP_GE}};
    struct query_node *right;
    int code = parse_sum(p, out);
    if (code)
        return code;
    for (size_t i = 0; i < sizeof(level) / sizeof(level[0]); i++)
        if (query_is_sign(p, level[i].sign)) {
            code = query_next(p, false);
            if (!code)
                code = parse_sum(p, &right);
            return code ? code : binary(p, level[i].op, *out, right, out);
        }
    if (query_is_sign(p, "=~")) {
        code = query_next(p, true);
        return code ? code : parse_match(p, *out, out);
    }
    bool negated = query_is_word(p, "not");
    if (negated)
        code = query_next(p, false);
    if (!code && query_is_word(p, "like")) {
        code = query_next(p, true);
        if (!code)
            code = parse_match(p, *out, out);
    } else if (!code && query_is_word(p, "in")) {
        code = query_next(p, false);
        if (!code)
            code = parse_in(p, *out, out);
    } else if (!code && negated) {
        code = query_unexpected(p, "like or in");
    }
    return !code && negated ? query_node_unary(p, OP_NOT, *out, out) : code;
}

static int parse_not(struct query_parser *p, struct query_node **out)
{
    if (!query_is_word(p, "not"))
        return parse_comparison(p, out);
    if (++p->depth > NEST_MAX)
        return query_error(&p->lexer, p->token.start, p->token.end, "the expression is nested too deeply");
    int code = query_next(p, false);
    if (!code)
        code = parse_not(p, out);
    p->depth--;
    return code ? code : query_node_unary(p, OP_NOT, *out, out);
}

/* a or b or c is one node: a long list of alternatives is not a deep tree. */
static int parse_list(struct query_parser *p, const char *word, enum query_op op, int (*tighter)(struct query_parser *, struct query_node **), struct query_node **out)
{
    int code = tighter(p, out);
    struct query_node *node = NULL;
    size_t room = 0;
    while (!code && query_is_word(p, word)) {
        if (!node) {
            node = query_node_make(p, op, room = 4);
            if (!node)
                return ERR_MEMORY;
            node->args[0] = *out;
            node->count = 1;
        }
        if (node->count == room) {
            struct query_node **grown = arena_array(&p->query->arena, room *= 2, sizeof(*grown));
            if (!grown)
                return ERR_MEMORY;
            memcpy(grown, node->args, node->count * sizeof(*grown));
            node->args = grown;
        }
        code = query_next(p, false);
        if (!code)
            code = tighter(p, &node->args[node->count]);
        node->count += !code;
    }
    if (code || !node)
        return code;
    *out = node;
    return query_node_settle(p, node);
}

static int parse_and(struct query_parser *p, struct query_node **out)
{
    return parse_list(p, "and", OP_AND, parse_not, out);
}

static int parse_or(struct query_parser *p, struct query_node **out)
{
    if (++p->depth > NEST_MAX)
        return query_error(&p->lexer, p->token.start, p->token.end, "the expression is nested too deeply");
    int code = parse_list(p, "or", OP_OR, parse_and, out);
    p->depth--;
    return code;
}

int query_parse_expression(struct query_parser *p, struct query_node **out)
{
    return parse_or(p, out);
}
