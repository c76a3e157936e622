/* What backups and restores of tables share: the table they are about, the description of a table as it was, and the table that is to be filled. */
#ifndef WEIR_AWS_BACKUP_H
#define WEIR_AWS_BACKUP_H

#include "aws/schema.h"
#include "tick/job.h"

/* ---- backup.c ---- */
/* ERR_FULL, ERR_TOO_LARGE, ... of job_stage as AWS says them. */
int backup_stage_fail(struct aws_call *call, int code);
/* A table that is about to be dropped: what fills it ends; what reads it is in the way (ResourceInUseException). In the tick. */
int backup_table_ends(struct aws_call *call, struct store_view *view, struct tick *tick, const struct store_table *table);

/* ---- backup_describe.c ---- */
/* TableName, TableId and TableArn of the table that was backed up, inside an object that is open. */
void backup_write_table(struct aws_call *call, const struct job *job, const struct ddb_meta *meta);
void backup_write_arn(struct aws_call *call, const char *name, const struct job *job);
const char *backup_status(const struct job *job);
/* BackupDetails, as an object. */
void backup_write_details(struct aws_call *call, const struct job *job, const char *status);
/* {"BackupDescription":...}. */
int backup_write_description(struct aws_call *call, const struct job *job, const char *status);

/* ---- restore.c ---- */
struct restore {
    struct ddb_schema schema; /* of the table that is made */
    struct job job;
    const struct store_table *table; /* by restore_fill */
};
/* What the request says about the new table, over a source as it is or was. 0 or negative with the fault noted. */
int restore_schema(struct aws_call *call, struct restore *restore, const struct store_table_decl *decl, const struct ddb_meta *meta, int64_t now_ms);
/* Makes the table, stages the job that fills it, writes the answer. In the tick. */
int restore_begin(struct aws_call *call, struct store_view *view, struct tick *tick, struct restore *restore);
/* Is there a table of that name, also when it was made in this tick? The fault to note then. */
int restore_target_check(struct aws_call *call, struct store_view *view, struct text name, enum aws_fault fault);
/* Makes the table, closed to everybody, and stages its job. In the tick. */
int restore_fill(struct aws_call *call, struct tick *tick, struct restore *restore);

/* ---- recovery.c ---- */
/* The time of a parameter, in milliseconds: within the table's window, or the fault. */
int recovery_time(struct aws_call *call, const struct store_table *table, const char *parameter, enum aws_fault fault, int64_t now_ms, int64_t *time_ms);

#endif
