/*
 * Is this what the table holds? The items come from the model, or from a replay of the change records; what the table and each index must show is worked out from
 * them and the declaration alone: which items have an entry, in which order, with which attributes, at which rank.
 */
#ifndef WEIR_TESTS_REPLAY_COMPARE_H
#define WEIR_TESTS_REPLAY_COMPARE_H

#include "model.h"

struct expected {
    const struct attr **item;
    size_t count;
};
/* `settled`: nothing expired waits for its deletion and no index is being filled, so counts and ranks are exact, too. `what` is said when they differ. */
void compare_table(struct store_view *view, const struct store_table *table, struct expected expected, bool settled, const char *what);
/* The items of the model's table at that second. */
struct expected model_items(struct arena *arena, const struct model *model, enum table_name table, int64_t now_s);

#endif
