/*
 * The timer wheel behind loop_timer_*; private to src/loop. It knows no clock: the loop tells it what time it is.
 */
#ifndef WEIR_LOOP_WHEEL_H
#define WEIR_LOOP_WHEEL_H

#include "loop/loop.h"

#define WHEEL_TICK_BITS 3 /* a tick is 8 ms */
#define WHEEL_SLOT_BITS 6
#define WHEEL_SLOTS (1 << WHEEL_SLOT_BITS)
#define WHEEL_LEVELS 11 /* 11 * 6 + 3 bits hold any positive int64_t: nothing is too far away */

struct wheel {
    int64_t now_ms;                  /* everything due at or before it was handed out, unless `restless` */
    uint64_t tick;                   /* now_ms in ticks; the slots of earlier ticks are empty */
    bool restless;                   /* a timer was set that is due already */
    size_t count;                    /* timers in the slots */
    uint64_t occupied[WHEEL_LEVELS]; /* bit s: slots[level][s] is not empty */
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *wheel, int64_t now_ms);
/* The timer is in no list. Sets its due_ms; values below 1 become 1, for 0 means "not set". */
void wheel_add(struct wheel *wheel, struct loop_timer *timer, int64_t due_ms);
/* Takes it out of its slot, or out of the list of due ones that wheel_advance filled. Clears due_ms. */
void wheel_remove(struct wheel *wheel, struct loop_timer *timer);
/* Moves to now_ms (back too: tests change clocks) and moves the timers that are due to the tail of `due`,
   earlier ticks first. Their due_ms stays set. */
void wheel_advance(struct wheel *wheel, int64_t now_ms, struct list *due);
/* Milliseconds from the wheel's now until wheel_advance has something to do; 0: at once; -1: no timer is set. */
int64_t wheel_wait_ms(const struct wheel *wheel);

#endif
