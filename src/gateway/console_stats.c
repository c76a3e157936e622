/* Connections and traffic by API, and the state of the machine: read from what each io thread counts for itself (net_ws_totals), so that looking costs nobody who works anything. */
#include "gateway/console.h"

#include <sys/statvfs.h>
#include <unistd.h>

static struct console_traffic traffic_of(const struct gateway *gateway, const struct gw_api *api)
{
    struct console_traffic sum = {0};
    for (unsigned i = 0; api->totals && i < gateway->io_count; i++) {
        sum.in += __atomic_load_n(&api->totals[i].messages_in, __ATOMIC_RELAXED);
        sum.out += __atomic_load_n(&api->totals[i].messages_out, __ATOMIC_RELAXED);
    }
    return sum;
}

static void write_number(struct json_writer *w, const char *name, int64_t value)
{
    json_name(w, name);
    json_i64(w, value);
}

static void write_text(struct json_writer *w, const char *name, struct text value)
{
    json_name(w, name);
    json_text(w, value);
}

/* Bytes of the resident set; 0 when it cannot be told. */
static int64_t memory_bytes(void)
{
    long long whole = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return 0;
    int read = fscanf(file, "%lld %lld", &whole, &resident);
    fclose(file);
    return read == 2 ? resident * sysconf(_SC_PAGESIZE) : 0;
}

static int64_t disk_bytes(const struct gateway *gateway)
{
    struct statvfs disk;
    const char *folder = gateway->config.data_folder;
    return folder && statvfs(folder, &disk) == 0 ? (int64_t)disk.f_bavail * (int64_t)disk.f_frsize : -1;
}

static void write_api(struct gateway *gateway, const struct gw_api *api, struct console_traffic *seen, struct console_traffic *all, int64_t *open, struct json_writer *w)
{
    struct console_traffic now = traffic_of(gateway, api);
    int64_t connections = gw_api_open(gateway, api);
    json_begin_object(w);
    write_text(w, "name", api->config->name);
    write_number(w, "connections", connections);
    write_number(w, "messagesIn", (int64_t)(now.in - seen->in));
    write_number(w, "messagesOut", (int64_t)(now.out - seen->out));
    json_end_object(w);
    all->in += now.in - seen->in;
    all->out += now.out - seen->out;
    *open += connections;
    *seen = now;
}

void console_stats_write(struct gateway *gateway, struct console_traffic *seen, struct json_writer *w)
{
    const struct gateway_config *config = &gateway->config;
    struct console_traffic all = {0};
    int64_t open = 0, now_ms = clock_wall_ms(), disk = disk_bytes(gateway);
    json_name(w, "apis");
    json_begin_array(w);
    for (size_t i = 0; i < gateway->api_count; i++)
        if (!gateway->apis[i].is_console)
            write_api(gateway, &gateway->apis[i], &seen[i], &all, &open, w);
    json_end_array(w);
    json_name(w, "server");
    json_begin_object(w);
    write_text(w, "version", text_of(WEIR_VERSION));
    write_text(w, "env", config->environment);
    write_text(w, "region", config->region);
    write_text(w, "account", config->account);
    write_number(w, "now", now_ms);
    write_number(w, "uptimeMs", now_ms - gateway->console->begun_ms);
    if (disk >= 0)
        write_number(w, "diskFree", disk);
    write_number(w, "memory", memory_bytes());
    write_number(w, "connections", open);
    write_number(w, "consoles", (int64_t)__atomic_load_n(&gateway->console->open, __ATOMIC_RELAXED));
    write_number(w, "messagesIn", (int64_t)all.in);
    write_number(w, "messagesOut", (int64_t)all.out);
    json_name(w, "sequence");
    json_u64(w, tick_durable(gateway->tick));
    json_end_object(w);
}
