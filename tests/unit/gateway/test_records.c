/* Streams of records below the wire: places of keys, sequence numbers, tokens, resharding against its invariants, reads and the sweep against a model. */
#include "tick/fixture.h"

#include "base/clock.h"
#include "gateway/records.h"
#include "store/key.h"

#define NAME TEXT("s")
#define T0 INT64_C(1800000000000)

/* ---- values ---- */

static void test_hash_keys(void **state)
{
    static const struct {
        const char *key, *digits; /* of MD5 */
    } known[] = {{"", "281949768489412648962353822266799178366"}, {"a", "16955237001963240173058271559858726497"},
        {"message digest", "331535486309434048055371704012530344400"}};
    char text[GW_HASH_KEY_TEXT];
    gw_hash_key key;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        gw_hash_key_format(gw_hash_key_of(text_of(known[i].key)), text);
        assert_string_equal(text, known[i].digits);
        assert_int_equal(gw_hash_key_parse(text_of(text), &key), 0);
        assert_true(key == gw_hash_key_of(text_of(known[i].key)));
    }
    gw_hash_key_format(GW_HASH_KEY_MAX, text);
    assert_string_equal(text, "340282366920938463463374607431768211455");
    assert_int_equal(gw_hash_key_parse(text_of(text), &key), 0);
    assert_true(key == GW_HASH_KEY_MAX);
    assert_int_equal(gw_hash_key_parse(TEXT("0"), &key), 0);
    assert_true(key == 0);
    static const char *const wrong[] = {"", "00", "01", "-1", "+1", "1.0", " 1", "1 ", "a", "0x1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(gw_hash_key_parse(text_of(wrong[i]), &key), ERR_SYNTAX);
    assert_int_equal(gw_hash_key_parse(TEXT("340282366920938463463374607431768211456"), &key), ERR_TOO_LARGE);
    assert_int_equal(gw_hash_key_parse(TEXT("999999999999999999999999999999999999999999"), &key), ERR_TOO_LARGE);
}

static uint64_t any(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed >> 11;
}

static struct gw_position any_position(uint64_t *seed)
{
    return (struct gw_position){any(seed) >> any(seed) % 53, (uint32_t)(any(seed) >> any(seed) % 53), (uint32_t)(any(seed) % (GW_POSITION_INDEX_MAX + 1))};
}

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static void test_positions(void **state)
{
    uint64_t seed = 7;
    uint32_t shard;
    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct gw_position a = any_position(&seed), b = any_position(&seed), back;
        char x[GW_SEQUENCE_TEXT + 1], y[GW_SEQUENCE_TEXT + 1];
        if (i % 3 == 0)
            b.sequence = a.sequence;
        if (i % 9 == 0)
            b.call = a.call;
        gw_position_format(a, (uint32_t)i, x);
        gw_position_format(b, (uint32_t)i, y);
        assert_int_equal(strlen(x), GW_SEQUENCE_TEXT);
        assert_int_equal(sign(strcmp(x, y)), gw_position_compare(a, b));
        assert_int_equal(gw_position_parse(text_of(x), &back, &shard), 0);
        assert_int_equal(gw_position_compare(a, back), 0);
        assert_int_equal(shard, i);
        x[any(&seed) % GW_SEQUENCE_TEXT] = 'x';
        assert_int_equal(gw_position_parse(text_of(x), &back, &shard), ERR_SYNTAX);
        y[GW_SEQUENCE_TEXT - 1 - any(&seed) % 10] = 0;
        assert_int_equal(gw_position_parse(text_of(y), &back, &shard), ERR_SYNTAX);
    }
    /* The largest of all. */
    struct gw_position most = {UINT64_MAX, UINT32_MAX, GW_POSITION_INDEX_MAX}, back;
    char text[GW_SEQUENCE_TEXT + 1];
    gw_position_format(most, UINT32_MAX, text);
    assert_int_equal(strlen(text), GW_SEQUENCE_TEXT);
    assert_int_equal(gw_position_parse(text_of(text), &back, &shard), 0);
    assert_int_equal(gw_position_compare(most, back), 0);
}

static void test_shard_names(void **state)
{
    char text[GW_SHARD_TEXT + 1];
    uint32_t number;
    (void)state;
    gw_shard_format(UINT32_MAX, text);
    assert_string_equal(text, "shardId-004294967295");
    assert_int_equal(gw_shard_parse(text_of(text), &number), 0);
    assert_int_equal(number, UINT32_MAX);
    static const char *const wrong[] = {"", "shardId-", "shardId-00000000000", "shardId-0000000000000", "shardid-000000000000", "shardId-00000000000x",
        "shardId-004294967296", "shardId-999999999999"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(gw_shard_parse(text_of(wrong[i]), &number), ERR_SYNTAX);
}

static void test_tokens(void **state)
{
    struct arena arena;
    struct buf text;
    char longest[GW_STREAM_NAME_MAX];
    memset(longest, 'n', sizeof(longest));
    (void)state;
    arena_init(&arena, 4096, 1 << 20);
    buf_init(&text, GW_RECORDS_TOKEN_MAX);
    struct gw_records_token token = {.kind = GW_TOKEN_ITERATOR, .made_ms = T0, .stream = text_make(longest, sizeof(longest)), .id = {1, 2, 3}, .shard = 4,
        .from = {{5, 6, 7}, true}, .filter = 2, .filter_ms = T0 + 1}, back;
    assert_int_equal(gw_records_token_format(&text, &token), 0);
    assert_int_equal(gw_records_token_parse(&arena, buf_text(&text), GW_TOKEN_ITERATOR, &back), 0);
    assert_true(text_equal(back.stream, token.stream) && back.made_ms == T0 && back.shard == 4 && back.from.inclusive && back.filter == 2);
    assert_int_equal(gw_position_compare(back.id, token.id), 0);
    assert_int_equal(gw_position_compare(back.from.position, token.from.position), 0);
    assert_int_equal(gw_records_token_parse(&arena, buf_text(&text), GW_TOKEN_SHARDS, &back), ERR_SYNTAX);
    for (size_t i = 0; i < text.len; i++) {
        assert_int_equal(gw_records_token_parse(&arena, text_make(text.data, i), GW_TOKEN_ITERATOR, &back), ERR_SYNTAX);
        char kept = text.data[i];
        text.data[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(gw_records_token_parse(&arena, buf_text(&text), GW_TOKEN_ITERATOR, &back), ERR_SYNTAX);
        text.data[i] = kept;
    }
    buf_fini(&text);
    arena_fini(&arena);
}

/* ---- in the tick ---- */

static struct {
    struct gw_record record[600];
    size_t count;
    uint64_t seed;
    int step;
    uint32_t shards;
    int64_t retention_h;
} asked;

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

static int body_define(struct tick *tick, struct test_call *call)
{
    struct err err = {0};
    return gw_records_define(tick, call->call.arena, NAME, asked.shards, &err);
}

static int body_put(struct tick *tick, struct test_call *call)
{
    struct err err = {0};
    return gw_records_put(tick, call->call.arena, NAME, asked.record, asked.count, 0, &err);
}

static int body_retain(struct tick *tick, struct test_call *call)
{
    struct gw_stream stream;
    int code = gw_stream_get(tick_view(tick), call->call.arena, NAME, &stream);
    stream.retention_h = asked.retention_h;
    return code ? code : gw_stream_put(tick, &stream);
}

static int on_deferred(void *context, struct tick *tick, struct tick_call *call, struct text name, struct text payload)
{
    (void)context;
    assert_true(text_is(name, GW_RECORDS_SWEEP));
    return gw_records_sweep(tick, call->arena, payload);
}

static struct fixture *open_stream(uint32_t shards)
{
    struct fixture *f = fixture_new();
    clock_freeze(T0);
    f->config.on_deferred = on_deferred;
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    asked.shards = shards;
    assert_int_equal(run(f, body_define), 0);
    return f;
}

/* In a body: what is cold is passed on, and the call runs again. */
#define MUST(what)                                                                                                                       \
    do {                                                                                                                                 \
        int must_ = (what);                                                                                                              \
        if (must_ == ERR_COLD)                                                                                                           \
            return must_;                                                                                                                \
        assert_int_equal(must_, 0);                                                                                                      \
    } while (0)

/* ---- resharding ---- */

struct seen {
    struct gw_shard shard[2000];
    size_t count;
} seen;

static int on_shard(void *context, const struct gw_shard *shard)
{
    (void)context;
    assert_true(seen.count < 2000);
    seen.shard[seen.count++] = *shard;
    return 0;
}

static const struct gw_shard *seen_shard(int64_t number)
{
    for (size_t i = 0; i < seen.count; i++)
        if (seen.shard[i].number == number)
            return &seen.shard[i];
    return NULL;
}

static void check_parent(const struct gw_shard *shard, int64_t number)
{
    const struct gw_shard *parent = number < 0 ? NULL : seen_shard(number);
    if (number < 0)
        return;
    assert_non_null(parent);
    assert_true(parent->closed);
    assert_true(gw_position_compare(parent->last, shard->first) < 0);
    assert_true(parent->start <= shard->end && shard->start <= parent->end);
}

/* Open shards cover everything once; rows say the same as the stream; children lie behind and over their parents. */
static int check_shards(struct tick *tick, struct test_call *call)
{
    struct gw_stream stream;
    uint32_t open = 0;
    seen.count = 0;
    MUST(gw_stream_get(tick_view(tick), call->call.arena, NAME, &stream));
    MUST(gw_shard_each(tick_view(tick), call->call.arena, &stream, 0, on_shard, NULL));
    assert_int_equal(seen.count, stream.kept_shards);
    for (size_t i = 0; i < seen.count; i++) {
        open += !seen.shard[i].closed;
        assert_true(seen.shard[i].start <= seen.shard[i].end);
        check_parent(&seen.shard[i], seen.shard[i].parent);
        check_parent(&seen.shard[i], seen.shard[i].adjacent);
    }
    assert_int_equal(open, stream.open_count);
    for (uint32_t i = 0; i < stream.open_count; i++) {
        const struct gw_shard *shard = seen_shard(stream.open[i].shard);
        assert_non_null(shard);
        assert_true(!shard->closed && shard->start == stream.open[i].start);
        assert_true(shard->end == (i + 1 < stream.open_count ? stream.open[i + 1].start - 1 : GW_HASH_KEY_MAX));
        assert_int_equal(gw_stream_pick(&stream, shard->start), i);
        assert_int_equal(gw_stream_pick(&stream, shard->end), i);
    }
    assert_true(stream.open[0].start == 0);
    return 0;
}

static int reshard_once(struct gw_reshard *reshard)
{
    struct gw_stream *stream = reshard->stream;
    uint32_t at = (uint32_t)(any(&asked.seed) % stream->open_count);
    gw_hash_key end = at + 1 < stream->open_count ? stream->open[at + 1].start - 1 : GW_HASH_KEY_MAX, width = end - stream->open[at].start;
    switch (any(&asked.seed) % 5) {
    case 0:
    case 1:
        return stream->open_count < 40 && width ? gw_shard_split(reshard, stream->open[at].shard, stream->open[at].start + 1 + width / 1000 * (any(&asked.seed) % 999)) : 0;
    case 2:
    case 3:
        return at + 1 < stream->open_count ? gw_shard_merge(reshard, stream->open[at + any(&asked.seed) % 2].shard, stream->open[at].shard) : 0;
    default:
        return gw_shard_scale(reshard, 1 + (uint32_t)(any(&asked.seed) % 12));
    }
}

static int body_reshard(struct tick *tick, struct test_call *call)
{
    struct gw_stream stream;
    int code = gw_stream_get(tick_view(tick), call->call.arena, NAME, &stream);
    struct gw_reshard reshard = {.tick = tick, .arena = call->call.arena, .stream = &stream};
    if (!code)
        code = reshard_once(&reshard);
    assert_true(code == 0 || code == ERR_CONDITION || code == ERR_COLD); /* a merge of a shard with itself */
    return code ? code : check_shards(tick, call);
}

static void test_resharding(void **state)
{
    struct fixture *f = open_stream(3);
    (void)state;
    asked.seed = 11;
    assert_int_equal(run(f, check_shards), 0);
    for (int i = 0; i < 150; i++) {
        run(f, body_reshard);
        assert_int_equal(run(f, check_shards), 0); /* also when the step was undone */
    }
    fixture_restart(f);
    assert_int_equal(run(f, check_shards), 0);
    fixture_close(f);
}

static int body_refusals(struct tick *tick, struct test_call *call)
{
    struct gw_stream stream;
    struct err err = {0};
    struct arena *arena = call->call.arena;
    MUST(gw_stream_get(tick_view(tick), arena, NAME, &stream));
    struct gw_reshard reshard = {.tick = tick, .arena = arena, .stream = &stream};
    assert_int_equal(gw_shard_split(&reshard, 99, 5), ERR_CONDITION);
    assert_int_equal(gw_shard_split(&reshard, 0, 0), ERR_INVALID);
    assert_int_equal(gw_shard_split(&reshard, 0, stream.open[1].start), ERR_INVALID);
    assert_int_equal(gw_shard_merge(&reshard, 0, 2), ERR_CONDITION);
    assert_int_equal(gw_shard_scale(&reshard, GW_STREAM_SHARDS_MAX + 1), ERR_FULL);
    assert_int_equal(gw_records_define(tick, arena, TEXT("a b"), 1, &err), ERR_INVALID);
    assert_int_equal(gw_records_define(tick, arena, TEXT("t"), 0, &err), ERR_INVALID);
    assert_int_equal(gw_records_define(tick, arena, TEXT("t"), GW_STREAM_SHARDS_MAX - 2, &err), ERR_FULL); /* there are three */
    assert_int_equal(gw_records_define(tick, arena, NAME, 7, &err), 0); /* it stays as it is */
    MUST(gw_stream_get(tick_view(tick), arena, NAME, &stream));
    assert_int_equal(stream.open_count, 3);
    return 0;
}

static void test_refusals(void **state)
{
    struct fixture *f = open_stream(3);
    (void)state;
    assert_int_equal(run(f, body_refusals), 0);
    fixture_close(f);
}

/* ---- records ---- */

static void put_some(struct fixture *f, size_t count, uint64_t *seed)
{
    static char keys[600][8];
    asked.count = count;
    for (size_t i = 0; i < count; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%u", (unsigned)(any(seed) % 100));
        asked.record[i] = (struct gw_record){.key = text_of(keys[i]), .data = TEXT("data")};
        asked.record[i].hash = gw_hash_key_of(asked.record[i].key);
    }
    assert_int_equal(run(f, body_put), 0);
}

struct model { /* of one shard */
    int64_t at_ms[4000];
    char sequence[4000][GW_SEQUENCE_TEXT + 1];
    size_t count;
};
static struct model model[4];

static void model_add(void)
{
    for (size_t i = 0; i < asked.count; i++) {
        struct model *m = &model[asked.record[i].shard];
        m->at_ms[m->count] = asked.record[i].at_ms;
        strcpy(m->sequence[m->count++], asked.record[i].sequence);
    }
}

struct reading {
    const struct model *model;
    size_t next;
};

static int on_record(void *context, const struct gw_record *record)
{
    struct reading *reading = context;
    assert_true(reading->next < reading->model->count);
    assert_string_equal(record->sequence, reading->model->sequence[reading->next]);
    assert_int_equal(record->at_ms, reading->model->at_ms[reading->next]);
    reading->next++;
    return 0;
}

static size_t first_from(const struct model *m, int64_t ms)
{
    size_t i = 0;
    while (i < m->count && m->at_ms[i] < ms)
        i++;
    return i;
}

/* From `from` on, in pages, to the end: what the model has from its record `next` on. */
static int read_pages(struct store_view *view, struct arena *arena, const struct gw_stream *stream, uint32_t shard, struct gw_records_from from, size_t next)
{
    struct reading reading = {&model[shard], next};
    struct gw_records_page page = {.from = from, .limit = 7, .bytes = 1 << 20, .now_ms = clock_wall_ms()};
    do {
        size_t before = reading.next;
        MUST(gw_records_read(view, arena, stream, shard, &page, on_record, &reading));
        assert_int_equal(page.count, reading.next - before);
        if (!page.at_end)
            assert_int_equal(page.behind_ms, page.now_ms - model[shard].at_ms[reading.next]);
        page.from = page.next;
    } while (!page.at_end);
    assert_int_equal(reading.next, model[shard].count);
    assert_int_equal(page.behind_ms, 0);
    return 0;
}

static int body_read(struct tick *tick, struct test_call *call)
{
    struct store_view *view = tick_view(tick);
    struct arena *arena = call->call.arena;
    struct gw_stream stream;
    struct gw_records_from from;
    int64_t now = clock_wall_ms();
    MUST(gw_stream_get(view, arena, NAME, &stream));
    for (uint32_t shard = 0; shard < 4; shard++) {
        const struct model *m = &model[shard];
        int64_t horizon = gw_stream_horizon_ms(&stream, now);
        size_t visible = first_from(m, horizon);
        MUST(read_pages(view, arena, &stream, shard, (struct gw_records_from){.inclusive = true}, visible));
        for (int i = 0; i < 30; i++) {
            int64_t ms = T0 - 1000 + (int64_t)(any(&asked.seed) % (uint64_t)(now - T0 + 2000));
            MUST(gw_records_at_time(view, arena, &stream, shard, ms, &from));
            size_t first = first_from(m, ms);
            MUST(read_pages(view, arena, &stream, shard, from, first > visible ? first : visible));
            if (visible == m->count)
                continue;
            size_t at = visible + any(&asked.seed) % (m->count - visible);
            uint32_t number;
            assert_int_equal(gw_position_parse(text_of(m->sequence[at]), &from.position, &number), 0);
            assert_int_equal(number, shard);
            from.inclusive = i % 2;
            MUST(read_pages(view, arena, &stream, shard, from, at + !from.inclusive));
        }
    }
    return 0;
}

static void test_reads(void **state)
{
    struct fixture *f = open_stream(4);
    uint64_t seed = 5;
    int64_t now = T0;
    (void)state;
    memset(model, 0, sizeof(model));
    for (int i = 0; i < 60; i++) {
        now += (int64_t)(any(&seed) % (2 * HOUR_MS));
        clock_freeze(now);
        put_some(f, 1 + any(&seed) % 40, &seed);
        model_add();
        if (i % 20 == 19)
            assert_int_equal(run(f, body_read), 0);
    }
    /* The clock goes back over a restart: numbers grow all the same, and times stand. */
    clock_freeze(now - 5 * HOUR_MS);
    fixture_restart(f);
    for (int i = 0; i < 4; i++) {
        put_some(f, 20, &seed);
        model_add();
    }
    for (int s = 0; s < 4; s++)
        for (size_t i = 1; i < model[s].count; i++) {
            assert_true(strcmp(model[s].sequence[i - 1], model[s].sequence[i]) < 0);
            assert_true(model[s].at_ms[i - 1] <= model[s].at_ms[i]);
        }
    clock_freeze(now);
    assert_int_equal(run(f, body_read), 0);
    asked.retention_h = 48;
    assert_int_equal(run(f, body_retain), 0);
    fixture_close(f);
    clock_freeze(-1);
}

/* ---- the sweep ---- */

static int64_t items(struct fixture *f)
{
    return store_table_count(store_table_find(f->store, TEXT(GW_RECORDS_PREFIX "s")));
}

static void test_sweep(void **state)
{
    struct fixture *f = open_stream(4);
    uint64_t seed = 3;
    (void)state;
    for (int i = 0; i < 3; i++)
        put_some(f, 500, &seed);
    clock_freeze(T0 + 20 * HOUR_MS);
    put_some(f, 300, &seed);
    asked.retention_h = 48; /* longer: nothing goes */
    assert_int_equal(run(f, body_retain), 0);
    int64_t due = counter_read(COUNTER_tick_deferred_due);
    clock_freeze(T0 + 30 * HOUR_MS);
    tick_wake(f->tick);
    until(f, counter_read(COUNTER_tick_deferred_due) > due);
    assert_int_equal(run(f, body_retain), 0); /* behind the sweep */
    assert_int_equal(items(f), 1800);
    asked.retention_h = 24;
    assert_int_equal(run(f, body_retain), 0);
    clock_freeze(T0 + 32 * HOUR_MS);
    tick_wake(f->tick);
    until(f, items(f) == 300);
    fixture_restart(f); /* the call that asks for the next one is a row */
    clock_freeze(T0 + 60 * HOUR_MS);
    tick_wake(f->tick);
    until(f, items(f) == 0);
    assert_int_equal(counter_read(COUNTER_tick_deferred_retries), 0);
    fixture_close(f);
    clock_freeze(-1);
}

/* ---- registered consumers ---- */

static int body_consumers(struct tick *tick, struct test_call *call)
{
    struct arena *arena = call->call.arena;
    struct store_view *view = tick_view(tick);
    struct gw_stream stream;
    struct gw_subscription first, second, found;
    struct gw_stream_tag tag = {TEXT("k"), TEXT("v")};
    struct gw_stream_consumer a = {.name = TEXT("a"), .tag = &tag, .tags = 1}, b = {.name = TEXT("b")}, got;
    uint32_t count;
    MUST(gw_stream_get(view, arena, NAME, &stream));
    assert_int_equal(gw_consumer_get(view, arena, &stream, TEXT("a"), &got), ERR_NOT_FOUND);
    MUST(gw_consumer_create(tick, arena, &stream, &a));
    assert_int_equal(gw_consumer_create(tick, arena, &stream, &a), ERR_EXISTS);
    MUST(gw_consumer_create(tick, arena, &stream, &b));
    MUST(gw_consumer_get(view, arena, &stream, TEXT("a"), &got));
    assert_true(got.tags == 1 && text_is(got.tag[0].key, "k") && text_is(got.tag[0].value, "v") && got.created_ms == T0);
    assert_int_equal(gw_subscription_get(view, arena, &stream, &a, 0, &found), ERR_NOT_FOUND);
    MUST(gw_subscription_begin(tick, &stream, &a, 0, &first));
    MUST(gw_subscription_begin(tick, &stream, &a, 1, &second));
    MUST(gw_subscription_get(view, arena, &stream, &a, 0, &found));
    assert_true(gw_position_compare(found.serial, first.serial) == 0 && found.at_ms == T0);
    MUST(gw_consumer_delete(tick, &stream, &b));
    MUST(gw_consumer_count(view, arena, &stream, &count));
    assert_int_equal(count, 1);
    for (uint32_t i = 1; i < GW_STREAM_CONSUMERS_MAX; i++) {
        char name[8];
        snprintf(name, sizeof(name), "c%u", i);
        struct gw_stream_consumer more = {.name = text_of(name)};
        MUST(gw_consumer_create(tick, arena, &stream, &more));
    }
    assert_int_equal(gw_consumer_create(tick, arena, &stream, &b), ERR_FULL);
    return 0;
}

static int body_drop(struct tick *tick, struct test_call *call)
{
    struct err err = {0};
    struct gw_stream stream;
    MUST(gw_stream_get(tick_view(tick), call->call.arena, NAME, &stream));
    return gw_stream_delete(tick, &stream, &err);
}

static int count_row(void *context, struct text key, struct text value)
{
    (void)key, (void)value;
    ++*(int *)context;
    return 0;
}

static int rows_left;
static int body_count(struct tick *tick, struct test_call *call)
{
    rows_left = 0;
    return store_raw_scan(tick_view(tick), STORE_SPACE_RECORDS, TEXT(""), call->call.arena, count_row, &rows_left);
}

static bool all_gone(struct fixture *f)
{
    return run(f, body_count) == 0 && rows_left == 0;
}

static void test_consumers(void **state)
{
    struct fixture *f = open_stream(2);
    (void)state;
    assert_int_equal(run(f, body_consumers), 0);
    assert_int_equal(run(f, body_drop), 0);
    until(f, all_gone(f)); /* shards, consumers, subscriptions */
    fixture_close(f);
    clock_freeze(-1);
}

/* ---- many shards ---- */

static int body_scale(struct tick *tick, struct test_call *call)
{
    struct gw_stream stream;
    MUST(gw_stream_get(tick_view(tick), call->call.arena, NAME, &stream));
    struct gw_reshard reshard = {.tick = tick, .arena = call->call.arena, .stream = &stream};
    MUST(gw_shard_scale(&reshard, asked.shards));
    assert_int_equal(stream.scaling_to, asked.shards);
    struct gw_reshard other = {.tick = tick, .arena = call->call.arena, .stream = &stream};
    assert_int_equal(gw_shard_scale(&other, 3), ERR_AGAIN);
    assert_int_equal(gw_shard_split(&other, stream.open[0].shard, stream.open[0].start + 1), ERR_AGAIN);
    return check_shards(tick, call);
}

static bool is_scaling;
static int body_look(struct tick *tick, struct test_call *call)
{
    struct gw_stream stream;
    MUST(gw_stream_get(tick_view(tick), call->call.arena, NAME, &stream));
    is_scaling = stream.scaling_to != 0;
    return is_scaling ? 0 : check_shards(tick, call);
}

static bool scaled(struct fixture *f)
{
    return run(f, body_look) == 0 && !is_scaling;
}

static void test_scaling(void **state)
{
    struct fixture *f = open_stream(10);
    (void)state;
    const uint32_t targets[] = {300, 7};
    for (size_t i = 0; i < 2; i++) {
        asked.shards = targets[i];
        assert_int_equal(run(f, body_scale), 0);
        if (i == 0)
            fixture_restart(f); /* the next steps are a row */
        until(f, scaled(f));
        size_t count = 0;
        for (size_t k = 0; k < seen.count; k++)
            count += !seen.shard[k].closed;
        assert_int_equal(count, targets[i]);
    }
    fixture_close(f);
    clock_freeze(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_keys),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_shard_names),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_resharding),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_consumers),
        cmocka_unit_test(test_scaling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
