/*
 * The tick: one state thread that runs calls as plain synchronous C, and a committer that makes them durable.
 *
 *   sources (io threads, services) --ring--> state thread: run calls, stage writes, collect effects
 *                                            seal: one journal record + one stage
 *                                            committer: append, fsync, apply, publish the snapshot, release the effects
 *   sinks (io threads, services)   <--ring-- one block of effects per sink and tick, in order
 *
 * Nothing leaves before the record is durable. While tick n is being synced, n+1 is staged; calls pile up meanwhile, so one fsync serves all
 * of them. With nobody waiting, the state thread commits by itself and saves two hops. A tick that wrote nothing durable needs no record and no fsync, but
 * its effects still leave after those of the tick before it.
 *
 * A call is all or nothing: a negative answer of run() undoes its writes and effects. A call runs without touching the disk; when it meets a cold block (ERR_COLD)
 * it is undone, a worker reads what it lacked, and it runs again; later calls of its lane wait behind it, those of other lanes go on. run() may therefore run several
 * times and must have no effect but staged writes and emits.
 *
 * Bounds: calls admitted per source (credit_max), calls, bytes and time per tick, blocks and bytes undelivered per sink (admission stops above), deferred calls in memory.
 */
#ifndef WEIR_TICK_TICK_H
#define WEIR_TICK_TICK_H

#include "journal/journal.h"
#include "loop/loop.h"
#include "loop/worker.h"
#include "store/store.h"

struct tick;

/* Order keeper for the calls of one connection, which run in the order of their submission and are answered in it. Embed it; zero it; it belongs to the tick
   while calls are under way. Its calls come by one source. */
struct tick_lane {
    struct tick_call *parked_first, *parked_last;
    bool cold;
};

/* Base of every call; embed it first. Owned by the submitter, lent to the tick from tick_submit until on_done. */
struct tick_call {
    struct tick_call *next; /* private */
    struct tick_lane *lane; /* NULL: no order with others: a cold call is overtaken, also by calls of its own source */
    struct arena *arena;    /* its memory; rewound to its state at submission when it runs again */
    uint16_t source;        /* whose ring it came by and whose sink hears on_done */
    uint16_t runs;          /* times run so far */
    int code;               /* result: 0 or the negative answer of run() */
    uint64_t sequence;      /* of the tick that carried it; meaningful when it wrote something durable */
    struct arena_mark mark; /* private: the arena at submission */
    /* State thread. Reads and writes by tick_view() and store_*; effects by tick_emit. 0 keeps, negative undoes. */
    int (*run)(struct tick *tick, struct tick_call *call);
    /* State thread, after an undone run (not for ERR_COLD): may emit effects (an error answer), writes nothing. May be NULL. */
    void (*on_undone)(struct tick *tick, struct tick_call *call, int code);
};

struct tick_sink {
    void *context;
    struct loop *loop; /* woken when a block is waiting; the sink calls tick_drain from its inbox hook */
    void (*deliver)(void *context, void *effect);              /* on the sink's thread, in order; takes the effect */
    void (*on_done)(void *context, struct tick_call *call);    /* after the call's own effects for this sink; gives the call back */
};

/* What a call left to the end of its tick. */
struct tick_note {
    struct tick_note *next;
    uint32_t kind; /* its owner's number for it */
    uint32_t size; /* bytes of data */
    _Alignas(16) char data[];
};

struct tick_config {
    struct store *store;
    struct journal *journal;
    struct worker_pool *workers; /* read cold blocks; NULL: cold calls read the disk on the state thread. Outlives the tick */
    unsigned sources;            /* rings in; each has the sink of the same number */
    const struct tick_sink *sinks;
    size_t credit_max;           /* calls admitted and not yet done per source; default 8192 */
    size_t calls_max;            /* per tick; default 1024 */
    size_t bytes_max;            /* staged bytes per tick; default 4 MiB */
    int64_t busy_max_us;         /* a tick is sealed after so long; default 2000 */
    size_t sink_bytes_max;       /* undelivered effect bytes per sink above which admission stops; default 64 MiB */
    void (*effect_drop)(void *effect); /* an effect of an undone call; also at shutdown */
    /* A deferred call is due (state thread): runs it in a call of the tick's own; answers as run() does. Negative: retried with backoff up to the
       attempts given, then logged and dropped with on_deferred_dead. */
    int (*on_deferred)(void *context, struct tick *tick, struct tick_call *call, struct text name, struct text payload);
    void (*on_deferred_dead)(void *context, struct text name, struct text payload, int code);
    void *context;
    /* Makes rows of the tick's notes (tick_note), in the order in which they were made, when the tick is sealed: on the state thread, in a call of the tick's own that comes
       after all others and may read the disk; it emits nothing. Negative: the calls of the tick run again with their writes refused for that reason. May be NULL: then
       nobody makes notes. */
    int (*on_seal)(void *context, struct tick *tick, const struct tick_note *first);
    /* The journal refuses what on_seal has staged, or on_seal has failed: what it remembers of rows is wrong. */
    void (*on_unseal)(void *context);
    void *seal_context;
    bool expiry;                 /* sweep expired items */
    /* The journal keeps records younger than retention_ms, but at most about retention_bytes of them (it forgets whole segments), and always what the
       tables have not flushed and what tick_keep_from asks for. 0: the defaults, 24 h and 1 GiB. */
    int64_t retention_ms;
    uint64_t retention_bytes;
    /* The journal failed: called on the failing thread, must not return (the process ends with EXIT_JOURNAL). */
    void (*on_fatal)(void *context, const char *text);
    /* A record became durable and its effects are released: on the committing thread; must not block. For followers of the feed. May be NULL. */
    void (*on_durable)(void *context);
};

/* Replays the journal's tail into the store (progress to the log), then may start. */
int tick_recover(struct store *store, struct journal *journal, uint64_t *records, struct err *err);
int tick_create(struct tick **out, const struct tick_config *config, struct err *err);
int tick_start(struct tick *tick, struct err *err);
/* Finishes what was admitted, then ends the threads. Sinks must keep draining (or be drained by the caller) meanwhile. */
void tick_stop(struct tick *tick);
void tick_destroy(struct tick *tick);
/* Runs a call on the calling thread before tick_start (definitions of tables at start-up), committed durably when it returns. */
int tick_run_now(struct tick *tick, struct tick_call *call, struct err *err);

/* ---- sources: the thread that owns source `call->source` ---- */
/* 0, ERR_FULL (no credit: stop reading that socket until on_done), ERR_CLOSED. */
int tick_submit(struct tick *tick, struct tick_call *call);
/* Wakes the state thread if calls were submitted: once per batch, from the source's end of turn. */
void tick_kick(struct tick *tick, unsigned source);
/* Credit left for a source. */
size_t tick_credit(const struct tick *tick, unsigned source);
/* ---- sinks ---- */
/* Delivers what waits for the sink; answers how many effects and calls. From the sink's inbox hook. */
int tick_drain(struct tick *tick, unsigned sink);

/* ---- inside run() ---- */
struct store_view *tick_view(struct tick *tick);   /* the state thread's view: reads see all earlier calls */
struct store_stage *tick_stage(struct tick *tick);
int64_t tick_now_ms(const struct tick *tick);       /* wall clock of the tick: equal for all its calls, never behind an earlier tick */
uint64_t tick_sequence(const struct tick *tick);    /* with which this tick commits if it writes something durable */
uint32_t tick_call_number(const struct tick *tick); /* of the running call within its tick, from 0: (sequence, number) is unique */
#define TICK_ID_TEXT 26
/* A unique id that sorts by time: 26 characters of Crockford base32 (48 bits of ms, 24 of the journal's epoch, 58 of a counter): no two are equal, also when the
   clock stands still or the program starts again. Ids are not secrets: the next one can be guessed. Terminated. */
void tick_id(struct tick *tick, char out[TICK_ID_TEXT + 1]);
/* Whether an id was made by this run of the program, not by an earlier one: what a start finds in the tables and shall take up again is not its own. Any thread. */
bool tick_id_is_own(const struct tick *tick, struct text id);
#define TICK_ALL_SINKS UINT32_MAX
#define TICK_EFFECTS_MAX ((size_t)1 << 20) /* entries of one sink in one tick; beyond: ERR_MEMORY */
/* Emits an effect to one sink, or the same pointer to all of them (then deliver is called once on each: count references). `bytes` counts towards the sink's
   bound; one sink takes at most TICK_EFFECTS_MAX in one tick. 0 or ERR_MEMORY (then answer it from run()). Ownership passes at release; an undone call's effects go to effect_drop (once per emit per sink). */
int tick_emit(struct tick *tick, unsigned sink, void *effect, size_t bytes);
/* Memory that belongs to the end of the tick: kept when the call is kept, forgotten when it is undone, handed to on_seal with the notes of the tick's other calls. Not zeroed,
   16-byte aligned. It counts as a durable write (refused like one while the disk is full) unless the kind has TICK_NOTE_LOOSE: such a note is dropped and counted then.
   on_undone may make loose ones. NULL: no memory (then answer ERR_MEMORY from run()). */
#define TICK_NOTE_LOOSE 0x80000000u
void *tick_note(struct tick *tick, unsigned kind, size_t size);
void *tick_seal_context(const struct tick *tick); /* tick_config.seal_context */
/* A durable deferred call: a row, run after `delay_ms`, tried up to `attempts` times (0 counts as 1) with doubled delays from `backoff_ms`, survives a crash. The
   row's deletion commits with the call's writes: its effect on the tables happens once. `id` (may be NULL) receives its id for tick_later_cancel.
   ERR_TOO_LARGE, ERR_MEMORY. */
#define TICK_LATER_NAME_MAX 512             /* bytes */
#define TICK_LATER_PAYLOAD_MAX (512 * 1024) /* bytes */
int tick_later(struct tick *tick, int64_t delay_ms, struct text name, struct text payload, unsigned attempts, int64_t backoff_ms, char id[TICK_ID_TEXT + 1]);
/* ERR_NOT_FOUND: it has run, or never was; ERR_SYNTAX: not an id of tick_later; ERR_COLD. */
int tick_later_cancel(struct tick *tick, struct text id);

/* ---- anywhere ---- */
/* Why writes are refused now (ERR_DISK_FULL), or 0. */
int tick_writable(const struct tick *tick);
uint64_t tick_durable(const struct tick *tick);
void tick_wake(struct tick *tick); /* after clock_advance */
/* The journal keeps every record from this sequence on, whatever the retention (a consumer's position). UINT64_MAX: nothing is asked for. Each keeper has a place
   of its own; the lowest counts. To add one, add a name. Any thread, one at a time per keeper. What is asked for holds once the state thread has run a call
   that was submitted later. */
enum tick_keeper { TICK_KEEP_CONSUMERS, TICK_KEEP_JOBS, TICK_KEEP_STREAMS, TICK_KEEP_BACKUP, TICK_KEEP_DESTINATIONS, TICK_KEEPERS };
void tick_keep_from(struct tick *tick, enum tick_keeper keeper, uint64_t sequence);
/* The retention grows to at least so long and so much (of the whole journal) while it is asked for; 0, 0: the configured one alone. For recovery to a point in
   time. Any thread. */
void tick_retain(struct tick *tick, int64_t ms, uint64_t bytes);
/* Everything that was committed after this time is in the journal still. Any time of the past: nothing was ever forgotten (INT64_MIN). Any thread. */
int64_t tick_journal_since_ms(const struct tick *tick);
/* In a view of the tables: a sequence below which every record is older than that time (by at most a mark's distance the last such one; 0 when none is known).
   ERR_COLD, ERR_CORRUPT, ERR_MEMORY. */
int tick_find_time(struct store_view *view, struct arena *arena, int64_t time_ms, uint64_t *sequence);
struct tick_stats {
    uint64_t ticks, calls, inline_commits, durable_sequence, applied_sequence;
    int64_t sync_p50_us, sync_p99_us, tick_p50_us, tick_p99_us;
    size_t waiting;
};
void tick_stats_read(const struct tick *tick, struct tick_stats *stats);
/* How many ticks and fsyncs took how long since the start: eight buckets to a power of two of microseconds. Any thread. */
#define TICK_TIMES 320
struct tick_times {
    uint64_t count[TICK_TIMES];
};
int64_t tick_times_us(unsigned bucket); /* the middle of one */
void tick_times_read(const struct tick *tick, struct tick_times *ticks, struct tick_times *syncs);

/* ---- the journal record of a tick, for readers of the journal ---- */
struct tick_record {
    int64_t time_ms;
    uint32_t calls;
    struct text store; /* for store_replay and store_change_begin; borrows */
};
#define TICK_RECORD_HEADER 13 /* bytes: version, time (8), calls (4) */
int tick_record_parse(struct text bytes, struct tick_record *record); /* 0, ERR_VERSION, ERR_CORRUPT */

#endif
