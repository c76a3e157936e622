/* A change as the record that DynamoDB puts to a Kinesis stream: like that of its own streams, but with both images always, its time in milliseconds, and the table's name. */
#include "gateway/destinations_inside.h"

static void name_item(struct json_writer *w, const char *name, const struct attr *item, size_t *size)
{
    if (!item)
        return;
    *size += item_size(item);
    json_name(w, name);
    item_to_wire(w, item);
}

/* The change's id in the form of a UUID. */
static void name_id(struct json_writer *w, const struct gateway_config *config, uint32_t table_id, struct feed_position at)
{
    char id[33];
    if (config->stream_names)
        config->stream_names->event_id(table_id, at, id);
    else
        snprintf(id, sizeof(id), "%08x%016llx%08x", table_id, (unsigned long long)at.sequence, at.number);
    char uuid[64];
    snprintf(uuid, sizeof(uuid), "%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8, id + 12, id + 16, id + 20);
    json_name(w, "eventID");
    json_str(w, uuid);
}

int destination_record(const struct gateway_config *config, struct arena *arena, const struct gw_destination *destination, struct feed_position at,
    const struct store_change *change, struct buf *out)
{
    struct attr *keys = NULL, *after = NULL, *before = NULL;
    struct json_writer w;
    size_t size = 0;
    int code = item_decode(arena, change->keys, &keys);
    if (!code && change->after.len)
        code = item_decode(arena, change->after, &after);
    if (!code && change->before.len)
        code = item_decode(arena, change->before, &before);
    if (code)
        return code;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_name(&w, "awsRegion");
    json_text(&w, config->region);
    name_id(&w, config, change->table_id, at);
    json_name(&w, "eventName");
    json_str(&w, change->event == 'I' ? "INSERT" : change->event == 'M' ? "MODIFY" : "REMOVE");
    json_name(&w, "userIdentity");
    json_raw(&w, change->by_service ? TEXT("{\"type\":\"Service\",\"principalId\":\"dynamodb.amazonaws.com\"}") : TEXT("null"));
    json_name(&w, "recordFormat");
    json_str(&w, "application/json");
    json_name(&w, "tableName");
    json_text(&w, destination->table);
    json_name(&w, "dynamodb");
    json_begin_object(&w);
    json_name(&w, "ApproximateCreationDateTime");
    json_i64(&w, destination->precise ? change->time_ms * 1000 : change->time_ms);
    name_item(&w, "Keys", keys, &size);
    name_item(&w, "NewImage", after, &size);
    name_item(&w, "OldImage", before, &size);
    json_name(&w, "SizeBytes");
    json_u64(&w, size);
    json_name(&w, "ApproximateCreationDateTimePrecision");
    json_str(&w, destination->precise ? "MICROSECOND" : "MILLISECOND");
    json_end_object(&w);
    json_name(&w, "eventSource");
    json_str(&w, "aws:dynamodb");
    json_end_object(&w);
    return out->failed ? ERR_MEMORY : 0;
}
