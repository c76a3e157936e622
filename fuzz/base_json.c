/*
 * JSON: the three ways to hand a text over agree, hostile padding is never read as syntax, each extent lies inside the
 * input, and what was accepted is accepted again after it was written, as the same text.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_extents(const struct json *value, struct text input)
{
    ASSERT(value->raw.len > 0 && value->raw.data >= input.data && value->raw.data + value->raw.len <= input.data + input.len);
    uint32_t count = 0;
    for (const struct json *child = value->first; child; child = child->next, count++)
        check_extents(child, value->raw);
    ASSERT(count == value->count);
}

static void check_round_trip(struct arena *arena, const struct json *root, size_t limit)
{
    struct buf first, second;
    struct json_writer w;
    const struct json *again;
    buf_init(&first, limit);
    buf_init(&second, limit);
    json_writer_init(&w, &first);
    json_value(&w, root);
    ASSERT(!first.failed);
    ASSERT(json_parse(arena, buf_text(&first), 0, &again, NULL) == 0);
    json_writer_init(&w, &second);
    json_value(&w, again);
    ASSERT(text_equal(buf_text(&first), buf_text(&second)));
    buf_fini(&first);
    buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct text input = text_make(data, size);
    const struct json *root = NULL, *other = NULL;
    arena_init(&arena, 4096, (size_t)64 << 20);
    int code = json_parse(&arena, input, 0, &root, NULL);
    ASSERT(json_parse(&arena, input, JSON_COPY, &other, NULL) == code);
    char *padded = malloc(size + JSON_PADDING);
    memcpy(padded, data, size);
    for (const char *fill = "]}\"1,"; *fill; fill++) {
        memset(padded + size, *fill, JSON_PADDING);
        ASSERT(json_parse(&arena, text_make(padded, size), JSON_PADDED, &other, NULL) == code);
    }
    free(padded);
    int strict = json_parse(&arena, input, JSON_REFUSE_DUPLICATES, &other, NULL);
    ASSERT(strict == code || strict == ERR_DUPLICATE);
    if (code == 0) {
        check_extents(root, input);
        check_round_trip(&arena, root, size * 6 + 64);
    }
    arena_fini(&arena);
    return 0;
}
