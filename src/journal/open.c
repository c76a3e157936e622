/*
 * Opening: lock, load, recover, begin an epoch; and closing. Nothing on disk is changed before recovery has
 * decided that the journal is sound: a refused open leaves the evidence as it found it.
 *
 * Each open begins a new epoch in a new segment, even after an orderly stop. Writing on behind a torn end
 * would mix new records with remains of lost ones that carry the same sequences; a fresh segment with a fresh
 * salt makes that impossible instead of merely unlikely. The first one is small and simply grows, so an idle
 * server holds a few KiB.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/counter.h"
#include "base/log.h"
#include "journal/internal.h"

#define SCAN_DEFAULT (UINT64_C(256) << 20)

static void discard(struct journal *j, const char *name)
{
    char path[JOURNAL_PATH_SIZE];
    journal_path(path, j->folder, name);
    j->files->unlink(j->files->context, path);
}

static int check_config(const struct journal_config *config, struct err *err)
{
    uint64_t size = config->segment_bytes;
    if (!config->folder || !config->folder[0] ||
        strlen(config->folder) > JOURNAL_PATH_SIZE - JOURNAL_NAME_SIZE - 2)
        return err_set(err, ERR_INVALID, "journal: a folder is required");
    if (size && (size < JOURNAL_SEGMENT_MIN || size > JOURNAL_SEGMENT_MAX))
        return err_set(err, ERR_INVALID, "journal: segment_bytes must be between %llu and %llu",
            (unsigned long long)JOURNAL_SEGMENT_MIN, (unsigned long long)JOURNAL_SEGMENT_MAX);
    if (config->recycle_max > JOURNAL_SPARES_MAX)
        return err_set(err, ERR_INVALID, "journal: recycle_max is at most %d", JOURNAL_SPARES_MAX);
    if (config->cipher && (config->cipher->id == 0 || config->cipher->overhead > JOURNAL_OVERHEAD_MAX))
        return err_set(err, ERR_INVALID, "journal: the cipher has no id or too much overhead");
    if (config->reserve_bytes > INT64_MAX || config->start_after > UINT64_MAX / 4)
        return err_set(err, ERR_INVALID, "journal: reserve_bytes or start_after is too large");
    if (config->grace_bytes > config->reserve_bytes)
        return err_set(err, ERR_INVALID, "journal: grace_bytes are a part of reserve_bytes");
    return 0;
}

static struct journal *make(const struct journal_config *config)
{
    struct journal *j = calloc(1, sizeof(*j));
    if (!j)
        return NULL;
    j->folder = strdup(config->folder);
    if (!j->folder) {
        free(j);
        return NULL;
    }
    j->files = config->files ? config->files : journal_files_real();
    j->cipher = config->cipher;
    j->segment_bytes = config->segment_bytes ? config->segment_bytes : JOURNAL_SEGMENT_DEFAULT;
    j->reserve_bytes = config->reserve_bytes;
    j->grace_bytes = config->grace_bytes;
    j->recycle_max = config->recycle_max;
    j->foreground = config->foreground;
    j->folder_handle = j->active_handle = -1;
    atomic_store(&j->space_at_ms, INT64_MIN);
    atomic_store(&j->space_left, INT64_MAX / 2); /* until the first look */
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->wake, NULL);
    return j;
}

static void destroy(struct journal *j)
{
    if (j->active_handle >= 0)
        j->files->close(j->files->context, j->active_handle);
    if (j->folder_handle >= 0)
        j->files->close(j->files->context, j->folder_handle);
    for (size_t i = 0; i < j->segments; i++)
        journal_segment_destroy(j->segment[i]);
    counter_add(COUNTER_journal_segments, -(int64_t)j->segments);
    pthread_cond_destroy(&j->wake);
    pthread_mutex_destroy(&j->lock);
    free(j->segment);
    free(j->pending);
    free(j->folder);
    free(j);
}

static int lock_folder(struct journal *j, struct err *err)
{
    int number = j->files->folder_make(j->files->context, j->folder);
    if (number)
        return journal_errno(err, number, "cannot create", j->folder);
    number = j->files->folder_lock(j->files->context, j->folder);
    if (number == -EWOULDBLOCK)
        return err_set(err, ERR_AGAIN, "journal: another process uses %s", j->folder);
    if (number < 0)
        return journal_errno(err, number, "cannot lock", j->folder);
    j->folder_handle = number;
    return 0;
}

static int check_cipher(const struct journal *j, const struct journal_header *header, struct err *err)
{
    if (!header->cipher && j->cipher && j->cipher->only)
        return err_set(err, ERR_CORRUPT,
            "journal: the segment of sequence %llu is not encrypted, and all of this journal must be",
            (unsigned long long)header->first);
    if (!header->cipher ||
        (j->cipher && j->cipher->id == header->cipher && j->cipher->overhead == header->overhead))
        return 0;
    return err_set(err, ERR_UNSUPPORTED,
        "journal: the segment of sequence %llu is encrypted with cipher %u, which was not given",
        (unsigned long long)header->first, header->cipher);
}

/* The newest sealed segments within scan_bytes are read in full; the older ones only linked. */
static int recover_sealed(
    struct journal *j, struct journal_folder *found, uint64_t scan_bytes, struct err *err)
{
    uint64_t scanned = 0;
    for (size_t i = found->segments - 1; i-- > 0;) {
        struct journal_segment *segment = found->segment[i];
        uint64_t last = found->segment[i + 1]->header.first - 1;
        int code = check_cipher(j, &segment->header, err);
        if (code)
            return code;
        atomic_store(&segment->last, last);
        atomic_store(&segment->readable, segment->size);
        if (scanned >= scan_bytes)
            continue;
        scanned += segment->size;
        struct journal_scan scan = {.last_expected = last};
        if ((code = journal_folder_scan(j->folder, j->files, segment, &scan, err)))
            return code;
        atomic_store(&segment->readable, scan.end);
    }
    return 0;
}

/* Finds the tail. `kept` gets the bytes of the newest segment's file that matter. */
static int recover(struct journal *j, struct journal_folder *found, const struct journal_config *config,
    uint64_t *kept, struct err *err)
{
    uint64_t last = config->start_after;
    if (found->segments) {
        struct journal_segment *newest = found->segment[found->segments - 1];
        int code = recover_sealed(j, found, config->scan_bytes ? config->scan_bytes : SCAN_DEFAULT, err);
        if (!code)
            code = check_cipher(j, &newest->header, err);
        if (code)
            return code;
        struct journal_scan scan = {.last_expected = UINT64_MAX, .cipher = j->cipher};
        if ((code = journal_folder_scan(j->folder, j->files, newest, &scan, err)))
            return code;
        if (scan.torn)
            log_info("journal", "an unfinished write after record %llu was dropped",
                (unsigned long long)scan.last);
        last = scan.last;
        *kept = scan.end + (scan.closed ? JOURNAL_RECORD_HEADER : 0);
        atomic_store(&newest->last, last);
        atomic_store(&newest->readable, scan.end);
        j->epoch = newest->header.epoch;
    }
    j->epoch++;
    if (last < config->known_durable)
        return err_set(err, ERR_CORRUPT,
            "journal: it ends with record %llu, but record %llu is known to have been durable",
            (unsigned long long)last, (unsigned long long)config->known_durable);
    atomic_store(&j->last, last);
    atomic_store(&j->durable, last);
    return 0;
}

/* Spares of full size are kept, all else that an earlier run left half done goes. Failures cost space, no
 * more. */
static void adopt_spares(struct journal *j, struct journal_folder *found)
{
    j->spare_serial = found->serial;
    for (size_t i = 0; i < found->spares; i++) {
        char name[JOURNAL_NAME_SIZE], path[JOURNAL_PATH_SIZE];
        journal_spare_name("spare", found->spare[i].serial, name);
        journal_path(path, j->folder, name);
        int handle = j->files->open(j->files->context, path, JOURNAL_OPEN_READ);
        int64_t size = handle < 0 ? -1 : j->files->size(j->files->context, handle);
        if (handle >= 0)
            j->files->close(j->files->context, handle);
        if (size == (int64_t)j->segment_bytes && j->spares < j->recycle_max)
            j->spare[j->spares++] = (struct journal_spare){found->spare[i].serial, (uint64_t)size};
        else
            discard(j, name);
    }
    for (size_t i = 0; i < found->unfinished_count; i++) {
        char name[JOURNAL_NAME_SIZE];
        journal_spare_name("fill", found->unfinished[i], name);
        discard(j, name);
    }
}

/* The list becomes the journal's own. An empty newest segment makes room for the new one, which takes its
 * name: true. */
static bool adopt_segments(struct journal *j, struct journal_folder *found)
{
    j->segment = found->segment;
    j->segments = found->segments;
    j->segments_cap = found->cap;
    found->segment = NULL;
    found->segments = found->cap = 0;
    bool replaced = j->segments && j->segment[j->segments - 1]->header.first == journal_last(j) + 1;
    if (replaced)
        journal_segment_destroy(j->segment[--j->segments]);
    counter_add(COUNTER_journal_segments, (int64_t)j->segments);
    return replaced;
}

/* What lies behind the end of the segment before is of no use any more: preallocated space, or a torn write.
 */
static void trim(struct journal *j, struct journal_segment *segment, uint64_t kept)
{
    if (segment->size <= kept)
        return;
    char name[JOURNAL_NAME_SIZE], path[JOURNAL_PATH_SIZE];
    journal_segment_name(segment->header.first, name);
    journal_path(path, j->folder, name);
    int handle = j->files->open(j->files->context, path, JOURNAL_OPEN_WRITE);
    int number = handle < 0 ? handle : j->files->truncate(j->files->context, handle, kept);
    if (handle >= 0)
        j->files->close(j->files->context, handle);
    if (number)
        log_warn("journal", "cannot shorten %s: %s", name, strerror(-number));
}

static int begin_epoch(struct journal *j, struct journal_folder *found, uint64_t kept, struct err *err)
{
    adopt_spares(j, found);
    bool replaced = adopt_segments(j, found);
    int code = journal_active_reserve(j, err);
    if (code)
        return code;
    struct journal_segment *before = j->segments ? j->segment[j->segments - 1] : NULL;
    struct journal_segment *segment;
    int handle;
    uint64_t first = journal_last(j) + 1, previous = before ? before->header.first : 0;
    code = journal_active_create(j, first, previous, journal_active_next_size(j), &segment, &handle, err);
    if (code == ERR_DISK_FULL && j->spares) {
        journal_keeper_shed(j);
        code = journal_active_create(j, first, previous, journal_active_next_size(j), &segment, &handle, err);
    }
    if (code)
        return code;
    journal_active_set(j, segment, handle);
    atomic_store(&j->first, j->segment[0]->header.first);
    if (before && !replaced) /* `kept` is about the newest segment that was found */
        trim(j, before, kept);
    return 0;
}

int journal_open(struct journal **out, const struct journal_config *config, struct err *err)
{
    *out = NULL;
    int code = check_config(config, err);
    if (code)
        return code;
    struct journal *j = make(config);
    if (!j)
        return err_set(err, ERR_MEMORY, "journal: out of memory");
    struct journal_folder found = {0};
    uint64_t kept = 0;
    code = lock_folder(j, err);
    if (!code)
        code = journal_folder_load(&found, j->folder, j->files, NULL, err);
    if (!code)
        code = recover(j, &found, config, &kept, err);
    if (!code)
        code = begin_epoch(j, &found, kept, err);
    if (!code && (code = journal_keeper_start(j)))
        err_set(err, code, "journal: cannot start a thread");
    journal_folder_free(&found);
    if (code)
        destroy(j);
    else
        *out = j;
    return code;
}

/* Proves to the next open, and to verify, that this is where it ended. Best effort. */
static void write_closing_mark(struct journal *j)
{
    char mark[JOURNAL_RECORD_HEADER];
    uint64_t last = journal_last(j);
    journal_record_format(&j->active->header, mark, 0, last + 1, last, true);
    int number = journal_files_write(j->files, j->active_handle, mark, sizeof(mark), j->end);
    if (!number)
        number = j->files->datasync(j->files->context, j->active_handle);
    if (number)
        log_warn("journal", "cannot write the closing mark: %s", strerror(-number));
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    journal_keeper_stop(j);
    struct err err;
    if (journal_sync(j, &err))
        log_error("journal", "not everything is durable at the end: %s", err.text);
    else
        write_closing_mark(j);
    destroy(j);
}
