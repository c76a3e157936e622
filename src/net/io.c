/*
 * An io thread: a loop, a listener of its own, and the connections it accepted. SO_REUSEPORT spreads connections over threads in the
 * kernel, so no accepted socket ever changes hands and nothing in here is shared but a few atomic words of the server.
 *
 * A connection is named by its slot in this thread's table, the generation of the slot and a random number, so finding one by its id is an array access
 * and three compares; there is no hash map. Live WebSocket connections also stand in a dense array in the order of their acceptance, because
 * walking members in any other order costs 11 % at ten thousand (cache lines, and the kernel's as well). Holes are closed between turns.
 *
 * Accepting stops (the listener is not watched) when the accept rate is used up or descriptors run out; sockets then wait in the backlog, which costs a
 * peer time and us nothing. One descriptor is kept in reserve: without it a full table would leave the listener readable for ever with no way to
 * take the socket off the queue and say so.
 */
#include "net/h2.h"

#include "base/assert.h"
#include "base/counter.h"
#include "base/json.h" /* JSON_PADDING */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPT_BATCH = 64,     /* sockets accepted in one turn */
    ACCEPT_BACKOFF_MS = 50, /* after descriptors or memory ran out */
    SLAB_CONNS = 64,
    SLOTS_MAX = 1 << 24,   /* of a thread: three bytes of an id */
    DRAIN_SLICE = 256,     /* connections closed in one turn of a drain */
    ORDER_SPARE = 64,      /* holes that are not worth closing */
};

#if defined(__SANITIZE_ADDRESS__)
#define CONN_POOLED 0 /* so that a use after the end is found */
#else
#define CONN_POOLED 1
#endif

/* ---- memory of connections ---- */

struct slab {
    struct net_conn conn[SLAB_CONNS]; /* first, so that records begin with a cache line */
    struct slab *next;
    char fill[56];
};
_Static_assert(sizeof(struct slab) % 64 == 0, "a size that aligned_alloc takes");

static bool slab_add(struct net_io *io)
{
    struct slab *slab = aligned_alloc(64, sizeof(*slab));
    if (slab == NULL)
        return false;
    slab->next = io->slabs;
    io->slabs = slab;
    for (int i = SLAB_CONNS - 1; i >= 0; i--) {
        slab->conn[i].noted_next = io->conn_free;
        io->conn_free = &slab->conn[i];
    }
    return true;
}

struct net_conn *io_conn_alloc(struct net_io *io)
{
    if (!CONN_POOLED)
        return calloc(1, sizeof(struct net_conn));
    if (io->conn_free == NULL && !slab_add(io))
        return NULL;
    struct net_conn *conn = io->conn_free;
    io->conn_free = conn->noted_next;
    memset(conn, 0, sizeof(*conn));
    return conn;
}

void io_conn_free(struct net_io *io, struct net_conn *conn)
{
    if (!CONN_POOLED) {
        free(conn);
        return;
    }
    conn->noted_next = io->conn_free;
    io->conn_free = conn;
}

/* ---- ids ---- */

static void io_random(struct net_io *io, void *out, size_t len)
{
    if (io->random_left < len) {
        ssize_t got = getrandom(io->random, sizeof(io->random), 0);
        ASSERT(got == (ssize_t)sizeof(io->random)); /* requests up to 256 bytes are never cut; larger ones only by a signal before the pool is ready */
        io->random_left = sizeof(io->random);
    }
    io->random_left -= len;
    memcpy(out, io->random + io->random_left, len);
}

static int slots_grow(struct net_io *io)
{
    uint32_t cap = io->slots_cap == 0 ? 256 : io->slots_cap * 2;
    if (cap > SLOTS_MAX)
        return ERR_FULL;
    struct io_slot *slots = realloc(io->slots, cap * sizeof(*slots));
    if (slots == NULL)
        return ERR_MEMORY;
    io->slots = slots;
    io->slots_cap = cap;
    return 0;
}

int io_slot_take(struct net_io *io, struct net_conn *conn)
{
    uint32_t slot = io->slots_free;
    if (slot != UINT32_MAX) {
        io->slots_free = io->slots[slot].next_free;
    } else {
        if (io->slots_len == io->slots_cap) {
            int rc = slots_grow(io);
            if (rc != 0)
                return rc;
        }
        slot = io->slots_len++;
        io->slots[slot] = (struct io_slot){0};
    }
    uint32_t generation = io->slots[slot].generation;
    io->slots[slot].conn = conn;
    conn->slot = slot;
    uint8_t *id = conn->id.byte;
    id[0] = (uint8_t)io->index;
    for (int i = 0; i < 3; i++) {
        id[1 + i] = (uint8_t)(slot >> (16 - 8 * i));
        id[4 + i] = (uint8_t)(generation >> (16 - 8 * i));
    }
    io_random(io, id + 7, 4);
    return 0;
}

void io_slot_leave(struct net_io *io, struct net_conn *conn)
{
    struct io_slot *slot = &io->slots[conn->slot];
    slot->conn = NULL;
    slot->generation = (slot->generation + 1) & 0xffffff;
    slot->next_free = io->slots_free;
    io->slots_free = conn->slot;
}

struct net_conn *net_io_find(struct net_io *io, const struct net_id *id)
{
    uint32_t slot = (uint32_t)id->byte[1] << 16 | (uint32_t)id->byte[2] << 8 | id->byte[3];
    if (slot >= io->slots_len)
        return NULL;
    struct net_conn *conn = io->slots[slot].conn;
    if (conn == NULL || memcmp(&conn->id, id, sizeof(*id)) != 0 || conn->told || conn->state < CONN_PENDING)
        return NULL;
    return conn;
}

/* ---- accept order ---- */

int io_order_add(struct net_io *io, struct net_conn *conn)
{
    if (io->order_len == io->order_cap) {
        uint32_t cap = io->order_cap == 0 ? 256 : io->order_cap * 2;
        struct net_conn **order = cap <= 2u * SLOTS_MAX ? realloc(io->order, cap * sizeof(struct net_conn *)) : NULL;
        if (order == NULL)
            return ERR_MEMORY;
        io->order = order;
        io->order_cap = cap;
    }
    conn->order = io->order_len;
    io->order[io->order_len++] = conn;
    io->order_live++;
    return 0;
}

void io_order_leave(struct net_io *io, struct net_conn *conn)
{
    io->order[conn->order] = NULL;
    io->order_live--;
}

static void order_compact(struct net_io *io)
{
    uint32_t live = 0;
    if (io->order_len <= 2 * io->order_live + ORDER_SPARE)
        return;
    for (uint32_t i = 0; i < io->order_len; i++) {
        struct net_conn *conn = io->order[i];
        if (conn == NULL)
            continue;
        conn->order = live;
        io->order[live++] = conn;
    }
    io->order_len = live;
}

struct net_conn *net_io_next(struct net_io *io, uint32_t *slot)
{
    while (*slot < io->order_len) {
        struct net_conn *conn = io->order[(*slot)++];
        if (conn != NULL && net_conn_is_ws(conn))
            return conn;
    }
    return NULL;
}

size_t net_io_connections(const struct net_io *io)
{
    return __atomic_load_n(&io->open, __ATOMIC_RELAXED);
}

/* ---- the end of a turn ---- */

void io_settle(struct net_io *io)
{
    if (io->settling)
        return;
    io->settling = true;
    struct net_conn *conn;
    while ((conn = io->noted_first) != NULL) {
        conn_settle(conn);
        /* Noted while it was settled: that is settled too, but for what it holds back. */
        conn->noted = false;
        io->noted_first = conn->noted_next;
        io->noted_count--;
        if (conn->look && conn->state != CONN_DEAD && !conn_stalled(conn))
            conn_note(conn);
    }
    io->noted_last = NULL;
    io->settling = false;
}

static void on_finish(struct loop *loop, struct loop_finish *finish)
{
    struct net_io *io = LIST_ENTRY(finish, struct net_io, finish);
    (void)loop;
    io_settle(io);
    order_compact(io);
}

/* ---- accepting ---- */

bool io_is_trusted(const struct net_io *io, const struct address *address)
{
    const struct net_server *server = io->server;
    for (size_t i = 0; i < server->trusted_count; i++)
        if (address_in_range(address, &server->trusted[i]))
            return true;
    return false;
}

static void accept_pause(struct net_io *io, int64_t ms)
{
    loop_change(io->loop, &io->listener, 0);
    loop_timer_set(io->loop, &io->accept_timer, loop_now_ms(io->loop) + ms);
}

enum { ACCEPT_BURST_NS = 100000000 };

/* The generic cell rate algorithm over all threads, with a tenth of a second of burst. 0: go on; else ms to wait. Threads that look at the same moment may
   all go on, so the burst is exceeded by their number at most. */
static int64_t accept_wait_ms(const struct net_server *server)
{
    if (server->config.accept_rate_max == 0)
        return 0;
    int64_t ahead = __atomic_load_n(&server->accept_ns, __ATOMIC_RELAXED) - clock_mono_ns();
    return ahead > ACCEPT_BURST_NS ? (ahead - ACCEPT_BURST_NS) / 1000000 + 1 : 0;
}

/* A socket came: the next is due a step later. */
static void accept_count(struct net_server *server)
{
    if (server->config.accept_rate_max == 0)
        return;
    int64_t now = clock_mono_ns(), step = 1000000000 / server->config.accept_rate_max;
    int64_t due = __atomic_load_n(&server->accept_ns, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&server->accept_ns, &due, (due > now ? due : now) + step, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

/* Best effort: a peer that cannot be served hears why. */
static void refuse_socket(int fd)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";
    ssize_t sent = send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
    shutdown(fd, SHUT_WR);
    close(fd);
    counter_add(COUNTER_net_accepts_refused, 1);
}

/* No descriptor is left: the reserve takes one socket off the queue. */
static void accept_exhausted(struct net_io *io)
{
    log_warn("net", "no descriptor is left for a new socket; accepting pauses for %d ms", ACCEPT_BACKOFF_MS);
    if (io->reserve_fd >= 0) {
        close(io->reserve_fd);
        int fd = accept4(io->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            refuse_socket(fd);
        io->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    accept_pause(io, ACCEPT_BACKOFF_MS);
}

static void accept_take(struct net_io *io, int fd, const struct sockaddr_storage *storage)
{
    struct net_server *server = io->server;
    struct address peer = address_of_socket(storage);
    if (__atomic_add_fetch(&server->open, 1, __ATOMIC_RELAXED) > server->connections_max) {
        __atomic_fetch_sub(&server->open, 1, __ATOMIC_RELAXED);
        refuse_socket(fd);
        return;
    }
    counter_add(COUNTER_net_accepts, 1);
    if (conn_create(io, fd, &peer) != 0)
        __atomic_fetch_sub(&server->open, 1, __ATOMIC_RELAXED);
}

static void on_listener(struct loop *loop, struct loop_source *source, uint32_t events)
{
    struct net_io *io = LIST_ENTRY(source, struct net_io, listener);
    (void)loop;
    (void)events;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage storage;
        socklen_t len = sizeof(storage);
        int64_t wait_ms = accept_wait_ms(io->server);
        if (wait_ms != 0) {
            accept_pause(io, wait_ms);
            return;
        }
        int fd = accept4(io->listener.fd, (struct sockaddr *)&storage, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            accept_count(io->server);
            accept_take(io, fd, &storage);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            accept_exhausted(io);
        else if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO || errno == EPERM)
            continue;
        return;
    }
}

static void on_accept_timer(struct loop *loop, struct loop_timer *timer)
{
    struct net_io *io = LIST_ENTRY(timer, struct net_io, accept_timer);
    if (io->listener.fd >= 0)
        loop_change(loop, &io->listener, LOOP_READ);
}

int io_accept_start(struct net_io *io, int listen_fd)
{
    io->listener.fd = listen_fd;
    io->listener.on_ready = on_listener;
    return loop_add(io->loop, &io->listener, LOOP_READ);
}

static void accept_stop(struct net_io *io)
{
    if (io->listener.fd < 0)
        return;
    loop_timer_stop(io->loop, &io->accept_timer);
    loop_remove(io->loop, &io->listener);
    close(io->listener.fd);
    io->listener.fd = -1;
}

/* ---- draining ---- */

static void drain_ws(struct net_conn *conn, int64_t spread_ms)
{
    uint32_t random;
    char reason[64];
    io_random(conn->io, &random, sizeof(random));
    int64_t retry_ms = spread_ms > 0 ? (int64_t)(random % (uint64_t)spread_ms) : 0;
    int len = snprintf(reason, sizeof(reason), "retry in %lld ms", (long long)retry_ms);
    net_ws_close(conn, NET_END_DRAIN, WS_CLOSE_GOING_AWAY, text_make(reason, (size_t)len));
}

static void drain_conn(struct net_conn *conn, int64_t spread_ms)
{
    switch (conn->state) {
    case CONN_OPEN:
        drain_ws(conn, spread_ms);
        break;
    case CONN_SNIFF:
        conn_doom(conn, NET_END_DRAIN);
        break;
    case CONN_POUR:
        conn->last = true;
        pour_drain(conn);
        break;
    case CONN_H2:
        h2_drain(conn);
        break;
    case CONN_HEAD:
        if (!conn->begun && conn->out.bytes == 0)
            conn_doom(conn, NET_END_DRAIN);
        else if (!conn->begun)
            conn_linger(conn);
        conn->last = true;
        break;
    default:
        conn->last = true;
    }
}

/* An inbox hook: every turn, so that another thread's word needs no queue. Returns what is to be done yet. */
static int on_inbox(void *context)
{
    struct net_io *io = context;
    struct net_server *server = io->server;
    if (!io->cut && __atomic_load_n(&server->drain, __ATOMIC_ACQUIRE) == 2) {
        io->cut = true;
        for (uint32_t slot = 0; slot < io->slots_len; slot++)
            if (io->slots[slot].conn && io->slots[slot].conn->state != CONN_DEAD)
                conn_doom(io->slots[slot].conn, NET_END_DRAIN);
    }
    if (io->drain_done || !__atomic_load_n(&server->drain, __ATOMIC_ACQUIRE))
        return 0;
    if (!io->draining) {
        io->draining = true;
        accept_stop(io);
    }
    for (int i = 0; i < DRAIN_SLICE && io->drain_slot < io->slots_len; i++) {
        struct net_conn *conn = io->slots[io->drain_slot++].conn;
        if (conn != NULL)
            drain_conn(conn, server->drain_spread_ms);
    }
    if (io->drain_slot < io->slots_len)
        return 1;
    __atomic_store_n(&io->drain_done, true, __ATOMIC_RELEASE);
    return 0;
}

/* ---- the thread ---- */

int io_init(struct net_io *io, struct net_server *server, unsigned index, struct err *err)
{
    io->server = server;
    io->index = index;
    io->listener.fd = io->reserve_fd = -1;
    io->slots_free = UINT32_MAX;
    io->date_second = -1;
    out_pool_init(&io->pool);
    buf_init(&io->scratch, NET_READ_MAX);
    loop_finish_init(&io->finish, on_finish);
    loop_timer_init(&io->accept_timer, on_accept_timer);
    io->buffer = malloc(NET_READ_MAX + JSON_PADDING);
    if (io->buffer == NULL)
        return err_set(err, ERR_MEMORY, "no memory for an io thread");
    memset(io->buffer, 0, NET_READ_MAX + JSON_PADDING);
    io->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (io->reserve_fd < 0)
        return err_set(err, ERR_IO, "no descriptor is left for an io thread");
    int rc = loop_create(&io->loop, err);
    return rc != 0 ? rc : loop_inbox_add(io->loop, on_inbox, io);
}

void io_fini(struct net_io *io)
{
    if (io->loop != NULL) {
        accept_stop(io);
        loop_finish_cancel(&io->finish);
        loop_destroy(io->loop);
    }
    if (io->reserve_fd >= 0)
        close(io->reserve_fd);
    while (io->slabs != NULL) {
        struct slab *slab = io->slabs;
        io->slabs = slab->next;
        free(slab);
    }
    out_pool_fini(&io->pool);
    buf_fini(&io->scratch);
    free(io->slots);
    free(io->order);
    free(io->buffer);
}

static void close_all(struct net_io *io)
{
    for (uint32_t i = 0; i < io->slots_len; i++) {
        struct net_conn *conn = io->slots[i].conn;
        if (conn == NULL)
            continue;
        if (conn->state == CONN_OPEN) {
            conn->end = NET_END_SERVER;
            conn->close_code = WS_CLOSE_ABNORMAL;
        }
        conn_end(conn);
    }
}

void *io_main(void *context)
{
    struct net_io *io = context;
    const struct net_events *events = &io->server->events;
    if (events->on_io_start != NULL)
        events->on_io_start(events->context, io);
    loop_run(io->loop);
    accept_stop(io);
    close_all(io);
    if (events->on_io_stop != NULL)
        events->on_io_stop(events->context, io);
    return NULL;
}

const char *io_date(struct net_io *io)
{
    int64_t now_ms = clock_wall_ms();
    if (now_ms / SECOND_MS != io->date_second) {
        io->date_second = now_ms / SECOND_MS;
        clock_format_http(now_ms, io->date);
    }
    return io->date;
}

struct loop *net_io_loop(struct net_io *io)
{
    return io->loop;
}

unsigned net_io_index(const struct net_io *io)
{
    return io->index;
}

void *net_io_user(const struct net_io *io)
{
    return io->user;
}

void net_io_set_user(struct net_io *io, void *user)
{
    io->user = user;
}
