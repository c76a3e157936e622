/*
 * A small pool of threads for what blocks: cold reads, scans, file work. Jobs are bounded; done callbacks run on
 * the worker and usually push into a ring and wake a loop. Submitting takes no lock.
 */
#ifndef WEIR_LOOP_WORKER_H
#define WEIR_LOOP_WORKER_H

#include "base/err.h"
#include "base/list.h"

struct worker_pool;
struct worker_job {
    struct list link;
    void (*run)(struct worker_job *job); /* on a worker; owns the job from here on */
};

int worker_pool_create(struct worker_pool **out, int threads, size_t queue_max, struct err *err);
/* Runs what is queued, then joins. */
void worker_pool_destroy(struct worker_pool *pool);
/* Takes the job on success. ERR_FULL, ERR_CLOSED. Never waits. Any thread. */
int worker_submit(struct worker_pool *pool, struct worker_job *job);

/* Names the calling thread for ps, gdb and perf ("weir-io-0"); at most 15 bytes. */
void thread_name(const char *name);

#endif
