/*
 * Snapshots of live tables. A snapshot is read page by page, each page when its reader asks for it, on a worker (it may have to wait for the disk), and all
 * pages from one snapshot of the store: so they are the table at one sequence, and what follows that sequence comes from the feed.
 *
 * A snapshot that is held keeps old data from being compacted away, so there are few at a time, and one whose reader does not ask for the next page within ten
 * seconds is let go: that reader is told to begin anew when it asks again.
 */
#include "gateway/live.h"

#include <stdlib.h>

#define PAGE_JSON_MAX ((size_t)8 << 20)

struct live_scan {
    struct list link;
    struct gw_live *live;
    struct live_message asker; /* of the newest pull */
    uint64_t id;               /* the subscription's */
    struct live_spec spec;
    int slot;                  /* bit of slots_used; -1: waits for one */
    bool running;              /* a job is on a worker: it alone touches what follows `job` */
    bool unsent;               /* the pool had no room for its job */
    bool dead;                 /* freed when the job is back */
    int64_t idle_ms;           /* monotonic; when the last page went */
    struct worker_job job;
    struct gw_effect *back;    /* brings the job's end home */
    struct store_view view;
    struct store_cursor *cursor;
    struct arena arena, page;
    bool opened, last;
    int code;
    uint64_t sequence;
    struct net_frame *frame;
    char bytes[];              /* the specification */
};

/* ---- on a worker ---- */

static int scan_open(struct live_scan *scan)
{
    struct store *store = scan->live->gateway->config.store;
    struct store_query query;
    scan->view = (struct store_view){
        .store = store, .snapshot = store_snapshot_acquire(store, live_slot_reader(scan->slot)), .now_s = clock_wall_ms() / 1000};
    scan->opened = true;
    scan->sequence = store_snapshot_sequence(scan->view.snapshot);
    int code = live_spec_query(&scan->spec, store, &scan->arena, &query);
    return code ? code : store_query_open(&scan->view, &query, &scan->arena, &scan->cursor, NULL);
}

static int scan_items(struct live_scan *scan, struct buf *out, unsigned *items)
{
    struct json_writer w;
    const struct attr *item;
    for (int rows = 0; rows < LIVE_SCAN_ROWS && *items < LIVE_PAGE_ITEMS && out->len < LIVE_PAGE_BYTES; rows++) {
        arena_reset(&scan->page);
        int code = store_cursor_next(scan->cursor, &scan->page, &item);
        if (code == ERR_NOT_FOUND)
            scan->last = true;
        if (code)
            return code == ERR_NOT_FOUND ? 0 : code;
        if (!live_spec_holds(&scan->spec, item))
            continue;
        if ((*items)++)
            buf_add_char(out, ',');
        json_writer_init(&w, out);
        item_to_plain(&w, item);
    }
    return 0;
}

static int scan_page(struct live_scan *scan)
{
    struct buf out;
    unsigned items = 0;
    int code = scan->opened ? 0 : scan_open(scan);
    if (code)
        return code;
    buf_init(&out, PAGE_JSON_MAX);
    buf_add_format(&out, "{\"type\":\"snapshot\",\"subscription\":\"%016llx\",\"sequence\":%llu,\"items\":[", (unsigned long long)scan->id,
        (unsigned long long)scan->sequence);
    code = scan_items(scan, &out, &items);
    buf_add_format(&out, "],\"last\":%s}", scan->last ? "true" : "false");
    if (code || (!items && !scan->last)) {
        buf_fini(&out);
        return code;
    }
    scan->frame = live_frame_text(&out);
    return scan->frame ? 0 : ERR_MEMORY;
}

static void job_run(struct worker_job *job)
{
    struct live_scan *scan = LIST_ENTRY(job, struct live_scan, job);
    struct gateway *gateway = scan->live->gateway;
    struct gw_effect *back = scan->back;
    scan->code = scan_page(scan);
    pthread_mutex_lock(&gateway->worked_lock);
    bool pushed = ring_push(gateway->io[gateway->io_count].mail[gateway->io_count], back);
    pthread_mutex_unlock(&gateway->worked_lock);
    ASSERT(pushed); /* a handful of scans against thousands of places */
    loop_wake(gateway->io[gateway->io_count].loop);
}

/* ---- on the services' thread ---- */

static void scan_free(struct live_scan *scan)
{
    struct gw_live *live = scan->live;
    if (scan->cursor)
        store_cursor_close(scan->cursor);
    if (scan->opened)
        store_snapshot_release(live->gateway->config.store, live_slot_reader(scan->slot));
    live_slot_give(live, scan->slot);
    net_frame_unref(scan->frame);
    list_remove(&scan->link);
    arena_fini(&scan->arena);
    arena_fini(&scan->page);
    free(scan);
}

int live_slot_take(struct gw_live *live)
{
    int above = STORE_READERS_MAX - (int)live->gateway->io_count - 3;
    int slots = above < 1 ? 1 : above > LIVE_SCANS_MAX ? LIVE_SCANS_MAX : above;
    for (int i = 0; i < slots; i++)
        if (!(live->slots_used >> i & 1)) {
            live->slots_used |= 1u << i;
            return i;
        }
    return -1;
}

void live_slot_give(struct gw_live *live, int slot)
{
    if (slot >= 0)
        live->slots_used &= ~(1u << slot);
}

static void scan_end(struct live_scan *scan, int code)
{
    struct live_message message = scan->asker;
    message.kind = LIVE_END;
    message.code = code;
    live_send(scan->live, message.io, live_effect(&message, TEXT_NONE, NULL));
    scan_free(scan);
}

/* Sends the job for the next page, or notes that it must be sent. */
static void scan_go(struct live_scan *scan)
{
    struct gw_live *live = scan->live;
    struct live_message message = {.kind = LIVE_SCANNED, .scan = scan};
    scan->back = live_effect(&message, TEXT_NONE, NULL);
    if (!scan->back) {
        scan_end(scan, ERR_MEMORY);
        return;
    }
    scan->job.run = job_run;
    scan->running = true;
    scan->unsent = false;
    int code = live->gateway->config.workers ? worker_submit(live->gateway->config.workers, &scan->job) : ERR_UNSUPPORTED;
    if (!code)
        return;
    scan->running = false;
    gw_effect_unref(scan->back);
    if (code == ERR_FULL) {
        scan->unsent = true;
        live_retry_soon(live);
    } else {
        scan_end(scan, code);
    }
}

void live_scan_start_waiting(struct gw_live *live)
{
    for (struct list *at = live->scans.next, *next; at != &live->scans; at = next) {
        struct live_scan *scan = LIST_ENTRY(at, struct live_scan, link);
        next = at->next;
        if (scan->slot < 0) {
            scan->slot = live_slot_take(live);
            if (scan->slot >= 0)
                scan_go(scan);
        } else if (scan->unsent) {
            scan_go(scan);
        }
    }
}

static struct live_scan *scan_find(struct gw_live *live, uint64_t serial)
{
    for (struct list *at = live->scans.next; at != &live->scans; at = at->next) {
        struct live_scan *scan = LIST_ENTRY(at, struct live_scan, link);
        if (scan->asker.serial == serial && !scan->dead)
            return scan;
    }
    return NULL;
}

static void scan_begin(struct gw_live *live, const struct live_message *pull, struct text spec)
{
    struct live_scan *scan = calloc(1, sizeof(*scan) + spec.len);
    if (!scan) {
        struct live_message message = *pull;
        message.kind = LIVE_END;
        message.code = ERR_MEMORY;
        live_send(live, message.io, live_effect(&message, TEXT_NONE, NULL));
        return;
    }
    memcpy(scan->bytes, spec.data, spec.len);
    scan->live = live;
    scan->asker = *pull;
    scan->id = pull->id;
    scan->slot = -1;
    arena_init(&scan->arena, 4096, 16 << 20);
    arena_init(&scan->page, 16384, 16 << 20);
    list_add_tail(&live->scans, &scan->link);
    counter_add(COUNTER_live_snapshots, 1);
    int code = live_spec_decode(text_make(scan->bytes, spec.len), &scan->spec);
    ASSERT(code == 0); /* its topic was made from the same bytes */
    live_scan_start_waiting(live);
}

void live_scan_pull(struct gw_live *live, const struct live_message *pull, struct text spec)
{
    struct live_scan *scan = scan_find(live, pull->serial);
    struct live_message message = *pull;
    if (scan) {
        scan->asker = *pull;
        if (scan->slot >= 0 && !scan->running)
            scan_go(scan);
    } else if (pull->scanning) {
        live_begin_anew(live, &message, "the snapshot was not read in time");
    } else {
        scan_begin(live, pull, spec);
    }
}

void live_scan_cancel(struct gw_live *live, uint64_t serial)
{
    struct live_scan *scan = scan_find(live, serial);
    if (!scan)
        return;
    scan->dead = scan->running;
    if (!scan->dead)
        scan_free(scan);
    live_scan_start_waiting(live);
}

void live_scan_scanned(struct gw_live *live, const struct live_message *back)
{
    struct live_scan *scan = back->scan;
    scan->running = false;
    scan->idle_ms = clock_mono_ms();
    if (scan->dead) {
        scan_free(scan);
    } else if (scan->code) {
        scan_end(scan, scan->code);
    } else if (!scan->frame) {
        scan_go(scan); /* nothing among the items so far */
        return;
    } else {
        struct live_message message = scan->asker;
        message.kind = LIVE_PAGE;
        message.last = scan->last;
        message.to = (struct feed_position){scan->sequence, FEED_ALL};
        struct net_frame *frame = scan->frame;
        scan->frame = NULL;
        live_send(live, message.io, live_effect(&message, TEXT_NONE, frame));
        if (!scan->last)
            return;
        scan_free(scan);
    }
    live_scan_start_waiting(live);
}

void live_scan_second(struct gw_live *live)
{
    int64_t now_ms = clock_mono_ms();
    for (struct list *at = live->scans.next, *next; at != &live->scans; at = next) {
        struct live_scan *scan = LIST_ENTRY(at, struct live_scan, link);
        next = at->next;
        if (scan->slot >= 0 && !scan->running && !scan->unsent && now_ms - scan->idle_ms > LIVE_SCAN_IDLE_MS)
            scan_free(scan);
    }
    live_scan_start_waiting(live);
}

/* After the threads, the workers' too. */
void live_scan_end_all(struct gw_live *live)
{
    while (!list_empty(&live->scans))
        scan_free(LIST_ENTRY(live->scans.next, struct live_scan, link));
}
