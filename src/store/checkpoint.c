/*
 * A copy of the tables for a backup. A checkpoint and not a walk over the rows: the files of tables never change once they are written, so on the same file
 * system a link to each is a copy, and the rows need not be read. The flush before it brings the applied sequence with its data, as any flush does (store.c),
 * so what is found in the copy is a state that was: the journal is replayed into it from there, exactly as after a crash.
 */
#include "store/internal.h"

int store_checkpoint(struct store *store, const char *folder, struct err *err)
{
    return rocks_checkpoint(store->rocks, folder, err);
}
