/*
 * The undo log. Before a write goes to the file, the bytes that it replaces are kept; a sync of the file forgets them. Losing the power means putting them back, newest
 * first. Everything happens under one lock, which the dying thread never gives back: nobody writes after the end.
 */
#include "power.h"

#include "model.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512 };

struct undo {
    struct undo *older;
    ino_t inode;
    int fd; /* of our own: the journal may have closed its */
    uint64_t offset;
    size_t len;
    char before[];
};

static struct {
    struct journal_file_ops ops;
    const struct journal_file_ops *real;
    pthread_mutex_t lock;
    struct undo *newest;
    unsigned fuse; /* 0: none */
    enum power_loss loss;
    uint64_t seed;
} power = {.lock = PTHREAD_MUTEX_INITIALIZER};

static ino_t inode_of(int handle)
{
    struct stat stat;
    CHECK(fstat(handle, &stat) == 0, "fstat");
    return stat.st_ino;
}

static void undo_sectors(const struct undo *undo, enum power_loss loss, struct dice *dice)
{
    for (size_t at = 0; at < undo->len;) {
        size_t len = SECTOR - (undo->offset + at) % SECTOR;
        len = len < undo->len - at ? len : undo->len - at;
        if (loss == POWER_LOSES || roll(dice, 2))
            CHECK(pwrite(undo->fd, undo->before + at, len, (off_t)(undo->offset + at)) == (ssize_t)len, "pwrite");
        at += len;
    }
}

static void die(enum power_loss loss, uint64_t seed)
{
    struct dice dice = {seed, 3, 0};
    for (struct undo *undo = power.newest; undo && loss != POWER_KEEPS; undo = undo->older)
        undo_sectors(undo, loss, &dice);
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Is this the operation? Answers 0 for no, 1 for before it, 2 for after it. The lock is held. */
static int burns(void)
{
    if (!power.fuse || --power.fuse)
        return 0;
    power.fuse = 0;
    return 1 + (int)(mix(power.seed, 4, 0) % 2);
}

static ssize_t power_pwrite(void *context, int handle, const void *data, size_t len, uint64_t offset)
{
    pthread_mutex_lock(&power.lock);
    int burning = burns();
    if (burning == 1)
        die(power.loss, power.seed);
    struct undo *undo = calloc(1, sizeof(*undo) + len);
    CHECK(undo, "memory");
    ssize_t kept = pread(handle, undo->before, len, (off_t)offset); /* behind the end there are zeros */
    CHECK(kept >= 0, "pread: %s", strerror(errno));
    *undo = (struct undo){.older = power.newest, .inode = inode_of(handle), .fd = dup(handle), .offset = offset, .len = len};
    CHECK(undo->fd >= 0, "dup");
    power.newest = undo;
    ssize_t written = power.real->pwrite(context, handle, data, len, offset);
    if (burning)
        die(power.loss, power.seed);
    pthread_mutex_unlock(&power.lock);
    return written;
}

static int power_datasync(void *context, int handle)
{
    (void)context;
    pthread_mutex_lock(&power.lock);
    int burning = burns();
    if (burning == 1)
        die(power.loss, power.seed);
    ino_t inode = inode_of(handle);
    for (struct undo **at = &power.newest; *at;) {
        struct undo *undo = *at;
        if (undo->inode != inode) {
            at = &undo->older;
            continue;
        }
        *at = undo->older;
        close(undo->fd);
        free(undo);
    }
    if (burning)
        die(power.loss, power.seed);
    pthread_mutex_unlock(&power.lock);
    return 0; /* the machine itself does not fail in this test: no need to wait for its disk */
}

const struct journal_file_ops *power_files(void)
{
    power.real = journal_files_real();
    power.ops = *power.real;
    power.ops.pwrite = power_pwrite;
    power.ops.datasync = power_datasync;
    return &power.ops;
}

void power_fuse(unsigned operations, enum power_loss loss, uint64_t seed)
{
    pthread_mutex_lock(&power.lock);
    power.loss = loss;
    power.seed = seed;
    power.fuse = operations;
    pthread_mutex_unlock(&power.lock);
}

void power_cut(enum power_loss loss, uint64_t seed)
{
    pthread_mutex_lock(&power.lock);
    die(loss, seed);
}
