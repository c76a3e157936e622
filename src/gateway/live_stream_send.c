/*
 * Batches to HTTP endpoints, by POST over the same outgoing machinery as routes (endpoint.c): one pool, one circuit for each origin.
 *
 * An answer with a 2xx status says that the batch is taken, and its position is stored; only then does the next one go out. Between the two lies a moment in
 * which the process may end, so an endpoint gets each record at least once, where a handler's effect is exactly once. It may take part of a batch:
 * {"batchItemFailures":[{"itemIdentifier":<sequence number>}]} names what failed, as a Lambda function does it; everything before the first of them is taken and
 * stored, and the rest is sent again. An answer that names what is no record of the batch (or an empty identifier) is a failure of all of it.
 *
 * Another status, or no answer in time, is a failure that counts. An endpoint that cannot be reached at all is no fault of the records, so a restart of it gives nothing
 * up: it is waited for, until the oldest record is a day old. So is an open circuit.
 */
#include "gateway/live_stream.h"

#include <stdlib.h>

#define OVERDUE_MS (5 * SECOND_MS) /* behind the request's own timeout: its answer was lost for want of memory or room */
#define ANSWER_MAX (1 << 20)       /* bytes of an answer */

struct sent { /* what comes back with the answer */
    struct live_consumer *consumer;
    uint32_t serial;
};

static void on_fetched(void *context, const struct fetch_response *response)
{
    struct sent *sent = context;
    struct gateway *gateway = sent->consumer->live->gateway;
    struct gw_answer *answer = calloc(1, sizeof(*answer) + response->body.len);
    if (answer) {
        answer->error = response->error;
        answer->status = response->status;
        answer->unsent = response->unsent;
        answer->consumer = sent->consumer;
        answer->serial = sent->serial;
        if (response->body.len)
            memcpy(answer->bytes, response->body.data, response->body.len);
        answer->body = text_make(answer->bytes, response->body.len);
    }
    if (!answer || gw_answer_send(gateway, gateway->io_count, NULL, answer, gw_effect_create(GW_EFFECT_ANSWER, NULL, TEXT_NONE, NULL)))
        log_error("stream", "the answer to a batch could not be handed over; it is sent again");
    free(sent);
}

static int post(struct live_consumer *c)
{
    struct arena *arena = &c->live->arena;
    char id[17]; /* the batch's correlation id */
    gw_request_id_make(id);
    struct fetch_header headers[] = {{TEXT("Content-Type"), TEXT("application/json")}, {TEXT("X-Weir-Stream"), c->name}, {TEXT("x-correlation-id"), text_of(id)}};
    struct sent *sent = malloc(sizeof(*sent));
    struct text body = live_batch_body(c, arena, c->count, false);
    int code = sent && body.data ? 0 : ERR_MEMORY;
    if (!code) {
        *sent = (struct sent){c, ++c->serial};
        struct fetch_request request = {.method = TEXT("POST"), .url = c->url, .headers = headers, .header_count = 3, .body = body, .timeout_ms = (uint32_t)c->timeout_ms,
            .response_max = ANSWER_MAX};
        code = fetch_start(c->live->gateway->fetch, &request, on_fetched, sent);
    }
    arena_reset(arena);
    if (code)
        free(sent);
    return code;
}

void live_batch_send(struct live_consumer *c)
{
    struct gw_io *io = c->live->io;
    c->job = JOB_RUN;
    int code = gw_circuit_allow(io, c->url) ? post(c) : ERR_AGAIN;
    if (code == ERR_INVALID || code == ERR_TOO_LARGE) {
        live_consumer_failed(c, err_name(code), "the request cannot be sent");
    } else if (code) {
        live_consumer_back_off(c);
    } else {
        c->state = SENDING;
        loop_timer_set(io->loop, &c->timer, clock_mono_ms() + c->timeout_ms + OVERDUE_MS);
    }
}

void live_batch_overdue(struct live_consumer *c)
{
    c->serial++;
    live_consumer_failed(c, "TIMEOUT", "the endpoint's answer did not come");
}

/* ---- the answer ---- */

static int find_id(const struct live_consumer *c, struct text id)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (text_equal(live_record_id(c, i), id))
            return (int)i;
    return -2;
}

int live_answer_failure(const struct live_consumer *c, struct arena *arena, struct text body)
{
    const struct json *root = NULL;
    if (json_parse(arena, body, 0, &root, NULL) || root->type != JSON_OBJECT)
        return -1; /* an endpoint may answer what it likes */
    const struct json *list = json_get_str(root, "batchItemFailures");
    int first = -1;
    if (!list || list->type == JSON_NULL)
        return -1;
    if (list->type != JSON_ARRAY)
        return -2;
    for (const struct json *failure = list->first; failure; failure = failure->next) {
        const struct json *id = json_get_str(failure, "itemIdentifier");
        int at = json_is(id, JSON_STRING) ? find_id(c, id->text) : -2;
        if (at < 0)
            return -2;
        if (first < 0 || at < first)
            first = at;
    }
    return first;
}

static void taken(struct live_consumer *c, struct text body)
{
    int first = live_answer_failure(c, &c->live->arena, body);
    arena_reset(&c->live->arena);
    if (first == -2) {
        live_consumer_failed(c, "BATCH_ITEM_FAILURES", "the endpoint named what is no record of the batch");
    } else if (first == 0) {
        c->named = true;
        live_consumer_failed(c, "BATCH_ITEM_FAILURES", "the endpoint named the record as failed");
    } else {
        live_consumer_submit(c, JOB_TAKEN, first < 0 ? c->count : (uint32_t)first);
    }
}

static bool is_away(const struct live_consumer *c, const struct gw_answer *answer)
{
    return answer->unsent && clock_wall_ms() - c->oldest_ms < STREAM_AWAY_MS;
}

void gw_stream_answered(struct gw_io *io, struct gw_answer *answer)
{
    struct live_consumer *c = answer->consumer;
    char message[64];
    bool awaited = c->state == SENDING && answer->serial == c->serial;
    if (awaited) {
        loop_timer_stop(io->loop, &c->timer);
        gw_circuit_note(io, c->url, !answer->error && answer->status < 500);
        c->named = false;
    }
    if (awaited && answer->error == ERR_CLOSED) {
        c->state = RESTING; /* the server ends */
    } else if (awaited && is_away(c, answer)) {
        log_warn("stream", "%.*s %.*s waits: %.*s cannot be reached", TEXT_FMT(c->api->config->name), TEXT_FMT(c->name), TEXT_FMT(c->url));
        live_consumer_back_off(c);
    } else if (awaited && !answer->error && answer->status / 100 == 2) {
        taken(c, answer->body);
    } else if (awaited) {
        snprintf(message, sizeof(message), "the endpoint answered with status %d", answer->status);
        live_consumer_failed(c, answer->error ? err_name(answer->error) : "ENDPOINT_FAILED", answer->error ? err_text(answer->error) : message);
    }
    free(answer);
    c->live->look = true;
    loop_wake(io->loop);
}
