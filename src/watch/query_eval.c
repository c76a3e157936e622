/*
 * Expressions on a row. What is missing is nothing: arithmetic on nothing is nothing, comparisons with nothing are false but for !=, and a filter wants true. So `x != 5` and
 * `not (x = 5)` are the same, as are `x not like y` and `not (x like y)`.
 */
#include "watch/query_inside.h"

#include <math.h>

static struct query_value arithmetic(enum query_op op, const struct query_value *a, const struct query_value *b)
{
    double x, y, out;
    if (!query_to_number(a, &x) || !query_to_number(b, &y))
        return QUERY_NOTHING;
    switch (op) {
    case OP_ADD:
        out = x + y;
        break;
    case OP_SUB:
        out = x - y;
        break;
    case OP_MUL:
        out = x * y;
        break;
    case OP_DIV:
        out = x / y;
        break;
    case OP_MOD:
        out = fmod(x, y);
        break;
    default:
        out = pow(x, y);
        break;
    }
    return isfinite(out) ? query_number(out) : QUERY_NOTHING;
}

static bool holds(enum query_op op, const struct query_value *a, const struct query_value *b)
{
    if (a->type == QUERY_NONE || b->type == QUERY_NONE)
        return op == OP_NE && a->type != b->type;
    int order = query_compare(a, b);
    switch (op) {
    case OP_EQ:
        return order == 0;
    case OP_NE:
        return order != 0;
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

static bool is_in(struct query_row *row, const struct query_node *node)
{
    struct query_value left = query_eval(row, node->args[0]);
    for (size_t i = 1; i < node->count; i++) {
        struct query_value right = query_eval(row, node->args[i]);
        if (holds(OP_EQ, &left, &right))
            return true;
    }
    return false;
}

static bool matches(struct query_row *row, const struct query_node *node)
{
    char room[QUERY_TEXT_ROOM];
    struct query_value left = query_eval(row, node->args[0]);
    return left.type != QUERY_NONE && query_pattern_find(node->pattern, row->run->matcher, query_to_text(&left, room));
}

static bool contains(struct query_row *row, const struct query_node *node)
{
    char room[QUERY_TEXT_ROOM], needle[QUERY_TEXT_ROOM];
    struct query_value left = query_eval(row, node->args[0]), right = query_eval(row, node->args[1]);
    return left.type != QUERY_NONE && right.type != QUERY_NONE && query_find_text(query_to_text(&left, room), query_to_text(&right, needle), 0) >= 0;
}

static bool logic(struct query_row *row, const struct query_node *node)
{
    bool and = node->op == OP_AND;
    for (size_t i = 0; i < node->count; i++) {
        struct query_value value = query_eval(row, node->args[i]);
        if (query_to_bool(&value) != and)
            return !and;
    }
    return and;
}

struct query_value query_eval(struct query_row *row, const struct query_node *node)
{
    struct query_value a, b;
    switch (node->op) {
    case OP_LITERAL:
        return node->value;
    case OP_SLOT:
        return query_slot_value(row, node->slot);
    case OP_AGGREGATE:
        return row->aggregate ? row->aggregate[node->slot] : QUERY_NOTHING;
    case OP_CALL:
        return query_call(row, node);
    case OP_PATH:
        a = query_eval(row, node->args[0]);
        return a.type == QUERY_TEXT ? query_json_at(&row->run->arena, a.text, node->value.text) : QUERY_NOTHING;
    case OP_AND:
    case OP_OR:
        return query_bool(logic(row, node));
    case OP_NOT:
        a = query_eval(row, node->args[0]);
        return query_bool(!query_to_bool(&a));
    case OP_MATCH:
        return query_bool(matches(row, node));
    case OP_CONTAINS:
        return query_bool(contains(row, node));
    case OP_IN:
        return query_bool(is_in(row, node));
    case OP_NEGATE:
        a = query_number(0);
        b = query_eval(row, node->args[0]);
        return arithmetic(OP_SUB, &a, &b);
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
    case OP_MOD:
    case OP_POW:
        a = query_eval(row, node->args[0]);
        b = query_eval(row, node->args[1]);
        return arithmetic(node->op, &a, &b);
    case OP_EQ:
    case OP_NE:
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE:
        a = query_eval(row, node->args[0]);
        b = query_eval(row, node->args[1]);
        return query_bool(holds(node->op, &a, &b));
    }
    return QUERY_NOTHING;
}
