/* JSON reading: RFC 8259 vectors, exact extents, depth, duplicates, truncations, hostile padding. Writing: round trips. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/json.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 4096, 8 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* Parses in every mode: from an exact heap copy (nothing readable behind it), and with padding full of hostile bytes. All must agree. */
static int parse(struct text input, unsigned flags, const struct json **root)
{
    static const char *const paddings[] = {"]", "}", "\"", "1", ",", ":", " "};
    char *exact = malloc(input.len ? input.len : 1);
    memcpy(exact, input.data, input.len);
    const struct json *tree = NULL;
    int code = json_parse(&arena, text_make(exact, input.len), flags | JSON_COPY, &tree, NULL);
    free(exact); /* the tree must not need it */
    const struct json *other;
    assert_int_equal(json_parse(&arena, input, flags, &other, NULL), code);
    char *padded = malloc(input.len + JSON_PADDING);
    memcpy(padded, input.data, input.len);
    for (size_t i = 0; i < sizeof(paddings) / sizeof(*paddings); i++) {
        memset(padded + input.len, paddings[i][0], JSON_PADDING);
        assert_int_equal(json_parse(&arena, text_make(padded, input.len), flags | JSON_PADDED, &other, NULL), code);
    }
    free(padded);
    if (root)
        *root = tree;
    return code;
}

static const struct json *parsed(const char *input)
{
    const struct json *root = NULL;
    if (parse(text_of(input), 0, &root) != 0)
        fail_msg("refused: %s", input);
    return root;
}

static void test_valid(void **state)
{
    (void)state;
    static const char *const valid[] = {
        "null", "true", "false", "0", "-0", "1", "-1", "1.5", "1e5", "1E+5", "1e-5", "0.0e0", "-0.1E-2", "\"\"", "\"a\"",
        "[]", "{}", " [ ] ", "\t{\n}\r", "[1,2]", "[[],[[]],{}]", "{\"\":0}", "{\"a\":{\"b\":[null]}}", "[\"\\u0000\"]",
        "\"\\ud83d\\ude00\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\x7f\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
        "{\"a\":1,\"a\":2}", "[123456789012345678901234567890, 1e400]", "  1  ", "\"\xef\xbf\xbf\"", "\"\xf4\x8f\xbf\xbf\"",
        "[1 , 2\n,\t3]", "{\"a\" : 1 , \"b\" : 2}", "\"\\uDBFF\\uDFFF\""};
    for (size_t i = 0; i < sizeof(valid) / sizeof(*valid); i++)
        parsed(valid[i]);
}

static void test_invalid(void **state)
{
    (void)state;
    static const char *const invalid[] = {
        "", " ", "nul", "nulll", "True", "tru", "truex", "falsee", "nan", "NaN", "Infinity", "-", "+1", "01", "-01", "1.",
        ".5", "1.e5", "1e", "1e+", "1e5.5", "0x10", "1_000", "--1", "- 1", "1 2", "12x", "12\"a\"", "1.2.3", "[1,]", "[,1]",
        "[1 2]", "[1,,2]", "[", "]", "[[]", "[]]", "{", "}", "{]", "[}", "{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{:1}", "{a:1}",
        "{'a':1}", "{\"a\":1,}", "{,\"a\":1}", "{\"a\":1 \"b\":2}", "{\"a\":1,,\"b\":2}", "{1:2}", "{\"a\":1:2}", "[1:2]",
        "{\"a\",1}", "\"", "\"a", "a\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\udc00\"",
        "\"\\ud800\\u0041\"", "\"\\ud800\\ud800\"", "\"\\ud800x\"", "\"a\nb\"", "\"a\tb\"", "\"\x01\"", "\"\x1f\"",
        "\"a\"b", "\"a\"\"b\"", "\"a\" \"b\"", "[\"a\"b]", "[truefalse]", "[true false]", "[1]x", "{}x", "{} {}", "[][]",
        "[1],", "nulltrue", "[1,2}", "{\"a\":[1}", "/* c */1", "1//", "[1]/", "\"\x80\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"",
        "\"\xf5\x80\x80\x80\"", "\"\xe2\x82\"", "\xef\xbb\xbf{}", "[\"\\a\"]", "{\"\\q\":1}", "{\"\\ud800\":1}", "\\u0041",
        "[0e]", "[-]", "[1e1e1]", "[nul]", "[\"a\",", "{\"a\":1,\"b\"", "[1,2,\"", "\f1", "\v1", "[1]\f", "\xa0", "[\"\\\n\"]",
        "{\"a\"x:1}", "{\"a\":x1}", "{\"a\":1x}", "{\"a\"\"b\":1}", "[\x7f]", "[1\x7f]"};
    for (size_t i = 0; i < sizeof(invalid) / sizeof(*invalid); i++) {
        const struct json *root = NULL;
        int code = parse(text_of(invalid[i]), 0, &root);
        if (code != ERR_SYNTAX)
            fail_msg("code %d for: %s", code, invalid[i]);
        assert_null(root);
    }
    assert_int_equal(parse(TEXT("[1\0]"), 0, NULL), ERR_SYNTAX);
    assert_int_equal(parse(TEXT("1\0"), 0, NULL), ERR_SYNTAX);
    assert_int_equal(parse(TEXT("\"a\0b\""), 0, NULL), ERR_SYNTAX);
}

static const char document[] =
    " {\"action\":\"updateScore\", \"tags\" : [ \"a\", \"\\u00e9\\ud83d\\ude00\" , []],\"deep\":{\"x\":{\"y\":[1,-2.5e3,"
    "12345678901234567890123456789012345678]}},\n\"t\":true,\"f\":false,\"n\":null,\"na\\u006de\":\"v\\n\", \"e\":{} } ";

static void test_tree(void **state)
{
    (void)state;
    const struct json *root = parsed(document);
    assert_int_equal(root->type, JSON_OBJECT);
    assert_int_equal(root->count, 8);
    assert_true(root->raw.len == strlen(document) - 2 && !memcmp(root->raw.data, document + 1, root->raw.len));
    assert_true(text_is(json_get_str(root, "action")->text, "updateScore"));
    assert_true(text_is(json_get_str(root, "action")->raw, "\"updateScore\""));
    const struct json *tags = json_get_str(root, "tags");
    assert_int_equal(tags->count, 3);
    assert_true(text_is(tags->raw, "[ \"a\", \"\\u00e9\\ud83d\\ude00\" , []]"));
    assert_true(text_is(json_at(tags, 1)->text, "\xc3\xa9\xf0\x9f\x98\x80"));
    assert_true(text_is(json_at(tags, 1)->raw, "\"\\u00e9\\ud83d\\ude00\""));
    assert_true(text_is(json_at(tags, 2)->raw, "[]"));
    assert_null(json_at(tags, 3));
    assert_null(json_at(root, 0));
    assert_true(text_is(json_path(root, TEXT("deep.x.y.2"))->text, "12345678901234567890123456789012345678"));
    assert_true(text_is(json_path(root, TEXT("deep.x"))->raw, "{\"y\":[1,-2.5e3,12345678901234567890123456789012345678]}"));
    assert_null(json_path(root, TEXT("deep.x.y.3")));
    assert_null(json_path(root, TEXT("deep.x.y.z")));
    assert_null(json_path(root, TEXT("deep..x")));
    assert_null(json_path(root, TEXT("action.x")));
    assert_null(json_path(NULL, TEXT("a")));
    assert_true(json_is(json_get_str(root, "t"), JSON_TRUE));
    assert_true(json_is(json_get_str(root, "f"), JSON_FALSE));
    assert_true(json_is(json_get_str(root, "n"), JSON_NULL));
    assert_true(text_is(json_get_str(root, "n")->raw, "null"));
    assert_true(text_is(json_get_str(root, "name")->text, "v\n")); /* the name was written with an escape */
    assert_true(text_is(json_get_str(root, "e")->raw, "{}"));
    assert_null(json_get_str(root, "missing"));
    assert_null(json_get_str(NULL, "a"));
    assert_null(json_get_str(tags, "a"));
}

static void test_borrowing(void **state)
{
    (void)state;
    static const char input[] = "{\"a\":\"borrowed\",\"b\":[17]}";
    const struct json *root;
    assert_int_equal(json_parse(&arena, text_of(input), 0, &root, NULL), 0);
    assert_ptr_equal(json_get_str(root, "a")->text.data, input + 6);
    assert_ptr_equal(json_get_str(root, "b")->raw.data, strchr(input, '['));
    assert_ptr_equal(root->first->name.data, input + 2);
    assert_int_equal(json_parse(&arena, text_of(input), JSON_COPY, &root, NULL), 0);
    assert_ptr_not_equal(json_get_str(root, "a")->text.data, input + 6);
}

static void test_truncations(void **state)
{
    (void)state;
    size_t len = strlen(document);
    while (document[len - 1] == ' ')
        len--;
    assert_int_equal(parse(text_make(document, len), 0, NULL), 0);
    for (size_t cut = 0; cut < len; cut++) {
        arena_reset(&arena);
        assert_int_equal(parse(text_make(document, cut), 0, NULL), ERR_SYNTAX);
    }
}

static void test_every_byte_replaced(void **state)
{
    (void)state;
    /* No expectation but this: no crash, the same answer in all modes, and an accepted text is accepted again when written. */
    size_t len = strlen(document);
    char changed[sizeof(document)];
    static const char bytes[] = "\"\\{}[],:0e-. tnu\x80\xff\x01";
    for (size_t at = 0; at < len; at++)
        for (size_t b = 0; b < sizeof(bytes) - 1; b++) {
            arena_reset(&arena);
            memcpy(changed, document, len);
            changed[at] = bytes[b];
            const struct json *root;
            if (parse(text_make(changed, len), 0, &root))
                continue;
            struct buf out;
            struct json_writer w;
            buf_init(&out, 4096);
            json_writer_init(&w, &out);
            json_value(&w, root);
            assert_int_equal(parse(buf_text(&out), 0, NULL), 0);
            buf_fini(&out);
        }
}

static void nested(struct buf *out, int levels, const char *open, const char *inside, const char *close)
{
    buf_clear(out);
    for (int i = 0; i < levels; i++)
        buf_add_text(out, text_of(open));
    buf_add_text(out, text_of(inside));
    for (int i = 0; i < levels; i++)
        buf_add_text(out, text_of(close));
}

static void test_depth(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    nested(&text, JSON_DEPTH_MAX, "[", "1", "]");
    assert_int_equal(parse(buf_text(&text), 0, NULL), 0);
    nested(&text, JSON_DEPTH_MAX + 1, "[", "1", "]");
    assert_int_equal(parse(buf_text(&text), 0, NULL), ERR_TOO_DEEP);
    nested(&text, JSON_DEPTH_MAX, "{\"a\":", "1", "}");
    assert_int_equal(parse(buf_text(&text), 0, NULL), 0);
    nested(&text, JSON_DEPTH_MAX + 1, "{\"a\":", "1", "}");
    assert_int_equal(parse(buf_text(&text), 0, NULL), ERR_TOO_DEEP);
    nested(&text, 100000, "[", "", "");
    assert_int_equal(parse(buf_text(&text), 0, NULL), ERR_TOO_DEEP);
    nested(&text, JSON_DEPTH_MAX, "[", "[]", "]");
    assert_int_equal(parse(buf_text(&text), 0, NULL), ERR_TOO_DEEP);
    buf_fini(&text);
}

static void test_duplicates(void **state)
{
    (void)state;
    const struct json *root;
    struct err err;
    assert_int_equal(parse(TEXT("{\"a\":1,\"a\":2}"), 0, &root), 0);
    assert_true(text_is(json_get_str(root, "a")->text, "2"));
    assert_int_equal(root->count, 2);
    assert_int_equal(parse(TEXT("{\"a\":1,\"a\":2}"), JSON_REFUSE_DUPLICATES, NULL), ERR_DUPLICATE);
    assert_int_equal(parse(TEXT("{\"a\":1,\"\\u0061\":2}"), JSON_REFUSE_DUPLICATES, NULL), ERR_DUPLICATE);
    assert_int_equal(parse(TEXT("[{\"x\":{\"a\":1,\"b\":2,\"a\":2}}]"), JSON_REFUSE_DUPLICATES, NULL), ERR_DUPLICATE);
    assert_int_equal(parse(TEXT("{\"a\":{\"a\":1},\"A\":2}"), JSON_REFUSE_DUPLICATES, NULL), 0);
    for (int members = 2; members < 400; members += 7) {
        struct buf text;
        buf_init(&text, 1 << 16);
        for (int i = 0; i < members; i++)
            buf_add_format(&text, "%c\"key%d\":%d", i ? ',' : '{', i, i);
        buf_add_char(&text, '}');
        assert_int_equal(parse(buf_text(&text), JSON_REFUSE_DUPLICATES, &root), 0);
        assert_true(text_is(json_get(root, TEXT("key1"))->text, "1"));
        text.len--;
        buf_add_format(&text, ",\"key%d\":0}", members / 2);
        assert_int_equal(parse(buf_text(&text), JSON_REFUSE_DUPLICATES, NULL), ERR_DUPLICATE);
        buf_fini(&text);
        arena_reset(&arena);
    }
    assert_int_equal(json_parse(&arena, TEXT("{\"a\":1,\"a\":2}"), JSON_REFUSE_DUPLICATES, &root, &err), ERR_DUPLICATE);
    assert_int_equal(err.code, ERR_DUPLICATE);
}

static void test_error_offset(void **state)
{
    (void)state;
    const struct json *root;
    struct err err;
    assert_int_equal(json_parse(&arena, TEXT("{\"a\":1,\"b\":tru}"), 0, &root, &err), ERR_SYNTAX);
    assert_string_equal(err.text, "the text is not valid JSON near byte 11");
    assert_int_equal(json_parse(&arena, TEXT("[1,2] x"), 0, &root, &err), ERR_SYNTAX);
    assert_string_equal(err.text, "the text is not valid JSON near byte 6");
}

static void test_memory_limit(void **state)
{
    (void)state;
    const struct json *root = NULL;
    for (size_t limit = 0; limit < 4096; limit += 16) {
        struct arena small;
        arena_init(&small, 64, limit);
        int code = json_parse(&small, text_of(document), limit & 16 ? JSON_COPY : 0, &root, NULL);
        assert_true(code == 0 || code == ERR_MEMORY);
        assert_true(code == 0 || limit < 3000);
        assert_true(code == ERR_MEMORY || limit > 1000);
        arena_fini(&small);
    }
}

static void test_large(void **state)
{
    (void)state;
    /* Beyond what a thread keeps between two texts, so the workspace is given back and made anew. */
    struct buf text;
    buf_init(&text, 16 << 20);
    buf_add_char(&text, '[');
    while (text.len < (5 << 20))
        buf_add_text(&text, TEXT("\"a long run of plain text, a long run of plain text, a long run of plain text, a long run "
                                 "of plain text, a long run of plain text, a long run of plain text\","));
    buf_add_text(&text, TEXT("1]"));
    struct arena big;
    arena_init(&big, 4096, 64 << 20);
    const struct json *root;
    for (int i = 0; i < 2; i++) {
        arena_reset(&big);
        assert_int_equal(json_parse(&big, buf_text(&text), i ? JSON_COPY : 0, &root, NULL), 0);
        assert_true(root->count > 10000);
        assert_int_equal(root->raw.len, text.len);
        assert_int_equal(json_parse(&big, TEXT("[1]"), 0, &root, NULL), 0);
    }
    arena_fini(&big);
    buf_fini(&text);
}

static void test_number_limit(void **state)
{
    (void)state;
    char digits[514];
    memset(digits, '1', sizeof(digits));
    assert_int_equal(parse(text_make(digits, 512), 0, NULL), 0);
    assert_int_equal(parse(text_make(digits, 513), 0, NULL), ERR_SYNTAX);
}

/* Numbers of every length and scale, bit for bit what strtod makes of them. */
static void test_doubles(void **state)
{
    static const char *const edges[] = {"0", "-0", "0.0", "-0.000", "9007199254740993", "999999999999999", "9999999999999999", "0.000000000000001", "0.0000000000000001",
        "123456789012345", "12345678901234.5", "1.7976931348623157e308", "4.9e-324", "0.1", "1e5", "-1E-5", "1795234567.123"};
    uint64_t seed = 1;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[64];
        double d, wanted;
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        if (i < (int)(sizeof(edges) / sizeof(edges[0])))
            snprintf(text, sizeof(text), "%s", edges[i]);
        else
            snprintf(text, sizeof(text), "%.*f", (int)(seed >> 60), (double)(int64_t)seed / (double)(UINT64_C(1) << (seed >> 30 & 63)));
        wanted = strtod(text, NULL);
        struct json node = {.type = JSON_NUMBER, .text = text_of(text)};
        assert_int_equal(json_to_double(&node, &d), 0);
        assert_memory_equal(&d, &wanted, sizeof(d));
    }
}

static void test_to_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        int64_t value;
    } cases[] = {
        {"5", 0, 5}, {"5.0", 0, 5}, {"1e3", 0, 1000}, {"1.5e1", 0, 15}, {"-0", 0, 0}, {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775807.0", 0, INT64_MAX}, {"9223372036854775808", ERR_INVALID, 0}, {"5.5", ERR_INVALID, 0},
        {"1e-1", ERR_INVALID, 0}, {"1e400", ERR_INVALID, 0}, {"100e-2", 0, 1}, {"\"5\"", ERR_TYPE, 0}, {"null", ERR_TYPE, 0},
        {"0e999999999999", 0, 0}, {"5.0000000000000000000000000000000000000000000000000000000", 0, 5}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int64_t value = 77;
        assert_int_equal(json_to_i64(parsed(cases[i].text), &value), cases[i].code);
        if (cases[i].code == 0)
            assert_true(value == cases[i].value);
    }
    double d;
    assert_int_equal(json_to_i64(NULL, &(int64_t){0}), ERR_TYPE);
    assert_int_equal(json_to_double(parsed("-1.25e2"), &d), 0);
    assert_true(d == -125);
    assert_int_equal(json_to_double(parsed("1e999"), &d), ERR_INVALID);
    assert_int_equal(json_to_double(parsed("1e-999"), &d), 0);
    assert_true(d == 0);
    assert_int_equal(json_to_double(parsed("true"), &d), ERR_TYPE);
}

/* ---- writing ---- */

static void test_writer(void **state)
{
    (void)state;
    struct buf out;
    struct json_writer w;
    buf_init(&out, 4096);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_name(&w, "a");
    json_i64(&w, -5);
    json_name_text(&w, TEXT("b\""));
    json_begin_array(&w);
    json_u64(&w, UINT64_MAX);
    json_bool(&w, true);
    json_null(&w);
    json_begin_array(&w);
    json_end_array(&w);
    json_begin_object(&w);
    json_end_object(&w);
    json_str(&w, "x\n\x01\\/");
    json_end_array(&w);
    json_name(&w, "c");
    json_raw(&w, TEXT("{\"r\":1}"));
    json_name(&w, "d");
    json_number_text(&w, TEXT("12345678901234567890123456789012345678"));
    json_end_object(&w);
    assert_false(out.failed);
    assert_true(text_is(buf_text(&out), "{\"a\":-5,\"b\\\"\":[18446744073709551615,true,null,[],{},\"x\\n\\u0001\\\\/\"],"
                                        "\"c\":{\"r\":1},\"d\":12345678901234567890123456789012345678}"));
    buf_fini(&out);
}

static void test_writer_doubles(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.1, "0.1"}, {1.0 / 3, "0.3333333333333333"}, {1e300, "1e+300"}, {-2.5, "-2.5"}, {5, "5"},
                 {NAN, "null"}, {INFINITY, "null"}, {0.1 + 0.2, "0.30000000000000004"}, {5e-324, "5e-324"}};
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct json_writer w;
        double back;
        buf_clear(&out);
        json_writer_init(&w, &out);
        json_double(&w, cases[i].value);
        assert_true(text_is(buf_text(&out), cases[i].text));
        const struct json *root;
        assert_int_equal(parse(buf_text(&out), 0, &root), 0);
        if (isfinite(cases[i].value)) {
            assert_int_equal(json_to_double(root, &back), 0);
            assert_true(back == cases[i].value);
        }
    }
    buf_fini(&out);
}

static void test_writer_round_trip(void **state)
{
    (void)state;
    struct buf first, second;
    struct json_writer w;
    buf_init(&first, 4096);
    buf_init(&second, 4096);
    json_writer_init(&w, &first);
    json_value(&w, parsed(document));
    assert_true(text_is(buf_text(&first),
                        "{\"action\":\"updateScore\",\"tags\":[\"a\",\"\xc3\xa9\xf0\x9f\x98\x80\",[]],\"deep\":{\"x\":{\"y\":[1,-2.5e3,"
                        "12345678901234567890123456789012345678]}},\"t\":true,\"f\":false,\"n\":null,\"name\":\"v\\n\",\"e\":{}}"));
    const struct json *again;
    assert_int_equal(parse(buf_text(&first), 0, &again), 0);
    json_writer_init(&w, &second);
    json_value(&w, again);
    assert_true(text_equal(buf_text(&first), buf_text(&second)));
    buf_fini(&first);
    buf_fini(&second);
}

static void test_writer_deep(void **state)
{
    (void)state;
    /* A tree of the greatest depth inside an envelope goes beyond the levels that have a bit. */
    struct buf text, out;
    struct json_writer w;
    const struct json *root;
    buf_init(&text, 4096);
    buf_init(&out, 4096);
    nested(&text, JSON_DEPTH_MAX - 2, "[", "1,{\"a\":2,\"b\":[]},3", "]");
    assert_int_equal(parse(buf_text(&text), 0, &root), 0);
    json_writer_init(&w, &out);
    for (int i = 0; i < 10; i++)
        json_begin_array(&w);
    json_value(&w, root);
    json_value(&w, root);
    for (int i = 0; i < 10; i++)
        json_end_array(&w);
    struct buf expected;
    buf_init(&expected, 4096);
    buf_add_text(&expected, TEXT("[[[[[[[[[["));
    buf_add_text(&expected, buf_text(&text));
    buf_add_char(&expected, ',');
    buf_add_text(&expected, buf_text(&text));
    buf_add_text(&expected, TEXT("]]]]]]]]]]"));
    assert_true(text_equal(buf_text(&out), buf_text(&expected)));
    buf_fini(&expected);
    buf_fini(&out);
    buf_fini(&text);
}

static void test_escape_every_byte(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    for (int length = 1; length < 40; length++)
        for (int at = 0; at < length; at += 3)
            for (int c = 0; c < 128; c++) {
                char plain[40];
                const struct json *root;
                memset(plain, 'p', sizeof(plain));
                plain[at] = (char)c;
                buf_clear(&out);
                arena_reset(&arena);
                assert_int_equal(json_escape(&out, text_make(plain, (size_t)length)), 0);
                assert_int_equal(json_parse(&arena, buf_text(&out), 0, &root, NULL), 0);
                assert_true(text_equal(root->text, text_make(plain, (size_t)length)));
            }
    buf_fini(&out);
}

static void test_escape_repairs(void **state)
{
    (void)state;
    static const struct {
        const char *bad, *good;
    } cases[] = {{"a\xff" "b", "\"a\xef\xbf\xbd" "b\""},
                 {"\xc3", "\"\xef\xbf\xbd\""},
                 {"\xc3\xa9\x80\n", "\"\xc3\xa9\xef\xbf\xbd\\n\""},
                 {"\xe2\x82" "x", "\"\xef\xbf\xbd\xef\xbf\xbdx\""},
                 {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}};
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        buf_clear(&out);
        assert_int_equal(json_escape(&out, text_of(cases[i].bad)), 0);
        assert_true(text_is(buf_text(&out), cases[i].good));
    }
    buf_fini(&out);
}

static void test_escape_limit(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 10);
    buf_add_char(&out, 'x');
    assert_int_equal(json_escape(&out, TEXT("\x01\x01")), ERR_TOO_LARGE); /* 14 bytes */
    assert_int_equal(out.len, 1);
    assert_true(out.failed);
    buf_clear(&out);
    assert_int_equal(json_escape(&out, TEXT("12345678")), 0);
    assert_false(out.failed);
    assert_int_equal(out.len, 10);
    buf_fini(&out);
}

/* Strings are copied in pieces of 16, 8 and 1 bytes that overlap: each byte at each place of each length. */
static void test_escape_every_place(void **state)
{
    (void)state;
    struct buf out, expected;
    char text[48];
    buf_init(&out, 512);
    buf_init(&expected, 512);
    for (size_t len = 1; len <= sizeof(text); len++)
        for (size_t at = 0; at < len; at++)
            for (int c = 0; c < 128; c++) {
                memset(text, 'p', len);
                text[at] = (char)c;
                buf_clear(&out);
                buf_clear(&expected);
                buf_add_char(&expected, '"');
                buf_add(&expected, text, at);
                if (c == '"' || c == '\\')
                    buf_add_format(&expected, "\\%c", c);
                else if (c < 0x20)
                    buf_add_text(&expected, c == '\b' ? TEXT("\\b") : c == '\t' ? TEXT("\\t") : c == '\n' ? TEXT("\\n") : c == '\f' ? TEXT("\\f") : c == '\r' ? TEXT("\\r") : TEXT(""));
                else
                    buf_add_char(&expected, (char)c);
                if (c < 0x20 && expected.len == at + 1)
                    buf_add_format(&expected, "\\u%04x", (unsigned)c);
                buf_add(&expected, text + at + 1, len - at - 1);
                buf_add_char(&expected, '"');
                assert_int_equal(json_escape(&out, text_make(text, len)), 0);
                if (!text_equal(buf_text(&out), buf_text(&expected)))
                    fail_msg("byte %d at %zu of %zu: %.*s", c, at, len, (int)out.len, out.data);
            }
    buf_fini(&out);
    buf_fini(&expected);
}

static void test_wrapped(void **state)
{
    (void)state;
    struct json_writer w;
    struct buf out;
    buf_init(&out, 512);
    json_writer_init(&w, &out);
    json_begin_array(&w);
    json_wrapped_text(&w, TEXT("{\"S\":"), TEXT("a \"b\""), TEXT("}"));
    json_wrapped_text(&w, TEXT("{\"N\":"), TEXT("1"), TEXT("}"));
    json_end_array(&w);
    assert_true(text_is(buf_text(&out), "[{\"S\":\"a \\\"b\\\"\"},{\"N\":\"1\"}]"));
    buf_fini(&out);
}

/* Strings of every small length with one byte of each kind at each place: what is copied in pieces must come out as what is looked at byte by byte. */
static void test_write_short_strings(void **state)
{
    (void)state;
    static const char special[] = {'"', '\\', '\n', 0x1f, 0x20, 0x7f, 'x', (char)0x80, (char)0xff, 0};
    static const char *const escaped[] = {"\\\"", "\\\\", "\\n", "\\u001f", " ", "\x7f", "x", "\xef\xbf\xbd", "\xef\xbf\xbd", "\\u0000"};
    for (size_t len = 1; len < 40; len++)
        for (size_t at = 0; at < len; at++)
            for (size_t kind = 0; kind < sizeof(special); kind++) {
                char *value = malloc(len), expected[64], *end = expected; /* exact: a read behind it is seen */
                struct json_writer w;
                struct buf out;
                *end++ = '"';
                for (size_t i = 0; i < len; i++) {
                    value[i] = i == at ? special[kind] : (char)('a' + i % 26);
                    end = i == at ? stpcpy(end, escaped[kind]) : (*end = value[i], end + 1);
                }
                *end++ = '"';
                buf_init(&out, 256);
                json_writer_init(&w, &out);
                json_begin_object(&w);
                json_name_text(&w, text_make(value, len));
                json_wrapped_text(&w, TEXT("{\"S\":"), text_make(value, len), TEXT("}"));
                json_end_object(&w);
                size_t n = (size_t)(end - expected);
                assert_int_equal(out.len, 2 * n + 9);
                assert_memory_equal(out.data + 1, expected, n);
                assert_memory_equal(out.data + 1 + n, ":{\"S\":", 6);
                assert_memory_equal(out.data + 7 + n, expected, n);
                assert_memory_equal(out.data + 7 + 2 * n, "}}", 2);
                buf_fini(&out);
                free(value);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_valid), T(test_invalid), T(test_tree), T(test_borrowing), T(test_truncations), T(test_every_byte_replaced),
        T(test_depth), T(test_duplicates), T(test_error_offset), T(test_memory_limit), T(test_large), T(test_number_limit),
        T(test_doubles), T(test_to_numbers), T(test_writer), T(test_writer_doubles), T(test_writer_round_trip), T(test_writer_deep),
        T(test_escape_every_byte), T(test_escape_repairs), T(test_escape_limit), T(test_escape_every_place), T(test_wrapped), T(test_write_short_strings),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
