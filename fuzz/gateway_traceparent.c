/* Trace contexts from anywhere: what is taken reads back as the text says it, and neither id is zero. */
#include "gateway/otlp.h"

#include "base/codec.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_zero(const unsigned char *id, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (id[i])
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char trace[16], parent[8];
    struct text text = text_make((const char *)data, size);
    struct buf hex;
    if (!gw_traceparent_parse(text, trace, parent))
        return 0;
    buf_init(&hex, 64);
    hex_encode(&hex, text_make((const char *)trace, sizeof(trace)));
    buf_add_char(&hex, '-');
    hex_encode(&hex, text_make((const char *)parent, sizeof(parent)));
    if (hex.failed || memcmp(hex.data, data + 3, 49) != 0 || is_zero(trace, sizeof(trace)) || is_zero(parent, sizeof(parent)))
        abort();
    buf_fini(&hex);
    return 0;
}
