/* A change of the journal as a record of the wire. What the view leaves out is not even decoded. */
#include "aws/streams.h"

static int image(struct arena *arena, struct text bytes, bool wanted, struct attr **item, size_t *size)
{
    if (!wanted || !bytes.len)
        return 0;
    int code = item_decode(arena, bytes, item);
    if (!code)
        *size += item_size(*item);
    return code;
}

int streams_record_read(struct arena *arena, enum streams_view view, const struct store_change *change, struct streams_record *record)
{
    memset(record, 0, sizeof(*record));
    int code = image(arena, change->keys, true, &record->keys, &record->bytes);
    if (!code && !record->keys)
        code = ERR_CORRUPT;
    if (!code)
        code = image(arena, change->after, view & STREAMS_NEW, &record->after, &record->bytes);
    if (!code)
        code = image(arena, change->before, view & STREAMS_OLD, &record->before, &record->bytes);
    return code;
}

static void name_str(struct json_writer *w, const char *name, const char *value)
{
    json_name(w, name);
    json_str(w, value);
}

static void name_item(struct json_writer *w, const char *name, const struct attr *item)
{
    if (!item)
        return;
    json_name(w, name);
    item_to_wire(w, item);
}

/* A stream says when to the second. */
static void write_change(struct json_writer *w, const struct streams_row *row, struct feed_position place, int64_t time_ms, const struct streams_record *record)
{
    char sequence[STREAMS_SEQUENCE_SIZE];
    streams_sequence_format(place, sequence);
    json_begin_object(w);
    json_name(w, "ApproximateCreationDateTime");
    json_i64(w, time_ms / 1000);
    name_item(w, "Keys", record->keys);
    name_item(w, "NewImage", record->after);
    name_item(w, "OldImage", record->before);
    name_str(w, "SequenceNumber", sequence);
    json_name(w, "SizeBytes");
    json_u64(w, record->bytes);
    name_str(w, "StreamViewType", streams_view_name(row->view));
    json_end_object(w);
}

void streams_record_json(struct aws_call *call, const struct streams_row *row, struct feed_position place, const struct store_change *change,
    const struct streams_record *record)
{
    struct json_writer *w = &call->w;
    char id[33];
    streams_event_id(row->table_id, place, id);
    json_begin_object(w);
    name_str(w, "eventID", id);
    name_str(w, "eventName", change->event == 'I' ? "INSERT" : change->event == 'M' ? "MODIFY" : "REMOVE");
    name_str(w, "eventVersion", "1.1");
    name_str(w, "eventSource", "aws:dynamodb");
    json_name(w, "awsRegion");
    json_text(w, call->config->region);
    json_name(w, "dynamodb");
    write_change(w, row, place, change->time_ms, record);
    if (change->by_service) {
        json_name(w, "userIdentity");
        json_begin_object(w);
        name_str(w, "PrincipalId", "dynamodb.amazonaws.com");
        name_str(w, "Type", "Service");
        json_end_object(w);
    }
    json_end_object(w);
}
