/* The file "lineage" of a data folder: gateway/lineage.h. The folder is locked by the caller. */
#ifndef WEIR_MAIN_LINEAGE_FILE_H
#define WEIR_MAIN_LINEAGE_FILE_H

#include "gateway/lineage.h"

#define LINEAGE_FILE "lineage"

/* The folder's line, begun when there is none and when one is due. `last`: the newest commit, as recovery has found it. What cannot be read or written is logged, and the server runs: positions
   that clients have kept are then unknown. */
void lineage_open(const char *data, uint64_t last, struct lineage *out);
/* A copy of a folder: whoever opens it begins a history behind `from`, unless that is said already. ERR_IO, ERR_DISK_FULL, ERR_TOO_LARGE. */
int lineage_part(const char *folder, uint64_t from, struct err *err);

#endif
