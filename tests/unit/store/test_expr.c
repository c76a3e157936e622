/* Conditions, filters and the environment: every function, operator, pair of types and sentence. */
#include "test_expr_fixture.h"

#define ITEM \
    "{'s':{'S':'hello'},'e':{'S':''},'n':{'N':'5'},'f':{'N':'-2.5'},'b':{'B':'AAEC'},'t':{'BOOL':true},'z':{'NULL':true}," \
    "'l':{'L':[{'S':'x'},{'N':'1'},{'L':[{'N':'9'}]}]},'m':{'M':{'k':{'S':'v'},'d':{'M':{'e':{'N':'7'}}}}}," \
    "'ss':{'SS':['p','q']},'ns':{'NS':['1','2']},'bs':{'BS':['AA==','AQ==']},'u':{'S':'h\xc3\xa9\xf0\x9f\x98\x80'}," \
    "'a.b':{'S':'dot'},'n2':{'N':'5'},'s2':{'S':'hello'},'ss2':{'SS':['q','p']}}"
#define VALUES \
    "{':s':{'S':'hello'},':he':{'S':'he'},':g':{'S':'g'},':i':{'S':'i'},':n':{'N':'5.0'},':n1':{'N':'1'},':n9':{'N':'9'}," \
    "':b':{'B':'AAEC'},':b0':{'B':'AAE='},':b9':{'B':'CQ=='},':t':{'BOOL':true},':f':{'BOOL':false},':z':{'NULL':true}," \
    "':l':{'L':[{'S':'x'},{'N':'1'},{'L':[{'N':'9'}]}]},':l9':{'L':[{'N':'9'}]},':m':{'M':{'d':{'M':{'e':{'N':'7'}}},'k':{'S':'v'}}}," \
    "':ss':{'SS':['q','p']},':ns':{'NS':['2','1']},':bs':{'BS':['AQ==','AA==']},':ss1':{'SS':['p']},':p':{'S':'p'},':ell':{'S':'ell'}," \
    "':e':{'S':''},':x':{'S':'x'},':tS':{'S':'S'},':tN':{'S':'N'},':tB':{'S':'B'},':tBOOL':{'S':'BOOL'},':tNULL':{'S':'NULL'}," \
    "':tL':{'S':'L'},':tM':{'S':'M'},':tSS':{'S':'SS'},':tNS':{'S':'NS'},':tBS':{'S':'BS'},':bad':{'S':'Q'},':A0':{'B':'AA=='}}"
#define NAMES "{'#s':'s','#k':'k','#dot':'a.b','#m':'m','#status':'status'}"

static bool eval(const char *expression, const char *item)
{
    struct expr_env env;
    const struct expr_condition *condition;
    env_of(&env, NAMES, VALUES);
    if (expr_condition_parse(&env, EXPR_CONDITION, text_of(expression), &condition))
        fail_msg("%s: %s", expression, env.message.data);
    return expr_condition_eval(condition, item_of(quoted(item)));
}

static void test_truth(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        bool holds, on_nothing; /* on the item; where there is gone */
    } row[] = {
        {"s = :s", true, false}, {"s = :he", false, false}, {"s = s2", true, false}, {":s = s", true, false},
        {"n = :n", true, false}, {"n = n2", true, false}, {"n = :s", false, false}, {"b = :b", true, false},
        {"t = :t", true, false}, {"t = :f", false, false}, {"z = :z", true, false}, {"l = :l", true, false},
        {"m = :m", true, false}, {"ss = :ss", true, false}, {"ss = ss2", true, false}, {"ns = :ns", true, false},
        {"bs = :bs", true, false}, {"ss = :ss1", false, false}, {"l = :l9", false, false}, {"e = :e", true, false},
        {"s <> :s", false, true}, {"s <> :he", true, true}, {"n <> :s", true, true}, {"gone <> :s", true, true},
        {"gone = :s", false, false}, {"gone <> gone2", true, true}, {"gone = gone2", false, false},
        {"s < :i", true, false}, {"s > :g", true, false}, {"s <= :s", true, false}, {"s >= :s", true, false},
        {"s < :s", false, false}, {"n < :n9", true, false}, {"n > :n1", true, false}, {"f < :n1", true, false},
        {"n >= :n", true, false}, {"n <= :n", true, false}, {"n > :n", false, false}, {"b > :b0", true, false},
        {"b < :b9", true, false}, {"s < :n9", false, false}, {"s > :n9", false, false}, {"ss < :i", false, false},
        {"gone < :n", false, false}, {"gone >= :n", false, false}, {":n < n", false, false},
        {"n BETWEEN :n1 AND :n9", true, false}, {"n between :n and :n", true, false}, {"s BETWEEN :g AND :i", true, false},
        {"n BETWEEN :n9 AND n2", false, false}, {"gone BETWEEN :n1 AND :n9", false, false}, {"b BETWEEN :b0 AND :b9", true, false},
        {"s BETWEEN :n1 AND :n9", false, false}, {":n BETWEEN n AND n2", true, false},
        {"n IN (:n1, :n)", true, false}, {"n in (:n1)", false, false}, {"s IN (n, s2)", true, false}, {"l IN (:l9, :l)", true, false},
        {"gone IN (:n)", false, false}, {"n IN (gone, :n)", true, false}, {":n IN (n)", true, false},
        {"attribute_exists(s)", true, false}, {"attribute_exists(gone)", false, false}, {"attribute_not_exists(gone)", true, true},
        {"attribute_not_exists(s)", false, true}, {"attribute_exists(m.d.e)", true, false}, {"attribute_exists(m.d.x)", false, false},
        {"attribute_exists(l[2][0])", true, false}, {"attribute_exists(l[3])", false, false}, {"attribute_exists(s.x)", false, false},
        {"attribute_exists(m[0])", false, false}, {"attribute_exists(l.k)", false, false},
        {"attribute_type(s, :tS)", true, false}, {"attribute_type(n, :tN)", true, false}, {"attribute_type(b, :tB)", true, false},
        {"attribute_type(t, :tBOOL)", true, false}, {"attribute_type(z, :tNULL)", true, false}, {"attribute_type(l, :tL)", true, false},
        {"attribute_type(m, :tM)", true, false}, {"attribute_type(ss, :tSS)", true, false}, {"attribute_type(ns, :tNS)", true, false},
        {"attribute_type(bs, :tBS)", true, false}, {"attribute_type(s, :tN)", false, false}, {"attribute_type(gone, :tS)", false, false},
        {"begins_with(s, :he)", true, false}, {"begins_with(s, :e)", true, false}, {"begins_with(s, :ell)", false, false},
        {"begins_with(b, :b0)", true, false}, {"begins_with(n, :he)", false, false}, {"begins_with(gone, :he)", false, false},
        {"begins_with(s, :b0)", false, false}, {"begins_with(:s, s)", true, false},
        {"contains(s, :ell)", true, false}, {"contains(s, :e)", true, false}, {"contains(s, :i)", false, false},
        {"contains(ss, :p)", true, false}, {"contains(ss, :i)", false, false}, {"contains(ns, :n1)", true, false},
        {"contains(ns, :p)", false, false}, {"contains(bs, :A0)", true, false}, {"contains(l, :n1)", true, false},
        {"contains(l, :l9)", true, false}, {"contains(l, :p)", false, false}, {"contains(m, :p)", false, false},
        {"contains(n, :n1)", false, false}, {"contains(gone, :p)", false, false}, {"contains(b, :b0)", true, false},
        {"contains(:s, s)", true, false}, {"contains(l, s)", false, false},
        {"size(s) = :n", true, false}, {"size(u) = :n4", false, false}, {"size(l) > :n1", true, false}, {"size(m) > :n1", true, false},
        {"size(ss) < :n", true, false}, {"size(b) < :n", true, false}, {"size(n) > :n1", false, false}, {"size(gone) < :n", false, false},
        {"size(t) <> :n", true, true}, {"size(s) = size(s2)", true, false}, {"size(:s) = n", true, false}, {"n = size(s)", true, false},
        {"size(s) BETWEEN :n1 AND :n9", true, false}, {"size(s) IN (:n)", true, false}, {"size(e) < :n1", true, false},
        {"NOT s = :s", false, true}, {"NOT NOT s = :s", true, false}, {"NOT (s = :s)", false, true}, {"not gone = :s", true, true},
        {"s = :s AND n = :n", true, false}, {"s = :s AND n = :n9", false, false}, {"s = :he OR n = :n", true, false},
        {"s = :he OR n = :n9", false, false}, {"s = :s OR n = :n9 AND n = :n1", true, false},
        {"(s = :s OR n = :n9) AND n = :n1", false, false}, {"NOT s = :s OR n = :n", true, true},
        {"NOT (s = :s OR n = :n)", false, true}, {"NOT s = :s AND n = :n9", false, false},
        {"s = :s aNd n BETWEEN :n1 AND :n9 Or gone = :s", true, false},
        {"(s) = (:s)", true, false}, {"(attribute_exists(s))", true, false}, {"((s) = :s)", true, false}, {"(size(s)) > :n1", true, false},
        {"attribute_exists((s))", true, false}, {"#s = :s", true, false}, {"#m.#k = :v0", false, false}, {"#dot = :s", false, false},
        {"attribute_exists(#dot)", true, false}, {"attribute_exists(m.#k)", true, false}, {"s=:s", true, false},
        {" \t\r\n s \n= :s ", true, false}, {"l[0] = :x", true, false}, {"l [ 0 ] = :x", true, false}, {"m . k <> :x", true, true},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        if (strstr(row[i].expression, ":n4") || strstr(row[i].expression, ":v0"))
            continue; /* those are in test_more */
        if (eval(row[i].expression, ITEM) != row[i].holds)
            fail_msg("%s: not %d", row[i].expression, row[i].holds);
        if (eval(row[i].expression, NULL) != row[i].on_nothing)
            fail_msg("%s without an item: not %d", row[i].expression, row[i].on_nothing);
    }
}

static void test_more(void **state)
{
    (void)state;
    struct expr_env env;
    const struct expr_condition *condition;
    /* A string's length counts UTF-16 units: h, e with acute, a surrogate pair. */
    env_of(&env, NULL, "{':n':{'N':'4'}}");
    assert_int_equal(expr_condition_parse(&env, EXPR_FILTER, TEXT("size(u) = :n"), &condition), 0);
    assert_true(expr_condition_eval(condition, item_of(quoted(ITEM))));
    assert_true(expr_condition_eval(NULL, NULL));
    assert_int_equal(expr_env_close(&env), 0);
    /* 38 digits are told apart. */
    env_of(&env, NULL, "{':n':{'N':'12345678901234567890123456789012345678'}}");
    assert_int_equal(expr_condition_parse(&env, EXPR_FILTER, TEXT("n < :n"), &condition), 0);
    assert_true(expr_condition_eval(condition, item_of(quoted("{'n':{'N':'12345678901234567890123456789012345677'}}"))));
    assert_false(expr_condition_eval(condition, item_of(quoted("{'n':{'N':'12345678901234567890123456789012345678'}}"))));
    assert_true(text_is(expr_condition_name(condition, 0), "n"));
    assert_int_equal(expr_condition_name(condition, 1).len, 0);
    /* A tree is parsed once and bound to other values. */
    const struct expr_tree *tree;
    expr_env_init(&env, &arena);
    assert_int_equal(expr_tree_parse(&env, EXPR_CONDITION, TEXT("#x = :x"), &arena, &tree), 0);
    for (int i = 0; i < 2; i++) {
        env_of(&env, i ? "{'#x':'a'}" : "{'#x':'b'}", i ? "{':x':{'N':'1'}}" : "{':x':{'N':'2'}}");
        assert_int_equal(expr_condition_bind(&env, tree, &condition), 0);
        assert_true(expr_condition_eval(condition, item_of(quoted("{'a':{'N':'1'},'b':{'N':'2'}}"))));
        assert_true(text_is(expr_condition_name(condition, 0), i ? "a" : "b"));
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *message;
    } row[] = {
        {"", "The expression can not be empty;"},
        {"s", "Syntax error; token: \"<EOF>\", near: \"s\""},
        {"s = ", "Syntax error; token: \"<EOF>\", near: \"= \""},
        {"s = = :s", "Syntax error; token: \"=\", near: \"= = :s\""},
        {"s = :s)", "Syntax error; token: \")\", near: \":s)\""},
        {"(s = :s", "Syntax error; token: \"<EOF>\", near: \":s\""},
        {"s = :s n = :n", "Syntax error; token: \"n\", near: \":s n =\""},
        {"s = 5", "Syntax error; token: \"5\", near: \"= 5\""},
        {"s = 'x'", "Syntax error; token: \"'\", near: \"= 'x\""},
        {"s ! :s", "Syntax error; token: \"!\", near: \"s ! :s\""},
        {"s = :", "Syntax error; token: \":\", near: \"= :\""},
        {"# = :s", "Syntax error; token: \"#\", near: \"# =\""},
        {"l[x] = :s", "Syntax error; token: \"x\", near: \"[x]\""},
        {"l[01] = :s", "Syntax error; token: \"1\", near: \"01]\""},
        {"l[", "Syntax error; token: \"<EOF>\", near: \"[\""},
        {"m. = :s", "Syntax error; token: \"=\", near: \". = :s\""},
        {"m.", "Syntax error; token: \"<EOF>\", near: \".\""},
        {"attribute_exists(", "Syntax error; token: \"<EOF>\", near: \"(\""},
        {"attribute_exists()", "Syntax error; token: \")\", near: \"()\""},
        {"n BETWEEN :n1", "Syntax error; token: \"<EOF>\", near: \":n1\""},
        {"n BETWEEN :n1 OR :n9", "Syntax error; token: \"OR\", near: \":n1 OR :n9\""},
        {"n IN :n", "Syntax error; token: \":n\", near: \"IN :n\""},
        {"n IN ()", "Syntax error; token: \")\", near: \"()\""},
        {"SET s = :s", "Syntax error; token: \"SET\", near: \"SET s\""},
        {"NOT s", "Syntax error; token: \"<EOF>\", near: \"s\""},
        {"(s) AND n = :n", "Syntax error; token: \"AND\", near: \") AND n\""},
        {"(s = :s) = :s", "Syntax error; token: \"=\", near: \") = :s\""},
        {"(s AND n = :n)", "Syntax error; token: \"AND\", near: \"s AND n\""},
        {"s = :s OR n", "Syntax error; token: \"<EOF>\", near: \"n\""},
        {"s = \xc3\xa9", "Syntax error; token: \"\xc3\xa9\", near: \"= \xc3\xa9\""},
        {"((s = :s))", "The expression has redundant parentheses;"},
        {"((s)) = :s", "The expression has redundant parentheses;"},
        {"s = ((:s))", "The expression has redundant parentheses;"},
        {"((attribute_exists(s)))", "The expression has redundant parentheses;"},
        {"status = :s", "Attribute name is a reserved keyword; reserved keyword: status"},
        {"m.Name = :s", "Attribute name is a reserved keyword; reserved keyword: Name"},
        {"zOnE = :nope", "Attribute name is a reserved keyword; reserved keyword: zOnE"},
        {"l[99999999999] = :s", "List index is not within the allowable range; index: [99999999999]"},
        {"frobnicate(s)", "Invalid function name; function: frobnicate"},
        {"Attribute_exists(s)", "Invalid function name; function: Attribute_exists"},
        {"size(s)", "The function is not allowed to be used this way in an expression; function: size"},
        {"s = attribute_exists(s)", "The function is not allowed to be used this way in an expression; function: attribute_exists"},
        {"size(contains(s, :s)) = :n", "The function is not allowed to be used this way in an expression; function: contains"},
        {"if_not_exists(s, :s) = :s", "The function is not allowed in a condition expression; function: if_not_exists"},
        {"attribute_exists(s, n)",
            "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2"},
        {"contains(s)", "Incorrect number of operands for operator or function; operator or function: contains, number of operands: 1"},
        {"size(s, n) = :n", "Incorrect number of operands for operator or function; operator or function: size, number of operands: 2"},
        {"#nope = :s", "An expression attribute name used in the document path is not defined; attribute name: #nope"},
        {"s = :nope", "An expression attribute value used in expression is not defined; attribute value: :nope"},
        {"m.#nope = :nope", "An expression attribute name used in the document path is not defined; attribute name: #nope"},
        {"n = n", "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [n]"},
        {"contains(#s, s)",
            "The first operand must be distinct from the remaining operands for this operator or function; operator: contains, first operand: [s]"},
        {"m.l[3] < m.l[3]",
            "The first operand must be distinct from the remaining operands for this operator or function; operator: <, first operand: [m, l, [3]]"},
        {"n IN (:n, n)",
            "The first operand must be distinct from the remaining operands for this operator or function; operator: IN, first operand: [n]"},
        {"n < :t", "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL"},
        {":l >= n", "Incorrect operand type for operator or function; operator or function: >=, operand type: L"},
        {"n > :ss", "Incorrect operand type for operator or function; operator or function: >, operand type: SS"},
        {"n <= :m", "Incorrect operand type for operator or function; operator or function: <=, operand type: M"},
        {"n BETWEEN :z AND :z", "Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: NULL"},
        {"begins_with(s, :n)", "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"begins_with(size(s), :s)", "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"size(:n) = :n", "Incorrect operand type for operator or function; operator or function: size, operand type: N"},
        {"size(size(s)) = :n", "Incorrect operand type for operator or function; operator or function: size, operand type: N"},
        {"attribute_type(s, :n)", "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N"},
        {"attribute_type(s, n)",
            "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}"},
        {"attribute_type(s, :bad)", "Invalid attribute type name found; type: Q, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"},
        {"attribute_exists(:s)", "Operator or function requires a document path; operator or function: attribute_exists"},
        {"attribute_not_exists(size(s))", "Operator or function requires a document path; operator or function: attribute_not_exists"},
        {"n BETWEEN :n9 AND :n1",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:9}, "
            "upper bound operand: AttributeValue: {N:1}"},
        {"n BETWEEN :n9 AND :s",
            "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {N:9}, "
            "upper bound operand: AttributeValue: {S:hello}"},
        {"n BETWEEN :b9 AND :b",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: "
            "{B:java.nio.HeapByteBuffer[pos=0 lim=1 cap=1]}, upper bound operand: AttributeValue: {B:java.nio.HeapByteBuffer[pos=0 lim=3 cap=3]}"},
        {"status = :s AND s ==", "Syntax error; token: \"=\", near: \"==\""}, /* syntax goes before reserved words */
        {"status = :s AND frob(s)", "Attribute name is a reserved keyword; reserved keyword: status"},
    };
    char want[1024];
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct expr_env env;
        const struct expr_condition *condition;
        env_of(&env, NAMES, VALUES);
        int rc = expr_condition_parse(&env, EXPR_FILTER, text_of(row[i].expression), &condition);
        snprintf(want, sizeof(want), "Invalid FilterExpression: %s", row[i].message);
        expect_message(row[i].expression, &env, rc, want);
    }
}

/* ---- limits ---- */

static const char *repeat(const char *first, const char *more, size_t count, const char *end)
{
    static char text[65536];
    size_t at = (size_t)sprintf(text, "%s", first);
    for (size_t i = 0; i < count; i++)
        at += (size_t)sprintf(text + at, "%s", more);
    strcpy(text + at, end);
    return text;
}

static int parse(struct expr_env *env, const char *expression)
{
    const struct expr_condition *condition;
    env_of(env, "{'#s':'s'}", "{':v':{'N':'1'}}");
    return expr_condition_parse(env, EXPR_CONDITION, text_of(expression), &condition);
}

static void test_limits(void **state)
{
    (void)state;
    struct expr_env env;
    assert_int_equal(parse(&env, repeat("a=:v", " ", 4092, "")), 0);
    expect_message("4097 bytes", &env, parse(&env, repeat("a=:v", " ", 4093, "")),
        "Invalid ConditionExpression: Expression size has exceeded the maximum allowed size; expression size: 4097");
    /* 150 comparisons and 149 ORs are 299 operators, 151 and 150 are 301. */
    assert_int_equal(parse(&env, repeat("a=:v", " OR a=:v", 149, "")), 0);
    expect_message("operators", &env, parse(&env, repeat("a=:v", " OR a=:v", 150, "")),
        "Invalid ConditionExpression: The expression contains too many operators; operator count: 301");
    assert_int_equal(parse(&env, repeat("", "NOT ", 299, "a=:v")), 0);
    expect_message("NOT", &env, parse(&env, repeat("", "NOT ", 300, "a=:v")),
        "Invalid ConditionExpression: The expression contains too many operators; operator count: 301");
    assert_int_equal(parse(&env, repeat("a IN (:v", ",:v", 99, ")")), 0);
    expect_message("IN", &env, parse(&env, repeat("a IN (:v", ",:v", 100, ")")),
        "Invalid ConditionExpression: The IN operator is provided with too many operands; number of operands: 101");
    assert_int_equal(parse(&env, repeat("a", ".b", 31, "=:v")), 0);
    expect_message("path", &env, parse(&env, repeat("a", ".b", 32, "=:v")),
        "Invalid ConditionExpression: The document path has too many nesting levels; nesting levels: 33");
    expect_message("open", &env, parse(&env, repeat("", "(", 4096, "")),
        "Invalid ConditionExpression: The expression has redundant parentheses;");
    expect_message("calls", &env, parse(&env, repeat("", "size(", 800, "")),
        "Invalid ConditionExpression: Syntax error; token: \"size\", near: \"(size(\"");
    /* The deepest that has a meaning. */
    static char deep[4097];
    size_t at = 0;
    for (int i = 0; i < 299; i++)
        at += (size_t)sprintf(deep + at, "NOT (");
    at += (size_t)sprintf(deep + at, "a=:v");
    for (int i = 0; i < 299; i++)
        deep[at++] = ')';
    deep[at] = 0;
    assert_int_equal(parse(&env, deep), 0);
}

static void test_memory(void **state)
{
    (void)state;
    /* At every possible end of the arena the answer is ERR_MEMORY, never a crash. */
    const char *expression = "#a = :v AND (b[1].c BETWEEN :v AND :w OR contains(d, :s)) AND NOT e IN (:v, :w)";
    size_t limit = 64, good = 0;
    for (; limit < 65536 && !good; limit += 16) {
        struct arena small;
        struct expr_env env;
        const struct expr_condition *condition;
        struct attr v = {.type = ATTR_NUMBER, .text = TEXT("1")}, s = {.type = ATTR_STRING, .text = TEXT("x")};
        arena_init(&small, 64, limit);
        expr_env_init(&env, &small);
        int rc = expr_env_add_name(&env, TEXT("#a"), TEXT("a"));
        rc = rc ? rc : expr_env_add_value(&env, TEXT(":v"), &v);
        rc = rc ? rc : expr_env_add_value(&env, TEXT(":w"), &v);
        rc = rc ? rc : expr_env_add_value(&env, TEXT(":s"), &s);
        rc = rc ? rc : expr_condition_parse(&env, EXPR_CONDITION, text_of(expression), &condition);
        assert_true(!rc || rc == ERR_MEMORY);
        assert_true(!rc || !strcmp(env.message.data, "out of memory"));
        good += !rc;
        arena_fini(&small);
    }
    assert_true(good);
}

/* ---- the environment ---- */

static void test_environment_errors(void **state)
{
    (void)state;
    static const struct {
        const char *request, *message;
    } row[] = {
        {"{'ConditionExpression':'x','Expected':{}}",
            "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {Expected} "
            "Expression parameters: {ConditionExpression}"},
        {"{'UpdateExpression':'x','ConditionExpression':'y','AttributeUpdates':{},'Expected':{}}",
            "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: "
            "{AttributeUpdates, Expected} Expression parameters: {UpdateExpression, ConditionExpression}"},
        {"{'KeyConditionExpression':'x','KeyConditions':{}}",
            "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {KeyConditions} "
            "Expression parameters: {KeyConditionExpression}"},
        {"{'ExpressionAttributeNames':{'#a':'a'}}", "ExpressionAttributeNames can only be specified when using expressions"},
        {"{'ExpressionAttributeValues':{':a':{'N':'1'}}}", "ExpressionAttributeValues can only be specified when using expressions"},
        {"{'ProjectionExpression':'a','ExpressionAttributeValues':{':a':{'N':'1'}}}",
            "ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and ConditionExpression and "
            "KeyConditionExpression and FilterExpression are null"},
        {"{'FilterExpression':'a','ExpressionAttributeNames':{}}", "ExpressionAttributeNames must not be empty"},
        {"{'FilterExpression':'a','ExpressionAttributeValues':{}}", "ExpressionAttributeValues must not be empty"},
        {"{'FilterExpression':'a','ExpressionAttributeNames':{'a':'a'}}", "ExpressionAttributeNames contains invalid key: Syntax error; key: \"a\""},
        {"{'FilterExpression':'a','ExpressionAttributeNames':{'#':'a'}}", "ExpressionAttributeNames contains invalid key: Syntax error; key: \"#\""},
        {"{'FilterExpression':'a','ExpressionAttributeNames':{'#a-b':'a'}}",
            "ExpressionAttributeNames contains invalid key: Syntax error; key: \"#a-b\""},
        {"{'FilterExpression':'a','ExpressionAttributeNames':{'#a':''}}",
            "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a"},
        {"{'FilterExpression':'a','ExpressionAttributeValues':{'#a':{'N':'1'}}}",
            "ExpressionAttributeValues contains invalid key: Syntax error; key: \"#a\""},
        {"{'FilterExpression':'a','ExpressionAttributeValues':{':a':{}}}",
            "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must contain exactly one of the supported "
            "datatypes for key :a"},
        {"{'FilterExpression':'a','ExpressionAttributeValues':{':a':{'N':'x'}}}",
            "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: x for key :a"},
        {"{'FilterExpression':'a','ExpressionAttributeValues':{':a':{'SS':[]}}}",
            "ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: An string set  may not be empty for key :a"},
        {"{'FilterExpression':'a','ExpressionAttributeValues':{':a':{'L':[{'NS':[]}]}}}",
            "ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: An number set  may not be empty for key :a"},
        {"{'FilterExpression':'a','ExpressionAttributeValues':{':a':{'BS':[]}}}",
            "ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: Binary sets should not be empty for key :a"},
        {"{'FilterExpression':'a','ExpressionAttributeValues':{':a':{'SS':['x','y','x']}}}",
            "ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: Input collection [x, y, x] contains "
            "duplicates. for key :a"},
        {"{'FilterExpression':'a','ExpressionAttributeValues':{':a':{'NS':['1','1.0']}}}",
            "ExpressionAttributeValues contains invalid value: Input collection contains duplicates for key :a"},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct expr_env env;
        int rc = expr_env_open(&env, &arena, json_of(quoted(row[i].request)), all_expressions, all_legacy);
        expect_message(row[i].request, &env, rc, row[i].message);
    }
}

static void test_environment(void **state)
{
    (void)state;
    struct expr_env env;
    const struct expr_condition *condition;
    const struct expr_projection *projection;
    /* A legacy KeyConditions may go with a FilterExpression, and a JSON null is nothing. */
    assert_int_equal(expr_env_open(&env, &arena,
                         json_of(quoted("{'FilterExpression':'x','KeyConditions':{},'Expected':null,'ExpressionAttributeNames':null}")),
                         all_expressions, all_legacy),
        0);
    assert_int_equal(expr_env_open(&env, &arena, json_of("{}"), all_expressions, NULL), 0);
    /* What one of several expressions uses is used. */
    env_of(&env, "{'#a':'a','#b':'b'}", "{':v':{'N':'1'}}");
    assert_int_equal(expr_condition_parse(&env, EXPR_FILTER, TEXT("#a = :v"), &condition), 0);
    expect_message("unused", &env, expr_env_close(&env), "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}");
    assert_int_equal(expr_projection_parse(&env, TEXT("#b"), &projection), 0);
    assert_int_equal(expr_env_close(&env), 0);
    env_of(&env, NULL, "{':v':{'N':'1'},':b':{'N':'1'},':a':{'N':'1'}}");
    assert_int_equal(expr_condition_parse(&env, EXPR_FILTER, TEXT("a = :v"), &condition), 0);
    expect_message("unused", &env, expr_env_close(&env), "Value provided in ExpressionAttributeValues unused in expressions: keys: {:a, :b}");
}

static void test_environment_limits(void **state)
{
    (void)state;
    struct expr_env env;
    const struct expr_condition *condition;
    char request[2048], alias[300];
    memset(alias, 'x', sizeof(alias));
    for (int len = 255; len <= 256; len++) {
        alias[0] = '#';
        alias[len] = 0;
        snprintf(request, sizeof(request), "{\"FilterExpression\":\"a\",\"ExpressionAttributeNames\":{\"%s\":\"a\"}}", alias);
        int rc = expr_env_open(&env, &arena, json_of(request), all_expressions, NULL);
        if (len == 255)
            assert_int_equal(rc, 0);
        else
            expect_message("alias", &env, rc,
                "ExpressionAttributeNames contains invalid key: The expression attribute map contains a key that is too long; size of key: 256");
        alias[len] = 'x';
    }
    /* Ten thousand values are found by their names; more than 2 MB are refused. */
    for (size_t bytes = 100; bytes <= 300; bytes += 200) {
        struct buf big;
        buf_init(&big, 8 << 20);
        buf_add_text(&big, TEXT("{\"FilterExpression\":\"a\",\"ExpressionAttributeValues\":{"));
        for (int i = 0; i < 10000; i++)
            buf_add_format(&big, "%s\":v%d\":{\"S\":\"%0*d\"}", i ? "," : "", i, (int)bytes, i);
        buf_add(&big, "}}", 3);
        int rc = expr_env_open(&env, &arena, json_of(big.data), all_expressions, NULL);
        if (bytes == 100) {
            assert_int_equal(rc, 0);
            assert_int_equal(expr_condition_parse(&env, EXPR_FILTER, TEXT("a = :v9876"), &condition), 0);
        } else {
            assert_int_equal(rc, ERR_TOO_LARGE);
        }
        buf_fini(&big);
    }
}

static void test_reserved(void **state)
{
    (void)state;
    static const char *const words[] = {"ABORT", "ZONE", "name", "Status", "tTl", "flattern", "and", "LOGED"};
    static const char *const others[] = {"", "A", "ABORTED", "ABOR", "ZONES", "names2", "_name", "userId", "zz"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_true(expr_is_reserved(text_of(words[i])));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(expr_is_reserved(text_of(others[i])));
    assert_false(expr_is_reserved(text_make("NAME\0", 5)));
}

static void test_check_keys(void **state)
{
    (void)state;
    struct expr_env env;
    const struct expr_condition *condition;
    struct text keys[] = {TEXT("pk"), TEXT("sk"), TEXT_NONE};
    env_of(&env, "{'#k':'sk'}", "{':v':{'N':'1'}}");
    assert_int_equal(expr_condition_parse(&env, EXPR_FILTER, TEXT("a = :v AND (x.pk = :v OR #k = :v)"), &condition), 0);
    expect_message("filter", &env, expr_condition_check_keys(&env, condition, keys, 3),
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk");
    assert_int_equal(expr_condition_check_keys(&env, condition, keys, 1), 0);
    assert_int_equal(expr_condition_check_paths(&env, condition, keys, 3), 0);
    assert_int_equal(expr_condition_parse(&env, EXPR_FILTER, TEXT("pk.a = :v"), &condition), 0);
    expect_message("paths", &env, expr_condition_check_paths(&env, condition, keys, 3),
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk");
    assert_int_equal(expr_condition_check_keys(&env, NULL, keys, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_truth, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_more, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_errors, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_limits, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_memory, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_environment_errors, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_environment, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_environment_limits, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_reserved, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_check_keys, arena_setup, arena_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
