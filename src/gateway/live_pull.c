/*
 * Pulls: a subscriber says where it stands and gets what follows, on the services' thread.
 *
 * A pull is answered from the journal at once: what follows a position, up to where the head stands. So a subscriber that has caught up stands exactly
 * where the next announcement begins. A pull from ahead of the head (a snapshot is newer than the last round) waits for it.
 *
 * Bounds: a slice ends after 64 KB, 512 changes or 4,096 records.
 */
#include "gateway/live_ranks.h"

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
        } else if (!code && text_equal(change.table, topic->spec.table) && change.table_id != topic->watch->table_id) {
            code = ERR_GONE;
        } else if (!code && text_equal(change.table, topic->spec.table)) {
            code = live_change_decode(&live->arena, &change, &keys, &before, &after);
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
    else if (code == ERR_GONE)
        live_begin_anew(live, message, "the table was made anew");
    else if (code)
        live_begin_anew(live, message, err_text(code));
    else
        answer_slice(live, message, &found, topic, feed);
    live_collect_fini(&found);
    feed_close(feed);
    arena_reset(&live->arena);
}

/* Was the table followed already at the position? It may have been made anew since. */
static bool reaches_back(struct gw_live *live, const struct live_message *message, const struct live_topic *topic)
{
    const struct store_table *table = store_table_find(live->gateway->config.store, topic->spec.table);
    return !table || message->from.sequence >= store_table_followed_since(table);
}

/* False: it must wait. `again`: it has waited; its topic may have ended since. */
static bool answer_pull(struct gw_live *live, struct gw_effect *effect, bool again)
{
    struct live_message message;
    struct text spec;
    live_effect_read(effect, &message, &spec);
    struct live_topic *topic = map_get(&live->topics, spec);
    if (!topic && !again) { /* what should have opened it was lost */
        live_topic_open(live, &message, spec);
        topic = map_get(&live->topics, spec);
    }
    if (!topic) {
        message.kind = LIVE_END;
        message.code = live_ranks_full(live) ? ERR_FULL : ERR_MEMORY;
        live_send(live, message.io, live_effect(&message, TEXT_NONE, NULL));
        return true;
    }
    if (message.fresh && topic->ranks)
        return live_ranks_pull(live, topic->ranks, &message);
    if (message.fresh) {
        live_scan_pull(live, &message, topic->key);
        return true;
    }
    if (message.from.sequence > live->at) {
        if (!message.given || message.from.sequence <= tick_durable(live->gateway->tick))
            return false;
        live_begin_anew(live, &message, message.from.sequence == LIVE_ELSEWHERE ? "the position is of another history" : "the position is unknown here");
        return true;
    }
    if (!reaches_back(live, &message, topic)) {
        live_begin_anew(live, &message, "what followed was not kept");
        return true;
    }
    if (topic->ranks)
        return live_ranks_pull(live, topic->ranks, &message);
    if (live->at - message.from.sequence > LIVE_LAG_RECORDS)
        live_begin_anew(live, &message, "too far behind");
    else
        slice(live, &message, topic);
    return true;
}

void live_pull(struct gw_live *live, struct gw_effect *effect, bool again)
{
    if (!live->out_first && answer_pull(live, effect, again))
        return;
    __atomic_add_fetch(&effect->refs, 1, __ATOMIC_RELAXED);
    live_append(&live->wait_first, &live->wait_last, effect);
}

void live_pull_waiting(struct gw_live *live)
{
    struct gw_effect *effect = live->wait_first;
    live->wait_first = live->wait_last = NULL;
    while (effect) {
        struct gw_effect *next = effect->next;
        effect->next = NULL;
        live_pull(live, effect, true);
        gw_effect_unref(effect);
        effect = next;
    }
}
