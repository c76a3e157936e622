/*
 * Shards: where a key belongs, and how their ranges change. The open shards of a stream always cover all 128-bit numbers, each one once: a split replaces one
 * by two, a merge two neighbours by one, and another number of shards is reached by such steps alone, as on AWS, so that every child has at most two parents and a
 * reader that goes from parents to children misses nothing. Closed shards keep their records until retention has passed.
 *
 * A closing shard's last place and its children's first ones are places of the same call, in this order: no record lies between.
 */
#include "gateway/records_inside.h"

#include "base/assert.h"
#include <openssl/evp.h>
#include <stdio.h>

/* ---- places of keys ---- */

gw_hash_key gw_hash_key_of(struct text partition_key)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    gw_hash_key key = 0;
    int done = EVP_Digest(partition_key.data, partition_key.len, digest, NULL, EVP_md5(), NULL);
    ASSERT(done == 1); /* a library without MD5 cannot serve this wire at all */
    for (int i = 0; i < 16; i++)
        key = key << 8 | digest[i];
    return key;
}

int gw_hash_key_parse(struct text digits, gw_hash_key *out)
{
    gw_hash_key key = 0;
    if (!digits.len || (digits.len > 1 && digits.data[0] == '0'))
        return ERR_SYNTAX;
    for (size_t i = 0; i < digits.len; i++)
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return ERR_SYNTAX;
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)(digits.data[i] - '0');
        if (key > (GW_HASH_KEY_MAX - digit) / 10)
            return ERR_TOO_LARGE;
        key = key * 10 + digit;
    }
    *out = key;
    return 0;
}

void gw_hash_key_format(gw_hash_key key, char out[GW_HASH_KEY_TEXT])
{
    char reversed[GW_HASH_KEY_TEXT];
    int n = 0;
    do {
        reversed[n++] = (char)('0' + (int)(key % 10));
        key /= 10;
    } while (key);
    for (int i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    out[n] = 0;
}

void gw_shard_format(uint32_t number, char out[GW_SHARD_TEXT + 1])
{
    snprintf(out, GW_SHARD_TEXT + 1, "shardId-%012u", number);
}

int gw_shard_parse(struct text text, uint32_t *number)
{
    uint64_t value;
    if (text.len != GW_SHARD_TEXT || !text_starts(text, TEXT("shardId-")) || text_to_u64(text_make(text.data + 8, 12), UINT32_MAX, &value))
        return ERR_SYNTAX;
    *number = (uint32_t)value;
    return 0;
}

uint32_t gw_stream_pick(const struct gw_stream *stream, gw_hash_key key)
{
    uint32_t low = 0, high = stream->open_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (stream->open[middle].start <= key)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* ---- steps ---- */

static gw_hash_key open_end(const struct gw_stream *stream, uint32_t at)
{
    return at + 1 < stream->open_count ? stream->open[at + 1].start - 1 : GW_HASH_KEY_MAX;
}

static struct gw_position next_place(struct gw_reshard *reshard)
{
    ASSERT(reshard->index < GW_POSITION_INDEX_MAX);
    return (struct gw_position){tick_sequence(reshard->tick), tick_call_number(reshard->tick), reshard->index++};
}

/* Room for as many as scaling may have at a time. */
static int make_room(struct gw_reshard *reshard)
{
    struct gw_stream *stream = reshard->stream;
    if (reshard->roomy)
        return 0;
    struct gw_stream_open *open = arena_array(reshard->arena, stream->open_count + GW_STREAM_SHARDS_MAX + 1, sizeof(*open));
    if (!open)
        return ERR_MEMORY;
    memcpy(open, stream->open, stream->open_count * sizeof(*open));
    stream->open = open;
    reshard->roomy = true;
    return 0;
}

static int close_shard(struct gw_reshard *reshard, uint32_t number)
{
    struct gw_shard shard;
    int code = gw_shard_get(tick_view(reshard->tick), reshard->arena, reshard->stream, number, &shard);
    if (code)
        return code == ERR_NOT_FOUND ? ERR_CORRUPT : code;
    shard.closed = true;
    shard.last = next_place(reshard);
    shard.closed_ms = tick_now_ms(reshard->tick);
    return records_shard_put(reshard->tick, reshard->stream, &shard);
}

static int open_shard(struct gw_reshard *reshard, gw_hash_key start, gw_hash_key end, int64_t parent, int64_t adjacent, uint32_t *number)
{
    struct gw_stream *stream = reshard->stream;
    if (stream->kept_shards >= GW_STREAM_CLOSED_MAX)
        return ERR_FULL;
    struct gw_shard shard = {.number = stream->next_shard++, .start = start, .end = end, .parent = parent, .adjacent = adjacent, .first = next_place(reshard),
        .created_ms = tick_now_ms(reshard->tick)};
    stream->kept_shards++;
    *number = shard.number;
    return records_shard_put(reshard->tick, stream, &shard);
}

static int split_at(struct gw_reshard *reshard, uint32_t at, gw_hash_key middle)
{
    struct gw_stream *stream = reshard->stream;
    gw_hash_key start = stream->open[at].start, end = open_end(stream, at);
    uint32_t parent = stream->open[at].shard, left, right;
    int code = close_shard(reshard, parent);
    if (!code)
        code = open_shard(reshard, start, middle - 1, parent, -1, &left);
    if (!code)
        code = open_shard(reshard, middle, end, parent, -1, &right);
    if (code)
        return code;
    memmove(stream->open + at + 2, stream->open + at + 1, (stream->open_count - at - 1) * sizeof(*stream->open));
    stream->open[at].shard = left;
    stream->open[at + 1] = (struct gw_stream_open){.start = middle, .shard = right};
    stream->open_count++;
    return 0;
}

/* Shards `at` and `at` + 1; the child names `parent` as its parent, which is one of them. */
static int merge_at(struct gw_reshard *reshard, uint32_t at, uint32_t parent)
{
    struct gw_stream *stream = reshard->stream;
    uint32_t left = stream->open[at].shard, right = stream->open[at + 1].shard, child;
    gw_hash_key start = stream->open[at].start, end = open_end(stream, at + 1);
    int code = close_shard(reshard, left);
    if (!code)
        code = close_shard(reshard, right);
    if (!code)
        code = open_shard(reshard, start, end, parent, parent == left ? right : left, &child);
    if (code)
        return code;
    memmove(stream->open + at + 1, stream->open + at + 2, (stream->open_count - at - 2) * sizeof(*stream->open));
    stream->open[at].shard = child;
    stream->open_count--;
    return 0;
}

static bool find_open(const struct gw_stream *stream, uint32_t number, uint32_t *at)
{
    for (*at = 0; *at < stream->open_count; (*at)++)
        if (stream->open[*at].shard == number)
            return true;
    return false;
}

/* ---- what is asked for ---- */

static int check_room(struct gw_reshard *reshard, uint32_t more)
{
    struct gw_stream_totals totals;
    int code = gw_stream_totals(tick_view(reshard->tick), reshard->arena, &totals);
    return code ? code : totals.shards + more > GW_STREAM_SHARDS_MAX ? ERR_FULL : 0;
}

int gw_shard_split(struct gw_reshard *reshard, uint32_t number, gw_hash_key at)
{
    struct gw_stream *stream = reshard->stream;
    uint32_t place;
    if (stream->scaling_to)
        return ERR_AGAIN;
    if (!find_open(stream, number, &place))
        return ERR_CONDITION;
    if (at <= stream->open[place].start || at > open_end(stream, place))
        return ERR_INVALID;
    int code = check_room(reshard, 1);
    if (!code)
        code = make_room(reshard);
    if (!code)
        code = split_at(reshard, place, at);
    return code ? code : gw_stream_put(reshard->tick, stream);
}

int gw_shard_merge(struct gw_reshard *reshard, uint32_t number, uint32_t adjacent)
{
    struct gw_stream *stream = reshard->stream;
    uint32_t a, b;
    if (stream->scaling_to)
        return ERR_AGAIN;
    if (!find_open(stream, number, &a) || !find_open(stream, adjacent, &b) || (a + 1 != b && b + 1 != a))
        return ERR_CONDITION;
    int code = make_room(reshard);
    if (!code)
        code = merge_at(reshard, a < b ? a : b, number);
    return code ? code : gw_stream_put(reshard->tick, stream);
}

static gw_hash_key even_start(uint32_t i, uint32_t count)
{
    gw_hash_key width = GW_HASH_KEY_MAX / count + (GW_HASH_KEY_MAX % count + 1) / count; /* 2^128 / count */
    return width * i;
}

/* Boundaries that `target` shards of equal width lack. */
static uint32_t lacking(const struct gw_stream *stream, uint32_t target)
{
    uint32_t count = 0;
    for (uint32_t i = 1; i < target; i++) {
        gw_hash_key start = even_start(i, target);
        count += stream->open[gw_stream_pick(stream, start)].start != start;
    }
    return count;
}

/* First the boundaries that are lacking, then those that are too many. A state in between is a state like others, so what is left goes on from it. */
static int scale_on(struct gw_reshard *reshard, uint32_t target)
{
    struct gw_stream *stream = reshard->stream;
    int steps = 0, code = make_room(reshard);
    for (uint32_t i = 1; i < target && !code && steps < GW_SCALE_STEPS; i++) {
        gw_hash_key start = even_start(i, target);
        uint32_t at = gw_stream_pick(stream, start);
        if (stream->open[at].start == start)
            continue;
        code = split_at(reshard, at, start);
        steps++;
    }
    for (uint32_t at = 0; at < stream->open_count && !code; at++) {
        gw_hash_key end = at + 1 < target ? even_start(at + 1, target) - 1 : GW_HASH_KEY_MAX;
        while (!code && steps < GW_SCALE_STEPS && open_end(stream, at) < end) {
            code = merge_at(reshard, at, stream->open[at].shard);
            steps++;
        }
        if (steps == GW_SCALE_STEPS)
            break;
    }
    if (code)
        return code;
    bool more = stream->open_count != target || lacking(stream, target) > 0;
    stream->scaling_to = more ? target : 0;
    if (more)
        code = records_scale_later(reshard->tick, stream);
    return code ? code : gw_stream_put(reshard->tick, stream);
}

int gw_shard_scale(struct gw_reshard *reshard, uint32_t target)
{
    struct gw_stream *stream = reshard->stream;
    if (stream->scaling_to)
        return ERR_AGAIN;
    uint32_t splits = lacking(stream, target), merges = stream->open_count + splits - target;
    if (stream->kept_shards + 2 * splits + merges > GW_STREAM_CLOSED_MAX)
        return ERR_FULL; /* it would stop on its way */
    int code = target > stream->open_count ? check_room(reshard, target - stream->open_count) : 0;
    return code ? code : scale_on(reshard, target);
}

int records_scale_on(struct tick *tick, struct arena *arena, struct gw_stream *stream)
{
    struct gw_reshard reshard = {.tick = tick, .arena = arena, .stream = stream};
    return stream->scaling_to ? scale_on(&reshard, stream->scaling_to) : 0;
}

int records_shards_begin(struct gw_reshard *reshard, uint32_t count)
{
    struct gw_stream *stream = reshard->stream;
    stream->open = arena_array(reshard->arena, count, sizeof(*stream->open));
    int code = stream->open ? 0 : ERR_MEMORY;
    for (uint32_t i = 0; i < count && !code; i++) {
        gw_hash_key start = even_start(i, count), end = i + 1 < count ? even_start(i + 1, count) - 1 : GW_HASH_KEY_MAX;
        stream->open[i].start = start;
        code = open_shard(reshard, start, end, -1, -1, &stream->open[i].shard);
    }
    stream->open_count = code ? 0 : count;
    return code;
}
