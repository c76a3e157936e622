/*
 * Alarms that applications and configurations declare, made when the server starts. An alarm keeps the declaration it was made from: the same one again leaves the alarm as it is,
 * whatever somebody has set over the wire since; another one replaces its configuration, and neither touches its state. A later declaration of a name (the configuration's, behind the
 * application's) stands for the earlier one.
 */
#include "gateway/alarms.h"
#include "gateway/internal.h"

#define DECLARED_MAX 2048 /* of the whole server */
#define DECLARATION_MAX (64u << 10)

struct declared {
    struct text name, config; /* config: JSON */
};
struct declaring {
    struct gateway *gateway;
    struct gw_api *api;   /* NULL: of the server */
    struct arena *arena;
    struct declared *declared;
    size_t count;
    struct err *err;
};

static const char *const compares[] = {"GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"};
static const char *const missings[] = {NULL, "ignore", "breaching", "notBreaching"};

/* ---- texts ---- */

struct text gw_alarm_text(struct arena *arena, struct text environment, const struct gw_api_config *api, const char *text)
{
    const struct text names[] = {TEXT("{env}"), TEXT("{stage}"), TEXT("{api}")};
    const struct text values[] = {environment, api ? api->stages[0] : TEXT("prod"), api ? api->name : TEXT("weir")};
    struct text in = text_of(text);
    struct buf out;
    buf_init(&out, 8192);
    for (size_t at = 0; at < in.len;) {
        struct text rest = text_make(in.data + at, in.len - at);
        size_t i = 0;
        while (i < 3 && !text_starts(rest, names[i]))
            i++;
        if (i < 3)
            buf_add_text(&out, values[i]);
        else
            buf_add_char(&out, rest.data[0]);
        at += i < 3 ? names[i].len : 1;
    }
    struct text copy = out.failed ? TEXT_NONE : arena_copy(arena, buf_text(&out));
    buf_fini(&out);
    return copy;
}

static struct text replaced(struct declaring *d, const char *text)
{
    return gw_alarm_text(d->arena, d->gateway->config.environment, d->api ? d->api->config : NULL, text);
}

static void write_text(struct declaring *d, struct json_writer *w, const char *name, const char *text)
{
    if (!text || !*text)
        return;
    json_name(w, name);
    json_text(w, replaced(d, text));
}

static int write_actions(struct declaring *d, struct json_writer *w, const char *name, const char *const *actions)
{
    int code = 0;
    json_name(w, name);
    json_begin_array(w);
    for (size_t i = 0; i < WEIR_ALARM_ACTIONS_MAX && actions[i]; i++) {
        struct gw_alarm_target target;
        struct text action = replaced(d, actions[i]);
        if (gw_alarm_target_parse(action, &target))
            code = err_set(d->err, ERR_INVALID, "'%.100s' is no action of an alarm", actions[i]);
        json_text(w, action);
    }
    json_end_array(w);
    return code;
}

static void write_dimensions(struct declaring *d, struct json_writer *w, const struct weir_alarm *alarm)
{
    json_name(w, "Dimensions");
    json_begin_array(w);
    for (size_t i = 0; i < WEIR_ALARM_DIMENSIONS_MAX && alarm->dimension[i].name; i++) {
        json_begin_object(w);
        write_text(d, w, "Name", alarm->dimension[i].name);
        write_text(d, w, "Value", alarm->dimension[i].value);
        json_end_object(w);
    }
    json_end_array(w);
}

/* The members in the order in which the wire keeps them. */
static int write_config(struct declaring *d, struct json_writer *w, const struct weir_alarm *alarm, const struct statistic *statistic)
{
    unsigned periods = alarm->evaluation_periods ? alarm->evaluation_periods : 1;
    json_begin_object(w);
    write_text(d, w, "AlarmDescription", alarm->description);
    int code = write_actions(d, w, "OKActions", alarm->ok_actions);
    code = write_actions(d, w, "AlarmActions", alarm->alarm_actions) ? ERR_INVALID : code;
    code = write_actions(d, w, "InsufficientDataActions", alarm->insufficient_data_actions) ? ERR_INVALID : code;
    write_text(d, w, "MetricName", alarm->metric);
    write_text(d, w, "Namespace", alarm->metric_namespace);
    write_text(d, w, statistic->kind <= STATISTIC_MAXIMUM ? "Statistic" : "ExtendedStatistic", alarm->statistic);
    write_dimensions(d, w, alarm);
    json_name(w, "Period");
    json_i64(w, alarm->period / SECOND_MS);
    write_text(d, w, "Unit", alarm->unit);
    json_name(w, "EvaluationPeriods");
    json_i64(w, periods);
    if (alarm->datapoints_to_alarm) {
        json_name(w, "DatapointsToAlarm");
        json_i64(w, alarm->datapoints_to_alarm);
    }
    json_name(w, "Threshold");
    json_double(w, alarm->threshold);
    json_name(w, "ComparisonOperator");
    json_str(w, compares[alarm->comparison]);
    if (missings[alarm->missing]) {
        json_name(w, "TreatMissingData");
        json_str(w, missings[alarm->missing]);
    }
    json_end_object(w);
    return code;
}

/* ---- what a declaration must be ---- */

static int check(struct declaring *d, const struct weir_alarm *alarm, struct statistic *statistic)
{
    int64_t s = alarm->period / SECOND_MS, periods = alarm->evaluation_periods ? alarm->evaluation_periods : 1;
    const char *wrong = NULL;
    if (!alarm->metric || !alarm->metric_namespace)
        wrong = "it names no metric";
    else if (!alarm->statistic || statistic_parse(text_of(alarm->statistic), statistic))
        wrong = "its statistic is none";
    else if (alarm->unit && watch_unit_find(text_of(alarm->unit)) < 0)
        wrong = "its unit is none";
    else if (alarm->period % SECOND_MS || !(s == 10 || s == 20 || s == 30 || (s > 0 && s % 60 == 0)))
        wrong = "its period is 10, 20 or 30 seconds or a multiple of a minute";
    else if (alarm->datapoints_to_alarm > periods)
        wrong = "more datapoints are to alarm than there are evaluation periods";
    else if (periods * s > (s >= 3600 ? 7 : 1) * INT64_C(86400))
        wrong = "it looks back for more than a day (7 days for periods of an hour and more)";
    return wrong ? err_set(d->err, ERR_INVALID, "%s", wrong) : 0;
}

static int declare(struct declaring *d, const struct weir_alarm *alarm)
{
    struct statistic statistic;
    struct json_writer w;
    struct buf config;
    struct text name = replaced(d, alarm->name);
    buf_init(&config, DECLARATION_MAX);
    json_writer_init(&w, &config);
    int code = check(d, alarm, &statistic);
    if (!code)
        code = write_config(d, &w, alarm, &statistic);
    struct text copy = code ? TEXT_NONE : arena_copy(d->arena, buf_text(&config));
    if (!code && (config.failed || !copy.data || !name.data || d->count == DECLARED_MAX))
        code = err_set(d->err, ERR_TOO_LARGE, "too many, or too large");
    buf_fini(&config);
    if (code) {
        struct err why = *d->err;
        return err_set(d->err, code, "the alarm %s cannot be declared: %.150s", alarm->name, why.text);
    }
    size_t at = 0;
    while (at < d->count && !text_equal(d->declared[at].name, name))
        at++;
    d->declared[at] = (struct declared){name, copy};
    d->count += at == d->count;
    return 0;
}

static int declare_all(struct declaring *d)
{
    const struct gateway_config *config = &d->gateway->config;
    int code = 0;
    for (size_t i = 0; i < d->gateway->api_count && !code; i++) {
        const struct gw_api_config *api = d->gateway->apis[i].config;
        d->api = &d->gateway->apis[i];
        for (const struct weir_alarm *at = gw_own_alarms; at->name && !code && !config->figures_off; at++)
            code = declare(d, at);
        for (const struct weir_alarm *at = api->app ? api->app->alarms : NULL; at && at->name && !code; at++)
            code = declare(d, at);
        for (size_t k = 0; k < api->alarm_count && !code; k++)
            code = declare(d, &api->alarms[k]);
    }
    d->api = NULL;
    for (size_t k = 0; k < config->alarm_count && !code; k++)
        code = declare(d, &config->alarms[k]);
    return code;
}

/* ---- in the tick ---- */

static int put_one(struct declaring *d, struct tick *tick, const struct declared *declared)
{
    struct watch_alarm alarm;
    struct watch_alarm_spec spec = {.name = declared->name, .enabled = true, .declared = declared->config};
    const struct json *json;
    struct attr *map;
    int code = watch_alarm_get(tick_view(tick), d->arena, declared->name, &alarm);
    if (!code && text_equal(alarm.declared, declared->config))
        return 0;
    if (code && code != ERR_NOT_FOUND)
        return code;
    if (!code && alarm.composite) {
        log_warn("alarm", "%.*s is declared, but somebody has made a composite alarm of that name: it stays", TEXT_FMT(declared->name));
        return 0;
    }
    code = json_parse(d->arena, declared->config, 0, &json, d->err);
    if (!code)
        code = item_from_plain(d->arena, json, &map, d->err);
    spec.config = map;
    if (!code)
        code = watch_alarm_put(gw_alarm_house(d->gateway), tick, d->arena, &spec, d->err);
    if (code == ERR_FULL) {
        log_error("alarm", "%.*s is not made: %s", TEXT_FMT(declared->name), d->err->text);
        return 0;
    }
    return code;
}

int gw_alarms_define_table(struct tick *tick, struct err *err)
{
    return watch_alarm_define(tick, err);
}

int gw_alarms_define(struct gateway *gateway, struct tick *tick, struct arena *arena, struct err *err)
{
    struct declaring d = {.gateway = gateway, .arena = arena, .err = err};
    d.declared = arena_array(arena, DECLARED_MAX, sizeof(*d.declared));
    int code = d.declared ? declare_all(&d) : err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < d.count && !code; i++) {
        struct arena_mark mark = arena_mark(arena);
        code = put_one(&d, tick, &d.declared[i]);
        arena_rewind(arena, mark);
    }
    return code;
}
