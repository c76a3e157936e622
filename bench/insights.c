/*
 * Insights on events in memory: `insights [EVENTS] [THREADS]`, one million and two by default. Each thread takes half of the events, then the halves are merged, as queries over
 * a folder do; nothing is read from a disk and nothing unpacked. The first three queries are those of riddle_rush's document. Prints events a second for each, the best of five rounds.
 */
#include "base/clock.h"
#include "measure.h"
#include "watch/query.h"

#include <pthread.h>
#include <stdlib.h>

#define TEXT_MAX 256
#define ROUNDS 5

static const struct {
    const char *name, *text;
} queries[] = {
    {"averages (LG-4)", "fields @timestamp, metricName, duration | filter @message like /Performance logged/ | stats avg(duration) as avg_duration by metricName"
                        " | sort avg_duration desc | limit 20"},
    {"games (LG-5)", "fields @timestamp, gameMode, score | filter @message like /Leaderboard updated/ | stats count() as games, max(score) as high_score by gameMode"},
    {"errors (LG-6)", "fields @timestamp, @message | filter @message like /ERROR/ | stats count() as error_count by bin(5m)"},
    {"percentiles", "filter ispresent(duration) | stats pct(duration, 99) by metricName"},
    {"regex", "filter @message like /user\\d*7\"/ | stats count(*)"},
    {"newest", "fields @timestamp, @message | sort @timestamp desc | limit 20"},
};

struct part {
    const struct watch_query *query;
    struct watch_query_run *run;
    const char *texts;
    const uint16_t *len;
    size_t from, to;
};

static void *work(void *context)
{
    struct part *part = context;
    for (size_t i = part->from; i < part->to; i++) {
        struct watch_query_event event = {.place = {.time_ms = 1763683200000 + (int64_t)i, .sequence = i}, .group = 1, .message = text_make(part->texts + i * TEXT_MAX, part->len[i]),
            .stream = TEXT("stream"), .log = TEXT("123456789012:/aws/lambda/riddle-rush-ws-message-dev")};
        if (watch_query_feed(part->run, &event))
            abort();
    }
    return NULL;
}

static size_t make(char *out, size_t i)
{
    static const char *const metric[] = {"page-load", "app-init", "page-transition", "game-complete", "fetch"};
    if (i % 100 == 99)
        return (size_t)snprintf(out, TEXT_MAX, "ERROR ProvisionedThroughputExceededException while updating user%zu", i % 5000);
    if (i % 4 == 3)
        return (size_t)snprintf(out, TEXT_MAX, "Leaderboard updated: classic {\"userId\":\"user%zu\",\"gameMode\":\"%s\",\"score\":%zu,\"playerName\":\"Player %zu\"}", i % 5000,
            i % 8 == 3 ? "classic" : "blitz", i * 31 % 10000, i % 5000);
    return (size_t)snprintf(out, TEXT_MAX, "Performance logged: %s {\"userId\":\"user%zu\",\"metricName\":\"%s\",\"duration\":%zu.%zu,\"timestamp\":%zu,\"metadata\":{}}", metric[i % 5],
        i % 5000, metric[i % 5], i * 17 % 4000, i % 10, 1763683200000 + i);
}

static int count_row(void *context, const struct watch_query_cell *cell, size_t cells)
{
    (void)cell;
    (void)cells;
    ++*(size_t *)context;
    return 0;
}

static double round_of(const struct watch_query *query, struct part *part, size_t threads, size_t *rows)
{
    pthread_t thread[64];
    int64_t begin = clock_mono_ns();
    for (size_t i = 0; i < threads; i++) {
        part[i].query = query;
        if (watch_query_run_create(query, 0, &part[i].run) || pthread_create(&thread[i], NULL, work, &part[i]))
            abort();
    }
    for (size_t i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    for (size_t i = 1; i < threads; i++) {
        if (watch_query_merge(part[0].run, part[i].run))
            abort();
        watch_query_run_destroy(part[i].run);
    }
    *rows = 0;
    if (watch_query_finish(part[0].run) || watch_query_rows(part[0].run, count_row, rows))
        abort();
    watch_query_run_destroy(part[0].run);
    return (double)(clock_mono_ns() - begin) / 1e9;
}

int main(int argc, char **argv)
{
    size_t events = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000, threads = argc > 2 ? strtoul(argv[2], NULL, 10) : 2;
    struct part part[64];
    if (!events || events > 100000000 || !threads || threads > 64) {
        fprintf(stderr, "usage: insights [EVENTS] [THREADS]\n");
        return 2;
    }
    char *texts = malloc(events * TEXT_MAX);
    uint16_t *len = malloc(events * sizeof(*len));
    if (!texts || !len)
        abort();
    for (size_t i = 0; i < events; i++)
        len[i] = (uint16_t)make(texts + i * TEXT_MAX, i);
    for (size_t i = 0; i < threads; i++)
        part[i] = (struct part){.texts = texts, .len = len, .from = events * i / threads, .to = events * (i + 1) / threads};
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        struct watch_query *query;
        struct watch_query_error error;
        double best = 1e9;
        size_t rows = 0;
        if (watch_query_compile(text_of(queries[i].text), 0, &query, &error)) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
        for (int round = 0; round < ROUNDS; round++) {
            double took = round_of(query, part, threads, &rows);
            best = took < best ? took : best;
        }
        printf("%-18s %8.3f s  %10.0f events/s  %zu rows\n", queries[i].name, best, (double)events / best, rows);
        watch_query_destroy(query);
    }
    free(texts);
    free(len);
    return 0;
}
