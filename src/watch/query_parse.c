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

static int show(struct query_parser *p, uint32_t slot)
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

static bool is_name_token(const struct query_parser *p)
{
    return p->token.kind == TOKEN_NAME || p->token.kind == TOKEN_QUOTED_NAME;
}

/* "as name", when it is there. */
static int parse_alias(struct query_parser *p, struct text *name, bool *said)
{
    *said = query_is_word(p, "as");
    if (!*said)
        return 0;
    int code = query_next(p, false);
    if (code)
        return code;
    if (!is_name_token(p) || !p->token.text.len)
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
    code = parse_alias(p, &name, &said);
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
            code = show(p, slot);
    } while (!code && query_is_sign(p, ","));
    p->scope->fields_said = true;
    return code;
}

/* Events are shown by their time and message when nothing else is said. */
static int show_defaults(struct query_parser *p)
{
    uint32_t slot;
    int code = 0;
    if (p->scope->fields_said || !p->scope->events)
        return 0;
    code = query_slot_find(p, TEXT("@timestamp"), 0, 0, &slot);
    if (!code)
        code = show(p, slot);
    if (!code)
        code = query_slot_find(p, TEXT("@message"), 0, 0, &slot);
    if (!code)
        code = show(p, slot);
    p->scope->fields_said = true;
    return code;
}

/* ---- stages ---- */

static int stage_add(struct query_parser *p, enum query_stage_kind kind, struct query_stage **out)
{
    struct watch_query *query = p->query;
    if (query->stages >= WATCH_QUERY_COMMANDS_MAX)
        return query_error(&p->lexer, p->token.start, p->token.end, "the query has more than %d commands", WATCH_QUERY_COMMANDS_MAX);
    *out = &query->stage[query->stages++];
    **out = (struct query_stage){.kind = kind, .scope = query->scopes - 1};
    return 0;
}

/* What sort, dedup and limit add to: the stage before this command when it is one, else a new one. */
static int collect_open(struct query_parser *p, bool again, struct query_collect **out)
{
    struct watch_query *query = p->query;
    struct query_stage *stage = query->stages ? &query->stage[query->stages - 1] : NULL;
    if (!stage || stage->kind != STAGE_COLLECT || again) {
        int code = stage_add(p, STAGE_COLLECT, &stage);
        if (code)
            return code;
        stage->collect = arena_zalloc(&query->arena, sizeof(*stage->collect));
        if (!stage->collect)
            return ERR_MEMORY;
    }
    stage->collect->slots = p->scope->count;
    *out = stage->collect;
    return 0;
}

static struct query_collect *collect_last(const struct query_parser *p)
{
    const struct watch_query *query = p->query;
    return query->stages && query->stage[query->stages - 1].kind == STAGE_COLLECT ? query->stage[query->stages - 1].collect : NULL;
}

static int parse_filter(struct query_parser *p)
{
    struct query_stage *stage;
    struct query_node *node;
    int code = query_next(p, false);
    if (!code)
        code = query_parse_expression(p, &node);
    if (!code)
        code = stage_add(p, STAGE_FILTER, &stage);
    if (!code)
        stage->filter = node;
    return code;
}

static int parse_sort(struct query_parser *p)
{
    struct query_order order[QUERY_ORDERS_MAX];
    struct query_collect *last = collect_last(p), *collect;
    size_t count = 0;
    int code;
    do {
        struct query_node *node;
        code = query_next(p, false);
        if (code)
            return code;
        if (count == QUERY_ORDERS_MAX)
            return query_error(&p->lexer, p->token.start, p->token.end, "sort has more than %d fields", QUERY_ORDERS_MAX);
        code = query_parse_expression(p, &node);
        if (code)
            return code;
        order[count] = (struct query_order){node, query_is_word(p, "desc")};
        if (query_is_word(p, "desc") || query_is_word(p, "asc"))
            code = query_next(p, false);
        count++;
    } while (!code && query_is_sign(p, ","));
    if (!code)
        code = collect_open(p, last && (last->dedups || last->limit), &collect);
    if (code)
        return code;
    memcpy(collect->order, order, count * sizeof(*order));
    collect->orders = count;
    return 0;
}

static int parse_dedup(struct query_parser *p)
{
    const struct query_node *node[QUERY_ORDERS_MAX];
    struct query_collect *last = collect_last(p), *collect;
    size_t count = 0;
    int code;
    do {
        struct query_node *made;
        code = query_next(p, false);
        if (code)
            return code;
        if (count == QUERY_ORDERS_MAX)
            return query_error(&p->lexer, p->token.start, p->token.end, "dedup has more than %d fields", QUERY_ORDERS_MAX);
        code = query_parse_expression(p, &made);
        node[count++] = made;
    } while (!code && query_is_sign(p, ","));
    if (!code)
        code = collect_open(p, last && (last->dedups || last->limit), &collect);
    if (code)
        return code;
    memcpy(collect->dedup, node, count * sizeof(*node));
    collect->dedups = count;
    return 0;
}

static int parse_limit(struct query_parser *p)
{
    struct query_collect *collect;
    uint64_t limit;
    int code = query_next(p, false);
    if (code)
        return code;
    if (p->token.kind != TOKEN_NUMBER)
        return query_unexpected(p, "a number");
    if (text_to_u64(p->token.text, WATCH_QUERY_LIMIT_MAX, &limit) || !limit)
        return query_error(&p->lexer, p->token.start, p->token.end, "the limit is not a whole number from 1 to %d", WATCH_QUERY_LIMIT_MAX);
    code = query_next(p, false);
    if (!code)
        code = collect_open(p, false, &collect);
    if (!code && (!collect->limit || limit < collect->limit))
        collect->limit = limit;
    return code;
}

/* ---- stats ---- */

static int stats_item(struct query_parser *p, struct query_stats *stats, struct query_scope *columns)
{
    struct query_node *node;
    bool said;
    size_t start = p->token.start;
    if (stats->items == QUERY_AGGREGATIONS_MAX)
        return query_error(&p->lexer, start, p->token.end, "a stats command has more than %d columns", QUERY_AGGREGATIONS_MAX);
    p->stats = stats;
    int code = query_parse_expression(p, &node);
    p->stats = NULL;
    if (code)
        return code;
    struct query_slot slot = {.source = SOURCE_COLUMN, .name = query_source_text(p, start, p->end)};
    code = parse_alias(p, &slot.name, &said);
    stats->item[stats->items++] = node;
    columns->slot[columns->count++] = slot;
    return code;
}

static int stats_by(struct query_parser *p, struct query_stats *stats, struct query_slot *column)
{
    struct query_node *node;
    bool said;
    size_t start = p->token.start;
    if (stats->bys == QUERY_BY_MAX)
        return query_error(&p->lexer, start, p->token.end, "a stats command groups by more than %d fields", QUERY_BY_MAX);
    bool quoted = p->token.kind == TOKEN_QUOTED_NAME;
    int code = query_parse_expression(p, &node);
    if (code)
        return code;
    *column = (struct query_slot){.source = SOURCE_COLUMN, .name = query_source_text(p, start, p->end)};
    if (quoted && node->op == OP_SLOT)
        column->name = p->scope->slot[node->slot].name;
    code = parse_alias(p, &column->name, &said);
    stats->by[stats->bys++] = node;
    return code;
}

static int parse_stats(struct query_parser *p)
{
    struct query_stage *stage;
    struct watch_query *query = p->query;
    if (query->scopes > QUERY_STATS_MAX)
        return query_error(&p->lexer, p->token.start, p->token.end, "a query has more than %d stats commands", QUERY_STATS_MAX);
    struct query_stats *stats = arena_zalloc(&query->arena, sizeof(*stats));
    struct query_scope *columns = arena_zalloc(&query->arena, sizeof(*columns)), items = {.count = 0};
    struct query_slot by;
    if (!stats || !columns)
        return ERR_MEMORY;
    int code;
    do {
        code = query_next(p, false);
        if (!code)
            code = stats_item(p, stats, &items);
    } while (!code && query_is_sign(p, ","));
    if (!code && query_is_word(p, "by"))
        do {
            code = query_next(p, false);
            if (!code)
                code = stats_by(p, stats, &by);
            if (!code)
                columns->slot[columns->count++] = by;
        } while (!code && query_is_sign(p, ","));
    if (!code)
        code = stage_add(p, STAGE_STATS, &stage);
    if (code)
        return code;
    stage->stats = stats;
    memcpy(columns->slot + columns->count, items.slot, items.count * sizeof(items.slot[0]));
    columns->count += items.count;
    for (uint32_t i = 0; i < columns->count; i++)
        columns->shown[i] = i;
    columns->shown_count = columns->count;
    query->scope[query->scopes++] = columns;
    p->scope = columns;
    return 0;
}

/* ---- parse ---- */

static int parse_part(struct query_parser *p, const struct query_parse *parse, struct text name, size_t part)
{
    uint32_t slot = 0;
    struct query_slot made = {.name = name, .source = SOURCE_PARSE, .parse = parse, .part = (uint32_t)part};
    int code = query_slot_add(p, &made, &slot);
    return code || p->scope->display_said ? code : show(p, slot);
}

static int parse_part_names(struct query_parser *p, struct query_parse *parse)
{
    size_t want = query_pattern_parts(parse->pattern), part = 0;
    int code = query_is_word(p, "as") ? 0 : query_unexpected(p, "as");
    while (!code) {
        code = query_next(p, false);
        if (!code && (!is_name_token(p) || !p->token.text.len))
            code = query_unexpected(p, "a name");
        if (!code && part == want)
            code = query_error(&p->lexer, p->token.start, p->token.end, "the pattern has %zu wildcards and more names", want);
        if (!code)
            code = parse_part(p, parse, p->token.text, part++);
        if (!code)
            code = query_next(p, false);
        if (code || !query_is_sign(p, ","))
            break;
    }
    if (!code && part < want)
        code = query_error(&p->lexer, p->token.start, p->token.end, "the pattern has %zu wildcards and %zu names", want, part);
    return code;
}

static int parse_pattern(struct query_parser *p, struct query_parse *parse)
{
    struct query_token token = p->token;
    struct err error = {.code = 0};
    size_t where = 0;
    bool regex = token.kind == TOKEN_REGEX;
    if (!regex && token.kind != TOKEN_TEXT)
        return query_unexpected(p, "a pattern");
    parse->pattern = regex ? query_pattern_regex(token.text, &error, &where) : query_pattern_glob(token.text, &error);
    if (!parse->pattern && error.code == ERR_MEMORY)
        return ERR_MEMORY;
    if (!parse->pattern)
        return query_error(&p->lexer, token.start + (regex ? 1 + where : 0), token.end, "the pattern is not valid: %s,", error.text);
    int code = query_pattern_keep(p, parse->pattern);
    if (!code && regex && !query_pattern_parts(parse->pattern))
        code = query_error(&p->lexer, token.start, token.end, "the regular expression has no named group (?<name>...)");
    if (!code)
        code = query_next(p, false);
    parse->slot = p->scope->count;
    if (code || !regex)
        return code ? code : parse_part_names(p, parse);
    for (size_t i = 0; !code && i < query_pattern_parts(parse->pattern); i++)
        code = parse_part(p, parse, query_pattern_part_name(parse->pattern, i), i);
    return code;
}

/* parse [field] "pattern" as a, b | parse [field] /(?<a>...)/ */
static int parse_parse(struct query_parser *p)
{
    struct query_parse *parse = arena_zalloc(&p->query->arena, sizeof(*parse));
    if (!parse)
        return ERR_MEMORY;
    int code = show_defaults(p);
    if (!code)
        code = query_next(p, true);
    if (code)
        return code;
    if (p->token.kind == TOKEN_TEXT || p->token.kind == TOKEN_REGEX) {
        parse->from = query_node_make(p, OP_SLOT, 0);
        if (!parse->from)
            return ERR_MEMORY;
        code = query_slot_find(p, TEXT("@message"), p->token.start, p->token.end, &parse->from->slot);
    } else if (is_name_token(p) && !query_lex_call(&p->lexer)) { /* a name; what follows may begin with a slash */
        parse->from = query_node_make(p, OP_SLOT, 0);
        if (!parse->from)
            return ERR_MEMORY;
        code = query_slot_find(p, p->token.text, p->token.start, p->token.end, &parse->from->slot);
        if (!code)
            code = query_next(p, true);
    } else {
        return query_unexpected(p, "a field or a pattern");
    }
    return code ? code : parse_pattern(p, parse);
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
        if (p->token.kind != TOKEN_TEXT && !is_name_token(p))
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
    static const char *const known[] = {"pattern", "diff", "anomaly", "join", "lookup", "unnest", "tail", "fillmissing", "transpose"};
    if (query_is_word(p, "fields") || query_is_word(p, "display"))
        return parse_fields(p, query_is_word(p, "display"));
    if (query_is_word(p, "filter") || query_is_word(p, "filterIndex"))
        return parse_filter(p);
    if (query_is_word(p, "stats"))
        return parse_stats(p);
    if (query_is_word(p, "sort"))
        return parse_sort(p);
    if (query_is_word(p, "limit") || query_is_word(p, "head"))
        return parse_limit(p);
    if (query_is_word(p, "parse"))
        return parse_parse(p);
    if (query_is_word(p, "dedup"))
        return parse_dedup(p);
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
    int code = show_defaults(p);
    if (!code)
        code = collect_open(p, false, &collect);
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
            code = show(p, slot);
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
