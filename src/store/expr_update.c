/*
 * Updates: binding, and the checks that need no item. Applying is expr_apply.c.
 *
 * AWS looks at an update in this order: the names in the written paths and their overlaps, then the actions
 * from the last one back to the first, all names before all values. A request with several faults is answered
 * with the one that this order meets first.
 */
#include "store/expr_tree.h"

#define KIND EXPR_UPDATE

static int check_names(struct expr_env *env, const struct expr_node *node)
{
    int rc = 0;
    for (uint32_t i = 0; node->op == OP_PATH && i < node->count; i++)
        if (node->step[i].is_alias && !expr_alias_find(env, node->step[i].name, false))
            return EXPR_INVALID(env, KIND,
                "An expression attribute name used in the document path is not defined; attribute name: %.*s",
                TEXT_FMT(node->step[i].name));
    for (const struct expr_node *at = node->first; at && !rc; at = at->next)
        rc = check_names(env, at);
    return rc;
}

static const char *long_type_name(enum attr_type type)
{
    static const char *const name[] = {"NULL", "BOOLEAN", "NUMBER", "STRING", "BINARY", "LIST", "MAP",
        "STRING_SET", "NUMBER_SET", "BINARY_SET"};
    return name[type];
}

static int check_operand(struct expr_env *env, const struct expr_action *action)
{
    bool add = action->section == SECTION_ADD;
    enum attr_type type;
    if (!add && action->section != SECTION_DELETE)
        return 0;
    type = action->value->value->type;
    if (type >= ATTR_STRING_SET || (add && type == ATTR_NUMBER))
        return 0;
    return EXPR_INVALID(env, KIND,
        "Incorrect operand type for operator or function; operator: %s, operand type: %s, typeSet: "
        "ALLOWED_FOR_%s_OPERAND",
        add ? "ADD" : "DELETE", long_type_name(type), add ? "ADD" : "DELETE");
}

static int bind_paths(struct expr_env *env, const struct expr_tree *tree, struct expr_update *update,
    struct expr_action *action)
{
    int rc = 0;
    for (size_t i = 0; i < tree->actions && !rc; i++)
        rc = check_names(env, tree->action[i].path);
    for (size_t i = 0; i < tree->actions && !rc; i++) {
        struct expr_node *path;
        rc = expr_node_bind(env, KIND, tree->action[i].path, &path);
        if (rc)
            return rc;
        action[i] = tree->action[i];
        action[i].path = update->path[i] = path;
    }
    return rc ? rc : expr_paths_check(env, KIND, update->path, tree->actions);
}

static int bind_values(struct expr_env *env, const struct expr_tree *tree, struct expr_action *action)
{
    int rc = 0;
    for (size_t i = tree->actions; i-- && !rc;)
        rc = action[i].value ? check_names(env, action[i].value) : 0;
    for (size_t i = tree->actions; i-- && !rc;) {
        struct expr_node *value;
        if (!action[i].value)
            continue;
        rc = expr_node_bind(env, KIND, action[i].value, &value);
        if (rc)
            return rc;
        action[i].value = value;
        rc = check_operand(env, &action[i]);
    }
    return rc;
}

static size_t collect_reads(const struct expr_action *action, size_t actions, const struct expr_node **read)
{
    size_t count = 0;
    for (size_t i = 0; i < actions; i++)
        if (action[i].value)
            count = expr_paths_collect(action[i].value, read, count);
    return count;
}

int expr_update_bind(struct expr_env *env, const struct expr_tree *tree, const struct expr_update **out)
{
    struct expr_update *update = arena_zalloc(env->arena, sizeof(*update));
    struct expr_action *action = arena_array(env->arena, tree->actions, sizeof(*action));
    if (update)
        update->path = arena_array(env->arena, tree->actions, sizeof(*update->path));
    if (!update || !action || !update->path)
        return expr_fail_memory(env);
    int rc = bind_paths(env, tree, update, action);
    if (!rc)
        rc = bind_values(env, tree, action);
    if (rc)
        return rc;
    update->action = action;
    update->actions = tree->actions;
    update->clauses = tree->clauses;
    update->reads = collect_reads(action, tree->actions, NULL);
    update->read = arena_array(env->arena, update->reads + 1, sizeof(*update->read));
    if (!update->read)
        return expr_fail_memory(env);
    collect_reads(action, tree->actions, update->read);
    *out = update;
    return 0;
}

int expr_update_parse(struct expr_env *env, struct text expression, const struct expr_update **out)
{
    const struct expr_tree *tree;
    int rc = expr_tree_parse(env, KIND, expression, env->arena, &tree);
    return rc ? rc : expr_update_bind(env, tree, out);
}

int expr_update_check_keys(
    struct expr_env *env, const struct expr_update *update, const struct text *keys, size_t count)
{
    if (!update)
        return 0;
    int rc = expr_nested_key_fail(env, expr_paths_key(update->read, update->reads, keys, count, true));
    if (rc)
        return rc;
    struct text key = expr_paths_key(update->path, update->actions, keys, count, false);
    return key.len ? expr_fail(env, ERR_INVALID,
                         "One or more parameter values were invalid: Cannot update attribute %.*s. This "
                         "attribute is "
                         "part of the key",
                         TEXT_FMT(key))
                   : 0;
}
