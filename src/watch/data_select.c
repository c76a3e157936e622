/*
 * Metrics Insights carried out: the metrics that match are put in order of their groups, and each group is added up by period in one table of cells that all groups use in turn. What
 * is added up are the figures of periods (count, sum, least, greatest), so AVG is the mean of the observations and not of the metrics' means.
 */
#include "watch/data.h"

#include "base/clock.h"
#include "watch/select.h"
#include <math.h>
#include <stdlib.h>

struct matched {
    const struct watch_select *select;
    struct watch_data *data;
    const struct watch_name **name;  /* their group's values stand in `key`, side by side */
    struct text **key;
    size_t count, room;
    int64_t since_ms;
    bool more;
};
struct entry {
    const struct watch_name *name;
    const struct text *key;
    size_t groups;
};
struct cell {
    double count, sum, min, max;
};
struct adding {
    struct cell *cell;
    int64_t start_s, period_s;
    size_t cells;
};
struct ranked {
    struct math_value value;
    double figure;
    size_t place;
};

/* ---- which metrics ---- */

static int make_room(struct matched *matched)
{
    size_t room = matched->room ? matched->room * 2 : 64;
    const struct watch_name **name = arena_array(matched->data->arena, room, sizeof(*name));
    struct text **key = arena_array(matched->data->arena, room, sizeof(*key));
    if (!name || !key)
        return ERR_MEMORY;
    if (matched->count) {
        memcpy(name, matched->name, matched->count * sizeof(*name));
        memcpy(key, matched->key, matched->count * sizeof(*key));
    }
    matched->name = name;
    matched->key = key;
    matched->room = room;
    return 0;
}

static struct text value_of(const struct watch_name *name, struct text key)
{
    for (size_t i = 0; i < name->dimensions; i++)
        if (text_equal(name->dimension[i].name, key))
            return name->dimension[i].value;
    return TEXT("Other");
}

static int on_series(void *context, struct text place, const struct watch_series *series)
{
    struct matched *matched = context;
    struct arena *arena = matched->data->arena;
    (void)place;
    if (series->seen_ms < matched->since_ms || !watch_select_matches(matched->select, &series->name))
        return 0;
    matched->more = matched->count == WATCH_SELECT_METRICS_MAX;
    if (matched->more)
        return 1;
    struct watch_name *name = arena_alloc(arena, sizeof(*name));
    struct text *key = arena_array(arena, matched->select->groups + 1, sizeof(*key));
    int code = name && key ? watch_name_copy(arena, &series->name, name) : ERR_MEMORY;
    if (!code && matched->count == matched->room)
        code = make_room(matched);
    if (code)
        return code;
    for (size_t i = 0; i < matched->select->groups; i++)
        key[i] = value_of(name, matched->select->group[i]);
    matched->name[matched->count] = name;
    matched->key[matched->count++] = key;
    return 0;
}

static int by_group(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = 0;
    for (size_t i = 0; i < x->groups && !order; i++)
        order = text_compare(x->key[i], y->key[i]);
    return order;
}

/* ---- adding up ---- */

static int on_period(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    struct adding *adding = context;
    int64_t at = (start_s - adding->start_s) / adding->period_s;
    (void)unit;
    if (start_s < adding->start_s || at >= (int64_t)adding->cells || summary->count <= 0)
        return 0;
    struct cell *cell = &adding->cell[at];
    cell->min = cell->count > 0 ? fmin(cell->min, summary->min) : summary->min;
    cell->max = cell->count > 0 ? fmax(cell->max, summary->max) : summary->max;
    cell->count += summary->count;
    cell->sum += summary->sum;
    return 0;
}

static double of_cell(enum watch_select_function function, const struct cell *cell)
{
    switch (function) {
    case SELECT_AVG:
        return cell->sum / cell->count;
    case SELECT_COUNT:
        return cell->count;
    case SELECT_MAX:
        return cell->max;
    case SELECT_MIN:
        return cell->min;
    default:
        return cell->sum;
    }
}

static int make_series(struct watch_data *data, const struct watch_select *select, const struct adding *adding, struct math_series *out)
{
    size_t count = 0, at = 0;
    for (size_t i = 0; i < adding->cells; i++)
        count += adding->cell[i].count > 0;
    int64_t *time_s = arena_array(data->arena, count + 1, sizeof(*time_s));
    double *value = arena_array(data->arena, count + 1, sizeof(*value));
    if (!time_s || !value)
        return ERR_MEMORY;
    for (size_t i = 0; i < adding->cells; i++) {
        double figure = adding->cell[i].count > 0 ? of_cell(select->function, &adding->cell[i]) : NAN;
        if (!isfinite(figure))
            continue;
        time_s[at] = adding->start_s + (int64_t)i * adding->period_s;
        value[at++] = figure;
    }
    out->period_s = adding->period_s;
    out->count = at;
    out->time_s = time_s;
    out->value = value;
    return 0;
}

static double rank_of(const struct watch_select *select, const struct math_series *series)
{
    struct cell all = {0};
    for (size_t i = 0; i < series->count; i++) {
        all.min = i ? fmin(all.min, series->value[i]) : series->value[i];
        all.max = i ? fmax(all.max, series->value[i]) : series->value[i];
        all.sum += series->value[i];
        all.count++;
    }
    return all.count > 0 ? of_cell(select->order, &all) : NAN;
}

/* What its dimensions are called for labels: those that it is grouped by. */
static int name_group(struct watch_data *data, const struct watch_select *select, const struct text *key, struct math_series *out)
{
    struct watch_data_source *source = arena_alloc(data->arena, sizeof(*source));
    struct watch_dimension *dimension = arena_array(data->arena, select->groups + 1, sizeof(*dimension));
    if (!source || !dimension)
        return ERR_MEMORY;
    for (size_t i = 0; i < select->groups; i++)
        dimension[i] = (struct watch_dimension){select->group[i], key[i]};
    *source = (struct watch_data_source){{select->space, select->metric, dimension, select->groups}, text_of(watch_select_functions[select->function])};
    out->source = source;
    out->label = select->groups ? watch_data_label(data->arena, &source->name, TEXT_NONE) : TEXT_NONE;
    return select->groups && !out->label.data ? ERR_MEMORY : 0;
}

static int read_group(struct watch_data *data, struct watch_data_query *query, struct adding *adding, const struct entry *entry, size_t count, struct math_series *out)
{
    int code = 0;
    memset(adding->cell, 0, adding->cells * sizeof(*adding->cell));
    for (size_t i = 0; i < count && !code; i++) {
        struct watch_query asked = {.name = *entry[i].name, .start_s = data->start_s, .end_s = data->end_s, .period_s = query->period_s, .unit = -1, .figures = true,
            .now_ms = data->now_ms, .rows = &data->rows};
        code = watch_metric_read(data->view, data->arena, &asked, on_period, adding);
        query->partial = query->partial || code == ERR_FULL;
        code = code == ERR_FULL ? 0 : code;
    }
    if (!code)
        code = make_series(data, query->select, adding, out);
    return code ? code : name_group(data, query->select, entry->key, out);
}

/* ---- the answer ---- */

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->figure != y->figure)
        return x->figure < y->figure ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static int find(struct watch_data *data, const struct watch_select *select, struct matched *matched, struct entry **out)
{
    struct watch_walk walk = {.space = select->space, .name = select->metric, .visit = on_series, .context = matched};
    *matched = (struct matched){.select = select, .data = data, .since_ms = data->now_ms - WATCH_ACTIVE_MS - WATCH_SEEN_MS};
    int code = watch_series_walk(data->view, &walk);
    struct entry *entry = code < 0 ? NULL : arena_array(data->arena, matched->count + 1, sizeof(*entry));
    if (code < 0 || !entry)
        return code < 0 ? code : ERR_MEMORY;
    for (size_t i = 0; i < matched->count; i++)
        entry[i] = (struct entry){matched->name[i], matched->key[i], select->groups};
    if (matched->count)
        qsort(entry, matched->count, sizeof(*entry), by_group);
    *out = entry;
    return 0;
}

static int give(struct watch_data *data, struct watch_data_query *query, struct ranked *ranked, size_t count)
{
    const struct watch_select *select = query->select;
    if (select->ordered && count)
        qsort(ranked, count, sizeof(*ranked), compare_ranked);
    count = count < select->limit ? count : select->limit;
    if (!select->groups) {
        query->value = count ? ranked[0].value : (struct math_value){.type = MATH_SERIES, .series = {.period_s = query->period_s}};
        return 0;
    }
    struct math_value *item = arena_array(data->arena, count + 1, sizeof(*item));
    if (!item)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        item[i] = ranked[i].value;
    query->value = (struct math_value){.type = MATH_LIST, .item = item, .items = count};
    return 0;
}

int watch_data_select(struct watch_data *data, struct watch_data_query *query)
{
    const struct watch_select *select = query->select;
    struct adding adding = {.period_s = query->period_s, .start_s = data->start_s - data->start_s % query->period_s};
    struct matched matched;
    struct entry *entry;
    size_t groups = 0, points = 0;
    int64_t cells = data->end_s > adding.start_s ? (data->end_s - adding.start_s + adding.period_s - 1) / adding.period_s : 0;
    if (cells > WATCH_SELECT_POINTS_MAX)
        return watch_data_fail(data, query, "The range has more than %d periods", WATCH_SELECT_POINTS_MAX);
    int code = find(data, select, &matched, &entry);
    adding.cells = (size_t)cells;
    adding.cell = code ? NULL : arena_array(data->arena, adding.cells + 1, sizeof(*adding.cell));
    struct ranked *ranked = code ? NULL : arena_array(data->arena, matched.count + 1, sizeof(*ranked));
    if (code || !adding.cell || !ranked)
        return code ? code : ERR_MEMORY;
    query->partial = query->partial || matched.more;
    for (size_t from = 0, to; from < matched.count && !code && (select->ordered || groups < select->limit); from = to) {
        struct ranked *one = &ranked[groups];
        for (to = from + 1; to < matched.count && by_group(&entry[from], &entry[to]) == 0;)
            to++;
        *one = (struct ranked){.value = {.type = MATH_SERIES}, .place = groups};
        code = read_group(data, query, &adding, &entry[from], to - from, &one->value.series);
        if (code || !one->value.series.count)
            continue;
        points += one->value.series.count;
        if (points > WATCH_SELECT_POINTS_MAX)
            return watch_data_fail(data, query, "The query has more than %d points", WATCH_SELECT_POINTS_MAX);
        one->figure = select->ordered ? rank_of(select, &one->value.series) : 0;
        one->figure = select->descending ? -one->figure : one->figure;
        groups++;
    }
    return code ? code : give(data, query, ranked, groups);
}
