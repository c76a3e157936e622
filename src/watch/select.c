/* Metrics Insights queries, read by one function per clause. */
#include "watch/select.h"

#include <ctype.h>

const char *const watch_select_functions[SELECT_FUNCTIONS] = {"AVG", "COUNT", "MAX", "MIN", "SUM"};

struct parser {
    struct arena *arena;
    struct text text;
    size_t at;
    int code;
    struct err *err;
};

static bool fail(struct parser *p, int code, const char *what)
{
    if (!p->code)
        p->code = err_set(p->err, code, "%s at position %zu of the query", what, p->at + 1);
    return false;
}

/* ---- tokens ---- */

static char peek(struct parser *p)
{
    while (p->at < p->text.len && isspace((unsigned char)p->text.data[p->at]))
        p->at++;
    return p->at < p->text.len ? p->text.data[p->at] : 0;
}

static bool take(struct parser *p, char c)
{
    if (p->code || peek(p) != c)
        return false;
    p->at++;
    return true;
}

static struct text word_at(struct parser *p)
{
    peek(p);
    size_t end = p->at;
    while (end < p->text.len && (isalnum((unsigned char)p->text.data[end]) || p->text.data[end] == '_'))
        end++;
    return text_make(p->text.data + p->at, end - p->at);
}

static bool take_word(struct parser *p, const char *word)
{
    struct text found = word_at(p);
    if (p->code || !text_equal_nocase(found, text_of(word)))
        return false;
    p->at += found.len;
    return true;
}

static bool need_word(struct parser *p, const char *word)
{
    char what[40] = "";
    if (take_word(p, word))
        return true;
    memcpy(what, word, strlen(word));
    memcpy(what + strlen(word), " is missing", sizeof(" is missing"));
    return fail(p, ERR_SYNTAX, what);
}

static bool need(struct parser *p, char c, const char *what)
{
    return take(p, c) || fail(p, ERR_SYNTAX, what);
}

static bool is_keyword(struct text word)
{
    static const char *const words[] = {"SELECT", "FROM", "WHERE", "GROUP", "ORDER", "BY", "LIMIT", "AND", "ASC", "DESC", "SCHEMA"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (text_equal_nocase(word, text_of(words[i])))
            return true;
    return false;
}

static struct text quoted(struct parser *p, char quote)
{
    char *copy = arena_alloc(p->arena, p->text.len - p->at);
    size_t len = 0;
    if (!copy) {
        p->code = ERR_MEMORY;
        return TEXT_NONE;
    }
    for (p->at++; p->at < p->text.len && p->text.data[p->at] != quote; p->at++) {
        if (p->text.data[p->at] == '\\' && p->at + 1 < p->text.len)
            p->at++;
        copy[len++] = p->text.data[p->at];
    }
    if (p->at >= p->text.len) {
        fail(p, ERR_SYNTAX, "A quotation mark is missing");
        return TEXT_NONE;
    }
    p->at++;
    return text_make(copy, len);
}

/* The name of a metric, a namespace, a dimension. */
static struct text name(struct parser *p)
{
    if (p->code)
        return TEXT_NONE;
    if (peek(p) == '"') {
        struct text text = quoted(p, '"');
        if (!p->code && !text.len)
            fail(p, ERR_SYNTAX, "A name is empty");
        return text;
    }
    struct text word = word_at(p);
    if (!word.len || is_keyword(word)) {
        fail(p, ERR_SYNTAX, "A name is missing");
        return TEXT_NONE;
    }
    p->at += word.len;
    return word;
}

static enum watch_select_function function(struct parser *p)
{
    for (int i = 0; i < SELECT_FUNCTIONS; i++)
        if (take_word(p, watch_select_functions[i]))
            return (enum watch_select_function)i;
    fail(p, ERR_SYNTAX, "AVG, COUNT, MAX, MIN or SUM is missing");
    return SELECT_AVG;
}

/* ---- clauses ---- */

static void parse_select(struct parser *p, struct watch_select *select)
{
    need_word(p, "SELECT");
    select->function = function(p);
    need(p, '(', "An opening bracket is missing");
    select->metric = name(p);
    need(p, ')', "A closing bracket is missing");
}

static void parse_from(struct parser *p, struct watch_select *select)
{
    if (!need_word(p, "FROM"))
        return;
    select->schema = take_word(p, "SCHEMA");
    if (select->schema)
        need(p, '(', "An opening bracket is missing");
    select->space = name(p);
    while (select->schema && take(p, ',')) {
        if (select->dimensions == WATCH_DIMENSIONS_MAX) {
            fail(p, ERR_TOO_LARGE, "SCHEMA has too many dimensions");
            return;
        }
        select->dimension[select->dimensions++] = name(p);
    }
    if (select->schema)
        need(p, ')', "A closing bracket is missing");
}

static void parse_where(struct parser *p, struct watch_select *select)
{
    if (!take_word(p, "WHERE"))
        return;
    do {
        if (select->wheres == SELECT_WHERE_MAX) {
            fail(p, ERR_TOO_LARGE, "WHERE has too many conditions");
            return;
        }
        struct watch_select_where *where = &select->where[select->wheres++];
        where->key = name(p);
        where->differs = take(p, '!');
        need(p, '=', "= or != is missing");
        if (p->code)
            return;
        if (peek(p) != '\'') {
            fail(p, ERR_SYNTAX, "A value in single quotation marks is missing");
            return;
        }
        where->value = quoted(p, '\'');
    } while (!p->code && take_word(p, "AND"));
}

static void parse_group(struct parser *p, struct watch_select *select)
{
    if (!take_word(p, "GROUP") || !need_word(p, "BY"))
        return;
    do {
        if (select->groups == WATCH_DIMENSIONS_MAX) {
            fail(p, ERR_TOO_LARGE, "GROUP BY has too many names");
            return;
        }
        select->group[select->groups++] = name(p);
    } while (!p->code && take(p, ','));
}

static void parse_order(struct parser *p, struct watch_select *select)
{
    if (!take_word(p, "ORDER") || !need_word(p, "BY"))
        return;
    select->ordered = true;
    select->order = function(p);
    need(p, '(', "An opening bracket is missing");
    need(p, ')', "A closing bracket is missing");
    select->descending = take_word(p, "DESC");
    if (!select->descending)
        take_word(p, "ASC");
}

static void parse_limit(struct parser *p, struct watch_select *select)
{
    uint64_t limit = SELECT_LIMIT_MAX;
    if (take_word(p, "LIMIT")) {
        struct text word = word_at(p);
        if (text_to_u64(word, SELECT_LIMIT_MAX, &limit) || !limit)
            fail(p, ERR_SYNTAX, "LIMIT is a number from 1 to 500");
        p->at += word.len;
    }
    select->limit = (size_t)limit;
}

bool watch_select_is(struct text text)
{
    struct parser p = {.text = text};
    return take_word(&p, "SELECT") && peek(&p) != '(';
}

int watch_select_parse(struct arena *arena, struct text text, const struct watch_select **out, struct err *err)
{
    struct parser p = {.arena = arena, .text = text, .err = err};
    struct watch_select *select = arena_zalloc(arena, sizeof(*select));
    if (!select)
        return ERR_MEMORY;
    if (text.len > SELECT_TEXT_MAX)
        return err_set(err, ERR_TOO_LARGE, "A query has at most %d characters", SELECT_TEXT_MAX);
    parse_select(&p, select);
    parse_from(&p, select);
    parse_where(&p, select);
    parse_group(&p, select);
    parse_order(&p, select);
    parse_limit(&p, select);
    if (!p.code && peek(&p))
        fail(&p, ERR_SYNTAX, "The query goes on where it should end");
    *out = p.code ? NULL : select;
    return p.code;
}

/* ---- matching ---- */

static const struct watch_dimension *dimension_of(const struct watch_name *metric, struct text key)
{
    for (size_t i = 0; i < metric->dimensions; i++)
        if (text_equal(metric->dimension[i].name, key))
            return &metric->dimension[i];
    return NULL;
}

bool watch_select_matches(const struct watch_select *select, const struct watch_name *metric)
{
    if (!text_equal(metric->space, select->space) || !text_equal(metric->name, select->metric) || (select->schema && metric->dimensions != select->dimensions))
        return false;
    for (size_t i = 0; i < select->dimensions; i++)
        if (!dimension_of(metric, select->dimension[i]))
            return false;
    for (size_t i = 0; i < select->wheres; i++) {
        const struct watch_select_where *where = &select->where[i];
        const struct watch_dimension *found = dimension_of(metric, where->key);
        if ((found && text_equal(found->value, where->value)) == where->differs)
            return false;
    }
    return true;
}
