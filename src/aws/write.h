/* One write of an item, alone or in a transaction: read, made up of a request in prepare, done in the tick. */
#ifndef WEIR_AWS_WRITE_H
#define WEIR_AWS_WRITE_H

#include "aws/ddb.h"

enum ddb_write_kind { DDB_PUT, DDB_DELETE, DDB_UPDATE, DDB_CHECK };
struct ddb_write {
    enum ddb_write_kind kind;
    const struct store_table *table;
    const struct attr *item;                 /* DDB_PUT */
    const struct attr *key;                  /* the others; of a put on demand (ddb_key_of) */
    const struct expr_condition *condition;  /* NULL: none */
    const struct expr_update *update;        /* NULL: none */
    bool item_on_failure;                    /* ReturnValuesOnConditionCheckFailure ALL_OLD */
    bool want_before;                        /* the earlier item is needed for the answer */
    bool by_expression;                      /* DDB_UPDATE: an UpdateExpression, no AttributeUpdates */
    bool only_new;                           /* DDB_PUT: refused when there is an item */
    /* results, made anew by every run */
    const struct attr *before, *after;       /* NULL: absent */
    struct store_seen seen;                  /* how `before` was read, for the write */
};
/* Reads item or key, expressions and table from `object` (a request, or an action of a transaction). `legacy`: the old parameters are known here. */
int ddb_write_read(struct aws_call *call, const struct json *object, enum ddb_write_kind kind, bool legacy, struct ddb_write *write);
/* Notes what it took of its table (aws_used), `factor` times. The old item counts when it was read anyway. */
void ddb_write_used(struct aws_call *call, const struct ddb_write *write, double factor);
/* In the tick. 0; ERR_CONDITION or, of only_new, ERR_EXISTS (no fault noted; write->before is the item there); ERR_COLD; else negative with the fault noted. */
int ddb_write_run(struct aws_call *call, struct store_view *view, struct ddb_write *write);

#endif
