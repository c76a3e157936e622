/*
 * What is looked at, not counted: how many connections are open, how deep queues are, how long ticks took, memory and disk. The services' thread looks once a second.
 *
 * An idle server should not write because it watches itself. So a figure is put each second only when it is worth it: connections and queues when they have changed, durations of ticks
 * when there were ticks beside those that carry these very figures. Everything else, and everything that did not change, is put once a minute: the one record a minute that an
 * idle server writes.
 */
#include "gateway/internal.h"
#include "base/counter.h"

#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SIZE_SAMPLE 32       /* items of a table that are looked at for its size */
#define TABLES_MAX 2000      /* that are told by name */

enum { QUEUE_TICK, QUEUE_OUTPUT, QUEUE_FETCH, QUEUE_JOBS, QUEUES };
static const struct {
    const char *name;
    enum counter counter;
} queues[QUEUES] = {{"Tick", COUNTER_tick_calls_waiting}, {"Output", COUNTER_net_queue_bytes}, {"Fetch", COUNTER_fetch_in_flight}, {"Jobs", COUNTER_jobs_waiting}};

struct table_seen {
    uint32_t id;
    int64_t expired;
    double item_bytes; /* of an item, by the newest sample */
};
struct gw_sampler {
    int64_t minute;              /* wall, of the last full look; 0: none yet */
    int64_t queue[QUEUES];       /* put last */
    int64_t *open;               /* by API: put last */
    double *open_minutes;        /* by API: not put yet */
    int64_t last_ms;             /* monotonic: the last look */
    uint64_t ticks_seen;
    struct tick_times tick, sync; /* taken up to here */
    struct table_seen *table;
    size_t tables;
};

int gw_sampler_create(struct gateway *gateway)
{
    struct gw_sampler *sampler = gateway->sampler = calloc(1, sizeof(*sampler));
    if (!sampler)
        return ERR_MEMORY;
    sampler->open = calloc(gateway->api_count + 1, sizeof(*sampler->open));
    sampler->open_minutes = calloc(gateway->api_count + 1, sizeof(*sampler->open_minutes));
    return sampler->open && sampler->open_minutes ? 0 : ERR_MEMORY;
}

void gw_sampler_destroy(struct gateway *gateway)
{
    struct gw_sampler *sampler = gateway->sampler;
    if (!sampler)
        return;
    free(sampler->open);
    free(sampler->open_minutes);
    free(sampler->table);
    free(sampler);
    gateway->sampler = NULL;
}

static void put(struct gw_io *io, enum gw_figure figure, struct text a, double value)
{
    gw_figure_add(gw_io_meters(io), figure, a, TEXT_NONE, value, 1);
}

/* ---- connections and queues ---- */

static void look_connections(struct gw_io *io, struct gw_sampler *sampler, bool full, double minutes)
{
    struct gateway *gateway = io->gateway;
    for (size_t i = 0; i < gateway->api_count; i++) {
        struct gw_api *api = &gateway->apis[i];
        if (api->is_console)
            continue;
        int64_t open = gw_api_open(gateway, api);
        sampler->open_minutes[i] += (double)open * minutes;
        if (full || open != sampler->open[i])
            put(io, GW_FIGURE_ACTIVE, api->id, (double)open);
        if (full && sampler->open_minutes[i] > 0) {
            put(io, GW_FIGURE_CONNECTION_MINUTES, api->id, sampler->open_minutes[i]);
            sampler->open_minutes[i] = 0;
        }
        sampler->open[i] = open;
    }
}

/* Of the tick's queue only what is there beside the figures' own calls is worth a word. */
static void look_queues(struct gw_io *io, struct gw_sampler *sampler, bool full, bool busy)
{
    for (int i = 0; i < QUEUES; i++) {
        int64_t depth = counter_read(queues[i].counter);
        if (full || (depth != sampler->queue[i] && (busy || i != QUEUE_TICK)))
            put(io, GW_FIGURE_QUEUE_DEPTH, text_of(queues[i].name), (double)depth);
        sampler->queue[i] = depth;
    }
}

/* ---- ticks ---- */

static void put_times(struct gw_io *io, enum gw_figure figure, const struct tick_times *now, struct tick_times *before)
{
    struct gw_meter *meter = gw_meter_of(gw_io_meters(io), figure, TEXT_NONE, TEXT_NONE, TEXT_NONE);
    for (unsigned i = 0; i < TICK_TIMES; i++)
        if (now->count[i] != before->count[i])
            gw_meter_add(meter, (double)tick_times_us(i) / 1e3, (double)(now->count[i] - before->count[i]));
    *before = *now;
}

static void look_ticks(struct gw_io *io, struct gw_sampler *sampler)
{
    struct tick_times tick, sync;
    tick_times_read(io->gateway->tick, &tick, &sync);
    put_times(io, GW_FIGURE_TICK_DURATION, &tick, &sampler->tick);
    put_times(io, GW_FIGURE_FSYNC_DURATION, &sync, &sampler->sync);
}

/* Were there calls beside those that carry figures? */
static bool is_busy(struct gw_sampler *sampler)
{
    uint64_t calls = (uint64_t)(counter_read(COUNTER_tick_calls) - counter_read(COUNTER_gw_figure_calls));
    bool busy = calls != sampler->ticks_seen;
    sampler->ticks_seen = calls;
    return busy;
}

/* ---- memory and disk ---- */

double gw_resident_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return 0;
    if (fscanf(file, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void look_resources(struct gw_io *io)
{
    struct gateway *gateway = io->gateway;
    struct statvfs disk;
    put(io, GW_FIGURE_MEMORY, TEXT_NONE, gw_resident_bytes());
    if (gateway->config.data_folder && statvfs(gateway->config.data_folder, &disk) == 0)
        put(io, GW_FIGURE_DISK_FREE, TEXT_NONE, (double)disk.f_bavail * (double)disk.f_frsize);
    put(io, GW_FIGURE_JOURNAL_BYTES, TEXT_NONE, (double)journal_bytes(gateway->config.journal));
}

/* ---- tables ---- */

static struct table_seen *seen_of(struct gw_sampler *sampler, uint32_t id)
{
    for (size_t i = 0; i < sampler->tables; i++)
        if (sampler->table[i].id == id)
            return &sampler->table[i];
    struct table_seen *grown = sampler->tables < TABLES_MAX ? realloc(sampler->table, (sampler->tables + 1) * sizeof(*grown)) : NULL;
    if (!grown)
        return NULL;
    sampler->table = grown;
    grown[sampler->tables] = (struct table_seen){.id = id};
    return &grown[sampler->tables++];
}

/* Mean bytes of its first items, as far as the cache holds them; else what was seen before. */
static double item_bytes(struct store_view *view, const struct store_table *table, double before)
{
    struct arena arena;
    struct store_query query = {.table = table};
    struct store_cursor *cursor = NULL;
    const struct attr *item;
    size_t items = 0, bytes = 0;
    arena_init(&arena, 4096, (size_t)SIZE_SAMPLE * ITEM_LARGE_MAX);
    if (!store_query_open(view, &query, &arena, &cursor, NULL)) {
        while (items < SIZE_SAMPLE && !store_cursor_next(cursor, &arena, &item)) {
            bytes += item_size(item);
            items++;
        }
        store_cursor_close(cursor);
    }
    arena_fini(&arena);
    return items ? (double)bytes / (double)items : before;
}

/* Tables that hold something else's rows begin with weir's own prefix; nobody asked for figures of them. */
static bool is_told(struct text name)
{
    return !text_starts(name, TEXT("weir."));
}

static void look_table(struct gw_io *io, struct gw_sampler *sampler, struct store_view *view, const struct store_table *table, bool full)
{
    struct table_seen *seen = seen_of(sampler, store_table_id(table));
    struct text name = store_table_name(table);
    if (!seen)
        return;
    int64_t expired = store_table_expired(table);
    gw_figure_add(gw_io_meters(io), GW_FIGURE_TTL_DELETED, name, TEXT_NONE, 1, (double)(expired - seen->expired));
    seen->expired = expired;
    if (!full)
        return;
    int64_t count = store_table_count(table);
    seen->item_bytes = count ? item_bytes(view, table, seen->item_bytes) : 0;
    put(io, GW_FIGURE_ITEM_COUNT, name, (double)count);
    put(io, GW_FIGURE_TABLE_BYTES, name, (double)count * seen->item_bytes);
}

static void look_tables(struct gw_io *io, struct gw_sampler *sampler, bool full)
{
    struct store *store = io->gateway->config.store;
    struct store_view view;
    gw_view_begin(io, &view);
    for (const struct store_table *table = NULL; (table = store_table_next(store, table));)
        if (is_told(store_table_name(table)))
            look_table(io, sampler, &view, table, full);
    gw_view_end(io);
}

/* ---- once a second ---- */

void gw_sampler_second(struct gw_io *io)
{
    struct gw_sampler *sampler = io->gateway->sampler;
    int64_t minute = clock_wall_ms() / MINUTE_MS, now_ms = clock_mono_ms();
    if (!sampler)
        return;
    bool full = minute != sampler->minute, busy = is_busy(sampler) || full;
    double minutes = sampler->last_ms ? (double)(now_ms - sampler->last_ms) / (double)MINUTE_MS : 0;
    sampler->minute = minute;
    sampler->last_ms = now_ms;
    look_connections(io, sampler, full, minutes);
    look_queues(io, sampler, full, busy);
    if (busy)
        look_ticks(io, sampler);
    if (full)
        look_resources(io);
    look_tables(io, sampler, full);
}
