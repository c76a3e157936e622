/*
 * simdjson's on-demand reader, walked once over the whole text.
 *
 * Why on demand and not its DOM: the DOM refuses integers beyond 64 bits and rounds 38 digits to a double, and it would
 * build a tree that we copy into ours. Why a full walk and not the few fields a caller wants: on demand validates only what is touched,
 * and half-validated bytes must not reach a table or another client.
 *
 * The library gives the structure: its first stage finds all tokens with vector instructions and refuses open strings, control
 * characters and ill-formed UTF-8; its iterators check brackets, colons and commas. This file adds what it leaves open: the
 * text of numbers and their grammar, literals, escapes, the depth, the exact extent of each value, repeated names, trailing text.
 * Each value's end is computed here and must be followed by the token that its container expects, so neither a junk tail
 * ("12x", "truefalse") nor a byte of the padding, which may hold anything, passes for syntax. ondemand::value goes by value.
 *
 * Compiled with NDEBUG always (see CMakeLists.txt): the library's own assertions cost a factor of 2.6.
 */
#include <simdjson.h>

#include <stdlib.h>

extern "C" {
#include "base/json_simd.h"
}
#include "base/json_lex.h"
extern "C" {
#include "base/hash.h"
}

using namespace simdjson;

static_assert(SIMDJSON_PADDING <= JSON_PADDING, "json.h promises too little padding");

namespace {

constexpr size_t keep = 2 << 20;    /* bytes of text; larger workspaces are given back after their text */
constexpr uint32_t few_names = 12;      /* up to here comparing all pairs beats a table */

struct walk {
    struct arena *arena;
    const char *end;
    ptrdiff_t shift;
    unsigned flags;
    const char *at; /* where the walk is, for the error message */
};

int walk_value(struct walk &w, ondemand::value value, int depth, struct json *node, const char **after);

int stop(struct walk &w, const char *at, int code)
{
    w.at = at < w.end ? at : w.end;
    return code;
}

struct json *node_make(struct walk &w)
{
    return static_cast<struct json *>(arena_alloc(w.arena, sizeof(struct json)));
}

struct text shifted(const struct walk &w, const char *from, const char *to)
{
    return text_make(from + w.shift, static_cast<size_t>(to - from));
}

/* The string whose first byte inside the quotes is `at`; *after is set behind its closing quote. */
int read_string(struct walk &w, const char *at, struct text *out, const char **after)
{
    bool escaped;
    const char *close = at <= w.end ? json_scan_string(at, w.end, &escaped) : nullptr;
    if (!close)
        return stop(w, at, ERR_SYNTAX);
    *after = close + 1;
    if (!escaped) {
        *out = shifted(w, at, close);
        return 0;
    }
    int code = json_unescape(w.arena, text_make(at, static_cast<size_t>(close - at)), out);
    return code ? stop(w, at, code) : 0;
}

int read_literal(struct walk &w, const char *at, const char *word, size_t len, enum json_type type, struct json *node,
                 const char **after)
{
    if (static_cast<size_t>(w.end - at) < len || memcmp(at, word, len) != 0)
        return stop(w, at, ERR_SYNTAX);
    node->type = type;
    *after = at + len;
    return 0;
}

/* Anything but an object or array. The node is complete but for `name` and `next`. */
int read_scalar(struct walk &w, const char *at, struct json *node, const char **after)
{
    int code;
    switch (*at) {
    case '"':
        node->type = JSON_STRING;
        code = read_string(w, at + 1, &node->text, after);
        break;
    case 't':
        code = read_literal(w, at, "true", 4, JSON_TRUE, node, after);
        break;
    case 'f':
        code = read_literal(w, at, "false", 5, JSON_FALSE, node, after);
        break;
    case 'n':
        code = read_literal(w, at, "null", 4, JSON_NULL, node, after);
        break;
    default:
        node->type = JSON_NUMBER;
        *after = json_scan_number(at, w.end);
        if (!*after)
            return stop(w, at, ERR_SYNTAX);
        node->text = shifted(w, at, *after);
        code = 0;
    }
    if (code == 0)
        node->raw = shifted(w, at, *after);
    return code;
}

/* Names in a table of pointers, at most half full; it lies on top of the arena and is given back at once. */
int names_distinct_many(struct walk &w, const struct json *object)
{
    size_t cap = 32;
    while (cap < 2 * static_cast<size_t>(object->count))
        cap *= 2;
    struct arena_mark mark = arena_mark(w.arena);
    auto table = static_cast<const struct json **>(arena_zalloc(w.arena, cap * sizeof(struct json *)));
    int code = table ? 0 : ERR_MEMORY;
    for (const struct json *m = object->first; m && !code; m = m->next) {
        size_t at = hash_bytes(m->name) & (cap - 1);
        while (table[at] && !text_equal(table[at]->name, m->name))
            at = (at + 1) & (cap - 1);
        if (table[at])
            code = stop(w, m->raw.data - w.shift, ERR_DUPLICATE);
        table[at] = m;
    }
    arena_rewind(w.arena, mark);
    return code;
}

int names_distinct(struct walk &w, const struct json *object)
{
    if (object->count > few_names)
        return names_distinct_many(w, object);
    for (const struct json *m = object->first; m; m = m->next)
        for (const struct json *other = object->first; other != m; other = other->next)
            if (text_equal(m->name, other->name))
                return stop(w, m->raw.data - w.shift, ERR_DUPLICATE);
    return 0;
}

/* After a member or element: the comma or the closing bracket must be the very next token. */
int check_follower(struct walk &w, const char **at, char close)
{
    *at = json_skip_space(*at, w.end);
    if (*at == w.end || (**at != ',' && **at != close))
        return stop(w, *at, ERR_SYNTAX);
    return 0;
}

int close_container(struct walk &w, const char *start, const char *at, char close, struct json *node, const char **after)
{
    at = json_skip_space(at, w.end);
    if (at == w.end || *at != close)
        return stop(w, at, ERR_SYNTAX);
    *after = at + 1;
    node->raw = shifted(w, start, *after);
    return 0;
}

int walk_array(struct walk &w, ondemand::value value, int depth, const char *start, struct json *node, const char **after)
{
    ondemand::array array;
    struct json **link = &node->first;
    const char *at = start + 1;
    node->type = JSON_ARRAY;
    if (value.get_array().get(array))
        return stop(w, at, ERR_SYNTAX);
    for (auto element : array) {
        ondemand::value child;
        if (element.get(child))
            return stop(w, at, ERR_SYNTAX);
        struct json *made = node_make(w);
        if (!made)
            return stop(w, at, ERR_MEMORY);
        *made = {};
        int code = walk_value(w, child, depth, made, &at);
        if (code == 0)
            code = check_follower(w, &at, ']');
        if (code)
            return code;
        *link = made;
        link = &made->next;
        node->count++;
    }
    return close_container(w, start, at, ']', node, after);
}

int walk_object(struct walk &w, ondemand::value value, int depth, const char *start, struct json *node, const char **after)
{
    ondemand::object object;
    struct json **link = &node->first;
    const char *at = start + 1;
    node->type = JSON_OBJECT;
    if (value.get_object().get(object))
        return stop(w, at, ERR_SYNTAX);
    for (auto result : object) {
        ondemand::field field;
        if (std::move(result).get(field))
            return stop(w, at, ERR_SYNTAX);
        struct json *made = node_make(w);
        if (!made)
            return stop(w, at, ERR_MEMORY);
        *made = {};
        int code = read_string(w, field.key().raw(), &made->name, &at);
        if (code == 0)
            code = walk_value(w, field.value(), depth, made, &at);
        if (code == 0)
            code = check_follower(w, &at, '}');
        if (code)
            return code;
        *link = made;
        link = &made->next;
        node->count++;
    }
    int code = close_container(w, start, at, '}', node, after);
    if (code == 0 && (w.flags & JSON_REFUSE_DUPLICATES) && node->count > 1)
        code = names_distinct(w, node);
    return code;
}

/* `depth` is the number of containers around the value. */
int walk_value(struct walk &w, ondemand::value value, int depth, struct json *node, const char **after)
{
    const char *at = value.raw_json_token().data();
    if (at >= w.end)
        return stop(w, at, ERR_SYNTAX);
    if (*at != '{' && *at != '[')
        return read_scalar(w, at, node, after);
    if (depth >= JSON_DEPTH_MAX)
        return stop(w, at, ERR_TOO_DEEP);
    return *at == '{' ? walk_object(w, value, depth + 1, at, node, after)
                      : walk_array(w, value, depth + 1, at, node, after);
}

int walk_document(struct walk &w, ondemand::document &document, const char *start, struct json *root)
{
    const char *after = nullptr;
    int code;
    start = json_skip_space(start, w.end);
    if (start < w.end && (*start == '{' || *start == '[')) {
        ondemand::value value;
        if (document.get_value().get(value))
            return stop(w, start, ERR_SYNTAX);
        code = walk_value(w, value, 0, root, &after);
    } else {
        code = start < w.end ? read_scalar(w, start, root, &after) : stop(w, start, ERR_SYNTAX);
    }
    if (code)
        return code;
    after = json_skip_space(after, w.end);
    return after == w.end ? 0 : stop(w, after, ERR_SYNTAX);
}

int walk_text(struct walk &w, ondemand::parser &parser, struct text text, struct json *root)
{
    ondemand::document document;
    if (text.len == 0 || !validate_utf8(text.data, text.len))
        return ERR_SYNTAX;
    padded_string_view view(text.data, text.len, text.len + JSON_PADDING);
    error_code error = parser.iterate(view).get(document);
    if (error)
        return error == MEMALLOC || error == CAPACITY ? ERR_MEMORY : ERR_SYNTAX;
    return walk_document(w, document, text.data, root);
}

/* What a thread keeps between two texts. */
struct workspace {
    ondemand::parser parser;
    char *copy = nullptr;
    size_t cap = 0;

    ~workspace()
    {
        free(copy);
    }

    const char *copy_make(struct text text)
    {
        if (text.len > SIZE_MAX / 2)
            return nullptr;
        size_t need = text.len + JSON_PADDING;
        if (need > cap) {
            size_t grown = 2 * need < keep ? 2 * need : need;
            free(copy);
            copy = static_cast<char *>(malloc(grown));
            cap = copy ? grown : 0;
            if (!copy)
                return nullptr;
        }
        if (text.len)
            memcpy(copy, text.data, text.len);
        memset(copy + text.len, 0, JSON_PADDING);
        return copy;
    }

    void trim()
    {
        if (parser.capacity() > keep)
            parser = ondemand::parser();
        if (cap > keep) {
            free(copy);
            copy = nullptr;
            cap = 0;
        }
    }
};

} // namespace

extern "C" bool json_simd_utf8(const char *data, size_t len)
{
    return validate_utf8(data, len);
}

extern "C" int json_simd_walk(struct arena *arena, struct text text, unsigned flags, struct json **root, size_t *at)
{
    static thread_local struct workspace workspace;
    const char *walked = flags & JSON_PADDED ? text.data : workspace.copy_make(text);
    *at = 0;
    *root = static_cast<struct json *>(arena_alloc(arena, sizeof(struct json)));
    if (!walked || !*root)
        return ERR_MEMORY;
    **root = {};
    struct walk w = {arena, walked + text.len, text.data - walked, flags, walked};
    int code = walk_text(w, workspace.parser, text_make(walked, text.len), *root);
    *at = static_cast<size_t>(w.at - walked);
    workspace.trim();
    return code;
}
