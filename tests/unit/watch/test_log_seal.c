/*
 * Many calls in one tick, against a model: puts into one group and into two, with and without making what they are put into, deletions of groups and streams between them, calls that
 * are undone after all, settings, cold caches, packing and restarts. Whatever happens in whatever order, what can be read is what the kept calls have put into what is still there, each event once, in its
 * place. LG-2.
 */
#include "tick/fixture.h"

#include "base/clock.h"
#include "store/key.h"
#include "watch/log_inside.h"
#include "watch/metric.h"
#include "watch/seal.h"

#define T0 INT64_C(1800000000000)
#define GROUPS 2
#define STREAMS 3
#define OPS_MAX 6
#define PUT_MAX 12
#define CALLS_MAX 40
#define EVENTS_MAX 60000

static uint64_t seed;

static uint64_t any(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (seed >> 20) % below;
}

static const struct text groups[GROUPS] = {{"/weir/a/one", 11}, {"/weir/a/two", 11}};
static const struct text streams[STREAMS] = {{"x", 1}, {"y", 1}, {"z", 1}};

/* ---- the model ---- */

enum what { PUT, PUT_MAKING, DELETE_GROUP, DELETE_STREAM, MAKE_GROUP, RETAIN };
struct op {
    enum what what;
    int group, stream;
    bool also; /* into the other group, too */
    uint32_t first, count, events; /* of the put; the number of its first event */
    int code;                      /* what it answered in the last run */
};
struct script {
    struct test_call call;
    struct op op[OPS_MAX];
    int ops;
    bool undone;
    uint64_t sequence;
    uint32_t number;
};
struct known {
    struct watch_log_place place;
    int stream;
    bool there[GROUPS], seen[GROUPS];
};
static struct known known[EVENTS_MAX];
static uint32_t known_count;
static bool group_there[GROUPS], stream_there[GROUPS][STREAMS];

static void forget(int group, int stream)
{
    for (uint32_t i = 0; i < known_count; i++)
        if (stream < 0 || known[i].stream == stream)
            known[i].there[group] = false;
    for (int s = 0; s < STREAMS; s++)
        if (stream < 0 || s == stream)
            stream_there[group][s] = false;
    if (stream < 0)
        group_there[group] = false;
}

static bool is_there(int group, int stream)
{
    return group_there[group] && stream_there[group][stream];
}

static int expected(const struct op *op)
{
    switch (op->what) {
    case PUT:
        return is_there(op->group, op->stream) && (!op->also || is_there(!op->group, op->stream)) ? 0 : ERR_NOT_FOUND;
    case PUT_MAKING:
        return 0;
    case DELETE_STREAM:
        return is_there(op->group, op->stream) ? 0 : ERR_NOT_FOUND;
    case DELETE_GROUP:
    case RETAIN:
        return group_there[op->group] ? 0 : ERR_NOT_FOUND;
    case MAKE_GROUP:
        return group_there[op->group] ? ERR_EXISTS : 0;
    }
    return 0;
}

static void apply(const struct script *script, const struct op *op)
{
    if (op->code)
        return;
    if (op->what == DELETE_GROUP)
        forget(op->group, -1);
    if (op->what == DELETE_STREAM)
        forget(op->group, op->stream);
    if (op->what == MAKE_GROUP)
        group_there[op->group] = true;
    if (op->what != PUT && op->what != PUT_MAKING)
        return;
    for (int g = 0; g < GROUPS; g++) {
        if (g != op->group && !op->also)
            continue;
        group_there[g] = stream_there[g][op->stream] = true;
        for (uint32_t i = 0; i < op->events; i++) {
            struct known *mine = &known[op->first + i];
            mine->place = (struct watch_log_place){T0 - (int64_t)(op->first + i) % 777, script->sequence, script->number, op->count + i};
            mine->stream = op->stream;
            mine->there[g] = true;
        }
    }
}

/* ---- the calls ---- */

static int put(struct tick *tick, struct test_call *call, const struct op *op)
{
    struct watch_log_event event[PUT_MAX];
    for (uint32_t i = 0; i < op->events; i++)
        event[i] = (struct watch_log_event){.place.time_ms = T0 - (int64_t)(op->first + i) % 777, .message = arena_format(call->call.arena, "%u %0*d", op->first + i, (int)((op->first + i) % 90 + 1), 7)};
    struct watch_log_put ask = {.group = groups[op->group], .stream = streams[op->stream], .event = event, .count = op->events, .first_index = op->count,
        .flags = op->what == PUT_MAKING ? WATCH_LOG_CREATE : 0, .also = op->also ? groups[!op->group] : TEXT_NONE};
    return watch_log_put(tick, call->call.arena, &ask);
}

static int perform_op(struct tick *tick, struct test_call *call, const struct op *op)
{
    struct watch_log_group group;
    struct watch_log_stream stream;
    struct arena *arena = call->call.arena;
    if (op->what == PUT || op->what == PUT_MAKING)
        return put(tick, call, op);
    if (op->what == MAKE_GROUP) {
        group = (struct watch_log_group){.name = groups[op->group]};
        return watch_log_group_create(tick, arena, &group);
    }
    int code = watch_log_group_get(tick_view(tick), arena, groups[op->group], &group);
    if (!code && op->what == DELETE_STREAM)
        code = watch_log_stream_get(tick_view(tick), arena, &group, streams[op->stream], &stream);
    if (code)
        return code;
    group.retention_days = 30;
    return op->what == DELETE_STREAM  ? watch_log_stream_delete(tick, arena, &group, &stream)
           : op->what == DELETE_GROUP ? watch_log_group_delete(tick, arena, &group)
                                      : watch_log_group_put(tick, &group);
}

static int body(struct tick *tick, struct test_call *call)
{
    struct script *script = (struct script *)call;
    script->sequence = tick_sequence(tick);
    script->number = tick_call_number(tick);
    for (int i = 0; i < script->ops; i++) {
        script->op[i].code = perform_op(tick, call, &script->op[i]);
        if (script->op[i].code == ERR_COLD)
            return ERR_COLD;
    }
    return script->undone ? ERR_CONDITION : 0;
}

static void script_make(struct script *script, struct fixture *f, struct tick_lane *lane)
{
    call_init(&script->call, f, 1, NULL, 0);
    script->call.effects = 0;
    script->call.body = body;
    script->call.call.lane = lane;
    script->undone = any(5) == 0;
    script->ops = 1 + (int)any(any(3) ? 2 : OPS_MAX);
    uint32_t indexes = 3;
    for (int i = 0; i < script->ops; i++) {
        uint64_t dice = any(60);
        struct op *op = &script->op[i];
        *op = (struct op){.what = dice < 38 ? PUT_MAKING : dice < 52 ? PUT : (enum what)(DELETE_GROUP + dice % 4), .group = (int)any(GROUPS), .stream = (int)any(STREAMS)};
        if (op->what > PUT_MAKING)
            continue;
        op->also = any(3) == 0;
        op->first = known_count;
        op->count = indexes;
        op->events = 1 + (uint32_t)any(any(4) ? 2 : PUT_MAX);
        indexes += op->events;
        assert_true(known_count + op->events < EVENTS_MAX);
        for (uint32_t k = 0; k < op->events; k++)
            known[known_count++] = (struct known){0}; /* until it is kept */
    }
}

/* Many calls at once, so that they share ticks; their order is that of their lane. */
static void round_of_calls(struct fixture *f)
{
    static struct script script[CALLS_MAX];
    struct tick_lane lane = {0};
    int count = 1 + (int)any(CALLS_MAX);
    disk_hold(&f->disk, any(3) == 0); /* one tick in flight, all that follows in the next */
    for (int i = 0; i < count; i++) {
        script_make(&script[i], f, &lane);
        submit(f, &script[i].call);
        if (!any(6))
            kick(f);
    }
    kick(f);
    disk_hold(&f->disk, false);
    until(f, script[count - 1].call.done);
    for (int i = 0; i < count; i++) {
        bool there[GROUPS], streams_there[GROUPS][STREAMS];
        static struct known before[EVENTS_MAX];
        memcpy(there, group_there, sizeof(there));
        memcpy(streams_there, stream_there, sizeof(streams_there));
        if (script[i].undone)
            memcpy(before, known, known_count * sizeof(known[0]));
        assert_int_equal(script[i].call.call.code, script[i].undone ? ERR_CONDITION : 0);
        for (int k = 0; k < script[i].ops; k++) {
            if (script[i].op[k].code != expected(&script[i].op[k]))
                fail_msg("op %d of kind %d answered %d, not %d", k, script[i].op[k].what, script[i].op[k].code, expected(&script[i].op[k]));
            apply(&script[i], &script[i].op[k]);
        }
        if (script[i].undone) {
            memcpy(group_there, there, sizeof(there));
            memcpy(stream_there, streams_there, sizeof(streams_there));
            memcpy(known, before, known_count * sizeof(known[0]));
        }
        call_fini(&script[i].call);
    }
}

/* ---- what can be read ---- */

static int on_event(void *context, const struct watch_log_event *event)
{
    int group = *(int *)context;
    uint32_t number = (uint32_t)strtoul(event->message.data, NULL, 10);
    assert_true(number < known_count);
    struct known *mine = &known[number];
    if (!mine->there[group] || mine->seen[group] || !text_equal(event->stream, streams[mine->stream]) || watch_log_place_compare(&mine->place, &event->place))
        fail_msg("event %u: there %d seen %d in group %d, stream %.*s", number, mine->there[group], mine->seen[group], group, TEXT_FMT(event->stream));
    mine->seen[group] = true;
    return 0;
}

static void check(struct fixture *f)
{
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    for (uint32_t i = 0; i < known_count; i++)
        memset(known[i].seen, 0, sizeof(known[i].seen));
    for (int g = 0; g < GROUPS; g++) {
        struct watch_log_group group;
        struct store_view view = {.store = f->store, .snapshot = store_snapshot_acquire(f->store, STORE_READERS_MAX - 1), .now_s = clock_wall_ms() / 1000};
        int code = watch_log_group_get(&view, &arena, groups[g], &group);
        assert_int_equal(code, group_there[g] ? 0 : ERR_NOT_FOUND);
        if (!code) {
            group.retention_days = 0;
            struct watch_log_scan scan = {.group = &group, .to_ms = INT64_MAX, .now_ms = clock_wall_ms(), .order = WATCH_LOG_ANY, .visit = on_event, .context = &g};
            assert_int_equal(watch_log_scan(&view, &scan), 0);
        }
        store_snapshot_release(f->store, STORE_READERS_MAX - 1);
    }
    for (uint32_t i = 0; i < known_count; i++)
        for (int g = 0; g < GROUPS; g++)
            if (known[i].there[g] && !known[i].seen[g])
                fail_msg("event %u of %u in %d/%d is missing", i, known_count, g, known[i].stream);
    arena_fini(&arena);
}

static int on_deferred(void *context, struct tick *tick, struct tick_call *call, struct text name, struct text payload)
{
    (void)context;
    (void)call;
    return text_is(name, WATCH_SWEEP) ? watch_sweep(tick, call->arena, payload) : watch_log_deferred(tick, name, payload);
}

static struct fixture *open_logs(size_t cache_bytes)
{
    struct fixture *f = fixture_new();
    clock_freeze(T0);
    f->cache_bytes = cache_bytes;
    f->config.on_deferred = on_deferred;
    assert_int_equal(watch_house_create((struct watch_house **)&f->extra, 0), 0);
    watch_house_hooks(f->extra, &f->config);
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    return f;
}

static void close_logs(struct fixture *f)
{
    struct watch_house *house = f->extra;
    fixture_close(f);
    watch_house_destroy(house);
}

static void restart(struct fixture *f)
{
    struct watch_house *house = f->extra;
    fixture_stop(f);
    watch_house_destroy(house);
    assert_int_equal(watch_house_create((struct watch_house **)&f->extra, 0), 0);
    watch_house_hooks(f->extra, &f->config);
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
}

static void model_run(size_t cache_bytes, uint64_t from, int rounds)
{
    struct fixture *f = open_logs(cache_bytes);
    seed = from;
    known_count = 0;
    memset(group_there, 0, sizeof(group_there));
    memset(stream_there, 0, sizeof(stream_there));
    for (int i = 0; i < rounds; i++) {
        round_of_calls(f);
        if (!any(4))
            check(f);
        if (!any(12)) {
            clock_freeze(clock_wall_ms() + 6 * MINUTE_MS); /* packing */
            tick_wake(f->tick);
        }
        if (!any(25))
            restart(f);
    }
    check(f);
    close_logs(f);
}

static void test_model(void **state)
{
    (void)state;
    model_run(0, 11, 120);
}

static void test_model_cold(void **state)
{
    (void)state;
    model_run(4096, 12, 120);
}

/* ---- a full disk at the seal ---- */

static struct op line_op;

static int body_line(struct tick *tick, struct test_call *call)
{
    return put(tick, call, &line_op);
}

static int line(struct fixture *f)
{
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    call.effects = 0;
    call.body = body_line;
    int code = perform(f, &call);
    call_fini(&call);
    return code;
}

static size_t rows_of(struct fixture *f, char kind);

/* The journal takes nothing: the line's call is refused, nothing of it is remembered, and the next one is written as if it had never been. */
static void test_full(void **state)
{
    struct fixture *f = open_logs(0);
    (void)state;
    line_op = (struct op){.what = PUT_MAKING, .events = 1, .first = 1};
    assert_int_equal(line(f), 0);
    size_t rows = rows_of(f, 't');
    atomic_store(&f->disk.full, true);
    until(f, (clock_freeze(clock_wall_ms() + 100), tick_writable(f->tick) == ERR_DISK_FULL));
    for (int i = 0; i < 5; i++)
        assert_int_equal(line(f), ERR_DISK_FULL);
    assert_int_equal(rows_of(f, 't'), rows);
    atomic_store(&f->disk.full, false);
    until(f, (clock_freeze(clock_wall_ms() + 100), tick_writable(f->tick) == 0));
    assert_int_equal(line(f), 0);
    assert_int_equal(rows_of(f, 't'), rows + 1);
    close_logs(f);
}

/* ---- one row for a tick ---- */

static int count_row(void *context, struct text key, struct text value)
{
    (void)value;
    size_t *count = context;
    count[(unsigned char)key.data[0]]++;
    return 0;
}

static size_t rows_of(struct fixture *f, char kind)
{
    size_t count[256] = {0};
    struct arena arena;
    struct store_view view = {.store = f->store, .snapshot = store_snapshot_acquire(f->store, STORE_READERS_MAX - 1), .now_s = clock_wall_ms() / 1000};
    arena_init(&arena, 4096, 256 << 20);
    assert_int_equal(store_raw_scan(&view, STORE_SPACE_LOG_CHUNKS, TEXT(""), &arena, count_row, count), 0);
    store_snapshot_release(f->store, STORE_READERS_MAX - 1);
    arena_fini(&arena);
    return count[(unsigned char)kind];
}

static void test_one_row(void **state)
{
    struct fixture *f = open_logs(0);
    static struct test_call call[200];
    (void)state;
    line_op = (struct op){.what = PUT_MAKING, .events = 1, .first = 1};
    disk_hold(&f->disk, true);
    for (int i = 0; i < 200; i++) {
        call_init(&call[i], f, i, NULL, 0);
        call[i].effects = 0;
        call[i].body = body_line;
        submit(f, &call[i]);
        kick(f);
        if (!i)
            until(f, atomic_load(&f->disk.waiting) > 0);
    }
    usleep(20000); /* not needed: the rest is in the rings, and is one tick or a few */
    disk_hold(&f->disk, false);
    until(f, call[199].done);
    assert_true(rows_of(f, 't') <= 20); /* far from one for each call */
    for (int i = 0; i < 200; i++)
        call_fini(&call[i]);
    close_logs(f);
}

/* ---- chunks at once ---- */

#define MANY 400 /* events of some hundred bytes: more than a tick's worth of tail */

static int64_t many_span;

static int body_many(struct tick *tick, struct test_call *call)
{
    struct watch_log_event event[MANY];
    for (uint32_t i = 0; i < MANY; i++)
        event[i] = (struct watch_log_event){.place.time_ms = T0 - many_span * i / MANY, .message = arena_format(call->call.arena, "%u {\"level\":\"INFO\",\"message\":\"Performance logged\",\"n\":%u}", i, i * 7919)};
    struct watch_log_put ask = {.group = groups[0], .also = groups[1], .stream = streams[0], .event = event, .count = MANY, .first_index = 5, .flags = WATCH_LOG_CREATE};
    return watch_log_put(tick, call->call.arena, &ask);
}

static void many(struct fixture *f)
{
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    call.effects = 0;
    call.body = body_many;
    assert_int_equal(perform(f, &call), 0);
    call_fini(&call);
}

struct found {
    size_t count;
    struct watch_log_place last;
};

static int on_found(void *context, const struct watch_log_event *event)
{
    struct found *found = context;
    assert_true(!found->count || watch_log_place_compare(&found->last, &event->place) < 0);
    assert_true(text_find(event->message, 'P', 0) > 0 && text_equal(event->stream, streams[0]));
    found->last = event->place;
    found->count++;
    return 0;
}

/* How many events a group has, in their order; and what its chunks take. */
static size_t found_in(struct fixture *f, int group, int64_t *stored)
{
    struct arena arena;
    struct watch_log_group row;
    struct found found = {0};
    struct store_view view = {.store = f->store, .snapshot = store_snapshot_acquire(f->store, STORE_READERS_MAX - 1), .now_s = clock_wall_ms() / 1000};
    arena_init(&arena, 4096, 1 << 20);
    *stored = 0;
    if (!watch_log_group_get(&view, &arena, groups[group], &row)) {
        struct watch_log_scan scan = {.group = &row, .to_ms = INT64_MAX, .now_ms = clock_wall_ms(), .order = WATCH_LOG_FORWARD, .events_max = EVENTS_MAX, .bytes_max = 64 << 20,
            .visit = on_found, .context = &found};
        assert_int_equal(watch_log_scan(&view, &scan), 0);
        assert_int_equal(watch_log_group_bytes(&view, &arena, &row, stored), 0);
    }
    store_snapshot_release(f->store, STORE_READERS_MAX - 1);
    arena_fini(&arena);
    return found.count;
}

/* What one tick brings in some size is a chunk of each group at once; what lies far apart waits to be sorted with others. */
static void test_chunks(void **state)
{
    struct fixture *f = open_logs(0);
    int64_t stored[2];
    (void)state;
    many_span = 1000;
    many(f);
    assert_int_equal(rows_of(f, 't'), 0);
    assert_int_equal(rows_of(f, 'c'), 2);
    assert_int_equal(rows_of(f, 'x'), 2);
    for (int g = 0; g < 2; g++)
        assert_int_equal(found_in(f, g, &stored[g]), MANY);
    assert_true(stored[0] > 0 && stored[0] == stored[1] && stored[0] < MANY * 30);
    many_span = 2 * HOUR_MS;
    many(f);
    assert_int_equal(rows_of(f, 't'), 2);
    restart(f);
    for (int g = 0; g < 2; g++)
        assert_int_equal(found_in(f, g, &stored[g]), 2 * MANY);
    clock_freeze(clock_wall_ms() + 6 * MINUTE_MS); /* packing */
    tick_wake(f->tick);
    until(f, rows_of(f, 't') == 0);
    many_span = 1000;
    many(f); /* behind what was packed: no chunk writes over another one */
    for (int g = 0; g < 2; g++)
        assert_int_equal(found_in(f, g, &stored[g]), 3 * MANY);
    close_logs(f);
}

/* ---- a folder of an earlier version ---- */

static int body_older(struct tick *tick, struct test_call *call)
{
    struct watch_log_group group;
    struct watch_log_stream stream;
    struct arena *arena = call->call.arena;
    char key[64];
    struct text row;
    int code = watch_log_group_get(tick_view(tick), arena, groups[0], &group);
    if (!code)
        code = watch_log_stream_get(tick_view(tick), arena, &group, streams[0], &stream);
    if (code)
        return code;
    struct log_key begin;
    log_key_begin(&begin, 's', group.id);
    memcpy(key, begin.bytes, begin.len);
    key[begin.len] = streams[0].data[0];
    struct text name = text_make(key, begin.len + 1);
    code = store_raw_get(tick_view(tick), STORE_SPACE_LOGS, name, arena, &row);
    return code ? code : store_raw_put(tick_stage(tick), STORE_SPACE_LOGS, name, text_make(row.data, row.len - 1)); /* without where its tails begin */
}

static void test_older(void **state)
{
    struct fixture *f = open_logs(0);
    struct test_call call;
    int64_t stored;
    (void)state;
    many_span = 2 * HOUR_MS;
    many(f);
    call_init(&call, f, 1, NULL, 0);
    call.effects = 0;
    call.body = body_older;
    assert_int_equal(perform(f, &call), 0);
    call_fini(&call);
    restart(f);
    many(f);
    assert_int_equal(found_in(f, 0, &stored), 2 * MANY);
    clock_freeze(clock_wall_ms() + 6 * MINUTE_MS);
    tick_wake(f->tick);
    until(f, rows_of(f, 't') == 0);
    many(f);
    assert_int_equal(found_in(f, 0, &stored), 3 * MANY);
    clock_freeze(clock_wall_ms() + 6 * MINUTE_MS); /* the second packing begins where the first one ended */
    tick_wake(f->tick);
    until(f, rows_of(f, 't') == 0);
    assert_int_equal(found_in(f, 0, &stored), 3 * MANY);
    close_logs(f);
}

/* ---- metric filters ---- */

static int64_t filter_value;

static int body_filter(struct tick *tick, struct test_call *call)
{
    struct watch_log_group group;
    struct arena *arena = call->call.arena;
    int code = watch_log_group_get(tick_view(tick), arena, groups[0], &group);
    if (code == ERR_NOT_FOUND) {
        group = (struct watch_log_group){.name = groups[0]};
        code = watch_log_group_create(tick, arena, &group);
    }
    struct text value = arena_format(arena, "{\"filterPattern\":\"\",\"metricTransformations\":[{\"metricNamespace\":\"N\",\"metricName\":\"lines\",\"metricValue\":\"%d\"}]}", (int)filter_value);
    if (!code && filter_value)
        code = watch_log_filter_put(tick, arena, &group, TEXT("f"), value);
    else if (!code)
        code = watch_log_filter_delete(tick, arena, &group, TEXT("f"));
    return code ? code : call->answer;
}

static void set_filter(struct fixture *f, int64_t value, int answer)
{
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    call.effects = 0;
    call.body = body_filter;
    call.answer = answer;
    filter_value = value;
    assert_int_equal(perform(f, &call), answer);
    call_fini(&call);
}

static int add_sum(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    (void)start_s;
    (void)unit;
    *(double *)context += summary->sum;
    return 0;
}

static double sum_of(struct fixture *f)
{
    struct arena arena;
    double sum = 0;
    struct store_view view = {.store = f->store, .snapshot = store_snapshot_acquire(f->store, STORE_READERS_MAX - 1), .now_s = clock_wall_ms() / 1000};
    arena_init(&arena, 4096, 1 << 20);
    struct watch_query query = {.name = {.space = TEXT("N"), .name = TEXT("lines")}, .start_s = T0 / 1000 - 3600, .end_s = T0 / 1000 + 3600, .period_s = 60, .unit = -1,
        .now_ms = clock_wall_ms()};
    assert_int_equal(watch_metric_read(&view, &arena, &query, add_sum, &sum), 0);
    store_snapshot_release(f->store, STORE_READERS_MAX - 1);
    arena_fini(&arena);
    return sum;
}

/* What is compiled of a filter is that of the last change that was kept. */
static void test_filters(void **state)
{
    struct fixture *f = open_logs(0);
    (void)state;
    line_op = (struct op){.what = PUT_MAKING, .events = 2, .first = 1};
    set_filter(f, 1, 0);
    assert_int_equal(line(f), 0);
    assert_int_equal(line(f), 0);
    assert_true(sum_of(f) == 4);
    set_filter(f, 100, ERR_CONDITION); /* undone */
    assert_int_equal(line(f), 0);
    assert_true(sum_of(f) == 6);
    set_filter(f, 10, 0);
    assert_int_equal(line(f), 0);
    assert_true(sum_of(f) == 26);
    restart(f);
    assert_int_equal(line(f), 0);
    assert_true(sum_of(f) == 46);
    set_filter(f, 0, 0);
    assert_int_equal(line(f), 0);
    assert_true(sum_of(f) == 46);
    close_logs(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model), cmocka_unit_test(test_model_cold), cmocka_unit_test(test_full), cmocka_unit_test(test_one_row), cmocka_unit_test(test_chunks), cmocka_unit_test(test_older),
        cmocka_unit_test(test_filters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
