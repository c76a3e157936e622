/* What is done to alarms that are there: SetAlarmState, their actions on and off, their end, their tags. And what the files of alarms share. */
#include "aws/cloudwatch_alarm.h"

#include "base/codec.h"
#include "watch/insight.h"
#include "watch/keep.h"

const struct watch_alarm_house *cwa_house(const struct aws_call *call)
{
    return gw_alarm_house(call->work->gateway);
}

int cwa_done(struct aws_call *call)
{
    json_begin_object(&call->w);
    json_end_object(&call->w);
    return 0;
}

int cwa_may(struct aws_call *call, struct text alarm)
{
    struct buf arn;
    struct watch_alarm_house house = {.region = call->config->region, .account = call->config->account};
    buf_init(&arn, 4096);
    watch_alarm_arn(&arn, &house, alarm);
    int code = arn.failed ? aws_no_memory(call) : aws_may(call, call->op->name, buf_text(&arn));
    buf_fini(&arn);
    return code;
}

int cwa_fail(struct aws_call *call, int code, const struct err *err)
{
    bool told = err && err->text[0];
    switch (code) {
    case ERR_NOT_FOUND:
        return told ? aws_fail(call, AWS_VALIDATION, "%s", err->text) : aws_fail(call, CW_NOT_FOUND, "Unknown");
    case ERR_CONDITION:
    case ERR_INVALID:
        return aws_fail(call, AWS_VALIDATION, "%s", told ? err->text : err_text(code));
    case ERR_FULL:
        return aws_fail(call, CW_LIMIT, "%s", told ? err->text : err_text(code));
    case ERR_TOO_LARGE:
        return aws_fail(call, CW_INVALID, "The alarm is larger than an alarm may be.");
    default:
        return aws_store_fail(call, code, err);
    }
}

/* ---- pages ---- */

int64_t cwa_max_records(struct cw_check *check, int64_t otherwise)
{
    const struct json *json = shape_get(check->call->in, "MaxRecords");
    int64_t most = otherwise;
    if (json && (json_to_i64(json, &most) || most < 1 || most > CWA_PAGE_MAX))
        cw_note(check, CW_INVALID, "The parameter MaxRecords must be between 1 and %d.", CWA_PAGE_MAX);
    return most;
}

struct text cwa_token(struct cw_check *check)
{
    struct text token = aws_param_text(check->call->in, "NextToken");
    struct buf bytes = {.data = arena_alloc(check->call->arena, token.len + 4), .cap = token.len + 4, .limit = token.len + 4};
    if (!token.len)
        return TEXT_NONE;
    if (bytes.data && token.len <= 1024 && base64_decode(&bytes, token) == 0 && bytes.len && bytes.len <= WATCH_ALARM_NAME_MAX && !memchr(bytes.data, 0, bytes.len))
        return buf_text(&bytes);
    cw_note(check, CW_TOKEN, "The value for parameter NextToken is invalid.");
    return TEXT_NONE;
}

void cwa_write_token(struct aws_call *call, struct text after)
{
    struct buf token;
    buf_init(&token, 2 * WATCH_ALARM_NAME_MAX);
    base64_encode(&token, after);
    json_name(&call->w, "NextToken");
    json_text(&call->w, buf_text(&token));
    buf_fini(&token);
}

/* ---- SetAlarmState ---- */

int cwa_set_alarm_state_prepare(struct aws_call *call)
{
    struct watch_alarm_change *change = arena_zalloc(call->arena, sizeof(*change));
    const struct json *root;
    struct cw_check check;
    if (!change)
        return aws_no_memory(call);
    call->state = change;
    cw_check_init(&check, call);
    change->name = cw_text(&check, call->in, "", "AlarmName", WATCH_ALARM_NAME_MAX, true);
    change->reason = aws_param_text(call->in, "StateReason");
    change->reason_data = aws_param_text(call->in, "StateReasonData");
    if (!shape_get(call->in, "StateValue") || watch_alarm_state_find(aws_param_text(call->in, "StateValue"), &change->state))
        cw_note(&check, CW_MISSING, "The parameter StateValue is required.");
    if (!change->reason.data)
        cw_note(&check, CW_MISSING, "The parameter StateReason is required.");
    if (change->reason_data.len && json_parse(call->arena, change->reason_data, 0, &root, NULL))
        cw_note(&check, CW_FORMAT, "The parameter StateReasonData is not valid JSON.");
    if (!change->reason_data.data)
        change->reason_data = TEXT("");
    int code = cw_check_end(&check);
    return code ? code : cwa_may(call, change->name);
}

int cwa_set_alarm_state_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)view;
    int code = watch_alarm_set_state(cwa_house(call), tick, call->arena, call->state);
    return code ? cwa_fail(call, code, NULL) : cwa_done(call);
}

/* ---- lists of names ---- */

struct named {
    struct text name[CWA_NAMES_MAX];
    size_t count;
};

static int read_names(struct aws_call *call)
{
    const struct json *list = shape_get(call->in, "AlarmNames");
    struct named *named = arena_zalloc(call->arena, sizeof(*named));
    int code = 0;
    if (!named)
        return aws_no_memory(call);
    call->state = named;
    if (!list || !list->count)
        return aws_fail(call, CW_MISSING, "The parameter AlarmNames is required.");
    for (const struct json *at = list->first; at && named->count < CWA_NAMES_MAX && !code; at = at->next) {
        named->name[named->count++] = at->text;
        code = cwa_may(call, at->text);
    }
    return code;
}

int cwa_enable_alarm_actions_prepare(struct aws_call *call)
{
    return read_names(call);
}

int cwa_disable_alarm_actions_prepare(struct aws_call *call)
{
    return read_names(call);
}

int cwa_delete_alarms_prepare(struct aws_call *call)
{
    return read_names(call);
}

/* Names that nobody has are passed over, as CloudWatch does. */
static int switch_actions(struct aws_call *call, struct tick *tick, bool enabled)
{
    const struct named *named = call->state;
    struct err err = {0};
    int code = 0;
    for (size_t i = 0; i < named->count && !code; i++) {
        code = watch_alarm_enable(cwa_house(call), tick, call->arena, named->name[i], enabled, &err);
        code = code == ERR_NOT_FOUND ? 0 : code;
    }
    return code ? cwa_fail(call, code, &err) : cwa_done(call);
}

int cwa_enable_alarm_actions_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)view;
    return switch_actions(call, tick, true);
}

int cwa_disable_alarm_actions_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)view;
    return switch_actions(call, tick, false);
}

int cwa_delete_alarms_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct named *named = call->state;
    struct err err = {0};
    size_t composites = 0;
    for (size_t i = 0; i < named->count && named->count > 1; i++) {
        struct watch_alarm alarm;
        int code = watch_alarm_get(view, call->arena, named->name[i], &alarm);
        if (code)
            return cwa_fail(call, code, NULL);
        composites += alarm.composite;
    }
    if (composites > 1)
        return aws_fail(call, AWS_VALIDATION, "At most one composite alarm can be deleted by one request.");
    int code = watch_alarm_delete(cwa_house(call), tick, call->arena, named->name, named->count, &err);
    return code ? cwa_fail(call, code, &err) : cwa_done(call);
}

/* ---- tags ---- */

struct tagging {
    struct text name;
    const struct attr *tags;
    bool rule;                 /* of Contributor Insights, else an alarm */
};

/* arn:aws:cloudwatch:REGION:ACCOUNT:insight-rule/NAME: the name, or nothing. */
static struct text rule_of_arn(struct text arn)
{
    ptrdiff_t at = 3;
    for (int colon = 1; colon < 5 && at >= 0; colon++)
        at = text_find(arn, ':', (size_t)at + 1);
    struct text rest = at < 0 || !text_starts(arn, TEXT("arn:")) ? TEXT_NONE : text_make(arn.data + at + 1, arn.len - (size_t)at - 1);
    return text_starts(rest, TEXT("insight-rule/")) ? text_make(rest.data + 13, rest.len - 13) : TEXT_NONE;
}

static int read_resource(struct cw_check *check, struct tagging **out)
{
    struct aws_call *call = check->call;
    struct text arn = cw_text(check, call->in, "", "ResourceARN", 1024, true);
    struct tagging *tagging = arena_zalloc(call->arena, sizeof(*tagging));
    if (!tagging) {
        cw_note(check, AWS_INTERNAL, "The request needs more memory than one request may use.");
        return ERR_MEMORY;
    }
    call->state = *out = tagging;
    tagging->name = rule_of_arn(arn);
    tagging->rule = tagging->name.len > 0;
    if (!tagging->rule)
        tagging->name = watch_alarm_of_arn(arn);
    if (arn.len && tagging->name.data == arn.data)
        cw_note(check, CW_INVALID, "The value %.*s for parameter ResourceARN is no ARN of an alarm or of an Insights rule.", (int)(arn.len < 200 ? arn.len : 200), arn.data);
    return 0;
}

int cwa_tag_resource_prepare(struct aws_call *call)
{
    struct cw_check check;
    struct tagging *tagging;
    const struct json *list = shape_get(call->in, "Tags");
    cw_check_init(&check, call);
    if (!read_resource(&check, &tagging))
        tagging->tags = cwa_tags(&check, list);
    if (!list)
        cw_note(&check, CW_MISSING, "The parameter Tags is required.");
    int code = cw_check_end(&check);
    return code ? code : cwa_may(call, tagging->name);
}

int cwa_untag_resource_prepare(struct aws_call *call)
{
    struct cw_check check;
    struct tagging *tagging = NULL;
    cw_check_init(&check, call);
    read_resource(&check, &tagging);
    if (!shape_get(call->in, "TagKeys"))
        cw_note(&check, CW_MISSING, "The parameter TagKeys is required.");
    int code = cw_check_end(&check);
    return code ? code : cwa_may(call, tagging->name);
}

int cwa_list_tags_for_resource_prepare(struct aws_call *call)
{
    struct cw_check check;
    struct tagging *tagging = NULL;
    cw_check_init(&check, call);
    read_resource(&check, &tagging);
    int code = cw_check_end(&check);
    return code ? code : cwa_may(call, tagging->name);
}

static int get_tagged(struct aws_call *call, struct store_view *view, struct watch_alarm *alarm)
{
    const struct tagging *tagging = call->state;
    *alarm = (struct watch_alarm){.name = tagging->name};
    int code = tagging->rule ? cw_insight_tags(call, view, tagging->name, &alarm->tags) : watch_alarm_get(view, call->arena, tagging->name, alarm);
    if (code == ERR_NOT_FOUND)
        return aws_fail(call, CW_RESOURCE_NOT_FOUND, "The %s %.*s does not exist.", tagging->rule ? "rule" : "alarm", TEXT_FMT(tagging->name));
    return code ? cwa_fail(call, code, NULL) : 0;
}

static int keep_tags(struct aws_call *call, struct tick *tick, const struct watch_alarm *alarm, const struct attr *tags)
{
    struct err err = {0};
    if (tags && tags->count > WATCH_ALARM_TAGS_MAX)
        return aws_fail(call, CW_INVALID, "A resource cannot have more than %d tags.", WATCH_ALARM_TAGS_MAX);
    const struct tagging *tagging = call->state;
    int code = tagging->rule ? cw_insight_tag(call, tick, tagging->name, tags) : watch_alarm_set_tags(tick, call->arena, alarm, tags, &err);
    return code ? cwa_fail(call, code, &err) : cwa_done(call);
}

/* A copy that may be changed. */
static struct attr *copy_tags(struct aws_call *call, const struct watch_alarm *alarm)
{
    struct attr *copy = item_create(call->arena);
    for (const struct attr *at = alarm->tags ? alarm->tags->first : NULL; at && copy; at = at->next)
        if (!item_set_string(call->arena, copy, at->name, at->text))
            return NULL;
    return copy;
}

int cwa_tag_resource_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct tagging *tagging = call->state;
    struct watch_alarm alarm;
    int code = get_tagged(call, view, &alarm);
    struct attr *tags = code ? NULL : copy_tags(call, &alarm);
    if (code)
        return code;
    for (const struct attr *at = tagging->tags ? tagging->tags->first : NULL; at && tags; at = at->next)
        if (!item_set_string(call->arena, tags, at->name, at->text))
            tags = NULL;
    return tags ? keep_tags(call, tick, &alarm, tags) : aws_no_memory(call);
}

int cwa_untag_resource_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct watch_alarm alarm;
    int code = get_tagged(call, view, &alarm);
    struct attr *tags = code ? NULL : copy_tags(call, &alarm);
    if (code)
        return code;
    if (!tags)
        return aws_no_memory(call);
    for (const struct json *at = shape_get(call->in, "TagKeys")->first; at; at = at->next)
        item_remove(tags, at->text);
    return keep_tags(call, tick, &alarm, tags);
}

int cwa_list_tags_for_resource_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct watch_alarm alarm;
    (void)tick;
    int code = get_tagged(call, view, &alarm);
    if (code)
        return code;
    json_begin_object(&call->w);
    json_name(&call->w, "Tags");
    json_begin_array(&call->w);
    for (const struct attr *at = alarm.tags ? alarm.tags->first : NULL; at; at = at->next) {
        json_begin_object(&call->w);
        json_name(&call->w, "Key");
        json_text(&call->w, at->name);
        json_name(&call->w, "Value");
        json_text(&call->w, at->text);
        json_end_object(&call->w);
    }
    json_end_array(&call->w);
    json_end_object(&call->w);
    return 0;
}
