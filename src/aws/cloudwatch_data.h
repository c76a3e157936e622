/* A GetMetricData under way: what was asked (cloudwatch_data.c reads and evaluates it) and what came out of it (cloudwatch_page.c tells it, a page at a time). */
#ifndef WEIR_AWS_CLOUDWATCH_DATA_H
#define WEIR_AWS_CLOUDWATCH_DATA_H

#include "aws/cloudwatch.h"
#include "watch/math.h"

#define CW_DATA_BYTES_MAX ((size_t)128 << 20)    /* of all points of one request and what expressions make of them */
#define CW_DATA_DEPTH_MAX 10                     /* expressions that refer to expressions */
#define CW_SEARCH_SERIES_MAX 500

enum data_state { DATA_NEW, DATA_ASKED, DATA_READY };
struct data_query {
    struct text id, label;
    const struct math_expr *expr;    /* NULL: a metric */
    struct watch_query query;        /* of a metric */
    struct statistic statistic;
    int64_t period_s;
    bool returned, partial;          /* partial: there is more to read than one request may */
    enum data_state state;
    struct math_value value;
};
struct data {
    struct data_query *query;
    size_t count;
    int64_t start_s, end_s;
    bool ascending;
    uint64_t max, skip;              /* points of a page, and those that earlier pages told */
    /* while it runs */
    struct aws_call *call;
    struct store_view *view;
    struct arena *arena;
    uint64_t rows;
    unsigned depth;
    struct data_query *at;           /* the expression that is evaluated */
};

/* Token and page size. */
void data_read_paging(struct cw_check *check, struct data *data);
/* Writes the answer from what the queries have become. */
int data_write_page(struct data *data);

#endif
