/*
 * States change: in the tick, with the event of the history, the actions, and the composite alarms above, in one commit.
 *
 * Actions run once for each state that an alarm has come to, not for each look at it. A composite alarm with a suppressor may owe them: what it has told last is kept (`acted`), and when
 * the suppression ends, the state it has by then is told if it is another one. That is what CloudWatch's guide describes case by case ("Alarm suppression"): a wait that ends before the
 * suppressor goes into ALARM runs the actions, an alarm that has gone back to where it was told to be runs none.
 */
#include "watch/alarm.h"

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include <stdio.h>
#include <time.h>

#define PAYLOAD_MAX (512u << 10)
#define RELEASE_ATTEMPTS 10
#define RELEASE_BACKOFF_MS 1000

/* ---- actions ---- */

static const char *const action_members[WATCH_ALARM_STATES] = {"OKActions", "AlarmActions", "InsufficientDataActions"};

static int act_one(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, const struct watch_alarm *alarm, struct text action, struct text payload)
{
    struct watch_alarm_act act = {.alarm = alarm->name, .composite = alarm->composite, .action = action, .payload = payload, .outcome = WATCH_ALARM_FAILED};
    snprintf(act.why, sizeof(act.why), "there is nobody to carry it out");
    int code = house->act ? house->act(house->context, tick, arena, &act) : 0;
    if (code || act.outcome == WATCH_ALARM_SENT)
        return code;
    if (act.outcome == WATCH_ALARM_FAILED)
        counter_add(COUNTER_alarm_actions_failed, 1);
    return watch_alarm_acted(tick, arena, &act);
}

/* The actions of the state it has. `before` is what it was. */
static int act_all(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, struct watch_alarm *alarm, const struct watch_alarm *before)
{
    const struct attr *actions = item_get_str(alarm->config, action_members[alarm->state]);
    struct buf payload;
    alarm->acted = alarm->state;
    if (!alarm->enabled || !actions || !actions->count)
        return 0;
    buf_init(&payload, PAYLOAD_MAX);
    watch_alarm_payload(&payload, house, alarm, before);
    int code = payload.failed ? ERR_MEMORY : 0;
    for (const struct attr *at = actions->first; at && !code; at = at->next)
        code = act_one(house, tick, arena, alarm, at->text, buf_text(&payload));
    buf_fini(&payload);
    return code;
}

/* ---- suppression ---- */

static struct text suppressor_of(const struct watch_alarm *alarm)
{
    return alarm->composite ? watch_alarm_of_arn(watch_alarm_text(alarm, "ActionsSuppressor")) : TEXT_NONE;
}

static int suppressor_alarms(struct tick *tick, struct arena *arena, const struct watch_alarm *alarm, bool *is)
{
    struct watch_alarm suppressor;
    int code = watch_alarm_get(tick_view(tick), arena, suppressor_of(alarm), &suppressor);
    *is = !code && suppressor.state == WATCH_ALARM_ALARM;
    return code == ERR_NOT_FOUND ? 0 : code;
}

static int suppress_for(struct tick *tick, struct watch_alarm *alarm, const char *by, int64_t period_s)
{
    alarm->suppressed = text_of(by);
    alarm->suppressed_until_ms = tick_now_ms(tick) + period_s * SECOND_MS;
    return tick_later(tick, period_s * SECOND_MS, TEXT(WATCH_ALARM_RELEASE), alarm->name, RELEASE_ATTEMPTS, RELEASE_BACKOFF_MS, NULL);
}

static int act_or_wait(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, struct watch_alarm *alarm, const struct watch_alarm *before)
{
    bool suppressed = false;
    int64_t wait_s = watch_alarm_integer(alarm, "ActionsSuppressorWaitPeriod", 0);
    if (!suppressor_of(alarm).len)
        return act_all(house, tick, arena, alarm, before);
    int code = suppressor_alarms(tick, arena, alarm, &suppressed);
    if (code)
        return code;
    if (suppressed) {
        alarm->suppressed = TEXT("Alarm");
        alarm->suppressed_until_ms = 0;
        return 0;
    }
    if (text_is(alarm->suppressed, "ExtensionPeriod") && alarm->suppressed_until_ms > tick_now_ms(tick))
        return 0;
    if (alarm->state == WATCH_ALARM_ALARM && wait_s > 0)
        return suppress_for(tick, alarm, "WaitPeriod", wait_s);
    alarm->suppressed = TEXT("");
    alarm->suppressed_until_ms = 0;
    return alarm->state != alarm->acted ? act_all(house, tick, arena, alarm, before) : 0;
}

/* Nothing suppresses it any more. */
static int release(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, struct watch_alarm *alarm)
{
    struct err err = {0};
    struct watch_alarm before = *alarm;
    before.state = alarm->acted;
    alarm->suppressed = TEXT("");
    alarm->suppressed_until_ms = 0;
    int code = alarm->state != alarm->acted ? act_all(house, tick, arena, alarm, &before) : 0;
    return code ? code : watch_alarm_store(tick, arena, alarm, &err);
}

int watch_alarm_release(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, struct text name)
{
    struct watch_alarm alarm;
    int code = watch_alarm_get(tick_view(tick), arena, name, &alarm);
    bool timed = !code && (text_is(alarm.suppressed, "WaitPeriod") || text_is(alarm.suppressed, "ExtensionPeriod"));
    if (code == ERR_NOT_FOUND || (!code && (!timed || alarm.suppressed_until_ms > tick_now_ms(tick))))
        return 0; /* deleted, or something else has happened since */
    return code ? code : release(house, tick, arena, &alarm);
}

struct suppressing {
    const struct watch_alarm_house *house;
    struct tick *tick;
    struct arena *arena;
    bool began; /* the suppressor has gone into ALARM, else out of it */
};

static int on_suppressed(void *context, struct text name)
{
    struct suppressing *s = context;
    struct watch_alarm alarm;
    struct err err = {0};
    struct text copy = arena_copy(s->arena, name);
    int code = copy.data ? watch_alarm_get(tick_view(s->tick), s->arena, copy, &alarm) : ERR_MEMORY;
    if (code)
        return code == ERR_NOT_FOUND ? 0 : code;
    if (s->began && alarm.suppressed.len) {
        alarm.suppressed = TEXT("Alarm");
        alarm.suppressed_until_ms = 0;
        return watch_alarm_store(s->tick, s->arena, &alarm, &err);
    }
    if (s->began || !text_is(alarm.suppressed, "Alarm"))
        return 0;
    int64_t extension_s = watch_alarm_integer(&alarm, "ActionsSuppressorExtensionPeriod", 0);
    if (extension_s <= 0)
        return release(s->house, s->tick, s->arena, &alarm);
    code = suppress_for(s->tick, &alarm, "ExtensionPeriod", extension_s);
    return code ? code : watch_alarm_store(s->tick, s->arena, &alarm, &err);
}

/* The names are gathered before anything is written: a walk does not like rows that move under it. */
struct names {
    struct arena *arena;
    struct text name[256];
    size_t count;
};

static int on_name(void *context, struct text name)
{
    struct names *names = context;
    if (names->count == sizeof(names->name) / sizeof(names->name[0]))
        return ERR_FULL;
    struct text copy = arena_copy(names->arena, name);
    names->name[names->count++] = copy;
    return copy.data ? 0 : ERR_MEMORY;
}

static int tell_suppressed(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, const struct watch_alarm *alarm, const struct watch_alarm *before)
{
    struct suppressing suppressing = {house, tick, arena, alarm->state == WATCH_ALARM_ALARM};
    struct names names = {.arena = arena};
    if (alarm->state != WATCH_ALARM_ALARM && before->state != WATCH_ALARM_ALARM)
        return 0;
    int code = watch_alarm_parents(tick_view(tick), arena, 's', alarm->name, on_name, &names);
    if (code == ERR_FULL) {
        log_warn("alarm", "%.*s suppresses more than %zu alarms: the rest is not told", TEXT_FMT(alarm->name), names.count);
        code = 0;
    }
    for (size_t i = 0; i < names.count && !code; i++)
        code = on_suppressed(&suppressing, names.name[i]);
    return code;
}

/* ---- a transition ---- */

static void write_old_state(struct json_writer *w, const char *name, const struct watch_alarm *alarm)
{
    json_name(w, name);
    json_begin_object(w);
    json_name(w, "stateValue");
    json_str(w, watch_alarm_state_names[alarm->state]);
    json_name(w, "stateReason");
    json_text(w, alarm->reason);
    if (alarm->reason_data.len) {
        json_name(w, "stateReasonData");
        json_raw(w, alarm->reason_data);
    }
    json_end_object(w);
}

static int add_event(struct tick *tick, struct arena *arena, const struct watch_alarm *alarm, const struct watch_alarm *before)
{
    struct buf data;
    struct json_writer w;
    struct watch_alarm now = *alarm, old = *before;
    buf_init(&data, WATCH_ALARM_HISTORY_DATA_MAX);
    for (int whole = 1; whole >= 0; whole--) { /* what does not fit is told without its data */
        buf_clear(&data);
        json_writer_init(&w, &data);
        json_begin_object(&w);
        json_name(&w, "version");
        json_str(&w, "1.0");
        write_old_state(&w, "oldState", &old);
        write_old_state(&w, "newState", &now);
        json_end_object(&w);
        if (!data.failed)
            break;
        now.reason_data = old.reason_data = TEXT("");
    }
    struct watch_alarm_event event = {.alarm = alarm->name, .composite = alarm->composite, .type = TEXT("StateUpdate"), .data = buf_text(&data),
        .summary = arena_format(arena, "Alarm updated from %s to %s", watch_alarm_state_names[before->state], watch_alarm_state_names[alarm->state])};
    int code = data.failed || !event.summary.data ? ERR_MEMORY : watch_alarm_event_add(tick, arena, &event);
    buf_fini(&data);
    return code;
}

static int transition(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, struct watch_alarm *alarm, enum watch_alarm_state state, struct text reason,
    struct text reason_data)
{
    struct watch_alarm before = *alarm;
    struct err err = {0};
    alarm->state = state;
    alarm->reason = reason;
    alarm->reason_data = reason_data;
    alarm->updated_ms = tick_now_ms(tick);
    if (state != before.state)
        alarm->transitioned_ms = alarm->updated_ms;
    int code = state != before.state ? add_event(tick, arena, alarm, &before) : 0;
    if (!code && state != before.state)
        code = act_or_wait(house, tick, arena, alarm, &before);
    if (!code)
        code = watch_alarm_store(tick, arena, alarm, &err);
    if (!code && state != before.state) {
        counter_add(COUNTER_alarm_transitions, 1);
        code = tell_suppressed(house, tick, arena, alarm, &before);
    }
    return code;
}

/* ---- composite alarms ---- */

struct gathering {
    struct watch_alarm_parents *parents;
    struct text cause;
};

static int on_gather(void *context, struct text name)
{
    struct gathering *gathering = context;
    struct watch_alarm_parents *parents = gathering->parents;
    for (struct watch_alarm_parent *at = parents->first; at; at = at->next)
        if (text_equal(at->name, name))
            return 0;
    struct watch_alarm_parent *parent = arena_alloc(parents->arena, sizeof(*parent));
    if (!parent)
        return ERR_MEMORY;
    *parent = (struct watch_alarm_parent){parents->first, arena_copy(parents->arena, name), arena_copy(parents->arena, gathering->cause)};
    parents->first = parent;
    return parent->name.data && parent->cause.data ? 0 : ERR_MEMORY;
}

static int gather(struct tick *tick, struct arena *arena, struct text name, struct watch_alarm_parents *parents)
{
    struct gathering gathering = {parents, name};
    return watch_alarm_parents(tick_view(tick), arena, 'p', name, on_gather, &gathering);
}

struct looking {
    struct store_view *view;
    struct arena *arena;
};

static int on_state(void *context, struct text name, enum watch_alarm_state *state)
{
    struct looking *looking = context;
    struct watch_alarm alarm;
    int code = watch_alarm_get(looking->view, looking->arena, name, &alarm);
    *state = alarm.state;
    return code;
}

int watch_alarm_rule_state(struct store_view *view, struct arena *arena, const struct watch_alarm *alarm, enum watch_alarm_state *state)
{
    struct looking looking = {view, arena};
    const struct watch_rule *rule;
    bool truth = false;
    int code = watch_rule_parse(arena, watch_alarm_text(alarm, "AlarmRule"), &rule, NULL);
    if (!code)
        code = watch_rule_evaluate(rule, on_state, &looking, &truth);
    *state = truth ? WATCH_ALARM_ALARM : WATCH_ALARM_OK;
    return code;
}

/* "Friday 10 January, 2020 12:00:00 UTC" */
static void format_day(int64_t ms, char out[64])
{
    time_t seconds = (time_t)(ms / SECOND_MS);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(out, 64, "%A %d %B, %Y %H:%M:%S UTC", &tm);
}

static int tell_cause(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, const struct watch_alarm *alarm, struct text cause, bool created,
    enum watch_alarm_state state, struct text *reason, struct text *data)
{
    struct watch_alarm child;
    struct buf text, arn;
    char day[64], iso[CLOCK_ISO_SIZE];
    int code = cause.len ? watch_alarm_get(tick_view(tick), arena, cause, &child) : ERR_NOT_FOUND;
    bool known = code == 0;
    if (code && code != ERR_NOT_FOUND)
        return code;
    buf_init(&text, 4096);
    buf_init(&arn, 2048);
    watch_alarm_arn(&arn, house, known ? child.name : alarm->name);
    if (known) {
        format_day(child.updated_ms, day);
        clock_format_iso(child.updated_ms, iso);
        buf_add_format(&text, "%.*s transitioned to %s at %s", TEXT_FMT(buf_text(&arn)), watch_alarm_state_names[child.state], day);
    } else {
        buf_add_format(&text, "%.*s was %s and its alarm rule evaluates to %s", TEXT_FMT(buf_text(&arn)), created ? "created" : "updated", watch_alarm_state_names[state]);
    }
    if (text.len > WATCH_ALARM_REASON_MAX)
        text.len = WATCH_ALARM_REASON_MAX;
    *reason = arena_copy(arena, buf_text(&text));
    *data = TEXT("");
    if (known) {
        buf_clear(&text);
        buf_add_text(&text, TEXT("{\"triggeringAlarms\":[{\"arn\":"));
        json_escape(&text, buf_text(&arn));
        buf_add_format(&text, ",\"state\":{\"value\":\"%s\",\"timestamp\":\"%.23s+0000\"}}]}", watch_alarm_state_names[child.state], iso);
        *data = arena_copy(arena, buf_text(&text));
    }
    code = text.failed || arn.failed || !reason->data || !data->data ? ERR_MEMORY : 0;
    buf_fini(&text);
    buf_fini(&arn);
    return code;
}

/* Evaluates one; *changed: into another state. */
static int look(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, struct watch_alarm *alarm, struct text cause, bool created, bool *changed)
{
    enum watch_alarm_state state;
    struct text reason, data;
    *changed = false;
    int code = watch_alarm_rule_state(tick_view(tick), arena, alarm, &state);
    if (code || state == alarm->state)
        return code;
    *changed = true;
    code = tell_cause(house, tick, arena, alarm, cause, created, state, &reason, &data);
    return code ? code : transition(house, tick, arena, alarm, state, reason, data);
}

int watch_alarm_apply_parents(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, struct watch_alarm_parents *parents)
{
    int code = 0;
    for (int level = 0; parents->first && !code; level++) {
        struct watch_alarm_parent *at = parents->first;
        parents->first = NULL;
        if (level > 2 * WATCH_ALARM_LEVELS_MAX) {
            log_error("alarm", "composite alarms stand on each other more than %d levels deep: the rest is looked at with the next change", level);
            return 0;
        }
        for (; at && !code; at = at->next) {
            struct watch_alarm alarm;
            bool changed = false;
            code = watch_alarm_get(tick_view(tick), arena, at->name, &alarm);
            if (!code && alarm.composite)
                code = look(house, tick, arena, &alarm, at->cause, false, &changed);
            if (!code && changed)
                code = gather(tick, arena, at->name, parents);
            code = code == ERR_NOT_FOUND ? 0 : code;
        }
    }
    return code;
}

int watch_alarm_look(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, struct watch_alarm *alarm, struct text cause, bool created)
{
    struct watch_alarm_parents parents = {.arena = arena};
    bool changed = false;
    int code = look(house, tick, arena, alarm, cause, created, &changed);
    if (!code && changed)
        code = gather(tick, arena, alarm->name, &parents);
    return code ? code : watch_alarm_apply_parents(house, tick, arena, &parents);
}

/* ---- changes from outside ---- */

int watch_alarm_apply(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, const struct watch_alarm_change *change, size_t count,
    struct watch_alarm_parents *parents)
{
    int code = 0;
    for (size_t i = 0; i < count && !code; i++) {
        struct watch_alarm alarm;
        code = watch_alarm_get(tick_view(tick), arena, change[i].name, &alarm);
        if (code == ERR_NOT_FOUND || (!code && (alarm.state == change[i].state || (change[i].revision && alarm.revision != change[i].revision)))) {
            code = 0;
            continue;
        }
        if (!code)
            code = transition(house, tick, arena, &alarm, change[i].state, change[i].reason, change[i].reason_data);
        if (!code)
            code = gather(tick, arena, change[i].name, parents);
    }
    return code;
}

int watch_alarm_set_state(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, const struct watch_alarm_change *change)
{
    struct watch_alarm_parents parents = {.arena = arena};
    struct watch_alarm alarm;
    int code = watch_alarm_get(tick_view(tick), arena, change->name, &alarm);
    bool other = !code && alarm.state != change->state;
    if (!code)
        code = transition(house, tick, arena, &alarm, change->state, change->reason, change->reason_data);
    if (!code && other)
        code = gather(tick, arena, change->name, &parents);
    return code ? code : watch_alarm_apply_parents(house, tick, arena, &parents);
}
