/*
 * Topics and the feed, on the services' thread.
 *
 * A round reads what was committed since the last one, sorts each change to the topics that may hold it and announces to each topic with changes one frame,
 * joined, to the io threads that have subscribers of it. There is one walk per round over the changes and none over clients: topics are found by the
 * value of one attribute (the first of their conditions), as rows of an index are.
 *
 * A pull is answered from the journal at once: what follows a position, up to where the head stands. So a subscriber that has caught up stands exactly
 * where the next announcement begins. A pull from ahead of the head (a snapshot is newer than the last round) waits for it.
 *
 * Bounds: a round ends with a record after 256 records or 256 KB; a slice after 64 KB, 512 changes or 4,096 records. A ring that is full stops everything here
 * until it is not; the followers then read the journal.
 */
#include "gateway/live_topic.h"

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

static void append(struct gw_effect **first, struct gw_effect **last, struct gw_effect *effect)
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
    append(&live->out_first, &live->out_last, effect);
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

static void on_open(struct gw_live *live, const struct live_message *message, struct text spec)
{
    struct live_topic *topic = map_get(&live->topics, spec);
    if (!topic)
        topic = live_topic_make(live, spec, message->id);
    if (topic)
        topic->open |= UINT64_C(1) << message->io;
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
    live_collect_add(&topic->collect, &topic->spec, topic->id, sequence, change, keys, before, after, &live->arena);
    live->round_bytes += topic->collect.bytes - bytes;
    if (topic->dirty || (topic->collect.bytes == bytes && !topic->collect.failed))
        return;
    topic->dirty = true;
    topic->dirty_next = live->dirty;
    live->dirty = topic;
}

static int decode(struct arena *arena, const struct store_change *change, struct attr **keys, struct attr **before, struct attr **after)
{
    *before = *after = NULL;
    int code = item_decode(arena, change->keys, keys);
    if (!code && change->before.len)
        code = item_decode(arena, change->before, before);
    if (!code && change->after.len)
        code = item_decode(arena, change->after, after);
    return code;
}

static int distribute(struct gw_live *live, struct live_watch *watch, uint64_t sequence, const struct store_change *change)
{
    struct attr *keys, *before, *after;
    struct buf scratch;
    int code = decode(&live->arena, change, &keys, &before, &after);
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

static void announce(struct gw_live *live, struct live_topic *topic)
{
    struct net_frame *frame;
    struct live_message message = {
        .kind = LIVE_BATCH, .id = topic->id, .from = {topic->announced, FEED_ALL}, .to = {live->at, FEED_ALL}};
    if (live_collect_take(&topic->collect, &topic->spec, topic->id, &live->arena, &frame)) {
        log_error("live", "no memory for the changes of a topic; its subscribers go on from the journal");
        topic->announced = live->at; /* their next announcement does not continue what they have */
        return;
    }
    if (!frame)
        return;
    for (unsigned i = 0; i < live->gateway->io_count; i++)
        if (topic->open >> i & 1)
            live_send(live, i, live_effect(&message, topic->key, net_frame_ref(frame)));
    net_frame_unref(frame);
    topic->announced = live->at;
}

static void announce_all(struct gw_live *live)
{
    while (live->dirty) {
        struct live_topic *topic = live->dirty;
        live->dirty = topic->dirty_next;
        topic->dirty = false;
        announce(live, topic);
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
    while ((topic = map_next(&live->topics, &at)))
        topic->announced = live->at;
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
    return records;
}

/* ---- pulls ---- */

void live_begin_anew(struct gw_live *live, struct live_message *message, const char *why)
{
    struct buf out;
    buf_init(&out, 512);
    buf_add_format(&out, "{\"type\":\"resnapshot\",\"subscription\":\"%016llx\",\"reason\":\"%s\"}", (unsigned long long)message->id, why);
    message->kind = LIVE_ANEW;
    counter_add(COUNTER_live_resnapshots, 1);
    live_send(live, message->io, live_effect(message, TEXT_NONE, live_frame_text(&out)));
}

static void answer_slice(struct gw_live *live, struct live_message *message, struct live_collect *found, struct live_topic *topic, struct feed *feed)
{
    struct net_frame *frame;
    if (live_collect_take(found, &topic->spec, topic->id, &live->arena, &frame)) {
        live_begin_anew(live, message, "out of memory");
        return;
    }
    message->kind = LIVE_SLICE;
    message->to = feed_position(feed);
    message->last = message->to.sequence >= live->at && message->to.number == FEED_ALL;
    live_send(live, message->io, live_effect(message, TEXT_NONE, frame));
}

static int slice_read(struct gw_live *live, struct live_topic *topic, struct feed *feed, struct live_collect *found, struct err *err)
{
    struct store_change change;
    struct attr *keys, *before, *after;
    uint64_t sequence;
    int code = 0;
    for (int records = 0; !code && records < LIVE_SLICE_RECORDS && found->bytes < LIVE_PAGE_BYTES && found->count < LIVE_PAGE_ITEMS;) {
        struct feed_position here = feed_position(feed);
        if (here.number == FEED_ALL && here.sequence >= live->at)
            break;
        code = feed_next(feed, &sequence, &change, err);
        if (code == FEED_END) {
            records++;
            code = 0;
        } else if (!code && text_equal(change.table, topic->spec.table)) {
            code = decode(&live->arena, &change, &keys, &before, &after);
            if (!code)
                live_collect_add(found, &topic->spec, topic->id, sequence, &change, keys, before, after, &live->arena);
        }
    }
    return code;
}

static void slice(struct gw_live *live, struct live_message *message, struct live_topic *topic)
{
    struct feed *feed = NULL;
    struct err err = {0};
    struct live_collect found;
    int code = feed_open(&feed, live->gateway->tick, live->gateway->config.journal, message->from, &err);
    live_collect_init(&found);
    if (!code)
        code = slice_read(live, topic, feed, &found, &err);
    if (code == ERR_NOT_FOUND)
        live_begin_anew(live, message, "what followed is not kept any more");
    else if (code)
        live_begin_anew(live, message, err_text(code));
    else
        answer_slice(live, message, &found, topic, feed);
    live_collect_fini(&found);
    feed_close(feed);
    arena_reset(&live->arena);
}

/* False: it must wait. `again`: it has waited; its topic may have ended since. */
static bool answer_pull(struct gw_live *live, struct gw_effect *effect, bool again)
{
    struct live_message message;
    struct text spec;
    live_effect_read(effect, &message, &spec);
    struct live_topic *topic = map_get(&live->topics, spec);
    if (!topic && !again) { /* what should have opened it was lost */
        on_open(live, &message, spec);
        topic = map_get(&live->topics, spec);
    }
    if (!topic) {
        message.kind = LIVE_END;
        message.code = ERR_MEMORY;
        live_send(live, message.io, live_effect(&message, TEXT_NONE, NULL));
        return true;
    }
    if (message.fresh) {
        live_scan_pull(live, &message, topic->key);
        return true;
    }
    if (message.from.sequence > live->at) {
        if (!message.given || message.from.sequence <= tick_durable(live->gateway->tick))
            return false;
        live_begin_anew(live, &message, "the position is unknown here");
        return true;
    }
    if (live->at - message.from.sequence > LIVE_LAG_RECORDS)
        live_begin_anew(live, &message, "too far behind");
    else
        slice(live, &message, topic);
    return true;
}

static void on_pull(struct gw_live *live, struct gw_effect *effect, bool again)
{
    if (!live->out_first && answer_pull(live, effect, again))
        return;
    __atomic_add_fetch(&effect->refs, 1, __ATOMIC_RELAXED);
    append(&live->wait_first, &live->wait_last, effect);
}

static void answer_waiting(struct gw_live *live)
{
    struct gw_effect *effect = live->wait_first;
    live->wait_first = live->wait_last = NULL;
    while (effect) {
        struct gw_effect *next = effect->next;
        effect->next = NULL;
        on_pull(live, effect, true);
        gw_effect_unref(effect);
        effect = next;
    }
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
        on_open(live, &message, spec);
        break;
    case LIVE_CLOSE:
        on_close(live, &message, spec);
        break;
    case LIVE_PULL:
        on_pull(live, effect, false);
        break;
    case LIVE_CANCEL:
        live_scan_cancel(live, message.serial);
        break;
    case LIVE_SCANNED:
        live_scan_scanned(live, &message);
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
        answer_waiting(live);
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
}

static void on_second(struct loop *loop, struct loop_timer *timer)
{
    struct gw_live *live = LIST_ENTRY(timer, struct gw_live, second);
    loop_timer_set(loop, timer, loop_now_ms(loop) + SECOND_MS);
    live->look = true;
    if (live->topic_count && !live->head)
        live_head_open(live);
    live_scan_second(live);
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
    map_fini(&live->topics);
    map_fini(&live->watches);
    arena_fini(&live->arena);
    free(live);
    gateway->live = NULL;
}
