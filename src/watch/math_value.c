/* What expressions compute with: scalars, series, arrays, and operations of two of them. */
#include "watch/math_tree.h"

#include <math.h>

struct math_value math_scalar(double value)
{
    return (struct math_value){.type = MATH_SCALAR, .scalar = isfinite(value) ? value : NAN};
}

int math_series_make(const struct math_env *env, size_t count, const struct math_series *like, struct math_value *out)
{
    int64_t *time_s = arena_array(env->arena, count ? count : 1, sizeof(*time_s));
    double *value = arena_array(env->arena, count ? count : 1, sizeof(*value));
    *out = (struct math_value){.type = MATH_SERIES};
    if (!time_s || !value)
        return ERR_MEMORY;
    if (like)
        out->series = *like;
    else
        out->series.period_s = env->period_s;
    out->series.time_s = time_s;
    out->series.value = value;
    out->series.count = 0;
    return 0;
}

void math_push(struct math_value *series, int64_t time_s, double value)
{
    struct math_series *s = &series->series;
    if (!isfinite(value))
        return;
    ((int64_t *)(uintptr_t)s->time_s)[s->count] = time_s; /* made by math_series_make: ours to write */
    ((double *)(uintptr_t)s->value)[s->count] = value;
    s->count++;
}

int math_list_make(const struct math_env *env, size_t count, struct math_value *out)
{
    struct math_value *item = arena_array(env->arena, count ? count : 1, sizeof(*item));
    *out = (struct math_value){.type = MATH_LIST, .item = item, .items = count};
    return item ? 0 : ERR_MEMORY;
}

double math_at(const struct math_value *value, int64_t time_s, size_t *hint)
{
    const struct math_series *s = &value->series;
    if (value->type == MATH_SCALAR)
        return value->scalar;
    while (*hint < s->count && s->time_s[*hint] < time_s)
        (*hint)++;
    return *hint < s->count && s->time_s[*hint] == time_s ? s->value[*hint] : NAN;
}

double math_operate(enum math_node node, double a, double b)
{
    if (isnan(a) || isnan(b))
        return NAN;
    switch (node) {
    case NODE_ADD:
        return a + b;
    case NODE_SUBTRACT:
        return a - b;
    case NODE_MULTIPLY:
        return a * b;
    case NODE_DIVIDE:
        return b == 0 ? NAN : a / b;
    case NODE_POWER:
        return pow(a, b);
    case NODE_EQUAL:
        return a == b;
    case NODE_UNEQUAL:
        return a != b;
    case NODE_LESS:
        return a < b;
    case NODE_LESS_EQUAL:
        return a <= b;
    case NODE_GREATER:
        return a > b;
    case NODE_GREATER_EQUAL:
        return a >= b;
    case NODE_AND:
        return a != 0 && b != 0;
    default: /* NODE_OR */
        return a != 0 || b != 0;
    }
}

static int operate_lists(const struct math_env *env, enum math_node node, const struct math_value *a, const struct math_value *b, struct math_value *out)
{
    bool both = a->type == MATH_LIST && b->type == MATH_LIST;
    size_t count = a->type == MATH_LIST ? a->items : b->items;
    if (both && a->items != b->items)
        return ERR_INVALID;
    int code = math_list_make(env, count, out);
    for (size_t i = 0; i < count && !code; i++)
        code = math_operate_values(env, node, a->type == MATH_LIST ? &a->item[i] : a, b->type == MATH_LIST ? &b->item[i] : b,
            (struct math_value *)(uintptr_t)&out->item[i]);
    return code;
}

int math_operate_values(const struct math_env *env, enum math_node node, const struct math_value *a, const struct math_value *b, struct math_value *out)
{
    if (a->type == MATH_LIST || b->type == MATH_LIST)
        return operate_lists(env, node, a, b, out);
    if (a->type == MATH_SCALAR && b->type == MATH_SCALAR) {
        *out = math_scalar(math_operate(node, a->scalar, b->scalar));
        return 0;
    }
    const struct math_value *base = a->type == MATH_SERIES ? a : b;
    size_t at_a = 0, at_b = 0;
    int code = math_series_make(env, base->series.count, &base->series, out);
    for (size_t i = 0; i < base->series.count && !code; i++) {
        int64_t time_s = base->series.time_s[i];
        double left = math_at(a, time_s, &at_a), right = math_at(b, time_s, &at_b);
        math_push(out, time_s, math_operate(node, left, right));
    }
    return code;
}

double math_reduce(enum math_function function, const double *value, size_t count)
{
    double sum = 0, least = INFINITY, most = -INFINITY, squares = 0;
    if (!count)
        return NAN;
    for (size_t i = 0; i < count; i++) {
        sum += value[i];
        least = fmin(least, value[i]);
        most = fmax(most, value[i]);
    }
    for (size_t i = 0; i < count && function == MATH_STDDEV; i++)
        squares += (value[i] - sum / (double)count) * (value[i] - sum / (double)count);
    switch (function) {
    case MATH_AVG:
        return sum / (double)count;
    case MATH_MIN:
        return least;
    case MATH_MAX:
        return most;
    case MATH_STDDEV:
        return sqrt(squares / (double)count);
    default:
        return sum;
    }
}
