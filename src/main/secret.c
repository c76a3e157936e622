/*
 * A token secret that nobody chose must not be one that everybody knows, so the development secret is drawn once for each data folder. It is linked
 * into place complete: of two programs that start at once both end up with the same one. In an encrypted folder the file holds "sealed:" and, in hex, nonce,
 * secret and tag.
 */
#include "main/secret.h"

#include "base/codec.h"
#include "base/hash.h"
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

#define SEALED TEXT("sealed:")
#define SEALED_ABOUT TEXT("dev-jwt-secret")

/* Appends the sealed form of a secret. */
static int seal(const struct key_data *key, struct text secret, struct buf *out)
{
    unsigned char secrets[CIPHER_KEY_BYTES];
    char bytes[CIPHER_NONCE_BYTES + 2 * SECRET_BYTES + CIPHER_TAG_BYTES];
    if (secret.len != 2 * SECRET_BYTES || key_for(key, "secrets", secrets))
        return ERR_INTERNAL;
    memcpy(bytes + CIPHER_NONCE_BYTES, secret.data, secret.len);
    random_bytes(bytes, CIPHER_NONCE_BYTES);
    int code = cipher_seal(secrets, (unsigned char *)bytes, SEALED_ABOUT, bytes + CIPHER_NONCE_BYTES, secret.len,
        (unsigned char *)bytes + CIPHER_NONCE_BYTES + secret.len);
    if (!code)
        code = buf_add_text(out, SEALED);
    cipher_forget(secrets, sizeof(secrets));
    return code ? code : hex_encode(out, text_make(bytes, sizeof(bytes)));
}

/* Replaces what the file holds by the secret. */
static int unseal(const char *path, const struct key_data *key, struct arena *arena, struct text *secret, struct err *err)
{
    unsigned char secrets[CIPHER_KEY_BYTES];
    struct buf bytes;
    bool sealed = text_starts(*secret, SEALED);
    if (sealed != key->set)
        return err_set(err, ERR_CORRUPT, sealed ? "%s is sealed, and the data folder has no key" : "%s is not sealed, and the data folder is encrypted; remove the file to have a new one made", path);
    if (!sealed)
        return 0;
    buf_init(&bytes, CONFIG_SECRET_MAX);
    int code = hex_decode(&bytes, text_make(secret->data + SEALED.len, secret->len - SEALED.len));
    size_t around = CIPHER_NONCE_BYTES + CIPHER_TAG_BYTES;
    if (!code && bytes.len <= around)
        code = ERR_CORRUPT;
    if (!code)
        code = key_for(key, "secrets", secrets);
    if (!code)
        code = cipher_open(secrets, (unsigned char *)bytes.data, SEALED_ABOUT, bytes.data + CIPHER_NONCE_BYTES, bytes.len - around,
            (unsigned char *)bytes.data + bytes.len - CIPHER_TAG_BYTES);
    if (!code)
        *secret = arena_copy(arena, text_make(bytes.data + CIPHER_NONCE_BYTES, bytes.len - around));
    cipher_forget(secrets, sizeof(secrets));
    buf_fini(&bytes);
    if (code)
        return err_set(err, ERR_CORRUPT, "%s is damaged; remove the file to have a new one made", path);
    return secret->data ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static int make(const char *path, const struct key_data *key, struct err *err)
{
    unsigned char random[SECRET_BYTES];
    struct buf hex, sealed;
    if (RAND_bytes(random, sizeof(random)) != 1)
        return err_set(err, ERR_INTERNAL, "no random bytes for the development secret");
    buf_init(&hex, 4 * SECRET_BYTES);
    buf_init(&sealed, 16 * SECRET_BYTES);
    int code = hex_encode(&hex, text_make(random, sizeof(random)));
    if (!code)
        code = key->set ? seal(key, buf_text(&hex), &sealed) : buf_add_text(&sealed, buf_text(&hex));
    if (!code)
        code = buf_add_char(&sealed, '\n');
    if (!code)
        code = write_new(path, buf_text(&sealed), err);
    else
        err_set(err, code, "%s", err_text(code));
    cipher_forget(random, sizeof(random));
    if (sealed.data)
        explicit_bzero(sealed.data, sealed.len);
    buf_fini(&sealed);
    if (hex.data)
        explicit_bzero(hex.data, hex.len);
    buf_fini(&hex);
    return code;
}

int secret_development(const char *data, const struct key_data *key, struct arena *arena, struct text *out, struct err *err)
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
        code = make(path, key, err);
        if (code)
            return code;
    }
    code = secret_file(path, arena, out, err);
    return code ? code : unseal(path, key, arena, out, err);
}
