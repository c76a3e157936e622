/* Codecs: what decodes encodes back to the same text (the encodings are canonical), what is encoded decodes; UTF-8 is judged alike
   as a whole, byte by byte, and by a plain definition. The clock's ISO form is read here too. */
#include <stdint.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int codec_function(struct buf *out, struct text in);

static void check_codec(codec_function *encode, codec_function *decode, struct text input)
{
    struct buf decoded, encoded;
    buf_init(&decoded, 4 * input.len + 16);
    buf_init(&encoded, 4 * input.len + 16);
    if (decode(&decoded, input) == 0) {
        ASSERT(encode(&encoded, buf_text(&decoded)) == 0);
        if (encode != hex_encode) /* which reads capitals too */
            ASSERT(text_equal(buf_text(&encoded), input));
    }
    buf_clear(&decoded);
    buf_clear(&encoded);
    ASSERT(encode(&encoded, input) == 0);
    ASSERT(decode(&decoded, buf_text(&encoded)) == 0);
    ASSERT(text_equal(buf_text(&decoded), input));
    buf_fini(&decoded);
    buf_fini(&encoded);
}

static void check_percent(struct text input)
{
    struct buf out, back;
    buf_init(&out, 3 * input.len + 16);
    buf_init(&back, 3 * input.len + 16);
    percent_decode(&out, input, true);
    buf_clear(&out);
    ASSERT(percent_encode(&out, input, false) == 0);
    ASSERT(percent_decode(&back, buf_text(&out), true) == 0);
    ASSERT(text_equal(buf_text(&back), input));
    buf_fini(&out);
    buf_fini(&back);
}

/* RFC 3629 by decoding. */
static bool utf8_plain(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t c = at[i];
        size_t n = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
        static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
        if (n == 0 || len - i < n)
            return false;
        uint32_t code = n == 1 ? c : c & (0x7fu >> n);
        for (size_t k = 1; k < n; k++) {
            if (at[i + k] >> 6 != 2)
                return false;
            code = code << 6 | (at[i + k] & 0x3f);
        }
        if (code < lowest[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            return false;
        i += n;
    }
    return true;
}

static void check_utf8(struct text input)
{
    bool valid = utf8_plain((const uint8_t *)input.data, input.len);
    uint32_t state = 0;
    bool fed = true;
    ASSERT(utf8_valid(input) == valid);
    for (size_t i = 0; i < input.len && fed; i++)
        fed = utf8_feed(&state, input.data + i, 1);
    ASSERT((fed && state == 0) == valid);
    size_t split = input.len ? (uint8_t)input.data[0] % (input.len + 1) : 0;
    state = 0;
    fed = utf8_feed(&state, input.data, split) && utf8_feed(&state, input.data ? input.data + split : NULL, input.len - split);
    ASSERT((fed && state == 0) == valid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = text_make(data, size);
    check_codec(base64_encode, base64_decode, input);
    check_codec(base64url_encode, base64url_decode, input);
    check_codec(hex_encode, hex_decode, input);
    check_percent(input);
    check_utf8(input);
    struct cursor c = cursor_of(input);
    while (cursor_left(&c)) {
        cursor_varint(&c);
        cursor_bytes(&c);
        cursor_be32(&c);
    }
    int64_t ms, again;
    char iso[CLOCK_ISO_SIZE];
    if (clock_parse_iso(input.data, input.len, &ms) == 0) {
        clock_format_iso(ms, iso);
        ASSERT(clock_parse_iso(iso, sizeof(iso) - 1, &again) == 0);
    }
    return 0;
}
