/*
 * Bands of expected values. The past is read an hour at a time, when a band wants that hour, and each hour once: an alarm that looks at three minutes reads two hours of the weeks
 * before, or fourteen, and a graph of a week reads three weeks. Whatever stands in ANOMALY_DETECTION_BAND is evaluated over that hour as if it had been asked for, so a metric and an
 * expression go the same way.
 */
#include "watch/anomaly.h"

#include "base/clock.h"
#include "base/codec.h"
#include "base/md5.h"
#include "watch/keep.h"
#include "watch/math_tree.h"
#include <math.h>
#include <stdlib.h>

#define SEASON_HOURS (ANOMALY_WEEKS * 7 * 24)
#define HOURS_MAX 20000                  /* of a range and the weeks before it */
#define POINTS_MAX 200000                /* of a band */
#define LOAD_ARENA ((size_t)16 << 20)
#define CANONICAL_MAX (256u << 10)

struct hour {
    bool loaded, fitted;
    size_t count;
    const double *value;
    struct anomaly_fit fit;
};
struct excluded {
    int64_t start_s, end_s;
};
struct band {
    struct watch_data *data;
    struct watch_data_query *query;      /* in whose expression it stands */
    const struct math_expr *what;
    struct hour *hour;
    size_t hours;
    int64_t base_s, span_s;              /* of the first hour; span: of what is read for one, a period at least */
    struct excluded excluded[ANOMALY_EXCLUDED_MAX];
    size_t excludeds;
};

/* ---- the model ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *value, size_t count)
{
    qsort(value, count, sizeof(*value), by_value);
    return count % 2 ? value[count / 2] : value[count / 2 - 1] / 2 + value[count / 2] / 2;
}

void anomaly_fit(double *value, size_t count, struct anomaly_fit *fit)
{
    double mean = 0;
    fit->center = median(value, count);
    for (size_t i = 0; i < count; i++) {
        value[i] = fabs(value[i] - fit->center);
        mean += value[i] / (double)count;
    }
    double deviation = median(value, count);
    fit->spread = deviation > 0 ? 1.4826 * deviation : 1.2533 * mean;
}

/* ---- hours of the past ---- */

static bool is_excluded(const struct band *band, int64_t time_s)
{
    for (size_t i = 0; i < band->excludeds; i++)
        if (time_s >= band->excluded[i].start_s && time_s < band->excluded[i].end_s)
            return true;
    return false;
}

static int take(struct band *band, const struct math_value *value, struct hour *hour)
{
    const struct math_series *s = &value->series;
    if (value->type != MATH_SERIES || !s->count)
        return 0;
    double *copy = arena_array(band->data->arena, s->count, sizeof(*copy));
    if (!copy)
        return ERR_MEMORY;
    for (size_t i = 0; i < s->count; i++)
        if (!is_excluded(band, s->time_s[i]) && s->time_s[i] < band->data->now_ms / SECOND_MS)
            copy[hour->count++] = s->value[i];
    hour->value = copy;
    return 0;
}

/* The queries once more, for another range: what they have become for the range that is asked for stays. */
static int evaluate_at(struct band *band, struct arena *arena, int64_t start_s, struct math_value *value)
{
    struct watch_data then = *band->data;
    struct err err = {0};
    then.query = arena_array(arena, then.count, sizeof(*then.query));
    if (!then.query)
        return ERR_MEMORY;
    memcpy(then.query, band->data->query, then.count * sizeof(*then.query));
    for (size_t i = 0; i < then.count; i++) {
        then.query[i].state = WATCH_DATA_NEW;
        then.query[i].partial = false;
    }
    then.arena = arena;
    then.start_s = start_s;
    then.end_s = start_s + band->span_s;
    then.depth = 0;
    then.units = then.whole = false;
    then.in_band = true;
    int code = watch_data_evaluate(&then, &then.query[band->query - band->data->query], band->what, value, &err);
    if (code == ERR_INVALID || code == ERR_TYPE || code == ERR_NOT_FOUND) {
        *value = (struct math_value){.type = MATH_LIST}; /* that hour has nothing */
        code = 0;
    }
    band->data->rows = then.rows;
    band->query->partial = band->query->partial || !then.rows; /* the rows have run out: what is said of the past is not all */
    return code;
}

static int load(struct band *band, int64_t start_s, const struct hour **out)
{
    int64_t at = (start_s - band->base_s) / ANOMALY_HOUR_S;
    static const struct hour none;
    struct math_value value;
    struct arena arena;
    *out = &none;
    if (start_s < band->base_s || at >= (int64_t)band->hours || start_s < 0)
        return 0;
    struct hour *hour = &band->hour[at];
    *out = hour;
    if (hour->loaded)
        return 0;
    arena_init(&arena, 16 << 10, LOAD_ARENA);
    int code = evaluate_at(band, &arena, start_s, &value);
    if (!code)
        code = take(band, &value, hour);
    arena_fini(&arena);
    hour->loaded = !code;
    return code;
}

struct samples {
    double *value;
    size_t count, room;
};

static int add_hours(struct band *band, int64_t from_s, int64_t step_h, int steps, struct samples *samples)
{
    int code = 0;
    for (int i = 1; i <= steps && !code; i++) {
        const struct hour *hour;
        code = load(band, from_s - i * step_h * ANOMALY_HOUR_S, &hour);
        if (code || !hour->count)
            continue;
        if (samples->count + hour->count > samples->room) {
            size_t room = (samples->count + hour->count) * 2;
            double *grown = arena_array(band->data->arena, room, sizeof(*grown));
            if (!grown)
                return ERR_MEMORY;
            if (samples->count)
                memcpy(grown, samples->value, samples->count * sizeof(*grown));
            samples->value = grown;
            samples->room = room;
        }
        memcpy(samples->value + samples->count, hour->value, hour->count * sizeof(double));
        samples->count += hour->count;
    }
    return code;
}

static int fit_hour(struct band *band, int64_t hour_s, struct anomaly_fit *fit)
{
    static const struct {
        enum anomaly_season season;
        int64_t step_h;
        int steps;
        size_t least;
    } seasons[] = {{ANOMALY_WEEK, 168, ANOMALY_WEEKS, ANOMALY_WEEK_POINTS}, {ANOMALY_DAY, 24, 7 * ANOMALY_WEEKS, ANOMALY_DAY_POINTS}, {ANOMALY_ALL, 1, SEASON_HOURS, ANOMALY_DAY_POINTS}};
    struct samples samples = {0};
    *fit = (struct anomaly_fit){.season = ANOMALY_NONE};
    for (size_t i = 0; i < 3; i++) {
        samples.count = 0;
        int code = add_hours(band, hour_s, seasons[i].step_h, seasons[i].steps, &samples);
        if (code)
            return code;
        if (samples.count < seasons[i].least)
            continue;
        fit->season = seasons[i].season;
        anomaly_fit(samples.value, samples.count, fit);
        return 0;
    }
    return 0;
}

/* ---- which detector ---- */

static int canonical(struct buf *out, const struct watch_data *data, const struct watch_data_query *query, unsigned depth);

struct referring {
    struct buf *out;
    const struct watch_data *data;
    unsigned depth;
};

static int on_id(void *context, struct text id)
{
    struct referring *r = context;
    for (size_t i = 0; i < r->data->count; i++)
        if (text_equal(r->data->query[i].id, id))
            return canonical(r->out, r->data, &r->data->query[i], r->depth + 1);
    return 0; /* METRICS(), a word */
}

static int by_name(const void *a, const void *b)
{
    return text_compare(((const struct watch_dimension *)a)->name, ((const struct watch_dimension *)b)->name);
}

static int canonical(struct buf *out, const struct watch_data *data, const struct watch_data_query *query, unsigned depth)
{
    struct watch_dimension sorted[WATCH_DIMENSIONS_MAX];
    if (depth > WATCH_DATA_DEPTH_MAX)
        return ERR_INVALID;
    if (query->expression.len) {
        struct referring referring = {out, data, depth};
        buf_add_char(out, 'e');
        buf_add_bytes(out, query->expression);
        return query->expr ? math_ids(query->expr, on_id, &referring) : 0;
    }
    size_t count = query->name.dimensions < WATCH_DIMENSIONS_MAX ? query->name.dimensions : WATCH_DIMENSIONS_MAX;
    for (size_t i = 0; i < count; i++)
        sorted[i] = query->name.dimension[i];
    if (count)
        qsort(sorted, count, sizeof(sorted[0]), by_name);
    buf_add_char(out, 'm');
    buf_add_bytes(out, query->name.space);
    buf_add_bytes(out, query->name.name);
    buf_add_bytes(out, query->stat);
    for (size_t i = 0; i < count; i++) {
        buf_add_bytes(out, sorted[i].name);
        buf_add_bytes(out, sorted[i].value);
    }
    return out->failed ? ERR_INVALID : 0;
}

int anomaly_detector_id(const struct watch_data *data, const struct watch_data_query *query, char out[ANOMALY_ID])
{
    unsigned char digest[MD5_BYTES];
    struct buf bytes;
    buf_init(&bytes, CANONICAL_MAX);
    int code = canonical(&bytes, data, query, 0);
    struct md5 *md5 = code ? NULL : md5_create();
    if (md5) {
        md5_add(md5, bytes.data, bytes.len);
        md5_end(md5, digest);
        md5_destroy(md5);
        for (size_t i = 0; i < MD5_BYTES; i++) {
            out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
            out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
        }
        out[2 * MD5_BYTES] = 0;
    } else if (!code) {
        code = ERR_MEMORY;
    }
    buf_fini(&bytes);
    return code;
}

static int64_t seconds_of(const struct json *range, const char *name)
{
    double seconds;
    const struct json *value = json_get_str(range, name);
    return value && json_to_double(value, &seconds) == 0 && fabs(seconds) < 1e12 ? (int64_t)seconds : 0;
}

/* Its ranges that are left out. Without a detector there are none. */
static int read_detector(struct band *band, const struct watch_data_query *query)
{
    char id[ANOMALY_ID];
    struct text text;
    const struct json *root;
    struct arena *arena = band->data->arena;
    int code = anomaly_detector_id(band->data, query, id);
    if (code)
        return code == ERR_INVALID ? 0 : code;
    code = watch_keep_get(band->data->view, arena, WATCH_KEEP_DETECTOR, text_of(id), &text);
    if (code)
        return code == ERR_NOT_FOUND ? 0 : code;
    if (json_parse(arena, text, 0, &root, NULL))
        return ERR_CORRUPT;
    const struct json *ranges = json_get_str(json_get_str(root, "Configuration"), "ExcludedTimeRanges");
    for (const struct json *at = json_is(ranges, JSON_ARRAY) ? ranges->first : NULL; at && band->excludeds < ANOMALY_EXCLUDED_MAX; at = at->next)
        band->excluded[band->excludeds++] = (struct excluded){seconds_of(at, "StartTime"), seconds_of(at, "EndTime")};
    return 0;
}

/* ---- the band ---- */

static const struct watch_data_query *query_of(const struct watch_data *data, const struct math_expr *what)
{
    for (size_t i = 0; what->node == NODE_ID && i < data->count; i++)
        if (data->query[i].id.len && text_equal(data->query[i].id, what->text))
            return &data->query[i];
    return NULL;
}

static int begin(struct band *band, int64_t period_s, struct err *err)
{
    struct watch_data *data = band->data;
    int64_t first_s = data->start_s - data->start_s % ANOMALY_HOUR_S, hours = (data->end_s - first_s + ANOMALY_HOUR_S - 1) / ANOMALY_HOUR_S + SEASON_HOURS + 1;
    if (hours > HOURS_MAX)
        return err_set(err, ERR_INVALID, "ANOMALY_DETECTION_BAND looks at up to %d hours", HOURS_MAX - SEASON_HOURS);
    if (period_s > ANOMALY_HOUR_S)
        first_s = data->start_s - data->start_s % period_s;
    band->base_s = first_s - first_s % ANOMALY_HOUR_S - SEASON_HOURS * ANOMALY_HOUR_S;
    band->hours = (size_t)((data->end_s - band->base_s + ANOMALY_HOUR_S - 1) / ANOMALY_HOUR_S + 1);
    band->span_s = period_s > ANOMALY_HOUR_S ? period_s : ANOMALY_HOUR_S;
    band->hour = arena_zalloc(data->arena, band->hours * sizeof(*band->hour));
    const struct watch_data_query *query = query_of(data, band->what);
    return !band->hour ? ERR_MEMORY : query ? read_detector(band, query) : 0;
}

static int fit_at(struct band *band, int64_t time_s, struct anomaly_fit *fit)
{
    int64_t hour_s = time_s - time_s % ANOMALY_HOUR_S;
    struct hour *hour = &band->hour[(hour_s - band->base_s) / ANOMALY_HOUR_S];
    int code = hour->fitted ? 0 : fit_hour(band, hour_s, &hour->fit);
    hour->fitted = !code;
    *fit = hour->fit;
    return code;
}

static int make_bounds(struct watch_data *data, const struct math_series *of, int64_t period_s, size_t room, struct math_value *item)
{
    const struct watch_data_query *query = data->at;
    struct math_env env = {.arena = data->arena, .period_s = period_s};
    struct math_series like = {.label = TEXT_NONE, .source = of->source, .period_s = period_s};
    struct text label = of->label.len ? of->label : query->id;
    int code = math_series_make(&env, room, &like, &item[0]);
    if (!code)
        code = math_series_make(&env, room, &like, &item[1]);
    if (code)
        return code;
    item[0].series.label = arena_format(data->arena, "%.*s (upper bound)", TEXT_FMT(label));
    item[1].series.label = arena_format(data->arena, "%.*s (lower bound)", TEXT_FMT(label));
    return item[0].series.label.data && item[1].series.label.data ? 0 : ERR_MEMORY;
}

int watch_data_band(struct watch_data *data, const struct math_expr *what, double width, struct math_value *list, struct err *err)
{
    struct band *band = arena_zalloc(data->arena, sizeof(*band));
    struct math_value value, *item = arena_zalloc(data->arena, 2 * sizeof(*item));
    if (!band || !item)
        return ERR_MEMORY;
    if (data->in_band)
        return err_set(err, ERR_INVALID, "ANOMALY_DETECTION_BAND cannot stand on another band");
    int code = watch_data_evaluate(data, data->at, what, &value, err);
    if (!code && value.type != MATH_SERIES)
        code = err_set(err, ERR_INVALID, "ANOMALY_DETECTION_BAND wants a time series");
    if (code)
        return code;
    int64_t period_s = value.series.period_s > 0 ? value.series.period_s : data->at->period_s, start_s = data->start_s - data->start_s % period_s;
    if (data->end_s - start_s > POINTS_MAX * period_s)
        return err_set(err, ERR_INVALID, "The range has more than %d periods", POINTS_MAX);
    *band = (struct band){.data = data, .query = data->at, .what = what};
    code = begin(band, period_s, err);
    if (!code)
        code = make_bounds(data, &value.series, period_s, (size_t)((data->end_s - start_s) / period_s + 2), item);
    for (int64_t t = start_s; t < data->end_s && !code; t += period_s) {
        struct anomaly_fit fit;
        code = fit_at(band, t, &fit);
        if (code || fit.season == ANOMALY_NONE)
            continue;
        math_push(&item[0], t, fit.center + width * fit.spread);
        math_push(&item[1], t, fit.center - width * fit.spread);
    }
    *list = (struct math_value){.type = MATH_LIST, .item = item, .items = 2};
    return code;
}

int anomaly_look(struct watch_data *data, struct watch_data_query *query, struct anomaly_fit *fit)
{
    struct band *band = arena_zalloc(data->arena, sizeof(*band));
    struct math_expr *what = arena_zalloc(data->arena, sizeof(*what));
    if (!band || !what)
        return ERR_MEMORY;
    *what = (struct math_expr){.node = NODE_ID, .text = query->id};
    *band = (struct band){.data = data, .query = query, .what = what};
    *fit = (struct anomaly_fit){.season = ANOMALY_NONE};
    data->start_s = data->end_s - data->end_s % ANOMALY_HOUR_S;
    int code = begin(band, query->period_s, NULL);
    return code ? code : fit_at(band, data->start_s, fit);
}
