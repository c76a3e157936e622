/*
 * Stream by stream, page by page: a step is one page of one stream into that stream's file, so a step's memory and time are bounded whatever the group holds, and the view it reads is
 * let go behind it. A job that begins anew writes the same files again.
 *
 * Names of streams come from outside and become names of folders: what a folder cannot be called, and what would lead out of the folder, is replaced.
 */
#include "watch/log_export.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/map.h"
#include "watch/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define NAME_MAX_BYTES 200 /* of a folder; longer ones are cut and end on a sum of all */
#define PAGE_BYTES ((size_t)4 << 20)
#define PAGE_EVENTS 10000
#define ARENA_MAX ((size_t)128 << 20) /* names of a group's streams */
#define PIECE ((size_t)64 << 10)

struct file {
    int fd; /* -1: none is open */
    z_stream z;
    unsigned char piece[PIECE];
};
struct export {
    int folder;
    struct arena arena;
    struct text group, prefix;
    int64_t from_ms, to_ms;
    struct text *stream; /* all of them, in order; NULL: not listed yet */
    size_t streams, at;
    struct map used;     /* names of folders: how many files they have */
    struct file file;
    bool paged;          /* `after` is where the stream's last page ended */
    struct watch_log_place after;
    uint64_t events;
    int code;
    struct err *err;     /* of the step */
};

/* ---- files ---- */

static int io_fails(struct export *export, const char *what)
{
    return err_set(export->err, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "%s: %s", what, strerror(errno));
}

static int write_all(struct export *export, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len) {
        ssize_t done = write(export->file.fd, at, len);
        if (done < 0 && errno != EINTR)
            return io_fails(export, "a file of the export cannot be written");
        at += done > 0 ? done : 0;
        len -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

static int file_put(struct export *export, struct text text, int flush)
{
    struct file *file = &export->file;
    int code = 0, state = Z_OK;
    file->z.next_in = (Bytef *)(uintptr_t)text.data;
    file->z.avail_in = (uInt)text.len;
    do {
        file->z.next_out = file->piece;
        file->z.avail_out = sizeof(file->piece);
        state = deflate(&file->z, flush);
        code = write_all(export, file->piece, sizeof(file->piece) - file->z.avail_out);
    } while (!code && (flush == Z_FINISH ? state != Z_STREAM_END : !file->z.avail_out));
    return code;
}

static void file_drop(struct export *export)
{
    if (export->file.fd < 0)
        return;
    close(export->file.fd);
    deflateEnd(&export->file.z);
    export->file.fd = -1;
}

static int file_close(struct export *export)
{
    if (export->file.fd < 0)
        return 0;
    int code = file_put(export, TEXT(""), Z_FINISH);
    if (!code && fsync(export->file.fd))
        code = io_fails(export, "a file of the export cannot be synced");
    file_drop(export);
    return code;
}

/* A folder's name for a stream's. */
static void folder_name(struct text stream, char out[NAME_MAX_BYTES + 32])
{
    size_t len = stream.len < NAME_MAX_BYTES ? stream.len : NAME_MAX_BYTES;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)stream.data[i];
        out[i] = (char)(c < 0x20 || c == 0x7f || c == '/' || c == '\\' ? '-' : c);
    }
    out[len] = 0;
    if (len < stream.len)
        snprintf(out + len, 32, "-%08lx", (unsigned long)crc32(0, (const Bytef *)stream.data, (uInt)stream.len));
    if (strcmp(out, ".") == 0 || strcmp(out, "..") == 0)
        out[0] = '-';
}

/* Two streams may have one folder ("a/b" and "a-b"): the second one has the second file in it. */
static int next_number(struct export *export, const char *folder, uintptr_t *number)
{
    struct text name = arena_copy(&export->arena, text_of(folder));
    *number = (uintptr_t)map_get(&export->used, name);
    void *old;
    return name.data && !map_put(&export->used, name, (void *)(*number + 1), &old) ? 0 : ERR_MEMORY;
}

static int file_open(struct export *export)
{
    char folder[NAME_MAX_BYTES + 32], name[32];
    uintptr_t number;
    folder_name(export->stream[export->at], folder);
    if (next_number(export, folder, &number))
        return ERR_MEMORY;
    snprintf(name, sizeof(name), "%06lu.gz", (unsigned long)number);
    if (mkdirat(export->folder, folder, 0700) && errno != EEXIST)
        return io_fails(export, "a folder of the export cannot be made");
    int below = openat(export->folder, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0)
        return io_fails(export, "a folder of the export cannot be opened");
    export->file.fd = openat(below, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int code = export->file.fd < 0 ? io_fails(export, "a file of the export cannot be made") : 0;
    close(below);
    if (code)
        return code;
    export->file.z = (z_stream){0};
    if (deflateInit2(&export->file.z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK)
        return 0;
    close(export->file.fd);
    export->file.fd = -1;
    return ERR_MEMORY;
}

static int write_test(struct export *export)
{
    export->file.fd = openat(export->folder, "aws-logs-write-test", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (export->file.fd < 0)
        return io_fails(export, "the folder of the export cannot be written to");
    int code = write_all(export, "Permission Check Successful", 27);
    close(export->file.fd);
    export->file.fd = -1;
    return code;
}

/* ---- steps ---- */

static int read_job(struct export *export, const struct job *job)
{
    const struct json *root;
    int code = json_parse(&export->arena, job->about, JSON_COPY, &root, NULL);
    if (code)
        return code;
    const struct json *prefix = json_get_str(root, "logStreamNamePrefix");
    export->group = arena_copy(&export->arena, job->source);
    export->prefix = json_is(prefix, JSON_STRING) ? prefix->text : TEXT_NONE;
    bool timed = !json_to_i64(json_get_str(root, "from"), &export->from_ms) && !json_to_i64(json_get_str(root, "to"), &export->to_ms);
    export->to_ms += export->to_ms < INT64_MAX;
    return !timed ? ERR_CORRUPT : export->group.data ? 0 : ERR_MEMORY;
}

int watch_log_export_begin(void **out, const char *folder, const struct job *job, struct err *err)
{
    struct export *export = calloc(1, sizeof(*export));
    if (!export)
        return ERR_MEMORY;
    export->err = err;
    export->file.fd = -1;
    arena_init(&export->arena, 64 << 10, ARENA_MAX);
    map_init(&export->used);
    export->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = export->folder < 0 ? io_fails(export, "the folder of the export cannot be opened") : read_job(export, job);
    if (!code)
        code = write_test(export);
    if (code)
        watch_log_export_abandon(export);
    else
        *out = export;
    return code;
}

static int on_stream(void *context, const struct watch_log_stream *stream)
{
    struct export *export = context;
    if (export->streams == WATCH_LOG_STREAMS_MAX)
        return 1;
    if (stream->first_ms < 0 || stream->first_ms >= export->to_ms || stream->last_ms < export->from_ms)
        return 0;
    export->stream[export->streams] = arena_copy(&export->arena, stream->name);
    return export->stream[export->streams++].data ? 0 : ERR_MEMORY;
}

static int list_streams(struct export *export, struct store_view *view, const struct watch_log_group *group)
{
    struct arena rows;
    export->stream = arena_array(&export->arena, WATCH_LOG_STREAMS_MAX, sizeof(*export->stream));
    if (!export->stream)
        return ERR_MEMORY;
    arena_init(&rows, 64 << 10, ARENA_MAX);
    int code = watch_log_stream_each(view, &rows, group, export->prefix, TEXT_NONE, on_stream, export);
    arena_fini(&rows);
    return code < 0 ? code : 0;
}

static int on_event(void *context, const struct watch_log_event *event)
{
    struct export *export = context;
    char time[CLOCK_ISO_SIZE + 1];
    if (export->code)
        return 0;
    clock_format_iso(event->place.time_ms, time);
    strcat(time, " ");
    if (export->file.fd < 0)
        export->code = file_open(export);
    if (!export->code)
        export->code = file_put(export, text_of(time), Z_NO_FLUSH);
    if (!export->code)
        export->code = file_put(export, event->message, Z_NO_FLUSH);
    if (!export->code)
        export->code = file_put(export, TEXT("\n"), Z_NO_FLUSH);
    export->events += !export->code;
    return 0;
}

/* A page of the stream that is at hand. */
static int write_page(struct export *export, struct store_view *view, struct arena *arena, const struct watch_log_group *group)
{
    struct watch_log_stream stream;
    int code = watch_log_stream_get(view, arena, group, export->stream[export->at], &stream);
    struct watch_log_scan scan = {.group = group, .stream = &stream.id, .streams = 1, .some = true, .from_ms = export->from_ms, .to_ms = export->to_ms, .now_ms = clock_wall_ms(),
        .order = WATCH_LOG_FORWARD, .after_set = export->paged, .after = export->after, .events_max = PAGE_EVENTS, .bytes_max = PAGE_BYTES, .visit = on_event, .context = export};
    scan.at_end = true;
    if (!code)
        code = watch_log_scan(view, &scan);
    if (code == ERR_NOT_FOUND)
        code = 0; /* the stream was deleted meanwhile */
    if (!code)
        code = export->code;
    export->paged = !scan.at_end;
    export->after = scan.next;
    if (code || !scan.at_end)
        return code;
    export->at++;
    return file_close(export);
}

int watch_log_export_step(void *context, struct store_view *view, uint64_t *events, bool *more, struct err *err)
{
    struct export *export = context;
    struct watch_log_group group;
    struct arena arena;
    export->err = err;
    arena_init(&arena, 4096, PAGE_BYTES);
    int code = watch_log_group_get(view, &arena, export->group, &group);
    if (code == ERR_NOT_FOUND)
        err_set(err, code, "the log group does not exist any more");
    else if (!code && !export->stream)
        code = list_streams(export, view, &group);
    else if (!code && export->at < export->streams)
        code = write_page(export, view, &arena, &group);
    arena_fini(&arena);
    *events = export->events;
    *more = export->at < export->streams;
    return code;
}

int watch_log_export_end(void *context, struct err *err)
{
    struct export *export = context;
    export->err = err;
    int code = fsync(export->folder) ? io_fails(export, "the folder of the export cannot be synced") : 0;
    watch_log_export_abandon(export);
    return code;
}

void watch_log_export_abandon(void *context)
{
    struct export *export = context;
    file_drop(export);
    if (export->folder >= 0)
        close(export->folder);
    map_fini(&export->used);
    arena_fini(&export->arena);
    free(export);
}
