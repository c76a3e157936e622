/*
 * The queries that run, and those that have run. See query_jobs.h.
 *
 * A query is first planned: its groups are found and the span of their events is cut into slices. A slice is what a thread does in one go, on a snapshot of its own, into a run
 * of its own; when the last slice is done the runs are merged and the rows written down as JSON, so that looking at a result costs a copy. The lock guards the list and the
 * numbers in it, never a scan. A query that was stopped sees it at its next event.
 */
#include "watch/query_jobs_inside.h"

#include "loop/worker.h"
#include <stdio.h>
#include <stdlib.h>

struct thread {
    struct watch_queries *queries;
    unsigned index;
};

static struct job *job_of(struct list *link)
{
    return LIST_ENTRY(link, struct job, link);
}

static bool is_active(const struct job *job)
{
    return job->status == WATCH_QUERY_SCHEDULED || job->status == WATCH_QUERY_RUNNING;
}

static void job_destroy(struct job *job)
{
    for (unsigned i = 0; i < THREADS; i++)
        watch_query_run_destroy(job->run[i]);
    watch_query_destroy(job->query);
    arena_fini(&job->arena);
    buf_fini(&job->rows);
    free(job->slice);
    free(job);
}

/* ---- the list; with the lock ---- */

static void drop(struct watch_queries *queries, struct job *job)
{
    queries->bytes -= job->rows.len;
    queries->count--;
    list_remove(&job->link);
    job_destroy(job);
}

/* Results that make too many, or too much, go; the oldest first. */
static void make_room(struct watch_queries *queries)
{
    struct list *at = queries->jobs.next;
    while (at != &queries->jobs && (queries->count > WATCH_QUERIES_KEPT_MAX || queries->bytes > WATCH_QUERIES_RESULTS_MAX)) {
        struct job *job = job_of(at);
        at = at->next;
        if (!is_active(job))
            drop(queries, job);
    }
}

/* The last thread of a job that has nothing left to do: it becomes what it is called. */
static void conclude(struct watch_queries *queries, struct job *job)
{
    int stop = __atomic_load_n(&job->stop, __ATOMIC_RELAXED);
    if (!job->failure && stop == WATCH_QUERY_TIMEOUT)
        job->totals.partial = PARTIAL_READ;
    pthread_mutex_unlock(&queries->lock); /* nobody else touches a job whose slices are all taken and whose threads are gone */
    int code = job->failure || stop == WATCH_QUERY_CANCELLED ? job->failure : query_job_finish(job);
    pthread_mutex_lock(&queries->lock);
    stop = __atomic_load_n(&job->stop, __ATOMIC_RELAXED); /* who was told that it stops finds it stopped */
    if (code)
        log_warn("watch", "a log query failed: %s", err_text(code));
    counter_add(COUNTER_logs_queries_partial, job->totals.partial != NULL);
    job->status = code ? WATCH_QUERY_FAILED : stop ? (enum watch_query_status)stop : WATCH_QUERY_COMPLETE;
    for (unsigned i = 0; i < THREADS; i++) {
        watch_query_run_destroy(job->run[i]);
        job->run[i] = NULL;
    }
    watch_query_destroy(job->query);
    job->query = NULL;
    queries->active--;
    queries->bytes += job->rows.len;
    if (queries->last == job)
        queries->last = NULL;
    make_room(queries);
}

static bool has_work(const struct job *job)
{
    if (!is_active(job) || job->planning)
        return false;
    return !job->planned || job->taken < job->slices;
}

/* The first with work behind the one that was served last. */
static struct job *next_job(struct watch_queries *queries)
{
    struct list *begin = queries->last ? &queries->last->link : &queries->jobs, *at = begin;
    do {
        at = at->next;
        if (at != &queries->jobs && has_work(job_of(at)))
            return job_of(at);
    } while (at != begin);
    return NULL;
}

static void note(struct job *job, int code, uint64_t read)
{
    job->read += read;
    if (code && !job->failure) {
        job->failure = code;
        __atomic_store_n(&job->stop, WATCH_QUERY_FAILED, __ATOMIC_RELAXED);
    }
    if ((job->read >= WATCH_QUERIES_READ_MAX || clock_mono_ms() - job->started_ms >= WATCH_QUERIES_TIME_MAX_MS) && job->done < job->slices && !__atomic_load_n(&job->stop, __ATOMIC_RELAXED))
        __atomic_store_n(&job->stop, WATCH_QUERY_TIMEOUT, __ATOMIC_RELAXED);
    if (__atomic_load_n(&job->stop, __ATOMIC_RELAXED))
        job->taken = job->slices; /* the rest is not begun */
}

static void step(struct watch_queries *queries, struct job *job, unsigned thread)
{
    uint64_t read = 0;
    int code;
    queries->last = job;
    if (!job->planned) {
        job->planning = true;
        job->status = WATCH_QUERY_RUNNING;
        job->started_ms = clock_mono_ms();
        pthread_mutex_unlock(&queries->lock);
        code = __atomic_load_n(&job->stop, __ATOMIC_RELAXED) ? 0 : query_job_plan(queries, job, thread);
        pthread_mutex_lock(&queries->lock);
        job->planning = false;
        job->planned = true;
        note(job, code, 0);
        pthread_cond_broadcast(&queries->wake);
    } else {
        struct slice slice = job->slice[job->taken++];
        job->busy[thread] = true;
        pthread_mutex_unlock(&queries->lock);
        code = __atomic_load_n(&job->stop, __ATOMIC_RELAXED) ? 0 : query_job_slice(queries, job, &slice, thread, &read);
        pthread_mutex_lock(&queries->lock);
        job->busy[thread] = false;
        job->done++;
        note(job, code, read);
    }
    bool idle = job->taken >= job->slices;
    for (unsigned i = 0; i < THREADS; i++)
        idle = idle && !job->busy[i];
    if (idle)
        conclude(queries, job);
}

static void *run_thread(void *context)
{
    struct thread mine = *(struct thread *)context;
    struct watch_queries *queries = mine.queries;
    free(context);
    thread_name("weir-query");
    pthread_mutex_lock(&queries->lock);
    while (!queries->ending) {
        struct job *job = next_job(queries);
        if (job)
            step(queries, job, mine.index);
        else
            pthread_cond_wait(&queries->wake, &queries->lock);
    }
    pthread_mutex_unlock(&queries->lock);
    return NULL;
}

/* ---- from outside ---- */

int watch_queries_create(struct watch_queries **out, struct store *store, struct text account, struct err *err)
{
    struct watch_queries *queries = calloc(1, sizeof(*queries));
    if (!queries)
        return err_set(err, ERR_MEMORY, "out of memory");
    queries->store = store;
    memcpy(queries->account, account.data, account.len < sizeof(queries->account) ? account.len : sizeof(queries->account) - 1);
    pthread_mutex_init(&queries->lock, NULL);
    pthread_cond_init(&queries->wake, NULL);
    list_init(&queries->jobs);
    for (unsigned i = 0; i < THREADS; i++) {
        struct thread *thread = malloc(sizeof(*thread));
        if (thread)
            *thread = (struct thread){queries, i};
        if (!thread || pthread_create(&queries->thread[i], NULL, run_thread, thread)) {
            free(thread);
            watch_queries_destroy(queries);
            return err_set(err, ERR_MEMORY, "no thread for log queries");
        }
        queries->threads++;
    }
    *out = queries;
    return 0;
}

void watch_queries_destroy(struct watch_queries *queries)
{
    if (!queries)
        return;
    pthread_mutex_lock(&queries->lock);
    queries->ending = true;
    for (struct list *at = queries->jobs.next; at != &queries->jobs; at = at->next)
        __atomic_store_n(&job_of(at)->stop, WATCH_QUERY_CANCELLED, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&queries->wake);
    pthread_mutex_unlock(&queries->lock);
    for (unsigned i = 0; i < queries->threads; i++)
        pthread_join(queries->thread[i], NULL);
    while (queries->jobs.next != &queries->jobs)
        drop(queries, job_of(queries->jobs.next));
    pthread_cond_destroy(&queries->wake);
    pthread_mutex_destroy(&queries->lock);
    free(queries);
}

static struct job *job_make(struct watch_queries *queries, const struct watch_query_ask *ask, const char *id)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return NULL;
    arena_init(&job->arena, 1024, (size_t)1 << 20);
    buf_init(&job->rows, WATCH_QUERIES_RESULT_MAX);
    snprintf(job->id, sizeof(job->id), "%s", id);
    job->text = arena_copy(&job->arena, ask->text);
    job->group = arena_array(&job->arena, ask->groups, sizeof(*job->group));
    job->log = arena_array(&job->arena, ask->groups, sizeof(*job->log));
    bool good = job->text.data && job->group && job->log;
    for (size_t i = 0; good && i < ask->groups; i++) {
        job->group[i] = arena_copy(&job->arena, ask->group[i]);
        job->log[i] = arena_format(&job->arena, "%s:%.*s", queries->account, TEXT_FMT(ask->group[i]));
        good = job->group[i].data && job->log[i].data;
    }
    if (!good) {
        job_destroy(job);
        return NULL;
    }
    job->groups = ask->groups;
    job->from_ms = ask->from_ms;
    job->to_ms = ask->to_ms;
    job->created_ms = clock_wall_ms();
    return job;
}

int watch_queries_start(struct watch_queries *queries, const struct watch_query_ask *ask, const char *id)
{
    struct job *job = job_make(queries, ask, id);
    if (!job)
        return ERR_MEMORY;
    pthread_mutex_lock(&queries->lock);
    int code = queries->active >= WATCH_QUERIES_ACTIVE_MAX ? ERR_FULL : 0;
    if (!code) {
        job->query = ask->query;
        list_add_tail(&queries->jobs, &job->link);
        queries->count++;
        queries->active++;
        counter_add(COUNTER_logs_queries, 1);
        make_room(queries);
        pthread_cond_broadcast(&queries->wake);
    }
    pthread_mutex_unlock(&queries->lock);
    if (code)
        job_destroy(job);
    return code;
}

static struct job *find(struct watch_queries *queries, struct text id)
{
    for (struct list *at = queries->jobs.prev; at != &queries->jobs; at = at->prev)
        if (text_is(id, job_of(at)->id))
            return job_of(at);
    return NULL;
}

static int show(const struct job *job, int (*visit)(void *context, const struct watch_query_seen *seen), void *context)
{
    bool done = !is_active(job);
    struct watch_query_seen seen = {.id = job->id, .text = job->text, .group = job->group, .groups = job->groups, .status = job->status, .created_ms = job->created_ms,
        .rows = done ? buf_text(&job->rows) : TEXT_NONE};
    if (done)
        seen.totals = job->totals;
    else
        seen.totals.bytes = job->read;
    return visit(context, &seen);
}

int watch_queries_look(struct watch_queries *queries, struct text id, int (*visit)(void *context, const struct watch_query_seen *seen), void *context)
{
    pthread_mutex_lock(&queries->lock);
    struct job *job = find(queries, id);
    int code = job ? show(job, visit, context) : ERR_NOT_FOUND;
    pthread_mutex_unlock(&queries->lock);
    return code;
}

int watch_queries_each(struct watch_queries *queries, int (*visit)(void *context, const struct watch_query_seen *seen), void *context)
{
    int code = 0;
    pthread_mutex_lock(&queries->lock);
    for (struct list *at = queries->jobs.prev; at != &queries->jobs && !code; at = at->prev)
        code = show(job_of(at), visit, context);
    pthread_mutex_unlock(&queries->lock);
    return code;
}

int watch_queries_stop(struct watch_queries *queries, struct text id)
{
    pthread_mutex_lock(&queries->lock);
    struct job *job = find(queries, id);
    int code = !job ? ERR_NOT_FOUND : !is_active(job) || __atomic_load_n(&job->stop, __ATOMIC_RELAXED) ? ERR_CONDITION : 0;
    if (!code)
        __atomic_store_n(&job->stop, WATCH_QUERY_CANCELLED, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&queries->lock);
    return code;
}
