/* Open addressing over the keys' sortable bytes. */
#include "aws/keyset.h"

#include "base/hash.h"

int ddb_keyset_add(struct ddb_keyset *set, struct arena *arena, const struct store_table *table, const struct attr *key)
{
    struct text bytes = ddb_key_bytes(arena, table, key);
    if (!bytes.data)
        return ERR_MEMORY;
    if (set->count >= DDB_KEYSET_SLOTS / 2)
        return ERR_FULL;
    size_t at = hash_bytes(bytes) % DDB_KEYSET_SLOTS;
    for (; set->slot[at].data; at = (at + 1) % DDB_KEYSET_SLOTS)
        if (text_equal(set->slot[at], bytes))
            return ERR_DUPLICATE;
    set->slot[at] = bytes;
    set->count++;
    return 0;
}
