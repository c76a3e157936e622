/* Expressions read by recursive descent: one function per level of precedence, the loosest first. */
#include "watch/math_tree.h"

#include <ctype.h>
#include <stdlib.h>

const char *const math_function_names[MATH_FUNCTION_COUNT] = {
#define X(name, fewest, most) #name,
    MATH_FUNCTIONS(X)
#undef X
};
static const struct {
    unsigned fewest, most;
} arity[MATH_FUNCTION_COUNT] = {
#define X(name, fewest, most) {fewest, most},
    MATH_FUNCTIONS(X)
#undef X
};

struct parser {
    struct arena *arena;
    struct text text;
    size_t at;
    unsigned depth, nodes;
    int code;
    struct err *err;
};

static struct math_expr *parse_or(struct parser *p);

static void *fail(struct parser *p, int code, const char *what)
{
    if (!p->code)
        p->code = err_set(p->err, code, "%s at position %zu", what, p->at + 1);
    return NULL;
}

static struct math_expr *make(struct parser *p, enum math_node node)
{
    if (p->nodes++ == MATH_NODES_MAX)
        return fail(p, ERR_TOO_LARGE, "The expression has too many parts");
    struct math_expr *expr = p->code ? NULL : arena_zalloc(p->arena, sizeof(*expr));
    if (!expr)
        return fail(p, ERR_MEMORY, "Out of memory");
    expr->node = node;
    return expr;
}

/* ---- tokens ---- */

static void skip_spaces(struct parser *p)
{
    while (p->at < p->text.len && strchr(" \t\r\n", p->text.data[p->at]))
        p->at++;
}

static bool take(struct parser *p, const char *token)
{
    size_t len = strlen(token);
    skip_spaces(p);
    if (p->code || p->text.len - p->at < len || memcmp(p->text.data + p->at, token, len) != 0)
        return false;
    p->at += len;
    return true;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static struct text word_at(const struct parser *p)
{
    size_t end = p->at;
    while (end < p->text.len && is_word(p->text.data[end]))
        end++;
    return text_make(p->text.data + p->at, end - p->at);
}

static bool take_word(struct parser *p, const char *word)
{
    skip_spaces(p);
    if (p->code || !text_equal_nocase(word_at(p), text_of(word)))
        return false;
    p->at += strlen(word);
    return true;
}

/* ---- values ---- */

static struct math_expr *parse_number(struct parser *p)
{
    char copy[64];
    size_t len = 0;
    struct math_expr *expr = make(p, NODE_NUMBER);
    while (p->at + len < p->text.len && len < sizeof(copy) - 1) {
        char c = p->text.data[p->at + len];
        bool sign = (c == '+' || c == '-') && len && (copy[len - 1] == 'e' || copy[len - 1] == 'E');
        if (!isdigit((unsigned char)c) && c != '.' && c != 'e' && c != 'E' && !sign)
            break;
        copy[len++] = c;
    }
    copy[len] = 0;
    char *end;
    double number = strtod(copy, &end);
    if (!expr || *end || end == copy || number - number != 0)
        return fail(p, ERR_SYNTAX, "Not a number");
    expr->number = number;
    p->at += len;
    return expr;
}

static struct math_expr *parse_text(struct parser *p, char quote)
{
    struct math_expr *expr = make(p, NODE_TEXT);
    char *copy = arena_alloc(p->arena, p->text.len - p->at);
    size_t len = 0;
    if (!expr || !copy)
        return fail(p, ERR_MEMORY, "Out of memory");
    for (p->at++; p->at < p->text.len && p->text.data[p->at] != quote; p->at++) {
        if (p->text.data[p->at] == '\\' && p->at + 1 < p->text.len)
            p->at++;
        copy[len++] = p->text.data[p->at];
    }
    if (p->at >= p->text.len)
        return fail(p, ERR_SYNTAX, "A text without its end");
    p->at++;
    expr->text = text_make(copy, len);
    return expr;
}

/* Up to the closing sign, which is taken. */
static void parse_elements(struct parser *p, struct math_expr *parent, const char *close)
{
    struct math_expr *last = NULL;
    if (take(p, close))
        return;
    do {
        struct math_expr *element = parse_or(p);
        if (!element)
            return;
        if (last)
            last->next = element;
        else
            parent->first = element;
        last = element;
        parent->count++;
    } while (take(p, ","));
    if (!take(p, close))
        fail(p, ERR_SYNTAX, "A comma or a closing bracket is missing");
}

static struct math_expr *parse_call(struct parser *p, struct text name)
{
    for (int i = 0; i < MATH_FUNCTION_COUNT; i++) {
        if (!text_equal_nocase(name, text_of(math_function_names[i])))
            continue;
        struct math_expr *call = make(p, NODE_CALL);
        if (!call)
            return NULL;
        call->function = (enum math_function)i;
        parse_elements(p, call, ")");
        if (!p->code && (call->count < arity[i].fewest || call->count > arity[i].most))
            return fail(p, ERR_SYNTAX, "A function with the wrong number of arguments ends");
        return p->code ? NULL : call;
    }
    return fail(p, ERR_SYNTAX, "There is no such function");
}

static struct math_expr *parse_word(struct parser *p)
{
    struct text word = word_at(p);
    p->at += word.len;
    size_t behind = p->at;
    if (take(p, "("))
        return parse_call(p, word);
    p->at = behind;
    struct math_expr *expr = make(p, NODE_ID);
    if (expr)
        expr->text = word;
    return expr;
}

static struct math_expr *parse_primary(struct parser *p)
{
    skip_spaces(p);
    char c = p->at < p->text.len ? p->text.data[p->at] : 0;
    if (isdigit((unsigned char)c) || c == '.')
        return parse_number(p);
    if (c == '"' || c == '\'')
        return parse_text(p, c);
    if (isalpha((unsigned char)c) || c == '_')
        return parse_word(p);
    if (take(p, "(")) {
        struct math_expr *inner = parse_or(p);
        return inner && !take(p, ")") ? fail(p, ERR_SYNTAX, "A closing bracket is missing") : inner;
    }
    if (take(p, "[")) {
        struct math_expr *list = make(p, NODE_LIST);
        if (list)
            parse_elements(p, list, "]");
        return p->code ? NULL : list;
    }
    return fail(p, ERR_SYNTAX, "A value is missing");
}

/* ---- operators ---- */

static struct math_expr *join(struct parser *p, enum math_node node, struct math_expr *a, struct math_expr *b)
{
    struct math_expr *expr = a && b ? make(p, node) : NULL;
    if (!expr)
        return NULL;
    expr->first = a;
    a->next = b;
    expr->count = 2;
    return expr;
}

static struct math_expr *parse_unary(struct parser *p);

static struct math_expr *parse_power(struct parser *p)
{
    struct math_expr *base = parse_primary(p);
    return base && take(p, "^") ? join(p, NODE_POWER, base, parse_unary(p)) : base; /* from the right: 2^3^2 is 2^9 */
}

static struct math_expr *parse_unary(struct parser *p)
{
    if (++p->depth > MATH_DEPTH_MAX)
        return fail(p, ERR_TOO_LARGE, "The expression is nested too deep");
    struct math_expr *expr;
    if (take(p, "-")) {
        struct math_expr *inner = parse_unary(p);
        expr = inner ? make(p, NODE_NEGATE) : NULL;
        if (expr) {
            expr->first = inner;
            expr->count = 1;
        }
    } else {
        expr = take(p, "+") ? parse_unary(p) : parse_power(p);
    }
    p->depth--;
    return expr;
}

static struct math_expr *parse_product(struct parser *p)
{
    struct math_expr *expr = parse_unary(p);
    while (expr) {
        if (take(p, "*"))
            expr = join(p, NODE_MULTIPLY, expr, parse_unary(p));
        else if (take(p, "/"))
            expr = join(p, NODE_DIVIDE, expr, parse_unary(p));
        else
            break;
    }
    return expr;
}

static struct math_expr *parse_sum(struct parser *p)
{
    struct math_expr *expr = parse_product(p);
    while (expr) {
        if (take(p, "+"))
            expr = join(p, NODE_ADD, expr, parse_product(p));
        else if (take(p, "-"))
            expr = join(p, NODE_SUBTRACT, expr, parse_product(p));
        else
            break;
    }
    return expr;
}

static struct math_expr *parse_comparison(struct parser *p)
{
    static const struct {
        const char *sign;
        enum math_node node;
    } signs[] = {{"==", NODE_EQUAL}, {"!=", NODE_UNEQUAL}, {"<>", NODE_UNEQUAL}, {"<=", NODE_LESS_EQUAL}, {">=", NODE_GREATER_EQUAL}, {"<", NODE_LESS}, {">", NODE_GREATER}};
    struct math_expr *expr = parse_sum(p);
    for (bool more = expr; more;) {
        more = false;
        for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]) && expr && !more; i++)
            if (take(p, signs[i].sign)) {
                expr = join(p, signs[i].node, expr, parse_sum(p));
                more = expr;
            }
    }
    return expr;
}

static struct math_expr *parse_and(struct parser *p)
{
    struct math_expr *expr = parse_comparison(p);
    while (expr && (take(p, "&&") || take_word(p, "AND")))
        expr = join(p, NODE_AND, expr, parse_comparison(p));
    return expr;
}

static struct math_expr *parse_or(struct parser *p)
{
    if (++p->depth > MATH_DEPTH_MAX)
        return fail(p, ERR_TOO_LARGE, "The expression is nested too deep");
    struct math_expr *expr = parse_and(p);
    while (expr && (take(p, "||") || take_word(p, "OR")))
        expr = join(p, NODE_OR, expr, parse_and(p));
    p->depth--;
    return expr;
}

int math_parse(struct arena *arena, struct text text, const struct math_expr **out, struct err *err)
{
    struct parser p = {.arena = arena, .text = text, .err = err};
    if (text.len > MATH_TEXT_MAX)
        return err_set(err, ERR_TOO_LARGE, "An expression has at most %d characters", MATH_TEXT_MAX);
    struct math_expr *expr = parse_or(&p);
    skip_spaces(&p);
    if (expr && p.at < text.len)
        fail(&p, ERR_SYNTAX, "The expression goes on where it should end");
    *out = expr;
    return p.code;
}

int math_ids(const struct math_expr *expr, int (*visit)(void *context, struct text id), void *context)
{
    int code = 0;
    if (expr->node == NODE_ID)
        return visit(context, expr->text);
    if (expr->node == NODE_CALL && expr->function == MATH_METRICS)
        return visit(context, TEXT_NONE);
    for (const struct math_expr *at = expr->first; at && !code; at = at->next)
        code = math_ids(at, visit, context);
    return code;
}
