/* See cache.h. Rows are kept with an arena each: a row of one value takes a hundred bytes, one of a thousand buckets what it needs, and forgetting it gives all of it back. */
#include "watch/cache.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/map.h"
#include "store/key.h"
#include <stdlib.h>

#define ROW_ARENA_FIRST 128
#define ROW_ARENA_LIMIT ((size_t)1 << 20)

struct series {
    uint64_t id; /* 0: ask the row */
    int64_t seen_ms;
};
struct row {
    struct list age; /* in `rows`: least recently used first */
    struct watch_row_key key;
    char name[WATCH_ROW_KEY];
    bool dirty;
    uint32_t staged;   /* bytes, when it was last */
    uint64_t charged;  /* sequence of the tick whose notes have them */
    struct row *next_dirty;
    struct arena arena;
    struct watch_summary summary;
};
struct watch_cache {
    uint64_t series_max;
    int64_t told_ms;
    struct map series; /* struct series, in the arena with its key */
    struct arena arena;
    uint64_t wrote_sequence; /* the call that has staged a series */
    uint32_t wrote_call;
    bool wrote;

    struct map rows;   /* struct row */
    struct list age;
    struct row *dirty, *last; /* last: the row that was added to last */
    size_t bytes;      /* of the rows' arenas */
    struct buf out;
};

int watch_cache_create(struct watch_cache **out, uint64_t series_max)
{
    struct watch_cache *cache = *out = calloc(1, sizeof(*cache));
    if (!cache)
        return ERR_MEMORY;
    cache->series_max = series_max;
    cache->told_ms = INT64_MIN;
    map_init(&cache->series);
    map_init(&cache->rows);
    list_init(&cache->age);
    arena_init(&cache->arena, 16 << 10, WATCH_CACHE_SERIES_BYTES);
    buf_init(&cache->out, WATCH_SUMMARY_BYTES_MAX);
    return 0;
}

/* ---- series ---- */

uint64_t watch_cache_series_max(const struct watch_cache *cache)
{
    return cache->series_max;
}

void watch_cache_series_limit(struct watch_cache *cache, uint64_t series_max)
{
    cache->series_max = series_max;
}

bool watch_cache_may_tell(struct watch_cache *cache, int64_t now_ms)
{
    bool may = cache->told_ms <= now_ms - MINUTE_MS;
    cache->told_ms = may ? now_ms : cache->told_ms;
    return may;
}

static struct series *series_find(struct watch_cache *cache, const struct watch_name *name, char flat[WATCH_FLAT_MAX], struct text *key)
{
    size_t len = name->dimensions <= WATCH_DIMENSIONS_MAX ? watch_name_flat(name, flat) : 0;
    *key = text_make(flat, len);
    return len ? map_get(&cache->series, *key) : NULL;
}

bool watch_cache_series_find(struct watch_cache *cache, const struct watch_name *name, int64_t now_ms, uint64_t *id)
{
    char flat[WATCH_FLAT_MAX];
    struct text key;
    struct series *series = series_find(cache, name, flat, &key);
    if (!series || !series->id || series->seen_ms <= now_ms - WATCH_SEEN_MS)
        return false;
    *id = series->id;
    return true;
}

void watch_cache_series_wrote(struct watch_cache *cache, const struct tick *tick)
{
    cache->wrote_sequence = tick_sequence(tick);
    cache->wrote_call = tick_call_number(tick);
    cache->wrote = true;
}

void watch_cache_series_forget(struct watch_cache *cache)
{
    map_fini(&cache->series);
    arena_reset(&cache->arena);
}

static struct series *series_make(struct watch_cache *cache, struct text key)
{
    struct series *series = arena_zalloc(&cache->arena, sizeof(*series));
    struct text own = series ? arena_copy(&cache->arena, key) : TEXT_NONE;
    return own.data && !map_put(&cache->series, own, series, NULL) ? series : NULL;
}

void watch_cache_series_note(struct watch_cache *cache, const struct tick *tick, const struct watch_name *name, const struct watch_series *found)
{
    char flat[WATCH_FLAT_MAX];
    struct text key;
    if (cache->wrote && cache->wrote_sequence == tick_sequence(tick) && cache->wrote_call == tick_call_number(tick))
        return;
    struct series *series = series_find(cache, name, flat, &key);
    if (!key.len)
        return;
    if (!series && cache->series.count >= WATCH_CACHE_SERIES)
        watch_cache_series_forget(cache);
    if (!series && !(series = series_make(cache, key))) { /* full: from now on what is used */
        watch_cache_series_forget(cache);
        return;
    }
    series->id = found->id;
    series->seen_ms = found->seen_ms;
}

/* ---- rows ---- */

static void row_destroy(struct watch_cache *cache, struct row *row)
{
    map_delete(&cache->rows, text_make(row->name, WATCH_ROW_KEY));
    list_remove(&row->age);
    cache->bytes -= row->arena.used;
    cache->last = cache->last == row ? NULL : cache->last;
    arena_fini(&row->arena);
    free(row);
}

static void rows_forget(struct watch_cache *cache)
{
    cache->dirty = NULL;
    while (!list_empty(&cache->age))
        row_destroy(cache, LIST_ENTRY(cache->age.next, struct row, age));
}

void watch_cache_forget(struct watch_cache *cache)
{
    watch_cache_series_forget(cache);
    rows_forget(cache);
    cache->wrote = false;
}

void watch_cache_destroy(struct watch_cache *cache)
{
    if (!cache)
        return;
    watch_cache_forget(cache);
    map_fini(&cache->rows);
    arena_fini(&cache->arena);
    buf_fini(&cache->out);
    free(cache);
}

void watch_cache_row_forget(struct watch_cache *cache, const struct watch_row_key *key)
{
    char name[WATCH_ROW_KEY];
    struct row *row = map_get(&cache->rows, watch_row_key_format(name, key));
    if (!row)
        return;
    ASSERT(!row->dirty); /* rows are dirty within the seal alone, and there nobody else stages any */
    row_destroy(cache, row);
}

size_t watch_cache_row_charge(struct watch_cache *cache, const struct watch_row_key *key, uint64_t sequence)
{
    char name[WATCH_ROW_KEY];
    struct row *row = map_get(&cache->rows, watch_row_key_format(name, key));
    bool crowded = cache->rows.count > WATCH_CACHE_ROWS / 2 || cache->bytes > WATCH_CACHE_ROWS_BYTES / 2;
    if (!row)
        return crowded ? WATCH_CACHE_CHARGE_MAX / 2 : 0; /* it may have been put out; while nothing is, it is new */
    if (row->charged == sequence)
        return 0;
    row->charged = sequence;
    return row->staged < WATCH_CACHE_CHARGE_MAX ? row->staged : WATCH_CACHE_CHARGE_MAX;
}

/* What the tables and this tick's stage have of it. */
static int row_load(struct tick *tick, struct arena *arena, struct row *row)
{
    struct arena_mark mark = arena_mark(arena);
    struct text bytes;
    int code = store_raw_get(tick_view(tick), STORE_SPACE_METRICS, text_make(row->name, WATCH_ROW_KEY), arena, &bytes);
    if (!code)
        code = watch_summary_decode(bytes, &row->summary);
    arena_rewind(arena, mark);
    return code == ERR_NOT_FOUND ? 0 : code;
}

static int row_make(struct watch_cache *cache, struct tick *tick, struct arena *arena, const struct watch_row_key *key, struct row **out)
{
    struct row *row = calloc(1, sizeof(*row));
    if (!row)
        return ERR_MEMORY;
    row->key = *key;
    watch_row_key_format(row->name, key);
    arena_init(&row->arena, ROW_ARENA_FIRST, ROW_ARENA_LIMIT);
    watch_summary_init(&row->summary, &row->arena);
    int code = row_load(tick, arena, row);
    if (!code)
        code = map_put(&cache->rows, text_make(row->name, WATCH_ROW_KEY), row, NULL);
    if (code) {
        arena_fini(&row->arena);
        free(row);
        return code;
    }
    list_add_tail(&cache->age, &row->age);
    cache->bytes += row->arena.used;
    *out = row;
    return 0;
}

static bool is_row(const struct row *row, const struct watch_row_key *key)
{
    return row && row->key.series == key->series && row->key.start_s == key->start_s && row->key.level == key->level && row->key.unit == key->unit;
}

/* Ready to be added to. */
static int row_take(struct watch_cache *cache, struct tick *tick, struct arena *arena, const struct watch_row_key *key, struct row **out)
{
    char name[WATCH_ROW_KEY];
    struct row *row = is_row(cache->last, key) ? cache->last : map_get(&cache->rows, watch_row_key_format(name, key));
    int code = row ? 0 : row_make(cache, tick, arena, key, &row);
    if (code)
        return code;
    *out = cache->last = row;
    if (row->dirty)
        return 0;
    row->dirty = true;
    row->next_dirty = cache->dirty;
    cache->dirty = row;
    list_remove(&row->age);
    list_add_tail(&cache->age, &row->age);
    return 0;
}

int watch_cache_row_add(struct watch_cache *cache, struct tick *tick, struct arena *arena, const struct watch_row_key *key, const struct watch_summary *summary)
{
    struct row *row;
    int code = row_take(cache, tick, arena, key, &row);
    if (code)
        return code;
    size_t used = row->arena.used;
    code = watch_summary_merge(&row->summary, summary);
    cache->bytes += row->arena.used - used;
    return code;
}

int watch_cache_row_value(struct watch_cache *cache, struct tick *tick, struct arena *arena, const struct watch_row_key *key, double value, double weight)
{
    struct row *row;
    int code = row_take(cache, tick, arena, key, &row);
    if (code)
        return code;
    size_t used = row->arena.used;
    code = watch_summary_add(&row->summary, value, weight);
    cache->bytes += row->arena.used - used;
    return code;
}

static int row_stage(struct watch_cache *cache, struct tick *tick, struct row *row)
{
    if (row->summary.count <= 0)
        return 0;
    buf_clear(&cache->out);
    watch_summary_encode(&cache->out, &row->summary);
    row->staged = (uint32_t)cache->out.len;
    return cache->out.failed ? ERR_MEMORY : store_raw_put(tick_stage(tick), STORE_SPACE_METRICS, text_make(row->name, WATCH_ROW_KEY), buf_text(&cache->out));
}

static void evict(struct watch_cache *cache)
{
    while (cache->rows.count > WATCH_CACHE_ROWS || cache->bytes > WATCH_CACHE_ROWS_BYTES)
        row_destroy(cache, LIST_ENTRY(cache->age.next, struct row, age));
}

int watch_cache_rows_stage(struct watch_cache *cache, struct tick *tick)
{
    int code = 0;
    while (cache->dirty && !code) {
        struct row *row = cache->dirty;
        code = row_stage(cache, tick, row);
        cache->dirty = row->next_dirty;
        row->dirty = false;
    }
    if (!code)
        evict(cache);
    return code;
}
