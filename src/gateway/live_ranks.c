/*
 * Ranks. However many clients follow the top of an index, there is one board for it: a change costs it one search and one insertion, and what it does to the top is
 * encoded once, as steps on a list:
 *
 *   {"type":"ranks","subscription":"..","sequence":12,"number":0,"steps":[{"event":"MOVE","from":5,"rank":2,"key":{..},"data":{..}}]}
 *
 * Steps are done one after the other. LEAVE: the entry at `rank` goes; ENTER: the entry comes to `rank`; MOVE: it goes from `from` to `rank`; UPDATE: its data
 * have changed. Ranks count from 1. A change that leaves the top as it is sends nothing. With conflation there is one message for a round, with the position of its first
 * change as "from".
 *
 * The snapshot is the board's own, one message, made at most once between two changes. The newest messages are kept, so a client that comes back soon gets exactly what
 * it missed; else it is told to begin anew, which costs no reading of the table. When so many entries have left that the top's end is not known any more,
 * the board is read anew on a worker; one message then leads from what was shown to what is, over all that happened meanwhile, and says so by its "from".
 */
#include "gateway/live_ranks.h"

#include <stdlib.h>

#define FRAME_JSON_MAX ((size_t)24 << 20)
#define LOAD_AGAIN_MS 1000

bool live_ranks_full(const struct gw_live *live)
{
    return live->ranks >= LIVE_RANKS_MAX || live->ranks_bytes >= LIVE_RANKS_BYTES;
}

struct live_ranks *live_ranks_make(struct gw_live *live, struct live_topic *topic)
{
    struct live_ranks *ranks = live_ranks_full(live) ? NULL : calloc(1, sizeof(*ranks));
    if (!ranks || board_init(&ranks->board, topic->spec.top, topic->spec.backward)) {
        free(ranks);
        return NULL;
    }
    ranks->topic = topic;
    live->ranks++;
    return ranks;
}

static void forget_snapshot(struct live_ranks *ranks)
{
    net_frame_unref(ranks->snapshot);
    ranks->snapshot = NULL;
}

static void forget_first(struct live_ranks *ranks)
{
    struct live_kept *kept = &ranks->kept[ranks->kept_first];
    ranks->kept_from = kept->to;
    ranks->kept_bytes -= kept->frame->len;
    net_frame_unref(kept->frame);
    ranks->kept_first = (ranks->kept_first + 1) % LIVE_RANKS_KEPT;
    ranks->kept_count--;
}

static void forget_all(struct live_ranks *ranks)
{
    while (ranks->kept_count)
        forget_first(ranks);
    forget_snapshot(ranks);
}

void live_ranks_end(struct gw_live *live, struct live_ranks *ranks)
{
    live_load_forget(ranks);
    forget_all(ranks);
    board_fini(&ranks->board);
    live->ranks_bytes -= ranks->counted;
    free(ranks);
    live->ranks--;
}

static void count_bytes(struct gw_live *live, struct live_ranks *ranks)
{
    live->ranks_bytes += ranks->board.bytes - ranks->counted;
    ranks->counted = ranks->board.bytes;
}

/* ---- steps as a message ---- */

struct writer {
    struct buf *out;
    struct arena *arena;
    unsigned steps;
    int code;
};

static void add_item(struct writer *w, const char *name, struct text bytes)
{
    struct json_writer json;
    struct attr *item;
    int code = item_decode(w->arena, bytes, &item);
    buf_add_format(w->out, ",\"%s\":", name);
    json_writer_init(&json, w->out);
    if (code)
        w->code = code;
    else
        item_to_plain(&json, item);
}

static void write_step(void *context, char step, uint32_t from, uint32_t to, const struct board_entry *entry)
{
    struct writer *w = context;
    const char *event = step == 'L' ? "LEAVE" : step == 'E' ? "ENTER" : step == 'M' ? "MOVE" : "UPDATE";
    if (w->steps++)
        buf_add_char(w->out, ',');
    buf_add_format(w->out, "{\"event\":\"%s\"", event);
    if (step == 'M')
        buf_add_format(w->out, ",\"from\":%u", from + 1);
    buf_add_format(w->out, ",\"rank\":%u", (step == 'L' ? from : to) + 1);
    add_item(w, "key", entry->key);
    if (step != 'L')
        add_item(w, "data", entry->item);
    buf_add_char(w->out, '}');
}

static void keep(struct live_ranks *ranks, struct feed_position to, struct net_frame *frame)
{
    while (ranks->kept_count == LIVE_RANKS_KEPT || (ranks->kept_count && ranks->kept_bytes + frame->len > LIVE_RANKS_KEPT_BYTES))
        forget_first(ranks);
    if (frame->len > LIVE_RANKS_KEPT_BYTES) {
        ranks->kept_from = to;
        return;
    }
    ranks->kept[(ranks->kept_first + ranks->kept_count++) % LIVE_RANKS_KEPT] = (struct live_kept){to, net_frame_ref(frame)};
    ranks->kept_bytes += frame->len;
}

/* The whole of a record has no number. */
static void add_position(struct buf *out, struct feed_position at, bool quoted)
{
    buf_add_format(out, quoted ? ",\"from\":\"%llu" : ",\"sequence\":%llu", (unsigned long long)at.sequence);
    if (at.number != FEED_ALL)
        buf_add_format(out, quoted ? ".%u" : ",\"number\":%u", at.number);
    if (quoted)
        buf_add_char(out, '"');
}

/* One message from what was shown to what is; nothing when that is the same. */
static void tell(struct gw_live *live, struct live_ranks *ranks, const struct feed_position *from, struct feed_position to)
{
    struct buf out;
    struct writer w = {.out = &out, .arena = &live->arena};
    buf_init(&out, FRAME_JSON_MAX);
    buf_add_format(&out, "{\"type\":\"ranks\",\"subscription\":\"%016llx\"", (unsigned long long)ranks->topic->id);
    if (from)
        add_position(&out, *from, true);
    add_position(&out, to, false);
    buf_add_text(&out, TEXT(",\"steps\":["));
    int code = board_show(&ranks->board, write_step, &w);
    buf_add_text(&out, TEXT("]}"));
    if (!code && !w.steps) {
        buf_fini(&out);
        return;
    }
    forget_snapshot(ranks);
    struct net_frame *frame = code || w.code ? NULL : live_frame_text(&out);
    if (code || w.code)
        buf_fini(&out);
    if (frame)
        keep(ranks, to, frame);
    else
        ranks->kept_from = to; /* who needs it begins anew */
    live_collect_frame(&ranks->topic->collect, frame);
}

/* ---- changes ---- */

static int place_of(const struct live_spec *spec, struct gw_live *live, struct buf *order, const struct attr *item)
{
    const struct store_table *table = store_table_find(live->gateway->config.store, spec->table);
    const struct store_index *index = table && spec->index.len ? store_index_find(table, spec->index) : NULL;
    if (!table || (spec->index.len && !index))
        return ERR_TYPE;
    return live_spec_holds(spec, item) ? board_order(order, table, index, item) : ERR_NOT_FOUND;
}

int live_board_change(const struct live_spec *spec, struct gw_live *live, struct board *board, const struct store_change *change, const struct attr *before,
    const struct attr *after, bool *moved)
{
    struct buf order;
    buf_init(&order, 8192);
    bool short_of = false;
    int code = before ? place_of(spec, live, &order, before) : ERR_NOT_FOUND;
    if (!code) {
        code = board_remove(board, buf_text(&order), moved);
        short_of = code == ERR_AGAIN;
    }
    if (!code || code == ERR_NOT_FOUND || code == ERR_AGAIN) {
        code = after ? place_of(spec, live, &order, after) : ERR_NOT_FOUND;
        if (!code)
            code = board_insert(board, buf_text(&order), change->keys, change->after, moved);
        code = code == ERR_NOT_FOUND ? 0 : code;
    }
    buf_fini(&order);
    if (code)
        return code == ERR_TYPE ? ERR_NOT_FOUND : code;
    return short_of && board->count < board->top && !board->complete ? ERR_AGAIN : 0;
}

bool live_ranks_change(struct gw_live *live, struct live_ranks *ranks, uint64_t sequence, const struct store_change *change, const struct attr *before,
    const struct attr *after)
{
    struct feed_position at = {sequence, change->number};
    bool moved = false;
    if (!ranks->ready || ranks->stalled || feed_compare(at, ranks->at) <= 0)
        return false;
    int code = live_board_change(&ranks->topic->spec, live, &ranks->board, change, before, after, &moved);
    count_bytes(live, ranks);
    if (code || board_is_low(&ranks->board))
        live_load_begin(live, ranks);
    if (code) { /* its top's end is not known, or it is not what it should be: what happens from here on is told when it has been read anew */
        if (!ranks->untold)
            ranks->from = at;
        ranks->untold = true;
        ranks->stalled = true;
        return false;
    }
    if (!moved)
        return false;
    if (!ranks->topic->spec.conflate) {
        tell(live, ranks, NULL, at);
        return true;
    }
    if (!ranks->untold)
        ranks->from = at;
    ranks->untold = true;
    ranks->to = at;
    return true;
}

void live_ranks_flush(struct gw_live *live, struct live_ranks *ranks, struct feed_position *to)
{
    if (!ranks->untold)
        return;
    if (ranks->stalled) { /* the frames end before the first change that is not told */
        *to = ranks->from.number && ranks->from.number != FEED_ALL ? (struct feed_position){ranks->from.sequence, ranks->from.number - 1}
                                                                   : (struct feed_position){ranks->from.sequence - (ranks->from.number == 0), FEED_ALL};
        return;
    }
    ranks->untold = false;
    tell(live, ranks, &ranks->from, ranks->to);
}

void live_ranks_second(struct gw_live *live, struct live_ranks *ranks)
{
    if (!ranks->ready || ranks->stalled)
        live_load_begin(live, ranks);
}

void live_ranks_loaded(struct gw_live *live, struct live_ranks *ranks, struct board *board, struct feed_position at, int code)
{
    ranks->failed = code == ERR_AGAIN || code == ERR_MEMORY ? 0 : code;
    if (code) {
        ranks->load_again_ms = clock_mono_ms() + LOAD_AGAIN_MS;
        if (ranks->failed && ranks->stalled)
            live_topic_refuse(live, ranks->topic, code);
        board_fini(board);
        return;
    }
    /* What was shown stays what was shown. */
    struct board old = ranks->board;
    ranks->board = *board;
    free(ranks->board.shown);
    ranks->board.shown = old.shown;
    ranks->board.shown_count = old.shown_count;
    ranks->board.serial = old.serial;
    old.shown = NULL;
    old.shown_count = 0;
    board_fini(&old);
    bool first = !ranks->ready;
    count_bytes(live, ranks);
    ranks->at = at;
    ranks->ready = true;
    ranks->stalled = false;
    if (first) {
        struct buf ignored;
        struct writer w = {.out = &ignored, .arena = &live->arena};
        buf_init(&ignored, FRAME_JSON_MAX);
        board_show(&ranks->board, write_step, &w);
        buf_fini(&ignored);
        ranks->kept_from = at;
        ranks->untold = false;
    } else {
        struct feed_position from = ranks->untold ? ranks->from : at;
        ranks->untold = false;
        tell(live, ranks, &from, at);
        live_topic_announce(live, ranks->topic, at);
    }
    arena_reset(&live->arena);
}

void live_ranks_lost(struct gw_live *live, struct live_ranks *ranks)
{
    if (!ranks->ready)
        return;
    if (!ranks->untold)
        ranks->from = ranks->at;
    ranks->untold = ranks->stalled = true;
    live_load_forget(ranks); /* it may have read too early */
    ranks->load_again_ms = 0;
    live_load_begin(live, ranks);
}

void live_ranks_reset(struct gw_live *live, struct live_ranks *ranks)
{
    struct board empty;
    if (board_init(&empty, ranks->topic->spec.top, ranks->topic->spec.backward))
        return; /* the board stands, and is read anew all the same */
    live_load_forget(ranks);
    forget_all(ranks);
    board_fini(&ranks->board);
    ranks->board = empty;
    count_bytes(live, ranks);
    ranks->ready = ranks->stalled = ranks->untold = false;
    ranks->failed = 0;
    ranks->load_again_ms = 0;
    live_load_begin(live, ranks);
}

/* ---- pulls ---- */

static struct net_frame *snapshot_of(struct gw_live *live, struct live_ranks *ranks)
{
    struct buf out;
    struct json_writer json;
    struct attr *item;
    uint64_t sequence = live->at > ranks->at.sequence ? live->at : ranks->at.sequence;
    int code = 0;
    if (ranks->snapshot)
        return ranks->snapshot;
    buf_init(&out, LIVE_RANKS_PAGE);
    buf_add_format(&out, "{\"type\":\"snapshot\",\"subscription\":\"%016llx\",\"sequence\":%llu,\"items\":[", (unsigned long long)ranks->topic->id,
        (unsigned long long)sequence);
    for (uint32_t i = 0; !code && i < ranks->board.shown_count; i++) {
        if (i)
            buf_add_char(&out, ',');
        json_writer_init(&json, &out);
        code = item_decode(&live->arena, ranks->board.shown[i]->item, &item);
        if (!code)
            item_to_plain(&json, item);
        arena_reset(&live->arena);
    }
    buf_add_text(&out, TEXT("],\"last\":true}"));
    if (code)
        buf_clear(&out);
    ranks->snapshot = code ? NULL : live_frame_text(&out);
    if (code)
        buf_fini(&out);
    ranks->snapshot_sequence = sequence;
    return ranks->snapshot;
}

static void answer_end(struct gw_live *live, struct live_message *message, int code)
{
    message->kind = LIVE_END;
    message->code = code;
    live_send(live, message->io, live_effect(message, TEXT_NONE, NULL));
}

static void answer_snapshot(struct gw_live *live, struct live_ranks *ranks, struct live_message *message)
{
    struct net_frame *frame = snapshot_of(live, ranks);
    if (!frame) {
        answer_end(live, message, ERR_TOO_LARGE);
        return;
    }
    counter_add(COUNTER_live_snapshots, 1);
    message->kind = LIVE_PAGE;
    message->last = true;
    message->to = (struct feed_position){ranks->snapshot_sequence, FEED_ALL};
    live_send(live, message->io, live_effect(message, TEXT_NONE, net_frame_ref(frame)));
}

static void answer_slice(struct gw_live *live, struct live_ranks *ranks, struct live_message *message)
{
    struct net_frame *frames[LIVE_RANKS_KEPT], *joined = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < ranks->kept_count; i++) {
        const struct live_kept *kept = &ranks->kept[(ranks->kept_first + i) % LIVE_RANKS_KEPT];
        if (feed_compare(kept->to, message->from) > 0)
            frames[count++] = kept->frame;
    }
    if (count)
        joined = count == 1 ? net_frame_ref(frames[0]) : net_frame_join(frames, count);
    if (count && !joined) {
        live_begin_anew(live, message, "out of memory");
        return;
    }
    message->kind = LIVE_SLICE;
    message->to = (struct feed_position){live->at > ranks->at.sequence ? live->at : ranks->at.sequence, FEED_ALL};
    message->last = true;
    live_send(live, message->io, live_effect(message, TEXT_NONE, joined));
}

bool live_ranks_pull(struct gw_live *live, struct live_ranks *ranks, struct live_message *message)
{
    if (ranks->failed && !ranks->load && (!ranks->ready || ranks->stalled)) {
        answer_end(live, message, ranks->failed);
        return true;
    }
    if (!ranks->ready || ranks->stalled) {
        live_load_begin(live, ranks);
        return false;
    }
    if (message->fresh)
        answer_snapshot(live, ranks, message);
    else if (feed_compare(message->from, ranks->kept_from) < 0)
        live_begin_anew(live, message, "what followed is not kept any more");
    else
        answer_slice(live, ranks, message);
    return true;
}
