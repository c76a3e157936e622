/*
 * The pool for blocking work: its bounds, its order, what happens at its end.
 */
#include "loop/worker.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

struct numbered_job {
    struct worker_job job;
    int number;
};

static sem_t begun, release;
static atomic_int ran;
static int order[64];

static void run_held(struct worker_job *job)
{
    (void)job;
    sem_post(&begun);
    sem_wait(&release);
}

static void run_numbered(struct worker_job *job)
{
    struct numbered_job *n = LIST_ENTRY(&job->link, struct numbered_job, job.link);
    order[atomic_fetch_add(&ran, 1)] = n->number;
}

static int setup(void **state)
{
    (void)state;
    sem_init(&begun, 0, 0);
    sem_init(&release, 0, 0);
    atomic_store(&ran, 0);
    return 0;
}

static void the_queue_is_bounded(void **state)
{
    (void)state;
    struct worker_pool *pool;
    assert_int_equal(worker_pool_create(&pool, 1, 4, NULL), 0);
    struct worker_job held = {.run = run_held};
    assert_int_equal(worker_submit(pool, &held), 0);
    sem_wait(&begun); /* the only thread is busy, the queue is empty */
    struct numbered_job jobs[5];
    for (int i = 0; i < 5; i++)
        jobs[i] = (struct numbered_job){{.run = run_numbered}, i};
    for (int i = 0; i < 4; i++)
        assert_int_equal(worker_submit(pool, &jobs[i].job), 0);
    assert_int_equal(worker_submit(pool, &jobs[4].job), ERR_FULL);
    assert_int_equal(atomic_load(&ran), 0);
    sem_post(&release);
    worker_pool_destroy(pool); /* runs what is queued */
    assert_int_equal(atomic_load(&ran), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(order[i], i);
}

struct closing_job {
    struct worker_job job;
    struct worker_pool *pool;
    struct numbered_job more;
    int accepted, code;
};

/* Runs on the pool's only thread, so what it submits stays queued: one is accepted, then FULL until it closes. */
static void run_until_closed(struct worker_job *job)
{
    struct closing_job *c = LIST_ENTRY(&job->link, struct closing_job, job.link);
    c->code = worker_submit(c->pool, &c->more.job);
    c->accepted = c->code == 0;
    sem_post(&begun);
    struct worker_job refused = {.run = run_numbered};
    do {
        sched_yield();
        c->code = worker_submit(c->pool, &refused);
    } while (c->code == ERR_FULL);
}

static void a_closing_pool_takes_nothing(void **state)
{
    (void)state;
    struct closing_job c = {{.run = run_until_closed}, NULL, {{.run = run_numbered}, 7}, 0, 0};
    assert_int_equal(worker_pool_create(&c.pool, 1, 1, NULL), 0);
    assert_int_equal(worker_submit(c.pool, &c.job), 0);
    sem_wait(&begun);
    worker_pool_destroy(c.pool);
    assert_true(c.accepted);
    assert_int_equal(c.code, ERR_CLOSED);
    assert_int_equal(atomic_load(&ran), 1); /* what was accepted before has run */
    assert_int_equal(order[0], 7);
}

enum { SUBMITTERS = 3, JOBS_EACH = 20000 };
struct submitter {
    struct worker_pool *pool;
    struct worker_job *jobs;
    int wrong;
};

static void run_counted(struct worker_job *job)
{
    (void)job;
    atomic_fetch_add(&ran, 1);
}

static void *submit_many(void *argument)
{
    struct submitter *s = argument;
    for (int i = 0; i < JOBS_EACH; i++) {
        int rc;
        while ((rc = worker_submit(s->pool, &s->jobs[i])) != 0) {
            if (rc != ERR_FULL)
                s->wrong++;
            sched_yield();
        }
    }
    return NULL;
}

static void every_job_runs_once(void **state)
{
    (void)state;
    static struct worker_job jobs[SUBMITTERS][JOBS_EACH];
    struct worker_pool *pool;
    assert_int_equal(worker_pool_create(&pool, 3, 100, NULL), 0);
    struct submitter submitters[SUBMITTERS];
    pthread_t threads[SUBMITTERS];
    for (int s = 0; s < SUBMITTERS; s++) {
        for (int i = 0; i < JOBS_EACH; i++)
            jobs[s][i].run = run_counted;
        submitters[s] = (struct submitter){pool, jobs[s], 0};
        assert_int_equal(pthread_create(&threads[s], NULL, submit_many, &submitters[s]), 0);
    }
    for (int s = 0; s < SUBMITTERS; s++) {
        pthread_join(threads[s], NULL);
        assert_int_equal(submitters[s].wrong, 0);
    }
    worker_pool_destroy(pool);
    assert_int_equal(atomic_load(&ran), SUBMITTERS * JOBS_EACH);
}

static char seen_name[16];
static sigset_t seen_mask;
static void run_look(struct worker_job *job)
{
    (void)job;
    pthread_getname_np(pthread_self(), seen_name, sizeof(seen_name));
    pthread_sigmask(SIG_BLOCK, NULL, &seen_mask);
}

static void threads_are_named_and_take_no_signals(void **state)
{
    (void)state;
    struct worker_pool *pool;
    sigset_t before, after;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    assert_int_equal(worker_pool_create(&pool, 1, 1, NULL), 0);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    struct worker_job job = {.run = run_look};
    assert_int_equal(worker_submit(pool, &job), 0);
    worker_pool_destroy(pool);
    assert_string_equal(seen_name, "weir-worker-0");
    assert_true(sigismember(&seen_mask, SIGTERM));
    assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

static void *name_long(void *argument)
{
    thread_name("a name of more than fifteen bytes");
    pthread_getname_np(pthread_self(), argument, 16);
    return NULL;
}

static void long_names_are_cut(void **state)
{
    (void)state;
    char name[16] = "";
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, name_long, name), 0);
    pthread_join(thread, NULL);
    assert_string_equal(name, "a name of more ");
}

static void sizes_are_checked(void **state)
{
    (void)state;
    struct worker_pool *pool = NULL;
    struct err err = {0};
    assert_int_equal(worker_pool_create(&pool, 0, 1, &err), ERR_INVALID);
    assert_int_equal(worker_pool_create(&pool, 65, 1, &err), ERR_INVALID);
    assert_int_equal(worker_pool_create(&pool, 1, 0, &err), ERR_INVALID);
    assert_int_equal(worker_pool_create(&pool, 1, ((size_t)1 << 20) + 1, &err), ERR_INVALID);
    assert_int_equal(err.code, ERR_INVALID);
    assert_null(pool);
    worker_pool_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_queue_is_bounded, setup),
        cmocka_unit_test_setup(a_closing_pool_takes_nothing, setup),
        cmocka_unit_test_setup(every_job_runs_once, setup),
        cmocka_unit_test_setup(threads_are_named_and_take_no_signals, setup),
        cmocka_unit_test_setup(long_names_are_cut, setup),
        cmocka_unit_test_setup(sizes_are_checked, setup),
    };
    return cmocka_run_group_tests_name("loop workers", tests, NULL, NULL);
}
