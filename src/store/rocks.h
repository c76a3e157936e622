/*
 * RocksDB behind plain functions: bytes in, bytes out, our error codes. No other file of weir knows it. Any
 * thread, but for writing: one writer at a time.
 */
#ifndef WEIR_STORE_ROCKS_H
#define WEIR_STORE_ROCKS_H

#include "base/err.h"
#include "base/text.h"

struct rocks;
struct rocks_iter;
struct rocks_batch;
struct rocks_snapshot;

struct rocks_value {
    struct text bytes; /* until rocks_value_release */
    void *pin;
};

/* key: CIPHER_KEY_BYTES, all files are encrypted with it; NULL: plain. */
int rocks_open(struct rocks **out, const char *folder, size_t cache_bytes, size_t write_buffer_bytes,
    const unsigned char *key, struct err *err);
/* Flushes the memtables and closes. */
void rocks_close(struct rocks *rocks);

/* snapshot NULL: the newest state. ERR_NOT_FOUND, ERR_COLD (cache_only), ERR_CORRUPT, ERR_IO. */
int rocks_get(struct rocks *rocks, const struct rocks_snapshot *snapshot, bool cache_only, struct text key,
    struct rocks_value *value);
void rocks_value_release(struct rocks_value *value);

enum rocks_iter_flags {
    ROCKS_CACHE_ONLY = 1,
    ROCKS_NO_FILL = 2 /* a sweep over everything leaves the cache alone */
};
/* Keys in [lower, upper); both are borrowed until rocks_iter_close; empty: no bound. */
int rocks_iter_open(struct rocks *rocks, const struct rocks_snapshot *snapshot, unsigned flags,
    struct text lower, struct text upper, struct rocks_iter **out);
void rocks_iter_close(struct rocks_iter *iter);
/* First key >= target, or last key <= target when backward. 0, ERR_NOT_FOUND at the end, ERR_COLD,
 * ERR_CORRUPT, ERR_IO. */
int rocks_iter_seek(struct rocks_iter *iter, struct text target, bool backward);
int rocks_iter_step(struct rocks_iter *iter, bool backward);
struct text rocks_iter_key(const struct rocks_iter *iter);
struct text rocks_iter_value(const struct rocks_iter *iter);

struct rocks_batch *rocks_batch_create(void);
void rocks_batch_destroy(struct rocks_batch *batch);
void rocks_batch_clear(struct rocks_batch *batch);
void rocks_batch_put(struct rocks_batch *batch, struct text key, struct text value);
void rocks_batch_delete(struct rocks_batch *batch, struct text key);
void rocks_batch_delete_range(struct rocks_batch *batch, struct text from, struct text to);
/* Atomic, without a log. ERR_DISK_FULL, ERR_IO. */
int rocks_write(struct rocks *rocks, struct rocks_batch *batch, struct err *err);

const struct rocks_snapshot *rocks_snapshot_create(struct rocks *rocks);
void rocks_snapshot_destroy(struct rocks *rocks, const struct rocks_snapshot *snapshot);

int rocks_flush(struct rocks *rocks, bool wait, struct err *err);
/* A complete database in a new folder: hard links to the files of tables, which never change, and copies of the small ones. Everything written before the
   call is in it (it flushes first). Any thread; writes go on. ERR_IO, ERR_DISK_FULL. */
int rocks_checkpoint(struct rocks *rocks, const char *folder, struct err *err);
/* Reads every block of every file against its checksum. ERR_CORRUPT with a text that names the file; ERR_IO. */
int rocks_verify(struct rocks *rocks, struct err *err);
/* Notes that everything written so far reflects `mark` (growing). One writer. */
void rocks_mark(struct rocks *rocks, uint64_t mark);
/* The highest mark whose writes have all reached the disk, 0 when none of this session has. Any thread. */
uint64_t rocks_marked(struct rocks *rocks);

#endif
