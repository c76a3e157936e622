/*
 * Dynamic labels: what ${...} in the label of a metric, an expression or a search stands for ("Use dynamic labels" of the CloudWatch user guide).
 *
 *   ${LABEL}                                                      the label that it would have without one
 *   ${AVG} ${SUM} ${MIN} ${MAX} ${FIRST} ${LAST} ${DATAPOINT_COUNT} ${MIN_MAX_RANGE} ${FIRST_LAST_RANGE}     of the points in the range
 *   ${FIRST_TIME} ${LAST_TIME} ${MIN_TIME} ${MAX_TIME}            when; with _RELATIVE how long ago
 *   ${FIRST_LAST_TIME_RANGE} ${MIN_MAX_TIME_RANGE}                how long
 *   ${PROP('MetricName')} 'Namespace' 'Stat' 'Period' 'Region' 'AccountId' 'AccountLabel' 'Dim.<name>'
 *
 * AWS does not say how it writes them. Here numbers have up to three decimals, times are 2026-01-15T08:01:00Z (or with the offset that is asked for), spans 1d2h3m4s; what has no
 * value is "--". What is none of the above stays as it stands. Any thread.
 */
#ifndef WEIR_WATCH_LABEL_H
#define WEIR_WATCH_LABEL_H

#include "watch/data.h"

#define WATCH_LABEL_MAX 4096 /* bytes of a label that has become text; it is cut there */

struct watch_label {
    struct text text;                /* as it was given */
    struct text plain;               /* without one: ${LABEL} */
    const struct math_series *series;
    struct text region, account;
    int64_t now_ms;
    int offset_min;                  /* of the time zone, minutes east of UTC */
};
/* In the arena, or the text itself; data NULL without memory. */
struct text watch_label_format(struct arena *arena, const struct watch_label *label);
/* "+0130", "-0700". 0 or ERR_SYNTAX. */
int watch_label_timezone(struct text text, int *offset_min);

#endif
