/*
 * A figure's sum over the period is a bill's amount, with four exceptions:
 *   - messages are billed in both directions: MessageCount and MessagesOut together
 *   - a function's time is billed by the millisecond, at least one for each run, times its memory. A handler in C takes microseconds; the same in Lambda would not, so the amount is the least
 *     that could have been billed
 *   - a table's size is a level, not an amount: its mean over the samples, for as long as there were samples
 *   - what log groups hold is not sampled: as it is now, for the whole period
 *
 * The period of reading grows with the age of the oldest data, as the metrics' own retention does: minutes up to 15 days back, then 5 minutes, then hours. So a period begins up to that much
 * earlier than asked.
 */
#include "watch/cost_read.h"

#include "base/clock.h"
#include "watch/log.h"
#include "watch/metric.h"

struct source {
    const char *space, *metric, *dimension;
    enum cost_owner owner;
    enum cost_kind kind;
    double scale; /* of the sum */
    bool level;   /* not a sum: its mean, times the months that it was there */
};
static const struct source sources[] = {
    {"AWS/ApiGateway", "MessageCount", "ApiId", COST_OF_API, COST_MESSAGES, 1, false},
    {"Weir", "MessagesOut", "ApiId", COST_OF_API, COST_MESSAGES, 1, false},
    {"Weir", "ConnectionMinutes", "ApiId", COST_OF_API, COST_CONNECTION_MINUTES, 1, false},
    {"AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", COST_OF_TABLE, COST_WRITES, 1, false},
    {"AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", COST_OF_TABLE, COST_READS, 1, false},
    {"AWS/DynamoDB", "TableSizeBytes", "TableName", COST_OF_TABLE, COST_STORAGE, 1 / COST_GB, true},
    {"AWS/Logs", "IncomingBytes", "LogGroupName", COST_OF_LOG_GROUP, COST_LOGS, 1 / COST_GB, false},
};
#define SOURCES (sizeof(sources) / sizeof(sources[0]))

struct reading {
    struct store_view *view;
    const struct cost_question *question;
    struct arena names, rows; /* what was found; what one series takes */
    int64_t period_s;
    uint64_t rows_left;
    size_t series_left;
    bool partial;
};

/* ---- one figure ---- */

struct total {
    double sum, count;
    int64_t first_s, last_s;
};

static int add_period(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    struct total *total = context;
    (void)unit;
    if (total->count == 0)
        total->first_s = start_s;
    total->last_s = start_s;
    total->sum += summary->sum;
    total->count += summary->count;
    return 0;
}

static int read_total(struct reading *r, const char *space, const char *metric, const char *dimension, struct text value, struct total *total)
{
    struct watch_dimension dimensions = {text_of(dimension), value};
    struct watch_query query = {
        .name = {.space = text_of(space), .name = text_of(metric), .dimension = &dimensions, .dimensions = 1},
        .start_s = r->question->from_ms / SECOND_MS,
        .end_s = (r->question->to_ms + SECOND_MS - 1) / SECOND_MS,
        .period_s = r->period_s,
        .unit = -1,
        .figures = true,
        .now_ms = r->question->now_ms,
        .rows = &r->rows_left,
    };
    *total = (struct total){0};
    arena_reset(&r->rows);
    int code = watch_metric_read(r->view, &r->rows, &query, add_period, total);
    if (code == ERR_FULL)
        r->partial = true;
    return code == ERR_FULL ? 0 : code;
}

/* For how much of a month the level was there. */
static double months(const struct reading *r, const struct total *total)
{
    int64_t from = total->first_s * SECOND_MS, to = (total->last_s + r->period_s) * SECOND_MS;
    if (from < r->question->from_ms)
        from = r->question->from_ms;
    if (to > r->question->to_ms)
        to = r->question->to_ms;
    return to > from ? (double)(to - from) / (double)COST_MONTH_MS : 0;
}

/* ---- which figures there are ---- */

struct found {
    struct text value;
    struct found *next;
};
struct finding {
    struct reading *reading;
    const char *dimension;
    struct found *first;
    int code;
};

/* Only the series of that one dimension: MessageCount by route is in MessageCount by API. */
static int on_series(void *context, struct text key, const struct watch_series *series)
{
    struct finding *finding = context;
    struct reading *r = finding->reading;
    (void)key;
    if (series->name.dimensions != 1 || !text_is(series->name.dimension[0].name, finding->dimension))
        return 0;
    if (!r->series_left) {
        r->partial = true;
        return ERR_FULL;
    }
    r->series_left--;
    struct found *found = arena_alloc(&r->names, sizeof(*found));
    struct text value = arena_copy(&r->names, series->name.dimension[0].value);
    if (!found || !value.data)
        return ERR_MEMORY;
    *found = (struct found){value, finding->first};
    finding->first = found;
    return 0;
}

/* The names are gathered before anything is read: a walk stands still meanwhile. */
static int find(struct reading *r, const char *space, const char *metric, const char *dimension, struct found **first)
{
    struct finding finding = {.reading = r, .dimension = dimension};
    arena_reset(&r->names);
    struct watch_walk walk = {.space = text_of(space), .name = text_of(metric), .visit = on_series, .context = &finding};
    int code = watch_series_walk(r->view, &walk);
    *first = finding.first;
    return code == ERR_FULL ? 0 : code;
}

/* ---- the sources ---- */

static int read_source(struct reading *r, const struct source *source)
{
    struct found *found;
    struct total total;
    int code = find(r, source->space, source->metric, source->dimension, &found);
    for (; found && !code; found = found->next) {
        struct cost_usage *usage = r->question->owner(r->question->context, source->owner, found->value);
        if (!usage)
            continue;
        code = read_total(r, source->space, source->metric, source->dimension, found->value, &total);
        if (source->level)
            usage->of[source->kind] += total.count > 0 ? total.sum / total.count * source->scale * months(r, &total) : 0;
        else
            usage->of[source->kind] += total.sum * source->scale;
    }
    return code;
}

static int read_functions(struct reading *r)
{
    struct found *found;
    struct total runs, time;
    int code = find(r, "AWS/Lambda", "Invocations", "FunctionName", &found);
    for (; found && !code; found = found->next) {
        struct cost_usage *usage = r->question->owner(r->question->context, COST_OF_FUNCTION, found->value);
        if (!usage)
            continue;
        code = read_total(r, "AWS/Lambda", "Invocations", "FunctionName", found->value, &runs);
        if (!code)
            code = read_total(r, "AWS/Lambda", "Duration", "FunctionName", found->value, &time);
        double ms = time.sum > runs.sum ? time.sum : runs.sum;
        usage->of[COST_INVOCATIONS] += runs.sum;
        usage->of[COST_GB_SECONDS] += ms / 1000 * r->question->memory_mb / 1024;
    }
    return code;
}

static int on_group(void *context, const struct watch_log_group *group)
{
    struct reading *r = context;
    const struct cost_question *question = r->question;
    struct cost_usage *usage = question->owner(question->context, COST_OF_LOG_GROUP, group->name);
    int64_t bytes = 0, from_ms = group->created_ms > question->from_ms ? group->created_ms : question->from_ms;
    arena_reset(&r->rows);
    int code = usage ? watch_log_group_bytes(r->view, &r->rows, group, &bytes) : 0;
    if (!code && usage && question->to_ms > from_ms)
        usage->of[COST_LOG_ARCHIVE] += (double)bytes / COST_GB * (double)(question->to_ms - from_ms) / (double)COST_MONTH_MS;
    return code;
}

static int64_t period_of(const struct cost_question *question)
{
    int64_t age_s = (question->now_ms - question->from_ms) / SECOND_MS;
    for (unsigned level = 1; level < WATCH_LEVELS - 1; level++)
        if (age_s < WATCH_KEPT_S[level])
            return WATCH_LEVEL_S[level];
    return WATCH_LEVEL_S[WATCH_LEVELS - 1];
}

#define NAMES_MAX ((size_t)64 << 20)

int cost_read(struct store_view *view, const struct cost_question *question, bool *partial)
{
    struct reading r = {.view = view, .question = question, .period_s = period_of(question), .rows_left = COST_ROWS_MAX, .series_left = COST_SERIES_MAX};
    arena_init(&r.names, 16 << 10, NAMES_MAX);
    arena_init(&r.rows, 64 << 10, NAMES_MAX);
    int code = 0;
    for (size_t i = 0; i < SOURCES && !code; i++)
        code = read_source(&r, &sources[i]);
    if (!code)
        code = read_functions(&r);
    if (!code) {
        arena_reset(&r.names);
        code = watch_log_group_each(view, &r.names, TEXT_NONE, TEXT_NONE, on_group, &r);
    }
    arena_fini(&r.names);
    arena_fini(&r.rows);
    *partial = r.partial;
    return code;
}
