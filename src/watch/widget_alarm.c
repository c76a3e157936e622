/* Alarm widgets: the state of alarms as their items say it. Items are read by their attributes (alarm.h lists them), so an alarm that is not there, or is of a kind to come, is merely UNKNOWN. */
#include "watch/widget.h"

#include "watch/alarm.h"

static struct text name_of(struct text alarm)
{
    static const struct text mark = {":alarm:", 7};
    for (size_t i = 0; text_starts(alarm, TEXT("arn:")) && i + mark.len <= alarm.len; i++)
        if (text_starts(text_make(alarm.data + i, alarm.len - i), mark))
            return text_make(alarm.data + i + mark.len, alarm.len - i - mark.len);
    return alarm;
}

static int find_item(const struct widget_ask *ask, struct text name, const struct attr **item)
{
    const struct store_table *table = store_table_find(ask->view->store, TEXT(WATCH_ALARMS_TABLE));
    struct attr *key = item_create(ask->arena);
    *item = NULL;
    if (!key || !item_set_string(ask->arena, key, TEXT("name"), name))
        return ERR_MEMORY;
    int code = table && name.len ? store_get(ask->view, table, key, ask->arena, item) : ERR_NOT_FOUND;
    return code == ERR_NOT_FOUND || code == ERR_TYPE || code == ERR_INVALID || code == ERR_TOO_LARGE ? 0 : code;
}

static struct text text_in_item(const struct attr *item, const char *name)
{
    const struct attr *value = item ? item_get_str(item, name) : NULL;
    return value && value->type == ATTR_STRING ? value->text : TEXT_NONE;
}

static void write_alarm(struct json_writer *w, struct text alarm, struct text name, const struct attr *item)
{
    const struct attr *updated = item ? item_get_str(item, "updated") : NULL;
    struct text state = text_in_item(item, "state"), reason = text_in_item(item, "reason");
    int64_t updated_ms;
    json_begin_object(w);
    json_name(w, "arn");
    json_text(w, alarm);
    json_name(w, "name");
    json_text(w, name);
    json_name(w, "state");
    json_text(w, state.len ? state : TEXT("UNKNOWN"));
    json_name(w, "reason");
    json_text(w, item ? reason : TEXT("There is no alarm of this name."));
    if (updated && attr_to_i64(updated, &updated_ms) == 0) {
        json_name(w, "updated");
        json_i64(w, updated_ms);
    }
    json_end_object(w);
}

/* "states": only alarms in one of them. */
static bool is_wanted(const struct json *states, const struct attr *item)
{
    if (!json_is(states, JSON_ARRAY) || !states->count)
        return true;
    for (const struct json *state = states->first; state; state = state->next)
        if (state->type == JSON_STRING && text_equal(state->text, text_in_item(item, "state")))
            return true;
    return false;
}

int widget_alarm_write(const struct widget_ask *ask, const struct json *properties, struct json_writer *w)
{
    const struct json *alarms = json_get_str(properties, "alarms"), *states = json_get_str(properties, "states");
    int code = 0;
    size_t count = 0;
    json_name(w, "alarms");
    json_begin_array(w);
    for (const struct json *alarm = json_is(alarms, JSON_ARRAY) ? alarms->first : NULL; alarm && !code && count++ < DASHBOARD_ALARMS_MAX; alarm = alarm->next) {
        const struct attr *item;
        struct text name = alarm->type == JSON_STRING ? name_of(alarm->text) : TEXT_NONE;
        code = find_item(ask, name, &item);
        if (!code && name.len && is_wanted(states, item))
            write_alarm(w, alarm->text, name, item);
    }
    json_end_array(w);
    return code;
}
