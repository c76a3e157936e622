/*
 * Blocks: events as bytes, plain in tails and compressed in chunks, one format for both, so that a reader need not know which it holds.
 *
 *   version(1) codec(1) count(be32) min(be64) max(be64) base time(be64) base sequence(be64) bytes of text(be32) sum(be32), then the text
 *   text     event..., deflated (RFC 1951) in a packed block; the sum is CRC-32C of the text as it is stored
 *   event    time - base, ingestion - base, sequence - base (zigzag varints), call(varint) index(varint) message(varint length, bytes)
 *
 * Numbers are relative to the block's first event and not to the one before: so a block takes another event at its end without being read.
 */
#include "watch/log_inside.h"

#include "base/hash.h"
#include <zlib.h>

enum { VERSION = 1, PLAIN = 0, DEFLATED = 1 };
enum { AT_CODEC = 1, AT_COUNT = 2, AT_MIN = 6, AT_MAX = 14, AT_BASE = 22, AT_SEQUENCE = 30, AT_RAW = 38, AT_SUM = 42 };
#define LEVEL 3 /* 64 KiB in about half a millisecond; higher ones save a tenth and take three times as long */

static void set_be(struct buf *block, size_t at, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        block->data[at + (size_t)i] = (char)(value & 0xff);
}

static uint64_t get_be(const struct buf *block, size_t at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | (unsigned char)block->data[at + (size_t)i];
    return value;
}

static void add_signed(struct buf *out, uint64_t value, uint64_t base)
{
    int64_t delta = (int64_t)(value - base);
    buf_add_varint(out, (uint64_t)delta << 1 ^ (uint64_t)(delta >> 63));
}

static uint64_t take_signed(struct cursor *c, uint64_t base)
{
    uint64_t zigzag = cursor_varint(c);
    return base + (zigzag >> 1 ^ (0 - (zigzag & 1)));
}

static void begin(struct buf *block, const struct watch_log_event *event)
{
    static const char zero[LOG_BLOCK_HEADER];
    buf_add(block, zero, sizeof(zero));
    if (block->failed)
        return;
    block->data[0] = VERSION;
    set_be(block, AT_MIN, (uint64_t)event->place.time_ms, 8);
    set_be(block, AT_MAX, (uint64_t)event->place.time_ms, 8);
    set_be(block, AT_BASE, (uint64_t)event->ingested_ms, 8);
    set_be(block, AT_SEQUENCE, event->place.sequence, 8);
}

int log_block_add(struct buf *block, const struct watch_log_event *event)
{
    size_t kept = block->len;
    if (event->message.len > WATCH_LOG_MESSAGE_MAX)
        return ERR_TOO_LARGE;
    if (!block->len)
        begin(block, event);
    if (!block->failed) {
        uint64_t base = get_be(block, AT_BASE, 8);
        add_signed(block, (uint64_t)event->place.time_ms, base);
        add_signed(block, (uint64_t)event->ingested_ms, base);
        add_signed(block, event->place.sequence, get_be(block, AT_SEQUENCE, 8));
        buf_add_varint(block, event->place.call);
        buf_add_varint(block, event->place.index);
        buf_add_bytes(block, event->message);
    }
    if (block->failed) {
        block->len = kept;
        return block->limit < LOG_BLOCK_HEADER + LOG_BLOCK_MAX || kept + event->message.len + 64 > block->limit ? ERR_TOO_LARGE : ERR_MEMORY;
    }
    set_be(block, AT_COUNT, get_be(block, AT_COUNT, 4) + 1, 4);
    if (event->place.time_ms < (int64_t)get_be(block, AT_MIN, 8))
        set_be(block, AT_MIN, (uint64_t)event->place.time_ms, 8);
    if (event->place.time_ms > (int64_t)get_be(block, AT_MAX, 8))
        set_be(block, AT_MAX, (uint64_t)event->place.time_ms, 8);
    set_be(block, AT_RAW, block->len - LOG_BLOCK_HEADER, 4);
    return 0;
}

size_t log_block_size(const struct buf *block)
{
    return block->len ? block->len - LOG_BLOCK_HEADER : 0;
}

static void set_sum(struct buf *block)
{
    set_be(block, AT_SUM, hash_crc32c(0, block->data + LOG_BLOCK_HEADER, block->len - LOG_BLOCK_HEADER), 4);
}

void log_block_seal(struct buf *block)
{
    set_sum(block);
}

static int deflate_text(struct text text, struct buf *out)
{
    z_stream z = {0};
    if (deflateInit2(&z, LEVEL, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return ERR_MEMORY;
    size_t bound = deflateBound(&z, (uLong)text.len);
    int code = buf_reserve(out, bound);
    if (!code) {
        z.next_in = (Bytef *)(uintptr_t)text.data;
        z.avail_in = (uInt)text.len;
        z.next_out = (Bytef *)out->data + out->len;
        z.avail_out = (uInt)bound;
        code = deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : ERR_INTERNAL;
        out->len += z.total_out;
    }
    deflateEnd(&z);
    return code;
}

int log_block_pack(const struct buf *block, struct buf *out)
{
    buf_clear(out);
    int code = buf_add(out, block->data, LOG_BLOCK_HEADER);
    if (!code)
        code = deflate_text(text_make(block->data + LOG_BLOCK_HEADER, block->len - LOG_BLOCK_HEADER), out);
    if (code)
        return code;
    out->data[AT_CODEC] = DEFLATED;
    set_sum(out);
    return 0;
}

int log_block_open(struct text bytes, struct log_block *block)
{
    struct cursor c = cursor_of(bytes);
    uint8_t version = cursor_u8(&c), codec = cursor_u8(&c);
    *block = (struct log_block){.packed = codec == DEFLATED, .count = cursor_be32(&c)};
    block->min_ms = (int64_t)cursor_be64(&c);
    block->max_ms = (int64_t)cursor_be64(&c);
    block->base_ms = (int64_t)cursor_be64(&c);
    block->base_sequence = cursor_be64(&c);
    block->raw = cursor_be32(&c);
    uint32_t sum = cursor_be32(&c);
    block->payload = cursor_take(&c, cursor_left(&c));
    if (c.failed)
        return ERR_CORRUPT;
    if (version != VERSION || codec > DEFLATED)
        return ERR_VERSION;
    if (block->raw > LOG_BLOCK_MAX || (!block->packed && block->raw != block->payload.len) || block->count > block->raw)
        return ERR_CORRUPT;
    return hash_crc32c(0, block->payload.data, block->payload.len) == sum ? 0 : ERR_CORRUPT;
}

static int inflate_text(const struct log_block *block, struct buf *space)
{
    z_stream z = {0};
    buf_clear(space);
    int code = buf_reserve(space, block->raw + 1);
    if (code)
        return code;
    if (inflateInit2(&z, -15) != Z_OK)
        return ERR_MEMORY;
    z.next_in = (Bytef *)(uintptr_t)block->payload.data;
    z.avail_in = (uInt)block->payload.len;
    z.next_out = (Bytef *)space->data;
    z.avail_out = block->raw;
    int end = inflate(&z, Z_FINISH);
    space->len = z.total_out;
    inflateEnd(&z);
    return end == Z_STREAM_END && space->len == block->raw ? 0 : ERR_CORRUPT;
}

int log_reader_begin(struct log_reader *reader, const struct log_block *block, struct buf *space)
{
    struct text text = block->payload;
    if (block->packed) {
        int code = inflate_text(block, space);
        if (code)
            return code;
        text = buf_text(space);
    }
    *reader = (struct log_reader){.block = *block, .c = cursor_of(text), .left = block->count};
    return 0;
}

int log_reader_next(struct log_reader *reader, struct watch_log_event *event)
{
    struct cursor *c = &reader->c;
    const struct log_block *block = &reader->block;
    if (!reader->left)
        return cursor_left(c) || c->failed ? ERR_CORRUPT : ERR_NOT_FOUND;
    reader->left--;
    event->place.time_ms = (int64_t)take_signed(c, (uint64_t)block->base_ms);
    event->ingested_ms = (int64_t)take_signed(c, (uint64_t)block->base_ms);
    event->place.sequence = take_signed(c, block->base_sequence);
    uint64_t call = cursor_varint(c), index = cursor_varint(c);
    event->message = cursor_bytes(c);
    event->place.call = (uint32_t)call;
    event->place.index = (uint32_t)index;
    event->stream = TEXT_NONE;
    bool bad = c->failed || call > UINT32_MAX || index > UINT32_MAX || event->message.len > WATCH_LOG_MESSAGE_MAX || event->place.time_ms < block->min_ms ||
               event->place.time_ms > block->max_ms;
    return bad ? ERR_CORRUPT : 0;
}
