/*
 * Items as handlers see them: a map of attributes in the call's arena. Names and values are copied, since a handler may build them in a buffer of its own
 * that is gone when the item is put. An expiry is remembered and becomes the table's own attribute at weir_put, because only then the table is known.
 */
#include "gateway/call.h"

#include <stdlib.h>

static struct weir_item none; /* what a handler writes to without memory; never changed */

struct weir_item *gw_call_item(struct weir_call *call, const struct attr *map)
{
    struct weir_item *item = arena_zalloc(&call->arena, sizeof(*item));
    if (!item)
        return gw_call_no_memory(call);
    item->call = call;
    item->map = (struct attr *)map; /* read items are const to the application */
    return item;
}

struct weir_item *weir_item(struct weir_call *call)
{
    struct attr *map = item_create(&call->arena);
    struct weir_item *item = map ? gw_call_item(call, map) : gw_call_no_memory(call);
    return item ? item : &none;
}

static void set(struct weir_item *item, const struct attr *member)
{
    if (!member)
        gw_call_no_memory(item->call);
}

static bool ready(const struct weir_item *item)
{
    return item->map && !item->call->failed;
}

static struct text own(struct weir_item *item, struct text text)
{
    return text.len ? gw_call_copy(item->call, text) : TEXT("");
}

void weir_item_text(struct weir_item *item, const char *name, struct weir_text value)
{
    if (!ready(item))
        return;
    struct text n = own(item, text_of(name)), v = own(item, text_in(value));
    if (n.data && v.data)
        set(item, item_set_string(&item->call->arena, item->map, n, v));
}

void weir_item_integer(struct weir_item *item, const char *name, int64_t value)
{
    if (!ready(item))
        return;
    struct text n = own(item, text_of(name));
    if (n.data)
        set(item, item_set_i64(&item->call->arena, item->map, n, value));
}

void weir_item_number(struct weir_item *item, const char *name, struct weir_text digits)
{
    struct decimal exact;
    if (!ready(item))
        return;
    if (decimal_parse(text_in(digits), &exact)) {
        gw_call_fail(item->call, ERR_INVALID, "INVALID", name, "%s is no number of at most 38 digits", name);
        return;
    }
    struct text n = own(item, text_of(name));
    if (n.data)
        set(item, item_set_number(&item->call->arena, item->map, n, text_in(digits)));
}

void weir_item_boolean(struct weir_item *item, const char *name, bool value)
{
    if (!ready(item))
        return;
    struct text n = own(item, text_of(name));
    if (n.data)
        set(item, item_set_bool(&item->call->arena, item->map, n, value));
}

void weir_item_value(struct weir_item *item, const char *name, const struct weir_value *value)
{
    struct attr *made = NULL;
    struct err err = {0};
    if (!ready(item) || !value)
        return;
    struct json member = *json_in(value);
    member.name = text_of(name);
    member.next = NULL;
    struct json object = {.type = JSON_OBJECT, .count = 1, .first = &member};
    int code = item_from_plain(&item->call->arena, &object, &made, &err);
    if (code)
        gw_call_fail(item->call, code, err_name(code), name, "%s: %s", name, err.text);
    else
        set(item, item_set_copy(&item->call->arena, item->map, text_of(name), made->first));
}

void weir_item_copy(struct weir_item *item, const struct weir_item *from)
{
    if (!from || !from->map)
        return;
    for (const struct attr *member = from->map->first; member && ready(item); member = member->next)
        set(item, item_set_copy(&item->call->arena, item->map, member->name, member));
    if (from->expires) {
        item->expires = true;
        item->expires_in_ms = from->expires_in_ms;
    }
}

void weir_item_expires_in(struct weir_item *item, int64_t ms)
{
    if (!item->map)
        return;
    item->expires = true;
    item->expires_in_ms = ms;
}

/* ---- reading ---- */

static const struct attr *get(const struct weir_item *item, const char *name)
{
    return item && item->map ? item_get_str(item->map, name) : NULL;
}

struct weir_text weir_get_text(const struct weir_item *item, const char *name)
{
    const struct attr *value = get(item, name);
    return value && value->type == ATTR_STRING ? text_out(value->text) : WEIR_STR("");
}

int64_t weir_get_integer(const struct weir_item *item, const char *name, int64_t otherwise)
{
    int64_t number;
    return attr_to_i64(get(item, name), &number) == 0 ? number : otherwise;
}

struct weir_text weir_get_number(const struct weir_item *item, const char *name)
{
    const struct attr *value = get(item, name);
    return value && value->type == ATTR_NUMBER ? text_out(value->text) : WEIR_STR("");
}

double weir_get_real(const struct weir_item *item, const char *name, double otherwise)
{
    const struct attr *value = get(item, name);
    struct decimal exact;
    return value && value->type == ATTR_NUMBER && decimal_parse(value->text, &exact) == 0 ? decimal_to_double(&exact) : otherwise;
}

bool weir_get_boolean(const struct weir_item *item, const char *name, bool otherwise)
{
    const struct attr *value = get(item, name);
    return value && value->type == ATTR_BOOL ? value->boolean : otherwise;
}

bool weir_item_has(const struct weir_item *item, const char *name)
{
    return get(item, name) != NULL;
}
