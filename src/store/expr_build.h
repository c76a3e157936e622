/*
 * Expressions that are described by a tree instead of a text: for languages other than DynamoDB's own (PartiQL) and for code. What is made here is the same
 * bound object that the parser makes, so evaluation, limits, checks and sentences are shared.
 *
 * Forms are plain values, filled by the caller in any memory that lives as long as the object made from them: names, steps and values are borrowed, the nodes
 * themselves are copied. Errors and threads as in expr.h. Recursion follows the form's depth: the caller bounds it (EXPR_DEPTH_MAX).
 */
#ifndef WEIR_STORE_EXPR_BUILD_H
#define WEIR_STORE_EXPR_BUILD_H

#include "store/expr.h"

enum expr_form_op {
    FORM_OR, FORM_AND,                                             /* any number of conditions */
    FORM_NOT,
    FORM_EQ, FORM_NE, FORM_LT, FORM_LE, FORM_GT, FORM_GE,          /* two operands */
    FORM_BETWEEN, FORM_IN,                                         /* an operand, then its bounds or candidates */
    FORM_EXISTS, FORM_MISSING,                                     /* a path */
    FORM_NULL,                                                     /* a path: it is there, and of type NULL */
    FORM_TYPE, FORM_BEGINS, FORM_CONTAINS,                         /* two operands */
    FORM_SIZE,                                                     /* operands from here on: of a path */
    FORM_LIST_APPEND, FORM_PLUS, FORM_MINUS,                       /* of two; in updates alone */
    FORM_PATH, FORM_VALUE
};

struct expr_form_step {
    struct text name;  /* of a member, any bytes */
    uint32_t index;    /* of a list element, when is_index */
    bool is_index;
};

struct expr_form {
    enum expr_form_op op;
    uint32_t count;                    /* children; steps of a path */
    const struct attr *value;          /* FORM_VALUE */
    const struct expr_form_step *step; /* FORM_PATH */
    struct expr_form *first, *last, *next;
};

enum expr_form_section { FORM_SET, FORM_REMOVE, FORM_ADD, FORM_DELETE };
struct expr_form_action {
    enum expr_form_section section;
    const struct expr_form *path;
    const struct expr_form *value;     /* NULL for FORM_REMOVE; of FORM_ADD and FORM_DELETE a FORM_VALUE */
};

/* Appends a child. */
void expr_form_add(struct expr_form *parent, struct expr_form *child);
/* `kind` EXPR_CONDITION or EXPR_FILTER. */
int expr_form_condition(struct expr_env *env, enum expr_kind kind, const struct expr_form *form, const struct expr_condition **out);
/* A condition with exactly the terms of a key: FORM_AND over comparisons, FORM_BETWEEN and FORM_BEGINS. */
int expr_form_keys(struct expr_env *env, const struct expr_form *form, const struct expr_key_condition **out);
int expr_form_update(struct expr_env *env, const struct expr_form_action *action, size_t actions, const struct expr_update **out);
/*
 * A projection as SQL knows it: each path becomes one top-level member under its label; absent ones are left out. Paths may overlap; of equal labels the
 * last one stands.
 */
int expr_form_columns(struct expr_env *env, const struct expr_form *const *path, const struct text *label, size_t columns,
    const struct expr_projection **out);

/* One attribute value from JSON, checked as those of ExpressionAttributeValues are; ERR_TYPE: the JSON has the wrong shape. */
int expr_form_value(struct expr_env *env, const struct json *json, struct attr **value);
/* The same checks for a value that was made otherwise: sets are neither empty nor do they repeat an element. */
int expr_form_value_check(struct expr_env *env, const struct attr *value);

#endif
