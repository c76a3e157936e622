/* Metrics Insights queries and dynamic labels from anywhere: within their bounds, and what is refused says why. */
#include "watch/label.h"
#include "watch/select.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t times[] = {600, 660, 780};
    static const double values[] = {1, -2.5, 1e300};
    static const struct watch_dimension dimension = {{"Handler", 7}, {"message", 7}};
    static const struct watch_data_source source = {{{"n", 1}, {"m", 1}, &dimension, 1}, {"Sum", 3}};
    const struct math_series series = {.source = &source, .period_s = 60, .count = size % 4, .time_s = times, .value = values};
    struct text text = text_make(data, size);
    struct watch_label label = {.text = text, .plain = TEXT("plain"), .series = &series, .region = TEXT("r"), .account = TEXT("1"), .now_ms = 900000, .offset_min = (int)(size % 1000) - 500};
    const struct watch_select *select;
    struct arena arena;
    struct err err = {0};
    arena_init(&arena, 4096, 4 << 20);
    int code = watch_select_parse(&arena, text, &select, &err);
    if (!code) {
        if (!watch_select_is(text) && select->metric.len == 0)
            abort();
        watch_select_matches(select, &source.name);
    } else if (code != ERR_MEMORY && !err.text[0]) {
        abort();
    }
    if (watch_label_format(&arena, &label).len > WATCH_LABEL_MAX)
        abort();
    arena_fini(&arena);
    return 0;
}
