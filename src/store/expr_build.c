/*
 * Forms become unbound trees whose values stand in them already, and then take the way of every parsed expression: the binder checks operand types, overlaps
 * and limits. So there is nothing here but the translation of one kind of node into another.
 */
#include "store/expr_build.h"

#include "base/hash.h"
#include "store/expr_tree.h"

static const struct {
    enum expr_op op;
    const char *name; /* in sentences */
} ops[] = {
    [FORM_OR] = {OP_OR, "OR"},
    [FORM_AND] = {OP_AND, "AND"},
    [FORM_NOT] = {OP_NOT, "NOT"},
    [FORM_EQ] = {OP_EQ, "="},
    [FORM_NE] = {OP_NE, "<>"},
    [FORM_LT] = {OP_LT, "<"},
    [FORM_LE] = {OP_LE, "<="},
    [FORM_GT] = {OP_GT, ">"},
    [FORM_GE] = {OP_GE, ">="},
    [FORM_BETWEEN] = {OP_BETWEEN, "BETWEEN"},
    [FORM_IN] = {OP_IN, "IN"},
    [FORM_EXISTS] = {OP_EXISTS, "attribute_exists"},
    [FORM_MISSING] = {OP_NOT_EXISTS, "attribute_not_exists"},
    [FORM_NULL] = {OP_TYPE, "attribute_type"},
    [FORM_TYPE] = {OP_TYPE, "attribute_type"},
    [FORM_BEGINS] = {OP_BEGINS, "begins_with"},
    [FORM_CONTAINS] = {OP_CONTAINS, "contains"},
    [FORM_SIZE] = {OP_SIZE, "size"},
    [FORM_LIST_APPEND] = {OP_LIST_APPEND, "list_append"},
    [FORM_PLUS] = {OP_PLUS, "+"},
    [FORM_MINUS] = {OP_MINUS, "-"},
    [FORM_PATH] = {OP_PATH, ""},
    [FORM_VALUE] = {OP_VALUE, ""},
};

void expr_form_add(struct expr_form *parent, struct expr_form *child)
{
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

/* ---- nodes ---- */

static int make_path(struct expr_env *env, const struct expr_form *form, struct expr_node *node)
{
    struct expr_step *step = arena_array(env->arena, form->count, sizeof(*step));
    if (!step)
        return expr_fail_memory(env);
    for (uint32_t i = 0; i < form->count; i++)
        step[i] = (struct expr_step){.name = form->step[i].name, .index = form->step[i].index, .is_index = form->step[i].is_index};
    node->step = step;
    node->count = form->count;
    return 0;
}

/* The second operand of attribute_type(path, 'NULL'). */
static int add_null_name(struct expr_env *env, struct expr_node *node)
{
    static const struct attr name = {.type = ATTR_STRING, .text = {"NULL", 4}};
    struct expr_node *value = expr_node_make(env->arena, OP_VALUE);
    if (!value)
        return expr_fail_memory(env);
    value->value = &name;
    expr_node_add(node, value);
    return 0;
}

static int make_node(struct expr_env *env, const struct expr_form *form, struct expr_node **out)
{
    struct expr_node *node = expr_node_make(env->arena, ops[form->op].op);
    if (!node)
        return expr_fail_memory(env);
    *out = node;
    node->name = text_of(ops[form->op].name);
    node->value = form->value;
    if (form->op == FORM_PATH)
        return make_path(env, form, node);
    for (const struct expr_form *at = form->first; at; at = at->next) {
        struct expr_node *child;
        int rc = make_node(env, at, &child);
        if (rc)
            return rc;
        expr_node_add(node, child);
    }
    return form->op == FORM_NULL ? add_null_name(env, node) : 0;
}

/* ---- the objects ---- */

int expr_form_condition(struct expr_env *env, enum expr_kind kind, const struct expr_form *form, const struct expr_condition **out)
{
    struct expr_tree tree = {.kind = kind};
    int rc = make_node(env, form, &tree.root);
    return rc ? rc : expr_condition_bind(env, &tree, out);
}

int expr_form_keys(struct expr_env *env, const struct expr_form *form, const struct expr_key_condition **out)
{
    struct expr_tree tree = {.kind = EXPR_KEY_CONDITION};
    int rc = make_node(env, form, &tree.root);
    return rc ? rc : expr_key_condition_bind(env, &tree, out);
}

int expr_form_update(struct expr_env *env, const struct expr_form_action *action, size_t actions, const struct expr_update **out)
{
    static const enum expr_section section[] = {[FORM_SET] = SECTION_SET, [FORM_REMOVE] = SECTION_REMOVE, [FORM_ADD] = SECTION_ADD, [FORM_DELETE] = SECTION_DELETE};
    struct expr_action *made = arena_array(env->arena, actions, sizeof(*made));
    struct expr_tree tree = {.kind = EXPR_UPDATE, .action = made, .actions = actions, .clauses = SECTIONS};
    if (!made)
        return expr_fail_memory(env);
    for (size_t i = 0; i < actions; i++) {
        struct expr_node *path = NULL, *value = NULL;
        int rc = make_node(env, action[i].path, &path);
        if (!rc && action[i].value)
            rc = make_node(env, action[i].value, &value);
        if (rc)
            return rc;
        made[i] = (struct expr_action){.section = section[action[i].section], .clause = section[action[i].section], .path = path, .value = value};
    }
    return expr_update_bind(env, &tree, out);
}

/* Columns of an outsider's statement may be thousands: equal labels are found by a hash, once, and not for each item. */
struct columns {
    const struct expr_node **path;
    struct text *label;
    uint32_t *slot; /* position + 1 */
    size_t count, slots;
};

static int columns_open(struct expr_env *env, struct columns *c, size_t columns)
{
    *c = (struct columns){.slots = 16};
    while (c->slots < columns * 2)
        c->slots *= 2;
    c->path = arena_array(env->arena, columns, sizeof(*c->path));
    c->label = arena_array(env->arena, columns, sizeof(*c->label));
    c->slot = arena_zalloc(env->arena, c->slots * sizeof(*c->slot));
    return c->path && c->label && c->slot ? 0 : expr_fail_memory(env);
}

static void columns_add(struct columns *c, const struct expr_node *path, struct text label)
{
    size_t at = hash_bytes(label) & (c->slots - 1);
    while (c->slot[at] && !text_equal(c->label[c->slot[at] - 1], label))
        at = (at + 1) & (c->slots - 1);
    if (!c->slot[at])
        c->slot[at] = (uint32_t)++c->count;
    c->path[c->slot[at] - 1] = path;
    c->label[c->slot[at] - 1] = label;
}

int expr_form_columns(struct expr_env *env, const struct expr_form *const *path, const struct text *label, size_t columns,
    const struct expr_projection **out)
{
    struct expr_projection *projection = arena_zalloc(env->arena, sizeof(*projection));
    struct columns c = {.count = 0};
    int rc = projection ? columns_open(env, &c, columns) : expr_fail_memory(env);
    for (size_t i = 0; i < columns && !rc; i++) {
        struct expr_node *node, *bound;
        rc = make_node(env, path[i], &node);
        if (!rc)
            rc = expr_node_bind(env, EXPR_PROJECTION, node, &bound);
        if (!rc)
            columns_add(&c, bound, label[i]);
    }
    if (rc)
        return rc;
    *projection = (struct expr_projection){.path = c.path, .paths = c.count, .label = c.label};
    *out = projection;
    return 0;
}

/* ---- values ---- */

static int value_fail(struct expr_env *env, int rc, struct text problem)
{
    return rc && rc != ERR_MEMORY ? expr_fail(env, rc == ERR_TYPE ? ERR_TYPE : ERR_INVALID, "%.*s", TEXT_FMT(problem)) : rc;
}

int expr_form_value(struct expr_env *env, const struct json *json, struct attr **value)
{
    struct text problem = TEXT("");
    return value_fail(env, expr_value_read(env, json, value, &problem), problem);
}

int expr_form_value_check(struct expr_env *env, const struct attr *value)
{
    struct text problem = TEXT("");
    return value_fail(env, expr_value_check(env, value, &problem), problem);
}
