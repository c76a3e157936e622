/* A SELECT that names the whole key of one item, as batches and transactions have it. */
#include "aws/partiql.h"

int partiql_get_run(struct aws_call *call, struct store_view *view, struct partiql_get *get)
{
    const struct attr *item, *shown;
    struct arena_mark mark = arena_mark(call->arena);
    int code = store_get(view, get->table, get->key, call->arena, &item);
    if (code && code != ERR_NOT_FOUND)
        return aws_store_fail(call, code, NULL);
    get->bytes = code ? 0 : item_size(item);
    if (!code && expr_condition_eval(get->filter, item)) {
        if (expr_projection_apply(get->projection, item, call->arena, &shown))
            return aws_no_memory(call);
        json_name(&call->w, "Item");
        item_to_wire(&call->w, shown);
    }
    arena_rewind(call->arena, mark);
    return 0;
}
