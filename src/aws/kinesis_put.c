/* PutRecord and PutRecords: everything about a record is checked and hashed on the io thread, so that the tick only has to find its shard and keep it. */
#include "aws/kinesis.h"

#include "base/codec.h"
#include <stdio.h>

#define KEY_CHARACTERS_MAX 256
#define SHOWN_MAX 512 /* bytes of an offending value that are repeated to the sender */

struct put {
    struct text stream;
    struct gw_record *record;
    size_t count;
    bool many; /* PutRecords */
};

/* ---- one record ---- */

/* Where a violation is: "partitionKey", "records.3.member.partitionKey". */
static const char *place(char out[64], size_t number, const char *member)
{
    if (number)
        snprintf(out, 64, "records.%zu.member.%s", number, member);
    else
        snprintf(out, 64, "%s", member);
    return out;
}

static int violation(struct aws_call *call, struct text value, size_t number, const char *member, const char *constraint)
{
    char at[64], shown[SHOWN_MAX + 3];
    int len = value.len < SHOWN_MAX ? (int)value.len : SHOWN_MAX;
    while (len < (int)value.len && len && ((unsigned char)value.data[len] & 0xC0) == 0x80)
        len--; /* not in the middle of a character */
    snprintf(shown, sizeof(shown), "'%.*s'", len, value.data);
    return kinesis_constraint(call, shown, place(at, number, member), constraint);
}

static size_t characters(struct text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

static int read_data(struct aws_call *call, struct text encoded, size_t number, struct text *out)
{
    size_t most = encoded.len / 4 * 3 + 3;
    struct buf bytes = {.data = arena_alloc(call->arena, most), .cap = most, .limit = most}; /* never grows: it has room for all */
    char at[64], value[96];
    if (!bytes.data)
        return aws_no_memory(call);
    if (base64_decode(&bytes, encoded))
        return aws_fail(call, AWS_SERIALIZATION, "Invalid value for blob: not base64");
    *out = buf_text(&bytes);
    if (bytes.len <= (size_t)GW_RECORD_KIB_MAX << 10)
        return 0;
    snprintf(value, sizeof(value), "'java.nio.HeapByteBuffer[pos=0 lim=%zu cap=%zu]'", bytes.len, bytes.len);
    return kinesis_constraint(call, value, place(at, number, "data"), "have length less than or equal to 10485760");
}

static int read_hash(struct aws_call *call, struct text digits, struct gw_record *record)
{
    if (!digits.data) {
        record->hash = gw_hash_key_of(record->key);
        return 0;
    }
    record->has_hash = true;
    int code = gw_hash_key_parse(digits, &record->hash); /* its form has been judged with the request's shape */
    return code ? aws_fail(call, KINESIS_INVALID, "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was %.*s", TEXT_FMT(digits))
                : 0;
}

/* `number` from 1; 0: the request is the record. */
static int read_record(struct aws_call *call, const struct json *json, size_t number, struct gw_record *record)
{
    *record = (struct gw_record){.key = aws_param_text(json, "PartitionKey")};
    if (characters(record->key) > KEY_CHARACTERS_MAX)
        return violation(call, record->key, number, "partitionKey", "have length less than or equal to 256");
    int code = read_hash(call, aws_param_text(json, "ExplicitHashKey"), record);
    if (!code)
        code = read_data(call, aws_param_text(json, "Data"), number, &record->data);
    return code;
}

/* ---- requests ---- */

static struct put *put_make(struct aws_call *call, size_t count)
{
    struct put *put = arena_zalloc(call->arena, sizeof(*put));
    if (!put)
        return NULL;
    put->count = count;
    put->record = arena_array(call->arena, count, sizeof(*put->record));
    call->state = put;
    return put->record ? put : NULL;
}

int kinesis_put_record_prepare(struct aws_call *call)
{
    struct put *put = put_make(call, 1);
    struct text ordering = aws_param_text(call->in, "SequenceNumberForOrdering");
    struct gw_position position;
    uint32_t shard;
    int code = put ? kinesis_name(call, &put->stream) : aws_no_memory(call);
    if (!code)
        code = kinesis_no_dry_run(call);
    if (!code)
        code = read_record(call, call->in, 0, put->record);
    if (!code && ordering.data && gw_position_parse(ordering, &position, &shard)) /* numbers grow anyway; one that is none is a mistake */
        return aws_fail(call, KINESIS_INVALID, "SequenceNumberForOrdering %.*s used in PutRecord on stream %.*s under account %.*s is invalid.", TEXT_FMT(ordering),
            TEXT_FMT(put->stream), TEXT_FMT(call->config->account));
    return code;
}

int kinesis_put_records_prepare(struct aws_call *call)
{
    const struct json *records = shape_get(call->in, "Records");
    struct put *put = put_make(call, records->count);
    size_t number = 0, bytes = 0;
    if (put)
        put->many = true;
    int code = put ? kinesis_name(call, &put->stream) : aws_no_memory(call);
    if (!code)
        code = kinesis_no_dry_run(call);
    for (const struct json *at = records->first; at && !code; at = at->next, number++) {
        code = json_is(at, JSON_OBJECT) ? read_record(call, at, number + 1, &put->record[number])
                                        : aws_fail(call, AWS_SERIALIZATION, "Unexpected value type in payload");
        bytes += code ? 0 : put->record[number].data.len + put->record[number].key.len;
    }
    if (!code && bytes > GW_RECORDS_BATCH_BYTES_MAX)
        return aws_fail(call, KINESIS_INVALID, "Records size exceeds %zu MB limit", GW_RECORDS_BATCH_BYTES_MAX >> 20);
    return code;
}

static int too_large(struct aws_call *call, const struct put *put, size_t i, size_t limit)
{
    char at[64], value[96], constraint[64];
    size_t len = put->record[i].data.len;
    if (len <= limit)
        return aws_fail(call, KINESIS_INVALID, "Data and PartitionKey of a record exceed %zu bytes.", limit);
    snprintf(value, sizeof(value), "'java.nio.HeapByteBuffer[pos=0 lim=%zu cap=%zu]'", len, len);
    snprintf(constraint, sizeof(constraint), "have length less than or equal to %zu", limit);
    return kinesis_constraint(call, value, place(at, put->many ? i + 1 : 0, "data"), constraint);
}

/* What one record may hold is the stream's to say. */
static int check_sizes(struct aws_call *call, struct store_view *view, const struct put *put)
{
    struct gw_stream stream = {.record_kib = 0};
    for (size_t i = 0; i < put->count; i++) {
        size_t size = put->record[i].data.len + put->record[i].key.len;
        if (size <= GW_RECORD_BYTES_MAX)
            continue;
        int code = stream.record_kib ? 0 : kinesis_stream_named(call, view, put->stream, &stream);
        if (code || size > gw_stream_record_max(&stream))
            return code ? code : too_large(call, put, i, gw_stream_record_max(&stream));
    }
    return 0;
}

int kinesis_put_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct put *put = call->state;
    struct err err = {0};
    int code = check_sizes(call, view, put);
    if (!code)
        code = gw_records_put(tick, call->arena, put->stream, put->record, put->count, 0, &err);
    return code ? kinesis_fail(call, put->stream, code, &err) : 0;
}

static void write_result(struct json_writer *w, const struct gw_record *record)
{
    char shard[GW_SHARD_TEXT + 1];
    gw_shard_format(record->shard, shard);
    json_begin_object(w);
    json_name(w, "SequenceNumber");
    json_str(w, record->sequence);
    json_name(w, "ShardId");
    json_str(w, shard);
    json_end_object(w);
}

static void count(const struct aws_call *call, const struct put *put)
{
    struct gw_meters *meters = gw_work_meters(call->work);
    size_t bytes = 0;
    for (size_t i = 0; i < put->count; i++)
        bytes += put->record[i].data.len + put->record[i].key.len;
    gw_figure_add(meters, GW_FIGURE_RECORDS_IN, put->stream, TEXT_NONE, (double)put->count, 1);
    gw_figure_add(meters, GW_FIGURE_RECORD_BYTES_IN, put->stream, TEXT_NONE, (double)bytes, 1);
}

void kinesis_put_record_answer(struct aws_call *call)
{
    const struct put *put = call->state;
    count(call, put);
    write_result(&call->w, put->record);
}

void kinesis_put_records_answer(struct aws_call *call)
{
    const struct put *put = call->state;
    struct json_writer *w = &call->w;
    count(call, put);
    json_begin_object(w);
    json_name(w, "FailedRecordCount");
    json_i64(w, 0);
    json_name(w, "Records");
    json_begin_array(w);
    for (size_t i = 0; i < put->count; i++)
        write_result(w, &put->record[i]);
    json_end_array(w);
    json_end_object(w);
}
