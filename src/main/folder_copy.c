/*
 * Plain reads and writes, a mebibyte at a time, synced every 16: a copy that left gigabytes of unwritten pages behind would stand before the journal's next
 * sync, and a server is meant to serve while its folder is copied. What was written is dropped from the page cache, where it would push out what is read.
 *
 * A draft carries a mark (`.unfinished`), locked by who makes it. So an interrupted run is told from a folder of the user's that happens to be called so, and
 * from one that is being made at this moment.
 */
#include "main/folder_copy.h"

#include "main/folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE ((size_t)1 << 20)
#define SYNC_EVERY (UINT64_C(16) << 20)
#define MARK ".unfinished"

static int failed(const char *what, const char *path, int why, struct err *err)
{
    int code = why == ENOSPC || why == EDQUOT ? ERR_DISK_FULL : ERR_IO;
    return err_set(err, code, "%s cannot be %s: %s", path, what, strerror(why));
}

int copy_step(struct copy_watch *watch, uint64_t bytes)
{
    atomic_fetch_add_explicit(&watch->done, bytes, memory_order_relaxed);
    if (watch->on_step)
        watch->on_step(watch->context);
    return atomic_load_explicit(&watch->stop, memory_order_relaxed) ? ERR_CLOSED : 0;
}

int folder_sync(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = fd < 0 || fsync(fd) ? failed("synced", path, errno, err) : 0;
    if (fd >= 0)
        close(fd);
    return code;
}

/* ---- one file ---- */

static int write_all(int fd, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t put = write(fd, bytes + at, len - at);
        if (put < 0 && errno != EINTR)
            return -1;
        at += put > 0 ? (size_t)put : 0;
    }
    return 0;
}

int file_write(const char *path, const char *bytes, size_t len, struct err *err)
{
    char draft[FOLDER_PATH_SIZE];
    if ((size_t)snprintf(draft, sizeof(draft), "%s.%ld", path, (long)getpid()) >= sizeof(draft))
        return err_set(err, ERR_TOO_LARGE, "the path is too long: %s", path);
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write_all(fd, bytes, len) == 0 && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (ok && rename(draft, path) == 0)
        return 0;
    why = ok ? errno : why;
    unlink(draft);
    return failed("written", path, why, err);
}

static int copy_pieces(int from, int to, const char *path, struct copy_watch *watch, struct err *err)
{
    char *piece = malloc(PIECE);
    uint64_t unsynced = 0;
    int code = piece ? 0 : err_set(err, ERR_MEMORY, "out of memory");
    for (ssize_t got = 1; !code && got;) {
        got = read(from, piece, PIECE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            code = failed("read", path, errno, err);
        else if (write_all(to, piece, (size_t)got))
            code = failed("copied", path, errno, err);
        else if (((unsynced += (uint64_t)got) >= SYNC_EVERY || !got) && fdatasync(to))
            code = failed("synced", path, errno, err);
        else if (copy_step(watch, (uint64_t)got))
            code = err_set(err, ERR_CLOSED, "the copy was stopped");
        if (unsynced >= SYNC_EVERY || !got) {
            posix_fadvise(to, 0, 0, POSIX_FADV_DONTNEED);
            unsynced = 0;
        }
    }
    free(piece);
    return code;
}

static int copy_bytes(const char *from, const char *to, struct copy_watch *watch, struct err *err)
{
    int in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0)
        return errno == ENOENT ? 0 : failed("read", from, errno, err);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int code = out < 0 ? failed("made", to, errno, err) : copy_pieces(in, out, from, watch, err);
    if (out >= 0)
        close(out);
    close(in);
    return code;
}

static int copy_file(const char *from, const char *to, const struct stat *info, bool may_link, struct copy_watch *watch, struct err *err)
{
    struct stat there;
    if (lstat(to, &there) == 0 && S_ISREG(there.st_mode) && there.st_size == info->st_size)
        return 0;
    if (may_link && link(from, to) == 0)
        return copy_step(watch, 0) ? err_set(err, ERR_CLOSED, "the copy was stopped") : 0;
    return copy_bytes(from, to, watch, err);
}

static bool bytes_equal(int a, int b, uint64_t size)
{
    char *piece = malloc(2 * PIECE);
    uint64_t at = 0;
    bool same = piece != NULL;
    while (same && at < size) {
        size_t want = size - at < PIECE ? (size_t)(size - at) : PIECE;
        same = pread(a, piece, want, (off_t)at) == (ssize_t)want && pread(b, piece + PIECE, want, (off_t)at) == (ssize_t)want && memcmp(piece, piece + PIECE, want) == 0;
        at += want;
    }
    free(piece);
    return same;
}

bool file_equal(const char *a, const char *b)
{
    struct stat one, two;
    int first = open(a, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), second = first < 0 ? -1 : open(b, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool same = second >= 0 && fstat(first, &one) == 0 && fstat(second, &two) == 0 && S_ISREG(one.st_mode) && S_ISREG(two.st_mode) && one.st_size == two.st_size &&
                bytes_equal(first, second, (uint64_t)one.st_size);
    if (first >= 0)
        close(first);
    if (second >= 0)
        close(second);
    return same;
}

/* ---- trees ---- */

struct walk {
    char from[FOLDER_PATH_SIZE], to[FOLDER_PATH_SIZE];
    copy_choose_fn *choose;
    struct copy_watch *watch; /* NULL: only count */
    uint64_t bytes;
    struct err *err;
};

static bool extend(char path[FOLDER_PATH_SIZE], size_t len, const char *name)
{
    return (size_t)snprintf(path + len, FOLDER_PATH_SIZE - len, "/%s", name) < FOLDER_PATH_SIZE - len;
}

static int walk_folder(struct walk *walk, int level);

static int walk_entry(struct walk *walk, const char *name, int level)
{
    struct stat info;
    if (lstat(walk->from, &info))
        return errno == ENOENT ? 0 : failed("read", walk->from, errno, walk->err);
    bool folder = S_ISDIR(info.st_mode);
    enum copy_how how = walk->choose ? walk->choose(name, level, folder) : COPY_BYTES;
    if (how == COPY_NOT || !(folder || S_ISREG(info.st_mode)))
        return 0;
    if (folder)
        return walk_folder(walk, level + 1);
    walk->bytes += how == COPY_BYTES ? (uint64_t)info.st_size : 0;
    return walk->watch ? copy_file(walk->from, walk->to, &info, how == COPY_LINK, walk->watch, walk->err) : 0;
}

static int walk_folder(struct walk *walk, int level)
{
    size_t from = strlen(walk->from), to = strlen(walk->to);
    if (level > FOLDER_DEPTH_MAX)
        return err_set(walk->err, ERR_TOO_DEEP, "%s is nested too deep", walk->from);
    DIR *dir = opendir(walk->from);
    if (!dir)
        return errno == ENOENT ? 0 : failed("read", walk->from, errno, walk->err);
    int code = walk->watch && mkdir(walk->to, 0700) && errno != EEXIST ? failed("made", walk->to, errno, walk->err) : 0;
    for (struct dirent *entry; !code && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        code = extend(walk->from, from, entry->d_name) && extend(walk->to, to, entry->d_name)
                   ? walk_entry(walk, entry->d_name, level)
                   : err_set(walk->err, ERR_TOO_LARGE, "a path below %s is too long", walk->from);
        walk->from[from] = walk->to[to] = 0;
    }
    closedir(dir);
    return code || !walk->watch ? code : folder_sync(walk->to, walk->err);
}

static int walk_begin(struct walk *walk, const char *from, const char *to)
{
    if ((size_t)snprintf(walk->from, sizeof(walk->from), "%s", from) >= sizeof(walk->from) ||
        (size_t)snprintf(walk->to, sizeof(walk->to), "%s", to) >= sizeof(walk->to))
        return err_set(walk->err, ERR_TOO_LARGE, "the path is too long: %s", from);
    return 0;
}

int tree_copy(const char *from, const char *to, copy_choose_fn *choose, struct copy_watch *watch, struct err *err)
{
    struct walk walk = {.choose = choose, .watch = watch, .err = err};
    int code = walk_begin(&walk, from, to);
    return code ? code : walk_folder(&walk, 0);
}

uint64_t tree_bytes(const char *from, copy_choose_fn *choose)
{
    struct err err;
    struct walk walk = {.choose = choose, .err = &err};
    if (walk_begin(&walk, from, "") || walk_folder(&walk, 0)) {
        /* An estimate: what cannot be counted will be told by the copy. */
    }
    return walk.bytes;
}

static int remove_below(char path[FOLDER_PATH_SIZE], int level, struct err *err)
{
    size_t len = strlen(path);
    DIR *dir = level > FOLDER_DEPTH_MAX ? NULL : opendir(path);
    int code = dir ? 0 : failed("read", path, level > FOLDER_DEPTH_MAX ? ELOOP : errno, err);
    for (struct dirent *entry; !code && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!extend(path, len, entry->d_name))
            code = err_set(err, ERR_TOO_LARGE, "a path below %s is too long", path);
        else if (unlink(path) && errno == EISDIR)
            code = remove_below(path, level + 1, err);
        else if (access(path, F_OK) == 0)
            code = failed("removed", path, EACCES, err);
        path[len] = 0;
    }
    if (dir)
        closedir(dir);
    if (!code && rmdir(path))
        code = failed("removed", path, errno, err);
    return code;
}

int tree_remove(const char *path, struct err *err)
{
    char whole[FOLDER_PATH_SIZE];
    struct stat info;
    if (lstat(path, &info))
        return errno == ENOENT ? 0 : failed("removed", path, errno, err);
    if ((size_t)snprintf(whole, sizeof(whole), "%s", path) >= sizeof(whole))
        return err_set(err, ERR_TOO_LARGE, "the path is too long: %s", path);
    if (!S_ISDIR(info.st_mode))
        return unlink(path) ? failed("removed", path, errno, err) : 0;
    return remove_below(whole, 0, err);
}

/* ---- drafts ---- */

/* 1: there is nothing below it; 0: there is; negative: it is no folder, with errno. */
static int is_empty(const char *path)
{
    DIR *dir = opendir(path);
    int count = 0;
    if (!dir)
        return -1;
    for (struct dirent *entry; (entry = readdir(dir)) && count < 3;)
        count++;
    closedir(dir);
    return count <= 2;
}

static bool there_is(const char *folder, const char *name)
{
    char path[FOLDER_PATH_SIZE];
    return folder_path(path, sizeof(path), folder, name, NULL) == 0 && access(path, F_OK) == 0;
}

bool draft_is_unfinished(const char *path)
{
    return there_is(path, MARK);
}

static int check_target(const char *target, struct err *err)
{
    struct stat info;
    if (lstat(target, &info))
        return errno == ENOENT ? 0 : failed("used", target, errno, err);
    if (!S_ISDIR(info.st_mode))
        return err_set(err, ERR_EXISTS, "%s is a file; name a folder that does not exist", target);
    if (is_empty(target) != 1)
        return err_set(err, ERR_EXISTS, "%s is not empty; name a folder that does not exist, nothing is ever written over", target);
    return 0;
}

static int take_mark(struct draft *draft, struct err *err)
{
    char path[FOLDER_PATH_SIZE];
    int code = folder_path(path, sizeof(path), draft->path, MARK, err);
    if (code)
        return code;
    draft->mark = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (draft->mark < 0)
        return failed("made", path, errno, err);
    if (flock(draft->mark, LOCK_EX | LOCK_NB) == 0)
        return 0;
    close(draft->mark);
    draft->mark = -1;
    return err_set(err, ERR_AGAIN, "another process is writing %s", draft->path);
}

/* What an earlier run left, if it was one. */
static int clear_old(struct draft *draft, struct err *err)
{
    int empty = is_empty(draft->path);
    if (empty < 0)
        return errno == ENOENT ? 0 : err_set(err, ERR_EXISTS, "%s is in the way; remove it", draft->path);
    if (!empty && !there_is(draft->path, MARK) && !there_is(draft->path, "journal"))
        return err_set(err, ERR_EXISTS, "%s is in the way and was not left by an interrupted run; remove it", draft->path);
    int code = take_mark(draft, err);
    if (code)
        return code;
    code = tree_remove(draft->path, err);
    close(draft->mark);
    draft->mark = -1;
    return code;
}

int draft_begin(struct draft *draft, const char *target, struct err *err)
{
    *draft = (struct draft){.mark = -1};
    size_t len = strlen(target);
    while (len > 1 && target[len - 1] == '/')
        len--;
    if (!len || len + sizeof(".partial") > sizeof(draft->path))
        return err_set(err, ERR_TOO_LARGE, "the path of the folder is empty or too long");
    snprintf(draft->target, sizeof(draft->target), "%.*s", (int)len, target);
    snprintf(draft->path, sizeof(draft->path), "%.*s.partial", (int)len, target);
    int code = check_target(draft->target, err);
    if (!code)
        code = clear_old(draft, err);
    if (!code && mkdir(draft->path, 0700))
        code = failed("made", draft->path, errno, err);
    return code ? code : take_mark(draft, err);
}

static int sync_parent(const char *path, struct err *err)
{
    char parent[FOLDER_PATH_SIZE];
    snprintf(parent, sizeof(parent), "%s", path);
    char *slash = strrchr(parent, '/');
    if (!slash)
        return folder_sync(".", err);
    slash[slash == parent ? 1 : 0] = 0;
    return folder_sync(parent, err);
}

int draft_commit(struct draft *draft, struct err *err)
{
    char mark[FOLDER_PATH_SIZE];
    int code = check_target(draft->target, err);
    if (!code)
        code = folder_path(mark, sizeof(mark), draft->path, MARK, err);
    if (!code && unlink(mark))
        code = failed("removed", mark, errno, err);
    if (!code)
        code = folder_sync(draft->path, err);
    if (!code && rename(draft->path, draft->target))
        code = failed("renamed", draft->path, errno, err);
    if (code)
        return code;
    close(draft->mark);
    draft->mark = -1;
    return sync_parent(draft->target, err);
}

void draft_abandon(struct draft *draft)
{
    struct err err;
    if (draft->mark < 0)
        return;
    if (tree_remove(draft->path, &err)) {
        /* It stays, marked as unfinished; the next run tries again. */
    }
    close(draft->mark);
    draft->mark = -1;
}
