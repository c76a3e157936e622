/*
 * DynamoDB's expressions over item trees: conditions and filters, key conditions, projections, updates; and the legacy parameters,
 * which become the same trees. Grammar, limits and wording: Amazon DynamoDB Developer Guide, "Using expressions"; API reference,
 * "Legacy conditional parameters".
 *
 * The order of one request, which is also AWS's order of checks:
 *   expr_env_open        mixing of old and new parameters, then names and values        (needs the request alone)
 *   expr_*_parse         each expression, or expr_legacy_* each legacy parameter          "
 *   expr_env_close       names and values that no expression used                         "
 *   expr_*_check_keys    what the table's keys forbid                                   (needs the table)
 *   expr_*_eval/apply    on an item
 *
 * Failures up to check_keys answer a negative code (ERR_INVALID, ERR_TOO_LARGE: ValidationException; ERR_MEMORY) and leave AWS's whole
 * sentence in env->message. Eval and apply fill a struct err instead, because they run in other places with a bound tree alone.
 *
 * Everything parsed lives in the arena given, borrows the texts of the request (the JSON tree must live as long), is immutable once
 * returned and may be read by any thread. Recursion is bounded by EXPR_DEPTH_MAX. No call allocates but from an arena.
 */
#ifndef WEIR_STORE_EXPR_H
#define WEIR_STORE_EXPR_H

#include "store/item.h"
#include "store/store.h"

#define EXPR_TEXT_MAX 4096            /* bytes of one expression */
#define EXPR_OPERATORS_MAX 300        /* operators and functions of one expression */
#define EXPR_ALIAS_MAX 255            /* bytes of "#name" or ":value" */
#define EXPR_SUBSTITUTES_MAX 2097152  /* bytes of all names and values of a request */
#define EXPR_IN_MAX 100               /* operands of IN */
#define EXPR_DEPTH_MAX 320            /* levels of parentheses and functions: more than 300 operators can give a meaning to */
#define EXPR_PATH_MAX 32              /* elements of a document path */

enum expr_kind { EXPR_CONDITION, EXPR_FILTER, EXPR_KEY_CONDITION, EXPR_PROJECTION, EXPR_UPDATE };

/* ---- the environment: one per request (per action of a transaction) ---- */
struct expr_alias;
struct expr_env {
    struct arena *arena;         /* borrowed: trees and messages live here */
    struct expr_alias *alias;    /* names and values in the order given */
    uint32_t *slot;              /* a hash table over them */
    size_t aliases, room, slots;
    int code;                    /* of the last failure */
    struct text message;         /* its sentence, NUL-terminated; empty when none */
};

/* An environment without names and values. */
void expr_env_init(struct expr_env *env, struct arena *arena);
/*
 * Initialises and reads a request (or one action of a transaction, or one entry of BatchGetItem's RequestItems).
 * `expressions`, `legacy`: the parameter names that this operation knows, each list ended by NULL, in AWS's order of naming them, e.g.
 * {"UpdateExpression", "ConditionExpression", NULL} and {"AttributeUpdates", "Expected", "ConditionalOperator", NULL}. `legacy` may be NULL.
 * Checks: both kinds in one request; ExpressionAttributeNames/Values without an expression, empty, with bad keys or bad values.
 * ERR_TYPE when a value's JSON has the wrong shape (SerializationException, if the caller has not found it before).
 */
int expr_env_open(struct expr_env *env, struct arena *arena, const struct json *request, const char *const *expressions,
    const char *const *legacy);
/* Adds one by hand (tests, PartiQL, native code): alias with its '#' or ':'. Any order, before the first parse. Borrows. */
int expr_env_add_name(struct expr_env *env, struct text alias, struct text name);
int expr_env_add_value(struct expr_env *env, struct text alias, const struct attr *value);
/* After the last parse: "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}". */
int expr_env_close(struct expr_env *env);

/* ---- parse trees ----
 * The syntax alone, with names and values still as written: independent of the request, so it may be kept and bound again by (kind, text).
 * `arena` (not env's when it is kept) holds it and `text` must live as long. The expr_*_parse calls below are parse and bind in one. */
struct expr_tree;
int expr_tree_parse(struct expr_env *env, enum expr_kind kind, struct text expression, struct arena *arena, const struct expr_tree **out);

/* ---- conditions and filters ---- */
struct expr_condition;
int expr_condition_bind(struct expr_env *env, const struct expr_tree *tree, const struct expr_condition **out);
/* `kind` EXPR_CONDITION or EXPR_FILTER (the prefix of the sentences). */
int expr_condition_parse(struct expr_env *env, enum expr_kind kind, struct text expression, const struct expr_condition **out);
/* Filters of a Query: no key attribute may appear ("Filter Expression can only contain non-primary key attributes: ..."). Key names of the
   table, or of the index that is queried; empty names are passed over. */
int expr_condition_check_keys(struct expr_env *env, const struct expr_condition *condition, const struct text *keys, size_t count);
/* Every condition, filter and projection: no path may lead into a key attribute ("Key attributes must be scalars; ..."). */
int expr_condition_check_paths(struct expr_env *env, const struct expr_condition *condition, const struct text *keys, size_t count);
/* item NULL: there is none. A comparison with a missing attribute is false, but for `<>`, which is true. condition NULL: true. Never fails. */
bool expr_condition_eval(const struct expr_condition *condition, const struct attr *item);

/* ---- key conditions ---- */
struct expr_key_condition;
int expr_key_condition_bind(struct expr_env *env, const struct expr_tree *tree, const struct expr_key_condition **out);
int expr_key_condition_parse(struct expr_env *env, struct text expression, const struct expr_key_condition **out);

/* For struct store_query: hash, equal, op, low, high. `equal`: leading range attributes of a multi-attribute key bound by '=' before `op`'s one. */
struct expr_key_range {
    const struct attr *hash[STORE_INDEX_KEYS_MAX];
    const struct attr *equal[STORE_INDEX_KEYS_MAX];
    size_t equals;                 /* 0 for a single range attribute: its '=' is STORE_RANGE_EQ in op */
    enum store_range_op op;        /* STORE_RANGE_ALL: no (further) range attribute is bound */
    const struct attr *low, *high;
};
/* `key`: see store_key_of. "Query condition missed key schema element: k", "Query key condition not supported", wrong types. */
int expr_key_condition_resolve(struct expr_env *env, const struct expr_key_condition *condition, const struct store_key *key,
    struct expr_key_range *out);

/* ---- projections ---- */
struct expr_projection;
int expr_projection_bind(struct expr_env *env, const struct expr_tree *tree, const struct expr_projection **out);
int expr_projection_parse(struct expr_env *env, struct text expression, const struct expr_projection **out);
int expr_projection_check_paths(struct expr_env *env, const struct expr_projection *projection, const struct text *keys, size_t count);
/* Builds the projected item in `arena` (values are copied shallowly: it borrows `item`'s texts and children). projection NULL: answers
   `item` itself. ERR_MEMORY. */
int expr_projection_apply(const struct expr_projection *projection, const struct attr *item, struct arena *arena, const struct attr **out);
/* The top-level attributes that it reads: for index projections. at counts from 0; an empty text ends. A name may come twice. */
struct text expr_projection_name(const struct expr_projection *projection, size_t at);
struct text expr_condition_name(const struct expr_condition *condition, size_t at);

/* ---- updates ---- */
struct expr_update;
int expr_update_bind(struct expr_env *env, const struct expr_tree *tree, const struct expr_update **out);
int expr_update_parse(struct expr_env *env, struct text expression, const struct expr_update **out);
/* "One or more parameter values were invalid: Cannot update attribute k. This attribute is part of the key" */
int expr_update_check_keys(struct expr_env *env, const struct expr_update *update, const struct text *keys, size_t count);
/*
 * `old` NULL: there is no item, and the new one begins as a copy of `key`. The right sides read the old item. *out is a new tree in
 * `arena` that may share unchanged parts with `old`; NULL when there was no item and the update only removes: then nothing is to be
 * written. update NULL: the item as it is, or the key alone. The result has passed item_check.
 * ERR_INVALID, ERR_TYPE, ERR_TOO_LARGE, ERR_TOO_DEEP with AWS's sentence (ValidationException); ERR_MEMORY.
 */
int expr_update_apply(const struct expr_update *update, const struct attr *old, const struct attr *key, struct arena *arena,
    const struct attr **out, struct err *err);
/*
 * The parts that the update names, taken from the old item (UPDATED_OLD) or the new one (UPDATED_NEW), nested as AWS answers them. *out is
 * NULL when there is nothing (also for `from` NULL): leave out "Attributes". ERR_MEMORY.
 */
int expr_update_touched(const struct expr_update *update, const struct attr *from, struct arena *arena, const struct attr **out);

/* ---- legacy parameters (JSON as it came; NULL parameter: *out = NULL, meaning none) ---- */
/* operator: ConditionalOperator, empty when not given. parameter: "Expected", "QueryFilter" or "ScanFilter". */
int expr_legacy_condition(struct expr_env *env, const char *parameter, const struct json *json, struct text conditional,
    const struct expr_condition **out);
int expr_legacy_key_conditions(struct expr_env *env, const struct json *json, const struct expr_key_condition **out);
int expr_legacy_updates(struct expr_env *env, const struct json *json, const struct expr_update **out);
int expr_legacy_attributes(struct expr_env *env, const struct json *json, const struct expr_projection **out);

/* ---- printing, for diagnostics and tests: the expression again, as written but in one spacing ---- */
int expr_tree_format(const struct expr_tree *tree, struct buf *out);

/* True for one of DynamoDB's reserved words, in any case. */
bool expr_is_reserved(struct text name);

#endif
