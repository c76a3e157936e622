/*
 * Queries over log events, in the language of CloudWatch Logs Insights: compile once, feed events, read rows. docs/insights.md says what the language has here.
 *
 *   watch_query_compile     text -> a query; shared by threads, never changed
 *   watch_query_run_create  one pass over some events; one thread at a time. Two runs of one query, each over a part of the events, merge into one
 *   watch_query_feed        each event, in any order: what comes out does not depend on it
 *   watch_query_finish      then rows
 *
 * Memory is bounded whatever the query and the events are: at a bound the run goes on with what it has and says so (watch_query_totals.partial). Regular expressions are
 * PCRE2's with limits on steps and memory. Nothing here reads a clock or a disk.
 */
#ifndef WEIR_WATCH_QUERY_H
#define WEIR_WATCH_QUERY_H

#include "base/arena.h"
#include "base/err.h"
#include "watch/log.h"

#define WATCH_QUERY_TEXT_MAX 10000                      /* bytes of a query */
#define WATCH_QUERY_LIMIT_MAX 10000                     /* rows of a result, and their number when nothing is said */
#define WATCH_QUERY_COMMANDS_MAX 100                    /* commands of a query */
#define WATCH_QUERY_FIELDS_MAX 400                      /* names that a query uses */
#define WATCH_QUERY_DEPTH_MAX 200                       /* levels of an expression */
#define WATCH_QUERY_SOURCES_MAX 50                      /* log groups named by SOURCE */
#define WATCH_QUERY_GROUPS_MAX 100000                   /* groups of one stats command */
#define WATCH_QUERY_STATE_MAX ((size_t)192 << 20)       /* bytes of groups, and of rows, that one run holds */
#define WATCH_QUERY_EVENT_MAX ((size_t)32 << 20)        /* bytes that one event's fields and texts may take while it is looked at */

struct watch_query;
struct watch_query_run;

struct watch_query_error {
    size_t start, end; /* characters of the query, [start, end) */
    char text[300];    /* ends with the line and the position, both from 1 */
};
/* `limit`: rows at most, 0 for WATCH_QUERY_LIMIT_MAX; a limit command can only lower it. 0; ERR_SYNTAX with *error filled; ERR_MEMORY. Borrows nothing. */
int watch_query_compile(struct text text, uint32_t limit, struct watch_query **out, struct watch_query_error *error);
void watch_query_destroy(struct watch_query *query);
/* Log groups named by SOURCE commands, in order. */
size_t watch_query_sources(const struct watch_query *query, const struct text **out);

/* An event; the texts are borrowed for the call. */
struct watch_query_event {
    struct watch_log_place place; /* place.time_ms is @timestamp */
    int64_t ingested_ms;
    uint64_t group;               /* for @ptr */
    struct text message, stream;
    struct text log;              /* "account:group name" */
};
/* @ptr: where the event lies. */
#define WATCH_QUERY_PTR_TEXT (16 + WATCH_LOG_ID_TEXT)
void watch_query_ptr_format(uint64_t group, const struct watch_log_place *place, char out[WATCH_QUERY_PTR_TEXT + 1]);
int watch_query_ptr_parse(struct text text, uint64_t *group, struct watch_log_place *place); /* 0 or ERR_SYNTAX */

/* Borrows the query until it is destroyed. now_ms is what now() says. ERR_MEMORY. */
int watch_query_run_create(const struct watch_query *query, int64_t now_ms, struct watch_query_run **out);
void watch_query_run_destroy(struct watch_query_run *run);
/* 0 or ERR_MEMORY (of the machine: bounds are no errors). */
int watch_query_feed(struct watch_query_run *run, const struct watch_query_event *event);
/* Takes over what `from` (of the same query, not finished) has seen; `from` is to be destroyed. 0 or ERR_MEMORY. */
int watch_query_merge(struct watch_query_run *into, struct watch_query_run *from);
/* No more events. 0 or ERR_MEMORY. */
int watch_query_finish(struct watch_query_run *run);

struct watch_query_totals {
    uint64_t scanned, bytes; /* events fed, and bytes of their messages */
    uint64_t matched;        /* events that came past the first filters */
    const char *partial;     /* NULL, or why the result is not that of all events: a static text */
};
struct watch_query_totals watch_query_totals(const struct watch_query_run *run);

struct watch_query_cell {
    struct text field, value;
};
/* Behind finish: the rows in order, until `visit` answers non-zero (returned). Absent values have no cell. The texts live until `visit` returns. */
int watch_query_rows(struct watch_query_run *run, int (*visit)(void *context, const struct watch_query_cell *cell, size_t count), void *context);

/* The names of the fields in one event's message, as a query may use them (objects and arrays as their leaves), until `visit` answers non-zero (returned). ERR_MEMORY. */
int watch_query_fields(struct arena *arena, struct text message, size_t max, int (*visit)(void *context, struct text name, struct text value), void *context);

#endif
