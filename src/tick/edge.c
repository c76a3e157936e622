/*
 * The edges of the tick: where sources hand calls in and sinks take effects out, and how the state thread sleeps.
 *
 * The rings are as large as the bounds that stand before them (credit on the way in, blocks on the way out), so a push cannot fail and needs no
 * backlog: what is bounded is admission. A sink that is behind stops the admission of all sources, because any call may emit to any sink; what was
 * already run is committed and released all the same.
 *
 * Sleeping follows the loop's protocol: the sleeper sets `sleeping`, then looks at `woken`; the waker sets `woken`, then looks at `sleeping`. All of it is
 * sequentially consistent, so one of them sees the other. The eventfd is written at most once per sleep.
 */
#include "tick/inside.h"

#include "base/assert.h"
#include "base/counter.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>

enum { DRAIN_BLOCKS = 16 }; /* ticks delivered by one call of tick_drain, so that a loop's turn stays short */

int edge_init(struct edge *edge, const struct tick_config *config, unsigned number)
{
    edge->sink = config->sinks[number];
    edge->calls = ring_create(config->credit_max);
    edge->blocks = ring_create(TICK_SINK_BLOCKS_MAX);
    return edge->calls && edge->blocks ? 0 : ERR_MEMORY;
}

void edge_fini(struct tick *tick, struct edge *edge)
{
    struct tick_block *block;
    while (edge->blocks && (block = ring_pop(edge->blocks)) != NULL) {
        for (size_t i = 0; i < block->len; i++)
            if (block->entry[i].bytes != TICK_DONE && tick->config.effect_drop)
                tick->config.effect_drop(block->entry[i].pointer);
        free(block);
    }
    ring_destroy(edge->calls);
    ring_destroy(edge->blocks);
}

/* ---- sources ---- */

int tick_submit(struct tick *tick, struct tick_call *call)
{
    ASSERT(call->source < tick->config.sources && call->run);
    struct edge *edge = &tick->edge[call->source];
    if (atomic_load_explicit(&edge->outstanding, memory_order_relaxed) >= tick->config.credit_max)
        return ERR_FULL;
    /* Counted, then looked: a closing tick either is seen here or sees the count and waits for the push. */
    atomic_fetch_add(&edge->submitted, 1);
    if (atomic_load(&tick->closing)) {
        atomic_fetch_sub(&edge->submitted, 1);
        return ERR_CLOSED;
    }
    call->next = NULL;
    call->runs = 0;
    call->code = 0;
    call->sequence = 0;
    if (call->arena)
        call->mark = arena_mark(call->arena);
    atomic_fetch_add_explicit(&edge->outstanding, 1, memory_order_relaxed);
    counter_add(COUNTER_tick_calls_waiting, 1);
    bool pushed = ring_push(edge->calls, call);
    ASSERT(pushed);
    edge->unkicked = true;
    return 0;
}

void tick_kick(struct tick *tick, unsigned source)
{
    ASSERT(source < tick->config.sources);
    if (!tick->edge[source].unkicked)
        return;
    tick->edge[source].unkicked = false;
    tick_wake(tick);
}

size_t tick_credit(const struct tick *tick, unsigned source)
{
    ASSERT(source < tick->config.sources);
    size_t used = atomic_load_explicit(&tick->edge[source].outstanding, memory_order_relaxed);
    return used < tick->config.credit_max ? tick->config.credit_max - used : 0;
}

/* ---- sinks ---- */

static void give_back(struct edge *edge, struct tick_call *call)
{
    atomic_fetch_sub_explicit(&edge->outstanding, 1, memory_order_relaxed);
    counter_add(COUNTER_tick_calls_waiting, -1);
    if (edge->sink.on_done)
        edge->sink.on_done(edge->sink.context, call);
}

static int deliver_block(struct tick *tick, struct edge *edge, struct tick_block *block)
{
    for (size_t i = 0; i < block->len; i++) {
        struct tick_entry entry = block->entry[i];
        if (entry.bytes == TICK_DONE)
            give_back(edge, entry.pointer);
        else if (edge->sink.deliver)
            edge->sink.deliver(edge->sink.context, entry.pointer);
        else if (tick->config.effect_drop)
            tick->config.effect_drop(entry.pointer);
    }
    int handled = (int)block->len;
    atomic_fetch_add(&edge->delivered_bytes, block->bytes);
    atomic_fetch_add(&edge->delivered_blocks, 1);
    free(block);
    return handled;
}

int tick_drain(struct tick *tick, unsigned sink)
{
    ASSERT(sink < tick->config.sources);
    struct edge *edge = &tick->edge[sink];
    int handled = 0;
    struct tick_block *block;
    for (int i = 0; i < DRAIN_BLOCKS && (block = ring_pop(edge->blocks)) != NULL; i++)
        handled += deliver_block(tick, edge, block);
    if (handled > 0 && atomic_load(&tick->held))
        tick_wake(tick);
    return handled;
}

/* ---- the state thread ---- */

static bool is_behind(const struct tick *tick, const struct edge *edge)
{
    uint64_t bytes = edge->emitted_bytes - atomic_load(&edge->delivered_bytes);
    uint64_t blocks = edge->emitted_blocks - atomic_load(&edge->delivered_blocks);
    return bytes > tick->config.sink_bytes_max || blocks > TICK_SINK_BLOCKS_MAX - 2;
}

static bool any_behind(const struct tick *tick)
{
    for (unsigned i = 0; i < tick->config.sources; i++)
        if (is_behind(tick, &tick->edge[i]))
            return true;
    return false;
}

bool edge_held(struct tick *tick)
{
    if (!any_behind(tick)) {
        atomic_store_explicit(&tick->held, false, memory_order_relaxed);
        return false;
    }
    atomic_store(&tick->held, true);
    return any_behind(tick); /* once more: a sink that finished before it saw `held` does not wake us */
}

void tick_wake(struct tick *tick)
{
    atomic_exchange(&tick->woken, true);
    if (atomic_load(&tick->sleeping) && atomic_exchange(&tick->sleeping, false))
        eventfd_write(tick->wake_fd, 1);
}

void edge_sleep(struct tick *tick, int64_t timeout_ms)
{
    atomic_store(&tick->sleeping, true);
    if (!atomic_load(&tick->woken) && timeout_ms > 0) {
        struct pollfd wake = {.fd = tick->wake_fd, .events = POLLIN};
        poll(&wake, 1, timeout_ms > 60000 ? 60000 : (int)timeout_ms);
    }
    if (!atomic_exchange(&tick->sleeping, false)) {
        eventfd_t count;
        eventfd_read(tick->wake_fd, &count); /* the waker wrote, or is about to: it blocks for that moment at most */
    }
}
