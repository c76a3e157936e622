/* Dashboard bodies from anywhere: judged within their bounds, what is refused says where and why, and what is taken can be gone through. Times likewise. */
#include "watch/widget.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS INT64_C(1800000000000)

static int on_metric(void *context, const struct dashboard_metric *metric)
{
    size_t *count = context;
    if (metric->name.dimensions > WATCH_DIMENSIONS_MAX || ++*count > 100000)
        abort();
    return 0;
}

static void walk(struct arena *arena, const struct dashboard_body *body, const struct json *widget)
{
    const struct json *metrics = json_get_str(json_get_str(widget, "properties"), "metrics");
    struct widget_wish wish = {.body = body, .widget = widget, .now_ms = NOW_MS};
    struct widget_range range;
    struct err err = {0};
    size_t count = 0;
    if (json_is(metrics, JSON_ARRAY) && dashboard_type_find(widget_text(widget, "type")) == DASHBOARD_METRIC && dashboard_metrics_each(arena, metrics, on_metric, &count) == ERR_INVALID)
        abort(); /* its validation has let it pass */
    if (widget_range_resolve(&wish, &range, &err) == 0) {
        int64_t period = widget_period(&range, 60, NOW_MS), length_s = (range.end_ms - range.start_ms) / 1000;
        if (range.start_ms >= range.end_ms || period < 1 || length_s / period > WIDGET_POINTS_MAX)
            abort();
    } else if (!err.text[0]) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = text_make(data, size);
    struct dashboard_body body, again;
    struct arena arena;
    int64_t ms;
    bool relative;
    arena_init(&arena, 4096, 32 << 20);
    int code = dashboard_body_parse(&arena, text, &body);
    if ((code == ERR_INVALID) != (body.errors > 0) || body.messages > DASHBOARD_MESSAGES_MAX)
        abort();
    for (size_t i = 0; i < body.messages; i++)
        if (!body.message[i].text.len || (i < body.errors) != body.message[i].error)
            abort();
    if (!code && dashboard_body_open(&arena, text, &again))
        abort();
    for (size_t i = 0; !code && i < body.widgets; i++)
        walk(&arena, &body, dashboard_body_widget(&body, i));
    if (dashboard_time_parse(text, NOW_MS, &ms, &relative) == 0 && relative && ms > NOW_MS)
        abort();
    arena_fini(&arena);
    return 0;
}
