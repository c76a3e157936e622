/*
 * The judgement of bodies. What a widget may hold stands in tables, one row for a property, so the walk is the same for all of them; what a table cannot say (a metric's array,
 * an expression, a query) has a function in its row.
 *
 * Words are those of AWS's own validation, which is a JSON schema's: "Should be integer" at "/widgets/0/x". What keeps a body from being understood is an error. What can be
 * stored and merely will not draw (a property nobody knows, an expression that does not parse) is a warning: the page of AWS goes on with what is left, and so do we.
 */
#include "watch/dashboard.h"

#include "watch/math.h"
#include "watch/metric.h"
#include "watch/query.h"
#include <stdarg.h>
#include <stdio.h>

const char *const dashboard_type_names[DASHBOARD_TYPES] = {"metric", "text", "log", "alarm", "explorer", "custom"};

int dashboard_type_find(struct text name)
{
    for (int type = 0; type < DASHBOARD_TYPES; type++)
        if (text_is(name, dashboard_type_names[type]))
            return type;
    return -1;
}

/* ---- what is wrong ---- */

#define PATH_MAX_BYTES 256

struct check {
    struct arena *arena;
    struct dashboard_body *body;
    struct dashboard_message warning[DASHBOARD_MESSAGES_MAX];
    char path[PATH_MAX_BYTES];
    size_t path_len, all_metrics;
    bool no_memory;
};

static void note(struct check *check, bool error, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void note(struct check *check, bool error, const char *format, ...)
{
    struct dashboard_body *body = check->body;
    size_t *count = error ? &body->errors : &body->warnings;
    struct dashboard_message *list = error ? body->message : check->warning;
    char text[512];
    va_list args;
    if ((*count)++ >= DASHBOARD_MESSAGES_MAX)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct dashboard_message *message = &list[*count - 1];
    *message = (struct dashboard_message){error, arena_copy(check->arena, text_make(check->path, check->path_len)), arena_copy(check->arena, text_of(text))};
    check->no_memory = check->no_memory || !message->path.data || !message->text.data;
}

/* One level down; answers where to come back to. A path that grows too long stays as it is. */
static size_t enter(struct check *check, struct text name)
{
    size_t before = check->path_len;
    if (before + 1 + name.len < PATH_MAX_BYTES) {
        check->path[check->path_len++] = '/';
        if (name.len)
            memcpy(check->path + check->path_len, name.data, name.len);
        check->path_len += name.len;
    }
    return before;
}

static size_t enter_at(struct check *check, size_t index)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%zu", index);
    return enter(check, text_make(digits, (size_t)len));
}

static void leave(struct check *check, size_t before)
{
    check->path_len = before;
}

/* ---- properties ---- */

enum kind { STRING, BOOLEAN, INTEGER, NUMBER, OBJECT, ARRAY, ANY };
struct property {
    const char *name;
    enum kind kind;
    bool required;                /* an error when it is missing */
    int64_t min, max;             /* INTEGER: the value; ARRAY: items; max 0: no bound */
    const char *const *words;     /* STRING: those allowed */
    void (*also)(struct check *check, const struct json *value);
};

static bool is_kind(const struct json *value, enum kind kind)
{
    int64_t integer;
    switch (kind) {
    case STRING:
        return value->type == JSON_STRING;
    case BOOLEAN:
        return value->type == JSON_TRUE || value->type == JSON_FALSE;
    case INTEGER:
        return value->type == JSON_NUMBER && json_to_i64(value, &integer) == 0;
    case NUMBER:
        return value->type == JSON_NUMBER;
    case OBJECT:
        return value->type == JSON_OBJECT;
    case ARRAY:
        return value->type == JSON_ARRAY;
    case ANY:
        return true;
    }
    return false;
}

static void check_bounds(struct check *check, const struct property *property, const struct json *value)
{
    int64_t number = 0;
    if (property->kind == ARRAY) {
        if (property->max && value->count > property->max)
            note(check, true, "Should NOT have more than %lld items", (long long)property->max);
        else if (value->count < property->min)
            note(check, true, "Should NOT have less than %lld items", (long long)property->min);
    } else if (property->kind == INTEGER && json_to_i64(value, &number) == 0) {
        if (number < property->min)
            note(check, true, "Should be >= %lld", (long long)property->min);
        else if (property->max && number > property->max)
            note(check, true, "Should be <= %lld", (long long)property->max);
    }
}

static void check_word(struct check *check, const char *const *words, const struct json *value)
{
    while (*words && !text_is(value->text, *words))
        words++;
    if (!*words)
        note(check, true, "Should be equal to one of the allowed values");
}

static void check_value(struct check *check, const struct property *property, const struct json *value)
{
    static const char *const names[] = {"string", "boolean", "integer", "number", "object", "array", ""};
    size_t before = enter(check, text_of(property->name));
    if (!is_kind(value, property->kind)) {
        note(check, true, "Should be %s", names[property->kind]);
    } else {
        check_bounds(check, property, value);
        if (property->words)
            check_word(check, property->words, value);
        if (property->also)
            property->also(check, value);
    }
    leave(check, before);
}

static void check_object(struct check *check, const struct json *object, const struct property *properties)
{
    for (const struct property *property = properties; property->name; property++) {
        const struct json *value = json_get_str(object, property->name);
        if (value)
            check_value(check, property, value);
        else if (property->required)
            note(check, true, "Should have required property '%s'", property->name);
    }
    for (const struct json *member = object->first; member; member = member->next) {
        const struct property *property = properties;
        while (property->name && !text_is(member->name, property->name))
            property++;
        if (!property->name) {
            size_t before = enter(check, member->name.len < 64 ? member->name : text_make(member->name.data, 0));
            note(check, false, "Should NOT have additional properties");
            leave(check, before);
        }
    }
}

/* ---- metrics ---- */

static void also_color(struct check *check, const struct json *value)
{
    bool right = value->text.len == 7 && value->text.data[0] == '#';
    for (size_t i = 1; right && i < 7; i++) {
        char c = value->text.data[i];
        right = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    }
    if (!right)
        note(check, true, "Should match pattern \"^#[A-Fa-f0-9]{6}$\"");
}

static void also_id(struct check *check, const struct json *value)
{
    struct text id = value->text;
    bool right = id.len > 0 && id.len <= 255 && id.data[0] >= 'a' && id.data[0] <= 'z';
    for (size_t i = 1; right && i < id.len; i++) {
        char c = id.data[i];
        right = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }
    if (!right)
        note(check, true, "Should match pattern \"^[a-z][a-zA-Z0-9_]*$\"");
}

static void also_stat(struct check *check, const struct json *value)
{
    struct statistic statistic;
    if (statistic_parse(value->text, &statistic))
        note(check, true, "Should be a statistic, such as \"Average\", \"Sum\" or \"p99\"");
}

static void also_period(struct check *check, const struct json *value)
{
    int64_t period;
    if (value->type == JSON_STRING ? !text_is(value->text, "auto") : json_to_i64(value, &period) || !watch_period_is_valid(period))
        note(check, true, "Should be 1, 5, 10, 20, 30 or a multiple of 60");
}

static void also_expression(struct check *check, const struct json *value)
{
    const struct math_expr *expr;
    struct arena scratch;
    struct err err = {0};
    arena_init(&scratch, 4096, 1 << 20);
    if (math_parse(&scratch, value->text, &expr, &err))
        note(check, false, "The expression cannot be evaluated: %s", err.text);
    arena_fini(&scratch);
}

static const char *const axes[] = {"left", "right", NULL};
#define METRIC_OPTIONS                                                                                                                     \
    {"id", STRING, false, 0, 0, NULL, also_id}, {"label", STRING, false, 0, 0, NULL, NULL}, {"color", STRING, false, 0, 0, NULL, also_color},             \
        {"yAxis", STRING, false, 0, 0, axes, NULL}, {"visible", BOOLEAN, false, 0, 0, NULL, NULL}, {"period", ANY, false, 0, 0, NULL, also_period},       \
        {"region", STRING, false, 0, 0, NULL, NULL}, {"accountId", STRING, false, 0, 0, NULL, NULL}, {"stat", STRING, false, 0, 0, NULL, also_stat},      \
        {"unit", STRING, false, 0, 0, NULL, NULL}
static const struct property metric_options[] = {METRIC_OPTIONS, {0}};
static const struct property expression_options[] = {{"expression", STRING, true, 0, 0, NULL, also_expression}, METRIC_OPTIONS, {0}};

/* [space, name, dimension, value, .., {options}] or [{expression}]. */
static void check_metric(struct check *check, const struct json *metric)
{
    uint32_t at = 0;
    if (metric->type != JSON_ARRAY) {
        note(check, true, "Should be array");
        return;
    }
    if (!metric->count) {
        note(check, true, "Should NOT have less than 1 items");
        return;
    }
    for (const struct json *value = metric->first; value; value = value->next, at++) {
        size_t before = enter_at(check, at);
        if (value->type == JSON_OBJECT && !value->next)
            check_object(check, value, metric->count == 1 ? expression_options : metric_options);
        else if (value->type != JSON_STRING)
            note(check, true, "Should be string");
        else if (value->text.len > WATCH_DIMENSION_VALUE_MAX)
            note(check, true, "Should NOT be longer than %d characters", WATCH_DIMENSION_VALUE_MAX);
        leave(check, before);
    }
}

static int on_metric(void *context, const struct dashboard_metric *metric)
{
    struct check *check = context;
    struct err err = {0};
    if (!metric->expression.len && watch_name_check(&metric->name, &err))
        note(check, false, "%s", err.text);
    return 0;
}

static void also_metrics(struct check *check, const struct json *metrics)
{
    size_t errors = check->body->errors, index = 0;
    for (const struct json *metric = metrics->first; metric && index < DASHBOARD_METRICS_MAX; metric = metric->next) {
        size_t before = enter_at(check, index++);
        check_metric(check, metric);
        leave(check, before);
    }
    if (check->body->errors == errors && dashboard_metrics_each(check->arena, metrics, on_metric, check) == ERR_INVALID)
        note(check, true, "Each metric has a namespace, a name, and pairs of dimension names and values; \".\" and \"...\" stand for those of the metric above");
    check->all_metrics += metrics->count;
}

/* ---- the other parts ---- */

static void also_query(struct check *check, const struct json *value)
{
    struct watch_query *query = NULL;
    struct watch_query_error error;
    int code = watch_query_compile(value->text, 0, &query, &error);
    if (code == ERR_SYNTAX)
        note(check, false, "The query cannot be run: %s", error.text);
    if (!code)
        watch_query_destroy(query);
}

static void also_strings(struct check *check, const struct json *array)
{
    size_t index = 0;
    for (const struct json *value = array->first; value && index < DASHBOARD_ALARMS_MAX; value = value->next) {
        size_t before = enter_at(check, index++);
        if (value->type != JSON_STRING)
            note(check, true, "Should be string");
        leave(check, before);
    }
}

static void also_time(struct check *check, const struct json *value)
{
    int64_t ms;
    bool relative;
    if (dashboard_time_parse(value->text, 0, &ms, &relative))
        note(check, true, "Should be a time such as \"-PT3H\" or \"2018-12-17T06:00:00.000Z\"");
}

static const char *const views[] = {"timeSeries", "singleValue", "gauge", "bar", "pie", "table", NULL};
static const char *const log_views[] = {"table", "timeSeries", "bar", "pie", "singleValue", NULL};
static const char *const overrides[] = {"auto", "inherit", NULL};
static const char *const backgrounds[] = {"transparent", "solid", NULL};
static const char *const sorts[] = {"default", "stateUpdatedTimestamp", "timestamp", NULL};

static const struct property metric_properties[] = {
    {"metrics", ARRAY, false, 0, DASHBOARD_METRICS_MAX, NULL, also_metrics},
    {"view", STRING, false, 0, 0, views, NULL},
    {"stacked", BOOLEAN, false, 0, 0, NULL, NULL},
    {"stat", STRING, false, 0, 0, NULL, also_stat},
    {"period", ANY, false, 0, 0, NULL, also_period},
    {"region", STRING, false, 0, 0, NULL, NULL},
    {"title", STRING, false, 0, 0, NULL, NULL},
    {"yAxis", OBJECT, false, 0, 0, NULL, NULL},
    {"annotations", OBJECT, false, 0, 0, NULL, NULL},
    {"legend", OBJECT, false, 0, 0, NULL, NULL},
    {"liveData", BOOLEAN, false, 0, 0, NULL, NULL},
    {"sparkline", BOOLEAN, false, 0, 0, NULL, NULL},
    {"trend", BOOLEAN, false, 0, 0, NULL, NULL},
    {"singleValueFullPrecision", BOOLEAN, false, 0, 0, NULL, NULL},
    {"setPeriodToTimeRange", BOOLEAN, false, 0, 0, NULL, NULL},
    {"timezone", STRING, false, 0, 0, NULL, NULL},
    {"start", STRING, false, 0, 0, NULL, also_time},
    {"end", STRING, false, 0, 0, NULL, also_time},
    {"accountId", STRING, false, 0, 0, NULL, NULL},
    {"table", OBJECT, false, 0, 0, NULL, NULL},
    {"labels", OBJECT, false, 0, 0, NULL, NULL},
    {0},
};
static const struct property text_properties[] = {
    {"markdown", STRING, true, 0, 0, NULL, NULL}, {"background", STRING, false, 0, 0, backgrounds, NULL}, {"title", STRING, false, 0, 0, NULL, NULL}, {0}};
static const struct property log_properties[] = {
    {"query", STRING, true, 0, 0, NULL, also_query},
    {"region", STRING, false, 0, 0, NULL, NULL},
    {"title", STRING, false, 0, 0, NULL, NULL},
    {"view", STRING, false, 0, 0, log_views, NULL},
    {"stacked", BOOLEAN, false, 0, 0, NULL, NULL},
    {"accountId", STRING, false, 0, 0, NULL, NULL},
    {"queryLanguage", STRING, false, 0, 0, NULL, NULL},
    {"logGroupClass", STRING, false, 0, 0, NULL, NULL},
    {"yAxis", OBJECT, false, 0, 0, NULL, NULL},
    {"legend", OBJECT, false, 0, 0, NULL, NULL},
    {0},
};
static const struct property alarm_properties[] = {
    {"alarms", ARRAY, true, 1, DASHBOARD_ALARMS_MAX, NULL, also_strings},
    {"title", STRING, false, 0, 0, NULL, NULL},
    {"sortBy", STRING, false, 0, 0, sorts, NULL},
    {"states", ARRAY, false, 0, 0, NULL, also_strings},
    {0},
};
static const struct property explorer_properties[] = {{"metrics", ARRAY, true, 1, 0, NULL, NULL}, {"labels", ARRAY, false, 0, 0, NULL, NULL},
    {"aggregateBy", OBJECT, false, 0, 0, NULL, NULL}, {"splitBy", STRING, false, 0, 0, NULL, NULL}, {"widgetOptions", OBJECT, false, 0, 0, NULL, NULL},
    {"period", ANY, false, 0, 0, NULL, NULL}, {"region", STRING, false, 0, 0, NULL, NULL}, {"title", STRING, false, 0, 0, NULL, NULL}, {0}};
static const struct property custom_properties[] = {{"endpoint", STRING, true, 0, 0, NULL, NULL}, {"params", ANY, false, 0, 0, NULL, NULL},
    {"updateOn", OBJECT, false, 0, 0, NULL, NULL}, {"title", STRING, false, 0, 0, NULL, NULL}, {0}};
static const struct property *const properties_of[DASHBOARD_TYPES] = {metric_properties, text_properties, log_properties, alarm_properties, explorer_properties, custom_properties};

static const char *const types[] = {"metric", "text", "log", "alarm", "explorer", "custom", NULL};
static const struct property widget_properties[] = {
    {"type", STRING, true, 0, 0, types, NULL},
    {"x", INTEGER, false, 0, 23, NULL, NULL},
    {"y", INTEGER, false, 0, 0, NULL, NULL},
    {"width", INTEGER, false, 1, 24, NULL, NULL},
    {"height", INTEGER, false, 1, 1000, NULL, NULL},
    {"properties", OBJECT, true, 0, 0, NULL, NULL},
    {0},
};

/* What a widget of its kind needs beyond its table. */
static void check_needs(struct check *check, enum dashboard_type type, const struct json *properties)
{
    if (type == DASHBOARD_METRIC && !json_get_str(properties, "metrics") && !json_get_str(properties, "annotations"))
        note(check, true, "Should have required property 'metrics'");
    if ((type == DASHBOARD_METRIC || type == DASHBOARD_LOG) && !json_get_str(properties, "region"))
        note(check, false, "Should have required property 'region'");
    if (type == DASHBOARD_METRIC && json_get_str(properties, "end") && !json_get_str(properties, "start"))
        note(check, true, "Should have required property 'start'");
}

static void check_widget(struct check *check, const struct json *widget)
{
    if (widget->type != JSON_OBJECT) {
        note(check, true, "Should be object");
        return;
    }
    check_object(check, widget, widget_properties);
    const struct json *type = json_get_str(widget, "type"), *properties = json_get_str(widget, "properties");
    int which = json_is(type, JSON_STRING) ? dashboard_type_find(type->text) : -1;
    if (!json_get_str(widget, "x") != !json_get_str(widget, "y"))
        note(check, true, "Should have property %s when property %s is present", json_get_str(widget, "x") ? "y" : "x", json_get_str(widget, "x") ? "x" : "y");
    if (which < 0 || !json_is(properties, JSON_OBJECT))
        return;
    size_t before = enter(check, TEXT("properties"));
    check_object(check, properties, properties_of[which]);
    check_needs(check, (enum dashboard_type)which, properties);
    leave(check, before);
}

static void also_widgets(struct check *check, const struct json *widgets)
{
    size_t index = 0;
    for (const struct json *widget = widgets->first; widget && index < DASHBOARD_WIDGETS_MAX; widget = widget->next) {
        size_t before = enter_at(check, index++);
        check_widget(check, widget);
        leave(check, before);
    }
    if (check->all_metrics > DASHBOARD_ALL_METRICS_MAX)
        note(check, true, "Should NOT have more than %d metrics", DASHBOARD_ALL_METRICS_MAX);
}

static const struct property body_properties[] = {
    {"widgets", ARRAY, true, 0, DASHBOARD_WIDGETS_MAX, NULL, also_widgets},
    {"start", STRING, false, 0, 0, NULL, also_time},
    {"end", STRING, false, 0, 0, NULL, also_time},
    {"periodOverride", STRING, false, 0, 0, overrides, NULL},
    {"variables", ARRAY, false, 0, DASHBOARD_VARIABLES_MAX, NULL, NULL},
    {0},
};

/* ---- the way in ---- */

static int finish(struct check *check)
{
    struct dashboard_body *body = check->body;
    body->messages = body->errors < DASHBOARD_MESSAGES_MAX ? body->errors : DASHBOARD_MESSAGES_MAX;
    for (size_t i = 0; i < body->warnings && body->messages < DASHBOARD_MESSAGES_MAX; i++)
        body->message[body->messages++] = check->warning[i];
    return check->no_memory ? ERR_MEMORY : body->errors ? ERR_INVALID : 0;
}

static struct text text_of_member(const struct json *object, const char *name)
{
    const struct json *value = json_get_str(object, name);
    return json_is(value, JSON_STRING) ? value->text : TEXT_NONE;
}

int dashboard_body_open(struct arena *arena, struct text text, struct dashboard_body *out)
{
    *out = (struct dashboard_body){0};
    if (text.len > DASHBOARD_BODY_MAX)
        return ERR_TOO_LARGE;
    int code = json_parse(arena, text, 0, &out->root, NULL);
    if (code == ERR_MEMORY)
        return code;
    if (code || out->root->type != JSON_OBJECT)
        return ERR_SYNTAX;
    const struct json *widgets = json_get_str(out->root, "widgets");
    out->widgets = json_is(widgets, JSON_ARRAY) ? widgets->count : 0;
    out->start = text_of_member(out->root, "start");
    out->end = text_of_member(out->root, "end");
    out->automatic = text_is(text_of_member(out->root, "periodOverride"), "auto");
    return 0;
}

int dashboard_body_parse(struct arena *arena, struct text text, struct dashboard_body *out)
{
    struct check check = {.arena = arena, .body = out};
    int code = dashboard_body_open(arena, text, out);
    if (code)
        return code;
    check_object(&check, out->root, body_properties);
    if (out->end.len && !out->start.len)
        note(&check, true, "Should have required property 'start'");
    return finish(&check);
}

int dashboard_widget_check(struct arena *arena, const struct json *widget, struct dashboard_body *out)
{
    struct check check = {.arena = arena, .body = out};
    *out = (struct dashboard_body){.widgets = 1};
    size_t before = enter(&check, TEXT("widget"));
    check_widget(&check, widget);
    leave(&check, before);
    return finish(&check);
}

const struct json *dashboard_body_widget(const struct dashboard_body *body, size_t index)
{
    const struct json *widgets = json_get_str(body->root, "widgets");
    return json_is(widgets, JSON_ARRAY) && index < widgets->count ? json_at(widgets, (uint32_t)index) : NULL;
}
