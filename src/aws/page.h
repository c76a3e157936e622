/* What Query and Scan have in common. */
#ifndef WEIR_AWS_PAGE_H
#define WEIR_AWS_PAGE_H

#include "aws/ddb.h"

#define DDB_PAGE_BYTES (1u << 20)   /* of examined items, before the filter: the page ends with the one that reaches it */

enum ddb_select { DDB_SELECT_DEFAULT, DDB_SELECT_ALL, DDB_SELECT_PROJECTED, DDB_SELECT_SPECIFIC, DDB_SELECT_COUNT };
struct ddb_page {
    const struct store_table *table;
    const struct store_index *index;           /* NULL: the table */
    bool is_query;
    struct expr_key_range range;               /* of a query */
    const struct expr_condition *filter;
    const struct expr_projection *projection;
    enum ddb_select select;
    int64_t limit;                             /* examined items; 0: none */
    bool backward, consistent;
    const struct attr *after;                  /* ExclusiveStartKey */
    int64_t segment, segments;                 /* segments 0: not parallel */
    const struct expr_key_range *each;         /* of a statement with several hash keys: read one after the other, in place of `range` */
    size_t ranges, first;                      /* `after` lies in the first one that is read */
    int (*more)(struct aws_call *call, const struct ddb_page *page, const struct attr *last); /* writes where a statement's next page begins; NULL: Query, Scan */
};
/* Reads and writes one page as the whole answer. The page may be run again. 0, ERR_COLD, or negative with the fault noted. */
int ddb_page_run(struct aws_call *call, struct store_view *view, struct ddb_page *page);

#endif
