/*
 * Contributor Insights: which contributors (an address, a user, a handler) make up most of what log groups tell, by rules of CloudWatch's form ("Contributor Insights rule syntax" of
 * its user guide).
 *
 *   {"Schema": {"Name": "CloudWatchLogRule", "Version": 1}, "LogGroupNames": ["orders", "api-*"], "LogFormat": "JSON" | "CLF", "Fields": {"4": "Address"} (CLF),
 *    "Contribution": {"Keys": ["$.ip"], "ValueOf": "$.bytes", "Filters": [{"Match": "$.method", "In": ["PUT"]}]}, "AggregateOn": "Count" | "Sum"}
 *
 * AWS counts events as they come, into sketches. Here a report reads the log events of its range when it is asked for, so it is exact, a rule says something of the time before it was
 * made, and a rule that nobody asks costs nothing. Reports block; they belong on a worker.
 */
#ifndef WEIR_WATCH_INSIGHT_H
#define WEIR_WATCH_INSIGHT_H

#include "watch/data.h"
#include "watch/log.h"

#define INSIGHT_RULES_MAX 1000
#define INSIGHT_NAME_MAX 128
#define INSIGHT_DEFINITION_MAX 8192          /* bytes */
#define INSIGHT_KEYS_MAX 4
#define INSIGHT_FILTERS_MAX 4
#define INSIGHT_VALUES_MAX 10                /* of one filter */
#define INSIGHT_GROUPS_MAX 20                /* entries of LogGroupNames */
#define INSIGHT_MATCHED_MAX 200              /* log groups that these mean */
#define INSIGHT_STEPS_MAX 16                 /* of a path */
#define INSIGHT_FIELDS_MAX 64                /* of a CLF event */
#define INSIGHT_CONTRIBUTORS_MAX 20000       /* that a report tells apart; further ones are in its totals alone */
#define INSIGHT_PERIODS_MAX 1440             /* of a report */
#define INSIGHT_CELLS_MAX 2000000            /* contributors times periods */
#define INSIGHT_READ_MAX ((size_t)1 << 30)   /* bytes of text that a report reads */
#define INSIGHT_TIME_MS 20000                /* for which it reads; for an alarm: */
#define INSIGHT_ALARM_MS 2000

enum insight_operator { INSIGHT_IN, INSIGHT_NOT_IN, INSIGHT_STARTS_WITH, INSIGHT_GREATER, INSIGHT_LESS, INSIGHT_EQUAL, INSIGHT_UNEQUAL, INSIGHT_PRESENT, INSIGHT_OPERATORS };
struct insight_path {
    struct text text;                        /* as it stands in the rule */
    struct text step[INSIGHT_STEPS_MAX];     /* of JSON; digits are an index */
    size_t steps;
    size_t field;                            /* of CLF, from 1 */
};
struct insight_filter {
    struct insight_path path;
    enum insight_operator op;
    struct text value[INSIGHT_VALUES_MAX];
    size_t values;
    double number;
    bool present;
};
/* A definition; lives in the arena and borrows the text. */
struct insight_rule {
    struct text group[INSIGHT_GROUPS_MAX];
    size_t groups;
    bool clf, sum;
    struct insight_path key[INSIGHT_KEYS_MAX], value_of;
    size_t keys;
    struct insight_filter filter[INSIGHT_FILTERS_MAX];
    size_t filters;
};
/* ERR_INVALID with a sentence, ERR_MEMORY. */
int insight_rule_parse(struct arena *arena, struct text definition, struct insight_rule *rule, struct err *err);
/* One event. 1: it contributes, with its keys (in the arena) and its value (1 for a count). 0: it does not. ERR_MEMORY. */
int insight_rule_match(const struct insight_rule *rule, struct text message, struct arena *arena, struct text key[INSIGHT_KEYS_MAX], double *value);

struct insight_contributor {
    struct text key[INSIGHT_KEYS_MAX];
    double total, most;                      /* most: of one period */
    double *value;                           /* by period */
};
struct insight_period {
    double samples, sum, least, most;        /* of the events' values */
    double contributors, top;                /* different ones; the greatest contributor's value */
};
struct insight_report {
    struct insight_contributor **contributor; /* the greatest total first; with by_most the greatest value of a period */
    size_t contributors;
    struct insight_period *period;           /* `periods` of them */
    size_t periods;
    double total;
    uint64_t unique;                         /* contributors that are told apart */
    bool partial;                            /* not all of the range was read */
};
struct insight_ask {
    struct store_view *view;
    struct arena *arena;
    const struct insight_rule *rule;
    int64_t start_s, end_s, period_s;        /* the start is taken down to its period's */
    int64_t until_ms;                        /* events from then on do not count: the rule was disabled. 0: all do */
    int64_t now_ms, time_ms;                 /* time: for which it may read; 0: INSIGHT_TIME_MS */
    bool by_most;
};
/* 0; ERR_INVALID with a sentence; ERR_MEMORY, ERR_CORRUPT. */
int insight_report_read(const struct insight_ask *ask, struct insight_report *report, struct err *err);

/* What is kept of a rule (keep.h, WATCH_KEEP_INSIGHT): {"definition", "state", "changed" (ms)}. */
struct insight_kept {
    struct text definition;
    bool enabled;
    int64_t changed_ms;                      /* when it was put, enabled or disabled last */
};
/* ERR_NOT_FOUND and what keep.h answers. */
int insight_kept_get(struct store_view *view, struct arena *arena, struct text name, struct insight_kept *kept);
int insight_kept_parse(struct arena *arena, struct text value, struct insight_kept *kept);
/* INSIGHT_RULE_METRIC: UniqueContributors, MaxContributorValue, SampleCount, Sum, Minimum, Maximum, Average. */
bool insight_metric_value(struct text metric, const struct insight_period *period, double *value); /* false: no such metric, or nothing in the period (NaN) */
bool insight_metric_known(struct text metric);
int watch_insight_series(struct watch_data *data, struct text rule, struct text metric, struct math_value *series, struct err *err);

#endif
