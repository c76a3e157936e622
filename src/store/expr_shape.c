/*
 * What can be wrong with a parsed expression whatever the request's names and values are: reserved words,
 * list indexes, functions that do not exist, stand in the wrong place or have the wrong number of operands,
 * and repeated sections. Found in the order written, as AWS reports it; an update section by section.
 */
#include "store/expr_tree.h"

static const struct expr_function functions[] = {
    {TEXT("attribute_exists"), OP_EXISTS, 1, PLACE_CONDITION},
    {TEXT("attribute_not_exists"), OP_NOT_EXISTS, 1, PLACE_CONDITION},
    {TEXT("attribute_type"), OP_TYPE, 2, PLACE_CONDITION},
    {TEXT("begins_with"), OP_BEGINS, 2, PLACE_CONDITION},
    {TEXT("contains"), OP_CONTAINS, 2, PLACE_CONDITION},
    {TEXT("size"), OP_SIZE, 1, PLACE_OPERAND},
    {TEXT("if_not_exists"), OP_IF_NOT_EXISTS, 2, PLACE_UPDATE},
    {TEXT("list_append"), OP_LIST_APPEND, 2, PLACE_UPDATE},
};

const struct expr_function *expr_function_find(struct text name)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (text_equal(functions[i].name, name))
            return &functions[i];
    return NULL;
}

bool expr_op_is_call(enum expr_op op)
{
    return op >= OP_EXISTS && op <= OP_CALL;
}

static int check_path(struct expr_env *env, enum expr_kind kind, const struct expr_node *path)
{
    for (uint32_t i = 0; i < path->count; i++) {
        const struct expr_step *step = &path->step[i];
        if (step->is_index && step->index == UINT32_MAX)
            return EXPR_INVALID(env, kind, "List index is not within the allowable range; index: [%.*s]",
                TEXT_FMT(step->name));
        if (!step->is_index && !step->is_alias && expr_is_reserved(step->name))
            return EXPR_INVALID(env, kind, "Attribute name is a reserved keyword; reserved keyword: %.*s",
                TEXT_FMT(step->name));
    }
    return 0;
}

static int check_call(
    struct expr_env *env, enum expr_kind kind, const struct expr_node *call, bool as_condition)
{
    const struct expr_function *function = expr_function_find(call->name);
    if (!function)
        return EXPR_INVALID(env, kind, "Invalid function name; function: %.*s", TEXT_FMT(call->name));
    if (kind == EXPR_UPDATE && function->place != PLACE_UPDATE)
        return EXPR_INVALID(env, kind, "The function is not allowed in an update expression; function: %.*s",
            TEXT_FMT(call->name));
    if (kind != EXPR_UPDATE && function->place == PLACE_UPDATE)
        return EXPR_INVALID(env, kind,
            "The function is not allowed in a condition expression; function: %.*s", TEXT_FMT(call->name));
    if (kind != EXPR_UPDATE && as_condition != (function->place == PLACE_CONDITION))
        return EXPR_INVALID(env, kind,
            "The function is not allowed to be used this way in an expression; function: %.*s",
            TEXT_FMT(call->name));
    if (call->count != function->operands)
        return EXPR_INVALID(env, kind,
            "Incorrect number of operands for operator or function; operator or function: %.*s, number of "
            "operands: %u",
            TEXT_FMT(call->name), call->count);
    return 0;
}

static int check_shape(
    struct expr_env *env, enum expr_kind kind, const struct expr_node *node, bool as_condition)
{
    int rc = 0;
    if (node->op == OP_PATH)
        return check_path(env, kind, node);
    if (expr_op_is_call(node->op))
        rc = check_call(env, kind, node, as_condition);
    bool conditions = node->op <= OP_NOT;
    for (const struct expr_node *at = node->first; at && !rc; at = at->next)
        rc = check_shape(env, kind, at, conditions);
    return rc;
}

static int check_section(struct expr_env *env, const struct expr_tree *tree, enum expr_section section)
{
    static const char *const keyword[SECTIONS] = {"SET", "REMOVE", "ADD", "DELETE"};
    uint32_t clause = UINT32_MAX;
    bool twice = false;
    for (size_t i = 0; i < tree->actions; i++) {
        const struct expr_action *action = &tree->action[i];
        if (action->section != section)
            continue;
        int rc = check_shape(env, EXPR_UPDATE, action->path, false);
        if (!rc && action->value)
            rc = check_shape(env, EXPR_UPDATE, action->value, false);
        if (rc)
            return rc;
        twice |= clause != UINT32_MAX && action->clause != clause;
        clause = action->clause;
    }
    return twice ? EXPR_INVALID(env, EXPR_UPDATE,
                       "The \"%s\" section can only be used once in an update expression;", keyword[section])
                 : 0;
}

/* Section by section, in the order in which each first appears. */
static int check_update(struct expr_env *env, const struct expr_tree *tree)
{
    bool seen[SECTIONS] = {false};
    int rc = 0;
    for (size_t i = 0; i < tree->actions && !rc; i++) {
        enum expr_section section = tree->action[i].section;
        if (!seen[section])
            rc = check_section(env, tree, section);
        seen[section] = true;
    }
    return rc;
}

int expr_tree_check(struct expr_env *env, const struct expr_tree *tree)
{
    int rc = 0;
    if (tree->kind == EXPR_UPDATE)
        return check_update(env, tree);
    if (tree->kind != EXPR_PROJECTION)
        return check_shape(env, tree->kind, tree->root, true);
    for (const struct expr_node *path = tree->root; path && !rc; path = path->next)
        rc = check_path(env, tree->kind, path);
    return rc;
}
