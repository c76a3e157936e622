/* Rules of Contributor Insights: their definition, and what one log event means to one. */
#include "watch/insight.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

static const char *const operators[INSIGHT_OPERATORS] = {"In", "NotIn", "StartsWith", "GreaterThan", "LessThan", "EqualTo", "NotEqualTo", "IsPresent"};

/* ---- paths ---- */

static int wrong(struct err *err, const char *what, struct text text)
{
    return err_set(err, ERR_INVALID, "The rule definition is invalid: %s%s%.*s", what, text.len ? ": " : "", (int)(text.len < 100 ? text.len : 100), text.data ? text.data : "");
}

/* $.a.b[0].c */
static int parse_json_path(struct text text, struct insight_path *path, struct err *err)
{
    size_t at = 1;
    if (text.len < 3 || text.data[0] != '$')
        return wrong(err, "a field is named like $.name", text);
    while (at < text.len) {
        bool index = text.data[at] == '[';
        size_t from = at + 1, to = from;
        if (!index && text.data[at] != '.')
            return wrong(err, "a field is named like $.name", text);
        while (to < text.len && (index ? isdigit((unsigned char)text.data[to]) : text.data[to] != '.' && text.data[to] != '['))
            to++;
        if (to == from || path->steps == INSIGHT_STEPS_MAX || (index && (to == text.len || text.data[to] != ']' || to - from > 6)))
            return wrong(err, "a field is named like $.name", text);
        path->step[path->steps++] = text_make(text.data + from, to - from);
        at = to + index;
    }
    return 0;
}

/* "4", or the name that Fields gives to it. */
static int parse_clf_path(struct text text, const struct json *fields, struct insight_path *path, struct err *err)
{
    uint64_t number = 0;
    struct text digits = text;
    for (const struct json *at = json_is(fields, JSON_OBJECT) ? fields->first : NULL; at; at = at->next)
        if (json_is(at, JSON_STRING) && text_equal(at->text, text))
            digits = at->name;
    if (text_to_u64(digits, INSIGHT_FIELDS_MAX, &number) || !number)
        return wrong(err, "a field of a CLF event is a number from 1, or a name in Fields", text);
    path->field = (size_t)number;
    return 0;
}

static int parse_path(const struct insight_rule *rule, const struct json *root, const struct json *json, struct insight_path *path, struct err *err)
{
    if (!json_is(json, JSON_STRING) || !json->text.len)
        return wrong(err, "the name of a field is missing", TEXT_NONE);
    path->text = json->text;
    return rule->clf ? parse_clf_path(json->text, json_get_str(root, "Fields"), path, err) : parse_json_path(json->text, path, err);
}

/* ---- the definition ---- */

static int parse_filter(const struct insight_rule *rule, const struct json *root, const struct json *json, struct insight_filter *filter, struct err *err)
{
    const struct json *operand = NULL;
    int code = parse_path(rule, root, json_get_str(json, "Match"), &filter->path, err);
    for (const struct json *at = json_is(json, JSON_OBJECT) ? json->first : NULL; at && !code; at = at->next) {
        if (text_is(at->name, "Match"))
            continue;
        int op = 0;
        while (op < INSIGHT_OPERATORS && !text_is(at->name, operators[op]))
            op++;
        if (op == INSIGHT_OPERATORS || operand)
            return wrong(err, operand ? "a filter has one operator" : "there is no such operator", at->name);
        filter->op = (enum insight_operator)op;
        operand = at;
    }
    if (code)
        return code;
    if (!operand)
        return wrong(err, "a filter has an operator", filter->path.text);
    if (filter->op == INSIGHT_PRESENT) {
        filter->present = operand->type == JSON_TRUE;
        return operand->type == JSON_TRUE || operand->type == JSON_FALSE ? 0 : wrong(err, "IsPresent is true or false", TEXT_NONE);
    }
    if (filter->op >= INSIGHT_GREATER)
        return json_is(operand, JSON_NUMBER) && json_to_double(operand, &filter->number) == 0 ? 0 : wrong(err, "the operator wants a number", operand->name);
    if (!json_is(operand, JSON_ARRAY) || !operand->count || operand->count > INSIGHT_VALUES_MAX)
        return wrong(err, "the operator wants a list of 1 to 10 values", operand->name);
    for (const struct json *at = operand->first; at; at = at->next) {
        if (at->type != JSON_STRING && at->type != JSON_NUMBER)
            return wrong(err, "the operator wants texts", operand->name);
        filter->value[filter->values++] = at->text;
    }
    return 0;
}

static int parse_contribution(struct insight_rule *rule, const struct json *root, struct err *err)
{
    const struct json *contribution = json_get_str(root, "Contribution"), *keys = json_get_str(contribution, "Keys"), *filters = json_get_str(contribution, "Filters");
    const struct json *value_of = json_get_str(contribution, "ValueOf");
    int code = 0;
    if (!json_is(keys, JSON_ARRAY) || !keys->count || keys->count > INSIGHT_KEYS_MAX)
        return wrong(err, "Contribution has Keys, 1 to 4 of them", TEXT_NONE);
    for (const struct json *at = keys->first; at && !code; at = at->next)
        code = parse_path(rule, root, at, &rule->key[rule->keys++], err);
    if (!code && filters && (!json_is(filters, JSON_ARRAY) || filters->count > INSIGHT_FILTERS_MAX))
        return wrong(err, "Contribution has at most 4 Filters", TEXT_NONE);
    for (const struct json *at = filters ? filters->first : NULL; at && !code; at = at->next)
        code = parse_filter(rule, root, at, &rule->filter[rule->filters++], err);
    if (!code && rule->sum && !value_of)
        return wrong(err, "AggregateOn Sum wants a ValueOf", TEXT_NONE);
    if (!code && value_of && !rule->sum)
        return wrong(err, "ValueOf goes with AggregateOn Sum", TEXT_NONE);
    return !code && value_of ? parse_path(rule, root, value_of, &rule->value_of, err) : code;
}

static struct text text_in(const struct json *object, const char *name)
{
    const struct json *value = json_get_str(object, name);
    return json_is(value, JSON_STRING) ? value->text : TEXT_NONE;
}

int insight_rule_parse(struct arena *arena, struct text definition, struct insight_rule *rule, struct err *err)
{
    const struct json *root, *schema, *groups;
    struct err why = {0};
    int64_t version = 0;
    *rule = (struct insight_rule){0};
    if (definition.len > INSIGHT_DEFINITION_MAX)
        return err_set(err, ERR_INVALID, "The rule definition has more than %d characters", INSIGHT_DEFINITION_MAX);
    int code = json_parse(arena, definition, 0, &root, &why);
    if (code == ERR_MEMORY)
        return code;
    if (code || !json_is(root, JSON_OBJECT))
        return wrong(err, "it is no JSON object", TEXT_NONE);
    schema = json_get_str(root, "Schema");
    if (!text_is(text_in(schema, "Name"), "CloudWatchLogRule") || json_to_i64(json_get_str(schema, "Version") ? json_get_str(schema, "Version") : schema, &version) || version != 1)
        return wrong(err, "Schema is {\"Name\": \"CloudWatchLogRule\", \"Version\": 1}", TEXT_NONE);
    rule->clf = text_is(text_in(root, "LogFormat"), "CLF");
    rule->sum = text_is(text_in(root, "AggregateOn"), "Sum");
    if (!rule->clf && !text_is(text_in(root, "LogFormat"), "JSON"))
        return wrong(err, "LogFormat is JSON or CLF", TEXT_NONE);
    if (!rule->sum && !text_is(text_in(root, "AggregateOn"), "Count"))
        return wrong(err, "AggregateOn is Count or Sum", TEXT_NONE);
    groups = json_get_str(root, "LogGroupNames");
    if (!json_is(groups, JSON_ARRAY) || !groups->count || groups->count > INSIGHT_GROUPS_MAX)
        return wrong(err, "LogGroupNames has 1 to 20 names", TEXT_NONE);
    for (const struct json *at = groups->first; at; at = at->next) {
        if (!json_is(at, JSON_STRING) || !at->text.len)
            return wrong(err, "LogGroupNames has 1 to 20 names", TEXT_NONE);
        rule->group[rule->groups++] = at->text;
    }
    return parse_contribution(rule, root, err);
}

/* ---- one event ---- */

struct event {
    const struct json *root;
    struct text field[INSIGHT_FIELDS_MAX];
    size_t fields;
};

/* Between spaces; "..." and [...] are one field. */
static void split(struct text message, struct event *event)
{
    for (size_t at = 0; at < message.len && event->fields < INSIGHT_FIELDS_MAX;) {
        char c = message.data[at], close = c == '"' ? '"' : c == '[' ? ']' : ' ';
        if (c == ' ') {
            at++;
            continue;
        }
        size_t from = close == ' ' ? at : at + 1;
        ptrdiff_t end = text_find(message, close, from);
        size_t to = end < 0 ? message.len : (size_t)end;
        event->field[event->fields++] = text_make(message.data + from, to - from);
        at = close == ' ' ? to : to + 1;
    }
}

static const struct json *step(const struct json *json, struct text name)
{
    uint64_t index;
    if (json_is(json, JSON_ARRAY))
        return text_to_u64(name, UINT32_MAX, &index) ? NULL : json_at(json, (uint32_t)index);
    return json_get(json, name);
}

/* A leaf as text. */
static bool field_of(const struct insight_rule *rule, const struct event *event, const struct insight_path *path, struct text *out)
{
    const struct json *json = event->root;
    if (rule->clf) {
        *out = path->field <= event->fields ? event->field[path->field - 1] : TEXT_NONE;
        return out->data != NULL;
    }
    for (size_t i = 0; i < path->steps && json; i++)
        json = step(json, path->step[i]);
    if (!json || json->type == JSON_NULL || json->type == JSON_ARRAY || json->type == JSON_OBJECT)
        return false;
    *out = json->type == JSON_TRUE ? TEXT("true") : json->type == JSON_FALSE ? TEXT("false") : json->text;
    return true;
}

static bool number_of(struct text text, double *value)
{
    char digits[64], *end;
    if (!text.len || text.len >= sizeof(digits) || isspace((unsigned char)text.data[0]))
        return false;
    memcpy(digits, text.data, text.len);
    digits[text.len] = 0;
    *value = strtod(digits, &end);
    return !*end && isfinite(*value);
}

static bool passes_texts(const struct insight_filter *filter, struct text value)
{
    bool found = false;
    for (size_t i = 0; i < filter->values && !found; i++)
        found = filter->op == INSIGHT_STARTS_WITH ? text_starts(value, filter->value[i]) : text_equal(value, filter->value[i]);
    return found != (filter->op == INSIGHT_NOT_IN);
}

static bool passes(const struct insight_rule *rule, const struct event *event, const struct insight_filter *filter)
{
    struct text value;
    double number;
    bool there = field_of(rule, event, &filter->path, &value);
    if (filter->op == INSIGHT_PRESENT)
        return there == filter->present;
    if (!there)
        return false;
    if (filter->op < INSIGHT_GREATER)
        return passes_texts(filter, value);
    if (!number_of(value, &number))
        return filter->op == INSIGHT_UNEQUAL;
    return filter->op == INSIGHT_GREATER ? number > filter->number : filter->op == INSIGHT_LESS ? number < filter->number : (number == filter->number) == (filter->op == INSIGHT_EQUAL);
}

int insight_rule_match(const struct insight_rule *rule, struct text message, struct arena *arena, struct text key[INSIGHT_KEYS_MAX], double *value)
{
    struct event event = {.fields = 0};
    struct text text;
    if (rule->clf) {
        split(message, &event);
    } else {
        int code = json_parse(arena, message, 0, &event.root, NULL);
        if (code == ERR_MEMORY)
            return code;
        if (code || !json_is(event.root, JSON_OBJECT))
            return 0;
    }
    for (size_t i = 0; i < rule->filters; i++)
        if (!passes(rule, &event, &rule->filter[i]))
            return 0;
    for (size_t i = 0; i < rule->keys; i++)
        if (!field_of(rule, &event, &rule->key[i], &key[i]))
            return 0;
    *value = 1;
    return !rule->sum || (field_of(rule, &event, &rule->value_of, &text) && number_of(text, value));
}
