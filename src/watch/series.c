/* See series.h for the rows. The dimensions are sorted once, on the way in, so that equal sets are equal bytes. */
#include "watch/cache.h"
#include "watch/seal.h"

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/md5.h"
#include "store/key.h"
#include <stdlib.h>

enum { VERSION = 1 };
#define IDENTITY_MAX (2 * 260 + 4 + WATCH_DIMENSIONS_MAX * (WATCH_DIMENSION_NAME_MAX + WATCH_DIMENSION_VALUE_MAX + 4))
#define ROW_HEAD 25
#define WALK_ARENA (1u << 20)

/* ---- names ---- */

static int check_text(struct text text, size_t max, const char *what, struct err *err)
{
    if (!text.len || text.len > max)
        return err_set(err, ERR_INVALID, "%s must have 1 to %zu bytes", what, max);
    return memchr(text.data, 0, text.len) ? err_set(err, ERR_INVALID, "%s must not hold a NUL", what) : 0;
}

int watch_name_copy(struct arena *arena, const struct watch_name *name, struct watch_name *out)
{
    struct watch_dimension *dimension = arena_array(arena, name->dimensions + 1, sizeof(*dimension));
    *out = (struct watch_name){arena_copy(arena, name->space), arena_copy(arena, name->name), dimension, name->dimensions};
    bool made = dimension && out->space.data && out->name.data;
    for (size_t i = 0; i < name->dimensions && made; i++) {
        dimension[i] = (struct watch_dimension){arena_copy(arena, name->dimension[i].name), arena_copy(arena, name->dimension[i].value)};
        made = dimension[i].name.data && dimension[i].value.data;
    }
    return made ? 0 : ERR_MEMORY;
}

int watch_name_check(const struct watch_name *name, struct err *err)
{
    int code = check_text(name->space, WATCH_NAMESPACE_MAX, "the namespace", err);
    if (!code)
        code = check_text(name->name, WATCH_NAME_MAX, "the metric's name", err);
    if (!code && name->dimensions > WATCH_DIMENSIONS_MAX)
        code = err_set(err, ERR_INVALID, "a metric has at most %d dimensions", WATCH_DIMENSIONS_MAX);
    for (size_t i = 0; i < name->dimensions && !code; i++) {
        code = check_text(name->dimension[i].name, WATCH_DIMENSION_NAME_MAX, "a dimension's name", err);
        if (!code)
            code = check_text(name->dimension[i].value, WATCH_DIMENSION_VALUE_MAX, "a dimension's value", err);
        for (size_t k = 0; k < i && !code; k++)
            if (text_equal(name->dimension[k].name, name->dimension[i].name))
                code = err_set(err, ERR_INVALID, "a dimension stands twice");
    }
    return code;
}

static char *flat_text(char *at, const char *end, struct text text)
{
    if (!at || text.len > UINT16_MAX || (size_t)(end - at) < 2 + text.len)
        return NULL;
    *at++ = (char)(text.len >> 8);
    *at++ = (char)text.len;
    return text_put(at, text);
}

size_t watch_name_flat(const struct watch_name *name, char out[WATCH_FLAT_MAX])
{
    const char *end = out + WATCH_FLAT_MAX;
    char *at = flat_text(flat_text(out, end, name->space), end, name->name);
    for (size_t i = 0; i < name->dimensions; i++)
        at = flat_text(flat_text(at, end, name->dimension[i].name), end, name->dimension[i].value);
    return at ? (size_t)(at - out) : 0;
}

static int compare_dimensions(const void *a, const void *b)
{
    return text_compare(((const struct watch_dimension *)a)->name, ((const struct watch_dimension *)b)->name);
}

struct identity {
    struct text bytes; /* namespace, name, dimensions */
    char key[WATCH_SERIES_KEY_MAX];
    size_t key_len;
};

static int digest(struct text bytes, unsigned char out[MD5_BYTES])
{
    struct md5 *md5 = md5_create();
    if (!md5)
        return ERR_MEMORY;
    md5_add(md5, bytes.data, bytes.len);
    md5_end(md5, out);
    md5_destroy(md5);
    return 0;
}

static int identity_make(struct arena *arena, const struct watch_name *name, struct identity *identity)
{
    struct watch_dimension sorted[WATCH_DIMENSIONS_MAX];
    struct buf bytes;
    if (name->dimensions > WATCH_DIMENSIONS_MAX || name->space.len > WATCH_NAMESPACE_MAX || name->name.len > WATCH_NAME_MAX)
        return ERR_INVALID;
    for (size_t i = 0; i < name->dimensions; i++)
        sorted[i] = name->dimension[i];
    qsort(sorted, name->dimensions, sizeof(sorted[0]), compare_dimensions);
    buf_init(&bytes, IDENTITY_MAX);
    buf_add_bytes(&bytes, name->space);
    buf_add_bytes(&bytes, name->name);
    size_t head = bytes.len;
    buf_add_varint(&bytes, name->dimensions);
    for (size_t i = 0; i < name->dimensions; i++) {
        buf_add_bytes(&bytes, sorted[i].name);
        buf_add_bytes(&bytes, sorted[i].value);
    }
    struct buf key = {.data = identity->key, .cap = sizeof(identity->key), .limit = sizeof(identity->key)}; /* never grows */
    buf_add_char(&key, 'n');
    buf_add_text(&key, name->space);
    buf_add_char(&key, 0);
    buf_add_text(&key, name->name);
    buf_add_char(&key, 0);
    int code = bytes.failed ? ERR_INVALID : digest(text_make(bytes.data + head, bytes.len - head), (unsigned char *)key.data + key.len);
    identity->key_len = key.len + MD5_BYTES;
    identity->bytes = arena_copy(arena, buf_text(&bytes));
    buf_fini(&bytes);
    return code || identity->bytes.data ? code : ERR_MEMORY;
}

/* ---- rows ---- */

static int row_parse(struct arena *arena, struct text row, struct watch_series *series)
{
    struct cursor c = cursor_of(row);
    uint8_t version = cursor_u8(&c);
    series->id = cursor_be64(&c);
    series->made_ms = (int64_t)cursor_be64(&c);
    series->seen_ms = (int64_t)cursor_be64(&c);
    series->name.space = cursor_bytes(&c);
    series->name.name = cursor_bytes(&c);
    uint64_t count = cursor_varint(&c);
    if (c.failed || version != VERSION || count > WATCH_DIMENSIONS_MAX)
        return ERR_CORRUPT;
    struct watch_dimension *dimension = arena_array(arena, count, sizeof(*dimension));
    if (!dimension)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        dimension[i].name = cursor_bytes(&c);
        dimension[i].value = cursor_bytes(&c);
    }
    series->name.dimension = dimension;
    series->name.dimensions = count;
    return c.failed || cursor_left(&c) ? ERR_CORRUPT : 0;
}

static int row_get(struct store_view *view, struct arena *arena, const struct identity *identity, struct watch_series *series)
{
    struct text row;
    int code = store_raw_get(view, STORE_SPACE_SERIES, text_make(identity->key, identity->key_len), arena, &row);
    if (!code)
        code = row_parse(arena, row, series);
    if (!code && !text_equal(text_make(row.data + ROW_HEAD, row.len - ROW_HEAD), identity->bytes))
        code = ERR_EXISTS;
    return code;
}

static int row_put(struct tick *tick, const struct identity *identity, const struct watch_series *series)
{
    struct buf row;
    buf_init(&row, ROW_HEAD + IDENTITY_MAX);
    buf_add_u8(&row, VERSION);
    buf_add_be64(&row, series->id);
    buf_add_be64(&row, (uint64_t)series->made_ms);
    buf_add_be64(&row, (uint64_t)series->seen_ms);
    buf_add_text(&row, identity->bytes);
    int code = row.failed ? ERR_MEMORY : store_raw_put(tick_stage(tick), STORE_SPACE_SERIES, text_make(identity->key, identity->key_len), buf_text(&row));
    buf_fini(&row);
    return code;
}

static int head_get(struct store_view *view, struct arena *arena, uint64_t *count, uint64_t *next)
{
    struct text row;
    int code = store_raw_get(view, STORE_SPACE_SERIES, TEXT("h"), arena, &row);
    *count = 0;
    *next = 1;
    if (code)
        return code == ERR_NOT_FOUND ? 0 : code;
    struct cursor c = cursor_of(row);
    *count = cursor_be64(&c);
    *next = cursor_be64(&c);
    return c.failed ? ERR_CORRUPT : 0;
}

static int head_put(struct tick *tick, uint64_t count, uint64_t next)
{
    struct buf row;
    buf_init(&row, 16);
    buf_add_be64(&row, count);
    buf_add_be64(&row, next);
    int code = row.failed ? ERR_MEMORY : store_raw_put(tick_stage(tick), STORE_SPACE_SERIES, TEXT("h"), buf_text(&row));
    buf_fini(&row);
    return code;
}

/* ---- finding and making ---- */

int watch_series_find(struct store_view *view, struct arena *arena, const struct watch_name *name, struct watch_series *series)
{
    struct identity identity;
    int code = identity_make(arena, name, &identity);
    if (!code)
        code = row_get(view, arena, &identity, series);
    return code == ERR_EXISTS || code == ERR_INVALID ? ERR_NOT_FOUND : code;
}

static void refuse(struct watch_cache *cache, struct text space, int64_t now_ms)
{
    counter_add(COUNTER_watch_series_refused, 1);
    if (watch_cache_may_tell(cache, now_ms))
        log_warn("watch", "there are %llu series of metrics, as many as there may be (metrics.seriesMax): a new one in namespace %.*s is refused",
            (unsigned long long)watch_cache_series_max(cache), TEXT_FMT(space));
}

static int make(struct tick *tick, struct arena *arena, const struct watch_name *name, const struct identity *identity, struct watch_series *series, struct err *err)
{
    struct watch_cache *cache = watch_house_of(tick)->cache;
    uint64_t count, next;
    int code = watch_name_check(name, err);
    if (!code)
        code = head_get(tick_view(tick), arena, &count, &next);
    if (code)
        return code;
    if (count >= watch_cache_series_max(cache)) {
        refuse(cache, name->space, tick_now_ms(tick));
        return err_set(err, ERR_FULL, "there are %llu metrics, as many as there may be", (unsigned long long)count);
    }
    *series = (struct watch_series){.id = next, .made_ms = tick_now_ms(tick), .seen_ms = tick_now_ms(tick)};
    counter_add(COUNTER_watch_series_made, 1);
    code = head_put(tick, count + 1, next + 1);
    return code ? code : row_put(tick, identity, series);
}

static int touch_row(struct tick *tick, struct arena *arena, const struct watch_name *name, struct watch_series *series, bool *made, struct err *err)
{
    struct watch_cache *cache = watch_house_of(tick)->cache;
    struct identity identity;
    int code = identity_make(arena, name, &identity);
    if (!code)
        code = row_get(tick_view(tick), arena, &identity, series);
    *made = code == ERR_NOT_FOUND;
    if (!code && series->seen_ms > tick_now_ms(tick) - WATCH_SEEN_MS) {
        watch_cache_series_note(cache, tick, name, series);
        return 0;
    }
    if (code && !*made)
        return code;
    watch_cache_series_wrote(cache, tick);
    if (*made)
        return make(tick, arena, name, &identity, series, err);
    series->seen_ms = tick_now_ms(tick);
    return row_put(tick, &identity, series);
}

int watch_series_touch(struct tick *tick, struct arena *arena, const struct watch_name *name, uint64_t *id, bool *made, struct err *err)
{
    struct watch_series series = {0};
    bool is_new = false;
    int code = 0;
    if (!watch_cache_series_find(watch_house_of(tick)->cache, name, tick_now_ms(tick), &series.id))
        code = touch_row(tick, arena, name, &series, &is_new, err);
    *id = code ? 0 : series.id;
    if (made)
        *made = is_new;
    return code == ERR_EXISTS || (code == ERR_INVALID && err && !err->text[0]) ? err_set(err, ERR_INVALID, "this set of dimensions cannot be kept") : code;
}

int watch_series_forget(struct tick *tick, struct arena *arena, struct text key, uint64_t *left)
{
    uint64_t count, next;
    int code = head_get(tick_view(tick), arena, &count, &next);
    watch_cache_series_forget(watch_house_of(tick)->cache);
    *left = count ? count - 1 : 0;
    if (!code)
        code = store_raw_delete(tick_stage(tick), STORE_SPACE_SERIES, key);
    return code ? code : head_put(tick, *left, next);
}

/* ---- walking ---- */

#define WALK_ENDS 0x5eed

struct walking {
    const struct watch_walk *walk;
    struct text prefix;
    struct arena *arena;
    struct arena_mark mark;
    int answer;
};

static int on_row(void *context, struct text key, struct text row)
{
    struct walking *walking = context;
    const struct watch_walk *walk = walking->walk;
    struct watch_series series;
    int code = 0;
    if (!text_starts(key, walking->prefix))
        return WALK_ENDS;
    if (!text_equal(key, walk->after)) {
        code = row_parse(walking->arena, row, &series);
        if (!code && (!walk->name.len || text_equal(series.name.name, walk->name)))
            code = walk->visit(walk->context, key, &series);
    }
    arena_rewind(walking->arena, walking->mark);
    return code;
}

int watch_series_walk(struct store_view *view, const struct watch_walk *walk)
{
    char prefix[WATCH_SERIES_KEY_MAX];
    struct buf bytes = {.data = prefix, .cap = sizeof(prefix), .limit = sizeof(prefix)};
    struct arena arena;
    if (walk->space.len > WATCH_NAMESPACE_MAX || walk->name.len > WATCH_NAME_MAX)
        return 0;
    buf_add_char(&bytes, 'n');
    if (walk->space.len) {
        buf_add_text(&bytes, walk->space);
        buf_add_char(&bytes, 0);
        if (walk->name.len) {
            buf_add_text(&bytes, walk->name);
            buf_add_char(&bytes, 0);
        }
    }
    arena_init(&arena, 4096, WALK_ARENA);
    struct walking walking = {.walk = walk, .prefix = buf_text(&bytes), .arena = &arena, .mark = arena_mark(&arena)};
    struct text from = text_compare(walk->after, walking.prefix) > 0 ? walk->after : walking.prefix;
    int code = store_raw_scan(view, STORE_SPACE_SERIES, from, &arena, on_row, &walking);
    arena_fini(&arena);
    return code == WALK_ENDS ? 0 : code;
}
