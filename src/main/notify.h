/*
 * Tells the service manager how far the program is, after systemd's sd_notify(3): one datagram to the socket that NOTIFY_SOCKET names. A unit of Type=notify is then
 * "started" when sockets are accepted, and not when the process exists, which matters after a crash whose journal takes a while to replay.
 */
#ifndef WEIR_MAIN_NOTIFY_H
#define WEIR_MAIN_NOTIFY_H

/* Assignments, a line each: "READY=1\nSTATUS=listening". 1: sent; 0: nobody asked (no NOTIFY_SOCKET); ERR_INVALID: the variable names no socket; ERR_IO: it could not
   be sent. Never blocks for long, and nothing depends on it: the caller may log a failure. Main thread. */
int notify_send(const char *assignments);
/* `format` as a STATUS= line behind `state` ("READY=1", "RELOADING=1", "STOPPING=1"; NULL: the status alone); a failure is logged. */
void notify_state(const char *state, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
