/*
 * JSON (RFC 8259). Reading: one validating walk over the whole text (simdjson on demand behind json_simd.cc) that
 * leaves a tree of nodes in an arena. Everything is checked: UTF-8, escapes, number grammar, depth, trailing text,
 * duplicate names (refused when asked). Numbers keep their text: 38 digits stay 38 digits.
 * Writing: a small writer into a struct buf that cannot produce ill-formed nesting in debug builds.
 */
#ifndef WEIR_BASE_JSON_H
#define WEIR_BASE_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Plain value; lives in the arena given to json_parse; the texts borrow the arena or the input. */
struct json {
    enum json_type type;
    uint32_t count;     /* members or elements */
    struct text name;   /* unescaped member name, inside an object */
    struct text text;   /* JSON_STRING: unescaped; JSON_NUMBER: as written */
    struct text raw;    /* the value exactly as it stood in the input, quotes included */
    struct json *first; /* first child */
    struct json *next;  /* next sibling */
};

enum json_flags {
    JSON_PADDED = 1,            /* at least JSON_PADDING readable bytes follow the text, so it is not copied */
    JSON_REFUSE_DUPLICATES = 2, /* a repeated member name is ERR_DUPLICATE; without it the last one wins in json_get */
    JSON_COPY = 4               /* the tree must not borrow the input (it borrows the arena alone) */
};
#define JSON_PADDING 64
#define JSON_DEPTH_MAX 96         /* levels; 32 levels of DynamoDB items take two each, and the request its own */

/*
 * Parses one value. 0, ERR_SYNTAX, ERR_TOO_DEEP, ERR_DUPLICATE, ERR_MEMORY; err may be NULL and tells the offset.
 * Without JSON_COPY the input must live as long as the tree. Any thread (a parser per thread is kept inside).
 */
int json_parse(struct arena *arena, struct text input, unsigned flags, const struct json **root, struct err *err);

/* Member of an object by name, or NULL (also when `object` is NULL or not an object). */
const struct json *json_get(const struct json *object, struct text name);
const struct json *json_get_str(const struct json *object, const char *name);
const struct json *json_at(const struct json *array, uint32_t index);
/* Path "a.b.0.c" as in $request.body.a.b; NULL when absent. */
const struct json *json_path(const struct json *root, struct text path);
/* An integer within int64 without fraction or exponent loss ("5", "5.0", "1e3"): 0, ERR_TYPE, ERR_INVALID. */
int json_to_i64(const struct json *value, int64_t *out);
int json_to_double(const struct json *value, double *out);
static inline bool json_is(const struct json *value, enum json_type type)
{
    return value && value->type == type;
}

/* ---- writing ---- */
struct json_writer {
    struct buf *out;   /* borrowed */
    uint64_t comma;    /* a bit per level: a comma is due */
    int depth;
    bool after_name;
};
void json_writer_init(struct json_writer *w, struct buf *out);
void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_name(struct json_writer *w, const char *name);
void json_name_text(struct json_writer *w, struct text name);
void json_text(struct json_writer *w, struct text value); /* escaped; must be UTF-8 (ill-formed bytes become U+FFFD) */
/* One string inside JSON that is known: {"S": value }. */
void json_wrapped_text(struct json_writer *w, struct text open, struct text value, struct text close);
void json_str(struct json_writer *w, const char *value);
void json_i64(struct json_writer *w, int64_t value);
void json_u64(struct json_writer *w, uint64_t value);
void json_double(struct json_writer *w, double value); /* shortest that reads back; not finite -> null */
void json_bool(struct json_writer *w, bool value);
void json_null(struct json_writer *w);
void json_raw(struct json_writer *w, struct text json);          /* already JSON */
void json_number_text(struct json_writer *w, struct text digits); /* number text kept as it is */
/* Writes a tree again: re-encoded compactly (never the sender's bytes), numbers kept. */
void json_value(struct json_writer *w, const struct json *value);
/* Appends an escaped, quoted string to a buffer. */
int json_escape(struct buf *out, struct text value);

#endif
