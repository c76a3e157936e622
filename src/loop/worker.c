/*
 * A pool of threads for what blocks. One queue behind one mutex: jobs here take tens of microseconds to seconds, so
 * a cleverer queue would save nothing. What matters is the submitter, which may be an io thread and must not wait:
 * it tries the lock and otherwise says ERR_AGAIN, and the lock is held only for a list operation, never across a
 * job. The list is threaded through the jobs: submitting allocates nothing.
 *
 * Signals are blocked in workers; they belong to the main thread.
 */
#include "loop/worker.h"

#include "base/assert.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 64 };
#define QUEUE_MAX ((size_t)1 << 20) /* jobs */

struct worker_pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct list queue;
    size_t queued, queue_max; /* jobs not yet begun */
    int idle;                 /* threads that wait */
    bool closing;
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

/* The next job, or NULL when the pool closes and nothing is left. */
static struct worker_job *take_job(struct worker_pool *pool)
{
    struct worker_job *job = NULL;
    pthread_mutex_lock(&pool->lock);
    while (pool->queued == 0 && !pool->closing) {
        pool->idle++;
        pthread_cond_wait(&pool->more, &pool->lock);
        pool->idle--;
    }
    if (pool->queued > 0) {
        job = LIST_ENTRY(pool->queue.next, struct worker_job, link);
        list_remove(&job->link);
        pool->queued--;
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
    pthread_cond_init(&pool->more, NULL);
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
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->count; i++)
        pthread_join(pool->threads[i], NULL);
    ASSERT(pool->queued == 0);
    pthread_cond_destroy(&pool->more);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

int worker_submit(struct worker_pool *pool, struct worker_job *job)
{
    if (pthread_mutex_trylock(&pool->lock) != 0)
        return ERR_AGAIN;
    int rc = 0;
    bool wake = false;
    if (pool->closing) {
        rc = ERR_CLOSED;
    } else if (pool->queued == pool->queue_max) {
        rc = ERR_FULL;
    } else {
        list_add_tail(&pool->queue, &job->link);
        pool->queued++;
        wake = pool->idle > 0;
    }
    /* Signalled under the lock: after the unlock a job that ran meanwhile may already have led to the pool's end. */
    if (wake)
        pthread_cond_signal(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    return rc;
}
