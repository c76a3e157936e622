/*
 * A backup is a data folder: the tables as a checkpoint has them, the journal from its oldest record to its durable end, and whatever else lies in the folder.
 * So `weir serve`, `weir verify` and `weir restore` need nothing new to read one, and an encrypted folder's backup is encrypted with the same key, without this
 * code having it.
 *
 * The order makes it consistent. The checkpoint is first: the tables reflect a sequence S. The journal is copied after it, so its end is at or behind S, and at
 * or behind everything that was acknowledged before the command. When the backup is opened, the journal from S+1 is replayed, as after a crash. The whole
 * journal is copied and not only what follows S: streams, consumers that are behind, room histories and restores to a point in time read it, and a backup that
 * lost their records would lose data that nobody has seen yet.
 *
 * Files of tables are linked where the file system can: they never change. To another disk they are copied, unless an earlier backup there has the same file:
 * its name tells, since numbers are not used again in one history, and its bytes prove it, since a folder that was restored has another history. Everything
 * else is copied. Other files are copied twice over, before the journal and after it (only what is new then): a row of the journal may name a file that came
 * meanwhile.
 *
 * Truncation of the journal is held off meanwhile (tick_keep_from). If one was under way when the hold was asked for, the copy finds its beginning gone, and
 * begins again.
 */
#include "main/backup_make.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "journal/journal.h"
#include "main/folder.h"
#include "main/lineage_file.h"
#include "store/store.h"
#include "tick/tick.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SPACE_MARGIN (UINT64_C(256) << 20) /* bytes that stay free: a backup on the server's own disk must not make it read-only */
#define JOURNAL_TRIES 3

struct making {
    const struct backup_source *source;
    struct backup_state *state;
    struct backup_result *result;
    const struct backup_wish *wish;
    struct draft draft;
    struct journal_report report;
    struct err *err;
};

const char *backup_step_text(int step)
{
    static const char *const text[] = {
#define X(name, words) words,
        BACKUP_STEPS(X)
#undef X
    };
    return text[step];
}

/* ---- what is taken ---- */

static bool has_suffix(const char *name, const char *suffix)
{
    size_t len = strlen(name), end = strlen(suffix);
    return len >= end && strcmp(name + len - end, suffix) == 0;
}

/* Beside tables and journal. `key.123` and the like are drafts of a process that is writing, or was. */
static enum copy_how choose_file(const char *name, int level, bool folder)
{
    static const char *const own[] = {"lock", "tables", "journal", BACKUP_CHECKPOINT, BACKUP_CHECKPOINT ".tmp", BACKUP_ABOUT, ".unfinished"};
    for (size_t i = 0; level == 0 && i < sizeof(own) / sizeof(own[0]); i++)
        if (strcmp(name, own[i]) == 0)
            return COPY_NOT;
    bool draft = !folder && level == 0 && (strncmp(name, "key.", 4) == 0 || strncmp(name, "dev-jwt-secret.", 15) == 0 || strncmp(name, LINEAGE_FILE ".", sizeof(LINEAGE_FILE)) == 0);
    return draft || has_suffix(name, ".partial") || has_suffix(name, ".tmp") ? COPY_NOT : COPY_BYTES;
}

static enum copy_how choose_table(const char *name, int level, bool folder)
{
    (void)level;
    if (folder || strcmp(name, "LOCK") == 0 || strncmp(name, "LOG", 3) == 0)
        return COPY_NOT;
    return has_suffix(name, ".sst") ? COPY_LINK : COPY_BYTES;
}

static enum copy_how choose_table_bytes(const char *name, int level, bool folder)
{
    return choose_table(name, level, folder) == COPY_NOT ? COPY_NOT : COPY_BYTES;
}

/* Spares and unfinished segments are no data. */
static enum copy_how choose_segment(const char *name, int level, bool folder)
{
    (void)level;
    return !folder && has_suffix(name, ".log") ? COPY_BYTES : COPY_NOT;
}

/* ---- steps ---- */

static void step(struct making *m, enum backup_step now)
{
    atomic_store(&m->state->step, now);
}

static int path_of(struct making *m, char out[FOLDER_PATH_SIZE], bool draft, const char *name)
{
    return folder_path(out, FOLDER_PATH_SIZE, draft ? m->draft.path : m->source->data, name, m->err);
}

static copy_choose_fn *table_choice(const struct making *m)
{
    return m->wish->copy ? choose_table_bytes : choose_table;
}

/* Links need no space; whether they can be made is only known when one is tried, so a backup to another disk is counted as if they could not. */
static int check_space(struct making *m, const char *tables)
{
    char journal[FOLDER_PATH_SIZE], tables_to[FOLDER_PATH_SIZE];
    struct statvfs info, from;
    uint64_t total = tree_bytes(m->source->data, choose_file);
    if (path_of(m, journal, false, "journal") || path_of(m, tables_to, true, "tables"))
        return ERR_TOO_LARGE;
    bool other_disk = statvfs(m->draft.path, &info) == 0 && statvfs(m->source->data, &from) == 0 && info.f_fsid != from.f_fsid;
    total += tree_bytes(journal, choose_segment) + tree_bytes(tables, other_disk ? choose_table_bytes : table_choice(m));
    atomic_store(&m->state->watch.total, total);
    if (statvfs(m->draft.path, &info))
        return 0;
    uint64_t have = (uint64_t)info.f_bavail * info.f_frsize;
    if (have >= total + (m->source->store ? SPACE_MARGIN : 0))
        return 0;
    return err_set(m->err, ERR_DISK_FULL, "the backup needs %llu MiB and the disk of %s has %llu MiB free; make room, or name another disk",
        (unsigned long long)((total >> 20) + (m->source->store ? SPACE_MARGIN >> 20 : 0) + 1), m->draft.target, (unsigned long long)(have >> 20));
}

static int on_journal_bytes(void *context, uint64_t bytes)
{
    return copy_step(context, bytes);
}

static int copy_running_journal(struct making *m, const char *to)
{
    struct journal_copied copied;
    int code = ERR_NOT_FOUND;
    for (int i = 0; code == ERR_NOT_FOUND && i < JOURNAL_TRIES; i++) {
        uint64_t first = journal_first(m->source->journal);
        tick_keep_from(m->source->tick, TICK_KEEP_BACKUP, first);
        code = tree_remove(to, m->err);
        if (!code)
            code = journal_copy(m->source->journal, first, to, on_journal_bytes, &m->state->watch, &copied, m->err);
    }
    return code;
}

static int copy_journal(struct making *m)
{
    char from[FOLDER_PATH_SIZE], to[FOLDER_PATH_SIZE];
    if (path_of(m, from, false, "journal") || path_of(m, to, true, "journal"))
        return ERR_TOO_LARGE;
    step(m, BACKUP_JOURNAL);
    return m->source->journal ? copy_running_journal(m, to) : tree_copy(from, to, choose_segment, &m->state->watch, m->err);
}

/* Every record's checksum, of what was written and not of what was read: a backup of a damaged journal, or onto a bad disk, is not called one. */
static int check_journal(struct making *m, uint64_t durable)
{
    char path[FOLDER_PATH_SIZE];
    if (path_of(m, path, true, "journal"))
        return ERR_TOO_LARGE;
    step(m, BACKUP_CHECK);
    int code = journal_verify(path, NULL, NULL, NULL, NULL, &m->report, m->err);
    if (!code && m->report.last < durable)
        code = err_set(m->err, ERR_CORRUPT, "the copy of the journal ends with record %llu instead of %llu", (unsigned long long)m->report.last, (unsigned long long)durable);
    m->result->sequence = m->report.last;
    return code;
}

static int copy_files(struct making *m)
{
    step(m, BACKUP_FILES);
    return tree_copy(m->source->data, m->draft.path, choose_file, &m->state->watch, m->err);
}

/* tree_copy leaves alone what is there already. */
static int link_unchanged(struct making *m, const char *from, const char *to)
{
    char base[FOLDER_PATH_SIZE];
    int code = folder_path(base, sizeof(base), m->wish->base, "tables", m->err);
    DIR *dir = code ? NULL : opendir(from);
    if (!dir || (mkdir(to, 0700) && errno != EEXIST))
        code = code ? code : err_set(m->err, ERR_IO, "%s: %s", from, strerror(errno));
    for (struct dirent *entry; !code && (entry = readdir(dir));) {
        char ours[FOLDER_PATH_SIZE], theirs[FOLDER_PATH_SIZE], target[FOLDER_PATH_SIZE];
        if (choose_table(entry->d_name, 0, false) != COPY_LINK)
            continue;
        if (folder_path(ours, sizeof(ours), from, entry->d_name, m->err) || folder_path(theirs, sizeof(theirs), base, entry->d_name, m->err) ||
            folder_path(target, sizeof(target), to, entry->d_name, m->err))
            code = ERR_TOO_LARGE;
        else if (file_equal(ours, theirs) && link(theirs, target)) {
            /* Another disk, then: it is copied below. */
        }
        if (!code && copy_step(&m->state->watch, 0))
            code = err_set(m->err, ERR_CLOSED, "the copy was stopped");
    }
    if (dir)
        closedir(dir);
    return code;
}

static int copy_tables(struct making *m, const char *from)
{
    char to[FOLDER_PATH_SIZE];
    step(m, BACKUP_TABLES);
    int code = path_of(m, to, true, "tables");
    if (!code && m->wish->base)
        code = link_unchanged(m, from, to);
    return code ? code : tree_copy(from, to, table_choice(m), &m->state->watch, m->err);
}

static int write_about(struct making *m)
{
    char path[FOLDER_PATH_SIZE], iso[CLOCK_ISO_SIZE], line[256];
    clock_format_iso(clock_wall_ms(), iso);
    int len = snprintf(line, sizeof(line), "{\"version\":1,\"program\":\"weir %s\",\"madeAt\":\"%s\",\"sequence\":%llu}\n", WEIR_VERSION, iso,
        (unsigned long long)m->result->sequence);
    return path_of(m, path, true, BACKUP_ABOUT) ? ERR_TOO_LARGE : file_write(path, line, (size_t)len, m->err);
}

/* A backup below the data folder would be part of the next one. The parent is what exists already. */
static int check_place(struct making *m)
{
    const char *to = m->wish->to;
    char parent[FOLDER_PATH_SIZE], *data = realpath(m->source->data, NULL);
    snprintf(parent, sizeof(parent), "%s", to);
    size_t len = strlen(parent);
    while (len > 1 && parent[len - 1] == '/')
        parent[--len] = 0;
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent ? 1 : 0] = 0;
    char *real = realpath(slash ? parent : ".", NULL);
    int code = 0;
    if (!real)
        code = err_set(m->err, ERR_IO, "the folder in which %s is to be made does not exist", to);
    else if (data && strncmp(real, data, strlen(data)) == 0 && (real[strlen(data)] == '/' || !real[strlen(data)]))
        code = err_set(m->err, ERR_INVALID, "%s lies in the data folder itself; name a folder outside of it, best on another disk", to);
    free(real);
    free(data);
    return code;
}

static int check_base(struct making *m)
{
    char about[FOLDER_PATH_SIZE];
    int code = m->wish->base ? folder_path(about, sizeof(about), m->wish->base, BACKUP_ABOUT, m->err) : 0;
    if (!code && m->wish->base && access(about, F_OK))
        code = err_set(m->err, ERR_INVALID, "%s is no backup to build on: there is no " BACKUP_ABOUT " in it", m->wish->base);
    return code;
}

static int make(struct making *m)
{
    char tables[FOLDER_PATH_SIZE];
    int code = path_of(m, tables, false, m->source->store ? BACKUP_CHECKPOINT : "tables");
    uint64_t durable = 0;
    if (!code && m->source->store) {
        step(m, BACKUP_TABLES_FLUSHED);
        code = tree_remove(tables, m->err);
        if (!code)
            code = store_checkpoint(m->source->store, tables, m->err);
        durable = journal_durable(m->source->journal);
    }
    if (!code)
        code = check_space(m, tables);
    if (!code)
        code = copy_files(m);
    if (!code)
        code = copy_journal(m);
    if (!code)
        code = copy_files(m);
    if (!code)
        code = copy_tables(m, tables);
    if (!code)
        code = check_journal(m, durable);
    if (!code)
        code = lineage_part(m->draft.path, durable ? durable : m->report.last, m->err);
    m->result->bytes = atomic_load(&m->state->watch.done);
    return code ? code : write_about(m);
}

int backup_make(const struct backup_source *source, const struct backup_wish *wish, struct backup_state *state, struct backup_result *result, struct err *err)
{
    struct making *m = calloc(1, sizeof(*m));
    if (!m)
        return err_set(err, ERR_MEMORY, "out of memory");
    *m = (struct making){.source = source, .state = state, .result = result, .wish = wish, .err = err};
    *result = (struct backup_result){0};
    if (source->tick)
        tick_keep_from(source->tick, TICK_KEEP_BACKUP, journal_first(source->journal));
    m->draft.mark = -1;
    int code = check_place(m);
    if (!code)
        code = check_base(m);
    if (!code)
        code = draft_begin(&m->draft, wish->to, err);
    if (!code)
        code = make(m);
    if (!code)
        code = draft_commit(&m->draft, err);
    draft_abandon(&m->draft);
    if (source->tick)
        tick_keep_from(source->tick, TICK_KEEP_BACKUP, UINT64_MAX);
    if (source->store)
        backup_tidy(source->data);
    if (!code)
        step(m, BACKUP_DONE);
    free(m);
    return code;
}

void backup_tidy(const char *data)
{
    static const char *const names[] = {BACKUP_CHECKPOINT, BACKUP_CHECKPOINT ".tmp"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[FOLDER_PATH_SIZE];
        struct err err;
        if (folder_path(path, sizeof(path), data, names[i], &err) || tree_remove(path, &err)) {
            /* It costs space and no more; the next backup tries again. */
        }
    }
}
