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
};

#endif
