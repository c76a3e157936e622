/*
 * Backup files from anywhere: the reader stays inside its limits and ends. The first byte says whether a key is there, and whether the checksums are put right first, so
 * that what stands behind them is met, too; the rest is the file.
 */
#include "base/arena.h"
#include "base/hash.h"
#include "store/archive.h"
#include "store/archive_form.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t be32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put32(unsigned char *at, uint32_t value)
{
    for (int i = 3; i >= 0; i--, value >>= 8)
        at[i] = (unsigned char)value;
}

static void repair(unsigned char *file, size_t size)
{
    if (size < ARCHIVE_HEAD)
        return;
    put32(file + ARCHIVE_HEAD - 4, hash_crc32c(0, file, ARCHIVE_HEAD - 4));
    for (size_t at = ARCHIVE_HEAD; size - at > ARCHIVE_BLOCK_HEAD;) {
        size_t stored = be32(file + at + 9);
        if (stored > size - at - ARCHIVE_BLOCK_HEAD)
            return;
        put32(file + at + ARCHIVE_CHECKED, hash_crc32c(hash_crc32c(0, file + at, ARCHIVE_CHECKED), file + at + ARCHIVE_BLOCK_HEAD, stored));
        at += ARCHIVE_BLOCK_HEAD + stored;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char key[CIPHER_KEY_BYTES] = {7};
    struct archive_reader *reader;
    struct text header, item;
    struct attr *decoded;
    struct arena arena;
    struct err err;
    if (size < 1)
        return 0;
    unsigned char *file = malloc(size);
    memcpy(file, data + 1, size - 1);
    if (data[0] & 2)
        repair(file, size - 1);
    int fd = memfd_create("archive", MFD_CLOEXEC);
    if (fd < 0 || write(fd, file, size - 1) != (ssize_t)(size - 1) || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    free(file);
    if (archive_open_file(&reader, fd, data[0] & 1 ? key : NULL, &header, &err))
        return 0;
    arena_init(&arena, 4096, 8u << 20);
    uint64_t items = 0;
    while (archive_next(reader, &item, &err) == 0) {
        items++;
        item_decode(&arena, item, &decoded);
        arena_reset(&arena);
    }
    if (archive_totals(reader).items != items || items > size * 1032u) /* deflate's best ratio: a bomb is bounded by what was sent */
        abort();
    archive_close(reader);
    arena_fini(&arena);
    return 0;
}
