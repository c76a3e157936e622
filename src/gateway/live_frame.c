/*
 * Changes as frames. A change is encoded once for all subscribers of its topic:
 *
 *   {"type":"change","subscription":"..","sequence":12,"number":0,"event":"MODIFY","key":{..},"data":{..}}
 *
 * With conflation the changes of an item within a round, or within a slice of the journal for somebody who fell behind, become one; "from" is the position of the
 * first of them. What appeared and vanished in between is nothing at all.
 */
#include "gateway/live.h"

#include <stdlib.h>

#define FRAME_JSON_MAX ((size_t)8 << 20) /* bytes; an item of 400 KB in escapes stays below */

void live_collect_init(struct live_collect *collect)
{
    *collect = (struct live_collect){0};
    map_init(&collect->by_key);
}

static void collect_clear(struct live_collect *collect)
{
    for (uint32_t i = 0; i < collect->count; i++)
        net_frame_unref(collect->frame[i]);
    collect->count = 0;
    collect->bytes = 0;
    if (collect->merged_count) {
        map_fini(&collect->by_key);
        map_init(&collect->by_key);
    }
    collect->merged_count = 0;
    collect->failed = false;
}

void live_collect_fini(struct live_collect *collect)
{
    collect_clear(collect);
    map_fini(&collect->by_key);
    free(collect->frame);
    free(collect->merged);
}

struct net_frame *live_frame_text(struct buf *text)
{
    struct net_frame *frame = text->failed ? NULL : net_frame_create(WS_TEXT, text->data, text->len);
    buf_fini(text);
    return frame;
}

static const char *event_name(char event)
{
    return event == 'I' ? "INSERT" : event == 'M' ? "MODIFY" : "REMOVE";
}

static struct net_frame *change_frame(uint64_t id, char event, const struct feed_position *from, struct feed_position to, const struct attr *keys, const struct attr *data)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, FRAME_JSON_MAX);
    json_writer_init(&w, &out);
    buf_add_format(&out, "{\"type\":\"change\",\"subscription\":\"%016llx\",", (unsigned long long)id);
    if (from)
        buf_add_format(&out, "\"from\":\"%llu.%u\",", (unsigned long long)from->sequence, from->number);
    buf_add_format(&out, "\"sequence\":%llu,\"number\":%u,\"event\":\"%s\",\"key\":", (unsigned long long)to.sequence, to.number, event_name(event));
    item_to_plain(&w, keys);
    buf_add_text(&out, TEXT(",\"data\":"));
    json_writer_init(&w, &out);
    if (data && event != 'R')
        item_to_plain(&w, data);
    else
        buf_add_text(&out, TEXT("null"));
    buf_add_char(&out, '}');
    return live_frame_text(&out);
}

void live_collect_frame(struct live_collect *collect, struct net_frame *frame)
{
    if (frame && collect->count == collect->cap) {
        uint32_t cap = collect->cap ? collect->cap * 2 : 16; /* bounded by the round's and the slice's budgets */
        struct net_frame **grown = realloc(collect->frame, cap * sizeof(struct net_frame *));
        if (grown) {
            collect->frame = grown;
            collect->cap = cap;
        } else {
            net_frame_unref(frame);
            frame = NULL;
        }
    }
    if (!frame) {
        collect->failed = true;
        return;
    }
    collect->frame[collect->count++] = frame;
    collect->bytes += frame->len;
}

static struct live_merged *merged_of(struct live_collect *collect, struct text key, struct arena *arena)
{
    size_t at = (size_t)(uintptr_t)map_get(&collect->by_key, key);
    if (at)
        return &collect->merged[at - 1];
    if (collect->merged_count == collect->merged_cap) {
        uint32_t cap = collect->merged_cap ? collect->merged_cap * 2 : 16;
        struct live_merged *grown = realloc(collect->merged, cap * sizeof(*grown));
        if (!grown)
            return NULL;
        collect->merged = grown;
        collect->merged_cap = cap;
    }
    struct live_merged *merged = &collect->merged[collect->merged_count];
    *merged = (struct live_merged){.key = arena_copy(arena, key)};
    if (!merged->key.data || map_put(&collect->by_key, merged->key, (void *)(uintptr_t)(collect->merged_count + 1), NULL))
        return NULL;
    collect->merged_count++;
    return merged;
}

static void merge(struct live_collect *collect, char event, struct feed_position at, const struct store_change *change, struct arena *arena)
{
    uint32_t known = collect->merged_count;
    struct live_merged *merged = merged_of(collect, change->keys, arena);
    if (!merged) {
        collect->failed = true;
        return;
    }
    if (collect->merged_count > known) {
        merged->from = at;
        merged->existed = event != 'I';
    }
    merged->to = at;
    merged->keys = merged->key;
    merged->after = event == 'R' ? TEXT_NONE : arena_copy(arena, change->after);
    collect->failed |= event != 'R' && !merged->after.data;
    collect->bytes += change->keys.len + 64;
}

void live_collect_add(struct live_collect *collect, const struct live_spec *spec, uint64_t id, uint64_t sequence, const struct store_change *change,
    const struct attr *keys, const struct attr *before, const struct attr *after, struct arena *arena)
{
    char event = live_spec_event(spec, before, after);
    struct feed_position at = {sequence, change->number};
    if (!event)
        return;
    if (spec->conflate)
        merge(collect, event, at, change, arena);
    else
        live_collect_frame(collect, change_frame(id, event, NULL, at, keys, after));
}

static int by_end(const void *a, const void *b)
{
    return feed_compare(((const struct live_merged *)a)->to, ((const struct live_merged *)b)->to);
}

/* The conflated changes in the order of their ends: whoever breaks off and comes back with the last position it saw has missed nothing before it. */
static void unmerge(struct live_collect *collect, uint64_t id, struct arena *arena)
{
    if (collect->merged_count)
        qsort(collect->merged, collect->merged_count, sizeof(*collect->merged), by_end);
    for (uint32_t i = 0; i < collect->merged_count; i++) {
        const struct live_merged *merged = &collect->merged[i];
        struct attr *keys = NULL, *after = NULL;
        bool exists = merged->after.data != NULL;
        if (!merged->existed && !exists)
            continue;
        if (item_decode(arena, merged->keys, &keys) || (exists && item_decode(arena, merged->after, &after))) {
            collect->failed = true;
            continue;
        }
        char event = !merged->existed ? 'I' : exists ? 'M' : 'R';
        live_collect_frame(collect, change_frame(id, event, &merged->from, merged->to, keys, after));
    }
}

int live_collect_take(struct live_collect *collect, const struct live_spec *spec, uint64_t id, struct arena *arena, struct net_frame **out)
{
    *out = NULL;
    if (spec->conflate)
        unmerge(collect, id, arena);
    if (!collect->failed && collect->count) {
        *out = collect->count == 1 ? net_frame_ref(collect->frame[0]) : net_frame_join(collect->frame, collect->count);
        collect->failed = !*out;
    }
    int code = collect->failed ? ERR_MEMORY : 0;
    collect_clear(collect);
    return code;
}

int live_change_decode(struct arena *arena, const struct store_change *change, struct attr **keys, struct attr **before, struct attr **after)
{
    *before = *after = NULL;
    int code = item_decode(arena, change->keys, keys);
    if (!code && change->before.len)
        code = item_decode(arena, change->before, before);
    if (!code && change->after.len)
        code = item_decode(arena, change->after, after);
    return code;
}
