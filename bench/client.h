/*
 * A WebSocket client for load: many connections on one thread, epoll, non-blocking. A connection reads into one
 * large buffer that all of them share and keeps bytes of its own only while a frame (or the handshake's answer) is
 * incomplete; bytes that come with the 101 are frames already. Each connection has one random mask key.
 *
 * The program that includes this gives the pool two callbacks: one for each message, one after all messages of a read,
 * where answers are sent together. A program is one file and one thread, so this is a header of static functions.
 */
#ifndef WEIR_BENCH_CLIENT_H
#define WEIR_BENCH_CLIENT_H

#include "measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENT_KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455, section 1.3: the same key each time, its answer is known */
#define CLIENT_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum {
    CLIENT_EVENTS = 1024,
    CLIENT_READ = 1024 * 1024,  /* bytes of one read */
    CLIENT_HEADERS = 16 * 1024, /* bytes of extra request headers */
    CLIENT_FRAME_MAX = 16 * 1024 * 1024,
    CLIENT_FRAME_HEAD = 14
};

enum client_state { CLIENT_CLOSED, CLIENT_CONNECTING, CLIENT_SHAKING, CLIENT_OPEN };

struct pile {
    char *data;
    size_t len, cap;
};

struct client {
    int fd;
    enum client_state state;
    uint32_t index; /* of all that were opened in the pool; %u in the address */
    uint8_t mask[4];
    struct pile in, out; /* the beginning of a frame; what the socket did not take */
    int64_t started_ns;
};

struct address {
    struct sockaddr_in to;
    char host[64];
    char path[4096]; /* with the query; %u becomes the index */
};

struct client_pool {
    int epoll_fd;
    uint32_t opened, refused;     /* all that were opened; handshakes that failed */
    uint32_t lost;                /* closed by the server after the handshake */
    char headers[CLIENT_HEADERS]; /* "Name: value\r\n" ... */
    uint32_t sources;             /* more than 1: connections come from 127.0.0.1, .2, ... in turn, for more ports */
    char *input;
    int64_t read_ns; /* when the read that is handled now returned */
    void (*on_open)(struct client *client);
    void (*on_message)(struct client *client, int opcode, const char *data, size_t len);
    void (*on_batch)(struct client *client); /* after the messages of one read; may be NULL */
    void (*on_lost)(struct client *client);  /* closed by the other side, or the handshake failed; may be NULL */
};

static struct client_pool pool;

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

static inline void *must_alloc(size_t count, size_t size)
{
    void *memory = calloc(count == 0 ? 1 : count, size);
    if (memory == NULL)
        give_up("out of memory");
    return memory;
}

/* "ws://127.0.0.1:8080/path?query". Numbers and "localhost" only: this is for the loopback. */
static inline struct address address_parse(const char *url)
{
    struct address a = {.to = {.sin_family = AF_INET}};
    int port = 80, used = 0;
    if (strncmp(url, "ws://", 5) != 0 || sscanf(url + 5, "%63[^:/?]%n", a.host, &used) != 1)
        give_up("an address looks like ws://127.0.0.1:8080/path");
    const char *rest = url + 5 + used;
    if (*rest == ':')
        port = (int)strtol(rest + 1, (char **)&rest, 10);
    const char *number = strcmp(a.host, "localhost") == 0 ? "127.0.0.1" : a.host;
    if (inet_pton(AF_INET, number, &a.to.sin_addr) != 1 || (ntohl(a.to.sin_addr.s_addr) >> 24) != 127)
        give_up("only loopback addresses are loaded");
    if (port < 1 || port > 65535)
        give_up("the port is not valid");
    a.to.sin_port = htons((uint16_t)port);
    snprintf(a.path, sizeof(a.path), "%s%s", *rest == '/' ? "" : "/", rest);
    snprintf(a.host + strlen(a.host), sizeof(a.host) - strlen(a.host), ":%d", port);
    return a;
}

/* Copies `text` with each %u replaced by `number`; returns the length. */
static inline size_t fill_number(char *out, size_t size, const char *text, uint64_t number)
{
    size_t len = 0;
    while (*text != 0 && len + 24 < size) {
        if (text[0] == '%' && text[1] == 'u') {
            len += (size_t)snprintf(out + len, size - len, "%" PRIu64, number);
            text += 2;
        } else {
            out[len++] = *text++;
        }
    }
    if (*text != 0)
        give_up("a text is too long");
    out[len] = 0;
    return len;
}

static inline void pool_init(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    pool.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    pool.input = malloc((size_t)CLIENT_FRAME_MAX + CLIENT_FRAME_HEAD + CLIENT_READ);
    if (pool.epoll_fd < 0 || pool.input == NULL)
        give_up("cannot make an epoll descriptor");
    srandom((unsigned)now_ns());
}

static inline void pile_add(struct pile *pile, const char *data, size_t len)
{
    if (pile->len + len > pile->cap) {
        size_t cap = (pile->len + len) * 2;
        pile->data = realloc(pile->data, cap);
        if (pile->data == NULL || cap > (size_t)1 << 30)
            give_up("too much waits to be sent or read");
        pile->cap = cap;
    }
    memcpy(pile->data + pile->len, data, len);
    pile->len += len;
}

static inline void pile_drop(struct pile *pile)
{
    free(pile->data);
    *pile = (struct pile){0};
}

static inline void client_watch(struct client *c, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(pool.epoll_fd, operation, c->fd, &event) != 0)
        give_up("epoll_ctl failed");
}

static inline void client_close(struct client *c)
{
    if (c->state == CLIENT_CLOSED)
        return;
    close(c->fd);
    c->state = CLIENT_CLOSED;
    pile_drop(&c->in);
    pile_drop(&c->out);
}

static inline void client_lost(struct client *c)
{
    if (c->state == CLIENT_CLOSED)
        return;
    if (c->state == CLIENT_OPEN)
        pool.lost++;
    else
        pool.refused++;
    client_close(c);
    if (pool.on_lost != NULL)
        pool.on_lost(c);
}

static inline void client_send(struct client *c, const char *data, size_t len)
{
    if (c->state == CLIENT_CLOSED || len == 0)
        return;
    ssize_t sent = 0;
    if (c->out.len == 0) {
        sent = send(c->fd, data, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return; /* the read side will say what happened */
        if (sent < 0)
            sent = 0;
        if ((size_t)sent == len)
            return;
        client_watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    pile_add(&c->out, data + sent, len - (size_t)sent);
}

static inline void client_flush(struct client *c)
{
    ssize_t sent = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);
    if (sent < 0)
        return;
    memmove(c->out.data, c->out.data + sent, c->out.len - (size_t)sent);
    c->out.len -= (size_t)sent;
    if (c->out.len == 0)
        client_watch(c, EPOLL_CTL_MOD, EPOLLIN);
}

/* Begins to connect. False when there is no descriptor or port. */
static inline bool client_open(struct client *c, const struct address *address)
{
    *c = (struct client){.index = pool.opened++, .started_ns = now_ns()};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (pool.sources > 1) {
        struct sockaddr_in from = {.sin_family = AF_INET};
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + c->index % pool.sources);
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
        if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
            give_up("cannot bind to a loopback address");
    }
    uint32_t mask = (uint32_t)random();
    memcpy(c->mask, &mask, 4);
    if (connect(c->fd, (const struct sockaddr *)&address->to, sizeof(address->to)) != 0 && errno != EINPROGRESS) {
        close(c->fd);
        return false;
    }
    char path[sizeof(address->path) + 64];
    fill_number(path, sizeof(path), address->path, c->index);
    char request[sizeof(path) + CLIENT_HEADERS + 512];
    int len = snprintf(request, sizeof(request),
        "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: " CLIENT_KEY "\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
        path, address->host, pool.headers);
    /* On the loopback the connection usually stands already, which saves three system calls. */
    ssize_t sent = send(c->fd, request, (size_t)len, MSG_NOSIGNAL);
    if (sent == len) {
        c->state = CLIENT_SHAKING;
        client_watch(c, EPOLL_CTL_ADD, EPOLLIN);
        return true;
    }
    c->state = CLIENT_CONNECTING;
    client_watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    pile_add(&c->out, request + (sent > 0 ? sent : 0), (size_t)(len - (sent > 0 ? sent : 0)));
    return true;
}

/* ---- frames ---- */

/* Appends a masked frame at `to` and returns its length; `to` has len + CLIENT_FRAME_HEAD bytes. */
static inline size_t frame_write(char *to, const uint8_t mask[4], int opcode, const char *data, size_t len)
{
    size_t head = 2;
    to[0] = (char)(0x80 | opcode);
    if (len < 126) {
        to[1] = (char)(0x80 | len);
    } else if (len < 65536) {
        to[1] = (char)(0x80 | 126);
        to[2] = (char)(len >> 8);
        to[3] = (char)len;
        head = 4;
    } else {
        to[1] = (char)(0x80 | 127);
        for (int i = 0; i < 8; i++)
            to[2 + i] = (char)((uint64_t)len >> (56 - 8 * i));
        head = 10;
    }
    memcpy(to + head, mask, 4);
    head += 4;
    for (size_t i = 0; i < len; i++)
        to[head + i] = (char)(data[i] ^ mask[i & 3]);
    return head + len;
}

static inline void client_frame(struct client *c, int opcode, const char *data, size_t len)
{
    char small[1024 + CLIENT_FRAME_HEAD];
    char *frame = len <= 1024 ? small : must_alloc(1, len + CLIENT_FRAME_HEAD);
    client_send(c, frame, frame_write(frame, c->mask, opcode, data, len));
    if (frame != small)
        free(frame);
}

/* Handles the complete frames; returns the bytes used. The client may be closed afterwards. */
static inline size_t client_frames(struct client *c, const char *data, size_t len)
{
    size_t at = 0;
    while (c->state == CLIENT_OPEN && len - at >= 2) {
        const unsigned char *p = (const unsigned char *)data + at;
        uint64_t size = p[1] & 0x7f;
        size_t head = size == 126 ? 4 : size == 127 ? 10 : 2;
        if (p[1] & 0x80)
            give_up("the server sent a masked frame");
        if (len - at < head)
            break;
        if (head > 2) {
            size = 0;
            for (size_t i = 2; i < head; i++)
                size = size << 8 | p[i];
        }
        if (size > CLIENT_FRAME_MAX)
            give_up("the server sent a frame of more than 16 MiB");
        if (len - at - head < size)
            break;
        int opcode = p[0] & 15;
        if (opcode == 8) {
            client_lost(c);
            break;
        }
        if (opcode == 9)
            client_frame(c, 10, (const char *)p + head, (size_t)size);
        else if (opcode < 8 && (p[0] & 0x80)) /* of a fragmented message the last piece counts */
            pool.on_message(c, opcode, (const char *)p + head, (size_t)size);
        at += head + (size_t)size;
    }
    return at;
}

/* Returns the bytes of a complete answer; 0 when it is incomplete or was refused. */
static inline size_t client_shake(struct client *c, const char *data, size_t len)
{
    const char *end = memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL) {
        if (len > CLIENT_HEADERS)
            client_lost(c);
        return 0;
    }
    size_t used = (size_t)(end - data) + 4;
    if (memcmp(data, "HTTP/1.1 101 ", 13) != 0 || memmem(data, used, CLIENT_ACCEPT, strlen(CLIENT_ACCEPT)) == NULL) {
        if (pool.refused == 0)
            fprintf(stderr, "load: refused: %.*s\n", (int)strcspn(data, "\r\n"), data);
        client_lost(c);
        return 0;
    }
    c->state = CLIENT_OPEN;
    pool.on_open(c);
    return used;
}

static inline void client_read(struct client *c)
{
    char *start = pool.input + CLIENT_FRAME_MAX + CLIENT_FRAME_HEAD, *data = start - c->in.len;
    ssize_t got = recv(c->fd, start, CLIENT_READ, 0);
    pool.read_ns = now_ns();
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            client_lost(c);
        return;
    }
    size_t len = c->in.len + (size_t)got, used = 0;
    if (c->in.len > 0)
        memcpy(data, c->in.data, c->in.len);
    c->in.len = 0;
    if (c->state == CLIENT_SHAKING)
        used = client_shake(c, data, len);
    if (c->state == CLIENT_OPEN)
        used += client_frames(c, data + used, len - used);
    if (c->state == CLIENT_CLOSED)
        return;
    if (used < len)
        pile_add(&c->in, data + used, len - used);
    else if (c->in.cap > 0)
        pile_drop(&c->in);
    if (c->state == CLIENT_OPEN && pool.on_batch != NULL)
        pool.on_batch(c);
}

static inline void client_ready(struct client *c, uint32_t events)
{
    if (c->state == CLIENT_CONNECTING) {
        int failure = 0;
        socklen_t size = sizeof(failure);
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failure, &size);
        if (failure != 0) {
            client_lost(c);
            return;
        }
        c->state = CLIENT_SHAKING;
    }
    if ((events & EPOLLOUT) && c->out.len > 0)
        client_flush(c);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        client_read(c);
}

/* One wait of at most wait_ns and everything that is ready then. A client's memory must outlive the call. */
static inline void pool_turn(int64_t wait_ns)
{
    static struct epoll_event events[CLIENT_EVENTS];
    struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
    int count = epoll_pwait2(pool.epoll_fd, events, CLIENT_EVENTS, wait_ns > 0 ? &wait : &(struct timespec){0}, NULL);
    for (int i = 0; i < count; i++) {
        struct client *c = events[i].data.ptr;
        if (c->state != CLIENT_CLOSED)
            client_ready(c, events[i].events);
    }
}

#endif
