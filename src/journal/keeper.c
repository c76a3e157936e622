/*
 * The keeper: everything about files that a commit must not wait for. It prepares the next segment (creating
 * and zero-filling 64 MiB takes tens of milliseconds; overwriting zeros later costs an fsync of 111 µs
 * instead of 189), removes or recycles truncated segments, and gives spares back when space is low.
 *
 * Removals go strictly oldest first, with the folder synced after each, and a reader inside a segment holds
 * up those behind it as well: whatever a crash leaves is then a run without gaps. A failed preparation costs
 * speed, never correctness: the file is dropped and the writer creates a plain one. A failed removal stops
 * further ones until the next truncate. A failed fsync of the folder is an fsync failure like any other: it
 * ends the journal.
 *
 * Work is found by looking at the journal's state, not from a queue of jobs, so nothing can overflow. In
 * foreground mode the same functions run inside the call that found the work.
 */
#include <sys/resource.h>
#include <unistd.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "journal/internal.h"

#define FILL_STEP ((size_t)512 << 10)          /* bytes written and synced at once: a commit's fdatasync may have to wait for them */
#define FILL_PAUSE_MAX_NS (50 * INT64_C(1000000)) /* after a step; it also bounds how long a close waits for the keeper */

uint64_t journal_keeper_serial(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    uint64_t serial = ++j->spare_serial;
    pthread_mutex_unlock(&j->lock);
    return serial;
}

bool journal_keeper_take(struct journal *j, uint64_t bytes, struct journal_spare *out)
{
    pthread_mutex_lock(&j->lock);
    size_t best = j->spares;
    for (size_t i = 0; i < j->spares; i++) {
        if (j->spare[i].bytes >= bytes && (best == j->spares || j->spare[i].bytes < j->spare[best].bytes))
            best = i;
    }
    bool found = best < j->spares;
    if (found) {
        *out = j->spare[best];
        j->spare[best] = j->spare[--j->spares];
    }
    pthread_mutex_unlock(&j->lock);
    return found;
}

static bool spare_add(struct journal *j, struct journal_spare spare)
{
    pthread_mutex_lock(&j->lock);
    bool room = j->spares <= j->recycle_max && j->spares < JOURNAL_SPARES_MAX + 1;
    if (room)
        j->spare[j->spares++] = spare;
    pthread_mutex_unlock(&j->lock);
    return room;
}

static int unlink_name(struct journal *j, const char *name)
{
    char path[JOURNAL_PATH_SIZE];
    journal_path(path, j->folder, name);
    int code = j->files->unlink(j->files->context, path);
    return code == -ENOENT ? 0 : code;
}

void journal_keeper_shed(struct journal *j)
{
    struct journal_spare spare;
    while (journal_keeper_take(j, 0, &spare)) {
        char name[JOURNAL_NAME_SIZE];
        journal_spare_name("spare", spare.serial, name);
        unlink_name(j, name);
    }
}

/* The disk is the writer's for as long as the step before took. So half of it is left to commits while a segment is filled, which is asked for when half of the
   one before is still to be written. */
static void pause_for(const struct journal *j, int64_t ns)
{
    ns = ns < FILL_PAUSE_MAX_NS ? ns : FILL_PAUSE_MAX_NS;
    if (!j->foreground && ns > 0)
        nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

/* Zeros from `from` to `to`, synced. -errno; -ECANCELED when the journal closes. */
static int fill(struct journal *j, int handle, uint64_t from, uint64_t to)
{
    char *zeros = calloc(1, FILL_STEP);
    if (!zeros)
        return -ENOMEM;
    int code = 0;
    while (!code && from < to) {
        size_t len = to - from < FILL_STEP ? (size_t)(to - from) : FILL_STEP;
        int64_t began = clock_mono_ns();
        code = atomic_load(&j->stop) ? -ECANCELED : journal_files_write(j->files, handle, zeros, len, from);
        if (!code)
            code = j->files->datasync(j->files->context, handle);
        from += len;
        if (!code && from < to)
            pause_for(j, clock_mono_ns() - began);
    }
    free(zeros);
    return code;
}

static int prepare_file(struct journal *j, uint64_t bytes, const char *unfinished)
{
    char path[JOURNAL_PATH_SIZE];
    journal_path(path, j->folder, unfinished);
    int handle = j->files->open(j->files->context, path, JOURNAL_OPEN_CREATE);
    if (handle < 0)
        return handle;
    int code = fill(j, handle, 0, bytes);
    int closed = j->files->close(j->files->context, handle);
    return code ? code : closed;
}

static int rename_name(struct journal *j, const char *from, const char *to)
{
    char a[JOURNAL_PATH_SIZE], b[JOURNAL_PATH_SIZE];
    journal_path(a, j->folder, from);
    journal_path(b, j->folder, to);
    return j->files->rename(j->files->context, a, b);
}

/* No spare is worth more than the space for records: it must leave twice its size free above the reserve. */
static bool space_for_spare(struct journal *j, uint64_t bytes)
{
    uint64_t available;
    if (j->files->folder_free(j->files->context, j->folder, &available))
        return false;
    return available / 2 > bytes && available - 2 * bytes >= j->reserve_bytes;
}

static void prepare(struct journal *j, uint64_t bytes)
{
    if (!space_for_spare(j, bytes))
        return;
    char unfinished[JOURNAL_NAME_SIZE], name[JOURNAL_NAME_SIZE];
    struct journal_spare spare = {journal_keeper_serial(j), bytes};
    journal_spare_name("fill", spare.serial, unfinished);
    journal_spare_name("spare", spare.serial, name);
    int code = prepare_file(j, bytes, unfinished);
    if (!code)
        code = rename_name(j, unfinished, name);
    if (code) {
        unlink_name(j, unfinished);
        if (code != -ECANCELED)
            log_warn(
                "journal", "cannot prepare a segment, the writer will make a plain one: %s", strerror(-code));
    } else if (!spare_add(j, spare)) {
        unlink_name(j, name);
    }
}

/* The old header goes first: even a tool that takes the file for a segment finds none. */
static int wipe_header(struct journal *j, const char *name)
{
    char path[JOURNAL_PATH_SIZE];
    journal_path(path, j->folder, name);
    int handle = j->files->open(j->files->context, path, JOURNAL_OPEN_WRITE);
    if (handle < 0)
        return handle;
    int code = fill(j, handle, 0, JOURNAL_HEADER_BYTES);
    j->files->close(j->files->context, handle);
    return code;
}

static bool recyclable(struct journal *j, const char *name)
{
    pthread_mutex_lock(&j->lock);
    bool room = j->spares < j->recycle_max && !j->shed_spares;
    pthread_mutex_unlock(&j->lock);
    char path[JOURNAL_PATH_SIZE];
    journal_path(path, j->folder, name);
    int handle =
        room && journal_space(j, 0) ? j->files->open(j->files->context, path, JOURNAL_OPEN_READ) : -1;
    if (handle < 0)
        return false;
    int64_t size = j->files->size(j->files->context, handle);
    j->files->close(j->files->context, handle);
    return size == (int64_t)j->segment_bytes;
}

/* Takes the segment's name away, for good. -errno. */
static int remove_file(struct journal *j, const char *name, struct journal_spare *spare)
{
    *spare = (struct journal_spare){0};
    int code;
    if (recyclable(j, name)) {
        char to[JOURNAL_NAME_SIZE];
        *spare = (struct journal_spare){journal_keeper_serial(j), j->segment_bytes};
        journal_spare_name("spare", spare->serial, to);
        code = rename_name(j, name, to);
    } else {
        code = unlink_name(j, name);
    }
    if (code)
        return code;
    code = j->files->folder_sync(j->files->context, j->folder);
    if (code)
        atomic_store(&j->failed, true);
    return code;
}

static void recycle(struct journal *j, struct journal_spare spare)
{
    char name[JOURNAL_NAME_SIZE];
    journal_spare_name("spare", spare.serial, name);
    if (wipe_header(j, name) || !spare_add(j, spare))
        unlink_name(j, name);
}

/* The oldest segment is dropped and nobody reads it. It stays in the list until its file is gone. */
static void remove_oldest(struct journal *j, struct journal_segment *segment)
{
    char name[JOURNAL_NAME_SIZE];
    journal_segment_name(segment->header.first, name);
    struct journal_spare spare;
    int code = remove_file(j, name, &spare);
    pthread_mutex_lock(&j->lock);
    if (code) {
        j->removal_failed = true;
    } else {
        j->segments--;
        memmove(j->segment, j->segment + 1, j->segments * sizeof(j->segment[0]));
    }
    pthread_mutex_unlock(&j->lock);
    if (code) {
        log_warn("journal", "cannot remove %s: %s", name, strerror(-code));
        return;
    }
    journal_segment_destroy(segment);
    counter_add(COUNTER_journal_segments, -1);
    if (spare.bytes)
        recycle(j, spare);
}

static struct journal_segment *removable(struct journal *j)
{
    struct journal_segment *oldest = j->segments ? j->segment[0] : NULL;
    bool now =
        oldest && oldest->dropped && oldest->pins == 0 && !j->removal_failed && !atomic_load(&j->failed);
    return now ? oldest : NULL;
}

/* One piece of work, with the lock held and released in between. False: there is none. */
static bool step(struct journal *j)
{
    struct journal_segment *oldest = removable(j);
    uint64_t wanted = j->spare_wanted;
    bool shed = j->shed_spares;
    if (!oldest && !wanted && !shed)
        return false;
    if (!oldest) {
        j->spare_wanted = 0;
        j->shed_spares = false;
    }
    pthread_mutex_unlock(&j->lock);
    if (oldest)
        remove_oldest(j, oldest);
    else if (shed)
        journal_keeper_shed(j);
    else
        prepare(j, wanted);
    pthread_mutex_lock(&j->lock);
    return true;
}

static void *keeper(void *arg)
{
    struct journal *j = arg;
    setpriority(PRIO_PROCESS, (id_t)gettid(), 10); /* it prepares what is needed later; a tick is needed now */
    pthread_setname_np(pthread_self(), "weir-journal");
    pthread_mutex_lock(&j->lock);
    while (!atomic_load(&j->stop)) {
        if (!step(j))
            pthread_cond_wait(&j->wake, &j->lock);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

void journal_keeper_wake(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    if (j->foreground) {
        while (step(j))
            continue;
    } else {
        pthread_cond_signal(&j->wake);
    }
    pthread_mutex_unlock(&j->lock);
}

int journal_keeper_start(struct journal *j)
{
    if (j->foreground)
        return 0;
    if (pthread_create(&j->thread, NULL, keeper, j))
        return ERR_MEMORY;
    j->thread_running = true;
    return 0;
}

void journal_keeper_stop(struct journal *j)
{
    if (!j->thread_running)
        return;
    pthread_mutex_lock(&j->lock);
    atomic_store(&j->stop, true);
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
    j->thread_running = false;
}
