/*
 * Cold blocks: a call waits for a worker, its lane waits behind it, the others go on. After a restart nothing is in the cache (closing has flushed). The
 * only worker can be blocked, so the test decides when a block becomes warm.
 */
#include "tick/fixture.h"

enum { ROWS = 3000, FILLER = 300 };

/* ---- a worker that waits ---- */

struct blocker {
    struct worker_job job;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool begun, released;
};

static void blocker_run(struct worker_job *job)
{
    struct blocker *blocker = LIST_ENTRY(job, struct blocker, job);
    pthread_mutex_lock(&blocker->lock);
    blocker->begun = true;
    pthread_cond_broadcast(&blocker->changed);
    while (!blocker->released)
        pthread_cond_wait(&blocker->changed, &blocker->lock);
    pthread_mutex_unlock(&blocker->lock);
}

static void worker_block(struct fixture *f, struct blocker *blocker)
{
    memset(blocker, 0, sizeof(*blocker));
    blocker->job.run = blocker_run;
    pthread_mutex_init(&blocker->lock, NULL);
    pthread_cond_init(&blocker->changed, NULL);
    int rc = ERR_AGAIN;
    while (rc == ERR_AGAIN)
        rc = worker_submit(f->workers, &blocker->job);
    assert_int_equal(rc, 0);
    pthread_mutex_lock(&blocker->lock);
    while (!blocker->begun)
        pthread_cond_wait(&blocker->changed, &blocker->lock);
    pthread_mutex_unlock(&blocker->lock);
}

static void worker_release(struct blocker *blocker)
{
    pthread_mutex_lock(&blocker->lock);
    blocker->released = true;
    pthread_cond_broadcast(&blocker->changed);
    pthread_mutex_unlock(&blocker->lock);
}

/* ---- rows on the disk ---- */

static const char *row_name(int i)
{
    static char name[8][16];
    static int turn;
    turn = (turn + 1) % 8;
    snprintf(name[turn], sizeof(name[0]), "row%05d", i);
    return name[turn];
}

/* Each with some filler, so that neighbours are in other blocks. */
static int write_rows(struct tick *tick, struct test_call *call)
{
    char filler[FILLER + 1];
    for (int i = 0; i < ROWS; i++) {
        struct arena_mark mark = arena_mark(call->call.arena);
        for (int k = 0; k < FILLER; k++)
            filler[k] = (char)('a' + (i * 31 + k * k * 7) % 26);
        struct attr *item = item_create(call->call.arena);
        item_set_string(call->call.arena, item, TEXT("id"), text_of(row_name(i)));
        item_set_i64(call->call.arena, item, TEXT("n"), i);
        item_set_string(call->call.arena, item, TEXT("filler"), text_make(filler, FILLER));
        int rc = store_put(tick_view(tick), call->fixture->table, item, STORE_FRESH, call->call.arena, NULL, NULL);
        if (rc != 0)
            return rc;
        arena_rewind(call->call.arena, mark);
    }
    return 0;
}

static struct fixture *cold_open(size_t cache_bytes, bool with_workers)
{
    struct fixture *f = fixture_new();
    struct worker_pool *workers = f->config.workers;
    struct test_call write;
    f->cache_bytes = cache_bytes;
    f->config.workers = with_workers ? workers : NULL;
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    call_init(&write, f, 1, NULL, 0);
    write.effects = 0;
    write.body = write_rows;
    assert_int_equal(perform(f, &write), 0);
    call_fini(&write);
    fixture_restart(f);
    for (int i = 0; i < FIXTURE_SINKS; i++)
        f->log[i].len = f->log[i].done = 0;
    return f;
}

static int64_t restarts(void)
{
    return counter_read(COUNTER_tick_cold_restarts);
}

static void assert_event(const struct fixture *f, size_t at, char what, int number)
{
    assert_true(at < f->log[0].len);
    assert_int_equal(f->log[0].event[at].what, what);
    assert_int_equal(f->log[0].event[at].number, number);
}

/* ---- tests ---- */

static void a_cold_lane_waits_and_others_overtake_it(void **state)
{
    (void)state;
    struct fixture *f = cold_open(0, true);
    struct blocker blocker;
    struct tick_lane lane = {0}, other = {0};
    struct test_call cold, behind, last, quick;
    int64_t before = restarts();
    call_init(&cold, f, 1, row_name(1777), 1000);
    call_init(&behind, f, 2, row_name(700), 1000); /* cold, too: in another block */
    call_init(&last, f, 3, NULL, 0);
    call_init(&quick, f, 4, NULL, 0);
    cold.call.lane = behind.call.lane = last.call.lane = &lane;
    quick.call.lane = &other;
    worker_block(f, &blocker);
    submit(f, &cold);
    submit(f, &behind);
    submit(f, &last);
    submit(f, &quick);
    kick(f);
    until(f, quick.done);
    assert_int_equal(restarts(), before + 1);
    assert_false(cold.done || behind.done || last.done);
    assert_int_equal(behind.call.runs, 0);
    worker_release(&blocker);
    until(f, cold.done && behind.done && last.done);
    for (int i = 0; i < 4; i++) { /* one effect and one end each, the lane in its order */
        int number = i == 0 ? 4 : i;
        assert_event(f, (size_t)i * 2, 'e', number);
        assert_event(f, (size_t)i * 2 + 1, 'd', number);
    }
    assert_int_equal(f->log[0].len, 8);
    assert_int_equal(cold.seen, 1777);
    assert_int_equal(cold.call.runs, 2);
    assert_int_equal(behind.seen, 700);
    assert_int_equal(behind.call.runs, 2);
    assert_int_equal(restarts(), before + 2);
    assert_false(lane.cold || lane.parked_first || lane.parked_last);
    assert_int_equal(value_of(f, row_name(1777)), 2777);
    assert_int_equal(value_of(f, row_name(700)), 1700);
    call_fini(&cold);
    call_fini(&behind);
    call_fini(&last);
    call_fini(&quick);
    fixture_close(f);
}

static void calls_without_a_lane_wait_alone(void **state)
{
    (void)state;
    struct fixture *f = cold_open(0, true);
    struct blocker blocker;
    struct test_call cold, quick;
    call_init(&cold, f, 1, row_name(900), 1);
    call_init(&quick, f, 2, NULL, 0);
    worker_block(f, &blocker);
    submit(f, &cold);
    submit(f, &quick);
    kick(f);
    until(f, quick.done);
    assert_false(cold.done);
    worker_release(&blocker);
    until(f, cold.done);
    assert_int_equal(cold.seen, 900);
    call_fini(&cold);
    call_fini(&quick);
    fixture_close(f);
}

static void without_workers_the_state_thread_reads_the_disk(void **state)
{
    (void)state;
    struct fixture *f = cold_open(0, false);
    struct tick_lane lane = {0};
    struct test_call cold, next;
    int64_t before = restarts();
    call_init(&cold, f, 1, row_name(1777), 1);
    call_init(&next, f, 2, row_name(1777), 1);
    cold.call.lane = next.call.lane = &lane;
    submit(f, &cold);
    submit(f, &next);
    kick(f);
    until(f, next.done);
    assert_int_equal(restarts(), before + 1);
    assert_int_equal(cold.call.runs, 2);
    assert_int_equal(next.seen, 1778);
    call_fini(&cold);
    call_fini(&next);
    fixture_close(f);
}

static int cold_by_itself(struct tick *tick, struct test_call *call)
{
    (void)call;
    return tick_view(tick)->cache_only ? ERR_COLD : 0; /* nothing tells which row */
}

static void a_cold_call_that_names_no_row_runs_at_once(void **state)
{
    (void)state;
    struct fixture *f = cold_open(0, true);
    struct blocker blocker;
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    call.body = cold_by_itself;
    worker_block(f, &blocker);
    assert_int_equal(perform(f, &call), 0);
    assert_int_equal(call.call.runs, 2);
    worker_release(&blocker);
    call_fini(&call);
    fixture_close(f);
}

static int cold_after_a_look(struct tick *tick, struct test_call *call)
{
    int64_t value;
    struct store_view *view = tick_view(tick);
    int rc = value_read(view, call->fixture->table, row_name(100 * call->call.runs), call->call.arena, &value); /* another block each time */
    return rc != 0 ? rc : view->cache_only ? ERR_COLD : 0;
}

static void a_call_that_never_gets_warm_ends_on_the_state_thread(void **state)
{
    (void)state;
    struct fixture *f = cold_open(0, true);
    struct test_call call;
    call_init(&call, f, 1, NULL, 0);
    call.body = cold_after_a_look;
    assert_int_equal(perform(f, &call), 0);
    assert_true(call.call.runs > 2 && call.call.runs <= 12);
    assert_int_equal(f->log[0].len, 2);
    call_fini(&call);
    fixture_close(f);
}

enum { LANES = 16, CALLS = 1500, KEYS = 97 };

/* With hardly any cache nearly every call is cold: each key belongs to one lane, so what a call sees tells whether the order was kept. */
static void many_lanes_keep_their_order_with_a_tiny_cache(void **state)
{
    (void)state;
    struct fixture *f = cold_open(64 << 10, true);
    static struct test_call call[CALLS];
    static struct tick_lane lane[LANES];
    int times[ROWS] = {0}, delivered[LANES] = {0};
    int64_t before = restarts();
    memset(lane, 0, sizeof(lane));
    for (int i = 0; i < CALLS; i++) {
        int number = (i * 7919) % LANES, row = number + LANES * ((i * 31) % (ROWS / LANES));
        call_init(&call[i], f, i + 1, row_name(row), 10000);
        call[i].key = strdup(row_name(row));
        call[i].answer = i % 11 == 10 ? ERR_CONDITION : 0; /* undone: nobody sees it */
        call[i].call.lane = &lane[number];
        submit(f, &call[i]);
        if (i % 50 == 0)
            kick(f);
    }
    kick(f);
    until(f, f->log[0].done == CALLS);
    assert_true(restarts() > before + LANES);
    for (int i = 0; i < CALLS; i++) {
        int row = atoi(call[i].key + 3);
        assert_int_equal(call[i].call.code, call[i].answer);
        assert_int_equal(call[i].seen, row + 10000 * times[row]);
        times[row] += call[i].answer == 0;
    }
    for (size_t i = 0; i < f->log[0].len; i++) {
        if (f->log[0].event[i].what != 'd')
            continue;
        int number = f->log[0].event[i].number, at = ((number - 1) * 7919) % LANES;
        assert_true(number > delivered[at]);
        delivered[at] = number;
    }
    for (int i = 0; i < LANES; i++)
        assert_false(lane[i].cold || lane[i].parked_first);
    for (int i = 0; i < CALLS; i++) {
        free((char *)call[i].key);
        call_fini(&call[i]);
    }
    fixture_close(f);
}

static void *stop_main(void *argument)
{
    tick_stop(argument);
    return NULL;
}

static void stopping_finishes_parked_calls(void **state)
{
    (void)state;
    struct fixture *f = cold_open(0, true);
    struct blocker blocker;
    struct tick_lane lane = {0};
    struct test_call call[10];
    struct test_call quick;
    pthread_t stopper;
    worker_block(f, &blocker);
    for (int i = 0; i < 10; i++) {
        call_init(&call[i], f, i + 1, row_name(2000), 1);
        call[i].call.lane = &lane;
        submit(f, &call[i]);
    }
    call_init(&quick, f, 99, NULL, 0);
    submit(f, &quick);
    kick(f);
    until(f, quick.done);
    assert_int_equal(pthread_create(&stopper, NULL, stop_main, f->tick), 0);
    for (quick.done = false; tick_submit(f->tick, &quick.call) != ERR_CLOSED; quick.done = false) { /* until it is closing */
        kick(f);
        until(f, quick.done);
    }
    assert_false(call[0].done);
    worker_release(&blocker);
    pthread_join(stopper, NULL);
    drain(f);
    for (int i = 0; i < 10; i++) {
        assert_true(call[i].done);
        assert_int_equal(call[i].call.code, 0);
        assert_int_equal(call[i].seen, 2000 + i);
        call_fini(&call[i]);
    }
    fixture_restart(f);
    assert_int_equal(value_of(f, row_name(2000)), 2010);
    call_fini(&quick);
    fixture_close(f);
}

static void a_full_disk_refuses_what_was_parked(void **state)
{
    (void)state;
    struct fixture *f = cold_open(0, true);
    struct blocker blocker;
    struct tick_lane lane = {0};
    struct test_call cold, read, quick;
    call_init(&cold, f, 1, row_name(1500), 1);
    call_init(&read, f, 2, row_name(1500), 0);
    call_init(&quick, f, 3, NULL, 0);
    cold.call.lane = read.call.lane = &lane;
    worker_block(f, &blocker);
    submit(f, &cold);
    submit(f, &read);
    submit(f, &quick);
    kick(f);
    until(f, quick.done);
    atomic_store(&f->disk.full, true);
    until(f, tick_writable(f->tick) == ERR_DISK_FULL);
    worker_release(&blocker);
    until(f, cold.done && read.done);
    assert_int_equal(cold.call.code, ERR_DISK_FULL);
    assert_int_equal(read.call.code, 0);
    assert_int_equal(read.seen, 1500);
    atomic_store(&f->disk.full, false);
    call_fini(&cold);
    call_fini(&read);
    call_fini(&quick);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cold_lane_waits_and_others_overtake_it),
        cmocka_unit_test(calls_without_a_lane_wait_alone),
        cmocka_unit_test(without_workers_the_state_thread_reads_the_disk),
        cmocka_unit_test(a_cold_call_that_names_no_row_runs_at_once),
        cmocka_unit_test(a_call_that_never_gets_warm_ends_on_the_state_thread),
        cmocka_unit_test(many_lanes_keep_their_order_with_a_tiny_cache),
        cmocka_unit_test(stopping_finishes_parked_calls),
        cmocka_unit_test(a_full_disk_refuses_what_was_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
