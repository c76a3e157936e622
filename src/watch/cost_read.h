/*
 * What was used in a period, from weir's own figures: the metrics of AWS/ApiGateway, AWS/Lambda, AWS/DynamoDB, AWS/Logs and Weir that the gateway keeps of itself (docs/figures.md), and what
 * the log groups hold now. It knows names of metrics and nothing of applications: who owns an API, a function, a table, a log group is asked.
 */
#ifndef WEIR_WATCH_COST_READ_H
#define WEIR_WATCH_COST_READ_H

#include "store/store.h"
#include "watch/cost.h"

#define COST_SERIES_MAX 20000                 /* figures that one report reads */
#define COST_ROWS_MAX (UINT64_C(6) << 20)     /* and rows of them: some seconds */
#define COST_PERIOD_MAX_MS (455 * INT64_C(86400000)) /* figures are kept no longer */

enum cost_owner { COST_OF_API, COST_OF_FUNCTION, COST_OF_TABLE, COST_OF_LOG_GROUP };
struct cost_question {
    int64_t from_ms, to_ms, now_ms;
    double memory_mb; /* of a function */
    /* The usage to add to; NULL: it is left out. */
    struct cost_usage *(*owner)(void *context, enum cost_owner what, struct text name);
    void *context;
};
/* Any view that reads the disk; on a worker. *partial: the bounds ended it, and what was added is too little. ERR_CORRUPT, ERR_IO, ERR_MEMORY. */
int cost_read(struct store_view *view, const struct cost_question *question, bool *partial);

#endif
