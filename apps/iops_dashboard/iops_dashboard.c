/*
 * The dashboard's socket (seed document 001): everybody who is connected hears of every change to the metrics table, in batches.
 *
 * The document needs a connections table that is scanned, a function that posts to each row and deletes those that are gone. Here the consumer's handler makes
 * one message and broadcasts it; who is connected is known to the gateway. The registry is kept all the same, since its rows and its index belong to the
 * document's interface.
 *
 * What fills the table comes over a Kinesis stream: each of its records is JSON with the four attributes of an item. A record that is no such thing is kept where it
 * can be looked at (the table of failures, and the listing), and those behind it go on.
 *
 * The API only pushes: it has no routes for messages, so a client that sends one is told "Forbidden", as API Gateway does without a $default route.
 *
 * Demands: GW-4, GW-8, FO-3, FO-4, TB-5, TB-6, ST-2, ST-4 … ST-7, ST-9, IN-5, X-3, X-6
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

static struct weir_table failures = {.name = "iops-dashboard-failures", .hash = "id"};

static const struct weir_kinesis events = {.name = "iops-dashboard-events"};

/* ---- records into the table ---- */

#define TEXT_MAX 1024 /* bytes of an id, a type or a time */

static struct weir_text text_of(struct weir_call *call, const struct weir_value *metric, const char *name)
{
    struct weir_text text = WEIR_STR("");
    if (!weir_value_text(weir_value_get(metric, name), &text) || !text.len || text.len > TEXT_MAX)
        weir_fail(call, "MALFORMED", name, "the record has no %s of 1 to %d bytes", name, TEXT_MAX);
    return text;
}

static void put_metric(struct weir_call *call, const struct weir_value *record)
{
    const struct weir_value *metric = weir_record_json(call, record), *value = weir_value_get(metric, "metric_value");
    struct weir_item *item = weir_item(call);
    if (!metric) {
        weir_fail(call, "MALFORMED", NULL, "the record is no JSON");
        return;
    }
    weir_item_text(item, "entity_id", text_of(call, metric, "entity_id"));
    weir_item_text(item, "entity_type", text_of(call, metric, "entity_type"));
    weir_item_text(item, "timestamp", text_of(call, metric, "timestamp"));
    if (!weir_value_is_number(value))
        weir_fail(call, "MALFORMED", "metric_value", "the record has no metric_value that is a number");
    if (weir_failed(call))
        return;
    weir_item_value(item, "metric_value", value);
    weir_put(call, &metrics, item);
}

static void events_came(struct weir_call *call)
{
    const struct weir_value *records = weir_in_value(call, "records", true);
    for (size_t i = 0; i < weir_value_count(records) && !weir_failed(call); i++)
        put_metric(call, weir_value_at(records, i));
}

/* ---- the table's changes to everybody ---- */

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
    .tables = (struct weir_table *const[]){&metrics, &failures, NULL},
    .kinesis = (const struct weir_kinesis *const[]){&events, NULL},
    .routes = (const struct weir_route[]){
        {"@events", events_came, WEIR_TICK},
        {"@metrics", metrics_changed, WEIR_TICK},
        {0},
    },
    .functions = (const struct weir_function[]){
        {"IOpsDashboard-ExperienceStack-ConnectFunction-{env}", (const char *const[]){"$connect", NULL}},
        {"IOpsDashboard-ExperienceStack-DisconnectFunction-{env}", (const char *const[]){"$disconnect", NULL}},
        {"IOpsDashboard-ExperienceStack-StreamProcessorFunction-{env}", (const char *const[]){"@metrics", "@events", NULL}},
        {0},
    },
    .streams = (const struct weir_stream[]){
        {.table = &metrics, .route = "@metrics", .batch_max = 100, .window_ms = 5 * WEIR_SECOND, .retries = 3, .bisect = true, .start = WEIR_LATEST,
            .timeout_ms = 5 * WEIR_MINUTE, .failures = &failures},
        {.kinesis = &events, .route = "@events", .batch_max = 100, .window_ms = 100, .retries = 3, .bisect = true, .start = WEIR_TRIM_HORIZON, .timeout_ms = 5 * WEIR_MINUTE, .failures = &failures},
        {0},
    },
};
