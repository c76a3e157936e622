/* Rows of metrics: their keys, their levels, and a data point's way into its row. */
#include "watch/metric.h"

#include "base/clock.h"
#include "base/counter.h"
#include "store/key.h"
#include <math.h>

const int64_t WATCH_LEVEL_S[WATCH_LEVELS] = {1, 60, 300, 3600};
const int64_t WATCH_KEPT_S[WATCH_LEVELS] = {3 * 3600, 15 * 86400, 63 * 86400, 455 * 86400};

const char *const watch_unit_names[WATCH_UNITS] = {"None", "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits",
    "Kilobits", "Megabits", "Gigabits", "Terabits", "Count", "Percent", "Bytes/Second", "Kilobytes/Second", "Megabytes/Second", "Gigabytes/Second", "Terabytes/Second",
    "Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second", "Terabits/Second", "Count/Second"};

int watch_unit_find(struct text name)
{
    for (int i = 0; i < WATCH_UNITS; i++)
        if (text_is(name, watch_unit_names[i]))
            return i;
    return -1;
}

bool watch_period_is_valid(int64_t period_s)
{
    return period_s == 1 || period_s == 5 || period_s == 10 || period_s == 20 || period_s == 30 || (period_s > 0 && period_s % 60 == 0);
}

/* ---- rows ---- */

struct text watch_row_key_format(char out[WATCH_ROW_KEY], const struct watch_row_key *key)
{
    struct buf bytes = {.data = out, .cap = WATCH_ROW_KEY, .limit = WATCH_ROW_KEY};
    buf_add_be64(&bytes, key->series);
    buf_add_be64(&bytes, key->start_s < 0 ? 0 : (uint64_t)key->start_s);
    buf_add_u8(&bytes, (uint8_t)key->level);
    buf_add_u8(&bytes, (uint8_t)key->unit);
    return buf_text(&bytes);
}

int watch_row_key_parse(struct text bytes, struct watch_row_key *key)
{
    struct cursor c = cursor_of(bytes);
    key->series = cursor_be64(&c);
    key->start_s = (int64_t)cursor_be64(&c);
    key->level = cursor_u8(&c);
    key->unit = cursor_u8(&c);
    return c.failed || cursor_left(&c) || key->level >= WATCH_LEVELS || key->unit >= WATCH_UNITS || key->start_s < 0 ? ERR_CORRUPT : 0;
}

/* A coarser period takes its data over as a whole, when all of it is too old for the finer level. */
unsigned watch_level_now(int64_t start_s, unsigned level, int64_t now_s)
{
    while (level < WATCH_LEVELS) {
        int64_t next = WATCH_LEVEL_S[level + 1 < WATCH_LEVELS ? level + 1 : level];
        int64_t end_s = start_s - start_s % next + next;
        if (end_s > now_s - WATCH_KEPT_S[level])
            break;
        level++;
    }
    return level;
}

int watch_row_add(struct tick *tick, struct arena *arena, const struct watch_row_key *key, const struct watch_summary *summary)
{
    char place[WATCH_ROW_KEY];
    struct watch_summary whole;
    struct text name = watch_row_key_format(place, key), row;
    struct buf out;
    watch_summary_init(&whole, arena);
    int code = store_raw_get(tick_view(tick), STORE_SPACE_METRICS, name, arena, &row);
    if (!code)
        code = watch_summary_decode(row, &whole);
    else if (code == ERR_NOT_FOUND)
        code = 0;
    if (!code)
        code = watch_summary_merge(&whole, summary);
    if (code)
        return code;
    buf_init(&out, WATCH_SUMMARY_BYTES_MAX);
    watch_summary_encode(&out, &whole);
    code = out.failed ? ERR_MEMORY : store_raw_put(tick_stage(tick), STORE_SPACE_METRICS, name, buf_text(&out));
    buf_fini(&out);
    return code;
}

/* ---- putting ---- */

static bool is_number(double value)
{
    return fabs(value) <= SKETCH_VALUE_MAX; /* false for NaN */
}

static int check_numbers(const struct watch_point *point, struct err *err)
{
    bool good = point->set ? is_number(point->sum) && is_number(point->min) && is_number(point->max) && point->min <= point->max && point->count > 0 &&
                                 is_number(point->count)
                           : point->values > 0;
    for (size_t i = 0; i < point->values && good && !point->set; i++)
        good = is_number(point->value[i]) && (!point->weight || (point->weight[i] >= 0 && is_number(point->weight[i])));
    return good ? 0 : err_set(err, ERR_INVALID, "a metric's values must be numbers of at most 2^360");
}

static int check_time(struct tick *tick, int64_t time_ms, struct err *err)
{
    int64_t now_ms = tick_now_ms(tick);
    if (time_ms < 0 || time_ms < now_ms - WATCH_PAST_MS - HOUR_MS || time_ms > now_ms + WATCH_FUTURE_MS + HOUR_MS) /* an hour: the request has waited, its caller judged */
        return err_set(err, ERR_INVALID, "a data point's time must be within two weeks before and two hours after now");
    return 0;
}

static int summarise(const struct watch_point *point, struct watch_summary *summary)
{
    if (point->set)
        return watch_summary_add_set(summary, point->count, point->sum, point->min, point->max);
    int code = 0;
    for (size_t i = 0; i < point->values && !code; i++)
        code = watch_summary_add(summary, point->value[i], point->weight ? point->weight[i] : 1);
    return code;
}

int watch_metric_put(struct tick *tick, struct arena *arena, const struct watch_point *point, struct err *err)
{
    struct arena_mark mark = arena_mark(arena);
    struct watch_summary summary;
    struct watch_row_key key = {.unit = point->unit};
    bool made = false;
    int code = check_time(tick, point->time_ms, err);
    if (!code)
        code = point->unit < WATCH_UNITS ? check_numbers(point, err) : err_set(err, ERR_INVALID, "there is no such unit");
    if (!code)
        code = watch_series_touch(tick, arena, &point->name, &key.series, &made, err);
    if (!code && made)
        code = watch_sweep_begin(tick);
    watch_summary_init(&summary, arena);
    if (!code)
        code = summarise(point, &summary);
    key.level = watch_level_now(point->time_ms / SECOND_MS, !point->high, tick_now_ms(tick) / SECOND_MS);
    if (!code && key.level < WATCH_LEVELS && summary.count > 0) {
        key.start_s = point->time_ms / SECOND_MS / WATCH_LEVEL_S[key.level] * WATCH_LEVEL_S[key.level];
        code = watch_row_add(tick, arena, &key, &summary);
    }
    arena_rewind(arena, mark);
    counter_add(COUNTER_watch_points, code ? 0 : 1);
    return code;
}
