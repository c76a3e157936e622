/*
 * The running server: all modules in one struct, opened in order and closed in the opposite one. serve.c reads the command line and the signals;
 * this is the wiring. One thread (main).
 */
#ifndef WEIR_MAIN_SERVER_H
#define WEIR_MAIN_SERVER_H

#include "gateway/lineage.h"
#include "main/config.h"

struct server {
    const struct config *config;
    int lock;
    struct store *store;
    struct journal *journal;
    struct journal_gcm *journal_cipher; /* NULL: plain */
    struct worker_pool *workers;
    struct gateway *gateway;
    struct tls_context *tls;
    struct net_server *net;
    struct tick *tick;
    struct jobs *jobs;
    struct watch_queries *queries;
    struct tick_sink *sinks;            /* the gateway's, and one more for the jobs */
    struct backup_server *backup;
    struct lineage lineage;
    bool net_started, gateway_started, tick_started;
};

/* Opens the data folder, replays the journal, starts all threads and listens. On failure everything is closed again, and the answer is an exit code;
   0: it serves. */
int server_start(struct server *server, struct config *config, struct err *err);
/* Stops accepting and tells the sockets to come back. */
void server_drain(struct server *server);
/* The time of the drain is over: ends what is still open, so that its $disconnect runs before the stop. */
void server_cut(struct server *server);
bool server_drained(const struct server *server);
/* Reads the TLS files again, and takes keys, origins and rates over from a configuration that was read anew (NULL: it could not be read). What is not right
   leaves the old in use, with a line in the log. `fresh` may go afterwards. */
void server_reload(struct server *server, const struct config *fresh);
/* Finishes the calls that were admitted, makes them durable, ends all threads, frees everything. */
void server_stop(struct server *server);

#endif
