/*
 * Which bytes of a segment are believed, and why.
 *
 * Stale bytes. A recycled file is full of old records, a torn end is followed by pieces of newer ones, and
 * payloads are chosen by outsiders, who may write whole forged records into them. So nothing is believed for
 * its shape: a record counts only with the checksum that starts from this segment's seed, which depends on a
 * random salt drawn when the file got its present name. Old records of the file had another salt. Within one
 * segment a sequence is written once, since each open begins a segment of its own, so a record with the right
 * seed and sequence is the record.
 *
 * The torn end. Writes that were not synced when the machine stopped may be there in part, and in any order:
 * of three records written at once the third may be whole and the first missing. "A valid record further on"
 * therefore proves nothing by itself. Each record says what was durable when it was made (floor). A later
 * record whose floor is at or above the missing sequence was made after an fsync had covered that one: then
 * it is damage, and the journal does not open. Without such a witness it was never announced, and is dropped
 * with all behind it. What cannot be told apart is damage in the very last synced batch before a crash; for
 * that there are the closing mark of an orderly stop, the next segment (every record before it had been
 * synced), and known_durable of the configuration.
 */
#include "journal/segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"

static const char magic[8] = "weirjrnl";

static void put32(char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (char)(v >> (8 * i));
}

static void put64(char *p, uint64_t v)
{
    put32(p, (uint32_t)v);
    put32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t get32(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static uint64_t get64(const char *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

void journal_window_init(
    struct journal_window *w, const struct journal_file_ops *files, int handle, uint64_t limit, size_t chunk)
{
    *w = (struct journal_window){.files = files, .handle = handle, .limit = limit, .chunk = chunk};
}

void journal_window_fini(struct journal_window *w)
{
    free(w->data);
    w->data = NULL;
    w->cap = w->len = 0;
}

static int window_fill(struct journal_window *w, uint64_t offset, uint64_t len)
{
    uint64_t want = len > w->chunk ? len : w->chunk;
    if (want > w->limit - offset)
        want = w->limit - offset;
    if (want > w->cap) {
        char *data = realloc(w->data, want);
        if (!data)
            return ERR_MEMORY;
        w->data = data;
        w->cap = want;
    }
    w->len = 0;
    ssize_t n = journal_files_read(w->files, w->handle, w->data, want, offset);
    if (n < 0)
        return ERR_IO;
    w->base = offset;
    w->len = (size_t)n;
    return (uint64_t)n < len ? ERR_TRUNCATED : 0;
}

int journal_window_get(struct journal_window *w, uint64_t offset, uint64_t len, char **out)
{
    if (offset > w->limit || len > w->limit - offset)
        return ERR_TRUNCATED;
    if (offset < w->base || offset - w->base > w->len || len > w->len - (offset - w->base)) {
        int code = window_fill(w, offset, len);
        if (code)
            return code;
    }
    *out = w->data + (offset - w->base);
    return 0;
}

static uint32_t header_seed(const struct journal_header *header)
{
    char seed[24];
    put64(seed, header->salt);
    put64(seed + 8, header->epoch);
    put64(seed + 16, header->first);
    return hash_crc32c(0, seed, sizeof(seed));
}

void journal_header_format(struct journal_header *header, char out[64])
{
    memset(out, 0, 64);
    memcpy(out, magic, sizeof(magic));
    put32(out + 8, JOURNAL_VERSION);
    put32(out + 12, header->cipher);
    put64(out + 16, header->first);
    put64(out + 24, header->epoch);
    put64(out + 32, header->salt);
    put64(out + 40, header->previous);
    put32(out + 48, header->overhead);
    put32(out + 60, hash_crc32c(0, out, 60));
    header->seed = header_seed(header);
}

int journal_header_parse(struct journal_header *header, const char *data, size_t len)
{
    if (len < 64)
        return ERR_TRUNCATED;
    if (memcmp(data, magic, sizeof(magic)) != 0 || get32(data + 60) != hash_crc32c(0, data, 60))
        return ERR_CORRUPT;
    if (get32(data + 8) != JOURNAL_VERSION)
        return ERR_VERSION;
    *header = (struct journal_header){
        .cipher = get32(data + 12),
        .first = get64(data + 16),
        .epoch = get64(data + 24),
        .salt = get64(data + 32),
        .previous = get64(data + 40),
        .overhead = get32(data + 48),
    };
    if (header->first == 0 || header->first > UINT64_MAX / 2 || header->epoch == 0 ||
        header->previous >= header->first)
        return ERR_CORRUPT;
    if (header->overhead > JOURNAL_OVERHEAD_MAX || (header->cipher == 0 && header->overhead != 0))
        return ERR_CORRUPT;
    header->seed = header_seed(header);
    return 0;
}

uint64_t journal_record_total(uint64_t length, uint32_t overhead)
{
    return (JOURNAL_RECORD_HEADER + length + overhead + 7) & ~UINT64_C(7);
}

void journal_record_format(const struct journal_header *header, char *out, uint32_t length, uint64_t sequence,
    uint64_t floor, bool closing)
{
    uint32_t stored = closing ? 0 : length + header->overhead;
    uint64_t total = journal_record_total(stored, 0);
    put32(out + 4, length | (closing ? JOURNAL_CLOSING_MARK : 0));
    put64(out + 8, sequence);
    put32(out + 16, (uint32_t)header->epoch);
    put32(out + 20, (uint32_t)(sequence - floor));
    memset(out + JOURNAL_RECORD_HEADER + stored, 0, total - JOURNAL_RECORD_HEADER - stored);
    put32(out, hash_crc32c(header->seed, out + 4, total - 4));
}

int journal_record_parse(struct journal_window *w, const struct journal_header *header, uint64_t offset,
    struct journal_record *record)
{
    char *p;
    int code = journal_window_get(w, offset, JOURNAL_RECORD_HEADER, &p);
    if (code)
        return code == ERR_TRUNCATED ? ERR_CORRUPT : code;
    uint32_t length = get32(p + 4), behind = get32(p + 20);
    uint64_t sequence = get64(p + 8);
    bool closing = (length & JOURNAL_CLOSING_MARK) != 0;
    if (get32(p + 16) != (uint32_t)header->epoch || sequence < header->first || behind == 0 ||
        behind > sequence)
        return ERR_CORRUPT;
    if (closing ? length != JOURNAL_CLOSING_MARK : length > JOURNAL_RECORD_MAX)
        return ERR_CORRUPT;
    uint64_t total = closing ? JOURNAL_RECORD_HEADER : journal_record_total(length, header->overhead);
    if ((code = journal_window_get(w, offset, total, &p)))
        return code == ERR_TRUNCATED ? ERR_CORRUPT : code;
    if (get32(p) != hash_crc32c(header->seed, p + 4, total - 4))
        return ERR_CORRUPT;
    *record = (struct journal_record){
        .length = closing ? 0 : length,
        .sequence = sequence,
        .floor = sequence - behind,
        .total = total,
        .payload = p + JOURNAL_RECORD_HEADER,
        .closing = closing,
    };
    return 0;
}

/* Looks behind the end for a record that was made when `missing` was already durable: 1 found, 0 not, or a
   code. The cheap test of the four bytes of epoch comes first; most of what is looked at is zeros. */
static int find_witness(
    struct journal_window *w, const struct journal_header *header, uint64_t from, uint64_t missing)
{
    for (uint64_t offset = from;; offset += 8) {
        char *p;
        int code = journal_window_get(w, offset, JOURNAL_RECORD_HEADER, &p);
        if (code)
            return code == ERR_TRUNCATED ? 0 : code;
        if (get32(p + 16) != (uint32_t)header->epoch)
            continue;
        uint64_t sequence = get64(p + 8), behind = get32(p + 20);
        if (sequence <= missing || behind > sequence || sequence - behind < missing)
            continue;
        struct journal_record record;
        code = journal_record_parse(w, header, offset, &record);
        if (code != ERR_CORRUPT)
            return code ? code : 1;
    }
}

/* Zeros behind the end are a segment that is not full yet; anything else there is an unfinished write. */
static int end_is_torn(struct journal_window *w, uint64_t offset, bool *torn)
{
    static const char zeros[JOURNAL_RECORD_HEADER];
    char *p;
    uint64_t left = w->limit > offset ? w->limit - offset : 0;
    uint64_t len = left < sizeof(zeros) ? left : sizeof(zeros);
    int code = len ? journal_window_get(w, offset, len, &p) : 0;
    *torn = !code && len && memcmp(p, zeros, len) != 0;
    return code == ERR_TRUNCATED ? 0 : code;
}

static int scan_end(struct journal_window *w, struct journal_scan *scan)
{
    uint64_t missing = scan->last + 1;
    if (scan->last_expected != UINT64_MAX)
        return scan->last == scan->last_expected ? 0 : ERR_CORRUPT;
    int code = find_witness(w, scan->header, scan->end, missing);
    if (code)
        return code > 0 ? ERR_CORRUPT : code;
    return end_is_torn(w, scan->end, &scan->torn);
}

int journal_segment_scan(struct journal_window *w, struct journal_scan *scan)
{
    const struct journal_header *header = scan->header;
    scan->last = header->first - 1;
    scan->end = JOURNAL_HEADER_BYTES;
    scan->records = scan->payload_bytes = 0;
    scan->closed = scan->torn = false;
    while (scan->last != scan->last_expected) {
        struct journal_record record;
        int code = journal_record_parse(w, header, scan->end, &record);
        if (code == ERR_CORRUPT || (code == 0 && record.sequence != scan->last + 1))
            return scan_end(w, scan);
        if (code)
            return code;
        if (record.closing) {
            scan->closed = true;
            return scan->last_expected == UINT64_MAX ? 0 : scan_end(w, scan);
        }
        if (scan->cipher && header->cipher) {
            struct journal_record_id id = {record.sequence, header->epoch, header->salt};
            code = scan->cipher->decrypt(scan->cipher->context, &id, record.payload, record.length);
            if (code)
                return ERR_CORRUPT;
        }
        if (scan->on_record)
            scan->on_record(scan->context, record.sequence, scan->end);
        scan->last = record.sequence;
        scan->end += record.total;
        scan->records++;
        scan->payload_bytes += record.length;
    }
    return 0;
}

void journal_segment_name(uint64_t first, char name[JOURNAL_NAME_SIZE])
{
    snprintf(name, JOURNAL_NAME_SIZE, "%020llu.log", (unsigned long long)first);
}

bool journal_segment_name_parse(const char *name, uint64_t *first)
{
    return strlen(name) == 24 && strcmp(name + 20, ".log") == 0 &&
           text_to_u64(text_make(name, 20), UINT64_MAX / 2, first) == 0 && *first > 0;
}

int journal_path(char path[JOURNAL_PATH_SIZE], const char *folder, const char *name)
{
    int n = snprintf(path, JOURNAL_PATH_SIZE, "%s/%s", folder, name);
    return n > 0 && n < JOURNAL_PATH_SIZE ? 0 : ERR_TOO_LARGE;
}
