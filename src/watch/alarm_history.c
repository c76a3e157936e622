/*
 * What has happened to alarms: rows in the order of their ids, which is that of time, and a second row for each alarm's own order. An alarm keeps its newest
 * WATCH_ALARM_HISTORY_MAX events, all of them together WATCH_ALARM_HISTORY_ALL_MAX, none for longer than WATCH_ALARM_HISTORY_MS; those of an alarm that was deleted stay as long.
 */
#include "watch/alarm.h"

#include "base/cursor.h"
#include "base/log.h"
#include "store/key.h"
#include <stdio.h>

enum { ROW_VERSION = 1, WALK_ENDS = 0x5eed };
#define ROW_MAX (64u << 10)
#define KEY_MAX (1 + WATCH_ALARM_NAME_MAX + 1 + WATCH_ALARM_EVENT_ID)
#define SCAN_ARENA (4u << 20)

static struct text key_event(char out[KEY_MAX], struct text id)
{
    out[0] = 'e';
    if (id.len)
        memcpy(out + 1, id.data, id.len);
    return text_make(out, 1 + id.len);
}

static struct text key_alarm(char out[KEY_MAX], char kind, struct text alarm, struct text id)
{
    size_t len = alarm.len < WATCH_ALARM_NAME_MAX ? alarm.len : WATCH_ALARM_NAME_MAX;
    out[0] = kind;
    if (len)
        memcpy(out + 1, alarm.data, len);
    if (kind != 'a')
        return text_make(out, 1 + len);
    out[1 + len] = 0;
    if (id.len)
        memcpy(out + 2 + len, id.data, id.len);
    return text_make(out, 2 + len + id.len);
}

/* ---- numbers ---- */

static int count_read(struct store_view *view, struct arena *arena, struct text key, uint64_t *count)
{
    struct text value;
    *count = 0;
    int code = store_raw_get(view, STORE_SPACE_ALARMS, key, arena, &value);
    struct cursor c = cursor_of(code ? TEXT("") : value);
    if (!code)
        *count = cursor_be64(&c);
    return code == ERR_NOT_FOUND ? 0 : code;
}

static int count_add(struct tick *tick, struct arena *arena, struct text key, int64_t more, uint64_t *count)
{
    int code = count_read(tick_view(tick), arena, key, count);
    if (code)
        return code;
    *count = more < 0 && *count < (uint64_t)-more ? 0 : *count + (uint64_t)more;
    if (!*count)
        return store_raw_delete(tick_stage(tick), STORE_SPACE_ALARMS, key);
    struct buf value;
    buf_init(&value, 8);
    buf_add_be64(&value, *count);
    code = value.failed ? ERR_MEMORY : store_raw_put(tick_stage(tick), STORE_SPACE_ALARMS, key, buf_text(&value));
    buf_fini(&value);
    return code;
}

/* ---- rows ---- */

static int decode(struct text value, struct watch_alarm_event *event)
{
    struct cursor c = cursor_of(value);
    if (cursor_u8(&c) != ROW_VERSION)
        return ERR_CORRUPT;
    *event = (struct watch_alarm_event){.alarm = cursor_bytes(&c)};
    event->composite = cursor_u8(&c);
    event->time_ms = (int64_t)cursor_be64(&c);
    event->type = cursor_bytes(&c);
    event->summary = cursor_bytes(&c);
    event->data = cursor_bytes(&c);
    return c.failed ? ERR_CORRUPT : 0;
}

static int row_put(struct tick *tick, struct text id, const struct watch_alarm_event *event)
{
    char key[KEY_MAX];
    struct buf row;
    buf_init(&row, ROW_MAX);
    buf_add_u8(&row, ROW_VERSION);
    buf_add_bytes(&row, event->alarm);
    buf_add_u8(&row, event->composite);
    buf_add_be64(&row, (uint64_t)tick_now_ms(tick));
    buf_add_bytes(&row, event->type);
    buf_add_bytes(&row, event->summary);
    buf_add_bytes(&row, event->data);
    int code = row.failed ? ERR_MEMORY : store_raw_put(tick_stage(tick), STORE_SPACE_ALARMS, key_event(key, id), buf_text(&row));
    if (!code)
        code = store_raw_put(tick_stage(tick), STORE_SPACE_ALARMS, key_alarm(key, 'a', event->alarm, id), TEXT(""));
    buf_fini(&row);
    return code;
}

static int row_delete(struct tick *tick, struct arena *arena, struct text id, struct text alarm)
{
    char key[KEY_MAX];
    uint64_t count;
    int code = store_raw_delete(tick_stage(tick), STORE_SPACE_ALARMS, key_event(key, id));
    if (!code)
        code = store_raw_delete(tick_stage(tick), STORE_SPACE_ALARMS, key_alarm(key, 'a', alarm, id));
    if (!code)
        code = count_add(tick, arena, key_alarm(key, 'n', alarm, TEXT_NONE), -1, &count);
    return code ? code : count_add(tick, arena, TEXT("c"), -1, &count);
}

struct oldest {
    struct arena *arena;
    struct text prefix, id, alarm;
    int64_t time_ms;
    bool found;
};

static int on_oldest(void *context, struct text key, struct text value)
{
    struct oldest *oldest = context;
    struct watch_alarm_event event = {0};
    if (key.len != oldest->prefix.len + WATCH_ALARM_EVENT_ID || !text_starts(key, oldest->prefix))
        return WALK_ENDS;
    int code = oldest->prefix.len == 1 ? decode(value, &event) : 0;
    if (code)
        return code;
    oldest->id = arena_copy(oldest->arena, text_make(key.data + oldest->prefix.len, WATCH_ALARM_EVENT_ID));
    oldest->alarm = arena_copy(oldest->arena, event.alarm);
    oldest->time_ms = event.time_ms;
    oldest->found = oldest->id.data && oldest->alarm.data;
    return oldest->found ? WALK_ENDS : ERR_MEMORY;
}

static int find_oldest(struct tick *tick, struct arena *arena, struct text prefix, struct oldest *oldest)
{
    *oldest = (struct oldest){.arena = arena, .prefix = prefix};
    int code = store_raw_scan(tick_view(tick), STORE_SPACE_ALARMS, prefix, arena, on_oldest, oldest);
    return code == WALK_ENDS ? 0 : code;
}

int watch_alarm_event_add(struct tick *tick, struct arena *arena, const struct watch_alarm_event *event)
{
    char id[TICK_ID_TEXT + 1], key[KEY_MAX], prefix[KEY_MAX];
    uint64_t of_alarm, of_all;
    struct oldest oldest;
    tick_id(tick, id);
    int code = row_put(tick, text_of(id), event);
    if (!code)
        code = count_add(tick, arena, key_alarm(key, 'n', event->alarm, TEXT_NONE), 1, &of_alarm);
    if (!code)
        code = count_add(tick, arena, TEXT("c"), 1, &of_all);
    if (!code && of_alarm > WATCH_ALARM_HISTORY_MAX) {
        code = find_oldest(tick, arena, key_alarm(prefix, 'a', event->alarm, TEXT_NONE), &oldest);
        return code || !oldest.found ? code : row_delete(tick, arena, oldest.id, event->alarm);
    }
    if (!code && of_all > WATCH_ALARM_HISTORY_ALL_MAX) {
        code = find_oldest(tick, arena, TEXT("e"), &oldest);
        return code || !oldest.found ? code : row_delete(tick, arena, oldest.id, oldest.alarm);
    }
    return code;
}

int watch_alarm_event_sweep(struct tick *tick, struct arena *arena, size_t limit)
{
    int code = 0;
    struct oldest oldest = {.found = true};
    for (size_t i = 0; i < limit && !code && oldest.found; i++) {
        struct arena_mark mark = arena_mark(arena);
        code = find_oldest(tick, arena, TEXT("e"), &oldest);
        if (!code && oldest.found && oldest.time_ms > tick_now_ms(tick) - WATCH_ALARM_HISTORY_MS)
            oldest.found = false;
        if (!code && oldest.found)
            code = row_delete(tick, arena, oldest.id, oldest.alarm);
        arena_rewind(arena, mark);
    }
    return code;
}

/* ---- actions ---- */

int watch_alarm_acted(struct tick *tick, struct arena *arena, const struct watch_alarm_act *act)
{
    bool failed = act->outcome == WATCH_ALARM_FAILED;
    struct buf data;
    struct json_writer w;
    buf_init(&data, WATCH_ALARM_HISTORY_DATA_MAX);
    json_writer_init(&w, &data);
    json_begin_object(&w);
    json_name(&w, "actionState");
    json_str(&w, failed ? "Failed" : "Succeeded");
    json_name(&w, "notificationResource");
    json_text(&w, act->action);
    if (failed) {
        json_name(&w, "error");
        json_str(&w, act->why);
    }
    json_end_object(&w);
    struct text short_action = act->action;
    if (short_action.len > 200)
        short_action.len = 200;
    struct watch_alarm_event event = {.alarm = act->alarm, .composite = act->composite, .type = TEXT("Action"), .data = buf_text(&data),
        .summary = arena_format(arena, "%s action %.*s", failed ? "Failed to execute" : "Successfully executed", TEXT_FMT(short_action))};
    int code = data.failed || !event.summary.data ? ERR_MEMORY : watch_alarm_event_add(tick, arena, &event);
    buf_fini(&data);
    return code;
}

/* ---- reading ---- */

struct walk {
    struct store_view *view;
    struct arena *arena, *scan;  /* of the event at hand; of the walk */
    struct arena_mark mark, scan_mark;
    struct text prefix;
    bool by_alarm;
    struct text after;
    int (*visit)(void *context, struct text id, const struct watch_alarm_event *event);
    void *context;
};

static int on_event(void *context, struct text key, struct text value)
{
    struct walk *walk = context;
    struct watch_alarm_event event;
    char full[KEY_MAX];
    if (key.len != walk->prefix.len + WATCH_ALARM_EVENT_ID || !text_starts(key, walk->prefix))
        return WALK_ENDS;
    struct text id = text_make(key.data + walk->prefix.len, WATCH_ALARM_EVENT_ID);
    int code = 0;
    if (text_equal(id, walk->after))
        return 0;
    if (walk->by_alarm)
        code = store_raw_get(walk->view, STORE_SPACE_ALARMS, key_event(full, id), walk->arena, &value);
    if (!code)
        code = decode(value, &event);
    if (!code)
        code = walk->visit(walk->context, id, &event);
    arena_rewind(walk->arena, walk->mark);
    arena_rewind(walk->scan, walk->scan_mark);
    return code;
}

int watch_alarm_event_each(struct store_view *view, struct text alarm, struct text after, bool ascending,
    int (*visit)(void *context, struct text id, const struct watch_alarm_event *event), void *context)
{
    char prefix[KEY_MAX], from[KEY_MAX + 1];
    struct arena scan, rows;
    struct walk walk = {.view = view, .arena = &rows, .by_alarm = alarm.len > 0, .after = after, .visit = visit, .context = context};
    if (after.len && after.len != WATCH_ALARM_EVENT_ID)
        return ERR_SYNTAX;
    walk.prefix = alarm.len ? key_alarm(prefix, 'a', alarm, TEXT_NONE) : key_event(prefix, TEXT_NONE);
    struct text at = alarm.len ? key_alarm(from, 'a', alarm, after) : key_event(from, after);
    if (!ascending && !after.len) {
        from[at.len] = (char)0xff; /* ids are letters and digits */
        at.len++;
    }
    arena_init(&scan, 16 << 10, SCAN_ARENA);
    arena_init(&rows, 16 << 10, SCAN_ARENA);
    walk.mark = arena_mark(&rows);
    walk.scan = &scan;
    walk.scan_mark = arena_mark(&scan);
    int code = ascending ? store_raw_scan(view, STORE_SPACE_ALARMS, at, &scan, on_event, &walk) : store_raw_scan_back(view, STORE_SPACE_ALARMS, at, &scan, on_event, &walk);
    arena_fini(&scan);
    arena_fini(&rows);
    return code == WALK_ENDS ? 0 : code;
}
