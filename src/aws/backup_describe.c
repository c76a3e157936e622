/* What is said of a backup: its own details, and the table as it was, from the declaration and the settings that the job's row holds. */
#include "aws/backup.h"

static void arn_of(struct aws_call *call, const struct job *job, struct buf *out)
{
    ddb_arn(call, job->source, out);
    buf_add_format(out, "/backup/%s", job->id);
}

void backup_write_arn(struct aws_call *call, const char *name, const struct job *job)
{
    struct buf arn;
    buf_init(&arn, 2048);
    arn_of(call, job, &arn);
    json_name(&call->w, name);
    json_text(&call->w, buf_text(&arn));
    buf_fini(&arn);
}

void backup_write_details(struct aws_call *call, const struct job *job, const char *status)
{
    struct json_writer *w = &call->w;
    json_begin_object(w);
    backup_write_arn(call, "BackupArn", job);
    json_name(w, "BackupName");
    json_text(w, job->name);
    json_name(w, "BackupSizeBytes");
    json_u64(w, job->file_bytes);
    json_name(w, "BackupStatus");
    json_str(w, status);
    json_name(w, "BackupType");
    json_str(w, "USER");
    aws_time_json(w, "BackupCreationDateTime", job->created_ms);
    json_end_object(w);
}

const char *backup_status(const struct job *job)
{
    return job->state == JOB_DONE ? "AVAILABLE" : "CREATING";
}

static void write_key_element(struct json_writer *w, struct text name, bool is_hash)
{
    json_begin_object(w);
    json_name(w, "AttributeName");
    json_text(w, name);
    json_name(w, "KeyType");
    json_str(w, is_hash ? "HASH" : "RANGE");
    json_end_object(w);
}

static void write_table_key(struct json_writer *w, const struct store_table_decl *decl)
{
    json_name(w, "KeySchema");
    json_begin_array(w);
    write_key_element(w, decl->hash, true);
    if (decl->range.len)
        write_key_element(w, decl->range, false);
    json_end_array(w);
}

static void write_throughput(struct json_writer *w, int64_t reads, int64_t writes)
{
    json_name(w, "ProvisionedThroughput");
    json_begin_object(w);
    json_name(w, "ReadCapacityUnits");
    json_i64(w, reads);
    json_name(w, "WriteCapacityUnits");
    json_i64(w, writes);
    json_end_object(w);
}

void backup_write_table(struct aws_call *call, const struct job *job, const struct ddb_meta *meta)
{
    struct json_writer *w = &call->w;
    struct buf arn;
    buf_init(&arn, 2048);
    ddb_arn(call, job->source, &arn);
    json_name(w, "TableName");
    json_text(w, job->source);
    json_name(w, "TableId");
    json_str(w, meta->id);
    json_name(w, "TableArn");
    json_text(w, buf_text(&arn));
    buf_fini(&arn);
}

static void write_source(struct aws_call *call, const struct job *job, const struct store_table_decl *decl, const struct ddb_meta *meta)
{
    struct json_writer *w = &call->w;
    json_begin_object(w);
    backup_write_table(call, job, meta);
    json_name(w, "TableSizeBytes");
    json_u64(w, job->item_bytes);
    json_name(w, "ItemCount");
    json_u64(w, job->items);
    write_table_key(w, decl);
    aws_time_json(w, "TableCreationDateTime", meta->created_ms);
    write_throughput(w, meta->reads, meta->writes);
    json_name(w, "BillingMode");
    json_str(w, meta->on_demand_mode ? "PAY_PER_REQUEST" : "PROVISIONED");
    json_end_object(w);
}

static void write_index(struct json_writer *w, const struct store_index_decl *index, const struct ddb_meta *meta, bool local)
{
    static const char *const types[] = {"ALL", "KEYS_ONLY", "INCLUDE"};
    json_begin_object(w);
    json_name(w, "IndexName");
    json_text(w, index->name);
    json_name(w, "KeySchema");
    json_begin_array(w);
    for (size_t i = 0; i < store_key_parts(&index->key); i++)
        write_key_element(w, index->key.part[i].name, i < index->key.hashes);
    json_end_array(w);
    json_name(w, "Projection");
    json_begin_object(w);
    json_name(w, "ProjectionType");
    json_str(w, types[index->projection]);
    if (index->includes) {
        json_name(w, "NonKeyAttributes");
        json_begin_array(w);
        for (size_t i = 0; i < index->includes; i++)
            json_text(w, index->include[i]);
        json_end_array(w);
    }
    json_end_object(w);
    for (size_t i = 0; !local && i < meta->indexes; i++)
        if (text_equal(meta->index[i].name, index->name))
            write_throughput(w, meta->index[i].reads, meta->index[i].writes);
    json_end_object(w);
}

static void write_indexes(struct json_writer *w, const char *name, const struct store_table_decl *decl, const struct ddb_meta *meta, bool local)
{
    bool any = false;
    for (size_t i = 0; i < decl->indexes; i++) {
        if (ddb_meta_is_local(meta, decl->index[i].name) != local)
            continue;
        if (!any) {
            json_name(w, name);
            json_begin_array(w);
        }
        any = true;
        write_index(w, &decl->index[i], meta, local);
    }
    if (any)
        json_end_array(w);
}

static void write_features(struct json_writer *w, const struct store_table_decl *decl, const struct ddb_meta *meta)
{
    json_begin_object(w);
    write_indexes(w, "LocalSecondaryIndexes", decl, meta, true);
    write_indexes(w, "GlobalSecondaryIndexes", decl, meta, false);
    if (meta->stream_view.len) {
        json_name(w, "StreamDescription");
        json_begin_object(w);
        json_name(w, "StreamEnabled");
        json_bool(w, true);
        json_name(w, "StreamViewType");
        json_text(w, meta->stream_view);
        json_end_object(w);
    }
    json_name(w, "TimeToLiveDescription");
    json_begin_object(w);
    json_name(w, "TimeToLiveStatus");
    json_str(w, decl->ttl.len ? "ENABLED" : "DISABLED");
    if (decl->ttl.len) {
        json_name(w, "AttributeName");
        json_text(w, decl->ttl);
    }
    json_end_object(w);
    json_end_object(w);
}

int backup_write_description(struct aws_call *call, const struct job *job, const char *status)
{
    struct json_writer *w = &call->w;
    struct store_table_decl *decl = arena_alloc(call->arena, sizeof(*decl));
    struct ddb_meta *meta = arena_alloc(call->arena, sizeof(*meta));
    if (!decl || !meta)
        return aws_no_memory(call);
    int code = store_decl_decode(call->arena, job->decl, decl);
    if (!code)
        code = ddb_meta_parse(call->arena, job->about, meta);
    if (code)
        return aws_store_fail(call, code, NULL);
    json_begin_object(w);
    json_name(w, "BackupDescription");
    json_begin_object(w);
    json_name(w, "BackupDetails");
    backup_write_details(call, job, status);
    json_name(w, "SourceTableDetails");
    write_source(call, job, decl, meta);
    json_name(w, "SourceTableFeatureDetails");
    write_features(w, decl, meta);
    json_end_object(w);
    json_end_object(w);
    return 0;
}
