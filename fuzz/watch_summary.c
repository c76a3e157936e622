/* Stored summaries from anywhere: what decodes is in order and within its bounds, encodes to the same bytes again, and every statistic of it is a number within its values. */
#include "watch/statistic.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"SampleCount", "Minimum", "p0", "p50", "p99.9", "p100", "tm90", "wm10", "tc50", "ts99", "TM(10%:90%)", "WM(1:5)", "PR(:3)", "TC(2:)", "IQM"};

static void evaluate(const struct watch_summary *summary)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct statistic statistic;
        double value;
        if (statistic_parse(text_of(names[i]), &statistic))
            abort();
        if (statistic_evaluate(&statistic, summary, &value) && statistic.kind == STATISTIC_PERCENTILE && !(value >= summary->min || summary->min > summary->max))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct watch_summary summary, twice;
    struct buf out;
    struct statistic statistic;
    arena_init(&arena, 4096, 4 << 20);
    watch_summary_init(&summary, &arena);
    watch_summary_init(&twice, &arena);
    buf_init(&out, WATCH_SUMMARY_BYTES_MAX);
    statistic_parse(text_make(data, size), &statistic);
    if (watch_summary_decode(text_make(data, size), &summary) == 0) {
        for (size_t i = 1; i < summary.values.count; i++)
            if (!(summary.values.entry[i - 1].value < summary.values.entry[i].value))
                abort();
        watch_summary_encode(&out, &summary);
        if (out.failed || watch_summary_decode(buf_text(&out), &twice) || twice.values.count != summary.values.count || twice.count != summary.count)
            abort();
        evaluate(&summary);
        if (watch_summary_merge(&twice, &summary) || twice.values.count > SKETCH_BUCKETS_MAX)
            abort();
    }
    buf_fini(&out);
    arena_fini(&arena);
    return 0;
}
