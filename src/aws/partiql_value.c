/*
 * Values: literals of every type but binary, which only a parameter can be. Numbers keep their 38 digits, <<...>> is a set of what its first element is, and a
 * parameter may stand anywhere inside.
 */
#include "aws/partiql.h"

static struct attr *make_value(struct partiql_parser *p, enum attr_type type)
{
    struct attr *value = arena_zalloc(p->arena, sizeof(*value));
    if (!value)
        return partiql_fail_memory(p);
    value->type = type;
    return value;
}

static struct attr *parse_number(struct partiql_parser *p)
{
    struct decimal d;
    char text[DECIMAL_TEXT_MAX];
    bool minus = partiql_peek(p) == PARTIQL_MINUS;
    if (minus || partiql_peek(p) == PARTIQL_PLUS)
        p->at++;
    if (partiql_peek(p) != PARTIQL_NUMBER)
        return partiql_fail_word(p);
    if (decimal_parse(partiql_token_text(p), &d))
        return partiql_fail(p, "A number has up to 38 digits and a magnitude from 1E-130 to 9.9999999999999999999999999999999999999E+125");
    p->at++;
    d.negative = minus && d.count;
    struct attr *value = make_value(p, ATTR_NUMBER);
    if (!value)
        return NULL;
    value->text = arena_copy(p->arena, text_make(text, decimal_format(&d, text)));
    return value->text.data ? value : partiql_fail_memory(p);
}

static struct attr *parse_string(struct partiql_parser *p)
{
    struct attr *value = make_value(p, ATTR_STRING);
    if (!value)
        return NULL;
    value->text = partiql_unquote(p->arena, partiql_token_text(p));
    p->at++;
    return value->text.data ? value : partiql_fail_memory(p);
}

static struct attr *parse_constant(struct partiql_parser *p)
{
    bool is_null = partiql_word(p) == PARTIQL_NULL;
    struct attr *value = make_value(p, is_null ? ATTR_NULL : ATTR_BOOL);
    if (!value)
        return NULL;
    value->boolean = partiql_word(p) == PARTIQL_TRUE;
    p->at++;
    return value;
}

/* Its own node, since it becomes a child. Beyond the parameters given anything will do: the statement is refused at its end. */
static struct attr *parse_parameter(struct partiql_parser *p)
{
    struct attr *value = make_value(p, ATTR_NULL);
    if (!value)
        return NULL;
    p->at++;
    if (p->used < p->parameters)
        *value = *p->parameter[p->used];
    p->used++;
    value->name = TEXT_NONE;
    value->next = NULL;
    return value;
}

static void link_last(struct attr *parent, struct attr *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

static struct attr *parse_value(struct partiql_parser *p, int levels);

/* The name of a map's member and its colon. */
static bool parse_member_name(struct partiql_parser *p, struct text *name)
{
    if (partiql_peek(p) != PARTIQL_STRING) {
        partiql_fail(p, "Expected an attribute name in single quotes");
        return false;
    }
    *name = partiql_unquote(p->arena, partiql_token_text(p));
    p->at++;
    if (!name->data) {
        partiql_fail_memory(p);
        return false;
    }
    return partiql_expect(p, PARTIQL_COLON, "Expected ':'");
}

static struct attr *parse_elements(struct partiql_parser *p, enum attr_type type, enum partiql_token_type close, int levels)
{
    struct attr *value = make_value(p, type);
    p->at++;
    if (!value || levels >= ITEM_DEPTH_MAX)
        return value ? partiql_fail(p, "Nested too deeply") : NULL;
    if (partiql_accept(p, close))
        return value;
    do {
        struct text name = TEXT_NONE;
        if (type == ATTR_MAP && !parse_member_name(p, &name))
            return NULL;
        struct attr *child = parse_value(p, levels + 1);
        if (!child)
            return NULL;
        child->name = name;
        link_last(value, child);
    } while (partiql_accept(p, PARTIQL_COMMA));
    return partiql_expect(p, close, "Expected ',' or the end of the value") ? value : NULL;
}

/* <<...>> is a set by its first element. */
static struct attr *parse_set(struct partiql_parser *p, int levels)
{
    size_t begin = p->at;
    struct attr *set = parse_elements(p, ATTR_LIST, PARTIQL_CLOSE_SET, levels);
    if (!set || p->used > p->parameters) /* what is missing makes no type: the statement is refused at its end */
        return set;
    size_t end = p->at;
    enum attr_type element = set->first ? set->first->type : ATTR_NULL;
    p->at = begin; /* where a failure points to */
    if (!set->first)
        return partiql_fail(p, "A set may not be empty");
    if (element != ATTR_STRING && element != ATTR_NUMBER && element != ATTR_BINARY)
        return partiql_fail(p, "The elements of a set must be strings, numbers or binary values");
    for (const struct attr *at = set->first; at; at = at->next)
        if (at->type != element)
            return partiql_fail(p, "The elements of a set must be of one type");
    set->type = element == ATTR_STRING ? ATTR_STRING_SET : element == ATTR_NUMBER ? ATTR_NUMBER_SET : ATTR_BINARY_SET;
    p->code = expr_form_value_check(p->env, set);
    if (p->code)
        return NULL;
    p->at = end;
    return set;
}

static struct attr *parse_value(struct partiql_parser *p, int levels)
{
    switch (partiql_peek(p)) {
    case PARTIQL_STRING:
        return parse_string(p);
    case PARTIQL_NUMBER:
    case PARTIQL_PLUS:
    case PARTIQL_MINUS:
        return parse_number(p);
    case PARTIQL_PARAMETER:
        return parse_parameter(p);
    case PARTIQL_OPEN_LIST:
        return parse_elements(p, ATTR_LIST, PARTIQL_CLOSE_LIST, levels);
    case PARTIQL_OPEN_MAP:
        return parse_elements(p, ATTR_MAP, PARTIQL_CLOSE_MAP, levels);
    case PARTIQL_OPEN_SET:
        return parse_set(p, levels);
    default:
        return partiql_at_value(p) ? parse_constant(p) : partiql_fail_word(p);
    }
}

bool partiql_at_value(const struct partiql_parser *p)
{
    switch (partiql_peek(p)) {
    case PARTIQL_STRING:
    case PARTIQL_NUMBER:
    case PARTIQL_PLUS:
    case PARTIQL_MINUS:
    case PARTIQL_PARAMETER:
    case PARTIQL_OPEN_LIST:
    case PARTIQL_OPEN_MAP:
    case PARTIQL_OPEN_SET:
        return true;
    default:
        return partiql_word(p) == PARTIQL_TRUE || partiql_word(p) == PARTIQL_FALSE || partiql_word(p) == PARTIQL_NULL;
    }
}

const struct attr *partiql_value(struct partiql_parser *p)
{
    return parse_value(p, 0);
}
