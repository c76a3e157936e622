/*
 * The inside of a journal, shared by journal.c (writer), keeper.c (housekeeping), reader.c, folder.c and
 * verify.c. Private to src/journal.
 *
 * Who may touch what: `lock` guards the list of segments, their pins, indexes and dropped flags, and the
 * keeper's queue. It is held for look-ups, never during I/O. The active segment's `end`, the pending buffer
 * and `active_*` belong to the writer. `last`, `durable`, `first`, `failed` and each segment's `last` and
 * `readable` are atomic.
 */
#ifndef WEIR_JOURNAL_INTERNAL_H
#define WEIR_JOURNAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "journal/journal.h"
#include "journal/segment.h"

#define JOURNAL_INDEX_STEP (UINT64_C(256) << 10) /* bytes between two entries of a segment's index */
#define JOURNAL_SPARES_MAX 8                     /* bound of recycle_max + 1 prepared */

struct journal_index_entry {
    uint64_t sequence, offset;
};

struct journal_segment {
    struct journal_header header;
    uint64_t capacity;                 /* bytes the file may grow to */
    uint64_t size;                     /* bytes of the file at open */
    _Atomic uint64_t last;             /* newest sequence; UINT64_MAX while it is the active one */
    _Atomic uint64_t readable;         /* readers stay below this offset */
    struct journal_index_entry *index; /* sparse, ascending; may be empty */
    size_t index_count, index_cap;
    unsigned pins; /* readers inside */
    bool dropped;  /* truncated away, waits for its removal */
};

struct journal_spare {
    uint64_t serial, bytes;
};

struct journal {
    char *folder;
    const struct journal_file_ops *files;
    const struct journal_cipher *cipher;
    uint64_t segment_bytes, reserve_bytes, grace_bytes;
    uint32_t recycle_max;
    bool foreground;
    int folder_handle; /* holds the lock */
    uint64_t epoch;

    _Atomic uint64_t last, durable, first;
    _Atomic bool failed; /* an fsync or a write has failed for good */

    /* writer */
    int active_handle;
    struct journal_segment *active;
    uint64_t end; /* offset behind the active segment's durable records */
    char *pending;
    size_t pending_len, pending_cap;
    uint64_t index_due; /* offset from which the next index entry is made */
    bool spare_asked;   /* for the segment after the active one */

    /* free space */
    _Atomic int64_t space_left;  /* above the reserve */
    _Atomic int64_t space_at_ms; /* of the last look; INT64_MIN: never */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct journal_segment **segment; /* ascending; dropped ones are a prefix */
    size_t segments, segments_cap;
    struct journal_spare spare[JOURNAL_SPARES_MAX + 1];
    size_t spares;
    uint64_t spare_serial; /* newest used */
    uint64_t spare_wanted; /* bytes; 0: none */
    bool shed_spares;      /* space is low: give them back */
    bool removal_failed;   /* until the next truncate */
    bool thread_running;
    _Atomic bool stop;
    pthread_t thread;
};

/* folder.c: what a folder holds. Segments ascending, headers parsed, the chain between them checked. */
struct journal_folder {
    struct journal_segment **segment;
    size_t segments, cap;
    struct journal_spare *spare; /* kept from an earlier run */
    size_t spares, spares_cap;
    uint64_t serial; /* newest serial of spares and unfinished files */
    uint64_t *unfinished;
    size_t unfinished_count, unfinished_cap;
    int code; /* of the listing */
};

/* damage (may be NULL) gets file name and sequence of a bad header. */
int journal_folder_load(struct journal_folder *out, const char *folder, const struct journal_file_ops *files,
    struct journal_report *damage, struct err *err);
void journal_folder_free(struct journal_folder *folder);
void journal_segment_destroy(struct journal_segment *segment);
/* Opens one segment's file and scans it; scan->header and last_expected are filled in here. Fills err with
 * file, offset, sequence. */
int journal_folder_scan(const char *folder, const struct journal_file_ops *files,
    struct journal_segment *segment, struct journal_scan *scan, struct err *err);
/* Adds an index entry when the last one is far enough behind. Caller holds the lock (or is alone). Failure is
 * harmless. */
void journal_segment_index(struct journal_segment *segment, uint64_t sequence, uint64_t offset);
/* "spare.<20 digits>" or "fill.<20 digits>" */
void journal_spare_name(const char *kind, uint64_t serial, char name[JOURNAL_NAME_SIZE]);
/* ENOSPC, EDQUOT: ERR_DISK_FULL. ENOMEM, EMFILE, ENFILE: ERR_MEMORY. Others: ERR_IO. number is -errno. */
int journal_errno(struct err *err, int number, const char *what, const char *name);

/* keeper.c */
int journal_keeper_start(struct journal *j);
void journal_keeper_stop(struct journal *j);
/* There may be work: wakes the thread, or does it here in foreground mode. The lock is not held. */
void journal_keeper_wake(struct journal *j);
/* Takes the smallest spare of at least `bytes`: its name into path, true; or false. */
bool journal_keeper_take(struct journal *j, uint64_t bytes, struct journal_spare *out);
uint64_t journal_keeper_serial(struct journal *j);
/* Removes the files of all spares, for space. */
void journal_keeper_shed(struct journal *j);

/* journal.c */
bool journal_space(struct journal *j, uint64_t bytes);

/* active.c: the segment that is written. All for the writer (or while nobody else is there). */
/* Creates a segment's file of at least `bytes` (a spare or one that grows), durable with its header and name.
   Out of space, memory or descriptors leaves all as it was; anything else sets `failed`. */
int journal_active_create(struct journal *j, uint64_t first, uint64_t previous, uint64_t bytes,
    struct journal_segment **out, int *handle, struct err *err);
/* Room in the list for one more: 0, ERR_FULL, ERR_MEMORY. */
int journal_active_reserve(struct journal *j, struct err *err);
/* Takes segment and handle; there is room. */
void journal_active_set(struct journal *j, struct journal_segment *segment, int handle);
/* Bytes of the segment after the active one. */
uint64_t journal_active_next_size(const struct journal *j);
/* `total`: bytes of the record that did not fit. Syncs first. */
int journal_active_rotate(struct journal *j, uint64_t total, struct err *err);
/* Half full: time to prepare the next one. */
void journal_active_ask(struct journal *j);
/* The journal has failed for good: ERR_IO. */
int journal_fail(struct journal *j, int number, const char *what, const char *name, struct err *err);
/* Trouble before anything durable was promised: ERR_IO sets `failed`, shortage of a resource does not. */
int journal_fail_unless_resource(
    struct journal *j, int number, const char *what, const char *name, struct err *err);

#endif
