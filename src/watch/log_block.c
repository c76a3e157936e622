/*
 * Blocks: events as bytes, plain or compressed, one format for tails and chunks, so that a reader need not know which it holds.
 *
 *   version(1) codec(1) count(be32) min(be64) max(be64) base time(be64) base sequence(be64) bytes of text(be32) sum(be32), then the text
 *   codec    0 the text as it is; 1 deflated (RFC 1951: read, no longer written); 2 one frame of Zstandard (RFC 8878)
 *   text     event...; the sum is CRC-32C of it as it is stored
 *   event    time - base, ingestion - base, sequence - base (zigzag varints), call(varint) index(varint) message(varint length, bytes)
 *
 * Numbers are relative to the block's first event and not to the one before: so a block takes another event at its end without being read.
 *
 * Zstandard, since lines are compressed on the state thread when their tick is sealed: 36 KB of them take 27 us where deflate takes 120, and one line 3 where it takes 69
 * (docs/decisions/0012-zstd.md).
 */
#include "watch/log_inside.h"

#include "base/hash.h"

#include <endian.h>
#include <zlib.h>
#include <zstd.h>

enum { VERSION = 1, PLAIN = 0, DEFLATED = 1, ZSTANDARD = 2 };
enum { AT_CODEC = 1, AT_COUNT = 2, AT_MIN = 6, AT_MAX = 14, AT_BASE = 22, AT_SEQUENCE = 30, AT_RAW = 38, AT_SUM = 42 };
#define LEVEL 1 /* of JSON lines, 2 and 3 make nothing smaller; of prose 2 %, for twice the memory */

static void set_be64(struct buf *block, size_t at, uint64_t value)
{
    value = htobe64(value);
    memcpy(block->data + at, &value, sizeof(value));
}

static uint64_t get_be64(const struct buf *block, size_t at)
{
    uint64_t value;
    memcpy(&value, block->data + at, sizeof(value));
    return be64toh(value);
}

static void set_be32(struct buf *block, size_t at, uint32_t value)
{
    value = htobe32(value);
    memcpy(block->data + at, &value, sizeof(value));
}

static uint32_t get_be32(const struct buf *block, size_t at)
{
    uint32_t value;
    memcpy(&value, block->data + at, sizeof(value));
    return be32toh(value);
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
    set_be64(block, AT_MIN, (uint64_t)event->place.time_ms);
    set_be64(block, AT_MAX, (uint64_t)event->place.time_ms);
    set_be64(block, AT_BASE, (uint64_t)event->ingested_ms);
    set_be64(block, AT_SEQUENCE, event->place.sequence);
}

int log_block_add(struct buf *block, const struct watch_log_event *event)
{
    size_t kept = block->len;
    if (event->message.len > WATCH_LOG_MESSAGE_MAX)
        return ERR_TOO_LARGE;
    if (!block->len)
        begin(block, event);
    if (!block->failed) {
        uint64_t base = get_be64(block, AT_BASE);
        add_signed(block, (uint64_t)event->place.time_ms, base);
        add_signed(block, (uint64_t)event->ingested_ms, base);
        add_signed(block, event->place.sequence, get_be64(block, AT_SEQUENCE));
        buf_add_varint(block, event->place.call);
        buf_add_varint(block, event->place.index);
        buf_add_bytes(block, event->message);
    }
    if (block->failed) {
        block->len = kept;
        return block->limit < LOG_BLOCK_HEADER + LOG_BLOCK_MAX || kept + event->message.len + 64 > block->limit ? ERR_TOO_LARGE : ERR_MEMORY;
    }
    set_be32(block, AT_COUNT, get_be32(block, AT_COUNT) + 1);
    if (event->place.time_ms < (int64_t)get_be64(block, AT_MIN))
        set_be64(block, AT_MIN, (uint64_t)event->place.time_ms);
    if (event->place.time_ms > (int64_t)get_be64(block, AT_MAX))
        set_be64(block, AT_MAX, (uint64_t)event->place.time_ms);
    set_be32(block, AT_RAW, (uint32_t)(block->len - LOG_BLOCK_HEADER));
    return 0;
}

size_t log_block_size(const struct buf *block)
{
    return block->len ? block->len - LOG_BLOCK_HEADER : 0;
}

static void set_sum(struct buf *block)
{
    set_be32(block, AT_SUM, hash_crc32c(0, block->data + LOG_BLOCK_HEADER, block->len - LOG_BLOCK_HEADER));
}

int64_t log_block_span(const struct buf *block, int64_t *min_ms, int64_t *max_ms)
{
    *min_ms = (int64_t)get_be64(block, AT_MIN);
    *max_ms = (int64_t)get_be64(block, AT_MAX);
    return *max_ms - *min_ms;
}

uint32_t log_block_count(const struct buf *block)
{
    return get_be32(block, AT_COUNT);
}

void log_block_seal(struct buf *block)
{
    set_sum(block);
}

int log_block_pack(struct log_packer *packer, const struct buf *block, struct buf *out)
{
    size_t text = block->len - LOG_BLOCK_HEADER;
    buf_clear(out);
    if (!packer->zstd)
        packer->zstd = ZSTD_createCCtx();
    int code = packer->zstd ? buf_reserve(out, LOG_BLOCK_HEADER + ZSTD_compressBound(text)) : ERR_MEMORY;
    if (code)
        return code;
    buf_add(out, block->data, LOG_BLOCK_HEADER);
    size_t packed = ZSTD_compressCCtx(packer->zstd, out->data + LOG_BLOCK_HEADER, out->cap - LOG_BLOCK_HEADER, block->data + LOG_BLOCK_HEADER, text, LEVEL);
    if (ZSTD_isError(packed))
        return ERR_MEMORY; /* there is room, so nothing else can be missing */
    out->len += packed;
    out->data[AT_CODEC] = ZSTANDARD;
    set_sum(out);
    return 0;
}

void log_packer_fini(struct log_packer *packer)
{
    ZSTD_freeCCtx(packer->zstd);
    packer->zstd = NULL;
}

int log_block_open(struct text bytes, struct log_block *block)
{
    struct cursor c = cursor_of(bytes);
    uint8_t version = cursor_u8(&c), codec = cursor_u8(&c);
    *block = (struct log_block){.codec = codec, .packed = codec != PLAIN, .count = cursor_be32(&c)};
    block->min_ms = (int64_t)cursor_be64(&c);
    block->max_ms = (int64_t)cursor_be64(&c);
    block->base_ms = (int64_t)cursor_be64(&c);
    block->base_sequence = cursor_be64(&c);
    block->raw = cursor_be32(&c);
    uint32_t sum = cursor_be32(&c);
    block->payload = cursor_take(&c, cursor_left(&c));
    if (c.failed)
        return ERR_CORRUPT;
    if (version != VERSION || codec > ZSTANDARD)
        return ERR_VERSION;
    if (block->raw > LOG_BLOCK_MAX || (!block->packed && block->raw != block->payload.len) || block->count > block->raw)
        return ERR_CORRUPT;
    return hash_crc32c(0, block->payload.data, block->payload.len) == sum ? 0 : ERR_CORRUPT;
}

static int inflate_text(const struct log_block *block, struct buf *text)
{
    z_stream z = {0};
    if (inflateInit2(&z, -15) != Z_OK)
        return ERR_MEMORY;
    z.next_in = (Bytef *)(uintptr_t)block->payload.data;
    z.avail_in = (uInt)block->payload.len;
    z.next_out = (Bytef *)text->data;
    z.avail_out = block->raw;
    int end = inflate(&z, Z_FINISH);
    text->len = z.total_out;
    inflateEnd(&z);
    return end == Z_STREAM_END && text->len == block->raw ? 0 : ERR_CORRUPT;
}

static int expand_text(const struct log_block *block, struct log_space *space)
{
    if (!space->zstd)
        space->zstd = ZSTD_createDCtx();
    if (!space->zstd)
        return ERR_MEMORY;
    size_t len = ZSTD_decompressDCtx(space->zstd, space->text.data, block->raw, block->payload.data, block->payload.len);
    if (ZSTD_isError(len) || len != block->raw)
        return ERR_CORRUPT;
    space->text.len = len;
    return 0;
}

void log_space_init(struct log_space *space)
{
    buf_init(&space->text, LOG_BLOCK_MAX + 64);
    space->zstd = NULL;
}

void log_space_fini(struct log_space *space)
{
    buf_fini(&space->text);
    ZSTD_freeDCtx(space->zstd);
    space->zstd = NULL;
}

int log_reader_begin(struct log_reader *reader, const struct log_block *block, struct log_space *space)
{
    struct text text = block->payload;
    if (block->packed) {
        buf_clear(&space->text);
        int code = buf_reserve(&space->text, block->raw + 1);
        if (!code)
            code = block->codec == DEFLATED ? inflate_text(block, &space->text) : expand_text(block, space);
        if (code)
            return code;
        text = buf_text(&space->text);
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
