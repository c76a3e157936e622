/* A backup of a whole data folder, of a running server or of a folder that nobody uses. docs/folder-backup.md. */
#ifndef WEIR_MAIN_BACKUP_MAKE_H
#define WEIR_MAIN_BACKUP_MAKE_H

#include "main/folder_copy.h"

struct store;
struct journal;
struct tick;

#define BACKUP_ABOUT "backup.json"             /* in a backup: when it was made, and of which sequence */
#define BACKUP_CHECKPOINT "tables.checkpoint"  /* in the data folder while a backup is made: the tables as they were at its begin */

/* What is copied. With store, journal and tick: of a running server; without: a folder that the caller has locked. */
struct backup_source {
    const char *data;
    struct store *store;
    struct journal *journal;
    struct tick *tick;
};
/* X(name, text) */
#define BACKUP_STEPS(X)                         \
    X(WAITING, "waiting")                       \
    X(TABLES_FLUSHED, "flushing the tables")    \
    X(FILES, "copying the files")               \
    X(JOURNAL, "copying the journal")           \
    X(TABLES, "copying the tables")             \
    X(CHECK, "checking the journal")            \
    X(DONE, "done")
enum backup_step {
#define X(name, text) BACKUP_##name,
    BACKUP_STEPS(X)
#undef X
};
const char *backup_step_text(int step);

/* What is asked for. */
struct backup_wish {
    const char *to;
    const char *base; /* an earlier backup of the folder, on the disk of `to`: files of tables that are the same, byte for byte, are linked from there; NULL: none */
    bool copy;        /* the tables' files are copied even where a link to the data folder's would do */
};

/* Watched from any thread. */
struct backup_state {
    struct copy_watch watch;
    atomic_int step; /* enum backup_step */
};
struct backup_result {
    uint64_t sequence; /* the last one in the backup; 0: its journal has no records */
    uint64_t bytes;    /* written; links count nothing */
};

/* Makes the folder wish->to, by way of a folder with ".partial" behind its name. It holds everything that was durable when this was called, and perhaps some of
   what came after. ERR_EXISTS, ERR_AGAIN (another backup to the same folder), ERR_DISK_FULL, ERR_CORRUPT (the source is damaged: err names the file), ERR_CLOSED
   (stopped), ERR_INVALID (the base is no backup, or the place is in the data folder), ERR_IO. Nothing of a failed one stays. Any thread; it blocks, and takes its
   time. One at a time for a data folder. */
int backup_make(const struct backup_source *source, const struct backup_wish *wish, struct backup_state *state, struct backup_result *result, struct err *err);
/* Removes what a backup that was cut off by a crash left in the data folder. Nobody uses the folder yet. */
void backup_tidy(const char *data);

#endif
