/*
 * The active segment and its successor. Rotation is the only place where the commit path touches the folder:
 * a file that was prepared under another name gets its header, an fsync, its final name, and the folder an
 * fsync. Only then may a record go into it, and by then all of the segment before is durable: "it has a name"
 * proves "all before it was promised", which is the rule that recovery builds on.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/counter.h"
#include "base/hash.h"
#include "journal/internal.h"

int journal_fail(struct journal *j, int number, const char *what, const char *name, struct err *err)
{
    atomic_store(&j->failed, true);
    journal_errno(err, number, what, name);
    if (err)
        err->code = ERR_IO;
    return ERR_IO;
}

/* Trouble before anything durable was promised: out of space, memory or descriptors leaves all as it was. */
int journal_fail_unless_resource(
    struct journal *j, int number, const char *what, const char *name, struct err *err)
{
    int code = journal_errno(err, number, what, name);
    if (code == ERR_IO)
        atomic_store(&j->failed, true);
    return code;
}

static void discard(struct journal *j, const char *name)
{
    char path[JOURNAL_PATH_SIZE];
    journal_path(path, j->folder, name);
    j->files->unlink(j->files->context, path);
}

/* The header, durable, in a file that has not got its final name yet. */
static int write_header(
    struct journal *j, int handle, struct journal_header *header, const char *name, struct err *err)
{
    char *block = calloc(1, JOURNAL_HEADER_BYTES);
    if (!block)
        return err_set(err, ERR_MEMORY, "journal: out of memory");
    journal_header_format(header, block);
    int number = journal_files_write(j->files, handle, block, JOURNAL_HEADER_BYTES, 0);
    free(block);
    if (number)
        return journal_fail_unless_resource(j, number, "cannot write", name, err);
    number = j->files->datasync(j->files->context, handle);
    return number ? journal_fail(j, number, "cannot sync", name, err) : 0;
}

static int give_name(struct journal *j, const char *from, uint64_t first, struct err *err)
{
    char name[JOURNAL_NAME_SIZE], a[JOURNAL_PATH_SIZE], b[JOURNAL_PATH_SIZE];
    journal_segment_name(first, name);
    journal_path(a, j->folder, from);
    journal_path(b, j->folder, name);
    int number = j->files->rename(j->files->context, a, b);
    if (number)
        return journal_fail_unless_resource(j, number, "cannot rename to", name, err);
    number = j->files->folder_sync(j->files->context, j->folder);
    return number ? journal_fail(j, number, "cannot sync the folder of", name, err) : 0;
}

/* A spare of at least `bytes`, or a new file that grows. */
static int open_blank(struct journal *j, uint64_t bytes, uint64_t *capacity, char name[JOURNAL_NAME_SIZE],
    int *handle, struct err *err)
{
    struct journal_spare spare = {0, bytes};
    bool ready = journal_keeper_take(j, bytes, &spare);
    if (!ready)
        spare.serial = journal_keeper_serial(j);
    journal_spare_name(ready ? "spare" : "fill", spare.serial, name);
    char path[JOURNAL_PATH_SIZE];
    journal_path(path, j->folder, name);
    *handle = j->files->open(j->files->context, path, ready ? JOURNAL_OPEN_WRITE : JOURNAL_OPEN_CREATE);
    *capacity = spare.bytes;
    return *handle < 0 ? journal_fail_unless_resource(j, *handle, "cannot open", name, err) : 0;
}

int journal_active_create(struct journal *j, uint64_t first, uint64_t previous, uint64_t bytes,
    struct journal_segment **out, int *handle, struct err *err)
{
    struct journal_segment *segment = calloc(1, sizeof(*segment));
    if (!segment)
        return err_set(err, ERR_MEMORY, "journal: out of memory");
    segment->header = (struct journal_header){.first = first, .epoch = j->epoch, .previous = previous};
    if (j->cipher) {
        segment->header.cipher = j->cipher->id;
        segment->header.overhead = (uint32_t)j->cipher->overhead;
    }
    random_bytes(&segment->header.salt, sizeof(segment->header.salt));
    char name[JOURNAL_NAME_SIZE];
    int code = open_blank(j, bytes, &segment->capacity, name, handle, err);
    if (code) {
        free(segment);
        return code;
    }
    code = write_header(j, *handle, &segment->header, name, err);
    if (!code)
        code = give_name(j, name, first, err);
    if (code) {
        j->files->close(j->files->context, *handle);
        discard(j, name);
        free(segment);
        return code;
    }
    atomic_store(&segment->last, UINT64_MAX);
    atomic_store(&segment->readable, JOURNAL_HEADER_BYTES);
    *out = segment;
    return 0;
}

int journal_active_reserve(struct journal *j, struct err *err)
{
    int code = 0;
    pthread_mutex_lock(&j->lock);
    if (j->segments >= JOURNAL_SEGMENTS_MAX) {
        code = ERR_FULL;
    } else if (j->segments == j->segments_cap) {
        size_t cap = j->segments_cap ? j->segments_cap * 2 : 16;
        void *grown = realloc(j->segment, cap * sizeof(j->segment[0]));
        code = grown ? 0 : ERR_MEMORY;
        if (grown) {
            j->segment = grown;
            j->segments_cap = cap;
        }
    }
    pthread_mutex_unlock(&j->lock);
    return code ? err_set(err, code, "journal: %s", err_text(code)) : 0;
}

void journal_active_set(struct journal *j, struct journal_segment *segment, int handle)
{
    pthread_mutex_lock(&j->lock);
    ASSERT(j->segments < j->segments_cap);
    j->segment[j->segments++] = segment;
    pthread_mutex_unlock(&j->lock);
    j->active = segment;
    j->active_handle = handle;
    j->end = JOURNAL_HEADER_BYTES;
    j->index_due = 0;
    j->spare_asked = false;
    counter_add(COUNTER_journal_segments, 1);
}

uint64_t journal_active_next_size(const struct journal *j)
{
    uint64_t size = j->active ? j->active->capacity * 2 : JOURNAL_SEGMENT_SMALL;
    return size < j->segment_bytes ? size : j->segment_bytes;
}

int journal_active_rotate(struct journal *j, uint64_t total, struct err *err)
{
    int code = journal_sync(j, err);
    if (code)
        return code;
    uint64_t last = journal_last(j), needed = JOURNAL_HEADER_BYTES + total + JOURNAL_RECORD_HEADER;
    if (last + 1 == j->active->header.first) { /* an empty one takes a record of any size */
        j->active->capacity = needed > j->active->capacity ? needed : j->active->capacity;
        return 0;
    }
    if ((code = journal_active_reserve(j, err)))
        return code;
    uint64_t size = journal_active_next_size(j);
    struct journal_segment *segment, *old = j->active;
    int handle, old_handle = j->active_handle;
    code = journal_active_create(
        j, last + 1, old->header.first, needed > size ? needed : size, &segment, &handle, err);
    if (code)
        return code;
    atomic_store_explicit(&old->last, last, memory_order_release);
    journal_active_set(j, segment, handle);
    j->files->close(j->files->context, old_handle);
    return 0;
}

void journal_active_ask(struct journal *j)
{
    j->spare_asked = true;
    uint64_t size = journal_active_next_size(j);
    pthread_mutex_lock(&j->lock);
    bool there = false;
    for (size_t i = 0; i < j->spares; i++)
        there = there || j->spare[i].bytes >= size;
    j->spare_wanted = there ? 0 : size;
    pthread_mutex_unlock(&j->lock);
    if (!there)
        journal_keeper_wake(j);
}
