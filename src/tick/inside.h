/*
 * What the files of the tick share; nobody else includes it. Who touches what:
 *
 *   state thread         everything that is not named below
 *   whoever commits      the flight batch from commit_hand_over until `flight_done` (the committer), else the state thread; the
 *                        journal's writer side goes with it
 *   source and sink      struct edge: its atomics, the producer's side of `calls`, the consumer's side of `blocks`
 *   workers              the `warmed` list, under warm_lock
 *
 *   tick.c    life, the state thread's loop, admission      call.c    one call: save point, undo, lanes, cold blocks
 *   edge.c    submit, kick, drain, sleep and wake           batch.c   effects of a tick, their undo, ids
 *   commit.c  seal, append, sync, apply, release            later.c   deferred calls
 *   keep.c    what the journal keeps, when to flush         recover.c records, replay at start-up
 *   find.c    where a time lies in the journal                note.c    what calls leave to the end of their tick
 *   warm.c    calls that wait for a cold block, and their lanes
 */
#ifndef WEIR_TICK_INSIDE_H
#define WEIR_TICK_INSIDE_H

#include "base/clock.h"
#include "tick/tick.h"

#include "base/buf.h"
#include "loop/ring.h"
#include "store/key.h"
#include <pthread.h>
#include <stdatomic.h>

#define TICK_SOURCES_MAX 64
#define TICK_SINK_BLOCKS_MAX 1024                   /* blocks undelivered per sink; admission stops two below, so a push never fails */
#define TICK_CALL_BYTES_MAX ((size_t)12 << 20)      /* staged by one call (10 MiB of records, and what each costs); beyond: ERR_TOO_LARGE */
#define TICK_BYTES_MAX ((size_t)16 << 20)           /* the largest bytes_max */
#define TICK_EMITS_MAX 65536                        /* effects of a tick above which it is sealed */
#define TICK_RECORD_LIMIT (JOURNAL_RECORD_MAX - (1u << 10))
#define TICK_INLINE_CALLS 64                        /* a tick of more calls goes to the committer: more calls are surely on their way */
#define TICK_SLICE 64                               /* deferred calls and expired items at a time */
#define TICK_SWEEP_MS 1000                          /* between two looks for expired items and backfills under load */
#define TICK_REFUSED_MS 100                         /* how soon a refused write of the tick's own is tried again */
#define TICK_NOBODY UINT16_MAX                      /* the source of the tick's own calls: nobody hears of them */
#define TICK_RECORD_VERSION 1
#define TICK_SPACE_MARKS 6                          /* sub-space of raw rows: places in the journal (keep.c) */

struct tick_entry {
    void *pointer;
    size_t bytes;
};
#define TICK_DONE SIZE_MAX /* in `bytes`: the pointer is a finished call */

/* What one tick has for one sink. Made by the state thread, freed by the sink. */
struct tick_block {
    size_t len, cap; /* entries */
    size_t bytes;    /* of the effects */
    struct tick_entry entry[];
};

/* A source's way in and its sink's way out. */
struct edge {
    struct ring *calls;
    struct ring *blocks;
    struct tick_sink sink;
    /* source */
    _Alignas(64) atomic_size_t outstanding; /* admitted, on_done not yet called */
    _Atomic uint64_t submitted;             /* counts a call before it is pushed, so that a closing tick does not miss it */
    bool unkicked;
    /* sink */
    _Alignas(64) _Atomic uint64_t delivered_bytes, delivered_blocks;
    /* state thread */
    _Alignas(64) uint64_t popped;
    uint64_t emitted_bytes, emitted_blocks; /* with those of undone calls taken back */
};

enum batch_step { BATCH_OPEN, BATCH_APPEND, BATCH_SYNC, BATCH_APPLY, BATCH_PUBLISH, BATCH_RELEASE };

/* One tick under way. There are two: the current one and the one in flight. */
struct batch {
    struct store_stage *stage;
    bool begun;
    enum batch_step step;
    bool durable, changed; /* known when sealed */
    int refuse;            /* why durable writes are refused in it, or 0 */
    int64_t time_ms;
    int64_t began_ns;
    uint64_t sequence;
    uint32_t runs;         /* calls run, from which numbers are given */
    uint32_t calls;        /* calls kept */
    struct tick_call *first, *last; /* from sources, in the order they ran */
    struct tick_block *block[TICK_SOURCES_MAX];
    uint32_t *emits;       /* sinks of the effects in order: the undo log */
    size_t emits_len, emits_cap;
    struct buf record;
};

#define HISTOGRAM_BUCKETS 320
struct histogram {
    _Atomic uint32_t bucket[HISTOGRAM_BUCKETS];
    _Atomic uint32_t total;
    _Atomic uint64_t ever[HISTOGRAM_BUCKETS]; /* since the start, never halved */
};

/* A place in the journal: when, and how many bytes were appended before it. */
struct keep_mark {
    uint64_t sequence;
    int64_t time_ms;
    uint64_t bytes;
};
#define KEEP_MARKS_MAX 32768 /* by bytes half of them at most, by time 5040 in 35 days */
#define KEEP_MARK_BYTES (UINT64_C(1) << 20)
#define KEEP_MARK_MS (10 * MINUTE_MS)
#define KEEP_FLUSH_BYTES (UINT64_C(48) << 20) /* journal bytes that are not in the tables' files: a flush is started, a restart replays a little more than these */
#define KEEP_RETENTION_MS (24 * HOUR_MS)
#define KEEP_RETENTION_BYTES (UINT64_C(1) << 30)
struct keep {
    struct keep_mark *mark; /* oldest first */
    size_t marks;
    size_t forgotten;        /* marks at the front whose rows are to be deleted */
    size_t deleting;         /* of them, those whose deletion is staged */
    uint64_t bytes;          /* appended in the journal's life, as far as the marks know */
    uint64_t flush_asked;    /* `bytes` when a flush was last started; 0: none is under way */
    uint64_t flushed;
    _Atomic uint64_t from[TICK_KEEPERS]; /* tick_keep_from */
    _Atomic int64_t wanted_ms;           /* tick_retain */
    _Atomic uint64_t wanted_bytes;
    _Atomic int64_t since_ms;            /* tick_journal_since_ms */
    bool cut;                            /* the bound of bytes forgets what tick_retain asked for in time; it was said */
};

/* Of the current tick; none is in flight. */
#define TICK_NOTES_FIRST ((size_t)64 << 10)
#define TICK_NOTES_LIMIT ((size_t)32 << 20)
struct notes {
    struct arena arena;
    struct tick_note *first, *last;
    uint32_t promised; /* of them, those that are not loose */
    size_t bytes;
};
struct notes_save {
    struct arena_mark mark;
    struct tick_note *last;
    uint32_t promised;
    size_t bytes;
};

struct warm; /* warm.c */

struct tick {
    struct tick_config config;
    struct edge *edge; /* config.sources of them */
    struct batch batches[2];
    struct batch *current, *flight;
    struct store_view view;
    struct arena arena;   /* of the tick's own calls */
    uint64_t next_sequence;
    int64_t last_time_ms; /* ticks never go back, also not over a restart */
    uint64_t epoch, ids;
    unsigned turn;        /* the source that begins the next pass */
    bool started;
    bool running;         /* inside run(): staging and emitting are allowed */
    bool sealing;         /* inside on_seal */
    struct notes notes;

    int64_t later_next_ms; /* when to look for deferred calls again; INT64_MAX: there are none */
    int64_t later_from_ms; /* none is due earlier: scans begin here, behind the deleted rows */
    int64_t sweep_mono_ms; /* when to look for expired items again */
    bool idle_known;       /* nothing was written since sweep_mono_ms was set */
    bool house_due;        /* a sweep has been, the journal's housekeeping not yet */
    struct keep keep;

    struct warm *warm_spare;      /* into whose list the next run notes what is cold; NULL: no workers, or too many calls wait */
    struct warm *warm_idle;
    unsigned warms, warming;      /* made; with a worker */
    struct tick_call *ready_first, *ready_last; /* to run again, or for the first time behind such a one */
    pthread_mutex_t warm_lock;
    struct warm *warmed_first, *warmed_last; /* under warm_lock */

    pthread_t state, committer;
    pthread_mutex_t hand_lock;
    pthread_cond_t handed;
    struct batch *hand; /* under hand_lock */
    bool hand_quit;
    atomic_bool flight_done;

    int wake_fd;
    _Alignas(64) atomic_bool woken;
    atomic_bool sleeping;
    atomic_bool closing;
    atomic_bool held;    /* admission stopped because a sink is behind */
    atomic_int stalled;  /* the commit waits for disk space */
    _Atomic uint64_t durable, ticks, calls, inline_commits;
    struct histogram sync_us, tick_us;
};

/* ---- batch.c ---- */
int batch_init(struct batch *batch, struct store *store);
void batch_fini(struct tick *tick, struct batch *batch);
/* Fixes the tick's time, sequence and whether writes are refused, before its first call. */
void batch_begin(struct tick *tick);
/* Room for one more entry of a sink, so that a finished call can always be reported. */
int batch_reserve(struct tick *tick, unsigned sink);
void batch_add_done(struct tick *tick, struct tick_call *call);
/* Takes back the effects after `emits`. */
void batch_undo(struct tick *tick, size_t emits);
/* Drops all effects and forgets all calls. */
void batch_drop(struct tick *tick, struct batch *batch);
/* After release: empty again. */
void batch_reset(struct batch *batch);
bool batch_empty(const struct batch *batch);
void tick_id_at(struct tick *tick, int64_t time_ms, char out[TICK_ID_TEXT + 1]);
int tick_id_time(struct text id, int64_t *time_ms);

/* ---- call.c ---- */
/* Runs a call from a source, or parks it behind its lane. */
void call_take(struct tick *tick, struct tick_call *call);
/* Runs it whatever its lane: it is the lane's first. */
void call_try(struct tick *tick, struct tick_call *call);
/* Runs a call of the tick's own: no lane, may read from disk. Answers its code. */
int call_own(struct tick *tick, struct tick_call *call);
void call_count(struct tick *tick);
/* Runs the calls of a batch again with its durable writes refused. */
void call_refuse_all(struct tick *tick, int code);

/* ---- note.c ---- */
void notes_init(struct notes *notes);
void notes_fini(struct notes *notes);
struct notes_save notes_save(const struct notes *notes);
void notes_undo(struct notes *notes, const struct notes_save *save);
void notes_clear(struct notes *notes);
/* Runs on_seal over what is noted. Its answer. */
int notes_seal(struct tick *tick);
void notes_unseal(struct tick *tick);

/* ---- edge.c ---- */
int edge_init(struct edge *edge, const struct tick_config *config, unsigned number);
void edge_fini(struct tick *tick, struct edge *edge);
bool edge_held(struct tick *tick);
void edge_sleep(struct tick *tick, int64_t timeout_ms);

/* ---- warm.c ---- */
int warm_init(struct tick *tick);
void warm_fini(struct tick *tick);
/* After a run that answered ERR_COLD: gives the call to a worker and makes its lane cold. False: it must run here. */
bool warm_begin(struct tick *tick, struct tick_call *call);
/* Calls that workers are done with become ready. */
void warm_collect(struct tick *tick);
/* Takes the first ready call; there is one. */
struct tick_call *warm_ready_take(struct tick *tick);
void lane_park(struct tick_lane *lane, struct tick_call *call);
/* The first call of a cold lane has ended: the next one becomes ready, or the lane is warm again. */
void lane_continue(struct tick *tick, struct tick_lane *lane);

/* ---- commit.c ---- */
/* Seals and commits the current batch: on this thread, or by the committer. No batch is in flight. */
void commit_current(struct tick *tick, bool here);
/* Takes note of a flight that has landed. */
void commit_absorb(struct tick *tick);
void *commit_main(void *tick);
_Noreturn void commit_fatal(struct tick *tick, const char *what, const struct err *err);
void histogram_add(struct histogram *histogram, int64_t us);
int64_t histogram_at(const struct histogram *histogram, unsigned per_cent);
void histogram_ever(const struct histogram *histogram, struct tick_times *out);

/* ---- later.c ---- */
/* Runs a slice of what is due. */
void later_run(struct tick *tick);

/* ---- keep.c ---- */
int keep_load(struct tick *tick, struct err *err);
void keep_fini(struct tick *tick);
/* Before a durable seal: stages the rows of marks. True when a mark is to be noted after the append. */
bool keep_stage(struct tick *tick);
void keep_note(struct tick *tick, bool mark, uint64_t sequence, int64_t time_ms, size_t bytes);
/* Truncates and flushes; no batch may be in flight. */
void keep_house(struct tick *tick);

/* The time that ticks have: due times were made from it, so they are compared with it. It stands while the clock is behind an earlier tick. */
static inline int64_t tick_wall_ms(const struct tick *tick)
{
    int64_t now = clock_wall_ms();
    return now > tick->last_time_ms ? now : tick->last_time_ms;
}

#endif
