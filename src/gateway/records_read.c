/*
 * Records read: a page of a shard behind a place. Retention is applied to what is read, not to what is stored: the first visible record is found by halving the
 * tick's sequences between the place and the end of the view, since ticks never go back in time, so a shard that the sweep has not reached costs no walk.
 */
#include "gateway/records_inside.h"

#include "base/counter.h"

#define QUICK_RECORDS 64          /* of a page on an io thread; more goes to a worker */
#define QUICK_BYTES ((size_t)64 << 10)

struct reader {
    struct store_view *view;
    struct arena *arena;
    const struct store_table *table;
    struct attr shard;      /* the hash key */
    uint32_t number;
    struct store_cursor *cursor;
};

static int reader_init(struct reader *reader, struct store_view *view, struct arena *arena, const struct gw_stream *stream, uint32_t shard)
{
    char name[GW_SHARD_TEXT + 1];
    gw_shard_format(shard, name);
    *reader = (struct reader){.view = view, .arena = arena, .table = records_table(view->store, stream->name), .number = shard};
    reader->shard = (struct attr){.type = ATTR_STRING, .text = arena_copy(arena, text_of(name))};
    return !reader->shard.text.data ? ERR_MEMORY : reader->table ? 0 : ERR_NOT_FOUND;
}

static int reader_seek(struct reader *reader, struct gw_records_from from)
{
    char text[GW_SEQUENCE_TEXT + 1];
    gw_position_format(from.position, from.inclusive ? 0 : UINT32_MAX, text);
    struct attr low = {.type = ATTR_STRING, .text = text_make(text, GW_SEQUENCE_TEXT)};
    struct store_query query = {.table = reader->table, .hash = {&reader->shard}, .op = from.inclusive ? STORE_RANGE_GE : STORE_RANGE_GT, .low = &low};
    store_cursor_close(reader->cursor);
    reader->cursor = NULL;
    return store_query_open(reader->view, &query, reader->arena, &reader->cursor, NULL);
}

static int reader_next(struct reader *reader, struct gw_record *record, struct gw_position *position)
{
    const struct attr *item;
    uint32_t shard;
    int code = store_cursor_next(reader->cursor, reader->arena, &item);
    if (code)
        return code;
    const struct attr *sequence = item_get_str(item, GW_RECORD_SEQUENCE), *key = item_get_str(item, GW_RECORD_KEY), *data = item_get_str(item, GW_RECORD_DATA);
    *record = (struct gw_record){.shard = reader->number};
    if (!sequence || !key || !data || gw_position_parse(sequence->text, position, &shard) || attr_to_i64(item_get_str(item, GW_RECORD_AT), &record->at_ms))
        return ERR_CORRUPT;
    memcpy(record->sequence, sequence->text.data, GW_SEQUENCE_TEXT);
    record->sequence[GW_SEQUENCE_TEXT] = 0;
    record->key = key->text;
    record->data = data->text;
    return 0;
}

/* ---- places ---- */

struct gw_records_from gw_records_latest(const struct store_view *view)
{
    uint64_t sequence = view->snapshot ? store_snapshot_sequence(view->snapshot) : 0;
    return (struct gw_records_from){.position = {sequence, UINT32_MAX, GW_POSITION_INDEX_MAX}};
}

static uint64_t view_end(const struct store_view *view)
{
    return view->snapshot ? store_snapshot_sequence(view->snapshot) : INT64_MAX;
}

/* The arrival of the first record of tick `sequence` or later: 0, ERR_NOT_FOUND when there is none. */
static int arrival_from(struct reader *reader, uint64_t sequence, int64_t *at_ms, uint64_t *found)
{
    struct gw_record record;
    struct gw_position position;
    struct arena_mark mark = arena_mark(reader->arena);
    int code = reader_seek(reader, (struct gw_records_from){.position = {.sequence = sequence}, .inclusive = true});
    if (!code)
        code = reader_next(reader, &record, &position);
    store_cursor_close(reader->cursor);
    reader->cursor = NULL;
    if (!code) {
        *at_ms = record.at_ms;
        *found = position.sequence;
    }
    arena_rewind(reader->arena, mark);
    return code;
}

/* The first tick, from `low` on, whose records arrived at `ms` or later. */
static int find_time(struct reader *reader, uint64_t low, int64_t ms, struct gw_records_from *from)
{
    uint64_t high = view_end(reader->view), found = 0;
    high = high < INT64_MAX ? high + 1 : high; /* behind the last one: there is none */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int64_t at_ms = 0;
        int code = arrival_from(reader, middle, &at_ms, &found);
        if (code && code != ERR_NOT_FOUND)
            return code;
        if (code || at_ms >= ms)
            high = middle;
        else
            low = found + 1;
    }
    *from = (struct gw_records_from){.position = {.sequence = low}, .inclusive = true};
    return 0;
}

int gw_records_at_time(struct store_view *view, struct arena *arena, const struct gw_stream *stream, uint32_t shard, int64_t ms, struct gw_records_from *from)
{
    struct reader reader;
    int code = reader_init(&reader, view, arena, stream, shard);
    return code ? code : find_time(&reader, 0, ms, from);
}

/* ---- pages ---- */

static size_t size_of(const struct gw_record *record)
{
    return record->data.len + record->key.len;
}

/* Up to the page's bounds; then one record is looked at that is not read. */
static int read_on(struct reader *reader, struct gw_records_page *page, int64_t horizon_ms, int (*visit)(void *, const struct gw_record *), void *context)
{
    size_t bytes = 0;
    bool skipped = false;
    for (;;) {
        struct gw_record record;
        struct gw_position position;
        struct arena_mark mark = arena_mark(reader->arena);
        int code = reader_next(reader, &record, &position);
        if (code == ERR_NOT_FOUND) {
            page->at_end = true;
            page->behind_ms = 0;
            if (!page->count)
                page->next = gw_records_latest(reader->view); /* what comes lies behind it, and rows deleted before it are not walked again */
            return 0;
        }
        if (code)
            return code;
        if (record.at_ms < horizon_ms) {
            uint64_t low = position.sequence + 1;
            arena_rewind(reader->arena, mark);
            code = skipped ? 0 : find_time(reader, low, horizon_ms, &page->next);
            if (!code && !skipped)
                code = reader_seek(reader, page->next);
            skipped = true;
            if (code)
                return code;
            continue;
        }
        if (page->count == page->limit || (page->count && bytes >= page->bytes)) {
            page->behind_ms = page->now_ms > record.at_ms ? page->now_ms - record.at_ms : 0;
            return 0;
        }
        bytes += size_of(&record);
        if (page->quick && (page->count >= QUICK_RECORDS || bytes > QUICK_BYTES))
            return ERR_COLD;
        code = visit(context, &record);
        arena_rewind(reader->arena, mark);
        if (code)
            return code;
        page->count++;
        page->next = (struct gw_records_from){.position = position};
    }
}

int gw_records_read(struct store_view *view, struct arena *arena, const struct gw_stream *stream, uint32_t shard, struct gw_records_page *page,
    int (*visit)(void *context, const struct gw_record *record), void *context)
{
    struct reader reader;
    page->count = 0;
    page->at_end = false;
    page->next = page->from;
    int code = reader_init(&reader, view, arena, stream, shard);
    if (!code)
        code = reader_seek(&reader, page->from);
    if (!code)
        code = read_on(&reader, page, gw_stream_horizon_ms(stream, page->now_ms), visit, context);
    store_cursor_close(reader.cursor);
    counter_add(COUNTER_records_read, code ? 0 : (int64_t)page->count);
    return code;
}
