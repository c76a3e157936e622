/*
 * Commands that become stages: filter, sort, dedup, limit, unnest, stats, and parse, which makes fields.
 *
 * sort, dedup and limit next to each other are one stage, since together they need the least memory: of `sort x | limit 20` only 20 rows are ever held.
 */
#include "watch/query_inside.h"

#include <stdlib.h>

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
int query_collect_open(struct query_parser *p, bool again, struct query_collect **out)
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

int query_parse_filter(struct query_parser *p)
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

int query_parse_sort(struct query_parser *p)
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
        code = query_collect_open(p, last && (last->dedups || last->limit), &collect);
    if (code)
        return code;
    memcpy(collect->order, order, count * sizeof(*order));
    collect->orders = count;
    return 0;
}

int query_parse_dedup(struct query_parser *p)
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
        code = query_collect_open(p, last && (last->dedups || last->limit), &collect);
    if (code)
        return code;
    memcpy(collect->dedup, node, count * sizeof(*node));
    collect->dedups = count;
    return 0;
}

int query_parse_limit(struct query_parser *p)
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
        code = query_collect_open(p, false, &collect);
    if (!code && (!collect->limit || limit < collect->limit))
        collect->limit = limit;
    return code;
}

/* ---- unnest ---- */

/* unnest expression into name */
int query_parse_unnest(struct query_parser *p)
{
    struct query_stage *stage = NULL;
    struct query_node *node;
    struct query_slot made = {.source = SOURCE_COLUMN};
    int code = query_next(p, false);
    if (!code)
        code = query_parse_expression(p, &node);
    if (!code)
        code = query_is_word(p, "into") ? query_next(p, false) : query_unexpected(p, "into");
    if (!code && (!query_is_name(p) || !p->token.text.len))
        code = query_unexpected(p, "a name");
    if (!code)
        code = stage_add(p, STAGE_UNNEST, &stage);
    if (code)
        return code;
    stage->filter = node;
    made.name = p->token.text;
    code = query_slot_add(p, &made, &stage->slot);
    if (!code && !p->scope->display_said)
        code = query_show(p, stage->slot);
    return code ? code : query_next(p, false);
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
    code = query_parse_alias(p, &slot.name, &said);
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
    code = query_parse_alias(p, &column->name, &said);
    stats->by[stats->bys++] = node;
    return code;
}

int query_parse_stats(struct query_parser *p)
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
    return code || p->scope->display_said ? code : query_show(p, slot);
}

static int parse_part_names(struct query_parser *p, struct query_parse *parse)
{
    size_t want = query_pattern_parts(parse->pattern), part = 0;
    int code = query_is_word(p, "as") ? 0 : query_unexpected(p, "as");
    while (!code) {
        code = query_next(p, false);
        if (!code && (!query_is_name(p) || !p->token.text.len))
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
int query_parse_parse(struct query_parser *p)
{
    struct query_parse *parse = arena_zalloc(&p->query->arena, sizeof(*parse));
    if (!parse)
        return ERR_MEMORY;
    int code = query_show_defaults(p);
    if (!code)
        code = query_next(p, true);
    if (code)
        return code;
    if (p->token.kind == TOKEN_TEXT || p->token.kind == TOKEN_REGEX) {
        parse->from = query_node_make(p, OP_SLOT, 0);
        if (!parse->from)
            return ERR_MEMORY;
        code = query_slot_find(p, TEXT("@message"), p->token.start, p->token.end, &parse->from->slot);
    } else if (query_is_name(p) && !query_lex_call(&p->lexer)) { /* a name; what follows may begin with a slash */
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
