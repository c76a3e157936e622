/*
 * On-demand backups. The work is a job's (tick/job.h); here are its words. A backup's ARN is its table's, "/backup/" and the job's id, which has AWS's form: the
 * time in milliseconds and eight hex digits.
 *
 * A backup that is CREATING is a pending job; AVAILABLE, a finished one. One that failed leaves no row, so it is not found, and the log says why.
 */
#include "aws/backup.h"


/* ---- names ---- */

/* arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/backup/ID; any region, as for tables. */
static bool arn_take_apart(struct text arn, struct text *table, struct text *id)
{
    ptrdiff_t at = 0;
    for (int colon = 0; colon < 5 && at >= 0; colon++) {
        at = text_find(arn, ':', (size_t)at);
        at = at < 0 ? at : at + 1;
    }
    struct text rest = at < 0 ? TEXT_NONE : text_make(arn.data + at, arn.len - (size_t)at);
    if (!text_starts(arn, TEXT("arn:")) || !text_starts(rest, TEXT("table/")))
        return false;
    rest = text_make(rest.data + 6, rest.len - 6);
    ptrdiff_t slash = text_find(rest, '/', 0);
    if (slash < 0)
        return false;
    *table = text_make(rest.data, (size_t)slash);
    rest = text_make(rest.data + slash, rest.len - (size_t)slash);
    if (!text_starts(rest, TEXT("/backup/")))
        return false;
    *id = text_make(rest.data + 8, rest.len - 8);
    return true;
}

static int parse_arn(struct aws_call *call, struct text arn, struct text *table, struct text *id)
{
    if (arn_take_apart(arn, table, id))
        return 0;
    return aws_fail(call, AWS_VALIDATION, "Invalid Request: Invalid BackupArn: %.*s", TEXT_FMT(arn));
}

static int not_found(struct aws_call *call, struct text arn)
{
    return aws_fail(call, DDB_BACKUP_NOT_FOUND, "Backup not found: %.*s", TEXT_FMT(arn));
}

/* The backup that the request names. */
static int find(struct aws_call *call, struct store_view *view, struct job *job)
{
    struct text arn = aws_param_text(call->in, "BackupArn"), table, id;
    int code = parse_arn(call, arn, &table, &id);
    if (code)
        return code;
    code = job_get(view, call->arena, id, job);
    if (code == ERR_NOT_FOUND)
        return not_found(call, arn);
    if (code)
        return aws_store_fail(call, code, NULL);
    bool is_it = job->kind == JOB_BACKUP && (job->state == JOB_WAITING || job->state == JOB_DONE) && text_equal(job->source, table);
    return is_it ? 0 : not_found(call, arn);
}

static int check_arn(struct aws_call *call, const char *member)
{
    struct text table, id, arn = aws_param_text(call->in, member);
    return arn.data ? parse_arn(call, arn, &table, &id) : 0;
}

int backup_stage_fail(struct aws_call *call, int code)
{
    if (code == ERR_FULL)
        return aws_fail(call, DDB_LIMIT, "Subscriber limit exceeded: There is a limit of %d simultaneous backup, restore, export and import operations", JOBS_PENDING_MAX);
    return aws_store_fail(call, code, NULL);
}

/* ---- CreateBackup ---- */

int ddb_create_backup_prepare(struct aws_call *call)
{
    struct text name;
    int code = ddb_name(call, shape_get(call->in, "TableName"), &name);
    if (code)
        return code;
    const struct store_table *table = ddb_find(call, name);
    if (!table)
        return aws_fail(call, DDB_TABLE_NOT_FOUND, "Table not found: %.*s", TEXT_FMT(name));
    if (store_table_filling(table))
        return aws_fail(call, DDB_TABLE_IN_USE, "Table is being created: %.*s", TEXT_FMT(name));
    if (!call->config->jobs)
        return aws_fail(call, DDB_NO_BACKUPS, "Backups are not enabled for table %.*s", TEXT_FMT(name));
    call->state = (void *)(uintptr_t)table;
    return ddb_writable(call, table);
}

int ddb_create_backup_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct store_table *table = call->state;
    struct ddb_meta *meta = arena_alloc(call->arena, sizeof(*meta));
    struct job job = {.kind = JOB_BACKUP, .source = store_table_name(table), .source_id = store_table_id(table), .name = aws_param_text(call->in, "BackupName")};
    struct buf decl, about;
    if (!meta)
        return aws_no_memory(call);
    int code = ddb_meta_get(view, call->arena, job.source, meta);
    if (code)
        return aws_store_fail(call, code, NULL);
    buf_init(&decl, STORE_DECL_BYTES_MAX);
    buf_init(&about, JOB_ROW_MAX);
    code = store_decl_encode(&decl, store_table_decl(table));
    if (!code)
        code = ddb_meta_format(&about, meta);
    job.decl = buf_text(&decl);
    job.about = buf_text(&about);
    if (!code)
        code = job_stage(call->config->jobs, tick, &job);
    buf_fini(&decl);
    buf_fini(&about);
    if (code)
        return backup_stage_fail(call, code);
    json_begin_object(&call->w);
    json_name(&call->w, "BackupDetails");
    backup_write_details(call, &job, "CREATING");
    json_end_object(&call->w);
    return 0;
}

/* ---- DescribeBackup, DeleteBackup ---- */

int ddb_describe_backup_prepare(struct aws_call *call)
{
    return check_arn(call, "BackupArn");
}

int ddb_describe_backup_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct job job;
    (void)tick;
    int code = find(call, view, &job);
    return code ? code : backup_write_description(call, &job, backup_status(&job));
}

int ddb_delete_backup_prepare(struct aws_call *call)
{
    return check_arn(call, "BackupArn");
}

static int restores_from(void *context, const struct job *job)
{
    return job->kind == JOB_RESTORE && text_equal(job->from, text_of(context)) ? 1 : 0;
}

int ddb_delete_backup_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct job job;
    int code = find(call, view, &job);
    if (code)
        return code;
    if (job.state == JOB_WAITING)
        return aws_fail(call, DDB_BACKUP_IN_USE, "Backup is being created: %.*s", TEXT_FMT(aws_param_text(call->in, "BackupArn")));
    code = job_scan_pending(view, call->arena, restores_from, job.id);
    if (code == 1)
        return aws_fail(call, DDB_BACKUP_IN_USE, "A table is being restored from backup: %.*s", TEXT_FMT(aws_param_text(call->in, "BackupArn")));
    if (!code)
        code = backup_write_description(call, &job, "DELETED");
    if (!code)
        code = job_remove(call->config->jobs, tick, &job);
    return code && !call->fault ? aws_store_fail(call, code, NULL) : code;
}

/* ---- ListBackups ---- */

struct listing {
    struct aws_call *call;
    struct text table;
    int64_t from_ms, to_ms, limit, count;
    char last[JOB_ID_TEXT + 1];
    struct text last_source;
    bool more;
};

static int64_t bound(const struct json *in, const char *name, int64_t otherwise)
{
    double seconds;
    const struct json *given = shape_get(in, name);
    if (!given || json_to_double(given, &seconds) || seconds < -1e11 || seconds > 1e11)
        return otherwise;
    return (int64_t)(seconds * 1000 + (seconds < 0 ? -0.5 : 0.5));
}

static int list_one(void *context, const struct job *job)
{
    struct listing *list = context;
    struct aws_call *call = list->call;
    struct json_writer *w = &call->w;
    struct ddb_meta *meta = arena_alloc(call->arena, sizeof(*meta));
    if (job->kind != JOB_BACKUP || (job->state != JOB_WAITING && job->state != JOB_DONE) || (list->table.data && !text_equal(list->table, job->source)) ||
        job->created_ms < list->from_ms || job->created_ms >= list->to_ms)
        return 0;
    list->more = list->count == list->limit;
    if (list->more)
        return 1;
    if (!meta || ddb_meta_parse(call->arena, job->about, meta))
        return ERR_CORRUPT;
    json_begin_object(w);
    backup_write_table(call, job, meta);
    backup_write_arn(call, "BackupArn", job);
    json_name(w, "BackupName");
    json_text(w, job->name);
    aws_time_json(w, "BackupCreationDateTime", job->created_ms);
    json_name(w, "BackupStatus");
    json_str(w, backup_status(job));
    json_name(w, "BackupType");
    json_str(w, "USER");
    json_name(w, "BackupSizeBytes");
    json_u64(w, job->file_bytes);
    json_end_object(w);
    memcpy(list->last, job->id, sizeof(list->last));
    list->last_source = job->source;
    list->count++;
    return 0;
}

int ddb_list_backups_prepare(struct aws_call *call)
{
    return check_arn(call, "ExclusiveStartBackupArn");
}

int ddb_list_backups_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct json_writer *w = &call->w;
    struct listing list = {.call = call, .limit = 100, .from_ms = bound(call->in, "TimeRangeLowerBound", INT64_MIN),
        .to_ms = bound(call->in, "TimeRangeUpperBound", INT64_MAX)};
    struct text table, after = TEXT_NONE, type = aws_param_text(call->in, "BackupType"), start = aws_param_text(call->in, "ExclusiveStartBackupArn");
    const struct json *limit = shape_get(call->in, "Limit"), *name = shape_get(call->in, "TableName");
    (void)tick;
    int code = name ? ddb_name(call, name, &list.table) : 0;
    if (!code && start.data)
        code = parse_arn(call, start, &table, &after);
    if (code)
        return code;
    if (limit)
        json_to_i64(limit, &list.limit);
    json_begin_object(w);
    json_name(w, "BackupSummaries");
    json_begin_array(w);
    if (!type.len || text_is(type, "USER") || text_is(type, "ALL"))
        code = job_scan(view, call->arena, after, list_one, &list);
    if (code < 0)
        return aws_store_fail(call, code, NULL);
    json_end_array(w);
    if (list.more) {
        struct job last = {.source = list.last_source};
        memcpy(last.id, list.last, sizeof(last.id));
        backup_write_arn(call, "LastEvaluatedBackupArn", &last);
    }
    json_end_object(w);
    return 0;
}

/* ---- RestoreTableFromBackup ---- */

int ddb_restore_backup_prepare(struct aws_call *call)
{
    return check_arn(call, "BackupArn");
}

int ddb_restore_backup_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct restore *restore = arena_zalloc(call->arena, sizeof(*restore));
    struct store_table_decl *decl = arena_alloc(call->arena, sizeof(*decl));
    struct ddb_meta *meta = arena_alloc(call->arena, sizeof(*meta));
    struct buf arn;
    struct job backup;
    if (!restore || !decl || !meta)
        return aws_no_memory(call);
    if (!call->config->jobs)
        return not_found(call, aws_param_text(call->in, "BackupArn"));
    int code = find(call, view, &backup);
    if (code)
        return code;
    if (backup.state != JOB_DONE)
        return aws_fail(call, DDB_BACKUP_IN_USE, "Backup is being created: %.*s", TEXT_FMT(aws_param_text(call->in, "BackupArn")));
    code = store_decl_decode(call->arena, backup.decl, decl);
    if (!code)
        code = ddb_meta_parse(call->arena, backup.about, meta);
    if (code)
        return aws_store_fail(call, code, NULL);
    code = restore_schema(call, restore, decl, meta, tick_now_ms(tick));
    if (code)
        return code;
    buf_init(&arn, 2048);
    ddb_arn(call, backup.source, &arn);
    restore->schema.meta.restored_from = arena_copy(call->arena, buf_text(&arn));
    restore->schema.meta.restored_backup = aws_param_text(call->in, "BackupArn");
    restore->schema.meta.restored_ms = backup.created_ms;
    buf_fini(&arn);
    restore->job.kind = JOB_RESTORE;
    restore->job.from = arena_copy(call->arena, text_of(backup.id));
    restore->job.source = backup.source;
    restore->job.source_id = backup.source_id;
    return restore_begin(call, view, tick, restore);
}

/* ---- a table's end ---- */

struct ending {
    struct aws_call *call;
    struct tick *tick;
    uint32_t id;
};

static int on_ending(void *context, const struct job *job)
{
    struct ending *ending = context;
    if (job->target_id == ending->id && job->target.len)
        return job_cancel(ending->tick, job);
    if (job->source_id != ending->id || job->kind == JOB_RESTORE || job->state == JOB_REMOVING)
        return 0;
    return aws_fail(ending->call, DDB_IN_USE, "Attempt to change a resource which is still in use: Table %.*s is being %s", TEXT_FMT(job->source),
        job->kind == JOB_BACKUP ? "backed up" : job->kind == JOB_EXPORT ? "exported" : "restored from");
}

int backup_table_ends(struct aws_call *call, struct store_view *view, struct tick *tick, const struct store_table *table)
{
    struct ending ending = {call, tick, store_table_id(table)};
    int code = job_scan_pending(view, call->arena, on_ending, &ending);
    if (!code && call->config->jobs)
        jobs_wake(call->config->jobs); /* what the journal is kept for may be less */
    return code && !call->fault ? aws_store_fail(call, code, NULL) : code;
}
