/*
 * What an HTTP endpoint answers to a batch: any bytes. The answer names a record of the batch, none, or something else, and always the same.
 */
#include "gateway/live_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text body = text_make((const char *)data, size);
    struct live_record records[3];
    struct live_consumer c = {.record = records, .count = 3};
    struct arena arena;
    arena_init(&arena, 4096, 16 << 20);
    buf_init(&c.text, 256);
    for (uint32_t i = 0; i < c.count; i++) {
        records[i] = (struct live_record){.id_from = (uint32_t)c.text.len, .id_len = 3};
        buf_add_format(&c.text, "10%u", i);
    }
    int first = live_answer_failure(&c, &arena, body);
    ASSERT(first >= -2 && first < (int)c.count);
    ASSERT(live_answer_failure(&c, &arena, body) == first);
    buf_fini(&c.text);
    arena_fini(&arena);
    return 0;
}
