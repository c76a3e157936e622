/*
 * What the files of this module share. Nothing outside src/store includes it.
 *
 * store.c opens, applies, replays · catalogue.c and define.c the definitions · overlay.c the sorted overlay
 * of a stage · stage.c puts and deletes · merge.c stages over RocksDB · read.c gets and raw rows · query.c
 * queries · index.c index entries · count.c ordered counts · expiry.c · backfill.c · record.c the journal
 * section · cold.c rows to be warmed · snapshot.c · verify.c
 */
#ifndef WEIR_STORE_INTERNAL_H
#define WEIR_STORE_INTERNAL_H

#include "base/assert.h"
#include "base/list.h"
#include "store/key.h"
#include "store/rocks.h"
#include "store/store.h"

#include <stdatomic.h>
#include <stdlib.h>

#define FORMAT_VERSION 1
#define TABLES_MAX 10000
#define STAGE_BYTES_MAX (512u << 20)
#define CATALOGUE_BYTES_MAX (256u << 20)
#define EXPIRY_AGE_MAX_S                                                                                     \
    (INT64_C(5) * 366 * 86400) /* a due time further back is data, not a due time (DynamoDB) */

/* Parts of a table: indexes and the ordered count of the primary key have numbers from 1 that are never used
   again, so that the debris of a dropped one cannot be mistaken for rows of its successor. */
#define PART_TTL 0xFFFF /* stands for the expiry rows in progress rows */

/* Whether a part still lacks entries of existing items. */
struct part_fill {
    atomic_bool pending;            /* a backfill may be under way: the progress row tells */
    atomic_uint_least64_t ready_at; /* the sequence that completed it: older snapshots lack entries */
};

/* ---- the catalogue ---- */
struct store_index {
    const struct store_table *table;
    struct store_index_decl decl; /* texts in the catalogue's arena */
    uint16_t id;                  /* a part */
    struct part_fill fill;
};

/* One version of a table's declaration; immutable. */
struct definition {
    struct store_table_decl decl;
    struct store_key key; /* the table's, from decl */
    struct store_index *index[STORE_INDEXES_MAX];
    struct table_state {
        bool filling;
        struct store_recovery recovery;
        uint64_t followed_since;
        int64_t ttl_since_ms; /* of the tick that made the ttl attribute what it is; 0: there is none, or it was there before this was noted */
    } state; /* what store_table_define leaves alone */
    uint16_t next_part;
    uint16_t count_part; /* of the primary key's ordered count; 0: not counted */
    uint64_t since;      /* the commit that brought it, stamped before it is `committed`; 0: it was there when the store was opened */
};

struct store_table {
    struct store *store;
    uint32_t id;
    struct text name;
    _Atomic(const struct definition *) newest;    /* staged ones included: what the state thread works by */
    _Atomic(const struct definition *) committed; /* NULL until applied */
    atomic_int_least64_t count;                   /* committed items */
    atomic_int_least64_t expired;                 /* items deleted by expiry since the start */
    int64_t sealed;                               /* state thread: items when all sealed stages are applied */
    struct part_fill primary_fill, ttl_fill;
    atomic_bool dropped; /* staged or committed */
    atomic_bool gone;    /* committed: for readers of snapshots, whom a drop that may yet be undone does not concern */
};

/* Committed tables in name order; replaced as a whole. */
struct catalogue_list {
    struct catalogue_list *older; /* kept until the store closes: readers hold no lock */
    size_t count;
    struct store_table *table[];
};

struct store {
    struct rocks *rocks;
    bool sync_flush;
    struct arena arena;          /* definitions; state thread and start-up */
    struct store_table **tables; /* all handles, staged ones too; state thread */
    size_t table_count, table_cap;
    uint32_t next_table;
    _Atomic(struct catalogue_list *) published;
    bool debris; /* state thread: there may be debris rows */
    atomic_uint_least64_t applied;
    uint64_t opened_at; /* applied when opened: surely on disk */
    _Atomic(struct store_snapshot *) snapshot;
    _Atomic(struct store_snapshot *) hazard[STORE_READERS_ALL];
    struct store_snapshot *retired; /* committer */
};

struct store_snapshot {
    const struct rocks_snapshot *rocks;
    uint64_t sequence;
    struct store_snapshot *next; /* retired */
};

/* ---- the overlay of a stage ---- */
#define NODE_LEVELS 14
enum node_state { NODE_ABSENT /* rolled back: as if not there */, NODE_PUT, NODE_DELETE };
struct node {
    uint64_t front[2]; /* the key's first 16 bytes as numbers in key order, zeros behind a shorter one */
    struct text key, value;
    uint64_t hash;
    uint32_t record_at; /* offset of the value in the sealed record */
    uint8_t state, levels;
    struct node *next[];
};

struct undo {
    struct node *node; /* NULL: a count */
    struct text value;
    uint8_t state;
    size_t delta_at;
    int64_t delta;
};

struct change {
    const struct store_table *table;
    char event;
    bool by_service;
    struct text keys, before, after;
    struct node *node;
};

struct delta {
    struct store_table *table;
    int64_t change, total; /* total: set when sealed */
};

enum staged_kind { STAGED_CREATE, STAGED_CHANGE, STAGED_DROP };
struct staged_definition {
    struct store_table *table;
    const struct definition *definition, *before;
    enum staged_kind kind;
};

struct ended_fill {
    struct text key; /* of the progress row */
    struct part_fill *fill;
};

struct store_stage {
    struct store *store;
    struct arena arena;
    struct node *head;
    struct node **slot; /* by hash of the key */
    size_t slots, nodes;
    int levels;
    uint64_t random, version; /* version: grows whenever a key becomes visible */
    uint64_t writes;          /* grows with whatever changes what a read of this stage answers; never begins again */
    size_t rows, durable;     /* nodes that are not absent; those to be journaled */
    struct undo *undo;
    size_t undo_count, undo_cap;
    struct change *change;
    size_t change_count, change_cap;
    struct delta *delta;
    size_t delta_count, delta_cap;
    struct staged_definition *defined;
    size_t defined_count, defined_cap;
    struct store_stage *flight;
    struct buf key[4]; /* scratch for keys: 0 primary, 1 and 2 indexes and expiry, 3 counts and progress */
    struct buf encoded;
    struct rocks_batch *batch;
    struct ended_fill *ended; /* backfills that end with this stage, unless rolled back */
    size_t ended_count, ended_cap;
    bool sealed;
};

int overlay_init(struct store_stage *stage);
void overlay_fini(struct store_stage *stage);
void overlay_reset(struct store_stage *stage);
struct node *overlay_find(const struct store_stage *stage, struct text key); /* absent ones too */
struct node *overlay_find_hashed(const struct store_stage *stage, struct text key, uint64_t hash);
/* Both copy key and value into the stage's arena; the value of overlay_put_own already lives there. */
int overlay_put(struct store_stage *stage, struct text key, struct text value);
int overlay_put_own(struct store_stage *stage, struct text key, struct text value, struct node **node);
int overlay_delete(struct store_stage *stage, struct text key);
int overlay_count(struct store_stage *stage, struct store_table *table, int64_t change);
int64_t overlay_count_get(const struct store_stage *stage, const struct store_table *table);
void overlay_undo(struct store_stage *stage, size_t to);
/* First node with key >= (or > when strict); last node with key <= (or < when strict). Absent ones too. */
struct node *overlay_seek(const struct store_stage *stage, struct text key, bool strict);
struct node *overlay_seek_back(const struct store_stage *stage, struct text key, bool strict);
/* Makes room for one more in a growing array. */
int array_reserve(void **array, size_t *cap, size_t count, size_t size);

/* ---- stages over RocksDB ---- */
struct merge {
    struct store_view *view;
    struct store_stage *stage[2];
    struct node *node[2];
    struct rocks_iter *iter;
    struct text lower, upper, key, value; /* bounds are borrowed; key and value until the next step */
    struct buf last;                      /* where the iterator stood before its step, when cold rows are noted */
    uint64_t version;
    unsigned taken;
    bool backward, iter_valid;
    int broken;
};
#define MERGE_ITER 4u
int merge_open(
    struct merge *merge, struct store_view *view, struct text lower, struct text upper, bool sweep);
void merge_close(struct merge *merge);
/* First key >= target (last key <= target when backward) within the bounds: 0, ERR_NOT_FOUND, ERR_COLD,
 * ERR_CORRUPT, ERR_IO. */
int merge_seek(struct merge *merge, struct text target, bool backward);
int merge_first(struct merge *merge, bool backward);
int merge_step(struct merge *merge);
/* Adds a cold row to the view's list, if it has one. */
void cold_note(struct store_view *view, struct text key, enum store_cold_kind kind);
/* One row: the value borrows the stage or the pin. */
int view_get(struct store_view *view, struct text key, struct rocks_value *value);

/* ---- definitions, keys ---- */
const struct definition *table_definition(const struct store_view *view, const struct store_table *table);
int catalogue_load(struct store *store, uint32_t id, struct text value);
int catalogue_commit(struct store_stage *stage, uint64_t sequence);         /* committer */
void catalogue_pending(struct store *store, struct text key, bool pending); /* notes a progress row */
void snapshot_fini(struct store *store);
void catalogue_count(struct store *store, struct text key, struct text value); /* notes a number row */
struct store_table *catalogue_table(struct store *store, uint32_t id);
/* Shared by catalogue.c and define.c. */
const struct definition *catalogue_newest(const struct store_table *table);
struct store_table *catalogue_find(
    const struct store *store, struct text name); /* staged ones too, dropped ones not */
struct store_table *catalogue_handle(
    struct store *store, uint32_t id, struct text name); /* a new one; NULL at a limit */
void catalogue_forget(struct store *store, const struct store_table *table);
void catalogue_pending_set(
    struct store_table *table, const struct definition *def, uint16_t part, bool pending);
int catalogue_encode(struct buf *out, const struct definition *def);
void definition_key_set(struct definition *def); /* from its declaration */
static inline bool definition_keeps_changes(const struct definition *def)
{
    return def->decl.changes || def->state.recovery.days || def->state.followed_since;
}
/* The stored form of an index's key. Decoding copies names into the arena; a fault is noted in the cursor. */
void index_key_encode(struct buf *out, const struct store_key *key);
void index_key_decode(struct arena *arena, struct cursor *c, struct store_key *key);
int catalogue_unload(struct store *store, uint32_t id);
/* At the seal: definitions with another ttl attribute than before learn since when. */
int catalogue_stamp(struct store_stage *stage, int64_t time_ms);
void catalogue_rollback(struct store_stage *stage, size_t to);
void catalogue_applied(
    struct store_stage *stage); /* state thread: forgets what the applied stage has dropped */
void catalogue_fini(struct store *store);

static inline int table_key(
    struct buf *out, const struct definition *def, enum key_kind kind, const struct store_table *table)
{
    return key_add_kind(out, def->decl.volatile_rows, kind, table->id);
}
/* Length of the start that table_key writes. */
static inline size_t table_key_len(const struct definition *def)
{
    return 5 + (def->decl.volatile_rows ? 1u : 0u);
}
static inline int part_key(struct buf *out, const struct definition *def, enum key_kind kind,
    const struct store_table *table, uint16_t part)
{
    table_key(out, def, kind, table);
    return buf_add_be16(out, part);
}
static inline const struct store_key *entry_schema(
    const struct definition *def, const struct store_index *index)
{
    return index ? &index->decl.key : &def->key;
}
/* Skips the first `parts` components of a key. ERR_CORRUPT. */
static inline int key_skip_parts(struct cursor *c, const struct store_key *key, size_t parts)
{
    int rc = 0;
    for (size_t i = 0; i < parts && !rc; i++)
        rc = key_skip(c, key->part[i].type);
    return rc;
}
/* Appends pk = hash [range]. */
int primary_add(struct buf *out, const struct definition *def, const struct attr *item, struct err *err);
/* The due time of an item in seconds, or INT64_MIN when it has none. */
int64_t due_of(const struct definition *def, const struct attr *item);
static inline bool due_is_past(int64_t due, int64_t now_s)
{
    return due != INT64_MIN && due <= now_s && due > now_s - EXPIRY_AGE_MAX_S;
}

/* ---- parts of a put ---- */
struct entry_change {
    struct store_view *view;
    const struct store_table *table;
    const struct definition *def;
    struct text pk;                    /* hash [range] encoded */
    const struct attr *before, *after; /* NULL: absent */
    int64_t due_before, due_after;
    struct arena *arena;
    const struct store_seen *seen;     /* the old item, if it has been read; may be NULL */
};
/* Whether a part that may be under backfill has already passed this pk and must be kept up. */
int part_active(struct store_view *view, const struct store_table *table, const struct definition *def,
    const struct part_fill *fill, uint16_t part, struct text pk, bool *active);
/* Whether the table cannot be read in this view any more. */
static inline bool table_is_gone(const struct store_view *view, const struct store_table *table)
{
    return atomic_load(view->snapshot ? &table->gone : &table->dropped);
}
/* Whether the part can be read in this view. */
bool part_ready(const struct store_view *view, const struct part_fill *fill);
int index_check(const struct definition *def, const struct attr *item, struct err *err);
int index_update(const struct entry_change *change, const struct store_index *index);
/* Appends the index components of an item; `found` false when it lacks one. */
int index_components(struct buf *out, const struct store_key *key, const struct attr *item, bool *found,
    struct err *err);
int index_apply(
    const struct entry_change *change, const struct store_index *index); /* without asking part_active */
/* Writes the due time of `after` into its entry, whatever it was. */
int index_mark(const struct entry_change *change, const struct store_index *index);
int expiry_update(const struct entry_change *change);
int expiry_apply(const struct entry_change *change);
/* What queries and counts share: everything before the entries' own part of the key. `hash` NULL, or its first
 * NULL: of all entries. */
int entry_prefix(struct buf *out, const struct store_table *table, const struct definition *def,
    const struct store_index *index, const struct attr *const *hash, struct err *err);
int entry_key(struct buf *out, const struct store_table *table, const struct definition *def,
    const struct store_index *index, const struct attr *item, struct err *err);

/* ---- ordered counts ---- */
/* `entry` is the row key of an entry that has just been staged or deleted; the hash component is its first
 * one. */
int count_adjust(struct store_view *view, const struct store_table *table, const struct definition *def,
    const struct store_index *index, struct text entry, int change);
/* The row key of the entry at a rank; `entry_start` is its start up to the hash component. ERR_NOT_FOUND
 * beyond the end. */
int count_entry_at(struct store_view *view, const struct store_table *table, const struct definition *def,
    const struct store_index *index, struct text entry_start, uint64_t rank, bool backward,
    struct arena *arena, struct text *entry);
int count_verify(struct store_view *view, const struct store_table *table, const struct definition *def,
    const struct store_index *index, struct text entry_start, struct store_report *report, uint64_t *total);
void report_damage(struct store_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- records ---- */
int record_write(struct store_stage *stage, int64_t time_ms, struct buf *record);
/* Calls `op` (value.data NULL: deletion) for each physical operation. */
int record_ops(
    struct text record, int (*op)(void *context, struct text key, struct text value), void *context);

#endif
