/*
 * Global tables of the first kind (2017.11.29). A server here is one region: no table has a replica, so there is nothing to list and nothing to find, and
 * saying that in AWS's way is the whole truth. A global table cannot be made, since the tables that it would join in other regions are not there: that too is
 * AWS's own refusal.
 */
#include "aws/ddb.h"

static int not_found(struct aws_call *call)
{
    return aws_fail(call, DDB_GLOBAL_NOT_FOUND, "Global table not found: Global table with name: '%.*s' does not exist.",
        TEXT_FMT(aws_param_text(call->in, "GlobalTableName")));
}

int ddb_list_global_prepare(struct aws_call *call)
{
    json_begin_object(&call->w);
    json_name(&call->w, "GlobalTables");
    json_begin_array(&call->w);
    json_end_array(&call->w);
    json_end_object(&call->w);
    return 0;
}

int ddb_describe_global_prepare(struct aws_call *call)
{
    return not_found(call);
}

int ddb_create_global_prepare(struct aws_call *call)
{
    struct text name = aws_param_text(call->in, "GlobalTableName");
    const struct json *group = shape_get(call->in, "ReplicationGroup");
    const struct store_table *table = ddb_find(call, name);
    if (!group->count)
        return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: ReplicationGroup must not be empty");
    for (const struct json *at = group->first; at; at = at->next)
        if (!table || !text_equal(aws_param_text(at, "RegionName"), call->config->region))
            return aws_fail(call, DDB_TABLE_NOT_FOUND, "Table not found: Table with name: '%.*s' does not exist in region '%.*s'.", TEXT_FMT(name),
                TEXT_FMT(aws_param_text(at, "RegionName")));
    return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: a global table needs replicas in other regions, and this server is one region");
}
