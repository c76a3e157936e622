/*
 * The writer's side: append gathers, sync makes durable, and a segment that is full gives way to the next.
 *
 * A tick appends one small record or a few, then syncs: one pwrite of what was gathered and one fdatasync, on
 * a file that was filled with zeros before, so that neither its size nor its extents change. Nothing else
 * happens on that path. When a segment is full, append itself syncs and rotates (three fsyncs, once per 64
 * MiB): records of two segments are then never in flight together, which makes "the next segment exists" the
 * proof that all of the one before it was durable.
 *
 * Errors come in two kinds. No space, no memory, no descriptor: nothing has changed, try again later.
 * Anything that leaves in doubt what the disk holds (a failed fsync above all: the kernel forgets the dirty
 * pages, so a second fsync would lie) sets `failed`, and from then on the journal only answers ERR_IO.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "journal/internal.h"

#define PENDING_KEPT ((size_t)1 << 20) /* bytes of gathering buffer kept after a large batch */

uint64_t journal_last(const struct journal *j)
{
    return atomic_load_explicit(&j->last, memory_order_acquire);
}

uint64_t journal_durable(const struct journal *j)
{
    return atomic_load_explicit(&j->durable, memory_order_acquire);
}

uint64_t journal_first(const struct journal *j)
{
    return atomic_load_explicit(&j->first, memory_order_acquire);
}

uint64_t journal_bytes(struct journal *j)
{
    uint64_t bytes = 0;
    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < j->segments; i++)
        bytes += j->segment[i]->capacity;
    for (size_t i = 0; i < j->spares; i++)
        bytes += j->spare[i].bytes;
    pthread_mutex_unlock(&j->lock);
    return bytes;
}

uint64_t journal_epoch(const struct journal *j)
{
    return j->epoch;
}

/* One thread at a time looks; the others use the last answer. When the question itself fails, that answer
 * stands. */
static void space_look(struct journal *j)
{
    int64_t now = clock_mono_ms();
    int64_t at = atomic_load(&j->space_at_ms);
    if (at != INT64_MIN && now - at < JOURNAL_SPACE_CACHE_MS && now >= at)
        return;
    if (!atomic_compare_exchange_strong(&j->space_at_ms, &at, now))
        return;
    uint64_t available;
    int code = j->files->folder_free(j->files->context, j->folder, &available);
    if (code) {
        log_warn("journal", "cannot tell the free space: %s", strerror(-code));
        return;
    }
    if (available > INT64_MAX)
        available = INT64_MAX;
    atomic_store(&j->space_left, (int64_t)available - (int64_t)j->reserve_bytes);
}

bool journal_space(struct journal *j, uint64_t bytes)
{
    space_look(j);
    return atomic_load(&j->space_left) >= (int64_t)bytes;
}

static void shed_spares(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    bool wake = j->spares > 0 && !j->shed_spares;
    j->shed_spares = wake || j->shed_spares;
    pthread_mutex_unlock(&j->lock);
    if (wake)
        journal_keeper_wake(j);
}

/* Who is told no does not append, so the spares go from here too; without a keeper they wait for the writer. */
bool journal_writable(struct journal *j)
{
    bool space = journal_space(j, 0);
    if (!space && !j->foreground)
        shed_spares(j);
    return space;
}

static bool space_to_append(struct journal *j, uint64_t total)
{
    space_look(j);
    return atomic_load(&j->space_left) >= (int64_t)total - (int64_t)j->grace_bytes;
}

static int no_space(struct journal *j, struct err *err)
{
    shed_spares(j);
    return err_set(err, ERR_DISK_FULL, "journal: less than %llu bytes are free on the disk",
        (unsigned long long)(j->reserve_bytes - j->grace_bytes));
}

static int unless_failed(struct journal *j, struct err *err)
{
    return atomic_load(&j->failed) ? err_set(err, ERR_IO, "journal: an earlier write or fsync has failed")
                                   : 0;
}

static int pending_reserve(struct journal *j, uint64_t total)
{
    uint64_t need = j->pending_len + total;
    if (need <= j->pending_cap)
        return 0;
    size_t cap = j->pending_cap ? j->pending_cap : 64 << 10;
    while (cap < need)
        cap *= 2;
    char *grown = realloc(j->pending, cap);
    if (!grown)
        return ERR_MEMORY;
    j->pending = grown;
    j->pending_cap = cap;
    return 0;
}

static int encode(struct journal *j, const struct text *piece, size_t pieces, uint32_t length,
    uint64_t sequence, struct err *err)
{
    const struct journal_header *header = &j->active->header;
    char *out = j->pending + j->pending_len, *payload = out + JOURNAL_RECORD_HEADER, *p = payload;
    for (size_t i = 0; i < pieces; i++) {
        if (piece[i].len)
            memcpy(p, piece[i].data, piece[i].len);
        p += piece[i].len;
    }
    if (header->cipher) {
        struct journal_record_id id = {sequence, header->epoch, header->salt};
        memset(p, 0, header->overhead);
        if (j->cipher->encrypt(j->cipher->context, &id, payload, length)) {
            atomic_store(&j->failed, true);
            return err_set(err, ERR_IO, "journal: the cipher failed");
        }
    }
    journal_record_format(header, out, length, sequence, journal_durable(j), false);
    return 0;
}

int journal_append(
    struct journal *j, const struct text *piece, size_t pieces, uint64_t *sequence, struct err *err)
{
    uint64_t length = 0;
    for (size_t i = 0; i < pieces && length <= JOURNAL_RECORD_MAX; i++)
        length = piece[i].len > JOURNAL_RECORD_MAX ? piece[i].len : length + piece[i].len;
    int code = unless_failed(j, err);
    if (code)
        return code;
    if (length > JOURNAL_RECORD_MAX)
        return err_set(err, ERR_TOO_LARGE, "journal: a record has at most %u bytes", JOURNAL_RECORD_MAX);
    uint64_t total = journal_record_total(length, j->active->header.overhead);
    if (!space_to_append(j, total))
        return no_space(j, err);
    if (j->pending_len + total > JOURNAL_PENDING_MAX)
        return err_set(err, ERR_FULL, "journal: %zu bytes wait to be synced", j->pending_len);
    if (j->end + j->pending_len + total + JOURNAL_RECORD_HEADER > j->active->capacity &&
        (code = journal_active_rotate(j, total, err)))
        return code;
    if (pending_reserve(j, total))
        return err_set(err, ERR_MEMORY, "journal: out of memory");
    uint64_t next = journal_last(j) + 1, offset = j->end + j->pending_len;
    if ((code = encode(j, piece, pieces, (uint32_t)length, next, err)))
        return code;
    if (offset >= j->index_due) {
        j->index_due = offset + JOURNAL_INDEX_STEP;
        pthread_mutex_lock(&j->lock);
        journal_segment_index(j->active, next, offset);
        pthread_mutex_unlock(&j->lock);
    }
    j->pending_len += total;
    atomic_fetch_sub(&j->space_left, (int64_t)total);
    atomic_store_explicit(&j->last, next, memory_order_release);
    counter_add(COUNTER_journal_records, 1);
    counter_add(COUNTER_journal_bytes, (int64_t)total);
    if (!j->spare_asked && offset + total > j->active->capacity / 2)
        journal_active_ask(j);
    if (sequence)
        *sequence = next;
    return 0;
}

static void pending_clear(struct journal *j)
{
    j->pending_len = 0;
    if (j->pending_cap > PENDING_KEPT) {
        free(j->pending);
        j->pending = NULL;
        j->pending_cap = 0;
    }
}

static int sync_file(struct journal *j, const char *name, struct err *err)
{
    int64_t began = clock_mono_ns();
    int number = j->files->datasync(j->files->context, j->active_handle);
    counter_add(COUNTER_journal_syncs, 1);
    counter_add(COUNTER_journal_sync_ns, clock_mono_ns() - began);
    return number ? journal_fail(j, number, "cannot sync", name, err) : 0;
}

int journal_sync(struct journal *j, struct err *err)
{
    int code = unless_failed(j, err);
    if (code || !j->pending_len)
        return code;
    char name[JOURNAL_NAME_SIZE];
    journal_segment_name(j->active->header.first, name);
    int number = journal_files_write(j->files, j->active_handle, j->pending, j->pending_len, j->end);
    if (number)
        return journal_fail_unless_resource(j, number, "cannot write", name, err);
    if ((code = sync_file(j, name, err)))
        return code;
    j->end += j->pending_len;
    pending_clear(j);
    atomic_store_explicit(&j->active->readable, j->end, memory_order_release);
    atomic_store_explicit(&j->durable, journal_last(j), memory_order_release);
    return 0;
}

int journal_truncate(struct journal *j, uint64_t below)
{
    pthread_mutex_lock(&j->lock);
    size_t kept = 0;
    while (kept + 1 < j->segments && j->segment[kept + 1]->header.first <= below)
        j->segment[kept++]->dropped = true;
    while (kept + 1 < j->segments && j->segment[kept]->dropped)
        kept++;
    atomic_store_explicit(&j->first, j->segment[kept]->header.first, memory_order_release);
    j->removal_failed = false;
    pthread_mutex_unlock(&j->lock);
    journal_keeper_wake(j);
    return 0;
}
