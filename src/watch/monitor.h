/*
 * The arithmetic of the performance monitor: what an operation may take, how often it failed of late, and how often that may be told.
 *
 * A completion is a duration, a memory and a success. Against thresholds the first two are judged one by one. The error rate is a property of many completions, so each
 * thread keeps a window of its own (five minutes, in slots of half a minute), which it alone writes and all read: adding costs no lock and no shared cache line, and whoever wants
 * the rate adds up the windows. What is told (a log line for each breach) is bounded by a gate, since a server that is slow must not also be busy with saying so.
 *
 * No allocation, no I/O; the caller brings the time.
 */
#ifndef WEIR_WATCH_MONITOR_H
#define WEIR_WATCH_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- thresholds ---- */
struct watch_thresholds {
    int64_t duration_ms;  /* 0: none */
    size_t memory;        /* bytes; 0: none */
    double error_rate;    /* a fraction; 0: none */
};
enum watch_figure { WATCH_FIGURE_DURATION, WATCH_FIGURE_MEMORY, WATCH_FIGURE_ERROR_RATE, WATCH_FIGURES };
/* The metric of each, and its unit, as the wire has them. */
extern const char *const watch_figure_names[WATCH_FIGURES];
extern const char *const watch_figure_units[WATCH_FIGURES];
struct watch_completion {
    int64_t duration_ns;
    size_t memory; /* bytes */
    bool failed;
};
/* Bit 1 << figure for each threshold that this completion exceeds; the error rate is not judged here. At the threshold is not beyond it. */
unsigned watch_thresholds_judge(const struct watch_thresholds *thresholds, const struct watch_completion *completion);

/* ---- the window of one operation on one thread ---- */
#define WATCH_WINDOW_SLOT_MS INT64_C(30000)
#define WATCH_WINDOW_SLOTS 11                                    /* the running one and ten whole ones: five minutes to five and a half */
#define WATCH_WINDOW_LEAST 20                                    /* completions below which a rate says nothing */
struct watch_window {
    struct {
        uint32_t slot; /* number of the half minute since the clock's beginning, + 1; 0: never used */
        uint32_t count, failed;
    } slot[WATCH_WINDOW_SLOTS];
};
struct watch_share {
    uint64_t count, failed;
};
/* The thread that owns the window. now_ms: monotonic. */
void watch_window_add(struct watch_window *window, int64_t now_ms, bool failed);
/* Any thread: adds what the window holds of the last five minutes. What is being added meanwhile may be missing. */
void watch_window_sum(const struct watch_window *window, int64_t now_ms, struct watch_share *share);
/* The failed part, when there are WATCH_WINDOW_LEAST completions and it exceeds the threshold; else a negative number. */
double watch_share_exceeds(const struct watch_share *share, double error_rate);

/* ---- how often something is told ---- */
#define WATCH_GATE_MS INT64_C(60000)
struct watch_gate { /* zeroed; any threads at a time */
    int64_t since_ms;
    uint32_t told, kept_back;
};
/* True when it may be told: `most` times a minute. *kept_back: how often it was not since the last time. */
bool watch_gate_pass(struct watch_gate *gate, int64_t now_ms, uint32_t most, uint32_t *kept_back);

#endif
