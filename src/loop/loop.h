/*
 * An event loop: one thread, level-triggered epoll, a timer wheel, and work posted from other threads. It knows
 * nothing of sockets' meaning. Order of a turn: wait → sources whose descriptors are ready → inbox hooks (rings of
 * other threads) → due timers → end-of-turn hooks (flushing corked output) → deferred destruction. Closed sources are
 * freed after the turn, so no callback meets freed memory.
 */
#ifndef WEIR_LOOP_LOOP_H
#define WEIR_LOOP_LOOP_H

#include "base/err.h"
#include "base/list.h"
#include <stdbool.h>
#include <stdint.h>

struct loop; /* opaque; one per thread */

enum { LOOP_READ = 1, LOOP_WRITE = 4, LOOP_HANGUP = 16 }; /* EPOLLIN, EPOLLOUT, EPOLLERR|EPOLLHUP folded into one bit */

/* A descriptor in the loop. Embed it; 16 bytes. The loop borrows it until loop_remove. */
struct loop_source {
    int fd;
    uint32_t events; /* what is asked for now */
    void (*on_ready)(struct loop *loop, struct loop_source *source, uint32_t events);
};

int loop_create(struct loop **out, struct err *err);
void loop_destroy(struct loop *loop);
/* Runs turns until loop_stop. */
void loop_run(struct loop *loop);
/* One turn, waiting at most `wait_ms` (0: not at all). For tests. Returns the number of ready sources. */
int loop_turn(struct loop *loop, int wait_ms);
/* Any thread; async-signal-safe. */
void loop_stop(struct loop *loop);
/* Any thread: makes the next wait return. Coalesced; costs a system call only when the loop sleeps. Push first, then wake. */
void loop_wake(struct loop *loop);

/* ERR_EXISTS, ERR_UNSUPPORTED (a regular file), ERR_MEMORY, ERR_IO. */
int loop_add(struct loop *loop, struct loop_source *source, uint32_t events);
/* No system call when nothing changes. LOOP_HANGUP is told whatever is asked for, and again each turn until the source is
   removed. What is no longer asked for is not delivered later in this turn either. */
int loop_change(struct loop *loop, struct loop_source *source, uint32_t events);
/* Takes the descriptor out (does not close it: close it afterwards). Safe inside any callback; pending readiness of this turn
   is dropped. Twice is once. */
void loop_remove(struct loop *loop, struct loop_source *source);

/* Monotonic ms (clock_mono_ms), read once per turn. */
int64_t loop_now_ms(const struct loop *loop);
/* Number of the turn, from 1. */
uint64_t loop_turn_number(const struct loop *loop);

/* ---- timers: a hierarchical wheel of 8 ms ticks; O(1) to set and stop; 32 bytes each ---- */
struct loop_timer {
    struct list link;
    int64_t due_ms; /* monotonic; 0 when not set */
    void (*on_due)(struct loop *loop, struct loop_timer *timer);
};
void loop_timer_init(struct loop_timer *timer, void (*on_due)(struct loop *, struct loop_timer *));
/* Sets or moves it. Fires in the first turn at or after due_ms (at most one wheel tick late), once. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due_ms);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);
static inline bool loop_timer_is_set(const struct loop_timer *timer)
{
    return timer->due_ms != 0;
}

/* ---- hooks ---- */
/* For draining rings. Called every turn after the sources, and once more when the loop is about to sleep; returns the number of
   entries handled (0 = idle; otherwise the next wait does not sleep, so it may stop at a slice). At most 16 a loop: ERR_FULL. */
int loop_inbox_add(struct loop *loop, int (*drain)(void *context), void *context);
/* Asked for within a turn, called once at its end, in order of asking. The node may ask again inside its callback (next turn).
   Used for "flush what was written in this turn". */
struct loop_finish {
    struct list link;
    void (*on_finish)(struct loop *loop, struct loop_finish *finish);
};
void loop_finish_init(struct loop_finish *finish, void (*on_finish)(struct loop *, struct loop_finish *));
void loop_finish_ask(struct loop *loop, struct loop_finish *finish); /* twice is once */
bool loop_finish_asked(const struct loop_finish *finish);
void loop_finish_cancel(struct loop_finish *finish);
/* Calls destroy(object) after the end-of-turn hooks, in order; loop_destroy calls what is left. Without memory for 16 bytes the
   process ends. */
void loop_defer(struct loop *loop, void (*destroy)(void *object), void *object);

#endif
