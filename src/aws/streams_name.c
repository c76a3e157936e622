/*
 * What streams, shards and changes are called on the wire, and the shard iterator.
 *
 * A sequence number is a place in the journal, written with 31 digits, the first a 1: consumers compare sequence numbers as text, as numbers, or with leading zeros
 * cut off, and all three must agree.
 *
 * An iterator holds everything that GetRecords needs, so the server keeps nothing for a reader and a restart forgets none. It carries a checksum, no
 * signature: whoever may use it may ask for any place of the same stream by GetShardIterator, so there is nothing to be gained by making one up; and each of its
 * members is judged again when it is used.
 */
#include "aws/streams.h"

#include "base/codec.h"
#include "base/cursor.h"
#include "base/hash.h"
#include <stdio.h>

/* ---- streams ---- */

void streams_label(int64_t label_ms, char out[STREAMS_LABEL_SIZE])
{
    clock_format_iso(label_ms, out);
    out[23] = 0; /* AWS's labels carry no zone */
}

void streams_arn_add(struct aws_call *call, struct text table, int64_t label_ms, struct buf *out)
{
    char label[STREAMS_LABEL_SIZE];
    streams_label(label_ms, label);
    ddb_arn(call, table, out);
    buf_add_format(out, "/stream/%s", label);
}

/* The text up to the mark, which is passed over. */
static bool cut(struct text *rest, char mark, struct text *part)
{
    ptrdiff_t at = text_find(*rest, mark, 0);
    if (at < 0)
        return false;
    *part = text_make(rest->data, (size_t)at);
    *rest = text_make(rest->data + at + 1, rest->len - (size_t)at - 1);
    return true;
}

static bool label_parse(struct text label, int64_t *label_ms)
{
    char iso[CLOCK_ISO_SIZE], again[STREAMS_LABEL_SIZE];
    if (label.len != 23)
        return false;
    memcpy(iso, label.data, 23);
    iso[23] = 'Z';
    if (clock_parse_iso(iso, 24, label_ms) || *label_ms <= 0)
        return false;
    streams_label(*label_ms, again);
    return text_is(label, again);
}

/* arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL; any region and account, as for tables. */
bool streams_arn_parse(struct text arn, struct text *table, int64_t *label_ms)
{
    struct text part, rest = arn;
    for (int i = 0; i < 5; i++)
        if (!cut(&rest, ':', &part) || (i == 0 && !text_is(part, "arn")) || (i == 2 && !text_is(part, "dynamodb")))
            return false;
    if (!cut(&rest, '/', &part) || !text_is(part, "table") || !cut(&rest, '/', table) || table->len < 3 || table->len > 255)
        return false;
    return cut(&rest, '/', &part) && text_is(part, "stream") && label_parse(rest, label_ms);
}

/* ---- shards: each stream has one for its whole life ---- */

void streams_shard(const struct streams_row *row, char out[STREAMS_SHARD_SIZE])
{
    uint32_t check = hash_crc32c(row->table_id, row->table.data, row->table.len);
    unsigned long long ms = (unsigned long long)row->label_ms;
    snprintf(out, STREAMS_SHARD_SIZE, "shardId-%020llu-%08x", ms, check);
}

/* ---- changes ---- */

void streams_sequence_format(struct feed_position place, char out[STREAMS_SEQUENCE_SIZE])
{
    snprintf(out, STREAMS_SEQUENCE_SIZE, "1%020llu%010u", (unsigned long long)place.sequence, place.number);
}

int streams_sequence_parse(struct text text, struct feed_position *place)
{
    uint64_t sequence, number;
    if (text.len != STREAMS_SEQUENCE_SIZE - 1 || text.data[0] != '1')
        return ERR_SYNTAX;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return ERR_SYNTAX;
    if (text_to_u64(text_make(text.data + 1, 20), UINT64_MAX - 1, &sequence) || text_to_u64(text_make(text.data + 21, 10), UINT32_MAX, &number))
        return ERR_SYNTAX;
    *place = (struct feed_position){sequence, (uint32_t)number};
    return 0;
}

struct feed_position streams_before(struct feed_position place)
{
    if (place.number)
        return (struct feed_position){place.sequence, place.number - 1};
    return (struct feed_position){place.sequence ? place.sequence - 1 : 0, FEED_ALL};
}

/* Turns 64 bits into 64 others, one to one. */
static uint64_t scatter(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void streams_event_id(uint32_t table_id, struct feed_position place, char out[33])
{
    uint64_t first = scatter(place.sequence + UINT64_C(0x9e3779b97f4a7c15));
    uint64_t second = scatter(((uint64_t)table_id << 32 | place.number) ^ first);
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)first, (unsigned long long)second);
}

/* ---- iterators: base64 of u8 version, u8 flags, be64 issued ms, be64 + be32 after, be64 label, table's name, be32 CRC-32C of all before ---- */

#define VERSION 1
#define FROM_HORIZON 1
#define FIXED (1 + 1 + 8 + 8 + 4 + 8 + 4)
#define BYTES_MAX (FIXED + 255)

int streams_iterator_format(const struct streams_iterator *it, struct buf *out)
{
    struct buf bytes;
    buf_init(&bytes, BYTES_MAX);
    buf_add_u8(&bytes, VERSION);
    buf_add_u8(&bytes, it->from_horizon ? FROM_HORIZON : 0);
    buf_add_be64(&bytes, (uint64_t)it->issued_ms);
    buf_add_be64(&bytes, it->after.sequence);
    buf_add_be32(&bytes, it->after.number);
    buf_add_be64(&bytes, (uint64_t)it->label_ms);
    buf_add(&bytes, it->table, it->table_len);
    buf_add_be32(&bytes, hash_crc32c(0, bytes.data, bytes.len));
    int code = bytes.failed ? ERR_MEMORY : base64_encode(out, buf_text(&bytes));
    buf_fini(&bytes);
    return code;
}

static int read_iterator(struct text bytes, struct streams_iterator *out)
{
    struct cursor c = cursor_of(bytes);
    memset(out, 0, sizeof(*out));
    if (bytes.len < FIXED + 3 || bytes.len > BYTES_MAX || cursor_u8(&c) != VERSION)
        return ERR_SYNTAX;
    struct cursor check = cursor_of(text_make(bytes.data + bytes.len - 4, 4));
    if (hash_crc32c(0, bytes.data, bytes.len - 4) != cursor_be32(&check))
        return ERR_SYNTAX;
    unsigned flags = cursor_u8(&c);
    out->from_horizon = flags & FROM_HORIZON;
    out->issued_ms = (int64_t)cursor_be64(&c);
    out->after.sequence = cursor_be64(&c);
    out->after.number = cursor_be32(&c);
    out->label_ms = (int64_t)cursor_be64(&c);
    out->table_len = bytes.len - FIXED;
    memcpy(out->table, cursor_take(&c, out->table_len).data, out->table_len);
    bool sane = flags <= FROM_HORIZON && out->issued_ms >= 0 && out->label_ms > 0 && out->after.sequence < UINT64_MAX && !memchr(out->table, 0, out->table_len);
    return sane ? 0 : ERR_SYNTAX;
}

int streams_iterator_parse(struct text text, struct streams_iterator *out)
{
    struct buf bytes;
    buf_init(&bytes, 2 * BYTES_MAX);
    int code = text.len > 2 * BYTES_MAX || base64_decode(&bytes, text) ? ERR_SYNTAX : read_iterator(buf_text(&bytes), out);
    buf_fini(&bytes);
    return code;
}
