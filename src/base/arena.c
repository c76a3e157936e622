/*
 * Allocations that end together. The alternative, malloc and free for each node of a JSON tree, costs more than the
 * parse itself and leaks on every error path.
 *
 * Chunks form a list, newest first, and double in size up to CHUNK_MAX, so a message of any size takes few calls of
 * malloc. The limit counts bytes handed out, rounded up to 16. The tail that a chunk loses when a large allocation does not
 * fit in it is not counted; a new chunk is at least as large as the allocation that needs it, so memory stays below
 * about twice the limit. A reset keeps the oldest chunk: the recycled arena of a connection's next message allocates nothing.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

#define ALIGNMENT 16
#define CHUNK_MAX ((size_t)1 << 20) /* bytes; larger chunks only for larger allocations */

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* bytes in data */
    _Alignas(ALIGNMENT) char data[];
};

void arena_init(struct arena *arena, size_t first, size_t limit)
{
    ASSERT(first >= 64);
    *arena = (struct arena){.first = first, .limit = limit};
}

/* Frees the chunks newer than `keep`. */
static void chunks_free(struct arena *arena, const struct arena_chunk *keep)
{
    while (arena->chunk != keep) {
        struct arena_chunk *older = arena->chunk->older;
        free(arena->chunk);
        arena->chunk = older;
    }
}

void arena_fini(struct arena *arena)
{
    chunks_free(arena, NULL);
    arena->at = arena->end = NULL;
    arena->used = 0;
}

static void start_at_oldest(struct arena *arena)
{
    struct arena_chunk *oldest = arena->chunk;
    while (oldest && oldest->older)
        oldest = oldest->older;
    chunks_free(arena, oldest);
    arena->at = oldest ? oldest->data : NULL;
    arena->end = oldest ? oldest->data + oldest->size : NULL;
}

void arena_reset(struct arena *arena)
{
    start_at_oldest(arena);
    arena->used = 0;
}

static bool chunk_add(struct arena *arena, size_t need)
{
    size_t size = arena->first;
    if (arena->chunk) {
        size = arena->chunk->size * 2;
        if (size > CHUNK_MAX)
            size = CHUNK_MAX;
        if (size > arena->limit - arena->used)
            size = arena->limit - arena->used;
    }
    if (size < need)
        size = need;
    size &= ~(size_t)(ALIGNMENT - 1);
    if (size < need)
        size = need; /* `need` is a multiple of the alignment */
    struct arena_chunk *chunk = malloc(sizeof(*chunk) + size);
    if (!chunk)
        return false;
    chunk->older = arena->chunk;
    chunk->size = size;
    arena->chunk = chunk;
    arena->at = chunk->data;
    arena->end = chunk->data + size;
    return true;
}

void *arena_alloc_chunk(struct arena *arena, size_t size)
{
    if (size > arena->limit - arena->used)
        return NULL;
    size = size ? (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1) : ALIGNMENT;
    if (size > arena->limit - arena->used)
        return NULL;
    if (size > (size_t)(arena->end - arena->at) && !chunk_add(arena, size))
        return NULL;
    void *result = arena->at;
    arena->at += size;
    arena->used += size;
    if (arena->used > arena->high)
        arena->high = arena->used;
    return result;
}

void *arena_array(struct arena *arena, size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total))
        return NULL;
    return arena_alloc(arena, total);
}

struct text arena_copy(struct arena *arena, struct text text)
{
    if (text.len == SIZE_MAX)
        return TEXT_NONE;
    char *copy = arena_alloc(arena, text.len + 1);
    if (!copy)
        return TEXT_NONE;
    if (text.len)
        memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    return text_make(copy, text.len);
}

struct text arena_format(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *out = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
    if (out)
        vsnprintf(out, (size_t)len + 1, format, again);
    va_end(again);
    va_end(args);
    return out ? text_make(out, (size_t)len) : TEXT_NONE;
}

struct arena_mark arena_mark(const struct arena *arena)
{
    return (struct arena_mark){arena->at, arena->chunk, arena->used};
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
    if (!mark.chunk) {
        start_at_oldest(arena); /* marked before the first allocation: its chunk stays for the next one */
    } else {
        chunks_free(arena, mark.chunk);
        arena->at = mark.at;
        arena->end = mark.chunk->data + mark.chunk->size;
    }
    arena->used = mark.used;
}
