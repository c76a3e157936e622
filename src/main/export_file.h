/*
 * The files of an export as DynamoDB writes them to S3: data/<name>.json.gz with lines {"Item":{...}}, and the manifests beside them
 * (Amazon DynamoDB Developer Guide, "DynamoDB table export output format"). One thread for each data file; one for the manifests.
 */
#ifndef WEIR_MAIN_EXPORT_FILE_H
#define WEIR_MAIN_EXPORT_FILE_H

#include "base/json.h"
#include "base/md5.h"
#include "main/folder_copy.h"

#define EXPORT_NAME_SIZE 40                  /* of a data file */
#define EXPORT_FILE_BYTES (UINT64_C(32) << 20) /* compressed; the next item goes to the next file */

struct export_file;
/* A finished file. Plain value. */
struct export_done {
    char name[EXPORT_NAME_SIZE];
    uint64_t items, bytes; /* bytes: of the items' JSON */
    unsigned char md5[MD5_BYTES]; /* of the compressed file */
};

/* Begins a file in `folder` under a random name, with ".partial" behind it until it is whole. ERR_IO, ERR_DISK_FULL, ERR_MEMORY. */
int export_file_open(struct export_file **out, const char *folder, struct err *err);
/* `item` is DynamoDB JSON. ERR_IO, ERR_DISK_FULL. */
int export_file_add(struct export_file *file, struct text item, struct err *err);
bool export_file_is_full(const struct export_file *file);
/* Ends, syncs and names it; frees the struct, also on failure. */
int export_file_close(struct export_file *file, struct export_done *done, struct err *err);
/* Removes it. NULL is allowed. */
void export_file_abandon(struct export_file *file);

/* What the manifests say. The texts are borrowed. */
struct export_manifest {
    const char *folder; /* of this export */
    const char *id, *bucket;
    struct text table_arn, table_id;
    int64_t start_ms, end_ms;
    const struct export_done *done;
    size_t files;
};
/* manifest-files.json, then manifest-summary.json, each with its checksum. The summary is last: where it is, the export is whole. ERR_IO, ERR_DISK_FULL,
   ERR_MEMORY. */
int export_manifest_write(const struct export_manifest *manifest, struct err *err);

#endif
