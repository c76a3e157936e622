/*
 * The environment of a request's expressions: its names and values, which of them were used, and the sentence
 * of the last failure.
 *
 * A request may carry 2 MB of names and values, so they are found by a hash table over the array that keeps
 * their order; all of it lies in the request's arena. Values are converted and checked before any expression
 * is read, because AWS reports them in that order.
 */
#include "store/expr_tree.h"

#include "base/assert.h"
#include "base/hash.h"

#include <stdarg.h>
#include <stdio.h>

#define SLOTS_MIN 16 /* for up to 8 aliases, which need no hash */
#define SMALL_SET 16 /* up to here comparing all pairs is the fastest way to find duplicates */

/* ---- sentences ---- */

const char *expr_kind_name(enum expr_kind kind)
{
    static const char *const name[] = {"ConditionExpression", "FilterExpression", "KeyConditionExpression",
        "ProjectionExpression", "UpdateExpression"};
    return name[kind];
}

const char *expr_type_name(enum attr_type type)
{
    static const char *const name[] = {"NULL", "BOOL", "N", "S", "B", "L", "M", "SS", "NS", "BS"};
    return name[type];
}

int expr_fail_memory(struct expr_env *env)
{
    env->code = ERR_MEMORY;
    env->message = TEXT("out of memory");
    return ERR_MEMORY;
}

static struct text format_text(struct arena *arena, const char *format, va_list list)
{
    va_list again;
    va_copy(again, list);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *data = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
    if (!data)
        return TEXT_NONE;
    vsnprintf(data, (size_t)len + 1, format, list);
    return text_make(data, (size_t)len);
}

int expr_fail(struct expr_env *env, int code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    env->message = format_text(env->arena, format, list);
    va_end(list);
    env->code = code;
    return env->message.data ? code : expr_fail_memory(env);
}

struct text expr_path_text(struct expr_env *env, const struct expr_node *path)
{
    size_t len = 2, at = 0;
    for (uint32_t i = 0; i < path->count; i++)
        len += path->step[i].name.len + 4;
    char *data = arena_alloc(env->arena, len);
    if (!data)
        return TEXT_NONE;
    data[at++] = '[';
    for (uint32_t i = 0; i < path->count; i++) {
        const struct expr_step *step = &path->step[i];
        if (i) {
            data[at++] = ',';
            data[at++] = ' ';
        }
        if (step->is_index)
            data[at++] = '[';
        memcpy(data + at, step->name.data, step->name.len);
        at += step->name.len;
        if (step->is_index)
            data[at++] = ']';
    }
    data[at++] = ']';
    return text_make(data, at);
}

/* ---- names and values ---- */

void expr_env_init(struct expr_env *env, struct arena *arena)
{
    *env = (struct expr_env){.arena = arena};
}

/* The place of an alias, or the first free one. Few aliases are looked through from the first slot on, which is where they then are, in their order. */
static uint32_t *slot_of(const struct expr_env *env, struct text alias)
{
    size_t i = env->slots == SLOTS_MIN ? 0 : hash_bytes(alias) & (env->slots - 1);
    while (env->slot[i] && !text_equal(env->alias[env->slot[i] - 1].alias, alias))
        i = (i + 1) & (env->slots - 1);
    return &env->slot[i];
}

static int reserve(struct expr_env *env, size_t room)
{
    size_t slots = SLOTS_MIN;
    if (room <= env->room)
        return 0;
    while (slots < room * 2)
        slots *= 2;
    struct expr_alias *alias = arena_array(env->arena, room, sizeof(*alias));
    uint32_t *slot = arena_zalloc(env->arena, slots * sizeof(*slot));
    if (!alias || !slot)
        return expr_fail_memory(env);
    if (env->aliases)
        memcpy(alias, env->alias, env->aliases * sizeof(*alias));
    env->alias = alias;
    env->slot = slot;
    env->room = room;
    env->slots = slots;
    for (size_t i = 0; i < env->aliases; i++)
        *slot_of(env, alias[i].alias) = (uint32_t)i + 1;
    return 0;
}

/* A repeated alias replaces the one before, as in any JSON object. */
static int add(struct expr_env *env, const struct expr_alias *alias)
{
    int rc = env->aliases == env->room ? reserve(env, env->room ? env->room * 2 : 8) : 0;
    if (rc)
        return rc;
    uint32_t *slot = slot_of(env, alias->alias);
    if (!*slot)
        *slot = (uint32_t)++env->aliases;
    env->alias[*slot - 1] = *alias;
    return 0;
}

int expr_env_add_name(struct expr_env *env, struct text alias, struct text name)
{
    return add(env, &(struct expr_alias){.alias = alias, .name = name});
}

int expr_env_add_value(struct expr_env *env, struct text alias, const struct attr *value)
{
    return add(env, &(struct expr_alias){.alias = alias, .value = value});
}

struct expr_alias *expr_alias_find(struct expr_env *env, struct text alias, bool use)
{
    if (!env->slots)
        return NULL;
    uint32_t slot = *slot_of(env, alias);
    if (!slot)
        return NULL;
    env->alias[slot - 1].used |= use;
    return &env->alias[slot - 1];
}

/* ---- values ---- */

static bool has_duplicate_small(const struct attr *set)
{
    for (const struct attr *a = set->first; a; a = a->next)
        for (const struct attr *b = a->next; b; b = b->next)
            if (text_equal(a->text, b->text))
                return true;
    return false;
}

/* 0, ERR_DUPLICATE, ERR_MEMORY. */
static int find_duplicate(struct arena *arena, const struct attr *set)
{
    if (set->count <= SMALL_SET)
        return has_duplicate_small(set) ? ERR_DUPLICATE : 0;
    struct arena_mark mark = arena_mark(arena);
    size_t slots = 64;
    while (slots < (size_t)set->count * 2)
        slots *= 2;
    const struct attr **slot = arena_zalloc(arena, slots * sizeof(*slot));
    int rc = slot ? 0 : ERR_MEMORY;
    for (const struct attr *at = set->first; at && !rc; at = at->next) {
        size_t i = hash_bytes(at->text) & (slots - 1);
        while (slot[i] && !text_equal(slot[i]->text, at->text))
            i = (i + 1) & (slots - 1);
        rc = slot[i] ? ERR_DUPLICATE : 0;
        slot[i] = at;
    }
    arena_rewind(arena, mark);
    return rc;
}

static int check_set(struct arena *arena, const struct attr *set, struct text *problem)
{
    struct err err = {0};
    int rc = set->count ? find_duplicate(arena, set) : ERR_DUPLICATE;
    if (rc != ERR_DUPLICATE)
        return rc;
    attr_set_fail(set, &err);
    *problem = arena_copy(arena, text_of(err.text));
    return problem->data ? ERR_INVALID : ERR_MEMORY;
}

static int check_value(struct arena *arena, const struct attr *value, struct text *problem)
{
    int rc = 0;
    if (value->type >= ATTR_STRING_SET)
        return check_set(arena, value, problem);
    for (const struct attr *at = value->first; at && !rc; at = at->next)
        rc = check_value(arena, at, problem);
    return rc;
}

int expr_value_read(struct expr_env *env, const struct json *json, struct attr **value, struct text *problem)
{
    struct err err = {0};
    int rc = attr_from_wire(env->arena, json, value, &err);
    if (rc) {
        *problem = arena_copy(env->arena, text_of(err.text));
        if (rc == ERR_MEMORY || !problem->data)
            return expr_fail_memory(env);
        return rc;
    }
    return expr_value_check(env, *value, problem);
}

int expr_value_check(struct expr_env *env, const struct attr *value, struct text *problem)
{
    int rc = check_value(env->arena, value, problem);
    return rc == ERR_MEMORY ? expr_fail_memory(env) : rc;
}

/* ---- a request ---- */

static const struct json *given(const struct json *request, const char *name)
{
    const struct json *value = json_get_str(request, name);
    return json_is(value, JSON_NULL) ? NULL : value;
}

static bool any_given(const struct json *request, const char *const *name, const char *but)
{
    for (; name && *name; name++)
        if (given(request, *name) && !(but && !strcmp(*name, but)))
            return true;
    return false;
}

static struct text list_given(
    struct arena *arena, const struct json *request, const char *const *name, const char *but)
{
    struct text list = TEXT("");
    for (; *name && list.data; name++)
        if (given(request, *name) && !(but && !strcmp(*name, but)))
            list = arena_format(arena, "%.*s%s%s", TEXT_FMT(list), list.len ? ", " : "", *name);
    return list;
}

static int check_mixing(struct expr_env *env, const struct json *request, const char *const *expressions,
    const char *const *legacy, bool any_expression)
{
    /* KeyConditions may go with a FilterExpression. */
    const char *but = given(request, "KeyConditionExpression") ? NULL : "KeyConditions";
    if (!any_expression || !any_given(request, legacy, but))
        return 0;
    struct text old = list_given(env->arena, request, legacy, but), new = list_given(env->arena, request, expressions, NULL);
    if (!old.data || !new.data)
        return expr_fail_memory(env);
    return expr_fail(env, ERR_INVALID,
        "Can not use both expression and non-expression parameters in the same request: Non-expression "
        "parameters: "
        "{%.*s} Expression parameters: {%.*s}",
        TEXT_FMT(old), TEXT_FMT(new));
}

/* "ExpressionAttributeValues can only be specified when using expressions: FilterExpression is null": values
   are of no use to a projection. Without any expression AWS names none. */
static int check_values_wanted(
    struct expr_env *env, const struct json *request, const char *const *expressions, bool any_expression)
{
    struct text list = TEXT("");
    size_t count = 0;
    if (!given(request, "ExpressionAttributeValues"))
        return 0;
    for (const char *const *name = expressions; *name; name++) {
        if (!strcmp(*name, "ProjectionExpression"))
            continue;
        if (given(request, *name))
            return 0;
        list = arena_format(env->arena, "%.*s%s%s", TEXT_FMT(list), count++ ? " and " : "", *name);
        if (!list.data)
            return expr_fail_memory(env);
    }
    return count && any_expression
               ? expr_fail(env, ERR_INVALID,
                     "ExpressionAttributeValues can only be specified when using expressions: %.*s %s null",
                     TEXT_FMT(list), count > 1 ? "are" : "is")
               : expr_fail(env, ERR_INVALID,
                     "ExpressionAttributeValues can only be specified when using expressions");
}

static int check_alias(struct expr_env *env, const char *parameter, struct text alias, char mark)
{
    bool good = alias.len > 1 && alias.data[0] == mark;
    if (alias.len > EXPR_ALIAS_MAX)
        return expr_fail(env, ERR_INVALID,
            "%s contains invalid key: The expression attribute map contains a key that is too long; size of "
            "key: %zu",
            parameter, alias.len);
    for (size_t i = 1; i < alias.len && good; i++) {
        char c = alias.data[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }
    return good ? 0
                : expr_fail(env, ERR_INVALID, "%s contains invalid key: Syntax error; key: \"%.*s\"",
                      parameter, TEXT_FMT(alias));
}

static int check_map(struct expr_env *env, const char *parameter, const struct json *map, char mark)
{
    int rc = 0;
    if (!json_is(map, JSON_OBJECT))
        return expr_fail(env, ERR_TYPE, "%s must be an object", parameter);
    if (!map->first)
        return expr_fail(env, ERR_INVALID, "%s must not be empty", parameter);
    for (const struct json *at = map->first; at && !rc; at = at->next)
        rc = check_alias(env, parameter, at->name, mark);
    return rc;
}

static int check_size(struct expr_env *env, const struct json *names, const struct json *values)
{
    size_t size = (names ? names->raw.len : 0) + (values ? values->raw.len : 0);
    return size > EXPR_SUBSTITUTES_MAX
               ? expr_fail(env, ERR_TOO_LARGE,
                     "Expression size has exceeded the maximum allowed size; expression size: %zu", size)
               : 0;
}

static int read_names(struct expr_env *env, const struct json *names)
{
    int rc = check_map(env, "ExpressionAttributeNames", names, '#');
    for (const struct json *at = rc ? NULL : names->first; at && !rc; at = at->next) {
        if (!json_is(at, JSON_STRING))
            return expr_fail(env, ERR_TYPE, "the name of %.*s must be a string", TEXT_FMT(at->name));
        if (!at->text.len)
            return expr_fail(env, ERR_INVALID,
                "ExpressionAttributeNames contains invalid value: Empty attribute name for key %.*s",
                TEXT_FMT(at->name));
        rc = expr_env_add_name(env, at->name, at->text);
    }
    return rc;
}

static int read_values(struct expr_env *env, const struct json *values)
{
    int rc = check_map(env, "ExpressionAttributeValues", values, ':');
    for (const struct json *at = rc ? NULL : values->first; at && !rc; at = at->next) {
        struct attr *value;
        struct text problem = TEXT("");
        rc = expr_value_read(env, at, &value, &problem);
        if (rc == ERR_MEMORY)
            return rc;
        if (rc == ERR_TYPE) /* said of the request, not of the expression */
            return expr_fail(env, ERR_TYPE, "%.*s", TEXT_FMT(problem));
        if (rc)
            return expr_fail(env, ERR_INVALID,
                "ExpressionAttributeValues contains invalid value: %.*s for key %.*s", TEXT_FMT(problem),
                TEXT_FMT(at->name));
        rc = expr_env_add_value(env, at->name, value);
    }
    return rc;
}

int expr_env_open(struct expr_env *env, struct arena *arena, const struct json *request,
    const char *const *expressions, const char *const *legacy)
{
    expr_env_init(env, arena);
    bool any_expression = any_given(request, expressions, NULL);
    int rc = check_mixing(env, request, expressions, legacy, any_expression);
    if (rc)
        return rc;
    const struct json *names = given(request, "ExpressionAttributeNames");
    const struct json *values = given(request, "ExpressionAttributeValues");
    if (names && !any_expression)
        return expr_fail(
            env, ERR_INVALID, "ExpressionAttributeNames can only be specified when using expressions");
    rc = check_values_wanted(env, request, expressions, any_expression);
    if (!rc)
        rc = check_size(env, names, values);
    if (!rc && (names || values))
        rc = reserve(env, (names ? names->count : 0) + (values ? values->count : 0) + 1);
    if (!rc && names)
        rc = read_names(env, names);
    if (!rc && values)
        rc = read_values(env, values);
    return rc;
}

/* ---- what was not used ---- */

/* AWS lists the unused keys as a Java HashSet iterates: by the hash of the string, in a table of this many
 * buckets. */
static uint32_t java_bucket(struct text text, uint32_t buckets)
{
    uint32_t hash = 0;
    for (size_t i = 0; i < text.len; i++) /* aliases are ASCII */
        hash = hash * 31 + (unsigned char)text.data[i];
    return (hash ^ hash >> 16) & (buckets - 1);
}

static uint32_t java_buckets(size_t count)
{
    uint32_t buckets = 16;
    while ((double)buckets * 0.75 < (double)count)
        buckets *= 2;
    return buckets;
}

/* The keys are listed up to this many: the sentence is for a person. */
#define UNUSED_LISTED 100

static size_t unused_collect(
    const struct expr_env *env, char mark, const struct expr_alias *unused[UNUSED_LISTED], uint32_t *buckets)
{
    size_t count = 0, all = 0;
    for (size_t i = 0; i < env->aliases; i++)
        all += env->alias[i].alias.len && env->alias[i].alias.data[0] == mark;
    *buckets = java_buckets(all);
    for (size_t i = 0; i < env->aliases && count < UNUSED_LISTED; i++)
        if (!env->alias[i].used && env->alias[i].alias.len && env->alias[i].alias.data[0] == mark)
            unused[count++] = &env->alias[i];
    return count;
}

static int check_unused(struct expr_env *env, char mark, const char *parameter)
{
    const struct expr_alias *unused[UNUSED_LISTED];
    struct text list = TEXT("");
    uint32_t buckets;
    size_t count = unused_collect(env, mark, unused, &buckets);
    if (!count)
        return 0;
    for (size_t i = 1; i < count; i++) /* insertion sort: stable, and there are few */
        for (size_t j = i;
             j && java_bucket(unused[j]->alias, buckets) < java_bucket(unused[j - 1]->alias, buckets); j--) {
            const struct expr_alias *swap = unused[j];
            unused[j] = unused[j - 1];
            unused[j - 1] = swap;
        }
    for (size_t i = 0; i < count && list.data; i++)
        list =
            arena_format(env->arena, "%.*s%s%.*s", TEXT_FMT(list), i ? ", " : "", TEXT_FMT(unused[i]->alias));
    if (!list.data)
        return expr_fail_memory(env);
    return expr_fail(env, ERR_INVALID, "Value provided in %s unused in expressions: keys: {%.*s}", parameter,
        TEXT_FMT(list));
}

int expr_env_close(struct expr_env *env)
{
    int rc = check_unused(env, '#', "ExpressionAttributeNames");
    return rc ? rc : check_unused(env, ':', "ExpressionAttributeValues");
}
