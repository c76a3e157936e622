/* Forms say what expressions say: the same answers, the same refusals. */
#include "store/expr_build.h"

#include "store/fixture.h"

static struct expr_form value_form(const struct attr *value)
{
    return (struct expr_form){.op = FORM_VALUE, .value = value};
}

static struct expr_form path_form(const struct expr_form_step *step, uint32_t count)
{
    return (struct expr_form){.op = FORM_PATH, .step = step, .count = count};
}

static const struct attr *item_of(struct arena *arena, const char *json)
{
    const struct json *root;
    struct attr *item;
    struct err err;
    assert_int_equal(json_parse(arena, text_of(json), JSON_COPY, &root, &err), 0);
    assert_int_equal(item_from_wire(arena, root, &item, &err), 0);
    return item;
}

static void conditions(void **state)
{
    (void)state;
    static const struct expr_form_step a = {.name = {"a", 1}}, reserved[2] = {{.name = {"size", 4}}, {.index = 1, .is_index = true}};
    static const struct attr one = {.type = ATTR_NUMBER, .text = {"1", 1}}, text = {.type = ATTR_STRING, .text = {"x", 1}};
    struct arena arena;
    struct expr_env env;
    const struct expr_condition *condition;
    arena_init(&arena, 4096, 1 << 20);
    expr_env_init(&env, &arena);
    struct expr_form both = {.op = FORM_AND}, equal = {.op = FORM_EQ}, null = {.op = FORM_NULL};
    struct expr_form left = path_form(&a, 1), right = value_form(&one), path = path_form(reserved, 2);
    expr_form_add(&equal, &left);
    expr_form_add(&equal, &right);
    expr_form_add(&null, &path);
    expr_form_add(&both, &equal);
    expr_form_add(&both, &null);
    assert_int_equal(expr_form_condition(&env, EXPR_CONDITION, &both, &condition), 0);
    assert_true(expr_condition_eval(condition, item_of(&arena, "{\"a\":{\"N\":\"1.0\"},\"size\":{\"L\":[{\"S\":\"\"},{\"NULL\":true}]}}")));
    assert_false(expr_condition_eval(condition, item_of(&arena, "{\"a\":{\"N\":\"1\"},\"size\":{\"L\":[{\"NULL\":true},{\"S\":\"\"}]}}")));
    assert_false(expr_condition_eval(condition, item_of(&arena, "{\"a\":{\"N\":\"1\"}}")));
    assert_false(expr_condition_eval(condition, NULL));
    assert_true(text_is(expr_condition_name(condition, 0), "a") && text_is(expr_condition_name(condition, 1), "size"));

    struct expr_form begins = {.op = FORM_BEGINS}, of = path_form(&a, 1), with = value_form(&one);
    expr_form_add(&begins, &of);
    expr_form_add(&begins, &with);
    assert_int_equal(expr_form_condition(&env, EXPR_FILTER, &begins, &condition), ERR_INVALID);
    assert_true(text_is(env.message, "Invalid FilterExpression: Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"));
    with.value = &text;
    assert_int_equal(expr_form_condition(&env, EXPR_FILTER, &begins, &condition), 0);
    arena_fini(&arena);
}

static void columns(void **state)
{
    (void)state;
    static const struct expr_form_step a[2] = {{.name = {"a", 1}}, {.name = {"b", 1}}}, c = {.name = {"c", 1}};
    const struct text label[] = {TEXT("b"), TEXT("a"), TEXT("c"), TEXT("b")};
    struct arena arena;
    struct expr_env env;
    const struct expr_projection *projection;
    const struct attr *out;
    arena_init(&arena, 4096, 1 << 20);
    expr_env_init(&env, &arena);
    struct expr_form deep = path_form(a, 2), whole = path_form(a, 1), other = path_form(&c, 1);
    const struct expr_form *path[] = {&deep, &whole, &other, &other}; /* paths overlap, and a label comes twice: the last one stands */
    assert_int_equal(expr_form_columns(&env, path, label, 4, &projection), 0);
    const struct attr *item = item_of(&arena, "{\"a\":{\"M\":{\"b\":{\"N\":\"1\"}}},\"c\":{\"S\":\"x\"},\"d\":{\"S\":\"y\"}}");
    assert_int_equal(expr_projection_apply(projection, item, &arena, &out), 0);
    assert_true(attr_equal(out, item_of(&arena, "{\"b\":{\"S\":\"x\"},\"a\":{\"M\":{\"b\":{\"N\":\"1\"}}},\"c\":{\"S\":\"x\"}}")));
    assert_int_equal(out->count, 3);
    assert_int_equal(expr_projection_apply(projection, item_of(&arena, "{\"d\":{\"S\":\"y\"}}"), &arena, &out), 0);
    assert_int_equal(out->count, 0);
    arena_fini(&arena);
}

static void updates(void **state)
{
    (void)state;
    static const struct expr_form_step a = {.name = {"a", 1}}, b = {.name = {"b", 1}}, set = {.name = {"set", 3}};
    static const struct attr two = {.type = ATTR_NUMBER, .text = {"2", 1}};
    static struct attr element = {.type = ATTR_STRING, .text = {"y", 1}};
    static const struct attr more = {.type = ATTR_STRING_SET, .count = 1, .first = &element, .last = &element};
    struct arena arena;
    struct expr_env env;
    struct err err = {0};
    const struct expr_update *update;
    const struct attr *out;
    arena_init(&arena, 4096, 1 << 20);
    expr_env_init(&env, &arena);
    struct expr_form path_a = path_form(&a, 1), path_b = path_form(&b, 1), path_set = path_form(&set, 1);
    struct expr_form sum = {.op = FORM_PLUS}, left = path_a, right = value_form(&two), added = value_form(&more);
    expr_form_add(&sum, &left);
    expr_form_add(&sum, &right);
    const struct expr_form_action action[] = {{FORM_SET, &path_a, &sum}, {FORM_REMOVE, &path_b, NULL}, {FORM_ADD, &path_set, &added}};
    assert_int_equal(expr_form_update(&env, action, 3, &update), 0);
    const struct attr *item = item_of(&arena, "{\"a\":{\"N\":\"1\"},\"b\":{\"S\":\"x\"},\"set\":{\"SS\":[\"x\"]}}");
    assert_int_equal(expr_update_apply(update, item, item, &arena, &out, &err), 0);
    assert_true(attr_equal(out, item_of(&arena, "{\"a\":{\"N\":\"3\"},\"set\":{\"SS\":[\"x\",\"y\"]}}")));
    const struct expr_form_action twice[] = {{FORM_SET, &path_a, &right}, {FORM_REMOVE, &path_a, NULL}};
    assert_int_equal(expr_form_update(&env, twice, 2, &update), ERR_INVALID);
    assert_true(text_starts(env.message, TEXT("Invalid UpdateExpression: Two document paths overlap")));
    arena_fini(&arena);
}

static void values(void **state)
{
    (void)state;
    static struct attr element[2] = {{.type = ATTR_NUMBER, .text = {"1", 1}, .next = &element[1]}, {.type = ATTR_NUMBER, .text = {"1", 1}}};
    static const struct attr twice = {.type = ATTR_NUMBER_SET, .count = 2, .first = &element[0], .last = &element[1]}, empty = {.type = ATTR_STRING_SET};
    struct arena arena;
    struct expr_env env;
    struct attr *value;
    const struct json *json;
    struct err err;
    arena_init(&arena, 4096, 1 << 20);
    expr_env_init(&env, &arena);
    assert_int_equal(expr_form_value_check(&env, &twice), ERR_INVALID);
    assert_true(text_is(env.message, "Input collection contains duplicates"));
    assert_int_equal(expr_form_value_check(&env, &empty), ERR_INVALID);
    assert_int_equal(json_parse(&arena, TEXT("[{\"N\":\"1.50\"},{\"N\":5},{\"NS\":[\"1\",\"1.0\"]}]"), JSON_COPY, &json, &err), 0);
    assert_int_equal(expr_form_value(&env, json_at(json, 0), &value), 0);
    assert_true(text_is(value->text, "1.5"));
    assert_int_equal(expr_form_value(&env, json_at(json, 1), &value), ERR_TYPE);
    assert_int_equal(expr_form_value(&env, json_at(json, 2), &value), ERR_INVALID);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions),
        cmocka_unit_test(columns),
        cmocka_unit_test(updates),
        cmocka_unit_test(values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
