/*
 * The dashboard's socket (seed document 001): everybody who is connected hears of every change to the metrics table, in batches.
 *
 * The document needs a connections table that is scanned, a function that posts to each row and deletes those that are gone. Here the consumer's handler makes
 * one message and broadcasts it; who is connected is known to the gateway. The registry is kept all the same, since its rows and its index belong to the
 * document's interface.
 *
 * The API only pushes: it has no routes for messages, so a client that sends one is told "Forbidden", as API Gateway does without a $default route.
 *
 * Demands: GW-4, GW-8, FO-3, FO-4, TB-5, TB-6, ST-2, ST-4 … ST-7, IN-5, X-3, X-6
 */
#include <weir/weir.h>

static struct weir_table connections = {
    .name = "iops-dashboard-websocket-connections",
    .hash = "connectionId",
    .index = {{.name = "ConnectedAtIndex", .hash = "kind", .range = "connectedAt"}},
    .ttl = "ttl",
};

static struct weir_table metrics = {
    .name = "iops-dashboard-metrics",
    .hash = "entity_id",
    .changes = true,
};

/* {"eventType","timestamp","data"}: the new image, or the old one of what was removed. */
static void write_update(struct weir_json *message, const struct weir_value *record)
{
    struct weir_text event = WEIR_STR("");
    int64_t time = 0;
    weir_value_text(weir_value_get(record, "eventName"), &event);
    weir_value_integer(weir_value_get(record, "time"), &time);
    weir_object(message);
    weir_member(message, "eventType", event);
    weir_member_integer(message, "timestamp", time);
    weir_name(message, "data");
    weir_value(message, weir_value_get(record, weir_text_is(event, "REMOVE") ? "old" : "new"));
    weir_end(message);
}

static void metrics_changed(struct weir_call *call)
{
    const struct weir_value *records = weir_in_value(call, "records", true);
    struct weir_json *message = weir_json(call);
    if (weir_failed(call))
        return;
    weir_object(message);
    weir_member(message, "type", WEIR_STR("METRICS_UPDATE"));
    weir_name(message, "updates");
    weir_array(message);
    for (size_t i = 0; i < weir_value_count(records); i++)
        write_update(message, weir_value_at(records, i));
    weir_end(message);
    weir_end(message);
    weir_broadcast(call, message);
}

const struct weir_app weir_app_iops_dashboard = {
    .name = "iops_dashboard",
    .description = "changes of the metrics table, pushed to every dashboard",
    .auth = WEIR_NONE,
    .registry = {.table = &connections, .lifetime = 24 * WEIR_HOUR, .metadata = true},
    .tables = (struct weir_table *const[]){&metrics, NULL},
    .routes = (const struct weir_route[]){
        {"@metrics", metrics_changed, WEIR_TICK},
        {0},
    },
    .streams = (const struct weir_stream[]){
        {.table = &metrics, .route = "@metrics", .batch_max = 100, .window_ms = 5 * WEIR_SECOND, .retries = 3, .bisect = true, .start = WEIR_LATEST},
        {0},
    },
};
