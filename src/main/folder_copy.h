/*
 * Copying folders so that the copy is whole or not there: files and folders are synced, and the whole is made beside its name and renamed. Files of a copy are 0600,
 * folders 0700. One thread for each copy, but for struct copy_watch.
 */
#ifndef WEIR_MAIN_FOLDER_COPY_H
#define WEIR_MAIN_FOLDER_COPY_H

#include "base/err.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FOLDER_PATH_SIZE 4096
#define FOLDER_DEPTH_MAX 16 /* levels of a tree; deeper: ERR_TOO_DEEP */

/* How far it is, for whoever watches, on any thread; and the wish to stop. */
struct copy_watch {
    _Atomic uint64_t done, total; /* bytes; total is an estimate */
    atomic_bool stop;             /* ends the copy with ERR_CLOSED */
    void (*on_step)(void *context); /* may be NULL; called by the copying thread after each piece */
    void *context;
};
/* Counts the bytes; 0, or ERR_CLOSED when it is to stop. */
int copy_step(struct copy_watch *watch, uint64_t bytes);

/* Which entries of a folder are taken, by name and level (0: directly below the root). NULL: all of them. */
enum copy_how { COPY_NOT, COPY_BYTES, COPY_LINK /* a hard link where the file system can */ };
typedef enum copy_how copy_choose_fn(const char *name, int level, bool folder);

/* Regular files and folders below `from` go to `to`, which is made when missing; other kinds are left out, and what vanishes meanwhile too. A file that is
   there already with the same size is kept as it is. ERR_IO with the file's name, ERR_DISK_FULL, ERR_CLOSED, ERR_TOO_DEEP. */
int tree_copy(const char *from, const char *to, copy_choose_fn *choose, struct copy_watch *watch, struct err *err);
/* Bytes that tree_copy would write; links count nothing. */
uint64_t tree_bytes(const char *from, copy_choose_fn *choose);
/* With everything below. 0 also when it is not there; ERR_IO. */
int tree_remove(const char *path, struct err *err);
/* Two files with the same bytes; false also when one cannot be read. */
bool file_equal(const char *a, const char *b);
/* ERR_IO. */
int folder_sync(const char *path, struct err *err);
/* Complete and synced under its name; 0600. ERR_IO, ERR_DISK_FULL. */
int file_write(const char *path, const char *bytes, size_t len, struct err *err);

/* A folder under construction: TARGET.partial, locked, with a mark in it that says so. */
struct draft {
    char target[FOLDER_PATH_SIZE], path[FOLDER_PATH_SIZE];
    int mark; /* holds the lock */
};
/* The target does not exist, or is an empty folder; its parent exists. What an interrupted run left as TARGET.partial is removed. ERR_EXISTS, ERR_AGAIN
   (another process is at it), ERR_IO. */
int draft_begin(struct draft *draft, const char *target, struct err *err);
/* Syncs, renames. On failure the draft is still there for draft_abandon. ERR_IO, ERR_EXISTS. */
int draft_commit(struct draft *draft, struct err *err);
/* Removes what was made; nothing after draft_commit. */
void draft_abandon(struct draft *draft);
/* Is this folder a draft that was never finished? */
bool draft_is_unfinished(const char *path);

#endif
