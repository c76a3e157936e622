/*
 * A query from anywhere over messages from anywhere: the query up to the first zero byte, then messages, a zero byte between them. What compiles runs over the messages twice,
 * in one run and in two that are merged, the second time in the other order; both must show the same rows.
 */
#include "watch/query.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGES_MAX 12

static int show(void *context, const struct watch_query_cell *cell, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_add_bytes(context, cell[i].field);
        buf_add_bytes(context, cell[i].value);
    }
    buf_add_char(context, '\n');
    return 0;
}

static void feed(struct watch_query_run *run, const struct text *message, size_t i)
{
    struct watch_query_event event = {.place = {.time_ms = 1763683200000 + (int64_t)i * 70000, .sequence = i}, .ingested_ms = 1, .group = 1, .message = message[i],
        .stream = TEXT("s"), .log = TEXT("1:g")};
    if (watch_query_feed(run, &event))
        abort();
}

static const char *result(const struct watch_query *query, const struct text *message, size_t count, size_t runs, struct buf *out)
{
    struct watch_query_run *run[2];
    for (size_t i = 0; i < runs; i++)
        if (watch_query_run_create(query, 1763686800000, &run[i]))
            abort();
    for (size_t i = 0; i < count; i++)
        feed(run[i % runs], message, runs == 1 ? i : count - 1 - i);
    for (size_t i = 1; i < runs; i++) {
        if (watch_query_merge(run[0], run[i]))
            abort();
        watch_query_run_destroy(run[i]);
    }
    if (watch_query_finish(run[0]) || watch_query_rows(run[0], show, out))
        abort();
    const char *partial = watch_query_totals(run[0]).partial;
    watch_query_run_destroy(run[0]);
    return partial;
}

/* Sums and deviations depend on the order in their last digits; everything else must not. */
static bool is_ordered(struct text query)
{
    static const char *const words[] = {"sum", "avg", "stddev"};
    for (size_t at = 0; at < query.len; at++)
        for (size_t i = 0; i < 3; i++)
            if (query.len - at >= strlen(words[i]) && text_equal_nocase(text_make(query.data + at, strlen(words[i])), text_of(words[i])))
                return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text message[MESSAGES_MAX], input = text_make(data, size);
    struct watch_query *query = NULL;
    struct watch_query_error error;
    struct buf one, two;
    size_t count = 0;
    ptrdiff_t zero = text_find(input, 0, 0);
    struct text text = text_make(input.data, zero < 0 ? input.len : (size_t)zero);
    int code = watch_query_compile(text, 0, &query, &error);
    if (code) {
        if (code != ERR_SYNTAX || !error.text[0] || error.start > error.end)
            abort();
        return 0;
    }
    while (zero >= 0 && count < MESSAGES_MAX) {
        size_t from = (size_t)zero + 1;
        zero = text_find(input, 0, from);
        message[count++] = text_make(input.data + from, (zero < 0 ? input.len : (size_t)zero) - from);
    }
    buf_init(&one, 64 << 20);
    buf_init(&two, 64 << 20);
    const char *partial = result(query, message, count, 1, &one);
    if (!partial)
        partial = result(query, message, count, 2, &two);
    if (!partial && is_ordered(text) && !one.failed && !two.failed && !text_equal(buf_text(&one), buf_text(&two)))
        abort();
    buf_fini(&one);
    buf_fini(&two);
    watch_query_destroy(query);
    return 0;
}
