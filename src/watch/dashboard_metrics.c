/* The array "metrics" of a widget: its entries with the shorthand filled in. "." is what stands at the same place of the metric above, "..." all that is left out. */
#include "watch/dashboard.h"

#define PARTS_MAX (2 + 2 * WATCH_DIMENSIONS_MAX)

struct parts {
    struct text part[PARTS_MAX];
    size_t count;
};

/* Of `here`, with `above` for what it leaves out. The texts of one entry, its options aside. */
static int fill_in(const struct json *entry, const struct parts *above, struct parts *here)
{
    const struct json *first = entry->first;
    here->count = 0;
    if (first && first->type == JSON_STRING && text_is(first->text, "...")) {
        size_t own = 0;
        for (const struct json *value = first->next; value && value->type == JSON_STRING; value = value->next)
            own++;
        if (own > above->count)
            return ERR_INVALID;
        for (; here->count < above->count - own; here->count++)
            here->part[here->count] = above->part[here->count];
        first = first->next;
    }
    for (const struct json *value = first; value && value->type == JSON_STRING; value = value->next) {
        bool same = text_is(value->text, ".");
        if (here->count == PARTS_MAX || (same && here->count >= above->count))
            return ERR_INVALID;
        here->part[here->count] = same ? above->part[here->count] : value->text;
        here->count++;
    }
    return here->count >= 2 && here->count % 2 == 0 ? 0 : ERR_INVALID;
}

static int name_of(struct arena *arena, const struct parts *parts, struct watch_name *name)
{
    size_t dimensions = (parts->count - 2) / 2;
    struct watch_dimension *dimension = arena_array(arena, dimensions + 1, sizeof(*dimension));
    if (!dimension)
        return ERR_MEMORY;
    for (size_t i = 0; i < dimensions; i++)
        dimension[i] = (struct watch_dimension){parts->part[2 + 2 * i], parts->part[3 + 2 * i]};
    *name = (struct watch_name){parts->part[0], parts->part[1], dimension, dimensions};
    return 0;
}

static const struct json *options_of(const struct json *entry)
{
    const struct json *last = entry->count ? json_at(entry, entry->count - 1) : NULL;
    return json_is(last, JSON_OBJECT) ? last : NULL;
}

int dashboard_metrics_each(struct arena *arena, const struct json *metrics, int (*visit)(void *context, const struct dashboard_metric *metric), void *context)
{
    struct parts parts[2] = {{.count = 0}, {.count = 0}};
    unsigned above = 0;
    int code = 0;
    for (const struct json *entry = metrics->first; entry && !code; entry = entry->next) {
        struct dashboard_metric metric = {.options = options_of(entry)};
        const struct json *expression = json_get_str(metric.options, "expression");
        if (entry->type != JSON_ARRAY)
            return ERR_INVALID;
        if (entry->count == 1 && json_is(expression, JSON_STRING) && expression->text.len) {
            metric.expression = expression->text;
        } else {
            code = fill_in(entry, &parts[above], &parts[!above]);
            above = !above;
            if (!code)
                code = name_of(arena, &parts[above], &metric.name);
        }
        if (!code)
            code = visit(context, &metric);
    }
    return code;
}
