/*
 * CBOR: whatever is accepted is sound as JSON, its count is right, and written again it is a fixed point: what it is written as reads back and is
 * written the same. A hint that does not fit is refused, never half written.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/cbor.h"
#include "base/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tree(const struct json *value)
{
    uint32_t count = 0;
    ASSERT(utf8_valid(value->name) && utf8_valid(value->text));
    for (const struct json *child = value->first; child; child = child->next, count++)
        check_tree(child);
    ASSERT(count == value->count);
}

static void check_json(struct arena *arena, const struct json *root, size_t limit)
{
    struct buf text;
    struct json_writer w;
    const struct json *again;
    buf_init(&text, limit);
    json_writer_init(&w, &text);
    json_value(&w, root);
    ASSERT(!text.failed && json_parse(arena, buf_text(&text), 0, &again, NULL) == 0);
    buf_fini(&text);
}

static void check_round_trip(struct arena *arena, const struct json *root, size_t limit)
{
    struct buf first, second;
    const struct json *again;
    buf_init(&first, limit);
    buf_init(&second, limit);
    int code = cbor_from_json(&first, root, NULL);
    ASSERT(code == 0 || code == ERR_INVALID); /* a decimal fraction that no double holds */
    ASSERT(code == 0 || first.len == 0);
    if (code == 0) {
        ASSERT(cbor_parse(arena, buf_text(&first), &again, NULL) == 0);
        ASSERT(cbor_from_json(&second, again, NULL) == 0);
        ASSERT(text_equal(buf_text(&first), buf_text(&second)));
    }
    buf_fini(&first);
    buf_fini(&second);
}

static void check_hints(const struct json *root, size_t limit)
{
    static const char *const blobs[] = {"a", "Data", NULL}, *const times[] = {"b", "Timestamp", NULL};
    for (int in_ms = 0; in_ms < 2; in_ms++) {
        struct cbor_hints hints = {blobs, times, in_ms};
        struct buf out;
        buf_init(&out, limit);
        int code = cbor_from_json(&out, root, &hints);
        ASSERT(code == 0 || ((code == ERR_INVALID || code == ERR_SYNTAX) && out.len == 0));
        buf_fini(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct err err;
    const struct json *root = NULL, *other = NULL;
    arena_init(&arena, 4096, (size_t)64 << 20);
    int code = cbor_parse(&arena, text_make(data, size), &root, &err);
    ASSERT(cbor_parse(&arena, text_make(data, size), &other, NULL) == code);
    if (code == 0) {
        check_tree(root);
        check_json(&arena, root, size * 16 + 1024);
        check_round_trip(&arena, root, size * 16 + 1024);
        check_hints(root, size * 16 + 1024);
        for (size_t cut = 0; cut < size && cut < 64; cut++)
            ASSERT(cbor_parse(&arena, text_make(data, cut), &other, NULL) != 0);
    }
    arena_fini(&arena);
    return 0;
}
