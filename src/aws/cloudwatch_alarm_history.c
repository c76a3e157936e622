/* DescribeAlarmHistory: a walk over events in the order of time. The token is the id of the last one that was told. */
#include "aws/cloudwatch_alarm.h"

#include <stdio.h>

#define PAGE_FULL 1
#define PAGE_ENDS 2

struct history {
    struct text name, type, after;
    bool metric, composite, ascending;
    int64_t from_ms, to_ms, most;
    struct aws_call *call;
    int64_t count;
    char last[WATCH_ALARM_EVENT_ID];
    bool more;
};

static void read_types(struct cw_check *check, struct history *history)
{
    const struct json *types = shape_get(check->call->in, "AlarmTypes");
    bool any = types && types->count;
    history->metric = !any;
    history->composite = !any && history->name.len; /* whoever names an alarm means it */
    for (const struct json *at = any ? types->first : NULL; at; at = at->next) {
        history->metric = history->metric || text_is(at->text, "MetricAlarm");
        history->composite = history->composite || text_is(at->text, "CompositeAlarm");
    }
}

int cwa_describe_alarm_history_prepare(struct aws_call *call)
{
    struct history *history = arena_zalloc(call->arena, sizeof(*history));
    struct cw_check check;
    if (!history)
        return aws_no_memory(call);
    call->state = history;
    cw_check_init(&check, call);
    history->to_ms = INT64_MAX;
    history->name = aws_param_text(call->in, "AlarmName");
    history->type = aws_param_text(call->in, "HistoryItemType");
    history->ascending = text_is(aws_param_text(call->in, "ScanBy"), "TimestampAscending");
    cw_time(&check, call->in, "", "StartDate", false, &history->from_ms);
    cw_time(&check, call->in, "", "EndDate", false, &history->to_ms);
    if (history->from_ms > history->to_ms)
        cw_note(&check, CW_INVALID, "The parameter StartDate must be less than or equal to the parameter EndDate.");
    read_types(&check, history);
    history->most = cwa_max_records(&check, CWA_PAGE_MAX);
    history->after = cwa_token(&check);
    if (history->after.len && history->after.len != WATCH_ALARM_EVENT_ID)
        cw_note(&check, CW_TOKEN, "The value for parameter NextToken is invalid.");
    return cw_check_end(&check);
}

static void write_event(struct json_writer *w, const struct watch_alarm_event *event)
{
    json_begin_object(w);
    json_name(w, "AlarmName");
    json_text(w, event->alarm);
    json_name(w, "AlarmType");
    json_str(w, event->composite ? "CompositeAlarm" : "MetricAlarm");
    aws_time_json(w, "Timestamp", event->time_ms);
    json_name(w, "HistoryItemType");
    json_text(w, event->type);
    json_name(w, "HistorySummary");
    json_text(w, event->summary);
    json_name(w, "HistoryData");
    json_text(w, event->data);
    json_end_object(w);
}

static int on_event(void *context, struct text id, const struct watch_alarm_event *event)
{
    struct history *history = context;
    if (history->ascending ? event->time_ms > history->to_ms : event->time_ms < history->from_ms)
        return PAGE_ENDS;
    bool meant = event->time_ms >= history->from_ms && event->time_ms <= history->to_ms && (event->composite ? history->composite : history->metric) &&
        (!history->type.len || text_equal(history->type, event->type));
    if (!meant)
        return 0;
    if (history->count == history->most) {
        history->more = true;
        return PAGE_FULL;
    }
    write_event(&history->call->w, event);
    history->count++;
    memcpy(history->last, id.data, sizeof(history->last));
    return 0;
}

int cwa_describe_alarm_history_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct history history = *(const struct history *)call->state;
    (void)tick;
    history.call = call;
    json_begin_object(&call->w);
    json_name(&call->w, "AlarmHistoryItems");
    json_begin_array(&call->w);
    int code = watch_alarm_event_each(view, history.name, history.after, history.ascending, on_event, &history);
    json_end_array(&call->w);
    if (code < 0)
        return cwa_fail(call, code, NULL);
    if (history.more)
        cwa_write_token(call, text_make(history.last, sizeof(history.last)));
    json_end_object(&call->w);
    return 0;
}
