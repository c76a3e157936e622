/*
 * What the Logs wire keeps beside its groups: destinations, saved queries, policies. Rows of a name and a JSON text, which is the wire's to understand.
 *
 *   STORE_SPACE_LOGS   'a' kind name  ->  JSON
 */
#include "watch/log_inside.h"

#define KEY_MAX (2 + WATCH_LOG_NAME_MAX)

struct each {
    struct text start; /* of the keys: 'a', kind, prefix of names */
    int (*visit)(void *context, struct text name, struct text value);
    void *context;
};

static struct text key_of(char out[KEY_MAX], enum watch_log_setting kind, struct text name)
{
    size_t len = name.len > WATCH_LOG_NAME_MAX ? WATCH_LOG_NAME_MAX : name.len;
    out[0] = 'a';
    out[1] = (char)kind;
    if (len)
        memcpy(out + 2, name.data, len);
    return text_make(out, 2 + len);
}

int watch_log_setting_put(struct tick *tick, enum watch_log_setting kind, struct text name, struct text value)
{
    char key[KEY_MAX];
    return name.len > WATCH_LOG_NAME_MAX ? ERR_TOO_LARGE : store_raw_put(tick_stage(tick), STORE_SPACE_LOGS, key_of(key, kind, name), value);
}

int watch_log_setting_delete(struct tick *tick, enum watch_log_setting kind, struct text name)
{
    char key[KEY_MAX];
    return store_raw_delete(tick_stage(tick), STORE_SPACE_LOGS, key_of(key, kind, name));
}

int watch_log_setting_get(struct store_view *view, struct arena *arena, enum watch_log_setting kind, struct text name, struct text *value)
{
    char key[KEY_MAX];
    return name.len > WATCH_LOG_NAME_MAX ? ERR_NOT_FOUND : store_raw_get(view, STORE_SPACE_LOGS, key_of(key, kind, name), arena, value);
}

static int on_row(void *context, struct text key, struct text value)
{
    struct each *each = context;
    if (!text_starts(key, each->start))
        return LOG_DONE;
    int code = each->visit(each->context, text_make(key.data + 2, key.len - 2), value);
    return code > 0 ? LOG_DONE : code;
}

int watch_log_setting_each(struct store_view *view, struct arena *arena, enum watch_log_setting kind, struct text prefix, struct text from,
    int (*visit)(void *context, struct text name, struct text value), void *context)
{
    char start[KEY_MAX], first[KEY_MAX];
    if (prefix.len > WATCH_LOG_NAME_MAX)
        return 0;
    struct each each = {key_of(start, kind, prefix), visit, context};
    int code = store_raw_scan(view, STORE_SPACE_LOGS, key_of(first, kind, text_compare(from, prefix) > 0 ? from : prefix), arena, on_row, &each);
    return code == LOG_DONE ? 0 : code;
}
