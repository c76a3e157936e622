/*
 * Items as JSON: DynamoDB's typed form ({"N":"5"}) and the plain form that applications read.
 *
 * The sentences are those that DynamoDB's clients know. Numbers never pass through a double: the typed form
 * carries text, the plain one keeps the number's own text, and both end as the same normalised decimal.
 */
#include "store/item.h"

#include "base/codec.h"

static int decode_binary(struct arena *arena, const struct json *json, struct text *out, struct err *err)
{
    struct buf bytes;
    if (!json_is(json, JSON_STRING))
        return err_set(err, ERR_TYPE, "a binary value must be a base64 string");
    buf_init(&bytes, json->text.len + 4);
    int rc = base64_decode(&bytes, json->text);
    if (!rc) {
        *out = arena_copy(arena, buf_text(&bytes));
        rc = out->data ? 0 : ERR_MEMORY;
    }
    buf_fini(&bytes);
    return rc ? err_set(err, rc, rc == ERR_MEMORY ? "out of memory" : "a binary value is not valid base64")
              : 0;
}

static int decode_number(struct arena *arena, struct text digits, struct text *out, struct err *err)
{
    struct decimal d;
    char text[DECIMAL_TEXT_MAX];
    int rc = decimal_parse(digits, &d);
    if (rc == ERR_TOO_LARGE)
        return err_set(err, ERR_TOO_LARGE,
            "Number overflow or precision: numbers have up to 38 significant digits and a magnitude from "
            "1E-130 to 9.99E125");
    if (rc)
        return err_set(err, ERR_INVALID, "The parameter cannot be converted to a numeric value");
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
        return err_set(err, ERR_TYPE, "the value of %s must be a string", type == ATTR_NUMBER ? "N" : "S");
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
        return err_set(err, ERR_TYPE, "the value of a set must be an array");
    for (const struct json *at = json->first; at; at = at->next) {
        struct attr *child = arena_zalloc(arena, sizeof(*child));
        if (!child)
            return err_set(err, ERR_MEMORY, "out of memory");
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
                   : err_set(err, ERR_TYPE, "the value of BOOL must be true or false");
    }
    if (text_is(tag, "NULL")) {
        value->type = ATTR_NULL;
        if (json->type == JSON_FALSE)
            return err_set(err, ERR_INVALID,
                "One or more parameter values were invalid: Null attribute value types must have the value "
                "of true");
        return json->type == JSON_TRUE ? 0 : err_set(err, ERR_TYPE, "the value of NULL must be true");
    }
    if (text_is(tag, "L") || text_is(tag, "M")) {
        value->type = tag.data[0] == 'L' ? ATTR_LIST : ATTR_MAP;
        if (json->type != (value->type == ATTR_LIST ? JSON_ARRAY : JSON_OBJECT))
            return err_set(err, ERR_TYPE, "the value of %c must be an %s", tag.data[0],
                value->type == ATTR_LIST ? "array" : "object");
        return children_from_wire(arena, json, value, depth, err);
    }
    if (text_is(tag, "SS"))
        return set_from_wire(arena, ATTR_STRING_SET, json, value, err);
    if (text_is(tag, "NS"))
        return set_from_wire(arena, ATTR_NUMBER_SET, json, value, err);
    if (text_is(tag, "BS"))
        return set_from_wire(arena, ATTR_BINARY_SET, json, value, err);
    return err_set(err, ERR_INVALID,
        "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");
}

static int value_from_wire(
    struct arena *arena, const struct json *json, struct attr *value, int depth, struct err *err)
{
    if (depth > ITEM_DEPTH_MAX)
        return err_set(err, ERR_TOO_DEEP, "Nesting Levels have exceeded supported limits");
    if (!json_is(json, JSON_OBJECT))
        return err_set(err, ERR_TYPE, "an attribute value must be an object such as {\"S\":\"text\"}");
    if (!json->first)
        return err_set(err, ERR_INVALID,
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");
    if (json->first->next)
        return err_set(err, ERR_INVALID,
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
            "supported datatypes");
    return typed_from_wire(arena, json->first->name, json->first, value, depth, err);
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
    if (!json_is(json, JSON_OBJECT))
        return err_set(err, ERR_TYPE, "an item must be an object");
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
