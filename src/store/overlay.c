/*
 * The overlay of a stage: what the tick has written so far, in key order, over RocksDB.
 *
 * A skip list in the stage's arena, for it must be walked in order in both directions while it grows under
 * the walker; and beside it a hash table over the same nodes, because most questions are "has this tick
 * touched that key?" and most answers are no: 30 ns instead of a descent through a dozen cache misses.
 *
 * A node is never unlinked: rolling back to a save point returns it to the state it had, perhaps NODE_ABSENT,
 * so a cursor that stands on it stays valid. Values are never overwritten in place either; older ones stay in
 * the arena until the stage is reset, which the undo log and the images of change records rely on.
 */
#include "store/internal.h"

#include "base/hash.h"

#define SLOTS_MIN 1024
#define SLOTS_KEPT 65536

int array_reserve(void **array, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return 0;
    size_t more = *cap ? *cap * 2 : 64;
    void *grown = realloc(*array, more * size);
    if (!grown)
        return ERR_MEMORY;
    *array = grown;
    *cap = more;
    return 0;
}

static int head_make(struct store_stage *stage)
{
    stage->head = arena_zalloc(&stage->arena, sizeof(struct node) + NODE_LEVELS * sizeof(struct node *));
    stage->levels = 1;
    return stage->head ? 0 : ERR_MEMORY;
}

int overlay_init(struct store_stage *stage)
{
    stage->random = random_u64() | 1;
    stage->slots = SLOTS_MIN;
    stage->slot = calloc(stage->slots, sizeof(struct node *));
    return stage->slot ? head_make(stage) : ERR_MEMORY;
}

void overlay_fini(struct store_stage *stage)
{
    free(stage->slot);
    free(stage->undo);
    free(stage->delta);
}

void overlay_reset(struct store_stage *stage)
{
    arena_reset(&stage->arena);
    if (stage->slots > SLOTS_KEPT) {
        struct node **small = calloc(SLOTS_KEPT, sizeof(struct node *));
        if (small) {
            free(stage->slot);
            stage->slot = small;
            stage->slots = SLOTS_KEPT;
        }
    }
    if (stage->nodes)
        memset(stage->slot, 0, stage->slots * sizeof(struct node *));
    stage->nodes = stage->rows = stage->durable = 0;
    stage->undo_count = stage->delta_count = 0;
    stage->writes++;
    int rc = head_make(stage);
    ASSERT(rc == 0); /* the first chunk of the arena is kept */
}

/* ---- the hash table ---- */

static struct node **slot_of(const struct store_stage *stage, struct text key, uint64_t hash)
{
    size_t i = hash & (stage->slots - 1);
    while (stage->slot[i] && (stage->slot[i]->hash != hash || !text_equal(stage->slot[i]->key, key)))
        i = (i + 1) & (stage->slots - 1);
    return &stage->slot[i];
}

static int slots_grow(struct store_stage *stage)
{
    struct node **old = stage->slot;
    size_t n = stage->slots;
    struct node **grown = calloc(n * 2, sizeof(struct node *));
    if (!grown)
        return ERR_MEMORY;
    stage->slot = grown;
    stage->slots = n * 2;
    for (size_t i = 0; i < n; i++)
        if (old[i])
            *slot_of(stage, old[i]->key, old[i]->hash) = old[i];
    free(old);
    return 0;
}

struct node *overlay_find_hashed(const struct store_stage *stage, struct text key, uint64_t hash)
{
    return stage->nodes ? *slot_of(stage, key, hash) : NULL;
}

struct node *overlay_find(const struct store_stage *stage, struct text key)
{
    return stage->nodes ? *slot_of(stage, key, hash_bytes(key)) : NULL;
}

/* ---- the skip list ---- */

/* A descent compares a dozen keys or more, and kind, table and the first letters of a hash key decide nearly all of them: two numbers in the node itself. */
static void front_of(struct text key, uint64_t front[2])
{
    unsigned char bytes[16] = {0};
    if (key.len)
        memcpy(bytes, key.data, key.len < sizeof(bytes) ? key.len : sizeof(bytes));
    for (int i = 0; i < 2; i++) {
        memcpy(&front[i], bytes + 8 * i, 8);
        front[i] = __builtin_bswap64(front[i]);
    }
}

static inline int node_compare(const struct node *node, const uint64_t front[2], struct text key)
{
    for (int i = 0; i < 2; i++)
        if (node->front[i] != front[i])
            return node->front[i] < front[i] ? -1 : 1;
    return text_compare(node->key, key);
}

/* before[level]: the last node with a key below (or at, when not strict). */
static struct node *descend(
    const struct store_stage *stage, struct text key, bool or_at, struct node **before)
{
    struct node *at = stage->head;
    uint64_t front[2];
    front_of(key, front);
    for (int level = stage->levels - 1; level >= 0; level--) {
        while (at->next[level]) {
            int order = node_compare(at->next[level], front, key);
            if (order > 0 || (order == 0 && !or_at))
                break;
            at = at->next[level];
        }
        if (before)
            before[level] = at;
    }
    return at;
}

struct node *overlay_seek(const struct store_stage *stage, struct text key, bool strict)
{
    return descend(stage, key, strict, NULL)->next[0];
}

struct node *overlay_seek_back(const struct store_stage *stage, struct text key, bool strict)
{
    struct node *at = descend(stage, key, !strict, NULL);
    return at == stage->head ? NULL : at;
}

static int random_levels(struct store_stage *stage)
{
    int levels = 1;
    stage->random ^= stage->random << 13;
    stage->random ^= stage->random >> 7;
    stage->random ^= stage->random << 17;
    for (uint64_t bits = stage->random; levels < NODE_LEVELS && (bits & 3) == 0; bits >>= 2)
        levels++;
    return levels;
}

static struct node *node_make(struct store_stage *stage, struct text key, uint64_t hash)
{
    struct node *before[NODE_LEVELS];
    int levels = random_levels(stage);
    if (stage->nodes * 2 >= stage->slots && slots_grow(stage))
        return NULL;
    struct node *node = arena_zalloc(&stage->arena, sizeof(*node) + (size_t)levels * sizeof(struct node *));
    struct text own = arena_copy(&stage->arena, key);
    if (!node || !own.data)
        return NULL;
    node->key = own;
    front_of(own, node->front);
    node->hash = hash;
    node->levels = (uint8_t)levels;
    descend(stage, key, false, before);
    for (; stage->levels < levels; stage->levels++)
        before[stage->levels] = stage->head;
    for (int i = 0; i < levels; i++) {
        node->next[i] = before[i]->next[i];
        before[i]->next[i] = node;
    }
    *slot_of(stage, own, hash) = node;
    stage->nodes++;
    return node;
}

/* ---- writing ---- */

static void node_change(struct store_stage *stage, struct node *node, uint8_t state, struct text value)
{
    int before = node->state != NODE_ABSENT, after = state != NODE_ABSENT;
    if (before != after) {
        bool durable = node->key.data[0] != KEY_VOLATILE;
        stage->rows = after ? stage->rows + 1 : stage->rows - 1;
        if (durable)
            stage->durable = after ? stage->durable + 1 : stage->durable - 1;
        stage->version++;
    }
    node->state = state;
    node->value = value;
    stage->writes++;
}

static int write_node(
    struct store_stage *stage, struct text key, uint8_t state, struct text value, struct node **out)
{
    ASSERT(!stage->sealed);
    uint64_t hash = hash_bytes(key);
    struct node *node = stage->nodes ? *slot_of(stage, key, hash) : NULL;
    int rc = array_reserve((void **)&stage->undo, &stage->undo_cap, stage->undo_count, sizeof(struct undo));
    if (rc)
        return rc;
    if (!node)
        node = node_make(stage, key, hash);
    if (!node)
        return ERR_MEMORY;
    stage->undo[stage->undo_count++] =
        (struct undo){.node = node, .value = node->value, .state = node->state};
    node_change(stage, node, state, value);
    if (out)
        *out = node;
    return 0;
}

int overlay_put_own(struct store_stage *stage, struct text key, struct text value, struct node **node)
{
    return write_node(stage, key, NODE_PUT, value, node);
}

int overlay_put(struct store_stage *stage, struct text key, struct text value)
{
    struct text own = arena_copy(&stage->arena, value);
    return own.data ? write_node(stage, key, NODE_PUT, own, NULL) : ERR_MEMORY;
}

int overlay_delete(struct store_stage *stage, struct text key)
{
    return write_node(stage, key, NODE_DELETE, TEXT_NONE, NULL);
}

/* ---- numbers of items ---- */

static struct delta *delta_of(const struct store_stage *stage, const struct store_table *table)
{
    for (size_t i = 0; i < stage->delta_count; i++)
        if (stage->delta[i].table == table)
            return &stage->delta[i];
    return NULL;
}

int overlay_count(struct store_stage *stage, struct store_table *table, int64_t change)
{
    struct delta *delta = delta_of(stage, table);
    int rc = array_reserve((void **)&stage->undo, &stage->undo_cap, stage->undo_count, sizeof(struct undo));
    if (!rc && !delta) {
        rc = array_reserve(
            (void **)&stage->delta, &stage->delta_cap, stage->delta_count, sizeof(struct delta));
        if (!rc) {
            delta = &stage->delta[stage->delta_count++];
            *delta = (struct delta){.table = table};
        }
    }
    if (rc)
        return rc;
    stage->undo[stage->undo_count++] =
        (struct undo){.delta_at = (size_t)(delta - stage->delta), .delta = delta->change};
    delta->change += change;
    return 0;
}

int64_t overlay_count_get(const struct store_stage *stage, const struct store_table *table)
{
    const struct delta *delta = delta_of(stage, table);
    return delta ? delta->change : 0;
}

void overlay_undo(struct store_stage *stage, size_t to)
{
    ASSERT(!stage->sealed && to <= stage->undo_count);
    while (stage->undo_count > to) {
        const struct undo *undo = &stage->undo[--stage->undo_count];
        if (undo->node)
            node_change(stage, undo->node, undo->state, undo->value);
        else
            stage->delta[undo->delta_at].change = undo->delta;
    }
}
