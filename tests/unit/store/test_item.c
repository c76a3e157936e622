/* Items: stored form, typed and plain JSON, sizes, checks. */
#include "fixture.h"

static struct arena arena;

static struct attr *wire(const char *text)
{
    const struct json *json;
    struct attr *item;
    struct err err = {0};
    assert_int_equal(json_parse(&arena, text_of(text), JSON_COPY, &json, &err), 0);
    int rc = item_from_wire(&arena, json, &item, &err);
    if (rc)
        fail_msg("%s: %s", err_name(rc), err.text);
    return item;
}

static int wire_error(const char *text)
{
    const struct json *json;
    struct attr *item;
    struct err err = {0};
    assert_int_equal(json_parse(&arena, text_of(text), JSON_COPY, &json, &err), 0);
    int rc = item_from_wire(&arena, json, &item, &err);
    assert_true(rc == 0 || (err.code == rc && err.text[0]));
    return rc;
}

static void expect_text(
    const struct attr *item, void (*write)(struct json_writer *, const struct attr *), const char *want)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, 1 << 20);
    json_writer_init(&w, &out);
    write(&w, item);
    buf_add_char(&out, 0);
    assert_false(out.failed);
    assert_string_equal(out.data, want);
    buf_fini(&out);
}

static const char full[] =
    "{\"id\":{\"S\":\"a\\u0000b\"},\"n\":{\"N\":\"12345678901234567890123456789012345678\"},\"b\":{\"B\":"
    "\"AAEC/w==\"},\"t\":{\"BOOL\":true},"
    "\"f\":{\"BOOL\":false},\"z\":{\"NULL\":true},\"l\":{\"L\":[{\"S\":\"x\"},{\"L\":[]},{\"N\":\"-0.5\"}]},"
    "\"m\":{\"M\":{\"k\":{\"M\":{}},\"e\":{\"S\":\"\"}}},"
    "\"ss\":{\"SS\":[\"p\",\"q\"]},\"ns\":{\"NS\":[\"1\",\"2\"]},\"bs\":{\"BS\":[\"AA==\",\"AQ==\"]}}";

static void test_wire_round_trip(void **state)
{
    (void)state;
    struct attr *item = wire(full);
    assert_int_equal(item_check(item, NULL), 0);
    expect_text(item, item_to_wire, full);
    expect_text(item, item_to_plain,
        "{\"id\":\"a\\u0000b\",\"n\":12345678901234567890123456789012345678,\"b\":\"AAEC/"
        "w==\",\"t\":true,\"f\":false,\"z\":null,"
        "\"l\":[\"x\",[],-0.5],\"m\":{\"k\":{},\"e\":\"\"},\"ss\":[\"p\",\"q\"],\"ns\":[1,2],\"bs\":[\"AA=="
        "\",\"AQ==\"]}");
    expect_text(wire("{\"n\":{\"N\":\"+1.50E2\"},\"m\":{\"N\":\"-0\"},\"o\":{\"N\":\"0.0010\"}}"),
        item_to_wire, "{\"n\":{\"N\":\"150\"},\"m\":{\"N\":\"0\"},\"o\":{\"N\":\"0.001\"}}");
}

static void types_are(const char *json, const char *sentence)
{
    struct err err = {0};
    const struct json *root;
    assert_int_equal(json_parse(&arena, text_of(json), 0, &root, NULL), 0);
    assert_int_equal(attr_wire_types(root, &err), sentence ? ERR_TYPE : 0);
    assert_string_equal(err.text, sentence ? sentence : "");
}

static void test_wire_types(void **state)
{
    (void)state;
    types_are("{\"S\":\"a\",\"N\":\"x\"}", NULL); /* what is wrong with the values is another matter */
    types_are("{\"What\":1,\"S\":null}", NULL);
    types_are("{\"L\":[null,{\"M\":{\"a\":{\"BS\":[\"YQ==\",null]}}}]}", NULL);
    types_are("1", "Unexpected value type in payload");
    types_are("{\"N\":1.5}", "DECIMAL_VALUE cannot be converted to String");
    types_are("{\"B\":false}", "only base-64-encoded strings are convertible to bytes");
    types_are("{\"L\":[{\"M\":{\"a\":{\"NS\":[{}]}}}]}", "Start of structure or map found where not expected");
}

static void test_wire_errors(void **state)
{
    (void)state;
    assert_int_equal(wire_error("{\"a\":{}}"), ERR_INVALID);
    assert_int_equal(wire_error("{\"a\":{\"S\":\"x\",\"N\":\"1\"}}"), ERR_INVALID);
    assert_int_equal(wire_error("{\"a\":{\"Q\":\"x\"}}"), ERR_INVALID);
    assert_int_equal(wire_error("{\"a\":{\"S\":1}}"), ERR_TYPE);
    assert_int_equal(wire_error("{\"a\":{\"N\":1}}"), ERR_TYPE);
    assert_int_equal(wire_error("{\"a\":{\"N\":\"one\"}}"), ERR_INVALID);
    assert_int_equal(wire_error("{\"a\":{\"N\":\"1E126\"}}"), ERR_TOO_LARGE);
    assert_int_equal(
        wire_error("{\"a\":{\"N\":\"123456789012345678901234567890123456789\"}}"), ERR_TOO_LARGE);
    assert_int_equal(wire_error("{\"a\":{\"B\":\"A\"}}"), ERR_TYPE);
    assert_int_equal(wire_error("{\"a\":{\"N\":\".\"}}"), ERR_INVALID);
    assert_int_equal(wire_error("{\"a\":{\"S\":null}}"), ERR_INVALID);
    assert_int_equal(wire_error("{\"a\":null}"), ERR_INVALID);
    assert_int_equal(wire_error("{\"a\":{\"SS\":[null]}}"), ERR_INVALID);
    assert_int_equal(wire_error("{\"a\":{\"BOOL\":\"true\"}}"), ERR_TYPE);
    assert_int_equal(wire_error("{\"a\":{\"NULL\":false}}"), ERR_INVALID);
    assert_int_equal(wire_error("{\"a\":{\"L\":{}}}"), ERR_TYPE);
    assert_int_equal(wire_error("{\"a\":{\"M\":[]}}"), ERR_TYPE);
    assert_int_equal(wire_error("{\"a\":{\"SS\":\"x\"}}"), ERR_TYPE);
    assert_int_equal(wire_error("{\"a\":\"x\"}"), ERR_TYPE);
    assert_int_equal(wire_error("[]"), ERR_TYPE);
}

static void test_stored_form(void **state)
{
    (void)state;
    struct attr *item = wire(full), *back = NULL;
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    assert_int_equal(item_encode(&bytes, item), 0);
    assert_int_equal(item_decode(&arena, buf_text(&bytes), &back), 0);
    assert_true(attr_equal(item, back));
    expect_text(back, item_to_wire, full);
    for (size_t cut = 0; cut < bytes.len;
         cut++) { /* every beginning is refused, in memory of exactly its size */
        char *part = malloc(cut ? cut : 1);
        memcpy(part, bytes.data, cut);
        assert_int_equal(item_decode(&arena, text_make(part, cut), &back), ERR_CORRUPT);
        free(part);
    }
    for (size_t at = 0; at < bytes.len; at++) /* every single flipped byte is survived */
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[at] ^= (char)(1 << bit);
            struct arena_mark mark = arena_mark(&arena);
            item_decode(&arena, buf_text(&bytes), &back);
            arena_rewind(&arena, mark);
            bytes.data[at] ^= (char)(1 << bit);
        }
    buf_add_u8(&bytes, 0);
    assert_int_equal(item_decode(&arena, buf_text(&bytes), &back), ERR_CORRUPT);
    buf_fini(&bytes);
}

static void test_plain(void **state)
{
    (void)state;
    const struct json *json;
    struct attr *item;
    assert_int_equal(
        json_parse(&arena, TEXT("{\"a\":1.50,\"b\":[true,null,\"x\"],\"c\":{\"d\":\"e\"}}"), 0, &json, NULL),
        0);
    assert_int_equal(item_from_plain(&arena, json, &item, NULL), 0);
    expect_text(item, item_to_wire,
        "{\"a\":{\"N\":\"1.5\"},\"b\":{\"L\":[{\"BOOL\":true},{\"NULL\":true},{\"S\":\"x\"}]},\"c\":{\"M\":{"
        "\"d\":{\"S\":\"e\"}}}}");
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(attr_equal(wire("{\"a\":{\"SS\":[\"x\",\"y\"]},\"b\":{\"N\":\"1.0\"}}"),
        wire("{\"b\":{\"N\":\"1\"},\"a\":{\"SS\":[\"y\",\"x\"]}}")));
    assert_false(attr_equal(wire("{\"a\":{\"SS\":[\"x\",\"y\"]}}"), wire("{\"a\":{\"SS\":[\"x\",\"z\"]}}")));
    assert_false(attr_equal(wire("{\"a\":{\"L\":[{\"S\":\"x\"},{\"S\":\"y\"}]}}"),
        wire("{\"a\":{\"L\":[{\"S\":\"y\"},{\"S\":\"x\"}]}}")));
    assert_false(attr_equal(wire("{\"a\":{\"S\":\"1\"}}"), wire("{\"a\":{\"N\":\"1\"}}")));
    assert_false(attr_equal(wire("{\"a\":{\"S\":\"1\"}}"), wire("{\"b\":{\"S\":\"1\"}}")));
    assert_false(attr_equal(wire("{\"a\":{\"BOOL\":true}}"), wire("{\"a\":{\"BOOL\":false}}")));
}

static void test_size_and_check(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(item_size(wire("{\"ab\":{\"S\":\"xyz\"}}")), 5);
    assert_int_equal(item_size(wire("{\"a\":{\"N\":\"1234\"}}")), 1 + 2 + 1);
    static const struct {
        const char *text;
        size_t digits; /* significant ones */
        bool negative;
    } number[] = {{"0", 0, false}, {"7", 1, false}, {"-7", 1, true}, {"100", 1, false}, {"101", 3, false}, {"1.5", 2, false}, {"-10.05", 4, true},
        {"0.001", 1, false}, {"0.0102", 3, false}, {"1e125", 1, false}, {"1e-130", 1, false}, {"-12345678901234567890123456789012345678", 38, true}};
    for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++) {
        char json[128];
        snprintf(json, sizeof(json), "{\"a\":{\"N\":\"%s\"}}", number[i].text);
        assert_int_equal(item_size(wire(json)), 1 + (number[i].digits + 1) / 2 + 1 + number[i].negative);
    }
    assert_int_equal(item_size(wire("{\"a\":{\"NULL\":true},\"b\":{\"BOOL\":true}}")), 4);
    assert_int_equal(item_size(wire("{\"a\":{\"M\":{\"k\":{\"S\":\"vv\"}}}}")), 1 + 3 + 1 + 1 + 2);
    assert_int_equal(item_check(wire("{\"a\":{\"SS\":[]}}"), &err), ERR_INVALID);
    assert_int_equal(item_check(wire("{\"a\":{\"NS\":[\"1\",\"1.0\"]}}"), &err), ERR_INVALID);
    assert_int_equal(item_check(wire("{\"a\":{\"S\":\"1\"},\"a\":{\"S\":\"2\"}}"), &err), ERR_DUPLICATE);

    struct attr *item = item_create(&arena);
    char *big = arena_alloc(&arena, ITEM_BYTES_MAX);
    memset(big, 'x', ITEM_BYTES_MAX);
    item_set_string(&arena, item, TEXT("a"), text_make(big, ITEM_BYTES_MAX - 1));
    assert_int_equal(item_check(item, &err), 0);
    item_set_string(&arena, item, TEXT("a"), text_make(big, ITEM_BYTES_MAX));
    assert_int_equal(item_check(item, &err), ERR_TOO_LARGE);

    struct attr *deep = item_create(&arena), *at = deep;
    for (int i = 0; i < ITEM_DEPTH_MAX; i++)
        at = item_set_container(&arena, at, TEXT("m"), ATTR_MAP);
    assert_int_equal(item_check(deep, &err), 0);
    item_set_container(&arena, at, TEXT("m"), ATTR_MAP);
    assert_int_equal(item_check(deep, &err), ERR_TOO_DEEP);

    struct attr *many = item_create(&arena),
                *set = item_set_container(&arena, many, TEXT("s"), ATTR_STRING_SET);
    for (int i = 0; i < 30000; i++)
        item_append(&arena, set, ATTR_STRING, arena_format(&arena, "%d", i));
    assert_int_equal(item_check(many, &err), 0);
    item_append(&arena, set, ATTR_STRING, TEXT("77"));
    assert_int_equal(item_check(many, &err), ERR_INVALID);
}

static void test_building(void **state)
{
    (void)state;
    struct attr *item = item_create(&arena);
    int64_t number;
    item_set_i64(&arena, item, TEXT("a"), INT64_MIN);
    item_set_string(&arena, item, TEXT("b"), TEXT("x"));
    item_set_bool(&arena, item, TEXT("c"), true);
    item_set_null(&arena, item, TEXT("d"));
    item_set_string(&arena, item, TEXT("b"), TEXT("y"));
    assert_int_equal(item->count, 4);
    assert_int_equal(attr_to_i64(item_get_str(item, "a"), &number), 0);
    assert_true(number == INT64_MIN);
    assert_true(text_is(item_get_str(item, "b")->text, "y"));
    assert_int_equal(attr_to_i64(item_get_str(item, "b"), &number), ERR_TYPE);
    assert_null(item_set_number(&arena, item, TEXT("e"), TEXT("x")));
    item_remove(item, TEXT("d"));
    item_remove(item, TEXT("a"));
    item_remove(item, TEXT("nothing"));
    assert_int_equal(item->count, 2);
    item_set_copy(&arena, item, TEXT("copy"), wire(full));
    assert_true(attr_equal(item_get_str(item, "copy"), wire(full)));
    assert_true(text_is(item->last->name, "copy"));
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 64 << 10, 256 << 20);
    return 0;
}
static int end(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wire_round_trip, begin, end),
        cmocka_unit_test_setup_teardown(test_wire_types, begin, end),
        cmocka_unit_test_setup_teardown(test_wire_errors, begin, end),
        cmocka_unit_test_setup_teardown(test_stored_form, begin, end),
        cmocka_unit_test_setup_teardown(test_plain, begin, end),
        cmocka_unit_test_setup_teardown(test_equal, begin, end),
        cmocka_unit_test_setup_teardown(test_size_and_check, begin, end),
        cmocka_unit_test_setup_teardown(test_building, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
