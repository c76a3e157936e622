/*
 * permessage-deflate: the input as a list of offers, as compressed bytes from a peer, as a message to send (which must come back),
 * and as a compressed HTTP body. The first byte chooses takeover and windows.
 */
#include "base/assert.h"
#include "net/inflate_body.h"
#include "net/ws_deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUTPUT_MAX 100000

static const struct ws_deflate_config config = {
    .enabled = true, .server_max_window_bits = 15, .client_max_window_bits = 12, .level = 6};

static void fuzz_offers(struct text offers, struct buf *answer)
{
    struct ws_deflate_params params;
    if (ws_deflate_negotiate(&config, offers, &params, answer)) {
        ASSERT(params.server_max_window_bits >= 9 && params.server_max_window_bits <= 15);
        ASSERT(params.client_max_window_bits >= 9 && params.client_max_window_bits <= 15);
        struct ws_deflate *deflate;
        ASSERT(ws_deflate_create(&deflate, &config, &params) == 0);
        ws_deflate_destroy(deflate);
    }
}

static void fuzz_peer(struct ws_deflate *deflate, struct text input, struct buf *out)
{
    size_t half = input.len / 2;
    if (ws_deflate_inflate(deflate, input.data, half, false, out) == 0)
        (void)ws_deflate_inflate(deflate, input.data + half, input.len - half, true, out);
    ASSERT(out->len <= OUTPUT_MAX);
}

static void fuzz_echo(struct ws_deflate *deflate, struct text input, struct buf *out, struct buf *back)
{
    for (int i = 0; i < 2; i++) {
        buf_clear(out);
        buf_clear(back);
        if (ws_deflate_deflate(deflate, input.data, input.len, out))
            return;
        int err = ws_deflate_inflate(deflate, out->data, out->len, true, back);
        ASSERT(input.len > OUTPUT_MAX || (!err && text_equal(buf_text(back), input)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct text input = text_make(data + 1, size - 1);
    struct buf out, back;
    buf_init(&out, OUTPUT_MAX);
    buf_init(&back, OUTPUT_MAX);
    fuzz_offers(input, &out);
    for (int use = 0; use < 2; use++) {
        /* The echo needs one window for both directions. */
        uint8_t bits = (uint8_t)(9 + (data[0] >> 2) % 7);
        struct ws_deflate_params params = {data[0] & 1, data[0] & 1, bits, bits};
        struct ws_deflate *deflate;
        ASSERT(ws_deflate_create(&deflate, &config, &params) == 0);
        buf_clear(&out);
        if (use)
            fuzz_echo(deflate, input, &out, &back);
        else
            fuzz_peer(deflate, input, &out);
        ws_deflate_destroy(deflate);
    }
    buf_clear(&out);
    int err = inflate_body(data[0] & 2, input, &out);
    ASSERT(err <= 0 && (!err || out.len == 0));
    buf_fini(&out);
    buf_fini(&back);
    return 0;
}
