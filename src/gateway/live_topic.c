/*
 * Where topics are filed. A table that is followed has a watch; the watch has a pivot for each attribute that is somebody's first condition (the key, the
 * index's key, the owner, or a filter), and the pivot a map from values to topics. Topics without a condition, and those for whose attribute there is no pivot left, stand in
 * one list that is looked at with every change of the table.
 */
#include "gateway/live_ranks.h"

#include <stdlib.h>

static struct text text_keep(struct text text)
{
    char *copy = malloc(text.len + 1);
    if (!copy)
        return TEXT_NONE;
    if (text.len)
        memcpy(copy, text.data, text.len);
    return text_make(copy, text.len);
}

static void watch_end(struct gw_live *live, struct live_watch *watch)
{
    map_delete(&live->watches, watch->name);
    for (unsigned i = 0; i < watch->pivots; i++) {
        map_fini(&watch->pivot[i].by_value);
        free((char *)watch->pivot[i].name.data);
    }
    free((char *)watch->name.data);
    free(watch);
}

static struct live_watch *watch_of(struct gw_live *live, struct text table)
{
    const struct store_table *followed = store_table_find(live->gateway->config.store, table);
    struct live_watch *watch = map_get(&live->watches, table);
    if (watch)
        return watch;
    watch = calloc(1, sizeof(*watch));
    if (!watch)
        return NULL;
    watch->table_id = followed ? store_table_id(followed) : 0;
    watch->changes = followed && live_table_is_followed(followed);
    watch->name = text_keep(table);
    if (!watch->name.data || map_put(&live->watches, watch->name, watch, NULL)) {
        free((char *)watch->name.data);
        free(watch);
        return NULL;
    }
    return watch;
}

/* The pivot of an attribute, made when there is room; PIVOTS_MAX: none. */
static unsigned pivot_of(struct live_watch *watch, struct text name)
{
    for (unsigned i = 0; i < watch->pivots; i++)
        if (text_equal(watch->pivot[i].name, name))
            return i;
    struct text kept = watch->pivots < PIVOTS_MAX ? text_keep(name) : TEXT_NONE;
    if (!kept.data)
        return PIVOTS_MAX;
    struct live_pivot *pivot = &watch->pivot[watch->pivots];
    pivot->name = kept;
    map_init(&pivot->by_value);
    return watch->pivots++;
}

static void topic_file(struct live_topic *topic)
{
    struct live_watch *watch = topic->watch;
    topic->pivot = topic->value.len ? pivot_of(watch, topic->spec.cond[0].name) : PIVOTS_MAX;
    if (topic->pivot < PIVOTS_MAX) {
        struct map *by_value = &watch->pivot[topic->pivot].by_value;
        topic->same = map_get(by_value, topic->value);
        if (map_put(by_value, topic->value, topic, NULL) == 0)
            return;
        topic->pivot = PIVOTS_MAX;
    }
    topic->same = watch->all;
    watch->all = topic;
}

static void topic_unfile(struct live_topic *topic)
{
    struct live_watch *watch = topic->watch;
    struct map *by_value = topic->pivot < PIVOTS_MAX ? &watch->pivot[topic->pivot].by_value : NULL;
    struct live_topic *first = by_value ? map_get(by_value, topic->value) : watch->all;
    if (first != topic) {
        while (first->same != topic)
            first = first->same;
        first->same = topic->same;
        return;
    }
    if (!by_value) {
        watch->all = topic->same;
        return;
    }
    map_delete(by_value, topic->value); /* its key was this topic's; the freed slot takes the next one's */
    if (topic->same && map_put(by_value, topic->same->value, topic->same, NULL))
        ASSERT(!"a map that has just lost an entry has room for one");
}

void live_topic_end(struct gw_live *live, struct live_topic *topic)
{
    struct live_watch *watch = topic->watch;
    topic_unfile(topic);
    map_delete(&live->topics, topic->key);
    if (topic->ranks)
        live_ranks_end(live, topic->ranks);
    live_collect_fini(&topic->collect);
    free(topic);
    if (--watch->topics == 0)
        watch_end(live, watch);
    live->topic_count--;
    if (live->topic_count == 0) {
        feed_close(live->head);
        live->head = NULL;
    }
    live_follow_changed(live);
}

static size_t value_key(char *out, const struct live_cond *cond)
{
    out[0] = (char)cond->type;
    if (cond->text.len)
        memcpy(out + 1, cond->text.data, cond->text.len);
    return 1 + cond->text.len;
}

struct live_topic *live_topic_make(struct gw_live *live, struct text spec_bytes, uint64_t id)
{
    struct live_topic *topic = calloc(1, sizeof(*topic) + spec_bytes.len * 2 + 1);
    if (!topic)
        return NULL;
    memcpy(topic->bytes, spec_bytes.data, spec_bytes.len);
    topic->key = text_make(topic->bytes, spec_bytes.len);
    topic->id = id;
    live_collect_init(&topic->collect);
    if (live_spec_decode(topic->key, &topic->spec) || !live_head_open(live)) {
        free(topic);
        return NULL;
    }
    if (topic->spec.conds && topic->spec.cond[0].type != LIVE_PRESENT)
        topic->value = text_make(topic->bytes + spec_bytes.len, value_key(topic->bytes + spec_bytes.len, &topic->spec.cond[0]));
    topic->watch = watch_of(live, topic->spec.table);
    topic->ranks = topic->watch && topic->spec.top ? live_ranks_make(live, topic) : NULL;
    if (!topic->watch || (topic->spec.top && !topic->ranks) || map_put(&live->topics, topic->key, topic, NULL)) {
        if (topic->ranks)
            live_ranks_end(live, topic->ranks);
        if (topic->watch && !topic->watch->topics)
            watch_end(live, topic->watch);
        free(topic);
        return NULL;
    }
    topic->watch->topics++;
    topic_file(topic);
    topic->announced = (struct feed_position){live->at, FEED_ALL};
    live->topic_count++;
    live_follow_changed(live);
    if (topic->ranks)
        live_load_begin(live, topic->ranks);
    return topic;
}

struct live_topic *live_topic_chain(const struct live_pivot *pivot, const struct attr *item, struct buf *scratch)
{
    const struct attr *value = item ? item_get(item, pivot->name) : NULL;
    struct live_cond cond;
    if (!value || !live_cond_of(value, &cond))
        return NULL;
    buf_clear(scratch);
    buf_add_u8(scratch, cond.type);
    buf_add_text(scratch, cond.text);
    return scratch->failed ? NULL : map_get(&pivot->by_value, buf_text(scratch));
}

void live_topic_open(struct gw_live *live, const struct live_message *message, struct text spec)
{
    struct live_topic *topic = map_get(&live->topics, spec);
    if (!topic)
        topic = live_topic_make(live, spec, message->id);
    if (topic)
        topic->open |= UINT64_C(1) << message->io;
}
