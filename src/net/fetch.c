/*
 * The pool: one thread that owns a libcurl multi handle.
 *
 * Requests come from any thread, io threads among them, so the way in has no lock: a stack that is pushed by compare-and-swap and
 * taken whole by the pool's thread (which turns it round, so order is kept). `accepted` counts what is inside the
 * pool, waiting and in flight, and is the bound that fetch_start enforces.
 *
 * The thread takes requests from the waiting line while fewer than in_flight_max are on the wire. The time a request may
 * take begins in fetch_start: one that waited too long is answered without being sent. Easy handles are not kept; connections
 * are, by the multi handle.
 *
 * Redirects stay off: a webhook that answers 302 could point anywhere inside the network. Proxies are named by
 * configuration or not at all, never by an environment that a child process or a unit file may have set for something else.
 */
#include "net/fetch.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/counter.h"
#include "net/fetch_job.h"

#define IN_FLIGHT_DEFAULT 64
#define QUEUE_DEFAULT 1024
#define BODY_DEFAULT ((size_t)8 << 20)
#define TIMEOUT_DEFAULT_MS 30000
#define IDLE_POLL_MS 1000   /* nothing wakes the thread earlier than work or fetch_wakeup */
#define WAITING_POLL_MS 100 /* while requests wait, so that their deadlines are seen */

struct fetch_pool {
    struct fetch_limits limits;
    uint32_t in_flight_max, accepted_max;
    bool link_local;
    char *ca_file;
    CURLM *multi;
    pthread_t thread;
    _Atomic(struct fetch_job *) inbox; /* newest first */
    atomic_uint accepted;
    atomic_bool stopping;
    /* the pool's thread alone */
    struct fetch_job *waiting, **waiting_end;
    struct fetch_job *flying; /* doubly linked */
    uint32_t in_flight;
};

/* ---- finishing ---- */

static void job_finish(struct fetch_pool *pool, struct fetch_job *job, int error, int status, const char *message)
{
    struct fetch_response response = {
        .error = error, .status = status, .headers = buf_text(&job->response_headers),
        .body = buf_text(&job->response_body), .message = message, .elapsed_ms = clock_mono_ms() - job->started_ms, .unsent = job->unsent};
    if (error)
        counter_add(COUNTER_fetch_failures, 1);
    atomic_fetch_sub(&pool->accepted, 1); /* first: the callback may start the next request in this one's place */
    job->done(job->ctx, &response);
    fetch_job_destroy(job);
}

static int error_of(CURLcode code, const struct fetch_job *job)
{
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return ERR_MEMORY;
    case CURLE_URL_MALFORMAT:
        return ERR_INVALID;
    case CURLE_FILESIZE_EXCEEDED:
        return ERR_TOO_LARGE;
    default:
        return job->too_large ? ERR_TOO_LARGE : ERR_IO;
    }
}

/* Out of libcurl's hands; the job itself stays. */
static void job_land(struct fetch_pool *pool, struct fetch_job *job)
{
    curl_multi_remove_handle(pool->multi, job->easy);
    curl_easy_cleanup(job->easy);
    curl_slist_free_all(job->header_list);
    job->easy = job->header_list = NULL;
    if (job->next)
        job->next->previous = job->previous;
    if (job->previous)
        job->previous->next = job->next;
    else
        pool->flying = job->next;
    pool->in_flight--;
    counter_add(COUNTER_fetch_in_flight, -1);
}

static void job_complete(struct fetch_pool *pool, struct fetch_job *job, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);
    job_land(pool, job);
    job->unsent = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
    const char *message = job->too_large ? "the answer is larger than its limit" : curl_easy_strerror(code);
    job_finish(pool, job, error_of(code, job), (int)status, code == CURLE_OK ? NULL : message);
}

/* ---- starting ---- */

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
    struct fetch_job *job = ctx;
    if (fetch_job_header_line(job, text_make(data, size * n)))
        return size * n;
    job->too_large = true;
    return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct fetch_job *job = ctx;
    if (buf_add(&job->response_body, data, size * n) == 0)
        return size * n;
    job->too_large = true;
    return 0;
}

static bool header_add(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (!longer)
        return false;
    *list = longer;
    return true;
}

/* The caller's fields, and the two that libcurl would add by itself taken out. */
static bool headers_set(struct fetch_job *job)
{
    struct curl_slist *list = NULL;
    bool good = true;
    for (size_t i = 0; good && i < job->header_count; i++)
        good = header_add(&list, job->headers[i]);
    if (good && !job->has_content_type)
        good = header_add(&list, "Content-Type:");
    if (good && !job->has_expect)
        good = header_add(&list, "Expect:");
    job->header_list = list;
    return good && curl_easy_setopt(job->easy, CURLOPT_HTTPHEADER, list) == CURLE_OK;
}

static void method_set(CURL *easy, const struct fetch_job *job)
{
    bool post = strcmp(job->method, "POST") == 0 || strcmp(job->method, "PUT") == 0 ||
                strcmp(job->method, "PATCH") == 0;
    if (job->body.len || post) { /* these say Content-Length: 0 when they have no body */
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)job->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, job->body.data);
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, job->method);
    } else if (job->is_head) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (!job->is_get) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, job->method);
    }
}

static bool is_link_local4(const unsigned char *a)
{
    return a[0] == 169 && a[1] == 254;
}

/* fe80::/10; fd00:ec2::/32, where one cloud has the same service; and IPv4's, as ::ffff:a.b.c.d or through NAT64 (64:ff9b::a.b.c.d). */
static bool is_link_local6(const unsigned char *a)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, nat64[12] = {0, 0x64, 0xff, 0x9b}, cloud[4] = {0xfd, 0, 0x0e, 0xc2};
    bool four = memcmp(a, mapped, 12) == 0 || memcmp(a, nat64, 12) == 0;
    return (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) || memcmp(a, cloud, 4) == 0 || (four && is_link_local4(a + 12));
}

/* The address is known here, whatever name stood in the URL. */
static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)context;
    (void)purpose;
    if (address->family == AF_INET && is_link_local4((const unsigned char *)&((const struct sockaddr_in *)(const void *)&address->addr)->sin_addr))
        return CURL_SOCKET_BAD;
    if (address->family == AF_INET6 && is_link_local6((const unsigned char *)&((const struct sockaddr_in6 *)(const void *)&address->addr)->sin6_addr))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void safety_set(CURL *easy, const struct fetch_pool *pool, const struct fetch_job *job)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)job->response_max);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (!pool->link_local)
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    if (pool->ca_file) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, pool->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
}

static bool easy_set(struct fetch_pool *pool, struct fetch_job *job, int64_t left_ms)
{
    CURL *easy = job->easy;
    if (!headers_set(job) || curl_easy_setopt(easy, CURLOPT_URL, job->url) != CURLE_OK)
        return false;
    safety_set(easy, pool, job);
    method_set(easy, job);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, job);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, job);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, job);
    return curl_multi_add_handle(pool->multi, easy) == CURLM_OK;
}

static void job_fly(struct fetch_pool *pool, struct fetch_job *job, int64_t now_ms)
{
    if (now_ms >= job->deadline_ms) {
        job_finish(pool, job, ERR_TIMEOUT, 0, "it waited too long for a free place");
        return;
    }
    job->easy = curl_easy_init();
    if (!job->easy || !easy_set(pool, job, job->deadline_ms - now_ms)) {
        curl_easy_cleanup(job->easy);
        curl_slist_free_all(job->header_list);
        job_finish(pool, job, ERR_MEMORY, 0, "no memory for the request");
        return;
    }
    job->previous = NULL;
    job->next = pool->flying;
    if (pool->flying)
        pool->flying->previous = job;
    pool->flying = job;
    pool->in_flight++;
    counter_add(COUNTER_fetch_in_flight, 1);
}

/* ---- the waiting line ---- */

/* The inbox is newest first: it is turned round before it joins the line. */
static void inbox_take(struct fetch_pool *pool)
{
    struct fetch_job *newest = atomic_exchange_explicit(&pool->inbox, NULL, memory_order_acquire), *oldest = NULL;
    while (newest) {
        struct fetch_job *older = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = older;
    }
    *pool->waiting_end = oldest;
    while (*pool->waiting_end)
        pool->waiting_end = &(*pool->waiting_end)->next;
}

static struct fetch_job *waiting_take(struct fetch_pool *pool)
{
    struct fetch_job *job = pool->waiting;
    pool->waiting = job->next;
    if (!pool->waiting)
        pool->waiting_end = &pool->waiting;
    job->next = NULL;
    return job;
}

/* Takes those out that are past their time although no place became free. The line is walked as it stood. */
static void waiting_expire(struct fetch_pool *pool, int64_t now_ms)
{
    struct fetch_job *expired = NULL, **expired_end = &expired, **at = &pool->waiting;
    while (*at) {
        struct fetch_job *job = *at;
        if (now_ms < job->deadline_ms) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        job->next = NULL;
        *expired_end = job;
        expired_end = &job->next;
    }
    pool->waiting_end = at;
    while (expired) {
        struct fetch_job *job = expired;
        expired = job->next;
        job_finish(pool, job, ERR_TIMEOUT, 0, "it waited too long for a free place");
    }
}

static void waiting_start(struct fetch_pool *pool)
{
    int64_t now_ms = clock_mono_ms();
    while (pool->waiting && pool->in_flight < pool->in_flight_max)
        job_fly(pool, waiting_take(pool), now_ms);
    if (pool->waiting)
        waiting_expire(pool, now_ms);
}

/* ---- the thread ---- */

static void done_collect(struct fetch_pool *pool)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(pool->multi, &left))) {
        struct fetch_job *job = NULL;
        CURLcode code = message->data.result; /* the message dies with its handle */
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&job);
        job_complete(pool, job, code);
    }
}

static void pool_drain(struct fetch_pool *pool)
{
    while (pool->flying) {
        struct fetch_job *job = pool->flying;
        job_land(pool, job);
        job_finish(pool, job, ERR_CLOSED, 0, "the server is stopping");
    }
    for (inbox_take(pool); pool->waiting; inbox_take(pool))
        job_finish(pool, waiting_take(pool), ERR_CLOSED, 0, "the server is stopping");
}

static void *pool_run(void *arg)
{
    struct fetch_pool *pool = arg;
    int running = 0;
    while (!atomic_load(&pool->stopping)) {
        inbox_take(pool);
        waiting_start(pool);
        curl_multi_perform(pool->multi, &running);
        done_collect(pool);
        bool more = pool->waiting && pool->in_flight < pool->in_flight_max;
        curl_multi_poll(pool->multi, NULL, 0, more ? 0 : pool->waiting ? WAITING_POLL_MS : IDLE_POLL_MS, NULL);
    }
    pool_drain(pool);
    return NULL;
}

static void curl_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Signals are for the main thread. */
static int thread_start(struct fetch_pool *pool)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&pool->thread, NULL, pool_run, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? ERR_IO : 0;
}

static void pool_free(struct fetch_pool *pool)
{
    if (pool->multi)
        curl_multi_cleanup(pool->multi);
    free(pool->ca_file);
    free(pool);
}

static void options_take(struct fetch_pool *pool, const struct fetch_options *options)
{
    uint32_t queue = options->queue_max ? options->queue_max : QUEUE_DEFAULT;
    pool->in_flight_max = options->in_flight_max ? options->in_flight_max : IN_FLIGHT_DEFAULT;
    pool->accepted_max = pool->in_flight_max + queue;
    pool->limits.body_max = options->body_max ? options->body_max : BODY_DEFAULT;
    pool->limits.response_max = options->response_max ? options->response_max : BODY_DEFAULT;
    pool->limits.timeout_max_ms = options->timeout_max_ms ? options->timeout_max_ms : TIMEOUT_DEFAULT_MS;
}

int fetch_pool_create(const struct fetch_options *options, struct fetch_pool **out, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, curl_init);
    struct fetch_pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return err_set(err, ERR_MEMORY, "no memory for outgoing HTTP");
    options_take(pool, options);
    pool->link_local = options->link_local;
    pool->waiting_end = &pool->waiting;
    pool->multi = curl_multi_init();
    pool->ca_file = options->ca_file ? strdup(options->ca_file) : NULL;
    if (!pool->multi || (options->ca_file && !pool->ca_file)) {
        pool_free(pool);
        return err_set(err, ERR_MEMORY, "no memory for outgoing HTTP");
    }
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)pool->in_flight_max);
    int code = thread_start(pool);
    if (code) {
        pool_free(pool);
        return err_set(err, code, "no thread for outgoing HTTP");
    }
    *out = pool;
    return 0;
}

void fetch_pool_destroy(struct fetch_pool *pool)
{
    if (!pool)
        return;
    ASSERT(!pthread_equal(pool->thread, pthread_self()));
    atomic_store(&pool->stopping, true);
    curl_multi_wakeup(pool->multi);
    pthread_join(pool->thread, NULL);
    pool_free(pool);
}

void fetch_wakeup(struct fetch_pool *pool)
{
    curl_multi_wakeup(pool->multi);
}

static bool place_take(struct fetch_pool *pool)
{
    unsigned accepted = atomic_load(&pool->accepted);
    do {
        if (accepted >= pool->accepted_max)
            return false;
    } while (!atomic_compare_exchange_weak(&pool->accepted, &accepted, accepted + 1));
    return true;
}

int fetch_start(struct fetch_pool *pool, const struct fetch_request *request, fetch_done_fn *done, void *ctx)
{
    struct fetch_job *job;
    if (atomic_load(&pool->stopping))
        return ERR_CLOSED;
    if (!place_take(pool))
        return ERR_FULL;
    int code = fetch_job_create(request, &pool->limits, done, ctx, &job);
    if (code) {
        atomic_fetch_sub(&pool->accepted, 1);
        return code;
    }
    counter_add(COUNTER_fetch_requests, 1);
    job->next = atomic_load_explicit(&pool->inbox, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&pool->inbox, &job->next, job, memory_order_release,
                                                  memory_order_relaxed))
        ;
    curl_multi_wakeup(pool->multi);
    return 0;
}
