/* A GetMetricData under way: what was asked (cloudwatch_data.c checks and evaluates it) and what came out of it (cloudwatch_page.c tells it, a page at a time). */
#ifndef WEIR_AWS_CLOUDWATCH_DATA_H
#define WEIR_AWS_CLOUDWATCH_DATA_H

#include "aws/cloudwatch.h"
#include "watch/data.h"

#define CW_DATA_BYTES_MAX ((size_t)128 << 20)    /* of all points of one request and what expressions make of them */

struct data {
    struct watch_data_query *query;
    struct text *label;              /* of each query; empty: none was given */
    size_t count;
    int64_t start_s, end_s;
    bool ascending;
    int offset_min;                  /* of the labels' time zone */
    uint64_t max, skip;              /* points of a page, and those that earlier pages told */
    struct aws_call *call;
    struct arena *arena;             /* while it runs */
    int64_t now_ms;
};

/* Token and page size. */
void data_read_paging(struct cw_check *check, struct data *data);
/* Writes the answer from what the queries have become. */
int data_write_page(struct data *data);
/* A query of Metrics, MetricDataQueries: Id, MetricStat or Expression, Label, Period, ReturnData. `at` stands before its members. Texts and dimensions live in the call's arena. */
void data_read_query(struct cw_check *check, const struct json *json, const char *at, struct watch_data_query *query);

#endif
