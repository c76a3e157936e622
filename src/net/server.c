/*
 * The server: the immutable configuration, the listeners, and the threads. Everything that happens to a connection happens on its io thread (io.c,
 * conn.c); the main thread only starts them, tells them to drain and ends them.
 *
 * Each thread listens on its own socket with SO_REUSEPORT. That option would also let a second weir bind the same port silently and take
 * half of the clients, so a probe without it is bound first. With one thread the option is not used at all.
 */
#include "net/conn.h"

#include "base/assert.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- configuration ---- */

static void fill_defaults(struct net_config *config)
{
    static const struct net_config defaults = {.backlog = 4096, .io_threads = 1, .body_max = 16u << 20, .head_timeout_ms = 10000,
        .body_timeout_ms = 60000, .keep_alive_ms = 75000, .handshake_timeout_ms = 10000, .close_timeout_ms = 2000};
#define FILL(field)                                                                                                    \
    if (config->field == 0)                                                                                            \
    config->field = defaults.field
    FILL(backlog);
    FILL(io_threads);
    FILL(body_max);
    FILL(head_timeout_ms);
    FILL(body_timeout_ms);
    FILL(keep_alive_ms);
    FILL(handshake_timeout_ms);
    FILL(close_timeout_ms);
#undef FILL
}

static int parse_trusted(struct net_server *server, struct err *err)
{
    const struct net_config *config = &server->config;
    if (config->trusted_count == 0)
        return 0;
    server->trusted = calloc(config->trusted_count, sizeof(*server->trusted));
    if (server->trusted == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the trusted proxies");
    for (size_t i = 0; i < config->trusted_count; i++)
        if (address_range_parse(config->trusted_proxies[i], &server->trusted[i]) != 0)
            return err_set(err, ERR_INVALID, "\"%.*s\" is not an address or a range of addresses", TEXT_FMT(config->trusted_proxies[i]));
    server->trusted_count = config->trusted_count;
    return 0;
}

/* Sockets that may be open: what the process may open, less what files, pipes and outgoing connections need. */
static uint32_t choose_connections_max(const struct net_config *config)
{
    struct rlimit limit = {1024, 1024};
    if (config->connections_max != 0)
        return config->connections_max;
    getrlimit(RLIMIT_NOFILE, &limit);
    uint64_t files = limit.rlim_cur > UINT32_MAX / 2 ? UINT32_MAX / 2 : limit.rlim_cur;
    uint64_t reserve = files / 16 < 64 ? 64 : files / 16 > 1024 ? 1024 : files / 16;
    return (uint32_t)(files > 2 * reserve ? files - reserve : files / 2);
}

int net_server_create(struct net_server **out, const struct net_config *config, const struct net_events *events, struct err *err)
{
    ASSERT(events->on_request != NULL && events->on_message != NULL && events->on_close != NULL);
    struct net_server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the server");
    server->config = *config;
    server->events = *events;
    fill_defaults(&server->config);
    int rc = 0;
    if (server->config.io_threads < 1 || server->config.io_threads > 64)
        rc = err_set(err, ERR_INVALID, "the number of io threads must be between 1 and 64");
    else if ((size_t)snprintf(server->address, sizeof(server->address), "%s", config->address) >= sizeof(server->address))
        rc = err_set(err, ERR_INVALID, "the address to listen on is too long");
    else
        rc = parse_trusted(server, err);
    server->config.address = server->address;
    server->connections_max = choose_connections_max(config);
    if (rc == 0 && (server->io = aligned_alloc(64, (size_t)server->config.io_threads * sizeof(struct net_io))) == NULL)
        rc = err_set(err, ERR_MEMORY, "no memory for the io threads");
    for (int i = 0; rc == 0 && i < server->config.io_threads; i++) {
        memset(&server->io[i], 0, sizeof(struct net_io));
        server->threads = i + 1;
        rc = io_init(&server->io[i], server, (unsigned)i, err);
    }
    if (rc != 0) {
        net_server_destroy(server);
        return rc;
    }
    *out = server;
    return 0;
}

/* ---- listening ---- */

static int parse_listen(const struct net_server *server, uint16_t port, struct sockaddr_storage *out, socklen_t *len)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, server->address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        *len = sizeof(*four);
        return 0;
    }
    if (inet_pton(AF_INET6, server->address, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        *len = sizeof(*six);
        return 0;
    }
    return ERR_INVALID;
}

/* A bound socket in *out, listening when backlog > 0. */
static int open_listener(const struct net_server *server, uint16_t port, bool shared, int backlog, int *out, struct err *err)
{
    struct sockaddr_storage address;
    socklen_t len;
    int one = 1;
    if (parse_listen(server, port, &address, &len) != 0)
        return err_set(err, ERR_INVALID, "\"%s\" is not an address to listen on", server->address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, ERR_IO, "socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* accepted sockets inherit it */
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || (backlog > 0 && listen(fd, backlog) != 0)) {
        int rc = err_set(err, errno == EADDRINUSE ? ERR_EXISTS : ERR_IO, "%s:%u: %s", server->address, port, strerror(errno));
        close(fd);
        return rc;
    }
    *out = fd;
    return 0;
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    getsockname(fd, (struct sockaddr *)&address, &len);
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

static int listen_all(struct net_server *server, struct err *err)
{
    bool shared = server->threads > 1;
    uint16_t port = server->config.port;
    int fd;
    if (shared && port != 0) {
        int rc = open_listener(server, port, false, 1, &fd, err);
        if (rc != 0)
            return rc;
        close(fd);
    }
    for (int i = 0; i < server->threads; i++) {
        int rc = open_listener(server, port, shared, server->config.backlog, &fd, err);
        if (rc != 0)
            return rc;
        port = bound_port(fd);
        rc = io_accept_start(&server->io[i], fd);
        if (rc != 0)
            return err_set(err, rc, "the listener cannot be watched");
    }
    server->port = port;
    return 0;
}

/* ---- threads ---- */

static int thread_start(struct net_io *io)
{
    sigset_t all, before;
    char name[16];
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the main thread */
    int rc = pthread_create(&io->thread, NULL, io_main, io);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return ERR_MEMORY;
    io->thread_started = true;
    snprintf(name, sizeof(name), "io-%u", io->index);
    pthread_setname_np(io->thread, name);
    return 0;
}

int net_server_start(struct net_server *server, struct err *err)
{
    ASSERT(!server->started);
    int rc = listen_all(server, err);
    if (rc != 0)
        return rc;
    server->started = true;
    for (int i = 0; i < server->threads; i++) {
        rc = thread_start(&server->io[i]);
        if (rc != 0) {
            net_server_stop(server);
            return err_set(err, rc, "an io thread cannot be started");
        }
    }
    return 0;
}

uint16_t net_server_port(const struct net_server *server)
{
    return server->port;
}

void net_server_wake(struct net_server *server)
{
    for (int i = 0; i < server->threads; i++)
        loop_wake(server->io[i].loop);
}

void net_server_drain(struct net_server *server, int64_t spread_ms)
{
    if (__atomic_load_n(&server->drain, __ATOMIC_ACQUIRE))
        return;
    server->drain_spread_ms = spread_ms;
    __atomic_store_n(&server->drain, 1, __ATOMIC_RELEASE);
    net_server_wake(server);
}

void net_server_cut(struct net_server *server)
{
    __atomic_store_n(&server->drain, 2, __ATOMIC_RELEASE);
    net_server_wake(server);
}

bool net_server_drained(const struct net_server *server)
{
    if (__atomic_load_n(&server->drain, __ATOMIC_ACQUIRE))
        for (int i = 0; i < server->threads; i++)
            if (!__atomic_load_n(&server->io[i].drain_done, __ATOMIC_ACQUIRE))
                return false;
    return __atomic_load_n(&server->open, __ATOMIC_ACQUIRE) == 0;
}

void net_server_stop(struct net_server *server)
{
    if (!server->started)
        return;
    for (int i = 0; i < server->threads; i++)
        if (server->io[i].thread_started)
            loop_stop(server->io[i].loop);
    for (int i = 0; i < server->threads; i++)
        if (server->io[i].thread_started)
            pthread_join(server->io[i].thread, NULL);
    for (int i = 0; i < server->threads; i++)
        server->io[i].thread_started = false;
    server->started = false;
}

void net_server_destroy(struct net_server *server)
{
    if (server == NULL)
        return;
    net_server_stop(server);
    for (int i = 0; i < server->threads; i++)
        io_fini(&server->io[i]);
    free(server->io);
    free(server->trusted);
    free(server);
}

int net_server_threads(const struct net_server *server)
{
    return server->threads;
}

struct net_io *net_server_io(struct net_server *server, unsigned index)
{
    return index < (unsigned)server->threads ? &server->io[index] : NULL;
}
