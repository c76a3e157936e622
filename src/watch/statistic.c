/*
 * Names of statistics, and their values.
 *
 * A range of percentiles is a range of weight: TM(10%:90%) of ten values drops the lowest and the highest; where a bound falls inside a value's weight, the part within
 * counts. A mean of few values then moves smoothly with its bounds (IQM of one value is that value) where whole values would leave nothing. A count is told whole.
 */
#include "watch/statistic.h"

#include <math.h>
#include <stdlib.h>

#define DECIMALS_MAX 10
#define NUMBER_MAX 40 /* characters of a bound */

/* ---- names ---- */

/* Digits with an optional point; at most so many decimals. */
static int parse_number(struct text text, bool is_signed, size_t decimals_max, double *out)
{
    char copy[NUMBER_MAX + 1];
    size_t at = is_signed && text.len && text.data[0] == '-', digits = 0, decimals = 0;
    bool point = false;
    if (text.len > NUMBER_MAX)
        return ERR_SYNTAX;
    for (; at < text.len; at++) {
        char c = text.data[at];
        if (c == '.' && !point) {
            point = true;
        } else if (c >= '0' && c <= '9') {
            digits++;
            decimals += point;
        } else {
            return ERR_SYNTAX;
        }
    }
    if (!digits || decimals > decimals_max || text.data[text.len - 1] == '.')
        return ERR_SYNTAX;
    memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    *out = strtod(copy, NULL);
    return 0;
}

static int parse_share(struct text text, double *share)
{
    int code = parse_number(text, false, DECIMALS_MAX, share);
    if (code || *share > 100)
        return ERR_SYNTAX;
    *share /= 100;
    return 0;
}

/* A bound: "5%", "5", or nothing. `percent`: -1 when nothing was given. */
static int parse_bound(struct text text, double otherwise, double *bound, int *percent)
{
    text = text_trim(text);
    *percent = -1;
    *bound = otherwise;
    if (!text.len)
        return 0;
    *percent = text.data[text.len - 1] == '%';
    return *percent ? parse_share(text_trim(text_make(text.data, text.len - 1)), bound) : parse_number(text, true, NUMBER_MAX, bound);
}

static int parse_range(struct text text, struct statistic *statistic)
{
    ptrdiff_t colon = text_find(text, ':', 0);
    int low, high;
    if (colon < 0 || parse_bound(text_make(text.data, (size_t)colon), -INFINITY, &statistic->low, &low) ||
        parse_bound(text_make(text.data + colon + 1, text.len - (size_t)colon - 1), INFINITY, &statistic->high, &high))
        return ERR_SYNTAX;
    if ((low < 0 && high < 0) || (low >= 0 && high >= 0 && low != high))
        return ERR_SYNTAX;
    statistic->by_value = low != 1 && high != 1;
    if (!statistic->by_value) {
        statistic->low = low < 0 ? 0 : statistic->low;
        statistic->high = high < 0 ? 1 : statistic->high;
    }
    if (statistic->kind == STATISTIC_RANK && !statistic->by_value)
        return ERR_SYNTAX;
    return statistic->low < statistic->high ? 0 : ERR_SYNTAX;
}

static const struct {
    const char *name;
    enum statistic_kind kind;
} plain[] = {{"SampleCount", STATISTIC_COUNT}, {"Sum", STATISTIC_SUM}, {"Average", STATISTIC_AVERAGE}, {"Minimum", STATISTIC_MINIMUM}, {"Maximum", STATISTIC_MAXIMUM}},
  ranged[] = {{"tm", STATISTIC_TRIMMED_MEAN}, {"wm", STATISTIC_WINSORIZED_MEAN}, {"tc", STATISTIC_TRIMMED_COUNT}, {"ts", STATISTIC_TRIMMED_SUM}, {"pr", STATISTIC_RANK},
      {"p", STATISTIC_PERCENTILE}};

int statistic_parse(struct text name, struct statistic *statistic)
{
    *statistic = (struct statistic){0};
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (text_is(name, plain[i].name)) {
            statistic->kind = plain[i].kind;
            return 0;
        }
    if (text_equal_nocase(name, TEXT("IQM"))) {
        *statistic = (struct statistic){STATISTIC_TRIMMED_MEAN, false, 0.25, 0.75};
        return 0;
    }
    for (size_t i = 0; i < sizeof(ranged) / sizeof(ranged[0]); i++) {
        struct text head = text_of(ranged[i].name);
        if (name.len <= head.len || !text_equal_nocase(text_make(name.data, head.len), head))
            continue;
        struct text rest = text_make(name.data + head.len, name.len - head.len);
        statistic->kind = ranged[i].kind;
        if (rest.data[0] == '(' && rest.data[rest.len - 1] == ')' && rest.len > 2 && statistic->kind != STATISTIC_PERCENTILE)
            return parse_range(text_make(rest.data + 1, rest.len - 2), statistic);
        return statistic->kind == STATISTIC_RANK ? ERR_SYNTAX : parse_share(rest, &statistic->high);
    }
    return ERR_SYNTAX;
}

/* ---- values ---- */

struct part {
    double weight, sum;   /* of what lies within */
    double below, above;  /* weights of the rest */
    double lowest, highest; /* values within */
};

static void part_add(struct part *part, double value, double weight)
{
    if (weight <= 0)
        return;
    part->lowest = part->weight > 0 ? part->lowest : value;
    part->highest = value;
    part->weight += weight;
    part->sum += value * weight;
}

/* Of an entry that begins behind `before` of the weight. */
static void part_by_share(struct part *part, const struct sketch_entry *entry, double before, double low, double high)
{
    double from = before > low ? before : low, to = before + entry->weight < high ? before + entry->weight : high;
    part_add(part, entry->value, to - from);
}

static struct part part_of(const struct statistic *statistic, const struct sketch *values)
{
    struct part part = {0};
    double whole = sketch_weight(values), before = 0;
    for (size_t i = 0; i < values->count; i++) {
        const struct sketch_entry *entry = &values->entry[i];
        if (!statistic->by_value)
            part_by_share(&part, entry, before, statistic->low * whole, statistic->high * whole);
        else if (entry->value > statistic->low && entry->value <= statistic->high)
            part_add(&part, entry->value, entry->weight);
        else if (entry->value <= statistic->low)
            part.below += entry->weight;
        else
            part.above += entry->weight;
        before += entry->weight;
    }
    if (!statistic->by_value) {
        part.below = statistic->low * whole;
        part.above = whole - statistic->high * whole;
    }
    return part;
}

static bool evaluate_values(const struct statistic *statistic, const struct watch_summary *summary, double *value)
{
    struct part part = part_of(statistic, &summary->values);
    double low = statistic->by_value && isfinite(statistic->low) ? statistic->low : part.lowest;
    double high = statistic->by_value && isfinite(statistic->high) ? statistic->high : part.highest;
    switch (statistic->kind) {
    case STATISTIC_TRIMMED_COUNT:
        *value = statistic->by_value ? part.weight : round(part.weight);
        return true;
    case STATISTIC_TRIMMED_SUM:
        *value = part.sum;
        return true;
    case STATISTIC_RANK:
        *value = part.weight / sketch_weight(&summary->values) * 100;
        return true;
    case STATISTIC_WINSORIZED_MEAN:
        if (part.weight <= 0 && !statistic->by_value)
            return false;
        *value = (part.sum + (part.below > 0 ? part.below * low : 0) + (part.above > 0 ? part.above * high : 0)) / (part.weight + part.below + part.above);
        return true;
    default:
        *value = part.sum / part.weight;
        return part.weight > 0;
    }
}

static double within(double value, const struct watch_summary *summary)
{
    return value < summary->min ? summary->min : value > summary->max ? summary->max : value;
}

bool statistic_evaluate(const struct statistic *statistic, const struct watch_summary *summary, double *value)
{
    if (summary->count <= 0)
        return false;
    switch (statistic->kind) {
    case STATISTIC_COUNT:
        *value = summary->count;
        return true;
    case STATISTIC_SUM:
        *value = summary->sum;
        return true;
    case STATISTIC_AVERAGE:
        *value = summary->sum / summary->count;
        return true;
    case STATISTIC_MINIMUM:
        *value = summary->min;
        return true;
    case STATISTIC_MAXIMUM:
        *value = summary->max;
        return true;
    default:
        break;
    }
    if (summary->unknown || summary->min < 0 || !summary->values.count)
        return false;
    if (statistic->kind == STATISTIC_PERCENTILE) {
        *value = within(sketch_quantile(&summary->values, statistic->high), summary); /* the ends of a coarse sketch are known exactly */
        return true;
    }
    return evaluate_values(statistic, summary, value);
}
