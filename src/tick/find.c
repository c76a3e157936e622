/*
 * Where a time lies in the journal: by the marks of keep.c, which are rows, so that any thread with a view finds it without asking the state thread.
 */
#include "tick/inside.h"

struct older {
    int64_t time_ms;
    uint64_t sequence;
};

static int look_at_mark(void *context, struct text key, struct text value)
{
    struct older *older = context;
    struct cursor k = cursor_of(key), v = cursor_of(value);
    uint64_t sequence = cursor_be64(&k);
    int64_t time_ms = (int64_t)cursor_be64(&v);
    if (k.failed || v.failed)
        return ERR_CORRUPT;
    if (time_ms > older->time_ms)
        return 1;
    older->sequence = sequence;
    return 0;
}

int tick_find_time(struct store_view *view, struct arena *arena, int64_t time_ms, uint64_t *sequence)
{
    struct older older = {.time_ms = time_ms};
    int rc = store_raw_scan(view, TICK_SPACE_MARKS, TEXT_NONE, arena, look_at_mark, &older);
    *sequence = older.sequence;
    return rc < 0 ? rc : 0;
}
