/*
 * Consumers: batches of a table's changes to a handler.
 *
 * Each consumer is a cursor over the feed. It gathers a batch until it is full or its window is over, and submits it as a call: the handler's writes and the
 * consumer's new position are one commit. So after a crash the batch is either done or begun again, and its effect on the tables happens once, whatever
 * the moment. The position is a raw row, api NUL route NUL table -> (sequence, number).
 *
 * A batch that fails is halved (bisect) until one record is left that fails alone; that one is tried as often as declared, with backoff, and then given up: a row
 * with the record and its error, in the commit that moves the position past it. Without bisect the whole batch is tried, and given up record by record. What
 * is no fault of the records (a full disk, no memory) is waited for, and never counts.
 *
 * Records of other tables move the position too, but only in memory: it is written when a thousand records or ten minutes lie between, so that the journal can be
 * forgotten behind an idle consumer.
 */
#include "gateway/live_stream.h"
#include "base/cursor.h"
#include "store/key.h"

#include <stdlib.h>

#define BATCH_MAX 100
#define BATCH_LIMIT 1000
#define BATCH_BYTES ((size_t)1 << 20)   /* JSON; a batch is closed when it holds so much */
#define BATCH_JSON_MAX ((size_t)24 << 20)
#define RETRIES 3
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 10000
#define TURN_RECORDS 1024               /* journal records one consumer looks at in a turn */
#define IDLE_RECORDS 1000               /* records of others behind the stored position before it is stored again */
#define IDLE_MS (10 * MINUTE_MS)        /* or so long, when anything beside such positions was written */

/* ---- start ---- */

static int consumer_check(struct live_consumer *c, struct err *err)
{
    const struct weir_stream *decl = c->decl;
    struct text api = c->api->config->name;
    c->route = decl->route ? map_get(&c->api->by_key, text_of(decl->route)) : NULL;
    c->on_failure = decl->on_failure ? map_get(&c->api->by_key, text_of(decl->on_failure)) : NULL;
    if (!c->route || !c->route->handler || decl->route[0] != '@')
        return err_set(err, ERR_INVALID, "API %.*s: a stream's route %s is no handler of the form @name", TEXT_FMT(api), decl->route ? decl->route : "");
    if (decl->on_failure && (!c->on_failure || !c->on_failure->handler || decl->on_failure[0] != '@'))
        return err_set(err, ERR_INVALID, "API %.*s: a stream's route %s is no handler of the form @name", TEXT_FMT(api), decl->on_failure);
    if (!decl->table->changes)
        return err_set(err, ERR_INVALID, "API %.*s: the table %s of a stream keeps no changes", TEXT_FMT(api), decl->table->name);
    if (decl->batch_max > BATCH_LIMIT || decl->window_ms < 0)
        return err_set(err, ERR_INVALID, "API %.*s: a stream's batch has at most %d records, and its window is not negative", TEXT_FMT(api), BATCH_LIMIT);
    c->batch_max = decl->batch_max ? decl->batch_max : BATCH_MAX;
    c->window_ms = c->api->config->stream_window_ms >= 0 ? c->api->config->stream_window_ms : decl->window_ms;
    c->retries = decl->retries > 0 ? decl->retries : decl->retries < 0 ? 0 : RETRIES;
    c->limit = c->batch_max;
    c->record = calloc(c->batch_max, sizeof(*c->record));
    return c->record ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

int live_streams_create(struct gw_live *live, struct err *err)
{
    struct gateway *gateway = live->gateway;
    size_t count = 0;
    for (size_t i = 0; i < gateway->api_count; i++) {
        const struct weir_app *app = gateway->apis[i].config->app;
        for (const struct weir_stream *s = app ? app->streams : NULL; s && s->table; s++)
            count++;
    }
    live->consumers = calloc(count + 1, sizeof(*live->consumers));
    if (!live->consumers)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < gateway->api_count; i++) {
        const struct weir_app *app = gateway->apis[i].config->app;
        for (const struct weir_stream *s = app ? app->streams : NULL; s && s->table; s++) {
            struct live_consumer *c = &live->consumers[live->consumer_count++];
            *c = (struct live_consumer){.live = live, .api = &gateway->apis[i], .decl = s, .backoff_ms = BACKOFF_FIRST_MS};
            buf_init(&c->text, BATCH_JSON_MAX);
            int code = consumer_check(c, err);
            if (code)
                return code;
        }
    }
    return 0;
}

void live_consumer_key(struct buf *key, struct text api, struct text route)
{
    buf_add_text(key, api);
    buf_add_char(key, 0);
    buf_add_text(key, route);
    buf_add_char(key, 0);
}

static void submit(struct live_consumer *c, enum consumer_job job);
static void on_timer(struct loop *loop, struct loop_timer *timer);

static bool stored_position(struct live_consumer *c, struct feed_position *out)
{
    struct store *store = c->live->gateway->config.store;
    unsigned reader = c->live->io->index;
    struct arena arena;
    struct text value;
    struct store_view view = {.store = store, .snapshot = store_snapshot_acquire(store, reader), .now_s = clock_wall_ms() / 1000};
    arena_init(&arena, 1024, 1 << 20);
    bool found = store_raw_get(&view, STORE_SPACE_STREAMS, c->key, &arena, &value) == 0 && value.len == 12;
    if (found) {
        struct cursor at = cursor_of(value);
        out->sequence = cursor_be64(&at);
        out->number = cursor_be32(&at);
    }
    arena_fini(&arena);
    store_snapshot_release(store, reader);
    return found;
}

static void keep_journal(struct gw_live *live)
{
    uint64_t from = UINT64_MAX;
    for (size_t i = 0; i < live->consumer_count; i++)
        if (live->consumers[i].stored.sequence < from)
            from = live->consumers[i].stored.sequence;
    tick_keep_from(live->gateway->tick, from);
}

static void consumer_begin(struct live_consumer *c)
{
    struct gateway *gateway = c->live->gateway;
    const struct store_table *table = gw_table(gateway, c->decl->table);
    struct buf key;
    buf_init(&key, 4096);
    c->table = table ? store_table_name(table) : TEXT_NONE;
    live_consumer_key(&key, c->api->config->name, text_of(c->decl->route));
    buf_add_text(&key, c->table);
    ASSERT(!key.failed);
    c->key = buf_text(&key);
    loop_timer_init(&c->timer, on_timer);
    c->stored_ms = clock_mono_ms();
    if (stored_position(c, &c->stored)) {
        c->behind = c->end = c->stored;
        return;
    }
    uint64_t first = journal_first(gateway->config.journal);
    c->stored = (struct feed_position){c->decl->start == WEIR_LATEST ? tick_durable(gateway->tick) : first ? first - 1 : 0, FEED_ALL};
    c->behind = c->end = c->stored;
    submit(c, JOB_PLACE); /* what comes from now on is its own, also after a crash */
}

#define LEISURE_MAX_MS 250 /* so that a batch that is full soon does not wait for its window */

void live_streams_begin(struct gw_live *live)
{
    live->leisure_ms = LEISURE_MAX_MS;
    for (size_t i = 0; i < live->consumer_count; i++)
        consumer_begin(&live->consumers[i]);
    for (size_t i = 0; i < live->consumer_count; i++)
        if (live->consumers[i].window_ms / 4 < live->leisure_ms)
            live->leisure_ms = live->consumers[i].window_ms / 4;
    if (live->consumer_count)
        keep_journal(live);
}

void live_streams_end(struct gw_live *live)
{
    for (size_t i = 0; i < live->consumer_count; i++) {
        struct live_consumer *c = &live->consumers[i];
        if (live->io)
            loop_timer_stop(live->io->loop, &c->timer);
        feed_close(c->feed);
        buf_fini(&c->text);
        free((char *)c->key.data);
        free(c->record);
    }
    free(live->consumers);
}

/* ---- gathering ---- */

static void batch_clear(struct live_consumer *c)
{
    buf_clear(&c->text);
    c->count = 0;
}

static void image(struct json_writer *w, const char *name, struct arena *arena, struct text bytes, int *code)
{
    struct attr *item = NULL;
    json_name(w, name);
    if (bytes.len && !*code)
        *code = item_decode(arena, bytes, &item);
    if (item)
        item_to_plain(w, item);
    else
        json_null(w);
}

static int record_add(struct live_consumer *c, uint64_t sequence, const struct store_change *change)
{
    struct arena *arena = &c->live->arena;
    struct json_writer w;
    int code = 0;
    if (c->count)
        buf_add_char(&c->text, ',');
    size_t from = c->text.len;
    json_writer_init(&w, &c->text);
    json_begin_object(&w);
    json_name(&w, "eventName");
    json_str(&w, change->event == 'I' ? "INSERT" : change->event == 'M' ? "MODIFY" : "REMOVE");
    json_name(&w, "sequence");
    json_u64(&w, sequence);
    json_name(&w, "number");
    json_u64(&w, change->number);
    json_name(&w, "time");
    json_i64(&w, change->time_ms);
    if (change->by_service) {
        json_name(&w, "byService");
        json_bool(&w, true);
    }
    image(&w, "keys", arena, change->keys, &code);
    image(&w, "new", arena, change->after, &code);
    image(&w, "old", arena, change->before, &code);
    json_end_object(&w);
    arena_reset(arena);
    if (code || c->text.failed)
        return code ? code : ERR_TOO_LARGE;
    c->record[c->count++] = (struct live_record){{sequence, change->number}, (uint32_t)from, (uint32_t)(c->text.len - from)};
    return 0;
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
    log_error("stream", "%.*s %s: changes from %llu to %llu are lost to it: %s", TEXT_FMT(c->api->config->name), c->decl->route,
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
    log_warn("stream", "%.*s %s waits: %s", TEXT_FMT(c->api->config->name), c->decl->route, err->text);
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
    return c->count >= c->limit || c->text.len >= BATCH_BYTES;
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
            if (c->count == 0) {
                c->first_ms = clock_mono_ms();
                c->oldest_ms = change.time_ms;
            }
            code = record_add(c, sequence, &change);
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

static struct text batch_body(struct live_consumer *c, struct arena *arena, bool with_error)
{
    struct buf out;
    buf_init(&out, BATCH_JSON_MAX + 4096);
    buf_add_text(&out, TEXT("{\"records\":["));
    buf_add_text(&out, buf_text(&c->text));
    buf_add_char(&out, ']');
    if (with_error) {
        buf_add_text(&out, TEXT(",\"error\":"));
        json_escape(&out, text_of(c->error));
        buf_add_text(&out, TEXT(",\"message\":"));
        json_escape(&out, text_of(c->message));
    }
    buf_add_char(&out, '}');
    struct text body = out.failed ? TEXT_NONE : arena_copy(arena, buf_text(&out));
    buf_fini(&out);
    return body;
}

static void wait_then(struct live_consumer *c, int64_t ms)
{
    c->state = WAITING;
    loop_timer_set(c->live->io->loop, &c->timer, clock_mono_ms() + ms);
}

static void submit(struct live_consumer *c, enum consumer_job job)
{
    struct weir_call *call = gw_call_take(c->live->io, c->api);
    c->job = job;
    if (call) {
        call->kind = GW_CALL_STREAM;
        call->consumer = c;
        call->route = job == JOB_RUN ? c->route : job == JOB_GIVE_UP && c->with_route ? c->on_failure : NULL;
        call->body = job == JOB_PLACE ? TEXT("{}") : batch_body(c, &call->arena, job == JOB_GIVE_UP);
        if (!call->body.data) {
            gw_call_give(call);
            call = NULL;
        }
    }
    if (!call) {
        wait_then(c, BACKOFF_MAX_MS);
        return;
    }
    c->state = FLYING;
    gw_submit(c->live->io, call);
}

static int store_position(struct weir_call *call, const struct live_consumer *c)
{
    struct buf value;
    buf_init(&value, 16);
    buf_add_be64(&value, c->end.sequence);
    buf_add_be32(&value, c->end.number);
    int code = value.failed ? ERR_MEMORY : store_raw_put(tick_stage(call->tick), STORE_SPACE_STREAMS, c->key, buf_text(&value));
    buf_fini(&value);
    return code;
}

static int store_failed(struct weir_call *call, const struct live_consumer *c, const struct live_record *record)
{
    struct buf key, value;
    buf_init(&key, 4096);
    buf_init(&value, BATCH_JSON_MAX + 4096);
    live_consumer_key(&key, c->api->config->name, text_of(c->decl->route));
    buf_add_be64(&key, record->at.sequence);
    buf_add_be32(&key, record->at.number);
    buf_add_text(&value, TEXT("{\"error\":"));
    json_escape(&value, text_of(c->error));
    buf_add_text(&value, TEXT(",\"message\":"));
    json_escape(&value, text_of(c->message));
    buf_add_format(&value, ",\"attempts\":%d,\"givenUp\":%lld,\"record\":", c->attempts, (long long)call->now_ms);
    buf_add(&value, c->text.data + record->from, record->len);
    buf_add_char(&value, '}');
    int code = key.failed || value.failed ? ERR_TOO_LARGE : store_raw_put(tick_stage(call->tick), STORE_SPACE_FAILED, buf_text(&key), buf_text(&value));
    buf_fini(&key);
    buf_fini(&value);
    return code;
}

/* In the tick; the consumer stands still while its call is under way. */
int gw_stream_run(struct weir_call *call)
{
    const struct live_consumer *c = call->consumer;
    int code = store_position(call, c);
    for (uint32_t i = 0; c->job == JOB_GIVE_UP && i < c->count && !code; i++)
        code = store_failed(call, c, &c->record[i]);
    return code;
}

/* ---- its end ---- */

static bool is_nobodys_fault(int code)
{
    return code == ERR_DISK_FULL || code == ERR_MEMORY || code == ERR_AGAIN || code == ERR_IO;
}

static void taken(struct live_consumer *c)
{
    if (c->job == JOB_RUN) {
        counter_add(COUNTER_stream_batches, 1);
        counter_add(COUNTER_stream_records, c->count);
    } else if (c->job == JOB_GIVE_UP) {
        counter_add(COUNTER_stream_dead_letters, c->count);
        __atomic_add_fetch(&c->shown_given_up, c->count, __ATOMIC_RELAXED);
        log_error("stream", "%.*s %s: %u records up to %llu.%u are given up: %s", TEXT_FMT(c->api->config->name), c->decl->route, c->count,
            (unsigned long long)c->end.sequence, c->end.number, c->message);
    }
    c->stored = c->behind = c->end;
    c->stored_ms = clock_mono_ms();
    c->attempts = 0;
    c->backoff_ms = BACKOFF_FIRST_MS;
    if (feed_compare(c->behind, c->bad) >= 0)
        c->limit = c->batch_max;
    else if (c->job == JOB_RUN && c->limit < c->batch_max / 2)
        c->limit *= 2;
    batch_clear(c);
    c->state = GATHERING;
    keep_journal(c->live);
}

static void back_off(struct live_consumer *c)
{
    wait_then(c, c->backoff_ms);
    c->backoff_ms = c->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : c->backoff_ms * 2;
}

/* The batch again from its beginning, half as long. */
static void halve(struct live_consumer *c)
{
    if (feed_compare(c->end, c->bad) > 0)
        c->bad = c->end;
    c->limit = c->count / 2;
    feed_close(c->feed);
    c->feed = NULL;
    c->end = c->behind;
    batch_clear(c);
    c->state = GATHERING;
}

static void failed(struct live_consumer *c, const struct weir_call *call, int code)
{
    counter_add(COUNTER_stream_failures, 1);
    if (is_nobodys_fault(code) || c->job == JOB_PLACE) {
        log_warn("stream", "%.*s %s waits: %s", TEXT_FMT(c->api->config->name), c->decl->route, err_text(code));
        back_off(c);
        return;
    }
    if (c->job == JOB_GIVE_UP) { /* on_failure's own failure */
        log_error("stream", "%.*s %s failed: %s", TEXT_FMT(c->api->config->name), c->decl->on_failure, call->client_error ? call->err_text : err_text(code));
        c->with_route = false;
        submit(c, JOB_GIVE_UP);
        return;
    }
    snprintf(c->error, sizeof(c->error), "%s", call->client_error ? call->err_code : err_name(code));
    snprintf(c->message, sizeof(c->message), "%s", call->client_error ? call->err_text : err_text(code));
    if (c->decl->bisect && c->count > 1) {
        halve(c);
        return;
    }
    c->attempts++;
    log_warn("stream", "%.*s %s failed, attempt %d: %s", TEXT_FMT(c->api->config->name), c->decl->route, c->attempts, c->message);
    if (c->attempts <= c->retries) {
        back_off(c);
        return;
    }
    c->with_route = c->on_failure != NULL;
    submit(c, JOB_GIVE_UP);
}

void gw_stream_done(struct gw_io *io, struct weir_call *call)
{
    struct live_consumer *c = call->consumer;
    int code = call->base.code;
    (void)io;
    if (code < 0)
        failed(c, call, code);
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
    if (c->state == WAITING)
        submit(c, c->job);
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
    if (c->state != GATHERING || !c->table.len)
        return 0;
    int records = gather(c);
    if (c->state != GATHERING)
        return records;
    bool hurry = feed_compare(c->behind, c->bad) < 0;
    int64_t now_ms = clock_mono_ms(), due_ms = c->first_ms + c->window_ms;
    if (c->count && (batch_full(c) || hurry || now_ms >= due_ms)) {
        loop_timer_stop(c->live->io->loop, &c->timer);
        submit(c, JOB_RUN);
        return records + 1;
    }
    if (c->count && !loop_timer_is_set(&c->timer))
        loop_timer_set(c->live->io->loop, &c->timer, due_ms);
    if (!c->count && is_behind(c, now_ms))
        submit(c, JOB_PLACE);
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
