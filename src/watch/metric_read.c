/*
 * Reading: one walk over the rows of a series in the order of time, added up by period. Rows of all levels and units lie mixed in that order, and a row that divides the
 * period lies within one, so a period is finished when the walk leaves it and nothing has to be kept but the period at hand.
 */
#include "watch/metric.h"

#include "base/clock.h"
#include "store/key.h"

#define READ_ENDS 0x5eed
#define SCAN_ARENA (1u << 20)

struct reading {
    const struct watch_query *query;
    int (*visit)(void *, int64_t, unsigned, const struct watch_summary *);
    void *context;
    uint64_t series, *rows;
    int64_t now_s, start_s, end_s; /* of the query, in whole periods */
    int64_t period_s;              /* start of the one at hand */
    struct arena *arena;           /* of the sums */
    struct arena *scan;            /* of the walk */
    struct arena_mark mark;
    bool used[WATCH_UNITS], made[WATCH_UNITS];
    struct watch_summary sum[WATCH_UNITS], row;
};

static int finish_period(struct reading *reading)
{
    int code = 0;
    for (unsigned unit = 0; unit < WATCH_UNITS && !code; unit++) {
        if (!reading->used[unit])
            continue;
        reading->used[unit] = false;
        code = reading->visit(reading->context, reading->period_s, unit, &reading->sum[unit]);
    }
    return code;
}

static int add_row(struct reading *reading, unsigned unit, struct text bytes)
{
    unsigned slot = reading->query->by_unit ? unit : 0;
    struct watch_summary *sum = &reading->sum[slot];
    if (!reading->made[slot])
        watch_summary_init(sum, reading->arena);
    if (!reading->used[slot])
        watch_summary_clear(sum);
    reading->made[slot] = reading->used[slot] = true;
    int code = reading->query->figures ? watch_summary_decode_figures(bytes, &reading->row) : watch_summary_decode(bytes, &reading->row);
    return code ? code : watch_summary_merge(sum, &reading->row);
}

static int on_row(void *context, struct text name, struct text bytes)
{
    struct reading *reading = context;
    const struct watch_query *query = reading->query;
    struct watch_row_key key;
    int code = watch_row_key_parse(name, &key);
    if (!code && (key.series != reading->series || key.start_s >= reading->end_s))
        code = READ_ENDS;
    if (!code && !*reading->rows)
        code = ERR_FULL;
    if (code)
        return code;
    (*reading->rows)--;
    unsigned level = watch_level_now(key.start_s, key.level, reading->now_s);
    bool is_shown = level < WATCH_LEVELS && query->period_s % WATCH_LEVEL_S[level] == 0 && (query->unit < 0 || (unsigned)query->unit == key.unit);
    int64_t period = key.start_s - key.start_s % query->period_s;
    if (is_shown && period != reading->period_s) {
        code = finish_period(reading);
        reading->period_s = period;
    }
    if (is_shown && !code)
        code = add_row(reading, key.unit, bytes);
    arena_rewind(reading->scan, reading->mark);
    return code;
}

static int read_rows(struct store_view *view, struct reading *reading)
{
    char from[WATCH_ROW_KEY];
    struct arena scan;
    struct watch_row_key first = {.series = reading->series, .start_s = reading->start_s};
    arena_init(&scan, 16 << 10, SCAN_ARENA);
    reading->scan = &scan;
    reading->mark = arena_mark(&scan);
    int code = store_raw_scan(view, STORE_SPACE_METRICS, watch_row_key_format(from, &first), &scan, on_row, reading);
    if (code == 0 || code == READ_ENDS)
        code = finish_period(reading);
    arena_fini(&scan);
    return code;
}

int watch_metric_read(struct store_view *view, struct arena *arena, const struct watch_query *query,
    int (*visit)(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary), void *context)
{
    struct watch_series series;
    uint64_t rows = WATCH_ROWS_MAX;
    if (!watch_period_is_valid(query->period_s) || query->start_s < 0)
        return ERR_INVALID;
    int code = watch_series_find(view, arena, &query->name, &series);
    if (code)
        return code == ERR_NOT_FOUND ? 0 : code;
    struct reading *reading = arena_zalloc(arena, sizeof(*reading));
    if (!reading)
        return ERR_MEMORY;
    reading->query = query;
    reading->visit = visit;
    reading->context = context;
    reading->series = series.id;
    reading->rows = query->rows ? query->rows : &rows;
    reading->now_s = query->now_ms / SECOND_MS;
    reading->start_s = query->start_s - query->start_s % query->period_s;
    reading->end_s = query->end_s;
    reading->period_s = -1;
    reading->arena = arena;
    watch_summary_init(&reading->row, arena);
    /* The last period is whole, also when the query's end lies within it. */
    if (reading->end_s > 0 && reading->end_s % query->period_s)
        reading->end_s += query->period_s - reading->end_s % query->period_s;
    return reading->start_s < reading->end_s ? read_rows(view, reading) : 0;
}
