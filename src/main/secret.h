/* Secrets from files, variables and, for development, of weir's own making. */
#ifndef WEIR_MAIN_SECRET_H
#define WEIR_MAIN_SECRET_H

#include "base/arena.h"
#include "base/err.h"
#include "main/key.h"

/* The file's bytes without line ends at their end. ERR_IO, ERR_TOO_LARGE (CONFIG_SECRET_MAX), ERR_MISSING (empty), ERR_MEMORY. */
int secret_file(const char *path, struct arena *arena, struct text *out, struct err *err);
/* For APIs that take tokens and were given no key: $JWT_SECRET, else the file $JWT_SECRET_FILE, else <data>/dev-jwt-secret, which is made once
   (0600, 64 random hex digits; sealed when the folder has a key). The folder is created when missing. ERR_CORRUPT: the seal is broken. */
int secret_development(const char *data, const struct key_data *key, struct arena *arena, struct text *out, struct err *err);

#endif
