/*
 * Backups of a running server, asked for over HTTP: POST /@backup {"to":"/path"} starts one, GET /@backup tells how far it is, DELETE /@backup stops it. Signed
 * like the management API (execute-api:Backup); with the development keys on loopback unsigned, too.
 */
#ifndef WEIR_MAIN_BACKUP_SERVER_H
#define WEIR_MAIN_BACKUP_SERVER_H

#include "gateway/host.h"

struct backup_server;

/* `data` is borrowed. Requests that are not its own go to `next`. ERR_MEMORY. */
int backup_server_create(struct backup_server **out, const char *data, gw_wire_fn *next, void *next_context);
/* What is backed up; before any request comes. */
void backup_server_open(struct backup_server *server, struct store *store, struct journal *journal, struct tick *tick);
/* A gw_wire_fn; the context is the struct backup_server. */
bool backup_wire(void *context, struct gw_io *io, struct net_conn *conn, const struct http_request *request, struct text body);
/* Stops a backup that is under way and waits for its thread; nothing of it stays. NULL is allowed. */
void backup_server_stop(struct backup_server *server);
void backup_server_destroy(struct backup_server *server);

#endif
