/* What the wire of streams calls a stream and its changes, for those who tell of them elsewhere: events to endpoints name them alike. */
#include "aws/aws.h"
#include "aws/streams.h"

static int find(struct store_view *view, struct arena *arena, const struct store_table *table, struct gw_stream_seen *seen)
{
    struct streams_row row;
    int code = streams_current(view, arena, table, &row);
    if (!code)
        *seen = (struct gw_stream_seen){.label_ms = row.label_ms, .view = streams_view_name(row.view), .after = row.view & STREAMS_NEW, .before = row.view & STREAMS_OLD};
    return code;
}

static void sequence(struct feed_position place, char out[GW_STREAM_SEQUENCE_SIZE])
{
    _Static_assert(STREAMS_SEQUENCE_SIZE <= GW_STREAM_SEQUENCE_SIZE, "a sequence number has room");
    streams_sequence_format(place, out);
}

static void event_id(uint32_t table_id, struct feed_position place, char out[33])
{
    streams_event_id(table_id, place, out);
}

const struct gw_stream_names aws_stream_names = {find, sequence, event_id};
