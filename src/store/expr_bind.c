/*
 * Binding: a parse tree with the request's names and values in place, and every check that needs them.
 *
 * A bound tree is a copy; the parsed one stays as it was and may be bound again. The checks run from the
 * leaves up, in the order written, because that is the order in which AWS reports them; an update is looked
 * at in its own order, see expr_update.c.
 */
#include "store/expr_tree.h"

#include <stdio.h>

/* ---- names and values ---- */

static int bind_path(struct expr_env *env, enum expr_kind kind, struct expr_node *path)
{
    struct expr_step *step = arena_array(env->arena, path->count, sizeof(*step));
    if (!step)
        return expr_fail_memory(env);
    memcpy(step, path->step, path->count * sizeof(*step));
    for (uint32_t i = 0; i < path->count; i++) {
        if (!step[i].is_alias)
            continue;
        const struct expr_alias *alias = expr_alias_find(env, step[i].name, true);
        if (!alias)
            return EXPR_INVALID(env, kind,
                "An expression attribute name used in the document path is not defined; attribute name: %.*s",
                TEXT_FMT(step[i].name));
        step[i].name = alias->name;
    }
    if (path->count > EXPR_PATH_MAX)
        return EXPR_INVALID(
            env, kind, "The document path has too many nesting levels; nesting levels: %u", path->count);
    path->step = step;
    return 0;
}

static int bind_value(struct expr_env *env, enum expr_kind kind, struct expr_node *node)
{
    if (node->value) /* of a form: it came with its value */
        return 0;
    const struct expr_alias *alias = expr_alias_find(env, node->name, true);
    if (!alias)
        return EXPR_INVALID(env, kind,
            "An expression attribute value used in expression is not defined; attribute value: %.*s",
            TEXT_FMT(node->name));
    node->value = alias->value;
    return 0;
}

/* ---- operand types ---- */

/* The type that an operand has whatever the item is: a value's, or the number of size(). */
static bool static_type(const struct expr_node *node, enum attr_type *type)
{
    if (node->op != OP_VALUE && node->op != OP_SIZE)
        return false;
    *type = node->op == OP_SIZE ? ATTR_NUMBER : node->value->type;
    return true;
}

#define TYPE_BIT(type) (1u << (type))
#define TYPES_ORDERED (TYPE_BIT(ATTR_STRING) | TYPE_BIT(ATTR_NUMBER) | TYPE_BIT(ATTR_BINARY))
#define TYPES_TEXT (TYPE_BIT(ATTR_STRING) | TYPE_BIT(ATTR_BINARY))
#define TYPES_SIZED ~(TYPE_BIT(ATTR_NUMBER) | TYPE_BIT(ATTR_BOOL) | TYPE_BIT(ATTR_NULL))

static int fail_type(struct expr_env *env, enum expr_kind kind, struct text operation, const char *type)
{
    return EXPR_INVALID(env, kind,
        "Incorrect operand type for operator or function; operator or function: %.*s, operand type: %s",
        TEXT_FMT(operation), type);
}

static int check_types(struct expr_env *env, enum expr_kind kind, const struct expr_node *node,
    struct text operation, unsigned allowed)
{
    enum attr_type type;
    for (const struct expr_node *at = node->first; at; at = at->next)
        if (static_type(at, &type) && !(allowed & TYPE_BIT(type)))
            return fail_type(env, kind, operation, expr_type_name(type));
    return 0;
}

static bool same_path(const struct expr_node *a, const struct expr_node *b)
{
    if (a->op != OP_PATH || b->op != OP_PATH || a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->step[i].is_index != b->step[i].is_index || a->step[i].index != b->step[i].index ||
            (!a->step[i].is_index && !text_equal(a->step[i].name, b->step[i].name)))
            return false;
    return true;
}

static int check_distinct(
    struct expr_env *env, enum expr_kind kind, const struct expr_node *node, struct text operation)
{
    for (const struct expr_node *at = node->first->next; at; at = at->next) {
        if (!same_path(node->first, at))
            continue;
        struct text path = expr_path_text(env, node->first);
        if (!path.data)
            return expr_fail_memory(env);
        return EXPR_INVALID(env, kind,
            "The first operand must be distinct from the remaining operands for this operator or function; "
            "operator: "
            "%.*s, first operand: %.*s",
            TEXT_FMT(operation), TEXT_FMT(path));
    }
    return 0;
}

static struct text bound_text(struct expr_env *env, const struct attr *value)
{
    if (value->type == ATTR_BINARY)
        return arena_format(env->arena, "AttributeValue: {B:java.nio.HeapByteBuffer[pos=0 lim=%zu cap=%zu]}",
            value->text.len, value->text.len);
    return arena_format(
        env->arena, "AttributeValue: {%s:%.*s}", expr_type_name(value->type), TEXT_FMT(value->text));
}

static int check_bounds(struct expr_env *env, enum expr_kind kind, const struct expr_node *between)
{
    const struct expr_node *low = between->first->next, *high = low->next;
    int order;
    if (low->op != OP_VALUE || high->op != OP_VALUE)
        return 0;
    bool same = low->value->type == high->value->type;
    if (same && (!expr_value_order(low->value, high->value, &order) || order <= 0))
        return 0;
    struct text from = bound_text(env, low->value), to = bound_text(env, high->value);
    if (!from.data || !to.data)
        return expr_fail_memory(env);
    return EXPR_INVALID(env, kind,
        "The BETWEEN operator requires %s; lower bound operand: %.*s, upper bound operand: %.*s",
        same ? "upper bound to be greater than or equal to lower bound"
             : "same data type for lower and upper bounds",
        TEXT_FMT(from), TEXT_FMT(to));
}

static int check_between(struct expr_env *env, enum expr_kind kind, const struct expr_node *node)
{
    int rc = check_distinct(env, kind, node, TEXT("BETWEEN"));
    if (!rc)
        rc = check_types(env, kind, node, TEXT("BETWEEN"), TYPES_ORDERED);
    return rc ? rc : check_bounds(env, kind, node);
}

static int check_in(struct expr_env *env, enum expr_kind kind, const struct expr_node *node)
{
    if (node->count - 1 > EXPR_IN_MAX)
        return EXPR_INVALID(env, kind,
            "The IN operator is provided with too many operands; number of operands: %u", node->count - 1);
    return check_distinct(env, kind, node, TEXT("IN"));
}

static int check_type_name(struct expr_env *env, enum expr_kind kind, const struct expr_node *node)
{
    const struct expr_node *operand = node->first->next;
    if (operand->op != OP_VALUE)
        return fail_type(
            env, kind, node->name, operand->op == OP_SIZE ? "N" : "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}");
    if (operand->value->type != ATTR_STRING)
        return fail_type(env, kind, node->name, expr_type_name(operand->value->type));
    for (unsigned type = ATTR_NULL; type <= ATTR_BINARY_SET; type++)
        if (text_is(operand->value->text, expr_type_name((enum attr_type)type)))
            return 0;
    return EXPR_INVALID(env, kind,
        "Invalid attribute type name found; type: %.*s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        TEXT_FMT(operand->value->text));
}

static int check_function(struct expr_env *env, enum expr_kind kind, const struct expr_node *node)
{
    bool wants_path = node->op == OP_EXISTS || node->op == OP_NOT_EXISTS || node->op == OP_TYPE ||
                      node->op == OP_IF_NOT_EXISTS;
    if (wants_path && node->first->op != OP_PATH)
        return EXPR_INVALID(env, kind,
            "Operator or function requires a document path; operator or function: %.*s",
            TEXT_FMT(node->name));
    if (node->op == OP_SIZE)
        return check_types(env, kind, node, node->name, TYPES_SIZED);
    if (node->op == OP_LIST_APPEND)
        return check_types(env, kind, node, node->name, TYPE_BIT(ATTR_LIST));
    int rc = check_distinct(env, kind, node, node->name);
    if (!rc && node->op == OP_BEGINS)
        rc = check_types(env, kind, node, node->name, TYPES_TEXT);
    return !rc && node->op == OP_TYPE ? check_type_name(env, kind, node) : rc;
}

static int check_node(struct expr_env *env, enum expr_kind kind, const struct expr_node *node)
{
    int rc;
    switch (node->op) {
    case OP_OR:
    case OP_AND:
    case OP_NOT:
        return 0;
    case OP_EQ:
    case OP_NE:
        return check_distinct(env, kind, node, node->name);
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE:
        rc = check_distinct(env, kind, node, node->name);
        return rc ? rc : check_types(env, kind, node, node->name, TYPES_ORDERED);
    case OP_BETWEEN:
        return check_between(env, kind, node);
    case OP_IN:
        return check_in(env, kind, node);
    case OP_PLUS:
    case OP_MINUS:
        return check_types(env, kind, node, node->name, TYPE_BIT(ATTR_NUMBER));
    default:
        return check_function(env, kind, node);
    }
}

int expr_node_bind(
    struct expr_env *env, enum expr_kind kind, const struct expr_node *node, struct expr_node **out)
{
    struct expr_node *copy = arena_alloc(env->arena, sizeof(*copy));
    if (!copy)
        return expr_fail_memory(env);
    *copy = *node;
    copy->next = NULL;
    *out = copy;
    if (node->op == OP_PATH)
        return bind_path(env, kind, copy);
    if (node->op == OP_VALUE)
        return bind_value(env, kind, copy);
    copy->first = copy->last = NULL;
    copy->count = 0;
    for (const struct expr_node *at = node->first; at; at = at->next) {
        struct expr_node *child;
        int rc = expr_node_bind(env, kind, at, &child);
        if (rc)
            return rc;
        expr_node_add(copy, child);
    }
    return check_node(env, kind, copy);
}

/* ---- paths ---- */

size_t expr_paths_collect(const struct expr_node *node, const struct expr_node **path, size_t count)
{
    if (node->op == OP_PATH) {
        if (path)
            path[count] = node;
        return count + 1;
    }
    for (const struct expr_node *at = node->first; at; at = at->next)
        count = expr_paths_collect(at, path, count);
    return count;
}

struct text expr_paths_key(
    const struct expr_node *const *path, size_t paths, const struct text *keys, size_t count, bool nested)
{
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < paths && keys[k].len; i++)
            if (text_equal(path[i]->step[0].name, keys[k]) && (!nested || path[i]->count > 1))
                return keys[k];
    return TEXT_NONE;
}

static int step_compare(const struct expr_step *a, const struct expr_step *b)
{
    if (a->is_index != b->is_index)
        return a->is_index - b->is_index;
    if (a->is_index)
        return (a->index > b->index) - (a->index < b->index);
    return text_compare(a->name, b->name);
}

int expr_path_compare(const struct expr_node *a, const struct expr_node *b)
{
    for (uint32_t i = 0; i < a->count && i < b->count; i++) {
        int order = step_compare(&a->step[i], &b->step[i]);
        if (order)
            return order;
    }
    return (a->count > b->count) - (a->count < b->count);
}

/* Bottom-up merging: an outsider chooses up to 2,000 paths, and qsort would allocate. */
static void merge_runs(
    const struct expr_node *const *from, const struct expr_node **to, size_t low, size_t middle, size_t high)
{
    size_t left = low, right = middle;
    for (size_t i = low; i < high; i++) {
        bool take_left = left < middle && (right >= high || expr_path_compare(from[left], from[right]) <= 0);
        to[i] = take_left ? from[left++] : from[right++];
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

const struct expr_node **expr_paths_sort(
    struct arena *arena, const struct expr_node *const *path, size_t paths)
{
    const struct expr_node **from = arena_array(arena, paths + 1, sizeof(*from));
    const struct expr_node **to = arena_array(arena, paths + 1, sizeof(*to));
    if (!from || !to)
        return NULL;
    if (paths)
        memcpy(from, path, paths * sizeof(*from));
    for (size_t run = 1; run < paths; run *= 2) {
        for (size_t low = 0; low < paths; low += 2 * run)
            merge_runs(from, to, low, least(low + run, paths), least(low + 2 * run, paths));
        const struct expr_node **swap = from;
        from = to;
        to = swap;
    }
    return from;
}

/* What two neighbours in the sorted order have against each other. */
enum clash { CLASH_NONE, CLASH_CONFLICT, CLASH_OVERLAP };

static enum clash path_clash(const struct expr_node *a, const struct expr_node *b)
{
    for (uint32_t i = 0; i < a->count && i < b->count; i++) {
        if (a->step[i].is_index != b->step[i].is_index)
            return CLASH_CONFLICT;
        if (step_compare(&a->step[i], &b->step[i]))
            return CLASH_NONE;
    }
    return CLASH_OVERLAP;
}

static bool comes_first(
    const struct expr_node *const *path, size_t paths, const struct expr_node *a, const struct expr_node *b)
{
    for (size_t i = 0; i < paths; i++)
        if (path[i] == a || path[i] == b)
            return path[i] == a;
    return true;
}

/* A path and its continuations stand side by side when sorted, as do the names and the indexes after a common
 * beginning: neighbours tell all. */
int expr_paths_check(
    struct expr_env *env, enum expr_kind kind, const struct expr_node *const *path, size_t paths)
{
    const struct expr_node **sorted = expr_paths_sort(env->arena, path, paths);
    const struct expr_node *one = NULL, *two = NULL;
    enum clash worst = CLASH_NONE;
    if (!sorted)
        return expr_fail_memory(env);
    for (size_t i = 1; i < paths; i++) {
        enum clash clash = path_clash(sorted[i - 1], sorted[i]);
        if (clash <= worst)
            continue;
        worst = clash;
        one = sorted[i - 1];
        two = sorted[i];
    }
    if (!worst)
        return 0;
    bool ordered = comes_first(path, paths, one, two);
    struct text first = expr_path_text(env, ordered ? one : two),
                second = expr_path_text(env, ordered ? two : one);
    if (!first.data || !second.data)
        return expr_fail_memory(env);
    return EXPR_INVALID(env, kind,
        "Two document paths %s with each other; must remove or rewrite one of these paths; path one: %.*s, "
        "path two: %.*s",
        worst == CLASH_OVERLAP ? "overlap" : "conflict", TEXT_FMT(first), TEXT_FMT(second));
}

/* ---- conditions ---- */

int expr_condition_make(
    struct expr_env *env, const struct expr_node *root, const char *label, const struct expr_condition **out)
{
    struct expr_condition *condition = arena_zalloc(env->arena, sizeof(*condition));
    if (!condition)
        return expr_fail_memory(env);
    condition->label = label;
    condition->root = root;
    condition->paths = expr_paths_collect(root, NULL, 0);
    condition->path = arena_array(env->arena, condition->paths + 1, sizeof(*condition->path));
    if (!condition->path)
        return expr_fail_memory(env);
    expr_paths_collect(root, condition->path, 0);
    *out = condition;
    return 0;
}

int expr_condition_bind(struct expr_env *env, const struct expr_tree *tree, const struct expr_condition **out)
{
    struct expr_node *root;
    int rc = expr_node_bind(env, tree->kind, tree->root, &root);
    return rc ? rc
              : expr_condition_make(
                    env, root, tree->kind == EXPR_FILTER ? "Filter Expression" : "Condition Expression", out);
}

int expr_condition_parse(
    struct expr_env *env, enum expr_kind kind, struct text expression, const struct expr_condition **out)
{
    const struct expr_tree *tree;
    int rc = expr_tree_parse(env, kind, expression, env->arena, &tree);
    return rc ? rc : expr_condition_bind(env, tree, out);
}

int expr_condition_check_keys(
    struct expr_env *env, const struct expr_condition *condition, const struct text *keys, size_t count)
{
    if (!condition)
        return 0;
    struct text key = expr_paths_key(condition->path, condition->paths, keys, count, false);
    return key.len ? expr_fail(env, ERR_INVALID,
                         "%s can only contain non-primary key attributes: Primary key attribute: %.*s",
                         condition->label, TEXT_FMT(key))
                   : 0;
}

int expr_nested_key_fail(struct expr_env *env, struct text key)
{
    return key.len ? expr_fail(env, ERR_INVALID,
                         "Key attributes must be scalars; list random access '[]' and map lookup '.' are not "
                         "allowed: "
                         "Key: %.*s",
                         TEXT_FMT(key))
                   : 0;
}

int expr_condition_check_paths(
    struct expr_env *env, const struct expr_condition *condition, const struct text *keys, size_t count)
{
    return condition ? expr_nested_key_fail(
                           env, expr_paths_key(condition->path, condition->paths, keys, count, true))
                     : 0;
}

struct text expr_condition_name(const struct expr_condition *condition, size_t at)
{
    return condition && at < condition->paths ? condition->path[at]->step[0].name : TEXT_NONE;
}
