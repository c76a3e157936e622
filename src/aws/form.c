/*
 * The parameters are sorted by their names first. Then those of one list element stand together, the tree grows at its right edge only, and a request that names
 * its elements in a wild order costs no more than one that does not.
 */
#include "aws/form.h"

#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>

#define LIST_NUMBER_MAX UINT32_MAX

struct parameter {
    struct text name, value;
    size_t place; /* in the body: the first of two equal names counts */
};
/* `json` first: a node is one. The others are for building. */
struct node {
    struct json json;
    const struct shape *shape;
    struct node *last;
    uint32_t number;
    bool is_key; /* MAP: the entry's name was given */
};

/* ---- taking apart ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int decode(struct arena *arena, struct text in, struct text *out)
{
    char *bytes = arena_alloc(arena, in.len + 1);
    size_t len = 0;
    if (!bytes)
        return ERR_MEMORY;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.data[i];
        if (c == '%') {
            if (i + 2 >= in.len || hex(in.data[i + 1]) < 0 || hex(in.data[i + 2]) < 0)
                return ERR_SYNTAX;
            c = (char)(hex(in.data[i + 1]) << 4 | hex(in.data[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        bytes[len++] = c;
    }
    *out = text_make(bytes, len);
    return 0;
}

static bool is_plain(struct text text)
{
    return text_find(text, '%', 0) < 0 && text_find(text, '+', 0) < 0;
}

/* The next pair from `at` on. False at the end. */
static bool next_pair(struct text body, size_t *at, struct text *name, struct text *value)
{
    while (*at < body.len) {
        ptrdiff_t end = text_find(body, '&', *at);
        struct text pair = text_make(body.data + *at, (end < 0 ? body.len : (size_t)end) - *at);
        *at += pair.len + 1;
        if (!pair.len)
            continue;
        ptrdiff_t equals = text_find(pair, '=', 0);
        *name = equals < 0 ? pair : text_make(pair.data, (size_t)equals);
        *value = equals < 0 ? TEXT("") : text_make(pair.data + equals + 1, pair.len - (size_t)equals - 1);
        return true;
    }
    return false;
}

struct text form_find(struct arena *arena, struct text body, const char *wanted)
{
    struct text name, value, decoded;
    size_t at = 0;
    while (next_pair(body, &at, &name, &value))
        if (text_is(name, wanted))
            return is_plain(value) ? value : decode(arena, value, &decoded) ? TEXT_NONE : decoded;
    return TEXT_NONE;
}

static int take_apart(struct arena *arena, struct text body, struct parameter **out, size_t *count)
{
    struct text name, value;
    size_t at = 0, most = 1;
    for (size_t i = 0; i < body.len; i++)
        most += body.data[i] == '&';
    if (most > FORM_PARAMETERS_MAX)
        return ERR_TOO_LARGE;
    struct parameter *parameter = arena_array(arena, most, sizeof(*parameter));
    if (!parameter)
        return ERR_MEMORY;
    *count = 0;
    while (next_pair(body, &at, &name, &value)) {
        struct parameter *p = &parameter[(*count)++];
        int code = 0;
        *p = (struct parameter){name, value, *count};
        if (!is_plain(name))
            code = decode(arena, name, &p->name);
        if (!code && !is_plain(value))
            code = decode(arena, value, &p->value);
        if (code || p->name.len > FORM_NAME_MAX)
            return code ? code : ERR_TOO_LARGE;
    }
    *out = parameter;
    return 0;
}

static int compare_parameters(const void *a, const void *b)
{
    const struct parameter *x = a, *y = b;
    int order = text_compare(x->name, y->name);
    return order ? order : x->place < y->place ? -1 : 1;
}

/* ---- values ---- */

static bool is_json_number(struct text text)
{
    struct arena arena;
    const struct json *json;
    if (!text.len || text.len > 400)
        return false;
    arena_init(&arena, 1024, 4096);
    bool is = json_parse(&arena, text, JSON_COPY, &json, NULL) == 0 && json->type == JSON_NUMBER;
    arena_fini(&arena);
    return is;
}

/* What JSON does not write and forms do: "+1", "1.", ".5". */
static int number_text(struct arena *arena, struct text value, struct text *out)
{
    char copy[64], shown[40];
    char *end;
    if (is_json_number(value)) {
        *out = value;
        return 0;
    }
    if (!value.len || value.len >= sizeof(copy))
        return ERR_TYPE;
    memcpy(copy, value.data, value.len);
    copy[value.len] = 0;
    double number = strtod(copy, &end);
    if (copy[strspn(copy, "+-.0123456789eE")] || (size_t)(end - copy) < value.len || !(number - number == 0))
        return ERR_TYPE;
    snprintf(shown, sizeof(shown), "%.17g", number);
    *out = arena_copy(arena, text_of(shown));
    return out->data ? 0 : ERR_MEMORY;
}

static int time_text(struct arena *arena, struct text value, struct text *out)
{
    int64_t ms;
    if (clock_parse_iso(value.data, value.len, &ms) == 0) {
        bool before = ms < 0;
        uint64_t magnitude = before ? -(uint64_t)ms : (uint64_t)ms;
        *out = arena_format(arena, "%s%llu.%03u", before ? "-" : "", (unsigned long long)(magnitude / 1000), (unsigned)(magnitude % 1000));
        return out->data ? 0 : ERR_MEMORY;
    }
    return number_text(arena, value, out);
}

static int set_value(struct arena *arena, struct node *node, struct text name, struct text value, struct err *err)
{
    struct json *json = &node->json;
    int code = 0;
    json->type = JSON_STRING;
    json->text = value;
    switch (node->shape->type) {
    case SHAPE_STRING:
        return 0;
    case SHAPE_BOOLEAN:
        json->type = text_equal_nocase(value, TEXT("true")) || text_is(value, "1") ? JSON_TRUE : JSON_FALSE;
        if (json->type == JSON_FALSE && !text_equal_nocase(value, TEXT("false")) && !text_is(value, "0"))
            return err_set(err, ERR_TYPE, "The parameter %.*s must be a boolean", TEXT_FMT(name));
        return 0;
    case SHAPE_INTEGER:
    case SHAPE_LONG:
    case SHAPE_DOUBLE:
        code = number_text(arena, value, &json->text);
        if (code == ERR_TYPE && node->shape->type == SHAPE_DOUBLE)
            return 0; /* the operation says what is wrong with it */
        json->type = JSON_NUMBER;
        return code == ERR_TYPE ? err_set(err, code, "The parameter %.*s must be a number", TEXT_FMT(name)) : code;
    case SHAPE_TIME:
        code = time_text(arena, value, &json->text);
        json->type = JSON_NUMBER;
        return code == ERR_TYPE ? err_set(err, code, "The parameter %.*s must be a timestamp of ISO 8601", TEXT_FMT(name)) : code;
    default: /* a container with a value of its own: how clients write an empty one */
        json->type = node->shape->type == SHAPE_LIST ? JSON_ARRAY : JSON_OBJECT;
        json->text = TEXT_NONE;
        return value.len ? err_set(err, ERR_TYPE, "The parameter %.*s is not a value", TEXT_FMT(name)) : 0;
    }
}

/* ---- the tree ---- */

static struct node *add_child(struct arena *arena, struct node *parent, const struct shape *shape)
{
    struct node *child = arena_zalloc(arena, sizeof(*child));
    if (!child)
        return NULL;
    child->shape = shape;
    child->json.type = shape->type == SHAPE_LIST ? JSON_ARRAY : shape->type == SHAPE_STRUCT || shape->type == SHAPE_MAP ? JSON_OBJECT : JSON_NULL;
    if (parent->last)
        parent->last->json.next = &child->json;
    else
        parent->json.first = &child->json;
    parent->last = child;
    parent->json.count++;
    return child;
}

static struct text take_segment(struct text *rest)
{
    ptrdiff_t dot = text_find(*rest, '.', 0);
    struct text segment = dot < 0 ? *rest : text_make(rest->data, (size_t)dot);
    *rest = dot < 0 ? TEXT("") : text_make(rest->data + dot + 1, rest->len - (size_t)dot - 1);
    return segment;
}

/* One step down; NULL with *code 0 when the shape does not know it. */
static struct node *step_member(struct arena *arena, struct node *node, struct text *rest, int *code)
{
    struct text name = take_segment(rest);
    if (node->last && text_equal(node->last->json.name, name))
        return node->last;
    for (const struct shape_member *m = node->shape->member; m && m->name; m++)
        if (text_is(name, m->name)) {
            struct node *child = add_child(arena, node, m->shape);
            *code = child ? 0 : ERR_MEMORY;
            if (child)
                child->json.name = name;
            return child;
        }
    return NULL;
}

static struct node *step_numbered(struct arena *arena, struct node *node, const char *word, struct text *rest, int *code)
{
    uint64_t number;
    if (!text_is(take_segment(rest), word) || text_to_u64(take_segment(rest), LIST_NUMBER_MAX, &number))
        return NULL;
    if (node->last && node->last->number == number)
        return node->last;
    struct node *child = add_child(arena, node, node->shape->of);
    *code = child ? 0 : ERR_MEMORY;
    if (child)
        child->number = (uint32_t)number;
    return child;
}

static int place_parameter(struct arena *arena, struct node *root, const struct parameter *p, struct err *err)
{
    struct node *node = root;
    struct text rest = p->name;
    int code = 0;
    while (rest.len && node && !code) {
        if (node->shape->type == SHAPE_STRUCT) {
            node = step_member(arena, node, &rest, &code);
        } else if (node->shape->type == SHAPE_LIST) {
            node = step_numbered(arena, node, "member", &rest, &code);
        } else if (node->shape->type == SHAPE_MAP) {
            node = step_numbered(arena, node, "entry", &rest, &code);
            if (node && text_is(rest, "key")) {
                node->json.name = p->value;
                node->is_key = true;
                return 0;
            }
            if (node && !text_is(take_segment(&rest), "value"))
                return 0;
        } else
            return 0;
    }
    if (code || !node || node == root || node->json.type == JSON_STRING || node->json.type == JSON_NUMBER)
        return code;
    return set_value(arena, node, p->name, p->value, err);
}

static int compare_nodes(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* By text, "10" came before "2". */
static int order_list(struct arena *arena, struct node *list)
{
    struct node **node = arena_array(arena, list->json.count, sizeof(*node));
    size_t n = 0;
    if (!node)
        return ERR_MEMORY;
    for (struct json *at = list->json.first; at; at = at->next)
        node[n++] = (struct node *)at;
    qsort(node, n, sizeof(*node), compare_nodes);
    for (size_t i = 0; i < n; i++)
        node[i]->json.next = i + 1 < n ? &node[i + 1]->json : NULL;
    list->json.first = n ? &node[0]->json : NULL;
    return 0;
}

/* As deep as the shape. */
static int order_tree(struct arena *arena, struct node *node)
{
    int code = node->shape->type == SHAPE_LIST && node->json.count > 1 ? order_list(arena, node) : 0;
    for (struct json *at = node->json.first; at && !code; at = at->next)
        if (at->type == JSON_ARRAY || at->type == JSON_OBJECT)
            code = order_tree(arena, (struct node *)at);
    return code;
}

int form_parse(struct arena *arena, struct text body, const struct shape *shape, const struct json **out, struct err *err)
{
    struct parameter *parameter = NULL;
    size_t count = 0;
    struct node *root = arena_zalloc(arena, sizeof(*root));
    if (!root)
        return ERR_MEMORY;
    root->shape = shape;
    root->json.type = JSON_OBJECT;
    int code = take_apart(arena, body, &parameter, &count);
    if (code == ERR_SYNTAX)
        err_set(err, code, "The request's body is not a form");
    if (code == ERR_TOO_LARGE)
        err_set(err, code, "The request has too many parameters, or too long names");
    if (!code && count)
        qsort(parameter, count, sizeof(*parameter), compare_parameters);
    for (size_t i = 0; i < count && !code; i++)
        code = place_parameter(arena, root, &parameter[i], err);
    if (!code)
        code = order_tree(arena, root);
    *out = &root->json;
    return code;
}
