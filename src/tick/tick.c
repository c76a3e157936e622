/*
 * The tick's life and the state thread's loop.
 *
 * A turn of the loop: take note of a landed flight, run deferred calls that are due, calls whose blocks are warm now, calls from the rings, sweep when it is time,
 * commit when there is something and nobody is in flight. While a tick is in flight the current one goes on admitting calls up to its bounds: that is the group commit, and it needs
 * no timer: a tick is as large as one fsync is long.
 *
 * Sources are served in turns of a few calls, and each pass begins with another source, so a loud one does not starve the rest.
 */
#include "tick/inside.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { TURN_CALLS = 8 };
#define OWN_ARENA_FIRST ((size_t)256 << 10)
#define OWN_ARENA_LIMIT ((size_t)64 << 20)
#define CREDIT_MAX ((size_t)1 << 20)

/* ---- admission ---- */

enum admission { ADMIT_EMPTY, ADMIT_FULL, ADMIT_HELD };

static bool is_full(const struct tick *tick)
{
    const struct batch *batch = tick->current;
    const struct tick_config *config = &tick->config;
    return batch->begun && (batch->calls >= config->calls_max || batch->emits_len >= TICK_EMITS_MAX ||
                               store_stage_bytes(batch->stage) + tick->notes.bytes >= config->bytes_max);
}

static bool is_late(const struct tick *tick)
{
    const struct batch *batch = tick->current;
    return batch->begun && clock_mono_ns() - batch->began_ns >= tick->config.busy_max_us * 1000;
}

/* A few calls of one source; how many. */
static int admit_turn(struct tick *tick, struct edge *edge, unsigned source)
{
    int taken = 0;
    while (taken < TURN_CALLS && !is_full(tick) && batch_reserve(tick, source) == 0) {
        struct tick_call *call = ring_pop(edge->calls);
        if (!call)
            break;
        edge->popped++;
        call_take(tick, call);
        taken++;
    }
    return taken;
}

/* The time bound counts only while the commit is free: behind a flight a larger tick costs nobody anything. */
static enum admission admit(struct tick *tick)
{
    unsigned count = tick->config.sources, idle = 0;
    while (idle < count) {
        if (edge_held(tick))
            return ADMIT_HELD;
        if (is_full(tick) || (!tick->flight && is_late(tick)))
            return ADMIT_FULL;
        unsigned source = tick->turn;
        tick->turn = (source + 1) % count;
        idle = ring_count(tick->edge[source].calls) > 0 && admit_turn(tick, &tick->edge[source], source) > 0 ? 0 : idle + 1;
        if (tick->flight)
            commit_absorb(tick);
    }
    return ADMIT_EMPTY;
}

/* Calls that waited for a worker, before new ones: within the same bounds. */
static void resume(struct tick *tick)
{
    warm_collect(tick);
    while (tick->ready_first && !edge_held(tick) && !is_full(tick) && (tick->flight || !is_late(tick))) {
        if (batch_reserve(tick, tick->ready_first->source) != 0)
            return;
        call_try(tick, warm_ready_take(tick));
        if (tick->flight)
            commit_absorb(tick);
    }
}

/* ---- the tick's own work ---- */

struct sweep_call {
    struct tick_call call;
    bool more;
};

static int run_expire(struct tick *tick, struct tick_call *call)
{
    int count = store_expire(&tick->view, TICK_SLICE, call->arena);
    if (count > 0)
        counter_add(COUNTER_tick_expired, count);
    ((struct sweep_call *)call)->more = count >= TICK_SLICE;
    return count < 0 ? count : 0;
}

static int run_backfill(struct tick *tick, struct tick_call *call)
{
    int count = store_backfill(&tick->view, TICK_SLICE, call->arena);
    ((struct sweep_call *)call)->more = count > 0;
    return count < 0 ? count : 0;
}

static bool sweep_one(struct tick *tick, int (*run)(struct tick *, struct tick_call *))
{
    struct sweep_call sweep = {.call = {.source = TICK_NOBODY, .run = run}};
    int code = call_own(tick, &sweep.call);
    arena_reset(&tick->arena);
    if (code < 0)
        log_warn("tick", "a sweep failed: %s", err_text(code));
    return code >= 0 && sweep.more;
}

/* When the next sweep has something to do, if nothing is written until then. */
static int64_t sweep_wait_ms(struct tick *tick)
{
    int64_t next_s = tick->config.expiry ? store_next_expiry(&tick->view) : INT64_MAX;
    if (next_s > INT64_MAX / 1000 - 1000)
        return MINUTE_MS;
    int64_t wait = next_s * 1000 - clock_wall_ms();
    return wait < 1 ? TICK_SWEEP_MS : wait > MINUTE_MS ? MINUTE_MS : wait;
}

static void sweep(struct tick *tick)
{
    bool fresh = !tick->current->begun;
    batch_begin(tick);
    bool more = false;
    if (!tick->current->refuse) {
        more = tick->config.expiry && sweep_one(tick, run_expire);
        more = sweep_one(tick, run_backfill) || more;
    }
    int64_t wait = more ? 0 : tick->current->refuse ? TICK_REFUSED_MS : sweep_wait_ms(tick);
    tick->sweep_mono_ms = clock_mono_ms() + wait;
    tick->idle_known = !more && store_stage_empty(tick->current->stage);
    if (fresh && store_stage_empty(tick->current->stage) && tick->current->emits_len == 0)
        batch_reset(tick->current);
}

/* Something was written: items that expire soon, or an index to fill, may be among it. */
static void sweep_soon(struct tick *tick)
{
    if (tick->idle_known)
        return;
    int64_t soon = clock_mono_ms() + TICK_SWEEP_MS;
    if (tick->sweep_mono_ms > soon)
        tick->sweep_mono_ms = soon;
    tick->idle_known = true; /* the next look is fixed; later writes fix another one */
}

static void own_work(struct tick *tick)
{
    if (edge_held(tick) || is_full(tick))
        return;
    later_run(tick);
    if (clock_mono_ms() < tick->sweep_mono_ms || is_full(tick))
        return;
    sweep(tick);
    tick->house_due = true;
}

/* ---- the loop ---- */

static bool all_popped(struct tick *tick)
{
    for (unsigned i = 0; i < tick->config.sources; i++)
        if (atomic_load(&tick->edge[i].submitted) != tick->edge[i].popped)
            return false;
    return true;
}

static int64_t wait_ms(const struct tick *tick, bool closing)
{
    if (closing)
        return 1; /* a source may be between its count and its push */
    if (tick->ready_first)
        return TICK_REFUSED_MS;
    int64_t wait = tick->sweep_mono_ms - clock_mono_ms();
    int64_t due = tick->config.on_deferred && tick->later_next_ms < INT64_MAX ? tick->later_next_ms - tick_wall_ms(tick) : MINUTE_MS;
    if (due <= 0) /* it is due and did not run: refused, held, or the tick is full behind a flight */
        due = TICK_REFUSED_MS;
    wait = wait < 1 ? 1 : wait;
    return wait < due ? wait : due;
}

static void state_turn(struct tick *tick, bool closing)
{
    atomic_exchange(&tick->woken, false);
    commit_absorb(tick);
    if (!closing)
        own_work(tick);
    resume(tick);
    enum admission admission = admit(tick);
    commit_absorb(tick);
    if (tick->house_due && !tick->flight) {
        keep_house(tick);
        tick->house_due = false;
    }
    bool ready = tick->current->begun && !tick->flight;
    if (ready) {
        commit_current(tick, admission != ADMIT_FULL && tick->current->calls < TICK_INLINE_CALLS);
        sweep_soon(tick);
        return;
    }
    bool more = admission == ADMIT_FULL && !tick->flight;
    if (!more)
        edge_sleep(tick, wait_ms(tick, closing));
}

static void *state_main(void *argument)
{
    struct tick *tick = argument;
    thread_name("weir-state");
    for (;;) {
        bool closing = atomic_load(&tick->closing);
        state_turn(tick, closing);
        if (closing && !tick->flight && !tick->current->begun && !tick->warming && !tick->ready_first && all_popped(tick))
            return NULL;
    }
}

/* ---- life ---- */

static void fill_defaults(struct tick_config *config)
{
    config->credit_max = config->credit_max ? config->credit_max : 8192;
    config->calls_max = config->calls_max ? config->calls_max : 1024;
    config->bytes_max = config->bytes_max ? config->bytes_max : (size_t)4 << 20;
    config->busy_max_us = config->busy_max_us ? config->busy_max_us : 2000;
    config->sink_bytes_max = config->sink_bytes_max ? config->sink_bytes_max : (size_t)64 << 20;
    config->retention_ms = config->retention_ms ? config->retention_ms : KEEP_RETENTION_MS;
    config->retention_bytes = config->retention_bytes ? config->retention_bytes : KEEP_RETENTION_BYTES;
}

static int check_config(const struct tick_config *config, struct err *err)
{
    if (!config->store || !config->journal)
        return err_set(err, ERR_INVALID, "a tick needs a store and a journal");
    if (config->sources < 1 || config->sources > TICK_SOURCES_MAX || !config->sinks)
        return err_set(err, ERR_INVALID, "a tick has 1 to %d sources, each with its sink", TICK_SOURCES_MAX);
    if (config->credit_max > CREDIT_MAX)
        return err_set(err, ERR_INVALID, "the credit of a source is at most %zu calls", CREDIT_MAX);
    if (config->bytes_max > TICK_BYTES_MAX)
        return err_set(err, ERR_INVALID, "a tick stages at most %zu bytes", TICK_BYTES_MAX);
    if (config->busy_max_us < 0 || config->retention_ms < 0)
        return err_set(err, ERR_INVALID, "a time of the tick is negative");
    return 0;
}

/* Ticks never go back in time, also when the clock was set back while the program was down. */
static int find_last_time(struct tick *tick, struct err *err)
{
    struct journal *journal = tick->config.journal;
    uint64_t last = journal_last(journal), sequence;
    if (journal_first(journal) > last)
        return 0;
    struct journal_reader *reader = NULL;
    struct text bytes;
    struct tick_record record;
    int rc = journal_reader_open(journal, last, &reader, err);
    if (rc != 0)
        return rc;
    rc = journal_reader_next(reader, &sequence, &bytes, err);
    if (rc == 0 && (rc = tick_record_parse(bytes, &record)) != 0)
        err_set(err, rc, "the journal's last record is not a tick");
    if (rc == 0)
        tick->last_time_ms = record.time_ms;
    journal_reader_close(reader);
    return rc;
}

static int create_edges(struct tick *tick, struct err *err)
{
    size_t size = tick->config.sources * sizeof(struct edge);
    tick->edge = aligned_alloc(64, size);
    if (!tick->edge)
        return err_set(err, ERR_MEMORY, "no memory for the tick's rings");
    memset(tick->edge, 0, size);
    int rc = 0;
    for (unsigned i = 0; i < tick->config.sources && rc == 0; i++)
        rc = edge_init(&tick->edge[i], &tick->config, i);
    return rc == 0 ? 0 : err_set(err, rc, "no memory for the tick's rings");
}

static int create_parts(struct tick *tick, struct err *err)
{
    tick->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (tick->wake_fd < 0)
        return err_set(err, ERR_IO, "eventfd: %s", strerror(errno));
    int rc = create_edges(tick, err);
    for (int i = 0; i < 2 && rc == 0; i++)
        if (batch_init(&tick->batches[i], tick->config.store) != 0)
            rc = err_set(err, ERR_MEMORY, "no memory for a tick");
    if (rc != 0)
        return rc;
    tick->current = &tick->batches[0];
    tick->view = (struct store_view){.store = tick->config.store, .stage = tick->current->stage};
    if (warm_init(tick) != 0)
        return err_set(err, ERR_MEMORY, "no memory for a tick");
    rc = find_last_time(tick, err);
    return rc != 0 ? rc : keep_load(tick, err);
}

int tick_create(struct tick **out, const struct tick_config *config, struct err *err)
{
    *out = NULL;
    int rc = check_config(config, err);
    if (rc != 0)
        return rc;
    struct tick *tick = aligned_alloc(64, sizeof(*tick));
    if (!tick)
        return err_set(err, ERR_MEMORY, "no memory for a tick");
    memset(tick, 0, sizeof(*tick));
    tick->config = *config;
    fill_defaults(&tick->config);
    tick->wake_fd = -1;
    pthread_mutex_init(&tick->hand_lock, NULL);
    pthread_mutex_init(&tick->warm_lock, NULL);
    pthread_cond_init(&tick->handed, NULL);
    arena_init(&tick->arena, OWN_ARENA_FIRST, OWN_ARENA_LIMIT);
    notes_init(&tick->notes);
    tick->next_sequence = journal_last(config->journal) + 1;
    tick->epoch = journal_epoch(config->journal);
    atomic_init(&tick->durable, journal_durable(config->journal));
    rc = create_parts(tick, err);
    if (rc != 0) {
        tick_destroy(tick);
        return rc;
    }
    *out = tick;
    return 0;
}

static void end_committer(struct tick *tick)
{
    pthread_mutex_lock(&tick->hand_lock);
    tick->hand_quit = true;
    pthread_cond_signal(&tick->handed);
    pthread_mutex_unlock(&tick->hand_lock);
    pthread_join(tick->committer, NULL);
}

int tick_start(struct tick *tick, struct err *err)
{
    ASSERT(!tick->started);
    int rc = store_snapshot_publish(tick->config.store);
    if (rc != 0)
        return err_set(err, rc, "no snapshot to begin with: %s", err_text(rc));
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&tick->committer, NULL, commit_main, tick);
    if (rc == 0) {
        tick->started = true;
        rc = pthread_create(&tick->state, NULL, state_main, tick);
        if (rc != 0) {
            tick->started = false;
            end_committer(tick);
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? 0 : err_set(err, ERR_MEMORY, "a thread of the tick cannot be started: %s", strerror(rc));
}

void tick_stop(struct tick *tick)
{
    if (!tick->started)
        return;
    atomic_store(&tick->closing, true);
    tick_wake(tick);
    pthread_join(tick->state, NULL);
    end_committer(tick);
    tick->started = false;
}

void tick_destroy(struct tick *tick)
{
    if (!tick)
        return;
    ASSERT(!tick->started);
    for (int i = 0; i < 2 && tick->edge; i++)
        batch_fini(tick, &tick->batches[i]);
    for (unsigned i = 0; i < tick->config.sources && tick->edge; i++)
        edge_fini(tick, &tick->edge[i]);
    free(tick->edge);
    keep_fini(tick);
    warm_fini(tick);
    arena_fini(&tick->arena);
    notes_fini(&tick->notes);
    pthread_mutex_destroy(&tick->hand_lock);
    pthread_cond_destroy(&tick->handed);
    if (tick->wake_fd >= 0)
        close(tick->wake_fd);
    free(tick);
}

int tick_run_now(struct tick *tick, struct tick_call *call, struct err *err)
{
    ASSERT(!tick->started);
    call->runs = 0;
    call->source = TICK_NOBODY;
    int code = call_own(tick, call);
    call_count(tick);
    commit_current(tick, true);
    arena_reset(&tick->arena);
    return code >= 0 ? 0 : err_set(err, code, "a call at start-up failed: %s", err_text(code));
}

/* ---- anywhere ---- */

int tick_writable(const struct tick *tick)
{
    int stalled = atomic_load_explicit(&tick->stalled, memory_order_relaxed);
    return stalled ? stalled : journal_writable(tick->config.journal) ? 0 : ERR_DISK_FULL;
}

uint64_t tick_durable(const struct tick *tick)
{
    return atomic_load_explicit(&tick->durable, memory_order_acquire);
}

void tick_times_read(const struct tick *tick, struct tick_times *ticks, struct tick_times *syncs)
{
    histogram_ever(&tick->tick_us, ticks);
    histogram_ever(&tick->sync_us, syncs);
}

void tick_stats_read(const struct tick *tick, struct tick_stats *stats)
{
    *stats = (struct tick_stats){
        .ticks = atomic_load_explicit(&tick->ticks, memory_order_relaxed),
        .calls = atomic_load_explicit(&tick->calls, memory_order_relaxed),
        .inline_commits = atomic_load_explicit(&tick->inline_commits, memory_order_relaxed),
        .durable_sequence = tick_durable(tick),
        .applied_sequence = store_applied(tick->config.store),
        .sync_p50_us = histogram_at(&tick->sync_us, 50),
        .sync_p99_us = histogram_at(&tick->sync_us, 99),
        .tick_p50_us = histogram_at(&tick->tick_us, 50),
        .tick_p99_us = histogram_at(&tick->tick_us, 99),
    };
    for (unsigned i = 0; i < tick->config.sources; i++)
        stats->waiting += atomic_load_explicit(&tick->edge[i].outstanding, memory_order_relaxed);
}
