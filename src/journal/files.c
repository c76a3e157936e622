/*
 * The real file system behind journal_file_ops. Nothing clever: plain descriptors, no O_DIRECT and no
 * O_DSYNC, because overwriting a zero-filled file and one fdatasync is within a tenth of what those give,
 * without their alignment rules.
 *
 * The folder's lock is flock() on the folder itself: it needs no file of its own, and the kernel drops it
 * when the process dies, however it dies.
 */
#include "journal/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int real_folder_sync(void *context, const char *folder)
{
    (void)context;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int answer = fsync(fd) ? -errno : 0;
    close(fd);
    return answer;
}

/* A new folder is only there after a crash when its parent has been synced too. */
static int real_parent_sync(const char *folder)
{
    char parent[4096];
    size_t len = strlen(folder);
    if (len >= sizeof(parent))
        return -ENAMETOOLONG;
    memcpy(parent, folder, len + 1);
    while (len > 1 && parent[len - 1] == '/')
        parent[--len] = '\0';
    char *slash = strrchr(parent, '/');
    if (!slash)
        return real_folder_sync(NULL, ".");
    slash[slash == parent ? 1 : 0] = '\0';
    return real_folder_sync(NULL, parent);
}

static int real_folder_make(void *context, const char *folder)
{
    (void)context;
    if (mkdir(folder, 0700) == 0)
        return real_parent_sync(folder);
    return errno == EEXIST ? 0 : -errno;
}

static int real_folder_lock(void *context, const char *folder)
{
    (void)context;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    int code = errno;
    close(fd);
    return -code;
}

static int real_folder_free(void *context, const char *folder, uint64_t *bytes)
{
    (void)context;
    struct statvfs info;
    if (statvfs(folder, &info))
        return -errno;
    *bytes = (uint64_t)info.f_bavail * info.f_frsize;
    return 0;
}

static int real_folder_list(
    void *context, const char *folder, int (*entry)(void *arg, const char *name), void *arg)
{
    (void)context;
    DIR *dir = opendir(folder);
    if (!dir)
        return -errno;
    int answer = 0;
    for (;;) {
        errno = 0;
        struct dirent *found = readdir(dir);
        if (!found) {
            answer = -errno;
            break;
        }
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
            continue;
        if ((answer = entry(arg, found->d_name)) != 0)
            break;
    }
    closedir(dir);
    return answer;
}

static int real_open(void *context, const char *path, enum journal_open_mode mode)
{
    (void)context;
    int flags = O_CLOEXEC | O_NOFOLLOW;
    flags |= mode == JOURNAL_OPEN_READ ? O_RDONLY : O_RDWR;
    flags |= mode == JOURNAL_OPEN_CREATE ? O_CREAT | O_EXCL : 0;
    int fd = open(path, flags, 0600);
    return fd < 0 ? -errno : fd;
}

static int real_close(void *context, int handle)
{
    (void)context;
    return close(handle) ? -errno : 0;
}

static int64_t real_size(void *context, int handle)
{
    (void)context;
    struct stat info;
    return fstat(handle, &info) ? -errno : (int64_t)info.st_size;
}

static ssize_t real_pread(void *context, int handle, void *data, size_t len, uint64_t offset)
{
    (void)context;
    ssize_t n = pread(handle, data, len, (off_t)offset);
    return n < 0 ? -errno : n;
}

static ssize_t real_pwrite(void *context, int handle, const void *data, size_t len, uint64_t offset)
{
    (void)context;
    ssize_t n = pwrite(handle, data, len, (off_t)offset);
    return n < 0 ? -errno : n;
}

static int real_datasync(void *context, int handle)
{
    (void)context;
    return fdatasync(handle) ? -errno : 0;
}

static int real_truncate(void *context, int handle, uint64_t size)
{
    (void)context;
    return ftruncate(handle, (off_t)size) ? -errno : 0;
}

static int real_rename(void *context, const char *from, const char *to)
{
    (void)context;
    return rename(from, to) ? -errno : 0;
}

static int real_unlink(void *context, const char *path)
{
    (void)context;
    return unlink(path) ? -errno : 0;
}

const struct journal_file_ops *journal_files_real(void)
{
    static const struct journal_file_ops ops = {
        .folder_make = real_folder_make,
        .folder_lock = real_folder_lock,
        .folder_sync = real_folder_sync,
        .folder_free = real_folder_free,
        .folder_list = real_folder_list,
        .open = real_open,
        .close = real_close,
        .size = real_size,
        .pread = real_pread,
        .pwrite = real_pwrite,
        .datasync = real_datasync,
        .truncate = real_truncate,
        .rename = real_rename,
        .unlink = real_unlink,
    };
    return &ops;
}

ssize_t journal_files_read(
    const struct journal_file_ops *files, int handle, void *data, size_t len, uint64_t offset)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = files->pread(files->context, handle, (char *)data + done, len - done, offset + done);
        if (n == -EINTR)
            continue;
        if (n < 0)
            return n;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int journal_files_write(
    const struct journal_file_ops *files, int handle, const void *data, size_t len, uint64_t offset)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n =
            files->pwrite(files->context, handle, (const char *)data + done, len - done, offset + done);
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? (int)n : -EIO;
        done += (size_t)n;
    }
    return 0;
}
