/*
 * A copy of a running journal: segment by segment, byte for byte, up to what is durable.
 *
 * Not record by record into a new journal, which would look simpler: epochs would begin again at 1, so ids and resume tokens that carry them could repeat, and
 * every record of an encrypted folder would be decrypted and sealed anew. The bytes of a segment say all that recovery needs (epoch, salt, the segment before),
 * and a copy that ends in the middle of a segment looks like a journal after a crash: the records end there, and nothing behind them says that there were more.
 *
 * The writer is not disturbed: a segment is pinned like by a reader, `readable` bounds what may be read of the active one. A segment that was truncated away
 * before it was pinned is ERR_NOT_FOUND; the caller keeps truncation away or begins again.
 */
#include <errno.h>
#include <errno.h>
#include <stdlib.h>

#include "journal/internal.h"

#define PIECE ((size_t)1 << 20)            /* bytes read and written at once */
#define SYNC_EVERY (UINT64_C(16) << 20)    /* bytes between syncs: a large heap of unwritten pages would stand before the writer's own sync */

struct copy {
    struct journal *j;
    const char *folder;
    char *piece;
    int (*on_bytes)(void *context, uint64_t bytes);
    void *context;
    struct journal_copied *out;
};

/* The segment that holds a sequence, pinned; NULL when it was truncated away. */
static struct journal_segment *pin(struct journal *j, uint64_t sequence)
{
    struct journal_segment *found = NULL;
    pthread_mutex_lock(&j->lock);
    for (size_t i = j->segments; i > 0 && !found; i--)
        if (j->segment[i - 1]->header.first <= sequence)
            found = j->segment[i - 1];
    if (found && found->dropped)
        found = NULL;
    if (found)
        found->pins++;
    pthread_mutex_unlock(&j->lock);
    return found;
}

static void unpin(struct journal *j, struct journal_segment *segment)
{
    pthread_mutex_lock(&j->lock);
    if (--segment->pins == 0 && segment->dropped && !j->foreground)
        pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
}

static int copy_bytes(struct copy *c, const char *name, int from, int to, uint64_t end, struct err *err)
{
    const struct journal_file_ops *files = c->j->files;
    uint64_t unsynced = 0;
    for (uint64_t at = 0; at < end;) {
        size_t want = end - at < PIECE ? (size_t)(end - at) : PIECE;
        ssize_t got = journal_files_read(files, from, c->piece, want, at);
        if (got < 0)
            return journal_errno(err, (int)got, "cannot read", name);
        if ((size_t)got < want)
            return err_set(err, ERR_CORRUPT, "journal: %s ends at byte %llu, %llu belong to it", name, (unsigned long long)(at + (uint64_t)got), (unsigned long long)end);
        int number = journal_files_write(files, to, c->piece, want, at);
        at += want;
        unsynced += want;
        if (!number && (unsynced >= SYNC_EVERY || at == end)) {
            number = files->datasync(files->context, to);
            unsynced = 0;
        }
        if (number)
            return journal_errno(err, number, "cannot write the copy of", name);
        c->out->bytes += want;
        int code = c->on_bytes ? c->on_bytes(c->context, want) : 0;
        if (code)
            return err_set(err, code, "journal: the copy was stopped");
    }
    return 0;
}

static int copy_segment(struct copy *c, const struct journal_segment *segment, struct err *err)
{
    const struct journal_file_ops *files = c->j->files;
    char name[JOURNAL_NAME_SIZE], path[JOURNAL_PATH_SIZE];
    journal_segment_name(segment->header.first, name);
    if (journal_path(path, c->j->folder, name))
        return err_set(err, ERR_TOO_LARGE, "journal: the path of the folder is too long");
    int from = files->open(files->context, path, JOURNAL_OPEN_READ);
    if (from < 0)
        return journal_errno(err, from, "cannot open", name);
    int to = journal_path(path, c->folder, name) ? -ENAMETOOLONG : files->open(files->context, path, JOURNAL_OPEN_CREATE);
    int code = to < 0 ? journal_errno(err, to, "cannot make the copy of", name) : 0;
    if (!code) {
        code = copy_bytes(c, name, from, to, atomic_load_explicit(&segment->readable, memory_order_acquire), err);
        files->close(files->context, to);
    }
    files->close(files->context, from);
    return code;
}

/* From the segment of `next` to that of `end`. What was durable is read before `readable`, so the active segment's bytes cover it. */
static int copy_segments(struct copy *c, uint64_t next, uint64_t end, struct err *err)
{
    for (;;) {
        struct journal_segment *segment = pin(c->j, next);
        if (!segment)
            return err_set(err, ERR_NOT_FOUND, "journal: record %llu has been truncated away", (unsigned long long)next);
        uint64_t last = atomic_load_explicit(&segment->last, memory_order_acquire); /* UINT64_MAX: the active one */
        if (!c->out->segments)
            c->out->first = segment->header.first;
        int code = copy_segment(c, segment, err);
        unpin(c->j, segment);
        if (code)
            return code;
        c->out->segments++;
        if (last >= end)
            return 0;
        next = last + 1;
    }
}

int journal_copy(struct journal *j, uint64_t from, const char *folder, int (*on_bytes)(void *context, uint64_t bytes), void *context,
    struct journal_copied *out, struct err *err)
{
    *out = (struct journal_copied){.last = journal_durable(j)};
    struct copy c = {.j = j, .folder = folder, .piece = malloc(PIECE), .on_bytes = on_bytes, .context = context, .out = out};
    if (!c.piece)
        return err_set(err, ERR_MEMORY, "journal: out of memory");
    int number = j->files->folder_make(j->files->context, folder);
    int code = number ? journal_errno(err, number, "cannot make", folder) : copy_segments(&c, from, out->last > from ? out->last : from, err);
    if (!code && (number = j->files->folder_sync(j->files->context, folder)))
        code = journal_errno(err, number, "cannot sync", folder);
    free(c.piece);
    return code;
}
