/*
 * The roll-up: data that has become too old for its level is moved into the next one, a slice at a time, by a deferred call that asks for its successor. So it survives a
 * crash and needs no thread. A round goes through all series and rests; its clock stands at the round's start.
 *
 * Only what became too old since the last round's start is looked at: a data point that comes late is put into the level of its age at once, so nothing can be left behind
 * the last round's horizon. A series of which nothing can be left is forgotten; when none is left, the sweep ends, and the next first series begins it anew.
 *
 *   payload   version (1), start of the last round (be64 ms, 0: none), start of this one (be64 ms, 0: it begins), level (1), from (be64 s), the series' place
 */
#include "watch/cache.h"
#include "watch/seal.h"

#include "base/clock.h"
#include "base/counter.h"
#include "store/key.h"

enum { VERSION = 1 };
#define SLICE_ROWS 256
#define SLICE_BYTES ((size_t)1 << 20)
#define SLICE_SERIES 64
#define SCAN_ARENA (4u << 20)
#define SLACK_S 600           /* a round looks so far behind the last one's horizon, for clocks that were set back */
#define ATTEMPTS UINT32_MAX   /* a full disk puts it off, nothing ends it */
#define RETRY_MS INT64_C(60000)
#define STOP 1

struct sweep {
    struct tick *tick;
    struct arena *arena;
    int64_t last_ms, round_ms;
    unsigned level;      /* of the series at hand: levels below are done */
    int64_t from_s;      /* in that level */
    struct text series;  /* place of the series at hand; empty: the first */
    bool inside;         /* the series at hand is not finished, else it is done with */
    size_t rows, bytes, walked;
    uint64_t left;       /* series, when one was forgotten */
    bool empty;          /* none is left */
};

/* ---- its place ---- */

static int ask_again(const struct sweep *sweep, int64_t delay_ms)
{
    struct buf payload;
    buf_init(&payload, 64 + WATCH_SERIES_KEY_MAX);
    buf_add_u8(&payload, VERSION);
    buf_add_be64(&payload, (uint64_t)sweep->last_ms);
    buf_add_be64(&payload, (uint64_t)sweep->round_ms);
    buf_add_u8(&payload, (uint8_t)(sweep->inside ? sweep->level : WATCH_LEVELS));
    buf_add_be64(&payload, (uint64_t)sweep->from_s);
    buf_add_text(&payload, sweep->series);
    int code = payload.failed ? ERR_MEMORY : tick_later(sweep->tick, delay_ms, TEXT(WATCH_SWEEP), buf_text(&payload), ATTEMPTS, RETRY_MS, NULL);
    buf_fini(&payload);
    return code;
}

static int payload_parse(struct text payload, struct sweep *sweep)
{
    struct cursor c = cursor_of(payload);
    uint8_t version = cursor_u8(&c);
    sweep->last_ms = (int64_t)cursor_be64(&c);
    sweep->round_ms = (int64_t)cursor_be64(&c);
    sweep->level = cursor_u8(&c);
    sweep->from_s = (int64_t)cursor_be64(&c);
    sweep->series = cursor_take(&c, cursor_left(&c));
    sweep->inside = sweep->level < WATCH_LEVELS;
    return c.failed || version != VERSION ? ERR_CORRUPT : 0;
}

int watch_sweep_begin(struct tick *tick)
{
    struct arena *arena = NULL;
    struct text row;
    struct arena own;
    arena_init(&own, 256, 4096);
    arena = &own;
    int code = store_raw_get(tick_view(tick), STORE_SPACE_SERIES, TEXT("h"), arena, &row);
    struct cursor c = cursor_of(code ? TEXT_NONE : row);
    if (!code && cursor_be64(&c) == 1) { /* the first one there is */
        struct sweep sweep = {.tick = tick};
        code = ask_again(&sweep, WATCH_SWEEP_EVERY_MS);
    }
    arena_fini(&own);
    return code;
}

/* ---- rows that are due ---- */

struct due_row {
    struct watch_row_key key;
    unsigned level; /* where it goes */
    struct text bytes;
};
struct due {
    uint64_t series;
    int64_t to_s, now_s;
    unsigned level;
    struct due_row row[SLICE_ROWS];
    size_t count, bytes;
};

static int on_row(void *context, struct text name, struct text bytes)
{
    struct due *due = context;
    struct watch_row_key key;
    int code = watch_row_key_parse(name, &key);
    if (code || key.series != due->series || key.start_s >= due->to_s)
        return code ? code : STOP;
    unsigned level = watch_level_now(key.start_s, key.level, due->now_s);
    if (key.level != due->level || level == key.level)
        return 0;
    if (due->count == SLICE_ROWS || due->bytes >= SLICE_BYTES)
        return STOP;
    due->row[due->count++] = (struct due_row){key, level, bytes};
    due->bytes += bytes.len;
    return 0;
}

/* In one call: the coarser row has it, the finer one is gone. */
static int move_row(struct sweep *sweep, const struct due_row *row)
{
    char place[WATCH_ROW_KEY];
    struct arena_mark mark = arena_mark(sweep->arena);
    struct watch_summary summary;
    int code = 0;
    if (row->level < WATCH_LEVELS) {
        struct watch_row_key to = row->key;
        to.level = row->level;
        to.start_s -= to.start_s % WATCH_LEVEL_S[row->level];
        watch_summary_init(&summary, sweep->arena);
        code = watch_summary_decode(row->bytes, &summary);
        if (!code)
            code = watch_row_add(sweep->tick, sweep->arena, &to, &summary);
    }
    if (!code)
        code = store_raw_delete(tick_stage(sweep->tick), STORE_SPACE_METRICS, watch_row_key_format(place, &row->key));
    watch_cache_row_forget(watch_house_of(sweep->tick)->cache, &row->key);
    arena_rewind(sweep->arena, mark);
    counter_add(COUNTER_watch_rows_rolled, code ? 0 : 1);
    return code;
}

static int64_t window_start(const struct sweep *sweep, unsigned level)
{
    int64_t coarser = WATCH_LEVEL_S[level + 1 < WATCH_LEVELS ? level + 1 : level];
    int64_t from = sweep->last_ms && level + 1 < WATCH_LEVELS ? sweep->last_ms / SECOND_MS - WATCH_KEPT_S[level] - coarser - SLACK_S : 0;
    return from > 0 ? from : 0;
}

/* One level of the series. `done`: nothing more of it is due. */
static int sweep_level(struct sweep *sweep, uint64_t series, bool *done)
{
    char place[WATCH_ROW_KEY];
    struct arena scan;
    struct arena_mark mark = arena_mark(sweep->arena);
    struct due *due = arena_alloc(sweep->arena, sizeof(*due));
    if (!due)
        return ERR_MEMORY;
    int64_t start = window_start(sweep, sweep->level), now_s = sweep->round_ms / SECOND_MS;
    struct watch_row_key from = {.series = series, .start_s = sweep->from_s > start ? sweep->from_s : start};
    due->series = series;
    due->now_s = now_s;
    due->to_s = now_s - WATCH_KEPT_S[sweep->level];
    due->level = sweep->level;
    due->count = due->bytes = 0;
    arena_init(&scan, 16 << 10, SCAN_ARENA);
    int code = store_raw_scan(tick_view(sweep->tick), STORE_SPACE_METRICS, watch_row_key_format(place, &from), &scan, on_row, due);
    code = code == STOP ? 0 : code;
    for (size_t i = 0; i < due->count && !code; i++)
        code = move_row(sweep, &due->row[i]);
    arena_fini(&scan);
    *done = due->count < SLICE_ROWS && due->bytes < SLICE_BYTES;
    sweep->rows += due->count;
    sweep->bytes += due->bytes;
    sweep->from_s = *done || !due->count ? 0 : due->row[due->count - 1].key.start_s;
    arena_rewind(sweep->arena, mark);
    return code;
}

/* ---- series ---- */

static bool is_sated(const struct sweep *sweep)
{
    return sweep->rows >= SLICE_ROWS || sweep->bytes >= SLICE_BYTES || sweep->walked >= SLICE_SERIES;
}

static int forget_if_over(struct sweep *sweep, struct text place, const struct watch_series *series)
{
    int64_t longest_ms = WATCH_KEPT_S[WATCH_LEVELS - 1] * SECOND_MS + WATCH_FUTURE_MS + DAY_MS;
    if (series->seen_ms + WATCH_SEEN_MS + longest_ms > sweep->round_ms)
        return 0;
    int code = watch_series_forget(sweep->tick, sweep->arena, place, &sweep->left);
    sweep->empty = !code && sweep->left == 0;
    return code;
}

struct found {
    struct sweep *sweep;
    struct text place;
    struct watch_series series; /* its numbers alone */
    bool is_there;
};

static int on_series(void *context, struct text key, const struct watch_series *series)
{
    struct found *found = context;
    found->place = arena_copy(found->sweep->arena, key);
    found->series = (struct watch_series){.id = series->id, .made_ms = series->made_ms, .seen_ms = series->seen_ms};
    found->is_there = true;
    return found->place.data ? STOP : ERR_MEMORY;
}

/* The series at hand, or the one behind it. */
static int next_series(struct sweep *sweep, struct found *found)
{
    *found = (struct found){.sweep = sweep};
    struct watch_walk walk = {.after = sweep->series, .visit = on_series, .context = found};
    if (sweep->inside && sweep->series.len) /* the one at hand again: a walk begins behind its place */
        walk.after = text_make(sweep->series.data, sweep->series.len - 1);
    int code = watch_series_walk(tick_view(sweep->tick), &walk);
    if (code < 0 || !found->is_there)
        return code < 0 ? code : 0;
    if (!sweep->inside || !text_equal(found->place, sweep->series)) {
        sweep->level = 0;
        sweep->from_s = 0;
    }
    sweep->series = found->place;
    sweep->inside = true;
    return 0;
}

/* Nothing of it can have become too old for the level since the last round: all of it was by then, or none of it is yet. */
static bool is_idle(const struct sweep *sweep, const struct watch_series *series)
{
    unsigned level = sweep->level;
    int64_t kept_ms = WATCH_KEPT_S[level] * SECOND_MS;
    int64_t newest_ms = series->seen_ms + WATCH_SEEN_MS + WATCH_FUTURE_MS + 2 * HOUR_MS, oldest_ms = series->made_ms - WATCH_PAST_MS - 2 * HOUR_MS;
    bool all_was = level + 1 < WATCH_LEVELS && sweep->last_ms && newest_ms + kept_ms + HOUR_MS < sweep->last_ms;
    return all_was || oldest_ms > sweep->round_ms - kept_ms;
}

static int sweep_series(struct sweep *sweep, const struct found *found)
{
    int code = 0;
    while (!code && sweep->level < WATCH_LEVELS) {
        bool done = true;
        if (!is_idle(sweep, &found->series))
            code = sweep_level(sweep, found->series.id, &done);
        if (code || !done)
            return code;
        sweep->level++;
    }
    sweep->inside = false;
    sweep->walked++;
    return code ? code : forget_if_over(sweep, found->place, &found->series);
}

static int end_round(struct sweep *sweep)
{
    struct sweep next = {.tick = sweep->tick, .last_ms = sweep->round_ms};
    return sweep->empty ? 0 : ask_again(&next, WATCH_SWEEP_EVERY_MS);
}

int watch_sweep(struct tick *tick, struct arena *arena, struct text payload)
{
    struct sweep sweep = {.tick = tick, .arena = arena};
    struct found found;
    int code = payload_parse(payload, &sweep);
    if (!sweep.round_ms)
        sweep.round_ms = tick_now_ms(tick);
    while (!code && !is_sated(&sweep)) {
        code = next_series(&sweep, &found);
        if (!code && !found.is_there)
            return end_round(&sweep);
        if (!code)
            code = sweep_series(&sweep, &found);
    }
    return code ? code : ask_again(&sweep, 0);
}
