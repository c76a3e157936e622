/*
 * `weir verify` for the journal: reads every byte that open only reads in part, changes nothing, and stops at
 * the first damage with its place. It uses the same walk as recovery, so both can only agree about what is
 * damage and what is the end of an interrupted write. Run on a live folder it sees a moving end, which reads
 * as an interrupted write.
 */
#include <errno.h>

#include "journal/internal.h"

static int verify_segment(const char *folder, const struct journal_file_ops *files,
    const struct journal_cipher *cipher, struct journal_segment *segment, uint64_t last_expected,
    struct journal_report *report, struct err *err)
{
    bool readable =
        cipher && cipher->id == segment->header.cipher && cipher->overhead == segment->header.overhead;
    struct journal_scan scan = {.last_expected = last_expected, .cipher = readable ? cipher : NULL};
    int code = journal_folder_scan(folder, files, segment, &scan, err);
    if (!code && cipher && cipher->only && !readable)
        code = err_set(err, ERR_CORRUPT, "journal: the segment of sequence %llu is not encrypted with this cipher",
            (unsigned long long)segment->header.first);
    report->segments++;
    report->records += scan.records;
    report->payload_bytes += scan.payload_bytes;
    report->epoch = segment->header.epoch;
    if (scan.records) {
        report->first = report->first ? report->first : segment->header.first;
        report->last = scan.last;
    }
    report->closed = scan.closed;
    report->torn = scan.torn;
    if (code == ERR_CORRUPT) {
        journal_segment_name(segment->header.first, report->damaged_file);
        report->damaged_offset = scan.end;
        report->damaged_sequence = scan.last + 1;
    }
    return code;
}

int journal_verify(const char *folder, const struct journal_file_ops *files,
    const struct journal_cipher *cipher, void (*progress)(void *context, uint64_t done, uint64_t total),
    void *context, struct journal_report *report, struct err *err)
{
    _Static_assert(sizeof(report->damaged_file) >= JOURNAL_NAME_SIZE, "a segment's name fits");
    *report = (struct journal_report){0};
    if (!files)
        files = journal_files_real();
    uint64_t bytes;
    if (files->folder_free(files->context, folder, &bytes) == -ENOENT)
        return err_set(err, ERR_NOT_FOUND, "journal: there is no folder %s", folder);
    struct journal_folder found;
    int code = journal_folder_load(&found, folder, files, report, err);
    uint64_t done = 0, total = 0;
    for (size_t i = 0; !code && i < found.segments; i++)
        total += found.segment[i]->size;
    for (size_t i = 0; !code && i < found.segments; i++) {
        uint64_t last = i + 1 < found.segments ? found.segment[i + 1]->header.first - 1 : UINT64_MAX;
        code = verify_segment(folder, files, cipher, found.segment[i], last, report, err);
        done += found.segment[i]->size;
        if (!code && progress)
            progress(context, done, total);
    }
    journal_folder_free(&found);
    return code;
}
