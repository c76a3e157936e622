/*
 * Calls that wait for the disk. A call that met a cold block is undone; a worker reads what it lacked, and it runs again when that is in the cache.
 *
 *   state thread          run: ERR_COLD ─► undo, note which rows ─► worker_submit          ...others run...          ready ─► run again
 *   worker                                                         store_warm ─► warmed list, wake the state thread
 *
 * Its lane is cold meanwhile: calls of the same lane are parked behind it and follow one by one, in their order, through the same queue of ready calls. So a
 * lane has at most one call with a worker or in that queue, all its others are parked in the lane itself, and nobody needs a look at the whole of it.
 *
 * A call goes to a worker a few times at most, each time for more rows; then it may read the disk on the state thread. The same when the workers' queue is full, when
 * too many calls wait already, and when nothing tells which row was cold. Waiting is a favour to the others, never a condition.
 *
 * The calls are within their sources' credit, so what is parked is bounded. A stopping tick waits for all of them.
 */
#include "tick/inside.h"

#include "base/assert.h"
#include <stdlib.h>

enum { WARM_MAX = 256 /* calls with a worker at a time */, WARM_ROUNDS = 8, WARM_ROWS = 64 /* of a walk, in the first round; doubled in each */ };

struct warm {
    struct worker_job job;
    struct tick *tick;
    struct tick_call *call;
    struct store_cold cold;
    size_t rows;
    struct warm *next; /* idle, or warmed */
};

int warm_init(struct tick *tick)
{
    if (!tick->config.workers)
        return 0;
    tick->warm_spare = calloc(1, sizeof(struct warm));
    if (!tick->warm_spare)
        return ERR_MEMORY;
    tick->warms = 1;
    store_cold_init(&tick->warm_spare->cold);
    tick->view.cold = &tick->warm_spare->cold;
    return 0;
}

static void warm_free(struct warm *warm)
{
    while (warm) {
        struct warm *next = warm->next;
        store_cold_fini(&warm->cold);
        free(warm);
        warm = next;
    }
}

void warm_fini(struct tick *tick)
{
    ASSERT(tick->warming == 0 && !tick->ready_first);
    warm_free(tick->warm_spare);
    warm_free(tick->warm_idle);
    pthread_mutex_destroy(&tick->warm_lock);
}

/* The list into which the next run notes what is cold; none when too many wait. */
static void spare_take(struct tick *tick)
{
    struct warm *warm = tick->warm_idle;
    if (warm) {
        tick->warm_idle = warm->next;
        warm->next = NULL;
    } else if (tick->warms < WARM_MAX && (warm = calloc(1, sizeof(*warm))) != NULL) {
        tick->warms++;
        store_cold_init(&warm->cold);
    }
    tick->warm_spare = warm;
    tick->view.cold = warm ? &warm->cold : NULL;
}

/* Worker. Whatever went wrong, the call will meet it itself. */
static void warm_run(struct worker_job *job)
{
    struct warm *warm = LIST_ENTRY(job, struct warm, job);
    struct tick *tick = warm->tick;
    store_warm(tick->config.store, &warm->cold, warm->rows);
    pthread_mutex_lock(&tick->warm_lock);
    warm->next = NULL;
    if (tick->warmed_last)
        tick->warmed_last->next = warm;
    else
        tick->warmed_first = warm;
    tick->warmed_last = warm;
    tick_wake(tick); /* under the lock: once the state thread has taken the last one, no worker knows the tick any more */
    pthread_mutex_unlock(&tick->warm_lock);
}

bool warm_begin(struct tick *tick, struct tick_call *call)
{
    struct warm *warm = tick->warm_spare;
    if (!warm || warm->cold.count == 0 || call->runs > WARM_ROUNDS)
        return false;
    warm->job.run = warm_run;
    warm->tick = tick;
    warm->call = call;
    warm->rows = (size_t)WARM_ROWS << (call->runs - 1);
    if (worker_submit(tick->config.workers, &warm->job) != 0)
        return false;
    tick->warming++;
    spare_take(tick);
    if (call->lane)
        call->lane->cold = true;
    return true;
}

/* ---- ready calls ---- */

static void ready_add(struct tick *tick, struct tick_call *call)
{
    call->next = NULL;
    if (tick->ready_last)
        tick->ready_last->next = call;
    else
        tick->ready_first = call;
    tick->ready_last = call;
}

struct tick_call *warm_ready_take(struct tick *tick)
{
    struct tick_call *call = tick->ready_first;
    tick->ready_first = call->next;
    if (!tick->ready_first)
        tick->ready_last = NULL;
    call->next = NULL;
    return call;
}

void warm_collect(struct tick *tick)
{
    if (tick->warming == 0)
        return;
    pthread_mutex_lock(&tick->warm_lock);
    struct warm *warm = tick->warmed_first;
    tick->warmed_first = tick->warmed_last = NULL;
    pthread_mutex_unlock(&tick->warm_lock);
    while (warm) {
        struct warm *next = warm->next;
        ready_add(tick, warm->call);
        store_cold_clear(&warm->cold);
        warm->next = tick->warm_idle;
        tick->warm_idle = warm;
        tick->warming--;
        warm = next;
    }
    if (!tick->warm_spare)
        spare_take(tick);
}

/* ---- lanes ---- */

void lane_park(struct tick_lane *lane, struct tick_call *call)
{
    call->next = NULL;
    if (lane->parked_last)
        lane->parked_last->next = call;
    else
        lane->parked_first = call;
    lane->parked_last = call;
}

void lane_continue(struct tick *tick, struct tick_lane *lane)
{
    struct tick_call *call = lane->parked_first;
    if (!call) {
        lane->cold = false;
        return;
    }
    lane->parked_first = call->next;
    if (!lane->parked_first)
        lane->parked_last = NULL;
    ready_add(tick, call);
}
