/*
 * Consumers: batches of a table's changes, or of a Kinesis stream's records, to a handler or to an HTTP endpoint.
 *
 * Each consumer is a cursor over the feed. It gathers a batch until it is full or its window is over. For a handler the batch is submitted as a call: the handler's
 * writes and the consumer's new position are one commit. So after a crash the batch is either done or begun again, and its effect on the tables happens once,
 * whatever the moment. An endpoint has the batch first and its position is stored behind it (live_stream_send.c).
 *
 * A batch that fails is halved (bisect) until one record is left that fails alone; that one is tried as often as declared, with backoff, and then given up: a row
 * with the record and its error, in the commit that moves the position past it. Without bisect the whole batch is tried, and given up record by record. What
 * is no fault of the records (a full disk, no memory) is waited for, and never counts.
 *
 * Records of other tables move the position too, but only in memory: it is written when a thousand records or ten minutes lie between, so that the journal can be
 * forgotten behind an idle consumer.
 */
#include "gateway/live_stream.h"

#include <stdlib.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 10000
#define TURN_RECORDS 1024               /* journal records one consumer looks at in a turn */
#define IDLE_RECORDS 1000               /* records of others behind the stored position before it is stored again */
#define IDLE_MS (10 * MINUTE_MS)        /* or so long, when anything beside such positions was written */
#define LEISURE_MAX_MS 250              /* so that a batch that is full soon does not wait for its window */

/* ---- begin and end ---- */

static void on_timer(struct loop *loop, struct loop_timer *timer);

int live_streams_create(struct gw_live *live, struct err *err)
{
    return live_consumers_compile(live, err);
}

static void keep_journal(struct gw_live *live)
{
    uint64_t from = UINT64_MAX;
    for (size_t i = 0; i < live->consumer_count; i++)
        if (live->consumers[i].stored.sequence < from)
            from = live->consumers[i].stored.sequence;
    tick_keep_from(live->gateway->tick, TICK_KEEP_CONSUMERS, from);
}

void live_streams_begin(struct gw_live *live)
{
    live->leisure_ms = LEISURE_MAX_MS;
    for (size_t i = 0; i < live->consumer_count; i++) {
        struct live_consumer *c = &live->consumers[i];
        loop_timer_init(&c->timer, on_timer);
        c->backoff_ms = BACKOFF_FIRST_MS;
        if (c->window_ms / 4 < live->leisure_ms)
            live->leisure_ms = c->window_ms / 4;
        live_consumer_place(c);
    }
    if (live->consumer_count)
        keep_journal(live);
}

void live_streams_end(struct gw_live *live)
{
    for (size_t i = 0; i < live->consumer_count; i++) {
        if (live->io)
            loop_timer_stop(live->io->loop, &live->consumers[i].timer);
        live_consumer_fini(&live->consumers[i]);
    }
    free(live->consumers);
}

/* ---- gathering ---- */

static void batch_clear(struct live_consumer *c)
{
    buf_clear(&c->text);
    c->count = 0;
}

/* What was not taken cannot be read any more: it is said, and the next that can be read comes next. Forgotten by the journal (another copy of the folder, say), or damaged:
   then that one record is left out. */
static void consumer_lost(struct live_consumer *c, struct feed_position at, const struct err *err)
{
    uint64_t first = journal_first(c->live->gateway->config.journal), durable = tick_durable(c->live->gateway->tick);
    uint64_t next = at.number == FEED_ALL ? at.sequence + 1 : at.sequence;
    if (first && first - 1 > next)
        next = first - 1;
    if (next > durable)
        next = durable;
    log_error("stream", "%.*s %.*s: changes from %llu to %llu are lost to it: %s", TEXT_FMT(c->api->config->name), TEXT_FMT(c->name),
        (unsigned long long)at.sequence, (unsigned long long)next, err->text);
    c->behind = c->end = (struct feed_position){next, FEED_ALL};
}

/* The feed cannot be read on; a batch that was begun goes first. */
static void feed_failed(struct live_consumer *c, int code, struct err *err)
{
    if (!err->code)
        err_set(err, code, "%s", err_text(code));
    feed_close(c->feed);
    c->feed = NULL;
    if (code == ERR_NOT_FOUND || code == ERR_CORRUPT || code == ERR_VERSION) {
        if (c->count)
            c->limit = c->count; /* it is full as it is */
        else
            consumer_lost(c, c->end, err);
        return;
    }
    log_warn("stream", "%.*s %.*s waits: %s", TEXT_FMT(c->api->config->name), TEXT_FMT(c->name), err->text);
    batch_clear(c);
    c->end = c->behind;
    c->state = RESTING;
    loop_timer_set(c->live->io->loop, &c->timer, clock_mono_ms() + SECOND_MS);
}

static int feed_begin(struct live_consumer *c)
{
    struct gateway *gateway = c->live->gateway;
    struct err err = {0};
    if (c->feed)
        return 0;
    int code = feed_open(&c->feed, gateway->tick, gateway->config.journal, c->behind, &err);
    if (code == ERR_NOT_FOUND || code == ERR_INVALID) {
        consumer_lost(c, c->behind, &err);
        code = feed_open(&c->feed, gateway->tick, gateway->config.journal, c->behind, &err);
    }
    return code;
}

static bool batch_full(const struct live_consumer *c)
{
    return c->count >= c->limit || c->text.len >= STREAM_BATCH_BYTES;
}

/* Answers how many journal records it has looked at. */
static int gather(struct live_consumer *c)
{
    struct store_change change;
    struct err err = {0};
    uint64_t sequence;
    int records = 0, code = feed_begin(c);
    while (!code && records < TURN_RECORDS && !batch_full(c)) {
        code = feed_next(c->feed, &sequence, &change, &err);
        if (code == FEED_END) {
            records++;
            code = 0;
        } else if (!code && text_equal(change.table, c->table)) {
            uint32_t before = c->count;
            code = live_record_add(c, sequence, &change);
            if (!before && c->count) {
                c->first_ms = clock_mono_ms();
                c->oldest_ms = change.time_ms;
            }
        }
    }
    if (c->feed)
        c->end = feed_position(c->feed);
    if (code && code != ERR_AGAIN)
        feed_failed(c, code, &err);
    if (!c->count)
        c->behind = c->end;
    return records;
}

/* ---- the call ---- */

void live_consumer_wait(struct live_consumer *c, int64_t ms)
{
    c->state = WAITING;
    loop_timer_set(c->live->io->loop, &c->timer, clock_mono_ms() + ms);
}

void live_consumer_back_off(struct live_consumer *c)
{
    live_consumer_wait(c, c->backoff_ms);
    c->backoff_ms = c->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : c->backoff_ms * 2;
}

static const struct gw_route *route_of(const struct live_consumer *c, enum consumer_job job)
{
    if (job == JOB_GIVE_UP)
        return c->with_route ? c->on_failure : NULL;
    return job == JOB_RUN ? c->route : NULL;
}

void live_consumer_submit(struct live_consumer *c, enum consumer_job job, uint32_t upto)
{
    struct weir_call *call = gw_call_take(c->live->io, c->api);
    c->job = job;
    c->upto = upto;
    c->mark = upto < c->count ? c->record[upto - 1].at : c->end;
    if (call) {
        call->kind = GW_CALL_STREAM;
        call->consumer = c;
        call->route = route_of(c, job);
        call->body = call->route ? live_batch_body(c, &call->arena, upto, job == JOB_GIVE_UP) : TEXT("{}");
        if (!call->body.data) {
            gw_call_give(call);
            call = NULL;
        } else {
            call->arrived_ns = clock_mono_ns();
        }
    }
    if (!call) {
        live_consumer_wait(c, BACKOFF_MAX_MS);
        return;
    }
    c->state = FLYING;
    gw_submit(c->live->io, call);
}

static void go_on(struct live_consumer *c)
{
    if (c->job == JOB_RUN && c->url.len)
        live_batch_send(c);
    else
        live_consumer_submit(c, c->job, c->upto);
}

static void batch_begin(struct live_consumer *c)
{
    c->job = JOB_RUN;
    c->upto = c->count;
    c->named = false;
    go_on(c);
}

/* ---- its end ---- */

static bool is_nobodys_fault(int code)
{
    return code == ERR_DISK_FULL || code == ERR_MEMORY || code == ERR_AGAIN || code == ERR_IO;
}

static void say_given_up(struct live_consumer *c)
{
    counter_add(COUNTER_stream_dead_letters, c->upto);
    __atomic_add_fetch(&c->shown_given_up, c->upto, __ATOMIC_RELAXED);
    log_error("stream", "%.*s %.*s: %u records up to %llu.%u are given up: %s", TEXT_FMT(c->api->config->name), TEXT_FMT(c->name), c->upto,
        (unsigned long long)c->mark.sequence, c->mark.number, c->message);
}

/* From behind its newest place; what was gathered beyond it is gathered again. */
static void gather_again(struct live_consumer *c)
{
    if (feed_compare(c->end, c->behind) > 0) {
        if (feed_compare(c->end, c->bad) > 0)
            c->bad = c->end;
        feed_close(c->feed);
        c->feed = NULL;
        c->end = c->behind;
    }
    batch_clear(c);
    c->state = GATHERING;
}

static void taken(struct live_consumer *c)
{
    bool ran = c->job == JOB_RUN || c->job == JOB_TAKEN;
    if (ran) {
        counter_add(COUNTER_stream_batches, 1);
        gw_meter_iterator_age(c->live->io, c->api, c->route, c->name, clock_wall_ms() - c->oldest_ms);
        counter_add(COUNTER_stream_records, c->upto);
    } else if (c->job == JOB_GIVE_UP) {
        say_given_up(c);
    }
    c->stored = c->behind = c->mark;
    c->stored_ms = clock_mono_ms();
    c->attempts = 0;
    c->backoff_ms = BACKOFF_FIRST_MS;
    if (feed_compare(c->behind, c->bad) >= 0)
        c->limit = c->batch_max;
    else if (ran && c->limit <= c->batch_max / 2)
        c->limit *= 2;
    gather_again(c);
    keep_journal(c->live);
}

/* The batch again from its beginning, half as long. */
static void halve(struct live_consumer *c)
{
    c->limit = c->count / 2;
    gather_again(c);
}

/* A failure of the batch that is the batch's own. */
void live_consumer_failed(struct live_consumer *c, const char *error, const char *message)
{
    counter_add(COUNTER_stream_failures, 1);
    snprintf(c->error, sizeof(c->error), "%s", error);
    snprintf(c->message, sizeof(c->message), "%s", message);
    if (c->bisect && c->count > 1) {
        halve(c);
        return;
    }
    c->attempts++;
    log_warn("stream", "%.*s %.*s failed, attempt %d: %s", TEXT_FMT(c->api->config->name), TEXT_FMT(c->name), c->attempts, c->message);
    if (c->attempts <= c->retries) {
        live_consumer_back_off(c);
        return;
    }
    c->with_route = c->on_failure != NULL;
    live_consumer_submit(c, JOB_GIVE_UP, c->named ? 1 : c->count);
}

static void call_failed(struct live_consumer *c, const struct weir_call *call, int code)
{
    const char *text = call->client_error ? call->err_text : err_text(code);
    if (is_nobodys_fault(code) || c->job == JOB_PLACE || c->job == JOB_TAKEN) {
        counter_add(COUNTER_stream_failures, 1);
        log_warn("stream", "%.*s %.*s waits: %s", TEXT_FMT(c->api->config->name), TEXT_FMT(c->name), err_text(code));
        live_consumer_back_off(c);
    } else if (c->job == JOB_GIVE_UP && c->with_route) { /* on_failure's own failure */
        counter_add(COUNTER_stream_failures, 1);
        log_error("stream", "%.*s %.*s failed: %s", TEXT_FMT(c->api->config->name), TEXT_FMT(c->on_failure->key), text);
        c->with_route = false;
        live_consumer_submit(c, JOB_GIVE_UP, c->upto);
    } else if (c->job == JOB_GIVE_UP) { /* it cannot be kept now */
        log_error("stream", "%.*s %.*s: what was given up cannot be kept: %s", TEXT_FMT(c->api->config->name), TEXT_FMT(c->name), text);
        live_consumer_back_off(c);
    } else {
        live_consumer_failed(c, call->client_error ? call->err_code : err_name(code), text);
    }
}

void gw_stream_done(struct gw_io *io, struct weir_call *call)
{
    struct live_consumer *c = call->consumer;
    int code = call->base.code;
    (void)io;
    if (code < 0)
        call_failed(c, call, code);
    else
        taken(c);
    gw_call_give(call);
    c->live->look = true;
    loop_wake(c->live->io->loop); /* there may be more to take */
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct live_consumer *c = LIST_ENTRY(timer, struct live_consumer, timer);
    (void)loop;
    c->live->look = true;
    if (c->state == RESTING)
        c->state = GATHERING;
    if (c->state == SENDING)
        live_batch_overdue(c);
    else if (c->state == WAITING)
        go_on(c);
    /* Else the window is over: the turn that follows sees it. */
}

/* The stored position is so old that the journal is kept for nothing. Positions are commits themselves, so a few of them are no reason for another one. */
static bool is_behind(const struct live_consumer *c, int64_t now_ms)
{
    uint64_t between = c->behind.sequence - c->stored.sequence;
    return between > IDLE_RECORDS || (between > 16 + 2 * c->live->consumer_count && now_ms - c->stored_ms > IDLE_MS);
}

static int consumer_turn(struct live_consumer *c)
{
    if (c->state != GATHERING)
        return 0;
    int records = gather(c);
    if (c->state != GATHERING)
        return records;
    bool hurry = feed_compare(c->behind, c->bad) < 0;
    int64_t now_ms = clock_mono_ms(), due_ms = c->first_ms + c->window_ms;
    if (c->count && (batch_full(c) || hurry || now_ms >= due_ms)) {
        loop_timer_stop(c->live->io->loop, &c->timer);
        batch_begin(c);
        return records + 1;
    }
    if (c->count && !loop_timer_is_set(&c->timer))
        loop_timer_set(c->live->io->loop, &c->timer, due_ms);
    if (!c->count && is_behind(c, now_ms))
        live_consumer_submit(c, JOB_PLACE, 0);
    return records;
}

int live_streams_turn(struct gw_live *live)
{
    int done = 0;
    for (size_t i = 0; i < live->consumer_count; i++)
        done += consumer_turn(&live->consumers[i]);
    return done;
}

void live_streams_second(struct gw_live *live)
{
    int64_t oldest_ms = 0, now_ms = clock_wall_ms();
    for (size_t i = 0; i < live->consumer_count; i++) {
        struct live_consumer *c = &live->consumers[i];
        int64_t age_ms = c->count && now_ms > c->oldest_ms ? now_ms - c->oldest_ms : 0;
        if (age_ms > oldest_ms)
            oldest_ms = age_ms;
        __atomic_store_n(&c->shown_age_ms, age_ms, __ATOMIC_RELAXED);
        __atomic_store_n(&c->shown_sequence, (int64_t)c->behind.sequence, __ATOMIC_RELAXED);
    }
    counter_add(COUNTER_stream_iterator_age_ms, oldest_ms - live->age_shown_ms);
    live->age_shown_ms = oldest_ms;
}
