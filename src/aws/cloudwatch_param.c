/* Parameters of CloudWatch's requests, and its words for what is wrong with them. */
#include "aws/cloudwatch.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define TEXT_MAX 8000
#define SHOWN_MAX 256

/* ---- what is wrong ---- */

void cw_check_init(struct cw_check *check, struct aws_call *call)
{
    *check = (struct cw_check){.call = call};
    buf_init(&check->text, TEXT_MAX);
}

void cw_note(struct cw_check *check, enum aws_fault fault, const char *format, ...)
{
    char line[1024];
    va_list args;
    if (check->fault && (check->fault != fault || check->lines == CW_CHECK_LINES))
        return;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (check->lines++)
        buf_add_char(&check->text, '\n');
    buf_add_text(&check->text, text_of(line));
    check->fault = fault;
}

int cw_check_end(struct cw_check *check)
{
    int code = check->fault ? aws_fail_text(check->call, check->fault, buf_text(&check->text)) : 0;
    buf_fini(&check->text);
    return code;
}

int cw_fail(struct aws_call *call, int code, const struct err *err)
{
    if (code == ERR_FULL)
        return aws_fail(call, CW_LIMIT, "%s", err->text);
    if (code == ERR_INVALID && err->text[0])
        return aws_fail(call, CW_INVALID, "%s", err->text);
    return aws_store_fail(call, code, err);
}

/* ---- texts ---- */

/* The beginning of an offending value, whole characters. */
static struct text shown(struct text value)
{
    size_t len = value.len < SHOWN_MAX ? value.len : SHOWN_MAX;
    while (len < value.len && len && ((unsigned char)value.data[len] & 0xC0) == 0x80)
        len--;
    return text_make(value.data, len);
}

static bool has_byte(struct text text, bool (*is)(unsigned char))
{
    for (size_t i = 0; i < text.len; i++)
        if (is((unsigned char)text.data[i]))
            return true;
    return false;
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

static bool is_high(unsigned char c)
{
    return c >= 0x80;
}

static bool is_visible(unsigned char c)
{
    return c > 0x20;
}

static size_t characters(struct text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

struct text cw_text(struct cw_check *check, const struct json *object, const char *at, const char *member, size_t max, bool required)
{
    struct text value = aws_param_text(object, member);
    if (!value.data && !required)
        return value;
    if (!value.data || (required && !value.len))
        cw_note(check, CW_MISSING, "The parameter %s%s is required.", at, member);
    else if (!value.len)
        cw_note(check, CW_INVALID, "The parameter %s%s must not be empty.", at, member);
    else if (characters(value) > max || value.len > max)
        cw_note(check, CW_INVALID, "The parameter %s%s must be shorter than %zu characters.", at, member, max + 1);
    else if (has_byte(value, is_control))
        cw_note(check, CW_INVALID, "The value %.*s for parameter %s%s contains control characters.", TEXT_FMT(shown(value)), at, member);
    return value;
}

static struct text dimension_text(struct cw_check *check, const struct json *object, const char *at, const char *member, size_t max, bool required)
{
    struct text value = cw_text(check, object, at, member, max, required);
    if (value.len && has_byte(value, is_high))
        cw_note(check, CW_INVALID, "The value %.*s for parameter %s%s contains non-ASCII characters.", TEXT_FMT(shown(value)), at, member);
    else if (value.len && (!has_byte(value, is_visible) || value.data[0] == ':'))
        cw_note(check, CW_INVALID, "The value %.*s for parameter %s%s is invalid.", TEXT_FMT(shown(value)), at, member);
    return value;
}

/* ---- numbers, times, units ---- */

bool cw_number_of(struct cw_check *check, const struct json *json, const char *at, const char *member, double *value)
{
    if (json_is(json, JSON_NUMBER) && json_to_double(json, value) == 0 && fabs(*value) <= SKETCH_VALUE_MAX)
        return true;
    cw_note(check, CW_INVALID, "The value %.*s for parameter %s%s is invalid.", TEXT_FMT(shown(json->text)), at, member);
    return false;
}

bool cw_number(struct cw_check *check, const struct json *object, const char *at, const char *member, bool required, double *value)
{
    const struct json *json = shape_get(object, member);
    if (!json) {
        if (required)
            cw_note(check, CW_MISSING, "The parameter %s%s is required.", at, member);
        return false;
    }
    return cw_number_of(check, json, at, member, value);
}

bool cw_time(struct cw_check *check, const struct json *object, const char *at, const char *member, bool required, int64_t *ms)
{
    const struct json *json = shape_get(object, member);
    double seconds;
    if (!json) {
        if (required)
            cw_note(check, CW_MISSING, "The parameter %s%s is required.", at, member);
        return false;
    }
    if (json_to_double(json, &seconds) || fabs(seconds) > 1e12) {
        cw_note(check, CW_INVALID, "The value %.*s for parameter %s%s is invalid.", TEXT_FMT(shown(json->text)), at, member);
        return false;
    }
    *ms = llround(seconds * 1000);
    return true;
}

int cw_unit(struct cw_check *check, const struct json *object, const char *at)
{
    struct text name = aws_param_text(object, "Unit");
    int unit = name.data ? watch_unit_find(name) : -1;
    if (name.data && unit < 0)
        cw_note(check, CW_INVALID,
            "The parameter %sUnit must be a value in the set [ Seconds, Microseconds, Milliseconds, Bytes, Kilobytes, Megabytes, Gigabytes, Terabytes, Bits, Kilobits, "
            "Megabits, Gigabits, Terabits, Percent, Count, Bytes/Second, Kilobytes/Second, Megabytes/Second, Gigabytes/Second, Terabytes/Second, Bits/Second, "
            "Kilobits/Second, Megabits/Second, Gigabits/Second, Terabits/Second, Count/Second, None ].",
            at);
    return unit;
}

int64_t cw_period(struct cw_check *check, const struct json *object, const char *at, bool required)
{
    const struct json *json = shape_get(object, "Period");
    int64_t period = 0;
    if (!json) {
        if (required)
            cw_note(check, CW_MISSING, "The parameter %sPeriod is required.", at);
        return 0;
    }
    if (json_to_i64(json, &period) || period <= 0)
        cw_note(check, CW_INVALID, "The parameter %sPeriod must be greater than 0.", at);
    else if (!watch_period_is_valid(period))
        cw_note(check, CW_INVALID, "The parameter %sPeriod must be 1, 5, 10, 20, 30, or a multiple of 60.", at);
    else if (period > 100 * 366 * INT64_C(86400))
        cw_note(check, CW_INVALID, "The parameter %sPeriod is too long.", at);
    else
        return period;
    return 0;
}

/* ---- metrics ---- */

/* Thousands of a request, and few of them are ever told. */
void cw_place(char *out, size_t size, const char *at, struct text member, size_t number)
{
    struct text above = text_of(at);
    if (above.len + member.len + TEXT_U64_MAX + 2 > size)
        above.len = 0;
    char *end = text_put_u64(text_put(text_put(out, above), member), number);
    *end++ = '.';
    *end = 0;
}

void cw_dimensions(struct cw_check *check, const struct json *list, const char *at, struct watch_name *name)
{
    char place[160];
    size_t n = 0;
    if (!list || !list->count)
        return;
    if (list->count > WATCH_DIMENSIONS_MAX) {
        cw_note(check, CW_INVALID, "The collection %sDimensions must not have a size greater than %d.", at, WATCH_DIMENSIONS_MAX);
        return;
    }
    struct watch_dimension *dimension = arena_array(check->call->arena, list->count, sizeof(*dimension));
    if (!dimension) {
        cw_note(check, AWS_INTERNAL, "The request needs more memory than one request may use.");
        return;
    }
    for (const struct json *json = list->first; json; json = json->next, n++) {
        cw_place(place, sizeof(place), at, TEXT("Dimensions.member."), n + 1);
        dimension[n].name = dimension_text(check, json, place, "Name", WATCH_DIMENSION_NAME_MAX, true);
        dimension[n].value = dimension_text(check, json, place, "Value", WATCH_DIMENSION_VALUE_MAX, true);
        for (size_t k = 0; k < n; k++)
            if (dimension[n].name.len && text_equal(dimension[k].name, dimension[n].name))
                cw_note(check, CW_INVALID, "The value %.*s for parameter %sName is invalid: a dimension may be given once.", TEXT_FMT(shown(dimension[n].name)), place);
    }
    name->dimension = dimension;
    name->dimensions = n;
}

void cw_metric(struct cw_check *check, const struct json *object, const char *at, struct text space, struct watch_name *name)
{
    *name = (struct watch_name){.space = space};
    if (!space.data)
        name->space = cw_text(check, object, at, "Namespace", WATCH_NAMESPACE_MAX, true);
    if (!space.data && name->space.len && name->space.data[0] == ':')
        cw_note(check, CW_INVALID, "The value %.*s for parameter %sNamespace is invalid.", TEXT_FMT(shown(name->space)), at);
    name->name = cw_text(check, object, at, "MetricName", WATCH_NAME_MAX, true);
    cw_dimensions(check, shape_get(object, "Dimensions"), at, name);
}

/* ---- answers ---- */

void cw_write_dimensions(struct json_writer *w, const struct watch_name *name)
{
    json_name(w, "Dimensions");
    json_begin_array(w);
    for (size_t i = 0; i < name->dimensions; i++) {
        json_begin_object(w);
        json_name(w, "Name");
        json_text(w, name->dimension[i].name);
        json_name(w, "Value");
        json_text(w, name->dimension[i].value);
        json_end_object(w);
    }
    json_end_array(w);
}

void cw_write_time(struct json_writer *w, int64_t s)
{
    json_i64(w, s);
}
