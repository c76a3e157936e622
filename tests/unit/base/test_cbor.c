/* CBOR: the vectors of RFC 8949 appendix A, what is not well formed, every truncation, limits, and the way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cbor.h"
#include "base/codec.h"

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

static void from_hex(struct buf *out, const char *hex)
{
    buf_init(out, 1 << 20);
    assert_int_equal(hex_decode(out, text_of(hex)), 0);
}

/* From an exact heap copy, so that a sanitizer sees a read behind the end. */
static int parse(struct text bytes, const struct json **tree)
{
    char *exact = malloc(bytes.len ? bytes.len : 1);
    if (bytes.len)
        memcpy(exact, bytes.data, bytes.len);
    const struct json *root = NULL;
    int code = cbor_parse(&arena, text_make(exact, bytes.len), &root, NULL);
    if (tree && code == 0) {
        struct buf json;
        struct json_writer w;
        buf_init(&json, 1 << 20);
        json_writer_init(&w, &json);
        json_value(&w, root);
        assert_int_equal(json_parse(&arena, buf_text(&json), JSON_COPY, tree, NULL), 0);
        buf_fini(&json);
    }
    free(exact);
    return code;
}

static void as_json(const char *hex, char out[2048])
{
    struct buf bytes, json;
    struct json_writer w;
    const struct json *root;
    struct err err;
    from_hex(&bytes, hex);
    buf_init(&json, 2047);
    if (cbor_parse(&arena, buf_text(&bytes), &root, &err) != 0)
        fail_msg("%s: %s", hex, err.text);
    json_writer_init(&w, &json);
    json_value(&w, root);
    assert_false(json.failed);
    memcpy(out, json.data, json.len);
    out[json.len] = 0;
    for (size_t cut = 0; cut < bytes.len; cut++)
        assert_int_not_equal(parse(text_make(bytes.data, cut), NULL), 0);
    buf_add_char(&bytes, 0);
    assert_int_equal(parse(buf_text(&bytes), NULL), ERR_SYNTAX); /* trailing */
    buf_fini(&json);
    buf_fini(&bytes);
}

static void test_appendix_a(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *json;
    } vectors[] = {
        {"00", "0"}, {"01", "1"}, {"0a", "10"}, {"17", "23"}, {"1818", "24"}, {"1819", "25"}, {"1864", "100"}, {"1903e8", "1000"},
        {"1a000f4240", "1000000"}, {"1b000000e8d4a51000", "1000000000000"}, {"1bffffffffffffffff", "18446744073709551615"},
        {"c249010000000000000000", "18446744073709551616"}, {"3bffffffffffffffff", "-18446744073709551616"},
        {"c349010000000000000000", "-18446744073709551617"}, {"20", "-1"}, {"29", "-10"}, {"3863", "-100"}, {"3903e7", "-1000"},
        {"f90000", "0"}, {"f98000", "-0"}, {"f93c00", "1"}, {"fb3ff199999999999a", "1.1"}, {"f93e00", "1.5"}, {"f97bff", "65504"},
        {"fa47c35000", "100000"}, {"fa7f7fffff", "3.4028234663852886e+38"}, {"fb7e37e43c8800759c", "1e+300"},
        {"f90001", "5.9604644775390625e-08"}, {"f90400", "6.103515625e-05"}, {"f9c400", "-4"}, {"fbc010666666666666", "-4.1"},
        {"f4", "false"}, {"f5", "true"}, {"f6", "null"}, {"f7", "null"},
        {"c074323031332d30332d32315432303a30343a30305a", "\"2013-03-21T20:04:00Z\""}, {"c11a514b67b0", "1363896240"},
        {"c1fb41d452d9ec200000", "1363896240.5"}, {"d74401020304", "\"AQIDBA==\""}, {"d818456449455446", "\"ZElFVEY=\""},
        {"d82076687474703a2f2f7777772e6578616d706c652e636f6d", "\"http://www.example.com\""}, {"40", "\"\""},
        {"4401020304", "\"AQIDBA==\""}, {"60", "\"\""}, {"6161", "\"a\""}, {"6449455446", "\"IETF\""}, {"62225c", "\"\\\"\\\\\""},
        {"62c3bc", "\"\xc3\xbc\""}, {"63e6b0b4", "\"\xe6\xb0\xb4\""}, {"64f0908591", "\"\xf0\x90\x85\x91\""}, {"80", "[]"},
        {"83010203", "[1,2,3]"}, {"8301820203820405", "[1,[2,3],[4,5]]"},
        {"98190102030405060708090a0b0c0d0e0f101112131415161718181819",
            "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]"},
        {"a0", "{}"}, {"a26161016162820203", "{\"a\":1,\"b\":[2,3]}"}, {"826161a161626163", "[\"a\",{\"b\":\"c\"}]"},
        {"a56161614161626142616361436164614461656145", "{\"a\":\"A\",\"b\":\"B\",\"c\":\"C\",\"d\":\"D\",\"e\":\"E\"}"},
        {"5f42010243030405ff", "\"AQIDBAU=\""}, {"7f657374726561646d696e67ff", "\"streaming\""}, {"9fff", "[]"},
        {"9f018202039f0405ffff", "[1,[2,3],[4,5]]"}, {"9f01820203820405ff", "[1,[2,3],[4,5]]"}, {"83018202039f0405ff", "[1,[2,3],[4,5]]"},
        {"83019f0203ff820405", "[1,[2,3],[4,5]]"},
        {"9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
            "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]"},
        {"bf61610161629f0203ffff", "{\"a\":1,\"b\":[2,3]}"}, {"826161bf61626163ff", "[\"a\",{\"b\":\"c\"}]"},
        {"bf6346756ef563416d7421ff", "{\"Fun\":true,\"Amt\":-2}"},
        /* Beside the appendix: self-described CBOR, decimal fractions, heads that are not shortest, keys in chunks, empty chunks. */
        {"d9d9f701", "1"}, {"c48221196ab3", "27315e-2"}, {"1b0000000000000001", "1"}, {"3a00000000", "-1"}, {"5800", "\"\""},
        {"a17f61616162ff01", "{\"ab\":1}"}, {"7f6060ff", "\"\""}, {"5fff", "\"\""}, {"c240", "0"}, {"c340", "-1"}, {"c2420000", "0"},
        {"c341ff", "-256"}, {"c25f41014100ff", "256"}, {"a2616101616102", "{\"a\":1,\"a\":2}"}, {"fb8000000000000001", "-5e-324"},
    };
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
        char json[2048];
        as_json(vectors[i].hex, json);
        if (strcmp(json, vectors[i].json) != 0)
            fail_msg("%s: %s, expected %s", vectors[i].hex, json, vectors[i].json);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        int code;
    } bad[] = {
        /* not finite, simple values, keys */
        {"f97c00", ERR_TYPE}, {"f97e00", ERR_TYPE}, {"f9fc00", ERR_TYPE}, {"fa7f800000", ERR_TYPE}, {"fb7ff8000000000000", ERR_TYPE},
        {"f0", ERR_TYPE}, {"f8ff", ERR_TYPE}, {"a201020304", ERR_TYPE}, {"a1410100", ERR_TYPE}, {"a1f600", ERR_TYPE},
        /* tags around the wrong thing */
        {"c001", ERR_TYPE}, {"c16161", ERR_TYPE}, {"c1f6", ERR_TYPE}, {"c26161", ERR_TYPE}, {"c201", ERR_TYPE}, {"c401", ERR_TYPE},
        {"c48101", ERR_TYPE}, {"c482f93e0001", ERR_TYPE}, {"c4a2616101616202", ERR_TYPE}, {"c4830101f6", ERR_TYPE},
        /* appendix F: not well formed */
        {"1c", ERR_SYNTAX}, {"1d", ERR_SYNTAX}, {"1e", ERR_SYNTAX}, {"3c", ERR_SYNTAX}, {"5c", ERR_SYNTAX}, {"7d", ERR_SYNTAX},
        {"9e", ERR_SYNTAX}, {"bc", ERR_SYNTAX}, {"dd", ERR_SYNTAX}, {"fc", ERR_SYNTAX}, {"f800", ERR_SYNTAX}, {"f81f", ERR_SYNTAX},
        {"5f00ff", ERR_SYNTAX}, {"5f21ff", ERR_SYNTAX}, {"5f6100ff", ERR_SYNTAX}, {"5f80ff", ERR_SYNTAX}, {"5fc000ff", ERR_SYNTAX},
        {"7f4100ff", ERR_SYNTAX}, {"5f5f4100ffff", ERR_SYNTAX}, {"7f7f6100ffff", ERR_SYNTAX}, {"ff", ERR_SYNTAX}, {"81ff", ERR_SYNTAX},
        {"8200ff", ERR_SYNTAX}, {"a16161ff", ERR_SYNTAX}, {"a1ff", ERR_TRUNCATED}, {"bf6161ff", ERR_SYNTAX}, {"bf616101ff00", ERR_SYNTAX},
        {"9f81ff", ERR_SYNTAX}, {"1f", ERR_SYNTAX}, {"3f", ERR_SYNTAX}, {"df", ERR_SYNTAX}, {"c1ff", ERR_SYNTAX},
        /* text that is not UTF-8, also across chunks */
        {"61ff", ERR_SYNTAX}, {"62c080", ERR_SYNTAX}, {"63eda080", ERR_SYNTAX}, {"7f61c361bcff", ERR_SYNTAX}, {"a161ff00", ERR_SYNTAX},
        /* claims that nothing stands behind */
        {"", ERR_TRUNCATED}, {"18", ERR_TRUNCATED}, {"9bffffffffffffffff00", ERR_TRUNCATED}, {"bb7fffffffffffffff", ERR_TRUNCATED},
        {"bbffffffffffffffff6161", ERR_TRUNCATED}, {"5bffffffffffffffff00", ERR_TRUNCATED}, {"7b00000000ffffffff61", ERR_TRUNCATED},
        {"9f", ERR_TRUNCATED}, {"bf", ERR_TRUNCATED}, {"5f", ERR_TRUNCATED}, {"7f6161", ERR_TRUNCATED}, {"c2", ERR_TRUNCATED}, {"0000", ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct buf bytes;
        from_hex(&bytes, bad[i].hex);
        int code = parse(buf_text(&bytes), NULL);
        if (code != bad[i].code)
            fail_msg("%s: %d, expected %d", bad[i].hex, code, bad[i].code);
        buf_fini(&bytes);
    }
}

static int parse_nested(unsigned char opener, size_t levels)
{
    char bytes[JSON_DEPTH_MAX + 8];
    memset(bytes, opener, levels);
    bytes[levels] = 0;
    return parse(text_make(bytes, levels + 1), NULL);
}

static void test_limits(void **state)
{
    (void)state;
    struct err err;
    const struct json *root;
    assert_int_equal(parse_nested(0x81, JSON_DEPTH_MAX), 0);
    assert_int_equal(parse_nested(0x81, JSON_DEPTH_MAX + 1), ERR_TOO_DEEP);
    assert_int_equal(parse_nested(0xc6, JSON_DEPTH_MAX), 0);
    assert_int_equal(parse_nested(0xc6, JSON_DEPTH_MAX + 1), ERR_TOO_DEEP);
    /* The largest bignums on both sides of the limit of a number's text. */
    char bytes[3 + 213];
    memset(bytes, 0xff, sizeof(bytes));
    memcpy(bytes, "\xc3\x58\xd4", 3);
    assert_int_equal(parse(text_make(bytes, 3 + 212), NULL), 0);
    memcpy(bytes, "\xc3\x58\xd5", 3);
    assert_int_equal(parse(text_make(bytes, 3 + 213), NULL), ERR_TOO_LARGE);
    /* The arena's limit bounds the nodes. */
    struct arena small;
    char many[1024] = {(char)0x99, 0x03, (char)0xfd};
    arena_init(&small, 1024, 8192);
    assert_int_equal(cbor_parse(&small, text_make(many, sizeof(many)), &root, &err), ERR_MEMORY);
    arena_fini(&small);
    assert_int_equal(cbor_parse(&arena, TEXT("\x82\x01\x1c"), &root, &err), ERR_SYNTAX);
    assert_non_null(strstr(err.text, "near byte 3"));
}

static void encode(const char *json, const struct cbor_hints *hints, char *hex, int expected)
{
    struct buf out, text;
    const struct json *tree;
    buf_init(&out, 4096);
    buf_init(&text, 8192);
    buf_add_char(&out, 'x');
    assert_int_equal(json_parse(&arena, text_of(json), JSON_COPY, &tree, NULL), 0);
    int code = cbor_from_json(&out, tree, hints);
    if (code != expected)
        fail_msg("%s: %d, expected %d", json, code, expected);
    hex_encode(&text, text_make(out.data + 1, out.len - 1));
    memcpy(hex, text.data ? text.data : "", text.len);
    hex[text.len] = 0;
    buf_fini(&text);
    buf_fini(&out);
}

static void test_from_json(void **state)
{
    (void)state;
    static const char *const blobs[] = {"Data", "Parts", NULL}, *const times[] = {"At", NULL};
    static const struct cbor_hints seconds = {blobs, times, false}, ms = {blobs, times, true};
    static const struct {
        const char *json;
        const struct cbor_hints *hints;
        const char *hex;
    } vectors[] = {
        {"0", NULL, "00"}, {"23", NULL, "17"}, {"24", NULL, "1818"}, {"255", NULL, "18ff"}, {"256", NULL, "190100"}, {"65536", NULL, "1a00010000"},
        {"4294967296", NULL, "1b0000000100000000"}, {"18446744073709551615", NULL, "1bffffffffffffffff"}, {"9223372036854775808", NULL, "1b8000000000000000"},
        {"18446744073709551616", NULL, "c249010000000000000000"}, {"-18446744073709551616", NULL, "3bffffffffffffffff"},
        {"-18446744073709551617", NULL, "c349010000000000000000"}, {"-1", NULL, "20"}, {"-9223372036854775808", NULL, "3b7fffffffffffffff"},
        {"1.1", NULL, "fb3ff199999999999a"}, {"-0", NULL, "fb8000000000000000"}, {"5.0", NULL, "05"}, {"1e3", NULL, "1903e8"}, {"1e300", NULL, "fb7e37e43c8800759c"},
        {"null", NULL, "f6"}, {"[true,false,\"\xc3\xbc\",{},[]]", NULL, "85f5f462c3bca080"}, {"{\"a\":1,\"b\":[2,3]}", NULL, "a26161016162820203"},
        {"{\"Data\":\"AQID\"}", NULL, "a16444617461644151" "4944"}, {"{\"Data\":\"AQID\"}", &seconds, "a1644461746143010203"},
        {"{\"Data\":\"\"}", &seconds, "a1644461746140"}, {"{\"Parts\":[\"AQ==\",[\"Ag==\"],null]}", &seconds, "a165506172747383410181" "4102f6"},
        {"{\"Parts\":[{\"x\":\"AQ==\"}]}", &seconds, "a165506172747381a16178644151" "3d3d"}, {"{\"At\":1363896240}", &seconds, "a1624174c11a514b67b0"},
        {"{\"At\":1363896240.5}", &seconds, "a1624174c1fb41d452d9ec200000"}, {"{\"At\":1363896240.5}", &ms, "a1624174c11b0000013d8e8d0974"},
        {"{\"At\":1.0004}", &ms, "a1624174c11903e8"}, {"{\"At\":-1.5}", &ms, "a1624174c13905db"}, {"{\"At\":null}", &ms, "a1624174f6"},
        {"{\"At\":\"AQ==\",\"n\":7}", &ms, "a262417464415" "13d3d616e07"},
    };
    char hex[8192];
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
        encode(vectors[i].json, vectors[i].hints, hex, 0);
        if (strcmp(hex, vectors[i].hex) != 0)
            fail_msg("%s: %s, expected %s", vectors[i].json, hex, vectors[i].hex);
    }
    encode("{\"n\":1,\"Data\":\"A\"}", &seconds, hex, ERR_SYNTAX);
    assert_string_equal(hex, ""); /* nothing half written */
    encode("[1,1e999]", NULL, hex, ERR_INVALID);
    encode("{\"At\":1e300}", &ms, hex, ERR_INVALID);
}

static void test_buffer_limit(void **state)
{
    (void)state;
    const struct json *tree;
    struct buf out;
    assert_int_equal(json_parse(&arena, TEXT("[\"0123456789\",1]"), 0, &tree, NULL), 0);
    for (size_t limit = 0; limit < 13; limit++) {
        buf_init(&out, limit);
        assert_int_equal(cbor_from_json(&out, tree, NULL), ERR_TOO_LARGE);
        assert_int_equal(out.len, 0);
        assert_false(out.failed);
        buf_fini(&out);
    }
    buf_init(&out, 13);
    assert_int_equal(cbor_from_json(&out, tree, NULL), 0);
    assert_int_equal(out.len, 13);
    buf_fini(&out);
}

/* A double is told by the fewest digits that read back as it, as %.15g or more writes them. */
static void test_doubles(void **state)
{
    uint64_t seed = 3;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        unsigned char bytes[9] = {0xfb};
        char wanted[40];
        const struct json *tree;
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        static const double scales[] = {1, 10, 1000, 10000, 1e6, 0x1p40};
        double value = (double)(int64_t)(seed >> (seed & 31) >> 11) / scales[seed >> 20 & 3] * (seed >> 62 ? 1 : -1) / (seed >> 61 & 1 ? 1 : scales[seed >> 50 & 3]);
        uint64_t bits;
        memcpy(&bits, &value, 8);
        for (int k = 0; k < 8; k++)
            bytes[1 + k] = (unsigned char)(bits >> (56 - 8 * k));
        for (int precision = 15; precision <= 17; precision++) {
            snprintf(wanted, sizeof(wanted), "%.*g", precision, value);
            if (strtod(wanted, NULL) == value)
                break;
        }
        assert_int_equal(cbor_parse(&arena, text_make(bytes, 9), &tree, NULL), 0);
        if (!text_is(tree->text, wanted))
            fail_msg("%.*s, and should be %s", TEXT_FMT(tree->text), wanted);
        arena_reset(&arena);
    }
}

/* Every number of every width comes back as it was. */
static void test_numbers_round_trip(void **state)
{
    (void)state;
    char json[600];
    for (int bits = 0; bits < 64; bits++) {
        for (int delta = -1; delta <= 1; delta++) {
            for (int sign = 0; sign < 2; sign++) {
                uint64_t value = (UINT64_C(1) << bits) + (uint64_t)delta;
                if (value == 0 && sign)
                    continue;
                snprintf(json, sizeof(json), "%s%llu", sign ? "-" : "", (unsigned long long)value);
                char hex[8192], back[2048];
                encode(json, NULL, hex, 0);
                as_json(hex, back);
                assert_string_equal(back, json);
            }
        }
    }
    for (size_t len = 1; len <= 500; len += 7) { /* bignums */
        char hex[8192], back[2048];
        memset(json, '7', len);
        json[len] = 0;
        encode(json, NULL, hex, 0);
        as_json(hex, back);
        assert_string_equal(back, json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_appendix_a, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_from_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_buffer_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_doubles, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
