/*
 * The parameters from before expressions (API reference, "Legacy conditional parameters"): Expected,
 * QueryFilter, ScanFilter, KeyConditions, AttributeUpdates, AttributesToGet. They become the same bound trees
 * as expressions, so that there is one evaluator.
 *
 * Names are whole top-level attribute names: a dot in one is a dot. Two operators have no twin among the
 * expressions and are composed: NOT_CONTAINS is `attribute_exists(a) AND NOT contains(a, v)`, NULL is
 * attribute_not_exists.
 */
#include "store/expr_tree.h"

#include <ctype.h>

#define INVALID "One or more parameter values were invalid: "

static const struct json *given(const struct json *object, const char *name)
{
    const struct json *value = json_get_str(object, name);
    return json_is(value, JSON_NULL) ? NULL : value;
}

/* "QueryFilter" as AWS writes it in paths: "queryFilter". */
static struct text path_name(struct expr_env *env, const char *parameter)
{
    return arena_format(env->arena, "%c%s", tolower((unsigned char)parameter[0]), parameter + 1);
}

/* ---- nodes ---- */

static struct expr_node *make_path(struct expr_env *env, struct text name)
{
    struct expr_node *node = expr_node_make(env->arena, OP_PATH);
    struct expr_step *step = arena_zalloc(env->arena, sizeof(*step));
    if (!node || !step)
        return NULL;
    step->name = name;
    step->is_alias = true;
    node->step = step;
    node->count = 1;
    return node;
}

static struct expr_node *make_value(struct expr_env *env, const struct attr *value)
{
    struct expr_node *node = expr_node_make(env->arena, OP_VALUE);
    if (node)
        node->value = value;
    return node;
}

/* op(path, value...) */
static struct expr_node *make_test(
    struct expr_env *env, enum expr_op op, struct text name, struct attr *const *value, size_t values)
{
    struct expr_node *node = expr_node_make(env->arena, op), *path = make_path(env, name);
    if (!node || !path)
        return NULL;
    expr_node_add(node, path);
    for (size_t i = 0; i < values; i++) {
        struct expr_node *operand = make_value(env, value[i]);
        if (!operand)
            return NULL;
        expr_node_add(node, operand);
    }
    return node;
}

static struct expr_node *make_not_contains(struct expr_env *env, struct text name, struct attr *const *value)
{
    struct expr_node *both = expr_node_make(env->arena, OP_AND),
                     *negation = expr_node_make(env->arena, OP_NOT);
    struct expr_node *exists = make_test(env, OP_EXISTS, name, NULL, 0);
    struct expr_node *contains = make_test(env, OP_CONTAINS, name, value, 1);
    if (!both || !negation || !exists || !contains)
        return NULL;
    expr_node_add(negation, contains);
    expr_node_add(both, exists);
    expr_node_add(both, negation);
    return both;
}

/* ---- operators ---- */

#define TYPE_BIT(type) (1u << (type))
#define TYPES_SCALAR (TYPE_BIT(ATTR_STRING) | TYPE_BIT(ATTR_NUMBER) | TYPE_BIT(ATTR_BINARY))
#define TYPES_ALL (~0u)
static const struct comparison {
    struct text name;
    enum expr_op op;
    size_t least, most; /* values */
    unsigned types;
    bool negated;   /* NOT_CONTAINS */
    bool indexable; /* fit for KeyConditions */
    enum store_range_op range;
} comparisons[] = {
    {TEXT("EQ"), OP_EQ, 1, 1, TYPES_ALL, false, true, STORE_RANGE_EQ},
    {TEXT("NE"), OP_NE, 1, 1, TYPES_ALL, false, false, STORE_RANGE_ALL},
    {TEXT("LE"), OP_LE, 1, 1, TYPES_SCALAR, false, true, STORE_RANGE_LE},
    {TEXT("LT"), OP_LT, 1, 1, TYPES_SCALAR, false, true, STORE_RANGE_LT},
    {TEXT("GE"), OP_GE, 1, 1, TYPES_SCALAR, false, true, STORE_RANGE_GE},
    {TEXT("GT"), OP_GT, 1, 1, TYPES_SCALAR, false, true, STORE_RANGE_GT},
    {TEXT("NOT_NULL"), OP_EXISTS, 0, 0, TYPES_ALL, false, false, STORE_RANGE_ALL},
    {TEXT("NULL"), OP_NOT_EXISTS, 0, 0, TYPES_ALL, false, false, STORE_RANGE_ALL},
    {TEXT("CONTAINS"), OP_CONTAINS, 1, 1, TYPES_SCALAR, false, false, STORE_RANGE_ALL},
    {TEXT("NOT_CONTAINS"), OP_CONTAINS, 1, 1, TYPES_SCALAR, true, false, STORE_RANGE_ALL},
    {TEXT("BEGINS_WITH"), OP_BEGINS, 1, 1, TYPE_BIT(ATTR_STRING) | TYPE_BIT(ATTR_BINARY), false, true,
        STORE_RANGE_PREFIX},
    {TEXT("IN"), OP_IN, 1, EXPR_IN_MAX, TYPES_SCALAR, false, false, STORE_RANGE_ALL},
    {TEXT("BETWEEN"), OP_BETWEEN, 2, 2, TYPES_SCALAR, false, true, STORE_RANGE_BETWEEN},
};

/* One condition of a map: its operator and values. */
struct term {
    struct text name;
    const struct comparison *comparison;
    struct attr **value;
    size_t values;
};

static int fail_operator(
    struct expr_env *env, const char *parameter, struct text name, const struct json *given_name)
{
    struct text path = path_name(env, parameter);
    if (!given_name)
        return expr_fail(env, ERR_INVALID,
            "1 validation error detected: Value null at '%.*s.%.*s.member.comparisonOperator' failed to "
            "satisfy constraint: "
            "Member must not be null",
            TEXT_FMT(path), TEXT_FMT(name));
    return expr_fail(env, ERR_INVALID,
        "1 validation error detected: Value '%.*s' at '%.*s.%.*s.member.comparisonOperator' failed to "
        "satisfy constraint: "
        "Member must satisfy enum value set: [IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, "
        "BEGINS_WITH, "
        "GE, CONTAINS]",
        TEXT_FMT(given_name->text), TEXT_FMT(path), TEXT_FMT(name));
}

static int read_operator(
    struct expr_env *env, const char *parameter, const struct json *condition, struct term *term)
{
    const struct json *name = given(condition, "ComparisonOperator");
    for (size_t i = 0; name && i < sizeof(comparisons) / sizeof(comparisons[0]); i++)
        if (text_equal(name->text, comparisons[i].name)) {
            term->comparison = &comparisons[i];
            return 0;
        }
    return fail_operator(env, parameter, term->name, name);
}

static int read_value(struct expr_env *env, const struct json *json, struct attr **value)
{
    struct text problem = TEXT("");
    int rc = expr_value_read(env, json, value, &problem);
    return rc && rc != ERR_MEMORY
               ? expr_fail(env, rc == ERR_TYPE ? ERR_TYPE : ERR_INVALID, "%.*s", TEXT_FMT(problem))
               : rc;
}

static int read_values(
    struct expr_env *env, const struct json *list, const struct json *single, struct term *term)
{
    int rc = 0;
    if (list && !json_is(list, JSON_ARRAY))
        return expr_fail(env, ERR_TYPE, "AttributeValueList must be an array");
    term->value = arena_array(env->arena, (list ? list->count : 0) + 1, sizeof(*term->value));
    if (!term->value)
        return expr_fail_memory(env);
    for (const struct json *at = list ? list->first : NULL; at && !rc; at = at->next)
        rc = read_value(env, at, &term->value[term->values++]);
    if (!rc && single)
        rc = read_value(env, single, &term->value[term->values++]);
    return rc;
}

static int check_term(struct expr_env *env, const struct term *term)
{
    const struct comparison *c = term->comparison;
    int order;
    if (term->values < c->least || term->values > c->most)
        return expr_fail(env, ERR_INVALID,
            INVALID "Invalid number of argument(s) for the %.*s ComparisonOperator", TEXT_FMT(c->name));
    for (size_t i = 1; i < term->values; i++)
        if (term->value[i]->type != term->value[0]->type)
            return expr_fail(
                env, ERR_INVALID, INVALID "AttributeValues inside AttributeValueList must be of same type");
    if (term->values && !(c->types & TYPE_BIT(term->value[0]->type)))
        return expr_fail(env, ERR_INVALID,
            INVALID "ComparisonOperator %.*s is not valid for %s AttributeValue type", TEXT_FMT(c->name),
            expr_type_name(term->value[0]->type));
    if (c->op == OP_BETWEEN && expr_value_order(term->value[0], term->value[1], &order) && order > 0)
        return expr_fail(env, ERR_INVALID,
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper "
            "bound");
    return 0;
}

static int read_term(
    struct expr_env *env, const char *parameter, const struct json *condition, struct term *term)
{
    *term = (struct term){.name = condition->name};
    if (!json_is(condition, JSON_OBJECT))
        return expr_fail(env, ERR_TYPE, "a condition must be an object");
    int rc = read_operator(env, parameter, condition, term);
    if (!rc)
        rc = read_values(env, given(condition, "AttributeValueList"), NULL, term);
    return rc ? rc : check_term(env, term);
}

static struct expr_node *term_node(struct expr_env *env, const struct term *term)
{
    return term->comparison->negated
               ? make_not_contains(env, term->name, term->value)
               : make_test(env, term->comparison->op, term->name, term->value, term->values);
}

/* ---- Expected ---- */

static int fail_expected(struct expr_env *env, const char *sentence, struct text name)
{
    return expr_fail(env, ERR_INVALID, INVALID "%s for Attribute: %.*s", sentence, TEXT_FMT(name));
}

static int read_compared(struct expr_env *env, const struct json *condition, struct term *term)
{
    const struct json *value = given(condition, "Value"), *list = given(condition, "AttributeValueList");
    if (given(condition, "Exists"))
        return fail_expected(env, "Exists and ComparisonOperator cannot be used together", term->name);
    int rc = read_operator(env, "Expected", condition, term);
    if (rc)
        return rc;
    if (!value && !list && term->comparison->least)
        return expr_fail(env, ERR_INVALID,
            INVALID
            "Value or AttributeValueList must be used with ComparisonOperator: %.*s for Attribute: %.*s",
            TEXT_FMT(term->comparison->name), TEXT_FMT(term->name));
    rc = read_values(env, list, value, term);
    return rc ? rc : check_term(env, term);
}

static int read_exists(struct expr_env *env, const struct json *condition, struct term *term)
{
    const struct json *exists = given(condition, "Exists"), *value = given(condition, "Value");
    if (exists && exists->type != JSON_TRUE && exists->type != JSON_FALSE)
        return expr_fail(env, ERR_TYPE, "Exists must be true or false");
    bool wanted = !exists || exists->type == JSON_TRUE;
    if (wanted && !value)
        return fail_expected(env,
            exists ? "Value must be provided when Exists is true"
                   : "Value must be provided when Exists is null",
            term->name);
    if (!wanted && value)
        return fail_expected(env, "Value cannot be used when Exists is false", term->name);
    term->comparison = &comparisons[wanted ? 0 : 7];
    return read_values(env, NULL, value, term);
}

static int read_expected(struct expr_env *env, const struct json *condition, struct term *term)
{
    *term = (struct term){.name = condition->name};
    if (!json_is(condition, JSON_OBJECT))
        return expr_fail(env, ERR_TYPE, "a condition must be an object");
    bool list = given(condition, "AttributeValueList");
    if (list && given(condition, "Value"))
        return fail_expected(env, "Value and AttributeValueList cannot be used together", term->name);
    if (given(condition, "ComparisonOperator"))
        return read_compared(env, condition, term);
    if (list)
        return fail_expected(
            env, "AttributeValueList can only be used with a ComparisonOperator", term->name);
    return read_exists(env, condition, term);
}

/* ---- conditions ---- */

static int check_conditional(struct expr_env *env, const struct json *json, struct text conditional)
{
    if (!conditional.len)
        return 0;
    if (!text_is(conditional, "AND") && !text_is(conditional, "OR"))
        return expr_fail(env, ERR_INVALID,
            "1 validation error detected: Value '%.*s' at 'conditionalOperator' failed to satisfy "
            "constraint: Member must "
            "satisfy enum value set: [OR, AND]",
            TEXT_FMT(conditional));
    if (!json)
        return expr_fail(env, ERR_INVALID, "ConditionalOperator cannot be used without Filter or Expected");
    if (json->count < 2)
        return expr_fail(env, ERR_INVALID,
            "ConditionalOperator can only be used when Filter or Expected has two or more elements");
    return 0;
}

static int check_object(struct expr_env *env, const char *parameter, const struct json *json)
{
    return json_is(json, JSON_OBJECT) ? 0 : expr_fail(env, ERR_TYPE, "%s must be an object", parameter);
}

int expr_legacy_condition(struct expr_env *env, const char *parameter, const struct json *json,
    struct text conditional, const struct expr_condition **out)
{
    bool expected = !strcmp(parameter, "Expected");
    *out = NULL;
    if (json_is(json, JSON_NULL))
        json = NULL;
    int rc = json ? check_object(env, parameter, json) : 0;
    if (!rc)
        rc = check_conditional(env, json, conditional);
    if (rc || !json || !json->first)
        return rc;
    struct expr_node *root = expr_node_make(env->arena, text_is(conditional, "OR") ? OP_OR : OP_AND);
    if (!root)
        return expr_fail_memory(env);
    for (const struct json *at = json->first; at; at = at->next) {
        struct term term;
        rc = expected ? read_expected(env, at, &term) : read_term(env, parameter, at, &term);
        if (rc)
            return rc;
        struct expr_node *node = term_node(env, &term);
        if (!node)
            return expr_fail_memory(env);
        expr_node_add(root, node);
    }
    return expr_condition_make(env, root, parameter, out);
}

int expr_legacy_key_conditions(
    struct expr_env *env, const struct json *json, const struct expr_key_condition **out)
{
    *out = NULL;
    if (!json || json->type == JSON_NULL)
        return 0;
    int rc = check_object(env, "KeyConditions", json);
    if (rc)
        return rc;
    struct expr_key_condition *made = arena_zalloc(env->arena, sizeof(*made));
    if (!made)
        return expr_fail_memory(env);
    made->legacy = true;
    for (const struct json *at = json->first; at; at = at->next) {
        struct term term;
        rc = read_term(env, "KeyConditions", at, &term);
        if (rc)
            return rc;
        if (!term.comparison->indexable)
            return expr_fail(
                env, ERR_INVALID, "Attempted conditional constraint is not an indexable operation");
        if (made->terms < KEY_TERMS_MAX)
            made->term[made->terms] = (struct expr_key_term){.name = term.name,
                .op = term.comparison->range,
                .low = term.value[0],
                .high = term.values > 1 ? term.value[1] : NULL};
        made->terms++;
    }
    if (!made->terms || made->terms > KEY_TERMS_MAX)
        return expr_fail(env, ERR_INVALID, "Conditions can be of length 1 or 2 only");
    *out = made;
    return 0;
}

/* ---- AttributesToGet ---- */

int expr_legacy_attributes(struct expr_env *env, const struct json *json, const struct expr_projection **out)
{
    *out = NULL;
    if (!json || json->type == JSON_NULL)
        return 0;
    if (!json_is(json, JSON_ARRAY))
        return expr_fail(env, ERR_TYPE, "AttributesToGet must be an array");
    if (!json->first)
        return expr_fail(env, ERR_INVALID,
            "1 validation error detected: Value '[]' at 'attributesToGet' failed to satisfy constraint: "
            "Member must have "
            "length greater than or equal to 1");
    struct expr_projection *made = arena_zalloc(env->arena, sizeof(*made));
    const struct expr_node **path = arena_array(env->arena, json->count, sizeof(*path));
    if (!made || !path)
        return expr_fail_memory(env);
    for (const struct json *at = json->first; at; at = at->next) {
        if (!json_is(at, JSON_STRING))
            return expr_fail(env, ERR_TYPE, "AttributesToGet must hold strings");
        path[made->paths] = make_path(env, at->text);
        if (!path[made->paths++])
            return expr_fail_memory(env);
    }
    made->path = expr_paths_sort(env->arena, path, made->paths);
    if (!made->path)
        return expr_fail_memory(env);
    for (size_t i = 1; i < made->paths; i++)
        if (!expr_path_compare(made->path[i - 1], made->path[i]))
            return expr_fail(env, ERR_INVALID, INVALID "Duplicate value in attribute name: %.*s",
                TEXT_FMT(made->path[i]->step[0].name));
    *out = made;
    return 0;
}

/* ---- AttributeUpdates ---- */

static int read_action(struct expr_env *env, const struct json *update, enum expr_section *section)
{
    const struct json *action = given(update, "Action");
    if (!action || text_is(action->text, "PUT"))
        *section = SECTION_SET;
    else if (text_is(action->text, "ADD"))
        *section = SECTION_ADD;
    else if (text_is(action->text, "DELETE"))
        *section = SECTION_DELETE;
    else
        return expr_fail(env, ERR_INVALID,
            "1 validation error detected: Value '%.*s' at 'attributeUpdates.%.*s.member.action' failed to "
            "satisfy "
            "constraint: Member must satisfy enum value set: [ADD, PUT, DELETE]",
            TEXT_FMT(action->text), TEXT_FMT(update->name));
    return 0;
}

static int check_action(struct expr_env *env, enum expr_section section, const struct attr *value)
{
    if (section == SECTION_DELETE && value->type < ATTR_STRING_SET)
        return expr_fail(env, ERR_INVALID,
            INVALID "DELETE action with value is not supported for the type %s", expr_type_name(value->type));
    if (section == SECTION_ADD && value->type != ATTR_NUMBER && value->type != ATTR_LIST &&
        value->type < ATTR_STRING_SET)
        return expr_fail(env, ERR_INVALID, INVALID "ADD action is not supported for the type %s",
            expr_type_name(value->type));
    return 0;
}

static int read_update(struct expr_env *env, const struct json *update, struct expr_action *action)
{
    struct attr *value;
    if (!json_is(update, JSON_OBJECT))
        return expr_fail(env, ERR_TYPE, "an update must be an object");
    const struct json *json = given(update, "Value");
    int rc = read_action(env, update, &action->section);
    if (rc)
        return rc;
    action->path = make_path(env, update->name);
    if (!action->path)
        return expr_fail_memory(env);
    if (!json && action->section != SECTION_DELETE)
        return expr_fail(
            env, ERR_INVALID, INVALID "Only DELETE action is allowed when no attribute value is specified");
    if (!json) {
        action->section = SECTION_REMOVE;
        return 0;
    }
    rc = read_value(env, json, &value);
    if (!rc)
        rc = check_action(env, action->section, value);
    if (rc)
        return rc;
    action->value = make_value(env, value);
    return action->value ? 0 : expr_fail_memory(env);
}

int expr_legacy_updates(struct expr_env *env, const struct json *json, const struct expr_update **out)
{
    *out = NULL;
    if (!json || json->type == JSON_NULL)
        return 0;
    int rc = check_object(env, "AttributeUpdates", json);
    if (rc)
        return rc;
    struct expr_update *made = arena_zalloc(env->arena, sizeof(*made));
    struct expr_action *action = arena_zalloc(env->arena, (json->count + 1) * sizeof(*action));
    const struct expr_node **path = arena_array(env->arena, json->count + 1, sizeof(*path));
    if (!made || !action || !path)
        return expr_fail_memory(env);
    *made = (struct expr_update){.action = action, .path = path, .clauses = 1, .legacy = true};
    for (const struct json *at = json->first; at; at = at->next) {
        rc = read_update(env, at, &action[made->actions]);
        if (rc)
            return rc;
        path[made->actions] = action[made->actions].path;
        made->actions++;
    }
    *out = made;
    return 0;
}
