/*
 * What a statistic needs of many numbers, in a bounded space: the distinct values with their weights, in order, exactly while they are few, rounded to buckets when
 * they are many. Two sketches merge into the one that all their values together would have made, up to that rounding.
 *
 *   exact    at most SKETCH_EXACT_MAX distinct values: every statistic is that of the values themselves
 *   coarse   more: each value stands for the middle of its bucket. A power of two has SKETCH_STEPS buckets of one width, so a bucket is at most 1/64 of its lower bound wide
 *            and its middle at most SKETCH_ERROR (0.8 %) away from any value in it. Beyond SKETCH_BUCKETS_MAX buckets the lowest are put into one: the low end
 *            loses accuracy, high percentiles keep it
 *
 * Values below 2^-360 in magnitude count as zero. Weights are positive and finite. Any thread; one at a time.
 */
#ifndef WEIR_WATCH_SKETCH_H
#define WEIR_WATCH_SKETCH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"

#define SKETCH_EXACT_MAX 64
#define SKETCH_BUCKETS_MAX 2048
#define SKETCH_STEPS 64
#define SKETCH_ERROR (1.0 / (2 * SKETCH_STEPS)) /* relative, of a value told from a coarse sketch */
#define SKETCH_VALUE_MAX 0x1p360                /* magnitude */
#define SKETCH_BYTES_MAX (16 + SKETCH_BUCKETS_MAX * 14) /* encoded */

struct sketch_entry {
    double value, weight;
};
/* Plain value; the entries live in the arena. */
struct sketch {
    struct arena *arena;
    struct sketch_entry *entry; /* by value, no two equal */
    size_t count, room;
    bool coarse;
};

void sketch_init(struct sketch *sketch, struct arena *arena);
/* Forgets the values, keeps the memory. */
void sketch_clear(struct sketch *sketch);
/* |value| <= SKETCH_VALUE_MAX. 0 or ERR_MEMORY; on failure the sketch is as it was. */
int sketch_add(struct sketch *sketch, double value, double weight);
int sketch_merge(struct sketch *into, const struct sketch *from);
/* The bucket of a coarse sketch in which a value lies (0: zero, then 1.. upwards and -1.. downwards, in the order of values), and what stands for the values in it. */
int64_t sketch_bucket(double value);
double sketch_bucket_middle(int64_t bucket);
double sketch_weight(const struct sketch *sketch);
/* The smallest value that at least `share` (0..1) of the weight is not above. 0 when there is nothing. */
double sketch_quantile(const struct sketch *sketch, double share);

/* Appends; look at out->failed. */
void sketch_encode(struct buf *out, const struct sketch *sketch);
/* Replaces the content. ERR_CORRUPT for anything that sketch_encode does not write, ERR_MEMORY. */
int sketch_decode(struct cursor *c, struct sketch *sketch);

/* A weight or a count: whole numbers below 2^53 in a few bytes. */
void sketch_encode_weight(struct buf *out, double weight);
double sketch_decode_weight(struct cursor *c);

#endif
