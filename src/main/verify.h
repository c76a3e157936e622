/* What `weir verify` does, for the commands that must not hand on a damaged folder. */
#ifndef WEIR_MAIN_VERIFY_H
#define WEIR_MAIN_VERIFY_H

#include "main/key.h"

/* Reads and checks everything in a data folder or a backup, and prints what it finds on standard output. Locks the folder. An exit code. */
int verify_folder(const struct key_data *key, const char *data);

#endif
