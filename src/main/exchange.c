/*
 * What the copier writes and reads for ExportTableToPointInTime and ImportTable: the same files as the commands' (export_file.c, import_source.c), so that each reads what the
 * other wrote. An export that was broken off has no summary; its next try removes what it left.
 */
#include "main/exchange.h"

#include "main/export_file.h"
#include "main/import_source.h"
#include "base/arena.h"
#include "base/json.h"
#include "watch/log_export.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 1000000

/* ---- out ---- */

struct exporting {
    char folder[FOLDER_PATH_SIZE], data[FOLDER_PATH_SIZE];
    struct export_file *file;
    struct export_done *done;
    size_t files, cap;
};

static void exporting_free(struct exporting *e)
{
    export_file_abandon(e->file);
    free(e->done);
    free(e);
}

static int prepare(struct exporting *e, const char *folder, struct err *err)
{
    if ((size_t)snprintf(e->folder, sizeof(e->folder), "%s", folder) >= sizeof(e->folder) ||
        (size_t)snprintf(e->data, sizeof(e->data), "%s/data", folder) >= sizeof(e->data))
        return err_set(err, ERR_TOO_LARGE, "the path of the folder is too long");
    int code = tree_remove(e->data, err);
    if (!code && mkdir(e->data, 0700))
        code = err_set(err, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "%s cannot be made: %s", e->data, strerror(errno));
    return code;
}

static int on_export_begin(void **out, const char *folder, struct err *err)
{
    struct exporting *e = calloc(1, sizeof(*e));
    *out = NULL;
    if (!e)
        return err_set(err, ERR_MEMORY, "out of memory");
    int code = prepare(e, folder, err);
    if (!code)
        code = export_file_open(&e->file, e->data, err);
    if (code)
        exporting_free(e);
    else
        *out = e;
    return code;
}

static int close_file(struct exporting *e, struct err *err)
{
    if (e->files == e->cap) {
        size_t cap = e->cap ? e->cap * 2 : 16;
        struct export_done *grown = cap > FILES_MAX ? NULL : realloc(e->done, cap * sizeof(*grown));
        if (!grown)
            return err_set(err, ERR_MEMORY, "out of memory");
        e->done = grown;
        e->cap = cap;
    }
    struct export_file *file = e->file;
    e->file = NULL;
    int code = export_file_close(file, &e->done[e->files], err);
    e->files += !code;
    return code;
}

static int on_export_item(void *context, struct text json, struct err *err)
{
    struct exporting *e = context;
    if (export_file_is_full(e->file)) {
        int code = close_file(e, err);
        if (!code)
            code = export_file_open(&e->file, e->data, err);
        if (code)
            return code;
    }
    return export_file_add(e->file, json, err);
}

static int write_manifest(struct exporting *e, const struct job *job, struct err *err)
{
    struct arena arena;
    const struct json *about;
    arena_init(&arena, 4096, 4 << 20);
    int code = json_parse(&arena, job->about, JSON_COPY, &about, err);
    if (code)
        about = NULL;
    const struct json *arn = json_get_str(about, "tableArn"), *id = json_get_str(about, "tableId"), *bucket = json_get_str(about, "bucket");
    if (!code && (!json_is(arn, JSON_STRING) || !json_is(id, JSON_STRING) || !json_is(bucket, JSON_STRING)))
        code = err_set(err, ERR_CORRUPT, "the job does not say what it exports");
    char name[256];
    if (!code)
        snprintf(name, sizeof(name), "%.*s", TEXT_FMT(bucket->text));
    struct export_manifest manifest = {.folder = e->folder, .id = job->id, .bucket = name, .start_ms = job->time_ms ? job->time_ms : job->created_ms, .end_ms = job->ended_ms,
        .done = e->done, .files = e->files};
    if (!code) {
        manifest.table_arn = arn->text;
        manifest.table_id = id->text;
        code = folder_sync(e->data, err);
    }
    if (!code)
        code = export_manifest_write(&manifest, err);
    arena_fini(&arena);
    return code;
}

static int on_export_end(void *context, const struct job *job, struct err *err)
{
    struct exporting *e = context;
    int code = close_file(e, err);
    if (!code)
        code = write_manifest(e, job, err);
    exporting_free(e);
    return code;
}

static void on_export_abandon(void *context)
{
    exporting_free(context);
}

/* ---- in ---- */

struct importing {
    struct import_source source;
    size_t set, file; /* the one that is read, or comes next */
    struct import_lines *lines;
    struct arena arena; /* of a line */
};

static void on_import_end(void *context)
{
    struct importing *in = context;
    import_lines_close(in->lines);
    import_source_close(&in->source);
    arena_fini(&in->arena);
    free(in);
}

static int on_import_begin(void **out, const char *folder, struct err *err)
{
    struct importing *in = calloc(1, sizeof(*in));
    *out = NULL;
    if (!in)
        return err_set(err, ERR_MEMORY, "out of memory");
    arena_init(&in->arena, 64 << 10, 4 * IMPORT_LINE_MAX);
    int code = import_source_open(&in->source, folder, err);
    if (!code && !in->source.sets)
        code = err_set(err, ERR_NOT_FOUND, "there is nothing to import in that folder");
    if (code)
        on_import_end(in);
    else
        *out = in;
    return code;
}

/* Opens the next file of the sets. ERR_NOT_FOUND: there is none. */
static int next_file(struct importing *in, struct err *err)
{
    while (in->set < in->source.sets && in->file == in->source.set[in->set].files) {
        in->set++;
        in->file = 0;
    }
    if (in->set == in->source.sets)
        return ERR_NOT_FOUND;
    const struct import_set *set = &in->source.set[in->set];
    const struct import_data_file *file = &set->file[in->file++];
    int code = file->md5_known ? import_file_check(set, file, err) : 0;
    if (!code)
        code = import_lines_open(&in->lines, set, file, err);
    return code == ERR_NOT_FOUND ? ERR_IO : code; /* a file that the manifest names is missing */
}

static int on_import_next(void *context, struct text *json, struct err *err)
{
    struct importing *in = context;
    struct text line;
    uint64_t offset;
    arena_reset(&in->arena);
    for (;;) {
        int code = in->lines ? 0 : next_file(in, err);
        if (!code)
            code = import_lines_next(in->lines, &line, &offset, err);
        else
            return code;
        if (code == ERR_NOT_FOUND) {
            import_lines_close(in->lines);
            in->lines = NULL;
            continue;
        }
        return code ? code : import_line_parse(&in->arena, line, json, err);
    }
}

const struct job_forms exchange_forms = {
    .export_begin = on_export_begin,
    .export_item = on_export_item,
    .export_end = on_export_end,
    .export_abandon = on_export_abandon,
    .import_begin = on_import_begin,
    .import_next = on_import_next,
    .import_end = on_import_end,
    .logs_begin = watch_log_export_begin,
    .logs_step = watch_log_export_step,
    .logs_end = watch_log_export_end,
    .logs_abandon = watch_log_export_abandon,
};
