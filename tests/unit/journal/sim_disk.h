/*
 * A disk in memory that forgets. It implements journal_file_ops with the semantics a journal must survive,
 * which are harsher than those of most real disks:
 *   - data not covered by a successful datasync survives a crash in random 512-byte sectors, as a random
 * prefix, wholly or not at all; the file's size likewise;
 *   - creations, renames and removals not covered by a folder_sync survive as a random subset;
 *   - after a failed datasync the file never becomes durable again, whatever later calls say (pages marked
 * clean);
 *   - any call can be made to fail, to be the last before the crash, or to be short.
 * One thread: the journal runs with foreground = true.
 */
#ifndef WEIR_TEST_SIM_DISK_H
#define WEIR_TEST_SIM_DISK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal.h"

#define SIM_FILES 512
#define SIM_HANDLES 64
#define SIM_OPS 4096
#define SIM_SECTOR 512

struct sim_inode {
    char *data, *synced;
    size_t size, synced_size, cap, synced_cap;
    bool poisoned;
    int refs; /* names in either map, handles, log entries: freed at sim_fini, so this is only "used" */
};

struct sim_name {
    char name[40];
    struct sim_inode *inode;
};

struct sim_map {
    struct sim_name entry[SIM_FILES];
    size_t count;
};

struct sim_op {
    enum { SIM_CREATE, SIM_RENAME, SIM_UNLINK } kind;
    char from[40], to[40];
    struct sim_inode *inode;
};

enum sim_fault { SIM_NONE, SIM_ERROR, SIM_CRASH };

struct sim_disk {
    struct journal_file_ops ops;
    uint64_t random;
    struct sim_map now, durable;
    struct sim_op log[SIM_OPS];
    size_t logged;
    struct sim_inode *handle[SIM_HANDLES];
    bool handle_used[SIM_HANDLES];
    struct sim_inode **inodes; /* all ever made, for freeing */
    size_t inode_count, inode_cap;
    bool locked;
    bool dead;      /* after the crash point: nothing works */
    uint64_t calls; /* fallible calls so far */
    uint64_t fault_at;
    enum sim_fault fault;
    int fault_errno;
    bool fired;
    bool short_io; /* reads and writes are split at random */
    uint64_t free_bytes;
    uint64_t datasyncs, writes; /* counters for assertions */
};

static inline uint64_t sim_random(struct sim_disk *d)
{
    uint64_t z = (d->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t sim_below(struct sim_disk *d, uint64_t n)
{
    return n ? sim_random(d) % n : 0;
}

static inline int sim_gate(struct sim_disk *d)
{
    if (d->dead)
        return -EIO;
    if (d->fault != SIM_NONE && d->calls++ == d->fault_at) {
        d->fired = true;
        if (d->fault == SIM_ERROR)
            return -d->fault_errno;
        d->dead =
            true; /* the call itself may still have reached the cache: see pwrite and the folder calls */
        return 1;
    }
    if (d->fault == SIM_NONE)
        d->calls++;
    return 0;
}

static inline const char *sim_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static inline struct sim_name *sim_find(struct sim_map *map, const char *name)
{
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->entry[i].name, name) == 0)
            return &map->entry[i];
    return NULL;
}

static inline void sim_remove(struct sim_map *map, const char *name)
{
    struct sim_name *entry = sim_find(map, name);
    if (entry)
        *entry = map->entry[--map->count];
}

static inline void sim_put(struct sim_map *map, const char *name, struct sim_inode *inode)
{
    sim_remove(map, name);
    if (map->count >= SIM_FILES)
        abort();
    snprintf(map->entry[map->count].name, sizeof(map->entry[0].name), "%s", name);
    map->entry[map->count++].inode = inode;
}

static inline void sim_apply(struct sim_map *map, const struct sim_op *op)
{
    struct sim_name *entry;
    if (op->kind == SIM_CREATE) {
        sim_put(map, op->from, op->inode);
    } else if (op->kind == SIM_UNLINK) {
        entry = sim_find(map, op->from);
        if (entry && entry->inode == op->inode)
            sim_remove(map, op->from);
    } else {
        entry = sim_find(map, op->from);
        if (entry && entry->inode == op->inode) {
            sim_remove(map, op->from);
            sim_put(map, op->to, op->inode);
        }
    }
}

static inline void sim_do(struct sim_disk *d, struct sim_op op)
{
    sim_apply(&d->now, &op);
    if (d->logged == SIM_OPS) { /* a long time without a sync: the oldest half has reached the disk */
        for (size_t i = 0; i < SIM_OPS / 2; i++)
            sim_apply(&d->durable, &d->log[i]);
        memmove(d->log, d->log + SIM_OPS / 2, SIM_OPS / 2 * sizeof(d->log[0]));
        d->logged = SIM_OPS / 2;
    }
    d->log[d->logged++] = op;
}

static inline void sim_resize(char **data, size_t *size, size_t *cap, size_t to)
{
    if (to > *cap) {
        *cap = to * 2;
        *data = realloc(*data, *cap);
        if (!*data)
            abort();
    }
    if (to > *size)
        memset(*data + *size, 0, to - *size);
    *size = to;
}

static inline int sim_folder_make(void *context, const char *folder)
{
    (void)folder;
    int gate = sim_gate(context);
    return gate ? -EIO : 0;
}

static inline int sim_handle(struct sim_disk *d, struct sim_inode *inode)
{
    for (int i = 0; i < SIM_HANDLES; i++) {
        if (!d->handle_used[i]) {
            d->handle_used[i] = true;
            d->handle[i] = inode;
            return i;
        }
    }
    return -EMFILE;
}

static inline int sim_folder_lock(void *context, const char *folder)
{
    struct sim_disk *d = context;
    (void)folder;
    int gate = sim_gate(d);
    if (gate)
        return gate > 0 ? -EIO : gate;
    if (d->locked)
        return -EWOULDBLOCK;
    d->locked = true;
    return sim_handle(d, NULL);
}

static inline int sim_folder_sync(void *context, const char *folder)
{
    struct sim_disk *d = context;
    (void)folder;
    int gate = sim_gate(d);
    if (gate)
        return gate > 0 ? -EIO : gate;
    d->durable = d->now;
    d->logged = 0;
    return 0;
}

static inline int sim_folder_free(void *context, const char *folder, uint64_t *bytes)
{
    struct sim_disk *d = context;
    (void)folder;
    int gate = sim_gate(d);
    if (gate)
        return gate > 0 ? -EIO : gate;
    *bytes = d->free_bytes;
    return 0;
}

static inline int sim_folder_list(
    void *context, const char *folder, int (*entry)(void *arg, const char *name), void *arg)
{
    struct sim_disk *d = context;
    (void)folder;
    int gate = sim_gate(d);
    if (gate)
        return gate > 0 ? -EIO : gate;
    for (size_t i = 0; i < d->now.count; i++) {
        int code = entry(arg, d->now.entry[i].name);
        if (code)
            return code;
    }
    return 0;
}

static inline int sim_open(void *context, const char *path, enum journal_open_mode mode)
{
    struct sim_disk *d = context;
    int gate = sim_gate(d);
    if (gate < 0)
        return gate;
    const char *name = sim_base(path);
    struct sim_name *entry = sim_find(&d->now, name);
    if (mode != JOURNAL_OPEN_CREATE)
        return gate ? -EIO : entry ? sim_handle(d, entry->inode) : -ENOENT;
    if (entry)
        return -EEXIST;
    struct sim_inode *inode = calloc(1, sizeof(*inode));
    if (d->inode_count == d->inode_cap) {
        d->inode_cap = d->inode_cap ? d->inode_cap * 2 : 64;
        d->inodes = realloc(d->inodes, d->inode_cap * sizeof(d->inodes[0]));
    }
    d->inodes[d->inode_count++] = inode;
    struct sim_op op = {.kind = SIM_CREATE, .inode = inode};
    snprintf(op.from, sizeof(op.from), "%s", name);
    sim_do(d, op);
    return gate ? -EIO : sim_handle(d, inode);
}

static inline int sim_close(void *context, int handle)
{
    struct sim_disk *d = context;
    if (handle < 0 || handle >= SIM_HANDLES || !d->handle_used[handle])
        abort();
    if (!d->handle[handle])
        d->locked = false;
    d->handle_used[handle] = false;
    return 0;
}

static inline int64_t sim_size(void *context, int handle)
{
    struct sim_disk *d = context;
    int gate = sim_gate(d);
    if (gate)
        return gate > 0 ? -EIO : gate;
    return (int64_t)d->handle[handle]->size;
}

static inline ssize_t sim_pread(void *context, int handle, void *data, size_t len, uint64_t offset)
{
    struct sim_disk *d = context;
    int gate = sim_gate(d);
    if (gate)
        return gate > 0 ? -EIO : gate;
    struct sim_inode *inode = d->handle[handle];
    if (offset >= inode->size)
        return 0;
    if (len > inode->size - offset)
        len = inode->size - offset;
    if (d->short_io && len > 1)
        len = 1 + sim_below(d, len);
    memcpy(data, inode->data + offset, len);
    return (ssize_t)len;
}

static inline ssize_t sim_pwrite(void *context, int handle, const void *data, size_t len, uint64_t offset)
{
    struct sim_disk *d = context;
    int gate = sim_gate(d);
    struct sim_inode *inode = d->handle[handle];
    if (gate < 0) { /* a failed write may have written something */
        len = sim_below(d, len);
    } else if (d->short_io && len > 1) {
        len = 1 + sim_below(d, len);
    }
    if (d->dead && gate == 0)
        return -EIO;
    if (gate >= 0 || !d->dead) {
        if (offset + len > inode->size)
            sim_resize(&inode->data, &inode->size, &inode->cap, offset + len);
        memcpy(inode->data + offset, data, len);
    }
    d->writes++;
    return gate < 0 ? gate : gate > 0 ? -EIO : (ssize_t)len;
}

static inline int sim_datasync(void *context, int handle)
{
    struct sim_disk *d = context;
    int gate = sim_gate(d);
    struct sim_inode *inode = d->handle[handle];
    if (gate < 0 && !d->dead)
        inode->poisoned = true;
    if (gate)
        return gate > 0 ? -EIO : gate;
    d->datasyncs++;
    if (inode->poisoned)
        return 0; /* the kernel says fine; the pages are not there */
    inode->synced_size = 0;
    sim_resize(&inode->synced, &inode->synced_size, &inode->synced_cap, inode->size);
    memcpy(inode->synced, inode->data, inode->size);
    return 0;
}

static inline int sim_truncate(void *context, int handle, uint64_t size)
{
    struct sim_disk *d = context;
    int gate = sim_gate(d);
    if (gate)
        return gate > 0 ? -EIO : gate;
    struct sim_inode *inode = d->handle[handle];
    sim_resize(&inode->data, &inode->size, &inode->cap, size);
    return 0;
}

static inline int sim_name_op(struct sim_disk *d, int kind, const char *from, const char *to)
{
    int gate = sim_gate(d);
    if (gate < 0)
        return gate;
    struct sim_name *entry = sim_find(&d->now, sim_base(from));
    if (!entry)
        return -ENOENT;
    struct sim_op op = {.kind = kind, .inode = entry->inode};
    snprintf(op.from, sizeof(op.from), "%s", sim_base(from));
    snprintf(op.to, sizeof(op.to), "%s", sim_base(to));
    sim_do(d, op);
    return gate ? -EIO : 0;
}

static inline int sim_rename(void *context, const char *from, const char *to)
{
    return sim_name_op(context, SIM_RENAME, from, to);
}

static inline int sim_unlink(void *context, const char *path)
{
    return sim_name_op(context, SIM_UNLINK, path, "");
}

static inline struct sim_disk *sim_init(uint64_t seed)
{
    struct sim_disk *d = calloc(1, sizeof(*d));
    if (!d)
        abort();
    d->random = seed;
    d->free_bytes = UINT64_C(1) << 40;
    d->ops = (struct journal_file_ops){d, sim_folder_make, sim_folder_lock, sim_folder_sync, sim_folder_free,
        sim_folder_list, sim_open, sim_close, sim_size, sim_pread, sim_pwrite, sim_datasync, sim_truncate,
        sim_rename, sim_unlink};
    return d;
}

static inline void sim_fini(struct sim_disk *d)
{
    for (size_t i = 0; i < d->inode_count; i++) {
        free(d->inodes[i]->data);
        free(d->inodes[i]->synced);
        free(d->inodes[i]);
    }
    free(d->inodes);
    free(d);
}

/* What is left of a file after the power went. */
static inline void sim_crash_file(struct sim_disk *d, struct sim_inode *inode)
{
    size_t old = inode->synced_size, now = inode->size, size = now;
    uint64_t mode = sim_below(d, 5);
    if (inode->poisoned)
        mode = 0;
    if (mode == 0)
        size = old;
    else if (now > old && sim_below(d, 2))
        size = old + sim_below(d, now - old + 1);
    else if (now < old && sim_below(d, 2))
        size = old;
    char *left = calloc(1, size + 1);
    if (!left)
        abort();
    memcpy(left, inode->synced ? inode->synced : "", old < size ? old : size);
    size_t prefix = mode == 3 ? sim_below(d, now + 1) : 0;
    for (size_t at = 0; mode != 0 && at < size && at < now; at += SIM_SECTOR) {
        size_t len = SIM_SECTOR;
        len = len > size - at ? size - at : len;
        len = len > now - at ? now - at : len;
        bool whole = mode == 1 || (mode == 2 && sim_below(d, 2)) || (mode == 4 && sim_below(d, 8));
        if (whole)
            memcpy(left + at, inode->data + at, len);
        else if (mode == 3 && at < prefix)
            memcpy(left + at, inode->data + at, len < prefix - at ? len : prefix - at);
    }
    free(inode->data);
    inode->data = left;
    inode->size = size;
    inode->cap = size + 1;
    inode->poisoned = false;
    inode->synced_size = 0;
    sim_resize(&inode->synced, &inode->synced_size, &inode->synced_cap, size);
    memcpy(inode->synced, left, size);
}

/* The power goes and comes back. The journal must have been closed (its calls fail once the disk is dead). */
static inline void sim_crash(struct sim_disk *d)
{
    for (size_t i = 0; i < d->logged; i++)
        if (sim_below(d, 2))
            sim_apply(&d->durable, &d->log[i]);
    d->now = d->durable;
    d->logged = 0;
    for (size_t i = 0; i < d->now.count; i++)
        sim_crash_file(d, d->now.entry[i].inode);
    memset(d->handle_used, 0, sizeof(d->handle_used));
    d->locked = d->dead = false;
    d->fault = SIM_NONE;
}

static inline void sim_fault_set(struct sim_disk *d, enum sim_fault fault, uint64_t at, int number)
{
    d->calls = 0;
    d->fault = fault;
    d->fault_at = at;
    d->fault_errno = number;
    d->fired = false;
}

#endif
