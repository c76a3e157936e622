/*
 * GET /<api>/@performance: each operation's figures over the last minute, five minutes and hour, its thresholds, breaches and business metrics.
 *
 * Everything is read from the metrics, as a client of the CloudWatch wire would, so what is told here survives a restart and can be asked for elsewhere. A window begins with a
 * whole minute, since that is what metrics are kept by, and ends now: `seconds` says how long it is, and rates are per minute of it. It is read on a worker.
 */
#include "gateway/monitor.h"

#include "gateway/host.h"

#include <stdlib.h>

#define WINDOWS 3
static const int64_t minutes[WINDOWS] = {1, 5, 60};
static const char *const window_names[WINDOWS] = {"1m", "5m", "60m"};
#define ANSWER_MAX ((size_t)16 << 20)

struct report {
    struct gw_api *api;
    struct buf out;
};
/* One metric over the windows. */
struct sums {
    struct watch_summary window[WINDOWS];
    int64_t start_s[WINDOWS];
    int code;
};
struct reading {
    struct store_view *view;
    struct arena *arena;
    const struct gw_operation *operation;
    struct json_writer *w;
    int64_t now_ms;
    int code;
};

/* ---- reading ---- */

static int visit(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    struct sums *sums = context;
    (void)unit;
    for (int i = 0; i < WINDOWS && !sums->code; i++)
        if (start_s >= sums->start_s[i])
            sums->code = watch_summary_merge(&sums->window[i], summary);
    return sums->code;
}

static struct text space_of(const struct gw_api *api)
{
    const struct weir_app *app = api->config->app;
    if (api->config->performance_space.len)
        return api->config->performance_space;
    return app && app->performance_space ? text_of(app->performance_space) : TEXT(GW_PERFORMANCE_SPACE);
}

static int64_t begin_s(const struct reading *r, int window)
{
    return (r->now_ms / MINUTE_MS - minutes[window]) * 60;
}

static double seconds_of(const struct reading *r, int window)
{
    return (double)(r->now_ms - begin_s(r, window) * 1000) / 1000;
}

static void read_metric(struct reading *r, const char *metric, const char *name, const char *value, bool figures, struct sums *sums)
{
    struct watch_dimension dimension[3] = {{TEXT("Handler"), r->operation->name}, {TEXT("ApiId"), r->operation->api->id}, {text_of(name), text_of(value)}};
    struct watch_query query = {
        .name = {.space = space_of(r->operation->api), .name = text_of(metric), .dimension = dimension, .dimensions = name ? 3 : 2},
        .start_s = begin_s(r, WINDOWS - 1),
        .end_s = r->now_ms / 1000 + 60,
        .period_s = 60,
        .unit = -1,
        .figures = figures,
        .now_ms = r->now_ms,
    };
    *sums = (struct sums){.code = 0};
    for (int i = 0; i < WINDOWS; i++) {
        watch_summary_init(&sums->window[i], r->arena);
        sums->start_s[i] = begin_s(r, i);
    }
    if (!r->code)
        r->code = watch_metric_read(r->view, r->arena, &query, visit, sums);
}

/* ---- writing ---- */

static void write_number(struct json_writer *w, const char *name, double value)
{
    json_name(w, name);
    json_double(w, value);
}

static void write_percentile(struct json_writer *w, const char *name, const char *statistic, const struct watch_summary *summary)
{
    struct statistic parsed;
    double value;
    json_name(w, name);
    if (statistic_parse(text_of(statistic), &parsed) == 0 && statistic_evaluate(&parsed, summary, &value))
        json_double(w, value);
    else
        json_null(w);
}

static double average(const struct watch_summary *summary)
{
    return summary->count > 0 ? summary->sum / summary->count : 0;
}

static void write_breaches(struct reading *r, const struct sums *breaches, int window)
{
    json_name(r->w, "breaches");
    json_begin_object(r->w);
    for (int i = 0; i < WATCH_FIGURES; i++)
        write_number(r->w, watch_figure_names[i], breaches[i].window[window].sum);
    json_end_object(r->w);
}

static double figure_value(enum weir_figure_kind kind, bool by_value, const struct watch_summary *summary, double of_minutes)
{
    if (kind == WEIR_FIGURE_COUNT)
        return by_value ? summary->sum : summary->sum / of_minutes;
    return kind == WEIR_FIGURE_SUCCESS ? average(summary) / 100 : average(summary);
}

static void write_figure(struct reading *r, const struct weir_figure *figure, const struct sums *sums, int window)
{
    double of_minutes = seconds_of(r, window) / 60;
    json_name(r->w, figure->name);
    if (!figure->dimension) {
        json_double(r->w, figure_value(figure->kind, false, &sums->window[window], of_minutes));
        return;
    }
    json_begin_object(r->w);
    for (size_t i = 0; figure->values[i]; i++)
        write_number(r->w, figure->values[i], figure_value(figure->kind, true, &sums[i].window[window], of_minutes));
    json_end_object(r->w);
}

static void write_figures(struct reading *r, const struct sums *sums, int window)
{
    json_name(r->w, "businessMetrics");
    json_begin_object(r->w);
    for (uint32_t f = 0; f < r->operation->figures; f++) {
        const struct weir_figure *figure = &r->operation->decl->figures[f];
        write_figure(r, figure, sums++, window);
        for (size_t value = 1; figure->dimension && figure->values[value]; value++)
            sums++;
    }
    json_end_object(r->w);
}

/* All windows of one operation; `further`: of the declared figures, one after the other. */
static void write_windows(struct reading *r, const struct sums *three, const struct sums *breaches, const struct sums *further)
{
    json_name(r->w, "windows");
    json_begin_object(r->w);
    for (int i = 0; i < WINDOWS; i++) {
        const struct watch_summary *duration = &three[WATCH_FIGURE_DURATION].window[i], *memory = &three[WATCH_FIGURE_MEMORY].window[i];
        json_name(r->w, window_names[i]);
        json_begin_object(r->w);
        write_number(r->w, "seconds", seconds_of(r, i));
        write_number(r->w, "count", duration->count);
        write_percentile(r->w, "durationP50", "p50", duration);
        write_percentile(r->w, "durationP99", "p99", duration);
        write_number(r->w, "durationAverage", average(duration));
        write_number(r->w, "durationMaximum", duration->count > 0 ? duration->max : 0);
        write_number(r->w, "memoryAverage", average(memory));
        write_number(r->w, "memoryMaximum", memory->count > 0 ? memory->max : 0);
        write_number(r->w, "errorRate", average(&three[WATCH_FIGURE_ERROR_RATE].window[i]) / 100);
        write_breaches(r, breaches, i);
        if (r->operation->figures)
            write_figures(r, further, i);
        json_end_object(r->w);
    }
    json_end_object(r->w);
}

static void write_thresholds(struct reading *r)
{
    const struct watch_thresholds now = gw_operation_thresholds(r->operation), *thresholds = &now;
    json_name(r->w, "thresholds");
    json_begin_object(r->w);
    if (thresholds->duration_ms)
        write_number(r->w, "duration", (double)thresholds->duration_ms);
    if (thresholds->memory)
        write_number(r->w, "memoryUsage", (double)thresholds->memory);
    if (thresholds->error_rate > 0)
        write_number(r->w, "errorRate", thresholds->error_rate);
    json_end_object(r->w);
}

static void write_routes(struct reading *r)
{
    const struct gw_api *api = r->operation->api;
    json_name(r->w, "routes");
    json_begin_array(r->w);
    for (size_t i = 0; i < api->route_count; i++)
        if (api->routes[i].operation == r->operation)
            json_text(r->w, api->routes[i].key);
    json_end_array(r->w);
}

static void read_figures(struct reading *r, struct sums *further)
{
    for (uint32_t f = 0; f < r->operation->figures; f++) {
        const struct weir_figure *figure = &r->operation->decl->figures[f];
        size_t value = 0;
        do {
            read_metric(r, figure->name, figure->dimension, figure->dimension ? figure->values[value] : NULL, true, further++);
        } while (figure->dimension && figure->values[++value]);
    }
}

static void write_operation(struct reading *r)
{
    struct sums three[WATCH_FIGURES], breaches[WATCH_FIGURES];
    struct sums *further = arena_array(r->arena, r->operation->places + 1, sizeof(*further));
    if (!further) {
        r->code = ERR_MEMORY;
        return;
    }
    for (int i = 0; i < WATCH_FIGURES; i++) {
        read_metric(r, watch_figure_names[i], NULL, NULL, i != WATCH_FIGURE_DURATION, &three[i]);
        read_metric(r, "ThresholdBreaches", GW_BREACH_FIGURE, watch_figure_names[i], true, &breaches[i]);
    }
    read_figures(r, further);
    json_begin_object(r->w);
    json_name(r->w, "operation");
    json_text(r->w, r->operation->name);
    write_routes(r);
    write_thresholds(r);
    write_windows(r, three, breaches, further);
    json_end_object(r->w);
}

/* ---- the request ---- */

static int report_job(struct gw_work *work, struct store_view *view)
{
    struct report *report = work->user;
    struct gw_api *api = report->api;
    struct json_writer w;
    struct arena arena;
    char iso[CLOCK_ISO_SIZE];
    struct reading r = {.view = view, .arena = &arena, .w = &w, .now_ms = clock_wall_ms()};
    arena_init(&arena, 16384, (size_t)64 << 20);
    clock_format_iso(r.now_ms, iso);
    json_writer_init(&w, &report->out);
    json_begin_object(&w);
    json_name(&w, "api");
    json_text(&w, api->id);
    json_name(&w, "environment");
    json_text(&w, api->gateway->config.environment);
    json_name(&w, "namespace");
    json_text(&w, space_of(api));
    json_name(&w, "time");
    json_str(&w, iso);
    json_name(&w, "operations");
    json_begin_array(&w);
    for (uint32_t i = 0; i < api->operation_count && !r.code; i++) {
        struct arena_mark mark = arena_mark(&arena);
        r.operation = &api->operations[i];
        write_operation(&r);
        arena_rewind(&arena, mark);
    }
    json_end_array(&w);
    json_end_object(&w);
    arena_fini(&arena);
    return r.code ? r.code : report->out.failed ? ERR_TOO_LARGE : 0;
}

static void report_done(struct gw_work *work, struct net_conn *conn, int code)
{
    struct report *report = work->user;
    if (conn && !code)
        gw_http_json(conn, 200, buf_text(&report->out));
    else if (conn)
        gw_http_error(conn, code == ERR_FULL ? 503 : 500, err_name(code), "%s", err_text(code));
    buf_fini(&report->out);
    free(report);
}

void gw_performance_http(struct gw_io *io, struct net_conn *conn, struct gw_api *api, const struct http_request *request)
{
    if (!text_is(request->method, "GET")) {
        gw_http_error(conn, 405, "METHOD_NOT_ALLOWED", "This address does not take this method.");
        return;
    }
    struct report *report = calloc(1, sizeof(*report));
    struct gw_work *work = report ? gw_work_take(io, conn) : NULL;
    if (!work) {
        if (!report)
            gw_http_error(conn, 503, "MEMORY", "out of memory");
        free(report);
        return;
    }
    report->api = api;
    buf_init(&report->out, ANSWER_MAX);
    work->user = report;
    work->done = report_done;
    int code = gw_work_offload(work, report_job);
    if (code)
        gw_work_finish(work, code);
}
