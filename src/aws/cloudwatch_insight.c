/*
 * Contributor Insights: PutInsightRule, DescribeInsightRules, EnableInsightRules, DisableInsightRules, DeleteInsightRules, GetInsightRuleReport over watch/insight.h. A list of names is
 * gone through one by one: a rule that is not there is told among the failures of the answer, as AWS's model has it.
 */
#include "aws/cloudwatch_alarm.h"

#include "watch/insight.h"
#include "watch/keep.h"
#include <stdio.h>

#define NAMES_MAX 500
#define VALUE_MAX (64u << 10)
#define REPORT_BYTES ((size_t)96 << 20)
#define CONTRIBUTORS_MAX 100
#define CONTRIBUTORS 10
#define PAGE_MAX 500
#define PAGE_FULL 1

/* ---- names ---- */

static void check_name(struct cw_check *check, struct text name, const char *parameter)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] < 0x20 || name.data[i] > 0x7e) {
            cw_note(check, CW_INVALID, "The value for parameter %s contains characters that are not printable ASCII.", parameter);
            return;
        }
}

static struct text rule_arn(struct aws_call *call, struct text name)
{
    return arena_format(call->arena, "arn:aws:cloudwatch:%.*s:%.*s:insight-rule/%.*s", TEXT_FMT(call->config->region), TEXT_FMT(call->config->account), TEXT_FMT(name));
}

static int may(struct aws_call *call, struct text name)
{
    struct text arn = rule_arn(call, name);
    return arn.data ? aws_may(call, call->op->name, arn) : aws_no_memory(call);
}

/* ---- what is kept ---- */

static struct text make_value(struct aws_call *call, const struct insight_kept *kept, const struct attr *tags)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, VALUE_MAX);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_name(&w, "definition");
    json_text(&w, kept->definition);
    json_name(&w, "enabled");
    json_bool(&w, kept->enabled);
    json_name(&w, "changed");
    json_i64(&w, kept->changed_ms);
    json_name(&w, "tags");
    json_begin_object(&w);
    for (const struct attr *at = tags ? tags->first : NULL; at; at = at->next) {
        json_name_text(&w, at->name);
        json_text(&w, at->text);
    }
    json_end_object(&w);
    json_end_object(&w);
    struct text value = out.failed ? TEXT_NONE : arena_copy(call->arena, buf_text(&out));
    buf_fini(&out);
    return value;
}

static int store(struct aws_call *call, struct tick *tick, struct text name, const struct insight_kept *kept, const struct attr *tags)
{
    struct text value = make_value(call, kept, tags);
    return value.data ? watch_keep_put(tick, call->arena, WATCH_KEEP_INSIGHT, name, value, INSIGHT_RULES_MAX) : ERR_MEMORY;
}

int cw_insight_tags(struct aws_call *call, struct store_view *view, struct text name, const struct attr **out)
{
    struct text value;
    const struct json *root;
    struct attr *tags = item_create(call->arena);
    int code = tags ? watch_keep_get(view, call->arena, WATCH_KEEP_INSIGHT, name, &value) : ERR_MEMORY;
    if (!code)
        code = json_parse(call->arena, value, JSON_COPY, &root, NULL);
    if (code)
        return code;
    const struct json *map = json_get_str(root, "tags");
    for (const struct json *at = json_is(map, JSON_OBJECT) ? map->first : NULL; at; at = at->next)
        if (!item_set_string(call->arena, tags, at->name, at->text))
            return ERR_MEMORY;
    *out = tags;
    return 0;
}

int cw_insight_tag(struct aws_call *call, struct tick *tick, struct text name, const struct attr *tags)
{
    struct insight_kept kept;
    int code = insight_kept_get(tick_view(tick), call->arena, name, &kept);
    return code ? code : store(call, tick, name, &kept, tags);
}

/* ---- PutInsightRule ---- */

int cw_put_insight_rule_prepare(struct aws_call *call)
{
    struct insight_rule rule;
    struct cw_check check;
    struct err err = {0};
    cw_check_init(&check, call);
    struct text name = cw_text(&check, call->in, "", "RuleName", INSIGHT_NAME_MAX, true), state = aws_param_text(call->in, "RuleState");
    struct text definition = aws_param_text(call->in, "RuleDefinition");
    check_name(&check, name, "RuleName");
    if (!definition.len)
        cw_note(&check, CW_MISSING, "The parameter RuleDefinition is required.");
    else if (insight_rule_parse(call->arena, definition, &rule, &err))
        cw_note(&check, err.text[0] ? CW_INVALID : AWS_INTERNAL, "%s", err.text[0] ? err.text : "The request needs more memory than one request may use.");
    if (state.data && !text_is(state, "ENABLED") && !text_is(state, "DISABLED"))
        cw_note(&check, CW_INVALID, "The parameter RuleState must be a value in the set [ ENABLED, DISABLED ].");
    const struct attr *tags = cwa_tags(&check, shape_get(call->in, "Tags"));
    call->state = (void *)(uintptr_t)tags;
    int code = cw_check_end(&check);
    return code ? code : may(call, name);
}

int cw_put_insight_rule_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct err err = {0};
    struct text name = aws_param_text(call->in, "RuleName");
    struct insight_kept kept = {aws_param_text(call->in, "RuleDefinition"), !text_is(aws_param_text(call->in, "RuleState"), "DISABLED"), tick_now_ms(tick)};
    const struct attr *tags = call->state, *old;
    int code = cw_insight_tags(call, view, name, &old); /* those of a rule that is there stay, as AWS has it */
    if (!code || code == ERR_NOT_FOUND)
        code = store(call, tick, name, &kept, code ? tags : old);
    if (code == ERR_FULL)
        return aws_fail(call, CW_LIMIT_EXCEPTION, "There are %d rules already.", INSIGHT_RULES_MAX);
    return code ? cw_fail(call, code, &err) : cwa_done(call);
}

/* ---- DescribeInsightRules ---- */

struct listing {
    struct text after;
    int64_t most, count;
    struct aws_call *call;
    char last[INSIGHT_NAME_MAX];
    size_t last_len;
    bool more;
};

int cw_describe_insight_rules_prepare(struct aws_call *call)
{
    struct listing *listing = arena_zalloc(call->arena, sizeof(*listing));
    const struct json *most = shape_get(call->in, "MaxResults");
    struct cw_check check;
    if (!listing)
        return aws_no_memory(call);
    call->state = listing;
    cw_check_init(&check, call);
    listing->most = PAGE_MAX;
    if (most)
        json_to_i64(most, &listing->most);
    listing->after = cwa_token(&check);
    return cw_check_end(&check);
}

static int on_rule(void *context, struct text name, struct text value)
{
    struct listing *listing = context;
    struct json_writer *w = &listing->call->w;
    struct arena_mark mark = arena_mark(listing->call->arena);
    struct insight_kept kept;
    if (listing->count == listing->most) {
        listing->more = true;
        return PAGE_FULL;
    }
    int code = name.len > sizeof(listing->last) ? ERR_CORRUPT : insight_kept_parse(listing->call->arena, value, &kept);
    if (code)
        return code;
    json_begin_object(w);
    json_name(w, "Name");
    json_text(w, name);
    json_name(w, "State");
    json_str(w, kept.enabled ? "ENABLED" : "DISABLED");
    json_name(w, "Schema");
    json_str(w, "{\"Name\":\"CloudWatchLogRule\",\"Version\":1}");
    json_name(w, "Definition");
    json_text(w, kept.definition);
    json_name(w, "ManagedRule");
    json_bool(w, false);
    json_end_object(w);
    arena_rewind(listing->call->arena, mark);
    memcpy(listing->last, name.data, name.len);
    listing->last_len = name.len;
    listing->count++;
    return 0;
}

int cw_describe_insight_rules_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct listing listing = *(const struct listing *)call->state;
    struct err err = {0};
    (void)tick;
    listing.call = call;
    json_begin_object(&call->w);
    json_name(&call->w, "InsightRules");
    json_begin_array(&call->w);
    int code = watch_keep_each(view, WATCH_KEEP_INSIGHT, listing.after, on_rule, &listing);
    json_end_array(&call->w);
    if (code < 0)
        return cw_fail(call, code, &err);
    if (listing.more)
        cwa_write_token(call, text_make(listing.last, listing.last_len));
    json_end_object(&call->w);
    return 0;
}

/* ---- lists of names ---- */

static int check_names(struct aws_call *call)
{
    const struct json *names = shape_get(call->in, "RuleNames");
    int code = 0;
    if (!names || !names->count)
        return aws_fail(call, CW_MISSING, "The parameter RuleNames is required.");
    if (names->count > NAMES_MAX)
        return aws_fail(call, CW_INVALID, "The collection RuleNames must not have a size greater than %d.", NAMES_MAX);
    for (const struct json *at = names->first; at && !code; at = at->next)
        code = may(call, at->text);
    return code;
}

static void write_failure(struct json_writer *w, struct text arn)
{
    json_begin_object(w);
    json_name(w, "FailureResource");
    json_text(w, arn);
    json_name(w, "ExceptionType");
    json_str(w, "ResourceNotFoundException");
    json_name(w, "FailureCode");
    json_str(w, "404");
    json_name(w, "FailureDescription");
    json_str(w, "The rule does not exist.");
    json_end_object(w);
}

enum doing { DO_ENABLE, DO_DISABLE, DO_DELETE };

static int do_one(struct aws_call *call, struct tick *tick, enum doing doing, struct text name)
{
    struct insight_kept kept;
    if (doing == DO_DELETE)
        return watch_keep_delete(tick, call->arena, WATCH_KEEP_INSIGHT, name);
    const struct attr *tags;
    bool enabled = doing == DO_ENABLE;
    int code = insight_kept_get(tick_view(tick), call->arena, name, &kept);
    if (!code)
        code = cw_insight_tags(call, tick_view(tick), name, &tags);
    if (code || kept.enabled == enabled)
        return code;
    kept.enabled = enabled;
    kept.changed_ms = tick_now_ms(tick);
    return store(call, tick, name, &kept, tags);
}

static int do_all(struct aws_call *call, struct tick *tick, enum doing doing)
{
    const struct json *names = shape_get(call->in, "RuleNames");
    struct err err = {0};
    json_begin_object(&call->w);
    json_name(&call->w, "Failures");
    json_begin_array(&call->w);
    for (const struct json *at = names->first; at; at = at->next) {
        int code = do_one(call, tick, doing, at->text);
        struct text arn = rule_arn(call, at->text);
        if (code == ERR_NOT_FOUND && arn.data)
            write_failure(&call->w, arn);
        else if (code || !arn.data)
            return cw_fail(call, code ? code : ERR_MEMORY, &err);
    }
    json_end_array(&call->w);
    json_end_object(&call->w);
    return 0;
}

#define NAMED(name, doing)                                                                                                                                                 \
    int cw_##name##_prepare(struct aws_call *call)                                                                                                                         \
    {                                                                                                                                                                      \
        return check_names(call);                                                                                                                                          \
    }                                                                                                                                                                      \
    int cw_##name##_perform(struct aws_call *call, struct store_view *view, struct tick *tick)                                                                             \
    {                                                                                                                                                                      \
        (void)view;                                                                                                                                                        \
        return do_all(call, tick, doing);                                                                                                                                  \
    }
NAMED(enable_insight_rules, DO_ENABLE)
NAMED(disable_insight_rules, DO_DISABLE)
NAMED(delete_insight_rules, DO_DELETE)

/* ---- GetInsightRuleReport ---- */

struct reporting {
    struct insight_ask ask;
    int64_t most;
    struct insight_rule rule;
};

int cw_get_insight_rule_report_prepare(struct aws_call *call)
{
    struct reporting *reporting = arena_zalloc(call->arena, sizeof(*reporting));
    const struct json *most = shape_get(call->in, "MaxContributorCount"), *metrics = shape_get(call->in, "Metrics");
    struct text order = aws_param_text(call->in, "OrderBy");
    int64_t start_ms = 0, end_ms = 0;
    struct cw_check check;
    if (!reporting)
        return aws_no_memory(call);
    call->state = reporting;
    cw_check_init(&check, call);
    struct text name = cw_text(&check, call->in, "", "RuleName", INSIGHT_NAME_MAX, true);
    bool both = cw_time(&check, call->in, "", "StartTime", true, &start_ms);
    both = cw_time(&check, call->in, "", "EndTime", true, &end_ms) && both;
    int64_t period = reporting->ask.period_s = cw_period(&check, call->in, "", true);
    if (both && (start_ms >= end_ms || start_ms < 0))
        cw_note(&check, CW_INVALID, "The parameter StartTime must be less than the parameter EndTime.");
    else if (both && period && (end_ms - start_ms) / SECOND_MS / period >= INSIGHT_PERIODS_MAX)
        cw_note(&check, CW_INVALID, "A report has at most %d periods: the parameter Period is too short for the time range.", INSIGHT_PERIODS_MAX);
    if (period && (period < 60 || period % 60))
        cw_note(&check, CW_INVALID, "The parameter Period must be a multiple of 60.");
    reporting->most = CONTRIBUTORS;
    if (most && (json_to_i64(most, &reporting->most) || reporting->most < 1 || reporting->most > CONTRIBUTORS_MAX))
        cw_note(&check, CW_INVALID, "The parameter MaxContributorCount must be between 1 and %d.", CONTRIBUTORS_MAX);
    for (const struct json *at = metrics ? metrics->first : NULL; at; at = at->next)
        if (!insight_metric_known(at->text))
            cw_note(&check, CW_INVALID,
                "The parameter Metrics must be a value in the set [ UniqueContributors, MaxContributorValue, SampleCount, Sum, Minimum, Maximum, Average ].");
    if (order.data && !text_is(order, "Sum") && !text_is(order, "Maximum"))
        cw_note(&check, CW_INVALID, "The parameter OrderBy must be a value in the set [ Sum, Maximum ].");
    reporting->ask.by_most = text_is(order, "Maximum");
    reporting->ask.start_s = start_ms / SECOND_MS;
    reporting->ask.end_s = (end_ms + SECOND_MS - 1) / SECOND_MS;
    int code = cw_check_end(&check);
    return code ? code : may(call, name);
}

static void write_contributor(struct json_writer *w, const struct reporting *reporting, const struct insight_report *report, const struct insight_contributor *contributor)
{
    int64_t start_s = reporting->ask.start_s - reporting->ask.start_s % reporting->ask.period_s;
    json_begin_object(w);
    json_name(w, "Keys");
    json_begin_array(w);
    for (size_t i = 0; i < reporting->rule.keys; i++)
        json_text(w, contributor->key[i]);
    json_end_array(w);
    json_name(w, "ApproximateAggregateValue");
    json_double(w, contributor->total);
    json_name(w, "Datapoints");
    json_begin_array(w);
    for (size_t i = 0; i < report->periods; i++) {
        if (contributor->value[i] == 0)
            continue;
        json_begin_object(w);
        json_name(w, "Timestamp");
        cw_write_time(w, start_s + (int64_t)i * reporting->ask.period_s);
        json_name(w, "ApproximateValue");
        json_double(w, contributor->value[i]);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

static void write_metrics(struct aws_call *call, const struct reporting *reporting, const struct insight_report *report)
{
    const struct json *metrics = shape_get(call->in, "Metrics");
    struct json_writer *w = &call->w;
    int64_t start_s = reporting->ask.start_s - reporting->ask.start_s % reporting->ask.period_s;
    json_name(w, "MetricDatapoints");
    json_begin_array(w);
    for (size_t i = 0; i < report->periods && metrics && metrics->count; i++) {
        double value;
        if (report->period[i].samples <= 0)
            continue;
        json_begin_object(w);
        json_name(w, "Timestamp");
        cw_write_time(w, start_s + (int64_t)i * reporting->ask.period_s);
        for (const struct json *at = metrics->first; at; at = at->next)
            if (insight_metric_value(at->text, &report->period[i], &value)) {
                json_name_text(w, at->text);
                json_double(w, value);
            }
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_report(struct aws_call *call, const struct reporting *reporting, const struct insight_report *report)
{
    struct json_writer *w = &call->w;
    json_begin_object(w);
    json_name(w, "KeyLabels");
    json_begin_array(w);
    for (size_t i = 0; i < reporting->rule.keys; i++)
        json_text(w, reporting->rule.key[i].text);
    json_end_array(w);
    json_name(w, "AggregationStatistic");
    json_str(w, reporting->rule.sum ? "Sum" : "SampleCount");
    json_name(w, "AggregateValue");
    json_double(w, report->total);
    json_name(w, "ApproximateUniqueCount");
    json_u64(w, report->unique);
    json_name(w, "Contributors");
    json_begin_array(w);
    for (size_t i = 0; i < report->contributors && (int64_t)i < reporting->most; i++)
        write_contributor(w, reporting, report, report->contributor[i]);
    json_end_array(w);
    write_metrics(call, reporting, report);
    json_end_object(w);
}

int cw_get_insight_rule_report_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct reporting reporting = *(const struct reporting *)call->state;
    struct insight_report report;
    struct insight_kept kept;
    struct err err = {0};
    struct arena arena;
    (void)tick;
    arena_init(&arena, 64 << 10, REPORT_BYTES);
    reporting.ask.view = view;
    reporting.ask.arena = &arena;
    reporting.ask.rule = &reporting.rule;
    reporting.ask.now_ms = clock_wall_ms();
    int code = insight_kept_get(view, &arena, aws_param_text(call->in, "RuleName"), &kept);
    if (code == ERR_NOT_FOUND)
        aws_fail(call, CW_RESOURCE_NOT_FOUND, "The rule does not exist.");
    if (!code)
        code = insight_rule_parse(&arena, kept.definition, &reporting.rule, &err);
    reporting.ask.until_ms = !code && !kept.enabled ? kept.changed_ms : 0;
    if (!code)
        code = insight_report_read(&reporting.ask, &report, &err);
    if (!code)
        write_report(call, &reporting, &report);
    arena_fini(&arena);
    return code && !call->fault ? cw_fail(call, code, &err) : code;
}
