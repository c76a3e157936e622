/*
 * Blocking calls over the pool of net/fetch, which keeps its connections and has one thread. A thread that exports a segment, or imports a batch, is simplest
 * when it waits for its answer; how many such threads there are is how many requests are in flight.
 *
 * The signature covers the Host field, so it is written here exactly as libcurl will write it: as in the URL, without the scheme's own port.
 */
#include "main/wire_client.h"

#include "base/clock.h"
#include "base/hash.h"
#include "net/fetch.h"
#include "net/sigv4.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define TIMEOUT_MS 60000
#define PAUSE_FIRST_MS 50
#define PAUSE_MAX_MS 15000
#define TARGET "DynamoDB_20120810."
#define ARENA_MAX ((size_t)512 << 20) /* the tree of the largest answer */

struct wire_client {
    struct fetch_pool *pool;
    char endpoint[512], host[300], region[SIGV4_SCOPE_PART_MAX + 1];
    const char *id, *secret, *token;
};

/* One call that a thread waits for. */
struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool over;
    int error;
    struct wire_answer *answer;
    char message[160];
};

/* ---- opening ---- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static bool is_loopback(const char *host)
{
    static const char *const names[] = {"localhost", "127.", "[::1]"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncasecmp(host, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* The host with its port, as it stands in the Host field. */
static int read_endpoint(struct wire_client *client, const char *given, struct err *err)
{
    bool tls = strncasecmp(given, "https://", 8) == 0;
    size_t scheme = tls ? 8 : 7;
    if (!tls && strncasecmp(given, "http://", 7))
        return err_set(err, ERR_INVALID, "the endpoint is an address such as " WIRE_ENDPOINT " or https://dynamodb.eu-west-1.amazonaws.com, not '%s'", given);
    size_t len = strcspn(given + scheme, "/?#");
    const char *rest = given + scheme + len;
    if (!len || len >= sizeof(client->host) || (*rest && strcmp(rest, "/") != 0) || memchr(given + scheme, '@', len))
        return err_set(err, ERR_INVALID, "the endpoint '%s' is more than a host and a port", given);
    snprintf(client->endpoint, sizeof(client->endpoint), "%.*s", (int)(scheme + len), given);
    snprintf(client->host, sizeof(client->host), "%.*s", (int)len, given + scheme);
    const char *usual = tls ? ":443" : ":80";
    size_t port = strlen(usual);
    if (len > port && strcmp(client->host + len - port, usual) == 0)
        client->host[len - port] = 0;
    return 0;
}

/* dynamodb.REGION.amazonaws.com, and its kin. */
static bool region_of_host(const char *host, char *out, size_t size)
{
    const char *begin = strchr(host, '.'), *end = begin ? strchr(begin + 1, '.') : NULL;
    if (strncmp(host, "dynamodb", 8) || !end || !strstr(end, "amazonaws.com") || (size_t)(end - begin) > size)
        return false;
    snprintf(out, size, "%.*s", (int)(end - begin - 1), begin + 1);
    return true;
}

static int read_keys(struct wire_client *client, struct err *err)
{
    client->id = environment("AWS_ACCESS_KEY_ID");
    client->secret = environment("AWS_SECRET_ACCESS_KEY");
    client->token = environment("AWS_SESSION_TOKEN");
    if (client->id && client->secret)
        return 0;
    if (client->id || client->secret)
        return err_set(err, ERR_UNAUTHENTICATED, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set both, or neither");
    if (!is_loopback(client->host))
        return err_set(err, ERR_UNAUTHENTICATED, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: requests to %s must be signed", client->host);
    client->id = client->secret = "test";
    client->token = NULL;
    return 0;
}

int wire_client_create(struct wire_client **out, const struct wire_options *options, struct err *err)
{
    struct wire_client *client = calloc(1, sizeof(*client));
    if (!client)
        return err_set(err, ERR_MEMORY, "out of memory");
    const char *region = options->region ? options->region : environment("AWS_REGION");
    if (!region)
        region = environment("AWS_DEFAULT_REGION");
    int code = read_endpoint(client, options->endpoint ? options->endpoint : WIRE_ENDPOINT, err);
    if (!code)
        code = read_keys(client, err);
    if (!code && region)
        snprintf(client->region, sizeof(client->region), "%s", region);
    else if (!code && !region_of_host(client->host, client->region, sizeof(client->region)))
        snprintf(client->region, sizeof(client->region), "us-east-1");
    unsigned flight = options->in_flight ? options->in_flight : 1;
    const char *ca = options->ca_file ? options->ca_file : environment("AWS_CA_BUNDLE");
    struct fetch_options pool = {.in_flight_max = flight, .queue_max = flight, .body_max = WIRE_BODY_MAX, .response_max = WIRE_ANSWER_MAX, .timeout_max_ms = TIMEOUT_MS, .ca_file = ca};
    if (!code)
        code = fetch_pool_create(&pool, &client->pool, err);
    if (code)
        free(client);
    else
        *out = client;
    return code;
}

void wire_client_destroy(struct wire_client *client)
{
    if (!client)
        return;
    fetch_pool_destroy(client->pool);
    free(client);
}

const char *wire_client_endpoint(const struct wire_client *client)
{
    return client->endpoint;
}

void wire_answer_init(struct wire_answer *answer)
{
    *answer = (struct wire_answer){0};
    buf_init(&answer->body, WIRE_ANSWER_MAX);
    arena_init(&answer->arena, 64 << 10, ARENA_MAX);
}

void wire_answer_fini(struct wire_answer *answer)
{
    buf_fini(&answer->body);
    arena_fini(&answer->arena);
}

/* ---- one request ---- */

static void on_done(void *context, const struct fetch_response *response)
{
    struct waiting *w = context;
    pthread_mutex_lock(&w->lock);
    w->error = response->error;
    w->answer->status = response->status;
    if (response->error)
        snprintf(w->message, sizeof(w->message), "%s", response->message ? response->message : err_text(response->error));
    else if (buf_add_text(&w->answer->body, response->body))
        w->error = ERR_MEMORY;
    w->over = true;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->lock);
}

static int send_signed(struct wire_client *client, const struct fetch_header *given, size_t count, const char *method, const char *path, const char *service,
    struct text body, struct waiting *w, struct err *err)
{
    struct sigv4_header signed_headers[8];
    struct fetch_header headers[8];
    char url[1024], date[SIGV4_DATE_SIZE];
    struct buf authorization;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        signed_headers[i] = (struct sigv4_header){given[i].name, given[i].value};
        headers[n++] = given[i];
    }
    signed_headers[count] = (struct sigv4_header){TEXT("host"), text_of(client->host)};
    struct sigv4_signer signer = {.access_key = text_of(client->id), .secret = text_of(client->secret), .region = text_of(client->region), .service = text_of(service)};
    if (client->token)
        signer.session_token = text_of(client->token);
    struct sigv4_request request = {.method = text_of(method), .target = text_of(path), .headers = signed_headers, .header_count = count + 1, .body = body};
    buf_init(&authorization, 8192);
    int code = sigv4_sign(&signer, &request, clock_wall_ms(), &authorization, date);
    if (code)
        err_set(err, ERR_INVALID, "the request cannot be signed: check the access key, the secret and the region");
    headers[n++] = (struct fetch_header){TEXT("X-Amz-Date"), text_of(date)};
    headers[n++] = (struct fetch_header){TEXT("Authorization"), buf_text(&authorization)};
    if (client->token)
        headers[n++] = (struct fetch_header){TEXT("X-Amz-Security-Token"), text_of(client->token)};
    snprintf(url, sizeof(url), "%s%s", client->endpoint, path);
    struct fetch_request fetch = {.method = text_of(method), .url = text_of(url), .headers = headers, .header_count = n, .body = body, .timeout_ms = TIMEOUT_MS};
    if (!code && (code = fetch_start(client->pool, &fetch, on_done, w)))
        err_set(err, code, "the request cannot be sent: %s", err_text(code));
    buf_fini(&authorization);
    return code;
}

static int exchange(struct wire_client *client, const struct fetch_header *headers, size_t count, const char *method, const char *path, const char *service,
    struct text body, struct wire_answer *answer, struct err *err)
{
    struct waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER, .answer = answer};
    buf_clear(&answer->body);
    arena_reset(&answer->arena);
    answer->root = NULL;
    answer->status = 0;
    answer->error[0] = 0;
    int code = send_signed(client, headers, count, method, path, service, body, &w, err);
    if (!code) {
        pthread_mutex_lock(&w.lock);
        while (!w.over)
            pthread_cond_wait(&w.done, &w.lock);
        pthread_mutex_unlock(&w.lock);
        code = w.error ? err_set(err, w.error, "%s: %s", client->endpoint, w.message) : 0;
    }
    pthread_cond_destroy(&w.done);
    pthread_mutex_destroy(&w.lock);
    if (!code && json_parse(&answer->arena, buf_text(&answer->body), 0, &answer->root, NULL))
        answer->root = NULL;
    return code;
}

int wire_admin(struct wire_client *client, const char *method, const char *path, struct text body, struct wire_answer *answer, struct err *err)
{
    struct fetch_header type = {TEXT("Content-Type"), TEXT("application/json")};
    return exchange(client, &type, body.len ? 1 : 0, method, path, "execute-api", body, answer, err);
}

/* ---- calls ---- */

/* "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException" -> the last part. */
static void note_error(struct wire_answer *answer)
{
    const struct json *type = json_get_str(answer->root, "__type");
    struct text name = json_is(type, JSON_STRING) ? type->text : TEXT("an answer that is not AWS's");
    ptrdiff_t hash = text_find(name, '#', 0);
    if (hash >= 0)
        name = text_make(name.data + hash + 1, name.len - (size_t)hash - 1);
    snprintf(answer->error, sizeof(answer->error), "%.*s", TEXT_FMT(name));
}

static struct text message_of(const struct wire_answer *answer)
{
    const struct json *message = json_get_str(answer->root, "message");
    if (!message)
        message = json_get_str(answer->root, "Message");
    return json_is(message, JSON_STRING) ? message->text : TEXT_NONE;
}

static bool is_throttled(const char *error)
{
    static const char *const names[] = {"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "Throttling", "TooManyRequestsException"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(error, names[i]) == 0)
            return true;
    return false;
}

static int judge(const struct wire_client *client, const char *operation, struct wire_answer *answer, struct err *err)
{
    if (answer->status == 200 && answer->root)
        return 0;
    note_error(answer);
    struct text message = message_of(answer);
    int code = is_throttled(answer->error) || answer->status == 429           ? ERR_RATE_LIMITED
               : answer->status >= 500                                        ? ERR_IO
               : strcmp(answer->error, "ResourceNotFoundException") == 0      ? ERR_NOT_FOUND
               : strcmp(answer->error, "ResourceInUseException") == 0         ? ERR_EXISTS
                                                                              : ERR_INVALID;
    return err_set(err, code, "%s answers %s with %d %s%s%.*s", client->endpoint, operation, answer->status, answer->error, message.len ? ": " : "", TEXT_FMT(message));
}

void wire_pause(unsigned number)
{
    int64_t most = PAUSE_FIRST_MS;
    for (unsigned i = 1; i < number && most < PAUSE_MAX_MS; i++)
        most *= 2;
    if (most > PAUSE_MAX_MS)
        most = PAUSE_MAX_MS;
    int64_t ms = most / 2 + (int64_t)(random_u64() % (uint64_t)(most / 2 + 1));
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

int wire_call(struct wire_client *client, const char *operation, struct text body, struct wire_answer *answer, struct err *err)
{
    char target[96];
    int len = snprintf(target, sizeof(target), TARGET "%s", operation), code = 0;
    struct fetch_header headers[] = {{TEXT("Content-Type"), TEXT("application/x-amz-json-1.0")}, {TEXT("X-Amz-Target"), text_make(target, (size_t)len)}};
    for (unsigned number = 1; number <= WIRE_TRIES; number++) {
        code = exchange(client, headers, 2, "POST", "/", "dynamodb", body, answer, err);
        bool answered = code == 0;
        if (answered)
            code = judge(client, operation, answer, err);
        /* A port that nobody listens on will not begin to while we wait, but a server that starts again will: a few tries are enough to tell. */
        bool again = code == ERR_RATE_LIMITED || code == ERR_TIMEOUT || code == ERR_IO;
        if (!again || (!answered && number >= WIRE_TRIES / 2))
            break;
        wire_pause(number);
    }
    return code;
}
