/* What an export's bytes may mean: manifests, lines, and the request that makes a table from its description. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "main/import_format.h"
#include "main/table_schema.h"
#include <stdlib.h>
#include <string.h>

#define SUMMARY                                                                                                                                                          \
    "{\"version\":\"2020-06-30\",\"exportArn\":\"arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog/export/01234567890123-a1b2c3d4\","                         \
    "\"tableArn\":\"arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog\",\"s3SseKmsKeyId\":null,\"manifestFilesS3Key\":\"AWSDynamoDB/x/manifest-files.json\","   \
    "\"billedSizeBytes\":0,\"itemCount\":8,\"outputFormat\":\"DYNAMODB_JSON\",\"exportType\":\"FULL_EXPORT\"}"

static void test_summary(void **state)
{
    (void)state;
    struct import_summary summary;
    struct err err = {0};
    assert_int_equal(import_summary_parse(TEXT(SUMMARY), &summary, &err), 0);
    assert_string_equal(summary.table, "ProductCatalog");
    assert_true(summary.items_known);
    assert_int_equal(summary.items, 8);
    /* Before incremental exports there was no exportType. */
    assert_int_equal(import_summary_parse(TEXT("{\"manifestFilesS3Key\":\"x\",\"outputFormat\":\"DYNAMODB_JSON\",\"tableArn\":\"\",\"itemCount\":-1}"), &summary, &err), 0);
    assert_string_equal(summary.table, "");
    assert_false(summary.items_known);
    assert_int_equal(import_summary_parse(TEXT("{\"manifestFilesS3Key\":\"x\",\"outputFormat\":\"ION\"}"), &summary, &err), ERR_UNSUPPORTED);
    assert_int_equal(import_summary_parse(TEXT("{\"manifestFilesS3Key\":\"x\",\"exportType\":\"INCREMENTAL_EXPORT\"}"), &summary, &err), ERR_UNSUPPORTED);
    assert_int_equal(import_summary_parse(TEXT("{\"manifestFilesS3Key\":\"x\",\"tableArn\":\"a/../..\"}"), &summary, &err), 0);
    assert_string_equal(summary.table, "");
    for (size_t len = 0; len < sizeof(SUMMARY) - 1; len++)
        assert_int_equal(import_summary_parse(text_make(SUMMARY, len), &summary, &err), ERR_SYNTAX);
    assert_int_equal(import_summary_parse(TEXT("[]"), &summary, &err), ERR_SYNTAX);
}

static void test_data_file(void **state)
{
    (void)state;
    struct import_data_file file;
    struct err err = {0};
    assert_int_equal(import_data_file_parse(TEXT("{\"itemCount\":8,\"md5Checksum\":\"sQMSpEILNgoQmarvDFonGQ==\",\"etag\":\"af83d6f217c19b8b0fff8023d8ca4716-1\","
                                                 "\"dataFileS3Key\":\"AWSDynamoDB/01693685827463-2d8752fd/data/asdl123dasas.json.gz\"}"), &file, &err), 0);
    assert_string_equal(file.name, "asdl123dasas.json.gz");
    assert_true(file.items_known && file.md5_known);
    assert_int_equal(file.items, 8);
    assert_int_equal(file.md5[0], 0xb1);
    assert_int_equal(import_data_file_parse(TEXT("{\"dataFileS3Key\":\"2020-Nov/x/AWSDynamoDB/y/data/a.json.gz\",\"md5Checksum\":\"short\"}"), &file, &err), 0);
    assert_string_equal(file.name, "a.json.gz");
    assert_false(file.md5_known || file.items_known);
    static const char *const bad[] = {"{}", "", "{\"dataFileS3Key\":7}", "{\"dataFileS3Key\":\"\"}", "{\"dataFileS3Key\":\"data/\"}", "{\"dataFileS3Key\":\"data/..\"}",
        "{\"dataFileS3Key\":\".hidden\"}", "{\"dataFileS3Key\":\"a\\u0000b\"}", "[\"dataFileS3Key\"]"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(import_data_file_parse(text_of(bad[i]), &file, &err), ERR_SYNTAX);
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *item; /* NULL: refused */
        int code;
    } row[] = {
        {"{\"Item\":{\"id\":{\"S\":\"a\"}}}", "{\"id\":{\"S\":\"a\"}}", 0},
        {" {\"Item\" : { \"id\":{\"N\":\"12345678901234567890123456789012345678\"} } } ", "{ \"id\":{\"N\":\"12345678901234567890123456789012345678\"} }", 0},
        {"{\"id\":{\"S\":\"a\"},\"n\":{\"NULL\":true}}", "{\"id\":{\"S\":\"a\"},\"n\":{\"NULL\":true}}", 0},
        {"{\"Item\":{\"S\":\"x\"}}", "{\"Item\":{\"S\":\"x\"}}", 0},                        /* bare, with an attribute of that name */
        {"{\"Item\":{\"M\":{\"a\":{\"S\":\"x\"}}}}", "{\"Item\":{\"M\":{\"a\":{\"S\":\"x\"}}}}", 0}, /* the same, a map: "a" is no type */
        {"{\"Item\":{\"S\":{\"S\":\"x\"}}}", "{\"S\":{\"S\":\"x\"}}", 0},                   /* wrapped, with an attribute S */
        {"{\"Item\":{\"id\":{\"S\":\"a\"}},\"other\":{\"S\":\"b\"}}", NULL, ERR_SYNTAX},
        {"{\"Item\":{}}", NULL, ERR_SYNTAX},
        {"{}", NULL, ERR_SYNTAX},
        {"[]", NULL, ERR_SYNTAX},
        {"7", NULL, ERR_SYNTAX},
        {"{\"id\":\"a\"}", NULL, ERR_SYNTAX},
        {"{\"id\":{\"S\":\"a\",\"N\":\"1\"}}", NULL, ERR_SYNTAX},
        {"{\"id\":{\"X\":\"a\"}}", NULL, ERR_SYNTAX},
        {"{\"id\":{\"S\":\"a\"}", NULL, ERR_SYNTAX},
        {"{\"Keys\":{\"id\":{\"S\":\"a\"}},\"NewImage\":{\"id\":{\"S\":\"a\"}}}", NULL, ERR_UNSUPPORTED},
    };
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct err err = {0};
        struct text item = TEXT_NONE;
        arena_reset(&arena);
        int code = import_line_parse(&arena, text_of(row[i].line), &item, &err);
        if (code != row[i].code || (row[i].item && !text_is(item, row[i].item)))
            fail_msg("%s: %d, '%.*s'", row[i].line, code, TEXT_FMT(item));
    }
    arena_fini(&arena);
}

static void expect_body(const char *schema, const char *want)
{
    struct arena arena;
    struct buf out;
    struct err err = {0};
    const struct json *root;
    arena_init(&arena, 4096, 1 << 20);
    buf_init(&out, SCHEMA_MAX);
    assert_int_equal(json_parse(&arena, text_of(schema), 0, &root, &err), 0);
    int code = schema_create_body(root, TEXT("new"), &out, &err);
    if (!want)
        assert_int_equal(code, ERR_SYNTAX);
    else if (code || !text_is(buf_text(&out), want))
        fail_msg("%s", code ? err.text : (buf_add_char(&out, 0), out.data));
    buf_fini(&out);
    arena_fini(&arena);
}

#define KEYS "\"AttributeDefinitions\":[{\"AttributeName\":\"a\",\"AttributeType\":\"S\"}],\"KeySchema\":[{\"AttributeName\":\"a\",\"KeyType\":\"HASH\"}]"

static void test_schema(void **state)
{
    (void)state;
    expect_body("{\"Table\":{" KEYS ",\"TableName\":\"old\",\"TableStatus\":\"ACTIVE\",\"ItemCount\":5,\"TableArn\":\"x\",\"BillingModeSummary\":{\"BillingMode\":\"PAY_PER_REQUEST\"},"
                "\"ProvisionedThroughput\":{\"ReadCapacityUnits\":0,\"WriteCapacityUnits\":0},\"DeletionProtectionEnabled\":false}}",
        "{\"TableName\":\"new\"," KEYS ",\"BillingMode\":\"PAY_PER_REQUEST\"}");
    expect_body("{\"Table\":{" KEYS ",\"ProvisionedThroughput\":{\"NumberOfDecreasesToday\":0,\"ReadCapacityUnits\":5,\"WriteCapacityUnits\":6},"
                "\"GlobalSecondaryIndexes\":[{\"IndexName\":\"i\",\"KeySchema\":[],\"Projection\":{\"ProjectionType\":\"ALL\"},\"IndexStatus\":\"ACTIVE\",\"IndexArn\":\"x\","
                "\"ProvisionedThroughput\":{\"ReadCapacityUnits\":1,\"WriteCapacityUnits\":2}}],\"LocalSecondaryIndexes\":[],"
                "\"StreamSpecification\":{\"StreamEnabled\":true,\"StreamViewType\":\"NEW_IMAGE\"},\"LatestStreamArn\":\"x\"}}",
        "{\"TableName\":\"new\"," KEYS ",\"GlobalSecondaryIndexes\":[{\"IndexName\":\"i\",\"KeySchema\":[],\"Projection\":{\"ProjectionType\":\"ALL\"},"
        "\"ProvisionedThroughput\":{\"ReadCapacityUnits\":1,\"WriteCapacityUnits\":2}}],\"BillingMode\":\"PROVISIONED\","
        "\"ProvisionedThroughput\":{\"ReadCapacityUnits\":5,\"WriteCapacityUnits\":6},\"StreamSpecification\":{\"StreamEnabled\":true,\"StreamViewType\":\"NEW_IMAGE\"}}");
    expect_body("{" KEYS "}", "{\"TableName\":\"new\"," KEYS ",\"BillingMode\":\"PAY_PER_REQUEST\"}");
    expect_body("{\"TableName\":\"x\"}", NULL);
    expect_body("[]", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_summary), cmocka_unit_test(test_data_file), cmocka_unit_test(test_lines), cmocka_unit_test(test_schema)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
