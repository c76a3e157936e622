/*
 * The bytes of an export, as AWS documents them: the two manifests and the lines of data files. Pure functions over bytes; whoever writes them is not trusted.
 * (Amazon DynamoDB Developer Guide, "DynamoDB table export output format" and "DynamoDB import formats".)
 */
#ifndef WEIR_MAIN_IMPORT_FORMAT_H
#define WEIR_MAIN_IMPORT_FORMAT_H

#include "base/json.h"
#include "base/md5.h"

#define IMPORT_MANIFEST_MAX ((size_t)1 << 20) /* bytes of manifest-summary.json */
#define IMPORT_LINE_MAX ((size_t)16 << 20)    /* bytes of one line: an item of 400 KB as JSON is at most about a third of it */
#define IMPORT_NAME_MAX 255

/* Plain values. */
struct import_summary {
    char table[IMPORT_NAME_MAX + 1]; /* of tableArn; empty: it has none */
    uint64_t items;
    bool items_known;
};
struct import_data_file {
    char name[IMPORT_NAME_MAX + 1]; /* below data/ */
    uint64_t items;
    unsigned char md5[MD5_BYTES];
    bool items_known, md5_known;
};

/* ERR_SYNTAX; ERR_UNSUPPORTED: an incremental export, or one in ION. */
int import_summary_parse(struct text bytes, struct import_summary *out, struct err *err);
/* One line of manifest-files.json. ERR_SYNTAX. */
int import_data_file_parse(struct text line, struct import_data_file *out, struct err *err);
/* The item of a line, {"Item":{...}} or the item itself, as it stands there; the arena is the caller's to reset. ERR_SYNTAX, ERR_UNSUPPORTED (a line of an
   incremental export), ERR_MEMORY. */
int import_line_parse(struct arena *arena, struct text line, struct text *item, struct err *err);

#endif
