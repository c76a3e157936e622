/*
 * Why not a plain DDSketch: most rows of a metric hold a handful of values (a minute of a rare event, a gauge that moves between two numbers), and there an exact answer
 * costs less than an approximate one. Why linear steps within a power of two and not a logarithm: the bucket of a double is then its exponent and its first six
 * bits of mantissa, so that finding it needs no arithmetic, and the same value falls into the same bucket on every machine. It costs a third more buckets
 * than the optimum for the same error.
 *
 * A coarse value is replaced by the middle of its bucket, and the middle of a bucket is in that bucket: rounding twice is rounding once. So both forms are one sorted
 * array, and every statistic is one walk over it.
 *
 *   encoded   form (0 exact, 1 coarse), varint count, then per entry
 *             exact    the double's bits (be64), weight
 *             coarse   the bucket's number: zigzag varint for the first, the distance from the one before for the others; weight
 *   weight    varint n * 2 for a whole n, else 1 and the double's bits (be64)
 */
#include "watch/sketch.h"

#include "base/err.h"
#include <math.h>

#define STEP_BITS 6
#define SHIFT (52 - STEP_BITS)
#define BUCKET_FIRST ((int64_t)(1023 - 360) << STEP_BITS) /* of 2^-360 */
#define BUCKET_LAST (((int64_t)720 << STEP_BITS) + 1)     /* of 2^360, numbered from 1 */
#define WHOLE_MAX 0x1p53

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* 0 for zero, 1.. upwards, -1.. downwards. */
int64_t sketch_bucket(double value)
{
    double magnitude = fabs(value);
    if (magnitude < 0x1p-360)
        return 0;
    int64_t bucket = (int64_t)(bits_of(magnitude) >> SHIFT) - BUCKET_FIRST + 1;
    return value < 0 ? -bucket : bucket;
}

double sketch_bucket_middle(int64_t bucket)
{
    if (bucket == 0)
        return 0;
    uint64_t key = (uint64_t)((bucket < 0 ? -bucket : bucket) - 1 + BUCKET_FIRST);
    double middle = double_of(key << SHIFT | UINT64_C(1) << (SHIFT - 1));
    return bucket < 0 ? -middle : middle;
}

static double rounded(const struct sketch *sketch, double value)
{
    if (sketch->coarse)
        return sketch_bucket_middle(sketch_bucket(value));
    return fabs(value) < 0x1p-360 ? 0 : value;
}

void sketch_init(struct sketch *sketch, struct arena *arena)
{
    *sketch = (struct sketch){.arena = arena};
}

void sketch_clear(struct sketch *sketch)
{
    sketch->count = 0;
    sketch->coarse = false;
}

static int make_room(struct sketch *sketch, size_t count)
{
    if (count <= sketch->room)
        return 0;
    size_t room = sketch->room ? sketch->room : 4;
    while (room < count)
        room *= 2;
    struct sketch_entry *entry = arena_array(sketch->arena, room, sizeof(*entry));
    if (!entry)
        return ERR_MEMORY;
    if (sketch->count)
        memcpy(entry, sketch->entry, sketch->count * sizeof(*entry));
    sketch->entry = entry;
    sketch->room = room;
    return 0;
}

/* Neighbours of one value become one entry. */
static void join_equal(struct sketch *sketch)
{
    size_t kept = 0;
    for (size_t i = 0; i < sketch->count; i++) {
        if (kept && sketch->entry[kept - 1].value == sketch->entry[i].value)
            sketch->entry[kept - 1].weight += sketch->entry[i].weight;
        else
            sketch->entry[kept++] = sketch->entry[i];
    }
    sketch->count = kept;
}

static void round_all(struct sketch *sketch)
{
    sketch->coarse = true;
    for (size_t i = 0; i < sketch->count; i++)
        sketch->entry[i].value = sketch_bucket_middle(sketch_bucket(sketch->entry[i].value));
    join_equal(sketch);
}

static void collapse_lowest(struct sketch *sketch)
{
    size_t excess = sketch->count - SKETCH_BUCKETS_MAX;
    double weight = 0;
    for (size_t i = 0; i < excess; i++)
        weight += sketch->entry[i].weight;
    memmove(sketch->entry, sketch->entry + excess, SKETCH_BUCKETS_MAX * sizeof(*sketch->entry));
    sketch->entry[0].weight += weight;
    sketch->count = SKETCH_BUCKETS_MAX;
}

static void keep_bounds(struct sketch *sketch)
{
    if (!sketch->coarse && sketch->count > SKETCH_EXACT_MAX)
        round_all(sketch);
    if (sketch->count > SKETCH_BUCKETS_MAX)
        collapse_lowest(sketch);
}

int sketch_add(struct sketch *sketch, double value, double weight)
{
    size_t low = 0, high = sketch->count;
    double at = rounded(sketch, value);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sketch->entry[middle].value < at)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < sketch->count && sketch->entry[low].value == at) {
        sketch->entry[low].weight += weight;
        return 0;
    }
    int code = make_room(sketch, sketch->count + 1);
    if (code)
        return code;
    memmove(sketch->entry + low + 1, sketch->entry + low, (sketch->count - low) * sizeof(*sketch->entry));
    sketch->entry[low] = (struct sketch_entry){at, weight};
    sketch->count++;
    keep_bounds(sketch);
    return 0;
}

int sketch_merge(struct sketch *into, const struct sketch *from)
{
    int code = make_room(into, into->count + from->count);
    if (code)
        return code;
    if (from->coarse && !into->coarse)
        round_all(into);
    /* From the back, so that nothing is overwritten before it is read. */
    size_t a = into->count, b = from->count, at = a + b;
    while (b) {
        double value = rounded(into, from->entry[b - 1].value);
        if (a && into->entry[a - 1].value > value)
            into->entry[--at] = into->entry[--a];
        else
            into->entry[--at] = (struct sketch_entry){value, from->entry[--b].weight};
    }
    into->count += from->count;
    join_equal(into);
    keep_bounds(into);
    return 0;
}

double sketch_weight(const struct sketch *sketch)
{
    double weight = 0;
    for (size_t i = 0; i < sketch->count; i++)
        weight += sketch->entry[i].weight;
    return weight;
}

double sketch_quantile(const struct sketch *sketch, double share)
{
    double whole = sketch_weight(sketch), below = 0, wanted = share * whole - whole * 1e-12; /* 0.29 * 100 is a little more than 29 */
    for (size_t i = 0; i < sketch->count; i++) {
        below += sketch->entry[i].weight;
        if (below >= wanted)
            return sketch->entry[i].value;
    }
    return sketch->count ? sketch->entry[sketch->count - 1].value : 0;
}

/* ---- encoding ---- */

void sketch_encode_weight(struct buf *out, double weight)
{
    if (weight >= 0 && weight < WHOLE_MAX && weight == (double)(uint64_t)weight) {
        buf_add_varint(out, (uint64_t)weight << 1);
    } else {
        buf_add_varint(out, 1);
        buf_add_be64(out, bits_of(weight));
    }
}

double sketch_decode_weight(struct cursor *c)
{
    uint64_t head = cursor_varint(c);
    if (head & 1) {
        double weight = double_of(cursor_be64(c));
        c->failed = c->failed || head != 1 || !isfinite(weight) || weight < 0 || (weight < WHOLE_MAX && weight == floor(weight));
        return c->failed ? 0 : weight;
    }
    c->failed = c->failed || head >> 1 >= (uint64_t)WHOLE_MAX;
    return c->failed ? 0 : (double)(head >> 1);
}

void sketch_encode(struct buf *out, const struct sketch *sketch)
{
    int64_t last = 0;
    buf_add_u8(out, sketch->coarse);
    buf_add_varint(out, sketch->count);
    for (size_t i = 0; i < sketch->count; i++) {
        const struct sketch_entry *entry = &sketch->entry[i];
        if (sketch->coarse) {
            int64_t bucket = sketch_bucket(entry->value);
            buf_add_varint(out, i ? (uint64_t)(bucket - last) : (uint64_t)bucket << 1 ^ (uint64_t)(bucket >> 63));
            last = bucket;
        } else {
            buf_add_be64(out, bits_of(entry->value));
        }
        sketch_encode_weight(out, entry->weight);
    }
}

static bool decode_coarse(struct cursor *c, bool first, int64_t *bucket)
{
    uint64_t n = cursor_varint(c);
    if (c->failed || n > 2 * (uint64_t)BUCKET_LAST + 1 || (!first && n == 0))
        return false;
    *bucket = first ? (int64_t)(n >> 1) ^ -(int64_t)(n & 1) : *bucket + (int64_t)n;
    return *bucket >= -BUCKET_LAST && *bucket <= BUCKET_LAST;
}

static bool decode_exact(struct cursor *c, const struct sketch_entry *before, double *value)
{
    *value = double_of(cursor_be64(c));
    bool is_plain = *value == 0 ? !signbit(*value) : fabs(*value) >= 0x1p-360 && fabs(*value) <= SKETCH_VALUE_MAX; /* false for NaN */
    return !c->failed && is_plain && (!before || before->value < *value);
}

int sketch_decode(struct cursor *c, struct sketch *sketch)
{
    uint8_t form = cursor_u8(c);
    uint64_t count = cursor_varint(c);
    int64_t bucket = 0;
    sketch_clear(sketch);
    if (c->failed || form > 1 || count > (form ? SKETCH_BUCKETS_MAX : SKETCH_EXACT_MAX))
        return ERR_CORRUPT;
    if (make_room(sketch, count))
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        struct sketch_entry *entry = &sketch->entry[i];
        if (form ? !decode_coarse(c, i == 0, &bucket) : !decode_exact(c, i ? entry - 1 : NULL, &entry->value))
            return ERR_CORRUPT;
        if (form)
            entry->value = sketch_bucket_middle(bucket);
        entry->weight = sketch_decode_weight(c);
        if (c->failed || entry->weight <= 0)
            return ERR_CORRUPT;
    }
    sketch->coarse = form;
    sketch->count = count;
    return 0;
}
