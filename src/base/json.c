/*
 * Reading: the front of json_simd.cc, and access to the tree. A tree and not a cursor, because a handler asks for fields in its
 * own order, twice, and after other calls. An object's members are a list: the objects of this trade have five to
 * twenty members, where a scan beats any index.
 *
 * Who owns the bytes: the tree borrows the input, except strings with escapes, which are resolved into the arena. With JSON_COPY
 * the input is copied into the arena first, padded, and the tree borrows that copy; it then lives as long as the arena.
 */
#include "base/json.h"

#include <math.h>
#include <stdlib.h>

#include "base/decimal.h"
#include "base/json_lex.h"
#include "base/json_simd.h"

static int parse_refused(struct err *err, int code, size_t at)
{
    switch (code) {
    case ERR_TOO_DEEP:
        return err_set(err, code, "the JSON is nested deeper than %d levels at byte %zu", JSON_DEPTH_MAX, at);
    case ERR_DUPLICATE:
        return err_set(err, code, "the JSON has a member name twice before byte %zu", at);
    case ERR_SYNTAX:
        return err_set(err, code, "the text is not valid JSON near byte %zu", at);
    default:
        return err_set(err, code, "%s", err_text(code));
    }
}

/* The input in the arena, with its padding. */
static int copy_padded(struct arena *arena, struct text *input)
{
    if (input->len > SIZE_MAX - JSON_PADDING)
        return ERR_MEMORY;
    char *copy = arena_alloc(arena, input->len + JSON_PADDING);
    if (!copy)
        return ERR_MEMORY;
    if (input->len)
        memcpy(copy, input->data, input->len);
    memset(copy + input->len, 0, JSON_PADDING);
    input->data = copy;
    return 0;
}

int json_parse(struct arena *arena, struct text input, unsigned flags, const struct json **root, struct err *err)
{
    struct json *tree;
    size_t at = 0;
    if (flags & JSON_COPY) {
        if (copy_padded(arena, &input))
            return parse_refused(err, ERR_MEMORY, 0);
        flags |= JSON_PADDED;
    }
    int code = json_simd_walk(arena, input, flags, &tree, &at);
    if (code)
        return parse_refused(err, code, at);
    *root = tree;
    return 0;
}

const struct json *json_get(const struct json *object, struct text name)
{
    const struct json *found = NULL;
    if (!json_is(object, JSON_OBJECT))
        return NULL;
    for (const struct json *m = object->first; m; m = m->next)
        if (m->name.len == name.len && text_equal(m->name, name))
            found = m; /* the last one wins, as in JavaScript */
    return found;
}

const struct json *json_get_str(const struct json *object, const char *name)
{
    return json_get(object, text_of(name));
}

const struct json *json_at(const struct json *array, uint32_t index)
{
    if (!json_is(array, JSON_ARRAY) || index >= array->count)
        return NULL;
    const struct json *element = array->first;
    while (index--)
        element = element->next;
    return element;
}

const struct json *json_path(const struct json *root, struct text path)
{
    size_t from = 0;
    while (root && from <= path.len) {
        ptrdiff_t dot = text_find(path, '.', from);
        size_t to = dot < 0 ? path.len : (size_t)dot;
        struct text step = text_make(path.data ? path.data + from : NULL, to - from);
        uint64_t index;
        if (root->type == JSON_ARRAY)
            root = text_to_u64(step, UINT32_MAX, &index) ? NULL : json_at(root, (uint32_t)index);
        else
            root = json_get(root, step);
        from = to + 1;
    }
    return root;
}

int json_to_i64(const struct json *value, int64_t *out)
{
    struct decimal number;
    if (!json_is(value, JSON_NUMBER))
        return ERR_TYPE;
    if (text_to_i64(value->text, out) == 0)
        return 0;
    if (decimal_parse(value->text, &number) || decimal_to_i64(&number, out))
        return ERR_INVALID;
    return 0;
}

/* Up to 15 digits and no exponent, which is nearly every number there is: both the digits and the power of ten are doubles, so that one division rounds them as strtod does. */
static bool plain_double(struct text text, double *out)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool negative = text.len && text.data[0] == '-', point = false;
    uint64_t digits = 0;
    unsigned scale = 0;
    if (text.len > 15 + 2)
        return false;
    for (size_t i = negative; i < text.len; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        if (digit <= 9) {
            digits = digits * 10 + digit;
            scale += point;
        } else if (text.data[i] == '.' && !point) {
            point = true;
        } else {
            return false;
        }
    }
    if (digits > UINT64_C(999999999999999) || scale > 15)
        return false;
    *out = (negative ? -(double)digits : (double)digits) / powers[scale];
    return true;
}

int json_to_double(const struct json *value, double *out)
{
    char text[JSON_NUMBER_MAX + 1];
    if (!json_is(value, JSON_NUMBER))
        return ERR_TYPE;
    if (plain_double(value->text, out))
        return 0;
    if (value->text.len > JSON_NUMBER_MAX)
        return ERR_INVALID;
    memcpy(text, value->text.data, value->text.len);
    text[value->text.len] = 0;
    double result = strtod(text, NULL);
    if (!isfinite(result))
        return ERR_INVALID;
    *out = result;
    return 0;
}
