/*
 * Windows are read by other threads while their owner writes them, so every access is a relaxed atomic one: plain moves on the machines we know, and no torn number on any.
 * A slot is emptied before it gets its new number, so that a reader in between sees too little rather than the counts of an hour ago under today's number.
 */
#include "watch/monitor.h"

const char *const watch_figure_names[WATCH_FIGURES] = {"HandlerDuration", "MemoryUsage", "ErrorRate"};
const char *const watch_figure_units[WATCH_FIGURES] = {"Milliseconds", "Bytes", "Percent"};

#define get(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define set(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

unsigned watch_thresholds_judge(const struct watch_thresholds *thresholds, const struct watch_completion *completion)
{
    unsigned exceeded = 0;
    if (thresholds->duration_ms && completion->duration_ns > thresholds->duration_ms * 1000000)
        exceeded |= 1u << WATCH_FIGURE_DURATION;
    if (thresholds->memory && completion->memory > thresholds->memory)
        exceeded |= 1u << WATCH_FIGURE_MEMORY;
    return exceeded;
}

/* ---- windows ---- */

static uint32_t slot_of(int64_t now_ms)
{
    return (uint32_t)(now_ms / WATCH_WINDOW_SLOT_MS) + 1;
}

void watch_window_add(struct watch_window *window, int64_t now_ms, bool failed)
{
    uint32_t number = slot_of(now_ms), at = number % WATCH_WINDOW_SLOTS;
    if (get(window->slot[at].slot) != number) {
        set(window->slot[at].count, 0);
        set(window->slot[at].failed, 0);
        __atomic_store_n(&window->slot[at].slot, number, __ATOMIC_RELEASE);
    }
    if (failed)
        set(window->slot[at].failed, get(window->slot[at].failed) + 1);
    set(window->slot[at].count, get(window->slot[at].count) + 1);
}

void watch_window_sum(const struct watch_window *window, int64_t now_ms, struct watch_share *share)
{
    uint32_t number = slot_of(now_ms);
    for (unsigned i = 0; i < WATCH_WINDOW_SLOTS; i++) {
        uint32_t slot = __atomic_load_n(&window->slot[i].slot, __ATOMIC_ACQUIRE);
        if (!slot || slot > number || number - slot >= WATCH_WINDOW_SLOTS)
            continue;
        share->count += get(window->slot[i].count);
        share->failed += get(window->slot[i].failed);
    }
}

double watch_share_exceeds(const struct watch_share *share, double error_rate)
{
    if (error_rate <= 0 || share->count < WATCH_WINDOW_LEAST)
        return -1;
    double rate = (double)share->failed / (double)share->count;
    return rate > error_rate ? rate : -1;
}

/* ---- gates ---- */

bool watch_gate_pass(struct watch_gate *gate, int64_t now_ms, uint32_t most, uint32_t *kept_back)
{
    int64_t since = get(gate->since_ms);
    *kept_back = 0;
    if ((!since || now_ms - since >= WATCH_GATE_MS) &&
        __atomic_compare_exchange_n(&gate->since_ms, &since, now_ms ? now_ms : 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        set(gate->told, 0);
    if (__atomic_fetch_add(&gate->told, 1, __ATOMIC_RELAXED) < most) {
        *kept_back = __atomic_exchange_n(&gate->kept_back, 0, __ATOMIC_RELAXED);
        return true;
    }
    __atomic_fetch_add(&gate->kept_back, 1, __ATOMIC_RELAXED);
    return false;
}
