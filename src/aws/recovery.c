/*
 * Continuous backups: tables that can be restored to points in time. It is the journal that is kept (tick_retain) and read back (tick/job_rewind.c); here it is turned on
 * and off, and asked for. A table's window begins when it was turned on, or with its recovery period, or where the journal begins, whichever is latest; it ends now,
 * where AWS's ends five minutes ago.
 */
#include "aws/backup.h"

#include "base/clock.h"

static int find_table(struct aws_call *call, const struct json *given, const struct store_table **table)
{
    struct text name;
    int code = ddb_name(call, given, &name);
    if (code)
        return code;
    *table = ddb_find(call, name);
    return *table ? 0 : aws_fail(call, DDB_TABLE_NOT_FOUND, "Table not found: %.*s", TEXT_FMT(name));
}

static int64_t earliest_ms(struct aws_call *call, struct store_recovery recovery, int64_t now_ms)
{
    int64_t period = now_ms - recovery.days * DAY_MS, journal = call->config->jobs ? jobs_journal_since_ms(call->config->jobs) : INT64_MIN;
    int64_t from = recovery.since_ms > period ? recovery.since_ms : period;
    return from > journal ? from : journal;
}

static void write_description(struct aws_call *call, struct store_recovery recovery, int64_t now_ms)
{
    if (recovery.days && now_ms < recovery.since_ms)
        now_ms = recovery.since_ms; /* ticks never go back, a clock may */
    struct json_writer *w = &call->w;
    json_begin_object(w);
    json_name(w, "ContinuousBackupsDescription");
    json_begin_object(w);
    json_name(w, "ContinuousBackupsStatus");
    json_str(w, "ENABLED");
    json_name(w, "PointInTimeRecoveryDescription");
    json_begin_object(w);
    json_name(w, "PointInTimeRecoveryStatus");
    json_str(w, recovery.days ? "ENABLED" : "DISABLED");
    if (recovery.days) {
        json_name(w, "RecoveryPeriodInDays");
        json_i64(w, recovery.days);
        aws_time_json(w, "EarliestRestorableDateTime", earliest_ms(call, recovery, now_ms));
        aws_time_json(w, "LatestRestorableDateTime", now_ms);
    }
    json_end_object(w);
    json_end_object(w);
    json_end_object(w);
}

int ddb_describe_backups_prepare(struct aws_call *call)
{
    const struct store_table *table;
    int code = find_table(call, shape_get(call->in, "TableName"), &table);
    if (!code)
        write_description(call, store_table_recovery(table), clock_wall_ms());
    return code;
}

int ddb_update_backups_prepare(struct aws_call *call)
{
    const struct store_table *table = NULL;
    const struct json *spec = shape_get(call->in, "PointInTimeRecoverySpecification");
    int code = find_table(call, shape_get(call->in, "TableName"), &table);
    if (code)
        return code;
    if (store_table_filling(table) || (aws_param_true(spec, "PointInTimeRecoveryEnabled") && !call->config->jobs))
        return aws_fail(call, DDB_NO_BACKUPS, "Backups are being enabled for the table: %.*s. Please retry later", TEXT_FMT(store_table_name(table)));
    if (!aws_param_true(spec, "PointInTimeRecoveryEnabled") && shape_get(spec, "RecoveryPeriodInDays"))
        return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: RecoveryPeriodInDays cannot be given when PointInTimeRecoveryEnabled is false");
    call->state = (void *)(uintptr_t)table;
    return ddb_writable(call, table);
}

int ddb_update_backups_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct store_table *table = call->state;
    const struct json *spec = shape_get(call->in, "PointInTimeRecoverySpecification"), *days = shape_get(spec, "RecoveryPeriodInDays");
    struct store_recovery old = store_table_recovery(table), now = {0};
    struct err err = {0};
    int64_t period = old.days ? old.days : STORE_RECOVERY_DAYS_MAX;
    (void)view;
    if (days)
        json_to_i64(days, &period);
    if (aws_param_true(spec, "PointInTimeRecoveryEnabled"))
        now = (struct store_recovery){.since_ms = old.days ? old.since_ms : tick_now_ms(tick), .days = (uint32_t)period};
    int code = 0;
    if (now.days != old.days)
        code = store_table_set_recovery(tick_stage(tick), table, now, &err);
    if (code == ERR_NOT_FOUND)
        return aws_fail(call, DDB_TABLE_NOT_FOUND, "Table not found: %.*s", TEXT_FMT(store_table_name(table)));
    if (code)
        return aws_store_fail(call, code, &err);
    if (call->config->jobs)
        jobs_wake(call->config->jobs);
    write_description(call, now, tick_now_ms(tick));
    return 0;
}

/* ---- RestoreTableToPointInTime ---- */

int ddb_restore_time_prepare(struct aws_call *call)
{
    const struct json *arn = shape_get(call->in, "SourceTableArn"), *name = shape_get(call->in, "SourceTableName");
    const struct store_table *table = NULL;
    bool latest = aws_param_true(call->in, "UseLatestRestorableTime"), given = shape_get(call->in, "RestoreDateTime") != NULL;
    if (!arn && !name)
        return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: SourceTableName or SourceTableArn must be specified");
    if (arn && !text_starts(arn->text, TEXT("arn:")))
        return aws_fail(call, AWS_VALIDATION, "Invalid TableArn: Invalid ResourceArn provided as input %.*s", TEXT_FMT(arn->text));
    if (latest == given)
        return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: %s",
            given ? "UseLatestRestorableTime and RestoreDateTime cannot be specified together"
                  : "UseLatestRestorableTime or RestoreDateTime must be specified");
    int code = find_table(call, arn ? arn : name, &table);
    if (code)
        return code;
    if (!store_table_recovery(table).days || !call->config->jobs)
        return aws_fail(call, DDB_NO_RECOVERY, "Point in time recovery is not enabled for table '%.*s'", TEXT_FMT(store_table_name(table)));
    call->state = (void *)(uintptr_t)table;
    return 0;
}

int recovery_time(struct aws_call *call, const struct store_table *table, const char *parameter, enum aws_fault fault, int64_t now_ms, int64_t *time_ms)
{
    const struct json *given = shape_get(call->in, parameter);
    double seconds = 0;
    *time_ms = now_ms;
    if (!given)
        return 0;
    int64_t from = earliest_ms(call, store_table_recovery(table), now_ms);
    if (json_to_double(given, &seconds) == 0 && seconds > 0 && seconds < 1e11)
        *time_ms = (int64_t)(seconds * 1000 + 0.5);
    else
        *time_ms = -1;
    if (*time_ms >= from && *time_ms <= now_ms)
        return 0;
    char earliest[CLOCK_ISO_SIZE], latest[CLOCK_ISO_SIZE];
    clock_format_iso(from, earliest);
    clock_format_iso(now_ms, latest);
    return aws_fail(call, fault, "%s must be between EarliestRestorableDateTime %s and LatestRestorableDateTime %s", parameter, earliest, latest);
}

int ddb_restore_time_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct store_table *table = call->state;
    struct restore *restore = arena_zalloc(call->arena, sizeof(*restore));
    struct ddb_meta *meta = arena_alloc(call->arena, sizeof(*meta));
    struct buf arn;
    int64_t time_ms = 0;
    if (!restore || !meta)
        return aws_no_memory(call);
    int code = recovery_time(call, table, "RestoreDateTime", DDB_RESTORE_TIME, tick_now_ms(tick), &time_ms);
    if (code)
        return code;
    code = ddb_meta_get(view, call->arena, store_table_name(table), meta);
    if (code)
        return aws_store_fail(call, code, NULL);
    code = restore_schema(call, restore, store_table_decl(table), meta, tick_now_ms(tick));
    if (code)
        return code;
    buf_init(&arn, 2048);
    ddb_arn(call, store_table_name(table), &arn);
    restore->schema.meta.restored_from = arena_copy(call->arena, buf_text(&arn));
    restore->schema.meta.restored_ms = time_ms;
    buf_fini(&arn);
    restore->job.kind = JOB_REWIND;
    restore->job.source = store_table_name(table);
    restore->job.source_id = store_table_id(table);
    restore->job.time_ms = time_ms;
    return restore_begin(call, view, tick, restore);
}
