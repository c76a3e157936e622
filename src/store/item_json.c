/*
 * Items as JSON: DynamoDB's typed form ({"N":"5"}) and the plain form that applications read.
 *
 * The sentences are those that DynamoDB's clients know. Numbers never pass through a double: the typed form
 * carries text, the plain one keeps the number's own text, and both end as the same normalised decimal.
 */
#include "store/item.h"

#include "base/codec.h"

/* ---- what does not fit, in AWS's words ---- */

#define IS_EMPTY "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
#define IS_SEVERAL "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
#define NUMBER_LOOSE_MAX 256 /* bytes of a number with a bare point */
#define JAVA_MAP "java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>"

static const char *token_of(const struct json *json)
{
    if (json->type == JSON_TRUE || json->type == JSON_FALSE)
        return json->type == JSON_TRUE ? "TRUE_VALUE" : "FALSE_VALUE";
    if (json->type == JSON_STRING)
        return "STRING_VALUE";
    return text_find(json->text, '.', 0) >= 0 ? "DECIMAL_VALUE" : "NUMBER_VALUE";
}

static int wrong_scalar(const struct json *json, const char *want, struct err *err)
{
    if (json->type == JSON_OBJECT)
        return err_set(err, ERR_TYPE, "Start of structure or map found where not expected");
    if (json->type == JSON_ARRAY)
        return err_set(err, ERR_TYPE, "Unrecognized collection type class %s", want);
    if (!strcmp(want, "java.nio.ByteBuffer"))
        return err_set(err, ERR_TYPE, "only base-64-encoded strings are convertible to bytes");
    if (!strcmp(want, "java.lang.Boolean") && json->type == JSON_STRING)
        return err_set(err, ERR_TYPE, "Unexpected token received from parser");
    return err_set(err, ERR_TYPE, "%s cannot be converted to %s", token_of(json), strrchr(want, '.') + 1);
}

static int wrong_collection(const struct json *json, const char *want, struct err *err)
{
    if (json->type == JSON_OBJECT)
        return err_set(err, ERR_TYPE, "Start of structure or map found where not expected");
    if (json->type == JSON_ARRAY)
        return err_set(err, ERR_TYPE, "Unrecognized collection type %s", want);
    return err_set(err, ERR_TYPE, "Unexpected field type");
}

static int wrong_value(const struct json *json, struct err *err)
{
    if (json->type == JSON_ARRAY)
        return err_set(err, ERR_TYPE, "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue");
    return err_set(err, ERR_TYPE, "Unexpected value type in payload");
}

static int wrong_base64(struct text encoded, struct err *err)
{
    if (encoded.len % 4)
        return err_set(err, ERR_TYPE, "Base64 encoded length is expected a multiple of 4 bytes but found: %zu", encoded.len);
    return err_set(err, ERR_TYPE, "Invalid last non-pad Base64 character dectected");
}

/* Why a number that is well formed is no number of DynamoDB's. */
static int wrong_number(struct text digits, struct err *err)
{
    size_t at = 0, count = 0, zeros = 0; /* significant digits; zeros behind them so far */
    int64_t magnitude = 0, exponent = 0; /* 0.d1d2.. * 10^magnitude */
    bool behind = false;
    for (; at < digits.len && digits.data[at] != 'e' && digits.data[at] != 'E'; at++) {
        char c = digits.data[at];
        if (c == '.')
            behind = true;
        if (c < '0' || c > '9')
            continue;
        if (c == '0' && !count) {
            magnitude -= behind;
            continue;
        }
        magnitude += !behind;
        count += c == '0' ? 0 : zeros + 1;
        zeros = c == '0' ? zeros + 1 : 0;
    }
    bool negative = at + 1 < digits.len && digits.data[at + 1] == '-';
    for (; at < digits.len && exponent < 1000000; at++)
        if (digits.data[at] >= '0' && digits.data[at] <= '9')
            exponent = exponent * 10 + (digits.data[at] - '0');
    if (count > DECIMAL_DIGITS)
        return err_set(err, ERR_TOO_LARGE, "Attempting to store more than 38 significant digits in a Number");
    if (magnitude + (negative ? -exponent : exponent) > 0)
        return err_set(err, ERR_TOO_LARGE, "Number overflow. Attempting to store a number with magnitude larger than supported range");
    return err_set(err, ERR_TOO_LARGE, "Number underflow. Attempting to store a number with magnitude smaller than supported range");
}

/* ---- scalars ---- */

static int decode_binary(struct arena *arena, const struct json *json, struct text *out, struct err *err)
{
    struct buf bytes;
    if (!json_is(json, JSON_STRING))
        return wrong_scalar(json, "java.nio.ByteBuffer", err);
    buf_init(&bytes, json->text.len + 4);
    int rc = base64_decode(&bytes, json->text);
    if (!rc) {
        *out = arena_copy(arena, buf_text(&bytes));
        rc = out->data ? 0 : ERR_MEMORY;
    }
    buf_fini(&bytes);
    if (rc == ERR_MEMORY)
        return err_set(err, rc, "out of memory");
    return rc ? wrong_base64(json->text, err) : 0;
}

/* ".5" and "5." are numbers on this wire, though nowhere else here: a digit is put beside the point that stands alone. */
static int parse_loose(struct text digits, struct decimal *d)
{
    char full[NUMBER_LOOSE_MAX + 2];
    size_t len = 0;
    ptrdiff_t point = text_find(digits, '.', 0);
    if (point < 0 || digits.len < 2 || digits.len > NUMBER_LOOSE_MAX)
        return ERR_SYNTAX;
    size_t at = (size_t)point;
    bool before = at > 0 && digits.data[at - 1] >= '0' && digits.data[at - 1] <= '9';
    bool behind = at + 1 < digits.len && digits.data[at + 1] >= '0' && digits.data[at + 1] <= '9';
    if (before == behind) /* both: it was no number for another reason */
        return ERR_SYNTAX;
    memcpy(full, digits.data, at);
    len = at;
    if (!before)
        full[len++] = '0';
    full[len++] = '.';
    if (!behind)
        full[len++] = '0';
    memcpy(full + len, digits.data + at + 1, digits.len - at - 1);
    return decimal_parse(text_make(full, len + digits.len - at - 1), d);
}

static int decode_number(struct arena *arena, struct text digits, struct text *out, struct err *err)
{
    struct decimal d;
    char text[DECIMAL_TEXT_MAX];
    int rc = decimal_parse(digits, &d);
    if (rc == ERR_SYNTAX)
        rc = parse_loose(digits, &d);
    if (rc == ERR_TOO_LARGE)
        return wrong_number(digits, err);
    if (rc)
        return err_set(err, ERR_INVALID, "The parameter cannot be converted to a numeric value%s%.*s", digits.len ? ": " : "",
            (int)(digits.len < 128 ? digits.len : 128), digits.data ? digits.data : "");
    size_t len = decimal_format(&d, text);
    *out = arena_copy(arena, text_make(text, len));
    return out->data ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static void link_last(struct attr *parent, struct attr *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

/* ---- the typed form ---- */

static int scalar_from_wire(
    struct arena *arena, enum attr_type type, const struct json *json, struct attr *value, struct err *err)
{
    value->type = type;
    if (type == ATTR_BINARY)
        return decode_binary(arena, json, &value->text, err);
    if (!json_is(json, JSON_STRING))
        return wrong_scalar(json, "java.lang.String", err);
    if (type == ATTR_NUMBER)
        return decode_number(arena, json->text, &value->text, err);
    value->text = json->text.data ? json->text : TEXT("");
    return 0;
}

static int value_from_wire(
    struct arena *arena, const struct json *json, struct attr *value, int depth, struct err *err);

static int set_from_wire(
    struct arena *arena, enum attr_type type, const struct json *json, struct attr *value, struct err *err)
{
    enum attr_type element = type == ATTR_STRING_SET   ? ATTR_STRING
                             : type == ATTR_NUMBER_SET ? ATTR_NUMBER
                                                       : ATTR_BINARY;
    value->type = type;
    if (!json_is(json, JSON_ARRAY))
        return wrong_collection(json, "java.util.List", err);
    for (const struct json *at = json->first; at; at = at->next) {
        struct attr *child = arena_zalloc(arena, sizeof(*child));
        if (!child)
            return err_set(err, ERR_MEMORY, "out of memory");
        if (at->type == JSON_NULL)
            return err_set(err, ERR_INVALID, "One or more parameter values were invalid: An %s set may not have a null %s as a member",
                element == ATTR_STRING ? "string" : element == ATTR_NUMBER ? "number" : "binary", element == ATTR_BINARY ? "binary" : "string");
        int rc = scalar_from_wire(arena, element, at, child, err);
        if (rc)
            return rc;
        link_last(value, child);
    }
    return 0;
}

static int children_from_wire(
    struct arena *arena, const struct json *json, struct attr *value, int depth, struct err *err)
{
    for (const struct json *at = json->first; at; at = at->next) {
        struct attr *child = arena_zalloc(arena, sizeof(*child));
        if (!child)
            return err_set(err, ERR_MEMORY, "out of memory");
        child->name = value->type == ATTR_MAP ? at->name : TEXT_NONE;
        int rc = value_from_wire(arena, at, child, depth + 1, err);
        if (rc)
            return rc;
        link_last(value, child);
    }
    return 0;
}

static int typed_from_wire(struct arena *arena, struct text tag, const struct json *json, struct attr *value,
    int depth, struct err *err)
{
    if (text_is(tag, "S"))
        return scalar_from_wire(arena, ATTR_STRING, json, value, err);
    if (text_is(tag, "N"))
        return scalar_from_wire(arena, ATTR_NUMBER, json, value, err);
    if (text_is(tag, "B"))
        return scalar_from_wire(arena, ATTR_BINARY, json, value, err);
    if (text_is(tag, "BOOL")) {
        value->type = ATTR_BOOL;
        value->boolean = json->type == JSON_TRUE;
        return json->type == JSON_TRUE || json->type == JSON_FALSE
                   ? 0
                   : wrong_scalar(json, "java.lang.Boolean", err);
    }
    if (text_is(tag, "NULL")) {
        value->type = ATTR_NULL;
        if (json->type == JSON_FALSE)
            return err_set(err, ERR_INVALID,
                "One or more parameter values were invalid: Null attribute value types must have the value "
                "of true");
        return json->type == JSON_TRUE ? 0 : wrong_scalar(json, "java.lang.Boolean", err);
    }
    if (text_is(tag, "L") || text_is(tag, "M")) {
        value->type = tag.data[0] == 'L' ? ATTR_LIST : ATTR_MAP;
        if (json->type != (value->type == ATTR_LIST ? JSON_ARRAY : JSON_OBJECT))
            return wrong_collection(json, value->type == ATTR_LIST ? "java.util.List" : JAVA_MAP, err);
        return children_from_wire(arena, json, value, depth, err);
    }
    if (text_is(tag, "SS"))
        return set_from_wire(arena, ATTR_STRING_SET, json, value, err);
    if (text_is(tag, "NS"))
        return set_from_wire(arena, ATTR_NUMBER_SET, json, value, err);
    if (text_is(tag, "BS"))
        return set_from_wire(arena, ATTR_BINARY_SET, json, value, err);
    return err_set(err, ERR_INVALID, IS_EMPTY);
}

static bool is_tag(struct text name)
{
    static const char *const tag[] = {"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"};
    for (size_t i = 0; i < sizeof(tag) / sizeof(tag[0]); i++)
        if (text_is(name, tag[i]))
            return true;
    return false;
}

/* The one member that tells the type. As everywhere on this wire, a member that is null is none, and one that nobody knows is passed over. */
static int find_type(const struct json *json, const struct json **typed, struct err *err)
{
    *typed = NULL;
    for (const struct json *at = json->first; at; at = at->next) {
        if (at->type == JSON_NULL || !is_tag(at->name))
            continue;
        if (*typed)
            return err_set(err, ERR_INVALID, IS_SEVERAL);
        *typed = at;
    }
    return *typed ? 0 : err_set(err, ERR_INVALID, IS_EMPTY);
}

static int value_from_wire(
    struct arena *arena, const struct json *json, struct attr *value, int depth, struct err *err)
{
    if (depth > ITEM_DEPTH_MAX)
        return err_set(err, ERR_TOO_DEEP, "Nesting Levels have exceeded supported limits");
    if (json->type == JSON_NULL)
        return err_set(err, ERR_INVALID, IS_EMPTY);
    if (json->type != JSON_OBJECT)
        return wrong_value(json, err);
    const struct json *typed = json->first;
    int rc = typed && !typed->next && typed->type != JSON_NULL ? 0 : find_type(json, &typed, err);
    return rc ? rc : typed_from_wire(arena, typed->name, typed, value, depth, err);
}

/* ---- types alone ---- */

static int check_elements(const struct json *list, const char *want, struct err *err)
{
    int rc = 0;
    for (const struct json *at = list->first; at && !rc; at = at->next) {
        if (at->type == JSON_NULL || at->type == JSON_STRING)
            continue;
        rc = wrong_scalar(at, want, err);
    }
    return rc;
}

static int check_typed(const struct json *typed, struct err *err)
{
    struct text tag = typed->name;
    int rc = 0;
    if (typed->type == JSON_NULL || !is_tag(tag))
        return 0;
    if (text_is(tag, "S") || text_is(tag, "N") || text_is(tag, "B"))
        return typed->type == JSON_STRING ? 0 : wrong_scalar(typed, tag.data[0] == 'B' ? "java.nio.ByteBuffer" : "java.lang.String", err);
    if (text_is(tag, "BOOL") || text_is(tag, "NULL"))
        return typed->type == JSON_TRUE || typed->type == JSON_FALSE ? 0 : wrong_scalar(typed, "java.lang.Boolean", err);
    if (typed->type != (text_is(tag, "M") ? JSON_OBJECT : JSON_ARRAY))
        return wrong_collection(typed, text_is(tag, "M") ? JAVA_MAP : "java.util.List", err);
    if (tag.len == 2)
        return check_elements(typed, tag.data[0] == 'B' ? "java.nio.ByteBuffer" : "java.lang.String", err);
    for (const struct json *at = typed->first; at && !rc; at = at->next)
        rc = attr_wire_types(at, err);
    return rc;
}

int attr_wire_types(const struct json *json, struct err *err)
{
    int rc = 0;
    if (json->type == JSON_NULL)
        return 0;
    if (json->type != JSON_OBJECT)
        return wrong_value(json, err);
    for (const struct json *at = json->first; at && !rc; at = at->next)
        rc = check_typed(at, err);
    return rc;
}

int attr_from_wire(struct arena *arena, const struct json *json, struct attr **value, struct err *err)
{
    struct attr *made = arena_zalloc(arena, sizeof(*made));
    if (!made)
        return err_set(err, ERR_MEMORY, "out of memory");
    int rc = value_from_wire(arena, json, made, 1, err);
    if (!rc)
        *value = made;
    return rc;
}

int item_from_wire(struct arena *arena, const struct json *json, struct attr **item, struct err *err)
{
    if (!json)
        return err_set(err, ERR_INVALID, IS_EMPTY);
    if (json->type != JSON_OBJECT)
        return wrong_collection(json, JAVA_MAP, err);
    struct attr *map = item_create(arena);
    if (!map)
        return err_set(err, ERR_MEMORY, "out of memory");
    int rc = children_from_wire(arena, json, map, 0, err);
    if (!rc)
        *item = map;
    return rc;
}

static void write_binary(struct json_writer *w, struct text bytes)
{
    struct buf text;
    buf_init(&text, (bytes.len / 3 + 1) * 4 + 4);
    if (base64_encode(&text, bytes) || text.failed)
        w->out->failed = true;
    else
        json_text(w, buf_text(&text));
    buf_fini(&text);
}

static const char *type_tag(enum attr_type type)
{
    static const char *const tag[] = {"NULL", "BOOL", "N", "S", "B", "L", "M", "SS", "NS", "BS"};
    return tag[type];
}

static void members_to_wire(struct json_writer *w, const struct attr *map)
{
    json_begin_object(w);
    for (const struct attr *at = map->first; at; at = at->next) {
        json_name_text(w, at->name);
        attr_to_wire(w, at);
    }
    json_end_object(w);
}

static void elements_to_wire(struct json_writer *w, const struct attr *value)
{
    json_begin_array(w);
    for (const struct attr *at = value->first; at; at = at->next) {
        if (value->type == ATTR_LIST)
            attr_to_wire(w, at);
        else if (value->type == ATTR_BINARY_SET)
            write_binary(w, at->text);
        else
            json_text(w, at->text);
    }
    json_end_array(w);
}

void attr_to_wire(struct json_writer *w, const struct attr *value)
{
    if (value->type == ATTR_STRING || value->type == ATTR_NUMBER) { /* nearly all there are */
        json_wrapped_text(w, value->type == ATTR_STRING ? TEXT("{\"S\":") : TEXT("{\"N\":"), value->text, TEXT("}"));
        return;
    }
    json_begin_object(w);
    json_name(w, type_tag(value->type));
    switch (value->type) {
    case ATTR_NULL:
        json_bool(w, true);
        break;
    case ATTR_BOOL:
        json_bool(w, value->boolean);
        break;
    case ATTR_BINARY:
        write_binary(w, value->text);
        break;
    case ATTR_MAP:
        members_to_wire(w, value);
        break;
    default:
        elements_to_wire(w, value);
        break;
    }
    json_end_object(w);
}

void item_to_wire(struct json_writer *w, const struct attr *item)
{
    members_to_wire(w, item);
}

/* ---- the plain form ---- */

static int value_from_plain(
    struct arena *arena, const struct json *json, struct attr *value, int depth, struct err *err)
{
    if (depth > ITEM_DEPTH_MAX)
        return err_set(err, ERR_TOO_DEEP, "the value is nested deeper than %d levels", ITEM_DEPTH_MAX);
    switch (json->type) {
    case JSON_NULL:
        value->type = ATTR_NULL;
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        value->type = ATTR_BOOL;
        value->boolean = json->type == JSON_TRUE;
        return 0;
    case JSON_NUMBER:
        value->type = ATTR_NUMBER;
        return decode_number(arena, json->text, &value->text, err);
    case JSON_STRING:
        value->type = ATTR_STRING;
        value->text = json->text.data ? json->text : TEXT("");
        return 0;
    default:
        break;
    }
    value->type = json->type == JSON_ARRAY ? ATTR_LIST : ATTR_MAP;
    for (const struct json *at = json->first; at; at = at->next) {
        struct attr *child = arena_zalloc(arena, sizeof(*child));
        if (!child)
            return err_set(err, ERR_MEMORY, "out of memory");
        child->name = json->type == JSON_OBJECT ? at->name : TEXT_NONE;
        int rc = value_from_plain(arena, at, child, depth + 1, err);
        if (rc)
            return rc;
        link_last(value, child);
    }
    return 0;
}

int item_from_plain(struct arena *arena, const struct json *json, struct attr **item, struct err *err)
{
    if (!json_is(json, JSON_OBJECT))
        return err_set(err, ERR_TYPE, "an item must be an object");
    struct attr *map = item_create(arena);
    if (!map)
        return err_set(err, ERR_MEMORY, "out of memory");
    int rc = value_from_plain(arena, json, map, 0, err);
    if (!rc)
        *item = map;
    return rc;
}

void attr_to_plain(struct json_writer *w, const struct attr *value)
{
    switch (value->type) {
    case ATTR_NULL:
        json_null(w);
        return;
    case ATTR_BOOL:
        json_bool(w, value->boolean);
        return;
    case ATTR_NUMBER:
        json_number_text(w, value->text);
        return;
    case ATTR_STRING:
        json_text(w, value->text);
        return;
    case ATTR_BINARY:
        write_binary(w, value->text);
        return;
    case ATTR_MAP:
        item_to_plain(w, value);
        return;
    default:
        break;
    }
    json_begin_array(w);
    for (const struct attr *at = value->first; at; at = at->next)
        attr_to_plain(w, at);
    json_end_array(w);
}

void item_to_plain(struct json_writer *w, const struct attr *item)
{
    json_begin_object(w);
    for (const struct attr *at = item->first; at; at = at->next) {
        json_name_text(w, at->name);
        attr_to_plain(w, at);
    }
    json_end_object(w);
}
