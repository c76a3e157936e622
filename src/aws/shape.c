/* The walks over shapes. Depth is that of the tables, not of the input: attribute values are left to the item codec. */
#include "aws/shape.h"

#include "store/item.h"
#include <stdio.h>

#define TABLE_NAME_MIN 3   /* bytes of a table's name where its ARN is taken too */
#define TABLE_NAME_MAX 255
#define SHOWN_MAX 512 /* bytes of an offending value that are repeated to the sender */

const struct json *shape_get(const struct json *object, const char *name)
{
    const struct json *found = json_get_str(object, name);
    return found && found->type != JSON_NULL ? found : NULL;
}

/* ---- types ---- */

static const char *token_of(const struct json *json)
{
    switch (json->type) {
    case JSON_TRUE:
        return "TRUE_VALUE";
    case JSON_FALSE:
        return "FALSE_VALUE";
    case JSON_STRING:
        return "STRING_VALUE";
    default:
        return text_find(json->text, '.', 0) >= 0 ? "DECIMAL_VALUE" : "NUMBER_VALUE";
    }
}

static int wrong_scalar(const struct json *json, const char *want, struct err *err)
{
    if (json->type == JSON_OBJECT)
        return err_set(err, ERR_TYPE, "Start of structure or map found where not expected");
    if (json->type == JSON_ARRAY)
        return err_set(err, ERR_TYPE, "Unrecognized collection type class java.lang.%s", want);
    return err_set(err, ERR_TYPE, "%s cannot be converted to %s", token_of(json), want);
}

static int wrong_collection(const struct shape *shape, const struct json *json, struct err *err)
{
    if (json->type == JSON_OBJECT)
        return err_set(err, ERR_TYPE, "Start of structure or map found where not expected");
    if (json->type == JSON_ARRAY)
        return err_set(err, ERR_TYPE, "Unrecognized collection type %s", shape->java ? shape->java : "java.util.Map");
    return err_set(err, ERR_TYPE, shape->type == SHAPE_STRUCT || shape->type == SHAPE_VALUE ? "Unexpected value type in payload" : "Unexpected field type");
}

static int check_integer(const struct json *json, const char *want, struct err *err)
{
    int64_t value;
    if (json->type != JSON_NUMBER)
        return wrong_scalar(json, want, err);
    if (json_to_i64(json, &value) == ERR_INVALID)
        return err_set(err, ERR_TYPE, "%s cannot be converted to %s", token_of(json), want);
    return 0;
}

static const struct shape_member *member_of(const struct shape *shape, struct text name)
{
    for (const struct shape_member *m = shape->member; m && m->name; m++)
        if (name.len && m->name[0] == name.data[0] && text_is(name, m->name)) /* a large request asks thousands of times */
            return m;
    return NULL;
}

static int check_children(const struct shape *shape, const struct json *json, struct err *err)
{
    int rc = 0;
    for (const struct json *at = json->first; at && !rc; at = at->next) {
        if (shape->type == SHAPE_STRUCT) {
            const struct shape_member *m = member_of(shape, at->name);
            rc = m ? shape_check_types(m->shape, at, err) : 0; /* unknown members are passed over, as AWS does */
        } else {
            rc = shape_check_types(shape->of, at, err);
        }
    }
    return rc;
}

int shape_check_types(const struct shape *shape, const struct json *json, struct err *err)
{
    if (json->type == JSON_NULL)
        return 0;
    switch (shape->type) {
    case SHAPE_STRING:
        return json->type == JSON_STRING ? 0 : wrong_scalar(json, "String", err);
    case SHAPE_INTEGER:
        return check_integer(json, "Integer", err);
    case SHAPE_LONG:
        return check_integer(json, "Long", err);
    case SHAPE_DOUBLE: /* "NaN" and "Infinity" are strings in JSON: the operation says what is wrong with them */
        return json->type == JSON_NUMBER || json->type == JSON_STRING ? 0 : wrong_scalar(json, "Double", err);
    case SHAPE_TIME:
        return json->type == JSON_NUMBER ? 0 : wrong_scalar(json, "Date", err);
    case SHAPE_BOOLEAN:
        if (json->type == JSON_STRING)
            return err_set(err, ERR_TYPE, "Unexpected token received from parser");
        return json->type == JSON_TRUE || json->type == JSON_FALSE ? 0 : wrong_scalar(json, "Boolean", err);
    case SHAPE_LIST:
        return json->type == JSON_ARRAY ? check_children(shape, json, err) : wrong_collection(shape, json, err);
    case SHAPE_VALUES:
    case SHAPE_VALUE:
        return json->type == JSON_OBJECT ? 0 : wrong_collection(shape, json, err);
    default:
        return json->type == JSON_OBJECT ? check_children(shape, json, err) : wrong_collection(shape, json, err);
    }
}

int shape_check_values(const struct shape *shape, const struct json *json, struct err *err)
{
    int rc = 0;
    if (json->type == JSON_NULL)
        return 0;
    if (shape->type == SHAPE_VALUE)
        return attr_wire_types(json, err);
    if (shape->type < SHAPE_LIST)
        return 0;
    for (const struct json *at = json->first; at && !rc; at = at->next) {
        const struct shape_member *m = shape->type == SHAPE_STRUCT ? member_of(shape, at->name) : NULL;
        if (shape->type == SHAPE_VALUES)
            rc = attr_wire_types(at, err);
        else if (m || shape->type != SHAPE_STRUCT)
            rc = shape_check_values(m ? m->shape : shape->of, at, err);
    }
    return rc;
}

/* ---- constraints ---- */

struct place {
    const struct place *above;
    struct text name;  /* a member or a key of a map */
    uint32_t index;    /* from 1, of a list */
    bool is_member;    /* of a map or list: AWS inserts "member" */
};

struct report {
    struct buf *out;
    size_t errors;
};

static void add_place(struct buf *out, const struct place *place)
{
    if (!place)
        return;
    add_place(out, place->above);
    if (place->above)
        buf_add_char(out, '.');
    if (place->index) {
        buf_add_format(out, "%u.member", place->index);
    } else if (place->is_member) {
        buf_add_text(out, place->name);
        buf_add_text(out, TEXT(".member"));
    } else if (place->name.len) {
        char first = place->name.data[0];
        buf_add_char(out, first >= 'A' && first <= 'Z' ? (char)(first + 32) : first);
        buf_add(out, place->name.data + 1, place->name.len - 1);
    }
}

static void add_value(struct buf *out, const struct json *json)
{
    if (!json) {
        buf_add_text(out, TEXT("Value null"));
        return;
    }
    struct text shown = json->type == JSON_STRING || json->type == JSON_NUMBER ? json->text : json->raw;
    if (shown.len > SHOWN_MAX) {
        shown.len = SHOWN_MAX;
        while (shown.len && ((unsigned char)shown.data[shown.len] & 0xC0) == 0x80)
            shown.len--; /* not in the middle of a character */
    }
    buf_add_text(out, TEXT("Value '"));
    buf_add_text(out, shown);
    buf_add_char(out, '\'');
}

/* `who`: "Member", "Map value", "Map keys". */
static void fail_with(struct report *report, const struct place *place, const struct json *json, const char *who, const char *what, const char *more)
{
    if (++report->errors > SHAPE_ERRORS_MAX)
        return;
    if (report->errors > 1)
        buf_add_text(report->out, TEXT("; "));
    add_value(report->out, json);
    buf_add_text(report->out, TEXT(" at '"));
    add_place(report->out, place);
    buf_add_format(report->out, "' failed to satisfy constraint: %s must %s%s", who, what, more ? more : "");
}

static void fail_at(struct report *report, const struct place *place, const struct json *json, const char *what, const char *more)
{
    fail_with(report, place, json, "Member", what, more);
}

static void fail_number(struct report *report, const struct place *place, const struct json *json, const char *what, int64_t n)
{
    char number[24];
    snprintf(number, sizeof(number), "%lld", (long long)n);
    fail_at(report, place, json, what, number);
}

static bool enum_has(const char *values, struct text value)
{
    for (const char *at = values; *at;) {
        size_t len = strcspn(at, ",");
        if (text_equal(text_make(at, len), value))
            return true;
        at += len;
        at += strspn(at, ", ");
    }
    return false;
}

static bool is_plain_name(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        char c = t.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-'))
            return false;
    }
    return t.len > 0;
}

static bool is_arn(struct text t)
{
    return text_starts(t, TEXT("arn:"));
}

static void check_string(struct report *report, const struct place *place, const struct shape *shape, const struct json *json)
{
    if (shape->values && !enum_has(shape->values, json->text)) {
        char set[512];
        snprintf(set, sizeof(set), "[%s]", shape->values);
        fail_at(report, place, json, "satisfy enum value set: ", set);
        return;
    }
    bool is_name = shape->arn && json->text.len && !is_arn(json->text); /* an ARN is taken apart later */
    if (shape->pattern && (is_name || !shape->arn) && !(shape->holds ? shape->holds(json->text) : is_plain_name(json->text)))
        fail_at(report, place, json, "satisfy regular expression pattern: ", shape->pattern);
    int64_t min = is_name ? TABLE_NAME_MIN : shape->min, max = is_name ? TABLE_NAME_MAX : shape->max;
    if ((int64_t)json->text.len < min)
        fail_number(report, place, json, "have length greater than or equal to ", min);
    if (max && (int64_t)json->text.len > max)
        fail_number(report, place, json, "have length less than or equal to ", max);
}

static void check_number(struct report *report, const struct place *place, const struct shape *shape, const struct json *json)
{
    int64_t value;
    if (json_to_i64(json, &value))
        return;
    if (value < shape->min)
        fail_number(report, place, json, "have value greater than or equal to ", shape->min);
    if (shape->max && value > shape->max)
        fail_number(report, place, json, "have value less than or equal to ", shape->max);
}

static void check(struct report *report, const struct place *place, const struct shape *shape, const struct json *json);

/* What AWS says of a map whose values are lists, or whose keys are names: once, of the map itself. */
static bool check_map(struct report *report, const struct place *place, const struct shape *shape, const struct json *json)
{
    char limits[160];
    bool values = true, keys = true;
    for (const struct json *at = json->first; at; at = at->next) {
        int64_t count = at->count;
        if (at->type == JSON_NULL) {
            fail_with(report, place, json, "Map value", "satisfy constraint: [Member must not be null]", NULL);
            return false;
        }
        values = values && !(shape->of->type == SHAPE_LIST && (count < shape->of->min || (shape->of->max && count > shape->of->max)));
        keys = keys && !(shape->key && !is_arn(at->name) && (!is_plain_name(at->name) || at->name.len < TABLE_NAME_MIN || at->name.len > TABLE_NAME_MAX));
    }
    if (!keys) {
        snprintf(limits, sizeof(limits),
            "satisfy constraint: [Member must have length less than or equal to %d, Member must have length greater than or equal to %d, ", TABLE_NAME_MAX, TABLE_NAME_MIN);
        fail_with(report, place, json, "Map keys", limits, "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]");
    }
    if (!values) {
        snprintf(limits, sizeof(limits), "satisfy constraint: [Member must have length less than or equal to %lld, Member must have length greater than or equal to %lld]",
            (long long)shape->of->max, (long long)shape->of->min);
        fail_with(report, place, json, "Map value", limits, NULL);
    }
    return true;
}

static void check_each(struct report *report, const struct place *place, const struct shape *shape, const struct json *json)
{
    uint32_t n = 0;
    for (const struct json *at = json->first; at && report->errors <= SHAPE_ERRORS_MAX; at = at->next) {
        struct place here = {place, at->name, shape->type == SHAPE_LIST ? ++n : 0, true};
        if (at->type == JSON_NULL && shape->of->type != SHAPE_VALUE)
            fail_at(report, &here, NULL, "not be null", NULL);
        else if (shape->type == SHAPE_MAP && shape->of->type == SHAPE_LIST)
            check_each(report, &here, shape->of, at); /* its length has been judged with the map */
        else
            check(report, &here, shape->of, at);
    }
}

static void check_elements(struct report *report, const struct place *place, const struct shape *shape, const struct json *json)
{
    if ((int64_t)json->count < shape->min)
        fail_number(report, place, json, "have length greater than or equal to ", shape->min);
    if (shape->max && (int64_t)json->count > shape->max)
        fail_number(report, place, json, "have length less than or equal to ", shape->max);
    if (shape->type == SHAPE_LIST || check_map(report, place, shape, json))
        check_each(report, place, shape, json);
}

static void check_members(struct report *report, const struct place *place, const struct shape *shape, const struct json *json)
{
    for (const struct shape_member *m = shape->member; m && m->name; m++) {
        struct place here = {place, text_of(m->name), 0, false};
        const struct json *value = shape_get(json, m->name);
        if (value)
            check(report, &here, m->shape, value);
        else if (m->required)
            fail_at(report, &here, NULL, "not be null", NULL);
    }
}

static void check(struct report *report, const struct place *place, const struct shape *shape, const struct json *json)
{
    if (json->type == JSON_NULL)
        return;
    if (shape->type == SHAPE_STRING)
        check_string(report, place, shape, json);
    else if (shape->type == SHAPE_INTEGER || shape->type == SHAPE_LONG)
        check_number(report, place, shape, json);
    else if (shape->type == SHAPE_LIST || shape->type == SHAPE_MAP)
        check_elements(report, place, shape, json);
    else if (shape->type == SHAPE_STRUCT)
        check_members(report, place, shape, json);
}

int shape_check_constraints(const struct shape *shape, const struct json *json, struct buf *out)
{
    struct buf text;
    struct report report = {.out = &text};
    buf_init(&text, out->limit);
    check(&report, NULL, shape, json);
    int rc = 0;
    if (report.errors) {
        size_t shown = report.errors > SHAPE_ERRORS_MAX ? SHAPE_ERRORS_MAX : report.errors;
        buf_add_format(out, "%zu validation error%s detected: ", shown, shown > 1 ? "s" : "");
        buf_add_text(out, buf_text(&text));
        rc = ERR_INVALID;
    }
    buf_fini(&text);
    return rc;
}
