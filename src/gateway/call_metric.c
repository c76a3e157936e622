/*
 * weir_metric: a data point of an application's own.
 *
 * In the tick it is part of the call (watch/metric.h): the row it belongs to is found now, so that a wrong name fails the call that gave it, and it is written with the tick. A
 * READ or PURE route has no tick: its points wait in the call until the handler has succeeded and then go into the io thread's tally (figures.h), from which they are put
 * once a second.
 *
 * A series too many is the operator's concern, not the client's: the point is left out and counted, the log names the namespace (series.h), and the call goes on.
 */
#include "gateway/call.h"

struct gw_measured {
    struct gw_measured *next;
    unsigned place;
    double value;
};

_Static_assert(WEIR_DIMENSIONS_MAX <= WATCH_DIMENSIONS_MAX, "as many as a metric may have");

static void refuse(struct weir_call *call, struct text name, const char *why)
{
    gw_call_fail(call, ERR_INTERNAL, "INTERNAL", NULL, "The application's metric \"%.*s\" cannot be put: %s.", (int)(name.len < 64 ? name.len : 64), name.data ? name.data : "", why);
}

static bool read_point(struct weir_call *call, const struct weir_metric *metric, struct watch_dimension *dimension, struct watch_point *point)
{
    struct err err = {0};
    int unit = metric->unit ? watch_unit_find(text_of(metric->unit)) : WATCH_UNIT_NONE;
    size_t count = 0;
    for (; count < WEIR_DIMENSIONS_MAX && metric->dimension[count].name; count++)
        dimension[count] = (struct watch_dimension){text_of(metric->dimension[count].name), text_in(metric->dimension[count].value)};
    *point = (struct watch_point){
        .name = {.space = metric->space ? text_of(metric->space) : call->api->metric_space, .name = text_in(metric->name), .dimension = dimension, .dimensions = count},
        .unit = unit < 0 ? 0 : (unsigned)unit,
        .high = metric->high,
        .value = &metric->value,
        .values = 1,
    };
    if (unit < 0)
        err_set(&err, ERR_INVALID, "there is no unit \"%.40s\"", metric->unit);
    else if (!(metric->value >= -SKETCH_VALUE_MAX && metric->value <= SKETCH_VALUE_MAX))
        err_set(&err, ERR_INVALID, "its value is no number of at most 2^360");
    else
        watch_name_check(&point->name, &err);
    if (err.code)
        refuse(call, point->name.name, err.text);
    return !err.code;
}

static void put(struct weir_call *call, struct watch_point *point)
{
    struct err err = {0};
    point->time_ms = tick_now_ms(call->tick);
    int code = watch_metric_put(call->tick, &call->arena, point, &err);
    if (code == ERR_INVALID)
        refuse(call, point->name.name, err.text);
    else if (code != ERR_FULL)
        gw_call_kept(call, code, &err);
}

static void keep_back(struct weir_call *call, const struct watch_point *point)
{
    struct gw_measured *measured = arena_alloc(&call->arena, sizeof(*measured));
    if (!measured) {
        gw_call_no_memory(call);
        return;
    }
    *measured = (struct gw_measured){call->measured, watch_tally_place(gw_tally(call->io), &point->name, point->unit, point->high), point->value[0]};
    call->measured = measured;
}

void gw_call_flush_measured(struct weir_call *call)
{
    for (struct gw_measured *measured = call->measured; measured && !call->failed; measured = measured->next)
        watch_tally_add(gw_tally(call->io), measured->place, measured->value, 1);
    call->measured = NULL;
}

void weir_metric(struct weir_call *call, const struct weir_metric *metric)
{
    struct watch_dimension dimension[WEIR_DIMENSIONS_MAX];
    struct watch_point point;
    if (call->failed || !read_point(call, metric, dimension, &point))
        return;
    if (call->tick)
        put(call, &point);
    else
        keep_back(call, &point);
}

void weir_measure(struct weir_call *call, const char *name, double value, const char *unit, const char *dimension, struct weir_text of)
{
    struct weir_metric metric = {.name = weir_text_of(name), .value = value, .unit = unit};
    metric.dimension[0].name = dimension;
    metric.dimension[0].value = of;
    weir_metric(call, &metric);
}
