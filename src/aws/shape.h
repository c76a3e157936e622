/*
 * The shapes of requests: what AWS's service models say about types, presence, lengths, ranges and enumerations, as tables. One walk over the JSON tree checks a
 * request in AWS's order: first every type (SerializationException), then every constraint, all of them collected in one sentence
 * (ValidationException). What needs more than one parameter, or a table, is the operations' own.
 */
#ifndef WEIR_AWS_SHAPE_H
#define WEIR_AWS_SHAPE_H

#include "base/json.h"

enum shape_type {
    SHAPE_STRING, SHAPE_INTEGER, SHAPE_LONG, SHAPE_BOOLEAN, SHAPE_TIME, SHAPE_DOUBLE, SHAPE_LIST, SHAPE_MAP, SHAPE_STRUCT,
    SHAPE_VALUES, /* a map of attribute values: only that it is an object is checked here */
    SHAPE_VALUE   /* one attribute value */
};
struct shape_member;
struct shape {
    enum shape_type type;
    int64_t min, max;              /* length, value or number of elements; max 0: no limit */
    const char *pattern;           /* of a string, as AWS prints it; only the characters of table names are known: [a-zA-Z0-9_.-]+, unless `holds` says more */
    const char *values;            /* "A, B, C": the enumeration as AWS prints it */
    const struct shape *of;        /* elements of a list, values of a map */
    const struct shape_member *member; /* of a struct, ended by a name of NULL */
    const char *java;              /* the class as AWS prints it */
    bool arn;                      /* of a string with a pattern: an ARN is as good, and min and max are those of the ARN */
    const struct shape *key;       /* what the keys of a map must be; NULL: anything */
    bool (*holds)(struct text text); /* whether a text has the pattern; NULL: that of tables' names */
};
struct shape_member {
    const char *name;
    const struct shape *shape;
    bool required;
};

#define SHAPE_ERRORS_MAX 10 /* collected in one sentence, as AWS does */

/* Types. 0 or ERR_TYPE with the sentence of a SerializationException. */
int shape_check_types(const struct shape *shape, const struct json *json, struct err *err);
/* The types inside attribute values, which the first walk leaves to whoever reads the items. Asked for when a request is refused: its types come first. 0 or ERR_TYPE. */
int shape_check_values(const struct shape *shape, const struct json *json, struct err *err);
/* Constraints. 0, or ERR_INVALID with the sentence in `out` ("2 validation errors detected: ..."; cut at out's limit), or ERR_MEMORY. */
int shape_check_constraints(const struct shape *shape, const struct json *json, struct buf *out);
/* A member that is there and not null, or NULL. */
const struct json *shape_get(const struct json *object, const char *name);

#endif
