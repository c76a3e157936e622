/*
 * The newest events of log groups, look by look.
 *
 * What is new is told by the commit that brought it and not by its time: an event's place names its tick, and a look takes what came after the snapshot of the last one. Times order
 * what is told. A look reads only the last minutes of a group (CONSOLE_TAIL_LATE_MS), so an event that is put with an older time is not seen here; it is in the group all the
 * same.
 */
#include "gateway/console.h"
#include "watch/log.h"
#include "watch/pattern.h"

#include <stdlib.h>

#define ARENA_MAX ((size_t)24 << 20)

/* ---- what is asked ---- */

int console_tail_read(const struct json *message, struct arena *arena, struct console_tail *tail, struct err *err)
{
    const struct json *groups = json_get_str(message, "groups"), *filter = json_get_str(message, "filter"), *after = json_get_str(message, "after");
    struct watch_pattern *pattern;
    int64_t sequence = 0;
    bool resumed = after && after->type != JSON_NULL;
    if (resumed && (json_to_i64(after, &sequence) || sequence < 0))
        return err_set(err, ERR_INVALID, "after is the sequence of the last events");
    *tail = (struct console_tail){.after = (uint64_t)sequence, .begun = resumed, .resumed = resumed};
    if (!json_is(groups, JSON_ARRAY) || !groups->count || groups->count > CONSOLE_GROUPS_MAX)
        return err_set(err, ERR_INVALID, "groups is a list of 1 to %d log groups", CONSOLE_GROUPS_MAX);
    for (const struct json *group = groups->first; group; group = group->next) {
        struct text name = group->type == JSON_STRING ? group->text : TEXT_NONE;
        bool prefix = name.len && name.data[name.len - 1] == '*';
        struct text plain = text_make(name.data, name.len - prefix);
        if (!name.len || (plain.len && !watch_log_group_name_valid(plain)))
            return err_set(err, ERR_INVALID, "a log group is its name, or the beginning of names and '*'");
        tail->group[tail->groups++] = name;
    }
    if (filter && filter->type != JSON_NULL && filter->type != JSON_STRING)
        return err_set(err, ERR_INVALID, "filter is a text");
    tail->filter = json_is(filter, JSON_STRING) ? filter->text : TEXT_NONE;
    int code = tail->filter.len ? watch_pattern_parse(arena, tail->filter, &pattern, err) : 0;
    return code == ERR_SYNTAX || code == ERR_TOO_LARGE ? ERR_INVALID : code;
}

/* ---- events ---- */

struct event {
    struct watch_log_place place;
    struct text group, stream, message;
    bool cut;
};
struct looking {
    const struct console_tail *tail;
    struct store_view *view;
    struct arena *arena, scratch;
    struct watch_pattern *pattern; /* NULL: everything */
    struct text group;             /* the one that is read */
    struct event *event;
    size_t count, room;
    size_t groups;
    int64_t dropped, end_ms;       /* end: monotonic */
    int code;
};

static int on_match(void *context, const struct watch_log_event *event)
{
    struct looking *looking = context;
    if (looking->tail->begun && event->place.sequence <= looking->tail->after)
        return 0;
    return looking->pattern ? watch_pattern_match(looking->pattern, event->message, &looking->scratch) : 1;
}

/* The end of a message within the bound, whole characters. */
static size_t cut_at(struct text message)
{
    size_t len = message.len < CONSOLE_TAIL_MESSAGE ? message.len : CONSOLE_TAIL_MESSAGE;
    while (len && len < message.len && ((unsigned char)message.data[len] & 0xC0) == 0x80)
        len--;
    return len;
}

static int on_event(void *context, const struct watch_log_event *event)
{
    struct looking *looking = context;
    size_t len = cut_at(event->message);
    if (looking->count == looking->room) {
        looking->dropped++;
        return 0;
    }
    struct event *kept = &looking->event[looking->count];
    *kept = (struct event){.place = event->place, .group = looking->group, .stream = arena_copy(looking->arena, event->stream),
        .message = arena_copy(looking->arena, text_make(event->message.data, len)), .cut = len < event->message.len};
    if (!kept->stream.data || !kept->message.data)
        return ERR_MEMORY;
    looking->count++;
    return 0;
}

static int look_group(struct looking *looking, const struct watch_log_group *group)
{
    int64_t now_ms = clock_wall_ms(), left = looking->end_ms - clock_mono_ms();
    bool begun = looking->tail->begun, near = begun && !looking->tail->resumed;
    struct watch_log_scan scan = {.group = group, .from_ms = now_ms - (near ? CONSOLE_TAIL_LATE_MS : CONSOLE_TAIL_BACK_MS), .to_ms = now_ms + WATCH_LOG_FUTURE_MS, .now_ms = now_ms,
        .order = near ? WATCH_LOG_FORWARD : WATCH_LOG_BACKWARD, .events_max = begun ? 2 * CONSOLE_TAIL_EVENTS : CONSOLE_TAIL_FIRST, .bytes_max = 4 << 20,
        .read_max = CONSOLE_TAIL_BYTES, .time_max_ms = left > 0 ? left : 1, .match = on_match, .visit = on_event, .context = looking};
    looking->group = arena_copy(looking->arena, group->name);
    if (!looking->group.data)
        return ERR_MEMORY;
    int code = watch_log_scan(looking->view, &scan);
    return code < 0 ? code : 0;
}

static int on_group(void *context, const struct watch_log_group *group)
{
    struct looking *looking = context;
    if (looking->groups++ == CONSOLE_TAILED_MAX)
        return 1;
    looking->code = look_group(looking, group);
    return looking->code ? 1 : 0;
}

struct matching {
    struct looking *looking;
    struct text prefix;
};

static int on_prefixed(void *context, const struct watch_log_group *group)
{
    struct matching *matching = context;
    return text_starts(group->name, matching->prefix) ? on_group(matching->looking, group) : 0;
}

/* A group that is not there yet has no events. */
static int look_name(struct looking *looking, struct text name)
{
    struct watch_log_group group;
    struct arena arena;
    int code = 0;
    arena_init(&arena, 4096, 4 << 20);
    if (name.data[name.len - 1] == '*') {
        struct matching matching = {looking, text_make(name.data, name.len - 1)};
        code = watch_log_group_each(looking->view, &arena, matching.prefix, TEXT(""), on_prefixed, &matching);
        code = code < 0 ? code : looking->code;
    } else {
        code = watch_log_group_get(looking->view, &arena, name, &group);
        code = code ? code : on_group(looking, &group) ? looking->code : 0;
    }
    arena_fini(&arena);
    return code == ERR_NOT_FOUND ? 0 : code;
}

static int by_place(const void *a, const void *b)
{
    return watch_log_place_compare(&((const struct event *)a)->place, &((const struct event *)b)->place);
}

static void write_event(struct json_writer *w, const struct event *event)
{
    char id[WATCH_LOG_ID_TEXT + 1];
    watch_log_id_format(&event->place, id);
    json_begin_object(w);
    json_name(w, "time");
    json_i64(w, event->place.time_ms);
    json_name(w, "group");
    json_text(w, event->group);
    json_name(w, "stream");
    json_text(w, event->stream);
    json_name(w, "message");
    json_text(w, event->message);
    json_name(w, "eventId");
    json_str(w, id);
    if (event->cut) {
        json_name(w, "cut");
        json_bool(w, true);
    }
    json_end_object(w);
}

static void write_events(struct looking *looking, struct console_shown *shown)
{
    size_t most = shown->first ? CONSOLE_TAIL_FIRST : CONSOLE_TAIL_EVENTS, skip;
    struct json_writer w;
    if (looking->count)
        qsort(looking->event, looking->count, sizeof(*looking->event), by_place);
    skip = looking->count > most ? looking->count - most : 0; /* the newest stay */
    shown->dropped = shown->first ? 0 : looking->dropped + (int64_t)skip;
    json_writer_init(&w, &shown->json);
    json_begin_array(&w);
    for (size_t i = skip; i < looking->count; i++)
        write_event(&w, &looking->event[i]);
    json_end_array(&w);
}

void console_tail_look(struct store_view *view, const struct console_tail *asked, struct console_shown *shown)
{
    struct arena arena;
    struct console_tail own = *asked, *tail = &own;
    if (tail->after > store_snapshot_sequence(view->snapshot)) /* a place of another folder: from the beginning */
        tail->begun = tail->resumed = false;
    struct looking looking = {.tail = tail, .view = view, .arena = &arena, .end_ms = clock_mono_ms() + CONSOLE_TAIL_MS, .room = 4 * CONSOLE_TAIL_EVENTS};
    shown->sequence = store_snapshot_sequence(view->snapshot);
    shown->first = !tail->begun;
    arena_init(&arena, 64 << 10, ARENA_MAX);
    arena_init(&looking.scratch, 4096, 4 << 20);
    if (!shown->first && shown->sequence == tail->after) {
        write_events(&looking, shown);
    } else {
        looking.event = arena_array(&arena, looking.room, sizeof(*looking.event));
        int code = looking.event ? tail->filter.len ? watch_pattern_parse(&arena, tail->filter, &looking.pattern, &shown->err) : 0 : ERR_MEMORY;
        for (size_t i = 0; i < tail->groups && !code; i++)
            code = look_name(&looking, tail->group[i]);
        write_events(&looking, shown);
        shown->code = code;
        if (code)
            err_set(&shown->err, code, "%s", err_text(code));
    }
    arena_fini(&looking.scratch);
    arena_fini(&arena);
}

/* ---- their names ---- */

struct listing {
    struct json_writer *w;
    struct text prefix;
    size_t count;
    bool more;
};

static int on_listed(void *context, const struct watch_log_group *group)
{
    struct listing *listing = context;
    if (!text_starts(group->name, listing->prefix))
        return 0;
    listing->more = listing->count == CONSOLE_LISTED_MAX;
    if (listing->more)
        return 1;
    json_text(listing->w, group->name);
    listing->count++;
    return 0;
}

/* The members of the answer, without braces. */
void console_groups_look(struct store_view *view, struct text prefix, struct console_shown *shown)
{
    struct arena arena;
    struct json_writer w;
    struct listing listing = {.w = &w, .prefix = prefix};
    arena_init(&arena, 4096, 4 << 20);
    buf_add_text(&shown->json, TEXT("\"groups\":"));
    json_writer_init(&w, &shown->json);
    json_begin_array(&w);
    int code = watch_log_group_each(view, &arena, prefix, TEXT(""), on_listed, &listing);
    json_end_array(&w);
    buf_add_format(&shown->json, ",\"more\":%s", listing.more ? "true" : "false");
    arena_fini(&arena);
    if (code < 0)
        shown->code = err_set(&shown->err, code, "%s", err_text(code));
}
