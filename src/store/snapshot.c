/*
 * Published snapshots. Readers on other threads take the newest one without a lock: a reader writes the
 * pointer into its hazard slot and looks whether it is still the published one; the committer publishes first
 * and looks at the slots afterwards, so one of the two sees the other. A retired snapshot is freed when no
 * slot names it; at most one per slot can wait.
 */
#include "store/internal.h"

static bool is_held(struct store *store, const struct store_snapshot *snapshot)
{
    for (int i = 0; i < STORE_READERS_ALL; i++)
        if (atomic_load(&store->hazard[i]) == snapshot)
            return true;
    return false;
}

static void snapshot_free(struct store *store, struct store_snapshot *snapshot)
{
    rocks_snapshot_destroy(store->rocks, snapshot->rocks);
    free(snapshot);
}

static void collect(struct store *store)
{
    struct store_snapshot **link = &store->retired;
    while (*link) {
        struct store_snapshot *snapshot = *link;
        if (is_held(store, snapshot)) {
            link = &snapshot->next;
            continue;
        }
        *link = snapshot->next;
        snapshot_free(store, snapshot);
    }
}

int store_snapshot_publish(struct store *store)
{
    struct store_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (!snapshot)
        return ERR_MEMORY;
    snapshot->sequence = store_applied(store);
    snapshot->rocks = rocks_snapshot_create(store->rocks);
    if (!snapshot->rocks) {
        free(snapshot);
        return ERR_MEMORY;
    }
    struct store_snapshot *old = atomic_exchange(&store->snapshot, snapshot);
    if (old) {
        old->next = store->retired;
        store->retired = old;
    }
    collect(store);
    return 0;
}

const struct store_snapshot *store_snapshot_acquire(struct store *store, unsigned reader)
{
    ASSERT(reader < STORE_READERS_ALL && !atomic_load(&store->hazard[reader]));
    for (;;) {
        struct store_snapshot *snapshot = atomic_load(&store->snapshot);
        atomic_store(&store->hazard[reader], snapshot);
        if (atomic_load(&store->snapshot) == snapshot)
            return snapshot;
    }
}

void store_snapshot_release(struct store *store, unsigned reader)
{
    ASSERT(reader < STORE_READERS_ALL);
    atomic_store(&store->hazard[reader], NULL);
}

uint64_t store_snapshot_sequence(const struct store_snapshot *snapshot)
{
    return snapshot->sequence;
}

void snapshot_fini(struct store *store)
{
    struct store_snapshot *last = atomic_exchange(&store->snapshot, NULL);
    for (int i = 0; i < STORE_READERS_ALL; i++)
        ASSERT(!atomic_load(&store->hazard[i]));
    collect(store);
    if (last)
        snapshot_free(store, last);
}
