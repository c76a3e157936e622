/* Rows of metrics: their keys, their levels, and a data point's way into its row. */
#include "watch/metric_note.h"
#include "watch/seal.h"

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
    watch_cache_row_forget(watch_house_of(tick)->cache, key);
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

/* Which row it belongs to. `gone`: it would be too old to be kept. */
static int find_row(struct tick *tick, struct arena *arena, const struct watch_name *name, int64_t time_ms, bool high, struct watch_row_key *key, bool *gone, struct err *err)
{
    bool made = false;
    int code = watch_series_touch(tick, arena, name, &key->series, &made, err);
    if (!code && made)
        code = watch_sweep_begin(tick);
    key->level = watch_level_now(time_ms / SECOND_MS, !high, tick_now_ms(tick) / SECOND_MS);
    *gone = key->level >= WATCH_LEVELS;
    if (!*gone)
        key->start_s = time_ms / SECOND_MS / WATCH_LEVEL_S[key->level] * WATCH_LEVEL_S[key->level];
    return code;
}

/* Memory for a note; at the seal, where there are none any more, in the arena. A note is as large as what it will stage: the tick's bound on bytes counts it. */
static struct watch_metric_note *note_make(struct tick *tick, struct arena *arena, unsigned kind, size_t numbers, const struct watch_row_key *key)
{
    struct watch_house *house = watch_house_of(tick);
    size_t size = sizeof(struct watch_metric_note) + numbers * sizeof(double);
    if (house->sealing)
        return arena_alloc(arena, size);
    return tick_note(tick, kind, size + watch_cache_row_charge(house->cache, key, tick_sequence(tick)));
}

static int note_made(struct tick *tick, struct arena *arena, const struct watch_metric_note *note)
{
    struct watch_house *house = watch_house_of(tick);
    return house->sealing ? watch_metric_note_add(house->cache, tick, arena, note) : 0;
}

static int note_point(struct tick *tick, struct arena *arena, const struct watch_point *point, const struct watch_row_key *key)
{
    size_t numbers = point->set ? 4 : point->weight ? 2 * point->values : point->values;
    struct watch_metric_note *note = note_make(tick, arena, WATCH_NOTE_METRIC, numbers, key);
    if (!note)
        return ERR_MEMORY;
    *note = (struct watch_metric_note){.key = *key, .values = (uint32_t)point->values, .form = point->set ? WATCH_NOTE_SET : point->weight ? WATCH_NOTE_WEIGHTED : WATCH_NOTE_VALUES};
    if (point->set) {
        note->number[0] = point->count;
        note->number[1] = point->sum;
        note->number[2] = point->min;
        note->number[3] = point->max;
    } else {
        memcpy(note->number, point->value, point->values * sizeof(double));
        if (point->weight)
            memcpy(note->number + point->values, point->weight, point->values * sizeof(double));
    }
    return note_made(tick, arena, note);
}

int watch_metric_put(struct tick *tick, struct arena *arena, const struct watch_point *point, struct err *err)
{
    struct arena_mark mark = arena_mark(arena);
    struct watch_row_key key = {.unit = point->unit};
    bool gone = false;
    int code = check_time(tick, point->time_ms, err);
    if (!code)
        code = point->unit < WATCH_UNITS ? check_numbers(point, err) : err_set(err, ERR_INVALID, "there is no such unit");
    if (!code)
        code = find_row(tick, arena, &point->name, point->time_ms, point->high, &key, &gone, err);
    if (!code && !gone)
        code = note_point(tick, arena, point, &key);
    arena_rewind(arena, mark);
    counter_add(COUNTER_watch_points, code ? 0 : 1);
    return code;
}

int watch_metric_put_figures(struct tick *tick, struct arena *arena, const struct watch_figures *figures, struct err *err)
{
    struct arena_mark mark = arena_mark(arena);
    struct watch_row_key key = {.unit = figures->unit};
    bool gone = false;
    int code = figures->unit < WATCH_UNITS ? 0 : err_set(err, ERR_INVALID, "there is no such unit");
    if (!code)
        code = find_row(tick, arena, &figures->name, tick_now_ms(tick), figures->high, &key, &gone, err);
    if (!code) {
        struct watch_metric_note *note = note_make(tick, arena, WATCH_NOTE_METRIC | TICK_NOTE_LOOSE, 0, &key);
        if (note)
            *note = (struct watch_metric_note){.key = key, .form = WATCH_NOTE_FIGURES, .figures = &figures->summary};
        code = note ? note_made(tick, arena, note) : ERR_MEMORY;
    }
    arena_rewind(arena, mark);
    counter_add(COUNTER_watch_points, code ? 0 : 1);
    return code;
}

/* ---- at the seal ---- */

static int add_values(struct watch_cache *cache, struct tick *tick, struct arena *arena, const struct watch_metric_note *note)
{
    const double *weight = note->form == WATCH_NOTE_WEIGHTED ? note->number + note->values : NULL;
    int code = 0;
    for (uint32_t i = 0; i < note->values && !code; i++)
        if (!weight || weight[i] > 0)
            code = watch_cache_row_value(cache, tick, arena, &note->key, note->number[i], weight ? weight[i] : 1);
    return code;
}

static int add_set(struct watch_cache *cache, struct tick *tick, struct arena *arena, const struct watch_metric_note *note)
{
    struct arena_mark mark = arena_mark(arena);
    struct watch_summary summary;
    watch_summary_init(&summary, arena);
    int code = watch_summary_add_set(&summary, note->number[0], note->number[1], note->number[2], note->number[3]);
    if (!code)
        code = watch_cache_row_add(cache, tick, arena, &note->key, &summary);
    arena_rewind(arena, mark);
    return code;
}

int watch_metric_note_add(struct watch_cache *cache, struct tick *tick, struct arena *arena, const struct watch_metric_note *note)
{
    if (note->form == WATCH_NOTE_FIGURES)
        return watch_cache_row_add(cache, tick, arena, &note->key, note->figures);
    return note->form == WATCH_NOTE_SET ? add_set(cache, tick, arena, note) : add_values(cache, tick, arena, note);
}
