/*
 * Which streams there are. Changes are in the journal, once, for everybody who follows; a stream is only a name for those of one table between two places in it.
 * So it is one small row, written in the tick that switches it on or off, and it outlives its table: what was written before a table was dropped can still be
 * read for a day.
 *
 *   key   = the table's name, NUL, label (be64 ms)
 *   value = u8 version, u8 view, be32 table, be64 + be32 first, be64 from ms, be64 ended ms, be64 + be32 end, bytes hash, bytes range
 *
 * The place of the beginning is that of the next change in the tick that begins it, so two streams of one table in one tick do not overlap.
 *
 * Rows of streams that ended more than a day ago are invisible, and deleted in slices by whoever begins a stream: only that makes new ones, so there are never
 * many.
 */
#include "aws/streams.h"

#include "base/cursor.h"
#include "store/key.h"

#define VERSION 1
#define KEY_MAX 264
#define ROW_MAX 1024
#define SLICE 64 /* rows that one beginning looks at to find long ended ones */

static const char *const view_names[] = {"KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"};

enum streams_view streams_view_of(struct text name)
{
    unsigned i = 0;
    while (i < STREAMS_BOTH && !text_is(name, view_names[i]))
        i++;
    return (enum streams_view)i;
}

const char *streams_view_name(enum streams_view view)
{
    return view_names[view];
}

/* ---- the stored form ---- */

static struct text row_key(struct text table, int64_t label_ms, char out[KEY_MAX])
{
    size_t len = table.len < 255 ? table.len : 255;
    if (len)
        memcpy(out, table.data, len);
    out[len++] = 0;
    for (int i = 7; i >= 0; i--)
        out[len++] = (char)((uint64_t)label_ms >> (8 * i));
    return text_make(out, len);
}

static struct feed_position place_of(struct cursor *c)
{
    uint64_t sequence = cursor_be64(c);
    return (struct feed_position){sequence, cursor_be32(c)};
}

static int decode(struct text key, struct text value, struct streams_row *row)
{
    struct cursor c = cursor_of(value);
    ptrdiff_t end = text_find(key, 0, 0);
    memset(row, 0, sizeof(*row));
    if (end < 0 || key.len != (size_t)end + 9 || cursor_u8(&c) != VERSION)
        return ERR_CORRUPT;
    struct cursor label = cursor_of(text_make(key.data + end + 1, 8));
    row->table = text_make(key.data, (size_t)end);
    row->label_ms = (int64_t)cursor_be64(&label);
    unsigned view = cursor_u8(&c);
    row->view = (enum streams_view)view;
    row->table_id = cursor_be32(&c);
    row->first = place_of(&c);
    row->from_ms = (int64_t)cursor_be64(&c);
    row->ended_ms = (int64_t)cursor_be64(&c);
    row->end = place_of(&c);
    row->hash = cursor_bytes(&c);
    row->range = cursor_bytes(&c);
    return c.failed || view > STREAMS_BOTH ? ERR_CORRUPT : 0;
}

static void place_add(struct buf *out, struct feed_position place)
{
    buf_add_be64(out, place.sequence);
    buf_add_be32(out, place.number);
}

int streams_row_put(struct store_stage *stage, const struct streams_row *row)
{
    char key[KEY_MAX];
    struct buf value;
    buf_init(&value, ROW_MAX);
    buf_add_u8(&value, VERSION);
    buf_add_u8(&value, (uint8_t)row->view);
    buf_add_be32(&value, row->table_id);
    place_add(&value, row->first);
    buf_add_be64(&value, (uint64_t)row->from_ms);
    buf_add_be64(&value, (uint64_t)row->ended_ms);
    place_add(&value, row->end);
    buf_add_bytes(&value, row->hash);
    buf_add_bytes(&value, row->range);
    int code = value.failed ? ERR_MEMORY : store_raw_put(stage, STORE_SPACE_SHARDS, row_key(row->table, row->label_ms, key), buf_text(&value));
    buf_fini(&value);
    return code;
}

int streams_row_delete(struct store_stage *stage, const struct streams_row *row)
{
    char key[KEY_MAX];
    return store_raw_delete(stage, STORE_SPACE_SHARDS, row_key(row->table, row->label_ms, key));
}

/* ---- reading ---- */

bool streams_row_is_past(const struct streams_row *row, int64_t now_ms)
{
    return row->ended_ms && row->ended_ms + STREAMS_KEPT_MS <= now_ms;
}

int streams_row_get(struct store_view *view, struct arena *arena, struct text table, int64_t label_ms, struct streams_row *row)
{
    char key[KEY_MAX];
    struct text value, where = arena_copy(arena, row_key(table, label_ms, key));
    if (!where.data)
        return ERR_MEMORY;
    int code = store_raw_get(view, STORE_SPACE_SHARDS, where, arena, &value);
    if (!code)
        code = decode(where, value, row);
    return !code && streams_row_is_past(row, clock_wall_ms()) ? ERR_NOT_FOUND : code;
}

struct scan {
    int (*visit)(void *context, const struct streams_row *row);
    void *context;
};

static int on_row(void *context, struct text key, struct text value)
{
    struct scan *scan = context;
    struct streams_row row;
    int code = decode(key, value, &row);
    return code ? code : scan->visit(scan->context, &row);
}

int streams_row_scan(struct store_view *view, struct arena *arena, struct text table, int64_t label_ms, int (*visit)(void *context, const struct streams_row *row),
    void *context)
{
    char key[KEY_MAX];
    struct scan scan = {visit, context};
    return store_raw_scan(view, STORE_SPACE_SHARDS, table.len ? row_key(table, label_ms, key) : TEXT_NONE, arena, on_row, &scan);
}

struct current {
    struct text table;
    bool found;
    struct streams_row *row;
};

static int on_current(void *context, const struct streams_row *row)
{
    struct current *current = context;
    if (!text_equal(row->table, current->table))
        return 1;
    if (!row->ended_ms) {
        current->found = true;
        *current->row = *row;
    }
    return 0;
}

static int find_current(struct store_view *view, struct arena *arena, struct text table, struct streams_row *row)
{
    struct current current = {.table = table, .row = row};
    int code = streams_row_scan(view, arena, table, 0, on_current, &current);
    return code < 0 ? code : current.found ? 0 : ERR_NOT_FOUND;
}

int streams_current(struct store_view *view, struct arena *arena, const struct store_table *table, struct streams_row *row)
{
    int code = find_current(view, arena, store_table_name(table), row);
    return !code && row->table_id != store_table_id(table) ? ERR_NOT_FOUND : code;
}

/* ---- beginning and ending ---- */

struct feed_position streams_here(struct tick *tick)
{
    return (struct feed_position){tick_sequence(tick), (uint32_t)store_stage_save(tick_stage(tick)).change};
}

/* What a beginning must know of the streams that bore the table's name. */
struct earlier {
    struct text table;
    int64_t newest_ms;
    size_t ended;
    struct streams_row oldest; /* of those that ended */
};

static int on_earlier(void *context, const struct streams_row *row)
{
    struct earlier *earlier = context;
    if (!text_equal(row->table, earlier->table))
        return 1;
    earlier->newest_ms = row->label_ms;
    if (row->ended_ms && !earlier->ended++)
        earlier->oldest = *row;
    return 0;
}

/* State thread: where the next slice begins. Only a hint, so that a call that is undone does no harm. */
static struct {
    char table[256];
    size_t len;
    int64_t label_ms;
} sweep;

struct slice {
    int64_t now_ms;
    size_t seen, count;
    bool more;
    struct streams_row past[SLICE];
};

static int on_slice(void *context, const struct streams_row *row)
{
    struct slice *slice = context;
    if (slice->seen++ == SLICE) {
        sweep.len = row->table.len < sizeof(sweep.table) ? row->table.len : 0;
        memcpy(sweep.table, row->table.data, sweep.len);
        sweep.label_ms = row->label_ms;
        slice->more = true;
        return 1;
    }
    if (streams_row_is_past(row, slice->now_ms))
        slice->past[slice->count++] = *row;
    return 0;
}

static int delete_past(struct store_view *view, struct tick *tick, struct arena *arena)
{
    struct slice *slice = arena_zalloc(arena, sizeof(*slice));
    if (!slice)
        return ERR_MEMORY;
    slice->now_ms = tick_now_ms(tick);
    int code = streams_row_scan(view, arena, text_make(sweep.table, sweep.len), sweep.label_ms, on_slice, slice);
    if (code < 0)
        return code;
    if (!slice->more)
        sweep.len = 0;
    code = 0;
    for (size_t i = 0; i < slice->count && !code; i++)
        code = streams_row_delete(tick_stage(tick), &slice->past[i]);
    return code;
}

int streams_end(struct store_view *view, struct tick *tick, struct arena *arena, struct text table)
{
    struct streams_row row;
    int code = find_current(view, arena, table, &row);
    if (!code) {
        row.ended_ms = tick_now_ms(tick);
        row.end = streams_here(tick);
        code = streams_row_put(tick_stage(tick), &row);
    }
    return code == ERR_NOT_FOUND ? 0 : code;
}

int streams_begin(struct store_view *view, struct tick *tick, struct arena *arena, const struct store_table *table, enum streams_view images, int64_t *label_ms)
{
    const struct store_table_decl *decl = store_table_decl(table);
    struct earlier earlier = {.table = store_table_name(table)};
    int code = delete_past(view, tick, arena);
    if (!code)
        code = streams_end(view, tick, arena, earlier.table);
    if (!code)
        code = streams_row_scan(view, arena, earlier.table, 0, on_earlier, &earlier);
    if (code < 0)
        return code;
    code = earlier.ended > STREAMS_ENDED_MAX ? streams_row_delete(tick_stage(tick), &earlier.oldest) : 0;
    if (*label_ms <= earlier.newest_ms)
        *label_ms = earlier.newest_ms + 1;
    struct streams_row row = {.table = earlier.table, .label_ms = *label_ms, .table_id = store_table_id(table), .view = images, .first = streams_here(tick),
        .hash = decl->hash, .range = decl->range};
    return code ? code : streams_row_put(tick_stage(tick), &row);
}

int streams_follow(struct store_view *view, struct tick *tick, struct arena *arena, const struct store_table *table, struct ddb_meta *meta)
{
    if (!meta->stream_view.len)
        return streams_end(view, tick, arena, store_table_name(table));
    meta->stream_ms = tick_now_ms(tick);
    return streams_begin(view, tick, arena, table, streams_view_of(meta->stream_view), &meta->stream_ms);
}
