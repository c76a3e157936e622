/* Streams made, found and dropped: a row for what they are, a table for what they hold. */
#include "gateway/records_inside.h"

#include "base/clock.h"

#define SWEEP_FIRST_MS HOUR_MS

bool gw_stream_name_valid(struct text name)
{
    if (!name.len || name.len > GW_STREAM_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-'))
            return false;
    }
    return true;
}

struct text gw_records_table_name(struct arena *arena, struct text stream)
{
    return arena_format(arena, "%s%.*s", GW_RECORDS_PREFIX, TEXT_FMT(stream));
}

bool gw_records_is_table(struct text table)
{
    return text_starts(table, TEXT(GW_RECORDS_PREFIX));
}

const struct store_table *records_table(const struct store *store, struct text stream)
{
    char name[sizeof(GW_RECORDS_PREFIX) + GW_STREAM_NAME_MAX];
    size_t prefix = sizeof(GW_RECORDS_PREFIX) - 1;
    if (stream.len > GW_STREAM_NAME_MAX)
        return NULL;
    memcpy(name, GW_RECORDS_PREFIX, prefix);
    memcpy(name + prefix, stream.data, stream.len);
    return store_table_find(store, text_make(name, prefix + stream.len));
}

int64_t gw_stream_horizon_ms(const struct gw_stream *stream, int64_t now_ms)
{
    return now_ms - stream->retention_h * HOUR_MS;
}

/* ---- making and dropping ---- */

static int define_table(struct tick *tick, struct arena *arena, struct text stream, struct err *err)
{
    struct store_table_decl *decl = arena_zalloc(arena, sizeof(*decl));
    if (!decl)
        return err_set(err, ERR_MEMORY, "out of memory");
    *decl = (struct store_table_decl){.name = gw_records_table_name(arena, stream), .hash = TEXT(GW_RECORD_SHARD), .range = TEXT(GW_RECORD_SEQUENCE),
        .hash_type = ATTR_STRING, .range_type = ATTR_STRING, .changes = true};
    const struct store_table *table;
    return decl->name.data ? store_table_define(tick_stage(tick), decl, &table, err) : err_set(err, ERR_MEMORY, "out of memory");
}

static int check_new(struct tick *tick, struct arena *arena, const struct gw_stream *stream, uint32_t shards, struct err *err)
{
    struct gw_stream_totals totals;
    struct gw_stream found;
    if (!gw_stream_name_valid(stream->name))
        return err_set(err, ERR_INVALID, "the name of a stream has 1 to %d of the characters a-z, A-Z, 0-9, '_', '.' and '-'", GW_STREAM_NAME_MAX);
    if (!shards)
        return err_set(err, ERR_INVALID, "a stream has 1 to %d shards", GW_STREAM_SHARDS_MAX);
    int code = gw_stream_get(tick_view(tick), arena, stream->name, &found);
    if (code != ERR_NOT_FOUND)
        return code ? code : err_set(err, ERR_EXISTS, "the stream exists already");
    code = gw_stream_totals(tick_view(tick), arena, &totals);
    if (!code && totals.streams >= GW_STREAMS_MAX)
        return err_set(err, ERR_FULL, "there are %d streams already", GW_STREAMS_MAX);
    if (!code && (shards > GW_STREAM_SHARDS_MAX || totals.shards + shards > GW_STREAM_SHARDS_MAX))
        return err_set(err, ERR_FULL, "all streams together have at most %d open shards", GW_STREAM_SHARDS_MAX);
    return code;
}

int gw_stream_create(struct tick *tick, struct arena *arena, struct gw_stream *stream, uint32_t shards, struct err *err)
{
    int code = check_new(tick, arena, stream, shards, err);
    if (code)
        return code;
    stream->id = (struct gw_position){tick_sequence(tick), tick_call_number(tick), 0};
    stream->created_ms = tick_now_ms(tick);
    stream->metrics = stream->next_shard = stream->kept_shards = stream->open_count = 0;
    stream->record_kib = stream->record_kib ? stream->record_kib : GW_RECORD_KIB_MIN;
    struct gw_reshard reshard = {.tick = tick, .arena = arena, .stream = stream};
    code = records_shards_begin(&reshard, shards);
    if (!code)
        code = gw_stream_put(tick, stream);
    if (!code)
        code = define_table(tick, arena, stream->name, err);
    return code ? code : records_sweep_later(tick, stream, SWEEP_FIRST_MS);
}

int gw_stream_delete(struct tick *tick, const struct gw_stream *stream, struct err *err)
{
    const struct store_table *table = records_table(tick_view(tick)->store, stream->name);
    int code = table ? records_stream_forget(tick, stream) : ERR_NOT_FOUND; /* made in this very tick: nobody has been told of it yet */
    if (!code)
        code = store_table_drop(tick_stage(tick), table, err);
    for (const char *kind = "cu"; *kind && !code; kind++) {
        char prefix[RECORDS_PREFIX_KEY];
        code = records_purge_later(tick, records_prefix(prefix, *kind, stream->id));
    }
    return code ? code : records_sweep_later(tick, stream, 0); /* its shards' rows */
}

int gw_records_define(struct tick *tick, struct arena *arena, struct text name, uint32_t shards, struct err *err)
{
    struct gw_stream stream = {.name = name, .retention_h = GW_RETENTION_MIN_H};
    int code = gw_stream_create(tick, arena, &stream, shards, err);
    return code == ERR_EXISTS ? 0 : code;
}
