/*
 * A tick over a real journal and real tables in a temporary folder, with a file system whose fsync can be held and whose disk can be full. Sinks are
 * drained by the test itself, so it decides what is delivered when. Nothing sleeps for luck: until() drains and looks until a condition
 * holds, and fails after ten seconds.
 */
#ifndef WEIR_TESTS_TICK_FIXTURE_H
#define WEIR_TESTS_TICK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "tick/tick.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIXTURE_SINKS 3
#define FIXTURE_LOG 65536

struct disk {
    struct journal_file_ops ops;
    const struct journal_file_ops *real;
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool held;                /* datasync waits */
    atomic_int waiting;       /* in a held datasync */
    atomic_int syncs;
    atomic_bool full;         /* no free space */
    atomic_int write_error;   /* what pwrite answers */
    atomic_int sync_error;
};

struct event {
    char what; /* 'e'ffect, 'd'one */
    int number;
};

struct sink_log {
    struct event event[FIXTURE_LOG];
    size_t len, done;
};

struct fixture {
    char folder[64], tables[96], records[96];
    struct disk disk;
    struct journal *journal;
    struct store *store;
    struct worker_pool *workers;
    struct tick *tick;
    struct tick_config config;
    struct tick_sink sink[FIXTURE_SINKS];
    struct sink_log log[FIXTURE_SINKS];
    const struct store_table *table, *ghosts;
    atomic_int dropped;
    uint64_t replayed;
    size_t cache_bytes; /* 0: 8 MiB */
    void *extra;
};

static int disk_sync(void *context, int handle)
{
    struct disk *disk = context;
    pthread_mutex_lock(&disk->lock);
    while (disk->held) {
        atomic_fetch_add(&disk->waiting, 1);
        pthread_cond_wait(&disk->opened, &disk->lock);
        atomic_fetch_sub(&disk->waiting, 1);
    }
    pthread_mutex_unlock(&disk->lock);
    atomic_fetch_add(&disk->syncs, 1);
    int error = atomic_load(&disk->sync_error);
    return error ? -error : disk->real->datasync(disk->real->context, handle);
}

static ssize_t disk_write(void *context, int handle, const void *data, size_t len, uint64_t offset)
{
    struct disk *disk = context;
    int error = atomic_load(&disk->write_error);
    return error ? -error : disk->real->pwrite(disk->real->context, handle, data, len, offset);
}

static int disk_free(void *context, const char *folder, uint64_t *bytes)
{
    struct disk *disk = context;
    int rc = disk->real->folder_free(disk->real->context, folder, bytes);
    if (atomic_load(&disk->full))
        *bytes = 0;
    return rc;
}

static inline void disk_hold(struct disk *disk, bool held)
{
    pthread_mutex_lock(&disk->lock);
    disk->held = held;
    pthread_cond_broadcast(&disk->opened);
    pthread_mutex_unlock(&disk->lock);
}

static inline void disk_init(struct disk *disk)
{
    disk->real = journal_files_real();
    disk->ops = *disk->real;
    disk->ops.context = disk; /* the real ones do not look at it */
    disk->ops.datasync = disk_sync;
    disk->ops.pwrite = disk_write;
    disk->ops.folder_free = disk_free;
    pthread_mutex_init(&disk->lock, NULL);
    pthread_cond_init(&disk->opened, NULL);
}

/* ---- calls ---- */

struct test_call {
    struct tick_call call;
    struct fixture *fixture;
    struct arena arena;
    int number;
    int answer;               /* what run() answers at its end */
    const char *key;          /* NULL: writes nothing */
    int64_t add;
    const struct store_table *table;
    int (*body)(struct tick *tick, struct test_call *call);
    unsigned effects;         /* emitted to its own sink */
    size_t effect_bytes;
    bool done;
    int64_t seen;             /* the value before */
};

struct effect {
    struct fixture *fixture;
    int number;
    atomic_int refs;
};

static inline void effect_unref(struct effect *effect)
{
    if (atomic_fetch_sub(&effect->refs, 1) == 1)
        free(effect);
}

static inline struct effect *effect_new(struct fixture *f, int number, int refs)
{
    struct effect *effect = calloc(1, sizeof(*effect));
    assert_non_null(effect);
    effect->fixture = f;
    effect->number = number;
    atomic_init(&effect->refs, refs);
    return effect;
}

static void fixture_drop(void *pointer)
{
    struct effect *effect = pointer;
    atomic_fetch_add(&effect->fixture->dropped, 1);
    effect_unref(effect);
}

static void fixture_note(struct sink_log *log, char what, int number)
{
    assert_true(log->len < FIXTURE_LOG);
    log->event[log->len++] = (struct event){what, number};
}

static void fixture_deliver(void *context, void *pointer)
{
    struct effect *effect = pointer;
    fixture_note(context, 'e', effect->number);
    effect_unref(effect);
}

static void fixture_done(void *context, struct tick_call *base)
{
    struct test_call *call = (struct test_call *)base;
    struct sink_log *log = context;
    fixture_note(log, 'd', call->number);
    log->done++;
    call->done = true;
}

/* The number of an item: 0 when there is none. */
static inline int value_read(struct store_view *view, const struct store_table *table, const char *key, struct arena *arena, int64_t *value)
{
    const struct attr *item = NULL;
    struct attr *wanted = item_create(arena);
    item_set_string(arena, wanted, TEXT("id"), text_of(key));
    *value = 0;
    int rc = store_get(view, table, wanted, arena, &item);
    if (rc == ERR_NOT_FOUND)
        return 0;
    return rc != 0 ? rc : attr_to_i64(item_get(item, TEXT("n")), value);
}

static inline int value_write(struct store_view *view, const struct store_table *table, const char *key, int64_t value, int64_t ttl, struct arena *arena)
{
    struct attr *item = item_create(arena);
    item_set_string(arena, item, TEXT("id"), text_of(key));
    item_set_i64(arena, item, TEXT("n"), value);
    if (ttl)
        item_set_i64(arena, item, TEXT("ttl"), ttl);
    return store_put(view, table, item, 0, arena, NULL, NULL);
}

static int call_run(struct tick *tick, struct tick_call *base)
{
    struct test_call *call = (struct test_call *)base;
    struct fixture *f = call->fixture;
    for (unsigned i = 0; i < call->effects; i++) {
        struct effect *effect = effect_new(f, call->number, 1);
        assert_int_equal(tick_emit(tick, base->source, effect, call->effect_bytes), 0);
    }
    if (call->key) {
        int rc = value_read(tick_view(tick), call->table, call->key, base->arena, &call->seen);
        if (rc == 0 && call->add)
            rc = value_write(tick_view(tick), call->table, call->key, call->seen + call->add, 0, base->arena);
        if (rc != 0)
            return rc;
    }
    if (call->body) {
        int rc = call->body(tick, call);
        if (rc != 0)
            return rc;
    }
    return call->answer;
}

/* The error answer of an undone call is an effect with a negative number. */
static inline void call_undone(struct tick *tick, struct tick_call *base, int code)
{
    struct test_call *call = (struct test_call *)base;
    (void)code;
    struct effect *effect = effect_new(call->fixture, -call->number, 1);
    assert_int_equal(tick_emit(tick, base->source, effect, 10), 0);
}

static inline void call_init(struct test_call *call, struct fixture *f, int number, const char *key, int64_t add)
{
    memset(call, 0, sizeof(*call));
    call->fixture = f;
    call->number = number;
    call->key = key;
    call->add = add;
    call->table = f->table;
    call->effects = 1;
    call->effect_bytes = 10;
    call->call.run = call_run;
    arena_init(&call->arena, 4096, 4 << 20);
    call->call.arena = &call->arena;
}

static inline void call_fini(struct test_call *call)
{
    arena_fini(&call->arena);
}

static inline void submit(struct fixture *f, struct test_call *call)
{
    assert_int_equal(tick_submit(f->tick, &call->call), 0);
}

static inline void kick(struct fixture *f)
{
    for (unsigned i = 0; i < f->config.sources; i++)
        tick_kick(f->tick, i);
}

static inline void drain(struct fixture *f)
{
    for (unsigned i = 0; i < f->config.sources; i++)
        while (tick_drain(f->tick, i) > 0)
            ;
}

/* Looks for up to a real minute. */
#define until_plain(condition)                                                                                                   \
    do {                                                                                                                         \
        int left_ = 600000;                                                                                                      \
        while (!(condition) && left_-- > 0)                                                                                      \
            usleep(100);                                                                                                         \
        assert_true(condition);                                                                                                  \
    } while (0)
#define until(f, condition) until_plain((drain(f), (condition)))

/* Submits one call, waits for it, answers its code. */
static inline int perform(struct fixture *f, struct test_call *call)
{
    submit(f, call);
    kick(f);
    until(f, call->done);
    return call->call.code;
}

static inline int64_t value_of(struct fixture *f, const char *key)
{
    struct test_call call;
    call_init(&call, f, 999999, key, 0);
    call.effects = 0;
    assert_int_equal(perform(f, &call), 0);
    call_fini(&call);
    return call.seen;
}

static inline int add_to(struct fixture *f, const char *key, int64_t add)
{
    struct test_call call;
    call_init(&call, f, 888888, key, add);
    call.effects = 0;
    int code = perform(f, &call);
    call_fini(&call);
    return code;
}

/* ---- life ---- */

static int define_tables(struct tick *tick, struct tick_call *base)
{
    struct fixture *f = ((struct test_call *)base)->fixture;
    struct err err = {0};
    struct store_table_decl items = {.name = TEXT("items"), .hash = TEXT("id"), .hash_type = ATTR_STRING, .ttl = TEXT("ttl"), .changes = true};
    struct store_table_decl ghosts = {.name = TEXT("ghosts"), .hash = TEXT("id"), .hash_type = ATTR_STRING, .volatile_rows = true};
    int rc = store_table_define(tick_stage(tick), &items, &f->table, &err);
    return rc != 0 ? rc : store_table_define(tick_stage(tick), &ghosts, &f->ghosts, &err);
}

static inline void must(int rc, const struct err *err)
{
    if (rc != 0)
        print_error("%s: %s\n", err_name(rc), err->text);
    assert_int_equal(rc, 0);
}

static inline void fixture_open_data(struct fixture *f, struct journal_config journal)
{
    struct err err = {0};
    struct store_config store = {.folder = f->tables, .cache_bytes = f->cache_bytes ? f->cache_bytes : 8 << 20, .write_buffer_bytes = 16 << 20};
    must(store_open(&f->store, &store, &err), &err);
    journal.folder = f->records;
    journal.segment_bytes = journal.segment_bytes ? journal.segment_bytes : 1 << 20;
    journal.reserve_bytes = 1 << 20;
    journal.files = &f->disk.ops;
    journal.known_durable = store_applied(f->store);
    must(journal_open(&f->journal, &journal, &err), &err);
    must(tick_recover(f->store, f->journal, &f->replayed, &err), &err);
    f->config.store = f->store;
    f->config.journal = f->journal;
}

static inline void fixture_start(struct fixture *f)
{
    struct err err = {0};
    struct test_call define;
    must(tick_create(&f->tick, &f->config, &err), &err);
    call_init(&define, f, 0, NULL, 0);
    define.call.run = define_tables;
    must(tick_run_now(f->tick, &define.call, &err), &err);
    call_fini(&define);
    must(tick_start(f->tick, &err), &err);
}

static inline void fixture_stop(struct fixture *f)
{
    if (f->tick) {
        tick_stop(f->tick);
        drain(f);
        tick_destroy(f->tick);
        f->tick = NULL;
    }
    if (f->journal)
        journal_close(f->journal);
    if (f->store)
        store_close(f->store);
    f->journal = NULL;
    f->store = NULL;
}

static inline void fixture_restart(struct fixture *f)
{
    fixture_stop(f);
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
}

static inline struct fixture *fixture_new(void)
{
    struct err err = {0};
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    log_level_set(LOG_ERROR);
    strcpy(f->folder, "/tmp/weir-tick-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->tables, sizeof(f->tables), "%s/tables", f->folder);
    snprintf(f->records, sizeof(f->records), "%s/journal", f->folder);
    disk_init(&f->disk);
    must(worker_pool_create(&f->workers, 1, 64, &err), &err);
    for (int i = 0; i < FIXTURE_SINKS; i++)
        f->sink[i] = (struct tick_sink){.context = &f->log[i], .deliver = fixture_deliver, .on_done = fixture_done};
    f->config = (struct tick_config){.workers = f->workers, .sources = FIXTURE_SINKS, .sinks = f->sink, .effect_drop = fixture_drop, .context = f};
    return f;
}

static inline struct fixture *fixture_open(void)
{
    struct fixture *f = fixture_new();
    fixture_open_data(f, (struct journal_config){0});
    fixture_start(f);
    return f;
}

static int remove_entry(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
    (void)stat;
    (void)flag;
    (void)walk;
    return remove(path);
}

static inline void fixture_close(struct fixture *f)
{
    fixture_stop(f);
    worker_pool_destroy(f->workers);
    nftw(f->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    assert_int_equal(counter_read(COUNTER_tick_calls_waiting), 0);
    pthread_mutex_destroy(&f->disk.lock);
    pthread_cond_destroy(&f->disk.opened);
    free(f);
}

#endif
