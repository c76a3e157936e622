/*
 * Metric filters: new events become data points, in the tick that stores them: both are durable, or neither is.
 *
 * A filter is kept as the wire's JSON. What is made of it, patterns and all, is remembered for the group until its filters change, within LOG_FILTERS_CACHED_MAX for all
 * groups together. What a filter cannot make a number of makes no data point, and one that the metrics refuse (a series too many, a time out of their window) never refuses the
 * log line.
 *
 * The default value stands for a put without a match, once.
 */
#include "watch/log_inside.h"

#include "base/json.h"
#include "watch/metric.h"
#include "watch/pattern.h"

#include <math.h>
#include <stdlib.h>

#define DIMENSIONS_MAX 3 /* of one filter, as AWS has it */
#define SCRATCH_BYTES ((size_t)16 << 20)

struct metrics {
    struct tick *tick;
    struct arena *arena; /* of messages and points; rewound */
    const struct watch_log_event *event;
    size_t count;
};

struct filter {
    struct watch_pattern *pattern;
    struct text space, name, value;
    const struct json *dimensions;
    unsigned unit;
    bool has_default;
    double otherwise;
    struct filter *next;
};
struct log_filters { /* of one group */
    char id[8];
    struct arena arena;
    struct filter *first, *last;
    const struct log_subscription *subscription;
    int code;
};

static bool to_number(struct text text, double *out)
{
    char copy[128], *end;
    if (!text.len || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    *out = strtod(copy, &end);
    return end != copy && !*end && isfinite(*out);
}

static struct text member(const struct json *object, const char *name)
{
    const struct json *found = json_get_str(object, name);
    return json_is(found, JSON_STRING) ? found->text : TEXT_NONE;
}

/* NULL: it makes no data points, or *code is not 0. */
static struct filter *read_filter(struct arena *arena, struct text row, int *code)
{
    const struct json *root;
    struct err err = {0};
    struct filter *filter = arena_zalloc(arena, sizeof(*filter));
    struct text kept = arena_copy(arena, row);
    *code = filter && kept.data ? json_parse(arena, kept, 0, &root, NULL) : ERR_MEMORY;
    if (*code)
        return NULL;
    *code = watch_pattern_parse(arena, member(root, "filterPattern"), &filter->pattern, &err);
    const struct json *to = json_at(json_get_str(root, "metricTransformations"), 0), *otherwise = json_get_str(to, "defaultValue");
    filter->space = member(to, "metricNamespace");
    filter->name = member(to, "metricName");
    filter->value = member(to, "metricValue");
    filter->dimensions = json_get_str(to, "dimensions");
    int unit = watch_unit_find(member(to, "unit"));
    filter->unit = unit < 0 ? WATCH_UNIT_NONE : (unsigned)unit;
    filter->has_default = otherwise && !json_to_double(otherwise, &filter->otherwise);
    return !*code && to ? filter : NULL;
}

static int on_filter(void *context, struct text name, struct text value)
{
    struct log_filters *filters = context;
    struct filter *filter = read_filter(&filters->arena, value, &filters->code);
    (void)name;
    if (filter && filters->last)
        filters->last->next = filter;
    else if (filter)
        filters->first = filter;
    filters->last = filter ? filter : filters->last;
    return filters->code == ERR_MEMORY ? ERR_MEMORY : 0; /* one that cannot be read is as if it were not there */
}

void log_filters_free(struct log_filters *filters)
{
    arena_fini(&filters->arena);
    free(filters);
}

static int compile(struct tick *tick, const struct watch_log_group *group, struct log_filters **out)
{
    struct log_filters *filters = calloc(1, sizeof(*filters));
    struct arena rows;
    if (!filters)
        return ERR_MEMORY;
    memcpy(filters->id, &group->id, sizeof(filters->id));
    arena_init(&filters->arena, 4096, LOG_FILTERS_BYTES_MAX);
    arena_init(&rows, 4096, SCRATCH_BYTES);
    int code = watch_log_filter_each(tick_view(tick), &rows, group, TEXT_NONE, TEXT_NONE, on_filter, filters);
    arena_fini(&rows);
    if (!code && group->subscriptions)
        code = log_subscriptions_read(tick, group, &filters->arena, &filters->subscription);
    if (code)
        log_filters_free(filters);
    else
        *out = filters;
    return code;
}

void log_filters_forget(struct log_house *house)
{
    struct log_filters *filters;
    for (size_t at = 0; (filters = map_next(&house->filters, &at));)
        log_filters_free(filters);
    map_fini(&house->filters);
    map_init(&house->filters);
    house->filters_bytes = 0;
}

int log_filters_of(struct tick *tick, struct log_house *house, const struct watch_log_group *group, struct log_filters **out)
{
    char id[8];
    memcpy(id, &group->id, sizeof(id));
    *out = map_get(&house->filters, text_make(id, sizeof(id)));
    if (*out)
        return 0;
    int code = compile(tick, group, out);
    if (code)
        return code;
    if (house->filters_bytes + (*out)->arena.used > LOG_FILTERS_CACHED_MAX)
        log_filters_forget(house);
    house->filters_bytes += (*out)->arena.used;
    code = map_put(&house->filters, text_make((*out)->id, sizeof(id)), *out, NULL);
    if (code)
        log_filters_free(*out);
    return code;
}

const struct log_subscription *log_filters_subscriptions(const struct log_filters *filters)
{
    return filters->subscription;
}

/* ---- events ---- */

static int put_point(struct metrics *m, const struct filter *filter, int64_t time_ms, double value, const struct watch_dimension *dimension, size_t dimensions)
{
    struct err err = {0};
    struct watch_point point = {.name = {.space = filter->space, .name = filter->name, .dimension = dimension, .dimensions = dimensions}, .time_ms = time_ms,
        .unit = filter->unit, .value = &value, .values = 1};
    int code = watch_metric_put(m->tick, m->arena, &point, &err);
    return code == ERR_FULL || code == ERR_INVALID ? 0 : code;
}

/* ERR_NOT_FOUND: the event lacks what the filter takes. */
static int values_of(struct metrics *m, const struct filter *filter, struct text message, double *value, struct watch_dimension *dimension, size_t *dimensions)
{
    struct text text = filter->value;
    int code = 0;
    *dimensions = 0;
    if (text.len && text.data[0] == '$')
        code = watch_pattern_select(filter->pattern, text, message, m->arena, &text);
    if (!code && !to_number(text, value))
        code = ERR_NOT_FOUND;
    const struct json *at = json_is(filter->dimensions, JSON_OBJECT) ? filter->dimensions->first : NULL;
    for (; at && !code && *dimensions < DIMENSIONS_MAX; at = at->next) {
        struct watch_dimension *mine = &dimension[(*dimensions)++];
        mine->name = at->name;
        code = watch_pattern_select(filter->pattern, at->text, message, m->arena, &mine->value);
    }
    return code == ERR_SYNTAX ? ERR_NOT_FOUND : code;
}

static int take_event(struct metrics *m, const struct filter *filter, const struct watch_log_event *event, bool *matched)
{
    struct watch_dimension dimension[DIMENSIONS_MAX];
    struct arena_mark mark = arena_mark(m->arena);
    size_t dimensions;
    double value;
    int holds = watch_pattern_match(filter->pattern, event->message, m->arena);
    if (holds <= 0)
        return holds == ERR_MEMORY ? 0 : holds; /* a message with more JSON than that holds matches nothing */
    *matched = true;
    int code = values_of(m, filter, event->message, &value, dimension, &dimensions);
    if (!code)
        code = put_point(m, filter, event->place.time_ms, value, dimension, dimensions);
    arena_rewind(m->arena, mark);
    return code == ERR_NOT_FOUND ? 0 : code;
}

static int take_filter(struct metrics *m, const struct filter *filter)
{
    bool matched = false;
    int code = 0;
    for (size_t i = 0; i < m->count && !code; i++)
        code = take_event(m, filter, &m->event[i], &matched);
    if (!code && !matched && filter->has_default && m->count)
        code = put_point(m, filter, m->event[m->count - 1].place.time_ms, filter->otherwise, NULL, 0);
    return code;
}

int log_metrics_put(struct tick *tick, struct log_house *house, const struct watch_log_group *group, const struct watch_log_event *event, size_t count)
{
    struct log_filters *filters;
    struct metrics m = {.tick = tick, .arena = &house->arena, .event = event, .count = count};
    int code = log_filters_of(tick, house, group, &filters);
    for (const struct filter *filter = code ? NULL : filters->first; filter && !code; filter = filter->next)
        code = take_filter(&m, filter);
    return code;
}
