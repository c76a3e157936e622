/*
 * What the files live_*.c share: live tables and stream consumers, the two followers of the feed (tick/feed.h).
 *
 *   live_rule.c     tick, io threads    who may follow what
 *   live_request.c  tick          subscribe and unsubscribe: the request, the specification of a subscription
 *   live_spec.c     any           a specification as bytes, which items it holds, what a change is to it
 *   live_conn.c     io threads    subscriptions of connections: what is sent, and when one falls behind
 *   live_topic.c    services      topics, and how a change finds them
 *   live_feed.c     services      the rounds over the feed
 *   live_pull.c     services      catching up from the journal
 *   live_scan.c     services, workers    snapshots, page by page
 *   live_board.c    services, workers    the first entries of an index, and how what is shown of them changes
 *   live_ranks.c    services             ranks: one board for each specification, its snapshot, its steps, and the newest of them for who comes back
 *   live_load.c     services, workers    a board read from a snapshot, and brought up to date
 *   live_frame.c    services      changes as frames, and their conflation
 *   live_room.c     tick          rooms with a history; publishes and resumes are in one order anyway, so they need no feed
 *   live_stream*.c  services, tick, io threads    consumers: batches to handlers and endpoints (live_stream.h says which file does what)
 *
 * A topic is one specification; all its subscribers share its frames. The rule that makes it gap-free: each thing sent to a subscriber covers the changes
 * (from, to] of its topic, and live_conn.c takes it only when it continues what the subscriber has. Everything else (a full socket, a lost message, a snapshot
 * under way, a socket that comes back) is one case: the subscriber asks for what follows its position, and it is read from the journal.
 */
#ifndef WEIR_GATEWAY_LIVE_H
#define WEIR_GATEWAY_LIVE_H

#include "gateway/call.h"
#include "gateway/lineage.h"
#include "tick/feed.h"

#define LIVE_CONDS_MAX 16            /* conditions of a subscription: key, the rule's, filter */
#define LIVE_FILTERS_MAX 4
#define LIVE_PER_CONNECTION 64       /* subscriptions; FULL above */
#define LIVE_PER_IO 16384            /* subscriptions of an io thread; FULL above */
#define LIVE_PAGE_BYTES ((size_t)64 << 10)   /* of a snapshot's page or a slice of the journal, JSON; one item more at the most */
#define LIVE_PAGE_ITEMS 512
#define LIVE_SLICE_RECORDS 4096      /* journal records looked at for one slice */
#define LIVE_LAG_RECORDS 200000      /* records behind; above: resnapshot */
#define LIVE_ROUND_RECORDS 256       /* records of one round */
#define LIVE_ROUND_BYTES ((size_t)256 << 10)
#define LIVE_SCANS_MAX 8             /* snapshots read at a time; further ones wait */
#define LIVE_SCAN_ROWS 2000          /* items looked at in one job */
#define LIVE_SCAN_IDLE_MS 10000      /* a page that is not asked for; then the snapshot is let go, and its reader begins anew */
#define LIVE_SPEC_MAX 8192           /* bytes */
#define LIVE_RANKS_MAX 4096          /* boards; FULL above */
#define LIVE_RANKS_BYTES ((size_t)256 << 20) /* of their items, all together; no board is begun above: FULL */
#define LIVE_RANKS_PAGE ((size_t)512 << 10) /* JSON of a board's snapshot, which is one message; TOO_LARGE above */
#define LIVE_RANKS_KEPT 256          /* messages of a board that are kept for who comes back */
#define LIVE_RANKS_KEPT_BYTES ((size_t)128 << 10)

/* ---- rules ---- */

struct live_rule {
    struct gw_live_config is; /* the table's name with {env} and {stage} replaced */
};
/* What a request wants of a table. */
struct live_wish {
    struct text table, index; /* index may be empty */
    bool ranks;
    int64_t top;
};
/* The rule that allows it with the fewest conditions, or NULL, and then what the caller may be told: a field and a sentence of its own (which may be empty). */
const struct live_rule *live_rule_find(const struct gw_api *api, const struct gw_identity *identity, const struct live_wish *wish, const char **field, char *why,
    size_t why_size);
/* What of the identity the rule rests on, as a number; 0: the rule does not hold for it. As long as the number stays the same, so does what the rule allows. */
uint64_t live_rule_proof(const struct live_rule *rule, const struct gw_identity *identity);
static inline bool live_rule_is_for_all(const struct live_rule *rule)
{
    return rule->is.who == GW_LIVE_ANYONE && !rule->is.wheres;
}
/* The identity's value; GROUPS: none. */
struct text live_rule_value(const struct gw_identity *identity, enum gw_live_value value);
/* In the tick: the table can be followed from this commit on. 0, or a store's error. */
int live_table_follow(struct tick *tick, const struct store_table *table, struct err *err);
/* Can its changes be followed now? Any thread. */
bool live_table_is_followed(const struct store_table *table);
/* At start: the rules of the API's application and of its configuration. ERR_INVALID with a sentence, ERR_MEMORY. */
int live_rules_compile(struct gw_api *api, struct err *err);

/* ---- positions ---- */

#define LIVE_ELSEWHERE (UINT64_MAX - 1) /* as a sequence: of another history. It lies ahead of everything */
/* In the tick: is the position that the client gives one of this folder, as the message's "history" says? False also when that cannot be known; a failed call: true. */
bool live_position_holds(struct weir_call *call, struct feed_position at);
/* In which history positions are told from now on. */
void live_member_history(struct weir_call *call, struct weir_json *json);

/* ---- specifications ---- */

#define LIVE_PRESENT 255 /* as a type: the attribute exists */
struct live_cond {
    struct text name, text; /* BOOL: "1" or "0"; NUMBER: normalised */
    uint8_t type;           /* enum attr_type, or LIVE_PRESENT */
};
struct live_spec {
    uint32_t api;
    bool conflate;
    bool backward;            /* of ranks */
    uint16_t top;             /* ranks: so many entries of the index; 0: a table */
    uint8_t keys;             /* leading conditions that form the key of a query, hash attributes first; 0: a scan */
    struct text table, index; /* names; index may be empty */
    struct live_cond cond[LIVE_CONDS_MAX];
    unsigned conds;
};
int live_spec_encode(struct buf *out, const struct live_spec *spec);
/* Borrows. 0, ERR_CORRUPT. */
int live_spec_decode(struct text bytes, struct live_spec *spec);
/* Names the subscription to the client. */
uint64_t live_spec_id(struct text bytes);
/* The condition on an attribute's value; false when it is of a type that cannot be compared. */
bool live_cond_of(const struct attr *value, struct live_cond *cond);
bool live_spec_holds(const struct live_spec *spec, const struct attr *item); /* NULL: no */
/* What a change is to whoever sees only what the specification holds: 'I', 'M', 'R', or 0. */
char live_spec_event(const struct live_spec *spec, const struct attr *before, const struct attr *after);

/* ---- messages: GW_EFFECT_LIVE, in the effect's text, the specification behind it ---- */

enum live_kind {
    LIVE_SUBSCRIBE, LIVE_UNSUBSCRIBE,          /* tick to io thread; the effect's frame is the answer */
    LIVE_OPEN, LIVE_CLOSE,                     /* io thread to services: it has subscribers of the topic, or none any more */
    LIVE_PULL, LIVE_CANCEL,                    /* io thread to services: what follows; not any more */
    LIVE_BATCH,                                /* services to io thread: to all subscribers of a topic */
    LIVE_SLICE, LIVE_PAGE, LIVE_ANEW, LIVE_END, /* services to io thread: the answers of a pull */
    LIVE_SCANNED, LIVE_LOADED,                 /* worker to services */
    LIVE_DROPPED, LIVE_RESET                   /* services to io thread: the table is gone, or another one has its name: to all subscribers of a topic */
};
struct live_message {
    enum live_kind kind;
    unsigned io;
    uint64_t serial, id;
    uint32_t pull;    /* which one of the subscriber's; the answer says it again */
    struct net_id conn;
    struct feed_position from, to;
    bool fresh;       /* no position: a snapshot is wanted */
    bool given;       /* the position is the client's word */
    bool scanning;    /* pages of the snapshot have been sent */
    bool last;        /* PAGE: the last one; SLICE: the subscriber has caught up */
    uint32_t rule;    /* SUBSCRIBE: the API's, and its proof */
    uint64_t proof;
    int code;         /* END */
    struct live_scan *scan;
    struct live_load *load;
};
struct gw_effect *live_effect(const struct live_message *message, struct text spec, struct net_frame *frame); /* takes the frame; NULL without memory */
void live_effect_read(const struct gw_effect *effect, struct live_message *message, struct text *spec);

/* ---- changes as frames ---- */

struct live_merged { /* the changes of one item, conflated */
    struct text key;
    struct feed_position from, to;
    bool existed;
    struct text keys, after; /* encoded; after empty: removed */
};
struct live_collect {
    struct net_frame **frame;
    uint32_t count, cap;
    size_t bytes;
    struct live_merged *merged;
    uint32_t merged_count, merged_cap;
    struct map by_key; /* index + 1 of merged */
    bool failed;
};
void live_collect_init(struct live_collect *collect);
void live_collect_fini(struct live_collect *collect);
/* `arena` lives until live_collect_take. */
void live_collect_add(struct live_collect *collect, const struct live_spec *spec, uint64_t id, uint64_t sequence, const struct store_change *change,
    const struct attr *keys, const struct attr *before, const struct attr *after, struct arena *arena);
/* All frames in one; NULL when there are none. ERR_MEMORY: something is missing. Empties the collection. */
int live_collect_take(struct live_collect *collect, const struct live_spec *spec, uint64_t id, struct arena *arena, struct net_frame **out);
/* One frame more, as it is; NULL: something is missing. Takes it. */
void live_collect_frame(struct live_collect *collect, struct net_frame *frame);
struct net_frame *live_frame_text(struct buf *text);
/* A change's items; before and after are NULL when absent. Texts borrow the change. */
int live_change_decode(struct arena *arena, const struct store_change *change, struct attr **keys, struct attr **before, struct attr **after);

/* ---- io threads ---- */
void live_conn_apply(struct gw_io *io, struct gw_effect *effect);

/* ---- services' thread ---- */

/* Nobody follows; only consumers that gather for a while anyway: they look now and then, and a commit costs no wake-up; somebody who wants each change now. */
enum live_wanted { LIVE_NOBODY, LIVE_LEISURE, LIVE_NOW };

struct live_topic;
struct live_watch; /* a table that topics look at */
struct gw_live {
    struct gateway *gateway;
    struct gw_io *io;             /* NULL until the thread runs */
    int wanted;                   /* atomic, enum live_wanted */
    int told;                     /* atomic: the thread knows that there is something to read at leisure */
    bool look;                    /* read in this turn, whoever follows */
    int64_t leisure_ms;           /* how long commits may be left alone when only consumers with a window follow */
    struct loop_timer leisure;
    struct map topics;            /* by specification */
    struct map watches;           /* by table name */
    size_t topic_count;
    struct feed *head;            /* open while there are topics */
    uint64_t at;                  /* the head has distributed up to here */
    struct arena arena;           /* of a round or slice */
    struct live_topic *dirty;     /* topics with changes in this round */
    size_t round_bytes;
    struct gw_effect *out_first, *out_last;   /* found their ring full; nothing else is begun until they are gone */
    struct gw_effect *wait_first, *wait_last; /* pulls that wait for the head, or for room */
    struct loop_timer retry, second;
    unsigned ranks;               /* boards */
    size_t ranks_bytes;           /* of their items */
    struct list loads;            /* of boards, under way */
    /* live_scan.c */
    struct list scans;            /* all, oldest first */
    unsigned slots_used;          /* bit per slot */
    /* live_stream.c */
    struct live_consumer *consumers;
    size_t consumer_count;
    int64_t age_shown_ms;
};
/* To an io thread, in order. Takes the effect (NULL: nothing). */
void live_send(struct gw_live *live, unsigned target, struct gw_effect *effect);
void live_append(struct gw_effect **first, struct gw_effect **last, struct gw_effect *effect);
/* live_pull.c. `again`: it has waited. */
void live_pull(struct gw_live *live, struct gw_effect *effect, bool again);
void live_pull_waiting(struct gw_live *live);
void live_follow_changed(struct gw_live *live);
void live_retry_soon(struct gw_live *live);
/* The asker of a pull is told to begin with a snapshot. */
void live_begin_anew(struct gw_live *live, struct live_message *message, const char *why);

/* A reader slot above those of the io threads, the services and the workers; -1: all are taken. */
int live_slot_take(struct gw_live *live);
void live_slot_give(struct gw_live *live, int slot);
static inline unsigned live_slot_reader(int slot)
{
    return STORE_READERS_MAX - 1 - (unsigned)slot;
}
/* The key of a specification as a query, in the arena: 0, ERR_NOT_FOUND (no such table or index, or it has another key now), ERR_MEMORY. */
int live_spec_query(const struct live_spec *spec, struct store *store, struct arena *arena, struct store_query *query);

/* live_scan.c */
void live_scan_pull(struct gw_live *live, const struct live_message *pull, struct text spec);
void live_scan_cancel(struct gw_live *live, uint64_t serial);
void live_scan_scanned(struct gw_live *live, const struct live_message *message);
void live_scan_start_waiting(struct gw_live *live);
void live_scan_second(struct gw_live *live);
void live_scan_end_all(struct gw_live *live);

/* live_stream.c */
int live_streams_create(struct gw_live *live, struct err *err);
/* In a call before the tick begins: consumers that have no place yet begin here, and the journal keeps everything until live_streams_begin. */
int live_consumers_define(struct gw_live *live, struct tick *tick, struct arena *arena);
void live_streams_begin(struct gw_live *live);
int live_streams_turn(struct gw_live *live); /* how much was done; 0: nothing */
void live_streams_second(struct gw_live *live);
void live_streams_end(struct gw_live *live);

#endif
