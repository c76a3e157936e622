/*
 * A tick under way: the effects it will release, in the blocks in which the sinks will get them.
 *
 * Effects are put into one block per sink at once, instead of into one list that is sorted out at the commit: the commit then hands over pointers, and nothing can
 * fail after the fsync for want of memory. To undo a call its effects are popped again; a log of sink numbers says from which blocks. Markers of
 * finished calls are in the blocks too, which is what keeps "after the call's own effects" without any further rule. Every emit leaves room for one
 * more entry, so the marker of a call always fits.
 */
#include "tick/inside.h"

#include "base/assert.h"
#include "base/clock.h"
#include <stdlib.h>
#include <string.h>

enum { BLOCK_FIRST = 32, EMITS_FIRST = 256 };
#define RECORD_KEEP ((size_t)8 << 20) /* a record buffer that grew beyond is given back */

int batch_init(struct batch *batch, struct store *store)
{
    memset(batch, 0, sizeof(*batch));
    buf_init(&batch->record, TICK_RECORD_LIMIT);
    return store_stage_create(store, &batch->stage);
}

void batch_fini(struct tick *tick, struct batch *batch)
{
    batch_drop(tick, batch);
    for (unsigned i = 0; i < TICK_SOURCES_MAX; i++)
        free(batch->block[i]);
    free(batch->emits);
    buf_fini(&batch->record);
    if (batch->stage)
        store_stage_destroy(batch->stage);
}

bool batch_empty(const struct batch *batch)
{
    return !batch->begun;
}

void batch_begin(struct tick *tick)
{
    struct batch *batch = tick->current;
    if (batch->begun)
        return;
    int64_t now = clock_wall_ms();
    if (now > tick->last_time_ms)
        tick->last_time_ms = now;
    batch->begun = true;
    batch->began_ns = clock_mono_ns();
    batch->time_ms = tick->last_time_ms;
    batch->sequence = tick->next_sequence;
    batch->refuse = tick_writable(tick);
    tick->view.stage = batch->stage;
    tick->view.now_s = batch->time_ms / 1000;
}

/* ---- blocks ---- */

static int block_grow(struct tick *tick, unsigned sink)
{
    struct batch *batch = tick->current;
    struct tick_block *old = batch->block[sink];
    size_t cap = old ? old->cap * 2 : BLOCK_FIRST;
    if (cap > TICK_EFFECTS_MAX * 2)
        return ERR_MEMORY;
    struct tick_block *block = realloc(old, sizeof(*block) + cap * sizeof(block->entry[0]));
    if (!block)
        return ERR_MEMORY;
    if (!old) {
        block->len = block->bytes = 0;
        tick->edge[sink].emitted_blocks++;
    }
    block->cap = cap;
    batch->block[sink] = block;
    return 0;
}

static int block_reserve(struct tick *tick, unsigned sink, size_t more)
{
    struct tick_block *block = tick->current->block[sink];
    return block && block->len + more <= block->cap ? 0 : block_grow(tick, sink);
}

int batch_reserve(struct tick *tick, unsigned sink)
{
    return block_reserve(tick, sink, 1);
}

static void block_add(struct tick *tick, unsigned sink, void *effect, size_t bytes)
{
    struct tick_block *block = tick->current->block[sink];
    ASSERT(block && block->len < block->cap);
    block->entry[block->len++] = (struct tick_entry){effect, bytes};
    if (bytes == TICK_DONE)
        return;
    block->bytes += bytes;
    tick->edge[sink].emitted_bytes += bytes;
}

static void block_pop(struct tick *tick, unsigned sink)
{
    struct tick_block *block = tick->current->block[sink];
    ASSERT(block && block->len > 0);
    struct tick_entry entry = block->entry[--block->len];
    ASSERT(entry.bytes != TICK_DONE);
    block->bytes -= entry.bytes;
    tick->edge[sink].emitted_bytes -= entry.bytes;
    if (tick->config.effect_drop)
        tick->config.effect_drop(entry.pointer);
}

void batch_add_done(struct tick *tick, struct tick_call *call)
{
    struct batch *batch = tick->current;
    call->next = NULL;
    if (batch->last)
        batch->last->next = call;
    else
        batch->first = call;
    batch->last = call;
    block_add(tick, call->source, call, TICK_DONE);
}

/* ---- emitting ---- */

static int emits_grow(struct batch *batch)
{
    size_t cap = batch->emits_cap ? batch->emits_cap * 2 : EMITS_FIRST;
    uint32_t *emits = realloc(batch->emits, cap * sizeof(*emits));
    if (!emits)
        return ERR_MEMORY;
    batch->emits = emits;
    batch->emits_cap = cap;
    return 0;
}

static int emit_one(struct tick *tick, unsigned sink, void *effect, size_t bytes)
{
    struct batch *batch = tick->current;
    struct tick_block *block = batch->block[sink];
    if (block && block->len >= TICK_EFFECTS_MAX)
        return ERR_MEMORY;
    if (block_reserve(tick, sink, 2) != 0)
        return ERR_MEMORY;
    block_add(tick, sink, effect, bytes);
    batch->emits[batch->emits_len++] = sink;
    return 0;
}

/* All or none: a failure in the middle takes back what is there, without dropping, for the caller keeps the effect. */
static int emit_all(struct tick *tick, void *effect, size_t bytes)
{
    unsigned count = tick->config.sources;
    for (unsigned sink = 0; sink < count; sink++) {
        struct tick_block *block = tick->current->block[sink];
        if ((block && block->len >= TICK_EFFECTS_MAX) || block_reserve(tick, sink, 2) != 0)
            return ERR_MEMORY;
    }
    for (unsigned sink = 0; sink < count; sink++)
        block_add(tick, sink, effect, bytes);
    tick->current->emits[tick->current->emits_len++] = TICK_ALL_SINKS;
    return 0;
}

int tick_emit(struct tick *tick, unsigned sink, void *effect, size_t bytes)
{
    struct batch *batch = tick->current;
    ASSERT(tick->running && effect && bytes < TICK_DONE);
    ASSERT(sink < tick->config.sources || sink == TICK_ALL_SINKS);
    if (batch->emits_len == batch->emits_cap && emits_grow(batch) != 0)
        return ERR_MEMORY;
    return sink == TICK_ALL_SINKS ? emit_all(tick, effect, bytes) : emit_one(tick, sink, effect, bytes);
}

void batch_undo(struct tick *tick, size_t emits)
{
    struct batch *batch = tick->current;
    while (batch->emits_len > emits) {
        uint32_t sink = batch->emits[--batch->emits_len];
        if (sink != TICK_ALL_SINKS) {
            block_pop(tick, sink);
            continue;
        }
        for (unsigned i = 0; i < tick->config.sources; i++)
            block_pop(tick, i);
    }
}

void batch_drop(struct tick *tick, struct batch *batch)
{
    for (unsigned sink = 0; sink < tick->config.sources; sink++) {
        struct tick_block *block = batch->block[sink];
        if (!block)
            continue;
        for (size_t i = 0; i < block->len; i++)
            if (block->entry[i].bytes != TICK_DONE && tick->config.effect_drop)
                tick->config.effect_drop(block->entry[i].pointer);
        tick->edge[sink].emitted_bytes -= block->bytes;
        block->len = block->bytes = 0;
    }
    batch->emits_len = 0;
    batch->first = batch->last = NULL;
}

void batch_reset(struct batch *batch)
{
    batch->begun = batch->durable = batch->changed = false;
    batch->step = BATCH_OPEN;
    batch->refuse = 0;
    batch->runs = batch->calls = 0;
    batch->first = batch->last = NULL;
    batch->emits_len = 0;
    if (batch->record.cap > RECORD_KEEP) {
        buf_fini(&batch->record);
        buf_init(&batch->record, TICK_RECORD_LIMIT);
    }
    buf_clear(&batch->record);
}

/* ---- ids: 130 bits, five to a character ---- */

#define ID_EPOCH_BITS 24
#define ID_COUNTER_BITS 58
static const char id_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void id_put(char *at, uint64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = id_digits[value & 31];
        value >>= 5;
    }
}

/* 130 = 48 + 82: nine characters hold 45 bits of the time, the tenth its last three and two of the rest. */
void tick_id_at(struct tick *tick, int64_t time_ms, char out[TICK_ID_TEXT + 1])
{
    uint64_t counter = tick->ids++ & ((UINT64_C(1) << ID_COUNTER_BITS) - 1);
    uint64_t epoch = tick->epoch & ((UINT64_C(1) << ID_EPOCH_BITS) - 1);
    uint64_t time = (uint64_t)time_ms & ((UINT64_C(1) << 48) - 1);
    unsigned __int128 rest = ((unsigned __int128)epoch << ID_COUNTER_BITS) | counter;
    id_put(out, time >> 3, 9);
    out[9] = id_digits[(time & 7) << 2 | (unsigned)(rest >> 80)];
    id_put(out + 10, (uint64_t)(rest >> 40) & ((UINT64_C(1) << 40) - 1), 8);
    id_put(out + 18, (uint64_t)rest & ((UINT64_C(1) << 40) - 1), 8);
    out[TICK_ID_TEXT] = 0;
}

int tick_id_time(struct text id, int64_t *time_ms)
{
    uint64_t bits = 0;
    if (id.len != TICK_ID_TEXT)
        return ERR_SYNTAX;
    for (size_t i = 0; i < TICK_ID_TEXT; i++) {
        const char *digit = id.data[i] ? strchr(id_digits, id.data[i]) : NULL;
        if (!digit)
            return ERR_SYNTAX;
        if (i < 10)
            bits = bits << 5 | (uint64_t)(digit - id_digits);
    }
    *time_ms = (int64_t)(bits >> 2);
    return 0;
}

bool tick_id_is_own(const struct tick *tick, struct text id)
{
    unsigned __int128 rest = 0;
    if (id.len != TICK_ID_TEXT)
        return false;
    for (size_t i = 9; i < TICK_ID_TEXT; i++) {
        const char *digit = id.data[i] ? strchr(id_digits, id.data[i]) : NULL;
        if (!digit)
            return false;
        rest = rest << 5 | (unsigned)(digit - id_digits);
    }
    uint64_t mask = (UINT64_C(1) << ID_EPOCH_BITS) - 1;
    return ((uint64_t)(rest >> ID_COUNTER_BITS) & mask) == (tick->epoch & mask);
}

void tick_id(struct tick *tick, char out[TICK_ID_TEXT + 1])
{
    tick_id_at(tick, tick_now_ms(tick), out);
}
