/*
 * Rates: token buckets per connection, action, user and address, off unless an API declares them. The answer is graded:
 *
 *   1. What is over its rate is refused by an error frame, RATE_LIMITED with `retryAfter` (milliseconds until the next one would pass); a handshake or a
 *      request by 429 with Retry-After. The socket stays.
 *   2. A connection with CLOSE_AFTER refusals within a minute does not listen: it is closed with 1008.
 *   3. An address with `ban_after` refusals within a minute, over all its connections, handshakes and requests, is banned for `ban_ms`: its sockets
 *      are closed with 1008 at their next message, its handshakes and requests get 429.
 *
 * Buckets of a connection live with it. Buckets of addresses and users live in maps of the io thread, bounded: the longest unused go first. With
 * several io threads each counts by itself, so an address that spreads over n threads gets up to n times its rate.
 */
#include "gateway/internal.h"

#include <stdlib.h>

#define SHARED_BUCKETS_MAX 65536 /* addresses and users remembered per io thread */
#define REFUSAL_WINDOW_MS MINUTE_MS
#define CLOSE_AFTER 100          /* refusals of one connection within the window */
#define FORGET_MS (10 * MINUTE_MS)

struct bucket {
    double tokens;
    int64_t at_ms; /* monotonic, of the last refill; 0: never used */
};

/* Refusals within a window that begins with the first. */
struct refusals {
    uint32_t count;
    int64_t since_ms;
};

struct gw_buckets {
    struct bucket all;
    struct bucket action[GW_ACTION_RATES_MAX];
    struct refusals refusals;
};

/* By address (API index, text) or by user. */
struct shared_bucket {
    struct list age;
    struct map *home;
    struct bucket messages, connects;
    struct refusals refusals;
    int64_t used_ms;
    int64_t banned_until_ms;
    struct text key;
    char bytes[];
};

/* *retry_ms: when a token will be there. */
static bool take(struct bucket *bucket, struct gw_rate rate, int64_t now_ms, int64_t *retry_ms)
{
    if (rate.rate <= 0)
        return true;
    double burst = rate.burst >= 1 ? rate.burst : rate.rate > 1 ? rate.rate : 1;
    if (bucket->at_ms == 0) {
        bucket->tokens = burst;
    } else {
        bucket->tokens += (double)(now_ms - bucket->at_ms) * rate.rate / 1000.0;
        if (bucket->tokens > burst)
            bucket->tokens = burst;
    }
    bucket->at_ms = now_ms;
    if (bucket->tokens < 1) {
        *retry_ms = (int64_t)((1 - bucket->tokens) * 1000.0 / rate.rate) + 1;
        return false;
    }
    bucket->tokens -= 1;
    return true;
}

static uint32_t refusals_add(struct refusals *refusals, int64_t now_ms)
{
    if (refusals->count == 0 || now_ms - refusals->since_ms > REFUSAL_WINDOW_MS)
        *refusals = (struct refusals){0, now_ms};
    return ++refusals->count;
}

static void shared_forget(struct shared_bucket *shared)
{
    map_delete(shared->home, shared->key);
    list_remove(&shared->age);
    free(shared);
}

static struct shared_bucket *shared_find(struct gw_io *io, struct map *home, struct gw_api *api, struct text name)
{
    char key[sizeof(api->index) + 1024];
    if (name.len > 1024)
        name.len = 1024;
    struct text scoped = gw_scoped_key(key, api, name);
    struct shared_bucket *shared = map_get(home, scoped);
    if (!shared) {
        if (io->addresses.count + io->user_buckets.count >= SHARED_BUCKETS_MAX)
            shared_forget(LIST_ENTRY(io->bucket_age.next, struct shared_bucket, age));
        shared = calloc(1, sizeof(*shared) + scoped.len);
        if (!shared)
            return NULL;
        memcpy(shared->bytes, scoped.data, scoped.len);
        shared->key = text_make(shared->bytes, scoped.len);
        shared->home = home;
        list_init(&shared->age);
        if (map_put(home, shared->key, shared, NULL)) {
            free(shared);
            return NULL;
        }
    }
    list_remove(&shared->age);
    list_add_tail(&io->bucket_age, &shared->age);
    shared->used_ms = loop_now_ms(io->loop);
    return shared;
}

/* Counts a refusal of an address. */
static enum gw_verdict refused(struct gw_io *io, const struct gw_api *api, struct shared_bucket *address, const struct gw_limits *limits, int64_t now_ms, int64_t *retry_ms)
{
    counter_add(COUNTER_gw_rate_limited, 1);
    gw_meter_limited(io, api, false);
    if (!address || !limits->ban_after || refusals_add(&address->refusals, now_ms) < limits->ban_after)
        return GW_REFUSE;
    if (address->banned_until_ms <= now_ms) {
        counter_add(COUNTER_gw_bans, 1);
        gw_meter_abuse(io, api, "Ban");
        log_warn("gateway", "an address is banned for %lld s after %u refusals", (long long)(limits->ban_ms / 1000), address->refusals.count);
    }
    address->banned_until_ms = now_ms + limits->ban_ms;
    *retry_ms = limits->ban_ms;
    return GW_BAN;
}

static bool is_banned(const struct shared_bucket *address, int64_t now_ms, int64_t *retry_ms)
{
    if (!address || address->banned_until_ms <= now_ms)
        return false;
    *retry_ms = address->banned_until_ms - now_ms;
    return true;
}

static bool action_allowed(struct gw_conn *conn, const struct gw_limits *limits, struct text action, int64_t now_ms, int64_t *retry_ms)
{
    for (size_t i = 0; i < limits->actions; i++)
        if (text_equal(limits->action[i].action, action))
            return take(&conn->buckets->action[i], limits->action[i].rate, now_ms, retry_ms);
    return true;
}

static bool user_allowed(struct gw_io *io, struct gw_conn *conn, const struct gw_limits *limits, int64_t now_ms, int64_t *retry_ms)
{
    if (limits->user.rate <= 0 || !conn->identity || !conn->identity->user_id.len)
        return true;
    struct shared_bucket *user = shared_find(io, &io->user_buckets, conn->api, conn->identity->user_id);
    return !user || take(&user->messages, limits->user, now_ms, retry_ms);
}

enum gw_verdict gw_limit_message(struct gw_io *io, struct gw_conn *conn, struct text action, int64_t *retry_ms)
{
    const struct gw_limits *limits = &gw_policy_of(io, conn->api)->limits;
    int64_t now_ms = loop_now_ms(io->loop);
    char text[46];
    if (!conn->buckets && !(conn->buckets = calloc(1, sizeof(*conn->buckets))))
        return GW_REFUSE;
    bool by_address = limits->address.rate > 0 || limits->ban_after;
    struct shared_bucket *address = by_address ? shared_find(io, &io->addresses, conn->api, net_conn_address(conn->net, text)) : NULL;
    if (is_banned(address, now_ms, retry_ms))
        return GW_BAN;
    if (take(&conn->buckets->all, limits->connection, now_ms, retry_ms) && action_allowed(conn, limits, action, now_ms, retry_ms) &&
        (!address || take(&address->messages, limits->address, now_ms, retry_ms)) && user_allowed(io, conn, limits, now_ms, retry_ms))
        return GW_ALLOW;
    enum gw_verdict verdict = refused(io, conn->api, address, limits, now_ms, retry_ms);
    if (refusals_add(&conn->buckets->refusals, now_ms) >= CLOSE_AFTER && verdict == GW_REFUSE)
        verdict = GW_CLOSE;
    return verdict;
}

enum gw_verdict gw_limit_address(struct gw_io *io, struct gw_api *api, struct text text, bool connecting, int64_t *retry_ms)
{
    const struct gw_limits *limits = &gw_policy_of(io, api)->limits;
    if (!limits->ban_after && limits->connects.rate <= 0 && limits->address.rate <= 0)
        return GW_ALLOW;
    int64_t now_ms = loop_now_ms(io->loop);
    struct shared_bucket *address = shared_find(io, &io->addresses, api, text);
    if (!address)
        return GW_ALLOW;
    if (is_banned(address, now_ms, retry_ms)) {
        counter_add(COUNTER_gw_rate_limited, 1);
        gw_meter_limited(io, api, false);
        return GW_BAN;
    }
    bool ok = connecting ? take(&address->connects, limits->connects, now_ms, retry_ms) : take(&address->messages, limits->address, now_ms, retry_ms);
    return ok ? GW_ALLOW : refused(io, api, address, limits, now_ms, retry_ms);
}

/* Forgets what has not been used for ten minutes and holds no ban; a slice a second. */
void gw_limit_second(struct gw_io *io)
{
    int64_t now_ms = loop_now_ms(io->loop);
    for (int i = 0; i < 1024 && !list_empty(&io->bucket_age); i++) {
        struct shared_bucket *oldest = LIST_ENTRY(io->bucket_age.next, struct shared_bucket, age);
        if (now_ms - oldest->used_ms < FORGET_MS || oldest->banned_until_ms > now_ms)
            return;
        shared_forget(oldest);
    }
}

void gw_limit_fini(struct gw_io *io)
{
    while (io->bucket_age.next && !list_empty(&io->bucket_age))
        shared_forget(LIST_ENTRY(io->bucket_age.next, struct shared_bucket, age));
    map_fini(&io->addresses);
    map_fini(&io->user_buckets);
}

void gw_buckets_destroy(struct gw_buckets *buckets)
{
    free(buckets);
}
