/*
 * A whole server in this process: tables, journal, tick, gateway and sockets, in a folder of its own, stopped and started at will; its disk can be full and its fsync
 * held. Beside it another small server plays a team's backend. Each test program brings its routes and tables. Clients are those of net/server_fixture.h.
 */
#ifndef WEIR_TESTS_GATEWAY_HOUSE_H
#define WEIR_TESTS_GATEWAY_HOUSE_H

#include "net/server_fixture.h"

#include "gateway/internal.h"
#include "store/key.h"

#include <ftw.h>
#include <pthread.h>
#include <sys/stat.h>

struct house {
    char folder[64], tables[96], records[96];
    struct gw_api_config api;
    struct gateway_config config;
    struct journal_file_ops files;
    const struct journal_file_ops *real;
    atomic_bool full;             /* no free space */
    atomic_bool held;             /* fsync waits */
    size_t credit_max;            /* 0: the default */
    int io_threads;               /* 0: 1 */
    void (*ticking)(struct house *); /* may be NULL: the tick runs, the gateway does not yet */
    struct store *store;
    struct journal *journal;
    struct worker_pool *workers;
    struct gateway *gateway;
    struct net_server *net;
    struct tick *tick;
    struct fixture client;        /* for the functions of server_fixture.h: names the port */
};

static UNUSED int house_free(void *context, const char *folder, uint64_t *bytes)
{
    struct house *h = context;
    int rc = h->real->folder_free(h->real->context, folder, bytes);
    if (atomic_load(&h->full))
        *bytes = 0;
    return rc;
}

static UNUSED int house_sync(void *context, int handle)
{
    struct house *h = context;
    while (atomic_load(&h->held))
        nap();
    return h->real->datasync(h->real->context, handle);
}

static UNUSED void must(int code, const struct err *err)
{
    if (code)
        fail_msg("%s: %s", err_name(code), err->text);
}

static UNUSED void house_fatal(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
    abort();
}

/* `routes` and `table` live as long as the house. */
static UNUSED void house_init(struct house *h, struct gw_route_config *routes, size_t count, struct weir_table **table, size_t tables)
{
    memset(h, 0, sizeof(*h));
    log_level_set(LOG_ERROR);
    strcpy(h->folder, "/tmp/weir-house-XXXXXX");
    assert_non_null(mkdtemp(h->folder));
    snprintf(h->tables, sizeof(h->tables), "%s/tables", h->folder);
    snprintf(h->records, sizeof(h->records), "%s/journal", h->folder);
    h->real = journal_files_real();
    h->files = *h->real;
    h->files.context = h;
    h->files.folder_free = house_free;
    h->files.datasync = house_sync;
    h->api = (struct gw_api_config){
        .name = TEXT("app"),
        .stages = {TEXT("prod")},
        .stage_count = 1,
        .ws = {.limits = {.message_max = 1 << 20, .require_mask = true}, .queue_bytes_max = 1 << 20, .queue_messages_max = 4096},
        .routes = routes,
        .route_count = count,
        .tables = table,
        .table_count = tables,
    };
    h->config = (struct gateway_config){.apis = &h->api, .api_count = 1, .environment = TEXT("dev"), .admin_open = true, .driven_clock = true};
}

static UNUSED void house_start(struct house *h)
{
    struct err err = {0};
    struct net_events events;
    struct tick_sink *sinks;
    unsigned count;
    uint64_t records = 0;
    struct store_config store = {.folder = h->tables, .cache_bytes = 8 << 20, .write_buffer_bytes = 16 << 20};
    must(store_open(&h->store, &store, &err), &err);
    struct journal_config journal = {.folder = h->records, .segment_bytes = 1 << 20, .reserve_bytes = 1 << 20, .files = &h->files, .known_durable = store_applied(h->store)};
    must(journal_open(&h->journal, &journal, &err), &err);
    must(tick_recover(h->store, h->journal, &records, &err), &err);
    must(worker_pool_create(&h->workers, 1, 64, &err), &err);
    h->config.store = h->store;
    h->config.journal = h->journal;
    h->config.workers = h->workers;
    must(gateway_create(&h->gateway, &h->config, &err), &err);
    struct net_config net = {.address = "127.0.0.1", .io_threads = h->io_threads ? h->io_threads : 1};
    gateway_net_events(h->gateway, &events);
    must(net_server_create(&h->net, &net, &events, &err), &err);
    must(gateway_sinks(h->gateway, h->net, &sinks, &count, &err), &err);
    struct tick_config tick = {.store = h->store, .journal = h->journal, .workers = h->workers, .sources = count, .sinks = sinks, .expiry = true,
        .credit_max = h->credit_max, .on_fatal = house_fatal};
    gateway_tick_hooks(h->gateway, &tick);
    must(tick_create(&h->tick, &tick, &err), &err);
    must(gateway_define_tables(h->gateway, h->tick, &err), &err);
    must(tick_start(h->tick, &err), &err);
    if (h->ticking)
        h->ticking(h);
    must(gateway_start(h->gateway, h->net, h->tick, &err), &err);
    must(net_server_start(h->net, &err), &err);
    h->client.server = h->net;
}

static UNUSED void house_stop(struct house *h)
{
    tick_stop(h->tick);
    net_server_stop(h->net);
    gateway_stop(h->gateway);
    tick_destroy(h->tick);
    worker_pool_destroy(h->workers);
    net_server_destroy(h->net);
    gateway_destroy(h->gateway);
    journal_close(h->journal);
    store_close(h->store);
    assert_int_equal(counter_read(COUNTER_gw_rooms), 0);
    assert_int_equal(counter_read(COUNTER_gw_room_members), 0);
    assert_int_equal(counter_read(COUNTER_ws_connections), 0);
    assert_int_equal(counter_read(COUNTER_tick_calls_waiting), 0);
}

static UNUSED int house_remove(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
    (void)stat;
    (void)flag;
    (void)walk;
    return remove(path);
}

static UNUSED void house_fini(struct house *h)
{
    nftw(h->folder, house_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static UNUSED void house_advance(struct house *h, int64_t ms)
{
    clock_advance(ms);
    for (unsigned i = 0; i <= h->gateway->io_count; i++)
        loop_wake(h->gateway->io[i].loop);
    tick_wake(h->tick);
    fetch_wakeup(h->gateway->fetch);
}

/* Waits for a condition while the time goes on, for what comes after a second or two. Fast for five seconds of it, then about as fast as real time: on a slow machine nothing that is
   under way may run out of time meanwhile. Whether the condition holds is for the caller to assert. */
#define HOUSE_UNTIL(h, condition)                                                                                                                                                      \
    do {                                                                                                                                                                               \
        for (int waited = 0; !(condition) && waited < 60000; waited++) {                                                                                                               \
            if (waited < 50 || waited % 100 == 0)                                                                                                                                      \
                house_advance(h, 100);                                                                                                                                                 \
            nap();                                                                                                                                                                     \
        }                                                                                                                                                                              \
    } while (0)

/* A socket; extra: further header lines. Answers the status in *status when that is given, and no socket then unless it is 101. */
static UNUSED int house_socket_with(struct house *h, const char *path, const char *extra, int *status)
{
    char head[4096], request[2048];
    int fd = client_open(&h->client);
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", path, extra);
    client_say(fd, request);
    client_head(fd, head, sizeof(head));
    if (status)
        *status = atoi(head + 9);
    if (atoi(head + 9) == 101)
        return fd;
    close(fd);
    if (!status)
        fail_msg("%s", head);
    return -1;
}

static UNUSED int house_socket(struct house *h)
{
    return house_socket_with(h, "/app", "", NULL);
}

/* One request on a connection of its own; the status, the body in out. */
static UNUSED int house_request(struct house *h, const char *method, const char *path, const char *extra, const char *body, char *out, size_t size)
{
    char request[4096];
    int fd = client_open(&h->client);
    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n%s\r\n%s", method, path, strlen(body), extra, body);
    client_say(fd, request);
    int status = client_answer(fd, out, size);
    close(fd);
    return status;
}

struct row_count {
    size_t rows;
};

static UNUSED int house_count(void *context, struct text key, struct text value)
{
    (void)key;
    (void)value;
    ((struct row_count *)context)->rows++;
    return 0;
}

/* Rows of a raw sub-space, durable ones. */
static UNUSED size_t house_rows(struct house *h, uint8_t space)
{
    struct row_count count = {0};
    struct arena arena;
    struct store_view view = {.store = h->store, .snapshot = store_snapshot_acquire(h->store, STORE_READERS_MAX - 1), .now_s = clock_wall_ms() / 1000};
    arena_init(&arena, 4096, 16 << 20);
    assert_int_equal(store_raw_scan(&view, space, TEXT(""), &arena, house_count, &count), 0);
    arena_fini(&arena);
    store_snapshot_release(h->store, STORE_READERS_MAX - 1);
    return count.rows;
}

/* ---- a team's backend ---- */

enum backend_mood { BACKEND_ANSWERS, BACKEND_SILENT, BACKEND_DIES, BACKEND_FAILS };
struct backend {
    struct fixture f; /* first: on_io_start takes it for the fixture */
    atomic_int mood, asked;
    struct net_conn *newest; /* its thread's */
    char answer[512];
    char url[64];
    char authorization[256]; /* of the last request; set before asked is counted */
};

static UNUSED void backend_on_request(void *context, struct net_conn *conn, const struct http_request *request, struct text body)
{
    struct backend *b = context;
    (void)body;
    for (size_t i = 0; i < request->headers; i++)
        if (text_equal_nocase(request->header[i].name, TEXT("authorization")))
            snprintf(b->authorization, sizeof(b->authorization), "%.*s", TEXT_FMT(request->header[i].value));
    int mood = atomic_load(&b->mood);
    b->newest = conn;
    if (mood == BACKEND_ANSWERS)
        net_http_respond(conn, 200, TEXT_NONE, text_of(b->answer), 0);
    else if (mood == BACKEND_FAILS)
        net_http_respond(conn, 500, TEXT_NONE, TEXT("no"), 0);
    else if (mood == BACKEND_DIES)
        net_conn_abort(conn);
    atomic_fetch_add(&b->asked, 1);
}

static UNUSED enum ws_verdict backend_on_message(void *context, struct net_conn *conn, bool binary, char *data, size_t len)
{
    (void)context;
    (void)conn;
    (void)binary;
    (void)data;
    (void)len;
    return WS_GO_ON;
}

static UNUSED void backend_on_close(void *context, struct net_conn *conn, enum net_end how, int code, struct text reason)
{
    (void)context;
    (void)conn;
    (void)how;
    (void)code;
    (void)reason;
}

static UNUSED void backend_start(struct backend *b)
{
    memset(b, 0, sizeof(*b));
    fixture_init(&b->f);
    b->f.events = (struct net_events){.context = b, .on_request = backend_on_request, .on_message = backend_on_message, .on_close = backend_on_close, .on_io_start = on_io_start};
    fixture_start(&b->f);
    snprintf(b->answer, sizeof(b->answer), "fine");
    snprintf(b->url, sizeof(b->url), "http://127.0.0.1:%u/hook", net_server_port(b->f.server));
}

static UNUSED void backend_abort(struct fixture *f, void *context)
{
    (void)f;
    net_conn_abort(((struct backend *)context)->newest);
}

/* Whoever waits for the newest answer has waited for nothing. */
static UNUSED void backend_drop(struct backend *b)
{
    fixture_run(&b->f, backend_abort, b);
}

static UNUSED void backend_stop(struct backend *b)
{
    net_server_stop(b->f.server);
    net_server_destroy(b->f.server);
    pthread_mutex_destroy(&b->f.lock);
    pthread_cond_destroy(&b->f.done);
}

#endif
