/*
 * What names a place in a stream of records, from anywhere: tokens, sequence numbers, shards, hash keys. What is taken must be written back to the same text. The first byte
 * chooses; with 0 the rest is the inside of a token, which is then summed, so that what lies behind the sum is reached.
 */
#include "gateway/records.h"

#include "base/codec.h"
#include "base/hash.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void token(struct text text)
{
    struct gw_records_token token;
    struct arena arena;
    struct buf again;
    arena_init(&arena, 4096, 1 << 20);
    buf_init(&again, GW_RECORDS_TOKEN_MAX);
    for (int kind = GW_TOKEN_ITERATOR; kind <= GW_TOKEN_STREAMS; kind++) {
        if (gw_records_token_parse(&arena, text, (enum gw_records_token_kind)kind, &token))
            continue;
        must(token.kind == (enum gw_records_token_kind)kind && gw_stream_name_valid(token.stream));
        buf_clear(&again);
        must(!gw_records_token_format(&again, &token));
        must(!gw_records_token_parse(&arena, buf_text(&again), token.kind, &token));
    }
    buf_fini(&again);
    arena_fini(&arena);
}

static void summed(struct text inside)
{
    struct buf bytes, text;
    buf_init(&bytes, 4096);
    buf_init(&text, 8192);
    buf_add_text(&bytes, inside);
    buf_add_be32(&bytes, hash_crc32c(0, inside.data, inside.len));
    if (!bytes.failed && !base64_encode(&text, buf_text(&bytes)))
        token(buf_text(&text));
    buf_fini(&bytes);
    buf_fini(&text);
}

static void numbers(struct text text)
{
    struct gw_position position;
    gw_hash_key key;
    uint32_t shard;
    char sequence[GW_SEQUENCE_TEXT + 1], name[GW_SHARD_TEXT + 1], digits[GW_HASH_KEY_TEXT];
    if (!gw_position_parse(text, &position, &shard)) {
        gw_position_format(position, shard, sequence);
        must(text_equal(text_of(sequence), text));
    }
    if (!gw_shard_parse(text, &shard)) {
        gw_shard_format(shard, name);
        must(text_equal(text_of(name), text));
    }
    if (!gw_hash_key_parse(text, &key)) {
        gw_hash_key_format(key, digits);
        must(text_equal(text_of(digits), text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct text rest = text_make(data + 1, size - 1);
    if (data[0] == 0)
        summed(rest);
    else if (data[0] == 1)
        token(rest);
    else
        numbers(rest);
    return 0;
}
