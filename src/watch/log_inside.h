/* What the files log_*.c share beside log.h. */
#ifndef WEIR_WATCH_LOG_INSIDE_H
#define WEIR_WATCH_LOG_INSIDE_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/map.h"
#include "store/key.h"
#include "watch/log.h"

#define LOG_DONE 1 /* a scan that has seen enough */

/* ---- log_block.c: events as bytes ---- */

#define LOG_BLOCK_TARGET ((size_t)64 << 10)                     /* bytes of text of a full chunk; the event that reaches it is its last */
#define LOG_BLOCK_MAX (LOG_BLOCK_TARGET + WATCH_LOG_MESSAGE_MAX + 64)  /* bytes of text */
#define LOG_BLOCK_HEADER 46

struct log_block { /* a block's header, and where its text lies */
    uint8_t codec;
    bool packed;
    uint32_t count, raw; /* events; bytes of text */
    int64_t min_ms, max_ms, base_ms;
    uint64_t base_sequence;
    struct text payload; /* borrows */
};
/* Appends an event to a plain block; an empty buffer becomes one. Its limit is LOG_BLOCK_HEADER + LOG_BLOCK_MAX. ERR_TOO_LARGE, ERR_MEMORY. */
int log_block_add(struct buf *block, const struct watch_log_event *event);
/* Bytes of text in a plain block under construction. */
size_t log_block_size(const struct buf *block);
/* How far apart its events are; how many they are. The block is not empty. */
int64_t log_block_span(const struct buf *block, int64_t *min_ms, int64_t *max_ms);
uint32_t log_block_count(const struct buf *block);
/* Ends a block: its sum. Plain as it is; packed into `out` with compression. `out` has room for LOG_PACKED_MAX. ERR_MEMORY. */
struct log_packer {
    void *zstd; /* made on first use */
};
#define LOG_PACKED_MAX (LOG_BLOCK_HEADER + LOG_BLOCK_MAX + (LOG_BLOCK_MAX >> 7) + 1024) /* bytes of a packed block whose text nothing makes smaller */
void log_block_seal(struct buf *block);
int log_block_pack(struct log_packer *packer, const struct buf *block, struct buf *out);
void log_packer_fini(struct log_packer *packer);
/* Bytes from the disk. ERR_CORRUPT, ERR_VERSION. */
int log_block_open(struct text bytes, struct log_block *block);
struct log_reader {
    struct log_block block;
    struct cursor c;
    uint32_t left;
};
/* Holds the text of a packed block and lives as long as the events' messages: until it takes the next block. */
struct log_space {
    struct buf text;
    void *zstd; /* made on first use */
};
void log_space_init(struct log_space *space);
void log_space_fini(struct log_space *space);
/* ERR_MEMORY, ERR_CORRUPT. */
int log_reader_begin(struct log_reader *reader, const struct log_block *block, struct log_space *space);
/* 0, ERR_NOT_FOUND at the end, ERR_CORRUPT. Messages borrow. */
int log_reader_next(struct log_reader *reader, struct watch_log_event *event);

/* ---- log_row.c: keys and rows ---- */

#define LOG_CLASSES 7
#define LOG_KEY_MAX 64 /* bytes of a key without a name */
struct log_key {
    char bytes[LOG_KEY_MAX];
    size_t len;
};
static inline struct text log_key_text(const struct log_key *key)
{
    return text_make(key->bytes, key->len);
}
void log_key_begin(struct log_key *key, char kind, uint64_t group);
void log_key_add64(struct log_key *key, uint64_t value);
void log_key_add16(struct log_key *key, uint32_t value);
void log_key_add8(struct log_key *key, uint8_t value);
/* The smallest class whose chunks may span that much; the span of a class (a chunk's is smaller). */
uint8_t log_class_of(int64_t span_ms);
int64_t log_class_span(uint8_t class);

struct log_ref { /* where a chunk lies */
    uint64_t stream, chunk;
    int64_t min_ms, max_ms;
    uint32_t events, raw, stored;
    uint8_t class;
};
struct log_key log_index_key(uint64_t group, bool by_stream, const struct log_ref *ref);
struct log_key log_chunk_key(uint64_t group, uint64_t stream, uint64_t chunk);
struct log_key log_tail_key(uint64_t group, uint64_t stream, uint64_t sequence, uint32_t bucket);
/* An index row, whichever order: ERR_CORRUPT. */
int log_ref_parse(struct text key, struct text value, struct log_ref *ref);
int log_chunk_put(struct tick *tick, uint64_t group, const struct log_ref *ref, struct text block);
int log_chunk_delete(struct tick *tick, uint64_t group, const struct log_ref *ref);
int log_bytes_add(struct tick *tick, struct arena *arena, uint64_t group, int64_t bytes);
int log_stream_put(struct tick *tick, uint64_t group, const struct watch_log_stream *stream);
/* The same at the seal, where nothing is undone any more: what is remembered is left alone. */
int log_stream_write(struct tick *tick, uint64_t group, const struct watch_log_stream *stream);
/* The name of a stream by its id: ERR_NOT_FOUND when it was deleted. */
int log_stream_name(struct store_view *view, struct arena *arena, uint64_t group, uint64_t stream, struct text *name);

/* ---- log_walk.c: chunks in the order of time ---- */

#define LOG_WALK_STREAMS 8 /* more are walked by the group's order, and those that are not asked for passed over */
struct log_walk;
/* Chunks that overlap [from, to), lives in the arena. Forward: in the order of min_ms. Backward: by the latest moment that they might reach, downwards. */
int log_walk_begin(struct store_view *view, struct arena *arena, uint64_t group, const uint64_t *stream, size_t streams, int64_t from_ms, int64_t to_ms, bool backward,
    struct log_walk **out);
/* 0 or ERR_NOT_FOUND at the end. */
int log_walk_next(struct log_walk *walk, struct log_ref *ref);
/* What is not walked yet has no event before (backward: behind) this moment. False: nothing is left. */
int log_walk_bound(struct log_walk *walk, bool *more, int64_t *bound_ms);

/* ---- log_cache.c: what the state thread remembers of rows ---- */

#define LOG_CACHED_MAX 1024                             /* streams; then all are forgotten */
#define LOG_FILTERS_CACHED_MAX ((size_t)16 << 20)       /* bytes of compiled metric filters, likewise */
#define LOG_FILTERS_BYTES_MAX ((size_t)32 << 20)        /* of one group */
struct log_cached { /* a stream that is written to, as its row says */
    uint64_t group;              /* its group's id */
    uint32_t filters;            /* the group's metric filters */
    uint32_t subscriptions;      /* and subscription filters */
    struct watch_log_stream stream;
    bool packed;                 /* a call has packed it since: ids and names still hold, the seal reads the stream's row again */
    struct text key;             /* group's name, NUL, stream's name */
    char bytes[];
};
struct log_house { /* of one tick; state thread */
    struct map cached;           /* struct log_cached by key */
    uint64_t changed;            /* sequence of the tick in which a call last wrote a row of a group or stream; 0: none has */
    struct map filters;          /* struct log_filters by group id */
    size_t filters_bytes;
    uint64_t delivered;          /* sequence of the tick whose deliveries are counted by */
    uint32_t deliveries;         /* this */
    uint64_t waiting;            /* bytes of deliveries of this run that wait, about: WATCH_LOG_DELIVERIES_MAX */
    struct map open, touched;    /* the seal's own, empty between two */
    struct arena arena;          /* likewise */
    struct buf tail, packed;     /* likewise */
    struct log_packer packer;
    struct log_space space;      /* packing's */
};
/* Made on first use; NULL without memory, or without a house (seal.h). */
struct log_house *log_house_of(struct tick *tick);
/* NULL: read the rows. */
struct log_cached *log_cache_find(struct log_house *house, struct text group, struct text stream);
/* Remembers what the rows say. Without memory it forgets. */
void log_cache_keep(struct log_house *house, const struct watch_log_group *group, const struct watch_log_stream *stream);
/* A call of this tick has read rows that no call of this tick has written: they may be remembered. */
bool log_cache_settled(const struct log_house *house, const struct tick *tick);
/* A call writes a row of a group or stream: nothing is remembered until the tick's end, since the call may be undone. */
void log_cache_changed(struct tick *tick);
/* A call has packed a stream and written its row: what is remembered of others, and who it is, goes on to hold. */
void log_cache_packed(struct tick *tick, struct text group, struct text stream);
/* The metric filters of a group were changed, or the group is gone. */
void log_filters_changed(struct tick *tick, uint64_t group);

/* ---- log_metric.c: what metric filters make of new events ---- */
struct log_filters;
/* At the seal. A put's events. */
int log_metrics_put(struct tick *tick, struct log_house *house, const struct watch_log_group *group, const struct watch_log_event *event, size_t count);
void log_filters_free(struct log_filters *filters);
/* ERR_MEMORY, or a store's error: what is compiled of a group, its subscription filters among it. */
int log_filters_of(struct tick *tick, struct log_house *house, const struct watch_log_group *group, struct log_filters **out);
const struct log_subscription *log_filters_subscriptions(const struct log_filters *filters);
void log_filters_forget(struct log_house *house); /* those of all groups */

/* ---- log_subscribe.c: what subscription filters make of them ---- */
struct log_subscription;
/* Those of a group, in the arena. */
int log_subscriptions_read(struct tick *tick, const struct watch_log_group *group, struct arena *arena, const struct log_subscription **out);
/* At the seal. A put's events, with their places. */
int log_subscriptions_put(struct tick *tick, struct log_house *house, const struct watch_log_group *group, struct text stream, const struct watch_log_event *event, size_t count);

/* ---- log_seal.c ---- */
/* In a call: the put's events, to be written with those of the tick's other calls. */
struct log_target { /* a stream by its ids; group 0: none */
    uint64_t group, stream;
};
#define LOG_TARGETS 2 /* of a put: that of its group, that of the second one */
int log_note(struct tick *tick, const struct watch_log_put *put, const struct log_target target[LOG_TARGETS]);

/* ---- log_pack.c, log_sweep.c: deferred calls ---- */

enum log_pack_asked { LOG_PACK_NONE, LOG_PACK_LATER, LOG_PACK_NOW };
#define LOG_PACK WATCH_LOG_DEFERRED "pack"
#define LOG_EXPIRE WATCH_LOG_DEFERRED "expire"
#define LOG_PURGE WATCH_LOG_DEFERRED "purge"
/* What of a stream is not packed, in bytes as stream->tail_bytes counts them: the text, however small the row is. */
size_t log_tail_size(size_t raw);
int log_pack_later(struct tick *tick, const struct watch_log_group *group, struct watch_log_stream *stream, bool now);
int log_pack(struct tick *tick, struct arena *arena, struct text payload);
int log_expire_later(struct tick *tick, const struct watch_log_group *group, int64_t delay_ms);
int log_expire(struct tick *tick, struct arena *arena, struct text payload);
/* stream 0: the whole group. */
int log_purge_later(struct tick *tick, uint64_t group, uint64_t stream);
int log_purge(struct tick *tick, struct arena *arena, struct text payload);

#endif
