/*
 * `weir serve`: the command line over the configuration, one line on standard output, then signals until the end.
 *
 * Signals are blocked in every thread and taken here by sigtimedwait, so no handler runs anywhere. The first SIGTERM or SIGINT drains: no new sockets, the old
 * ones are told to come back later (spread, so that they do not all come at once), what was admitted is finished and made durable. The second one ends the
 * process on the spot, which is safe at any moment: the journal is made for it.
 */
#include "main/banner.h"
#include "main/command.h"
#include "main/notify.h"
#include "main/server.h"

#include "base/clock.h"
#include "gateway/alarms.h"
#include "base/log.h"
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct option_row options[] = {
    {"config", "FILE", "the configuration, YAML; without it everything compiled in is mounted"},
    {"data", "DIR", "the data folder, made when missing (default ./data)"},
    {"listen", "ADDR:PORT", "where to listen (default 127.0.0.1:8080; port 0 picks one)"},
    {"env", "NAME", "the environment: {env} in the names of tables (default dev)"},
    {"io-threads", "N", "threads for sockets, at most 60 (default: cores less one)"},
    {"log-level", "LEVEL", "debug, info, warn or error (default info)"},
    {"drain", "TIME", "how long a stop may wait for connections to end (default 10s)"},
    {"allow-open", NULL, "listen on any address with the development keys; anybody who reaches it is in"},
    {"driven-clock", NULL, "POST /@clock?advance_ms=N moves the time; for tests"},
    {"clock-start", "TIME", "with --driven-clock: it begins at this time, 2026-01-31T12:00:00Z, and goes on from there"},
    {"banner", NULL, "addresses and development tokens for people, on standard error"},
    {NULL, NULL, NULL},
};

static bool set_log_level(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0) {
            log_level_set((enum log_level)i);
            return true;
        }
    fprintf(stderr, "weir serve: --log-level is debug, info, warn or error, not '%s'\n", name);
    return false;
}

static bool set_environment(struct config *config, const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    if (len && len <= 64 && !name[len]) {
        config->environment = text_of(name);
        return true;
    }
    fprintf(stderr, "weir serve: --env is 1 to 64 letters, digits, '-', '_' and '.', not '%s'\n", name);
    return false;
}

/* The command line stands above the file. 0 or an exit code. */
static int apply(const struct arguments *arguments, struct config *config)
{
    struct err err;
    int64_t threads = config->io_threads;
    const char *value;
    if (!argument_number(arguments, "io-threads", 1, CONFIG_IO_THREADS_MAX, &threads))
        return EXIT_USAGE;
    config->io_threads = (int)threads;
    if ((value = argument(arguments, "data")))
        config->data = value;
    if ((value = argument(arguments, "log-level")) && !set_log_level(value))
        return EXIT_USAGE;
    if ((value = argument(arguments, "env")) && !set_environment(config, value))
        return EXIT_USAGE;
    if ((value = argument(arguments, "drain")) && (!duration_parse(value, &config->drain_ms) || config->drain_ms > 600000)) {
        fprintf(stderr, "weir serve: --drain is a time up to 10m such as 10s, not '%s'\n", value);
        return EXIT_USAGE;
    }
    if ((value = argument(arguments, "listen")) && config_listen(config, value, &err)) {
        fprintf(stderr, "weir serve: --listen: %s\n", err.text);
        return EXIT_USAGE;
    }
    config->allow_open = argument(arguments, "allow-open") != NULL;
    config->driven_clock = argument(arguments, "driven-clock") != NULL;
    return 0;
}

static int failed(int exit_code, const struct err *err)
{
    fprintf(stderr, "weir serve: %s\n", err->text);
    return exit_code;
}

/* The file, the command line, and what follows. 0 or an exit code. */
static int configure(const struct arguments *arguments, struct config *config)
{
    struct err err = {0};
    const char *path = argument(arguments, "config");
    int code = path ? config_load(config, path, 0, &err) : 0;
    if (path)
        config_problems_print(config, path, stderr);
    if (code)
        return failed(EXIT_CONFIG, &err);
    code = apply(arguments, config);
    if (code)
        return code;
    if (config_finish(config, &err) || config_safe(config, &err))
        return failed(EXIT_CONFIG, &err);
    if (config_key(config, true, &err))
        return failed(key_exit(err.code), &err);
    if (config_secret(config, &err))
        return failed(err.code == ERR_IO ? EXIT_FAILED : EXIT_CONFIG, &err);
    if (config->allow_open && config->development_keys)
        log_warn("main", "--allow-open: anybody who reaches this address holds the development keys");
    return 0;
}

static void add_dashboards(struct buf *line, const struct config *config, const char *host)
{
    const struct gateway_config *gateway = &config->gateway;
    for (size_t i = 0; i < gateway->dashboard_count; i++)
        buf_add_format(line, "%s\"%.*s\":\"http%s://%s/#dashboards/%.*s\"", i ? "," : ",\"dashboards\":{", TEXT_FMT(gateway->dashboards[i].name), config->tls_only ? "s" : "", host,
            TEXT_FMT(gateway->dashboards[i].name));
    if (gateway->dashboard_count)
        buf_add_char(line, '}');
}

static void add_table(struct buf *line, const struct config *config, const struct gw_api_config *api, const struct weir_table *table, bool *any)
{
    struct arena arena;
    arena_init(&arena, 1024, 64 << 10);
    struct text name = gw_alarm_text(&arena, config->environment, api, table->name);
    buf_add_format(line, "%s\"%.*s\"", *any ? "," : "", TEXT_FMT(name));
    *any = true;
    arena_fini(&arena);
}

/* What was mounted: paths, stages, tables. Names of all three are letters, digits and a few signs. */
static void add_apis(struct buf *line, const struct config *config)
{
    const struct gateway_config *gateway = &config->gateway;
    for (size_t i = 0; i < gateway->api_count; i++) {
        const struct gw_api_config *api = &gateway->apis[i];
        bool any = false;
        buf_add_format(line, "%s\"%.*s\":{\"path\":\"/%.*s\",\"stages\":[", i ? "," : ",\"apis\":{", TEXT_FMT(api->name), TEXT_FMT(api->name));
        for (size_t s = 0; s < api->stage_count; s++)
            buf_add_format(line, "%s\"%.*s\"", s ? "," : "", TEXT_FMT(api->stages[s]));
        buf_add_text(line, TEXT("],\"tables\":["));
        if (api->registry.table)
            add_table(line, config, api, api->registry.table, &any);
        for (size_t t = 0; t < api->table_count; t++)
            if (api->tables[t] != api->registry.table)
                add_table(line, config, api, api->tables[t], &any);
        buf_add_text(line, TEXT("]}"));
    }
    if (gateway->api_count)
        buf_add_char(line, '}');
}

/* One write, so that whoever reads the pipe gets the whole line. */
static void announce(const struct config *config, uint16_t port)
{
    char host[64];
    struct buf line;
    bool v6 = strchr(config->address, ':') != NULL;
    snprintf(host, sizeof(host), "%s%s%s:%u", v6 ? "[" : "", config->address, v6 ? "]" : "", port);
    buf_init(&line, 8 << 20);
    buf_add_format(&line, "{\"listening\":\"%s\"", host);
    if (!config->tls_only)
        buf_add_format(&line, ",\"http\":\"http://%s\",\"ws\":\"ws://%s\"", host, host);
    if (config->certificate_file)
        buf_add_format(&line, ",\"https\":\"https://%s\",\"wss\":\"wss://%s\"", host, host);
    add_dashboards(&line, config, host);
    add_apis(&line, config);
    buf_add_text(&line, TEXT("}\n"));
    if (write(STDOUT_FILENO, line.data, line.len) != (ssize_t)line.len)
        log_warn("main", "the address could not be written to standard output: %s", strerror(errno));
    buf_fini(&line);
}

/* ---- signals ---- */

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The next signal, or 0 when none came within wait_ms. */
static int next_signal(const sigset_t *set, int64_t wait_ms)
{
    struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    int number = sigtimedwait(set, NULL, &wait);
    return number > 0 ? number : 0;
}

/* The configuration is read whole into a struct of its own; what is wrong in it is told and changes nothing. */
static void reload(const struct arguments *arguments, struct server *server)
{
    static struct config fresh;
    config_init(&fresh);
    int code = configure(arguments, &fresh);
    if (code)
        log_error("main", "SIGHUP: the configuration is not right; all settings stay as they are");
    server_reload(server, code ? NULL : &fresh);
    config_fini(&fresh);
}

static void serve_until_told(const struct arguments *arguments, struct server *server, const sigset_t *set)
{
    for (;;) {
        int number = next_signal(set, 3600000);
        if (number == SIGHUP)
            reload(arguments, server);
        else if (number)
            return;
    }
}

/* Real time, not the driven clock: a supervisor waits in real time. */
#define CUT_MS 2000 /* for the last callbacks of connections that were cut */

static int64_t real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_drained(struct server *server, const sigset_t *set, int64_t end)
{
    while (!server_drained(server) && real_ms() < end) {
        int number = next_signal(set, 10);
        if (number == SIGTERM || number == SIGINT) {
            log_warn("main", "a second signal: the process ends without draining");
            _exit(EXIT_FORCED);
        }
    }
}

static void drain(struct server *server, const sigset_t *set)
{
    int64_t end = real_ms() + server->config->drain_ms;
    log_info("main", "draining");
    notify_state("STOPPING=1", "draining");
    server_drain(server);
    wait_drained(server, set, end);
    if (!server_drained(server)) {
        log_warn("main", "the time of the drain is over: what is still open is closed");
        server_cut(server);
        wait_drained(server, set, real_ms() + CUT_MS);
    }
}

/* A kept data folder is opened at the age that its test knows (tests/folders). Once, not at a reload: time would go back. 0 or an exit code. */
static int set_clock(const struct arguments *arguments)
{
    const char *text = argument(arguments, "clock-start");
    int64_t wall_ms;
    if (!text)
        return 0;
    if (!argument(arguments, "driven-clock") || clock_parse_iso(text, strlen(text), &wall_ms) || wall_ms <= 0) {
        fprintf(stderr, "weir serve: --clock-start is a time such as 2026-01-31T12:00:00Z, and takes --driven-clock\n");
        return EXIT_USAGE;
    }
    clock_begin(wall_ms);
    return 0;
}

static int serve(const struct arguments *arguments, struct config *config)
{
    struct server server;
    struct err err = {0};
    sigset_t signals;
    int code = set_clock(arguments);
    if (!code)
        code = configure(arguments, config);
    if (code)
        return code;
    block_signals(&signals);
    notify_state(NULL, "opening the data folder");
    code = server_start(&server, config, &err);
    if (code)
        return failed(code, &err);
    uint16_t port = net_server_port(server.net);
    announce(config, port);
    notify_state("READY=1", "listening on port %u", port);
    if (argument(arguments, "banner"))
        banner_print(config, port);
    serve_until_told(arguments, &server, &signals);
    drain(&server, &signals);
    server_stop(&server);
    log_info("main", "stopped");
    return EXIT_OK;
}

static int run(const struct arguments *arguments)
{
    static struct config config;
    mallopt(M_ARENA_MAX, 4); /* threads allocate little here; an arena for each would cost an idle server several megabytes */
    config_init(&config);
    int code = serve(arguments, &config);
    config_fini(&config);
    return code;
}

const struct command command_serve = {
    .name = "serve",
    .words = "",
    .summary = "runs the server",
    .more = "The first line on standard output is one JSON object with the addresses; logs go to standard error.\n"
            "SIGTERM and SIGINT drain and stop, a second one stops at once; SIGHUP reads the certificate, keys, origins, rates, endpoints, thresholds and secrets again.\n",
    .options = options,
    .run = run,
};
