/*
 * DescribeAlarms and DescribeAlarmsForMetric. A page is first gathered as names, since composite and metric alarms are told in two lists; it begins behind the name in the token. When
 * names are asked for they are looked up, else all alarms are walked.
 */
#include "aws/cloudwatch_alarm.h"

#include <stdlib.h>

#define PAGE_FULL 1
#define LINKED_MAX 5000

struct asked {
    struct text name[CWA_NAMES_MAX];   /* sorted */
    size_t names;
    struct text prefix, action, children_of, parents_of, after;
    bool metric, composite, by_state;
    enum watch_alarm_state state;
    int64_t most;
    bool for_metric;
    /* of DescribeAlarmsForMetric */
    struct watch_name watched;
    struct text statistic, extended, unit;
    int64_t period;
};
struct page {
    const struct asked *asked;
    struct aws_call *call;
    struct text linked[LINKED_MAX];    /* names that ChildrenOf or ParentsOf mean */
    size_t links;
    struct text found[LINKED_MAX];     /* CWA_PAGE_MAX of them, but for DescribeAlarmsForMetric */
    bool is_composite[LINKED_MAX];
    size_t count;
    bool more;
};

static int by_text(const void *a, const void *b)
{
    return text_compare(*(const struct text *)a, *(const struct text *)b);
}

/* ---- the request ---- */

static void read_types(struct cw_check *check, struct asked *asked)
{
    const struct json *types = shape_get(check->call->in, "AlarmTypes");
    asked->metric = !types || !types->count;
    for (const struct json *at = types ? types->first : NULL; at; at = at->next) {
        asked->metric = asked->metric || text_is(at->text, "MetricAlarm");
        asked->composite = asked->composite || text_is(at->text, "CompositeAlarm");
    }
    if (asked->children_of.len || asked->parents_of.len)
        asked->metric = asked->composite = true;
}

static void check_alone(struct cw_check *check, const char *member)
{
    static const char *const others[] = {"AlarmNames", "AlarmNamePrefix", "AlarmTypes", "ChildrenOfAlarmName", "ParentsOfAlarmName", "StateValue", "ActionPrefix"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strcmp(others[i], member) != 0 && shape_get(check->call->in, others[i]) && shape_get(check->call->in, member))
            cw_note(check, CW_COMBINATION, "The parameters %s and %s are mutually exclusive and you have specified both.", member, others[i]);
}

int cwa_describe_alarms_prepare(struct aws_call *call)
{
    struct asked *asked = arena_zalloc(call->arena, sizeof(*asked));
    const struct json *names = shape_get(call->in, "AlarmNames");
    struct cw_check check;
    if (!asked)
        return aws_no_memory(call);
    call->state = asked;
    cw_check_init(&check, call);
    for (const struct json *at = names ? names->first : NULL; at && asked->names < CWA_NAMES_MAX; at = at->next)
        asked->name[asked->names++] = at->text;
    qsort(asked->name, asked->names, sizeof(asked->name[0]), by_text);
    asked->prefix = aws_param_text(call->in, "AlarmNamePrefix");
    asked->action = aws_param_text(call->in, "ActionPrefix");
    asked->children_of = aws_param_text(call->in, "ChildrenOfAlarmName");
    asked->parents_of = aws_param_text(call->in, "ParentsOfAlarmName");
    asked->by_state = shape_get(call->in, "StateValue") && watch_alarm_state_find(aws_param_text(call->in, "StateValue"), &asked->state) == 0;
    if (asked->names && asked->prefix.len)
        cw_note(&check, CW_COMBINATION, "The parameters AlarmNames and AlarmNamePrefix are mutually exclusive and you have specified both.");
    check_alone(&check, "ChildrenOfAlarmName");
    check_alone(&check, "ParentsOfAlarmName");
    read_types(&check, asked);
    asked->most = cwa_max_records(&check, CWA_PAGE);
    asked->after = cwa_token(&check);
    return cw_check_end(&check);
}

int cwa_describe_alarms_for_metric_prepare(struct aws_call *call)
{
    struct asked *asked = arena_zalloc(call->arena, sizeof(*asked));
    struct cw_check check;
    if (!asked)
        return aws_no_memory(call);
    call->state = asked;
    cw_check_init(&check, call);
    asked->for_metric = asked->metric = true;
    asked->most = LINKED_MAX;
    cw_metric(&check, call->in, "", TEXT_NONE, &asked->watched);
    cw_unit(&check, call->in, "");
    asked->statistic = aws_param_text(call->in, "Statistic");
    asked->extended = aws_param_text(call->in, "ExtendedStatistic");
    asked->unit = aws_param_text(call->in, "Unit");
    asked->period = cw_period(&check, call->in, "", false);
    return cw_check_end(&check);
}

/* ---- which ones ---- */

static bool has_action(const struct watch_alarm *alarm, struct text prefix)
{
    static const char *const members[] = {"OKActions", "AlarmActions", "InsufficientDataActions"};
    for (size_t i = 0; i < 3; i++) {
        const struct attr *list = item_get_str(alarm->config, members[i]);
        for (const struct attr *at = list ? list->first : NULL; at; at = at->next)
            if (text_starts(at->text, prefix))
                return true;
    }
    return false;
}

static bool same_metric(const struct attr *map, const struct watch_name *name)
{
    const struct attr *space = item_get_str(map, "Namespace"), *metric = item_get_str(map, "MetricName"), *list = item_get_str(map, "Dimensions");
    size_t count = list ? list->count : 0;
    if (!space || !metric || !text_equal(space->text, name->space) || !text_equal(metric->text, name->name) || count != name->dimensions)
        return false;
    for (const struct attr *at = list ? list->first : NULL; at; at = at->next) {
        const struct attr *key = item_get_str(at, "Name"), *value = item_get_str(at, "Value");
        size_t i = 0;
        while (i < name->dimensions && !(key && value && text_equal(name->dimension[i].name, key->text) && text_equal(name->dimension[i].value, value->text)))
            i++;
        if (i == name->dimensions)
            return false;
    }
    return true;
}

static bool watches(const struct asked *asked, const struct watch_alarm *alarm)
{
    const struct attr *metrics = item_get_str(alarm->config, "Metrics");
    for (const struct attr *at = metrics ? metrics->first : NULL; at; at = at->next) {
        const struct attr *stat = item_get_str(at, "MetricStat"), *metric = stat ? item_get_str(stat, "Metric") : NULL;
        if (metric && same_metric(metric, &asked->watched))
            return true;
    }
    return !metrics && same_metric(alarm->config, &asked->watched) && (!asked->statistic.data || text_equal(watch_alarm_text(alarm, "Statistic"), asked->statistic)) &&
        (!asked->extended.data || text_equal(watch_alarm_text(alarm, "ExtendedStatistic"), asked->extended)) &&
        (!asked->unit.data || text_equal(watch_alarm_text(alarm, "Unit"), asked->unit)) && (!asked->period || watch_alarm_integer(alarm, "Period", 0) == asked->period);
}

static bool is_meant(const struct page *page, const struct watch_alarm *alarm)
{
    const struct asked *asked = page->asked;
    if (alarm->composite ? !asked->composite : !asked->metric)
        return false;
    if (asked->by_state && alarm->state != asked->state)
        return false;
    if (asked->prefix.len && !text_starts(alarm->name, asked->prefix))
        return false;
    if (asked->action.len && !has_action(alarm, asked->action))
        return false;
    if (asked->for_metric)
        return watches(asked, alarm);
    bool linked = !asked->children_of.len && !asked->parents_of.len;
    for (size_t i = 0; i < page->links && !linked; i++)
        linked = text_equal(page->linked[i], alarm->name);
    return linked;
}

static int on_alarm(void *context, const struct watch_alarm *alarm)
{
    struct page *page = context;
    if (!is_meant(page, alarm))
        return 0;
    if (page->count == (size_t)page->asked->most) {
        page->more = true;
        return PAGE_FULL;
    }
    page->is_composite[page->count] = alarm->composite;
    page->found[page->count] = arena_copy(page->call->arena, alarm->name);
    return page->found[page->count++].data ? 0 : ERR_MEMORY;
}

static int on_link(void *context, struct text name)
{
    struct page *page = context;
    struct text copy = arena_copy(page->call->arena, name);
    if (page->links == LINKED_MAX)
        return PAGE_FULL;
    page->linked[page->links++] = copy;
    return copy.data ? 0 : ERR_MEMORY;
}

static int find_links(struct page *page, struct store_view *view)
{
    const struct asked *asked = page->asked;
    struct arena *arena = page->call->arena;
    struct watch_alarm alarm;
    const struct watch_rule *rule;
    if (asked->parents_of.len)
        return watch_alarm_parents(view, arena, 'p', asked->parents_of, on_link, page);
    if (!asked->children_of.len)
        return 0;
    int code = watch_alarm_get(view, arena, asked->children_of, &alarm);
    if (code || !alarm.composite)
        return code == ERR_NOT_FOUND ? 0 : code;
    code = watch_rule_parse(arena, watch_alarm_text(&alarm, "AlarmRule"), &rule, NULL);
    return code ? code : watch_rule_names(rule, on_link, page);
}

static int find_named(struct page *page, struct store_view *view)
{
    const struct asked *asked = page->asked;
    int code = 0;
    for (size_t i = 0; i < asked->names && code >= 0 && code != PAGE_FULL; i++) {
        struct watch_alarm alarm;
        bool repeated = i && text_equal(asked->name[i], asked->name[i - 1]);
        if (repeated || (asked->after.len && text_compare(asked->name[i], asked->after) <= 0))
            continue;
        code = watch_alarm_get(view, page->call->arena, asked->name[i], &alarm);
        code = code == ERR_NOT_FOUND ? 0 : code ? code : on_alarm(page, &alarm);
    }
    return code;
}

/* ---- the answer ---- */

static int write_list(struct page *page, struct store_view *view, const char *name, bool composite)
{
    struct aws_call *call = page->call;
    int code = 0;
    json_name(&call->w, name);
    json_begin_array(&call->w);
    for (size_t i = 0; i < page->count && !code; i++) {
        struct arena_mark mark = arena_mark(call->arena);
        struct watch_alarm alarm;
        if (page->is_composite[i] != composite)
            continue;
        code = watch_alarm_get(view, call->arena, page->found[i], &alarm);
        if (!code) {
            json_begin_object(&call->w);
            watch_alarm_write(&call->w, cwa_house(call), &alarm);
            json_end_object(&call->w);
        }
        arena_rewind(call->arena, mark);
    }
    json_end_array(&call->w);
    return code;
}

static int describe(struct aws_call *call, struct store_view *view)
{
    struct page *page = arena_zalloc(call->arena, sizeof(*page));
    if (!page)
        return aws_no_memory(call);
    page->asked = call->state;
    page->call = call;
    int code = find_links(page, view);
    if (code >= 0)
        code = page->asked->names ? find_named(page, view) : watch_alarm_each(view, page->asked->after, on_alarm, page);
    if (code < 0)
        return cwa_fail(call, code, NULL);
    json_begin_object(&call->w);
    code = page->asked->for_metric ? 0 : write_list(page, view, "CompositeAlarms", true);
    if (!code)
        code = write_list(page, view, "MetricAlarms", false);
    if (!code && page->more)
        cwa_write_token(call, page->found[page->count - 1]);
    json_end_object(&call->w);
    return code ? cwa_fail(call, code, NULL) : 0;
}

int cwa_describe_alarms_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)tick;
    return describe(call, view);
}

int cwa_describe_alarms_for_metric_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)tick;
    return describe(call, view);
}
