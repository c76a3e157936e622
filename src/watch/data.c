/*
 * Queries that refer to each other, evaluated on demand. An expression that fails takes those with it that name it, and the blame stays with the one whose text is wrong, so that a
 * person is sent to the right line.
 */
#include "watch/data.h"

#include "base/clock.h"
#include "watch/insight.h"
#include "watch/math_tree.h"
#include "watch/select.h"
#include <stdarg.h>
#include <stdio.h>

bool watch_data_id_valid(struct text id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];
        bool lower = c >= 'a' && c <= 'z', other = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!lower && !(i && other))
            return false;
    }
    return id.len > 0;
}

int watch_data_fail(struct watch_data *data, struct watch_data_query *query, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (query->state == WATCH_DATA_FAILED)
        return ERR_INVALID;
    query->state = WATCH_DATA_FAILED;
    query->why = arena_copy(data->arena, text_of(text));
    query->blamed = query->id;
    query->value = (struct math_value){.type = MATH_LIST};
    return query->why.data ? ERR_INVALID : ERR_MEMORY;
}

int watch_data_parse(struct arena *arena, struct watch_data_query *query, struct err *err)
{
    if (!query->expression.len || query->expr || query->select)
        return 0;
    return watch_select_is(query->expression) ? watch_select_parse(arena, query->expression, &query->select, err) : math_parse(arena, query->expression, &query->expr, err);
}

int64_t watch_data_finest(const struct watch_data *data)
{
    int64_t finest = 0;
    for (size_t i = 0; i < data->count; i++)
        if (!data->query[i].expression.len && data->query[i].period_s && (!finest || data->query[i].period_s < finest))
            finest = data->query[i].period_s;
    return finest ? finest : WATCH_DATA_PERIOD;
}

/* ---- what expressions ask for ---- */

static int use(struct watch_data *data, struct watch_data_query *query, struct math_value *value)
{
    int code = watch_data_ready(data, query);
    *value = query->value;
    if (code || query->state == WATCH_DATA_READY)
        return code;
    if (data->at && data->at->state != WATCH_DATA_FAILED) {
        data->at->state = WATCH_DATA_FAILED;
        data->at->why = query->why;
        data->at->blamed = query->blamed;
    }
    return ERR_INVALID;
}

static int on_find(void *context, struct text id, struct math_value *value)
{
    struct watch_data *data = context;
    for (size_t i = 0; i < data->count; i++)
        if (data->query[i].id.len && text_equal(data->query[i].id, id))
            return use(data, &data->query[i], value);
    return ERR_NOT_FOUND;
}

static bool holds(struct text text, struct text part)
{
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (text_equal(text_make(text.data + i, part.len), part))
            return true;
    return !part.len;
}

static int on_metrics(void *context, struct text filter, struct math_value *list)
{
    struct watch_data *data = context;
    struct math_value *item = arena_array(data->arena, data->count + 1, sizeof(*item));
    size_t count = 0;
    int code = item ? 0 : ERR_MEMORY;
    for (size_t i = 0; i < data->count && !code; i++)
        if (!data->query[i].expression.len && holds(data->query[i].id, filter))
            code = use(data, &data->query[i], &item[count++]);
    *list = (struct math_value){.type = MATH_LIST, .item = item, .items = code ? 0 : count};
    return code;
}

static int on_search(void *context, struct text what, struct text stat, int64_t period_s, struct math_value *list)
{
    return watch_data_search(context, what, stat, period_s, list);
}

static int on_band(void *context, const struct math_expr *what, double width, struct math_value *list, struct err *err)
{
    return watch_data_band(context, what, width, list, err);
}

static int on_rule(void *context, struct text rule, struct text metric, struct math_value *series, struct err *err)
{
    return watch_insight_series(context, rule, metric, series, err);
}

/* ---- evaluating ---- */

/* A failure of the machine is passed on; one of the expression is the query's. */
static bool is_broken(int code)
{
    return code == ERR_MEMORY || code == ERR_CORRUPT || code == ERR_IO || code == ERR_COLD;
}

int watch_data_evaluate(struct watch_data *data, struct watch_data_query *query, const struct math_expr *expr, struct math_value *out, struct err *err)
{
    struct watch_data_query *outer = data->at;
    struct math_env env = {.arena = data->arena, .start_s = data->start_s, .end_s = data->end_s, .period_s = query->period_s, .context = data, .find = on_find, .metrics = on_metrics,
        .search = data->no_search ? NULL : on_search, .band = on_band, .rule = on_rule};
    data->at = query;
    int code = math_evaluate(expr, &env, out, err);
    data->at = outer;
    return code;
}

static int evaluate(struct watch_data *data, struct watch_data_query *query)
{
    struct err err = {0};
    if (!query->period_s)
        query->period_s = watch_data_finest(data);
    int code = watch_data_parse(data->arena, query, &err);
    if (!code && query->select)
        return watch_data_select(data, query);
    if (!code)
        code = watch_data_evaluate(data, query, query->expr, &query->value, &err);
    if (is_broken(code))
        return code;
    if (code)
        return watch_data_fail(data, query, "%s", err.text[0] ? err.text : err_text(code));
    if (query->value.type == MATH_SERIES)
        query->value.series.label = TEXT_NONE; /* by itself an expression is called by its id, not as one of its operands */
    return 0;
}

int watch_data_ready(struct watch_data *data, struct watch_data_query *query)
{
    if (query->state >= WATCH_DATA_READY)
        return 0;
    if (query->state == WATCH_DATA_ASKED || data->depth == WATCH_DATA_DEPTH_MAX)
        return watch_data_fail(data, query, "expressions refer to each other in a circle, or more than %d deep", WATCH_DATA_DEPTH_MAX) == ERR_MEMORY ? ERR_MEMORY : 0;
    query->state = WATCH_DATA_ASKED;
    query->seen = -1;
    data->depth++;
    int code = query->expression.len ? evaluate(data, query) : watch_data_read(data, query);
    data->depth--;
    if (query->state == WATCH_DATA_ASKED && !code)
        query->state = WATCH_DATA_READY;
    return is_broken(code) ? code : 0;
}
