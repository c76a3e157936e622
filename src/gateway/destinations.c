/*
 * The follower that puts tables' changes to streams (destinations.h). It gathers a batch from the feed, lends it to a call of the tick, and goes on when that has been
 * committed; a call that fails for want of memory or disk runs again a second later with the same batch. What the batch takes from destinations is looked at again in the
 * tick: one whose stream does not exist any more is given nothing, and says so when it is described.
 */
#include "gateway/destinations_inside.h"

#include "base/counter.h"
#include "gateway/live.h"

#include <stdlib.h>

#define BATCH_RECORDS 400
#define BATCH_BYTES ((size_t)1 << 20) /* JSON; one change more at the most */
#define BATCH_ROOM ((size_t)32 << 20)
#define LOOK_RECORDS 4096             /* records of the journal in one turn */
#define PLACE_EVERY 1000              /* the place is stored without changes when it has moved on by so many records: the journal is kept from there */

struct put { /* one record of the batch */
    uint32_t destination;
    uint32_t from, len, key; /* in the text: the record, and the hash of its key behind it (32 digits) */
};
struct gw_destinations {
    struct gateway *gateway;
    struct gw_io *io;          /* services; NULL until the thread runs */
    int wanted;                /* atomic: there are destinations */
    struct gw_follower follower; /* of the rows */
    bool stale;                /* they have changed */
    struct arena rows;
    struct gw_destination *destination;
    size_t count, cap;
    struct feed *feed;
    struct feed_position stored, taken;
    struct buf text;
    struct put put[BATCH_RECORDS];
    size_t puts;
    bool flying, forget;       /* a call is under way; it also deletes rows of tables that are gone */
    struct loop_timer retry;
};

/* ---- rows ---- */

static int keep_row(void *context, const struct gw_destination *row)
{
    struct gw_destinations *d = context;
    if (d->count == d->cap)
        return RECORDS_DONE;
    struct gw_destination *own = &d->destination[d->count++];
    *own = *row;
    own->table = arena_copy(&d->rows, row->table);
    own->stream = arena_copy(&d->rows, row->stream);
    return own->table.data && own->stream.data ? 0 : ERR_MEMORY;
}

/* Is there one that goes on, or that has not been given all from before its end? */
static bool is_any_waiting(const struct gw_destinations *d)
{
    for (size_t i = 0; i < d->count; i++)
        if (!d->destination[i].until || d->destination[i].until > d->stored.sequence)
            return true;
    return false;
}

/* Whoever commits wakes the thread, and the journal is kept, while somebody waits. */
static void tell(struct gw_destinations *d)
{
    bool waiting = is_any_waiting(d);
    __atomic_store_n(&d->wanted, waiting, __ATOMIC_SEQ_CST);
    tick_keep_from(d->gateway->tick, TICK_KEEP_DESTINATIONS, waiting ? d->stored.sequence : UINT64_MAX);
    if (waiting)
        return;
    feed_close(d->feed);
    d->feed = NULL;
}

static void load(struct gw_destinations *d)
{
    struct store *store = d->gateway->config.store;
    struct arena scratch;
    struct store_view view = {.store = store, .snapshot = store_snapshot_acquire(store, d->io->index), .now_s = clock_wall_ms() / 1000};
    arena_init(&scratch, 4096, 64 << 20);
    arena_reset(&d->rows);
    d->stale = false;
    d->count = 0;
    d->cap = GW_DESTINATIONS_MAX;
    d->destination = arena_array(&d->rows, d->cap, sizeof(*d->destination));
    struct feed_position place = {0};
    int code = d->destination ? gw_destination_each(&view, &scratch, 0, keep_row, d) : ERR_MEMORY;
    if (!code)
        code = destinations_place(&view, &scratch, &place);
    d->follower.seen = store_snapshot_sequence(view.snapshot);
    arena_fini(&scratch);
    store_snapshot_release(store, d->io->index);
    if (code && code != ERR_NOT_FOUND) {
        log_error("destinations", "the tables' destinations cannot be read: %s", err_text(code));
        d->stale = true;
        loop_timer_set(d->io->loop, &d->retry, clock_mono_ms() + SECOND_MS);
        return;
    }
    if (feed_compare(place, d->stored) > 0) { /* at the start, or everything began anew */
        d->stored = d->taken = place;
        feed_close(d->feed);
        d->feed = NULL;
    }
    tell(d);
}

static bool takes(const struct gw_destination *row, uint32_t table_id, uint64_t sequence)
{
    return row->table_id == table_id && sequence > row->since && (!row->until || sequence <= row->until);
}

/* ---- the batch ---- */

static int add(struct gw_destinations *d, uint32_t destination, struct feed_position at, const struct store_change *change)
{
    struct put *put = &d->put[d->puts];
    struct arena *arena = &d->gateway->live->arena; /* of this thread; nothing of another's is in it between turns */
    size_t before = d->text.len;
    int code = destination_record(&d->gateway->config, arena, &d->destination[destination], at, change, &d->text);
    arena_reset(arena);
    if (code) {
        if (d->text.len > before)
            d->text.len = before;
        d->text.failed = false;
        return code;
    }
    *put = (struct put){destination, (uint32_t)before, (uint32_t)(d->text.len - before), (uint32_t)d->text.len};
    gw_hash_key hash = gw_hash_key_of(change->keys);
    buf_add_format(&d->text, "%016llX%016llX", (unsigned long long)(hash >> 64), (unsigned long long)hash);
    d->puts++;
    return d->text.failed ? ERR_MEMORY : 0;
}

static bool batch_full(const struct gw_destinations *d)
{
    return d->puts + GW_DESTINATIONS_PER_TABLE * 2 > BATCH_RECORDS || d->text.len >= BATCH_BYTES;
}

static bool open_feed(struct gw_destinations *d)
{
    struct err err = {0};
    struct gateway *gateway = d->gateway;
    if (d->feed)
        return true;
    int code = feed_open(&d->feed, gateway->tick, gateway->config.journal, d->taken, &err);
    if (code == ERR_NOT_FOUND || code == ERR_INVALID) { /* the folder was restored, or cut by hand: the journal is kept for us otherwise */
        log_error("destinations", "changes of tables are lost to their streams: %s", err.text);
        d->taken = (struct feed_position){tick_durable(gateway->tick), FEED_ALL};
        code = feed_open(&d->feed, gateway->tick, gateway->config.journal, d->taken, &err);
    }
    return code == 0;
}

/* 0: there may be more; ERR_AGAIN: everything durable has been looked at. */
static int gather(struct gw_destinations *d)
{
    struct store_change change;
    struct err err = {0};
    uint64_t sequence;
    int code = open_feed(d) ? 0 : ERR_MEMORY;
    for (int looked = 0; !code && looked < LOOK_RECORDS && !batch_full(d);) {
        code = feed_next(d->feed, &sequence, &change, &err);
        if (code == FEED_END) {
            looked++;
            code = 0;
            d->taken = feed_position(d->feed);
            continue;
        }
        for (uint32_t i = 0; i < d->count && !code; i++)
            if (takes(&d->destination[i], change.table_id, sequence) && d->puts < BATCH_RECORDS)
                code = add(d, i, (struct feed_position){sequence, change.number}, &change);
        if (!code)
            d->taken = feed_position(d->feed);
    }
    return code;
}

/* ---- in the tick ---- */

/* Still wanted, and there is a stream? */
static int is_due(struct gw_destinations *d, struct tick *tick, struct arena *arena, const struct gw_destination *row, bool *due)
{
    struct gw_destination now;
    struct gw_stream stream;
    struct arena_mark mark = arena_mark(arena);
    (void)d;
    int code = gw_destination_get(tick_view(tick), arena, row->table_id, row->stream, &now);
    if (!code)
        code = gw_stream_get(tick_view(tick), arena, row->stream, &stream);
    arena_rewind(arena, mark);
    *due = !code && now.since == row->since;
    return code == ERR_NOT_FOUND ? 0 : code;
}

static int put_all(struct gw_destinations *d, struct tick *tick, struct arena *arena, uint32_t destination, uint32_t *index)
{
    struct gw_record *record = arena_array(arena, d->puts, sizeof(*record));
    const struct gw_destination *row = &d->destination[destination];
    struct err err = {0};
    size_t count = 0;
    if (!record)
        return ERR_MEMORY;
    for (size_t i = 0; i < d->puts; i++) {
        if (d->put[i].destination != destination)
            continue;
        struct gw_record *one = &record[count++];
        *one = (struct gw_record){.key = text_make(d->text.data + d->put[i].key, 32), .data = text_make(d->text.data + d->put[i].from, d->put[i].len)};
        one->hash = gw_hash_key_of(one->key);
    }
    int code = gw_records_put(tick, arena, row->stream, record, count, *index, &err);
    *index += (uint32_t)count;
    return code == ERR_NOT_FOUND ? 0 : code; /* its table has not been applied yet, or not any more */
}

static int forget_gone(struct gw_destinations *d, struct tick *tick)
{
    int code = 0;
    for (size_t i = 0; i < d->count && !code; i++) {
        const struct store_table *table = store_table_find(tick_view(tick)->store, d->destination[i].table);
        if (!table || store_table_id(table) != d->destination[i].table_id)
            code = destinations_forget(tick, d->destination[i].table_id, d->destination[i].stream);
    }
    return code;
}

static int run(struct gw_work *work, struct tick *tick)
{
    struct gw_destinations *d = work->user;
    uint32_t index = 0;
    int code = 0;
    for (uint32_t i = 0; i < d->count && d->puts && !code; i++) {
        bool any = false, due = false;
        for (size_t k = 0; k < d->puts; k++)
            any = any || d->put[k].destination == i;
        if (any)
            code = is_due(d, tick, work->arena, &d->destination[i], &due);
        if (due)
            code = put_all(d, tick, work->arena, i, &index);
    }
    if (!code && d->forget)
        code = forget_gone(d, tick);
    return code ? code : destinations_place_put(tick, d->taken);
}

/* ---- the thread ---- */

static int turn(void *context);

static void on_done(struct gw_work *work, struct net_conn *none, int code)
{
    struct gw_destinations *d = work->user;
    (void)none;
    d->flying = false;
    if (code) {
        log_warn("destinations", "changes of tables wait: %s", err_text(code));
        loop_timer_set(d->io->loop, &d->retry, clock_mono_ms() + SECOND_MS);
        return;
    }
    counter_add(COUNTER_destination_records, (int64_t)d->puts);
    d->puts = 0;
    buf_fini(&d->text);
    buf_init(&d->text, BATCH_ROOM);
    d->stored = d->taken;
    d->forget = false;
    tell(d);
    loop_wake(d->io->loop); /* there may be more */
}

static void submit(struct gw_destinations *d)
{
    struct gw_work *work = gw_work_own(d->io);
    if (!work) {
        loop_timer_set(d->io->loop, &d->retry, clock_mono_ms() + SECOND_MS);
        return;
    }
    d->flying = true;
    work->user = d;
    work->run = run;
    work->done = on_done;
    gw_work_submit(work);
}

static bool is_any_gone(const struct gw_destinations *d)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct store_table *table = store_table_find(d->gateway->config.store, d->destination[i].table);
        if (!table || store_table_id(table) != d->destination[i].table_id)
            return true;
    }
    return false;
}

/* An inbox hook. */
static int turn(void *context)
{
    struct gw_destinations *d = context;
    if (d->flying || loop_timer_is_set(&d->retry))
        return 0;
    if (d->puts) { /* a call that failed */
        submit(d);
        return 1;
    }
    if (d->stale)
        load(d);
    if (d->stale || !is_any_waiting(d))
        return 0;
    int code = gather(d);
    if (code && code != ERR_AGAIN) {
        log_error("destinations", "the journal cannot be followed: %s", err_text(code));
        feed_close(d->feed);
        d->feed = NULL;
        d->puts = 0;
        buf_clear(&d->text);
        d->taken = d->stored;
        loop_timer_set(d->io->loop, &d->retry, clock_mono_ms() + SECOND_MS);
        return 0;
    }
    d->forget = code == ERR_AGAIN && is_any_gone(d);
    bool passed = false; /* a destination's end: it is disabled once that is stored */
    for (size_t i = 0; i < d->count; i++)
        passed = passed || (d->destination[i].until > d->stored.sequence && d->destination[i].until <= d->taken.sequence);
    if (d->puts || d->forget || passed || d->taken.sequence > d->stored.sequence + PLACE_EVERY)
        submit(d);
    return code == ERR_AGAIN ? 0 : 1;
}

static void on_retry(struct loop *loop, struct loop_timer *timer)
{
    (void)timer;
    loop_wake(loop); /* the turn does the rest */
}

static void on_change(struct gw_follower *follower)
{
    struct gw_destinations *d = LIST_ENTRY(follower, struct gw_destinations, follower);
    d->stale = true;
    loop_wake(d->io->loop);
}

int gw_destinations_create(struct gateway *gateway)
{
    struct gw_destinations *d = calloc(1, sizeof(*d));
    if (!d)
        return ERR_MEMORY;
    d->gateway = gateway;
    arena_init(&d->rows, 4096, 16 << 20);
    buf_init(&d->text, BATCH_ROOM);
    gateway->destinations = d;
    return 0;
}

void gw_destinations_begin(struct gw_io *io)
{
    struct gw_destinations *d = io->gateway->destinations;
    d->io = io;
    d->stale = true;
    d->follower.on_change = on_change;
    loop_timer_init(&d->retry, on_retry);
    gw_follow_begin(io, &d->follower, DESTINATIONS_SUBJECT);
    load(d);
    if (loop_inbox_add(io->loop, turn, d))
        log_error("destinations", "the services' loop takes no more hooks");
}

void gw_destinations_durable(struct gateway *gateway)
{
    struct gw_destinations *d = gateway->destinations;
    if (d && __atomic_fetch_or(&d->wanted, 0, __ATOMIC_SEQ_CST))
        loop_wake(gateway->io[gateway->io_count].loop);
}

void gw_destinations_end(struct gateway *gateway)
{
    struct gw_destinations *d = gateway->destinations;
    if (!d)
        return;
    if (d->io) {
        loop_timer_stop(d->io->loop, &d->retry);
        gw_follow_end(&d->follower);
    }
    feed_close(d->feed);
    buf_fini(&d->text);
    arena_fini(&d->rows);
    free(d);
    gateway->destinations = NULL;
}
