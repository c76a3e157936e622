/*
 * `weir health`: asks a server's /healthz and answers by the exit code. It exists for what watches a server from its own machine (a container's health check, a probe of
 * an orchestrator, a script before a deployment), where no curl is installed. Nothing is signed: /healthz asks for nothing.
 */
#include "main/command.h"
#include "main/wire_client.h"

#include "net/fetch.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MAX 4096 /* bytes; the answer is a line */
#define TIMEOUT_DEFAULT_MS 5000
#define TIMEOUT_MAX_MS 60000

static const struct option_row options[] = {
    {"endpoint", "URL", WIRE_ENDPOINT_HELP},
    {"timeout", "TIME", "how long to wait for the answer, at most 60s (default 5s)"},
    {"ca-file", "FILE", "PEM of trusted authorities instead of the system's"},
    {NULL, NULL, NULL},
};

struct asked {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool over;
    int error, status;
    char text[ANSWER_MAX + 1]; /* the answer, or what went wrong */
};

static void on_done(void *context, const struct fetch_response *response)
{
    struct asked *asked = context;
    pthread_mutex_lock(&asked->lock);
    asked->error = response->error;
    asked->status = response->status;
    if (response->error)
        snprintf(asked->text, sizeof(asked->text), "%s", response->message ? response->message : err_text(response->error));
    else
        snprintf(asked->text, sizeof(asked->text), "%.*s", TEXT_FMT(response->body));
    asked->over = true;
    pthread_cond_signal(&asked->done);
    pthread_mutex_unlock(&asked->lock);
}

static int ask(struct fetch_pool *pool, struct text url, int64_t timeout_ms, struct asked *asked)
{
    struct fetch_request request = {.url = url, .timeout_ms = (uint32_t)timeout_ms};
    int code = fetch_start(pool, &request, on_done, asked);
    if (code) {
        snprintf(asked->text, sizeof(asked->text), "%s", err_text(code));
        asked->error = code;
        return code;
    }
    pthread_mutex_lock(&asked->lock);
    while (!asked->over)
        pthread_cond_wait(&asked->done, &asked->lock);
    pthread_mutex_unlock(&asked->lock);
    return asked->error;
}

static int judge(const char *endpoint, const struct asked *asked)
{
    if (asked->error) {
        fprintf(stderr, "weir health: %s: %s\n", endpoint, asked->text);
        return EXIT_SERVER;
    }
    size_t len = strlen(asked->text);
    printf("%s%s", asked->text, len && asked->text[len - 1] == '\n' ? "" : "\n");
    return asked->status == 200 ? EXIT_OK : EXIT_FAILED;
}

static int run(const struct arguments *arguments)
{
    struct asked asked = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    const char *endpoint = argument(arguments, "endpoint"), *timeout = argument(arguments, "timeout");
    int64_t timeout_ms = TIMEOUT_DEFAULT_MS;
    struct fetch_pool *pool;
    struct err err = {0};
    char url[1024];
    if (timeout && (!duration_parse(timeout, &timeout_ms) || timeout_ms < 1 || timeout_ms > TIMEOUT_MAX_MS)) {
        fprintf(stderr, "weir health: --timeout is a time up to 60s such as 500ms, not '%s'\n", timeout);
        return EXIT_USAGE;
    }
    endpoint = endpoint ? endpoint : WIRE_ENDPOINT;
    size_t len = strlen(endpoint);
    int written = snprintf(url, sizeof(url), "%s%shealthz", endpoint, len && endpoint[len - 1] == '/' ? "" : "/");
    if (written >= (int)sizeof(url)) {
        fprintf(stderr, "weir health: the endpoint is too long\n");
        return EXIT_USAGE;
    }
    struct fetch_options one = {.in_flight_max = 1, .queue_max = 1, .response_max = ANSWER_MAX, .timeout_max_ms = TIMEOUT_MAX_MS, .ca_file = argument(arguments, "ca-file")};
    if (fetch_pool_create(&one, &pool, &err)) {
        fprintf(stderr, "weir health: %s\n", err.text);
        return EXIT_FAILED;
    }
    ask(pool, text_make(url, (size_t)written), timeout_ms, &asked);
    fetch_pool_destroy(pool);
    return judge(endpoint, &asked);
}

const struct command command_health = {
    .name = "health",
    .words = "",
    .summary = "asks a server how it is",
    .more = "Prints the answer of /healthz. Exit 0: it takes reads and writes; 1: it refuses writes for now, the answer says why; 10: it cannot be reached.\n",
    .options = options,
    .run = run,
};
