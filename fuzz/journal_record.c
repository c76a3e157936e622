/*
 * Outside bytes as a segment file. What the walk accepts must be consistent with what it says: offsets inside
 * the file, sequences without gaps, and a second walk told where to stop must agree. Then the same bytes as
 * the one file of a folder, opened by a whole journal over a read-only view of them.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "journal/segment.h"

struct view {
    const uint8_t *data;
    size_t size;
    uint64_t sequence, offset;
};

static ssize_t view_pread(void *context, int handle, void *data, size_t len, uint64_t offset)
{
    struct view *v = context;
    (void)handle;
    if (offset >= v->size)
        return 0;
    if (len > v->size - offset)
        len = v->size - offset;
    memcpy(data, v->data + offset, len);
    return (ssize_t)len;
}

static int64_t view_size(void *context, int handle)
{
    (void)handle;
    return (int64_t)((struct view *)context)->size;
}

static int view_open(void *context, const char *path, enum journal_open_mode mode)
{
    (void)context, (void)path;
    return mode == JOURNAL_OPEN_READ ? 3 : -EROFS;
}

static int view_close(void *context, int handle)
{
    (void)context, (void)handle;
    return 0;
}

static int view_free(void *context, const char *folder, uint64_t *bytes)
{
    (void)context, (void)folder;
    *bytes = 0;
    return 0;
}

static int view_list(void *context, const char *folder, int (*entry)(void *arg, const char *name), void *arg)
{
    (void)context, (void)folder;
    return entry(arg, "00000000000000000001.log");
}

static void on_record(void *context, uint64_t sequence, uint64_t offset)
{
    struct view *v = context;
    if (sequence != v->sequence + 1 || offset % 8 || offset <= v->offset || offset >= v->size)
        abort();
    v->sequence = sequence;
    v->offset = offset;
}

static int walk(struct view *v, const struct journal_file_ops *ops, struct journal_header *header,
    struct journal_scan *scan, uint64_t stop)
{
    struct journal_window w;
    journal_window_init(&w, ops, 3, v->size, 256);
    v->sequence = header->first - 1;
    v->offset = 0;
    *scan =
        (struct journal_scan){.header = header, .last_expected = stop, .on_record = on_record, .context = v};
    int code = journal_segment_scan(&w, scan);
    journal_window_fini(&w);
    if (code && code != ERR_CORRUPT && code != ERR_MEMORY)
        abort();
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view v = {.data = data, .size = size};
    const struct journal_file_ops ops = {.context = &v,
        .folder_free = view_free,
        .folder_list = view_list,
        .open = view_open,
        .close = view_close,
        .size = view_size,
        .pread = view_pread};
    struct journal_header header;
    struct journal_scan scan, again;
    if (journal_header_parse(&header, (const char *)data, size))
        return 0;
    int code = walk(&v, &ops, &header, &scan, UINT64_MAX);
    if (code == 0 && (walk(&v, &ops, &header, &again, scan.last) != 0 || again.end != scan.end))
        abort();
    struct journal_report report;
    struct err err;
    int verified = journal_verify("view", &ops, NULL, NULL, NULL, &report, &err);
    if (header.first == 1 && size >= JOURNAL_HEADER_BYTES && verified != code)
        abort();
    return 0;
}
