/*
 * Subscriptions on the io thread of their connection.
 *
 * An entry knows its position. What comes for its topic covers (from, to]; it is taken when it continues the position, skipped when it is older, and otherwise
 * something is missing. Then, and whenever the socket has too much to send already, the entry stops taking what is announced to all and goes its own way: it
 * waits until the socket has room and pulls what follows its position, slice by slice, until a slice says that it has caught up. So a slow reader costs no queue
 * but its position, and nobody has to be dropped: the journal is the queue.
 *
 *   ASKED   a pull is under way          LAGGING   waits for room in its socket          LIVE   takes what is announced
 */
#include "gateway/live.h"

#include <stdlib.h>

#define QUEUE_MAX ((size_t)128 << 10)  /* bytes in the socket's queue above which nothing is added */
#define BATCH_MESSAGES 1024            /* a larger announcement is pulled in slices */
#define ROOM_LOOK_MS 10                /* how often lagging sockets are looked at */
#define ANSWER_MS 30000                /* a pull without an answer is made again: a message was lost for want of memory or room */

enum live_state { LIVE_ASKED, LIVE_LAGGING, LIVE_LIVE };

struct live_local { /* a topic with subscribers on this thread */
    uint64_t id;
    struct live_entry **entry;
    uint32_t count, cap;
    struct text spec;
    char bytes[];
};
struct live_entry {
    struct live_entry *next; /* of the connection */
    struct list lagging;
    struct gw_conn *conn;
    struct live_local *local;
    uint32_t at; /* in local->entry */
    uint8_t state;
    uint32_t pulls;        /* made; only the answer of the newest counts */
    int64_t asked_ms;      /* monotonic */
    bool fresh, given, scanning;
    uint32_t rule;         /* of the API, and what it rests on */
    uint64_t proof;
    uint64_t serial;
    struct feed_position position;
};
struct live_io {
    struct map locals;
    uint64_t serials;
    uint32_t entries;
    struct list lagging;
    struct loop_timer look, watch;
    struct gw_io *io;
};

static void look(struct loop *loop, struct loop_timer *timer);
static void watch(struct loop *loop, struct loop_timer *timer);

static struct live_io *live_io_of(struct gw_io *io)
{
    if (io->live)
        return io->live;
    struct live_io *live = calloc(1, sizeof(*live));
    if (!live)
        return NULL;
    map_init(&live->locals);
    list_init(&live->lagging);
    loop_timer_init(&live->look, look);
    loop_timer_init(&live->watch, watch);
    live->io = io;
    live->serials = (uint64_t)io->index << 48;
    io->live = live;
    return live;
}

/* ---- to the services' thread ---- */

static bool tell(struct gw_io *io, struct live_message *message, struct text spec)
{
    message->io = io->index;
    struct gw_effect *effect = live_effect(message, spec, NULL);
    if (effect)
        gw_io_send(io, io->gateway->io_count, effect);
    return effect != NULL;
}

static void lag(struct gw_io *io, struct live_entry *entry)
{
    entry->state = LIVE_LAGGING;
    if (list_empty(&entry->lagging))
        list_add_tail(&io->live->lagging, &entry->lagging);
    if (!loop_timer_is_set(&io->live->look))
        loop_timer_set(io->loop, &io->live->look, clock_mono_ms() + ROOM_LOOK_MS);
}

static bool has_room(const struct live_entry *entry)
{
    return net_conn_queued(entry->conn->net) < QUEUE_MAX / 2;
}

static void pull(struct gw_io *io, struct live_entry *entry)
{
    struct live_message message = {
        .kind = LIVE_PULL,
        .serial = entry->serial,
        .pull = ++entry->pulls,
        .id = entry->local->id,
        .conn = *net_conn_id(entry->conn->net),
        .from = entry->position,
        .fresh = entry->fresh,
        .given = entry->given,
        .scanning = entry->scanning,
    };
    if (!has_room(entry) || !tell(io, &message, entry->local->spec))
        lag(io, entry);
    else
        entry->state = LIVE_ASKED;
    entry->asked_ms = clock_mono_ms();
}

static void look(struct loop *loop, struct loop_timer *timer)
{
    struct live_io *live = LIST_ENTRY(timer, struct live_io, look);
    struct list waiting;
    (void)loop;
    list_init(&waiting);
    while (!list_empty(&live->lagging)) {
        struct list *first = live->lagging.next;
        list_remove(first);
        list_add_tail(&waiting, first);
    }
    while (!list_empty(&waiting)) {
        struct live_entry *entry = LIST_ENTRY(waiting.next, struct live_entry, lagging);
        list_remove(&entry->lagging);
        pull(live->io, entry);
    }
}

/* As long as there are entries. */
static void watch(struct loop *loop, struct loop_timer *timer)
{
    struct live_io *live = LIST_ENTRY(timer, struct live_io, watch);
    struct live_local *local;
    size_t at = 0;
    if (live->entries)
        loop_timer_set(loop, timer, loop_now_ms(loop) + ANSWER_MS);
    while ((local = map_next(&live->locals, &at)))
        for (uint32_t i = 0; i < local->count; i++)
            if (local->entry[i]->state == LIVE_ASKED && loop_now_ms(loop) - local->entry[i]->asked_ms >= ANSWER_MS)
                pull(live->io, local->entry[i]);
}

/* ---- entries ---- */

static struct live_local *local_make(struct gw_io *io, struct text spec, uint64_t id)
{
    struct live_local *local = map_get(&io->live->locals, spec);
    if (local)
        return local;
    local = calloc(1, sizeof(*local) + spec.len);
    if (!local)
        return NULL;
    memcpy(local->bytes, spec.data, spec.len);
    local->spec = text_make(local->bytes, spec.len);
    local->id = id;
    struct live_message message = {.kind = LIVE_OPEN, .id = id};
    if (map_put(&io->live->locals, local->spec, local, NULL)) {
        free(local);
        return NULL;
    }
    if (!tell(io, &message, local->spec)) {
        map_delete(&io->live->locals, local->spec);
        free(local);
        return NULL;
    }
    return local;
}

static void local_end_when_empty(struct gw_io *io, struct live_local *local)
{
    struct live_message message = {.kind = LIVE_CLOSE, .id = local->id};
    if (local->count)
        return;
    tell(io, &message, local->spec); /* unheard, the topic goes on for nobody; the next subscriber finds it */
    map_delete(&io->live->locals, local->spec);
    free(local->entry);
    free(local);
}

static bool local_add(struct live_local *local, struct live_entry *entry)
{
    if (local->count == local->cap) {
        uint32_t cap = local->cap ? local->cap * 2 : 4; /* bounded by LIVE_PER_IO */
        struct live_entry **grown = realloc(local->entry, cap * sizeof(struct live_entry *));
        if (!grown)
            return false;
        local->entry = grown;
        local->cap = cap;
    }
    entry->local = local;
    entry->at = local->count;
    local->entry[local->count++] = entry;
    return true;
}

static void entry_end(struct gw_io *io, struct live_entry *entry)
{
    struct live_local *local = entry->local;
    struct live_entry **link = &entry->conn->live;
    if (entry->fresh) {
        struct live_message message = {.kind = LIVE_CANCEL, .serial = entry->serial};
        tell(io, &message, TEXT_NONE);
    }
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    list_remove(&entry->lagging);
    local->entry[entry->at] = local->entry[--local->count];
    local->entry[entry->at]->at = entry->at;
    free(entry);
    io->live->entries--;
    counter_add(COUNTER_live_subscriptions, -1);
    local_end_when_empty(io, local);
}

void gw_live_leave_all(struct gw_io *io, struct gw_conn *conn)
{
    while (conn->live)
        entry_end(io, conn->live);
}

static struct live_entry *entry_find(struct gw_conn *conn, uint64_t id, uint64_t serial)
{
    struct live_entry *entry = conn->live;
    while (entry && (entry->local->id != id || (serial && entry->serial != serial)))
        entry = entry->next;
    return entry;
}

static struct live_entry *entry_make(struct gw_io *io, struct gw_conn *conn, struct text spec, uint64_t id)
{
    unsigned count = 0;
    for (struct live_entry *entry = conn->live; entry; entry = entry->next)
        count++;
    if (!live_io_of(io) || count >= LIVE_PER_CONNECTION || io->live->entries >= LIVE_PER_IO)
        return NULL;
    struct live_entry *entry = calloc(1, sizeof(*entry));
    struct live_local *local = entry ? local_make(io, spec, id) : NULL;
    if (!local || !local_add(local, entry)) {
        if (local)
            local_end_when_empty(io, local);
        free(entry);
        return NULL;
    }
    list_init(&entry->lagging);
    entry->conn = conn;
    entry->next = conn->live;
    conn->live = entry;
    io->live->entries++;
    if (!loop_timer_is_set(&io->live->watch))
        loop_timer_set(io->loop, &io->live->watch, clock_mono_ms() + ANSWER_MS);
    counter_add(COUNTER_live_subscriptions, 1);
    return entry;
}

/* ---- what the client asked for ---- */

static void send_error(struct gw_conn *conn, uint64_t id, const char *code, const char *message)
{
    char text[256];
    int len = snprintf(text, sizeof(text), "{\"type\":\"error\",\"error\":\"%s\",\"subscription\":\"%016llx\",\"message\":\"%s\"}", code, (unsigned long long)id, message);
    counter_add(COUNTER_gw_errors, 1);
    net_ws_send(conn->net, WS_TEXT, text, (size_t)len);
}

static void on_subscribe(struct gw_io *io, struct gw_conn *conn, const struct live_message *message, struct text spec, struct gw_effect *effect)
{
    struct live_entry *entry = entry_find(conn, message->id, 0);
    if (entry)
        entry_end(io, entry); /* asked for again: it begins anew */
    entry = entry_make(io, conn, spec, message->id);
    if (!entry) {
        send_error(conn, message->id, "FULL", "there are too many subscriptions");
        return;
    }
    net_ws_send_frame(conn->net, effect->frame, 0);
    entry->serial = ++io->live->serials;
    entry->fresh = message->fresh;
    entry->given = message->given;
    entry->position = message->from;
    entry->rule = message->rule;
    entry->proof = message->proof;
    pull(io, entry);
}

static void on_unsubscribe(struct gw_io *io, struct gw_conn *conn, const struct live_message *message, struct gw_effect *effect)
{
    struct live_entry *entry = entry_find(conn, message->id, 0);
    if (entry)
        entry_end(io, entry);
    net_ws_send_frame(conn->net, effect->frame, 0);
}

/* ---- what comes for it ---- */

/* The token may have been renewed as that of somebody who may less. */
static bool still_allowed(struct gw_io *io, struct live_entry *entry)
{
    struct gw_conn *conn = entry->conn;
    const struct live_rule *rule = &conn->api->rules[entry->rule];
    if (live_rule_is_for_all(rule) || live_rule_proof(rule, conn->identity) == entry->proof)
        return true;
    send_error(conn, entry->local->id, "FORBIDDEN", "the renewed token does not allow it");
    entry_end(io, entry);
    return false;
}

static void deliver(struct gw_io *io, struct live_entry *entry, const struct live_message *message, struct net_frame *frame)
{
    struct net_conn *net = entry->conn->net;
    if (entry->state != LIVE_LIVE || feed_compare(message->to, entry->position) <= 0)
        return;
    bool missing = feed_compare(message->from, entry->position) > 0;
    if (missing || frame->messages > BATCH_MESSAGES || net_conn_queued(net) + frame->len > QUEUE_MAX) {
        counter_add(COUNTER_live_lags, 1);
        lag(io, entry);
        return;
    }
    if (!still_allowed(io, entry))
        return;
    if (net_ws_send_frame(net, frame, 0) == 0)
        counter_add(COUNTER_live_changes, frame->messages);
    entry->position = message->to;
}

static void on_batch(struct gw_io *io, const struct live_message *message, struct text spec, struct net_frame *frame)
{
    struct live_local *local = io->live ? map_get(&io->live->locals, spec) : NULL;
    for (uint32_t i = local ? local->count : 0; i-- > 0;) { /* from the end: an entry may leave, and the last one takes its place */
        bool alone = local->count == 1;
        deliver(io, local->entry[i], message, frame);
        if (alone)
            return; /* the topic may be gone with its only subscriber */
    }
}

static void send_frame(struct live_entry *entry, struct net_frame *frame)
{
    if (frame)
        net_ws_send_frame(entry->conn->net, frame, 0);
}

/* The table is gone: all subscriptions of the topic end. Or another one has its name: they begin anew. */
static void on_moved(struct gw_io *io, const struct live_message *message, struct text spec, struct net_frame *frame)
{
    struct live_local *local = io->live ? map_get(&io->live->locals, spec) : NULL;
    struct live_message cancel = {.kind = LIVE_CANCEL};
    for (uint32_t i = local ? local->count : 0; i-- > 0;) {
        struct live_entry *entry = local->entry[i];
        send_frame(entry, frame);
        if (message->kind == LIVE_DROPPED) {
            bool alone = local->count == 1;
            entry_end(io, entry);
            if (alone)
                return; /* the topic has gone with it */
            continue;
        }
        cancel.serial = entry->serial;
        tell(io, &cancel, TEXT_NONE); /* a snapshot that is being read is the old table's */
        counter_add(COUNTER_live_resnapshots, 1);
        list_remove(&entry->lagging);
        entry->fresh = true;
        entry->scanning = entry->given = false;
        pull(io, entry);
    }
}

static void on_answer(struct gw_io *io, struct live_entry *entry, const struct live_message *message, struct net_frame *frame)
{
    if (!still_allowed(io, entry))
        return;
    if (message->kind == LIVE_END) {
        send_error(entry->conn, entry->local->id, err_name(message->code), err_text(message->code));
        entry_end(io, entry);
        return;
    }
    if (frame && net_ws_send_frame(entry->conn->net, frame, 0) == 0 && message->kind == LIVE_SLICE)
        counter_add(COUNTER_live_changes, frame->messages);
    if (message->kind == LIVE_ANEW) {
        entry->fresh = true;
        entry->scanning = false;
    } else if (message->kind == LIVE_PAGE) {
        entry->scanning = !message->last;
        entry->fresh = !message->last;
    }
    entry->given = false;
    if (message->kind == LIVE_SLICE || message->last)
        entry->position = message->to;
    if (message->kind == LIVE_SLICE && message->last)
        entry->state = LIVE_LIVE;
    else
        pull(io, entry);
}

void live_conn_apply(struct gw_io *io, struct gw_effect *effect)
{
    struct live_message message;
    struct text spec;
    live_effect_read(effect, &message, &spec);
    if (message.kind == LIVE_BATCH) {
        on_batch(io, &message, spec, effect->frame);
        return;
    }
    if (message.kind == LIVE_DROPPED || message.kind == LIVE_RESET) {
        on_moved(io, &message, spec, effect->frame);
        return;
    }
    struct net_conn *net = net_io_find(io->net, &message.conn);
    struct gw_conn *conn = net && net_conn_is_ws(net) ? net_conn_user(net) : NULL;
    if (!conn || conn->state != GW_OPEN)
        return;
    if (message.kind == LIVE_SUBSCRIBE) {
        on_subscribe(io, conn, &message, spec, effect);
    } else if (message.kind == LIVE_UNSUBSCRIBE) {
        on_unsubscribe(io, conn, &message, effect);
    } else {
        struct live_entry *entry = entry_find(conn, message.id, message.serial);
        if (entry && entry->state == LIVE_ASKED && entry->pulls == message.pull)
            on_answer(io, entry, &message, effect->frame);
    }
}

/* After the threads: what sockets that were closed hard left behind. */
void gw_live_io_end(struct gw_io *io)
{
    size_t at = 0;
    struct live_local *local;
    if (!io->live)
        return;
    while ((local = map_next(&io->live->locals, &at))) {
        for (uint32_t i = 0; i < local->count; i++)
            free(local->entry[i]);
        free(local->entry);
        free(local);
    }
    map_fini(&io->live->locals);
    free(io->live);
    io->live = NULL;
}
