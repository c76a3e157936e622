/*
 * A pool of threads for what blocks. Jobs here take tens of microseconds to seconds, so the workers share one queue behind one mutex. What
 * matters is the submitter, which may be an io thread and must not wait for anybody, not even for a worker that lost its core while it held the lock: it pushes
 * the job onto a stack by compare and swap, and a worker that finds the queue empty takes the whole stack over, turned round. The list is threaded through
 * the jobs: submitting allocates nothing. A semaphore counts the jobs.
 *
 * A job that was pushed may run, and lead to the pool's end, before its submitter has returned; so submitters are counted, and the end waits for them.
 *
 * Signals are blocked in workers; they belong to the main thread.
 */
#include "loop/worker.h"

#include "base/assert.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 64 };
#define QUEUE_MAX ((size_t)1 << 20) /* jobs */

struct worker_pool {
    _Atomic(struct list *) pushed; /* newest first, through link.next */
    atomic_size_t waiting;         /* jobs not yet begun */
    size_t queue_max;
    atomic_int submitters; /* inside worker_submit */
    atomic_bool closing;
    sem_t jobs;           /* one for each job; one for each thread at the end */
    pthread_mutex_t lock; /* the workers' */
    struct list queue;
    int named; /* threads that have taken a name */
    int count;
    pthread_t threads[THREADS_MAX];
};

void thread_name(const char *name)
{
    char text[16]; /* the kernel's limit, with the NUL */
    size_t len = strnlen(name, sizeof(text) - 1);
    memcpy(text, name, len);
    text[len] = 0;
    pthread_setname_np(pthread_self(), text);
}

/* With the lock: what was pushed, oldest first. */
static void take_over(struct worker_pool *pool)
{
    struct list *at = atomic_exchange_explicit(&pool->pushed, NULL, memory_order_acquire), *oldest = NULL, *next;
    for (; at != NULL; at = next) {
        next = at->next;
        at->next = oldest;
        oldest = at;
    }
    for (; oldest != NULL; oldest = next) {
        next = oldest->next;
        list_add_tail(&pool->queue, oldest);
    }
}

/* The next job, or NULL when the pool closes and nothing is left. */
static struct worker_job *take_job(struct worker_pool *pool)
{
    struct worker_job *job = NULL;
    while (sem_wait(&pool->jobs) != 0)
        continue;
    pthread_mutex_lock(&pool->lock);
    if (list_empty(&pool->queue))
        take_over(pool);
    if (!list_empty(&pool->queue)) {
        job = LIST_ENTRY(pool->queue.next, struct worker_job, link);
        list_remove(&job->link);
        atomic_fetch_sub(&pool->waiting, 1);
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *worker_main(void *argument)
{
    struct worker_pool *pool = argument;
    char name[32];
    pthread_mutex_lock(&pool->lock);
    snprintf(name, sizeof(name), "weir-worker-%d", pool->named++);
    pthread_mutex_unlock(&pool->lock);
    thread_name(name);
    struct worker_job *job;
    while ((job = take_job(pool)) != NULL)
        job->run(job);
    return NULL;
}

static int start_threads(struct worker_pool *pool, int threads)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = 0;
    while (pool->count < threads && failure == 0) {
        failure = pthread_create(&pool->threads[pool->count], NULL, worker_main, pool);
        if (failure == 0)
            pool->count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

int worker_pool_create(struct worker_pool **out, int threads, size_t queue_max, struct err *err)
{
    if (threads < 1 || threads > THREADS_MAX)
        return err_set(err, ERR_INVALID, "the number of worker threads must be 1 to %d", THREADS_MAX);
    if (queue_max < 1 || queue_max > QUEUE_MAX)
        return err_set(err, ERR_INVALID, "the workers' queue must hold 1 to %zu jobs", QUEUE_MAX);
    struct worker_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a worker pool");
    pthread_mutex_init(&pool->lock, NULL);
    sem_init(&pool->jobs, 0, 0);
    list_init(&pool->queue);
    pool->queue_max = queue_max;
    int failure = start_threads(pool, threads);
    if (failure != 0) {
        worker_pool_destroy(pool);
        return err_set(err, ERR_MEMORY, "cannot start a worker thread: %s", strerror(failure));
    }
    *out = pool;
    return 0;
}

void worker_pool_destroy(struct worker_pool *pool)
{
    if (pool == NULL)
        return;
    atomic_store(&pool->closing, true);
    while (atomic_load(&pool->submitters) > 0)
        sched_yield();
    for (int i = 0; i < pool->count; i++)
        sem_post(&pool->jobs);
    for (int i = 0; i < pool->count; i++)
        pthread_join(pool->threads[i], NULL);
    ASSERT(atomic_load(&pool->waiting) == 0);
    sem_destroy(&pool->jobs);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static void push(struct worker_pool *pool, struct list *link)
{
    struct list *top = atomic_load_explicit(&pool->pushed, memory_order_relaxed);
    do
        link->next = top;
    while (!atomic_compare_exchange_weak_explicit(&pool->pushed, &top, link, memory_order_release, memory_order_relaxed));
}

int worker_submit(struct worker_pool *pool, struct worker_job *job)
{
    int rc = 0;
    atomic_fetch_add(&pool->submitters, 1);
    if (atomic_load(&pool->closing)) {
        rc = ERR_CLOSED;
    } else if (atomic_fetch_add(&pool->waiting, 1) >= pool->queue_max) {
        atomic_fetch_sub(&pool->waiting, 1);
        rc = ERR_FULL;
    } else {
        push(pool, &job->link);
        sem_post(&pool->jobs);
    }
    atomic_fetch_sub(&pool->submitters, 1); /* the last that is done here with the pool */
    return rc;
}
