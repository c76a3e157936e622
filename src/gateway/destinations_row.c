/* Destinations as rows (destinations.h). */
#include "gateway/destinations_inside.h"

#include "base/cursor.h"
#include "gateway/live.h"

enum { FORGET_MAX = 16 }; /* rows that an enabling clears away */
enum { ROW_VERSION = 1, KEY_MAX = 5 + GW_STREAM_NAME_MAX };

static struct text row_key(char out[KEY_MAX], uint32_t table_id, struct text stream)
{
    out[0] = 'd';
    for (int i = 0; i < 4; i++)
        out[1 + i] = (char)(table_id >> (24 - 8 * i));
    if (stream.len)
        memcpy(out + 5, stream.data, stream.len);
    return text_make(out, 5 + stream.len);
}

/* Borrows. */
static int decode(struct text key, struct text value, struct gw_destination *out)
{
    struct cursor k = cursor_of(text_make(key.data + 1, key.len - 1)), c = cursor_of(value);
    if (cursor_u8(&c) != ROW_VERSION)
        return ERR_CORRUPT;
    *out = (struct gw_destination){.table_id = cursor_be32(&k)};
    out->stream = cursor_take(&k, cursor_left(&k));
    out->since = cursor_be64(&c);
    out->until = cursor_be64(&c);
    out->precise = cursor_u8(&c) == 1;
    out->table = cursor_bytes(&c);
    return k.failed || c.failed ? ERR_CORRUPT : 0;
}

struct each {
    uint32_t table_id;
    int (*visit)(void *context, const struct gw_destination *destination);
    void *context;
    bool done;
};

static int on_row(void *context, struct text key, struct text value)
{
    struct each *each = context;
    struct gw_destination destination;
    if (key.len < 5 || key.data[0] != 'd')
        return RECORDS_DONE;
    int code = decode(key, value, &destination);
    if (!code && each->table_id && destination.table_id != each->table_id)
        return RECORDS_DONE;
    return code ? code : each->visit(each->context, &destination);
}

int gw_destination_each(struct store_view *view, struct arena *arena, uint32_t table_id, int (*visit)(void *context, const struct gw_destination *destination), void *context)
{
    char key[KEY_MAX];
    struct each each = {.table_id = table_id, .visit = visit, .context = context};
    int code = store_raw_scan(view, STORE_SPACE_RECORDS, row_key(key, table_id, TEXT_NONE), arena, on_row, &each);
    return code == RECORDS_DONE ? 0 : code;
}

int gw_destination_get(struct store_view *view, struct arena *arena, uint32_t table_id, struct text stream, struct gw_destination *out)
{
    char key[KEY_MAX];
    struct text value;
    if (!gw_stream_name_valid(stream))
        return ERR_NOT_FOUND;
    struct text name = row_key(key, table_id, stream);
    int code = store_raw_get(view, STORE_SPACE_RECORDS, name, arena, &value);
    if (!code)
        code = decode(name, value, out);
    out->stream = stream; /* the key's bytes are ours */
    return code;
}

static int on_any(void *context, const struct gw_destination *destination)
{
    (void)destination;
    *(bool *)context = true;
    return RECORDS_DONE;
}

bool gw_destination_is_any(struct store_view *view, struct arena *arena, uint32_t table_id)
{
    bool any = false;
    return gw_destination_each(view, arena, table_id, on_any, &any) < 0 || any;
}

int destinations_place(struct store_view *view, struct arena *arena, struct feed_position *out)
{
    struct text value;
    int code = store_raw_get(view, STORE_SPACE_RECORDS, TEXT("D"), arena, &value);
    if (code)
        return code;
    struct cursor c = cursor_of(value);
    out->sequence = cursor_be64(&c);
    out->number = cursor_be32(&c);
    return c.failed ? ERR_CORRUPT : 0;
}

int destinations_place_put(struct tick *tick, struct feed_position at)
{
    struct buf row;
    buf_init(&row, 16);
    buf_add_be64(&row, at.sequence);
    buf_add_be32(&row, at.number);
    int code = row.failed ? ERR_MEMORY : store_raw_put(tick_stage(tick), STORE_SPACE_RECORDS, TEXT("D"), buf_text(&row));
    buf_fini(&row);
    return code;
}

int gw_destinations_at(struct store_view *view, struct arena *arena, uint64_t *sequence)
{
    struct feed_position at = {0};
    int code = destinations_place(view, arena, &at);
    *sequence = at.number == FEED_ALL || !at.sequence ? at.sequence : at.sequence - 1;
    return code == ERR_NOT_FOUND ? 0 : code;
}

int gw_destination_put(struct tick *tick, const struct gw_destination *destination)
{
    char key[KEY_MAX];
    struct buf row;
    buf_init(&row, 1024);
    buf_add_u8(&row, ROW_VERSION);
    buf_add_be64(&row, destination->since);
    buf_add_be64(&row, destination->until);
    buf_add_u8(&row, destination->precise);
    buf_add_bytes(&row, destination->table);
    int code = row.failed ? ERR_MEMORY
                          : store_raw_put(tick_stage(tick), STORE_SPACE_RECORDS, row_key(key, destination->table_id, destination->stream), buf_text(&row));
    buf_fini(&row);
    gw_follow_touch(tick, DESTINATIONS_SUBJECT);
    return code;
}

int destinations_forget(struct tick *tick, uint32_t table_id, struct text stream)
{
    char key[KEY_MAX];
    gw_follow_touch(tick, DESTINATIONS_SUBJECT);
    return store_raw_delete(tick_stage(tick), STORE_SPACE_RECORDS, row_key(key, table_id, stream));
}

struct tally {
    uint32_t rows, here, waiting; /* waiting: the follower has not passed their end */
    uint32_t table_id;
    uint64_t place;
    struct store *store;
    struct arena *arena;
    struct { /* of tables that are gone, disabled before */
        uint32_t table_id;
        struct text stream;
    } gone[FORGET_MAX];
    size_t gone_count;
};

static int tally_one(void *context, const struct gw_destination *destination)
{
    struct tally *tally = context;
    const struct store_table *table = store_table_find(tally->store, destination->table);
    tally->rows++;
    if (destination->until && (!table || store_table_id(table) != destination->table_id) && tally->gone_count < FORGET_MAX) {
        tally->gone[tally->gone_count].table_id = destination->table_id;
        tally->gone[tally->gone_count++].stream = arena_copy(tally->arena, destination->stream);
    }
    tally->waiting += !destination->until || destination->until > tally->place;
    tally->here += destination->table_id == tally->table_id && !destination->until;
    return 0;
}

int gw_destination_enable(struct tick *tick, struct arena *arena, const struct store_table *table, struct gw_destination *destination, struct err *err)
{
    struct tally tally = {.table_id = store_table_id(table), .store = tick_view(tick)->store, .arena = arena};
    uint64_t now = tick_sequence(tick);
    int code = gw_destinations_at(tick_view(tick), arena, &tally.place);
    if (!code)
        code = gw_destination_each(tick_view(tick), arena, 0, tally_one, &tally);
    if (code)
        return code;
    for (size_t i = 0; i < tally.gone_count && !code; i++)
        code = tally.gone[i].stream.data ? destinations_forget(tick, tally.gone[i].table_id, tally.gone[i].stream) : ERR_MEMORY;
    if (code)
        return code;
    if (tally.here >= GW_DESTINATIONS_PER_TABLE || tally.rows >= GW_DESTINATIONS_MAX)
        return ERR_FULL;
    destination->table_id = store_table_id(table);
    destination->table = store_table_name(table);
    destination->since = now;
    destination->until = 0;
    code = live_table_follow(tick, table, err);
    if (!code)
        code = gw_destination_put(tick, destination);
    /* While nobody waits for changes the journal is not followed, and the place stays behind. */
    return code || tally.waiting ? code : destinations_place_put(tick, (struct feed_position){now, FEED_ALL});
}

int gw_destination_disable(struct tick *tick, struct gw_destination *destination)
{
    destination->until = tick_sequence(tick);
    return gw_destination_put(tick, destination);
}
