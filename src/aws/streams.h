/*
 * What the files of the wire of DynamoDB Streams share. Nothing outside src/aws includes it.
 *
 * streams.c shapes and the table of operations · streams_row.c which streams there are · streams_start.c those of tables that were there before ·
 * streams_name.c ARNs, labels, shards, sequence numbers, iterators · streams_describe.c ListStreams, DescribeStream · streams_read.c GetShardIterator,
 * GetRecords · streams_record.c a record's JSON
 */
#ifndef WEIR_AWS_STREAMS_H
#define WEIR_AWS_STREAMS_H

#include "aws/ddb.h"
#include "base/clock.h"
#include "tick/feed.h"

extern const struct aws_service streams_service;

#define STREAMS_KEPT_MS DAY_MS             /* a record, and a stream that has ended, can be read so long */
#define STREAMS_ITERATOR_MS (15 * MINUTE_MS)
#define STREAMS_ENDED_MAX 256              /* ended streams of one table's name; the oldest is forgotten early */

/* Values are part of the stored form. */
enum streams_view { STREAMS_KEYS = 0, STREAMS_NEW = 1, STREAMS_OLD = 2, STREAMS_BOTH = 3 };

/*
 * One stream of one table. Places are changes: (sequence, number within the record). `first` belongs to the stream, `end` does not any more. Texts live in the arena
 * that was given.
 */
struct streams_row {
    struct text table;
    int64_t label_ms;            /* the label; also when it was asked for. Unique for a table's name */
    uint32_t table_id;           /* of the table that bore the name then */
    enum streams_view view;
    struct feed_position first;
    int64_t from_ms;             /* changes before that are not the stream's, whatever their place (streams_start.c); 0: none */
    int64_t ended_ms;            /* 0: it goes on */
    struct feed_position end;
    struct text hash, range;     /* the key's names */
};

/* ---- streams_row.c ---- */
/* 0, ERR_NOT_FOUND (also one that ended more than a day ago), ERR_COLD, ERR_CORRUPT, ERR_MEMORY. */
int streams_row_get(struct store_view *view, struct arena *arena, struct text table, int64_t label_ms, struct streams_row *row);
int streams_row_put(struct store_stage *stage, const struct streams_row *row);
int streams_row_delete(struct store_stage *stage, const struct streams_row *row);
/* Visits rows in the order of table and label, behind or at (table, label_ms), those of long ended streams too. A non-zero answer ends it and is returned. */
int streams_row_scan(struct store_view *view, struct arena *arena, struct text table, int64_t label_ms, int (*visit)(void *context, const struct streams_row *row),
    void *context);
bool streams_row_is_past(const struct streams_row *row, int64_t now_ms);
/* The stream of a table that goes on. ERR_NOT_FOUND. */
int streams_current(struct store_view *view, struct arena *arena, const struct store_table *table, struct streams_row *row);
/* In the tick. Begins a stream of the table with the next change: ends the one before, and finds a label that is unused: *label_ms or later. */
int streams_begin(struct store_view *view, struct tick *tick, struct arena *arena, const struct store_table *table, enum streams_view images, int64_t *label_ms);
/* In the tick. Ends the table's stream with the changes so far. 0 also when there is none. */
int streams_end(struct store_view *view, struct tick *tick, struct arena *arena, struct text table);
/* In the tick, when a table was made or changed: what its meta says now. Sets meta->stream_ms. */
int streams_follow(struct store_view *view, struct tick *tick, struct arena *arena, const struct store_table *table, struct ddb_meta *meta);
/* The place of the next change. State thread. */
struct feed_position streams_here(struct tick *tick);
enum streams_view streams_view_of(struct text name);
const char *streams_view_name(enum streams_view view);

/* ---- streams_name.c ---- */
#define STREAMS_LABEL_SIZE CLOCK_ISO_SIZE  /* "2025-01-17T10:30:00.000" and NUL */
void streams_label(int64_t label_ms, char out[STREAMS_LABEL_SIZE]);
void streams_arn_add(struct aws_call *call, struct text table, int64_t label_ms, struct buf *out);
bool streams_arn_parse(struct text arn, struct text *table, int64_t *label_ms);
#define STREAMS_SHARD_SIZE 38              /* "shardId-<20 digits>-<8 hex>" and NUL */
void streams_shard(const struct streams_row *row, char out[STREAMS_SHARD_SIZE]);
/* A change as a number of 31 digits, whose order as text is the order of changes. */
#define STREAMS_SEQUENCE_SIZE 32
void streams_sequence_format(struct feed_position place, char out[STREAMS_SEQUENCE_SIZE]);
int streams_sequence_parse(struct text text, struct feed_position *place); /* 0, ERR_SYNTAX */
/* What has been taken when `place` is the next change. */
struct feed_position streams_before(struct feed_position place);
/* The same for all time; no two changes of a data folder have one. */
void streams_event_id(uint32_t table_id, struct feed_position place, char out[33]);

struct streams_iterator {
    char table[256];
    size_t table_len;
    int64_t label_ms;
    struct feed_position after;  /* what has been taken */
    int64_t issued_ms;
    bool from_horizon;           /* begins with whatever is there: what is too old is passed over, not an error */
};
int streams_iterator_format(const struct streams_iterator *iterator, struct buf *out); /* 0, ERR_MEMORY */
int streams_iterator_parse(struct text text, struct streams_iterator *out);           /* 0, ERR_SYNTAX */

/* ---- streams_record.c ---- */
struct streams_record {
    struct attr *keys, *before, *after;  /* NULL: absent, or not of the view */
    size_t bytes;                        /* SizeBytes */
};
/* The parts of a change that the view shows. ERR_CORRUPT, ERR_MEMORY. */
int streams_record_read(struct arena *arena, enum streams_view view, const struct store_change *change, struct streams_record *record);
void streams_record_json(struct aws_call *call, const struct streams_row *row, struct feed_position place, const struct store_change *change,
    const struct streams_record *record);

/* ---- the steps of the operations ---- */
/* The stream of StreamArn; AWS's sentence when there is none. */
int streams_find(struct aws_call *call, struct store_view *view, struct text arn, struct streams_row *row);
#define STREAMS_STEPS(X) X(list) X(describe) X(iterator) X(records)
#define X(name)                                                                                                                           \
    int streams_##name##_prepare(struct aws_call *call);                                                                                  \
    int streams_##name##_perform(struct aws_call *call, struct store_view *view, struct tick *tick);
STREAMS_STEPS(X)
#undef X

#endif
