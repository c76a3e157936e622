/*
 * What requests of the wires count as. Only tables, streams and log groups that are there become dimensions: a client that names others makes no series.
 */
#include "aws/ddb.h"

#include "base/clock.h"

void aws_used(struct aws_call *call, const struct store_table *table, double reads, double writes)
{
    unsigned i = 0;
    while (i < call->used_count && call->used[i].table != table)
        i++;
    if (i == AWS_USED_MAX)
        return;
    if (i == call->used_count)
        call->used[call->used_count++] = (struct aws_used){.table = table};
    call->used[i].reads += reads;
    call->used[i].writes += writes;
}

/* The table that a request is about, when it is about one: what it took of it says so, else its parameter does. */
static const struct store_table *table_of(const struct aws_call *call)
{
    if (call->used_count)
        return call->used_count == 1 ? call->used[0].table : NULL;
    const struct json *name = call->in && call->in->type == JSON_OBJECT ? json_get_str(call->in, "TableName") : NULL;
    return json_is(name, JSON_STRING) ? ddb_find(call, name->text) : NULL;
}

static void count_fault(const struct aws_call *call, struct gw_meters *meters, struct text table)
{
    enum gw_figure figure = call->fault == DDB_CONDITION      ? GW_FIGURE_CONDITION_FAILED
                            : call->fault == AWS_THROTTLING   ? GW_FIGURE_THROTTLED
                            : aws_fault_status(call->fault) >= 500 ? GW_FIGURE_SYSTEM_ERRORS
                                                              : GW_FIGURE_USER_ERRORS;
    bool known = table.len > 0;
    if (known || figure != GW_FIGURE_CONDITION_FAILED)
        gw_figure_add(meters, figure, table, TEXT_NONE, 1, 1);
    if (known && figure == GW_FIGURE_CONDITION_FAILED)
        gw_figure_add(meters, GW_FIGURE_WRITE_UNITS, table, TEXT_NONE, ddb_write_units(0), 1);
}

static void count_tables(const struct aws_call *call, struct gw_meters *meters)
{
    for (unsigned i = 0; i < call->used_count; i++) {
        const struct aws_used *used = &call->used[i];
        struct text name = store_table_name(used->table);
        if (used->reads > 0)
            gw_figure_add(meters, GW_FIGURE_READ_UNITS, name, TEXT_NONE, used->reads, 1);
        if (used->writes > 0)
            gw_figure_add(meters, GW_FIGURE_WRITE_UNITS, name, TEXT_NONE, used->writes, 1);
    }
}

void aws_count(const struct aws_call *call)
{
    struct gw_meters *meters = gw_work_meters(call->work);
    if (!meters || call->service != &ddb_service)
        return;
    const struct store_table *table = table_of(call);
    struct text name = table ? store_table_name(table) : TEXT_NONE, operation = text_of(call->op->name);
    if (call->fault) {
        count_fault(call, meters, name);
        return;
    }
    count_tables(call, meters);
    if (!table)
        return;
    gw_figure_add(meters, GW_FIGURE_REQUEST_LATENCY, name, operation, (double)(clock_mono_ns() - call->began_ns) / 1e6, 1);
    if (call->returned >= 0)
        gw_figure_add(meters, GW_FIGURE_RETURNED_ITEMS, name, operation, (double)call->returned, 1);
}
