/*
 * Log events that arrived within a window, group by group. Groups are read in the order of the events' own times, so an event is looked for from GW_OTLP_LATE_MS before the window on,
 * and taken when it arrived in it. A page ends when it is full; the next one goes on in that group, behind that event.
 */
#include "gateway/otlp.h"

#include "base/clock.h"
#include "base/cursor.h"
#include "watch/log.h"

#define GROUPS_AT_ONCE 256
#define MESSAGE_CUT 65536 /* bytes of a message that leave; the rest stays in the group */

struct reading {
    struct store_view *view;
    struct gw_otlp_page *page;
    struct json_writer w;
    struct arena arena;
    const struct watch_log_group *group;
    bool begun, in_scope;
};

/* ---- one event ---- */

struct level {
    const char *name, *text;
    int number; /* OTLP's severity */
};
static const struct level levels[] = {{"TRACE", "TRACE", 1}, {"DEBUG", "DEBUG", 5}, {"INFO", "INFO", 9}, {"WARN", "WARN", 13}, {"WARNING", "WARN", 13}, {"ERROR", "ERROR", 17},
    {"FATAL", "FATAL", 21}};

/* What a line says of itself, when it is JSON as weir's own lines are. */
static void write_said(struct json_writer *w, struct arena *arena, struct text message, struct text *correlation)
{
    const struct json *root = NULL;
    if (!message.len || message.data[0] != '{' || json_parse(arena, message, JSON_COPY, &root, NULL))
        return;
    const struct json *level = json_get_str(root, "level"), *id = json_get_str(root, "correlationId");
    for (size_t i = 0; json_is(level, JSON_STRING) && i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (!text_equal_nocase(level->text, text_of(levels[i].name)))
            continue;
        json_name(w, "severityNumber");
        json_i64(w, levels[i].number);
        json_name(w, "severityText");
        json_str(w, levels[i].text);
        break;
    }
    if (json_is(id, JSON_STRING))
        *correlation = id->text;
}

static void write_names(struct json_writer *w, const char *key, struct text name)
{
    json_begin_object(w);
    json_name(w, "key");
    json_str(w, key);
    json_name(w, "value");
    json_begin_object(w);
    json_name(w, "arrayValue");
    json_begin_object(w);
    json_name(w, "values");
    json_begin_array(w);
    json_begin_object(w);
    json_name(w, "stringValue");
    json_text(w, name);
    json_end_object(w);
    json_end_array(w);
    json_end_object(w);
    json_end_object(w);
    json_end_object(w);
}

static void write_event(struct reading *r, const struct watch_log_event *event)
{
    struct json_writer *w = &r->w;
    struct text correlation = TEXT_NONE;
    json_begin_object(w);
    gw_otlp_u64(w, "timeUnixNano", (uint64_t)event->place.time_ms * UINT64_C(1000000));
    gw_otlp_u64(w, "observedTimeUnixNano", (uint64_t)event->ingested_ms * UINT64_C(1000000));
    write_said(w, &r->arena, event->message, &correlation);
    json_name(w, "body");
    json_begin_object(w);
    json_name(w, "stringValue");
    json_text(w, text_make(event->message.data, event->message.len < MESSAGE_CUT ? event->message.len : MESSAGE_CUT)); /* half a character becomes U+FFFD */
    json_end_object(w);
    json_name(w, "attributes");
    json_begin_array(w);
    write_names(w, "aws.log.group.names", r->group->name);
    write_names(w, "aws.log.stream.names", event->stream);
    if (correlation.len)
        gw_otlp_attribute(w, "correlation.id", correlation);
    json_end_array(w);
    json_end_object(w);
}

/* ---- pages ---- */

static void begin(struct reading *r)
{
    struct json_writer *w = &r->w;
    r->begun = true;
    json_begin_object(w);
    json_name(w, "resourceLogs");
    json_begin_array(w);
    json_begin_object(w);
    gw_otlp_resource(w, r->page->config->environment);
    json_name(w, "scopeLogs");
    json_begin_array(w);
    json_begin_object(w);
    json_name(w, "scope");
    json_begin_object(w);
    json_name(w, "name");
    json_str(w, "weir.logs");
    json_end_object(w);
    json_name(w, "logRecords");
    json_begin_array(w);
}

static void end(struct reading *r)
{
    if (!r->begun)
        return;
    json_end_array(&r->w);
    json_end_object(&r->w);
    json_end_array(&r->w);
    json_end_object(&r->w);
    json_end_array(&r->w);
    json_end_object(&r->w);
}

static int match(void *context, const struct watch_log_event *event)
{
    const struct gw_otlp_page *page = ((struct reading *)context)->page;
    return event->ingested_ms > page->from_ms && event->ingested_ms <= page->to_ms;
}

static int visit(void *context, const struct watch_log_event *event)
{
    struct reading *r = context;
    struct arena_mark mark = arena_mark(&r->arena);
    if (!r->begun)
        begin(r);
    write_event(r, event);
    r->page->count++;
    arena_rewind(&r->arena, mark);
    return 0;
}

/* place: the group's name, then, when it was begun, where it goes on */
static void keep_place(struct gw_otlp_page *page, struct text group, const struct watch_log_place *after)
{
    buf_clear(&page->place);
    buf_add_bytes(&page->place, group);
    if (!after)
        return;
    buf_add_be64(&page->place, (uint64_t)after->time_ms);
    buf_add_be64(&page->place, after->sequence);
    buf_add_be64(&page->place, (uint64_t)after->call << 32 | after->index);
}

static bool take_place(struct cursor *c, struct watch_log_place *after)
{
    if (!cursor_left(c))
        return false;
    after->time_ms = (int64_t)cursor_be64(c);
    after->sequence = cursor_be64(c);
    uint64_t both = cursor_be64(c);
    after->call = (uint32_t)(both >> 32);
    after->index = (uint32_t)both;
    return !c->failed;
}

static int read_group(struct reading *r, const struct watch_log_group *group, struct watch_log_place *after, bool *whole)
{
    struct gw_otlp_page *page = r->page;
    struct watch_log_scan scan = {.group = group, .from_ms = page->from_ms - GW_OTLP_LATE_MS, .to_ms = page->to_ms + WATCH_LOG_FUTURE_MS, .now_ms = page->now_ms,
        .order = WATCH_LOG_FORWARD, .events_max = 2000, .bytes_max = (GW_OTLP_BODY_MAX - page->body.len) / 8, .match = match, .visit = visit, .context = r};
    if (after) {
        scan.after_set = true;
        scan.after = *after;
    }
    r->group = group;
    int code = watch_log_scan(r->view, &scan);
    *whole = scan.at_end;
    if (!code && !scan.at_end)
        keep_place(page, group->name, &scan.next);
    return code;
}

struct names {
    struct arena *arena;
    struct watch_log_group group[GROUPS_AT_ONCE];
    size_t count;
};

static int collect(void *context, const struct watch_log_group *group)
{
    struct names *names = context;
    struct watch_log_group *to = &names->group[names->count];
    *to = *group;
    to->name = arena_copy(names->arena, group->name);
    to->tag = NULL;
    to->tags = 0;
    if (!to->name.data)
        return ERR_MEMORY;
    return ++names->count == GROUPS_AT_ONCE;
}

static int read_groups(struct reading *r, struct names *names)
{
    struct gw_otlp_page *page = r->page;
    struct cursor c = cursor_of(buf_text(&page->place));
    struct watch_log_place after;
    struct text from = page->place.len ? arena_copy(&r->arena, cursor_bytes(&c)) : TEXT("");
    bool inside = page->place.len && take_place(&c, &after), whole = true;
    int code = from.data ? watch_log_group_each(r->view, &r->arena, TEXT(""), from, collect, names) : ERR_MEMORY;
    for (size_t i = 0; i < names->count && code >= 0; i++) {
        bool same = text_equal(names->group[i].name, from);
        if (page->place.len && same && !inside)
            continue; /* it was the last one of a page that took it whole */
        if (page->body.len > GW_OTLP_BODY_FULL) {
            page->more = true;
            return 0;
        }
        int failed = read_group(r, &names->group[i], same && inside ? &after : NULL, &whole);
        if (failed)
            return failed;
        if (!whole) {
            page->more = true;
            return 0;
        }
        keep_place(page, names->group[i].name, NULL);
        from = TEXT("");
    }
    page->more = code > 0;
    return code < 0 ? code : 0;
}

int gw_otlp_read_logs(struct store_view *view, struct gw_otlp_page *page)
{
    struct reading r = {.view = view, .page = page};
    page->more = false;
    json_writer_init(&r.w, &page->body);
    arena_init(&r.arena, 64 << 10, 64 << 20);
    struct names *names = arena_zalloc(&r.arena, sizeof(*names));
    int code = ERR_MEMORY;
    if (names) {
        names->arena = &r.arena;
        code = read_groups(&r, names);
    }
    end(&r);
    arena_fini(&r.arena);
    return !code && page->body.failed ? ERR_MEMORY : code;
}
