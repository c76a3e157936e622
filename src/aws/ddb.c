/* DynamoDB's table of operations. To add an operation: a shape in shapes.c, its steps in a file of its kind, a row here. */
#include "aws/ddb.h"

#define ROW(name, shape, way, prepare, perform, answer) {name, &ddb_shape_##shape, way, 0, prepare, perform, answer},
#define CONTROL(name, shape, way, prepare, perform) {name, &ddb_shape_##shape, way, AWS_NAMES_TABLE, prepare, perform, NULL},
static const struct aws_operation operations[] = {
    /* what is called most stands first */
    ROW("PutItem", put_item, AWS_WRITE, ddb_put_prepare, ddb_put_perform, ddb_write_answer)
    ROW("GetItem", get_item, AWS_READ, ddb_get_prepare, ddb_get_perform, NULL)
    ROW("UpdateItem", update_item, AWS_WRITE, ddb_update_prepare, ddb_update_perform, ddb_write_answer)
    ROW("DeleteItem", delete_item, AWS_WRITE, ddb_delete_prepare, ddb_delete_perform, ddb_write_answer)
    ROW("Query", query, AWS_READ, ddb_query_prepare, ddb_page_perform, NULL)
    ROW("Scan", scan, AWS_SCAN, ddb_scan_prepare, ddb_page_perform, NULL)
    ROW("BatchGetItem", batch_get, AWS_READ, ddb_batch_get_prepare, ddb_batch_get_perform, NULL)
    ROW("BatchWriteItem", batch_write, AWS_WRITE, ddb_batch_write_prepare, ddb_batch_write_perform, ddb_batch_write_answer)
    ROW("TransactGetItems", transact_get, AWS_READ, ddb_transact_get_prepare, ddb_transact_get_perform, NULL)
    ROW("TransactWriteItems", transact_write, AWS_WRITE, ddb_transact_write_prepare, ddb_transact_write_perform, ddb_transact_write_answer)
    CONTROL("CreateTable", create_table, AWS_WRITE, ddb_create_table_prepare, ddb_create_table_perform)
    CONTROL("DescribeTable", describe_table, AWS_READ, ddb_describe_table_prepare, ddb_describe_table_perform)
    ROW("ListTables", list_tables, AWS_READ, ddb_list_tables_prepare, NULL, NULL)
    CONTROL("DeleteTable", delete_table, AWS_WRITE, ddb_delete_table_prepare, ddb_delete_table_perform)
    CONTROL("UpdateTable", update_table, AWS_WRITE, ddb_update_table_prepare, ddb_update_table_perform)
    ROW("DescribeLimits", nothing, AWS_READ, ddb_limits_prepare, NULL, NULL)
    ROW("DescribeEndpoints", nothing, AWS_READ, ddb_endpoints_prepare, NULL, NULL)
    ROW("TagResource", tag_resource, AWS_WRITE, ddb_tag_prepare, ddb_tag_perform, NULL)
    ROW("UntagResource", untag_resource, AWS_WRITE, ddb_untag_prepare, ddb_untag_perform, NULL)
    ROW("ListTagsOfResource", list_tags, AWS_READ, ddb_list_tags_prepare, ddb_list_tags_perform, NULL)
    ROW("UpdateTimeToLive", update_ttl, AWS_WRITE, ddb_update_ttl_prepare, ddb_update_ttl_perform, NULL)
    ROW("EnableKinesisStreamingDestination", enable_destination, AWS_WRITE, ddb_destination_prepare, ddb_enable_destination_perform, NULL)
    ROW("DisableKinesisStreamingDestination", enable_destination, AWS_WRITE, ddb_destination_prepare, ddb_disable_destination_perform, NULL)
    ROW("UpdateKinesisStreamingDestination", update_destination, AWS_WRITE, ddb_destination_prepare, ddb_update_destination_perform, NULL)
    ROW("DescribeKinesisStreamingDestination", table_alone, AWS_READ, ddb_describe_destination_prepare, ddb_describe_destination_perform, NULL)
    ROW("DescribeTimeToLive", table_alone, AWS_READ, ddb_describe_ttl_prepare, NULL, NULL)
    ROW("DescribeContinuousBackups", table_alone, AWS_READ, ddb_describe_backups_prepare, NULL, NULL)
    ROW("UpdateContinuousBackups", update_backups, AWS_WRITE, ddb_update_backups_prepare, ddb_update_backups_perform, NULL)
    ROW("RestoreTableToPointInTime", restore_time, AWS_WRITE, ddb_restore_time_prepare, ddb_restore_time_perform, NULL)
    ROW("CreateBackup", create_backup, AWS_WRITE, ddb_create_backup_prepare, ddb_create_backup_perform, NULL)
    ROW("DescribeBackup", backup_alone, AWS_READ, ddb_describe_backup_prepare, ddb_describe_backup_perform, NULL)
    ROW("ListBackups", list_backups, AWS_SCAN, ddb_list_backups_prepare, ddb_list_backups_perform, NULL)
    ROW("DeleteBackup", backup_alone, AWS_WRITE, ddb_delete_backup_prepare, ddb_delete_backup_perform, NULL)
    ROW("RestoreTableFromBackup", restore_backup, AWS_WRITE, ddb_restore_backup_prepare, ddb_restore_backup_perform, NULL)
    ROW("ExportTableToPointInTime", export_table, AWS_WRITE, ddb_export_prepare, ddb_export_perform, NULL)
    ROW("DescribeExport", export_alone, AWS_READ, NULL, ddb_describe_export_perform, NULL)
    ROW("ListExports", list_exports, AWS_SCAN, NULL, ddb_list_exports_perform, NULL)
    ROW("ImportTable", import_table, AWS_WRITE, ddb_import_prepare, ddb_import_perform, NULL)
    ROW("DescribeImport", import_alone, AWS_READ, NULL, ddb_describe_import_perform, NULL)
    ROW("ListImports", list_imports, AWS_SCAN, NULL, ddb_list_imports_perform, NULL)
    ROW("ListGlobalTables", list_global, AWS_READ, ddb_list_global_prepare, NULL, NULL)
    ROW("DescribeGlobalTable", global_alone, AWS_READ, ddb_describe_global_prepare, NULL, NULL)
    ROW("DescribeGlobalTableSettings", global_alone, AWS_READ, ddb_describe_global_prepare, NULL, NULL)
    ROW("CreateGlobalTable", create_global, AWS_READ, ddb_create_global_prepare, NULL, NULL)
    ROW("UpdateGlobalTable", update_global, AWS_READ, ddb_describe_global_prepare, NULL, NULL)
    {"ExecuteStatement", &ddb_shape_execute_statement, AWS_READ, AWS_OWN_ACCESS, ddb_execute_statement_prepare, ddb_execute_statement_perform, ddb_execute_statement_answer},
    {"BatchExecuteStatement", &ddb_shape_batch_execute, AWS_READ, AWS_OWN_ACCESS, ddb_batch_execute_prepare, ddb_batch_execute_perform, ddb_batch_execute_answer},
    {"ExecuteTransaction", &ddb_shape_execute_transaction, AWS_READ, AWS_OWN_ACCESS, ddb_execute_transaction_prepare, ddb_execute_transaction_perform,
        ddb_execute_transaction_answer},
    {0}
};

const struct aws_service ddb_service = {.target = "DynamoDB_20120810.", .signing = "dynamodb", .operations = operations};
