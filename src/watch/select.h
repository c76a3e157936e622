/*
 * Metrics Insights: SQL over metrics, as "Query components and syntax in CloudWatch Metrics Insights" of the CloudWatch user guide has it.
 *
 *   SELECT AVG|COUNT|MAX|MIN|SUM (metric)
 *   FROM namespace | SCHEMA(namespace [, dimension ...])     SCHEMA: metrics with exactly these dimensions
 *   [WHERE dimension =|!= 'value' [AND ...]]
 *   [GROUP BY dimension [, ...]]                             metrics without one of them are of the group Other
 *   [ORDER BY AVG|COUNT|MAX|MIN|SUM () [ASC|DESC]]
 *   [LIMIT 1..500]
 *
 * Keywords in either case. A name of other signs than letters, digits and _, or one that is a keyword, in double quotes; a value in single quotes; a backslash takes the next sign as
 * it is. At most SELECT_TEXT_MAX bytes. Any thread.
 */
#ifndef WEIR_WATCH_SELECT_H
#define WEIR_WATCH_SELECT_H

#include "watch/series.h"

#define SELECT_TEXT_MAX 2048
#define SELECT_WHERE_MAX 30
#define SELECT_LIMIT_MAX 500

enum watch_select_function { SELECT_AVG, SELECT_COUNT, SELECT_MAX, SELECT_MIN, SELECT_SUM, SELECT_FUNCTIONS };
extern const char *const watch_select_functions[SELECT_FUNCTIONS];
/* Plain value; everything lives in the arena. */
struct watch_select {
    enum watch_select_function function;
    struct text metric, space;
    bool schema;
    struct text dimension[WATCH_DIMENSIONS_MAX]; /* of the schema */
    size_t dimensions;
    struct watch_select_where {
        struct text key, value;
        bool differs;                            /* != */
    } where[SELECT_WHERE_MAX];
    size_t wheres;
    struct text group[WATCH_DIMENSIONS_MAX];
    size_t groups;
    bool ordered, descending;
    enum watch_select_function order;
    size_t limit;                                /* SELECT_LIMIT_MAX when there is none */
};
/* It begins as one. */
bool watch_select_is(struct text text);
/* ERR_SYNTAX, ERR_TOO_LARGE with a sentence, ERR_MEMORY. */
int watch_select_parse(struct arena *arena, struct text text, const struct watch_select **out, struct err *err);
/* A metric that it adds up; namespace and name are looked at as well. */
bool watch_select_matches(const struct watch_select *select, const struct watch_name *name);

#endif
