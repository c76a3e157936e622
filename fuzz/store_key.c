/* Row keys from anywhere: a component that reads must be written back to the bytes it was read from. The
 * first byte chooses the type. */
#include "store/key.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum attr_type types[] = {ATTR_STRING, ATTR_NUMBER, ATTR_BINARY};
    struct arena arena;
    struct text value;
    struct buf key;
    if (!size)
        return 0;
    enum attr_type type = types[data[0] % 3];
    struct text input = text_make(data + 1, size - 1);
    struct cursor skip = cursor_of(input), read = skip;
    arena_init(&arena, 4096, 1u << 20);
    int skipped = key_skip(&skip, type), rc = key_read(&read, type, &arena, &value);
    if (rc != ERR_MEMORY && !skipped != !rc)
        abort();
    if (!rc && value.len) {
        struct attr attr = {.type = type, .text = value};
        size_t used = input.len - cursor_left(&read);
        buf_init(&key, 1u << 20);
        if (skip.at != read.at || key_add_component(&key, type, &attr, TEXT("k"), 1u << 20, NULL) ||
            !text_equal(buf_text(&key), text_make(input.data, used)))
            abort();
        buf_fini(&key);
    }
    arena_fini(&arena);
    return 0;
}
