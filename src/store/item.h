/*
 * Items: DynamoDB's attribute values as a tree in an arena, their compact stored form, and their JSON forms. An item is an ATTR_MAP
 * without a name. Trees are immutable once shared. Any thread.
 */
#ifndef WEIR_STORE_ITEM_H
#define WEIR_STORE_ITEM_H

#include "base/arena.h"
#include "base/decimal.h"
#include "base/json.h"

/* Values are part of the stored form. */
enum attr_type {
    ATTR_NULL = 0, ATTR_BOOL = 1, ATTR_NUMBER = 2, ATTR_STRING = 3, ATTR_BINARY = 4, ATTR_LIST = 5, ATTR_MAP = 6,
    ATTR_STRING_SET = 7, ATTR_NUMBER_SET = 8, ATTR_BINARY_SET = 9
};
#define ITEM_BYTES_MAX 409600   /* DynamoDB: 400 KB, names and values */
#define ITEM_LARGE_MAX ((10u << 20) + (16u << 10)) /* with STORE_LARGE: 10 MiB and what is told of it */
#define ITEM_DEPTH_MAX 32       /* levels */
#define ITEM_HASH_KEY_MAX 2048  /* bytes */
#define ITEM_RANGE_KEY_MAX 1024 /* bytes */

struct attr {
    enum attr_type type;
    bool boolean;
    uint32_t count;             /* elements of list, map, set */
    struct text name;           /* inside a map */
    struct text text;           /* STRING, BINARY: bytes; NUMBER: normalised decimal text */
    struct attr *first, *last, *next; /* children; siblings */
};

struct attr *item_create(struct arena *arena);  /* an empty map; NULL without memory */
/* Adds or replaces a member of a map; text is borrowed (copy it into the arena first if it may change). NULL without memory. */
struct attr *item_set_string(struct arena *arena, struct attr *map, struct text name, struct text value);
struct attr *item_set_i64(struct arena *arena, struct attr *map, struct text name, int64_t value);
struct attr *item_set_number(struct arena *arena, struct attr *map, struct text name, struct text digits); /* NULL also when no valid decimal */
struct attr *item_set_bool(struct arena *arena, struct attr *map, struct text name, bool value);
struct attr *item_set_null(struct arena *arena, struct attr *map, struct text name);
struct attr *item_set_container(struct arena *arena, struct attr *map, struct text name, enum attr_type type); /* an empty list, map or set */
struct attr *item_set_copy(struct arena *arena, struct attr *map, struct text name, const struct attr *value); /* deep copy */
/* Appends an element to a list (or a set; sets refuse duplicates later, in item_check). */
struct attr *item_append(struct arena *arena, struct attr *list, enum attr_type type, struct text text);
void item_remove(struct attr *map, struct text name);
const struct attr *item_get(const struct attr *map, struct text name); /* NULL when absent */
const struct attr *item_get_str(const struct attr *map, const char *name);
int attr_to_i64(const struct attr *value, int64_t *out); /* NUMBER only */
bool attr_equal(const struct attr *a, const struct attr *b); /* deep; sets without order; numbers by value */

/* DynamoDB's size: names + values as its documentation counts them. */
size_t item_size(const struct attr *item);
/* Names, depth, sets, size: 0 or ERR_* with a sentence. */
int item_check(const struct attr *item, struct err *err);
int item_check_within(const struct attr *item, size_t bytes_max, struct err *err); /* another size */

/* Stored form (a version byte, then name/type/value runs; integers as varints). */
int item_encode(struct buf *out, const struct attr *item);
/* Borrows `bytes` for texts. ERR_CORRUPT. */
int item_decode(struct arena *arena, struct text bytes, struct attr **item);

/* {"score":{"N":"5"},...} in both directions (ERR_TYPE, ERR_SYNTAX with a sentence). */
int item_from_wire(struct arena *arena, const struct json *json, struct attr **item, struct err *err);
int attr_from_wire(struct arena *arena, const struct json *json, struct attr **value, struct err *err);
/* The JSON types inside one attribute value and nothing else: 0, or ERR_TYPE with the sentence of a SerializationException. Depth is that of the JSON tree. */
int attr_wire_types(const struct json *json, struct err *err);
/* AWS's sentence for a set that is empty or has duplicates. Answers ERR_INVALID. */
int attr_set_fail(const struct attr *set, struct err *err);
void item_to_wire(struct json_writer *w, const struct attr *item);
void attr_to_wire(struct json_writer *w, const struct attr *value);
/* Plain JSON {"score":5,...} (numbers keep their digits, sets become arrays, binary base64), as lib-dynamodb unmarshals. */
int item_from_plain(struct arena *arena, const struct json *json, struct attr **item, struct err *err);
void item_to_plain(struct json_writer *w, const struct attr *item);
void attr_to_plain(struct json_writer *w, const struct attr *value);

#endif
