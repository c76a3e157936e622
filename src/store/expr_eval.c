/*
 * Conditions on items.
 *
 * An operand that is absent makes every comparison false, but for `<>`: what does not exist is not equal, as
 * in DynamoDB (a filter
 * `#s <> :deleted` keeps the items without #s). NOT negates whatever came out. Types are never converted:
 * values of different types are unequal and have no order.
 *
 * Nothing here allocates (attr_equal, for maps and sets in different orders, does so by itself); the result
 * of size() lives in the caller's frame.
 */
#include "store/expr_tree.h"

#include <stdio.h>

/* ---- paths and values ---- */

static const struct attr *step_into(const struct attr *value, const struct expr_step *step)
{
    if (!step->is_index)
        return item_get(value, step->name);
    if (value->type != ATTR_LIST || step->index >= value->count)
        return NULL;
    const struct attr *at = value->first;
    for (uint32_t i = 0; i < step->index; i++)
        at = at->next;
    return at;
}

const struct attr *expr_path_find(const struct expr_node *path, size_t steps, const struct attr *item)
{
    for (size_t i = 0; i < steps && item; i++)
        item = step_into(item, &path->step[i]);
    return item;
}

bool expr_value_order(const struct attr *a, const struct attr *b, int *order)
{
    struct decimal x, y;
    if (a->type != b->type)
        return false;
    if (a->type == ATTR_STRING || a->type == ATTR_BINARY) {
        *order = text_compare(a->text, b->text);
        return true;
    }
    if (a->type != ATTR_NUMBER || decimal_parse(a->text, &x) || decimal_parse(b->text, &y))
        return false;
    *order = decimal_compare(&x, &y);
    return true;
}

bool expr_set_has(const struct attr *set, struct text element)
{
    for (const struct attr *at = set->first; at; at = at->next)
        if (text_equal(at->text, element))
            return true;
    return false;
}

/* ---- operands ---- */

struct scratch {
    struct attr value;
    char digits[24];
};

/* UTF-16 units, which is what the length of a string is to DynamoDB. */
static size_t string_length(struct text text)
{
    size_t length = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        length += (c & 0xC0) != 0x80;
        length += c >= 0xF0;
    }
    return length;
}

static bool size_of(const struct attr *value, size_t *size)
{
    switch (value->type) {
    case ATTR_NULL:
    case ATTR_BOOL:
    case ATTR_NUMBER:
        return false;
    case ATTR_STRING:
        *size = string_length(value->text);
        return true;
    case ATTR_BINARY:
        *size = value->text.len;
        return true;
    default:
        *size = value->count;
        return true;
    }
}

/* NULL when the operand is absent. */
static const struct attr *operand(
    const struct expr_node *node, const struct attr *item, struct scratch *scratch)
{
    size_t size;
    if (node->op == OP_VALUE)
        return node->value;
    if (node->op == OP_PATH)
        return expr_path_find(node, node->count, item);
    const struct attr *of = operand(node->first, item, scratch);
    if (!of || !size_of(of, &size))
        return NULL;
    int len = snprintf(scratch->digits, sizeof(scratch->digits), "%zu", size);
    scratch->value = (struct attr){.type = ATTR_NUMBER, .text = text_make(scratch->digits, (size_t)len)};
    return &scratch->value;
}

/* ---- comparisons and functions ---- */

static bool ordered(enum expr_op op, const struct attr *a, const struct attr *b)
{
    int order;
    if (!expr_value_order(a, b, &order))
        return false;
    switch (op) {
    case OP_LT:
        return order < 0;
    case OP_LE:
        return order <= 0;
    case OP_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool eval_comparison(const struct expr_node *node, const struct attr *item)
{
    struct scratch left, right;
    const struct attr *a = operand(node->first, item, &left), *b = operand(node->last, item, &right);
    if (node->op == OP_NE)
        return !a || !b || !attr_equal(a, b);
    if (!a || !b)
        return false;
    return node->op == OP_EQ ? attr_equal(a, b) : ordered(node->op, a, b);
}

static bool eval_between(const struct expr_node *node, const struct attr *item)
{
    struct scratch scratch[3];
    const struct attr *value = operand(node->first, item, &scratch[0]);
    const struct attr *low = operand(node->first->next, item, &scratch[1]);
    const struct attr *high = operand(node->last, item, &scratch[2]);
    return value && low && high && ordered(OP_GE, value, low) && ordered(OP_LE, value, high);
}

static bool eval_in(const struct expr_node *node, const struct attr *item)
{
    struct scratch left, right;
    const struct attr *value = operand(node->first, item, &left);
    for (const struct expr_node *at = node->first->next; at && value; at = at->next) {
        const struct attr *other = operand(at, item, &right);
        if (other && attr_equal(value, other))
            return true;
    }
    return false;
}

static bool list_has(const struct attr *list, const struct attr *value)
{
    for (const struct attr *at = list->first; at; at = at->next)
        if (attr_equal(at, value))
            return true;
    return false;
}

static bool contains(const struct attr *value, const struct attr *part)
{
    switch (value->type) {
    case ATTR_STRING:
    case ATTR_BINARY:
        return part->type == value->type && (!part->text.len || memmem(value->text.data, value->text.len,
                                                                    part->text.data, part->text.len));
    case ATTR_STRING_SET:
        return part->type == ATTR_STRING && expr_set_has(value, part->text);
    case ATTR_NUMBER_SET:
        return part->type == ATTR_NUMBER && expr_set_has(value, part->text);
    case ATTR_BINARY_SET:
        return part->type == ATTR_BINARY && expr_set_has(value, part->text);
    case ATTR_LIST:
        return list_has(value, part);
    default:
        return false;
    }
}

static bool begins(const struct attr *value, const struct attr *prefix)
{
    return value->type == prefix->type && (value->type == ATTR_STRING || value->type == ATTR_BINARY) &&
           text_starts(value->text, prefix->text);
}

static bool eval_function(const struct expr_node *node, const struct attr *item)
{
    struct scratch first, second;
    const struct attr *a = operand(node->first, item, &first);
    if (node->op == OP_EXISTS || node->op == OP_NOT_EXISTS)
        return (node->op == OP_EXISTS) == (a != NULL);
    const struct attr *b = operand(node->last, item, &second);
    if (!a || !b)
        return false;
    if (node->op == OP_TYPE)
        return text_is(b->text, expr_type_name(a->type));
    return node->op == OP_BEGINS ? begins(a, b) : contains(a, b);
}

static bool eval(const struct expr_node *node, const struct attr *item)
{
    bool negated = false;
    for (; node->op == OP_NOT; node = node->first)
        negated = !negated;
    bool holds;
    switch (node->op) {
    case OP_OR:
    case OP_AND:
        holds = node->op == OP_AND;
        for (const struct expr_node *at = node->first; at && holds == (node->op == OP_AND); at = at->next)
            holds = eval(at, item);
        break;
    case OP_BETWEEN:
        holds = eval_between(node, item);
        break;
    case OP_IN:
        holds = eval_in(node, item);
        break;
    default:
        holds = node->op < OP_BETWEEN ? eval_comparison(node, item) : eval_function(node, item);
    }
    return holds != negated;
}

bool expr_condition_eval(const struct expr_condition *condition, const struct attr *item)
{
    return !condition || eval(condition->root, item);
}
