/*
 * Expressions: text to a tree of nodes. From loose to tight: or; and; not; comparison, like, in; + -; * / %; ^; a sign.
 *
 * Behind a stats a call may name a column: `stats count(*) by host | sort count(*)` sorts by that column, which was called by its text.
 */
#include "watch/query_inside.h"

#include <stdlib.h>

#define NEST_MAX 120 /* of the parser: parentheses and calls count twice */

static int parse_or(struct query_parser *p, struct query_node **out);

int query_next(struct query_parser *p, bool regex)
{
    p->end = p->token.end;
    return query_lex(&p->lexer, regex, &p->token);
}

bool query_is_sign(const struct query_parser *p, const char *sign)
{
    return p->token.kind == TOKEN_SIGN && text_is(p->token.text, sign);
}

bool query_is_word(const struct query_parser *p, const char *word)
{
    return p->token.kind == TOKEN_NAME && text_equal_nocase(p->token.text, text_of(word));
}

int query_unexpected(struct query_parser *p, const char *expected)
{
    struct text source = p->lexer.source;
    if (p->token.kind == TOKEN_END)
        return query_error(&p->lexer, p->token.start, p->token.end, "unexpected end of the query, expecting %s,", expected);
    size_t len = p->token.end - p->token.start;
    return query_error(&p->lexer, p->token.start, p->token.end, "unexpected symbol found %.*s, expecting %s,", (int)(len > 60 ? 60 : len),
        source.data + p->token.start, expected);
}

int query_expect_sign(struct query_parser *p, const char *sign, bool regex)
{
    return query_is_sign(p, sign) ? query_next(p, regex) : query_unexpected(p, sign);
}

struct query_node *query_node_make(struct query_parser *p, enum query_op op, size_t args)
{
    struct query_node *node = arena_zalloc(&p->query->arena, sizeof(*node));
    if (!node || (args && !(node->args = arena_array(&p->query->arena, args, sizeof(*node->args)))))
        return NULL;
    node->op = op;
    node->count = args;
    return node;
}

/* The depth of a node whose arguments are set. */
static int settle(struct query_parser *p, struct query_node *node)
{
    for (size_t i = 0; i < node->count; i++)
        if (node->args[i]->depth + 1 > node->depth)
            node->depth = (uint16_t)(node->args[i]->depth + 1);
    return node->depth > WATCH_QUERY_DEPTH_MAX ? query_error(&p->lexer, p->token.start, p->token.end, "the expression is nested too deeply") : 0;
}

static int binary(struct query_parser *p, enum query_op op, struct query_node *left, struct query_node *right, struct query_node **out)
{
    struct query_node *node = query_node_make(p, op, 2);
    if (!node)
        return ERR_MEMORY;
    node->args[0] = left;
    node->args[1] = right;
    *out = node;
    return settle(p, node);
}

static int unary(struct query_parser *p, enum query_op op, struct query_node *inner, struct query_node **out)
{
    struct query_node *node = query_node_make(p, op, 1);
    if (!node)
        return ERR_MEMORY;
    node->args[0] = inner;
    *out = node;
    return settle(p, node);
}

static int literal(struct query_parser *p, struct query_value value, struct query_node **out)
{
    struct query_node *node = query_node_make(p, OP_LITERAL, 0);
    if (!node)
        return ERR_MEMORY;
    node->value = value;
    *out = node;
    return query_next(p, false);
}

/* ---- names and calls ---- */

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
            int code = unary(p, OP_PATH, from, out);
            (*out)->value = query_text(text_make(name.data + dot + 1, name.len - dot - 1));
            return code;
        }
    }
    return 0;
}

static int parse_name(struct query_parser *p, struct query_node **out)
{
    struct query_token token = p->token;
    bool found;
    if (token.kind == TOKEN_NAME && (query_is_word(p, "true") || query_is_word(p, "false")))
        return literal(p, query_bool(query_is_word(p, "true")), out);
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
            code = literal(p, QUERY_NOTHING, &args->node[args->count]);
        } else {
            code = parse_or(p, &args->node[args->count]);
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
    code = unary(p, OP_CALL, time, out);
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
    return settle(p, node);
}

static int parse_call(struct query_parser *p, struct query_token name, struct query_node **out)
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

/* ---- operators ---- */

static int parse_primary(struct query_parser *p, struct query_node **out)
{
    struct query_token token = p->token;
    double number;
    int code;
    switch (token.kind) {
    case TOKEN_TEXT:
        return literal(p, query_text(token.text), out);
    case TOKEN_NUMBER:
        if (!query_parse_number(token.text, &number))
            return query_error(&p->lexer, token.start, token.end, "the number is too large");
        return literal(p, (struct query_value){QUERY_NUMBER, number, token.text}, out);
    case TOKEN_QUOTED_NAME:
        return parse_name(p, out);
    case TOKEN_NAME:
        if (!query_lex_call(&p->lexer))
            return parse_name(p, out);
        code = query_next(p, false);
        return code ? code : parse_call(p, token, out);
    default:
        break;
    }
    if (!query_is_sign(p, "("))
        return query_unexpected(p, "an expression");
    code = query_next(p, false);
    if (!code)
        code = parse_or(p, out);
    return code ? code : query_expect_sign(p, ")", false);
}

static int parse_signed(struct query_parser *p, struct query_node **out)
{
    size_t minus = 0;
    int code = 0;
    while (!code && (query_is_sign(p, "-") || query_is_sign(p, "+"))) {
        minus += query_is_sign(p, "-");
        code = query_next(p, false);
    }
    if (!code)
        code = parse_primary(p, out);
    return !code && minus % 2 ? unary(p, OP_NEGATE, *out, out) : code;
}

/* To the right: 2 ^ 3 ^ 2 is 2 ^ 9. */
static int parse_power(struct query_parser *p, struct query_node **out)
{
    struct query_node *right;
    if (++p->depth > NEST_MAX)
        return query_error(&p->lexer, p->token.start, p->token.end, "the expression is nested too deeply");
    int code = parse_signed(p, out);
    if (!code && query_is_sign(p, "^")) {
        code = query_next(p, false);
        if (!code)
            code = parse_power(p, &right);
        if (!code)
            code = binary(p, OP_POW, *out, right, out);
    }
    p->depth--;
    return code;
}

struct level {
    const char *sign;
    enum query_op op;
};

static int parse_left(struct query_parser *p, const struct level *level, size_t count, int (*tighter)(struct query_parser *, struct query_node **), struct query_node **out)
{
    int code = tighter(p, out);
    for (size_t i = 0; !code && i < count;) {
        struct query_node *right;
        if (!query_is_sign(p, level[i].sign)) {
            i++;
            continue;
        }
        code = query_next(p, false);
        if (!code)
            code = tighter(p, &right);
        if (!code)
            code = binary(p, level[i].op, *out, right, out);
        i = 0;
    }
    return code;
}

static int parse_product(struct query_parser *p, struct query_node **out)
{
    static const struct level level[] = {{"*", OP_MUL}, {"/", OP_DIV}, {"%", OP_MOD}};
    return parse_left(p, level, 3, parse_power, out);
}

static int parse_sum(struct query_parser *p, struct query_node **out)
{
    static const struct level level[] = {{"+", OP_ADD}, {"-", OP_SUB}};
    return parse_left(p, level, 2, parse_product, out);
}

int query_pattern_keep(struct query_parser *p, struct query_pattern *pattern)
{
    if (p->query->patterns == sizeof(p->query->pattern) / sizeof(p->query->pattern[0])) {
        query_pattern_free(pattern);
        return query_error(&p->lexer, p->token.start, p->token.end, "the query has too many patterns");
    }
    p->query->pattern[p->query->patterns++] = pattern;
    return 0;
}

/* like "text", like /regex/, =~ /regex/; the operator was read with a regular expression allowed. */
static int parse_match(struct query_parser *p, struct query_node *left, struct query_node **out)
{
    struct query_token token = p->token;
    struct query_pattern *pattern;
    struct err error;
    size_t where = 0;
    int code;
    if (token.kind != TOKEN_REGEX && token.kind != TOKEN_TEXT) { /* a substring that is known for each event only */
        struct query_node *right;
        code = parse_sum(p, &right);
        return code ? code : binary(p, OP_CONTAINS, left, right, out);
    }
    pattern = token.kind == TOKEN_TEXT ? query_pattern_literal(token.text) : query_pattern_regex(token.text, &error, &where);
    if (!pattern && token.kind == TOKEN_REGEX && error.code != ERR_MEMORY)
        return query_error(&p->lexer, token.start + 1 + where, token.end, "the regular expression is not valid: %s,", error.text);
    code = pattern ? query_pattern_keep(p, pattern) : ERR_MEMORY;
    if (!code)
        code = unary(p, OP_MATCH, left, out);
    if (code)
        return code;
    (*out)->pattern = pattern;
    return query_next(p, false);
}

static int parse_in(struct query_parser *p, struct query_node *left, struct query_node **out)
{
    struct query_node **list = NULL;
    size_t count = 0, room = 0;
    int code = query_expect_sign(p, "[", false);
    while (!code) {
        if (count == room) {
            size_t more = room ? room * 2 : 16;
            struct query_node **grown = arena_array(&p->query->arena, more, sizeof(*grown));
            if (!grown)
                return ERR_MEMORY;
            if (count)
                memcpy(grown, list, count * sizeof(*grown));
            list = grown;
            room = more;
            if (!count)
                list[count++] = left;
        }
        code = parse_sum(p, &list[count]);
        count += !code;
        if (code || query_is_sign(p, "]"))
            break;
        code = query_expect_sign(p, ",", false);
    }
    if (!code)
        code = query_expect_sign(p, "]", false);
    struct query_node *node = code ? NULL : query_node_make(p, OP_IN, 0);
    if (!node)
        return code ? code : ERR_MEMORY;
    node->args = list;
    node->count = count;
    *out = node;
    return settle(p, node);
}

static int parse_comparison(struct query_parser *p, struct query_node **out)
{
    static const struct level level[] = {{"=", OP_EQ}, {"!=", OP_NE}, {"<", OP_LT}, {"<=", OP_LE}, {">", OP_GT}, {">=", OP_GE}};
    struct query_node *right;
    int code = parse_sum(p, out);
    if (code)
        return code;
    for (size_t i = 0; i < sizeof(level) / sizeof(level[0]); i++)
        if (query_is_sign(p, level[i].sign)) {
            code = query_next(p, false);
            if (!code)
                code = parse_sum(p, &right);
            return code ? code : binary(p, level[i].op, *out, right, out);
        }
    if (query_is_sign(p, "=~")) {
        code = query_next(p, true);
        return code ? code : parse_match(p, *out, out);
    }
    bool negated = query_is_word(p, "not");
    if (negated)
        code = query_next(p, false);
    if (!code && query_is_word(p, "like")) {
        code = query_next(p, true);
        if (!code)
            code = parse_match(p, *out, out);
    } else if (!code && query_is_word(p, "in")) {
        code = query_next(p, false);
        if (!code)
            code = parse_in(p, *out, out);
    } else if (!code && negated) {
        code = query_unexpected(p, "like or in");
    }
    return !code && negated ? unary(p, OP_NOT, *out, out) : code;
}

static int parse_not(struct query_parser *p, struct query_node **out)
{
    if (!query_is_word(p, "not"))
        return parse_comparison(p, out);
    if (++p->depth > NEST_MAX)
        return query_error(&p->lexer, p->token.start, p->token.end, "the expression is nested too deeply");
    int code = query_next(p, false);
    if (!code)
        code = parse_not(p, out);
    p->depth--;
    return code ? code : unary(p, OP_NOT, *out, out);
}

/* a or b or c is one node: a long list of alternatives is not a deep tree. */
static int parse_list(struct query_parser *p, const char *word, enum query_op op, int (*tighter)(struct query_parser *, struct query_node **), struct query_node **out)
{
    int code = tighter(p, out);
    struct query_node *node = NULL;
    size_t room = 0;
    while (!code && query_is_word(p, word)) {
        if (!node) {
            node = query_node_make(p, op, room = 4);
            if (!node)
                return ERR_MEMORY;
            node->args[0] = *out;
            node->count = 1;
        }
        if (node->count == room) {
            struct query_node **grown = arena_array(&p->query->arena, room *= 2, sizeof(*grown));
            if (!grown)
                return ERR_MEMORY;
            memcpy(grown, node->args, node->count * sizeof(*grown));
            node->args = grown;
        }
        code = query_next(p, false);
        if (!code)
            code = tighter(p, &node->args[node->count]);
        node->count += !code;
    }
    if (code || !node)
        return code;
    *out = node;
    return settle(p, node);
}

static int parse_and(struct query_parser *p, struct query_node **out)
{
    return parse_list(p, "and", OP_AND, parse_not, out);
}

static int parse_or(struct query_parser *p, struct query_node **out)
{
    if (++p->depth > NEST_MAX)
        return query_error(&p->lexer, p->token.start, p->token.end, "the expression is nested too deeply");
    int code = parse_list(p, "or", OP_OR, parse_and, out);
    p->depth--;
    return code;
}

int query_parse_expression(struct query_parser *p, struct query_node **out)
{
    return parse_or(p, out);
}
