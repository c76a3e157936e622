/*
 * Conditions, operands and paths.
 *
 * As in the expressions' own parser one function reads what stands in parentheses, and the caller looks at what came out: `(a = 1)` is a condition, `(a)` an operand.
 * Chains of AND and OR are one node, NOT is counted, so that only parentheses and functions deepen a form.
 */
#include "aws/partiql.h"

static struct expr_form *make(struct partiql_parser *p, enum expr_form_op op)
{
    struct expr_form *form = arena_zalloc(p->arena, sizeof(*form));
    if (!form)
        return partiql_fail_memory(p);
    if (op != FORM_PATH && op != FORM_VALUE && ++p->operators > EXPR_OPERATORS_MAX)
        return partiql_fail(p, "The statement contains too many operators");
    form->op = op;
    return form;
}

static bool is_condition(const struct expr_form *form)
{
    return form->op < FORM_SIZE;
}

static bool descend(struct partiql_parser *p)
{
    if (++p->depth <= PARTIQL_DEPTH_MAX)
        return true;
    partiql_fail(p, "Nested too deeply");
    return false;
}

/* ---- paths ---- */

bool partiql_identifier(struct partiql_parser *p, struct text *name)
{
    struct text word = partiql_token_text(p);
    if (partiql_peek(p) == PARTIQL_NAME)
        *name = word;
    else if (partiql_peek(p) == PARTIQL_QUOTED)
        *name = partiql_unquote(p->arena, word);
    else
        return false;
    if (!name->data)
        partiql_fail_memory(p);
    else if (!name->len)
        partiql_fail(p, "A name may not be empty");
    else
        p->at++;
    return !p->code;
}

/* [3] or ['name'], its bracket passed already. */
static bool parse_index(struct partiql_parser *p, struct expr_form_step *step)
{
    struct text word = partiql_token_text(p);
    uint64_t index;
    if (partiql_peek(p) == PARTIQL_STRING) {
        step->name = partiql_unquote(p->arena, word);
        if (!step->name.data)
            partiql_fail_memory(p);
    } else if (partiql_peek(p) == PARTIQL_NUMBER && text_to_u64(word, INT32_MAX, &index) == 0) {
        step->is_index = true;
        step->index = (uint32_t)index;
    } else {
        partiql_fail(p, "Expected the position of a list element");
    }
    p->at += !p->code;
    return !p->code && partiql_expect(p, PARTIQL_CLOSE_LIST, "Expected ']'");
}

static bool parse_step(struct partiql_parser *p, struct expr_form_step *step)
{
    if (partiql_accept(p, PARTIQL_OPEN_LIST))
        return parse_index(p, step);
    p->at++; /* the dot */
    if (partiql_identifier(p, &step->name))
        return true;
    if (!p->code)
        partiql_fail(p, "Invalid path dot component");
    return false;
}

struct expr_form *partiql_path(struct partiql_parser *p)
{
    struct expr_form_step step[EXPR_PATH_MAX] = {{.is_index = false}};
    uint32_t count = 1;
    if (!partiql_identifier(p, &step[0].name))
        return p->code ? NULL : partiql_fail_word(p);
    for (; partiql_peek(p) == PARTIQL_DOT || partiql_peek(p) == PARTIQL_OPEN_LIST; count++) {
        if (count == EXPR_PATH_MAX)
            return partiql_fail(p, "The document path has too many nesting levels");
        if (!parse_step(p, &step[count]))
            return NULL;
    }
    struct expr_form *path = make(p, FORM_PATH);
    struct expr_form_step *own = arena_array(p->arena, count, sizeof(*own));
    if (!path || !own)
        return partiql_fail_memory(p);
    memcpy(own, step, count * sizeof(*own));
    path->step = own;
    path->count = count;
    return path;
}

/* ---- functions ---- */

static const struct function {
    struct text name;
    enum expr_form_op op;
    uint32_t operands;
    bool of_update;
} functions[] = {
    {TEXT("attribute_type"), FORM_TYPE, 2, false},
    {TEXT("begins_with"), FORM_BEGINS, 2, false},
    {TEXT("contains"), FORM_CONTAINS, 2, false},
    {TEXT("size"), FORM_SIZE, 1, false},
    {TEXT("list_append"), FORM_LIST_APPEND, 2, true},
};

static const struct function *function_find(const struct partiql_parser *p)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (functions[i].of_update == p->is_update && text_equal_nocase(functions[i].name, partiql_token_text(p)))
            return &functions[i];
    return NULL;
}

static struct expr_form *parse_function(struct partiql_parser *p)
{
    const struct function *function = function_find(p);
    if (!function)
        return partiql_fail(p, "Unsupported function");
    struct expr_form *form = make(p, function->op);
    size_t begin = p->at;
    p->at += 2; /* its name and the parenthesis */
    if (!form || !descend(p))
        return NULL;
    do {
        struct expr_form *operand = partiql_operand(p);
        if (!operand)
            return NULL;
        expr_form_add(form, operand);
    } while (partiql_accept(p, PARTIQL_COMMA));
    p->depth--;
    if (!partiql_expect(p, PARTIQL_CLOSE, "Expected ')'"))
        return NULL;
    if (form->count != function->operands) {
        p->at = begin;
        return partiql_fail(p, "Incorrect number of operands for the function");
    }
    return form;
}

/* ---- operands ---- */

static struct expr_form *parse_either(struct partiql_parser *p);

static struct expr_form *parse_parentheses(struct partiql_parser *p)
{
    p->at++;
    if (!descend(p))
        return NULL;
    struct expr_form *form = parse_either(p);
    p->depth--;
    return form && partiql_expect(p, PARTIQL_CLOSE, "Expected ')'") ? form : NULL;
}

/* A term of a condition or of a sum. What stands in parentheses, and a function, may be a condition. */
static struct expr_form *parse_term(struct partiql_parser *p)
{
    if (partiql_peek(p) == PARTIQL_OPEN)
        return parse_parentheses(p);
    if (partiql_peek(p) == PARTIQL_NAME && p->token[p->at + 1].type == PARTIQL_OPEN)
        return parse_function(p);
    if (partiql_word(p) == PARTIQL_EXISTS)
        return partiql_fail(p, "EXISTS is a statement of its own, in ExecuteTransaction alone");
    if (!partiql_at_value(p))
        return partiql_path(p);
    struct expr_form *form = make(p, FORM_VALUE);
    if (form)
        form->value = partiql_value(p);
    return form && form->value ? form : NULL;
}

static struct expr_form *parse_sum(struct partiql_parser *p)
{
    struct expr_form *left = parse_term(p);
    int depth = p->depth;
    while (left && p->is_update && !is_condition(left) && (partiql_peek(p) == PARTIQL_PLUS || partiql_peek(p) == PARTIQL_MINUS)) {
        struct expr_form *sum = make(p, partiql_peek(p) == PARTIQL_PLUS ? FORM_PLUS : FORM_MINUS);
        p->at++;
        if (!sum || !descend(p)) /* a chain leans to the left: it deepens the form */
            return NULL;
        struct expr_form *right = parse_term(p);
        if (!right || is_condition(right))
            return right ? partiql_fail_word(p) : NULL;
        expr_form_add(sum, left);
        expr_form_add(sum, right);
        left = sum;
    }
    p->depth = depth;
    return left;
}

struct expr_form *partiql_operand(struct partiql_parser *p)
{
    size_t begin = p->at;
    struct expr_form *form = parse_sum(p);
    if (!form || !is_condition(form))
        return form;
    p->at = begin;
    return partiql_fail(p, "Expected a value or a document path");
}

/* ---- conditions ---- */

static struct expr_form *with_operand(struct partiql_parser *p, struct expr_form *form)
{
    struct expr_form *operand = partiql_operand(p);
    if (!operand)
        return NULL;
    expr_form_add(form, operand);
    return form;
}

static struct expr_form *parse_between(struct partiql_parser *p, struct expr_form *form)
{
    if (!with_operand(p, form))
        return NULL;
    if (!partiql_accept_word(p, PARTIQL_AND))
        return partiql_fail(p, "Expected AND");
    return with_operand(p, form);
}

static struct expr_form *parse_in(struct partiql_parser *p, struct expr_form *form)
{
    bool list = partiql_peek(p) == PARTIQL_OPEN_LIST;
    if (!list && partiql_peek(p) != PARTIQL_OPEN)
        return partiql_fail(p, "Expected a list of values in brackets or parentheses");
    p->at++;
    do {
        if (!with_operand(p, form))
            return NULL;
    } while (partiql_accept(p, PARTIQL_COMMA));
    return partiql_expect(p, list ? PARTIQL_CLOSE_LIST : PARTIQL_CLOSE, "Expected ',' or the end of the list") ? form : NULL;
}

static struct expr_form *negate(struct partiql_parser *p, struct expr_form *form)
{
    struct expr_form *negation = form ? make(p, FORM_NOT) : NULL;
    if (negation)
        expr_form_add(negation, form);
    return negation;
}

/* IS [NOT] MISSING | NULL, behind its first word. */
static struct expr_form *parse_is(struct partiql_parser *p, struct expr_form *operand)
{
    bool negated = partiql_accept_word(p, PARTIQL_NOT);
    if (partiql_word(p) != PARTIQL_MISSING && partiql_word(p) != PARTIQL_NULL)
        return partiql_fail(p, "Expected MISSING or NULL");
    if (operand->op != FORM_PATH)
        return partiql_fail(p, "IS needs a document path as its operand");
    bool missing = partiql_word(p) == PARTIQL_MISSING;
    struct expr_form *form = make(p, !missing ? FORM_NULL : negated ? FORM_EXISTS : FORM_MISSING);
    p->at++;
    if (!form)
        return NULL;
    expr_form_add(form, operand);
    return negated && !missing ? negate(p, form) : form;
}

/* [NOT] BETWEEN and [NOT] IN. */
static struct expr_form *parse_range(struct partiql_parser *p, struct expr_form *operand)
{
    bool negated = partiql_accept_word(p, PARTIQL_NOT), between = partiql_word(p) == PARTIQL_BETWEEN;
    if (!between && partiql_word(p) != PARTIQL_IN)
        return partiql_fail_word(p);
    p->at++;
    struct expr_form *form = make(p, between ? FORM_BETWEEN : FORM_IN);
    if (!form)
        return NULL;
    expr_form_add(form, operand);
    form = between ? parse_between(p, form) : parse_in(p, form);
    return negated ? negate(p, form) : form;
}

static struct expr_form *parse_comparison(struct partiql_parser *p, struct expr_form *operand)
{
    static const enum expr_form_op op[] = {[PARTIQL_EQ - PARTIQL_EQ] = FORM_EQ, [PARTIQL_NE - PARTIQL_EQ] = FORM_NE, [PARTIQL_LT - PARTIQL_EQ] = FORM_LT,
        [PARTIQL_LE - PARTIQL_EQ] = FORM_LE, [PARTIQL_GT - PARTIQL_EQ] = FORM_GT, [PARTIQL_GE - PARTIQL_EQ] = FORM_GE};
    struct expr_form *form = make(p, op[partiql_peek(p) - PARTIQL_EQ]);
    p->at++;
    if (!form)
        return NULL;
    expr_form_add(form, operand);
    return with_operand(p, form);
}

/* An operand alone, or a condition made with it. */
static struct expr_form *parse_predicate(struct partiql_parser *p)
{
    struct expr_form *left = parse_sum(p);
    if (!left || is_condition(left))
        return left;
    if (partiql_peek(p) >= PARTIQL_EQ)
        return parse_comparison(p, left);
    if (partiql_accept_word(p, PARTIQL_IS))
        return parse_is(p, left);
    if (partiql_word(p) == PARTIQL_NOT || partiql_word(p) == PARTIQL_BETWEEN || partiql_word(p) == PARTIQL_IN)
        return parse_range(p, left);
    return left;
}

static bool want_condition(struct partiql_parser *p, const struct expr_form *form)
{
    if (form && !is_condition(form))
        partiql_fail(p, partiql_word(p) == PARTIQL_LIKE ? "Unsupported operator" : "Expected a condition");
    return form && !p->code;
}

static struct expr_form *parse_not(struct partiql_parser *p)
{
    bool negated = false, any = false;
    for (; partiql_accept_word(p, PARTIQL_NOT); any = true)
        negated = !negated;
    struct expr_form *form = parse_predicate(p);
    if (any && !want_condition(p, form))
        return NULL;
    return negated ? negate(p, form) : form;
}

/* Terms that are joined by one word, as one node; a single term stays alone. */
static struct expr_form *parse_chain(struct partiql_parser *p, enum partiql_keyword word, enum expr_form_op op, struct expr_form *(*inner)(struct partiql_parser *))
{
    struct expr_form *first = inner(p);
    if (!first || partiql_word(p) != word)
        return first;
    struct expr_form *chain = make(p, op);
    if (!chain || !want_condition(p, first))
        return NULL;
    expr_form_add(chain, first);
    while (partiql_accept_word(p, word)) {
        struct expr_form *next = inner(p);
        if (!want_condition(p, next))
            return NULL;
        expr_form_add(chain, next);
    }
    return chain;
}

static struct expr_form *parse_and(struct partiql_parser *p)
{
    return parse_chain(p, PARTIQL_AND, FORM_AND, parse_not);
}

static struct expr_form *parse_either(struct partiql_parser *p)
{
    return parse_chain(p, PARTIQL_OR, FORM_OR, parse_and);
}

struct expr_form *partiql_condition(struct partiql_parser *p)
{
    struct expr_form *form = parse_either(p);
    return want_condition(p, form) ? form : NULL;
}
