/*
 * Consumers of changes and records that a configuration declares, and Kinesis streams. They become struct gw_stream_config and struct weir_kinesis; what only the
 * gateway can know (is there such a handler?) it says when it starts.
 */
#include "main/read.h"

#include "base/clock.h"

#define IN(type, field) offsetof(struct type, field)
#define STREAMS_MAX 64 /* of one API, consumers and Kinesis streams each */

static const char *const start_words[] = {"LATEST", "TRIM_HORIZON", NULL};

struct stream_form {
    struct gw_stream_config stream;
    int start;
};

static void read_route_name(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    if (!expect_text(r, value, key->name))
        return;
    if (value->text.len > 1 && value->text.data[0] == '@')
        *(struct text *)field = value->text;
    else
        problem(r, value, "'%s' is a handler of the application, '@name'", key->name);
}

#define STREAM(field) IN(stream_form, stream.field)
const struct key stream_keys[] = {
    {"table", "name", "whose changes; {env} and {stage} are replaced", read_text, STREAM(table), 3, 255, NULL, NULL},
    {"kinesis", "name", "or the Kinesis stream whose records", read_text, STREAM(kinesis), 1, 255, NULL, NULL},
    {"url", "address", "where batches go, by POST, as AWS gives them to a Lambda function", read_url, STREAM(url), 0, 0, NULL, NULL},
    {"route", "@name", "or the application's handler that takes them", read_route_name, STREAM(route), 0, 0, NULL, NULL},
    {"name", "text", "names its position; whoever changes it begins anew (default: the route, else the source)", read_text, STREAM(name), 1, 255, NULL, NULL},
    {"batchSize", "number", "records of a batch, 1 to 1000 (default 100)", read_u32, STREAM(batch_max), 1, 1000, NULL, NULL},
    {"window", "duration", "how long a batch that is not full waits for more, up to 5m; 0: not at all (default 0)",
        read_duration, STREAM(window_ms), 0, 5 * MINUTE_MS, NULL, NULL},
    {"retries", "number", "of a batch that failed, with backoff (default 3)", read_int, STREAM(retries), 0, 10000, NULL, NULL},
    {"timeout", "duration", "50ms to 5m; a batch that takes longer has failed (default 30s; a handler's: none)",
        read_duration, STREAM(timeout_ms), 50, 5 * MINUTE_MS, NULL, NULL},
    {"bisect", "true or false", "a batch that fails is halved until the record is found (default false)", read_flag, STREAM(bisect), 0, 0, NULL, NULL},
    {"start", "LATEST or TRIM_HORIZON", "where it begins the first time: now, or with the oldest that is kept (default LATEST)",
        read_word, IN(stream_form, start), 0, 0, NULL, start_words},
    {"onFailure", "a table, or @name", "where records that are given up go, beside the listing of @streams", read_text, STREAM(on_failure), 2, 255, NULL, NULL},
    {0},
};

/* ---- what belongs together ---- */

static const struct weir_table *find_table(const struct gw_api_config *api, struct text name)
{
    for (size_t i = 0; i < api->table_count; i++)
        if (text_is(name, api->tables[i]->name))
            return api->tables[i];
    return NULL;
}

static void check_source(struct reader *r, const struct doc *node, const struct gw_api_config *api, const struct gw_stream_config *stream)
{
    const struct weir_table *table = find_table(api, stream->table);
    if (!doc_get(node, "table") == !doc_get(node, "kinesis"))
        problem(r, node, "a stream has a 'table' or a 'kinesis' stream");
    else if (table && !table->changes)
        problem(r, doc_get(node, "table"), "'%.*s' keeps no changes: give the table 'changes: true'", TEXT_FMT(stream->table));
    else if (stream->table.len && !table)
        problem_add(r, doc_get(node, "table"), true, "'%.*s' is not one of this API's tables: its changes begin when it is there and has a stream", TEXT_FMT(stream->table));
}

static void check_target(struct reader *r, const struct doc *node, const struct gw_api_config *api, const struct gw_stream_config *stream)
{
    bool known = false;
    if (!doc_get(node, "route") == !doc_get(node, "url")) {
        problem(r, node, "a stream has a 'url' or a 'route'");
        return;
    }
    for (size_t i = 0; i < api->route_count && !known; i++)
        known = text_equal(api->routes[i].key, stream->route) && api->routes[i].handler;
    if (stream->route.len && !known)
        problem(r, doc_get(node, "route"), "'%.*s' is no handler of this application; an endpoint is given as 'url'", TEXT_FMT(stream->route));
}

static void check_failure(struct reader *r, const struct doc *node, const struct gw_api_config *api, const struct gw_stream_config *stream)
{
    const struct weir_table *table = find_table(api, stream->on_failure);
    const struct doc *at = doc_get(node, "onFailure");
    bool known = false;
    for (size_t i = 0; i < api->route_count && !known; i++)
        known = text_equal(api->routes[i].key, stream->on_failure) && api->routes[i].handler;
    if (!stream->on_failure.len || known)
        return;
    if (stream->on_failure.data[0] == '@')
        problem(r, at, "'%.*s' is no handler of this application", TEXT_FMT(stream->on_failure));
    else if (table && (!table->hash || strcmp(table->hash, "id") != 0 || table->hash_type != WEIR_S || table->range))
        problem(r, at, "a table for failures has the hash key 'id S' and no range key");
    else if (!table)
        problem_add(r, at, true, "'%.*s' is not one of this API's tables: what is given up goes there only when it is there", TEXT_FMT(stream->on_failure));
}

static struct text name_of(const struct gw_stream_config *stream)
{
    return stream->name.len ? stream->name : stream->route.len ? stream->route : stream->kinesis.len ? stream->kinesis : stream->table;
}

static void read_stream(struct reader *r, const struct doc *node, struct gw_api_config *api)
{
    struct stream_form form = {.stream = {.retries = 3}};
    if (!expect_mapping(r, node, "a stream"))
        return;
    read_keys(r, node, stream_keys, &form);
    form.stream.from_start = form.start == 1;
    check_source(r, node, api, &form.stream);
    check_target(r, node, api, &form.stream);
    check_failure(r, node, api, &form.stream);
    for (size_t i = 0; i < api->stream_count; i++)
        if (text_equal(name_of(&api->streams[i]), name_of(&form.stream)))
            problem(r, node, "two streams are named '%.*s': give one of them a 'name'", TEXT_FMT(name_of(&form.stream)));
    api->streams[api->stream_count++] = form.stream;
}

void read_streams(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_api_config *api = field;
    if (value->kind != DOC_SEQUENCE || value->count > STREAMS_MAX) {
        problem(r, value, "'%s' is a list of at most %d consumers, each with a source and a target", key->name, STREAMS_MAX);
        return;
    }
    api->streams = arena_zalloc(r->arena, (value->count + 1) * sizeof(*api->streams));
    for (const struct doc *node = value->first; node && api->streams; node = node->next)
        read_stream(r, node, api);
}

/* ---- Kinesis streams ---- */

const struct key kinesis_keys[] = {
    {"shards", "number", "1 to 100 (default 1)", read_u32, IN(weir_kinesis, shards), 1, 100, NULL, NULL},
    {"retention", "duration", "24h to 365d (default 24h)", read_duration, IN(weir_kinesis, retention), 24 * HOUR_MS, 365 * DAY_MS, NULL, NULL},
    {0},
};

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-{}"

void read_kinesis(struct reader *r, const struct key *key, const struct doc *value, void *field)
{
    struct gw_api_config *api = field;
    if (!expect_mapping(r, value, key->name))
        return;
    if (value->count > STREAMS_MAX) {
        problem(r, value, "an API has at most %d Kinesis streams", STREAMS_MAX);
        return;
    }
    api->kinesis = arena_zalloc(r->arena, (value->count + 1) * sizeof(*api->kinesis));
    for (const struct doc *node = value->first; node && api->kinesis; node = node->next) {
        struct weir_kinesis *stream = &api->kinesis[api->kinesis_count];
        struct text name = node->key->text;
        if (!name.len || name.len > 128 || strspn(name.data, NAME_CHARACTERS) != name.len)
            problem(r, node->key, "a Kinesis stream's name is 1 to 128 letters, digits, '_', '.' and '-'; {env} and {stage} are replaced");
        stream->name = name.data;
        if (!doc_is_null(node) && expect_mapping(r, node, "a Kinesis stream"))
            read_keys(r, node, kinesis_keys, stream);
        api->kinesis_count++;
    }
}
