/*
 * Where the values of names come from: the event itself, the JSON in its message, what a function's platform lines say, columns, expressions, parts of a parse.
 *
 * A message may be JSON, or words followed by a JSON object, as weir's own lines and those of console.log("text", object) are. The first object that is whole counts. It is
 * looked for once in an event, and only when a name is asked for that nothing else knows; then all names of the query are found in one walk. A path names members with dots and
 * elements by number; a member whose own name has dots is found as well. null is nothing; an object or array that is asked for by itself is its JSON text.
 */
#include "watch/query_inside.h"

#include <stdio.h>

#define TRIES_MAX 8 /* braces that may turn out to begin no object */

struct query_value query_json_value(const struct json *value)
{
    double number;
    switch (value->type) {
    case JSON_STRING:
        return query_text(value->text);
    case JSON_NUMBER:
        return query_parse_number(value->text, &number) ? (struct query_value){QUERY_NUMBER, number, value->text} : query_text(value->text);
    case JSON_TRUE:
    case JSON_FALSE:
        return query_bool(value->type == JSON_TRUE);
    case JSON_OBJECT:
    case JSON_ARRAY:
        return query_text(value->raw);
    case JSON_NULL:
        break;
    }
    return QUERY_NOTHING;
}

static const struct json *element(const struct json *array, struct text index)
{
    uint64_t at;
    return text_to_u64(index, UINT32_MAX - 1, &at) ? NULL : json_at(array, (uint32_t)at);
}

static const struct json *at_path(const struct json *node, struct text path)
{
    if (!path.len)
        return node;
    if (node->type == JSON_ARRAY) {
        ptrdiff_t dot = text_find(path, '.', 0);
        size_t len = dot < 0 ? path.len : (size_t)dot;
        const struct json *found = element(node, text_make(path.data, len));
        if (!found || dot < 0)
            return found;
        return at_path(found, text_make(path.data + len + 1, path.len - len - 1));
    }
    if (node->type != JSON_OBJECT)
        return NULL;
    const struct json *best = NULL;
    for (const struct json *member = node->first; member; member = member->next) {
        const struct json *found = NULL;
        if (!text_starts(path, member->name))
            continue;
        if (member->name.len == path.len)
            found = member;
        else if (path.data[member->name.len] == '.')
            found = at_path(member, text_make(path.data + member->name.len + 1, path.len - member->name.len - 1));
        if (found)
            best = found; /* of members with one name the last counts */
    }
    return best;
}

struct query_value query_json_at(struct arena *arena, struct text json, struct text path)
{
    const struct json *root;
    if (!json.len || json_parse(arena, json, 0, &root, NULL))
        return QUERY_NOTHING;
    const struct json *found = at_path(root, path);
    return found ? query_json_value(found) : QUERY_NOTHING;
}

/* The end of the object that begins at `from`, or 0. */
static size_t object_end(struct text text, size_t from)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t at = from; at < text.len; at++) {
        char c = text.data[at];
        if (quoted) {
            at += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && !--depth) {
            return at + 1;
        }
    }
    return 0;
}

static const struct json *find_object(struct arena *arena, struct text message)
{
    const struct json *root;
    ptrdiff_t at = text_find(message, '{', 0);
    size_t end = message.len;
    while (end && strchr(" \t\r\n", message.data[end - 1]))
        end--;
    if (at < 0)
        return NULL;
    /* Most often the object is the rest of the line. */
    if (message.data[end - 1] == '}' && !json_parse(arena, text_make(message.data + at, end - (size_t)at), 0, &root, NULL))
        return root;
    for (int i = 0; at >= 0 && i < TRIES_MAX; i++) {
        end = object_end(message, (size_t)at);
        if (end && !json_parse(arena, text_make(message.data + at, end - (size_t)at), 0, &root, NULL))
            return root;
        at = text_find(message, '{', (size_t)at + 1);
    }
    return NULL;
}

/* All of a scope's fields in the message at once. */
static void discover(struct query_row *row)
{
    const struct query_scope *scope = row->scope;
    const struct json *root = find_object(&row->run->arena, row->event->message);
    for (uint32_t i = 0; i < scope->count; i++) {
        if (scope->slot[i].source != SOURCE_JSON)
            continue;
        const struct json *found = root ? at_path(root, scope->slot[i].path) : NULL;
        row->value[i] = found ? query_json_value(found) : QUERY_NOTHING;
        row->known[i] = 1;
    }
}

/* ---- what a function's platform lines say ---- */

enum lambda { LAMBDA_TYPE, LAMBDA_REQUEST, LAMBDA_DURATION, LAMBDA_BILLED, LAMBDA_INIT, LAMBDA_SIZE, LAMBDA_USED, LAMBDA_COUNT };
static const struct {
    const char *name, *label;
    double scale;
} lambda_table[LAMBDA_COUNT] = {
    [LAMBDA_TYPE] = {"@type", NULL, 0},
    [LAMBDA_REQUEST] = {"@requestId", "RequestId: ", 0},
    [LAMBDA_DURATION] = {"@duration", "\tDuration: ", 1},
    [LAMBDA_BILLED] = {"@billedDuration", "\tBilled Duration: ", 1},
    [LAMBDA_INIT] = {"@initDuration", "\tInit Duration: ", 1},
    [LAMBDA_SIZE] = {"@memorySize", "\tMemory Size: ", 1000000}, /* of MB, in bytes */
    [LAMBDA_USED] = {"@maxMemoryUsed", "\tMax Memory Used: ", 1000000},
};

int64_t query_lambda_field(struct text name)
{
    for (int64_t i = 0; i < LAMBDA_COUNT; i++)
        if (text_is(name, lambda_table[i].name))
            return i;
    return -1;
}

static struct text word_at(struct text text, size_t at)
{
    size_t end = at;
    while (end < text.len && !strchr(" \t\r\n", text.data[end]))
        end++;
    return text_make(text.data + at, end - at);
}

#define UUID_LEN 36
/* The lines of a handler's console begin with a time, the request and a level, tabs between them. */
static struct query_value console_request(struct text message)
{
    ptrdiff_t tab = text_find(message, '\t', 0);
    struct text id = tab < 0 ? TEXT_NONE : word_at(message, (size_t)tab + 1);
    return id.len == UUID_LEN && id.data[8] == '-' && id.data[13] == '-' ? query_text(id) : QUERY_NOTHING;
}

static struct query_value lambda_value(struct text message, enum lambda field)
{
    static const char *const types[] = {"START", "END", "REPORT"};
    const char *type = NULL;
    double number;
    for (int i = 0; i < 3; i++)
        if (text_starts(message, text_of(types[i])) && text_starts(text_make(message.data + strlen(types[i]), message.len - strlen(types[i])), TEXT(" RequestId: ")))
            type = types[i];
    if (!type)
        return field == LAMBDA_REQUEST ? console_request(message) : QUERY_NOTHING;
    if (field == LAMBDA_TYPE)
        return query_text(text_of(type));
    ptrdiff_t at = query_find_text(message, text_of(lambda_table[field].label), 0);
    if (at < 0)
        return QUERY_NOTHING;
    struct text word = word_at(message, (size_t)at + strlen(lambda_table[field].label));
    if (field == LAMBDA_REQUEST)
        return query_text(word);
    if (!query_parse_number(word, &number))
        return QUERY_NOTHING;
    return lambda_table[field].scale == 1 ? (struct query_value){QUERY_NUMBER, number, word} : query_number(number * lambda_table[field].scale);
}

/* ---- slots ---- */

static void take_parse(struct query_row *row, const struct query_parse *parse)
{
    struct text part[64] = {{NULL, 0}};
    char room[QUERY_TEXT_ROOM];
    size_t count = query_pattern_parts(parse->pattern);
    struct query_value from = query_eval(row, parse->from);
    struct text text = query_to_text(&from, room);
    if (text.data == room)
        text = arena_copy(&row->run->arena, text);
    bool found = from.type != QUERY_NONE && query_pattern_take(parse->pattern, row->run->matcher, text, part);
    for (size_t i = 0; i < count; i++) {
        row->value[parse->slot + i] = found && part[i].data ? query_text(part[i]) : QUERY_NOTHING;
        row->known[parse->slot + i] = 1;
    }
}

static struct query_value ptr_value(struct query_row *row)
{
    char text[WATCH_QUERY_PTR_TEXT + 1];
    watch_query_ptr_format(row->event->group, &row->event->place, text);
    struct text copy = arena_copy(&row->run->arena, text_make(text, WATCH_QUERY_PTR_TEXT));
    return copy.data ? query_text(copy) : QUERY_NOTHING;
}

static struct query_value make_value(struct query_row *row, const struct query_slot *slot)
{
    const struct watch_query_event *event = row->event;
    if (slot->source == SOURCE_NODE)
        return query_eval(row, slot->node);
    if (!event)
        return QUERY_NOTHING;
    switch (slot->source) {
    case SOURCE_TIMESTAMP:
        return query_time((double)event->place.time_ms);
    case SOURCE_MESSAGE:
        return query_text(event->message);
    case SOURCE_STREAM:
        return query_text(event->stream);
    case SOURCE_LOG:
        return query_text(event->log);
    case SOURCE_INGESTED:
        return query_time((double)event->ingested_ms);
    case SOURCE_PTR:
        return ptr_value(row);
    case SOURCE_LAMBDA:
        return lambda_value(event->message, (enum lambda)slot->index);
    default:
        return QUERY_NOTHING;
    }
}

struct query_value query_slot_value(struct query_row *row, uint32_t slot)
{
    const struct query_slot *of = &row->scope->slot[slot];
    if (row->known[slot])
        return row->value[slot];
    if (of->source == SOURCE_JSON && row->event) {
        discover(row);
    } else if (of->source == SOURCE_PARSE) {
        take_parse(row, of->parse);
    } else {
        row->value[slot] = make_value(row, of);
        row->known[slot] = 1;
    }
    return row->value[slot];
}

/* ---- names of what is there ---- */

struct names {
    struct arena *arena;
    size_t left;
    int (*visit)(void *context, struct text name, struct text value);
    void *context;
};

static int name_leaves(struct names *names, const struct json *node, struct text path)
{
    char room[QUERY_TEXT_ROOM], number[24];
    uint32_t index = 0;
    if (node->type != JSON_OBJECT && node->type != JSON_ARRAY) {
        struct query_value value = query_json_value(node);
        if (!names->left || value.type == QUERY_NONE)
            return 0;
        names->left--;
        return names->visit(names->context, path, query_to_text(&value, room));
    }
    for (const struct json *child = node->first; child && names->left; child = child->next) {
        struct text part = child->name;
        if (node->type == JSON_ARRAY)
            part = text_make(number, (size_t)snprintf(number, sizeof(number), "%u", index++));
        struct text name = arena_format(names->arena, "%s%.*s%s%.*s", !path.len && part.len && part.data[0] == '@' ? "@" : "", TEXT_FMT(path), path.len ? "." : "",
            TEXT_FMT(part));
        int code = name.data ? name_leaves(names, child, name) : ERR_MEMORY;
        if (code)
            return code;
    }
    return 0;
}

int watch_query_fields(struct arena *arena, struct text message, size_t max, int (*visit)(void *context, struct text name, struct text value), void *context)
{
    struct names names = {arena, max, visit, context};
    const struct json *root = find_object(arena, message);
    return root ? name_leaves(&names, root, TEXT_NONE) : 0;
}
