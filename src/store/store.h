/*
 * The tables: a view of the journal, kept in RocksDB without its own log. The only place that sees RocksDB.
 *
 * Writing has three steps, so that nothing is announced or applied before it is durable:
 *   stage   (state thread)   puts and deletes go to a sorted overlay in memory; each call has a save point;
 *   seal    (state thread)   the overlay becomes immutable ("in flight") and yields one journal record;
 *   apply   (committer)      after the fsync: one RocksDB batch with the applied sequence, then a new snapshot.
 * Reading goes through a view: overlay(s) over RocksDB for the state thread, a published snapshot for the others. A reader of
 * the state thread sees current stage, then the stage in flight, then RocksDB; whether the flight is already applied makes no difference to it.
 *
 * One column family; the first key byte tells the kind of row (key.h lists them). Rows of volatile tables (registries of live
 * sockets) are applied but never journaled, and purged at open.
 */
#ifndef WEIR_STORE_STORE_H
#define WEIR_STORE_STORE_H

#include "store/item.h"

struct store;
struct store_table;    /* catalogue entry; immutable but for its counts; lives as long as the store */
struct store_index;
struct store_stage;
struct store_snapshot;

/* ---- opening ---- */
struct store_config {
    const char *folder;
    size_t cache_bytes;        /* block cache, filled as blocks are read; default 256 MiB */
    size_t write_buffer_bytes; /* memtable; default 16 MiB */
    bool sync_flush;           /* tests: flush at close */
    const unsigned char *key;  /* CIPHER_KEY_BYTES (base/cipher.h): every file is encrypted with it; NULL: plain. Copied */
};
/* Opens or creates. The format carries a version: ERR_VERSION for a newer one. Purges rows of volatile tables. */
int store_open(struct store **out, const struct store_config *config, struct err *err);
void store_close(struct store *store);
/* The sequence that the tables reflect; replay the journal from the next one. */
uint64_t store_applied(const struct store *store);
/* The sequence whose data surely reached the disk (a flush has finished): the journal may be truncated below it. Never above applied. */
uint64_t store_flushed(struct store *store);
/* Starts a flush of the memtables (returns at once unless wait). */
int store_flush(struct store *store, bool wait, struct err *err);
/* A copy of the tables as they are now, in a new folder (whose parent exists, on any file system): a store of its own that opens with the same key. Everything
   applied before the call is in it. On the same file system it is hard links, and takes no time. Any thread; it blocks. ERR_IO, ERR_DISK_FULL. */
int store_checkpoint(struct store *store, const char *folder, struct err *err);
/* Replays one journal record (store section) at start-up. */
int store_replay(struct store *store, uint64_t sequence, struct text record, struct err *err);

/* ---- the catalogue ---- */
enum store_projection { STORE_PROJECT_ALL, STORE_PROJECT_KEYS, STORE_PROJECT_INCLUDE };
#define STORE_INDEXES_MAX 25
#define STORE_INDEX_KEYS_MAX 4        /* hash attributes, and range attributes, of an index */
struct store_key_part {
    struct text name;
    enum attr_type type; /* STRING, NUMBER, BINARY */
};
/* What entries are keyed by: `hashes` hash attributes (one or more), which say what lies together, and behind them `ranges` range attributes, by whose
   tuple it is in order. A table's key has one and at most one. */
struct store_key {
    struct store_key_part part[2 * STORE_INDEX_KEYS_MAX];
    size_t hashes, ranges;
};
static inline size_t store_key_parts(const struct store_key *key)
{
    return key->hashes + key->ranges;
}
bool store_key_has(const struct store_key *key, struct text name);
struct store_index_decl {
    struct text name;
    struct store_key key;
    enum store_projection projection;
    struct text include[20];
    size_t includes;
    bool counted;                     /* ordered-count: rank of a key and key at a rank in O(log n) */
};
struct store_table_decl {
    struct text name;                 /* 3..255 of [a-zA-Z0-9_.-] */
    struct text hash, range;          /* range may be empty */
    enum attr_type hash_type, range_type; /* STRING, NUMBER, BINARY */
    struct store_index_decl index[STORE_INDEXES_MAX];
    size_t indexes;
    struct text ttl;                  /* attribute with epoch seconds; empty: none */
    bool changes;                     /* change records with old and new image */
    bool volatile_rows;               /* mirrors live sockets: not journaled, purged at open */
    bool counted;                     /* counted primary key */
};
/* Stages the definition of a table: created when missing; new indexes, ttl and flags are taken over (new indexes of a non-empty table are filled
   in slices by store_backfill); ERR_INVALID when the keys differ from the stored ones. Usable in the same stage. */
int store_table_define(struct store_stage *stage, const struct store_table_decl *decl, const struct store_table **out, struct err *err);
/* Stages the end of a table: unknown by name and unreadable at once, its rows are removed in slices by store_backfill. No change records.
   The handle stays valid; calls with it answer ERR_NOT_FOUND. */
int store_table_drop(struct store_stage *stage, const struct store_table *table, struct err *err);
const struct store_table *store_table_find(const struct store *store, struct text name); /* committed ones; state thread, or any thread after start */
const struct store_index *store_index_find(const struct store_table *table, struct text name);
/* False while a backfill fills it: queries answer ERR_AGAIN until then. */
bool store_index_ready(const struct store_index *index);
const struct store_index_decl *store_index_decl(const struct store_index *index);
struct text store_table_name(const struct store_table *table);
uint32_t store_table_id(const struct store_table *table);
const struct store_table_decl *store_table_decl(const struct store_table *table);
/* The key of an index, or of the table itself (index NULL). */
const struct store_key *store_key_of(const struct store_table *table, const struct store_index *index);
int64_t store_table_count(const struct store_table *table); /* committed items, exact; any thread */
int64_t store_table_expired(const struct store_table *table); /* items that expiry has deleted since the store was opened; any thread */
/* Next table in name order, NULL at the end; pass NULL to begin. */
const struct store_table *store_table_next(const struct store *store, const struct store_table *after);

/* What a definition carries beside the declaration: store_table_define leaves it as it is. */
struct store_recovery {
    int64_t since_ms; /* of the tick that turned it on */
    uint32_t days;    /* of the journal that are wanted; 0: off */
};
#define STORE_RECOVERY_DAYS_MAX 35
/* A table whose items are on their way (a restore, an import): it is there, and nobody else reads or writes it yet. Any thread. */
bool store_table_filling(const struct store_table *table);
int store_table_set_filling(struct store_stage *stage, const struct store_table *table, bool filling, struct err *err);
/* Recovery by the journal: change records are kept whether the declaration asks for them or not. ERR_INVALID: a volatile table; ERR_NOT_FOUND: a dropped one. */
struct store_recovery store_table_recovery(const struct store_table *table);
int store_table_set_recovery(struct store_stage *stage, const struct store_table *table, struct store_recovery recovery, struct err *err);
/* Followed by clients, from the record `since` of the journal on (0: not): change records are kept whether the declaration asks for them or not. The number tells whoever
   comes back with an older position that something may be missing. ERR_INVALID: a volatile table; ERR_NOT_FOUND: a dropped one. */
uint64_t store_table_followed_since(const struct store_table *table);
int store_table_set_followed(struct store_stage *stage, const struct store_table *table, uint64_t since, struct err *err);
/* For whatever reason: its declaration, its recovery, its followers. Any thread. */
bool store_table_keeps_changes(const struct store_table *table);
/* Would store_put take its keys, those of indexes included? 0, ERR_TYPE, ERR_INVALID, ERR_TOO_LARGE with a sentence. Any thread. */
int store_item_fits(const struct store_table *table, const struct attr *item, struct err *err);
/* Since when the table's items expire by its ttl attribute: the time of the tick that said so, once committed. 0: since before this was noted; INT64_MAX: it has
   none. Any thread. */
int64_t store_table_ttl_since(const struct store_table *table);
/* Is the item's due time, by the table's ttl attribute, not after now_s? */
bool store_item_expired(const struct store_table *table, const struct attr *item, int64_t now_s);
/* A declaration in bytes, for backups. Decoded texts live in the arena; what it holds is checked when it is defined. ERR_MEMORY, ERR_CORRUPT. */
#define STORE_DECL_BYTES_MAX (512u << 10)
int store_decl_encode(struct buf *out, const struct store_table_decl *decl);
int store_decl_decode(struct arena *arena, struct text bytes, struct store_table_decl *decl);

/* ---- cold rows: what a cache_only reader did not find in memory ---- */
#define STORE_COLD_ROWS 64
#define STORE_COLD_BYTES (64u << 10) /* of their keys; what does not fit is left out */
enum store_cold_kind { STORE_COLD_GET, STORE_COLD_ON, STORE_COLD_BACK };
struct store_cold {
    struct buf keys;
    size_t count;
    struct store_cold_row {
        uint32_t at, len; /* in keys */
        uint32_t kind;
    } row[STORE_COLD_ROWS];
};
void store_cold_init(struct store_cold *cold);
void store_cold_fini(struct store_cold *cold);
void store_cold_clear(struct store_cold *cold);
/* Reads them from the disk into the block cache; of a walk that stood there `rows` rows. Any thread; it blocks. 0, ERR_CORRUPT, ERR_IO, ERR_MEMORY. */
int store_warm(struct store *store, const struct store_cold *cold, size_t rows);

/* ---- views ---- */
struct store_view {
    struct store *store;
    struct store_stage *stage;              /* NULL for a snapshot view */
    const struct store_snapshot *snapshot;  /* NULL for the state thread's view */
    int64_t now_s;                          /* expired items (ttl <= now_s) are invisible to every read and condition */
    bool cache_only;                        /* ERR_COLD instead of a disk read */
    struct store_cold *cold;                /* may be NULL; what answered ERR_COLD is added. A query notes the items of the entries ahead, too, and is over */
    uint64_t items, bytes;                  /* counted by the reads, for budgets */
};

/* ---- reading ---- */
/* `key` holds at least the key attributes. ERR_NOT_FOUND, ERR_COLD, ERR_TYPE (bad key), ERR_CORRUPT. The item lives in the arena. */
int store_get(struct store_view *view, const struct store_table *table, const struct attr *key, struct arena *arena, const struct attr **item);
/* What a read has found, so that a write behind it need not look again. Valid as long as the arena of the read; the write itself sees whether it is of the
   same row and whether anything was staged since. Begins as zeros. */
struct store_seen {
    const struct store_stage *stage;
    uint64_t writes;
    struct text row, bytes;                 /* key and stored form; bytes.data NULL: there was none */
    const struct attr *item;
};
/* store_get on a view with a stage. `seen` is filled when it answers 0 or ERR_NOT_FOUND. */
int store_get_seen(struct store_view *view, const struct store_table *table, const struct attr *key, struct arena *arena, const struct attr **item,
    struct store_seen *seen);

enum store_range_op { STORE_RANGE_ALL, STORE_RANGE_EQ, STORE_RANGE_LT, STORE_RANGE_LE, STORE_RANGE_GT, STORE_RANGE_GE, STORE_RANGE_BETWEEN, STORE_RANGE_PREFIX };
struct store_query {
    const struct store_table *table;
    const struct store_index *index;        /* NULL: the table itself */
    const struct attr *hash[STORE_INDEX_KEYS_MAX];  /* as many as the key has, in its order; the first NULL: a scan over all */
    const struct attr *equal[STORE_INDEX_KEYS_MAX]; /* what the first `equals` range attributes are, when op is about the next one */
    size_t equals;
    enum store_range_op op;
    const struct attr *low, *high;          /* for op; high only for BETWEEN */
    bool backward;
    bool keys_only;                         /* do not fetch the items of an index: table and index keys alone */
    bool whole;                             /* the items behind an index, whatever it projects */
    const struct attr *after;               /* exclusive start: table key + index key attributes; NULL: from the edge */
};
struct store_cursor; /* lives in the arena; holds a RocksDB iterator until closed */
int store_query_open(struct store_view *view, const struct store_query *query, struct arena *arena, struct store_cursor **out, struct err *err);
/* 0 with the next item (in the arena given), ERR_NOT_FOUND at the end, ERR_COLD, ERR_CORRUPT. */
int store_cursor_next(struct store_cursor *cursor, struct arena *arena, const struct attr **item);
void store_cursor_close(struct store_cursor *cursor);
/* Of a cursor over a snapshot: is the declaration that it goes by (time to live above all) the one that was in force at that commit? False: a later commit has changed it already, and the snapshot
   that shows that commit is about to be published. Whoever says which commit he shows takes that one instead. */
bool store_cursor_is_exact(const struct store_cursor *cursor);

/* ---- ordered counts (indexes and tables declared `counted`), all O(log n) ---- */
/* Entries of a hash value (as in a query: as many as the key has); 0 when there are none. */
int store_rank_count(struct store_view *view, const struct store_table *table, const struct store_index *index, const struct attr *const *hash, uint64_t *count);
/* Position from 0 in ascending order (backward: from the other end) of the entry of `item` (table key + index key attributes). ERR_NOT_FOUND when it has none. */
int store_rank_of(struct store_view *view, const struct store_table *table, const struct store_index *index, const struct attr *item, bool backward, uint64_t *rank);
/* A cursor that starts at the entry with that rank. */
int store_rank_seek(struct store_view *view, const struct store_query *query, uint64_t rank, struct arena *arena, struct store_cursor **out, struct err *err);

/* ---- staging (state thread) ---- */
int store_stage_create(struct store *store, struct store_stage **out);
void store_stage_destroy(struct store_stage *stage);
struct store_save {
    size_t undo, change, flags;
};
struct store_save store_stage_save(const struct store_stage *stage);
void store_stage_rollback(struct store_stage *stage, struct store_save save);
bool store_stage_empty(const struct store_stage *stage);
bool store_stage_durable(const struct store_stage *stage); /* holds something that must be journaled */
size_t store_stage_bytes(const struct store_stage *stage);

enum store_put_flags {
    STORE_FRESH = 1,       /* the caller knows that the key is new (an id made by the tick): no look-up of the old item */
    STORE_IF_ABSENT = 2,   /* ERR_EXISTS when there is a (not expired) item */
    STORE_IF_PRESENT = 4,  /* ERR_NOT_FOUND when there is none */
    STORE_BY_SERVICE = 8,  /* the change record carries the service's identity (expiry) */
    STORE_LOOSE = 16,      /* an index key of the wrong type keeps the item out of that index, as a backfill does, and is no error (restores) */
    STORE_LARGE = 32,      /* up to ITEM_LARGE_MAX bytes: records of streams */
    STORE_QUIET = 64       /* no change record (a deletion that everybody can foresee) */
};
/* Checks keys, sizes and index key types (ERR_TYPE, ERR_TOO_LARGE with a sentence), stages the item, its index, count and expiry rows and its
   change record. `old` (may be NULL) receives the earlier item or NULL. ERR_COLD when the old item is not in the cache and the view says cache_only:
   nothing was staged. The view is the state thread's own and names this stage. */
int store_put(struct store_view *view, const struct store_table *table, const struct attr *item, unsigned flags, struct arena *arena,
    const struct attr **old, struct err *err);
int store_delete(struct store_view *view, const struct store_table *table, const struct attr *key, unsigned flags, struct arena *arena,
    const struct attr **old, struct err *err);
/* The same after a store_get_seen. */
int store_put_seen(struct store_view *view, const struct store_table *table, const struct attr *item, unsigned flags, struct arena *arena,
    const struct store_seen *seen, const struct attr **old, struct err *err);
int store_delete_seen(struct store_view *view, const struct store_table *table, const struct attr *key, unsigned flags, struct arena *arena,
    const struct store_seen *seen, const struct attr **old, struct err *err);

/* Rows outside tables: deferred calls, room histories, settings. `space` is the first key byte's sub-space (1..255), chosen in key.h. */
int store_raw_put(struct store_stage *stage, uint8_t space, struct text key, struct text value);
int store_raw_delete(struct store_stage *stage, uint8_t space, struct text key);
int store_raw_get(struct store_view *view, uint8_t space, struct text key, struct arena *arena, struct text *value);
/* Visits rows with keys >= from in order until `visit` answers non-zero (returned) or the sub-space ends (0). */
int store_raw_scan(struct store_view *view, uint8_t space, struct text from, struct arena *arena,
    int (*visit)(void *context, struct text key, struct text value), void *context);
/* The same downwards: rows with keys < below. */
int store_raw_scan_back(struct store_view *view, uint8_t space, struct text below, struct arena *arena,
    int (*visit)(void *context, struct text key, struct text value), void *context);

/* Expiry: stages the deletion (with REMOVE records by the service) of at most `limit` items due at view->now_s; returns how many, or an error. */
int store_expire(struct store_view *view, size_t limit, struct arena *arena);
/* Index backfills and the removal of dropped rows: stages the next slice of at most `limit` items; 0 when nothing is left to do, else more
   than 0 (not exactly the number of items). */
int store_backfill(struct store_view *view, size_t limit, struct arena *arena);
/* The due time (epoch seconds) of the earliest expiry row, INT64_MAX when there is none. */
int64_t store_next_expiry(struct store_view *view);

/* ---- committing ---- */
/* State thread. Makes the stage immutable and appends its journal section to `record` (nothing when it is not durable); the next stage must be linked
   with store_stage_follow so that its reads see this one. */
int store_stage_seal(struct store_stage *stage, int64_t time_ms, struct buf *record);
/* `next` reads through `flight` until store_stage_unfollow (called by the state thread when the flight is applied). */
void store_stage_follow(struct store_stage *next, struct store_stage *flight);
void store_stage_unfollow(struct store_stage *next);
/* Committer thread: writes the batch with the applied sequence. `sequence` 0: nothing was journaled (volatile rows only). */
int store_stage_apply(struct store_stage *stage, uint64_t sequence, struct err *err);
/* Empties a stage for reuse (after apply). */
void store_stage_reset(struct store_stage *stage);

/* ---- snapshots: the durable state, for readers on other threads ---- */
/* Committer: replaces the published snapshot by one of what is applied now. */
int store_snapshot_publish(struct store *store);
#define STORE_READERS_MAX 64
#define STORE_READER_JOBS STORE_READERS_MAX /* the slot of the thread that backs up and restores */
#define STORE_READER_WARM (STORE_READERS_MAX + 1) /* the same thread's, beside a snapshot that it holds */
#define STORE_READER_QUERY (STORE_READERS_MAX + 2) /* the first of the threads of log queries */
#define STORE_READER_QUERIES 2
#define STORE_READER_CONSOLE (STORE_READER_QUERY + STORE_READER_QUERIES) /* the thread that computes widgets */
#define STORE_READERS_ALL (STORE_READER_CONSOLE + 1)
/* Reader slots: one per thread that reads; 0..STORE_READERS_ALL-1. No lock: a hazard slot. The snapshot stays valid until release. */
const struct store_snapshot *store_snapshot_acquire(struct store *store, unsigned reader);
void store_snapshot_release(struct store *store, unsigned reader);
uint64_t store_snapshot_sequence(const struct store_snapshot *snapshot);

/* ---- change records, decoded from a journal record's store section ---- */
struct store_change {
    struct text table;           /* name */
    uint32_t table_id;
    char event;                  /* 'I'nsert, 'M'odify, 'R'emove */
    bool by_service;
    int64_t time_ms;             /* of the tick */
    uint32_t number;             /* position within the record, from 0: (sequence, number) orders all changes */
    struct text keys, before, after; /* encoded items (item_decode); empty when absent */
};
struct store_change_reader {
    struct text record; /* borrowed */
    size_t at, names_at;
    uint32_t number, changes;
    int64_t time_ms;
};
int store_change_begin(struct store_change_reader *reader, struct text record);
/* 0, ERR_NOT_FOUND at the end, ERR_CORRUPT. */
int store_change_next(struct store_change_reader *reader, struct store_change *change);

/* Integrity: reads everything, checks checksums, items, indexes against items and counts: for `weir verify`. Nobody writes meanwhile. */
struct store_report {
    uint64_t tables, rows, items, index_rows, bytes;
    uint64_t damaged;
    char first[200]; /* what was damaged first */
};
int store_verify(struct store *store, struct store_report *report);

#endif
