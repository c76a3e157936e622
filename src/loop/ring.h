/*
 * A bounded single-producer single-consumer ring of pointers between two threads. No locks. The producer pushes a
 * batch and then wakes the consumer's loop once (loop_wake, which costs a system call only when that loop sleeps). Head and tail
 * are on cache lines of their own, each side caches the other's position.
 */
#ifndef WEIR_LOOP_RING_H
#define WEIR_LOOP_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring; /* opaque */

/* `capacity` is rounded up to a power of two, from 1 to 1 << 20. NULL without memory. */
struct ring *ring_create(size_t capacity);
void ring_destroy(struct ring *ring);
/* Producer. `entry` is not NULL. False when full (nothing changed). Visible to the consumer at once. */
bool ring_push(struct ring *ring, void *entry);
/* Producer: entries that can be pushed before it is full. */
size_t ring_space(struct ring *ring);
/* Consumer. NULL when empty. */
void *ring_pop(struct ring *ring);
/* Either side, approximate for the other one. */
size_t ring_count(const struct ring *ring);

#endif
