/*
 * A widget looked at, and compared with the last look.
 *
 * Most of what a page is told is the newest point of a line that is three hours long. So the figures of the last look are kept as they are, and when nothing but points has
 * changed, the points alone go out. Whatever else changes (a series comes or goes, another dashboard body, a message) is told by sending everything: there is no third way to
 * get wrong.
 */
#include "gateway/console.h"

#include <stdlib.h>

#define BODY_MEMORY ((size_t)32 << 20)
#define DEFAULT_PAUSE_MS (5 * SECOND_MS)

/* ---- wishes ---- */

static int read_time(const struct json *message, const char *name, struct text *out, struct err *err)
{
    const struct json *value = json_get_str(message, name);
    if (!value || value->type == JSON_NULL)
        return 0;
    if ((value->type != JSON_STRING && value->type != JSON_NUMBER) || value->text.len > 64)
        return err_set(err, ERR_INVALID, "%s is a time such as \"-PT3H\", or epoch milliseconds", name);
    *out = value->text;
    return 0;
}

int console_wish_read(const struct json *message, struct arena *arena, struct console_wish *wish, struct err *err)
{
    const struct json *dashboard = json_get_str(message, "dashboard"), *index = json_get_str(message, "index");
    struct dashboard_body judged;
    *wish = (struct console_wish){.widget = json_get_str(message, "widget")};
    int code = read_time(message, "start", &wish->start, err);
    if (!code)
        code = read_time(message, "end", &wish->end, err);
    if (!code)
        code = read_time(message, "period", &wish->period, err);
    if (code)
        return code;
    if (!dashboard == !wish->widget)
        return err_set(err, ERR_INVALID, "a widget is named by dashboard and index, or given as widget");
    if (dashboard) {
        if (dashboard->type != JSON_STRING || !dashboard_name_valid(dashboard->text))
            return err_set(err, ERR_INVALID, "dashboard is the name of one");
        if (!index || json_to_i64(index, &wish->index) || wish->index < 0 || wish->index >= DASHBOARD_WIDGETS_MAX)
            return err_set(err, ERR_INVALID, "index is the place of the widget in its dashboard, from 0");
        wish->dashboard = dashboard->text;
        wish->widget = NULL;
        return 0;
    }
    code = dashboard_widget_check(arena, wish->widget, &judged);
    if (code == ERR_INVALID)
        return err_set(err, code, "%.*s: %.*s", TEXT_FMT(judged.message[0].path), TEXT_FMT(judged.message[0].text));
    return code ? err_set(err, code, "out of memory") : 0;
}

/* ---- what is shown ---- */

struct console_shown *console_shown_create(void)
{
    struct console_shown *shown = calloc(1, sizeof(*shown));
    if (!shown)
        return NULL;
    arena_init(&shown->arena, 1024, 8 << 20);
    buf_init(&shown->json, WIDGET_JSON_MAX);
    return shown;
}

void console_shown_destroy(struct console_shown *shown)
{
    if (!shown)
        return;
    arena_fini(&shown->arena);
    buf_fini(&shown->json);
    free(shown);
}

size_t console_shown_bytes(const struct console_shown *shown)
{
    return shown ? sizeof(*shown) + shown->json.cap + shown->arena.used : 0;
}

static uint64_t mix(uint64_t head, struct text text)
{
    return (head ^ hash_bytes(text)) * UINT64_C(0x9E3779B97F4A7C15) + text.len;
}

/* Series without their points, in memory that stays. */
static int keep_figures(struct console_shown *shown, const struct widget_figures *from)
{
    struct widget_figures *to = arena_alloc(&shown->arena, sizeof(*to));
    if (!to)
        return ERR_MEMORY;
    to->count = from->count;
    to->period_s = from->period_s;
    for (size_t i = 0; i < from->count; i++) {
        const struct widget_series *series = &from->series[i];
        int64_t *time_s = arena_array(&shown->arena, series->count + 1, sizeof(*time_s));
        double *value = arena_array(&shown->arena, series->count + 1, sizeof(*value));
        if (!time_s || !value)
            return ERR_MEMORY;
        if (series->count) {
            memcpy(time_s, series->time_s, series->count * sizeof(*time_s));
            memcpy(value, series->value, series->count * sizeof(*value));
        }
        to->series[i] = (struct widget_series){.count = series->count, .time_s = time_s, .value = value};
        shown->head = mix(mix(mix(mix(shown->head, series->label), series->id), series->color), series->stat);
        shown->head += (uint64_t)(series->period_s * 4 + series->unit * 131 + series->right);
    }
    shown->figures = to;
    return 0;
}

static int look(struct store_view *view, struct arena *arena, const struct console_wish *wish, struct text account, struct text region, const int *stop, struct console_shown *shown)
{
    struct dashboard dashboard;
    struct dashboard_body body = {0};
    struct widget_ask ask = {.view = view, .arena = arena, .widget = wish->widget, .account = account, .region = region, .now_ms = clock_wall_ms(), .stop = stop};
    if (wish->dashboard.len) {
        int code = dashboard_get(view, arena, wish->dashboard, &dashboard);
        if (code)
            return err_set(&shown->err, code, code == ERR_NOT_FOUND ? "there is no dashboard %.*s" : "the dashboard %.*s cannot be read", TEXT_FMT(wish->dashboard));
        if (dashboard_body_open(arena, dashboard.body, &body) || !(ask.widget = dashboard_body_widget(&body, (size_t)wish->index)))
            return err_set(&shown->err, ERR_NOT_FOUND, "the dashboard %.*s has no widget %lld", TEXT_FMT(wish->dashboard), (long long)wish->index);
    }
    struct widget_wish range = {.start = wish->start, .end = wish->end, .period = wish->period, .body = wish->dashboard.len ? &body : NULL, .widget = ask.widget, .now_ms = ask.now_ms};
    struct widget_figures *figures = arena_alloc(arena, sizeof(*figures));
    int code = figures ? widget_range_resolve(&range, &ask.range, &shown->err) : ERR_MEMORY;
    if (!code)
        code = widget_compute(&ask, figures, &shown->json, &shown->err);
    int type = dashboard_type_find(widget_text(ask.widget, "type"));
    shown->type = type < 0 ? DASHBOARD_CUSTOM : (enum dashboard_type)type;
    shown->range = ask.range;
    if (code || shown->type != DASHBOARD_METRIC)
        return code;
    shown->period_s = figures->period_s;
    shown->head = mix(figures->told, ask.widget->raw);
    return keep_figures(shown, figures);
}

void console_widget_look(struct store_view *view, const struct console_wish *wish, struct text account, struct text region, const int *stop, struct console_shown *shown)
{
    struct arena arena;
    int64_t begun_ns = clock_mono_ns();
    arena_init(&arena, 64 << 10, WIDGET_MEMORY_MAX + BODY_MEMORY);
    shown->sequence = store_snapshot_sequence(view->snapshot);
    shown->code = look(view, &arena, wish, account, region, stop, shown);
    if (shown->code && !shown->err.text[0])
        err_set(&shown->err, shown->code, "%s", shown->code == ERR_TOO_LARGE || shown->code == ERR_MEMORY ? "the widget's data is too large" : err_text(shown->code));
    arena_fini(&arena);
    shown->took_ms = (clock_mono_ns() - begun_ns) / 1000000;
}

/* ---- what has changed ---- */

struct change {
    struct buf *out;
    int64_t start_s;        /* points before are forgotten */
    size_t points, changed, series;
    bool lost;              /* a point that was shown is gone */
};

static void add_point(struct change *change, size_t index, size_t *in_series, int64_t time_s, double value)
{
    struct buf *out = change->out;
    struct json_writer w;
    if (!(*in_series)++)
        buf_add_format(out, "%s{\"index\":%zu,\"points\":[", change->series++ ? "," : "", index);
    else
        buf_add_char(out, ',');
    buf_add_format(out, "[%lld,", (long long)(time_s * SECOND_MS));
    json_writer_init(&w, out);
    json_double(&w, value);
    buf_add_char(out, ']');
    change->changed++;
}

static void compare_series(struct change *change, size_t index, const struct widget_series *before, const struct widget_series *now)
{
    size_t at = 0, in_series = 0;
    for (size_t i = 0; i < now->count; i++) {
        while (at < before->count && before->time_s[at] < now->time_s[i])
            change->lost = change->lost || before->time_s[at++] >= change->start_s;
        bool same = at < before->count && before->time_s[at] == now->time_s[i] && before->value[at] == now->value[i];
        if (at < before->count && before->time_s[at] == now->time_s[i])
            at++;
        if (!same)
            add_point(change, index, &in_series, now->time_s[i], now->value[i]);
    }
    for (; at < before->count; at++)
        change->lost = change->lost || before->time_s[at] >= change->start_s;
    change->points += now->count;
    if (in_series)
        buf_add_text(change->out, TEXT("]}"));
}

/* The data but for its range, which moves by itself. */
static struct text without_range(const struct console_shown *shown)
{
    static const struct text mark = {"\"fields\":[", 10};
    struct text json = buf_text(&shown->json);
    for (size_t i = 0; shown->type == DASHBOARD_LOG && i + mark.len <= json.len; i++)
        if (text_starts(text_make(json.data + i, json.len - i), mark))
            return text_make(json.data + i, json.len - i);
    return json;
}

int console_widget_diff(const struct console_shown *before, const struct console_shown *now, struct buf *out)
{
    if (before->code || now->code || before->type != now->type || before->head != now->head || !before->figures != !now->figures)
        return 2;
    if (!now->figures)
        return text_equal(without_range(before), without_range(now)) ? 0 : 2;
    if (before->figures->count != now->figures->count)
        return 2;
    int64_t period_ms = (now->period_s ? now->period_s : 1) * SECOND_MS;
    int64_t start_ms = now->range.start_ms - now->range.start_ms % period_ms;
    struct change change = {.out = out, .start_s = start_ms / SECOND_MS};
    buf_add_format(out, "{\"start\":%lld,\"end\":%lld,\"series\":[", (long long)start_ms, (long long)now->range.end_ms);
    for (size_t i = 0; i < now->figures->count; i++)
        compare_series(&change, i, &before->figures->series[i], &now->figures->series[i]);
    buf_add_text(out, TEXT("]}"));
    if (change.lost || out->failed || (change.points > 8 && change.changed > change.points / 2))
        return 2;
    return change.changed ? 1 : 0;
}

int64_t console_widget_pause_ms(const struct console_wish *wish, const struct console_shown *shown)
{
    int64_t pause = DEFAULT_PAUSE_MS;
    bool may_change = shown->type == DASHBOARD_METRIC || shown->type == DASHBOARD_LOG ? shown->range.moving || shown->range.end_ms > clock_wall_ms() : shown->type == DASHBOARD_ALARM;
    if (!may_change)
        return wish->dashboard.len ? DEFAULT_PAUSE_MS : 0; /* the dashboard may be put anew */
    if (shown->type == DASHBOARD_METRIC && shown->period_s < 300)
        pause = shown->period_s < 60 ? SECOND_MS : 2 * SECOND_MS;
    if (shown->type == DASHBOARD_ALARM)
        pause = 2 * SECOND_MS;
    int64_t leisure = shown->took_ms * CONSOLE_LEISURE;
    return leisure > pause ? leisure : pause;
}
