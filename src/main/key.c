/*
 * Two keys and not one, so that the master key can be changed without writing all data again: only the wrapping of the data key changes. The price
 * is that whoever once had both the old master key and a copy of <data>/key has the data key for ever.
 *
 * <data>/key is one line of JSON: the version, the master key's id (a hash: it tells a wrong key from a damaged file), a nonce, the wrapped data key with its
 * tag, and a check of the data key. It is written before anything else in the folder and synced, so there is never encrypted data without it; it is
 * replaced by a rename. Lost, all is lost: it belongs in every backup, and a copy of the folder has it.
 */
#include "main/key.h"

#include "base/codec.h"
#include "base/hash.h"
#include "base/json.h"
#include "main/exit.h"
#include "main/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION 1
#define FILE_MAX 1024 /* bytes of <data>/key */
#define GIVEN_MAX 256 /* bytes of a master key, line ends included */
#define ID_BYTES 8
#define CHECK_BYTES 16
#define PATH_SIZE 4096

/* ---- the master key ---- */

static bool take_bytes(struct text bytes, struct key_master *out)
{
    if (bytes.len != CIPHER_KEY_BYTES)
        return false;
    memcpy(out->bytes, bytes.data, CIPHER_KEY_BYTES);
    out->set = true;
    return true;
}

static bool all_hex(struct text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!text.data[i] || !strchr("0123456789abcdefABCDEF", text.data[i]))
            return false;
    return true;
}

int key_parse(struct text given, bool raw, const char *where, struct key_master *out, struct err *err)
{
    struct buf bytes;
    /* 32 hex digits in a file would pass for 32 bytes, and are only 16. */
    if (raw && given.len == CIPHER_KEY_BYTES && !all_hex(given) && take_bytes(given, out))
        return 0;
    while (given.len && (given.data[given.len - 1] == '\n' || given.data[given.len - 1] == '\r'))
        given.len--;
    buf_init(&bytes, 2 * CIPHER_KEY_BYTES);
    bool ok = given.len == 2 * CIPHER_KEY_BYTES ? hex_decode(&bytes, given) == 0
                                                : given.len == (CIPHER_KEY_BYTES + 2) / 3 * 4 && base64_decode(&bytes, given) == 0;
    ok = ok && take_bytes(buf_text(&bytes), out);
    if (bytes.data)
        cipher_forget(bytes.data, bytes.cap);
    buf_fini(&bytes);
    return ok ? 0 : err_set(err, ERR_INVALID, "%s is not a key: 32 bytes as 64 hex digits or as base64%s; `openssl rand -hex 32` makes one", where,
                        raw ? ", or just the bytes" : "");
}

/* All of a small file; *len > size - 1 says that it is larger. ERR_IO with errno left for the caller. */
static int read_small(const char *path, char *out, size_t size, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = 1;
    *len = 0;
    if (fd < 0)
        return ERR_IO;
    while (got > 0 && *len < size) {
        got = read(fd, out + *len, size - *len);
        *len += got > 0 ? (size_t)got : 0;
    }
    int why = errno;
    close(fd);
    errno = why;
    return got < 0 ? ERR_IO : 0;
}

int key_file(const char *path, struct key_master *out, struct err *err)
{
    char bytes[GIVEN_MAX];
    size_t len;
    int code = read_small(path, bytes, sizeof(bytes), &len);
    if (code)
        err_set(err, code, "%s: %s", path, strerror(errno));
    else
        code = key_parse(text_make(bytes, len), true, path, out, err);
    cipher_forget(bytes, sizeof(bytes));
    return code;
}

int key_variable(const char *name, struct key_master *out, struct err *err)
{
    const char *value = getenv(name);
    char where[128];
    if (!value || !*value)
        return err_set(err, ERR_MISSING, "the environment variable %.80s is not set", name);
    snprintf(where, sizeof(where), "the environment variable %.80s", name);
    return key_parse(text_of(value), false, where, out, err);
}

int key_environment(struct key_master *out, struct err *err)
{
    const char *value = getenv("WEIR_ENCRYPTION_KEY"), *path = getenv("WEIR_ENCRYPTION_KEY_FILE");
    if (value && *value)
        return key_variable("WEIR_ENCRYPTION_KEY", out, err);
    return path && *path ? key_file(path, out, err) : 0;
}

/* ---- the key file ---- */

struct wrapped {
    unsigned char id[ID_BYTES], nonce[CIPHER_NONCE_BYTES], key[CIPHER_KEY_BYTES + CIPHER_TAG_BYTES], check[CHECK_BYTES];
};

static int check_of(const unsigned char *key, unsigned char out[CHECK_BYTES])
{
    return cipher_derive(key, "weir data key check", TEXT_NONE, out, CHECK_BYTES);
}

static int id_of(const struct key_master *master, unsigned char out[ID_BYTES])
{
    return cipher_derive(master->bytes, "weir master key id", TEXT_NONE, out, ID_BYTES);
}

static int wrap(const struct key_master *master, const struct key_data *key, struct wrapped *out)
{
    unsigned char wrapping[CIPHER_KEY_BYTES];
    memcpy(out->key, key->bytes, CIPHER_KEY_BYTES);
    int code = cipher_derive(master->bytes, "weir master key wraps", TEXT_NONE, wrapping, sizeof(wrapping));
    if (!code)
        code = id_of(master, out->id);
    if (!code)
        code = check_of(key->bytes, out->check);
    random_bytes(out->nonce, sizeof(out->nonce));
    if (!code)
        code = cipher_seal(wrapping, out->nonce, text_make(out->id, ID_BYTES), (char *)out->key, CIPHER_KEY_BYTES, out->key + CIPHER_KEY_BYTES);
    cipher_forget(wrapping, sizeof(wrapping));
    return code;
}

static int damaged(const char *path, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "%s is damaged; put it back from a backup of this folder: without it the data cannot be read", path);
}

static int unwrap(const char *path, const struct wrapped *wrapped, const struct key_master *master, struct key_data *out, struct err *err)
{
    unsigned char wrapping[CIPHER_KEY_BYTES], id[ID_BYTES], check[CHECK_BYTES];
    struct wrapped copy = *wrapped;
    if (id_of(master, id) || cipher_derive(master->bytes, "weir master key wraps", TEXT_NONE, wrapping, sizeof(wrapping)))
        return err_set(err, ERR_INTERNAL, "the cipher failed");
    if (memcmp(id, wrapped->id, ID_BYTES) != 0)
        return err_set(err, ERR_FORBIDDEN, "the encryption key is not the one that %s was made with (its id is %02x%02x%02x%02x..., this one's is %02x%02x%02x%02x...)",
            path, wrapped->id[0], wrapped->id[1], wrapped->id[2], wrapped->id[3], id[0], id[1], id[2], id[3]);
    int code = cipher_open(wrapping, copy.nonce, text_make(copy.id, ID_BYTES), (char *)copy.key, CIPHER_KEY_BYTES, copy.key + CIPHER_KEY_BYTES);
    cipher_forget(wrapping, sizeof(wrapping));
    if (!code && (check_of(copy.key, check) || memcmp(check, copy.check, CHECK_BYTES) != 0))
        code = ERR_CORRUPT;
    if (!code) {
        memcpy(out->bytes, copy.key, CIPHER_KEY_BYTES);
        out->set = true;
    }
    cipher_forget(&copy, sizeof(copy));
    return code ? damaged(path, err) : 0;
}

static bool hex_member(const struct json *root, const char *name, unsigned char *out, size_t len)
{
    const struct json *member = json_get_str(root, name);
    struct buf bytes;
    buf_init(&bytes, len);
    bool ok = json_is(member, JSON_STRING) && member->text.len == 2 * len && hex_decode(&bytes, member->text) == 0 && bytes.len == len;
    if (ok)
        memcpy(out, bytes.data, len);
    buf_fini(&bytes);
    return ok;
}

/* ERR_NOT_FOUND without words: there is none. */
static int read_wrapped(const char *path, struct wrapped *out, struct err *err)
{
    char bytes[FILE_MAX];
    size_t len;
    struct arena arena;
    const struct json *root;
    int64_t version;
    if (read_small(path, bytes, sizeof(bytes), &len))
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    arena_init(&arena, 4096, 64 << 10);
    int code = len < sizeof(bytes) && json_parse(&arena, text_make(bytes, len), JSON_REFUSE_DUPLICATES, &root, NULL) == 0 ? 0 : ERR_CORRUPT;
    if (!code && json_to_i64(json_get_str(root, "version"), &version) == 0 && version > VERSION)
        code = ERR_VERSION;
    else if (!code && !(json_get_str(root, "version") && hex_member(root, "id", out->id, ID_BYTES) && hex_member(root, "nonce", out->nonce, CIPHER_NONCE_BYTES) &&
                          hex_member(root, "key", out->key, sizeof(out->key)) && hex_member(root, "check", out->check, CHECK_BYTES)))
        code = ERR_CORRUPT;
    arena_fini(&arena);
    if (code == ERR_VERSION)
        return err_set(err, code, "%s was written by a newer version of weir", path);
    return code ? damaged(path, err) : 0;
}

static void add_hex(struct buf *out, const char *name, const unsigned char *bytes, size_t len)
{
    buf_add_format(out, ",\"%s\":\"", name);
    hex_encode(out, text_make(bytes, len));
    buf_add_char(out, '"');
}

static bool sync_folder(const char *data)
{
    int fd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Complete and synced under its name, or not at all. ERR_EXISTS: with `fresh`, and there is one. */
static int write_wrapped(const char *data, const char *path, const struct wrapped *wrapped, bool fresh, struct err *err)
{
    char draft[PATH_SIZE + 32];
    struct buf line;
    buf_init(&line, FILE_MAX);
    buf_add_format(&line, "{\"version\":%d,\"cipher\":\"AES-256-GCM\"", VERSION);
    add_hex(&line, "id", wrapped->id, ID_BYTES);
    add_hex(&line, "nonce", wrapped->nonce, CIPHER_NONCE_BYTES);
    add_hex(&line, "key", wrapped->key, sizeof(wrapped->key));
    add_hex(&line, "check", wrapped->check, CHECK_BYTES);
    buf_add(&line, "}\n", 2);
    snprintf(draft, sizeof(draft), "%s.%ld", path, (long)getpid());
    int fd = line.failed ? -1 : open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, line.data, line.len) == (ssize_t)line.len && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    ok = ok && (fresh ? link(draft, path) : rename(draft, path)) == 0 && sync_folder(data);
    int why = errno;
    unlink(draft);
    buf_fini(&line);
    if (!ok && fresh && why == EEXIST)
        return ERR_EXISTS;
    return ok ? 0 : err_set(err, ERR_IO, "%s cannot be written: %s", path, strerror(why));
}

/* ---- opening ---- */

static bool there_is(const char *data, const char *name)
{
    char path[PATH_SIZE];
    return folder_path(path, sizeof(path), data, name, NULL) == 0 && access(path, F_OK) == 0;
}

/* The tables' first file tells, also when the key file is gone. */
static bool looks_encrypted(const char *data)
{
    char path[PATH_SIZE], begin[8];
    size_t len;
    return folder_path(path, sizeof(path), data, "tables/CURRENT", NULL) == 0 && read_small(path, begin, sizeof(begin), &len) == 0 && len == sizeof(begin) &&
           memcmp(begin, "weirfile", sizeof(begin)) == 0;
}

static int make(const char *data, const char *path, const struct key_master *master, struct key_data *out, struct err *err)
{
    struct wrapped wrapped;
    int code = folder_make(data, err);
    if (code)
        return code;
    random_bytes(out->bytes, sizeof(out->bytes));
    code = wrap(master, out, &wrapped);
    if (code)
        return err_set(err, code, "the data key cannot be made");
    code = write_wrapped(data, path, &wrapped, true, err);
    if (code == ERR_EXISTS) { /* another process was faster: its key counts */
        code = read_wrapped(path, &wrapped, err);
        return code ? code : unwrap(path, &wrapped, master, out, err);
    }
    out->set = code == 0;
    return code;
}

/* There is no key file. */
static int open_without(const char *data, const char *path, const struct key_master *master, bool create, struct key_data *out, struct err *err)
{
    if (looks_encrypted(data))
        return err_set(err, ERR_CORRUPT, "the data in %s is encrypted, and %s is missing; put it back from a backup: without it the data cannot be read", data, path);
    if (!master->set)
        return 0;
    if (there_is(data, "tables") || there_is(data, "journal") || there_is(data, "dev-jwt-secret"))
        return err_set(err, ERR_FORBIDDEN,
            "an encryption key is set, and the data in %s is not encrypted. Encryption begins with an empty folder: give another one, or run without the key", data);
    return create ? make(data, path, master, out, err) : 0;
}

int key_open(const char *data, const struct key_master *master, bool create, struct key_data *out, struct err *err)
{
    char path[PATH_SIZE];
    struct wrapped wrapped;
    *out = (struct key_data){0};
    int code = folder_path(path, sizeof(path), data, "key", err);
    if (!code)
        code = read_wrapped(path, &wrapped, err);
    if (code == ERR_NOT_FOUND)
        return open_without(data, path, master, create, out, err);
    if (code)
        return code;
    if (!master->set)
        return err_set(err, ERR_FORBIDDEN, "%s is encrypted: give its key as `encryption` in the configuration, WEIR_ENCRYPTION_KEY or WEIR_ENCRYPTION_KEY_FILE", data);
    return unwrap(path, &wrapped, master, out, err);
}

/* ---- another master key ---- */

/* Two at once would each believe in their own new key. The lock is on the file that is about to be replaced, so it must still be the one of that name. */
static int lock_key(const char *path, struct err *err)
{
    struct stat locked, named;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "there is no %s: the folder is not encrypted", path) : err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &locked) == 0 && stat(path, &named) == 0 && locked.st_ino == named.st_ino && locked.st_dev == named.st_dev)
        return fd;
    close(fd);
    return err_set(err, ERR_AGAIN, "another process is changing %s", path);
}

int key_rewrap(const char *data, const struct key_master *from, const struct key_master *to, struct err *err)
{
    char path[PATH_SIZE];
    struct wrapped wrapped;
    struct key_data key = {0};
    int code = folder_path(path, sizeof(path), data, "key", err);
    int fd = code ? code : lock_key(path, err);
    if (fd < 0)
        return fd;
    code = read_wrapped(path, &wrapped, err);
    if (code == ERR_NOT_FOUND)
        err_set(err, code, "there is no %s: the folder is not encrypted", path);
    if (!code)
        code = unwrap(path, &wrapped, from, &key, err);
    if (!code && wrap(to, &key, &wrapped))
        code = err_set(err, ERR_INTERNAL, "the cipher failed");
    if (!code)
        code = write_wrapped(data, path, &wrapped, false, err);
    cipher_forget(&key, sizeof(key));
    close(fd);
    return code;
}

int key_for(const struct key_data *key, const char *use, unsigned char out[CIPHER_KEY_BYTES])
{
    char label[64];
    snprintf(label, sizeof(label), "weir data key for %s", use);
    return cipher_derive(key->bytes, label, TEXT_NONE, out, CIPHER_KEY_BYTES);
}

int key_exit(int code)
{
    switch (code) {
    case 0:
        return EXIT_OK;
    case ERR_FORBIDDEN:
        return EXIT_KEY;
    case ERR_CORRUPT:
    case ERR_VERSION:
        return EXIT_DATA;
    case ERR_INVALID:
    case ERR_MISSING:
        return EXIT_CONFIG;
    default:
        return EXIT_FAILED;
    }
}
