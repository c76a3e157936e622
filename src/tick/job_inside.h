/*
 * What the files of the jobs share; nobody else includes it.
 *
 * job.c        the copier: its thread, its calls, which job is next, how one ends
 * job_row.c    rows
 * job_write.c  views, and slices of items into the table that is filled
 * job_copy.c   backups and restores from them
 * job_rewind.c a point in time
 * job_exchange.c exports and imports
 */
#ifndef WEIR_TICK_JOB_INSIDE_H
#define WEIR_TICK_JOB_INSIDE_H

#include "tick/job.h"

#include <pthread.h>
#include <stdatomic.h>

#define JOB_ARENA_LIMIT ((size_t)64 << 20)

struct jobs {
    struct store *store;
    struct journal *journal;
    struct tick *tick;
    unsigned source;
    char *folder, *exchange;
    const struct job_forms *forms;
    bool encrypted;
    unsigned char key[CIPHER_KEY_BYTES];
    uint64_t recovery_bytes;
    unsigned steps, steps_done;
    size_t stretch_bytes;
    struct loop *loop;
    pthread_t thread;
    bool started;
    atomic_bool stop;
    atomic_bool look;        /* there may be something to do */
    /* the copier */
    struct arena arena;      /* of a job; `call` of a call */
    struct arena call_arena;
    bool call_done;
    int64_t pending;         /* as the gauge says */
    int64_t said_ms;
    bool swept;              /* at swept_ms old rows were looked for */
    int64_t swept_ms;
};

/* What is put together for one call. */
struct job_slice {
    struct buf bytes; /* stored forms, one behind the other */
    struct {
        uint32_t at, len;
        bool gone; /* the bytes are a key, and its item is to go */
    } row[JOB_SLICE_ITEMS];
    unsigned rows;
};

/* One job under way. */
struct job_run {
    struct jobs *jobs;
    struct job job;
    const struct store_table *source, *target;
    struct job_slice slice;
    struct err err;
    char scratch[JOB_ID_TEXT + sizeof(JOB_SCRATCH)]; /* name of the scratch table */
    char reason[300];
};

/* ---- job_row.c ---- */
int job_queue(struct store_stage *stage, const struct job *job, bool pending);
int job_forget(struct store_stage *stage, const struct job *job);

/* ---- job.c ---- */
/* State thread: a job was staged. `journal`: what the journal holds now is to stay. */
void jobs_expect(struct jobs *jobs, bool journal);
bool jobs_stopping(const struct jobs *jobs);
/* Runs `body` in the tick and waits for its commit; tried again while the disk is full. ERR_CLOSED: the copier is to stop. */
int jobs_call(struct jobs *jobs, int (*body)(struct tick *tick, struct arena *arena, void *context), void *context);
/* ---- job_write.c ---- */
/* Adds an item (or the key of one that is to go) to the target; writes a slice when it is full. */
int job_write(struct job_run *run, struct text bytes, bool gone);
int job_write_rest(struct job_run *run);
/* A line in the log every ten seconds. */
void job_progress(struct job_run *run, const char *what);
/* View of the published snapshot; until job_view_end. */
void job_view_begin(struct jobs *jobs, struct store_view *view, int64_t now_s);
void job_view_end(struct jobs *jobs);

/* ---- what is done; 0, or why not, with run->err. ERR_CLOSED: the process ends; ERR_AGAIN: later, from the beginning ---- */
int job_backup_run(struct job_run *run);
int job_restore_run(struct job_run *run);
int job_rewind_run(struct job_run *run);
int job_remove_run(struct job_run *run);
int job_export_run(struct job_run *run);
int job_import_run(struct job_run *run);
int job_logs_run(struct job_run *run);
/* All items of the source, as they were at run->job.time_ms, one call each of `take`, in several passes: a key may come more than once, its last
   coming counts. */
struct job_images {
    int (*take)(void *context, struct text bytes, bool gone);
    void *context;
};
int job_rewind_walk(struct job_run *run, const struct job_images *images);

#endif
