/*
 * Items as trees, and their stored form.
 *
 * A tree of small nodes in an arena, with sibling lists instead of arrays or hash tables: most items have ten
 * attributes or fewer, they are built once, read a few times and forgotten with their message. Where an
 * outsider chooses the number of names (a 400 KB item can hold 40,000), nothing here is quadratic: duplicates
 * are found by a hash table, unordered comparisons by sorting.
 *
 * The stored form is a version byte and then the members of the top map, depth first:
 *
 *   members  = varint count, then count x (name bytes, value)
 *   value    = type byte, then  NULL: nothing | BOOL: one byte | NUMBER, STRING, BINARY: bytes | LIST: varint
 * count, values | MAP: members | sets: varint count, count x bytes bytes    = varint length, then that many
 *
 * Numbers are kept as normalised text and not in their sortable form: they are shown far more often than
 * compared, and decoding then allocates nothing but nodes. The order of the members is kept, so an item comes
 * back as it was written.
 */
#include "store/item.h"

#include "base/assert.h"
#include "base/codec.h"
#include "base/cursor.h"
#include "base/hash.h"

#include <stdlib.h>

#define ITEM_VERSION 1
#define SMALL 16 /* up to here a linear search is the fastest one */
#define NAME_BYTES_MAX 65535

static bool is_set(enum attr_type type)
{
    return type >= ATTR_STRING_SET && type <= ATTR_BINARY_SET;
}
static bool has_text(enum attr_type type)
{
    return type == ATTR_NUMBER || type == ATTR_STRING || type == ATTR_BINARY;
}
static enum attr_type element_type(enum attr_type set)
{
    return set == ATTR_STRING_SET ? ATTR_STRING : set == ATTR_NUMBER_SET ? ATTR_NUMBER : ATTR_BINARY;
}

/* ---- building ---- */

struct attr *item_create(struct arena *arena)
{
    struct attr *item = arena_zalloc(arena, sizeof(*item));
    if (item)
        item->type = ATTR_MAP;
    return item;
}

static void link_last(struct attr *parent, struct attr *child)
{
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

static struct attr *member_find(const struct attr *map, struct text name)
{
    for (struct attr *at = map->first; at; at = at->next)
        if (text_equal(at->name, name))
            return at;
    return NULL;
}

/* The member, emptied when it was there. */
static struct attr *member_make(struct arena *arena, struct attr *map, struct text name, enum attr_type type)
{
    struct attr *member = member_find(map, name);
    if (!member) {
        member = arena_zalloc(arena, sizeof(*member));
        if (!member)
            return NULL;
        member->name = name;
        link_last(map, member);
    }
    member->type = type;
    member->boolean = false;
    member->count = 0;
    member->text = TEXT_NONE;
    member->first = member->last = NULL;
    return member;
}

struct attr *item_set_string(struct arena *arena, struct attr *map, struct text name, struct text value)
{
    struct attr *member = member_make(arena, map, name, ATTR_STRING);
    if (member)
        member->text = value;
    return member;
}

static struct text number_text(struct arena *arena, const struct decimal *d)
{
    char digits[DECIMAL_TEXT_MAX];
    size_t len = decimal_format(d, digits);
    return arena_copy(arena, text_make(digits, len));
}

static struct attr *set_decimal(
    struct arena *arena, struct attr *map, struct text name, const struct decimal *d)
{
    struct text text = number_text(arena, d);
    if (!text.data)
        return NULL;
    struct attr *member = member_make(arena, map, name, ATTR_NUMBER);
    if (member)
        member->text = text;
    return member;
}

struct attr *item_set_i64(struct arena *arena, struct attr *map, struct text name, int64_t value)
{
    struct decimal d;
    decimal_from_i64(value, &d);
    return set_decimal(arena, map, name, &d);
}

struct attr *item_set_number(struct arena *arena, struct attr *map, struct text name, struct text digits)
{
    struct decimal d;
    if (decimal_parse(digits, &d))
        return NULL;
    return set_decimal(arena, map, name, &d);
}

struct attr *item_set_bool(struct arena *arena, struct attr *map, struct text name, bool value)
{
    struct attr *member = member_make(arena, map, name, ATTR_BOOL);
    if (member)
        member->boolean = value;
    return member;
}

struct attr *item_set_null(struct arena *arena, struct attr *map, struct text name)
{
    return member_make(arena, map, name, ATTR_NULL);
}

struct attr *item_set_container(struct arena *arena, struct attr *map, struct text name, enum attr_type type)
{
    ASSERT(type >= ATTR_LIST);
    return member_make(arena, map, name, type);
}

static int copy_children(struct arena *arena, struct attr *to, const struct attr *from);

/* Type and content, without name and siblings. */
static int copy_value(struct arena *arena, struct attr *to, const struct attr *from)
{
    to->type = from->type;
    to->boolean = from->boolean;
    to->count = 0;
    to->first = to->last = NULL;
    to->text = TEXT_NONE;
    if (has_text(from->type)) {
        to->text = arena_copy(arena, from->text);
        return to->text.data ? 0 : ERR_MEMORY;
    }
    return copy_children(arena, to, from);
}

static int copy_children(struct arena *arena, struct attr *to, const struct attr *from)
{
    for (const struct attr *child = from->first; child; child = child->next) {
        struct attr *copy = arena_zalloc(arena, sizeof(*copy));
        if (!copy)
            return ERR_MEMORY;
        if (from->type == ATTR_MAP) {
            copy->name = arena_copy(arena, child->name);
            if (!copy->name.data)
                return ERR_MEMORY;
        }
        int rc = copy_value(arena, copy, child);
        if (rc)
            return rc;
        link_last(to, copy);
    }
    return 0;
}

struct attr *item_set_copy(struct arena *arena, struct attr *map, struct text name, const struct attr *value)
{
    struct attr copy = {0};
    struct text own = arena_copy(arena, name);
    if (!own.data || copy_value(arena, &copy, value))
        return NULL;
    struct attr *member = member_make(arena, map, own, value->type);
    if (!member)
        return NULL;
    member->boolean = copy.boolean;
    member->count = copy.count;
    member->text = copy.text;
    member->first = copy.first;
    member->last = copy.last;
    return member;
}

struct attr *item_append(struct arena *arena, struct attr *list, enum attr_type type, struct text text)
{
    ASSERT(list->type == ATTR_LIST || is_set(list->type));
    struct attr *element = arena_zalloc(arena, sizeof(*element));
    if (!element)
        return NULL;
    element->type = type;
    element->text = text;
    if (type == ATTR_NUMBER) {
        struct decimal d;
        if (decimal_parse(text, &d))
            return NULL;
        element->text = number_text(arena, &d);
        if (!element->text.data)
            return NULL;
    }
    link_last(list, element);
    return element;
}

void item_remove(struct attr *map, struct text name)
{
    struct attr *before = NULL;
    for (struct attr *at = map->first; at; before = at, at = at->next) {
        if (!text_equal(at->name, name))
            continue;
        if (before)
            before->next = at->next;
        else
            map->first = at->next;
        if (map->last == at)
            map->last = before;
        map->count--;
        return;
    }
}

const struct attr *item_get(const struct attr *map, struct text name)
{
    return map && map->type == ATTR_MAP ? member_find(map, name) : NULL;
}

const struct attr *item_get_str(const struct attr *map, const char *name)
{
    return item_get(map, text_of(name));
}

int attr_to_i64(const struct attr *value, int64_t *out)
{
    struct decimal d;
    if (!value || value->type != ATTR_NUMBER)
        return ERR_TYPE;
    if (text_to_i64(value->text, out) == 0)
        return 0;
    int rc = decimal_parse(value->text, &d);
    return rc ? rc : decimal_to_i64(&d, out);
}

/* ---- comparing ---- */

static int by_name(const void *a, const void *b)
{
    return text_compare((*(const struct attr *const *)a)->name, (*(const struct attr *const *)b)->name);
}
static int by_text(const void *a, const void *b)
{
    return text_compare((*(const struct attr *const *)a)->text, (*(const struct attr *const *)b)->text);
}

static const struct attr **sorted_children(const struct attr *parent)
{
    const struct attr **all = calloc(parent->count, sizeof(struct attr *));
    size_t n = 0;
    if (!all)
        return NULL;
    for (const struct attr *at = parent->first; at; at = at->next)
        all[n++] = at;
    qsort(all, n, sizeof(struct attr *), parent->type == ATTR_MAP ? by_name : by_text);
    return all;
}

static bool child_equal(const struct attr *parent, const struct attr *a, const struct attr *b)
{
    return (parent->type != ATTR_MAP || text_equal(a->name, b->name)) && attr_equal(a, b);
}

static bool unordered_equal(const struct attr *a, const struct attr *b)
{
    const struct attr **left = sorted_children(a), **right = sorted_children(b);
    bool equal = left && right;
    for (uint32_t i = 0; equal && i < a->count; i++)
        equal = child_equal(a, left[i], right[i]);
    free(left);
    free(right);
    return equal;
}

bool attr_equal(const struct attr *a, const struct attr *b)
{
    if (a->type != b->type || a->boolean != b->boolean || a->count != b->count)
        return false;
    if (has_text(a->type))
        return text_equal(a->text, b->text); /* numbers are normalised */
    const struct attr *x = a->first, *y = b->first;
    /* Usually both come in the same order. A list must. */
    while (x && (a->type == ATTR_LIST || a->type != ATTR_MAP || text_equal(x->name, y->name))) {
        if (!attr_equal(x, y)) {
            if (a->type == ATTR_LIST || a->type == ATTR_MAP)
                return false;
            break;
        }
        x = x->next;
        y = y->next;
    }
    return !x || unordered_equal(a, b);
}

/* ---- DynamoDB's limits ---- */

/* Two significant digits to a byte, and one or two bytes more. The text is normalised, so the digits are counted where they stand. */
static size_t number_size(struct text text)
{
    size_t digits = 0, zeros = 0; /* zeros count only between others */
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '0') {
            zeros += digits > 0;
        } else if (c > '0') {
            digits += zeros + 1;
            zeros = 0;
        }
    }
    return (digits + 1) / 2 + 1 + (text.len && text.data[0] == '-');
}

static size_t value_size(const struct attr *value)
{
    size_t size = 0;
    switch (value->type) {
    case ATTR_NULL:
    case ATTR_BOOL:
        return 1;
    case ATTR_NUMBER:
        return number_size(value->text);
    case ATTR_STRING:
    case ATTR_BINARY:
        return value->text.len;
    case ATTR_LIST:
    case ATTR_MAP:
        size = 3;
        for (const struct attr *at = value->first; at; at = at->next)
            size += 1 + (value->type == ATTR_MAP ? at->name.len : 0) + value_size(at);
        return size;
    default:
        for (const struct attr *at = value->first; at; at = at->next)
            size += value_size(at);
        return size;
    }
}

size_t item_size(const struct attr *item)
{
    size_t size = 0;
    for (const struct attr *at = item->first; at; at = at->next)
        size += at->name.len + value_size(at);
    return size;
}

static struct text identity(const struct attr *parent, const struct attr *child)
{
    return parent->type == ATTR_MAP ? child->name : child->text;
}

static bool has_duplicates_small(const struct attr *parent)
{
    for (const struct attr *a = parent->first; a; a = a->next)
        for (const struct attr *b = a->next; b; b = b->next)
            if (text_equal(identity(parent, a), identity(parent, b)))
                return true;
    return false;
}

/* Names of a map, elements of a set: 0, ERR_DUPLICATE, ERR_MEMORY. */
static int check_duplicates(const struct attr *parent)
{
    if (parent->count <= SMALL)
        return has_duplicates_small(parent) ? ERR_DUPLICATE : 0;
    size_t cap = 64;
    while (cap < (size_t)parent->count * 2)
        cap *= 2;
    const struct attr **slot = calloc(cap, sizeof(struct attr *));
    if (!slot)
        return ERR_MEMORY;
    int rc = 0;
    for (const struct attr *at = parent->first; at && !rc; at = at->next) {
        struct text id = identity(parent, at);
        size_t i = hash_bytes(id) & (cap - 1);
        while (slot[i] && !text_equal(identity(parent, slot[i]), id))
            i = (i + 1) & (cap - 1);
        if (slot[i])
            rc = ERR_DUPLICATE;
        slot[i] = at;
    }
    free(slot);
    return rc;
}

/* Long sets are not spelled out: the sentence is for a person. */
int attr_set_fail(const struct attr *set, struct err *err)
{
    struct buf list;
    bool binary = set->type == ATTR_BINARY_SET;
    if (!set->count)
        return err_set(err, ERR_INVALID, "One or more parameter values were invalid: %s",
            binary ? "Binary sets should not be empty"
                   : set->type == ATTR_STRING_SET ? "An string set  may not be empty" : "An number set  may not be empty");
    if (set->type == ATTR_NUMBER_SET)
        return err_set(err, ERR_INVALID, "Input collection contains duplicates");
    buf_init(&list, 128);
    for (const struct attr *at = set->first; at && !list.failed; at = at->next) {
        buf_add_text(&list, at == set->first ? TEXT("[") : TEXT(", "));
        if (binary)
            base64_encode(&list, at->text);
        else
            buf_add_text(&list, at->text);
    }
    buf_add_text(&list, binary ? TEXT("]of type BS ") : TEXT("] "));
    err_set(err, ERR_INVALID, "One or more parameter values were invalid: Input collection %.*scontains duplicates.", list.failed ? 0 : (int)list.len, list.data ? list.data : "");
    buf_fini(&list);
    return ERR_INVALID;
}

static int check_value(const struct attr *value, int depth, struct err *err)
{
    if (depth > ITEM_DEPTH_MAX)
        return err_set(err, ERR_TOO_DEEP, "Nesting Levels have exceeded supported limits");
    if (value->type == ATTR_LIST) {
        for (const struct attr *at = value->first; at; at = at->next) {
            int rc = check_value(at, depth + 1, err);
            if (rc)
                return rc;
        }
        return 0;
    }
    if (value->type != ATTR_MAP && !is_set(value->type))
        return 0;
    if (is_set(value->type) && !value->count)
        return attr_set_fail(value, err);
    int rc = check_duplicates(value);
    if (rc == ERR_DUPLICATE)
        return is_set(value->type)
                   ? attr_set_fail(value, err)
                   : err_set(err, ERR_DUPLICATE, "an attribute name appears twice");
    if (rc)
        return err_set(err, rc, "out of memory");
    for (const struct attr *at = value->first; at; at = at->next) {
        if (is_set(value->type) ? at->type != element_type(value->type) : at->name.len > NAME_BYTES_MAX)
            return err_set(err, ERR_INVALID,
                is_set(value->type) ? "a set holds an element of another type"
                                    : "an attribute name is too long");
        rc = check_value(at, depth + 1, err);
        if (rc)
            return rc;
    }
    return 0;
}

int item_check(const struct attr *item, struct err *err)
{
    return item_check_within(item, ITEM_BYTES_MAX, err);
}

int item_check_within(const struct attr *item, size_t bytes_max, struct err *err)
{
    if (item->type != ATTR_MAP)
        return err_set(err, ERR_TYPE, "an item must be a map");
    for (const struct attr *at = item->first; at; at = at->next)
        if (!at->name.len)
            return err_set(err, ERR_INVALID, "Empty attribute name");
    int rc = check_value(item, 0, err);
    if (rc)
        return rc;
    if (item_size(item) > bytes_max)
        return err_set(err, ERR_TOO_LARGE, "Item size has exceeded the maximum allowed size");
    return 0;
}

/* ---- the stored form ---- */

static void encode_members(struct buf *out, const struct attr *map);

static void encode_value(struct buf *out, const struct attr *value)
{
    buf_add_u8(out, (uint8_t)value->type);
    if (has_text(value->type)) {
        buf_add_bytes(out, value->text);
    } else if (value->type == ATTR_BOOL) {
        buf_add_u8(out, value->boolean);
    } else if (value->type == ATTR_MAP) {
        encode_members(out, value);
    } else if (value->type != ATTR_NULL) {
        buf_add_varint(out, value->count);
        for (const struct attr *at = value->first; at; at = at->next) {
            if (value->type == ATTR_LIST)
                encode_value(out, at);
            else
                buf_add_bytes(out, at->text);
        }
    }
}

static void encode_members(struct buf *out, const struct attr *map)
{
    buf_add_varint(out, map->count);
    for (const struct attr *at = map->first; at; at = at->next) {
        buf_add_bytes(out, at->name);
        encode_value(out, at);
    }
}

int item_encode(struct buf *out, const struct attr *item)
{
    ASSERT(item->type == ATTR_MAP);
    size_t before = out->len;
    buf_add_u8(out, ITEM_VERSION);
    encode_members(out, item);
    if (!out->failed)
        return 0;
    out->len = before;
    return out->cap >= out->limit ? ERR_TOO_LARGE : ERR_MEMORY;
}

/* Normalised numbers only: -?(0|[1-9][0-9]*)(.[0-9]+)? within DECIMAL_TEXT_MAX. */
static bool number_is_normal(struct text t)
{
    size_t i = 0, n = t.len, start;
    if (!n || n > DECIMAL_TEXT_MAX)
        return false;
    if (t.data[0] == '-')
        i++;
    for (start = i; i < n && t.data[i] >= '0' && t.data[i] <= '9'; i++)
        ;
    if (i == start || (t.data[start] == '0' && i > start + 1))
        return false;
    if (i == n)
        return true;
    if (t.data[i++] != '.')
        return false;
    for (start = i; i < n && t.data[i] >= '0' && t.data[i] <= '9'; i++)
        ;
    return i == n && i > start;
}

static int decode_members(struct cursor *c, struct arena *arena, struct attr *map, int depth);

static int decode_children(struct cursor *c, struct arena *arena, struct attr *value, int depth);

static int decode_value(struct cursor *c, struct arena *arena, struct attr *value, int depth)
{
    uint8_t type = cursor_u8(c);
    if (c->failed || type > ATTR_BINARY_SET || depth > ITEM_DEPTH_MAX)
        return ERR_CORRUPT;
    value->type = (enum attr_type)type;
    if (has_text(value->type)) {
        value->text = cursor_bytes(c);
        return c->failed || (type == ATTR_NUMBER && !number_is_normal(value->text)) ? ERR_CORRUPT : 0;
    }
    if (type == ATTR_NULL)
        return 0;
    if (type == ATTR_BOOL) {
        uint8_t flag = cursor_u8(c);
        value->boolean = flag == 1;
        return c->failed || flag > 1 ? ERR_CORRUPT : 0;
    }
    return type == ATTR_MAP ? decode_members(c, arena, value, depth)
                            : decode_children(c, arena, value, depth);
}

static int decode_children(struct cursor *c, struct arena *arena, struct attr *value, int depth)
{
    uint64_t count = cursor_varint(c);
    if (c->failed || count > cursor_left(c))
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < count; i++) {
        struct attr *child = arena_zalloc(arena, sizeof(*child));
        int rc = 0;
        if (!child)
            return ERR_MEMORY;
        if (value->type == ATTR_LIST) {
            rc = decode_value(c, arena, child, depth + 1);
        } else {
            child->type = element_type(value->type);
            child->text = cursor_bytes(c);
            if (c->failed || (child->type == ATTR_NUMBER && !number_is_normal(child->text)))
                rc = ERR_CORRUPT;
        }
        if (rc)
            return rc;
        link_last(value, child);
    }
    return 0;
}

/* The nodes of a map are made a few at a time, so a count that a disk has changed cannot take more memory than there are bytes for. */
static int decode_members(struct cursor *c, struct arena *arena, struct attr *map, int depth)
{
    uint64_t count = cursor_varint(c);
    struct attr *member = NULL;
    if (c->failed || count > cursor_left(c))
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < count; i++, member++) {
        if (i % SMALL == 0 && !(member = arena_array(arena, count - i < SMALL ? count - i : SMALL, sizeof(*member))))
            return ERR_MEMORY;
        *member = (struct attr){.name = cursor_bytes(c)};
        int rc = c->failed ? ERR_CORRUPT : decode_value(c, arena, member, depth + 1);
        if (rc)
            return rc;
        link_last(map, member);
    }
    return 0;
}

int item_decode(struct arena *arena, struct text bytes, struct attr **item)
{
    struct cursor c = cursor_of(bytes);
    if (cursor_u8(&c) != ITEM_VERSION || c.failed)
        return ERR_CORRUPT;
    struct attr *map = item_create(arena);
    if (!map)
        return ERR_MEMORY;
    int rc = decode_members(&c, arena, map, 0);
    if (!rc && cursor_left(&c))
        rc = ERR_CORRUPT;
    if (!rc)
        *item = map;
    return rc;
}
