/*
 * Chunks in the order of time. A walk merges one source per class (and per stream, when only a few are asked for); each reads its index rows in small batches, so no iterator
 * stays open and memory does not depend on how many chunks there are.
 *
 * Forward, chunks come in the order of their first event: whoever has walked to a chunk that begins at t knows all chunks that hold anything before t. Backward the index is in
 * the same order, so the bound is where a chunk of that class ends at the latest: its beginning and the class's span.
 */
#include "watch/log_inside.h"

#define BATCH 32

struct source {
    uint64_t stream; /* 0: all of the group */
    uint8_t class;
    bool ended;      /* nothing behind the batch */
    bool begun;
    struct log_ref last; /* that was looked at */
    struct log_ref ref[BATCH];
    size_t at, count;
};

struct log_walk {
    struct store_view *view;
    struct arena *arena;
    uint64_t group;
    int64_t from_ms, to_ms;
    bool backward;
    struct source *source;
    size_t sources;
};

/* ---- batches ---- */

struct fetch {
    struct log_walk *walk;
    struct source *source;
    struct text prefix;
    struct arena_mark mark;
};

static int on_row(void *context, struct text key, struct text value)
{
    struct fetch *fetch = context;
    struct log_walk *walk = fetch->walk;
    struct source *source = fetch->source;
    struct log_ref *ref = &source->ref[source->count];
    if (!text_starts(key, fetch->prefix)) {
        source->ended = true;
        return LOG_DONE;
    }
    int code = log_ref_parse(key, value, ref);
    arena_rewind(walk->arena, fetch->mark);
    if (code)
        return code;
    source->begun = true;
    source->last = *ref;
    bool past = walk->backward ? ref->min_ms + log_class_span(source->class) <= walk->from_ms : ref->min_ms >= walk->to_ms;
    if (past) {
        source->ended = true;
        return LOG_DONE;
    }
    if (ref->max_ms >= walk->from_ms && ref->min_ms < walk->to_ms)
        source->count++;
    return source->count == BATCH ? LOG_DONE : 0;
}

static struct log_key prefix_of(const struct log_walk *walk, const struct source *source)
{
    struct log_key key;
    log_key_begin(&key, source->stream ? 'y' : 'x', walk->group);
    if (source->stream)
        log_key_add64(&key, source->stream);
    log_key_add8(&key, source->class);
    return key;
}

/* Where the next batch begins: behind the last row that was taken, or at the edge of the range. */
static struct log_key begin_of(const struct log_walk *walk, const struct source *source)
{
    if (source->begun) {
        struct log_key key = log_index_key(walk->group, source->stream, &source->last);
        if (!walk->backward)
            log_key_add8(&key, 0);
        return key;
    }
    struct log_key key = prefix_of(walk, source);
    int64_t from = walk->from_ms - log_class_span(source->class) + 1;
    log_key_add64(&key, (uint64_t)(walk->backward ? walk->to_ms : from > 0 ? from : 0));
    return key;
}

static int fill(struct log_walk *walk, struct source *source)
{
    struct log_key prefix = prefix_of(walk, source), begin = begin_of(walk, source);
    struct fetch fetch = {walk, source, log_key_text(&prefix), arena_mark(walk->arena)};
    source->at = source->count = 0;
    int code = walk->backward ? store_raw_scan_back(walk->view, STORE_SPACE_LOG_CHUNKS, log_key_text(&begin), walk->arena, on_row, &fetch)
                              : store_raw_scan(walk->view, STORE_SPACE_LOG_CHUNKS, log_key_text(&begin), walk->arena, on_row, &fetch);
    arena_rewind(walk->arena, fetch.mark);
    if (code == 0)
        source->ended = true; /* the end of the sub-space */
    return code == LOG_DONE ? 0 : code;
}

/* ---- the walk ---- */

int log_walk_begin(struct store_view *view, struct arena *arena, uint64_t group, const uint64_t *stream, size_t streams, int64_t from_ms, int64_t to_ms, bool backward,
    struct log_walk **out)
{
    struct log_walk *walk = arena_zalloc(arena, sizeof(*walk));
    size_t kinds = streams <= LOG_WALK_STREAMS && streams ? streams : 1;
    if (!walk)
        return ERR_MEMORY;
    *walk = (struct log_walk){.view = view, .arena = arena, .group = group, .from_ms = from_ms, .to_ms = to_ms, .backward = backward, .sources = kinds * LOG_CLASSES};
    walk->source = arena_array(arena, walk->sources, sizeof(*walk->source));
    if (!walk->source)
        return ERR_MEMORY;
    for (size_t i = 0; i < walk->sources; i++) {
        struct source *source = &walk->source[i];
        source->stream = streams && streams <= LOG_WALK_STREAMS ? stream[i / LOG_CLASSES] : 0;
        source->class = (uint8_t)(i % LOG_CLASSES);
        source->ended = source->begun = false;
        source->at = source->count = 0;
        int code = fill(walk, source);
        if (code)
            return code;
    }
    *out = walk;
    return 0;
}

static int64_t rank(const struct log_walk *walk, const struct source *source)
{
    const struct log_ref *ref = &source->ref[source->at];
    return walk->backward ? -(ref->min_ms + log_class_span(source->class)) : ref->min_ms;
}

static int first_of(struct log_walk *walk, struct source **first)
{
    *first = NULL;
    for (size_t i = 0; i < walk->sources; i++) {
        struct source *source = &walk->source[i];
        if (source->at == source->count && !source->ended) {
            int code = fill(walk, source);
            if (code)
                return code;
        }
        if (source->at < source->count && (!*first || rank(walk, source) < rank(walk, *first)))
            *first = source;
    }
    return 0;
}

int log_walk_next(struct log_walk *walk, struct log_ref *ref)
{
    struct source *source;
    int code = first_of(walk, &source);
    if (code)
        return code;
    if (!source)
        return ERR_NOT_FOUND;
    *ref = source->ref[source->at++];
    return 0;
}

int log_walk_bound(struct log_walk *walk, bool *more, int64_t *bound_ms)
{
    struct source *source;
    int code = first_of(walk, &source);
    *more = !code && source;
    if (*more)
        *bound_ms = walk->backward ? -rank(walk, source) : rank(walk, source);
    return code;
}
