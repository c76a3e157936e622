/*
 * The form of a backup file, shared by writer and reader. Integers are big-endian.
 *
 *   file   = head, block 0 (kind 'H': the caller's header), blocks 1.. (kind 'I': items), the last block (kind 'F': the foot), nothing
 *   head   = "weirback", version be32, flags be32, salt 16, CRC-32C of these be32
 *   block  = kind u8, number be32, plain length be32, stored length be32, CRC-32C be32 of the 13 bytes before and the stored bytes, then those: packed
 *            with zlib, and when the file is encrypted sealed, with the tag behind them
 *   items  = each: varint length, stored form
 *   foot   = items be64, bytes of items be64, blocks be32, CRC-32C be32 over the checksums of head and all blocks before
 *
 * Each file has a key of its own (derived from the folder's key and the salt), so a block's number is a nonce that is used once.
 */
#ifndef WEIR_STORE_ARCHIVE_FORM_H
#define WEIR_STORE_ARCHIVE_FORM_H

#include "base/cipher.h"
#include "base/hash.h"

#define ARCHIVE_MAGIC "weirback"
#define ARCHIVE_VERSION 1u
#define ARCHIVE_ENCRYPTED 1u
#define ARCHIVE_SALT 16
#define ARCHIVE_HEAD 36      /* bytes of the head */
#define ARCHIVE_BLOCK_HEAD 17 /* bytes before a block's stored bytes */
#define ARCHIVE_CHECKED 13   /* of them, under the checksum */
#define ARCHIVE_FOOT 24      /* bytes of the foot, unpacked */
#define ARCHIVE_KEY_LABEL "weir backup file"

/* The digest of the checksums so far and one more. */
static inline uint32_t archive_chain(uint32_t digest, uint32_t sum)
{
    unsigned char bytes[4] = {(unsigned char)(sum >> 24), (unsigned char)(sum >> 16), (unsigned char)(sum >> 8), (unsigned char)sum};
    return hash_crc32c(digest, bytes, sizeof(bytes));
}

static inline void archive_nonce(uint32_t number, unsigned char out[CIPHER_NONCE_BYTES])
{
    memset(out, 0, CIPHER_NONCE_BYTES);
    for (int i = 0; i < 4; i++)
        out[CIPHER_NONCE_BYTES - 1 - i] = (unsigned char)(number >> (8 * i));
}

#endif
