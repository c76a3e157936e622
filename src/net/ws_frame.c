/*
 * The frame header and the mask. The parser judges each byte as soon as it is there, so a peer that talks
 * nonsense is refused at its first byte and not when the header it promised is complete.
 *
 * Unmasking is the one place where every received byte is touched, so the question that text messages ask next
 * ("is all of this ASCII?") is answered in the same pass: the bytes are OR-ed together while they are in a register. Vectors are
 * GCC's own (vector_size), which become SSE2 on x86-64 and NEON on ARM without intrinsics of either. The pass never writes
 * behind the payload: the next frame begins there.
 */
#include "net/ws_frame.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

typedef uint64_t lanes __attribute__((vector_size(16), aligned(1), may_alias));

static bool opcode_known(uint8_t opcode)
{
    return opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);
}

/* FIN, the reserved bits and the opcode (5.2); fragmented control frames (5.5). */
static bool first_byte_valid(uint8_t byte, bool deflate)
{
    uint8_t opcode = byte & 0x0f;
    if (!opcode_known(opcode) || (byte & 0x30))
        return false;
    if ((byte & 0x40) && !(deflate && (opcode == WS_TEXT || opcode == WS_BINARY)))
        return false;
    return opcode < WS_CLOSE || (byte & 0x80);
}

static uint64_t big_endian(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

int ws_header_parse(const void *data, size_t len, bool deflate, struct ws_header *header)
{
    const uint8_t *at = data;
    if (len < 1)
        return 0;
    if (!first_byte_valid(at[0], deflate))
        return -WS_CLOSE_PROTOCOL;
    if (len < 2)
        return 0;
    uint64_t length = at[1] & 0x7f;
    if ((at[0] & 0x08) && length > WS_CONTROL_MAX)
        return -WS_CLOSE_PROTOCOL;

    size_t size = 2;
    if (length >= 126) {
        size_t bytes = length == 126 ? 2 : 8;
        if (len < size + bytes)
            return 0;
        length = big_endian(at + 2, bytes);
        if (length < (bytes == 2 ? 126 : 65536) || length > INT64_MAX)
            return -WS_CLOSE_PROTOCOL;
        size += bytes;
    }
    header->masked = at[1] & 0x80;
    if (header->masked) {
        if (len < size + 4)
            return 0;
        memcpy(header->mask, at + size, 4);
        size += 4;
    } else {
        memset(header->mask, 0, 4);
    }
    header->fin = at[0] & 0x80;
    header->rsv1 = at[0] & 0x40;
    header->opcode = at[0] & 0x0f;
    header->length = length;
    header->size = (uint8_t)size;
    return (int)size;
}

size_t ws_header_format(uint8_t out[WS_SERVER_HEADER_MAX], enum ws_opcode opcode, bool fin, bool rsv1, uint64_t length)
{
    out[0] = (uint8_t)((fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode);
    if (length < 126) {
        out[1] = (uint8_t)length;
        return 2;
    }
    if (length < 65536) {
        out[1] = 126;
        out[2] = (uint8_t)(length >> 8);
        out[3] = (uint8_t)length;
        return 4;
    }
    out[1] = 127;
    for (int i = 0; i < 8; i++)
        out[2 + i] = (uint8_t)(length >> (56 - 8 * i));
    return 10;
}

/* The mask as it falls on eight bytes from `offset` on. */
static uint64_t mask_word(const uint8_t mask[4], uint64_t offset)
{
    uint8_t turned[8];
    for (unsigned i = 0; i < 8; i++)
        turned[i] = mask[(offset + i) & 3];
    uint64_t word;
    memcpy(&word, turned, sizeof(word));
    return word;
}

bool ws_unmask_ascii(void *data, size_t len, const uint8_t mask[4], uint64_t offset)
{
    uint8_t *at = data;
    uint64_t key;
    if (offset & 3) {
        key = mask_word(mask, offset);
    } else {
        uint32_t half;
        memcpy(&half, mask, sizeof(half));
        key = (uint64_t)half << 32 | half;
    }

    const lanes keys = {key, key};
    lanes seen = {0, 0};
    for (; len >= 64; len -= 64, at += 64) {
        lanes *v = (lanes *)at;
        lanes a = v[0] ^ keys, b = v[1] ^ keys, c = v[2] ^ keys, d = v[3] ^ keys;
        v[0] = a;
        v[1] = b;
        v[2] = c;
        v[3] = d;
        seen |= (a | b) | (c | d);
    }
    for (; len >= 16; len -= 16, at += 16) {
        lanes a = *(lanes *)at ^ keys;
        *(lanes *)at = a;
        seen |= a;
    }
    uint64_t bits = seen[0] | seen[1];
    if (len >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        word ^= key;
        memcpy(at, &word, 8);
        bits |= word;
        at += 8;
        len -= 8;
    }
    uint8_t tail[8];
    memcpy(tail, &key, 8);
    for (size_t i = 0; i < len; i++) {
        at[i] ^= tail[i];
        bits |= at[i];
    }
    return !(bits & HIGH_BITS);
}

void ws_unmask(void *data, size_t len, const uint8_t mask[4], uint64_t offset)
{
    (void)ws_unmask_ascii(data, len, mask, offset);
}

bool ws_close_code_valid(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}
