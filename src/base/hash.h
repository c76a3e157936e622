/* Hashes: one keyed for tables that outsiders fill, one for checksums. And randomness. Any thread. */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include "base/text.h"

/* SipHash-1-3 with a per-process random key: safe for hash tables keyed by outside bytes. */
uint64_t hash_bytes(struct text bytes);
/* CRC-32C (Castagnoli), hardware where there is any; start with 0, feed on. */
uint32_t hash_crc32c(uint32_t crc, const void *bytes, size_t len);
/* CRC-32 as gzip has it, likewise. */
uint32_t hash_crc32(uint32_t crc, const void *bytes, size_t len);
/* From the kernel; the process ends if it has none. */
void random_bytes(void *out, size_t len);
/* A fast per-thread generator seeded from the kernel: jitter, sampling; never secrets. */
uint64_t random_u64(void);

#endif
