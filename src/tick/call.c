/*
 * One call: a save point, its run, and what follows from the answer.
 *
 * Undoing is cheap by construction: the stage rolls back, the blocks pop what was emitted, the arena is rewound. So the same few lines serve a call
 * that failed, a call that met a cold block, and a whole tick that the journal would not take: in the last case all its calls run again, in their order, with
 * durable writes refused. Those that only read are then answered as ever, those that write answer why they cannot.
 *
 * A call from a source that is cold waits for a worker (warm.c). The tick's own calls, and those that run again with their tick, read the disk here: they have a place
 * in an order that must not wait.
 */
#include "tick/inside.h"

#include "base/assert.h"
#include "base/counter.h"
#include <stdlib.h>

struct save {
    struct store_save stage;
    struct notes_save notes;
    size_t emits;
    size_t bytes; /* staged and noted */
};

static struct save save_make(const struct tick *tick)
{
    const struct batch *batch = tick->current;
    return (struct save){store_stage_save(batch->stage), notes_save(&tick->notes), batch->emits_len, store_stage_bytes(batch->stage) + tick->notes.bytes};
}

static void save_undo(struct tick *tick, const struct save *save)
{
    store_stage_rollback(tick->current->stage, save->stage);
    notes_undo(&tick->notes, &save->notes);
    batch_undo(tick, save->emits);
}

/* Rules that run() cannot break. A tick that refuses durable writes holds none, so a durable stage means that this call wrote. */
static int check_kept(const struct tick *tick, const struct save *save)
{
    const struct batch *batch = tick->current;
    if (batch->refuse && (store_stage_durable(batch->stage) || tick->notes.promised > 0)) {
        counter_add(COUNTER_tick_writes_refused, 1);
        return batch->refuse;
    }
    size_t bytes = store_stage_bytes(batch->stage) + tick->notes.bytes;
    if (bytes > save->bytes && bytes - save->bytes > TICK_CALL_BYTES_MAX && !tick->sealing)
        return ERR_TOO_LARGE;
    return 0;
}

/* Runs it once; undone unless 0. */
static int run_once(struct tick *tick, struct tick_call *call, bool cache_only)
{
    struct save save = save_make(tick);
    tick->view.cache_only = cache_only;
    if (tick->view.cold && tick->view.cold->count)
        store_cold_clear(tick->view.cold);
    tick->view.items = tick->view.bytes = 0;
    call->runs++;
    call->sequence = tick->current->sequence;
    tick->running = true;
    int code = call->run(tick, call);
    if (code >= 0)
        code = check_kept(tick, &save);
    tick->running = false;
    tick->current->runs++;
    if (code < 0)
        save_undo(tick, &save);
    return code;
}

static void tell_undone(struct tick *tick, struct tick_call *call)
{
    counter_add(COUNTER_tick_calls_failed, 1);
    if (!call->on_undone)
        return;
    struct store_save stage = store_stage_save(tick->current->stage);
    tick->running = true;
    call->on_undone(tick, call, call->code);
    tick->running = false;
    store_stage_rollback(tick->current->stage, stage); /* it writes nothing, whatever it tried */
}

static void finish(struct tick *tick, struct tick_call *call, int code)
{
    call->code = code;
    if (code < 0)
        tell_undone(tick, call);
}

void call_count(struct tick *tick)
{
    tick->current->calls++;
    atomic_fetch_add_explicit(&tick->calls, 1, memory_order_relaxed);
    counter_add(COUNTER_tick_calls, 1);
}

static void rewind_cold(struct tick_call *call)
{
    counter_add(COUNTER_tick_cold_restarts, 1);
    if (call->arena)
        arena_rewind(call->arena, call->mark);
}

/* To its end, here and now. */
static int run_through(struct tick *tick, struct tick_call *call)
{
    int code = run_once(tick, call, true);
    if (code != ERR_COLD)
        return code;
    rewind_cold(call);
    return run_once(tick, call, false);
}

static void settle(struct tick *tick, struct tick_call *call, int code)
{
    finish(tick, call, code);
    call_count(tick);
    batch_add_done(tick, call);
}

void call_try(struct tick *tick, struct tick_call *call)
{
    batch_begin(tick);
    struct tick_lane *lane = call->lane;
    int code = run_once(tick, call, true);
    if (code == ERR_COLD) {
        rewind_cold(call);
        if (warm_begin(tick, call))
            return;
        code = run_once(tick, call, false);
    }
    settle(tick, call, code);
    if (lane && lane->cold)
        lane_continue(tick, lane);
}

void call_take(struct tick *tick, struct tick_call *call)
{
    if (call->lane && call->lane->cold)
        lane_park(call->lane, call);
    else
        call_try(tick, call);
}

int call_own(struct tick *tick, struct tick_call *call)
{
    batch_begin(tick);
    call->arena = call->arena ? call->arena : &tick->arena;
    call->mark = arena_mark(call->arena);
    finish(tick, call, run_once(tick, call, false));
    return call->code;
}

void call_refuse_all(struct tick *tick, int code)
{
    struct batch *batch = tick->current;
    struct tick_call *call = batch->first;
    batch_drop(tick, batch);
    notes_clear(&tick->notes);
    store_stage_reset(batch->stage);
    batch->refuse = code;
    batch->runs = batch->calls = 0;
    tick->later_next_ms = tick->later_from_ms = 0; /* deferred calls that were in it are due again */
    while (call) {
        struct tick_call *next = call->next;
        if (call->arena)
            arena_rewind(call->arena, call->mark);
        if (batch_reserve(tick, call->source) != 0) {
            struct err err = {.code = ERR_MEMORY};
            commit_fatal(tick, "finished calls cannot be reported", &err);
        }
        settle(tick, call, run_through(tick, call));
        call = next;
    }
}

/* ---- what run() asks ---- */

struct store_view *tick_view(struct tick *tick)
{
    return &tick->view;
}

struct store_stage *tick_stage(struct tick *tick)
{
    return tick->current->stage;
}

int64_t tick_now_ms(const struct tick *tick)
{
    return tick->current->begun ? tick->current->time_ms : tick->last_time_ms;
}

uint64_t tick_sequence(const struct tick *tick)
{
    return tick->current->begun ? tick->current->sequence : tick->next_sequence;
}

uint32_t tick_call_number(const struct tick *tick)
{
    return tick->current->runs;
}
