/* Shapes: types, constraints, their paths, and their sum. */
#include "aws/fixture.h"

struct row {
    const struct shape *shape;
    const char *json;
    const char *types;       /* the sentence, or NULL when the types are right */
    const char *constraints; /* the sentence, or NULL */
};

static const struct shape small = {.type = SHAPE_INTEGER, .min = 1, .max = 9};
static const struct shape color = {.type = SHAPE_STRING, .values = "RED, GREEN"};
static const struct shape name = {.type = SHAPE_STRING, .min = 3, .max = 5, .pattern = "[a-zA-Z0-9_.-]+"};
static const struct shape colors = {.type = SHAPE_LIST, .min = 1, .max = 2, .of = &color};
static const struct shape_member inner_members[] = {{"Name", &name, true}, {"Count", &small, false}, {NULL, NULL, false}};
static const struct shape inner = {.type = SHAPE_STRUCT, .member = inner_members, .java = "class x.Inner"};
static const struct shape inners = {.type = SHAPE_MAP, .of = &inner};
static const struct shape time_shape = {.type = SHAPE_TIME};
static const struct shape boolean = {.type = SHAPE_BOOLEAN};
static const struct shape values = {.type = SHAPE_VALUES, .java = "java.util.Map<x>"};
static const struct shape_member outer_members[] = {{"Inner", &inner, false}, {"Colors", &colors, false}, {"Map", &inners, false}, {"When", &time_shape, false},
    {"Yes", &boolean, false}, {"Values", &values, false}, {NULL, NULL, false}};
static const struct shape outer = {.type = SHAPE_STRUCT, .member = outer_members};

static const struct shape table = {.type = SHAPE_STRING, .min = 1, .max = 40, .pattern = "[a-zA-Z0-9_.-]+", .arn = true};
static const struct shape lists = {.type = SHAPE_MAP, .of = &colors, .key = &table};
static const struct shape_member arn_members[] = {{"Table", &table, false}, {"Lists", &lists, false}, {NULL, NULL, false}};
static const struct shape arns = {.type = SHAPE_STRUCT, .member = arn_members};

static const struct row rows[] = {
    {&outer, "{}", NULL, NULL},
    {&outer, "{\"Unknown\":[1,{}]}", NULL, NULL},
    {&outer, "{\"Inner\":null,\"Colors\":null}", NULL, NULL},
    {&outer, "{\"Inner\":{\"Name\":\"abc\",\"Count\":9},\"Colors\":[\"RED\"],\"When\":1.5,\"Yes\":true,\"Values\":{\"a\":{}}}", NULL, NULL},
    {&outer, "{\"Inner\":[]}", "Unrecognized collection type class x.Inner", NULL},
    {&outer, "{\"Inner\":\"x\"}", "Unexpected value type in payload", NULL},
    {&outer, "{\"Colors\":{}}", "Start of structure or map found where not expected", NULL},
    {&outer, "{\"Colors\":[1]}", "NUMBER_VALUE cannot be converted to String", NULL},
    {&outer, "{\"Inner\":{\"Count\":\"1\"}}", "STRING_VALUE cannot be converted to Integer", NULL},
    {&outer, "{\"Inner\":{\"Count\":[]}}", "Unrecognized collection type class java.lang.Integer", NULL},
    {&outer, "{\"When\":\"now\"}", "STRING_VALUE cannot be converted to Date", NULL},
    {&outer, "{\"Yes\":\"true\"}", "Unexpected token received from parser", NULL},
    {&outer, "{\"Yes\":0}", "NUMBER_VALUE cannot be converted to Boolean", NULL},
    {&outer, "{\"Values\":[]}", "Unrecognized collection type java.util.Map<x>", NULL},
    {&outer, "{\"Map\":{\"k\":{\"Name\":false}}}", "FALSE_VALUE cannot be converted to String", NULL},
    {&outer, "{\"Inner\":{}}", NULL, "1 validation error detected: Value null at 'inner.name' failed to satisfy constraint: Member must not be null"},
    {&outer, "{\"Inner\":{\"Name\":\"abc\",\"Count\":10}}", NULL,
        "1 validation error detected: Value '10' at 'inner.count' failed to satisfy constraint: Member must have value less than or equal to 9"},
    {&outer, "{\"Colors\":[]}", NULL, "1 validation error detected: Value '[]' at 'colors' failed to satisfy constraint: Member must have length greater than or equal to 1"},
    {&outer, "{\"Colors\":[\"RED\",\"BLUE\"]}", NULL,
        "1 validation error detected: Value 'BLUE' at 'colors.2.member' failed to satisfy constraint: Member must satisfy enum value set: [RED, GREEN]"},
    {&outer, "{\"Map\":{\"k\":{\"Name\":\"a;\"}}}", NULL,
        "2 validation errors detected: Value 'a;' at 'map.k.member.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; "
        "Value 'a;' at 'map.k.member.name' failed to satisfy constraint: Member must have length greater than or equal to 3"},
    {&outer, "{\"Inner\":{\"Name\":\"arn:aws:dynamodb:r:1:table/abc\"}}", NULL,
        "2 validation errors detected: Value 'arn:aws:dynamodb:r:1:table/abc' at 'inner.name' failed to satisfy constraint: Member must satisfy regular expression pattern: "
        "[a-zA-Z0-9_.-]+; Value 'arn:aws:dynamodb:r:1:table/abc' at 'inner.name' failed to satisfy constraint: Member must have length less than or equal to 5"},
    {&arns, "{\"Table\":\"arn:aws:dynamodb:r:1:table/abc\"}", NULL, NULL},
    {&arns, "{\"Table\":\"\"}", NULL, "1 validation error detected: Value '' at 'table' failed to satisfy constraint: Member must have length greater than or equal to 1"},
    {&arns, "{\"Table\":\"ab\"}", NULL, "1 validation error detected: Value 'ab' at 'table' failed to satisfy constraint: Member must have length greater than or equal to 3"},
    {&arns, "{\"Lists\":{\"abc\":[\"RED\"]}}", NULL, NULL},
    {&arns, "{\"Lists\":{\"abc\":[]}}", NULL,
        "1 validation error detected: Value '{\"abc\":[]}' at 'lists' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 2, "
        "Member must have length greater than or equal to 1]"},
    {&arns, "{\"Lists\":{\"a\":[\"RED\"]}}", NULL,
        "1 validation error detected: Value '{\"a\":[\"RED\"]}' at 'lists' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 255, "
        "Member must have length greater than or equal to 3, Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]"},
    {&arns, "{\"Lists\":{\"abc\":null}}", NULL,
        "1 validation error detected: Value '{\"abc\":null}' at 'lists' failed to satisfy constraint: Map value must satisfy constraint: [Member must not be null]"},
    {&arns, "{\"Lists\":{\"abc\":[null]}}", NULL, "1 validation error detected: Value null at 'lists.abc.member.1.member' failed to satisfy constraint: Member must not be null"},
};

static void rows_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        struct err err = {0};
        struct buf out;
        const struct json *root;
        arena_init(&arena, 4096, 1 << 20);
        buf_init(&out, 4096);
        assert_int_equal(json_parse(&arena, text_of(rows[i].json), 0, &root, NULL), 0);
        int code = shape_check_types(rows[i].shape, root, &err);
        assert_int_equal(code, rows[i].types ? ERR_TYPE : 0);
        assert_string_equal(rows[i].types ? err.text : "", rows[i].types ? rows[i].types : "");
        if (!code) {
            code = shape_check_constraints(rows[i].shape, root, &out);
            buf_add_char(&out, 0);
            assert_int_equal(code, rows[i].constraints ? ERR_INVALID : 0);
            assert_string_equal(out.data, rows[i].constraints ? rows[i].constraints : "");
        }
        buf_fini(&out);
        arena_fini(&arena);
    }
}

/* At most ten are told, however many there are; a long value is cut between characters. */
static void reports_are_bounded(void **state)
{
    (void)state;
    struct arena arena;
    struct buf text, out;
    const struct json *root;
    arena_init(&arena, 4096, 1 << 20);
    buf_init(&text, 1 << 20);
    buf_init(&out, 8192);
    buf_add_text(&text, TEXT("{\"Map\":{"));
    for (int i = 0; i < 40; i++)
        buf_add_format(&text, "%s\"k%d\":{}", i ? "," : "", i);
    buf_add_text(&text, TEXT("}}"));
    assert_int_equal(json_parse(&arena, buf_text(&text), 0, &root, NULL), 0);
    assert_int_equal(shape_check_constraints(&outer, root, &out), ERR_INVALID);
    assert_true(text_starts(buf_text(&out), TEXT("10 validation errors detected: ")));
    buf_clear(&text);
    buf_clear(&out);
    buf_add_text(&text, TEXT("{\"Inner\":{\"Name\":\"x"));
    for (int i = 0; i < 1000; i++)
        buf_add_text(&text, TEXT("\xc3\xa4"));
    buf_add_text(&text, TEXT("\"}}"));
    assert_int_equal(json_parse(&arena, buf_text(&text), 0, &root, NULL), 0);
    assert_int_equal(shape_check_constraints(&outer, root, &out), ERR_INVALID);
    assert_true(out.len < 2000);
    for (size_t i = 0; i + 1 < out.len; i++)
        if ((unsigned char)out.data[i] == 0xc3)
            assert_int_equal((unsigned char)out.data[i + 1], 0xa4);
    buf_fini(&text);
    buf_fini(&out);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold),
        cmocka_unit_test(reports_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
