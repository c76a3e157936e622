/*
 * Exports and imports: tables to files and back, below one configured folder. The files' form is another's (struct job_forms); here are the folders, the items, and the
 * moment that an export shows.
 *
 * Names of folders come from requests. They are parts that cannot leave the configured folder by their characters (job_path_is_valid), and each part is opened from
 * the one above without following a link: a link that somebody put there leads nowhere.
 *
 * An export of the present is a snapshot. One of the past needs each item once, and rewinding tells some of them several times; so the table is rewound into a
 * scratch table that nobody sees, which is then written and dropped.
 */
#include "tick/job_inside.h"

#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_MAX 255

/* ---- folders ---- */

static struct text part_next(struct text path, size_t *at)
{
    ptrdiff_t slash = text_find(path, '/', *at);
    size_t end = slash < 0 ? path.len : (size_t)slash;
    struct text part = text_make(path.data + *at, end - *at);
    *at = end + 1;
    return part;
}

bool job_path_is_valid(struct text path)
{
    if (!path.len || path.len > JOB_TEXT_MAX)
        return false;
    for (size_t at = 0; at < path.len;) {
        struct text part = part_next(path, &at);
        if (!part.len || part.len > PART_MAX || text_is(part, ".") || text_is(part, ".."))
            return false;
        for (size_t i = 0; i < part.len; i++)
            if ((unsigned char)part.data[i] < 0x20 || part.data[i] == 0x7f || part.data[i] == '\\')
                return false;
    }
    return true;
}

static int step_down(int from, struct text part, bool make)
{
    char name[PART_MAX + 1];
    memcpy(name, part.data, part.len);
    name[part.len] = 0;
    if (make && mkdirat(from, name, 0700) && errno != EEXIST)
        return -1;
    return openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Walks to <exchange>/<path>, making it on the way; *out gets its name. */
static int reach(struct job_run *run, struct text path, bool make, char out[JOBS_PATH_SIZE])
{
    if (!run->jobs->exchange || !job_path_is_valid(path))
        return err_set(&run->err, ERR_FORBIDDEN, "there is no folder for exports and imports, or its name is not allowed");
    if (make)
        mkdir(run->jobs->exchange, 0700); /* whether it is there shows next */
    int fd = open(run->jobs->exchange, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t at = 0; fd >= 0 && at < path.len;) {
        int next = step_down(fd, part_next(path, &at), make);
        int why = errno;
        close(fd);
        errno = why;
        fd = next;
    }
    if (fd < 0)
        return err_set(&run->err, errno == ENOENT ? ERR_NOT_FOUND : errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "the folder %.*s cannot be opened: %s",
            TEXT_FMT(path), strerror(errno));
    close(fd);
    if ((size_t)snprintf(out, JOBS_PATH_SIZE, "%s/%.*s", run->jobs->exchange, TEXT_FMT(path)) >= JOBS_PATH_SIZE)
        return err_set(&run->err, ERR_TOO_LARGE, "the path of the folder is too long");
    return 0;
}

/* ---- out ---- */

static int write_table(struct job_run *run, const struct store_table *table, struct store_view *view, void *export)
{
    struct store_query query = {.table = table};
    struct store_cursor *cursor;
    const struct attr *item;
    struct json_writer w;
    struct buf json;
    struct arena arena;
    arena_init(&arena, 64 << 10, JOB_ARENA_LIMIT);
    buf_init(&json, 16 << 20);
    int code = store_query_open(view, &query, &arena, &cursor, &run->err);
    bool opened = !code;
    struct arena_mark mark = arena_mark(&arena);
    while (!code && (code = store_cursor_next(cursor, &arena, &item)) == 0) {
        buf_clear(&json);
        json_writer_init(&w, &json);
        item_to_wire(&w, item);
        code = json.failed ? ERR_MEMORY : run->jobs->forms->export_item(export, buf_text(&json), &run->err);
        run->job.items++;
        run->job.item_bytes += json.len;
        arena_rewind(&arena, mark);
        if (!code && run->job.items % JOB_SLICE_ITEMS == 0)
            code = jobs_stopping(run->jobs) ? ERR_CLOSED : jobs_writable(run->jobs);
        job_progress(run, "exporting");
    }
    if (opened)
        store_cursor_close(cursor);
    buf_fini(&json);
    arena_fini(&arena);
    return code == ERR_NOT_FOUND ? 0 : code;
}

static int write_export(struct job_run *run, const struct store_table *table, int64_t now_s)
{
    char folder[JOBS_PATH_SIZE];
    struct store_view view;
    void *export = NULL;
    run->job.items = run->job.item_bytes = 0;
    int code = reach(run, run->job.path, true, folder);
    if (!code)
        code = run->jobs->forms->export_begin(&export, folder, &run->err);
    if (code)
        return code;
    job_view_begin(run->jobs, &view, now_s);
    code = write_table(run, table, &view, export);
    job_view_end(run->jobs);
    run->job.ended_ms = clock_wall_ms();
    if (!code)
        return run->jobs->forms->export_end(export, &run->job, &run->err);
    run->jobs->forms->export_abandon(export);
    return code;
}

/* ---- the past ---- */

static int scratch_begin(struct tick *tick, struct arena *arena, void *context)
{
    struct job_run *run = context;
    const struct store_table *old = store_table_find(run->jobs->store, text_of(run->scratch)), *table;
    struct store_table_decl *decl = arena_alloc(arena, sizeof(*decl));
    if (!decl)
        return ERR_MEMORY;
    *decl = *store_table_decl(run->source);
    decl->name = text_of(run->scratch);
    decl->indexes = 0;
    decl->ttl = TEXT_NONE;
    decl->changes = decl->counted = false;
    int code = old ? store_table_drop(tick_stage(tick), old, &run->err) : 0;
    if (!code)
        code = store_table_define(tick_stage(tick), decl, &table, &run->err);
    return code ? code : store_table_set_filling(tick_stage(tick), table, true, &run->err);
}

static int scratch_end(struct tick *tick, struct arena *arena, void *context)
{
    struct job_run *run = context;
    (void)arena;
    const struct store_table *table = store_table_find(run->jobs->store, text_of(run->scratch));
    return table ? store_table_drop(tick_stage(tick), table, NULL) : 0;
}

static int to_scratch(void *context, struct text bytes, bool gone)
{
    return job_write(context, bytes, gone);
}

static int export_past(struct job_run *run)
{
    struct job_images images = {to_scratch, run};
    snprintf(run->scratch, sizeof(run->scratch), "%s%s", JOB_SCRATCH, run->job.id);
    int code = jobs_call(run->jobs, scratch_begin, run);
    if (code)
        return code;
    run->target = store_table_find(run->jobs->store, text_of(run->scratch));
    code = run->target ? job_rewind_walk(run, &images) : ERR_INTERNAL;
    if (!code)
        code = job_write_rest(run);
    if (!code)
        code = write_export(run, run->target, run->job.time_ms / 1000);
    run->target = NULL;
    run->slice.rows = 0;
    int ended = code == ERR_CLOSED ? 0 : jobs_call(run->jobs, scratch_end, run); /* after a crash the next try drops it */
    return code ? code : ended;
}

int job_export_run(struct job_run *run)
{
    if (!run->source)
        return err_set(&run->err, ERR_INVALID, "the table was deleted before it was exported");
    int code = run->job.time_ms ? export_past(run) : write_export(run, run->source, clock_wall_ms() / 1000);
    return code == ERR_DISK_FULL ? ERR_AGAIN : code;
}

/* ---- in ---- */

static int import_one(struct job_run *run, struct text text, struct buf *bytes, struct arena *arena)
{
    const struct json *json;
    struct attr *item;
    struct err err = {0};
    int code = json_parse(arena, text, JSON_COPY, &json, &err);
    if (!code)
        code = item_from_wire(arena, json, &item, &err);
    if (!code)
        code = item_check(item, &err);
    if (!code)
        code = store_item_fits(run->target, item, &err);
    if (code == ERR_MEMORY)
        return code;
    if (code) {
        if (!run->job.errors++)
            snprintf(run->reason, sizeof(run->reason), "the first item that was left out: %s", err.text);
        return 0;
    }
    buf_clear(bytes);
    code = item_encode(bytes, item);
    return code ? code : job_write(run, buf_text(bytes), false);
}

static int read_import(struct job_run *run, void *import)
{
    struct arena arena;
    struct buf bytes;
    struct text json;
    int code;
    arena_init(&arena, 64 << 10, JOB_ARENA_LIMIT);
    buf_init(&bytes, 2 * ITEM_BYTES_MAX);
    while ((code = run->jobs->forms->import_next(import, &json, &run->err)) == 0 || code == ERR_SYNTAX) {
        if (code == ERR_SYNTAX && !run->job.errors)
            snprintf(run->reason, sizeof(run->reason), "the first line that was left out: %s", run->err.text);
        run->job.errors += code == ERR_SYNTAX;
        run->job.items++;
        run->job.item_bytes += code ? 0 : json.len;
        code = code ? 0 : import_one(run, json, &bytes, &arena);
        arena_reset(&arena);
        if (code)
            break;
        job_progress(run, "importing");
    }
    buf_fini(&bytes);
    arena_fini(&arena);
    return code == ERR_NOT_FOUND ? 0 : code;
}

int job_import_run(struct job_run *run)
{
    char folder[JOBS_PATH_SIZE];
    void *import = NULL;
    int code = reach(run, run->job.path, false, folder);
    if (!code)
        code = run->jobs->forms->import_begin(&import, folder, &run->err);
    if (code)
        return code == ERR_NOT_FOUND ? ERR_MISSING : code; /* the files, not the table */
    code = read_import(run, import);
    run->jobs->forms->import_end(import);
    run->job.reason = text_of(run->reason);
    return code;
}

/* ---- logs ---- */

/* One piece, unless the job was given up meanwhile. */
static int logs_step(struct job_run *run, void *export, bool *more)
{
    struct job_forms const *forms = run->jobs->forms;
    struct store_view view;
    struct job now;
    job_view_begin(run->jobs, &view, clock_wall_ms() / 1000);
    int code = job_get(&view, &run->jobs->call_arena, text_of(run->job.id), &now);
    if (!code && now.state != JOB_WAITING)
        code = err_set(&run->err, ERR_CONDITION, "it was given up");
    if (!code)
        code = forms->logs_step(export, &view, &run->job.items, more, &run->err);
    job_view_end(run->jobs);
    arena_reset(&run->jobs->call_arena);
    if (!code)
        code = jobs_stopping(run->jobs) ? ERR_CLOSED : jobs_writable(run->jobs);
    return code;
}

int job_logs_run(struct job_run *run)
{
    const struct job_forms *forms = run->jobs->forms;
    char folder[JOBS_PATH_SIZE];
    void *export = NULL;
    bool more = true;
    if (!forms || !forms->logs_begin)
        return err_set(&run->err, ERR_UNSUPPORTED, "this program exports no logs");
    int code = reach(run, run->job.path, true, folder);
    if (!code)
        code = forms->logs_begin(&export, folder, &run->job, &run->err);
    if (code)
        return code;
    while (!code && more) {
        code = logs_step(run, export, &more);
        job_progress(run, "exporting");
    }
    if (!code)
        return forms->logs_end(export, &run->err);
    forms->logs_abandon(export);
    return code == ERR_DISK_FULL ? ERR_AGAIN : code;
}
