/*
 * Notes: what calls leave to the end of their tick.
 *
 * A metric's row or a log stream's is written by nearly every call of a busy tick. Rewriting it in each of them would decode, encode and stage the same row a thousand times;
 * so a call only notes what it has to say, and when the tick is sealed one call of the tick's own makes rows of all notes together. The notes lie in an arena in the order in
 * which they were made, so a save point is a mark and undoing a call is a rewind.
 *
 * A note is a promise like a staged write: a tick that refuses durable writes undoes the call that made one, unless it was loose (nobody was promised anything), and then it is
 * forgotten. If the journal refuses the sealed tick all its calls run again with writes refused, and what on_seal has remembered of its rows is taken back by on_unseal.
 */
#include "tick/inside.h"

#include "base/assert.h"
#include "base/counter.h"
#include "base/log.h"

void notes_init(struct notes *notes)
{
    *notes = (struct notes){0};
    arena_init(&notes->arena, TICK_NOTES_FIRST, TICK_NOTES_LIMIT);
}

void notes_fini(struct notes *notes)
{
    arena_fini(&notes->arena);
}

struct notes_save notes_save(const struct notes *notes)
{
    return (struct notes_save){arena_mark(&notes->arena), notes->last, notes->promised, notes->bytes};
}

void notes_undo(struct notes *notes, const struct notes_save *save)
{
    if (notes->last == save->last)
        return;
    if (save->last)
        save->last->next = NULL;
    else
        notes->first = NULL;
    notes->last = save->last;
    notes->promised = save->promised;
    notes->bytes = save->bytes;
    arena_rewind(&notes->arena, save->mark);
}

void notes_clear(struct notes *notes)
{
    notes->first = notes->last = NULL;
    notes->promised = 0;
    notes->bytes = 0;
    arena_reset(&notes->arena);
}

void *tick_note(struct tick *tick, unsigned kind, size_t size)
{
    struct notes *notes = &tick->notes;
    ASSERT(tick->running && !tick->sealing);
    struct tick_note *note = size <= TICK_NOTES_LIMIT ? arena_alloc(&notes->arena, sizeof(*note) + size) : NULL;
    if (!note)
        return NULL;
    note->next = NULL;
    note->kind = kind & ~TICK_NOTE_LOOSE;
    note->size = (uint32_t)size;
    if (notes->last)
        notes->last->next = note;
    else
        notes->first = note;
    notes->last = note;
    notes->promised += !(kind & TICK_NOTE_LOOSE);
    notes->bytes += sizeof(*note) + size;
    return note->data;
}

void *tick_seal_context(const struct tick *tick)
{
    return tick->config.seal_context;
}

struct seal_call {
    struct tick_call base;
    const struct tick_note *first;
};

static int run_seal(struct tick *tick, struct tick_call *call)
{
    struct seal_call *seal = (struct seal_call *)call;
    return tick->config.on_seal(tick->config.seal_context, tick, seal->first);
}

int notes_seal(struct tick *tick)
{
    struct seal_call seal = {.base = {.source = TICK_NOBODY, .run = run_seal}, .first = tick->notes.first};
    if (!seal.first)
        return 0;
    if (tick->current->refuse) { /* loose ones alone */
        counter_add(COUNTER_tick_notes_dropped, 1);
        return 0;
    }
    tick->sealing = true;
    int code = call_own(tick, &seal.base);
    tick->sealing = false;
    if (code < 0)
        log_error("tick", "the metrics and log lines of a tick could not be staged: %s", err_text(code));
    return code;
}

void notes_unseal(struct tick *tick)
{
    if (tick->config.on_unseal)
        tick->config.on_unseal(tick->config.seal_context);
}
