/* The memtable of RocksDB, in our own form. rocks.c hooks it up. */
#ifndef WEIR_STORE_ROCKS_MEMTABLE_H
#define WEIR_STORE_ROCKS_MEMTABLE_H

#include <rocksdb/c.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A database that is opened with these options keeps what is not yet in a file in a skip list of ours. It must have one writer at a time
   (rocksdb_options_set_allow_concurrent_memtable_write 0) and keys in the order of their bytes. Files are not concerned: any database may be opened
   with it or without. */
void rocks_memtable_use(rocksdb_options_t *options);

#ifdef __cplusplus
}
#endif
#endif
