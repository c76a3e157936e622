/*
 * A single-producer single-consumer ring. Positions only grow and are masked on use, so full and empty need no spare
 * slot. What costs here is not the instructions but cache lines that travel between two cores: each side therefore
 * keeps its own position and a copy of the other's on one line, and reads the other's line only when the copy says
 * "full" or "empty". Under load that is once per batch, not once per entry.
 */
#include "loop/ring.h"

#include "base/assert.h"

#include <stdatomic.h>
#include <stdlib.h>

#define RING_MAX ((size_t)1 << 20)

struct ring {
    _Alignas(64) atomic_size_t tail; /* the producer's: the next slot to fill */
    size_t head_seen;
    _Alignas(64) atomic_size_t head; /* the consumer's: the next slot to empty */
    size_t tail_seen;
    _Alignas(64) size_t mask; /* never changes */
    _Alignas(64) void *slots[];
};

struct ring *ring_create(size_t capacity)
{
    ASSERT(capacity > 0 && capacity <= RING_MAX);
    size_t rounded = 1;
    while (rounded < capacity)
        rounded *= 2;
    size_t bytes = sizeof(struct ring) + rounded * sizeof(void *);
    struct ring *ring = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (ring == NULL)
        return NULL;
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->head, 0);
    ring->head_seen = ring->tail_seen = 0;
    ring->mask = rounded - 1;
    return ring;
}

void ring_destroy(struct ring *ring)
{
    free(ring);
}

bool ring_push(struct ring *ring, void *entry)
{
    ASSERT(entry != NULL); /* NULL means empty to ring_pop */
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - ring->head_seen > ring->mask) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail - ring->head_seen > ring->mask)
            return false;
    }
    ring->slots[tail & ring->mask] = entry;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

size_t ring_space(struct ring *ring)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
    return ring->mask + 1 - (tail - ring->head_seen);
}

void *ring_pop(struct ring *ring)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == ring->tail_seen) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head == ring->tail_seen)
            return NULL;
    }
    void *entry = ring->slots[head & ring->mask];
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return entry;
}

size_t ring_count(const struct ring *ring)
{
    /* Head first: the tail read later is never behind it, so the difference is not negative. */
    size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    size_t count = tail - head;
    return count > ring->mask ? ring->mask + 1 : count;
}
