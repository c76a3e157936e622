/*
 * Logs against a model: random puts, late and early, packed at random moments, read in pages of random sizes in both directions, over restarts; then what holds for packing, deletion
 * and retention. LG-2, LG-3.
 */
#include "tick/fixture.h"

#include "base/clock.h"
#include "base/hash.h"
#include "store/key.h"
#include "watch/log_inside.h"
#include "watch/seal.h"

#include <zlib.h>

#define T0 INT64_C(1800000000000)
#define GROUP TEXT("/aws/lambda/riddle-rush")
#define EVENTS_MAX 30000

struct known {
    struct watch_log_place place;
    int stream;
    uint32_t number; /* in the message */
    bool seen;
};
static struct {
    struct known event[EVENTS_MAX];
    size_t count, begun;
    uint64_t seed;
    bool undo;
    int64_t retention;
} model;

static uint64_t any(uint64_t below)
{
    model.seed = model.seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (model.seed >> 20) % below;
}

static int run(struct fixture *f, int (*body)(struct tick *, struct test_call *))
{
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    call.effects = 0;
    call.body = body;
    arena_fini(&call.arena);
    arena_init(&call.arena, 4096, 64 << 20);
    int code = perform(f, &call);
    call_fini(&call);
    return code;
}

static int on_deferred(void *context, struct tick *tick, struct tick_call *call, struct text name, struct text payload)
{
    (void)context;
    (void)call;
    assert_true(text_starts(name, TEXT(WATCH_LOG_DEFERRED)));
    return watch_log_deferred(tick, name, payload);
}

static struct fixture *open_logs(void)
{
    struct fixture *f = fixture_new();
    clock_freeze(T0);
    memset(&model, 0, sizeof(model));
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

static const char *stream_of(int stream)
{
    static const char *const name[] = {"a", "b/$latest [1]", "c"};
    return name[stream];
}

/* ---- putting ---- */

static struct text message_of(struct arena *arena, uint32_t number, size_t len)
{
    struct text text = arena_format(arena, "event %08u %*s", number, (int)len, "");
    char *bytes = (char *)(uintptr_t)text.data;
    for (size_t i = 15; i < text.len; i++)
        bytes[i] = (char)('a' + (number * 7 + i * i) % 26);
    return text;
}

static int body_put(struct tick *tick, struct test_call *call)
{
    int stream = (int)any(3);
    size_t count = 1 + any(any(10) ? 5 : 400), len = any(20) ? any(80) : any(3000);
    struct watch_log_event *event = arena_array(call->call.arena, count, sizeof(*event));
    uint64_t seed = model.seed;
    int64_t base = tick_now_ms(tick) - (int64_t)(any(4) ? any(2000) : any(3 * DAY_MS));
    model.begun = model.count;
    for (size_t i = 0; i < count; i++) {
        event[i] = (struct watch_log_event){.place.time_ms = base + (int64_t)any(3000), .message = message_of(call->call.arena, (uint32_t)(model.count + i), len)};
        assert_true(model.count + count < EVENTS_MAX);
        model.event[model.count + i] =
            (struct known){{event[i].place.time_ms, tick_sequence(tick), tick_call_number(tick), (uint32_t)i + 7}, stream, (uint32_t)(model.count + i), false};
    }
    struct watch_log_put put = {.group = GROUP, .stream = text_of(stream_of(stream)), .event = event, .count = count, .first_index = 7, .flags = WATCH_LOG_CREATE};
    int code = watch_log_put(tick, call->call.arena, &put);
    if (code == ERR_COLD)
        model.seed = seed;
    if (code)
        return code;
    model.begun = model.count + count;
    return model.undo ? ERR_CONDITION : 0;
}

static void put_some(struct fixture *f)
{
    model.undo = any(10) == 0;
    int code = run(f, body_put);
    assert_int_equal(code, model.undo ? ERR_CONDITION : 0);
    if (!model.undo)
        model.count = model.begun;
    clock_freeze(clock_wall_ms() + (int64_t)any(any(20) ? 50 : 400000));
    tick_wake(f->tick);
}

/* ---- reading ---- */

struct reading {
    struct arena arena;
    struct known *known[EVENTS_MAX];
    size_t wanted, got;
    bool backward, some;
    int stream;
};

static int by_place(const void *a, const void *b)
{
    return watch_log_place_compare(&(*(struct known *const *)a)->place, &(*(struct known *const *)b)->place);
}

static int check_event(void *context, const struct watch_log_event *event)
{
    struct reading *r = context;
    assert_true(r->got < r->wanted);
    const struct known *known = r->known[r->backward ? r->wanted - 1 - r->got : r->got];
    char text[32];
    snprintf(text, sizeof(text), "event %08u ", known->number);
    if (!text_starts(event->message, text_of(text)))
        fail_msg("%zu of %zu: %.*s is not %s", r->got, r->wanted, 20, event->message.data, text);
    assert_int_equal(watch_log_place_compare(&event->place, &known->place), 0);
    assert_true(text_is(event->stream, stream_of(known->stream)));
    r->got++;
    return 0;
}

static int mark_event(void *context, const struct watch_log_event *event)
{
    struct reading *r = context;
    unsigned number;
    char head[15] = {0};
    memcpy(head, event->message.data, 14);
    assert_int_equal(sscanf(head, "event %8u", &number), 1);
    assert_true(number < model.count && !model.event[number].seen);
    model.event[number].seen = true;
    r->got++;
    return 0;
}

static void view_begin(struct fixture *f, struct store_view *view)
{
    *view = (struct store_view){.store = f->store, .snapshot = store_snapshot_acquire(f->store, STORE_READERS_MAX - 1), .now_s = clock_wall_ms() / 1000};
}

/* Random range, streams and page sizes; a new view for each page, and puts, packings and undone calls between them must not show (they come later than the range). */
static void read_all(struct fixture *f, enum watch_log_order order)
{
    struct reading *r = calloc(1, sizeof(*r));
    struct store_view view;
    struct watch_log_group group;
    struct watch_log_stream stream;
    arena_init(&r->arena, 4096, 1 << 20);
    r->backward = order == WATCH_LOG_BACKWARD;
    r->some = any(2);
    r->stream = (int)any(3);
    view_begin(f, &view);
    assert_int_equal(watch_log_group_get(&view, &r->arena, GROUP, &group), 0);
    int code = watch_log_stream_get(&view, &r->arena, &group, text_of(stream_of(r->stream)), &stream);
    store_snapshot_release(f->store, STORE_READERS_MAX - 1);
    if (code)
        goto out;
    group.retention_days = 0;
    int64_t now = clock_wall_ms(), from = any(2) ? 0 : now - (int64_t)any(4 * DAY_MS), to = any(2) ? now + DAY_MS : from + (int64_t)any(DAY_MS);
    for (size_t i = 0; i < model.count; i++) {
        struct known *known = &model.event[i];
        known->seen = false;
        if (known->place.time_ms >= from && known->place.time_ms < to && (!r->some || known->stream == r->stream))
            r->known[r->wanted++] = known;
    }
    qsort(r->known, r->wanted, sizeof(r->known[0]), by_place);
    struct watch_log_scan scan = {.group = &group, .stream = &stream.id, .streams = 1, .some = r->some, .from_ms = from, .to_ms = to, .now_ms = now, .order = order,
        .events_max = order == WATCH_LOG_ANY ? 0 : 30 + any(any(2) ? 300 : 5000), .bytes_max = order == WATCH_LOG_ANY ? 0 : 5000 + any(1 << 20),
        .read_max = any(2) && order != WATCH_LOG_ANY ? 10000 + any(300000) : 0, .visit = order == WATCH_LOG_ANY ? mark_event : check_event, .context = r};
    do {
        view_begin(f, &view);
        assert_int_equal(watch_log_scan(&view, &scan), 0);
        store_snapshot_release(f->store, STORE_READERS_MAX - 1);
        scan.after = scan.next;
        scan.after_set = true;
    } while (!scan.at_end);
    if (r->got != r->wanted)
        fail_msg("order %d: %zu of %zu", order, r->got, r->wanted);
    for (size_t i = 0; i < r->wanted && order == WATCH_LOG_ANY; i++)
        assert_true(r->known[i]->seen);
out:
    arena_fini(&r->arena);
    free(r);
}

struct rows {
    size_t tails, chunks, group_index, stream_index, bytes;
};

static int count_row(void *context, struct text key, struct text value)
{
    struct rows *rows = context;
    rows->tails += key.data[0] == 't';
    rows->chunks += key.data[0] == 'c';
    rows->group_index += key.data[0] == 'x';
    rows->stream_index += key.data[0] == 'y';
    rows->bytes += key.data[0] == 'c' ? value.len : 0;
    return 0;
}

static struct rows count_rows(struct fixture *f)
{
    struct rows rows = {0};
    struct arena arena;
    struct store_view view;
    arena_init(&arena, 4096, 256 << 20);
    view_begin(f, &view);
    assert_int_equal(store_raw_scan(&view, STORE_SPACE_LOG_CHUNKS, TEXT(""), &arena, count_row, &rows), 0);
    store_snapshot_release(f->store, STORE_READERS_MAX - 1);
    arena_fini(&arena);
    assert_int_equal(rows.chunks, rows.group_index);
    assert_int_equal(rows.chunks, rows.stream_index);
    return rows;
}

static void advance(struct fixture *f, int64_t ms)
{
    clock_freeze(clock_wall_ms() + ms);
    tick_wake(f->tick);
}

/* Until nothing is due: a call that asks for its successor at once may find the tick under way, so one quiet look proves nothing. */
static void settle(struct fixture *f)
{
    for (int quiet = 0; quiet < 10; quiet++) {
        int64_t due = counter_read(COUNTER_tick_deferred_due);
        tick_wake(f->tick);
        value_of(f, "x");
        if (counter_read(COUNTER_tick_deferred_due) != due)
            quiet = 0;
    }
}

static void test_model(void **state)
{
    struct fixture *f = open_logs();
    (void)state;
    model.seed = 5;
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 60; i++)
            put_some(f);
        if (round % 3 == 1)
            fixture_restart(f);
        if (round % 4 == 3) {
            advance(f, 6 * MINUTE_MS);
            settle(f);
        }
        for (int i = 0; i < 4; i++) {
            read_all(f, WATCH_LOG_FORWARD);
            read_all(f, WATCH_LOG_BACKWARD);
            read_all(f, WATCH_LOG_ANY);
        }
    }
    advance(f, 6 * MINUTE_MS);
    settle(f);
    struct rows rows = count_rows(f);
    assert_int_equal(rows.tails, 0);
    assert_true(rows.chunks < model.count / 20);
    for (int i = 0; i < 20; i++) {
        read_all(f, WATCH_LOG_FORWARD);
        read_all(f, WATCH_LOG_BACKWARD);
        read_all(f, WATCH_LOG_ANY);
    }
    close_logs(f);
}

/* ---- packing of slow streams ---- */

static int body_line(struct tick *tick, struct test_call *call)
{
    struct watch_log_event event = {.place.time_ms = tick_now_ms(tick), .message = TEXT("{\"metricName\":\"GameScore\",\"duration\":12}")};
    struct watch_log_put put = {.group = GROUP, .stream = TEXT("slow"), .event = &event, .count = 1, .flags = WATCH_LOG_CREATE};
    model.count++;
    return watch_log_put(tick, call->call.arena, &put);
}

static void test_slow_stream(void **state)
{
    struct fixture *f = open_logs();
    (void)state;
    for (int i = 0; i < 600; i++) {
        assert_int_equal(run(f, body_line), 0);
        advance(f, MINUTE_MS);
    }
    advance(f, 6 * MINUTE_MS);
    settle(f);
    struct rows rows = count_rows(f);
    assert_int_equal(rows.tails, 0);
    assert_int_equal(rows.chunks, 1); /* the open one has grown */
    close_logs(f);
}

/* ---- deletion and retention ---- */

static int body_delete_stream(struct tick *tick, struct test_call *call)
{
    struct watch_log_group group;
    struct watch_log_stream stream;
    int code = watch_log_group_get(tick_view(tick), call->call.arena, GROUP, &group);
    if (!code)
        code = watch_log_stream_get(tick_view(tick), call->call.arena, &group, text_of(stream_of(0)), &stream);
    return code ? code : watch_log_stream_delete(tick, call->call.arena, &group, &stream);
}

static int body_delete_group(struct tick *tick, struct test_call *call)
{
    struct watch_log_group group;
    int code = watch_log_group_get(tick_view(tick), call->call.arena, GROUP, &group);
    return code ? code : watch_log_group_delete(tick, call->call.arena, &group);
}

static void test_deletion(void **state)
{
    struct fixture *f = open_logs();
    (void)state;
    model.seed = 9;
    for (int i = 0; i < 150; i++)
        put_some(f);
    assert_int_equal(run(f, body_delete_stream), 0);
    for (size_t i = 0; i < model.count; i++)
        if (model.event[i].stream == 0)
            model.event[i].place.time_ms = -1; /* below every range */
    for (int i = 0; i < 4; i++) {
        read_all(f, WATCH_LOG_FORWARD); /* whether or not the rows are gone already */
        read_all(f, WATCH_LOG_BACKWARD);
    }
    settle(f);
    read_all(f, WATCH_LOG_FORWARD);
    assert_int_equal(run(f, body_delete_stream), ERR_NOT_FOUND);
    assert_int_equal(run(f, body_delete_group), 0);
    assert_int_equal(run(f, body_delete_group), ERR_NOT_FOUND);
    advance(f, 6 * MINUTE_MS);
    settle(f);
    struct rows rows = count_rows(f);
    assert_int_equal(rows.tails + rows.chunks, 0);
    close_logs(f);
}

static int body_retain(struct tick *tick, struct test_call *call)
{
    struct watch_log_group group;
    int code = watch_log_group_get(tick_view(tick), call->call.arena, GROUP, &group);
    group.retention_days = (uint32_t)model.retention;
    return code ? code : watch_log_group_put(tick, &group);
}

static int count_event(void *context, const struct watch_log_event *event)
{
    (void)event;
    ++*(size_t *)context;
    return 0;
}

static size_t count_events(struct fixture *f, int64_t *bytes)
{
    struct store_view view;
    struct watch_log_group group;
    struct arena arena;
    size_t count = 0;
    arena_init(&arena, 4096, 1 << 20);
    view_begin(f, &view);
    assert_int_equal(watch_log_group_get(&view, &arena, GROUP, &group), 0);
    assert_int_equal(watch_log_group_bytes(&view, &arena, &group, bytes), 0);
    struct watch_log_scan scan = {.group = &group, .to_ms = INT64_MAX, .now_ms = clock_wall_ms(), .order = WATCH_LOG_ANY, .visit = count_event, .context = &count};
    assert_int_equal(watch_log_scan(&view, &scan), 0);
    store_snapshot_release(f->store, STORE_READERS_MAX - 1);
    arena_fini(&arena);
    return count;
}

static void test_retention(void **state)
{
    struct fixture *f = open_logs();
    int64_t bytes;
    (void)state;
    model.seed = 3;
    for (int i = 0; i < 200; i++)
        put_some(f);
    advance(f, 6 * MINUTE_MS);
    settle(f);
    struct rows rows = count_rows(f);
    assert_int_equal(count_events(f, &bytes), model.count); /* weir's own: seven days */
    assert_int_equal(bytes, rows.bytes);
    advance(f, 2 * DAY_MS);
    model.retention = 1;
    assert_int_equal(run(f, body_retain), 0);
    assert_int_equal(count_events(f, &bytes), 0); /* at once */
    for (int i = 0; i < 2; i++) { /* the sweep may have been under way, with the old retention for some classes */
        settle(f);
        advance(f, 2 * HOUR_MS);
    }
    settle(f);
    rows = count_rows(f);
    assert_int_equal(rows.chunks + rows.tails, 0);
    assert_int_equal(count_events(f, &bytes), 0);
    assert_int_equal(bytes, 0);
    /* New lines come in as ever. */
    model.count = 0;
    assert_int_equal(run(f, body_line), 0);
    assert_int_equal(count_events(f, &bytes), 1);
    close_logs(f);
}

/* ---- pages that end where chunks do ---- */

static int body_seventy(struct tick *tick, struct test_call *call)
{
    struct watch_log_event event[70];
    for (uint32_t i = 0; i < 70; i++)
        event[i] = (struct watch_log_event){.place.time_ms = tick_now_ms(tick) + i / 10, .message = message_of(call->call.arena, (uint32_t)model.count + i, 1000)};
    struct watch_log_put put = {.group = GROUP, .stream = TEXT("s"), .event = event, .count = 70, .flags = WATCH_LOG_CREATE};
    int code = watch_log_put(tick, call->call.arena, &put);
    model.count += code ? 0 : 70;
    return code;
}

static void test_page_ends(void **state)
{
    struct fixture *f = open_logs();
    struct store_view view;
    struct watch_log_group group;
    struct arena arena;
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run(f, body_seventy), 0);
        advance(f, HOUR_MS);
        settle(f);
    }
    assert_true(count_rows(f).chunks >= 3);
    arena_init(&arena, 4096, 1 << 20);
    view_begin(f, &view);
    assert_int_equal(watch_log_group_get(&view, &arena, GROUP, &group), 0);
    for (size_t limit = 1; limit <= 211; limit++)
        for (int order = WATCH_LOG_FORWARD; order <= WATCH_LOG_BACKWARD; order++) {
            size_t count = 0;
            struct watch_log_scan scan = {.group = &group, .to_ms = INT64_MAX, .now_ms = clock_wall_ms(), .order = (enum watch_log_order)order, .events_max = limit,
                .bytes_max = 1 << 20, .visit = count_event, .context = &count};
            do {
                assert_int_equal(watch_log_scan(&view, &scan), 0);
                assert_true(scan.visited <= limit);
                scan.after = scan.next;
                scan.after_set = true;
            } while (!scan.at_end);
            assert_int_equal(count, 210);
        }
    store_snapshot_release(f->store, STORE_READERS_MAX - 1);
    arena_fini(&arena);
    close_logs(f);
}

/* ---- small things ---- */

static void test_ids(void **state)
{
    struct watch_log_place most = {INT64_C(99999999999999), UINT64_MAX, UINT32_MAX, UINT32_MAX}, none = {0, 0, 0, 0}, back;
    char a[WATCH_LOG_ID_TEXT + 1], b[WATCH_LOG_ID_TEXT + 1];
    (void)state;
    watch_log_id_format(&most, a);
    watch_log_id_format(&none, b);
    assert_int_equal(strlen(a), WATCH_LOG_ID_TEXT);
    assert_int_equal(strlen(b), WATCH_LOG_ID_TEXT);
    assert_true(strcmp(b, a) < 0);
    assert_int_equal(watch_log_id_parse(text_of(a), &back), 0);
    assert_int_equal(watch_log_place_compare(&back, &most), 0);
    a[20] = 'x';
    assert_int_equal(watch_log_id_parse(text_of(a), &back), ERR_SYNTAX);
    assert_int_equal(watch_log_id_parse(text_make(b, WATCH_LOG_ID_TEXT - 1), &back), ERR_SYNTAX);
    memset(b + 16, '9', 20);
    assert_int_equal(watch_log_id_parse(text_of(b), &back), ERR_SYNTAX);
}

static void test_blocks(void **state)
{
    struct buf block, packed;
    struct log_packer packer = {0};
    struct log_space space;
    struct log_block head;
    struct log_reader reader;
    struct watch_log_event event = {.place = {T0, 77, 3, 1}, .ingested_ms = T0 + 5, .message = TEXT("hello")}, back;
    (void)state;
    buf_init(&block, LOG_BLOCK_HEADER + LOG_BLOCK_MAX);
    buf_init(&packed, LOG_PACKED_MAX);
    log_space_init(&space);
    assert_int_equal(log_block_add(&block, &event), 0);
    event.place = (struct watch_log_place){T0 - DAY_MS, 76, 0, UINT32_MAX};
    assert_int_equal(log_block_add(&block, &event), 0);
    log_block_seal(&block);
    assert_int_equal(log_block_pack(&packer, &block, &packed), 0);
    for (int i = 0; i < 2; i++) {
        struct buf *bytes = i ? &packed : &block;
        assert_int_equal(log_block_open(buf_text(bytes), &head), 0);
        assert_int_equal(head.count, 2);
        assert_int_equal(head.min_ms, T0 - DAY_MS);
        assert_int_equal(head.max_ms, T0);
        assert_int_equal(log_reader_begin(&reader, &head, &space), 0);
        assert_int_equal(log_reader_next(&reader, &back), 0);
        assert_int_equal(back.place.sequence, 77);
        assert_int_equal(back.ingested_ms, T0 + 5);
        assert_int_equal(log_reader_next(&reader, &back), 0);
        assert_int_equal(watch_log_place_compare(&back.place, &event.place), 0);
        assert_true(text_is(back.message, "hello"));
        assert_int_equal(log_reader_next(&reader, &back), ERR_NOT_FOUND);
        for (size_t k = 0; k < bytes->len; k++) /* any cut, any flipped byte of what is summed */
            assert_true(log_block_open(text_make(bytes->data, k), &head) != 0);
        for (size_t k = LOG_BLOCK_HEADER; k < bytes->len; k++) {
            bytes->data[k] = (char)(bytes->data[k] ^ 4);
            assert_int_equal(log_block_open(buf_text(bytes), &head), ERR_CORRUPT);
            bytes->data[k] = (char)(bytes->data[k] ^ 4);
        }
    }
    buf_fini(&block);
    buf_fini(&packed);
    log_space_fini(&space);
    log_packer_fini(&packer);
}

/* Chunks of earlier versions are deflated. */
static void test_deflated(void **state)
{
    char bytes[4096];
    struct buf block;
    struct log_block head;
    struct log_reader reader;
    struct log_space space;
    struct watch_log_event event = {.place = {T0, 77, 3, 1}, .message = TEXT("one one one one one one one one")};
    z_stream z = {0};
    (void)state;
    buf_init(&block, LOG_BLOCK_HEADER + LOG_BLOCK_MAX);
    log_space_init(&space);
    for (int i = 0; i < 20; i++)
        assert_int_equal(log_block_add(&block, &event), 0);
    memcpy(bytes, block.data, LOG_BLOCK_HEADER);
    assert_int_equal(deflateInit2(&z, 3, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)block.data + LOG_BLOCK_HEADER;
    z.avail_in = (uInt)(block.len - LOG_BLOCK_HEADER);
    z.next_out = (Bytef *)bytes + LOG_BLOCK_HEADER;
    z.avail_out = sizeof(bytes) - LOG_BLOCK_HEADER;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t len = LOG_BLOCK_HEADER + z.total_out;
    deflateEnd(&z);
    uint32_t sum = hash_crc32c(0, bytes + LOG_BLOCK_HEADER, len - LOG_BLOCK_HEADER);
    bytes[1] = 1;
    for (int i = 0; i < 4; i++)
        bytes[LOG_BLOCK_HEADER - 1 - i] = (char)(sum >> (8 * i));
    assert_int_equal(log_block_open(text_make(bytes, len), &head), 0);
    for (int turn = 0; turn < 2; turn++) { /* the space is used again */
        assert_int_equal(log_reader_begin(&reader, &head, &space), 0);
        for (int i = 0; i < 20; i++) {
            struct watch_log_event back;
            assert_int_equal(log_reader_next(&reader, &back), 0);
            assert_true(text_equal(back.message, event.message) && back.place.sequence == 77);
        }
    }
    bytes[1] = 2; /* says that it is another compression */
    assert_int_equal(log_block_open(text_make(bytes, len), &head), 0);
    assert_int_equal(log_reader_begin(&reader, &head, &space), ERR_CORRUPT);
    bytes[1] = 3;
    assert_int_equal(log_block_open(text_make(bytes, len), &head), ERR_VERSION);
    log_space_fini(&space);
    buf_fini(&block);
}

static void test_names(void **state)
{
    char longest[WATCH_LOG_NAME_MAX + 1];
    (void)state;
    memset(longest, 'n', sizeof(longest));
    assert_true(watch_log_group_name_valid(text_make(longest, WATCH_LOG_NAME_MAX)));
    assert_false(watch_log_group_name_valid(text_make(longest, WATCH_LOG_NAME_MAX + 1)));
    assert_true(watch_log_group_name_valid(TEXT("/a-b_c.d#9")));
    assert_false(watch_log_group_name_valid(TEXT("a b")));
    assert_false(watch_log_group_name_valid(TEXT("")));
    assert_true(watch_log_stream_name_valid(TEXT("2024/01/01/[$LATEST]ab c")));
    assert_false(watch_log_stream_name_valid(TEXT("a:b")));
    assert_false(watch_log_stream_name_valid(TEXT("a*")));
    assert_true(watch_log_retention_valid(3653));
    assert_false(watch_log_retention_valid(2));
    for (int64_t span = 0; span < 15 * DAY_MS; span = span * 3 + 1)
        assert_true(span < log_class_span(log_class_of(span)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ids), cmocka_unit_test(test_names), cmocka_unit_test(test_blocks), cmocka_unit_test(test_deflated), cmocka_unit_test(test_model),
        cmocka_unit_test(test_slow_stream), cmocka_unit_test(test_deletion), cmocka_unit_test(test_retention), cmocka_unit_test(test_page_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
