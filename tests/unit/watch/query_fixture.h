/* Queries over a few events: rows as text, "field=value|field=value" and a line's end for each. */
#ifndef WEIR_TEST_QUERY_FIXTURE_H
#define WEIR_TEST_QUERY_FIXTURE_H

#include "watch/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the four above */
#include <cmocka.h>

#define T0 INT64_C(1763683200000) /* 2025-11-21 00:00:00 */
#define NOW (T0 + 3600000)

struct sample {
    int64_t at_ms; /* behind T0 */
    const char *message;
};

struct rows {
    struct buf out;
    bool with_ptr;
};

static inline int rows_add(void *context, const struct watch_query_cell *cell, size_t count)
{
    struct rows *rows = context;
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        if (text_is(cell[i].field, "@ptr") && !rows->with_ptr)
            continue;
        buf_add_format(&rows->out, "%s%.*s=%.*s", first ? "" : "|", TEXT_FMT(cell[i].field), TEXT_FMT(cell[i].value));
        first = false;
    }
    buf_add_char(&rows->out, '\n');
    return 0;
}

static inline struct watch_query_event event_of(const struct sample *sample, size_t i)
{
    return (struct watch_query_event){
        .place = {.time_ms = T0 + sample->at_ms, .sequence = i + 1, .call = 0, .index = (uint32_t)i},
        .ingested_ms = T0 + sample->at_ms + 5,
        .group = 7,
        .message = text_of(sample->message),
        .stream = i % 2 ? TEXT("stream-b") : TEXT("stream-a"),
        .log = TEXT("123456789012:/aws/lambda/riddle-rush-ws-message-dev"),
    };
}

static inline struct watch_query *compiled(const char *text)
{
    struct watch_query *query = NULL;
    struct watch_query_error error;
    if (watch_query_compile(text_of(text), 0, &query, &error))
        fail_msg("%s: %s", text, error.text);
    return query;
}

/* Fed in `runs` runs, each event to one of them, then merged. The caller frees. */
static inline char *ran_apart(const char *text, const struct sample *sample, size_t count, size_t runs, bool backwards)
{
    struct watch_query *query = compiled(text);
    struct watch_query_run *run[8];
    for (size_t i = 0; i < runs; i++)
        assert_int_equal(watch_query_run_create(query, NOW, &run[i]), 0);
    for (size_t i = 0; i < count; i++) {
        size_t n = backwards ? count - 1 - i : i;
        struct watch_query_event event = event_of(&sample[n], n);
        /* A copy of exactly its size: a read beyond it is seen by the sanitizer. */
        char *copy = malloc(event.message.len ? event.message.len : 1);
        memcpy(copy, event.message.data, event.message.len);
        event.message.data = copy;
        assert_int_equal(watch_query_feed(run[n % runs], &event), 0);
        free(copy);
    }
    for (size_t i = 1; i < runs; i++) {
        assert_int_equal(watch_query_merge(run[0], run[i]), 0);
        watch_query_run_destroy(run[i]);
    }
    assert_int_equal(watch_query_finish(run[0]), 0);
    assert_int_equal(watch_query_totals(run[0]).scanned, count);
    struct rows rows = {.with_ptr = false};
    buf_init(&rows.out, 16 << 20);
    assert_int_equal(watch_query_rows(run[0], rows_add, &rows), 0);
    watch_query_run_destroy(run[0]);
    watch_query_destroy(query);
    buf_add_char(&rows.out, 0);
    assert_false(rows.out.failed);
    return rows.out.data;
}

static inline void expect_rows(const char *text, const struct sample *sample, size_t count, const char *expected)
{
    for (size_t runs = 1; runs <= 3; runs++)
        for (int backwards = 0; backwards < 2; backwards++) {
            char *got = ran_apart(text, sample, count, runs, backwards);
            if (strcmp(got, expected) != 0)
                fail_msg("%s\n(%zu runs%s)\n--- expected\n%s--- got\n%s", text, runs, backwards ? ", backwards" : "", expected, got);
            free(got);
        }
}

#endif
