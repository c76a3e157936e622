/*
 * Files that forget. The journal writes through these operations to the real file system; what it has not synced is remembered, and when the power goes some of
 * it, none of it or all of it is as it was before: sector by sector, for a disk may write them in any order. Then the process kills itself.
 *
 * Names of files (creations, renames, removals) are taken as durable at once: tests/unit/journal/test_crash.c takes those away, too. The tables' own files are
 * RocksDB's affair: they are what the kernel has of them, as after a kill.
 *
 * Any thread. One per process.
 */
#ifndef WEIR_TESTS_REPLAY_POWER_H
#define WEIR_TESTS_REPLAY_POWER_H

#include "journal/files.h"

enum power_loss { POWER_KEEPS, POWER_LOSES, POWER_TEARS, POWER_LOSSES };

const struct journal_file_ops *power_files(void);
/* The power goes with the `operations`-th write or sync from now on, before or after it is done. */
void power_fuse(unsigned operations, enum power_loss loss, uint64_t seed);
/* It goes now. Does not return. */
void power_cut(enum power_loss loss, uint64_t seed);

#endif
