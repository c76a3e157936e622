/*
 * Backups, and restores from them.
 *
 * A backup is the snapshot at the moment when its job runs: all items that are visible then (expired ones are not), by the declaration of that commit and not of a later one, or time to live that
 * is turned on meanwhile would take items away that the commit which the backup names still showed. Its file is complete or absent; the job's row says AVAILABLE after that, never before. A restore
 * begins anew after a crash: items are put again over themselves, which changes nothing.
 */
#include "tick/job_inside.h"

#include "base/clock.h"
#include "store/archive.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXACT_TRIES 100 /* looks for a commit whose declaration is the newest; one more is needed when a declaration changes in between */

static const unsigned char *key_of(const struct jobs *jobs)
{
    return jobs->encrypted ? jobs->key : NULL;
}

/* ---- writing ---- */

static int make_folder(struct job_run *run)
{
    const char *folder = run->jobs->folder;
    if (mkdir(folder, 0700) == 0 || errno == EEXIST)
        return 0;
    return err_set(&run->err, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "the folder %s cannot be made: %s", folder, strerror(errno));
}

static int nothing(struct tick *tick, struct arena *arena, void *context)
{
    (void)tick;
    (void)arena;
    (void)context;
    return 0;
}

/* The table as one commit has it. A call that does nothing comes back when the commits before it are published, so another try meets the declaration that the last one has seen too early. */
static int open_exact(struct job_run *run, struct store_view *view, struct store_cursor **cursor)
{
    struct store_query query = {.table = run->source};
    for (int tries = 0; tries < EXACT_TRIES; tries++) {
        job_view_begin(run->jobs, view, clock_wall_ms() / 1000);
        int code = store_query_open(view, &query, &run->jobs->call_arena, cursor, &run->err);
        if (!code && store_cursor_is_exact(*cursor))
            return 0;
        if (!code)
            store_cursor_close(*cursor);
        job_view_end(run->jobs);
        arena_reset(&run->jobs->call_arena);
        if (!code)
            code = jobs_call(run->jobs, nothing, NULL);
        if (code)
            return code;
    }
    return err_set(&run->err, ERR_AGAIN, "the table's declaration changes all the time");
}

static int write_items(struct job_run *run, struct store_cursor *cursor, struct archive_writer *writer)
{
    struct arena *arena = &run->jobs->call_arena;
    const struct attr *item;
    struct buf bytes;
    int code = 0;
    buf_init(&bytes, 2 * ITEM_BYTES_MAX);
    struct arena_mark mark = arena_mark(arena);
    while (!code && (code = store_cursor_next(cursor, arena, &item)) == 0) {
        buf_clear(&bytes);
        code = item_encode(&bytes, item);
        if (!code)
            code = archive_add(writer, buf_text(&bytes), &run->err);
        arena_rewind(arena, mark);
        run->job.items++;
        if (!code && run->job.items % JOB_SLICE_ITEMS == 0) {
            code = jobs_stopping(run->jobs) ? ERR_CLOSED : jobs_writable(run->jobs);
            job_progress(run, "backing up");
        }
    }
    buf_fini(&bytes);
    return code == ERR_NOT_FOUND ? 0 : code;
}

static int write_file(struct job_run *run, const struct store_view *view, struct store_cursor *cursor)
{
    struct jobs *jobs = run->jobs;
    char path[JOBS_PATH_SIZE];
    struct archive_writer *writer = NULL;
    struct archive_totals totals = {0};
    struct buf header;
    buf_init(&header, ARCHIVE_HEADER_MAX);
    run->job.sequence = store_snapshot_sequence(view->snapshot);
    jobs_path(jobs, run->job.id, path);
    int code = job_encode(&header, &run->job);
    if (!code)
        code = archive_create(&writer, path, key_of(jobs), buf_text(&header), &run->err);
    buf_fini(&header);
    if (code)
        return code;
    code = write_items(run, cursor, writer);
    if (code) {
        archive_abandon(writer);
        return code;
    }
    code = archive_finish(writer, &totals, &run->err);
    run->job.items = totals.items;
    run->job.item_bytes = totals.item_bytes;
    run->job.file_bytes = totals.file_bytes;
    return code;
}

int job_backup_run(struct job_run *run)
{
    struct store_cursor *cursor;
    struct store_view view;
    if (!run->source)
        return err_set(&run->err, ERR_NOT_FOUND, "the table was deleted before its backup was made");
    int code = jobs_writable(run->jobs);
    if (!code)
        code = make_folder(run);
    if (!code)
        code = open_exact(run, &view, &cursor);
    if (!code) {
        code = write_file(run, &view, cursor);
        store_cursor_close(cursor);
        job_view_end(run->jobs);
    }
    arena_reset(&run->jobs->call_arena);
    if (code == ERR_DISK_FULL) { /* it heals when space returns */
        if (!run->err.text[0])
            err_set(&run->err, code, "%s", err_text(code));
        code = ERR_AGAIN;
    }
    return code;
}

int job_remove_run(struct job_run *run)
{
    char path[JOBS_PATH_SIZE];
    jobs_path(run->jobs, run->job.id, path);
    if (unlink(path) && errno != ENOENT)
        return err_set(&run->err, ERR_IO, "%s cannot be removed: %s", path, strerror(errno));
    int fd = open(run->jobs->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd); /* at worst the file is there again after a power cut, without a row: docs/backups.md */
        close(fd);
    }
    return 0;
}

/* ---- reading ---- */

static int check_header(struct job_run *run, struct text header)
{
    struct job backup;
    int code = job_decode(&run->jobs->arena, header, &backup);
    if (code || backup.kind != JOB_BACKUP || !text_equal(text_of(backup.id), run->job.from))
        return err_set(&run->err, ERR_CORRUPT, "the file of backup %.*s holds another one", TEXT_FMT(run->job.from));
    return 0;
}

static int read_items(struct job_run *run, struct archive_reader *reader)
{
    struct text item;
    int code;
    while ((code = archive_next(reader, &item, &run->err)) == 0) {
        code = job_write(run, item, false);
        if (code)
            return code;
        run->job.items++;
        job_progress(run, "restoring");
    }
    return code == ERR_NOT_FOUND ? 0 : code;
}

int job_restore_run(struct job_run *run)
{
    char path[JOBS_PATH_SIZE];
    struct archive_reader *reader = NULL;
    struct text header;
    if (!job_id_is_valid(run->job.from))
        return err_set(&run->err, ERR_CORRUPT, "the job names no backup");
    jobs_path(run->jobs, run->job.from.data, path);
    int code = archive_open(&reader, path, key_of(run->jobs), &header, &run->err);
    if (!code)
        code = check_header(run, header);
    if (!code)
        code = read_items(run, reader);
    archive_close(reader);
    return code;
}
