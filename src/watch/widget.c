/* Widgets as data: which kind it is, over which range, and the JSON around what the files of the kinds make. */
#include "watch/widget.h"

#include "base/clock.h"
#include "base/hash.h"
#include "watch/metric.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct text widget_text(const struct json *object, const char *name)
{
    const struct json *value = json_get_str(object, name);
    return json_is(value, JSON_STRING) ? value->text : TEXT_NONE;
}

void widget_message(struct widget_messages *messages, struct arena *arena, const char *format, ...)
{
    char text[400];
    va_list args;
    if (messages->count == WIDGET_MESSAGES_MAX)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct text copy = arena_copy(arena, text_of(text));
    for (size_t i = 0; i < messages->count && copy.data; i++)
        if (text_equal(messages->text[i], copy))
            return;
    if (copy.data)
        messages->text[messages->count++] = copy;
}

/* ---- ranges ---- */

static struct text first_of(struct text a, struct text b, struct text c)
{
    return a.len ? a : b.len ? b : c;
}

static int read_period(const struct widget_wish *wish, struct widget_range *range, struct err *err)
{
    uint64_t period;
    if (!wish->period.len)
        return 0;
    range->automatic = text_is(wish->period, "auto");
    if (range->automatic)
        return 0;
    if (text_to_u64(wish->period, 86400 * 366, &period) || !watch_period_is_valid((int64_t)period))
        return err_set(err, ERR_INVALID, "period is auto, 1, 5, 10, 20, 30 or a multiple of 60 seconds");
    range->period_s = (int64_t)period;
    return 0;
}

int widget_range_resolve(const struct widget_wish *wish, struct widget_range *range, struct err *err)
{
    const struct json *properties = json_get_str(wish->widget, "properties");
    struct text body_start = wish->body ? wish->body->start : TEXT_NONE, body_end = wish->body ? wish->body->end : TEXT_NONE;
    bool ignored, given = wish->start.len > 0; /* a start comes with its own end */
    struct text start = first_of(wish->start, widget_text(properties, "start"), body_start);
    struct text end = given ? wish->end : first_of(wish->end, widget_text(properties, "end"), body_end);
    *range = (struct widget_range){.end_ms = wish->now_ms, .moving = true, .automatic = wish->body && wish->body->automatic};
    if (end.len && dashboard_time_parse(end, wish->now_ms, &range->end_ms, &range->moving))
        return err_set(err, ERR_INVALID, "end is a time such as -PT5M or 2025-01-17T10:30:00Z");
    range->start_ms = range->end_ms - WIDGET_RANGE_MS;
    if (start.len && dashboard_time_parse(start, wish->now_ms, &range->start_ms, &ignored))
        return err_set(err, ERR_INVALID, "start is a time such as -PT3H or 2025-01-17T10:30:00Z");
    if (range->start_ms < 0)
        range->start_ms = 0;
    if (range->start_ms >= range->end_ms)
        return err_set(err, ERR_INVALID, "start is before end");
    return read_period(wish, range, err);
}

int64_t widget_period(const struct widget_range *range, int64_t asked_s, int64_t now_ms)
{
    static const int64_t wider[] = {1, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400, 604800, 2592000};
    int64_t length_s = (range->end_ms - range->start_ms + SECOND_MS - 1) / SECOND_MS, age_s = (now_ms - range->start_ms) / SECOND_MS;
    int64_t period = range->period_s ? range->period_s : range->automatic ? 0 : asked_s;
    int64_t least = 1;
    if (!period)
        period = length_s <= 3 * 3600 ? 60 : length_s <= 15 * 86400 ? 300 : 3600;
    for (size_t level = 0; level + 1 < WATCH_LEVELS; level++) /* what is left of the range's start is kept by that much */
        if (age_s > WATCH_KEPT_S[level])
            least = WATCH_LEVEL_S[level + 1];
    if (period % least)
        period += least - period % least;
    for (size_t i = 0; i < sizeof(wider) / sizeof(wider[0]) && length_s / period > WIDGET_POINTS_MAX; i++)
        if (wider[i] > period)
            period = wider[i];
    if (length_s / period > WIDGET_POINTS_MAX)
        period = (length_s / WIDGET_POINTS_MAX / 86400 + 1) * 86400;
    return period;
}

/* ---- metrics ---- */

static void write_points(struct json_writer *w, const struct widget_series *series)
{
    json_name(w, "points");
    json_begin_array(w);
    for (size_t i = 0; i < series->count; i++) {
        json_begin_array(w);
        json_i64(w, series->time_s[i] * SECOND_MS);
        json_double(w, series->value[i]);
        json_end_array(w);
    }
    json_end_array(w);
}

static void member(struct json_writer *w, const char *name, struct text value)
{
    if (!value.len)
        return;
    json_name(w, name);
    json_text(w, value);
}

static void write_series(struct json_writer *w, const struct widget_series *series)
{
    json_begin_object(w);
    member(w, "id", series->id);
    json_name(w, "label");
    json_text(w, series->label);
    member(w, "color", series->color);
    json_name(w, "yAxis");
    json_str(w, series->right ? "right" : "left");
    if (series->unit > 0) {
        json_name(w, "unit");
        json_str(w, watch_unit_names[series->unit]);
    }
    member(w, "stat", series->stat);
    json_name(w, "period");
    json_i64(w, series->period_s);
    write_points(w, series);
    json_end_object(w);
}

static void copy_member(struct json_writer *w, const struct json *properties, const char *name)
{
    const struct json *value = json_get_str(properties, name);
    if (!value)
        return;
    json_name(w, name);
    json_value(w, value);
}

static void write_messages(struct json_writer *w, const struct widget_messages *messages)
{
    if (!messages->count)
        return;
    json_name(w, "messages");
    json_begin_array(w);
    for (size_t i = 0; i < messages->count; i++)
        json_text(w, messages->text[i]);
    json_end_array(w);
}

static int write_metric(const struct widget_ask *ask, const struct json *properties, struct widget_figures *figures, struct json_writer *w)
{
    static const char *const copied[] = {"annotations", "yAxis", "legend", "sparkline", "gauge", "singleValueFullPrecision", "table", "labels"};
    struct widget_messages messages = {.count = 0};
    struct text view = widget_text(properties, "view");
    int code = widget_metrics_read(ask, properties, figures, &messages);
    if (code)
        return code;
    json_name(w, "view");
    json_text(w, view.len ? view : TEXT("timeSeries"));
    json_name(w, "stacked");
    json_bool(w, json_is(json_get_str(properties, "stacked"), JSON_TRUE));
    json_name(w, "start");
    json_i64(w, ask->range.start_ms);
    json_name(w, "end");
    json_i64(w, ask->range.end_ms);
    json_name(w, "period");
    json_i64(w, figures->period_s);
    json_name(w, "series");
    json_begin_array(w);
    for (size_t i = 0; i < figures->count; i++)
        write_series(w, &figures->series[i]);
    json_end_array(w);
    for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
        copy_member(w, properties, copied[i]);
    write_messages(w, &messages);
    for (size_t i = 0; i < messages.count; i++)
        figures->told = figures->told * 31 + hash_bytes(messages.text[i]);
    return 0;
}

/* ---- the way in ---- */

static int write_kind(const struct widget_ask *ask, enum dashboard_type type, const struct json *properties, struct widget_figures *figures, struct json_writer *w)
{
    switch (type) {
    case DASHBOARD_METRIC:
        return write_metric(ask, properties, figures, w);
    case DASHBOARD_LOG:
        return widget_log_write(ask, properties, w);
    case DASHBOARD_ALARM:
        return widget_alarm_write(ask, properties, w);
    case DASHBOARD_TEXT:
        json_name(w, "markdown");
        json_text(w, widget_text(properties, "markdown"));
        member(w, "background", widget_text(properties, "background"));
        return 0;
    case DASHBOARD_EXPLORER:
        json_name(w, "message");
        json_str(w, "An explorer chooses metrics by the tags of resources, and there are none here: name the metrics, or use SEARCH.");
        return 0;
    case DASHBOARD_CUSTOM:
        json_name(w, "message");
        json_str(w, "A custom widget is drawn by a function of its own, and none is called for it here.");
        return 0;
    case DASHBOARD_TYPES:
        break;
    }
    return ERR_INVALID;
}

int widget_compute(const struct widget_ask *ask, struct widget_figures *figures, struct buf *out, struct err *err)
{
    const struct json *properties = json_get_str(ask->widget, "properties");
    int type = dashboard_type_find(widget_text(ask->widget, "type"));
    struct json_writer w;
    struct widget_figures *own = figures ? figures : arena_alloc(ask->arena, sizeof(*own));
    if (type < 0 || !json_is(properties, JSON_OBJECT))
        return err_set(err, ERR_INVALID, "a widget has a type and properties");
    if (!own)
        return ERR_MEMORY;
    own->count = 0;
    own->period_s = 0;
    own->told = 0;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_name(&w, "type");
    json_str(&w, dashboard_type_names[type]);
    member(&w, "title", widget_text(properties, "title"));
    int code = write_kind(ask, (enum dashboard_type)type, properties, own, &w);
    json_end_object(&w);
    return code ? code : out->failed ? ERR_TOO_LARGE : 0;
}
