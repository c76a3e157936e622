/*
 * `weir restore`: a new data folder from a backup. It is copied whole, not linked: the backup must outlive whatever happens to the new folder. Before it gets
 * its name, everything is checked as `weir verify` does, and the folder is opened once as the server would open it, with the journal's tail replayed; so a
 * folder that this command made starts.
 */
#include "main/backup_make.h"
#include "main/command.h"
#include "main/config.h"
#include "main/folder.h"
#include "main/lineage_file.h"
#include "main/progress.h"
#include "main/verify.h"

#include "base/clock.h"
#include "base/log.h"
#include "journal/cipher.h"
#include "store/store.h"
#include "tick/tick.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const struct option_row options[] = {
    {"from", "FOLDER", "the backup"},
    {"data", "DIR", "the data folder to be made; it must not exist, or be empty"},
    {"config", "FILE", "the configuration, for the key of an encrypted backup"},
    {"key-file", "FILE", "or that key (default: WEIR_ENCRYPTION_KEY, WEIR_ENCRYPTION_KEY_FILE)"},
    {NULL, NULL, NULL},
};

static int fail(int exit_code, const char *text)
{
    fprintf(stderr, "weir restore: %s\n", text);
    return exit_code;
}

static int exit_of(int code)
{
    switch (code) {
    case ERR_AGAIN:
        return EXIT_LOCKED;
    case ERR_CORRUPT:
    case ERR_VERSION:
        return EXIT_DATA;
    default:
        return EXIT_FAILED;
    }
}

/* ---- the copy ---- */

struct copying {
    struct copy_watch watch;
    struct progress progress;
};

static void on_step(void *context)
{
    struct copying *c = context;
    char a[PROGRESS_TEXT], b[PROGRESS_TEXT];
    if (progress_due(&c->progress))
        progress_say(&c->progress, "restore: copying, %s of %s", progress_bytes(atomic_load(&c->watch.done), a), progress_bytes(atomic_load(&c->watch.total), b));
}

static enum copy_how choose(const char *name, int level, bool folder)
{
    (void)folder;
    if (level == 0 && (strcmp(name, "lock") == 0 || strcmp(name, BACKUP_ABOUT) == 0 || strncmp(name, BACKUP_CHECKPOINT, strlen(BACKUP_CHECKPOINT)) == 0))
        return COPY_NOT;
    return COPY_BYTES;
}

/* The backup may lie where this process cannot write, so its lock is looked at and not made; *fd is -1 when there is none. */
static int lock_backup(const char *from, int *fd, struct err *err)
{
    char path[FOLDER_PATH_SIZE];
    int code = folder_path(path, sizeof(path), from, "lock", err);
    *fd = code ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 || flock(*fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return code;
    close(*fd);
    return err_set(err, ERR_AGAIN, "%s is in use by a server or another command; stop it first, or make a backup of it", from);
}

static int copy(const char *from, struct draft *draft, struct err *err)
{
    struct copying c = {0};
    int lock, code = lock_backup(from, &lock, err);
    if (code)
        return code;
    progress_begin(&c.progress);
    c.watch.on_step = on_step;
    c.watch.context = &c;
    atomic_store(&c.watch.total, tree_bytes(from, choose));
    code = tree_copy(from, draft->path, choose, &c.watch, err);
    progress_end(&c.progress);
    folder_unlock(lock);
    return code;
}

/* ---- the proof ---- */

struct restored {
    uint64_t tables, items, sequence;
    int64_t time_ms; /* 0: the journal has no records */
};

static void count(struct store *store, struct restored *out)
{
    for (const struct store_table *table = store_table_next(store, NULL); table; table = store_table_next(store, table)) {
        int64_t items = store_table_count(table);
        out->tables++;
        out->items += items > 0 ? (uint64_t)items : 0;
    }
}

static int last_time(struct journal *journal, struct restored *out, struct err *err)
{
    struct journal_reader *reader;
    struct tick_record record;
    struct text bytes;
    uint64_t sequence;
    out->sequence = journal_last(journal);
    if (journal_first(journal) > journal_last(journal))
        return 0;
    int code = journal_reader_open(journal, out->sequence, &reader, err);
    if (code)
        return code;
    code = journal_reader_next(reader, &sequence, &bytes, err);
    if (!code && tick_record_parse(bytes, &record) == 0)
        out->time_ms = record.time_ms;
    journal_reader_close(reader);
    return code;
}

static int open_journal(const char *folder, const struct journal_gcm *cipher, struct store *store, struct restored *out, struct err *err)
{
    struct journal *journal;
    struct journal_config config = {.folder = folder, .known_durable = store_applied(store), .cipher = journal_gcm_cipher(cipher), .foreground = true};
    int code = journal_open(&journal, &config, err);
    if (code)
        return code;
    code = tick_recover(store, journal, NULL, err);
    if (!code)
        code = last_time(journal, out, err);
    if (!code)
        count(store, out);
    journal_close(journal);
    return code;
}

static int open_once(const char *data, const struct key_data *key, struct restored *out, struct err *err)
{
    char tables[FOLDER_PATH_SIZE], journal[FOLDER_PATH_SIZE];
    unsigned char tables_key[CIPHER_KEY_BYTES], journal_key[CIPHER_KEY_BYTES];
    struct journal_gcm *cipher = NULL;
    struct store *store = NULL;
    struct store_config config = {.folder = tables, .key = key->set ? tables_key : NULL, .sync_flush = true};
    int code = folder_path(tables, sizeof(tables), data, "tables", err);
    if (!code)
        code = folder_path(journal, sizeof(journal), data, "journal", err);
    if (!code && key->set && (key_for(key, "tables", tables_key) || key_for(key, "journal", journal_key) || journal_gcm_create(&cipher, journal_key)))
        code = err_set(err, ERR_INTERNAL, "the cipher failed");
    if (!code)
        code = store_open(&store, &config, err);
    if (!code)
        code = open_journal(journal, cipher, store, out, err);
    store_close(store);
    journal_gcm_destroy(cipher);
    cipher_forget(tables_key, sizeof(tables_key));
    cipher_forget(journal_key, sizeof(journal_key));
    return code;
}

/* ---- the command ---- */

static int finish(struct draft *draft, struct err *err)
{
    char lock[FOLDER_PATH_SIZE];
    int code = folder_path(lock, sizeof(lock), draft->path, "lock", err);
    if (!code && unlink(lock) && errno != ENOENT)
        code = err_set(err, ERR_IO, "%s: %s", lock, strerror(errno));
    return code ? code : draft_commit(draft, err);
}

static void print_restored(const char *data, const struct restored *restored)
{
    char items[PROGRESS_TEXT], iso[CLOCK_ISO_SIZE];
    printf("%s: %" PRIu64 " tables with %s items, up to sequence %" PRIu64, data, restored->tables, progress_count(restored->items, items), restored->sequence);
    if (restored->time_ms) {
        clock_format_iso(restored->time_ms, iso);
        printf(" of %s", iso);
    }
    printf("\n");
}

static int restore(const char *from, const char *data, const struct key_data *key)
{
    struct draft draft;
    struct restored restored = {0};
    struct err err = {0};
    int code = draft_begin(&draft, data, &err), exit_code = EXIT_OK;
    if (code)
        return fail(exit_of(code), err.text);
    code = copy(from, &draft, &err);
    if (!code)
        exit_code = verify_folder(key, draft.path);
    if (!code && exit_code)
        fprintf(stderr, "weir restore: nothing was restored: the backup %s is damaged; take an older one\n", from);
    if (!code && !exit_code)
        code = open_once(draft.path, key, &restored, &err);
    if (!code && !exit_code)
        code = lineage_part(draft.path, restored.sequence, &err);
    if (!code && !exit_code)
        code = finish(&draft, &err);
    draft_abandon(&draft);
    if (code)
        return fail(exit_of(code), err.text);
    if (!exit_code)
        print_restored(data, &restored);
    return exit_code;
}

static int check_backup(const char *from)
{
    static const char *const parts[] = {"journal", "tables"};
    char path[FOLDER_PATH_SIZE];
    for (int i = 0; i < 2; i++)
        if (folder_path(path, sizeof(path), from, parts[i], NULL) || access(path, F_OK)) {
            fprintf(stderr, "weir restore: %s is not a backup: there is no folder %s in it\n", from, parts[i]);
            return EXIT_FAILED;
        }
    if (!draft_is_unfinished(from))
        return EXIT_OK;
    fprintf(stderr, "weir restore: %s is a backup that was never finished; take a whole one\n", from);
    return EXIT_DATA;
}

static int with_config(const struct arguments *arguments, struct config *config)
{
    const char *from = argument(arguments, "from"), *path = argument(arguments, "config"), *key = argument(arguments, "key-file");
    struct err err = {0};
    if (path && config_load(config, path, CONFIG_CHECK, &err)) {
        config_problems_print(config, path, stderr);
        return fail(EXIT_CONFIG, err.text);
    }
    config->data = from;
    if (key && key_file(key, &config->encryption, &err))
        return fail(key_exit(err.code), err.text);
    if (config_key(config, false, &err))
        return fail(key_exit(err.code), err.text);
    return restore(from, argument(arguments, "data"), &config->data_key);
}

static int run(const struct arguments *arguments)
{
    static struct config config;
    const char *from = argument(arguments, "from"), *data = argument(arguments, "data");
    if (!from || !data || !*from || !*data)
        return fail(EXIT_USAGE, "--from FOLDER and --data DIR are needed. See: weir restore --help");
    int code = check_backup(from);
    if (code)
        return code;
    log_level_set(LOG_WARN);
    config_init(&config);
    code = with_config(arguments, &config);
    config_fini(&config);
    return code;
}

const struct command command_restore = {
    .name = "restore",
    .words = "",
    .summary = "makes a new data folder of a backup",
    .more = "Nothing is ever written over: DIR must not exist, or be empty. It is made as DIR.partial, checked whole as `weir verify` does, opened once as the\n"
            "server would, and only then renamed; what an interrupted run left is removed by the next one. The backup is not changed.\n"
            "It prints what was restored: tables, items, the last sequence and its time.\n\n"
            "Exit codes: 0 done; 1 it failed; 2 usage; 5 another process uses the backup or writes DIR; 6 the backup is damaged; 9 not the right key.\n",
    .options = options,
    .run = run,
};
