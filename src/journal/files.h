/*
 * What the journal asks of a file system: the seam behind which tests put faults and a simulator puts its own
 * disk. Every function answers 0 or more on success and a negative errno on failure. Handles are small
 * non-negative integers of the implementation's choosing. Functions are called from the writer, the keeper
 * thread and readers.
 */
#ifndef WEIR_JOURNAL_FILES_H
#define WEIR_JOURNAL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum journal_open_mode {
    JOURNAL_OPEN_READ,
    JOURNAL_OPEN_WRITE,
    JOURNAL_OPEN_CREATE /* read, write, must not exist, 0600 */
};

struct journal_file_ops {
    void *context;
    int (*folder_make)(void *context, const char *folder); /* 0700; success when it is there already */
    int (*folder_lock)(
        void *context, const char *folder); /* a handle whose close releases it; -EWOULDBLOCK */
    int (*folder_sync)(
        void *context, const char *folder); /* renames, creations and removals become durable */
    int (*folder_free)(void *context, const char *folder, uint64_t *bytes); /* available to this user */
    /* Calls entry for each name but "." and ".."; stops with the first non-zero answer of entry and returns
     * it. */
    int (*folder_list)(
        void *context, const char *folder, int (*entry)(void *arg, const char *name), void *arg);
    int (*open)(void *context, const char *path, enum journal_open_mode mode);
    int (*close)(void *context, int handle);
    int64_t (*size)(void *context, int handle);
    ssize_t (*pread)(void *context, int handle, void *data, size_t len, uint64_t offset);
    ssize_t (*pwrite)(void *context, int handle, const void *data, size_t len, uint64_t offset);
    int (*datasync)(void *context, int handle);
    int (*truncate)(void *context, int handle, uint64_t size);
    int (*rename)(void *context, const char *from, const char *to); /* replaces `to` */
    int (*unlink)(void *context, const char *path);
};

/* The operating system's. Static, any thread. */
const struct journal_file_ops *journal_files_real(void);

/* Reads until len bytes are there or the file ends; EINTR and short reads are taken care of. Bytes read or
 * -errno. */
ssize_t journal_files_read(
    const struct journal_file_ops *files, int handle, void *data, size_t len, uint64_t offset);
/* Writes all or answers -errno; a write of 0 bytes is -EIO. */
int journal_files_write(
    const struct journal_file_ops *files, int handle, const void *data, size_t len, uint64_t offset);

#endif
