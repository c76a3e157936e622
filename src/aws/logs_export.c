/*
 * Export tasks: events of a group as files below the server's folder for exports (`exchange`), a bucket being a folder in it. A task is a job (tick/job.h), so it survives a crash, and
 * begins anew then.
 */
#include "aws/logs.h"

#include "tick/job.h"

#define LIST_DEFAULT 50
#define PREFIX_DEFAULT "exportedlogs"
#define CANCELLED "cancelled"
#define BUCKET_MIN 3
#define BUCKET_MAX 63

struct create {
    struct text group; /* first: logs_group reads it */
    struct text path;  /* bucket/prefix, without the task's own */
};

/* ---- CreateExportTask ---- */

static bool bucket_is_valid(struct text bucket)
{
    if (bucket.len < BUCKET_MIN || bucket.len > BUCKET_MAX || bucket.data[0] == '.' || bucket.data[0] == '-')
        return false;
    for (size_t i = 0; i < bucket.len; i++) {
        char c = bucket.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '-')
            return false;
    }
    return true;
}

int logs_create_export_prepare(struct aws_call *call)
{
    struct create *create = arena_zalloc(call->arena, sizeof(*create));
    struct text bucket = aws_param_text(call->in, "destination"), prefix = aws_param_text(call->in, "destinationPrefix");
    int code = create ? logs_group_prepare(call) : aws_no_memory(call);
    if (code)
        return code;
    create->group = *(struct text *)call->state;
    call->state = create;
    if (logs_integer(call, "from", 0) > logs_integer(call, "to", 0))
        return aws_fail(call, LOGS_INVALID, "Invalid time range: from must not be later than to.");
    if (!call->config->jobs || !jobs_can_exchange(call->config->jobs))
        return aws_fail(call, LOGS_INVALID,
            "PutObject call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform this operation. (Exports need a folder: set 'exchange' in "
            "the server's configuration.)");
    if (!prefix.len)
        prefix = TEXT(PREFIX_DEFAULT);
    while (prefix.len > 1 && prefix.data[prefix.len - 1] == '/')
        prefix.len--;
    create->path = arena_format(call->arena, "%.*s/%.*s", TEXT_FMT(bucket), TEXT_FMT(prefix));
    if (!create->path.data)
        return aws_no_memory(call);
    if (!bucket_is_valid(bucket) || !job_path_is_valid(prefix) || !job_path_is_valid(create->path))
        return aws_fail(call, LOGS_INVALID, "The destination and its prefix name a folder and folders below it: '%.*s' is none.", TEXT_FMT(create->path));
    return 0;
}

static struct text about_of(struct aws_call *call)
{
    static const char *const texts[] = {"destination", "destinationPrefix", "logStreamNamePrefix"};
    struct json_writer w;
    struct buf out;
    buf_init(&out, 64 << 10);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    logs_write_i64(&w, "from", logs_integer(call, "from", 0));
    logs_write_i64(&w, "to", logs_integer(call, "to", 0));
    for (size_t i = 0; i < 3; i++)
        if (aws_param_text(call->in, texts[i]).data)
            logs_write_text(&w, texts[i], aws_param_text(call->in, texts[i]));
    json_end_object(&w);
    struct text about = out.failed ? TEXT_NONE : arena_copy(call->arena, buf_text(&out));
    buf_fini(&out);
    return about;
}

static int on_pending(void *context, const struct job *job)
{
    (void)context;
    return job->kind == JOB_LOGS;
}

int logs_create_export_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct create *create = call->state;
    struct watch_log_group group;
    struct job job = {.kind = JOB_LOGS, .source = create->group, .name = aws_param_text(call->in, "taskName")};
    int code = logs_group(call, view, &group);
    if (code)
        return code;
    if (group.log_class != WATCH_LOG_STANDARD)
        return logs_fail_class(call, &group);
    if (logs_integer(call, "to", 0) < group.created_ms)
        return aws_fail(call, LOGS_INVALID, "Invalid time range: to must not be earlier than the creation of the log group.");
    code = job_scan_pending(view, call->arena, on_pending, NULL);
    if (code)
        return logs_fail(call, code > 0 ? ERR_FULL : code); /* one task at a time, as AWS has it */
    job_name(tick, job.id);
    job.about = about_of(call);
    job.path = arena_format(call->arena, "%.*s/%s", TEXT_FMT(create->path), job.id);
    if (!job.about.data || !job.path.data)
        return aws_no_memory(call);
    code = job_stage(call->config->jobs, tick, &job);
    if (code)
        return logs_fail(call, code);
    json_begin_object(&call->w);
    logs_write_text(&call->w, "taskId", text_of(job.id));
    json_end_object(&call->w);
    return 0;
}

/* ---- CancelExportTask ---- */

int logs_cancel_export_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct job job;
    int code = job_get(view, call->arena, aws_param_text(call->in, "taskId"), &job);
    if (code == ERR_NOT_FOUND || (!code && job.kind != JOB_LOGS))
        return aws_fail(call, LOGS_NOT_FOUND, "The specified export task does not exist.");
    if (!code && job.state != JOB_WAITING)
        return aws_fail(call, LOGS_OPERATION, "The specified export task has already finished");
    if (!code)
        code = job_give_up(tick, &job, TEXT(CANCELLED));
    return code ? logs_fail(call, code) : 0;
}

/* ---- DescribeExportTasks ---- */

struct describe {
    struct aws_call *call;
    struct text task, status, after;
    int64_t limit, count;
    char first[JOB_ID_TEXT + 1]; /* of the pending jobs: the one that is worked on */
    char last[JOB_ID_TEXT + 1];
    bool more;
};

int logs_describe_exports_prepare(struct aws_call *call)
{
    struct describe *describe = arena_zalloc(call->arena, sizeof(*describe));
    if (!describe)
        return aws_no_memory(call);
    call->state = describe;
    describe->call = call;
    describe->task = aws_param_text(call->in, "taskId");
    describe->status = aws_param_text(call->in, "statusCode");
    describe->limit = logs_integer(call, "limit", LIST_DEFAULT);
    return logs_token(call, 'x', &describe->after);
}

static const char *status_of(const struct describe *describe, const struct job *job)
{
    if (job->state == JOB_DONE)
        return "COMPLETED";
    if (job->state == JOB_FAILED)
        return text_is(job->reason, CANCELLED) ? "CANCELLED" : "FAILED";
    return strcmp(job->id, describe->first) == 0 ? "RUNNING" : "PENDING";
}

static int write_task(struct describe *describe, const struct job *job)
{
    struct json_writer *w = &describe->call->w;
    const struct json *about;
    int64_t from = 0, to = 0;
    int code = json_parse(describe->call->arena, job->about, JSON_COPY, &about, NULL);
    if (code)
        return code;
    json_to_i64(json_get_str(about, "from"), &from);
    json_to_i64(json_get_str(about, "to"), &to);
    struct text prefix = aws_param_text(about, "destinationPrefix");
    json_begin_object(w);
    logs_write_text(w, "taskId", text_of(job->id));
    if (job->name.len)
        logs_write_text(w, "taskName", job->name);
    logs_write_text(w, "logGroupName", job->source);
    logs_write_i64(w, "from", from);
    logs_write_i64(w, "to", to);
    logs_write_text(w, "destination", aws_param_text(about, "destination"));
    logs_write_text(w, "destinationPrefix", prefix.len ? prefix : TEXT(PREFIX_DEFAULT));
    json_name(w, "status");
    json_begin_object(w);
    logs_write_text(w, "code", text_of(status_of(describe, job)));
    if (job->state == JOB_DONE)
        logs_write_text(w, "message", TEXT("Completed successfully"));
    else if (job->reason.len)
        logs_write_text(w, "message", job->reason);
    json_end_object(w);
    json_name(w, "executionInfo");
    json_begin_object(w);
    logs_write_i64(w, "creationTime", job->created_ms);
    if (job->state != JOB_WAITING)
        logs_write_i64(w, "completionTime", job->ended_ms);
    json_end_object(w);
    json_end_object(w);
    return 0;
}

static int on_job(void *context, const struct job *job)
{
    struct describe *describe = context;
    if (job->kind != JOB_LOGS || (describe->task.data && !text_is(describe->task, job->id)) ||
        (describe->status.data && !text_is(describe->status, status_of(describe, job))))
        return 0;
    if (describe->count == describe->limit) {
        describe->more = true;
        return 1;
    }
    describe->count++;
    memcpy(describe->last, job->id, sizeof(describe->last));
    return write_task(describe, job);
}

static int on_first(void *context, const struct job *job)
{
    struct describe *describe = context;
    memcpy(describe->first, job->id, sizeof(describe->first));
    return 1;
}

int logs_describe_exports_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct describe *describe = call->state;
    (void)tick;
    describe->count = 0;
    describe->more = false;
    describe->first[0] = 0;
    int code = job_scan_pending(view, call->arena, on_first, describe);
    json_begin_object(&call->w);
    json_name(&call->w, "exportTasks");
    json_begin_array(&call->w);
    if (code >= 0)
        code = job_scan(view, call->arena, describe->after, on_job, describe);
    if (code < 0)
        return logs_fail(call, code);
    json_end_array(&call->w);
    if (describe->more)
        logs_write_token(call, 'x', text_of(describe->last));
    json_end_object(&call->w);
    return 0;
}
