/*
 * A token secret that nobody chose must not be one that everybody knows, so the development secret is drawn once for each data folder. It is linked
 * into place complete: of two programs that start at once both end up with the same one.
 */
#include "main/secret.h"

#include "base/codec.h"
#include "main/config.h"
#include "main/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SECRET_BYTES 32

static struct text without_line_end(struct text text)
{
    while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    return text;
}

int secret_file(const char *path, struct arena *arena, struct text *out, struct err *err)
{
    char bytes[CONFIG_SECRET_MAX + 3];
    FILE *file = fopen(path, "rb");
    if (!file)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    size_t len = fread(bytes, 1, sizeof(bytes), file);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed)
        return err_set(err, ERR_IO, "%s cannot be read", path);
    struct text text = without_line_end(text_make(bytes, len));
    if (!text.len)
        return err_set(err, ERR_MISSING, "%s is empty", path);
    if (text.len > CONFIG_SECRET_MAX)
        return err_set(err, ERR_TOO_LARGE, "%s is longer than %d bytes", path, CONFIG_SECRET_MAX);
    *out = arena_copy(arena, text);
    explicit_bzero(bytes, sizeof(bytes));
    return out->data ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static int write_new(const char *path, struct text bytes, struct err *err)
{
    char draft[4200];
    if ((size_t)snprintf(draft, sizeof(draft), "%s.%ld", path, (long)getpid()) >= sizeof(draft))
        return err_set(err, ERR_TOO_LARGE, "the path of the data folder is too long");
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, ERR_IO, "%s: %s", draft, strerror(errno));
    bool ok = write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len && fsync(fd) == 0;
    close(fd);
    ok = ok && (link(draft, path) == 0 || errno == EEXIST);
    int why = errno;
    unlink(draft);
    return ok ? 0 : err_set(err, ERR_IO, "%s: %s", path, strerror(why));
}

static int make(const char *path, struct err *err)
{
    unsigned char random[SECRET_BYTES];
    struct buf hex;
    if (RAND_bytes(random, sizeof(random)) != 1)
        return err_set(err, ERR_INTERNAL, "no random bytes for the development secret");
    buf_init(&hex, 4 * SECRET_BYTES);
    int code = hex_encode(&hex, text_make(random, sizeof(random)));
    if (!code)
        code = buf_add_char(&hex, '\n');
    if (!code)
        code = write_new(path, buf_text(&hex), err);
    else
        err_set(err, code, "out of memory");
    if (hex.data)
        explicit_bzero(hex.data, hex.len);
    buf_fini(&hex);
    return code;
}

int secret_development(const char *data, struct arena *arena, struct text *out, struct err *err)
{
    const char *given = getenv("JWT_SECRET"), *file = getenv("JWT_SECRET_FILE");
    char path[4096];
    if (given && *given) {
        *out = arena_copy(arena, text_of(given));
        return out->data ? 0 : err_set(err, ERR_MEMORY, "out of memory");
    }
    if (file && *file)
        return secret_file(file, arena, out, err);
    int code = folder_make(data, err);
    if (code)
        return code;
    if ((size_t)snprintf(path, sizeof(path), "%s/dev-jwt-secret", data) >= sizeof(path) - 16)
        return err_set(err, ERR_TOO_LARGE, "the path of the data folder is too long");
    if (access(path, F_OK) != 0) {
        code = make(path, err);
        if (code)
            return code;
    }
    return secret_file(path, arena, out, err);
}
