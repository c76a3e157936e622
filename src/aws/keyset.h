/* A set of keys of one request: finds an item that is named twice. One thread, in the call's arena. */
#ifndef WEIR_AWS_KEYSET_H
#define WEIR_AWS_KEYSET_H

#include "aws/ddb.h"

#define DDB_KEYSET_SLOTS 256 /* more than twice the 100 keys that a request may name */
struct ddb_keyset {
    struct text slot[DDB_KEYSET_SLOTS];
    size_t count;
};
/* 0, ERR_DUPLICATE, ERR_FULL, ERR_MEMORY. */
int ddb_keyset_add(struct ddb_keyset *set, struct arena *arena, const struct store_table *table, const struct attr *key);

#endif
