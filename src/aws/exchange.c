/*
 * Exports of tables to files and imports from them. What AWS keeps in S3 is here below one folder of the server (`exchange` in the configuration): a bucket is a folder
 * in it, a prefix the folders below. The work is a job's (tick/job_exchange.c); an export without a time is of the moment when its job runs.
 */
#include "aws/backup.h"

#define BUCKET_MAX 63
#define PAGE_MAX 25

/* ---- where ---- */

static bool bucket_is_valid(struct text bucket)
{
    if (bucket.len < 3 || bucket.len > BUCKET_MAX || bucket.data[0] == '.' || bucket.data[0] == '-')
        return false;
    for (size_t i = 0; i < bucket.len; i++) {
        char c = bucket.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '-')
            return false;
    }
    return true;
}

/* bucket[/prefix]; data NULL with the fault noted. */
static struct text path_of(struct aws_call *call, struct text bucket, struct text prefix)
{
    while (prefix.len && prefix.data[prefix.len - 1] == '/')
        prefix.len--;
    bool valid = bucket_is_valid(bucket) && (!prefix.len || job_path_is_valid(prefix)); /* before a NUL cuts it */
    struct text path = prefix.len ? arena_format(call->arena, "%.*s/%.*s", TEXT_FMT(bucket), TEXT_FMT(prefix)) : arena_copy(call->arena, bucket);
    if (!path.data) {
        aws_no_memory(call);
        return path;
    }
    if (valid && job_path_is_valid(path))
        return path;
    aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: The bucket and the prefix name a folder and folders below it: '%.*s' is none", TEXT_FMT(path));
    return TEXT_NONE;
}

static int check_folder(struct aws_call *call)
{
    if (call->config->jobs && jobs_can_exchange(call->config->jobs))
        return 0;
    return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: Exports and imports need a folder: set 'exchange' in the server's configuration");
}

/* ---- about ---- */

static void member(struct json_writer *w, const char *name, struct text value)
{
    if (!value.data)
        return;
    json_name(w, name);
    json_text(w, value);
}

static struct text arn_of(struct aws_call *call, struct text table, const char *kind, const char *id)
{
    struct buf arn;
    buf_init(&arn, 2048);
    ddb_arn(call, table, &arn);
    if (kind)
        buf_add_format(&arn, "/%s/%s", kind, id);
    struct text out = arn.failed ? TEXT_NONE : arena_copy(call->arena, buf_text(&arn));
    buf_fini(&arn);
    return out;
}

static const struct json *about_of(struct aws_call *call, const struct job *job)
{
    const struct json *root;
    return json_parse(call->arena, job->about, JSON_COPY, &root, NULL) ? NULL : root;
}

static const char *status_of(const struct job *job)
{
    return job->state == JOB_DONE ? "COMPLETED" : job->state == JOB_FAILED ? "FAILED" : "IN_PROGRESS";
}

/* The job that an ARN names: .../export/ID, .../import/ID. */
static int find(struct aws_call *call, struct store_view *view, const char *parameter, enum job_kind kind, struct job *job)
{
    struct text arn = aws_param_text(call->in, parameter);
    bool export = kind == JOB_EXPORT;
    const char *word = export ? "/export/" : "/import/";
    ptrdiff_t at = -1;
    for (size_t i = 0; i + 8 <= arn.len; i++)
        if (memcmp(arn.data + i, word, 8) == 0)
            at = (ptrdiff_t)i;
    struct text id = at < 0 ? TEXT_NONE : text_make(arn.data + at + 8, arn.len - (size_t)at - 8);
    int code = job_get(view, call->arena, id, job);
    if (code == ERR_NOT_FOUND || (!code && job->kind != kind))
        return aws_fail(call, export ? DDB_EXPORT_NOT_FOUND : DDB_IMPORT_NOT_FOUND, "%s not found: %.*s", export ? "Export" : "Import", TEXT_FMT(arn));
    return code ? aws_store_fail(call, code, NULL) : 0;
}

/* ---- export ---- */

static int write_export(struct aws_call *call, const struct job *job)
{
    struct json_writer *w = &call->w;
    const struct json *about = about_of(call, job);
    struct text prefix = aws_param_text(about, "prefix");
    if (!about)
        return aws_store_fail(call, ERR_CORRUPT, NULL);
    json_begin_object(w);
    json_name(w, "ExportDescription");
    json_begin_object(w);
    member(w, "ExportArn", arn_of(call, job->source, "export", job->id));
    json_name(w, "ExportStatus");
    json_str(w, status_of(job));
    aws_time_json(w, "StartTime", job->created_ms);
    if (job->state != JOB_WAITING)
        aws_time_json(w, "EndTime", job->ended_ms);
    member(w, "TableArn", aws_param_text(about, "tableArn"));
    member(w, "TableId", aws_param_text(about, "tableId"));
    aws_time_json(w, "ExportTime", job->time_ms ? job->time_ms : job->created_ms);
    member(w, "ClientToken", aws_param_text(about, "token"));
    member(w, "S3Bucket", aws_param_text(about, "bucket"));
    member(w, "S3Prefix", prefix);
    json_name(w, "ExportFormat");
    json_str(w, "DYNAMODB_JSON");
    json_name(w, "ExportType");
    json_str(w, "FULL_EXPORT");
    if (job->state == JOB_DONE) {
        while (prefix.len && prefix.data[prefix.len - 1] == '/')
            prefix.len--;
        member(w, "ExportManifest", arena_format(call->arena, "%.*s%sAWSDynamoDB/%s/manifest-summary.json", TEXT_FMT(prefix), prefix.len ? "/" : "", job->id));
        json_name(w, "BilledSizeBytes");
        json_u64(w, job->item_bytes);
        json_name(w, "ItemCount");
        json_u64(w, job->items);
    }
    if (job->state == JOB_FAILED) {
        json_name(w, "FailureCode");
        json_str(w, "ExportFailed");
        member(w, "FailureMessage", job->reason);
    }
    json_end_object(w);
    json_end_object(w);
    return 0;
}

int ddb_export_prepare(struct aws_call *call)
{
    struct text name, format = aws_param_text(call->in, "ExportFormat"), type = aws_param_text(call->in, "ExportType");
    const struct json *arn = shape_get(call->in, "TableArn");
    if (!text_starts(arn->text, TEXT("arn:")))
        return aws_fail(call, AWS_VALIDATION, "Invalid TableArn: Invalid ResourceArn provided as input %.*s", TEXT_FMT(arn->text));
    int code = ddb_name(call, arn, &name);
    if (code)
        return code;
    const struct store_table *table = ddb_find(call, name);
    if (!table)
        return aws_fail(call, DDB_TABLE_NOT_FOUND, "Table not found: %.*s", TEXT_FMT(name));
    if ((format.len && !text_is(format, "DYNAMODB_JSON")) || (type.len && !text_is(type, "FULL_EXPORT")))
        return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: Only full exports in DYNAMODB_JSON are supported");
    if (check_folder(call) || !path_of(call, aws_param_text(call->in, "S3Bucket"), aws_param_text(call->in, "S3Prefix")).data)
        return ERR_INVALID;
    if (!store_table_recovery(table).days)
        return aws_fail(call, DDB_NO_RECOVERY, "Point in time recovery is not enabled for table '%.*s'", TEXT_FMT(name));
    call->state = (void *)(uintptr_t)table;
    return 0;
}

static struct text export_about(struct aws_call *call, const struct store_table *table, const struct ddb_meta *meta)
{
    struct json_writer w;
    struct buf out;
    buf_init(&out, 64 << 10);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    member(&w, "tableArn", arn_of(call, store_table_name(table), NULL, NULL));
    member(&w, "tableId", text_of(meta->id));
    member(&w, "bucket", aws_param_text(call->in, "S3Bucket"));
    member(&w, "prefix", aws_param_text(call->in, "S3Prefix"));
    member(&w, "token", aws_param_text(call->in, "ClientToken"));
    json_end_object(&w);
    struct text about = out.failed ? TEXT_NONE : arena_copy(call->arena, buf_text(&out));
    buf_fini(&out);
    return about;
}

int ddb_export_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct store_table *table = call->state;
    struct ddb_meta *meta = arena_alloc(call->arena, sizeof(*meta));
    struct job job = {.kind = JOB_EXPORT, .source = store_table_name(table), .source_id = store_table_id(table)};
    if (!meta)
        return aws_no_memory(call);
    int code = ddb_meta_get(view, call->arena, job.source, meta);
    if (code)
        return aws_store_fail(call, code, NULL);
    if (shape_get(call->in, "ExportTime") && recovery_time(call, table, "ExportTime", DDB_EXPORT_TIME, tick_now_ms(tick), &job.time_ms))
        return ERR_INVALID;
    struct text folder = path_of(call, aws_param_text(call->in, "S3Bucket"), aws_param_text(call->in, "S3Prefix"));
    job.about = export_about(call, table, meta);
    job_name(tick, job.id);
    job.path = arena_format(call->arena, "%.*s/AWSDynamoDB/%s", TEXT_FMT(folder), job.id);
    if (!folder.data || !job.about.data || !job.path.data)
        return aws_no_memory(call);
    code = job_stage(call->config->jobs, tick, &job);
    return code ? backup_stage_fail(call, code) : write_export(call, &job);
}

int ddb_describe_export_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct job job;
    (void)tick;
    int code = find(call, view, "ExportArn", JOB_EXPORT, &job);
    return code ? code : write_export(call, &job);
}

/* ---- import ---- */

static int write_import(struct aws_call *call, const struct job *job)
{
    struct json_writer *w = &call->w;
    const struct json *about = about_of(call, job);
    if (!about)
        return aws_store_fail(call, ERR_CORRUPT, NULL);
    json_begin_object(w);
    json_name(w, "ImportTableDescription");
    json_begin_object(w);
    member(w, "ImportArn", arn_of(call, job->target, "import", job->id));
    json_name(w, "ImportStatus");
    json_str(w, status_of(job));
    member(w, "TableArn", aws_param_text(about, "tableArn"));
    member(w, "TableId", aws_param_text(about, "tableId"));
    member(w, "ClientToken", aws_param_text(about, "token"));
    json_name(w, "S3BucketSource");
    json_value(w, json_get_str(about, "source"));
    json_name(w, "ErrorCount");
    json_u64(w, job->errors);
    json_name(w, "InputFormat");
    json_str(w, "DYNAMODB_JSON");
    member(w, "InputCompressionType", aws_param_text(about, "compression"));
    json_name(w, "TableCreationParameters");
    json_value(w, json_get_str(about, "creation"));
    aws_time_json(w, "StartTime", job->created_ms);
    if (job->state != JOB_WAITING)
        aws_time_json(w, "EndTime", job->ended_ms);
    json_name(w, "ProcessedSizeBytes");
    json_u64(w, job->item_bytes);
    json_name(w, "ProcessedItemCount");
    json_u64(w, job->items);
    json_name(w, "ImportedItemCount");
    json_u64(w, job->items - job->errors);
    if (job->state == JOB_FAILED) {
        json_name(w, "FailureCode");
        json_str(w, "ImportFailed");
    }
    if (job->reason.len)
        member(w, "FailureMessage", job->reason);
    json_end_object(w);
    json_end_object(w);
    return 0;
}

int ddb_import_prepare(struct aws_call *call)
{
    const struct json *whole = call->in, *source = shape_get(whole, "S3BucketSource"), *creation = shape_get(whole, "TableCreationParameters");
    struct restore *restore = arena_zalloc(call->arena, sizeof(*restore));
    if (!restore)
        return aws_no_memory(call);
    if (!aws_param_is(whole, "InputFormat", "DYNAMODB_JSON") || aws_param_is(whole, "InputCompressionType", "ZSTD"))
        return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: Only DYNAMODB_JSON, plain or GZIP, is supported");
    if (check_folder(call) || !path_of(call, aws_param_text(source, "S3Bucket"), aws_param_text(source, "S3KeyPrefix")).data)
        return ERR_INVALID;
    call->state = restore;
    call->in = creation;
    int code = ddb_schema_read(call, &restore->schema);
    call->in = whole;
    return code;
}

static struct text import_about(struct aws_call *call, const struct ddb_schema *schema)
{
    struct json_writer w;
    struct buf out;
    buf_init(&out, JOB_ROW_MAX / 2);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    member(&w, "tableArn", arn_of(call, schema->decl.name, NULL, NULL));
    member(&w, "tableId", text_of(schema->meta.id));
    member(&w, "token", aws_param_text(call->in, "ClientToken"));
    member(&w, "compression", shape_get(call->in, "InputCompressionType") ? aws_param_text(call->in, "InputCompressionType") : TEXT("NONE"));
    json_name(&w, "source");
    json_value(&w, shape_get(call->in, "S3BucketSource"));
    json_name(&w, "creation");
    json_value(&w, shape_get(call->in, "TableCreationParameters"));
    json_end_object(&w);
    struct text about = out.failed ? TEXT_NONE : arena_copy(call->arena, buf_text(&out));
    buf_fini(&out);
    return about;
}

int ddb_import_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct restore *restore = call->state;
    const struct json *source = shape_get(call->in, "S3BucketSource");
    restore->job = (struct job){.kind = JOB_IMPORT};
    restore->job.path = path_of(call, aws_param_text(source, "S3Bucket"), aws_param_text(source, "S3KeyPrefix"));
    restore->job.about = import_about(call, &restore->schema);
    if (!restore->job.path.data || !restore->job.about.data)
        return aws_no_memory(call);
    int code = restore_target_check(call, view, restore->schema.decl.name, DDB_IN_USE);
    if (!code)
        code = restore_fill(call, tick, restore);
    return code ? code : write_import(call, &restore->job);
}

int ddb_describe_import_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct job job;
    (void)tick;
    int code = find(call, view, "ImportArn", JOB_IMPORT, &job);
    return code ? code : write_import(call, &job);
}

/* ---- lists ---- */

struct listing {
    struct aws_call *call;
    enum job_kind kind;
    struct text table;
    int64_t limit, count;
    char last[JOB_ID_TEXT + 1];
    bool more;
};

static void list_import(struct aws_call *call, const struct job *job)
{
    struct json_writer *w = &call->w;
    const struct json *about = about_of(call, job);
    member(w, "TableArn", aws_param_text(about, "tableArn"));
    json_name(w, "S3BucketSource");
    json_value(w, json_get_str(about, "source"));
    json_name(w, "InputFormat");
    json_str(w, "DYNAMODB_JSON");
    aws_time_json(w, "StartTime", job->created_ms);
    if (job->state != JOB_WAITING)
        aws_time_json(w, "EndTime", job->ended_ms);
}

static int list_one(void *context, const struct job *job)
{
    struct listing *list = context;
    struct json_writer *w = &list->call->w;
    bool export = list->kind == JOB_EXPORT;
    struct text table = export ? job->source : job->target;
    if (job->kind != list->kind || (list->table.data && !text_equal(list->table, table)))
        return 0;
    list->more = list->count == list->limit;
    if (list->more)
        return 1;
    json_begin_object(w);
    member(w, export ? "ExportArn" : "ImportArn", arn_of(list->call, table, export ? "export" : "import", job->id));
    json_name(w, export ? "ExportStatus" : "ImportStatus");
    json_str(w, status_of(job));
    if (export) {
        json_name(w, "ExportType");
        json_str(w, "FULL_EXPORT");
    } else {
        list_import(list->call, job);
    }
    json_end_object(w);
    memcpy(list->last, job->id, sizeof(list->last));
    list->count++;
    return 0;
}

static int list_jobs(struct aws_call *call, struct store_view *view, enum job_kind kind, const char *limit_name, const char *list_name)
{
    struct json_writer *w = &call->w;
    struct listing list = {.call = call, .kind = kind, .limit = PAGE_MAX};
    struct text after = aws_param_text(call->in, "NextToken");
    const struct json *limit = shape_get(call->in, limit_name), *arn = shape_get(call->in, "TableArn");
    int code = arn ? ddb_name(call, arn, &list.table) : 0;
    if (!code && after.data && !job_id_is_valid(after))
        code = aws_fail(call, AWS_VALIDATION, "Invalid NextToken");
    if (code)
        return code;
    if (limit)
        json_to_i64(limit, &list.limit);
    json_begin_object(w);
    json_name(w, list_name);
    json_begin_array(w);
    code = job_scan(view, call->arena, after, list_one, &list);
    if (code < 0)
        return aws_store_fail(call, code, NULL);
    json_end_array(w);
    if (list.more)
        member(w, "NextToken", text_of(list.last));
    json_end_object(w);
    return 0;
}

int ddb_list_exports_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)tick;
    return list_jobs(call, view, JOB_EXPORT, "MaxResults", "ExportSummaries");
}

int ddb_list_imports_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)tick;
    return list_jobs(call, view, JOB_IMPORT, "PageSize", "ImportSummaryList");
}
