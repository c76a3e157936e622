/*
 * A YAML text as a small tree with line and column of every node. The only place that sees libyaml. Mappings, sequences and scalars; anchors, aliases and tags
 * are refused, so a small text cannot become a large tree. Everything lives in the caller's arena. One thread.
 */
#ifndef WEIR_MAIN_DOC_H
#define WEIR_MAIN_DOC_H

#include "base/arena.h"
#include "base/err.h"

#define DOC_DEPTH_MAX 20     /* levels */
#define DOC_NODES_MAX 20000  /* keys and values */

enum doc_kind { DOC_SCALAR, DOC_SEQUENCE, DOC_MAPPING };
struct doc {
    enum doc_kind kind;
    bool plain;              /* a scalar without quotes */
    unsigned line, column;   /* from 1 */
    struct text text;        /* of a scalar; terminated */
    const struct doc *key;   /* of a mapping's member: its name, a scalar */
    const struct doc *first, *next;
    unsigned count;
};
struct doc_problem {
    unsigned line, column;
    char text[200];
};

/* 0 and the root, or *root NULL for an empty text; ERR_SYNTAX, ERR_TOO_DEEP, ERR_TOO_LARGE, ERR_UNSUPPORTED, ERR_MEMORY with the first problem. */
int doc_parse(struct text yaml, struct arena *arena, const struct doc **root, struct doc_problem *problem);
/* A mapping's member, or NULL. */
const struct doc *doc_get(const struct doc *mapping, const char *name);
/* A plain, empty scalar, "~" or "null": a key without a value. */
bool doc_is_null(const struct doc *node);

#endif
