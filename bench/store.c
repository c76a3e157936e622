/*
 * The store-only loop: what logPerformance costs without sockets, calls and fsyncs. The same items into the same table (two
 * indexes, expiry), staged, sealed and applied in batches of 128, and one look-up of a key that is not there for each: the limit that the whole
 * way from socket to socket is compared with.
 *
 *   store [--seconds T] [--encrypted]      prints one JSON object
 */
#include "base/assert.h"
#include "base/clock.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BATCH 128

static const struct store_table *define(struct store *store, struct store_stage *stage)
{
    static const struct store_table_decl decl = {
        .name = {"performance", 11},
        .hash = {"metricId", 8},
        .hash_type = ATTR_STRING,
        .range = {"timestamp", 9},
        .range_type = ATTR_NUMBER,
        .ttl = {"ttl", 3},
        .indexes = 2,
        .index = {{.name = {"UserMetricsIndex", 16}, .key = {.part = {{{"userId", 6}, ATTR_STRING}, {{"timestamp", 9}, ATTR_NUMBER}}, .hashes = 1, .ranges = 1}},
            {.name = {"MetricNameIndex", 15}, .key = {.part = {{{"metricName", 10}, ATTR_STRING}, {{"timestamp", 9}, ATTR_NUMBER}}, .hashes = 1, .ranges = 1}}},
    };
    const struct store_table *table = NULL;
    struct err err = {0};
    (void)store;
    if (store_table_define(stage, &decl, &table, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return table;
}

static void put_one(struct store_view *view, const struct store_table *table, struct arena *arena, uint64_t n)
{
    const struct attr *missing;
    struct attr *item = item_create(arena), *absent = item_create(arena);
    int64_t now_ms = clock_wall_ms();
    item_set_string(arena, item, TEXT("metricId"), arena_format(arena, "01JD%022llu", (unsigned long long)n));
    item_set_i64(arena, item, TEXT("timestamp"), now_ms);
    item_set_string(arena, item, TEXT("userId"), arena_format(arena, "user%llu", (unsigned long long)(n % 1000)));
    item_set_string(arena, item, TEXT("metricName"), TEXT("page-load"));
    item_set_i64(arena, item, TEXT("duration"), 1234);
    item_set_container(arena, item, TEXT("metadata"), ATTR_MAP);
    item_set_i64(arena, item, TEXT("ttl"), (now_ms + 30 * DAY_MS) / 1000);
    item_set_string(arena, absent, TEXT("metricId"), arena_format(arena, "none%llu", (unsigned long long)n));
    item_set_i64(arena, absent, TEXT("timestamp"), 1);
    ASSERT(store_get(view, table, absent, arena, &missing) == ERR_NOT_FOUND);
    ASSERT(store_put(view, table, item, STORE_FRESH, arena, NULL, NULL) == 0);
}

int main(int argc, char **argv)
{
    static const unsigned char key[32] = "a key for measuring";
    bool encrypted = argc > 1 && strcmp(argv[argc - 1], "--encrypted") == 0;
    double seconds = argc >= 3 && strcmp(argv[1], "--seconds") == 0 ? atof(argv[2]) : 3;
    char folder[] = "/tmp/weir-bench-store-XXXXXX", command[128];
    struct store *store;
    struct store_stage *stage;
    struct err err = {0};
    ASSERT(mkdtemp(folder));
    struct store_config config = {.folder = folder, .key = encrypted ? key : NULL};
    if (store_open(&store, &config, &err) || store_stage_create(store, &stage)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    struct buf record;
    struct arena arena;
    buf_init(&record, 64 << 20);
    arena_init(&arena, 1 << 20, 64 << 20);
    const struct store_table *table = define(store, stage);
    struct store_view view = {.store = store, .stage = stage, .now_s = clock_wall_ms() / 1000};
    uint64_t n = 0, sequence = 0;
    int64_t start = clock_mono_ns(), end = start + (int64_t)(seconds * 1e9);
    while (clock_mono_ns() < end) {
        for (int i = 0; i < BATCH; i++)
            put_one(&view, table, &arena, n++);
        buf_clear(&record);
        ASSERT(store_stage_seal(stage, clock_wall_ms(), &record) == 0);
        ASSERT(store_stage_apply(stage, ++sequence, &err) == 0);
        store_stage_reset(stage);
        arena_reset(&arena);
    }
    double taken = (double)(clock_mono_ns() - start) / 1e9;
    printf("{\"mode\":\"%s\",\"operations\":%llu,\"per_second\":%.0f,\"record_bytes_each\":%.0f}\n", encrypted ? "store, encrypted" : "store",
        (unsigned long long)n, (double)n / taken, (double)record.len / BATCH);
    arena_fini(&arena);
    buf_fini(&record);
    store_stage_destroy(stage);
    store_close(store);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command) ? 1 : 0;
}
