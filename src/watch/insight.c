/*
 * Reports of Contributor Insights: one pass over the log events of the range, in whatever order they lie, into a table of contributors. What is counted once per period (the different
 * contributors, the greatest of them) is looked up in the table when all events are in.
 */
#include "watch/insight.h"

#include "base/clock.h"
#include "base/hash.h"
#include "watch/keep.h"
#include <math.h>
#include <stdlib.h>

#define FIRST_SLOTS 1024
#define MATCH_ARENA ((size_t)32 << 20)

struct reading {
    const struct insight_ask *ask;
    struct insight_report *report;
    struct arena scratch;                    /* of the event at hand */
    struct insight_contributor **slot;       /* open addressing; a power of two */
    size_t slots, room;
    int64_t start_s;
};

/* ---- the table ---- */

static uint64_t hash_key(const struct text *key, size_t keys)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < keys; i++)
        hash = hash * 31 + hash_bytes(key[i]);
    return hash;
}

static bool same_key(const struct insight_contributor *contributor, const struct text *key, size_t keys)
{
    for (size_t i = 0; i < keys; i++)
        if (!text_equal(contributor->key[i], key[i]))
            return false;
    return true;
}

static size_t find_slot(const struct reading *r, const struct text *key)
{
    size_t keys = r->ask->rule->keys, at = (size_t)hash_key(key, keys) & (r->slots - 1);
    while (r->slot[at] && !same_key(r->slot[at], key, keys))
        at = (at + 1) & (r->slots - 1);
    return at;
}

static int grow(struct reading *r)
{
    struct insight_contributor **old = r->slot;
    size_t before = r->slots;
    r->slots = before ? before * 2 : FIRST_SLOTS;
    r->slot = arena_zalloc(r->ask->arena, r->slots * sizeof(*r->slot));
    if (!r->slot)
        return ERR_MEMORY;
    for (size_t i = 0; i < before; i++)
        if (old[i])
            r->slot[find_slot(r, old[i]->key)] = old[i];
    return 0;
}

static int make(struct reading *r, const struct text *key, size_t at, struct insight_contributor **out)
{
    struct insight_contributor *contributor = arena_zalloc(r->ask->arena, sizeof(*contributor));
    if (!contributor || !(contributor->value = arena_zalloc(r->ask->arena, r->report->periods * sizeof(double))))
        return ERR_MEMORY;
    for (size_t i = 0; i < r->ask->rule->keys; i++) {
        contributor->key[i] = arena_copy(r->ask->arena, key[i]);
        if (!contributor->key[i].data)
            return ERR_MEMORY;
    }
    r->slot[at] = *out = contributor;
    r->report->contributors++;
    return r->report->contributors * 4 > r->slots * 3 ? grow(r) : 0;
}

/* NULL: it is one too many. */
static int contributor_of(struct reading *r, const struct text *key, struct insight_contributor **out)
{
    size_t at = find_slot(r, key);
    *out = r->slot[at];
    if (*out)
        return 0;
    if (r->report->contributors >= r->room) {
        r->report->partial = true;
        return 0;
    }
    return make(r, key, at, out);
}

/* ---- events ---- */

static int on_event(void *context, const struct watch_log_event *event)
{
    struct reading *r = context;
    struct text key[INSIGHT_KEYS_MAX];
    struct insight_contributor *contributor;
    double value;
    arena_reset(&r->scratch);
    if (r->ask->until_ms && event->place.time_ms >= r->ask->until_ms)
        return 0;
    int code = insight_rule_match(r->ask->rule, event->message, &r->scratch, key, &value);
    if (code <= 0)
        return code;
    size_t at = (size_t)((event->place.time_ms / SECOND_MS - r->start_s) / r->ask->period_s);
    if (at >= r->report->periods)
        return 0;
    struct insight_period *period = &r->report->period[at];
    period->least = period->samples > 0 ? fmin(period->least, value) : value;
    period->most = period->samples > 0 ? fmax(period->most, value) : value;
    period->samples++;
    period->sum += value;
    r->report->total += value;
    code = contributor_of(r, key, &contributor);
    if (code || !contributor)
        return code;
    contributor->value[at] += value;
    contributor->total += value;
    return 0;
}

static int read_group(struct reading *r, const struct watch_log_group *group, int64_t deadline_ms)
{
    const struct insight_ask *ask = r->ask;
    int64_t left = deadline_ms - clock_mono_ms();
    struct watch_log_scan scan = {.group = group, .from_ms = r->start_s * SECOND_MS, .to_ms = ask->end_s * SECOND_MS, .now_ms = ask->now_ms, .order = WATCH_LOG_ANY,
        .read_max = INSIGHT_READ_MAX, .time_max_ms = left > 1 ? left : 1, .visit = on_event, .context = r};
    int code = watch_log_scan(ask->view, &scan);
    r->report->partial = r->report->partial || !scan.at_end;
    return code;
}

/* ---- which log groups ---- */

struct gathering {
    struct reading *r;
    struct text pattern;
    struct text *name;
    size_t count;
};

static int on_group(void *context, const struct watch_log_group *group)
{
    struct gathering *g = context;
    struct text copy;
    if (g->pattern.len && !text_equal(g->pattern, group->name))
        return 1; /* the one that is meant would have come first */
    for (size_t i = 0; i < g->count; i++)
        if (text_equal(g->name[i], group->name))
            return 0;
    if (g->count == INSIGHT_MATCHED_MAX) {
        g->r->report->partial = true;
        return 1;
    }
    copy = arena_copy(g->r->ask->arena, group->name);
    g->name[g->count++] = copy;
    return copy.data ? 0 : ERR_MEMORY;
}

static int gather(struct reading *r, struct gathering *g)
{
    int code = 0;
    *g = (struct gathering){.r = r, .name = arena_array(r->ask->arena, INSIGHT_MATCHED_MAX, sizeof(*g->name))};
    if (!g->name)
        return ERR_MEMORY;
    for (size_t i = 0; i < r->ask->rule->groups && code >= 0; i++) {
        struct text name = r->ask->rule->group[i];
        bool open = name.data[name.len - 1] == '*';
        name.len -= open;
        g->pattern = open ? TEXT_NONE : name;
        code = watch_log_group_each(r->ask->view, &r->scratch, name, name, on_group, g);
        arena_reset(&r->scratch);
    }
    return code < 0 ? code : 0;
}

/* ---- the report ---- */

static int by_total(const void *a, const void *b)
{
    const struct insight_contributor *x = *(struct insight_contributor *const *)a, *y = *(struct insight_contributor *const *)b;
    if (x->total != y->total)
        return x->total > y->total ? -1 : 1;
    return text_compare(x->key[0], y->key[0]);
}

static int by_most(const void *a, const void *b)
{
    const struct insight_contributor *x = *(struct insight_contributor *const *)a, *y = *(struct insight_contributor *const *)b;
    return x->most != y->most ? (x->most > y->most ? -1 : 1) : by_total(a, b);
}

static int put_in_order(struct reading *r)
{
    struct insight_report *report = r->report;
    size_t count = 0;
    report->contributor = arena_array(r->ask->arena, report->contributors + 1, sizeof(struct insight_contributor *));
    if (!report->contributor)
        return ERR_MEMORY;
    for (size_t i = 0; i < r->slots; i++)
        if (r->slot[i])
            report->contributor[count++] = r->slot[i];
    for (size_t i = 0; i < count; i++) {
        struct insight_contributor *contributor = report->contributor[i];
        for (size_t p = 0; p < report->periods; p++) {
            double value = contributor->value[p];
            if (value == 0)
                continue;
            contributor->most = fmax(contributor->most, value);
            report->period[p].contributors++;
            report->period[p].top = fmax(report->period[p].top, value);
        }
    }
    report->unique = count;
    if (count)
        qsort(report->contributor, count, sizeof(*report->contributor), r->ask->by_most ? by_most : by_total);
    return 0;
}

int insight_report_read(const struct insight_ask *ask, struct insight_report *report, struct err *err)
{
    struct reading r = {.ask = ask, .report = report, .start_s = ask->start_s - ask->start_s % ask->period_s};
    struct gathering groups;
    int64_t periods = (ask->end_s - r.start_s + ask->period_s - 1) / ask->period_s, deadline_ms = clock_mono_ms() + (ask->time_ms ? ask->time_ms : INSIGHT_TIME_MS);
    *report = (struct insight_report){0};
    if (periods < 1 || periods > INSIGHT_PERIODS_MAX)
        return err_set(err, ERR_INVALID, "A report has 1 to %d periods.", INSIGHT_PERIODS_MAX);
    report->periods = (size_t)periods;
    r.room = INSIGHT_CELLS_MAX / report->periods < INSIGHT_CONTRIBUTORS_MAX ? INSIGHT_CELLS_MAX / report->periods : INSIGHT_CONTRIBUTORS_MAX;
    report->period = arena_zalloc(ask->arena, report->periods * sizeof(*report->period));
    if (!report->period || grow(&r))
        return ERR_MEMORY;
    arena_init(&r.scratch, 16 << 10, MATCH_ARENA);
    int code = gather(&r, &groups);
    for (size_t i = 0; i < groups.count && !code; i++) {
        struct watch_log_group group;
        struct arena rows;
        arena_init(&rows, 4096, MATCH_ARENA);
        code = watch_log_group_get(ask->view, &rows, groups.name[i], &group);
        if (!code)
            code = read_group(&r, &group, deadline_ms);
        arena_fini(&rows);
    }
    arena_fini(&r.scratch);
    return code ? code : put_in_order(&r);
}

/* ---- what is kept ---- */

int insight_kept_parse(struct arena *arena, struct text value, struct insight_kept *kept)
{
    const struct json *root;
    int code = json_parse(arena, value, JSON_COPY, &root, NULL);
    if (code)
        return code == ERR_MEMORY ? code : ERR_CORRUPT;
    const struct json *definition = json_get_str(root, "definition"), *changed = json_get_str(root, "changed");
    *kept = (struct insight_kept){.definition = definition ? definition->text : TEXT_NONE, .enabled = json_is(json_get_str(root, "enabled"), JSON_TRUE)};
    return definition && changed && json_to_i64(changed, &kept->changed_ms) == 0 ? 0 : ERR_CORRUPT;
}

int insight_kept_get(struct store_view *view, struct arena *arena, struct text name, struct insight_kept *kept)
{
    struct text value;
    int code = watch_keep_get(view, arena, WATCH_KEEP_INSIGHT, name, &value);
    return code ? code : insight_kept_parse(arena, value, kept);
}

/* ---- its metrics ---- */

static const char *const metrics[] = {"UniqueContributors", "MaxContributorValue", "SampleCount", "Sum", "Minimum", "Maximum", "Average"};

bool insight_metric_known(struct text metric)
{
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
        if (text_is(metric, metrics[i]))
            return true;
    return false;
}

bool insight_metric_value(struct text metric, const struct insight_period *period, double *value)
{
    const double figures[] = {period->contributors, period->top, period->samples, period->sum, period->least, period->most, period->sum / period->samples};
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]) && period->samples > 0; i++)
        if (text_is(metric, metrics[i])) {
            *value = figures[i];
            return true;
        }
    return false;
}

static int fill_series(struct watch_data *data, const struct insight_ask *ask, const struct insight_report *report, struct text metric, struct math_value *out)
{
    int64_t *time_s = arena_array(data->arena, report->periods, sizeof(*time_s));
    double *value = arena_array(data->arena, report->periods, sizeof(*value));
    size_t count = 0;
    if (!time_s || !value)
        return ERR_MEMORY;
    for (size_t i = 0; i < report->periods; i++) {
        if (!insight_metric_value(metric, &report->period[i], &value[count]))
            continue;
        time_s[count++] = ask->start_s - ask->start_s % ask->period_s + (int64_t)i * ask->period_s;
    }
    *out = (struct math_value){.type = MATH_SERIES, .series = {.period_s = ask->period_s, .count = count, .time_s = time_s, .value = value}};
    return 0;
}

int watch_insight_series(struct watch_data *data, struct text name, struct text metric, struct math_value *series, struct err *err)
{
    struct insight_kept kept;
    struct insight_report report;
    struct insight_rule *rule = arena_alloc(data->arena, sizeof(*rule));
    struct insight_ask ask = {.view = data->view, .arena = data->arena, .rule = rule, .start_s = data->start_s, .end_s = data->end_s, .period_s = data->at->period_s,
        .now_ms = data->now_ms, .time_ms = data->no_search ? INSIGHT_ALARM_MS : INSIGHT_TIME_MS};
    if (!rule)
        return ERR_MEMORY;
    if (!insight_metric_known(metric))
        return err_set(err, ERR_INVALID, "A rule has no metric %.*s", TEXT_FMT(text_make(metric.data, metric.len < 64 ? metric.len : 64)));
    int code = insight_kept_get(data->view, data->arena, name, &kept);
    if (code == ERR_NOT_FOUND)
        return err_set(err, ERR_INVALID, "There is no rule %.*s", TEXT_FMT(text_make(name.data, name.len < INSIGHT_NAME_MAX ? name.len : INSIGHT_NAME_MAX)));
    if (!code)
        code = insight_rule_parse(data->arena, kept.definition, rule, err);
    ask.until_ms = !code && !kept.enabled ? kept.changed_ms : 0;
    if (!code)
        code = insight_report_read(&ask, &report, err);
    data->at->partial = data->at->partial || (!code && report.partial);
    return code ? code : fill_series(data, &ask, &report, metric, series);
}
