/*
 * A shared pointer that is read often and replaced rarely: keys of an issuer, certificates. Readers take a reference without a
 * lock; a writer swaps and frees the old object when nobody can still be between reading the pointer and taking the reference.
 *
 * The classic trap of "atomic pointer + reference count" is the gap between the two steps of a reader. Here a reader announces
 * itself in `readers` for the length of that gap (two instructions). A writer that, after its swap, sees nobody announced
 * knows that every later reader gets the new object, and that every earlier one already owns its reference. If somebody is
 * announced the old object waits in `retired` for the next writer; when that is full the writer yields until the gap is over.
 */
#ifndef WEIR_NET_SWAP_H
#define WEIR_NET_SWAP_H

#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>

#define SWAP_RETIRED_MAX 4

struct swap {
    _Atomic(void *) current;
    atomic_int readers;
    void *retired[SWAP_RETIRED_MAX]; /* writers only */
    int retired_count;
};

/* The current object with a reference taken by `ref`, or NULL. Any thread, lock free. */
static inline void *swap_acquire(struct swap *swap, void (*ref)(void *))
{
    atomic_fetch_add(&swap->readers, 1);
    void *object = atomic_load(&swap->current);
    if (object)
        ref(object);
    atomic_fetch_sub(&swap->readers, 1);
    return object;
}

/* Takes the caller's reference to `object` (may be NULL). One writer at a time. */
static inline void swap_publish(struct swap *swap, void *object, void (*unref)(void *))
{
    void *old = atomic_exchange(&swap->current, object);
    if (old)
        swap->retired[swap->retired_count++] = old;
    while (swap->retired_count) {
        if (atomic_load(&swap->readers) == 0) {
            while (swap->retired_count)
                unref(swap->retired[--swap->retired_count]);
        } else if (swap->retired_count < SWAP_RETIRED_MAX) {
            return;
        } else {
            sched_yield();
        }
    }
}

#endif
