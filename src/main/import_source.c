/* Manifests name data files by their key in a bucket, prefix and all; only the last part counts here, looked for in data/ beside the manifest. So a folder may
   have been copied from anywhere to anywhere. */
#include "main/import_source.h"

#include "main/folder.h"
#include "main/table_schema.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define PIECE (256u << 10)
#define MANIFEST_FILES_MAX ((size_t)512 << 20)
#define SUMMARY "manifest-summary.json"
#define FILES "manifest-files.json"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int import_read_small(const char *path, size_t max, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    buf_init(out, max + PIECE);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s cannot be read: %s", path, strerror(errno));
    ssize_t got = 1;
    int code = 0;
    while (!code && got > 0) {
        code = buf_reserve(out, PIECE);
        got = code ? 0 : read(fd, out->data + out->len, PIECE);
        out->len += got > 0 ? (size_t)got : 0;
        if (got < 0)
            code = ERR_IO;
        else if (out->len > max)
            code = ERR_TOO_LARGE;
    }
    close(fd);
    if (!code)
        return 0;
    buf_fini(out);
    return err_set(err, code, "%s cannot be read: %s", path, err_text(code));
}

/* ---- sets ---- */

static int grow(void **array, size_t count, size_t *cap, size_t size, size_t max)
{
    if (count < *cap)
        return 0;
    size_t more = *cap ? *cap * 2 : 16;
    void *data = count >= max ? NULL : realloc(*array, more * size);
    if (!data)
        return count >= max ? ERR_TOO_LARGE : ERR_MEMORY;
    *array = data;
    *cap = more;
    return 0;
}

static int add_set(struct import_source *source, const char *name, const char *folder, struct import_set **out, struct err *err)
{
    int code = grow((void **)&source->set, source->sets, &source->cap, sizeof(*source->set), IMPORT_SETS_MAX);
    if (code)
        return err_set(err, code, "%s holds too many exports", folder);
    struct import_set *set = &source->set[source->sets];
    *set = (struct import_set){0};
    if ((size_t)snprintf(set->name, sizeof(set->name), "%s", name) >= sizeof(set->name) || (size_t)snprintf(set->folder, sizeof(set->folder), "%s", folder) >= sizeof(set->folder))
        return err_set(err, ERR_TOO_LARGE, "the path %s is too long", folder);
    source->sets++;
    *out = set;
    return 0;
}

static int add_file(struct import_set *set, const struct import_data_file *file, struct err *err)
{
    int code = grow((void **)&set->file, set->files, &set->cap, sizeof(*set->file), IMPORT_FILES_MAX);
    if (code)
        return err_set(err, code, "%s holds too many files", set->folder);
    set->file[set->files++] = *file;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct import_data_file *)a)->name, ((const struct import_data_file *)b)->name);
}

static void sort_files(struct import_set *set)
{
    if (set->files)
        qsort(set->file, set->files, sizeof(*set->file), by_name);
}

static bool there_is(const char *folder, const char *name)
{
    char path[FOLDER_PATH_SIZE];
    return folder_path(path, sizeof(path), folder, name, NULL) == 0 && access(path, F_OK) == 0;
}

/* ---- an export ---- */

static int read_files(struct import_set *set, const char *path, struct err *err)
{
    struct buf bytes;
    struct err inner;
    int code = import_read_small(path, MANIFEST_FILES_MAX, &bytes, err);
    for (size_t at = 0; !code && at < bytes.len;) {
        char *end = memchr(bytes.data + at, '\n', bytes.len - at);
        size_t len = end ? (size_t)(end - bytes.data) - at : bytes.len - at;
        struct text line = text_trim(text_make(bytes.data + at, len));
        struct import_data_file file;
        at += len + 1;
        if (!line.len)
            continue;
        code = import_data_file_parse(line, &file, &inner) ? err_set(err, ERR_SYNTAX, "%s: %s", path, inner.text) : add_file(set, &file, err);
    }
    buf_fini(&bytes);
    return code == ERR_NOT_FOUND ? err_set(err, ERR_SYNTAX, "%s is missing: the export is not whole", path) : code;
}

static int read_summary(struct import_set *set, const char *path, struct err *err)
{
    struct buf bytes;
    struct err inner;
    int code = import_read_small(path, IMPORT_MANIFEST_MAX, &bytes, err);
    if (code)
        return code;
    code = import_summary_parse(buf_text(&bytes), &set->summary, &inner);
    buf_fini(&bytes);
    return code ? err_set(err, code, "%s: %s", path, inner.text) : 0;
}

/* Of one export's folder. Without a summary it was never finished. */
static int add_export(struct import_source *source, const char *folder, struct err *err)
{
    char path[FOLDER_PATH_SIZE];
    struct import_set *set;
    if (!there_is(folder, SUMMARY)) {
        source->unfinished++;
        return 0;
    }
    int code = add_set(source, base_name(folder), folder, &set, err);
    if (!code)
        code = folder_path(path, sizeof(path), folder, SUMMARY, err);
    if (!code)
        code = read_summary(set, path, err);
    if (!code)
        code = folder_path(path, sizeof(path), folder, FILES, err);
    if (!code)
        code = read_files(set, path, err);
    if (!code)
        code = folder_path(set->folder, sizeof(set->folder), folder, "data", err);
    if (!code && there_is(folder, SCHEMA_FILE))
        code = folder_path(set->schema, sizeof(set->schema), folder, SCHEMA_FILE, err);
    if (!code)
        sort_files(set);
    return code;
}

static int each_entry(struct import_source *source, const char *folder, int (*entry)(struct import_source *, const char *folder, const char *name, struct err *), struct err *err)
{
    DIR *dir = opendir(folder);
    int code = dir ? 0 : err_set(err, ERR_IO, "%s cannot be read: %s", folder, strerror(errno));
    for (struct dirent *found; !code && (found = readdir(dir));)
        if (found->d_name[0] != '.')
            code = entry(source, folder, found->d_name, err);
    if (dir)
        closedir(dir);
    return code;
}

static int export_entry(struct import_source *source, const char *folder, const char *name, struct err *err)
{
    char path[FOLDER_PATH_SIZE];
    struct stat info;
    if (folder_path(path, sizeof(path), folder, name, err) || stat(path, &info) || !S_ISDIR(info.st_mode))
        return 0;
    return add_export(source, path, err);
}

static int by_table(const void *a, const void *b)
{
    const struct import_set *x = a, *y = b;
    int order = strcmp(x->summary.table, y->summary.table);
    return order ? order : strcmp(y->name, x->name); /* the newest first: ids begin with the time */
}

/* Two exports of a table are two states of it: the newer one is meant. */
static void keep_newest(struct import_source *source)
{
    size_t kept = 0;
    if (source->sets)
        qsort(source->set, source->sets, sizeof(*source->set), by_table);
    for (size_t i = 0; i < source->sets; i++) {
        if (kept && strcmp(source->set[kept - 1].summary.table, source->set[i].summary.table) == 0) {
            free(source->set[i].file);
            source->older++;
        } else
            source->set[kept++] = source->set[i];
    }
    source->sets = kept;
}

/* ---- plain files ---- */

static bool is_data_name(const char *name)
{
    size_t len = strlen(name);
    bool json = len > 5 && strcmp(name + len - 5, ".json") == 0, packed = len > 8 && strcmp(name + len - 8, ".json.gz") == 0;
    return (json || packed) && len <= IMPORT_NAME_MAX && strcmp(name, SCHEMA_FILE) != 0 && strncmp(name, "manifest-", 9) != 0;
}

static int plain_entry(struct import_source *source, const char *folder, const char *name, struct err *err)
{
    struct import_data_file file = {0};
    (void)folder;
    if (!is_data_name(name))
        return 0;
    snprintf(file.name, sizeof(file.name), "%s", name);
    return add_file(&source->set[source->sets - 1], &file, err);
}

static int open_plain_folder(struct import_source *source, const char *path, struct err *err)
{
    struct import_set *set;
    int code = add_set(source, base_name(path), path, &set, err);
    if (!code)
        code = each_entry(source, path, plain_entry, err);
    if (code)
        return code;
    if (!set->files)
        return err_set(err, ERR_NOT_FOUND, "%s has neither the folder AWSDynamoDB nor " SUMMARY " nor a file .json or .json.gz in it", path);
    if (there_is(path, SCHEMA_FILE))
        code = folder_path(set->schema, sizeof(set->schema), path, SCHEMA_FILE, err);
    sort_files(set);
    return code;
}

static int open_file(struct import_source *source, const char *path, struct err *err)
{
    char folder[FOLDER_PATH_SIZE];
    struct import_set *set;
    struct import_data_file file = {0};
    const char *name = base_name(path);
    source->is_file = true;
    snprintf(folder, sizeof(folder), "%.*s", name > path ? (int)(name - path - 1) : 1, name > path ? path : ".");
    int code = add_set(source, name, folder[0] ? folder : "/", &set, err);
    if (!code && (size_t)snprintf(file.name, sizeof(file.name), "%s", name) >= sizeof(file.name))
        code = err_set(err, ERR_TOO_LARGE, "the name %s is too long", name);
    return code ? code : add_file(set, &file, err);
}

/* ---- looking ---- */

static int open_folder(struct import_source *source, const char *path, struct err *err)
{
    char below[FOLDER_PATH_SIZE];
    if (there_is(path, SUMMARY))
        return add_export(source, path, err);
    if (there_is(path, "_started"))
        return err_set(err, ERR_SYNTAX, "%s is an export that was never finished: it has no " SUMMARY, path);
    bool inside = strcmp(base_name(path), "AWSDynamoDB") == 0, above = there_is(path, "AWSDynamoDB");
    if (!inside && !above)
        return open_plain_folder(source, path, err);
    int code = above ? folder_path(below, sizeof(below), path, "AWSDynamoDB", err) : 0;
    if (!code)
        code = each_entry(source, above ? below : path, export_entry, err);
    if (!code)
        keep_newest(source);
    if (!code && !source->sets)
        code = err_set(err, ERR_NOT_FOUND, "%s has no finished export in it (%zu unfinished: they have no " SUMMARY ")", path, source->unfinished);
    return code;
}

int import_source_open(struct import_source *source, const char *path, struct err *err)
{
    char whole[FOLDER_PATH_SIZE];
    struct stat info;
    size_t len = strlen(path);
    *source = (struct import_source){0};
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len >= sizeof(whole))
        return err_set(err, ERR_TOO_LARGE, "the path is too long");
    snprintf(whole, sizeof(whole), "%.*s", (int)len, path);
    int code = stat(whole, &info) ? err_set(err, ERR_NOT_FOUND, "%s cannot be read: %s", whole, strerror(errno))
               : S_ISDIR(info.st_mode) ? open_folder(source, whole, err)
                                       : open_file(source, whole, err);
    if (code)
        import_source_close(source);
    return code;
}

void import_source_close(struct import_source *source)
{
    for (size_t i = 0; i < source->sets; i++)
        free(source->set[i].file);
    free(source->set);
    *source = (struct import_source){0};
}

/* ---- a file ---- */

int import_file_check(const struct import_set *set, const struct import_data_file *file, struct err *err)
{
    char path[FOLDER_PATH_SIZE];
    unsigned char found[MD5_BYTES], *piece;
    int code = folder_path(path, sizeof(path), set->folder, file->name, err);
    if (code || !file->md5_known)
        return code;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_CORRUPT : ERR_IO, "data/%s, which the manifest names, cannot be read: %s", file->name, strerror(errno));
    struct md5 *md5 = md5_create();
    piece = malloc(PIECE);
    ssize_t got = 1;
    while (md5 && piece && got > 0)
        if ((got = read(fd, piece, PIECE)) > 0)
            md5_add(md5, piece, (size_t)got);
    close(fd);
    if (!md5 || !piece || got < 0)
        code = got < 0 ? err_set(err, ERR_IO, "data/%s cannot be read", file->name) : err_set(err, ERR_MEMORY, "out of memory");
    else {
        md5_end(md5, found);
        if (memcmp(found, file->md5, MD5_BYTES) != 0)
            code = err_set(err, ERR_CORRUPT, "data/%s does not have the checksum that the manifest says: it is damaged; copy it again", file->name);
    }
    free(piece);
    md5_destroy(md5);
    return code;
}

struct import_lines {
    gzFile file;
    char name[IMPORT_NAME_MAX + 1];
    struct buf bytes; /* read and not yet delivered */
    size_t at;
    uint64_t offset;  /* of bytes.data[at] */
    bool end;
};

int import_lines_open(struct import_lines **out, const struct import_set *set, const struct import_data_file *file, struct err *err)
{
    char path[FOLDER_PATH_SIZE];
    int code = folder_path(path, sizeof(path), set->folder, file->name, err);
    struct import_lines *lines = code ? NULL : calloc(1, sizeof(*lines));
    if (!lines)
        return code ? code : err_set(err, ERR_MEMORY, "out of memory");
    snprintf(lines->name, sizeof(lines->name), "%s", file->name);
    buf_init(&lines->bytes, IMPORT_LINE_MAX + 2 * PIECE);
    lines->file = gzopen(path, "rbe");
    if (!lines->file || buf_reserve(&lines->bytes, PIECE)) {
        code = err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s cannot be read: %s", path, strerror(errno));
        import_lines_close(lines);
        return code;
    }
    gzbuffer(lines->file, PIECE);
    *out = lines;
    return 0;
}

static int gz_failed(struct import_lines *lines, struct err *err)
{
    int number;
    gzerror(lines->file, &number);
    if (number == Z_ERRNO)
        return err_set(err, ERR_IO, "%s cannot be read: %s", lines->name, strerror(errno));
    return err_set(err, ERR_CORRUPT, "%s is damaged or cut off: its gzip stream ends or breaks behind byte %llu of the text", lines->name,
        (unsigned long long)(lines->offset + lines->bytes.len - lines->at));
}

int import_lines_seek(struct import_lines *lines, uint64_t offset, struct err *err)
{
    if (gzseek(lines->file, (z_off_t)offset, SEEK_SET) != (z_off_t)offset)
        return gz_failed(lines, err);
    buf_clear(&lines->bytes);
    lines->at = 0;
    lines->offset = offset;
    lines->end = false;
    return 0;
}

static int fill(struct import_lines *lines, struct err *err)
{
    buf_consume(&lines->bytes, lines->at);
    lines->at = 0;
    if (lines->bytes.len > IMPORT_LINE_MAX || buf_reserve(&lines->bytes, PIECE))
        return err_set(err, ERR_TOO_LARGE, "%s: the line at byte %llu is longer than %zu MiB", lines->name, (unsigned long long)lines->offset, IMPORT_LINE_MAX >> 20);
    int got = gzread(lines->file, lines->bytes.data + lines->bytes.len, PIECE), state;
    gzerror(lines->file, &state); /* a stream that is cut off ends with Z_BUF_ERROR and no bytes */
    if (got < 0 || (state != Z_OK && state != Z_STREAM_END))
        return gz_failed(lines, err);
    lines->bytes.len += (size_t)got;
    lines->end = got == 0;
    return 0;
}

int import_lines_next(struct import_lines *lines, struct text *line, uint64_t *offset, struct err *err)
{
    size_t looked = 0; /* bytes behind `at` without a line's end */
    for (;;) {
        const char *from = lines->bytes.data + lines->at;
        size_t have = lines->bytes.len - lines->at;
        const char *end = have > looked ? memchr(from + looked, '\n', have - looked) : NULL;
        if (!end && !lines->end) {
            looked = have;
            int code = fill(lines, err);
            if (code)
                return code;
            continue;
        }
        if (!end && !have)
            return ERR_NOT_FOUND;
        size_t len = end ? (size_t)(end - from) : have, taken = end ? len + 1 : len;
        *line = text_trim(text_make(from, len && from[len - 1] == '\r' ? len - 1 : len));
        lines->at += taken;
        lines->offset += taken;
        *offset = lines->offset;
        looked = 0;
        if (line->len)
            return 0;
    }
}

void import_lines_close(struct import_lines *lines)
{
    if (!lines)
        return;
    if (lines->file)
        gzclose(lines->file);
    buf_fini(&lines->bytes);
    free(lines);
}
