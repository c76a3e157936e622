/*
 * The format of a segment file, and the rules by which its bytes are believed. Private to src/journal, the
 * fuzz target and the tests. All integers are little-endian.
 *
 * File header, in a block of JOURNAL_HEADER_BYTES of its own so that no record's torn sector can touch it:
 *   0 "weirjrnl"  8 version  12 cipher id  16 first sequence  24 epoch  32 salt  40 first sequence of the
 * segment before 48 cipher overhead  52 zero  60 CRC-32C of bytes 0..59 Record, aligned to 8 bytes: 0 CRC-32C
 * 4 payload length (bit 31: closing mark)  8 sequence  16 epoch (low half)  20 behind 24 payload, cipher
 * overhead, zeros up to 8 The checksum starts from the segment's seed (salt, epoch, first) and covers byte 4
 * to the end with the padding. `behind` = sequence minus the newest sequence that was durable when the record
 * was made: at least 1.
 */
#ifndef WEIR_JOURNAL_SEGMENT_H
#define WEIR_JOURNAL_SEGMENT_H

#include "journal/journal.h"

#define JOURNAL_VERSION 1
#define JOURNAL_HEADER_BYTES 4096
#define JOURNAL_RECORD_HEADER 24
#define JOURNAL_CLOSING_MARK UINT32_C(0x80000000)
#define JOURNAL_NAME_SIZE 32 /* "<20 digits>.log" and NUL, with room */

/* A parsed file header. Plain value. */
struct journal_header {
    uint64_t first, epoch, salt, previous;
    uint32_t cipher, overhead;
    uint32_t seed; /* of the records' checksums; derived */
};

/* A parsed record header. Plain value. */
struct journal_record {
    uint32_t length; /* payload, bytes */
    uint64_t sequence;
    uint64_t floor; /* what was durable when it was made */
    uint64_t total; /* bytes it takes in the file */
    char *payload;  /* inside the window */
    bool closing;
};

/* A sliding view of a file. `limit` is the end of what may be read; the owner may raise it. */
struct journal_window {
    const struct journal_file_ops *files;
    int handle;
    char *data;
    size_t cap, len, chunk; /* chunk: bytes read at once, at least */
    uint64_t base, limit;
};

void journal_window_init(
    struct journal_window *w, const struct journal_file_ops *files, int handle, uint64_t limit, size_t chunk);
void journal_window_fini(struct journal_window *w);
/* Borrowed until the next call. ERR_TRUNCATED beyond the limit or the file's end, ERR_IO, ERR_MEMORY. */
int journal_window_get(struct journal_window *w, uint64_t offset, uint64_t len, char **out);

/* Fills in the seed and formats the block's first 64 bytes. */
void journal_header_format(struct journal_header *header, char out[64]);
/* ERR_CORRUPT, ERR_VERSION, ERR_TRUNCATED. */
int journal_header_parse(struct journal_header *header, const char *data, size_t len);
uint64_t journal_record_total(uint64_t length, uint32_t overhead);
/* The payload (and the cipher's overhead) is in place at out + 24, already encrypted; writes header, padding,
 * checksum. */
void journal_record_format(const struct journal_header *header, char *out, uint32_t length, uint64_t sequence,
    uint64_t floor, bool closing);
/* Is there a valid record of this segment at the offset, whatever its sequence? ERR_CORRUPT if not, ERR_IO,
 * ERR_MEMORY. */
int journal_record_parse(struct journal_window *w, const struct journal_header *header, uint64_t offset,
    struct journal_record *record);

/* A walk over a whole segment. */
struct journal_scan {
    /* in */
    const struct journal_header *header;
    const struct journal_cipher *cipher; /* NULL: do not decrypt; else the tags are checked too */
    uint64_t
        last_expected; /* UINT64_MAX: the newest segment, find the tail; else the sequence it must reach */
    void (*on_record)(void *context, uint64_t sequence, uint64_t offset); /* may be NULL */
    void *context;
    /* out */
    uint64_t last; /* newest sequence, first-1 when there is none; on damage what was reached */
    uint64_t end;  /* offset behind it */
    uint64_t records, payload_bytes;
    bool closed, torn;
};

/* 0; ERR_CORRUPT: the record last+1 at `end` is damaged, and a later one proves that it had been durable (or
   the next segment does); ERR_IO, ERR_MEMORY. */
int journal_segment_scan(struct journal_window *w, struct journal_scan *scan);

void journal_segment_name(uint64_t first, char name[JOURNAL_NAME_SIZE]);
/* True for exactly 20 digits and ".log". */
bool journal_segment_name_parse(const char *name, uint64_t *first);
/* Puts folder/name into path: 0 or ERR_TOO_LARGE. */
#define JOURNAL_PATH_SIZE 4096
int journal_path(char path[JOURNAL_PATH_SIZE], const char *folder, const char *name);

#endif
