/*
 * Log groups, their streams and their events: what the Logs wire, the log lines of handlers, metric filters and Insights share.
 *
 * An event is acknowledged when its tick is durable. What a tick puts into a stream is a small plain block (the tail); a deferred call packs tails into compressed
 * chunks of about 64 KiB of text. Reads see both as one, in the order of (time, place): the place is the tick's sequence, the call's number in it and the event's index in the
 * call, so an event has an id of its own, which never changes. docs/logs.md says what holds, log_row.c lists the rows.
 *
 * Functions that take a tick: inside run(), on the state thread; a negative answer is passed on, so that the call is undone; ERR_COLD as for every read. Functions that take a
 * view: any thread that owns one. Names and texts of results live in the arena. Times are milliseconds since the epoch.
 */
#ifndef WEIR_WATCH_LOG_H
#define WEIR_WATCH_LOG_H

#include "tick/tick.h"

#define WATCH_LOG_NAME_MAX 512                           /* bytes of a group's, a stream's, a filter's name */
#define WATCH_LOG_GROUPS_MAX 10000
#define WATCH_LOG_STREAMS_MAX 100000                     /* of one group */
#define WATCH_LOG_TAGS_MAX 50
#define WATCH_LOG_EVENT_COST 26                          /* bytes that an event counts beside its message, as AWS has it */
#define WATCH_LOG_FILTERS_MAX 100                        /* metric filters of one group */
#define WATCH_LOG_MESSAGE_MAX ((size_t)1 << 20)          /* bytes of one event */
#define WATCH_LOG_BATCH_MAX 10000                        /* events of one put */
#define WATCH_LOG_TAIL_MAX ((uint64_t)32 << 20)          /* bytes of one stream that are not packed yet; puts are refused above */
#define WATCH_LOG_PAST_MS (14 * INT64_C(86400000))       /* how old an event may be when it is put, */
#define WATCH_LOG_FUTURE_MS (2 * INT64_C(3600000))       /* and how far ahead of the clock */
#define WATCH_LOG_OWN_RETENTION_DAYS 7                   /* of groups that weir makes for itself */

/* ---- events and their places ---- */

struct watch_log_place {
    int64_t time_ms;
    uint64_t sequence; /* of the tick */
    uint32_t call;     /* number of the call in it */
    uint32_t index;    /* within the call */
};
/* The order of events: by time, then as they were put. <0, 0, >0. */
int watch_log_place_compare(const struct watch_log_place *a, const struct watch_log_place *b);
#define WATCH_LOG_ID_TEXT 56 /* decimal digits, of fixed width: text order is the events' order */
void watch_log_id_format(const struct watch_log_place *place, char out[WATCH_LOG_ID_TEXT + 1]);
/* 0 or ERR_SYNTAX: not an id of ours. */
int watch_log_id_parse(struct text text, struct watch_log_place *place);

struct watch_log_event {
    struct watch_log_place place; /* put: only time_ms is read */
    int64_t ingested_ms;          /* set by reads */
    struct text message;
    struct text stream;           /* its name; set by reads */
};

/* ---- groups ---- */

enum watch_log_class { WATCH_LOG_STANDARD, WATCH_LOG_INFREQUENT, WATCH_LOG_DELIVERY };
struct watch_log_tag {
    struct text key, value;
};
struct watch_log_group {
    struct text name;
    uint64_t id;                /* tells it from another one of that name */
    int64_t created_ms;
    uint32_t retention_days;    /* 0: for ever */
    uint32_t streams, filters;  /* how many there are */
    uint32_t subscriptions;     /* subscription filters, likewise */
    enum watch_log_class log_class; /* what it forbids is the wire's */
    bool sweeping;              /* private: a sweep is due some time */
    bool guarded;               /* it is not deleted: the wire's */
    struct text kms_key;        /* kept and told */
    struct watch_log_tag *tag;  /* WATCH_LOG_TAGS_MAX places when it was read */
    uint32_t tags;
};
bool watch_log_group_name_valid(struct text name);  /* 1..512 of [.\-_/#A-Za-z0-9] */
bool watch_log_stream_name_valid(struct text name); /* 1..512 bytes without ':' and '*' */
bool watch_log_retention_valid(int64_t days);       /* one of AWS's numbers */
/* ERR_NOT_FOUND, ERR_COLD, ERR_CORRUPT, ERR_MEMORY. */
int watch_log_group_get(struct store_view *view, struct arena *arena, struct text name, struct watch_log_group *group);
/* Groups with names >= from that begin with `prefix`, in order, until `visit` answers non-zero (returned). */
int watch_log_group_each(struct store_view *view, struct arena *arena, struct text prefix, struct text from,
    int (*visit)(void *context, const struct watch_log_group *group), void *context);
/* Bytes that its chunks take. */
int watch_log_group_bytes(struct store_view *view, struct arena *arena, const struct watch_log_group *group, int64_t *bytes);
/* The oldest event that reads show: 0 without retention. */
int64_t watch_log_horizon_ms(const struct watch_log_group *group, int64_t now_ms);
/* create: name, retention_days, log_class and tags are taken from `group`, the rest is set. ERR_EXISTS, ERR_FULL. */
int watch_log_group_create(struct tick *tick, struct arena *arena, struct watch_log_group *group);
int watch_log_group_put(struct tick *tick, struct watch_log_group *group); /* its settings */
int watch_log_group_delete(struct tick *tick, struct arena *arena, const struct watch_log_group *group);

/* ---- streams ---- */

struct watch_log_stream {
    struct text name;
    uint64_t id;
    int64_t created_ms;
    int64_t first_ms, last_ms, ingested_ms; /* of its events; -1: there was none */
    uint64_t puts;
    /* private: what is not packed yet, and the chunk that may still grow */
    uint64_t tail_sequence, tail_bytes;
    uint64_t tail_from;  /* sequence below which no tail is left */
    uint32_t tail_bucket, tail_rows;
    uint8_t pack_asked;  /* enum in log_inside.h */
    uint64_t next_chunk;
    uint8_t open_class;
    int64_t open_min_ms;
    uint64_t open_chunk, open_bytes; /* open_bytes 0: none */
};
int watch_log_stream_get(struct store_view *view, struct arena *arena, const struct watch_log_group *group, struct text name, struct watch_log_stream *stream);
int watch_log_stream_each(struct store_view *view, struct arena *arena, const struct watch_log_group *group, struct text prefix, struct text from,
    int (*visit)(void *context, const struct watch_log_stream *stream), void *context);
/* ERR_EXISTS, ERR_FULL. The group's row is written too. */
int watch_log_stream_create(struct tick *tick, struct arena *arena, struct watch_log_group *group, struct text name, struct watch_log_stream *stream);
int watch_log_stream_delete(struct tick *tick, struct arena *arena, struct watch_log_group *group, const struct watch_log_stream *stream);

/* ---- putting; in the tick ---- */

enum watch_log_put_flags { WATCH_LOG_CREATE = 1 /* group and stream are made when they are missing, the group with weir's own retention */ };
struct watch_log_put {
    struct text group, stream;
    struct text also;                    /* a second group, which gets the same events in its stream of that name; no text: none */
    const struct watch_log_event *event; /* any order; messages of at most WATCH_LOG_MESSAGE_MAX bytes of UTF-8, not empty */
    size_t count;
    uint32_t first_index;                /* of the first event within the call: a call that puts twice goes on counting */
    unsigned flags;
};
/* All of them or none, in both groups. They are a note of the tick (seal.h): written when it ends, and not seen by reads within it; a later call of the same tick that deletes the stream takes them
   with it. ERR_NOT_FOUND: no such stream (group: watch_log_group_get says); ERR_FULL: packing has not kept up (WATCH_LOG_TAIL_MAX at the end of the last tick), or a limit of
   creation; ERR_INVALID: a name; ERR_TOO_LARGE. */
int watch_log_put(struct tick *tick, struct arena *arena, const struct watch_log_put *put);

/* ---- reading ---- */

enum watch_log_order {
    WATCH_LOG_FORWARD, WATCH_LOG_BACKWARD, /* by place; what is held in memory at once is about twice bytes_max */
    WATCH_LOG_ANY                          /* as they lie: for aggregation, each block read once, nothing held */
};
struct watch_log_scan {
    const struct watch_log_group *group;
    const uint64_t *stream;        /* ids, ascending; with `some` only these */
    size_t streams;
    bool some;
    int64_t from_ms, to_ms;        /* [from, to); what retention hides is not shown */
    int64_t now_ms;
    enum watch_log_order order;
    bool after_set;                /* FORWARD: events behind `after`; BACKWARD: before it */
    struct watch_log_place after;
    size_t events_max, bytes_max;  /* of what is visited; 0: no limit, for ANY alone. Messages count 26 bytes more than they have. One event is visited in any case */
    size_t read_max;               /* bytes of text read after which it ends as soon as it can; 0: no limit */
    int64_t time_max_ms;           /* the same for time; 0: no limit */
    /* NULL: all. Called before sorting, so its cost is per event that is read. Negative is an error. 1 yes, 0 no. */
    int (*match)(void *context, const struct watch_log_event *event);
    /* In the order asked for; the texts live until it returns (ANY) or until watch_log_scan does. Non-zero ends it: ANY only. */
    int (*visit)(void *context, const struct watch_log_event *event);
    void *context;
    /* results */
    size_t visited, matched_bytes;
    uint64_t events_read, bytes_read;
    bool at_end;                   /* everything in the range was visited */
    struct watch_log_place next;   /* FORWARD, BACKWARD: `after` of the next page; meaningful also when nothing was visited */
};
/* 0, what visit answered, or negative: ERR_MEMORY, ERR_CORRUPT, store errors. Each call stands for itself: a page may be read from a newer view than the one before. */
int watch_log_scan(struct store_view *view, struct watch_log_scan *scan);

/* ---- metric filters ---- */

/* `value` is JSON: {"filterPattern", "metricTransformations": [{"metricNamespace", "metricName", "metricValue", "unit", "defaultValue", "dimensions"}], and what else the wire
   wants back}. Every put from now on is looked at. ERR_FULL. The group's row is written too. */
int watch_log_filter_put(struct tick *tick, struct arena *arena, struct watch_log_group *group, struct text name, struct text value);
int watch_log_filter_delete(struct tick *tick, struct arena *arena, struct watch_log_group *group, struct text name); /* ERR_NOT_FOUND */
int watch_log_filter_each(struct store_view *view, struct arena *arena, const struct watch_log_group *group, struct text prefix, struct text from,
    int (*visit)(void *context, struct text name, struct text value), void *context);

/* ---- subscription filters ---- */

/* `value` is JSON: {"filterPattern", "destinationArn", "distribution", and what else the wire wants back}. The matching events of every put from now on are kept as a delivery, in
   the commit that stores them; a deferred call of the name WATCH_LOG_DELIVER asks the layer above to bring it to its destination. ERR_FULL. The group's row is written too. */
#define WATCH_LOG_SUBSCRIPTIONS_MAX 2                    /* of one group */
#define WATCH_LOG_DELIVERIES_MAX ((uint64_t)64 << 20)    /* bytes that wait for delivery; puts into groups with subscription filters are refused above */
#define WATCH_LOG_DELIVERY_BYTES ((size_t)256 << 10)     /* of messages in one delivery; one event is taken in any case */
int watch_log_subscription_put(struct tick *tick, struct arena *arena, struct watch_log_group *group, struct text name, struct text value);
int watch_log_subscription_delete(struct tick *tick, struct arena *arena, struct watch_log_group *group, struct text name); /* ERR_NOT_FOUND */
int watch_log_subscription_each(struct store_view *view, struct arena *arena, const struct watch_log_group *group, struct text prefix, struct text from,
    int (*visit)(void *context, struct text name, struct text value), void *context);

struct watch_log_delivery {
    struct text filter, group, stream, destination;
    bool by_stream;    /* distribution: events of one stream stay together */
    struct text rest;  /* private: the events that are not read yet */
};
/* In the deferred call: the delivery that its payload names, which is deleted with this call. Texts live in the arena. ERR_NOT_FOUND, ERR_COLD, ERR_CORRUPT, ERR_MEMORY. */
int watch_log_delivery_take(struct tick *tick, struct arena *arena, struct text payload, struct watch_log_delivery *delivery);
/* 0, ERR_NOT_FOUND at the end, ERR_CORRUPT. */
int watch_log_delivery_next(struct watch_log_delivery *delivery, struct watch_log_event *event);

/* ---- what belongs to no group: destinations, saved queries, policies. Names and JSON that mean something to the wire alone ---- */

enum watch_log_setting { WATCH_LOG_DESTINATION = 'd', WATCH_LOG_POLICY = 'p', WATCH_LOG_POLICY_GROUP = 'r', WATCH_LOG_QUERY = 'q' };
int watch_log_setting_put(struct tick *tick, enum watch_log_setting kind, struct text name, struct text value);
int watch_log_setting_delete(struct tick *tick, enum watch_log_setting kind, struct text name); /* whether it is there or not */
/* ERR_NOT_FOUND. */
int watch_log_setting_get(struct store_view *view, struct arena *arena, enum watch_log_setting kind, struct text name, struct text *value);
/* Those whose names begin with `prefix`, from `from` on, in order, until `visit` answers non-zero (returned when negative). */
int watch_log_setting_each(struct store_view *view, struct arena *arena, enum watch_log_setting kind, struct text prefix, struct text from,
    int (*visit)(void *context, struct text name, struct text value), void *context);

/* ---- deferred calls: packing, retention, the rows of what was deleted ---- */
#define WATCH_LOG_DEFERRED "@logs/" /* what their names begin with */
#define WATCH_LOG_DELIVER "@logs/deliver" /* not for watch_log_deferred: the layer above answers it */
int watch_log_deferred(struct tick *tick, struct text name, struct text payload);

#endif
