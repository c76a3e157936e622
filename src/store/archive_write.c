/* Writing a backup. Blocks are small enough to be packed in memory and large enough to pack well; the file is one pass from front to back. */
#include "store/archive.h"

#include "store/archive_form.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define PACK_LEVEL 3 /* a third of the time of the default, nearly its size */
#define PATH_MAX_BYTES 4096

struct archive_writer {
    int fd;
    char path[PATH_MAX_BYTES], partial[PATH_MAX_BYTES + 16];
    bool encrypted;
    unsigned char key[CIPHER_KEY_BYTES];
    struct buf plain, packed;
    uint32_t number, digest;
    struct archive_totals totals;
};

static int failed(struct archive_writer *w, const char *what, struct err *err)
{
    int why = errno;
    return err_set(err, why == ENOSPC || why == EDQUOT ? ERR_DISK_FULL : ERR_IO, "%s: %s: %s", w->partial, what, strerror(why));
}

static int write_all(struct archive_writer *w, const void *data, size_t len, struct err *err)
{
    const char *at = data;
    while (len) {
        ssize_t n = write(w->fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return failed(w, "cannot be written", err);
        at += n;
        len -= (size_t)n;
        w->totals.file_bytes += (uint64_t)n;
    }
    return 0;
}

static int write_head(struct archive_writer *w, const unsigned char *key, struct err *err)
{
    unsigned char salt[ARCHIVE_SALT];
    struct buf head;
    random_bytes(salt, sizeof(salt));
    if (key && cipher_derive(key, ARCHIVE_KEY_LABEL, text_make((char *)salt, sizeof(salt)), w->key, sizeof(w->key)))
        return err_set(err, ERR_INTERNAL, "the cipher failed");
    buf_init(&head, ARCHIVE_HEAD);
    buf_add(&head, ARCHIVE_MAGIC, 8);
    buf_add_be32(&head, ARCHIVE_VERSION);
    buf_add_be32(&head, key ? ARCHIVE_ENCRYPTED : 0);
    buf_add(&head, salt, sizeof(salt));
    uint32_t sum = head.failed ? 0 : hash_crc32c(0, head.data, head.len);
    buf_add_be32(&head, sum);
    w->digest = archive_chain(0, sum);
    int code = head.failed ? err_set(err, ERR_MEMORY, "out of memory") : write_all(w, head.data, head.len, err);
    buf_fini(&head);
    return code;
}

/* Head, packed bytes and tag in w->packed. */
static int pack(struct archive_writer *w, char kind, struct err *err)
{
    uLongf len = compressBound((uLong)w->plain.len);
    struct buf *out = &w->packed;
    buf_clear(out);
    buf_add_u8(out, (uint8_t)kind);
    buf_add_be32(out, w->number);
    buf_add_be32(out, (uint32_t)w->plain.len);
    if (out->failed || buf_reserve(out, ARCHIVE_BLOCK_HEAD + len + CIPHER_TAG_BYTES))
        return err_set(err, ERR_MEMORY, "out of memory");
    unsigned char *data = (unsigned char *)out->data + ARCHIVE_BLOCK_HEAD;
    if (compress2(data, &len, (const Bytef *)w->plain.data, (uLong)w->plain.len, PACK_LEVEL) != Z_OK)
        return err_set(err, ERR_INTERNAL, "zlib failed");
    size_t stored = len + (w->encrypted ? CIPHER_TAG_BYTES : 0);
    buf_add_be32(out, (uint32_t)stored);
    if (w->encrypted) {
        unsigned char nonce[CIPHER_NONCE_BYTES];
        archive_nonce(w->number, nonce);
        if (cipher_seal(w->key, nonce, text_make(out->data, ARCHIVE_CHECKED), (char *)data, len, data + len))
            return err_set(err, ERR_INTERNAL, "the cipher failed");
    }
    uint32_t sum = hash_crc32c(hash_crc32c(0, out->data, ARCHIVE_CHECKED), data, stored);
    buf_add_be32(out, sum);
    out->len = ARCHIVE_BLOCK_HEAD + stored;
    if (kind != 'F')
        w->digest = archive_chain(w->digest, sum);
    return 0;
}

static int write_block(struct archive_writer *w, char kind, struct err *err)
{
    if (w->number == UINT32_MAX)
        return err_set(err, ERR_TOO_LARGE, "%s: the table is too large for one backup", w->partial);
    int code = pack(w, kind, err);
    if (!code)
        code = write_all(w, w->packed.data, w->packed.len, err);
    w->number++;
    buf_clear(&w->plain);
    return code;
}

static int begin(struct archive_writer *w, const unsigned char *key, struct text header, struct err *err)
{
    int code = write_head(w, key, err);
    if (code)
        return code;
    if (buf_add_text(&w->plain, header))
        return err_set(err, ERR_MEMORY, "out of memory");
    return write_block(w, 'H', err);
}

int archive_create(struct archive_writer **out, const char *path, const unsigned char *key, struct text header, struct err *err)
{
    *out = NULL;
    if (strlen(path) >= PATH_MAX_BYTES || header.len > ARCHIVE_HEADER_MAX)
        return err_set(err, ERR_TOO_LARGE, "the path or the header of a backup is too long");
    struct archive_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return err_set(err, ERR_MEMORY, "out of memory");
    snprintf(w->path, sizeof(w->path), "%s", path);
    snprintf(w->partial, sizeof(w->partial), "%s.partial", path);
    w->encrypted = key != NULL;
    buf_init(&w->plain, ARCHIVE_BLOCK_MAX);
    buf_init(&w->packed, 2 * (size_t)ARCHIVE_BLOCK_MAX);
    w->fd = open(w->partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int code = w->fd < 0 ? failed(w, "cannot be made", err) : begin(w, key, header, err);
    if (code) {
        archive_abandon(w);
        return code;
    }
    *out = w;
    return 0;
}

int archive_add(struct archive_writer *w, struct text item, struct err *err)
{
    if (item.len > ARCHIVE_BLOCK_MAX - ARCHIVE_BLOCK_BYTES - 16)
        return err_set(err, ERR_TOO_LARGE, "an item of %zu bytes does not fit a backup", item.len);
    if (buf_add_bytes(&w->plain, item))
        return err_set(err, ERR_MEMORY, "out of memory");
    w->totals.items++;
    w->totals.item_bytes += item.len;
    return w->plain.len < ARCHIVE_BLOCK_BYTES ? 0 : write_block(w, 'I', err);
}

uint64_t archive_written(const struct archive_writer *w)
{
    return w->totals.file_bytes;
}

static int sync_folder(const char *path, struct err *err)
{
    char folder[PATH_MAX_BYTES];
    snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = 0;
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = fd >= 0 && fsync(fd) == 0 ? 0 : err_set(err, ERR_IO, "%s cannot be synced: %s", folder, strerror(errno));
    if (fd >= 0)
        close(fd);
    return code;
}

static int write_foot(struct archive_writer *w, struct err *err)
{
    buf_add_be64(&w->plain, w->totals.items);
    buf_add_be64(&w->plain, w->totals.item_bytes);
    buf_add_be32(&w->plain, w->number);
    buf_add_be32(&w->plain, w->digest);
    return w->plain.failed ? err_set(err, ERR_MEMORY, "out of memory") : write_block(w, 'F', err);
}

int archive_finish(struct archive_writer *w, struct archive_totals *totals, struct err *err)
{
    int code = w->plain.len ? write_block(w, 'I', err) : 0;
    if (!code)
        code = write_foot(w, err);
    if (!code && fsync(w->fd))
        code = failed(w, "cannot be synced", err);
    if (!code && rename(w->partial, w->path))
        code = failed(w, "cannot be renamed", err);
    if (!code)
        code = sync_folder(w->path, err);
    *totals = w->totals;
    archive_abandon(w);
    return code;
}

/* After a rename the name it removes is nobody's. */
void archive_abandon(struct archive_writer *w)
{
    if (!w)
        return;
    if (w->fd >= 0) {
        close(w->fd);
        unlink(w->partial);
    }
    buf_fini(&w->plain);
    buf_fini(&w->packed);
    cipher_forget(w->key, sizeof(w->key));
    free(w);
}
