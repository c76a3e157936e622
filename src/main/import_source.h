/* What there is to import below a path, and its lines. One thread. */
#ifndef WEIR_MAIN_IMPORT_SOURCE_H
#define WEIR_MAIN_IMPORT_SOURCE_H

#include "main/folder_copy.h"
#include "main/import_format.h"

#define IMPORT_SETS_MAX 10000
#define IMPORT_FILES_MAX 1000000

/* The files of one table. */
struct import_set {
    char name[IMPORT_NAME_MAX + 1];  /* of the export's folder; of the folder or file that was given */
    char folder[FOLDER_PATH_SIZE];   /* of the data files */
    char schema[FOLDER_PATH_SIZE];   /* the definition beside it; empty: none */
    struct import_summary summary;   /* table empty: nothing says which */
    struct import_data_file *file;   /* sorted by name */
    size_t files, cap;
};
struct import_source {
    bool is_file;
    struct import_set *set; /* sorted by table */
    size_t sets, cap;
    size_t unfinished;      /* exports without a summary: left out */
    size_t older;           /* exports of a table of which there is a newer one: left out */
};
/* Looks at PATH: a folder with AWSDynamoDB in it, that folder, one export's folder, a folder of .json and .json.gz files, or such a file. ERR_NOT_FOUND, ERR_SYNTAX,
   ERR_UNSUPPORTED, ERR_IO, ERR_TOO_LARGE with the file named. */
int import_source_open(struct import_source *source, const char *path, struct err *err);
void import_source_close(struct import_source *source);

/* Against the manifest's checksum. ERR_CORRUPT, ERR_IO, ERR_NOT_FOUND. */
int import_file_check(const struct import_set *set, const struct import_data_file *file, struct err *err);

/* Lines of a plain or gzip file; which one it is shows by its first bytes. */
struct import_lines;
int import_lines_open(struct import_lines **out, const struct import_set *set, const struct import_data_file *file, struct err *err);
/* Goes to a byte of the uncompressed text. ERR_CORRUPT when it ends before. */
int import_lines_seek(struct import_lines *lines, uint64_t offset, struct err *err);
/* The next line that is not empty, without its end, borrowed until the next call; *offset is behind it. ERR_NOT_FOUND at the end; ERR_CORRUPT (the gzip stream
   is damaged or cut off), ERR_TOO_LARGE, ERR_IO. */
int import_lines_next(struct import_lines *lines, struct text *line, uint64_t *offset, struct err *err);
void import_lines_close(struct import_lines *lines);

/* A whole small file into a buffer that is made here, and is empty on failure. ERR_NOT_FOUND, ERR_TOO_LARGE, ERR_IO. */
int import_read_small(const char *path, size_t max, struct buf *out, struct err *err);

#endif
