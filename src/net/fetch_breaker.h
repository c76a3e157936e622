/*
 * A circuit breaker for one origin. Closed: all pass. After `threshold` failures in a row it opens and refuses everything for
 * `open_ms`; then one probe may pass (half open): its success closes the circuit, its failure opens it again. A probe that is
 * never answered does not lock the circuit: after another open_ms the next one may go. Pure: time comes in. One thread.
 */
#ifndef WEIR_NET_FETCH_BREAKER_H
#define WEIR_NET_FETCH_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
    uint32_t threshold; /* failures in a row */
    int64_t open_ms;
    enum breaker_state state;
    uint32_t failures;  /* in a row */
    int64_t since_ms;   /* when it opened, or when the probe went out */
};

/* threshold >= 1, open_ms >= 1. */
void breaker_init(struct breaker *breaker, uint32_t threshold, int64_t open_ms);
/* May a request go out now? A refusal counts in fetch_circuit_open. Monotonic milliseconds. */
bool breaker_allow(struct breaker *breaker, int64_t now_ms);
/* The outcome of a request that was allowed. */
void breaker_success(struct breaker *breaker);
void breaker_failure(struct breaker *breaker, int64_t now_ms);
/* Milliseconds until a request may pass; 0 = now. For Retry-After and for scheduling. */
int64_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ms);

#endif
