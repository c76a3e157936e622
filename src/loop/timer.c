/*
 * A hierarchical timer wheel. Tens of thousands of connections each hold a timer that is moved with nearly every
 * message and almost never fires; a heap would pay log n for each of those moves, the wheel pays a list insertion.
 *
 * Level 0 has a slot for each of the 64 ticks that share all but their low 6 bits with the current tick, level 1 a
 * slot for each run of 64 ticks, and so on: a timer lives on the level of the highest 6-bit group in which its tick
 * differs from the current one. Two things follow from that rule. On every level the occupied slots lie ahead of
 * the current position, none wraps around; and everything on a level is due before anything on the next one. So the
 * next event is the lowest set bit of the lowest level that has one, and a jump of 35 days goes from occupied slot
 * to occupied slot instead of through 378 million empty ticks.
 *
 * Firing is exact to the millisecond although slots are 8 ms wide: the current slot is looked through again each
 * time the clock's millisecond changes (at most 8 times), and only what is due leaves it. Nothing fires early.
 */
#include "loop/wheel.h"

#include "base/assert.h"

enum { LOOK_MAX = 64 }; /* timers looked at for an exact wait; in a fuller slot its first millisecond is taken */

static uint64_t tick_of(int64_t ms)
{
    return ms > 0 ? (uint64_t)ms >> WHEEL_TICK_BITS : 0;
}

static struct loop_timer *timer_of(struct list *node)
{
    return LIST_ENTRY(node, struct loop_timer, link);
}

void wheel_init(struct wheel *wheel, int64_t now_ms)
{
    wheel->now_ms = now_ms;
    wheel->tick = tick_of(now_ms);
    wheel->restless = false;
    wheel->count = 0;
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (int slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
    }
}

/* Files a timer by its due_ms. What is overdue goes into the current slot. */
static void file_timer(struct wheel *wheel, struct loop_timer *timer)
{
    uint64_t tick = tick_of(timer->due_ms);
    if (tick < wheel->tick)
        tick = wheel->tick;
    uint64_t differs = tick ^ wheel->tick;
    int level = differs == 0 ? 0 : (63 - __builtin_clzll(differs)) / WHEEL_SLOT_BITS;
    int slot = (int)(tick >> (level * WHEEL_SLOT_BITS)) & (WHEEL_SLOTS - 1);
    list_add_tail(&wheel->slots[level][slot], &timer->link);
    wheel->occupied[level] |= UINT64_C(1) << slot;
}

void wheel_add(struct wheel *wheel, struct loop_timer *timer, int64_t due_ms)
{
    ASSERT(timer->due_ms == 0);
    timer->due_ms = due_ms < 1 ? 1 : due_ms;
    file_timer(wheel, timer);
    wheel->count++;
    if (timer->due_ms <= wheel->now_ms)
        wheel->restless = true;
}

/* A slot that becomes empty gives its bit back. The timer does not know its slot, but the last one in a list has
   the list's head on both sides, and the head's address tells. */
static void forget_slot(struct wheel *wheel, const struct list *head)
{
    const struct list *first = &wheel->slots[0][0];
    if ((uintptr_t)head < (uintptr_t)first || (uintptr_t)head >= (uintptr_t)(first + WHEEL_LEVELS * WHEEL_SLOTS))
        return; /* the head of a list of due timers */
    size_t index = (size_t)(head - first);
    wheel->occupied[index / WHEEL_SLOTS] &= ~(UINT64_C(1) << (index % WHEEL_SLOTS));
}

void wheel_remove(struct wheel *wheel, struct loop_timer *timer)
{
    struct list *node = &timer->link;
    if (node->next == node->prev)
        forget_slot(wheel, node->next);
    list_remove(node);
    timer->due_ms = 0;
    wheel->count--;
}

/* The lowest level that holds something, or -1. */
static int next_level(const struct wheel *wheel)
{
    for (int level = 0; level < WHEEL_LEVELS; level++)
        if (wheel->occupied[level] != 0)
            return level;
    return -1;
}

/* The first tick that the slot stands for. */
static uint64_t slot_tick(const struct wheel *wheel, int level, int slot)
{
    int shift = level * WHEEL_SLOT_BITS;
    int above = shift + WHEEL_SLOT_BITS;
    uint64_t upper = above < 64 ? wheel->tick >> above << above : 0;
    return upper | (uint64_t)slot << shift;
}

static void slot_take(struct wheel *wheel, int level, int slot, struct list *out)
{
    struct list *head = &wheel->slots[level][slot];
    out->next = head->next;
    out->prev = head->prev;
    out->next->prev = out;
    out->prev->next = out;
    list_init(head);
    wheel->occupied[level] &= ~(UINT64_C(1) << slot);
}

/* Of the level 0 slot: what is due goes to `due`, the rest stays in its order. */
static void slot_sift(struct wheel *wheel, int slot, struct list *due)
{
    struct list taken;
    slot_take(wheel, 0, slot, &taken);
    while (!list_empty(&taken)) {
        struct list *node = taken.next;
        list_remove(node);
        if (timer_of(node)->due_ms <= wheel->now_ms)
            list_add_tail(due, node);
        else
            file_timer(wheel, timer_of(node));
    }
}

/* Files the timers of a slot again, now that its time has begun: they land on lower levels. */
static void slot_cascade(struct wheel *wheel, int level, int slot)
{
    struct list taken;
    slot_take(wheel, level, slot, &taken);
    while (!list_empty(&taken)) {
        struct list *node = taken.next;
        list_remove(node);
        file_timer(wheel, timer_of(node));
    }
}

/* The clock went back, which only tests do: every timer is filed again from the new position. */
static void wheel_rewind(struct wheel *wheel, uint64_t tick)
{
    struct list all;
    list_init(&all);
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        while (wheel->occupied[level] != 0) {
            struct list taken;
            slot_take(wheel, level, __builtin_ctzll(wheel->occupied[level]), &taken);
            while (!list_empty(&taken)) {
                struct list *node = taken.next;
                list_remove(node);
                list_add_tail(&all, node);
            }
        }
    }
    wheel->tick = tick;
    while (!list_empty(&all)) {
        struct list *node = all.next;
        list_remove(node);
        file_timer(wheel, timer_of(node));
    }
}

void wheel_advance(struct wheel *wheel, int64_t now_ms, struct list *due)
{
    if (now_ms == wheel->now_ms && !wheel->restless)
        return;
    uint64_t target = tick_of(now_ms);
    wheel->now_ms = now_ms;
    wheel->restless = false;
    if (target < wheel->tick)
        wheel_rewind(wheel, target);
    for (;;) {
        int level = next_level(wheel);
        if (level < 0)
            break;
        int slot = __builtin_ctzll(wheel->occupied[level]);
        uint64_t start = slot_tick(wheel, level, slot);
        if (start > target)
            break;
        wheel->tick = start;
        if (level > 0) {
            slot_cascade(wheel, level, slot);
            continue;
        }
        slot_sift(wheel, slot, due);
        if (start == target)
            break; /* what is left in it becomes due within this tick */
    }
    wheel->tick = target;
}

int64_t wheel_wait_ms(const struct wheel *wheel)
{
    int level = next_level(wheel);
    if (level < 0)
        return -1;
    int slot = __builtin_ctzll(wheel->occupied[level]);
    uint64_t start = slot_tick(wheel, level, slot);
    int64_t first = (int64_t)(start << WHEEL_TICK_BITS);
    const struct list *head = &wheel->slots[level][slot];
    int64_t earliest = INT64_MAX;
    int looked = 0;
    for (struct list *node = head->next; level == 0 && node != head && looked < LOOK_MAX; node = node->next, looked++)
        if (timer_of(node)->due_ms < earliest)
            earliest = timer_of(node)->due_ms;
    if (level > 0)
        earliest = first;
    else if (looked == LOOK_MAX) /* too many to look at all: the next millisecond that can have one */
        earliest = first > wheel->now_ms || wheel->restless ? first : wheel->now_ms + 1;
    return earliest > wheel->now_ms ? earliest - wheel->now_ms : 0;
}
