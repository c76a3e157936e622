/*
 * Names and calls in expressions: fields, members of what jsonParse has made, functions, and the aggregates of stats.
 *
 * Behind a stats a call may name a column: `stats count(*) by host | sort count(*)` sorts by that column, which was called by its text.
 */
#include "watch/query_inside.h"

#include <stdlib.h>

int64_t query_column_find(const struct query_scope *scope, struct text text)
{
    for (uint32_t i = scope->count; i-- > 0;) {
        struct text name = scope->slot[i].name;
        size_t a = 0, b = 0;
        while (a < name.len || b < text.len) {
            if (a < name.len && strchr(" \t\n\r", name.data[a])) {
                a++;
            } else if (b < text.len && strchr(" \t\n\r", text.data[b])) {
                b++;
            } else if (a < name.len && b < text.len && text_equal_nocase(text_make(name.data + a, 1), text_make(text.data + b, 1))) {
                a++;
                b++;
            } else {
                break;
            }
        }
        if (a == name.len && b == text.len)
            return i;
    }
    return -1;
}

struct text query_source_text(const struct query_parser *p, size_t start, size_t end)
{
    return text_make(p->lexer.source.data + start, end - start);
}

/* An alias of jsonParse has members: alias.member. */
static int parse_member(struct query_parser *p, struct text name, struct query_node **out, bool *found)
{
    *found = false;
    for (size_t dot = name.len; dot-- > 1;) {
        if (name.data[dot] != '.')
            continue;
        for (uint32_t i = p->scope->count; i-- > 0;) {
            const struct query_slot *slot = &p->scope->slot[i];
            if ((slot->source != SOURCE_NODE && slot->source != SOURCE_PARSE && slot->source != SOURCE_COLUMN) || !text_equal(slot->name, text_make(name.data, dot)))
                continue;
            struct query_node *from = query_node_make(p, OP_SLOT, 0);
            if (!from)
                return ERR_MEMORY;
            from->slot = i;
            *found = true;
            int code = query_node_unary(p, OP_PATH, from, out);
            (*out)->value = query_text(text_make(name.data + dot + 1, name.len - dot - 1));
            return code;
        }
    }
    return 0;
}

int query_parse_name(struct query_parser *p, struct query_node **out)
{
    struct query_token token = p->token;
    bool found;
    if (token.kind == TOKEN_NAME && (query_is_word(p, "true") || query_is_word(p, "false")))
        return query_parse_literal(p, query_bool(query_is_word(p, "true")), out);
    if (p->stats && !p->in_aggregate)
        return query_error(&p->lexer, token.start, token.end, "%.*s stands outside of an aggregate function", (int)(token.text.len > 100 ? 100 : token.text.len), token.text.data);
    int code = query_column_find(p->scope, token.text) < 0 ? parse_member(p, token.text, out, &found) : (found = false, 0);
    if (!code && !found) {
        struct query_node *node = query_node_make(p, OP_SLOT, 0);
        if (!node)
            return ERR_MEMORY;
        *out = node;
        code = query_slot_find(p, token.text, token.start, token.end, &node->slot);
    }
    return code ? code : query_next(p, false);
}

static const struct {
    const char *name;
    size_t least, most;
} function_table[] = {
#define X(name, least, most) {#name, least, most},
    QUERY_FUNCTIONS(X)
#undef X
}, aggregate_table[] = {
#define X(name, least, most) {#name, least, most},
    QUERY_AGGREGATES(X)
#undef X
};

static int find_function(struct text name)
{
    for (int i = 0; i < FUNCTION_COUNT; i++)
        if (text_equal_nocase(name, text_of(function_table[i].name)))
            return i;
    return -1;
}

static int find_aggregate(struct text name)
{
    for (int i = 0; i < AGGREGATE_COUNT; i++)
        if (text_equal_nocase(name, text_of(aggregate_table[i].name)))
            return i;
    return -1;
}

static int check_count(struct query_parser *p, struct query_token name, size_t count, size_t least, size_t most)
{
    if (count >= least && count <= most)
        return 0;
    return query_error(&p->lexer, name.start, p->token.end, "%.*s takes %zu to %zu arguments and has %zu", (int)name.text.len, name.text.data, least, most, count);
}

#define ARGS_MAX 64
struct args {
    struct query_node *node[ARGS_MAX];
    size_t count;
    bool star;
    struct query_period period;
    bool has_period;
};

/* From behind the opening parenthesis to behind the closing one. */
static int parse_args(struct query_parser *p, bool aggregate, struct args *args)
{
    *args = (struct args){.count = 0};
    int code = 0;
    if (aggregate && query_is_sign(p, "*")) {
        args->star = true;
        code = query_next(p, false);
    }
    while (!code && !query_is_sign(p, ")")) {
        if (args->star || args->count == ARGS_MAX)
            return query_unexpected(p, ")");
        if (p->token.kind == TOKEN_PERIOD) {
            args->period = p->token.period;
            args->has_period = true;
            code = query_parse_literal(p, QUERY_NOTHING, &args->node[args->count]);
        } else {
            code = query_parse_expression(p, &args->node[args->count]);
        }
        args->count++;
        if (code || query_is_sign(p, ")"))
            break;
        code = query_expect_sign(p, ",", false);
        if (!code && query_is_sign(p, ")"))
            code = query_unexpected(p, "an expression");
    }
    return code ? code : query_expect_sign(p, ")", false);
}

static int parse_aggregate(struct query_parser *p, struct query_token name, enum query_aggregate kind, struct query_node **out)
{
    struct args args;
    if (!p->stats || p->in_aggregate)
        return query_error(&p->lexer, name.start, name.end, "%.*s is an aggregate function and belongs into stats", (int)name.text.len, name.text.data);
    p->in_aggregate = true;
    int code = parse_args(p, true, &args);
    p->in_aggregate = false;
    if (!code && args.has_period)
        code = query_error(&p->lexer, name.start, p->end, "%.*s takes no period", (int)name.text.len, name.text.data);
    if (!code && !(args.star && kind == AGGREGATE_count))
        code = check_count(p, name, args.count, aggregate_table[kind].least, aggregate_table[kind].most);
    if (code)
        return code;
    if (p->stats->aggregations == QUERY_AGGREGATIONS_MAX)
        return query_error(&p->lexer, name.start, name.end, "a stats command has more than %d aggregate functions", QUERY_AGGREGATIONS_MAX);
    struct query_aggregation *made = &p->stats->aggregation[p->stats->aggregations];
    *made = (struct query_aggregation){.kind = kind, .arg = args.count ? args.node[0] : NULL};
    if (kind == AGGREGATE_pct) {
        double share;
        if (args.node[1]->op != OP_LITERAL || !query_to_number(&args.node[1]->value, &share) || !(share >= 0 && share <= 100))
            return query_error(&p->lexer, name.start, p->end, "pct takes a percentage from 0 to 100");
        made->share = share / 100;
    }
    struct query_node *node = query_node_make(p, OP_AGGREGATE, 0);
    if (!node)
        return ERR_MEMORY;
    node->slot = (uint32_t)p->stats->aggregations++;
    *out = node;
    return 0;
}

/* bin(5m) is datefloor(@timestamp, 5m). */
static int parse_bin(struct query_parser *p, struct query_token name, const struct args *args, struct query_node **out)
{
    uint32_t slot;
    if (args->count != 1 || !args->has_period)
        return query_error(&p->lexer, name.start, p->end, "bin takes a period such as 5m");
    int code = query_slot_find(p, TEXT("@timestamp"), name.start, p->end, &slot);
    struct query_node *time = code ? NULL : query_node_make(p, OP_SLOT, 0);
    if (!time)
        return code ? code : ERR_MEMORY;
    time->slot = slot;
    code = query_node_unary(p, OP_CALL, time, out);
    (*out)->function = FUNCTION_datefloor;
    (*out)->period = args->period;
    return code;
}

static int parse_function(struct query_parser *p, struct query_token name, enum query_function function, struct query_node **out)
{
    struct args args;
    bool takes_period = function == FUNCTION_bin || function == FUNCTION_datefloor || function == FUNCTION_dateceil;
    int code = parse_args(p, false, &args);
    if (code)
        return code;
    if (function == FUNCTION_bin)
        return parse_bin(p, name, &args, out);
    code = check_count(p, name, args.count, function_table[function].least, function_table[function].most);
    if (!code && args.has_period != takes_period)
        code = query_error(&p->lexer, name.start, p->end, takes_period ? "%.*s takes a period such as 5m" : "%.*s takes no period", (int)name.text.len, name.text.data);
    struct query_node *node = code ? NULL : query_node_make(p, OP_CALL, args.count);
    if (!node)
        return code ? code : ERR_MEMORY;
    node->function = function;
    node->period = args.period;
    for (size_t i = 0; i < args.count; i++)
        node->args[i] = args.node[i];
    *out = node;
    return query_node_settle(p, node);
}

int query_parse_call(struct query_parser *p, struct query_token name, struct query_node **out)
{
    int aggregate = find_aggregate(name.text), function = find_function(name.text);
    int code;
    if (!p->scope->events && !p->stats) { /* the text of a column? */
        struct query_parser back = *p;
        size_t depth = 1;
        code = query_next(p, false);
        while (!code && p->token.kind != TOKEN_END && depth) {
            depth += query_is_sign(p, "(") ? 1 : query_is_sign(p, ")") ? (size_t)-1 : 0;
            code = query_next(p, false);
        }
        int64_t column = code ? -1 : query_column_find(p->scope, query_source_text(p, name.start, p->end));
        if (column >= 0) {
            struct query_node *node = query_node_make(p, OP_SLOT, 0);
            if (!node)
                return ERR_MEMORY;
            node->slot = (uint32_t)column;
            *out = node;
            return 0;
        }
        *p = back;
    }
    code = query_next(p, false);
    if (code)
        return code;
    if (aggregate >= 0)
        return parse_aggregate(p, name, (enum query_aggregate)aggregate, out);
    if (function >= 0)
        return parse_function(p, name, (enum query_function)function, out);
    return query_error(&p->lexer, name.start, name.end, "unknown function %.*s", (int)(name.text.len > 100 ? 100 : name.text.len), name.text.data);
}
