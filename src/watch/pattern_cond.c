/*
 * Conditions: the same grammar between braces and between brackets, but for what stands on the left: a selector of JSON, or the field's own name.
 *
 *   or        and ("||" and)*
 *   and       one ("&&" one)*
 *   one       "(" or ")" | left op operand | left IS NULL | IS TRUE | IS FALSE | left EXISTS | NOT EXISTS
 *   operand   "text" | text | number | %regex%     stars at the ends of a text stand for anything
 *
 * A selector that leads nowhere, or to an object or array, makes a comparison false, != included: the condition is not applied to such a message.
 */
#include "watch/pattern_inside.h"

#include <stdlib.h>

/* ---- pieces ---- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void pattern_skip_space(struct pattern_parser *p)
{
    while (p->at < p->end && is_space(*p->at))
        p->at++;
}

bool pattern_take(struct pattern_parser *p, const char *word)
{
    size_t len = strlen(word);
    pattern_skip_space(p);
    if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
        return false;
    p->at += len;
    return true;
}

/* A word of letters, in either case, that ends here. */
static bool take_word(struct pattern_parser *p, const char *word)
{
    size_t len = strlen(word);
    pattern_skip_space(p);
    if ((size_t)(p->end - p->at) < len || !text_equal_nocase(text_make(p->at, len), text_of(word)))
        return false;
    const char *next = p->at + len;
    if (next < p->end && ((*next >= 'a' && *next <= 'z') || (*next >= 'A' && *next <= 'Z') || *next == '_'))
        return false;
    p->at = next;
    return true;
}

int pattern_refuse(struct pattern_parser *p, const char *what)
{
    return err_set(p->err, ERR_SYNTAX, "%s", what);
}

int pattern_quoted(struct pattern_parser *p, struct text *out)
{
    char *text = arena_alloc(p->arena, (size_t)(p->end - p->at) + 1);
    size_t len = 0;
    if (!text)
        return ERR_MEMORY;
    for (p->at++; p->at < p->end && *p->at != '"'; p->at++) {
        if (*p->at == '\\' && p->at + 1 < p->end && (p->at[1] == '"' || p->at[1] == '\\'))
            p->at++;
        text[len++] = *p->at;
    }
    if (p->at == p->end)
        return pattern_refuse(p, "Invalid filter pattern: a quoted text is not closed");
    p->at++;
    *out = text_make(text, len);
    return 0;
}

int pattern_regex_between(struct pattern_parser *p, struct pattern_regex **out)
{
    const char *from = ++p->at;
    while (p->at < p->end && *p->at != '%')
        p->at += *p->at == '\\' && p->at + 1 < p->end ? 2 : 1;
    if (p->at >= p->end)
        return pattern_refuse(p, "Invalid filter pattern: a regular expression is not closed by %");
    struct text source = arena_copy(p->arena, text_make(from, (size_t)(p->at - from)));
    p->at++;
    p->regexes++;
    return source.data ? pattern_regex_parse(p->arena, source, out, p->err) : ERR_MEMORY;
}

/* ---- selectors ---- */

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '@' || c == '/' || c == ':' || (unsigned char)c >= 0x80;
}

static int parse_bracket(struct pattern_parser *p, struct select_step *step)
{
    p->at++;
    if (p->at < p->end && (*p->at == '\'' || *p->at == '"')) {
        char quote = *p->at++;
        const char *from = p->at;
        while (p->at < p->end && *p->at != quote)
            p->at++;
        step->name = arena_copy(p->arena, text_make(from, (size_t)(p->at - from)));
        if (!step->name.data)
            return ERR_MEMORY;
        p->at += p->at < p->end;
    } else if (p->at < p->end && *p->at == '*') {
        step->every = true;
        p->at++;
    } else {
        const char *from = p->at;
        while (p->at < p->end && *p->at >= '0' && *p->at <= '9' && p->at - from < 7)
            step->index = step->index * 10 + (uint32_t)(*p->at++ - '0');
        if (p->at == from)
            return pattern_refuse(p, "Invalid filter pattern: a number or * is expected behind [");
    }
    if (p->at == p->end || *p->at != ']')
        return pattern_refuse(p, "Invalid filter pattern: ] is expected");
    p->at++;
    return 0;
}

static int parse_member(struct pattern_parser *p, struct select_step *step)
{
    const char *from = ++p->at;
    if (p->at < p->end && *p->at == '*') {
        step->every = true;
        p->at++;
        return 0;
    }
    while (p->at < p->end && is_name(*p->at))
        p->at++;
    if (p->at == from)
        return pattern_refuse(p, "Invalid filter pattern: a name is expected behind .");
    step->name = arena_copy(p->arena, text_make(from, (size_t)(p->at - from)));
    return step->name.data ? 0 : ERR_MEMORY;
}

int selector_parse(struct pattern_parser *p, struct selector **out)
{
    struct selector *selector = arena_zalloc(p->arena, sizeof(*selector));
    struct select_step step[PATTERN_STEPS_MAX];
    const char *from = p->at;
    int code = 0;
    if (!selector)
        return ERR_MEMORY;
    if (p->at == p->end || *p->at != '$')
        return pattern_refuse(p, "Invalid filter pattern: a selector begins with $");
    p->at++;
    while (p->at < p->end && (*p->at == '.' || *p->at == '[') && !code) {
        if (selector->steps == PATTERN_STEPS_MAX)
            return err_set(p->err, ERR_TOO_LARGE, "Invalid filter pattern: a selector has more than %d steps", PATTERN_STEPS_MAX);
        step[selector->steps] = (struct select_step){.name = TEXT_NONE};
        code = *p->at == '.' ? parse_member(p, &step[selector->steps]) : parse_bracket(p, &step[selector->steps]);
        selector->steps++;
    }
    if (code)
        return code;
    selector->text = arena_copy(p->arena, text_make(from, (size_t)(p->at - from)));
    selector->step = arena_array(p->arena, selector->steps + 1, sizeof(*selector->step));
    if (!selector->step || !selector->text.data)
        return ERR_MEMORY;
    memcpy(selector->step, step, selector->steps * sizeof(*step));
    *out = selector;
    return 0;
}

/* ---- operands ---- */

static bool is_number(struct text text, double *out)
{
    char copy[64], *end;
    if (!text.len || text.len >= sizeof(copy))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!strchr("0123456789+-.eE", text.data[i]) || !text.data[i])
            return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    *out = strtod(copy, &end);
    return !*end;
}

static void find_stars(struct operand *operand)
{
    struct text *text = &operand->text;
    if (text->len && text->data[0] == '*') {
        operand->star_first = true;
        *text = text_make(text->data + 1, text->len - 1);
    }
    if (text->len && text->data[text->len - 1] == '*') {
        operand->star_last = true;
        text->len--;
    } else if (!text->len) {
        operand->star_last = operand->star_first; /* a single star */
    }
}

static bool ends_word(const struct pattern_parser *p, bool fields)
{
    char c = *p->at;
    return is_space(c) || c == ')' || c == '(' || c == '|' || c == '&' || (fields ? c == ',' || c == ']' : c == '}');
}

static int parse_operand(struct pattern_parser *p, bool fields, struct operand *out)
{
    pattern_skip_space(p);
    if (p->at == p->end)
        return pattern_refuse(p, "Invalid filter pattern: a value is expected");
    if (*p->at == '%')
        return pattern_regex_between(p, &out->regex);
    if (*p->at == '"') {
        int code = pattern_quoted(p, &out->text);
        find_stars(out);
        return code;
    }
    const char *from = p->at;
    while (p->at < p->end && !ends_word(p, fields))
        p->at++;
    if (p->at == from)
        return pattern_refuse(p, "Invalid filter pattern: a value is expected");
    out->text = arena_copy(p->arena, text_make(from, (size_t)(p->at - from)));
    if (!out->text.data)
        return ERR_MEMORY;
    out->numeric = is_number(out->text, &out->number);
    find_stars(out);
    return 0;
}

/* ---- the grammar ---- */

static int parse_op(struct pattern_parser *p, enum cond_op *op)
{
    static const struct {
        const char *sign;
        enum cond_op op;
    } ops[] = {{"!=", OP_NE}, {"<=", OP_LE}, {">=", OP_GE}, {"=", OP_EQ}, {"<", OP_LT}, {">", OP_GT}};
    for (size_t i = 0; i < 6; i++)
        if (pattern_take(p, ops[i].sign)) {
            *op = ops[i].op;
            return 0;
        }
    return pattern_refuse(p, "Invalid filter pattern: an operator is expected");
}

static int parse_comparison(struct pattern_parser *p, bool fields, struct cond *cond)
{
    cond->kind = COND_COMPARE;
    int code = parse_op(p, &cond->op);
    if (!code)
        code = parse_operand(p, fields, &cond->operand);
    if (code)
        return code;
    bool order = cond->op != OP_EQ && cond->op != OP_NE;
    return order && !cond->operand.numeric ? pattern_refuse(p, "Invalid filter pattern: <, <=, > and >= compare with numbers") : 0;
}

static int parse_json_test(struct pattern_parser *p, struct cond *cond)
{
    static const struct {
        const char *word;
        enum cond_kind kind;
    } is[] = {{"NULL", COND_NULL}, {"TRUE", COND_TRUE}, {"FALSE", COND_FALSE}};
    if (take_word(p, "IS")) {
        for (size_t i = 0; i < 3; i++)
            if (take_word(p, is[i].word)) {
                cond->kind = is[i].kind;
                return 0;
            }
        return pattern_refuse(p, "Invalid filter pattern: NULL, TRUE or FALSE is expected behind IS");
    }
    if (take_word(p, "NOT")) {
        cond->kind = COND_MISSING;
        return take_word(p, "EXISTS") ? 0 : pattern_refuse(p, "Invalid filter pattern: EXISTS is expected behind NOT");
    }
    if (take_word(p, "EXISTS")) {
        cond->kind = COND_EXISTS;
        return 0;
    }
    return parse_comparison(p, false, cond);
}

/* The field's name again, in front of a further condition. */
static int parse_field_name(struct pattern_parser *p)
{
    pattern_skip_space(p);
    const char *from = p->at;
    while (p->at < p->end && is_name(*p->at))
        p->at++;
    return text_equal(text_make(from, (size_t)(p->at - from)), p->field) ? 0 : pattern_refuse(p, "Invalid filter pattern: conditions of a field name that field");
}

static int parse_or(struct pattern_parser *p, bool fields, bool named, struct cond **out);

/* `named`: the field's name has been read. */
static int parse_one(struct pattern_parser *p, bool fields, bool named, struct cond **out)
{
    struct cond *cond = arena_zalloc(p->arena, sizeof(*cond));
    if (!cond)
        return ERR_MEMORY;
    *out = cond;
    if (!named && pattern_take(p, "(")) {
        if (++p->depth > WATCH_PATTERN_DEPTH_MAX)
            return err_set(p->err, ERR_TOO_LARGE, "Invalid filter pattern: parentheses are nested more than %d deep", WATCH_PATTERN_DEPTH_MAX);
        int code = parse_or(p, fields, false, out);
        p->depth--;
        return code ? code : pattern_take(p, ")") ? 0 : pattern_refuse(p, "Invalid filter pattern: ) is expected");
    }
    int code = 0;
    if (fields) {
        code = named ? 0 : parse_field_name(p);
        return code ? code : parse_comparison(p, true, cond);
    }
    pattern_skip_space(p);
    code = selector_parse(p, &cond->selector);
    return code ? code : parse_json_test(p, cond);
}

static int join(struct pattern_parser *p, enum cond_kind kind, struct cond **left, struct cond *right)
{
    struct cond *both = arena_zalloc(p->arena, sizeof(*both));
    if (!both)
        return ERR_MEMORY;
    both->kind = kind;
    both->left = *left;
    both->right = right;
    *left = both;
    return 0;
}

static int parse_and(struct pattern_parser *p, bool fields, bool named, struct cond **out)
{
    struct cond *right;
    int code = parse_one(p, fields, named, out);
    while (!code && pattern_take(p, "&&")) {
        code = parse_one(p, fields, false, &right);
        if (!code)
            code = join(p, COND_AND, out, right);
    }
    return code;
}

static int parse_or(struct pattern_parser *p, bool fields, bool named, struct cond **out)
{
    struct cond *right;
    int code = parse_and(p, fields, named, out);
    while (!code && pattern_take(p, "||")) {
        code = parse_and(p, fields, false, &right);
        if (!code)
            code = join(p, COND_OR, out, right);
    }
    return code;
}

int cond_parse(struct pattern_parser *p, bool fields, struct cond **out)
{
    return parse_or(p, fields, false, out);
}

int cond_parse_rest(struct pattern_parser *p, struct cond **out)
{
    return parse_or(p, true, true, out);
}

/* ---- judging ---- */

static bool equals_text(const struct operand *operand, struct text value)
{
    struct text wanted = operand->text;
    if (operand->star_first && operand->star_last)
        return !wanted.len || memmem(value.data, value.len, wanted.data, wanted.len) != NULL;
    if (value.len < wanted.len)
        return false;
    if (operand->star_first)
        return text_equal(text_make(value.data + value.len - wanted.len, wanted.len), wanted);
    return operand->star_last ? text_starts(value, wanted) : text_equal(value, wanted);
}

static bool compare_numbers(enum cond_op op, double a, double b)
{
    switch (op) {
    case OP_EQ:
        return a == b;
    case OP_NE:
        return a != b;
    case OP_LT:
        return a < b;
    case OP_LE:
        return a <= b;
    case OP_GT:
        return a > b;
    default:
        return a >= b;
    }
}

static bool compare(const struct cond *cond, struct text value)
{
    const struct operand *operand = &cond->operand;
    double number;
    if (operand->regex)
        return pattern_regex_match(operand->regex, value) == (cond->op == OP_EQ);
    if (operand->numeric && is_number(value, &number))
        return compare_numbers(cond->op, number, operand->number);
    bool order = cond->op != OP_EQ && cond->op != OP_NE;
    return !order && equals_text(operand, value) == (cond->op == OP_EQ);
}

bool cond_holds_text(const struct cond *cond, struct text value)
{
    switch (cond->kind) {
    case COND_AND:
        return cond_holds_text(cond->left, value) && cond_holds_text(cond->right, value);
    case COND_OR:
        return cond_holds_text(cond->left, value) || cond_holds_text(cond->right, value);
    default:
        return compare(cond, value);
    }
}

struct text json_shown(const struct json *value)
{
    switch (value->type) {
    case JSON_TRUE:
        return TEXT("true");
    case JSON_FALSE:
        return TEXT("false");
    case JSON_NULL:
        return TEXT("null");
    default:
        return value->type == JSON_STRING || value->type == JSON_NUMBER ? value->text : value->raw;
    }
}

/* Whatever a selector may mean, one after the other, until `found` says yes. */
struct look {
    const struct selector *selector;
    const struct cond *cond; /* NULL: anything that is there */
    bool scalars;
    const struct json *found;
    size_t left;
};

static bool judge(const struct cond *cond, const struct json *value)
{
    bool scalar = value->type == JSON_STRING || value->type == JSON_NUMBER || value->type == JSON_TRUE || value->type == JSON_FALSE;
    switch (cond->kind) {
    case COND_NULL:
        return value->type == JSON_NULL;
    case COND_TRUE:
        return value->type == JSON_TRUE;
    case COND_FALSE:
        return value->type == JSON_FALSE;
    case COND_COMPARE:
        return scalar && compare(cond, json_shown(value));
    default:
        return true;
    }
}

static bool look_at(struct look *look, const struct json *at, size_t step)
{
    const struct selector *selector = look->selector;
    if (!at || !look->left)
        return false;
    look->left--;
    if (step == selector->steps) {
        if (look->scalars && (at->type == JSON_ARRAY || at->type == JSON_OBJECT || at->type == JSON_NULL))
            return false;
        if (look->cond && !judge(look->cond, at))
            return false;
        look->found = at;
        return true;
    }
    const struct select_step *way = &selector->step[step];
    if (way->every) {
        if (at->type != JSON_ARRAY && at->type != JSON_OBJECT)
            return false;
        for (const struct json *child = at->first; child; child = child->next)
            if (look_at(look, child, step + 1))
                return true;
        return false;
    }
    if (way->name.data)
        return look_at(look, json_get(at, way->name), step + 1);
    return at->type == JSON_ARRAY && look_at(look, json_at(at, way->index), step + 1);
}

const struct json *selector_find(const struct selector *selector, const struct json *root)
{
    struct look look = {.selector = selector, .scalars = true, .left = PATTERN_LOOKS_MAX};
    return look_at(&look, root, 0) ? look.found : NULL;
}

bool cond_holds_json(const struct cond *cond, const struct json *root)
{
    struct look look = {.selector = cond->selector, .cond = cond, .left = PATTERN_LOOKS_MAX};
    switch (cond->kind) {
    case COND_AND:
        return cond_holds_json(cond->left, root) && cond_holds_json(cond->right, root);
    case COND_OR:
        return cond_holds_json(cond->left, root) || cond_holds_json(cond->right, root);
    case COND_MISSING:
        look.cond = NULL;
        return !look_at(&look, root, 0);
    default:
        return look_at(&look, root, 0);
    }
}
