/*
 * Input: fields of the message, checked where they are read. A field is looked up at the top level and then in "data", so that the documents' envelopes
 * ({action, data}, flat, {type}) read alike. Every refusal names its field.
 *
 * Texts from clients hold no control characters but tab and line ends: what one client writes is read by others, in terminals and logs too. The JSON
 * parser has refused bad UTF-8 already. null counts as absent.
 */
#include "gateway/call.h"
#include "base/codec.h"

#include <inttypes.h>

#define TIME_SECONDS_BELOW 1e11          /* smaller numbers are seconds, larger ones milliseconds */
#define TIME_MAX INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

bool gw_text_clean(struct text text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return false;
    }
    return true;
}

/* ---- looking up ---- */

static void parse_body(struct weir_call *call)
{
    if (call->parsed)
        return;
    call->parsed = true;
    if (call->binary || !call->body.len || json_parse(&call->arena, call->body, 0, &call->root, NULL))
        call->root = NULL;
    call->parsed_late = call->root != NULL;
}

const struct json *gw_call_field(struct weir_call *call, struct text name)
{
    parse_body(call);
    const struct json *found = json_get(call->root, name);
    if (found || !call->root)
        return found;
    return json_get(json_get_str(call->root, "data"), name);
}

static const struct json *find(struct weir_call *call, const char *field)
{
    const struct json *value = call->failed ? NULL : gw_call_field(call, text_of(field));
    return value && value->type != JSON_NULL ? value : NULL;
}

static const struct json *need(struct weir_call *call, const char *field)
{
    const struct json *value = find(call, field);
    if (value || call->failed)
        return value;
    if (json_is(call->root, JSON_OBJECT))
        gw_call_fail(call, ERR_MISSING, "MISSING", field, "%s is required", field);
    else
        gw_call_fail(call, ERR_SYNTAX, "SYNTAX", field, "%s is required, and the message is not a JSON object", field);
    return NULL;
}

static void wrong_type(struct weir_call *call, const char *field, const char *wanted)
{
    gw_call_fail(call, ERR_TYPE, "TYPE", field, "%s must be %s", field, wanted);
}

/* ---- the message ---- */

struct weir_text weir_body(struct weir_call *call)
{
    return text_out(call->body);
}

bool weir_is_binary(struct weir_call *call)
{
    return call->binary;
}

struct weir_text weir_action(struct weir_call *call)
{
    static const char *const names[] = {"action", "type"};
    parse_body(call);
    for (size_t i = 0; i < 2; i++) {
        const struct json *value = json_get_str(call->root, names[i]);
        if (json_is(value, JSON_STRING))
            return text_out(value->text);
    }
    return WEIR_STR("");
}

bool weir_has(struct weir_call *call, const char *field)
{
    return find(call, field) != NULL;
}

/* ---- texts ---- */

static struct weir_text text_checked(struct weir_call *call, const char *field, const struct json *value, size_t min, size_t max)
{
    if (!value)
        return WEIR_STR("");
    if (value->type != JSON_STRING)
        wrong_type(call, field, "a string");
    else if (value->text.len < min)
        gw_call_fail(call, ERR_INVALID, "INVALID", field, min == 1 ? "%s must not be empty" : "%s must have at least %zu bytes", field, min);
    else if (value->text.len > max)
        gw_call_fail(call, ERR_TOO_LARGE, "TOO_LARGE", field, "%s must have at most %zu bytes", field, max);
    else if (!gw_text_clean(value->text))
        gw_call_fail(call, ERR_INVALID, "INVALID", field, "%s must not hold control characters", field);
    else
        return text_out(value->text);
    return WEIR_STR("");
}

struct weir_text weir_in_text(struct weir_call *call, const char *field, size_t min, size_t max)
{
    return text_checked(call, field, need(call, field), min, max);
}

struct weir_text weir_in_text_or(struct weir_call *call, const char *field, size_t max, struct weir_text otherwise)
{
    const struct json *value = find(call, field);
    return value ? text_checked(call, field, value, 0, max) : otherwise;
}

/* ---- numbers ---- */

static int64_t integer_checked(struct weir_call *call, const char *field, const struct json *value, int64_t min, int64_t max)
{
    int64_t number = 0;
    if (!value)
        return 0;
    int code = json_to_i64(value, &number);
    if (value->type != JSON_NUMBER)
        wrong_type(call, field, "a number");
    else if (code || number < min || number > max)
        gw_call_fail(call, ERR_INVALID, "INVALID", field, "%s must be an integer from %" PRId64 " to %" PRId64, field, min, max);
    else
        return number;
    return 0;
}

int64_t weir_in_integer(struct weir_call *call, const char *field, int64_t min, int64_t max)
{
    return integer_checked(call, field, need(call, field), min, max);
}

int64_t weir_in_integer_or(struct weir_call *call, const char *field, int64_t min, int64_t max, int64_t otherwise)
{
    const struct json *value = find(call, field);
    return value ? integer_checked(call, field, value, min, max) : otherwise;
}

struct weir_text weir_in_number(struct weir_call *call, const char *field, double min, double max)
{
    const struct json *value = need(call, field);
    struct decimal exact;
    double number;
    if (!value)
        return WEIR_STR("");
    if (value->type != JSON_NUMBER)
        wrong_type(call, field, "a number");
    else if (decimal_parse(value->text, &exact))
        gw_call_fail(call, ERR_TOO_LARGE, "TOO_LARGE", field, "%s must have at most 38 digits and a magnitude from 1E-130 to 9.99E125", field);
    else if (json_to_double(value, &number) || !(number >= min && number <= max))
        gw_call_fail(call, ERR_INVALID, "INVALID", field, "%s must be a number from %g to %g", field, min, max);
    else
        return text_out(value->text);
    return WEIR_STR("");
}

int64_t weir_in_time_or(struct weir_call *call, const char *field, int64_t otherwise)
{
    const struct json *value = find(call, field);
    int64_t ms = -1;
    double number;
    if (!value)
        return otherwise;
    if (value->type == JSON_NUMBER && json_to_double(value, &number) == 0 && number >= 0 && number <= (double)TIME_MAX) {
        if (number < TIME_SECONDS_BELOW)
            number *= 1000;
        ms = (int64_t)number;
    } else if (value->type == JSON_STRING && clock_parse_iso(value->text.data, value->text.len, &ms)) {
        ms = -1;
    }
    if (ms >= 0 && ms <= TIME_MAX)
        return ms;
    gw_call_fail(call, ERR_INVALID, "INVALID", field, "%s must be a time: epoch seconds, epoch milliseconds or ISO 8601", field);
    return otherwise;
}

bool weir_in_bool_or(struct weir_call *call, const char *field, bool otherwise)
{
    const struct json *value = find(call, field);
    if (!value)
        return otherwise;
    if (value->type == JSON_TRUE || value->type == JSON_FALSE)
        return value->type == JSON_TRUE;
    wrong_type(call, field, "true or false");
    return otherwise;
}

/* ---- any JSON ---- */

/* Names and strings of the whole tree; as deep as the parser allowed. */
static bool tree_clean(const struct json *value)
{
    if (value->type == JSON_STRING)
        return gw_text_clean(value->text);
    for (const struct json *child = value->first; child; child = child->next)
        if (!gw_text_clean(child->name) || !tree_clean(child))
            return false;
    return true;
}

/* Unlike the others these keep null: `data: null` is a value of its own. */
const struct weir_value *weir_in_value(struct weir_call *call, const char *field, bool required)
{
    const struct json *value = call->failed ? NULL : gw_call_field(call, text_of(field));
    if (!value && required)
        need(call, field);
    if (value && !tree_clean(value)) {
        gw_call_fail(call, ERR_INVALID, "INVALID", field, "%s must not hold control characters", field);
        value = NULL;
    }
    return json_out(value);
}

const struct weir_value *weir_in_object(struct weir_call *call, const char *field, bool required)
{
    const struct json *value = required ? need(call, field) : find(call, field);
    if (!value)
        return NULL;
    if (value->type != JSON_OBJECT) {
        wrong_type(call, field, "an object");
        return NULL;
    }
    return weir_in_value(call, field, required);
}

size_t weir_value_count(const struct weir_value *value)
{
    return value ? json_in(value)->count : 0;
}

const struct weir_value *weir_value_at(const struct weir_value *array, size_t index)
{
    return array && index < json_in(array)->count ? json_out(json_at(json_in(array), (uint32_t)index)) : NULL;
}

const struct weir_value *weir_value_get(const struct weir_value *object, const char *name)
{
    return json_out(json_get_str(json_in(object), name));
}

bool weir_value_text(const struct weir_value *value, struct weir_text *out)
{
    if (!json_is(json_in(value), JSON_STRING))
        return false;
    *out = text_out(json_in(value)->text);
    return true;
}

bool weir_value_real(const struct weir_value *value, double *out)
{
    double number;
    if (!json_is(json_in(value), JSON_NUMBER) || json_to_double(json_in(value), &number))
        return false;
    *out = number;
    return true;
}

bool weir_value_integer(const struct weir_value *value, int64_t *out)
{
    return json_is(json_in(value), JSON_NUMBER) && json_to_i64(json_in(value), out) == 0;
}

bool weir_value_is_number(const struct weir_value *value)
{
    return json_is(json_in(value), JSON_NUMBER);
}

const struct weir_value *weir_parse(struct weir_call *call, struct weir_text text)
{
    const struct json *root = NULL;
    if (call->failed || json_parse(&call->arena, text_in(text), 0, &root, NULL))
        return NULL;
    return json_out(root);
}

/* ---- records of Kinesis streams ---- */

static struct weir_text record_text(const struct weir_value *record, const char *name)
{
    struct weir_text text = WEIR_STR("");
    weir_value_text(weir_value_get(record, name), &text);
    return text;
}

struct weir_text weir_record_key(const struct weir_value *record)
{
    return record_text(record, "partitionKey");
}

struct weir_text weir_record_sequence(const struct weir_value *record)
{
    return record_text(record, "sequenceNumber");
}

int64_t weir_record_arrival(const struct weir_value *record)
{
    int64_t at_ms = 0;
    weir_value_integer(weir_value_get(record, "arrival"), &at_ms);
    return at_ms;
}

struct weir_text weir_record_data(struct weir_call *call, const struct weir_value *record)
{
    struct weir_text encoded = record_text(record, "data");
    struct buf bytes;
    if (call->failed)
        return WEIR_STR("");
    buf_init(&bytes, encoded.len + 1);
    int code = base64_decode(&bytes, text_in(encoded));
    struct text copy = code || bytes.failed ? TEXT("") : gw_call_copy(call, buf_text(&bytes));
    buf_fini(&bytes);
    return text_out(copy);
}

const struct weir_value *weir_record_json(struct weir_call *call, const struct weir_value *record)
{
    return weir_parse(call, weir_record_data(call, record));
}
