/*
 * DescribeTable answers more than CreateTable takes (statistics, ARNs, states), so members are picked by name, not passed on: a list of what is kept is right
 * also for what AWS adds next year.
 */
#include "main/table_schema.h"

#include "base/clock.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define READY_MS (20 * MINUTE_MS) /* a table of AWS with many indexes takes minutes */

/* ---- fetching ---- */

static void name_body(struct text table, struct buf *out)
{
    buf_clear(out);
    buf_add_text(out, TEXT("{\"TableName\":"));
    json_escape(out, table);
    buf_add_char(out, '}');
}

int schema_fetch(struct wire_client *client, struct text table, struct wire_answer *description, struct buf *out, struct err *err)
{
    struct wire_answer ttl;
    struct buf body;
    struct json_writer w;
    wire_answer_init(&ttl);
    buf_init(&body, 8192);
    name_body(table, &body);
    int code = wire_call(client, "DescribeTable", buf_text(&body), description, err);
    if (!code && !json_is(json_get_str(description->root, "Table"), JSON_OBJECT))
        code = err_set(err, ERR_INVALID, "the answer of DescribeTable has no Table");
    if (!code)
        code = wire_call(client, "DescribeTimeToLive", buf_text(&body), &ttl, err);
    if (!code) {
        const struct json *time = json_get_str(ttl.root, "TimeToLiveDescription");
        json_writer_init(&w, out);
        json_begin_object(&w);
        json_name(&w, "Table");
        json_value(&w, json_get_str(description->root, "Table"));
        if (time) {
            json_name(&w, "TimeToLiveDescription");
            json_value(&w, time);
        }
        json_end_object(&w);
        buf_add_char(out, '\n');
        code = out->failed ? err_set(err, ERR_TOO_LARGE, "the table's definition is too large") : 0;
    }
    wire_answer_fini(&ttl);
    buf_fini(&body);
    return code;
}

/* ---- the request ---- */

static void pick(struct json_writer *w, const struct json *from, const char *name)
{
    const struct json *value = json_get_str(from, name);
    if (!value || value->type == JSON_NULL)
        return;
    json_name(w, name);
    json_value(w, value);
}

/* DescribeTable says 0 and 0 for a table without provisioned capacity. */
static void pick_capacity(struct json_writer *w, const struct json *from)
{
    const struct json *capacity = json_get_str(from, "ProvisionedThroughput");
    int64_t read = 0, write = 0;
    if (json_to_i64(json_get_str(capacity, "ReadCapacityUnits"), &read) || json_to_i64(json_get_str(capacity, "WriteCapacityUnits"), &write) || read < 1 || write < 1)
        return;
    json_name(w, "ProvisionedThroughput");
    json_begin_object(w);
    json_name(w, "ReadCapacityUnits");
    json_i64(w, read);
    json_name(w, "WriteCapacityUnits");
    json_i64(w, write);
    json_end_object(w);
}

static void pick_indexes(struct json_writer *w, const struct json *table, const char *name, bool capacity)
{
    const struct json *indexes = json_get_str(table, name);
    if (!json_is(indexes, JSON_ARRAY) || !indexes->count)
        return;
    json_name(w, name);
    json_begin_array(w);
    for (const struct json *index = indexes->first; index; index = index->next) {
        json_begin_object(w);
        pick(w, index, "IndexName");
        pick(w, index, "KeySchema");
        pick(w, index, "Projection");
        if (capacity)
            pick_capacity(w, index);
        json_end_object(w);
    }
    json_end_array(w);
}

static bool says(const struct json *value, const char *text)
{
    return json_is(value, JSON_STRING) && text_is(value->text, text);
}

static void pick_stream(struct json_writer *w, const struct json *table)
{
    const struct json *stream = json_get_str(table, "StreamSpecification");
    if (!json_is(json_get_str(stream, "StreamEnabled"), JSON_TRUE))
        return;
    json_name(w, "StreamSpecification");
    json_begin_object(w);
    pick(w, stream, "StreamEnabled");
    pick(w, stream, "StreamViewType");
    json_end_object(w);
}

int schema_create_body(const struct json *schema, struct text name, struct buf *out, struct err *err)
{
    const struct json *table = json_get_str(schema, "Table") ? json_get_str(schema, "Table") : schema;
    const struct json *mode = json_get_str(json_get_str(table, "BillingModeSummary"), "BillingMode");
    struct json_writer w;
    if (!mode)
        mode = json_get_str(table, "BillingMode");
    if (!json_is(json_get_str(table, "KeySchema"), JSON_ARRAY) || !json_is(json_get_str(table, "AttributeDefinitions"), JSON_ARRAY))
        return err_set(err, ERR_SYNTAX, "a table's definition has KeySchema and AttributeDefinitions: give what DescribeTable answers, or a request for CreateTable");
    bool on_demand = says(mode, "PAY_PER_REQUEST");
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_name(&w, "TableName");
    json_text(&w, name);
    pick(&w, table, "AttributeDefinitions");
    pick(&w, table, "KeySchema");
    pick_indexes(&w, table, "LocalSecondaryIndexes", false);
    pick_indexes(&w, table, "GlobalSecondaryIndexes", !on_demand);
    json_name(&w, "BillingMode");
    json_str(&w, on_demand || !json_get_str(table, "ProvisionedThroughput") ? "PAY_PER_REQUEST" : "PROVISIONED");
    if (!on_demand)
        pick_capacity(&w, table);
    pick_stream(&w, table);
    if (json_is(json_get_str(table, "DeletionProtectionEnabled"), JSON_TRUE))
        pick(&w, table, "DeletionProtectionEnabled");
    json_end_object(&w);
    return out->failed ? err_set(err, ERR_TOO_LARGE, "the table's definition is too large") : 0;
}

/* ---- making ---- */

static int describe(struct wire_client *client, struct text name, struct wire_answer *answer, struct err *err)
{
    struct buf body;
    buf_init(&body, 8192);
    name_body(name, &body);
    int code = wire_call(client, "DescribeTable", buf_text(&body), answer, err);
    buf_fini(&body);
    return code;
}

static bool is_ready(const struct json *table)
{
    const struct json *indexes = json_get_str(table, "GlobalSecondaryIndexes");
    bool ready = says(json_get_str(table, "TableStatus"), "ACTIVE");
    for (const struct json *index = indexes ? indexes->first : NULL; index; index = index->next)
        ready = ready && says(json_get_str(index, "IndexStatus"), "ACTIVE");
    return ready;
}

/* The newest description is left in *answer. */
static int wait_ready(struct wire_client *client, struct text name, struct wire_answer *answer, struct err *err)
{
    int64_t end = clock_mono_ms() + READY_MS;
    for (unsigned number = 1;; number++) {
        int code = describe(client, name, answer, err);
        if (code && code != ERR_NOT_FOUND) /* just made, AWS may not know it yet everywhere */
            return code;
        if (!code && is_ready(json_get_str(answer->root, "Table")))
            return 0;
        if (clock_mono_ms() > end)
            return err_set(err, ERR_TIMEOUT, "the table %.*s does not become ACTIVE", TEXT_FMT(name));
        wire_pause(number < 6 ? number : 6);
    }
}

static int create(struct wire_client *client, const struct json *schema, struct text name, struct wire_answer *answer, struct err *err)
{
    struct buf body;
    buf_init(&body, SCHEMA_MAX);
    int code = schema_create_body(schema, name, &body, err);
    if (!code)
        code = wire_call(client, "CreateTable", buf_text(&body), answer, err);
    buf_fini(&body);
    return code == ERR_EXISTS ? 0 : code; /* somebody else was faster, or an answer was lost */
}

static int set_expiry(struct wire_client *client, const struct json *schema, struct text name, struct wire_answer *answer, struct err *err)
{
    const struct json *ttl = json_get_str(schema, "TimeToLiveDescription"), *attribute = json_get_str(ttl, "AttributeName");
    struct json_writer w;
    struct buf body;
    if (!says(json_get_str(ttl, "TimeToLiveStatus"), "ENABLED") || !json_is(attribute, JSON_STRING))
        return 0;
    buf_init(&body, 8192);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_name(&w, "TableName");
    json_text(&w, name);
    json_name(&w, "TimeToLiveSpecification");
    json_begin_object(&w);
    json_name(&w, "Enabled");
    json_bool(&w, true);
    json_name(&w, "AttributeName");
    json_text(&w, attribute->text);
    json_end_object(&w);
    json_end_object(&w);
    int code = wire_call(client, "UpdateTimeToLive", buf_text(&body), answer, err);
    buf_fini(&body);
    return code;
}

int schema_ensure(struct wire_client *client, const struct json *schema, struct text name, bool *made, char id[64], struct err *err)
{
    struct wire_answer answer;
    wire_answer_init(&answer);
    int code = describe(client, name, &answer, err);
    *made = code == ERR_NOT_FOUND;
    if (*made && !schema)
        code = err_set(err, ERR_MISSING, "there is no table %.*s, and nothing says how it looks: make it, or give its definition with --schema (what DescribeTable answers)",
            TEXT_FMT(name));
    else if (*made)
        code = create(client, schema, name, &answer, err);
    if (!code)
        code = wait_ready(client, name, &answer, err);
    if (!code) {
        const struct json *found = json_get_str(json_get_str(answer.root, "Table"), "TableId");
        snprintf(id, 64, "%.*s", json_is(found, JSON_STRING) ? (int)found->text.len : 0, json_is(found, JSON_STRING) ? found->text.data : "");
    }
    if (!code && *made)
        code = set_expiry(client, schema, name, &answer, err);
    wire_answer_fini(&answer);
    return code;
}
