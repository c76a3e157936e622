/*
 * What lies in a journal's folder: the segments by name, their headers, and whether they form a chain.
 *
 * A missing file in the middle must be noticed without reading all records: each header names the first
 * sequence of the segment before it, and the removal of old segments goes oldest first with the folder synced
 * after each, so whatever the crash, what is left is a run without gaps. Epochs never fall along the chain.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "journal/internal.h"

int journal_errno(struct err *err, int number, const char *what, const char *name)
{
    int code = ERR_IO;
    if (number == -ENOSPC || number == -EDQUOT)
        code = ERR_DISK_FULL;
    else if (number == -ENOMEM || number == -EMFILE || number == -ENFILE)
        code = ERR_MEMORY; /* never ERR_AGAIN: to a reader that means "nothing new" */
    char text[96] = "";
    const char *reason = strerror_r(-number, text, sizeof(text));
    return err_set(err, code, "journal: %s %s: %s", what, name, reason);
}

void journal_spare_name(const char *kind, uint64_t serial, char name[JOURNAL_NAME_SIZE])
{
    snprintf(name, JOURNAL_NAME_SIZE, "%s.%020llu", kind, (unsigned long long)serial);
}

static bool spare_name_parse(const char *name, const char *kind, uint64_t *serial)
{
    size_t len = strlen(kind);
    return strncmp(name, kind, len) == 0 && name[len] == '.' && strlen(name + len + 1) == 20 &&
           text_to_u64(text_of(name + len + 1), UINT64_MAX / 2, serial) == 0;
}

void journal_segment_destroy(struct journal_segment *segment)
{
    if (segment)
        free(segment->index);
    free(segment);
}

void journal_segment_index(struct journal_segment *segment, uint64_t sequence, uint64_t offset)
{
    if (segment->index_count) {
        const struct journal_index_entry *newest = &segment->index[segment->index_count - 1];
        if (offset < newest->offset + JOURNAL_INDEX_STEP)
            return;
    }
    if (segment->index_count == segment->index_cap) {
        size_t cap = segment->index_cap ? segment->index_cap * 2 : 16;
        void *index = realloc(segment->index, cap * sizeof(segment->index[0]));
        if (!index)
            return; /* a reader walks further, nothing else */
        segment->index = index;
        segment->index_cap = cap;
    }
    segment->index[segment->index_count++] = (struct journal_index_entry){sequence, offset};
}

/* Room for one more element in a growing array: 0 or ERR_MEMORY. */
static int grow(void **array, size_t count, size_t *cap, size_t element)
{
    if (count < *cap)
        return 0;
    size_t more = *cap ? *cap * 2 : 16;
    void *data = realloc(*array, more * element);
    if (!data)
        return ERR_MEMORY;
    *array = data;
    *cap = more;
    return 0;
}

static int add_segment(struct journal_folder *out, uint64_t first)
{
    if (out->segments >= JOURNAL_SEGMENTS_MAX)
        return ERR_TOO_LARGE;
    if (grow((void **)&out->segment, out->segments, &out->cap, sizeof(out->segment[0])))
        return ERR_MEMORY;
    struct journal_segment *segment = calloc(1, sizeof(*segment));
    if (!segment)
        return ERR_MEMORY;
    segment->header.first = first;
    out->segment[out->segments++] = segment;
    return 0;
}

static int add_name(struct journal_folder *out, const char *name)
{
    uint64_t number;
    if (journal_segment_name_parse(name, &number))
        return add_segment(out, number);
    bool spare = spare_name_parse(name, "spare", &number);
    if (!spare && !spare_name_parse(name, "fill", &number))
        return 0;
    if (out->spares + out->unfinished_count >= JOURNAL_SEGMENTS_MAX)
        return ERR_TOO_LARGE;
    if (number > out->serial)
        out->serial = number;
    if (spare) {
        if (grow((void **)&out->spare, out->spares, &out->spares_cap, sizeof(out->spare[0])))
            return ERR_MEMORY;
        out->spare[out->spares++] = (struct journal_spare){number, 0};
        return 0;
    }
    if (grow((void **)&out->unfinished, out->unfinished_count, &out->unfinished_cap,
            sizeof(out->unfinished[0])))
        return ERR_MEMORY;
    out->unfinished[out->unfinished_count++] = number;
    return 0;
}

/* folder_list answers errno numbers, so our own code travels beside it. */
static int on_name(void *arg, const char *name)
{
    struct journal_folder *out = arg;
    out->code = add_name(out, name);
    return out->code != 0;
}

static int by_first(const void *a, const void *b)
{
    uint64_t x = (*(struct journal_segment *const *)a)->header.first;
    uint64_t y = (*(struct journal_segment *const *)b)->header.first;
    return (x > y) - (x < y);
}

static int header_damage(struct journal_report *damage, struct err *err, int code, const char *name,
    uint64_t sequence, const char *what)
{
    if (damage) {
        snprintf(damage->damaged_file, sizeof(damage->damaged_file), "%s", name);
        damage->damaged_offset = 0;
        damage->damaged_sequence = sequence;
    }
    return err_set(
        err, code, "journal: %s, offset 0, sequence %llu: %s", name, (unsigned long long)sequence, what);
}

static int load_header(const char *folder, const struct journal_file_ops *files,
    struct journal_segment *segment, struct journal_report *damage, struct err *err)
{
    char name[JOURNAL_NAME_SIZE], path[JOURNAL_PATH_SIZE], block[64];
    uint64_t first = segment->header.first;
    journal_segment_name(first, name);
    if (journal_path(path, folder, name))
        return err_set(err, ERR_TOO_LARGE, "journal: the path of the folder is too long");
    int handle = files->open(files->context, path, JOURNAL_OPEN_READ);
    if (handle < 0)
        return journal_errno(err, handle, "cannot open", name);
    int64_t size = files->size(files->context, handle);
    ssize_t n = size < 0 ? (ssize_t)size : journal_files_read(files, handle, block, sizeof(block), 0);
    files->close(files->context, handle);
    if (n < 0)
        return journal_errno(err, (int)n, "cannot read", name);
    int code = size < JOURNAL_HEADER_BYTES ? ERR_TRUNCATED
                                           : journal_header_parse(&segment->header, block, (size_t)n);
    if (code == ERR_VERSION)
        return header_damage(
            damage, err, code, name, first, "the segment was written by another version of the format");
    if (code || segment->header.first != first) {
        segment->header.first = first;
        return header_damage(damage, err, ERR_CORRUPT, name, first, "the segment's header is damaged");
    }
    segment->size = segment->capacity = (uint64_t)size;
    return 0;
}

static int load_headers(struct journal_folder *out, const char *folder, const struct journal_file_ops *files,
    struct journal_report *damage, struct err *err)
{
    for (size_t i = 0; i < out->segments; i++) {
        struct journal_segment *segment = out->segment[i];
        int code = load_header(folder, files, segment, damage, err);
        if (code)
            return code;
        if (i == 0)
            continue;
        const struct journal_segment *before = out->segment[i - 1];
        char name[JOURNAL_NAME_SIZE];
        journal_segment_name(segment->header.first, name);
        if (segment->header.previous != before->header.first)
            return header_damage(
                damage, err, ERR_CORRUPT, name, segment->header.first, "the segment before it is missing");
        if (segment->header.epoch < before->header.epoch)
            return header_damage(damage, err, ERR_CORRUPT, name, segment->header.first,
                "its epoch is older than that of the segment before");
    }
    return 0;
}

int journal_folder_load(struct journal_folder *out, const char *folder, const struct journal_file_ops *files,
    struct journal_report *damage, struct err *err)
{
    *out = (struct journal_folder){0};
    int code = files->folder_list(files->context, folder, on_name, out);
    if (out->code)
        return err_set(err, out->code, "journal: cannot list %s: %s", folder, err_text(out->code));
    if (code)
        return journal_errno(err, code, "cannot list", folder);
    if (out->segments)
        qsort(out->segment, out->segments, sizeof(out->segment[0]), by_first);
    return load_headers(out, folder, files, damage, err);
}

void journal_folder_free(struct journal_folder *folder)
{
    for (size_t i = 0; i < folder->segments; i++)
        journal_segment_destroy(folder->segment[i]);
    free(folder->segment);
    free(folder->spare);
    free(folder->unfinished);
    *folder = (struct journal_folder){0};
}

struct index_context {
    struct journal_segment *segment;
    void (*on_record)(void *context, uint64_t sequence, uint64_t offset);
    void *context;
};

static void index_record(void *context, uint64_t sequence, uint64_t offset)
{
    struct index_context *ic = context;
    journal_segment_index(ic->segment, sequence, offset);
    if (ic->on_record)
        ic->on_record(ic->context, sequence, offset);
}

int journal_folder_scan(const char *folder, const struct journal_file_ops *files,
    struct journal_segment *segment, struct journal_scan *scan, struct err *err)
{
    char name[JOURNAL_NAME_SIZE], path[JOURNAL_PATH_SIZE];
    journal_segment_name(segment->header.first, name);
    if (journal_path(path, folder, name))
        return err_set(err, ERR_TOO_LARGE, "journal: the path of the folder is too long");
    int handle = files->open(files->context, path, JOURNAL_OPEN_READ);
    if (handle < 0)
        return journal_errno(err, handle, "cannot open", name);
    struct journal_window window;
    struct index_context ic = {segment, scan->on_record, scan->context};
    journal_window_init(&window, files, handle, segment->size, 1 << 20);
    scan->header = &segment->header;
    scan->on_record = index_record;
    scan->context = &ic;
    int code = journal_segment_scan(&window, scan);
    scan->on_record = ic.on_record;
    scan->context = ic.context;
    journal_window_fini(&window);
    files->close(files->context, handle);
    if (code == ERR_CORRUPT)
        return err_set(err, code,
            "journal: %s is damaged at offset %llu: record %llu does not match its checksum or is missing",
            name, (unsigned long long)scan->end, (unsigned long long)scan->last + 1);
    if (code)
        return err_set(err, code, "journal: cannot read %s: %s", name, err_text(code));
    return 0;
}
