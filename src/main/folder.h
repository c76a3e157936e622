/* The data folder: made when missing, and held by one process at a time. */
#ifndef WEIR_MAIN_FOLDER_H
#define WEIR_MAIN_FOLDER_H

#include "base/err.h"
#include <stddef.h>

/* With all parents, 0750. ERR_IO, ERR_TOO_LARGE. */
int folder_make(const char *path, struct err *err);
/* Locks <path>/lock: a descriptor to give to folder_unlock, or ERR_AGAIN (another process has it), ERR_IO. The kernel drops the lock when the
   process ends, however it ends. */
int folder_lock(const char *path, struct err *err);
void folder_unlock(int fd);
/* "<path>/<name>" into out; ERR_TOO_LARGE. */
int folder_path(char *out, size_t size, const char *path, const char *name, struct err *err);

#endif
