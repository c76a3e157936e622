/*
 * Commands: text to stages and names. What fields, display and parse say is kept in the scope of names alone; filter, stats, and sort, dedup and limit become stages.
 *
 * sort, dedup and limit next to each other are one stage, since together they need the least memory: of `sort x | limit 20` only 20 rows are ever held. The last stage always
 * is such a one, with the limit of the request.
 */
#include "watch/query_inside.h"

#include <stdlib.h>

#define ARENA_MAX ((size_t)8 << 20) /* bytes of a compiled query; the text has 10,000 */

int query_slot_add(struct query_parser *p, const struct query_slot *slot, uint32_t *index)
{
    if (p->scope->count == WATCH_QUERY_FIELDS_MAX)
        return query_error(&p->lexer, p->token.start, p->token.end, "the query uses more than %d fields", WATCH_QUERY_FIELDS_MAX);
    *index = p->scope->count++;
    p->scope->slot[*index] = *slot;
    p->scope->json += slot->source == SOURCE_JSON;
    return 0;
}

int query_slot_find(struct query_parser *p, struct text name, size_t start, size_t end, uint32_t *slot)
{
    static const struct {
        const char *name;
        enum query_source source;
    } systems[] = {{"@timestamp", SOURCE_TIMESTAMP}, {"@message", SOURCE_MESSAGE}, {"@logStream", SOURCE_STREAM}, {"@log", SOURCE_LOG},
        {"@ingestionTime", SOURCE_INGESTED}, {"@ptr", SOURCE_PTR}};
    for (uint32_t i = p->scope->count; i-- > 0;)
        if (text_equal(p->scope->slot[i].name, name)) {
            *slot = i;
            return 0;
        }
    if (!p->scope->events) {
        int64_t column = query_column_find(p->scope, name);
        if (column < 0)
            return query_error(&p->lexer, start, end, "unknown symbol found in or after stats: %.*s", (int)(name.len > 100 ? 100 : name.len), name.data);
        *slot = (uint32_t)column;
        return 0;
    }
    struct query_slot made = {.name = name, .source = SOURCE_JSON, .path = name};
    int64_t lambda = query_lambda_field(name);
    if (name.len && name.data[0] == '@') {
        made.source = SOURCE_NOWHERE;
        for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++)
            if (text_is(name, systems[i].name))
                made.source = systems[i].source;
        if (name.len > 1 && name.data[1] == '@') { /* a field of the message that begins with @ has one more here */
            made.source = SOURCE_JSON;
            made.path = text_make(name.data + 1, name.len - 1);
        } else if (lambda >= 0) {
            made.source = SOURCE_LAMBDA;
            made.index = (uint32_t)lambda;
        }
    }
    return query_slot_add(p, &made, slot);
}

/* ---- what is shown ---- */

int query_show(struct query_parser *p, uint32_t slot)
{
    struct query_scope *scope = p->scope;
    for (uint32_t i = 0; i < scope->shown_count; i++)
        if (scope->shown[i] == slot)
            return 0;
    if (scope->shown_count == WATCH_QUERY_FIELDS_MAX)
        return query_error(&p->lexer, p->token.start, p->token.end, "the query shows more than %d fields", WATCH_QUERY_FIELDS_MAX);
    scope->shown[scope->shown_count++] = slot;
    return 0;
}

static bool ends_command(const struct query_parser *p)
{
    return p->token.kind == TOKEN_END || query_is_sign(p, "|");
}

bool query_is_name(const struct query_parser *p)
{
    return p->token.kind == TOKEN_NAME || p->token.kind == TOKEN_QUOTED_NAME;
}

/* "as name", when it is there. */
int query_parse_alias(struct query_parser *p, struct text *name, bool *said)
{
    *said = query_is_word(p, "as");
    if (!*said)
        return 0;
    int code = query_next(p, false);
    if (code)
        return code;
    if (!query_is_name(p) || !p->token.text.len)
        return query_unexpected(p, "a name");
    *name = p->token.text;
    return query_next(p, false);
}

/* An expression with its name: the slot that it is shown as. A plain field keeps its own. */
static int parse_field(struct query_parser *p, uint32_t *slot)
{
    struct query_node *node;
    struct text name;
    bool said;
    size_t start = p->token.start;
    bool quoted = p->token.kind == TOKEN_QUOTED_NAME;
    int code = query_parse_expression(p, &node);
    if (code)
        return code;
    size_t end = p->end;
    name = query_source_text(p, start, end);
    code = query_parse_alias(p, &name, &said);
    if (code)
        return code;
    if (node->op == OP_SLOT && !said) {
        struct text shown = p->scope->slot[node->slot].name;
        if (text_equal(shown, name) || quoted || !p->scope->events) {
            *slot = node->slot;
            return 0;
        }
    }
    struct query_slot made = {.name = name, .source = SOURCE_NODE, .node = node};
    return query_slot_add(p, &made, slot);
}

static int parse_fields(struct query_parser *p, bool display)
{
    uint32_t slot = 0;
    int code;
    if (display) {
        p->scope->shown_count = 0;
        p->scope->display_said = true;
    }
    do {
        code = query_next(p, false);
        if (!code)
            code = parse_field(p, &slot);
        if (!code && (display || !p->scope->display_said))
            code = query_show(p, slot);
    } while (!code && query_is_sign(p, ","));
    p->scope->fields_said = true;
    return code;
}

/* Events are shown by their time and message when nothing else is said. */
int query_show_defaults(struct query_parser *p)
{
    uint32_t slot;
    int code = 0;
    if (p->scope->fields_said || !p->scope->events)
        return 0;
    code = query_slot_find(p, TEXT("@timestamp"), 0, 0, &slot);
    if (!code)
        code = query_show(p, slot);
    if (!code)
        code = query_slot_find(p, TEXT("@message"), 0, 0, &slot);
    if (!code)
        code = query_show(p, slot);
    p->scope->fields_said = true;
    return code;
}

/* ---- commands ---- */

static int parse_source(struct query_parser *p)
{
    do {
        int code = query_next(p, false);
        if (code)
            return code;
        if (query_is_word(p, "logGroups"))
            return query_error(&p->lexer, p->token.start, p->token.end, "SOURCE takes names of log groups here; logGroups is not supported");
        if (p->token.kind != TOKEN_TEXT && !query_is_name(p))
            return query_unexpected(p, "the name of a log group");
        if (p->query->sources == WATCH_QUERY_SOURCES_MAX)
            return query_error(&p->lexer, p->token.start, p->token.end, "a query has more than %d log groups", WATCH_QUERY_SOURCES_MAX);
        p->query->source[p->query->sources++] = p->token.text;
        code = query_next(p, false);
        if (code)
            return code;
    } while (query_is_sign(p, ","));
    return 0;
}

static int parse_command(struct query_parser *p)
{
    static const char *const known[] = {"pattern", "diff", "anomaly", "join", "lookup", "tail", "fillmissing", "transpose"};
    if (query_is_word(p, "fields") || query_is_word(p, "display"))
        return parse_fields(p, query_is_word(p, "display"));
    if (query_is_word(p, "filter") || query_is_word(p, "filterIndex"))
        return query_parse_filter(p);
    if (query_is_word(p, "stats"))
        return query_parse_stats(p);
    if (query_is_word(p, "sort"))
        return query_parse_sort(p);
    if (query_is_word(p, "limit") || query_is_word(p, "head"))
        return query_parse_limit(p);
    if (query_is_word(p, "parse"))
        return query_parse_parse(p);
    if (query_is_word(p, "dedup"))
        return query_parse_dedup(p);
    if (query_is_word(p, "unnest"))
        return query_parse_unnest(p);
    if (query_is_word(p, "source"))
        return parse_source(p);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (query_is_word(p, known[i]))
            return query_error(&p->lexer, p->token.start, p->token.end, "the command %s is not supported", known[i]);
    return query_unexpected(p, "one of fields, filter, stats, sort, limit, parse, display, dedup");
}

static int parse_commands(struct query_parser *p)
{
    size_t commands = 0;
    int code = query_next(p, false);
    if (!code && query_is_sign(p, "|"))
        code = query_next(p, false);
    if (!code && p->token.kind == TOKEN_END)
        return query_error(&p->lexer, 0, p->lexer.source.len, "the query is empty");
    while (!code) {
        if (commands++ == WATCH_QUERY_COMMANDS_MAX)
            return query_error(&p->lexer, p->token.start, p->token.end, "the query has more than %d commands", WATCH_QUERY_COMMANDS_MAX);
        code = parse_command(p);
        if (!code && !ends_command(p))
            code = query_unexpected(p, "|");
        if (code || p->token.kind == TOKEN_END)
            break;
        code = query_next(p, false);
    }
    return code;
}

/* The last stage: what a result is. */
static int close_query(struct query_parser *p, uint32_t limit)
{
    struct query_collect *collect;
    int code = query_show_defaults(p);
    if (!code)
        code = query_collect_open(p, false, &collect);
    if (code)
        return code;
    if (!limit || limit > WATCH_QUERY_LIMIT_MAX)
        limit = WATCH_QUERY_LIMIT_MAX;
    if (!collect->limit || collect->limit > limit)
        collect->limit = limit;
    if (p->scope->events) { /* rows that are events end on where they lie */
        uint32_t slot;
        code = query_slot_find(p, TEXT("@ptr"), 0, 0, &slot);
        if (!code)
            code = query_show(p, slot);
    }
    return code;
}

int watch_query_compile(struct text text, uint32_t limit, struct watch_query **out, struct watch_query_error *error)
{
    *error = (struct watch_query_error){.start = 0};
    struct watch_query *query = calloc(1, sizeof(*query));
    if (!query)
        return ERR_MEMORY;
    arena_init(&query->arena, 16 << 10, ARENA_MAX);
    struct query_parser p = {.lexer = {.source = text, .arena = &query->arena, .error = error}, .query = query};
    int code = 0;
    if (text.len > WATCH_QUERY_TEXT_MAX)
        code = query_error(&p.lexer, WATCH_QUERY_TEXT_MAX, text.len, "the query is longer than %d bytes", WATCH_QUERY_TEXT_MAX);
    if (!code) {
        p.lexer.source = arena_copy(&query->arena, text);
        p.scope = query->scope[0] = arena_zalloc(&query->arena, sizeof(*p.scope));
        query->scopes = 1;
        code = p.scope && p.lexer.source.data ? 0 : ERR_MEMORY;
    }
    if (!code) {
        p.scope->events = true;
        code = parse_commands(&p);
    }
    if (!code)
        code = close_query(&p, limit);
    if (code == ERR_MEMORY && query->arena.used > ARENA_MAX / 2)
        code = query_error(&p.lexer, 0, text.len, "the query is too complex");
    if (code) {
        watch_query_destroy(query);
        return code;
    }
    *out = query;
    return 0;
}

void watch_query_destroy(struct watch_query *query)
{
    if (!query)
        return;
    for (uint32_t i = 0; i < query->patterns; i++)
        query_pattern_free(query->pattern[i]);
    arena_fini(&query->arena);
    free(query);
}

size_t watch_query_sources(const struct watch_query *query, const struct text **out)
{
    *out = query->source;
    return query->sources;
}
