/*
 * /metrics: Prometheus' text format, version 0.0.4. The program's counters, what each API and table is at, and three durations as histograms whose buckets are powers of two: how long
 * routes took (by API), ticks, and fsyncs. Everything is read from memory that its owner writes, so a scrape costs the io thread well below a millisecond and nobody else anything.
 *
 * Tables and APIs are told by name as far as METRICS_TABLES_MAX of them: a client can make tables, and a monitoring system should not be the first to run out of memory.
 */
#include "gateway/internal.h"
#include "base/counter.h"

#include <unistd.h>

#define METRICS_BYTES_MAX ((size_t)4 << 20)
#define METRICS_TABLES_MAX 500

/* ---- text ---- */

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_add_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: backslash, quote and line feed are escaped. */
static void add_label(struct buf *out, const char *name, struct text value)
{
    buf_add_format(out, "%s=\"", name);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (c == '\n')
            buf_add_text(out, TEXT("\\n"));
        else {
            if (c == '\\' || c == '"')
                buf_add_char(out, '\\');
            buf_add_char(out, c);
        }
    }
    buf_add_char(out, '"');
}

static void sample(struct buf *out, const char *name, const char *label, struct text value, double number)
{
    buf_add_text(out, text_of(name));
    if (label) {
        buf_add_char(out, '{');
        add_label(out, label, value);
        buf_add_char(out, '}');
    }
    buf_add_format(out, " %.17g\n", number);
}

/* ---- histograms ---- */

/* Buckets are cumulative; `us`: the sum of all. */
static void histogram(struct buf *out, const char *name, const char *label, struct text value, const struct gw_times *times)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i <= GW_TIMES; i++) {
        seen += times->count[i];
        buf_add_format(out, "%s_bucket{", name);
        if (label) {
            add_label(out, label, value);
            buf_add_char(out, ',');
        }
        if (i < GW_TIMES)
            buf_add_format(out, "le=\"%.9g\"} %llu\n", (double)(UINT64_C(1) << (i + GW_TIMES_FIRST)) / 1e6, (unsigned long long)seen);
        else
            buf_add_format(out, "le=\"+Inf\"} %llu\n", (unsigned long long)seen);
    }
    for (int i = 0; i < 2; i++) {
        buf_add_format(out, "%s_%s", name, i ? "count" : "sum");
        if (label) {
            buf_add_char(out, '{');
            add_label(out, label, value);
            buf_add_char(out, '}');
        }
        if (i)
            buf_add_format(out, " %llu\n", (unsigned long long)seen);
        else
            buf_add_format(out, " %.9g\n", times->sum_us / 1e6);
    }
}

static void times_of(const struct tick_times *from, struct gw_times *out)
{
    *out = (struct gw_times){0};
    for (unsigned i = 0; i < TICK_TIMES; i++) {
        if (!from->count[i])
            continue;
        out->count[gw_times_bucket((uint64_t)tick_times_us(i))] += from->count[i];
        out->sum_us += (double)from->count[i] * (double)tick_times_us(i);
    }
}

static void add_ticks(struct gateway *gateway, struct buf *out)
{
    struct tick_times ticks, syncs;
    struct tick_stats stats;
    struct gw_times times;
    tick_times_read(gateway->tick, &ticks, &syncs);
    tick_stats_read(gateway->tick, &stats);
    head(out, "weir_tick_duration_seconds", "histogram", "from a tick's first call until its effects are released");
    times_of(&ticks, &times);
    histogram(out, "weir_tick_duration_seconds", NULL, TEXT_NONE, &times);
    head(out, "weir_journal_sync_duration_seconds", "histogram", "syncing the journal");
    times_of(&syncs, &times);
    histogram(out, "weir_journal_sync_duration_seconds", NULL, TEXT_NONE, &times);
    head(out, "weir_tick_sync_seconds", "gauge", "fsync of the journal: quantiles of the newest ones");
    buf_add_format(out, "weir_tick_sync_seconds{quantile=\"0.5\"} %.6f\nweir_tick_sync_seconds{quantile=\"0.99\"} %.6f\n", (double)stats.sync_p50_us / 1e6, (double)stats.sync_p99_us / 1e6);
    head(out, "weir_journal_sequence", "gauge", "newest durable commit");
    buf_add_format(out, "weir_journal_sequence %llu\n", (unsigned long long)stats.durable_sequence);
    head(out, "weir_journal_disk_bytes", "gauge", "the journal on disk");
    sample(out, "weir_journal_disk_bytes", NULL, TEXT_NONE, (double)journal_bytes(gateway->config.journal));
}

/* ---- by API ---- */

enum api_figure { API_CONNECTIONS, API_MESSAGES_IN, API_MESSAGES_OUT, API_BYTES_IN, API_BYTES_OUT, API_FIGURES };
static const struct {
    const char *name, *type, *help;
} api_figures[API_FIGURES] = {
    {"weir_api_connections", "gauge", "open WebSocket connections"},
    {"weir_api_messages_in_total", "counter", "messages from clients"},
    {"weir_api_messages_out_total", "counter", "messages queued to sockets"},
    {"weir_api_bytes_in_total", "counter", "bytes of messages from clients"},
    {"weir_api_bytes_out_total", "counter", "bytes of frames queued to sockets"},
};

static double api_figure(struct gateway *gateway, const struct gw_api *api, enum api_figure which)
{
    uint64_t sum = 0;
    if (which == API_CONNECTIONS)
        return (double)gw_api_open(gateway, api);
    for (unsigned i = 0; i < gateway->io_count; i++) {
        const struct net_ws_totals *totals = &api->totals[i];
        const uint64_t *one = which == API_MESSAGES_IN    ? &totals->messages_in
                              : which == API_MESSAGES_OUT ? &totals->messages_out
                              : which == API_BYTES_IN     ? &totals->bytes_in
                                                          : &totals->bytes_out;
        sum += __atomic_load_n(one, __ATOMIC_RELAXED);
    }
    return (double)sum;
}

static void add_apis(struct gateway *gateway, struct buf *out)
{
    for (int which = 0; which < API_FIGURES; which++) {
        if (which == API_CONNECTIONS && gateway->config.figures_off)
            continue; /* nobody counts them then */
        head(out, api_figures[which].name, api_figures[which].type, api_figures[which].help);
        for (size_t i = 0; i < gateway->api_count; i++)
            sample(out, api_figures[which].name, "api", gateway->apis[i].id, api_figure(gateway, &gateway->apis[i], (enum api_figure)which));
    }
    if (gateway->config.figures_off)
        return;
    head(out, "weir_integration_latency_seconds", "histogram", "from a call's arrival until its answer leaves");
    for (size_t i = 0; i < gateway->api_count; i++) {
        struct gw_times times;
        gw_api_times(gateway, &gateway->apis[i], &times);
        histogram(out, "weir_integration_latency_seconds", "api", gateway->apis[i].id, &times);
    }
}

/* ---- by table ---- */

static void add_tables(struct gateway *gateway, struct buf *out)
{
    struct store *store = gateway->config.store;
    for (int which = 0; which < 2; which++) {
        const char *name = which ? "weir_table_expired_total" : "weir_table_items";
        unsigned told = 0;
        head(out, name, which ? "counter" : "gauge", which ? "items deleted by expiry" : "items in the table");
        for (const struct store_table *table = NULL; (table = store_table_next(store, table)) && told < METRICS_TABLES_MAX;) {
            if (text_starts(store_table_name(table), TEXT("weir.")))
                continue; /* they hold something else's rows */
            sample(out, name, "table", store_table_name(table), (double)(which ? store_table_expired(table) : store_table_count(table)));
            told++;
        }
    }
}

/* ---- the page ---- */

static void add_counters(struct buf *out)
{
    for (int c = 0; c < COUNTER_COUNT; c++) {
        const char *name = counter_name(c), *suffix = counter_is_gauge(c) ? "" : "_total";
        buf_add_format(out, "# HELP weir_%s%s %s\n# TYPE weir_%s%s %s\nweir_%s%s %lld\n", name, suffix, counter_help(c), name, suffix, counter_is_gauge(c) ? "gauge" : "counter", name,
            suffix, (long long)counter_read(c));
    }
}

void gw_metrics(struct gw_io *io, struct net_conn *conn)
{
    struct gateway *gateway = io->gateway;
    struct buf body;
    buf_init(&body, METRICS_BYTES_MAX);
    add_counters(&body);
    add_ticks(gateway, &body);
    add_apis(gateway, &body);
    add_tables(gateway, &body);
    gw_streams_metrics(gateway, &body);
    head(&body, "weir_resident_memory_bytes", "gauge", "resident memory of the process");
    sample(&body, "weir_resident_memory_bytes", NULL, TEXT_NONE, gw_resident_bytes());
    head(&body, "weir_build_info", "gauge", "1; the version is a label");
    sample(&body, "weir_build_info", "version", TEXT(WEIR_VERSION), 1);
    if (body.failed)
        gw_http_error(conn, 503, "MEMORY", "out of memory");
    else
        net_http_respond(conn, 200, TEXT("Content-Type: text/plain; version=0.0.4\r\n"), buf_text(&body), 0);
    buf_fini(&body);
}
