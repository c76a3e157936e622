/*
 * The physical limit: a WebSocket server with no features, so that a measured server has something to be compared
 * with on the same machine in the same minute. It does what any server must do and nothing else: one thread,
 * level-triggered epoll, one large read buffer, frames unmasked in place, one write per connection per turn.
 *
 *   limit echo    --port N    every message goes back
 *   limit fanout  --port N    /sub subscribes; a message on any other path goes to all subscribers
 *   limit connect --port N    the handshake alone; messages are ignored
 *
 * Echo: a server's frame is four bytes shorter than a client's (no mask), so the answers are built in the read buffer
 * itself, over the requests that were already read. Fan-out: all publishers of a turn are read first, their frames
 * concatenated, then the dense array of subscribers is walked once, one send each.
 *
 * It is bounded (messages of 1 MiB, 64 MiB of backlog a connection) but does no validation that costs time: no
 * UTF-8 check, no fragments put together, no Origin, no idle limit. Loopback only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 1024,
    READ_MAX = 512 * 1024,     /* bytes of one read */
    MESSAGE_MAX = 1024 * 1024, /* bytes; also a handshake's limit */
    PARTIAL_MAX = MESSAGE_MAX + 14,
    TURN_MAX = 8 * 1024 * 1024, /* bytes of broadcast frames collected in a turn */
    BACKLOG_MAX = 64 * 1024 * 1024
};

enum mode { MODE_ECHO, MODE_FANOUT, MODE_CONNECT };

/* Bytes that wait: the beginning of a frame, or output that the socket did not take. */
struct pile {
    uint32_t len, cap;
    char *data;
};

struct peer {
    int fd;
    bool open;             /* the handshake is done */
    bool writing;          /* EPOLLOUT is asked for */
    int32_t subscriber;    /* index in `subscribers`, -1: none */
    struct pile *in, *out; /* NULL while nothing waits: an idle peer is 40 bytes */
    struct peer *next_dead;
};

static enum mode mode;
static int epoll_fd, listener;
static char *input; /* PARTIAL_MAX bytes for what was left over, then READ_MAX for what is read */
static char *turn_frames;
static size_t turn_len;
static struct peer **subscribers;
static int subscriber_count, subscriber_cap;
static struct peer *dead; /* freed after the turn */

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- piles ---- */

static bool pile_add(struct pile **at, const char *data, size_t len, size_t limit)
{
    if (*at == NULL)
        *at = calloc(1, sizeof(**at));
    struct pile *pile = *at;
    if (pile == NULL || pile->len + len > limit)
        return false;
    if (pile->len + len > pile->cap) {
        size_t cap = (pile->len + len) * 2;
        char *grown = realloc(pile->data, cap);
        if (grown == NULL)
            return false;
        pile->data = grown;
        pile->cap = (uint32_t)cap;
    }
    memcpy(pile->data + pile->len, data, len);
    pile->len += (uint32_t)len;
    return true;
}

static void pile_drop(struct pile **at)
{
    if (*at != NULL)
        free((*at)->data);
    free(*at);
    *at = NULL;
}

/* ---- peers ---- */

static void peer_close(struct peer *peer)
{
    if (peer->fd < 0)
        return;
    close(peer->fd);
    peer->fd = -1;
    if (peer->subscriber >= 0) {
        struct peer *last = subscribers[--subscriber_count];
        subscribers[peer->subscriber] = last;
        last->subscriber = peer->subscriber;
        peer->subscriber = -1;
    }
    pile_drop(&peer->in);
    pile_drop(&peer->out);
    peer->next_dead = dead;
    dead = peer;
}

static void peer_watch(struct peer *peer, bool writing)
{
    if (peer->writing == writing)
        return;
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = peer};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, peer->fd, &event);
    peer->writing = writing;
}

static void peer_send(struct peer *peer, const char *data, size_t len)
{
    if (peer->fd < 0 || len == 0)
        return;
    ssize_t sent = 0;
    if (peer->out == NULL) {
        sent = send(peer->fd, data, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            peer_close(peer);
            return;
        }
        if (sent < 0)
            sent = 0;
        if ((size_t)sent == len)
            return;
    }
    if (!pile_add(&peer->out, data + sent, len - (size_t)sent, BACKLOG_MAX)) {
        peer_close(peer);
        return;
    }
    peer_watch(peer, true);
}

static void peer_flush(struct peer *peer)
{
    struct pile *out = peer->out;
    ssize_t sent = send(peer->fd, out->data, out->len, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN)
            peer_close(peer);
        return;
    }
    memmove(out->data, out->data + sent, out->len - (size_t)sent);
    out->len -= (uint32_t)sent;
    if (out->len == 0) {
        pile_drop(&peer->out);
        peer_watch(peer, false);
    }
}

/* ---- the handshake ---- */

static void subscribe(struct peer *peer)
{
    if (subscriber_count == subscriber_cap) {
        subscriber_cap = subscriber_cap == 0 ? 1024 : subscriber_cap * 2;
        subscribers = realloc(subscribers, (size_t)subscriber_cap * sizeof(struct peer *));
        if (subscribers == NULL)
            die("realloc");
    }
    peer->subscriber = subscriber_count;
    subscribers[subscriber_count++] = peer;
}

/* Answers a whole request head. Returns the bytes used, 0 when the head is not complete, -1 to close. */
static long shake_hands(struct peer *peer, char *data, size_t len)
{
    char *end = memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL)
        return len > 8192 ? -1 : 0;
    *end = 0;
    char *key = strcasestr(data, "\r\nsec-websocket-key:");
    if (strncmp(data, "GET /", 5) != 0 || key == NULL)
        return -1;
    key += 20;
    key += strspn(key, " ");
    size_t key_len = strcspn(key, " \r");
    char text[128];
    if (key_len != 24)
        return -1;
    memcpy(text, key, 24);
    memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    unsigned char digest[20], accept[32];
    EVP_Digest(text, 60, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock(accept, digest, 20);
    char answer[256];
    int answer_len = snprintf(answer, sizeof(answer),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n\r\n",
        (char *)accept);
    peer->open = true;
    if (mode == MODE_FANOUT && strncmp(data, "GET /sub", 8) == 0)
        subscribe(peer);
    peer_send(peer, answer, (size_t)answer_len);
    return end + 4 - data;
}

/* ---- frames ---- */

static void unmask(char *to, const char *from, size_t len, const char mask[4])
{
    uint32_t four;
    memcpy(&four, mask, 4);
    uint64_t eight = (uint64_t)four << 32 | four;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) { /* `to` is at or before `from` */
        uint64_t word;
        memcpy(&word, from + i, 8);
        word ^= eight;
        memcpy(to + i, &word, 8);
    }
    for (; i < len; i++)
        to[i] = from[i] ^ mask[i & 3];
}

static size_t write_head(char *to, uint8_t first, size_t len)
{
    to[0] = (char)first;
    if (len < 126) {
        to[1] = (char)len;
        return 2;
    }
    if (len < 65536) {
        to[1] = 126;
        to[2] = (char)(len >> 8);
        to[3] = (char)len;
        return 4;
    }
    to[1] = 127;
    for (int i = 0; i < 8; i++)
        to[2 + i] = (char)((uint64_t)len >> (56 - 8 * i));
    return 10;
}

/* The length of the head of the frame at `data`; 0: incomplete, -1: refused. Sets *payload_len. */
static int read_head(const unsigned char *data, size_t len, size_t *payload_len)
{
    if (len < 2)
        return 0;
    if (!(data[1] & 0x80))
        return -1;
    uint64_t size = data[1] & 0x7f;
    int head = 6;
    if (size == 126) {
        head = 8;
        if (len < 8)
            return 0;
        size = (uint64_t)data[2] << 8 | data[3];
    } else if (size == 127) {
        head = 14;
        if (len < 14)
            return 0;
        size = 0;
        for (int i = 2; i < 10; i++)
            size = size << 8 | data[i];
    }
    if (size > MESSAGE_MAX)
        return -1;
    *payload_len = (size_t)size;
    return len < (size_t)head ? 0 : head;
}

/* Where the frames of a turn are collected; a full buffer is sent at once. */
static void broadcast(void)
{
    for (int i = subscriber_count - 1; i >= 0; i--) /* from the end: closing one moves the last */
        peer_send(subscribers[i], turn_frames, turn_len);
    turn_len = 0;
}

/* Handles all complete frames; returns the bytes used, -1 to close. Answers are built at the front of `data`. */
static long take_frames(struct peer *peer, char *data, size_t len)
{
    size_t at = 0, out = 0;
    bool closing = false;
    while (!closing) {
        size_t size;
        int head = read_head((unsigned char *)data + at, len - at, &size);
        if (head < 0)
            return -1;
        if (head == 0 || len - at - (size_t)head < size)
            break;
        uint8_t first = (uint8_t)data[at], opcode = first & 15;
        char mask[4];
        memcpy(mask, data + at + head - 4, 4);
        closing = opcode == 8;
        if (opcode < 8 && mode == MODE_FANOUT) {
            if (turn_len + size + 10 > TURN_MAX)
                broadcast();
            turn_len += write_head(turn_frames + turn_len, first, size);
            unmask(turn_frames + turn_len, data + at + head, size, mask);
            turn_len += size;
        } else if (opcode == 8 || opcode == 9 || (opcode < 8 && mode == MODE_ECHO)) {
            size_t from = at + (size_t)head; /* the new head is at least 4 bytes shorter than the old one */
            out += write_head(data + out, opcode == 9 ? 0x8a : first, size);
            unmask(data + out, data + from, size, mask);
            out += size;
        }
        at += (size_t)head + size;
    }
    peer_send(peer, data, out);
    return closing ? -1 : (long)at;
}

static void peer_read(struct peer *peer)
{
    char *data = input + PARTIAL_MAX;
    size_t held = 0;
    if (peer->in != NULL) {
        held = peer->in->len;
        data -= held;
        memcpy(data, peer->in->data, held);
    }
    ssize_t got = recv(peer->fd, input + PARTIAL_MAX, READ_MAX, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            peer_close(peer);
        return;
    }
    pile_drop(&peer->in);
    size_t len = held + (size_t)got, used = 0;
    if (!peer->open) {
        long n = shake_hands(peer, data, len);
        if (n < 0) {
            peer_close(peer);
            return;
        }
        used = (size_t)n;
    }
    if (peer->fd >= 0 && peer->open && used < len) {
        long n = take_frames(peer, data + used, len - used);
        if (n < 0) {
            peer_close(peer);
            return;
        }
        used += (size_t)n;
    }
    if (peer->fd >= 0 && used < len && !pile_add(&peer->in, data + used, len - used, PARTIAL_MAX))
        peer_close(peer);
}

/* ---- the server ---- */

static void accept_all(void)
{
    for (int i = 0; i < 256; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct peer *peer = calloc(1, sizeof(*peer));
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
        if (peer == NULL || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
            close(fd);
            free(peer);
            return;
        }
        peer->fd = fd;
        peer->subscriber = -1;
    }
}

static void serve(void)
{
    static struct epoll_event events[EVENTS_MAX];
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer == NULL) {
                accept_all();
                continue;
            }
            if (peer->fd >= 0 && (events[i].events & EPOLLOUT) && peer->out != NULL)
                peer_flush(peer);
            if (peer->fd >= 0 && (events[i].events & ~(uint32_t)EPOLLOUT))
                peer_read(peer);
        }
        if (turn_len != 0)
            broadcast();
        while (dead != NULL) {
            struct peer *next = dead->next_dead;
            free(dead);
            dead = next;
        }
    }
}

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* accepted sockets inherit it */
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 4096) != 0)
        die("listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("{\"listening\":\"127.0.0.1:%d\"}\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"echo", "fanout", "connect"};
    int port = -1, chosen = -1;
    for (int i = 0; i < 3 && argc > 1; i++)
        if (strcmp(argv[1], modes[i]) == 0)
            chosen = i;
    if (argc == 4 && strcmp(argv[2], "--port") == 0)
        port = atoi(argv[3]);
    if (chosen < 0 || port < 0 || port > 65535) {
        fprintf(stderr, "usage: limit echo|fanout|connect --port N   (0 picks one)\n");
        return 2;
    }
    mode = (enum mode)chosen;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    input = malloc(PARTIAL_MAX + READ_MAX);
    turn_frames = malloc(TURN_MAX);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (input == NULL || turn_frames == NULL || epoll_fd < 0)
        die("start");
    listener = listen_on(port);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    serve();
    return 0;
}
