/*
 * Queries that run on their own: started, looked at, stopped, kept for a while. Two threads of their own scan log groups in slices, turn by turn when there are several queries,
 * so no other work waits for a query and no query for a longer one. Everything is in memory: a restart forgets queries, as clients expect of results that expire.
 *
 * All functions from any thread; none blocks longer than a look at a table takes.
 */
#ifndef WEIR_WATCH_QUERY_JOBS_H
#define WEIR_WATCH_QUERY_JOBS_H

#include "watch/query.h"

#define WATCH_QUERIES_ACTIVE_MAX 30                      /* waiting or running; starting more is refused */
#define WATCH_QUERIES_KEPT_MAX 1000                      /* with those that have ended; the oldest go first */
#define WATCH_QUERIES_RESULT_MAX ((size_t)16 << 20)      /* bytes of one result: rows that do not fit are left out, and the result says so */
#define WATCH_QUERIES_RESULTS_MAX ((size_t)128 << 20)    /* bytes of all results that are kept */
#define WATCH_QUERIES_READ_MAX ((uint64_t)16 << 30)      /* bytes of text that one query reads */
#define WATCH_QUERIES_TIME_MAX_MS (15 * INT64_C(60000))  /* from its start */

enum watch_query_status { WATCH_QUERY_SCHEDULED, WATCH_QUERY_RUNNING, WATCH_QUERY_COMPLETE, WATCH_QUERY_FAILED, WATCH_QUERY_CANCELLED, WATCH_QUERY_TIMEOUT };

struct watch_queries;
/* Starts the threads. `account` is what @log begins with. The store outlives them. */
int watch_queries_create(struct watch_queries **out, struct store *store, struct text account, struct err *err);
/* Ends what runs, then the threads. */
void watch_queries_destroy(struct watch_queries *queries);

struct watch_query_ask {
    struct watch_query *query;  /* taken on success */
    struct text text;           /* as it came; copied, as are the names */
    const struct text *group;
    size_t groups;              /* 1..WATCH_QUERY_SOURCES_MAX */
    int64_t from_ms, to_ms;     /* [from, to) */
};
#define WATCH_QUERY_ID_SIZE 37
/* `id`: a UUID of the caller's, or any name of fewer than WATCH_QUERY_ID_SIZE characters. 0, ERR_FULL, ERR_MEMORY. */
int watch_queries_start(struct watch_queries *queries, const struct watch_query_ask *ask, const char *id);

/* What is known of a query; the texts live until the visit returns. */
struct watch_query_seen {
    const char *id;
    struct text text;
    const struct text *group;
    size_t groups;
    enum watch_query_status status;
    int64_t created_ms;
    struct watch_query_totals totals;
    struct text rows;           /* JSON: [[{"field":..,"value":..},..],..]; empty while it runs */
};
/* One query: ERR_NOT_FOUND, or what `visit` answered. */
int watch_queries_look(struct watch_queries *queries, struct text id, int (*visit)(void *context, const struct watch_query_seen *seen), void *context);
/* All, the newest first, until `visit` answers non-zero (returned). */
int watch_queries_each(struct watch_queries *queries, int (*visit)(void *context, const struct watch_query_seen *seen), void *context);
/* 0, ERR_NOT_FOUND, or ERR_CONDITION: it has ended already. */
int watch_queries_stop(struct watch_queries *queries, struct text id);

#endif
