/*
 * The keys of an issuer that publishes them at a URL. This object does no I/O: it says when a fetch is due (through a
 * callback) and takes its outcome. Keys outlive an issuer that is away: a failed or unusable answer keeps the old set.
 */
#ifndef WEIR_NET_JWKS_H
#define WEIR_NET_JWKS_H

#include "net/jwt.h"

struct jwks;

struct jwks_options {
    int64_t max_age_ms;      /* keys older than this are refreshed; 0 = 10 minutes */
    int64_t min_interval_ms; /* at most one fetch in this time while there are keys; 0 = 30 seconds */
    int64_t retry_ms;        /* the same while there are none yet; 0 = 2 seconds */
};

/* Asked to fetch. Called on the thread that found the need (an io thread too), so it must only enqueue; the outcome comes to
   jwks_update, also after a failure. Never called by two threads within the intervals above. */
typedef void jwks_fetch_fn(void *ctx, struct jwks *jwks);

/* 0 or ERR_MEMORY. Has no keys yet. */
int jwks_create(const struct jwks_options *options, jwks_fetch_fn *fetch, void *ctx, struct jwks **out);
/* No other thread may use it any more, and no fetch may be on its way. */
void jwks_destroy(struct jwks *jwks);

/* The current set, referenced for the caller (jwt_keys_unref), or NULL before the first good answer. Any thread, no lock. */
struct jwt_keys *jwks_keys(struct jwks *jwks);
/* Calls `fetch` when one is due: no keys yet, keys older than max_age, or `unknown_kid`, and the interval has passed. Answers
   whether it did. now_ms: wall clock. Any thread, no lock. Call it with false from a timer, so that keys are fresh before they
   are needed. */
bool jwks_want_refresh(struct jwks *jwks, bool unknown_kid, int64_t now_ms);
/* The outcome of a fetch: HTTP status (0 = no answer) and body. 0 when a set was taken; else the old one stays and the code
   tells why (ERR_IO: status was not 200; or what jwt_keys_from_jwks said). Any thread but io threads (it takes a lock that only
   updaters share). */
int jwks_update(struct jwks *jwks, int status, struct text body, int64_t now_ms, struct err *err);
/* When the current keys came (wall ms), 0 when there are none. */
int64_t jwks_updated_ms(const struct jwks *jwks);
/* jwt_verify against the current set; asks for a refresh when it is due. While no keys were ever got: ERR_AGAIN (the issuer
   could not be asked yet; not the token's fault). */
int jwks_verify(struct jwks *jwks, struct text token, const struct jwt_policy *policy, int64_t now_ms,
                struct arena *arena, struct jwt_result *result);

#endif
