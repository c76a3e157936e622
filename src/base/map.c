/*
 * Linear probing with the full hash kept in the slot: a probe compares one word and touches the key only on a hit.
 * Deletion moves later members of the run back instead of leaving tombstones, so a table of connections that come
 * and go for months stays as fast as on its first day. The load stays at or below three quarters.
 */
#include "base/map.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/hash.h"

#define MAP_FIRST 16 /* slots */

void map_init(struct map *map)
{
    *map = (struct map){0};
}

void map_fini(struct map *map)
{
    free(map->slot);
    *map = (struct map){0};
}

static uint64_t map_hash(struct text key)
{
    uint64_t hash = hash_bytes(key);
    return hash ? hash : 1;
}

/* The slot that holds the key, or the empty slot where it belongs. cap > 0. */
static struct map_slot *map_find(const struct map *map, struct text key, uint64_t hash)
{
    size_t mask = map->cap - 1;
    size_t at = hash & mask;
    while (map->slot[at].hash && !(map->slot[at].hash == hash && text_equal(map->slot[at].key, key)))
        at = (at + 1) & mask;
    return &map->slot[at];
}

void *map_get(const struct map *map, struct text key)
{
    if (map->count == 0)
        return NULL;
    return map_find(map, key, map_hash(key))->value;
}

static int map_grow(struct map *map)
{
    size_t cap = map->cap ? map->cap * 2 : MAP_FIRST;
    struct map_slot *slot = calloc(cap, sizeof(*slot));
    if (!slot)
        return ERR_MEMORY;
    for (size_t i = 0; i < map->cap; i++) {
        if (!map->slot[i].hash)
            continue;
        size_t at = map->slot[i].hash & (cap - 1);
        while (slot[at].hash)
            at = (at + 1) & (cap - 1);
        slot[at] = map->slot[i];
    }
    free(map->slot);
    map->slot = slot;
    map->cap = cap;
    return 0;
}

int map_put(struct map *map, struct text key, void *value, void **old)
{
    ASSERT(value);
    uint64_t hash = map_hash(key);
    struct map_slot *slot = map->cap ? map_find(map, key, hash) : NULL;
    bool is_new = !slot || !slot->hash;
    if (is_new && (map->count + 1) * 4 > map->cap * 3) {
        if (map_grow(map))
            return ERR_MEMORY;
        slot = map_find(map, key, hash);
    }
    if (old)
        *old = slot->value;
    /* The key is replaced too: the old one may live inside the old value. */
    *slot = (struct map_slot){hash, key, value};
    map->count += is_new;
    return 0;
}

void *map_delete(struct map *map, struct text key)
{
    if (map->count == 0)
        return NULL;
    struct map_slot *hit = map_find(map, key, map_hash(key));
    if (!hit->hash)
        return NULL;
    void *value = hit->value;
    size_t mask = map->cap - 1;
    size_t hole = (size_t)(hit - map->slot);
    for (size_t at = (hole + 1) & mask; map->slot[at].hash; at = (at + 1) & mask) {
        /* A member may fill the hole unless its home lies behind the hole on the way to where it stands. */
        size_t home = map->slot[at].hash & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        map->slot[hole] = map->slot[at];
        hole = at;
    }
    map->slot[hole] = (struct map_slot){0};
    map->count--;
    return value;
}

void *map_next(const struct map *map, size_t *at)
{
    while (*at < map->cap) {
        const struct map_slot *slot = &map->slot[(*at)++];
        if (slot->hash)
            return slot->value;
    }
    return NULL;
}
