/*
 * Anomaly detection: what a metric is expected to be, by what it was. AWS learns a model that it does not describe; this one is described, and robust: figures that stand out do not
 * move it, as long as they are fewer than half.
 *
 *   band(t) = median ± width × spread of the points of the same season, before the hour of t
 *   season    the same hour of the week in the two weeks before, when they hold ANOMALY_WEEK_POINTS points; else the same hour of the day in those two weeks, when there are
 *             ANOMALY_DAY_POINTS; else everything in them, when there are as many; else there is no band
 *   spread    1.4826 × the median absolute deviation; when more than half of the points are equal, 1.2533 × the mean absolute deviation from the median
 *
 * Both factors make a spread of one a standard deviation, if the points are normally distributed. A period longer than an hour has the season of its first hour. Nothing is trained
 * or kept: each band is read from the figures as they are, and the band of yesterday is the one that would have been told yesterday.
 *
 * A detector (PutAnomalyDetector) says which ranges of time are left out. It is kept under a digest of what it is about: a metric and a statistic, or an expression with all that it
 * refers to.
 */
#ifndef WEIR_WATCH_ANOMALY_H
#define WEIR_WATCH_ANOMALY_H

#include "watch/data.h"

#define ANOMALY_HOUR_S INT64_C(3600)
#define ANOMALY_WEEKS 2
#define ANOMALY_WEEK_POINTS 20
#define ANOMALY_DAY_POINTS 10
#define ANOMALY_DETECTORS_MAX 1000
#define ANOMALY_EXCLUDED_MAX 100         /* ranges of one detector */
#define ANOMALY_ID 33                    /* with its end */

struct anomaly_fit {
    double center, spread;
    enum anomaly_season { ANOMALY_NONE, ANOMALY_ALL, ANOMALY_DAY, ANOMALY_WEEK } season;
};
/* Of many points; sorts them. The season is the caller's. count > 0. */
void anomaly_fit(double *value, size_t count, struct anomaly_fit *fit);

/* Under which id the detector of a query is kept. ERR_INVALID: it refers to what is not there, or in a circle. ERR_MEMORY. */
int anomaly_detector_id(const struct watch_data *data, const struct watch_data_query *query, char out[ANOMALY_ID]);
/* What is known of a query's past: whether its present hour has a band, and by which season. The same errors as watch_data_ready. */
int anomaly_look(struct watch_data *data, struct watch_data_query *query, struct anomaly_fit *fit);

#endif
