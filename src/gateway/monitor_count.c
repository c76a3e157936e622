/*
 * A completion becomes figures.
 *
 * The places of an operation in the thread's tally are asked for at its first completion there and kept. Three sets of dimensions are put: {Handler} and {Handler,
 * Environment}, because the documents' dashboard asks for the one and their alarms for the other, and CloudWatch adds nothing up over dimensions; and {ApiId, Handler}, because two
 * applications may both have a route `ping`. ErrorRate is 100 or 0 for each completion, so its average over any period is the rate in per cent.
 */
#include "gateway/monitor.h"

#include "gateway/figures.h"

#include <stdlib.h>

#define NS_PER_MS 1e6

struct sides { /* of one operation on one thread */
    struct watch_tally *tally;
    struct gw_gauge *gauge;
};

/* ---- places ---- */

static struct text space_of(const struct gw_operation *operation)
{
    const struct gw_api_config *config = operation->api->config;
    if (config->performance_space.len)
        return config->performance_space;
    return config->app && config->app->performance_space ? text_of(config->app->performance_space) : TEXT(GW_PERFORMANCE_SPACE);
}

static unsigned place(const struct gw_completion *c, struct watch_tally *tally, enum gw_dimensions by, const char *metric, const char *unit, const char *name, const char *value)
{
    struct watch_dimension dimension[3] = {{TEXT("Handler"), c->operation->name}};
    struct watch_name series = {.space = space_of(c->operation), .name = text_of(metric), .dimension = dimension, .dimensions = 1};
    if (by == GW_BY_ENVIRONMENT)
        dimension[series.dimensions++] = (struct watch_dimension){TEXT("Environment"), c->gateway->config.environment};
    if (by == GW_BY_API)
        dimension[series.dimensions++] = (struct watch_dimension){TEXT("ApiId"), c->operation->api->id};
    if (name)
        dimension[series.dimensions++] = (struct watch_dimension){text_of(name), text_of(value)};
    int number = watch_unit_find(text_of(unit));
    ASSERT(number >= 0);
    return watch_tally_place(tally, &series, (unsigned)number, name == NULL);
}

static const char *unit_of(const struct weir_figure *figure)
{
    static const char *const units[] = {[WEIR_FIGURE_COUNT] = "Count", [WEIR_FIGURE_FIELD] = "None", [WEIR_FIGURE_SUCCESS] = "Percent", [WEIR_FIGURE_DURATION] = "Milliseconds"};
    return figure->kind == WEIR_FIGURE_FIELD && figure->unit ? figure->unit : units[figure->kind];
}

static void place_figures(const struct gw_completion *c, const struct sides *sides)
{
    unsigned *at = sides->gauge->further;
    for (uint32_t i = 0; i < c->operation->figures; i++) {
        const struct weir_figure *figure = &c->operation->decl->figures[i];
        size_t value = 0;
        do {
            const char *of = figure->dimension ? figure->values[value] : NULL;
            *at++ = place(c, sides->tally, GW_BY_HANDLER, figure->name, unit_of(figure), figure->dimension, of);
            *at++ = place(c, sides->tally, GW_BY_API, figure->name, unit_of(figure), figure->dimension, of);
        } while (figure->dimension && figure->values[++value]);
    }
}

static void place_all(const struct gw_completion *c, const struct sides *sides)
{
    struct gw_gauge *gauge = sides->gauge;
    gauge->placed = true;
    for (int figure = 0; figure < WATCH_FIGURES; figure++)
        for (int by = 0; by < GW_DIMENSIONS; by++)
            gauge->place[figure][by] = place(c, sides->tally, (enum gw_dimensions)by, watch_figure_names[figure], watch_figure_units[figure], NULL, NULL);
    gauge->further = c->operation->places ? calloc(c->operation->places * 2, sizeof(*gauge->further)) : NULL;
    if (gauge->further)
        place_figures(c, sides);
}

/* The thread's gauges are made at its first completion; other threads read the windows in them. */
static bool sides_of(const struct gw_completion *c, struct sides *sides)
{
    struct gw_gauge **gauges = c->io ? &c->io->gauges : &c->gateway->gauges;
    sides->tally = c->io ? gw_tally(c->io) : gw_tally_state(c->gateway);
    if (!*gauges) {
        struct gw_gauge *made = calloc(c->gateway->operation_count, sizeof(*made));
        if (!made)
            return false; /* figures are not worth a failure */
        __atomic_store_n(gauges, made, __ATOMIC_RELEASE);
    }
    sides->gauge = &(*gauges)[c->operation->index];
    if (!sides->gauge->placed)
        place_all(c, sides);
    return true;
}

/* ---- the declared figures ---- */

static bool text_equals(const struct gw_completion *c, const char *field, const char *value)
{
    struct gw_field found;
    return gw_completion_field(c, field, &found) && found.kind == GW_FIELD_TEXT && text_is(found.text, value);
}

/* The place of the figure's value among its own; -1: this completion has none. */
static int value_of(const struct gw_completion *c, const struct weir_figure *figure)
{
    struct gw_field found;
    if (!figure->dimension)
        return 0;
    if (!gw_completion_field(c, figure->by, &found) || found.kind != GW_FIELD_TEXT)
        return -1;
    for (int i = 0; figure->values[i]; i++)
        if (text_is(found.text, figure->values[i]))
            return i;
    return -1;
}

static bool number_of(const struct gw_completion *c, const struct weir_figure *figure, double *out)
{
    struct gw_field found;
    switch (figure->kind) {
    case WEIR_FIGURE_COUNT:
        *out = 1;
        return true;
    case WEIR_FIGURE_SUCCESS:
        *out = c->figures.failed ? 0 : 100;
        return true;
    case WEIR_FIGURE_DURATION:
        *out = (double)c->figures.duration_ns / NS_PER_MS;
        return true;
    case WEIR_FIGURE_FIELD:
        break;
    }
    if (!gw_completion_field(c, figure->field, &found) || found.kind != GW_FIELD_INTEGER)
        return false;
    *out = (double)found.number;
    return true;
}

static void count_figures(const struct gw_completion *c, const struct sides *sides)
{
    const unsigned *places = sides->gauge->further;
    for (uint32_t i = 0; places && i < c->operation->figures; i++) {
        const struct weir_figure *figure = &c->operation->decl->figures[i];
        double number;
        int value = !figure->when || text_equals(c, figure->when, figure->is) ? value_of(c, figure) : -1;
        if (value >= 0 && number_of(c, figure, &number)) {
            watch_tally_add(sides->tally, places[value * 2], number, 1);
            watch_tally_add(sides->tally, places[value * 2 + 1], number, 1);
        }
        size_t values = 1;
        while (figure->dimension && figure->values[values])
            values++;
        places += values * 2;
    }
}

/* ---- breaches ---- */

static void count_breach(const struct gw_completion *c, const struct sides *sides, enum watch_figure figure)
{
    for (int by = GW_BY_ENVIRONMENT; by <= GW_BY_API; by++)
        watch_tally_add(sides->tally, place(c, sides->tally, (enum gw_dimensions)by, "ThresholdBreaches", "Count", GW_BREACH_FIGURE, watch_figure_names[figure]), 1, 1);
}

static void breach(const struct gw_completion *c, const struct sides *sides, enum watch_figure figure, double value, double threshold, bool tell)
{
    uint32_t kept_back = 0;
    count_breach(c, sides, figure);
    if (tell && watch_gate_pass(&c->operation->breaches, clock_mono_ms(), GW_MONITOR_LINES, &kept_back))
        gw_breach_line(c, figure, value, threshold, kept_back);
}

/* Only a failure can raise the rate, so only failures look. */
static void judge_rate(const struct gw_completion *c, const struct sides *sides)
{
    struct watch_share share = {0};
    uint32_t kept_back;
    gw_operation_share(c->gateway, c->operation, &share);
    double most = gw_operation_thresholds(c->operation).error_rate, rate = watch_share_exceeds(&share, most);
    if (rate < 0 || !watch_gate_pass(&c->operation->rates, clock_mono_ms(), 1, &kept_back))
        return;
    count_breach(c, sides, WATCH_FIGURE_ERROR_RATE);
    gw_breach_line(c, WATCH_FIGURE_ERROR_RATE, rate * 100, most * 100, 0);
}

static void judge(const struct gw_completion *c, const struct sides *sides)
{
    const struct watch_thresholds now = gw_operation_thresholds(c->operation), *thresholds = &now;
    unsigned exceeded = watch_thresholds_judge(thresholds, &c->figures);
    if (exceeded & 1u << WATCH_FIGURE_DURATION)
        breach(c, sides, WATCH_FIGURE_DURATION, (double)c->figures.duration_ns / NS_PER_MS, (double)thresholds->duration_ms, true);
    if (exceeded & 1u << WATCH_FIGURE_MEMORY)
        breach(c, sides, WATCH_FIGURE_MEMORY, (double)c->figures.memory, (double)thresholds->memory, true);
    if (!(thresholds->error_rate > 0))
        return;
    watch_window_add(&sides->gauge->window, clock_mono_ms(), c->figures.failed);
    if (c->figures.failed)
        judge_rate(c, sides);
}

void gw_completion_count(struct gw_completion *c)
{
    const double value[WATCH_FIGURES] = {(double)c->figures.duration_ns / NS_PER_MS, (double)c->figures.memory, c->figures.failed ? 100 : 0};
    struct gw_operation *operation = c->operation;
    struct sides sides;
    uint32_t kept_back;
    struct gw_field warning;
    if (!sides_of(c, &sides))
        return;
    for (int figure = 0; figure < WATCH_FIGURES; figure++)
        for (int by = 0; by < GW_DIMENSIONS; by++)
            watch_tally_add(sides.tally, sides.gauge->place[figure][by], value[figure], c->weight ? c->weight : 1);
    if (operation->figures)
        count_figures(c, &sides);
    bool judged = __atomic_load_n(&operation->judged, __ATOMIC_RELAXED);
    if (judged)
        judge(c, &sides);
    if (!operation->declared && !judged)
        return;
    bool warned = !c->figures.failed && c->fields && gw_completion_field(c, "warning", &warning);
    if (!(c->figures.failed || warned) || !watch_gate_pass(&operation->failures, clock_mono_ms(), GW_MONITOR_LINES, &kept_back))
        return;
    if (warned)
        gw_warning_line(c, kept_back);
    else
        gw_failure_line(c, kept_back);
}
