/*
 * What traffic costs on AWS: the prices of the documents, amounts, and sums. Pure arithmetic: what is counted where is read elsewhere (cost_read.h), and who asks is the
 * gateway's and the command's affair.
 *
 * An amount is a double in the unit of its row (a message, a minute, a GB-month): exact up to 2^53, and a price is per so many of them. A sum of money is a double of dollars that is
 * rounded only where it is shown, half up, as the documents round: 0.125 is 0.13 there.
 */
#ifndef WEIR_WATCH_COST_H
#define WEIR_WATCH_COST_H

#include "base/json.h"

/*
 * X(id, name, service, text, dollars, per, per in words, source)
 * `name` is the member in JSON and the key below `cost.prices`; `source` the number of the demand in the acceptance list that has the price.
 */
#define COST_TABLE(X)                                                                                                                                          \
    X(MESSAGES, "messages", "API Gateway", "messages, in and out", 1.00, 1e6, "million", "CO-1")                                                               \
    X(CONNECTION_MINUTES, "connectionMinutes", "API Gateway", "connection minutes", 0.25, 1e6, "million", "CO-1")                                              \
    X(INVOCATIONS, "invocations", "Lambda", "requests", 0.20, 1e6, "million", "CO-2")                                                                          \
    X(GB_SECONDS, "gbSeconds", "Lambda", "GB-seconds", 0.0000166667, 1, "GB-second", "CO-2")                                                                   \
    X(WRITES, "writes", "DynamoDB", "write request units", 1.25, 1e6, "million", "CO-3")                                                                       \
    X(READS, "reads", "DynamoDB", "read request units", 0.25, 1e6, "million", "CO-3")                                                                          \
    X(STORAGE, "storageGbMonths", "DynamoDB", "storage, GB-months", 0.25, 1, "GB-month", "CO-3")                                                               \
    X(LOGS, "logGb", "CloudWatch", "logs ingested, GB", 0.30, 1, "GB", "CO-4")                                                                                 \
    X(LOG_ARCHIVE, "logArchiveGb", "CloudWatch", "logs archived, GB-months", 0.03, 1, "GB-month", "CO-4")

enum cost_kind {
#define X(id, name, service, text, dollars, per, words, source) COST_##id,
    COST_TABLE(X)
#undef X
    COST_KINDS
};
struct cost_row {
    const char *name, *service, *text;
    double dollars, per;
    const char *per_words, *source;
};
extern const struct cost_row cost_rows[COST_KINDS];

#define COST_GB 1073741824.0                 /* bytes, as AWS bills them */
#define COST_MONTH_MS (30 * INT64_C(86400000)) /* the documents' month: 43.2 million minutes for 1,000 connections */
#define COST_MEMORY_MB 512                   /* of a function, when nothing is said */

struct cost_usage {
    double of[COST_KINDS];
};
struct cost_prices {
    double of[COST_KINDS]; /* dollars per cost_rows[].per */
};
void cost_prices_init(struct cost_prices *prices); /* the documents' */
/* Dollars. */
double cost_line(const struct cost_prices *prices, const struct cost_usage *usage, enum cost_kind kind);
/* The sum of all lines; `minutes` false: without connection minutes, which one of the documents leaves out. */
double cost_sum(const struct cost_prices *prices, const struct cost_usage *usage, bool minutes);
void cost_add(struct cost_usage *to, const struct cost_usage *more);
/* "3.58", half up; below a cent as many digits as it takes to show two that count ("0.0000025"), at most nine behind the point. */
#define COST_MONEY_SIZE 32
void cost_money(double dollars, char out[COST_MONEY_SIZE]);

/* ---- a report ---- */
#define COST_APPLICATIONS_MAX 256

struct cost_application {
    struct text name; /* empty: what belongs to no application */
    struct cost_usage usage;
};
/* What a worked example of the documents says, beside what comes out. */
struct cost_example {
    const char *name, *title, *says;
    double least, most;           /* the documents' sum, or its range: dollars a month */
    struct cost_usage usage;      /* as given there */
    enum cost_kind omitted;       /* what the document leaves out although it names the price and the number, */
    double omitted_amount;        /* 0: nothing */
    const char *omitted_text;     /* and what that amount supposes */
    const char *unknown;          /* what it says nothing about */
};
/* CO-5, CO-7; ends with a name of NULL. */
extern const struct cost_example cost_examples[];
const struct cost_example *cost_example_find(struct text name);

struct cost_report {
    int64_t from_ms, to_ms;              /* 0: amounts that were given, of no period */
    struct cost_prices prices;
    struct cost_application *application; /* by name */
    size_t applications;
    bool partial;                        /* not everything could be read */
    const struct cost_example *example;  /* NULL: none */
};
struct cost_usage cost_report_usage(const struct cost_report *report);

/* docs/cost.md describes the object. */
void cost_report_write(const struct cost_report *report, struct json_writer *w);
/* The same back, from an answer; borrows the tree. 0, ERR_INVALID (it is none), ERR_MEMORY. */
int cost_report_read(const struct json *root, struct arena *arena, struct cost_report *report);
/* Amounts by their names, {"messages": 500000}: 0, or ERR_INVALID with a sentence. What is not named is 0. */
int cost_usage_read(const struct json *root, struct cost_usage *usage, struct err *err);

#endif
