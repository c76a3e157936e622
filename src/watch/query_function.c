/*
 * Functions on numbers, texts and times. Characters are Unicode code points where lengths and places count them; upper and lower case are those of ASCII, so that results do
 * not depend on a locale. A text that cannot be made within the memory of an event is nothing.
 */
#include "watch/query_inside.h"

#include "base/clock.h"
#include <math.h>

static struct query_value number_of(double number)
{
    return isfinite(number) ? query_number(number) : QUERY_NOTHING;
}

static struct query_value copied(struct query_row *row, struct text text)
{
    struct text copy = arena_copy(&row->run->arena, text);
    return copy.data ? query_text(copy) : QUERY_NOTHING;
}

/* The text of argument `i`; false: there is none. */
static bool arg_text(struct query_row *row, const struct query_node *node, size_t i, struct text *out)
{
    char room[QUERY_TEXT_ROOM];
    struct query_value value = query_eval(row, node->args[i]);
    if (value.type == QUERY_NONE)
        return false;
    *out = query_to_text(&value, room);
    if (out->data == room)
        *out = arena_copy(&row->run->arena, *out);
    return out->data || !out->len;
}

static bool arg_number(struct query_row *row, const struct query_node *node, size_t i, double *out)
{
    struct query_value value = query_eval(row, node->args[i]);
    return query_to_number(&value, out);
}

/* ---- numbers ---- */

static struct query_value one_number(struct query_row *row, const struct query_node *node)
{
    double x;
    if (!arg_number(row, node, 0, &x))
        return QUERY_NOTHING;
    switch (node->function) {
    case FUNCTION_abs:
        return number_of(fabs(x));
    case FUNCTION_ceil:
        return number_of(ceil(x));
    case FUNCTION_floor:
        return number_of(floor(x));
    case FUNCTION_log:
        return number_of(log(x));
    case FUNCTION_frommillis:
        return query_time(x);
    case FUNCTION_tomillis:
        return number_of(x);
    default:
        return number_of(sqrt(x));
    }
}

static struct query_value extreme(struct query_row *row, const struct query_node *node, bool greatest)
{
    struct query_value best = QUERY_NOTHING;
    for (size_t i = 0; i < node->count; i++) {
        double x;
        if (arg_number(row, node, i, &x) && (best.type == QUERY_NONE || (greatest ? x > best.number : x < best.number)))
            best = query_number(x);
    }
    return best;
}

static struct query_value rounded_time(struct query_row *row, const struct query_node *node, bool up)
{
    struct query_value value = query_eval(row, node->args[0]);
    double ms;
    if (!query_to_number(&value, &ms) && !(value.type == QUERY_TEXT && query_time_parse(value.text, &ms)))
        return QUERY_NOTHING;
    return query_time(up ? query_time_ceil(ms, &node->period) : query_time_floor(ms, &node->period));
}

/* ---- texts ---- */

static bool is_white(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t character_bytes(struct text text, size_t at)
{
    size_t len = 1;
    while (at + len < text.len && ((unsigned char)text.data[at + len] & 0xC0) == 0x80)
        len++;
    return len;
}

static size_t character_count(struct text text)
{
    size_t n = 0;
    for (size_t at = 0; at < text.len; at += character_bytes(text, at))
        n++;
    return n;
}

/* The byte where character `n` begins, or the end. */
static size_t character_at(struct text text, double n)
{
    size_t at = 0;
    for (double i = 0; i < n && at < text.len; i++)
        at += character_bytes(text, at);
    return at;
}

/* Whether the character at `at` is to go: white, or one of those in `set`. */
static bool goes(struct text text, size_t at, size_t len, bool has_set, struct text set)
{
    if (!has_set)
        return len == 1 && is_white(text.data[at]);
    for (size_t i = 0; i < set.len; i += character_bytes(set, i))
        if (text_equal(text_make(set.data + i, character_bytes(set, i)), text_make(text.data + at, len)))
            return true;
    return false;
}

static struct query_value trimmed(struct query_row *row, const struct query_node *node, bool left, bool right)
{
    struct text text, set = TEXT_NONE;
    bool has_set = node->count > 1;
    if (!arg_text(row, node, 0, &text) || (has_set && !arg_text(row, node, 1, &set)))
        return QUERY_NOTHING;
    while (left && text.len) {
        size_t len = character_bytes(text, 0);
        if (!goes(text, 0, len, has_set, set))
            break;
        text = text_make(text.data + len, text.len - len);
    }
    while (right && text.len) {
        size_t at = text.len - 1;
        while (at > 0 && ((unsigned char)text.data[at] & 0xC0) == 0x80)
            at--;
        if (!goes(text, at, text.len - at, has_set, set))
            break;
        text.len = at;
    }
    return query_text(text);
}

static struct query_value cased(struct query_row *row, const struct query_node *node, char from, char to)
{
    struct text text;
    if (!arg_text(row, node, 0, &text))
        return QUERY_NOTHING;
    char *out = arena_alloc(&row->run->arena, text.len);
    if (!out)
        return QUERY_NOTHING;
    for (size_t i = 0; i < text.len; i++)
        out[i] = (char)(text.data[i] >= from && text.data[i] <= to ? text.data[i] ^ 0x20 : text.data[i]);
    return query_text(text_make(out, text.len));
}

static struct query_value concatenated(struct query_row *row, const struct query_node *node)
{
    struct text part[64];
    size_t len = 0, at = 0;
    for (size_t i = 0; i < node->count; i++) {
        if (!arg_text(row, node, i, &part[i]))
            part[i] = TEXT_NONE;
        len += part[i].len;
    }
    char *out = arena_alloc(&row->run->arena, len);
    if (!out)
        return QUERY_NOTHING;
    for (size_t i = 0; i < node->count; i++) {
        if (part[i].len)
            memcpy(out + at, part[i].data, part[i].len);
        at += part[i].len;
    }
    return query_text(text_make(out, len));
}

static struct query_value substring(struct query_row *row, const struct query_node *node)
{
    struct text text;
    double from, count = INFINITY;
    if (!arg_text(row, node, 0, &text) || !arg_number(row, node, 1, &from) || (node->count > 2 && !arg_number(row, node, 2, &count)))
        return QUERY_NOTHING;
    size_t begin = character_at(text, from);
    text = text_make(text.data + begin, text.len - begin);
    if (isfinite(count))
        text.len = character_at(text, count);
    return query_text(text);
}

static struct query_value replaced(struct query_row *row, const struct query_node *node)
{
    struct text text, old, new;
    struct buf out;
    if (!arg_text(row, node, 0, &text) || !arg_text(row, node, 1, &old) || !arg_text(row, node, 2, &new))
        return QUERY_NOTHING;
    ptrdiff_t at = old.len ? query_find_text(text, old, 0) : -1;
    if (at < 0)
        return query_text(text);
    buf_init(&out, WATCH_QUERY_EVENT_MAX / 2);
    size_t from = 0;
    for (; at >= 0; at = query_find_text(text, old, from)) {
        buf_add(&out, text.data + from, (size_t)at - from);
        buf_add_text(&out, new);
        from = (size_t)at + old.len;
    }
    buf_add(&out, text.data + from, text.len - from);
    struct query_value value = out.failed ? QUERY_NOTHING : copied(row, buf_text(&out));
    buf_fini(&out);
    return value;
}

static struct query_value is_blank(struct query_row *row, const struct query_node *node, bool white)
{
    struct text text;
    if (!arg_text(row, node, 0, &text))
        return query_bool(true);
    size_t at = 0;
    while (white && at < text.len && is_white(text.data[at]))
        at++;
    return query_bool(at == text.len);
}

static struct query_value stringify(struct query_row *row, const struct query_node *node)
{
    struct query_value value = query_eval(row, node->args[0]);
    struct text text;
    struct buf out;
    if (value.type == QUERY_NONE || !arg_text(row, node, 0, &text))
        return QUERY_NOTHING;
    if (value.type != QUERY_TEXT && value.type != QUERY_TIME)
        return query_text(text);
    if (text.len && (text.data[0] == '{' || text.data[0] == '['))
        return query_text(text); /* what jsonParse made of it */
    buf_init(&out, WATCH_QUERY_EVENT_MAX / 2);
    json_escape(&out, text);
    value = out.failed ? QUERY_NOTHING : copied(row, buf_text(&out));
    buf_fini(&out);
    return value;
}

/* ---- the rest ---- */

static struct query_value coalesced(struct query_row *row, const struct query_node *node)
{
    struct query_value value = QUERY_NOTHING;
    for (size_t i = 0; i < node->count && value.type == QUERY_NONE; i++)
        value = query_eval(row, node->args[i]);
    return value;
}

static struct query_value call_text(struct query_row *row, const struct query_node *node)
{
    struct text text, other;
    switch (node->function) {
    case FUNCTION_isempty:
    case FUNCTION_isblank:
        return is_blank(row, node, node->function == FUNCTION_isblank);
    case FUNCTION_concat:
        return concatenated(row, node);
    case FUNCTION_ltrim:
    case FUNCTION_rtrim:
    case FUNCTION_trim:
        return trimmed(row, node, node->function != FUNCTION_rtrim, node->function != FUNCTION_ltrim);
    case FUNCTION_strlen:
        return arg_text(row, node, 0, &text) ? query_number((double)character_count(text)) : QUERY_NOTHING;
    case FUNCTION_toupper:
        return cased(row, node, 'a', 'z');
    case FUNCTION_tolower:
        return cased(row, node, 'A', 'Z');
    case FUNCTION_substr:
        return substring(row, node);
    case FUNCTION_replace:
        return replaced(row, node);
    case FUNCTION_strcontains:
        return arg_text(row, node, 0, &text) && arg_text(row, node, 1, &other) ? query_number(query_find_text(text, other, 0) >= 0) : QUERY_NOTHING;
    case FUNCTION_jsonstringify:
        return stringify(row, node);
    case FUNCTION_jsonparse: /* kept as text: the dot access looks into it */
        return arg_text(row, node, 0, &text) ? query_json_at(&row->run->arena, text, TEXT_NONE) : QUERY_NOTHING;
    default:
        return query_call_ip(row, node);
    }
}

struct query_value query_call(struct query_row *row, const struct query_node *node)
{
    struct query_value value;
    switch (node->function) {
    case FUNCTION_abs:
    case FUNCTION_ceil:
    case FUNCTION_floor:
    case FUNCTION_log:
    case FUNCTION_sqrt:
    case FUNCTION_frommillis:
    case FUNCTION_tomillis:
        return one_number(row, node);
    case FUNCTION_greatest:
    case FUNCTION_least:
        return extreme(row, node, node->function == FUNCTION_greatest);
    case FUNCTION_datefloor:
    case FUNCTION_dateceil:
        return rounded_time(row, node, node->function == FUNCTION_dateceil);
    case FUNCTION_now:
        return query_number(floor((double)row->run->now_ms / (double)SECOND_MS));
    case FUNCTION_ispresent:
        value = query_eval(row, node->args[0]);
        return query_bool(value.type != QUERY_NONE);
    case FUNCTION_coalesce:
        return coalesced(row, node);
    case FUNCTION_if:
        value = query_eval(row, node->args[0]);
        return query_eval(row, node->args[query_to_bool(&value) ? 1 : 2]);
    case FUNCTION_unmask: /* nothing is masked here */
        return query_eval(row, node->args[0]);
    default:
        return call_text(row, node);
    }
}
