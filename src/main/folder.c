/* flock on a file of its own, and not on the folder: it shows who has it (the process id is inside), and network file systems know it. */
#include "main/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int folder_path(char *out, size_t size, const char *path, const char *name, struct err *err)
{
    if ((size_t)snprintf(out, size, "%s/%s", path, name) >= size)
        return err_set(err, ERR_TOO_LARGE, "the path of the data folder is too long");
    return 0;
}

static int make_one(const char *path, struct err *err)
{
    struct stat info;
    if (mkdir(path, 0750) == 0 || (errno == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)))
        return 0;
    return err_set(err, ERR_IO, "the folder %s cannot be made: %s", path, errno == EEXIST ? "a file has that name" : strerror(errno));
}

int folder_make(const char *path, struct err *err)
{
    char part[4096];
    size_t len = strlen(path);
    if (!len || len >= sizeof(part))
        return err_set(err, ERR_TOO_LARGE, "the path of the data folder is empty or too long");
    for (size_t i = 1; i <= len; i++) {
        if (i < len && path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        int code = make_one(part, err);
        if (code)
            return code;
    }
    return 0;
}

static int owner_of(int fd)
{
    char text[16] = {0};
    int pid = 0;
    if (pread(fd, text, sizeof(text) - 1, 0) > 0)
        sscanf(text, "%d", &pid);
    return pid;
}

int folder_lock(const char *path, struct err *err)
{
    char name[4096], text[16];
    if (folder_path(name, sizeof(name), path, "lock", err))
        return ERR_TOO_LARGE;
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_set(err, ERR_IO, "%s: %s", name, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        int why = errno, owner = owner_of(fd);
        close(fd);
        if (why != EWOULDBLOCK)
            return err_set(err, ERR_IO, "%s: %s", name, strerror(why));
        return err_set(err, ERR_AGAIN, "the data folder %s is in use by process %d; give each server its own --data", path, owner);
    }
    int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)len, 0) != len) {
        /* The note is for people; without it (a full disk) the lock holds all the same. */
    }
    return fd;
}

void folder_unlock(int fd)
{
    if (fd >= 0)
        close(fd);
}
