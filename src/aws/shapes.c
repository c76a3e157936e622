/*
 * DynamoDB's request shapes, after the service model (dynamodb 2012-08-10): types, required members, limits and enumerations. The order of members is the order
 * in which constraints are reported; the order inside an enumeration is the one in which AWS prints it.
 */
#include "aws/ddb.h"

#define CLASS(name) "class com.amazonaws.dynamodb.v20120810." name
#define END {NULL, NULL, false}

/* ---- scalars ---- */
static const struct shape any_string = {.type = SHAPE_STRING};
static const struct shape boolean = {.type = SHAPE_BOOLEAN};
static const struct shape units = {.type = SHAPE_LONG, .min = 1};
static const struct shape any_long = {.type = SHAPE_LONG, .min = INT64_MIN};
static const struct shape limit = {.type = SHAPE_INTEGER, .min = 1};
static const struct shape table_name = {.type = SHAPE_STRING, .min = 3, .max = 255, .pattern = "[a-zA-Z0-9_.-]+"};
/* Where a table's ARN is as good as its name. */
static const struct shape table_arn = {.type = SHAPE_STRING, .min = 1, .max = 1024, .pattern = "[a-zA-Z0-9_.-]+", .arn = true};
static const struct shape index_name = {.type = SHAPE_STRING, .min = 3, .max = 255, .pattern = "[a-zA-Z0-9_.-]+"};
static const struct shape key_name = {.type = SHAPE_STRING, .min = 1, .max = 255};
static const struct shape attribute_name = {.type = SHAPE_STRING, .max = 65535};
/* Where a table's ARN alone is taken. */
static const struct shape only_arn = {.type = SHAPE_STRING, .min = 1, .max = 1024};
static const struct shape resource_arn = {.type = SHAPE_STRING, .min = 1, .max = 1283};
static const struct shape value = {.type = SHAPE_VALUE, .java = CLASS("AttributeValue")};
static const struct shape values = {
    .type = SHAPE_VALUES, .java = "java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>"};
static const struct shape value_list = {.type = SHAPE_LIST, .of = &value};

static const struct shape return_capacity = {.type = SHAPE_STRING, .values = "INDEXES, TOTAL, NONE"};
static const struct shape return_metrics = {.type = SHAPE_STRING, .values = "SIZE, NONE"};
static const struct shape return_values = {.type = SHAPE_STRING, .values = "ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW"};
static const struct shape return_on_failure = {.type = SHAPE_STRING, .values = "ALL_OLD, NONE"};
static const struct shape conditional_operator = {.type = SHAPE_STRING, .values = "OR, AND"};
static const struct shape comparison = {
    .type = SHAPE_STRING, .values = "IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS"};
static const struct shape select_shape = {.type = SHAPE_STRING, .values = "SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES"};
static const struct shape billing_mode = {.type = SHAPE_STRING, .values = "PROVISIONED, PAY_PER_REQUEST"};
static const struct shape table_class = {.type = SHAPE_STRING, .values = "STANDARD, STANDARD_INFREQUENT_ACCESS"};
static const struct shape key_type = {.type = SHAPE_STRING, .values = "HASH, RANGE"};
static const struct shape attribute_type = {.type = SHAPE_STRING, .values = "B, N, S"};
static const struct shape projection_type = {.type = SHAPE_STRING, .values = "ALL, INCLUDE, KEYS_ONLY"};
static const struct shape stream_view = {.type = SHAPE_STRING, .values = "NEW_AND_OLD_IMAGES, NEW_IMAGE, OLD_IMAGE, KEYS_ONLY"};
static const struct shape sse_type = {.type = SHAPE_STRING, .values = "AES256, KMS"};

/* ---- parts of tables ---- */
static const struct shape_member definition_members[] = {{"AttributeName", &key_name, true}, {"AttributeType", &attribute_type, true}, END};
static const struct shape definition = {.type = SHAPE_STRUCT, .member = definition_members, .java = CLASS("AttributeDefinition")};
static const struct shape definitions = {.type = SHAPE_LIST, .of = &definition};

static const struct shape_member key_members[] = {{"AttributeName", &key_name, true}, {"KeyType", &key_type, true}, END};
static const struct shape key_element = {.type = SHAPE_STRUCT, .member = key_members, .java = CLASS("KeySchemaElement")};
static const struct shape key_schema = {.type = SHAPE_LIST, .min = 1, .max = 8, .of = &key_element};

static const struct shape non_key_attributes = {.type = SHAPE_LIST, .min = 1, .max = 20, .of = &key_name};
static const struct shape_member projection_members[] = {{"ProjectionType", &projection_type, false}, {"NonKeyAttributes", &non_key_attributes, false}, END};
static const struct shape projection = {.type = SHAPE_STRUCT, .member = projection_members, .java = CLASS("Projection")};

static const struct shape_member throughput_members[] = {{"ReadCapacityUnits", &units, true}, {"WriteCapacityUnits", &units, true}, END};
static const struct shape throughput = {.type = SHAPE_STRUCT, .member = throughput_members, .java = CLASS("ProvisionedThroughput")};
static const struct shape_member on_demand_members[] = {{"MaxReadRequestUnits", &any_long, false}, {"MaxWriteRequestUnits", &any_long, false}, END};
static const struct shape on_demand = {.type = SHAPE_STRUCT, .member = on_demand_members, .java = CLASS("OnDemandThroughput")};
static const struct shape_member warm_members[] = {{"ReadUnitsPerSecond", &units, false}, {"WriteUnitsPerSecond", &units, false}, END};
static const struct shape warm = {.type = SHAPE_STRUCT, .member = warm_members, .java = CLASS("WarmThroughput")};

static const struct shape_member lsi_members[] = {
    {"IndexName", &index_name, true}, {"KeySchema", &key_schema, true}, {"Projection", &projection, true}, END};
static const struct shape lsi = {.type = SHAPE_STRUCT, .member = lsi_members, .java = CLASS("LocalSecondaryIndex")};
static const struct shape lsis = {.type = SHAPE_LIST, .of = &lsi};
static const struct shape_member gsi_members[] = {{"IndexName", &index_name, true}, {"KeySchema", &key_schema, true}, {"Projection", &projection, true},
    {"ProvisionedThroughput", &throughput, false}, {"OnDemandThroughput", &on_demand, false}, {"WarmThroughput", &warm, false}, END};
static const struct shape gsi = {.type = SHAPE_STRUCT, .member = gsi_members, .java = CLASS("GlobalSecondaryIndex")};
static const struct shape gsis = {.type = SHAPE_LIST, .of = &gsi};

static const struct shape_member stream_members[] = {{"StreamEnabled", &boolean, true}, {"StreamViewType", &stream_view, false}, END};
static const struct shape stream = {.type = SHAPE_STRUCT, .member = stream_members, .java = CLASS("StreamSpecification")};
static const struct shape_member sse_members[] = {{"Enabled", &boolean, false}, {"SSEType", &sse_type, false}, {"KMSMasterKeyId", &any_string, false}, END};
static const struct shape sse = {.type = SHAPE_STRUCT, .member = sse_members, .java = CLASS("SSESpecification")};

static const struct shape tag_key = {.type = SHAPE_STRING, .min = 1, .max = 128};
static const struct shape tag_value = {.type = SHAPE_STRING, .max = 256};
static const struct shape_member tag_members[] = {{"Key", &tag_key, true}, {"Value", &tag_value, true}, END};
static const struct shape tag = {.type = SHAPE_STRUCT, .member = tag_members, .java = CLASS("Tag")};
static const struct shape tag_list = {.type = SHAPE_LIST, .of = &tag};
static const struct shape tag_keys = {.type = SHAPE_LIST, .of = &tag_key};

/* ---- the control plane ---- */
#define INPUT(name, ...)                                                                                                                  \
    static const struct shape_member name##_input[] = {__VA_ARGS__, END};                                                                 \
    const struct shape ddb_shape_##name = {.type = SHAPE_STRUCT, .member = name##_input, .java = "java.util.Map"}

INPUT(create_table, {"TableName", &table_arn, true}, {"AttributeDefinitions", &definitions, true}, {"KeySchema", &key_schema, true},
    {"BillingMode", &billing_mode, false}, {"ProvisionedThroughput", &throughput, false}, {"LocalSecondaryIndexes", &lsis, false},
    {"GlobalSecondaryIndexes", &gsis, false}, {"StreamSpecification", &stream, false}, {"SSESpecification", &sse, false}, {"Tags", &tag_list, false},
    {"TableClass", &table_class, false}, {"DeletionProtectionEnabled", &boolean, false}, {"OnDemandThroughput", &on_demand, false},
    {"WarmThroughput", &warm, false}, {"ResourcePolicy", &any_string, false});
INPUT(describe_table, {"TableName", &table_arn, true});
INPUT(delete_table, {"TableName", &table_arn, true});
INPUT(table_alone, {"TableName", &table_arn, true});
static const struct shape list_limit = {.type = SHAPE_INTEGER, .min = 1, .max = 100};
INPUT(list_tables, {"ExclusiveStartTableName", &table_name, false}, {"Limit", &list_limit, false});
const struct shape ddb_shape_nothing = {.type = SHAPE_STRUCT};

static const struct shape_member gsi_update_members[] = {{"IndexName", &index_name, true}, {"ProvisionedThroughput", &throughput, false},
    {"OnDemandThroughput", &on_demand, false}, {"WarmThroughput", &warm, false}, END};
static const struct shape gsi_update = {.type = SHAPE_STRUCT, .member = gsi_update_members, .java = CLASS("UpdateGlobalSecondaryIndexAction")};
static const struct shape_member gsi_delete_members[] = {{"IndexName", &index_name, true}, END};
static const struct shape gsi_delete = {.type = SHAPE_STRUCT, .member = gsi_delete_members, .java = CLASS("DeleteGlobalSecondaryIndexAction")};
static const struct shape_member gsi_change_members[] = {{"Update", &gsi_update, false}, {"Create", &gsi, false}, {"Delete", &gsi_delete, false}, END};
static const struct shape gsi_change = {.type = SHAPE_STRUCT, .member = gsi_change_members, .java = CLASS("GlobalSecondaryIndexUpdate")};
static const struct shape gsi_changes = {.type = SHAPE_LIST, .of = &gsi_change};
static const struct shape any_struct = {.type = SHAPE_STRUCT};
static const struct shape any_list = {.type = SHAPE_LIST, .of = &any_struct};
INPUT(update_table, {"TableName", &table_arn, true}, {"AttributeDefinitions", &definitions, false}, {"BillingMode", &billing_mode, false},
    {"ProvisionedThroughput", &throughput, false}, {"GlobalSecondaryIndexUpdates", &gsi_changes, false}, {"StreamSpecification", &stream, false},
    {"SSESpecification", &sse, false}, {"ReplicaUpdates", &any_list, false}, {"TableClass", &table_class, false},
    {"DeletionProtectionEnabled", &boolean, false}, {"OnDemandThroughput", &on_demand, false}, {"WarmThroughput", &warm, false});

INPUT(tag_resource, {"ResourceArn", &resource_arn, true}, {"Tags", &tag_list, true});
INPUT(untag_resource, {"ResourceArn", &resource_arn, true}, {"TagKeys", &tag_keys, true});
INPUT(list_tags, {"ResourceArn", &resource_arn, true}, {"NextToken", &any_string, false});

static const struct shape_member ttl_members[] = {{"Enabled", &boolean, true}, {"AttributeName", &key_name, true}, END};
static const struct shape ttl = {.type = SHAPE_STRUCT, .member = ttl_members, .java = CLASS("TimeToLiveSpecification")};
static const struct shape destination_arn = {.type = SHAPE_STRING, .min = 37, .max = 1024};
static const struct shape precision = {.type = SHAPE_STRING, .values = "MILLISECOND, MICROSECOND"};
static const struct shape_member precision_members[] = {{"ApproximateCreationDateTimePrecision", &precision, false}, END};
static const struct shape enabling = {.type = SHAPE_STRUCT, .member = precision_members, .java = CLASS("EnableKinesisStreamingConfiguration")};
static const struct shape updating = {.type = SHAPE_STRUCT, .member = precision_members, .java = CLASS("UpdateKinesisStreamingConfiguration")};
INPUT(enable_destination, {"TableName", &table_arn, true}, {"StreamArn", &destination_arn, true}, {"EnableKinesisStreamingConfiguration", &enabling, false});
INPUT(update_destination, {"TableName", &table_arn, true}, {"StreamArn", &destination_arn, true}, {"UpdateKinesisStreamingConfiguration", &updating, false});
INPUT(update_ttl, {"TableName", &table_arn, true}, {"TimeToLiveSpecification", &ttl, true});

static const struct shape recovery_days = {.type = SHAPE_INTEGER, .min = 1, .max = 35};
static const struct shape_member recovery_members[] = {{"PointInTimeRecoveryEnabled", &boolean, true}, {"RecoveryPeriodInDays", &recovery_days, false}, END};
static const struct shape recovery = {.type = SHAPE_STRUCT, .member = recovery_members, .java = CLASS("PointInTimeRecoverySpecification")};
INPUT(update_backups, {"TableName", &table_arn, true}, {"PointInTimeRecoverySpecification", &recovery, true});

static const struct shape backup_arn = {.type = SHAPE_STRING, .min = 37, .max = 1024};
static const struct shape backup_type = {.type = SHAPE_STRING, .values = "ALL, SYSTEM, AWS_BACKUP, USER"};
static const struct shape moment = {.type = SHAPE_TIME};
INPUT(create_backup, {"TableName", &table_arn, true}, {"BackupName", &table_name, true});
INPUT(backup_alone, {"BackupArn", &backup_arn, true});
INPUT(list_backups, {"TableName", &table_arn, false}, {"Limit", &list_limit, false}, {"TimeRangeLowerBound", &moment, false},
    {"TimeRangeUpperBound", &moment, false}, {"ExclusiveStartBackupArn", &backup_arn, false}, {"BackupType", &backup_type, false});
#define RESTORE                                                                                                                           \
    {"TargetTableName", &table_name, true}, {"BillingModeOverride", &billing_mode, false}, {"GlobalSecondaryIndexOverride", &gsis, false}, \
        {"LocalSecondaryIndexOverride", &lsis, false}, {"ProvisionedThroughputOverride", &throughput, false},                             \
        {"OnDemandThroughputOverride", &on_demand, false}, {"SSESpecificationOverride", &sse, false}
INPUT(restore_backup, RESTORE, {"BackupArn", &backup_arn, true});
INPUT(restore_time, {"SourceTableArn", &only_arn, false}, {"SourceTableName", &table_name, false}, RESTORE,
    {"UseLatestRestorableTime", &boolean, false}, {"RestoreDateTime", &moment, false});

static const struct shape job_arn = {.type = SHAPE_STRING, .min = 37, .max = 1024};
static const struct shape page_size = {.type = SHAPE_INTEGER, .min = 1, .max = 25};
static const struct shape export_format = {.type = SHAPE_STRING, .values = "DYNAMODB_JSON, ION"};
static const struct shape export_type = {.type = SHAPE_STRING, .values = "FULL_EXPORT, INCREMENTAL_EXPORT"};
/* Of a bucket's name: letters and digits, with dots, hyphens and underscores between them. */
static bool is_bucket(struct text name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", between[] = ".-_";
    for (size_t i = 0; i < name.len; i++) {
        bool letter = memchr(letters, name.data[i], sizeof(letters) - 1) != NULL;
        if (!letter && (i == 0 || i + 1 == name.len || !memchr(between, name.data[i], sizeof(between) - 1)))
            return false;
    }
    return name.len >= 2;
}
static const struct shape bucket_name = {.type = SHAPE_STRING, .max = 255, .pattern = "^[a-z0-9A-Z]+[\\.\\-\\w]*[a-z0-9A-Z]+$", .holds = is_bucket};
static const struct shape bucket_prefix = {.type = SHAPE_STRING, .max = 1024};
static const struct shape input_format = {.type = SHAPE_STRING, .values = "DYNAMODB_JSON, ION, CSV"};
static const struct shape input_compression = {.type = SHAPE_STRING, .values = "GZIP, ZSTD, NONE"};
static const struct shape_member bucket_members[] = {{"S3BucketOwner", &any_string, false}, {"S3Bucket", &bucket_name, true}, {"S3KeyPrefix", &bucket_prefix, false}, END};
static const struct shape bucket_source = {.type = SHAPE_STRUCT, .member = bucket_members, .java = CLASS("S3BucketSource")};
static const struct shape_member creation_members[] = {{"TableName", &table_name, true}, {"AttributeDefinitions", &definitions, true}, {"KeySchema", &key_schema, true},
    {"BillingMode", &billing_mode, false}, {"ProvisionedThroughput", &throughput, false}, {"OnDemandThroughput", &on_demand, false}, {"SSESpecification", &sse, false},
    {"GlobalSecondaryIndexes", &gsis, false}, END};
static const struct shape creation = {.type = SHAPE_STRUCT, .member = creation_members, .java = CLASS("TableCreationParameters")};
INPUT(export_table, {"TableArn", &only_arn, true}, {"ExportTime", &moment, false}, {"ClientToken", &any_string, false}, {"S3Bucket", &bucket_name, true},
    {"S3BucketOwner", &any_string, false}, {"S3Prefix", &bucket_prefix, false}, {"S3SseAlgorithm", &any_string, false}, {"S3SseKmsKeyId", &any_string, false},
    {"ExportFormat", &export_format, false}, {"ExportType", &export_type, false});
INPUT(export_alone, {"ExportArn", &job_arn, true});
INPUT(list_exports, {"TableArn", &only_arn, false}, {"MaxResults", &page_size, false}, {"NextToken", &any_string, false});
INPUT(import_table, {"ClientToken", &any_string, false}, {"S3BucketSource", &bucket_source, true}, {"InputFormat", &input_format, true},
    {"InputCompressionType", &input_compression, false}, {"TableCreationParameters", &creation, true});
INPUT(import_alone, {"ImportArn", &job_arn, true});
INPUT(list_imports, {"TableArn", &only_arn, false}, {"PageSize", &page_size, false}, {"NextToken", &any_string, false});

/* ---- global tables ---- */
static const struct shape_member replica_members[] = {{"RegionName", &any_string, false}, END};
static const struct shape replica = {.type = SHAPE_STRUCT, .member = replica_members, .java = CLASS("Replica")};
static const struct shape replicas = {.type = SHAPE_LIST, .of = &replica};
INPUT(list_global, {"ExclusiveStartGlobalTableName", &table_name, false}, {"Limit", &limit, false}, {"RegionName", &any_string, false});
INPUT(create_global, {"GlobalTableName", &table_name, true}, {"ReplicationGroup", &replicas, true});
INPUT(global_alone, {"GlobalTableName", &table_name, true});
static const struct shape_member region_members[] = {{"RegionName", &any_string, true}, END};
static const struct shape region_create = {.type = SHAPE_STRUCT, .member = region_members, .java = CLASS("CreateReplicaAction")};
static const struct shape region_delete = {.type = SHAPE_STRUCT, .member = region_members, .java = CLASS("DeleteReplicaAction")};
static const struct shape_member replica_update_members[] = {{"Create", &region_create, false}, {"Delete", &region_delete, false}, END};
static const struct shape replica_update = {.type = SHAPE_STRUCT, .member = replica_update_members, .java = CLASS("ReplicaUpdate")};
static const struct shape replica_updates = {.type = SHAPE_LIST, .of = &replica_update};
INPUT(update_global, {"GlobalTableName", &table_name, true}, {"ReplicaUpdates", &replica_updates, true});

/* ---- items ---- */
static const struct shape names_map = {.type = SHAPE_MAP, .of = &any_string, .java = "java.util.Map<java.lang.String, java.lang.String>"};
static const struct shape_member expected_members[] = {
    {"Value", &value, false}, {"Exists", &boolean, false}, {"ComparisonOperator", &comparison, false}, {"AttributeValueList", &value_list, false}, END};
static const struct shape expected_one = {.type = SHAPE_STRUCT, .member = expected_members, .java = CLASS("ExpectedAttributeValue")};
static const struct shape expected = {
    .type = SHAPE_MAP, .of = &expected_one, .java = "java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.ExpectedAttributeValue>"};
static const struct shape_member condition_members[] = {{"AttributeValueList", &value_list, false}, {"ComparisonOperator", &comparison, true}, END};
static const struct shape condition_one = {.type = SHAPE_STRUCT, .member = condition_members, .java = CLASS("Condition")};
static const struct shape conditions = {
    .type = SHAPE_MAP, .of = &condition_one, .java = "java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.Condition>"};
static const struct shape update_action = {.type = SHAPE_STRING, .values = "ADD, DELETE, PUT"};
static const struct shape_member attribute_update_members[] = {{"Value", &value, false}, {"Action", &update_action, false}, END};
static const struct shape attribute_update = {.type = SHAPE_STRUCT, .member = attribute_update_members, .java = CLASS("AttributeValueUpdate")};
static const struct shape attribute_updates = {
    .type = SHAPE_MAP, .of = &attribute_update, .java = "java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValueUpdate>"};
static const struct shape attributes_to_get = {.type = SHAPE_LIST, .min = 1, .of = &attribute_name};

#define EXPRESSION_NAMES {"ExpressionAttributeNames", &names_map, false}
#define EXPRESSION_VALUES {"ExpressionAttributeValues", &values, false}
#define CONDITION {"ConditionExpression", &any_string, false}
#define RETURNS {"ReturnConsumedCapacity", &return_capacity, false}, {"ReturnItemCollectionMetrics", &return_metrics, false}
#define SINGLE_WRITE                                                                                                                      \
    {"Expected", &expected, false}, {"ReturnValues", &return_values, false}, RETURNS, {"ConditionalOperator", &conditional_operator, false}, \
        CONDITION, EXPRESSION_NAMES, EXPRESSION_VALUES, {"ReturnValuesOnConditionCheckFailure", &return_on_failure, false}

INPUT(put_item, {"TableName", &table_arn, true}, {"Item", &values, true}, SINGLE_WRITE);
INPUT(delete_item, {"TableName", &table_arn, true}, {"Key", &values, true}, SINGLE_WRITE);
INPUT(update_item, {"TableName", &table_arn, true}, {"Key", &values, true}, {"AttributeUpdates", &attribute_updates, false},
    {"UpdateExpression", &any_string, false}, SINGLE_WRITE);
INPUT(get_item, {"TableName", &table_arn, true}, {"Key", &values, true}, {"AttributesToGet", &attributes_to_get, false},
    {"ConsistentRead", &boolean, false}, {"ReturnConsumedCapacity", &return_capacity, false}, {"ProjectionExpression", &any_string, false}, EXPRESSION_NAMES);

static const struct shape keys = {.type = SHAPE_LIST, .min = 1, .max = 100, .of = &values};
static const struct shape_member keys_members[] = {{"Keys", &keys, true}, {"AttributesToGet", &attributes_to_get, false},
    {"ConsistentRead", &boolean, false}, {"ProjectionExpression", &any_string, false}, EXPRESSION_NAMES, END};
static const struct shape keys_and_attributes = {.type = SHAPE_STRUCT, .member = keys_members, .java = CLASS("KeysAndAttributes")};
static const struct shape get_requests = {.type = SHAPE_MAP, .min = 1, .max = 100, .of = &keys_and_attributes, .key = &table_arn,
    .java = "java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.KeysAndAttributes>"};
INPUT(batch_get, {"RequestItems", &get_requests, true}, {"ReturnConsumedCapacity", &return_capacity, false});

static const struct shape_member put_request_members[] = {{"Item", &values, true}, END};
static const struct shape put_request = {.type = SHAPE_STRUCT, .member = put_request_members, .java = CLASS("PutRequest")};
static const struct shape_member delete_request_members[] = {{"Key", &values, true}, END};
static const struct shape delete_request = {.type = SHAPE_STRUCT, .member = delete_request_members, .java = CLASS("DeleteRequest")};
static const struct shape_member write_request_members[] = {{"PutRequest", &put_request, false}, {"DeleteRequest", &delete_request, false}, END};
static const struct shape write_request = {.type = SHAPE_STRUCT, .member = write_request_members, .java = CLASS("WriteRequest")};
static const struct shape write_list = {.type = SHAPE_LIST, .min = 1, .max = 25, .of = &write_request};
static const struct shape write_requests = {.type = SHAPE_MAP, .min = 1, .max = 25, .of = &write_list, .key = &table_arn,
    .java = "java.util.Map<java.lang.String, java.util.List<com.amazonaws.dynamodb.v20120810.WriteRequest>>"};
INPUT(batch_write, {"RequestItems", &write_requests, true}, RETURNS);

/* ---- transactions ---- */
#define ON_FAILURE {"ReturnValuesOnConditionCheckFailure", &return_on_failure, false}
static const struct shape_member check_members[] = {{"TableName", &table_arn, true}, {"Key", &values, true},
    {"ConditionExpression", &any_string, true}, EXPRESSION_NAMES, EXPRESSION_VALUES, ON_FAILURE, END};
static const struct shape check_action = {.type = SHAPE_STRUCT, .member = check_members, .java = CLASS("ConditionCheck")};
static const struct shape_member put_members[] = {
    {"TableName", &table_arn, true}, {"Item", &values, true}, CONDITION, EXPRESSION_NAMES, EXPRESSION_VALUES, ON_FAILURE, END};
static const struct shape put_action = {.type = SHAPE_STRUCT, .member = put_members, .java = CLASS("Put")};
static const struct shape_member delete_members[] = {
    {"TableName", &table_arn, true}, {"Key", &values, true}, CONDITION, EXPRESSION_NAMES, EXPRESSION_VALUES, ON_FAILURE, END};
static const struct shape delete_action = {.type = SHAPE_STRUCT, .member = delete_members, .java = CLASS("Delete")};
static const struct shape_member update_members[] = {{"TableName", &table_arn, true}, {"Key", &values, true}, {"UpdateExpression", &any_string, true},
    CONDITION, EXPRESSION_NAMES, EXPRESSION_VALUES, ON_FAILURE, END};
static const struct shape update_action_shape = {.type = SHAPE_STRUCT, .member = update_members, .java = CLASS("Update")};
static const struct shape_member write_item_members[] = {{"ConditionCheck", &check_action, false}, {"Put", &put_action, false},
    {"Delete", &delete_action, false}, {"Update", &update_action_shape, false}, END};
static const struct shape write_item = {.type = SHAPE_STRUCT, .member = write_item_members, .java = CLASS("TransactWriteItem")};
static const struct shape write_items = {.type = SHAPE_LIST, .min = 1, .max = 100, .of = &write_item};
static const struct shape client_token = {.type = SHAPE_STRING, .min = 1, .max = 36};
INPUT(transact_write, {"TransactItems", &write_items, true}, {"ClientRequestToken", &client_token, false}, RETURNS);

static const struct shape_member get_members[] = {{"TableName", &table_arn, true}, {"Key", &values, true}, {"ProjectionExpression", &any_string, false},
    EXPRESSION_NAMES, END};
static const struct shape get_action = {.type = SHAPE_STRUCT, .member = get_members, .java = CLASS("Get")};
static const struct shape_member get_one_members[] = {{"Get", &get_action, true}, END};
static const struct shape get_one = {.type = SHAPE_STRUCT, .member = get_one_members, .java = CLASS("TransactGetItem")};
static const struct shape get_items = {.type = SHAPE_LIST, .min = 1, .max = 100, .of = &get_one};
INPUT(transact_get, {"TransactItems", &get_items, true}, {"ReturnConsumedCapacity", &return_capacity, false});

/* ---- pages ---- */
#define PAGE                                                                                                                              \
    {"TableName", &table_arn, true}, {"IndexName", &index_name, false}, {"Select", &select_shape, false},                                \
        {"AttributesToGet", &attributes_to_get, false}, {"Limit", &limit, false}, {"ConsistentRead", &boolean, false},                    \
        {"ConditionalOperator", &conditional_operator, false}, {"ExclusiveStartKey", &values, false},                                     \
        {"ReturnConsumedCapacity", &return_capacity, false}, {"ProjectionExpression", &any_string, false},                                \
        {"FilterExpression", &any_string, false}, EXPRESSION_NAMES, EXPRESSION_VALUES
INPUT(query, PAGE, {"KeyConditions", &conditions, false}, {"QueryFilter", &conditions, false}, {"ScanIndexForward", &boolean, false},
    {"KeyConditionExpression", &any_string, false});
static const struct shape total_segments = {.type = SHAPE_INTEGER, .min = 1, .max = 1000000};
static const struct shape segment = {.type = SHAPE_INTEGER, .min = 0, .max = 999999};
INPUT(scan, PAGE, {"ScanFilter", &conditions, false}, {"TotalSegments", &total_segments, false}, {"Segment", &segment, false});

/* ---- PartiQL ---- */
static const struct shape statement_text = {.type = SHAPE_STRING, .min = 1, .max = 8192};
static const struct shape parameters = {.type = SHAPE_LIST, .min = 1, .of = &value};
static const struct shape next_token = {.type = SHAPE_STRING, .min = 1, .max = 32768};
INPUT(execute_statement, {"Statement", &statement_text, true}, {"Parameters", &parameters, false}, {"ConsistentRead", &boolean, false},
    {"NextToken", &next_token, false}, {"ReturnConsumedCapacity", &return_capacity, false}, {"Limit", &limit, false}, ON_FAILURE);
static const struct shape_member batch_statement_members[] = {
    {"Statement", &statement_text, true}, {"Parameters", &parameters, false}, {"ConsistentRead", &boolean, false}, ON_FAILURE, END};
static const struct shape batch_statement = {.type = SHAPE_STRUCT, .member = batch_statement_members, .java = CLASS("BatchStatementRequest")};
static const struct shape batch_statements = {.type = SHAPE_LIST, .min = 1, .max = 25, .of = &batch_statement};
INPUT(batch_execute, {"Statements", &batch_statements, true}, {"ReturnConsumedCapacity", &return_capacity, false});
static const struct shape_member transact_statement_members[] = {{"Statement", &statement_text, true}, {"Parameters", &parameters, false}, ON_FAILURE, END};
static const struct shape transact_statement = {.type = SHAPE_STRUCT, .member = transact_statement_members, .java = CLASS("ParameterizedStatement")};
static const struct shape transact_statements = {.type = SHAPE_LIST, .min = 1, .max = 100, .of = &transact_statement};
INPUT(execute_transaction, {"TransactStatements", &transact_statements, true}, {"ClientRequestToken", &client_token, false},
    {"ReturnConsumedCapacity", &return_capacity, false});
