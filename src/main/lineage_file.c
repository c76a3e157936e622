/*
 * The file is written when a folder is opened for the first time and when it is copied by `weir backup` or `weir restore`; in between it is only read. A crash before it is written costs nothing:
 * the next opening draws another id, and nobody was told the first one.
 */
#include "main/lineage_file.h"

#include "base/hash.h"
#include "base/log.h"
#include "main/folder.h"
#include "main/folder_copy.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* 0 also when there is no file: then *out is empty. */
static int read_file(const char *path, struct lineage *out)
{
    char bytes[LINEAGE_BYTES];
    FILE *file = fopen(path, "rb");
    memset(out, 0, sizeof(*out));
    if (!file)
        return errno == ENOENT ? 0 : ERR_IO;
    size_t len = fread(bytes, 1, sizeof(bytes), file);
    bool failed = ferror(file) != 0 || len == sizeof(bytes);
    fclose(file);
    return failed ? ERR_IO : lineage_parse(text_make(bytes, len), out);
}

static int write_file(const char *path, const struct lineage *lineage, struct err *err)
{
    struct buf text;
    buf_init(&text, LINEAGE_BYTES);
    lineage_format(lineage, &text);
    int code = text.failed ? err_set(err, ERR_MEMORY, "out of memory") : file_write(path, text.data, text.len, err);
    buf_fini(&text);
    return code;
}

void lineage_open(const char *data, uint64_t last, struct lineage *out)
{
    char path[FOLDER_PATH_SIZE], id[LINEAGE_ID + 1];
    uint64_t drawn;
    struct err err = {0};
    int code = folder_path(path, sizeof(path), data, LINEAGE_FILE, &err);
    if (!code)
        code = read_file(path, out);
    if (code) {
        log_warn("main", "%s cannot be read (%s): live clients that come back take new snapshots", LINEAGE_FILE, err_text(code));
        lineage_forget(out);
    }
    if (out->count && !out->due)
        return;
    uint64_t from = out->due && out->due_from < last ? out->due_from : out->due ? last : 0;
    random_bytes(&drawn, sizeof(drawn));
    snprintf(id, sizeof(id), "%016llx", (unsigned long long)drawn);
    lineage_begin(out, code ? 0 : from, id);
    if (write_file(path, out, &err))
        log_warn("main", "the history of the folder cannot be noted: %s", err.text);
}

int lineage_part(const char *folder, uint64_t from, struct err *err)
{
    char path[FOLDER_PATH_SIZE];
    struct lineage lineage;
    int code = folder_path(path, sizeof(path), folder, LINEAGE_FILE, err);
    if (code)
        return code;
    if (read_file(path, &lineage))
        lineage_forget(&lineage);
    if (lineage.due && lineage.due_from <= from)
        return 0;
    if (!lineage.count)
        lineage_begin(&lineage, 0, LINEAGE_UNNAMED); /* of a program that gave no names */
    lineage.due = true;
    lineage.due_from = from;
    return write_file(path, &lineage, err);
}
