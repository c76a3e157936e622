/*
 * The statistics of CloudWatch, by the names that its API uses, over a summary of the values of one period.
 *
 *   SampleCount Sum Average Minimum Maximum     always there, exact
 *   pNN tmNN wmNN tcNN tsNN                     NN from 0 to 100 with up to 10 decimals
 *   TM WM TC TS (a%:b%)                         trimmed mean, winsorised mean, trimmed count, trimmed sum between two percentiles
 *   TM WM TC TS PR (a:b)                        between two values, the lower one exclusive, the upper one inclusive; either may be left out. PR: per cent of the values in it
 *   IQM                                         TM(25%:75%)
 *
 * All but the first five need the values themselves: a period that holds a StatisticSet of several different values has none, nor has one with a negative value, which is
 * what CloudWatch documents. Any thread.
 */
#ifndef WEIR_WATCH_STATISTIC_H
#define WEIR_WATCH_STATISTIC_H

#include "base/err.h"
#include "watch/sketch.h"

/* ---- summaries ---- */
struct watch_summary {
    double count, sum, min, max; /* min and max mean nothing while count is 0 */
    bool unknown;                /* some of the values are not in the sketch, only in the figures */
    struct sketch values;
};
#define WATCH_SUMMARY_BYTES_MAX (64 + SKETCH_BYTES_MAX)

void watch_summary_init(struct watch_summary *summary, struct arena *arena);
void watch_summary_clear(struct watch_summary *summary);
/* 0 or ERR_MEMORY. A weight of 0 adds nothing. */
int watch_summary_add(struct watch_summary *summary, double value, double weight);
/* Figures without their values. When they can be of one value only (a count of 1, or min = max), they count as that value. */
int watch_summary_add_set(struct watch_summary *summary, double count, double sum, double min, double max);
int watch_summary_merge(struct watch_summary *into, const struct watch_summary *from);
void watch_summary_encode(struct buf *out, const struct watch_summary *summary);
/* ERR_CORRUPT, ERR_MEMORY. */
int watch_summary_decode(struct text bytes, struct watch_summary *summary);
/* Without the values: what is not known is not asked for. */
int watch_summary_decode_figures(struct text bytes, struct watch_summary *summary);

/* ---- statistics ---- */
enum statistic_kind {
    STATISTIC_COUNT, STATISTIC_SUM, STATISTIC_AVERAGE, STATISTIC_MINIMUM, STATISTIC_MAXIMUM, STATISTIC_PERCENTILE,
    STATISTIC_TRIMMED_MEAN, STATISTIC_WINSORIZED_MEAN, STATISTIC_TRIMMED_COUNT, STATISTIC_TRIMMED_SUM, STATISTIC_RANK
};
struct statistic {
    enum statistic_kind kind;
    bool by_value;    /* low and high are values, else shares (0..1) */
    double low, high; /* -INFINITY and INFINITY when left out of a range of values. A percentile is `high` */
};
/* 0 or ERR_SYNTAX. */
int statistic_parse(struct text name, struct statistic *statistic);
/* False when the period has no such figure. */
bool statistic_evaluate(const struct statistic *statistic, const struct watch_summary *summary, double *value);

#endif
