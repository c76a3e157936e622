/* Journal sections from anywhere: the change reader and the decoding of rows for a replay stay inside the
 * bytes and end. */
#include "store/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int inside(struct text whole, struct text part)
{
    return !part.len || (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static int check_row(void *context, struct text key, struct text value)
{
    const struct text *record = context;
    if (!inside(*record, key) || !inside(*record, value) || !key.len)
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text record = text_make(data, size);
    struct store_change_reader reader;
    struct store_change change;
    struct arena arena;
    struct attr *item;
    record_ops(record, check_row, &record);
    if (store_change_begin(&reader, record))
        return 0;
    arena_init(&arena, 4096, 8u << 20);
    while (!store_change_next(&reader, &change)) {
        if (!inside(record, change.table) || !inside(record, change.keys) || !inside(record, change.before) ||
            !inside(record, change.after))
            abort();
        item_decode(&arena, change.after, &item);
        arena_reset(&arena);
    }
    arena_fini(&arena);
    return 0;
}
