/*
 * The services' thread: what is neither a socket's nor a table's business. It starts the durable requests of weir_fetch, turns their answers into
 * calls, and fetches issuers' keys.
 *
 * A durable request is a row that commits with the call that asked for it; only then does it go out. Its answer is a call that deletes the row and runs
 * the `then` route, in one commit. So a crash at any moment sends it again at most (at least once), and never forgets it.
 */
#include "gateway/alarms.h"
#include "gateway/internal.h"
#include "gateway/log_deliver.h"
#include "gateway/monitor.h"
#include "gateway/records.h"
#include "base/cursor.h"
#include "store/key.h"
#include "watch/log.h"
#include "watch/metric.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#define RETRY_FIRST_MS 500
#define RETRY_MAX_MS 60000
#define FULL_RETRY_MS 1000            /* an answer that met a full disk is tried again */
#define FETCHES_MAX 16384             /* durable requests without an answer; weir_fetch refuses above */
#define FETCH_ROWS_MAX ((size_t)256 << 20) /* bytes of their rows, likewise */
#define FETCH_ROW_MAX (8 << 20)       /* bytes of one */
#define BEARER_MAX 8192               /* bytes of an Authorization header */

struct gw_service {
    struct gateway *gateway;
    struct gw_io *io;
    pthread_t thread;
    sem_t begun;
    struct list requests; /* all durable requests known, for the end */
    struct loop_timer again;                        /* of the answers that met a full disk */
    struct weir_call *again_first, *again_last;     /* no more than there are requests */
};

/* One durable request; services' thread. */
struct durable {
    struct list link;
    struct loop_timer retry;
    struct gw_service *service;
    unsigned attempts; /* left */
    int64_t wait_ms;
    bool flying;
    struct text id;    /* TICK_ID_TEXT bytes */
    struct text api, method, url, headers, body, then, context;
    int64_t timeout_ms;
    struct text bearer;  /* a setting's name */
    struct text correlation;
    size_t answer_max;
    size_t size;
    char bytes[];      /* id, then the row */
};

/* ---- rows ---- */

int gw_fetch_stage(struct weir_call *call, const struct weir_fetch *fetch)
{
    char id[TICK_ID_TEXT + 1];
    struct buf row;
    struct gateway *gateway = call->gateway;
    if (__atomic_load_n(&gateway->fetches, __ATOMIC_RELAXED) >= FETCHES_MAX || __atomic_load_n(&gateway->fetch_bytes, __ATOMIC_RELAXED) >= FETCH_ROWS_MAX)
        return ERR_AGAIN; /* whoever answers them is away; memory is not the place to wait for it */
    tick_id(call->tick, id);
    buf_init(&row, FETCH_ROW_MAX);
    buf_add(&row, id, TICK_ID_TEXT);
    buf_add_bytes(&row, call->api ? call->api->config->name : TEXT("")); /* an alarm may have none */
    buf_add_bytes(&row, text_of(fetch->method ? fetch->method : "POST"));
    buf_add_bytes(&row, text_make(fetch->url.data, fetch->url.len));
    buf_add_bytes(&row, text_make(fetch->headers.data, fetch->headers.len));
    buf_add_bytes(&row, text_make(fetch->body.data, fetch->body.len));
    buf_add_bytes(&row, text_of(fetch->then ? fetch->then : ""));
    buf_add_bytes(&row, text_make(fetch->context.data, fetch->context.len));
    buf_add_varint(&row, (uint64_t)(fetch->timeout_ms > 0 ? fetch->timeout_ms : 29000));
    buf_add_varint(&row, fetch->attempts ? fetch->attempts : 3);
    buf_add_bytes(&row, text_of(fetch->bearer ? fetch->bearer : ""));
    buf_add_varint(&row, fetch->answer_max);
    buf_add_bytes(&row, gw_correlation(call));
    int code = row.failed ? ERR_TOO_LARGE : 0;
    struct text value = text_make(row.data + TICK_ID_TEXT, row.len - TICK_ID_TEXT);
    if (!code)
        code = store_raw_put(tick_stage(call->tick), STORE_SPACE_FETCH, text_make(row.data, TICK_ID_TEXT), value);
    struct gw_effect *effect = code ? NULL : gw_effect_create(GW_EFFECT_FETCH, call->api, buf_text(&row), NULL);
    if (!code && !effect)
        code = ERR_MEMORY;
    buf_fini(&row);
    return code ? code : gw_call_effect(call, call->gateway->io_count, effect);
}

static struct durable *durable_parse(struct gw_service *service, struct text row)
{
    struct durable *durable = calloc(1, sizeof(*durable) + row.len);
    if (!durable)
        return NULL;
    memcpy(durable->bytes, row.data, row.len);
    struct cursor c = cursor_of(text_make(durable->bytes, row.len));
    durable->id = cursor_take(&c, TICK_ID_TEXT);
    durable->api = cursor_bytes(&c);
    durable->method = cursor_bytes(&c);
    durable->url = cursor_bytes(&c);
    durable->headers = cursor_bytes(&c);
    durable->body = cursor_bytes(&c);
    durable->then = cursor_bytes(&c);
    durable->context = cursor_bytes(&c);
    durable->timeout_ms = (int64_t)cursor_varint(&c);
    durable->attempts = (unsigned)cursor_varint(&c);
    if (cursor_left(&c)) { /* older rows end here */
        durable->bearer = cursor_bytes(&c);
        durable->answer_max = (size_t)cursor_varint(&c);
    }
    if (cursor_left(&c)) /* or here */
        durable->correlation = cursor_bytes(&c);
    if (!gw_correlation_clean(durable->correlation))
        durable->correlation = TEXT_NONE;
    durable->wait_ms = RETRY_FIRST_MS;
    durable->service = service;
    durable->size = row.len;
    if (c.failed) {
        log_error("service", "a stored request cannot be read");
        free(durable);
        return NULL;
    }
    list_add_tail(&service->requests, &durable->link);
    __atomic_add_fetch(&service->gateway->fetches, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&service->gateway->fetch_bytes, durable->size, __ATOMIC_RELAXED);
    return durable;
}

static void durable_free(struct durable *durable)
{
    loop_timer_stop(durable->service->io->loop, &durable->retry);
    list_remove(&durable->link);
    __atomic_sub_fetch(&durable->service->gateway->fetches, 1, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&durable->service->gateway->fetch_bytes, durable->size, __ATOMIC_RELAXED);
    free(durable);
}

/* ---- going out ---- */

static void durable_retry(struct durable *durable)
{
    loop_timer_set(durable->service->io->loop, &durable->retry, clock_mono_ms() + durable->wait_ms);
    durable->wait_ms = durable->wait_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : durable->wait_ms * 2;
}

static void on_durable_fetched(void *context, const struct fetch_response *response)
{
    struct durable *durable = context;
    struct gw_answer *answer = calloc(1, sizeof(*answer) + response->body.len);
    struct gateway *gateway = durable->service->gateway;
    if (answer) {
        answer->error = response->error;
        answer->status = response->status;
        if (response->body.len)
            memcpy(answer->bytes, response->body.data, response->body.len);
        answer->body = text_make(answer->bytes, response->body.len);
        answer->durable = durable;
    }
    if (!answer || gw_answer_send(gateway, gateway->io_count, NULL, answer, gw_effect_create(GW_EFFECT_ANSWER, NULL, TEXT_NONE, NULL)))
        log_error("service", "an answer could not be handed over; its request is sent again at the next start");
}

static size_t split_headers(struct text lines, struct fetch_header *out, size_t max)
{
    size_t count = 0, from = 0;
    while (from < lines.len && count < max) {
        ptrdiff_t end = text_find(lines, '\n', from);
        size_t to = end < 0 ? lines.len : (size_t)end;
        struct text line = text_make(lines.data + from, to - from);
        if (line.len && line.data[line.len - 1] == '\r')
            line.len--;
        ptrdiff_t colon = text_find(line, ':', 0);
        if (colon > 0)
            out[count++] = (struct fetch_header){text_make(line.data, (size_t)colon), text_trim(text_make(line.data + colon + 1, line.len - (size_t)colon - 1))};
        from = to + 1;
    }
    return count;
}

static void durable_answer(struct durable *durable, int status, int error, struct text body);

/* The secret is looked up now, so that a stored request never holds it and a new one is used at once. */
static struct text bearer_of(const struct durable *durable, struct buf *out)
{
    const struct gw_api *api = map_get(&durable->service->gateway->by_name, durable->api);
    struct text secret = api ? gw_setting(api->config, durable->bearer) : TEXT_NONE;
    if (!secret.len)
        return TEXT_NONE;
    buf_add_text(out, TEXT("Bearer "));
    buf_add_text(out, secret);
    return out->failed ? TEXT_NONE : buf_text(out);
}

static void durable_send(struct durable *durable)
{
    struct gw_service *service = durable->service;
    struct fetch_header headers[FETCH_HEADERS_MAX];
    if (!gw_outgoing_allowed(service->io, durable->url, text_is(durable->then, GW_ALARM_THEN))) {
        counter_add(COUNTER_fetch_forbidden, 1);
        durable_answer(durable, 0, ERR_FORBIDDEN, TEXT_NONE);
        return;
    }
    if (!gw_circuit_allow(service->io, durable->url)) {
        durable_retry(durable);
        return;
    }
    size_t count = split_headers(durable->headers, headers, FETCH_HEADERS_MAX - 4);
    struct buf bearer;
    char signature[GW_ALARM_SIGNATURE_MAX];
    bool typed = false, correlated = !durable->correlation.len;
    buf_init(&bearer, BEARER_MAX);
    for (size_t i = 0; i < count; i++) {
        typed = typed || text_equal_nocase(headers[i].name, TEXT("content-type"));
        correlated = correlated || text_equal_nocase(headers[i].name, TEXT("x-correlation-id"));
    }
    if (!correlated)
        headers[count++] = (struct fetch_header){TEXT("x-correlation-id"), durable->correlation};
    if (!typed && durable->body.len)
        headers[count++] = (struct fetch_header){TEXT("Content-Type"), TEXT("application/json")};
    struct text secret = durable->bearer.len ? bearer_of(durable, &bearer) : TEXT_NONE;
    if (secret.len)
        headers[count++] = (struct fetch_header){TEXT("Authorization"), secret};
    if (text_is(durable->then, GW_ALARM_THEN) && gw_alarm_sign(service->io->policy->alarm_secret, durable->body, signature))
        headers[count++] = (struct fetch_header){TEXT(GW_ALARM_SIGNATURE), text_of(signature)};
    struct fetch_request request = {
        .method = durable->method,
        .url = durable->url,
        .headers = headers,
        .header_count = count,
        .body = durable->body,
        .timeout_ms = (uint32_t)durable->timeout_ms,
        .response_max = durable->answer_max,
    };
    int code = fetch_start(service->gateway->fetch, &request, on_durable_fetched, durable);
    buf_fini(&bearer); /* copied by fetch_start */
    if (code == 0) {
        durable->flying = true;
        durable->attempts -= durable->attempts > 0;
    } else if (code == ERR_FULL || code == ERR_MEMORY) {
        durable_retry(durable);
    } else if (code != ERR_CLOSED) {
        durable_answer(durable, 0, code, TEXT_NONE); /* it can never be sent: the route hears why */
    }
}

static void on_retry(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    durable_send(LIST_ENTRY(timer, struct durable, retry));
}

void gw_fetch_begin(struct gateway *gateway, struct text row)
{
    struct durable *durable = durable_parse(gateway->service, row);
    if (!durable)
        return;
    loop_timer_init(&durable->retry, on_retry);
    durable_send(durable);
}

/* ---- the answer becomes a call ---- */

static int answer_run(struct tick *tick, struct tick_call *base)
{
    struct weir_call *call = (struct weir_call *)base;
    int code = store_raw_delete(tick_stage(tick), STORE_SPACE_FETCH, call->path);
    if (!code && call->alarm)
        code = gw_alarm_answered(call, tick);
    return code ? code : gw_tick_run(tick, base);
}

static void answer_undone(struct tick *tick, struct tick_call *base, int code)
{
    struct weir_call *call = (struct weir_call *)base;
    if (!call->route) {
        log_warn("service", "the answer to an alarm's webhook cannot be kept: %s", err_text(code));
        return;
    }
    log_warn("service", "%.*s: route %.*s failed on an answer: %s", TEXT_FMT(call->api->config->name), TEXT_FMT(call->route->key),
        call->client_error ? call->err_text : err_text(code));
    gw_call_fail(call, code, err_name(code), NULL, "%s", err_text(code));
    call->tick = tick;
    gw_line_failure(call);
    call->tick = NULL;
}

static void answer_body(struct json_writer *w, const struct durable *durable, int status, int error, struct text body)
{
    json_begin_object(w);
    if (error) {
        json_name(w, "error");
        json_str(w, err_name(error));
    } else {
        json_name(w, "status");
        json_i64(w, status);
        json_name(w, "body");
        json_text(w, body);
    }
    json_name(w, "context");
    if (durable->context.len)
        json_raw(w, durable->context);
    else
        json_null(w);
    json_end_object(w);
}

static void durable_answer(struct durable *durable, int status, int error, struct text body)
{
    struct gw_service *service = durable->service;
    struct gw_api *api = map_get(&service->gateway->by_name, durable->api);
    struct weir_call *call = gw_call_take(service->io, api ? api : &service->gateway->apis[0]);
    if (!call) {
        durable_retry(durable);
        return;
    }
    struct buf out;
    struct json_writer w;
    buf_init(&out, GW_CALL_ARENA_LIMIT / 2);
    json_writer_init(&w, &out);
    answer_body(&w, durable, status, error, body);
    if (out.failed) { /* a body that grows beyond reason when it is written as JSON */
        buf_clear(&out);
        json_writer_init(&w, &out);
        answer_body(&w, durable, status, ERR_TOO_LARGE, TEXT_NONE);
    }
    call->kind = GW_CALL_DEFERRED;
    call->arrived_ns = clock_mono_ns();
    call->path = arena_copy(&call->arena, durable->id);
    call->body = arena_copy(&call->arena, buf_text(&out));
    call->correlation = arena_copy(&call->arena, durable->correlation);
    if (!call->path.data || !call->body.data) {
        buf_fini(&out);
        call->arrived_ns = 0;
        gw_call_give(call);
        durable_retry(durable);
        return;
    }
    call->alarm = text_is(durable->then, GW_ALARM_THEN);
    call->route = api ? map_get(&api->by_key, durable->then) : NULL; /* without one the row just goes */
    buf_fini(&out);
    durable_free(durable);
    gw_submit(service->io, call);
}

/* gw_submit sets the usual run; a deferred call of this thread is always an answer. */
void gw_answer_prepare(struct weir_call *call)
{
    call->base.run = answer_run;
    call->base.on_undone = answer_undone;
}

static void on_again(struct loop *loop, struct loop_timer *timer)
{
    struct gw_service *service = LIST_ENTRY(timer, struct gw_service, again);
    struct weir_call *call = service->again_first;
    (void)loop;
    service->again_first = service->again_last = NULL;
    while (call) {
        struct weir_call *next = call->next;
        gw_submit(service->io, call);
        call = next;
    }
}

/* The disk is full: the answer is kept in memory until its row can be deleted, so that its route runs once space is back. */
static void answer_wait(struct gw_service *service, struct weir_call *call)
{
    call->next = NULL;
    if (service->again_last)
        service->again_last->next = call;
    else
        service->again_first = call;
    service->again_last = call;
    loop_timer_set(service->io->loop, &service->again, clock_mono_ms() + FULL_RETRY_MS);
}

/* A route that failed on an answer leaves the row; it goes with a call of its own, so that it is not sent again for ever. */
void gw_answer_settled(struct gw_io *io, struct weir_call *call)
{
    if (call->base.code == ERR_DISK_FULL) {
        answer_wait(io->gateway->service, call);
        return;
    }
    if (call->base.code == 0 || !call->route) {
        gw_call_give(call);
        return;
    }
    struct weir_call *again = gw_call_take(io, call->api);
    if (again) {
        again->kind = GW_CALL_DEFERRED;
        again->path = arena_copy(&again->arena, call->path);
        gw_submit(io, again);
    }
    gw_call_give(call);
}

void gw_durable_answered(struct gw_io *io, struct gw_answer *answer)
{
    struct durable *durable = answer->durable;
    bool failed = answer->error || answer->status >= 500;
    durable->flying = false;
    gw_circuit_note(io, durable->url, !failed);
    if (failed && durable->attempts > 0 && answer->error != ERR_INVALID)
        durable_retry(durable);
    else if (answer->error != ERR_CLOSED)
        durable_answer(durable, answer->status, answer->error, answer->body);
    free(answer);
}

int gw_answer_send(struct gateway *gateway, unsigned target, struct weir_call *call, struct gw_answer *answer, struct gw_effect *effect)
{
    if (!effect) {
        log_error("gateway", "no memory for an endpoint's answer");
        free(answer);
        return ERR_MEMORY;
    }
    effect->call = call;
    effect->answer = answer;
    /* The fetch thread and the workers share this ring, so they take turns; no io thread waits for the lock. Requests in flight are bounded by the pool, below the ring's size. */
    pthread_mutex_lock(&gateway->worked_lock);
    bool pushed = ring_push(gateway->io[target].mail[gateway->io_count], effect);
    pthread_mutex_unlock(&gateway->worked_lock);
    if (!pushed) {
        log_error("gateway", "the ring for answers is full");
        free(answer);
        gw_effect_unref(effect);
        return ERR_FULL;
    }
    loop_wake(gateway->io[target].loop);
    return 0;
}

/* ---- deferred calls (state thread) ---- */

int gw_on_deferred(void *context, struct tick *tick, struct tick_call *base, struct text name, struct text payload)
{
    struct gateway *gateway = context;
    if (text_is(name, GW_RECORDS_SWEEP))
        return gw_records_sweep(tick, base->arena, payload);
    if (text_is(name, WATCH_LOG_DELIVER))
        return gw_log_deliver(gateway, tick, payload);
    if (text_starts(name, TEXT(WATCH_LOG_DEFERRED)))
        return watch_log_deferred(tick, name, payload);
    if (text_is(name, WATCH_SWEEP))
        return watch_sweep(tick, base->arena, payload);
    if (text_is(name, WATCH_ALARM_RELEASE))
        return watch_alarm_release(gw_alarm_house(gateway), tick, base->arena, payload);
    struct weir_call *call = gateway->deferred;
    ptrdiff_t slash = text_find(name, '/', 0);
    struct gw_api *api = slash > 0 ? map_get(&gateway->by_name, text_make(name.data, (size_t)slash)) : NULL;
    struct gw_route *route = api ? map_get(&api->by_key, text_make(name.data + slash + 1, name.len - (size_t)slash - 1)) : NULL;
    if (!route || !route->handler) {
        log_warn("gateway", "a deferred call names %.*s, which is not declared any more", TEXT_FMT(name));
        return 0;
    }
    memset(call, 0, offsetof(struct weir_call, tail));
    call->request_id[0] = 0;
    arena_init(&call->arena, GW_CALL_ARENA_FIRST, GW_CALL_ARENA_LIMIT);
    call->gateway = gateway;
    call->api = api;
    call->kind = GW_CALL_DEFERRED;
    call->route = route;
    call->correlation = gw_correlation_unwrap(&payload);
    call->body = payload;
    call->arrived_ns = clock_mono_ns();
    (void)base;
    int code = gw_tick_run(tick, &call->base);
    if (code != ERR_COLD) {
        call->tick = code ? NULL : tick; /* its lines are those of a call that is kept */
        gw_monitor_end(NULL, call);
        gw_meter_call(NULL, call);
        call->tick = NULL;
    }
    if (code && code != ERR_COLD)
        log_warn("gateway", "%.*s failed: %s", TEXT_FMT(name), call->client_error ? call->err_text : err_text(code));
    if (code && code != ERR_COLD) {
        gw_call_fail(call, code, err_name(code), NULL, "%s", err_text(code));
        gw_line_failure(call);
    }
    gw_call_docs_give(call);
    arena_fini(&call->arena);
    return code;
}

void gw_on_deferred_dead(void *context, struct text name, struct text payload, int code)
{
    (void)context;
    (void)payload;
    log_error("gateway", "deferred call %.*s is given up: %s", TEXT_FMT(name), err_text(code));
}

/* ---- issuers' keys ---- */

static void on_jwks_fetched(void *context, const struct fetch_response *response)
{
    struct gw_api *api = context;
    struct err err = {0};
    if (jwks_update(api->jwks, response->error ? 0 : response->status, response->body, clock_wall_ms(), &err))
        log_warn("gateway", "%.*s: the issuer's keys could not be renewed: %s", TEXT_FMT(api->config->name), response->error ? response->message : err.text);
}

void gw_jwks_fetch(void *context, struct jwks *jwks)
{
    struct gw_api *api = context;
    struct fetch_request request = {.url = api->config->jwt.jwks_url, .timeout_ms = 5000, .response_max = JWT_JWKS_MAX};
    if (!api->gateway->fetch || fetch_start(api->gateway->fetch, &request, on_jwks_fetched, api))
        jwks_update(jwks, 0, TEXT_NONE, clock_wall_ms(), NULL);
}

/* ---- the thread ---- */

/* The tick runs already, and rows of this run may be seen: their effects begin those. */
static int visit_row(void *context, struct text key, struct text value)
{
    struct gw_service *service = context;
    struct buf row;
    if (tick_id_is_own(service->gateway->tick, key))
        return 0;
    buf_init(&row, 16 << 20);
    buf_add_text(&row, key);
    buf_add_text(&row, value);
    if (!row.failed)
        gw_fetch_begin(service->gateway, buf_text(&row));
    buf_fini(&row);
    return 0;
}

/* Requests that an earlier run did not finish are sent again. */
static void resume(struct gw_service *service)
{
    struct store *store = service->gateway->config.store;
    struct arena arena;
    struct store_view view = {.store = store, .snapshot = store_snapshot_acquire(store, service->io->index), .now_s = clock_wall_ms() / 1000};
    arena_init(&arena, 4096, 64 << 20);
    if (store_raw_scan(&view, STORE_SPACE_FETCH, TEXT(""), &arena, visit_row, service))
        log_error("service", "the stored requests cannot be read whole; those that were not read are sent at the next start");
    arena_fini(&arena);
    store_snapshot_release(store, service->io->index);
}

static void *service_main(void *context)
{
    struct gw_service *service = context;
    thread_name("weir-services");
    if (gw_io_begin(service->io))
        log_error("service", "cannot watch the rings");
    resume(service);
    for (size_t i = 0; i < service->gateway->api_count; i++)
        if (service->gateway->apis[i].jwks)
            jwks_want_refresh(service->gateway->apis[i].jwks, false, clock_wall_ms());
    sem_post(&service->begun);
    loop_run(service->io->loop);
    return NULL;
}

int gw_service_start(struct gateway *gateway, struct err *err)
{
    struct gw_service *service = calloc(1, sizeof(*service));
    if (!service)
        return err_set(err, ERR_MEMORY, "no memory for the services");
    struct fetch_options options = {.in_flight_max = 256, .queue_max = 2048, .body_max = 32 << 20, .timeout_max_ms = 300000,
        .link_local = gateway->config.outgoing.link_local};
    int code = fetch_pool_create(&options, &gateway->fetch, err);
    if (code) {
        free(service);
        return code;
    }
    service->gateway = gateway;
    service->io = &gateway->io[gateway->io_count];
    list_init(&service->requests);
    loop_timer_init(&service->again, on_again);
    gateway->service = service;
    sem_init(&service->begun, 0, 0);
    if (pthread_create(&service->thread, NULL, service_main, service)) {
        sem_destroy(&service->begun);
        fetch_pool_destroy(gateway->fetch);
        gateway->fetch = NULL;
        gateway->service = NULL;
        free(service);
        return err_set(err, ERR_MEMORY, "cannot start the services' thread");
    }
    while (sem_wait(&service->begun)) /* sockets, which are next, find everything that lives on it */
        ;
    return 0;
}

void gw_service_wake(struct gateway *gateway)
{
    loop_wake(gateway->io[gateway->io_count].loop);
}

void gw_service_stop(struct gateway *gateway)
{
    struct gw_service *service = gateway->service;
    if (!service)
        return;
    loop_stop(service->io->loop);
    pthread_join(service->thread, NULL);
    fetch_pool_destroy(gateway->fetch); /* nobody begins a request any more; what is open is completed with ERR_CLOSED, into rings that nobody reads */
    gateway->fetch = NULL;
    loop_timer_stop(service->io->loop, &service->again);
    while (service->again_first) {
        struct weir_call *call = service->again_first;
        service->again_first = call->next;
        gw_call_give(call);
    }
    while (!list_empty(&service->requests))
        durable_free(LIST_ENTRY(service->requests.next, struct durable, link));
    sem_destroy(&service->begun);
    free(service);
    gateway->service = NULL;
}

int gateway_start(struct gateway *gateway, struct net_server *server, struct tick *tick, struct err *err)
{
    gateway->server = server;
    gateway->tick = tick;
    for (unsigned i = 0; i <= gateway->io_count; i++)
        gateway->io[i].credit_max = tick_credit(tick, i);
    int code = gw_console_start(gateway, err);
    return code ? code : gw_service_start(gateway, err);
}

/* The tick has ended and the io threads too: what their rings still hold is given back here. */
void gateway_stop(struct gateway *gateway)
{
    gw_service_stop(gateway);
    gw_console_stop(gateway);
    gw_figures_end(gateway);
    gw_lines_end(gateway);
    gateway->ended = true;
    for (unsigned i = 0; i <= gateway->io_count; i++) {
        while (tick_drain(gateway->tick, i) > 0)
            ;
        gw_waiting_abandon(&gateway->io[i]);
        gw_mail_abandon(&gateway->io[i]);
    }
    gw_console_end(gateway);
}
