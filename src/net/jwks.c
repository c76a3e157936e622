/*
 * The cache between verifiers (many, on io threads, without locks) and one fetcher (rare, on the thread of outgoing
 * HTTP). The set of keys is immutable and swapped whole (net/swap.h), so a verification sees the old keys or the new ones.
 *
 * When to fetch is decided by whoever notices: a verifier that meets an unknown kid (the issuer has rotated), or a timer that
 * finds the keys old. A stranger can send any number of tokens with invented kids, so the decision is a compare-and-swap on the
 * time of the last attempt: one wins, and the interval passes before another can.
 */
#include "net/jwks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "net/swap.h"

struct jwks {
    struct jwks_options options;
    jwks_fetch_fn *fetch;
    void *ctx;
    struct swap keys;          /* struct jwt_keys */
    pthread_mutex_t updating;  /* one writer at a time */
    atomic_llong attempted_ms; /* of the last fetch asked for; 0 = never */
    atomic_llong updated_ms;   /* of the current keys; 0 = none */
};

static void keys_ref(void *keys)
{
    jwt_keys_ref(keys);
}

static void keys_unref(void *keys)
{
    jwt_keys_unref(keys);
}

int jwks_create(const struct jwks_options *options, jwks_fetch_fn *fetch, void *ctx, struct jwks **out)
{
    struct jwks *jwks = calloc(1, sizeof(*jwks));
    if (!jwks)
        return ERR_MEMORY;
    jwks->options = options ? *options : (struct jwks_options){0};
    if (jwks->options.max_age_ms <= 0)
        jwks->options.max_age_ms = 10 * MINUTE_MS;
    if (jwks->options.min_interval_ms <= 0)
        jwks->options.min_interval_ms = 30 * SECOND_MS;
    if (jwks->options.retry_ms <= 0)
        jwks->options.retry_ms = 2 * SECOND_MS;
    jwks->fetch = fetch;
    jwks->ctx = ctx;
    pthread_mutex_init(&jwks->updating, NULL);
    *out = jwks;
    return 0;
}

void jwks_destroy(struct jwks *jwks)
{
    if (!jwks)
        return;
    swap_publish(&jwks->keys, NULL, keys_unref);
    pthread_mutex_destroy(&jwks->updating);
    free(jwks);
}

struct jwt_keys *jwks_keys(struct jwks *jwks)
{
    return swap_acquire(&jwks->keys, keys_ref);
}

int64_t jwks_updated_ms(const struct jwks *jwks)
{
    return atomic_load(&jwks->updated_ms);
}

/* A clock that was set back must not silence us until it catches up; a thread that read it a moment earlier is no such case. */
static bool has_passed(int64_t since_ms, int64_t interval_ms, int64_t now_ms)
{
    int64_t passed_ms = now_ms - since_ms;
    return passed_ms >= interval_ms || passed_ms <= -interval_ms;
}

bool jwks_want_refresh(struct jwks *jwks, bool unknown_kid, int64_t now_ms)
{
    int64_t updated = atomic_load(&jwks->updated_ms);
    long long attempted = atomic_load(&jwks->attempted_ms);
    int64_t interval = updated ? jwks->options.min_interval_ms : jwks->options.retry_ms;

    if (updated && !unknown_kid && !has_passed(updated, jwks->options.max_age_ms, now_ms))
        return false;
    if (attempted && !has_passed(attempted, interval, now_ms))
        return false;
    if (!atomic_compare_exchange_strong(&jwks->attempted_ms, &attempted, now_ms))
        return false; /* another thread was first */
    jwks->fetch(jwks->ctx, jwks);
    return true;
}

int jwks_update(struct jwks *jwks, int status, struct text body, int64_t now_ms, struct err *err)
{
    struct jwt_keys *keys;
    if (status != 200)
        return err_set(err, ERR_IO, "the issuer's keys could not be fetched (status %d)", status);
    int code = jwt_keys_from_jwks(body, &keys, err);
    if (code)
        return code;
    pthread_mutex_lock(&jwks->updating);
    swap_publish(&jwks->keys, keys, keys_unref);
    atomic_store(&jwks->updated_ms, now_ms);
    pthread_mutex_unlock(&jwks->updating);
    return 0;
}

int jwks_verify(struct jwks *jwks, struct text token, const struct jwt_policy *policy, int64_t now_ms,
                struct arena *arena, struct jwt_result *result)
{
    struct jwt_keys *keys = jwks_keys(jwks);
    int code = jwt_verify(keys, token, policy, now_ms, arena, result);
    bool never = keys == NULL;

    jwt_keys_unref(keys);
    jwks_want_refresh(jwks, result->unknown_key, now_ms);
    if (never && code == ERR_INVALID_TOKEN && result->alg != JWT_ALG_NONE) {
        result->reason = "the issuer's keys are not known yet";
        return ERR_AGAIN;
    }
    return code;
}
