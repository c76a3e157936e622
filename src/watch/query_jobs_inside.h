/* What query_jobs.c (the list of queries, their threads) and query_work.c (what a thread does of one, without the lock) share. */
#ifndef WEIR_WATCH_QUERY_JOBS_INSIDE_H
#define WEIR_WATCH_QUERY_JOBS_INSIDE_H

#include "base/clock.h"
#include "base/counter.h"
#include "base/json.h"
#include "base/list.h"
#include "base/log.h"
#include "watch/query_jobs.h"

#include <pthread.h>

#define THREADS STORE_READER_QUERIES
#define SLICES_MAX 8               /* of one group */
#define SLICE_MIN_MS MINUTE_MS
#define STREAMS_LOOKED_AT 1000     /* for the span of a group's events; with more it is taken as all of the time asked for */
#define PLAN_MEMORY ((size_t)16 << 20)
#define PARTIAL_READ "the query has read as much as one may"
#define PARTIAL_ROWS "the result is larger than one may be"

struct slice {
    uint32_t group;
    int64_t from_ms, to_ms;
};
struct job {
    struct list link;
    char id[WATCH_QUERY_ID_SIZE];
    struct watch_query *query;
    struct arena arena;           /* of the names and the text */
    struct text text, *group, *log;
    size_t groups;
    int64_t from_ms, to_ms, created_ms, started_ms;
    enum watch_query_status status;
    bool planned, planning;
    struct slice *slice;
    size_t slices, taken, done;   /* taken: given to threads */
    struct watch_query_run *run[THREADS];
    bool busy[THREADS];
    int stop;                     /* atomic: enum watch_query_status that it ends with, or 0 */
    int failure;
    uint64_t read;                /* bytes */
    struct watch_query_totals totals;
    struct buf rows;
};
struct watch_queries {
    struct store *store;
    char account[32];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list jobs;             /* the oldest first */
    size_t count, active, bytes;
    struct job *last;             /* whose slice was taken last: the next one is another's */
    bool ending;
    pthread_t thread[THREADS];
    unsigned threads;
};

/* ---- query_work.c; one thread each, without the lock ---- */
int query_job_plan(struct watch_queries *queries, struct job *job, unsigned thread);
/* *read: bytes of text that it took. */
int query_job_slice(struct watch_queries *queries, struct job *job, const struct slice *slice, unsigned thread, uint64_t *read);
int64_t query_job_left_ms(const struct job *job);
int query_job_finish(struct job *job);

#endif
