/*
 * SubscribeToShard: an answer of events (net/event_stream.h) for five minutes. In the tick the request becomes the newest subscription of its consumer and shard
 * (gateway/records.h); then its io thread pushes what is there and what comes.
 *
 * Nothing is kept for a subscriber but his place. A page is read when there may be something behind the place (a commit touched the stream: gateway/follow.h) and the page
 * before has left; so a reader that is slow is read for slowly, and costs one event of memory. The first page of a turn is read on the io thread from the cache; what is
 * cold, or a second one in the same turn, on a worker, so that a subscriber far behind does not keep the thread from others. Each page looks at the stream, the consumer
 * and the subscription again: what was deleted, or replaced by a newer subscription, ends with an exception in the stream, as on AWS.
 *
 * Ownership: the subscription is on the heap, and belongs to its io thread. It ends with its connection, but while a page is being read for it, at that page's return.
 */
#include "aws/kinesis.h"

#include "base/counter.h"
#include "gateway/follow.h"
#include "net/event_stream.h"

#include <stdio.h>
#include <stdlib.h>

#define EVENT_RECORDS 10000
#define EVENT_BYTES ((size_t)512 << 10) /* of data and keys in one event, one record more at the most */
#define EVENT_ROOM ((size_t)32 << 20)   /* bytes of an event's text: a record of 10 MiB in base64, and then some */
#define BEAT_MS INT64_C(5000)           /* an event without records when there was none for so long */
#define LIFE_MS INT64_C(300000)
#define TAKEOVER_MS INT64_C(5000)       /* a subscription that is younger is not replaced */
#define BUSY_MS INT64_C(100)            /* until a page is tried again when workers are busy */

/* What the request asked for; in its arena. */
struct wish {
    struct kinesis_consumer_name name;
    /* set in the tick */
    struct gw_position stream, consumer, serial;
    uint32_t shard;
    struct gw_records_from from;
    int64_t from_ms; /* AT_TIMESTAMP: the place is found by the first page; else -1 */
};

struct subscription {
    struct gw_follower follower;
    struct gw_io *io;
    struct net_conn *conn; /* NULL: over; it goes when `reading` has ended */
    struct loop_timer timer;
    const struct gateway_config *config;
    bool cbor;
    struct text stream, consumer; /* names; in `names` */
    struct gw_position stream_id, consumer_id, serial;
    uint32_t shard;
    struct gw_records_from from;
    int64_t from_ms;
    int64_t end_ms, beat_ms; /* monotonic */
    uint64_t turn;           /* the loop's, of the last page that was read here */
    bool reading, dirty;     /* a page is being read; there may be something behind the place */
    char names[];
};

/* One page, being read; in its work's arena. */
struct page {
    struct subscription *sub;
    struct gw_records_from from;
    int64_t from_ms;
    bool quiet; /* nothing is said when there is nothing */
    /* results */
    struct buf out; /* the event or the exception; empty: nothing to say */
    bool more, over;
    size_t records;
    uint64_t sequence; /* of the snapshot */
};

/* ---- the request ---- */

int kinesis_subscribe_prepare(struct aws_call *call)
{
    struct wish *wish = arena_zalloc(call->arena, sizeof(*wish));
    if (!wish)
        return aws_no_memory(call);
    call->state = wish;
    kinesis_consumer_arn_parse(aws_param_text(call->in, "ConsumerARN"), &wish->name); /* its form has been judged with the request's shape */
    int code = kinesis_no_dry_run(call);
    return code ? code : aws_may_on(call, call->op->name, "stream", aws_param_text(call->in, "ConsumerARN"), TEXT_NONE);
}

static int find_place(struct aws_call *call, const struct gw_stream *stream, const struct gw_shard *shard, struct tick *tick, struct wish *wish)
{
    const struct json *start = shape_get(call->in, "StartingPosition");
    struct text type = aws_param_text(start, "Type");
    struct gw_position now = {tick_sequence(tick), tick_call_number(tick), GW_POSITION_INDEX_MAX};
    wish->from = (struct gw_records_from){.inclusive = true};
    wish->from_ms = -1;
    if (text_is(type, "TRIM_HORIZON"))
        return 0;
    if (text_is(type, "LATEST")) {
        wish->from = (struct gw_records_from){.position = now};
        return 0;
    }
    if (text_is(type, "AT_TIMESTAMP"))
        return kinesis_iterator_time(call, shape_get(start, "Timestamp"), &wish->from_ms);
    return kinesis_iterator_sequence(call, stream, shard, type, shape_get(start, "SequenceNumber"), now, &wish->from);
}

int kinesis_subscribe_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct wish *wish = call->state;
    struct gw_stream stream;
    struct gw_stream_consumer consumer;
    struct gw_subscription before = {.at_ms = 0}, now;
    struct gw_shard shard;
    int code = kinesis_consumer_find(call, view, &wish->name, &stream, &consumer);
    if (!code)
        code = kinesis_shard(call, view, &stream, "ShardId", &shard);
    if (!code)
        code = find_place(call, &stream, &shard, tick, wish);
    if (code)
        return code;
    code = gw_subscription_get(view, call->arena, &stream, &consumer, shard.number, &before);
    if (!code && tick_now_ms(tick) - before.at_ms < TAKEOVER_MS)
        return aws_fail(call, KINESIS_IN_USE, "Another active subscription exists for this consumer: %.*s:%.*s:shardId-%012u:%.*s", TEXT_FMT(call->config->account),
            TEXT_FMT(stream.name), shard.number, TEXT_FMT(consumer.name));
    if (!code || code == ERR_NOT_FOUND)
        code = gw_subscription_begin(tick, &stream, &consumer, shard.number, &now);
    if (code)
        return kinesis_fail(call, stream.name, code, NULL);
    wish->stream = stream.id;
    wish->consumer = consumer.id;
    wish->serial = now.serial;
    wish->shard = shard.number;
    return 0;
}

/* ---- the end ---- */

static void destroy(struct subscription *sub)
{
    counter_add(COUNTER_records_subscriptions, -1);
    free(sub);
}

static void leave(struct subscription *sub)
{
    gw_follow_end(&sub->follower);
    loop_timer_stop(net_io_loop(net_conn_io(sub->conn)), &sub->timer);
    sub->conn = NULL;
    if (!sub->reading)
        destroy(sub);
}

static void on_gone(void *context, struct net_conn *conn)
{
    (void)conn;
    leave(context);
}

static void finish(struct subscription *sub)
{
    struct net_conn *conn = sub->conn;
    leave(sub);
    net_pour_end(conn);
}

/* ---- a page: io thread or worker ---- */

static struct text content_type(const struct subscription *sub)
{
    return sub->cbor ? TEXT("application/x-amz-cbor-1.1") : TEXT("application/x-amz-json-1.1");
}

/* JSON becomes the payload of a message. */
static int frame(const struct subscription *sub, enum event_stream_kind kind, const char *type, struct text json, struct buf *out)
{
    struct event_stream_message message;
    event_stream_begin(out, kind, text_of(type), content_type(sub), &message);
    int code = 0;
    if (sub->cbor)
        code = aws_dress(json, kinesis_service.cbor, out);
    else
        buf_add_text(out, json);
    int ended = event_stream_end(out, &message);
    return code ? code : ended;
}

static int say_exception(struct page *page, enum aws_fault fault, const char *format, struct text name)
{
    const char *type = strchr(aws_fault_type(fault), '#') + 1;
    struct buf json;
    struct json_writer w;
    char sentence[512];
    snprintf(sentence, sizeof(sentence), format, TEXT_FMT(name));
    buf_init(&json, 4096);
    json_writer_init(&w, &json);
    json_begin_object(&w);
    json_name(&w, "message");
    json_str(&w, sentence);
    json_end_object(&w);
    page->over = true;
    int code = frame(page->sub, EVENT_STREAM_EXCEPTION, type, buf_text(&json), &page->out);
    buf_fini(&json);
    return code;
}

static int write_event(struct page *page, struct store_view *view, struct arena *arena, const struct gw_stream *stream, const struct gw_shard *shard, struct json_writer *w)
{
    struct gw_records_page read = {.from = page->from, .limit = EVENT_RECORDS, .bytes = EVENT_BYTES, .quick = view->cache_only, .now_ms = clock_wall_ms()};
    char sequence[GW_SEQUENCE_TEXT + 1];
    json_begin_object(w);
    json_name(w, "Records");
    json_begin_array(w);
    int code = gw_records_read(view, arena, stream, shard->number, &read, kinesis_record_write, w);
    json_end_array(w);
    if (code)
        return code;
    page->from = read.next;
    page->records = read.count;
    page->more = !read.at_end;
    page->over = shard->closed && read.at_end;
    if (page->over) {
        code = kinesis_children_write(w, view, arena, stream, shard);
    } else {
        gw_position_format(read.next.position, shard->number, sequence);
        json_name(w, "ContinuationSequenceNumber");
        json_str(w, sequence);
    }
    json_name(w, "MillisBehindLatest");
    json_i64(w, read.behind_ms);
    json_end_object(w);
    return code ? code : w->out->failed ? ERR_MEMORY : 0;
}

static int read_event(struct page *page, struct store_view *view, struct arena *arena, const struct gw_stream *stream)
{
    struct buf json;
    struct json_writer w;
    struct gw_shard shard;
    int code = gw_shard_get(view, arena, stream, page->sub->shard, &shard);
    if (code == ERR_NOT_FOUND)
        return say_exception(page, KINESIS_NOT_FOUND, "The shard of the subscription to stream %.*s is not kept any more.", stream->name);
    if (!code && page->from_ms >= 0)
        code = gw_records_at_time(view, arena, stream, shard.number, page->from_ms, &page->from);
    if (code)
        return code;
    page->from_ms = -1;
    buf_init(&json, EVENT_ROOM);
    json_writer_init(&w, &json);
    code = write_event(page, view, arena, stream, &shard, &w);
    if (!code && (page->records || page->over || !page->quiet))
        code = frame(page->sub, EVENT_STREAM_EVENT, "SubscribeToShardEvent", buf_text(&json), &page->out);
    buf_fini(&json);
    return code;
}

/* 0, or ERR_COLD, or what went wrong. */
static int read_page(struct gw_work *work, struct store_view *view)
{
    struct page *page = work->user;
    const struct subscription *sub = page->sub; /* what is read of it here does not change */
    struct gw_stream stream;
    struct gw_stream_consumer consumer;
    struct gw_subscription newest;
    buf_clear(&page->out);
    page->sequence = store_snapshot_sequence(view->snapshot);
    int code = gw_stream_get(view, work->arena, sub->stream, &stream);
    if (code == ERR_NOT_FOUND || (!code && gw_position_compare(stream.id, sub->stream_id) != 0))
        return say_exception(page, KINESIS_NOT_FOUND, "Stream %.*s not found.", sub->stream);
    if (!code)
        code = gw_consumer_get(view, work->arena, &stream, sub->consumer, &consumer);
    if (code == ERR_NOT_FOUND || (!code && gw_position_compare(consumer.id, sub->consumer_id) != 0))
        return say_exception(page, KINESIS_NOT_FOUND, "Consumer %.*s not found.", sub->consumer);
    if (!code)
        code = gw_subscription_get(view, work->arena, &stream, &consumer, sub->shard, &newest);
    if (!code && gw_position_compare(newest.serial, sub->serial) != 0)
        return say_exception(page, KINESIS_IN_USE, "Another active subscription exists for this consumer: %.*s", sub->consumer);
    return code ? code : read_event(page, view, work->arena, &stream);
}

/* ---- pushing: io thread ---- */

static void step(struct subscription *sub);

static void set_timer(struct subscription *sub)
{
    loop_timer_set(net_io_loop(net_conn_io(sub->conn)), &sub->timer, sub->beat_ms < sub->end_ms ? sub->beat_ms : sub->end_ms);
}

/* False: the subscription is over. */
static bool push(struct subscription *sub, struct page *page)
{
    if (page->out.len && net_pour_send(sub->conn, buf_text(&page->out)))
        return false; /* the connection is ending: on_gone follows, or its queue is beyond its bound, which one page at a time cannot be */
    sub->from = page->from;
    sub->from_ms = page->from_ms;
    sub->dirty = sub->dirty || page->more;
    sub->follower.seen = page->sequence > sub->follower.seen ? page->sequence : sub->follower.seen;
    if (page->out.len) {
        sub->beat_ms = clock_mono_ms() + BEAT_MS;
        set_timer(sub);
    }
    counter_add(COUNTER_records_pushed, (int64_t)page->records);
    if (page->over)
        finish(sub);
    return !page->over;
}

static void on_read(struct gw_work *work, struct net_conn *none, int code)
{
    struct page *page = work->user;
    struct subscription *sub = page->sub;
    (void)none;
    sub->reading = false;
    if (!sub->conn) {
        destroy(sub);
    } else if (code) {
        net_conn_abort(sub->conn); /* a page that cannot be read; on_gone follows */
    } else if (push(sub, page)) {
        step(sub);
    }
    buf_fini(&page->out);
}

static bool offload(struct subscription *sub, struct gw_work *work)
{
    if (gw_work_offload(work, read_page) == 0)
        return true;
    sub->reading = false;
    sub->dirty = true;
    sub->beat_ms = clock_mono_ms() + BUSY_MS;
    set_timer(sub);
    buf_fini(&((struct page *)work->user)->out);
    work->done = NULL;
    return false;
}

static void nothing_done(struct gw_work *work, struct net_conn *none, int code)
{
    (void)work, (void)none, (void)code;
}

static void read_on(struct subscription *sub, bool quiet)
{
    struct loop *loop = net_io_loop(net_conn_io(sub->conn));
    struct gw_work *work = gw_work_own(sub->io);
    struct page *page = work ? arena_zalloc(work->arena, sizeof(*page)) : NULL;
    struct store_view view;
    if (!page) {
        net_conn_abort(sub->conn);
        return;
    }
    *page = (struct page){.sub = sub, .from = sub->from, .from_ms = sub->from_ms, .quiet = quiet};
    buf_init(&page->out, EVENT_ROOM + 4096);
    work->user = page;
    work->done = on_read;
    sub->reading = true;
    sub->dirty = false;
    int code = ERR_COLD;
    if (sub->turn != loop_turn_number(loop)) {
        struct page fresh = *page;
        sub->turn = loop_turn_number(loop);
        gw_view_begin(sub->io, &view);
        code = read_page(work, &view);
        gw_view_end(sub->io);
        if (code == ERR_COLD) {
            struct buf out = page->out;
            *page = fresh;
            page->out = out;
        }
    }
    if (code != ERR_COLD) {
        gw_work_finish(work, code);
    } else if (!offload(sub, work)) {
        work->done = nothing_done;
        gw_work_finish(work, 0);
    }
}

/* The next page, when there may be one and the one before has left. */
static void step(struct subscription *sub)
{
    if (sub->dirty && !sub->reading && net_pour_queued(sub->conn) == 0)
        read_on(sub, true);
}

static void on_room(void *context, struct net_conn *conn)
{
    (void)conn;
    step(context);
}

static void on_change(struct gw_follower *follower)
{
    struct subscription *sub = LIST_ENTRY(follower, struct subscription, follower);
    sub->dirty = true;
    step(sub);
}

static void on_time(struct loop *loop, struct loop_timer *timer)
{
    struct subscription *sub = LIST_ENTRY(timer, struct subscription, timer);
    int64_t now = loop_now_ms(loop);
    if (now >= sub->end_ms) {
        finish(sub);
        return;
    }
    if (now >= sub->beat_ms) {
        sub->beat_ms = now + BEAT_MS;
        if (!sub->reading && net_pour_queued(sub->conn) == 0) {
            bool quiet = sub->dirty; /* tried again: workers were busy */
            set_timer(sub);
            read_on(sub, quiet);
            return;
        }
    }
    set_timer(sub);
}

/* ---- the answer begins ---- */

static struct subscription *create(const struct aws_call *call, const struct wish *wish)
{
    struct text stream = wish->name.stream, consumer = wish->name.name;
    struct subscription *sub = calloc(1, sizeof(*sub) + stream.len + consumer.len);
    if (!sub)
        return NULL;
    memcpy(sub->names, stream.data, stream.len);
    memcpy(sub->names + stream.len, consumer.data, consumer.len);
    sub->stream = text_make(sub->names, stream.len);
    sub->consumer = text_make(sub->names + stream.len, consumer.len);
    sub->config = call->config;
    sub->cbor = call->cbor;
    sub->stream_id = wish->stream;
    sub->consumer_id = wish->consumer;
    sub->serial = wish->serial;
    sub->shard = wish->shard;
    sub->from = wish->from;
    sub->from_ms = wish->from_ms;
    sub->follower.on_change = on_change;
    counter_add(COUNTER_records_subscriptions, 1);
    return sub;
}

void kinesis_subscribe_answer(struct aws_call *call)
{
    struct net_io *net = net_conn_io(call->conn);
    struct gw_io *io = net_io_user(net);
    if (gw_follow_count(io) >= KINESIS_SUBSCRIPTIONS_MAX) {
        aws_fail(call, KINESIS_LIMIT, "There are %d subscriptions already on this thread.", KINESIS_SUBSCRIPTIONS_MAX);
        return;
    }
    struct subscription *sub = create(call, call->state);
    struct net_pour pour = {.context = sub, .queue_max = EVENT_ROOM, .on_room = on_room, .on_gone = on_gone};
    struct buf hello;
    if (!sub) {
        aws_no_memory(call);
        return;
    }
    buf_init(&hello, 1024);
    if (frame(sub, EVENT_STREAM_EVENT, "initial-response", TEXT("{}"), &hello) || aws_pour_begin(call->conn, &pour, call->cors)) {
        buf_fini(&hello);
        destroy(sub);
        net_conn_abort(call->conn);
        return;
    }
    sub->io = io;
    sub->conn = call->conn;
    loop_timer_init(&sub->timer, on_time);
    sub->beat_ms = clock_mono_ms() + BEAT_MS;
    sub->end_ms = clock_mono_ms() + LIFE_MS;
    set_timer(sub);
    gw_follow_begin(io, &sub->follower, gw_stream_subject(sub->stream_id));
    net_pour_send(sub->conn, buf_text(&hello));
    buf_fini(&hello);
    read_on(sub, false);
}
