/*
 * DescribeAlarmContributors: which of the series that an alarm watches (a Metrics Insights query with GROUP BY has several) are breaching. They are not kept: the alarm is judged once
 * more when somebody asks, on a worker, so what is told is what the figures say now.
 */
#include "aws/cloudwatch_alarm.h"

#include "base/hash.h"
#include "watch/data.h"
#include <stdio.h>

#define JUDGE_BYTES ((size_t)64 << 20)

struct telling {
    struct aws_call *call;
};

int cwa_describe_alarm_contributors_prepare(struct aws_call *call)
{
    struct cw_check check;
    cw_check_init(&check, call);
    struct text name = cw_text(&check, call->in, "", "AlarmName", WATCH_ALARM_NAME_MAX, true);
    if (aws_param_text(call->in, "NextToken").len) /* all fit into one answer */
        cw_note(&check, CW_TOKEN, "The value for parameter NextToken is invalid.");
    int code = cw_check_end(&check);
    return code ? code : cwa_may(call, name);
}

/* By what tells it from the others: the same contributor has the same id from look to look. */
static void write_id(struct json_writer *w, const struct watch_name *name)
{
    char id[40];
    uint64_t hash = hash_bytes(name->name);
    for (size_t i = 0; i < name->dimensions; i++)
        hash = (hash * 31 + hash_bytes(name->dimension[i].name)) * 31 + hash_bytes(name->dimension[i].value);
    snprintf(id, sizeof(id), "%016llx", (unsigned long long)hash);
    json_name(w, "ContributorId");
    json_str(w, id);
}

static int on_series(void *context, const struct math_series *series, const struct watch_judgement *judgement)
{
    struct json_writer *w = &((struct telling *)context)->call->w;
    if (!series->source || judgement->keep || judgement->state != WATCH_ALARM_ALARM)
        return 0;
    const struct watch_name *name = &series->source->name;
    json_begin_object(w);
    write_id(w, name);
    json_name(w, "ContributorAttributes");
    json_begin_object(w);
    for (size_t i = 0; i < name->dimensions; i++) {
        json_name_text(w, name->dimension[i].name);
        json_text(w, name->dimension[i].value);
    }
    json_end_object(w);
    json_name(w, "StateReason");
    json_text(w, judgement->reason);
    json_end_object(w);
    return 0;
}

int cwa_describe_alarm_contributors_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct text name = aws_param_text(call->in, "AlarmName");
    struct telling telling = {call};
    struct watch_alarm alarm;
    struct arena arena;
    (void)tick;
    int code = watch_alarm_get(view, call->arena, name, &alarm);
    if (code == ERR_NOT_FOUND)
        return aws_fail(call, CW_RESOURCE_NOT_FOUND, "The alarm %.*s does not exist.", TEXT_FMT(name));
    if (code)
        return cwa_fail(call, code, NULL);
    json_begin_object(&call->w);
    json_name(&call->w, "AlarmContributors");
    json_begin_array(&call->w);
    arena_init(&arena, 64 << 10, JUDGE_BYTES);
    if (!alarm.composite)
        code = watch_alarm_contributors(view, &arena, &alarm, clock_wall_ms(), on_series, &telling);
    arena_fini(&arena);
    json_end_array(&call->w);
    json_end_object(&call->w);
    return code ? cwa_fail(call, code, NULL) : 0;
}
