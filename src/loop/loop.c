/*
 * The event loop. Level-triggered epoll and plain descriptors, because measurements on the machines this runs on
 * found io_uring no faster for small messages, and because level triggering needs no "read until EAGAIN": a source
 * may take one buffer's worth and leave the rest for the next turn, which is what keeps a loud peer from starving
 * the others.
 *
 * The turn has a fixed order (loop.h) so that output is corked by construction: whatever sources, inboxes and timers
 * write in a turn leaves in the finish hooks, one send for each connection.
 *
 * Waking. Another thread that has put something into a ring calls loop_wake. Its cost must be a system call only
 * when the loop sleeps, and a wake-up must never be lost. Two flags, in Dekker's way: the waker sets `woken`, then
 * looks at `sleeping`; the loop sets `sleeping`, then looks at `woken` (and into its inboxes). Both sides use
 * sequentially consistent operations, so at least one sees the other's flag. `woken` is always set by an exchange:
 * a waker that finds it set has joined a wake-up that the loop has not consumed yet, and the loop's own exchange
 * reads from that chain and so sees what the waker had published. No fences, which the thread sanitizer cannot see.
 * The eventfd is edge-triggered and never read: each write is an edge, the counter would overflow after 2^64 wakes.
 *
 * Removal. A source may be removed, and its memory handed to loop_defer, inside any callback. Its readiness may
 * still stand in the array of this turn: loop_remove looks through the rest of the array and blanks it. That is at
 * most 1,024 compares of a cached array, beside a close() of several microseconds, and needs no generation number
 * in each source.
 */
#include "loop/loop.h"

#include "base/assert.h"
#include "base/clock.h"
#include "loop/wheel.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 1024, /* readiness taken per turn; more waits for the next turn */
    INBOXES_MAX = 16,
    DEFER_FIRST = 256,   /* entries */
    DEFER_MAX = 1 << 22, /* entries; each is an object that exists, and those are bounded by their owners */
    WAIT_MAX_MS = 60000  /* a sleep with timers set is never longer, and fits epoll's int */
};

_Static_assert(LOOP_READ == (int)EPOLLIN && LOOP_WRITE == (int)EPOLLOUT && LOOP_HANGUP == (int)EPOLLHUP,
    "events are epoll's bits");

struct inbox {
    int (*drain)(void *context);
    void *context;
};

struct deferred {
    void (*destroy)(void *object);
    void *object;
};

struct loop {
    /* written by other threads, on a cache line of their own */
    _Alignas(64) atomic_bool woken;
    atomic_bool sleeping;
    atomic_bool stopped;

    _Alignas(64) int epoll_fd;
    int wake_fd;
    int64_t now_ms;
    uint64_t turn;
    bool in_turn;
    bool inboxes_busy; /* the last drain found entries: there may be more, do not sleep */
    int inbox_count;
    int ready_count, ready_at; /* readiness of this turn, and the first not yet dispatched */
    struct list finishes;      /* asked for, in order */
    struct list finishing;     /* those of this turn */
    struct list due;           /* timers of this turn not yet called */
    struct deferred *deferred;
    size_t deferred_count, deferred_cap;
    struct inbox inboxes[INBOXES_MAX];
    struct wheel wheel;
    struct epoll_event ready[EVENTS_MAX];
};

/* ---- life ---- */

static int open_descriptors(struct loop *loop, struct err *err)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        return err_set(err, ERR_IO, "epoll_create1: %s", strerror(errno));
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        return err_set(err, ERR_IO, "eventfd: %s", strerror(errno));
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) != 0)
        return err_set(err, ERR_IO, "epoll_ctl: %s", strerror(errno));
    return 0;
}

static void close_descriptors(struct loop *loop)
{
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
}

int loop_create(struct loop **out, struct err *err)
{
    struct loop *loop = aligned_alloc(64, sizeof(*loop));
    if (loop == NULL)
        return err_set(err, ERR_MEMORY, "no memory for an event loop");
    memset(loop, 0, sizeof(*loop));
    atomic_init(&loop->woken, false);
    atomic_init(&loop->sleeping, false);
    atomic_init(&loop->stopped, false);
    loop->epoll_fd = loop->wake_fd = -1;
    list_init(&loop->finishes);
    list_init(&loop->finishing);
    list_init(&loop->due);
    loop->now_ms = clock_mono_ms();
    wheel_init(&loop->wheel, loop->now_ms);
    int rc = open_descriptors(loop, err);
    if (rc != 0) {
        close_descriptors(loop);
        free(loop);
        return rc;
    }
    *out = loop;
    return 0;
}

static void run_deferred(struct loop *loop)
{
    /* A destructor may defer more, and the array may move meanwhile. */
    for (size_t i = 0; i < loop->deferred_count; i++) {
        struct deferred entry = loop->deferred[i];
        entry.destroy(entry.object);
    }
    loop->deferred_count = 0;
}

void loop_destroy(struct loop *loop)
{
    if (loop == NULL)
        return;
    ASSERT(!loop->in_turn);
    run_deferred(loop);
    close_descriptors(loop);
    free(loop->deferred);
    free(loop);
}

/* ---- a turn ---- */

/* How long the wait may be: 0 when work is left over, -1 without a reason to return. */
static int choose_wait(struct loop *loop, int wait_ms)
{
    if (wait_ms == 0 || loop->inboxes_busy || loop->deferred_count != 0 || !list_empty(&loop->finishes))
        return 0;
    int64_t timer_ms = wheel_wait_ms(&loop->wheel);
    if (timer_ms < 0)
        return wait_ms;
    if (timer_ms > WAIT_MAX_MS)
        timer_ms = WAIT_MAX_MS;
    int64_t old_ms = clock_mono_ms() - loop->now_ms; /* now_ms is as old as the last turn was long */
    if (old_ms > 0)
        timer_ms = timer_ms > old_ms ? timer_ms - old_ms : 0;
    return wait_ms < 0 || timer_ms < wait_ms ? (int)timer_ms : wait_ms;
}

static void drain_inboxes(struct loop *loop)
{
    int handled = 0;
    for (int i = 0; i < loop->inbox_count; i++)
        handled |= loop->inboxes[i].drain(loop->inboxes[i].context);
    loop->inboxes_busy = handled != 0;
}

/* Says that the loop is about to sleep, then looks once more. True when it may sleep. What the inboxes bring here
   saves its producer the system call. */
static bool fall_asleep(struct loop *loop)
{
    atomic_store(&loop->sleeping, true);
    if (!atomic_load(&loop->woken)) {
        drain_inboxes(loop);
        if (!loop->inboxes_busy && loop->deferred_count == 0 && list_empty(&loop->finishes))
            return true;
    }
    atomic_store(&loop->sleeping, false);
    return false;
}

static int wait_for_events(struct loop *loop, int wait_ms)
{
    wait_ms = choose_wait(loop, wait_ms);
    if (wait_ms != 0 && !fall_asleep(loop))
        wait_ms = 0;
    int count = epoll_wait(loop->epoll_fd, loop->ready, EVENTS_MAX, wait_ms);
    if (wait_ms != 0)
        atomic_store_explicit(&loop->sleeping, false, memory_order_relaxed);
    if (count < 0) {
        ASSERT(errno == EINTR);
        count = 0;
    }
    /* Before anything is looked at: a wake-up from here on is for the next wait. */
    if (atomic_load_explicit(&loop->woken, memory_order_relaxed))
        atomic_exchange(&loop->woken, false);
    return count;
}

static int dispatch_ready(struct loop *loop)
{
    int handled = 0;
    while (loop->ready_at < loop->ready_count) {
        struct epoll_event *event = &loop->ready[loop->ready_at++];
        struct loop_source *source = event->data.ptr;
        if (source == NULL)
            continue; /* a wake-up, or removed in this turn */
        uint32_t events = event->events;
        if (events & EPOLLERR)
            events |= LOOP_HANGUP;
        /* What an earlier callback of this turn stopped asking for is not delivered. */
        events &= source->events | LOOP_HANGUP;
        if (events == 0)
            continue;
        handled++;
        source->on_ready(loop, source, events);
    }
    loop->ready_at = loop->ready_count = 0;
    return handled;
}

static void run_timers(struct loop *loop)
{
    wheel_advance(&loop->wheel, loop->now_ms, &loop->due);
    while (!list_empty(&loop->due)) {
        struct loop_timer *timer = LIST_ENTRY(loop->due.next, struct loop_timer, link);
        wheel_remove(&loop->wheel, timer);
        timer->on_due(loop, timer);
    }
}

static void run_finishes(struct loop *loop)
{
    if (list_empty(&loop->finishes))
        return;
    /* What is asked for from here on belongs to the next turn. */
    loop->finishing = loop->finishes;
    loop->finishing.next->prev = loop->finishing.prev->next = &loop->finishing;
    list_init(&loop->finishes);
    while (!list_empty(&loop->finishing)) {
        struct loop_finish *finish = LIST_ENTRY(loop->finishing.next, struct loop_finish, link);
        list_remove(&finish->link);
        finish->on_finish(loop, finish);
    }
}

int loop_turn(struct loop *loop, int wait_ms)
{
    ASSERT(!loop->in_turn);
    loop->in_turn = true;
    loop->turn++;
    loop->ready_at = 0;
    int count = wait_for_events(loop, wait_ms);
    loop->ready_count = count;
    loop->now_ms = clock_mono_ms();
    int handled = dispatch_ready(loop);
    drain_inboxes(loop);
    run_timers(loop);
    run_finishes(loop);
    run_deferred(loop);
    loop->in_turn = false;
    return handled;
}

void loop_run(struct loop *loop)
{
    while (!atomic_load(&loop->stopped))
        loop_turn(loop, -1);
    atomic_store(&loop->stopped, false);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopped, true);
    loop_wake(loop);
}

void loop_wake(struct loop *loop)
{
    if (atomic_exchange(&loop->woken, true))
        return; /* an earlier wake-up is still under way and carries this one */
    if (!atomic_load(&loop->sleeping) || !atomic_exchange(&loop->sleeping, false))
        return;
    int saved = errno; /* loop_stop is called from signal handlers */
    uint64_t one = 1;
    ssize_t written = write(loop->wake_fd, &one, sizeof(one));
    (void)written; /* it can only fail when 2^64 - 1 wake-ups have been written */
    errno = saved;
}

/* ---- sources ---- */

static int control(struct loop *loop, int operation, struct loop_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events & (LOOP_READ | LOOP_WRITE), .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, operation, source->fd, &event) == 0)
        return 0;
    switch (errno) {
    case EEXIST:
        return ERR_EXISTS;
    case ENOENT:
        return ERR_NOT_FOUND;
    case ENOMEM:
    case ENOSPC:
        return ERR_MEMORY;
    case EPERM:
        return ERR_UNSUPPORTED; /* a regular file is always ready */
    default:
        return ERR_IO;
    }
}

int loop_add(struct loop *loop, struct loop_source *source, uint32_t events)
{
    ASSERT(source->on_ready != NULL);
    int rc = control(loop, EPOLL_CTL_ADD, source, events);
    if (rc == 0)
        source->events = events;
    return rc;
}

int loop_change(struct loop *loop, struct loop_source *source, uint32_t events)
{
    if (source->events == events)
        return 0;
    int rc = control(loop, EPOLL_CTL_MOD, source, events);
    if (rc == 0)
        source->events = events;
    return rc;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
    int rc = control(loop, EPOLL_CTL_DEL, source, 0);
    ASSERT(rc == 0 || rc == ERR_NOT_FOUND); /* closing the descriptor first would leave a stranger's in our hands */
    source->events = 0;
    for (int i = loop->ready_at; i < loop->ready_count; i++)
        if (loop->ready[i].data.ptr == source)
            loop->ready[i].data.ptr = NULL;
}

int64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

uint64_t loop_turn_number(const struct loop *loop)
{
    return loop->turn;
}

/* ---- timers ---- */

void loop_timer_init(struct loop_timer *timer, void (*on_due)(struct loop *, struct loop_timer *))
{
    list_init(&timer->link);
    timer->due_ms = 0;
    timer->on_due = on_due;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due_ms)
{
    if (loop_timer_is_set(timer))
        wheel_remove(&loop->wheel, timer);
    wheel_add(&loop->wheel, timer, due_ms);
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    if (loop_timer_is_set(timer))
        wheel_remove(&loop->wheel, timer);
}

/* ---- hooks ---- */

int loop_inbox_add(struct loop *loop, int (*drain)(void *context), void *context)
{
    if (loop->inbox_count == INBOXES_MAX)
        return ERR_FULL;
    loop->inboxes[loop->inbox_count++] = (struct inbox){drain, context};
    return 0;
}

void loop_finish_init(struct loop_finish *finish, void (*on_finish)(struct loop *, struct loop_finish *))
{
    list_init(&finish->link);
    finish->on_finish = on_finish;
}

void loop_finish_ask(struct loop *loop, struct loop_finish *finish)
{
    if (list_empty(&finish->link))
        list_add_tail(&loop->finishes, &finish->link);
}

bool loop_finish_asked(const struct loop_finish *finish)
{
    return !list_empty(&finish->link);
}

void loop_finish_cancel(struct loop_finish *finish)
{
    list_remove(&finish->link);
}

void loop_defer(struct loop *loop, void (*destroy)(void *object), void *object)
{
    if (loop->deferred_count == loop->deferred_cap) {
        size_t cap = loop->deferred_cap == 0 ? DEFER_FIRST : loop->deferred_cap * 2;
        /* There is no way to say no: the object must not die now and may not be forgotten. */
        struct deferred *grown = cap <= DEFER_MAX ? realloc(loop->deferred, cap * sizeof(*grown)) : NULL;
        ASSERT(grown != NULL);
        loop->deferred = grown;
        loop->deferred_cap = cap;
    }
    loop->deferred[loop->deferred_count++] = (struct deferred){destroy, object};
}
