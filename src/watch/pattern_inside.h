/* What the files pattern*.c share beside pattern.h. */
#ifndef WEIR_WATCH_PATTERN_INSIDE_H
#define WEIR_WATCH_PATTERN_INSIDE_H

#include "base/json.h"
#include "watch/pattern.h"
#include "watch/pattern_regex.h"

#define PATTERN_FIELDS_MAX 128  /* of a pattern of fields */
#define PATTERN_STEPS_MAX 32    /* of a selector */
#define PATTERN_LOOKS_MAX 100000 /* JSON nodes that one selector with wildcards looks at */

/* ---- pattern_cond.c: conditions, of fields and of JSON ---- */

enum cond_kind { COND_AND, COND_OR, COND_COMPARE, COND_NULL, COND_TRUE, COND_FALSE, COND_EXISTS, COND_MISSING };
enum cond_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };

struct select_step { /* of a JSON selector */
    struct text name;  /* a member */
    uint32_t index;    /* of an array, when name.data is NULL */
    bool every;        /* all members, all elements */
};
struct selector {
    struct text text; /* as it was written */
    struct select_step *step;
    size_t steps;
};
struct operand {
    struct text text;            /* without the stars at its ends */
    bool star_first, star_last;
    bool numeric;
    double number;
    struct pattern_regex *regex; /* instead of all that */
};
struct cond {
    enum cond_kind kind;
    struct cond *left, *right;
    struct selector *selector;   /* NULL: the field */
    enum cond_op op;
    struct operand operand;
};

struct pattern_parser {
    struct arena *arena;
    const char *at, *end;
    struct err *err;
    int depth, regexes;
    struct text field;      /* of fields: the one whose conditions are read */
};
void pattern_skip_space(struct pattern_parser *p);
bool pattern_take(struct pattern_parser *p, const char *word); /* and space before it */
int pattern_refuse(struct pattern_parser *p, const char *what);
/* "..." with \" and \\, at its opening quote. */
int pattern_quoted(struct pattern_parser *p, struct text *out);
/* %...%, at its opening sign. */
int pattern_regex_between(struct pattern_parser *p, struct pattern_regex **out);
/* A condition in brackets or braces: in fields of p->field, whose name was read already. */
int cond_parse(struct pattern_parser *p, bool fields, struct cond **out);
int cond_parse_rest(struct pattern_parser *p, struct cond **out);
int selector_parse(struct pattern_parser *p, struct selector **out);

bool cond_holds_text(const struct cond *cond, struct text value);
bool cond_holds_json(const struct cond *cond, const struct json *root);
/* The first scalar that a selector finds, or NULL. */
const struct json *selector_find(const struct selector *selector, const struct json *root);
/* Its value as a message would show it. */
struct text json_shown(const struct json *value);

#endif
