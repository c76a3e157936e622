/*
 * The load generator: one thread, one core, so that the server can have the other. Every run is bounded by seconds
 * and counts, goes to the loopback only, and prints one JSON object.
 *
 *   load echo     each connection keeps K messages in flight; an answer is a message of the same size
 *   load request  the same with a message of its own each time ("%u" is a counter): a request and its answer
 *   load fanout   P publishers keep K publishes in flight; one ends when all N subscribers have it
 *   load connect  TCP, handshake, close, P at a time
 *   load idle     N connections that do nothing: what the server's memory grew by for each
 *
 * Answers are counted after a warm-up, latencies from the moment a message was handed to the kernel. With --rate the
 * load is open: messages are due at fixed times whatever the server does, and latency counts from the due time, so a
 * stall is charged to every message that it delays. With --pid the server's CPU time per message is printed too: on a
 * machine whose speed drifts, that and ratios within one session are what can be compared.
 *
 * In a fan-out a delivery is recognised by a marker in the payload (publisher and sequence in hexadecimal), so the
 * server may wrap it in whatever it likes, and answers to publishers or joins are not counted.
 */
#include "client.h"

#include <signal.h>
#include <sys/wait.h>

enum {
    CONNECTIONS_MAX = 100000,
    PER_PROCESS = 18000, /* connections; 20,000 open files is the limit of the machines this is made for */
    INFLIGHT_MAX = 1024,
    SIZE_MAX_BYTES = 1024 * 1024,
    OPENING_AT_ONCE = 256,
    SECONDS_MAX = 3600,
    STALL_SECONDS = 5,
    MARKER_LEN = 16 /* "~wb" publisher:4 sequence:8 "~" */
};

struct options {
    const char *url, *subscribe_url, *publish_url, *message, *match, *join, *publish;
    long connections, inflight, size, subscribers, publishers, parallel, pid;
    double seconds, warmup, rate;
};

static struct options options = {.connections = 1,
    .inflight = 1,
    .size = 64,
    .subscribers = 1,
    .publishers = 1,
    .parallel = 16,
    .seconds = 5,
    .warmup = 0.5};

/* ---- the measured window ---- */

static struct {
    struct histogram latency;
    uint64_t done;  /* messages, deliveries, connects */
    uint64_t whole; /* publishes that reached every subscriber */
    bool counting, stalled;
    int64_t from_ns, to_ns;
    int64_t cpu_from_ns, cpu_to_ns;
    int64_t progress_ns; /* the last time anything was done */
    uint64_t wrong;
} window;

static int64_t seconds_ns(double seconds)
{
    return (int64_t)(seconds * 1e9);
}

static void window_begin(void)
{
    memset(&window.latency, 0, sizeof(window.latency));
    window.done = window.whole = 0;
    window.counting = true;
    window.from_ns = now_ns();
    window.cpu_from_ns = options.pid > 0 ? process_cpu_ns((int)options.pid) : -1;
}

static void window_print(const char *what)
{
    double seconds = (double)(window.to_ns - window.from_ns) / 1e9;
    printf("\"seconds\":%.3f,\"%s\":%" PRIu64 ",\"per_second\":%.0f", seconds, what, window.done,
        (double)window.done / seconds);
    histogram_print(&window.latency);
    if (window.cpu_from_ns >= 0 && window.cpu_to_ns >= 0 && window.done > 0) {
        double cpu_ns = (double)(window.cpu_to_ns - window.cpu_from_ns);
        printf(",\"server_cpu\":%.3f,\"server_cpu_us_each\":%.4f", cpu_ns / 1e9 / seconds,
            cpu_ns / 1e3 / (double)window.done);
    }
    printf(",\"refused\":%u,\"lost\":%u,\"wrong\":%" PRIu64 ",\"stalled\":%s}\n", pool.refused, pool.lost,
        window.wrong, window.stalled ? "true" : "false");
}

/* Warm-up, the window, the end. `work` does what is due and returns how long the next wait may be at most. */
static bool window_run(int64_t (*work)(int64_t now))
{
    int64_t start = now_ns(), warm = start + seconds_ns(options.warmup), end = warm + seconds_ns(options.seconds);
    window.progress_ns = start;
    for (;;) {
        int64_t now = now_ns();
        if (!window.counting && now >= warm)
            window_begin();
        if (now >= end || now - window.progress_ns > seconds_ns(STALL_SECONDS))
            break;
        int64_t wait = work(now), most = (window.counting ? end : warm) - now;
        pool_turn(wait < most ? wait : most);
    }
    if (!window.counting)
        window_begin();
    window.to_ns = now_ns();
    window.cpu_to_ns = options.pid > 0 ? process_cpu_ns((int)options.pid) : -1;
    window.stalled = window.to_ns < end || window.done == 0;
    if (window.stalled)
        fprintf(stderr, "load: nothing arrived for %d seconds or in the whole window\n", STALL_SECONDS);
    return !window.stalled;
}

static void count_done(int64_t latency_ns)
{
    window.done++;
    histogram_add(&window.latency, latency_ns);
}

/* ---- opening many ---- */

static long open_count; /* handshakes done */

static void on_open_count(struct client *c)
{
    (void)c;
    open_count++;
}

static void open_all(long count, const char *url, struct client *(*client_at)(long i))
{
    struct address address = address_parse(url);
    int64_t deadline = now_ns() + seconds_ns(60);
    long before = open_count;
    for (long begun = 0; open_count - before < count;) {
        while (begun < count && begun - (open_count - before) < OPENING_AT_ONCE)
            if (!client_open(client_at(begun++), &address))
                give_up("cannot connect");
        pool_turn(seconds_ns(0.1));
        if (pool.refused > 0)
            give_up("a handshake failed");
        if (now_ns() > deadline)
            give_up("the handshakes took more than 60 seconds");
    }
}

/* ---- open load: what is due at a fixed rate ---- */

static struct {
    int64_t start_ns;
    uint64_t sent;
} schedule;

static int64_t schedule_due_ns(int64_t now)
{
    if (schedule.start_ns == 0)
        schedule.start_ns = now;
    return schedule.start_ns + (int64_t)((double)schedule.sent * 1e9 / options.rate);
}

/* ---- echo and request: a lane is a connection with messages in flight, answered in order ---- */

struct lane {
    struct client client; /* first: a client of a lane is the lane */
    uint32_t sent, answered;
    int64_t *sent_ns; /* a ring of `inflight` entries */
};

static struct lane *lanes;
static char *scratch; /* the frames of one send */
static char *payload; /* echo's */
static bool is_request;
static uint64_t request_counter;
static long next_lane;

/* Sends `count` messages in one write; their latency counts from at_ns. */
static void lane_send(struct lane *lane, long count, int64_t at_ns)
{
    size_t len = 0, first = 0;
    for (long i = 0; i < count; i++) {
        lane->sent_ns[lane->sent++ % (uint32_t)options.inflight] = at_ns;
        if (is_request) {
            char text[8192];
            size_t text_len = fill_number(text, sizeof(text), options.message, request_counter++);
            len += frame_write(scratch + len, lane->client.mask, 1, text, text_len);
        } else if (i == 0) {
            len = first = frame_write(scratch, lane->client.mask, 1, payload, (size_t)options.size);
        } else { /* the same frame again */
            memcpy(scratch + len, scratch, first);
            len += first;
        }
    }
    client_send(&lane->client, scratch, len);
}

static void on_lane_message(struct client *c, int opcode, const char *data, size_t len)
{
    struct lane *lane = (struct lane *)c;
    (void)opcode;
    if (is_request && options.match != NULL && memmem(data, len, options.match, strlen(options.match)) == NULL)
        return;
    if (lane->answered == lane->sent ||
        (!is_request && (len != (size_t)options.size || data[0] != 'a' || data[len - 1] != 'a'))) {
        window.wrong++;
        return;
    }
    window.progress_ns = pool.read_ns;
    count_done(pool.read_ns - lane->sent_ns[lane->answered++ % (uint32_t)options.inflight]);
}

static void on_lane_batch(struct client *c)
{
    struct lane *lane = (struct lane *)c;
    long room = options.inflight - (long)(lane->sent - lane->answered);
    if (options.rate == 0 && room > 0)
        lane_send(lane, room, now_ns());
}

/* With a rate: sends what is due, each on the next lane that has room. What finds no room stays due. */
static int64_t lane_work(int64_t now)
{
    if (options.rate == 0)
        return seconds_ns(1);
    for (;;) {
        int64_t due = schedule_due_ns(now);
        if (due > now)
            return due - now;
        long tried = 0;
        struct lane *lane;
        do {
            lane = &lanes[next_lane];
            next_lane = (next_lane + 1) % options.connections;
        } while (lane->sent - lane->answered == (uint32_t)options.inflight && ++tried < options.connections);
        if (tried == options.connections)
            return seconds_ns(0.01);
        lane_send(lane, 1, due);
        schedule.sent++;
    }
}

static struct client *lane_client(long i)
{
    return &lanes[i].client;
}

static bool run_lanes(bool request)
{
    is_request = request;
    if (request && options.message == NULL)
        give_up("--message is needed");
    size_t size = request ? strlen(options.message) + 1024 : (size_t)options.size;
    size_t most = (size_t)options.inflight * (size + CLIENT_FRAME_HEAD);
    if (most > (size_t)1 << 28)
        give_up("in flight times size is more than 256 MiB");
    scratch = must_alloc(1, most);
    payload = must_alloc(1, (size_t)options.size);
    memset(payload, 'a', (size_t)options.size);
    lanes = must_alloc((size_t)options.connections, sizeof(*lanes));
    open_all(options.connections, options.url, lane_client);
    for (long i = 0; i < options.connections; i++)
        lanes[i].sent_ns = must_alloc((size_t)options.inflight, sizeof(int64_t));
    /* Callbacks from here on: a greeting that came before is nobody's answer. */
    pool.on_message = on_lane_message;
    pool.on_batch = on_lane_batch;
    for (long i = 0; i < options.connections && options.rate == 0; i++)
        lane_send(&lanes[i], options.inflight, now_ns());
    bool fine = window_run(lane_work);
    printf("{\"mode\":\"%s\",\"connections\":%ld,\"inflight\":%ld,\"size\":%ld,\"rate\":%.0f,",
        request ? "request" : "echo", options.connections, options.inflight,
        request ? (long)strlen(options.message) : options.size, options.rate);
    window_print("messages");
    return fine && window.wrong == 0 && pool.lost == 0;
}

/* ---- fan-out ---- */

struct flight { /* a publish on its way */
    uint32_t sequence, arrived;
    int64_t sent_ns;
};

struct publisher {
    struct client client;
    uint32_t sequence, inflight;
    struct flight *flights; /* a ring of INFLIGHT_MAX, by sequence */
};

struct subscriber {
    struct client client;
    uint32_t heard; /* messages */
};

static struct publisher *publishers;
static struct subscriber *subscribers;
static size_t marker_at;   /* where the last delivery had its marker */
static uint64_t strangers; /* messages without a marker */
static long joined;

static void publisher_send(struct publisher *p, long count, int64_t at_ns)
{
    size_t len = 0;
    for (long i = 0; i < count; i++) {
        struct flight *flight = &p->flights[p->sequence % INFLIGHT_MAX];
        *flight = (struct flight){p->sequence, 0, at_ns};
        char marker[MARKER_LEN + 1], text[SIZE_MAX_BYTES / 16];
        snprintf(marker, sizeof(marker), "~wb%04x%08x~", (unsigned)(p - publishers) & 0xffff, p->sequence);
        const char *template = options.publish;
        size_t text_len = 0, fixed = strlen(template) - 2 + MARKER_LEN - (strstr(template, "%p") != NULL ? 2 : 0);
        while (*template != 0) {
            if (template[0] == '%' && template[1] == 'm') {
                memcpy(text + text_len, marker, MARKER_LEN);
                text_len += MARKER_LEN;
                template += 2;
            } else if (template[0] == '%' && template[1] == 'p') {
                size_t padding = fixed < (size_t)options.size ? (size_t)options.size - fixed : 0;
                memset(text + text_len, 'a', padding);
                text_len += padding;
                template += 2;
            } else {
                text[text_len++] = *template ++;
            }
        }
        len += frame_write(scratch + len, p->client.mask, 1, text, text_len);
        p->sequence++;
        p->inflight++;
    }
    client_send(&p->client, scratch, len);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, int digits, uint32_t *out)
{
    uint32_t value = 0;
    for (int i = 0; i < digits; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    *out = value;
    return true;
}

/* The marker of a message, or NULL. It nearly always stands where it stood in the one before. */
static const char *find_marker(const char *data, size_t len)
{
    if (marker_at + MARKER_LEN <= len && memcmp(data + marker_at, "~wb", 3) == 0)
        return data + marker_at;
    const char *found = memmem(data, len, "~wb", 3);
    if (found == NULL || (size_t)(found - data) + MARKER_LEN > len)
        return NULL;
    marker_at = (size_t)(found - data);
    return found;
}

static void on_delivery(struct client *c, int opcode, const char *data, size_t len)
{
    struct subscriber *s = (struct subscriber *)c;
    const char *marker = find_marker(data, len);
    uint32_t number, sequence;
    (void)opcode;
    if (s->heard++ == 0)
        joined++;
    if (marker == NULL) { /* an answer to the join, news of members */
        strangers++;
        return;
    }
    if (!read_hex(marker + 3, 4, &number) || !read_hex(marker + 7, 8, &sequence) ||
        number >= (uint32_t)options.publishers) {
        window.wrong++;
        return;
    }
    struct publisher *p = &publishers[number];
    struct flight *flight = &p->flights[sequence % INFLIGHT_MAX];
    if (flight->sequence != sequence || flight->arrived == (uint32_t)options.subscribers) {
        window.wrong++; /* twice, or of an earlier run */
        return;
    }
    window.done++;
    window.progress_ns = pool.read_ns;
    if (++flight->arrived == (uint32_t)options.subscribers) {
        histogram_add(&window.latency, pool.read_ns - flight->sent_ns);
        p->inflight--;
        window.whole++;
    }
}

/* Subscribers and publishers share the pool; a publisher's messages (acknowledgements) are not deliveries. */
static void on_fanout_message(struct client *c, int opcode, const char *data, size_t len)
{
    const char *from = (const char *)subscribers, *to = (const char *)(subscribers + options.subscribers);
    if ((const char *)c >= from && (const char *)c < to)
        on_delivery(c, opcode, data, len);
}

/* After all that one wait brought: publishes again, all of a publisher's in one write. */
static int64_t fanout_work(int64_t now)
{
    if (options.rate == 0) {
        for (long i = 0; i < options.publishers; i++)
            if (publishers[i].inflight < (uint32_t)options.inflight)
                publisher_send(&publishers[i], options.inflight - (long)publishers[i].inflight, now);
        return seconds_ns(1);
    }
    for (;;) {
        int64_t due = schedule_due_ns(now);
        struct publisher *p = &publishers[schedule.sent % (uint64_t)options.publishers];
        if (due > now)
            return due - now;
        if (p->inflight == (uint32_t)options.inflight)
            return seconds_ns(0.01);
        publisher_send(p, 1, due);
        schedule.sent++;
    }
}

static struct client *publisher_client(long i)
{
    return &publishers[i].client;
}

static struct client *subscriber_client(long i)
{
    return &subscribers[i].client;
}

static void join_all(void)
{
    char text[8192];
    int64_t deadline = now_ns() + seconds_ns(20);
    joined = 0;
    for (long i = 0; i < options.subscribers; i++) {
        subscribers[i].heard = 0;
        client_frame(&subscribers[i].client, 1, text, fill_number(text, sizeof(text), options.join, (uint64_t)i));
        if (i % 64 == 63)
            pool_turn(0);
    }
    while (joined < options.subscribers && now_ns() < deadline)
        pool_turn(seconds_ns(0.1));
    if (joined < options.subscribers)
        give_up("not every subscriber's join was answered within 20 seconds");
}

static bool run_fanout(void)
{
    if (options.subscribe_url == NULL)
        give_up("--subscribe-url is needed");
    if (options.publish_url == NULL)
        options.publish_url = options.subscribe_url;
    if (options.publish == NULL)
        options.publish = "%m%p";
    const char *mark = strstr(options.publish, "%m"), *pad = strstr(options.publish, "%p");
    if (mark == NULL || strstr(mark + 2, "%m") != NULL || (pad != NULL && strstr(pad + 2, "%p") != NULL) ||
        options.size > SIZE_MAX_BYTES / 32 || strlen(options.publish) > 8192)
        give_up(
            "--publish has %m once (and %p at most once, padding up to --size of at most 32 KiB) and 8 KiB at most");
    scratch = must_alloc((size_t)options.inflight, (size_t)options.size + 16384);
    publishers = must_alloc((size_t)options.publishers, sizeof(*publishers));
    subscribers = must_alloc((size_t)options.subscribers, sizeof(*subscribers));
    for (long i = 0; i < options.publishers; i++) {
        publishers[i].flights = must_alloc(INFLIGHT_MAX, sizeof(struct flight));
        for (uint32_t f = 0; f < INFLIGHT_MAX; f++)
            publishers[i].flights[f].sequence = UINT32_MAX;
    }
    pool.on_message = on_fanout_message;
    open_all(options.subscribers, options.subscribe_url, subscriber_client);
    open_all(options.publishers, options.publish_url, publisher_client);
    if (options.join != NULL)
        join_all();
    strangers = 0;
    bool fine = window_run(fanout_work);
    printf("{\"mode\":\"fanout\",\"subscribers\":%ld,\"publishers\":%ld,\"inflight\":%ld,\"size\":%ld,\"rate\":%.0f,"
           "\"publishes_whole\":%" PRIu64 ",\"other_messages\":%" PRIu64 ",",
        options.subscribers, options.publishers, options.inflight, options.size, options.rate, window.whole, strangers);
    window_print("deliveries");
    return fine && window.wrong == 0 && pool.lost == 0;
}

/* ---- connect ---- */

static struct client *slots;
static struct address connect_address;

static void slot_begin(struct client *c)
{
    if (!client_open(c, &connect_address))
        give_up("cannot connect");
}

static void on_connect_open(struct client *c)
{
    int64_t now = pool.read_ns;
    window.progress_ns = now;
    count_done(now - c->started_ns);
    client_close(c);
}

static void on_connect_lost(struct client *c)
{
    (void)c; /* counted as refused; its slot is filled again like the others */
}

static int64_t connect_work(int64_t now)
{
    (void)now;
    for (long i = 0; i < options.parallel; i++)
        if (slots[i].state == CLIENT_CLOSED)
            slot_begin(&slots[i]);
    return seconds_ns(0.1);
}

static void ignore_message(struct client *c, int opcode, const char *data, size_t len)
{
    (void)c;
    (void)opcode;
    (void)data;
    (void)len;
}

static bool run_connect(void)
{
    connect_address = address_parse(options.url);
    slots = must_alloc((size_t)options.parallel, sizeof(*slots));
    pool.sources = 200; /* a closed connection holds its port for a minute: 200 addresses have ports enough */
    pool.on_open = on_connect_open;
    pool.on_lost = on_connect_lost;
    bool fine = window_run(connect_work);
    printf("{\"mode\":\"connect\",\"parallel\":%ld,", options.parallel);
    window_print("connects");
    return fine && pool.refused == 0;
}

/* ---- idle ---- */

static struct client *idle_clients;

static struct client *idle_client(long i)
{
    return &idle_clients[i];
}

/* A child: opens its part, says so, answers pings until the parent closes its pipe. */
static _Noreturn void idle_child(long count, uint32_t first, int ready, int until)
{
    char byte = 0;
    pool_init();
    pool.opened = first;
    idle_clients = must_alloc((size_t)count, sizeof(*idle_clients));
    open_all(count, options.url, idle_client);
    if (write(ready, &byte, 1) != 1)
        exit(1);
    struct client stop = {.fd = until, .state = CLIENT_SHAKING};
    client_watch(&stop, EPOLL_CTL_ADD, 0); /* a closed pipe is told without being asked for */
    while (pool.lost == 0 && stop.state == CLIENT_SHAKING)
        pool_turn(seconds_ns(1));
    exit(pool.lost == 0 ? 0 : 1);
}

static bool run_idle(void)
{
    if (options.pid <= 0)
        give_up("--pid is needed");
    int ready[2], until[2];
    long children = (options.connections + PER_PROCESS - 1) / PER_PROCESS;
    if (pipe(ready) != 0 || pipe(until) != 0)
        give_up("cannot make a pipe");
    int64_t rss = process_memory((int)options.pid, "Rss:"), anonymous = process_memory((int)options.pid, "Anonymous:");
    if (rss < 0)
        give_up("cannot read the server's smaps_rollup");
    pool.sources = (uint32_t)children + 1;
    for (long i = 0; i < children; i++) {
        long first = i * PER_PROCESS, left = options.connections - first;
        if (fork() == 0) {
            close(until[1]);
            close(ready[0]);
            idle_child(left < PER_PROCESS ? left : PER_PROCESS, (uint32_t)first, ready[1], until[0]);
        }
    }
    close(ready[1]);
    char byte;
    long count = 0;
    while (count < children && read(ready[0], &byte, 1) == 1)
        count++;
    nanosleep(&(struct timespec){(time_t)options.seconds, 0}, NULL); /* --seconds: what is deferred has been freed */
    int64_t rss_after = process_memory((int)options.pid, "Rss:");
    int64_t anonymous_after = process_memory((int)options.pid, "Anonymous:");
    close(until[1]);
    bool fine = count == children;
    for (int status; wait(&status) > 0;)
        fine = fine && status == 0;
    double n = (double)options.connections;
    printf("{\"mode\":\"idle\",\"connections\":%ld,\"processes\":%ld,\"rss_before\":%" PRId64 ",\"rss_after\":%" PRId64
           ",\"rss_per_connection\":%.1f,\"anonymous_per_connection\":%.1f,\"whole\":%s}\n",
        options.connections, children, rss, rss_after, (double)(rss_after - rss) / n,
        (double)(anonymous_after - anonymous) / n, fine ? "true" : "false");
    return fine;
}

/* ---- the command line ---- */

static const char usage_text[] =
    "usage: load echo    --url ws://127.0.0.1:P/echo [--connections C] [--inflight K] [--size S] [--rate R]\n"
    "       load request --url URL --message '{\"n\":%u}' [--match TEXT] [--connections C] [--inflight K] [--rate R]\n"
    "       load fanout  --subscribe-url URL [--publish-url URL] [--join TEXT] [--publish TEXT with %m and %p]\n"
    "                    [--subscribers N] [--publishers P] [--inflight K] [--size S] [--rate R]\n"
    "       load connect --url URL [--parallel K]\n"
    "       load idle    --url URL --pid P [--connections N]\n"
    "all:   [--seconds T] [--warmup T] [--pid P: the server, for its CPU time] [--header 'Name: value']...\n"
    "%u in an address or a join is the connection's number, in a message a counter. %m is the marker by which\n"
    "a delivery is recognised, %p padding up to --size. Results are one JSON object on standard output.\n";

static double number_between(const char *name, const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);
    if (*text == 0 || *end != 0 || !(value >= least && value <= most)) {
        fprintf(stderr, "load: --%s must be %g to %g\n", name, least, most);
        exit(2);
    }
    return value;
}

static void add_header(const char *text)
{
    size_t len = strlen(pool.headers);
    if (strchr(text, ':') == NULL || strpbrk(text, "\r\n") != NULL || len + strlen(text) + 3 > sizeof(pool.headers))
        give_up("a header looks like 'Name: value', 16 KiB in all");
    snprintf(pool.headers + len, sizeof(pool.headers) - len, "%s\r\n", text);
}

static const struct text_option {
    const char *name;
    const char **to;
} text_options[] = {
    {"url", &options.url},
    {"subscribe-url", &options.subscribe_url},
    {"publish-url", &options.publish_url},
    {"message", &options.message},
    {"match", &options.match},
    {"join", &options.join},
    {"publish", &options.publish},
};

static const struct count_option {
    const char *name;
    long *to;
    double least, most;
} count_options[] = {
    {"connections", &options.connections, 1, CONNECTIONS_MAX},
    {"inflight", &options.inflight, 1, INFLIGHT_MAX},
    {"size", &options.size, 1, SIZE_MAX_BYTES},
    {"subscribers", &options.subscribers, 1, PER_PROCESS},
    {"publishers", &options.publishers, 1, 1000},
    {"parallel", &options.parallel, 1, 4096},
    {"pid", &options.pid, 1, 1 << 22},
};

static const struct time_option {
    const char *name;
    double *to;
    double least, most;
} time_options[] = {
    {"seconds", &options.seconds, 0.1, SECONDS_MAX},
    {"warmup", &options.warmup, 0, 60},
    {"rate", &options.rate, 1, 1e7},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool set_option(const char *name, const char *value)
{
    for (size_t i = 0; i < COUNT_OF(text_options); i++)
        if (strcmp(name, text_options[i].name) == 0)
            return *text_options[i].to = value, true;
    for (size_t i = 0; i < COUNT_OF(count_options); i++) {
        const struct count_option *o = &count_options[i];
        if (strcmp(name, o->name) == 0)
            return *o->to = (long)number_between(name, value, o->least, o->most), true;
    }
    for (size_t i = 0; i < COUNT_OF(time_options); i++) {
        const struct time_option *o = &time_options[i];
        if (strcmp(name, o->name) == 0)
            return *o->to = number_between(name, value, o->least, o->most), true;
    }
    if (strcmp(name, "header") == 0)
        return add_header(value), true;
    return false;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    bool help = strcmp(mode, "--help") == 0;
    for (int i = 2; i < argc; i += 2)
        if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc || !set_option(argv[i] + 2, argv[i + 1]))
            mode = "";
    bool idle = strcmp(mode, "idle") == 0, fanout = strcmp(mode, "fanout") == 0;
    if (strcmp(mode, "echo") != 0 && strcmp(mode, "request") != 0 && strcmp(mode, "connect") != 0 && !idle && !fanout) {
        fputs(usage_text, help ? stdout : stderr);
        return help ? 0 : 2;
    }
    if (!fanout && options.url == NULL)
        give_up("--url is needed");
    if (!idle && options.connections > PER_PROCESS)
        give_up("more than 18,000 connections are for idle alone");
    signal(SIGPIPE, SIG_IGN);
    pool.on_open = on_open_count;
    pool.on_message = ignore_message;
    if (idle)
        return run_idle() ? 0 : 1;
    pool_init();
    bool fine = fanout ? run_fanout() : strcmp(mode, "connect") == 0 ? run_connect() : run_lanes(mode[0] == 'r');
    return fine ? 0 : 1;
}
