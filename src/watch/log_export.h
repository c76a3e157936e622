/*
 * Events of a log group as files: what CreateExportTask of CloudWatch Logs leaves in a bucket. The copier of tick/job.h calls these as its forms for JOB_LOGS.
 *
 *   <folder>/aws-logs-write-test          "Permission Check Successful", as AWS leaves it
 *   <folder>/<stream>/000000.gz           lines "2026-11-21T06:43:35.123Z message", in the order of time; a stream's '/' is '-'
 *
 * The job: `source` is the group, `about` JSON with "from" and "to" (milliseconds, both inclusive) and perhaps "logStreamNamePrefix".
 */
#ifndef WEIR_WATCH_LOG_EXPORT_H
#define WEIR_WATCH_LOG_EXPORT_H

#include "tick/job.h"

int watch_log_export_begin(void **out, const char *folder, const struct job *job, struct err *err);
int watch_log_export_step(void *context, struct store_view *view, uint64_t *events, bool *more, struct err *err);
int watch_log_export_end(void *context, struct err *err);
void watch_log_export_abandon(void *context);

#endif
