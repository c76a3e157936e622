/* What RocksDB's C API lacks. */
#ifndef WEIR_STORE_ROCKS_EXT_H
#define WEIR_STORE_ROCKS_EXT_H

#include <rocksdb/c.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Calls back on a background thread whenever a flush has been installed in the manifest: everything written
   with an internal sequence up to `largest` is then on disk. */
void rocks_ext_on_flush(
    rocksdb_options_t *options, void (*on_flush)(void *context, uint64_t largest), void *context);
/* Checks every block of every file: NULL, or what is wrong, for rocksdb_free. */
char *rocks_ext_verify(rocksdb_t *db);

#ifdef __cplusplus
}
#endif
#endif
