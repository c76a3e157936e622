/* Filter patterns: which of the three kinds a text is, terms, fields, and what a message says to them. */
#include "watch/pattern_inside.h"

#include <stdio.h>

enum kind { KIND_ALL, KIND_TERMS, KIND_FIELDS, KIND_JSON };

struct term {
    struct text text;
    struct pattern_regex *regex; /* or NULL */
    enum { TERM_MUST, TERM_MAY, TERM_NOT } mode;
};
struct field {
    struct text name;   /* with a dollar; data NULL: none was given */
    struct cond *cond;  /* or NULL */
};
struct watch_pattern {
    enum kind kind;
    struct term *term;
    size_t terms;
    bool only_may;      /* all terms are optional: one of them must be there */
    struct field *field;
    size_t fields;
    ptrdiff_t ellipsis; /* the fields from here on are counted from the message's end; -1: none */
    struct cond *cond;
};

/* ---- terms ---- */

static bool is_term(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int parse_plain_term(struct pattern_parser *p, struct text *out)
{
    const char *from = p->at;
    bool good = true;
    for (; p->at < p->end && !is_space(*p->at); p->at++)
        good &= is_term(*p->at);
    struct text term = text_make(from, (size_t)(p->at - from));
    if (!good || !term.len)
        return err_set(p->err, ERR_SYNTAX, "Invalid character(s) in term '%.*s'", term.len > 128 ? 128 : (int)term.len, term.data);
    *out = arena_copy(p->arena, term);
    return out->data ? 0 : ERR_MEMORY;
}

static int parse_term(struct pattern_parser *p, struct term *term)
{
    *term = (struct term){.mode = *p->at == '-' ? TERM_NOT : *p->at == '?' ? TERM_MAY : TERM_MUST};
    if (term->mode != TERM_MUST) {
        p->at++;
        pattern_skip_space(p);
        if (p->at == p->end)
            return pattern_refuse(p, "Invalid filter pattern: a term is expected");
    }
    if (*p->at == '"')
        return pattern_quoted(p, &term->text);
    return *p->at == '%' ? pattern_regex_between(p, &term->regex) : parse_plain_term(p, &term->text);
}

static int parse_terms(struct pattern_parser *p, struct watch_pattern *pattern)
{
    pattern->kind = KIND_TERMS;
    pattern->only_may = true;
    pattern->term = arena_array(p->arena, (size_t)(p->end - p->at) + 1, sizeof(*pattern->term)); /* a term has a byte at least */
    int code = pattern->term ? 0 : ERR_MEMORY;
    for (pattern_skip_space(p); p->at < p->end && !code; pattern_skip_space(p)) {
        struct term *term = &pattern->term[pattern->terms++];
        code = parse_term(p, term);
        pattern->only_may &= term->mode == TERM_MAY;
    }
    return code;
}

static bool term_in(const struct term *term, struct text message)
{
    if (term->regex)
        return pattern_regex_match(term->regex, message);
    return !term->text.len || memmem(message.data, message.len, term->text.data, term->text.len) != NULL;
}

/* Optional terms beside others decide nothing, as in AWS. */
static bool match_terms(const struct watch_pattern *pattern, struct text message)
{
    for (size_t i = 0; i < pattern->terms; i++) {
        const struct term *term = &pattern->term[i];
        if (pattern->only_may) {
            if (term_in(term, message))
                return true;
        } else if (term->mode != TERM_MAY && term_in(term, message) != (term->mode == TERM_MUST)) {
            return false;
        }
    }
    return !pattern->only_may || !pattern->terms;
}

/* ---- fields ---- */

static bool is_field_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '@' || c == '/' || c == ':' || (unsigned char)c >= 0x80;
}

static int parse_field(struct pattern_parser *p, struct field *field)
{
    pattern_skip_space(p);
    const char *from = p->at;
    while (p->at < p->end && is_field_name(*p->at))
        p->at++;
    p->field = text_make(from, (size_t)(p->at - from));
    *field = (struct field){.name = TEXT_NONE};
    if (!p->field.len)
        return 0;
    field->name = arena_format(p->arena, "$%.*s", TEXT_FMT(p->field));
    pattern_skip_space(p);
    if (!field->name.data)
        return ERR_MEMORY;
    if (p->at < p->end && *p->at != ',' && *p->at != ']')
        return cond_parse_rest(p, &field->cond);
    return 0;
}

static int parse_fields(struct pattern_parser *p, struct watch_pattern *pattern)
{
    pattern->kind = KIND_FIELDS;
    pattern->ellipsis = -1;
    pattern->field = arena_array(p->arena, PATTERN_FIELDS_MAX, sizeof(*pattern->field));
    if (!pattern->field)
        return ERR_MEMORY;
    p->at++;
    for (;;) {
        if (pattern_take(p, "...")) {
            if (pattern->ellipsis >= 0)
                return pattern_refuse(p, "Invalid filter pattern: there may be one ellipsis");
            pattern->ellipsis = (ptrdiff_t)pattern->fields;
        } else {
            if (pattern->fields == PATTERN_FIELDS_MAX)
                return err_set(p->err, ERR_TOO_LARGE, "Invalid filter pattern: it has more than %d fields", PATTERN_FIELDS_MAX);
            int code = parse_field(p, &pattern->field[pattern->fields++]);
            if (code)
                return code;
        }
        if (pattern_take(p, ","))
            continue;
        return pattern_take(p, "]") ? 0 : pattern_refuse(p, "Invalid filter pattern: , or ] is expected");
    }
}

/* The next field of a message: text up to a space, or what stands between quotes or brackets. False at the end. */
static bool next_field(struct text message, size_t *at, struct text *out)
{
    while (*at < message.len && is_space(message.data[*at]))
        ++*at;
    if (*at == message.len)
        return false;
    char first = message.data[*at];
    if (first == '"' || first == '[') {
        ptrdiff_t close = text_find(message, first == '"' ? '"' : ']', *at + 1);
        if (close >= 0) {
            *out = text_make(message.data + *at + 1, (size_t)close - *at - 1);
            *at = (size_t)close + 1;
            return true;
        }
    }
    size_t from = *at;
    while (*at < message.len && !is_space(message.data[*at]))
        ++*at;
    *out = text_make(message.data + from, *at - from);
    return true;
}

struct fields {
    struct text value[PATTERN_FIELDS_MAX]; /* of the pattern's fields */
    size_t place[PATTERN_FIELDS_MAX];      /* of it in the message, from 1 */
};

static size_t count_fields(struct text message)
{
    size_t count = 0, at = 0;
    struct text value;
    while (next_field(message, &at, &value))
        count++;
    return count;
}

/* False when the message has another number of fields. */
static bool split(const struct watch_pattern *pattern, struct text message, struct fields *out)
{
    size_t count = count_fields(message), at = 0, field = 0;
    struct text value;
    if (pattern->ellipsis < 0 ? count != pattern->fields : count < pattern->fields)
        return false;
    size_t skipped = count - pattern->fields, ellipsis = pattern->ellipsis < 0 ? pattern->fields : (size_t)pattern->ellipsis;
    for (size_t place = 0; next_field(message, &at, &value); place++) {
        if (place >= ellipsis && place < ellipsis + skipped)
            continue;
        out->value[field] = value;
        out->place[field++] = place + 1;
    }
    return true;
}

static bool match_fields(const struct watch_pattern *pattern, struct text message, struct fields *out)
{
    if (!split(pattern, message, out))
        return false;
    for (size_t i = 0; i < pattern->fields; i++)
        if (pattern->field[i].cond && !cond_holds_text(pattern->field[i].cond, out->value[i]))
            return false;
    return true;
}

/* ---- JSON ---- */

static int parse_braces(struct pattern_parser *p, struct watch_pattern *pattern)
{
    pattern->kind = KIND_JSON;
    p->at++;
    int code = cond_parse(p, false, &pattern->cond);
    return code ? code : pattern_take(p, "}") ? 0 : pattern_refuse(p, "Invalid filter pattern: } is expected");
}

/* NULL when the message is not an object or array; *code is ERR_MEMORY when that was the reason. */
static const struct json *parse_message(struct text message, struct arena *arena, int *code)
{
    const struct json *root;
    size_t at = 0;
    *code = 0;
    while (at < message.len && is_space(message.data[at]))
        at++;
    if (at == message.len || (message.data[at] != '{' && message.data[at] != '['))
        return NULL;
    int failed = json_parse(arena, message, 0, &root, NULL);
    *code = failed == ERR_MEMORY ? failed : 0;
    return failed ? NULL : root;
}

/* ---- whole patterns ---- */

int watch_pattern_parse(struct arena *arena, struct text text, struct watch_pattern **out, struct err *err)
{
    struct watch_pattern *pattern = arena_zalloc(arena, sizeof(*pattern));
    struct pattern_parser p = {.arena = arena, .at = text.data, .end = text.data + text.len, .err = err};
    if (!pattern)
        return ERR_MEMORY;
    *out = pattern;
    if (text.len > WATCH_PATTERN_MAX)
        return err_set(err, ERR_TOO_LARGE, "Invalid filter pattern: it is longer than %d bytes", WATCH_PATTERN_MAX);
    pattern_skip_space(&p);
    if (p.at == p.end)
        return 0;
    int code = *p.at == '{' ? parse_braces(&p, pattern) : *p.at == '[' ? parse_fields(&p, pattern) : parse_terms(&p, pattern);
    pattern_skip_space(&p);
    if (!code && p.at != p.end)
        code = pattern_refuse(&p, "Invalid filter pattern: something follows behind its end");
    if (!code && pattern->kind != KIND_TERMS && p.regexes > WATCH_PATTERN_REGEX_MAX)
        code = err_set(err, ERR_TOO_LARGE, "Invalid filter pattern: it has more than %d regular expressions", WATCH_PATTERN_REGEX_MAX);
    return code;
}

int watch_pattern_match(const struct watch_pattern *pattern, struct text message, struct arena *scratch)
{
    struct fields fields;
    struct arena_mark mark = arena_mark(scratch);
    switch (pattern->kind) {
    case KIND_TERMS:
        return match_terms(pattern, message);
    case KIND_FIELDS:
        return match_fields(pattern, message, &fields);
    case KIND_JSON: {
        int code;
        const struct json *root = parse_message(message, scratch, &code);
        bool holds = root && cond_holds_json(pattern->cond, root);
        arena_rewind(scratch, mark);
        return code ? code : holds;
    }
    default:
        return 1;
    }
}

/* ---- what a pattern names ---- */

static struct text field_name(const struct watch_pattern *pattern, const struct fields *fields, size_t i, char space[24])
{
    if (pattern->field[i].name.data)
        return pattern->field[i].name;
    return text_make(space, (size_t)snprintf(space, 24, "$%zu", fields->place[i]));
}

/* All of the message's fields, those under the ellipsis by their number. */
static int extract_fields(const struct watch_pattern *pattern, struct text message, int (*visit)(void *, struct text, struct text), void *context)
{
    struct fields fields;
    struct text value;
    char space[24];
    size_t at = 0, field = 0;
    int code = 0;
    if (!match_fields(pattern, message, &fields))
        return 0;
    for (size_t place = 1; next_field(message, &at, &value) && !code; place++) {
        if (field < pattern->fields && fields.place[field] == place)
            code = visit(context, field_name(pattern, &fields, field, space), value), field++;
        else
            code = visit(context, text_make(space, (size_t)snprintf(space, 24, "$%zu", place)), value);
    }
    return code;
}

struct seen {
    struct text name[WATCH_PATTERN_MAX / 4];
    size_t count;
};

static int extract_json(const struct cond *cond, const struct json *root, struct seen *seen, int (*visit)(void *, struct text, struct text), void *context)
{
    if (cond->kind == COND_AND || cond->kind == COND_OR) {
        int code = extract_json(cond->left, root, seen, visit, context);
        return code ? code : extract_json(cond->right, root, seen, visit, context);
    }
    for (size_t i = 0; i < seen->count; i++)
        if (text_equal(seen->name[i], cond->selector->text))
            return 0;
    const struct json *value = selector_find(cond->selector, root);
    if (!value || seen->count == WATCH_PATTERN_MAX / 4)
        return 0;
    seen->name[seen->count++] = cond->selector->text;
    return visit(context, cond->selector->text, json_shown(value));
}

int watch_pattern_extract(const struct watch_pattern *pattern, struct text message, struct arena *scratch,
    int (*visit)(void *context, struct text name, struct text value), void *context)
{
    if (pattern->kind == KIND_FIELDS)
        return extract_fields(pattern, message, visit, context);
    if (pattern->kind != KIND_JSON)
        return 0;
    struct arena_mark mark = arena_mark(scratch);
    struct seen *seen = arena_zalloc(scratch, sizeof(*seen));
    int code = seen ? 0 : ERR_MEMORY;
    const struct json *root = code ? NULL : parse_message(message, scratch, &code);
    if (root)
        code = extract_json(pattern->cond, root, seen, visit, context);
    arena_rewind(scratch, mark);
    return code;
}

static int select_field(const struct watch_pattern *pattern, struct text selector, struct text message, struct text *value)
{
    struct fields fields;
    char space[24];
    if (pattern->kind != KIND_FIELDS || !match_fields(pattern, message, &fields))
        return ERR_NOT_FOUND;
    for (size_t i = 0; i < pattern->fields; i++)
        if (text_equal(field_name(pattern, &fields, i, space), selector)) {
            *value = fields.value[i];
            return 0;
        }
    return ERR_NOT_FOUND;
}

int watch_pattern_select(const struct watch_pattern *pattern, struct text selector, struct text message, struct arena *arena, struct text *value)
{
    struct pattern_parser p = {.arena = arena, .at = selector.data, .end = selector.data + selector.len};
    struct selector *parsed;
    int code;
    if (!selector.len || selector.data[0] != '$')
        return ERR_SYNTAX;
    if (selector.len < 2 || (selector.data[1] != '.' && selector.data[1] != '['))
        return select_field(pattern, selector, message, value);
    code = selector_parse(&p, &parsed);
    if (code || p.at != p.end)
        return code ? code : ERR_SYNTAX;
    const struct json *root = parse_message(message, arena, &code);
    const struct json *found = root ? selector_find(parsed, root) : NULL;
    if (code || !found)
        return code ? code : ERR_NOT_FOUND;
    *value = arena_copy(arena, json_shown(found));
    return value->data ? 0 : ERR_MEMORY;
}
