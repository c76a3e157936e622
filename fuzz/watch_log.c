/*
 * Blocks of log events as they might come back from a damaged disk, and ids of events from anywhere. The first byte chooses: 0 a block as it is, 1 one whose sum is made right,
 * so that what lies behind the sum is reached, else an id.
 */
#include "base/hash.h"
#include "watch/log_inside.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_block(struct text bytes)
{
    struct log_block block;
    struct log_reader reader;
    struct watch_log_event event;
    struct log_space space;
    size_t seen = 0;
    if (log_block_open(bytes, &block))
        return;
    log_space_init(&space);
    int code = log_reader_begin(&reader, &block, &space);
    while (!code) {
        code = log_reader_next(&reader, &event);
        if (code)
            break;
        if (event.place.time_ms < block.min_ms || event.place.time_ms > block.max_ms || event.message.len > block.raw || ++seen > block.count)
            abort();
    }
    log_space_fini(&space);
}

static void summed(struct text text)
{
    char *bytes = malloc(text.len + 1);
    if (!bytes)
        return;
    memcpy(bytes, text.data, text.len);
    if (text.len >= LOG_BLOCK_HEADER) {
        uint32_t sum = hash_crc32c(0, bytes + LOG_BLOCK_HEADER, text.len - LOG_BLOCK_HEADER);
        for (int i = 0; i < 4; i++)
            bytes[LOG_BLOCK_HEADER - 4 + i] = (char)(sum >> (24 - 8 * i));
    }
    read_block(text_make(bytes, text.len));
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct watch_log_place place;
    char id[WATCH_LOG_ID_TEXT + 1];
    if (!size)
        return 0;
    struct text rest = text_make(data + 1, size - 1);
    if (data[0] == 0) {
        read_block(rest);
    } else if (data[0] == 1) {
        summed(rest);
    } else if (!watch_log_id_parse(rest, &place)) {
        watch_log_id_format(&place, id);
        if (!text_equal(text_of(id), rest))
            abort();
    }
    return 0;
}
