/*
 * Key conditions: an ordinary condition is parsed and then taken apart, because AWS's sentences tell what a
 * condition holds that a key condition must not. Two steps, as AWS has them: what can be said from the
 * expression alone (bind), and what needs the schema (resolve).
 *
 * Keys of several attributes (indexes since November 2025): every hash attribute needs '=', range attributes
 * are bound from the left, and only the last one bound may have another operator than '='.
 */
#include "store/expr_tree.h"

#define KIND EXPR_KEY_CONDITION

/* ---- from the expression ---- */

static int fail_operator(struct expr_env *env, struct text name)
{
    return expr_fail(
        env, ERR_INVALID, "Invalid operator used in KeyConditionExpression: %.*s", TEXT_FMT(name));
}

static int fail_first_operand(struct expr_env *env, struct text name)
{
    return expr_fail(env, ERR_INVALID,
        "Invalid condition in KeyConditionExpression: %.*s operator must have the key attribute as its first "
        "operand",
        TEXT_FMT(name));
}

static int check_operator(struct expr_env *env, const struct expr_node *node)
{
    switch (node->op) {
    case OP_OR:
        return fail_operator(env, TEXT("OR"));
    case OP_NOT:
        return fail_operator(env, TEXT("NOT"));
    case OP_IN:
        return fail_operator(env, TEXT("IN"));
    case OP_NE:
        return fail_operator(env, TEXT("<>"));
    case OP_EXISTS:
    case OP_NOT_EXISTS:
    case OP_TYPE:
    case OP_CONTAINS:
        return fail_operator(env, node->name);
    case OP_BETWEEN:
        return node->first->op == OP_PATH ? 0 : fail_first_operand(env, TEXT("BETWEEN"));
    case OP_BEGINS:
        return node->first->op == OP_PATH ? 0 : fail_first_operand(env, node->name);
    default:
        return 0;
    }
}

/* The one path among the operands. */
static int find_attribute(struct expr_env *env, const struct expr_node *node, const struct expr_node **path)
{
    *path = NULL;
    for (const struct expr_node *at = node->first; at; at = at->next) {
        if (at->op == OP_SIZE)
            return expr_fail(env, ERR_INVALID, "KeyConditionExpressions cannot contain nested operations");
        if (at->op != OP_PATH)
            continue;
        if (*path)
            return expr_fail(env, ERR_INVALID,
                "Invalid condition in KeyConditionExpression: Multiple attribute names used in one "
                "condition");
        if (at->count > 1)
            return expr_fail(
                env, ERR_INVALID, "KeyConditionExpressions cannot have conditions on nested attributes");
        *path = at;
    }
    return *path ? 0
                 : expr_fail(env, ERR_INVALID,
                       "Invalid condition in KeyConditionExpression: No key attribute specified");
}

static enum store_range_op range_op(enum expr_op op, bool value_first)
{
    switch (op) {
    case OP_LT:
        return value_first ? STORE_RANGE_GT : STORE_RANGE_LT;
    case OP_LE:
        return value_first ? STORE_RANGE_GE : STORE_RANGE_LE;
    case OP_GT:
        return value_first ? STORE_RANGE_LT : STORE_RANGE_GT;
    case OP_GE:
        return value_first ? STORE_RANGE_LE : STORE_RANGE_GE;
    case OP_BETWEEN:
        return STORE_RANGE_BETWEEN;
    case OP_BEGINS:
        return STORE_RANGE_PREFIX;
    default:
        return STORE_RANGE_EQ;
    }
}

static int add_term(struct expr_env *env, struct expr_key_condition *condition, const struct expr_node *node)
{
    const struct expr_node *path;
    int rc = check_operator(env, node);
    if (!rc)
        rc = find_attribute(env, node, &path);
    if (rc)
        return rc;
    for (size_t i = 0; i < condition->terms && i < KEY_TERMS_MAX; i++)
        if (text_equal(condition->term[i].name, path->step[0].name))
            return EXPR_INVALID(env, KIND, "KeyConditionExpressions must only contain one condition per key");
    if (condition->terms++ >= KEY_TERMS_MAX)
        return 0;
    bool value_first = node->first != path;
    struct expr_key_term *term = &condition->term[condition->terms - 1];
    term->name = path->step[0].name;
    term->op = range_op(node->op, value_first);
    term->low = (value_first ? node->first : node->first->next)->value;
    term->high = node->op == OP_BETWEEN ? node->last->value : NULL;
    return 0;
}

static int add_terms(struct expr_env *env, struct expr_key_condition *condition, const struct expr_node *node)
{
    int rc = 0;
    if (node->op != OP_AND)
        return add_term(env, condition, node);
    for (const struct expr_node *at = node->first; at && !rc; at = at->next)
        rc = add_terms(env, condition, at);
    return rc;
}

int expr_key_condition_bind(
    struct expr_env *env, const struct expr_tree *tree, const struct expr_key_condition **out)
{
    struct expr_node *root;
    int rc = expr_node_bind(env, KIND, tree->root, &root);
    if (rc)
        return rc;
    struct expr_key_condition *condition = arena_zalloc(env->arena, sizeof(*condition));
    if (!condition)
        return expr_fail_memory(env);
    rc = add_terms(env, condition, root);
    if (!rc)
        *out = condition;
    return rc;
}

int expr_key_condition_parse(
    struct expr_env *env, struct text expression, const struct expr_key_condition **out)
{
    const struct expr_tree *tree;
    int rc = expr_tree_parse(env, KIND, expression, env->arena, &tree);
    return rc ? rc : expr_key_condition_bind(env, tree, out);
}

/* ---- against the schema ---- */

static const struct expr_key_term *find_term(const struct expr_key_condition *condition, struct text name)
{
    for (size_t i = 0; i < condition->terms && i < KEY_TERMS_MAX; i++)
        if (text_equal(condition->term[i].name, name))
            return &condition->term[i];
    return NULL;
}

static int fail_missed(struct expr_env *env, struct text key)
{
    return expr_fail(env, ERR_INVALID, "Query condition missed key schema element: %.*s", TEXT_FMT(key));
}

/* `used`: bytes of the attributes of its kind before it. */
static int check_limits(struct expr_env *env, const struct expr_key_term *term, const struct attr *value,
    bool is_hash, size_t used)
{
    bool prefix = term->op == STORE_RANGE_PREFIX;
    if (value->type != ATTR_NUMBER && !value->text.len && !prefix)
        return expr_fail(env, ERR_INVALID,
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
            "contain an empty %s "
            "value. Key: %.*s",
            value->type == ATTR_STRING ? "string" : "binary", TEXT_FMT(term->name));
    if (value->type != ATTR_NUMBER && is_hash && used + value->text.len > ITEM_HASH_KEY_MAX)
        return expr_fail(env, ERR_INVALID,
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit "
            "of%d bytes",
            ITEM_HASH_KEY_MAX);
    if (value->type != ATTR_NUMBER && !is_hash && used + value->text.len > ITEM_RANGE_KEY_MAX)
        return expr_fail(env, ERR_INVALID,
            "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the "
            "size limit of "
            "%d bytes",
            ITEM_RANGE_KEY_MAX);
    return 0;
}

static size_t term_bytes(const struct expr_key_term *term)
{
    return term->low->type == ATTR_NUMBER ? 0 : term->low->text.len;
}

static int check_term(struct expr_env *env, const struct expr_key_term *term, enum attr_type type, bool is_hash,
    size_t used)
{
    const struct attr *value[2] = {term->low, term->high};
    for (int i = 0; i < 2; i++) {
        if (!value[i])
            continue;
        if (value[i]->type != type || (term->op == STORE_RANGE_PREFIX && type == ATTR_NUMBER))
            return expr_fail(env, ERR_INVALID,
                "One or more parameter values were invalid: Condition parameter type does not match schema "
                "type");
        int rc = check_limits(env, term, value[i], is_hash, used);
        if (rc)
            return rc;
    }
    return is_hash && term->op != STORE_RANGE_EQ
               ? expr_fail(env, ERR_INVALID, "Query key condition not supported")
               : 0;
}

static int resolve_hashes(struct expr_env *env, const struct expr_key_condition *condition,
    const struct store_key *key, struct expr_key_range *out)
{
    size_t used = 0;
    for (size_t i = 0; i < key->hashes; i++) {
        const struct expr_key_term *term = find_term(condition, key->part[i].name);
        if (!term)
            return fail_missed(env, key->part[i].name);
        int rc = check_term(env, term, key->part[i].type, true, used);
        if (rc)
            return rc;
        out->hash[i] = term->low;
        used += term_bytes(term);
    }
    return 0;
}

static int resolve_ranges(struct expr_env *env, const struct expr_key_condition *condition,
    const struct store_key *key, struct expr_key_range *out)
{
    size_t left = condition->terms - key->hashes, used = 0; /* each must be found, from the left */
    for (size_t i = 0; i < key->ranges && left; i++, left--) {
        const struct store_key_part *part = &key->part[key->hashes + i];
        const struct expr_key_term *term = find_term(condition, part->name);
        if (!term)
            return fail_missed(env, part->name);
        int rc = check_term(env, term, part->type, false, used);
        if (rc)
            return rc;
        if (left > 1) {
            if (term->op != STORE_RANGE_EQ)
                return expr_fail(env, ERR_INVALID, "Query key condition not supported");
            out->equal[out->equals++] = term->low;
            used += term_bytes(term);
            continue;
        }
        out->op = term->op;
        out->low = term->low;
        out->high = term->high;
    }
    return 0;
}

int expr_key_condition_resolve(struct expr_env *env, const struct expr_key_condition *condition,
    const struct store_key *key, struct expr_key_range *out)
{
    struct expr_key_range range = {.op = STORE_RANGE_ALL};
    size_t keys = store_key_parts(key);
    if (condition->legacy && condition->terms > 2 && keys <= 2)
        return expr_fail(env, ERR_INVALID, "Conditions can be of length 1 or 2 only");
    if (condition->terms > keys)
        return condition->legacy ? expr_fail(env, ERR_INVALID, "Query key condition not supported")
                                 : expr_fail(env, ERR_INVALID,
                                       "The number of query conditions (%zu) exceeds the number of key "
                                       "attributes defined in the "
                                       "schema (%zu)",
                                       condition->terms, keys);
    int rc = resolve_hashes(env, condition, key, &range);
    if (!rc)
        rc = resolve_ranges(env, condition, key, &range);
    if (!rc)
        *out = range;
    return rc;
}
