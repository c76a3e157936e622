/*
 * Jobs: work on whole tables that takes longer than a call. Backups, restores (from a backup, or to a point in time), exports and imports.
 *
 * A job is a row, staged by the call that asks for it and gone or marked as done by the call that ends it; between the two one thread ("the copier") works on
 * it, one job at a time in the order of their asking. It reads snapshots, the journal and files (it may block), and writes as every other source of the tick
 * does: in calls of bounded size, one at a time, so that others hardly notice. After a crash a job begins anew: each is such that doing it twice is doing it once.
 *
 * A point in time is reached by undoing (job_rewind.c): the journal holds the old image of every change of a table that keeps change records. docs/backups.md.
 *
 * Rows are read and staged by whoever has a view or a stage. struct jobs: jobs_wake, jobs_path from any thread; the rest as said.
 */
#ifndef WEIR_TICK_JOB_H
#define WEIR_TICK_JOB_H

#include "base/cipher.h"
#include "tick/tick.h"

enum job_kind { JOB_BACKUP = 1, JOB_RESTORE = 2, JOB_REWIND = 3, JOB_EXPORT = 4, JOB_IMPORT = 5, JOB_LOGS = 6 /* events of a log group to files */ };
enum job_state { JOB_WAITING = 1, JOB_DONE = 2, JOB_FAILED = 3, JOB_REMOVING = 4 /* a backup whose file is to go */ };

#define JOB_ID_TEXT 23               /* "<14 digits of ms>-<8 hex digits>": sorts by time, safe as a file's name */
#define JOB_ROW_MAX (512u << 10)     /* bytes of a row */
#define JOBS_PENDING_MAX 50          /* that are not finished; ERR_FULL above */
#define JOB_SLICE_ITEMS 256          /* written by one call */
#define JOB_SLICE_BYTES (256u << 10)
#define JOB_REWIND_BYTES ((size_t)32 << 20) /* old images gathered before they are applied */
#define JOB_TEXT_MAX 1024            /* bytes of a path */

/* Plain value; texts are borrowed from where it was read. */
struct job {
    char id[JOB_ID_TEXT + 1];
    enum job_kind kind;
    enum job_state state;
    struct text name;       /* that the user gave it (backups) */
    struct text source;     /* the table that is read */
    uint32_t source_id;
    struct text target;     /* the table that is filled */
    uint32_t target_id;
    struct text from;       /* JOB_RESTORE: the id of the backup */
    struct text path;       /* export, import: a folder below the configured one */
    int64_t created_ms, ended_ms;
    int64_t time_ms;        /* JOB_REWIND, JOB_EXPORT: the point in time */
    uint64_t sequence;      /* JOB_BACKUP: of the snapshot */
    uint64_t items, item_bytes, file_bytes, errors;
    struct text decl;       /* of the table, store_decl_encode */
    struct text about;      /* the wire's own, JSON */
    struct text reason;     /* why it failed */
    uint8_t undo_space;     /* the raw row that goes with the target when the job fails; 0: none */
    struct text undo_key;
};

/* The form of exported files belongs to a layer above. Called by the copier, which may block in it. */
struct job_forms {
    /* `folder` is the export's own; what an earlier try left in it may be there. */
    int (*export_begin)(void **out, const char *folder, struct err *err);
    int (*export_item)(void *context, struct text json, struct err *err); /* DynamoDB's JSON of an item */
    int (*export_end)(void *context, const struct job *job, struct err *err); /* all is written and synced; frees it, also on failure */
    void (*export_abandon)(void *context);
    int (*import_begin)(void **out, const char *folder, struct err *err);
    /* The next item's JSON, borrowed until the next call. ERR_NOT_FOUND: the end. ERR_SYNTAX: what stands there is none; the next call goes on behind it. */
    int (*import_next)(void *context, struct text *json, struct err *err);
    void (*import_end)(void *context);
    /* JOB_LOGS. Each step takes a bounded piece, in a view of its own; *more: there is another one. Ended, or abandoned, it is freed; NULL: there are no such jobs. */
    int (*logs_begin)(void **out, const char *folder, const struct job *job, struct err *err);
    int (*logs_step)(void *context, struct store_view *view, uint64_t *events, bool *more, struct err *err);
    int (*logs_end)(void *context, struct err *err);
    void (*logs_abandon)(void *context);
};
#define JOB_SCRATCH "weir.export." /* and a job's id: a table that is rewound to be exported; hidden */

struct jobs;
struct jobs_config {
    struct store *store;
    struct journal *journal;
    const char *folder;          /* of backups; made with 0700 when the first one is written */
    const unsigned char *key;    /* CIPHER_KEY_BYTES, copied; NULL: plain */
    uint64_t recovery_bytes;     /* of journal at most, while a table can be recovered to points in time; 0: 16 GiB */
    const char *exchange;        /* exports and imports are below this folder; NULL: there are none */
    const struct job_forms *forms; /* of exports and imports; borrowed. NULL: there are none */
    unsigned steps;              /* tests: the copier stops after so many calls, as if the process ended; 0: never */
    size_t stretch_bytes;        /* old images gathered before they are applied; 0: JOB_REWIND_BYTES */
};
#define JOBS_RECOVERY_BYTES (UINT64_C(4) << 30)

int jobs_create(struct jobs **out, const struct jobs_config *config, struct err *err);
/* Its sink, for tick_config.sinks. */
void jobs_sink(struct jobs *jobs, struct tick_sink *sink);
/* After tick_create, before tick_start: the journal is kept for what is pending. `source`: the number of its sink. */
void jobs_attach(struct jobs *jobs, struct tick *tick, unsigned source);
int jobs_start(struct jobs *jobs, struct err *err); /* after tick_start */
void jobs_stop(struct jobs *jobs);                  /* before tick_stop; a job under way goes on at the next start */
void jobs_destroy(struct jobs *jobs);               /* NULL is allowed */
/* Rows have changed, or a table's recovery. */
void jobs_wake(struct jobs *jobs);
/* "<folder>/<id>.backup" */
#define JOBS_PATH_SIZE 4096
void jobs_path(const struct jobs *jobs, const char *id, char out[JOBS_PATH_SIZE]);
bool jobs_can_exchange(const struct jobs *jobs);
/* As tick_journal_since_ms. Any thread. */
int64_t jobs_journal_since_ms(const struct jobs *jobs);
/* Bytes free on the disk are above the reserve: 0 or ERR_DISK_FULL. */
int jobs_writable(const struct jobs *jobs);

/* ---- in the tick ---- */
/* The id of a job that this call stages; the same for the same call. */
void job_name(struct tick *tick, char id[JOB_ID_TEXT + 1]);
/* Stages a new job: fills in id, state and created_ms; one a call. ERR_FULL, ERR_TOO_LARGE, ERR_COLD. */
int job_stage(struct jobs *jobs, struct tick *tick, struct job *job);
/* Stages a changed row. */
int job_put(struct store_stage *stage, const struct job *job);
/* The file of a backup that is done goes, then its row. */
int job_remove(struct jobs *jobs, struct tick *tick, struct job *job);
/* A pending job ends here and now: its rows go. */
int job_cancel(struct tick *tick, const struct job *job);
/* The same, but its row stays and says that it failed for that reason. For JOB_LOGS. */
int job_give_up(struct tick *tick, struct job *job, struct text reason);

/* ---- with any view ---- */
/* Texts live in the arena. ERR_NOT_FOUND, ERR_COLD, ERR_CORRUPT, ERR_MEMORY. */
int job_get(struct store_view *view, struct arena *arena, struct text id, struct job *job);
/* All jobs with ids above `after` (empty: all) in order, until `visit` answers non-zero (returned). */
int job_scan(struct store_view *view, struct arena *arena, struct text after, int (*visit)(void *context, const struct job *job), void *context);
/* Those that are pending. */
int job_scan_pending(struct store_view *view, struct arena *arena, int (*visit)(void *context, const struct job *job), void *context);
bool job_id_is_valid(struct text id);
/* A path below the exchange folder: parts of printable characters, none of them "." or "..", no empty one but the last; at most JOB_TEXT_MAX bytes. */
bool job_path_is_valid(struct text path);

/* ---- their bytes: rows, and the headers of backups ---- */
int job_encode(struct buf *out, const struct job *job);
int job_decode(struct arena *arena, struct text bytes, struct job *job);

#endif
