/*
 * The change stream from zero: every record of the journal, from the first, applied to nothing. What comes out must be the tables.
 *
 * Each record is held against what the replay has at that moment: its old image is exactly that, its key is the key of its images, its event says what
 * happened, its time never goes back; numbers have no gap. No record may come after its table was dropped and made again under another id (seen by the caller).
 */
#ifndef WEIR_TESTS_REPLAY_REPLAY_H
#define WEIR_TESTS_REPLAY_REPLAY_H

#include "base/map.h"
#include "compare.h"
#include "tick/feed.h"

struct replay {
    struct map tables; /* id (4 bytes) -> struct replayed */
    uint64_t changes, last_sequence;
    int64_t last_ms;
};
struct replayed {
    uint32_t id;
    char name[256];
    struct map items;  /* key -> struct replayed_item */
};

/* Reads all there is. `on_change` (may be NULL) sees each. */
void replay_run(struct replay *replay, struct tick *tick, struct journal *journal, void (*on_change)(void *context, uint64_t sequence, const struct store_change *change),
    void *context);
void replay_fini(struct replay *replay);
/* What it holds of a table, decoded; expired ones left out by its declaration. */
struct expected replay_items(struct replay *replay, struct arena *arena, const struct store_table *table, int64_t now_s);

#endif
