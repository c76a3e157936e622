/*
 * What the files of the CloudWatch wire share: translation over watch/metric.h. Nothing outside src/aws includes it.
 *
 * cloudwatch.c the table of operations · cloudwatch_shapes.c the shapes of their requests · cloudwatch_param.c parameters and what is wrong with them · cloudwatch_put.c
 * PutMetricData · cloudwatch_list.c ListMetrics · cloudwatch_get.c GetMetricStatistics · cloudwatch_data.c, cloudwatch_page.c GetMetricData ·
 * cloudwatch_dashboard.c dashboards · cloudwatch_anomaly.c anomaly detectors · cloudwatch_insight.c Contributor Insights
 */
#ifndef WEIR_AWS_CLOUDWATCH_H
#define WEIR_AWS_CLOUDWATCH_H

#include "aws/call.h"
#include "base/clock.h"
#include "watch/metric.h"

extern const struct aws_service cloudwatch_service;

#define CW_METRICS_MAX 1000            /* of one PutMetricData */
#define CW_BODY_MAX ((size_t)1 << 20)  /* bytes of one, inflated */
#define CW_VALUES_MAX 150              /* of one metric in it */
#define CW_STATISTICS_MAX 10           /* extended ones of one GetMetricStatistics */
#define CW_STATISTICS_POINTS_MAX 1440
#define CW_DATA_POINTS_MAX 100800
#define CW_DATA_QUERIES_MAX 500
#define CW_LIST_MAX 500
#define CW_DASHBOARDS_PAGE 100         /* entries of one ListDashboards */

/* ---- cloudwatch_param.c ---- */
/*
 * CloudWatch names all bad parameters of a request at once, a sentence each on a line of its own. The first one's kind is the fault; those of another kind are left out.
 * Init, look at parameters, end: nothing else may fail in between.
 */
#define CW_CHECK_LINES 20
struct cw_check {
    struct aws_call *call;
    struct buf text;
    enum aws_fault fault;
    size_t lines;
};
void cw_check_init(struct cw_check *check, struct aws_call *call);
void cw_note(struct cw_check *check, enum aws_fault fault, const char *format, ...) __attribute__((format(printf, 3, 4)));
int cw_check_end(struct cw_check *check); /* 0, or negative with the fault noted */

/* `at` stands before the member in what is said: "MetricData.member.3." */
struct text cw_text(struct cw_check *check, const struct json *object, const char *at, const char *member, size_t max, bool required);
/* False when it is not there or is none; then it has been noted, the first unless it is required. */
bool cw_number(struct cw_check *check, const struct json *object, const char *at, const char *member, bool required, double *value);
bool cw_number_of(struct cw_check *check, const struct json *json, const char *at, const char *member, double *value);
bool cw_time(struct cw_check *check, const struct json *object, const char *at, const char *member, bool required, int64_t *ms);
/* -1 when there is none. */
int cw_unit(struct cw_check *check, const struct json *object, const char *at);
/* Namespace (unless `space` has it), MetricName and Dimensions of `object`. The dimensions live in the call's arena. */
/* "<at><member><number>." in `out`, which has room for it: where a parameter stands. */
void cw_place(char *out, size_t size, const char *at, struct text member, size_t number);
void cw_metric(struct cw_check *check, const struct json *object, const char *at, struct text space, struct watch_name *name);
/* A list of dimensions; an empty or absent one leaves the name alone. */
void cw_dimensions(struct cw_check *check, const struct json *list, const char *at, struct watch_name *name);
int64_t cw_period(struct cw_check *check, const struct json *object, const char *at, bool required);
int cw_fail(struct aws_call *call, int code, const struct err *err); /* a failure of watch */
/* "Dimensions" and their like, as answers have them. */
void cw_write_dimensions(struct json_writer *w, const struct watch_name *name);
void cw_write_time(struct json_writer *w, int64_t s);

/* Parts of the requests of anomaly detectors that are kept. */
extern const struct shape cw_shape_detector_settings, cw_shape_characteristics, cw_shape_single_detector, cw_shape_math_detector;
/* Shapes and steps, named by the table of operations. */
#define CW_SHAPES(X) X(put_metric_data) X(get_metric_statistics) X(get_metric_data) X(list_metrics) \
    X(put_dashboard) X(get_dashboard) X(list_dashboards) X(delete_dashboards) X(put_anomaly_detector) X(delete_anomaly_detector) X(describe_anomaly_detectors) \
    X(put_insight_rule) X(describe_insight_rules) X(delete_insight_rules) X(enable_insight_rules) X(disable_insight_rules) X(get_insight_rule_report)
#define X(name) extern const struct shape cw_shape_##name;
CW_SHAPES(X)
#undef X
#define X(name)                                                                                                                            \
    int cw_##name##_prepare(struct aws_call *call);                                                                                        \
    int cw_##name##_perform(struct aws_call *call, struct store_view *view, struct tick *tick);
CW_SHAPES(X)
#undef X

#endif
