/* Durability: what leaves when, what happens when the disk is slow, full or broken, and what a restart finds. */
#include "tick/fixture.h"

#include <sys/wait.h>

static void nothing_is_delivered_before_it_is_durable(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct test_call write, read;
    uint64_t before = journal_durable(f->journal);
    call_init(&write, f, 1, "a", 1);
    call_init(&read, f, 2, "a", 0);
    disk_hold(&f->disk, true);
    submit(f, &write);
    kick(f);
    until_plain(atomic_load(&f->disk.waiting) == 1);
    submit(f, &read); /* reads what is not durable: must not be answered before */
    kick(f);
    drain(f);
    assert_int_equal(f->log[0].len, 0);
    assert_int_equal(journal_durable(f->journal), before);
    assert_int_equal(tick_durable(f->tick), before);
    disk_hold(&f->disk, false);
    until(f, write.done && read.done);
    assert_int_equal(read.seen, 1);
    assert_int_equal(journal_durable(f->journal), before + 1);
    assert_int_equal(tick_durable(f->tick), before + 1);
    assert_int_equal(write.call.sequence, before + 1);
    assert_int_equal(f->log[0].event[1].number, 1);
    assert_int_equal(f->log[0].event[3].number, 2);
    call_fini(&write);
    call_fini(&read);
    fixture_close(f);
}

static void the_snapshot_is_published_before_the_answer(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    for (int i = 1; i <= 50; i++) {
        int64_t value;
        assert_int_equal(add_to(f, "snap", 1), 0);
        const struct store_snapshot *snapshot = store_snapshot_acquire(f->store, 0);
        struct store_view view = {.store = f->store, .snapshot = snapshot, .now_s = clock_wall_ms() / 1000};
        assert_int_equal(value_read(&view, f->table, "snap", &arena, &value), 0);
        assert_int_equal(value, i);
        store_snapshot_release(f->store, 0);
        arena_reset(&arena);
    }
    arena_fini(&arena);
    fixture_close(f);
}

enum { PILED = 40 };

/* calls_max 2: the third call goes into the next tick while the first two are being synced; all the others are piled up. */
static void the_next_tick_is_staged_while_one_is_synced(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    f->config.calls_max = 2;
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    static struct test_call call[PILED];
    disk_hold(&f->disk, true);
    for (int i = 0; i < PILED; i++) {
        call_init(&call[i], f, i + 1, "pile", 1);
        submit(f, &call[i]);
    }
    kick(f);
    struct tick_stats stats;
    until_plain((tick_stats_read(f->tick, &stats), stats.calls == 1 + 4)); /* the definition, two in flight, two staged */
    drain(f);
    assert_int_equal(f->log[0].len, 0);
    disk_hold(&f->disk, false);
    until(f, f->log[0].done == PILED);
    assert_int_equal(call[2].seen, 2); /* it read through the tick in flight */
    tick_stats_read(f->tick, &stats);
    assert_true(stats.ticks >= PILED / 2);
    for (int i = 0; i < PILED; i++)
        call_fini(&call[i]);
    assert_int_equal(value_of(f, "pile"), PILED);
    fixture_close(f);
}

static void one_fsync_serves_what_piled_up(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    static struct test_call call[PILED];
    disk_hold(&f->disk, true);
    call_init(&call[0], f, 1, "g", 1);
    submit(f, &call[0]);
    kick(f);
    until_plain(atomic_load(&f->disk.waiting) == 1);
    int syncs = atomic_load(&f->disk.syncs);
    for (int i = 1; i < PILED; i++) {
        call_init(&call[i], f, i + 1, "g", 1);
        submit(f, &call[i]);
    }
    kick(f);
    disk_hold(&f->disk, false);
    until(f, f->log[0].done == PILED);
    assert_true(atomic_load(&f->disk.syncs) - syncs <= 3);
    for (int i = 0; i < PILED; i++)
        call_fini(&call[i]);
    fixture_close(f);
}

static void a_lonely_call_is_committed_by_the_state_thread(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct tick_stats before, after;
    tick_stats_read(f->tick, &before);
    for (int i = 0; i < 10; i++)
        assert_int_equal(add_to(f, "lonely", 1), 0);
    tick_stats_read(f->tick, &after);
    assert_true(after.inline_commits - before.inline_commits >= 10);
    assert_true(after.sync_p50_us >= 0 && after.sync_p99_us >= after.sync_p50_us);
    assert_true(after.tick_p99_us > 0);
    assert_int_equal(after.durable_sequence, after.applied_sequence);
    fixture_close(f);
}

static void reads_and_volatile_writes_cost_no_record(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    uint64_t last = journal_last(f->journal);
    int syncs = atomic_load(&f->disk.syncs);
    struct test_call call;
    call_init(&call, f, 1, "ghost", 1);
    call.table = f->ghosts;
    assert_int_equal(perform(f, &call), 0);
    call.done = false;
    assert_int_equal(perform(f, &call), 0);
    assert_int_equal(call.seen, 1);
    assert_int_equal(value_of(f, "nothing"), 0);
    assert_int_equal(journal_last(f->journal), last);
    assert_int_equal(atomic_load(&f->disk.syncs), syncs);
    fixture_restart(f);
    call.done = false;
    call.table = f->ghosts;
    assert_int_equal(perform(f, &call), 0);
    assert_int_equal(call.seen, 0); /* no connection outlives its process */
    call_fini(&call);
    fixture_close(f);
}

static void a_full_disk_refuses_writes_serves_reads_and_heals(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    assert_int_equal(add_to(f, "d", 5), 0);
    atomic_store(&f->disk.full, true);
    until_plain(tick_writable(f->tick) == ERR_DISK_FULL);
    uint64_t last = journal_last(f->journal);
    struct test_call write;
    call_init(&write, f, 1, "d", 1);
    write.call.on_undone = call_undone;
    assert_int_equal(perform(f, &write), ERR_DISK_FULL);
    assert_int_equal(f->log[0].event[f->log[0].len - 2].number, -1);
    assert_int_equal(value_of(f, "d"), 5);
    struct test_call ghost;
    call_init(&ghost, f, 2, "ghost", 1);
    ghost.table = f->ghosts;
    assert_int_equal(perform(f, &ghost), 0); /* needs no space in the journal */
    assert_int_equal(journal_last(f->journal), last);
    atomic_store(&f->disk.full, false);
    until_plain(tick_writable(f->tick) == 0);
    assert_int_equal(add_to(f, "d", 1), 0);
    assert_int_equal(value_of(f, "d"), 6);
    call_fini(&write);
    call_fini(&ghost);
    fixture_close(f);
}

static struct fixture *filling;
static int fill_disk(struct tick *tick, struct test_call *call)
{
    (void)call;
    if (!atomic_exchange(&filling->disk.full, true))
        until_plain(tick_writable(tick) == ERR_DISK_FULL);
    return 0;
}

/* The disk fills up while a tick is being made: it is not sealed, its calls run again, writers are refused and readers see none of it. */
static void a_tick_that_cannot_be_appended_is_undone_as_a_whole(void **state)
{
    (void)state;
    struct fixture *f = filling = fixture_open();
    struct test_call call[4];
    disk_hold(&f->disk, true);
    call_init(&call[0], f, 1, "u", 1);
    submit(f, &call[0]);
    kick(f);
    until_plain(atomic_load(&f->disk.waiting) == 1);
    for (int i = 1; i < 4; i++) {
        call_init(&call[i], f, i + 1, "u", i == 2 ? 0 : 10);
        call[i].call.on_undone = call_undone;
        call[i].body = i == 3 ? fill_disk : NULL;
        submit(f, &call[i]);
    }
    kick(f);
    disk_hold(&f->disk, false);
    until(f, f->log[0].done == 4);
    assert_int_equal(call[0].call.code, 0);
    assert_int_equal(call[1].call.code, ERR_DISK_FULL);
    assert_int_equal(call[2].call.code, 0);
    assert_int_equal(call[2].seen, 1); /* not the 11 of its first run */
    assert_int_equal(call[3].call.code, ERR_DISK_FULL);
    assert_int_equal(call[1].call.runs, 2);
    atomic_store(&f->disk.full, false);
    until_plain(tick_writable(f->tick) == 0);
    assert_int_equal(value_of(f, "u"), 1);
    for (int i = 0; i < 4; i++)
        call_fini(&call[i]);
    fixture_close(f);
}

/* Space was there at the seal and is gone at the write: the tick waits, nothing is lost, nothing is announced. */
static void a_write_without_space_is_waited_out(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct test_call call;
    call_init(&call, f, 1, "w", 1);
    atomic_store(&f->disk.write_error, ENOSPC);
    submit(f, &call);
    kick(f);
    until_plain(tick_writable(f->tick) == ERR_DISK_FULL);
    drain(f);
    assert_false(call.done);
    atomic_store(&f->disk.write_error, 0);
    until(f, call.done);
    assert_int_equal(call.call.code, 0);
    until_plain(tick_writable(f->tick) == 0);
    assert_int_equal(value_of(f, "w"), 1);
    call_fini(&call);
    fixture_restart(f);
    assert_int_equal(value_of(f, "w"), 1);
    fixture_close(f);
}

static void on_fatal(void *context, const char *text)
{
    (void)context;
    _exit(strstr(text, "sync") ? 77 : 78);
}

static void a_failed_fsync_ends_the_process(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct fixture *f = fixture_new();
        f->config.on_fatal = on_fatal;
        fixture_open_data(f, (struct journal_config){0});
        fixture_start(f);
        atomic_store(&f->disk.sync_error, EIO);
        nftw(f->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS); /* open files stay usable, and nothing is left behind */
        struct test_call call;
        call_init(&call, f, 1, "x", 1);
        submit(f, &call);
        kick(f);
        for (int i = 0; i < 60000; i++)
            usleep(1000);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 77);
}

/* The tables are thrown away: everything comes back from the journal, and sequences go on where they were. */
static void the_journal_alone_brings_everything_back(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    for (int i = 0; i < 200; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%d", i % 50);
        assert_int_equal(add_to(f, key, i), 0);
    }
    uint64_t last = journal_last(f->journal);
    fixture_stop(f);
    nftw(f->tables, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    fixture_open_data(f, (struct journal_config){0});
    assert_int_equal(f->replayed, last);
    assert_int_equal(store_applied(f->store), last);
    fixture_start(f);
    for (int i = 0; i < 50; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(value_of(f, key), i * 4 + 50 + 100 + 150);
    }
    struct store_report report;
    assert_int_equal(store_verify(f->store, &report), 0);
    assert_int_equal(report.damaged, 0);
    assert_int_equal(store_table_count(f->table), 50);
    fixture_close(f);
}

static void folders_that_do_not_belong_together_are_refused(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    for (int i = 0; i < 5; i++)
        assert_int_equal(add_to(f, "a", 1), 0);
    fixture_stop(f);
    nftw(f->records, remove_entry, 16, FTW_DEPTH | FTW_PHYS); /* tables of one, journal of another */
    struct err err = {0};
    struct store_config store = {.folder = f->tables, .cache_bytes = 8 << 20, .write_buffer_bytes = 16 << 20};
    struct journal_config journal = {.folder = f->records, .segment_bytes = 1 << 20, .files = &f->disk.ops};
    must(store_open(&f->store, &store, &err), &err);
    must(journal_open(&f->journal, &journal, &err), &err);
    assert_int_equal(tick_recover(f->store, f->journal, NULL, &err), ERR_CORRUPT);
    fixture_close(f);
}

static void records_are_parsed_whole_and_refused_when_cut(void **state)
{
    (void)state;
    const char bytes[] = {1, 0, 0, 1, (char)0x8b, (char)0xcf, (char)0xe5, 0x68, 0, 0, 0, 0, 7, 'x', 'y'};
    struct tick_record record;
    assert_int_equal(tick_record_parse(text_make(bytes, sizeof(bytes)), &record), 0);
    assert_int_equal(record.time_ms, INT64_C(1700000000000));
    assert_int_equal(record.calls, 7);
    assert_true(text_is(record.store, "xy"));
    for (size_t len = 0; len < TICK_RECORD_HEADER; len++)
        assert_int_equal(tick_record_parse(text_make(bytes, len), &record), ERR_CORRUPT);
    char other[sizeof(bytes)];
    memcpy(other, bytes, sizeof(bytes));
    other[0] = 2;
    assert_int_equal(tick_record_parse(text_make(other, sizeof(other)), &record), ERR_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_fsync_ends_the_process), /* first: it forks */
        cmocka_unit_test(nothing_is_delivered_before_it_is_durable),
        cmocka_unit_test(the_snapshot_is_published_before_the_answer),
        cmocka_unit_test(the_next_tick_is_staged_while_one_is_synced),
        cmocka_unit_test(one_fsync_serves_what_piled_up),
        cmocka_unit_test(a_lonely_call_is_committed_by_the_state_thread),
        cmocka_unit_test(reads_and_volatile_writes_cost_no_record),
        cmocka_unit_test(a_full_disk_refuses_writes_serves_reads_and_heals),
        cmocka_unit_test(a_tick_that_cannot_be_appended_is_undone_as_a_whole),
        cmocka_unit_test(a_write_without_space_is_waited_out),
        cmocka_unit_test(the_journal_alone_brings_everything_back),
        cmocka_unit_test(folders_that_do_not_belong_together_are_refused),
        cmocka_unit_test(records_are_parsed_whole_and_refused_when_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
