/*
 * A backup of one table as a file: what the table is, then its items, compressed, checksummed, and encrypted when the data folder is. docs/backups.md draws the
 * format. The file is written under another name (.partial) and takes its own when all of it is durable: a file with its name is whole.
 *
 * A reader trusts nothing: every length is held against a limit before memory is taken for it, and the end of the file must say what came before it. It
 * tells a file that is cut anywhere, or in which one bit is another, by ERR_CORRUPT; items that it has handed out before are what was written.
 *
 * One thread at a time per writer and reader. They block on the disk.
 */
#ifndef WEIR_STORE_ARCHIVE_H
#define WEIR_STORE_ARCHIVE_H

#include "base/cipher.h"
#include "store/store.h"

#define ARCHIVE_HEADER_MAX (1u << 20)  /* bytes of what the caller says about the table */
#define ARCHIVE_BLOCK_BYTES (256u << 10) /* items are gathered up to this before a block is written */
#define ARCHIVE_BLOCK_MAX (2u << 20)   /* bytes of a block, unpacked: what was gathered and one more item */

struct archive_totals {
    uint64_t items, item_bytes; /* stored form */
    uint64_t file_bytes;
};

struct archive_writer;
/* Creates <path>.partial with 0600 (an older one is replaced). key: CIPHER_KEY_BYTES, copied; NULL: plain. `header` is the caller's. ERR_IO, ERR_DISK_FULL,
   ERR_TOO_LARGE, ERR_MEMORY. */
int archive_create(struct archive_writer **out, const char *path, const unsigned char *key, struct text header, struct err *err);
/* One item in its stored form (item_encode). On failure only archive_abandon is allowed. */
int archive_add(struct archive_writer *writer, struct text item, struct err *err);
uint64_t archive_written(const struct archive_writer *writer); /* bytes so far */
/* Writes the end, syncs, gives the file its name, syncs the folder. Frees the writer in any case; on failure nothing is left. */
int archive_finish(struct archive_writer *writer, struct archive_totals *totals, struct err *err);
void archive_abandon(struct archive_writer *writer); /* NULL is allowed */

struct archive_reader;
/* Reads and checks the beginning. *header is borrowed from the reader. ERR_NOT_FOUND, ERR_CORRUPT, ERR_VERSION, ERR_FORBIDDEN (encrypted, and no key or another
   one was given), ERR_IO, ERR_MEMORY. */
int archive_open(struct archive_reader **out, const char *path, const unsigned char *key, struct text *header, struct err *err);
/* The same from a descriptor, which it takes. */
int archive_open_file(struct archive_reader **out, int fd, const unsigned char *key, struct text *header, struct err *err);
/* The next item in its stored form, borrowed until the next call. ERR_NOT_FOUND: the end, and everything was as it was written; *totals are known then. */
int archive_next(struct archive_reader *reader, struct text *item, struct err *err);
struct archive_totals archive_totals(const struct archive_reader *reader);
void archive_close(struct archive_reader *reader); /* NULL is allowed */

#endif
