/* Updates: every action and function on every kind of attribute, sentences, what was touched. */
#include "test_expr_fixture.h"

#define ITEM \
    "{'pk':{'S':'k'},'n':{'N':'5'},'s':{'S':'hello'},'ss':{'SS':['p','q']},'ns':{'NS':['1','2']},'l':{'L':[{'S':'x'},{'N':'1'},{'S':'y'}]}," \
    "'m':{'M':{'a':{'N':'1'},'b':{'M':{'c':{'S':'d'}}}}}}"
#define VALUES \
    "{':n':{'N':'2'},':big':{'N':'12345678901234567890123456789012345678'},':tiny':{'N':'1E-1'},':max':{'N':'9.9E125'},':s':{'S':'v'}," \
    "':l':{'L':[{'N':'8'}]},':m':{'M':{'q':{'N':'1'}}},':ss':{'SS':['q','r']},':all':{'SS':['p','q']},':ns':{'NS':['2.0','3']},':t':{'BOOL':true}," \
    "':e':{'L':[]}}"
#define NAMES "{'#a':'a','#x':'x.y','#l':'l','#status':'status'}"

static int apply(const char *expression, const char *item, const struct attr **out, struct err *err, const struct expr_update **update)
{
    struct expr_env env;
    env_of(&env, NAMES, VALUES);
    if (expr_update_parse(&env, text_of(expression), update))
        fail_msg("%s: %s", expression, env.message.data);
    return expr_update_apply(*update, item_of(quoted(item)), item_of(quoted("{'pk':{'S':'k'}}")), &arena, out, err);
}

static void test_apply(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *item, *result;
    } row[] = {
        {"SET a = :n", "{'pk':{'S':'k'}}", "{'pk':{'S':'k'},'a':{'N':'2'}}"},
        {"SET a = :n", NULL, "{'pk':{'S':'k'},'a':{'N':'2'}}"},
        {"set #x = :s", NULL, "{'pk':{'S':'k'},'x.y':{'S':'v'}}"},
        {"SET s = :l", "{'s':{'S':'x'},'z':{'N':'1'}}", "{'s':{'L':[{'N':'8'}]},'z':{'N':'1'}}"},
        {"SET a = b, b = a", "{'a':{'N':'1'},'b':{'S':'two'}}", "{'a':{'S':'two'},'b':{'N':'1'}}"},
        {"SET n = n + :n", "{'n':{'N':'5'}}", "{'n':{'N':'7'}}"},
        {"SET n = n - :n", "{'n':{'N':'5'}}", "{'n':{'N':'3'}}"},
        {"SET n = :n - n", "{'n':{'N':'5'}}", "{'n':{'N':'-3'}}"},
        {"SET n = (n + n)", "{'n':{'N':'5'}}", "{'n':{'N':'10'}}"},
        {"SET n = (n) + (:n)", "{'n':{'N':'5'}}", "{'n':{'N':'7'}}"},
        {"SET n = n + :big", "{'n':{'N':'1'}}", "{'n':{'N':'12345678901234567890123456789012345679'}}"},
        {"SET n = n - n", "{'n':{'N':'0.1'}}", "{'n':{'N':'0'}}"},
        {"SET n = if_not_exists(n, :n)", "{'pk':{'S':'k'}}", "{'pk':{'S':'k'},'n':{'N':'2'}}"},
        {"SET n = if_not_exists(n, :n)", "{'n':{'N':'5'}}", "{'n':{'N':'5'}}"},
        {"SET n = if_not_exists(n, :n) + :n", NULL, "{'pk':{'S':'k'},'n':{'N':'4'}}"},
        {"SET n = if_not_exists(gone, n)", "{'n':{'N':'5'}}", "{'n':{'N':'5'}}"},
        {"SET l = list_append(l, :l)", "{'l':{'L':[{'S':'x'}]}}", "{'l':{'L':[{'S':'x'},{'N':'8'}]}}"},
        {"SET l = list_append(:l, l)", "{'l':{'L':[{'S':'x'}]}}", "{'l':{'L':[{'N':'8'},{'S':'x'}]}}"},
        {"SET l = list_append(l, l)", "{'l':{'L':[{'S':'x'}]}}", "{'l':{'L':[{'S':'x'},{'S':'x'}]}}"},
        {"SET l = list_append(if_not_exists(l, :e), :l)", NULL, "{'pk':{'S':'k'},'l':{'L':[{'N':'8'}]}}"},
        {"SET l[1] = :s", "{'l':{'L':[{'S':'x'},{'N':'1'},{'S':'y'}]}}", "{'l':{'L':[{'S':'x'},{'S':'v'},{'S':'y'}]}}"},
        {"SET l[7] = :s", "{'l':{'L':[{'S':'x'}]}}", "{'l':{'L':[{'S':'x'},{'S':'v'}]}}"},
        {"SET l[9] = :n, l[7] = :s, l[0] = :t", "{'l':{'L':[{'S':'x'}]}}", "{'l':{'L':[{'BOOL':true},{'S':'v'},{'N':'2'}]}}"},
        {"REMOVE l[0], l[2]", "{'l':{'L':[{'S':'x'},{'N':'1'},{'S':'y'}]}}", "{'l':{'L':[{'N':'1'}]}}"},
        {"REMOVE l[0] SET l[1] = :s, l[5] = :n", "{'l':{'L':[{'S':'x'},{'N':'1'}]}}", "{'l':{'L':[{'S':'v'},{'N':'2'}]}}"},
        {"REMOVE l[9]", "{'l':{'L':[{'S':'x'}]}}", "{'l':{'L':[{'S':'x'}]}}"},
        {"SET m.a = :s", "{'m':{'M':{'a':{'N':'1'},'b':{'N':'2'}}}}", "{'m':{'M':{'a':{'S':'v'},'b':{'N':'2'}}}}"},
        {"SET m.z = :s, m.#a = :n", "{'m':{'M':{'a':{'N':'1'}}}}", "{'m':{'M':{'a':{'N':'2'},'z':{'S':'v'}}}}"},
        {"SET m.b.c = m.a, m.a = m.b.c", "{'m':{'M':{'a':{'N':'1'},'b':{'M':{'c':{'S':'d'}}}}}}", "{'m':{'M':{'a':{'S':'d'},'b':{'M':{'c':{'N':'1'}}}}}}"},
        {"SET m.b = m", "{'m':{'M':{'a':{'N':'1'}}}}", "{'m':{'M':{'a':{'N':'1'},'b':{'M':{'a':{'N':'1'}}}}}}"},
        {"REMOVE m.a, m.gone", "{'m':{'M':{'a':{'N':'1'}}}}", "{'m':{'M':{}}}"},
        {"REMOVE l[0].q", "{'l':{'L':[{'M':{'q':{'N':'1'},'r':{'N':'2'}}}]}}", "{'l':{'L':[{'M':{'r':{'N':'2'}}}]}}"},
        {"REMOVE gone, s", "{'s':{'S':'x'},'z':{'N':'1'}}", "{'z':{'N':'1'}}"},
        {"REMOVE gone", NULL, NULL},
        {"REMOVE gone DELETE ss :ss", NULL, NULL},
        {"REMOVE gone SET a = :n", NULL, "{'pk':{'S':'k'},'a':{'N':'2'}}"},
        {"ADD n :n", "{'n':{'N':'5'}}", "{'n':{'N':'7'}}"},
        {"ADD n :n", NULL, "{'pk':{'S':'k'},'n':{'N':'2'}}"},
        {"ADD n :tiny", "{'n':{'N':'0.2'}}", "{'n':{'N':'0.3'}}"},
        {"ADD ss :ss", "{'ss':{'SS':['p','q']}}", "{'ss':{'SS':['p','q','r']}}"},
        {"ADD ss :ss", NULL, "{'pk':{'S':'k'},'ss':{'SS':['q','r']}}"},
        {"ADD ns :ns", "{'ns':{'NS':['1','2']}}", "{'ns':{'NS':['1','2','3']}}"},
        {"ADD m.a :n, m.z :ss", "{'m':{'M':{'a':{'N':'1'}}}}", "{'m':{'M':{'a':{'N':'3'},'z':{'SS':['q','r']}}}}"},
        {"ADD l[0] :n", "{'l':{'L':[{'N':'1'}]}}", "{'l':{'L':[{'N':'3'}]}}"},
        {"DELETE ss :ss", "{'ss':{'SS':['p','q']}}", "{'ss':{'SS':['p']}}"},
        {"DELETE ss :all", "{'ss':{'SS':['p','q']},'z':{'N':'1'}}", "{'z':{'N':'1'}}"},
        {"DELETE gone :ss", "{'z':{'N':'1'}}", "{'z':{'N':'1'}}"},
        {"DELETE m.ss :all", "{'m':{'M':{'ss':{'SS':['p','q']}}}}", "{'m':{'M':{}}}"},
        {"SET a = :n REMOVE s ADD n :n DELETE ss :ss", ITEM,
            "{'pk':{'S':'k'},'a':{'N':'2'},'n':{'N':'7'},'ss':{'SS':['p']},'ns':{'NS':['1','2']},'l':{'L':[{'S':'x'},{'N':'1'},{'S':'y'}]},"
            "'m':{'M':{'a':{'N':'1'},'b':{'M':{'c':{'S':'d'}}}}}}"},
        {"add n :n delete ss :ss set a = n remove l", "{'n':{'N':'5'},'ss':{'SS':['p','q']},'l':{'L':[]}}", "{'n':{'N':'7'},'ss':{'SS':['p']},'a':{'N':'5'}}"},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        const struct attr *out;
        const struct expr_update *update;
        struct err err = {0};
        if (apply(row[i].expression, row[i].item, &out, &err, &update))
            fail_msg("%s: %s", row[i].expression, err.text);
        expect_item(row[i].expression, out, row[i].result);
    }
}

static void test_run_time_errors(void **state)
{
    (void)state;
#define MISSING "The provided expression refers to an attribute that does not exist in the item"
#define PATH "The document path provided in the update expression is invalid for update"
#define TYPE "An operand in the update expression has an incorrect data type"
    static const struct {
        const char *expression, *message;
    } row[] = {
        {"SET a = gone", MISSING}, {"SET a = gone + :n", MISSING}, {"SET a = if_not_exists(gone, gone2)", MISSING},
        {"SET a = list_append(gone, :l)", MISSING}, {"SET a = m.z", MISSING}, {"SET a = l[3]", MISSING}, {"SET a = s.q", MISSING},
        {"SET gone.a = :n", PATH}, {"SET m.z.q = :n", PATH}, {"SET s.a = :n", PATH}, {"SET l.a = :n", PATH}, {"SET m[0] = :n", PATH},
        {"SET n[0] = :n", PATH}, {"REMOVE gone.a", PATH}, {"REMOVE l.a", PATH}, {"ADD gone.a :n", PATH}, {"DELETE gone.a :ss", PATH},
        {"SET l[9].a = :n", PATH},
        {"SET a = s + :n", TYPE}, {"SET a = n + s", TYPE}, {"SET a = :n - l", TYPE}, {"SET a = list_append(s, :l)", TYPE},
        {"SET a = list_append(:l, n)", TYPE}, {"ADD s :n", TYPE}, {"ADD n :ss", TYPE}, {"ADD ss :ns", TYPE}, {"ADD ns :n", TYPE},
        {"DELETE s :ss", TYPE}, {"DELETE ns :ss", TYPE}, {"SET a = if_not_exists(s, :n) + :n", TYPE},
        {"SET a = gone + s", TYPE}, /* types before what is missing */
        {"SET a = gone, b = s + :n", TYPE}, {"SET a = gone REMOVE gone.x", PATH}, {"REMOVE gone.x SET a = gone", MISSING},
        {"SET a = n + :max, b = :max + :max", "Attempting to store more than 38 significant digits in a Number"},
        {"SET a = :big + :tiny", "Attempting to store more than 38 significant digits in a Number"},
        {"SET a = :max + :max", "Number overflow. Attempting to store a number with magnitude larger than supported range"},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        const struct attr *out = NULL;
        const struct expr_update *update;
        struct err err = {0};
        int rc = apply(row[i].expression, ITEM, &out, &err, &update);
        if (!rc || strcmp(err.text, row[i].message) || out)
            fail_msg("%s: %s instead of %s", row[i].expression, rc ? err.text : "accepted", row[i].message);
        assert_int_equal(rc, err.code);
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *message;
    } row[] = {
        {"", "The expression can not be empty;"},
        {"SET", "Syntax error; token: \"<EOF>\", near: \"SET\""},
        {"SET a", "Syntax error; token: \"<EOF>\", near: \"a\""},
        {"SET a = ", "Syntax error; token: \"<EOF>\", near: \"= \""},
        {"SET a = :n,", "Syntax error; token: \"<EOF>\", near: \",\""},
        {"SET a = :n b = :n", "Syntax error; token: \"b\", near: \":n b =\""},
        {"SET a :n", "Syntax error; token: \":n\", near: \"a :n\""},
        {"UPDATE a = :n", "Syntax error; token: \"UPDATE\", near: \"UPDATE a\""},
        {"REMOVE a = :n", "Syntax error; token: \"=\", near: \"a = :n\""},
        {"ADD a", "Syntax error; token: \"<EOF>\", near: \"a\""},
        {"ADD a n", "Syntax error; token: \"n\", near: \"a n\""},
        {"DELETE a n", "Syntax error; token: \"n\", near: \"a n\""},
        {"SET a = :n + :n + :n", "Syntax error; token: \"+\", near: \":n + :n\""},
        {"SET a = (:n + :n) + :n", "Syntax error; token: \"+\", near: \") + :n\""},
        {"SET :n = a", "Syntax error; token: \":n\", near: \"SET :n =\""},
        {"SET a = b AND c", "Syntax error; token: \"AND\", near: \"b AND c\""},
        {"SET status = :n", "Attribute name is a reserved keyword; reserved keyword: status"},
        {"SET a = frob(a)", "Invalid function name; function: frob"},
        {"SET a = size(s)", "The function is not allowed in an update expression; function: size"},
        {"SET a = if_not_exists(a)", "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1"},
        {"SET a = list_append(a, b, c)", "Incorrect number of operands for operator or function; operator or function: list_append, number of operands: 3"},
        {"SET a = :n SET b = :n", "The \"SET\" section can only be used once in an update expression;"},
        {"REMOVE a SET b = :n REMOVE c", "The \"REMOVE\" section can only be used once in an update expression;"},
        {"ADD a :n ADD b :n", "The \"ADD\" section can only be used once in an update expression;"},
        {"DELETE a :ss DELETE b :ss", "The \"DELETE\" section can only be used once in an update expression;"},
        {"SET #nope = :n", "An expression attribute name used in the document path is not defined; attribute name: #nope"},
        {"SET a = #nope", "An expression attribute name used in the document path is not defined; attribute name: #nope"},
        {"SET a = :nope", "An expression attribute value used in expression is not defined; attribute value: :nope"},
        {"SET a = :n1, b = #n2", "An expression attribute name used in the document path is not defined; attribute name: #n2"},
        {"SET a = :n1, b = :n2", "An expression attribute value used in expression is not defined; attribute value: :n2"},
        {"SET a = :n, a = :n", "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"},
        {"SET a = :n REMOVE a.b", "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b]"},
        {"SET a.b[1].c = :n, #a.b = :n",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, b, [1], c], path two: [a, b]"},
        {"SET a.b = :n, a[1] = :n", "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, [1]]"},
        {"SET b = :nope, a = :n, a = :n",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"},
        {"ADD a :s", "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"ADD a :l", "Incorrect operand type for operator or function; operator: ADD, operand type: LIST, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"ADD a :m", "Incorrect operand type for operator or function; operator: ADD, operand type: MAP, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"ADD a :t", "Incorrect operand type for operator or function; operator: ADD, operand type: BOOLEAN, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"DELETE a :n", "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND"},
        {"SET a = :s + :n", "Incorrect operand type for operator or function; operator or function: +, operand type: S"},
        {"SET a = :n - :l", "Incorrect operand type for operator or function; operator or function: -, operand type: L"},
        {"SET a = list_append(a, :n)", "Incorrect operand type for operator or function; operator or function: list_append, operand type: N"},
        {"SET a = if_not_exists(:n, :n)", "Operator or function requires a document path; operator or function: if_not_exists"},
    };
    char want[1024];
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct expr_env env;
        const struct expr_update *update;
        env_of(&env, NAMES, VALUES);
        int rc = expr_update_parse(&env, text_of(row[i].expression), &update);
        snprintf(want, sizeof(want), "Invalid UpdateExpression: %s", row[i].message);
        expect_message(row[i].expression, &env, rc, want);
    }
}

static void test_touched(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *old, *new;
    } row[] = {
        {"SET n = :n", "{'n':{'N':'5'}}", "{'n':{'N':'2'}}"},
        {"SET a = :n", NULL, "{'a':{'N':'2'}}"},
        {"REMOVE n", "{'n':{'N':'5'}}", NULL},
        {"SET m.b.c = :n, m.a = :s", "{'m':{'M':{'a':{'N':'1'},'b':{'M':{'c':{'S':'d'}}}}}}", "{'m':{'M':{'a':{'S':'v'},'b':{'M':{'c':{'N':'2'}}}}}}"},
        {"SET l[2] = :n, l[0] = :s", "{'l':{'L':[{'S':'x'},{'S':'y'}]}}", "{'l':{'L':[{'S':'v'},{'N':'2'}]}}"},
        {"ADD n :n DELETE ss :ss", "{'n':{'N':'5'},'ss':{'SS':['p','q']}}", "{'n':{'N':'7'},'ss':{'SS':['p']}}"},
        {"DELETE ss :all", "{'ss':{'SS':['p','q']}}", NULL},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        const struct attr *out, *touched;
        const struct expr_update *update;
        struct err err = {0};
        assert_int_equal(apply(row[i].expression, ITEM, &out, &err, &update), 0);
        assert_int_equal(expr_update_touched(update, item_of(quoted(ITEM)), &arena, &touched), 0);
        expect_item(row[i].expression, touched, row[i].old);
        assert_int_equal(expr_update_touched(update, out, &arena, &touched), 0);
        expect_item(row[i].expression, touched, row[i].new);
        assert_int_equal(expr_update_touched(update, NULL, &arena, &touched), 0);
        assert_null(touched);
    }
    const struct attr *out;
    assert_int_equal(expr_update_apply(NULL, NULL, item_of(quoted("{'pk':{'S':'k'}}")), &arena, &out, NULL), 0);
    expect_item("no update", out, "{'pk':{'S':'k'}}");
    assert_int_equal(expr_update_touched(NULL, out, &arena, &out), 0);
    assert_null(out);
}

static void test_old_item_is_left_alone(void **state)
{
    (void)state;
    struct attr *old = item_of(quoted(ITEM));
    const char *before = wire_of(old);
    struct expr_env env;
    const struct expr_update *update;
    const struct attr *out;
    env_of(&env, NAMES, VALUES);
    assert_int_equal(expr_update_parse(&env,
                         TEXT("SET m.b.c = :n, l[1] = l, l[8] = :s, s = list_append(l, :l) REMOVE n, l[0] ADD ns :ns DELETE ss :ss"), &update),
        0);
    assert_int_equal(expr_update_apply(update, old, old, &arena, &out, NULL), 0);
    assert_string_equal(wire_of(old), before);
    assert_string_not_equal(wire_of(out), before);
}

static void test_check_keys(void **state)
{
    (void)state;
    struct expr_env env;
    const struct expr_update *update;
    struct text keys[] = {TEXT("pk"), TEXT("sk")};
    env_of(&env, NAMES, VALUES);
    assert_int_equal(expr_update_parse(&env, TEXT("SET a = pk REMOVE sk"), &update), 0);
    expect_message("key", &env, expr_update_check_keys(&env, update, keys, 2),
        "One or more parameter values were invalid: Cannot update attribute sk. This attribute is part of the key");
    assert_int_equal(expr_update_check_keys(&env, update, keys, 1), 0);
    assert_int_equal(expr_update_parse(&env, TEXT("SET a = pk.x"), &update), 0);
    expect_message("key", &env, expr_update_check_keys(&env, update, keys, 2),
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk");
    assert_int_equal(expr_update_check_keys(&env, NULL, keys, 2), 0);
}

static void test_limits(void **state)
{
    (void)state;
    struct expr_env env;
    const struct expr_update *update;
    const struct attr *out;
    struct err err = {0};
    /* An item of exactly the limit, then one byte more. */
    static char big[ITEM_BYTES_MAX];
    memset(big, 'x', sizeof(big));
    struct attr value = {.type = ATTR_STRING, .text = text_make(big, ITEM_BYTES_MAX - 4)}; /* pk + k + a */
    for (int more = 0; more < 2; more++, value.text.len++) {
        expr_env_init(&env, &arena);
        assert_int_equal(expr_env_add_value(&env, TEXT(":v"), &value), 0);
        assert_int_equal(expr_update_parse(&env, TEXT("SET a = :v"), &update), 0);
        int rc = expr_update_apply(update, NULL, item_of(quoted("{'pk':{'S':'k'}}")), &arena, &out, &err);
        assert_int_equal(rc, more ? ERR_TOO_LARGE : 0);
    }
    assert_string_equal(err.text, "Item size to update has exceeded the maximum allowed size");
    /* Nesting: an attribute moved into the deepest map. */
    char item[4096] = "{'pk':{'S':'k'},'m':", path[256] = "SET m";
    for (int i = 0; i < 29; i++)
        strcat(item, "{'M':{'m':");
    strcat(item, "{'M':{}}");
    for (int i = 0; i < 29; i++)
        strcat(item, "}}");
    strcat(item, "}");
    for (int i = 0; i < 29; i++)
        strcat(path, ".m");
    strcat(path, " = m");
    expr_env_init(&env, &arena);
    assert_int_equal(expr_update_parse(&env, text_of(path), &update), 0);
    struct attr *deep = item_of(quoted(item));
    assert_int_equal(expr_update_apply(update, deep, deep, &arena, &out, &err), ERR_TOO_DEEP);
    /* 800 writes into 40,000 members, and their overlaps: a matter of milliseconds, checked by the result. */
    static char many[4097];
    size_t at = (size_t)sprintf(many, "REMOVE a0");
    for (int i = 1; at < 4080; i++)
        at += (size_t)sprintf(many + at, ",a%d", i);
    struct attr *wide = item_create(&arena);
    struct attr *last = NULL;
    for (int i = 0; i < 40000; i++) {
        struct attr *member = arena_zalloc(&arena, sizeof(*member));
        member->type = ATTR_NULL;
        member->name = arena_format(&arena, "a%d", i);
        if (last)
            last->next = member;
        else
            wide->first = member;
        wide->last = last = member;
        wide->count++;
    }
    expr_env_init(&env, &arena);
    assert_int_equal(expr_update_parse(&env, text_of(many), &update), 0);
    assert_int_equal(expr_update_apply(update, wide, wide, &arena, &out, &err), 0);
    assert_int_equal(wide->count, 40000);
    assert_true(out->count > 39000 && out->count < 39300);
    assert_null(item_get_str(out, "a17"));
}

static void test_memory(void **state)
{
    (void)state;
    struct expr_env env;
    const struct expr_update *update;
    struct attr *item = item_of(quoted(ITEM));
    env_of(&env, NAMES, VALUES);
    assert_int_equal(
        expr_update_parse(&env, TEXT("SET m.b.c = :n + n, l[1] = :s, x = list_append(l, :l) REMOVE s ADD ns :ns DELETE ss :ss"), &update), 0);
    size_t good = 0;
    for (size_t limit = 64; limit < 65536 && !good; limit += 16) {
        struct arena small;
        struct err err = {0};
        const struct attr *out;
        arena_init(&small, 64, limit);
        int rc = expr_update_apply(update, item, item, &small, &out, &err);
        assert_true(!rc || rc == ERR_MEMORY);
        good += !rc;
        arena_fini(&small);
    }
    assert_true(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_apply, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_run_time_errors, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_errors, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_touched, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_old_item_is_left_alone, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_check_keys, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_limits, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(test_memory, arena_setup, arena_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
