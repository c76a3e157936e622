/*
 * Row keys. One column family; the first byte tells the kind of row. Rows of volatile tables carry
 * KEY_VOLATILE in front of the same layout, so that one range delete purges them all. Integers are
 * big-endian. Any thread.
 *
 *   'a'                                        applied sequence (be64)
 *   'c' table                                  definition of a table (catalogue.c)
 *   'd' prefix                                 debris: every row with this prefix is to be deleted (backfill.c)
 *   'e' seconds(be64) table pk                 expiry, no value
 *   'f'                                        format version (be32)
 *   'i' table pk                               item
 *   'k' table part hash..                      ordered count: head (count.c)
 *   'k' table part hash.. level(>0) first      ordered count: a block
 *   'n' table                                  number of items (be64)
 *   'p' table part                             progress of a backfill: last pk done
 *   'r' space key                              raw rows, see enum store_space
 *   'x' table part hash.. range.. pk           index entry; value: due time (be64) when the item has one
 *
 *   table = be32, part = be16, pk = hash [range]
 *   component = number: decimal key form | string, binary: bytes with 00 -> 00 FF, ended by 00 01
 *
 * No component is a prefix of another one of its type, so a concatenation sorts like the tuple, and a prefix
 * of components selects exactly the rows that share them. An index may have several hash and range components
 * ("hash..", "range.."); the hash ones together stay within the bytes of one, and so do the range ones.
 */
#ifndef WEIR_STORE_KEY_H
#define WEIR_STORE_KEY_H

#include "base/cursor.h"
#include "store/item.h"

enum key_kind {
    KEY_APPLIED = 'a',
    KEY_CATALOGUE = 'c',
    KEY_DEBRIS = 'd',
    KEY_EXPIRY = 'e',
    KEY_FORMAT = 'f',
    KEY_ITEM = 'i',
    KEY_COUNT = 'k',
    KEY_NUMBER = 'n',
    KEY_PROGRESS = 'p',
    KEY_RAW = 'r',
    KEY_VOLATILE = 'v',
    KEY_INDEX = 'x'
};

/* Sub-spaces of raw rows. To add one, add a row here. */
enum store_space {
    STORE_SPACE_DEFERRED = 1, /* tick: deferred calls by due time */
    STORE_SPACE_CALLS = 2,    /* tick: deferred calls by name */
    STORE_SPACE_HISTORY = 3,  /* gateway: retained room messages */
    STORE_SPACE_SETTINGS = 4, /* main: settings and counters of the data folder */
    STORE_SPACE_IDENTITY = 5, /* gateway: revocations */
    STORE_SPACE_MARKS = 6,    /* tick: what of the journal is still needed */
    STORE_SPACE_FETCH = 7,    /* gateway: durable requests */
    STORE_SPACE_AWS = 10,     /* aws: what tables are beside the catalogue, tokens of transactions */
    STORE_SPACE_STREAMS = 8,  /* gateway: positions of stream consumers */
    STORE_SPACE_FAILED = 9,   /* gateway: records that a consumer gave up */
    STORE_SPACE_ROOMS = 11,   /* gateway: histories of rooms */
    STORE_SPACE_BACKUPS = 12, /* aws: backups, and the jobs that make and restore them */
    STORE_SPACE_RECORDS = 13, /* gateway: streams of records */
    STORE_SPACE_SHARDS = 14,  /* aws: streams of tables */
    STORE_SPACE_METRICS = 15, /* watch: figures of metrics by series and time */
    STORE_SPACE_SERIES = 16,  /* watch: which series there are */
    STORE_SPACE_LOGS = 17,    /* watch: log groups and streams, and what hangs on them */
    STORE_SPACE_LOG_CHUNKS = 18, /* watch: log events, and where their chunks lie in time */
    STORE_SPACE_ALARMS = 19,  /* watch: the history of alarms, and who stands on whom */
    STORE_SPACE_WATCH = 20,   /* watch: small documents (keep.h) */
    STORE_SPACE_TEST = 255
};

#define KEY_BYTES_MAX 16384 /* an index entry with every component at its limit, escaped, stays below */

/* The start of a row key: volatile mark, kind, table. */
int key_add_kind(struct buf *out, bool is_volatile, enum key_kind kind, uint32_t table);
/* One component. `value` NULL or of another type: ERR_TYPE; empty or above max bytes: ERR_INVALID,
 * ERR_TOO_LARGE. `name` for the sentence. */
int key_add_component(struct buf *out, enum attr_type type, const struct attr *value, struct text name,
    size_t max, struct err *err);
/* What a value (may be NULL) counts against the limit of its kind of key attribute: numbers nothing, they are
 * bounded. */
static inline size_t key_value_bytes(const struct attr *value)
{
    return !value || value->type == ATTR_NUMBER ? 0 : value->text.len;
}
/* The escaped bytes without an end mark: what all strings with that beginning share. */
int key_add_partial(struct buf *out, struct text bytes);
/* Skips or reads a component. ERR_CORRUPT. */
int key_skip(struct cursor *c, enum attr_type type);
int key_read(struct cursor *c, enum attr_type type, struct arena *arena, struct text *out);
/* Turns a prefix into the smallest key above everything that begins with it. False when there is none. */
bool key_successor(struct buf *key);

#endif
