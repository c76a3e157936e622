/* Expressions and searches from anywhere: they are read, and evaluated over a few series, within their bounds; what is refused says why. */
#include "watch/math.h"
#include "watch/search.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t times[] = {600, 660, 780, 840};
static const double values[] = {1, -2.5, 0, 1e300};

static int find(void *context, struct text id, struct math_value *value)
{
    (void)context;
    *value = (struct math_value){.type = MATH_SERIES, .series = {.id = id, .period_s = 60, .count = 4, .time_s = times, .value = values}};
    if (id.len && id.data[0] == 's')
        *value = (struct math_value){.type = MATH_SCALAR, .scalar = 3};
    return id.len && id.data[0] == 'z' ? ERR_NOT_FOUND : 0;
}

static int metrics(void *context, struct text filter, struct math_value *list)
{
    static struct math_value item[2];
    find(context, TEXT("m"), &item[0]);
    item[1] = (struct math_value){.type = MATH_SERIES, .series = {.period_s = 60, .count = filter.len & 1, .time_s = times, .value = values}};
    *list = (struct math_value){.type = MATH_LIST, .item = item, .items = 2};
    return 0;
}

static int search(void *context, struct text what, struct text stat, int64_t period_s, struct math_value *list)
{
    (void)what;
    (void)period_s;
    return metrics(context, stat, list);
}

static void evaluate(struct arena *arena, const struct math_expr *expr)
{
    struct err err = {0};
    struct math_value out;
    struct math_env env = {.arena = arena, .start_s = 600, .end_s = 1200, .period_s = 60, .find = find, .metrics = metrics, .search = search};
    int code = math_evaluate(expr, &env, &out, &err);
    if (code && code != ERR_MEMORY && !err.text[0])
        abort();
    for (size_t i = 0; !code && out.type == MATH_SERIES && i < out.series.count; i++)
        if (!isfinite(out.series.value[i]) || (i && out.series.time_s[i - 1] >= out.series.time_s[i]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct watch_dimension dimension = {{"Handler", 7}, {"message", 7}};
    static const struct watch_name name = {{"riddle-rush-dev", 15}, {"HandlerDuration", 15}, &dimension, 1};
    struct arena arena;
    struct err err = {0};
    const struct math_expr *expr;
    const struct watch_search *found;
    arena_init(&arena, 4096, 4 << 20);
    int code = math_parse(&arena, text_make(data, size), &expr, &err);
    if (!code)
        evaluate(&arena, expr);
    else if (!err.text[0])
        abort();
    err.text[0] = 0;
    code = watch_search_parse(&arena, text_make(data, size), &found, &err);
    if (!code)
        watch_search_matches(found, &name);
    else if (code != ERR_MEMORY && !err.text[0])
        abort();
    arena_fini(&arena);
    return 0;
}
