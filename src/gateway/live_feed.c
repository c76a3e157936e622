/*
 * The rounds over the feed, on the services' thread.
 *
 * A round reads what was committed since the last one, sorts each change to the topics that may hold it and announces to each topic with changes one frame,
 * joined, to the io threads that have subscribers of it. There is one walk per round over the changes and none over clients: topics are found by the
 * value of one attribute (the first of their conditions), as rows of an index are.
 *
 * Bounds: a round ends with a record after 256 records or 256 KB. A ring that is full stops everything here until it is not; the followers then read the journal.
 */
#include "gateway/live_ranks.h"

#include <stdlib.h>

#define RETRY_MS 5
#define ROUND_ARENA ((size_t)256 << 20) /* bytes; a record's items, decoded */

/* ---- sending ---- */

static bool push(struct gw_live *live, unsigned target, struct gw_effect *effect)
{
    struct gateway *gateway = live->gateway;
    pthread_mutex_lock(&gateway->worked_lock); /* workers and the fetch thread use this ring too */
    bool pushed = ring_push(gateway->io[target].mail[gateway->io_count], effect);
    pthread_mutex_unlock(&gateway->worked_lock);
    if (pushed)
        loop_wake(gateway->io[target].loop);
    return pushed;
}

void live_retry_soon(struct gw_live *live)
{
    if (!loop_timer_is_set(&live->retry))
        loop_timer_set(live->io->loop, &live->retry, clock_mono_ms() + RETRY_MS);
}

void live_append(struct gw_effect **first, struct gw_effect **last, struct gw_effect *effect)
{
    effect->next = NULL;
    if (*last)
        (*last)->next = effect;
    else
        *first = effect;
    *last = effect;
}

void live_send(struct gw_live *live, unsigned target, struct gw_effect *effect)
{
    if (!effect) {
        log_error("live", "no memory for a message; its subscriber goes on from the journal");
        return;
    }
    effect->to = target;
    if (!live->out_first && push(live, target, effect))
        return;
    live_append(&live->out_first, &live->out_last, effect);
    live_retry_soon(live);
}

static bool send_rest(struct gw_live *live)
{
    while (live->out_first) {
        struct gw_effect *effect = live->out_first, *next = effect->next;
        effect->next = NULL;
        if (!push(live, effect->to, effect)) {
            effect->next = next;
            live_retry_soon(live);
            return false;
        }
        live->out_first = next;
        if (!next)
            live->out_last = NULL;
    }
    return true;
}

/* ---- topics ---- */

bool live_head_open(struct gw_live *live)
{
    struct err err = {0};
    if (live->head)
        return true;
    live->at = tick_durable(live->gateway->tick);
    if (feed_open(&live->head, live->gateway->tick, live->gateway->config.journal, (struct feed_position){live->at, FEED_ALL}, &err) == 0)
        return true;
    log_error("live", "the journal cannot be followed: %s", err.text);
    return false;
}

static void on_close(struct gw_live *live, const struct live_message *message, struct text spec)
{
    struct live_topic *topic = map_get(&live->topics, spec);
    if (!topic)
        return;
    topic->open &= ~(UINT64_C(1) << message->io);
    if (!topic->open)
        live_topic_end(live, topic);
}

/* ---- a round ---- */

static void collect(struct gw_live *live, struct live_topic *topic, uint64_t sequence, const struct store_change *change, const struct attr *keys,
    const struct attr *before, const struct attr *after)
{
    size_t bytes = topic->collect.bytes;
    bool any = false;
    if (topic->ranks)
        any = live_ranks_change(live, topic->ranks, sequence, change, before, after);
    else
        live_collect_add(&topic->collect, &topic->spec, topic->id, sequence, change, keys, before, after, &live->arena);
    live->round_bytes += topic->collect.bytes - bytes;
    if (topic->dirty || (topic->collect.bytes == bytes && !topic->collect.failed && !any))
        return;
    topic->dirty = true;
    topic->dirty_next = live->dirty;
    live->dirty = topic;
}

static int distribute(struct gw_live *live, struct live_watch *watch, uint64_t sequence, const struct store_change *change)
{
    struct attr *keys, *before, *after;
    struct buf scratch;
    if (change->table_id != watch->table_id)
        return 0; /* of a table that had the name before, or has it since: look_after_tables */
    int code = live_change_decode(&live->arena, change, &keys, &before, &after);
    if (code)
        return code;
    buf_init(&scratch, LIVE_SPEC_MAX);
    for (unsigned i = 0; i < watch->pivots; i++) {
        struct live_topic *was = live_topic_chain(&watch->pivot[i], before, &scratch), *is = live_topic_chain(&watch->pivot[i], after, &scratch);
        for (struct live_topic *topic = was; topic; topic = topic->same)
            collect(live, topic, sequence, change, keys, before, after);
        for (struct live_topic *topic = is == was ? NULL : is; topic; topic = topic->same)
            collect(live, topic, sequence, change, keys, before, after);
    }
    for (struct live_topic *topic = watch->all; topic; topic = topic->same)
        collect(live, topic, sequence, change, keys, before, after);
    buf_fini(&scratch);
    return 0;
}

/* To the io threads that have subscribers of it. The message's kind and the frame may be what is to be told, or none. */
static void send_all(struct gw_live *live, struct live_topic *topic, const struct live_message *message, struct net_frame *frame)
{
    for (unsigned i = 0; i < live->gateway->io_count; i++)
        if (topic->open >> i & 1)
            live_send(live, i, live_effect(message, topic->key, frame ? net_frame_ref(frame) : NULL));
}

void live_topic_announce(struct gw_live *live, struct live_topic *topic, struct feed_position to)
{
    struct net_frame *frame;
    if (topic->ranks)
        live_ranks_flush(live, topic->ranks, &to);
    struct live_message message = {.kind = LIVE_BATCH, .id = topic->id, .from = topic->announced, .to = to};
    if (live_collect_take(&topic->collect, &topic->spec, topic->id, &live->arena, &frame)) {
        log_error("live", "no memory for the changes of a topic; its subscribers go on from the journal");
        topic->announced = to; /* their next announcement does not continue what they have */
        return;
    }
    if (!frame)
        return;
    send_all(live, topic, &message, frame);
    net_frame_unref(frame);
    topic->announced = to;
}

static void announce_all(struct gw_live *live)
{
    while (live->dirty) {
        struct live_topic *topic = live->dirty;
        live->dirty = topic->dirty_next;
        topic->dirty = false;
        live_topic_announce(live, topic, (struct feed_position){live->at, FEED_ALL});
    }
    live->round_bytes = 0;
    arena_reset(&live->arena);
}

static void discard_all(struct gw_live *live)
{
    while (live->dirty) {
        struct live_topic *topic = live->dirty;
        struct net_frame *frame;
        live->dirty = topic->dirty_next;
        topic->dirty = false;
        live_collect_take(&topic->collect, &topic->spec, topic->id, &live->arena, &frame);
        net_frame_unref(frame);
    }
    live->round_bytes = 0;
    arena_reset(&live->arena);
}

/* The head cannot go on: it is set behind what is there now, and everybody pulls what is missing from the journal, or begins anew. */
static void head_lost(struct gw_live *live, int code, const struct err *err)
{
    log_error("live", "the journal cannot be followed: %s", err->code ? err->text : err_text(code));
    feed_close(live->head);
    live->head = NULL;
    if (!live_head_open(live))
        return;
    size_t at = 0;
    struct live_topic *topic;
    while ((topic = map_next(&live->topics, &at))) {
        topic->announced = (struct feed_position){live->at, FEED_ALL};
        if (topic->ranks)
            live_ranks_lost(live, topic->ranks);
    }
}

/* ---- what ends for all ---- */

void live_topic_refuse(struct gw_live *live, struct live_topic *topic, int code)
{
    struct live_message message = {.kind = LIVE_DROPPED, .id = topic->id};
    struct buf out;
    buf_init(&out, 1024);
    buf_add_format(&out, "{\"type\":\"error\",\"error\":\"%s\",\"subscription\":\"%016llx\",\"message\":\"%s\"}", err_name(code),
        (unsigned long long)topic->id, err_text(code));
    struct net_frame *frame = live_frame_text(&out);
    send_all(live, topic, &message, frame);
    net_frame_unref(frame);
}

/* ---- tables that go ---- */

/* Its subscribers hear of it, and that is the end; or they begin anew with another table of that name. */
static void topic_moved(struct gw_live *live, struct live_topic *topic, bool dropped, const char *reason)
{
    struct live_message message = {.kind = dropped ? LIVE_DROPPED : LIVE_RESET, .id = topic->id};
    struct buf out;
    buf_init(&out, 1024);
    if (dropped)
        buf_add_format(&out, "{\"type\":\"dropped\",\"subscription\":\"%016llx\",\"table\":\"%.*s\",\"reason\":\"%s\"}", (unsigned long long)topic->id,
            TEXT_FMT(topic->spec.table), reason);
    else
        buf_add_format(&out, "{\"type\":\"resnapshot\",\"subscription\":\"%016llx\",\"reason\":\"the table was made anew\"}", (unsigned long long)topic->id);
    struct net_frame *frame = live_frame_text(&out);
    if (topic->ranks && !dropped)
        live_ranks_reset(live, topic->ranks);
    send_all(live, topic, &message, frame);
    net_frame_unref(frame);
}

static void watch_moved(struct gw_live *live, struct live_watch *watch, bool dropped, const char *reason)
{
    struct live_topic *topic;
    for (size_t at = 0; (topic = map_next(&live->topics, &at));)
        if (topic->watch == watch)
            topic_moved(live, topic, dropped, reason);
}

/* The rounds have come to the end: what was committed of the tables that are gone has been told. */
static void look_after_tables(struct gw_live *live)
{
    struct live_watch *watch;
    for (size_t at = 0; (watch = map_next(&live->watches, &at));) {
        const struct store_table *table = store_table_find(live->gateway->config.store, watch->name);
        uint32_t id = table ? store_table_id(table) : 0;
        bool changes = table && live_table_is_followed(table), same = id == watch->table_id, lost = watch->changes && !changes;
        watch->table_id = id;
        watch->changes = changes;
        if (!same || lost)
            watch_moved(live, watch, !changes, same ? "its changes are not kept any more" : "the table was dropped");
    }
}

/* Answers how many records were read. */
static int round_run(struct gw_live *live)
{
    struct store_change change;
    struct err err = {0};
    uint64_t sequence;
    int records = 0, code = 0;
    while (records < LIVE_ROUND_RECORDS && live->round_bytes < LIVE_ROUND_BYTES) {
        code = feed_next(live->head, &sequence, &change, &err);
        if (code == FEED_END) {
            records++;
            continue;
        }
        if (code)
            break;
        struct live_watch *watch;
        do { /* a record is never announced in part */
            watch = map_get(&live->watches, change.table);
            code = watch ? distribute(live, watch, sequence, &change) : 0;
            if (!code)
                code = feed_next(live->head, &sequence, &change, &err);
        } while (code == 0);
        if (code != FEED_END)
            break;
        records++;
    }
    if (code && code != FEED_END && code != ERR_AGAIN) {
        discard_all(live);
        head_lost(live, code, &err);
        return 0;
    }
    live->at = feed_position(live->head).sequence;
    announce_all(live);
    if (code == ERR_AGAIN)
        look_after_tables(live);
    return records;
}

/* ---- the thread ---- */

void gw_live_apply(struct gw_io *io, struct gw_effect *effect)
{
    struct gw_live *live = io->gateway->live;
    struct live_message message;
    struct text spec;
    if (io->index != io->gateway->io_count) {
        live_conn_apply(io, effect);
        return;
    }
    live_effect_read(effect, &message, &spec);
    switch (message.kind) {
    case LIVE_OPEN:
        live_topic_open(live, &message, spec);
        break;
    case LIVE_CLOSE:
        on_close(live, &message, spec);
        break;
    case LIVE_PULL:
        live_pull(live, effect, false);
        break;
    case LIVE_CANCEL:
        live_scan_cancel(live, message.serial);
        break;
    case LIVE_SCANNED:
        live_scan_scanned(live, &message);
        break;
    case LIVE_LOADED:
        live_load_loaded(live, message.load);
        break;
    default:
        break;
    }
}

void live_follow_changed(struct gw_live *live)
{
    bool now = live->topic_count > 0 || (live->consumer_count > 0 && live->leisure_ms == 0);
    __atomic_store_n(&live->wanted, now ? LIVE_NOW : live->consumer_count > 0 ? LIVE_LEISURE : LIVE_NOBODY, __ATOMIC_SEQ_CST);
    live->look = true;
}

void gw_live_durable(struct gateway *gateway)
{
    /* Read by an exchange, which no earlier store passes: either this sees a new follower, or the follower sees the new sequence. */
    int wanted = gateway->live ? __atomic_fetch_or(&gateway->live->wanted, 0, __ATOMIC_SEQ_CST) : LIVE_NOBODY;
    if (wanted == LIVE_NOW || (wanted == LIVE_LEISURE && !__atomic_exchange_n(&gateway->live->told, 1, __ATOMIC_SEQ_CST)))
        loop_wake(gateway->io[gateway->io_count].loop);
}

/* Is there somebody to read for in this turn? Else what was committed is left for a while. */
static bool is_time(struct gw_live *live)
{
    bool look = live->look || live->topic_count > 0 || live->leisure_ms == 0;
    if (!look && __atomic_load_n(&live->told, __ATOMIC_SEQ_CST) && !loop_timer_is_set(&live->leisure))
        loop_timer_set(live->io->loop, &live->leisure, clock_mono_ms() + live->leisure_ms);
    live->look = false;
    return look;
}

static int turn(void *context)
{
    struct gw_live *live = context;
    if (!send_rest(live) || !is_time(live))
        return 0;
    int done = live->head ? round_run(live) : 0;
    if (live->wait_first)
        live_pull_waiting(live);
    done += live_streams_turn(live);
    live->look = live->look || done > 0;
    return done;
}

static void on_leisure(struct loop *loop, struct loop_timer *timer)
{
    struct gw_live *live = LIST_ENTRY(timer, struct gw_live, leisure);
    (void)loop;
    __atomic_store_n(&live->told, 0, __ATOMIC_SEQ_CST); /* before the reading: what comes after it tells again */
    live->look = true;
}

static void on_retry(struct loop *loop, struct loop_timer *timer)
{
    struct gw_live *live = LIST_ENTRY(timer, struct gw_live, retry);
    (void)loop;
    send_rest(live);
    live_scan_start_waiting(live); /* the turn does the rest */
    live_load_start_waiting(live);
}

static void on_second(struct loop *loop, struct loop_timer *timer)
{
    struct gw_live *live = LIST_ENTRY(timer, struct gw_live, second);
    loop_timer_set(loop, timer, loop_now_ms(loop) + SECOND_MS);
    live->look = true;
    if (live->topic_count && !live->head)
        live_head_open(live);
    struct live_topic *topic;
    for (size_t at = 0; live->ranks && (topic = map_next(&live->topics, &at));)
        if (topic->ranks)
            live_ranks_second(live, topic->ranks);
    live_scan_second(live);
    live_load_start_waiting(live);
    live_streams_second(live);
}

int gw_live_create(struct gateway *gateway, struct err *err)
{
    struct gw_live *live = calloc(1, sizeof(*live));
    if (!live)
        return err_set(err, ERR_MEMORY, "out of memory");
    live->gateway = gateway;
    map_init(&live->topics);
    map_init(&live->watches);
    list_init(&live->scans);
    list_init(&live->loads);
    arena_init(&live->arena, 65536, ROUND_ARENA);
    gateway->live = live;
    return live_streams_create(live, err);
}

void gw_live_begin(struct gw_io *io)
{
    struct gw_live *live = io->gateway->live;
    live->io = io;
    loop_timer_init(&live->retry, on_retry);
    loop_timer_init(&live->second, on_second);
    loop_timer_init(&live->leisure, on_leisure);
    loop_timer_set(io->loop, &live->second, clock_mono_ms() + SECOND_MS);
    live_streams_begin(live);
    live_follow_changed(live);
    if (loop_inbox_add(io->loop, turn, live))
        log_error("live", "the services' loop takes no more hooks");
}

static void drop_list(struct gw_effect *effect)
{
    while (effect) {
        struct gw_effect *next = effect->next;
        gw_effect_unref(effect);
        effect = next;
    }
}

void gw_live_end(struct gateway *gateway)
{
    struct gw_live *live = gateway->live;
    struct live_topic *topic;
    size_t at = 0;
    if (!live)
        return;
    if (live->io) {
        loop_timer_stop(live->io->loop, &live->retry);
        loop_timer_stop(live->io->loop, &live->second);
        loop_timer_stop(live->io->loop, &live->leisure);
    }
    drop_list(live->out_first);
    drop_list(live->wait_first);
    live_scan_end_all(live);
    live_streams_end(live);
    while ((at = 0, topic = map_next(&live->topics, &at)))
        live_topic_end(live, topic);
    live_load_end_all(live);
    map_fini(&live->topics);
    map_fini(&live->watches);
    arena_fini(&live->arena);
    free(live);
    gateway->live = NULL;
}
