/*
 * The keys of encryption at rest. A master key comes from outside (a file, a variable) and opens one thing: <data>/key, which holds the folder's own random
 * data key, wrapped. From the data key come the keys of journal, tables and secrets. docs/encryption.md. One thread.
 */
#ifndef WEIR_MAIN_KEY_H
#define WEIR_MAIN_KEY_H

#include "base/cipher.h"

/* Plain values; whoever holds one overwrites it at the end (cipher_forget). */
struct key_master {
    bool set;
    unsigned char bytes[CIPHER_KEY_BYTES];
};
struct key_data {
    bool set; /* false: the folder is not encrypted */
    unsigned char bytes[CIPHER_KEY_BYTES];
};

/* 32 bytes as 64 hex digits or as base64, line ends behind it allowed; a file may also hold just the 32 bytes. `where` is for the message. ERR_INVALID. */
int key_parse(struct text given, bool raw, const char *where, struct key_master *out, struct err *err);
/* From a file or a variable. ERR_IO, ERR_MISSING (the variable), ERR_INVALID. */
int key_file(const char *path, struct key_master *out, struct err *err);
int key_variable(const char *name, struct key_master *out, struct err *err);
/* $WEIR_ENCRYPTION_KEY, else the file $WEIR_ENCRYPTION_KEY_FILE, else *out stays unset. */
int key_environment(struct key_master *out, struct err *err);

/* Opens the folder's data key. With `create` an empty folder (made when missing) gets one when a master key is set. ERR_FORBIDDEN with a sentence that says
   what to do: the wrong key, no key for an encrypted folder, a key for a folder with plain data. ERR_CORRUPT (the key file is damaged or lost),
   ERR_VERSION, ERR_IO. */
int key_open(const char *data, const struct key_master *master, bool create, struct key_data *out, struct err *err);
/* Wraps the data key with another master key; a crash leaves the old or the new file. ERR_NOT_FOUND: the folder is not encrypted; ERR_AGAIN: somebody else is
   doing it; as key_open. A server may run on the folder. */
int key_rewrap(const char *data, const struct key_master *from, const struct key_master *to, struct err *err);
/* The key for one use: "journal", "tables", "secrets". */
int key_for(const struct key_data *key, const char *use, unsigned char out[CIPHER_KEY_BYTES]);
/* The exit code for what key_open answers. */
int key_exit(int code);

#endif
