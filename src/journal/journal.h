/*
 * The commit journal: append opaque records, make them durable, read them back in order, forget the oldest.
 * It knows nothing of what a record means; nothing above knows how it is stored. docs/journal.md draws the
 * format and gives the proof of the recovery rules; docs/decisions/0002-journal.md says why it is ours.
 *
 * Times are those of base/clock.h. Threads: append, sync and truncate belong to one writer thread. Whatever
 * says "any thread" takes no lock the writer holds during I/O. A reader belongs to one thread at a time;
 * there may be any number of readers.
 */
#ifndef WEIR_JOURNAL_JOURNAL_H
#define WEIR_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "journal/files.h"

#define JOURNAL_SEGMENT_DEFAULT (UINT64_C(64) << 20) /* bytes; the largest ordinary segment */
#define JOURNAL_SEGMENT_SMALL                                                                                \
    (UINT64_C(8) << 20) /* bytes; the first segment after an open, doubled at each rotation */
#define JOURNAL_SEGMENT_MIN (UINT64_C(8) << 10)  /* bytes */
#define JOURNAL_SEGMENT_MAX (UINT64_C(1) << 30)  /* bytes */
#define JOURNAL_RECORD_MAX (UINT32_C(64) << 20)  /* bytes of one record; beyond: ERR_TOO_LARGE */
#define JOURNAL_PENDING_MAX (UINT64_C(80) << 20) /* bytes gathered and not yet synced; beyond: ERR_FULL */
#define JOURNAL_SEGMENTS_MAX 1000000             /* files in the folder; beyond: ERR_TOO_LARGE */
#define JOURNAL_OVERHEAD_MAX 64                  /* bytes a cipher may add to a record */
#define JOURNAL_SPACE_CACHE_MS 100               /* age of the free-space answer */

struct journal;
struct journal_reader;

/* What makes a record unique for ever: sequences are used again after a torn tail, but never with the same
   epoch, and the salt is drawn anew for each segment. A cipher derives its nonce from all three. */
struct journal_record_id {
    uint64_t sequence;
    uint64_t epoch;
    uint64_t salt;
};

/* The seam for encryption at rest. Both calls work in place and are called from any thread (writer, readers).
 */
struct journal_cipher {
    void *context;
    uint32_t id; /* 1..UINT32_MAX, stored in each segment's header; plain segments stay readable with a cipher
                    set, unless `only` */
    bool only; /* plain segments are refused (ERR_CORRUPT): nobody can put one among the encrypted ones */
    size_t overhead; /* bytes behind the payload for an authentication tag, at most JOURNAL_OVERHEAD_MAX */
    /* payload[len .. len+overhead) is to be filled. 0 or a negative code, which ends the journal like ERR_IO.
     */
    int (*encrypt)(void *context, const struct journal_record_id *id, char *payload, size_t len);
    /* len counts the plain bytes; 0, or ERR_CORRUPT when the tag does not match. */
    int (*decrypt)(void *context, const struct journal_record_id *id, char *payload, size_t len);
};

struct journal_config {
    const char *folder;     /* created with 0700 when missing (its parent must exist); segments are
                               <folder>/<first sequence, 20 digits>.log */
    uint64_t segment_bytes; /* 0: JOURNAL_SEGMENT_DEFAULT; else JOURNAL_SEGMENT_MIN..MAX. A record that does
                               not fit gets a segment of its own size */
    uint32_t recycle_max;   /* emptied segments of full size kept for reuse; 0: none */
    uint64_t reserve_bytes; /* with less free space than this, appends answer ERR_DISK_FULL before anything is
                               written, and spares are given back; heals by itself */
    uint64_t grace_bytes;   /* of the reserve: appends may take them although journal_writable says no, so that a
                               writer that asks before it gathers can finish what it began. At most the reserve;
                               0: none */
    uint64_t scan_bytes;    /* how much of the newest sealed segments open reads and checks; 0: 256 MiB. Older
                               ones are checked when they are read */
    uint64_t known_durable; /* a sequence known from elsewhere to have been durable (the tables' applied one):
                               a tail that ends before it is ERR_CORRUPT; 0: unknown */
    uint64_t start_after;   /* an empty folder begins with the sequence after this one (a restored backup); 0:
                               begins with 1 */
    bool foreground; /* no thread: housekeeping runs inside append, sync and truncate. For simulators and
                        deterministic tests */
    const struct journal_file_ops *files; /* NULL: the real ones. Borrowed until journal_close */
    const struct journal_cipher *cipher;  /* NULL: plain. Borrowed until journal_close */
};

/* Locks the folder, checks the segments, finds the tail, drops a torn end, begins a new epoch in a new
   segment. ERR_CORRUPT: damage before the tail; err names file, offset and sequence. ERR_AGAIN: another
   process has the folder. ERR_VERSION: another format. ERR_UNSUPPORTED: encrypted, and no cipher of that id
   was given. ERR_DISK_FULL, ERR_IO, ERR_MEMORY, ERR_INVALID (configuration), ERR_TOO_LARGE (number of files).
   On failure *out is NULL, and the records on disk are as they were. */
int journal_open(struct journal **out, const struct journal_config *config, struct err *err);
/* Syncs what is pending, writes the closing mark (which makes damage of the very last records provable),
   frees. All readers must be closed. NULL is allowed. */
void journal_close(struct journal *j);

/* Appends one record made of the pieces (copied); its sequence is journal_last()+1. It becomes durable by
   journal_sync, or earlier when a segment fills. An empty record is allowed. ERR_DISK_FULL, ERR_TOO_LARGE,
   ERR_FULL (too much pending: sync first) and ERR_MEMORY (also: no file descriptor) leave the journal
   unchanged. ERR_IO is final: the caller ends the process. */
int journal_append(
    struct journal *j, const struct text *piece, size_t pieces, uint64_t *sequence, struct err *err);
/* Makes all appended records durable: one write of the gathered bytes and one fdatasync; nothing when nothing
   is pending. ERR_DISK_FULL: the write found no space; the records stay pending and the call may be repeated
   later (no fsync has failed). ERR_IO is final: every later append and sync answers ERR_IO too; a failed
   fsync is never retried. */
int journal_sync(struct journal *j, struct err *err);

/* All four from any thread. */
uint64_t journal_last(const struct journal *j);    /* newest appended sequence; start_after when there is none */
uint64_t journal_durable(const struct journal *j); /* newest durable sequence */
uint64_t journal_first(const struct journal *j);
/* Bytes of its segments on disk, spare ones too. Any thread. */
uint64_t journal_bytes(struct journal *j);   /* oldest readable sequence; last+1 when empty */
uint64_t journal_epoch(const struct journal *j);   /* 1, 2, ...: grows with each open */
/* Free space is above the reserve; the answer is at most JOURNAL_SPACE_CACHE_MS old and looked up again here
   when it is older, hence no const. Any thread. */
bool journal_writable(struct journal *j);

/* The first sequence of the segment that holds `sequence`, for those who walk from the newest to the oldest. 0: it was truncated away, or was never appended.
   Any thread. */
uint64_t journal_segment_first(struct journal *j, uint64_t sequence);

/* Forgets whole segments whose records are all below `below`; the newest segment always stays. What is
   forgotten is not readable from now on (readers inside such a segment may finish it); the files are recycled
   or removed by the keeper thread, oldest first, once no reader is in them. Always 0; a failed removal is
   logged and tried again by the next truncate. */
int journal_truncate(struct journal *j, uint64_t below);

/* A reader that delivers `from` first. ERR_NOT_FOUND: below journal_first(). ERR_INVALID: above
   journal_last()+1. ERR_CORRUPT, ERR_IO, ERR_MEMORY. The journal must outlive it. Any thread. */
int journal_reader_open(struct journal *j, uint64_t from, struct journal_reader **out, struct err *err);
/* The next durable record. *record is borrowed until the next call. ERR_AGAIN: at the durable end; call again
   later. ERR_NOT_FOUND: it was truncated away meanwhile. ERR_CORRUPT, ERR_IO, ERR_MEMORY: the position is
   unchanged. */
int journal_reader_next(struct journal_reader *r, uint64_t *sequence, struct text *record, struct err *err);
void journal_reader_close(struct journal_reader *r);

/* What journal_copy copied. Plain value. */
struct journal_copied {
    uint64_t segments, bytes;
    uint64_t first, last; /* sequences; last: durable when the copy began, the copy may hold later ones too */
};

/* Copies the segments that hold `from` and all later durable records into a folder (made with 0700; its files
   0600), byte for byte and synced: a journal of its own, which opens with the same cipher. The writer goes on
   meanwhile. `from` may be journal_last()+1. on_bytes (may be NULL) is told of each piece; what it answers but
   0 ends the copy. ERR_NOT_FOUND: truncated away before it was copied; keep truncation away, or begin again with
   an empty folder. ERR_IO, ERR_DISK_FULL, ERR_CORRUPT, ERR_MEMORY. Any thread; it blocks. */
int journal_copy(struct journal *j, uint64_t from, const char *folder,
    int (*on_bytes)(void *context, uint64_t bytes), void *context, struct journal_copied *out,
    struct err *err);

/* What journal_verify found. Plain value. */
struct journal_report {
    uint64_t segments, records, payload_bytes;
    uint64_t first, last, epoch; /* 0 when there are no records */
    bool torn;                   /* the newest segment ends in an unfinished write: a crash, not damage */
    bool closed;                 /* the closing mark is there: the journal was shut down in order */
    uint64_t damaged_offset;     /* of the first damage, when the answer is ERR_CORRUPT */
    uint64_t damaged_sequence;
    char damaged_file[32]; /* name inside the folder */
};

/* Reads and checks every record of a folder (for `weir verify`) without changing or locking anything.
   progress (may be NULL) is called after each segment with bytes done and in total. files and cipher as in
   the configuration (a cipher is used to check its tags too; without one the checksums of encrypted segments
   are checked all the same). 0, or the first damage as ERR_CORRUPT, ERR_VERSION; ERR_NOT_FOUND: no such
   folder; ERR_IO, ERR_MEMORY. */
int journal_verify(const char *folder, const struct journal_file_ops *files,
    const struct journal_cipher *cipher, void (*progress)(void *context, uint64_t done, uint64_t total),
    void *context, struct journal_report *report, struct err *err);

#endif
