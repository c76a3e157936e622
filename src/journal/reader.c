/*
 * Readers. They share nothing with the writer but two atomics (what is durable, and up to which offset of a
 * segment) and the list of segments under its lock, taken when a reader crosses from one segment to the next.
 * Each has a descriptor and a window of its own, so a slow one disturbs nobody.
 *
 * A segment is pinned while a reader is inside: its file can be neither recycled under the reader's hands nor
 * removed. A reader holds its pin between calls; it is the caller's business not to leave readers standing in
 * the past.
 */
#include <stdlib.h>

#include "journal/internal.h"

#define READER_CHUNK ((size_t)64 << 10) /* bytes read at once */

struct journal_reader {
    struct journal *j;
    struct journal_segment *segment; /* pinned; NULL before the first record */
    int handle;
    struct journal_window window;
    uint64_t next; /* sequence to deliver */
    uint64_t at;   /* sequence of the record at `offset`: <= next */
    uint64_t offset;
    uint64_t indexed; /* offset of the newest index entry we know of */
};

/* The segment that holds a sequence, or NULL when it was truncated away. Lock held. */
static struct journal_segment *find(struct journal *j, uint64_t sequence)
{
    size_t low = 0, high = j->segments;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (j->segment[middle]->header.first <= sequence)
            low = middle;
        else
            high = middle;
    }
    struct journal_segment *segment = j->segment[low];
    return segment->dropped || segment->header.first > sequence ? NULL : segment;
}

uint64_t journal_segment_first(struct journal *j, uint64_t sequence)
{
    if (sequence > atomic_load_explicit(&j->last, memory_order_acquire))
        return 0;
    pthread_mutex_lock(&j->lock);
    const struct journal_segment *segment = find(j, sequence);
    uint64_t first = segment ? segment->header.first : 0;
    pthread_mutex_unlock(&j->lock);
    return first;
}

/* The nearest known offset at or before a sequence. Lock held. */
static void find_offset(struct journal_reader *r, const struct journal_segment *segment)
{
    r->at = segment->header.first;
    r->offset = r->indexed = JOURNAL_HEADER_BYTES;
    size_t low = 0, high = segment->index_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (segment->index[middle].sequence <= r->next)
            low = middle + 1;
        else
            high = middle;
    }
    if (low) {
        r->at = segment->index[low - 1].sequence;
        r->offset = segment->index[low - 1].offset;
    }
    if (segment->index_count)
        r->indexed = segment->index[segment->index_count - 1].offset;
}

/* In foreground mode the next truncate removes what was waiting for this reader. */
static void unpin(struct journal *j, struct journal_segment *segment)
{
    pthread_mutex_lock(&j->lock);
    if (--segment->pins == 0 && segment->dropped && !j->foreground)
        pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
}

static void leave(struct journal_reader *r)
{
    if (!r->segment)
        return;
    r->j->files->close(r->j->files->context, r->handle);
    journal_window_fini(&r->window);
    unpin(r->j, r->segment);
    r->segment = NULL;
}

static int enter(struct journal_reader *r, struct err *err)
{
    struct journal *j = r->j;
    leave(r);
    pthread_mutex_lock(&j->lock);
    struct journal_segment *segment = find(j, r->next);
    if (segment) {
        segment->pins++;
        find_offset(r, segment);
    }
    pthread_mutex_unlock(&j->lock);
    if (!segment)
        return err_set(
            err, ERR_NOT_FOUND, "journal: record %llu has been truncated away", (unsigned long long)r->next);
    char name[JOURNAL_NAME_SIZE], path[JOURNAL_PATH_SIZE];
    journal_segment_name(segment->header.first, name);
    journal_path(path, j->folder, name);
    r->handle = j->files->open(j->files->context, path, JOURNAL_OPEN_READ);
    if (r->handle < 0) {
        unpin(j, segment);
        return journal_errno(err, r->handle, "cannot open", name);
    }
    r->segment = segment;
    journal_window_init(&r->window, j->files, r->handle, 0, READER_CHUNK);
    return 0;
}

int journal_reader_open(struct journal *j, uint64_t from, struct journal_reader **out, struct err *err)
{
    *out = NULL;
    uint64_t last = atomic_load_explicit(&j->last, memory_order_acquire);
    if (from < journal_first(j))
        return err_set(
            err, ERR_NOT_FOUND, "journal: record %llu has been truncated away", (unsigned long long)from);
    if (from > last + 1)
        return err_set(err, ERR_INVALID, "journal: record %llu is beyond the newest one, %llu",
            (unsigned long long)from, (unsigned long long)last);
    struct journal_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return err_set(err, ERR_MEMORY, "journal: out of memory");
    r->j = j;
    r->next = from;
    *out = r;
    return 0;
}

/* What a walk over an old segment learns is kept for those who come later. */
static void remember(struct journal_reader *r)
{
    if (r->offset < r->indexed + JOURNAL_INDEX_STEP)
        return;
    r->indexed = r->offset;
    pthread_mutex_lock(&r->j->lock);
    journal_segment_index(r->segment, r->at, r->offset);
    pthread_mutex_unlock(&r->j->lock);
}

static int damaged(struct journal_reader *r, int code, struct err *err)
{
    char name[JOURNAL_NAME_SIZE];
    journal_segment_name(r->segment->header.first, name);
    r->window.len = 0;
    if (code == ERR_CORRUPT)
        return err_set(err, code,
            "journal: %s is damaged at offset %llu: record %llu does not match its checksum or is missing",
            name, (unsigned long long)r->offset, (unsigned long long)r->at);
    return err_set(err, code, "journal: cannot read %s: %s", name, err_text(code));
}

/* The record at the reader's place, whichever it is. */
static int read_here(struct journal_reader *r, struct journal_record *record, struct err *err)
{
    r->window.limit = atomic_load_explicit(&r->segment->readable, memory_order_acquire);
    int code = journal_record_parse(&r->window, &r->segment->header, r->offset, record);
    if (!code && (record->closing || record->sequence != r->at))
        code = ERR_CORRUPT;
    return code ? damaged(r, code, err) : 0;
}

static int decrypt(struct journal_reader *r, struct journal_record *record, struct err *err)
{
    const struct journal_header *header = &r->segment->header;
    const struct journal_cipher *cipher = r->j->cipher;
    if (!header->cipher)
        return 0;
    struct journal_record_id id = {record->sequence, header->epoch, header->salt};
    int code = cipher->decrypt(cipher->context, &id, record->payload, record->length);
    return code ? damaged(r, ERR_CORRUPT, err) : 0;
}

int journal_reader_next(struct journal_reader *r, uint64_t *sequence, struct text *record, struct err *err)
{
    if (r->next > atomic_load_explicit(&r->j->durable, memory_order_acquire))
        return ERR_AGAIN;
    if (!r->segment || r->next > atomic_load_explicit(&r->segment->last, memory_order_acquire)) {
        int code = enter(r, err);
        if (code)
            return code;
    }
    for (;;) {
        struct journal_record found;
        remember(r);
        int code = read_here(r, &found, err);
        if (!code && r->at == r->next)
            code = decrypt(r, &found, err);
        if (code)
            return code;
        r->offset += found.total;
        if (r->at++ < r->next)
            continue;
        *sequence = r->next++;
        *record = text_make(found.payload, found.length);
        return 0;
    }
}

void journal_reader_close(struct journal_reader *r)
{
    if (!r)
        return;
    leave(r);
    free(r);
}
