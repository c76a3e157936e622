/* Amounts, and reports of a server, from anywhere: what is taken is within its bounds, and a report that was taken is written and taken again with the same sum. */
#include "watch/cost.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_usage(const struct cost_usage *usage)
{
    for (int kind = 0; kind < COST_KINDS; kind++)
        if (!(usage->of[kind] >= 0))
            abort();
}

static void there_and_back(const struct cost_report *report, struct arena *arena)
{
    struct cost_report again;
    struct json_writer w;
    struct buf text;
    const struct json *root;
    char money[COST_MONEY_SIZE];
    struct cost_usage usage = cost_report_usage(report), after;
    buf_init(&text, 4 << 20);
    json_writer_init(&w, &text);
    cost_report_write(report, &w);
    if (!text.failed && json_parse(arena, buf_text(&text), 0, &root, NULL) == 0 && cost_report_read(root, arena, &again) == 0) {
        after = cost_report_usage(&again);
        double before = cost_sum(&report->prices, &usage, true), sum = cost_sum(&again.prices, &after, true);
        cost_money(sum, money);
        if (fabs(before - sum) > 1e-6 * (1 + fabs(before)))
            abort();
    }
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cost_usage usage;
    struct cost_report report;
    struct err err = {0};
    struct arena arena;
    const struct json *root;
    arena_init(&arena, 4096, 16 << 20);
    if (json_parse(&arena, text_make(data, size), 0, &root, NULL) == 0) {
        int code = cost_usage_read(root, &usage, &err);
        if (!code)
            check_usage(&usage);
        else if (!err.text[0])
            abort();
        if (cost_report_read(root, &arena, &report) == 0) {
            for (size_t i = 0; i < report.applications; i++)
                check_usage(&report.application[i].usage);
            there_and_back(&report, &arena);
        }
    }
    arena_fini(&arena);
    return 0;
}
