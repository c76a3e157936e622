/*
 * The line of a data folder: which histories its commits belong to. A folder begins one, named by a random id. A folder that was made of a backup shares the commits up to the backup with the
 * folder that the backup is of, and from there on it begins a history of its own, under the same sequence numbers: the same number then names two different commits. So a position that a client
 * kept (live tables, rooms) is good only together with the history in which it was told. Plain values; what is read concurrently does not change.
 */
#ifndef WEIR_GATEWAY_LINEAGE_H
#define WEIR_GATEWAY_LINEAGE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"

#define LINEAGE_ID 16   /* characters, hex */
#define LINEAGE_MAX 64  /* histories that are remembered; of older ones all positions are unknown */
#define LINEAGE_BYTES 4096
#define LINEAGE_UNNAMED "0000000000000000" /* a history that nobody was told */

struct lineage {
    struct {
        char id[LINEAGE_ID + 1];
        uint64_t from; /* sequence: commits up to here are those of the history before */
    } line[LINEAGE_MAX];
    size_t count;
    bool due;          /* whoever opens the folder begins a history */
    uint64_t due_from;
};

/* The file's text; an empty one is an empty line. ERR_CORRUPT, ERR_VERSION; then *out is empty. */
int lineage_parse(struct text text, struct lineage *out);
void lineage_format(const struct lineage *lineage, struct buf *out);
/* A history of its own from now on, commits up to `from` being shared with the one before. Nothing is due then. */
void lineage_begin(struct lineage *lineage, uint64_t from, const char id[LINEAGE_ID]);
/* What stood here cannot be read: nothing that anybody was told before is known. */
void lineage_forget(struct lineage *lineage);
/* The newest history; "" when there is none. */
const char *lineage_id(const struct lineage *lineage);
/* Is the commit that a client means the one of this folder? With an empty id the client does not say in which history it was told; that is good where the histories have not parted yet. */
bool lineage_reaches(const struct lineage *lineage, struct text id, uint64_t sequence);

#endif
