/*
 * A record as JSON, in the shape of whoever takes it.
 *
 * A handler gets the change in plain JSON, as the public header says. An endpoint gets what AWS gives a Lambda function from a stream, to the letter, so that
 * the code of such a function runs behind an HTTP server as it is: attribute values with their types, the sequence number by which it may name the record that
 * failed, and the service's identity (its members begin in lower case in these events) on what expiry deleted.
 *
 * A Kinesis stream's records are the items of the table behind it (records.h); only their insertion is a record, since what deletes them is retention.
 */
#include "gateway/live_stream.h"
#include "base/codec.h"
#include "gateway/records.h"

static const char *event_name(const struct store_change *change)
{
    return change->event == 'I' ? "INSERT" : change->event == 'M' ? "MODIFY" : "REMOVE";
}

struct images {
    struct attr *keys, *after, *before; /* NULL: absent */
};

static int images_decode(struct arena *arena, const struct store_change *change, struct images *out)
{
    *out = (struct images){0};
    int code = item_decode(arena, change->keys, &out->keys);
    if (!code && change->after.len)
        code = item_decode(arena, change->after, &out->after);
    if (!code && change->before.len)
        code = item_decode(arena, change->before, &out->before);
    return code;
}

static struct text text_member(const struct attr *item, const char *name)
{
    const struct attr *value = item ? item_get_str(item, name) : NULL;
    return value ? value->text : TEXT("");
}

static int64_t integer_member(const struct attr *item, const char *name)
{
    int64_t number = 0;
    const struct attr *value = item ? item_get_str(item, name) : NULL;
    return value && value->type == ATTR_NUMBER && attr_to_i64(value, &number) == 0 ? number : 0;
}

/* ---- for handlers ---- */

static void add_place(struct json_writer *w, const char *event, uint64_t sequence, const struct store_change *change)
{
    json_name(w, "eventName");
    json_str(w, event);
    json_name(w, "sequence");
    json_u64(w, sequence);
    json_name(w, "number");
    json_u64(w, change->number);
    json_name(w, "time");
    json_i64(w, change->time_ms);
}

static void add_plain(struct json_writer *w, const char *name, const struct attr *item)
{
    json_name(w, name);
    if (item)
        item_to_plain(w, item);
    else
        json_null(w);
}

static void add_change(struct json_writer *w, uint64_t sequence, const struct store_change *change, const struct images *images)
{
    add_place(w, event_name(change), sequence, change);
    if (change->by_service) {
        json_name(w, "byService");
        json_bool(w, true);
    }
    add_plain(w, "keys", images->keys);
    add_plain(w, "new", images->after);
    add_plain(w, "old", images->before);
}

static void add_data(struct json_writer *w, const struct attr *item)
{
    struct buf encoded;
    buf_init(&encoded, 2 * ((size_t)GW_RECORD_KIB_MAX << 10));
    base64_encode(&encoded, text_member(item, GW_RECORD_DATA));
    json_name(w, "data");
    json_text(w, buf_text(&encoded));
    buf_fini(&encoded);
}

static void add_record(struct json_writer *w, uint64_t sequence, const struct store_change *change, const struct attr *item)
{
    add_place(w, "RECORD", sequence, change);
    json_name(w, "partitionKey");
    json_text(w, text_member(item, GW_RECORD_KEY));
    json_name(w, "sequenceNumber");
    json_text(w, text_member(item, GW_RECORD_SEQUENCE));
    json_name(w, "shardId");
    json_text(w, text_member(item, GW_RECORD_SHARD));
    json_name(w, "arrival");
    json_i64(w, integer_member(item, GW_RECORD_AT));
    add_data(w, item);
}

/* ---- for endpoints ---- */

static void add_wire(struct json_writer *w, const char *name, const struct attr *item)
{
    if (!item)
        return;
    json_name(w, name);
    item_to_wire(w, item);
}

#define SEEN_MS SECOND_MS /* a stream that is switched off and on has another label within so long */

/* The name of the table's stream, as the wire of streams has it. */
static const struct gw_stream_seen *seen_of(struct live_consumer *c)
{
    const struct gateway_config *config = &c->live->gateway->config;
    const struct store_table *table = store_table_find(config->store, c->table);
    int64_t now_ms = clock_mono_ms();
    struct arena arena;
    if (c->seen_ms && now_ms - c->seen_ms < SEEN_MS)
        return &c->seen;
    struct gw_stream_seen seen = {.view = "NEW_AND_OLD_IMAGES", .after = true, .before = true};
    if (table && config->stream_names) {
        struct store_view view = {.store = config->store, .snapshot = store_snapshot_acquire(config->store, c->live->io->index), .now_s = clock_wall_ms() / 1000};
        arena_init(&arena, 1024, 1 << 20);
        config->stream_names->find(&view, &arena, table, &seen);
        arena_fini(&arena);
        store_snapshot_release(config->store, c->live->io->index);
    }
    c->seen = seen;
    c->seen_ms = now_ms;
    return &c->seen;
}

static void add_source(struct live_consumer *c, struct json_writer *w, const char *source)
{
    const struct gateway_config *config = &c->live->gateway->config;
    char arn[1024], label[CLOCK_ISO_SIZE] = "";
    if (c->stream.len) {
        snprintf(arn, sizeof(arn), "arn:aws:kinesis:%.*s:%.*s:stream/%.*s", TEXT_FMT(config->region), TEXT_FMT(config->account), TEXT_FMT(c->stream));
    } else {
        clock_format_iso(seen_of(c)->label_ms, label);
        label[23] = 0; /* labels carry no zone */
        snprintf(arn, sizeof(arn), "arn:aws:dynamodb:%.*s:%.*s:table/%.*s/stream/%s", TEXT_FMT(config->region), TEXT_FMT(config->account), TEXT_FMT(c->table), label);
    }
    json_name(w, "eventSource");
    json_str(w, source);
    json_name(w, "awsRegion");
    json_text(w, config->region);
    json_name(w, "eventSourceARN");
    json_str(w, arn);
}

/* By this the endpoint names it again. */
static void add_id(struct live_consumer *c, struct json_writer *w, struct live_record *record, const char *name, struct text id)
{
    json_name(w, name);
    json_text(w, id);
    record->id_len = (uint32_t)id.len;
    record->id_from = (uint32_t)(c->text.len - id.len - 1); /* digits: nothing in it was escaped */
}

static size_t image_size(const struct attr *item)
{
    return item ? item_size(item) : 0;
}

static void name_change(const struct live_consumer *c, uint32_t table_id, struct feed_position at, char id[33], char sequence[GW_STREAM_SEQUENCE_SIZE])
{
    const struct gw_stream_names *names = c->live->gateway->config.stream_names;
    if (names) {
        names->event_id(table_id, at, id);
        names->sequence(at, sequence);
        return;
    }
    snprintf(id, 33, "%08x%016llx%08x", table_id, (unsigned long long)at.sequence, at.number);
    snprintf(sequence, GW_STREAM_SEQUENCE_SIZE, "1%020llu%010u", (unsigned long long)at.sequence, at.number);
}

static void dynamodb_event(struct live_consumer *c, struct json_writer *w, struct live_record *record, const struct store_change *change, const struct images *images)
{
    char id[33], sequence[GW_STREAM_SEQUENCE_SIZE];
    const struct gw_stream_seen *seen = seen_of(c);
    const struct attr *after = seen->after ? images->after : NULL, *before = seen->before ? images->before : NULL;
    name_change(c, change->table_id, record->at, id, sequence);
    json_name(w, "eventID");
    json_str(w, id);
    json_name(w, "eventName");
    json_str(w, event_name(change));
    json_name(w, "eventVersion");
    json_str(w, "1.1");
    add_source(c, w, "aws:dynamodb");
    json_name(w, "dynamodb");
    json_begin_object(w);
    json_name(w, "ApproximateCreationDateTime");
    json_i64(w, change->time_ms / 1000);
    add_wire(w, "Keys", images->keys);
    add_wire(w, "NewImage", after);
    add_wire(w, "OldImage", before);
    add_id(c, w, record, "SequenceNumber", text_of(sequence));
    json_name(w, "SizeBytes");
    json_u64(w, image_size(images->keys) + image_size(after) + image_size(before));
    json_name(w, "StreamViewType");
    json_str(w, seen->view);
    json_end_object(w);
    if (!change->by_service)
        return;
    json_name(w, "userIdentity");
    json_raw(w, TEXT("{\"type\":\"Service\",\"principalId\":\"dynamodb.amazonaws.com\"}"));
}

static void kinesis_event(struct live_consumer *c, struct json_writer *w, struct live_record *record, const struct attr *item)
{
    struct text sequence = text_member(item, GW_RECORD_SEQUENCE), shard = text_member(item, GW_RECORD_SHARD);
    int64_t at_ms = integer_member(item, GW_RECORD_AT);
    char arrival[32];
    snprintf(arrival, sizeof(arrival), "%lld.%03d", (long long)(at_ms / 1000), (int)(at_ms % 1000));
    json_name(w, "kinesis");
    json_begin_object(w);
    json_name(w, "kinesisSchemaVersion");
    json_str(w, "1.0");
    json_name(w, "partitionKey");
    json_text(w, text_member(item, GW_RECORD_KEY));
    add_id(c, w, record, "sequenceNumber", sequence);
    add_data(w, item);
    json_name(w, "approximateArrivalTimestamp");
    json_number_text(w, text_of(arrival));
    json_end_object(w);
    struct text id = arena_format(&c->live->arena, "%.*s:%.*s", TEXT_FMT(shard), TEXT_FMT(sequence));
    json_name(w, "eventVersion");
    json_str(w, "1.0");
    json_name(w, "eventID");
    json_text(w, id.data ? id : TEXT(""));
    json_name(w, "eventName");
    json_str(w, "aws:kinesis:record");
    add_source(c, w, "aws:kinesis");
}

/* ---- the batch ---- */

int live_record_add(struct live_consumer *c, uint64_t sequence, const struct store_change *change)
{
    struct arena *arena = &c->live->arena;
    struct live_record *record = &c->record[c->count];
    struct json_writer w;
    struct images images;
    bool kinesis = c->stream.len > 0;
    if (kinesis && change->event != 'I')
        return 0;
    size_t before = c->text.len;
    int code = images_decode(arena, change, &images);
    if (c->count)
        buf_add_char(&c->text, ',');
    *record = (struct live_record){.at = {sequence, change->number}, .from = (uint32_t)c->text.len};
    json_writer_init(&w, &c->text);
    json_begin_object(&w);
    if (c->url.len && kinesis)
        kinesis_event(c, &w, record, images.after);
    else if (c->url.len)
        dynamodb_event(c, &w, record, change, &images);
    else if (kinesis)
        add_record(&w, sequence, change, images.after);
    else
        add_change(&w, sequence, change, &images);
    json_end_object(&w);
    arena_reset(arena);
    record->len = (uint32_t)(c->text.len - record->from);
    if (code || c->text.failed) {
        if (!c->text.failed)
            c->text.len = before;
        return code ? code : ERR_TOO_LARGE;
    }
    c->count++;
    return 0;
}

struct text live_record_text(const struct live_consumer *c, uint32_t i)
{
    return text_make(c->text.data + c->record[i].from, c->record[i].len);
}

struct text live_record_id(const struct live_consumer *c, uint32_t i)
{
    return text_make(c->text.data + c->record[i].id_from, c->record[i].id_len);
}

struct text live_batch_body(struct live_consumer *c, struct arena *arena, uint32_t upto, bool with_error)
{
    struct buf out;
    const struct live_record *last = upto ? &c->record[upto - 1] : NULL;
    buf_init(&out, STREAM_JSON_MAX + 4096);
    buf_add_text(&out, c->url.len && !with_error ? TEXT("{\"Records\":[") : TEXT("{\"records\":["));
    if (last)
        buf_add(&out, c->text.data, last->from + last->len);
    buf_add_char(&out, ']');
    if (with_error) {
        buf_add_text(&out, TEXT(",\"error\":"));
        json_escape(&out, text_of(c->error));
        buf_add_text(&out, TEXT(",\"message\":"));
        json_escape(&out, text_of(c->message));
    }
    buf_add_char(&out, '}');
    struct text body = out.failed ? TEXT_NONE : arena_copy(arena, buf_text(&out));
    buf_fini(&out);
    return body;
}
