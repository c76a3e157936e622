/*
 * Streams of records: what Kinesis's wire and applications share. A stream is a name, a way to spread records over shards, and a retention; its records are the
 * items of an ordinary table, so consumers, live tables, verification and backups know them without a second mechanism.
 *
 *   table "weir.kinesis.<stream>"   hash key GW_RECORD_SHARD ("shardId-000000000000"), range key GW_RECORD_SEQUENCE (56 digits, so that text order is order),
 *                                   GW_RECORD_DATA (B), GW_RECORD_KEY (S), GW_RECORD_HASH (S, only when given), GW_RECORD_AT (N, arrival, ms since the epoch);
 *                                   change records on, so the feed (tick/feed.h) carries every record as an 'I'nsert, in the order of arrival
 *   STORE_SPACE_RECORDS             's' name                  -> the stream: mode, retention, tags, its open shards (records_row.c)
 *                                   'h' stream id, shard      -> a shard, open or closed
 *                                   'c', 'u' stream id, ..    -> its registered consumers, and what they are subscribed to (records_consumer.c)
 *
 * A sequence number is made of the tick's sequence, the call's number in it and the record's index in the call, so it grows over restarts and whatever the clock
 * does, and a place in a shard is found from a time by halving: ticks never go back in time. Shards are chosen by the MD5 of the partition key, which is the wire's
 * rule and nothing that secrecy rests on.
 *
 * Expiry is a sweep of its own (records_sweep.c), since retention may be lengthened for what is there already. A read never shows a record that is older than
 * the retention in force, swept or not. The sweep's deletions make no change records.
 *
 * Functions that take a tick: inside run(), on the state thread; a negative answer is passed on, so that the call is undone. Functions that take a view: any
 * thread that owns one; ERR_COLD as for every read. Texts of results live in the arena.
 */
#ifndef WEIR_GATEWAY_RECORDS_H
#define WEIR_GATEWAY_RECORDS_H

#include "tick/tick.h"

#define GW_RECORDS_PREFIX "weir.kinesis." /* of the tables' names */
#define GW_RECORD_SHARD "shard"
#define GW_RECORD_SEQUENCE "sequence"
#define GW_RECORD_DATA "data"
#define GW_RECORD_KEY "key"
#define GW_RECORD_HASH "hash"
#define GW_RECORD_AT "at"

#define GW_STREAM_NAME_MAX 128                        /* bytes of [a-zA-Z0-9_.-] */
#define GW_STREAMS_MAX 1000
#define GW_STREAM_SHARDS_MAX 1000                     /* open ones, of all streams together */
#define GW_STREAM_CLOSED_MAX 10000                    /* shard rows of one stream; split and merge refuse above until retention has removed some */
#define GW_STREAM_TAGS_MAX 50
#define GW_STREAM_ON_DEMAND_SHARDS 4                  /* a new on-demand stream's */
#define GW_RETENTION_MIN_H 24
#define GW_RETENTION_MAX_H 8760
#define GW_RECORD_BYTES_MAX ((size_t)1 << 20)         /* data and partition key, unless the stream allows more */
#define GW_RECORD_KIB_MIN 1024                        /* what a stream may allow */
#define GW_RECORD_KIB_MAX 10240
#define GW_STREAM_CONSUMERS_MAX 20                    /* registered ones of a stream */
#define GW_STREAM_KEY_MAX 2048                        /* bytes of an encryption key's name */
#define GW_RECORDS_BATCH_MAX 500                      /* records of one put */
#define GW_RECORDS_BATCH_BYTES_MAX ((size_t)10 << 20) /* their data and partition keys */
#define GW_SHARD_TEXT 20                              /* "shardId-000000000000" */
#define GW_SEQUENCE_TEXT 56                           /* digits */

typedef unsigned __int128 gw_hash_key; /* a partition key's place */
#define GW_HASH_KEY_MAX (~(gw_hash_key)0)
#define GW_HASH_KEY_TEXT 40            /* decimal digits and NUL */

/* ---- for applications that declare streams, and for their consumers ---- */

/* The table behind a stream, in the arena; data NULL without memory. */
struct text gw_records_table_name(struct arena *arena, struct text stream);
bool gw_records_is_table(struct text table);
/* Makes the stream with that many shards (1..GW_STREAM_SHARDS_MAX) and 24 h of retention when it is missing; leaves one that is there as it is. The table is known by
   name once the call has committed. 0, ERR_INVALID (name, shards), ERR_FULL (too many), or a store's error, with a sentence. */
int gw_records_define(struct tick *tick, struct arena *arena, struct text stream, uint32_t shards, struct err *err);

/* ---- streams ---- */

/* A place in a shard's order. */
struct gw_position {
    uint64_t sequence; /* of the tick */
    uint32_t call;     /* number of the call in it */
    uint32_t index;    /* within the call */
};
#define GW_POSITION_INDEX_MAX 999999u
/* 56 digits and NUL. */
void gw_position_format(struct gw_position position, uint32_t shard, char out[GW_SEQUENCE_TEXT + 1]);
/* 0 or ERR_SYNTAX: not a sequence number of ours. */
int gw_position_parse(struct text text, struct gw_position *position, uint32_t *shard);
int gw_position_compare(struct gw_position a, struct gw_position b); /* <0, 0, >0 */

struct gw_stream_tag {
    struct text key, value;
};
struct gw_stream_open { /* an open shard; it ends where the next one begins */
    gw_hash_key start;
    uint32_t shard;
};
/* A stream as its row holds it. Plain value; arrays and texts live in the arena. */
struct gw_stream {
    struct text name;
    struct gw_position id;       /* when it was made: tells it from another one of that name */
    int64_t created_ms;
    int64_t retention_h;
    bool on_demand;
    uint32_t metrics;            /* bits of enhanced metrics that were asked for; kept, not acted on */
    uint32_t next_shard;
    uint32_t kept_shards;        /* rows: open and closed */
    struct gw_stream_open *open; /* in the order of `start`, from 0; they cover everything */
    uint32_t open_count;
    struct gw_stream_tag *tag;
    uint32_t tags;
    struct text key;             /* of encryption, as it was named; empty: none. Kept and told: what lies on the disk is encrypted by the data folder's key, or not */
    uint32_t record_kib;         /* the largest record */
    uint32_t scaling_to;         /* open shards that a change of their number is on its way to; 0: none is */
};
static inline size_t gw_stream_record_max(const struct gw_stream *stream) /* bytes of data and partition key */
{
    return (size_t)stream->record_kib << 10;
}
struct gw_shard {
    uint32_t number;
    gw_hash_key start, end;   /* inclusive */
    int64_t parent, adjacent; /* shard numbers; -1: none */
    struct gw_position first; /* below its first record */
    bool closed;
    struct gw_position last;  /* when closed: above its last record */
    int64_t created_ms, closed_ms;
};

bool gw_stream_name_valid(struct text name);
/* ERR_NOT_FOUND, ERR_COLD, ERR_CORRUPT, ERR_MEMORY. */
int gw_stream_get(struct store_view *view, struct arena *arena, struct text name, struct gw_stream *stream);
int gw_shard_get(struct store_view *view, struct arena *arena, const struct gw_stream *stream, uint32_t number, struct gw_shard *shard);
/* Streams with names above `after`, in order, until `visit` answers non-zero (returned; negative is an error). */
int gw_stream_each(struct store_view *view, struct arena *arena, struct text after, int (*visit)(void *context, const struct gw_stream *stream), void *context);
/* Shards with numbers >= from, open and closed, in order; likewise. */
int gw_shard_each(struct store_view *view, struct arena *arena, const struct gw_stream *stream, uint32_t from,
    int (*visit)(void *context, const struct gw_shard *shard), void *context);
/* Open shards of all streams, streams, and on-demand ones among them. */
struct gw_stream_totals {
    uint32_t streams, on_demand, shards;
};
int gw_stream_totals(struct store_view *view, struct arena *arena, struct gw_stream_totals *totals);
/* The oldest arrival that reads show. */
int64_t gw_stream_horizon_ms(const struct gw_stream *stream, int64_t now_ms);

/* Writing; in the tick. create: name, retention_h, on_demand, tags and record_kib (0: the least) are taken from `stream`, the rest is set. ERR_EXISTS, ERR_FULL, store errors. */
int gw_stream_create(struct tick *tick, struct arena *arena, struct gw_stream *stream, uint32_t shards, struct err *err);
int gw_stream_put(struct tick *tick, const struct gw_stream *stream); /* settings and open shards */
int gw_stream_delete(struct tick *tick, const struct gw_stream *stream, struct err *err);

/* What followers of a stream wait for (gateway/follow.h): touched by every change of the stream, its records, shards and consumers. */
uint64_t gw_stream_subject(struct gw_position id);

/* ---- registered consumers ---- */

struct gw_stream_consumer {
    struct text name;
    struct gw_position id; /* of its registration */
    int64_t created_ms;
    struct gw_stream_tag *tag;
    uint32_t tags;
};
/* ERR_NOT_FOUND, ERR_COLD, ERR_CORRUPT, ERR_MEMORY. */
int gw_consumer_get(struct store_view *view, struct arena *arena, const struct gw_stream *stream, struct text name, struct gw_stream_consumer *consumer);
/* Those with names above `after`, in order, until `visit` answers non-zero (returned). */
int gw_consumer_each(struct store_view *view, struct arena *arena, const struct gw_stream *stream, struct text after,
    int (*visit)(void *context, const struct gw_stream_consumer *consumer), void *context);
int gw_consumer_count(struct store_view *view, struct arena *arena, const struct gw_stream *stream, uint32_t *count);
/* In the tick. create: name and tags are taken, the rest is set; ERR_EXISTS, ERR_FULL. */
int gw_consumer_create(struct tick *tick, struct arena *arena, const struct gw_stream *stream, struct gw_stream_consumer *consumer);
int gw_consumer_put(struct tick *tick, const struct gw_stream *stream, const struct gw_stream_consumer *consumer);
int gw_consumer_delete(struct tick *tick, const struct gw_stream *stream, const struct gw_stream_consumer *consumer);

/* The newest subscription of a consumer to a shard; another serial has replaced the one that had this. */
struct gw_subscription {
    struct gw_position serial;
    int64_t at_ms;
};
int gw_subscription_get(struct store_view *view, struct arena *arena, const struct gw_stream *stream, const struct gw_stream_consumer *consumer, uint32_t shard,
    struct gw_subscription *subscription);
int gw_subscription_begin(struct tick *tick, const struct gw_stream *stream, const struct gw_stream_consumer *consumer, uint32_t shard, struct gw_subscription *subscription);

/* ---- shards ---- */

gw_hash_key gw_hash_key_of(struct text partition_key);
/* "0".."340282366920938463463374607431768211455": 0, ERR_SYNTAX, ERR_TOO_LARGE. */
int gw_hash_key_parse(struct text digits, gw_hash_key *out);
void gw_hash_key_format(gw_hash_key key, char out[GW_HASH_KEY_TEXT]);
void gw_shard_format(uint32_t number, char out[GW_SHARD_TEXT + 1]);
int gw_shard_parse(struct text text, uint32_t *number); /* ERR_SYNTAX */
/* Index in stream->open. */
uint32_t gw_stream_pick(const struct gw_stream *stream, gw_hash_key key);
/* In the tick; the stream is changed and written. ERR_CONDITION: closed or not adjacent; ERR_INVALID: `at` is not inside; ERR_FULL. */
struct gw_reshard { /* one call's steps: their places follow each other */
    struct tick *tick;
    struct arena *arena;
    struct gw_stream *stream;
    uint32_t index; /* of the next place; begin with 0 */
    bool roomy;     /* private */
};
int gw_shard_split(struct gw_reshard *reshard, uint32_t number, gw_hash_key at);
int gw_shard_merge(struct gw_reshard *reshard, uint32_t number, uint32_t adjacent);
/* That many shards of equal width, by splits and merges: GW_SCALE_STEPS of them at once, the rest by deferred calls; meanwhile stream->scaling_to says so, and
   split, merge and scale answer ERR_AGAIN. */
#define GW_SCALE_STEPS 64
int gw_shard_scale(struct gw_reshard *reshard, uint32_t target);

/* ---- records ---- */

struct gw_record {
    struct text key, data;
    gw_hash_key hash;                    /* its place: gw_hash_key_of(key), or the explicit one */
    bool has_hash;                       /* the explicit one: kept with the record */
    /* set by gw_records_put and by reads */
    uint32_t shard;
    char sequence[GW_SEQUENCE_TEXT + 1];
    int64_t at_ms;
};
/* In the tick: all of them or none. Sizes have been checked by the caller. `from`: index of the first one within the call. ERR_NOT_FOUND: no such stream. */
int gw_records_put(struct tick *tick, struct arena *arena, struct text stream, struct gw_record *record, size_t count, uint32_t from, struct err *err);

struct gw_records_from {
    struct gw_position position;
    bool inclusive;
};
struct gw_records_page {
    struct gw_records_from from;
    size_t limit, bytes;      /* records; bytes of data and keys after which the page ends (one record more at the most) */
    bool quick;               /* io threads: ERR_COLD when it is more than a few */
    int64_t now_ms;
    /* results */
    size_t count;
    struct gw_records_from next;
    bool at_end;              /* nothing is left that is visible in this view */
    int64_t behind_ms;        /* how long the first record that was not read has waited; 0 at the end */
};
/* Visits the records of a page in order, with texts that live until the visit returns. 0 or negative. */
int gw_records_read(struct store_view *view, struct arena *arena, const struct gw_stream *stream, uint32_t shard, struct gw_records_page *page,
    int (*visit)(void *context, const struct gw_record *record), void *context);
/* Places: after everything in this view; the first record that arrived at `ms` or later. */
struct gw_records_from gw_records_latest(const struct store_view *view);
int gw_records_at_time(struct store_view *view, struct arena *arena, const struct gw_stream *stream, uint32_t shard, int64_t ms, struct gw_records_from *from);

/* ---- tokens: opaque, versioned, summed; whoever may call the API may read anyway, so they prove nothing ---- */

struct gw_records_token {
    enum gw_records_token_kind { GW_TOKEN_ITERATOR = 1, GW_TOKEN_SHARDS = 2, GW_TOKEN_STREAMS = 3, GW_TOKEN_CONSUMERS = 4 } kind;
    int64_t made_ms;
    struct text stream;           /* in the arena; STREAMS: the last one that was listed; CONSUMERS: the last one of the stream `id` */
    struct gw_position id;        /* of the stream */
    uint32_t shard;               /* read; or the last one that was listed */
    struct gw_records_from from;  /* ITERATOR */
    uint8_t filter;               /* SHARDS: the wire's own */
    int64_t filter_ms;
};
#define GW_RECORDS_TOKEN_MAX 512  /* bytes of text */
#define GW_RECORDS_TOKEN_MS INT64_C(300000)
int gw_records_token_format(struct buf *out, const struct gw_records_token *token);
/* Hostile text. 0, ERR_SYNTAX, ERR_MEMORY. Its age is the caller's to judge. */
int gw_records_token_parse(struct arena *arena, struct text text, enum gw_records_token_kind kind, struct gw_records_token *token);

/* ---- the sweep: a deferred call of the tick ---- */
#define GW_RECORDS_SWEEP "@records/sweep"
int gw_records_sweep(struct tick *tick, struct arena *arena, struct text payload);

#endif
