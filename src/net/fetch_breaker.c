/* Counts failures in a row, not a rate: the right measure for an origin that is down, which is what this is for. */
#include "net/fetch_breaker.h"

#include "base/assert.h"
#include "base/counter.h"

void breaker_init(struct breaker *breaker, uint32_t threshold, int64_t open_ms)
{
    ASSERT(threshold >= 1 && open_ms >= 1);
    *breaker = (struct breaker){.threshold = threshold, .open_ms = open_ms};
}

int64_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ms)
{
    if (breaker->state == BREAKER_CLOSED)
        return 0;
    int64_t wait = breaker->since_ms + breaker->open_ms - now_ms;
    return wait > 0 ? wait : 0;
}

bool breaker_allow(struct breaker *breaker, int64_t now_ms)
{
    if (breaker->state == BREAKER_CLOSED)
        return true;
    if (breaker_wait_ms(breaker, now_ms) > 0) {
        counter_add(COUNTER_fetch_circuit_open, 1);
        return false;
    }
    breaker->state = BREAKER_HALF_OPEN;
    breaker->since_ms = now_ms;
    return true;
}

void breaker_success(struct breaker *breaker)
{
    if (breaker->state == BREAKER_OPEN)
        return; /* an answer to a request from before it opened says nothing about now */
    breaker->state = BREAKER_CLOSED;
    breaker->failures = 0;
}

void breaker_failure(struct breaker *breaker, int64_t now_ms)
{
    if (breaker->state == BREAKER_OPEN)
        return;
    if (breaker->state == BREAKER_CLOSED && ++breaker->failures < breaker->threshold)
        return;
    breaker->state = BREAKER_OPEN;
    breaker->since_ms = now_ms;
}
