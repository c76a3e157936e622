/*
 * The receiving stream over any bytes, fed whole and in pieces chosen by the input: both must say the same. First byte: bit 0
 * compression, bit 1 without takeover, bit 2 unmasked frames allowed (so that a fuzzer needs no masks); second: size of pieces.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "net/ws_deflate.h"
#include "net/ws_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGE_MAX 65536

static enum ws_verdict on_message(void *context, bool binary, char *data, size_t len)
{
    ASSERT(len <= MESSAGE_MAX);
    volatile char last = data[len + JSON_PADDING - 1];
    (void)last;
    buf_add_format(context, "%c%zu:", binary ? 'B' : 'T', len);
    buf_add(context, data, len);
    return WS_GO_ON;
}

static enum ws_verdict on_control(void *context, enum ws_opcode opcode, int close_code, char *data, size_t len)
{
    ASSERT(len <= WS_CONTROL_MAX);
    buf_add_format(context, "C%d,%d:", opcode, close_code);
    buf_add(context, data, len);
    return WS_GO_ON;
}

/* Returns the close code; what was delivered is appended to seen. */
static int run(uint8_t flags, size_t step, const uint8_t *data, size_t size, struct buf *seen)
{
    static const struct ws_deflate_config config = {
        .enabled = true, .server_max_window_bits = 15, .client_max_window_bits = 15, .level = 1};
    static const struct ws_events events = {on_message, on_control};
    struct ws_limits limits = {.message_max = MESSAGE_MAX, .require_mask = !(flags & 4)};
    struct ws_deflate_params params = {flags & 2, flags & 2, 15, 15};
    struct ws_deflate *deflate = NULL;
    if (flags & 1)
        ASSERT(ws_deflate_create(&deflate, &config, &params) == 0);
    struct ws_stream stream;
    ws_stream_init(&stream, deflate);
    int code = 0;
    for (size_t at = 0; at < size && !code; at += step) {
        size_t len = size - at < step ? size - at : step, consumed;
        bool stopped;
        char *block = malloc(len + JSON_PADDING);
        ASSERT(block);
        memcpy(block, data + at, len);
        memset(block + len, 0, JSON_PADDING);
        code = ws_stream_feed(&stream, &limits, block, len, &events, seen, &consumed, &stopped);
        ASSERT(code || consumed == len);
        free(block);
    }
    ASSERT(ws_stream_memory(&stream) < 4 * MESSAGE_MAX);
    ws_stream_fini(&stream);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct buf whole, pieces;
    buf_init(&whole, 64 << 20);
    buf_init(&pieces, 64 << 20);
    int a = run(data[0], SIZE_MAX / 2, data + 2, size - 2, &whole);
    int b = run(data[0], (size_t)data[1] + 1, data + 2, size - 2, &pieces);
    /* A compressed message that is both too large and no UTF-8 may be refused for either, whichever is met first. */
    bool either = (data[0] & 1) && a && b;
    ASSERT(a == b || either);
    ASSERT(text_equal(buf_text(&whole), buf_text(&pieces)));
    buf_fini(&whole);
    buf_fini(&pieces);
    return 0;
}
