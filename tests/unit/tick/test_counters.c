/* Several io threads with loops of their own read, add and write the same items: the totals are exact, and each connection hears its answers in order. */
#include "tick/fixture.h"

enum { THREADS = 3, CALLS = 1500, WINDOW = 64, KEYS = 7 };

struct io {
    struct fixture *f;
    struct loop *loop;
    pthread_t thread;
    unsigned source;
    struct tick_lane lane;
    struct test_call call[WINDOW];
    struct test_call *free[WINDOW];
    int free_count;
    int submitted, done, answers;
    int64_t sum;
    bool ordered;
};

static void io_deliver(void *context, void *pointer)
{
    struct io *io = context;
    struct effect *effect = pointer;
    if (effect->number != io->answers)
        io->ordered = false;
    io->answers++;
    effect_unref(effect);
}

static void io_done(void *context, struct tick_call *base)
{
    struct io *io = context;
    struct test_call *call = (struct test_call *)base;
    io->done++;
    if (call->call.code == 0)
        io->sum += call->add;
    arena_reset(&call->arena);
    io->free[io->free_count++] = call;
}

static int io_inbox(void *context)
{
    struct io *io = context;
    return tick_drain(io->f->tick, io->source);
}

static void io_submit(struct io *io)
{
    static const char *keys[KEYS] = {"a", "b", "c", "d", "e", "f", "g"};
    while (io->free_count > 0 && io->submitted < CALLS && tick_credit(io->f->tick, io->source) > 0) {
        struct test_call *call = io->free[--io->free_count];
        call->number = io->submitted;
        call->key = keys[(unsigned)(io->submitted * 31) % KEYS];
        call->add = io->submitted % 5 + 1;
        call->answer = io->submitted % 11 == 0 ? ERR_CONDITION : 0; /* some fail after their write */
        call->call.on_undone = io->submitted % 11 == 0 ? call_undone : NULL;
        call->effects = io->submitted % 11 == 0 ? 0 : 1;
        if (call->call.on_undone)
            call->number = -io->submitted; /* call_undone answers with the negative of it */
        assert_int_equal(tick_submit(io->f->tick, &call->call), 0);
        io->submitted++;
    }
    tick_kick(io->f->tick, io->source);
}

static void *io_main(void *argument)
{
    struct io *io = argument;
    while (io->done < CALLS) {
        io_submit(io);
        loop_turn(io->loop, 1000);
    }
    return NULL;
}

static void io_init(struct io *io, struct fixture *f, unsigned source)
{
    struct err err = {0};
    memset(io, 0, sizeof(*io));
    io->f = f;
    io->source = source;
    io->ordered = true;
    must(loop_create(&io->loop, &err), &err);
    assert_int_equal(loop_inbox_add(io->loop, io_inbox, io), 0);
    for (int i = 0; i < WINDOW; i++) {
        call_init(&io->call[i], f, 0, NULL, 0);
        io->call[i].call.source = (uint16_t)source;
        io->call[i].call.lane = &io->lane;
        io->free[io->free_count++] = &io->call[i];
    }
    f->sink[source] = (struct tick_sink){.context = io, .loop = io->loop, .deliver = io_deliver, .on_done = io_done};
}

static void totals_are_exact(void **state)
{
    (void)state;
    static struct io io[THREADS];
    struct fixture *f = fixture_new();
    for (unsigned i = 0; i < THREADS; i++)
        io_init(&io[i], f, i);
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    for (int i = 0; i < THREADS; i++) {
        for (int c = 0; c < WINDOW; c++)
            io[i].call[c].table = f->table;
        assert_int_equal(pthread_create(&io[i].thread, NULL, io_main, &io[i]), 0);
    }
    int64_t sum = 0, total = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(io[i].thread, NULL);
        assert_int_equal(io[i].done, CALLS);
        assert_int_equal(io[i].answers, CALLS);
        assert_true(io[i].ordered);
        sum += io[i].sum;
    }
    tick_stop(f->tick);
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    const struct store_snapshot *snapshot = store_snapshot_acquire(f->store, 1);
    struct store_view view = {.store = f->store, .snapshot = snapshot, .now_s = clock_wall_ms() / 1000};
    for (int k = 0; k < KEYS; k++) {
        char key[2] = {(char)('a' + k), 0};
        int64_t value;
        assert_int_equal(value_read(&view, f->table, key, &arena, &value), 0);
        total += value;
    }
    store_snapshot_release(f->store, 1);
    arena_fini(&arena);
    assert_int_equal(total, sum);
    for (int i = 0; i < THREADS; i++) {
        for (int c = 0; c < WINDOW; c++)
            call_fini(&io[i].call[c]);
        loop_destroy(io[i].loop);
    }
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(totals_are_exact)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
