/*
 * The figures of one period and their values.
 *
 *   encoded   version (1), flags (1: unknown), count (as a weight), sum, min, max (be64 each, the double's bits), then the sketch
 *
 * A single value is by far the most frequent content: then (flag 2) only the value and its count are there, and everything else follows from them.
 */
#include "watch/statistic.h"

#include <math.h>

enum { VERSION = 1 };
enum { UNKNOWN = 1, SINGLE = 2 };

void watch_summary_init(struct watch_summary *summary, struct arena *arena)
{
    *summary = (struct watch_summary){0};
    sketch_init(&summary->values, arena);
}

void watch_summary_clear(struct watch_summary *summary)
{
    summary->count = summary->sum = summary->min = summary->max = 0;
    summary->unknown = false;
    sketch_clear(&summary->values);
}

static void add_figures(struct watch_summary *summary, double count, double sum, double min, double max)
{
    bool first = summary->count <= 0;
    summary->min = first || min < summary->min ? min : summary->min;
    summary->max = first || max > summary->max ? max : summary->max;
    summary->count += count;
    summary->sum += sum;
}

int watch_summary_add(struct watch_summary *summary, double value, double weight)
{
    if (weight <= 0)
        return 0;
    int code = sketch_add(&summary->values, value, weight);
    if (!code)
        add_figures(summary, weight, value * weight, value, value);
    return code;
}

int watch_summary_add_set(struct watch_summary *summary, double count, double sum, double min, double max)
{
    if (count <= 0)
        return 0;
    if (min == max || count == 1) {
        int code = sketch_add(&summary->values, count == 1 ? sum : min, count);
        if (code)
            return code;
    } else
        summary->unknown = true;
    add_figures(summary, count, sum, min, max);
    return 0;
}

int watch_summary_merge(struct watch_summary *into, const struct watch_summary *from)
{
    if (from->count <= 0)
        return 0;
    int code = sketch_merge(&into->values, &from->values);
    if (code)
        return code;
    add_figures(into, from->count, from->sum, from->min, from->max);
    into->unknown = into->unknown || from->unknown;
    return 0;
}

static void add_double(struct buf *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    buf_add_be64(out, bits);
}

static double take_double(struct cursor *c)
{
    uint64_t bits = cursor_be64(c);
    double value;
    memcpy(&value, &bits, sizeof(value));
    c->failed = c->failed || !isfinite(value);
    return c->failed ? 0 : value;
}

/* Everything follows from one value and its weight. */
static bool is_single(const struct watch_summary *summary)
{
    const struct sketch *values = &summary->values;
    return !summary->unknown && values->count == 1 && !values->coarse && values->entry[0].value == summary->min && summary->min == summary->max &&
           values->entry[0].weight == summary->count && summary->sum == summary->min * summary->count && !(summary->min == 0 && signbit(summary->min));
}

void watch_summary_encode(struct buf *out, const struct watch_summary *summary)
{
    bool single = is_single(summary);
    buf_add_u8(out, VERSION);
    buf_add_u8(out, (uint8_t)((summary->unknown ? UNKNOWN : 0) | (single ? SINGLE : 0)));
    sketch_encode_weight(out, summary->count);
    if (single) {
        add_double(out, summary->min);
        return;
    }
    add_double(out, summary->sum);
    add_double(out, summary->min);
    add_double(out, summary->max);
    sketch_encode(out, &summary->values);
}

static int decode_single(struct cursor *c, double count, struct watch_summary *summary)
{
    double value = take_double(c);
    if (c->failed || cursor_left(c) || count <= 0 || fabs(value) > SKETCH_VALUE_MAX)
        return ERR_CORRUPT;
    return watch_summary_add(summary, value, count);
}

static int decode(struct text bytes, struct watch_summary *summary, bool figures)
{
    struct cursor c = cursor_of(bytes);
    uint8_t version = cursor_u8(&c), flags = cursor_u8(&c);
    double count = sketch_decode_weight(&c);
    watch_summary_clear(summary);
    if (c.failed || version != VERSION || flags > (UNKNOWN | SINGLE) || flags == (UNKNOWN | SINGLE) || count <= 0)
        return ERR_CORRUPT;
    if (flags & SINGLE)
        return decode_single(&c, count, summary);
    summary->sum = take_double(&c);
    summary->min = take_double(&c);
    summary->max = take_double(&c);
    summary->count = count;
    summary->unknown = flags & UNKNOWN;
    int code = c.failed ? ERR_CORRUPT : figures ? 0 : sketch_decode(&c, &summary->values);
    if (!code && !figures && cursor_left(&c))
        code = ERR_CORRUPT;
    if (code)
        watch_summary_clear(summary);
    return code;
}

int watch_summary_decode(struct text bytes, struct watch_summary *summary)
{
    return decode(bytes, summary, false);
}

int watch_summary_decode_figures(struct text bytes, struct watch_summary *summary)
{
    return decode(bytes, summary, true);
}
