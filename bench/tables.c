/*
 * The load on the tables' wire: signed HTTP requests, prepared once, sent over keep-alive connections. One thread, one core, loopback only, bounded by seconds.
 *
 *   tables replay   each connection has one request under way: requests/s, latency
 *   tables follow   requests are due at a fixed rate (writes), and one WebSocket follows the table: from the moment a write was due to
 *                   the arrival of its change
 *
 * A signature costs a client ten times what the load generator may spend on a request, so requests come ready in a file (bench/tables.mjs signs them): each is four
 * bytes of length, little-endian, and its bytes. They are sent in turn and begin again at the end; a signature is good for five minutes.
 *
 * A change is recognised by the marker of its request: "~wb" and eight hexadecimal digits, its number in the file.
 */
#include "client.h"

enum {
    HTTP_CONNECTIONS_MAX = 1024,
    HTTP_ANSWER_MAX = 4 << 20,
    REQUESTS_MAX = 1 << 20,
    SECONDS_MAX = 3600,
    STALL_SECONDS = 5,
    MARKER_DIGITS = 8
};

static struct {
    const char *url, *requests, *socket, *subscribe;
    long connections, pid;
    double seconds, warmup, rate;
} options = {.connections = 32, .seconds = 5, .warmup = 0.5};

struct request {
    const char *data;
    uint32_t len;
    uint32_t number; /* of its marker; UINT32_MAX: none */
};
static struct {
    struct request *request;
    uint32_t count, next;
    int64_t *due_ns; /* by marker number: when its write was due, 0 when its change has come */
} load;

struct http {
    int fd;
    bool busy;
    uint32_t sent_of; /* request under way */
    size_t sent;
    int64_t started_ns;
    char *in;
    size_t len;
};
static struct http *https;
static struct {
    struct histogram latency;
    uint64_t done, failed, changes;
    bool counting;
    int64_t from_ns, to_ns, cpu_from_ns, cpu_to_ns, progress_ns;
    uint64_t late; /* writes that found no free connection when they were due */
} window;
static int epoll_fd;
static char failure[512];
static bool subscribed;

/* ---- requests ---- */

static uint32_t marker_of(const char *data, size_t len)
{
    const char *at = memmem(data, len, "~wb", 3);
    char digits[MARKER_DIGITS + 1] = {0};
    if (at == NULL || (size_t)(data + len - at) < 3 + MARKER_DIGITS)
        return UINT32_MAX;
    memcpy(digits, at + 3, MARKER_DIGITS);
    return (uint32_t)strtoul(digits, NULL, 16);
}

static void requests_read(void)
{
    FILE *file = fopen(options.requests, "rb");
    if (file == NULL)
        give_up("cannot read the file of requests");
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *bytes = must_alloc(1, (size_t)size + 1);
    if (size < 5 || fread(bytes, 1, (size_t)size, file) != (size_t)size)
        give_up("the file of requests is empty");
    fclose(file);
    load.request = must_alloc(REQUESTS_MAX, sizeof(*load.request));
    for (long at = 0; at + 4 <= size && load.count < REQUESTS_MAX;) {
        uint32_t len;
        memcpy(&len, bytes + at, 4);
        if (len == 0 || at + 4 + (long)len > size)
            give_up("the file of requests is cut");
        load.request[load.count++] = (struct request){bytes + at + 4, len, marker_of(bytes + at + 4, len)};
        at += 4 + (long)len;
    }
    load.due_ns = must_alloc(REQUESTS_MAX, sizeof(*load.due_ns));
}

/* ---- connections ---- */

static void http_watch(struct http *h, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = h};
    if (epoll_ctl(epoll_fd, operation, h->fd, &event) != 0)
        give_up("epoll_ctl failed");
}

static void http_open(struct http *h, const struct address *address)
{
    int one = 1;
    h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    h->in = must_alloc(1, HTTP_ANSWER_MAX);
    if (h->fd < 0 || connect(h->fd, (const struct sockaddr *)&address->to, sizeof(address->to)) != 0)
        give_up("cannot connect");
    setsockopt(h->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    http_watch(h, EPOLL_CTL_ADD, EPOLLIN);
}

static void http_push(struct http *h)
{
    const struct request *r = &load.request[h->sent_of];
    ssize_t sent = send(h->fd, r->data + h->sent, r->len - h->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
        give_up("the server closed a connection");
    h->sent += sent > 0 ? (size_t)sent : 0;
    http_watch(h, EPOLL_CTL_MOD, h->sent < r->len ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void http_send(struct http *h, int64_t due_ns)
{
    h->busy = true;
    h->sent_of = load.next;
    h->sent = 0;
    h->started_ns = due_ns;
    load.next = (load.next + 1) % load.count;
    const struct request *r = &load.request[h->sent_of];
    if (r->number < REQUESTS_MAX)
        load.due_ns[r->number] = due_ns;
    ssize_t sent = send(h->fd, r->data, r->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == (ssize_t)r->len) {
        h->sent = r->len;
        return;
    }
    if (sent > 0)
        h->sent = (size_t)sent;
    http_push(h);
}

/* Bytes of a whole answer in `in`, 0 while it is incomplete. */
static size_t answer_length(const struct http *h)
{
    const char *end = memmem(h->in, h->len, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    size_t head = (size_t)(end - h->in) + 4;
    for (const char *line = h->in; line < end; line = (const char *)memchr(line, '\n', (size_t)(end + 4 - line)) + 1) {
        if (strncasecmp(line, "content-length:", 15) == 0) {
            size_t whole = head + strtoul(line + 15, NULL, 10);
            return whole <= h->len ? whole : 0;
        }
        if (strncasecmp(line, "transfer-encoding:", 18) == 0) {
            const char *last = memmem(end, h->len - head + 4, "\r\n0\r\n\r\n", 7);
            return last != NULL ? (size_t)(last + 7 - h->in) : 0;
        }
    }
    return head;
}

static void http_answered(struct http *h, size_t len)
{
    h->busy = false;
    window.progress_ns = now_ns();
    if (memcmp(h->in, "HTTP/1.1 200", 12) != 0 && memcmp(h->in, "HTTP/1.1 204", 12) != 0) {
        window.failed++;
        if (failure[0] == 0)
            snprintf(failure, sizeof(failure), "%.*s", (int)(len < sizeof(failure) ? len : sizeof(failure) - 1), h->in);
    }
    if (window.counting) {
        window.done++;
        if (options.socket == NULL)
            histogram_add(&window.latency, window.progress_ns - h->started_ns);
    }
    memmove(h->in, h->in + len, h->len - len);
    h->len -= len;
    if (options.rate <= 0)
        http_send(h, now_ns());
}

static void http_read(struct http *h)
{
    ssize_t got = recv(h->fd, h->in + h->len, HTTP_ANSWER_MAX - h->len, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN))
        give_up("the server closed a connection");
    if (got < 0)
        return;
    h->len += (size_t)got;
    size_t whole = h->busy ? answer_length(h) : 0;
    if (whole != 0)
        http_answered(h, whole);
    else if (h->len == HTTP_ANSWER_MAX)
        give_up("an answer is longer than 4 MiB");
}

/* ---- the follower ---- */

static void follower_open(struct client *c)
{
    client_frame(c, 1, options.subscribe, strlen(options.subscribe));
}

static void follower_message(struct client *c, int opcode, const char *data, size_t len)
{
    (void)c;
    (void)opcode;
    subscribed = true;
    const char *at = data;
    while ((at = memmem(at, len - (size_t)(at - data), "~wb", 3)) != NULL) {
        uint32_t number = marker_of(at, len - (size_t)(at - data));
        at += 3;
        if (number >= REQUESTS_MAX || load.due_ns[number] == 0)
            continue;
        if (window.counting) {
            window.changes++;
            histogram_add(&window.latency, pool.read_ns - load.due_ns[number]);
        }
        load.due_ns[number] = 0;
    }
}

/* ---- the run ---- */

static void turn(int64_t wait_ns)
{
    struct epoll_event events[256];
    struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
    int count = epoll_pwait2(epoll_fd, events, 256, &wait, NULL);
    for (int i = 0; i < count; i++) {
        struct http *h = events[i].data.ptr;
        if (h == NULL) {
            pool_turn(0);
            continue;
        }
        if (events[i].events & EPOLLOUT)
            http_push(h);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            http_read(h);
    }
}

static struct http *http_free(void)
{
    for (long i = 0; i < options.connections; i++)
        if (!https[i].busy)
            return &https[i];
    return NULL;
}

/* Sends what is due; answers how long nothing will be. */
static int64_t send_due(int64_t *next_ns)
{
    int64_t step = (int64_t)(1e9 / options.rate);
    while (*next_ns <= now_ns()) {
        struct http *h = http_free();
        if (h == NULL) {
            window.late++;
            return 1000000;
        }
        http_send(h, *next_ns);
        *next_ns += step;
    }
    int64_t wait = *next_ns - now_ns();
    return wait > 0 ? wait : 0;
}

static void run_until(int64_t end_ns, int64_t *next_ns)
{
    window.progress_ns = now_ns();
    while (now_ns() < end_ns) {
        int64_t wait = options.rate > 0 ? send_due(next_ns) : 10000000;
        turn(wait < 10000000 ? wait : 10000000);
        if (now_ns() - window.progress_ns > (int64_t)STALL_SECONDS * 1000000000)
            give_up("no answer for five seconds");
    }
}

static void follow_begin(struct client *follower, const struct address *address)
{
    pool_init();
    pool.on_open = follower_open;
    pool.on_message = follower_message;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (!client_open(follower, address) || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pool.epoll_fd, &event) != 0)
        give_up("cannot follow");
    int64_t end = now_ns() + (int64_t)STALL_SECONDS * 1000000000;
    while (!subscribed && pool.refused == 0 && now_ns() < end)
        pool_turn(10000000);
    if (!subscribed)
        give_up("the subscription was not answered");
}

static void print_result(void)
{
    double seconds = (double)(window.to_ns - window.from_ns) / 1e9;
    uint64_t done = window.done > 0 ? window.done : 1;
    printf("{\"seconds\":%.3f,\"requests\":%" PRIu64 ",\"per_second\":%.0f,\"failed\":%" PRIu64 ",\"late\":%" PRIu64, seconds, window.done,
        (double)window.done / seconds, window.failed, window.late);
    if (options.socket != NULL)
        printf(",\"changes\":%" PRIu64 ",\"changes_per_second\":%.0f", window.changes, (double)window.changes / seconds);
    if (options.pid > 0)
        printf(",\"server_cpu_us_each\":%.2f,\"per_cpu_second\":%.0f", (double)(window.cpu_to_ns - window.cpu_from_ns) / 1000 / (double)done,
            (double)window.done * 1e9 / (double)(window.cpu_to_ns - window.cpu_from_ns));
    histogram_print(&window.latency);
    printf("}\n");
    if (window.failed != 0)
        fprintf(stderr, "tables: %" PRIu64 " answers were no 200 or 204; the first: %s\n", window.failed, failure);
}

static void read_options(int count, char **args)
{
    for (int i = 0; i + 1 < count; i += 2) {
        const char *name = args[i], *value = args[i + 1];
        if (strcmp(name, "--url") == 0)
            options.url = value;
        else if (strcmp(name, "--requests") == 0)
            options.requests = value;
        else if (strcmp(name, "--socket") == 0)
            options.socket = value;
        else if (strcmp(name, "--subscribe") == 0)
            options.subscribe = value;
        else if (strcmp(name, "--connections") == 0)
            options.connections = strtol(value, NULL, 10);
        else if (strcmp(name, "--pid") == 0)
            options.pid = strtol(value, NULL, 10);
        else if (strcmp(name, "--seconds") == 0)
            options.seconds = strtod(value, NULL);
        else if (strcmp(name, "--warmup") == 0)
            options.warmup = strtod(value, NULL);
        else if (strcmp(name, "--rate") == 0)
            options.rate = strtod(value, NULL);
        else
            give_up("unknown option; see the head of bench/tables.c");
    }
}

int main(int argc, char **argv)
{
    bool follow = argc > 1 && strcmp(argv[1], "follow") == 0;
    struct client follower;
    if (argc < 4 || (!follow && strcmp(argv[1], "replay") != 0))
        give_up("tables replay|follow --url ws://127.0.0.1:PORT --requests FILE ...");
    read_options(argc - 2, argv + 2);
    bool bounded = options.connections >= 1 && options.connections <= HTTP_CONNECTIONS_MAX && options.seconds > 0 && options.seconds <= SECONDS_MAX;
    if (options.url == NULL || options.requests == NULL || !bounded || (follow && (options.socket == NULL || options.subscribe == NULL || options.rate <= 0)))
        give_up("an option is missing or out of bounds");
    struct address address = address_parse(options.url);
    requests_read();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    https = must_alloc((size_t)options.connections, sizeof(*https));
    for (long i = 0; i < options.connections; i++)
        http_open(&https[i], &address);
    if (follow) {
        struct address socket_address = address_parse(options.socket);
        follow_begin(&follower, &socket_address);
    }
    int64_t next_ns = now_ns();
    for (long i = 0; options.rate <= 0 && i < options.connections; i++)
        http_send(&https[i], now_ns());
    run_until(now_ns() + (int64_t)(options.warmup * 1e9), &next_ns);
    window.counting = true;
    window.from_ns = now_ns();
    window.cpu_from_ns = options.pid > 0 ? process_cpu_ns((int)options.pid) : 0;
    run_until(window.from_ns + (int64_t)(options.seconds * 1e9), &next_ns);
    window.to_ns = now_ns();
    window.cpu_to_ns = options.pid > 0 ? process_cpu_ns((int)options.pid) : 0;
    print_result();
    return window.failed != 0;
}
