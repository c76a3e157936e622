/* zlib's stream and not its gzFile: the checksum in the manifest is of the compressed bytes, and is made as they are written. */
#include "main/export_file.h"

#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "main/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define PIECE (256u << 10)
#define LEVEL 6
#define PREFIX "{\"Item\":"
#define SUFFIX "}\n"

struct export_file {
    char folder[FOLDER_PATH_SIZE], path[FOLDER_PATH_SIZE];
    struct export_done done;
    uint64_t packed;
    z_stream z;
    bool z_made;
    struct md5 *md5;
    int fd;
    unsigned char piece[PIECE];
};

/* ---- a data file ---- */

static void random_name(char out[EXPORT_NAME_SIZE])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char bytes[26];
    random_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        out[i] = letters[bytes[i] & 31];
    snprintf(out + sizeof(bytes), EXPORT_NAME_SIZE - sizeof(bytes), ".json.gz");
}

static void file_free(struct export_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    if (file->z_made)
        deflateEnd(&file->z);
    md5_destroy(file->md5);
    free(file);
}

int export_file_open(struct export_file **out, const char *folder, struct err *err)
{
    struct export_file *file = calloc(1, sizeof(*file));
    if (!file)
        return err_set(err, ERR_MEMORY, "out of memory");
    file->fd = -1;
    file->md5 = md5_create();
    file->z_made = file->md5 && deflateInit2(&file->z, LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    int code = file->z_made ? 0 : err_set(err, ERR_MEMORY, "out of memory, or this machine's OpenSSL has no MD5");
    random_name(file->done.name);
    if (!code && ((size_t)snprintf(file->folder, sizeof(file->folder), "%s", folder) >= sizeof(file->folder) ||
                     (size_t)snprintf(file->path, sizeof(file->path), "%s/%s.partial", folder, file->done.name) >= sizeof(file->path)))
        code = err_set(err, ERR_TOO_LARGE, "the path of the folder is too long");
    if (!code && (file->fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640)) < 0)
        code = err_set(err, ERR_IO, "%s cannot be made: %s", file->path, strerror(errno));
    if (code)
        file_free(file);
    else
        *out = file;
    return code;
}

static int put_packed(struct export_file *file, struct err *err)
{
    size_t len = PIECE - file->z.avail_out;
    md5_add(file->md5, file->piece, len);
    file->packed += len;
    for (size_t at = 0; at < len;) {
        ssize_t put = write(file->fd, file->piece + at, len - at);
        if (put < 0 && errno != EINTR)
            return err_set(err, errno == ENOSPC || errno == EDQUOT ? ERR_DISK_FULL : ERR_IO, "%s cannot be written: %s", file->path, strerror(errno));
        at += put > 0 ? (size_t)put : 0;
    }
    return 0;
}

static int pack(struct export_file *file, struct text bytes, int flush, struct err *err)
{
    int state = Z_OK, code = 0;
    file->z.next_in = (Bytef *)(uintptr_t)bytes.data;
    file->z.avail_in = (uInt)bytes.len;
    do {
        file->z.next_out = file->piece;
        file->z.avail_out = PIECE;
        state = deflate(&file->z, flush);
        code = state == Z_STREAM_ERROR ? err_set(err, ERR_INTERNAL, "zlib failed") : put_packed(file, err);
    } while (!code && (flush == Z_FINISH ? state != Z_STREAM_END : file->z.avail_in > 0 || file->z.avail_out == 0));
    return code;
}

int export_file_add(struct export_file *file, struct text item, struct err *err)
{
    int code = pack(file, TEXT(PREFIX), Z_NO_FLUSH, err);
    if (!code)
        code = pack(file, item, Z_NO_FLUSH, err);
    if (!code)
        code = pack(file, TEXT(SUFFIX), Z_NO_FLUSH, err);
    file->done.items++;
    file->done.bytes += item.len;
    return code;
}

bool export_file_is_full(const struct export_file *file)
{
    return file->packed >= EXPORT_FILE_BYTES;
}

int export_file_close(struct export_file *file, struct export_done *done, struct err *err)
{
    char name[FOLDER_PATH_SIZE];
    int code = pack(file, TEXT_NONE, Z_FINISH, err);
    if (!code && fdatasync(file->fd))
        code = err_set(err, ERR_IO, "%s cannot be synced: %s", file->path, strerror(errno));
    if (!code)
        code = folder_path(name, sizeof(name), file->folder, file->done.name, err);
    if (!code && rename(file->path, name))
        code = err_set(err, ERR_IO, "%s cannot be named: %s", file->path, strerror(errno));
    if (code) {
        export_file_abandon(file);
        return code;
    }
    md5_end(file->md5, file->done.md5);
    *done = file->done;
    file_free(file);
    return 0;
}

void export_file_abandon(struct export_file *file)
{
    if (!file)
        return;
    unlink(file->path);
    file_free(file);
}

/* ---- the manifests ---- */

static void member(struct json_writer *w, const char *name, struct text value)
{
    json_name(w, name);
    if (value.data)
        json_text(w, value);
    else
        json_null(w);
}

static void member_number(struct json_writer *w, const char *name, uint64_t value)
{
    json_name(w, name);
    json_u64(w, value);
}

static void member_time(struct json_writer *w, const char *name, int64_t ms)
{
    char iso[CLOCK_ISO_SIZE];
    clock_format_iso(ms, iso);
    member(w, name, text_of(iso));
}

static void member_md5(struct json_writer *w, const unsigned char md5[MD5_BYTES])
{
    struct buf text;
    buf_init(&text, 64);
    base64_encode(&text, text_make(md5, MD5_BYTES));
    member(w, "md5Checksum", buf_text(&text));
    buf_clear(&text);
    hex_encode(&text, text_make(md5, MD5_BYTES));
    buf_add_text(&text, TEXT("-1")); /* S3's tag of an upload in one part */
    member(w, "etag", buf_text(&text));
    buf_fini(&text);
}

static void write_files(const struct export_manifest *m, struct buf *out)
{
    for (size_t i = 0; i < m->files; i++) {
        const struct export_done *done = &m->done[i];
        struct json_writer w;
        char key[256];
        snprintf(key, sizeof(key), "AWSDynamoDB/%s/data/%s", m->id, done->name);
        json_writer_init(&w, out);
        json_begin_object(&w);
        member_number(&w, "itemCount", done->items);
        member_md5(&w, done->md5);
        member(&w, "dataFileS3Key", text_of(key));
        json_end_object(&w);
        buf_add_char(out, '\n');
    }
}

static void write_summary(const struct export_manifest *m, struct buf *out)
{
    struct json_writer w;
    struct buf arn;
    char key[128];
    uint64_t items = 0, bytes = 0;
    for (size_t i = 0; i < m->files; i++) {
        items += m->done[i].items;
        bytes += m->done[i].bytes;
    }
    buf_init(&arn, 4096);
    buf_add_format(&arn, "%.*s/export/%s", TEXT_FMT(m->table_arn), m->id);
    snprintf(key, sizeof(key), "AWSDynamoDB/%s/manifest-files.json", m->id);
    json_writer_init(&w, out);
    json_begin_object(&w);
    member(&w, "version", TEXT("2020-06-30"));
    member(&w, "exportArn", buf_text(&arn));
    member_time(&w, "startTime", m->start_ms);
    member_time(&w, "endTime", m->end_ms);
    member(&w, "tableArn", m->table_arn);
    member(&w, "tableId", m->table_id);
    member_time(&w, "exportTime", m->start_ms);
    member(&w, "s3Bucket", text_of(m->bucket));
    member(&w, "s3Prefix", TEXT_NONE);
    member(&w, "s3SseAlgorithm", TEXT_NONE);
    member(&w, "s3SseKmsKeyId", TEXT_NONE);
    member(&w, "manifestFilesS3Key", text_of(key));
    member_number(&w, "billedSizeBytes", bytes);
    member_number(&w, "itemCount", items);
    member(&w, "outputFormat", TEXT("DYNAMODB_JSON"));
    member(&w, "exportType", TEXT("FULL_EXPORT"));
    json_end_object(&w);
    buf_add_char(out, '\n');
    buf_fini(&arn);
}

/* <name>.json and <name>.checksum, the base64 of its MD5. */
static int write_pair(const char *folder, const char *name, struct text bytes, struct err *err)
{
    char path[FOLDER_PATH_SIZE];
    unsigned char digest[MD5_BYTES];
    struct buf text;
    struct md5 *md5 = md5_create();
    if (!md5)
        return err_set(err, ERR_MEMORY, "out of memory");
    md5_add(md5, bytes.data, bytes.len);
    md5_end(md5, digest);
    md5_destroy(md5);
    buf_init(&text, 64);
    base64_encode(&text, text_make(digest, MD5_BYTES));
    int code = (size_t)snprintf(path, sizeof(path), "%s/%s.checksum", folder, name) >= sizeof(path) ? err_set(err, ERR_TOO_LARGE, "the path is too long") : 0;
    if (!code)
        code = file_write(path, text.data, text.len, err);
    snprintf(path, sizeof(path), "%s/%s.json", folder, name);
    if (!code)
        code = file_write(path, bytes.data, bytes.len, err);
    buf_fini(&text);
    return code;
}

int export_manifest_write(const struct export_manifest *manifest, struct err *err)
{
    struct buf out;
    buf_init(&out, manifest->files * 512 + 16384);
    write_files(manifest, &out);
    int code = out.failed ? err_set(err, ERR_MEMORY, "out of memory") : write_pair(manifest->folder, "manifest-files", buf_text(&out), err);
    buf_clear(&out);
    write_summary(manifest, &out);
    if (!code)
        code = out.failed ? err_set(err, ERR_MEMORY, "out of memory") : folder_sync(manifest->folder, err);
    if (!code)
        code = write_pair(manifest->folder, "manifest-summary", buf_text(&out), err);
    buf_fini(&out);
    return code ? code : folder_sync(manifest->folder, err);
}
