/* The walk over an expression's tree. */
#include "watch/math_tree.h"

#include <math.h>

static int evaluate_id(const struct math_expr *expr, const struct math_env *env, struct math_value *out, struct err *err)
{
    int code = env->find(env->context, expr->text, out);
    return code == ERR_NOT_FOUND ? err_set(err, code, "There is no query with the id %.*s", TEXT_FMT(expr->text)) : code;
}

static int evaluate_list(const struct math_expr *expr, const struct math_env *env, struct math_value *out, struct err *err)
{
    size_t count = 0, at = 0;
    struct math_value *part = arena_array(env->arena, expr->count ? expr->count : 1, sizeof(*part));
    if (!part)
        return ERR_MEMORY;
    for (const struct math_expr *e = expr->first; e; e = e->next, at++) {
        int code = math_evaluate(e, env, &part[at], err);
        if (code)
            return code;
        count += part[at].type == MATH_LIST ? part[at].items : 1; /* arrays in arrays are one array */
    }
    if (count > MATH_LIST_MAX)
        return err_set(err, ERR_INVALID, "An array has at most %d elements", MATH_LIST_MAX);
    int code = math_list_make(env, count, out);
    struct math_value *to = (struct math_value *)(uintptr_t)out->item;
    for (size_t i = 0; i < at && !code; i++) {
        bool list = part[i].type == MATH_LIST;
        for (size_t k = 0; k < (list ? part[i].items : 1); k++)
            *to++ = list ? part[i].item[k] : part[i];
    }
    return code;
}

static int evaluate_operation(const struct math_expr *expr, const struct math_env *env, struct math_value *out, struct err *err)
{
    struct math_value a, b = math_scalar(-1);
    int code = math_evaluate(expr->first, env, &a, err);
    if (!code && expr->node != NODE_NEGATE)
        code = math_evaluate(expr->first->next, env, &b, err);
    if (!code)
        code = math_operate_values(env, expr->node == NODE_NEGATE ? NODE_MULTIPLY : expr->node, &a, &b, out);
    return code == ERR_INVALID && err && !err->text[0] ? err_set(err, code, "Two arrays of different lengths do not go together") : code;
}

int math_evaluate(const struct math_expr *expr, const struct math_env *env, struct math_value *out, struct err *err)
{
    switch (expr->node) {
    case NODE_NUMBER:
        *out = math_scalar(expr->number);
        return 0;
    case NODE_ID:
        return evaluate_id(expr, env, out, err);
    case NODE_TEXT:
        return err_set(err, ERR_TYPE, "A text stands where a number or a time series should");
    case NODE_LIST:
        return evaluate_list(expr, env, out, err);
    case NODE_CALL:
        return math_call(expr, env, out, err);
    default:
        return evaluate_operation(expr, env, out, err);
    }
}
