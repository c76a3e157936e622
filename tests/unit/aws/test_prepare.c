/* What can be judged of a request before anything is read or written: fault and sentence, per operation. */
#include "aws/fixture.h"

#define V "com.amazon.coral.validate#ValidationException"
#define S "com.amazon.coral.service#SerializationException"
#define N "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"
#define SCHEMA "The provided key element does not match the schema"

struct row {
    const char *operation, *body;
    const char *type, *message; /* NULL: it is fine */
};

static const struct row rows[] = {
    {"PutItem", "{\"TableName\":\"simple\",\"Item\":{\"id\":{\"S\":\"a\"}}}", NULL, NULL},
    {"PutItem", "{\"TableName\":\"arn:aws:dynamodb:x:1:table/simple\",\"Item\":{\"id\":{\"S\":\"a\"}}}", NULL, NULL},
    {"PutItem", "{\"TableName\":\"arn:aws:s3:x:1:table/simple\",\"Item\":{\"id\":{\"S\":\"a\"}}}", V, NULL},
    {"PutItem", "{\"TableName\":\"arn:aws:dynamodb:x:1:queue/simple\",\"Item\":{\"id\":{\"S\":\"a\"}}}", V, NULL},
    {"PutItem", "{\"TableName\":\"nothing\",\"Item\":{\"id\":{\"S\":\"a\"}}}", N, "Requested resource not found"},
    {"PutItem", "{", S, NULL},
    {"PutItem", "", S, NULL},
    {"PutItem", "{\"TableName\":\"simple\",\"Item\":{\"id\":{\"S\":1}}}", S, NULL},
    {"PutItem", "{\"TableName\":\"simple\",\"Item\":{\"id\":{\"S\":\"a\"},\"id\":{\"S\":\"b\"}}}", V, NULL},
    {"PutItem", "{\"TableName\":\"simple\",\"Item\":{}}", V, "One or more parameter values were invalid: Missing the key id in the item"},
    {"PutItem", "{\"TableName\":\"rich\",\"Item\":{\"p\":{\"S\":\"a\"},\"r\":{\"N\":\"1\"},\"mass\":{\"S\":\"x\"}}}", V,
        "One or more parameter values were invalid: Type mismatch for Index Key mass Expected: N Actual: S IndexName: byColor"},
    {"PutItem", "{\"TableName\":\"rich\",\"Item\":{\"p\":{\"S\":\"a\"},\"r\":{\"N\":\"1\"},\"color\":{\"S\":\"\"}}}", V, NULL},
    {"PutItem", "{\"TableName\":\"simple\",\"Item\":{\"id\":{\"S\":\"a\"}},\"ConditionExpression\":\"a = :b\"}", V, NULL},
    {"GetItem", "{\"TableName\":\"simple\",\"Key\":{\"id\":{\"S\":\"a\"},\"x\":{\"S\":\"a\"}}}", V, SCHEMA},
    {"GetItem", "{\"TableName\":\"simple\",\"Key\":{\"id\":{\"N\":\"1\"}}}", V, SCHEMA},
    {"GetItem", "{\"TableName\":\"rich\",\"Key\":{\"p\":{\"S\":\"1\"},\"r\":{\"N\":\"1\"}},\"ProjectionExpression\":\"a, b[0].c\"}", NULL, NULL},
    {"UpdateItem", "{\"TableName\":\"simple\",\"Key\":{\"id\":{\"S\":\"a\"}},\"UpdateExpression\":\"REMOVE id\"}", V,
        "One or more parameter values were invalid: Cannot update attribute id. This attribute is part of the key"},
    {"UpdateItem", "{\"TableName\":\"simple\",\"Key\":{\"id\":{\"S\":\"a\"}},\"UpdateExpression\":\"REMOVE x\",\"AttributeUpdates\":{}}", V, NULL},
    {"BatchGetItem", "{\"RequestItems\":{\"simple\":{\"Keys\":[{\"id\":{\"S\":\"a\"}},{\"id\":{\"S\":\"a\"}}]}}}", V,
        "Provided list of item keys contains duplicates"},
    {"BatchGetItem", "{\"RequestItems\":{\"rich\":{\"Keys\":[{\"p\":{\"S\":\"a\"},\"r\":{\"N\":\"1\"}},{\"p\":{\"S\":\"a\"},\"r\":{\"N\":\"1.0\"}}]}}}", V,
        "Provided list of item keys contains duplicates"},
    {"BatchWriteItem", "{\"RequestItems\":{\"simple\":[{}]}}", V, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
    {"BatchWriteItem", "{\"RequestItems\":{\"simple\":null}}", V,
        "1 validation error detected: Value '{\"simple\":null}' at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: [Member must not be null]"},
    {"TransactWriteItems", "{\"TransactItems\":[{}]}", V, "TransactItems can only contain one of Check, Put, Update or Delete"},
    {"TransactWriteItems", "{\"TransactItems\":[null]}", V,
        "1 validation error detected: Value null at 'transactItems.1.member' failed to satisfy constraint: Member must not be null"},
    {"TransactGetItems", "{\"TransactItems\":[{\"Get\":{\"TableName\":\"simple\",\"Key\":{\"id\":{\"S\":\"a\"}}}}]}", NULL, NULL},
    {"Query", "{\"TableName\":\"rich\",\"KeyConditionExpression\":\"p = :p\",\"ExpressionAttributeValues\":{\":p\":{\"S\":\"x\"}}}", NULL, NULL},
    {"Query", "{\"TableName\":\"rich\",\"KeyConditionExpression\":\"p = :p\",\"ExpressionAttributeValues\":{\":p\":{\"S\":\"x\"}},\"IndexName\":\"none\"}", V,
        "The table does not have the specified index: none"},
    {"Query",
        "{\"TableName\":\"rich\",\"KeyConditionExpression\":\"p = :p\",\"ExpressionAttributeValues\":{\":p\":{\"S\":\"x\"}},\"ExclusiveStartKey\":{\"p\":{\"S\":\"y\"},\"r\":{\"N\":\"1\"}}}",
        V, "The provided starting key is outside query boundaries based on provided conditions"},
    {"Query",
        "{\"TableName\":\"rich\",\"KeyConditionExpression\":\"p = :p\",\"ExpressionAttributeValues\":{\":p\":{\"S\":\"x\"}},\"ExclusiveStartKey\":{\"p\":{\"S\":\"x\"},\"r\":{\"N\":\"1\"}}}",
        NULL, NULL},
    {"Query",
        "{\"TableName\":\"rich\",\"IndexName\":\"byColor\",\"KeyConditionExpression\":\"color = :c\",\"ExpressionAttributeValues\":{\":c\":{\"S\":\"x\"}},"
        "\"ExclusiveStartKey\":{\"p\":{\"S\":\"x\"},\"r\":{\"N\":\"1\"},\"color\":{\"S\":\"x\"},\"mass\":{\"N\":\"1\"}}}",
        NULL, NULL},
    {"Scan", "{\"TableName\":\"rich\",\"Segment\":0}", V,
        "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"},
    {"Scan", "{\"TableName\":\"rich\",\"Segment\":1,\"TotalSegments\":1}", V, NULL},
    {"Scan", "{\"TableName\":\"rich\",\"ProjectionExpression\":\"a\",\"Select\":\"COUNT\"}", V, "Cannot specify the ProjectionExpression when choosing to get only the Count"},
    {"DescribeTable", "{\"TableName\":\"none\"}", N, "Requested resource not found: Table: none not found"},
    {"TagResource", "{\"ResourceArn\":\"arn:aws:dynamodb:us-east-1:1:table/simple\",\"Tags\":[]}", V, "Atleast one Tag needs to be provided as Input."},
    {"UpdateTable", "{\"TableName\":\"simple\",\"GlobalSecondaryIndexUpdates\":[{}]}", V, NULL},
    {"UpdateTable", "{\"TableName\":\"simple\",\"ReplicaUpdates\":[{}]}", V, "One or more parameter values were invalid: Replicas are not supported"},
    {"CreateTable", "{\"TableName\":\"new\",\"AttributeDefinitions\":[null],\"KeySchema\":[null],\"BillingMode\":\"PAY_PER_REQUEST\"}", V,
        "2 validation errors detected: Value null at 'attributeDefinitions.1.member' failed to satisfy constraint: Member must not be null; "
        "Value null at 'keySchema.1.member' failed to satisfy constraint: Member must not be null"},
    {"CreateTable",
        "{\"TableName\":\"new\",\"AttributeDefinitions\":[{\"AttributeName\":\"a\",\"AttributeType\":\"S\"},{\"AttributeName\":\"a\",\"AttributeType\":\"N\"}],"
        "\"KeySchema\":[{\"AttributeName\":\"a\",\"KeyType\":\"HASH\"}],\"BillingMode\":\"PAY_PER_REQUEST\"}",
        V, "Cannot have two attributes with the same name"},
    {"ListTables", "{}", NULL, NULL},
    {"DescribeLimits", "{}", NULL, NULL},
    {"UpdateContinuousBackups", "{\"TableName\":\"simple\",\"PointInTimeRecoverySpecification\":{\"PointInTimeRecoveryEnabled\":false}}", NULL, NULL},
};

static void rows_hold(void **state)
{
    (void)state;
    struct caller c;
    caller_open(&c);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        int code = caller_prepare(&c, row->operation, row->body);
        if ((code != 0) != (row->type != NULL) || strcmp(aws_fault_type(c.call.fault), row->type ? row->type : "") ||
            (row->message && !text_is(c.call.message, row->message)))
            fail_msg("%s %s: %d %s %.*s", row->operation, row->body, code, aws_fault_type(c.call.fault), TEXT_FMT(c.call.message));
    }
    caller_close(&c);
}

/* Every prefix of a good request is refused without harm. */
static void prefixes_are_refused(void **state)
{
    (void)state;
    static const char body[] = "{\"TableName\":\"simple\",\"Key\":{\"id\":{\"S\":\"a\"}},\"UpdateExpression\":\"SET a = :b\",\"ExpressionAttributeValues\":{\":b\":{\"L\":[]}}}";
    struct caller c;
    char cut[sizeof(body)];
    caller_open(&c);
    for (size_t n = 0; n + 1 < sizeof(body); n++) {
        memcpy(cut, body, n);
        cut[n] = 0;
        assert_int_not_equal(caller_prepare(&c, "UpdateItem", cut), 0);
        assert_int_equal(c.call.fault, AWS_SERIALIZATION);
    }
    assert_int_equal(caller_prepare(&c, "UpdateItem", body), 0);
    caller_close(&c);
}

/* Memory is bounded: a request that needs more than its arena allows is an answer, not a crash. */
static void memory_is_bounded(void **state)
{
    (void)state;
    struct caller c;
    caller_open(&c);
    for (size_t limit = 4096; limit < 12000; limit += 64) {
        arena_fini(&c.arena);
        arena_init(&c.arena, 64, limit);
        caller_prepare(&c, "Query", "{\"TableName\":\"rich\",\"KeyConditionExpression\":\"p = :p\",\"ExpressionAttributeValues\":{\":p\":{\"S\":\"x\"}},\"Limit\":1}");
        assert_true(c.call.fault == AWS_FINE || c.call.fault == AWS_INTERNAL);
    }
    caller_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold),
        cmocka_unit_test(prefixes_are_refused),
        cmocka_unit_test(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
