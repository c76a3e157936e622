/*
 * Alarms as items: what is kept, how it is found, and what a configuration changes. The configuration is kept in the members of CloudWatch's own answer, so describing an alarm is
 * writing its map down, and what weir does not know of a newer client's members it does not take in the first place.
 */
#include "watch/alarm.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/key.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WALK_ENDS = 0x5eed };
#define SCAN_ARENA (64u << 20)
#define INITIAL_REASON "Unchecked: Initial alarm creation"

static const struct store_table *table_of(const struct store *store)
{
    return store_table_find(store, TEXT(WATCH_ALARMS_TABLE));
}

bool watch_alarm_is_table(struct text name)
{
    return text_is(name, WATCH_ALARMS_TABLE);
}

int watch_alarm_define(struct tick *tick, struct err *err)
{
    struct store_table_decl *decl = calloc(1, sizeof(*decl));
    const struct store_table *table;
    if (!decl)
        return err_set(err, ERR_MEMORY, "out of memory");
    *decl = (struct store_table_decl){.name = TEXT(WATCH_ALARMS_TABLE), .hash = TEXT("name"), .hash_type = ATTR_STRING, .changes = true};
    int code = store_table_define(tick_stage(tick), decl, &table, err);
    free(decl);
    return code;
}

/* ---- names ---- */

void watch_alarm_arn(struct buf *out, const struct watch_alarm_house *house, struct text name)
{
    buf_add_format(out, "arn:aws:cloudwatch:%.*s:%.*s:alarm:", TEXT_FMT(house->region), TEXT_FMT(house->account));
    buf_add_text(out, name);
}

struct text watch_alarm_of_arn(struct text text)
{
    size_t at = 0;
    if (!text_starts(text, TEXT("arn:")))
        return text;
    for (int colon = 0; colon < 6; colon++) {
        ptrdiff_t next = text_find(text, ':', at);
        if (next < 0 || (colon == 5 && !text_equal(text_make(text.data + at, (size_t)next - at), TEXT("alarm"))))
            return text;
        at = (size_t)next + 1;
    }
    return text_make(text.data + at, text.len - at);
}

/* ---- items ---- */

static struct text text_at(const struct attr *item, const char *name)
{
    const struct attr *attr = item_get_str(item, name);
    return attr && attr->type == ATTR_STRING ? attr->text : TEXT("");
}

static int64_t number_at(const struct attr *item, const char *name)
{
    int64_t value = 0;
    const struct attr *attr = item_get_str(item, name);
    return attr && attr_to_i64(attr, &value) == 0 ? value : 0;
}

static int read_item(const struct attr *item, struct watch_alarm *alarm)
{
    const struct attr *enabled = item_get_str(item, "enabled");
    *alarm = (struct watch_alarm){.name = text_at(item, "name"), .composite = text_is(text_at(item, "type"), "composite"), .enabled = !enabled || enabled->boolean,
        .reason = text_at(item, "reason"), .reason_data = text_at(item, "reasonData"), .updated_ms = number_at(item, "updated"),
        .transitioned_ms = number_at(item, "transitioned"), .configured_ms = number_at(item, "configured"), .made_ms = number_at(item, "made"),
        .revision = number_at(item, "revision"), .config = item_get_str(item, "config"), .tags = item_get_str(item, "tags"), .declared = text_at(item, "declared"),
        .suppressed = text_at(item, "suppressed"), .suppressed_until_ms = number_at(item, "suppressedUntil")};
    alarm->acted = WATCH_ALARM_INSUFFICIENT;
    watch_alarm_state_find(text_at(item, "acted"), &alarm->acted);
    if (watch_alarm_state_find(text_at(item, "state"), &alarm->state) || !alarm->config || alarm->config->type != ATTR_MAP)
        return ERR_CORRUPT;
    return 0;
}

int watch_alarm_get(struct store_view *view, struct arena *arena, struct text name, struct watch_alarm *alarm)
{
    const struct store_table *table = table_of(view->store);
    const struct attr *item;
    struct attr *key = item_create(arena);
    if (!table || !name.len || name.len > WATCH_ALARM_NAME_MAX)
        return ERR_NOT_FOUND;
    if (!key || !item_set_string(arena, key, TEXT("name"), name))
        return ERR_MEMORY;
    int code = store_get(view, table, key, arena, &item);
    return code ? code : read_item(item, alarm);
}

int watch_alarm_store(struct tick *tick, struct arena *arena, const struct watch_alarm *alarm, struct err *err)
{
    const struct store_table *table = table_of(tick_view(tick)->store);
    struct attr *item = item_create(arena);
    const struct attr *old;
    bool made = table && item && item_set_string(arena, item, TEXT("name"), alarm->name) &&
        item_set_string(arena, item, TEXT("type"), alarm->composite ? TEXT("composite") : TEXT("metric")) &&
        item_set_string(arena, item, TEXT("state"), text_of(watch_alarm_state_names[alarm->state])) && item_set_string(arena, item, TEXT("reason"), alarm->reason) &&
        item_set_string(arena, item, TEXT("reasonData"), alarm->reason_data) && item_set_i64(arena, item, TEXT("updated"), alarm->updated_ms) &&
        item_set_i64(arena, item, TEXT("transitioned"), alarm->transitioned_ms) && item_set_i64(arena, item, TEXT("configured"), alarm->configured_ms) &&
        item_set_i64(arena, item, TEXT("made"), alarm->made_ms) && item_set_i64(arena, item, TEXT("revision"), alarm->revision) &&
        item_set_bool(arena, item, TEXT("enabled"), alarm->enabled) && item_set_copy(arena, item, TEXT("config"), alarm->config);
    if (made && alarm->tags && alarm->tags->count)
        made = item_set_copy(arena, item, TEXT("tags"), alarm->tags) != NULL;
    if (made && alarm->declared.len)
        made = item_set_string(arena, item, TEXT("declared"), alarm->declared) != NULL;
    if (made && alarm->composite)
        made = item_set_string(arena, item, TEXT("suppressed"), alarm->suppressed) && item_set_i64(arena, item, TEXT("suppressedUntil"), alarm->suppressed_until_ms) &&
            item_set_string(arena, item, TEXT("acted"), text_of(watch_alarm_state_names[alarm->acted]));
    if (!made)
        return err_set(err, ERR_MEMORY, "out of memory");
    return store_put(tick_view(tick), table, item, 0, arena, &old, err);
}

int watch_alarm_each(struct store_view *view, struct text after, int (*visit)(void *context, const struct watch_alarm *alarm), void *context)
{
    const struct store_table *table = table_of(view->store);
    struct store_query query = {.table = table};
    struct store_cursor *cursor;
    struct arena arena, rows;
    struct err err = {0};
    int code = 0;
    if (!table)
        return 0;
    arena_init(&arena, 4096, SCAN_ARENA);
    arena_init(&rows, 16 << 10, SCAN_ARENA);
    if (after.len) {
        struct attr *key = item_create(&arena);
        if (!key || !item_set_string(&arena, key, TEXT("name"), after))
            code = ERR_MEMORY;
        query.after = key;
    }
    if (!code)
        code = store_query_open(view, &query, &arena, &cursor, &err);
    if (!code) {
        const struct attr *item;
        struct watch_alarm alarm;
        while (!(code = store_cursor_next(cursor, &rows, &item))) {
            code = read_item(item, &alarm);
            if (!code)
                code = visit(context, &alarm);
            if (code)
                break;
            arena_reset(&rows);
        }
        store_cursor_close(cursor);
    }
    arena_fini(&arena);
    arena_fini(&rows);
    return code == ERR_NOT_FOUND ? 0 : code;
}

/* ---- configurations ---- */

struct text watch_alarm_text(const struct watch_alarm *alarm, const char *member)
{
    const struct attr *attr = item_get_str(alarm->config, member);
    return attr && attr->type == ATTR_STRING ? attr->text : TEXT_NONE;
}

int64_t watch_alarm_integer(const struct watch_alarm *alarm, const char *member, int64_t otherwise)
{
    const struct attr *attr = item_get_str(alarm->config, member);
    int64_t value;
    return attr && attr_to_i64(attr, &value) == 0 ? value : otherwise;
}

double watch_alarm_real(const struct attr *map, const char *member, double otherwise)
{
    const struct attr *attr = item_get_str(map, member);
    char digits[256];
    if (!attr || attr->type != ATTR_NUMBER || attr->text.len >= sizeof(digits))
        return otherwise;
    memcpy(digits, attr->text.data, attr->text.len);
    digits[attr->text.len] = 0;
    return strtod(digits, NULL);
}

static void write_time(struct json_writer *w, const char *name, int64_t ms)
{
    char digits[40];
    json_name(w, name);
    snprintf(digits, sizeof(digits), "%lld.%03lld", (long long)(ms / 1000), (long long)(ms % 1000));
    json_number_text(w, text_of(digits));
}

static void write_suppression(struct json_writer *w, const struct watch_alarm *alarm)
{
    if (!alarm->suppressed.len)
        return;
    json_name(w, "ActionsSuppressedBy");
    json_text(w, alarm->suppressed);
    json_name(w, "ActionsSuppressedReason");
    json_str(w, text_is(alarm->suppressed, "WaitPeriod") ? "Actions suppressed by WaitPeriod" : text_is(alarm->suppressed, "ExtensionPeriod") ? "Actions suppressed by ExtensionPeriod"
                                                                                                                          : "Actions suppressed by the suppressor alarm");
}

void watch_alarm_write(struct json_writer *w, const struct watch_alarm_house *house, const struct watch_alarm *alarm)
{
    struct buf arn;
    buf_init(&arn, 2048);
    watch_alarm_arn(&arn, house, alarm->name);
    json_name(w, "AlarmName");
    json_text(w, alarm->name);
    json_name(w, "AlarmArn");
    json_text(w, buf_text(&arn));
    buf_fini(&arn);
    for (const struct attr *at = alarm->config->first; at; at = at->next) {
        json_name_text(w, at->name);
        attr_to_plain(w, at);
    }
    json_name(w, "ActionsEnabled");
    json_bool(w, alarm->enabled);
    write_time(w, "AlarmConfigurationUpdatedTimestamp", alarm->configured_ms);
    json_name(w, "StateValue");
    json_str(w, watch_alarm_state_names[alarm->state]);
    json_name(w, "StateReason");
    json_text(w, alarm->reason);
    if (alarm->reason_data.len) {
        json_name(w, "StateReasonData");
        json_text(w, alarm->reason_data);
    }
    write_time(w, "StateUpdatedTimestamp", alarm->updated_ms);
    write_time(w, "StateTransitionedTimestamp", alarm->transitioned_ms);
    if (alarm->composite)
        write_suppression(w, alarm);
}

/* ---- who stands on whom ---- */

#define LINK_MAX (3 + 2 * WATCH_ALARM_NAME_MAX)

static struct text link_key(char out[LINK_MAX], char kind, struct text of, struct text parent)
{
    size_t len = of.len < WATCH_ALARM_NAME_MAX ? of.len : WATCH_ALARM_NAME_MAX, more = parent.len < WATCH_ALARM_NAME_MAX ? parent.len : WATCH_ALARM_NAME_MAX;
    out[0] = kind;
    if (len)
        memcpy(out + 1, of.data, len);
    out[1 + len] = 0;
    if (more)
        memcpy(out + 2 + len, parent.data, more);
    return text_make(out, 2 + len + more);
}

struct parents {
    struct arena *arena;
    struct text prefix;
    int (*visit)(void *context, struct text parent);
    void *context;
};

static int on_parent(void *context, struct text key, struct text value)
{
    struct parents *parents = context;
    (void)value;
    if (!text_starts(key, parents->prefix))
        return WALK_ENDS;
    return parents->visit(parents->context, text_make(key.data + parents->prefix.len, key.len - parents->prefix.len));
}

int watch_alarm_parents(struct store_view *view, struct arena *arena, char kind, struct text name, int (*visit)(void *context, struct text parent), void *context)
{
    char key[LINK_MAX];
    struct parents parents = {.arena = arena, .prefix = link_key(key, kind, name, TEXT_NONE), .visit = visit, .context = context};
    int code = store_raw_scan(view, STORE_SPACE_ALARMS, parents.prefix, arena, on_parent, &parents);
    return code == WALK_ENDS ? 0 : code;
}

struct linking {
    struct tick *tick;
    struct text parent;
    bool remove;
};

static int on_link(void *context, struct text child)
{
    struct linking *linking = context;
    char key[LINK_MAX];
    struct text at = link_key(key, 'p', child, linking->parent);
    return linking->remove ? store_raw_delete(tick_stage(linking->tick), STORE_SPACE_ALARMS, at) : store_raw_put(tick_stage(linking->tick), STORE_SPACE_ALARMS, at, TEXT(""));
}

static struct text suppressor_of(const struct watch_alarm *alarm)
{
    return watch_alarm_of_arn(watch_alarm_text(alarm, "ActionsSuppressor"));
}

/* Writes or removes the rows of a composite alarm's rule and suppressor. */
static int link_all(struct tick *tick, struct arena *arena, const struct watch_alarm *alarm, bool remove)
{
    const struct watch_rule *rule;
    struct linking linking = {tick, alarm->name, remove};
    struct text suppressor = suppressor_of(alarm);
    char key[LINK_MAX];
    int code = watch_rule_parse(arena, watch_alarm_text(alarm, "AlarmRule"), &rule, NULL);
    if (!code)
        code = watch_rule_names(rule, on_link, &linking);
    if (code || !suppressor.len)
        return code;
    struct text at = link_key(key, 's', suppressor, alarm->name);
    return remove ? store_raw_delete(tick_stage(tick), STORE_SPACE_ALARMS, at) : store_raw_put(tick_stage(tick), STORE_SPACE_ALARMS, at, TEXT(""));
}

/* ---- rules that may stand ---- */

struct checking {
    struct tick *tick;
    struct arena *arena;
    struct text name;      /* of the alarm that is put */
    unsigned level;
    size_t looked_at;
    struct err *err;
};

#define CHECK_MAX 10000 /* alarms that a check looks at */

static int on_below(void *context, struct text child)
{
    struct checking *checking = context;
    const struct watch_rule *rule;
    struct watch_alarm alarm;
    if (text_equal(child, checking->name))
        return err_set(checking->err, ERR_INVALID, "The alarm rule leads back to the alarm itself: %.*s", TEXT_FMT(checking->name));
    if (checking->level >= WATCH_ALARM_LEVELS_MAX || ++checking->looked_at > CHECK_MAX)
        return err_set(checking->err, ERR_INVALID, "Composite alarms stand on each other at most %d levels deep", WATCH_ALARM_LEVELS_MAX);
    int code = watch_alarm_get(tick_view(checking->tick), checking->arena, child, &alarm);
    if (code == ERR_NOT_FOUND)
        return err_set(checking->err, code, "Could not save the composite alarm as alarms [%.*s] in the alarm rule do not exist", TEXT_FMT(child));
    if (code || !alarm.composite)
        return code;
    code = watch_rule_parse(checking->arena, watch_alarm_text(&alarm, "AlarmRule"), &rule, checking->err);
    checking->level++;
    if (!code)
        code = watch_rule_names(rule, on_below, checking);
    checking->level--;
    return code;
}

static int check_composite(struct tick *tick, struct arena *arena, const struct watch_alarm *alarm, struct err *err)
{
    struct checking checking = {.tick = tick, .arena = arena, .name = alarm->name, .err = err};
    struct text suppressor = suppressor_of(alarm);
    struct watch_alarm found;
    const struct watch_rule *rule;
    int code = watch_rule_parse(arena, watch_alarm_text(alarm, "AlarmRule"), &rule, err);
    if (code)
        return code == ERR_MEMORY ? code : ERR_INVALID;
    code = watch_rule_names(rule, on_below, &checking);
    if (code || !suppressor.len)
        return code;
    if (text_equal(suppressor, alarm->name))
        return err_set(err, ERR_INVALID, "An alarm does not suppress its own actions: %.*s", TEXT_FMT(suppressor));
    code = watch_alarm_get(tick_view(tick), arena, suppressor, &found);
    return code == ERR_NOT_FOUND ? err_set(err, code, "Could not save the composite alarm as its suppressor %.*s does not exist", TEXT_FMT(suppressor)) : code;
}

/* ---- events of the configuration ---- */

/* The history spells members as Java's beans do: alarmName, and okactions. */
static void write_bean_name(struct json_writer *w, struct text name)
{
    char bean[80];
    size_t len = name.len < sizeof(bean) ? name.len : sizeof(bean), low = text_is(name, "OKActions") ? 3 : 1;
    for (size_t i = 0; i < len; i++)
        bean[i] = i < low && name.data[i] >= 'A' && name.data[i] <= 'Z' ? (char)(name.data[i] + 32) : name.data[i];
    json_name_text(w, text_make(bean, len));
}

static void write_bean(struct json_writer *w, const struct json *json)
{
    double seconds;
    char iso[CLOCK_ISO_SIZE], text[40];
    bool time = json->name.len > 9 && memcmp(json->name.data + json->name.len - 9, "Timestamp", 9) == 0;
    if (time && json_to_double(json, &seconds) == 0) {
        clock_format_iso(llround(seconds * 1000), iso);
        snprintf(text, sizeof(text), "%.23s+0000", iso);
        json_str(w, text);
    } else if (json->type == JSON_OBJECT) {
        json_begin_object(w);
        for (const struct json *at = json->first; at; at = at->next) {
            write_bean_name(w, at->name);
            write_bean(w, at);
        }
        json_end_object(w);
    } else if (json->type == JSON_ARRAY) {
        json_begin_array(w);
        for (const struct json *at = json->first; at; at = at->next)
            write_bean(w, at);
        json_end_array(w);
    } else {
        json_value(w, json);
    }
}

static int write_alarm_bean(struct json_writer *w, const struct watch_alarm_house *house, struct arena *arena, const struct watch_alarm *alarm)
{
    struct buf plain;
    struct json_writer own;
    const struct json *root;
    buf_init(&plain, 1 << 20);
    json_writer_init(&own, &plain);
    json_begin_object(&own);
    watch_alarm_write(&own, house, alarm);
    json_end_object(&own);
    int code = plain.failed ? ERR_MEMORY : json_parse(arena, buf_text(&plain), JSON_COPY, &root, NULL);
    if (!code)
        write_bean(w, root);
    buf_fini(&plain);
    return code;
}

static int add_event(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, const struct watch_alarm *alarm, const char *what, const char *done)
{
    struct buf data;
    struct json_writer w;
    char member[32];
    int bean = 0;
    snprintf(member, sizeof(member), "%sAlarm", done);
    buf_init(&data, WATCH_ALARM_HISTORY_DATA_MAX);
    for (int whole = 1; whole >= 0; whole--) { /* what does not fit is told without the alarm */
        buf_clear(&data);
        json_writer_init(&w, &data);
        json_begin_object(&w);
        json_name(&w, "version");
        json_str(&w, "1.0");
        json_name(&w, "type");
        json_str(&w, what);
        if (whole) {
            json_name(&w, member);
            bean = write_alarm_bean(&w, house, arena, alarm);
        }
        json_end_object(&w);
        if (!data.failed || bean)
            break;
    }
    struct watch_alarm_event event = {.alarm = alarm->name, .composite = alarm->composite, .type = TEXT("ConfigurationUpdate"),
        .summary = arena_format(arena, "Alarm \"%.*s\" %s", TEXT_FMT(alarm->name), done), .data = buf_text(&data)};
    if (event.summary.len > 255)
        event.summary = arena_format(arena, "Alarm %s", done);
    int code = bean || data.failed || !event.summary.data ? ERR_MEMORY : watch_alarm_event_add(tick, arena, &event);
    buf_fini(&data);
    return code;
}

/* ---- putting ---- */

static int begin_new(struct tick *tick, const struct watch_alarm_spec *spec, struct watch_alarm *alarm, struct err *err)
{
    int64_t now_ms = tick_now_ms(tick);
    if (store_table_count(table_of(tick_view(tick)->store)) >= WATCH_ALARMS_MAX)
        return err_set(err, ERR_FULL, "The maximum limit exceeded: there are %d alarms", WATCH_ALARMS_MAX);
    *alarm = (struct watch_alarm){.name = spec->name, .composite = spec->composite, .state = WATCH_ALARM_INSUFFICIENT, .reason = TEXT(INITIAL_REASON), .reason_data = TEXT(""),
        .updated_ms = now_ms, .transitioned_ms = now_ms, .made_ms = now_ms, .tags = spec->tags, .suppressed = TEXT(""), .acted = WATCH_ALARM_INSUFFICIENT};
    return 0;
}

int watch_alarm_put(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, const struct watch_alarm_spec *spec, struct err *err)
{
    struct watch_alarm alarm;
    int code = watch_alarm_get(tick_view(tick), arena, spec->name, &alarm);
    bool created = code == ERR_NOT_FOUND;
    if (created)
        code = begin_new(tick, spec, &alarm, err);
    else if (!code && alarm.composite != spec->composite)
        code = err_set(err, ERR_INVALID, "The name %.*s is that of a %s alarm", TEXT_FMT(spec->name), alarm.composite ? "composite" : "metric");
    if (!code && !created && alarm.composite)
        code = link_all(tick, arena, &alarm, true);
    if (code)
        return code;
    alarm.config = spec->config;
    alarm.enabled = spec->enabled;
    alarm.configured_ms = tick_now_ms(tick);
    alarm.revision = (int64_t)tick_sequence(tick); /* also another one than that of an earlier alarm of this name */
    if (spec->declared.len)
        alarm.declared = spec->declared;
    if (alarm.composite)
        code = check_composite(tick, arena, &alarm, err);
    if (!code && alarm.composite)
        code = link_all(tick, arena, &alarm, false);
    if (!code)
        code = watch_alarm_store(tick, arena, &alarm, err);
    if (!code)
        code = add_event(house, tick, arena, &alarm, created ? "Create" : "Update", created ? "created" : "updated");
    return code || !alarm.composite ? code : watch_alarm_look(house, tick, arena, &alarm, TEXT_NONE, created);
}

int watch_alarm_enable(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, struct text name, bool enabled, struct err *err)
{
    struct watch_alarm alarm;
    int code = watch_alarm_get(tick_view(tick), arena, name, &alarm);
    if (code || alarm.enabled == enabled)
        return code;
    alarm.enabled = enabled;
    alarm.configured_ms = tick_now_ms(tick);
    code = watch_alarm_store(tick, arena, &alarm, err);
    return code ? code : add_event(house, tick, arena, &alarm, "Update", "updated");
}

int watch_alarm_set_tags(struct tick *tick, struct arena *arena, const struct watch_alarm *alarm, const struct attr *tags, struct err *err)
{
    struct watch_alarm changed = *alarm;
    changed.tags = tags;
    return watch_alarm_store(tick, arena, &changed, err);
}

/* ---- deleting ---- */

struct leaving {
    const struct text *names;
    size_t count;
    struct text child;
    struct err *err;
};

static int on_dependant(void *context, struct text parent)
{
    struct leaving *leaving = context;
    for (size_t i = 0; i < leaving->count; i++)
        if (text_equal(leaving->names[i], parent))
            return 0;
    return err_set(leaving->err, ERR_CONDITION, "Alarm %.*s cannot be deleted as it is used by the composite alarm %.*s", TEXT_FMT(leaving->child), TEXT_FMT(parent));
}

static int delete_one(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, const struct watch_alarm *alarm, struct err *err)
{
    const struct store_table *table = table_of(tick_view(tick)->store);
    struct attr *key = item_create(arena);
    const struct attr *old;
    if (!key || !item_set_string(arena, key, TEXT("name"), alarm->name))
        return ERR_MEMORY;
    int code = alarm->composite ? link_all(tick, arena, alarm, true) : 0;
    if (!code)
        code = store_delete(tick_view(tick), table, key, 0, arena, &old, err);
    return code ? code : add_event(house, tick, arena, alarm, "Delete", "deleted");
}

int watch_alarm_delete(const struct watch_alarm_house *house, struct tick *tick, struct arena *arena, const struct text *names, size_t count, struct err *err)
{
    struct watch_alarm alarm;
    int code = 0;
    for (size_t i = 0; i < count && !code; i++) {
        struct leaving leaving = {.names = names, .count = count, .child = names[i], .err = err};
        code = watch_alarm_get(tick_view(tick), arena, names[i], &alarm);
        if (!code)
            code = watch_alarm_parents(tick_view(tick), arena, 'p', names[i], on_dependant, &leaving);
        if (!code)
            code = watch_alarm_parents(tick_view(tick), arena, 's', names[i], on_dependant, &leaving);
    }
    for (size_t i = 0; i < count && !code; i++) {
        code = watch_alarm_get(tick_view(tick), arena, names[i], &alarm);
        code = code == ERR_NOT_FOUND ? 0 : code ? code : delete_one(house, tick, arena, &alarm, err); /* named twice */
    }
    return code;
}
