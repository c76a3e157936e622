/*
 * TableDescription. What AWS refreshes every six hours is exact here or an estimate, and says so in docs/dynamodb.md: ItemCount is exact; sizes, and the counts of
 * indexes that not every item enters, are projected from a sample of the first items.
 */
#include "aws/streams.h"

#include "base/clock.h"
#include <stdio.h>

#define SAMPLE_ITEMS 64
#define SAMPLE_BYTES (64 << 10)
#define WARM_READS 12000
#define WARM_WRITES 4000

/* ---- the sample ---- */

struct sample {
    int64_t items, bytes;
    int64_t index_items[STORE_INDEXES_MAX], index_bytes[STORE_INDEXES_MAX];
};

static void sample_item(struct sample *sample, const struct store_table *table, const struct attr *item)
{
    const struct store_table_decl *decl = store_table_decl(table);
    sample->items++;
    sample->bytes += (int64_t)item_size(item);
    for (size_t i = 0; i < decl->indexes; i++) {
        const struct store_index_decl *index = &decl->index[i];
        if (!ddb_has_entry(index, item))
            continue;
        sample->index_items[i]++;
        sample->index_bytes[i] += (int64_t)ddb_projected_size(table, index, item);
    }
}

static int take_sample(struct store_view *view, const struct store_table *table, struct arena *arena, struct sample *sample)
{
    struct store_query query = {.table = table};
    struct store_cursor *cursor;
    const struct attr *item;
    memset(sample, 0, sizeof(*sample));
    struct arena_mark mark = arena_mark(arena);
    int code = store_query_open(view, &query, arena, &cursor, NULL);
    if (code)
        return code == ERR_NOT_FOUND ? 0 : code;
    struct arena_mark each = arena_mark(arena);
    while (!code && sample->items < SAMPLE_ITEMS && sample->bytes < SAMPLE_BYTES) {
        code = store_cursor_next(cursor, arena, &item);
        if (!code)
            sample_item(sample, table, item);
        arena_rewind(arena, each);
    }
    store_cursor_close(cursor);
    arena_rewind(arena, mark);
    return code == ERR_NOT_FOUND ? 0 : code;
}

static int64_t project(const struct sample *sample, int64_t of, int64_t count)
{
    return sample->items ? (int64_t)((double)of / (double)sample->items * (double)count + 0.5) : 0;
}

/* ---- parts ---- */

static void write_schema(struct json_writer *w, const struct store_key *key)
{
    json_name(w, "KeySchema");
    json_begin_array(w);
    for (size_t i = 0; i < store_key_parts(key); i++) {
        json_begin_object(w);
        json_name(w, "AttributeName");
        json_text(w, key->part[i].name);
        json_name(w, "KeyType");
        json_str(w, i < key->hashes ? "HASH" : "RANGE");
        json_end_object(w);
    }
    json_end_array(w);
}

struct definitions {
    struct store_key_part part[DDB_DEFINITIONS_MAX];
    size_t count;
};

static void define(struct definitions *d, const struct store_key *key)
{
    for (size_t i = 0; i < store_key_parts(key); i++) {
        bool known = false;
        for (size_t k = 0; k < d->count && !known; k++)
            known = text_equal(d->part[k].name, key->part[i].name);
        if (!known)
            d->part[d->count++] = key->part[i];
    }
}

static void write_definitions(struct json_writer *w, const struct store_table *table)
{
    const struct store_table_decl *decl = store_table_decl(table);
    struct definitions d = {.count = 0};
    define(&d, store_key_of(table, NULL));
    for (size_t i = 0; i < decl->indexes; i++)
        define(&d, &decl->index[i].key);
    json_name(w, "AttributeDefinitions");
    json_begin_array(w);
    for (size_t i = 0; i < d.count; i++) {
        json_begin_object(w);
        json_name(w, "AttributeName");
        json_text(w, d.part[i].name);
        json_name(w, "AttributeType");
        json_str(w, ddb_type_tag(d.part[i].type));
        json_end_object(w);
    }
    json_end_array(w);
}

#define DAY_MS (24 * HOUR_MS)

static void write_throughput(struct json_writer *w, int64_t reads, int64_t writes, const struct ddb_changes *changes)
{
    json_name(w, "ProvisionedThroughput");
    json_begin_object(w);
    if (changes->raised_ms)
        aws_time_json(w, "LastIncreaseDateTime", changes->raised_ms);
    if (changes->lowered_ms)
        aws_time_json(w, "LastDecreaseDateTime", changes->lowered_ms);
    json_name(w, "NumberOfDecreasesToday");
    json_i64(w, changes->lowered_ms / DAY_MS == clock_wall_ms() / DAY_MS ? changes->lowered : 0);
    json_name(w, "ReadCapacityUnits");
    json_i64(w, reads);
    json_name(w, "WriteCapacityUnits");
    json_i64(w, writes);
    json_end_object(w);
}

static void write_raw(struct json_writer *w, const char *name, struct text json)
{
    if (!json.len)
        return;
    json_name(w, name);
    json_raw(w, json);
}

static void write_warm_units(struct json_writer *w, struct text given, const char *name, int64_t units)
{
    int64_t value = units;
    char member[32];
    int len = snprintf(member, sizeof(member), "\"%s\":", name);
    const char *found = given.len ? memmem(given.data, given.len, member, (size_t)len) : NULL; /* our own writing: no spaces */
    for (value = found ? 0 : units; found && found + len < given.data + given.len && found[len] >= '0' && found[len] <= '9'; found++)
        value = value * 10 + (found[len] - '0');
    json_name(w, name);
    json_i64(w, value);
}

/* What can be served at once: what was asked for, else what AWS begins with: 12,000 and 4,000 on demand, else what is provisioned. */
static void write_warm(struct json_writer *w, struct text given, bool on_demand, int64_t reads, int64_t writes)
{
    json_name(w, "WarmThroughput");
    json_begin_object(w);
    write_warm_units(w, given, "ReadUnitsPerSecond", on_demand ? WARM_READS : reads);
    write_warm_units(w, given, "WriteUnitsPerSecond", on_demand ? WARM_WRITES : writes);
    json_name(w, "Status");
    json_str(w, "ACTIVE");
    json_end_object(w);
}

static void write_projection(struct json_writer *w, const struct store_index_decl *index)
{
    static const char *const types[] = {"ALL", "KEYS_ONLY", "INCLUDE"};
    json_name(w, "Projection");
    json_begin_object(w);
    json_name(w, "ProjectionType");
    json_str(w, types[index->projection]);
    if (index->projection == STORE_PROJECT_INCLUDE) {
        json_name(w, "NonKeyAttributes");
        json_begin_array(w);
        for (size_t i = 0; i < index->includes; i++)
            json_text(w, index->include[i]);
        json_end_array(w);
    }
    json_end_object(w);
}

/* ---- indexes ---- */

struct describing {
    struct aws_call *call;
    const struct store_table *table;
    const struct ddb_meta *meta;
    struct sample sample;
    int64_t count;
    const char *status;
    struct text stream_view; /* empty: none goes on */
    int64_t stream_ms;       /* of the latest; 0: there never was one */
};

static const struct ddb_index_meta *index_meta(const struct ddb_meta *meta, struct text name)
{
    static const struct ddb_index_meta none;
    for (size_t i = 0; i < meta->indexes; i++)
        if (text_equal(meta->index[i].name, name))
            return &meta->index[i];
    return &none;
}

static void write_index_arn(struct describing *d, struct text name)
{
    struct buf arn;
    buf_init(&arn, 2048);
    ddb_arn(d->call, store_table_name(d->table), &arn);
    buf_add_format(&arn, "/index/%.*s", TEXT_FMT(name));
    json_name(&d->call->w, "IndexArn");
    json_text(&d->call->w, buf_text(&arn));
    buf_fini(&arn);
}

static void write_index(struct describing *d, size_t i)
{
    struct json_writer *w = &d->call->w;
    const struct store_index_decl *index = &store_table_decl(d->table)->index[i];
    const struct ddb_index_meta *meta = index_meta(d->meta, index->name);
    const struct store_index *handle = store_index_find(d->table, index->name);
    json_begin_object(w);
    json_name(w, "IndexName");
    json_text(w, index->name);
    write_schema(w, &index->key);
    write_projection(w, index);
    if (!meta->local) {
        bool ready = handle && store_index_ready(handle);
        bool creating = strcmp(d->status, "CREATING") == 0;
        json_name(w, "IndexStatus");
        json_str(w, !ready || creating ? "CREATING" : "ACTIVE");
        if (!ready) {
            json_name(w, "Backfilling");
            json_bool(w, true);
        }
        write_throughput(w, meta->reads, meta->writes, &meta->changes);
        write_raw(w, "OnDemandThroughput", meta->on_demand);
        write_warm(w, meta->warm, d->meta->on_demand_mode, meta->reads, meta->writes);
    }
    json_name(w, "IndexSizeBytes");
    json_i64(w, project(&d->sample, d->sample.index_bytes[i], d->count));
    json_name(w, "ItemCount");
    json_i64(w, project(&d->sample, d->sample.index_items[i], d->count));
    write_index_arn(d, index->name);
    json_end_object(w);
}

static void write_indexes(struct describing *d, const char *name, bool local)
{
    const struct store_table_decl *decl = store_table_decl(d->table);
    bool any = false;
    for (size_t i = 0; i < decl->indexes; i++) {
        if (ddb_meta_is_local(d->meta, decl->index[i].name) != local)
            continue;
        if (!any) {
            json_name(&d->call->w, name);
            json_begin_array(&d->call->w);
        }
        any = true;
        write_index(d, i);
    }
    if (any)
        json_end_array(&d->call->w);
}

/* ---- the table ---- */

/* A table of an application that keeps changes has a stream too, but no meta says so. */
static int find_stream(struct describing *d, struct store_view *view)
{
    struct streams_row row;
    d->stream_view = d->meta->stream_view;
    d->stream_ms = d->meta->stream_ms;
    if (d->stream_view.len || !store_table_decl(d->table)->changes)
        return 0;
    int code = streams_current(view, d->call->arena, d->table, &row);
    if (!code) {
        d->stream_view = text_of(streams_view_name(row.view));
        d->stream_ms = row.label_ms;
    }
    return code == ERR_NOT_FOUND ? 0 : code;
}

static void write_stream(struct describing *d)
{
    struct json_writer *w = &d->call->w;
    char label[STREAMS_LABEL_SIZE];
    struct buf arn;
    if (d->stream_view.len) {
        json_name(w, "StreamSpecification");
        json_begin_object(w);
        json_name(w, "StreamEnabled");
        json_bool(w, true);
        json_name(w, "StreamViewType");
        json_text(w, d->stream_view);
        json_end_object(w);
    }
    if (!d->stream_ms)
        return;
    streams_label(d->stream_ms, label);
    json_name(w, "LatestStreamLabel");
    json_str(w, label);
    buf_init(&arn, 2048);
    streams_arn_add(d->call, store_table_name(d->table), d->stream_ms, &arn);
    json_name(w, "LatestStreamArn");
    json_text(w, buf_text(&arn));
    buf_fini(&arn);
}

static void write_billing(struct json_writer *w, const struct ddb_meta *meta)
{
    write_throughput(w, meta->on_demand_mode ? 0 : meta->reads, meta->on_demand_mode ? 0 : meta->writes, &meta->changes);
    if (meta->on_demand_mode || meta->mode_ms) {
        json_name(w, "BillingModeSummary");
        json_begin_object(w);
        json_name(w, "BillingMode");
        json_str(w, meta->on_demand_mode ? "PAY_PER_REQUEST" : "PROVISIONED");
        if (meta->mode_ms)
            aws_time_json(w, "LastUpdateToPayPerRequestDateTime", meta->mode_ms);
        json_end_object(w);
    }
    write_raw(w, "OnDemandThroughput", meta->on_demand);
    if (meta->table_class.len) {
        json_name(w, "TableClassSummary");
        json_begin_object(w);
        json_name(w, "TableClass");
        json_text(w, meta->table_class);
        json_end_object(w);
    }
}

/* What was asked for, kept so that tools find it again. What encrypts is the data folder's own setting. */
static void write_sse(struct aws_call *call, const struct ddb_meta *meta)
{
    struct json_writer *w = &call->w;
    const struct json *spec;
    struct buf arn;
    if (!meta->sse.len || json_parse(call->arena, meta->sse, JSON_COPY, &spec, NULL))
        return;
    struct text key = aws_param_text(spec, "KMSMasterKeyId");
    buf_init(&arn, 2048 + key.len);
    if (!text_starts(key, TEXT("arn:")))
        buf_add_format(&arn, "arn:aws:kms:%.*s:%.*s:%s", TEXT_FMT(call->config->region), TEXT_FMT(call->config->account),
            !key.len ? "alias/aws/dynamodb" : text_starts(key, TEXT("alias/")) ? "" : "key/");
    buf_add_text(&arn, key);
    json_name(w, "SSEDescription");
    json_begin_object(w);
    json_name(w, "Status");
    json_str(w, "ENABLED");
    json_name(w, "SSEType");
    json_str(w, "KMS");
    json_name(w, "KMSMasterKeyArn");
    json_text(w, buf_text(&arn));
    json_end_object(w);
    buf_fini(&arn);
}

static void write_restore(struct json_writer *w, const struct ddb_meta *meta, const struct store_table *table)
{
    if (!meta->restored_ms)
        return;
    json_name(w, "RestoreSummary");
    json_begin_object(w);
    if (meta->restored_backup.len) {
        json_name(w, "SourceBackupArn");
        json_text(w, meta->restored_backup);
    }
    json_name(w, "SourceTableArn");
    json_text(w, meta->restored_from);
    aws_time_json(w, "RestoreDateTime", meta->restored_ms);
    json_name(w, "RestoreInProgress");
    json_bool(w, store_table_filling(table));
    json_end_object(w);
}

int ddb_describe(struct aws_call *call, struct store_view *view, const struct store_table *table, const struct ddb_meta *meta, const char *status)
{
    struct json_writer *w = &call->w;
    struct describing *d = arena_zalloc(call->arena, sizeof(*d));
    if (!d)
        return aws_no_memory(call);
    d->call = call;
    d->table = table;
    d->meta = meta;
    d->status = status;
    d->count = store_table_count(table);
    int code = strcmp(status, "CREATING") ? take_sample(view, table, call->arena, &d->sample) : 0;
    if (!code)
        code = find_stream(d, view);
    if (code)
        return aws_store_fail(call, code, NULL);
    bool ends = strcmp(status, "DELETING") == 0; /* AWS describes no more of a table that goes */
    struct buf arn;
    buf_init(&arn, 2048);
    ddb_arn(call, store_table_name(table), &arn);
    json_begin_object(w);
    if (!ends)
        write_definitions(w, table);
    json_name(w, "TableName");
    json_text(w, store_table_name(table));
    if (!ends)
        write_schema(w, store_key_of(table, NULL));
    json_name(w, "TableStatus");
    json_str(w, status);
    if (!ends)
        aws_time_json(w, "CreationDateTime", meta->created_ms);
    write_billing(w, meta);
    json_name(w, "TableSizeBytes");
    json_i64(w, project(&d->sample, d->sample.bytes, d->count));
    json_name(w, "ItemCount");
    json_i64(w, d->count);
    json_name(w, "TableArn");
    json_text(w, buf_text(&arn));
    json_name(w, "TableId");
    json_str(w, meta->id);
    if (!ends) {
        write_indexes(d, "LocalSecondaryIndexes", true);
        write_indexes(d, "GlobalSecondaryIndexes", false);
        write_stream(d);
        write_restore(w, meta, table);
        write_sse(call, meta);
        write_warm(w, meta->warm, meta->on_demand_mode, meta->reads, meta->writes);
    }
    json_name(w, "DeletionProtectionEnabled");
    json_bool(w, meta->is_protected);
    json_end_object(w);
    buf_fini(&arn);
    return 0;
}
