/*
 * A board read from the table: its first entries, on a worker, from one snapshot of the store; then, on the services' thread, what was committed between that
 * snapshot and the place where the rounds stand. A snapshot that is newer than the rounds is no matter: the board skips what it holds already.
 */
#include "gateway/live_ranks.h"

#include <stdlib.h>

#define LOAD_ARENA ((size_t)64 << 20)

struct live_load {
    struct list link;
    struct gw_live *live;
    struct live_ranks *ranks;   /* NULL: nobody waits for it any more */
    struct live_spec spec;
    struct worker_job job;
    struct gw_effect *back;     /* brings the job's end home */
    bool again;                 /* the board has been read before */
    int slot;                   /* -1: waits for one, or for room in the pool */
    bool running;
    struct board board;
    uint64_t sequence;
    int code;
    char bytes[];               /* the specification */
};

/* ---- on a worker ---- */

static int load_entries(struct live_load *load, struct store_view *view, struct arena *arena, struct arena *page)
{
    struct store_cursor *cursor;
    struct store_query query;
    const struct attr *item;
    struct buf order, bytes, key;
    int code = live_spec_query(&load->spec, view->store, arena, &query);
    if (!code)
        code = store_query_open(view, &query, arena, &cursor, NULL);
    if (code)
        return code;
    buf_init(&order, 8192);
    buf_init(&bytes, ITEM_BYTES_MAX * 2);
    buf_init(&key, 16384);
    while (!code) {
        arena_reset(page);
        code = store_cursor_next(cursor, page, &item);
        if (code || board_order(&order, query.table, query.index, item))
            continue;
        const struct store_key *primary = store_key_of(query.table, NULL);
        struct attr *named = item_create(page);
        for (size_t i = 0; named && i < store_key_parts(primary); i++)
            if (!item_set_copy(page, named, primary->part[i].name, item_get(item, primary->part[i].name)))
                named = NULL;
        buf_clear(&bytes);
        buf_clear(&key);
        code = !named || item_encode(&bytes, item) || item_encode(&key, named) ? ERR_MEMORY : board_append(&load->board, buf_text(&order), buf_text(&key), buf_text(&bytes));
    }
    load->board.complete = code == ERR_NOT_FOUND;
    store_cursor_close(cursor);
    buf_fini(&order);
    buf_fini(&bytes);
    buf_fini(&key);
    return code == ERR_NOT_FOUND || code == ERR_FULL ? 0 : code;
}

static void job_run(struct worker_job *job)
{
    struct live_load *load = LIST_ENTRY(job, struct live_load, job);
    struct gateway *gateway = load->live->gateway;
    struct store *store = gateway->config.store;
    struct gw_effect *back = load->back;
    struct arena arena, page;
    arena_init(&arena, 4096, LOAD_ARENA);
    arena_init(&page, 16384, LOAD_ARENA);
    /* What has expired leaves a board that is shown when it is swept, with its change record, and not because the board was read again. */
    struct store_view view = {
        .store = store, .snapshot = store_snapshot_acquire(store, live_slot_reader(load->slot)), .now_s = load->again ? 0 : clock_wall_ms() / 1000};
    load->sequence = store_snapshot_sequence(view.snapshot);
    load->code = load_entries(load, &view, &arena, &page);
    store_snapshot_release(store, live_slot_reader(load->slot));
    arena_fini(&arena);
    arena_fini(&page);
    pthread_mutex_lock(&gateway->worked_lock);
    bool pushed = ring_push(gateway->io[gateway->io_count].mail[gateway->io_count], back);
    pthread_mutex_unlock(&gateway->worked_lock);
    ASSERT(pushed); /* as many as there are slots, against thousands of places */
    loop_wake(gateway->io[gateway->io_count].loop);
}

/* ---- on the services' thread ---- */

static void load_free(struct live_load *load)
{
    if (load->ranks)
        load->ranks->load = NULL;
    live_slot_give(load->live, load->slot);
    list_remove(&load->link);
    board_fini(&load->board);
    free(load);
}

static void load_go(struct live_load *load)
{
    struct gw_live *live = load->live;
    struct live_message message = {.kind = LIVE_LOADED, .load = load};
    load->slot = live_slot_take(live);
    load->back = load->slot < 0 ? NULL : live_effect(&message, TEXT_NONE, NULL);
    load->job.run = job_run;
    load->running = true;
    int code = load->back && live->gateway->config.workers ? worker_submit(live->gateway->config.workers, &load->job) : ERR_AGAIN;
    if (!code)
        return;
    load->running = false;
    if (load->back)
        gw_effect_unref(load->back);
    live_slot_give(live, load->slot);
    load->slot = -1;
    live_retry_soon(live);
}

void live_load_start_waiting(struct gw_live *live)
{
    for (struct list *at = live->loads.next, *next; at != &live->loads; at = next) {
        struct live_load *load = LIST_ENTRY(at, struct live_load, link);
        next = at->next;
        if (!load->running && !load->ranks)
            load_free(load);
        else if (!load->running)
            load_go(load);
    }
}

void live_load_begin(struct gw_live *live, struct live_ranks *ranks)
{
    struct text spec = ranks->topic->key;
    if (ranks->load || clock_mono_ms() < ranks->load_again_ms)
        return;
    struct live_load *load = calloc(1, sizeof(*load) + spec.len);
    if (!load || board_init(&load->board, ranks->topic->spec.top, ranks->topic->spec.backward)) {
        free(load);
        return; /* the next pull asks again */
    }
    memcpy(load->bytes, spec.data, spec.len);
    int code = live_spec_decode(text_make(load->bytes, spec.len), &load->spec);
    ASSERT(code == 0); /* its topic was made from the same bytes */
    load->live = live;
    load->ranks = ranks;
    load->again = ranks->ready;
    ranks->load = load;
    load->slot = -1;
    list_add_tail(&live->loads, &load->link);
    load_go(load);
}

void live_load_forget(struct live_ranks *ranks)
{
    if (ranks->load)
        ranks->load->ranks = NULL;
    ranks->load = NULL;
}

/* What was committed since, up to where the rounds stand. */
static int catch_up(struct gw_live *live, struct live_load *load)
{
    struct feed *feed = NULL;
    struct err err = {0};
    struct store_change change;
    struct attr *keys, *before, *after;
    uint64_t sequence;
    bool moved;
    int code = feed_open(&feed, live->gateway->tick, live->gateway->config.journal, (struct feed_position){load->sequence, FEED_ALL}, &err);
    while (!code && feed_compare(feed_position(feed), (struct feed_position){live->at, FEED_ALL}) < 0) {
        code = feed_next(feed, &sequence, &change, &err);
        if (!code && text_equal(change.table, load->spec.table)) {
            code = live_change_decode(&live->arena, &change, &keys, &before, &after);
            if (!code)
                code = live_board_change(&load->spec, live, &load->board, &change, before, after, &moved);
            arena_reset(&live->arena);
        }
        code = code == FEED_END ? 0 : code;
    }
    feed_close(feed);
    return code;
}

void live_load_loaded(struct gw_live *live, struct live_load *load)
{
    struct live_ranks *ranks = load->ranks;
    load->running = false;
    if (ranks) {
        if (!load->code && load->sequence < live->at)
            load->code = catch_up(live, load);
        uint64_t at = load->sequence > live->at ? load->sequence : live->at;
        struct board board = load->board;
        load->board = (struct board){0};
        ranks->load = NULL;
        load->ranks = NULL;
        live_ranks_loaded(live, ranks, &board, (struct feed_position){at, FEED_ALL}, load->code);
    }
    load_free(load);
    live_load_start_waiting(live);
    live_scan_start_waiting(live);
    live->look = true;
}

/* After the threads, the workers' too. */
void live_load_end_all(struct gw_live *live)
{
    while (!list_empty(&live->loads))
        load_free(LIST_ENTRY(live->loads.next, struct live_load, link));
}
