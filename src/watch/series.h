/*
 * Series: which metrics there are. A metric is a namespace, a name and the exact set of its dimensions, in whatever order they come; it gets a small number, under which
 * its figures are kept (metric.h).
 *
 * There are at most as many as the house says (seal.h; metrics.seriesMax of the configuration). A program that puts a user's id into a dimension meets that bound instead of filling the disk: its new series are
 * refused with ERR_FULL and counted, what is there goes on, and the log names the namespace once a minute. A series ends when nothing of it is kept any more.
 *
 *   STORE_SPACE_SERIES   'h'                                      number of series (be64), next id (be64)
 *                        'n' namespace 00 name 00 digest(16)      version (1), id (be64), made (be64 ms), seen (be64 ms), identity
 *   identity = namespace, name, number of dimensions (varint), each dimension's name and value by name; every text with a varint length
 *   digest   = MD5 of the dimensions in that form: a key has no room for 30 of them. Two sets with one digest (nobody meets them by chance) are told apart
 *              by the identity, and the later one is refused
 */
#ifndef WEIR_WATCH_SERIES_H
#define WEIR_WATCH_SERIES_H

#include "tick/tick.h"

#define WATCH_NAMESPACE_MAX 255
#define WATCH_NAME_MAX 255
#define WATCH_DIMENSIONS_MAX 30
#define WATCH_DIMENSION_NAME_MAX 255
#define WATCH_DIMENSION_VALUE_MAX 1024
#define WATCH_SERIES_MAX 100000              /* by itself */
#define WATCH_SEEN_MS (5 * INT64_C(60000))   /* the time of the last put is kept with this accuracy */
#define WATCH_ACTIVE_MS (14 * INT64_C(86400000)) /* without puts for so long, a series is not listed */

struct watch_dimension {
    struct text name, value;
};
/* Borrows its texts and its dimensions. No NUL in any text. */
struct watch_name {
    struct text space, name;
    const struct watch_dimension *dimension;
    size_t dimensions;
};
struct watch_series {
    uint64_t id;
    int64_t made_ms, seen_ms; /* seen: the last put, or up to WATCH_SEEN_MS earlier */
    struct watch_name name;   /* dimensions by name; lives in the arena */
};

/* Lengths, characters, repeated dimensions. 0 or ERR_INVALID with a sentence. */
int watch_name_check(const struct watch_name *name, struct err *err);
/* The name in bytes, its dimensions in the order in which they were given: equal bytes are one series, and a series has as many forms as its dimensions have orders. For
   look-ups in memory. Writes up to WATCH_FLAT_MAX bytes; 0: it needs more. */
#define WATCH_FLAT_MAX 2048
size_t watch_name_flat(const struct watch_name *name, char out[WATCH_FLAT_MAX]);
/* With all its texts, in the arena. 0 or ERR_MEMORY. */
int watch_name_copy(struct arena *arena, const struct watch_name *name, struct watch_name *out);
/* 0, ERR_NOT_FOUND, ERR_COLD, ERR_CORRUPT, ERR_MEMORY. */
int watch_series_find(struct store_view *view, struct arena *arena, const struct watch_name *name, struct watch_series *series);
/* State thread, inside a call: finds or makes it, and notes that it was put to. `made` (may be NULL): whether it is new. ERR_FULL, and the same. */
int watch_series_touch(struct tick *tick, struct arena *arena, const struct watch_name *name, uint64_t *id, bool *made, struct err *err);

/* Walks by namespace, name, digest. `visit` answers 0 to go on; its answer is returned. `key` is its place: a walk may go on behind it. The series lives for the visit only. */
#define WATCH_SERIES_KEY_MAX (1 + WATCH_NAMESPACE_MAX + 1 + WATCH_NAME_MAX + 1 + 16)
struct watch_walk {
    struct text space, name; /* empty: all. A name alone narrows nothing down but is looked at */
    struct text after;       /* place; empty: from the beginning */
    int (*visit)(void *context, struct text key, const struct watch_series *series);
    void *context;
};
int watch_series_walk(struct store_view *view, const struct watch_walk *walk);
/* State thread, inside a call: forgets a series, whose rows are gone. `left`: how many there are then. */
int watch_series_forget(struct tick *tick, struct arena *arena, struct text key, uint64_t *left);

#endif
