/*
 * The copier: one thread, one job at a time.
 *
 * It waits for its own calls in the tick by turning its loop, so its code reads from top to bottom. A look begins with a call that does nothing: when that has
 * come back, whatever was staged before it is durable and in the published snapshot, and the rows say all there is to do.
 *
 * A job that fails is undone: the table that it was to fill goes, its row goes or says why. One that meets a full disk, or the end of the process, stays as it is and
 * begins anew later.
 */
#include "tick/job_inside.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDLE_MS 1000
#define AGAIN_MS 1000     /* between two tries when the disk is full */
#define LISTED_MS (90 * DAY_MS) /* exports and imports, after they were asked for */
#define OLD_SLICE 64

/* ---- calls ---- */

struct copier_call {
    struct tick_call base;
    struct jobs *jobs;
    int (*body)(struct tick *tick, struct arena *arena, void *context);
    void *context;
};

static int call_run(struct tick *tick, struct tick_call *base)
{
    struct copier_call *call = (struct copier_call *)base;
    return call->body(tick, base->arena, call->context);
}

static void on_done(void *context, struct tick_call *base)
{
    struct jobs *jobs = context;
    (void)base;
    jobs->call_done = true;
}

static int drain(void *context)
{
    struct jobs *jobs = context;
    return tick_drain(jobs->tick, jobs->source);
}

bool jobs_stopping(const struct jobs *jobs)
{
    return atomic_load(&jobs->stop);
}

static int call_once(struct jobs *jobs, int (*body)(struct tick *, struct arena *, void *), void *context)
{
    struct copier_call call = {.base = {.source = (uint16_t)jobs->source, .arena = &jobs->call_arena, .run = call_run}, .jobs = jobs, .body = body, .context = context};
    jobs->call_done = false;
    int code = tick_submit(jobs->tick, &call.base);
    if (code)
        return code;
    tick_kick(jobs->tick, jobs->source);
    while (!jobs->call_done)
        loop_turn(jobs->loop, IDLE_MS);
    arena_reset(&jobs->call_arena);
    return call.base.code;
}

/* Waits, but not for somebody who wants to end. */
static void pause_ms(struct jobs *jobs, int64_t ms)
{
    int64_t until = clock_mono_ms() + ms;
    while (!jobs_stopping(jobs) && clock_mono_ms() < until)
        loop_turn(jobs->loop, 100);
}

int jobs_call(struct jobs *jobs, int (*body)(struct tick *tick, struct arena *arena, void *context), void *context)
{
    for (;;) {
        if (jobs->steps && ++jobs->steps_done > jobs->steps)
            atomic_store(&jobs->stop, true);
        if (jobs_stopping(jobs))
            return ERR_CLOSED;
        int code = call_once(jobs, body, context);
        if (code != ERR_DISK_FULL && code != ERR_MEMORY)
            return code;
        log_warn("job", "the copier waits: %s", err_text(code));
        pause_ms(jobs, AGAIN_MS);
    }
}

/* ---- the end of a job ---- */

static const char *kind_name(const struct job *job)
{
    static const char *const names[] = {"", "backup", "restore", "restore", "export", "import", "export of logs"};
    return job->state == JOB_REMOVING ? "deletion of backup" : names[job->kind];
}

static const char *source_kind(const struct job *job)
{
    return job->kind == JOB_LOGS ? "group" : "table";
}

static bool fills(const struct job *job)
{
    return job->kind == JOB_RESTORE || job->kind == JOB_REWIND || job->kind == JOB_IMPORT;
}

/* Whose row outlives it, because somebody may ask how it went. */
static bool is_kept(const struct job *job)
{
    return job->state != JOB_REMOVING && (job->kind == JOB_BACKUP || job->kind == JOB_EXPORT || job->kind == JOB_IMPORT || job->kind == JOB_LOGS);
}

static int end_rows(struct tick *tick, const struct job_run *run, bool keep)
{
    struct store_stage *stage = tick_stage(tick);
    int code = keep ? job_put(stage, &run->job) : job_forget(stage, &run->job);
    return code || !keep ? code : job_queue(stage, &run->job, false);
}

/* A job that somebody has given up meanwhile has its last row already. */
static bool is_given_up(struct tick *tick, struct arena *arena, const struct job_run *run)
{
    struct job job;
    return run->job.kind == JOB_LOGS && !job_get(tick_view(tick), arena, text_of(run->job.id), &job) && job.state != JOB_WAITING;
}

static int done_body(struct tick *tick, struct arena *arena, void *context)
{
    struct job_run *run = context;
    bool keep = is_kept(&run->job);
    if (is_given_up(tick, arena, run))
        return 0;
    int code = fills(&run->job) ? store_table_set_filling(tick_stage(tick), run->target, false, &run->err) : 0;
    if (keep)
        run->job.state = JOB_DONE;
    run->job.ended_ms = tick_now_ms(tick);
    return code ? code : end_rows(tick, run, keep);
}

static int failed_body(struct tick *tick, struct arena *arena, void *context)
{
    struct job_run *run = context;
    struct store_stage *stage = tick_stage(tick);
    bool keep = is_kept(&run->job) && run->job.kind != JOB_BACKUP;
    int code = 0;
    if (is_given_up(tick, arena, run))
        return 0;
    if (fills(&run->job) && run->target && store_table_filling(run->target)) {
        code = store_table_drop(stage, run->target, NULL);
        if (!code && run->job.undo_space)
            code = store_raw_delete(stage, run->job.undo_space, run->job.undo_key);
        code = code == ERR_NOT_FOUND ? 0 : code;
    }
    run->job.state = JOB_FAILED;
    run->job.ended_ms = tick_now_ms(tick);
    return code ? code : end_rows(tick, run, keep);
}

/* False: it fails again later. */
static bool fail(struct job_run *run, int code)
{
    if (!run->err.text[0])
        err_set(&run->err, code, "%s", err_text(code));
    run->job.reason = text_of(run->err.text);
    if (jobs_call(run->jobs, failed_body, run))
        return false;
    counter_add(COUNTER_jobs_failed, 1);
    log_error("job", "%s: the %s of %s %.*s failed: %s", run->job.id, kind_name(&run->job), source_kind(&run->job), TEXT_FMT(fills(&run->job) ? run->job.target : run->job.source), run->err.text);
    return true;
}

/* ---- one job ---- */

static const struct store_table *table_of(struct jobs *jobs, struct text name, uint32_t id)
{
    const struct store_table *table = name.len ? store_table_find(jobs->store, name) : NULL;
    return table && store_table_id(table) == id ? table : NULL;
}

static int work(struct job_run *run)
{
    if (run->job.state == JOB_REMOVING)
        return job_remove_run(run);
    if (fills(&run->job) && (!run->target || !store_table_filling(run->target)))
        return ERR_NOT_FOUND; /* it was deleted meanwhile */
    switch (run->job.kind) {
    case JOB_BACKUP:
        return job_backup_run(run);
    case JOB_RESTORE:
        return job_restore_run(run);
    case JOB_REWIND:
        return job_rewind_run(run);
    case JOB_EXPORT:
        return job_export_run(run);
    case JOB_IMPORT:
        return job_import_run(run);
    case JOB_LOGS:
        return job_logs_run(run);
    default:
        return err_set(&run->err, ERR_UNSUPPORTED, "this program knows no such job");
    }
}

/* The row may be gone: the table that it was to fill was deleted, and the job with it. */
static bool was_cancelled(struct job_run *run)
{
    struct store_view view;
    struct job job;
    job_view_begin(run->jobs, &view, 0);
    int code = job_get(&view, &run->jobs->arena, text_of(run->job.id), &job);
    job_view_end(run->jobs);
    return code == ERR_NOT_FOUND;
}

static int nothing(struct tick *tick, struct arena *arena, void *context)
{
    (void)tick;
    (void)arena;
    (void)context;
    return 0;
}

/* False: not now. */
static bool run_job(struct jobs *jobs, const struct job *job)
{
    struct job_run run = {.jobs = jobs, .job = *job};
    buf_init(&run.slice.bytes, JOB_SLICE_BYTES + 2 * ITEM_BYTES_MAX);
    run.source = table_of(jobs, job->source, job->source_id);
    run.target = table_of(jobs, job->target, job->target_id);
    run.job.items = run.job.item_bytes = run.job.file_bytes = run.job.errors = 0;
    jobs->said_ms = clock_mono_ms();
    int64_t began = clock_mono_ms();
    int code = work(&run);
    if (!code)
        code = job_write_rest(&run);
    if (!code)
        code = jobs_call(jobs, done_body, &run);
    bool later = code == ERR_CLOSED || code == ERR_AGAIN;
    if (!code) {
        counter_add(COUNTER_jobs_done, 1);
        log_info("job", "%s: the %s of %s %.*s is done: %llu items in %lld ms", job->id, kind_name(job), source_kind(job), TEXT_FMT(fills(job) ? job->target : job->source),
            (unsigned long long)run.job.items, (long long)(clock_mono_ms() - began));
    } else if (code == ERR_AGAIN) {
        log_warn("job", "%s: the %s of %s %.*s begins anew later: %s", job->id, kind_name(job), source_kind(job), TEXT_FMT(job->source), run.err.text);
    } else if (!later && (jobs_call(jobs, nothing, NULL) == ERR_CLOSED || !was_cancelled(&run))) {
        later = !fail(&run, code);
    }
    buf_fini(&run.slice.bytes);
    return !later;
}

/* ---- which one ---- */

void jobs_expect(struct jobs *jobs, bool journal)
{
    atomic_store(&jobs->look, true); /* first: whoever lets the journal go looks at it afterwards */
    if (journal)
        tick_keep_from(jobs->tick, TICK_KEEP_JOBS, 0);
    loop_wake(jobs->loop);
}

void jobs_wake(struct jobs *jobs)
{
    atomic_store(&jobs->look, true);
    loop_wake(jobs->loop);
}

struct choice {
    struct job job;
    bool found, journal;
    int64_t pending;
};

static int choose(void *context, const struct job *job)
{
    struct choice *choice = context;
    choice->pending++;
    choice->journal = choice->journal || job->kind == JOB_REWIND || job->kind == JOB_EXPORT;
    if (!choice->found)
        choice->job = *job;
    choice->found = true;
    return 0;
}

static void let_journal_go(struct jobs *jobs)
{
    tick_keep_from(jobs->tick, TICK_KEEP_JOBS, UINT64_MAX);
    if (atomic_load(&jobs->look)) /* a job may have been staged since; the next look knows */
        tick_keep_from(jobs->tick, TICK_KEEP_JOBS, 0);
}

static void keep_for_recovery(struct jobs *jobs)
{
    uint32_t days = 0;
    for (const struct store_table *table = store_table_next(jobs->store, NULL); table; table = store_table_next(jobs->store, table)) {
        struct store_recovery recovery = store_table_recovery(table);
        days = recovery.days > days ? recovery.days : days;
    }
    tick_retain(jobs->tick, days * DAY_MS, days ? jobs->recovery_bytes : 0);
}

/* ---- what is long over ---- */

struct old_jobs {
    int64_t before_ms;
    struct job job[OLD_SLICE];
    int count;
};

/* In the order of their ids, which is that of their times: the first young one ends it. */
static int find_old(void *context, const struct job *job)
{
    struct old_jobs *old = context;
    bool listed = (job->kind == JOB_EXPORT || job->kind == JOB_IMPORT || job->kind == JOB_LOGS) && job->state != JOB_WAITING;
    if (job->created_ms >= old->before_ms || old->count == OLD_SLICE)
        return 1;
    if (listed)
        memcpy(old->job[old->count++].id, job->id, sizeof(job->id));
    return 0;
}

static int forget_old(struct tick *tick, struct arena *arena, void *context)
{
    const struct old_jobs *old = context;
    int code = 0;
    (void)arena;
    for (int i = 0; i < old->count && !code; i++)
        code = job_forget(tick_stage(tick), &old->job[i]);
    return code;
}

/* Exports and imports are listed for 90 days. Backups stay until they are deleted. */
static void sweep_old(struct jobs *jobs)
{
    struct old_jobs old = {.before_ms = clock_wall_ms() - LISTED_MS};
    struct store_view view;
    if (jobs->swept && clock_mono_ms() - jobs->swept_ms < HOUR_MS)
        return;
    jobs->swept = true;
    jobs->swept_ms = clock_mono_ms();
    job_view_begin(jobs, &view, clock_wall_ms() / 1000);
    int code = job_scan(&view, &jobs->arena, TEXT_NONE, find_old, &old);
    job_view_end(jobs);
    arena_reset(&jobs->arena);
    if (code >= 0 && old.count)
        jobs_call(jobs, forget_old, &old);
    jobs->swept = old.count < OLD_SLICE; /* else there are more */
}

static bool look(struct jobs *jobs, struct choice *choice)
{
    struct store_view view;
    memset(choice, 0, sizeof(*choice));
    arena_reset(&jobs->arena);
    atomic_store(&jobs->look, false);
    if (jobs_call(jobs, nothing, NULL))
        return false;
    keep_for_recovery(jobs);
    sweep_old(jobs);
    job_view_begin(jobs, &view, clock_wall_ms() / 1000);
    int code = job_scan_pending(&view, &jobs->arena, choose, choice);
    job_view_end(jobs);
    counter_add(COUNTER_jobs_waiting, choice->pending - jobs->pending);
    jobs->pending = choice->pending;
    if (code)
        log_error("job", "the stored jobs cannot be read: %s", err_text(code));
    else if (!choice->journal)
        let_journal_go(jobs);
    return !code && choice->found;
}

/* ---- life ---- */

/* What an earlier run left unfinished; its job writes it again. */
static void remove_partial(struct jobs *jobs)
{
    DIR *dir = opendir(jobs->folder);
    char path[JOBS_PATH_SIZE];
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        bool partial = len > 8 && strcmp(entry->d_name + len - 8, ".partial") == 0;
        if (partial && (size_t)snprintf(path, sizeof(path), "%s/%s", jobs->folder, entry->d_name) < sizeof(path))
            unlink(path);
    }
    if (dir)
        closedir(dir);
}

static void *copier_main(void *argument)
{
    struct jobs *jobs = argument;
    struct choice choice;
    thread_name("weir-copier");
    remove_partial(jobs);
    bool more = true;
    while (!jobs_stopping(jobs)) {
        if (!more && !atomic_load(&jobs->look)) {
            loop_turn(jobs->loop, IDLE_MS);
            if (clock_mono_ms() - jobs->swept_ms < HOUR_MS)
                continue;
        }
        more = look(jobs, &choice);
        if (more && !run_job(jobs, &choice.job))
            pause_ms(jobs, AGAIN_MS);
    }
    return NULL;
}

static char *copy_of(const char *text)
{
    return text ? strdup(text) : NULL;
}

int jobs_create(struct jobs **out, const struct jobs_config *config, struct err *err)
{
    *out = NULL;
    if (strlen(config->folder) > JOBS_PATH_SIZE - 64)
        return err_set(err, ERR_TOO_LARGE, "the path of the data folder is too long");
    struct jobs *jobs = calloc(1, sizeof(*jobs));
    if (!jobs)
        return err_set(err, ERR_MEMORY, "no memory for jobs");
    jobs->store = config->store;
    jobs->journal = config->journal;
    jobs->steps = config->steps;
    jobs->stretch_bytes = config->stretch_bytes && config->stretch_bytes < JOB_REWIND_BYTES ? config->stretch_bytes : JOB_REWIND_BYTES;
    jobs->recovery_bytes = config->recovery_bytes ? config->recovery_bytes : JOBS_RECOVERY_BYTES;
    jobs->folder = copy_of(config->folder);
    jobs->exchange = config->forms ? copy_of(config->exchange) : NULL;
    jobs->forms = config->forms;
    jobs->encrypted = config->key != NULL;
    if (config->key)
        memcpy(jobs->key, config->key, sizeof(jobs->key));
    arena_init(&jobs->arena, 64 << 10, JOB_ARENA_LIMIT);
    arena_init(&jobs->call_arena, 64 << 10, JOB_ARENA_LIMIT);
    int code = jobs->folder && (jobs->exchange || !config->exchange || !config->forms) ? loop_create(&jobs->loop, err) : err_set(err, ERR_MEMORY, "no memory for jobs");
    if (!code)
        code = loop_inbox_add(jobs->loop, drain, jobs);
    if (code) {
        jobs_destroy(jobs);
        return code;
    }
    *out = jobs;
    return 0;
}

void jobs_sink(struct jobs *jobs, struct tick_sink *sink)
{
    *sink = (struct tick_sink){.context = jobs, .loop = jobs->loop, .on_done = on_done};
}

void jobs_attach(struct jobs *jobs, struct tick *tick, unsigned source)
{
    jobs->tick = tick;
    jobs->source = source;
    tick_keep_from(tick, TICK_KEEP_JOBS, 0);
    keep_for_recovery(jobs);
}

int jobs_start(struct jobs *jobs, struct err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&jobs->thread, NULL, copier_main, jobs);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    jobs->started = rc == 0;
    return rc ? err_set(err, ERR_MEMORY, "the copier's thread cannot be started: %s", strerror(rc)) : 0;
}

void jobs_stop(struct jobs *jobs)
{
    if (!jobs || !jobs->started)
        return;
    atomic_store(&jobs->stop, true);
    loop_wake(jobs->loop);
    pthread_join(jobs->thread, NULL);
    jobs->started = false;
    counter_add(COUNTER_jobs_waiting, -jobs->pending);
}

void jobs_destroy(struct jobs *jobs)
{
    if (!jobs)
        return;
    ASSERT(!jobs->started);
    if (jobs->loop)
        loop_destroy(jobs->loop);
    arena_fini(&jobs->arena);
    arena_fini(&jobs->call_arena);
    cipher_forget(jobs->key, sizeof(jobs->key));
    free(jobs->folder);
    free(jobs->exchange);
    free(jobs);
}

void jobs_path(const struct jobs *jobs, const char *id, char out[JOBS_PATH_SIZE])
{
    snprintf(out, JOBS_PATH_SIZE, "%.4000s/%.32s.backup", jobs->folder, id);
}

bool jobs_can_exchange(const struct jobs *jobs)
{
    return jobs->exchange != NULL;
}

int jobs_writable(const struct jobs *jobs)
{
    return tick_writable(jobs->tick);
}

int64_t jobs_journal_since_ms(const struct jobs *jobs)
{
    return tick_journal_since_ms(jobs->tick);
}
