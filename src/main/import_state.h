/*
 * How far an import is, in a small file, so that the next run goes on from there. Writing an item again does no harm, so the place is one behind which
 * everything has been written, and not exact. One thread.
 */
#ifndef WEIR_MAIN_IMPORT_STATE_H
#define WEIR_MAIN_IMPORT_STATE_H

#include "main/import_source.h"

#define IMPORT_STATE_FILE ".weir-import.json"

/* A place: everything before this byte of this file is in the table. */
struct import_place {
    size_t file;        /* index in the set */
    uint64_t offset;    /* of the uncompressed text */
    uint64_t items;     /* of the whole set so far */
    uint64_t file_items; /* of this file */
    bool done;
};

struct import_state;
/* ERR_MEMORY; ERR_SYNTAX (a file of that name is something else), ERR_IO. A file that is not there is a beginning. */
int import_state_open(struct import_state **out, const char *path, const char *endpoint, struct err *err);
/* Where to go on with a set and a table of that id; the beginning when nothing is known, or the table or the files are others than then. */
void import_state_find(const struct import_state *state, const struct import_set *set, const char *table, const char *table_id, struct import_place *place);
/* Writes it down. ERR_IO, ERR_DISK_FULL, ERR_MEMORY. */
int import_state_save(struct import_state *state, const struct import_set *set, const char *table, const char *table_id, const struct import_place *place, struct err *err);
/* Everything is done: the file goes. */
void import_state_remove(struct import_state *state);
void import_state_close(struct import_state *state);

#endif
