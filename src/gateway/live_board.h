/*
 * A board: the first entries of an index in order, held in memory, and how what is shown of them changes. It knows a prefix of the index: more than is shown, so
 * that an entry that leaves the top has a successor. Pure: changes come in, steps go out. One thread at a time.
 */
#ifndef WEIR_GATEWAY_LIVE_BOARD_H
#define WEIR_GATEWAY_LIVE_BOARD_H

#include "base/arena.h"
#include "store/store.h"

#define BOARD_TOP_MAX 1000
#define BOARD_BYTES_MAX ((size_t)4 << 20) /* of items; entries behind the top go first */
#define BOARD_TOP_BYTES_MAX ((size_t)16 << 20) /* of the top itself: above it is refused */

struct board_entry {
    uint32_t refs;
    uint32_t place;       /* scratch of a comparison */
    uint64_t seen;        /* likewise: which one */
    uint64_t hash;        /* of the key */
    struct text order;    /* sorts as the index does; of no two items the same */
    struct text key, item; /* encoded */
    char bytes[];
};
struct board {
    uint32_t top;         /* shown at most */
    bool backward;
    struct board_entry **entry; /* best first */
    uint32_t count, max;
    bool complete;        /* nothing lies behind the last one */
    size_t bytes;
    struct board_entry **shown; /* what has been told; board_show */
    uint32_t shown_count;
    uint64_t serial;
};

/* top: 1..BOARD_TOP_MAX. 0, ERR_MEMORY. */
int board_init(struct board *board, uint32_t top, bool backward);
void board_fini(struct board *board);

/* The place of an item in the order of the index (index NULL: of the table): 0, ERR_NOT_FOUND (it has none), ERR_MEMORY. */
int board_order(struct buf *out, const struct store_table *table, const struct store_index *index, const struct attr *item);
/* One more entry behind the last one, while a board is being read: 0, ERR_FULL (it has enough), ERR_TOO_LARGE, ERR_MEMORY. */
int board_append(struct board *board, struct text order, struct text key, struct text item);
/* A change. Texts empty: absent. *moved: what is shown may differ now. ERR_AGAIN: the top is not known any more, the board must be read anew. 0, ERR_MEMORY. */
int board_remove(struct board *board, struct text order, bool *moved);
int board_insert(struct board *board, struct text order, struct text key, struct text item, bool *moved);
/* Few enough are left behind the top for a reading to begin. */
bool board_is_low(const struct board *board);
uint32_t board_top_count(const struct board *board);

/* Steps, to be done one after the other, lead from what was shown to what is. Places count from 0.
   'L'eave: the entry at `from` goes. 'E'nter: the entry comes to `to`. 'M'ove: it goes from `from` to `to`. 'U'pdate: the entry at `to` has changed. */
typedef void board_step_fn(void *context, char step, uint32_t from, uint32_t to, const struct board_entry *entry);
/* Takes them, and shows what is now. 0, ERR_MEMORY (nothing has been told). */
int board_show(struct board *board, board_step_fn *step, void *context);

#endif
