/* Key conditions, projections and the legacy parameters. */
#include "test_expr_fixture.h"

#define VALUES \
    "{':s':{'S':'a'},':t':{'S':'b'},':e':{'S':''},':n':{'N':'1'},':m':{'N':'5'},':b':{'B':'AA=='},':x':{'BOOL':true},':l':{'L':[]}}"

static const struct store_key one = {.part = {{TEXT("pk"), ATTR_STRING}, {TEXT("sk"), ATTR_NUMBER}}, .hashes = 1, .ranges = 1};
static const struct store_key texts = {.part = {{TEXT("pk"), ATTR_STRING}, {TEXT("sk"), ATTR_STRING}}, .hashes = 1, .ranges = 1};
static const struct store_key hash_only = {.part = {{TEXT("pk"), ATTR_STRING}}, .hashes = 1};
static const struct store_key many = {
    .part = {{TEXT("h1"), ATTR_STRING}, {TEXT("h2"), ATTR_NUMBER}, {TEXT("r1"), ATTR_STRING}, {TEXT("r2"), ATTR_NUMBER}, {TEXT("r3"), ATTR_STRING}},
    .hashes = 2,
    .ranges = 3};

static int resolve(struct expr_env *env, const char *expression, const struct store_key *schema, struct expr_key_range *range)
{
    const struct expr_key_condition *condition;
    env_of(env, "{'#p':'pk','#r':'sk'}", VALUES);
    int rc = expr_key_condition_parse(env, text_of(expression), &condition);
    return rc ? rc : expr_key_condition_resolve(env, condition, schema, range);
}

static void test_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        const struct store_key *schema;
        enum store_range_op op;
        const char *low, *high;
    } row[] = {
        {"pk = :s", &one, STORE_RANGE_ALL, NULL, NULL},
        {"pk = :s", &hash_only, STORE_RANGE_ALL, NULL, NULL},
        {":s = pk", &one, STORE_RANGE_ALL, NULL, NULL},
        {"#p = :s AND #r = :n", &one, STORE_RANGE_EQ, "1", NULL},
        {"pk = :s AND sk < :n", &one, STORE_RANGE_LT, "1", NULL},
        {"pk = :s AND sk <= :n", &one, STORE_RANGE_LE, "1", NULL},
        {"sk > :n AND pk = :s", &one, STORE_RANGE_GT, "1", NULL},
        {"(pk = :s) and (sk >= :n)", &one, STORE_RANGE_GE, "1", NULL},
        {"(pk = :s AND :n < sk)", &one, STORE_RANGE_GT, "1", NULL},
        {":n >= sk AND pk = :s", &one, STORE_RANGE_LE, "1", NULL},
        {"pk = :s AND sk BETWEEN :n AND :m", &one, STORE_RANGE_BETWEEN, "1", "5"},
        {"pk = :s AND begins_with(sk, :t)", &texts, STORE_RANGE_PREFIX, "b", NULL},
        {"pk = :s AND begins_with(sk, :e)", &texts, STORE_RANGE_PREFIX, "", NULL},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct expr_env env;
        struct expr_key_range range;
        if (resolve(&env, row[i].expression, row[i].schema, &range))
            fail_msg("%s: %s", row[i].expression, env.message.data);
        assert_true(text_is(range.hash[0]->text, "a"));
        assert_int_equal(range.op, row[i].op);
        assert_int_equal(range.equals, 0);
        assert_true(!row[i].low == !range.low && (!range.low || text_is(range.low->text, row[i].low)));
        assert_true(!row[i].high == !range.high && (!range.high || text_is(range.high->text, row[i].high)));
    }
}

static void test_many_attributes(void **state)
{
    (void)state;
    struct expr_env env;
    struct expr_key_range range;
    assert_int_equal(resolve(&env, "h1 = :s AND h2 = :n", &many, &range), 0);
    assert_int_equal(range.op, STORE_RANGE_ALL);
    assert_true(text_is(range.hash[1]->text, "1"));
    assert_int_equal(resolve(&env, "r2 > :m AND h1 = :s AND r1 = :t AND h2 = :n", &many, &range), 0);
    assert_int_equal(range.equals, 1);
    assert_true(text_is(range.equal[0]->text, "b"));
    assert_int_equal(range.op, STORE_RANGE_GT);
    assert_true(text_is(range.low->text, "5"));
    assert_int_equal(resolve(&env, "h1=:s AND h2=:n AND r1=:s AND r2=:n AND begins_with(r3,:t)", &many, &range), 0);
    assert_int_equal(range.equals, 2);
    assert_int_equal(range.op, STORE_RANGE_PREFIX);
    expect_message("a hash", &env, resolve(&env, "h1 = :s AND r1 = :s", &many, &range), "Query condition missed key schema element: h2");
    expect_message("a gap", &env, resolve(&env, "h1 = :s AND h2 = :n AND r2 = :n", &many, &range), "Query condition missed key schema element: r1");
    expect_message("open range first", &env, resolve(&env, "h1=:s AND h2=:n AND r1 > :s AND r2 = :n", &many, &range), "Query key condition not supported");
    expect_message("too many", &env, resolve(&env, "h1=:s AND h2=:n AND r1=:s AND r2=:n AND r3=:s AND q=:n", &many, &range),
        "The number of query conditions (6) exceeds the number of key attributes defined in the schema (5)");
    expect_message("far too many", &env,
        resolve(&env, "h1=:s AND h2=:n AND r1=:s AND r2=:n AND r3=:s AND q=:n AND w=:n AND v=:n AND k9=:n AND k8=:n", &many, &range),
        "The number of query conditions (10) exceeds the number of key attributes defined in the schema (5)");
}

static void test_key_errors(void **state)
{
    (void)state;
#define TYPES "One or more parameter values were invalid: Condition parameter type does not match schema type"
#define IS "Invalid KeyConditionExpression: "
    static const struct {
        const char *expression, *message;
    } row[] = {
        {"", IS "The expression can not be empty;"},
        {"((pk = :s))", IS "The expression has redundant parentheses;"},
        {"pk", IS "Syntax error; token: \"<EOF>\", near: \"pk\""},
        {"sk = :n", "Query condition missed key schema element: pk"},
        {"other2 = :n", "Query condition missed key schema element: pk"},
        {"pk = :s AND q = :n", "Query condition missed key schema element: sk"},
        {"pk > :s", "Query key condition not supported"},
        {"begins_with(pk, :s)", "Query key condition not supported"},
        {"pk = :s OR sk = :n", "Invalid operator used in KeyConditionExpression: OR"},
        {"NOT pk = :s", "Invalid operator used in KeyConditionExpression: NOT"},
        {"pk IN (:s)", "Invalid operator used in KeyConditionExpression: IN"},
        {"pk <> :s", "Invalid operator used in KeyConditionExpression: <>"},
        {"attribute_exists(pk)", "Invalid operator used in KeyConditionExpression: attribute_exists"},
        {"pk = :s AND contains(sk, :n)", "Invalid operator used in KeyConditionExpression: contains"},
        {"pk = :s AND size(sk) = :n", "KeyConditionExpressions cannot contain nested operations"},
        {":n BETWEEN sk AND sk2", "Invalid condition in KeyConditionExpression: BETWEEN operator must have the key attribute as its first operand"},
        {"begins_with(:s, pk)", "Invalid condition in KeyConditionExpression: begins_with operator must have the key attribute as its first operand"},
        {"pk = sk", "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"},
        {"pk.a = :s", "KeyConditionExpressions cannot have conditions on nested attributes"},
        {":s = :t", "Invalid condition in KeyConditionExpression: No key attribute specified"},
        {"pk = :s AND sk > :n AND sk < :m", IS "KeyConditionExpressions must only contain one condition per key"},
        {"pk = :s AND sk > :n AND q = :m", "The number of query conditions (3) exceeds the number of key attributes defined in the schema (2)"},
        {"pk = :n", TYPES},
        {"pk = :s AND sk = :t", TYPES},
        {"pk = :s AND sk = :x", TYPES},
        {"pk = :s AND begins_with(sk, :t)", TYPES},
        {"pk = :s AND begins_with(sk, :n)", IS "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"pk = :s AND sk < :x", IS "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL"},
        {"pk = :s AND sk BETWEEN :m AND :n",
            IS "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:5}, "
               "upper bound operand: AttributeValue: {N:1}"},
        {"pk = :e", "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
        {"pk = :nope", IS "An expression attribute value used in expression is not defined; attribute value: :nope"},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct expr_env env;
        struct expr_key_range range;
        expect_message(row[i].expression, &env, resolve(&env, row[i].expression, &one, &range), row[i].message);
    }
}

/* ---- projections ---- */

static void test_projections(void **state)
{
    (void)state;
    static const char item[] =
        "{'a':{'N':'1'},'b':{'M':{'c':{'N':'2'},'d':{'N':'3'},'e':{'M':{'f':{'N':'4'}}}}},'l':{'L':[{'S':'x'},{'S':'y'},{'M':{'q':{'N':'5'}}}]},"
        "'c.d':{'S':'dot'},'s':{'SS':['p']}}";
    static const struct {
        const char *expression, *result;
    } row[] = {
        {"a", "{'a':{'N':'1'}}"},
        {"a, gone", "{'a':{'N':'1'}}"},
        {"gone", "{}"},
        {"gone.x, a.x, l.k, b[0]", "{}"},
        {"b.c, b.d", "{'b':{'M':{'c':{'N':'2'},'d':{'N':'3'}}}}"},
        {"b.e.f, b.c, b.gone", "{'b':{'M':{'c':{'N':'2'},'e':{'M':{'f':{'N':'4'}}}}}}"},
        {"b.e, s", "{'b':{'M':{'e':{'M':{'f':{'N':'4'}}}}},'s':{'SS':['p']}}"},
        {"l[1]", "{'l':{'L':[{'S':'y'}]}}"},
        {"l[2].q, l[0]", "{'l':{'L':[{'S':'x'},{'M':{'q':{'N':'5'}}}]}}"},
        {"l[7]", "{}"},
        {"#dot, a", "{'c.d':{'S':'dot'},'a':{'N':'1'}}"},
        {"b.#c", "{'b':{'M':{'c':{'N':'2'}}}}"},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct expr_env env;
        const struct expr_projection *projection;
        const struct attr *out;
        env_of(&env, "{'#dot':'c.d','#c':'c'}", NULL);
        if (expr_projection_parse(&env, text_of(row[i].expression), &projection))
            fail_msg("%s: %s", row[i].expression, env.message.data);
        struct attr *from = item_of(quoted(item));
        const char *before = wire_of(from);
        assert_int_equal(expr_projection_apply(projection, from, &arena, &out), 0);
        expect_item(row[i].expression, out, row[i].result);
        assert_string_equal(wire_of(from), before);
        assert_int_equal(expr_projection_apply(NULL, from, &arena, &out), 0);
        assert_ptr_equal(out, from);
    }
}

static void test_projection_errors(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *message;
    } row[] = {
        {"", "The expression can not be empty;"},
        {"a,", "Syntax error; token: \"<EOF>\", near: \",\""},
        {"a b", "Syntax error; token: \"b\", near: \"a b\""},
        {"a[]", "Syntax error; token: \"]\", near: \"[]\""},
        {"a, :v", "Syntax error; token: \":v\", near: \", :v\""},
        {"size(a)", "Syntax error; token: \"(\", near: \"size(a\""},
        {"a, Name", "Attribute name is a reserved keyword; reserved keyword: Name"},
        {"#nope", "An expression attribute name used in the document path is not defined; attribute name: #nope"},
        {"a, a", "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"},
        {"#a, a", "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"},
        {"a, a.b", "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b]"},
        {"a[1].b, c, a[1]", "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, [1], b], path two: [a, [1]]"},
        {"a.b, a[1]", "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, [1]]"},
    };
    char want[1024];
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct expr_env env;
        const struct expr_projection *projection;
        env_of(&env, "{'#a':'a'}", NULL);
        int rc = expr_projection_parse(&env, text_of(row[i].expression), &projection);
        snprintf(want, sizeof(want), "Invalid ProjectionExpression: %s", row[i].message);
        expect_message(row[i].expression, &env, rc, want);
    }
    struct expr_env env;
    const struct expr_projection *projection;
    struct text keys[] = {TEXT("pk")};
    env_of(&env, NULL, NULL);
    assert_int_equal(expr_projection_parse(&env, TEXT("b, pk[0]"), &projection), 0);
    expect_message("key", &env, expr_projection_check_paths(&env, projection, keys, 1),
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk");
    assert_true(text_is(expr_projection_name(projection, 0), "b") || text_is(expr_projection_name(projection, 0), "pk"));
    assert_int_equal(expr_projection_name(projection, 2).len, 0);
}

/* ---- legacy conditions ---- */

#define ITEM "{'s':{'S':'hello'},'n':{'N':'5'},'ss':{'SS':['p','q']},'l':{'L':[{'N':'1'}]},'a.b':{'N':'1'}}"

static void test_legacy_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *json, *operator;
        bool holds, on_nothing;
    } row[] = {
        {"{'n':{'ComparisonOperator':'EQ','AttributeValueList':[{'N':'5'}]}}", "", true, false},
        {"{'n':{'ComparisonOperator':'NE','AttributeValueList':[{'N':'5'}]}}", "", false, true},
        {"{'n':{'ComparisonOperator':'LE','AttributeValueList':[{'N':'5'}]}}", "", true, false},
        {"{'n':{'ComparisonOperator':'LT','AttributeValueList':[{'N':'5'}]}}", "", false, false},
        {"{'n':{'ComparisonOperator':'GE','AttributeValueList':[{'N':'5'}]}}", "", true, false},
        {"{'n':{'ComparisonOperator':'GT','AttributeValueList':[{'N':'4'}]}}", "", true, false},
        {"{'n':{'ComparisonOperator':'NOT_NULL'}}", "", true, false},
        {"{'n':{'ComparisonOperator':'NULL'}}", "", false, true},
        {"{'s':{'ComparisonOperator':'CONTAINS','AttributeValueList':[{'S':'ell'}]}}", "", true, false},
        {"{'ss':{'ComparisonOperator':'CONTAINS','AttributeValueList':[{'S':'p'}]}}", "", true, false},
        {"{'s':{'ComparisonOperator':'NOT_CONTAINS','AttributeValueList':[{'S':'ell'}]}}", "", false, false},
        {"{'s':{'ComparisonOperator':'NOT_CONTAINS','AttributeValueList':[{'S':'z'}]}}", "", true, false},
        {"{'gone':{'ComparisonOperator':'NOT_CONTAINS','AttributeValueList':[{'S':'z'}]}}", "", false, false},
        {"{'s':{'ComparisonOperator':'BEGINS_WITH','AttributeValueList':[{'S':'he'}]}}", "", true, false},
        {"{'n':{'ComparisonOperator':'IN','AttributeValueList':[{'N':'1'},{'N':'5'}]}}", "", true, false},
        {"{'n':{'ComparisonOperator':'BETWEEN','AttributeValueList':[{'N':'1'},{'N':'5'}]}}", "", true, false},
        {"{'a.b':{'ComparisonOperator':'EQ','AttributeValueList':[{'N':'1'}]}}", "", true, false},
        {"{'l':{'ComparisonOperator':'EQ','AttributeValueList':[{'L':[{'N':'1'}]}]}}", "", true, false},
        {"{'n':{'ComparisonOperator':'EQ','AttributeValueList':[{'N':'5'}]},'s':{'ComparisonOperator':'NULL'}}", "", false, false},
        {"{'n':{'ComparisonOperator':'EQ','AttributeValueList':[{'N':'5'}]},'s':{'ComparisonOperator':'NULL'}}", "AND", false, false},
        {"{'n':{'ComparisonOperator':'EQ','AttributeValueList':[{'N':'5'}]},'s':{'ComparisonOperator':'NULL'}}", "OR", true, true},
        {"{}", "", true, true},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        for (int expected = 0; expected < 2; expected++) {
            struct expr_env env;
            const struct expr_condition *condition;
            expr_env_init(&env, &arena);
            if (expr_legacy_condition(
                    &env, expected ? "Expected" : "ScanFilter", json_of(quoted(row[i].json)), text_of(row[i].operator), &condition))
                fail_msg("%s: %s", row[i].json, env.message.data);
            if (expr_condition_eval(condition, item_of(quoted(ITEM))) != row[i].holds)
                fail_msg("%s: not %d", row[i].json, row[i].holds);
            if (expr_condition_eval(condition, NULL) != row[i].on_nothing)
                fail_msg("%s without an item: not %d", row[i].json, row[i].on_nothing);
        }
}

static void test_expected(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        bool holds, on_nothing;
    } row[] = {
        {"{'n':{'Value':{'N':'5'}}}", true, false},
        {"{'n':{'Value':{'N':'6'},'Exists':true}}", false, false},
        {"{'n':{'Exists':false}}", false, true},
        {"{'n':{'ComparisonOperator':'GT','Value':{'N':'4'}}}", true, false},
        {"{'n':{'Value':{'N':'5'}},'gone':{'Exists':false}}", true, false},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct expr_env env;
        const struct expr_condition *condition;
        expr_env_init(&env, &arena);
        if (expr_legacy_condition(&env, "Expected", json_of(quoted(row[i].json)), TEXT_NONE, &condition))
            fail_msg("%s: %s", row[i].json, env.message.data);
        assert_int_equal(expr_condition_eval(condition, item_of(quoted(ITEM))), row[i].holds);
        assert_int_equal(expr_condition_eval(condition, NULL), row[i].on_nothing);
    }
}

static void test_legacy_condition_errors(void **state)
{
    (void)state;
#define BAD "One or more parameter values were invalid: "
    static const struct {
        const char *parameter, *json, *operator, *message;
    } row[] = {
        {"Expected", "{'a':{'Value':{'N':'1'},'AttributeValueList':[]}}", "", BAD "Value and AttributeValueList cannot be used together for Attribute: a"},
        {"Expected", "{'a':{'Exists':true,'ComparisonOperator':'EQ'}}", "", BAD "Exists and ComparisonOperator cannot be used together for Attribute: a"},
        {"Expected", "{'a':{'ComparisonOperator':'EQ'}}", "",
            BAD "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a"},
        {"Expected", "{'a':{'AttributeValueList':[]}}", "", BAD "AttributeValueList can only be used with a ComparisonOperator for Attribute: a"},
        {"Expected", "{'a':{}}", "", BAD "Value must be provided when Exists is null for Attribute: a"},
        {"Expected", "{'a':{'Exists':true}}", "", BAD "Value must be provided when Exists is true for Attribute: a"},
        {"Expected", "{'a':{'Exists':false,'Value':{'N':'1'}}}", "", BAD "Value cannot be used when Exists is false for Attribute: a"},
        {"Expected", "{'a':{'ComparisonOperator':'NULL','Value':{'N':'1'}}}", "", BAD "Invalid number of argument(s) for the NULL ComparisonOperator"},
        {"ScanFilter", "{'a':{'ComparisonOperator':'EQ'}}", "", BAD "Invalid number of argument(s) for the EQ ComparisonOperator"},
        {"ScanFilter", "{'a':{'ComparisonOperator':'BETWEEN','AttributeValueList':[{'N':'1'}]}}", "",
            BAD "Invalid number of argument(s) for the BETWEEN ComparisonOperator"},
        {"ScanFilter", "{'a':{'ComparisonOperator':'IN','AttributeValueList':[]}}", "", BAD "Invalid number of argument(s) for the IN ComparisonOperator"},
        {"ScanFilter", "{'a':{'ComparisonOperator':'IN','AttributeValueList':[{'N':'1'},{'S':'1'}]}}", "",
            BAD "AttributeValues inside AttributeValueList must be of same type"},
        {"ScanFilter", "{'a':{'ComparisonOperator':'LT','AttributeValueList':[{'BOOL':true}]}}", "",
            BAD "ComparisonOperator LT is not valid for BOOL AttributeValue type"},
        {"ScanFilter", "{'a':{'ComparisonOperator':'BEGINS_WITH','AttributeValueList':[{'N':'1'}]}}", "",
            BAD "ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type"},
        {"QueryFilter", "{'a':{'ComparisonOperator':'CONTAINS','AttributeValueList':[{'SS':['x']}]}}", "",
            BAD "ComparisonOperator CONTAINS is not valid for SS AttributeValue type"},
        {"ScanFilter", "{'a':{'ComparisonOperator':'BETWEEN','AttributeValueList':[{'N':'2'},{'N':'1'}]}}", "",
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"},
        {"ScanFilter", "{'a':{'ComparisonOperator':'EQ','AttributeValueList':[{'N':'x'}]}}", "", "The parameter cannot be converted to a numeric value: x"},
        {"QueryFilter", "{'a':{}}", "",
            "1 validation error detected: Value null at 'queryFilter.a.member.comparisonOperator' failed to satisfy constraint: Member must not be null"},
        {"ScanFilter", "{'a':{'ComparisonOperator':'LIKE'}}", "",
            "1 validation error detected: Value 'LIKE' at 'scanFilter.a.member.comparisonOperator' failed to satisfy constraint: Member must satisfy enum "
            "value set: [IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS]"},
        {"ScanFilter", "{'a':{'ComparisonOperator':'NULL'}}", "OR",
            "ConditionalOperator can only be used when Filter or Expected has two or more elements"},
        {"ScanFilter", "null", "AND", "ConditionalOperator cannot be used without Filter or Expected"},
        {"ScanFilter", "{'a':{'ComparisonOperator':'NULL'}}", "XOR",
            "1 validation error detected: Value 'XOR' at 'conditionalOperator' failed to satisfy constraint: Member must satisfy enum value set: [OR, AND]"},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct expr_env env;
        const struct expr_condition *condition;
        expr_env_init(&env, &arena);
        int rc = expr_legacy_condition(&env, row[i].parameter, json_of(quoted(row[i].json)), text_of(row[i].operator), &condition);
        expect_message(row[i].json, &env, rc, row[i].message);
    }
    struct expr_env env;
    const struct expr_condition *condition;
    struct text key = TEXT("a");
    expr_env_init(&env, &arena);
    assert_int_equal(
        expr_legacy_condition(&env, "QueryFilter", json_of(quoted("{'a':{'ComparisonOperator':'NULL'}}")), TEXT_NONE, &condition), 0);
    expect_message("key", &env, expr_condition_check_keys(&env, condition, &key, 1),
        "QueryFilter can only contain non-primary key attributes: Primary key attribute: a");
}

static void test_legacy_keys(void **state)
{
    (void)state;
    struct expr_env env;
    struct expr_key_range range;
    const struct expr_key_condition *condition;
    expr_env_init(&env, &arena);
    assert_int_equal(expr_legacy_key_conditions(&env,
                         json_of(quoted("{'sk':{'ComparisonOperator':'BETWEEN','AttributeValueList':[{'N':'1'},{'N':'2'}]},"
                                        "'pk':{'ComparisonOperator':'EQ','AttributeValueList':[{'S':'a'}]}}")),
                         &condition),
        0);
    assert_int_equal(expr_key_condition_resolve(&env, condition, &one, &range), 0);
    assert_int_equal(range.op, STORE_RANGE_BETWEEN);
    assert_true(text_is(range.high->text, "2"));
    expect_message("hash only", &env, expr_key_condition_resolve(&env, condition, &hash_only, &range), "Query key condition not supported");
    static const struct {
        const char *json, *message;
    } row[] = {
        {"{}", "Conditions can be of length 1 or 2 only"},
        {"{'a':{'ComparisonOperator':'NE','AttributeValueList':[{'N':'1'}]}}", "Attempted conditional constraint is not an indexable operation"},
        {"{'a':{'ComparisonOperator':'NOT_NULL'}}", "Attempted conditional constraint is not an indexable operation"},
        {"{'a':{'ComparisonOperator':'EQ'}}", BAD "Invalid number of argument(s) for the EQ ComparisonOperator"},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        expect_message(row[i].json, &env, expr_legacy_key_conditions(&env, json_of(quoted(row[i].json)), &condition), row[i].message);
    assert_int_equal(expr_legacy_key_conditions(&env, NULL, &condition), 0);
    assert_null(condition);
}

/* Three and more conditions are for indexes whose key has as many attributes. */
static void test_legacy_keys_of_many_attributes(void **state)
{
    (void)state;
    struct expr_env env;
    struct expr_key_range range;
    const struct expr_key_condition *condition;
    expr_env_init(&env, &arena);
    assert_int_equal(expr_legacy_key_conditions(&env,
                         json_of(quoted("{'r2':{'ComparisonOperator':'LT','AttributeValueList':[{'N':'5'}]},'h2':{'ComparisonOperator':'EQ','AttributeValueList':[{'N':'1'}]},"
                                        "'h1':{'ComparisonOperator':'EQ','AttributeValueList':[{'S':'a'}]},'r1':{'ComparisonOperator':'EQ','AttributeValueList':[{'S':'b'}]}}")),
                         &condition),
        0);
    assert_int_equal(expr_key_condition_resolve(&env, condition, &many, &range), 0);
    assert_int_equal(range.equals, 1);
    assert_true(text_is(range.equal[0]->text, "b"));
    assert_int_equal(range.op, STORE_RANGE_LT);
    assert_true(text_is(range.hash[0]->text, "a") && text_is(range.hash[1]->text, "1"));
    expect_message("two", &env, expr_key_condition_resolve(&env, condition, &one, &range), "Conditions can be of length 1 or 2 only");
    struct buf nine;
    buf_init(&nine, 4096);
    for (int i = 0; i < 9; i++)
        buf_add_format(&nine, "%c\"k%d\":{\"ComparisonOperator\":\"EQ\",\"AttributeValueList\":[{\"N\":\"1\"}]}", i ? ',' : '{', i);
    buf_add_text(&nine, TEXT("}"));
    struct text json = arena_copy(&arena, buf_text(&nine));
    expect_message("nine", &env, expr_legacy_key_conditions(&env, json_of(json.data), &condition), "Conditions can be of length 1 or 2 only");
    buf_fini(&nine);
}

/* Hash attributes have 2048 bytes together, range attributes 1024. */
static void test_bytes_together(void **state)
{
    (void)state;
    static const struct store_key key = {
        .part = {{TEXT("h1"), ATTR_STRING}, {TEXT("h2"), ATTR_STRING}, {TEXT("r1"), ATTR_STRING}, {TEXT("r2"), ATTR_STRING}}, .hashes = 2, .ranges = 2};
    static char filler[2049];
    memset(filler, 'k', sizeof(filler));
    static const struct {
        size_t h1, h2, r1, r2;
        const char *message;
    } row[] = {
        {2047, 1, 1023, 1, NULL},
        {2047, 2, 1, 1, "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"},
        {1, 1, 1023, 2, "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes"},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        const size_t bytes[] = {row[i].h1, row[i].h2, row[i].r1, row[i].r2};
        const char *const alias[] = {":a", ":b", ":c", ":d"};
        struct expr_env env;
        struct expr_key_range range;
        const struct expr_key_condition *condition;
        struct attr value[4];
        expr_env_init(&env, &arena);
        for (int k = 0; k < 4; k++) {
            value[k] = (struct attr){.type = ATTR_STRING, .text = text_make(filler, bytes[k])};
            assert_int_equal(expr_env_add_value(&env, text_of(alias[k]), &value[k]), 0);
        }
        assert_int_equal(expr_key_condition_parse(&env, TEXT("h1 = :a AND h2 = :b AND r1 = :c AND r2 > :d"), &condition), 0);
        int rc = expr_key_condition_resolve(&env, condition, &key, &range);
        if (row[i].message)
            expect_message("together", &env, rc, row[i].message);
        else
            assert_int_equal(rc, 0);
    }
}

static void test_legacy_attributes(void **state)
{
    (void)state;
    struct expr_env env;
    const struct expr_projection *projection;
    const struct attr *out;
    expr_env_init(&env, &arena);
    assert_int_equal(expr_legacy_attributes(&env, json_of("[\"n\",\"gone\",\"a.b\"]"), &projection), 0);
    assert_int_equal(expr_projection_apply(projection, item_of(quoted(ITEM)), &arena, &out), 0);
    expect_item("AttributesToGet", out, "{'n':{'N':'5'},'a.b':{'N':'1'}}");
    expect_message("twice", &env, expr_legacy_attributes(&env, json_of("[\"n\",\"a\",\"n\"]"), &projection),
        BAD "Duplicate value in attribute name: n");
    expect_message("empty", &env, expr_legacy_attributes(&env, json_of("[]"), &projection),
        "1 validation error detected: Value '[]' at 'attributesToGet' failed to satisfy constraint: Member must have length greater than or equal to 1");
    assert_int_equal(expr_legacy_attributes(&env, NULL, &projection), 0);
    assert_null(projection);
}

static void test_legacy_updates(void **state)
{
    (void)state;
    static const struct {
        const char *json, *item, *result, *message;
    } row[] = {
        {"{'a':{'Value':{'N':'1'}}}", NULL, "{'pk':{'S':'k'},'a':{'N':'1'}}", NULL},
        {"{'n':{'Action':'PUT','Value':{'S':'x'}}}", "{'n':{'N':'5'}}", "{'n':{'S':'x'}}", NULL},
        {"{'n':{'Action':'ADD','Value':{'N':'2'}}}", "{'n':{'N':'5'}}", "{'n':{'N':'7'}}", NULL},
        {"{'n':{'Action':'ADD','Value':{'N':'2'}}}", NULL, "{'pk':{'S':'k'},'n':{'N':'2'}}", NULL},
        {"{'s':{'Action':'ADD','Value':{'SS':['q','r']}}}", "{'s':{'SS':['p','q']}}", "{'s':{'SS':['p','q','r']}}", NULL},
        {"{'l':{'Action':'ADD','Value':{'L':[{'N':'2'}]}}}", "{'l':{'L':[{'N':'1'}]}}", "{'l':{'L':[{'N':'1'},{'N':'2'}]}}", NULL},
        {"{'n':{'Action':'DELETE'}}", "{'n':{'N':'5'},'z':{'N':'1'}}", "{'z':{'N':'1'}}", NULL},
        {"{'n':{'Action':'DELETE'}}", NULL, NULL, NULL},
        {"{'s':{'Action':'DELETE','Value':{'SS':['p']}}}", "{'s':{'SS':['p','q']}}", "{'s':{'SS':['q']}}", NULL},
        {"{'s':{'Action':'DELETE','Value':{'SS':['p','q']}}}", "{'s':{'SS':['p','q']}}", "{}", NULL},
        {"{}", "{'n':{'N':'5'}}", "{'n':{'N':'5'}}", NULL},
        {"{}", NULL, "{'pk':{'S':'k'}}", NULL},
        {"{'n':{'Action':'ADD','Value':{'N':'2'}}}", "{'n':{'S':'x'}}", NULL, "Type mismatch for attribute to update"},
        {"{'n':{'Action':'DELETE','Value':{'SS':['x']}}}", "{'n':{'S':'x'}}", NULL, "Type mismatch for attribute to update"},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct expr_env env;
        struct err err = {0};
        const struct expr_update *update;
        const struct attr *out = NULL;
        expr_env_init(&env, &arena);
        if (expr_legacy_updates(&env, json_of(quoted(row[i].json)), &update))
            fail_msg("%s: %s", row[i].json, env.message.data);
        int rc = expr_update_apply(update, item_of(quoted(row[i].item)), item_of(quoted("{'pk':{'S':'k'}}")), &arena, &out, &err);
        if (row[i].message) {
            assert_int_not_equal(rc, 0);
            assert_string_equal(err.text, row[i].message);
        } else {
            assert_int_equal(rc, 0);
            expect_item(row[i].json, out, row[i].result);
        }
    }
    static const struct {
        const char *json, *message;
    } bad[] = {
        {"{'a':{}}", BAD "Only DELETE action is allowed when no attribute value is specified"},
        {"{'a':{'Action':'ADD'}}", BAD "Only DELETE action is allowed when no attribute value is specified"},
        {"{'a':{'Action':'DELETE','Value':{'N':'1'}}}", BAD "DELETE action with value is not supported for the type N"},
        {"{'a':{'Action':'ADD','Value':{'S':'1'}}}", BAD "ADD action is not supported for the type S"},
        {"{'a':{'Value':{'SS':[]}}}", BAD "An string set  may not be empty"},
        {"{'a':{'Action':'UP','Value':{'S':'1'}}}",
            "1 validation error detected: Value 'UP' at 'attributeUpdates.a.member.action' failed to satisfy constraint: Member must satisfy enum value "
            "set: [ADD, PUT, DELETE]"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct expr_env env;
        const struct expr_update *update;
        expr_env_init(&env, &arena);
        expect_message(bad[i].json, &env, expr_legacy_updates(&env, json_of(quoted(bad[i].json)), &update), bad[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ranges, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_many_attributes, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_key_errors, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_projections, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_projection_errors, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_legacy_conditions, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_expected, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_legacy_condition_errors, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_legacy_keys, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_legacy_keys_of_many_attributes, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_bytes_together, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_legacy_attributes, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_legacy_updates, arena_setup, arena_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
