/*
 * A hash map from bytes to a pointer, open addressing, grows by doubling, tombstone-free deletion. Keys are borrowed: they
 * usually live inside the value. For indexes by connection id, room name, user, table name. One thread.
 */
#ifndef WEIR_BASE_MAP_H
#define WEIR_BASE_MAP_H

#include "base/text.h"

struct map_slot {
    uint64_t hash; /* 0 = empty */
    struct text key;
    void *value;
};
struct map {
    struct map_slot *slot;
    size_t count, cap; /* cap is 0 or a power of two */
};

void map_init(struct map *map);
void map_fini(struct map *map);
void *map_get(const struct map *map, struct text key); /* NULL when absent */
/* Adds or replaces (*old gets the replaced value or NULL; old may be NULL). 0 or ERR_MEMORY. */
int map_put(struct map *map, struct text key, void *value, void **old);
/* The removed value, or NULL. */
void *map_delete(struct map *map, struct text key);
/* Iteration: for (size_t at = 0; (v = map_next(map, &at)); ). No changes meanwhile. */
void *map_next(const struct map *map, size_t *at);

#endif
