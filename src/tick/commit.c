/*
 * The commit: seal, append, sync, apply, publish, release, in this order and never otherwise.
 *
 * The state thread seals while no tick is in flight, so there is one writer of the journal at a time; the slow rest is a list of steps that either thread can
 * do. With little to do the state thread does them by itself: two hops between threads cost as much as the fsync. Under load the committer does
 * them while the next tick is staged.
 *
 * A full disk is asked for before the seal: the tick's calls then run again with their writes refused. A disk that fills up between the seal and the write
 * is waited out by the committer: what is sealed is never taken back, and the state thread never stands still for it.
 *
 * An fsync error, and a table that cannot take a durable record, end the process: a restart from the journal is the only state that is known to be right.
 */
#include "tick/inside.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RETRY_MS = 20, APPLY_TRIES = 1500 /* half a minute: RocksDB resumes about six seconds after space returned */ };
#define STAGE_LITTER ((size_t)64 << 10) /* bytes that undone calls may leave in an otherwise empty stage */

_Noreturn void commit_fatal(struct tick *tick, const char *what, const struct err *err)
{
    char text[320];
    snprintf(text, sizeof(text), "%s: %s: %s", what, err_name(err->code), err->text[0] ? err->text : err_text(err->code));
    if (tick->config.on_fatal)
        tick->config.on_fatal(tick->config.context, text);
    log_error("tick", "%s", text);
    ASSERT(!"on_fatal must not return");
    abort();
}

/* ---- seal: state thread ---- */

static int seal_record(struct batch *batch)
{
    buf_clear(&batch->record);
    if (batch->durable) {
        buf_add_u8(&batch->record, TICK_RECORD_VERSION);
        buf_add_be64(&batch->record, (uint64_t)batch->time_ms);
        buf_add_be32(&batch->record, batch->calls);
    }
    int rc = store_stage_seal(batch->stage, batch->time_ms, &batch->record);
    return rc != 0 ? rc : batch->record.failed ? ERR_TOO_LARGE : 0;
}

/* A sealed tick is never taken back, so whether the journal will take it is asked before. */
static int try_seal(struct tick *tick)
{
    struct batch *batch = tick->current;
    if (tick->notes.promised > 0 && !journal_writable(tick->config.journal))
        return ERR_DISK_FULL;
    int noted = notes_seal(tick);
    if (noted < 0)
        return noted;
    batch->changed = !store_stage_empty(batch->stage);
    batch->durable = batch->changed && store_stage_durable(batch->stage);
    batch->step = BATCH_RELEASE;
    if (!batch->changed)
        return 0;
    if (batch->durable && !journal_writable(tick->config.journal))
        return ERR_DISK_FULL;
    bool mark = batch->durable && keep_stage(tick);
    int rc = seal_record(batch);
    if (rc != 0)
        return rc;
    batch->step = batch->durable ? BATCH_APPEND : BATCH_APPLY;
    if (batch->durable) {
        tick->next_sequence = batch->sequence + 1;
        keep_note(tick, mark, batch->sequence, batch->time_ms, batch->record.len);
    }
    return 0;
}

static void seal(struct tick *tick)
{
    for (int tries = 0;; tries++) {
        int rc = try_seal(tick);
        if (rc == 0) {
            notes_clear(&tick->notes);
            return;
        }
        notes_unseal(tick);
        struct err err = {.code = rc};
        if (tries > 0) /* without durable writes only memory can be missing */
            commit_fatal(tick, "a tick cannot be sealed", &err);
        log_warn("tick", "the writes of a tick of %u calls are undone: %s", tick->current->calls, err_text(rc));
        call_refuse_all(tick, rc);
    }
}

/* ---- the steps: whoever commits ---- */

static void stall(struct tick *tick, int code)
{
    atomic_store_explicit(&tick->stalled, code, memory_order_relaxed);
}

static int step_append(struct tick *tick, struct batch *batch)
{
    struct text piece = buf_text(&batch->record);
    struct err err = {0};
    uint64_t sequence = 0;
    int rc = journal_append(tick->config.journal, &piece, 1, &sequence, &err);
    if (rc == ERR_IO || rc == ERR_TOO_LARGE)
        commit_fatal(tick, "the journal cannot be written", &err);
    if (rc != 0)
        return rc;
    ASSERT(sequence == batch->sequence);
    batch->step = BATCH_SYNC;
    return 0;
}

static int step_sync(struct tick *tick, struct batch *batch)
{
    struct err err = {0};
    int64_t before = clock_mono_ns();
    int rc = journal_sync(tick->config.journal, &err);
    if (rc == ERR_DISK_FULL)
        return rc;
    if (rc != 0)
        commit_fatal(tick, "the journal cannot be synced", &err);
    histogram_add(&tick->sync_us, (clock_mono_ns() - before) / 1000);
    batch->step = BATCH_APPLY;
    return 0;
}

/* The record is durable: the tables must follow. Their disk may be full for a while. */
static int step_apply(struct tick *tick, struct batch *batch)
{
    struct err err = {0};
    int rc = store_stage_apply(batch->stage, batch->durable ? batch->sequence : 0, &err);
    if (rc == ERR_CORRUPT || rc == ERR_INTERNAL)
        commit_fatal(tick, "the tables cannot be written", &err);
    if (rc == 0)
        batch->step = BATCH_PUBLISH;
    return rc;
}

static void release(struct tick *tick, struct batch *batch)
{
    if (batch->durable)
        atomic_store_explicit(&tick->durable, batch->sequence, memory_order_release);
    for (unsigned i = 0; i < tick->config.sources; i++) {
        struct tick_block *block = batch->block[i];
        if (!block || block->len == 0)
            continue;
        batch->block[i] = NULL;
        bool pushed = ring_push(tick->edge[i].blocks, block); /* room was kept by admission */
        ASSERT(pushed);
        if (tick->edge[i].sink.loop)
            loop_wake(tick->edge[i].sink.loop);
    }
    if (batch->durable && tick->config.on_durable)
        tick->config.on_durable(tick->config.context);
    atomic_fetch_add_explicit(&tick->ticks, 1, memory_order_relaxed);
    counter_add(COUNTER_tick_ticks, 1);
    histogram_add(&tick->tick_us, (clock_mono_ns() - batch->began_ns) / 1000);
}

/* 0 when the tick is released; else the step to try again. */
static int advance(struct tick *tick, struct batch *batch)
{
    int rc = 0;
    if (batch->step == BATCH_APPEND)
        rc = step_append(tick, batch);
    if (rc == 0 && batch->step == BATCH_SYNC)
        rc = step_sync(tick, batch);
    if (rc == 0 && batch->step == BATCH_APPLY)
        rc = step_apply(tick, batch);
    if (rc == 0 && batch->step == BATCH_PUBLISH)
        rc = store_snapshot_publish(tick->config.store);
    if (rc == 0)
        release(tick, batch);
    stall(tick, rc == 0 ? 0 : ERR_DISK_FULL);
    return rc;
}

static void advance_patiently(struct tick *tick, struct batch *batch)
{
    int rc = 0;
    for (int tries = 0; (rc = advance(tick, batch)) != 0; tries++) {
        struct err err = {.code = rc};
        if (batch->step >= BATCH_APPLY && tries > APPLY_TRIES)
            commit_fatal(tick, "the tables cannot follow the journal", &err);
        log_warn("tick", "a commit waits: %s", err_text(rc));
        nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000L}, NULL);
    }
}

/* ---- who does them ---- */

static void land(struct batch *batch)
{
    if (batch->changed || store_stage_bytes(batch->stage) > STAGE_LITTER)
        store_stage_reset(batch->stage);
    batch_reset(batch);
}

static void hand_over(struct tick *tick)
{
    struct batch *batch = tick->current;
    tick->flight = batch;
    tick->current = batch == &tick->batches[0] ? &tick->batches[1] : &tick->batches[0];
    if (batch->changed)
        store_stage_follow(tick->current->stage, batch->stage);
    tick->view.stage = tick->current->stage;
    atomic_store_explicit(&tick->flight_done, false, memory_order_relaxed);
    pthread_mutex_lock(&tick->hand_lock);
    tick->hand = batch;
    pthread_cond_signal(&tick->handed);
    pthread_mutex_unlock(&tick->hand_lock);
}

void commit_current(struct tick *tick, bool here)
{
    ASSERT(!tick->flight && tick->current->begun);
    seal(tick);
    struct batch *batch = tick->current;
    tick->idle_known = tick->idle_known && !batch->changed;
    if (!tick->started) {
        advance_patiently(tick, batch);
        land(batch);
        return;
    }
    if (!here || advance(tick, batch) != 0) {
        hand_over(tick);
        return;
    }
    atomic_fetch_add_explicit(&tick->inline_commits, 1, memory_order_relaxed);
    land(batch);
}

void commit_absorb(struct tick *tick)
{
    struct batch *batch = tick->flight;
    if (!batch || !atomic_load_explicit(&tick->flight_done, memory_order_acquire))
        return;
    if (batch->changed)
        store_stage_unfollow(tick->current->stage);
    tick->flight = NULL;
    land(batch);
}

static struct batch *take_hand(struct tick *tick)
{
    pthread_mutex_lock(&tick->hand_lock);
    while (!tick->hand && !tick->hand_quit)
        pthread_cond_wait(&tick->handed, &tick->hand_lock);
    struct batch *batch = tick->hand;
    tick->hand = NULL;
    pthread_mutex_unlock(&tick->hand_lock);
    return batch;
}

void *commit_main(void *argument)
{
    struct tick *tick = argument;
    thread_name("weir-commit");
    struct batch *batch;
    while ((batch = take_hand(tick)) != NULL) {
        advance_patiently(tick, batch);
        atomic_store_explicit(&tick->flight_done, true, memory_order_release);
        tick_wake(tick);
    }
    return NULL;
}

/* ---- durations: eight buckets to a power of two, recent ones weigh more ---- */

enum { HISTOGRAM_RECENT = 1 << 16 };

static unsigned bucket_of(uint64_t us)
{
    if (us < 8)
        return (unsigned)us;
    unsigned exponent = 63 - (unsigned)__builtin_clzll(us);
    unsigned bucket = (exponent - 2) * 8 + (unsigned)(us >> (exponent - 3) & 7);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static int64_t bucket_top(unsigned bucket)
{
    if (bucket < 8)
        return bucket;
    unsigned exponent = bucket / 8 + 2;
    return (int64_t)((UINT64_C(8) + bucket % 8 + 1) << (exponent - 3)) - 1;
}

static void halve(struct histogram *histogram)
{
    uint32_t total = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint32_t half = atomic_load_explicit(&histogram->bucket[i], memory_order_relaxed) / 2;
        atomic_store_explicit(&histogram->bucket[i], half, memory_order_relaxed);
        total += half;
    }
    atomic_store_explicit(&histogram->total, total, memory_order_relaxed);
}

/* One writer at a time: whoever commits. */
void histogram_add(struct histogram *histogram, int64_t us)
{
    unsigned at = bucket_of(us > 0 ? (uint64_t)us : 0);
    atomic_fetch_add_explicit(&histogram->bucket[at], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->ever[at], 1, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&histogram->total, 1, memory_order_relaxed) >= HISTOGRAM_RECENT)
        halve(histogram);
}

int64_t tick_times_us(unsigned bucket)
{
    return bucket < 8 ? (int64_t)bucket : (bucket_top(bucket - 1) + 1 + bucket_top(bucket)) / 2;
}

void histogram_ever(const struct histogram *histogram, struct tick_times *out)
{
    _Static_assert(TICK_TIMES == HISTOGRAM_BUCKETS, "what is told is what is kept");
    for (unsigned i = 0; i < TICK_TIMES; i++)
        out->count[i] = atomic_load_explicit(&histogram->ever[i], memory_order_relaxed);
}

int64_t histogram_at(const struct histogram *histogram, unsigned per_cent)
{
    uint64_t total = atomic_load_explicit(&histogram->total, memory_order_relaxed), seen = 0;
    uint64_t wanted = (total * per_cent + 99) / 100;
    if (total == 0)
        return 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += atomic_load_explicit(&histogram->bucket[i], memory_order_relaxed);
        if (seen >= wanted)
            return bucket_top(i);
    }
    return bucket_top(HISTOGRAM_BUCKETS - 1);
}
