/*
 * Expressions from anywhere: a kind byte, the expression, a zero byte, then a stored item (item_decode).
 * Names #a..#d and values of every type stand ready. Whatever parses must print to something that parses to
 * the same print; conditions are evaluated, projections and updates applied, and the old item must come out
 * unchanged.
 */
#include "store/expr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_aliases(struct expr_env *env)
{
    static const char *const name[] = {"#a", "#b", "#c", "#d"};
    static struct attr element[] = {{.type = ATTR_STRING, .text = {"x", 1}},
        {.type = ATTR_NUMBER, .text = {"1", 1}}, {.type = ATTR_BINARY, .text = {"\0", 1}}};
    static const struct {
        const char *alias;
        struct attr value;
    } row[] = {
        {":z", {.type = ATTR_NULL}},
        {":t", {.type = ATTR_BOOL, .boolean = true}},
        {":n", {.type = ATTR_NUMBER, .text = {"12345678901234567890123456789012345678", 38}}},
        {":m", {.type = ATTR_NUMBER, .text = {"-0.5", 4}}},
        {":s", {.type = ATTR_STRING, .text = {"S", 1}}},
        {":e", {.type = ATTR_STRING, .text = {"", 0}}},
        {":b", {.type = ATTR_BINARY, .text = {"\0\xff", 2}}},
        {":l", {.type = ATTR_LIST, .count = 1, .first = &element[0], .last = &element[0]}},
        {":o", {.type = ATTR_MAP}},
        {":ss", {.type = ATTR_STRING_SET, .count = 1, .first = &element[0], .last = &element[0]}},
        {":ns", {.type = ATTR_NUMBER_SET, .count = 1, .first = &element[1], .last = &element[1]}},
        {":bs", {.type = ATTR_BINARY_SET, .count = 1, .first = &element[2], .last = &element[2]}},
    };
    for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
        if (expr_env_add_name(env, text_of(name[i]), text_of(name[i] + 1)))
            abort();
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        if (expr_env_add_value(env, text_of(row[i].alias), &row[i].value))
            abort();
}

static void print_again(struct expr_env *env, enum expr_kind kind, const struct expr_tree *tree)
{
    const struct expr_tree *again;
    struct buf first, second;
    buf_init(&first, 1 << 16);
    buf_init(&second, 1 << 16);
    if (expr_tree_format(tree, &first))
        abort();
    /* One spacing may be longer than what was written without any. */
    if (first.len <= EXPR_TEXT_MAX) {
        if (expr_tree_parse(env, kind, buf_text(&first), env->arena, &again) ||
            expr_tree_format(again, &second) || !text_equal(buf_text(&first), buf_text(&second)))
            abort();
    }
    buf_fini(&first);
    buf_fini(&second);
}

static void try_update(struct expr_env *env, const struct expr_tree *tree, const struct attr *item)
{
    const struct expr_update *update;
    const struct attr *out, *touched;
    struct err err;
    struct buf before, after;
    if (expr_update_bind(env, tree, &update))
        return;
    buf_init(&before, 16u << 20);
    buf_init(&after, 16u << 20);
    if (item_encode(&before, item))
        abort();
    if (!expr_update_apply(update, item, item, env->arena, &out, &err) && out) {
        if (item_check(out, NULL))
            abort();
        expr_update_touched(update, out, env->arena, &touched);
    }
    if (item_encode(&after, item) || !text_equal(buf_text(&before), buf_text(&after)))
        abort();
    buf_fini(&before);
    buf_fini(&after);
}

static void try_tree(
    struct expr_env *env, enum expr_kind kind, const struct expr_tree *tree, const struct attr *item)
{
    const struct expr_condition *condition;
    const struct expr_key_condition *keys;
    const struct expr_projection *projection;
    const struct attr *out;
    struct expr_key_range range;
    struct store_key schema = {
        .part = {{TEXT("a"), ATTR_STRING}, {TEXT("b"), ATTR_NUMBER}, {TEXT("c"), ATTR_BINARY}, {TEXT("d"), ATTR_STRING},
            {TEXT("e"), ATTR_NUMBER}}};
    switch (kind) {
    case EXPR_KEY_CONDITION:
        if (!expr_key_condition_bind(env, tree, &keys))
            for (size_t hashes = 1; hashes <= 2; hashes++) {
                schema.hashes = hashes;
                schema.ranges = 5 - hashes;
                expr_key_condition_resolve(env, keys, &schema, &range);
            }
        break;
    case EXPR_PROJECTION:
        if (!expr_projection_bind(env, tree, &projection))
            expr_projection_apply(projection, item, env->arena, &out);
        break;
    case EXPR_UPDATE:
        try_update(env, tree, item);
        break;
    default:
        if (!expr_condition_bind(env, tree, &condition)) {
            expr_condition_eval(condition, item);
            expr_condition_eval(condition, NULL);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct expr_env env;
    struct attr *item = NULL;
    const struct expr_tree *tree;
    if (!size)
        return 0;
    enum expr_kind kind = (enum expr_kind)(data[0] % (EXPR_UPDATE + 1));
    struct text text = text_make(data + 1, size - 1);
    ptrdiff_t end = text_find(text, 0, 0);
    struct text stored = end < 0 ? TEXT_NONE : text_make(text.data + end + 1, text.len - (size_t)end - 1);
    text.len = end < 0 ? text.len : (size_t)end;
    arena_init(&arena, 4096, 64u << 20);
    expr_env_init(&env, &arena);
    add_aliases(&env);
    if (!stored.len || item_decode(&arena, stored, &item) || item_check(item, NULL))
        item = item_create(&arena);
    if (!expr_tree_parse(&env, kind, text, &arena, &tree)) {
        print_again(&env, kind, tree);
        try_tree(&env, kind, tree, item);
    }
    expr_env_close(&env);
    arena_fini(&arena);
    return 0;
}
