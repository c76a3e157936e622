/*
 * `weir verify`: reads all of a data folder and checks it: every record of the journal, every row of the tables, indexes against items, counts, every backup, and that
 * neither is ahead of the other. It needs the folder for itself; what it finds it does not change.
 */
#include "main/command.h"
#include "main/config.h"
#include "main/folder.h"
#include "main/verify.h"

#include "journal/cipher.h"
#include "store/archive.h"
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct option_row options[] = {
    {"config", "FILE", "the configuration, for the key of an encrypted folder"},
    {"key-file", "FILE", "or that key (default: WEIR_ENCRYPTION_KEY, WEIR_ENCRYPTION_KEY_FILE)"},
    {NULL, NULL, NULL},
};

/* What opens the folder; all zero for a plain one. */
struct keys {
    bool set;
    unsigned char tables[CIPHER_KEY_BYTES], backups[CIPHER_KEY_BYTES];
    struct journal_gcm *journal;
};

static void on_progress(void *context, uint64_t done, uint64_t total)
{
    int *shown = context;
    int percent = total ? (int)(done * 100 / total) : 100;
    if (percent / 10 == *shown / 10 && percent < 100)
        return;
    *shown = percent;
    fprintf(stderr, isatty(STDERR_FILENO) ? "\rjournal: %d %%" : "journal: %d %%\n", percent);
}

static int verify_journal(const char *data, const struct keys *keys, struct journal_report *report)
{
    char path[4096];
    struct err err = {0};
    int shown = -10;
    int code = folder_path(path, sizeof(path), data, "journal", &err);
    if (!code)
        code = journal_verify(path, NULL, journal_gcm_cipher(keys->journal), on_progress, &shown, report, &err);
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr);
    if (!code) {
        printf("journal: %" PRIu64 " records in %" PRIu64 " segments, sequences %" PRIu64 " to %" PRIu64 ", epoch %" PRIu64 "%s\n", report->records,
            report->segments, report->first, report->last, report->epoch,
            report->torn ? ", ends in an unfinished write (a crash; not damage)" : "");
        return EXIT_OK;
    }
    printf("journal: %s\n", err.text);
    if (code == ERR_CORRUPT && report->damaged_file[0])
        printf("journal: first damage in %s at byte %" PRIu64 ", sequence %" PRIu64 "\n", report->damaged_file, report->damaged_offset,
            report->damaged_sequence);
    return code == ERR_CORRUPT || code == ERR_VERSION ? EXIT_DATA : EXIT_FAILED;
}

static int check_tables(struct store *store, const struct journal_report *journal)
{
    struct store_report report = {0};
    fprintf(stderr, "tables: reading\n");
    int code = store_verify(store, &report);
    if (code && code != ERR_CORRUPT) {
        printf("tables: %s\n", err_text(code));
        return EXIT_FAILED;
    }
    printf("tables: %" PRIu64 " items and %" PRIu64 " index rows, %" PRIu64 " bytes, at sequence %" PRIu64 "\n", report.items, report.index_rows, report.bytes,
        store_applied(store));
    if (report.damaged || code) {
        printf("tables: %" PRIu64 " damaged; first: %s\n", report.damaged, report.first);
        return EXIT_DATA;
    }
    if (journal->records && store_applied(store) > journal->last) {
        printf("tables: they reflect sequence %" PRIu64 ", beyond the journal's last, %" PRIu64 "\n", store_applied(store), journal->last);
        return EXIT_DATA;
    }
    return EXIT_OK;
}

static int verify_tables(const char *data, const struct keys *keys, const struct journal_report *journal)
{
    char path[4096];
    struct err err = {0};
    struct store *store;
    int code = folder_path(path, sizeof(path), data, "tables", &err);
    struct store_config config = {.folder = path, .key = keys->set ? keys->tables : NULL};
    if (!code)
        code = store_open(&store, &config, &err);
    if (code) {
        printf("tables: %s\n", err.text);
        return code == ERR_CORRUPT || code == ERR_VERSION ? EXIT_DATA : EXIT_FAILED;
    }
    int exit_code = check_tables(store, journal);
    store_close(store);
    return exit_code;
}

/* ---- backups of tables ---- */

static int verify_backup(const char *path, const struct keys *keys, struct archive_totals *totals, struct err *err)
{
    struct archive_reader *reader;
    struct text header, item;
    int code = archive_open(&reader, path, keys->set ? keys->backups : NULL, &header, err);
    if (code)
        return code;
    while ((code = archive_next(reader, &item, err)) == 0)
        ;
    *totals = archive_totals(reader);
    archive_close(reader);
    return code == ERR_NOT_FOUND ? 0 : code;
}

static bool is_backup(const char *name)
{
    size_t len = strlen(name);
    return len > 7 && strcmp(name + len - 7, ".backup") == 0;
}

/* Files that are being written have another name; there are none when nobody has the folder, or they are removed at the next start. */
static int verify_backups(const char *data, const struct keys *keys)
{
    char folder[4096], path[8192];
    uint64_t files = 0, items = 0, bytes = 0;
    struct err err = {0};
    int exit_code = EXIT_OK;
    DIR *dir = folder_path(folder, sizeof(folder), data, "backups", &err) ? NULL : opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        struct archive_totals totals = {0};
        if (!is_backup(entry->d_name) || (size_t)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= sizeof(path))
            continue;
        int code = verify_backup(path, keys, &totals, &err);
        if (code) {
            printf("backups: %s: %s\n", entry->d_name, err.text);
            exit_code = code == ERR_IO || code == ERR_MEMORY ? EXIT_FAILED : EXIT_DATA;
        }
        files++;
        items += totals.items;
        bytes += totals.file_bytes;
    }
    if (dir)
        closedir(dir);
    if (files)
        printf("backups: %" PRIu64 " file%s, %" PRIu64 " items, %" PRIu64 " bytes\n", files, files == 1 ? "" : "s", items, bytes);
    return exit_code;
}

static bool is_data_folder(const char *data)
{
    char path[4096];
    struct stat info;
    return folder_path(path, sizeof(path), data, "journal", NULL) == 0 && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int fail(int exit_code, const struct err *err)
{
    fprintf(stderr, "weir verify: %s\n", err->text);
    return exit_code;
}

static int verify(const char *data, const struct keys *keys)
{
    struct journal_report journal = {0};
    struct err err = {0};
    int lock = folder_lock(data, &err);
    if (lock < 0)
        return fail(lock == ERR_AGAIN ? EXIT_LOCKED : EXIT_FAILED, &err);
    int code = verify_journal(data, keys, &journal);
    int tables = verify_tables(data, keys, &journal);
    folder_unlock(lock);
    if (!code)
        code = tables;
    int backups = verify_backups(data, keys);
    if (!code)
        code = backups;
    printf(code ? "damaged or unreadable\n" : "sound\n");
    return code;
}

int verify_folder(const struct key_data *key, const char *data)
{
    struct keys keys = {.set = key->set};
    unsigned char journal[CIPHER_KEY_BYTES];
    int code = EXIT_FAILED;
    if (!key->set || (key_for(key, "tables", keys.tables) == 0 && key_for(key, "backups", keys.backups) == 0 && key_for(key, "journal", journal) == 0 && journal_gcm_create(&keys.journal, journal) == 0))
        code = verify(data, &keys);
    journal_gcm_destroy(keys.journal);
    cipher_forget(&keys, sizeof(keys));
    cipher_forget(journal, sizeof(journal));
    return code;
}

static int with_config(const struct arguments *arguments, struct config *config)
{
    const char *path = argument(arguments, "config"), *key = argument(arguments, "key-file");
    struct err err = {0};
    if (path && config_load(config, path, CONFIG_CHECK, &err)) {
        config_problems_print(config, path, stderr);
        return fail(EXIT_CONFIG, &err);
    }
    config->data = arguments->word[0];
    if (key && key_file(key, &config->encryption, &err))
        return fail(key_exit(err.code), &err);
    if (config_key(config, false, &err))
        return fail(key_exit(err.code), &err);
    return verify_folder(&config->data_key, config->data);
}

static int run(const struct arguments *arguments)
{
    static struct config config;
    const char *data = arguments->word[0];
    if (!is_data_folder(data)) {
        fprintf(stderr, "weir verify: %s is not a data folder of weir\n", data);
        return EXIT_FAILED;
    }
    config_init(&config);
    int code = with_config(arguments, &config);
    config_fini(&config);
    return code;
}

const struct command command_verify = {
    .name = "verify",
    .words = "DIR",
    .summary = "checks everything in a data folder or a copy of one",
    .more = "The server must not be running on it. Exit code 0: sound; 6: damaged; 9: not the right key.\n",
    .options = options,
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
