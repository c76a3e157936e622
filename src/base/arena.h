/*
 * An arena: allocations that end together. One per message and one per tick. It grows in chunks from malloc up
 * to `limit` bytes; above it arena_alloc answers NULL, so a size from outside cannot exhaust memory.
 * arena_reset keeps the first chunk, so a recycled arena allocates nothing. One thread at a time; it may move
 * between threads with its message.
 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include "base/text.h"

struct arena_chunk;
struct arena {
    char *at, *end;            /* the free part of the newest chunk */
    struct arena_chunk *chunk; /* newest first */
    size_t used;               /* bytes handed out since the last reset, padding included */
    size_t high;               /* most bytes ever handed out between two resets: an operation's memory */
    size_t limit;              /* bytes */
    size_t first;              /* size of the first chunk, bytes */
};

struct arena_mark {
    char *at;
    struct arena_chunk *chunk;
    size_t used;
};

/* Allocates nothing yet. `first` >= 64. */
void arena_init(struct arena *arena, size_t first, size_t limit);
/* Frees all. The arena may be initialised again. */
void arena_fini(struct arena *arena);
/* Forgets all allocations; keeps the first chunk. */
void arena_reset(struct arena *arena);
/* For arena_alloc alone: a new chunk, or NULL. */
void *arena_alloc_chunk(struct arena *arena, size_t size);
/* 16-byte aligned, not zeroed; NULL when `limit` or memory is reached. Here, because nearly every one fits in the chunk: a call takes a hundred or so. */
static inline void *arena_alloc(struct arena *arena, size_t size)
{
    size_t rounded = size ? (size + 15) & ~(size_t)15 : 16;
    if (rounded < size || rounded > (size_t)(arena->end - arena->at) || rounded > arena->limit - arena->used)
        return arena_alloc_chunk(arena, size);
    void *result = arena->at;
    arena->at += rounded;
    arena->used += rounded;
    if (arena->used > arena->high)
        arena->high = arena->used;
    return result;
}
static inline void *arena_zalloc(struct arena *arena, size_t size)
{
    void *result = arena_alloc(arena, size);
    return result ? memset(result, 0, size) : NULL;
}
/* An array: n * size with overflow checked. */
void *arena_array(struct arena *arena, size_t n, size_t size);
/* Copies; the copy is terminated with NUL (not counted). data NULL on failure. */
struct text arena_copy(struct arena *arena, struct text text);
/* data NULL on failure. */
struct text arena_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Save points: everything allocated after the mark is forgotten. */
struct arena_mark arena_mark(const struct arena *arena);
void arena_rewind(struct arena *arena, struct arena_mark mark);

#endif
