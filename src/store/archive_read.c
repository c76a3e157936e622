/*
 * Reading a backup. Order of belief: a block's head is held against the limits, its stored bytes are read and summed, then opened (when encrypted), then unpacked
 * into exactly the length it said; only then is anything in it looked at. Bytes of a file from elsewhere go the same way: fuzz/store_archive.c.
 */
#include "store/archive.h"

#include "base/cursor.h"
#include "store/archive_form.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define STORED_MAX (ARCHIVE_BLOCK_MAX + (64u << 10)) /* packed bytes of a block: incompressible ones grow a little */

struct archive_reader {
    int fd;
    bool encrypted, ended;
    unsigned char key[CIPHER_KEY_BYTES];
    struct buf stored, plain, header;
    size_t at; /* of the next item in plain */
    uint32_t number, digest;
    struct archive_totals totals;
};

static int damaged(struct err *err, const char *what, uint64_t offset)
{
    return err_set(err, ERR_CORRUPT, "the backup is damaged at byte %llu: %s", (unsigned long long)offset, what);
}

/* 0, ERR_TRUNCATED when the file ends before, ERR_IO. *got tells how much there was. */
static int read_all(struct archive_reader *r, void *out, size_t len, size_t *got, struct err *err)
{
    *got = 0;
    while (*got < len) {
        ssize_t n = read(r->fd, (char *)out + *got, len - *got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_IO, "a backup cannot be read: %s", strerror(errno));
        if (n == 0)
            return ERR_TRUNCATED;
        *got += (size_t)n;
        r->totals.file_bytes += (uint64_t)n;
    }
    return 0;
}

static int read_exactly(struct archive_reader *r, void *out, size_t len, struct err *err)
{
    size_t got;
    int code = read_all(r, out, len, &got, err);
    return code == ERR_TRUNCATED ? damaged(err, "it ends too early", r->totals.file_bytes) : code;
}

static int read_head(struct archive_reader *r, const unsigned char *key, struct err *err)
{
    char head[ARCHIVE_HEAD];
    int code = read_exactly(r, head, sizeof(head), err);
    if (code)
        return code;
    if (memcmp(head, ARCHIVE_MAGIC, 8) != 0)
        return damaged(err, "it is not a backup of weir", 0);
    struct cursor c = cursor_of(text_make(head + 8, sizeof(head) - 8));
    uint32_t version = cursor_be32(&c), flags = cursor_be32(&c);
    struct text salt = cursor_take(&c, ARCHIVE_SALT);
    uint32_t sum = cursor_be32(&c);
    if (hash_crc32c(0, head, ARCHIVE_HEAD - 4) != sum)
        return damaged(err, "its head does not match its checksum", 0);
    if (version != ARCHIVE_VERSION || (flags & ~ARCHIVE_ENCRYPTED))
        return err_set(err, ERR_VERSION, "the backup was written by another version of weir");
    r->encrypted = flags & ARCHIVE_ENCRYPTED;
    r->digest = archive_chain(0, sum);
    if (r->encrypted && !key)
        return err_set(err, ERR_FORBIDDEN, "the backup is encrypted, and the data folder is not");
    if (!r->encrypted && key)
        return err_set(err, ERR_FORBIDDEN, "the backup is not encrypted, and the data folder is: nobody can put a plain one among the encrypted ones");
    if (r->encrypted && cipher_derive(key, ARCHIVE_KEY_LABEL, salt, r->key, sizeof(r->key)))
        return err_set(err, ERR_INTERNAL, "the cipher failed");
    return 0;
}

static int unpack(struct archive_reader *r, uint32_t plain_len, uint64_t offset, struct err *err)
{
    uLongf len = plain_len;
    buf_clear(&r->plain);
    if (buf_reserve(&r->plain, plain_len ? plain_len : 1))
        return err_set(err, ERR_MEMORY, "out of memory");
    size_t packed = r->stored.len - (r->encrypted ? CIPHER_TAG_BYTES : 0);
    int code = uncompress((Bytef *)r->plain.data, &len, (const Bytef *)r->stored.data, (uLong)packed);
    if (code != Z_OK || len != plain_len)
        return damaged(err, "a block cannot be unpacked", offset);
    r->plain.len = plain_len;
    return 0;
}

/* The next block, unpacked. */
static int read_block(struct archive_reader *r, char *kind, struct err *err)
{
    char head[ARCHIVE_BLOCK_HEAD];
    uint64_t offset = r->totals.file_bytes;
    int code = read_exactly(r, head, sizeof(head), err);
    if (code)
        return code;
    struct cursor c = cursor_of(text_make(head, sizeof(head)));
    *kind = (char)cursor_u8(&c);
    uint32_t number = cursor_be32(&c), plain_len = cursor_be32(&c), stored_len = cursor_be32(&c), sum = cursor_be32(&c);
    if (number != r->number || plain_len > ARCHIVE_BLOCK_MAX || stored_len > STORED_MAX || (r->encrypted && stored_len < CIPHER_TAG_BYTES))
        return damaged(err, "a block's head makes no sense", offset);
    buf_clear(&r->stored);
    if (buf_reserve(&r->stored, stored_len + 1))
        return err_set(err, ERR_MEMORY, "out of memory");
    code = read_exactly(r, r->stored.data, stored_len, err);
    if (code)
        return code;
    r->stored.len = stored_len;
    if (hash_crc32c(hash_crc32c(0, head, ARCHIVE_CHECKED), r->stored.data, stored_len) != sum)
        return damaged(err, "a block does not match its checksum", offset);
    if (r->encrypted) {
        unsigned char nonce[CIPHER_NONCE_BYTES];
        size_t len = stored_len - CIPHER_TAG_BYTES;
        archive_nonce(number, nonce);
        if (cipher_open(r->key, nonce, text_make(head, ARCHIVE_CHECKED), r->stored.data, len, (unsigned char *)r->stored.data + len))
            return damaged(err, "a block is not what was sealed with this folder's key", offset);
    }
    code = unpack(r, plain_len, offset, err);
    r->number++;
    if (!code && *kind != 'F')
        r->digest = archive_chain(r->digest, sum);
    return code;
}

static int read_header(struct archive_reader *r, struct text *header, struct err *err)
{
    char kind;
    int code = read_block(r, &kind, err);
    if (code)
        return code;
    if (kind != 'H' || r->plain.len > ARCHIVE_HEADER_MAX)
        return damaged(err, "it does not begin with a header", ARCHIVE_HEAD);
    if (buf_add_text(&r->header, buf_text(&r->plain)))
        return err_set(err, ERR_MEMORY, "out of memory");
    *header = buf_text(&r->header);
    buf_clear(&r->plain);
    return 0;
}

int archive_open_file(struct archive_reader **out, int fd, const unsigned char *key, struct text *header, struct err *err)
{
    struct archive_reader *r = calloc(1, sizeof(*r));
    *out = NULL;
    if (!r) {
        close(fd);
        return err_set(err, ERR_MEMORY, "out of memory");
    }
    r->fd = fd;
    buf_init(&r->stored, STORED_MAX + 1);
    buf_init(&r->plain, ARCHIVE_BLOCK_MAX + 1);
    buf_init(&r->header, ARCHIVE_HEADER_MAX);
    int code = read_head(r, key, err);
    if (!code)
        code = read_header(r, header, err);
    if (code) {
        archive_close(r);
        return code;
    }
    *out = r;
    return 0;
}

int archive_open(struct archive_reader **out, const char *path, const unsigned char *key, struct text *header, struct err *err)
{
    *out = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
    return archive_open_file(out, fd, key, header, err);
}

/* The foot must say what was read, and be the last. */
static int check_foot(struct archive_reader *r, struct err *err)
{
    struct cursor c = cursor_of(buf_text(&r->plain));
    uint64_t items = cursor_be64(&c), bytes = cursor_be64(&c);
    uint32_t blocks = cursor_be32(&c), digest = cursor_be32(&c);
    char more;
    size_t got;
    if (c.failed || cursor_left(&c) || items != r->totals.items || bytes != r->totals.item_bytes || blocks + 1 != r->number || digest != r->digest)
        return damaged(err, "its foot does not fit what stands before it", r->totals.file_bytes);
    int code = read_all(r, &more, 1, &got, err);
    if (code != ERR_TRUNCATED)
        return code ? code : damaged(err, "something stands behind its foot", r->totals.file_bytes);
    r->ended = true;
    return 0;
}

int archive_next(struct archive_reader *r, struct text *item, struct err *err)
{
    char kind;
    if (r->ended)
        return ERR_NOT_FOUND;
    while (r->at == r->plain.len) {
        r->at = 0;
        int code = read_block(r, &kind, err);
        if (!code && kind == 'F')
            code = check_foot(r, err);
        else if (!code && (kind != 'I' || !r->plain.len))
            code = damaged(err, "a block is of no known kind", r->totals.file_bytes);
        if (code) {
            buf_clear(&r->plain);
            return code;
        }
        if (r->ended)
            return ERR_NOT_FOUND;
    }
    struct cursor c = cursor_of(text_make(r->plain.data + r->at, r->plain.len - r->at));
    *item = cursor_bytes(&c);
    if (c.failed)
        return damaged(err, "an item is longer than its block", r->totals.file_bytes);
    r->at = r->plain.len - cursor_left(&c);
    r->totals.items++;
    r->totals.item_bytes += item->len;
    return 0;
}

struct archive_totals archive_totals(const struct archive_reader *r)
{
    return r->totals;
}

void archive_close(struct archive_reader *r)
{
    if (!r)
        return;
    close(r->fd);
    buf_fini(&r->stored);
    buf_fini(&r->plain);
    buf_fini(&r->header);
    cipher_forget(r->key, sizeof(r->key));
    free(r);
}
