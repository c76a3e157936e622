/* Records written: a place, a shard, an item. One call, so all of them or none. */
#include "gateway/records_inside.h"

#include "base/counter.h"
#include "gateway/follow.h"
#include <stdio.h>

/* ---- sequence numbers ---- */

/* "49", tick sequence (20 digits), call (10), index (6), shard (10), the form's version (8): text order is the order of the tick. */
#define SEQUENCE_HEAD "49"
#define SEQUENCE_FORM "00000001"

void gw_position_format(struct gw_position position, uint32_t shard, char out[GW_SEQUENCE_TEXT + 1])
{
    uint32_t index = position.index > GW_POSITION_INDEX_MAX ? GW_POSITION_INDEX_MAX : position.index;
    snprintf(out, GW_SEQUENCE_TEXT + 1, SEQUENCE_HEAD "%020llu%010u%06u%010u" SEQUENCE_FORM, (unsigned long long)position.sequence, position.call, index, shard);
}

static uint64_t digits(struct text text, size_t at, size_t count, uint64_t max, bool *wrong)
{
    uint64_t value = 0;
    *wrong = *wrong || text_to_u64(text_make(text.data + at, count), max, &value);
    return value;
}

int gw_position_parse(struct text text, struct gw_position *position, uint32_t *shard)
{
    bool wrong = false;
    if (text.len != GW_SEQUENCE_TEXT || !text_starts(text, TEXT(SEQUENCE_HEAD)) || !text_is(text_make(text.data + 48, 8), SEQUENCE_FORM))
        return ERR_SYNTAX;
    position->sequence = digits(text, 2, 20, UINT64_MAX, &wrong);
    position->call = (uint32_t)digits(text, 22, 10, UINT32_MAX, &wrong);
    position->index = (uint32_t)digits(text, 32, 6, GW_POSITION_INDEX_MAX, &wrong);
    *shard = (uint32_t)digits(text, 38, 10, UINT32_MAX, &wrong);
    return wrong ? ERR_SYNTAX : 0;
}

int gw_position_compare(struct gw_position a, struct gw_position b)
{
    if (a.sequence != b.sequence)
        return a.sequence < b.sequence ? -1 : 1;
    if (a.call != b.call)
        return a.call < b.call ? -1 : 1;
    return a.index < b.index ? -1 : a.index > b.index;
}

/* ---- writing ---- */

static int make_item(struct arena *arena, struct gw_record *record, struct attr **out)
{
    char shard[GW_SHARD_TEXT + 1], hash[GW_HASH_KEY_TEXT];
    struct attr *item = item_create(arena), *data;
    gw_shard_format(record->shard, shard);
    struct text name = arena_copy(arena, text_of(shard));
    bool made = item && name.data && item_set_string(arena, item, TEXT(GW_RECORD_SHARD), name) &&
                item_set_string(arena, item, TEXT(GW_RECORD_SEQUENCE), text_of(record->sequence)) &&
                (data = item_set_string(arena, item, TEXT(GW_RECORD_DATA), record->data)) != NULL &&
                item_set_string(arena, item, TEXT(GW_RECORD_KEY), record->key) && item_set_i64(arena, item, TEXT(GW_RECORD_AT), record->at_ms);
    if (!made)
        return ERR_MEMORY;
    data->type = ATTR_BINARY;
    if (record->has_hash) {
        gw_hash_key_format(record->hash, hash);
        struct text digit = arena_copy(arena, text_of(hash));
        if (!digit.data || !item_set_string(arena, item, TEXT(GW_RECORD_HASH), digit))
            return ERR_MEMORY;
    }
    *out = item;
    return 0;
}

int gw_records_put(struct tick *tick, struct arena *arena, struct text name, struct gw_record *record, size_t count, uint32_t from, struct err *err)
{
    struct store_view *view = tick_view(tick);
    struct gw_stream stream;
    int code = gw_stream_get(view, arena, name, &stream);
    const struct store_table *table = code ? NULL : records_table(view->store, name);
    if (!code && !table)
        code = ERR_NOT_FOUND; /* made in this very tick: nobody has been told of it yet */
    for (size_t i = 0; i < count && !code; i++) {
        struct arena_mark mark = arena_mark(arena);
        struct gw_position place = {tick_sequence(tick), tick_call_number(tick), from + (uint32_t)i};
        struct attr *item = NULL;
        record[i].shard = stream.open[gw_stream_pick(&stream, record[i].hash)].shard;
        record[i].at_ms = tick_now_ms(tick);
        gw_position_format(place, record[i].shard, record[i].sequence);
        code = make_item(arena, &record[i], &item);
        if (!code)
            code = store_put(view, table, item, STORE_FRESH | STORE_LARGE, arena, NULL, err);
        arena_rewind(arena, mark); /* the stage has its own copy */
    }
    if (!code)
        gw_follow_touch(tick, gw_stream_subject(stream.id));
    counter_add(COUNTER_records_written, code ? 0 : (int64_t)count);
    return code;
}
