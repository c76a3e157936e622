/* Stored items from anywhere: whatever decodes must encode to the same bytes again, compare equal to itself,
 * and survive both JSON forms. */
#include "store/item.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void through_json(struct arena *arena, const struct attr *item)
{
    struct buf text;
    struct json_writer w;
    const struct json *json;
    struct attr *back;
    buf_init(&text, 16u << 20);
    json_writer_init(&w, &text);
    item_to_wire(&w, item);
    if (!text.failed && !json_parse(arena, buf_text(&text), JSON_COPY, &json, NULL))
        item_from_wire(arena, json, &back, NULL);
    buf_clear(&text);
    json_writer_init(&w, &text);
    item_to_plain(&w, item);
    if (!text.failed && !json_parse(arena, buf_text(&text), JSON_COPY, &json, NULL))
        item_from_plain(arena, json, &back, NULL);
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct attr *item, *again;
    struct buf bytes;
    arena_init(&arena, 4096, 64u << 20);
    if (!item_decode(&arena, text_make(data, size), &item)) {
        item_size(item);
        item_check(item, NULL);
        if (!attr_equal(item, item))
            abort();
        buf_init(&bytes, 16u << 20);
        if (item_encode(&bytes, item) || item_decode(&arena, buf_text(&bytes), &again) ||
            !attr_equal(item, again))
            abort();
        buf_fini(&bytes);
        through_json(&arena, item);
    }
    arena_fini(&arena);
    return 0;
}
