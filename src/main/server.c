/*
 * The order of start, and why it is this one:
 *   lock, tables, journal, replay     the journal must know what the tables already hold; nothing may run before the tail is replayed
 *   gateway, network core, sinks      the tick wants its sinks, the sinks are the io threads' loops
 *   tick, tables' definitions         committed before the first call
 *   tick, gateway, network threads    from the inside out: a socket meets a complete house
 * The stop is the same backwards, with one exception: the tick ends while the io threads still run, since they are what takes its last effects. The gateway's
 * services end after the io threads, which may ask them for a request to the last.
 */
#include "main/server.h"

#include "aws/aws.h"
#include "base/clock.h"
#include "base/log.h"
#include "journal/cipher.h"
#include "main/backup_server.h"
#include "main/exchange.h"
#include "main/exit.h"
#include "main/folder.h"
#include "main/lineage_file.h"
#include "net/tls.h"
#include "tick/job.h"
#include "watch/query_jobs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS 2
#define WORKER_QUEUE 1024
#define DISK_RESERVE (UINT64_C(96) << 20) /* bytes of free space below which writes are refused */
#define DISK_GRACE (UINT64_C(64) << 20)   /* bytes of them for ticks that were sealed before: they hold 16 MiB at most */

static int exit_of(int code)
{
    switch (code) {
    case 0:
        return EXIT_OK;
    case ERR_AGAIN:
        return EXIT_LOCKED;
    case ERR_CORRUPT:
    case ERR_VERSION:
        return EXIT_DATA;
    case ERR_INVALID: /* what only the modules themselves can judge, such as a trusted range */
        return EXIT_CONFIG;
    default:
        return EXIT_FAILED;
    }
}

/* The data could not be opened. The tables come before the journal: with tables and no journal it is the journal that failed. */
static int exit_of_data(const struct server *server, int code)
{
    bool journal = server->store && !server->journal;
    return code == ERR_IO && journal ? EXIT_JOURNAL : exit_of(code);
}

/* The journal failed. What was acknowledged is durable, what was not must not be: the process ends here, without destructors. */
static void on_fatal(void *context, const char *text)
{
    (void)context;
    log_error("main", "the journal cannot be trusted any more, the process ends: %s", text);
    _exit(EXIT_JOURNAL);
}

/* The tables, and the journal's cipher: of an encrypted folder each has a key of its own. */
static int open_tables(struct server *server, const char *folder, struct err *err)
{
    const struct key_data *key = &server->config->data_key;
    unsigned char tables[CIPHER_KEY_BYTES], journal[CIPHER_KEY_BYTES];
    struct store_config config = {.folder = folder, .key = key->set ? tables : NULL};
    int code = 0;
    if (key->set && (key_for(key, "tables", tables) || key_for(key, "journal", journal) || journal_gcm_create(&server->journal_cipher, journal)))
        code = err_set(err, ERR_INTERNAL, "the cipher failed");
    if (!code)
        code = store_open(&server->store, &config, err);
    cipher_forget(tables, sizeof(tables));
    cipher_forget(journal, sizeof(journal));
    return code;
}

static int open_jobs(struct server *server, struct err *err)
{
    const struct config *config = server->config;
    unsigned char key[CIPHER_KEY_BYTES];
    char backups[4096];
    struct jobs_config jobs = {.store = server->store, .journal = server->journal, .folder = backups, .key = config->data_key.set ? key : NULL,
        .recovery_bytes = config->recovery_bytes, .exchange = config->exchange, .forms = &exchange_forms};
    int code = folder_path(backups, sizeof(backups), config->data, "backups", err);
    if (!code && config->data_key.set && key_for(&config->data_key, "backups", key))
        code = err_set(err, ERR_INTERNAL, "the cipher failed");
    if (!code)
        code = jobs_create(&server->jobs, &jobs, err);
    cipher_forget(key, sizeof(key));
    return code;
}

static int open_data(struct server *server, struct err *err)
{
    char tables[4096], journal[4096];
    const char *data = server->config->data;
    uint64_t records = 0;
    int code = folder_make(data, err);
    if (!code)
        code = folder_path(tables, sizeof(tables), data, "tables", err);
    if (!code)
        code = folder_path(journal, sizeof(journal), data, "journal", err);
    if (code)
        return code;
    server->lock = folder_lock(data, err);
    if (server->lock < 0)
        return server->lock;
    code = open_tables(server, tables, err);
    if (code)
        return code;
    struct journal_config config = {
        .folder = journal, .recycle_max = 4, .reserve_bytes = DISK_RESERVE, .grace_bytes = DISK_GRACE, .known_durable = store_applied(server->store),
        .cipher = journal_gcm_cipher(server->journal_cipher)};
    code = journal_open(&server->journal, &config, err);
    if (code)
        return code;
    code = tick_recover(server->store, server->journal, &records, err);
    if (code)
        return code;
    lineage_open(data, journal_last(server->journal), &server->lineage);
    return open_jobs(server, err);
}

static int open_gateway(struct server *server, struct config *config, struct err *err)
{
    config->gateway.store = server->store;
    config->gateway.journal = server->journal;
    config->gateway.jobs = server->jobs;
    config->gateway.lineage = &server->lineage;
    int query_code = watch_queries_create(&server->queries, server->store, config->gateway.account, err);
    if (query_code)
        return query_code;
    config->gateway.queries = server->queries;
    int code = backup_server_create(&server->backup, config->data, aws_wire, &config->gateway);
    if (code)
        return err_set(err, code, "out of memory");
    config->gateway.wire = backup_wire;
    config->gateway.stream_names = &aws_stream_names;
    config->gateway.wire_context = server->backup;
    code = worker_pool_create(&server->workers, WORKERS, WORKER_QUEUE, err);
    config->gateway.workers = server->workers;
    if (!code)
        code = gateway_create(&server->gateway, &config->gateway, err);
    if (code || !config->certificate_file)
        return code;
    struct tls_options options = {.certificate_file = config->certificate_file, .key_file = config->key_file, .h2 = true};
    return tls_context_create(&options, &server->tls, err);
}

static int open_net(struct server *server, struct err *err)
{
    const struct config *config = server->config;
    struct net_events events;
    struct net_config net = {
        .address = config->address,
        .port = config->port,
        .io_threads = config->io_threads,
        .backlog = 4096,
        .accept_rate_max = config->accept_rate_max,
        .connections_max = config->connections_max,
        .body_max = config->body_max,
        .trusted_proxies = config->proxies,
        .trusted_count = config->proxy_count,
        .proxy_protocol = config->proxy_protocol,
        .tls = server->tls,
        .tls_only = server->tls && config->tls_only,
    };
    gateway_net_events(server->gateway, &events);
    return net_server_create(&server->net, &net, &events, err);
}

/* The copier's sink stands behind the gateway's. */
static int add_jobs_sink(struct server *server, struct tick_sink **sinks, unsigned *count, struct err *err)
{
    server->sinks = calloc(*count + 1, sizeof(*server->sinks));
    if (!server->sinks)
        return err_set(err, ERR_MEMORY, "out of memory");
    memcpy(server->sinks, *sinks, *count * sizeof(*server->sinks));
    jobs_sink(server->jobs, &server->sinks[*count]);
    *sinks = server->sinks;
    (*count)++;
    return 0;
}

static int open_tick(struct server *server, struct err *err)
{
    struct tick_sink *sinks;
    unsigned count;
    int code = gateway_sinks(server->gateway, server->net, &sinks, &count, err);
    if (!code)
        code = add_jobs_sink(server, &sinks, &count, err);
    if (code)
        return code;
    struct tick_config config = {
        .store = server->store,
        .journal = server->journal,
        .workers = server->workers,
        .sources = count,
        .sinks = sinks,
        .expiry = true,
        .on_fatal = on_fatal,
    };
    gateway_tick_hooks(server->gateway, &config);
    code = tick_create(&server->tick, &config, err);
    if (!code)
        jobs_attach(server->jobs, server->tick, count - 1);
    if (!code)
        backup_server_open(server->backup, server->store, server->journal, server->tick);
    if (!code)
        code = gateway_define_tables(server->gateway, server->tick, err);
    return code ? code : aws_define(&server->config->gateway, server->tick, err);
}

static int start_threads(struct server *server, struct err *err)
{
    int code = tick_start(server->tick, err);
    server->tick_started = code == 0;
    if (!code) {
        code = gateway_start(server->gateway, server->net, server->tick, err);
        server->gateway_started = code == 0;
    }
    return code ? code : jobs_start(server->jobs, err);
}

int server_start(struct server *server, struct config *config, struct err *err)
{
    *server = (struct server){.config = config, .lock = -1};
    int exit_code = exit_of_data(server, open_data(server, err));
    int code = 0;
    if (!exit_code) {
        code = open_gateway(server, config, err);
        exit_code = code ? EXIT_CONFIG : EXIT_OK;
    }
    if (!exit_code) {
        code = open_net(server, err);
        if (!code)
            code = open_tick(server, err);
        if (!code)
            code = start_threads(server, err);
        exit_code = exit_of(code);
    }
    if (!exit_code) {
        code = net_server_start(server->net, err);
        server->net_started = code == 0;
        exit_code = code ? EXIT_LISTEN : EXIT_OK;
    }
    if (exit_code)
        server_stop(server);
    return exit_code;
}

void server_drain(struct server *server)
{
    net_server_drain(server->net, server->config->spread_ms);
}

void server_cut(struct server *server)
{
    net_server_cut(server->net);
}

bool server_drained(const struct server *server)
{
    return net_server_drained(server->net);
}

void server_reload(struct server *server, const struct config *fresh)
{
    struct err err = {0};
    if (server->tls && tls_context_reload(server->tls, &err))
        log_error("main", "SIGHUP: the old certificate stays in use: %s", err.text);
    else if (server->tls)
        log_info("main", "SIGHUP: the certificate was reloaded");
    if (!fresh)
        return;
    if (gateway_reload(server->gateway, &fresh->gateway, &err))
        log_error("main", "SIGHUP: the old settings stay in use: %s", err.text);
    else
        log_info("main", "SIGHUP: secrets, thresholds, endpoints, keys, origins and rates were reloaded; other settings take a restart");
}

void server_stop(struct server *server)
{
    backup_server_stop(server->backup);
    jobs_stop(server->jobs);
    if (server->tick_started)
        tick_stop(server->tick);
    if (server->net_started)
        net_server_stop(server->net);
    if (server->gateway_started)
        gateway_stop(server->gateway);
    tick_destroy(server->tick);
    jobs_destroy(server->jobs);
    free(server->sinks);
    if (server->workers)
        worker_pool_destroy(server->workers);
    if (server->net)
        net_server_destroy(server->net);
    watch_queries_destroy(server->queries);
    gateway_destroy(server->gateway);
    backup_server_destroy(server->backup);
    if (server->tls)
        tls_context_destroy(server->tls);
    journal_close(server->journal);
    journal_gcm_destroy(server->journal_cipher);
    if (server->store)
        store_close(server->store);
    folder_unlock(server->lock);
    server->lock = -1;
}
