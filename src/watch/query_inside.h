/*
 * What the files query_*.c share beside query.h.
 *
 * A query is a list of stages: filters, which pass a row on or not; and sinks (stats; or sort, dedup and limit together), which keep rows and give them on at the end.
 * Everything else is a matter of names. A name stands for a slot, and a slot's value is made when it is asked for: a system field, a field of the JSON in the message, a column
 * of the stats before, an expression, a part of a parse. So `fields`, `parse` and `display` cost nothing for an event that the filter behind them drops, and no JSON is looked
 * at unless a name asks for it. Each `as` makes a slot of its own; an older slot of that name stays what it was for those that refer to it.
 */
#ifndef WEIR_WATCH_QUERY_INSIDE_H
#define WEIR_WATCH_QUERY_INSIDE_H

#include "base/buf.h"
#include "base/json.h"
#include "base/map.h"
#include "watch/query.h"
#include "watch/sketch.h"

/* ---- values: query_value.c ---- */

enum query_type { QUERY_NONE, QUERY_NUMBER, QUERY_TEXT, QUERY_TIME, QUERY_BOOL };
struct query_value {
    enum query_type type;
    double number;    /* NUMBER; TIME: ms since the epoch; BOOL: 0 or 1 */
    struct text text; /* TEXT; NUMBER: as it was written, or empty */
};
#define QUERY_NOTHING ((struct query_value){QUERY_NONE, 0, {NULL, 0}})
static inline struct query_value query_number(double number)
{
    return (struct query_value){QUERY_NUMBER, number, TEXT_NONE};
}
static inline struct query_value query_text(struct text text)
{
    return (struct query_value){QUERY_TEXT, 0, text};
}
static inline struct query_value query_time(double ms)
{
    return (struct query_value){QUERY_TIME, ms, TEXT_NONE};
}
static inline struct query_value query_bool(bool truth)
{
    return (struct query_value){QUERY_BOOL, truth, TEXT_NONE};
}
/* Decimal notation with exponent, the whole text. */
bool query_parse_number(struct text text, double *out);
/* Texts that are numbers count as such. */
bool query_to_number(const struct query_value *value, double *out);
bool query_to_bool(const struct query_value *value);
#define QUERY_TEXT_ROOM 40 /* bytes for the text of what is no text */
/* The value's text; `room` is used where it has none of its own. */
struct text query_to_text(const struct query_value *value, char room[QUERY_TEXT_ROOM]);
/* <0, 0, >0: as numbers, as times, or as texts. Nothing comes first. */
int query_compare(const struct query_value *a, const struct query_value *b);

/* ---- periods: query_time.c ---- */

enum query_unit { QUERY_MS, QUERY_WEEK, QUERY_MONTH }; /* of fixed length; weeks begin on Monday; months also for quarters and years */
struct query_period {
    enum query_unit unit;
    int64_t count; /* milliseconds, weeks or months; > 0 */
};
/* "5m", "1h": the digits and the unit's name. False: no such unit, or too large. */
bool query_period_parse(struct text digits, struct text unit, struct query_period *out);
double query_time_floor(double ms, const struct query_period *period);
double query_time_ceil(double ms, const struct query_period *period);
/* "2026-11-20 19:31:23.000" */
size_t query_time_format(double ms, char *out);
bool query_time_parse(struct text text, double *ms);

/* ---- patterns: query_pattern.c ---- */

struct query_pattern;
struct query_matcher; /* of a run */
/* Lives until query_pattern_free. NULL with *error filled (where: the offset in the text). `names`: how many named groups it has. */
struct query_pattern *query_pattern_regex(struct text regex, struct err *error, size_t *where);
struct query_pattern *query_pattern_glob(struct text glob, struct err *error);
struct query_pattern *query_pattern_literal(struct text text);
void query_pattern_free(struct query_pattern *pattern);
size_t query_pattern_parts(const struct query_pattern *pattern); /* asterisks, or named groups; those of a regex by their place */
struct text query_pattern_part_name(const struct query_pattern *pattern, size_t part);
struct query_matcher *query_matcher_create(void);
void query_matcher_free(struct query_matcher *matcher);
bool query_matcher_gave_up(const struct query_matcher *matcher); /* a pattern met its limit of steps */
bool query_pattern_find(const struct query_pattern *pattern, struct query_matcher *matcher, struct text text);
/* Fills parts[query_pattern_parts]; data NULL: that group took no part. */
bool query_pattern_take(const struct query_pattern *pattern, struct query_matcher *matcher, struct text text, struct text *parts);
/* The first place of `needle` at or behind `from`, or -1. */
ptrdiff_t query_find_text(struct text text, struct text needle, size_t from);

/* ---- tokens: query_lex.c ---- */

enum query_token_kind { TOKEN_END, TOKEN_NAME, TOKEN_QUOTED_NAME, TOKEN_NUMBER, TOKEN_PERIOD, TOKEN_TEXT, TOKEN_REGEX, TOKEN_SIGN };
struct query_token {
    enum query_token_kind kind;
    size_t start, end;          /* bytes of the query */
    struct text text;           /* NAME, NUMBER, SIGN: as written; TEXT, QUOTED_NAME, REGEX: what it means */
    struct query_period period;
};
struct query_lexer {
    struct text source;
    size_t at;
    struct arena *arena;
    struct watch_query_error *error;
};
/* `regex`: a slash begins a regular expression. ERR_SYNTAX with the error filled, ERR_MEMORY. */
int query_lex(struct query_lexer *lexer, bool regex, struct query_token *token);
/* A parenthesis comes next. */
bool query_lex_call(const struct query_lexer *lexer);
/* Fills the error; answers ERR_SYNTAX. start and end are bytes. */
int query_error(struct query_lexer *lexer, size_t start, size_t end, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- expressions ---- */

/* X(name, least, most) arguments */
#define QUERY_FUNCTIONS(X)                                                                                                                   \
    X(abs, 1, 1) X(ceil, 1, 1) X(floor, 1, 1) X(greatest, 1, 64) X(least, 1, 64) X(log, 1, 1) X(sqrt, 1, 1)                                  \
    X(bin, 1, 1) X(datefloor, 2, 2) X(dateceil, 2, 2) X(frommillis, 1, 1) X(tomillis, 1, 1) X(now, 0, 0)                                     \
    X(ispresent, 1, 1) X(coalesce, 1, 64) X(if, 3, 3) X(unmask, 1, 1) X(jsonparse, 1, 1) X(jsonstringify, 1, 1)                              \
    X(isempty, 1, 1) X(isblank, 1, 1) X(concat, 1, 64) X(ltrim, 1, 2) X(rtrim, 1, 2) X(trim, 1, 2) X(strlen, 1, 1) X(toupper, 1, 1)          \
    X(tolower, 1, 1) X(substr, 2, 3) X(replace, 3, 3) X(strcontains, 2, 2)                                                                   \
    X(isvalidip, 1, 1) X(isvalidipv4, 1, 1) X(isvalidipv6, 1, 1) X(isipinsubnet, 2, 2) X(isipv4insubnet, 2, 2) X(isipv6insubnet, 2, 2)
enum query_function {
#define X(name, least, most) FUNCTION_##name,
    QUERY_FUNCTIONS(X)
#undef X
        FUNCTION_COUNT
};

/* X(name, least, most) */
#define QUERY_AGGREGATES(X)                                                                                                   \
    X(count, 0, 1) X(count_distinct, 1, 1) X(sum, 1, 1) X(avg, 1, 1) X(min, 1, 1) X(max, 1, 1) X(pct, 2, 2) X(stddev, 1, 1)   \
    X(earliest, 1, 1) X(latest, 1, 1) X(sortsfirst, 1, 1) X(sortslast, 1, 1)
enum query_aggregate {
#define X(name, least, most) AGGREGATE_##name,
    QUERY_AGGREGATES(X)
#undef X
        AGGREGATE_COUNT
};

enum query_op {
    OP_LITERAL, OP_SLOT, OP_AGGREGATE, OP_CALL, OP_PATH, /* a path into the JSON text of args[0] */
    OP_AND, OP_OR, OP_NOT, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_MATCH, OP_CONTAINS, OP_IN, OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MOD, OP_POW, OP_NEGATE
};
struct query_node {
    enum query_op op;
    enum query_function function;
    uint32_t slot;              /* SLOT, AGGREGATE: index */
    uint16_t depth;
    struct query_value value;   /* LITERAL; PATH: the path */
    struct query_period period; /* bin, datefloor, dateceil */
    const struct query_pattern *pattern; /* MATCH */
    struct query_node **args;
    size_t count;
};

/* ---- names ---- */

enum query_source {
    SOURCE_TIMESTAMP, SOURCE_MESSAGE, SOURCE_STREAM, SOURCE_LOG, SOURCE_INGESTED, SOURCE_PTR,
    SOURCE_LAMBDA,  /* what a function's platform lines say */
    SOURCE_JSON,    /* found in the message */
    SOURCE_COLUMN,  /* of the stats before: made with the row; of an unnest: an element */
    SOURCE_NODE,    /* an expression */
    SOURCE_PARSE,   /* a part of a parse */
    SOURCE_NOWHERE  /* a system field that no event has */
};
struct query_parse {
    struct query_node *from;
    struct query_pattern *pattern;
    uint32_t slot; /* its parts have slots from here on */
};
struct query_slot {
    struct text name;
    enum query_source source;
    uint32_t index;           /* LAMBDA: which */
    struct text path;         /* JSON */
    const struct query_node *node;
    const struct query_parse *parse;
    uint32_t part;            /* its place in the parse */
};
/* The names between two stats. */
struct query_scope {
    struct query_slot slot[WATCH_QUERY_FIELDS_MAX];
    uint32_t count;
    uint32_t json;            /* slots with SOURCE_JSON */
    bool events;              /* rows are events; else they come from a stats */
    /* What is shown: display wins over fields and parse. */
    uint32_t shown[WATCH_QUERY_FIELDS_MAX], shown_count;
    bool fields_said, display_said;
};

struct query_order {
    const struct query_node *node;
    bool descending;
};
#define QUERY_ORDERS_MAX 16
struct query_collect {
    struct query_order order[QUERY_ORDERS_MAX];
    size_t orders;
    const struct query_node *dedup[QUERY_ORDERS_MAX];
    size_t dedups;
    size_t limit;         /* 0: none said */
    uint32_t slots;       /* computed slots below this one are made when a row is kept, later ones when they are asked for */
};
struct query_aggregation {
    enum query_aggregate kind;
    const struct query_node *arg; /* NULL: every row */
    double share;                 /* pct: 0..1 */
};
#define QUERY_AGGREGATIONS_MAX 64
#define QUERY_BY_MAX 32
struct query_stats {
    struct query_aggregation aggregation[QUERY_AGGREGATIONS_MAX];
    size_t aggregations;
    const struct query_node *item[QUERY_AGGREGATIONS_MAX]; /* columns, behind those of `by` */
    size_t items;
    const struct query_node *by[QUERY_BY_MAX];
    size_t bys;
};
enum query_stage_kind { STAGE_FILTER, STAGE_UNNEST, STAGE_COLLECT, STAGE_STATS };
struct query_stage {
    enum query_stage_kind kind;
    uint32_t scope;
    const struct query_node *filter; /* FILTER; UNNEST: what is a list, whose elements go into `slot` one by one */
    uint32_t slot;
    struct query_collect *collect;
    struct query_stats *stats;
};
#define QUERY_STATS_MAX 2
struct watch_query {
    struct arena arena;
    struct query_scope *scope[QUERY_STATS_MAX + 1];
    uint32_t scopes;
    struct query_stage stage[WATCH_QUERY_COMMANDS_MAX + 2];
    uint32_t stages;
    struct query_pattern *pattern[WATCH_QUERY_COMMANDS_MAX * 8];
    uint32_t patterns;
    struct text source[WATCH_QUERY_SOURCES_MAX];
    uint32_t sources;
};

/* ---- parsing: query_parse.c (commands, names and what is shown), query_stage.c (commands that become stages), query_expr.c (expressions), query_call.c (names and calls) ---- */

struct query_parser {
    struct query_lexer lexer;
    struct query_token token; /* the one that is looked at */
    size_t end;               /* of the token before it */
    struct watch_query *query;
    struct query_scope *scope;
    struct query_stats *stats; /* aggregates are allowed and go here; else NULL */
    bool in_aggregate;
    unsigned depth;
};
int query_next(struct query_parser *p, bool regex);
bool query_is_sign(const struct query_parser *p, const char *sign);
bool query_is_word(const struct query_parser *p, const char *word);
int query_expect_sign(struct query_parser *p, const char *sign, bool regex);
int query_unexpected(struct query_parser *p, const char *expected);
int query_parse_expression(struct query_parser *p, struct query_node **out);
/* A slot by its name, made when it is a field of events. ERR_SYNTAX behind stats. */
int query_slot_find(struct query_parser *p, struct text name, size_t start, size_t end, uint32_t *slot);
int query_slot_add(struct query_parser *p, const struct query_slot *slot, uint32_t *index);
int query_pattern_keep(struct query_parser *p, struct query_pattern *pattern);
struct query_node *query_node_make(struct query_parser *p, enum query_op op, size_t args);
/* The depth of a node whose arguments are set. */
int query_node_settle(struct query_parser *p, struct query_node *node);
int query_node_unary(struct query_parser *p, enum query_op op, struct query_node *inner, struct query_node **out);
int query_parse_literal(struct query_parser *p, struct query_value value, struct query_node **out);
int query_parse_name(struct query_parser *p, struct query_node **out);
int query_parse_call(struct query_parser *p, struct query_token name, struct query_node **out); /* behind the name */
/* What is shown: a slot; what is shown when nothing was asked for. */
int query_show(struct query_parser *p, uint32_t slot);
int query_show_defaults(struct query_parser *p);
bool query_is_name(const struct query_parser *p);
int query_parse_alias(struct query_parser *p, struct text *name, bool *said);
int query_collect_open(struct query_parser *p, bool again, struct query_collect **out);
int query_parse_filter(struct query_parser *p);
int query_parse_sort(struct query_parser *p);
int query_parse_dedup(struct query_parser *p);
int query_parse_limit(struct query_parser *p);
int query_parse_stats(struct query_parser *p);
int query_parse_parse(struct query_parser *p);
int query_parse_unnest(struct query_parser *p);
/* The name of a column for an expression without `as`. */
struct text query_source_text(const struct query_parser *p, size_t start, size_t end);
/* A column whose text is this, but for spaces and case; or -1. */
int64_t query_column_find(const struct query_scope *scope, struct text text);

/* ---- running ---- */

struct query_row {
    struct watch_query_run *run;
    const struct query_scope *scope;
    struct query_value *value;
    uint8_t *known;
    const struct watch_query_event *event; /* NULL: everything that comes from the event is known */
    struct watch_log_place place;          /* the order when nothing is said; behind stats: their order */
    const struct query_value *aggregate;   /* while the items of a stats are made */
};
struct query_group;
struct query_groups { /* query_group.c: the state of a stats */
    const struct query_stats *stats;
    struct arena arena;
    struct query_group **slot;
    size_t count, cap;
    struct buf key;
};
struct query_kept;
struct query_rows { /* query_rows.c: the state of a sort, dedup and limit */
    const struct query_collect *collect;
    const struct query_scope *scope;
    struct query_kept **heap; /* the worst first */
    size_t count, cap, bytes, limit;
    struct map seen;          /* of dedup */
    bool sorted;
};
struct watch_query_run {
    const struct watch_query *query;
    int64_t now_ms;
    struct arena arena;       /* of one row */
    struct query_matcher *matcher;
    struct query_row row[QUERY_STATS_MAX + 1]; /* one for each scope */
    union {
        struct query_groups groups;
        struct query_rows rows;
    } *state; /* for each stage */
    struct watch_query_totals totals;
    uint64_t order; /* of rows that come from a stats */
    bool finished;
};

struct query_value query_eval(struct query_row *row, const struct query_node *node);       /* query_eval.c */
struct query_value query_call(struct query_row *row, const struct query_node *node);       /* query_function.c */
struct query_value query_call_ip(struct query_row *row, const struct query_node *node);    /* query_ip.c */
struct query_value query_slot_value(struct query_row *row, uint32_t slot);                 /* query_field.c */
int64_t query_lambda_field(struct text name);                                              /* the same: its number, or -1 */
struct query_value query_json_value(const struct json *value);
/* A text that is JSON: the value at a path, or nothing. */
struct query_value query_json_at(struct arena *arena, struct text json, struct text path);
/* A row goes on from a stage. 0 or ERR_MEMORY. query_run.c */
int query_push(struct watch_query_run *run, uint32_t stage, struct query_row *row);
void query_row_begin(struct query_row *row, const struct watch_query_event *event);
void query_partial(struct watch_query_run *run, const char *why);

void query_groups_init(struct query_groups *groups, const struct query_stats *stats);
void query_groups_fini(struct query_groups *groups);
int query_groups_add(struct query_groups *groups, struct query_row *row);
int query_groups_merge(struct watch_query_run *run, struct query_groups *into, struct query_groups *from);
/* Each group as a row of the next scope, into the stage. */
int query_groups_drain(struct query_groups *groups, struct watch_query_run *run, uint32_t next);

void query_rows_init(struct query_rows *rows, const struct query_collect *collect, const struct query_scope *scope, bool last);
void query_rows_fini(struct query_rows *rows);
int query_rows_add(struct query_rows *rows, struct query_row *row);
int query_rows_merge(struct watch_query_run *run, struct query_rows *into, struct query_rows *from);
/* Each kept row in order, into `visit`, until it answers non-zero (returned). */
int query_rows_each(struct query_rows *rows, struct query_row *row, int (*visit)(void *context, struct query_row *row), void *context);

#endif
