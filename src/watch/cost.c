/*
 * The sums. Two of them stand side by side everywhere, with connection minutes and without: the documents' first example leaves them out, and for sockets that are open all day they
 * are the larger part of the bill.
 */
#include "watch/cost.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct cost_row cost_rows[COST_KINDS] = {
#define X(id, name, service, text, dollars, per, words, source) {name, service, text, dollars, per, words, source},
    COST_TABLE(X)
#undef X
};

/* 1,000 connections that are open for a month of 30 days. */
#define MINUTES_OF_1000 (1000.0 * 60 * 24 * 30)

const struct cost_example cost_examples[] = {
    {
        .name = "CO-5",
        .title = "1,000 active users for a month",
        .says = "~$3.58/month",
        .least = 3.58,
        .most = 3.58,
        .usage = {{[COST_WRITES] = 1e6, [COST_READS] = 5e5, [COST_MESSAGES] = 5e5, [COST_INVOCATIONS] = 1e6, [COST_LOGS] = 5}},
        .omitted = COST_CONNECTION_MINUTES,
        .omitted_amount = MINUTES_OF_1000,
        .omitted_text = "if all 1,000 users stayed connected for the month",
        .unknown = "GB-seconds, storage, archived logs: the document gives no figure for them",
    },
    {
        .name = "CO-7",
        .title = "1,000 concurrent users, 10 messages an hour, for a month",
        .says = "~$10-20/month",
        .least = 10,
        .most = 20,
        .usage = {{[COST_MESSAGES] = 1000.0 * 10 * 24 * 30, [COST_CONNECTION_MINUTES] = MINUTES_OF_1000, [COST_INVOCATIONS] = 1000.0 * 10 * 24 * 30}},
        .unknown = "GB-seconds, reads, writes, storage, logs: the document gives no figure for them",
    },
    {0},
};

const struct cost_example *cost_example_find(struct text name)
{
    for (const struct cost_example *example = cost_examples; example->name; example++)
        if (text_equal_nocase(name, text_of(example->name)))
            return example;
    return NULL;
}

void cost_prices_init(struct cost_prices *prices)
{
    for (int kind = 0; kind < COST_KINDS; kind++)
        prices->of[kind] = cost_rows[kind].dollars;
}

double cost_line(const struct cost_prices *prices, const struct cost_usage *usage, enum cost_kind kind)
{
    return usage->of[kind] * prices->of[kind] / cost_rows[kind].per;
}

double cost_sum(const struct cost_prices *prices, const struct cost_usage *usage, bool minutes)
{
    double sum = 0;
    for (int kind = 0; kind < COST_KINDS; kind++)
        if (minutes || kind != COST_CONNECTION_MINUTES)
            sum += cost_line(prices, usage, kind);
    return sum;
}

void cost_add(struct cost_usage *to, const struct cost_usage *more)
{
    for (int kind = 0; kind < COST_KINDS; kind++)
        to->of[kind] += more->of[kind];
}

/* printf rounds 0.125 to the even digit, the documents round it up. A double next to the half is the half. */
static double half_up(double dollars, int digits)
{
    double scale = pow(10, digits);
    return floor(dollars * scale + 0.5 + 1e-9) / scale;
}

void cost_money(double dollars, char out[COST_MONEY_SIZE])
{
    int digits = 2;
    if (!(dollars >= 0) || dollars > 1e15) { /* prices and amounts are not negative; what is beyond all bills is shown as it is */
        snprintf(out, COST_MONEY_SIZE, "%.6g", dollars);
        return;
    }
    if (dollars > 0 && dollars < 0.01)
        digits = 1 - (int)floor(log10(dollars));
    if (digits > 9)
        digits = 9;
    snprintf(out, COST_MONEY_SIZE, "%.*f", digits, half_up(dollars, digits));
}

struct cost_usage cost_report_usage(const struct cost_report *report)
{
    struct cost_usage all = {{0}};
    for (size_t i = 0; i < report->applications; i++)
        cost_add(&all, &report->application[i].usage);
    return all;
}
