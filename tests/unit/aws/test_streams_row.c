/*
 * Which streams there are: begun and ended in one tick without overlap, labels that differ, old ones forgotten, and the streams of tables that were there before.
 * On a tick that is not started: each step is one commit.
 */
#include "tick/fixture.h"

#include "aws/aws.h"
#include "aws/streams.h"

#define NOW INT64_C(1760000000000)

struct bench {
    struct fixture *f;
    struct tick *tick;
    struct arena arena;
    const struct store_table *table; /* "orders" */
    struct gateway_config config;
};

struct step {
    struct tick_call call;
    struct bench *b;
    int (*body)(struct bench *b, struct store_view *view);
};

static int run_step(struct tick *tick, struct tick_call *call)
{
    struct step *step = (struct step *)call;
    return step->body(step->b, tick_view(tick));
}

static void commit(struct bench *b, int (*body)(struct bench *b, struct store_view *view))
{
    struct err err = {0};
    struct step step = {.call = {.run = run_step, .arena = &b->arena}, .b = b, .body = body};
    must(tick_run_now(b->tick, &step.call, &err), &err);
}

static int define(struct bench *b, const char *name, bool changes, const struct store_table **table)
{
    struct err err = {0};
    struct store_table_decl decl = {.name = text_of(name), .hash = TEXT("id"), .hash_type = ATTR_STRING, .changes = changes};
    return store_table_define(tick_stage(b->tick), &decl, table, &err);
}

static int define_orders(struct bench *b, struct store_view *view)
{
    (void)view;
    return define(b, "orders", true, &b->table);
}

static void create(struct bench *b)
{
    struct err err = {0};
    *b = (struct bench){.f = fixture_new()};
    arena_init(&b->arena, 4096, 16 << 20);
    fixture_open_data(b->f, (struct journal_config){0});
    must(tick_create(&b->f->tick, &b->f->config, &err), &err);
    b->tick = b->f->tick;
    b->config = (struct gateway_config){.journal = b->f->journal, .store = b->f->store};
}

static void begin(struct bench *b)
{
    clock_freeze(NOW);
    create(b);
    commit(b, define_orders);
}

/* A tick that was never started cannot be stopped. */
static void take_down(struct bench *b)
{
    tick_destroy(b->tick);
    b->f->tick = NULL;
    arena_fini(&b->arena);
}

static void end(struct bench *b)
{
    take_down(b);
    fixture_close(b->f);
    clock_freeze(-1);
}

static int put(struct bench *b, struct store_view *view, const char *id, int n)
{
    return value_write(view, b->table, id, n, 0, &b->arena);
}

/* ---- listing ---- */

static struct streams_row listed[600];
static size_t listed_count;

static int on_row(void *context, const struct streams_row *row)
{
    (void)context;
    listed[listed_count++] = *row;
    return 0;
}

static int list(struct bench *b, struct store_view *view)
{
    listed_count = 0;
    return streams_row_scan(view, &b->arena, TEXT_NONE, 0, on_row, NULL);
}

/* ---- one tick ---- */

static struct feed_position first_end, second_first;

static int two_in_one_tick(struct bench *b, struct store_view *view)
{
    int64_t label_ms = NOW;
    assert_int_equal(put(b, view, "a", 1), 0);
    assert_int_equal(streams_begin(view, b->tick, &b->arena, b->table, STREAMS_NEW, &label_ms), 0);
    assert_int_equal(label_ms, NOW);
    assert_int_equal(put(b, view, "b", 1), 0);
    assert_int_equal(put(b, view, "c", 1), 0);
    first_end = streams_here(b->tick);
    assert_int_equal(streams_end(view, b->tick, &b->arena, TEXT("orders")), 0);
    assert_int_equal(streams_end(view, b->tick, &b->arena, TEXT("orders")), 0);
    label_ms = NOW - 5;
    assert_int_equal(streams_begin(view, b->tick, &b->arena, b->table, STREAMS_KEYS, &label_ms), 0);
    assert_int_equal(label_ms, NOW + 1);
    second_first = streams_here(b->tick);
    return put(b, view, "d", 1);
}

static void one_tick(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    commit(&b, two_in_one_tick);
    commit(&b, list);
    assert_int_equal(listed_count, 2);
    assert_int_equal(listed[0].label_ms, NOW);
    assert_int_equal(listed[0].view, STREAMS_NEW);
    assert_int_equal(listed[0].ended_ms, NOW);
    assert_int_equal(listed[0].first.number, 1);
    assert_int_equal(listed[0].end.number, 3);
    assert_int_equal(feed_compare(listed[0].end, first_end), 0);
    assert_int_equal(listed[0].first.sequence, listed[1].first.sequence);
    assert_int_equal(feed_compare(listed[1].first, second_first), 0);
    assert_int_equal(feed_compare(listed[1].first, listed[0].end), 0);
    assert_int_equal(listed[1].ended_ms, 0);
    assert_true(text_is(listed[1].table, "orders") && text_is(listed[1].hash, "id") && !listed[1].range.len);
    assert_int_equal(listed[1].table_id, store_table_id(b.table));
    end(&b);
}

/* ---- what is long over ---- */

static int begin_again(struct bench *b, struct store_view *view)
{
    int64_t label_ms = tick_now_ms(b->tick);
    return streams_begin(view, b->tick, &b->arena, b->table, STREAMS_BOTH, &label_ms);
}

static bool was_there;

static int get_old(struct bench *b, struct store_view *view)
{
    struct streams_row row;
    int code = streams_row_get(view, &b->arena, TEXT("orders"), NOW, &row);
    assert_int_equal(streams_row_get(view, &b->arena, TEXT("orders"), NOW + 1, &row), ERR_NOT_FOUND);
    assert_int_equal(streams_row_get(view, &b->arena, TEXT("order"), NOW, &row), ERR_NOT_FOUND);
    was_there = code == 0;
    return code == ERR_NOT_FOUND ? 0 : code;
}

static bool old_is_there(struct bench *b)
{
    commit(b, get_old);
    return was_there;
}

static void long_over(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    commit(&b, begin_again);
    clock_freeze(NOW + 1000);
    commit(&b, begin_again);
    clock_freeze(NOW + 1000 + DAY_MS - 1);
    assert_true(old_is_there(&b));
    clock_freeze(NOW + 1000 + DAY_MS);
    assert_false(old_is_there(&b));
    commit(&b, list);
    assert_int_equal(listed_count, 2);
    commit(&b, begin_again);
    commit(&b, list);
    assert_int_equal(listed_count, 2); /* the first is deleted, the second has ended */
    assert_int_equal(listed[0].label_ms, NOW + 1000);
    end(&b);
}

static void bounded(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    for (int i = 0; i < STREAMS_ENDED_MAX + 50; i++)
        commit(&b, begin_again);
    commit(&b, list);
    assert_int_equal(listed_count, STREAMS_ENDED_MAX + 1);
    for (size_t i = 1; i < listed_count; i++)
        assert_int_equal(listed[i].label_ms, listed[i - 1].label_ms + 1);
    assert_int_equal(listed[listed_count - 1].label_ms, NOW + STREAMS_ENDED_MAX + 49);
    assert_int_equal(listed[listed_count - 1].ended_ms, 0);
    end(&b);
}

/* ---- tables that were there before ---- */

static void start_up(struct bench *b)
{
    struct err err = {0};
    must(aws_define(&b->config, b->tick, &err), &err);
    commit(b, list);
}

/* As a program wrote it that knew no rows of streams. */
static int make_old_folder(struct bench *b, struct store_view *view)
{
    static struct ddb_meta meta;
    const struct store_table *table;
    (void)view;
    meta = (struct ddb_meta){.made = true, .created_ms = NOW - 50000, .stream_view = TEXT("OLD_IMAGE"), .stream_ms = NOW - 4000};
    int code = ddb_meta_put(tick_stage(b->tick), TEXT("orders"), &meta);
    return code ? code : define(b, "quiet", false, &table);
}

static int end_changes(struct bench *b, struct store_view *view)
{
    struct store_table_decl decl = *store_table_decl(b->table);
    (void)view;
    decl.changes = false;
    return store_table_define(tick_stage(b->tick), &decl, NULL, NULL);
}

static void older_folder(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    commit(&b, make_old_folder);
    start_up(&b);
    assert_int_equal(listed_count, 1);
    assert_true(text_is(listed[0].table, "orders"));
    assert_int_equal(listed[0].label_ms, NOW - 4000);
    assert_int_equal(listed[0].from_ms, NOW - 4000);
    assert_int_equal(listed[0].view, STREAMS_OLD);
    assert_int_equal(listed[0].first.sequence, journal_first(b.f->journal));
    uint64_t durable = tick_durable(b.tick);
    start_up(&b);
    assert_int_equal(listed_count, 1);
    assert_int_equal(tick_durable(b.tick), durable); /* nothing is written a second time */
    end(&b);
}

static int other_label(struct bench *b, struct store_view *view)
{
    static struct ddb_meta meta;
    int code = ddb_meta_get(view, &b->arena, TEXT("orders"), &meta);
    meta.stream_ms += 777;
    return code ? code : ddb_meta_put(tick_stage(b->tick), TEXT("orders"), &meta);
}

/* The older program ran once more meanwhile, and began a stream that it did not write a row for. */
static void older_program(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    commit(&b, make_old_folder);
    start_up(&b);
    commit(&b, other_label);
    start_up(&b);
    assert_int_equal(listed_count, 2);
    assert_true(listed[0].ended_ms > 0);
    assert_int_equal(listed[1].label_ms, NOW - 4000 + 777);
    assert_int_equal(listed[1].ended_ms, 0);
    end(&b);
}

static void declared(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    start_up(&b);
    assert_int_equal(listed_count, 1);
    assert_int_equal(listed[0].view, STREAMS_BOTH);
    assert_int_equal(listed[0].ended_ms, 0);
    commit(&b, end_changes);
    clock_freeze(NOW + 5000);
    start_up(&b);
    assert_int_equal(listed_count, 1);
    assert_int_equal(listed[0].ended_ms, NOW + 5000);
    clock_freeze(NOW + 5000 + DAY_MS);
    start_up(&b);
    assert_int_equal(listed_count, 0);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_tick), cmocka_unit_test(long_over), cmocka_unit_test(bounded), cmocka_unit_test(older_folder), cmocka_unit_test(older_program),
        cmocka_unit_test(declared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
