/*
 * Inside the expressions: the tree that parser, binder, evaluators and the legacy translation share. Nobody outside src/store/expr*
 * includes this.
 *
 * One kind of node for conditions, operands and paths. A parsed tree holds aliases as they were written; binding copies it with names and
 * values in place (expr_bind.c). Chains of AND and OR are one node with many operands and NOT is looped over, so that only parentheses and
 * functions deepen a tree.
 */
#ifndef WEIR_STORE_EXPR_TREE_H
#define WEIR_STORE_EXPR_TREE_H

#include "store/expr.h"

enum expr_op {
    OP_OR, OP_AND, OP_NOT,
    OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_BETWEEN, OP_IN,
    OP_EXISTS, OP_NOT_EXISTS, OP_TYPE, OP_BEGINS, OP_CONTAINS, /* functions that are conditions */
    OP_SIZE, OP_IF_NOT_EXISTS, OP_LIST_APPEND,                 /* functions that are operands */
    OP_CALL,                                                   /* a function of unknown name: never survives the parser */
    OP_PLUS, OP_MINUS,
    OP_PATH, OP_VALUE
};

struct expr_step {
    struct text name; /* of a member; "#alias" before binding */
    uint32_t index;   /* of a list element, when is_index */
    bool is_index;
    bool is_alias;    /* the name was given by an alias: no reserved word */
};

struct expr_node {
    enum expr_op op;
    bool parens;                     /* stood in parentheses */
    uint32_t count;                  /* operands; steps of a path */
    struct text name;                /* VALUE: ":alias"; functions and comparators: as written */
    const struct attr *value;        /* VALUE, once bound */
    const struct expr_step *step;    /* PATH */
    struct expr_node *first, *last, *next;
};

enum expr_section { SECTION_SET, SECTION_REMOVE, SECTION_ADD, SECTION_DELETE };
#define SECTIONS 4

struct expr_action {
    enum expr_section section;
    uint32_t clause;                 /* number of its clause, in the order written */
    const struct expr_node *path;
    const struct expr_node *value;   /* NULL for REMOVE */
};

struct expr_tree {
    enum expr_kind kind;
    struct text text;                /* borrowed */
    struct expr_node *root;          /* condition; or the first path of a projection */
    struct expr_action *action;      /* update */
    size_t actions, clauses;
};

struct expr_condition {
    const char *label;               /* "Filter Expression", "QueryFilter": for check_keys */
    const struct expr_node *root;
    const struct expr_node **path;   /* every path in it */
    size_t paths;
};

struct expr_projection {
    const struct expr_node **path;
    size_t paths;
    const struct text *label;        /* NULL: nested as in the item, paths sorted; else a flat one, a label per path */
};

struct expr_update {
    const struct expr_action *action;
    size_t actions, clauses;
    const struct expr_node **path;   /* those that are written, in order */
    const struct expr_node **read;   /* those that are read */
    size_t reads;
    bool legacy;                     /* AttributeUpdates: other sentences at run time */
};

struct expr_key_term {
    struct text name;
    enum store_range_op op;
    const struct attr *low, *high;
};
#define KEY_TERMS_MAX (2 * STORE_INDEX_KEYS_MAX)
struct expr_key_condition {
    struct expr_key_term term[KEY_TERMS_MAX];
    size_t terms;                    /* may exceed KEY_TERMS_MAX: then they are only counted */
    bool legacy;
};

struct expr_alias {
    struct text alias, name;
    const struct attr *value;
    bool used;
};

/* ---- expr_env.c ---- */
int expr_fail(struct expr_env *env, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int expr_fail_memory(struct expr_env *env);
const char *expr_kind_name(enum expr_kind kind);
#define EXPR_INVALID(env, kind, format, ...) expr_fail(env, ERR_INVALID, "Invalid %s: " format, expr_kind_name(kind), ##__VA_ARGS__)
/* NULL when it is not defined. Marks it as used when `use`. */
struct expr_alias *expr_alias_find(struct expr_env *env, struct text alias, bool use);
/* A value as it came in JSON, checked as DynamoDB checks one; *problem is AWS's sentence without what surrounds it. */
int expr_value_read(struct expr_env *env, const struct json *json, struct attr **value, struct text *problem);
/* The same check of a value that is there already. */
int expr_value_check(struct expr_env *env, const struct attr *value, struct text *problem);
const char *expr_type_name(enum attr_type type); /* "S", "NS" */
/* "[a, b, [0]]" */
struct text expr_path_text(struct expr_env *env, const struct expr_node *path);

/* ---- expr_parse.c ---- */
struct expr_node *expr_node_make(struct arena *arena, enum expr_op op); /* NULL without memory */
void expr_node_add(struct expr_node *parent, struct expr_node *child);

/* ---- expr_shape.c ---- */
enum expr_place { PLACE_CONDITION, PLACE_OPERAND, PLACE_UPDATE };
struct expr_function {
    struct text name;
    enum expr_op op;
    uint32_t operands;
    enum expr_place place;
};
const struct expr_function *expr_function_find(struct text name); /* NULL when there is none */
bool expr_op_is_call(enum expr_op op);
int expr_tree_check(struct expr_env *env, const struct expr_tree *tree);

/* ---- expr_bind.c ---- */
/* Every path below `node`, appended; path NULL: only counted. */
size_t expr_paths_collect(const struct expr_node *node, const struct expr_node **path, size_t count);
/* A key attribute that one of the paths begins with (nested: and goes on), or an empty text. */
struct text expr_paths_key(const struct expr_node *const *path, size_t paths, const struct text *keys, size_t count, bool nested);
/* Makes the condition object around a bound root. */
int expr_condition_make(struct expr_env *env, const struct expr_node *root, const char *label, const struct expr_condition **out);
/* Binds one node: names, values, operand types. */
int expr_node_bind(struct expr_env *env, enum expr_kind kind, const struct expr_node *node, struct expr_node **out);
int expr_path_compare(const struct expr_node *a, const struct expr_node *b); /* names before indexes, a beginning before what goes on */
/* A sorted copy; NULL without memory. */
const struct expr_node **expr_paths_sort(struct arena *arena, const struct expr_node *const *path, size_t paths);
/* 0 when `key` is empty, else the failure of a path that leads into a key attribute. */
int expr_nested_key_fail(struct expr_env *env, struct text key);
/* Overlaps and conflicts of bound paths. */
int expr_paths_check(struct expr_env *env, enum expr_kind kind, const struct expr_node *const *path, size_t paths);

/* ---- expr_eval.c ---- */
const struct attr *expr_path_find(const struct expr_node *path, size_t steps, const struct attr *item); /* NULL when absent */
/* False when they cannot be ordered (types differ, or no S, N, B). */
bool expr_value_order(const struct attr *a, const struct attr *b, int *order);
bool expr_set_has(const struct attr *set, struct text element);

/* ---- nodes of an item that is being built: by updates and by projections ---- */

static inline void expr_node_link(struct attr *parent, struct attr *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

/* The node alone: its children stay shared. NULL without memory. */
static inline struct attr *expr_node_copy(struct arena *arena, const struct attr *from)
{
    struct attr *copy = arena_alloc(arena, sizeof(*copy));
    if (copy) {
        *copy = *from;
        copy->next = NULL;
    }
    return copy;
}

#endif
